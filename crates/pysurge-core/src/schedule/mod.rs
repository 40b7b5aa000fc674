//! When each iteration is planned: a pure function of its index.
//!
//! Arrivals are a sequence of positions on an axis of mass (evenly spaced, Poisson, or recorded); a rate profile says how much
//! mass there is at each instant of the plan; iteration `k` is planned where the profile reaches the position of arrival `k`
//! (time rescaling of point processes). What is changed live (pauses, a factor on all rates) is worked in between. Each of
//! these is an exact pair of inverses in integers, computed from `k` each time and never by adding a rounded
//! period: nothing drifts, and the count over a span is exact.
//!
//! Worker `w` of `W` takes every `k` with `k mod W = w`: the workers need no coordination, together they fire exactly
//! the plan of one, and 1.0.1's staggering of processes falls out of the arithmetic. The phase staggers the tests
//! against each other. When workers die or come back, stripes are dealt anew from a stated arrival on ([`Hand`]).
//! Source of the striping: k6's execution segments.

mod course;
mod hand;
mod poisson;
mod profile;

pub use course::{CHANGE_LEAD_NS, Change, Course, Factor, FactorError, NOT_IN_SIGHT};
pub use hand::Hand;
pub use profile::{Profile, UNIT};

use crate::rate::Rate;
use poisson::{Leaf, Poisson};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// In how many parts an interval is cut for the staggering of tests: a divisor of [`UNIT`], so that it is exact.
const PHASE_PARTS: u32 = 1_000;

/// An offset of the first arrival, as a fraction of one interval in `[0, 1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    parts: u32,
}

impl Phase {
    /// The first arrival stands at the start itself.
    pub const ZERO: Self = Self { parts: 0 };

    /// The phase of test `position` of `tests`, which spreads equal rates evenly over an interval.
    pub fn of_test(position: u32, tests: u32) -> Self {
        if tests == 0 {
            return Self::ZERO;
        }
        let parts = u64::from(PHASE_PARTS) * u64::from(position % tests) / u64::from(tests);
        Self {
            parts: u32::try_from(parts).expect("below PHASE_PARTS"),
        }
    }

    fn units(self) -> u128 {
        UNIT / u128::from(PHASE_PARTS) * u128::from(self.parts)
    }
}

/// Which part of a test's arrivals a worker fires: every `k` with `k mod workers = worker`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stripe {
    /// This worker's place, `0..workers`.
    pub worker: u32,
    /// How many workers share the test, at least 1.
    pub workers: u32,
}

impl Stripe {
    /// The whole plan: one worker.
    pub const WHOLE: Self = Self {
        worker: 0,
        workers: 1,
    };

    /// How many of the first `count` of anything dealt out in turns are this worker's.
    pub fn share_of(self, count: u64) -> u64 {
        let (worker, workers) = (u64::from(self.worker), u64::from(self.workers));
        if count <= worker {
            0
        } else {
            (count - worker - 1) / workers + 1
        }
    }

    /// The number, over all workers, of this worker's thing number `j`.
    pub fn number_of(self, j: u64) -> Option<u64> {
        j.checked_mul(u64::from(self.workers))?
            .checked_add(u64::from(self.worker))
    }
}

/// Where the arrivals stand on the axis of mass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly spaced, one per unit of rate and time, shifted by a phase.
    Even(Phase),
    /// A Poisson process of the same mean, from a seed: independent users.
    Poisson(PoissonArrivals),
    /// As recorded: ascending positions in nanoseconds, on the axis of [`Profile::clock`].
    Recorded(Arc<[u64]>),
}

/// A Poisson process on the axis of mass; see [`Arrivals::Poisson`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoissonArrivals(Poisson);

impl Arrivals {
    /// Poisson arrivals; the same seed gives the same ones, however long the run is and whoever asks.
    pub fn poisson(seed: u64) -> Self {
        Self::Poisson(PoissonArrivals(Poisson::new(seed)))
    }

