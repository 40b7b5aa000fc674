//! The search for the highest rate that a target holds: what `pysurge find-max` does, without doing it.
//!
//! A [`Search`] says which rate is to be fired next and is told how that went; it never fires anything. A [`Watch`] follows one level while it
//! is fired, second by second, and judges it at its end. Both are pure: levels, seconds and times come in from outside.
//!
//! From the start rate on the rate is doubled as long as it holds (or lowered until one holds); then what lies between the highest that held
//! and the lowest that did not is halved, in the geometric sense, until both are close. What holds is told from what does not by votes:
//!
//! | tries of a rate | it |
//! |---|---|
//! | held | holds |
//! | failed clearly: in most of its seconds | does not hold |
//! | failed narrowly, then the same again | does not hold |
//! | failed narrowly, then held | is tried a third time, which decides |
//!
//! At last the lowest rate that failed, if only narrowly and twice, is tried again, and a fourth and fifth time where that holds: two bad
//! seconds must not decide either. The highest that held is fired once more, for longer; where it fails then, the search goes on below it. A level in which the generator
//! did not keep its schedule is a bound like any other, but never called the target's.

mod judge;
mod machine;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use judge::Watch;
pub use machine::Search;

use crate::plan::{ArrivalProcess, Model, Plan, Source};
use crate::rate::Rate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a search is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The first rate.
    pub start: Rate,
    /// No rate above this one is tried.
    pub max: Option<Rate>,
    /// The search is over once the lowest rate that failed is at most this share above the highest that held: 0.03.
    pub precision: f64,
    /// How long a level is fired before it is measured, nanoseconds.
    pub settle_ns: u64,
    /// How long a level is measured, nanoseconds.
    pub hold_ns: u64,
    /// How long the level that confirms the result is measured, nanoseconds.
    pub confirm_ns: u64,
    /// No level is begun that would not end within so long a time from the beginning of the search on, nanoseconds.
    pub max_time_ns: u64,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Fire this, and tell [`Search::took`] what came of it.
    Level(Level),
    /// The search is over.
    Done(Found),
}

/// One level to be fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Its number, from 1.
    pub number: u32,
    /// The rate of all tests together.
    pub rate: Rate,
    /// What it is fired for.
    pub purpose: Purpose,
    /// Whether it is a try of a result that held before, for longer.
    pub is_confirmation: bool,
    /// Nothing is fired for so long before it: a target that was overloaded works off what it has queued.
    pub rest_ns: u64,
    /// It is fired for so long before it is measured.
    pub settle_ns: u64,
    /// It is measured for so long.
    pub hold_ns: u64,
}

/// What a level is fired for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To begin.
    Start,
    /// Everything so far held.
    Up,
    /// Nothing so far held.
    Down,
    /// To find out what holds between a rate that held and one that did not.
    Between,
    /// The rate failed narrowly, or its tries do not agree.
    Again,
    /// To see whether the result holds for longer.
    Confirm,
}

/// What came of a level.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// It kept to everything that was asked for.
    Held,
    /// The target did not.
    Failed(Failing),
    /// The generator did not keep its schedule, so nothing is known of the target.
    GeneratorLimited(Failing),
}

/// How a level failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failing {
    /// What gave it away.
    pub signal: Signal,
    /// Whether one try is enough: it failed most of the time and not only in a bad second.
    pub is_clear: bool,
    /// Whether not one iteration passed.
    pub nothing_passed: bool,
}

/// What says that a level did not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// Of what kind it is, for programs.
    pub kind: SignalKind,
    /// What was asked for, as it was written: an objective. Absent where no objective is meant.
    pub objective: Option<String>,
    /// What was seen, with its figures: `512 ms`.
    pub text: String,
}

/// Of what kind a [`Signal`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// An objective was not met.
    Objective,
    /// Iterations ended more slowly than they were planned, or were not started at all.
    Rate,
    /// The generator did not keep its schedule.
    Generator,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The highest rate that held; `None` where none did.
    pub held: Option<Rate>,
    /// Whether it also held for longer.
    pub is_confirmed: bool,
    /// The lowest rate above it that did not hold.
    pub failed: Option<Rate>,
    /// What limits the rate; `None` where the search ended before it met a limit.
    pub limit: Option<Signal>,
    /// Why the search is over.
    pub end: SearchEnd,
}

