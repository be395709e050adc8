//! Names are used as given (C2).

use super::bench::{Bench, Outcome, numbered};
use super::{Promise, promise};
use crate::id::DocumentId;
use crate::limits::NAME_CHARS_MAX;

pub(super) const PROMISES: &[Promise] = &[
    promise!("names", odd_ones_are_kept_apart, "any name of 1 to 256 characters is a name of its own"),
    promise!("names", odd_ones_can_be_watched, "any name can be watched"),
    promise!(
        "names",
        long_ones_are_kept_apart,
        "names that differ only in the last of 256 characters differ"
    ),
];

/// What is special to paths, addresses, patterns, queries, subjects and shells; and look-alikes.
const ODD: [&str; 28] = [
    "/",
    "//",
    "/../",
    "..",
    ".",
    "?",
    "#",
    "%2F",
    "%",
    "*",
    ">",
    "a.b",
    "a b",
    " ",
    "'",
    "\"",
    "`",
    "\\",
    "\u{a0}",
    "\u{200b}",
    "\u{2028}",
    "ä",
    "a\u{308}",
    "考试",
    "🧑‍🎓",
    "A",
    "a",
    "{}$;|&",
];

fn odd(bench: &Bench) -> Outcome<Vec<DocumentId>> {
    // Behind, in front of, and between: each place has its own traps.
    let behind = ODD.iter().map(|odd| format!("{}{odd}", bench.run));
    let between = ODD.iter().map(|odd| format!("{}{odd}x", bench.run));
    let before = ODD.iter().map(|odd| format!("{odd}{}", bench.run));
    Ok(behind.chain(between).chain(before).map(DocumentId::new).collect::<Result<_, _>>()?)
}

async fn kept_apart(bench: &Bench, names: &[DocumentId]) -> Outcome {
    let mut made = Vec::new();
    for (number, id) in names.iter().enumerate() {
        made.push(bench.create(id, numbered(number)).await?.revision);
    }
    for (number, (id, revision)) in names.iter().zip(made).enumerate() {
        bench.holds(id, revision, &numbered(number)).await?;
    }
    for (number, id) in names.iter().enumerate() {
        bench.remove(id, None).await?;
        bench.is_absent(id).await?;
        if let Some(next) = names.get(number + 1) {
            bench.found(next).await?;
        }
    }
    Ok(())
}

async fn odd_ones_are_kept_apart(bench: &Bench) -> Outcome {
    kept_apart(bench, &odd(bench)?).await
}

async fn odd_ones_can_be_watched(bench: &Bench) -> Outcome {
    let names = odd(bench)?;
    let mut watchers = Vec::new();
    for id in &names {
        watchers.push(bench.watch(id).await?);
    }
    for (number, (id, watcher)) in names.iter().zip(&mut watchers).enumerate() {
        let made = bench.create(id, numbered(number)).await?;
        let told = watcher.until_revision(made.revision).await?;
        super::ensure!(
            *told.document.to_json() == *numbered(number).to_string(),
            "the watcher of {:?} was told of another document",
            id.as_str()
        );
        bench.remove(id, None).await?;
    }
    Ok(())
}

async fn long_ones_are_kept_apart(bench: &Bench) -> Outcome {
    let long = |fill: &str, last: &str| {
        let missing = NAME_CHARS_MAX - 1 - bench.run.chars().count();
        DocumentId::new(format!("{}{}{last}", bench.run, fill.repeat(missing)))
    };
    kept_apart(bench, &[long("x", "a")?, long("x", "b")?, long("🧑", "🧑")?, long("🧑", "🎓")?]).await
}
