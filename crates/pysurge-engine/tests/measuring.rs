//! What a pool measures of its iterations, beside counting them.

mod common;

use common::{Gated, Running, open};
use pysurge_core::failure::{FailureKey, Phase as Where};
use pysurge_core::measure::Measures;
use pysurge_engine::{Probe, TestCase, clock};
use std::time::Duration;

/// Fails every tenth iteration, and tells of everything there is.
struct Teller;

impl TestCase for Teller {
    fn iterate(&self, probe: &mut Probe<'_>) {
        let number = probe.number().unwrap_or(0);
        probe.run(|| ());
        probe.check("is even", number % 2 == 0);
        probe.timer("step", 1_000 + number);
        probe.timer("step", 2_000_000);
        probe.count("bytes", 10.0);
        probe.count("bytes", f64::NAN);
        if number.is_multiple_of(10) {
            let key = FailureKey {
                phase: Where::Run,
                exception: "ValueError".into(),
                frame: "t.py:1 in run".into(),
                message: "no".into(),
            };
            probe.fail(key, || ("no".into(), String::new()));
        }
    }

    fn kwargs(&self, number: Option<u64>) -> String {
        format!("{number:?}")
    }
}

#[test]
fn checks_steps_and_counts_of_all_iterations_are_kept() {
    let counts = Running::start("1000", Some(100_000_000), 4, Teller).finish();
    let measures = counts.measured.measures;
    assert_eq!((measures.passed, measures.failed), (90, 10));
    let (name, check) = measures.checks.iter().next().unwrap();
    assert_eq!((name, check.passed, check.failed), ("is even", 50, 50));
    let (name, timer) = measures.timers.iter().next().unwrap();
    assert_eq!(
        (name, timer.passed.count(), timer.failed.count()),
        ("step", 180, 20)
    );
    assert_eq!(timer.failed.min_ns(), Some(1_000));
    assert_eq!(measures.counts.iter().collect::<Vec<_>>(), [("bytes", 1_000.0)]);
    assert_eq!(measures.counts.refused(), 100);
}

#[test]
fn the_slowest_and_the_first_failed_are_kept_as_evidence() {
    let running = Running::start("1000", Some(100_000_000), 4, Teller);
    // Told bit by bit, as snapshots do.
    let mut measures = Measures::default();
    while running.pool.threads() > 0 {
        measures.merge(&running.pool.take().measured.measures);
        std::thread::yield_now();
    }
    measures.merge(&running.finish().measured.measures);
    let slowest = measures.exhibits.slowest();
    assert_eq!(slowest.len(), 10);
    assert_eq!(slowest[0].response_ns, measures.response_time.max_ns().unwrap());
    assert!(
        slowest
            .windows(2)
            .all(|pair| pair[0].response_ns >= pair[1].response_ns)
    );
    assert!(slowest.iter().all(|one| one.started_ns >= one.planned_ns));
    let failed = measures.exhibits.failed();
    let mut numbers: Vec<u64> = failed.iter().filter_map(|one| one.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    assert_eq!(
        failed[0].error.as_deref(),
        Some("run: ValueError: no (t.py:1 in run)")
    );
    assert!(failed[0].thread.starts_with("t-"), "{}", failed[0].thread);
}

/// Every part has an entry per iteration, and they add up to the lateness.
fn assert_adds_up(measures: &Measures) {
    let parts = measures.lateness_parts.named();
    for (name, part) in &parts {
        assert_eq!(part.count(), measures.lateness.count(), "{name}");
    }
    let sum_ns: u128 = parts.iter().map(|(_, part)| part.sum_ns()).sum();
    assert_eq!(sum_ns, measures.lateness.sum_ns());
}

#[test]
fn an_iteration_that_waits_for_a_thread_is_late_for_that_reason() {
    let gated = Gated::default();
    // One thread is in the gate; 20 iterations become due behind it.
    let running = Running::start_work(open("100", Some(200_000_000)), 1, gated.clone());
    gated.wait_for_inside(1);
    let due_ns = clock::now_ns() + 250_000_000;
    while clock::now_ns() < due_ns {
        std::thread::park_timeout(Duration::from_nanos(due_ns - clock::now_ns()));
    }
    gated.open();
    let measures = running.finish().measured.measures;
    assert_eq!(measures.passed, 20);
    assert_adds_up(&measures);
    let part = &measures.lateness_parts.no_free_thread;
    assert!(part.sum_ns() * 10 > measures.lateness.sum_ns() * 9, "{part:?}");
}

/// Computes for a while, or is blocked for as long.
struct Worker {
    computes: bool,
}

const SPELL_NS: u64 = 20_000_000;

impl TestCase for Worker {
    fn iterate(&self, probe: &mut Probe<'_>) {
        let cpu_ns = clock::thread_cpu_ns();
        probe.run(|| {
            if self.computes {
                while clock::thread_cpu_ns() - cpu_ns < SPELL_NS {
                    std::hint::spin_loop();
                }
            } else {
                std::thread::sleep(Duration::from_nanos(SPELL_NS));
            }
        });
    }
}

#[test]
fn a_thread_that_computes_is_told_from_one_that_is_blocked() {
    for computes in [true, false] {
        let counts = Running::start("20", Some(500_000_000), 4, Worker { computes }).finish();
        let measures = counts.measured.measures;
        assert_eq!(measures.passed, 10);
        assert_adds_up(&measures);
        // Whatever the machine does, these are certain: the time of the spells, and which clock counted it.
        assert!(measures.busy_ns >= 10 * SPELL_NS, "{}", measures.busy_ns);
        if computes {
            assert!(measures.busy_cpu_ns >= 10 * SPELL_NS, "{}", measures.busy_cpu_ns);
        } else {
            assert!(
                measures.busy_cpu_ns < measures.busy_ns / 4,
                "{}",
                measures.busy_cpu_ns
            );
        }
    }
}
