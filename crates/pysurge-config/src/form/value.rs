//! Readers of single values: texts, whole numbers, choices, spans of time. Each tells what is wrong and gives `None` then.

use super::rate::is_number;
use crate::alike::closest;
use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Fields, Wording};
use crate::item::Data;
use crate::resolve::shorten;
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::plan::SpanRange;
use pysurge_core::span::{SpanError, parse_span};
use pysurge_core::value::Value;
use std::ops::RangeInclusive;

/// The longest span that is taken: far beyond any run, and small enough that a few of them add up in 64 bits.
pub(super) const MAX_SPAN_DAYS: u64 = 3_650;
pub(super) const MAX_SPAN_NS: u64 = MAX_SPAN_DAYS * 86_400 * NANOS_PER_SEC;

const RANGE: Wording = Wording {
    whole: "this range",
    about_unknown: "",
    own_prefix: None,
    elsewhere: |_| None,
};

const SPAN_HINT: &str = "write 90s, 5m, 1h30m or 250ms";

/// A text that is not empty.
pub(super) fn text_of(field: &Field<'_>, hint: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    match field.item.text() {
        Some(text) if !text.trim().is_empty() => return Some(text.to_owned()),
        Some(_) => {
            let error = field.value_error(format!("`{}` is empty", field.name));
            diagnostics.push(error.hint(hint));
        }
        None => field.tell_kind("a string", hint, diagnostics),
    }
    None
}

