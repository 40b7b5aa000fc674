//! The keys of a config: what each means in the plan, and what is said of those that are wrong.

mod common;

use common::{errors_of, good, read_with, test};
use pysurge_config::from_value;
use pysurge_core::plan::{Model, Plan, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::value::Value;

fn plan_of(lines: &str) -> TestPlan {
    good(&test(lines)).plan.tests.remove(0)
}

#[test]
fn loads() {
    let table = [
        ("rate: 50", "50/s, evenly spaced"),
        (
            "rate: 3000/m\narrivals: poisson",
            "50/s, Poisson arrivals (seed 0)",
        ),
        (
            "rate: \"7200/h\"\narrivals: poisson\nseed: 18446744073709551615",
            "2/s, Poisson arrivals (seed 18446744073709551615)",
        ),
        (
            "stages: [{duration: 1m, rate: 100}, {duration: 5m, rate: 100}, {duration: 30s, rate: 0}]",
            "3 stages up to 100/s in 6m30s, evenly spaced",
        ),
        (
            "stages:\n- duration: 1m\n  rate: 0\nstart_rate: 60/m",
            "1 stage up to 1/s in 1m, evenly spaced",
        ),
        ("shape: load.waves", "shape load.waves, evenly spaced"),
        (
            "shape: ./shapes/w.py:rate",
            "shape ./shapes/w.py:rate, evenly spaced",
        ),
        ("replay: day.csv", "replay of day.csv"),
        (
            "replay: {file: logs/day.csv, speed: 2.5}",
            "replay of day.csv, 2.5 times as fast",
        ),
        ("users: 1", "1 user"),
        (
            "users: 20\npacing: 1s\nramp_up: 30s",
            "20 users, pacing 1s, ramp-up 30s",
        ),
        (
            "users: 20\nthink_time: [0s, 1.5s]",
            "20 users, think time 0s to 1.5s",
        ),
        (
            "users: 20\nthink_time: {max: 3s, min: 500ms}\niterations: 10_000",
            "20 users, think time 500ms to 3s, 10000 iterations",
        ),
    ];
    for (lines, words) in table {
        assert_eq!(plan_of(lines).load_in_words(), words, "{lines}");
    }
}

#[test]
fn every_key_reaches_the_plan() {
    let config = good(
        "name: nightly
tags: [night, slow]
duration: 1h30m
workers: 4
arrivals: poisson
seed: 7
graceful_stop: 0s
thresholds: [failures < 1%, {threshold: lost == 0, abort_on_fail: true, after: 5s}]
tests:
- test_class: load.Upload
  thresholds: response_time.p95 < 250ms for 10s
  name: uploads
  tags: [upload, night]
  kwargs: {size: 5}
  stages:
  - {duration: 1m, rate: 10, jump: true}
  - {duration: 30s, rate: 0.5}
  start_rate: 1
  late: drop
  max_lateness: 20ms
  iterations: 100
  duration: 1m
  start_delay: 10s
  warmup: 20s
  max_duration: 2s
  max_threads: 50
  graceful_stop: 5s
- test_class: load.Replay
  replay:
    file: day.csv
    speed: 0.25
    time: at
    unit: ms
    columns: {user: id, size: bytes}
    types: {size: int}
  tags: one
- test_class: load.User
  users: 3
  pacing: [1s, 2s]
  ramp_up: 3s
",
    );
    assert_eq!(config.plan.name, "nightly");
    insta::assert_debug_snapshot!(config.plan);
}

#[test]
fn a_run_is_called_as_its_file_and_has_no_limits() {
    let plan = good(&test("rate: 1")).plan;
    assert_eq!(plan, Plan::new("load", vec![plan.tests[0].clone()]));
    let constant = TestPlan::new("a.B", Model::constant(Rate::parse("1").unwrap()));
    assert_eq!(plan.tests[0], constant);
}

#[test]
fn tests_of_one_seed_differ_and_a_seed_of_ones_own_counts_as_it_is() {
    let seeds = |top: &str| -> Vec<u64> {
        let text = format!(
            "{top}\ntests:\n- {{test_class: a.B, rate: 1}}\n- {{test_class: a.B, users: 1}}\n- {{test_class: a.B, rate: 1, seed: 5}}\n- {{test_class: a.B, rate: 1}}\n"
        );
        let tests = good(&text).plan.tests.into_iter();
        tests
            .map(|test| match test.model {
                Model::Open(open) => open.seed,
                Model::Closed(closed) => closed.seed,
            })
            .collect()
    };
    assert_eq!(seeds(""), [0, 1, 5, 3]);
    assert_eq!(seeds("seed: 40"), [40, 41, 5, 43]);
    assert_eq!(seeds("seed: 40\ndefaults: {seed: 70}"), [70, 71, 5, 73]);
    assert_eq!(seeds("seed: 18446744073709551615"), [u64::MAX, 0, 5, 2]);
}

#[test]
fn spans_that_are_wrong() {
    let cases = [
        "duration: 5",
        "duration: 1.5",
        "duration: \"5\"",
        "duration: 1:30",
        "duration: 0s",
        "duration: -5s",
        "duration: 5 minutes",
        "duration: 5x",
        "duration: soon",
        "duration: \"\"",
        "duration: 4000d",
        "duration: 99999999999999999999d",
        "duration: [1s]",
        "duration: ${WORD}",
        "duration:",
        "max_duration: 0s",
        "warmup: 0",
    ]
    .map(|line| test(&format!("rate: 1\n{line}")));
    insta::assert_snapshot!(errors_of(&cases));
}

#[test]
fn numbers_and_words_that_are_wrong() {
    let cases = [
        "iterations: 0",
        "iterations: 1.5",
        "iterations: \"10\"",
        "iterations: -1",
        "iterations: 99999999999999999999",
        "iterations: 1e6",
        "iterations: ${WORD}",
        "max_threads: 1000001",
        "seed: -1",
        "seed: 18446744073709551616",
        "arrivals: poison",
        "arrivals: even",
        "arrivals: yes",
        "late: \"Drop\"",
        "name: \"\"",
        "name: 5",
        "tags: [a, 1, \"\"]",
        "tags: {a: b}",
        "tags: \" \"",
    ]
    .map(|line| test(&format!("rate: 1\n{line}")));
    insta::assert_snapshot!(errors_of(&cases));
}

#[test]
fn loads_that_are_wrong() {
    let cases = [
        "kwargs: {}",
        "rate: 1\nusers: 5",
        "users: 5\nstages: [{duration: 1m, rate: 1}]\nrate: 2\nreplay: x.csv",
        "think_time: 1s",
        "start_rate: 5",
        "rates: 5",
        "rate: 5\npacing: 1s",
        "rate: 5\nstart_rate: 1\nramp_up: 5s",
        "users: 5\nlate: drop\narrivals: poisson",
        "replay: x.csv\nseed: 5\narrivals: poisson",
        "users: 5\npacing: 1s\nthink_time: 1s",
        "rate: 5\nmax_lateness: 1s",
        "rate: 5\nlate: queue\nmax_lateness: 1s",
        "rate: fast\npacing: 1s",
    ]
    .map(test);
    insta::assert_snapshot!(errors_of(&cases));
}

#[test]
fn stages_that_are_wrong() {
    let cases = [
        "stages:",
        "stages: []",
        "stages: 5",
        "stages: {duration: 1m, rate: 5}",
        "stages: [5, ]",
        "stages: [{duration: 1m}, {rate: 5}]",
        "stages:\n- {duration: 0s, rate: 5}\n- {duration: 1m, rate: -5}\n- {duration: 1m, target: 5}",
        "stages: [{duration: 1m, rate: 0}, {duration: 1m, rate: 0/m}]",
        "stages: [{duration: 1m, rate: 0, jump: true}]\nstart_rate: 5",
        "stages: [{duration: 1m, rate: 5, jump: 1}]",
        "stages: [{duration: 3000d, rate: 5}, {duration: 3000d, rate: 5}]",
        "stages: [{duration: 1m, rate: 5}]\nstart_rate: -1",
    ]
    .map(test);
    insta::assert_snapshot!(errors_of(&cases));
}

#[test]
fn shapes_and_replays_that_are_wrong() {
    let cases = [
        "shape: waves",
        "shape: waves.py",
        "shape: .py:rate",
        "shape: 5",
        "shape:",
        "replay:",
        "replay: \"\"",
        "replay: [x.csv]",
        "replay: {speed: 2}",
        "replay: {file: x.csv, speed: 0}",
        "replay: {file: x.csv, speed: \"2\"}",
        "replay: {file: x.csv, sped: 2}",
        "replay: {file: x.csv, unit: m, time: 5}",
        "replay: {file: x.csv, columns: [a], types: {a: text}}",
        "replay: {file: x.csv, columns: {a: b, 1: c, d: 5}}",
        "replay: {file: x.csv, columns: {a: b}, types: {b: int}}",
        "rate: 1\nspeed: 2",
    ]
    .map(test);
    insta::assert_snapshot!(errors_of(&cases));
}

#[test]
fn users_that_are_wrong() {
    let cases = [
        "users: 0",
        "users: 2000000",
        "users: 5\npacing: 1",
        "users: 5\npacing: [1s]",
        "users: 5\npacing: [3s, 1s]",
        "users: 5\npacing: [1, 2]",
        "users: 5\npacing: {min: 1s}",
        "users: 5\npacing: {min: 1s, max: 2s, mean: 3s}",
        "users: 5\npacing: yes",
        "users: 5\npacing: now",
    ]
    .map(test);
    insta::assert_snapshot!(errors_of(&cases));
}

#[test]
fn warmups_that_leave_nothing() {
    let cases = [
        "rate: 1\nduration: 30s\nwarmup: 30s",
        "stages: [{duration: 10s, rate: 1}, {duration: 10s, rate: 1}]\nwarmup: 20s",
        "stages: [{duration: 10s, rate: 1}]\nduration: 1m\nwarmup: 10s",
        "rate: 1\nduration: 30s\nwarmup: 29s",
    ]
    .map(test);
    insta::assert_snapshot!(errors_of(&cases));
}

#[test]
fn top_level_keys_that_are_wrong() {
    let cases = [
        "workers: 0",
        "workers: 1025",
        "duration: 0s",
        "seed: x",
        "graceful_stop: 5",
        "rate: 5",
        "kwargs: {a: 1}",
        "max_duration: 5s",
        "name: [a]",
        "duraton: 5m",
        "defaults: 5",
        "defaults: {name: x, workers: 3, rte: 1}",
    ]
    .map(|line| format!("{line}\n{}", test("rate: 1")));
    insta::assert_snapshot!(errors_of(&cases));
}

#[test]
fn a_run_that_is_too_short_is_told_once_its_duration_is_known() {
    let text = "duration: 30s
defaults: {warmup: 30s}
tests:
- {test_class: a.B, rate: 1}
- {test_class: a.B, rate: 1, warmup: 5s, start_delay: 26s}
- {test_class: a.B, rate: 1, start_delay: 1m}
- {test_class: a.B, rate: 1, warmup: 0s}
";
    let mut config = good(text);
    insta::assert_snapshot!(config.check_duration().unwrap_err());
    config.plan.duration_ns = Some(100 * pysurge_core::NANOS_PER_SEC);
    config.check_duration().unwrap();
    config.plan.duration_ns = None;
    config.check_duration().unwrap();
}

fn s(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn dict(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (s(key), value)).collect())
}

