//! The rate profile of a test: how fast iterations are planned at each instant of its plan, and the exact integral of it.
//!
//! Mass, the cumulative count `C(t)`, is measured in *units*: [`UNIT`] of them are one iteration, so that one nanosecond at a
//! rate of 10⁻⁹/s is exactly two units, and also a ramp's triangle is a whole number of them at its ends. Everything is
//! 128-bit integer arithmetic without rounding but for one ceiling: `units_at(t)` is the least whole number of units that is not
//! below `C(t)`. [`Profile::at_units`] is its exact inverse by definition, so counts and instants can never disagree.

use crate::NANOS_PER_SEC;
use crate::rate::Rate;
use serde::{Deserialize, Serialize};

/// Units in one iteration: 2·10¹⁸.
pub const UNIT: u128 = 2 * (NANOS_PER_SEC as u128) * (NANOS_PER_SEC as u128);

/// The longest ramp, 146 years: keeps the arithmetic within 128 bits.
const MAX_RAMP_NS: u64 = 1 << 62;

/// A piece of a profile: linear from one rate to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Segment {
    /// Where it begins, nanoseconds of plan time.
    from_ns: u64,
    /// How long it is; `None` for the last one of an open-ended profile, which is constant.
    length_ns: Option<u64>,
    /// Units per nanosecond where it begins and where it ends.
    start: u64,
    end: u64,
    /// Units planned before it.
    units_before: u128,
}

/// A piecewise linear rate over plan time, from 0 to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Profile {
    segments: Vec<Segment>,
    end_ns: Option<u64>,
    /// Units planned in all, where it ends.
    end_units: Option<u128>,
}

impl Profile {
    /// Nothing planned for `length_ns`: what a start delay begins with. More pieces are put behind it.
    pub fn after(length_ns: u64) -> Self {
        let mut profile = Self {
            segments: Vec::new(),
            end_ns: Some(0),
            end_units: Some(0),
        };
        profile.ramp(length_ns, Rate::ZERO, Rate::ZERO);
        profile
    }

    /// A profile that counts nanoseconds instead of iterations, from `from_ns` on: a unit per nanosecond.
    pub fn clock(from_ns: u64) -> Self {
        let mut profile = Self::after(from_ns);
        profile.push(None, 1, 1);
        profile
    }

    /// Adds a piece in which the rate goes from one value to another in a straight line.
    pub fn ramp(&mut self, length_ns: u64, from: Rate, to: Rate) {
        self.push(
            Some(length_ns.min(MAX_RAMP_NS)),
            units_per_ns(from),
            units_per_ns(to),
        );
    }

    /// Adds a rate that holds for ever. Nothing can follow it.
    pub fn hold(&mut self, rate: Rate) {
        let units = units_per_ns(rate);
        self.push(None, units, units);
    }

    fn push(&mut self, length_ns: Option<u64>, start: u64, end: u64) {
        let Some(from_ns) = self.end_ns else { return };
        if length_ns == Some(0) {
            return;
        }
        let units_before = self.units_at(from_ns);
        self.segments.push(Segment {
            from_ns,
            length_ns,
            start,
            end,
            units_before,
        });
        self.end_at(length_ns.and_then(|length_ns| from_ns.checked_add(length_ns)));
    }

    fn end_at(&mut self, end_ns: Option<u64>) {
        self.end_ns = end_ns;
        self.end_units = end_ns.map(|end_ns| self.units_at(end_ns));
    }

    /// The same rates, cut at an earlier end.
    #[must_use]
    pub fn ending_at(mut self, end_ns: u64) -> Self {
        self.end_at(Some(self.end_ns.map_or(end_ns, |end| end.min(end_ns))));
        self
    }

    /// Where the profile ends, nanoseconds of plan time; `None` where it does not.
    pub fn end_ns(&self) -> Option<u64> {
        self.end_ns
    }

