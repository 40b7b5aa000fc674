//! Entries that stand for tests of pytest, put in the place of which come the tests that were collected.
//!
//! Each takes its share of the entry's load; how that is shared, core knows. Errors point at the entry.

use crate::diagnostic::{Diagnostic, Fatal};
use crate::found_later::Test;
use crate::item::Item;
use crate::resolve::shorten;
use pysurge_core::plan::{TestPlan, shared};
use pysurge_core::wire::CollectedItem;

/// A test of pytest that is not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its node id.
    pub id: String,
    /// Why, as its marks say.
    pub reason: String,
}

/// The most skipped tests that an error lists.
const MAX_LISTED: usize = 5;

/// The tests that come of one entry, and those of it that are skipped.
pub(crate) fn expanded(
    root: &Item,
    test: Test,
    entry: &TestPlan,
    items: &[CollectedItem],
) -> Result<(Vec<TestPlan>, Vec<Skipped>), Fatal> {
    let skipped: Vec<Skipped> = items
        .iter()
        .filter_map(|item| {
            Some(Skipped {
                id: item.item.id.clone(),
                reason: item.skipped.clone()?,
            })
        })
        .collect();
    if skipped.len() == items.len() {
        let (place, path) = test.target(root);
        return Err(nothing_left(entry, &skipped).at(place, path).into());
    }
    match shared(entry, items) {
        Ok(tests) => Ok((tests, skipped)),
        Err(error) => {
            // Where it has stages, the rate is theirs.
            let keys: &[&str] = if error.key() == "rate" {
                &["rate", "stages"]
            } else {
                &[error.key()]
            };
            let found = keys.iter().find_map(|key| test.value(root, key));
            let (place, path) = found.unwrap_or_else(|| test.target(root));
            let told = Diagnostic::error(error.to_string()).at(place, path);
            Err(told.hint(error.hint()).into())
        }
    }
}

fn nothing_left(entry: &TestPlan, skipped: &[Skipped]) -> Diagnostic {
    let path = shorten(entry.target.path());
    match skipped {
        [] => Diagnostic::error(format!("pytest finds no test in `{path}`"))
            .hint("its tests are functions called test_… in files called test_….py, unless its config says otherwise"),
        [one] => Diagnostic::error(format!("the only test of `{path}` is skipped")).hint(of(one)),
        all => {
            let mut lines: Vec<String> = all.iter().take(MAX_LISTED).map(of).collect();
            if let Some(more @ 1..) = all.len().checked_sub(MAX_LISTED) {
                lines.push(format!("and {more} more"));
            }
            let title = format!("all {} tests of `{path}` are skipped", all.len());
            Diagnostic::error(title).hint(lines.join("\n"))
        }
    }
}

fn of(skipped: &Skipped) -> String {
    format!("{}: {}", shorten(&skipped.id), skipped.reason)
}
