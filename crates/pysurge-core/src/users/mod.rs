//! The users of the closed model in one worker: who is free, who runs an iteration, who comes next and when. Pure: whoever owns it says what
//! time it is. Instants are nanoseconds of plan time, so users do not grow impatient during a pause.
//!
//! | a user is | moves on | to |
//! |---|---|---|
//! | waiting, until an instant | claimed when it has come | running |
//! | running | its iteration ends | waiting (its think time or pacing); retired where there are fewer users now |
//! | retired | there are more users again | waiting |
//!
//! Everybody's next instant is drawn from the seed, the user and the number of the iteration alone: the same config gives
//! the same waits. Iterations that were asked for in a number are dealt out to the workers beforehand and shared by the users of each
//! ([`Ration`]). When a worker dies, its users come in at the others, and leave when a replacement has taken them back.

mod ration;

pub use ration::{Ration, share_of_iterations};

use crate::mix::mix;
use crate::plan::{ClosedModel, SpanRange, Wait};
use crate::schedule::{Factor, Stripe};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An iteration that a user has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Which of the worker's users, from 0.
    pub user: u32,
    /// When it was due, plan time.
    pub planned_ns: u64,
    /// Which of the test's iterations it is, from 0, over all workers: no two have the same number. Of so many iterations as were asked for
    /// every number is given; where none were, too, as long as there are the users that were planned.
    pub number: u64,
}

/// When somebody is due next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// At this instant of plan time, which may have passed.
    At(u64),
    /// Nobody waits; the next is known when an iteration ends.
    Unknown,
    /// Nobody ever again.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Waiting,
    Running,
    Retired,
}

/// What a worker's users are and what they do, from an instant on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// Which of the users they are.
    pub stripe: Stripe,
    /// Where iterations are not asked for in a number: theirs are numbered from this round on.
    pub from_round: u64,
    /// Where they are: those that these users are to begin, beside what they had; `None` where any number may be begun.
    pub ration: Option<Ration>,
}

impl Lot {
    /// A worker's part at the start, of so many iterations in all.
    pub fn at_start(model: &ClosedModel, stripe: Stripe, iterations: Option<u64>) -> Self {
        Self {
            stripe,
            from_round: 0,
            ration: iterations.map(|iterations| Ration::of(model, stripe, iterations)),
        }
    }
}

/// The users of one worker.
#[derive(Debug, Clone)]
pub struct Users {
    model: ClosedModel,
    stripe: Stripe,
    /// When the first user comes in.
    from_ns: u64,
    end_ns: Option<u64>,
    /// Iterations that may still be begun; `None` for any number.
    ration: Option<Ration>,
    factor: Factor,
    /// How many users this worker has now.
    wanted: u32,
    standings: Vec<Standing>,
    /// Iterations begun, per user: numbers the random draws.
    turns: Vec<u64>,
    waiting: BinaryHeap<Reverse<(u64, u32)>>,
    running: u32,
    /// Iterations begun since the last lot, where any number may be.
    begun: u64,
}

impl Users {
    /// The users of a worker, who come in one after the other from `from_ns` on, but not before `now_ns`, and begin nothing at or after
    /// `end_ns`.
    pub fn new(model: ClosedModel, lot: Lot, from_ns: u64, end_ns: Option<u64>, now_ns: u64) -> Self {
        let mut users = Self {
            stripe: lot.stripe,
            from_ns,
            end_ns,
            ration: lot.ration.as_ref().map(|_| Ration::default()),
            factor: Factor::ONE,
            wanted: 0,
            standings: Vec::new(),
            turns: Vec::new(),
            waiting: BinaryHeap::new(),
            running: 0,
            begun: 0,
            model,
        };
        users.deal(lot, now_ns);
        users
    }

    /// From now on this worker has other users: new ones come in at once, or in their turn where users still come in one after the other;
    /// who is too many leaves when its iteration ends.
    pub fn deal(&mut self, lot: Lot, now_ns: u64) {
        self.stripe = lot.stripe;
        self.begun = lot
            .from_round
            .saturating_mul(u64::from(share_of_users(self.model.users, lot.stripe).max(1)));
        if let (Some(ration), Some(more)) = (&mut self.ration, lot.ration) {
            ration.add(more);
        }
        self.resize(now_ns);
    }

