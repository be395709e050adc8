//! The figures of the NATS backend, each beside the exchange that one would write with the client crate alone, over the
//! same server; in one run, on the same cores, printed as one table.
//!
//! `cargo bench --bench nats --features nats,remote,server` prints it; with `-- sessions` after it, the rows of one workload.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(dead_code, reason = "what is shared with the other figures is not all used here")]

mod batch;
#[path = "../figures/load.rs"]
mod load;
mod naive;
mod open;
mod pair;
#[path = "../figures/report.rs"]
mod report;
mod round_trip;
#[path = "../wire/served.rs"]
mod served;
#[path = "../../tests/it/support/nats.rs"]
mod server;
mod servers;
mod sessions;
#[path = "../figures/stage.rs"]
mod stage;
#[path = "../figures/stats.rs"]
mod stats;

use report::Report;

/// Measures, and adds its rows.
type Workload = fn(&mut Report);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match &words[..] {
        [kind, url] if open::is_child(kind) => return open::child(kind, url),
        [kind, urls] if servers::is_child(kind) => return servers::child(urls),
        _ => {}
    }
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let workloads: [(&str, Workload); 5] = [
        ("round_trip", round_trip::run),
        ("sessions", sessions::run),
        ("batch", batch::run),
        ("open", open::run),
        ("servers", servers::run),
    ];
    let mut report = Report::begin();
    for (name, run) in workloads {
        if chosen(name) {
            run(&mut report);
        }
    }
    report.end();
}
