//! Texts with a form of their own: URLs and timestamps. Pure functions over bytes; no allocation.

/// Schemes that run code where the address is opened. A field that becomes `location.href` must not carry them.
const SCRIPT_SCHEMES: [&str; 2] = ["javascript", "vbscript"];

/// Whether the text is an absolute URL by RFC 3986: a scheme, something after it, only the characters that a URL
/// may have, and a host where `//` announces one. Stricter than browsers, which mend a good deal silently: what
/// passes here means the same everywhere.
pub(super) fn is_absolute_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut letters = scheme.bytes();
    let scheme_holds = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if !scheme_holds || SCRIPT_SCHEMES.iter().any(|script| scheme.eq_ignore_ascii_case(script)) {
        return false;
    }
    let (before_fragment, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (hierarchy, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
    let host_holds_and_path = match hierarchy.strip_prefix("//") {
        Some(after) => {
            let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
            (is_authority(authority) || (authority.is_empty() && scheme == "file")).then_some(path)
        }
        // `https:path` has no host and means different things to different readers.
        None => (!["http", "https", "ws", "wss"].iter().any(|web| scheme.eq_ignore_ascii_case(web))
            && !hierarchy.is_empty())
        .then_some(hierarchy),
    };
    host_holds_and_path.is_some_and(|path| has_only(path, b"/:@"))
        && has_only(query, b"/:@?")
        && has_only(fragment, b"/:@?")
}

/// `user@host:port`, with a host that is not empty.
fn is_authority(authority: &str) -> bool {
    let (user, host_and_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match host_and_port.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, after)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
            match after.strip_prefix(':') {
                Some(port) => (address, port),
                None if after.is_empty() => (address, ""),
                None => return false,
            }
        }
        Some(_) => return false,
        None => {
            let (host, port) = host_and_port.split_once(':').unwrap_or((host_and_port, ""));
            if !has_only(host, b"") {
                return false;
            }
            (host, port)
        }
    };
    !host.is_empty()
        && has_only(user, b":")
        && (port.is_empty() || port.parse::<u16>().is_ok_and(|_| port.bytes().all(|b| b.is_ascii_digit())))
}

/// Unreserved characters, sub-delimiters, `%` with two hexadecimal digits, and `also`.
fn has_only(text: &str, also: &[u8]) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(place, byte)| match byte {
        b'%' => bytes.get(place + 1..place + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)),
        _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) || also.contains(byte),
    })
}

/// Whether the text is a moment as RFC 3339 section 5.6 writes it, with capital `T` and `Z`: a day that exists and
/// an offset. A 60th second passes only where leap seconds are inserted, at 23:59 UTC.
pub(super) fn is_timestamp(text: &str) -> bool {
    parse_timestamp(text.as_bytes()).is_some()
}

fn parse_timestamp(bytes: &[u8]) -> Option<()> {
    let (date_time, rest) = bytes.split_at_checked(19)?;
    let number = |from: usize, to: usize| digits(date_time.get(from..to)?);
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(place, wanted)| date_time.get(*place) != Some(wanted)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let offset = offset_minutes(skip_fraction(rest)?)?;
    let minute_of_day = (i32::from(hour) * 60 + i32::from(minute) - offset).rem_euclid(24 * 60);
    let holds = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && (second < 60 || (second == 60 && minute_of_day == 24 * 60 - 1));
    holds.then_some(())
}

/// What follows `.123…`, or the same bytes when there is no fraction.
fn skip_fraction(rest: &[u8]) -> Option<&[u8]> {
    let Some(fraction) = rest.strip_prefix(b".") else { return Some(rest) };
    let count = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(fraction.get(count..)?)
}

fn offset_minutes(offset: &[u8]) -> Option<i32> {
    match offset {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let size = i32::from(hours) * 60 + i32::from(minutes);
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -size } else { size })
        }
        _ => None,
    }
}

/// At most four decimal digits as a number.
fn digits(bytes: &[u8]) -> Option<u16> {
    bytes.iter().try_fold(0_u16, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0')))
}

fn days_in(year: u16, month: u16) -> u16 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
