use super::*;

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Byte for byte, but for the line end after a payload: this crate and servers send it, the JavaScript SDK does not.
#[test]
fn recorded_bytes_are_read_and_written_again() {
    let mut compared = 0;
    for recorded in vectors().iter().flat_map(|vector| &vector.frames) {
        let Some(hex) = &recorded.hex else { continue };
        let bytes = unhex(hex);
        let frame = Frame::decode(&bytes, TWILSOCK_FRAME_BYTES_MAX).unwrap();
        assert_eq!(frame.fields(), recorded.header, "{}", recorded.place);
        let (header, payload) = (frame.fields(), frame.to_payload());
        assert_eq!(payload.is_empty(), recorded.payload.is_empty());
        let mut expected = bytes;
        if recorded.to_server && !payload.is_empty() {
            expected.extend(b"\r\n");
        }
        assert!(Encoded::with_header(header, &payload).bytes() == expected, "{}", recorded.place);
        compared += 1;
    }
    assert_eq!(compared, 20);
}

/// Two writers of compact JSON agree on every payload's length but where the recorded one was no JSON.
#[test]
fn payloads_are_counted_as_the_sdk_and_the_server_counted_them() {
    for recorded in vectors().iter().flat_map(|vector| &vector.frames) {
        let stated = recorded.header.get("payload_size").and_then(Value::as_u64).unwrap_or(0);
        assert_eq!(stated, recorded.payload.len() as u64, "{}", recorded.place);
    }
}
