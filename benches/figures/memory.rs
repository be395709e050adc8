//! Memory of an idle open document: its client, its driver, and a snapshot of 1 KiB of data, held.
//!
//! A fresh process opens 10 000 documents and compares its resident pages before and after; the allocator is the
//! system's, and nothing is trimmed. The memory backend's own copy is the same one that the client shows.

use std::process::Command;

use sp_sync::Settings;
use sp_sync::backend::Memory;

use super::report::{Report, Row};
use super::stage::{Threads, data, open};

const DOCUMENTS: usize = 10_000;
const DOCUMENT_BYTES: usize = 1_024;
const MOST_KIB: f64 = 12.0;

pub fn run(report: &mut Report) {
    for (looked_at, workload) in [
        ("held", "memory per idle open document of 1 KiB, snapshot held, 10 000 of them"),
        ("looked-at", "the same, each snapshot looked at: its view is made and kept"),
    ] {
        let program = std::env::current_exe().expect("this program");
        let output = Command::new(program)
            .args(["memory-child", looked_at, &DOCUMENTS.to_string()])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let bytes: f64 = said.trim().parse().unwrap_or(f64::NAN);
        let kib = bytes / 1_024.0;
        report.row(Row {
            workload,
            runtime: Threads::Current.name(),
            ours: format!("{kib:.1} KiB resident, system allocator"),
            floor: "1 KiB of JSON".into(),
            shown: format!("{kib:.1} KiB"),
            required: Some((format!("≤ {MOST_KIB} KiB"), kib <= MOST_KIB)),
        });
    }
}

/// Prints bytes per document.
pub fn child(looked_at: bool, documents: usize) {
    let bytes = Threads::Current.run(async move {
        let store = Memory::new();
        let client = async |n: usize| {
            let (id, data) = (n.to_string(), data(DOCUMENT_BYTES));
            open(store.clone(), &id, "page", data, Settings::default()).await
        };
        let mut held = Vec::with_capacity(documents + 1);
        let first = client(documents).await;
        let snapshot = first.get_sync().await.expect("it is open");
        held.push((first, snapshot));
        let before = resident_bytes();
        for n in 0..documents {
            let client = client(n).await;
            let snapshot = client.get_sync().await.expect("it is open");
            if looked_at {
                assert!(!snapshot.data().is_empty());
            }
            held.push((client, snapshot));
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let after = resident_bytes();
        assert_eq!(held.len(), documents + 1);
        (after - before) / documents
    });
    println!("{bytes}");
}

/// Resident pages of this process. A page of 4 KiB, as on every x86-64.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: usize =
        statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}
