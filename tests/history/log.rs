//! What a process of the test did, line by line: each line is one `write`, so a kill loses no earlier one. A line that
//! does not end with its dot was cut short and is passed over.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Microseconds of the machine's clock, the same in all processes.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_micros()).expect("a clock before the year 586000")
}

pub(crate) fn path(directory: &Path, kind: &str, slot: usize) -> PathBuf {
    directory.join(format!("{kind}-{slot}.log"))
}

#[derive(Clone)]
pub(crate) struct Log(Arc<File>);

impl Log {
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).expect("a log");
        // Parts a line that a kill cut short from the first one of this life.
        (&file).write_all(b"\n").expect("a log that takes lines");
        Self(Arc::new(file))
    }

    pub(crate) fn line(&self, text: &str) {
        (&*self.0).write_all(format!("{text} .\n").as_bytes()).expect("a log that takes lines");
    }
}

/// The whole lines, as words without the dot.
pub(crate) fn lines(path: &Path) -> Vec<Vec<String>> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let whole = text.lines().filter_map(|line| line.strip_suffix(" ."));
    whole.map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}
