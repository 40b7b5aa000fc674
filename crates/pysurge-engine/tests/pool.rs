//! The pool with native test cases: counts, growth, the ways to stop. Threads are real, so every wait is for a condition.

mod common;

use common::{Gated, Running, open};
use parking_lot::Mutex;
use pysurge_core::failure::{FailureKey, Phase as Where};
use pysurge_core::plan::{ClosedModel, Wait};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Change, Factor, Phase, Schedule, Stripe};
use pysurge_core::users::{Lot, Users};
use pysurge_engine::{Attachment, Pool, PoolSettings, Probe, TestCase, Unattached, Work, clock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Noop;

impl TestCase for Noop {
    fn iterate(&self, probe: &mut Probe<'_>) {
        probe.run(|| ());
        probe.metric("one", 1.0);
    }
}

#[test]
fn every_planned_iteration_is_run_once() {
    for (rate, end_ns, planned) in [
        ("100", 200_000_000, 20),
        ("3.7", 1_000_000_000, 4),
        ("100000", 300_000_000, 30_000),
    ] {
        let counts = Running::start(rate, Some(end_ns), 4, Noop).finish();
        assert_eq!(
            (
                counts.measured.planned,
                counts.measured.dropped,
                counts.measured.interrupted
            ),
            (planned, 0, 0),
            "{rate}/s"
        );
        let measures = &counts.measured.measures;
        assert_eq!((measures.passed, measures.failed), (planned, 0));
        for histogram in [
            &measures.lateness,
            &measures.service_time,
            &measures.response_time,
        ] {
            assert_eq!(histogram.count(), planned);
        }
        assert_eq!((measures.setup.count(), measures.teardown.count()), (0, 0));
        assert_eq!(
            measures
                .metrics
                .iter()
                .map(|(name, sketch)| (name, sketch.count()))
                .collect::<Vec<_>>(),
            [("one", planned)]
        );
    }
}

#[test]
fn no_iteration_starts_before_it_is_planned() {
    struct Early(u64, AtomicU64);
    impl TestCase for Early {
        fn iterate(&self, probe: &mut Probe<'_>) {
            let nth = self.1.fetch_add(1, Ordering::Relaxed);
            let now_ns = clock::now_ns();
            assert!(now_ns >= self.0 + nth * 5_000_000, "iteration {nth} is early");
            probe.run(|| ());
        }
    }
    // The pool's start is later than this instant, so each bound is one that a right pool keeps.
    let before_ns = clock::now_ns();
    let counts = Running::start("200", Some(100_000_000), 1, Early(before_ns, AtomicU64::new(0))).finish();
    assert_eq!(counts.measured.measures.passed, 20);
}

#[test]
fn the_pool_grows_to_its_bound_and_not_beyond() {
    let gated = Gated::default();
    let running = Running::start("100000", None, 5, gated.clone());
    gated.wait_for_inside(5);
    assert_eq!(running.pool.threads(), 5);
    running.pool.cut_plan(clock::now_ns());
    running.pool.close();
    let waiting = running.pool.take();
    assert_eq!(waiting.in_flight, 5);
    assert!(
        waiting.measured.dropped > 0,
        "what waited for a thread is dropped"
    );
    gated.open();
    let counts = running.finish();
    assert_eq!(counts.measured.measures.passed, 5);
    assert_eq!(counts.measured.planned, counts.measured.dropped + 5);
    assert_eq!(gated.most_inside(), 5);
    assert_eq!(running.pool.threads(), 0);
}

#[test]
fn a_cut_plan_counts_what_was_due_and_no_more() {
    let gated = Gated::default();
    let running = Running::start("1000", None, 1, gated.clone());
    gated.wait_for_inside(1);
    let cut_ns = clock::now_ns();
    running.pool.cut_plan(cut_ns);
    running.pool.cut_plan(cut_ns + 1_000_000_000); // a later cut takes nothing back
    running.pool.close();
    gated.open();
    let counts = running.finish();
    assert_eq!(counts.measured.measures.passed, 1);
    assert!(counts.measured.planned >= 1 && counts.measured.planned == counts.measured.dropped + 1);
    assert!(
        counts.measured.planned < 1_000,
        "the second cut counted: {}",
        counts.measured.planned
    );
}

#[test]
fn what_runs_at_the_hard_stop_is_interrupted_and_never_recorded() {
    let gated = Gated::default();
    let running = Running::start("1000", None, 3, gated.clone());
    gated.wait_for_inside(3);
    running.pool.cut_plan(clock::now_ns());
    assert_eq!(running.pool.interrupt(), 3);
    let counts = running.pool.take();
    assert_eq!(
        (
            counts.measured.interrupted,
            counts.in_flight,
            counts.measured.planned
        ),
        (3, 0, counts.measured.dropped + 3)
    );
    gated.open();
    running.join();
    assert_eq!(running.pool.take().measured.measures.passed, 0);
    assert_eq!(running.pool.recorded(), 0);
}

/// As if Python gave the interpreter back only after a whole switch interval.
struct Crowded;

impl Attachment for Crowded {
    fn detached<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R {
        let result = wait();
        let until_ns = clock::now_ns() + 5_000_000;
        while clock::now_ns() < until_ns {
            std::thread::yield_now();
        }
        result
    }
}

#[test]
fn a_crowded_pool_still_runs_everything() {
    let schedule = Schedule::constant(Rate::parse("20000").unwrap(), Phase::ZERO, Some(200_000_000));
    let settings = PoolSettings {
        max_threads: 4,
        shards: 2,
        start_ns: clock::now_ns(),
    };
    let pool = Pool::new(
        Work::open(schedule.stripe(Stripe::WHOLE)),
        settings,
        Box::new(|| ()),
    );
    for _ in 0..4 {
        pool.thread_requested();
    }
    std::thread::scope(|scope| {
        for number in 0..4 {
            let pool = &pool;
            scope.spawn(move || pool.run_thread(&Noop, &Crowded, &format!("t-{number}")));
        }
    });
    let counts = pool.take();
    assert_eq!(
        (counts.measured.measures.passed, counts.in_flight, counts.threads),
        (4_000, 0, 0)
    );
}

#[test]
fn a_refused_thread_is_not_asked_for_again() {
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let schedule = Schedule::constant(Rate::parse("10000").unwrap(), Phase::ZERO, Some(20_000_000));
    let settings = PoolSettings {
        max_threads: 10,
        shards: 1,
        start_ns: clock::now_ns(),
    };
    let pool = Arc::new_cyclic(|weak: &std::sync::Weak<Pool>| {
        let weak = weak.clone();
        let refuse = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            weak.upgrade().expect("the pool that asks lives").thread_refused();
        };
        Pool::new(
            Work::open(schedule.stripe(Stripe::WHOLE)),
            settings,
            Box::new(refuse),
        )
    });
    pool.thread_requested();
    pool.run_thread(&Noop, &Unattached, "t-1");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!((pool.threads(), pool.take().measured.measures.passed), (0, 200));
}

