//! What is made of what workers and machine tell while a run fires: totals, rows of the time series, judgements, summaries.

use super::{Phase, Running, Supervisor};
use crate::loss::WorkerError;
use crate::machine::MachineLook;
use crate::totals::{Closing, Moment};
use crate::worker::{NEVER, Span};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::event::{RunEvent, Severity, StopReason};
use pysurge_core::summary::{Status, Summary, ThresholdResult};
use pysurge_core::wire::{IterationRecord, Snapshot};

impl Running {
    /// Where an instant lies, which ends a time that began at another.
    fn span(&self, began_ns: u64, at_ns: u64) -> Span {
        let run_ns = at_ns.saturating_sub(self.started_ns);
        let measured = self.totals.measured_from_ns();
        if at_ns < self.started_ns || self.totals.course().plan_ns(run_ns) < measured {
            Span::Before
        } else if self.stop.is_some_and(|(_, stop)| began_ns >= stop.plan_ends_ns) {
            Span::After
        } else {
            Span::Within
        }
    }

    /// The end of the plan, run time, once the run is being stopped.
    fn plan_ends_ns(&self) -> Option<u64> {
        let (_, stop) = self.stop?;
        Some(stop.plan_ends_ns.saturating_sub(self.started_ns))
    }
}

impl Supervisor {
    // What is told.

    /// Adds what a worker measured; false where it cannot be right and the worker is broken off.
    pub(super) fn measured(&mut self, number: usize, snapshot: &Snapshot, now_ns: u64) -> bool {
        let Phase::Running(running) = &mut self.phase else {
            return false;
        };
        let worker = &mut self.workers[number];
        // Nobody tells of the future: rows would be made up to there.
        let at_ns = snapshot.at_ns.min(now_ns);
        let told_ns = at_ns.saturating_sub(running.started_ns);
        let knows_all = snapshot.deals >= worker.deals;
        let added = if snapshot.sequence != worker.next_sequence {
            Err(WorkerError::Gap {
                told: snapshot.sequence,
                due: worker.next_sequence,
            })
        } else if let Some(what) = impossible(snapshot, now_ns) {
            Err(WorkerError::Impossible(what.to_owned()))
        } else {
            let added = running.totals.hear(number, &snapshot.tests, told_ns, knows_all);
            added.map_err(WorkerError::Impossible)
        };
        if let Err(error) = added {
            self.break_off(number, error, now_ns);
            return false;
        }
        // What it used before the start, for its imports, is in its first figure.
        if worker.next_sequence > 0 {
            running.totals.used(
                told_ns,
                snapshot.cpu_ns.saturating_sub(worker.cpu_ns),
                snapshot.gil_wait_ns.saturating_sub(worker.gil_wait_ns),
            );
        }
        let span = running.span(worker.told_ns, at_ns);
        worker.used(snapshot, at_ns, span);
        worker.next_sequence += 1;
        true
    }

    /// Passes on single iterations, where they can be right.
    pub(super) fn told_one_by_one(&mut self, number: usize, iterations: Vec<IterationRecord>, now_ns: u64) {
        let Phase::Running(running) = &self.phase else {
            return;
        };
        let wrong = if self.orders.iterations {
            running.totals.contradiction(number, &iterations)
        } else {
            Some("told of single iterations, which nobody asked for".to_owned())
        };
        if let Some(what) = wrong {
            self.break_off(number, WorkerError::Impossible(what), now_ns);
            return;
        }
        self.emit(RunEvent::Iterations {
            worker: self.place_of(number),
            iterations,
        });
    }

    pub(super) fn looked(&mut self, look: &MachineLook, now_ns: u64) {
        let span = match &self.phase {
            Phase::Running(running) => running.span(self.looked_ns, now_ns),
            _ => Span::Before,
        };
        match span {
            Span::Before => self.machine.before(look),
            Span::Within => self.machine.within(look, now_ns),
            Span::After => {}
        }
        self.looked_ns = now_ns;
    }

    // What follows from it.

    /// Closes the rows of which everything was told, judges them, and stops the run where a threshold asks for it.
    pub(super) fn close_rows(&mut self, now_ns: u64) {
        let Phase::Running(running) = &mut self.phase else {
            return;
        };
        let closed_to_ns = running.totals.closed_to_ns();
        let events = running.totals.close_rows(Closing {
            now_ns: now_ns.saturating_sub(running.started_ns),
            plan_ends_ns: running.plan_ends_ns(),
        });
        // In a long run a row of the series is several seconds; each of them is judged when it is over.
        let judged = running.totals.closed_to_ns() > closed_to_ns && running.stop.is_none();
        let failed = if judged { running.totals.abort() } else { None };
        for event in events {
            self.emit(event);
        }
        if let Some(failed) = failed {
            self.notice(Severity::Warning, abort_in_words(&failed));
            self.stop(StopReason::Threshold, now_ns);
        }
    }

    /// Closes the rest, once nobody will tell more.
    pub(super) fn close_all_rows(&mut self) {
        let Phase::Running(running) = &mut self.phase else {
            return;
        };
        if let Some(plan_ends_ns) = running.plan_ends_ns() {
            for event in running.totals.close_all_rows(plan_ends_ns) {
                self.emit(event);
            }
        }
    }

    pub(super) fn summary(&self, status: Status, now_ns: u64) -> Summary {
        let Phase::Running(running) = &self.phase else {
            unreachable!("only a run that started is summed up while it runs")
        };
        let drained_ns = || {
            let ends = self.workers.iter().map(|worker| worker.last_iteration_ns);
            ends.max().flatten().unwrap_or(now_ns)
        };
        let plan_ends_ns = running.stop.map_or(NEVER, |(_, stop)| stop.plan_ends_ns);
        let moment = Moment {
            plan: &self.orders.plan,
            epoch: self.orders.epoch,
            started_ns: Some(running.started_ns),
            plan_ends_ns: plan_ends_ns.min(now_ns.max(running.started_ns)),
            ends_ns: match status {
                Status::Running => now_ns,
                Status::Finished | Status::Killed => drained_ns(),
            },
            status,
            reason: match status {
                Status::Running => None,
                Status::Finished | Status::Killed => running.stop.map(|(reason, _)| reason),
            },
            workers: &self.workers,
            incidents: &self.incidents,
            machine: self.machine.summary(self.orders.cpus),
            open_files: self.orders.limits.descriptors,
        };
        running.totals.summary(&moment)
    }
}

/// So far ahead of us no clock of this machine is.
const AHEAD_NS: u64 = NANOS_PER_SEC;

/// More than any worker can have used or left out: 142 years in nanoseconds.
const MOST: u64 = 1 << 52;

/// What cannot be in a snapshot, beside what it tells of tests.
fn impossible(snapshot: &Snapshot, now_ns: u64) -> Option<&'static str> {
    let used = [
        snapshot.cpu_ns,
        snapshot.gil_wait_ns,
        snapshot.stood_still_ns,
        snapshot.rss_bytes,
        snapshot.logs_dropped,
        snapshot.iterations_untold,
    ];
    if snapshot.at_ns > now_ns.saturating_add(AHEAD_NS) {
        Some("told of a time to come")
    } else if used.into_iter().any(|figure| figure > MOST) {
        Some("told of more time, memory or lines than there can be")
    } else {
        None
    }
}

fn abort_in_words(failed: &ThresholdResult) -> String {
    let of_test = failed
        .test
        .as_ref()
        .map_or_else(String::new, |test| format!(" of {test}"));
    format!(
        "stopping the run: the threshold `{}`{of_test} does not hold: {}",
        failed.expression, failed.actual_text
    )
}
