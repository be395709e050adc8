//! What must hold whatever bytes somebody else wrote. The fuzz targets call these functions with new bytes, the test
//! beside this file with those that were worth keeping.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sp_sync::ActionId;
use sp_sync::document::{
    Claim, Document, Failure, Held, Item, Operation, Outcome, Response, Rules, Writer, apply, is_reserved,
    resolve,
};
use sp_sync::id::Executor;

/// A catalogue in TOML, as a stranger wrote it.
#[cfg(feature = "codegen")]
pub fn catalogue(data: &[u8]) {
    use sp_sync::catalogue::codegen::{Language, Options, generate};
    use sp_sync::catalogue::{Catalogue, MAX_VIOLATIONS};

    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = match Catalogue::from_toml_str(text) {
        Ok(read) => read,
        Err(error) => {
            assert!((1..=MAX_VIOLATIONS).contains(&error.violations().len()), "{error}");
            let lines = text.split('\n').count();
            assert!(
                error.violations().iter().all(|violation| (1..=lines).contains(&violation.line)),
                "{error}"
            );
            return;
        }
    };
    assert!(Catalogue::diff(&read, &read).is_empty());
    for language in [Language::Rust, Language::TypeScript, Language::Markdown] {
        assert!(generate(&read, language, &Options::default()).ends_with('\n'));
    }
    for language in [Language::JsonSchema, Language::ActionTypesJson] {
        let written = generate(&read, language, &Options::default());
        serde_json::from_str::<Value>(&written).expect("what is written as JSON is JSON");
    }
    for action in read.actions() {
        let mut info = Map::new();
        if let Ok(built) = read.build_info(&action.name, info.clone(), 0) {
            assert_eq!(
                read.build_info(&action.name, built.fields.clone(), 0).expect("built twice").fields,
                built.fields
            );
        }
        for field in &action.fields {
            info.insert(field.name.clone(), field.default().cloned().unwrap_or(Value::Null));
        }
        let _ = read.build_info(&action.name, info.clone(), 0);
        let _ = read.build_response(&action.name, info.clone());
        read.redact(&mut info);
    }
}

/// A whole document, as a stranger wrote it.
pub fn document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(document) = Document::from_json(text) {
        exercise(&document);
    }
}

/// A document whose bookkeeping has the right form, more or less, and any content.
pub fn bookkeeping(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut object = Map::new();
    object.insert("kept".into(), bytes.value(2));
    for executor in &EXECUTORS[..2] {
        let items = (0..bytes.below(6)).map(|_| bytes.item()).collect();
        object.insert(
            format!("{executor}Actions"),
            if bytes.one_in(8) { bytes.value(2) } else { Value::Array(items) },
        );
    }
    let sp = bytes.bookkeeping();
    object.insert("_sp".into(), sp);
    exercise(&Document::from_object(object));
}

/// Any sequence of operations by several writers: nothing is lost, nothing is doubled, nothing changes its place.
pub fn operations(data: &[u8]) {
    let mut bytes = Bytes(data);
    let rules = Rules {
        document_bytes_max: 200 + 16 * usize::from(bytes.next()),
        reserve_bytes: 4 * usize::from(bytes.next()),
        waiting_max: 1 + bytes.below(12),
        run_max: 1 + bytes.below(6),
        attempts_max: 5,
    };
    let mut document = Document::default();
    for number in 0..64 {
        if bytes.0.is_empty() {
            return;
        }
        let writer = writer(HOLDERS[bytes.below(3)], number, false);
        let operation = bytes.operation(&document, number);
        let next = step(&document, &writer, &rules, &operation);
        if let Some(next) = next {
            nothing_lost(&document, &next, &writer, &operation);
            let _ = resolve(&document, &next, &writer.instance, number, &operation);
            document = next;
        }
    }
}

const EXECUTORS: [&str; 4] = ["extension", "onboarding", "ü\"", ""];
const HOLDERS: [&str; 4] = ["ES1#aaaa", "ES1#bbbb", "AU2#c", "#"];