    fn units_of(&self, k: u64, memo: &mut Memo) -> Option<u128> {
        match self {
            Self::Even(phase) => u128::from(k).checked_mul(UNIT)?.checked_add(phase.units()),
            Self::Poisson(PoissonArrivals(process)) => process.units_of(k, &mut memo.leaf),
            Self::Recorded(instants) => usize::try_from(k)
                .ok()
                .and_then(|k| instants.get(k))
                .map(|&ns| u128::from(ns)),
        }
    }

    /// Arrivals that stand strictly before a position.
    fn count_before(&self, units: u128) -> u64 {
        match self {
            Self::Even(phase) => {
                let behind_phase = units.saturating_sub(phase.units());
                u64::try_from(behind_phase.div_ceil(UNIT)).unwrap_or(u64::MAX)
            }
            Self::Poisson(PoissonArrivals(process)) => process.count_before(units),
            Self::Recorded(instants) => {
                let before = instants.partition_point(|&ns| u128::from(ns) < units);
                u64::try_from(before).unwrap_or(u64::MAX)
            }
        }
    }
}

/// What a caller that asks for one instant after the other remembers, so that asking is cheap. Any one serves; a
/// fresh one only costs time.
#[derive(Debug, Clone, Default)]
pub struct Memo {
    leaf: Leaf,
}

/// The arrivals of one test, with all that was changed live. Instants are nanoseconds of run time (since the start of the run)
/// unless they are said to be plan time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    arrivals: Arrivals,
    profile: Profile,
    iterations: Option<u64>,
    course: Course,
    scales: Vec<Scale>,
    /// A short cut for the commonest schedule while nothing is changed.
    even: Option<EvenlySpaced>,
}

/// From where on which factor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scale {
    /// In plan time.
    from_ns: u64,
    /// The profile's mass there, in units.
    profile_units: u128,
    /// The arrivals' mass there, in units.
    units: u128,
    factor: Factor,
}

/// A factor is so many thousandths.
const FACTOR_PARTS: u128 = 1_000;

impl Schedule {
    /// Arrivals through a profile, at most so many.
    pub fn new(arrivals: Arrivals, profile: Profile, iterations: Option<u64>) -> Self {
        let even = EvenlySpaced::of(&arrivals, &profile);
        Self {
            arrivals,
            profile,
            iterations,
            course: Course::default(),
            scales: vec![Scale {
                from_ns: 0,
                profile_units: 0,
                units: 0,
                factor: Factor::ONE,
            }],
            even,
        }
    }

    /// Arrivals at `rate`, evenly spaced, shifted by `phase`, before `end_ns` (open-ended where `None`).
    pub fn constant(rate: Rate, phase: Phase, end_ns: Option<u64>) -> Self {
        let mut profile = Profile::after(0);
        profile.hold(rate);
        if let Some(end_ns) = end_ns {
            profile = profile.ending_at(end_ns);
        }
        Self::new(Arrivals::Even(phase), profile, None)
    }

    /// Changes what is planned from an instant on. Arrivals before it stay where they are.
    pub fn change(&mut self, change: Change) {
        self.course.apply(change);
        let change = self.course.now();
        if self
            .scales
            .last()
            .is_some_and(|last| last.factor != change.factor)
        {
            let from_ns = self.course.plan_ns(change.at_ns);
            self.scales.push(Scale {
                from_ns,
                profile_units: self.profile.units_at(from_ns),
                units: self.units_at(from_ns),
                factor: change.factor,
            });
        }
        self.even = None;
    }

    /// What was changed live.
    pub fn course(&self) -> &Course {
        &self.course
    }

    /// The rates, before any change.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// When arrival `k` is planned, rounded down to a nanosecond; `None` where there is no such arrival; [`NOT_IN_SIGHT`]
    /// where a pause is in between.
    pub fn planned_ns(&self, k: u64) -> Option<u64> {
        self.planned_ns_with(k, &mut Memo::default())
    }

    /// As [`Schedule::planned_ns`], for callers that ask often.
    #[inline]
    pub fn planned_ns_with(&self, k: u64, memo: &mut Memo) -> Option<u64> {
        if self.iterations.is_some_and(|iterations| k >= iterations) {
            return None;
        }
        if let Some(even) = &self.even {
            return even.planned_ns(k);
        }
        let plan_ns = self.plan_ns_of(k, memo)?;
        Some(self.course.run_ns(plan_ns))
    }

