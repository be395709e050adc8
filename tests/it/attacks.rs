//! What attackers found: each once broke a promise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use sp_sync::backend::{
    Backend, BackendError, Change, Facts, Memory, Revision, Stored, Watch, Write, Written,
};
use sp_sync::document::Dropped;
use sp_sync::{DocumentId, Error, Notice, Settings, SyncClient, extension};
use tokio_stream::StreamExt as _;

use crate::support::*;

/// C29, C40: a write of an earlier life that lands late is not taken for one of this life.
#[tokio::test(start_paused = true)]
async fn a_write_of_an_earlier_life_that_lands_late_is_not_taken_for_one_of_this_life() {
    let store = Memory::new();
    let maker = open(store.clone(), "maker").await;
    maker.set_sync(json!({ "step": 0 })).await.unwrap();
    // First life: its one write is on its way for two seconds; then the process dies.
    let first = Link::new(&store);
    first.script([Fate::LandAfter(Duration::from_secs(2)), Fate::CutBefore]);
    let dying = builder(first.clone(), "page").instance("tab").connect().await.unwrap();
    let _ = tokio::time::timeout(Duration::from_millis(10), dying.set_sync(json!({ "old": 1 }))).await;
    assert!(first.is_cut());
    // Second life, same instance string.
    let second = Link::new(&store);
    second.script([Fate::LoseRequest, Fate::Slow(Duration::from_secs(4))]);
    let page = builder(second.clone(), "page").instance("tab").connect().await.unwrap();
    let receipt = page.add_action(note("important")).await;
    tokio::time::sleep(SOON).await;
    let found = stored(&store).await;
    if receipt.is_ok() {
        assert_eq!(found["extensionActions"][0]["message"], "important", "acknowledged and lost: {found:#}");
    }
}

/// C28, C60: a receipt without identities does not claim to know.
#[tokio::test(start_paused = true)]
async fn a_receipt_without_identities_does_not_claim_to_know() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    overwrite(&store, json!({ "_sp": { "v": 2 } })).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let receipt = add(&page, &["1"]).await;
    let finished = receipt.finished(SOON).await;
    assert_eq!(counts(&*document(&store).await, "extension").0, 1, "it still waits");
    assert!(finished.is_err(), "told finished while it waits");
}

/// Answers (and watch events) are held back while `closed`.
#[derive(Clone)]
struct Gate {
    store: Memory,
    closed: tokio::sync::watch::Sender<bool>,
}
impl Gate {
    fn new(store: &Memory) -> Self {
        Self { store: store.clone(), closed: tokio::sync::watch::Sender::new(false) }
    }
    async fn pass(&self) {
        let _ = self.closed.subscribe().wait_for(|closed| !closed).await;
    }
}
#[async_trait]
impl Backend for Gate {
    fn facts(&self) -> Facts {
        self.store.facts()
    }
    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        let found = self.store.read(id).await;
        self.pass().await;
        found
    }
    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let answer = self.store.write(id, write).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.pass().await;
        answer
    }
    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.store.remove(id, expect).await
    }
    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let gate = self.clone();
        let changes = self.store.watch(id).await?;
        Ok(Box::pin(changes.then(move |change| {
            let gate = gate.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                gate.pass().await;
                change
            }
        })))
    }
}

/// C40: an answer that comes after a lease starts nothing.
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_a_lease_starts_nothing() {
    let store = Memory::new();
    let gate = Gate::new(&store);
    let slow = open(gate.clone(), "slow").await;
    let heir = open(store.clone(), "heir").await;
    let mut mine = slow.executor("extension").subscribe();
    tokio::time::sleep(Duration::from_secs(1)).await;
    add(&heir, &["1"]).await;
    until_stored(&store, |document| counts(document, "extension") == (0, 1)).await;
    gate.closed.send_replace(true);
    let mut theirs = heir.executor("extension").subscribe();
    let done = carry_out(&mut theirs, 1).await;
    assert_eq!(done, [("1".to_owned(), 2)]);
    until_worked_off(&store).await;
    tokio::time::sleep(LEASE).await;
    gate.closed.send_replace(false);
    let late = tokio::time::timeout(SOON, mine.next()).await;
    assert!(late.is_err(), "run again, attempt {}", late.unwrap().unwrap().attempt());
}

