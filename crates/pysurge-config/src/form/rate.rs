//! Reads a rate: a number per second, or a text such as `3000/m`.

use crate::diagnostic::Diagnostic;
use crate::fields::Field;
use crate::item::Scalar;
use crate::resolve::shorten;
use pysurge_core::rate::{MAX_RATE_PER_S, Rate, RateError};
use pysurge_core::value::Value;

const RATE_HINT: &str =
    "write the iterations per second as a number, such as 0.2 or 50, or per minute or hour: 3000/m, 2/h";

/// The rate of a test.
pub(super) fn rate_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Rate> {
    read(field, diagnostics, false)
}

/// The rate at an end of a ramp, which may be zero.
pub(super) fn rate_or_zero_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Rate> {
    read(field, diagnostics, true)
}

fn read(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>, zero: bool) -> Option<Rate> {
    let Some(scalar) = field.scalar() else {
        field.tell_kind("a number", RATE_HINT, diagnostics);
        return None;
    };
    let (parsed, number) = match &scalar.value {
        Value::Int(value) => parse(&value.to_string()),
        Value::BigInt(digits) => parse(digits),
        // The shortest text that gives this float is what was written, so that 3.7 stays 3.7.
        Value::Float(value) => parse(&value.to_string()),
        // What YAML 1.1 takes for a string though it is a number: `1e3`, `1.5e3`, `-.5`.
        Value::Str(text) if scalar.plain && is_number(text) => parse(text),
        Value::Str(text) if text.contains('/') => parse(text),
        _ => (Err(RateError::NotANumber), None),
    };
    let error = match parsed {
        Ok(rate) => return Some(rate),
        Err(RateError::NotPositive) if zero && number == Some(0.0) => return Some(Rate::ZERO),
        Err(error) => error,
    };
    diagnostics.push(rate_error(field, scalar, error, number, zero));
    None
}

/// The rate, and the number that stands before a unit of time.
fn parse(text: &str) -> (Result<Rate, RateError>, Option<f64>) {
    let number = text.split('/').next().unwrap_or(text).trim();
    (Rate::parse(text), number.parse().ok())
}

fn rate_error(
    field: &Field<'_>,
    scalar: &Scalar,
    error: RateError,
    number: Option<f64>,
    zero: bool,
) -> Diagnostic {
    let name = &field.name;
    match (error, &scalar.value) {
        (RateError::NotPositive, _) if number.is_some_and(|number| number > 0.0) => {
            field.value_error(format!("`{name}` must be at least 0.000000001 per second"))
        }
        (RateError::NotPositive, _) if zero => field.value_error(format!("`{name}` must not be below 0")),
        (RateError::NotPositive, _) => field
            .value_error(format!("`{name}` must be greater than 0"))
            .hint("to leave a test out, delete it or comment it out with `#`"),
        (RateError::TooHigh, _) => field
            .value_error(format!("`{name}` must be at most {MAX_RATE_PER_S} per second"))
            .hint("a rate is over all workers together"),
        (RateError::BadUnit, value) => {
            let text = value_text(value);
            field
                .error(format!("`{name}` must be per s, m, h or d, this is `{text}`"))
                .hint(RATE_HINT)
        }
        (RateError::NotANumber, Value::Float(_)) => field
            .value_error(format!("`{name}` must be a finite number"))
            .hint(RATE_HINT),
        (RateError::NotANumber, Value::Str(text)) if !scalar.plain && is_number(text) => field
            .value_error(format!("`{name}` must be a number, this is a string"))
            .hint(format!("remove the quotes: `{name}: {}`", text.trim())),
        (RateError::NotANumber, Value::Str(text)) => field
            .error(format!(
                "`{name}` must be a number, `{}` is a string",
                shorten(text)
            ))
            .hint(RATE_HINT),
        (RateError::NotANumber, Value::Null) => field
            .value_error(format!("`{name}` has no value"))
            .hint(RATE_HINT),
        (RateError::NotANumber, other) => field
            .value_error(format!("`{name}` must be a number, this is {}", other.kind()))
            .hint(RATE_HINT),
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Str(text) => shorten(text),
        other => shorten(&other.to_string()),
    }
}

/// Whether a text is a decimal number, with an exponent or without; a variable may bring a line break along.
pub(super) fn is_number(text: &str) -> bool {
    let text = text.trim_ascii();
    text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && text.parse::<f64>().is_ok()
}
