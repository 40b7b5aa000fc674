//! From what the user names to a checked config: reads the file, says in plain words why it cannot be read; or makes the config of a target
//! that is none, out of the flags.

use super::recordings;
use crate::args::{ChoiceArgs, DirectArgs, is_yaml};
use crate::error::CliError;
use crate::world::World;
use pysurge_config::{
    Assumed, Config, DEFAULT_DURATION, DEFAULT_RATE_PER_S, Flag, FlagKind, Flags, Selection, Source,
};
use pysurge_core::plan::Target;
use pysurge_core::span::format_span_plain;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A config longer than this is some other file. The longest real one we know of has a few hundred lines.
const MAX_CONFIG_BYTES: u64 = 8 * 1024 * 1024;

/// What is to be run, and where else its code may be.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Config,
    /// Where user code is found last.
    pub(super) import_last: Option<PathBuf>,
    /// What nobody said of a target that is no config.
    pub(super) assumed: Assumed,
}

/// What was asked for beside the target, where it is no config: it is kept with the run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wishes {
    pub(super) duration_ns: Option<u64>,
    pub(super) workers: Option<u32>,
}

/// What the user names: a config file or what else is to be run.
pub(super) fn target(
    target: &Path,
    direct: &DirectArgs,
    wishes: Wishes,
    choice: ChoiceArgs,
    world: &World,
) -> Result<Loaded, CliError> {
    if !is_config(target, &world.cwd) {
        return of_flags(target, direct, wishes, choice, world);
    }
    if let Some((flag, instead)) = direct.first() {
        return Err(CliError::FlagOfTarget {
            flag,
            instead,
            config: target.to_path_buf(),
        });
    }
    config(target, choice, world)
}

/// What the user names, which is a config file.
pub(super) fn config(path: &Path, choice: ChoiceArgs, world: &World) -> Result<Loaded, CliError> {
    Ok(Loaded {
        config: file(path, &BTreeMap::new(), choice, world)?,
        import_last: Some(folder(path, &world.cwd)),
        assumed: Assumed::default(),
    })
}

/// A YAML file, or any other file that is no Python.
fn is_config(path: &Path, cwd: &Path) -> bool {
    let is_python = path.extension().is_some_and(|extension| extension == "py");
    is_yaml(path) || (!is_python && cwd.join(path).is_file())
}

fn of_flags(
    target: &Path,
    direct: &DirectArgs,
    wishes: Wishes,
    choice: ChoiceArgs,
    world: &World,
) -> Result<Loaded, CliError> {
    let Some(typed) = target.to_str() else {
        return Err(CliError::TargetNotText(target.to_path_buf()));
    };
    let (mut run, test) = direct.flags();
    let of_run = |key: &str, text: String, shown: String| Flag {
        key: vec![key.to_owned()],
        text,
        kind: FlagKind::Plain,
        shown,
    };
    run.extend(wishes.duration_ns.map(|ns| {
        let span = format_span_plain(ns);
        of_run("duration", span.clone(), format!("-d {span}"))
    }));
    run.extend(
        wishes
            .workers
            .map(|n| of_run("workers", n.to_string(), format!("--workers {n}"))),
    );
    let flags = Flags {
        target: as_written(typed, direct, &world.cwd),
        run,
        test,
        overrides: choice.overrides.clone(),
    };
    let name = run_name(&flags.target, &world.cwd);
    let variable = |name: &str| world.env.get(name).cloned();
    let (config, assumed) = pysurge_config::from_flags(&name, &flags, &variable).map_err(CliError::Config)?;
    Ok(Loaded {
        config: chosen(config, choice, &[&world.cwd])?,
        import_last: None,
        assumed,
    })
}

/// The target as it is kept: a word alone that is a folder is one.
fn as_written(typed: &str, direct: &DirectArgs, cwd: &Path) -> String {
    let is_folder = Target::parse(typed).is_err() && cwd.join(typed).is_dir();
    if is_folder && !typed.is_empty() && !direct.means_pytest() {
        format!("{typed}/")
    } else {
        typed.to_owned()
    }
}

/// What the run is called unless somebody says otherwise: the last part of its target.
fn run_name(target: &str, cwd: &Path) -> String {
    let parsed = Target::parse(target).unwrap_or_else(|_| Target::pytest(target));
    let short = parsed.short_name();
    let name = match &parsed {
        Target::Pytest(_) if !target.contains("::") => {
            let whole = cwd.join(short);
            whole.file_stem().map(|stem| stem.to_string_lossy().into_owned())
        }
        _ => Some(short.to_owned()),
    };
    name.filter(|name| !name.trim().is_empty())
        .unwrap_or_else(|| "tests".to_owned())
}

impl Loaded {
    /// Says which load a target is given because nobody said one.
    pub(super) fn tell_assumed(&self, world: &mut World) {
        let iterations = if DEFAULT_RATE_PER_S == 1 {
            "iteration"
        } else {
            "iterations"
        };
        let rate = format!("{DEFAULT_RATE_PER_S} {iterations}/s");
        let duration = DEFAULT_DURATION.replace('s', " s");
        let text = match (self.assumed.rate, self.assumed.duration) {
            (true, true) => format!("no load given: {rate} for {duration}; say --rate and -d"),
            (true, false) => format!("no load given: {rate}; say --rate"),
            (false, true) => format!("no duration given: {duration}; say -d"),
            (false, false) => return,
        };
        let _ = world.stderr.tell(&format!("{text}\n"));
    }
}

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
    let config =
        pysurge_config::parse_with(&source, &variable, &choice.overrides).map_err(CliError::Config)?;
    chosen(config, choice, &[&world.cwd, &folder(path, &world.cwd)])
}

/// The tests that were chosen, with the files that they name.
fn chosen(mut config: Config, choice: ChoiceArgs, folders: &[&Path]) -> Result<Config, CliError> {
    let selection = Selection {
        tags: choice.tags,
        only: choice.only,
        exclude: choice.exclude,
    };
    config.select(&selection).map_err(CliError::Config)?;
    recordings::read(&mut config, folders)?;
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
    fn a_run_is_called_as_the_last_part_of_its_target() {
        for (target, name) in [
            ("shop.load.Upload", "Upload"),
            ("./shop/load.py:upload", "upload"),
            ("tests/", "tests"),
            ("tests/unit/", "unit"),
            ("tests/test_api.py", "test_api"),
            ("tests/test_api.py::test_x[a]", "test_x[a]"),
            (".", "me"),
        ] {
            assert_eq!(run_name(target, Path::new("/home/me")), name, "{target}");
        }
    }

    #[test]
    fn yaml_is_a_config_and_so_is_any_other_file_that_is_no_python() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["load", "load.py"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("tests")).unwrap();
        for (target, expected) in [
            ("none.yml", true),
            ("none.yaml", true),
            ("load", true),
            ("load.py", false),
            ("load.py:upload", false),
            ("tests", false),
            ("none", false),
        ] {
            assert_eq!(is_config(Path::new(target), folder.path()), expected, "{target}");
        }
        let direct = DirectArgs::default();
        for (typed, written) in [
            ("tests", "tests/"),
            ("tests/", "tests/"),
            ("load", "load"),
            (".", "."),
        ] {
            assert_eq!(as_written(typed, &direct, folder.path()), written);
        }
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
