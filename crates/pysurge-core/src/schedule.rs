//! When each iteration is planned: a pure function of its index.
//!
//! Arrivals are the sequence `u_k = k + phase` through the inverse of the cumulative count `C(t) = rate * t`,
//! so iteration `k` is planned at `(k + phase) / rate`. It is computed from `k` each time and never by adding a rounded
//! period, so nothing drifts; all arithmetic is on integers, so the count over a span is exact.
//!
//! Worker `w` of `W` takes every `k` with `k mod W = w`: the workers need no coordination, together they fire exactly
//! the plan of one, and 1.0.1's staggering of processes falls out of the arithmetic. The phase staggers the tests
//! against each other.
//!
//! Source of the striping: k6's execution segments; of the inverse: time rescaling of point processes.

use crate::NANOS_PER_SEC;
use crate::rate::Rate;
use serde::{Deserialize, Serialize};

/// An offset of the first arrival, as a fraction `numerator / denominator` of one interval, in `[0, 1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    numerator: u32,
    denominator: u32,
}

impl Phase {
    /// The first arrival stands at the start itself.
    pub const ZERO: Self = Self {
        numerator: 0,
        denominator: 1,
    };

    /// The phase of test `position` of `tests`, which spreads equal rates evenly over an interval.
    pub fn of_test(position: u32, tests: u32) -> Self {
        if tests == 0 {
            return Self::ZERO;
        }
        Self {
            numerator: position % tests,
            denominator: tests,
        }
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
}

/// The arrivals of one test: constant rate, evenly spaced.
///
/// Instants are nanoseconds since the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// `planned(k) = (k * index_factor + phase_numerator) * period_numerator / divisor`, all reduced.
    index_factor: u64,
    phase_numerator: u64,
    period_numerator: u64,
    divisor: u128,
    end_ns: Option<u64>,
}

impl Schedule {
    /// Arrivals at `rate`, shifted by `phase`, before `end_ns` (open-ended where `None`).
    pub fn constant(rate: Rate, phase: Phase, end_ns: Option<u64>) -> Self {
        // One interval is 10^18 / nano_per_s nanoseconds; in lowest terms most rates leave a divisor of 1.
        let nanos_squared = NANOS_PER_SEC * NANOS_PER_SEC;
        let common = gcd(nanos_squared, rate.nano_per_s());
        let (numerator, denominator) = (nanos_squared / common, rate.nano_per_s() / common);
        let index_factor = u64::from(phase.denominator);
        Self {
            index_factor,
            phase_numerator: u64::from(phase.numerator),
            period_numerator: numerator,
            divisor: u128::from(denominator) * u128::from(index_factor),
            end_ns,
        }
    }

    /// The same arrivals cut at an earlier end.
    #[must_use]
    pub fn ending_at(self, end_ns: u64) -> Self {
        Self {
            end_ns: Some(self.end_ns.map_or(end_ns, |end| end.min(end_ns))),
            ..self
        }
    }

    /// Where the schedule ends, in nanoseconds since the start; `None` where it does not.
    pub fn end_ns(&self) -> Option<u64> {
        self.end_ns
    }

    /// When arrival `k` is planned, in nanoseconds since the start, rounded down; `None` at and after the end, and
    /// beyond 584 years.
    #[inline]
    pub fn planned_ns(&self, k: u64) -> Option<u64> {
        let planned_ns = self.unbounded_ns(k)?;
        match self.end_ns {
            Some(end_ns) if planned_ns >= end_ns => None,
            _ => Some(planned_ns),
        }
    }

    #[inline]
    fn unbounded_ns(&self, k: u64) -> Option<u64> {
        // 64-bit arithmetic serves any run of ordinary length and costs a third of the 128-bit division.
        let scaled = k
            .checked_mul(self.index_factor)
            .and_then(|v| v.checked_add(self.phase_numerator));
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
        let scaled = u128::from(k) * u128::from(self.index_factor) + u128::from(self.phase_numerator);
        let numerator = scaled.checked_mul(u128::from(self.period_numerator))?;
        u64::try_from(numerator / self.divisor).ok()
    }

