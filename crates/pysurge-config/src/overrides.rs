//! `-o key.path=value`: values of the command line put over those of the file, before its form is read.
//!
//! A path is keys with dots between, `[n]` or `.n` for a place in a list and `[*]` for all of them; a test may stand there by its
//! name, by what it runs, or by the last part of that. A key with dots, `=` or `[` in it stands in double quotes. The value is
//! YAML, as in the file, variables and all. Mappings that are not there are made; lists do not grow.

use crate::alike;
use crate::diagnostic::{Diagnostic, Fatal};
use crate::item::{Data, Entry, Item, Place, Scalar};
use crate::resolve::{resolve, shorten};
use crate::select;
use crate::syntax::{self, MAX_DEPTH};
use pysurge_core::plan::Target;
use pysurge_core::value::Value;
use std::ops::Range;

const EXAMPLE: &str = "write a key, `=` and a value, such as `-o duration=5m` or `-o 'tests[0].rate=5'`";

/// The most of an override that an error repeats; kwargs may be long.
const MAX_SHOWN_CHARS: usize = 60;

/// Puts the overrides over a config, one after the other; what is wrong with them is told.
pub(crate) fn apply(
    root: &mut Item,
    overrides: &[String],
    env: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let broken_before = broken_spans(root);
    let found_before = diagnostics.len();
    for text in overrides {
        let place = Place::Flag(shown(text).into());
        if let Err(error) = apply_one(root, text, &place, env, diagnostics) {
            diagnostics.push(error.at(place, ""));
        }
    }
    let broken = broken_spans(root);
    let is_mended = |span: &Range<usize>| {
        let holds = |whole: &Range<usize>| whole.start <= span.start && span.end <= whole.end;
        broken_before.iter().any(holds) && !broken.iter().any(holds)
    };
    let mut index = 0;
    diagnostics.retain(|diagnostic| {
        index += 1;
        index > found_before || !diagnostic.span.as_ref().is_some_and(is_mended)
    });
}

/// Where values of the file stand that have none, such as variables that are not set; an override may give one.
fn broken_spans(item: &Item) -> Vec<Range<usize>> {
    match &item.data {
        Data::Broken => item.place.span().into_iter().collect(),
        Data::Scalar(_) => Vec::new(),
        Data::List(items) => items.iter().flat_map(broken_spans).collect(),
        Data::Map(entries) => entries
            .iter()
            .flat_map(|entry| broken_spans(&entry.item))
            .collect(),
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((at, _)) => format!("-o {}…", &text[..at]),
        None => format!("-o {text}"),
    }
}

fn apply_one(
    root: &mut Item,
    text: &str,
    place: &Place,
    env: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), Fatal> {
    let (segments, value) = path(text)?;
    let value = value_of(value, place, env, diagnostics)?;
    let setter = Setter {
        value: &value,
        place,
        target: root.entry("defaults").and_then(|entry| target_of(&entry.item)),
    };
    setter.set(root, &segments, "")
}

/// The value as it would be in the file.
pub(crate) fn value_of(
    text: &str,
    place: &Place,
    env: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Item, Fatal> {
    let mut found = Vec::new();
    let resolved = syntax::parse(text).and_then(|tree| match tree {
        Some(tree) => resolve(&tree, text, env, &mut found),
        None => Ok(Item::from_value(&Value::Null)),
    });
    for diagnostic in found {
        diagnostics.push(Diagnostic {
            related: None,
            ..diagnostic.at(place.clone(), "")
        });
    }
    let mut item = resolved?;
    if item.is_null() && text.trim_start().starts_with('#') {
        let error = Diagnostic::error("a value that starts with `#` is a comment");
        return Err(error.hint("put it in quotes: `-o 'key=\"#text\"'`").into());
    }
    item.relocate(place);
    Ok(item)
}

/// A step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Key { text: String, quoted: bool },
    Index(usize),
    All,
}

