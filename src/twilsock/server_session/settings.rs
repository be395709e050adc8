//! What a server may choose.

use std::time::Duration;

use crate::limits;

/// Limits and times of a session.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest frame that is read, in bytes.
    pub frame_bytes_max: usize,
    /// From connection to first frame, and for the check of the token after it.
    pub init_within: Duration,
    /// Silence of this side after which it pings. More than 45 s makes clients give up.
    pub ping_after: Duration,
    /// For the acknowledgement of anything sent; then the connection is cut.
    pub acknowledge_within: Duration,
    /// Frames that may be unacknowledged at a time; then the connection is cut, which is safe: a client that comes back
    /// is told what it missed.
    pub unacknowledged_max: usize,
    /// Requests per second, on average and at once; more are answered with 429.
    pub requests_per_s: u32,
    /// Requests worked on at a time; more are answered with 429.
    pub requests_open_max: usize,
    /// Remaining life of a token when the client is warned, once.
    pub token_warning: Duration,
    /// What happens when the token ends.
    pub at_expiry: AtExpiry,
    /// For open requests when the server shuts down.
    pub drain_within: Duration,
    /// From the last word to the end of the socket.
    pub close_linger: Duration,
    /// Capabilities that this server has; confirmed where the client has them too.
    pub capabilities: Vec<String>,
}

/// What happens when a session's token ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtExpiry {
    /// `close` 410, as the original's service does.
    #[default]
    Close,
    /// The connection is cut without a word. Twilsock: the JavaScript SDK loses a token that it is given in the 3 s after
    /// a 410; cut off, it comes back, is refused and asks for one, and takes it.
    Cut,
}

impl Default for Settings {
    fn default() -> Self {
        let capabilities = ["client_update", "offline_storage", "telemetry.v1", "account_descriptor"];
        Self {
            frame_bytes_max: limits::TWILSOCK_UPSTREAM_BYTES_MAX,
            init_within: limits::TWILSOCK_INIT_WITHIN,
            ping_after: limits::TWILSOCK_PING_AFTER,
            acknowledge_within: limits::TWILSOCK_ACKNOWLEDGE_WITHIN,
            unacknowledged_max: limits::TWILSOCK_UNACKNOWLEDGED_MAX,
            requests_per_s: limits::TWILSOCK_REQUESTS_PER_S,
            requests_open_max: limits::TWILSOCK_REQUESTS_OPEN_MAX,
            token_warning: limits::TWILSOCK_TOKEN_WARNING,
            at_expiry: AtExpiry::Close,
            drain_within: limits::TWILSOCK_DRAIN_WITHIN,
            close_linger: limits::TWILSOCK_CLOSE_LINGER,
            capabilities: capabilities.map(str::to_owned).to_vec(),
        }
    }
}