    /// In plan time.
    fn plan_ns_of(&self, k: u64, memo: &mut Memo) -> Option<u64> {
        let units = self.arrivals.units_of(k, memo)?;
        let at = self.scales.partition_point(|scale| scale.units <= units);
        let scale = self.scales[at.saturating_sub(1)];
        let beyond = if scale.factor == Factor::ONE {
            units - scale.units
        } else {
            (units - scale.units).checked_mul(FACTOR_PARTS)? / u128::from(scale.factor.milli())
        };
        self.profile.at_units(scale.profile_units.checked_add(beyond)?)
    }

    /// How many arrivals are planned strictly before `t_ns`: the smallest `k` whose planned instant is at or after it.
    pub fn count_before(&self, t_ns: u64) -> u64 {
        self.count_before_plan(self.course.plan_ns(t_ns))
    }

    /// The same up to an instant of plan time.
    pub fn count_before_plan(&self, plan_ns: u64) -> u64 {
        let count = self.arrivals.count_before(self.units_at(plan_ns));
        self.iterations.map_or(count, |iterations| iterations.min(count))
    }

    /// The mass planned before an instant of plan time, in units, with the factors that hold.
    fn units_at(&self, plan_ns: u64) -> u128 {
        let at = self.scales.partition_point(|scale| scale.from_ns <= plan_ns);
        let scale = self.scales[at.saturating_sub(1)];
        let beyond = self.profile.units_at(plan_ns) - scale.profile_units;
        if scale.factor == Factor::ONE {
            return scale.units + beyond;
        }
        let scaled = beyond
            .saturating_mul(u128::from(scale.factor.milli()))
            .div_ceil(FACTOR_PARTS);
        scale.units.saturating_add(scaled)
    }

    /// How many iterations the rates stand for up to an instant of plan time: the integral, without the randomness of arrivals.
    /// For recorded arrivals, their count.
    #[expect(clippy::cast_precision_loss, reason = "for display and estimates")]
    pub fn mass_before_plan(&self, plan_ns: u64) -> f64 {
        match &self.arrivals {
            Arrivals::Recorded(_) => self.count_before_plan(plan_ns) as f64,
            Arrivals::Even(_) | Arrivals::Poisson(_) => {
                let mass = self.units_at(plan_ns) as f64 / UNIT as f64;
                self.iterations
                    .map_or(mass, |iterations| mass.min(iterations as f64))
            }
        }
    }

    /// From when on nothing more is planned, in plan time; `None` where there is no end.
    pub fn ends_plan_ns(&self) -> Option<u64> {
        let last = match (&self.arrivals, self.iterations) {
            (Arrivals::Recorded(instants), iterations) => {
                let count = u64::try_from(instants.len()).unwrap_or(u64::MAX);
                Some(iterations.map_or(count, |iterations| iterations.min(count)))
            }
            (_, iterations) => iterations,
        };
        let by_count = last.and_then(|count| match count.checked_sub(1) {
            Some(last) => self
                .plan_ns_of(last, &mut Memo::default())
                .map(|plan_ns| plan_ns.saturating_add(1)),
            None => Some(0),
        });
        match (by_count, self.profile.end_ns()) {
            (Some(by_count), Some(end_ns)) => Some(by_count.min(end_ns)),
            (only, None) | (None, only) => only,
        }
    }

    /// The same in run time; [`NOT_IN_SIGHT`] while a pause is in between.
    pub fn ends_ns(&self) -> Option<u64> {
        self.ends_plan_ns().map(|plan_ns| self.course.run_ns(plan_ns))
    }

    /// Whether the plan ends because its iterations are done, and not at an instant that the config names.
    pub fn ends_by_count(&self) -> bool {
        match (self.ends_plan_ns(), self.profile.end_ns()) {
            (Some(reached_ns), Some(end_ns)) => reached_ns < end_ns,
            (reached_ns, None) => reached_ns.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// The arrivals that one worker fires.
    pub fn stripe(self, hand: impl Into<Hand>) -> StripedSchedule {
        StripedSchedule {
            schedule: self,
            hand: hand.into(),
        }
    }
}

/// One worker's part of a [`Schedule`]; its arrivals are numbered 0, 1, 2, … of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripedSchedule {
    schedule: Schedule,
    hand: Hand,
}

impl StripedSchedule {
    /// When this worker's arrival `j` is planned; see [`Schedule::planned_ns`].
    pub fn planned_ns(&self, j: u64) -> Option<u64> {
        self.planned_ns_with(j, &mut Memo::default())
    }

