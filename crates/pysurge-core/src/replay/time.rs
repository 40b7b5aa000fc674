//! A cell read as a time: a number of some unit, or a date.
//!
//! Integers throughout: a nanosecond of a time since 1970 survives, which `f64` would lose.

use crate::NANOS_PER_SEC;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

/// Numbers from here on are times since 1970 (this one is in 2001); smaller ones count from the start of the test
/// (this one would be 31 years).
const ABSOLUTE_FROM_NS: u64 = 1_000_000_000 * NANOS_PER_SEC;

/// The unit of a time that is a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Seconds.
    #[default]
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl TimeUnit {
    fn ns(self) -> u64 {
        match self {
            Self::S => NANOS_PER_SEC,
            Self::Ms => 1_000_000,
            Self::Us => 1_000,
            Self::Ns => 1,
        }
    }
}

/// Why a cell cannot be a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// Neither a number nor a date.
    #[error("is not a time")]
    Unknown,
    /// Empty.
    #[error("is empty, where a time is needed")]
    Missing,
    /// Before zero.
    #[error("is negative")]
    Negative,
    /// Before 1970.
    #[error("is before 1970")]
    TooEarly,
    /// Beyond 64 bits of nanoseconds.
    #[error("is too late: more than 584 years")]
    TooLate,
    /// A date alone.
    #[error("has no time of day")]
    DateOnly,
    /// A named zone without its offset.
    #[error("has a time zone but no offset")]
    ZoneOnly,
}

/// The kinds of times, of which a file may have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeKind {
    /// A date and time of day.
    Date,
    /// A number since 1970.
    SinceEpoch,
    /// A number since the start of the test.
    SinceStart,
}

impl TimeKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Date => "a date",
            Self::SinceEpoch => "a number since 1970",
            Self::SinceStart => "a number since the start",
        }
    }
}

impl BadTime {
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Unknown | Self::Missing => {
                "use numbers such as 12.5, or dates such as 2026-01-31T12:00:00Z or 31/Jan/2026:12:00:00 +0000"
            }
            Self::Negative => "times count from the start of the test, which is 0",
            Self::TooEarly => "dates count from 1970",
            Self::TooLate => "check the unit: s, ms, us or ns",
            Self::DateOnly => "choose another column, or join the date and the time of day in one",
            Self::ZoneOnly => "write the offset, such as 2026-01-31T12:00:00+01:00",
        }
    }
}

/// A time in nanoseconds, finer digits cut off.
pub(super) fn parse_time(cell: &str, unit: TimeUnit) -> Result<(TimeKind, u64), BadTime> {
    let cell = cell.trim();
    let is_number = |text: &str| text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
    if cell.is_empty() {
        return Err(BadTime::Missing);
    }
    if is_number(cell) {
        let ns = parse_number(cell, unit)?;
        let kind = if ns < ABSOLUTE_FROM_NS {
            TimeKind::SinceStart
        } else {
            TimeKind::SinceEpoch
        };
        return Ok((kind, ns));
    }
    if let Some(number) = cell.strip_prefix('-').filter(|number| is_number(number)) {
        return Err(parse_number(number, unit).map_or_else(|why| why, |_| BadTime::Negative));
    }
    Ok((TimeKind::Date, parse_date(cell)?))
}

fn parse_number(text: &str, unit: TimeUnit) -> Result<u64, BadTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.contains('.') || whole.len() + fraction.len() == 0 {
        return Err(BadTime::Unknown);
    }
    let mut ns = match whole {
        "" => 0,
        _ => whole
            .parse()
            .ok()
            .and_then(|whole: u64| whole.checked_mul(unit.ns()))
            .ok_or(BadTime::TooLate)?,
    };
    let mut scale_ns = unit.ns();
    for digit in fraction.bytes() {
        scale_ns /= 10;
        ns = ns
            .checked_add(u64::from(digit - b'0') * scale_ns)
            .ok_or(BadTime::TooLate)?;
    }
    Ok(ns)
}

/// A date and time of day since 1970, of ISO 8601 or of a web server's log; UTC where no offset says otherwise.
fn parse_date(text: &str) -> Result<u64, BadTime> {
    let (date_time, offset) = if matches!(text.find('/'), Some(1..=3)) {
        parse_log_date(text)?
    } else {
        let pieces = Pieces::parse(text).map_err(|_| BadTime::Unknown)?;
        let time = pieces.time().ok_or(BadTime::DateOnly)?;
        let offset = pieces.offset().map(|offset| offset.to_numeric_offset());
        if offset.is_none() && pieces.time_zone_annotation().is_some() {
            return Err(BadTime::ZoneOnly);
        }
        (pieces.date().to_datetime(time), offset)
    };
    let timestamp = offset
        .unwrap_or(Offset::UTC)
        .to_timestamp(date_time)
        .map_err(|_| BadTime::TooLate)?;
    let ns = timestamp.as_nanosecond();
    if ns < 0 {
        return Err(BadTime::TooEarly);
    }
    u64::try_from(ns).map_err(|_| BadTime::TooLate)
}

