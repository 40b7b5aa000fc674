//! What an expression compares with: a number, its unit, and whether both go with the measure.

use super::ThresholdError;
use super::error::{Place, error_at, shorten, shorten_to};
use super::measure::{Measure, Op, Unit, Wanted};
use super::words::meant_unit;

/// Units of time: how they are written, the power of ten of their part, and how many nanoseconds that is.
pub(super) const TIME_UNITS: [(&str, i32, f64); 9] = [
    ("ns", 0, 1.0),
    ("us", 3, 1.0),
    ("µs", 3, 1.0),
    ("μs", 3, 1.0),
    ("ms", 6, 1.0),
    ("s", 9, 1.0),
    ("m", 9, 60.0),
    ("h", 9, 3_600.0),
    ("d", 9, 86_400.0),
];

/// Units of a rate, and how many seconds that is.
const RATE_UNITS: [(&str, f64); 3] = [("s", 1.0), ("m", 60.0), ("h", 3_600.0)];

/// A number with its unit, as written.
pub(super) struct Number {
    /// Each number with its unit, `1m30s` has two.
    pub(super) parts: Vec<(String, String)>,
    pub(super) digits_at: Place,
    pub(super) unit_at: Place,
}

/// What a measure can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Duration,
    /// In the user's own unit.
    Own,
    Whole,
    Share,
    /// A sum, or a sum per time.
    Sum,
    PerTime,
    /// How many, what share, or how many per time.
    Iterations,
    ShareOrPerTime,
}

impl Number {
    /// The number, times a power of ten: the decimal point is moved in the text, so that it stays as exact as it was written.
    fn scaled(number: &str, power: i32) -> f64 {
        let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let exponent: i64 = exponent.parse().unwrap_or(if exponent.starts_with('-') {
            -1_000_000
        } else {
            1_000_000
        });
        let scaled = format!("{digits}e{}", exponent + i64::from(power));
        scaled.parse().unwrap_or(f64::INFINITY)
    }

    pub(super) fn plain(&self) -> f64 {
        Self::scaled(&self.parts[0].0, 0)
    }

    fn unit(&self) -> &str {
        &self.parts[0].1
    }

    /// As one span of time.
    pub(super) fn span_ns(&self) -> Result<f64, ThresholdError> {
        let mut total_ns = 0.0;
        for (number, unit) in &self.parts {
            let Some((_, power, ns)) = TIME_UNITS.iter().find(|(name, ..)| name == unit) else {
                return Err(self.no_time(unit));
            };
            total_ns += Self::scaled(number, *power) * ns;
        }
        Ok(total_ns)
    }

    fn no_time(&self, unit: &str) -> ThresholdError {
        if unit.is_empty() {
            let number = &self.parts[self.parts.len() - 1].0;
            let value = Self::scaled(number, 0);
            let hint = if value.abs() < 10.0 {
                format!("write {number}s or {}ms", Self::scaled(number, 3))
            } else {
                format!("write {number}ms or {}s", Self::scaled(number, -3))
            };
            return error_at(
                self.digits_at,
                format!("{} what? it has no unit of time", shorten(number)),
            )
            .hint(shorten_to(&hint, 80));
        }
        let error = error_at(self.unit_at, format!("`{}` is no unit of time", shorten(unit)));
        match meant_unit(unit) {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error.hint("the units are ns, us, ms, s, m, h and d"),
        }
    }

    pub(super) fn share(&self) -> Option<f64> {
        match self.parts.as_slice() {
            [(number, unit)] if unit == "%" => Some(Self::scaled(number, -2)),
            _ => None,
        }
    }

    fn per_time(&self) -> Option<(f64, Unit)> {
        let [(number, unit)] = self.parts.as_slice() else {
            return None;
        };
        let per = unit.strip_prefix('/')?;
        let per = meant_unit(per).unwrap_or(per);
        let (name, seconds) = RATE_UNITS.iter().find(|(name, _)| *name == per)?;
        let unit = Unit::Per {
            name,
            seconds: *seconds,
        };
        Some((Self::scaled(number, 0) / seconds, unit))
    }
}

impl Form {
    pub(super) fn wanted(
        self,
        measure: &Measure,
        number: &Number,
        place: Place,
    ) -> Result<Wanted, ThresholdError> {
        let wanted = self.in_unit(number, place)?;
        if !wanted.value.is_finite() {
            return Err(error_at(place, "this number is too large"));
        }
        if wanted.value < 0.0 && !measure.is_signed() {
            return Err(error_at(place, "this measure is never below 0"));
        }
        if wanted.unit == Unit::Share && wanted.value > 1.0 {
            return Err(error_at(place, "a share is at most 100%"));
        }
        Ok(wanted)
    }

