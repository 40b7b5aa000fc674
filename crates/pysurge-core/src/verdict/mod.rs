//! The verdict on the generator itself: did it keep its schedule, and if not, why, and what can be tried?
//!
//! First the symptoms of each test (`symptom`), then their reasons (`reason`). A reason takes the place of the symptoms that it
//! explains, so that nothing is told twice; one about the run is one cause with the symptoms of all tests. The worst cause decides.
//!
//! | what | invalid | degraded |
//! |---|---|---|
//! | planned iterations never started, or lost with a worker | more than 1 %, or all | any |
//! | lateness p99, beside the median service time | above all of it and 25 ms | above 10 % of it and 5 ms |
//! | a worker was lost, though no iteration of a schedule with it | - | always: users stood still, or others took over |
//! | late because the target got slow and kept all threads | - | always: response times count the wait |
//! | a worker's CPU, closed model | 95 % | 80 % |
//! | a worker's CPU, open model, though nothing is late | - | 95 % |
//! | failures for want of descriptors, ports, threads, memory | more than 1 % | any |
//!
//! The rest, and why each bound is what it is, stands in `bounds` and in `docs/explanation/verdict.md`. Iterations interrupted at the hard stop are
//! the target's or the test's doing, and a wall clock that is set touches no figure: neither counts. An absent figure never alarms; no figure,
//! however odd, makes this panic.

mod bounds;
mod condition;
mod limits;
mod outcome;
mod reason;
mod run;
mod symptom;
#[cfg(test)]
mod tests;
mod words;

pub use bounds::{LATE_DEGRADED_NS, LATE_DEGRADED_SHARE, LATE_INVALID_NS, LATE_INVALID_SHARE};

use crate::account::Account;
use crate::measure::Measures;
use crate::summary::{Incident, MachineSummary, WorkerSummary};
use condition::Condition;
use reason::Reason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use symptom::Symptom;

/// Did the generator keep its schedule?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validity {
    /// It did: the figures are the target's.
    Valid,
    /// Almost: read the causes before the figures.
    Degraded,
    /// It did not: the figures are the generator's.
    Invalid,
}

/// The verdict with its causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The worst over all causes.
    pub validity: Validity,
    /// Why it is not valid, gravest first; empty where it is.
    pub causes: Vec<Cause>,
}

/// Why a run is not valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// How grave it is; never `valid`.
    pub validity: Validity,
    /// What kind of cause it is, for programs.
    pub kind: CauseKind,
    /// The name of the test it is about, else the test's label; absent where it is about the run.
    pub test: Option<String>,
    /// What was seen, with its figures.
    pub text: String,
    /// What to try.
    pub advice: Option<String>,
}

/// What kind of cause a [`Cause`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// Nothing of what was planned was started.
    NothingStarted,
    /// Iterations were never started, for no reason that is known better.
    Dropped,
    /// Iterations went with a worker that died.
    Lost,
    /// A test did not run on every worker.
    NotEverywhere,
    /// Iterations started late, for no reason that is known better.
    Late,
    /// The workers had no CPU left.
    WorkerCpu,
    /// The machine had no CPU left, because of others.
    MachineCpu,
    /// Threads waited for Python's interpreter lock.
    Gil,
    /// All threads that a test may have were busy.
    Threads,
    /// The system refused threads, descriptors, ports or memory.
    Limits,
    /// The machine swapped memory.
    Swap,
    /// The machine or a worker stood still.
    StoodStill,
    /// The manager was killed, or the machine went down, before the run was over.
    Killed,
}

impl Verdict {
    /// Nothing to complain of.
    pub fn valid() -> Self {
        Self {
            validity: Validity::Valid,
            causes: Vec::new(),
        }
    }

    /// The verdict that follows from causes: the gravest decides and stands first; of equally grave ones the first.
    pub fn of(mut causes: Vec<Cause>) -> Self {
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.validity));
        Self {
            validity: causes.first().map_or(Validity::Valid, |cause| cause.validity),
            causes,
        }
    }
}

/// What the verdict looks at, of one test. Without its warm-up: whoever wants the generator to be warm says so with it.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Names the test in the causes: its name, else its label.
    pub label: &'a str,
    /// How its planned iterations ended; what runs now counts as interrupted.
    pub account: Account,
    /// What was measured.
    pub measures: &'a Measures,
    /// Whether its iterations are tasks of an event loop: what is said of threads is then of those in flight.
    pub coroutine: bool,
    /// Whether its load is of the closed model, in which a slow generator is not late but slow.
    pub closed_model: bool,
    /// Asked rate so far; `None` in the closed model.
    pub asked_rate_per_s: Option<f64>,
    /// Achieved rate so far.
    pub achieved_rate_per_s: f64,
    /// Workers that ran it.
    pub workers: u32,
    /// Workers of the run.
    pub workers_of_run: u32,
    /// Pool threads of those workers together, the most that were told at once.
    pub threads: u32,
    /// The most that they may have together.
    pub max_threads: u32,
    /// Whether the system refused to make a thread.
    pub threads_refused: bool,
}

/// What the verdict looks at, of the whole generator.
#[derive(Debug, Clone, Copy)]
pub struct Generator<'a> {
    /// The workers, one entry for each place, whoever had it; what is absent there was not long enough to tell.
    pub workers: &'a [WorkerSummary],
    /// What befell them.
    pub incidents: &'a [Incident],
    /// Whether the workers run without a GIL.
    pub free_threaded: bool,
    /// The machine.
    pub machine: &'a MachineSummary,
    /// How many descriptors a worker may have open; `None` where nobody knows.
    pub open_files: Option<u64>,
}

/// Judges a run.
pub fn judge(tests: &[Evidence<'_>], generator: &Generator<'_>) -> Verdict {
    let condition = Condition::of(generator);
    let explained: Vec<Option<(Symptom<'_>, Reason)>> = tests
        .iter()
        .map(|evidence| {
            let symptom = Symptom::of(evidence)?;
            Some((symptom, Reason::of(&symptom, &condition)))
        })
        .collect();
    let mut causes = run::causes(tests, explained.iter().flatten(), &condition);
    for (evidence, explained) in tests.iter().zip(&explained) {
        causes.extend(outcome::nothing_started(evidence));
        if let Some((symptom, reason)) = explained {
            causes.extend(reason.cause_of_test(symptom, &condition));
        } else {
            causes.extend(limits::refused_in_vain(evidence));
        }
        causes.extend(limits::causes(evidence, generator.open_files));
        causes.extend(outcome::lost(evidence, generator.incidents));
        causes.extend(outcome::not_everywhere(evidence));
    }
    causes.extend(outcome::taken_over(tests, generator.incidents));
    Verdict::of(causes)
}
