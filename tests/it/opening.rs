//! Opening a document (C1–C6).

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::backend::{Backend, BackendError, Memory};
use sp_sync::{DocumentId, Error, Identity, Retry, Settings, SyncClient};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{Call, Fate, Link, builder, document_id, open, revision, shown};

const SESSION: &str = "ES0123456789abcdefABCDEF0123456789";
const ACCOUNT: &str = "AU0123456789abcdefABCDEF0123456789";

/// C1: when `connect` has returned, reading never waits.
#[tokio::test]
async fn an_opened_document_is_read_without_waiting() {
    let client = builder(Memory::new(), "a").initial_data(json!({ "x": 1 })).connect().await.unwrap();
    let read = client.get_sync();
    tokio::pin!(read);
    let first = std::future::poll_fn(|context| std::task::Poll::Ready(read.as_mut().poll(context))).await;
    let std::task::Poll::Ready(snapshot) = first else { panic!("reading waited") };
    assert_eq!(snapshot.unwrap().to_value(), json!({ "x": 1 }));
}

/// C1: what is missing is named, with the call that gives it, before any request is made.
#[tokio::test]
async fn a_builder_names_the_call_that_is_missing() {
    let id = || document_id();
    let who = || Identity::new("a").unwrap();
    let cases = [
        (
            SyncClient::builder().document_id(id()).identity(who()),
            "invalid backend: it is missing: call .backend(…)",
        ),
        (
            SyncClient::builder().backend(Memory::new()).identity(who()),
            "invalid document id: it is missing: call .document_id(…)",
        ),
        (
            SyncClient::builder().backend(Memory::new()).document_id(id()),
            "invalid identity: it is missing: call .identity(…)",
        ),
    ];
    for (builder, expected) in cases {
        // With the feature `remote` there is another call that would do.
        let error = builder.connect().await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// C2: the document id is used as given.
#[tokio::test]
async fn document_ids_are_used_as_given() {
    assert_eq!(DocumentId::session(SESSION).unwrap().as_str(), format!("Session_{SESSION}"));
    assert_eq!(DocumentId::proctor_room(ACCOUNT).unwrap().as_str(), format!("Proctor_Room_{ACCOUNT}"));
    for name in [format!("Student_{SESSION}"), "ünïcode ☃".into(), "a".into(), "a/b?c#d".into()] {
        let store = Memory::new();
        let id = DocumentId::new(name.clone()).unwrap();
        let client = builder(store.clone(), "a").document_id(id.clone()).connect().await.unwrap();
        assert_eq!(client.document_id().as_str(), name);
        assert!(store.read(&id).await.unwrap().is_some(), "`{name}` was not stored under its name");
    }
}

/// C3: what the helpers and the plain constructors take and refuse.
#[test]
fn identities_and_ids_are_checked_when_they_are_made() {
    assert_eq!(Identity::student(SESSION).unwrap().as_str(), SESSION);
    assert_eq!(
        Identity::proctor_in_session(SESSION, ACCOUNT).unwrap().as_str(),
        format!("{SESSION}{ACCOUNT}")
    );
    assert_eq!(Identity::proctor_in_room(ACCOUNT).unwrap().as_str(), ACCOUNT);

    let short = &SESSION[..33];
    let long = format!("{SESSION}0");
    let bad = [
        "",
        "ES",
        short,
        &long,
        "es0123456789abcdefABCDEF0123456789",
        "E50123456789abcdefABCDEF0123456789",
        "ES0123456789abcdefABCDEF012345678_",
        "ES0123456789abcdefABCDEF012345678é",
        " S0123456789abcdefABCDEF0123456789",
    ];
    for sid in bad {
        assert!(Identity::student(sid).is_err(), "student took {sid:?}");
        assert!(Identity::proctor_in_room(sid).is_err(), "proctor_in_room took {sid:?}");
        assert!(Identity::proctor_in_session(sid, ACCOUNT).is_err(), "proctor_in_session took {sid:?} first");
        assert!(
            Identity::proctor_in_session(SESSION, sid).is_err(),
            "proctor_in_session took {sid:?} second"
        );
        assert!(DocumentId::session(sid).is_err(), "session took {sid:?}");
        assert!(DocumentId::proctor_room(sid).is_err(), "proctor_room took {sid:?}");
    }

    let most = "é".repeat(256);
    let too_long = "é".repeat(257);
    assert!(Identity::new(most.clone()).is_ok() && DocumentId::new(most).is_ok());
    assert!(Identity::new(too_long.clone()).is_err() && Identity::new("").is_err());
    assert!(DocumentId::new("").is_err());
    assert_eq!(
        DocumentId::new(too_long).unwrap_err().to_string(),
        "invalid document id: it has 257 characters, the limit is 256"
    );
    // A bare SID is an identity, and never a document's name.
    assert!(Identity::new(SESSION).is_ok());
    let refused = DocumentId::new(SESSION).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "invalid document id: it looks like a bare SID: use DocumentId::session or DocumentId::proctor_room"
    );
    assert_eq!(refused.retry(), Retry::Never);
}

/// C2, C3: whoever gives a document's name where its SID is wanted is told so.
#[test]
fn a_sid_with_its_prefix_is_refused_with_the_prefix_to_leave_out() {
    for (refused, expected) in [
        (
            DocumentId::session(&format!("Session_{SESSION}")).unwrap_err(),
            "the SID alone, without `Session_`",
        ),
        (DocumentId::proctor_room("Proctor_Room_x").unwrap_err(), "the SID alone, without `Proctor_Room_`"),
        (Identity::student(&format!("Session_{SESSION}")).unwrap_err(), "the SID alone, without `Session_`"),
    ] {
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

/// C2, C3: our addition. In the middle, at the ends and alone; what is only odd stays accepted.
#[test]
fn control_characters_are_refused_in_names() {
    for control in ['\0', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{9b}'] {
        for name in [format!("a{control}b"), format!("{control}b"), format!("a{control}"), control.into()] {
            assert!(DocumentId::new(name.clone()).is_err(), "{name:?}");
            assert!(Identity::new(name.clone()).is_err(), "{name:?}");
        }
    }
    assert_eq!(
        DocumentId::new("exam\0").unwrap_err().to_string(),
        "invalid document id: character 5 is the control character U+0000: leave it out"
    );
    for odd in [" ", "/", "\u{a0}", "\u{200b}", "🧑\u{200d}🎓", "a\u{308}", "考试"] {
        assert!(DocumentId::new(odd).is_ok() && Identity::new(odd).is_ok(), "{odd:?}");
    }
}

/// C4: initial data is for the call that creates the document, and for no other.
#[tokio::test]
async fn initial_data_never_changes_an_existing_document() {
    let store = Memory::new();
    let first = builder(store.clone(), "a")
        .initial_data(json!({ "owner": "first", "x": 1 }))
        .connect()
        .await
        .unwrap();
    let before = revision(&store).await;
    let second = builder(store.clone(), "b")
        .initial_data(json!({ "owner": "second", "y": 2 }))
        .connect()
        .await
        .unwrap();
    assert_eq!(second.get_sync().await.unwrap().to_value(), json!({ "owner": "first", "x": 1 }));
    assert_eq!(second.get_sync().await.unwrap().revision(), before);
    assert_eq!(revision(&store).await, before);
    assert_eq!(first.get_sync().await.unwrap().revision(), before);
}

/// C4: the time to live, too, is for the call that creates the document.
#[tokio::test(start_paused = true)]
async fn a_time_to_live_never_changes_an_existing_document() {
    let store = Memory::new();
    let first = builder(store.clone(), "a").ttl(Duration::from_secs(60)).connect().await.unwrap();
    let _second = builder(store.clone(), "b").ttl(Duration::from_secs(5)).connect().await.unwrap();
    tokio::time::sleep(Duration::from_secs(59)).await;
    first.set_sync(json!({ "x": 1 })).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(matches!(first.set_sync(json!({ "x": 2 })).await, Err(Error::NotFound { .. })));
}

/// C5: 50 clients create the same document at once: one survives whole, nobody sees an error or a mixture.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_that_create_at_once_one_wins_whole() {
    for _ in 0..20 {
        let store = Memory::new();
        let mut opening = JoinSet::new();
        for number in 0..50 {
            let data = json!({ "creator": number, format!("key{number}"): number });
            let builder = builder(store.clone(), &format!("client-{number}")).initial_data(data);
            opening.spawn(builder.connect());
        }
        let clients: Vec<_> = opening.join_all().await.into_iter().map(Result::unwrap).collect();
        let winner = shown(&store).await;
        let creator = &winner["creator"];
        assert_eq!(winner, json!({ "creator": creator, format!("key{creator}"): creator }));
        for client in &clients {
            assert_eq!(client.get_sync().await.unwrap().to_value(), winner);
        }
        let instances: HashSet<_> = clients.iter().map(|client| client.instance().to_owned()).collect();
        assert_eq!(instances.len(), 50, "every client has an instance of its own");
    }
}

/// C5: a creation whose answer was lost is looked up, and neither repeated nor reported.
#[tokio::test(start_paused = true)]
async fn a_creation_whose_answer_is_lost_is_found() {
    for fate in [Fate::LoseAnswer, Fate::LoseRequest] {
        let store = Memory::new();
        let mut fates = vec![fate];
        let link = Link::planned(&store, move |call| match call {
            Call::Write => fates.pop().unwrap_or(Fate::Pass),
            _ => Fate::Pass,
        });
        let client = builder(link, "a").initial_data(json!({ "x": 1 })).connect().await.unwrap();
        assert_eq!(client.get_sync().await.unwrap().to_value(), json!({ "x": 1 }));
        assert_eq!(shown(&store).await, json!({ "x": 1 }));
    }
}

/// C6: refused before any request is made.
#[tokio::test]
async fn initial_data_that_is_reserved_or_no_object_is_refused_before_any_request() {
    let refused = [
        (json!([1]), "initial data must be a JSON object, not an array"),
        (Value::Null, "initial data must be a JSON object, not null"),
        (json!("x"), "initial data must be a JSON object, not a string"),
        (json!({ "_sp": {} }), "initial data may not contain the key `_sp`: it is this crate's bookkeeping"),
        (
            json!({ "x": 1, "extensionActions": [] }),
            "initial data may not contain the key `extensionActions`: keys that end in `Actions` hold what executors are to do: add_action adds to them, executors, withdraw and clear_actions remove",
        ),
    ];
    let link = Link::new(&Memory::new());
    for (data, message) in refused {
        let error = builder(link.clone(), "a").initial_data(data).connect().await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    // Any executor's array, whether the catalogue knows it or not (C19).
    let unknown = builder(link.clone(), "a").initial_data(json!({ "robotActions": 1 })).connect().await;
    assert!(matches!(unknown, Err(Error::Reserved { key, .. }) if key == "robotActions"));
    for call in [Call::Read, Call::Write, Call::Watch] {
        assert_eq!(link.asked(call), 0, "{call:?}");
    }
    // The word alone is nobody's array.
    builder(link, "a").initial_data(json!({ "Actions": 1 })).connect().await.unwrap();
}

/// C6: the other things a builder takes are refused as early.
#[tokio::test]
async fn a_bad_instance_or_time_to_live_is_refused_before_any_request() {
    let link = Link::new(&Memory::new());
    for instance in ["", "with space", "a#b", &"x".repeat(65)] {
        let error = builder(link.clone(), "a").instance(instance).connect().await.unwrap_err();
        assert_eq!(error.to_string(), "invalid instance: it must be 1 to 64 of A–Z a–z 0–9 - _");
    }
    for ttl in [Duration::ZERO, Duration::from_secs(31_536_001)] {
        let error = builder(link.clone(), "a").ttl(ttl).connect().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid time to live: it must be more than zero and at most 31536000 s (a year)"
        );
    }
    assert_eq!(link.asked(Call::Read), 0);
}

/// C1: a backend that is away for a while is waited for; one that stays away is named.
#[tokio::test(start_paused = true)]
async fn opening_waits_for_a_backend_and_says_when_it_never_came() {
    for broken in [Call::Read, Call::Write, Call::Watch] {
        let mut left = 3;
        let link = Link::planned(&Memory::new(), move |call| match call == broken && left > 0 {
            true => {
                left -= 1;
                Fate::Unavailable
            }
            false => Fate::Pass,
        });
        let client = open(link, "a").await;
        client.set_sync(json!({ "x": 1 })).await.unwrap();
    }

    let away = Link::planned(&Memory::new(), |_| Fate::Unavailable);
    let started = Instant::now();
    let error = builder(away, "a").connect().await.unwrap_err();
    assert!(started.elapsed() <= Settings::default().connect_within, "{:?}", started.elapsed());
    assert_eq!(error.to_string(), "memory: asking the store failed: the link is down: wait for it");
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(1)));
}

