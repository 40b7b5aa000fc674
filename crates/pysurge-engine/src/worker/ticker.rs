//! The ticker: snapshots on the second, and the deadlines of a stop. It needs no interpreter, so no user code can hold it up.

use super::run::{Command, Shared};
use crate::case::TestCase;
use crate::clock;
use crate::iterations::IterationLog;
use crate::pool::{PartCounts, Pool, PoolCounts};
use pysurge_core::measure::MAX_KWARGS_CHARS;
use pysurge_core::plan::SNAPSHOT_INTERVAL_NS;
use pysurge_core::wire::{FromWorker, PartSnapshot, Snapshot, Stop, TestSnapshot};
use std::sync::Arc;

/// How long the stacks of stuck threads may take to be written, when the interpreter may be stuck too.
const STACKS_TIMEOUT_NS: u64 = 1_000_000_000;

/// A process whose ticker woke so late had stood still: stopped, or for long without a core.
const STOOD_STILL_NS: u64 = 500_000_000;

/// What a ticker sees to, of one test.
pub(super) struct Ticked {
    pub(super) pool: Option<Arc<Pool>>,
    /// What its iterations are; `None` where it has no pool.
    pub(super) case: Option<Arc<dyn TestCase>>,
    /// Its own grace period, where it has one.
    pub(super) own_grace_ns: Option<u64>,
}

struct Ticker {
    shared: Arc<Shared>,
    worker: u32,
    tests: Vec<Ticked>,
    /// Where single iterations wait, if anybody wants them.
    log: Option<IterationLog>,
    /// Per test: its iterations were interrupted.
    interrupted: Vec<bool>,
    /// Per test: its end was told.
    ends_told: Vec<bool>,
    gil_wait: GilWait,
    stood_still_ns: u64,
    sequence: u64,
}

/// Starts the ticker of a run that starts at `start_ns`.
pub(super) fn start(
    shared: Arc<Shared>,
    tests: Vec<Ticked>,
    log: Option<IterationLog>,
    worker: u32,
    start_ns: u64,
) -> std::io::Result<()> {
    let first_ns = first_snapshot_ns(start_ns, worker, clock::now_ns());
    let ticker = Ticker {
        shared,
        worker,
        log,
        interrupted: vec![false; tests.len()],
        ends_told: vec![false; tests.len()],
        gil_wait: GilWait::new(tests.len(), start_ns),
        stood_still_ns: 0,
        tests,
        sequence: 0,
    };
    std::thread::Builder::new()
        .name("pysurge-ticker".into())
        .spawn(move || ticker.run(first_ns))?;
    Ok(())
}

/// When a worker tells first: at the next second of the run, which may go on for long already.
fn first_snapshot_ns(start_ns: u64, worker: u32, now_ns: u64) -> u64 {
    // Workers tell one after the other, not all at the same instant.
    let stagger_ns = u64::from(worker % 50) * 1_000_000;
    let seconds = now_ns.saturating_sub(start_ns + stagger_ns) / SNAPSHOT_INTERVAL_NS;
    start_ns + stagger_ns + (seconds + 1) * SNAPSHOT_INTERVAL_NS
}

/// Ends the process where the `shutdown` hooks, which begin now, take too long.
pub(super) fn guard_shutdown(shared: &Arc<Shared>, timeout_ns: u64) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    let deadline_ns = clock::now_ns().saturating_add(timeout_ns);
    let guard = move || {
        if !shared.wait_for_finish(deadline_ns) {
            shared.die();
        }
    };
    std::thread::Builder::new()
        .name("pysurge-guard".into())
        .spawn(guard)?;
    Ok(())
}

