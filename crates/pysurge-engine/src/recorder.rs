//! Where records are merged: per test and worker, in as many shards as threads can truly run at once, each swapped out once
//! an interval. Memory does not depend on the number of iterations or threads.
//!
//! No user code ever runs under a shard's lock: a Python thread that lost the interpreter there would stop all others.

use crate::case::{KnownFailures, Record};
use parking_lot::Mutex;
use pysurge_core::failure::FailureKey;
use pysurge_core::measure::Measures;

#[derive(Debug, Default)]
struct Shard {
    measures: Measures,
    /// Iterations recorded since the start, which no swap resets.
    recorded: u64,
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

    /// What was measured since the last call.
    pub(crate) fn take(&self) -> Measures {
        let mut total = Measures::default();
        for shard in &self.shards {
            let taken = std::mem::take(&mut shard.lock().measures);
            total.merge(&taken);
        }
        total
    }

    /// Iterations recorded since the start.
    pub(crate) fn recorded(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().recorded).sum()
    }

    /// Records nothing more; returns the iterations recorded since the start, which is final.
    pub(crate) fn close(&self) -> u64 {
        let close = |shard: &Mutex<Shard>| {
            let mut shard = shard.lock();
            shard.closed = true;
            shard.recorded
        };
        self.shards.iter().map(close).sum()
    }
}

impl ShardRef<'_> {
    /// Adds an iteration that was planned and started at these instants; times of failures count from `origin_ns`.
    pub(crate) fn record(&self, record: &mut Record, planned_ns: u64, started_ns: u64, origin_ns: u64) {
        let late_ns = started_ns.saturating_sub(planned_ns);
        let mut shard = self.0.lock();
        if shard.closed {
            return;
        }
        shard.recorded += 1;
        let measures = &mut shard.measures;
        measures.lateness.record(late_ns);
        if let Some(service_ns) = record.service_ns {
            measures.service_time.record(service_ns);
            measures.response_time.record(late_ns + service_ns);
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

impl KnownFailures for ShardRef<'_> {
    fn knows(&self, key: &FailureKey) -> bool {
        self.0.lock().measures.failures.has_example(key)
    }
}
