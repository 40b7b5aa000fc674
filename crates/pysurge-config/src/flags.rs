//! A config of one test, made of the flags of a command line: `pysurge run load.py:upload --rate 20 --kwarg size=5`.
//!
//! It is read as a file is, so that a flag means what its key means; errors point at the flags. Nothing is taken for granted here but the load
//! of who gives none.

use crate::diagnostic::{ConfigErrors, Diagnostic};
use crate::item::{Data, Entry, Item, Place};
use crate::overrides;
use crate::scalar::resolve_plain;
use crate::{Config, Source, check};
use pysurge_core::value::Value;
use std::sync::Arc;

/// The keys that give a test its load.
const LOADS: [&str; 5] = ["rate", "stages", "shape", "replay", "users"];

/// What ends a test by itself.
const ENDS: [&str; 5] = ["duration", "iterations", "stages", "shape", "replay"];

/// The rate of a test to which nobody gives a load.
pub const DEFAULT_RATE_PER_S: i64 = 1;

/// How long a test is fired to whose run nobody gives an end.
pub const DEFAULT_DURATION: &str = "30s";

/// One flag of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Where its value goes in the config: `["rate"]`, `["kwargs", "size"]`.
    pub key: Vec<String>,
    /// The value as typed.
    pub text: String,
    /// How the text is read.
    pub kind: FlagKind,
    /// The flag as it is to be shown: `--rate 20`.
    pub shown: String,
}

/// How the text of a flag is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagKind {
    /// It is a text, whatever it looks like.
    Text,
    /// As a scalar without quotes is in a file: a number, or a text.
    Plain,
    /// As YAML, variables and all.
    Yaml,
    /// One more text of a list.
    Item,
}

/// A command line that names what to run in place of a config.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// What is to be run.
    pub target: String,
    /// Keys of the run.
    pub run: Vec<Flag>,
    /// Keys of the test.
    pub test: Vec<Flag>,
    /// As [`crate::parse_with`] takes them; put over all of it.
    pub overrides: Vec<String>,
}

/// What was put in because nobody said it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Assumed {
    /// The rate is [`DEFAULT_RATE_PER_S`].
    pub rate: bool,
    /// The duration is [`DEFAULT_DURATION`].
    pub duration: bool,
}

/// Reads flags as a config, which is called `name` unless they say otherwise; `env` looks up an environment variable.
pub fn from_flags(
    name: &str,
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Config, Assumed), ConfigErrors> {
    let source = Arc::new(Source {
        name: flags.target.clone(),
        text: String::new(),
    });
    let mut diagnostics = Vec::new();
    let mut test = empty(Place::Flag(flags.target.as_str().into()));
    put(
        &mut test,
        &["test".to_owned()],
        at(&flags.target, text(&flags.target)),
    );
    let mut root = empty(Place::Flag(flags.target.as_str().into()));
    for (item, flags) in [(&mut root, &flags.run), (&mut test, &flags.test)] {
        for flag in flags {
            if let Some(value) = value_of(flag, env, &mut diagnostics) {
                put_flag(item, flag, value);
            }
        }
    }
    put(
        &mut root,
        &["tests".to_owned()],
        Item {
            place: test.place.clone(),
            data: Data::List(vec![test]),
        },
    );
    overrides::apply(&mut root, &flags.overrides, env, &mut diagnostics);
    let assumed = assume(&mut root);
    Ok((check(source, name.to_owned(), root, diagnostics)?, assumed))
}

fn value_of(
    flag: &Flag,
    env: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Item> {
    match flag.kind {
        FlagKind::Text | FlagKind::Item => Some(at(&flag.shown, text(&flag.text))),
        FlagKind::Plain => {
            let value = resolve_plain(flag.text.trim()).unwrap_or_else(|_| Value::Str(flag.text.clone()));
            Some(at(&flag.shown, Item::from_value(&value)))
        }
        FlagKind::Yaml => {
            let place = Place::Flag(flag.shown.as_str().into());
            match overrides::value_of(&flag.text, &place, env, diagnostics) {
                Ok(item) => Some(item),
                Err(error) => {
                    diagnostics.push(error.at(place, ""));
                    None
                }
            }
        }
    }
}

fn text(text: &str) -> Item {
    Item::from_value(&Value::Str(text.to_owned()))
}

fn at(shown: &str, mut item: Item) -> Item {
    item.relocate(&Place::Flag(shown.into()));
    item
}

fn empty(place: Place) -> Item {
    Item {
        place,
        data: Data::Map(Vec::new()),
    }
}

fn put_flag(item: &mut Item, flag: &Flag, value: Item) {
    if flag.kind != FlagKind::Item {
        return put(item, &flag.key, value);
    }
    let place = value.place.clone();
    let key = flag.key.first().map_or("", String::as_str);
    if let Some(entry) = item.entry_mut(key)
        && let Data::List(items) = &mut entry.item.data
    {
        return items.push(value);
    }
    let data = Data::List(vec![value]);
    put(item, &flag.key, Item { place, data });
}

/// Puts a value at a path of keys; a later one wins.
fn put(item: &mut Item, key: &[String], value: Item) {
    let Some((first, rest)) = key.split_first() else {
        *item = value;
        return;
    };
    let place = value.place.clone();
    if item.entry(first).is_none()
        && let Data::Map(entries) = &mut item.data
    {
        entries.push(Entry {
            key: Value::Str(first.clone()),
            key_place: place.clone(),
            item: empty(place),
        });
    }
    if let Some(entry) = item.entry_mut(first) {
        put(&mut entry.item, rest, value);
    }
}

/// Gives a test without a load one, and a run without an end too.
fn assume(root: &mut Item) -> Assumed {
    let has = |keys: &[&str]| {
        let test = root.entry("tests").and_then(|tests| tests.item.at(0));
        let defaults = root.entry("defaults").map(|defaults| &defaults.item);
        let places = [test, defaults];
        keys.iter()
            .any(|key| places.iter().flatten().any(|place| place.entry(key).is_some()))
    };
    let assumed = Assumed {
        rate: !has(&LOADS),
        duration: !has(&ENDS) && root.entry("duration").is_none(),
    };
    if assumed.rate
        && let Some(tests) = root.entry_mut("tests")
        && let Data::List(items) = &mut tests.item.data
    {
        for test in items {
            put(
                test,
                &["rate".to_owned()],
                Item::from_value(&Value::Int(DEFAULT_RATE_PER_S)),
            );
        }
    }
    if assumed.duration {
        put(root, &["duration".to_owned()], text(DEFAULT_DURATION));
    }
    assumed
}