#[test]
fn failures_are_grouped_and_metrics_of_failed_iterations_are_not_kept() {
    struct Odd(AtomicU64);
    impl TestCase for Odd {
        fn iterate(&self, probe: &mut Probe<'_>) {
            let nth = self.0.fetch_add(1, Ordering::Relaxed);
            probe.metric("m", 1.0);
            let key = |phase| FailureKey {
                phase,
                exception: "E".into(),
                frame: "f".into(),
                message: "m".into(),
            };
            probe.run(|| ());
            if nth % 2 == 1 {
                probe.fail(key(Where::Run), || ("message".into(), "traceback".into()));
            }
            probe.teardown(|| ());
            if nth == 0 {
                probe.fail(key(Where::Teardown), || ("late".into(), "traceback".into()));
            }
        }
    }
    let measures = Running::start("1000", Some(10_000_000), 1, Odd(AtomicU64::new(0)))
        .finish()
        .measured
        .measures;
    assert_eq!(
        (measures.passed, measures.failed),
        (5, 5),
        "an error in teardown fails nothing"
    );
    assert_eq!(
        measures.metrics.iter().next().map(|(_, sketch)| sketch.count()),
        Some(5)
    );
    assert_eq!(measures.teardown.count(), 10);
    let groups = measures.failures.by_count();
    assert_eq!(
        groups
            .iter()
            .map(|(key, group)| (key.phase, group.count))
            .collect::<Vec<_>>(),
        [(Where::Run, 5), (Where::Teardown, 1)]
    );
    assert_eq!(groups[0].1.traceback, "traceback");
}

