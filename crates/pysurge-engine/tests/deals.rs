//! A pool whose part of the plan changes while it runs: every arrival of its hand is claimed once, by its number.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Gated, Running};
use parking_lot::Mutex;
use pysurge_core::plan::{ClosedModel, Wait};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Hand, Phase, Schedule, Stripe};
use pysurge_core::users::{Lot, Ration, Users};
use pysurge_core::wire::Deal;
use pysurge_engine::{Probe, TestCase, Work, clock};
use std::sync::Arc;

const MS: u64 = 1_000_000;

/// Notes the number of each iteration.
#[derive(Clone, Default)]
struct Numbers(Arc<Mutex<Vec<u64>>>);

impl TestCase for Numbers {
    fn iterate(&self, probe: &mut Probe<'_>) {
        probe.run(|| ());
        self.0.lock().push(probe.row_number());
    }
}

impl Numbers {
    fn sorted(&self) -> Vec<u64> {
        let mut numbers = self.0.lock().clone();
        numbers.sort_unstable();
        numbers
    }
}

fn stripe(worker: u32, workers: u32) -> Stripe {
    Stripe { worker, workers }
}

fn deal(from: u64, stripe: Stripe) -> Deal {
    Deal::Arrivals { from, stripe }
}

/// A schedule of so many arrivals a second until an instant, of which a worker has this hand.
fn work(rate: &str, end_ns: u64, hand: Hand) -> Work {
    let schedule = Schedule::constant(Rate::parse(rate).unwrap(), Phase::ZERO, Some(end_ns));
    Work::open(schedule.stripe(hand))
}

fn numbers_of(hand: &Hand, count: u64) -> Vec<u64> {
    (0..hand.share_of(count))
        .map(|j| hand.number_of(j).unwrap())
        .collect()
}

#[test]
fn what_is_dealt_under_load_is_claimed_once_and_nothing_else() {
    let numbers = Numbers::default();
    let mut hand = Hand::of(stripe(1, 3));
    let running = Running::start_work(work("100000", 300 * MS, hand.clone()), 4, numbers.clone());
    // Each is told before its first arrival is due: another takes over, comes back, and all is this worker's at last.
    for (from, of) in [
        (8_000, stripe(1, 2)),
        (16_000, stripe(1, 3)),
        (24_000, Stripe::WHOLE),
    ] {
        hand.deal(from, Some(of));
        running.pool.deal(&deal(from, of), 4, 4);
    }
    let counts = running.finish().measured;
    let expected = numbers_of(&hand, 30_000);
    assert_eq!(
        (counts.planned, counts.measures.passed, counts.dropped),
        (expected.len() as u64, expected.len() as u64, 0)
    );
    assert_eq!(numbers.sorted(), expected);
}

#[test]
fn a_deal_that_is_heard_late_keeps_the_sums_exact() {
    let numbers = Numbers::default();
    let mut hand = Hand::of(stripe(0, 2));
    let running = Running::start_work(work("20000", 200 * MS, hand.clone()), 3, numbers.clone());
    let mut claimed = 0;
    for from in [200, 400, 600] {
        while running.pool.recorded() < from + 300 {
            std::thread::yield_now();
        }
        let of = if from == 400 { Stripe::WHOLE } else { stripe(1, 4) };
        hand.deal(from, Some(of));
        running.pool.deal(&deal(from, of), 3, 3);
        claimed = running.pool.take().measured.planned;
    }
    let counts = running.finish().measured;
    // What was claimed by the old deals stands for as many of the new ones, at most for all.
    let share = hand.share_of(4_000);
    let planned = counts.planned;
    assert!(
        planned == share || (planned > share && planned <= claimed),
        "{planned} of {share}"
    );
    assert_eq!((running.pool.recorded(), counts.dropped), (planned, 0));
}

#[test]
fn a_test_that_had_come_to_its_end_gets_more() {
    let numbers = Numbers::default();
    let model = ClosedModel {
        users: 2,
        wait: Wait::None,
        ramp_up_ns: 0,
        seed: 0,
    };
    let half = |worker| Ration::of(&model, stripe(worker, 2), 40);
    let lot = Lot::at_start(&model, stripe(0, 2), Some(40));
    let users = Users::new(model.clone(), lot, 0, None, 0);
    let running = Running::start_work(Work::closed(users), 3, numbers.clone());
    for _ in 0..3 {
        running.join();
        while running.pool.threads() > 0 {
            std::thread::yield_now();
        }
    }
    assert!(running.pool.take().ended);
    assert_eq!(numbers.0.lock().len(), 20);
    let lot = Lot {
        stripe: Stripe::WHOLE,
        from_round: 0,
        ration: Some(half(1)),
    };
    running.pool.deal(&Deal::Users { at_ns: 1, lot }, 3, 3);
    assert!(!running.pool.has_ended());
    let counts = running.finish();
    assert!(counts.ended);
    assert_eq!(numbers.sorted(), (0..40).collect::<Vec<_>>());
}

#[test]
fn arrivals_come_to_one_that_had_none_left() {
    let numbers = Numbers::default();
    // Nothing is this worker's from arrival 100 on, so that its threads end.
    let mut hand = Hand::of(stripe(0, 2));
    hand.deal(100, None);
    let running = Running::start_work(work("10000", 200 * MS, hand.clone()), 4, numbers.clone());
    running.join();
    assert!(running.pool.has_ended());
    assert_eq!(numbers.0.lock().len(), 50);
    hand.deal(1_500, Some(stripe(1, 4)));
    running.pool.deal(&deal(1_500, stripe(1, 4)), 4, 4);
    let counts = running.finish().measured;
    assert_eq!(numbers.sorted(), numbers_of(&hand, 2_000));
    assert_eq!((counts.planned, counts.measures.passed), (175, 175));
}

#[test]
fn a_cut_counts_by_what_was_dealt_last() {
    let gated = Gated::default();
    let running = Running::start_work(work("1000", 1_000 * MS, Hand::of(stripe(0, 2))), 1, gated.clone());
    gated.wait_for_inside(1);
    let start_ns = running.start_ns;
    running.pool.cut_plan(start_ns + 500 * MS);
    running.pool.deal(&deal(100, Stripe::WHOLE), 1, 1);
    running.pool.close();
    gated.open();
    let counts = running.finish().measured;
    assert_eq!(
        (counts.planned, counts.dropped + counts.measures.passed),
        (450, 450)
    );
}

#[test]
fn whoever_joins_late_fires_its_part_on_time() {
    struct Early(u64, Numbers);
    impl TestCase for Early {
        fn iterate(&self, probe: &mut Probe<'_>) {
            let number = probe.row_number();
            assert!(clock::now_ns() >= self.0 + number * MS, "{number} is early");
            self.1.iterate(probe);
        }
    }
    let numbers = Numbers::default();
    let mut hand = Hand::empty();
    hand.deal(3_060, Some(stripe(1, 3)));
    let start_ns = clock::now_ns() - 3_000 * MS;
    let case = Early(start_ns, numbers.clone());
    let running = Running::start_since(work("1000", 3_300 * MS, hand.clone()), 3, start_ns, case);
    assert_eq!(running.pool.due_ns(), Some(start_ns + 3_061 * MS));
    assert_eq!(running.pool.due_within(3_000 * MS, 10 * MS), 4);
    let counts = running.finish().measured;
    assert_eq!((counts.planned, counts.measures.passed), (80, 80));
    assert_eq!(numbers.sorted(), numbers_of(&hand, 3_300));
}
