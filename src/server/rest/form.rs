//! Forms: bodies and queries.

use serde_json::{Map, Value};

use super::super::answer::Problem;
use crate::json;
use crate::percent::decode_parameter;
use crate::twilsock::sync::{Code, SyncError, Ttl};

/// Names with values. REST: unknown ones are passed over; of a name that comes twice the last one counts.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// REST: blanks as `%20` (JavaScript) or `+` (Python). What is not UTF-8 is passed over.
    pub(super) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode_parameter(name)?, decode_parameter(value)?))
        });
        Self(pairs.collect())
    }

    /// Of a body.
    pub(super) fn of(body: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(body).map_err(|_| Problem::from(Code::BadParameter))?;
        Ok(Self::read(text))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `Data`: the text of a JSON object.
    pub(super) fn data(&self) -> Result<Option<Map<String, Value>>, SyncError> {
        let Some(text) = self.get("Data") else { return Ok(None) };
        match json::read(text) {
            Ok(Value::Object(data)) => Ok(Some(data)),
            Ok(_) => Err(Code::BadDocumentData.into()),
            Err(_) => Err(Code::NotJson.into()),
        }
    }

    /// `true` or `false`, in any case; mandatory.
    pub(super) fn flag(&self, name: &str) -> Result<bool, SyncError> {
        let refused = |code, why: &str| SyncError { status: 400, code, message: format!("{name} {why}") };
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(refused(Code::BadParameter.number(), "must be true or false")),
            None => Err(refused(20001, "is missing")),
        }
    }

    /// `Ttl`. REST: empty is the same as missing.
    pub(super) fn ttl(&self) -> Result<Option<Ttl>, SyncError> {
        let Some(text) = self.get("Ttl").filter(|text| !text.is_empty()) else { return Ok(None) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = text.parse::<u64>().ok().filter(|_| digits).map_or(Value::Null, Value::from);
        Ttl::read(&seconds).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn forms_of_both_libraries_are_read() {
        let form = Form::read("Data=%7B%22a%22%3A%20%22b%20c%22%7D&UniqueName=caf%C3%A9+1&Ttl=60&Odd&=&&Ttl");
        assert_eq!(form.get("UniqueName"), Some("café 1"));
        assert_eq!(form.data().unwrap().unwrap()["a"], "b c");
        assert_eq!((form.get("Odd"), form.get("None")), (Some(""), None));
        assert_eq!(form.ttl(), Ok(None), "the last one counts, and an empty one is none");
    }

    #[test]
    fn flags_are_mandatory_and_say_true_or_false() {
        let form = Form::read("Read=true&Write=False&Manage=1");
        assert_eq!((form.flag("Read"), form.flag("Write")), (Ok(true), Ok(false)));
        let code = |name| form.flag(name).map_err(|error| error.code);
        assert_eq!((code("Manage"), code("Other")), (Err(20422), Err(20001)));
    }

    #[test]
    fn data_and_ttl_have_their_own_refusals() {
        let data = |text: &str| Form::read(&format!("Data={text}")).data().map_err(|error| error.code);
        assert_eq!((data("null"), data("[1]"), data("1")), (Err(54101), Err(54101), Err(54101)));
        assert_eq!((data(""), data("%7B"), data("x")), (Err(54008), Err(54008), Err(54008)));
        let ttl = |text: &str| Form::read(&format!("Ttl={text}")).ttl().map_err(|error| error.code);
        assert_eq!((ttl(""), ttl("0")), (Ok(None), Ok(Some(Ttl::Never))));
        assert_eq!(ttl("60"), Ok(Some(Ttl::After(Duration::from_secs(60)))));
        for wrong in ["-1", "%2B1", "1.5", "31536001", "99999999999999999999", "x"] {
            assert_eq!(ttl(wrong), Err(54011), "{wrong}");
        }
    }
}
