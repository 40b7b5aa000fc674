//! Which tests of a config are run.

mod common;

use common::{assert_reads_back, good};
use pysurge_config::{Config, Selection};
use pysurge_core::plan::TestPlan;
use pysurge_core::wire::{LoadError, LoadFault};

const CONFIG: &str = "tags: nightly
defaults: {arrivals: poisson}
tests:
- test_class: load.Upload
  rate: 1
  tags: [write, smoke]
- test_class: load.Upload
  name: big uploads
  rate: 2
  tags: [write]
- test_class: load.Download
  rate: 3
- test_class: load.Search
  users: 2
  think_time: [1s, 2s]
  tags: [smoke]
- test_class: load.Replay
  replay: day.csv
";

fn selection(tags: &[&str], only: &[&str], exclude: &[&str]) -> Selection {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Selection {
        tags: owned(tags),
        only: owned(only),
        exclude: owned(exclude),
    }
}

fn selected(selection: &Selection) -> Config {
    let mut config = good(CONFIG);
    config
        .select(selection)
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_reads_back(&config);
    config
}

fn names(config: &Config) -> Vec<&str> {
    config.plan.tests.iter().map(TestPlan::short_name).collect()
}

#[test]
fn tests_are_chosen_by_name_and_tag() {
    const ALL: &[&str] = &["Upload", "big uploads", "Download", "Search", "Replay"];
    let table: &[(Selection, &[&str])] = &[
        (selection(&[], &[], &[]), ALL),
        (selection(&["nightly"], &[], &[]), ALL),
        (selection(&["smoke"], &[], &[]), &["Upload", "Search"]),
        (
            selection(&["smoke", "write"], &[], &[]),
            &["Upload", "big uploads", "Search"],
        ),
        (selection(&[], &["Upload"], &[]), &["Upload", "big uploads"]),
        (
            selection(&[], &["big uploads", "load.Search"], &[]),
            &["big uploads", "Search"],
        ),
        (selection(&[], &["write"], &["big uploads"]), &["Upload"]),
        (
            selection(&[], &[], &["load.Upload", "Replay"]),
            &["Download", "Search"],
        ),
        (selection(&["smoke"], &["Upload"], &["big uploads"]), &["Upload"]),
    ];
    for (selection, expected) in table {
        assert_eq!(names(&selected(selection)), *expected, "{selection:?}");
    }
}

#[test]
fn a_test_keeps_its_arrivals_whatever_is_run_with_it() {
    let whole = good(CONFIG).plan;
    let config = selected(&selection(&[], &["Download", "Search", "Replay"], &[]));
    for (test, all) in config.plan.tests.iter().zip(&whole.tests[2..]) {
        assert_eq!(test, all);
    }
    insta::assert_snapshot!(config.resolved_yaml());
}

#[test]
fn errors_point_at_the_right_test() {
    let mut config = selected(&selection(&[], &["Download", "Search"], &[]));
    config.select(&selection(&[], &["Search"], &[])).unwrap();
    let error = LoadError {
        fault: LoadFault::NotFound,
        message: "there is no class `Search` in the module `load`".to_owned(),
        hint: None,
        traceback: String::new(),
    };
    let errors = config.load_errors(&[Some(error)]);
    assert_eq!(errors.diagnostics()[0].path, "tests[3].test_class");
    insta::assert_snapshot!(errors);
}

#[test]
fn words_that_name_nothing_are_errors() {
    let mut shown = String::new();
    for selection in [
        selection(&["smok"], &[], &[]),
        selection(&["Upload"], &[], &[]),
        selection(&[], &["uploads"], &["Serch", "x"]),
        selection(&["smoke"], &["Download"], &[]),
        selection(&[], &[], &["nightly"]),
    ] {
        let mut config = good(CONFIG);
        let errors = config.select(&selection).unwrap_err();
        assert_eq!(names(&config), names(&good(CONFIG)), "nothing has changed");
        shown.extend([
            format!("{selection:?}"),
            "\n~~~\n".to_owned(),
            errors.to_string(),
            "\n==========\n".to_owned(),
        ]);
    }
    insta::assert_snapshot!(shown);
}
