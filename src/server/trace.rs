//! What the server reports to `tracing` (feature `tracing`), under the target `sp_sync::server`: a span for each connection,
//! in it one for each request, and one for each action, from the moment this server first sees it in a document to the
//! moment it is gone. Without the feature all of it compiles to nothing; without a subscriber that wants them, spans are
//! not made and documents are not gone through.
//!
//! Names, ids, numbers and times only: no value of a document, an action, a response or a token (C64).

#[cfg(feature = "tracing")]
mod seen {
    use std::collections::HashMap;
    use std::fmt::Display;
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use tokio::time::Instant;
    use tracing::field::display;
    use tracing::{Instrument as _, Level, Span, debug, debug_span, enabled, error, info, warn};

    use super::super::Refusal;
    use super::super::answer::Problem;
    use crate::document::{Document, Item};
    use crate::id::{ActionId, DocumentId, Executor};

    /// Says something once a second at most: whoever comes too often must not fill the log as well. The metrics count all.
    struct Seldom(Mutex<Option<Instant>>);

    impl Seldom {
        const fn new() -> Self {
            Self(Mutex::new(None))
        }

        fn may(&self) -> bool {
            let (mut last, now) = (self.0.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
            let may = last.is_none_or(|last| now.saturating_duration_since(last) >= Duration::from_secs(1));
            if may {
                *last = Some(now);
            }
            may
        }
    }

    static FULL: Seldom = Seldom::new();
    static REFUSED_BY_LIMIT: Seldom = Seldom::new();
    static STORE: Seldom = Seldom::new();
    static FAILING: AtomicBool = AtomicBool::new(false);

    /// The span of a connection, around all it does.
    pub(in crate::server) fn connection<F: Future>(
        number: u64,
        serving: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        let span = debug_span!(target: "sp_sync::server", parent: None, "connection", connection = number);
        serving.instrument(span)
    }

    /// A token was good.
    pub(in crate::server) fn admitted(number: u64, identity: &str) {
        debug!(target: "sp_sync::server", connection = number, identity, "token accepted");
    }

    /// A token was not good.
    pub(in crate::server) fn refused(number: u64, peer: Option<IpAddr>, refusal: &Refusal) {
        let (peer, Refusal { status, code, message: reason, .. }) = (peer.map(display), refusal);
        info!(target: "sp_sync::server", peer, connection = number, status, code, reason, "token refused");
    }

    /// Somebody was turned away at the token endpoint or at the REST doors.
    pub(in crate::server) fn login_refused(door: &str, peer: Option<IpAddr>, problem: &Problem) {
        let (peer, Problem { status, code, .. }) = (peer.map(display), problem);
        let reason = problem.reason();
        info!(target: "sp_sync::server", door, peer, status, code, reason, "login refused");
    }

    /// An address has used up its attempts to log in.
    pub(in crate::server) fn too_many_attempts(peer: Option<IpAddr>, wait: Duration) {
        let (peer, wait_s) = (peer.map(display), wait.as_millis().div_ceil(1_000));
        warn!(target: "sp_sync::server", peer, wait_s, "too many failed logins");
    }

    /// There is no room for another connection.
    pub(in crate::server) fn full(peer: Option<IpAddr>, limit: usize) {
        if FULL.may() {
            let peer = peer.map(display);
            warn!(target: "sp_sync::server", peer, limit, "too many connections: clients are sent away");
        }
    }

    /// The store did not do as it was asked.
    pub(in crate::server) fn store_failed(why: &dyn Display) {
        FAILING.store(true, Relaxed);
        if STORE.may() {
            error!(target: "sp_sync::server", reason = why.to_string(), "the store failed");
        }
    }

    /// A write held. Whoever was told that the store fails wants to know when that is over.
    pub(in crate::server) fn store_works() {
        if FAILING.load(Relaxed) && FAILING.swap(false, Relaxed) {
            info!(target: "sp_sync::server", "the store works again");
        }
    }

    /// A client is cut off: it does not read or acknowledge.
    pub(in crate::server) fn cut(number: u64) {
        warn!(target: "sp_sync::server", connection = number, "client cut off");
    }

    /// A request, from its reading to its answer.
    pub(in crate::server) struct Asking {
        span: Span,
        connection: u64,
        what: &'static str,
        began: Option<Instant>,
    }

    impl Asking {
        pub(in crate::server) fn begin(number: u64, what: &'static str) -> Self {
            let span = debug_span!(target: "sp_sync::server", "request", connection = number, what);
            let began = (!span.is_disabled()).then(Instant::now);
            Self { span, connection: number, what, began }
        }

        pub(in crate::server) fn answered(&self, status: u16) {
            if matches!(status, 413 | 429) && REFUSED_BY_LIMIT.may() {
                let (connection, what) = (self.connection, self.what);
                warn!(target: "sp_sync::server", connection, what, status, "request over a limit");
            }
            let Some(began) = self.began else { return };
            let latency_us = micros(began);
            match status {
                500.. => warn!(target: "sp_sync::server", parent: &self.span, status, latency_us, "answered"),
                _ => debug!(target: "sp_sync::server", parent: &self.span, status, latency_us, "answered"),
            }
        }
    }