fn writer(by: &str, number: u64, plain: bool) -> Writer {
    let instance = by.rsplit('#').next().unwrap_or(by);
    Writer { by: by.into(), instance: instance.into(), number, plain }
}

/// Every operation, by a stranger and by the holder of a claim. The document's length decides for which executor, and
/// whether with room, without, or in plain mode: one choice for each leaves the fuzzer time for more documents.
fn exercise(document: &Document) {
    sound(document);
    let claims = document.ledger().into_iter().flat_map(|ledger| ledger.claimed());
    let names = document.queues().map(|(name, _)| name.clone()).chain(claims.map(|(name, _)| name.clone()));
    let executors: Vec<Executor> = names.take(2).chain([EXECUTORS[1].into(), EXECUTORS[3].into()]).collect();
    let length = document.size_bytes();
    let full = Rules { document_bytes_max: length, reserve_bytes: 0, ..Rules::default() };
    let usual = Rules::default();
    let (rules, plain) = [(usual, false), (full, false), (usual, true)][length % 3];
    let executor = &executors[length / 3 % executors.len()];
    let holder = document.claims(executor.as_str()).first().map(|claim| claim.by.clone());
    for by in [HOLDERS[0], holder.as_deref().unwrap_or(HOLDERS[1])] {
        let writer = writer(by, 7, plain);
        let mut last = document.clone();
        for operation in every_operation(document, executor) {
            if let Some(next) = step(document, &writer, &rules, &operation) {
                let _ = resolve(document, &next, &writer.instance, 7, &operation);
            }
            // The same once more, one after the other.
            last = step(&last, &writer, &rules, &operation).unwrap_or(last);
        }
    }
}

fn every_operation(document: &Document, executor: &Executor) -> Vec<Operation> {
    let executor = executor.clone();
    let waiting = document.waiting(executor.as_str());
    let claims = document.claims(executor.as_str());
    let item = Arc::new(Item::from_value(
        json!({"action": "a", "executor": executor.as_str(), "_sp": {"id": "new"}}),
    ));
    let response = |executor: &str| Some(Response { executor: executor.into(), item: item.clone() });
    let mut all = vec![
        Operation::Renew(executor.clone()),
        Operation::StepBack(executor.clone()),
        Operation::Merge(Arc::new([("kept".to_owned(), json!([1.5, null]))].into_iter().collect())),
        Operation::Enqueue(vec![(executor.clone(), item.clone()), ("onboarding".into(), item.clone())]),
        Operation::PutBack { executor: executor.clone(), items: vec![item.clone()] },
        Operation::GiveBack {
            executor: executor.clone(),
            started: claims.last().and_then(|claim| Some((claim.id()?.clone(), claim.n))),
            unseen: None,
        },
    ];
    for claim in claims.iter().take(3) {
        all.push(Operation::TakeOver { executor: executor.clone(), mark: claim.mark() });
        let Some(id) = claim.id().cloned() else { continue };
        all.push(Operation::Retry { executor: executor.clone(), id: id.clone(), failed: claim.n });
        all.push(Operation::StartOnce { executor: executor.clone(), id: id.clone() });
        all.push(Operation::Finish { executor: executor.clone(), id, response: response("onboarding") });
    }
    let next = document.ledger().and_then(|ledger| ledger.next(executor.as_str()));
    all.extend(next.map(|to| Operation::HandOver { executor: executor.clone(), to: to.clone() }));
    let released = waiting.iter().filter_map(|item| item.id().cloned()).take(2).collect();
    all.push(Operation::Claim { executor: executor.clone(), fresh: "f".into(), released });
    all.extend(
        waiting
            .iter()
            .take(2)
            .map(|item| Operation::TakeResponse { executor: executor.clone(), item: item.clone() }),
    );
    all.extend(waiting.iter().rev().take(2).filter_map(|item| item.id().cloned()).map(Operation::Withdraw));
    all.push(Operation::GiveBack { executor: executor.clone(), started: None, unseen: None });
    all.push(Operation::Claim { executor: executor.clone(), fresh: "g".into(), released: Vec::new() });
    all.push(Operation::Unset(vec!["kept".into()]));
    all.push(Operation::Replace(Arc::new(Map::new())));
    all.push(Operation::ClearActions(executor));
    all
}

