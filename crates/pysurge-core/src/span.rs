//! Spans of time as people write and read them: `90s`, `1h30m`, `1.5 ms`.

use crate::NANOS_PER_SEC;

/// Units a span may be written in, longest name first so that `ms` is not read as `m`.
const UNITS: [(&str, u64); 7] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("s", NANOS_PER_SEC),
    ("m", 60 * NANOS_PER_SEC),
    ("h", 3_600 * NANOS_PER_SEC),
    ("d", 86_400 * NANOS_PER_SEC),
];

/// Why a text is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Nothing was written.
    #[error("a duration is missing")]
    Empty,
    /// A number stands without a unit where one is needed.
    #[error("`{0}` has no unit (write 90s, 5m, 1h30m or 250ms)")]
    NoUnit(String),
    /// A unit that is none.
    #[error("`{0}` is no unit of time (use ms, s, m, h or d)")]
    BadUnit(String),
    /// Not a number.
    #[error("`{0}` is no number")]
    BadNumber(String),
    /// More nanoseconds than 64 bits hold (584 years).
    #[error("`{0}` is too long")]
    TooLong(String),
}

/// Reads `90s`, `5m`, `1h30m`, `1.5s`, `250ms` into nanoseconds.
///
/// A bare number is an error here; [`parse_span_or_minutes`] takes it as minutes.
pub fn parse_span(text: &str) -> Result<u64, SpanError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(SpanError::Empty);
    }
    let mut rest = text;
    let mut total_ns: u64 = 0;
    while !rest.is_empty() {
        let number_len = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_len);
        if number.is_empty() {
            return Err(SpanError::BadNumber(text.to_owned()));
        }
        let unit_len = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(SpanError::NoUnit(text.to_owned()));
        }
        let unit_ns = UNITS
            .iter()
            .find_map(|(name, ns)| (*name == unit).then_some(*ns))
            .ok_or_else(|| SpanError::BadUnit(unit.to_owned()))?;
        let piece_ns = decimal_times(number, unit_ns).ok_or_else(|| {
            if is_decimal(number) {
                SpanError::TooLong(text.to_owned())
            } else {
                SpanError::BadNumber(number.to_owned())
            }
        })?;
        total_ns = total_ns
            .checked_add(piece_ns)
            .ok_or_else(|| SpanError::TooLong(text.to_owned()))?;
        rest = next.trim_start();
    }
    Ok(total_ns)
}

/// As [`parse_span`], but a bare number means minutes: what `-d` meant in pysurge 1.0.1.
pub fn parse_span_or_minutes(text: &str) -> Result<u64, SpanError> {
    let trimmed = text.trim();
    if is_decimal(trimmed) {
        return decimal_times(trimmed, 60 * NANOS_PER_SEC)
            .ok_or_else(|| SpanError::TooLong(trimmed.to_owned()));
    }
    parse_span(trimmed)
}

fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction) && !(whole.is_empty() && (fraction.is_empty() || !text.contains('.')))
}