    /// The mass planned before an instant of plan time, in units, rounded up.
    pub fn units_at(&self, t_ns: u64) -> u128 {
        let t_ns = self.end_ns.map_or(t_ns, |end_ns| end_ns.min(t_ns));
        let at = self.segments.partition_point(|segment| segment.from_ns <= t_ns);
        match at.checked_sub(1).and_then(|at| self.segments.get(at)) {
            Some(segment) => segment.units_before + segment.units_after(t_ns - segment.from_ns),
            None => 0,
        }
    }

    /// The last instant of plan time up to which no more than `units` are planned; `None` where the profile never plans more.
    pub fn at_units(&self, units: u128) -> Option<u64> {
        if self.end_units.is_some_and(|end_units| end_units <= units) {
            return None;
        }
        let at = self
            .segments
            .partition_point(|segment| segment.units_before <= units);
        let segment = self.segments.get(at.checked_sub(1)?)?;
        segment
            .from_ns
            .checked_add(segment.last_within(units - segment.units_before)?)
    }

    /// The greatest rate before an end, in billionths of an iteration per second.
    pub fn peak_nano_per_s(&self) -> u64 {
        let end_ns = self.end_ns.unwrap_or(u64::MAX);
        let begun = self.segments.iter().filter(|segment| segment.from_ns < end_ns);
        begun
            .map(|segment| {
                let reached = segment.per_ns_at(end_ns - segment.from_ns);
                segment.start.max(reached)
            })
            .max()
            .unwrap_or(0)
            / 2
    }

    /// The rate at an instant of plan time, in billionths of an iteration per second; 0 at and after the end.
    pub fn nano_per_s_at(&self, t_ns: u64) -> u64 {
        if self.end_ns.is_some_and(|end_ns| end_ns <= t_ns) {
            return 0;
        }
        let at = self.segments.partition_point(|segment| segment.from_ns <= t_ns);
        let segment = at.checked_sub(1).and_then(|at| self.segments.get(at));
        segment.map_or(0, |segment| segment.per_ns_at(t_ns - segment.from_ns) / 2)
    }

    /// Start and rate of a profile that is one constant rate, after nothing or a delay.
    pub(super) fn constant(&self) -> Option<(u64, u64)> {
        let [before @ .., last] = self.segments.as_slice() else {
            return None;
        };
        let silent = before
            .iter()
            .all(|segment| segment.start == 0 && segment.end == 0);
        (silent && last.start == last.end && last.start > 0).then_some((last.from_ns, last.start))
    }
}

impl Segment {
    /// Units planned in the first `t_ns` nanoseconds of this piece, rounded up.
    fn units_after(&self, t_ns: u64) -> u128 {
        let t = u128::from(t_ns);
        let flat = u128::from(self.start) * t;
        let Some(length_ns) = self.length_ns.filter(|_| self.start != self.end) else {
            return flat;
        };
        // (end - start) t^2 / 2D, exactly: with (end - start) t = q 2D + r it is q t + r t / 2D, and no product reaches 2^128.
        let twice = 2 * u128::from(length_ns);
        let slope = u128::from(self.end.abs_diff(self.start)) * t;
        let whole = slope / twice;
        let rest = slope - whole * twice;
        if self.end > self.start {
            flat + whole * t + (rest * t).div_ceil(twice)
        } else {
            flat - whole * t - rest * t / twice
        }
    }

