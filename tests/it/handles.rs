//! Handles: shared between threads, dropped halfway, on either kind of runtime.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::{Backend, Memory};
use sp_sync::client::{
    ActionEvent, ActionsAdded, Builder, Deliveries, Events, ExecutorHandle, KeyUpdates, Notices, Receipt,
    Request, Responder, Snapshot, Subscription, TypedDocument, Update, Updates,
};
use sp_sync::token::Token;
use sp_sync::{Action, Batch, Catalogue, Delivery, Error, Handlers, Notice, Settings, SyncClient, extension};
use tokio_stream::StreamExt as _;

use crate::support::{AGES, Call, Dice, Fate, Link, actions, builder, number_of, numbered, open, stored};

const fn shared_between_threads<T: Send + Sync>() {}

const _: () = {
    shared_between_threads::<SyncClient>();
    shared_between_threads::<Events>();
    shared_between_threads::<ExecutorHandle>();
    shared_between_threads::<TypedDocument<Value>>();
    shared_between_threads::<Receipt>();
    shared_between_threads::<Snapshot>();
    shared_between_threads::<Update>();
    shared_between_threads::<Delivery>();
    shared_between_threads::<Deliveries>();
    shared_between_threads::<ActionsAdded>();
    shared_between_threads::<ActionEvent>();
    shared_between_threads::<Responder>();
    shared_between_threads::<Subscription>();
    shared_between_threads::<Notice>();
    shared_between_threads::<Error>();
    shared_between_threads::<Handlers>();
    shared_between_threads::<Batch>();
    shared_between_threads::<Action>();
    shared_between_threads::<Catalogue>();
    shared_between_threads::<Memory>();
};

const fn sent_between_threads<T: Send>() {}

const _: () = {
    sent_between_threads::<Builder>();
    sent_between_threads::<Updates>();
    sent_between_threads::<KeyUpdates>();
    sent_between_threads::<Notices>();
    sent_between_threads::<Request<extension::GetDisplayCountResponse>>();
};

/// What two clients do together in a whole program.
async fn work_together() {
    let store = Memory::new();
    let (page, extension) = (open(store.clone(), "page").await, open(store, "extension").await);
    let handlers = Handlers::new().answer(async |_: extension::GetDisplayCount| {
        Ok(extension::GetDisplayCountResponse { display_count: 2 })
    });
    let serving = extension.clone();
    let serving = tokio::spawn(async move { serving.executor("extension").serve(handlers).await });
    for number in 0..20 {
        page.set_sync(json!({ "number": number })).await.unwrap();
        let answer = page.request(extension::GetDisplayCount {}).respond_to("onboarding").await.unwrap();
        assert_eq!(answer.display_count, 2);
    }
    page.close().await.unwrap();
    extension.close().await.unwrap();
    serving.await.unwrap().unwrap();
}

/// Both kinds of runtime do.
#[test]
fn a_client_works_on_either_runtime() {
    let current = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    current.block_on(work_together());
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    multi.block_on(work_together());
}

