//! What one server takes from its clients.

use std::time::Duration;

use crate::limits;
use crate::twilsock::server_session;

/// Bounds and times of a server. The defaults are sane for a server of one's own; [`Limits::twilio`] are those of the
/// original's service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at a time. One more is told to come back later.
    pub connections_max: usize,
    /// Subscriptions of one connection. One more fails with code 54419.
    pub subscriptions_max: usize,
    /// Bytes of compact JSON of one document; `None` leaves it to the backend. More is answered with 413.
    pub document_bytes_max: Option<usize>,
    /// Writes of one document that wait for the backend; more are answered with 429.
    pub writes_waiting_max: usize,
    /// Writes per second and document, averaged over ten seconds; larger ones count for more. `None` is no limit.
    pub writes_per_s: Option<u32>,
    /// Reads per second and document, averaged over ten seconds. `None` is no limit.
    pub reads_per_s: Option<u32>,
    /// How long one write may be tried. Then it is answered with 503.
    pub write_within: Duration,
    /// Answers and notifications that may wait for one client; one that reads too slowly for that is cut off, which is
    /// safe: when it comes back it is told what it missed.
    pub queue_max: usize,
    /// How long a client may take nothing of what is sent to it.
    pub send_within: Duration,
    /// How long a document without subscribers and requests is kept at hand.
    pub document_idle: Duration,
    /// How long after a document has expired its rows of permissions may still lie in the store.
    pub rows_swept_every: Duration,
    /// When clients are to come back that a shutdown sends away: after a time between these.
    pub offload_between: (Duration, Duration),
    /// Bounds and times of one session.
    pub(crate) session: server_session::Settings,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: limits::SERVER_CONNECTIONS_MAX,
            subscriptions_max: limits::SERVER_SUBSCRIPTIONS_MAX,
            document_bytes_max: None,
            writes_waiting_max: limits::SERVER_WRITES_WAITING_MAX,
            writes_per_s: None,
            reads_per_s: None,
            write_within: limits::SERVER_WRITE_WITHIN,
            queue_max: limits::SERVER_QUEUE_MAX,
            send_within: limits::SERVER_SEND_WITHIN,
            document_idle: limits::SERVER_DOCUMENT_IDLE,
            rows_swept_every: limits::SERVER_ROWS_SWEPT_EVERY,
            offload_between: limits::SERVER_OFFLOAD_BETWEEN,
            session: server_session::Settings::default(),
        }
    }
}

impl Limits {
    /// The limits of the original's service: 16 KiB a document, 20 writes and 20 reads a second and document, fewer
    /// of large ones.
    #[must_use]
    pub fn twilio() -> Self {
        Self {
            document_bytes_max: Some(limits::DOCUMENT_BYTES_MAX),
            writes_per_s: Some(20),
            reads_per_s: Some(20),
            connections_max: 7_000,
            subscriptions_max: 2_000,
            ..Self::default()
        }
    }

    /// Longest frame that is read from a client, in bytes.
    #[must_use]
    pub fn frame_bytes_max(mut self, bytes: usize) -> Self {
        self.session.frame_bytes_max = bytes;
        self
    }

    /// Requests per second of one connection, on average and at once.
    #[must_use]
    pub fn requests_per_s(mut self, requests: u32) -> Self {
        self.session.requests_per_s = requests;
        self
    }

    /// Requests of one connection that are worked on at a time.
    #[must_use]
    pub fn requests_open_max(mut self, requests: usize) -> Self {
        self.session.requests_open_max = requests;
        self
    }

    /// From connection to first frame, and for the check of the token after it.
    #[must_use]
    pub fn init_within(mut self, time: Duration) -> Self {
        self.session.init_within = time;
        self
    }

    /// Silence of the server after which it pings; must be below 45 s.
    #[must_use]
    pub fn ping_after(mut self, time: Duration) -> Self {
        self.session.ping_after = time;
        self
    }

    /// For a client to acknowledge what it is sent.
    #[must_use]
    pub fn acknowledge_within(mut self, time: Duration) -> Self {
        self.session.acknowledge_within = time;
        self
    }

    /// Remaining life of a token when its client is warned.
    #[must_use]
    pub fn token_warning(mut self, time: Duration) -> Self {
        self.session.token_warning = time;
        self
    }

    /// Cuts a connection whose token has ended without a word, where the default says why. The JavaScript SDK then takes
    /// a new token from its application at any moment; after a word it passes over one that comes within 3 s.
    #[must_use]
    pub fn cut_at_expiry(mut self, cut: bool) -> Self {
        use server_session::AtExpiry;
        self.session.at_expiry = if cut { AtExpiry::Cut } else { AtExpiry::Close };
        self
    }

    /// For open requests when the server shuts down.
    #[must_use]
    pub fn drain_within(mut self, time: Duration) -> Self {
        self.session.drain_within = time;
        self
    }
}