    /// When the user of this number within the worker comes in.
    fn comes_in_ns(&self, user: u32, now_ns: u64) -> u64 {
        let number = self.stripe.number_of(u64::from(user)).unwrap_or(u64::MAX);
        if number >= u64::from(self.model.users) {
            return now_ns;
        }
        let in_ramp =
            u128::from(self.model.ramp_up_ns) * u128::from(number) / u128::from(self.model.users.max(1));
        let in_ramp_ns = u64::try_from(in_ramp).unwrap_or(u64::MAX);
        self.from_ns.saturating_add(in_ramp_ns).max(now_ns)
    }

    fn admit(&mut self, at_ns: u64) {
        let user = u32::try_from(self.standings.len()).expect("users number below 2^32");
        self.standings.push(Standing::Waiting);
        self.turns.push(0);
        self.waiting.push(Reverse((at_ns, user)));
    }

    /// Begins the iteration of a user who is due, if there is one.
    pub fn claim(&mut self, now_ns: u64) -> Option<Turn> {
        match self.due() {
            Due::At(planned_ns) if planned_ns <= now_ns => {
                let number = match &mut self.ration {
                    Some(ration) => ration.take(&self.model)?,
                    None => ration::number_of(&self.model, self.stripe, self.begun),
                };
                let Reverse((_, user)) = self.waiting.pop()?;
                *self.standing(user) = Standing::Running;
                self.turns[index(user)] += 1;
                self.running += 1;
                self.begun += 1;
                Some(Turn {
                    user,
                    planned_ns,
                    number,
                })
            }
            _ => None,
        }
    }

    /// When somebody is due next. Users who are too many now leave on the way.
    pub fn due(&mut self) -> Due {
        if self.left() == Some(0) {
            return Due::Never;
        }
        while let Some(Reverse((at_ns, user))) = self.waiting.peek().copied() {
            if user >= self.wanted {
                self.waiting.pop();
                *self.standing(user) = Standing::Retired;
            } else if self.end_ns.is_some_and(|end_ns| at_ns >= end_ns) {
                break;
            } else {
                return Due::At(at_ns);
            }
        }
        if self.running > 0 || self.end_ns.is_none() {
            Due::Unknown
        } else {
            Due::Never
        }
    }

    /// A user's iteration has ended.
    pub fn ended(&mut self, turn: Turn, now_ns: u64) {
        let Turn { user, planned_ns, .. } = turn;
        self.running -= 1;
        if user >= self.wanted {
            *self.standing(user) = Standing::Retired;
            return;
        }
        let next_ns = match self.model.wait {
            Wait::None => now_ns,
            Wait::ThinkTime(range) => now_ns.saturating_add(self.draw_ns(range, user)),
            Wait::Pacing(range) => planned_ns.saturating_add(self.draw_ns(range, user)).max(now_ns),
        };
        *self.standing(user) = Standing::Waiting;
        self.waiting.push(Reverse((next_ns, user)));
    }

    /// As many users as planned times a factor from now on. New ones come in at once; who is too many leaves when its iteration ends.
    pub fn scale(&mut self, factor: Factor, now_ns: u64) {
        self.factor = factor;
        self.resize(now_ns);
    }

    fn resize(&mut self, now_ns: u64) {
        let total = (u64::from(self.model.users) * u64::from(self.factor.milli()) + 500) / 1_000;
        let total = u32::try_from(total.max(1)).unwrap_or(u32::MAX);
        self.wanted = share_of_users(total, self.stripe);
        if self.left().is_some_and(|left| left > 0) {
            // Somebody must do what this worker was dealt.
            self.wanted = self.wanted.max(1);
        }
        for user in 0..self
            .wanted
            .min(u32::try_from(self.standings.len()).unwrap_or(u32::MAX))
        {
            if *self.standing(user) == Standing::Retired {
                *self.standing(user) = Standing::Waiting;
                self.waiting.push(Reverse((now_ns, user)));
            }
        }
        while index(self.wanted) > self.standings.len() {
            let user = u32::try_from(self.standings.len()).expect("users number below 2^32");
            self.admit(self.comes_in_ns(user, now_ns));
        }
    }

    /// Iterations that may still be begun, where they were asked for in a number.
    fn left(&self) -> Option<u64> {
        self.ration.as_ref().map(Ration::left)
    }