/// Applies one operation and checks what holds for each.
fn step(before: &Document, writer: &Writer, rules: &Rules, operation: &Operation) -> Option<Document> {
    let applied = apply(before, writer, rules, [operation]);
    assert_eq!(applied.outcomes.len(), 1);
    let changed = match &applied.outcomes[0] {
        Err(_) | Ok(Outcome::Nothing | Outcome::HeldByAnother) => false,
        // Without bookkeeping there is no claim to remove.
        Ok(Outcome::ResponseDropped(_)) => !writer.plain && !before.is_foreign(),
        Ok(_) => true,
    };
    assert_eq!(applied.document.is_some(), changed, "{operation:?}: {:?}", applied.outcomes);
    let after = applied.document?;
    sound(&after);
    // Every claim's counter may grow by a digit, and the mark of forgotten writers takes its place where there was none.
    let digits: usize =
        after.ledger().into_iter().flat_map(|ledger| ledger.claimed()).map(|(_, claims)| claims.len()).sum();
    let most = rules.document_bytes_max.max(before.size_bytes())
        + match operation {
            Operation::Renew(_) | Operation::Retry { .. } => digits + 33,
            // Gives back what was the document's before: never refused.
            Operation::GiveBack { .. } | Operation::PutBack { .. } => usize::MAX / 2,
            _ => 33,
        };
    assert!(after.size_bytes() <= most, "{operation:?}: {} bytes, {most} allowed", after.size_bytes());
    if !matches!(operation, Operation::Merge(_) | Operation::Unset(_) | Operation::Replace(_)) {
        assert_eq!(own_fields(before), own_fields(&after), "{operation:?}");
    }
    if writer.plain {
        let writers = |document: &Document| document.ledger().map(|ledger| ledger.writers().to_vec());
        assert_eq!(writers(before), writers(&after), "plain mode wrote bookkeeping");
    }
    Some(after)
}

/// Keys and values of the application, in order (C32).
fn own_fields(document: &Document) -> String {
    let view = document.view();
    let own =
        view.iter().filter(|(key, _)| !is_reserved(key)).map(|(key, value)| (key.clone(), value.clone()));
    Value::Object(own.collect()).to_string()
}

/// What holds for every document: it is counted right, can be read again as it is, and shows a reader that ignores
/// bookkeeping what it shows ours (C59).
fn sound(document: &Document) {
    let text = document.to_json();
    assert_eq!(document.size_bytes(), text.len(), "{text}");
    let again = Document::from_json(&text).unwrap_or_else(|error| panic!("not readable any more: {error}"));
    assert_eq!(*again.to_json(), *text);
    assert!(again == *document && again.shows_the_same_as(document), "{text}");
    let Ok(Value::Object(mut seen)) = serde_json::from_str(&text) else { panic!("not an object: {text}") };
    seen.shift_remove("_sp");
    for (key, value) in &mut seen {
        let Value::Array(items) = value else { continue };
        if !is_reserved(key) {
            continue;
        }
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            if item.get("action").is_some_and(Value::is_string) {
                item.shift_remove("_sp");
            }
        }
    }
    assert_eq!(Value::Object(seen).to_string(), Value::Object((*document.view()).clone()).to_string());
}

/// Ids of an executor, claimed and waiting, in the order in which they are to run.
fn line(document: &Document, executor: &str) -> Vec<ActionId> {
    let claimed = document.claims(executor).iter().filter_map(|claim| claim.id());
    claimed.chain(document.waiting(executor).iter().filter_map(|item| item.id())).cloned().collect()
}