    fn in_unit(self, number: &Number, place: Place) -> Result<Wanted, ThresholdError> {
        let shown = shorten(&number.parts[0].0);
        let plain = number.parts.len() == 1 && number.unit().is_empty();
        let wanted = |value, unit| Ok(Wanted { value, unit });
        let is_share = matches!(self, Self::Share | Self::Iterations | Self::ShareOrPerTime);
        let is_per = matches!(
            self,
            Self::PerTime | Self::Sum | Self::Iterations | Self::ShareOrPerTime
        );
        if self == Self::Duration {
            let value = match number.unit() {
                unit if unit == "%" || unit.starts_with('/') => {
                    let error = error_at(number.unit_at, "a span of time is wanted here");
                    return Err(error.hint("write 250ms or 0.25s"));
                }
                _ => number.span_ns()?,
            };
            return wanted(value, number.time_unit());
        }
        if let Some(share) = number.share().filter(|_| is_share) {
            return wanted(share, Unit::Share);
        }
        if let Some((value, unit)) = number.per_time().filter(|_| is_per) {
            return wanted(value, unit);
        }
        if number.unit().starts_with('/') && is_per {
            let error = error_at(number.unit_at, "this is no rate");
            return Err(error.hint(format!("write {shown}/s, /m or /h")));
        }
        let own = match self {
            Self::Own | Self::Sum => plain,
            Self::Whole | Self::Iterations => plain && number.plain().fract() == 0.0,
            _ => false,
        };
        if own {
            return wanted(number.plain(), Unit::None);
        }
        Err(self.wrong_unit(number, place, &shown))
    }

    fn wrong_unit(self, number: &Number, place: Place, shown: &str) -> ThresholdError {
        let plain = number.unit().is_empty();
        let percent = if number.plain() <= 1.0 {
            Number::scaled(&number.parts[0].0, 2).to_string()
        } else {
            shown.to_owned()
        };
        let at_unit = |message: &str| error_at(number.unit_at, message);
        let what = || error_at(place, format!("{shown} what?"));
        match self {
            Self::Share if plain => what().hint(format!("write {}%", shorten(&percent))),
            Self::Share => at_unit("a share is wanted here").hint("write a percentage, such as 99%"),
            Self::ShareOrPerTime if plain => what().hint(format!(
                "write {shown}/s, or a share of what was planned, such as 95%"
            )),
            Self::ShareOrPerTime => at_unit("a rate is wanted here")
                .hint("write 50/s, or a share of what was planned, such as 95%"),
            Self::PerTime if plain => what().hint(format!("write {shown}/s")),
            Self::PerTime => at_unit("a rate is wanted here").hint("write 50/s"),
            Self::Iterations if plain => error_at(place, "a number of iterations is whole").hint(format!(
                "for a share write {}%, for a rate {shown}/s",
                shorten(&percent)
            )),
            Self::Iterations => at_unit("this unit does not go with the measure")
                .hint("write a share (1%), a number (5) or a rate (0.1/s)"),
            Self::Whole if plain => error_at(place, "a count is a whole number"),
            Self::Whole => at_unit("a count has no unit").hint(format!("write {shown}")),
            Self::Sum => at_unit("a sum has no unit").hint(format!("write {shown}, or {shown}/s for a rate")),
            Self::Own | Self::Duration => {
                at_unit("a metric has no unit").hint(format!("write {shown}, in the metric's own unit"))
            }
        }
    }
}

impl Number {
    /// The unit in which the value is to be shown: the last one written.
    fn time_unit(&self) -> Unit {
        let last = self.parts.last().map_or("", |(_, unit)| unit.as_str());
        let unit = TIME_UNITS.iter().find(|(name, ..)| *name == last);
        unit.map_or(Unit::None, |(name, power, ns)| Unit::Time {
            name,
            ns: ns * 10f64.powi(*power),
        })
    }
}

/// What to write in place of a comparison that no value can pass.
pub(super) fn never_holds(measure: &Measure, op: Op, wanted: Wanted) -> Option<&'static str> {
    match (op, wanted.unit) {
        (Op::Greater, Unit::Share) if wanted.value >= 1.0 => Some("a share is at most 100%: write `>= 100%`"),
        (Op::Less, _) if wanted.value <= 0.0 && !measure.is_signed() => {
            Some("this measure is never below 0: write `<= 0` or `== 0`")
        }
        _ => None,
    }
}
