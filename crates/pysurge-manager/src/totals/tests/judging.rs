//! Thresholds in a run: what the judges are given, and what is made of what they say.

use super::*;
use pysurge_core::summary::{ThresholdResult, ThresholdState};
use pysurge_core::threshold::Threshold;

const MS: u64 = S / 1_000;

fn threshold(text: &str) -> Threshold {
    Threshold::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn aborting(text: &str, after_ns: u64) -> Threshold {
    let mut threshold = threshold(text);
    threshold.abort_on_fail = true;
    threshold.after_ns = after_ns;
    threshold
}

fn with(test: TestPlan, texts: &[&str]) -> TestPlan {
    TestPlan {
        thresholds: texts.iter().map(|text| threshold(text)).collect(),
        ..test
    }
}

/// News of so many iterations that took so long, some of which failed.
fn took(planned: u64, passed: u64, failed: u64, ns: u64) -> TestSnapshot {
    let mut news = news(planned, passed, 0);
    news.measured.measures.failed = failed;
    for histogram in [
        &mut news.measured.measures.service_time,
        &mut news.measured.measures.response_time,
    ] {
        histogram.record_n(ns, passed + failed);
    }
    news
}

/// Tells of every second, at its end; of the last one too.
fn tell(totals: &mut Totals, tests: &[TestSnapshot], second: u64) {
    totals.add(0, tests, second * S + MS).unwrap();
    totals.close_rows(Closing {
        now_ns: second * S + MS,
        plan_ends_ns: None,
    });
}

/// In a few letters how every threshold stands.
fn states(results: &[ThresholdResult]) -> Vec<(ThresholdState, &str)> {
    let state = |result: &'_ ThresholdResult| result.state;
    results
        .iter()
        .map(|result| (state(result), result.actual_text.as_str()))
        .collect()
}

fn end(totals: &mut Totals, plan: &Plan, at_ns: u64, reason: StopReason) -> Vec<ThresholdResult> {
    totals.drained(0);
    totals.close_all_rows(at_ns);
    summary(plan, totals, at_ns, Some(reason)).thresholds
}

#[test]
fn slow_iterations_are_no_missing_ones() {
    let (plan, mut totals) = one(
        with(constant("10"), &["rate > 95%", "rate > 9/s in 90% of seconds"]),
        1,
        Some(10),
    );
    // Each takes five seconds: nothing ends before the sixth.
    for second in 1..=9 {
        let ended = if second > 5 { 10 } else { 0 };
        tell(&mut totals, &[took(second * 10, ended, 0, 5 * S)], second);
        assert!(totals.abort().is_none());
        let results = summary(&plan, &totals, second * S + 2 * MS, None).thresholds;
        assert_eq!(results[0].state, ThresholdState::Passed, "{second}: {results:?}");
    }
    tell(&mut totals, &[took(100, 60, 0, 5 * S)], 15);
    let results = end(&mut totals, &plan, 10 * S, StopReason::Duration);
    let states: Vec<_> = results.iter().map(|result| result.state).collect();
    assert_eq!(states, [ThresholdState::Passed; 2], "{results:?}");
}

#[test]
fn seconds_and_the_whole_run_are_judged_of_each_test_and_of_all() {
    let tests = vec![
        TestPlan {
            name: Some("slow".to_owned()),
            ..with(
                constant("10"),
                &["response_time.p95 < 1s for 3s", "response_time.p50 < 1s"],
            )
        },
        with(constant("4"), &["response_time.p95 < 1s for 3s"]),
    ];
    let plan = Plan {
        thresholds: vec![
            threshold("response_time.max < 1s in 50% of seconds"),
            threshold("failures < 10%"),
        ],
        ..plan_of(tests, Some(10))
    };
    let mut totals = totals_of(&plan, &[vec![true, true]]);
    for second in 1..=10 {
        // Three seconds on end are slow, and every fourth iteration of the other test fails.
        let ns = if (4..=6).contains(&second) { 2 * S } else { S / 2 };
        let tests = [took(second * 10, 10, 0, ns), took(second * 4, 3, 1, S / 2)];
        tell(&mut totals, &tests, second);
    }
    let results = end(&mut totals, &plan, 10 * S, StopReason::Duration);
    assert_eq!(
        results
            .iter()
            .map(|result| (result.test.as_deref(), result.state))
            .collect::<Vec<_>>(),
        [
            (None, ThresholdState::Passed),
            (None, ThresholdState::Passed),
            (Some("slow"), ThresholdState::Failed),
            (Some("slow"), ThresholdState::Passed),
            (Some("<B>"), ThresholdState::Passed),
        ],
        "{results:?}"
    );
    // 10 of 140.
    assert!((results[1].actual.unwrap() - 10.0 / 140.0).abs() < 1e-9);
    assert!((results[0].actual.unwrap() - 0.7).abs() < 1e-9);
}

#[test]
fn a_threshold_that_stops_the_run_stays_failed() {
    let test = TestPlan {
        thresholds: vec![aborting("failures < 10%", 2 * S)],
        warmup_ns: S,
        ..constant("10")
    };
    let (plan, mut totals) = one(test, 1, None);
    // Whatever the warm-up was.
    let warm = TestSnapshot {
        warmup: took(10, 0, 10, S).measured,
        ..news(0, 0, 0)
    };
    tell(&mut totals, &[warm], 1);
    let still = |news: TestSnapshot| TestSnapshot {
        warmup: part(10, 0, 0),
        ..news
    };
    tell(&mut totals, &[still(took(10, 5, 5, S))], 2);
    // `after` is counted from the end of the warm-up.
    assert!(totals.abort().is_none());
    tell(&mut totals, &[still(took(20, 5, 5, S))], 3);
    let failed = totals.abort().unwrap();
    assert_eq!(
        (failed.test.as_deref(), failed.state, failed.aborted),
        (Some("<A>"), ThresholdState::Failed, true)
    );
    assert!((failed.actual.unwrap() - 0.5).abs() < 1e-9, "{failed:?}");
    // Those that still ran made it look better.
    totals.add(0, &[still(took(200, 180, 0, S))], 4 * S).unwrap();
    let results = end(&mut totals, &plan, 3 * S + 2 * MS, StopReason::Threshold);
    assert_eq!(results, [failed]);
}

#[test]
fn what_was_never_measured_fails_unless_somebody_ended_it_before() {
    let texts = ["metrics.size.mean < 5", "failures < 1%"];
    for (told, reason, expected) in [
        (
            10,
            StopReason::Duration,
            [ThresholdState::NoData, ThresholdState::Passed],
        ),
        (
            10,
            StopReason::Signal,
            [ThresholdState::NoData, ThresholdState::Passed],
        ),
        (0, StopReason::Signal, [ThresholdState::Pending; 2]),
        (0, StopReason::SecondSignal, [ThresholdState::Pending; 2]),
        (0, StopReason::Duration, [ThresholdState::NoData; 2]),
    ] {
        let test = TestPlan {
            start_delay_ns: if told == 0 { 5 * S } else { 0 },
            ..with(constant("10"), &texts)
        };
        let (plan, mut totals) = one(test, 1, None);
        tell(&mut totals, &[took(told, told, 0, S)], 1);
        let results = end(&mut totals, &plan, S, reason);
        let found: Vec<_> = results.iter().map(|result| result.state).collect();
        assert_eq!(found, expected, "{told} {reason:?} {results:?}");
        if expected[0] == ThresholdState::Pending {
            assert_eq!(states(&results)[0].1, "not judged");
        }
    }
}

#[test]
fn nothing_is_judged_by_the_rest_of_a_second() {
    let (plan, mut totals) = one(with(constant("10"), &["rate > 9/s in 100% of seconds"]), 1, None);
    tell(&mut totals, &[took(10, 10, 0, S)], 1);
    // Cut 50 ms later, before another one came.
    totals.add(0, &[took(10, 0, 0, S)], S + 60 * MS).unwrap();
    let results = end(&mut totals, &plan, S + 50 * MS, StopReason::Signal);
    assert_eq!(results[0].state, ThresholdState::Passed, "{results:?}");
}
