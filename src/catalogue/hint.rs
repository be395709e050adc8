//! "Did you mean …?": the nearest known name to one that was mistyped.

/// No name in a catalogue is longer (contract rule 1). What is longer is not compared, and not repeated in full.
pub(super) const MAX_NAME_LEN: usize = 64;

/// Names that are compared with one that is unknown, so that a hint costs little in any catalogue.
const MAX_COMPARED: usize = 1000;

/// ` (did you mean …?)`, or empty when no known name is near.
pub(super) fn did_you_mean<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(given, known).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = given.len();
    // A third of the letters may differ, at least one and at most three.
    let allowed = (length / 3).clamp(1, 3);
    if length > MAX_NAME_LEN + allowed {
        return None;
    }
    known
        .take(MAX_COMPARED)
        .filter(|name| name.len().abs_diff(length) <= allowed)
        .map(|name| (distance(given, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein distance without regard to case: `examUrl` is very near `examURL`.
fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (right, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(!left.eq_ignore_ascii_case(right));
            diagonal = *cell;
            before = replaced.min(before + 1).min(*cell + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A name as messages show it: a peer's name may be as long as a document.
pub(super) fn shown(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME_LEN) {
        Some((cut, _)) => format!("{}…", name.get(..cut).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// Names in a sentence, at most twenty of them.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MAX_LISTED: usize = 20;
    let mut names = names.peekable();
    let mut list = String::new();
    for name in names.by_ref().take(MAX_LISTED) {
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(&format!("`{name}`"));
    }
    match names.count() {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}