/// `number` (decimal text) times `unit`, in exact integer arithmetic, digits beyond the unit cut off.
pub(crate) fn decimal_times(number: &str, unit: u64) -> Option<u64> {
    if !is_decimal(number) {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // 15 places keep the product below 2^128 for every unit here, and 0.1 stays exactly a tenth.
    let places = fraction.len().min(15);
    let fraction: u128 = if places == 0 {
        0
    } else {
        fraction[..places].parse().ok()?
    };
    let scale = 10u128.pow(u32::try_from(places).ok()?);
    let unit = u128::from(unit);
    let total = whole.checked_mul(unit)?.checked_add(fraction * unit / scale)?;
    u64::try_from(total).ok()
}

/// Writes a span the way a report shows it: three significant digits and a unit that fits (`532 us`, `1.53 ms`, `5.2 s`).
pub fn format_span(ns: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three significant digits are shown")]
    let value = ns as f64;
    format_span_f64(value)
}

/// As [`format_span`] for a span that is no whole number of nanoseconds, such as a mean. Negative and
/// non-finite spans are shown as `-`.
pub fn format_span_f64(ns: f64) -> String {
    if !ns.is_finite() || ns < 0.0 {
        return "-".to_owned();
    }
    if ns < 999.5 {
        return format!("{ns:.0} ns");
    }
    if ns < 999_500.0 {
        return format!("{} us", three_digits(ns / 1e3));
    }
    if ns < 999_500_000.0 {
        return format!("{} ms", three_digits(ns / 1e6));
    }
    let seconds = ns / 1e9;
    if seconds < 600.0 {
        return format!("{} s", three_digits(seconds));
    }
    format_clock(ns)
}

/// Writes a span exactly, the way it is written in a config: `1m30s`, `1.5s`, `250ms`, `0s`.
pub fn format_span_plain(ns: u64) -> String {
    if ns == 0 {
        return "0s".to_owned();
    }
    let (days, ns) = (ns / (86_400 * NANOS_PER_SEC), ns % (86_400 * NANOS_PER_SEC));
    let (hours, ns) = (ns / (3_600 * NANOS_PER_SEC), ns % (3_600 * NANOS_PER_SEC));
    let (minutes, ns) = (ns / (60 * NANOS_PER_SEC), ns % (60 * NANOS_PER_SEC));
    let mut text = String::new();
    for (count, unit) in [(days, 'd'), (hours, 'h'), (minutes, 'm')] {
        if count > 0 {
            text.push_str(&count.to_string());
            text.push(unit);
        }
    }
    let (unit_ns, unit) = match ns {
        0 => return text,
        _ if ns >= NANOS_PER_SEC => (NANOS_PER_SEC, "s"),
        _ if ns >= 1_000_000 => (1_000_000, "ms"),
        _ if ns >= 1_000 => (1_000, "us"),
        _ => (1, "ns"),
    };
    let (whole, rest) = (ns / unit_ns, ns % unit_ns);
    let places = unit_ns.ilog10() as usize;
    let fraction = if rest == 0 {
        String::new()
    } else {
        format!(".{rest:0places$}").trim_end_matches('0').to_owned()
    };
    text.push_str(&whole.to_string());
    text.push_str(&fraction);
    text.push_str(unit);
    text
}

/// Writes a long span in whole seconds: `45s`, `1m30s`, `2h05m`, `3d04h`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers pass finite spans >= 0; rounding to seconds is meant"
)]
pub fn format_clock(ns: f64) -> String {
    let seconds = (ns / 1e9).round() as u64;
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..=86_399 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, ns) in [
            ("90s", 90 * NANOS_PER_SEC),
            ("5m", 300 * NANOS_PER_SEC),
            ("1h30m", 5_400 * NANOS_PER_SEC),
            ("1h 30m", 5_400 * NANOS_PER_SEC),
            ("250ms", 250_000_000),
            ("0.1s", 100_000_000),
            ("1.5s", 1_500_000_000),
            ("2d", 172_800 * NANOS_PER_SEC),
            ("7ns", 7),
            ("3us", 3_000),
        ] {
            assert_eq!(parse_span(text), Ok(ns), "{text}");
        }
    }

    #[test]
    fn wrong_spans_are_refused() {
        assert_eq!(parse_span(""), Err(SpanError::Empty));
        assert_eq!(parse_span("90"), Err(SpanError::NoUnit("90".into())));
        assert_eq!(parse_span("5x"), Err(SpanError::BadUnit("x".into())));
        assert_eq!(parse_span("s"), Err(SpanError::BadNumber("s".into())));
        assert_eq!(parse_span("-5s"), Err(SpanError::BadNumber("-5s".into())));
        assert_eq!(parse_span("1.2.3s"), Err(SpanError::BadNumber("1.2.3".into())));
        assert_eq!(
            parse_span("999999999999d"),
            Err(SpanError::TooLong("999999999999d".into()))
        );
    }

    #[test]
    fn a_bare_number_is_minutes() {
        assert_eq!(parse_span_or_minutes("2"), Ok(120 * NANOS_PER_SEC));
        assert_eq!(parse_span_or_minutes("0.5"), Ok(30 * NANOS_PER_SEC));
        assert_eq!(parse_span_or_minutes("90s"), Ok(90 * NANOS_PER_SEC));
        assert!(parse_span_or_minutes("abc").is_err());
        assert!(parse_span_or_minutes(".").is_err());
    }

    #[test]
    fn spans_are_written_exactly() {
        for text in [
            "0s",
            "90ns",
            "250ms",
            "1.5s",
            "1m30s",
            "1h",
            "2d3h4m5.000000006s",
            "1h1ms",
            "999.999us",
        ] {
            assert_eq!(format_span_plain(parse_span(text).unwrap()), text);
        }
    }

    #[test]
    fn spans_are_written() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 us"),
            (53_250, "53.2 us"),
            (999_499, "999 us"),
            (1_532_000, "1.53 ms"),
            (50_100_000, "50.1 ms"),
            (999_600_000, "1.00 s"),
            (5_210_000_000, "5.21 s"),
            (3_725_000_000_000, "1h02m"),
        ] {
            assert_eq!(format_span(ns), text, "{ns}");
        }
        assert_eq!(format_span_f64(-1.0), "-");
        assert_eq!(format_clock(90e9), "1m30s");
        assert_eq!(format_clock(7e9), "7s");
        assert_eq!(format_clock(100_000e9), "1d03h");
    }
}