    /// Nothing is begun at or after an instant; a later one than before changes nothing.
    pub fn end_at(&mut self, end_ns: u64) {
        self.end_ns = Some(self.end_ns.map_or(end_ns, |before| before.min(end_ns)));
    }

    /// How many users this worker has now.
    pub fn count(&self) -> u32 {
        self.wanted
    }

    /// How many of them run an iteration.
    pub fn running(&self) -> u32 {
        self.running
    }

    fn standing(&mut self, user: u32) -> &mut Standing {
        &mut self.standings[index(user)]
    }

    fn draw_ns(&self, range: SpanRange, user: u32) -> u64 {
        let width = range.max_ns - range.min_ns;
        if width == 0 {
            return range.min_ns;
        }
        let number = self.stripe.number_of(u64::from(user)).unwrap_or(u64::MAX);
        let bits = mix(self.model.seed ^ mix(number ^ mix(self.turns[index(user)])));
        let part = (u128::from(bits) * (u128::from(width) + 1)) >> 64;
        range.min_ns + u64::try_from(part).expect("not above the width")
    }
}

/// How many of `users` are a worker's.
pub fn share_of_users(users: u32, stripe: Stripe) -> u32 {
    u32::try_from(stripe.share_of(u64::from(users))).expect("not more than there are")
}

