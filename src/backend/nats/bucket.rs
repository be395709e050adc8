//! The bucket: a stream with the settings of a key-value bucket, made when missing and checked when present.
//!
//! It is made as a stream, because the requests for streams are the same in every server.

use super::api::{Config, Republish, Stream, request};
use super::core::Core;
use super::failure::{Failure, code};
use super::names::Names;
use super::options::Storage;
use crate::backend::BackendError;
use crate::limits::NATS_REPLICAS;

/// As good as no limit. With JetStream's own word for that, -1, it would be no key-value bucket to other clients.
const UNLIMITED: i64 = 1_000_000_000;

/// What a bucket has to be like.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// `None`: as many as there are, 1 in a new one.
    pub(super) replicas: Option<usize>,
    pub(super) storage: Storage,
    pub(super) create: bool,
    /// Whether the server is one before 2.10, which limits nothing rightly.
    pub(super) is_old_server: bool,
}

impl Wanted {
    /// Of a bucket that is made here.
    fn replicas(&self) -> usize {
        self.replicas.unwrap_or(NATS_REPLICAS)
    }

    /// Whether a bucket with so many replicas has no limit of messages for a key. With several any message may be the one
    /// that stands. With one the newest is, and one is enough; but servers before 2.10 that are started again read their
    /// files in the order of their names, `10` before `9`, and may then remove newer messages for older ones.
    const fn keeps_all(&self, replicas: usize) -> bool {
        replicas > 1 || self.is_old_server
    }

    /// The bucket's settings where it is made here, or is as it should be.
    fn config(&self, names: &Names, is_chained: bool) -> Config {
        Config {
            name: names.stream(),
            subjects: vec![format!("$KV.{}.>", names.bucket())],
            retention: "limits".into(),
            discard: "new".into(),
            storage: storage(self.storage).into(),
            num_replicas: self.replicas(),
            max_msgs_per_subject: if is_chained { UNLIMITED } else { 1 },
            max_msg_size: -1,
            max_age: 0,
            max_msgs: -1,
            max_bytes: -1,
            max_consumers: -1,
            republish: Some(republish(names)),
            sealed: false,
            // Where the bucket keeps all messages those that others came after are deleted one by one: servers before 2.9.18 that
            // are restarted after messages of one subject were purged may purge all the others too (nats-server issue 4196).
            deny_delete: !is_chained,
            // Who may publish to one subject could end all others by it; `nats kv purge` needs it.
            allow_rollup_hdrs: false,
            allow_msg_ttl: !is_chained,
        }
    }
}

const fn storage(storage: Storage) -> &'static str {
    match storage {
        Storage::File => "file",
        Storage::Memory => "memory",
    }
}

/// Changes are repeated in shards: which one, the server reckons from the key. A process subscribes to the shards of
/// the documents that it has open. One subscription per document would take 5 KiB each in the client crate (its channel
/// begins with 32 messages), and one entry each in every server of the cluster; the whole bucket would bring every change
/// to every process.
fn republish(names: &Names) -> Republish {
    Republish { src: names.republish_source(), dest: names.republish_destination(), headers_only: false }
}

/// Whether a bucket keeps all messages of a key, and one that is stored may be void; see [`chain`](super::chain).
pub(super) const fn is_chained(config: &Config) -> bool {
    config.max_msgs_per_subject != 1
}

/// The bucket's stream as it is.
pub(super) async fn look(core: &Core) -> Result<Stream, Failure> {
    core.ask(&format!("STREAM.INFO.{}", core.names.stream()), Vec::new(), core.link.deadline()).await
}

/// Finds the bucket or makes it. Several processes may do so at once: making what is there with the same settings
/// changes nothing, and with others it is refused.
///
/// # Errors
/// [`Opening::Later`] when it may work a moment later.
pub(super) async fn open(core: &Core, wanted: &Wanted) -> Result<Opened, Opening> {
    let doing = || format!("opening the bucket `{}`", core.names.bucket());
    let mut is_new = false;
    let found = match look(core).await {
        Err(failure) if failure.code() == Some(code::NO_STREAM) && wanted.create => {
            is_new = true;
            make(core, wanted).await
        }
        Err(failure) if failure.code() == Some(code::NO_STREAM) => {
            return Err(Opening::Never(fatal(doing(), missing(&core.names, wanted))));
        }
        settled => settled,
    };
    let stream = found.map_err(|failure| cause(failure, &doing(), wanted))?;
    let replicas = wanted.replicas.unwrap_or(stream.config.num_replicas);
    let keeps_all = wanted.keeps_all(replicas) || stream.config.max_msgs_per_subject == UNLIMITED;
    let mut config = wanted.config(&core.names, keeps_all);
    config.num_replicas = replicas;
    let differences = differences(&stream.config, &config, &core.names);
    if differences.is_empty() {
        return Ok(Opened { stream, is_new });
    }
    let why = format!("it has other settings than wanted: {}", differences.join("; "));
    Err(Opening::Never(fatal(doing(), why)))
}

/// A bucket as it should be.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) stream: Stream,
    /// There was none.
    pub(super) is_new: bool,
}

/// Why a bucket could not be opened.
#[derive(Debug)]
pub(super) enum Opening {
    /// It may work a moment later.
    Later(BackendError),
    /// Somebody has to do something first.
    Never(BackendError),
}

