//! What a client may choose.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::limits;

/// Times of a session, and what it says of itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest frame that is read, in bytes.
    pub frame_bytes_max: usize,
    /// For a socket to open.
    pub connect_within: Duration,
    /// For the answer to a request, to `init` and to `update`. Too little repeats what was carried out.
    pub reply_within: Duration,
    /// For a request that waits for a connection.
    pub queue_within: Duration,
    /// Silence of the server after which the connection is given up. Servers speak at least every 20 s or so.
    pub silence_max: Duration,
    /// Free description of this client: `sdk`, `os` and the like.
    pub metadata: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        let mut metadata = Map::new();
        metadata.insert("type".into(), "sync".into());
        metadata.insert("sdk".into(), env!("CARGO_PKG_NAME").into());
        metadata.insert("sdkv".into(), env!("CARGO_PKG_VERSION").into());
        metadata.insert("os".into(), std::env::consts::OS.into());
        Self {
            frame_bytes_max: limits::TWILSOCK_FRAME_BYTES_MAX,
            connect_within: limits::TWILSOCK_CONNECT_WITHIN,
            reply_within: limits::TWILSOCK_REPLY_WITHIN,
            queue_within: limits::TWILSOCK_QUEUE_WITHIN,
            silence_max: limits::TWILSOCK_SILENCE_MAX,
            metadata,
        }
    }
}
