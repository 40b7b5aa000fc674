//! Where records are merged: per test and worker, in as many shards as threads can truly run at once, each swapped out once
//! an interval. Memory does not depend on the number of iterations or threads.
//!
//! No user code ever runs under a shard's lock: a Python thread that lost the interpreter there would stop all others.

use crate::case::{KnownFailures, Record};
use crate::evidence::{Evidence, Kept};
use crate::iterations::IterationLog;
use crate::pool::{Busy, Late, Part, Parted};
use parking_lot::Mutex;
use pysurge_core::failure::FailureKey;
use pysurge_core::measure::Measures;
use pysurge_core::wire::IterationRecord;

#[derive(Debug, Default)]
struct Shard {
    measures: Measures,
    /// The same of the warm-up.
    warmup: Measures,
    /// Iterations recorded since the start, which no swap resets.
    recorded: Parted,
    /// The hard stop has come: what ends from now on is interrupted and not recorded.
    closed: bool,
    evidence: Evidence,
}

/// The recorder of one test in one worker.
#[derive(Debug)]
pub(crate) struct Recorder {
    shards: Box<[Mutex<Shard>]>,
    /// The start of the run, nanoseconds of `CLOCK_MONOTONIC`.
    origin_ns: u64,
    /// Where every single iteration goes, if anybody wants them, and the test's place in the plan.
    log: Option<(IterationLog, u32)>,
    /// The names of all threads there ever were.
    threads: Mutex<Vec<String>>,
}

/// One thread's way into the recorder.
#[derive(Debug)]
pub(crate) struct ShardRef<'a> {
    recorder: &'a Recorder,
    shard: &'a Mutex<Shard>,
    /// The thread's place among all there ever were.
    thread: u32,
}

impl Recorder {
    /// A recorder in `shards` parts: 1 under a GIL, one per CPU without. Instants count from `origin_ns`.
    pub(crate) fn new(shards: usize, origin_ns: u64) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| Mutex::default()).collect(),
            origin_ns,
            log: None,
            threads: Mutex::default(),
        }
    }

    /// Tells every single iteration to a log, as one of the test at this place in the plan.
    pub(crate) fn telling(self, log: IterationLog, test: u32) -> Self {
        Self {
            log: Some((log, test)),
            ..self
        }
    }

    /// The way in for a thread of this name.
    pub(crate) fn shard(&self, thread: &str) -> ShardRef<'_> {
        let mut threads = self.threads.lock();
        threads.push(thread.to_owned());
        let place = threads.len() - 1;
        ShardRef {
            recorder: self,
            shard: &self.shards[place % self.shards.len()],
            thread: u32::try_from(place).unwrap_or(u32::MAX),
        }
    }

    /// The way in for the thread that has this place, see [`ShardRef::place`].
    pub(crate) fn shard_at(&self, place: u32) -> ShardRef<'_> {
        ShardRef {
            recorder: self,
            shard: &self.shards[place as usize % self.shards.len()],
            thread: place,
        }
    }

    /// What was measured since the last call: what counts, and the warm-up.
    pub(crate) fn take(&self) -> [Measures; 2] {
        let mut total = [Measures::default(), Measures::default()];
        let threads = self.threads.lock();
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.measures.exhibits = shard.evidence.take(&threads);
            let taken = [
                std::mem::take(&mut shard.measures),
                std::mem::take(&mut shard.warmup),
            ];
            drop(shard);
            for (total, taken) in total.iter_mut().zip(&taken) {
                total.merge(taken);
            }
        }
        for measures in &mut total {
            measures.lateness_parts.complete(measures.lateness.count());
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
    /// What its lateness is made of.
    pub(crate) late: Late,
    /// Which of the test's arrivals it is.
    pub(crate) number: Option<u64>,
    /// In the closed model nobody waits for an iteration but the user who runs it: the response time is the service time.
    pub(crate) closed_model: bool,
}

impl<'a> ShardRef<'a> {
    /// The thread's place among all there ever were.
    pub(crate) fn place(&self) -> u32 {
        self.thread
    }

