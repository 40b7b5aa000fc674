//! `pysurge history`: the runs of a results folder.

use super::runs::{self, RunError};
use crate::args::HistoryArgs;
use crate::error::CliError;
use crate::style::{DEFAULT_COLUMNS, wants_color};
use crate::world::World;
use pysurge_core::compare::FolderName;
use pysurge_core::harmless::harmless;
use pysurge_report::{Glimpse, SUMMARY, Style, history_json, history_text};
use std::fs;
use std::io;
use std::path::Path;

/// Folders that are named when they are left out; of more the number is said.
const NAMED: usize = 3;

/// Shows the runs of a results folder, the oldest first.
pub(super) fn history(args: &HistoryArgs, world: &mut World) -> Result<u8, CliError> {
    let (mut found, unreadable) = look(&args.dir, &world.cwd)?;
    if let Some(name) = &args.name {
        found.retain(|run| run.name == *name);
    }
    if let Some(last) = args.last {
        found.drain(..found.len().saturating_sub(last.get()));
    }
    if !unreadable.is_empty() {
        let _ = world.stderr.tell(&left_out(&unreadable));
    }
    if found.is_empty() && !args.json {
        let of_name = args
            .name
            .as_ref()
            .map_or(String::new(), |name| format!(" of the name {name}"));
        let _ = world
            .stderr
            .print(&format!("no run{of_name} in {}\n", args.dir.display()));
        return Ok(0);
    }
    let text = if args.json {
        history_json(&found)
    } else {
        let style = Style {
            color: wants_color(world, &world.stdout),
            columns: world.columns.unwrap_or(DEFAULT_COLUMNS),
        };
        history_text(&found, &style)
    };
    world.stdout.print(&text).map_err(CliError::Output)?;
    Ok(0)
}

/// The runs, the oldest first, and the folders of runs that cannot be read.
fn look(dir: &Path, cwd: &Path) -> Result<(Vec<Glimpse>, Vec<String>), RunError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => RunError::NoFolder(dir.to_path_buf()),
        _ => RunError::NoListing {
            path: dir.to_path_buf(),
            source,
        },
    };
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(cwd.join(dir)).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let shown = dir.join(&name);
        let path = cwd.join(&shown).join(SUMMARY);
        let name = name.to_string_lossy().into_owned();
        if !path.is_file() {
            // A search's folder has other files; anything else in here is not ours.
            let is_empty_run = FolderName::parse(&name).is_some() && !name.contains("-find-max");
            if is_empty_run && cwd.join(&shown).is_dir() {
                unreadable.push(harmless(&name).into_owned());
            }
            continue;
        }
        let folder = shown.display().to_string();
        match runs::bytes(&path, &shown)
            .ok()
            .and_then(|json| Glimpse::read(&folder, &json))
        {
            Some(run) => found.push(run),
            None => unreadable.push(harmless(&name).into_owned()),
        }
    }
    found.sort_by(|a, b| (&a.started_at, &a.folder).cmp(&(&b.started_at, &b.folder)));
    unreadable.sort();
    Ok((found, unreadable))
}

fn left_out(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => format!("left out, for there is no summary in it to be read: {shown}\n"),
        more => format!("left out, for there is no summary in them to be read: {shown} and {more} more\n"),
    }
}
