//! What the service's refusals become.

use super::peer::{Fate, Peer, is_write};
use super::*;

#[tokio::test]
async fn every_refusal_of_a_write_says_whether_it_may_have_held() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    let made = create(&remote, "a").await.unwrap().revision;
    for (status, code, expected) in [
        (400, 54_008, "Refused(54008)"),
        (401, 20_104, "TokenExpired"),
        (401, 51_207, "TokenExpired"),
        (401, 20_107, "Refused(20107)"),
        (403, 54_007, "Refused(54007)"),
        (404, 54_100, "Conflict"),
        (409, 54_301, "Conflict"),
        (412, 54_103, "Conflict"),
        (413, 54_006, "TooLarge"),
        (429, 54_009, "RateLimited"),
        (500, 20_500, "Unknown"),
        (502, 0, "Unknown"),
        (503, 20_503, "Unavailable"),
        (504, 0, "Unknown"),
    ] {
        peer.plan(move |request| if is_write(request) { Fate::Answer(status, code) } else { Fate::Pass });
        let error = update(&remote, "a", made, 1).await.unwrap_err();
        assert_eq!(named(&error), expected, "{status} {code}");
    }
    peer.plan(|_| Fate::Pass);
    update(&remote, "a", made, 1).await.unwrap();
}

#[tokio::test]
async fn refusals_of_a_read_are_told() {
    let peer = Peer::start().await;
    let remote = remote(&peer.uri);
    for (status, code, expected) in [
        (403, 54_007, "Refused(54007)"),
        (401, 20_104, "TokenExpired"),
        (429, 54_009, "RateLimited"),
        (500, 20_500, "Unavailable"),
    ] {
        peer.plan(move |_| Fate::Answer(status, code));
        assert_eq!(named(&remote.read(&id("a")).await.unwrap_err()), expected, "{status}");
        assert_eq!(named(&remote.watch(&id("a")).await.err().unwrap()), expected, "{status}");
    }
    peer.plan(|_| Fate::Answer(404, 54_300));
    assert!(remote.read(&id("a")).await.unwrap().is_none());
}

fn named(error: &BackendError) -> String {
    match error {
        BackendError::Refused { code, .. } => format!("Refused({code})"),
        other => format!("{other:?}").split([' ', '{']).next().unwrap().to_owned(),
    }
}

/// C57: the service's rate is kept without its help.
#[tokio::test(start_paused = true)]
async fn writes_wait_for_their_turn() {
    let remote = Remote::builder().uri("ws://127.0.0.1:9/v3/wsconnect").build().unwrap();
    assert_eq!(remote.facts().writes_per_second, Some(20.0));
    let began = tokio::time::Instant::now();
    for _ in 0..220 {
        // Without a token it is refused, after its turn.
        assert_eq!(named(&create(&remote, "a").await.unwrap_err()), "Refused(20101)");
    }
    let took = began.elapsed();
    assert!((Duration::from_millis(950)..Duration::from_millis(1_100)).contains(&took), "{took:?}");
}
