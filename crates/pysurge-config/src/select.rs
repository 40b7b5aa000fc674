//! Which tests of a config are run: `--tag`, `--only` and `--exclude`.
//!
//! A word that names nothing is an error, in `--exclude` too: a slip must not fire what was to be left out.

use crate::alike;
use crate::diagnostic::Diagnostic;
use crate::item::{Data, Entry, Item, Place};
use crate::resolve::shorten;
use pysurge_core::plan::{Model, OpenModel, Plan, Source, Target, TestPlan};
use pysurge_core::value::Value;

/// Which tests to keep. A test's names are its `name`, what it runs as it is written there, and the last part of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only tests that have one of these tags; all where it is empty.
    pub tags: Vec<String>,
    /// Only tests that have one of these as a name or a tag; all where it is empty.
    pub only: Vec<String>,
    /// No test that has one of these as a name or a tag.
    pub exclude: Vec<String>,
}

impl Selection {
    fn keeps(&self, test: &TestPlan) -> bool {
        let any =
            |words: &[String], fits: fn(&str, &TestPlan) -> bool| words.iter().any(|word| fits(word, test));
        (self.tags.is_empty() || any(&self.tags, has_tag))
            && (self.only.is_empty() || any(&self.only, is_meant))
            && !any(&self.exclude, is_meant)
    }
}

/// For each test of a plan whether it is kept.
pub(crate) fn kept(plan: &Plan, selection: &Selection) -> Result<Vec<bool>, Vec<Diagnostic>> {
    let mut unknown = Vec::new();
    for tag in &selection.tags {
        if !plan.tests.iter().any(|test| has_tag(tag, test)) {
            unknown.push(no_such(plan, "--tag", tag));
        }
    }
    for (flag, words) in [("--only", &selection.only), ("--exclude", &selection.exclude)] {
        for word in words {
            if !plan.tests.iter().any(|test| is_meant(word, test)) {
                unknown.push(no_such(plan, flag, word));
            }
        }
    }
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let kept: Vec<bool> = plan.tests.iter().map(|test| selection.keeps(test)).collect();
    if kept.contains(&true) {
        return Ok(kept);
    }
    let flags = [
        ("--tag", &selection.tags),
        ("--only", &selection.only),
        ("--exclude", &selection.exclude),
    ];
    let flags = flags
        .into_iter()
        .flat_map(|(flag, words)| words.iter().map(move |word| format!("{flag} {}", shorten(word))));
    let flags: Vec<String> = flags.collect();
    let place = Place::Flag(flags.join(" ").into());
    let error = Diagnostic::error("no test is left to run").at(place, "");
    Err(vec![error.hint(match plan.tests.len() {
        1 => "the selection leaves out the only test".to_owned(),
        n => format!("the selection leaves out all {n} tests"),
    })])
}

/// Leaves those of a list that are kept.
pub(crate) fn keep<T>(kept: &[bool], list: &mut Vec<T>) {
    let mut kept = kept.iter();
    list.retain(|_| kept.next().copied().unwrap_or(false));
}

/// Writes the seed of a test into it, which else would depend on its position: the config as resolved then still gives the same plan.
pub(crate) fn keep_seed(item: &mut Item, test: &TestPlan) {
    let seed = match &test.model {
        Model::Open(OpenModel {
            source: Source::Replay(_),
            ..
        }) => return,
        Model::Open(open) => open.seed,
        Model::Closed(closed) => closed.seed,
    };
    let Data::Map(entries) = &mut item.data else {
        return;
    };
    if entries
        .iter()
        .all(|entry| entry.key != Value::Str("seed".to_owned()))
    {
        entries.push(Entry {
            key: Value::Str("seed".to_owned()),
            key_place: Place::Unknown,
            item: Item::from_value(
                &i64::try_from(seed).map_or_else(|_| Value::BigInt(seed.to_string()), Value::Int),
            ),
        });
    }
}

fn no_such(plan: &Plan, flag: &str, word: &str) -> Diagnostic {
    let names = plan.tests.iter().map(TestPlan::short_name);
    let tags = plan.tests.iter().flat_map(|test| &test.tags).map(String::as_str);
    let (names, tags) = (unique(names), unique(tags));
    let is_tag = flag == "--tag";
    let title = if is_tag {
        format!("no test has the tag `{}`", shorten(word))
    } else {
        format!("no test has the name or the tag `{}`", shorten(word))
    };
    let mut known = tags.clone();
    if !is_tag {
        known.splice(..0, names.iter().copied());
    }
    let meant = match alike::closest(word, known) {
        Some(meant) => format!("did you mean `{}`? ", shorten(meant)),
        None => String::new(),
    };
    let names = if is_tag {
        String::new()
    } else {
        format!("the names are {}; ", alike::list(names))
    };
    let tags = match tags.as_slice() {
        [] => "there are no tags".to_owned(),
        tags => format!("the tags are {}", alike::list(tags.iter().copied())),
    };
    let place = Place::Flag(format!("{flag} {}", shorten(word)).into());
    Diagnostic::error(title)
        .at(place, "")
        .hint(meant + &names + &tags)
}

fn unique<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut unique = Vec::new();
    for word in words {
        if !unique.contains(&word) {
            unique.push(word);
        }
    }
    unique
}

fn has_tag(tag: &str, test: &TestPlan) -> bool {
    test.tags.iter().any(|own| own == tag)
}

fn is_meant(word: &str, test: &TestPlan) -> bool {
    has_tag(word, test) || is_called(word, test.name.as_deref(), Some(&test.target))
}

/// Whether a test of this name that runs this goes by a word.
pub(crate) fn is_called(word: &str, name: Option<&str>, target: Option<&Target>) -> bool {
    name == Some(word) || target.is_some_and(|target| target.path() == word || target.short_name() == word)
}
