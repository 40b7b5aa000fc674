//! What `defaults` gives to tests, and what it does not.

mod common;

use common::{errors_of, good};
use pysurge_core::plan::{LatePolicy, Model, TestPlan};

/// The load of each test in words.
fn loads(text: &str) -> Vec<String> {
    let plan = good(text).plan;
    plan.tests.iter().map(TestPlan::load_in_words).collect()
}

#[test]
fn a_test_has_what_it_does_not_say_itself() {
    let plan = good(
        "tags: run
defaults:
  test_class: a.B
  rate: 5
  kwargs: {host: x, size: 1, deep: {a: 1}}
  tags: [default]
  warmup: 1s
  late: drop
  max_duration: 3s
tests:
- {}
- test_class: c.D
  kwargs: {size: 2, new: 3, deep: {b: 2}}
  tags: [own]
  warmup: 0s
  late: queue
- kwargs:
",
    )
    .plan;
    insta::assert_debug_snapshot!(plan.tests);
}

#[test]
fn a_load_of_ones_own_leaves_out_that_of_the_defaults() {
    let text = "defaults: {rate: 5, arrivals: poisson, seed: 1, late: drop}
tests:
- {test_class: a.B}
- {test_class: a.B, rate: 7}
- {test_class: a.B, stages: [{duration: 1m, rate: 2}]}
- {test_class: a.B, users: 3}
- {test_class: a.B, replay: x.csv}
- {test_class: a.B, arrivals: constant}
";
    assert_eq!(
        loads(text),
        [
            "5/s, Poisson arrivals (seed 1)",
            "7/s, Poisson arrivals (seed 2)",
            "1 stage up to 2/s in 1m, Poisson arrivals (seed 3)",
            "3 users",
            "replay of x.csv",
            "5/s, evenly spaced",
        ]
    );
}

#[test]
fn keys_that_go_with_another_load_are_left_out() {
    let text = "defaults: {users: 20, pacing: 1s, ramp_up: 5s, start_rate: 3, max_lateness: 1s}
tests:
- {test_class: a.B}
- {test_class: a.B, users: 5}
- {test_class: a.B, think_time: 2s}
- {test_class: a.B, rate: 7}
- {test_class: a.B, stages: [{duration: 1m, rate: 4}]}
- {test_class: a.B, rate: 7, late: drop}
";
    assert_eq!(
        loads(text),
        [
            "20 users, pacing 1s, ramp-up 5s",
            "5 users, pacing 1s, ramp-up 5s",
            "20 users, think time 2s, ramp-up 5s",
            "7/s, evenly spaced",
            "1 stage up to 4/s in 1m, evenly spaced",
            "7/s, evenly spaced",
        ]
    );
    let late = |position: usize| match &good(text).plan.tests[position].model {
        Model::Open(open) => open.late,
        Model::Closed(_) => panic!("no open model"),
    };
    assert_eq!(late(3), LatePolicy::Queue);
    let max_lateness_ns = 1_000_000_000;
    assert_eq!(late(5), LatePolicy::Drop { max_lateness_ns });
    assert_eq!(good(text).render_warnings(false), "");
}

#[test]
fn defaults_may_be_empty() {
    for defaults in ["defaults:", "defaults: {}"] {
        let text = format!("{defaults}\ntests: [{{test_class: a.B, rate: 1}}]\n");
        assert_eq!(loads(&text), ["1/s, evenly spaced"]);
    }
}

#[test]
fn an_error_in_defaults_is_told_once_and_there() {
    let tests = "tests:
- {test_class: a.B}
- {test_class: a.B}
- {test_class: a.B, users: 2}
";
    let cases = [
        "defaults: {rate: 0}",
        "defaults: {rate: 1, users: 5}",
        "defaults: {users: 1, pacing: 1s, think_time: 1s}",
        "defaults: {rate: 1, duration: 5s, warmup: 6s}",
        "defaults: {kwargs: 5, rate: 1}",
        "defaults: {stages: [{duration: 1s, rate: 0}]}",
        "defaults: [rate]",
        "defaults: {warmup: 1s}",
    ]
    .map(|line| format!("{line}\n{tests}"));
    insta::assert_snapshot!(errors_of(&cases));
}