/// C41: an old copy of the document does not run an at most once action again.
#[tokio::test(start_paused = true)]
async fn an_old_copy_of_the_document_does_not_run_an_at_most_once_action_again() {
    let store = Memory::new();
    let one = open(store.clone(), "one").await;
    one.add_action(extension::InjectPassword {}).await.unwrap();
    let old = stored(&store).await;
    let mut deliveries = one.executor("extension").subscribe();
    let first = next(&mut deliveries).await;
    overwrite(&store, old).await;
    first.cancelled().await;
    drop(first);
    let again = tokio::time::timeout(SOON, deliveries.next()).await;
    assert!(again.is_err(), "at most once, and attempt {}", again.unwrap().unwrap().attempt());
}

/// C41, C61: a finished action whose old copy lies in the array is not run again.
#[tokio::test(start_paused = true)]
async fn a_finished_action_whose_old_copy_lies_in_the_array_is_not_run_again() {
    for lost in [false, true] {
        let store = Memory::new();
        let link = Link::new(&store);
        let one = open(link.clone(), "one").await;
        one.add_actions(
            sp_sync::Batch::new().then(extension::InjectPassword {}).then(note("2")).then(note("3")),
        )
        .await
        .unwrap();
        let old = stored(&store).await["extensionActions"].clone();
        let mut deliveries = one.executor("extension").subscribe();
        let first = next(&mut deliveries).await;
        // An original writer stores its old copy of the array.
        edit(&store, |document| drop(document.insert("extensionActions".into(), old.clone()))).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if lost {
            link.script([Fate::LoseAnswer]);
        }
        first.finish().await.unwrap();
        let mut ran = Vec::new();
        while let Ok(Some(delivery)) = tokio::time::timeout(SOON, deliveries.next()).await {
            ran.push((delivery.action().name().to_owned(), delivery.attempt()));
            delivery.finish().await.unwrap();
        }
        assert!(!ran.iter().any(|(name, _)| name == "injectPassword"), "lost answer {lost}: {ran:?}");
    }
}

/// C37: a listener does not finish what was given to a handler.
#[tokio::test(start_paused = true)]
async fn a_listener_does_not_finish_what_was_given_to_a_handler() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let mut log = page.events().extension_actions_added().unwrap();
    let deliveries = page.executor("extension").subscribe();
    add(&page, &["1"]).await;
    let seen = next(&mut log).await;
    drop(seen);
    drop(log);
    drop(deliveries);
    tokio::time::sleep(SOON).await;
    let mut later = page.executor("extension").subscribe();
    let came = tokio::time::timeout(LEASE * 3, later.next()).await;
    assert!(came.is_ok(), "no handler ever saw it, and it is gone: {}", stored(&store).await);
}

/// C39: clones of a responder share the right to answer.
#[tokio::test(start_paused = true)]
async fn clones_of_a_responder_share_the_right_to_answer() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let extension = open(store.clone(), "extension").await;
    let mut deliveries = extension.executor("extension").subscribe();
    page.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    let responder = next(&mut deliveries).await.detach().await.unwrap().unwrap();
    responder.clone().respond(json!({ "displayCount": 1 })).await.unwrap();
    let second = responder.respond(json!({ "displayCount": 2 })).await;
    let waiting = document(&store).await.waiting("onboarding").len();
    assert!(second.is_err() && waiting == 1, "{waiting} responses");
}

/// C39: a listener and a handler share the right to answer.
#[tokio::test(start_paused = true)]
async fn a_listener_and_a_handler_share_the_right_to_answer() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let extension = open(store.clone(), "extension").await;
    let mut log = extension.events().extension_actions_added().unwrap();
    let mut deliveries = extension.executor("extension").subscribe();
    page.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    let event = next(&mut log).await;
    let held = next(&mut deliveries).await;
    let responder = event.into_responder().unwrap();
    let one = responder.respond(json!({ "displayCount": 1 })).await;
    let two = held.respond(json!({ "displayCount": 2 })).await;
    let waiting = document(&store).await.waiting("onboarding").len();
    assert_eq!(waiting, 1, "responses: {one:?} {two:?}");
}

