//! The house has floors: a room knows those below it and not those above.

use super::{GENERATED, read, rust_files};

/// From the ground up; what stands together in one line must not know each other.
const FLOORS: [&str; 18] = [
    "limits",
    "alarm",
    "percent",
    "json",
    "time",
    "error",
    "id",
    "action",
    "catalogue",
    "document",
    "socket",
    "token",
    "twilsock",
    "backend",
    "conformance",
    "server",
    "client",
    "lib",
];

fn floor(room: &str) -> usize {
    FLOORS.iter().position(|name| *name == room).unwrap_or_else(|| panic!("`{room}` is on no floor"))
}

/// `src/client/machine/lane.rs` is in the room `client`, `src/id.rs` in `id`.
fn room(path: &str) -> &str {
    let inner = path.strip_prefix("src/").unwrap();
    inner.split_once('/').map_or(inner, |(folder, _)| folder).trim_end_matches(".rs")
}

/// Rooms named by `crate::…` in a line of code. The door itself (`crate::Error`) counts as `lib`.
fn named(line: &str) -> Vec<&str> {
    let mut rooms = Vec::new();
    for after in line.split("crate::").skip(1) {
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        let name = &after[..end];
        rooms.push(if name.starts_with(char::is_lowercase) { name } else { "lib" });
    }
    rooms
}

#[test]
fn nobody_looks_upstairs() {
    let mut climbs = Vec::new();
    for path in rust_files("src") {
        if path.starts_with("src/bin/") || GENERATED.contains(&path.as_str()) {
            continue;
        }
        let own = room(&path);
        for (number, line) in read(&path).lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            assert!(!code.contains("crate::{"), "{path}:{}: one room per `use` line", number + 1);
            let upstairs = |room: &&str| *room != own && floor(room) >= floor(own);
            climbs.extend(
                named(code).into_iter().filter(upstairs).map(|room| format!("{path}:{}: {room}", number + 1)),
            );
        }
    }
    assert!(
        climbs.is_empty(),
        "a room knows only those below it, in the order {FLOORS:?}:\n{}",
        climbs.join("\n")
    );
}
