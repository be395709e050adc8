//! The hot paths, to be compared between two commits: `cargo bench --bench criterion`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use sp_sync::backend::Memory;
use sp_sync::document::{Document, Operation, Rules, Writer, apply};
use sp_sync::extension::{GetDisplayCount, GetDisplayCountResponse, LockScreen};
use sp_sync::{Catalogue, DocumentId, Executor, Handlers, Identity, SyncClient, TypedAction};
use tokio::runtime::Builder;

/// A document of about this many bytes, with an action claimed and some that wait, as a busy session has.
fn document(bytes: usize) -> Document {
    let fields = (0..bytes / 200)
        .map(|n| (format!("field{n:03}"), json!({ "state": "passed", "note": "x".repeat(160) })));
    let mut object: Map<String, Value> = fields.collect();
    let action = |n: u32| json!({ "action": "ping", "executor": "extension", "_sp": { "id": format!("k3v9s0a1b2c3{n}") } });
    object.insert("extensionActions".into(), (1..5).map(action).collect());
    let claim = json!({ "by": "extension#n8s2k4q1", "n": 1, "t": 0, "a": action(0) });
    object
        .insert("_sp".into(), json!({ "v": 1, "claims": { "extension": [claim] }, "w": [["n8s2k4q1", 7]] }));
    Document::from_object(object)
}

fn applying(criterion: &mut Criterion) {
    let by = Arc::from("extension#n8s2k4q1");
    let writer = Writer { by, instance: "n8s2k4q1".into(), number: 8, plain: false };
    let merge = json!({ "step": "systemCheck" }).as_object().cloned().unwrap_or_default();
    let executor = Executor::from("extension");
    let operations = [
        ("merge", Operation::Merge(Arc::new(merge))),
        ("claim", Operation::Claim { executor: executor.clone(), fresh: "f-".into(), released: Vec::new() }),
        ("finish", Operation::Finish { executor, id: "k3v9s0a1b2c30".into(), response: None }),
    ];
    for (size, bytes) in [("small", 0), ("12 KiB", 12 * 1_024)] {
        let document = document(bytes);
        for (name, operation) in &operations {
            criterion.bench_function(&format!("apply {name}, {size}"), |bench| {
                bench.iter(|| apply(black_box(&document), &writer, &Rules::default(), [operation]));
            });
        }
        // A clone forgets the text that was made before.
        criterion.bench_function(&format!("to_json, {size}"), |bench| {
            bench.iter_with_large_drop(|| black_box(&document).clone().to_json());
        });
        let text = document.to_json();
        criterion.bench_function(&format!("from_json, {size}"), |bench| {
            bench.iter_with_large_drop(|| Document::from_json(black_box(&text)));
        });
    }
}

fn checking(criterion: &mut Criterion) {
    let catalogue = Catalogue::proctoring();
    let info = json!({ "respondTo": "onboarding" }).as_object().cloned().unwrap_or_default();
    criterion.bench_function("build_info, no fields", |bench| {
        bench.iter(|| catalogue.build_info(GetDisplayCount::ACTION, black_box(&info).clone(), 0));
    });
    let info = json!({ "message": "Please wait for your proctor." }).as_object().cloned().unwrap_or_default();
    criterion.bench_function("build_info, fields", |bench| {
        bench.iter(|| catalogue.build_info(LockScreen::ACTION, black_box(&info).clone(), 0));
    });
}

fn asking(criterion: &mut Criterion) {
    // One thread: waking another one costs more than the round trip, and varies.
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let page = runtime.block_on(async {
        let store = Memory::new();
        let open = |who: &str| {
            SyncClient::builder()
                .backend(store.clone())
                .document_id(DocumentId::new("Session_bench").expect("a good name"))
                .identity(Identity::new(who).expect("a good name"))
                .connect()
        };
        let (page, extension) =
            (open("page").await.expect("it opens"), open("extension").await.expect("it opens"));
        let handlers = Handlers::new()
            .answer(async |_: GetDisplayCount| Ok(GetDisplayCountResponse { display_count: 2 }));
        tokio::spawn(async move { extension.executor(Executor::from("extension")).serve(handlers).await });
        page
    });
    criterion.bench_function("round trip", |bench| {
        bench.iter(|| {
            runtime.block_on(async { page.request(GetDisplayCount {}).respond_to("onboarding").await })
        });
    });
}

criterion_group!(hot_paths, applying, checking, asking);
criterion_main!(hot_paths);
