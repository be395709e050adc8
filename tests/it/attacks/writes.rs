//! Writes that land late, hang, conflict or are refused.

use super::*;

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

/// C57: a backend that asks to wait for ages does not stop the client.
#[tokio::test(start_paused = true)]
async fn a_backend_that_asks_to_wait_for_ages_does_not_stop_the_client() {
    let backend = Odd { wait: Duration::MAX, ..Odd::over(&Memory::new()) };
    let page = open(backend.clone(), "page").await;
    backend.on.store(true, Ordering::SeqCst);
    let told = page.set_sync(json!({ "a": 1 })).await.unwrap_err();
    assert!(page.get_sync().await.is_ok(), "the client is dead: {told:?}");
}

/// C57: nor while it opens.
#[tokio::test(start_paused = true)]
async fn nor_while_it_opens() {
    let backend =
        Odd { on: Arc::new(AtomicBool::new(true)), wait: Duration::MAX, ..Odd::over(&Memory::new()) };
    let opened = tokio::spawn(async move { builder(backend, "page").connect().await.map(drop) }).await;
    assert!(opened.is_ok(), "panicked");
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
