//! Reads `thresholds`: a list of expressions, each alone or with what is to happen when it fails. What an expression is, core knows.

use super::schema;
use super::test::optional;
use super::value::{bool_of, span_of, text_of};
use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Fields, Given, Wording};
use crate::item::{Data, Place};
use pysurge_core::plan::Model;
use pysurge_core::threshold::{Threshold, ThresholdError};
use schemars::JsonSchema;

const THRESHOLD: Wording = Wording {
    whole: "this threshold",
    about_unknown: "; a threshold is a text, such as `- response_time.p95 < 250ms`",
    own_prefix: None,
    elsewhere: |key| match key {
        "delayAbortEval" | "delay" => Some("did you mean `after`?".to_owned()),
        "stop" | "abort" => Some("did you mean `abort_on_fail`?".to_owned()),
        _ => None,
    },
};

const LIST_HINT: &str = "write\nthresholds:\n- response_time.p95 < 250ms";
const TEXT_HINT: &str = "write a comparison, such as `response_time.p95 < 250ms`";

/// A threshold, and what is to happen when it fails.
#[derive(JsonSchema)]
#[schemars(rename = "Threshold", deny_unknown_fields, transform = schema::threshold)]
pub(super) struct ThresholdKeys {
    /// A measure, an operator and a value, `response_time.p95 < 250ms`; then `for 10s` or `in 99% of seconds`, or nothing.
    #[schemars(schema_with = "schema::expression")]
    threshold: Option<Judged>,
    /// Whether the run is stopped as soon as it fails. Default: false.
    #[schemars(schema_with = "schema::boolean")]
    abort_on_fail: Option<Given<bool>>,
    /// It is not judged, and stops nothing, before so much time was measured. Default: 0s.
    #[schemars(schema_with = "schema::span")]
    after: Option<Given<u64>>,
}

/// A threshold and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) threshold: Threshold,
    place: Place,
    path: String,
    /// The text as written, of which an error says a place.
    written: String,
}

/// A list of thresholds, or one of them.
pub(super) fn thresholds_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<Judged>> {
    let items = match &field.item.data {
        Data::List(items) => items,
        Data::Map(_) => return Some(vec![threshold_of(field, diagnostics)?]),
        _ if field.item.text().is_some() => return Some(vec![threshold_of(field, diagnostics)?]),
        _ => {
            field.tell_kind("a list of thresholds", LIST_HINT, diagnostics);
            return None;
        }
    };
    let mut thresholds = Vec::with_capacity(items.len());
    for entry in field.entries(items) {
        thresholds.extend(threshold_of(&entry, diagnostics));
    }
    (thresholds.len() == items.len()).then_some(thresholds)
}

fn threshold_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Judged> {
    let Some(mut fields) = Fields::of(field.item, &field.path, &THRESHOLD) else {
        return expression_of(field, diagnostics);
    };
    let threshold = fields.required("threshold", "threshold: response_time.p95 < 250ms");
    let keys = ThresholdKeys {
        threshold: threshold.and_then(|field| expression_of(&field, diagnostics)),
        abort_on_fail: fields.read("abort_on_fail", diagnostics, bool_of),
        after: fields.read("after", diagnostics, span_of),
    };
    fields.finish(diagnostics);
    keys.judged(diagnostics)
}

impl ThresholdKeys {
    fn judged(self, diagnostics: &mut Vec<Diagnostic>) -> Option<Judged> {
        if let (Some(after), None) = (&self.after, &self.abort_on_fail) {
            let error = after.error("`after` goes with `abort_on_fail: true`");
            diagnostics
                .push(error.hint("a threshold that stops nothing is judged at the end: leave `after` out"));
            return None;
        }
        let mut judged = self.threshold?;
        judged.threshold.abort_on_fail = optional(self.abort_on_fail)?.unwrap_or_default();
        judged.threshold.after_ns = optional(self.after)?.unwrap_or_default();
        Some(judged)
    }
}

fn expression_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Judged> {
    let text = text_of(field, TEXT_HINT, diagnostics)?;
    match Threshold::parse(&text) {
        Ok(threshold) => Some(Judged {
            threshold,
            place: field.item.place.clone(),
            path: field.path.clone(),
            written: text,
        }),
        Err(error) => {
            diagnostics.push(told(field.error(error.message.clone()), &text, &error));
            None
        }
    }
}

/// The thresholds that can be judged of tests with these loads; the others are told, unless `leave_out` says to do without them.
pub(super) fn fitting(
    thresholds: Vec<Judged>,
    loads: &[&Model],
    leave_out: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Threshold> {
    let mut fitting = Vec::with_capacity(thresholds.len());
    for judged in thresholds {
        match judged.threshold.fits(loads.iter().copied()) {
            Ok(()) => fitting.push(judged.threshold),
            Err(_) if leave_out => {}
            Err(error) => {
                let diagnostic = Diagnostic::error(error.message.clone()).at(judged.place, judged.path);
                diagnostics.push(told(diagnostic, &judged.written, &error));
            }
        }
    }
    fitting
}

/// Adds which characters are meant and what to do.
fn told(diagnostic: Diagnostic, text: &str, error: &ThresholdError) -> Diagnostic {
    let part = error.at..error.at + error.length;
    let diagnostic = diagnostic.part(text, part, error.mark(text, ""));
    match &error.hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}
