//! Figures of a known distribution, from the recorders of real processes through the wire, the totals and the rows into the summary.

mod common;

use common::known::{lateness_ns, service_ns};
use common::{constant, run, settings};
use pysurge_core::event::RunEvent;
use pysurge_core::histogram::Histogram;
use pysurge_core::plan::{Plan, TestPlan};
use pysurge_core::summary::{Durations, EncodedHistogram, TestBlock};
use pysurge_manager::Settings;
use std::collections::BTreeSet;

const SHARES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

fn plan_of(rate: &str, duration_ms: u64) -> Plan {
    Plan {
        duration_ns: Some(duration_ms * common::MS),
        ..Plan::new("figures", vec![TestPlan::new("a.A", constant(rate))])
    }
}

/// The exact value at a share: the least that at least that share does not exceed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rank of some thousands"
)]
fn exact(sorted: &[u64], share: f64) -> u64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

#[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn assert_exact(name: &str, figures: &Durations, mut truth: Vec<u64>) {
    truth.sort_unstable();
    let told = [
        figures.p50_s,
        figures.p90_s,
        figures.p95_s,
        figures.p99_s,
        figures.p99_9_s,
    ];
    for (share, told) in SHARES.into_iter().zip(told) {
        let truth = seconds(exact(&truth, share));
        let told = told.expect("something was measured");
        assert!(
            (told - truth).abs() <= truth * 0.001 + 1e-9,
            "{name} at {share}: {told} for {truth}"
        );
    }
    let sum: u64 = truth.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
    let mean = seconds(sum) / truth.len() as f64;
    let near = |told: Option<f64>, truth: f64| (told.expect("measured") - truth).abs() <= truth * 1e-12;
    assert_eq!(figures.count, truth.len() as u64, "{name}");
    assert!(
        near(figures.mean_s, mean),
        "{name}: {figures:?}, the mean is {mean}"
    );
    assert!(near(figures.min_s, seconds(truth[0])), "{name}");
    assert!(
        near(figures.max_s, seconds(*truth.last().expect("some"))),
        "{name}"
    );
}

#[test]
fn percentiles_of_a_known_distribution_are_within_a_thousandth() {
    let ran = run(&plan_of("2000", 2_500), settings(&["known"], 3));
    let summary = ran.summary();
    let test = &summary.tests[0];
    assert_eq!(test.account.passed, 5_000);
    let truth = |of: fn(u64) -> u64| (0..5_000).map(of).collect::<Vec<u64>>();
    assert_exact("service time", &test.service_time, truth(service_ns));
    assert_exact("lateness", &test.lateness, truth(lateness_ns));
    let response_ns = |number| service_ns(number) + lateness_ns(number);
    assert_exact("response time", &test.response_time, truth(response_ns));
    // The rows and the blocks are the same figures, second by second.
    let mut rows = Histogram::new();
    let mut planned = 0;
    for event in &ran.events {
        if let RunEvent::Row(row) = event {
            rows.merge(&row.tests[0].measures.response_time);
            planned += row.tests[0].planned;
        }
    }
    assert_eq!(planned, 5_000);
    let blocks = |of: fn(&TestBlock) -> &EncodedHistogram| {
        let mut sum = Histogram::new();
        for block in &summary.blocks {
            sum.merge(&of(&block.tests[0]).decode().expect("the standard form"));
        }
        sum
    };
    assert!(summary.blocks.len() > 1, "{}", summary.blocks.len());
    assert_exact("the rows", &Durations::of(&rows), truth(response_ns));
    assert_eq!(blocks(|block| &block.response_time).counted(), rows.counted());
}

#[test]
fn every_single_iteration_is_told_where_it_is_asked_for() {
    for iterations in [true, false] {
        let settings = Settings {
            iterations,
            ..settings(&["known"], 2)
        };
        let ran = run(&plan_of("200", 300), settings);
        assert_eq!(ran.summary().account.passed, 60);
        let told = ran.events.iter().filter_map(|event| match event {
            RunEvent::Iterations { iterations, .. } => Some(iterations.as_slice()),
            _ => None,
        });
        let numbers: Vec<u64> = told.flatten().filter_map(|told| told.number).collect();
        let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
        let expected: BTreeSet<u64> = (0..if iterations { 60 } else { 0 }).collect();
        assert_eq!((numbers.len(), distinct), (expected.len(), expected));
    }
}
