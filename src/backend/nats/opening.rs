//! From settings to a backend that works.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::bucket::{self, Opened, Opening, Wanted};
use super::clock::Clock;
use super::connecting::{self, Places};
use super::core::{Core, spread};
use super::failure::Failure;
use super::hub::Hub;
use super::link::{self, Link};
use super::names::Names;
use super::options::NatsOptions;
use super::superseded::Superseded;
use super::turns::Turns;
use super::{Nats, Shared, keeping};
use crate::backend::BackendError;
use crate::limits::{DOCUMENT_BYTES_MAX, NATS_DENIALS, NATS_HEADER_BYTES, NATS_SUPERSEDED_KEPT};

impl Nats {
    pub(super) async fn open_with(options: NatsOptions) -> Result<Self, BackendError> {
        let names = Names::new(&options.bucket)?;
        let places = Places::of(&options)?;
        let kept = options.sweep_interval.min(NATS_SUPERSEDED_KEPT);
        let deadline = Instant::now() + options.connect_within;
        let (events, happened) = link::events();
        let client = connecting::connect(&options, &places, events, deadline).await?;
        let (deny, denied) = mpsc::channel(NATS_DENIALS);
        let lost = |failure: Failure| failure.of_read("connecting to NATS");
        let link = Link::over(client, happened, deny, options.reply_within).await.map_err(lost)?;
        let core = Arc::new(Core {
            link,
            clock: Clock::start(),
            names,
            hub: Arc::new(Hub::default()),
            turns: Turns::default(),
            superseded: Superseded::new(kept),
            is_chained: AtomicBool::new(false),
            is_replicated: AtomicBool::new(false),
            ends_messages: AtomicBool::new(false),
        });
        let is_old_server = !core.link.client().is_server_compatible(2, 10, 0);
        let NatsOptions { replicas, storage, create, .. } = options;
        let wanted = Wanted { replicas, storage, create, is_old_server };
        let (Opened { stream, is_new }, may_write) = bucket_of(&core, &wanted, deadline).await?;
        let is_chained = bucket::is_chained(&stream.config);
        if is_chained {
            check_waits(&options, kept)?;
            if may_write {
                check_deleting(&core).await?;
            }
        }
        core.follow(&stream.config);
        // A message that goes by itself would uncover one before it.
        core.ends_messages.store(stream.config.allow_msg_ttl && !is_chained, Relaxed);
        let document_bytes_max = fitting(&core, stream.config.max_msg_size, options.document_bytes_max)?;
        let mut tasks = keeping::begin(&core, stream.created, options.sweep_interval);
        tasks.spawn(keeping::denials(Arc::downgrade(&core), denied));
        let shared = Arc::new(Shared {
            core,
            document_bytes_max,
            replicas: stream.config.num_replicas,
            has_made_bucket: is_new,
            is_in_cluster: !stream.cluster.name.is_empty(),
            tasks: Mutex::new(tasks),
        });
        Ok(Self { shared })
    }
}

/// What another message came after is kept for a time, in which whoever waits for an answer must have had it.
fn check_waits(options: &NatsOptions, kept: Duration) -> Result<(), BackendError> {
    if options.reply_within < kept {
        return Ok(());
    }
    Err(BackendError::Fatal {
        doing: format!("opening the bucket `{}`", options.bucket),
        why: format!(
            "reply_within is {:?}: make it shorter than {kept:?}, for so long it keeps what was written over (sweep_interval, \
             {NATS_SUPERSEDED_KEPT:?} at most)",
            options.reply_within
        ),
        source: None,
    })
}

/// Whoever writes removes what was written over, or the bucket grows without end.
async fn check_deleting(core: &Core) -> Result<(), BackendError> {
    // There is no such message: only who may not ask for it is refused.
    match core.delete(0).await {
        Err(failure @ Failure::Denied(_)) => {
            Err(failure.of_read(&format!("opening the bucket `{}`", core.names.bucket())))
        }
        _ => Ok(()),
    }
}

/// Finds or makes the bucket, trying again until `deadline` what may work a moment later; and answers whether this client may
/// write.
async fn bucket_of(core: &Core, wanted: &Wanted, deadline: Instant) -> Result<(Opened, bool), BackendError> {
    let mut is_new = false;
    loop {
        let opened = match bucket::open(core, wanted).await {
            Ok(opened) => {
                is_new |= opened.is_new;
                set_clock(core).await.map(|may_write| (opened.stream, may_write))
            }
            Err(opening) => Err(opening),
        };
        let error = match opened {
            Ok((stream, may_write)) => return Ok((Opened { stream, is_new }, may_write)),
            Err(Opening::Never(error)) => return Err(error),
            Err(Opening::Later(error)) => error,
        };
        let pause = spread(Duration::from_millis(200));
        if Instant::now() + pause >= deadline {
            return Err(error);
        }
        sleep(pause).await;
    }
}

/// The first write: it shows that the bucket has a leader. Who may not write goes by the local clock.
async fn set_clock(core: &Core) -> Result<bool, Opening> {
    match core.set_clock().await {
        Ok(()) => Ok(true),
        Err(Failure::Denied(_)) => Ok(false),
        Err(failure) => {
            let passes = failure.passes();
            let error = failure.of_read(&format!("opening the bucket `{}`", core.names.bucket()));
            Err(if passes { Opening::Later(error) } else { Opening::Never(error) })
        }
    }
}

/// The longest document: as asked for, or the default, or what the servers take where that is less.
fn fitting(core: &Core, max_msg_size: i32, asked: Option<usize>) -> Result<usize, BackendError> {
    let by_connection = core.link.client().max_payload();
    let by_stream = usize::try_from(max_msg_size).unwrap_or(usize::MAX);
    let taken = by_connection.min(by_stream).saturating_sub(NATS_HEADER_BYTES);
    match asked {
        Some(bytes) if bytes > taken => Err(BackendError::Fatal {
            doing: format!("opening the bucket `{}`", core.names.bucket()),
            why: format!(
                "documents of {bytes} bytes do not fit: the server takes {by_connection} bytes in a message \
                 (max_payload), the stream {max_msg_size} (max_msg_size, -1 for any), headers included; raise them or \
                 ask for {taken} at most"
            ),
            source: None,
        }),
        Some(bytes) => Ok(bytes),
        None => Ok(taken.min(DOCUMENT_BYTES_MAX)),
    }
}
