//! `pysurge init`: a first example that runs, with comments, in a folder of the user's. Nothing that is there is touched: where one of its files
//! exists, none is written.

use crate::args::InitArgs;
use crate::error::CliError;
use crate::world::World;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An example: its files, and what to type once they are there.
struct Example {
    files: &'static [(&'static str, &'static str)],
    next: &'static str,
}

const CLASS: Example = Example {
    files: &[
        ("load_test.py", include_str!("init/class/load_test.py")),
        ("config.yml", include_str!("init/class/config.yml")),
    ],
    next: include_str!("init/class/next.txt"),
};

const PYTEST: Example = Example {
    files: &[
        ("tests/conftest.py", include_str!("init/pytest/conftest.py")),
        ("tests/test_items.py", include_str!("init/pytest/test_items.py")),
        ("config.yml", include_str!("init/pytest/config.yml")),
    ],
    next: include_str!("init/pytest/next.txt"),
};

const ASYNC: Example = Example {
    files: &[
        ("load_async.py", include_str!("init/async/load_async.py")),
        ("config.yml", include_str!("init/async/config.yml")),
    ],
    next: include_str!("init/async/next.txt"),
};

/// Writes the example that was asked for.
pub(super) fn init(args: &InitArgs, world: &mut World) -> Result<u8, CliError> {
    let example = match (args.pytest, args.is_async) {
        (true, _) => &PYTEST,
        (_, true) => &ASYNC,
        _ => &CLASS,
    };
    let shown = args.folder.clone().unwrap_or_default();
    write(example, &shown, &world.cwd)?;
    world
        .stdout
        .print(&told(example, &shown))
        .map_err(CliError::Output)?;
    Ok(0)
}

/// Writes all files into a folder, or none; `shown` is the folder as the user has it.
fn write(example: &Example, shown: &Path, cwd: &Path) -> Result<(), CliError> {
    let there = |path: &&(&str, &str)| cwd.join(shown).join(path.0).symlink_metadata().is_ok();
    if let Some((name, _)) = example.files.iter().find(there) {
        return Err(CliError::InitExists(shown.join(name)));
    }
    let mut written = Vec::new();
    for (name, content) in example.files {
        let path = cwd.join(shown).join(name);
        if let Err(error) = create(&path, content, &mut written) {
            // As if nothing had been begun. Folders that were made stay: others may have looked into them by now.
            for path in &written {
                let _ = fs::remove_file(path);
            }
            let path = shown.join(name);
            return Err(match error.kind() {
                io::ErrorKind::AlreadyExists if cwd.join(&path).is_file() => CliError::InitExists(path),
                _ => CliError::Init { path, source: error },
            });
        }
    }
    Ok(())
}

fn create(path: &Path, content: &str, written: &mut Vec<PathBuf>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    written.push(path.to_path_buf());
    file.write_all(content.as_bytes())
}

/// What was written, and what to type next.
fn told(example: &Example, shown: &Path) -> String {
    let files: Vec<String> = example
        .files
        .iter()
        .map(|(name, _)| format!("  {}\n", shown.join(name).display()))
        .collect();
    let enter = if shown.as_os_str().is_empty() {
        String::new()
    } else {
        format!("  cd {}\n", quoted(shown))
    };
    format!("written:\n{}\nnext:\n{enter}{}", files.concat(), example.next)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+".contains(c));
    if is_plain {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_written_into_a_new_folder_and_a_full_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("other.txt"), "mine").unwrap();
        for (example, shown) in [(&CLASS, "a/b"), (&PYTEST, ""), (&ASYNC, "c")] {
            write(example, Path::new(shown), folder.path()).unwrap();
            for (name, content) in example.files {
                assert_eq!(
                    fs::read_to_string(folder.path().join(shown).join(name)).unwrap(),
                    *content
                );
            }
        }
        assert_eq!(
            fs::read_to_string(folder.path().join("other.txt")).unwrap(),
            "mine"
        );
    }

    #[test]
    fn nothing_is_written_where_one_of_the_files_exists() {
        for example in [&CLASS, &PYTEST, &ASYNC] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("config.yml"), "mine").unwrap();
            let error = write(example, Path::new(""), folder.path()).unwrap_err();
            assert!(
                error
                    .render(false)
                    .starts_with("error: config.yml is there already"),
                "{error}"
            );
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
            assert_eq!(
                fs::read_to_string(folder.path().join("config.yml")).unwrap(),
                "mine"
            );
        }
    }

    #[test]
    fn what_cannot_be_written_is_told_and_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        // A file where a folder has to be.
        fs::write(folder.path().join("tests"), "mine").unwrap();
        let error = write(&PYTEST, Path::new(""), folder.path()).unwrap_err();
        assert!(
            error.render(false).contains("failed to write tests/conftest.py"),
            "{error}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_example_has_a_config_that_is_right() {
        for example in [&CLASS, &PYTEST, &ASYNC] {
            let (name, text) = example.files[example.files.len() - 1];
            let source = pysurge_config::Source {
                name: name.to_owned(),
                text: text.to_owned(),
            };
            let config =
                pysurge_config::parse(&source, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
            assert!(config.warnings.is_empty() && config.plan.duration_ns.is_some());
        }
    }

    #[test]
    fn the_next_steps_are_told() {
        for (name, example, shown) in [
            ("class", &CLASS, ""),
            ("pytest", &PYTEST, "my load"),
            ("async", &ASYNC, "load"),
        ] {
            let text = told(example, Path::new(shown));
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            insta::assert_snapshot!(format!("init_{name}"), text);
        }
    }
}
