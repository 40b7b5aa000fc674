//! The config as resolved: values with aliases, merges and variables worked in, each knowing where it was written.
//!
//! Both ways in (YAML text and a live dict) meet here; the form of the file is checked on items only.

use pysurge_core::value::Value;
use std::ops::Range;

/// One value.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Where it was written, in bytes of the source; `None` where there is no source.
    pub(crate) span: Option<Range<usize>>,
    pub(crate) data: Data,
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
    pub(crate) key_span: Option<Range<usize>>,
    pub(crate) item: Item,
}

impl Item {
    /// An item for a value that never was text.
    pub(crate) fn from_value(value: &Value) -> Self {
        let data = match value {
            Value::List(items) => Data::List(items.iter().map(Self::from_value).collect()),
            Value::Map(entries) => {
                let entry = |(key, value): &(Value, Value)| Entry {
                    key: key.clone(),
                    key_span: None,
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
        Self { span: None, data }
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

    /// The value at a place of a list.
    pub(crate) fn at(&self, index: usize) -> Option<&Item> {
        match &self.data {
            Data::List(items) => items.get(index),
            _ => None,
        }
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
