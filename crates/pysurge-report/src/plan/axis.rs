//! Axes with round numbers.

use crate::text::{count, rate};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::span::format_span_plain;

/// What a rate is counted per, so that its number is easy to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RateUnit {
    Second,
    Minute,
    Hour,
}

/// Below this a number is hard to read.
const SMALL: f64 = 0.1;

impl RateUnit {
    /// The unit for rates of this size.
    pub(super) fn of(per_s: f64) -> Self {
        if per_s <= 0.0 || per_s >= SMALL {
            Self::Second
        } else if per_s * 60.0 >= SMALL * 10.0 {
            Self::Minute
        } else {
            Self::Hour
        }
    }

    /// A rate per second in this unit.
    pub(super) fn value(self, per_s: f64) -> f64 {
        match self {
            Self::Second => per_s,
            Self::Minute => per_s * 60.0,
            Self::Hour => per_s * 3_600.0,
        }
    }

    /// `/s`.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Second => "/s",
            Self::Minute => "/m",
            Self::Hour => "/h",
        }
    }
}

/// What stands on the vertical axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    Rates(RateUnit),
    Users,
}

/// A vertical axis from 0 on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    quantity: Quantity,
    /// From one mark to the next, in the quantity's own unit.
    step: f64,
    /// Marks above 0.
    steps: u32,
}

/// From here on a label counts in millions: an axis has little room.
const MILLION: f64 = 1e6;

impl Scale {
    /// An axis for rates per second up to `highest`, or for users, with two to `most` marks above 0.
    pub(crate) fn new(highest: f64, is_users: bool, most: u32) -> Self {
        let quantity = if is_users {
            Quantity::Users
        } else {
            Quantity::Rates(RateUnit::of(highest))
        };
        let value = match quantity {
            Quantity::Users => highest.max(1.0),
            Quantity::Rates(unit) if highest > 0.0 => unit.value(highest),
            Quantity::Rates(_) => 1.0,
        };
        // A rate of 50 is computed as 50.000000001 now and then.
        let steps_of = |step: f64| (value / step - 1e-9).ceil().max(1.0);
        let fitting = |least: f64| {
            round_steps(value)
                .filter(|step| !is_users || step.fract() == 0.0)
                .filter(|step| (least..=f64::from(most)).contains(&steps_of(*step)))
                .min_by(|a, b| f64::total_cmp(&(a * steps_of(*a)), &(b * steps_of(*b))))
        };
        let step = fitting(2.0).or_else(|| fitting(1.0)).unwrap_or(value);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not above `most`"
        )]
        let steps = steps_of(step) as u32;
        Self {
            quantity,
            step,
            steps,
        }
    }

    /// How high a value stands, 0 to 1.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let own = match self.quantity {
            Quantity::Users => value,
            Quantity::Rates(unit) => unit.value(value),
        };
        (own / (self.step * f64::from(self.steps))).clamp(0.0, 1.0)
    }

    /// How high each mark stands, and what it says, from 0 up.
    pub(crate) fn marks(&self) -> Vec<(f64, String)> {
        let top = self.step * f64::from(self.steps);
        let mark = |n: u32| {
            let value = self.step * f64::from(n);
            if n > 0 && top >= MILLION {
                let sign = match self.quantity {
                    Quantity::Users => "",
                    Quantity::Rates(unit) => unit.sign(),
                };
                return (value / top, format!("{}M{sign}", rate(value / MILLION)));
            }
            let label = match self.quantity {
                Quantity::Users => {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "users are whole numbers"
                    )]
                    let users = value as u64;
                    count(users)
                }
                Quantity::Rates(_) if n == 0 => "0".to_owned(),
                Quantity::Rates(unit) => format!("{}{}", rate(value), unit.sign()),
            };
            (f64::from(n) / f64::from(self.steps), label)
        };
        (0..=self.steps).map(mark).collect()
    }
}

/// 1, 2, 2.5 and 5 times powers of ten, from far below a value up.
fn round_steps(value: f64) -> impl Iterator<Item = f64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rates and users lie within 10^±10"
    )]
    let from = value.log10().floor() as i32 - 2;
    (from..from + 5).flat_map(|power| {
        [1.0, 2.0, 2.5, 5.0].map(|digit| {
            // 10^-2 has no exact float; 1 / 10^2 is the nearest one.
            if power < 0 {
                digit / 10f64.powi(-power)
            } else {
                digit * 10f64.powi(power)
            }
        })
    })
}

