//! `pysurge report`: the report of a run from its folder, and its `report.html` made anew. Where its manager was killed, the run's files are
//! rebuilt from the journal first; of a run that is over, or that goes on, no other file is ever touched.

use super::fire::{open, show_unwritten};
use super::runs::{self, RunError};
use super::searched;
use crate::args::ReportArgs;
use crate::error::{CliError, EXIT_INTERNAL};
use crate::style::{DEFAULT_COLUMNS, WARNING, paint, wants_color};
use crate::world::World;
use pysurge_core::harmless::harmless;
use pysurge_core::summary::{Status, Summary};
use pysurge_report::journal::{self, Held, JOURNAL, Kept};
use pysurge_report::{
    JunitFile, REPORT, SEARCH, SUMMARY, Style, junit, report as text, summary_json, write_report,
};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// A run as its folder has it.
struct Found {
    summary: Summary,
    /// What is to be said of it, beside the report.
    notes: Vec<String>,
    /// What could not be written.
    unwritten: Option<String>,
}

/// A folder, as the user named it and where it is.
struct Place<'a> {
    shown: PathBuf,
    path: &'a Path,
}

/// Shows a run, and rebuilds its files where it was killed.
pub(super) fn report(args: &ReportArgs, world: &mut World) -> Result<u8, CliError> {
    let shown = folder_of(&args.folder);
    let path = world.cwd.join(&shown);
    if searched::is_search(&path) {
        return searched::report(&path, &shown, args, world);
    }
    let file = open(args.junit.as_deref(), JunitFile::create, world).map_err(CliError::Junit)?;
    let mut found = find(&Place {
        shown: shown.clone(),
        path: &path,
    })?;
    let page = shown.join(REPORT);
    if found.summary.status != Status::Running
        && let Err(error) = write_report(&path, &found.summary)
    {
        found
            .notes
            .push(format!("cannot write {}: {error}", page.display()));
    }
    for note in &found.notes {
        let _ = world.stderr.tell(&format!("{note}\n"));
    }
    let mut exit_code = 0;
    if let Some(unwritten) = &found.unwritten {
        let warning = paint("warning", WARNING, wants_color(world, &world.stderr));
        let _ = world.stderr.tell(&format!("{warning}: {unwritten}\n"));
        exit_code = EXIT_INTERNAL;
    }
    if let Some(file) = file
        && show_unwritten(&file.write(&junit(&found.summary, false)), world)
    {
        exit_code = EXIT_INTERNAL;
    }
    let printed = if args.json {
        summary_json(&found.summary) + "\n"
    } else {
        in_words(&found.summary, &shown, &path, world)
    };
    world.stdout.print(&printed).map_err(CliError::Output)?;
    Ok(exit_code)
}

/// The folder that is meant by it, or by a file in it.
fn folder_of(named: &Path) -> PathBuf {
    let is_file_in_it = named
        .file_name()
        .is_some_and(|name| name == SUMMARY || name == JOURNAL || name == SEARCH);
    match named.parent() {
        Some(parent) if is_file_in_it && parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) if is_file_in_it => parent.to_path_buf(),
        _ => named.to_path_buf(),
    }
}

fn in_words(summary: &Summary, shown: &Path, path: &Path, world: &World) -> String {
    let style = Style {
        color: wants_color(world, &world.stdout),
        columns: world.columns.unwrap_or(DEFAULT_COLUMNS),
    };
    let mut printed = text::render(summary, &style);
    let _ = writeln!(printed, "\nresults: {}", harmless(&shown.to_string_lossy()));
    let page = shown.join(REPORT);
    if path.join(REPORT).is_file() {
        let _ = writeln!(printed, "report: {}", harmless(&page.to_string_lossy()));
    }
    let is_comparable = matches!(summary.status, Status::Finished | Status::Killed);
    if let Some(command) = runs::comparison(path, &world.cwd).filter(|_| is_comparable) {
        let _ = writeln!(printed, "compare: {}", harmless(&command));
    }
    printed
}

fn find(place: &Place<'_>) -> Result<Found, RunError> {
    let kept = journal::kept(place.path).map_err(|source| match source.kind() {
        io::ErrorKind::NotADirectory => RunError::NotFound(place.shown.clone()),
        _ => RunError::Unreadable {
            path: place.shown.join(JOURNAL),
            source,
        },
    })?;
    match kept {
        None => without_journal(place),
        Some(Kept {
            bytes,
            held: Held::ByRun,
        }) => Ok(Found {
            summary: so_far(&bytes, place)?,
            notes: vec![format!(
                "{} goes on: these are its figures so far",
                place.shown.display()
            )],
            unwritten: None,
        }),
        Some(Kept {
            bytes,
            held: Held::ByUs(_held),
        }) => match runs::summary(place.path, &place.shown) {
            // It ended, and only the journal was left; or it was rebuilt before.
            Ok(summary) if summary.status != Status::Running => Ok(Found {
                summary,
                notes: Vec::new(),
                unwritten: None,
            }),
            _ => rebuilt(&bytes, place),
        },
    }
}

fn without_journal(place: &Place<'_>) -> Result<Found, RunError> {
    let summary = runs::summary(place.path, &place.shown)?;
    let mut notes = Vec::new();
    if summary.status == Status::Running {
        notes.push(format!(
            "{} has no journal: it was written by an older pysurge, whose run goes on or was killed",
            place.shown.display()
        ));
    }
    Ok(Found {
        summary,
        notes,
        unwritten: None,
    })
}

/// What a run that goes on has told by now.
fn so_far(bytes: &[u8], place: &Place<'_>) -> Result<Summary, RunError> {
    match journal::read(bytes) {
        Ok(journal) => Ok(journal.summary),
        Err(error) => runs::summary(place.path, &place.shown).map_err(|_| RunError::Journal {
            path: place.shown.join(JOURNAL),
            source: error,
            goes_on: true,
        }),
    }
}

/// Rebuilds a run that was killed. What cannot be written is shown all the same.
fn rebuilt(bytes: &[u8], place: &Place<'_>) -> Result<Found, RunError> {
    let journal = journal::read(bytes).map_err(|source| RunError::Journal {
        path: place.shown.join(JOURNAL),
        source,
        goes_on: false,
    })?;
    let damaged = journal.damaged;
    let rebuilt = journal.rebuild();
    let mut notes = vec![format!("rebuilt from {}", place.shown.join(JOURNAL).display())];
    if damaged > 0 {
        notes.push(format!(
            "{damaged} of its lines {} damaged and left out; it stays where it is",
            if damaged == 1 { "was" } else { "were" }
        ));
    }
    let unwritten = rebuilt.write(place.path, damaged == 0).err();
    let unwritten = unwritten.map(|error| {
        format!(
            "cannot write the rebuilt files into {}: {error}; the journal stays",
            place.shown.display()
        )
    });
    Ok(Found {
        summary: rebuilt.summary,
        notes,
        unwritten,
    })
}
