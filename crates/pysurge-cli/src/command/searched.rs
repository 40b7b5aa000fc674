//! `pysurge report` of the folder of a search: its result again, and its page made anew.

use super::runs::{self, RunError};
use crate::args::ReportArgs;
use crate::error::CliError;
use crate::style::{DEFAULT_COLUMNS, WARNING, paint, wants_color};
use crate::world::World;
use pysurge_core::harmless::harmless;
use pysurge_report::find_max::SCHEMA_VERSION;
use pysurge_report::{
    FindMax, REPORT, SEARCH, SUMMARY, Style, find_max_html, find_max_json, find_max_text, replace_file,
};
use serde_json::Value;
use std::path::Path;

/// Whether a folder is that of a search.
pub(super) fn is_search(folder: &Path) -> bool {
    folder.join(SEARCH).is_file() && !folder.join(SUMMARY).exists()
}

/// Shows the search in `folder`, which the user called `shown`.
pub(super) fn report(
    folder: &Path,
    shown: &Path,
    args: &ReportArgs,
    world: &mut World,
) -> Result<u8, CliError> {
    if args.junit.is_some() {
        return Err(CliError::Run(RunError::NoJunit(shown.to_owned())));
    }
    let search = read(folder, shown)?;
    let warning = paint("warning", WARNING, wants_color(world, &world.stderr));
    if let Err(error) = replace_file(&folder.join(REPORT), find_max_html(&search).as_bytes(), false) {
        let page = shown.join(REPORT);
        let text = format!("{warning}: cannot write {}: {error}\n", page.display());
        let _ = world.stderr.tell(&text);
    }
    let printed = if args.json {
        find_max_json(&search)
    } else {
        let style = Style {
            color: wants_color(world, &world.stdout),
            columns: world.columns.unwrap_or(DEFAULT_COLUMNS),
        };
        let page = shown.join(REPORT);
        let page = harmless(&page.to_string_lossy()).into_owned();
        format!("{}\nreport: {page}\n", find_max_text(&search, &style))
    };
    world.stdout.print(&printed).map_err(CliError::Output)?;
    Ok(0)
}

fn read(folder: &Path, shown: &Path) -> Result<FindMax, RunError> {
    let path = || shown.join(SEARCH);
    let bytes = runs::bytes(&folder.join(SEARCH), &path())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| runs::not_json(path(), &error))?;
    let Some(form) = value["schema_version"].as_u64() else {
        return Err(RunError::NotSearch(path()));
    };
    if form != u64::from(SCHEMA_VERSION) {
        return Err(RunError::OtherVersion {
            path: path(),
            version: form.to_string(),
        });
    }
    serde_json::from_value(value).map_err(|_| RunError::NotSearch(path()))
}
