//! A worker that joins a run that goes on, and one that gets nowhere for a while.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod led;

use led::Led;
use pysurge_core::plan::{Model, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Change, Factor, Hand, Stripe};
use pysurge_core::value::Value;
use pysurge_core::wire::{Deal, FromWorker, Snapshot, Start, Stop, ToWorker};
use pysurge_engine::clock;

const MS: u64 = 1_000_000;

fn at_100(class: &str, kwargs: &[(&str, u64)]) -> TestPlan {
    let int = |number: u64| Value::Int(i64::try_from(number).unwrap());
    TestPlan {
        kwargs: kwargs
            .iter()
            .map(|(name, number)| ((*name).into(), int(*number)))
            .collect(),
        ..TestPlan::new(class, Model::constant(Rate::parse("100").unwrap()))
    }
}

/// Stops a worker that has until then to start what is due, and gives its last figures.
fn stop(worker: &mut Led, plan_ends_ns: u64, told: &mut Vec<Snapshot>) -> Vec<u64> {
    worker.tell(&ToWorker::Stop(Stop {
        plan_ends_ns,
        last_start_ns: plan_ends_ns,
        grace_ends_ns: plan_ends_ns + 40_000 * MS,
        shutdown_timeout_ns: 10_000 * MS,
    }));
    let mut numbers = Vec::new();
    loop {
        match worker.hear().unwrap() {
            FromWorker::Snapshot(snapshot) => told.push(*snapshot),
            FromWorker::Iterations(all) => numbers.extend(all.iter().map(|one| one.number.unwrap())),
            FromWorker::Drained(snapshot) => {
                told.push(*snapshot);
                return numbers;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[test]
fn whoever_joins_at_second_three_fires_its_part_of_what_was_changed_before() {
    let stripe = |worker| Stripe { worker, workers: 2 };
    let test = at_100("native.Noop", &[]);
    let mut worker = Led::spawn();
    assert!(matches!(worker.hear(), Some(FromWorker::Hello(_))));
    worker.prepare(test.clone());
    // Half a second after a full one, so that what is told at once could be told apart.
    let at_ns = clock::now_ns() - 3_500 * MS;
    let change = |at_ms, factor, paused| Change {
        at_ns: at_ms * MS,
        paused,
        factor: Factor::from_milli(factor).unwrap(),
    };
    let changes = vec![
        change(1_000, 2_000, false),
        change(2_000, 2_000, true),
        change(2_500, 3_000, false),
    ];
    let mut schedule = test.schedule(0, 1, None).unwrap();
    for change in &changes {
        schedule.change(*change);
    }
    let mut hand = Hand::empty();
    let hand_out = |hand: &mut Hand, in_ms: u64, stripe| {
        let from = schedule.count_before(clock::now_ns() - at_ns + in_ms * MS);
        hand.deal(from, Some(stripe));
        vec![Some(Deal::Arrivals { from, stripe })]
    };
    let deals = hand_out(&mut hand, 300, stripe(1));
    worker.tell(&ToWorker::Start(Start {
        at_ns,
        duration_ns: None,
        deals,
        changes,
        shapes: vec![],
        iterations: true,
    }));
    let (mut told, mut numbers) = (Vec::new(), Vec::new());
    while told.len() < 2 {
        match worker.hear().unwrap() {
            FromWorker::Snapshot(snapshot) => told.push(*snapshot),
            FromWorker::Iterations(all) => numbers.extend(all.iter().map(|one| one.number.unwrap())),
            other => panic!("unexpected {other:?}"),
        }
    }
    let deals = hand_out(&mut hand, 500, Stripe::WHOLE);
    worker.tell(&ToWorker::Deal(deals));
    let plan_ends_ns = clock::now_ns() + 800 * MS;
    numbers.extend(stop(&mut worker, plan_ends_ns, &mut told));
    // One at each second of the run from the next one on, and not one for each that has passed.
    for (snapshot, second) in told.iter().zip(4..).take(2) {
        assert!(snapshot.at_ns >= at_ns + second * 1_000 * MS, "{second}");
    }
    assert!(
        told.iter()
            .map(|snapshot| snapshot.sequence)
            .eq(0..told.len() as u64)
    );
    assert_eq!((told[0].deals, told.last().unwrap().deals), (0, 1));
    let planned = hand.share_of(schedule.count_before(plan_ends_ns - at_ns));
    let last = &told.last().unwrap().tests[0].measured;
    let passed: u64 = told
        .iter()
        .map(|snapshot| snapshot.tests[0].measured.measures.passed)
        .sum();
    // What was claimed before the ticker got to the stop is planned; the last may have been due and not begun.
    assert!(
        (planned..planned + 300).contains(&last.planned),
        "{} of {planned}",
        last.planned
    );
    assert_eq!((passed + last.dropped, last.interrupted), (last.planned, 0));
    numbers.sort_unstable();
    let expected: Vec<u64> = (0..passed).map(|j| hand.number_of(j).unwrap()).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_worker_that_nothing_gets_on_in_says_so_and_goes_on_when_it_can() {
    let mut worker = Led::spawn();
    assert!(matches!(worker.hear(), Some(FromWorker::Hello(_))));
    worker.fire_test(at_100("native.Hog", &[("after", 3), ("ms", 11_500)]));
    let mut told = Vec::new();
    let frozen = loop {
        match worker.hear().unwrap() {
            FromWorker::Snapshot(snapshot) => told.push(*snapshot),
            FromWorker::Frozen(frozen) => break frozen,
            other => panic!("unexpected {other:?}"),
        }
    };
    assert!(
        (10_000 * MS..13_000 * MS).contains(&frozen.held_ns),
        "{}",
        frozen.held_ns
    );
    assert_eq!(frozen.stacks, "threads of Hog#1");
    // Figures came all the while.
    assert!(told.len() >= 9, "{}", told.len());
    let before = told.last().unwrap().tests[0].measured.planned;
    while told.last().unwrap().tests[0].measured.planned == before {
        match worker.hear().unwrap() {
            FromWorker::Snapshot(snapshot) => told.push(*snapshot),
            other => panic!("unexpected {other:?}"),
        }
    }
    let now_ns = clock::now_ns();
    worker.tell(&ToWorker::Stop(Stop {
        plan_ends_ns: now_ns,
        last_start_ns: now_ns,
        grace_ends_ns: now_ns,
        shutdown_timeout_ns: 10_000 * MS,
    }));
    while !matches!(worker.hear().unwrap(), FromWorker::Drained(_)) {}
}
