//! The whole command inside a test: a world goes in; what was written and the exit code come out. What needs workers
//! is tested with the installed wheel.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/ran.rs"]
mod ran;

use common::Kept;
use pysurge_cli::{Output, World, run_config};
use pysurge_core::value::Value;
use ran::ran;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// A stream that fails in one way.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

fn folder_with(name: &str, content: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    folder
}

const GOOD: &str = "tests:\n- test_class: module.Case\n  rate: 5\n";

#[test]
fn no_arguments_are_a_usage_error_with_the_short_help() {
    let ran = ran(&["pysurge"], Path::new("."), |_| ());
    assert_eq!((ran.exit_code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("pysurge demo"), "{}", ran.stderr);
}

#[test]
fn help_and_version_are_data() {
    let version = ran(&["pysurge", "--version"], Path::new("."), |_| ());
    assert_eq!(version.exit_code, 0);
    assert_eq!(version.stdout, format!("pysurge {}\n", pysurge_core::VERSION));
    let help = ran(&["pysurge", "run", "--help"], Path::new("."), |_| ());
    assert_eq!((help.exit_code, help.stderr.as_str()), (0, ""));
    assert!(!help.stdout.contains('\u{1b}'));
}

#[test]
fn help_is_coloured_where_the_environment_asks_for_it() {
    let help = ran(&["pysurge", "--help"], Path::new("."), |world| {
        world.env.insert("CLICOLOR_FORCE".into(), "1".into());
    });
    assert!(help.stdout.contains("\u{1b}[1m"));
}

#[test]
fn a_config_that_is_not_there_is_told_in_one_line_and_a_hint() {
    for args in [
        &["pysurge", "run", "none.yml"][..],
        &["pysurge", "check", "none.yml"],
        &["pysurge", "-c", "none.yml", "-d", "1"],
    ] {
        let ran = ran(args, Path::new("/"), |_| ());
        assert_eq!((ran.exit_code, ran.stdout.as_str()), (2, ""), "{args:?}");
        assert_eq!(
            ran.stderr,
            "error: config file not found: none.yml\nhint: the path counts from the current folder\n"
        );
    }
}

#[test]
fn a_broken_config_is_told_with_its_line_and_nothing_is_made() {
    let folder = folder_with("a.yml", "tests:\n- test_class: module.Case\n  rates: 5\n");
    let ran = ran(&["pysurge", "run", "a.yml"], folder.path(), |_| ());
    assert_eq!((ran.exit_code, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr.contains("a.yml:3") && ran.stderr.contains("rates"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn variables_of_the_config_come_from_the_world() {
    let folder = folder_with("a.yml", "tests:\n- test_class: module.Case\n  rate: ${RATE}\n");
    let unset = ran(&["pysurge", "run", "a.yml"], folder.path(), |_| ());
    assert!(unset.stderr.contains("RATE"), "{}", unset.stderr);
    let negative = ran(&["pysurge", "run", "a.yml"], folder.path(), |world| {
        world.env.insert("RATE".into(), "-1".into());
    });
    assert!(negative.stderr.contains("greater than 0"), "{}", negative.stderr);
}

#[test]
fn a_worker_that_cannot_be_started_or_dies_at_once_ends_the_run_and_leaves_no_folder() {
    let folder = folder_with("a.yml", GOOD);
    for python in ["false", "/no/such/python"] {
        let ran = ran(&["pysurge", "run", "a.yml"], folder.path(), |world| {
            world.python = python.into();
        });
        assert_eq!((ran.exit_code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
    }
    let results = folder.path().join("pysurge-results");
    assert_eq!(fs::read_dir(results).unwrap().count(), 0);
}

#[test]
fn a_results_folder_that_cannot_be_made_is_told_before_anything_starts() {
    let folder = folder_with("a.yml", GOOD);
    let ran = ran(
        &["pysurge", "run", "a.yml", "--results", "a.yml"],
        folder.path(),
        |_| (),
    );
    assert_eq!(ran.exit_code, 2);
    assert!(
        ran.stderr.starts_with("error: failed to make the results folder") && ran.stderr.contains("hint: "),
        "{}",
        ran.stderr
    );
}

#[test]
fn files_that_cannot_be_written_are_told_before_anything_starts() {
    let folder = folder_with("a.yml", GOOD);
    for (flag, file, said) in [
        (
            "--samples",
            "s.parquet",
            "Parquet is not supported; write s.csv.zst",
        ),
        ("--samples", "s.txt", "neither in .csv nor in .csv.zst"),
        ("--samples", "none/s.csv", "failed to write"),
        ("--junit", "none/j.xml", "failed to write"),
        (
            "--threshold",
            "response_time.p95 < 250",
            "response_time.p95 < 250\n",
        ),
    ] {
        let ran = ran(&["pysurge", "run", "a.yml", flag, file], folder.path(), |_| ());
        assert_eq!((ran.exit_code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(
            ran.stderr.starts_with("error: ") && ran.stderr.contains(said),
            "{file}: {}",
            ran.stderr
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{file}");
    }
}

#[test]
fn a_threshold_that_no_test_can_meet_is_refused() {
    let closed = "tests:\n- test_class: module.Case\n  users: 5\n";
    let folder = folder_with("a.yml", closed);
    let args = ["pysurge", "run", "a.yml", "--threshold", "rate > 95%"];
    let ran = ran(&args, folder.path(), |_| ());
    assert_eq!(ran.exit_code, 2);
    assert!(
        ran.stderr.starts_with("error: --threshold: ") && ran.stderr.contains("  ^"),
        "{}",
        ran.stderr
    );
}

#[test]
fn junit_tells_that_nothing_was_fired_and_why_and_samples_are_left_alone() {
    let folder = folder_with("a.yml", GOOD);
    fs::write(folder.path().join("s.csv"), "old").unwrap();
    for python in ["false", "/no/such/python"] {
        let args = [
            "pysurge",
            "run",
            "a.yml",
            "--junit",
            "j.xml",
            "--samples",
            "s.csv",
            "--no-results",
        ];
        let ran = ran(&args, folder.path(), |world| world.python = python.into());
        assert_eq!(ran.exit_code, 2, "{}", ran.stderr);
        let xml = fs::read_to_string(folder.path().join("j.xml")).unwrap();
        assert!(
            xml.contains("<error type=\"not_fired\" message=\"nothing was fired: ")
                && xml.contains("errors=\"1\""),
            "{xml}"
        );
        assert_eq!(fs::read_to_string(folder.path().join("s.csv")).unwrap(), "old");
    }
}

#[test]
fn a_dict_is_run_as_a_file_is() {
    let entry = [
        ("test_class", Value::Str("module.Case".into())),
        ("rate", Value::Int(5)),
    ];
    let map = |entries: Vec<(&str, Value)>| {
        let key = |(name, value): (&str, Value)| (Value::Str(name.into()), value);
        Value::Map(entries.into_iter().map(key).collect())
    };
    let dict = map(vec![("tests", Value::List(vec![map(entry.to_vec())]))]);
    let config = pysurge_config::from_value("config", &dict).unwrap();
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let mut world = World::new(
        Vec::<OsString>::new(),
        Output::new(stdout, false),
        Output::new(stderr.clone(), false),
    );
    let folder = tempfile::tempdir().unwrap();
    world.cwd = folder.path().to_path_buf();
    world.python = "/no/such/python".into();
    assert_eq!(run_config(config, Some(1), false, world), 2);
    assert!(stderr.text().contains("/no/such/python"), "{}", stderr.text());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn files_that_a_dict_names_count_from_the_working_directory() {
    let key = |(name, value): (&str, Value)| (Value::Str(name.into()), value);
    let map = |entries: Vec<(&str, Value)>| Value::Map(entries.into_iter().map(key).collect());
    let test = map(vec![
        ("test_class", Value::Str("module.Case".into())),
        ("replay", Value::Str("arrivals.csv".into())),
    ]);
    let config =
        pysurge_config::from_value("config", &map(vec![("tests", Value::List(vec![test]))])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stderr = || {
        let stderr = Kept::default();
        let mut world = World::new(
            Vec::<OsString>::new(),
            Output::new(Kept::default(), false),
            Output::new(stderr.clone(), false),
        );
        world.cwd = folder.path().to_path_buf();
        world.python = "/no/such/python".into();
        assert_eq!(run_config(config.clone(), Some(1), false, world), 2);
        stderr.text()
    };
    let missing = stderr();
    assert!(
        missing.contains("arrivals.csv: the file is not there") && missing.contains("tests[0].replay"),
        "{missing}"
    );
    fs::write(folder.path().join("arrivals.csv"), "at\n1\n").unwrap();
    let found = stderr();
    assert!(found.contains("/no/such/python"), "{found}");
}

#[test]
fn a_demo_without_its_files_says_so() {
    let ran = ran(&["pysurge", "demo"], Path::new("/"), |world| {
        world.demo = "/no/such/demo".into();
    });
    assert_eq!(ran.exit_code, 2);
    assert!(
        ran.stderr
            .starts_with("error: the example is not in /no/such/demo\nhint: "),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_target_says_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["pysurge", "target", "--port", "0", "--log", "a.log"];
    let ran = ran(&args, folder.path(), |_| ());
    assert_eq!(ran.exit_code, 0);
    assert!(ran.stdout.starts_with("http://127.0.0.1:"), "{}", ran.stdout);
    assert!(folder.path().join("a.log").exists());
}

#[test]
fn completions_and_schemas_are_printed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = ran(&["pysurge", "completions", shell], Path::new("."), |_| ());
        assert_eq!((ran.exit_code, ran.stderr.as_str()), (0, ""));
        assert!(
            ran.stdout.contains("completions") && ran.stdout.contains("no-results"),
            "{shell}"
        );
    }
    for kind in ["config", "summary"] {
        let ran = ran(&["pysurge", "schema", kind], Path::new("."), |_| ());
        let schema: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(schema["properties"]["tests"].is_object(), "{kind}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error_but_a_full_disk_is() {
    for (kind, exit_code) in [(io::ErrorKind::BrokenPipe, 0), (io::ErrorKind::StorageFull, 1)] {
        let ran = ran(&["pysurge", "--help"], Path::new("."), |world| {
            world.stdout = Output::new(Broken(kind), false);
        });
        assert_eq!(ran.exit_code, exit_code, "{}", ran.stderr);
    }
}

#[test]
fn a_panic_is_told_as_an_internal_error() {
    struct Panics;
    impl Write for Panics {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("a stream that panics")
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let ran = ran(&["pysurge", "--help"], Path::new("."), |world| {
        world.stdout = Output::new(Panics, false);
    });
    assert_eq!(ran.exit_code, 1);
    assert!(
        ran.stderr
            .starts_with("error: internal error: a stream that panics\n"),
        "{}",
        ran.stderr
    );
}