    fn micros(since: Instant) -> u64 {
        u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The actions of one document.
    pub(in crate::server) struct Actions {
        document: DocumentId,
        followed: HashMap<ActionId, Followed>,
        /// Number of the newest look; who was not seen in it is gone.
        look: u64,
    }

    struct Followed {
        span: Span,
        place: Place,
        since: Instant,
        look: u64,
    }

    #[derive(Clone, PartialEq)]
    enum Place {
        /// In its executor's array. Exits: `Claimed`; gone.
        Waiting,
        /// With a holder, for this attempt. Exits: `Claimed` by another or for another attempt; `Waiting`; gone.
        Claimed(u32, Arc<str>),
    }

    impl Actions {
        pub(in crate::server) fn of(document: &DocumentId) -> Self {
            Self { document: document.clone(), followed: HashMap::new(), look: 0 }
        }

        /// Looks at a state of the document, if anybody wants to know.
        pub(in crate::server) fn see(&mut self, document: &Document, now: Instant) {
            if !enabled!(target: "sp_sync::server", Level::DEBUG) {
                return self.followed.clear();
            }
            self.look += 1;
            for (executor, items) in document.queues() {
                for item in items {
                    if let Some(id) = item.id() {
                        self.found(id, executor, Some(item), Place::Waiting, now);
                    }
                }
            }
            for (executor, claims) in document.ledger().into_iter().flat_map(|ledger| ledger.claimed()) {
                for claim in claims {
                    if let Some(id) = claim.id() {
                        let place = Place::Claimed(claim.n, claim.by.clone());
                        self.found(id, executor, claim.item(), place, now);
                    }
                }
            }
            let look = self.look;
            self.followed.retain(|_, followed| followed.look == look || followed.end(now));
        }

        fn found(
            &mut self,
            id: &ActionId,
            executor: &Executor,
            item: Option<&Arc<Item>>,
            place: Place,
            now: Instant,
        ) {
            let (document, look) = (&self.document, self.look);
            if let Some(followed) = self.followed.get_mut(id) {
                followed.look = look;
                if followed.place != place {
                    followed.moved(place, now);
                }
                return;
            }
            let action = item.and_then(|item| item.action()).map_or("", crate::action::Action::name);
            let span = debug_span!(target: "sp_sync::server", parent: None, "action", %document, %executor, action, %id);
            let mut followed = Followed { span, place: Place::Waiting, since: now, look };
            debug!(target: "sp_sync::server", parent: &followed.span, "action waiting");
            if place != Place::Waiting {
                followed.moved(place, now);
            }
            self.followed.insert(id.clone(), followed);
        }
    }

    impl Followed {
        fn moved(&mut self, place: Place, now: Instant) {
            let after_us = self.age(now);
            match &place {
                Place::Claimed(attempt, by) => {
                    debug!(target: "sp_sync::server", parent: &self.span, attempt, %by, after_us, "action claimed");
                }
                Place::Waiting => {
                    debug!(target: "sp_sync::server", parent: &self.span, after_us, "action given back");
                }
            }
            (self.place, self.since) = (place, now);
        }

        /// It is gone: finished or dropped where it was claimed, else withdrawn, or taken and finished between two looks.
        fn end(&self, now: Instant) -> bool {
            let (after_us, claimed) = (self.age(now), self.place != Place::Waiting);
            debug!(target: "sp_sync::server", parent: &self.span, claimed, after_us, "action gone");
            false
        }

        fn age(&self, now: Instant) -> u64 {
            let age = now.saturating_duration_since(self.since).as_micros();
            u64::try_from(age).unwrap_or(u64::MAX)
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod seen {
    use std::fmt::Display;
    use std::net::IpAddr;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::Refusal;
    use super::super::answer::Problem;
    use crate::document::Document;
    use crate::id::DocumentId;

    /// Without the feature a connection is only a connection, and nobody hears of anything.
    pub(in crate::server) fn connection<F: Future>(_: u64, serving: F) -> F {
        serving
    }

    pub(in crate::server) fn admitted(_: u64, _: &str) {}

    pub(in crate::server) fn refused(_: u64, _: Option<IpAddr>, _: &Refusal) {}

    pub(in crate::server) fn login_refused(_: &str, _: Option<IpAddr>, _: &Problem) {}

    pub(in crate::server) fn too_many_attempts(_: Option<IpAddr>, _: Duration) {}

    pub(in crate::server) fn full(_: Option<IpAddr>, _: usize) {}

    pub(in crate::server) fn store_failed(_: &dyn Display) {}

    pub(in crate::server) fn store_works() {}

    pub(in crate::server) fn cut(_: u64) {}

    pub(in crate::server) struct Asking;

    impl Asking {
        pub(in crate::server) fn begin(_: u64, _: &'static str) -> Self {
            Self
        }

        pub(in crate::server) fn answered(&self, _: u16) {}
    }

    pub(in crate::server) struct Actions;

    impl Actions {
        pub(in crate::server) fn of(_: &DocumentId) -> Self {
            Self
        }

        pub(in crate::server) fn see(&self, _: &Document, _: Instant) {}
    }
}

pub(super) use seen::*;
