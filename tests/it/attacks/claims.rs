//! Claims and handlers: what is taken, begun, and given back.

use super::*;

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

/// An original writer stores its old copy of the array while the first of three actions is carried out, which may run
/// at most once. What ran after that.
async fn ran_after_an_old_copy(
    store: &Memory,
    one: SyncClient,
    before_the_end: impl FnOnce(),
) -> Vec<String> {
    let actions = sp_sync::Batch::new().then(extension::InjectPassword {}).then(note("2")).then(note("3"));
    one.add_actions(actions).await.unwrap();
    let old = stored(store).await["extensionActions"].clone();
    let mut deliveries = one.executor("extension").subscribe();
    let first = next(&mut deliveries).await;
    edit(store, |document| drop(document.insert("extensionActions".into(), old.clone()))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    before_the_end();
    first.finish().await.unwrap();
    let mut ran = Vec::new();
    while let Ok(Some(delivery)) = tokio::time::timeout(SOON, deliveries.next()).await {
        ran.push(delivery.action().name().to_owned());
        delivery.finish().await.unwrap();
    }
    ran
}

/// C41, C61: a finished action whose old copy lies in the array is not run again.
#[tokio::test(start_paused = true)]
async fn a_finished_action_whose_old_copy_lies_in_the_array_is_not_run_again() {
    for lost in [false, true] {
        let store = Memory::new();
        let link = Link::new(&store);
        let one = open(link.clone(), "one").await;
        let lose = || {
            if lost {
                link.script([Fate::LoseAnswer])
            }
        };
        let ran = ran_after_an_old_copy(&store, one, lose).await;
        assert!(!ran.iter().any(|name| name == "injectPassword"), "lost answer {lost}: {ran:?}");
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

/// C61: the same when the watch is quicker than the answer.
#[tokio::test(start_paused = true)]
async fn the_same_when_the_watch_is_quicker_than_the_answer() {
    let store = Memory::new();
    let one = open(Odd::answering_late(&store), "one").await;
    let ran = ran_after_an_old_copy(&store, one, || {}).await;
    assert_eq!(ran, ["lockScreen", "lockScreen"]);
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
