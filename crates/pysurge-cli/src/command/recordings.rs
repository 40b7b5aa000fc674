//! Reads the recordings that a config replays and finds the files of its data, before anything is started: a file that is not there or cannot
//! be understood is an error in the config, at the place that names it. The rows of data are the workers' to read.

use crate::error::CliError;
use pysurge_config::Config;
use pysurge_core::plan::{DataSource, Model, Replay, Source};
use pysurge_core::replay::Recording;
use pysurge_core::wire::LoadFault;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A longer file would not fit into the memory of the workers, who each read it.
const MAX_BYTES: u64 = 1 << 30;

/// Reads the recordings of a config and finds its data. Files are looked for in `folders`, which are absolute, in this order: where test
/// modules are looked for, so that a config that a run has kept can be fired again from the same folder.
pub(super) fn read(config: &mut Config, folders: &[&Path]) -> Result<(), CliError> {
    for position in 0..config.plan.tests.len() {
        if let Some(replay) = replay(config, position) {
            let named = replay.file.clone();
            let filled = fill(replay, folders);
            filled.map_err(|trouble| trouble.at(config, position, LoadFault::Replay, &named))?;
        }
        if let Some(named) = data_file(config, position).map(|file| file.clone()) {
            let found = found(&named, folders);
            let found = found.map_err(|trouble| trouble.at(config, position, LoadFault::Data, &named))?;
            if let Some(file) = data_file(config, position) {
                *file = found;
            }
        }
    }
    Ok(())
}

fn data_file(config: &mut Config, position: usize) -> Option<&mut String> {
    match &mut config.plan.tests[position].data.as_mut()?.source {
        DataSource::File(file) => Some(file),
        DataSource::Iterable(_) => None,
    }
}

/// The absolute path of a file that can be read.
fn found(file: &str, folders: &[&Path]) -> Result<String, Trouble> {
    let path = first_there(file, folders)?;
    let opened = File::open(&path).map_err(|error| unreadable(&error))?;
    if opened.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(unreadable(&io::ErrorKind::IsADirectory.into()));
    }
    text(path)
}

fn first_there(file: &str, folders: &[&Path]) -> Result<PathBuf, Trouble> {
    let mut paths = folders.iter().map(|folder| folder.join(file));
    paths
        .find(|path| path.exists())
        .ok_or_else(|| missing(file, folders))
}

fn replay(config: &mut Config, position: usize) -> Option<&mut Replay> {
    match &mut config.plan.tests[position].model {
        Model::Open(open) => match &mut open.source {
            Source::Replay(replay) => Some(replay),
            Source::Rate(_) | Source::Stages { .. } | Source::Shape(_) => None,
        },
        Model::Closed(_) => None,
    }
}

/// What is wrong with a file, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Trouble {
    what: String,
    hint: Option<String>,
}

impl Trouble {
    fn at(&self, config: &Config, position: usize, fault: LoadFault, file: &str) -> CliError {
        let message = format!("{file}: {}", self.what);
        CliError::Config(config.file_error(position, fault, &message, self.hint.as_deref()))
    }
}

fn fill(replay: &mut Replay, folders: &[&Path]) -> Result<(), Trouble> {
    let path = first_there(&replay.file, folders)?;
    let bytes = bytes(&path, MAX_BYTES)?;
    let recording = Recording::parse(&bytes, &replay.form).map_err(|error| Trouble {
        what: error.to_string(),
        hint: Some(error.hint()),
    })?;
    replay.file = text(path)?;
    replay.digest = recording.digest();
    replay.instants = Some(Arc::clone(recording.instants()));
    Ok(())
}

fn bytes(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, Trouble> {
    let too_long = || Trouble {
        what: format!("the file is longer than {limit_bytes} bytes"),
        hint: Some("cut it into several, one per test".to_owned()),
    };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    // The length of a pipe is not known beforehand: reading stops behind the limit.
    if file.metadata().is_ok_and(|metadata| metadata.len() > limit_bytes) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    file.take(limit_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(too_long());
    }
    Ok(bytes)
}

fn missing(file: &str, folders: &[&Path]) -> Trouble {
    let mut places: Vec<String> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    places.dedup();
    let hint = (!Path::new(file).is_absolute()).then(|| format!("looked in {}", places.join(" and in ")));
    Trouble {
        what: "the file is not there".to_owned(),
        hint,
    }
}

fn unreadable(error: &io::Error) -> Trouble {
    let what = match error.kind() {
        io::ErrorKind::IsADirectory => "this is a folder".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    };
    Trouble { what, hint: None }
}

/// Workers are told the path as text.
fn text(path: PathBuf) -> Result<String, Trouble> {
    path.into_os_string().into_string().map_err(|path| Trouble {
        what: format!("its path {} is not UTF-8", path.display()),
        hint: Some("rename the folder".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::replay::ReplayForm;
    use std::fs;

    fn replay(file: &str) -> Replay {
        Replay {
            file: file.into(),
            form: ReplayForm::default(),
            digest: 0,
            instants: None,
        }
    }

    #[test]
    fn a_recording_is_found_from_the_configs_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        fs::write(&file, "t\n1\n2.5\n").unwrap();
        for name in ["a.csv", file.to_str().unwrap()] {
            let mut replay = replay(name);
            fill(&mut replay, &[Path::new("/nowhere"), folder.path()]).unwrap();
            assert_eq!(Path::new(&replay.file), file);
            assert_eq!(
                replay.instants.as_deref(),
                Some(&[1_000_000_000, 2_500_000_000][..])
            );
            assert_ne!(replay.digest, 0);
        }
    }

    #[test]
    fn data_is_found_in_the_first_folder_that_has_it() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [first.path(), second.path()];
        fs::write(second.path().join("a.csv"), "x\n1\n").unwrap();
        assert_eq!(
            found("a.csv", &folders).unwrap(),
            second.path().join("a.csv").to_str().unwrap()
        );
        fs::write(first.path().join("a.csv"), "x\n1\n").unwrap();
        assert_eq!(
            found("a.csv", &folders).unwrap(),
            first.path().join("a.csv").to_str().unwrap()
        );
        fs::create_dir(first.path().join("b.csv")).unwrap();
        assert_eq!(found("b.csv", &folders).unwrap_err().what, "this is a folder");
        assert_eq!(
            found("c.csv", &folders).unwrap_err().what,
            "the file is not there"
        );
    }

    #[test]
    fn files_that_cannot_be_replayed_are_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bad.csv"), "t\n1\nx\n").unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        for (file, what, hint) in [
            ("none.csv", "is not there", "looked in /"),
            ("sub", "a folder", ""),
            ("bad.csv", "line 3, column `t`: `x`", ""),
        ] {
            let trouble = fill(&mut replay(file), &[folder.path()]).unwrap_err();
            assert!(trouble.what.contains(what), "{trouble:?}");
            assert!(trouble.hint.unwrap_or_default().contains(hint), "{file}");
        }
        let long = bytes(&folder.path().join("bad.csv"), 5).unwrap_err();
        assert!(long.what.contains("longer than 5 bytes"), "{long:?}");
    }
}
