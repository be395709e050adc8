//! What once lost actions in the helper or stopped it for good: handlers that go at the worst moment, contents that the
//! service refuses, and whatever an application may throw.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::compiled;

/// A scene takes seconds; one that hangs is told of.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs one scene of `tests/node/attacks.cjs`.
async fn play(scene: &str) {
    let Some(helper) = compiled() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node/attacks.cjs");
    let mut command = Command::new("node");
    command.arg(script).arg(helper).arg(scene).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{scene} hangs")).unwrap();
    let told = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{scene}: {}", String::from_utf8_lossy(&told));
}

/// C33, C44: an action that was about to start when the last listener went is in its array again, and its attempt does
/// not count.
#[tokio::test]
async fn a_listener_that_goes_at_any_moment_loses_nothing() {
    play("off").await;
}

/// C44: no handler starts after the session was closed.
#[tokio::test]
async fn nothing_starts_after_closing_at_any_moment() {
    play("close").await;
}

/// C31, C52: a response that the service refuses is dropped and told, and the client goes on writing.
#[tokio::test]
async fn a_response_that_is_refused_does_not_stop_the_client() {
    play("refusedResponse").await;
    play("refusedTogether").await;
}

/// C31, C47: responses that are refused together are told apart: the good ones are posted, each bad one is dropped with
/// its own reason.
#[tokio::test]
async fn responses_that_are_refused_together_are_told_apart() {
    play("refusedResponses").await;
}

/// C53: a handler whose response is unfit has done its work, and is not asked to do it again.
#[tokio::test]
async fn an_unfit_response_is_refused_at_once() {
    play("unfitResponse").await;
}

/// C7, C8: the page is asked for another token, told where there is none, and asked again.
#[tokio::test]
async fn tokens_are_renewed_and_told_of() {
    play("tokens").await;
}

/// C31: of calls that share a write only the one that is meant is refused.
#[tokio::test]
async fn a_call_that_is_refused_takes_no_other_along() {
    play("refusedCalls").await;
}

/// C24, C42: half a character is refused by its field, and replaced in an error.
#[tokio::test]
async fn half_a_character_never_reaches_the_service() {
    play("halfCharacters").await;
}

/// C42: whatever a handler throws is a failure.
#[tokio::test]
async fn whatever_is_thrown_the_queue_goes_on() {
    play("oddThrows").await;
}

/// C50: a wait is as long as it was asked for.
#[tokio::test]
async fn a_wait_longer_than_a_timer_is_a_long_wait() {
    play("longWaits").await;
}

/// C17: the newest content reaches every listener.
#[tokio::test]
async fn a_faulty_listener_keeps_nothing_from_the_others() {
    play("faultyListener").await;
}
