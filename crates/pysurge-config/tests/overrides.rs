//! `-o key.path=value`: what it sets, and what is said where it cannot.

mod common;

use common::{good_with, read_with};
use proptest::prelude::*;
use pysurge_core::plan::TestPlan;
use pysurge_core::value::Value;

const CONFIG: &str = "defaults:
  kwargs: {size: 1}
tests:
- test_class: load.Upload
  rate: 1
- test_class: load.Download
  name: down
  rate: 2
- test_class: load.Upload
  name: up 2.0
  stages: [{duration: 1m, rate: 3}]
";

fn loads(overrides: &[&str]) -> Vec<String> {
    let plan = good_with(CONFIG, overrides).plan;
    plan.tests.iter().map(TestPlan::load_in_words).collect()
}

#[test]
fn a_value_is_put_over_that_of_the_file() {
    const OLD: [&str; 3] = [
        "1/s, evenly spaced",
        "2/s, evenly spaced",
        "1 stage up to 3/s in 1m, evenly spaced",
    ];
    let table: &[(&[&str], [&str; 3])] = &[
        (&[], OLD),
        (&["tests[0].rate=5"], ["5/s, evenly spaced", OLD[1], OLD[2]]),
        (&["tests.0.rate=300/m"], ["5/s, evenly spaced", OLD[1], OLD[2]]),
        (&["tests.down.rate=5"], [OLD[0], "5/s, evenly spaced", OLD[2]]),
        (&["tests.Download.rate=5"], [OLD[0], "5/s, evenly spaced", OLD[2]]),
        (
            &["tests.load.Download.rate=5"],
            [OLD[0], "5/s, evenly spaced", OLD[2]],
        ),
        (
            &["tests.Upload.iterations=9"],
            [
                "1/s, evenly spaced, 9 iterations",
                OLD[1],
                "1 stage up to 3/s in 1m, evenly spaced, 9 iterations",
            ],
        ),
        (
            &["tests.\"up 2.0\".stages[0].rate=5", "tests.up 2.0.iterations=9"],
            [
                OLD[0],
                OLD[1],
                "1 stage up to 5/s in 1m, evenly spaced, 9 iterations",
            ],
        ),
        (
            &["tests[*].arrivals=poisson", "arrivals=constant", "seed=5"],
            [
                "1/s, Poisson arrivals (seed 5)",
                "2/s, Poisson arrivals (seed 6)",
                "1 stage up to 3/s in 1m, Poisson arrivals (seed 7)",
            ],
        ),
        (
            &[
                "tests[0]={test_class: a.B, users: 4}",
                "tests[0].users=5",
                "tests[0].users=6",
            ],
            ["6 users", OLD[1], OLD[2]],
        ),
    ];
    for (overrides, expected) in table {
        assert_eq!(loads(overrides), *expected, "{overrides:?}");
    }
}

#[test]
fn what_is_not_there_is_made() {
    let config = good_with(
        CONFIG,
        &[
            "duration=5m",
            "tags=[a, b]",
            "name=night",
            "defaults.kwargs.deep.er=x",
            "tests.Upload.kwargs.size=10",
            "tests[1].kwargs.empty=",
            "tests[1].kwargs.\"a.b\"=${WORD}",
            "x-own.key=1",
        ],
    );
    assert_eq!(config.plan.duration_ns, Some(300_000_000_000));
    assert_eq!(config.plan.name, "night");
    assert_eq!(config.plan.tests[1].tags, ["a", "b"]);
    let size = |test: usize| &config.plan.tests[test].kwargs[0].1;
    assert_eq!(
        [size(0), size(1), size(2)],
        [&Value::Int(10), &Value::Int(1), &Value::Int(10)]
    );
    insta::assert_snapshot!(config.resolved_yaml());
    let config = read_with("", &["tests=[{test_class: a.B, rate: 1}]"]).unwrap();
    assert_eq!(config.plan.tests.len(), 1);
}

#[test]
fn a_variable_that_is_not_set_may_be_overridden() {
    let text = "x-t: &t {test_class: a.B}
tests:
- {<<: *t, rate: \"${A}\"}
- <<: *t
  rate: ${B}
";
    for (overrides, errors) in [
        (&[][..], 2),
        (&["tests[1].rate=5"], 1),
        (&["tests[0].rate=5", "tests[1].rate=5"], 0),
        (&["tests[*].rate=${B}"], 1),
    ] {
        let found = read_with(text, overrides).map_or_else(|errors| errors.diagnostics().len(), |_| 0);
        assert_eq!(found, errors, "{overrides:?}");
    }
}

#[test]
fn one_anchor_is_not_the_other() {
    let text = "x-a: &a {rate: 1, kwargs: &k {size: 1}}
tests:
- {<<: *a, test_class: a.B}
- {<<: *a, test_class: a.B}
";
    let config = good_with(text, &["tests[1].kwargs.size=2"]);
    assert_eq!(config.plan.tests[0].kwargs[0].1, Value::Int(1));
    assert_eq!(config.plan.tests[1].kwargs[0].1, Value::Int(2));
}

#[test]
fn overrides_that_are_wrong() {
    let table: &[&[&str]] = &[
        &["duration"],
        &["=5"],
        &["tests[x].rate=5"],
        &["tests[9].rate=5"],
        &["tests.3.rate=5"],
        &["tests.Uplod.rate=5"],
        &["tests.other.thing.rate=5"],
        &["tests.rate=5"],
        &["tests[0].rate.x=5"],
        &["tests[0][1]=5"],
        &["tests[2].stages.first.rate=5"],
        &["tests[2].stages[3].rate=5"],
        &["workers.x=5", "workers[0]=5"],
        &["tests[0].kwargs={a: 1"],
        &["tests[0].kwargs.color=#fff"],
        &["tests[0].kwargs.token=${NO_SUCH_VARIABLE}"],
        &["tests[0].rate=0"],
        &["tests[0].rate="],
        &["tests[*].warmup=5", "duration=5"],
        &["tests[0].users=5"],
        &["tests[0].rat=5", "duratoin=5m"],
        &["tests[0].kwargs={1: 2}"],
        &["defaults=5"],
        &["tests[0].kwargs.text=This is a long text that says the same thing again and again and again"],
        &["tests[0].iterations=This is a long text that says the same thing again and again and again"],
        &["tests[1].rate=${WORD}"],
    ];
    let mut shown = String::new();
    for overrides in table {
        let errors =
            read_with(CONFIG, overrides).map_or_else(|errors| errors.to_string(), |_| "no error".to_owned());
        shown.extend([
            format!("{overrides:?}"),
            "\n~~~\n".to_owned(),
            errors,
            "\n==========\n".to_owned(),
        ]);
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn escape_sequences_do_not_reach_the_terminal() {
    let errors = read_with(CONFIG, &["tests[0].rate=\u{1b}[31m"])
        .unwrap_err()
        .to_string();
    assert!(!errors.contains('\u{1b}'), "{errors:?}");
}

proptest! {
    #[test]
    fn no_override_panics(path in "(tests|defaults|x-a|duration|kwargs|rate|\\[0\\]|\\[\\*\\]|\\.|\"|=|ü|1){0,8}", value in "\\PC{0,12}") {
        if let Err(errors) = read_with(CONFIG, &[&path, &format!("{path}={value}")]) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }
}