/// C15, C29: closing tells what may have been written.
#[tokio::test(start_paused = true)]
async fn closing_tells_what_may_have_been_written() {
    let store = Memory::new();
    let link = Link::new(&store);
    let settings = Settings { close_within: Duration::from_secs(1), ..Settings::default() };
    let page = builder(link.clone(), "page").settings(settings).connect().await.unwrap();
    let late = Fate::LandAfter(Duration::from_secs(3));
    link.script([late, Fate::Slow(AGES)]);
    let adding = tokio::spawn({
        let page = page.clone();
        async move { page.add_action(note("1")).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    page.close().await.unwrap_err();
    let told = adding.await.unwrap();
    tokio::time::sleep(SOON).await;
    let waiting = counts(&*document(&store).await, "extension").0;
    let error = told.unwrap_err();
    assert!(
        waiting == 0 || matches!(error, Error::MaybeApplied { .. }),
        "written, and told {error:?}: {error}"
    );
}

/// Asks to wait for a time that cannot be added to a moment.
#[derive(Clone)]
struct Refusing {
    store: Memory,
    on: Arc<AtomicBool>,
    wait: Duration,
}
#[async_trait]
impl Backend for Refusing {
    fn facts(&self) -> Facts {
        self.store.facts()
    }
    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.store.read(id).await
    }
    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        if self.on.load(Ordering::SeqCst) {
            return Err(BackendError::RateLimited { retry_after: Some(self.wait) });
        }
        self.store.write(id, write).await
    }
    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.store.remove(id, expect).await
    }
    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        self.store.watch(id).await
    }
}

/// C57: a backend that asks to wait for ages does not stop the client.
#[tokio::test(start_paused = true)]
async fn a_backend_that_asks_to_wait_for_ages_does_not_stop_the_client() {
    let backend = Refusing { store: Memory::new(), on: Arc::default(), wait: Duration::MAX };
    let page = open(backend.clone(), "page").await;
    backend.on.store(true, Ordering::SeqCst);
    let told = page.set_sync(json!({ "a": 1 })).await.unwrap_err();
    assert!(page.get_sync().await.is_ok(), "the client is dead: {told:?}");
}

/// C57: nor while it opens.
#[tokio::test(start_paused = true)]
async fn nor_while_it_opens() {
    let backend = Refusing { store: Memory::new(), on: Arc::new(AtomicBool::new(true)), wait: Duration::MAX };
    let opened = tokio::spawn(async move { builder(backend, "page").connect().await.map(drop) }).await;
    assert!(opened.is_ok(), "panicked");
}

/// C7: a token may last for ever.
#[tokio::test(start_paused = true)]
async fn a_token_may_last_for_ever() {
    let door = crate::support::Door::new(Memory::new());
    let token = sp_sync::token::Token::new("t 1000").lasting(Duration::MAX);
    let opened =
        tokio::spawn(
            async move { crate::support::builder(door, "page").token(token).connect().await.map(drop) },
        )
        .await;
    assert!(opened.is_ok(), "panicked");
}

/// C60: a forged count of attempts is survived.
#[tokio::test(start_paused = true)]
async fn a_forged_count_of_attempts_is_survived() {
    let store = Memory::new();
    let settings = Settings { attempts_max: 1_000, ..Settings::default() };
    let page = builder(store.clone(), "page").settings(settings).connect().await.unwrap();
    let item = json!({ "action": "lockScreen", "executor": "extension", "message": "1",
        "_sp": { "id": "x", "n": u32::MAX } });
    edit(&store, |document| drop(document.insert("extensionActions".into(), json!([item])))).await;
    let _deliveries = page.executor("extension").subscribe();
    until_worked_off(&store).await;
    assert!(page.get_sync().await.is_ok(), "the driver panicked");
}

/// C51: a response to somebody without an identity is for anybody.
#[tokio::test(start_paused = true)]
async fn a_response_to_somebody_without_an_identity_is_for_anybody() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let mut deliveries = page.executor("onboarding").subscribe();
    let item = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 1,
        "_sp": { "re": "q", "to": "gone#gone" } });
    edit(&store, |document| drop(document.insert("onboardingActions".into(), json!([item])))).await;
    let came = tokio::time::timeout(LEASE * 20, deliveries.next()).await;
    assert!(came.is_ok(), "nobody ever gets it: {}", stored(&store).await);
}

