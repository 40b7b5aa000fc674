//! Feeds under seeded fates: changes, deals, cuts and drops at random instants, several threads that claim, workers that die and are replaced.
//! Time is a number here, and a seed that fails is printed and fails again: `PYSURGE_SEED=n`. `PYSURGE_SEEDS=n` takes so many.

use super::*;
use pysurge_core::plan::{ClosedModel, Wait};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Factor, Hand, Phase, Schedule, Stripe};
use pysurge_core::users::{Lot, Ration};
use std::collections::BTreeSet;

const SEEDS: u64 = 10_000;
const MS: u64 = 1_000_000;
/// The start of the run.
const START_NS: u64 = 77 * MS;
/// Threads that claim.
const CLAIMERS: usize = 3;

/// A small generator, the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.roll(many) == 0
    }

    fn claimer(&mut self) -> usize {
        usize::try_from(self.roll(CLAIMERS as u64)).unwrap()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a seed is given by the environment, as to all tests"
)]
fn for_each_seed(what: impl Fn(u64)) {
    let set = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = set("PYSURGE_SEED") {
        return what(seed);
    }
    for seed in 0..set("PYSURGE_SEEDS").unwrap_or(SEEDS) {
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| what(seed)));
        assert!(held.is_ok(), "seed {seed} failed");
    }
}

fn stripe(worker: u64, workers: u64) -> Stripe {
    Stripe {
        worker: u32::try_from(worker).unwrap(),
        workers: u32::try_from(workers).unwrap(),
    }
}

fn some_stripe(dice: &mut Dice) -> Stripe {
    let workers = 1 + dice.roll(4);
    stripe(dice.roll(workers), workers)
}

fn some_schedule(dice: &mut Dice) -> Schedule {
    let rates = ["3", "70", "1000", "20000"];
    let rate = rates[usize::try_from(dice.roll(4)).unwrap()];
    let end_ns = (!dice.one_in(4)).then(|| (1 + dice.roll(300)) * MS);
    Schedule::constant(Rate::parse(rate).unwrap(), Phase::ZERO, end_ns)
}

fn some_change(dice: &mut Dice, at_ns: u64) -> Change {
    Change {
        at_ns,
        paused: dice.one_in(4),
        factor: Factor::from_milli(u32::try_from(100 + dice.roll(3_000)).unwrap()).unwrap(),
    }
}

/// The claims of one pool, and what became of them.
#[derive(Default)]
struct Pool {
    views: [View; CLAIMERS],
    running: Vec<Claim>,
    recorded: Parted,
    numbers: Vec<u64>,
}

impl Pool {
    fn claim(&mut self, feed: &Feed, dice: &mut Dice, run_ns: u64) {
        let now_ns = START_NS + run_ns;
        for _ in 0..=dice.roll(6) {
            match feed.claim(now_ns, &mut self.views[dice.claimer()]) {
                Next::Run(claim) => {
                    assert!(claim.planned_ns <= now_ns, "claimed before it is due");
                    self.numbers.push(claim.number.expect("all have numbers"));
                    self.running.push(claim);
                }
                Next::NotBefore | Next::Nothing => break,
            }
        }
    }

    fn end_one(&mut self, feed: &Feed, dice: &mut Dice, run_ns: u64) {
        if self.running.is_empty() {
            return;
        }
        let which = usize::try_from(dice.roll(self.running.len() as u64)).unwrap();
        let claim = self.running.swap_remove(which);
        match claim.part {
            Part::Measured => self.recorded.measured += 1,
            Part::Warmup => self.recorded.warmup += 1,
        }
        feed.ended(&claim, START_NS + run_ns);
    }