/// Why a search is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnd {
    /// The limit is known as closely as was asked for.
    Found,
    /// The highest rate that may be tried holds.
    MaxRate,
    /// No rate held.
    NothingHeld,
    /// The time was over before the limit was known as closely as was asked for.
    MaxTime,
    /// The user stopped it.
    Stopped,
}

impl Found {
    /// Whether the target may hold more than what was found: the generator, the time or the user ended the search and not the target.
    pub fn is_at_least(&self) -> bool {
        let by_target = self
            .limit
            .as_ref()
            .is_some_and(|limit| limit.kind != SignalKind::Generator);
        self.held.is_some() && !(self.end == SearchEnd::Found && by_target)
    }
}

/// Why a plan cannot be searched with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("test `{test}` has `{key}`; a search changes the rate itself, so every test needs one plain `rate`")]
pub struct NotSearchable {
    /// The test's name, else its class.
    pub test: String,
    /// The key of the config that stands in the way.
    pub key: &'static str,
}

/// The rate of all tests of a plan together.
pub fn total_rate(plan: &Plan) -> Result<Rate, NotSearchable> {
    let mut total: u64 = 0;
    for test in &plan.tests {
        let key = match &test.model {
            Model::Open(open) => match &open.source {
                Source::Rate(rate) => {
                    total = total.saturating_add(rate.nano_per_s());
                    continue;
                }
                Source::Stages { .. } => "stages",
                Source::Shape(_) => "shape",
                Source::Replay(_) => "replay",
            },
            Model::Closed(_) => "users",
        };
        let test = test.short_name().to_owned();
        return Err(NotSearchable { test, key });
    }
    Ok(rate_of(total))
}

/// Whether any test's arrivals are random.
pub fn has_random_arrivals(plan: &Plan) -> bool {
    let is_random =
        |model: &Model| matches!(model, Model::Open(open) if open.process == ArrivalProcess::Poisson);
    plan.tests.iter().any(|test| is_random(&test.model))
}

/// The plan of a level: the config's tests at this total rate, in the proportion they have, all from the level's beginning to its end.
///
/// A warm-up that the config asks for stays where it is longer than the level's own. Delays, durations and numbers of iterations of single
/// tests do not apply: they would make a level shorter, or something else at its beginning than at its end.
pub fn plan_of(plan: &Plan, total: Rate, level: &Level, grace_ns: u64) -> Plan {
    let mut plan = plan.clone();
    let before: u128 = plan
        .tests
        .iter()
        .filter_map(|test| plain_rate(&test.model))
        .map(u128::from)
        .sum();
    let before = before.max(1);
    let mut settle_ns = level.settle_ns;
    for test in &mut plan.tests {
        settle_ns = settle_ns.max(test.warmup_ns);
        test.start_delay_ns = 0;
        test.duration_ns = None;
        test.iterations = None;
        test.graceful_stop_ns = test.graceful_stop_ns.map(|own_ns| own_ns.min(grace_ns));
        if let Model::Open(open) = &mut test.model
            && let Source::Rate(rate) = &mut open.source
        {
            let share = u128::from(total.nano_per_s()) * u128::from(rate.nano_per_s()) / before;
            *rate = rate_of(u64::try_from(share).unwrap_or(u64::MAX));
        }
    }
    for test in &mut plan.tests {
        test.warmup_ns = settle_ns;
        test.thresholds.clear();
    }
    plan.thresholds.clear();
    plan.duration_ns = Some(settle_ns.saturating_add(level.hold_ns));
    plan.graceful_stop_ns = Some(
        plan.graceful_stop_ns
            .map_or(grace_ns, |own_ns| own_ns.min(grace_ns)),
    );
    plan
}

fn plain_rate(model: &Model) -> Option<u64> {
    match model {
        Model::Open(open) => match &open.source {
            Source::Rate(rate) => Some(rate.nano_per_s()),
            _ => None,
        },
        Model::Closed(_) => None,
    }
}

/// The rate nearest to so many billionths per second that can be asked for.
fn rate_of(nano_per_s: u64) -> Rate {
    let most = crate::rate::MAX_RATE_PER_S * crate::NANOS_PER_SEC;
    Rate::from_nano_per_s(nano_per_s.clamp(1, most)).expect("it was clamped to what a rate can be")
}
