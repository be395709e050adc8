//! The SDK's own bundle for pages.

use serde_json::{Value, json};

use super::{Chromium, Site, sees};
use crate::server::until;

const ROOM: &str = "Session_page";

/// A page, a program and a document that they share.
#[tokio::test]
async fn a_page_and_a_program_hear_of_each_other_over_reloads_and_cuts() {
    let Some(mut browser) = Chromium::new() else { return };
    let site = Site::new().await;
    let program = site.program(ROOM).initial_data(json!({ "n": 0 })).connect().await.unwrap();
    let start = format!("start('http://{}', 'token of bert', {ROOM:?})", site.at);

    let at = browser.serve(&folder()).await;
    browser.open("page", &format!("{at}/sdk.html")).await;
    assert_eq!(browser.evaluate("page", &start).await, json!({ "n": 0 }));
    let subscribed = || site.service.counters().subscriptions.get() == 1;
    until("the page hears", subscribed).await;
    program.set_sync(json!({ "n": 1 })).await.unwrap();
    browser.until("page", "heard.some(({ data, isLocal }) => data?.n === 1 && !isLocal)").await;
    browser.evaluate("page", "room.update({ fromPage: 1 })").await;
    sees(&program, |data| data.get("fromPage").is_some()).await;

    // While the page is reloaded it misses something. It begins with what the session cache has, and is told the rest.
    browser.evaluate("page", "client.shutdown()").await;
    until("the page is gone", || site.service.counters().connections.get() == 0).await;
    program.set_sync(json!({ "missed": true })).await.unwrap();
    browser.reload("page").await;
    let cached = browser.evaluate("page", &start).await;
    assert_eq!(cached, json!({ "n": 1, "fromPage": 1 }), "from the cache");
    browser.until("page", "heard.some(({ data }) => data?.missed)").await;
    assert_eq!(browser.complaints("page"), Vec::<Value>::new());

    // The wire is cut; both go on writing, and both hear of everything when it is whole again.
    site.wire.cut();
    browser.until("page", "client.connectionState !== 'connected'").await;
    program.set_sync(json!({ "whileCut": true })).await.unwrap();
    browser.evaluate("page", "void room.update({ fromCut: true })").await;
    site.wire.mend();
    browser.until("page", "room.data.whileCut && room.data.fromCut").await;
    sees(&program, |data| data.get("fromCut").is_some()).await;
    let all = json!({ "n": 1, "fromPage": 1, "missed": true, "whileCut": true, "fromCut": true });
    assert_eq!(program.get_sync().await.unwrap().to_value(), all);
    program.close().await.unwrap();
    browser.close().await;
}

/// Of the page that loads the bundle.
fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node")
}
