//! Percent-encoding: of path segments and query parameters, as both SDKs write it, and of logins in addresses.

/// What JavaScript's `encodeURIComponent` leaves as it is, besides letters and digits.
#[cfg(any(feature = "remote", feature = "server"))]
const PLAIN: &[u8] = b"-_.!~*'()";

/// One segment or value, encoded. A plus becomes `%2B` and a blank `%20`, so that every reader understands it.
#[cfg(any(feature = "remote", feature = "server"))]
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    encode_into(&mut encoded, text);
    encoded
}

/// The same, behind what is there.
#[cfg(any(feature = "remote", feature = "server"))]
pub(crate) fn encode_into(encoded: &mut String, text: &str) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
}

/// What a path segment stands for; `None` when it is not UTF-8 in percent-encoding.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok()
}

/// What a query parameter stands for. Twilsock: Kotlin writes blanks as `+`, JavaScript a literal plus as `%2B`; so a
/// bare plus is a blank from both.
#[cfg(any(feature = "remote", feature = "server"))]
pub(crate) fn decode_parameter(text: &str) -> Option<String> {
    decode(&text.replace('+', " "))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(all(test, any(feature = "remote", feature = "server")))]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_reads_the_same() {
        for text in ["", "plain-_.!~*'()", "a/b c?&=+%é", "žluťoučký/kůň 🐴?&+", "\0\u{7f}\u{10ffff}"]
        {
            let encoded = encode(text);
            assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "{encoded}");
            assert_eq!(decode(&encoded).as_deref(), Some(text));
            assert_eq!(decode_parameter(&encoded).as_deref(), Some(text));
        }
        assert_eq!(encode("žluť/kůň 🐴?&+"), "%C5%BElu%C5%A5%2Fk%C5%AF%C5%88%20%F0%9F%90%B4%3F%26%2B");
    }

    #[test]
    fn a_plus_is_a_blank_in_parameters_only() {
        assert_eq!(decode("a+b").as_deref(), Some("a+b"));
        assert_eq!(decode_parameter("a+b%2Bc").as_deref(), Some("a b+c"));
    }

    #[test]
    fn what_is_no_encoding_is_refused() {
        for text in ["%", "%4", "%zz", "%+1", "%FF", "%C5", "a%e9"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
