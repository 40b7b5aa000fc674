//! A value for a reader, in the unit of the expression it stands beside: `312 ms`, `0.42 %`, `1,840/s`.
//!
//! Three digits, or as many more as tell the value from the wanted one: `250.04 ms` where `< 250ms` failed, never `250 ms`.

use super::measure::{Expression, Unit};
use crate::span::format_span_f64;
use std::cmp::Ordering;

const FEWEST_DIGITS: usize = 3;
const MOST_DIGITS: usize = 15;

/// A time that is less than this of the expression's unit is shown in its own.
const LEAST_OF_UNIT: f64 = 1e-3;

/// Numbers from here on, and below its inverse, have an exponent.
const LARGE: f64 = 1e15;

impl Expression {
    /// A value beside the wanted one.
    pub(super) fn shown(&self, value: f64) -> String {
        let (scale, suffix) = match self.wanted.unit {
            // A handful of nanoseconds says nothing to anybody in hours.
            Unit::Time { ns, .. } if value > 0.0 && value < ns * LEAST_OF_UNIT => {
                return format_span_f64(value);
            }
            Unit::None => (1.0, String::new()),
            Unit::Time { name, ns } => (ns, format!(" {name}")),
            Unit::Share => (0.01, " %".to_owned()),
            Unit::Per { name, seconds } => (1.0 / seconds, format!("/{name}")),
        };
        beside(value / scale, self.wanted.value / scale) + &suffix
    }

    /// A share of the seconds beside the wanted one.
    pub(super) fn shown_share(held: f64, wanted: f64) -> String {
        beside(held * 100.0, wanted * 100.0) + " %"
    }

    /// A value as results have it: durations in seconds.
    pub(super) fn told(&self, value: f64) -> f64 {
        match self.wanted.unit {
            Unit::Time { .. } => value / 1e9,
            _ => value,
        }
    }
}

/// With digits enough to see on which side of the other it is.
fn beside(value: f64, wanted: f64) -> String {
    let side = |value: f64| {
        // Changing units may cost the last bits.
        if (value - wanted).abs() <= wanted.abs() * 1e-13 {
            Ordering::Equal
        } else {
            value.total_cmp(&wanted)
        }
    };
    let told = |digits: &usize| {
        let read: f64 = number(value, *digits).parse().unwrap_or(value);
        side(read) == side(value)
    };
    let digits = (FEWEST_DIGITS..MOST_DIGITS).find(told).unwrap_or(MOST_DIGITS);
    grouped(&number(value, digits))
}

/// A number with so many significant digits, all those before the point, and no zeros at the end of a fraction.
fn number(value: f64, digits: usize) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..LARGE).contains(&size) {
        return format!("{value:.*e}", digits - 1);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the size lies within 10^-4 and 10^15"
    )]
    let whole = size.log10().floor() as i32 + 1;
    let places = i32::try_from(digits).unwrap_or(i32::MAX).saturating_sub(whole);
    let text = format!("{value:.*}", usize::try_from(places).unwrap_or(0));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Commas between thousands.
fn grouped(number: &str) -> String {
    if number.contains('e') {
        return number.to_owned();
    }
    let (whole, fraction) = number.split_at(number.find('.').unwrap_or(number.len()));
    let (sign, whole) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut text = sign.to_owned();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

#[cfg(test)]
mod tests {
    use super::super::Threshold;

    #[test]
    fn a_value_is_shown_in_the_unit_of_its_expression() {
        for (text, value, shown) in [
            ("response_time.p95 < 250ms", 312_000_000.0, "312 ms"),
            ("response_time.p95 < 250ms", 312_345_678.0, "312 ms"),
            ("response_time.p95 < 250ms", 250_040_000.0, "250.04 ms"),
            ("response_time.p95 < 0.25s", 312_345_678.0, "0.312 s"),
            ("response_time.p95 < 250µs", 1_234_567.0, "1,235 µs"),
            ("response_time.p95 < 1m30s", 84_000_000_000.0, "84 s"),
            ("response_time.max < 2m", 90_000_000_000.0, "1.5 m"),
            ("response_time.mean < 1ms", 0.0, "0 ms"),
            ("response_time.mean < 1h", 1.0, "1 ns"),
            ("lateness.p50 < 10s", 61_600.0, "61.6 us"),
            ("failures < 1%", 0.0042, "0.42 %"),
            ("failures < 1%", 0.010_001, "1.0001 %"),
            ("checks >= 99.9%", 0.999, "99.9 %"),
            ("checks >= 99.9%", 0.998_999_9, "99.89999 %"),
            ("checks > 99%", 1.0, "100 %"),
            ("rate > 1000/s", 1_840.4, "1,840/s"),
            ("rate > 1000/m", 30.0, "1,800/m"),
            ("failures < 5000", 1_234_567.0, "1,234,567"),
            ("metrics.upload_s.mean < 2.5", 2.412_345, "2.41"),
            ("metrics.x.mean > -5", -1_234.56, "-1,235"),
            ("metrics.x.mean > -5", 1e20, "1.00e20"),
        ] {
            let threshold = Threshold::parse(text).unwrap();
            assert_eq!(threshold.expression.shown(value), shown, "{text}");
        }
    }
}
