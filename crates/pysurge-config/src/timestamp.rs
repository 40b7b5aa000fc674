//! Dates and timestamps of YAML 1.1, as `PyYAML` reads them, into ISO text that Python's `fromisoformat` takes since 3.7.
//!
//! Two forms: the implicit one, which makes a plain scalar a date at all, wants two-digit months and days where no time
//! follows; the explicit one (`!!timestamp`) does not.

use crate::scalar::BadScalar;
use pysurge_core::value::Value;

/// A date, or a date with a time, as written: its form is right, its numbers may not be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    year: u32,
    month: u32,
    day: u32,
    time: Option<Time>,
}

#[derive(Debug, PartialEq, Eq)]
struct Time {
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    offset_min: Option<i32>,
}

/// Reads a plain scalar of the form that makes it a date or a timestamp.
pub(crate) fn implicit(text: &str) -> Option<Moment> {
    let moment = explicit(text)?;
    (moment.time.is_some() || text.len() == "2001-01-31".len()).then_some(moment)
}

/// Reads the text of a scalar with the tag `!!timestamp`.
pub(crate) fn explicit(text: &str) -> Option<Moment> {
    let mut cursor = Cursor { rest: text };
    let year = cursor.digits(4, 4)?;
    cursor.literal('-')?;
    let month = cursor.digits(1, 2)?;
    cursor.literal('-')?;
    let day = cursor.digits(1, 2)?;
    let time = if cursor.rest.is_empty() {
        None
    } else {
        Some(time(&mut cursor)?)
    };
    cursor.rest.is_empty().then_some(Moment {
        year,
        month,
        day,
        time,
    })
}

fn time(cursor: &mut Cursor<'_>) -> Option<Time> {
    if !cursor.blanks() && cursor.literal('T').is_none() {
        cursor.literal('t')?;
    }
    let hour = cursor.digits(1, 2)?;
    cursor.literal(':')?;
    let minute = cursor.digits(2, 2)?;
    cursor.literal(':')?;
    let second = cursor.digits(2, 2)?;
    let mut micros = 0;
    if cursor.literal('.').is_some() {
        let fraction = cursor.take_digits(usize::MAX);
        let six = fraction.get(..6).unwrap_or(fraction);
        micros = format!("{six:0<6}").parse().ok()?;
    }
    let blanks = cursor.blanks();
    let offset_min = if cursor.literal('Z').is_some() {
        Some(0)
    } else if cursor.rest.is_empty() && !blanks {
        None
    } else {
        let sign = if cursor.literal('-').is_some() {
            -1
        } else {
            cursor.literal('+')?;
            1
        };
        let hours = cursor.digits(1, 2)?;
        let minutes = match cursor.literal(':') {
            Some(()) => cursor.digits(2, 2)?,
            None => 0,
        };
        Some(sign * i32::try_from(hours * 60 + minutes).ok()?)
    };
    Some(Time {
        hour,
        minute,
        second,
        micros,
        offset_min,
    })
}

impl Moment {
    /// The value, in the text of Python's `isoformat`, if there is such a day and time.
    pub(crate) fn into_value(self) -> Result<Value, BadScalar> {
        let Self {
            year,
            month,
            day,
            time,
        } = self;
        let bad = |what: &str| {
            Err(BadScalar {
                reason: format!("is written like a date, but there is no such {what}"),
                hint: Some("put it in quotes if it is meant as text"),
            })
        };
        if year == 0 || day == 0 || day > days_in_month(year, month) {
            return bad("day");
        }
        let date = format!("{year:04}-{month:02}-{day:02}");
        let Some(time) = time else {
            return Ok(Value::Date(date));
        };
        if time.hour > 23 || time.minute > 59 || time.second > 59 {
            return bad("time of day");
        }
        let clock = format!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second);
        let fraction = match time.micros {
            0 => String::new(),
            micros => format!(".{micros:06}"),
        };
        let mut offset = String::new();
        if let Some(offset_min) = time.offset_min {
            let (sign, minutes) = (if offset_min < 0 { '-' } else { '+' }, offset_min.unsigned_abs());
            if minutes >= 24 * 60 {
                return bad("time zone");
            }
            offset = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
        Ok(Value::DateTime(format!("{date}T{clock}{fraction}{offset}")))
    }
}

/// Days of a month of the proleptic Gregorian calendar; 0 where there is no such month.
fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn take_digits(&mut self, max: usize) -> &'a str {
        let count = self.rest.bytes().take(max).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits
    }

    fn digits(&mut self, min: usize, max: usize) -> Option<u32> {
        let digits = self.take_digits(max);
        (digits.len() >= min).then(|| digits.parse().ok()).flatten()
    }

    fn literal(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }

    /// Skips spaces and tabs; whether there were any.
    fn blanks(&mut self) -> bool {
        let trimmed = self.rest.trim_start_matches([' ', '\t']);
        let any = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        any
    }
}