    /// What holds at any time: nothing is claimed that is not told, part by part, and what is told only grows.
    fn check(&self, feed: &Feed, told: &mut Progress) {
        let progress = feed.progress();
        let mut begun = self.recorded;
        for claim in &self.running {
            match claim.part {
                Part::Measured => begun.measured += 1,
                Part::Warmup => begun.warmup += 1,
            }
        }
        assert_eq!(progress.claimed, begun, "claimed = recorded + running");
        let grows =
            |now: Parted, before: Parted| now.measured >= before.measured && now.warmup >= before.warmup;
        assert!(
            grows(progress.planned, told.planned),
            "{progress:?} after {told:?}"
        );
        assert!(grows(progress.planned, progress.claimed));
        *told = progress;
    }

    /// The hard stop: planned = recorded + dropped + interrupted.
    fn settle(&self, feed: &Feed) -> Progress {
        feed.close();
        let progress = feed.progress();
        let interrupted = progress.claimed.minus(self.recorded);
        assert_eq!(interrupted.sum(), self.running.len() as u64);
        let dropped = progress.planned.minus(progress.claimed);
        assert_eq!(
            progress.planned.sum(),
            self.recorded.sum() + dropped.sum() + interrupted.sum()
        );
        assert_eq!(feed.in_flight(self.recorded, interrupted), 0);
        progress
    }
}

fn nothing_told() -> Progress {
    Progress {
        claimed: Parted::default(),
        planned: Parted::default(),
    }
}

/// One worker; some of what it hears it hears late.
fn a_schedule(seed: u64) {
    let mut dice = Dice(seed);
    let schedule = some_schedule(&mut dice);
    // What the plan is, kept beside the feed.
    let mut plan = schedule.clone();
    let mut hand = if dice.one_in(4) {
        Hand::empty()
    } else {
        Hand::of(some_stripe(&mut dice))
    };
    let max_lateness_ns = dice.one_in(3).then(|| dice.roll(20) * MS);
    let warmup_ends_ns = if dice.one_in(3) { dice.roll(200) * MS } else { 0 };
    let work = Work::open(schedule.stripe(hand.clone()))
        .dropping_after(max_lateness_ns)
        .warming_up_until(warmup_ends_ns);
    let feed = Feed::new(work, START_NS);
    let (mut pool, mut told) = (Pool::default(), nothing_told());
    let hears_late = dice.one_in(3);
    let (mut run_ns, mut changed_ns, mut cut_ns, mut was_late) = (0, 0, None::<u64>, false);
    for _ in 0..20 + dice.roll(60) {
        match dice.roll(8) {
            0..3 => pool.claim(&feed, &mut dice, run_ns),
            3 => pool.end_one(&feed, &mut dice, run_ns),
            4 | 5 => run_ns += dice.roll(12) * MS + dice.roll(MS),
            6 => {
                let late = hears_late && dice.one_in(2);
                let at_ns = if late {
                    run_ns / 2
                } else {
                    run_ns + 1 + dice.roll(30) * MS
                };
                changed_ns = changed_ns.max(at_ns);
                was_late |= changed_ns <= run_ns;
                let change = some_change(&mut dice, changed_ns);
                plan.change(change);
                feed.change(change);
            }
            _ if dice.one_in(8) => {
                let at_ns = run_ns + dice.roll(40) * MS;
                cut_ns = Some(cut_ns.map_or(at_ns, |before| before.min(at_ns)));
                feed.cut(START_NS + at_ns);
            }
            _ => {
                let late = hears_late && dice.one_in(2);
                let in_time = plan.count_before(run_ns + 1);
                let from = if late {
                    in_time / 2
                } else {
                    in_time + dice.roll(10)
                };
                was_late |= from < in_time;
                let stripe = some_stripe(&mut dice);
                hand.deal(from, Some(stripe));
                feed.deal(&Deal::Arrivals { from, stripe });
            }
        }
        pool.check(&feed, &mut told);
    }
    let settled = pool.settle(&feed);
    if was_late {
        return;
    }
    let numbers: BTreeSet<u64> = pool.numbers.iter().copied().collect();
    assert_eq!(numbers.len(), pool.numbers.len(), "an arrival was claimed twice");
    let so_far = told.planned.sum();
    let of_hand: BTreeSet<u64> = (0..so_far).filter_map(|j| hand.number_of(j)).collect();
    if max_lateness_ns.is_none() {
        assert_eq!(numbers, of_hand, "what is claimed is the hand's, in its order");
    } else {
        assert!(numbers.is_subset(&of_hand));
    }
    let whole = plan.clone().stripe(Stripe::WHOLE).count();
    let whole = match (whole, cut_ns.map(|ns| plan.count_before(ns))) {
        (Some(count), Some(cut)) => Some(count.min(cut)),
        (count, cut) => count.or(cut),
    };
    let planned = whole.map_or(so_far, |whole| hand.share_of(whole).max(so_far));
    assert_eq!(settled.planned.sum(), planned, "the plan's share is told exactly");
}

