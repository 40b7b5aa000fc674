//! What a test runs and is fed with: every form, and what is said of those that are wrong.

mod common;

use common::{assert_reads_back, errors_of, good, good_with, read_with};
use pysurge_config::Selection;
use pysurge_core::plan::{Data, DataSource, Pytest, Reuse, RowOrder, Target, TestPlan};
use pysurge_core::wire::{LoadError, LoadFault};

/// A config with one test that has a rate and these lines.
fn test(lines: &str) -> String {
    format!("tests:\n- rate: 1\n  {}\n", lines.replace('\n', "\n  "))
}

fn target(lines: &str) -> Target {
    good(&test(lines)).plan.tests.remove(0).target
}

fn pytest(path: &str, keyword: Option<&str>, marks: Option<&str>) -> Target {
    Target::Pytest(Pytest {
        path: path.to_owned(),
        keyword: keyword.map(str::to_owned),
        marks: marks.map(str::to_owned),
        item: None,
    })
}

#[test]
fn targets() {
    let object = |path: &str| Target::Object(path.to_owned());
    for (lines, expected) in [
        ("test_class: a.B", Target::Class("a.B".to_owned())),
        ("test: a.B", object("a.B")),
        ("test: load.py:upload", object("load.py:upload")),
        ("test: tests/", pytest("tests/", None, None)),
        (
            "test: \"test_a.py::test_x[a: b]\"",
            pytest("test_a.py::test_x[a: b]", None, None),
        ),
        ("test: tests/\nk: a or b", pytest("tests/", Some("a or b"), None)),
        (
            "test: tests\nm: not slow",
            pytest("tests", None, Some("not slow")),
        ),
        ("test: a.b\nk: a\nm: b", pytest("a.b", Some("a"), Some("b"))),
        ("test: tests/\nkwargs: {}", pytest("tests/", None, None)),
    ] {
        assert_eq!(target(lines), expected, "{lines}");
    }
}

#[test]
fn what_is_run_may_come_from_the_defaults() {
    let config = good(
        "pytest_args: [-p, no:randomly, -p, no:x]
defaults: {test: tests/, k: upload, rate: 1, kwargs: {size: 1}, data: users.csv}
tests:
- {}
- m: slow
- test_class: a.B
- {test: load.py:f, kwargs: {at: 2}}
- {test: test_b.py, k: other}
",
    );
    let targets: Vec<Target> = config.plan.tests.iter().map(|test| test.target.clone()).collect();
    assert_eq!(
        targets,
        [
            pytest("tests/", Some("upload"), None),
            pytest("tests/", Some("upload"), Some("slow")),
            Target::Class("a.B".to_owned()),
            Target::Object("load.py:f".to_owned()),
            pytest("test_b.py", Some("other"), None),
        ]
    );
    let kwargs: Vec<usize> = config.plan.tests.iter().map(|test| test.kwargs.len()).collect();
    assert_eq!(
        kwargs,
        [0, 0, 1, 2, 0],
        "tests of pytest take none of the defaults"
    );
    assert!(config.plan.tests.iter().all(|test| test.data.is_some()));
    assert_eq!(config.plan.pytest_args, ["-p", "no:randomly", "-p", "no:x"]);
}

#[test]
fn targets_that_are_wrong() {
    let broken = [
        "kwargs: {a: 1}",
        "tests: tests/",
        "test: tests/\ntest_class: a.B",
        "test: tests",
        "test: load.py:Upload.run",
        "test: load:upload",
        "test: 5",
        "test: ",
        "test_class: a.B\nk: upload",
        "test: load.py:upload\nm: slow",
        "test: load.upload\nk: ",
        "test: tests/\nk: [a, b]",
        "test: tests/\nkwargs: {size: 1}",
        "test: tests/\npytest_args: [-x]",
        "test: load.py:f\norder: shuffle",
    ];
    let mut texts: Vec<String> = broken.iter().map(|lines| test(lines)).collect();
    texts.extend(
        [
            "defaults: {test: tests/, test_class: a.B}\ntests:\n- rate: 1\n- rate: 2\n",
            "defaults: {test: tests}\ntests:\n- rate: 1\n- rate: 2\n",
            "pytest_args: -x\ntests:\n- {test: tests/, rate: 1}\n",
            "pytest_args: [5]\ntests:\n- {test: tests/, rate: 1}\n",
            "test: tests/\nrate: 1\n",
        ]
        .map(str::to_owned),
    );
    insta::assert_snapshot!(errors_of(&texts));
}

