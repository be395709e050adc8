//! Documents on the disk: 200 with one durable write in flight each, against one alone.

#[cfg(not(feature = "embedded"))]
pub fn run(_: &mut super::report::Report) {
    eprintln!("embedded: skipped, the feature is off");
}

#[cfg(not(feature = "embedded"))]
pub fn child(_: &str, _: &str) {}

#[cfg(feature = "embedded")]
pub use with_feature::{child, run};

#[cfg(feature = "embedded")]
mod with_feature {
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::time::Instant;

    use serde_json::json;
    use sp_sync::backend::Embedded;
    use sp_sync::{Settings, SyncClient};
    use tokio::task::JoinSet;

    use crate::report::{Report, Row, at_least, per_second, ratio};
    use crate::stage::{Threads, data, open};
    use crate::stats::Turns;

    const DOCUMENTS: usize = 200;
    const TURNS: usize = 7;
    /// Writes of the document that is alone; every one of the many makes a tenth.
    const WRITES: usize = 200;

    pub fn run(report: &mut Report) {
        let turns = Threads::Two.run(measure());
        report.row(Row {
            workload: "embedded: 200 documents, one durable write in flight each",
            runtime: Threads::Two.name(),
            ours: per_second(turns.ours(), "writes"),
            floor: format!("{}, one document alone", per_second(turns.floor(), "writes")),
            shown: ratio(turns.ratio()),
            required: at_least(turns.ratio(), 10.0),
        });
        for (documents, writes) in [(1, WRITES), (DOCUMENTS, WRITES / 10)] {
            let total = documents * writes;
            report.row(Row {
                workload: &format!("fsyncs for {total} writes of {documents} document(s)"),
                runtime: Threads::Two.name(),
                ours: fsyncs(documents, writes),
                floor: String::new(),
                shown: String::new(),
                required: None,
            });
        }
    }

    /// Counts them from outside, in a process of its own.
    fn fsyncs(documents: usize, writes: usize) -> String {
        let place = Place::new("trace");
        std::fs::create_dir_all(&place.0).expect("a place to write");
        let trace = place.0.join("trace");
        let program = std::env::current_exe().expect("this program");
        let traced = Command::new("strace")
            .args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"])
            .arg(&trace)
            .arg(program)
            .args(["embedded-child", &documents.to_string(), &writes.to_string()])
            .output();
        match traced {
            Ok(output) if output.status.success() => {
                let trace = std::fs::read_to_string(&trace).unwrap_or_default();
                let calls = trace.lines().filter(|line| line.contains("sync(")).count();
                format!("{calls} fsync and fdatasync, opening and closing included (strace)")
            }
            _ => "not counted: strace is missing".into(),
        }
    }

    pub fn child(documents: &str, writes: &str) {
        let (documents, writes) = (documents.parse().expect("a number"), writes.parse().expect("a number"));
        Threads::Two.run(async move {
            let place = Place::new("child");
            let store = place.open().await;
            let mut clients = clients(&store, documents).await;
            rate(&mut clients, writes).await;
        });
    }

    async fn measure() -> Turns {
        let (many_place, alone_place) = (Place::new("many"), Place::new("alone"));
        let (many, alone) = (many_place.open().await, alone_place.open().await);
        let (mut many, mut alone) = (clients(&many, DOCUMENTS).await, clients(&alone, 1).await);
        let mut turns = Turns::default();
        for turn in 0..=TURNS {
            let alone = rate(&mut alone, WRITES).await;
            let many = rate(&mut many, WRITES / 10).await;
            if turn > 0 {
                turns.push(many, alone);
            }
        }
        turns
    }

    async fn clients(store: &Embedded, documents: usize) -> Vec<SyncClient> {
        let mut clients = Vec::with_capacity(documents);
        for n in 0..documents {
            clients
                .push(open(store.clone(), &format!("d{n}"), "page", data(1_024), Settings::default()).await);
        }
        clients
    }

    /// Durable writes per second of all documents together, each writing as soon as it was answered.
    async fn rate(clients: &mut Vec<SyncClient>, writes: usize) -> f64 {
        let documents = clients.len();
        let begun = Instant::now();
        let mut writing = JoinSet::new();
        for client in clients.drain(..) {
            writing.spawn(async move {
                for n in 0..writes {
                    client.set_sync(json!({ "n": n })).await.expect("the disk has room");
                }
                client
            });
        }
        clients.extend(writing.join_all().await);
        (documents * writes) as f64 / begun.elapsed().as_secs_f64()
    }

    /// A folder beside the build, on the disk that holds it: a temporary folder may be memory. Removed in the end.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let base = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
            Self(base.unwrap_or_default().join(format!("figures-{name}-{}", std::process::id())))
        }

        async fn open(&self) -> Embedded {
            std::fs::create_dir_all(&self.0).expect("a place to write");
            Embedded::open(self.0.join("store.db")).await.expect("it opens")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
