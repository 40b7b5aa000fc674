//! `thresholds`, at the top and in tests: what reaches the plan, and where errors point.

mod common;

use common::{errors_of, good, good_with, read_with};
use pysurge_config::from_value;
use pysurge_core::threshold::Threshold;
use pysurge_core::value::Value;

/// The texts of thresholds, `!` behind those that stop the run, with the seconds after which they do.
fn texts(thresholds: &[Threshold]) -> Vec<String> {
    let text = |threshold: &Threshold| match (threshold.abort_on_fail, threshold.after_ns) {
        (false, 0) => threshold.text.clone(),
        (false, ns) => format!("{} {ns}", threshold.text),
        (true, ns) => format!("{} !{}", threshold.text, ns / 1_000_000_000),
    };
    thresholds.iter().map(text).collect()
}

const LOADS: &str = "tests: [{test_class: a.B, rate: 1}]";

#[test]
fn they_are_written_in_several_ways() {
    let table: &[(&str, &[&str])] = &[
        ("thresholds: []", &[]),
        ("thresholds: failures < 1%", &["failures < 1%"]),
        ("thresholds: {threshold: failures < 1%}", &["failures < 1%"]),
        (
            "thresholds: {threshold: failures < 1%, abort_on_fail: yes}",
            &["failures < 1% !0"],
        ),
        (
            "thresholds:\n- failures < 1%\n- \"rate > 95%\"\n- 'checks.\"a b\" > 1%'",
            &["failures < 1%", "rate > 95%", "checks.\"a b\" > 1%"],
        ),
        (
            "thresholds:\n- {threshold: ' lost == 0 ', abort_on_fail: true, after: 1m30s}\n- lost == 0",
            &["lost == 0 !90", "lost == 0"],
        ),
        (
            "thresholds: [{threshold: lost == 0, abort_on_fail: false, after: 1s}]",
            &["lost == 0 1000000000"],
        ),
        (
            "x-slow: &slow response_time.p95 < 250ms\nthresholds:\n- *slow\n- >-\n  failures < 1%\n  for 10s",
            &["response_time.p95 < 250ms", "failures < 1% for 10s"],
        ),
        ("thresholds: checks.${WORD} > 1%", &["checks.fast > 1%"]),
    ];
    for (lines, expected) in table {
        let config = good(&format!("{lines}\n{LOADS}"));
        assert_eq!(texts(&config.plan.thresholds), *expected, "{lines}");
    }
}

#[test]
fn a_test_has_its_own_or_those_of_the_defaults() {
    let config = good(
        "thresholds: [lost == 0]
defaults:
  thresholds: [failures < 1%, rate > 95%, dropped == 0]
tests:
- {test_class: a.B, rate: 1}
- {test_class: a.B, rate: 1, thresholds: setup.max < 1s}
- {test_class: a.B, rate: 1, thresholds: []}
- {test_class: a.B, users: 1}
- {test_class: a.B, users: 1, thresholds: [rate > 50/s]}
",
    );
    let of_tests: Vec<Vec<String>> = config
        .plan
        .tests
        .iter()
        .map(|test| texts(&test.thresholds))
        .collect();
    let expected: [&[&str]; 5] = [
        &["failures < 1%", "rate > 95%", "dropped == 0"],
        &["setup.max < 1s"],
        &[],
        // What needs a schedule is left out where a test has none.
        &["failures < 1%"],
        &["rate > 50/s"],
    ];
    assert_eq!(of_tests, expected);
    assert_eq!(texts(&config.plan.thresholds), ["lost == 0"]);
}