/// A time of the Common Log Format, `[10/Oct/2000:13:55:36 -0700]`, with or without its brackets and offset.
fn parse_log_date(text: &str) -> Result<(DateTime, Option<Offset>), BadTime> {
    let text = text
        .strip_prefix('[')
        .map_or(text, |text| text.strip_suffix(']').unwrap_or(text));
    let parsed = BrokenDownTime::parse("%d/%b/%Y:%H:%M:%S%.f %z", text)
        .or_else(|_| BrokenDownTime::parse("%d/%b/%Y:%H:%M:%S%.f", text))
        .map_err(|_| BadTime::Unknown)?;
    Ok((
        parsed.to_datetime().map_err(|_| BadTime::Unknown)?,
        parsed.offset(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = NANOS_PER_SEC;

    #[test]
    fn numbers_are_exact() {
        use TimeKind::{SinceEpoch, SinceStart};
        for (text, unit, expected) in [
            ("0", TimeUnit::S, Ok((SinceStart, 0))),
            ("1.5", TimeUnit::S, Ok((SinceStart, 1_500_000_000))),
            (" .25 ", TimeUnit::S, Ok((SinceStart, 250_000_000))),
            ("3.", TimeUnit::S, Ok((SinceStart, 3 * S))),
            (
                "1700000000.123456789",
                TimeUnit::S,
                Ok((SinceEpoch, 1_700_000_000_123_456_789)),
            ),
            (
                "1700000000.1234567899999",
                TimeUnit::S,
                Ok((SinceEpoch, 1_700_000_000_123_456_789)),
            ),
            (
                "1700000000123.456789",
                TimeUnit::Ms,
                Ok((SinceEpoch, 1_700_000_000_123_456_789)),
            ),
            (
                "1700000000123456.789",
                TimeUnit::Us,
                Ok((SinceEpoch, 1_700_000_000_123_456_789)),
            ),
            (
                "1700000000123456789.9",
                TimeUnit::Ns,
                Ok((SinceEpoch, 1_700_000_000_123_456_789)),
            ),
            (
                "999999999.999999999",
                TimeUnit::S,
                Ok((SinceStart, ABSOLUTE_FROM_NS - 1)),
            ),
            ("1000000000", TimeUnit::S, Ok((SinceEpoch, ABSOLUTE_FROM_NS))),
            ("18446744073.709551615", TimeUnit::S, Ok((SinceEpoch, u64::MAX))),
            ("18446744073.709551616", TimeUnit::S, Err(BadTime::TooLate)),
            ("1700000000123", TimeUnit::S, Err(BadTime::TooLate)),
            ("99999999999999999999999", TimeUnit::Ns, Err(BadTime::TooLate)),
            ("-1", TimeUnit::S, Err(BadTime::Negative)),
            ("-", TimeUnit::S, Err(BadTime::Unknown)),
            (".", TimeUnit::S, Err(BadTime::Unknown)),
            ("1.2.3", TimeUnit::S, Err(BadTime::Unknown)),
            ("1e9", TimeUnit::S, Err(BadTime::Unknown)),
            ("1,5", TimeUnit::S, Err(BadTime::Unknown)),
            ("", TimeUnit::S, Err(BadTime::Missing)),
        ] {
            assert_eq!(parse_time(text, unit), expected, "{text} {unit:?}");
        }
    }

    #[test]
    fn dates_of_iso_8601_and_of_server_logs() {
        let at = 971_211_336;
        for (text, expected) in [
            ("2000-10-10T20:55:36Z", Ok(at * S)),
            ("2000-10-10T13:55:36-07:00", Ok(at * S)),
            ("2000-10-10 13:55:36-0700", Ok(at * S)),
            ("2000-10-10 20:55:36", Ok(at * S)),
            ("2000-10-10 20:55:36,25", Ok(at * S + S / 4)),
            ("2000-10-10T20:55:36.123456789Z", Ok(at * S + 123_456_789)),
            ("2000-10-10T13:55:36-07:00[America/Los_Angeles]", Ok(at * S)),
            ("10/Oct/2000:13:55:36 -0700", Ok(at * S)),
            ("[10/Oct/2000:13:55:36 -0700]", Ok(at * S)),
            ("10/Oct/2000:13:55:36.5 -0700", Ok(at * S + S / 2)),
            ("10/Oct/2000:20:55:36", Ok(at * S)),
            ("1970-01-01T00:00:00Z", Ok(0)),
            ("1969-12-31T23:59:59Z", Err(BadTime::TooEarly)),
            ("2700-01-01T00:00:00Z", Err(BadTime::TooLate)),
            ("9999-12-31T23:59:59-23:00", Err(BadTime::TooLate)),
            ("2000-10-10", Err(BadTime::DateOnly)),
            ("2000-10-10T13:55:36[America/Los_Angeles]", Err(BadTime::ZoneOnly)),
            ("2000-13-10T00:00:00Z", Err(BadTime::Unknown)),
            ("10/31/2000 13:55:36", Err(BadTime::Unknown)),
            ("10/Oct/2000:13:55:36 -0700 x", Err(BadTime::Unknown)),
            ("yesterday", Err(BadTime::Unknown)),
        ] {
            assert_eq!(
                parse_time(text, TimeUnit::S),
                expected.map(|ns| (TimeKind::Date, ns)),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn times_never_panic(text in "[0-9]{0,4}[-/.:T ]?[0-9A-Za-z:/.+ \\[\\]-]{0,30}") {
            let _ = parse_time(&text, TimeUnit::S);
        }

    }
}