    /// The greatest `t_ns` with `units_after(t_ns) <= units`.
    fn last_within(&self, units: u128) -> Option<u64> {
        let Some(length_ns) = self.length_ns.filter(|_| self.start != self.end) else {
            let most = units.checked_div(u128::from(self.start))?;
            return u64::try_from(most).ok();
        };
        // Floats give the place within a few nanoseconds, the integers decide; where floats are bad (a rate near
        // zero) the search is longer and the result the same.
        let guess = self.guess_ns(units, length_ns);
        let fits = |t_ns: u64| self.units_after(t_ns) <= units;
        let (mut low, mut high) = if fits(guess) {
            let mut step = 1;
            let mut high = guess.saturating_add(step).min(length_ns);
            let mut low = guess;
            while high < length_ns && fits(high) {
                low = high;
                step *= 4;
                high = high.saturating_add(step).min(length_ns);
            }
            if fits(high) {
                return Some(high);
            }
            (low, high)
        } else {
            let mut step = 1;
            let mut low = guess.saturating_sub(step);
            let mut high = guess;
            while !fits(low) {
                high = low;
                step *= 4;
                low = low.saturating_sub(step);
            }
            (low, high)
        };
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(low)
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a guess, put right by integers; casts saturate"
    )]
    fn guess_ns(&self, units: u128, length_ns: u64) -> u64 {
        // units = start t + slope t^2 / 2, solved without taking nearly equal numbers from each other.
        let (start, end) = (self.start as f64, self.end as f64);
        let slope = (end - start) / length_ns as f64;
        let root = (start * start + 2.0 * slope * units as f64).max(0.0).sqrt();
        let guess = 2.0 * units as f64 / (start + root);
        if guess.is_finite() {
            (guess as u64).min(length_ns)
        } else {
            0
        }
    }

    fn per_ns_at(&self, t_ns: u64) -> u64 {
        let Some(length_ns) = self.length_ns else {
            return self.start;
        };
        let t_ns = t_ns.min(length_ns);
        let change =
            u128::from(self.end.abs_diff(self.start)) * u128::from(t_ns) / u128::from(length_ns.max(1));
        let change = u64::try_from(change).unwrap_or(u64::MAX);
        if self.end > self.start {
            self.start + change
        } else {
            self.start - change
        }
    }
}

