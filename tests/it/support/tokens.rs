//! A backend that asks for tokens, and a source of them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sp_sync::backend::{
    Authenticated, Backend, BackendError, Directory, Facts, Memory, Revision, Stored, Watch, Write, Written,
};
use sp_sync::token::{Token, TokenProvider};
use sp_sync::{DocumentId, Error, Result};
use tokio::time::Instant;

/// Lets nobody in without a token that still lives. Clones share everything.
#[derive(Clone)]
pub(crate) struct Door {
    inner: Arc<DoorInner>,
}

struct DoorInner {
    store: Memory,
    ends: Mutex<Option<Instant>>,
    installed: AtomicUsize,
    turned_away: AtomicUsize,
}

impl Door {
    pub(crate) fn new(store: Memory) -> Self {
        let inner = DoorInner {
            store,
            ends: Mutex::default(),
            installed: AtomicUsize::default(),
            turned_away: AtomicUsize::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// How many tokens were installed.
    pub(crate) fn installed(&self) -> usize {
        self.inner.installed.load(Ordering::SeqCst)
    }

    /// How many calls came without a good token.
    pub(crate) fn turned_away(&self) -> usize {
        self.inner.turned_away.load(Ordering::SeqCst)
    }

    /// The present token is good no more.
    pub(crate) fn revoke(&self) {
        *self.inner.ends.lock().unwrap() = None;
    }

    fn check(&self) -> Result<(), BackendError> {
        if self.inner.ends.lock().unwrap().is_some_and(|ends| Instant::now() < ends) {
            return Ok(());
        }
        self.inner.turned_away.fetch_add(1, Ordering::SeqCst);
        Err(BackendError::TokenExpired)
    }
}

#[async_trait]
impl Backend for Door {
    fn facts(&self) -> Facts {
        self.inner.store.facts()
    }

    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.check()?;
        self.inner.store.read(id).await
    }

    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        self.check()?;
        self.inner.store.write(id, write).await
    }

    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.check()?;
        self.inner.store.remove(id, expect).await
    }

    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        self.check()?;
        self.inner.store.watch(id).await
    }

    fn directory(&self) -> Option<&dyn Directory> {
        None
    }

    fn authenticated(&self) -> Option<&dyn Authenticated> {
        Some(self)
    }
}

#[async_trait]
impl Authenticated for Door {
    /// The text of a token is `<name> <milliseconds>`: how long this door believes in it.
    async fn install_token(&self, token: &Token) -> Result<(), BackendError> {
        let lasts = token.secret().rsplit(' ').next().and_then(|lasts| lasts.parse().ok());
        let Some(lasts) = lasts else {
            return Err(BackendError::Refused { code: 20_101, message: "this is no token".into() });
        };
        *self.inner.ends.lock().unwrap() = Some(Instant::now() + Duration::from_millis(lasts));
        self.inner.installed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Makes tokens, until it is told to stop. Clones share everything.
#[derive(Clone)]
pub(crate) struct Mint {
    lasts: Duration,
    /// Whether tokens say how long they last.
    says: bool,
    made: Arc<AtomicU64>,
    left: Arc<AtomicU64>,
}

impl Mint {
    pub(crate) fn new(lasts: Duration, left: u64) -> Self {
        Self { lasts, says: true, made: Arc::default(), left: Arc::new(left.into()) }
    }

    /// Tokens of this one do not say how long they last.
    pub(crate) fn silent(self) -> Self {
        Self { says: false, ..self }
    }

    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::SeqCst)
    }

    /// A token from the same mint, however many it has left.
    pub(crate) fn make(&self) -> Token {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let token = Token::new(format!("token-{number} {}", self.lasts.as_millis()));
        if self.says { token.lasting(self.lasts) } else { token }
    }
}

#[async_trait]
impl TokenProvider for Mint {
    async fn token(&self) -> Result<Token> {
        let more = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_err() {
            // A failure that may pass: the client goes on asking.
            return Err(Error::Timeout {
                what: "token".into(),
                after: Duration::from_secs(1),
                why: "a test",
                retry: sp_sync::Retry::Now,
            });
        }
        Ok(self.make())
    }
}