#[test]
fn response_time_is_lateness_and_service_time() {
    let gated = Gated::default();
    let running = Running::start("1000", Some(3_000_000), 1, gated.clone());
    gated.wait_for_inside(1);
    gated.open();
    let measures = running.finish().measured.measures;
    let sum = |histogram: &pysurge_core::histogram::Histogram| histogram.mean_ns().unwrap() * 3.0;
    let (response, parts) = (
        sum(&measures.response_time),
        sum(&measures.lateness) + sum(&measures.service_time),
    );
    assert!((response - parts).abs() < 1.0, "{response} is not {parts}");
}

/// So many closed users, who wait for nothing.
fn users(users: u32, iterations: Option<u64>) -> Work {
    let model = ClosedModel {
        users,
        wait: Wait::None,
        ramp_up_ns: 0,
        seed: 0,
    };
    let lot = Lot::at_start(&model, Stripe::WHOLE, iterations);
    Work::closed(Users::new(model, lot, 0, None, 0))
}

#[test]
fn the_closed_model_keeps_exactly_as_many_in_flight_as_there_are_users() {
    let gated = Gated::default();
    let running = Running::start_work(users(7, None), 20, gated.clone());
    gated.wait_for_inside(7);
    assert_eq!(running.pool.take().in_flight, 7);
    gated.open();
    // Many turns later it is still so: nobody was lost and nobody was doubled.
    while running.pool.recorded() < 5_000 {
        std::thread::yield_now();
        assert!(running.pool.take().in_flight <= 7);
    }
    running.pool.cut_plan(clock::now_ns());
    let counts = running.finish();
    assert_eq!(gated.most_inside(), 7);
    assert_eq!(counts.measured.dropped, 0);
    assert_eq!(running.pool.threads(), 0);
}

#[test]
fn closed_iterations_are_done_exactly_and_then_it_has_ended() {
    let running = Running::start_work(users(5, Some(1_234)), 5, Noop);
    running.join();
    assert!(running.pool.has_ended());
    let counts = running.pool.take();
    assert!(counts.ended);
    assert_eq!(
        (counts.measured.planned, counts.measured.measures.passed),
        (1_234, 1_234)
    );
    let measures = &counts.measured.measures;
    assert_eq!(
        measures.response_time, measures.service_time,
        "a user of the closed model waits for nobody else"
    );
    assert_eq!(measures.lateness.count(), 1_234);
}

#[test]
fn what_is_too_late_is_dropped_and_counted_and_the_rest_is_in_time() {
    let gated = Gated::default();
    let max_lateness_ns = 20_000_000;
    let work = open("1000", Some(400_000_000)).dropping_after(Some(max_lateness_ns));
    let running = Running::start_work(work, 1, gated.clone());
    gated.wait_for_inside(1);
    let until_ns = clock::now_ns() + 100_000_000;
    while clock::now_ns() < until_ns {
        std::thread::yield_now();
    }
    gated.open();
    let counts = running.finish().measured;
    assert_eq!(counts.planned, 400);
    assert_eq!(counts.planned, counts.dropped + counts.measures.passed);
    assert!(
        counts.dropped >= 80,
        "the gate was closed for 100 ms: {}",
        counts.dropped
    );
    // Decided before the start; the start itself may take a moment.
    let latest_ns = counts.measures.lateness.max_ns().unwrap();
    assert!(latest_ns < 300_000_000, "{latest_ns}");
}

