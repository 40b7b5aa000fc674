//! A pool with real threads, and a test case that waits. Every wait is for a condition.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "shared by several test programs, each of which uses a part"
)]

use parking_lot::{Condvar, Mutex};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Phase, Schedule, Stripe};
use pysurge_engine::{Pool, PoolCounts, PoolSettings, Probe, TestCase, Unattached, Work, clock};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// No condition takes longer on a machine that works at all.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A pool with the threads it asks for.
pub struct Running {
    pub pool: Arc<Pool>,
    pub threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
    pub start_ns: u64,
}

impl Running {
    pub fn start(rate: &str, end_ns: Option<u64>, max_threads: u32, case: impl TestCase + 'static) -> Self {
        Self::start_work(open(rate, end_ns), max_threads, case)
    }

    pub fn start_work(work: Work, max_threads: u32, case: impl TestCase + 'static) -> Self {
        Self::start_since(work, max_threads, clock::now_ns(), case)
    }

    /// In a run that began at this instant.
    pub fn start_since(work: Work, max_threads: u32, start_ns: u64, case: impl TestCase + 'static) -> Self {
        Self::start_watched(work, max_threads, start_ns, case, |pool| pool)
    }

    #[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
    pub fn start_watched(
        work: Work,
        max_threads: u32,
        start_ns: u64,
        case: impl TestCase + 'static,
        watched: impl Fn(Pool) -> Pool,
    ) -> Self {
        let settings = PoolSettings {
            max_threads,
            shards: 2,
            start_ns,
        };
        let case: Arc<dyn TestCase> = Arc::new(case);
        let threads: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let pool = Arc::new_cyclic(|weak: &std::sync::Weak<Pool>| {
            let (weak, case, threads) = (weak.clone(), Arc::clone(&case), Arc::clone(&threads));
            let ask = move || {
                let pool = weak.upgrade().expect("the pool that asks lives");
                spawn(&pool, &case, &threads);
            };
            watched(Pool::new(work.clone(), settings, Box::new(ask)))
        });
        pool.thread_requested();
        spawn(&pool, &case, &threads);
        Self {
            pool,
            threads,
            start_ns,
        }
    }

    pub fn join(&self) {
        loop {
            let Some(thread) = self.threads.lock().pop() else {
                return;
            };
            thread.join().unwrap();
        }
    }

    /// Waits for the end of the schedule and returns everything that was measured.
    pub fn finish(&self) -> PoolCounts {
        self.join();
        self.pool.close();
        self.pool.take()
    }
}

pub fn open(rate: &str, end_ns: Option<u64>) -> Work {
    let schedule = Schedule::constant(Rate::parse(rate).unwrap(), Phase::ZERO, end_ns);
    Work::open(schedule.stripe(Stripe::WHOLE))
}

pub fn spawn(pool: &Arc<Pool>, case: &Arc<dyn TestCase>, threads: &Mutex<Vec<JoinHandle<()>>>) {
    let (pool, case) = (Arc::clone(pool), Arc::clone(case));
    let name = format!("t-{}", pool.next_thread_number());
    threads.lock().push(std::thread::spawn(move || {
        pool.run_thread(&*case, &Unattached, &name);
    }));
}

/// Iterations that wait until a gate is opened.
#[derive(Clone, Default)]
pub struct Gated(Arc<(Mutex<Gate>, Condvar)>);

#[derive(Default)]
pub struct Gate {
    open: bool,
    inside: u32,
    most_inside: u32,
}

impl Gated {
    pub fn open(&self) {
        self.0.0.lock().open = true;
        self.0.1.notify_all();
    }

    pub fn wait_for_inside(&self, wanted: u32) {
        let mut gate = self.0.0.lock();
        let outcome = self
            .0
            .1
            .wait_while_for(&mut gate, |gate| gate.inside < wanted, DEADLINE);
        assert!(!outcome.timed_out(), "only {} iterations got in", gate.inside);
    }

    pub fn most_inside(&self) -> u32 {
        self.0.0.lock().most_inside
    }
}

impl TestCase for Gated {
    fn iterate(&self, probe: &mut Probe<'_>) {
        probe.run(|| {
            let mut gate = self.0.0.lock();
            gate.inside += 1;
            gate.most_inside = gate.most_inside.max(gate.inside);
            self.0.1.notify_all();
            self.0.1.wait_while(&mut gate, |gate| !gate.open);
            gate.inside -= 1;
        });
    }
}
