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
//! This crate does no I/O: text comes in, the environment comes as a closure, and what is to be shown goes out as text.

mod bytes;
mod diagnostic;
mod env;
mod fields;
mod form;
mod item;
mod load;
mod resolve;
mod scalar;
mod syntax;
mod syntax_error;
mod timestamp;
mod write;

pub use diagnostic::{ConfigErrors, Diagnostic};

use form::ConfigForm;
use item::Item;
use pysurge_core::event::Severity;
use pysurge_core::plan::Plan;
use pysurge_core::value::Value;
use pysurge_core::wire::LoadError;
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
    /// What to run. `duration_ns` is `None`, `name` the stem of the file's name.
    pub plan: Plan,
    /// What is allowed but probably not meant, in the order of the file.
    pub warnings: Vec<Diagnostic>,
    source: Arc<Source>,
    root: Item,
}

/// Reads a config from the text of a YAML file; `env` looks up an environment variable.
pub fn parse(source: &Source, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigErrors> {
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
    let root = match resolved {
        Ok(root) => root,
        Err(error) => {
            diagnostics.push(*error);
            return Err(ConfigErrors::new(source, diagnostics));
        }
    };
    let stem = Path::new(&source.name).file_stem();
    let name = stem.map_or_else(|| "config".to_owned(), |stem| stem.to_string_lossy().into_owned());
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
    let form = ConfigForm::read(&root, &mut diagnostics);
    let failed = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    match form {
        Some(form) if !failed => Ok(Config {
            plan: Plan {
                name,
                tests: form.tests.into_iter().map(Into::into).collect(),
                duration_ns: None,
            },
            warnings: diagnostic::in_file_order(diagnostics),
            source,
            root,
        }),
        _ => Err(ConfigErrors::new(source, diagnostics)),
    }
}

impl Config {
    /// Joins what a worker found wrong with the tests (one entry per test of the plan) to the places in the config.
    pub fn load_errors(&self, errors: &[Option<LoadError>]) -> ConfigErrors {
        let diagnostic = |(position, error): (usize, &Option<LoadError>)| {
            error
                .as_ref()
                .map(|error| load::diagnostic(&self.root, position, error))
        };
        let diagnostics = errors.iter().enumerate().filter_map(diagnostic).collect();
        ConfigErrors::new(Arc::clone(&self.source), diagnostics)
    }

    /// The warnings as the user reads them; empty where there are none, no line break at the end.
    pub fn render_warnings(&self, color: bool) -> String {
        diagnostic::render(&self.source, &self.warnings, color)
    }

    /// The config as resolved, as YAML that reads back to the same plan. Values that came from the environment are
    /// written as they stood in the file (`${TOKEN}`), so that no secret is written to a disk.
    pub fn resolved_yaml(&self) -> String {
        let about = "# The config of this run as pysurge read it; variables (${NAME}) are kept as written.\n";
        about.to_owned() + &write::document(&self.root)
    }
}

/// The JSON Schema of a config file, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(ConfigForm).into()
}