#[test]
fn a_warm_up_is_accounted_for_by_itself() {
    struct FailsEveryOther(AtomicU64);
    impl TestCase for FailsEveryOther {
        fn iterate(&self, probe: &mut Probe<'_>) {
            probe.run(|| ());
            if self.0.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
                let key = FailureKey {
                    phase: Where::Run,
                    exception: "E".into(),
                    frame: String::new(),
                    message: String::new(),
                };
                probe.fail(key, || ("message".into(), "traceback".into()));
            }
        }
    }
    let work = open("1000", Some(100_000_000)).warming_up_until(30_000_000);
    let counts = Running::start_work(work, 1, FailsEveryOther(AtomicU64::new(0))).finish();
    for (part, planned) in [(&counts.warmup, 30), (&counts.measured, 70)] {
        let measures = &part.measures;
        assert_eq!(
            (part.planned, part.dropped, measures.passed, measures.failed),
            (planned, 0, planned / 2, planned / 2)
        );
        assert_eq!(measures.lateness.count(), planned);
        // The first failure of each part brings its own example.
        assert_eq!(measures.failures.by_count()[0].1.traceback, "traceback");
    }
}

#[test]
fn a_dropped_warm_up_is_dropped_there() {
    let gated = Gated::default();
    let work = open("1000", Some(100_000_000)).warming_up_until(30_000_000);
    let running = Running::start_work(work, 2, gated.clone());
    gated.wait_for_inside(2);
    assert_eq!(running.pool.interrupt(), 2);
    let counts = running.pool.take();
    assert_eq!(
        (
            counts.warmup.planned,
            counts.warmup.dropped,
            counts.warmup.interrupted
        ),
        (30, 28, 2)
    );
    assert_eq!((counts.measured.planned, counts.measured.dropped), (70, 70));
    gated.open();
    running.join();
}

#[test]
fn a_pause_leaves_no_burst_and_takes_no_iteration() {
    /// Notes when each iteration starts.
    #[derive(Clone, Default)]
    struct Starts(Arc<Mutex<Vec<u64>>>);
    impl TestCase for Starts {
        fn iterate(&self, probe: &mut Probe<'_>) {
            self.0.lock().push(clock::now_ns());
            probe.run(|| ());
        }
    }
    const MS: u64 = 1_000_000;
    let starts = Starts::default();
    let begin_ns = clock::now_ns();
    let running = Running::start("1000", Some(300 * MS), 3, starts.clone());
    let change = |at_ms, paused| Change {
        at_ns: at_ms * MS,
        paused,
        factor: Factor::ONE,
    };
    running.pool.change(change(100, true), 3, 3);
    running.pool.change(change(400, false), 3, 3);
    let counts = running.finish().measured;
    assert_eq!(
        (counts.planned, counts.measures.passed, counts.dropped),
        (300, 300, 0)
    );
    // What is planned before the pause may start late, what is planned after it never early: so at least 200 start after the pause.
    let after = starts
        .0
        .lock()
        .iter()
        .filter(|&&ns| ns >= begin_ns + 400 * MS)
        .count();
    assert!((200..=300).contains(&after), "{after}");
    let last_ns = starts.0.lock().iter().copied().max().unwrap();
    assert!(
        last_ns >= begin_ns + 599 * MS,
        "the rest of the plan is moved, not run at once"
    );
}

#[test]
fn an_open_pause_waits_for_its_end_and_a_change_wakes_the_pool() {
    let running = Running::start("1000", Some(50_000_000), 2, Noop);
    let change = |at_ns, paused| Change {
        at_ns,
        paused,
        factor: Factor::ONE,
    };
    running.pool.change(change(0, true), 2, 2);
    let paused = running.pool.take();
    assert!(!paused.ended && paused.measured.planned <= 50);
    running.pool.change(change(1_000_000, false), 2, 2);
    assert_eq!(running.finish().measured.measures.passed, 50);
}

#[test]
fn a_factor_changes_the_count_and_the_number_of_threads() {
    let gated = Gated::default();
    let running = Running::start("1000", Some(200_000_000), 2, gated.clone());
    let twice = Change {
        at_ns: 100_000_000,
        paused: false,
        factor: Factor::from_milli(2_000).unwrap(),
    };
    running.pool.change(twice, 5, 5);
    gated.wait_for_inside(5);
    gated.open();
    let counts = running.finish().measured;
    assert_eq!((counts.planned, counts.measures.passed), (300, 300));
}