/// C51: a response that was read is not reported as unread.
#[tokio::test(start_paused = true)]
async fn a_response_that_was_read_is_not_reported_as_unread() {
    let store = Memory::new();
    let backend = Refusing { store: store.clone(), on: Arc::default(), wait: Duration::from_secs(1) };
    let page = open(backend.clone(), "page").await;
    let extension = open(store.clone(), "extension").await;
    let mut notices = page.events().notices();
    let mut deliveries = extension.executor("extension").subscribe();
    let asking = tokio::spawn({
        let page = page.clone();
        async move { page.request(extension::GetDisplayCount {}).respond_to("onboarding").await }
    });
    let held = next(&mut deliveries).await;
    backend.on.store(true, Ordering::SeqCst);
    held.respond(json!({ "displayCount": 1 })).await.unwrap();
    assert!(asking.await.unwrap().is_ok());
    tokio::time::sleep(LEASE * 3).await;
    backend.on.store(false, Ordering::SeqCst);
    until_worked_off(&store).await;
    tokio::time::sleep(SOON).await;
    while let Ok(Some(Ok(notice))) = tokio::time::timeout(Duration::from_millis(1), notices.next()).await {
        let lies = matches!(notice, Notice::ResponseDropped { why: Dropped::Unread, .. });
        assert!(!lies, "it was read: {notice:?}");
    }
}

/// A store that was set back, as by a restored backup.
#[derive(Clone)]
struct SetBack {
    store: Memory,
    ahead: Arc<AtomicU64>,
    calls: Arc<AtomicUsize>,
}
#[async_trait]
impl Backend for SetBack {
    fn facts(&self) -> Facts {
        self.store.facts()
    }
    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let ahead = self.ahead.load(Ordering::SeqCst);
        // A real one takes some time.
        tokio::time::sleep(Duration::from_micros(1)).await;
        let found = self.store.read(id).await?;
        Ok(found.map(|stored| Stored { revision: Revision(stored.revision.0 + ahead), ..stored }))
    }
    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let ahead = self.ahead.load(Ordering::SeqCst);
        if ahead == 0 {
            tokio::time::sleep(Duration::from_micros(1)).await;
            return Err(BackendError::Conflict);
        }
        self.store.write(id, write).await
    }
    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.store.remove(id, expect).await
    }
    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        let ahead = self.ahead.clone();
        Ok(Box::pin(self.store.watch(id).await?.map(move |change| {
            change.map(|change| match change {
                Change::Updated(stored) => Change::Updated(Stored {
                    revision: Revision(stored.revision.0 + ahead.load(Ordering::SeqCst)),
                    ..stored
                }),
                removed => removed,
            })
        })))
    }
}

/// C58: conflicts that bring nothing newer are waited out.
#[tokio::test(start_paused = true)]
async fn conflicts_that_bring_nothing_newer_are_waited_out() {
    let store = Memory::new();
    drop(open(store.clone(), "maker").await);
    let backend = SetBack { store, ahead: Arc::new(AtomicU64::new(100)), calls: Arc::default() };
    let page = open(backend.clone(), "page").await;
    backend.ahead.store(0, Ordering::SeqCst);
    let before = backend.calls.load(Ordering::SeqCst);
    let told = tokio::time::timeout(Duration::from_secs(10), page.set_sync(json!({ "a": 1 }))).await;
    let calls = backend.calls.load(Ordering::SeqCst) - before;
    assert!(calls < 200, "{calls} calls in ten seconds, {told:?}");
}

/// C58: many responses to others do not slow a client down.
#[tokio::test]
async fn many_responses_to_others_do_not_slow_a_client_down() {
    let store = Memory::with_document_bytes_max(1 << 20);
    let page = open(store.clone(), "page").await;
    let items: Vec<Value> = (0..14_000)
        .map(|n| json!({ "action": "a", "_sp": { "id": format!("xxxxxxxxxxxxxxxxxxxx{n}"), "to": "y" } }))
        .collect();
    edit(&store, |document| drop(document.insert("onboardingActions".into(), json!(items)))).await;
    let began = tokio::time::Instant::now();
    page.set_sync(json!({ "a": 1 })).await.unwrap();
    page.set_sync(json!({ "a": 2 })).await.unwrap();
    let took = began.elapsed();
    // It was 21 seconds.
    assert!(took < Duration::from_secs(7), "two writes took {took:?}");
}