/// Round times from 0 to the end of a span, at most so many after 0.
pub(super) fn time_marks(span_ns: u64, most: u64) -> Vec<(u64, String)> {
    const S: u64 = NANOS_PER_SEC;
    const ROUND: [u64; 31] = [
        1_000_000,
        2_000_000,
        5_000_000,
        10_000_000,
        20_000_000,
        50_000_000,
        100_000_000,
        200_000_000,
        500_000_000,
        S,
        2 * S,
        5 * S,
        10 * S,
        15 * S,
        30 * S,
        60 * S,
        120 * S,
        300 * S,
        600 * S,
        900 * S,
        1_800 * S,
        3_600 * S,
        7_200 * S,
        3 * 3_600 * S,
        6 * 3_600 * S,
        12 * 3_600 * S,
        86_400 * S,
        2 * 86_400 * S,
        7 * 86_400 * S,
        30 * 86_400 * S,
        365 * 86_400 * S,
    ];
    let most = most.max(1);
    let step = ROUND.into_iter().find(|step| span_ns / step <= most);
    let step = step.unwrap_or(span_ns / most).max(1);
    let last = span_ns / step;
    (0..=last)
        .map(|n| (n * step, format_span_plain(n * step)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.marks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn marks_are_round() {
        for (highest, users, expected) in [
            (100.0, false, vec!["0", "50/s", "100/s"]),
            (50.000_000_000_1, false, vec!["0", "25/s", "50/s"]),
            (120.0, false, vec!["0", "50/s", "100/s", "150/s"]),
            (0.2, false, vec!["0", "0.1/s", "0.2/s"]),
            (0.000_555_555, false, vec!["0", "1/h", "2/h"]),
            (0.05, false, vec!["0", "1/m", "2/m", "3/m"]),
            (0.0, false, vec!["0", "0.5/s", "1/s"]),
            (1.0, true, vec!["0", "1"]),
            (20.0, true, vec!["0", "10", "20"]),
            (4.0, true, vec!["0", "2", "4"]),
            (5_001.0, true, vec!["0", "2,000", "4,000", "6,000"]),
            (1e7, false, vec!["0", "5M/s", "10M/s"]),
            (1e6, true, vec!["0", "0.5M", "1M"]),
        ] {
            assert_eq!(labels(&Scale::new(highest, users, 3)), expected, "{highest}");
        }
        assert!((Scale::new(75.0, false, 2).share(75.0) - 0.75).abs() < 1e-9);
    }

    #[test]
    fn times_are_round() {
        let told = |span_ns, most| -> Vec<String> {
            time_marks(span_ns, most)
                .into_iter()
                .map(|(_, label)| label)
                .collect()
        };
        assert_eq!(
            told(60 * NANOS_PER_SEC, 6),
            ["0s", "10s", "20s", "30s", "40s", "50s", "1m"]
        );
        assert_eq!(told(390 * NANOS_PER_SEC, 4), ["0s", "2m", "4m", "6m"]);
        assert_eq!(told(1_980_000_001, 4), ["0s", "500ms", "1s", "1.5s"]);
        assert_eq!(told(0, 4), ["0s"]);
    }

    proptest! {
        #[test]
        fn nothing_stands_above_the_axis(highest in 1e-9f64..1e8, users in any::<bool>(), most in 2u32..6) {
            let scale = Scale::new(highest, users, most);
            let marks = scale.marks();
            prop_assert!(marks.len() <= 1 + usize::try_from(most).unwrap(), "{marks:?}");
            prop_assert!(scale.share(highest) > 0.3, "{marks:?}");
            prop_assert!(marks.is_sorted_by(|a, b| a.0 < b.0));
        }

        #[test]
        fn times_stay_within_the_span(span_ns in any::<u64>(), most in 1u64..20) {
            let marks = time_marks(span_ns, most);
            prop_assert!(marks.len() <= 1 + usize::try_from(most).unwrap());
            prop_assert!(marks.iter().all(|(at_ns, _)| *at_ns <= span_ns));
        }
    }
}