async fn make(core: &Core, wanted: &Wanted) -> Result<Stream, Failure> {
    let config = request(&wanted.config(&core.names, wanted.keeps_all(wanted.replicas())))?;
    let path = format!("STREAM.CREATE.{}", core.names.stream());
    match core.ask(&path, config, core.link.deadline()).await {
        // Somebody else made it meanwhile, with other settings: they are told apart below.
        Err(failure) if failure.code() == Some(code::STREAM_NAME_IN_USE) => look(core).await,
        settled => settled,
    }
}

fn fatal(doing: String, why: String) -> BackendError {
    BackendError::Fatal { doing, why, source: None }
}

fn cause(failure: Failure, doing: &str, wanted: &Wanted) -> Opening {
    let replicas = wanted.replicas();
    match failure {
        Failure::NoResponders => Opening::Later(fatal(
            doing.into(),
            "the server has no JetStream: start it with `nats-server -js`, or enable it for the account"
                .into(),
        )),
        Failure::Refused(refusal) if refusal.err_code == code::NO_CLUSTER => Opening::Never(fatal(
            doing.into(),
            format!(
                "{}: this server is in no cluster and cannot keep {replicas} replicas; start it in one, or ask for 1",
                refusal.description
            ),
        )),
        Failure::Refused(refusal) if refusal.err_code == code::NO_PEERS => Opening::Later(fatal(
            doing.into(),
            format!(
                "{}: fewer than {replicas} servers of the cluster are up and have room; start more, or ask for fewer \
                 replicas",
                refusal.description
            ),
        )),
        failure if failure.passes() => Opening::Later(failure.of_read(doing)),
        failure => Opening::Never(failure.of_read(doing)),
    }
}

/// How to make the bucket by hand.
fn missing(names: &Names, wanted: &Wanted) -> String {
    let (replicas, storage) = (wanted.replicas(), storage(wanted.storage));
    let made = if wanted.keeps_all(replicas) {
        format!(
            "nats stream add {} --subjects '$KV.{}.>' --max-msgs-per-subject={UNLIMITED} --discard new --defaults",
            names.stream(),
            names.bucket()
        )
    } else {
        format!("nats kv add {}", names.bucket())
    };
    format!(
        "there is none: correct the name, open it with create(true), or run `{made} --replicas {replicas} --storage {storage} \
         --republish-source '{}' --republish-destination '{}'`",
        names.republish_source(),
        names.republish_destination()
    )
}

/// Each setting that would break a promise: its name, what was found, what is wanted, and the command that mends it.
fn differences(found: &Config, wanted: &Config, names: &Names) -> Vec<String> {
    let mut told = Vec::new();
    let stream = names.stream();
    let mut tell = |differs: bool, field: &str, found: &str, wanted: &str, option: &str| {
        if differs {
            let edit = format!("run `nats stream edit {stream} {option}`");
            told.push(format!("{field} is {found}, wanted is {wanted}: {edit}"));
        }
    };
    let (its, ours) = (found, wanted);
    let (per_subject, history) =
        (its.max_msgs_per_subject.to_string(), ours.max_msgs_per_subject.to_string());
    tell(
        per_subject != history,
        "history (max_msgs_per_subject)",
        &per_subject,
        &history,
        &format!("--max-msgs-per-subject={history}"),
    );
    if ours.num_replicas > 1 {
        // Replicas would refuse to store what the leader has let through, and may come to differ.
        for (field, found, option) in
            [("max_bytes", its.max_bytes, "--max-bytes -1"), ("max_msgs", its.max_msgs, "--max-msgs -1")]
        {
            tell(found > 0, field, &found.to_string(), "-1", option);
        }
    }
    let (replicas, wanted) = (its.num_replicas.to_string(), ours.num_replicas.to_string());
    tell(replicas != wanted, "replicas", &replicas, &wanted, &format!("--replicas {wanted}"));
    tell(its.discard != ours.discard, "discard", &its.discard, "new", "--discard new");
    let age = format!("{} ns", its.max_age);
    tell(its.max_age != 0, "max_age", &age, "none, for it removes documents unasked", "--max-age 0");
    tell(ours.deny_delete && !its.deny_delete, "deny_delete", "false", "true", "--deny-delete");
    let repeated =
        its.republish.as_ref().map_or("none".into(), |to| format!("`{}` to `{}`", to.src, to.dest));
    let repeats = format!("`{}` to `{}`", names.republish_source(), names.republish_destination());
    let option = format!(
        "--republish-source '{}' --republish-destination '{}'",
        names.republish_source(),
        names.republish_destination()
    );
    tell(its.republish != ours.republish, "republish", &repeated, &repeats, &option);
    let subjects = its.subjects.join(", ");
    // These cannot be changed once a stream is made.
    for (differs, field, found, wanted) in [
        (its.storage != ours.storage, "storage", its.storage.as_str(), ours.storage.as_str()),
        (its.retention != ours.retention, "retention", its.retention.as_str(), "limits"),
        (its.sealed, "sealed", "true", "false"),
        (its.deny_delete && !ours.deny_delete, "deny_delete", "true", "false"),
        (!its.subjects.contains(&ours.subjects[0]), "subjects", subjects.as_str(), ours.subjects[0].as_str()),
    ] {
        if differs {
            told.push(format!(
                "{field} is {found}, wanted is {wanted}: that cannot be changed; ask for the same, use another \
                 bucket, or run `nats stream rm {stream}`, which deletes every document in it"
            ));
        }
    }
    told
}
