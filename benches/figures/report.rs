//! The table, row by row, as it becomes known.

/// Prints rows, and says in the end how many requirements did not hold.
pub struct Report {
    missed: usize,
}

/// One line of the table.
pub struct Row<'a> {
    pub workload: &'a str,
    pub runtime: &'a str,
    pub ours: String,
    pub floor: String,
    /// What is compared with the requirement: a ratio, or a count.
    pub shown: String,
    /// The requirement, and whether it holds; `None` for a row that is there to be compared with.
    pub required: Option<(String, bool)>,
}

impl Report {
    pub fn begin() -> Self {
        println!("| workload | runtime | this crate | floor | shown | required | holds |");
        println!("|---|---|---|---|---|---|---|");
        Self { missed: 0 }
    }

    pub fn row(&mut self, row: Row<'_>) {
        let Row { workload, runtime, ours, floor, shown, required } = row;
        let (required, holds) = match &required {
            Some((required, true)) => (required.as_str(), "yes"),
            Some((required, false)) => (required.as_str(), "**no**"),
            None => ("", ""),
        };
        self.missed += usize::from(holds == "**no**");
        println!("| {workload} | {runtime} | {ours} | {floor} | {shown} | {required} | {holds} |");
    }

    pub fn end(self) {
        println!();
        match self.missed {
            0 => println!("Every requirement holds."),
            missed => println!("{missed} rows miss their requirement."),
        }
    }
}

/// A requirement that a ratio is at most this.
pub fn at_most(ratio: f64, most: f64) -> Option<(String, bool)> {
    Some((format!("≤ {most} ×"), ratio <= most))
}

/// A requirement that a ratio is at least this.
pub fn at_least(ratio: f64, least: f64) -> Option<(String, bool)> {
    Some((format!("≥ {least} ×"), ratio >= least))
}

/// A requirement that a count is at most this.
pub fn no_more_than(count: usize, most: usize) -> Option<(String, bool)> {
    Some((format!("≤ {most}"), count <= most))
}

pub fn ratio(ratio: f64) -> String {
    format!("{ratio:.2} ×")
}

pub fn micros(seconds: f64) -> String {
    format!("{:.1} µs", seconds * 1e6)
}

pub fn millis(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

pub fn per_second(rate: f64, what: &str) -> String {
    format!("{rate:.0} {what}/s")
}
