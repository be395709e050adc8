//! A look at everything that is configured. Whoever mends it wants to know all that is wrong at once.

use std::path::Path;
use std::time::Duration;

use sp_sync::backend::{BackendError, BackendUrl, Embedded, Memory, NatsUrl};
use sp_sync::server::{FileError, Keys, Tls, TlsError, Users};

use super::Serve;
use super::run::{Store, chain, service, unserved};
use crate::output::{Outcome, Problem, caution, counted, print};
use crate::words::{is_unmade, told_of_store};

/// Everything that is configured, and looked at.
pub(super) struct Ready {
    pub(super) keys: Keys,
    pub(super) users: Option<Users>,
    pub(super) tls: Option<Tls>,
}

/// What is wrong, each with what to do.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, fault: impl Into<String>) {
        self.0.push(fault.into());
    }

    /// What was made, or `None` and one fault more.
    fn of<T, E: std::error::Error>(&mut self, made: Result<T, E>) -> Option<T> {
        made.map_err(|error| self.add(chain(&error))).ok()
    }

    fn none(self) -> Outcome<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::Usage(self.0.join("\n"))) }
    }
}

/// Looks at files and options, before anything is begun.
pub(super) fn look(options: &Serve) -> Outcome<Ready> {
    let (looked, faults) = see(options);
    faults.none()?;
    looked.ok_or_else(|| Problem::Usage("there is no keys file".into()))
}

fn see(options: &Serve) -> (Option<Ready>, Faults) {
    let mut faults = Faults::default();
    let keys = keys(options, &mut faults);
    let users: Option<Result<Users, FileError>> = options.users.as_ref().map(|path| {
        private(path);
        Users::read(path)
    });
    let users = users.and_then(|users| faults.of(users));
    let tls = tls(options, &mut faults);
    numbers_and_paths(options, &mut faults);
    (keys.map(|keys| Ready { keys, users, tls }), faults)
}

const MAKING: &str = "`sp-sync dev --keys-out keys.toml` makes one";

fn keys(options: &Serve, faults: &mut Faults) -> Option<Keys> {
    let Some(path) = &options.keys else {
        faults.add(format!(
            "there is no keys file: give --keys FILE, or `keys` in the file of --config; {MAKING}"
        ));
        return None;
    };
    if !path.exists() {
        faults.add(format!("--keys: there is no file {}; {MAKING}", path.display()));
        return None;
    }
    private(path);
    faults.of(Keys::read(path))
}

fn tls(options: &Serve, faults: &mut Faults) -> Option<Tls> {
    match (&options.tls_cert, &options.tls_key) {
        (Some(certificate), Some(key)) => {
            private(key);
            let read: Result<Tls, TlsError> = Tls::read(certificate, key);
            return faults.of(read);
        }
        (Some(_), None) => faults.add("--tls-cert needs its private key: give --tls-key <FILE> too"),
        (None, Some(_)) => faults.add("--tls-key needs its certificate: give --tls-cert <FILE> too"),
        (None, None) => {}
    }
    None
}

/// A day.
const SECONDS_MAX: u64 = 86_400;

fn numbers_and_paths(options: &Serve, faults: &mut Faults) {
    if !(180..=86_400).contains(&options.token_lifetime_s) {
        faults.add("--token-lifetime-s: tokens live 180 to 86400 seconds");
    }
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~/".contains(letter);
    if !options.token_path.starts_with('/') || !options.token_path.chars().all(is_plain) {
        faults.add("--token-path: it begins with a slash, and has letters, digits and `-._~/` only");
    }
    for (option, seconds) in options.seconds() {
        if seconds > SECONDS_MAX {
            faults.add(format!("--{option}: {seconds} seconds, at most {SECONDS_MAX}"));
        }
    }
    let apart = options.operations_listen.as_ref();
    if apart.is_some_and(|apart| apart.is_that_of(&options.listen)) {
        faults.add("--operations-listen: this is where --listen is; give another port, or leave it out");
    }
}

/// What others can read is told, not refused: containers mount files as they please.
fn private(path: &Path) {
    if Keys::is_exposed(path) {
        let file = path.display();
        caution(&format!("{file} can be read by others than its owner: `chmod 600 {file}`"));
    }
}

/// `--check`: the same, and what shows itself only when it is begun; then what there would be.
pub(super) async fn check(options: &Serve) -> Outcome<()> {
    let (ready, mut faults) = see(options);
    let store = store(options, &mut faults).await;
    // Where the keys cannot be read, others stand in for them: whether the rest goes together is told all the same.
    let tried = Ready {
        keys: ready.as_ref().map_or_else(Keys::generate, |ready| ready.keys.clone()),
        users: None,
        tls: ready.as_ref().and_then(|ready| ready.tls.clone()),
    };
    if let Err(Problem::Usage(fault)) =
        service(options, &tried, Store::new(std::sync::Arc::new(Memory::new())), &options.listen)
    {
        faults.add(fault);
    }
    for (option, address) in
        [("--listen", Some(&options.listen)), ("--operations-listen", options.operations_listen.as_ref())]
    {
        // No fault: it may be this server itself that is running.
        if let Some(Err(Problem::Failed(why))) = match address {
            Some(address) => Some(address.bind(option).await),
            None => None,
        } {
            caution(&why);
        }
    }
    faults.none()?;
    let Some(Ready { keys, users, tls }) = ready else { return Ok(()) };
    let users = users.map_or_else(|| "no users file".to_owned(), |users| counted(users.len(), "user"));
    let tls = if tls.is_some() { "TLS" } else { "no TLS" };
    let line = format!(
        "good: service {} of account {}, {}, {users}, {tls}, documents {store}\n",
        keys.service_sid(),
        keys.account_sid(),
        counted(keys.api_keys().len(), "API key"),
    );
    print(line.as_bytes()).map(drop)
}

/// Where documents are, in words.
async fn store(options: &Serve, faults: &mut Faults) -> String {
    let path = match options.store() {
        BackendUrl::File(path) => path,
        BackendUrl::Memory => return "in memory".to_owned(),
        BackendUrl::Nats(url) => {
            return format!("in {url}{}", bucket(options, url, faults).await);
        }
        other => {
            faults.add(unserved(options.store_option(), other));
            return String::new();
        }
    };
    let shown = path.display();
    if path.exists() {
        match Embedded::options().create(false).read_only(true).open(path).await {
            Ok(file) => file.close().await,
            Err(error) => faults.add(format!("--store: {}", told_of_store(&error))),
        }
        return format!("in {shown}");
    }
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => {
            let folder = folder.display();
            faults.add(format!("--store: there is no folder {folder}; make it, or give another"));
        }
        _ => {}
    }
    format!("in {shown}, which will be made")
}

/// How long a look waits for NATS.
const LOOK_WITHIN: Duration = Duration::from_secs(3);

/// Reaches the bucket, and makes none. That no server answers may change before this one is begun.
async fn bucket(options: &Serve, url: &NatsUrl, faults: &mut Faults) -> &'static str {
    let opened = match options.login.bucket(url) {
        Ok(bucket) => bucket.create(false).connect_within(LOOK_WITHIN).open().await,
        Err(Problem::Usage(why) | Problem::Failed(why)) => {
            faults.add(why);
            return "";
        }
        Err(_) => return "",
    };
    match opened {
        Ok(nats) => nats.close().await,
        Err(error) if is_unmade(&error) => return ", which will be made",
        Err(error @ BackendError::Unavailable { .. }) => caution(&told_of_store(&error)),
        Err(error) => faults.add(format!("{}: {}", options.store_option(), told_of_store(&error))),
    }
    ""
}
