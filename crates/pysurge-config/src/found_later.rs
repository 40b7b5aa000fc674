//! Errors that are found after the config was read, joined to the place in the config that they are about.

use crate::diagnostic::Diagnostic;
use crate::item::{Data, Entry, Item, Place};
use pysurge_core::plan::TestPlan;
use pysurge_core::span::format_span_plain;
use pysurge_core::value::Value;
use pysurge_core::wire::{LoadError, LoadFault};

/// What is to be told of a test that could not be loaded.
pub(crate) fn diagnostic(root: &Item, test: Test, error: &LoadError) -> Diagnostic {
    let (place, path) = match error.fault {
        LoadFault::NotFound
        | LoadFault::Import
        | LoadFault::NotATestCase
        | LoadFault::Instance
        | LoadFault::Collect => test.target(root),
        LoadFault::Kwargs => kwargs(root, test, refused_keyword(&error.message)),
        LoadFault::Shape => test.value(root, "shape").unwrap_or_else(|| test.place(root)),
        LoadFault::Replay => file_of(root, test, "replay", "file"),
        LoadFault::Data => file_of(root, test, "data", "from"),
    };
    let mut diagnostic = Diagnostic::error(&error.message).at(place, path);
    diagnostic.hint.clone_from(&error.hint);
    diagnostic.detail.clone_from(&error.traceback);
    diagnostic
}

/// The keyword that was refused, where the config has it, else all of them; what is missing is missing from the test.
fn kwargs(root: &Item, test: Test, refused: Option<&str>) -> (Place, String) {
    let Some((entry, path)) = test.key(root, "kwargs", refused) else {
        return test.target(root);
    };
    match refused.and_then(|refused| Some((keyword(entry, refused)?, refused))) {
        Some((place, refused)) => (place, format!("{path}.{refused}")),
        None => (entry.key_place.clone(), path),
    }
}

/// One test of the config.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Test {
    /// Where it stands among those that were selected.
    pub(crate) index: usize,
    /// Where it stood in the file.
    pub(crate) position: usize,
}

impl Test {
    fn item(self, root: &Item) -> Option<&Item> {
        root.entry("tests").and_then(|tests| tests.item.at(self.index))
    }

    fn place(self, root: &Item) -> (Place, String) {
        let place = self.item(root).map_or(Place::Unknown, |test| test.place.clone());
        (place, format!("tests[{}]", self.position))
    }

    /// What it runs: its own, or that of `defaults`.
    pub(crate) fn target(self, root: &Item) -> (Place, String) {
        let own = |key: &&str| self.item(root).is_some_and(|test| test.entry(key).is_some());
        let keys = ["test", "test_class"];
        let key = keys.into_iter().find(|key| own(key));
        let found = key.or_else(|| keys.into_iter().find(|key| self.key(root, key, None).is_some()));
        let found = found.and_then(|key| self.value(root, key));
        found.unwrap_or_else(|| self.place(root))
    }

    /// Where the value of a key stands.
    pub(crate) fn value(self, root: &Item, key: &str) -> Option<(Place, String)> {
        let (entry, path) = self.key(root, key, None)?;
        Some((entry.item.place.clone(), path))
    }

    /// The entry of a key, the test's own or that of `defaults`; where a keyword is looked for, the one that has it.
    fn key<'a>(self, root: &'a Item, key: &str, refused: Option<&str>) -> Option<(&'a Entry, String)> {
        let own = self.item(root).and_then(|test| test.entry(key));
        let own = own.map(|entry| (entry, format!("tests[{}].{key}", self.position)));
        let defaults = root
            .entry("defaults")
            .and_then(|defaults| defaults.item.entry(key));
        let defaults = defaults.map(|entry| (entry, format!("defaults.{key}")));
        let has = |(entry, _): &(&Entry, String)| refused.is_none_or(|name| keyword(entry, name).is_some());
        let found = [own.as_ref(), defaults.as_ref()]
            .into_iter()
            .flatten()
            .find(|found| has(found));
        found.cloned().or(own).or(defaults)
    }
}

/// The file of a `replay` or of `data`, however it is written.
fn file_of(root: &Item, test: Test, key: &str, inner: &str) -> (Place, String) {
    let Some((entry, path)) = test.key(root, key, None) else {
        return test.place(root);
    };
    match entry.item.entry(inner) {
        Some(file) => (file.item.place.clone(), format!("{path}.{inner}")),
        None => (entry.item.place.clone(), path),
    }
}

/// The keyword that `__init__` refused, where Python's message names one.
fn refused_keyword(message: &str) -> Option<&str> {
    let (_, after) = message.split_once("unexpected keyword argument '")?;
    Some(after.split_once('\'')?.0)
}

/// Where a keyword is written.
fn keyword(kwargs: &Entry, keyword: &str) -> Option<Place> {
    let Data::Map(entries) = &kwargs.item.data else {
        return None;
    };
    let is_it = |entry: &&Entry| matches!(&entry.key, Value::Str(name) if name == keyword);
    entries.iter().find(is_it).map(|entry| entry.key_place.clone())
}

/// What is to be told of a test that a run of this duration does not run, or not beyond its warm-up.
pub(crate) fn too_short(root: &Item, test: Test, plan: &TestPlan, run_ns: u64) -> Option<Diagnostic> {
    let (key, title) = if plan.start_delay_ns >= run_ns {
        (
            "start_delay",
            "`start_delay` is not shorter than the run: the test would not start",
        )
    } else if plan.warmup_ends_ns() >= run_ns {
        (
            "warmup",
            "`warmup` is not shorter than the run: nothing would be measured",
        )
    } else {
        return None;
    };
    let (place, path) = test.value(root, key).unwrap_or_else(|| test.place(root));
    let hint = format!("the run takes {}: make it longer", format_span_plain(run_ns));
    Some(Diagnostic::error(title).at(place, path).hint(hint))
}