#[test]
fn a_dict_has_the_same_keys() {
    let stage = dict(vec![("duration", s("1m")), ("rate", Value::Float(0.5))]);
    let config = dict(vec![
        ("duration", s("5m")),
        (
            "defaults",
            dict(vec![("stages", Value::List(vec![stage])), ("late", s("drop"))]),
        ),
        (
            "tests",
            Value::List(vec![dict(vec![("test_class", s("a.B")), ("warmup", s("5s"))])]),
        ),
    ]);
    let from_dict = from_value("load", &config).unwrap();
    let text = "duration: 5m
defaults: {stages: [{duration: 1m, rate: 0.5}], late: drop}
tests: [{test_class: a.B, warmup: 5s}]
";
    assert_eq!(from_dict.plan, good(text).plan);

    let config = dict(vec![
        ("duration", Value::Int(5)),
        (
            "defaults",
            dict(vec![
                ("rate", Value::Int(1)),
                ("users", Value::Int(0)),
                ("late", s("dropp")),
            ]),
        ),
        (
            "tests",
            Value::List(vec![
                dict(vec![("test_class", s("a.B"))]),
                dict(vec![("test_class", s("a.B")), ("pacing", Value::Float(1.5))]),
            ]),
        ),
    ]);
    insta::assert_snapshot!(from_value("the config", &config).unwrap_err());
}