impl Segment {
    /// The place in a list that it means, where it means one.
    fn index(&self) -> Option<usize> {
        match self {
            Self::Index(index) => Some(*index),
            Self::Key { text, quoted: false } if text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().ok()
            }
            Self::Key { .. } | Self::All => None,
        }
    }

    fn is_all(&self) -> bool {
        match self {
            Self::All => true,
            Self::Key { text, quoted } => text == "*" && !quoted,
            Self::Index(_) => false,
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Key { text, .. } => shorten(text),
            Self::Index(index) => format!("[{index}]"),
            Self::All => "[*]".to_owned(),
        }
    }
}

/// Takes an override apart: its path and the text of its value.
fn path(text: &str) -> Result<(Vec<Segment>, &str), Fatal> {
    let bad = || Diagnostic::error("this is no `key=value`").hint(EXAMPLE);
    let mut segments = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (segment, after) = key(rest).ok_or_else(bad)?;
        segments.push(segment);
        rest = after;
        while let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']').ok_or_else(bad)?;
            segments.push(match index.trim() {
                "*" => Segment::All,
                number => Segment::Index(number.parse().map_err(|_| bad())?),
            });
            rest = after;
        }
        if segments.len() > MAX_DEPTH {
            let title = format!("the path is longer than {MAX_DEPTH} keys");
            return Err(Diagnostic::error(title).into());
        }
        if let Some(value) = rest.strip_prefix('=') {
            return Ok((segments, value));
        }
        rest = rest.strip_prefix('.').ok_or_else(bad)?;
    }
}

/// The key that a text starts with, and what follows.
fn key(text: &str) -> Option<(Segment, &str)> {
    let (key, after, quoted) = if let Some(inside) = text.strip_prefix('"') {
        let (key, after) = inside.split_once('"')?;
        (key, after, true)
    } else {
        let (key, after) = text.split_at(text.find(['.', '[', '='])?);
        (key.trim(), after, false)
    };
    let text = key.to_owned();
    (!key.is_empty()).then_some((Segment::Key { text, quoted }, after))
}

struct Setter<'a> {
    value: &'a Item,
    place: &'a Place,
    /// What the tests run that do not say it.
    target: Option<Target>,
}

