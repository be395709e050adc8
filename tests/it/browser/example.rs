//! The page of `examples/browser`, built as it would be for visitors.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::limits::{LEASE, TAKER_TRUSTS_PER_LEASE};
use sp_sync::{extension, onboarding};
use tokio::time::sleep;

use super::{Chromium, Site, sees};
use crate::embedded::Scratch;

const ROOM: &str = "Session_example";

/// Types are checked, then everything is bundled. `None` where that cannot be done here.
fn build(folder: &Path) -> Option<()> {
    let bundler = crate::node::module_of("examples/browser", "vite/package.json")?;
    let mut npm = Command::new("npm");
    npm.args(["run", "build", "--", "--emptyOutDir", "--outDir"]).arg(folder);
    let output = npm.current_dir(bundler.ancestors().nth(3).unwrap()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    Some(())
}

fn link(page: &str, site: &Site, room: &str) -> String {
    format!("{page}/#server=http://{}&token=token%20of%20bert&document={room}", site.at)
}

async fn all_are_connected(browser: &mut Chromium, page: &str) {
    for party in ["student", "extension", "proctor"] {
        browser.shows(page, &format!(".{party} .status"), "connected").await;
    }
}

/// A party that was just at work is believed to be there still, and is given what comes next: this waits that long.
async fn takes_offline(browser: &mut Chromium, page: &str) {
    browser.click(page, "switch", "Browser extension: network").await;
    browser.shows(page, ".extension .status", "offline").await;
    sleep(LEASE / TAKER_TRUSTS_PER_LEASE).await;
}

/// C30: an action that waits is withdrawn, and never carried out.
async fn takes_back_what_nobody_has_taken(browser: &mut Chromium, page: &str) {
    takes_offline(browser, page).await;
    browser.press(page, "Stop").await;
    browser.shows(page, ".lane.extension .waiting", "1 waiting").await;
    browser.press(page, "Withdraw the last").await;
    browser.shows(page, ".proctor .log", "stopSession: 1 of 1 taken back").await;
    browser.until(page, "document.querySelector('.lane.extension.is-empty')").await;
    browser.click(page, "switch", "Browser extension: network").await;
    all_are_connected(browser, page).await;
    assert_eq!(
        browser
            .evaluate(page, "document.querySelector('.extension .log').textContent.includes('stopSession')")
            .await,
        false
    );
}

/// C7: tokens that are about to end while the page is open are renewed by every party, and the page shows that.
async fn tokens_are_renewed(browser: &mut Chromium, page: &str) {
    let site = Site::that_warns_after(Duration::from_secs(4)).await;
    browser.open("renewing", &link(page, &site, ROOM)).await;
    for party in ["student", "extension", "proctor"] {
        browser.shows("renewing", &format!(".{party} .log"), "renewToken").await;
    }
    all_are_connected(browser, "renewing").await;
    browser.press("renewing", "Ask for displays").await;
    browser.shows("renewing", ".student .answer", "2 displays are attached").await;
    assert_eq!(browser.complaints("renewing"), Vec::<Value>::new());
}

/// Light and dark, wide and narrow, with queues that are full and a party that is offline: nobody stumbles, and nothing
/// is wider than the window.
async fn looks_are_good(browser: &mut Chromium, page: &str, site: &Site) {
    for (scheme, width) in [("light", 1440), ("dark", 390)] {
        browser.open_as(scheme, &link(page, site, scheme), json!({ "scheme": scheme, "width": width })).await;
        all_are_connected(browser, scheme).await;
        browser.click(scheme, "switch", "Browser extension: network").await;
        browser.press(scheme, "Six actions in one write").await;
        browser.shows(scheme, ".lane.extension .waiting", "3 waiting").await;
        browser.shows(scheme, ".student .told", "check-in").await;
        assert_eq!(browser.audit(scheme).await, json!([]));
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.evaluate(scheme, fits).await, true, "{width} wide");
        assert_eq!(browser.complaints(scheme), Vec::<Value>::new());
    }
}

