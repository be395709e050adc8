//! Every bound of the crate, with its unit and its reason (C58). A bound that is a setting is only the default here.

use std::time::Duration;

mod nats;

pub use nats::*;

/// Characters of a document id or an identity (C3).
pub const NAME_CHARS_MAX: usize = 256;

/// Bytes of compact UTF-8 JSON of one document where the backend states no limit of its own (C55): 16 KiB, what the
/// original's service stores.
pub const DOCUMENT_BYTES_MAX: usize = 16_384;

/// Bytes of a document kept free for bookkeeping while actions wait or run: without them a document filled to the
/// brim could not record that an action was taken. 32 claims of a long identity need more; a run is shortened to fit.
pub const BOOKKEEPING_RESERVE_BYTES: usize = 512;

/// Levels of arrays and objects in one action or one application value. Readers of JSON give up at 128; taken, an
/// action lies three levels deeper than it waited. What a stranger wrote deeper is no action (C45).
pub const NESTING_MAX: usize = 100;

/// Actions that may wait for one executor (C56). Default of a setting.
pub const WAITING_MAX: usize = 64;

/// Actions moved from the array to the claims by one write (C38).
pub const RUN_MAX: usize = 32;

/// Writers remembered in the document (`_sp.w`), most recent last; those before are forgotten.
pub const WRITERS_MAX: usize = 16;

/// Characters of an action's id that are believed; a longer one was not written by this protocol.
pub const ACTION_ID_CHARS_MAX: usize = 36;

/// Ids of finished actions that a client remembers, so that one that reappears is not run again (C61).
pub const FINISHED_REMEMBERED: usize = 256;

/// How long an unchanged claim is respected (C40). Default of a setting.
pub const LEASE: Duration = Duration::from_secs(30);

/// A claim is renewed after this fraction of the lease, so that two renewals may be lost.
pub const RENEWALS_PER_LEASE: u32 = 3;

/// A client that said it takes what comes next is believed to be at work for this fraction of the lease after its
/// latest write was seen: whoever adds an action within it writes that client's claim too. Should the client have
/// stopped meanwhile, the action waits for the rest of a lease.
pub const TAKER_TRUSTS_PER_LEASE: u32 = 15;

/// A response that its requester has left unread for so many leases is removed by whoever writes next: an array
/// without a reader must not fill up for good. A requester may be away for so long and still find it.
pub const UNREAD_LEASES: u32 = 10;

/// The same for the requester itself, which knows that it no longer waits. After one lease others may take it (C51).
pub const UNREAD_LEASES_OWN: u32 = 2;

/// Attempts of one action in all (C42). Default of a setting.
pub const ATTEMPTS_MAX: u32 = 5;

/// Wait before the second attempt; doubled for each further one (C42). Default of a setting.
pub const RETRY_DELAY_MIN: Duration = Duration::from_millis(200);

/// The longest wait between two attempts (C42). Default of a setting.
pub const RETRY_DELAY_MAX: Duration = Duration::from_secs(10);

/// How long a finish without a response may wait for the next one, so that a run of quick actions is one write.
/// A crash within it repeats the actions of that time, with attempt > 1. Default of a setting.
pub const FINISH_LINGER: Duration = Duration::from_millis(5);

/// Operations that may wait in one client for the next write; a further caller waits for a place.
pub const OPERATIONS_WAITING_MAX: usize = 4_096;

/// Operations combined into one write (C31). More wait for the next.
pub const OPERATIONS_PER_WRITE_MAX: usize = 4_096;

/// Requests that may wait for a response in one client.
pub const REQUESTS_WAITING_MAX: usize = 1_024;

/// Notices (failures, expiries and the like) kept for a subscriber that lags; older ones are dropped and counted.
pub const NOTICES_KEPT: usize = 256;

/// First wait after a backend failure; doubled up to [`BACKOFF_MAX`], each with ± 20 % jitter.
pub const BACKOFF_MIN: Duration = Duration::from_millis(50);

