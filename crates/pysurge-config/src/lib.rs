//! A config file or dict becomes a checked [`Plan`]; errors say file, line and what to do.
//!
//! [`parse`] takes the text of a YAML file, [`from_value`] a live dict; both tell all errors they find at once, in the
//! order of the file. Plain scalars mean what `PyYAML`'s `safe_load` made of them for pysurge 1.0.1 (see `scalar.rs`).
//!
//! # Variables
//! In values (not in keys) of a file, `${NAME}` is replaced by an environment variable and `${NAME:-default}` gives a
//! default for one that is unset or empty. A variable that is unset and has no default is an error. After that a scalar
//! without quotes is taken as YAML (`rate: ${RATE}` is a number), one in quotes stays a string.
//! `$${` is a literal `${`. A `$` without a `{` stays as it is, as it did in 1.0.1; so does a `${` that starts
//! no variable (`${1}`, `${a b}`), with a warning. A variable's value is not looked at for further variables.
//!
//! # From text to plan
//! Text, nodes (`syntax`), items with aliases and variables worked in (`resolve`), overrides of the command line put over them
//! (`overrides`), the form read and checked (`form`), and of the plan the tests that were asked for ([`Config::select`]). Once the tests of
//! pytest are known, they take the place of the entries that stand for them ([`Config::expand`]). A command line that names what to run in
//! place of a config becomes one, too ([`from_flags`]).
//!
//! This crate does no I/O: text comes in, the environment comes as a closure, and what is to be shown goes out as text.

mod alike;
mod bytes;
mod diagnostic;
mod env;
mod expand;
mod fields;
mod flags;
mod form;
mod found_later;
mod item;
mod literal;
mod overrides;
mod resolve;
mod scalar;
mod select;
mod syntax;
mod syntax_error;
mod timestamp;
mod write;

pub use diagnostic::{ConfigErrors, Diagnostic};
pub use expand::Skipped;
pub use flags::{Assumed, DEFAULT_DURATION, DEFAULT_RATE_PER_S, Flag, FlagKind, Flags, from_flags};
pub use select::Selection;

use form::ConfigForm;
use found_later::Test;
use item::{Data, Item};
use pysurge_core::event::Severity;
use pysurge_core::plan::Plan;
use pysurge_core::value::Value;
use pysurge_core::wire::{CollectedItem, LoadError, LoadFault};
use std::path::Path;
use std::sync::Arc;

/// The text of a config and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as the user typed it; only shown and taken apart, never opened.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A config that was read without an error.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to run. Its name is the stem of the file's name where the config gives none.
    pub plan: Plan,
    /// What is allowed but probably not meant, in the order of the file.
    pub warnings: Vec<Diagnostic>,
    source: Arc<Source>,
    root: Item,
    /// Where in the file each entry stood.
    positions: Vec<usize>,
    /// Which entry each test of the plan comes from.
    entries: Vec<usize>,
}

/// Reads a config from the text of a YAML file; `env` looks up an environment variable.
pub fn parse(source: &Source, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigErrors> {
    parse_with(source, env, &[])
}

/// As [`parse`], with values of the command line put over those of the file: `duration=5m`, `defaults.rate=50`, `tests[0].rate=5`,
/// `tests.NAME.kwargs.size=10`, `tests[*].rate=5`. A later one wins. The value is YAML, as in the file; nothing is null.
pub fn parse_with(
    source: &Source,
    env: &dyn Fn(&str) -> Option<String>,
    overrides: &[String],
) -> Result<Config, ConfigErrors> {
    // A byte order mark is no part of the document, and the parser would count it.
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let source = Arc::new(Source {
        name: source.name.clone(),
        text: text.to_owned(),
    });
    let mut diagnostics = Vec::new();
    let resolved = syntax::parse(&source.text).and_then(|tree| match tree {
        Some(tree) => resolve::resolve(&tree, &source.text, env, &mut diagnostics),
        None => Ok(Item::from_value(&Value::Null)),
    });
    let mut root = match resolved {
        Ok(root) => root,
        Err(error) => {
            diagnostics.push(*error);
            return Err(ConfigErrors::new(source, diagnostics));
        }
    };
    overrides::apply(&mut root, overrides, env, &mut diagnostics);
    let stem = Path::new(&source.name).file_stem();
    let name = stem.map_or_else(
        || Plan::NAME_OF_DICT.to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    check(source, name, root, diagnostics)
}

/// Reads a config from a value, as `Manager(config)` is given one. There is no file, so places are key paths
/// (`tests[0].rate`), and variables are not replaced: Python code has the environment at hand.
pub fn from_value(name: &str, config: &Value) -> Result<Config, ConfigErrors> {
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: String::new(),
    });
    check(source, name.to_owned(), Item::from_value(config), Vec::new())
}

fn check(
    source: Arc<Source>,
    name: String,
    root: Item,
    mut diagnostics: Vec<Diagnostic>,
) -> Result<Config, ConfigErrors> {
    let plan = ConfigForm::plan(&root, name, &mut diagnostics);
    for diagnostic in &mut diagnostics {
        diagnostic.narrow(&source.text);
    }
    let failed = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    match plan {
        Some(plan) if !failed => Ok(Config {
            positions: (0..plan.tests.len()).collect(),
            entries: (0..plan.tests.len()).collect(),
            plan,
            warnings: diagnostic::in_file_order(diagnostics),
            source,
            root,
        }),
        _ => Err(ConfigErrors::new(source, diagnostics)),
    }
}

