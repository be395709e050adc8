//! The files of keys and users: what they allow, and how mistakes in them are told.

use sp_sync::server::{Access as _, FileError, Keys, Permissions, Users};

use super::{ANA, OTHER, PETR, SECRET, keys, keys_file, users, users_file};

#[test]
fn everybody_may_what_their_role_says_and_nothing_else() {
    let users = users();
    let may = |identity: &str, document: &str| users.may(identity, document);
    let (own, others) = (format!("Session_{ANA}"), format!("Session_{OTHER}"));
    assert_eq!(may(ANA, &own), Permissions::WRITE);
    assert_eq!(may(PETR, &own), Permissions::WRITE);
    assert_eq!(may(PETR, "Proctor_Room_1"), Permissions::WRITE);
    assert_eq!(may("back end", "anything at all"), Permissions::ALL);
    assert_eq!(may("eve", &others), Permissions::READ);
    let in_session = format!("{ANA}{PETR}");
    assert_eq!(may(&in_session, &own), Permissions::WRITE);
    for (identity, document) in [
        (ANA, others.as_str()),
        (ANA, "Session_"),
        (ANA, "Proctor_Room_1"),
        (PETR, &others),
        (PETR, "Proctor_Room_2"),
        (&in_session, "Proctor_Room_1"),
        (&format!("{OTHER}{PETR}"), &others),
        (&format!("{OTHER}{PETR}"), &own),
        (&format!("{ANA}{OTHER}"), &own),
        ("eve", "Proctor_Room_1"),
        (OTHER, &others),
        ("", &own),
        ("*", &own),
    ] {
        assert_eq!(may(identity, document), Permissions::NONE, "{identity} {document}");
    }
}

#[test]
fn who_is_not_listed_has_the_role_that_the_file_says() {
    let users = Users::from_toml_str("format = 1\nunlisted = \"student\"\n").unwrap();
    assert_eq!(users.may(OTHER, &format!("Session_{OTHER}")), Permissions::WRITE);
    assert_eq!(users.may(OTHER, &format!("Session_{ANA}")), Permissions::NONE);
}

