//! One line of JSON Lines: an object whose values may be anything.

use crate::value::Value;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The names and values of a row, in their order.
pub(super) type Names = Vec<(String, Value)>;

/// Takes a line apart; in words, why it is no object.
pub(super) fn parse(line: &[u8]) -> Result<Names, String> {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err("no JSON object".to_owned());
    }
    match serde_json::from_slice::<Object>(line) {
        Ok(object) => Ok(object.0),
        Err(error) => Err(plain(&error)),
    }
}

/// The name that stands more than once, if there is one.
pub(super) fn repeated(row: &Names) -> Option<&str> {
    let mut names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
        .windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
}

/// An error of one line, where each error says that it is in line 1.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (what, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
    match error.column() {
        0 => format!("no JSON object: {what}"),
        column => format!("no JSON object: {what} (column {column})"),
    }
}

struct Object(Names);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, Any(value))) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        from.deserialize_map(Fields)
    }
}

struct Any(Value);

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue).map(Any)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::BigInt(value.to_string()), Value::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Str(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Str(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Any(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, Any(value))) = map.next_entry()? {
            entries.push((Value::Str(name), value));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_what_they_are_in_the_line() {
        let line = br#" {"z": 1, "a": -2.5, "ok": true, "none": null, "big": 18446744073709551615, "deep": [{"b": "\u00fc"}, []]} "#;
        let text = |text: &str| Value::Str(text.to_owned());
        let expected = [
            ("z", Value::Int(1)),
            ("a", Value::Float(-2.5)),
            ("ok", Value::Bool(true)),
            ("none", Value::Null),
            ("big", Value::BigInt("18446744073709551615".into())),
            (
                "deep",
                Value::List(vec![
                    Value::Map(vec![(text("b"), text("ü"))]),
                    Value::List(vec![]),
                ]),
            ),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(parse(line).unwrap(), expected);
        assert_eq!(repeated(&parse(line).unwrap()), None);
        assert_eq!(repeated(&parse(br#"{"a":1,"b":2,"a":3}"#).unwrap()), Some("a"));
    }

    #[test]
    fn what_is_no_object_is_told() {
        for (line, what) in [
            ("[1]", "no JSON object"),
            ("", "no JSON object"),
            (r#"{"a": }"#, "no JSON object: expected value (column 7)"),
            (
                r#"{"a": 1"#,
                "no JSON object: EOF while parsing an object (column 7)",
            ),
            (
                r#"{"a": 1} {"a": 2}"#,
                "no JSON object: trailing characters (column 10)",
            ),
            (r#"{"a": NaN}"#, "no JSON object: expected value (column 7)"),
            ("{1: 2}", "no JSON object: key must be a string (column 2)"),
        ] {
            assert_eq!(parse(line.as_bytes()).unwrap_err(), what, "{line}");
        }
        assert!(parse(&b"[".repeat(100_000)).is_err());
        assert!(parse(&[&b"{\"a\":"[..], &b"[".repeat(100_000)].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
