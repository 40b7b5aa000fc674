//! The ticker: snapshots on the second, and the deadlines of a stop. It needs no interpreter, so no user code can hold it up.

use super::run::{Command, Shared};
use crate::clock;
use crate::pool::{PartCounts, Pool};
use pysurge_core::plan::SNAPSHOT_INTERVAL_NS;
use pysurge_core::wire::{FromWorker, PartSnapshot, Snapshot, Stop, TestSnapshot};
use std::sync::Arc;

/// How long the stacks of stuck threads may take to be written, when the interpreter may be stuck too.
const STACKS_TIMEOUT_NS: u64 = 1_000_000_000;

struct Ticker {
    shared: Arc<Shared>,
    pools: Vec<Option<Arc<Pool>>>,
    /// Per test: its own grace period, where it has one.
    own_grace_ns: Vec<Option<u64>>,
    /// Per test: its iterations were interrupted.
    interrupted: Vec<bool>,
    /// Per test: its end was told.
    ends_told: Vec<bool>,
    sequence: u64,
}

/// Starts the ticker of a run that starts at `start_ns`.
pub(super) fn start(
    shared: Arc<Shared>,
    pools: Vec<Option<Arc<Pool>>>,
    own_grace_ns: Vec<Option<u64>>,
    worker: u32,
    start_ns: u64,
) -> std::io::Result<()> {
    // Workers tell one after the other, not all at the same instant.
    let first_ns = start_ns + SNAPSHOT_INTERVAL_NS + u64::from(worker % 50) * 1_000_000;
    let ticker = Ticker {
        shared,
        interrupted: vec![false; pools.len()],
        ends_told: vec![false; pools.len()],
        own_grace_ns,
        pools,
        sequence: 0,
    };
    std::thread::Builder::new()
        .name("pysurge-ticker".into())
        .spawn(move || ticker.run(first_ns))?;
    Ok(())
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
        }
    }

    fn each_pool(&self, what: impl Fn(&Pool)) {
        self.pools.iter().flatten().for_each(|pool| what(pool));
    }

    /// Whether threads are left that are waited for.
    fn anything_runs(&self) -> bool {
        let mut pools = self.pools.iter().zip(&self.interrupted);
        pools.any(|(pool, interrupted)| !interrupted && pool.as_ref().is_some_and(|pool| pool.threads() > 0))
    }

    fn has_news_of_ends(&self) -> bool {
        let mut pools = self.pools.iter().zip(&self.ends_told);
        pools.any(|(pool, told)| !told && pool.as_ref().is_some_and(|pool| pool.has_ended()))
    }

    /// Interrupts the tests whose grace period is over; returns when the next one is.
    fn interrupt_overdue(&mut self, stop: Stop, now_ns: u64) -> u64 {
        let (mut overdue, mut next_ns) = (Vec::new(), stop.grace_ends_ns);
        for (test, pool) in self.pools.iter().enumerate() {
            let runs = pool.as_ref().is_some_and(|pool| pool.threads() > 0);
            if !runs || self.interrupted[test] {
                continue;
            }
            let own_ns = self.own_grace_ns[test].map_or(u64::MAX, |ns| stop.last_start_ns.saturating_add(ns));
            let ends_ns = own_ns.min(stop.grace_ends_ns);
            if now_ns >= ends_ns {
                overdue.push(test);
            } else {
                next_ns = next_ns.min(ends_ns);
            }
        }
        if !overdue.is_empty() {
            self.shared.command(Command::LogStacks(overdue.clone()));
            self.shared.wait_for_stacks(clock::now_ns() + STACKS_TIMEOUT_NS);
        }
        for test in overdue {
            if let Some(pool) = &self.pools[test] {
                pool.interrupt();
                self.interrupted[test] = true;
            }
        }
        next_ns
    }

    fn drained(mut self, stop: Stop) {
        self.each_pool(Pool::close);
        let snapshot = self.snapshot(clock::now_ns());
        self.shared.outbox.send(&FromWorker::Drained(Box::new(snapshot)));
        self.shared.command(Command::Drained {
            threads_left: self.pools.iter().flatten().any(|pool| pool.threads() > 0),
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
        let tests: Vec<TestSnapshot> = self
            .pools
            .iter()
            .map(|pool| pool.as_ref().map(|pool| told(pool)).unwrap_or_default())
            .collect();
        for (told, test) in self.ends_told.iter_mut().zip(&tests) {
            *told |= test.ended;
        }
        Snapshot {
            sequence,
            at_ns,
            tests,
            cpu_ns: clock::process_cpu_ns(),
            rss_bytes: rss_bytes(),
            logs_dropped: self.shared.outbox.logs_dropped(),
        }
    }
}

fn told(pool: &Pool) -> TestSnapshot {
    let counts = pool.take();
    TestSnapshot {
        measured: part(counts.measured),
        warmup: part(counts.warmup),
        ended: counts.ended,
        late_start_ns: counts.late_start_ns,
        in_flight: u32::try_from(counts.in_flight).unwrap_or(u32::MAX),
        threads: counts.threads,
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