fn index(user: u32) -> usize {
    usize::try_from(user).expect("32 bits fit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const MS: u64 = 1_000_000;

    fn model(users: u32, wait: Wait) -> ClosedModel {
        ClosedModel {
            users,
            wait,
            ramp_up_ns: 0,
            seed: 0,
        }
    }

    fn constant(ns: u64) -> SpanRange {
        SpanRange {
            min_ns: ns,
            max_ns: ns,
        }
    }

    fn at_start(
        model: ClosedModel,
        stripe: Stripe,
        from_ns: u64,
        end_ns: Option<u64>,
        iterations: Option<u64>,
    ) -> Users {
        let lot = Lot::at_start(&model, stripe, iterations);
        Users::new(model, lot, from_ns, end_ns, 0)
    }

    fn whole(model: ClosedModel) -> Users {
        at_start(model, Stripe::WHOLE, 0, None, None)
    }

    #[test]
    fn as_many_run_as_there_are() {
        let mut users = whole(model(3, Wait::None));
        let turns: Vec<Turn> = std::iter::from_fn(|| users.claim(0)).collect();
        assert_eq!((turns.len(), users.running()), (3, 3));
        assert_eq!(users.due(), Due::Unknown);
        users.ended(turns[1], 7);
        assert_eq!(users.due(), Due::At(7));
        assert_eq!(
            users.claim(9),
            Some(Turn {
                user: turns[1].user,
                planned_ns: 7,
                number: 3,
            })
        );
        assert_eq!(users.claim(9), None);
    }

    #[test]
    fn think_time_counts_from_the_end_and_pacing_from_the_start() {
        for (wait, next_ns, after_a_long_one_ns) in [
            (Wait::ThinkTime(constant(100)), 130, 600),
            (Wait::Pacing(constant(100)), 100, 500),
            (Wait::None, 30, 500),
        ] {
            for (ends_ns, expected) in [(30, next_ns), (500, after_a_long_one_ns)] {
                let mut users = whole(model(1, wait));
                let turn = users.claim(0).unwrap();
                users.ended(turn, ends_ns);
                assert_eq!(users.due(), Due::At(expected), "{wait:?}, ended at {ends_ns}");
            }
        }
    }

    #[test]
    fn users_come_in_one_after_the_other() {
        let model = ClosedModel {
            ramp_up_ns: 1_000,
            ..model(4, Wait::None)
        };
        let at = |worker| {
            let mut users = at_start(model.clone(), Stripe { worker, workers: 2 }, 50, None, None);
            std::iter::from_fn(move || users.claim(u64::MAX).map(|turn| turn.planned_ns)).collect::<Vec<_>>()
        };
        assert_eq!((at(0), at(1)), (vec![50, 550], vec![300, 800]));
    }

    #[test]
    fn iterations_are_shared_exactly() {
        let mut users = at_start(model(2, Wait::None), Stripe::WHOLE, 0, None, Some(3));
        let (a, b) = (users.claim(0).unwrap(), users.claim(0).unwrap());
        users.ended(a, 1);
        let c = users.claim(1).unwrap();
        assert_eq!(users.due(), Due::Never);
        users.ended(b, 2);
        users.ended(c, 2);
        assert_eq!((users.claim(9), users.due()), (None, Due::Never));
    }

    #[test]
    fn nobody_begins_after_the_end() {
        let mut users = at_start(
            model(2, Wait::ThinkTime(constant(10))),
            Stripe::WHOLE,
            0,
            Some(15),
            None,
        );
        let (a, b) = (users.claim(0).unwrap(), users.claim(0).unwrap());
        users.ended(a, 4);
        assert_eq!(users.due(), Due::At(14));
        users.ended(b, 5);
        let late = users
            .claim(20)
            .expect("due before the end, though claimed after it");
        assert_eq!(late.planned_ns, 14);
        assert_eq!(users.claim(20), None);
        assert_eq!(users.due(), Due::Unknown);
        users.ended(late, 21);
        assert_eq!(users.due(), Due::Never);
    }

    #[test]
    fn users_leave_and_come_back() {
        let mut users = whole(model(4, Wait::None));
        let turns: Vec<Turn> = std::iter::from_fn(|| users.claim(0)).collect();
        users.scale(Factor::from_milli(500).unwrap(), 10);
        assert_eq!(users.count(), 2);
        for turn in turns {
            users.ended(turn, 11);
        }
        assert_eq!(std::iter::from_fn(|| users.claim(12)).count(), 2);
        users.scale(Factor::from_milli(1_500).unwrap(), 20);
        assert_eq!(std::iter::from_fn(|| users.claim(20)).count(), 4);
        assert_eq!((users.running(), users.count()), (6, 6));
    }

    #[test]
    fn random_waits_are_uniform_and_repeat() {
        let range = SpanRange {
            min_ns: 1_000,
            max_ns: 1_003,
        };
        let draws = |seed| -> Vec<u64> {
            let mut users = whole(ClosedModel {
                seed,
                ..model(1, Wait::ThinkTime(range))
            });
            let mut now_ns = 0;
            let mut draws = Vec::new();
            for _ in 0..8_000 {
                let turn = users.claim(now_ns).unwrap();
                users.ended(turn, now_ns);
                let Due::At(next_ns) = users.due() else { panic!() };
                draws.push(next_ns - now_ns);
                now_ns = next_ns;
            }
            draws
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        for value in 1_000..=1_003 {
            let seen = draws(1).iter().filter(|&&draw| draw == value).count();
            assert!((1_850..2_150).contains(&seen), "{value}: {seen}");
        }
    }

    #[test]
    fn users_of_a_lost_worker_come_in_at_the_others_and_leave_again() {
        let stripe = |worker, workers| Stripe { worker, workers };
        let lot = |stripe, from_round| Lot {
            stripe,
            from_round,
            ration: None,
        };
        let mut users = at_start(model(6, Wait::None), stripe(1, 3), 0, None, None);
        let mut turns: Vec<Turn> = std::iter::from_fn(|| users.claim(0)).collect();
        users.deal(lot(stripe(1, 2), 100), 10);
        turns.extend(std::iter::from_fn(|| users.claim(10)));
        let numbers: Vec<u64> = turns.iter().map(|turn| turn.number).collect();
        assert_eq!(numbers, [1, 4, 601]);
        assert_eq!(turns[2].planned_ns, 10);
        users.deal(lot(stripe(1, 3), 200), 20);
        for turn in turns {
            users.ended(turn, 21);
        }
        let again: Vec<u64> = std::iter::from_fn(|| users.claim(30))
            .map(|turn| turn.number)
            .collect();
        assert_eq!((again, users.running()), (vec![1_201, 1_204], 2));
    }

    #[test]
    fn iterations_of_a_lost_worker_are_begun_by_another() {
        let stripe = |worker| Stripe { worker, workers: 2 };
        let model = model(2, Wait::None);
        let mut users = at_start(model.clone(), stripe(0), 0, None, Some(6));
        let mut numbers = Vec::new();
        while let Some(turn) = users.claim(5) {
            numbers.push(turn.number);
            users.ended(turn, 5);
        }
        assert_eq!((numbers, users.due()), (vec![0, 2, 4], Due::Never));
        let rest = Ration::of(&model, stripe(1), 6).after(1);
        let lot = Lot {
            stripe: Stripe::WHOLE,
            from_round: 0,
            ration: Some(rest),
        };
        users.deal(lot, 9);
        assert_eq!((users.count(), users.due()), (2, Due::At(5)));
        let numbers: Vec<u64> = std::iter::from_fn(|| users.claim(9))
            .map(|turn| turn.number)
            .collect();
        assert_eq!((numbers, users.running()), (vec![3, 5], 2));
    }

    #[test]
    fn a_late_comer_keeps_to_the_ramp() {
        let model = ClosedModel {
            ramp_up_ns: 1_000,
            ..model(4, Wait::None)
        };
        let lot = Lot::at_start(&model, Stripe::WHOLE, None);
        let mut users = Users::new(model, lot, 50, None, 400);
        let at: Vec<u64> = std::iter::from_fn(|| users.claim(u64::MAX))
            .map(|turn| turn.planned_ns)
            .collect();
        assert_eq!(at, [400, 400, 550, 800]);
    }

    proptest! {
        #[test]
        fn shares_add_up(users in 1u32..200, workers in 1u32..40, iterations in 0u64..1_000_000) {
            let model = model(users, Wait::None);
            let stripes = (0..workers).map(|worker| Stripe { worker, workers });
            let sum_users: u32 = stripes.clone().map(|stripe| share_of_users(users, stripe)).sum();
            let sum: u64 = stripes.clone().map(|stripe| share_of_iterations(&model, stripe, iterations)).sum();
            prop_assert_eq!((sum_users, sum), (users, iterations));
            for stripe in stripes {
                prop_assert!(share_of_users(users, stripe) > 0 || share_of_iterations(&model, stripe, iterations) == 0);
            }
        }

        #[test]
        fn every_number_is_given_once(users in 1u32..20, workers in 1u32..30, iterations in 0u64..300, limited: bool) {
            let mut numbers = Vec::new();
            for stripe in (0..workers).map(|worker| Stripe { worker, workers }) {
                let limit = limited.then_some(iterations);
                let mut of_worker = at_start(model(users, Wait::None), stripe, 0, None, limit);
                let most = share_of_iterations(&model(users, Wait::None), stripe, iterations);
                while let Some(turn) = of_worker.claim(0).filter(|_| limited || of_worker.begun <= most) {
                    numbers.push(turn.number);
                    of_worker.ended(turn, 0);
                }
            }
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..iterations).collect::<Vec<_>>());
        }

        #[test]
        fn users_beyond_the_plan_have_numbers_of_their_own(users in 1u32..5, workers in 1u32..9, factor in 1_000u32..9_000) {
            let mut numbers = BTreeSet::new();
            for stripe in (0..workers).map(|worker| Stripe { worker, workers }) {
                let mut of_worker = at_start(model(users, Wait::None), stripe, 0, None, None);
                of_worker.scale(Factor::from_milli(factor).unwrap(), 0);
                for turn in std::iter::from_fn(|| of_worker.claim(0)) {
                    prop_assert!(numbers.insert(turn.number), "{} twice", turn.number);
                }
            }
        }

        #[test]
        fn never_more_in_flight_than_users(
            steps in prop::collection::vec((0u64..20, any::<bool>(), prop::option::weighted(0.1, 100u32..3_000)), 1..200),
        ) {
            let mut users = whole(model(10, Wait::ThinkTime(SpanRange { min_ns: 0, max_ns: 5 })));
            let (mut now_ns, mut running) = (0, Vec::new());
            for (step_ns, claims, factor) in steps {
                now_ns += step_ns;
                if let Some(milli) = factor {
                    users.scale(Factor::from_milli(milli).unwrap(), now_ns);
                }
                if claims {
                    running.extend(users.claim(now_ns));
                } else if !running.is_empty() {
                    users.ended(running.remove(0), now_ns);
                }
                prop_assert_eq!(users.running() as usize, running.len());
                let known: usize = users.standings.iter().filter(|s| **s == Standing::Waiting).count();
                prop_assert_eq!(known, users.waiting.len());
            }
            // Whoever is left over leaves; then exactly as many are in flight as there are users.
            for turn in running.drain(..) {
                users.ended(turn, now_ns);
            }
            let claimed = std::iter::from_fn(|| users.claim(now_ns + MS)).count();
            prop_assert_eq!(claimed, users.count() as usize);
        }
    }
}