#[test]
fn more_users_come_in_when_the_load_is_scaled_up() {
    let gated = Gated::default();
    let running = Running::start_work(users(2, None), 2, gated.clone());
    gated.wait_for_inside(2);
    let thrice = Change {
        at_ns: 1,
        paused: false,
        factor: Factor::from_milli(3_000).unwrap(),
    };
    running.pool.change(thrice, 6, 6);
    gated.wait_for_inside(6);
    running.pool.cut_plan(clock::now_ns());
    gated.open();
    running.finish();
    assert_eq!(gated.most_inside(), 6);
}

#[test]
fn iterations_know_their_number() {
    struct Numbers(Arc<Mutex<Vec<Option<u64>>>>);
    impl TestCase for Numbers {
        fn iterate(&self, probe: &mut Probe<'_>) {
            self.0.lock().push(probe.number());
        }
    }
    let numbers = Arc::default();
    let schedule = Schedule::constant(Rate::parse("1000").unwrap(), Phase::ZERO, Some(7_000_000));
    let work = Work::open(schedule.stripe(Stripe {
        worker: 1,
        workers: 3,
    }));
    Running::start_work(work, 1, Numbers(Arc::clone(&numbers))).join();
    assert_eq!(*numbers.lock(), [Some(1), Some(4)]);
}

#[test]
fn turns_of_users_have_numbers_of_their_own() {
    struct Numbers(Arc<Mutex<Vec<u64>>>);
    impl TestCase for Numbers {
        fn iterate(&self, probe: &mut Probe<'_>) {
            self.0.lock().push(probe.row_number());
        }
    }
    let model = ClosedModel {
        users: 3,
        wait: Wait::None,
        ramp_up_ns: 0,
        seed: 0,
    };
    let numbers = Arc::default();
    for worker in 0..2 {
        let stripe = Stripe { worker, workers: 2 };
        let lot = Lot::at_start(&model, stripe, Some(50));
        let users = Users::new(model.clone(), lot, 0, None, 0);
        let work = Work::closed(users).warming_up_until(1_000_000);
        Running::start_work(work, 2, Numbers(Arc::clone(&numbers))).join();
    }
    let mut numbers = numbers.lock().clone();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
}

#[test]
fn an_iteration_that_hangs_has_a_slot_of_its_own() {
    /// The first one hangs, the others take some milliseconds.
    struct FirstHangs(Gated, AtomicU64);
    impl TestCase for FirstHangs {
        fn iterate(&self, probe: &mut Probe<'_>) {
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                self.0.iterate(probe);
            } else {
                probe.run(|| ());
            }
        }
    }
    let gated = Gated::default();
    let case = FirstHangs(gated.clone(), AtomicU64::new(0));
    let work = open("1000", Some(400_000_000));
    let running = Running::start_watched(work, 1, clock::now_ns(), case, |pool| {
        pool.watching(20_000_000, 2)
    });
    gated.wait_for_inside(1);
    let found = loop {
        let found = running.pool.look(clock::now_ns());
        if !found.is_empty() {
            break found;
        }
        std::thread::yield_now();
    };
    assert_eq!(
        (
            found.len(),
            found[0].thread.as_str(),
            found[0].number,
            found[0].runs()
        ),
        (1, "t-1", Some(0), Some(true))
    );
    let counts = running.pool.take();
    assert_eq!(
        (counts.overran, counts.overrunning, counts.max_threads),
        (1, 1, 2)
    );
    // All the others are run beside it.
    while running.pool.recorded() < 399 {
        std::thread::yield_now();
    }
    gated.open();
    let counts = running.finish();
    assert_eq!(
        (
            counts.measured.planned,
            counts.overran,
            counts.overrunning,
            counts.max_threads
        ),
        (400, 1, 0, 1)
    );
    assert_eq!(found[0].runs(), Some(false));
}