/// C50: a request that was never sent may be repeated.
#[tokio::test(start_paused = true)]
async fn a_request_that_was_never_sent_may_be_repeated() {
    let store = roomy_store();
    let settings = Settings { waiting_max: 5_000, ..Settings::default() };
    let page = builder(store.clone(), "page").settings(settings).connect().await.unwrap();
    let ask = |page: SyncClient, within| async move {
        page.request(extension::GetDisplayCount {}).respond_to("onboarding").within(within).await
    };
    let _waiting: Vec<_> = (0..1_024).map(|_| tokio::spawn(ask(page.clone(), AGES))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let late = ask(page.clone(), SOON).await.unwrap_err();
    assert!(!matches!(late.retry(), sp_sync::Retry::MaybeApplied), "it was never sent: {late}");
}

/// C51: two equal answers reach two requesters whatever happens to the answer.
#[tokio::test(start_paused = true)]
async fn two_equal_answers_reach_two_requesters_whatever_happens_to_the_answer() {
    let store = Memory::new();
    let link = Link::new(&store);
    let page = open(link.clone(), "page").await;
    let ask = |page: SyncClient| {
        tokio::spawn(async move {
            page.request(extension::GetDisplayCount {}).respond_to("onboarding").within(LEASE).await
        })
    };
    let (one, two) = (ask(page.clone()), ask(page.clone()));
    until_stored(&store, |document| counts(document, "extension").0 == 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    link.script([Fate::LoseAnswer]);
    let answer = json!({ "action": "getDisplayCount", "executor": "onboarding", "displayCount": 1 });
    edit(&store, |document| {
        document.insert("extensionActions".into(), json!([]));
        document.insert("onboardingActions".into(), json!([answer, answer]));
    })
    .await;
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
}

/// C51: a linger longer than a lease is refused.
#[tokio::test(start_paused = true)]
async fn a_linger_longer_than_a_lease_is_refused() {
    let store = Memory::new();
    let settings = Settings { finish_linger: AGES, ..Settings::default() };
    let error = builder(store.clone(), "page").settings(settings).connect().await.unwrap_err();
    assert_eq!(error.to_string(), "invalid setting: `finish_linger`: it must be at most a third of `lease`");
}

/// Writes are answered after the watch has told of them, as [`Embedded`](sp_sync::backend::Embedded) may.
#[derive(Clone)]
struct WatchFirst(Memory);
#[async_trait]
impl Backend for WatchFirst {
    fn facts(&self) -> Facts {
        self.0.facts()
    }
    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.0.read(id).await
    }
    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        let answer = self.0.write(id, write).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer
    }
    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.0.remove(id, expect).await
    }
    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        self.0.watch(id).await
    }
}

