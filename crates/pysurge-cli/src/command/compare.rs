//! `pysurge compare`: do two runs differ, and does that fail a pipeline?

use super::runs::{self, RunError};
use crate::args::CompareArgs;
use crate::error::CliError;
use crate::style::{DEFAULT_COLUMNS, WARNING, paint, wants_color};
use crate::world::World;
use pysurge_core::compare::{Comparison, Condition, ConditionState, Options, Source, compare as compared};
use pysurge_report::{Style, compare_html, compare_json, compare_markdown, compare_text};
use std::fs;
use std::path::{Path, PathBuf};

/// Exit code: a `--fail-if` was met.
const EXIT_FAILED: u8 = 3;

/// Compares runs.
pub(super) fn compare(args: &CompareArgs, world: &mut World) -> Result<u8, CliError> {
    let conditions = conditions(&args.fail_if)?;
    let read = |paths: Vec<PathBuf>| -> Result<Vec<Source>, RunError> {
        paths.iter().map(|path| runs::read(path, &world.cwd)).collect()
    };
    let (base, new) = (read(args.base_runs())?, read(args.new_runs())?);
    check_names(&args.tests, base.iter().chain(&new))?;
    let options = Options {
        seed: args.seed,
        only: args.tests.clone(),
        ..Options::default()
    };
    let mut comparison = compared(&base, &new, &options);
    for condition in &conditions {
        let result = condition
            .judge(&comparison)
            .map_err(|error| CliError::Condition(format!("--fail-if: {error}\n  {}", error.hint)))?;
        comparison.conditions.push(result);
    }
    if let Some(path) = &args.html {
        write(path, &compare_html(&comparison, &base, &new, &options), world)?;
    }
    let text = if args.json {
        compare_json(&comparison)
    } else if args.markdown {
        compare_markdown(&comparison)
    } else {
        let style = Style {
            color: wants_color(world, &world.stdout),
            columns: world.columns.unwrap_or(DEFAULT_COLUMNS),
        };
        compare_text(&comparison, &style)
    };
    world.stdout.print(&text).map_err(CliError::Output)?;
    Ok(conclude(&comparison, world))
}

/// Writes the page, and says where it is.
fn write(path: &Path, page: &str, world: &mut World) -> Result<(), CliError> {
    fs::write(world.cwd.join(path), page).map_err(|source| CliError::ComparePage {
        path: path.to_owned(),
        source,
    })?;
    let _ = world.stderr.tell(&format!("page: {}\n", path.display()));
    Ok(())
}

/// Reads all conditions; the error tells all that is wrong.
fn conditions(texts: &[String]) -> Result<Vec<Condition>, CliError> {
    let mut conditions = Vec::with_capacity(texts.len());
    let mut errors = Vec::new();
    for text in texts {
        match Condition::parse(text) {
            Ok(condition) => conditions.push(condition),
            Err(error) => errors.push(format!("--fail-if: {}", error.point(text))),
        }
    }
    if errors.is_empty() {
        Ok(conditions)
    } else {
        Err(CliError::Condition(errors.join("\n\n")))
    }
}

/// A slip in `--test` must not look like "no difference".
fn check_names<'a>(wanted: &[String], sources: impl Iterator<Item = &'a Source>) -> Result<(), RunError> {
    let tests: Vec<_> = sources.flat_map(|source| &source.summary.tests).collect();
    let is_known = |wanted: &&String| {
        !tests
            .iter()
            .any(|test| test.name.as_ref() == Some(*wanted) || test.label == **wanted)
    };
    let Some(unknown) = wanted.iter().find(is_known) else {
        return Ok(());
    };
    let mut known: Vec<String> = Vec::new();
    for test in &tests {
        let title = test.name.as_ref().unwrap_or(&test.label);
        if !known.contains(title) {
            known.push(title.clone());
        }
    }
    Err(RunError::NoTest {
        name: unknown.clone(),
        known,
    })
}

/// The exit code; what there is not enough data of fails nothing, but somebody has to hear it.
fn conclude(comparison: &Comparison, world: &mut World) -> u8 {
    let warning = paint("warning", WARNING, wants_color(world, &world.stderr));
    for condition in &comparison.conditions {
        if condition.state == ConditionState::NotEnoughData {
            let text = format!(
                "{warning}: --fail-if \"{}\" could not be judged: not enough data; it fails nothing\n",
                condition.expression
            );
            let _ = world.stderr.tell(&text);
        }
    }
    let mut states = comparison.conditions.iter().map(|condition| condition.state);
    if states.any(|state| state == ConditionState::Failed) {
        EXIT_FAILED
    } else {
        0
    }
}
