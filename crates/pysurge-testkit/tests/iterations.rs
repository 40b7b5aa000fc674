//! Every single iteration, told by real workers: none is missing, and together they are what the summary says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{plan, run, test, workers};
use pysurge_core::event::RunEvent;
use pysurge_core::histogram::Histogram;
use pysurge_core::summary::Durations;
use pysurge_core::value::Value;
use pysurge_core::wire::IterationRecord;
use pysurge_manager::Settings;

#[test]
fn every_iteration_is_told_and_together_they_are_the_summary() {
    let fails = [("every", Value::Int(7))];
    let mut tests = vec![
        test("native.Steps", "500", &[]),
        test("native.Fail", "100", &fails),
    ];
    tests[0].warmup_ns = 500_000_000;
    let settings = Settings {
        iterations: true,
        ..workers(2)
    };
    let ran = run(&plan(tests, Some(1_000)), &settings);
    let mut told: Vec<IterationRecord> = Vec::new();
    for event in &ran.events {
        if let RunEvent::Iterations { iterations, .. } = event {
            told.extend(iterations.iter().cloned());
        }
    }
    let summary = ran.summary();
    assert_eq!(summary.samples_dropped, 0);
    for (place, test) in summary.tests.iter().enumerate() {
        let mut of_test: Vec<_> = told.iter().filter(|one| one.test as usize == place).collect();
        of_test.sort_by_key(|one| one.number);
        // Numbered through over all workers, warm-up included.
        let numbers: Vec<u64> = of_test.iter().filter_map(|one| one.number).collect();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
        let warm = of_test.iter().filter(|one| one.warmup).count() as u64;
        assert_eq!(
            warm,
            test.warmup.as_ref().map_or(0, |warmup| warmup.account.planned)
        );
        let measured: Vec<_> = of_test.into_iter().filter(|one| !one.warmup).collect();
        assert_eq!(measured.len() as u64, test.account.planned);
        let failed = measured.iter().filter(|one| one.failed).count() as u64;
        assert_eq!(failed, test.account.failed);
        let (mut lateness, mut service_time) = (Histogram::new(), Histogram::new());
        for one in &measured {
            lateness.record(one.started_ns - one.planned_ns);
            service_time.record(one.service_ns.unwrap());
            assert_eq!(one.failed, one.failure.is_some());
        }
        assert_eq!(Durations::of(&lateness), test.lateness);
        assert_eq!(Durations::of(&service_time), test.service_time);
    }
    let steps = told.iter().find(|one| one.test == 0).unwrap();
    assert_eq!(steps.metrics, [("step".to_owned(), 2.0)]);
    assert!(steps.setup_ns.is_some() && steps.teardown_ns.is_some());
}

#[test]
fn nobody_is_told_of_single_iterations_who_did_not_ask() {
    let ran = run(
        &plan(vec![test("native.Noop", "100", &[])], Some(200)),
        &workers(1),
    );
    assert_eq!(ran.count(|event| matches!(event, RunEvent::Iterations { .. })), 0);
}
