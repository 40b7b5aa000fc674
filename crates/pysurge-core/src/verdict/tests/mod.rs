//! Every rule by a table, the texts as they are read, and properties over whatever figures there may be.

mod properties;
mod rules;
mod texts;

use super::*;
use crate::failure::{FailureKey, Phase};
use crate::summary::{IncidentKind, WorkerEnd};

pub(super) const MS: u64 = 1_000_000;
pub(super) const S: u64 = 1_000 * MS;

/// A test as it may have been, good unless a rule's test makes it otherwise: 1,000 iterations of 10 ms at 100/s on 2 workers.
#[derive(Debug, Clone)]
pub(super) struct Test {
    label: &'static str,
    account: Account,
    measures: Measures,
    pub(super) coroutine: bool,
    closed: bool,
    asked_rate_per_s: f64,
    achieved_rate_per_s: f64,
    workers: u32,
    threads: u32,
    max_threads: u32,
    threads_refused: bool,
}

impl Default for Test {
    fn default() -> Self {
        let mut test = Self {
            label: "buy",
            account: Account {
                planned: 1_000,
                passed: 1_000,
                ..Account::default()
            },
            measures: Measures {
                passed: 1_000,
                ..Measures::default()
            },
            coroutine: false,
            closed: false,
            asked_rate_per_s: 100.0,
            achieved_rate_per_s: 100.0,
            workers: 2,
            threads: 4,
            max_threads: 20,
            threads_refused: false,
        };
        test.measures.service_time.record_n(10 * MS, 1_000);
        test
    }
}

/// Which part of lateness.
#[derive(Debug, Clone, Copy)]
pub(super) enum Late {
    Woke,
    Thread,
    Gil,
}

impl Test {
    pub(super) fn users() -> Self {
        Self {
            closed: true,
            ..Self::default()
        }
    }

    pub(super) fn named(self, label: &'static str) -> Self {
        Self { label, ..self }
    }

    /// One in ten late by so much, for that reason; the others by 0.1 ms.
    pub(super) fn late(mut self, why: Late, late_ns: u64) -> Self {
        let parts = &mut self.measures.lateness_parts;
        let part = match why {
            Late::Woke => &mut parts.woke_late,
            Late::Thread => &mut parts.no_free_thread,
            Late::Gil => &mut parts.waited_for_gil,
        };
        part.record_n(late_ns, 100);
        parts.woke_late.record_n(MS / 10, 900);
        parts.complete(1_000);
        self.measures.lateness.record_n(late_ns, 100);
        self.measures.lateness.record_n(MS / 10, 900);
        self
    }

    pub(super) fn dropped(mut self, dropped: u64) -> Self {
        self.account.dropped = dropped;
        self.account.passed = self.account.planned - dropped;
        self.measures.passed = self.account.passed;
        self
    }

    /// So many threads, all of them made.
    pub(super) fn full(self, threads: u32) -> Self {
        Self {
            threads,
            max_threads: threads,
            ..self
        }
    }

    pub(super) fn service(mut self, ns: u64, iterations: u64) -> Self {
        self.measures.service_time = crate::histogram::Histogram::default();
        self.and_service(ns, iterations)
    }

    pub(super) fn and_service(mut self, ns: u64, iterations: u64) -> Self {
        self.measures.service_time.record_n(ns, iterations);
        self
    }

    pub(super) fn failed(mut self, exception: &str, message: &str, times: u64) -> Self {
        let key = FailureKey {
            phase: Phase::Run,
            exception: exception.to_owned(),
            frame: "buy.py:7 in run".to_owned(),
            message: crate::failure::mask(message),
        };
        for _ in 0..times {
            let detail = || (message.to_owned(), String::new());
            self.measures.failures.record(key.clone(), 0, detail);
        }
        (self.account.passed, self.account.failed) = (self.account.passed - times, times);
        (self.measures.passed, self.measures.failed) = (self.account.passed, times);
        self
    }