impl Config {
    /// Keeps the tests that are asked for, each with the seed that it has in the whole config. After an error nothing has changed.
    pub fn select(&mut self, selection: &Selection) -> Result<(), ConfigErrors> {
        let kept = select::kept(&self.plan, selection).map_err(|errors| self.errors(errors))?;
        select::keep(&kept, &mut self.positions);
        let old: Vec<usize> = kept
            .iter()
            .enumerate()
            .filter(|(_, kept)| **kept)
            .map(|(old, _)| old)
            .collect();
        if let Some(tests) = self.root.entry_mut("tests")
            && let Data::List(items) = &mut tests.item.data
        {
            for (new, &old) in old.iter().enumerate() {
                if new != old {
                    select::keep_seed(&mut items[old], &self.plan.tests[old]);
                }
            }
            select::keep(&kept, items);
        }
        select::keep(&kept, &mut self.plan.tests);
        self.entries = (0..self.plan.tests.len()).collect();
        Ok(())
    }

    /// Puts the tests of pytest in the place of the entries that stand for them; `collected` has the tests of each entry, and is
    /// empty for one that stands for itself. Gives the tests that are skipped. After an error nothing has changed.
    pub fn expand(&mut self, collected: &[Vec<CollectedItem>]) -> Result<Vec<Skipped>, ConfigErrors> {
        let (mut tests, mut entries, mut skipped, mut errors) = (vec![], vec![], vec![], vec![]);
        for (index, entry) in self.plan.tests.iter().enumerate() {
            if !entry.target.is_to_be_collected() {
                tests.push(entry.clone());
                entries.push(self.entries[index]);
                continue;
            }
            let items = collected.get(index).map_or(&[][..], Vec::as_slice);
            match expand::expanded(&self.root, self.test(index), entry, items) {
                Ok((of_entry, skipped_of_entry)) => {
                    entries.extend(std::iter::repeat_n(self.entries[index], of_entry.len()));
                    tests.extend(of_entry);
                    skipped.extend(skipped_of_entry);
                }
                Err(error) => errors.push(*error),
            }
        }
        if !errors.is_empty() {
            return Err(self.errors(errors));
        }
        (self.plan.tests, self.entries) = (tests, entries);
        Ok(skipped)
    }

    /// Tells of tests that would not be measured, or not run at all, in a run of the plan's duration. To be asked once
    /// that is settled: the command line may give another than the config.
    pub fn check_duration(&self) -> Result<(), ConfigErrors> {
        let Some(run_ns) = self.plan.duration_ns else {
            return Ok(());
        };
        let tests = self.plan.tests.iter().enumerate();
        let errors: Vec<Diagnostic> = tests
            .filter_map(|(index, test)| found_later::too_short(&self.root, self.test(index), test, run_ns))
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(self.errors(errors))
        }
    }

    /// Joins what a worker found wrong with the tests (one entry per test of the plan) to the places in the config.
    pub fn load_errors(&self, errors: &[Option<LoadError>]) -> ConfigErrors {
        let diagnostic = |(index, error): (usize, &Option<LoadError>)| {
            let error = error.as_ref()?;
            Some(found_later::diagnostic(&self.root, self.test(index), error))
        };
        self.errors(errors.iter().enumerate().filter_map(diagnostic).collect())
    }

    /// What is wrong with a file that a test names, joined to its place in the config; `fault` says which file.
    pub fn file_error(
        &self,
        position: usize,
        fault: LoadFault,
        message: &str,
        hint: Option<&str>,
    ) -> ConfigErrors {
        let error = LoadError {
            fault,
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
            traceback: String::new(),
        };
        self.errors(vec![found_later::diagnostic(
            &self.root,
            self.test(position),
            &error,
        )])
    }

    /// The warnings as the user reads them; empty where there are none, no line break at the end.
    pub fn render_warnings(&self, color: bool) -> String {
        diagnostic::render(&self.source, &self.warnings, color)
    }

    /// The config as resolved, as YAML that reads back to the same plan: overrides are in it, tests that were not selected are not.
    /// Values that came from the environment are written as they stood in the file (`${TOKEN}`), so that no secret is written to a disk.
    pub fn resolved_yaml(&self) -> String {
        let about = "# The config of this run as pysurge read it; variables (${NAME}) are kept as written.\n";
        about.to_owned() + &write::document(&self.root)
    }

    fn test(&self, index: usize) -> Test {
        let index = self.entries.get(index).copied().unwrap_or(index);
        let position = self.positions.get(index).copied().unwrap_or(index);
        Test { index, position }
    }

    fn errors(&self, diagnostics: Vec<Diagnostic>) -> ConfigErrors {
        ConfigErrors::new(Arc::clone(&self.source), diagnostics)
    }
}

/// The JSON Schema of a config file, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(ConfigForm).into()
}
