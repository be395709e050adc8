//! A strict reader of Prometheus' text format, as its own checker reads it.

use std::collections::{BTreeMap, BTreeSet};

/// One series: its name, its labels in the order of their names, its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Everything on a page.
pub(crate) struct Exposition {
    pub(crate) samples: Vec<Sample>,
    kinds: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads a page and fails on anything that a scrape, or the checker that comes with Prometheus, would complain of.
    pub(crate) fn read(page: &str) -> Self {
        assert!(page.ends_with('\n'), "the last line has an end");
        let mut read = Self { samples: Vec::new(), kinds: BTreeMap::new() };
        let (mut helped, mut families, mut family) = (BTreeSet::new(), BTreeSet::new(), String::new());
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                assert!(is_name(name) && !help.is_empty() && helped.insert(name.to_owned()), "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(helped.contains(name), "help comes first: {line}");
                assert!(families.insert(name.to_owned()), "a family stands together: {line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                family = name.to_owned();
                read.kinds.insert(name.to_owned(), kind.to_owned());
            } else {
                let sample = sample(line);
                let suffix =
                    sample.name.strip_prefix(&family).unwrap_or_else(|| panic!("without a type: {line}"));
                let suffixes: &[&str] = match read.kinds[&family].as_str() {
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                assert!(suffixes.contains(&suffix), "{line}");
                let twice = read.samples.iter().any(|s| s.name == sample.name && s.labels == sample.labels);
                assert!(!twice, "twice: {line}");
                read.samples.push(sample);
            }
        }
        read.kinds.iter().filter(|(_, kind)| *kind == "histogram").for_each(|(name, _)| read.histogram(name));
        read
    }

    /// The value of a series without labels, or with one.
    pub(crate) fn value(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        let label = label.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let labels: BTreeMap<String, String> = label.into_iter().collect();
        let found = self.samples.iter().find(|sample| sample.name == name && sample.labels == labels);
        found.unwrap_or_else(|| panic!("no {name} {labels:?}")).value
    }

    /// Buckets grow with their bounds, and the last one is the count.
    fn histogram(&self, name: &str) {
        let mut before = (f64::NEG_INFINITY, 0.0);
        let bucket = format!("{name}_bucket");
        for sample in self.samples.iter().filter(|sample| sample.name == bucket) {
            let bound = sample.labels["le"].replace("+Inf", "inf").parse::<f64>().unwrap();
            assert!(bound > before.0 && sample.value >= before.1, "{sample:?}");
            before = (bound, sample.value);
        }
        assert_eq!(before, (f64::INFINITY, self.value(&format!("{name}_count"), None)), "{name}");
        assert!(self.value(&format!("{name}_sum"), None) >= 0.0);
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"))),
    };
    let labels = labels.split(',').filter(|label| !label.is_empty()).map(|label| {
        let (name, value) = label.split_once('=').unwrap_or_else(|| panic!("{line}"));
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value =
            value.filter(|value| !value.contains(['"', '\\', '\n'])).unwrap_or_else(|| panic!("{line}"));
        assert!(is_name(name) && !name.contains(':') && !name.starts_with("__"), "{line}");
        (name.to_owned(), value.to_owned())
    });
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
    assert!(is_name(name) && value.is_finite(), "{line}");
    Sample { name: name.to_owned(), labels: labels.collect(), value }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
}

#[test]
fn what_prometheus_would_refuse_is_refused() {
    let head = "# HELP a_total A.\n# TYPE a_total counter\n";
    Exposition::read(&format!("{head}a_total{{x=\"1\"}} 1\na_total{{x=\"2\"}} 0.5\n"));
    for wrong in [
        "a_total 1\n".to_owned(),
        format!("{head}a_total 1"),
        format!("{head}a_total x\n"),
        format!("{head}a_total{{x=1}} 1\n"),
        format!("{head}a_total 1\na_total 2\n"),
        format!("{head}{head}"),
        format!("{head}b_total 1\n"),
        "# HELP a A.\n# TYPE a counter\na 1\n".to_owned(),
        "# TYPE a_total counter\na_total 1\n".to_owned(),
        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 1\n".to_owned(),
    ] {
        assert!(std::panic::catch_unwind(|| Exposition::read(&wrong)).is_err(), "{wrong}");
    }
}
