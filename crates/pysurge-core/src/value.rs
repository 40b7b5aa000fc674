//! Plain data that crosses from a config to a test case: what YAML can say.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A keyword argument's value. Mirrors what `yaml.safe_load` makes of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// `None`.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int` that fits 64 bits.
    Int(i64),
    /// `int` beyond 64 bits, as decimal digits with an optional sign.
    BigInt(String),
    /// `float`.
    Float(f64),
    /// `str`.
    Str(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `datetime.date` in ISO form, `2020-01-31`.
    Date(String),
    /// `datetime.datetime` in ISO form, with an offset where the document has one.
    DateTime(String),
    /// `list`.
    List(Vec<Value>),
    /// `dict`, in the order written; keys may be any plain value.
    Map(Vec<(Value, Value)>),
    /// Any other Python object, pickled: only from `Manager(config)`, whose config is a live dict.
    Pickled(Vec<u8>),
}

impl Value {
    /// What the value is, in the words of a Python user: `a string`, `a list`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::BigInt(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::Date(_) => "a date",
            Self::DateTime(_) => "a timestamp",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Pickled(_) => "a Python object",
        }
    }
}

/// Writes the value as Python's `repr` does, as far as plain data goes.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("None"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(value) => write!(f, "{value}"),
            Self::BigInt(digits) => f.write_str(digits),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Str(text) | Self::Date(text) | Self::DateTime(text) => {
                write!(f, "'{}'", text.escape_debug())
            }
            Self::Bytes(bytes) => write!(f, "b'{}'", bytes.escape_ascii()),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Pickled(bytes) => write!(f, "<pickled object, {} bytes>", bytes.len()),
        }
    }
}