#[test]
fn an_override_sets_one() {
    let text = format!("thresholds: [failures < 1%, lost == 0]\n{LOADS}");
    let thresholds = |overrides: &[&str]| {
        let plan = good_with(&text, overrides).plan;
        (texts(&plan.thresholds), texts(&plan.tests[0].thresholds))
    };
    let (top, of_test) = thresholds(&[
        "thresholds[0]=failures < 5%",
        "tests[0].thresholds=[response_time.p95 < 1s]",
    ]);
    assert_eq!(top, ["failures < 5%", "lost == 0"]);
    assert_eq!(of_test, ["response_time.p95 < 1s"]);
    let (top, _) = thresholds(&["thresholds[1]={threshold: lost == 0, abort_on_fail: true}"]);
    assert_eq!(top, ["failures < 1%", "lost == 0 !0"]);
}

#[test]
fn errors_point_at_the_character() {
    let of_the_run = [
        "thresholds: [response_time.p95 < 250]",
        "thresholds:\n- response_time.p95 < 250ms\n- response_time.p95 <",
        "thresholds:\n- \"checks.\\\"größe a\\\" > 99\"",
        "thresholds:\n- 'checks.''a b'' > 99'",
        "thresholds:\n- ''",
        "thresholds:\n- \"   \"",
        "thresholds:\n- |\n  failures\n  <",
        "thresholds:\n- checks.${WORD} > 99",
        "thresholds:\n-",
        "thresholds:",
        "thresholds: 5",
        "thresholds: [[failures < 1%]]",
        "thresholds:\n  response_time: [p95 < 250ms]",
        "thresholds:\n- {threshold: failures < 1%, abortOnFail: true, delayAbortEval: 10s}",
        "thresholds:\n- {threshold: p(95)<250, abort_on_fail: 1, after: 30}",
        "thresholds:\n- {threshold: failures < 1%, after: 30s}",
        "thresholds:\n- {abort_on_fail: true}",
        "threshold: failures < 1%",
    ];
    let mut cases: Vec<String> = of_the_run
        .iter()
        .map(|lines| format!("{lines}\n{LOADS}"))
        .collect();
    cases.push("tests:\n- {test_class: a.B, users: 1, thresholds: [rate > 95%, dropped == 0]}\n".to_owned());
    cases.push("thresholds: 'rate > 95%'\ntests:\n- {test_class: a.B, users: 1}\n".to_owned());
    cases.push(
        "defaults: {thresholds: [x]}\ntests:\n- {test_class: a.B, users: 1}\n- {test_class: a.B, rate: 1}\n"
            .to_owned(),
    );
    insta::assert_snapshot!(errors_of(&cases));
}

#[test]
fn errors_without_a_place_in_a_file_show_the_text() {
    let errors = read_with(LOADS, &["thresholds=[response_time.p95 < 250]"]).unwrap_err();
    insta::assert_snapshot!(errors);
    let string = |text: &str| Value::Str(text.to_owned());
    let test = Value::Map(vec![
        (string("test_class"), string("a.B")),
        (string("users"), Value::Int(1)),
        (string("thresholds"), string("rate > 95%")),
    ]);
    let config = Value::Map(vec![
        (
            string("thresholds"),
            Value::List(vec![string("failures < 1"), string("failures < few")]),
        ),
        (string("tests"), Value::List(vec![test])),
    ]);
    insta::assert_snapshot!(from_value("the config", &config).unwrap_err());
}

#[test]
fn the_resolved_config_has_them() {
    let config = good(&format!(
        "thresholds:\n- failures < 1%\n- threshold: checks.${{WORD}} > 1%\n  abort_on_fail: true\n  after: 5s\n{LOADS}"
    ));
    let yaml = config.resolved_yaml();
    assert!(yaml.contains("- \"failures < 1%\"\n"), "{yaml}");
    assert!(yaml.contains("- threshold: checks.${WORD} > 1%\n"), "{yaml}");
    assert!(yaml.contains("  after: 5s\n"), "{yaml}");
}

/// The configs that the reference of thresholds shows.
#[test]
fn the_examples_of_the_reference_are_configs() {
    let reference = include_str!("../../../docs/reference/thresholds.md");
    let blocks: Vec<&str> = reference
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let plan = good(block).plan;
        assert!(!plan.thresholds.is_empty(), "{block}");
    }
}
