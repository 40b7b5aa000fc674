//! The ticker: snapshots on the second, iterations that overrun, signs of life, and the deadlines of a stop. It needs no interpreter, and
//! takes no lock under which anybody waits for one, so no user code can hold it up.

use super::overruns::{Overruns, Told};
use super::pulse::{self, Outside, Pulse, Step};
use super::run::{Command, Shared, process_name};
use super::text::clip;
use crate::case::TestCase;
use crate::clock;
use crate::iterations::IterationLog;
use crate::pool::{PartCounts, Pool, PoolCounts};
use pysurge_core::measure::MAX_KWARGS_CHARS;
use pysurge_core::plan::SNAPSHOT_INTERVAL_NS;
use pysurge_core::wire::{FromWorker, Frozen, LogRecord, PartSnapshot, Snapshot, Stop, TestSnapshot};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How long the stacks of stuck threads may take to be written, when the interpreter may be stuck too.
const STACKS_TIMEOUT_NS: u64 = 1_000_000_000;

/// At most so much is sent of the stacks of all threads: a hundred of thirty frames each.
const MAX_STACKS_CHARS: usize = 300_000;

/// A process whose ticker woke so late had stood still: stopped, or for long without a core.
const STOOD_STILL_NS: u64 = 500_000_000;

/// What a ticker sees to, of one test.
pub(super) struct Ticked {
    pub(super) pool: Option<Arc<Pool>>,
    /// What its iterations are; `None` where it has no pool.
    pub(super) case: Option<Arc<dyn TestCase>>,
    /// Its own grace period, where it has one.
    pub(super) own_grace_ns: Option<u64>,
    /// What is told of iterations that overrun.
    pub(super) told: Told,
}

/// How often is looked for iterations that overrun: four times as often as one may, within these limits.
const LOOKS_NS: std::ops::RangeInclusive<u64> = 50_000_000..=SNAPSHOT_INTERVAL_NS;

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
    overruns: Overruns,
    pulse: Pulse,
    /// `None` where no thread can hold up the others.
    outside: Option<Arc<dyn Outside>>,
}

/// Starts the ticker of a run that starts at `start_ns`.
pub(super) fn start(
    shared: Arc<Shared>,
    tests: Vec<Ticked>,
    log: Option<IterationLog>,
    worker: u32,
    start_ns: u64,
    outside: Option<Arc<dyn Outside>>,
) -> std::io::Result<()> {
    let first_ns = first_snapshot_ns(start_ns, worker, clock::now_ns());
    let ticker = Ticker {
        overruns: Overruns::new(shared.outbox.clone(), worker),
        pulse: Pulse::default(),
        outside,
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
        let looks_ns = self.looks_ns();
        let mut next_look_ns = clock::now_ns() + looks_ns;
        let mut heeded: Option<Stop> = None;
        loop {
            let now_ns = clock::now_ns();
            let stop = self.shared.stop();
            if now_ns >= next_look_ns || now_ns >= next_snapshot_ns {
                self.look(now_ns, stop.is_some());
                next_look_ns = now_ns + looks_ns;
            }
            // A test that came to its end is told at once: the run may end with it.
            if now_ns >= next_snapshot_ns || self.has_news_of_ends() {
                let snapshot = self.snapshot(now_ns);
                self.shared.outbox.send(&FromWorker::Snapshot(Box::new(snapshot)));
                while next_snapshot_ns <= now_ns {
                    next_snapshot_ns += SNAPSHOT_INTERVAL_NS;
                }
            }
            let mut wake_ns = next_snapshot_ns.min(next_look_ns);
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

    fn looks_ns(&self) -> u64 {
        let tests = self.tests.iter().filter(|test| test.pool.is_some());
        let shortest_ns = tests
            .map(|test| test.told.max_duration_ns)
            .min()
            .unwrap_or(u64::MAX);
        (shortest_ns / 4).clamp(*LOOKS_NS.start(), *LOOKS_NS.end())
    }

    /// Looks which iterations overrun, and whether anything gets on.
    fn look(&mut self, now_ns: u64, stopping: bool) {
        let mut reports = Vec::new();
        for (place, test) in self.tests.iter_mut().enumerate() {
            let found = test.pool.as_ref().map(|pool| pool.look(now_ns));
            if let Some(found) = found.filter(|found| !found.is_empty()) {
                let case = test.case.as_deref();
                reports.extend(self.overruns.found(place, &mut test.told, case, found, now_ns));
            }
        }
        if !reports.is_empty() {
            self.shared.command(Command::Tell(reports));
        }
        self.overruns.tell_overdue(now_ns);
        let Some(outside) = &self.outside else { return };
        let given = self.shared.signs.load(Ordering::Relaxed);
        let signs = self
            .pools()
            .fold(given, |signs, pool| signs.wrapping_add(pool.pulse()));
        match self.pulse.look(now_ns, signs) {
            Step::Nothing => {}
            Step::Ask => self.shared.command(Command::Ping),
            Step::Probe => pulse::probe(outside, &self.shared.signs),
            // Once the run ends, deadlines see to it.
            Step::Frozen(_) if stopping => {}
            Step::Frozen(held_ns) => {
                let stacks = clip(outside.stacks(), MAX_STACKS_CHARS);
                self.shared
                    .outbox
                    .send(&FromWorker::Frozen(Frozen { held_ns, stacks }));
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
            self.write_stacks(overdue.clone());
        }
        for test in overdue {
            if let Some(pool) = &self.tests[test].pool {
                pool.interrupt();
                self.interrupted[test] = true;
            }
        }
        next_ns
    }

    /// Writes where the threads of these tests stand, without the interpreter where nobody can have it.
    fn write_stacks(&self, tests: Vec<usize>) {
        let before = self.shared.signs.load(Ordering::Relaxed);
        if let Some(outside) = &self.outside {
            pulse::probe(outside, &self.shared.signs);
        }
        let written = self
            .shared
            .write_stacks(tests, clock::now_ns() + STACKS_TIMEOUT_NS);
        let Some(outside) = self.outside.as_ref().filter(|_| !written) else {
            return;
        };
        if self.shared.signs.load(Ordering::Relaxed) != before {
            // Only slow: whoever runs must not be looked at from outside.
            return;
        }
        let stacks = clip(outside.stacks(), MAX_STACKS_CHARS);
        if !stacks.is_empty() {
            self.shared.outbox.log(LogRecord {
                wall_ns: clock::wall_ns(),
                process: process_name(self.worker),
                thread: "MainThread".to_owned(),
                level: "ERROR".to_owned(),
                level_number: 40,
                message: format!("one thread holds the interpreter since before the grace period ended; what runs is abandoned:\n{stacks}"),
            });
        }
    }

    fn drained(mut self, stop: Stop) {
        self.each_pool(Pool::close);
        self.overruns.tell_overdue(u64::MAX);
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