    /// How many arrivals are planned strictly before `t_ns`: the smallest `k` whose planned instant is at or after it.
    pub fn count_before(&self, t_ns: u64) -> u64 {
        let t_ns = self.end_ns.map_or(t_ns, |end_ns| end_ns.min(t_ns));
        // floor((k f + p) n / d) < t  <=>  (k f + p) n < t d  <=>  k f + p <= (t d - 1) / n
        let Some(limit) = u128::from(t_ns).checked_mul(self.divisor) else {
            return u64::MAX;
        };
        if limit == 0 {
            return 0;
        }
        let most = (limit - 1) / u128::from(self.period_numerator);
        let phase = u128::from(self.phase_numerator);
        if most < phase {
            return 0;
        }
        u64::try_from((most - phase) / u128::from(self.index_factor) + 1).unwrap_or(u64::MAX)
    }

    /// The arrivals that one worker fires.
    pub fn stripe(self, stripe: Stripe) -> StripedSchedule {
        StripedSchedule {
            schedule: self,
            stripe,
        }
    }
}

/// One worker's part of a [`Schedule`]; its arrivals are numbered 0, 1, 2, … of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StripedSchedule {
    schedule: Schedule,
    stripe: Stripe,
}

impl StripedSchedule {
    /// When this worker's arrival `j` is planned, in nanoseconds since the start; `None` once the schedule has ended.
    #[inline]
    pub fn planned_ns(&self, j: u64) -> Option<u64> {
        let k = j
            .checked_mul(u64::from(self.stripe.workers))?
            .checked_add(u64::from(self.stripe.worker))?;
        self.schedule.planned_ns(k)
    }

    /// How many of this worker's arrivals are planned strictly before `t_ns`.
    pub fn count_before(&self, t_ns: u64) -> u64 {
        let (worker, workers) = (u64::from(self.stripe.worker), u64::from(self.stripe.workers));
        let whole = self.schedule.count_before(t_ns);
        if whole <= worker {
            0
        } else {
            (whole - worker - 1) / workers + 1
        }
    }

    /// How many of this worker's arrivals are planned in all; `None` where the schedule is open-ended.
    pub fn count(&self) -> Option<u64> {
        self.schedule.end_ns.map(|end_ns| self.count_before(end_ns))
    }

