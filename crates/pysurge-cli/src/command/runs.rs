//! Runs that are over, read from their folders.

use pysurge_core::compare::{Source, SourceError, run_before};
use pysurge_core::summary::{SCHEMA_VERSION, Summary};
use pysurge_report::SUMMARY;
use pysurge_report::journal::{JOURNAL, JournalError};
use serde_json::Value;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What to type to compare a run with the one of its name before it in the same results folder; `None` where there is none that can be
/// compared. Names count from `cwd`.
pub(super) fn comparison(folder: &Path, cwd: &Path) -> Option<String> {
    let (results, this) = (folder.parent()?, folder.file_name()?.to_str()?);
    let entries = fs::read_dir(results).ok()?.filter_map(Result::ok);
    let names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let before = run_before(&names, this);
    let before = before
        .into_iter()
        .find(|name| results.join(name).join(SUMMARY).is_file())?;
    let shown = results.strip_prefix(cwd).unwrap_or(results);
    let quoted = |name: &str| in_shell(&shown.join(name).to_string_lossy());
    Some(format!("pysurge compare {} {}", quoted(before), quoted(this)))
}

/// A word as a shell takes it.
fn in_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A summary has at most some hundred blocks of some KiB per test; what is longer is something else.
const MAX_BYTES: u64 = 1 << 28;

/// Why a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("there is no run {}", .0.display())]
    NotFound(PathBuf),
    #[error("the folder {} holds no summary.json", path.display())]
    NoSummary { path: PathBuf, holds_runs: bool },
    #[error("failed to read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is too long for a summary", .0.display())]
    TooLong(PathBuf),
    #[error("{} is broken JSON: line {line}, column {column}: {what}", path.display())]
    NotJson {
        path: PathBuf,
        line: usize,
        column: usize,
        what: String,
    },
    #[error("{} is no summary of a pysurge run", .0.display())]
    NotSummary(PathBuf),
    #[error("{} has a form of version {version}; this pysurge reads version {SCHEMA_VERSION}", path.display())]
    OtherVersion { path: PathBuf, version: String },
    #[error("{} was written by pysurge {version} and lacks what a comparison needs: {what}", path.display())]
    OtherForm {
        path: PathBuf,
        version: String,
        what: String,
    },
    #[error("{}: {source}", path.display())]
    NoSource { path: PathBuf, source: SourceError },
    #[error("no run has a test {name}")]
    NoTest { name: String, known: Vec<String> },
    #[error("{} {source}", path.display())]
    Journal {
        path: PathBuf,
        source: JournalError,
        goes_on: bool,
    },
    #[error("{} is no find-max.json of pysurge", .0.display())]
    NotSearch(PathBuf),
    #[error("{} is that of a search, of which there is no JUnit XML", .0.display())]
    NoJunit(PathBuf),
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    #[error("failed to list the folder {}", path.display())]
    NoListing { path: PathBuf, source: io::Error },
}

