//! Helpers of the private structs that mirror JSON on the wire.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;
use serde_json::value::RawValue;

use crate::error::unquoted;

/// Reads an object into its mirror. The refusal names the field or type and never a value: headers carry tokens.
pub(super) fn read<T: DeserializeOwned>(object: &[u8]) -> Result<T, String> {
    serde_json::from_slice(object).map_err(|error| {
        let message = error.to_string();
        // Where in the header means nothing to whoever hears of it.
        let what = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
        unquoted(what)
    })
}

/// For fields that may be absent, `null`, or of a form nobody here needs: those are passed over. Like all of these,
/// for what is read from text.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?;
    // `null` is common: it is not to cost an error that nobody reads.
    Ok(serde_json::from_str::<Option<T>>(text.get()).ok().flatten())
}

/// The same for arrays, element by element.
pub(super) fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?;
    let items: Vec<&RawValue> = serde_json::from_str(text.get()).unwrap_or_default();
    Ok(items.into_iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect())
}

/// A value that is read only if it is plain.
#[derive(Default)]
pub(super) enum Plain<'a> {
    /// Or absent.
    #[default]
    Null,
    Text(Cow<'a, str>),
    Number(Number),
    Bool(bool),
    List(Vec<Self>),
    /// An object, which is skipped.
    Object,
}

impl<'de: 'a, 'a> Deserialize<'de> for Plain<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Plain::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Plain::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Plain::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Plain::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(value).map_or(Plain::Null, Plain::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Plain::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Plain::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Plain::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Plain::Object)
    }
}

/// Parameters or headers, a name as often as it has values. Twilsock: a value stands alone as text, values of one name
/// as an array, both in parameters and in headers. Numbers and truth values are taken as text, other JSON is passed
/// over.
#[derive(Default)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Pairs::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((name, value)) = entries.next_entry::<String, Plain<'de>>()? {
            let values = match value {
                Plain::List(values) => values,
                value => vec![value],
            };
            let texts = values.into_iter().filter_map(|value| match value {
                Plain::Text(text) => Some(text.into_owned()),
                Plain::Number(number) => Some(number.to_string()),
                Plain::Bool(truth) => Some(truth.to_string()),
                Plain::Null | Plain::List(_) | Plain::Object => None,
            });
            pairs.extend(texts.map(|text| (name.clone(), text)));
        }
        Ok(Pairs(pairs))
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (at, (name, value)) in self.0.iter().enumerate() {
            let same = |(own, _): &&(String, String)| own == name;
            if self.0[..at].iter().any(|pair| same(&pair)) {
                continue;
            }
            let more: Vec<&str> = self.0[at + 1..].iter().filter(same).map(|(_, value)| &**value).collect();
            match more.is_empty() {
                true => map.serialize_entry(name, value)?,
                false => {
                    let values: Vec<&str> = std::iter::once(&**value).chain(more).collect();
                    map.serialize_entry(name, &values)?;
                }
            }
        }
        map.end()
    }
}
