//! Pages of a list.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::form::Form;
use crate::limits::{SERVER_PAGE_DEFAULT, SERVER_PAGE_MAX};
use crate::percent::encode;
use crate::twilsock::sync::{Code, SyncError};

/// What stands before a token that says where a page begins.
const PREFIX: &str = "PT";

/// Which page is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// As asked; addresses of further pages say the same.
    size: usize,
    /// A number for people; it travels along.
    number: u64,
    /// The page begins after this one.
    pub(super) after: Option<String>,
}

impl Page {
    /// REST: `PageSize` 1 to 1000, of which at most 100 are given; `PageToken` as it was given out.
    pub(super) fn read(query: &Form) -> Result<Self, SyncError> {
        let size = match query.get("PageSize").filter(|text| !text.is_empty()) {
            None => SERVER_PAGE_DEFAULT,
            Some(text) => text.parse().ok().filter(|size| (1..=1_000).contains(size)).ok_or_else(bad_size)?,
        };
        let number = query.get("Page").and_then(|text| text.parse().ok()).unwrap_or_default();
        let after = match query.get("PageToken").filter(|text| !text.is_empty()) {
            None => None,
            Some(token) => Some(read_token(token).ok_or_else(bad_token)?),
        };
        Ok(Self { size, number, after })
    }

    /// How many are given at most.
    pub(super) fn rows_max(&self) -> usize {
        self.size.min(SERVER_PAGE_MAX)
    }

    /// What a page says of itself. `last` is the last one of those shown, when there are more.
    pub(super) fn meta(&self, key: &str, url: &str, last: Option<&str>) -> Value {
        let at = |number: u64, after: Option<&str>| {
            let address = format!("{url}?PageSize={}&Page={number}", self.size);
            match after {
                None => address,
                Some(after) => format!("{address}&PageToken={}", encode(&token(after))),
            }
        };
        json!({
            "key": key,
            "page": self.number,
            "page_size": self.size,
            "url": at(self.number, self.after.as_deref()),
            "first_page_url": at(0, None),
            // Going back would need the token of the page before: nobody does, and the service's own may be null too.
            "previous_page_url": null,
            "next_page_url": last.map(|last| at(self.number + 1, Some(last))),
        })
    }
}

/// Where a page begins is no secret to whoever may list everything; the form only keeps it opaque.
fn token(after: &str) -> String {
    let text = json!({ "after": after }).to_string();
    format!("{PREFIX}{}", BASE64URL_NOPAD.encode(text.as_bytes()))
}

fn read_token(token: &str) -> Option<String> {
    let bytes = BASE64URL_NOPAD.decode(token.strip_prefix(PREFIX)?.as_bytes()).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value.get("after")?.as_str().map(str::to_owned)
}

fn bad_size() -> SyncError {
    SyncError { status: 400, code: 54454, message: "PageSize must be from 1 to 1000".into() }
}

pub(super) fn bad_token() -> SyncError {
    SyncError { code: 54453, ..SyncError::from(Code::BadParameter).saying("PageToken is not one of ours") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_lead_to_each_other() {
        let page = Page::read(&Form::read("PageSize=2&Page=3")).unwrap();
        let last = "žluť/kůň ?&";
        let meta = page.meta("documents", "https://x/v1/D", Some(last));
        assert_eq!(meta["first_page_url"], "https://x/v1/D?PageSize=2&Page=0");
        let (_, query) = meta["next_page_url"].as_str().unwrap().split_once('?').unwrap();
        let next = Page::read(&Form::read(query)).unwrap();
        assert_eq!(next, Page { size: 2, number: 4, after: Some(last.to_owned()) });
        assert_eq!(page.meta("documents", "", None)["next_page_url"], Value::Null);
    }

    #[test]
    fn sizes_and_tokens_of_another_form_are_refused() {
        let read = |query: &str| Page::read(&Form::read(query)).map(|page| page.rows_max());
        assert_eq!((read(""), read("PageSize=1000"), read("PageSize=7")), (Ok(50), Ok(100), Ok(7)));
        for wrong in ["PageSize=0", "PageSize=1001", "PageSize=x", "PageSize=-1"] {
            assert_eq!(read(wrong).unwrap_err().code, 54454, "{wrong}");
        }
        for wrong in ["PageToken=x", "PageToken=PT", "PageToken=PTe30", "PageToken=PT%25"] {
            assert_eq!(read(wrong).unwrap_err().code, 54453, "{wrong}");
        }
    }
}