/// The longest wait after a backend failure: an outage that has passed is noticed within it.
pub const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// First wait before a client asks again for what the backend refused to its identity; doubled up to
/// [`REFUSED_BACKOFF_MAX`], each with ± 20 % jitter. Default of a setting.
pub const REFUSED_BACKOFF_MIN: Duration = Duration::from_secs(30);

/// The longest wait after a refusal. Default of a setting.
pub const REFUSED_BACKOFF_MAX: Duration = Duration::from_secs(120);

/// How long a client waits for its pending writes when it closes. Default of a setting.
pub const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// How long one write of the application may take, retries included, before its caller hears of a failure.
/// Default of a setting.
pub const WRITE_WITHIN: Duration = Duration::from_secs(60);

/// A token is renewed when less than this remains (C7). Default of a setting.
pub const TOKEN_RENEW_BEFORE: Duration = Duration::from_secs(180);

/// Share of that time by which a renewal may come later, by chance: clients that were given tokens together do not come
/// together for the next.
pub const TOKEN_RENEW_SPREAD: f64 = 0.2;

/// A backend's word that a token is about to end is acted on at most once in this time.
pub const TOKEN_WARNED_EVERY: Duration = Duration::from_secs(30);

/// The longest wait that a setting may ask for: 30 days, more than anything here lives. Longer ones could not be added
/// to a moment.
pub const SETTING_MAX: Duration = Duration::from_secs(30 * 86_400);

/// Longest time to live of a document: one year, the limit of the original's service.
pub const TTL_MAX: Duration = Duration::from_secs(31_536_000);

