//! What a server sees of the queues in documents at hand: how much waits and is worked on, and how old claims are.
//!
//! Documents come here taken apart already, so looking costs a walk over their claims and the lengths of their arrays.
//! Ages are measured by this server's own clock from the moment it first saw a claim: claims carry no dates.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Durations;
use super::durations::seconds;
use super::trace::Actions;
use crate::document::Document;
use crate::id::{ActionId, DocumentId, Executor};

/// What all other executors are called together in the metrics. Names of executors begin with a letter.
const OTHERS: &str = "_others";

/// Queues of all documents at hand. Whatever documents contain, there are only so many lines: each executor that was named
/// beforehand has one, and all others share one.
#[derive(Debug)]
pub(super) struct Queues {
    named: Vec<Executor>,
    sights: Mutex<HashMap<u64, Arc<Mutex<Sight>>>>,
    numbers: AtomicU64,
    claims: Durations,
}

/// What was seen of one document, by place of the executor among the named; the last place is that of the others.
type Sight = Vec<Line>;

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    waiting: usize,
    claimed: usize,
    oldest: Option<Instant>,
}

/// Looks at one document's queues, for as long as it is at hand.
pub(super) struct Observer {
    queues: Arc<Queues>,
    number: u64,
    sight: Arc<Mutex<Sight>>,
    /// When a claim was first seen, with its attempt and its holder.
    claims: HashMap<ActionId, (u32, Arc<str>, Instant)>,
    actions: Actions,
}

impl Queues {
    pub(super) fn new(named: Vec<Executor>) -> Arc<Self> {
        let (sights, numbers, claims) = (Mutex::default(), AtomicU64::new(0), Durations::default());
        Arc::new(Self { named, sights, numbers, claims })
    }

    pub(super) fn observer(self: &Arc<Self>, document: &DocumentId) -> Observer {
        let (number, sight) = (self.numbers.fetch_add(1, Relaxed), Arc::default());
        lock(&self.sights).insert(number, Arc::clone(&sight));
        let (queues, actions) = (self.clone(), Actions::of(document));
        Observer { queues, number, sight, claims: HashMap::new(), actions }
    }

    fn place(&self, executor: &Executor) -> usize {
        self.named.iter().position(|named| named == executor).unwrap_or(self.named.len())
    }

    /// Writes what is seen now, for Prometheus.
    pub(super) fn write(&self, page: &mut String, now: Instant) {
        let mut sums = vec![Line::default(); self.named.len() + 1];
        for sight in lock(&self.sights).values() {
            for (sum, line) in sums.iter_mut().zip(lock(sight).iter()) {
                sum.waiting += line.waiting;
                sum.claimed += line.claimed;
                sum.oldest = [sum.oldest, line.oldest].into_iter().flatten().min();
            }
        }
        let names = self.named.iter().map(Executor::as_str).chain([OTHERS]);
        let lines: Vec<(&str, Line)> = names.zip(sums).collect();
        let mut gauge = |name: &str, help: &str, value: &dyn Fn(&Line) -> String| {
            // Writing to a string does not fail.
            let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (executor, line) in &lines {
                let _ = writeln!(page, "{name}{{executor=\"{executor}\"}} {}", value(line));
            }
        };
        let age = |line: &Line| {
            let us = line.oldest.map_or(0, |since| now.saturating_duration_since(since).as_micros());
            seconds(u64::try_from(us).unwrap_or(u64::MAX))
        };
        let note = "in documents at hand; _others is every executor that was not named.";
        gauge("sp_sync_actions_waiting", &format!("Actions that wait, {note}"), &|line| {
            line.waiting.to_string()
        });
        gauge("sp_sync_actions_claimed", &format!("Actions that are taken, {note}"), &|line| {
            line.claimed.to_string()
        });
        gauge("sp_sync_claim_age_seconds", &format!("Age of the oldest claim, {note}"), &age);
        self.claims.write(page, "sp_sync_claim_seconds", "How long claims lasted that have ended.");
    }
}