    /// As [`StripedSchedule::planned_ns`], for callers that ask often.
    #[inline]
    pub fn planned_ns_with(&self, j: u64, memo: &mut Memo) -> Option<u64> {
        self.schedule.planned_ns_with(self.hand.number_of(j)?, memo)
    }

    /// How many of this worker's arrivals are planned strictly before `t_ns`.
    pub fn count_before(&self, t_ns: u64) -> u64 {
        self.hand.share_of(self.schedule.count_before(t_ns))
    }

    /// The same up to an instant of plan time.
    pub fn count_before_plan(&self, plan_ns: u64) -> u64 {
        self.hand.share_of(self.schedule.count_before_plan(plan_ns))
    }

    /// How many of this worker's arrivals are planned in all; `None` where the schedule is open-ended.
    pub fn count(&self) -> Option<u64> {
        self.schedule
            .ends_plan_ns()
            .map(|ends_ns| self.count_before_plan(ends_ns))
    }

    /// Changes what is planned from an instant on.
    pub fn change(&mut self, change: Change) {
        self.schedule.change(change);
    }

    /// From arrival `from` on, its number over all workers, this worker fires another stripe.
    pub fn deal(&mut self, from: u64, stripe: Stripe) {
        self.hand.deal(from, Some(stripe));
    }

    /// The whole test's schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Which part of it this is.
    pub fn hand(&self) -> &Hand {
        &self.hand
    }
}

/// One constant rate, evenly spaced: `planned(k) = from + (k * index_factor + phase) * period_numerator / divisor`, all reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EvenlySpaced {
    from_ns: u64,
    index_factor: u64,
    phase: u64,
    period_numerator: u64,
    divisor: u128,
    end_ns: Option<u64>,
}

impl EvenlySpaced {
    fn of(arrivals: &Arrivals, profile: &Profile) -> Option<Self> {
        let Arrivals::Even(phase) = arrivals else {
            return None;
        };
        let (from_ns, units_per_ns) = profile.constant()?;
        // One interval is UNIT / units_per_ns nanoseconds; in lowest terms most rates leave a divisor of 1.
        let unit = u64::try_from(UNIT).expect("2e18 fits");
        let common = gcd(unit, units_per_ns);
        let parts = gcd(u64::from(phase.parts), u64::from(PHASE_PARTS));
        let index_factor = u64::from(PHASE_PARTS) / parts;
        Some(Self {
            from_ns,
            index_factor,
            phase: u64::from(phase.parts) / parts,
            period_numerator: unit / common,
            divisor: u128::from(units_per_ns / common) * u128::from(index_factor),
            end_ns: profile.end_ns(),
        })
    }

    #[inline]
    fn planned_ns(&self, k: u64) -> Option<u64> {
        let planned_ns = self.from_ns.checked_add(self.after_ns(k)?)?;
        match self.end_ns {
            Some(end_ns) if planned_ns >= end_ns => None,
            _ => Some(planned_ns),
        }
    }

    #[inline]
    fn after_ns(&self, k: u64) -> Option<u64> {
        // 64-bit arithmetic serves any run of ordinary length and costs a third of the 128-bit division.
        let scaled = k
            .checked_mul(self.index_factor)
            .and_then(|v| v.checked_add(self.phase));
        if let (Some(numerator), Ok(divisor)) = (
            scaled.and_then(|v| v.checked_mul(self.period_numerator)),
            u64::try_from(self.divisor),
        ) {
            return Some(if divisor == 1 {
                numerator
            } else {
                numerator / divisor
            });
        }
        let scaled = u128::from(k) * u128::from(self.index_factor) + u128::from(self.phase);
        let numerator = scaled.checked_mul(u128::from(self.period_numerator))?;
        u64::try_from(numerator / self.divisor).ok()
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests;
