//! Bounds of the NATS backend.

use std::time::Duration;

/// Name of the bucket where none is given.
pub const NATS_BUCKET: &str = "sp-sync";

/// Characters of a bucket's name: subjects with it stay short enough for every server.
pub const NATS_BUCKET_CHARS_MAX: usize = 64;

/// Servers that hold each document of a new bucket. Default of a setting.
pub const NATS_REPLICAS: usize = 1;

/// How long opening a bucket tries to reach it. Default of a setting.
pub const NATS_CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long a request to NATS waits for its answer. Default of a setting.
pub const NATS_REPLY_WITHIN: Duration = Duration::from_secs(5);

/// How often expired documents that nobody watches are looked for in a bucket. Default of a setting.
pub const NATS_SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// How long one attempt to connect to a server of NATS may take, TLS included.
pub const NATS_DIAL_WITHIN: Duration = Duration::from_secs(3);

/// Time of silence after which a server of NATS is asked for a sign of life; after three without one, another is tried.
pub const NATS_PING_EVERY: Duration = Duration::from_secs(3);

/// The longest wait before another attempt to connect to NATS.
pub const NATS_RECONNECT_MAX: Duration = Duration::from_secs(2);

/// How often a call that waits for a connection looks whether there is one, should nobody tell it.
pub const NATS_CONNECTION_POLL: Duration = Duration::from_millis(100);

/// Messages of one subscription that wait to be read; one more is dropped, and every watched document is read anew.
pub const NATS_CONNECTION_MESSAGES: usize = 8_192;

/// Events of a connection to NATS that wait to be looked at; one more is dropped, and the state is looked at.
pub const NATS_LINK_EVENTS: usize = 64;

/// Refused subscriptions that wait to be told to watchers.
pub const NATS_DENIALS: usize = 1_024;

/// Parts into which the changes of a bucket are divided. Fewer bring a process more changes that it has no use for: with
/// `n` open documents it hears `n` in 1 024 of all. More cost 5 KiB each once every part has an open document.
pub const NATS_SHARDS: u16 = 1_024;

/// Bytes kept free for headers in a message of NATS: the server's limits count them too.
pub const NATS_HEADER_BYTES: usize = 512;

/// Attempts of one conditional write of a name that was removed, or of an unconditional removal, while others write too.
pub const NATS_WRITE_ATTEMPTS: usize = 16;

/// How long one request that stores nothing waits before it is sent again: while a leader is elected nobody answers.
pub const NATS_READ_AGAIN: Duration = Duration::from_secs(1);

/// Pause before it is sent again.
pub const NATS_READ_PAUSE: Duration = Duration::from_millis(50);

/// Watched documents that are read at once after messages may have been lost, and listed ones that are looked at.
pub const NATS_READS_AT_ONCE: usize = 32;

/// How often watched documents are looked at, should a message have been lost unnoticed; the reads are spread over this
/// time. What was missed is told within twice this.
pub const NATS_CHECK_EVERY: Duration = Duration::from_secs(60);

/// The longest pause between two of these reads.
pub const NATS_CHECK_PAUSE_MAX: Duration = Duration::from_millis(50);

/// How often the server's clock is asked for. Clocks of machines drift by some 30 ms in this time.
pub const NATS_CLOCK_EVERY: Duration = Duration::from_secs(600);

/// The longest journey of a message that tells the server's time, once it is known.
pub const NATS_CLOCK_JOURNEY_MAX: Duration = Duration::from_secs(1);

/// Pause between two rounds of reading every watched document because messages may have been lost.
pub const NATS_HEAL_PAUSE: Duration = Duration::from_secs(1);

/// How much later than a document expires a server of NATS that can do so removes it by itself. Until then it is hidden by
/// its readers; the time is counted by different clocks, and must not end too soon.
pub const NATS_TTL_SLACK: Duration = Duration::from_secs(60);

/// How long a message is kept that another came after, in a bucket that keeps them; less where the sweep comes more often.
/// Longer than anybody waits for an answer: a process that wrote at the same time finds it, and knows that it lost.
pub const NATS_SUPERSEDED_KEPT: Duration = Duration::from_secs(60);

/// Such messages that one process remembers to remove; more are left to the sweep.
pub const NATS_SUPERSEDED_MAX: usize = 262_144;

/// Such messages that are removed at once.
pub const NATS_DELETES_AT_ONCE: usize = 32;

/// How long a write waits for the servers' repeat of its message before it asks them whether the message holds. The repeat
/// comes before the acknowledgement, through another task.
pub const NATS_REPEAT_WITHIN: Duration = Duration::from_millis(20);

/// Headers that a sweep asks for at once.
pub const NATS_SURVEY_BATCH: u64 = 512;

/// Time after which the server forgets the consumer of a sweep whose process died.
pub const NATS_SURVEY_FORGOTTEN_AFTER: Duration = Duration::from_secs(30);
