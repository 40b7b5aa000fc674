//! Errors that only a worker can find, joined to the place in the config that they are about.

use crate::diagnostic::Diagnostic;
use crate::item::{Data, Entry, Item};
use pysurge_core::value::Value;
use pysurge_core::wire::{LoadError, LoadFault};
use std::ops::Range;

/// What is to be told of test `position`.
pub(crate) fn diagnostic(root: &Item, position: usize, error: &LoadError) -> Diagnostic {
    let test = root.entry("tests").and_then(|tests| tests.item.at(position));
    let key = match error.fault {
        LoadFault::NotFound | LoadFault::Import | LoadFault::NotATestCase | LoadFault::Instance => {
            "test_class"
        }
        LoadFault::Kwargs => "kwargs",
    };
    let path = format!("tests[{position}]");
    let (span, path) = match test.and_then(|test| test.entry(key)) {
        Some(entry) if key == "kwargs" => match refused_keyword(entry, &error.message) {
            Some((span, name)) => (span, format!("{path}.{key}.{name}")),
            None => (entry.key_span.clone(), format!("{path}.{key}")),
        },
        Some(entry) => (entry.item.span.clone(), format!("{path}.{key}")),
        None => (test.and_then(|test| test.span.clone()), path),
    };
    let mut diagnostic = Diagnostic::error(&error.message).at(span, path);
    diagnostic.hint.clone_from(&error.hint);
    diagnostic.detail.clone_from(&error.traceback);
    diagnostic
}

/// The keyword that `__init__` refused, where Python's message names one of those written.
fn refused_keyword<'a>(kwargs: &'a Entry, message: &str) -> Option<(Option<Range<usize>>, &'a str)> {
    let Data::Map(entries) = &kwargs.item.data else {
        return None;
    };
    let (_, after) = message.split_once("unexpected keyword argument '")?;
    let (refused, _) = after.split_once('\'')?;
    entries.iter().find_map(|entry| match &entry.key {
        Value::Str(name) if name == refused => Some((entry.key_span.clone(), name.as_str())),
        _ => None,
    })
}