impl Ticker {
    fn run(mut self, first_ns: u64) {
        let mut next_snapshot_ns = first_ns;
        let mut heeded: Option<Stop> = None;
        loop {
            let now_ns = clock::now_ns();
            let stop = self.shared.stop();
            // A test that came to its end is told at once: the run may end with it.
            if now_ns >= next_snapshot_ns || self.has_news_of_ends() {
                let snapshot = self.snapshot(now_ns);
                self.shared.outbox.send(&FromWorker::Snapshot(Box::new(snapshot)));
                while next_snapshot_ns <= now_ns {
                    next_snapshot_ns += SNAPSHOT_INTERVAL_NS;
                }
            }
            let mut wake_ns = next_snapshot_ns;
            if let Some(stop) = stop {
                if heeded != Some(stop) {
                    self.each_pool(|pool| pool.cut_plan(stop.plan_ends_ns));
                    heeded = Some(stop);
                }
                if now_ns >= stop.last_start_ns {
                    self.each_pool(Pool::close);
                    wake_ns = wake_ns.min(self.interrupt_overdue(stop, now_ns));
                } else {
                    wake_ns = wake_ns.min(stop.last_start_ns);
                }
                if !self.anything_runs() {
                    return self.drained(stop);
                }
            }
            self.shared.wait_until(wake_ns, |now| {
                now != stop || (now.is_some() && !self.anything_runs())
            });
            let late_ns = clock::now_ns().saturating_sub(wake_ns.max(now_ns));
            if late_ns > STOOD_STILL_NS {
                self.stood_still_ns += late_ns;
            }
        }
    }

    fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.tests.iter().filter_map(|test| test.pool.as_deref())
    }

    fn each_pool(&self, what: impl Fn(&Pool)) {
        self.pools().for_each(what);
    }

    /// Whether threads are left that are waited for.
    fn anything_runs(&self) -> bool {
        let mut tests = self.tests.iter().zip(&self.interrupted);
        tests.any(|(test, interrupted)| !interrupted && test.runs())
    }

    fn has_news_of_ends(&self) -> bool {
        let mut tests = self.tests.iter().zip(&self.ends_told);
        tests.any(|(test, told)| !told && test.pool.as_ref().is_some_and(|pool| pool.has_ended()))
    }

    /// Interrupts the tests whose grace period is over; returns when the next one is.
    fn interrupt_overdue(&mut self, stop: Stop, now_ns: u64) -> u64 {
        let (mut overdue, mut next_ns) = (Vec::new(), stop.grace_ends_ns);
        for (place, test) in self.tests.iter().enumerate() {
            if !test.runs() || self.interrupted[place] {
                continue;
            }
            let own_ns = test.own_grace_ns;
            let own_ns = own_ns.map_or(u64::MAX, |ns| stop.last_start_ns.saturating_add(ns));
            let ends_ns = own_ns.min(stop.grace_ends_ns);
            if now_ns >= ends_ns {
                overdue.push(place);
            } else {
                next_ns = next_ns.min(ends_ns);
            }
        }
        if !overdue.is_empty() {
            self.shared.command(Command::LogStacks(overdue.clone()));
            self.shared.wait_for_stacks(clock::now_ns() + STACKS_TIMEOUT_NS);
        }
        for test in overdue {
            if let Some(pool) = &self.tests[test].pool {
                pool.interrupt();
                self.interrupted[test] = true;
            }
        }
        next_ns
    }

    fn drained(mut self, stop: Stop) {
        self.each_pool(Pool::close);
        if let Some(log) = &self.log {
            log.end(&self.shared.outbox);
        }
        let snapshot = self.snapshot(clock::now_ns());
        self.shared.outbox.send(&FromWorker::Drained(Box::new(snapshot)));
        self.shared.command(Command::Drained {
            threads_left: self.pools().any(|pool| pool.threads() > 0),
        });
        if !self
            .shared
            .wait_for_finish(clock::now_ns().saturating_add(stop.shutdown_timeout_ns))
        {
            self.shared.die();
        }
    }

    fn snapshot(&mut self, at_ns: u64) -> Snapshot {
        let sequence = self.sequence;
        self.sequence += 1;
        // Before anything is read that they changed.
        let deals = self.shared.deals();
        let mut tests: Vec<TestSnapshot> = Vec::with_capacity(self.tests.len());
        let mut waited_ns = Vec::with_capacity(self.tests.len());
        for test in &self.tests {
            let counts = test.pool.as_ref().map(|pool| pool.take());
            waited_ns.push(counts.as_ref().map_or(0, |counts| counts.gil_wait_ns));
            tests.push(counts.map(|counts| self.told(test, counts)).unwrap_or_default());
        }
        for (told, test) in self.ends_told.iter_mut().zip(&tests) {
            // Not for good: another part of the plan may have come since.
            *told = test.ended;
        }
        Snapshot {
            sequence,
            at_ns,
            tests,
            cpu_ns: clock::process_cpu_ns(),
            rss_bytes: rss_bytes(),
            logs_dropped: self.shared.outbox.logs_dropped(),
            iterations_untold: self.log.as_ref().map_or(0, IterationLog::untold),
            gil_wait_ns: self.gil_wait.add(&waited_ns, at_ns),
            stood_still_ns: self.stood_still_ns,
            deals,
        }
    }

    fn told(&self, test: &Ticked, counts: PoolCounts) -> TestSnapshot {
        let mut measured = part(counts.measured);
        measured.measures.exhibits.complete(|exhibit| {
            exhibit.worker = self.worker;
            let kwargs = test.case.as_ref().map(|case| case.kwargs(exhibit.number));
            exhibit.kwargs = clip(kwargs.unwrap_or_default(), MAX_KWARGS_CHARS);
        });
        TestSnapshot {
            measured,
            warmup: part(counts.warmup),
            ended: counts.ended,
            late_start_ns: counts.late_start_ns,
            in_flight: u32::try_from(counts.in_flight).unwrap_or(u32::MAX),
            threads: counts.threads,
            max_threads: counts.max_threads,
            threads_refused: counts.threads_refused,
            overran: counts.overran,
            overrunning: counts.overrunning,
        }
    }
}

