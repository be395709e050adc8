//! The limit of a document's length (C55).

use std::sync::Arc;

use serde_json::json;

use super::bench::{Bench, Broken, Outcome, document, numbered};
use super::{Promise, ensure, promise};
use crate::backend::{BackendError, Expect, Ttl};
use crate::document::Document;

pub(super) const PROMISES: &[Promise] = &[
    promise!("sizes", the_limit_itself_fits, "a document of exactly document_bytes_max bytes is stored"),
    promise!("sizes", one_byte_more_is_too_large, "one byte more fails with TooLarge, naming size and limit"),
    promise!("sizes", bytes_count_not_characters, "the limit counts bytes of UTF-8, not characters"),
    promise!("sizes", a_refused_update_changes_nothing, "after TooLarge the document is as it was"),
];

/// A document of exactly this many bytes.
fn of_bytes(bytes: usize, fill: &str) -> Outcome<Arc<Document>> {
    let frame = r#"{"fill":""}"#.len();
    let room = bytes.saturating_sub(frame);
    let text = format!("{}{}", fill.repeat(room / fill.len()), "x".repeat(room % fill.len()));
    let made = document(json!({ "fill": text }));
    ensure!(
        made.to_json().len() == bytes,
        "the suite made a document of another size: a defect of the suite"
    );
    Ok(made)
}

fn is_too_large<T>(result: Result<T, BackendError>, size: usize, limit: usize) -> Outcome {
    match result {
        Err(BackendError::TooLarge { size_bytes, limit_bytes }) => {
            ensure!(size_bytes == size, "the error names {size_bytes} bytes, the document has {size}");
            ensure!(limit_bytes == limit, "the error names the limit {limit_bytes}, the facts {limit}");
            Ok(())
        }
        Err(other) => Err(Broken::Promise(format!("{size} bytes fail, but not as TooLarge: {other}"))),
        Ok(_) => Err(Broken::Promise(format!("{size} bytes are stored, the limit is {limit}"))),
    }
}

async fn the_limit_itself_fits(bench: &Bench) -> Outcome {
    let (id, limit) = (bench.name()?, bench.backend.facts().document_bytes_max);
    let largest = of_bytes(limit, "x")?;
    bench.write(&id, &largest, Expect::Absent, Ttl::Keep).await?;
    let found = bench.found(&id).await?.document.to_json();
    ensure!(found == largest.to_json(), "the largest document is read differently than it was written");
    Ok(())
}

async fn one_byte_more_is_too_large(bench: &Bench) -> Outcome {
    let (id, limit) = (bench.name()?, bench.backend.facts().document_bytes_max);
    let written = bench.write(&id, &of_bytes(limit + 1, "x")?, Expect::Absent, Ttl::Keep).await;
    is_too_large(written, limit + 1, limit)?;
    bench.is_absent(&id).await
}

async fn bytes_count_not_characters(bench: &Bench) -> Outcome {
    let (id, limit) = (bench.name()?, bench.backend.facts().document_bytes_max);
    let written = bench.write(&id, &of_bytes(limit + 1, "试")?, Expect::Absent, Ttl::Keep).await;
    is_too_large(written, limit + 1, limit)?;
    bench.write(&id, &of_bytes(limit, "试")?, Expect::Absent, Ttl::Keep).await?;
    Ok(())
}

async fn a_refused_update_changes_nothing(bench: &Bench) -> Outcome {
    let (id, limit) = (bench.name()?, bench.backend.facts().document_bytes_max);
    let made = bench.create(&id, numbered(1)).await?.revision;
    let larger = of_bytes(limit + 1, "x")?;
    is_too_large(bench.write(&id, &larger, Expect::Revision(made), Ttl::Keep).await, limit + 1, limit)?;
    bench.holds(&id, made, &numbered(1)).await?;
    bench.update(&id, made, numbered(2)).await?;
    Ok(())
}