/// C1, C58: opening ends even when the backend never answers.
#[tokio::test(start_paused = true)]
async fn opening_ends_when_the_backend_never_answers() {
    for silent in [Call::Read, Call::Write, Call::Watch] {
        let link =
            Link::planned(&Memory::new(), move |call| if call == silent { Fate::Hang } else { Fate::Pass });
        let started = Instant::now();
        let error = builder(link, "a").connect().await.unwrap_err();
        assert_eq!(started.elapsed(), Settings::default().connect_within);
        assert_eq!(
            error.to_string(),
            "no answer of the backend about `Session_test` within 60s: it hangs or is out of reach: look at it, then connect again"
        );
        assert_eq!(error.retry(), Retry::Now);
    }

    // What was said before it fell silent is told.
    let mut fates = [Fate::Unavailable].into_iter();
    let link = Link::planned(&Memory::new(), move |_| fates.next().unwrap_or(Fate::Hang));
    let error = builder(link, "a").connect().await.unwrap_err();
    assert_eq!(error.to_string(), "memory: asking the store failed: the link is down: wait for it");
}

/// C1: what no waiting mends is told at once.
#[tokio::test(start_paused = true)]
async fn a_refusal_ends_opening_at_once() {
    let refusal = || BackendError::Refused { code: 54_007, message: "not yours".into() };
    let link = Link::planned(&Memory::new(), move |_| Fate::Fail(refusal));
    let started = Instant::now();
    let error = builder(link, "a").connect().await.unwrap_err();
    assert_eq!(error.to_string(), "refused (54007): not yours");
    assert_eq!(started.elapsed(), Duration::ZERO);

    let small = Memory::with_document_bytes_max(20);
    let data = json!({ "text": "much too long for that" });
    let error = builder(small, "a").initial_data(data).connect().await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { size_bytes: 33, limit_bytes: 20 }), "{error}");
}