impl Observer {
    /// Looks at a state that is newer than those before.
    pub(super) fn see(&mut self, document: &Document, now: Instant) {
        let claims = document.ledger().into_iter().flat_map(|ledger| ledger.claimed());
        let mut lines = vec![Line::default(); self.queues.named.len() + 1];
        let mut seen = HashMap::with_capacity(self.claims.len());
        for (executor, claims) in claims {
            let Some(line) = lines.get_mut(self.queues.place(executor)) else { continue };
            line.claimed += claims.len();
            for claim in claims {
                let Some(id) = claim.id() else { continue };
                let since = match self.claims.remove(id) {
                    Some((n, by, since)) if (n, &by) == (claim.n, &claim.by) => since,
                    before => {
                        // Another attempt is another claim.
                        let ended = before.map(|(_, _, since)| now.saturating_duration_since(since));
                        ended.into_iter().for_each(|lasted| self.queues.claims.add(lasted));
                        now
                    }
                };
                line.oldest = [line.oldest, Some(since)].into_iter().flatten().min();
                seen.insert(id.clone(), (claim.n, claim.by.clone(), since));
            }
        }
        for (executor, items) in document.queues() {
            if let Some(line) = lines.get_mut(self.queues.place(executor)) {
                line.waiting += items.len();
            }
        }
        for (_, _, since) in std::mem::replace(&mut self.claims, seen).into_values() {
            self.queues.claims.add(now.saturating_duration_since(since));
        }
        *lock(&self.sight) = lines;
        self.actions.see(document, now);
    }

    /// There is no document.
    pub(super) fn see_nothing(&mut self, now: Instant) {
        self.see(&Document::default(), now);
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        lock(&self.queues.sights).remove(&self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn document(text: &str) -> Document {
        Document::from_json(text).unwrap()
    }

    fn page(queues: &Queues, now: Instant) -> String {
        let mut page = String::new();
        queues.write(&mut page, now);
        page
    }

    fn has(page: &str, line: &str) {
        assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
    }

    #[test]
    fn depths_and_ages_are_those_of_all_documents_and_leave_with_them() {
        let queues = Queues::new(vec!["extension".into(), "onboarding".into()]);
        let began = Instant::now();
        let at = |s| began + Duration::from_secs(s);
        let id = DocumentId::new("d").unwrap();
        let (mut one, mut two) = (queues.observer(&id), queues.observer(&id));
        let item = r#"{"action":"a","executor":"e"}"#;
        one.see(
            &document(&format!(
                r#"{{"extensionActions":[{item},{item}],"x1Actions":[{item}],"x2Actions":[{item}]}}"#
            )),
            at(0),
        );
        let claimed = |n: u32| {
            document(&format!(
                r#"{{"extensionActions":[{item}],"_sp":{{"v":1,"claims":{{"extension":[{{"by":"a#1","n":{n},"t":0,"a":{{"action":"a","executor":"extension","_sp":{{"id":"i1"}}}}}}]}}}}}}"#
            ))
        };
        assert_eq!(claimed(1).claims("extension").len(), 1);
        two.see(&claimed(1), at(0));
        two.see(&claimed(1), at(5));
        let shown = page(&queues, at(7));
        for line in [
            "sp_sync_actions_waiting{executor=\"extension\"} 3",
            "sp_sync_actions_waiting{executor=\"onboarding\"} 0",
            "sp_sync_actions_waiting{executor=\"_others\"} 2",
            "sp_sync_actions_claimed{executor=\"extension\"} 1",
            "sp_sync_claim_age_seconds{executor=\"extension\"} 7",
            "sp_sync_claim_age_seconds{executor=\"onboarding\"} 0",
            "sp_sync_claim_seconds_count 0",
        ] {
            has(&shown, line);
        }
        // Another attempt is another claim.
        two.see(&claimed(2), at(8));
        has(&page(&queues, at(9)), "sp_sync_claim_age_seconds{executor=\"extension\"} 1");
        two.see_nothing(at(10));
        drop(one);
        let shown = page(&queues, at(11));
        has(&shown, "sp_sync_claim_seconds_count 2");
        has(&shown, "sp_sync_claim_seconds_sum 10");
        has(&shown, "sp_sync_actions_waiting{executor=\"extension\"} 0");
    }

    /// Whatever a document contains, there are no more lines than before.
    #[test]
    fn executors_that_nobody_named_make_no_lines() {
        let queues = Queues::new(vec!["extension".into()]);
        let before = page(&queues, Instant::now()).lines().count();
        let mut observer = queues.observer(&DocumentId::new("d").unwrap());
        let many: Vec<String> = (0..500).map(|n| format!(r#""x{n}Actions":[1]"#)).collect();
        observer.see(&document(&format!("{{{}}}", many.join(","))), Instant::now());
        let shown = page(&queues, Instant::now());
        assert_eq!(shown.lines().count(), before);
        has(&shown, "sp_sync_actions_waiting{executor=\"_others\"} 500");
    }
}