fn units_per_ns(rate: Rate) -> u64 {
    2 * rate.nano_per_s()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(text: &str) -> Rate {
        if text == "0" {
            Rate::ZERO
        } else {
            Rate::parse(text).unwrap()
        }
    }

    fn profile(delay_s: u64, pieces: &[(u64, &str, &str)]) -> Profile {
        let mut profile = Profile::after(delay_s * NANOS_PER_SEC);
        for (seconds, from, to) in pieces {
            profile.ramp(seconds * NANOS_PER_SEC, rate(from), rate(to));
        }
        profile
    }

    #[test]
    fn the_mass_is_the_integral() {
        for (profile, iterations) in [
            (
                profile(0, &[(60, "0", "100"), (300, "100", "100"), (30, "100", "0")]),
                3_000 + 30_000 + 1_500,
            ),
            (profile(5, &[(10, "1", "2")]), 15),
            (profile(0, &[(10, "5", "5"), (10, "20", "20")]), 250),
            (profile(7, &[]), 0),
        ] {
            let end_ns = profile.end_ns().unwrap();
            assert_eq!(profile.units_at(end_ns), iterations * UNIT, "{profile:?}");
            assert_eq!(profile.units_at(u64::MAX), iterations * UNIT);
            assert_eq!(profile.at_units(iterations * UNIT), None);
        }
    }

    #[test]
    fn a_ramp_is_steeper_where_it_is_faster() {
        let profile = profile(0, &[(60, "0", "100")]);
        // 100/s reached after 60 s: t^2 * 100 / 120.
        assert_eq!(profile.units_at(30 * NANOS_PER_SEC), 750 * UNIT);
        assert_eq!(profile.at_units(750 * UNIT), Some(30 * NANOS_PER_SEC));
        assert_eq!(profile.nano_per_s_at(30 * NANOS_PER_SEC), 50 * NANOS_PER_SEC);
        assert_eq!(profile.peak_nano_per_s(), 100 * NANOS_PER_SEC);
        assert_eq!(
            profile.ending_at(30 * NANOS_PER_SEC).peak_nano_per_s(),
            50 * NANOS_PER_SEC
        );
    }

    #[test]
    fn nothing_is_planned_where_the_rate_is_zero() {
        let profile = profile(5, &[(1, "10", "10"), (4, "0", "0"), (1, "10", "10")]);
        assert_eq!(profile.at_units(0), Some(5 * NANOS_PER_SEC));
        assert_eq!(profile.units_at(5 * NANOS_PER_SEC), 0);
        // The eleventh arrival comes after the silence, not before it.
        assert_eq!(profile.at_units(10 * UNIT), Some(10 * NANOS_PER_SEC));
    }

    #[test]
    fn the_extremes_stay_within_128_bits() {
        let max = Rate::from_nano_per_s(crate::rate::MAX_RATE_PER_S * NANOS_PER_SEC).unwrap();
        let mut profile = Profile::after(0);
        profile.ramp(u64::MAX, Rate::ZERO, max);
        profile.ramp(u64::MAX, max, Rate::ZERO);
        let end_ns = profile.end_ns().unwrap();
        assert!(profile.units_at(end_ns) > profile.units_at(end_ns / 2));
        assert!(profile.at_units(profile.units_at(end_ns) - 1).is_some());
    }

    fn any_rate() -> impl Strategy<Value = Rate> {
        prop_oneof![
            1 => Just(Rate::ZERO),
            4 => (1u64..=crate::rate::MAX_RATE_PER_S * NANOS_PER_SEC).prop_map(|n| Rate::from_nano_per_s(n).unwrap()),
            4 => (1u64..=1_000).prop_map(|n| Rate::from_nano_per_s(n * NANOS_PER_SEC).unwrap()),
            1 => (1u64..=1_000).prop_map(|n| Rate::from_nano_per_s(n).unwrap()),
        ]
    }

    prop_compose! {
        fn any_profile()(
            delay_ns in prop_oneof![Just(0), 0u64..10_000_000_000],
            pieces in prop::collection::vec((0u64..1_000_000_000_000, any_rate(), any_rate(), any::<bool>()), 0..6),
            last in prop::option::of(any_rate()),
        ) -> Profile {
            let mut profile = Profile::after(delay_ns);
            for (length_ns, from, to, flat) in pieces {
                profile.ramp(length_ns, from, if flat { from } else { to });
            }
            if let Some(rate) = last {
                profile.hold(rate);
            }
            profile
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn units_and_instants_are_inverse(profile in any_profile(), share in 0u64..=1_000_000) {
            let horizon_ns = profile.end_ns().unwrap_or(10_000_000_000_000);
            let units = profile.units_at(horizon_ns) / 1_000_000 * u128::from(share);
            if let Some(t_ns) = profile.at_units(units) {
                prop_assert!(profile.units_at(t_ns) <= units);
                prop_assert!(profile.units_at(t_ns + 1) > units);
            } else {
                prop_assert!(profile.units_at(u64::MAX) <= units);
            }
        }

        #[test]
        fn mass_never_shrinks(profile in any_profile(), a in 0u64..12_000_000_000_000, more in 0u64..1_000_000_000) {
            prop_assert!(profile.units_at(a) <= profile.units_at(a + more));
        }

        #[test]
        fn the_ceiling_is_less_than_a_unit_from_the_integral(length_ns in 1u64..1_000_000_000_000, from in any_rate(), to in any_rate(), share in 0u64..=1_000) {
            let mut profile = Profile::after(0);
            profile.ramp(length_ns, from, to);
            let t_ns = length_ns / 1_000 * share;
            // In units times 2D, compared as exact integers where they fit.
            let (start, end) = (i128::from(2 * from.nano_per_s()), i128::from(2 * to.nano_per_s()));
            let (t, d) = (i128::from(t_ns), i128::from(length_ns));
            let exact = start.checked_mul(2 * d).and_then(|v| v.checked_mul(t)).and_then(|flat| (end - start).checked_mul(t)?.checked_mul(t)?.checked_add(flat));
            if let (Some(exact), Ok(units)) = (exact, i128::try_from(profile.units_at(t_ns)))
                && let Some(scaled) = units.checked_mul(2 * d)
            {
                prop_assert!(scaled >= exact && scaled - exact < 2 * d, "{scaled} against {exact}");
            }
        }
    }
}