/// C61: the same when the watch is quicker than the answer.
#[tokio::test(start_paused = true)]
async fn the_same_when_the_watch_is_quicker_than_the_answer() {
    let store = Memory::new();
    let one = open(WatchFirst(store.clone()), "one").await;
    one.add_actions(sp_sync::Batch::new().then(extension::InjectPassword {}).then(note("2")).then(note("3")))
        .await
        .unwrap();
    let old = stored(&store).await["extensionActions"].clone();
    let mut deliveries = one.executor("extension").subscribe();
    let first = next(&mut deliveries).await;
    edit(&store, |document| drop(document.insert("extensionActions".into(), old.clone()))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.finish().await.unwrap();
    let mut ran = Vec::new();
    while let Ok(Some(delivery)) = tokio::time::timeout(SOON, deliveries.next()).await {
        ran.push((delivery.action().name().to_owned(), text(delivery.action()), delivery.attempt()));
        delivery.finish().await.unwrap();
    }
    assert_eq!(ran.len(), 2, "{ran:?}");
}

async fn full_requester(store: &Memory, extension: &SyncClient) -> sp_sync::Delivery {
    let page = open(store.clone(), "filler").await;
    for number in 0..64 {
        page.add_action(sp_sync::onboarding::ShowNotice::new(number.to_string())).await.unwrap();
    }
    page.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
    let held = next(&mut extension.executor("extension").subscribe()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    held
}

/// C39: a response that was posted in the end is told as posted.
#[tokio::test(start_paused = true)]
async fn a_response_that_was_posted_in_the_end_is_told_as_posted() {
    let store = Memory::new();
    let link = Link::new(&store);
    let extension = open(link.clone(), "extension").await;
    let held = full_requester(&store, &extension).await;
    link.script([Fate::LoseRequest, Fate::Slow(Duration::from_secs(1)), Fate::LoseAnswer]);
    let responding = tokio::spawn(held.respond(json!({ "displayCount": 1 })));
    tokio::time::sleep(Duration::from_millis(500)).await;
    edit(&store, |document| drop(document.insert("onboardingActions".into(), json!([])))).await;
    let told = responding.await.unwrap();
    let posted = document(&store).await.waiting("onboarding").len();
    assert!((posted == 1) == told.is_ok(), "{posted} posted, told {told:?}");
}

/// C39: a response that was left out is told though the watch was quicker.
#[tokio::test(start_paused = true)]
async fn a_response_that_was_left_out_is_told_though_the_watch_was_quicker() {
    let store = Memory::new();
    let extension = open(WatchFirst(store.clone()), "extension").await;
    let held = full_requester(&store, &extension).await;
    let told = held.respond(json!({ "displayCount": 1 })).await;
    let posted = document(&store).await.waiting("onboarding").len() == 65;
    assert_eq!(posted, told.is_ok(), "told {told:?}");
}

/// C40: a rate too slow for the lease is refused.
#[tokio::test(start_paused = true)]
async fn a_rate_too_slow_for_the_lease_is_refused() {
    let store = Memory::new();
    let settings = Settings { writes_per_second: Some(0.02), ..Settings::default() };
    let error = builder(store.clone(), "one").settings(settings).connect().await.unwrap_err();
    assert!(error.to_string().contains("at 0.02 writes per second it must be at least 150.0 s"), "{error}");
}

/// A decoder whose message names the value after what it expected.
#[derive(Debug)]
struct Pin;
impl TryFrom<String> for Pin {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Err(format!("bad PIN, expected four digits, got {text}"))
    }
}
#[derive(Debug, serde::Deserialize)]
struct Fields {
    #[serde(deserialize_with = "pin")]
    #[allow(dead_code)]
    pin: Pin,
}
fn pin<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Pin, D::Error> {
    let text: String = serde::Deserialize::deserialize(from)?;
    Pin::try_from(text).map_err(serde::de::Error::custom)
}
/// C64: a decoder of the applications own is not quoted.
#[tokio::test(start_paused = true)]
async fn a_decoder_of_the_applications_own_is_not_quoted() {
    let page = open(Memory::new(), "page").await;
    page.set_sync(json!({ "pin": "hunter2" })).await.unwrap();
    let error = page.get_sync().await.unwrap().parse::<Fields>().unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

/// A part of a handler that panics when it is dropped.
struct Bomb;
impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}
/// C42: a cancelled handler that panics when it is dropped ends nothing.
#[tokio::test(start_paused = true)]
async fn a_cancelled_handler_that_panics_when_it_is_dropped_ends_nothing() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let first = Arc::new(AtomicBool::new(true));
    let handlers = sp_sync::Handlers::new().on(move |_: extension::LockScreen| {
        let bomb = first.swap(false, Ordering::SeqCst).then(|| Bomb);
        async move {
            if let Some(_bomb) = bomb {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    });
    let serving = tokio::spawn(async move { page.executor("extension").serve(handlers).await });
    let other = open(store.clone(), "other").await;
    add(&other, &["1"]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    overwrite(&store, json!({})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    add(&other, &["2"]).await;
    let done = tokio::time::timeout(SOON, until_worked_off(&store)).await;
    assert!(done.is_ok() && !serving.is_finished(), "serve has ended: {:?}", serving.await);
}

/// States a tiny rate.
#[derive(Clone)]
struct Slowest(Memory);
#[async_trait]
impl Backend for Slowest {
    fn facts(&self) -> Facts {
        self.0.facts().tap(|facts| facts.writes_per_second = Some(1e-30))
    }
    async fn read(&self, id: &DocumentId) -> Result<Option<Stored>, BackendError> {
        self.0.read(id).await
    }
    async fn write(&self, id: &DocumentId, write: Write) -> Result<Written, BackendError> {
        self.0.write(id, write).await
    }
    async fn remove(&self, id: &DocumentId, expect: Option<Revision>) -> Result<bool, BackendError> {
        self.0.remove(id, expect).await
    }
    async fn watch(&self, id: &DocumentId) -> Result<Watch, BackendError> {
        self.0.watch(id).await
    }
}
trait Tap: Sized {
    fn tap(self, f: impl FnOnce(&mut Self)) -> Self;
}
impl Tap for Facts {
    fn tap(mut self, f: impl FnOnce(&mut Self)) -> Self {
        f(&mut self);
        self
    }
}
/// C57: a backend too slow for the lease is refused.
#[tokio::test(start_paused = true)]
async fn a_backend_too_slow_for_the_lease_is_refused() {
    let error = builder(Slowest(Memory::new()), "page").connect().await.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
}

/// C15: a store whose count is damaged is refused.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn a_store_whose_count_is_damaged_is_refused() {
    use sp_sync::backend::Embedded;
    let scratch = crate::embedded::Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let page = open(store.clone(), "page").await;
    rusqlite::Connection::open(scratch.file())
        .unwrap()
        .execute("UPDATE meta SET seq = 9223372036854775807", [])
        .unwrap();
    let told = tokio::time::timeout(Duration::from_secs(5), page.set_sync(json!({ "a": 1 }))).await;
    assert!(matches!(told, Ok(Err(Error::Backend { .. }))), "{told:?}");
}

/// C37: a busy subscription does not hold up an idle one.
#[tokio::test(start_paused = true)]
async fn a_busy_subscription_does_not_hold_up_an_idle_one() {
    let store = Memory::new();
    let page = open(store.clone(), "page").await;
    let mut busy = page.executor("extension").subscribe();
    let mut idle = page.executor("extension").subscribe();
    add(&page, &["1", "2", "3"]).await;
    let first = next(&mut busy).await;
    first.finish().await.unwrap();
    // `busy` goes on with what it has to do, and does not look.
    let mut done = 0;
    while let Ok(Some(delivery)) = tokio::time::timeout(LEASE * 3, idle.next()).await {
        delivery.finish().await.unwrap();
        done += 1;
    }
    assert_eq!(done, 2, "held up");
    drop(busy);
}

/// C60: no bookkeeping is written into a document that turned foreign.
#[tokio::test(start_paused = true)]
async fn no_bookkeeping_is_written_into_a_document_that_turned_foreign() {
    let store = Memory::new();
    let link = Link::new(&store);
    let page = open(link.clone(), "page").await;
    link.script([Fate::Slow(Duration::from_secs(2))]);
    let adding = tokio::spawn({
        let page = page.clone();
        async move { page.add_action(note("1")).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    overwrite(&store, json!({ "_sp": { "v": 2 } })).await;
    adding.await.unwrap().unwrap();
    let found = stored(&store).await;
    assert!(found["extensionActions"][0].get("_sp").is_none(), "{found}");
}

/// C14, C44: an unseen at most once action is given back or told whatever stands in its array.
#[tokio::test(start_paused = true)]
async fn an_unseen_at_most_once_action_is_given_back_or_told_whatever_stands_in_its_array() {
    for other_write in [false, true] {
        let store = Memory::new();
        let one = open(store.clone(), "one").await;
        let mut notices = one.events().notices();
        let deliveries = one.executor("extension").subscribe();
        one.add_action(extension::InjectPassword {}).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(stored(&store).await["_sp"]["claims"]["extension"][0]["once"].is_string());
        edit(&store, |document| drop(document.insert("extensionActions".into(), json!(5)))).await;
        drop(deliveries);
        tokio::time::sleep(Duration::from_secs(1)).await;
        if other_write {
            one.set_sync(json!({ "a": 1 })).await.unwrap();
        }
        one.clear_actions("extension").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut told = Vec::new();
        while let Ok(Some(Ok(notice))) = tokio::time::timeout(Duration::from_millis(1), notices.next()).await
        {
            told.push(notice);
        }
        let mut later = one.executor("extension").subscribe();
        let came = tokio::time::timeout(LEASE * 3, later.next()).await;
        let reported = told.iter().any(|notice| matches!(notice, Notice::StartedOnceAndLost { .. }));
        assert!(
            came.is_ok() || reported,
            "{other_write}: lost without a word: {told:?} {}",
            stored(&store).await
        );
    }
}

/// C39: the same on a file.
#[cfg(feature = "embedded")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_a_file() {
    use sp_sync::backend::Embedded;
    let scratch = crate::embedded::Scratch::new();
    let store = Embedded::open(scratch.file()).await.unwrap();
    let page = open(store.clone(), "page").await;
    let extension = open(store.clone(), "extension").await;
    for number in 0..64 {
        page.add_action(sp_sync::onboarding::ShowNotice::new(number.to_string())).await.unwrap();
    }
    let mut deliveries = extension.executor("extension").subscribe();
    let mut lies = 0;
    for _ in 0..200 {
        page.add_action_named("getDisplayCount", json!({ "respondTo": "onboarding" })).await.unwrap();
        let held = deliveries.next().await.unwrap();
        lies += usize::from(held.respond(json!({ "displayCount": 1 })).await.is_ok());
    }
    assert_eq!(lies, 0, "of 200 responses that were left out so many were told as posted");
}

/// C29, C40: nor is one of an earlier life that made the document.
#[tokio::test(start_paused = true)]
async fn nor_is_one_of_an_earlier_life_that_made_the_document() {
    let store = Memory::new();
    let first = Link::new(&store);
    first.script([Fate::Pass, Fate::LandAfter(Duration::from_secs(2)), Fate::CutBefore]);
    let dying = builder(first.clone(), "page").instance("tab").connect().await.unwrap();
    let _ = tokio::time::timeout(Duration::from_millis(10), dying.set_sync(json!({ "old": 1 }))).await;
    assert!(first.is_cut());
    let second = Link::new(&store);
    second.script([Fate::LoseRequest, Fate::Slow(Duration::from_secs(4))]);
    let page = builder(second.clone(), "page").instance("tab").connect().await.unwrap();
    let told = page.set_sync(json!({ "important": true })).await;
    tokio::time::sleep(SOON).await;
    let found = stored(&store).await;
    assert!(told.is_err() || found["important"] == true, "{told:?} {found}");
}

/// C58: a write that hangs gives its places back.
#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_gives_its_places_back() {
    let store = Memory::new();
    let link = Link::new(&store);
    let page = open(link.clone(), "page").await;
    link.script([Fate::Slow(Duration::from_secs(1)), Fate::Slow(1_000 * AGES)]);
    let first = tokio::spawn({
        let page = page.clone();
        async move { page.set_sync(json!({ "a": 0 })).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(!first.is_finished());
    for _ in 0..6_000 {
        let page = page.clone();
        tokio::spawn(async move { page.set_sync(json!({ "a": 1 })).await });
    }
    tokio::time::sleep(AGES).await;
    let told = tokio::time::timeout(AGES, page.set_sync(json!({ "b": 1 }))).await;
    assert!(told.is_ok(), "waits for ever; {} wait", page.operations_waiting());
}

/// C36, C41: an answer that comes after a lease starts no at most once action.
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_a_lease_starts_no_at_most_once_action() {
    let store = Memory::new();
    let gate = Gate::new(&store);
    let slow = open(gate.clone(), "slow").await;
    let heir = open(store.clone(), "heir").await;
    let mut lost = heir.events().notices();
    let mut mine = slow.executor("extension").subscribe();
    tokio::time::sleep(Duration::from_secs(1)).await;
    heir.add_actions(sp_sync::Batch::new().then(extension::InjectPassword {}).then(note("2"))).await.unwrap();
    // The answer to the claim comes; the one to the start does not.
    until_stored(&store, |document| counts(document, "extension") == (0, 2)).await;
    let started = |document: &sp_sync::document::Document| {
        document.claims("extension").first().is_some_and(|claim| claim.item().is_none())
    };
    let closing = gate.closed.clone();
    let seeing = store.clone();
    until_stored(&seeing, started).await;
    closing.send_replace(true);
    if let Ok(Some(delivery)) = tokio::time::timeout(Duration::from_secs(1), mine.next()).await {
        panic!("the test came too late: {delivery:?}");
    }
    let mut theirs = heir.executor("extension").subscribe();
    let done = carry_out(&mut theirs, 1).await;
    assert_eq!(texts(&done), ["2"]);
    notice(&mut lost, |notice| matches!(notice, Notice::StartedOnceAndLost { .. })).await;
    closing.send_replace(false);
    let late = tokio::time::timeout(SOON, mine.next()).await;
    assert!(late.is_err(), "started after what stood behind it: {:?}", late.unwrap().unwrap().action());
}