#[test]
fn what_a_worker_is_dealt_is_claimed_once_and_accounted_for() {
    for_each_seed(a_schedule);
}

/// A worker in a run of several.
struct Member {
    feed: Feed,
    pool: Pool,
    hand: Hand,
    lives: bool,
}

/// Several workers of which some die, the others taking over, and are replaced: every arrival is claimed once, but for those of the dead.
fn a_run(seed: u64) {
    let mut dice = Dice(seed ^ 0x5eed);
    let mut plan = some_schedule(&mut dice);
    let workers = 1 + dice.roll(4);
    let mut members: Vec<Member> = Vec::new();
    let join = |members: &mut Vec<Member>, plan: &Schedule| {
        members.push(Member {
            feed: Feed::new(Work::open(plan.clone().stripe(Hand::empty())), START_NS),
            pool: Pool::default(),
            hand: Hand::empty(),
            lives: true,
        });
    };
    // All that live have a part of what is planned from here on.
    let deal = |members: &mut Vec<Member>, from: u64| {
        let count = members.iter().filter(|member| member.lives).count() as u64;
        let mut place = 0;
        for member in members.iter_mut() {
            if member.lives {
                let stripe = stripe(place, count);
                place += 1;
                member.feed.deal(&Deal::Arrivals { from, stripe });
                member.hand.deal(from, Some(stripe));
            } else {
                member.hand.deal(from, None);
            }
        }
    };
    for _ in 0..workers {
        join(&mut members, &plan);
    }
    deal(&mut members, 0);
    let (mut run_ns, mut changed_ns, mut dealt_from) = (0, 0, 0);
    for _ in 0..30 + dice.roll(60) {
        let who = usize::try_from(dice.roll(members.len() as u64)).unwrap();
        match dice.roll(10) {
            0..6 => {
                let Member {
                    feed, pool, lives, ..
                } = &mut members[who];
                if *lives {
                    pool.claim(feed, &mut dice, run_ns);
                    pool.end_one(feed, &mut dice, run_ns);
                }
            }
            6 | 7 => run_ns += dice.roll(12) * MS,
            8 => {
                changed_ns = changed_ns.max(run_ns + 1 + dice.roll(30) * MS);
                let change = some_change(&mut dice, changed_ns);
                plan.change(change);
                for member in members.iter().filter(|member| member.lives) {
                    member.feed.change(change);
                }
            }
            _ => {
                let living = members.iter().filter(|member| member.lives).count();
                if dice.one_in(2) && members.len() < 12 {
                    // It knows the plan as it is now.
                    join(&mut members, &plan);
                } else if living > 1 {
                    members[who].lives = false;
                }
                dealt_from = dealt_from.max(plan.count_before(run_ns + 1) + dice.roll(5));
                deal(&mut members, dealt_from);
            }
        }
    }
    let until = plan.count_before(run_ns + 1);
    let mut owners = vec![0; usize::try_from(until).unwrap()];
    for member in &members {
        let mut told = nothing_told();
        member.pool.check(&member.feed, &mut told);
        member.pool.settle(&member.feed);
        for number in &member.pool.numbers {
            owners[usize::try_from(*number).unwrap()] += 1;
        }
        // What it had not claimed, it or nobody else would have.
        for j in member.pool.numbers.len() as u64..member.hand.share_of(until) {
            owners[usize::try_from(member.hand.number_of(j).unwrap()).unwrap()] += 1;
        }
    }
    assert!(owners.iter().all(|owners| *owners == 1), "{owners:?}");
}

