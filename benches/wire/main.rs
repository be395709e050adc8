//! The figures of the server and of the remote backend, each beside a bare relay that carries the same exchange and
//! keeps nothing, or beside another store; in one run, on the same cores, printed as one table.
//!
//! `cargo bench --bench wire --all-features` prints it; with `-- sessions` after it, the rows of one workload.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(dead_code, reason = "what is shared with the other figures is not all used here")]

mod batch;
mod fanout;
#[path = "../figures/floor.rs"]
mod floor;
mod idle;
#[path = "../figures/load.rs"]
mod load;
mod raw;
mod relay;
#[path = "../figures/report.rs"]
mod report;
mod round_trip;
mod served;
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
    if words.first().is_some_and(|word| word == "idle-server") {
        return idle::server();
    }
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let workloads: [(&str, Workload); 5] = [
        ("round_trip", round_trip::run),
        ("sessions", sessions::run),
        ("batch", batch::run),
        ("fanout", fanout::run),
        ("idle", idle::run),
    ];
    let mut report = Report::begin();
    for (name, run) in workloads {
        if chosen(name) {
            run(&mut report);
        }
    }
    report.end();
}