impl RunError {
    /// What to do about it, where we know.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound(_) => {
                "name a run's folder or its summary.json; `pysurge history` lists the runs of pysurge-results"
                    .to_owned()
            }
            Self::NoSummary {
                path,
                holds_runs: true,
            } => {
                format!(
                    "it holds runs: name one of them; `pysurge history {}` lists them",
                    path.display()
                )
            }
            Self::NoSummary { .. } => {
                "a run's folder has one from its first second on; name another folder".to_owned()
            }
            Self::NotJson { path, .. } | Self::NotSummary(path) | Self::TooLong(path)
                if path.with_file_name(JOURNAL).exists() =>
            {
                rebuilding(path.parent().unwrap_or(path))
            }
            Self::NoSource {
                source: SourceError::Unfinished,
                path,
            } => format!("wait for its end; where it was killed, {}", rebuilding(path)),
            Self::Journal { goes_on: true, .. } => "it has only begun: ask again in a second".to_owned(),
            Self::Unreadable { path, source }
                if source.kind() == io::ErrorKind::Unsupported && path.ends_with(JOURNAL) =>
            {
                "this file system has no locks: copy the folder to another one, and name it there".to_owned()
            }
            Self::Journal {
                source: JournalError::OtherVersion { .. },
                ..
            }
            | Self::OtherVersion { .. } => "use the pysurge that wrote it, or a later one".to_owned(),
            Self::Journal { .. } => "run.log beside it may tell more; nothing was changed".to_owned(),
            Self::OtherForm { .. } => "run it again with this pysurge".to_owned(),
            Self::NoTest { known, .. } => format!("there are: {}", known.join(", ")),
            Self::NoFolder(_) => {
                "runs are kept in pysurge-results, unless `pysurge run` had --results DIR or --no-results"
                    .to_owned()
            }
            _ => return None,
        })
    }

    /// What the system said.
    pub(crate) fn cause(&self) -> Option<&io::Error> {
        match self {
            Self::Unreadable { source, .. } | Self::NoListing { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn rebuilding(folder: &Path) -> String {
    let folder = in_shell(&folder.to_string_lossy());
    format!("`pysurge report {folder}` rebuilds it from its journal")
}

/// The summary in a run's folder.
pub(super) fn summary(path: &Path, shown: &Path) -> Result<Summary, RunError> {
    let (path, shown) = file_of(path, shown)?;
    let json = bytes(&path, &shown)?;
    parse(&json, &shown)
}

/// A run by its folder or its summary.
pub(super) fn read(named: &Path, cwd: &Path) -> Result<Source, RunError> {
    let summary = summary(&cwd.join(named), named)?;
    Source::new(named.display().to_string(), summary).map_err(|source| RunError::NoSource {
        path: named.to_path_buf(),
        source,
    })
}

/// The file with the summary, where it is and as it is named.
fn file_of(path: &Path, shown: &Path) -> Result<(PathBuf, PathBuf), RunError> {
    if !path.is_dir() {
        return Ok((path.to_path_buf(), shown.to_path_buf()));
    }
    if !path.join(SUMMARY).is_file() {
        return Err(RunError::NoSummary {
            path: shown.to_path_buf(),
            holds_runs: holds_runs(path),
        });
    }
    Ok((path.join(SUMMARY), shown.join(SUMMARY)))
}

/// The bytes of a summary.
pub(super) fn bytes(path: &Path, shown: &Path) -> Result<Vec<u8>, RunError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => RunError::NotFound(shown.to_path_buf()),
        _ => RunError::Unreadable {
            path: shown.to_path_buf(),
            source,
        },
    };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(RunError::TooLong(shown.to_path_buf()));
    }
    fs::read(path).map_err(unreadable)
}

fn holds_runs(path: &Path) -> bool {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .into_iter()
        .any(|entry| entry.path().join(SUMMARY).is_file())
}

/// What is wrong with a text that is no JSON; the place is told apart from it.
pub(super) fn not_json(path: PathBuf, error: &serde_json::Error) -> RunError {
    let text = error.to_string();
    RunError::NotJson {
        path,
        line: error.line(),
        column: error.column(),
        what: text.split(" at line ").next().unwrap_or_default().to_owned(),
    }
}

fn parse(json: &[u8], shown: &Path) -> Result<Summary, RunError> {
    let path = || shown.to_path_buf();
    let error = match serde_json::from_slice::<Summary>(json) {
        Ok(summary) if summary.schema_version == SCHEMA_VERSION => return Ok(summary),
        Ok(summary) => {
            return Err(RunError::OtherVersion {
                path: path(),
                version: summary.schema_version.to_string(),
            });
        }
        Err(error) => error,
    };
    let what = || {
        // The place is told apart from it.
        let text = error.to_string();
        text.split(" at line ").next().unwrap_or_default().to_owned()
    };
    let value: Value = match serde_json::from_slice(json) {
        Ok(value) => value,
        Err(error) => {
            return Err(not_json(path(), &error));
        }
    };
    let (Some(version), Some(form)) = (
        value["pysurge_version"].as_str(),
        value["schema_version"].as_u64(),
    ) else {
        return Err(RunError::NotSummary(path()));
    };
    if form != u64::from(SCHEMA_VERSION) {
        return Err(RunError::OtherVersion {
            path: path(),
            version: form.to_string(),
        });
    }
    Err(RunError::OtherForm {
        path: path(),
        version: version.to_owned(),
        what: what(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_with_the_run_before_is_ready_to_be_typed() {
        let cwd = tempfile::tempdir().unwrap();
        let results = cwd.path().join("my results");
        for name in [
            "20260101-000000-shop",
            "20260102-000000-shop",
            "20260103-000000-shop",
            "20260102-000000-bar",
        ] {
            fs::create_dir_all(results.join(name)).unwrap();
        }
        let this = results.join("20260103-000000-shop");
        assert_eq!(comparison(&this, cwd.path()), None, "nothing there has a summary");
        fs::write(results.join("20260101-000000-shop").join(SUMMARY), "{}").unwrap();
        assert_eq!(
            comparison(&this, cwd.path()).unwrap(),
            "pysurge compare 'my results/20260101-000000-shop' 'my results/20260103-000000-shop'"
        );
        assert_eq!(in_shell("it's"), r"'it'\''s'");
    }
}