/// A list of texts, or one text.
pub(super) fn texts_of(
    field: &Field<'_>,
    hint: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<String>> {
    let items = match &field.item.data {
        Data::List(items) => items,
        _ if field.item.text().is_some() => return Some(vec![text_of(field, hint, diagnostics)?]),
        _ => {
            field.tell_kind("a list of strings", hint, diagnostics);
            return None;
        }
    };
    let mut texts: Vec<String> = Vec::with_capacity(items.len());
    let mut right = true;
    for entry in field.entries(items) {
        match text_of(&entry, hint, diagnostics) {
            Some(text) if texts.contains(&text) => {}
            Some(text) => texts.push(text),
            None => right = false,
        }
    }
    right.then_some(texts)
}

/// Arguments of a command, one text each; the same may stand there twice.
pub(super) fn arguments_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<String>> {
    let hint = format!(
        "write `{}: [\"-p\", \"no:randomly\"]`, a number in quotes",
        field.name
    );
    let Data::List(items) = &field.item.data else {
        field.tell_kind("a list of strings", &hint, diagnostics);
        return None;
    };
    let texts: Vec<String> = field
        .entries(items)
        .filter_map(|entry| text_of(&entry, &hint, diagnostics))
        .collect();
    (texts.len() == items.len()).then_some(texts)
}

/// A whole number within bounds.
pub(super) fn whole_of(
    field: &Field<'_>,
    bounds: &RangeInclusive<u64>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<u64> {
    let (name, least, most) = (&field.name, bounds.start(), bounds.end());
    let number = match field.scalar().map(|scalar| &scalar.value) {
        Some(Value::Int(value)) => i128::from(*value),
        Some(Value::BigInt(digits)) if digits.starts_with('-') => i128::MIN,
        Some(Value::BigInt(digits)) => digits.parse().unwrap_or(i128::MAX),
        _ => {
            let hint = match field.item.text() {
                Some(text) if text.trim().parse::<u64>().is_ok() => {
                    format!("remove the quotes: `{name}: {}`", text.trim())
                }
                _ => format!("write a whole number, such as `{name}: {}`", (*least).max(10)),
            };
            field.tell_kind("a whole number", &hint, diagnostics);
            return None;
        }
    };
    match u64::try_from(number) {
        Ok(number) if bounds.contains(&number) => return Some(number),
        _ if number < i128::from(*least) => {
            diagnostics.push(field.value_error(format!("`{name}` must be at least {least}")));
        }
        _ => diagnostics.push(field.value_error(format!("`{name}` must be at most {most}"))),
    }
    None
}

/// A whole number within bounds that fits 32 bits.
pub(super) fn small_of(field: &Field<'_>, most: u32, diagnostics: &mut Vec<Diagnostic>) -> Option<u32> {
    let number = whole_of(field, &(1..=u64::from(most)), diagnostics)?;
    Some(u32::try_from(number).expect("the bound fits 32 bits"))
}

/// Yes or no.
pub(super) fn bool_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<bool> {
    if let Some(Value::Bool(value)) = field.scalar().map(|scalar| &scalar.value) {
        return Some(*value);
    }
    field.tell_kind(
        "true or false",
        "write true or false, without quotes",
        diagnostics,
    );
    None
}

/// One of a few words.
pub(super) fn choice_of<T: Copy>(
    field: &Field<'_>,
    choices: &[(&'static str, T)],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<T> {
    let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
    let words = match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.concat(),
    };
    let Some(text) = field.item.text() else {
        field.tell_kind(&words, &format!("write {words}"), diagnostics);
        return None;
    };
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let error = field.error(format!(
        "`{}` must be {words}, this is `{}`",
        field.name,
        shorten(text)
    ));
    diagnostics.push(match closest(text, choices.iter().map(|(word, _)| *word)) {
        Some(word) => error.hint(format!("did you mean `{word}`?")),
        None => error,
    });
    None
}

/// A span of time, which may be zero.
pub(super) fn span_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<u64> {
    let name = &field.name;
    let Some(text) = field.item.text() else {
        match field.scalar().map(|scalar| &scalar.value) {
            Some(Value::Int(_) | Value::BigInt(_) | Value::Float(_)) => diagnostics.push(no_unit(field)),
            _ => field.tell_kind("a span of time", SPAN_HINT, diagnostics),
        }
        return None;
    };
    let error = match parse_span(text) {
        Ok(span_ns) if span_ns <= MAX_SPAN_NS => return Some(span_ns),
        Ok(_) | Err(SpanError::TooLong(_)) => {
            field.value_error(format!("`{name}` must be at most {MAX_SPAN_DAYS}d"))
        }
        Err(SpanError::Empty) => field.value_error(format!("`{name}` is empty")).hint(SPAN_HINT),
        Err(SpanError::NoUnit(number)) if is_number(&number) => no_unit(field),
        Err(SpanError::BadUnit(unit)) => field
            .value_error(format!("`{name}`: `{}` is no unit of time", shorten(&unit)))
            .hint("the units are ms, s, m, h and d"),
        Err(SpanError::BadNumber(_) | SpanError::NoUnit(_)) => field
            .error(format!(
                "`{name}` must be a span of time, `{}` is none",
                shorten(text)
            ))
            .hint(SPAN_HINT),
    };
    diagnostics.push(error);
    None
}

fn no_unit(field: &Field<'_>) -> Diagnostic {
    field
        .value_error(format!("`{}` has no unit of time", field.name))
        .hint("write 90s or 5m")
}

/// A span of time that is longer than nothing; `hint` says what to do where it is not.
pub(super) fn long_span_of(field: &Field<'_>, hint: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<u64> {
    let span_ns = span_of(field, diagnostics)?;
    if span_ns > 0 {
        return Some(span_ns);
    }
    let error = field.value_error(format!("`{}` must be longer than 0s", field.name));
    diagnostics.push(error.hint(hint));
    None
}

/// One span of time, or the least and the greatest of many.
pub(super) fn range_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<SpanRange> {
    let hint = format!(
        "write `{0}: 1s`, `{0}: [1s, 3s]` or `{0}: {{min: 1s, max: 3s}}`",
        field.name
    );
    let (min_ns, max_ns) = match &field.item.data {
        Data::List(items) if items.len() == 2 => {
            let ends: Vec<_> = field
                .entries(items)
                .map(|end| span_of(&end, diagnostics))
                .collect();
            (ends[0], ends[1])
        }
        Data::List(_) => {
            let title = format!("`{}` must have two spans, the least and the greatest", field.name);
            diagnostics.push(field.error(title).hint(hint));
            return None;
        }
        Data::Map(_) => {
            let mut fields = Fields::of(field.item, &field.path, &RANGE)?;
            let mut end = |name, example| {
                let end = fields.required(name, example);
                end.and_then(|end| span_of(&end, diagnostics))
            };
            let ends = (end("min", "min: 1s"), end("max", "max: 3s"));
            fields.finish(diagnostics);
            ends
        }
        Data::Scalar(scalar) if is_time_or_number(&scalar.value) => {
            let span_ns = span_of(field, diagnostics);
            (span_ns, span_ns)
        }
        _ => {
            field.tell_kind("a span of time, or a range of them", &hint, diagnostics);
            return None;
        }
    };
    let (min_ns, max_ns) = (min_ns?, max_ns?);
    if min_ns > max_ns {
        let error = field.error(format!("`{}` ends below its beginning", field.name));
        diagnostics.push(error.hint("the first span is the least, the second the greatest"));
        return None;
    }
    Some(SpanRange { min_ns, max_ns })
}

fn is_time_or_number(value: &Value) -> bool {
    matches!(
        value,
        Value::Str(_) | Value::Int(_) | Value::BigInt(_) | Value::Float(_)
    )
}
