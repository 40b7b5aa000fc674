//! Items back into YAML: the config of a run as it was resolved, to be read again by us or by `PyYAML`.
//!
//! What came from the environment is written as it stood in the file (`${TOKEN}`), so that no secret reaches a disk.
//! Aliases and merges are written out. Objects that YAML cannot hold become a tag that is refused when read.

use crate::bytes;
use crate::env;
use crate::item::{Data, Entry, Item, Scalar, Template};
use crate::scalar::resolve_plain;
use pysurge_core::value::Value;
use std::fmt::Write;

/// Marks a Python object that a file cannot hold.
pub(crate) const PICKLED_TAG: &str = "!pickled";

/// The longest key that is written before a `:`; YAML allows 1024 characters, with all escapes.
const MAX_SIMPLE_KEY_BYTES: usize = 128;

/// The whole document.
pub(crate) fn document(root: &Item) -> String {
    let mut writer = Writer { out: String::new() };
    writer.block(root, 0, false);
    writer.out
}

struct Writer {
    out: String,
}

impl Writer {
    /// Writes a value after a key or at the start of a line, and ends the line. `inline` is where the line has begun
    /// with `- `, so that a mapping starts on it.
    fn block(&mut self, item: &Item, indent: usize, inline: bool) {
        match &item.data {
            Data::Map(entries) if !entries.is_empty() => {
                for (i, entry) in entries.iter().enumerate() {
                    if i > 0 || !inline {
                        self.indent(indent);
                    }
                    self.entry(entry, indent);
                }
            }
            Data::List(items) if !items.is_empty() => {
                for (i, item) in items.iter().enumerate() {
                    if i > 0 || !inline {
                        self.indent(indent);
                    }
                    self.out.push_str("- ");
                    self.block(item, indent + 2, true);
                }
            }
            Data::Map(_) => self.out.push_str("{}\n"),
            Data::List(_) => self.out.push_str("[]\n"),
            Data::Scalar(scalar) => {
                self.scalar(scalar);
                self.out.push('\n');
            }
            Data::Broken => self.out.push_str("~\n"),
        }
    }

    fn entry(&mut self, entry: &Entry, indent: usize) {
        let start = self.out.len();
        self.value(&entry.key, false);
        if self.out.len() - start > MAX_SIMPLE_KEY_BYTES {
            self.out.insert_str(start, "? ");
            self.out.push('\n');
            self.indent(indent);
        }
        self.out.push(':');
        match &entry.item.data {
            Data::Map(entries) if !entries.is_empty() => {
                self.out.push('\n');
                self.block(&entry.item, indent + 2, false);
            }
            // As usual, the entries of a list stand below its key.
            Data::List(items) if !items.is_empty() => {
                self.out.push('\n');
                self.block(&entry.item, indent, false);
            }
            _ => {
                self.out.push(' ');
                self.block(&entry.item, indent, true);
            }
        }
    }

    fn scalar(&mut self, scalar: &Scalar) {
        let Some(Template { text, tag }) = &scalar.template else {
            return self.value(&scalar.value, true);
        };
        if let Some(tag) = tag {
            self.out.push_str(tag);
            self.out.push(' ');
        }
        // Where the text has a line break it is a string either way, and a plain one cannot be written on one line.
        if scalar.plain && !text.contains('\n') {
            self.out.push_str(text);
        } else {
            self.quoted(text);
        }
    }

    /// Writes a value that is no list or mapping; in keys there are no variables, so nothing is escaped there.
    fn value(&mut self, value: &Value, variables: bool) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => self.write(format_args!("{value}")),
            Value::BigInt(digits) => self.out.push_str(digits),
            Value::Float(value) => self.float(*value),
            Value::Date(text) => self.out.push_str(text),
            Value::DateTime(text) => match resolve_plain(text) {
                Ok(Value::DateTime(_)) => self.out.push_str(text),
                // An offset with seconds: rather refused when read than read as a string.
                _ => self.write(format_args!("!!timestamp \"{text}\"")),
            },
            Value::Bytes(bytes) => self.write(format_args!("!!binary \"{}\"", bytes::to_base64(bytes))),
            Value::Pickled(bytes) => self.write(format_args!("{PICKLED_TAG} \"{} bytes\"", bytes.len())),
            Value::Str(text) if is_safe_plain(text) => self.out.push_str(text),
            Value::Str(text) if variables => self.quoted(&env::escape(text)),
            Value::Str(text) => self.quoted(text),
            // Only as keys, which neither YAML nor a Python dict can have.
            Value::List(_) | Value::Map(_) => self.quoted(&value.to_string()),
        }
    }

    /// A float as YAML 1.1 wants it: always with a dot, and a sign in the exponent.
    fn float(&mut self, value: f64) {
        if value.is_nan() {
            return self.out.push_str(".nan");
        }
        if value.is_infinite() {
            return self.out.push_str(if value > 0.0 { ".inf" } else { "-.inf" });
        }
        let text = format!("{value:?}");
        let Some((mantissa, exponent)) = text.split_once('e') else {
            return self.out.push_str(&text);
        };
        let dot = if mantissa.contains('.') { "" } else { ".0" };
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        self.write(format_args!("{mantissa}{dot}e{sign}{exponent}"));
    }

    fn quoted(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                '\r' => self.out.push_str("\\r"),
                ' '..='~' => self.out.push(c),
                c if c.is_alphanumeric() => self.out.push(c),
                c if u32::from(c) < 0x1_0000 => self.write(format_args!("\\u{:04x}", u32::from(c))),
                c => self.write(format_args!("\\U{:08x}", u32::from(c))),
            }
        }
        self.out.push('"');
    }

    fn indent(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.out
            .write_fmt(arguments)
            .expect("writing to a string does not fail");
    }
}

/// Whether a string can stand without quotes: of harmless characters only, and taken for a string by YAML.
fn is_safe_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-./+".contains(&b))
        && matches!(resolve_plain(text), Ok(Value::Str(_)))
}