fn nothing_lost(before: &Document, after: &Document, writer: &Writer, operation: &Operation) {
    for executor in &EXECUTORS[..3] {
        let (was, is) = (line(before, executor), line(after, executor));
        let kept: Vec<_> = was.iter().filter(|id| is.contains(id)).collect();
        let still: Vec<_> = is.iter().filter(|id| was.contains(id)).collect();
        assert_eq!(kept, still, "{operation:?} changed the order");
        let gone: Vec<_> = was.iter().filter(|id| !is.contains(id)).collect();
        let may_go = |id: &ActionId| match operation {
            Operation::ClearActions(cleared) => cleared.as_str() == *executor,
            Operation::Withdraw(withdrawn) => withdrawn == id,
            Operation::TakeResponse { item, .. } => item.id() == Some(id),
            Operation::Finish { id: finished, .. } => {
                finished == id
                    && before
                        .claims(executor)
                        .iter()
                        .any(|claim| claim.id() == Some(id) && claim.by == writer.by)
            }
            Operation::TakeOver { .. } | Operation::GiveBack { .. } => {
                before.claims(executor).iter().any(|claim| claim.held == Held::Once(id.clone()))
            }
            _ => false,
        };
        assert!(gone.iter().all(|id| may_go(id)), "{operation:?} lost {gone:?}");
        let mut once = is.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), is.len(), "{operation:?} doubled an action: {is:?}");
        let mut holders = after.claims(executor).iter().map(|claim| &claim.by);
        let first = holders.next();
        assert!(holders.all(|by| Some(by) == first), "{operation:?}: two holders");
    }
}