/// C58: a setting that no client could work with is refused before any request.
#[tokio::test(start_paused = true)]
async fn settings_are_checked() {
    let refused = async |settings: Settings| {
        let link = Link::planned(&Memory::new(), |call| panic!("{call:?} was asked"));
        builder(link, "a").settings(settings).connect().await.unwrap_err().to_string()
    };
    let with = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings
    };
    for (change, why) in [
        (with(|s| s.lease = Duration::ZERO), "`lease`: it is 0ns and must be 1ms to 30 days"),
        (with(|s| s.write_within = Duration::ZERO), "`write_within`: it is 0ns and must be 1ms to 30 days"),
        (
            with(|s| s.retry_delay_min = Duration::from_secs(20)),
            "`retry_delay_max`: it is 10s and must be 20s to 30 days",
        ),
        (with(|s| s.attempts_max = 0), "`attempts_max`: it must be 1 to 100000"),
        (with(|s| s.waiting_max = 0), "`waiting_max`: it must be at least 1"),
        (
            with(|s| s.writes_per_second = Some(0.0)),
            "`writes_per_second`: it must be above 0, or None for no limit",
        ),
        (
            with(|s| s.writes_per_second = Some(f64::NAN)),
            "`writes_per_second`: it must be above 0, or None for no limit",
        ),
    ] {
        assert_eq!(refused(change).await, format!("invalid setting: {why}"));
    }
    for change in [
        with(|s| s.lease = Duration::MAX),
        with(|s| s.connect_within = Duration::MAX),
        with(|s| s.close_within = Duration::MAX),
        with(|s| s.backoff_max = Duration::MAX),
        with(|s| s.finish_linger = Duration::MAX),
        with(|s| s.token_renew_before = Duration::MAX),
    ] {
        assert!(refused(change).await.ends_with("to 30 days"));
    }
}