    pub(super) fn evidence(&self) -> Evidence<'_> {
        Evidence {
            label: self.label,
            account: self.account,
            measures: &self.measures,
            coroutine: self.coroutine,
            closed_model: self.closed,
            asked_rate_per_s: (!self.closed).then_some(self.asked_rate_per_s),
            achieved_rate_per_s: self.achieved_rate_per_s,
            workers: self.workers,
            workers_of_run: 2,
            threads: self.threads,
            max_threads: self.max_threads,
            threads_refused: self.threads_refused,
        }
    }
}

/// A generator as it may have been: 2 workers on 2 CPUs, with much room unless it is made otherwise.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    workers: Vec<WorkerSummary>,
    incidents: Vec<Incident>,
    free_threaded: bool,
    summary: MachineSummary,
    open_files: Option<u64>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            workers: vec![worker(0), worker(1)],
            incidents: Vec::new(),
            free_threaded: false,
            summary: MachineSummary {
                cpus: 2,
                cpu_share: Some(0.3),
                swapped_bytes: Some(0),
                suspended_s: 0.0,
                clock_set_s: 0.0,
            },
            open_files: Some(1_024),
        }
    }
}

fn worker(number: u32) -> WorkerSummary {
    WorkerSummary {
        worker: number,
        life: 0,
        pid: 100 + number,
        end: WorkerEnd::Done,
        death: None,
        cpu_s: 1.0,
        cpu_share: Some(0.2),
        gil_wait_share: Some(0.01),
        stood_still_s: 0.0,
        rss_bytes: 0,
    }
}

impl Machine {
    /// CPU shares of the workers, one after the other.
    pub(super) fn cpu(self, shares: &[f64]) -> Self {
        let workers = (0..).zip(shares).map(|(number, share)| WorkerSummary {
            cpu_share: Some(*share),
            ..worker(number)
        });
        Self {
            workers: workers.collect(),
            ..self
        }
    }

    /// Workers that were lost, one after the other, so many seconds after the start.
    pub(super) fn lost_at(mut self, seconds: &[f64]) -> Self {
        self.incidents = (0..)
            .zip(seconds)
            .map(|(worker, at_s)| Incident {
                at_s: *at_s,
                worker,
                pid: Some(100 + worker),
                kind: IncidentKind::Lost,
                text: String::new(),
            })
            .collect();
        self
    }

    pub(super) fn machine_cpu(mut self, share: f64) -> Self {
        self.summary.cpu_share = Some(share);
        self
    }

    pub(super) fn gil_wait(mut self, share: f64) -> Self {
        self.workers[0].gil_wait_share = Some(share);
        self
    }

    pub(super) fn swapped_mib(mut self, mib: u64) -> Self {
        self.summary.swapped_bytes = Some(mib * 1024 * 1024);
        self
    }

    pub(super) fn stood_still(mut self, seconds: f64) -> Self {
        self.workers[0].stood_still_s = seconds;
        self
    }

    /// Nothing is known of it.
    pub(super) fn unknown() -> Self {
        let mut machine = Self {
            summary: MachineSummary::default(),
            open_files: None,
            ..Self::default()
        };
        for worker in &mut machine.workers {
            (worker.cpu_share, worker.gil_wait_share) = (None, None);
        }
        machine
    }

    pub(super) fn judge(&self, tests: &[Test]) -> Verdict {
        let evidence: Vec<Evidence<'_>> = tests.iter().map(Test::evidence).collect();
        let generator = Generator {
            workers: &self.workers,
            incidents: &self.incidents,
            free_threaded: self.free_threaded,
            machine: &self.summary,
            open_files: self.open_files,
        };
        judge(&evidence, &generator)
    }
}

/// Validity and kinds, in their order.
pub(super) fn kinds(verdict: &Verdict) -> (Validity, Vec<CauseKind>) {
    let kinds = verdict.causes.iter().map(|cause| cause.kind);
    (verdict.validity, kinds.collect())
}
