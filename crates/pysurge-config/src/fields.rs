//! Reads the keys of one mapping: asks for each by name, and in the end tells which are missing and which are unknown.
//!
//! The known keys are those that were asked for, so that a new key of the config is one line in [`crate::form`].

use crate::alike::closest;
use crate::diagnostic::Diagnostic;
use crate::item::{Data, Entry, Item, Place, Scalar};
use crate::resolve::shorten;
use pysurge_core::value::Value;

/// Unknown keys of one mapping that get a hint: no more of them are shown, and a hint takes time.
const MAX_HINTS: usize = 20;

/// What a mapping is called in messages, and what is said of keys that it does not know.
pub(crate) struct Wording {
    /// `this test`
    pub(crate) whole: &'static str,
    /// More about unknown keys, after the list of the known ones; may be empty.
    pub(crate) about_unknown: &'static str,
    /// A prefix of keys that are the user's own and are not read.
    pub(crate) own_prefix: Option<&'static str>,
    /// What is to be said of a key that belongs somewhere else.
    pub(crate) elsewhere: fn(&str) -> Option<String>,
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

/// One value, ready to be read: of a key, or of a place in a list.
pub(crate) struct Field<'a> {
    pub(crate) path: String,
    /// As messages call it.
    pub(crate) name: String,
    pub(crate) item: &'a Item,
    key_place: Place,
}

/// A key that stands there, read.
#[derive(Debug, Clone)]
pub(crate) struct Given<T> {
    pub(crate) name: String,
    /// `None` where it is wrong, which was told.
    pub(crate) value: Option<T>,
    /// Whether it comes from `defaults`.
    pub(crate) inherited: bool,
    pub(crate) path: String,
    pub(crate) place: Place,
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
        self.require(name, example);
        field
    }

    /// Says that a key must be there that was asked for already.
    pub(crate) fn require(&mut self, name: &'static str, example: &'static str) {
        if self.item.entry(name).is_none() {
            self.missing.push((name, example));
        }
    }

    /// The value of a key that may be there.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.asked.push(name);
        self.item
            .entry(name)
            .map(|entry| Field::of_entry(entry, name, &self.path))
    }

    /// Reads the value of a key that may be there.
    pub(crate) fn read<T>(
        &mut self,
        name: &'static str,
        diagnostics: &mut Vec<Diagnostic>,
        read: impl FnOnce(&Field<'a>, &mut Vec<Diagnostic>) -> Option<T>,
    ) -> Option<Given<T>> {
        let field = self.optional(name)?;
        let value = read(&field, diagnostics);
        Some(Given {
            value,
            inherited: false,
            place: field.place(),
            name: field.name,
            path: field.path,
        })
    }

    /// The keys that were asked for.
    pub(crate) fn asked(&self) -> &[&'static str] {
        &self.asked
    }

    /// Tells what is missing and what is unknown; gives the keys that unknown ones were probably meant for. A missing key that an
    /// unknown one was meant for is told once.
    pub(crate) fn finish(self, diagnostics: &mut Vec<Diagnostic>) -> Vec<&'static str> {
        let mut meant = Vec::new();
        let free: Vec<&'static str> = self
            .asked
            .iter()
            .copied()
            .filter(|name| self.item.entry(name).is_none())
            .collect();
        let mut hints = MAX_HINTS;
        for entry in self.entries {
            if let Some(error) = self.unknown(entry, &free, &mut hints, &mut meant) {
                diagnostics.push(error);
            }
        }
        for (name, example) in &self.missing {
            if !meant.contains(name) {
                diagnostics.push(
                    Diagnostic::error(format!("{} has no `{name}`", self.wording.whole))
                        .at(self.item.place.clone(), &self.path)
                        .hint(if example.contains('\n') {
                            format!("add\n{example}")
                        } else {
                            format!("add `{example}`")
                        }),
                );
            }
        }
        meant
    }

    /// `free` are the keys that do not stand there; `hints` says how many hints may still be given.
    fn unknown(
        &self,
        entry: &Entry,
        free: &[&'static str],
        hints: &mut usize,
        meant: &mut Vec<&'static str>,
    ) -> Option<Diagnostic> {
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
        let error = Diagnostic::error(format!("unknown key `{}`", shorten(&written)))
            .at(entry.key_place.clone(), join(&self.path, &shorten(&written)));
        let Some(left) = hints.checked_sub(1) else {
            return Some(error);
        };
        *hints = left;
        let hint = (self.wording.elsewhere)(&written).unwrap_or_else(|| {
            // On the command line a key that stands in the file may well be meant.
            let possible = match entry.key_place {
                Place::Flag(_) => &self.asked,
                _ => free,
            };
            match closest(&written, possible.iter().copied()) {
                Some(name) => {
                    meant.extend(self.asked.iter().find(|asked| **asked == name));
                    format!("did you mean `{name}`?")
                }
                None => self.known(),
            }
        });
        Some(error.hint(hint))
    }

    fn known(&self) -> String {
        let names: Vec<String> = self.asked.iter().map(|name| format!("`{name}`")).collect();
        let about = self.wording.about_unknown;
        match names.as_slice() {
            [only] => format!("the only key here is {only}{about}"),
            _ => format!("the keys here are {}{about}", names.join(", ")),
        }
    }
}

