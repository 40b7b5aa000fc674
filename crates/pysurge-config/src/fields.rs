//! Reads the keys of one mapping: asks for each by name, and in the end tells which are missing and which are unknown.
//!
//! The known keys are those that were asked for, so that a new key of the config is one line in [`crate::form`].

use crate::diagnostic::Diagnostic;
use crate::item::{Data, Entry, Item};
use crate::resolve::shorten;
use pysurge_core::value::Value;
use std::ops::Range;

/// How alike two keys must be (1 is equal) for "did you mean"; two letters of five may differ.
const ALIKE: f64 = 0.6;

/// What a mapping is called in messages, and what is said of keys that it does not know.
pub(crate) struct Wording {
    /// `this test`
    pub(crate) whole: &'static str,
    /// More about unknown keys, after the list of the known ones; may be empty.
    pub(crate) about_unknown: &'static str,
    /// A prefix of keys that are the user's own and are not read.
    pub(crate) own_prefix: Option<&'static str>,
}

/// A mapping that is being read.
pub(crate) struct Fields<'a> {
    item: &'a Item,
    entries: &'a [Entry],
    path: String,
    wording: &'a Wording,
    asked: Vec<&'static str>,
    missing: Vec<(&'static str, &'static str)>,
}

/// One key's value, ready to be read.
pub(crate) struct Field<'a> {
    pub(crate) path: String,
    pub(crate) item: &'a Item,
    key_span: Option<Range<usize>>,
}

impl<'a> Fields<'a> {
    /// Starts to read; `None` where the item is no mapping.
    pub(crate) fn of(item: &'a Item, path: impl Into<String>, wording: &'a Wording) -> Option<Self> {
        let Data::Map(entries) = &item.data else {
            return None;
        };
        Some(Self {
            item,
            entries,
            path: path.into(),
            wording,
            asked: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// The value of a key that must be there; `example` shows how it is written.
    pub(crate) fn required(&mut self, name: &'static str, example: &'static str) -> Option<Field<'a>> {
        let field = self.optional(name);
        if field.is_none() {
            self.missing.push((name, example));
        }
        field
    }

    /// The value of a key that may be there.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.asked.push(name);
        self.item.entry(name).map(|entry| Field {
            path: join(&self.path, name),
            item: &entry.item,
            key_span: entry.key_span.clone(),
        })
    }

    /// Tells what is missing and what is unknown. A missing key that an unknown one was probably meant for is told once.
    pub(crate) fn finish(self, diagnostics: &mut Vec<Diagnostic>) {
        let mut meant = Vec::new();
        for entry in self.entries {
            if let Some(error) = self.unknown(entry, &mut meant) {
                diagnostics.push(error);
            }
        }
        for (name, example) in &self.missing {
            if !meant.contains(name) {
                diagnostics.push(
                    Diagnostic::error(format!("{} has no `{name}`", self.wording.whole))
                        .at(self.item.span.clone(), &self.path)
                        .hint(if example.contains('\n') {
                            format!("add\n{example}")
                        } else {
                            format!("add `{example}`")
                        }),
                );
            }
        }
    }

    fn unknown(&self, entry: &Entry, meant: &mut Vec<&'static str>) -> Option<Diagnostic> {
        let written = match &entry.key {
            Value::Str(text) if self.asked.contains(&text.as_str()) => return None,
            Value::Str(text) => text.clone(),
            other => other.to_string(),
        };
        if self
            .wording
            .own_prefix
            .is_some_and(|prefix| written.starts_with(prefix))
        {
            return None;
        }
        let hint = match self.closest(&written) {
            Some(name) => {
                meant.push(name);
                format!("did you mean `{name}`?")
            }
            None => self.known(),
        };
        Some(
            Diagnostic::error(format!("unknown key `{}`", shorten(&written)))
                .at(entry.key_span.clone(), join(&self.path, &shorten(&written)))
                .hint(hint),
        )
    }

    fn known(&self) -> String {
        let names: Vec<String> = self.asked.iter().map(|name| format!("`{name}`")).collect();
        let about = self.wording.about_unknown;
        match names.as_slice() {
            [only] => format!("the only key here is {only}{about}"),
            _ => format!("the keys here are {}{about}", names.join(", ")),
        }
    }

    /// The known key, not written here yet, that is most like an unknown one.
    fn closest(&self, written: &str) -> Option<&'static str> {
        let written = written.to_lowercase().replace('-', "_");
        let likeness = |name: &str| {
            let part = written.len() >= 3 && (name.contains(&written) || written.contains(name));
            let likeness = strsim::normalized_damerau_levenshtein(&written, name);
            if part { likeness.max(ALIKE) } else { likeness }
        };
        self.asked
            .iter()
            .filter(|name| self.item.entry(name).is_none())
            .map(|name| (likeness(name), *name))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name)
    }
}

impl Field<'_> {
    /// An error about the value, marked at the value, or at its key where nothing was written.
    pub(crate) fn error(&self, title: impl Into<String>) -> Diagnostic {
        let written = self.item.span.clone().filter(|span| !span.is_empty());
        Diagnostic::error(title).at(written.or_else(|| self.key_span.clone()), &self.path)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