#[test]
fn all_errors_at_once_in_the_order_of_the_file() {
    insta::assert_snapshot!(errors_of(&["
duration: 5
defaults:
  rate: fast
  warmup: 0
  kwargs: [1]
tests:
- test_class: a.B
- test_class: a.B
  users: 0
  late: drop
- test_class: a.B
  stages:
  - {duration: 1m, rate: 5, jmp: true}
  seed: 1.5
workers: many
"]));
}

#[test]
fn errors_found_later_point_at_their_keys() {
    use pysurge_core::wire::{LoadError, LoadFault};
    let text = "defaults: {shape: load.wave, kwargs: {sise: 1}}
tests:
- test_class: load.Upload
- test_class: load.Upload
  replay: day.csv
- test_class: load.Upload
  replay:
    file: day.csv
- test_class: load.Upload
  kwargs: {a: 1}
";
    let config = good(text);
    let error = |fault, message: &str| {
        Some(LoadError {
            fault,
            message: message.to_owned(),
            hint: None,
            traceback: String::new(),
        })
    };
    let refused = "Upload.__init__() got an unexpected keyword argument 'sise'";
    insta::assert_snapshot!(config.load_errors(&[
        error(
            LoadFault::Shape,
            "there is no function `wave` in the module `load`"
        ),
        error(
            LoadFault::Replay,
            "the file differs from the one that was read before"
        ),
        error(
            LoadFault::Replay,
            "the file differs from the one that was read before"
        ),
        error(LoadFault::Kwargs, refused),
    ]));
    insta::assert_snapshot!(config.file_error(
        2,
        LoadFault::Replay,
        "there is no file `day.csv`",
        Some("it is looked for beside the config")
    ));
}

#[test]
fn a_warning_needs_no_error() {
    assert!(read_with(&test("rate: 1"), &[]).unwrap().warnings.is_empty());
}