fn wrong<T: std::fmt::Debug>(read: Result<T, FileError>) -> Vec<String> {
    let text = read.unwrap_err().to_string();
    assert!(!text.contains(SECRET), "{text}");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn mistakes_in_a_users_file_are_told_all_at_once_with_their_places() {
    let lines = wrong(Users::from_toml_str(
        "format = 2\nunlisted = \"nobody\"\nextra = 1\n\
         [users.a]\ntoken_sha256 = \"12\"\nidentity = \"x\"\nrole = \"studnt\"\n\
         [users.b]\nidentity = 1\nrole = \"proctor\"\ndocuments = \"x\"\n\
         [roles.student]\nrights = [\"read\", \"delete\"]\n",
    ));
    let has =
        |place: &str, what: &str| lines.iter().any(|line| line.starts_with(place) && line.contains(what));
    assert!(has("line 1, column 10", "`format` is a number"), "{lines:#?}");
    assert!(has("line 2, column 12: unlisted", "there is no such role"), "{lines:#?}");
    assert!(has("line 3, column 1", "there is no key `extra`"), "{lines:#?}");
    assert!(has("line 5, column 16: users.a.token_sha256", "no SHA-256"), "{lines:#?}");
    assert!(has("line 7, column 8: users.a.role", "the roles are backend, proctor, student"), "{lines:#?}");
    assert!(has("line 8, column 8: users.b", "`token_sha256` is missing"), "{lines:#?}");
    assert!(has("line 9, column 12", "`identity` is a number"), "{lines:#?}");
    assert!(has("line 11, column 13", "`documents` is a string"), "{lines:#?}");
    assert!(has("line 12, column 8: roles.student", "there is a built-in role"), "{lines:#?}");
    assert!(has("line 13, column 10: roles.student.rights", "there is no such right"), "{lines:#?}");
}

#[test]
fn two_users_do_not_share_a_token_or_an_identity() {
    let shared = users_file().replace(PETR, ANA);
    let lines = wrong(Users::from_toml_str(&shared));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let place = "line 8, column 12: users.petr: another user has the same identity";
    assert!(lines[0].starts_with(place), "{lines:#?}");
    let digest = |name: &str| sp_sync::server::TokenDigest::of(&format!("token of {name}")).to_hex();
    let lines = wrong(Users::from_toml_str(&users_file().replace(&digest("petr"), &digest("ana"))));
    assert!(
        lines.len() == 1
            && lines[0].starts_with("line 7, column 16: users.petr: another user has the same token"),
        "{lines:#?}"
    );
}

#[test]
fn mistakes_in_a_keys_file_are_told_without_secrets() {
    let lines =
        wrong(Keys::from_toml_str(&keys_file().replace("SKfedc", "XXfedc").replace("IS0011", "IS001")));
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let place = "line 3, column 11: service: this is no such SID; write `IS` and 32";
    assert!(lines[0].starts_with(place), "{lines:#?}");
    assert!(lines[1].starts_with("line 5, column 7: keys.XXfedc"), "{lines:#?}");
    let lines = wrong(Keys::from_toml_str("format = 1\n"));
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let lines = wrong(Keys::from_toml_str(&keys_file().replace(SECRET, "short")));
    assert!(
        lines[0].starts_with(
            "line 6, column 10: keys.SKfedcba9876543210fedcba9876543210.secret: the secret is too short"
        ),
        "{lines:#?}"
    );
    let lines = wrong(Keys::from_toml_str(&keys_file().replace("secret = ", "secret = '")));
    assert!(lines[0].starts_with("line 6"), "{lines:#?}");
}

/// The page about the server shows whole files: they can be copied.
#[test]
fn the_files_that_the_page_shows_are_accepted() {
    let page = include_str!("../../../docs/server.md");
    let file = |name: &str| {
        let (_, rest) = page.split_once(&format!("A whole `{name}`:")).unwrap_or_else(|| panic!("no {name}"));
        rest.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0
    };
    let (keys, users) = (Keys::from_toml_str(file("keys.toml")), Users::from_toml_str(file("users.toml")));
    assert_eq!(keys.unwrap().api_keys().len(), 1);
    let users = users.unwrap();
    assert_eq!(users.may(ANA, &format!("Session_{ANA}")), Permissions::WRITE);
    assert_eq!(users.may(PETR, "Proctor_Room_PR0123456789abcdef0123456789abcdef"), Permissions::WRITE);
    assert_eq!(users.may("auditor-7", &format!("Session_{ANA}")), Permissions::READ);
    assert_eq!(users.may("exam-backend", "anything"), Permissions::ALL);
}

/// C64.
#[test]
fn secrets_and_tokens_are_not_printed() {
    let printed = format!("{:?} {:?}", keys(), users());
    let digest = sp_sync::server::TokenDigest::of("token of ana").to_hex();
    assert!(!printed.contains(SECRET) && !printed.contains(&digest[..8]), "{printed}");
}

#[test]
fn new_keys_are_read_as_they_were_written() {
    let keys = Keys::generate();
    let read = Keys::from_toml_str(&keys.to_toml()).unwrap();
    assert_eq!(read.to_toml(), keys.to_toml());
    assert_ne!(Keys::generate().to_toml(), keys.to_toml());
}

#[cfg(unix)]
#[test]
fn files_that_others_can_read_are_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = std::env::temp_dir().join(format!("sp-sync-exposed-{}", std::process::id()));
    std::fs::write(&scratch, "x").unwrap();
    for (mode, exposed) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        std::fs::set_permissions(&scratch, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(Keys::is_exposed(&scratch), exposed, "{mode:o}");
    }
    std::fs::remove_file(&scratch).unwrap();
}
