//! Thresholds: expressions over measures that pass or fail a run. The language is specified in `docs/reference/thresholds.md`.
//!
//! A [`Threshold`] is a parsed expression; a [`Judge`] follows one threshold through a run, second by second, and says what came of it. Pure:
//! whoever has the figures hands them over as a [`View`], of a second or of the whole run so far. Nothing here knows when to stop a run
//! but [`Judge::aborts`], and nothing keeps a second: what a judge remembers does not grow.

mod error;
mod judge;
mod measure;
mod parse;
mod path;
mod show;
mod value;
mod words;

#[cfg(test)]
mod tests;

pub use error::ThresholdError;
pub use judge::Judge;

use crate::account::Account;
use crate::measure::Measures;
use crate::plan::Model;
use measure::Expression;

/// One threshold, parsed.
#[derive(Clone, PartialEq)]
pub struct Threshold {
    /// The expression as it was written.
    pub text: String,
    /// Whether the run is stopped when it fails.
    pub abort_on_fail: bool,
    /// It is not judged before this instant of the measured time, nanoseconds; at the end of the run it is judged in any case.
    pub after_ns: u64,
    expression: Expression,
}

impl std::fmt::Debug for Threshold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threshold")
            .field("text", &self.text)
            .field("abort_on_fail", &self.abort_on_fail)
            .field("after_ns", &self.after_ns)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Display for Threshold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Threshold {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, ThresholdError> {
        Ok(Self {
            text: text.trim().to_owned(),
            abort_on_fail: false,
            after_ns: 0,
            expression: parse::expression(text)?,
        })
    }

    /// Reads the values of a repeatable flag, such as `--threshold`; the error is a text for the terminal that tells all that is wrong,
    /// without a line break at its end.
    pub fn parse_all(flag: &str, texts: &[String]) -> Result<Vec<Self>, String> {
        let mut thresholds = Vec::with_capacity(texts.len());
        let mut errors = Vec::new();
        for text in texts {
            match Self::parse(text) {
                Ok(threshold) => thresholds.push(threshold),
                Err(error) => errors.push(format!("{flag}: {}", error.point(text))),
            }
        }
        if errors.is_empty() {
            Ok(thresholds)
        } else {
            Err(errors.join("\n\n"))
        }
    }

    /// Whether it can be judged of tests with these loads: where all of them are closed, nothing is asked for and nothing is dropped.
    pub fn fits<'a>(&self, loads: impl IntoIterator<Item = &'a Model>) -> Result<(), ThresholdError> {
        let mut loads = loads.into_iter().peekable();
        let closed = loads.peek().is_some() && loads.all(|load| matches!(load, Model::Closed(_)));
        match self.expression.needs_schedule() {
            Some((why, hint)) if closed => Err(self.expression.measure_error(why, hint)),
            _ => Ok(()),
        }
    }
}

/// The figures of a second, or of the whole run so far: of one test, or of all tests together. Without warm-up.
///
/// All of them are of the same time: what the workers have not told of yet is not planned either.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What was measured.
    pub measures: &'a Measures,
    /// How planned iterations ended. Of a second: those planned in it, and those that ended in it.
    pub account: &'a Account,
    /// Iterations started in this time, also those that still run.
    pub started: u64,
    /// For how long of this time iterations were planned, nanoseconds: 0 of a second after the plan's end or in a pause.
    pub span_ns: u64,
}
