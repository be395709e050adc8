//! The fuzzer's corpus, replayed: what was once worth keeping holds in every later version.

mod checks;
#[cfg(feature = "remote")]
mod wire;

use std::path::Path;

/// Calls the check of a fuzz target with each file of its corpus.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let Ok(files) = std::fs::read_dir(&folder) else {
        // The published package comes without it.
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let mut replayed = 0;
    for file in files {
        let path = file.unwrap().path();
        println!("{}", path.display());
        check(&std::fs::read(&path).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}

#[cfg(feature = "codegen")]
#[test]
fn catalogues_of_strangers_are_read_or_refused() {
    replay("catalogue", checks::catalogue);
}

#[test]
fn documents_of_strangers_are_worked_with() {
    replay("document", checks::document);
}

/// C60: whatever stands in `_sp`.
#[test]
fn bookkeeping_of_strangers_is_worked_with() {
    replay("bookkeeping", checks::bookkeeping);
}

#[test]
fn no_sequence_of_operations_loses_or_doubles_anything() {
    replay("operations", checks::operations);
}

#[cfg(feature = "remote")]
#[test]
fn frames_of_strangers_are_read_or_refused() {
    replay("frame", wire::frame);
}

#[cfg(feature = "remote")]
#[test]
fn messages_of_strangers_are_read_or_refused() {
    replay("message", wire::message);
}
