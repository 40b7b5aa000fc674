//! From a path to a checked config: reads the file, says in plain words why it cannot be read.

use super::recordings;
use crate::args::ChoiceArgs;
use crate::error::CliError;
use crate::world::World;
use pysurge_config::{Config, Selection, Source};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A config longer than this is some other file. The longest real one we know of has a few hundred lines.
const MAX_CONFIG_BYTES: u64 = 8 * 1024 * 1024;

/// Reads and checks the config at `path`, which the user typed, and the recordings it names, and takes of it what was chosen.
/// Variables come from `more_env` first, then from the world.
pub(super) fn file(
    path: &Path,
    more_env: &BTreeMap<String, String>,
    choice: ChoiceArgs,
    world: &World,
) -> Result<Config, CliError> {
    let source = Source {
        name: path.display().to_string(),
        text: read(path, &world.cwd)?,
    };
    let variable = |name: &str| more_env.get(name).or_else(|| world.env.get(name)).cloned();
    let selection = Selection {
        tags: choice.tags,
        only: choice.only,
        exclude: choice.exclude,
    };
    let mut config =
        pysurge_config::parse_with(&source, &variable, &choice.overrides).map_err(CliError::Config)?;
    config.select(&selection).map_err(CliError::Config)?;
    recordings::read(&mut config, &[&world.cwd, &folder(path, &world.cwd)])?;
    Ok(config)
}

/// The folder that holds the config, where its test modules may be, too.
pub(super) fn folder(path: &Path, cwd: &Path) -> PathBuf {
    cwd.join(path)
        .parent()
        .map_or_else(|| cwd.to_path_buf(), Path::to_path_buf)
}

fn read(path: &Path, cwd: &Path) -> Result<String, CliError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => CliError::ConfigNotFound(path.to_path_buf()),
        io::ErrorKind::IsADirectory => CliError::ConfigIsFolder(path.to_path_buf()),
        _ => CliError::ConfigUnreadable {
            path: path.to_path_buf(),
            source: error,
        },
    };
    let full = cwd.join(path);
    let metadata = fs::metadata(&full).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(CliError::ConfigIsFolder(path.to_path_buf()));
    }
    // The length of a pipe or a device is not known beforehand: reading stops behind the limit.
    let mut bytes = Vec::new();
    let file = File::open(&full).map_err(unreadable)?;
    file.take(MAX_CONFIG_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        return Err(CliError::ConfigTooLong {
            path: path.to_path_buf(),
            limit_bytes: MAX_CONFIG_BYTES,
        });
    }
    String::from_utf8(bytes).map_err(|error| not_text(path, &error))
}

fn not_text(path: &Path, error: &std::string::FromUtf8Error) -> CliError {
    let at = error.utf8_error().valid_up_to();
    let (before, rest) = error.as_bytes().split_at(at);
    CliError::ConfigNotText {
        path: path.to_path_buf(),
        line: before.split(|byte| *byte == b'\n').count(),
        byte: rest.first().copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(path: &str, content: Option<&[u8]>) -> String {
        let folder = tempfile::tempdir().unwrap();
        if let Some(content) = content {
            fs::write(folder.path().join(path), content).unwrap();
        }
        read(Path::new(path), folder.path()).unwrap_or_else(|error| error.render(false))
    }

    #[test]
    fn files_are_read_or_refused_in_plain_words() {
        for (path, content, expected) in [
            ("a.yml", Some(&b"tests: []"[..]), "tests: []"),
            ("a.yml", None, "error: config file not found: a.yml\n"),
            (".", None, "error: the config . is a folder\n"),
            (
                "a.yml",
                Some(b"tests:\n- \xe9"),
                "error: the config a.yml is not UTF-8 text: line 2 holds the byte 0xe9\n",
            ),
        ] {
            let text = render(path, content);
            assert!(text.starts_with(expected), "{text}");
        }
        let long = vec![b' '; usize::try_from(MAX_CONFIG_BYTES).unwrap() + 1];
        assert!(render("a.yml", Some(&long)).contains("longer than"));
    }

    #[test]
    fn the_folder_of_a_config_is_absolute() {
        for (path, expected) in [
            ("a.yml", "/home/me"),
            ("tests/a.yml", "/home/me/tests"),
            ("/etc/a.yml", "/etc"),
        ] {
            assert_eq!(
                folder(Path::new(path), Path::new("/home/me")),
                Path::new(expected)
            );
        }
    }
}