/// C16, C33–C36, C42, C47, C50 and C64 as a visitor meets them.
#[tokio::test]
async fn three_parties_in_a_page_and_a_program_share_one_document() {
    let Some(mut browser) = Chromium::new() else { return };
    let folder = Scratch::new();
    let Some(()) = build(folder.path()) else { return };
    let site = Site::new().await;
    let at = browser.serve(folder.path()).await;
    browser.open("page", &link(&at, &site, ROOM)).await;
    all_are_connected(&mut browser, "page").await;
    assert_eq!(browser.evaluate("page", "location.hash").await, "", "the token stays out of the history");

    // One party asks another.
    browser.press("page", "Ask for displays").await;
    browser.shows("page", ".student .answer", "2 displays are attached").await;
    browser.shows("page", ".extension .log", "extensionActionsAdded").await;
    let program = site.program(ROOM).connect().await.unwrap();
    sees(&program, |data| data["displayCount"] == 2).await;

    // What a program writes is seen by all of them.
    program.set_sync(json!({ "room": "B 204" })).await.unwrap();
    browser.shows("page", ".document ul.fields", "B 204").await;
    for party in ["student", "extension", "proctor"] {
        browser.shows("page", &format!(".{party} .log"), "room").await;
    }

    takes_back_what_nobody_has_taken(&mut browser, "page").await;

    // Cut off from the network, one party's queue fills while the other's goes on; then it drains, in order.
    takes_offline(&mut browser, "page").await;
    for button in ["Start", "Pause"] {
        browser.press("page", button).await;
    }
    browser.shows("page", ".lane.extension .waiting", "2 waiting").await;
    sees(&program, |data| {
        let action = |at: usize| &data["extensionActions"][at]["action"];
        action(0) == "startSession" && action(1) == "pauseSession"
    })
    .await;
    // What the catalogue calls sensitive is nowhere in the page, not even where it shows everything.
    let call = extension::JoinCall::new("https://media.example.com/", "token-of-the-room");
    program.add_action(call).await.unwrap();
    browser.shows("page", ".lane.extension", "joinCall").await;
    browser.shows("page", ".folded", "joinCall").await;
    let leaks = "document.body.textContent.includes('token-of-the-room')";
    assert_eq!(browser.evaluate("page", leaks).await, false);
    browser.fill("page", "Message", "Have your card ready.").await;
    browser.press("page", "Send").await;
    browser.shows("page", ".student .told", "Have your card ready.").await;
    browser.shows("page", ".student .log", "onboardingActionsAdded").await;
    browser.click("page", "switch", "Browser extension: network").await;
    browser.shows("page", ".extension .state", "Paused").await;
    sees(&program, |data| data["session"] == "paused").await;
    browser.until("page", "document.querySelector('.lane.extension.is-empty')").await;

    // A program asks a party of the page, and tells another one something.
    let displays = program.request(extension::GetDisplayCount {}).respond_to("onboarding").await.unwrap();
    assert_eq!(displays.display_count, 2);
    program.add_action(onboarding::ShowNotice::new("From a program.")).await.unwrap();
    browser.shows("page", ".student .told", "From a program.").await;

    // What fails once is tried again, in its place.
    browser.press("page", "Fail the next action").await;
    browser.press("page", "Resume").await;
    browser.shows("page", ".extension .log", "resumeSession · attempt 2").await;
    browser.shows("page", ".extension .state", "Watching live").await;

    // A tab that is loaded again goes on where it was.
    browser.reload("page").await;
    all_are_connected(&mut browser, "page").await;
    browser.shows("page", ".extension .state", "Watching live").await;
    browser.press("page", "Continue").await;
    sees(&program, |data| data["step"] == "extensionCheck").await;
    program.close().await.unwrap();
    assert_eq!(browser.complaints("page"), Vec::<Value>::new());

    tokens_are_renewed(&mut browser, &at).await;
    looks_are_good(&mut browser, &at, &site).await;
    // Not at every run: no two pictures are the same.
    if std::env::var_os("UPDATE_SCREENSHOT").is_some() {
        take_pictures(&mut browser, &link(&at, &site, "Session_demo")).await;
    }
    browser.close().await;
}

/// The three in the middle of their work, in daylight and at night.
async fn take_pictures(browser: &mut Chromium, link: &str) {
    let page = "picture";
    browser.open(page, link).await;
    all_are_connected(browser, page).await;
    for step in ["Extension", "System"] {
        browser.press(page, "Continue").await;
        browser.shows(page, ".steps .here", step).await;
    }
    browser.press(page, "Ask for displays").await;
    browser.shows(page, ".student .answer", "attached").await;
    browser.press(page, "Six actions in one write").await;
    browser.shows(page, ".extension .state", "Watching live").await;
    browser.shows(page, ".student .told", "check-in").await;
    browser.press(page, "Pause").await;
    browser.press(page, "Resume").await;
    browser.shows(page, ".proctor .log", "resumeSession").await;
    browser.click(page, "switch", "Browser extension: network").await;
    browser.shows(page, ".lane.extension .running", "").await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/browser");
    browser.screenshot(page, &folder.join("screenshot.png")).await;
    browser.press(page, "Dark").await;
    browser.screenshot(page, &folder.join("screenshot-dark.png")).await;
}
