//! From a token to an open session.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::super::service::Core;
use super::super::trace;
use super::super::{Admitted, Refusal};
use super::{Peer, Told};
use crate::limits::SERVER_FULL_BETWEEN;
use crate::token::Token;
use crate::twilsock::message::{
    self, AccountDescriptor, BackoffPolicy, ContinuationStatus, DATA_SYNC, Init, Status,
};
use crate::twilsock::server_session::{Admission, Asking, Check, Verdict};

/// Has a token checked; the connection is told what became of it.
pub(super) fn check(core: Arc<Core>, peer: Arc<Peer>, check: Check, token: Token, asking: Asking) {
    tokio::spawn(async move {
        let verdict = verdict(&core, &peer, &token, &asking).await;
        peer.tell(Told::Checked(check, Box::new(verdict)));
    });
}

async fn verdict(core: &Core, peer: &Peer, token: &Token, asking: &Asking) -> Verdict {
    let init = match asking {
        Asking::Init(init) => Some(&**init),
        Asking::Update => None,
    };
    // Those above the limit are let in so far to be told when to come back.
    if init.is_some() && core.running.connections() > core.limits.connections_max {
        core.counters.connections_refused.up();
        trace::full(peer.address, core.limits.connections_max);
        let (min, max) = SERVER_FULL_BETWEEN;
        let status = Status::new(429).because(51001, "Too many connections");
        return Verdict::Refused(message::Refusal { status, backoff: Some(BackoffPolicy::new(min, max)) });
    }
    match core.gatekeeper.admit(token).await {
        Ok(admitted) => {
            trace::admitted(peer.id, admitted.identity.as_str());
            Verdict::Accepted(Box::new(admission(core, admitted, init)))
        }
        Err(refusal) => {
            core.counters.tokens_refused.up();
            trace::refused(peer.id, peer.address, &refusal);
            Verdict::Refused(refused(refusal))
        }
    }
}

fn refused(refusal: Refusal) -> message::Refusal {
    let backoff = refusal.retry_after.map(|wait| BackoffPolicy::new(wait, wait * 2));
    message::Refusal { status: Status::new(refusal.status).because(refusal.code, refusal.message), backoff }
}

fn admission(core: &Core, admitted: Admitted, init: Option<&Init>) -> Admission {
    let identity = admitted.identity.as_str().to_owned();
    // The same on every server, and another for everybody else.
    let own = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}/{identity}", core.service_sid).as_bytes());
    let (continuation_token, status) =
        continuation(init.and_then(|init| init.continuation_token.as_deref()), own);
    Admission {
        account: AccountDescriptor {
            account_sid: core.account_sid.clone(),
            instance_sids: BTreeMap::from([(DATA_SYNC.to_owned(), core.service_sid.clone())]),
            identity,
        },
        lasts: admitted.lasts,
        continuation_token: Some(continuation_token),
        continuation_status: Some(status),
        storage_id: Some(format!("sp-sync-{}", own.simple())),
    }
}

/// Twilsock: a continuation token names an endpoint and proves nothing. This one says in itself whose it is, so no server
/// has to remember it.
fn continuation(presented: Option<&str>, own: Uuid) -> (String, ContinuationStatus) {
    let own = own.simple().to_string();
    let (reason, message) = match presented {
        Some(token) if token.len() == 65 && token.split_once('.').is_some_and(|(_, whose)| whose == own) => {
            return (token.to_owned(), ContinuationStatus::default());
        }
        Some(_) => ("DIFFERENT_IDENTITY", "Token is of another identity or service"),
        None => ("MISSING", "Token was not presented"),
    };
    let status =
        ContinuationStatus { reissued: true, reason: Some(reason.into()), message: Some(message.into()) };
    (format!("{}.{own}", Uuid::new_v4().simple()), status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continuation_token_is_kept_by_its_owner_only() {
        let (alice, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (token, status) = continuation(None, alice);
        assert_eq!((status.reissued, status.reason.as_deref()), (true, Some("MISSING")));
        assert_eq!(continuation(Some(&token), alice), (token.clone(), ContinuationStatus::default()));
        let (other, status) = continuation(Some(&token), bob);
        assert_ne!(other, token);
        assert_eq!(status.reason.as_deref(), Some("DIFFERENT_IDENTITY"));
        assert!(continuation(Some("nonsense"), alice).1.reissued);
    }
}