fn data(lines: &str) -> Data {
    let test = good(&test(&format!("test: a.b\n{lines}"))).plan.tests.remove(0);
    test.data.expect("the test has data")
}

#[test]
fn rows() {
    let rows = |source, order, reuse, seed| Data {
        source,
        order,
        reuse,
        seed,
    };
    let file = |path: &str| DataSource::File(path.to_owned());
    let iterable = |name: &str| DataSource::Iterable(name.to_owned());
    for (lines, expected) in [
        (
            "data: users.csv",
            rows(file("users.csv"), RowOrder::Sequential, Reuse::Cycle, 0),
        ),
        (
            "data: ./d/users.JSONL\nseed: 7",
            rows(file("./d/users.JSONL"), RowOrder::Sequential, Reuse::Cycle, 7),
        ),
        (
            "data: load.users",
            rows(iterable("load.users"), RowOrder::Sequential, Reuse::Cycle, 0),
        ),
        (
            "data: load.py:users",
            rows(iterable("load.py:users"), RowOrder::Sequential, Reuse::Cycle, 0),
        ),
        (
            "data: {from: u.ndjson, order: shuffle, reuse: once}",
            rows(file("u.ndjson"), RowOrder::Shuffle, Reuse::Once, 0),
        ),
        (
            "data: {from: u.csv, order: random, seed: 9}\nseed: 7",
            rows(file("u.csv"), RowOrder::Random, Reuse::Cycle, 9),
        ),
    ] {
        assert_eq!(data(lines), expected, "{lines}");
    }
    let config = good(
        "seed: 5\ntests:\n- {test: a.b, rate: 1, data: u.csv}\n- {test: a.b, users: 1, data: u.csv}\n- {test: a.b, replay: r.csv, data: u.csv}\n",
    );
    let seeds: Vec<u64> = config
        .plan
        .tests
        .iter()
        .filter_map(|test| Some(test.data.as_ref()?.seed))
        .collect();
    assert_eq!(seeds, [5, 6, 5]);
}

#[test]
fn rows_keep_their_order_whatever_is_run_with_their_test() {
    let text = "tests:\n- {test: a.b, name: x, rate: 1}\n- {test: a.b, name: y, rate: 1, data: {from: u.csv, order: shuffle}}\n\
                - {test: a.b, name: z, replay: r.csv, data: {from: u.csv, order: shuffle}}\n";
    let whole = good(text).plan;
    let mut config = good(text);
    let only = Selection {
        exclude: vec!["x".to_owned()],
        ..Selection::default()
    };
    config.select(&only).unwrap();
    assert_eq!(config.plan.tests[..], whole.tests[1..]);
    assert_reads_back(&config);
}

#[test]
fn rows_that_are_wrong() {
    let broken = [
        "data: ",
        "data: [users.csv]",
        "data: 5",
        "data: users",
        "data: users.json",
        "data: users.tsv",
        "data: users.csv.gz",
        "data: {order: shuffle}",
        "data: {file: users.csv}",
        "data: {from: users.csv, order: backwards}",
        "data: {from: users.csv, reuse: twice}",
        "data: {from: users.csv, order: random, reuse: once}",
        "data: {from: users.csv, seed: -1}",
    ];
    let texts: Vec<String> = broken
        .iter()
        .map(|lines| test(&format!("test: a.b\n{lines}")))
        .collect();
    insta::assert_snapshot!(errors_of(&texts));
}