/// Choices made by bytes; when they are used up, the first of everything.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, many: usize) -> usize {
        usize::from(self.next()) % many
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == many - 1
    }

    fn text(&mut self) -> String {
        match self.below(8) {
            0 => String::new(),
            1 => "ü\u{1}\"\\\u{2028}".into(),
            2 => "x".repeat(usize::from(self.next())),
            3 => HOLDERS[self.below(4)].into(),
            4 => EXECUTORS[self.below(4)].into(),
            _ => format!("id{}", self.below(6)),
        }
    }

    fn number(&mut self) -> Value {
        match self.below(8) {
            0 => u64::MAX.into(),
            1 => i64::MIN.into(),
            2 => u32::MAX.into(),
            3 => 1e300.into(),
            4 => (-0.0).into(),
            _ => self.next().into(),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => true.into(),
            2 => self.number(),
            3 | 4 => self.text().into(),
            5 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object((0..self.below(4)).map(|_| (self.key(), self.value(depth - 1))).collect()),
        }
    }

    fn key(&mut self) -> String {
        let keys = [
            "id", "from", "re", "to", "error", "exp", "n", "v", "claims", "w", "by", "t", "a", "once", "_sp",
            "action",
        ];
        match self.below(20) {
            place if place < keys.len() => keys[place].into(),
            _ => self.text(),
        }
    }

    /// The value where it has the form it should, now and then another.
    fn or_any(&mut self, right: Value) -> Value {
        if self.one_in(16) { self.value(2) } else { right }
    }

    fn item(&mut self) -> Value {
        let mut object = Map::new();
        object.insert("action".into(), "a".into());
        if self.one_in(4) {
            object.insert(self.key(), self.value(1));
        }
        let mut tag = Map::new();
        for _ in 0..self.below(5) {
            let (key, value) = match self.below(8) {
                0 => ("n", self.number()),
                1 => ("exp", self.number()),
                2 => ("to", HOLDERS[self.below(4)].into()),
                3 => ("from", self.text().into()),
                4 => ("error", serde_json::to_value(Failure::new(self.text(), "")).unwrap_or_default()),
                _ => ("id", self.text().into()),
            };
            let value = self.or_any(value);
            tag.insert(key.into(), value);
        }
        let tag = self.or_any(Value::Object(tag));
        object.insert("_sp".into(), tag);
        self.or_any(Value::Object(object))
    }

    fn claim(&mut self) -> Value {
        let mut object = Map::new();
        object.insert("by".into(), HOLDERS[self.below(4)].into());
        if !self.one_in(8) {
            object.insert("n".into(), self.number());
        }
        if !self.one_in(8) {
            object.insert("t".into(), self.number());
        }
        let held =
            if self.one_in(4) { ("once".into(), self.text().into()) } else { ("a".into(), self.item()) };
        object.extend([held]);
        if self.one_in(8) {
            object.insert(self.key(), self.value(1));
        }
        self.or_any(Value::Object(object))
    }

    fn bookkeeping(&mut self) -> Value {
        let version = if self.one_in(16) { self.number() } else { 1.into() };
        let mut claims = Map::new();
        for _ in 0..self.below(4) {
            let list = (0..self.below(6)).map(|_| self.claim()).collect();
            let executor = EXECUTORS[self.below(4)].to_owned();
            let list = self.or_any(Value::Array(list));
            claims.insert(executor, list);
        }
        let writers = (0..self.below(20)).map(|_| {
            let right = json!([self.text(), self.number()]);
            self.or_any(right)
        });
        let writers: Value = writers.collect();
        let (claims, writers) = (self.or_any(claims.into()), self.or_any(writers));
        let mut object = Map::from_iter([
            ("v".to_owned(), version),
            ("claims".to_owned(), claims),
            ("w".to_owned(), writers),
        ]);
        if self.one_in(4) {
            object.insert(self.key(), self.value(2));
        }
        self.or_any(Value::Object(object))
    }

    fn operation(&mut self, document: &Document, number: u64) -> Operation {
        let executor: Executor = EXECUTORS[self.below(3)].into();
        let claims = document.claims(executor.as_str());
        let claim = claims.get(self.below(4));
        let id: ActionId = match claim.and_then(Claim::id) {
            Some(id) => id.clone(),
            None => format!("{}-{}", number.saturating_sub(1 + self.below(6) as u64), self.below(2)).into(),
        };
        let item = |place: usize, more: Value| {
            let mut object = json!({"action": "a", "_sp": {"id": format!("{number}-{place}")}});
            object["f"] = more;
            Arc::new(Item::from_value(object))
        };
        match self.below(15) {
            14 => {
                let next = document.ledger().and_then(|ledger| ledger.next(executor.as_str()));
                let to = next.cloned().filter(|_| !self.one_in(4));
                to.map_or(Operation::StepBack(executor.clone()), |to| Operation::HandOver { executor, to })
            }
            0 => {
                let fields = (0..self.below(3)).map(|_| (format!("k{}", self.below(4)), self.value(2)));
                Operation::Merge(Arc::new(fields.collect()))
            }
            1 => Operation::Unset(vec![format!("k{}", self.below(4))]),
            2 => Operation::Replace(Arc::new(Map::from_iter([("k1".to_owned(), self.value(2))]))),
            3 if self.one_in(4) => Operation::ClearActions(executor),
            4 => Operation::Withdraw(id),
            5 => Operation::TakeOver {
                mark: claim
                    .map(Claim::mark)
                    .unwrap_or_else(|| claims.first().map_or_else(nobody, Claim::mark)),
                executor,
            },
            6 => Operation::Renew(executor),
            7 => Operation::Retry { executor, id, failed: claim.map_or(1, |claim| claim.n) },
            8 => Operation::StartOnce { executor, id },
            9 => {
                let to = EXECUTORS[self.below(3)].into();
                let response = self.one_in(2).then(|| Response { executor: to, item: item(9, Value::Null) });
                Operation::Finish { executor, id, response }
            }
            10 => Operation::GiveBack {
                executor,
                started: claim.and_then(|claim| Some((claim.id()?.clone(), claim.n))),
                unseen: None,
            },
            11 | 12 => Operation::Claim { executor, fresh: "f".into(), released: Vec::new() },
            _ => {
                let many = self.below(4);
                let items = (0..many).map(|place| {
                    let executor =
                        if self.one_in(3) { EXECUTORS[self.below(3)].into() } else { executor.clone() };
                    (executor, item(place, self.value(1)))
                });
                Operation::Enqueue(items.collect())
            }
        }
    }
}

fn nobody() -> sp_sync::document::Mark {
    sp_sync::document::Mark { by: "nobody".into(), id: None, n: 1, t: 0 }
}
