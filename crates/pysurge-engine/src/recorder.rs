//! Where records are merged: per test and worker, in as many shards as threads can truly run at once, each swapped out once
//! an interval. Memory does not depend on the number of iterations or threads.
//!
//! No user code ever runs under a shard's lock: a Python thread that lost the interpreter there would stop all others.

use crate::case::{KnownFailures, Record};
use crate::pool::{Part, Parted};
use parking_lot::Mutex;
use pysurge_core::failure::FailureKey;
use pysurge_core::measure::Measures;

#[derive(Debug, Default)]
struct Shard {
    measures: Measures,
    /// The same of the warm-up.
    warmup: Measures,
    /// Iterations recorded since the start, which no swap resets.
    recorded: Parted,
    /// The hard stop has come: what ends from now on is interrupted and not recorded.
    closed: bool,
}

/// The recorder of one test in one worker.
#[derive(Debug)]
pub(crate) struct Recorder {
    shards: Box<[Mutex<Shard>]>,
}

/// One thread's way into the recorder.
#[derive(Debug)]
pub(crate) struct ShardRef<'a>(&'a Mutex<Shard>);

impl Recorder {
    /// A recorder in `shards` parts: 1 under a GIL, one per CPU without.
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| Mutex::default()).collect(),
        }
    }

    /// The shard that thread number `thread` uses.
    pub(crate) fn shard(&self, thread: usize) -> ShardRef<'_> {
        ShardRef(&self.shards[thread % self.shards.len()])
    }

    /// What was measured since the last call: what counts, and the warm-up.
    pub(crate) fn take(&self) -> [Measures; 2] {
        let mut total = [Measures::default(), Measures::default()];
        for shard in &self.shards {
            let mut shard = shard.lock();
            let taken = [
                std::mem::take(&mut shard.measures),
                std::mem::take(&mut shard.warmup),
            ];
            drop(shard);
            for (total, taken) in total.iter_mut().zip(&taken) {
                total.merge(taken);
            }
        }
        total
    }

    /// Iterations recorded since the start.
    pub(crate) fn recorded(&self) -> Parted {
        self.sum(|shard| shard.recorded)
    }

    /// Records nothing more; returns the iterations recorded since the start, which is final.
    pub(crate) fn close(&self) -> Parted {
        self.sum(|shard| {
            shard.closed = true;
            shard.recorded
        })
    }

    fn sum(&self, of: impl Fn(&mut Shard) -> Parted) -> Parted {
        let mut sum = Parted::default();
        for shard in &self.shards {
            let part = of(&mut shard.lock());
            sum.measured += part.measured;
            sum.warmup += part.warmup;
        }
        sum
    }
}

/// When an iteration was planned and started, and where it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Iteration {
    pub(crate) part: Part,
    pub(crate) planned_ns: u64,
    pub(crate) started_ns: u64,
    /// In the closed model nobody waits for an iteration but the user who runs it: the response time is the service time.
    pub(crate) closed_model: bool,
}

impl<'a> ShardRef<'a> {
    /// The failures known of a part.
    pub(crate) fn known(&self, part: Part) -> Known<'a> {
        Known { shard: self.0, part }
    }

    /// Adds an iteration; times of failures count from `origin_ns`.
    pub(crate) fn record(&self, record: &mut Record, iteration: Iteration, origin_ns: u64) {
        let Iteration {
            part,
            planned_ns,
            started_ns,
            closed_model,
        } = iteration;
        let late_ns = started_ns.saturating_sub(planned_ns);
        let mut shard = self.0.lock();
        if shard.closed {
            return;
        }
        let measures = match part {
            Part::Measured => {
                shard.recorded.measured += 1;
                &mut shard.measures
            }
            Part::Warmup => {
                shard.recorded.warmup += 1;
                &mut shard.warmup
            }
        };
        measures.lateness.record(late_ns);
        if let Some(service_ns) = record.service_ns {
            measures.service_time.record(service_ns);
            let waited_ns = if closed_model { 0 } else { late_ns };
            measures.response_time.record(waited_ns + service_ns);
        }
        if let Some(setup_ns) = record.setup_ns {
            measures.setup.record(setup_ns);
        }
        if let Some(teardown_ns) = record.teardown_ns {
            measures.teardown.record(teardown_ns);
        }
        if record.failed {
            measures.failed += 1;
        } else {
            measures.passed += 1;
            for (name, value) in record.metrics() {
                measures.metrics.record(name, value);
            }
            for _ in 0..record.refused_metrics {
                measures.metrics.refuse();
            }
        }
        for failure in record.failures.drain(..) {
            let detail = failure.detail.unwrap_or_default();
            measures
                .failures
                .record(failure.key, started_ns.saturating_sub(origin_ns), || detail);
        }
    }
}

/// The failures known of one part of a test.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    shard: &'a Mutex<Shard>,
    part: Part,
}

impl KnownFailures for Known<'_> {
    fn knows(&self, key: &FailureKey) -> bool {
        let shard = self.shard.lock();
        let measures = match self.part {
            Part::Measured => &shard.measures,
            Part::Warmup => &shard.warmup,
        };
        measures.failures.has_example(key)
    }
}
