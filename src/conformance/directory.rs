//! The list of documents.

use super::bench::{Bench, Broken, Outcome, numbered, patiently};
use super::{Promise, ensure, promise};
use crate::backend::Directory;
use crate::id::DocumentId;

pub(super) const PROMISES: &[Promise] = &[
    promise!("directory", lists_in_byte_order, "names come in byte order, each once"),
    promise!("directory", pages_join_without_gaps, "pages of any length join without gaps and repetitions"),
    promise!(
        "directory",
        leaves_out_what_was_removed,
        "a removed document is not listed, nor is a watched absence"
    ),
    promise!("directory", keeps_odd_names, "names are listed as they were given"),
];

pub(super) fn of(bench: &Bench) -> Outcome<&dyn Directory> {
    match bench.backend.directory() {
        Some(directory) => Ok(directory),
        None => Err(Broken::NotApplicable("the backend has no directory".into())),
    }
}

/// The names of this bench with something behind its run, page by page.
pub(super) async fn list(bench: &Bench, page: usize) -> Outcome<Vec<String>> {
    let directory = of(bench)?;
    let mut after = DocumentId::new(bench.run.clone())?;
    let mut names = Vec::new();
    loop {
        let listed = patiently(|| directory.list(Some(&after), page)).await?;
        ensure!(listed.len() <= page, "{} names were listed where at most {page} were wanted", listed.len());
        let Some(last) = listed.last() else { return Ok(names) };
        after = last.clone();
        for name in listed {
            match name.as_str().strip_prefix(&bench.run) {
                Some(rest) => names.push(rest.to_owned()),
                None => return Ok(names),
            }
        }
    }
}

async fn make(bench: &Bench, suffixes: &[&str]) -> Outcome {
    for (number, suffix) in suffixes.iter().enumerate() {
        bench.create(&DocumentId::new(format!("{}{suffix}", bench.run))?, numbered(number)).await?;
    }
    Ok(())
}

async fn lists_in_byte_order(bench: &Bench) -> Outcome {
    of(bench)?;
    make(bench, &["-b", "-a", "-B", "-10", "-9", "-é", "-z", "-aa", "-a!"]).await?;
    let names = list(bench, 100).await?;
    let expected = ["-10", "-9", "-B", "-a", "-a!", "-aa", "-b", "-z", "-é"];
    ensure!(names == expected, "{names:?} were listed, not {expected:?}");
    Ok(())
}

async fn pages_join_without_gaps(bench: &Bench) -> Outcome {
    of(bench)?;
    let suffixes: Vec<String> = (0..25).map(|number| format!("-{number:03}")).collect();
    make(bench, &suffixes.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    for page in [1, 2, 7, 24, 25, 26, 1_000] {
        let names = list(bench, page).await?;
        ensure!(names == suffixes, "pages of {page} list {names:?}, not {suffixes:?}");
    }
    let first = patiently(|| async { of_backend(bench)?.list(None, 1).await }).await?;
    ensure!(first.len() == 1, "a list from the beginning is empty though there are documents");
    Ok(())
}

fn of_backend(bench: &Bench) -> Result<&dyn Directory, crate::backend::BackendError> {
    bench.backend.directory().ok_or(crate::backend::BackendError::Conflict)
}

async fn leaves_out_what_was_removed(bench: &Bench) -> Outcome {
    of(bench)?;
    make(bench, &["-a", "-b", "-c"]).await?;
    let absent = DocumentId::new(format!("{}-absent", bench.run))?;
    let _watcher = bench.watch(&absent).await?;
    bench.read(&absent).await?;
    let removed = DocumentId::new(format!("{}-b", bench.run))?;
    let _watches_removed = bench.watch(&removed).await?;
    bench.remove(&removed, None).await?;
    let names = list(bench, 100).await?;
    ensure!(names == ["-a", "-c"], "{names:?} were listed, not those that are there");
    Ok(())
}

async fn keeps_odd_names(bench: &Bench) -> Outcome {
    of(bench)?;
    let suffixes = ["\u{a0}", "\u{200b}", "/", "?x=1", "%2F", "'\"", "\\", "a\u{308}", "ä", "考试", "🧑‍🎓"];
    make(bench, &suffixes).await?;
    let names = list(bench, 3).await?;
    let mut expected = suffixes.to_vec();
    expected.sort_unstable();
    ensure!(names == expected, "{names:?} were listed, not {expected:?}");
    Ok(())
}