    /// The whole test's schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn per_s(text: &str) -> Rate {
        Rate::parse(text).unwrap()
    }

    #[test]
    fn the_count_is_rate_times_duration() {
        for (rate, seconds, count) in [
            ("0.1", 60, 6),
            ("1", 7, 7),
            ("3.7", 10, 37),
            ("3.7", 3_600, 13_320),
            ("100", 10, 1_000),
            ("10000", 10, 100_000),
            ("100000", 86_400, 8_640_000_000),
        ] {
            for phase in [Phase::ZERO, Phase::of_test(1, 2), Phase::of_test(6, 7)] {
                let schedule = Schedule::constant(per_s(rate), phase, Some(seconds * NANOS_PER_SEC));
                assert_eq!(
                    schedule.count_before(u64::MAX),
                    count,
                    "{rate}/s for {seconds} s, {phase:?}"
                );
            }
        }
    }

    #[test]
    fn arrivals_do_not_drift() {
        let schedule = Schedule::constant(per_s("3"), Phase::ZERO, None);
        assert_eq!(schedule.planned_ns(3), Some(NANOS_PER_SEC));
        // A third of a second added three hundred million times would be a tenth of a second off.
        assert_eq!(
            schedule.planned_ns(300_000_000),
            Some(100_000_000 * NANOS_PER_SEC)
        );
    }

    #[test]
    fn phases_spread_tests_over_one_interval() {
        let at = |i| Schedule::constant(per_s("1"), Phase::of_test(i, 4), None).planned_ns(0);
        assert_eq!(
            [at(0), at(1), at(2), at(3)].map(Option::unwrap),
            [0, 250_000_000, 500_000_000, 750_000_000]
        );
    }

    #[test]
    fn an_ended_schedule_plans_nothing_more() {
        let schedule = Schedule::constant(per_s("10"), Phase::ZERO, Some(NANOS_PER_SEC));
        assert_eq!(schedule.planned_ns(9), Some(900_000_000));
        assert_eq!(schedule.planned_ns(10), None);
        assert_eq!(schedule.ending_at(500_000_000).planned_ns(5), None);
        assert_eq!(schedule.ending_at(500_000_001).planned_ns(5), Some(500_000_000));
        assert_eq!(schedule.ending_at(5 * NANOS_PER_SEC).planned_ns(10), None);
    }

    fn rates() -> impl Strategy<Value = Rate> {
        (1u64..=MAX_NANO).prop_map(|n| Rate::from_nano_per_s(n).unwrap())
    }
    const MAX_NANO: u64 = crate::rate::MAX_RATE_PER_S * NANOS_PER_SEC;

    proptest! {
        #[test]
        fn count_and_index_are_inverse(rate in rates(), tests in 1u32..50, position in 0u32..50, k in 0u64..1_000_000_000_000) {
            let schedule = Schedule::constant(rate, Phase::of_test(position, tests), None);
            if let Some(planned_ns) = schedule.planned_ns(k) {
                prop_assert!(schedule.count_before(planned_ns) <= k);
                if let Some(after_ns) = planned_ns.checked_add(1) {
                    prop_assert!(schedule.count_before(after_ns) > k);
                }
            }
        }

        #[test]
        fn arrivals_stand_in_order(rate in rates(), k in 0u64..1_000_000_000) {
            let schedule = Schedule::constant(rate, Phase::ZERO, None);
            if let (Some(a), Some(b)) = (schedule.planned_ns(k), schedule.planned_ns(k + 1)) {
                prop_assert!(a <= b);
            }
        }

        #[test]
        fn the_count_is_within_one_of_the_integral(rate in rates(), tests in 1u32..50, position in 0u32..50, t_ns in 0u64..1_000_000_000_000_000) {
            let schedule = Schedule::constant(rate, Phase::of_test(position, tests), None);
            let integral = u128::from(rate.nano_per_s()) * u128::from(t_ns) / 1_000_000_000_000_000_000;
            let count = u128::from(schedule.count_before(t_ns));
            prop_assert!(count.abs_diff(integral) <= 1, "{count} against {integral}");
        }

        #[test]
        fn stripes_partition_the_plan(rate in rates(), workers in 1u32..70, t_ns in 0u64..100_000_000_000) {
            let schedule = Schedule::constant(rate, Phase::of_test(1, 3), Some(t_ns));
            let stripes = (0..workers).map(|worker| schedule.stripe(Stripe { worker, workers }));
            let total: u64 = stripes.map(|stripe| stripe.count().unwrap()).sum();
            prop_assert_eq!(total, schedule.count_before(t_ns));
        }

        #[test]
        fn a_stripe_agrees_with_its_count(rate in rates(), workers in 1u32..70, worker in 0u32..70, t_ns in 1u64..100_000_000_000) {
            let schedule = Schedule::constant(rate, Phase::ZERO, Some(t_ns));
            let stripe = schedule.stripe(Stripe { worker: worker % workers, workers });
            let count = stripe.count().unwrap();
            prop_assert!(stripe.planned_ns(count).is_none());
            if count > 0 {
                prop_assert!(stripe.planned_ns(count - 1).unwrap() < t_ns);
            }
        }

        #[test]
        fn the_short_arithmetic_equals_the_long(rate in rates(), tests in 1u32..50, position in 0u32..50, k in 0u64..u64::MAX) {
            let schedule = Schedule::constant(rate, Phase::of_test(position, tests), None);
            let scaled = u128::from(k) * u128::from(schedule.index_factor) + u128::from(schedule.phase_numerator);
            let long = scaled.checked_mul(u128::from(schedule.period_numerator)).map(|n| n / schedule.divisor);
            prop_assert_eq!(schedule.planned_ns(k), long.and_then(|ns| u64::try_from(ns).ok()));
        }
    }
}