/// How long an embedded store waits for a lock of another process. Default of a setting.
pub const EMBEDDED_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often an embedded store looks for changes of other processes of which no notice came. Default of a setting.
pub const EMBEDDED_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The same where the system gives no notices at all (inotify's limits are used up): what a watcher then waits.
pub const EMBEDDED_POLL_WITHOUT_NOTICES: Duration = Duration::from_millis(50);

/// Writes that may wait for the next commit of an embedded store; a further caller waits for a place.
pub const EMBEDDED_WRITES_WAITING_MAX: usize = 4_096;

/// Writes in one commit of an embedded store: bounds how long the first of them waits for the last.
pub const EMBEDDED_GROUP_MAX: usize = 1_024;

/// Reads that may wait in an embedded store; a further caller waits for a place.
pub const EMBEDDED_READS_WAITING_MAX: usize = 1_024;

/// Threads of an embedded store that read: two, so that one long list does not hold up every read.
pub const EMBEDDED_READERS: usize = 2;

/// Expired documents removed by one commit of an embedded store; more follow with the next.
pub const EMBEDDED_SWEEP_MAX: usize = 256;

/// Changes of an embedded store after which a removed document's trace may be deleted. A watcher in another process
/// that lags further reads everything anew.
pub const EMBEDDED_TOMBSTONES_KEPT: i64 = 4_096;

/// Removals after which an embedded store looks for such traces.
pub const EMBEDDED_PURGE_AFTER: usize = 256;

/// Pause between two looks at a lock that another process holds.
pub const EMBEDDED_LOCK_PAUSE: Duration = Duration::from_micros(500);

/// Pause of an embedded writer after a commit while another process writes too, so that it gets its turn.
pub const EMBEDDED_TURN: Duration = Duration::from_millis(1);

/// How long an embedded writer keeps giving way after it last saw another process write.
pub const EMBEDDED_RIVAL_REMEMBERED: Duration = Duration::from_millis(250);

/// Polls without any watcher after which the watching thread of an embedded store ends.
pub const EMBEDDED_IDLE_POLLS: u32 = 10;

/// Bytes of one Twilsock frame that a client reads: a page of 100 items of 16 KiB, four times.
pub const TWILSOCK_FRAME_BYTES_MAX: usize = 8_388_608;

/// Bytes of one Twilsock frame that a server reads: a subscription to 1 000 objects, several times. Default of a
/// setting.
pub const TWILSOCK_UPSTREAM_BYTES_MAX: usize = 2_097_152;

/// Bytes of a Twilsock frame's header: tokens, addresses and query parameters of any client, with room to spare.
pub const TWILSOCK_HEADER_BYTES_MAX: usize = 65_536;

/// Characters of a Twilsock frame's id that are taken over into its answer.
pub const TWILSOCK_ID_CHARS_MAX: usize = 128;

/// Characters of the unique name of an object of the Sync protocol: what the original's service enforces.
pub const SYNC_UNIQUE_NAME_CHARS_MAX: usize = 320;

/// Objects in one subscription request of the Sync protocol that a client sends, until the server states another
/// number. A server takes any number that fits into a frame.
pub const SYNC_SUBSCRIPTION_BATCH_MAX: usize = 100;

/// How long a client waits for the confirmation of a subscription before it asks again, as stated by a server.
pub const SYNC_ESTIMATED_DELIVERY: Duration = Duration::from_secs(5);

/// How long a server waits for the first frame of a connection, and for the check of its token. Default of a setting.
pub const TWILSOCK_INIT_WITHIN: Duration = Duration::from_secs(10);

/// A server pings when it has sent nothing for so long. Clients give up after [`TWILSOCK_SILENCE_MAX`]. Default of a
/// setting.
pub const TWILSOCK_PING_AFTER: Duration = Duration::from_secs(20);

/// How long a server waits for the acknowledgement of what it sent. Default of a setting.
pub const TWILSOCK_ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(15);

/// Frames of a server that one client may leave unacknowledged; more is a client that does not read. Default of a
/// setting.
pub const TWILSOCK_UNACKNOWLEDGED_MAX: usize = 4_096;

/// Requests per second of one connection, on average and at once: the quota of the original's service. Default of a
/// setting.
pub const TWILSOCK_REQUESTS_PER_S: u32 = 500;

/// Requests of one connection that a server works on at a time. Default of a setting.
pub const TWILSOCK_REQUESTS_OPEN_MAX: usize = 1_024;

/// New tokens of one connection that are looked at at a time.
pub const TWILSOCK_UPDATES_OPEN_MAX: usize = 4;

/// A server warns of a token's end when this remains. Default of a setting.
pub const TWILSOCK_TOKEN_WARNING: Duration = Duration::from_secs(180);

/// How long a server that shuts down waits for its open requests. Default of a setting.
pub const TWILSOCK_DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// How long a server leaves the socket open after its last word, so that the client reads it. Default of a setting.
pub const TWILSOCK_CLOSE_LINGER: Duration = Duration::from_secs(1);

/// How long a client waits for a socket. Default of a setting.
pub const TWILSOCK_CONNECT_WITHIN: Duration = Duration::from_secs(60);

/// How long a client waits for the answer to a request, to its first frame and to a new token. Default of a setting.
pub const TWILSOCK_REPLY_WITHIN: Duration = Duration::from_secs(30);

/// How long a request may wait for a connection. Default of a setting.
pub const TWILSOCK_QUEUE_WITHIN: Duration = Duration::from_secs(20);

/// Requests of one client that may wait for a connection or an answer, each.
pub const TWILSOCK_REQUESTS_WAITING_MAX: usize = 1_024;

/// A client that hears nothing for so long connects anew. Default of a setting.
pub const TWILSOCK_SILENCE_MAX: Duration = Duration::from_secs(45);

/// A client's first wait before it connects anew; doubled up to [`TWILSOCK_BACKOFF_MAX`], each ± 20 %.
pub const TWILSOCK_BACKOFF_MIN: Duration = Duration::from_secs(1);

/// A client's longest wait before it connects anew.
pub const TWILSOCK_BACKOFF_MAX: Duration = Duration::from_secs(120);

/// A connection that lasted so long counts as a success: the next wait is the first again.
pub const TWILSOCK_STEADY_AFTER: Duration = Duration::from_secs(10);

/// Failures that still count after a connection that ended sooner but had a request answered: the next wait is 4 s at
/// most, ± 20 %.
pub const TWILSOCK_FAILURES_AFTER_USE: u32 = 2;

/// The longest absence that a client lets a server ask for.
pub const TWILSOCK_ABSENCE_MAX: Duration = Duration::from_secs(3_600);

/// Longest access token that a server reads, in bytes. Tokens with every grant there is have less than a quarter.
pub const JWT_BYTES_MAX: usize = 8_192;

/// Shortest life of an access token that is made here: the service documents no shorter one.
pub const JWT_LIFETIME_MIN: Duration = Duration::from_secs(180);

/// Longest life of an access token.
pub const JWT_LIFETIME_MAX: Duration = Duration::from_secs(86_400);

/// How far the clocks of who makes and who checks a token may differ. A setting.
pub const JWT_LEEWAY: Duration = Duration::from_secs(30);

/// Attempts to log in that may fail at once from one address. Default of a setting.
pub const SERVER_ATTEMPTS_AT_ONCE: u32 = 30;

/// After so long one more attempt to log in may fail. Default of a setting.
pub const SERVER_ATTEMPT_EVERY: Duration = Duration::from_secs(2);

/// Addresses whose failed attempts a server remembers; further ones share one count.
pub const SERVER_ATTEMPT_PEERS_MAX: usize = 10_000;

/// Life of an access token that the token endpoint gives. Default of a setting.
pub const SERVER_TOKEN_LIFETIME: Duration = Duration::from_secs(3_600);

/// Longest request to the token endpoint, in bytes.
pub const SERVER_TOKEN_REQUEST_BYTES_MAX: usize = 16_384;

/// How long a peer of a server may take for the TLS handshake, and for the headers of a request.
pub const SERVER_HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of the headers of one request, and of what a server reads ahead.
pub const SERVER_HEADERS_BYTES_MAX: usize = 65_536;

/// Sockets that a server has open at a time, those included that have not said what they want. A further one waits.
pub const SERVER_SOCKETS_MAX: usize = 32_768;

/// How often a server looks whether its certificate was replaced.
pub const SERVER_CERTIFICATE_EVERY: Duration = Duration::from_secs(10);

/// How long a server waits for its store when it is asked whether it is ready.
pub const SERVER_READY_WITHIN: Duration = Duration::from_secs(2);

/// Longest request to the REST doors, in bytes: a form may take three bytes for one of the document.
pub const SERVER_REST_BYTES_MAX: usize = 2_097_152;

/// REST requests that a server works on at a time; more are answered with 429.
pub const SERVER_REST_REQUESTS_MAX: usize = 256;

/// Documents on one page of a list, unless the caller says how many.
pub const SERVER_PAGE_DEFAULT: usize = 50;

/// Documents on one page of a list, whatever the caller says.
pub const SERVER_PAGE_MAX: usize = 100;

/// How long a request to the token endpoint or the REST doors may take, its body included.
pub const SERVER_REQUEST_WITHIN: Duration = Duration::from_secs(30);

/// Longest file of keys, users or settings that a server reads, in bytes.
pub const SERVER_FILE_BYTES_MAX: usize = 1 << 24;

/// Bytes of a proxy's answer to `CONNECT`.
pub const PROXY_ANSWER_BYTES_MAX: usize = 8_192;

/// Names whose revisions a remote backend remembers beside those that are watched; of one that is forgotten it reads
/// the revision again before it writes.
pub const REMOTE_NAMES_KEPT: usize = 4_096;

/// Revisions of one document that a remote backend can write over without reading them again.
pub const REMOTE_REVISIONS_KEPT: usize = 16;

/// How long a remote backend tries to read, across lost connections.
pub const REMOTE_READ_WITHIN: Duration = Duration::from_secs(30);

/// How often a remote backend looks whether a watched document that is not there has been made: the protocol tells
/// nobody of that.
pub const REMOTE_LOOK_EVERY: Duration = Duration::from_secs(1);

/// First wait of a remote backend before it repeats a read or a subscription that the service refused; then doubled.
pub const REMOTE_RETRY_MIN: Duration = Duration::from_millis(500);

/// The longest such wait.
pub const REMOTE_RETRY_MAX: Duration = Duration::from_secs(30);

/// Writes per second of one document that the original's service accepts up to 1 KiB (C57); a tenth of that from
/// 10 KiB on. Default of a setting.
pub const REMOTE_WRITES_PER_S: f64 = 20.0;

/// The time over which the service takes the average of writes: so much may be written at once after a rest.
pub const REMOTE_BURST: Duration = Duration::from_secs(10);

/// How long a remote connection keeps an acknowledgement, so that it leaves together with the request that what was heard
/// brings about. Servers wait for seconds.
pub const REMOTE_ACKNOWLEDGE_WITHIN: Duration = Duration::from_millis(5);

/// How long a remote backend that is closed gives its last word.
pub const REMOTE_FAREWELL_WITHIN: Duration = Duration::from_secs(1);

/// How long a token service may take to answer. Default of a setting.
pub const TOKEN_FETCH_WITHIN: Duration = Duration::from_secs(20);

/// Bytes of a token service's answer.
pub const TOKEN_ANSWER_BYTES_MAX: usize = 65_536;

/// A token from a cache is not used when less than this, or half of its life, remains.
pub const TOKEN_CACHE_MARGIN: Duration = Duration::from_secs(300);

/// Connections of one server at a time. Default of a setting.
pub const SERVER_CONNECTIONS_MAX: usize = 20_000;

/// Subscriptions of one connection: the quota of the original's service. Default of a setting.
pub const SERVER_SUBSCRIPTIONS_MAX: usize = 2_000;

/// Writes of one document that wait in a server for its backend. Default of a setting.
pub const SERVER_WRITES_WAITING_MAX: usize = 256;

/// Commands to one document's task that wait; whoever has a further one waits for a place, and the task takes them at
/// once.
pub const SERVER_COMMANDS_MAX: usize = 64;

/// How long a server tries one write. Default of a setting.
pub const SERVER_WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Answers and notifications that wait for one client of a server. Default of a setting.
pub const SERVER_QUEUE_MAX: usize = 4_096;

/// How long a client of a server may take nothing of what is sent. Default of a setting.
pub const SERVER_SEND_WITHIN: Duration = Duration::from_secs(15);

/// How long a server keeps a document at hand that nobody asks for. Default of a setting.
pub const SERVER_DOCUMENT_IDLE: Duration = Duration::from_secs(5);

/// When clients come back that a shutdown sends away. Default of a setting.
pub const SERVER_OFFLOAD_BETWEEN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// When a client comes back that one server has no place for.
pub const SERVER_FULL_BETWEEN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10));

