//! The config as resolved: values with aliases, merges and variables worked in, each knowing where it was written.
//!
//! Both ways in (YAML text and a live dict) meet here; the form of the file is checked on items only.

use crate::resolve::VALUE_BYTES;
use pysurge_core::value::Value;
use std::ops::Range;
use std::sync::Arc;

/// One value.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) data: Data,
}

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// In a dict, which has no text, or nowhere.
    Unknown,
    /// In the file, in bytes.
    File(Range<usize>),
    /// On the command line: the flag with its value, as it is to be shown.
    Flag(Arc<str>),
}

#[derive(Debug, Clone)]
pub(crate) enum Data {
    Scalar(Scalar),
    List(Vec<Item>),
    Map(Vec<Entry>),
    /// A scalar that has no value; the error was told where it was found.
    Broken,
}

#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) value: Value,
    /// Whether it was written without quotes and without a tag, so that YAML decided what it is.
    pub(crate) plain: bool,
    /// How it was written, where the environment had a part in it: written out again so, never as its value.
    pub(crate) template: Option<Template>,
}

/// A scalar before substitution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) text: String,
    /// `!!str` and the like, as written.
    pub(crate) tag: Option<&'static str>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Value,
    pub(crate) key_place: Place,
    pub(crate) item: Item,
}

impl Place {
    /// The bytes of the file, where it is there.
    pub(crate) fn span(&self) -> Option<Range<usize>> {
        match self {
            Self::File(span) => Some(span.clone()),
            Self::Unknown | Self::Flag(_) => None,
        }
    }

    /// This place, or the other one where nothing was written here.
    pub(crate) fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) => other.clone(),
            (Self::File(span), Self::File(_) | Self::Flag(_)) if span.is_empty() => other.clone(),
            (Self::File(_) | Self::Flag(_), _) => self.clone(),
        }
    }
}

impl From<Range<usize>> for Place {
    fn from(span: Range<usize>) -> Self {
        Self::File(span)
    }
}

impl Item {
    /// An item for a value that never was text.
    pub(crate) fn from_value(value: &Value) -> Self {
        let data = match value {
            Value::List(items) => Data::List(items.iter().map(Self::from_value).collect()),
            Value::Map(entries) => {
                let entry = |(key, value): &(Value, Value)| Entry {
                    key: key.clone(),
                    key_place: Place::Unknown,
                    item: Self::from_value(value),
                };
                Data::Map(entries.iter().map(entry).collect())
            }
            scalar => Data::Scalar(Scalar {
                value: scalar.clone(),
                plain: false,
                template: None,
            }),
        };
        Self {
            place: Place::Unknown,
            data,
        }
    }

    /// The value alone; `None` where a part of it is broken.
    pub(crate) fn to_value(&self) -> Option<Value> {
        Some(match &self.data {
            Data::Scalar(scalar) => scalar.value.clone(),
            Data::List(items) => Value::List(items.iter().map(Self::to_value).collect::<Option<_>>()?),
            Data::Map(entries) => {
                let pair = |entry: &Entry| Some((entry.key.clone(), entry.item.to_value()?));
                Value::Map(entries.iter().map(pair).collect::<Option<_>>()?)
            }
            Data::Broken => return None,
        })
    }

    /// The entry of a mapping with this key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        let Data::Map(entries) = &self.data else {
            return None;
        };
        entries
            .iter()
            .find(|entry| matches!(&entry.key, Value::Str(text) if text == key))
    }

    /// As [`Item::entry`], to be changed.
    pub(crate) fn entry_mut(&mut self, key: &str) -> Option<&mut Entry> {
        let Data::Map(entries) = &mut self.data else {
            return None;
        };
        entries
            .iter_mut()
            .find(|entry| matches!(&entry.key, Value::Str(text) if text == key))
    }

    /// Says of the value and all that is in it where it was written.
    pub(crate) fn relocate(&mut self, place: &Place) {
        self.place = place.clone();
        match &mut self.data {
            Data::Scalar(_) | Data::Broken => {}
            Data::List(items) => items.iter_mut().for_each(|item| item.relocate(place)),
            Data::Map(entries) => entries.iter_mut().for_each(|entry| {
                entry.key_place = place.clone();
                entry.item.relocate(place);
            }),
        }
    }

    /// The text, where it is a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(Scalar {
                value: Value::Str(text),
                ..
            }) => Some(text),
            _ => None,
        }
    }

    /// The value at a place of a list.
    pub(crate) fn at(&self, index: usize) -> Option<&Item> {
        match &self.data {
            Data::List(items) => items.get(index),
            _ => None,
        }
    }

    /// About what it costs in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        let inside = match &self.data {
            Data::Scalar(scalar) => match &scalar.value {
                Value::Str(text) | Value::BigInt(text) => text.len(),
                Value::Bytes(bytes) | Value::Pickled(bytes) => bytes.len(),
                _ => 0,
            },
            Data::List(items) => items.iter().map(Self::size_bytes).sum(),
            Data::Map(entries) => entries
                .iter()
                .map(|entry| VALUE_BYTES + entry.item.size_bytes())
                .sum(),
            Data::Broken => 0,
        };
        VALUE_BYTES + inside
    }

    /// What it is, in the words of [`Value::kind`].
    pub(crate) fn kind(&self) -> &'static str {
        match &self.data {
            Data::Scalar(scalar) => scalar.value.kind(),
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
            Data::Broken => "broken",
        }
    }

    /// Whether nothing was written.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar(scalar) if scalar.value == Value::Null)
    }
}

/// A text that two keys share exactly when Python's dict takes them for the same key: `1`, `1.0` and `True` are one.
pub(crate) fn key_identity(key: &Value) -> String {
    match key {
        Value::Bool(value) => format!("n{}", u8::from(*value)),
        Value::Int(value) => format!("n{value}"),
        Value::BigInt(digits) => format!("n{digits}"),
        #[expect(clippy::float_cmp, reason = "whole floats are compared with integers exactly")]
        Value::Float(value) if value.is_finite() && value.trunc() == *value => {
            format!("n{:.0}", if *value == 0.0 { 0.0 } else { *value })
        }
        Value::Str(text) => format!("s{text}"),
        other => format!("o{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_as_in_a_dict() {
        let one = [Value::Int(1), Value::Float(1.0), Value::Bool(true)];
        for key in &one {
            assert_eq!(key_identity(key), "n1");
        }
        assert_eq!(
            key_identity(&Value::Float(-0.0)),
            key_identity(&Value::Bool(false))
        );
        assert_eq!(
            key_identity(&Value::Float(1e22)),
            key_identity(&Value::BigInt("10000000000000000000000".into()))
        );
        assert_ne!(key_identity(&Value::Str("1".into())), "n1");
        assert_ne!(key_identity(&Value::Float(1.5)), key_identity(&Value::Int(1)));
        assert_ne!(
            key_identity(&Value::Null),
            key_identity(&Value::Str("None".into()))
        );
    }
}
