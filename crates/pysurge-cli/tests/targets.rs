//! Targets that are no config file, inside a test: what needs no worker, or one that dies at once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/ran.rs"]
mod ran;

use pysurge_cli::World;
use ran::Ran;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Runs a line, whose words may hold blanks written as `_`.
fn ran(line: &str, cwd: &Path, change: impl FnOnce(&mut World)) -> Ran {
    let words: Vec<String> = line.split(' ').map(|word| word.replace('_', " ")).collect();
    ran::ran(&words, cwd, change)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("load.py"), "def upload(): ...\n").unwrap();
    fs::write(
        folder.path().join("load.yml"),
        "tests:\n- {test_class: a.B, rate: 1}\n",
    )
    .unwrap();
    fs::create_dir(folder.path().join("tests")).unwrap();
    folder
}

#[test]
fn who_gives_no_load_is_told_which_there_is() {
    let folder = folder();
    for (line, said) in [
        (
            "pysurge run load.py:upload",
            "no load given: 1 iteration/s for 30 s; say --rate and -d\n",
        ),
        (
            "pysurge run load.py:upload -d 5s",
            "no load given: 1 iteration/s; say --rate\n",
        ),
        (
            "pysurge run load.py:upload --rate 5",
            "no duration given: 30 s; say -d\n",
        ),
        (
            "pysurge plan tests",
            "no load given: 1 iteration/s for 30 s; say --rate and -d\n",
        ),
    ] {
        let ran = ran(line, folder.path(), |_| ());
        // The worker has died.
        assert_eq!((ran.exit_code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(ran.stderr.starts_with(said), "{line}: {}", ran.stderr);
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
    }
    for line in [
        "pysurge run load.py:upload --rate 5 -d 5s",
        "pysurge run load.py:upload --quiet",
        "pysurge run load.yml",
        "pysurge check load.py:upload",
    ] {
        let ran = ran(line, folder.path(), |_| ());
        assert!(!ran.stderr.contains("given"), "{line}: {}", ran.stderr);
    }
    let results = folder.path().join("pysurge-results");
    assert_eq!(fs::read_dir(results).unwrap().count(), 0, "nothing was fired");
}

#[test]
fn flags_of_a_target_are_refused_where_there_is_a_config() {
    let folder = folder();
    for command in ["run", "check", "plan", "find-max"] {
        let ran = ran(
            &format!("pysurge {command} load.yml --kwarg size=10 --rate 5"),
            folder.path(),
            |_| (),
        );
        assert_eq!((ran.exit_code, ran.stdout.as_str()), (2, ""));
        assert_eq!(
            ran.stderr,
            "error: `--rate` is for a target that is no config file\nhint: for load.yml write -o 'tests[*].rate=5'\n"
        );
    }
}

#[test]
fn what_is_wrong_with_a_target_is_told_with_its_flag() {
    let folder = folder();
    for (line, said, place) in [
        (
            "pysurge run load",
            "`load` is neither a path nor a dotted name",
            "load",
        ),
        (
            "pysurge check load.py:a.b",
            "`a.b` is no name of a class",
            "load.py:a.b",
        ),
        (
            "pysurge run load.py:upload --rate 0",
            "`rate` must be greater than 0",
            "--rate 0",
        ),
        (
            "pysurge run load.py:upload --data u.csv",
            "u.csv: the file is not there",
            "--data u.csv",
        ),
        (
            "pysurge run load.py:upload --data tests.csv",
            "tests.csv: this is a folder",
            "--data tests.csv",
        ),
        (
            "pysurge run load.py:upload --only x",
            "no test has the name or the tag `x`",
            "--only x",
        ),
        (
            "pysurge run tests --kwarg a=1",
            "`kwargs` do not go with tests of pytest",
            "--kwarg a=1",
        ),
        (
            "pysurge run tests -d 5s --warmup 5s",
            "nothing would be measured",
            "--warmup 5s",
        ),
    ] {
        let _ = fs::create_dir(folder.path().join("tests.csv"));
        let ran = ran(line, folder.path(), |_| ());
        assert_eq!((ran.exit_code, ran.stdout.as_str()), (2, ""));
        assert!(
            ran.stderr.contains(said) && ran.stderr.contains(&format!("--> {place}\n")),
            "{line}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_search_needs_a_plain_rate_of_a_target_too() {
    let ran = ran(
        "pysurge find-max load.py:upload --users 5",
        folder().path(),
        |_| (),
    );
    assert_eq!(ran.exit_code, 2);
    assert!(ran.stderr.contains("test `upload` has `users`"), "{}", ran.stderr);
}

#[test]
fn junit_tells_that_collecting_failed() {
    let folder = folder();
    let ran = ran(
        "pysurge run tests --junit j.xml --no-results",
        folder.path(),
        |_| (),
    );
    assert_eq!(ran.exit_code, 2, "{}", ran.stderr);
    let xml = fs::read_to_string(folder.path().join("j.xml")).unwrap();
    assert!(
        xml.contains("nothing was fired: ") && xml.contains("errors=\"1\""),
        "{xml}"
    );
}

#[test]
fn an_example_is_written_and_never_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let first = ran("pysurge init --async a/b", folder.path(), |_| ());
    assert_eq!((first.exit_code, first.stderr.as_str()), (0, ""));
    assert!(
        first.stdout.starts_with("written:\n  a/b/load_async.py\n") && first.stdout.contains("\n  cd a/b\n"),
        "{}",
        first.stdout
    );
    let again = ran("pysurge init --async a/b", folder.path(), |_| ());
    assert_eq!((again.exit_code, again.stdout.as_str()), (2, ""));
    assert!(
        again
            .stderr
            .starts_with("error: a/b/load_async.py is there already"),
        "{}",
        again.stderr
    );
    assert_eq!(ran("pysurge init", folder.path(), |_| ()).exit_code, 0);
    assert!(folder.path().join("config.yml").exists());
}

/// A stand-in for Python that keeps what it is given.
fn python(folder: &Path) -> PathBuf {
    let path = folder.join("python");
    fs::write(
        &path,
        "#!/bin/sh\nprintf %s \"$PYSURGE_TRACE\" > orders.json\npwd > where\nexit 7\n",
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_trace_hands_the_tests_over_and_gives_the_exit_code_on() {
    let folder = folder();
    let stand_in = python(folder.path());
    fs::write(folder.path().join("u.csv"), "a\n1\n").unwrap();
    let line =
        "pysurge check load.py:upload --trace --pdb --kwarg size=[1,_2.5] --data u.csv --pytest-arg=-x";
    let ran = ran(line, folder.path(), |world| world.python = stand_in);
    assert_eq!((ran.exit_code, ran.stderr.as_str()), (7, ""));
    let orders = fs::read_to_string(folder.path().join("orders.json")).unwrap();
    let orders: serde_json::Value = serde_json::from_str(&orders).unwrap();
    let expected = serde_json::json!({
        "tests": [{
            "kind": "object", "path": "load.py:upload", "item": null, "kwargs": {"size": [1, 2.5]},
            "data": {
                "kind": "file", "from": folder.path().join("u.csv").to_str().unwrap(),
                "order": "sequential", "reuse": "cycle", "seed": 0
            },
        }],
        "import_first": [folder.path().to_str().unwrap()],
        "import_last": [],
        "pytest_args": ["-x"],
        "pdb": true,
    });
    assert_eq!(orders, expected);
    let place = fs::read_to_string(folder.path().join("where")).unwrap();
    assert_eq!(
        fs::canonicalize(place.trim()).unwrap(),
        fs::canonicalize(folder.path()).unwrap()
    );
}

#[test]
fn a_trace_refuses_what_json_cannot_say() {
    let line = "pysurge check load.py:upload --trace --kwarg at=2020-01-31";
    let ran = ran(line, folder().path(), |_| ());
    assert_eq!(ran.exit_code, 2);
    assert!(
        ran.stderr.contains("`at` of upload: it holds a date"),
        "{}",
        ran.stderr
    );
}
