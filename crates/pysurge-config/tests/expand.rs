//! Tests of pytest in the place of the entries that stand for them.

mod common;

use common::{assert_reads_back, good};
use pysurge_config::{Config, Skipped};
use pysurge_core::plan::{PytestItem, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::wire::{CollectedItem, LoadError, LoadFault};

const CONFIG: &str = "tests:
- {test_class: a.B, rate: 1}
- {test: tests/, name: api, rate: 10, tags: api, iterations: 20, thresholds: failures < 1%}
- {test: load.py:f, users: 2}
- {test: test_one.py, name: one, shape: a.b}
";

fn item(id: &str, skipped: Option<&str>) -> CollectedItem {
    CollectedItem {
        item: PytestItem {
            id: id.to_owned(),
            file: "/shop/test.py".to_owned(),
            rootdir: "/shop".to_owned(),
            inifile: None,
        },
        weight: 1.0,
        rate: None,
        skipped: skipped.map(str::to_owned),
    }
}

fn collected() -> Vec<Vec<CollectedItem>> {
    let slow = CollectedItem {
        rate: Rate::parse("0.5").ok(),
        ..item("tests/test_a.py::test_slow", None)
    };
    vec![
        vec![],
        vec![
            item("tests/test_a.py::test_x", None),
            item("tests/test_a.py::test_y", Some("no docker")),
            slow,
            item("tests/test_a.py::test_z[1]", None),
        ],
        vec![],
        vec![item("test_one.py::test_one", None)],
    ]
}

fn expanded() -> (Config, Vec<Skipped>) {
    let mut config = good(CONFIG);
    let skipped = config
        .expand(&collected())
        .unwrap_or_else(|errors| panic!("{errors}"));
    (config, skipped)
}

#[test]
fn each_test_takes_its_share() {
    let (config, skipped) = expanded();
    let tests: Vec<(&str, String)> = config
        .plan
        .tests
        .iter()
        .map(|test| (test.short_name(), test.load_in_words()))
        .collect();
    let told: Vec<(&str, &str)> = tests.iter().map(|(name, load)| (*name, load.as_str())).collect();
    assert_eq!(
        told,
        [
            ("B", "1/s, evenly spaced"),
            ("test_x", "5/s, evenly spaced, 7 iterations"),
            ("test_slow", "0.5/s, evenly spaced, 7 iterations"),
            ("test_z[1]", "5/s, evenly spaced, 6 iterations"),
            ("f", "2 users"),
            ("one", "shape a.b, evenly spaced"),
        ]
    );
    let of_entry = &config.plan.tests[1..4];
    assert!(
        of_entry
            .iter()
            .all(|test| test.tags == ["api"] && test.thresholds.len() == 1)
    );
    let expected = Skipped {
        id: "tests/test_a.py::test_y".to_owned(),
        reason: "no docker".to_owned(),
    };
    assert_eq!(skipped, [expected]);
    assert!(
        !config
            .plan
            .tests
            .iter()
            .any(|test| test.target.is_to_be_collected())
    );
}

#[test]
fn the_config_that_is_kept_asks_for_the_entries_again() {
    let (mut config, _) = expanded();
    config.plan = good(CONFIG).plan;
    assert_reads_back(&config);
}

#[test]
fn errors_of_a_test_point_at_its_entry() {
    let (config, _) = expanded();
    let error = |message: &str| {
        Some(LoadError {
            fault: LoadFault::Collect,
            message: message.to_owned(),
            hint: None,
            traceback: String::new(),
        })
    };
    let errors = config.load_errors(&[None, error("x"), None, error("z"), error("f"), error("one")]);
    let told: Vec<(&str, &str)> = errors
        .diagnostics()
        .iter()
        .map(|told| (told.path.as_str(), told.title.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("tests[1].test", "x"),
            ("tests[1].test", "z"),
            ("tests[2].test", "f"),
            ("tests[3].test", "one")
        ]
    );
}

#[test]
fn what_leaves_nothing_or_cannot_be_shared_is_told_and_changes_nothing() {
    let skipped = |id: &str| item(id, Some("needs docker"));
    let config = "tests:
- {test: tests/, rate: 1}
- {test: test_b.py, stages: [{duration: 1s, rate: 0.000000001}]}
- {test: test_c.py, users: 1}
- {test: test_d.py, rate: 1, data: {from: u.csv, reuse: once}}
- {test: test_e.py, replay: day.csv}
- {test: test_f.py, rate: 1}
- {test: test_g.py, rate: 1}
";
    let two = |file: &str| {
        vec![
            item(&format!("{file}::test_a"), None),
            item(&format!("{file}::test_b"), None),
        ]
    };
    let many = (0..8)
        .map(|n| skipped(&format!("tests/test_a.py::test_{n}")))
        .collect();
    let collected = vec![
        many,
        two("test_b.py"),
        two("test_c.py"),
        two("test_d.py"),
        two("test_e.py"),
        vec![skipped("test_f.py::test_f")],
        vec![],
    ];
    let mut config = good(config);
    let before: Vec<TestPlan> = config.plan.tests.clone();
    let errors = config.expand(&collected).unwrap_err();
    assert_eq!(config.plan.tests, before);
    insta::assert_snapshot!(errors);
}