const MIXED: &str = "tests:
- {test_class: load.Upload, rate: 1, tags: write}
- {test: \"shop/load.py:upload\", rate: 2}
- {test: shop.load.search, rate: 3}
- {test: tests/, rate: 4}
- {test: \"tests/test_a.py::test_x[1.5]\", rate: 5}
";

#[test]
fn tests_go_by_what_they_run() {
    for (word, rate) in [
        ("Upload", "1"),
        ("load.Upload", "1"),
        ("upload", "2"),
        ("shop/load.py:upload", "2"),
        ("search", "3"),
        ("shop.load.search", "3"),
        ("tests/", "4"),
        ("test_x[1.5]", "5"),
        ("tests/test_a.py::test_x[1.5]", "5"),
        ("write", "1"),
    ] {
        let mut config = good(MIXED);
        let only = Selection {
            only: vec![word.to_owned()],
            ..Selection::default()
        };
        config.select(&only).unwrap_or_else(|errors| panic!("{errors}"));
        let loads: Vec<String> = config.plan.tests.iter().map(TestPlan::load_in_words).collect();
        assert_eq!(loads, [format!("{rate}/s, evenly spaced")], "{word}");
        assert_reads_back(&config);
    }
}

#[test]
fn overrides_find_tests_by_what_they_run() {
    for (path, test) in [
        ("tests.upload", 1),
        ("tests.\"shop/load.py:upload\"", 1),
        ("tests.search", 2),
        ("tests.shop.load.search", 2),
        ("tests.\"tests/\"", 3),
        ("tests.\"test_x[1.5]\"", 4),
    ] {
        let config = good_with(MIXED, &[&format!("{path}.rate=99")]);
        assert_eq!(
            config.plan.tests[test].load_in_words(),
            "99/s, evenly spaced",
            "{path}"
        );
    }
    let data = good_with(
        MIXED,
        &[
            "tests.upload.data.from=u.csv",
            "tests.upload.data.order=shuffle",
            "pytest_args=[\"-x\"]",
        ],
    );
    assert_eq!(
        data.plan.tests[1].data.as_ref().map(|data| data.order),
        Some(RowOrder::Shuffle)
    );
    assert_eq!(data.plan.pytest_args, ["-x"]);
    let unknown = read_with(MIXED, &["tests.serch.rate=1"]).unwrap_err().to_string();
    assert!(unknown.contains("did you mean `search`?"), "{unknown}");
}

/// Whatever is wrong with what a test runs points at the key that says it.
#[test]
fn what_workers_find_points_at_the_target() {
    let config = good(
        "defaults: {test: load.py:upload}
tests:
- {rate: 1}
- {test: shop.load.search, rate: 1, kwargs: {size: 1}}
- {test_class: a.B, rate: 1, data: users.csv}
- {test: tests/, rate: 1, data: {order: shuffle, from: rows.py:rows}}
",
    );
    let error = |fault, message: &str| {
        Some(LoadError {
            fault,
            message: message.to_owned(),
            hint: None,
            traceback: String::new(),
        })
    };
    let paths = |faults: [LoadFault; 4], message: &str| -> Vec<String> {
        let errors = config.load_errors(&faults.map(|fault| error(fault, message)));
        errors
            .diagnostics()
            .iter()
            .map(|told| told.path.clone())
            .collect()
    };
    assert_eq!(
        paths(
            [
                LoadFault::NotFound,
                LoadFault::Import,
                LoadFault::NotATestCase,
                LoadFault::Collect
            ],
            "x"
        ),
        [
            "defaults.test",
            "tests[1].test",
            "tests[2].test_class",
            "tests[3].test"
        ]
    );
    assert_eq!(
        paths(
            [
                LoadFault::Kwargs,
                LoadFault::Kwargs,
                LoadFault::Data,
                LoadFault::Data
            ],
            "upload() got an unexpected keyword argument 'size'"
        ),
        [
            "defaults.test",
            "tests[1].kwargs.size",
            "tests[2].data",
            "tests[3].data.from"
        ]
    );
}