    /// The failures known of a part.
    pub(crate) fn known(&self, part: Part) -> Known<'a> {
        Known {
            shard: self.shard,
            part,
        }
    }

    /// Adds time that the thread was busy.
    pub(crate) fn record_busy(&self, part: Part, busy: Busy) {
        let mut shard = self.shard.lock();
        let measures = shard.measures(part);
        measures.busy_ns += busy.wall_ns;
        measures.busy_cpu_ns += busy.cpu_ns;
    }

    /// Adds an iteration.
    pub(crate) fn record(&self, record: &mut Record, mut iteration: Iteration) {
        if record.waited_ns > 0 {
            iteration.started_ns = iteration.started_ns.saturating_add(record.waited_ns);
            // It had a thread, but not one that was free to go on.
            iteration.late.no_free_thread_ns += record.waited_ns;
        }
        let Iteration {
            part,
            planned_ns,
            started_ns,
            late,
            closed_model,
            ..
        } = iteration;
        let late_ns = started_ns.saturating_sub(planned_ns);
        let waited_ns = if closed_model { 0 } else { late_ns };
        let response_ns = waited_ns + record.service_ns.unwrap_or(0);
        let single = self.recorder.log.as_ref();
        let single = single.map(|(log, test)| (log, self.single(record, iteration, *test)));
        let mut shard = self.shard.lock();
        if shard.closed {
            return;
        }
        if let Some((log, single)) = single {
            log.add(single);
        }
        if part == Part::Measured && shard.evidence.wants(response_ns, record.failed) {
            shard.evidence.keep(self.kept(record, iteration, response_ns));
        }
        match part {
            Part::Measured => shard.recorded.measured += 1,
            Part::Warmup => shard.recorded.warmup += 1,
        }
        let measures = shard.measures(part);
        measures.lateness.record(late_ns);
        // Recorded where there is something; the rest are completed with zeros when they are taken.
        if late.woke_late_ns > 0 {
            measures.lateness_parts.woke_late.record(late.woke_late_ns);
        }
        if late.no_free_thread_ns > 0 {
            measures
                .lateness_parts
                .no_free_thread
                .record(late.no_free_thread_ns);
        }
        if late.waited_for_gil_ns > 0 {
            measures
                .lateness_parts
                .waited_for_gil
                .record(late.waited_for_gil_ns);
        }
        if let Some(service_ns) = record.service_ns {
            measures.service_time.record(service_ns);
            measures.response_time.record(response_ns);
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
        for (name, held) in record.checks() {
            measures.checks.record(name, held);
        }
        for (name, ns) in record.timers() {
            measures.timers.record(name, ns, record.failed);
        }
        for (name, number) in record.counts() {
            measures.counts.record(name, number);
        }
        for _ in 0..record.refused_counts {
            measures.counts.refuse();
        }
        for failure in record.failures.drain(..) {
            let detail = failure.detail.unwrap_or_default();
            measures
                .failures
                .record(failure.key, self.since_start_ns(started_ns), || detail);
        }
    }

    fn since_start_ns(&self, at_ns: u64) -> u64 {
        at_ns.saturating_sub(self.recorder.origin_ns)
    }

    fn kept(&self, record: &Record, iteration: Iteration, response_ns: u64) -> Kept {
        let failure = record.failures.iter().find(|failure| failure.key.phase.fails());
        Kept {
            planned_ns: self.since_start_ns(iteration.planned_ns),
            started_ns: self.since_start_ns(iteration.started_ns),
            response_ns,
            service_ns: record.service_ns,
            number: iteration.number,
            thread: self.thread,
            error: failure.map(|failure| failure.key.line().into_boxed_str()),
        }
    }

    fn single(&self, record: &Record, iteration: Iteration, test: u32) -> IterationRecord {
        IterationRecord {
            test,
            number: iteration.number.filter(|_| !iteration.closed_model),
            warmup: iteration.part == Part::Warmup,
            planned_ns: self.since_start_ns(iteration.planned_ns),
            started_ns: self.since_start_ns(iteration.started_ns),
            setup_ns: record.setup_ns,
            service_ns: record.service_ns,
            teardown_ns: record.teardown_ns,
            failed: record.failed,
            failure: record.failures.first().map(|failure| failure.key.clone()),
            metrics: record
                .metrics()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

impl Shard {
    fn measures(&mut self, part: Part) -> &mut Measures {
        match part {
            Part::Measured => &mut self.measures,
            Part::Warmup => &mut self.warmup,
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