impl Ticked {
    fn runs(&self) -> bool {
        self.pool.as_ref().is_some_and(|pool| pool.threads() > 0)
    }
}

/// How long this worker had a due iteration whose thread waited for the interpreter. Pools may wait at the same time: what counts of each
/// interval is the pool that waited longest, and never more than the interval.
#[expect(clippy::struct_field_names, reason = "the name of a number ends in its unit")]
struct GilWait {
    /// Per test, as its pool said last.
    said_ns: Vec<u64>,
    at_ns: u64,
    total_ns: u64,
}

impl GilWait {
    fn new(tests: usize, start_ns: u64) -> Self {
        Self {
            said_ns: vec![0; tests],
            at_ns: start_ns,
            total_ns: 0,
        }
    }

    fn add(&mut self, say_ns: &[u64], at_ns: u64) -> u64 {
        let since_ns = say_ns
            .iter()
            .zip(&self.said_ns)
            .map(|(now, before)| now.saturating_sub(*before));
        let longest_ns = since_ns.max().unwrap_or(0);
        self.total_ns += longest_ns.min(at_ns.saturating_sub(self.at_ns));
        self.said_ns.copy_from_slice(say_ns);
        self.at_ns = self.at_ns.max(at_ns);
        self.total_ns
    }
}

/// At most so many characters of a text.
fn clip(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn part(counts: PartCounts) -> PartSnapshot {
    PartSnapshot {
        planned: counts.planned,
        dropped: counts.dropped,
        interrupted: counts.interrupted,
        measures: counts.measures,
    }
}

/// Resident memory of this process; 0 where the system does not tell.
fn rss_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| statm.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    pages * u64::try_from(rustix::param::page_size()).unwrap_or(4_096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_joins_late_tells_at_the_next_second_of_the_run() {
        let s = SNAPSHOT_INTERVAL_NS;
        for (worker, now_ns, first_ns) in [
            (0, 0, 11 * s),
            (3, 10 * s, 11 * s + 3_000_000),
            (3, 11 * s, 11 * s + 3_000_000),
            (0, 11 * s, 12 * s),
            (1, 3_610 * s + 500_000_000, 3_611 * s + 1_000_000),
        ] {
            assert_eq!(
                first_snapshot_ns(10 * s, worker, now_ns),
                first_ns,
                "{worker} at {now_ns}"
            );
        }
    }
}
