//! Arrival rates, exact to a billionth of an iteration per second.

use crate::NANOS_PER_SEC;
use crate::span::decimal_times;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many iterations per second are planned, over all workers: a multiple of 10⁻⁹/s. Only [`Rate::ZERO`], which no text
/// parses to, is not positive.
///
/// An integer inside, so that a rate such as 3.7/s, which no binary float holds, still gives an exact count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rate {
    nano_per_s: u64,
}

/// The greatest rate that can be asked for. Far beyond what any machine fires; it keeps the arithmetic in bounds.
pub const MAX_RATE_PER_S: u64 = 10_000_000;

/// Why a number is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Zero, negative, or so small that it rounds to zero.
    #[error("a rate must be greater than 0")]
    NotPositive,
    /// Above [`MAX_RATE_PER_S`].
    #[error("a rate must be at most {MAX_RATE_PER_S} per second")]
    TooHigh,
    /// A unit of time that is none: `5/x`.
    #[error("a rate is per s, m, h or d, such as 3000/m")]
    BadUnit,
    /// Infinite, not a number, or no decimal number at all.
    #[error("a rate must be a number")]
    NotANumber,
}

impl Rate {
    /// No iterations at all: where a ramp begins or ends.
    pub const ZERO: Self = Self { nano_per_s: 0 };

    /// A rate from billionths of an iteration per second.
    pub fn from_nano_per_s(nano_per_s: u64) -> Result<Self, RateError> {
        if nano_per_s == 0 {
            return Err(RateError::NotPositive);
        }
        if nano_per_s > MAX_RATE_PER_S * NANOS_PER_SEC {
            return Err(RateError::TooHigh);
        }
        Ok(Self { nano_per_s })
    }

    /// A rate from decimal text, exactly: `0.2` per second, `3000/m` per minute, `2/h` per hour (also `50/s`, `5/d`).
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let text = text.trim();
        if let Some((number, per)) = text.split_once('/') {
            return Self::parse_per(number.trim(), per.trim());
        }
        if let Some(nano_per_s) = decimal_times(text, NANOS_PER_SEC) {
            return Self::from_nano_per_s(nano_per_s);
        }
        text.parse::<f64>()
            .map_err(|_| RateError::NotANumber)
            .and_then(Self::from_per_s)
    }

    fn parse_per(number: &str, per: &str) -> Result<Self, RateError> {
        let seconds = match per {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            "h" | "hour" => 3_600,
            "d" | "day" => 86_400,
            _ => return Err(RateError::BadUnit),
        };
        let per_span = decimal_times(number, NANOS_PER_SEC).ok_or(RateError::NotANumber)?;
        // Rounded down: the first arrival stands at 0, so 2/h plans exactly 20 in ten hours, and would plan 21 rounded up.
        match per_span / seconds {
            0 => Err(RateError::NotPositive),
            nano_per_s => Self::from_nano_per_s(nano_per_s),
        }
    }

    /// A rate from a float in iterations per second, rounded to a billionth.
    pub fn from_per_s(per_s: f64) -> Result<Self, RateError> {
        if !per_s.is_finite() {
            return Err(RateError::NotANumber);
        }
        #[expect(clippy::cast_precision_loss, reason = "the limit is exact in f64")]
        let max_per_s = MAX_RATE_PER_S as f64;
        if per_s > max_per_s {
            return Err(RateError::TooHigh);
        }
        if per_s <= 0.0 {
            return Err(RateError::NotPositive);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 < per_s <= 1e7 was checked"
        )]
        Self::from_nano_per_s((per_s * 1e9).round() as u64)
    }

    /// Billionths of an iteration per second.
    pub fn nano_per_s(self) -> u64 {
        self.nano_per_s
    }

    /// Iterations per second, for display and estimates only.
    #[expect(clippy::cast_precision_loss, reason = "for display and estimates")]
    pub fn per_s(self) -> f64 {
        self.nano_per_s as f64 / 1e9
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nanos) = (self.nano_per_s / NANOS_PER_SEC, self.nano_per_s % NANOS_PER_SEC);
        if nanos == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_exact() {
        assert_eq!(Rate::parse("0.1").unwrap().nano_per_s(), 100_000_000);
        assert_eq!(Rate::parse("3.7").unwrap().nano_per_s(), 3_700_000_000);
        assert_eq!(Rate::from_per_s(3.7).unwrap().nano_per_s(), 3_700_000_000);
        assert_eq!(Rate::parse("1e3").unwrap().nano_per_s(), 1_000_000_000_000);
        assert_eq!(Rate::parse("3.7").unwrap().to_string(), "3.7");
        assert_eq!(Rate::parse("1000").unwrap().to_string(), "1000");
    }

    #[test]
    fn rates_may_be_per_minute_or_hour() {
        for (text, shown) in [
            ("3000/m", "50"),
            ("2/h", "0.000555555"),
            ("50/s", "50"),
            ("0.5 / min", "0.008333333"),
            ("86400/d", "1"),
        ] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), shown, "{text}");
        }
        assert_eq!(Rate::parse("5/x"), Err(RateError::BadUnit));
        assert_eq!(Rate::parse("x/s"), Err(RateError::NotANumber));
        assert_eq!(Rate::parse("0/m"), Err(RateError::NotPositive));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        assert_eq!(Rate::parse("0"), Err(RateError::NotPositive));
        assert_eq!(Rate::parse("-1"), Err(RateError::NotPositive));
        assert_eq!(Rate::parse("0.0000000001"), Err(RateError::NotPositive));
        assert_eq!(Rate::parse("nan"), Err(RateError::NotANumber));
        assert_eq!(Rate::parse("fast"), Err(RateError::NotANumber));
        assert_eq!(Rate::parse("1e12"), Err(RateError::TooHigh));
        assert_eq!(Rate::from_per_s(f64::INFINITY), Err(RateError::NotANumber));
    }
}