#[test]
fn every_arrival_has_one_owner_whoever_dies_and_joins() {
    for_each_seed(a_run);
}

/// Users that come and go with deals, with and without a number of iterations.
fn a_closed_model(seed: u64) {
    let mut dice = Dice(seed ^ 0xc1_05ed);
    let model = ClosedModel {
        users: u32::try_from(1 + dice.roll(7)).unwrap(),
        wait: Wait::None,
        ramp_up_ns: dice.roll(3) * 10 * MS,
        seed,
    };
    let iterations = dice.one_in(2).then(|| dice.roll(60));
    let workers = 1 + dice.roll(3);
    let own = stripe(dice.roll(workers), workers);
    let lot = Lot::at_start(&model, own, iterations);
    let mut rationed = lot.ration.as_ref().map(Ration::left);
    let users = Users::new(model.clone(), lot, 0, None, 0);
    let warmup_ends_ns = if dice.one_in(3) { dice.roll(40) * MS } else { 0 };
    let feed = Feed::new(Work::closed(users).warming_up_until(warmup_ends_ns), START_NS);
    let (mut pool, mut told) = (Pool::default(), nothing_told());
    // What other workers had, which may yet come here.
    let mut others: Vec<Stripe> = (0..workers)
        .map(|worker| stripe(worker, workers))
        .filter(|other| *other != own)
        .collect();
    let (mut run_ns, mut changed_ns, mut round) = (0, 0, 0);
    for _ in 0..30 + dice.roll(80) {
        match dice.roll(9) {
            0..4 => pool.claim(&feed, &mut dice, run_ns),
            4 | 5 => pool.end_one(&feed, &mut dice, run_ns),
            6 => run_ns += dice.roll(8) * MS,
            7 => {
                changed_ns = changed_ns.max(run_ns + dice.roll(20) * MS);
                feed.change(some_change(&mut dice, changed_ns));
            }
            _ => {
                round += 1 << 24;
                let ration = iterations.map(|iterations| {
                    others.pop().map_or_else(Ration::default, |lost| {
                        let whole = Ration::of(&model, lost, iterations);
                        whole.after(dice.roll(whole.left() + 1))
                    })
                });
                if let (Some(rationed), Some(more)) = (&mut rationed, &ration) {
                    *rationed += more.left();
                }
                let lot = Lot {
                    stripe: some_stripe(&mut dice),
                    from_round: round,
                    ration,
                };
                let at_ns = run_ns + dice.roll(10) * MS;
                feed.deal(&Deal::Users { at_ns, lot });
            }
        }
        pool.check(&feed, &mut told);
        let numbers: BTreeSet<u64> = pool.numbers.iter().copied().collect();
        assert_eq!(numbers.len(), pool.numbers.len(), "a number was given twice");
        if let Some(rationed) = rationed {
            assert!(pool.numbers.len() as u64 <= rationed);
        }
        let is_over = feed.is_over(&mut View::default());
        assert_eq!(
            is_over,
            rationed == Some(pool.numbers.len() as u64),
            "it ends with its iterations"
        );
    }
    if dice.one_in(2) {
        feed.cut(START_NS + run_ns);
        pool.claim(&feed, &mut dice, run_ns + 1_000 * MS);
    }
    pool.settle(&feed);
}

#[test]
fn users_that_come_and_go_begin_what_is_theirs_once() {
    for_each_seed(a_closed_model);
}