impl<'a> Field<'a> {
    /// The value of a mapping's entry, whose name is a string.
    pub(crate) fn of_entry(entry: &'a Entry, name: &str, path: &str) -> Self {
        Self {
            path: join(path, name),
            name: name.to_owned(),
            item: &entry.item,
            key_place: entry.key_place.clone(),
        }
    }

    /// The values of a list.
    pub(crate) fn entries(&self, items: &'a [Item]) -> impl Iterator<Item = Field<'a>> {
        items.iter().enumerate().map(|(i, item)| Field {
            path: format!("{}[{i}]", self.path),
            name: format!("{}[{i}]", self.name),
            item,
            key_place: Place::Unknown,
        })
    }

    /// The scalar, where it is one.
    pub(crate) fn scalar(&self) -> Option<&'a Scalar> {
        match &self.item.data {
            Data::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// An error about the value, marked at the value, or at its key where nothing was written.
    pub(crate) fn error(&self, title: impl Into<String>) -> Diagnostic {
        Diagnostic::error(title).at(self.place(), &self.path)
    }

    /// As [`Field::error`], and shows the value where the mark does not: what a variable stands for, what a dict holds.
    pub(crate) fn value_error(&self, title: impl Into<String>) -> Diagnostic {
        let error = self.error(title);
        let Some(scalar) = self.scalar() else {
            return error;
        };
        match (&scalar.template, &self.item.place) {
            (Some(_), _) if scalar.value == Value::Null => error.label("stands for nothing"),
            (Some(_), _) => error.label(format!("stands for {}", shorten(&scalar.value.to_string()))),
            (None, Place::Unknown) => error.label(format!("it is {}", shorten(&scalar.value.to_string()))),
            (None, _) => error,
        }
    }

    /// Tells that the value is of the wrong kind; what is broken was told before. `wanted` is `a number`.
    pub(crate) fn tell_kind(&self, wanted: &str, hint: &str, diagnostics: &mut Vec<Diagnostic>) {
        let name = &self.name;
        let error = match &self.item.data {
            Data::Broken => return,
            _ if self.item.is_null() => self.value_error(format!("`{name}` has no value")),
            _ => self.value_error(format!("`{name}` must be {wanted}, this is {}", self.item.kind())),
        };
        diagnostics.push(error.hint(hint));
    }

    fn place(&self) -> Place {
        self.item.place.or(&self.key_place)
    }
}

impl<T> Given<T> {
    /// An error about the key and its value together with others.
    pub(crate) fn error(&self, title: impl Into<String>) -> Diagnostic {
        Diagnostic::error(title).at(self.place.clone(), &self.path)
    }

    /// The same without its value.
    pub(crate) fn bare(&self) -> Given<()> {
        Given {
            name: self.name.clone(),
            value: self.value.as_ref().map(|_| ()),
            inherited: self.inherited,
            path: self.path.clone(),
            place: self.place.clone(),
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
