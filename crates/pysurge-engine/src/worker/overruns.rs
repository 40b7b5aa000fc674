//! Iterations that run longer than their `max_duration`, told one by one: a warning with where the code stands.
//!
//! The ticker finds them, the main thread has the interpreter and so the stacks. Where it does not get to it in time (user code may hold the
//! interpreter), the ticker tells them without. Of a test so many are told; all are counted.

use super::outbox::Outbox;
use super::run::process_name;
use super::text::clip;
use crate::case::TestCase;
use crate::clock;
use crate::pool::Overrun;
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::measure::MAX_KWARGS_CHARS;
use pysurge_core::wire::LogRecord;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Of each test so many are told in a worker: enough to see where they hang, and no flood.
const MOST_TOLD: u32 = 20;

/// How long the main thread has for the stacks.
const STACK_TIMEOUT_NS: u64 = 2 * NANOS_PER_SEC;

/// What is told of a test's iterations.
pub(super) struct Told {
    /// What the test is called in log lines.
    pub(super) label: String,
    pub(super) max_duration_ns: u64,
    count: u32,
}

impl Told {
    pub(super) fn new(label: String, max_duration_ns: u64) -> Self {
        Self {
            label,
            max_duration_ns,
            count: 0,
        }
    }
}

/// One that is to be told.
#[derive(Debug)]
pub(super) struct Report {
    /// The test's place in the plan.
    pub(super) test: usize,
    pub(super) overrun: Overrun,
    text: String,
    deadline_ns: u64,
    told: AtomicBool,
}

/// Tells of all tests of a worker.
pub(super) struct Overruns {
    outbox: Outbox,
    worker: u32,
    /// Those that the main thread was asked for.
    asked: Vec<Arc<Report>>,
}

impl Overruns {
    pub(super) fn new(outbox: Outbox, worker: u32) -> Self {
        Self {
            outbox,
            worker,
            asked: Vec::new(),
        }
    }

    /// What the main thread is to be asked for, of those that were found of a test.
    pub(super) fn found(
        &mut self,
        test: usize,
        told: &mut Told,
        case: Option<&dyn TestCase>,
        overruns: Vec<Overrun>,
        now_ns: u64,
    ) -> Vec<Arc<Report>> {
        let mut reports = Vec::new();
        for overrun in overruns {
            if told.count >= MOST_TOLD {
                if told.count == MOST_TOLD {
                    told.count += 1;
                    let enough = format!(
                        "test '{}': {MOST_TOLD} iterations that overran were told, further ones are only counted",
                        told.label
                    );
                    self.outbox.log(record(self.worker, "MainThread", enough));
                }
                break;
            }
            told.count += 1;
            let kwargs = case.map(|case| case.kwargs(overrun.number)).unwrap_or_default();
            reports.push(Arc::new(Report {
                test,
                text: describe(told, &overrun, &kwargs, now_ns),
                overrun,
                deadline_ns: now_ns.saturating_add(STACK_TIMEOUT_NS),
                told: AtomicBool::new(false),
            }));
        }
        self.asked.extend(reports.iter().cloned());
        reports
    }

    /// Tells without their stacks those whose time is over.
    pub(super) fn tell_overdue(&mut self, now_ns: u64) {
        let (outbox, worker) = (&self.outbox, self.worker);
        self.asked.retain(|report| {
            if now_ns >= report.deadline_ns {
                let why = "its stack could not be had: another thread holds the interpreter";
                report.tell(outbox, worker, why);
            }
            !report.told.load(Ordering::Acquire)
        });
    }
}

impl Report {
    /// Tells it, unless that was done.
    pub(super) fn tell(&self, outbox: &Outbox, worker: u32, stack: &str) {
        if !self.told.swap(true, Ordering::AcqRel) {
            let text = format!("{}\n{stack}", self.text);
            outbox.log(record(worker, &self.overrun.thread, text));
        }
    }
}

fn describe(told: &Told, overrun: &Overrun, kwargs: &str, now_ns: u64) -> String {
    let which = match overrun.number {
        Some(number) => format!("iteration {number}"),
        None => "an iteration".to_owned(),
    };
    format!(
        "test '{}' overruns: {which} has run for {} s, its max_duration is {} s, its kwargs are {}",
        told.label,
        seconds(now_ns.saturating_sub(overrun.started_ns)),
        seconds(told.max_duration_ns),
        clip(kwargs.to_owned(), MAX_KWARGS_CHARS),
    )
}

/// `61`, `0.25`: to milliseconds.
fn seconds(ns: u64) -> String {
    let ms = ns / 1_000_000;
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn record(worker: u32, thread: &str, message: String) -> LogRecord {
    LogRecord {
        wall_ns: clock::wall_ns(),
        process: process_name(worker),
        thread: thread.to_owned(),
        level: "WARNING".to_owned(),
        level_number: 30,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_no_useless_digits() {
        for (ns, text) in [
            (0, "0"),
            (1_500_000, "0.001"),
            (250_000_000, "0.25"),
            (60_000_000_000, "60"),
            (61_230_999_999, "61.23"),
        ] {
            assert_eq!(seconds(ns), text);
        }
    }
}
