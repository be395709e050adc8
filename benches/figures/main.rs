//! The figures of this crate, each beside its floor, measured in one run and printed as one table.
//!
//! `cargo bench --bench figures` prints it; `cargo bench --bench figures -- batch` prints the rows of one workload.
//!
//! Noise is met in three ways: a workload and its floor take turns within one run, a ratio is taken from one such turn,
//! and the median of the turns is what counts.

#![allow(unexpected_cfgs, reason = "the feature `embedded` may not be there yet")]
#![allow(clippy::disallowed_methods, reason = "a bench measures time")]

mod batch;
mod coalesce;
mod counting;
mod embedded;
mod fanout;
mod floor;
mod load;
mod memory;
mod report;
mod round_trip;
mod sessions;
mod stage;
mod stats;

use report::Report;

/// Measures, and adds its rows.
type Workload = fn(&mut Report);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        // What a fresh process has to measure.
        ["memory-child", looked_at, documents] => {
            return memory::child(*looked_at == "looked-at", documents.parse().expect("a number"));
        }
        ["embedded-child", documents, writes] => return embedded::child(documents, writes),
        _ => {}
    }
    let chosen = |name: &str| words.is_empty() || words.contains(&name);
    let workloads: [(&str, Workload); 7] = [
        ("round_trip", round_trip::run),
        ("batch", batch::run),
        ("fanout", fanout::run),
        ("sessions", sessions::run),
        ("coalesce", coalesce::run),
        ("embedded", embedded::run),
        ("memory", memory::run),
    ];
    let mut report = Report::begin();
    for (name, run) in workloads {
        if chosen(name) {
            run(&mut report);
        }
    }
    report.end();
}