/// SIDs of documents whose names a server remembers; of others it looks through the backend's list.
pub const SERVER_SIDS_REMEMBERED: usize = 65_536;

/// SIDs that a server looks for at a time; for more it is unavailable.
pub const SERVER_SIDS_SOUGHT_MAX: usize = 16_384;

/// Names in one page of that list.
pub const SERVER_SIDS_PAGE: usize = 1_000;

/// Pause between two looks through that list.
pub const SERVER_SIDS_PAUSE: Duration = Duration::from_millis(250);

/// Time after which a server looks for rows of permissions whose document has expired: each look reads all rows.
pub const SERVER_ROWS_SWEPT_EVERY: Duration = Duration::from_secs(600);

/// Bytes of the buffer through which a server reads a connection. Smaller takes more system calls for long frames;
/// larger costs every idle connection so much.
pub const SERVER_READ_BUFFER_BYTES: usize = 2_048;

/// Bytes of frames that a server puts together before it writes them to a connection.
pub const SERVER_WRITE_BUFFER_BYTES: usize = 16_384;

/// The longest pause of a server before it watches a document anew that its backend stopped telling of.
pub const SERVER_WATCH_BACKOFF_MAX: Duration = Duration::from_secs(2);

/// How many times as long as a document may be the text is that a server still reads as one: white space and escapes are not
/// counted, but have to be gone through.
pub const SERVER_TEXT_PER_DOCUMENT: usize = 8;

/// Executors whose queues a server's metrics show by name; the others are shown together.
pub const SERVER_EXECUTORS_MAX: usize = 64;
