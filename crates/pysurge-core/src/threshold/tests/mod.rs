//! The language as a whole, against figures.

mod docs;
mod judging;
mod parsing;
mod values;

use super::{Threshold, View};
use crate::account::Account;
use crate::measure::Measures;

/// Figures of some time.
#[derive(Debug, Clone, Default)]
struct Figures {
    measures: Measures,
    account: Account,
    started: u64,
    span_ns: u64,
}

impl Figures {
    fn view(&self) -> View<'_> {
        View {
            measures: &self.measures,
            account: &self.account,
            started: self.started,
            span_ns: self.span_ns,
        }
    }
}

fn parsed(text: &str) -> Threshold {
    Threshold::parse(text).unwrap_or_else(|error| panic!("{}", error.point(text)))
}