/// Polls a future a few times, then drops it.
async fn drop_after<F: Future>(polls: u64, future: F) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let done = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
        if done {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Every call that is dropped halfway is carried out once or not at all, and nothing hangs afterwards.
#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_carried_out_or_not() {
    let mut random = Dice::new(7);
    for round in 0..300_u64 {
        let store = Memory::new();
        let link = Link::new(&store);
        let polls = random.roll(6);
        let opening = builder(link.clone(), "dropped").initial_data(json!({ "by": "dropped" })).connect();
        drop_after(polls, opening).await;
        let client = builder(link, "a").initial_data(json!({ "by": "a" })).connect().await.unwrap();
        let waiting = client.add_action_named("openExam", numbered(1)).await.unwrap();
        let id = waiting.id().unwrap().clone();

        drop_after(polls, client.set_sync(json!({ "x": round }))).await;
        drop_after(polls, client.add_action_named("openExam", numbered(2))).await;
        drop_after(
            polls,
            client.add_actions(
                Batch::new().then_named("openExam", numbered(3)).then_named("openExam", numbered(4)),
            ),
        )
        .await;
        drop_after(polls, client.unset(["by"])).await;
        drop_after(polls, client.withdraw(&id)).await;
        drop_after(polls, client.set_ttl(Some(Duration::from_secs(1_000)))).await;
        drop_after(polls, waiting.taken(AGES)).await;
        drop_after(polls, waiting.finished(AGES)).await;
        drop_after(polls, client.get_sync()).await;
        drop_after(
            polls,
            client.request(extension::GetDisplayCount {}).respond_to("onboarding").into_future(),
        )
        .await;
        drop_after(polls, client.events().sp_sync_doc_updated().next()).await;
        drop_after(polls, client.executor("onboarding").serve(Handlers::new())).await;
        drop_after(polls, client.install_token(&Token::new("x"))).await;
        drop_after(polls, client.clear_actions("onboarding")).await;
        // Nothing hangs: the next call is answered after all of them.
        client.set_sync(json!({ "last": round })).await.unwrap();
        let content = stored(&store).await;
        let numbers: Vec<_> = actions(content.as_object().unwrap(), "extensionActions")
            .iter()
            .filter(|action| action["action"] == "openExam")
            .map(number_of)
            .collect();
        let order: Vec<_> = [1, 2, 3, 4].into_iter().filter(|number| numbers.contains(number)).collect();
        assert_eq!(numbers, order, "in order, and none twice");
        assert_eq!(numbers.contains(&3), numbers.contains(&4), "a batch whole or not at all");
        assert!(content.get("x").is_none_or(|x| *x == round));

        let mut deliveries = client.executor("extension").subscribe();
        if let Ok(Some(delivery)) = tokio::time::timeout(Duration::from_secs(1), deliveries.next()).await {
            drop_after(polls, delivery.cancelled()).await;
            let id = delivery.id().clone();
            drop_after(polls, delivery.finish()).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let text = stored(&store).await.to_string();
            // Once called the end is recorded; dropped before, the delivery was let go and waits again.
            assert_eq!(text.contains(&format!("\"{id}\"")), polls == 0, "round {round}");
        }
        drop_after(polls, client.close()).await;
        drop(deliveries);
        if polls > 0 {
            // Closing goes on by itself; further calls are told.
            client.close().await.unwrap();
            assert!(matches!(client.set_sync(json!({})).await, Err(Error::Closed)));
        }
        drop(client);
        let fresh = open(store.clone(), "fresh").await;
        drop_after(polls, fresh.remove_document()).await;
    }
}

/// Dropped while the backend does not answer, a call leaves the client as it was.
#[tokio::test(start_paused = true)]
async fn a_call_dropped_in_flight_blocks_nobody() {
    let store = Memory::new();
    let link = Link::new(&store);
    let client = open(link.clone(), "a").await;
    let mut slow = 1;
    link.plan(move |call| match call == Call::Write && slow > 0 {
        true => {
            slow -= 1;
            Fate::LandAfter(Duration::from_secs(3))
        }
        false => Fate::Pass,
    });
    drop_after(3, client.add_action_named("openExam", numbered(1))).await;
    client.set_sync(json!({ "x": 1 })).await.unwrap();
    tokio::time::sleep(AGES).await;
    let content = stored(&store).await;
    assert_eq!(actions(content.as_object().unwrap(), "extensionActions").len(), 1);
}

/// C63: two clients with one identity share the document and the work.
#[tokio::test(start_paused = true)]
async fn two_clients_of_one_identity_both_work() {
    let store = Memory::new();
    let settings = Settings { finish_linger: Duration::ZERO, ..Settings::default() };
    let (a, b) = (
        builder(store.clone(), "same").settings(settings.clone()).connect().await.unwrap(),
        builder(store.clone(), "same").settings(settings).connect().await.unwrap(),
    );
    assert_ne!(a.instance(), b.instance());
    a.set_sync(json!({ "a": 1 })).await.unwrap();
    b.set_sync(json!({ "b": 1 })).await.unwrap();
    let mut of_a = a.executor("extension").subscribe();
    let mut of_b = b.executor("extension").subscribe();
    let mut seen = Vec::new();
    for number in 0..20 {
        a.add_action_named("openExam", numbered(number)).await.unwrap();
        let delivery = tokio::select! {
            delivery = of_a.next() => delivery.unwrap(),
            delivery = of_b.next() => delivery.unwrap(),
        };
        seen.push(number_of(&delivery.action().to_value()));
        delivery.finish().await.unwrap();
    }
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    let content = stored(&store).await;
    assert_eq!((&content["a"], &content["b"]), (&json!(1), &json!(1)));
    assert!(store.read(a.document_id()).await.unwrap().is_some());
}

#[tokio::test]
async fn notices_end_with_the_client() {
    let client = open(Memory::new(), "me").await;
    let mut notices = client.events().notices();
    client.close().await.unwrap();
    assert!(tokio::time::timeout(AGES, notices.next()).await.expect("it ends").is_none());
    let mut late = client.events().notices();
    assert!(tokio::time::timeout(AGES, late.next()).await.expect("it ends").is_none());
}
