//! What is no action, or no known one (C45).

use serde_json::json;
use sp_sync::backend::Memory;
use sp_sync::{Executor, Handlers, Notice, extension};

use crate::support::*;

/// C45: what is no action is removed and reported, and blocks nothing behind it.
#[tokio::test(start_paused = true)]
async fn what_is_no_action_is_removed_and_reported() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let elements =
        json!([7, null, "lockScreen", {}, { "action": 3 }, [], { "action": "lockScreen", "message": "1" }]);
    edit(&store, |document| drop(document.insert("extensionActions".into(), elements.clone()))).await;
    let mut deliveries = client.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut deliveries, 1).await), ["1"]);
    for _ in 0..6 {
        notice(&mut notices, |notice| matches!(notice, Notice::MalformedAction { .. })).await;
    }
    until_worked_off(&store).await;
    // Alone, too.
    edit(&store, |document| drop(document.insert("extensionActions".into(), json!([1])))).await;
    until_worked_off(&store).await;
}

/// C45: an unknown action goes to the general listener, whole.
#[tokio::test(start_paused = true)]
async fn an_unknown_action_goes_to_the_general_listener() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let unknown = json!({ "action": "brewCoffee", "executor": "extension", "cups": 2 });
    edit(&store, |document| drop(document.insert("extensionActions".into(), json!([unknown])))).await;
    let mut actions = client.events().extension_actions_added().unwrap();
    assert_eq!(next(&mut actions).await.action.to_value(), unknown);
    until_worked_off(&store).await;
}

/// C45: a table without an entry treats it as failed, without retry.
#[tokio::test(start_paused = true)]
async fn a_table_of_handlers_gives_up_what_it_has_no_entry_for() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let mut notices = client.events().notices();
    let unknown = json!({ "action": "brewCoffee", "executor": "extension" });
    edit(&store, |document| drop(document.insert("extensionActions".into(), json!([unknown])))).await;
    add(&client, &["2"]).await;
    let (sender, mut served) = tokio::sync::mpsc::channel(1);
    let handlers = Handlers::new().on(move |action: extension::LockScreen| {
        let sender = sender.clone();
        async move {
            sender.send(action.message).await.unwrap();
            Ok(())
        }
    });
    let serving = client.clone();
    tokio::spawn(async move { serving.executor(Executor::from("extension")).serve(handlers).await });
    assert_eq!(served.recv().await.unwrap(), "2");
    let failed = notice(&mut notices, |notice| matches!(notice, Notice::ActionFailed { .. })).await;
    let Notice::ActionFailed { attempts, failure, .. } = failed else { unreachable!() };
    assert_eq!((attempts, failure.code.as_str()), (1, "no_handler"));
    until_worked_off(&store).await;
}

/// C45: a wrong or missing `executor` is ignored: the array decides.
#[tokio::test(start_paused = true)]
async fn the_array_decides_whose_action_it_is() {
    let store = Memory::new();
    let client = open(store.clone(), "page").await;
    let actions = json!([{ "action": "lockScreen", "message": "1" },
                         { "action": "lockScreen", "message": "2", "executor": "onboarding" },
                         { "action": "lockScreen", "message": "3", "executor": 9 }]);
    edit(&store, |document| drop(document.insert("extensionActions".into(), actions.clone()))).await;
    let mut other = client.executor("onboarding").subscribe();
    let mut deliveries = client.executor("extension").subscribe();
    assert_eq!(texts(&carry_out(&mut deliveries, 3).await), ["1", "2", "3"]);
    none_within(&mut other, SOON).await;
}