impl Setter<'_> {
    /// Puts the value to where the rest of the path leads from an item, which stands at `at`.
    fn set(&self, item: &mut Item, segments: &[Segment], at: &str) -> Result<(), Fatal> {
        let Some((segment, rest)) = segments.split_first() else {
            *item = self.value.clone();
            return Ok(());
        };
        if item.is_null() && !segment.is_all() && !matches!(segment, Segment::Index(_)) {
            item.data = Data::Map(Vec::new());
            item.place = self.place.clone();
        }
        match (&mut item.data, segment) {
            // What is wrong with it was told.
            (Data::Broken, _) => Ok(()),
            (Data::List(items), _) => {
                let (chosen, taken) = self.choose(items, segments, at)?;
                for index in chosen {
                    self.set(&mut items[index], &segments[taken..], &format!("{at}[{index}]"))?;
                }
                Ok(())
            }
            (Data::Map(entries), Segment::Key { text, .. }) => {
                let is_it = |entry: &Entry| matches!(&entry.key, Value::Str(key) if key == text);
                let index = entries.iter().position(is_it).unwrap_or_else(|| {
                    entries.push(self.empty_entry(text));
                    entries.len() - 1
                });
                let at = if at.is_empty() {
                    text.clone()
                } else {
                    format!("{at}.{text}")
                };
                self.set(&mut entries[index].item, rest, &at)
            }
            (Data::Map(_) | Data::Scalar(_), _) => {
                let whole = if at.is_empty() {
                    "the config".to_owned()
                } else {
                    format!("`{}`", shorten(at))
                };
                let title = format!("{whole} is {}: it has no `{}`", item.kind(), segment.written());
                Err(Diagnostic::error(title).into())
            }
        }
    }

    fn empty_entry(&self, key: &str) -> Entry {
        Entry {
            key: Value::Str(key.to_owned()),
            key_place: self.place.clone(),
            item: Item {
                place: self.place.clone(),
                data: Data::Scalar(Scalar {
                    value: Value::Null,
                    plain: true,
                    template: None,
                }),
            },
        }
    }

    /// The places in a list that a path means, and how many of its steps say so.
    fn choose(&self, items: &[Item], segments: &[Segment], at: &str) -> Result<(Vec<usize>, usize), Fatal> {
        let first = &segments[0];
        if first.is_all() {
            return Ok(((0..items.len()).collect(), 1));
        }
        if let Some(index) = first.index() {
            if index < items.len() {
                return Ok((vec![index], 1));
            }
            let error = Diagnostic::error(format!("`{at}` has no entry {index}"));
            let hint = match items.len() {
                0 => "it is empty".to_owned(),
                1 => "its only entry is 0".to_owned(),
                n => format!("its entries are 0 to {}", n - 1),
            };
            return Err(error.hint(hint).into());
        }
        if at != "tests" {
            let title = format!("`{at}` is a list: it has no `{}`", first.written());
            let error = Diagnostic::error(title);
            return Err(error.hint(format!("write `{at}[0]` or `{at}[*]`")).into());
        }
        self.called(items, segments)
    }

    /// The tests that a path names. The path of a class has dots itself: the longest that is known counts.
    fn called(&self, tests: &[Item], segments: &[Segment]) -> Result<(Vec<usize>, usize), Fatal> {
        let mut names = Vec::new();
        for segment in segments {
            match segment {
                Segment::Key { text, quoted: false } => names.push(text.as_str()),
                Segment::Key { text, quoted: true } if names.is_empty() => {
                    names.push(text);
                    break;
                }
                _ => break,
            }
        }
        for taken in (1..=names.len()).rev() {
            let name = names[..taken].join(".");
            let is_called =
                |test: &Item| select::is_called(&name, name_of(test), self.target_of(test).as_ref());
            let chosen: Vec<usize> = (0..tests.len()).filter(|i| is_called(&tests[*i])).collect();
            if !chosen.is_empty() {
                return Ok((chosen, taken));
            }
        }
        let targets: Vec<Option<Target>> = tests.iter().map(|test| self.target_of(test)).collect();
        let known: Vec<&str> = tests
            .iter()
            .zip(&targets)
            .filter_map(|(test, target)| name_of(test).or_else(|| target.as_ref().map(Target::short_name)))
            .collect();
        let written = segments[0].written();
        let error = Diagnostic::error(format!("no test is called `{written}`"));
        let hint = match alike::closest(&written, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the tests are {}", alike::list(known)),
        };
        Err(error.hint(hint).into())
    }

    fn target_of(&self, test: &Item) -> Option<Target> {
        target_of(test).or_else(|| self.target.clone())
    }
}

/// What a test runs, as far as its text says; whether that is right is looked at later.
fn target_of(test: &Item) -> Option<Target> {
    let written = |key| test.entry(key).and_then(|entry| entry.item.text());
    let class = || written("test_class").map(|path| Target::Class(path.to_owned()));
    let target = written("test").map(|path| Target::parse(path).unwrap_or_else(|_| Target::pytest(path)));
    target.or_else(class)
}

fn name_of(test: &Item) -> Option<&str> {
    test.entry("name").and_then(|entry| entry.item.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> Option<(Vec<String>, &str)> {
        let (segments, value) = path(text).ok()?;
        Some((segments.iter().map(Segment::written).collect(), value))
    }

    #[test]
    fn paths_are_taken_apart() {
        let table: &[(&str, &[&str], &str)] = &[
            ("a=1", &["a"], "1"),
            ("a.b=", &["a", "b"], ""),
            ("a[0].b[*][2]=x=y", &["a", "[0]", "b", "[*]", "[2]"], "x=y"),
            ("a.0.*=x", &["a", "0", "*"], "x"),
            (
                "tests.\"GET /a=b.c\".rate=5",
                &["tests", "GET /a=b.c", "rate"],
                "5",
            ),
            (" a . b = c", &["a", "b"], " c"),
        ];
        for (text, segments, value) in table {
            let segments = segments.iter().map(|segment| (*segment).to_owned()).collect();
            assert_eq!(parts(text), Some((segments, *value)), "{text}");
        }
        for text in [
            "", "a", "=1", "a.=1", ".a=1", "a[x]=1", "a[0=1", "a[0]b=1", "\"a=1", "[0]=1", "a[-1]=1",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(text in "[a\\[\\].=*\"0-9ü ]{0,20}") {
            let _ = path(&text);
        }
    }
}
