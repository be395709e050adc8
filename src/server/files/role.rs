//! Roles: which documents, and what may be done with them.

use std::collections::BTreeMap;

use super::pattern::Pattern;
use crate::catalogue::parse::reader::Section;
use crate::catalogue::parse::report::{Report, joined};
use crate::server::Permissions;

/// What people of one kind may do.
#[derive(Clone, Debug)]
pub(super) struct Role {
    /// Their documents, besides those of each user.
    pub(super) documents: Vec<Pattern>,
    pub(super) rights: Permissions,
    /// May have tokens made for anybody: a back end that logs people in.
    pub(super) for_others: bool,
}

/// The roles that are always there.
pub(super) fn built_in() -> BTreeMap<String, Role> {
    let role = |documents: &[&str], rights, for_others| {
        let documents = documents.iter().map(|pattern| Pattern::of(pattern)).collect();
        Role { documents, rights, for_others }
    };
    BTreeMap::from([
        ("student".to_owned(), role(&["Session_{identity}"], Permissions::WRITE, false)),
        ("proctor".to_owned(), role(&[], Permissions::WRITE, false)),
        ("backend".to_owned(), role(&["*"], Permissions::ALL, true)),
    ])
}

/// `[roles.NAME]`.
pub(super) fn read(root: &mut Section<'_>, report: &mut Report<'_>) -> BTreeMap<String, Role> {
    let mut roles = built_in();
    let Some(section) = root.section(report, "roles") else { return roles };
    for entry in section.entries(report) {
        let (name, path) = (entry.0.get_ref().to_string(), joined("roles", entry.0.get_ref()));
        let Some(mut role) = Section::open(report, entry, path) else { continue };
        let documents = patterns(&mut role, report);
        let rights = rights(&mut role, report);
        let for_others = role.boolean(report, "for_others").unwrap_or_default();
        let (at, path) = (role.at(), role.path.clone());
        role.finish(report);
        if roles.insert(name, Role { documents, rights, for_others }).is_some() {
            report.add(at, &path, "there is a built-in role of this name", "give yours another name");
        }
    }
    roles
}

/// `documents`: patterns; none when absent.
pub(super) fn patterns(section: &mut Section<'_>, report: &mut Report<'_>) -> Vec<Pattern> {
    let given = section.texts(report, "documents").unwrap_or_default();
    given.iter().map(|text| Pattern::of(text)).collect()
}

fn rights(role: &mut Section<'_>, report: &mut Report<'_>) -> Permissions {
    let (mut rights, path) = (Permissions::NONE, joined(&role.path, "rights"));
    let instead = "write `rights = [\"read\", \"write\", \"manage\"]`, or fewer of them";
    if !role.has("rights") {
        report.add(role.at(), &role.path, "`rights` is missing", instead);
    }
    for given in role.texts(report, "rights").unwrap_or_default() {
        match given.as_str() {
            "read" => rights.read = true,
            "write" => rights.write = true,
            "manage" => rights.manage = true,
            _ => report.add(role.at_value("rights"), &path, "there is no such right", instead),
        }
    }
    rights
}
