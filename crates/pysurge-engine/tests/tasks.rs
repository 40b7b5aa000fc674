//! The pool with tasks, driven by a loop that is a plain thread: counts, the bound, the ways to stop. Every wait is for a condition.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{DEADLINE, open};
use parking_lot::{Condvar, Mutex};
use pysurge_core::failure::Phase;
use pysurge_core::plan::{ClosedModel, Wait};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Change, Factor, Stripe};
use pysurge_core::users::{Lot, Ration, Users};
use pysurge_core::wire::Deal;
use pysurge_engine::{LoopClock, Pool, PoolCounts, PoolSettings, Task, Work, clock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// What wakes the loop, as often as it likes.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock() = true;
        self.changed.notify_all();
    }

    /// Waits until it is rung or an instant has come.
    fn wait(&self, until_ns: u64) {
        let mut rung = self.rung.lock();
        let left_ns = until_ns.saturating_sub(clock::now_ns());
        let left = std::time::Duration::from_nanos(left_ns).min(DEADLINE);
        let _ = self.changed.wait_while_for(&mut rung, |rung| !*rung, left);
        *rung = false;
    }
}

/// What the loop does with iterations.
#[derive(Default)]
struct Wishes {
    /// How long each takes.
    takes_ns: u64,
    /// None ends while this is set.
    holds: AtomicBool,
    most_running: AtomicU64,
    is_at_1000_per_s: bool,
    early: AtomicU64,
}

/// Between two iterations at 1,000/s.
const NANOS_APART: u64 = 1_000_000;

/// A pool with a leader, and a loop that ends each iteration when its time has come.
struct Looped {
    pool: Arc<Pool>,
    wishes: Arc<Wishes>,
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
}

impl Looped {
    fn start(work: Work, max_running: u32, takes_ns: u64) -> Self {
        let wishes = Wishes {
            takes_ns,
            ..Wishes::default()
        };
        Self::wishing(work, max_running, wishes, |pool| pool)
    }

    /// None of its iterations ends before [`Looped::let_go`].
    fn holding(work: Work, max_running: u32) -> Self {
        let wishes = Wishes {
            holds: AtomicBool::new(true),
            ..Wishes::default()
        };
        Self::wishing(work, max_running, wishes, |pool| pool)
    }

    /// The same, in a pool that watches.
    fn watched(work: Work, max_running: u32, watched: impl Fn(Pool) -> Pool) -> Self {
        let wishes = Wishes {
            holds: AtomicBool::new(true),
            ..Wishes::default()
        };
        Self::wishing(work, max_running, wishes, watched)
    }

    fn wishing(work: Work, max_running: u32, wishes: Wishes, watched: impl Fn(Pool) -> Pool) -> Self {
        let settings = PoolSettings {
            max_threads: max_running,
            shards: 1,
            start_ns: clock::now_ns(),
        };
        let pool = Arc::new(watched(Pool::new(work, settings, Box::new(|| ()))));
        let bell = Arc::new(Bell::default());
        let wishes = Arc::new(wishes);
        let ringer = Arc::clone(&bell);
        pool.give_to_loop("loop", Box::new(move || ringer.ring()));
        pool.thread_requested();
        let leader = Arc::clone(&pool);
        let looped = (Arc::clone(&pool), Arc::clone(&bell), Arc::clone(&wishes));
        let start_ns = settings.start_ns;
        let threads = vec![
            std::thread::spawn(move || leader.lead_tasks()),
            std::thread::spawn(move || turn(&looped.0, &looped.1, &looped.2, start_ns)),
        ];
        Self {
            pool,
            wishes,
            bell,
            threads,
        }
    }

    fn let_go(&self) {
        self.wishes.holds.store(false, Ordering::Release);
        self.bell.ring();
    }

    fn until(&self, what: &str, condition: impl Fn(&Pool) -> bool) {
        let deadline_ns = clock::now_ns() + u64::try_from(DEADLINE.as_nanos()).unwrap();
        while !condition(&self.pool) {
            assert!(clock::now_ns() < deadline_ns, "still waiting: {what}");
            std::thread::yield_now();
        }
    }

    /// Waits for the end of the schedule and returns everything that was measured.
    fn finish(self) -> PoolCounts {
        for thread in self.threads {
            thread.join().unwrap();
        }
        assert_eq!((self.pool.threads(), self.pool.tasks_running()), (0, 0));
        assert_eq!(
            self.wishes.early.load(Ordering::Relaxed),
            0,
            "nothing is ever early"
        );
        self.pool.close();
        self.pool.take()
    }
}

/// The loop's life: it looks when it is woken, or when an iteration that ended asks for it, and ends what is done.
fn turn(pool: &Pool, bell: &Bell, wishes: &Wishes, start_ns: u64) {
    let (clock, mut running, mut claimed) = (LoopClock::default(), Vec::<(u64, Task)>::new(), Vec::new());
    let mut looks = true;
    while pool.threads() > 0 {
        if looks {
            looks = pool.claim_tasks(&mut claimed);
        }
        for mut task in claimed.drain(..) {
            if !pool.begin_task(&mut task) {
                looks |= pool.end_task(task, &clock);
                continue;
            }
            let now_ns = clock::now_ns();
            // Where it is looked at, iterations are planned a millisecond apart.
            let is_early = |number| now_ns < start_ns + number * NANOS_APART;
            if wishes.is_at_1000_per_s && task.number().is_some_and(is_early) {
                wishes.early.fetch_add(1, Ordering::Relaxed);
            }
            running.push((now_ns, task));
        }
        wishes
            .most_running
            .fetch_max(running.len() as u64, Ordering::Relaxed);
        let now_ns = clock::now_ns();
        let is_cancelled = pool.is_interrupted();
        let is_held = wishes.holds.load(Ordering::Acquire) && !is_cancelled;
        let (done, left): (Vec<_>, Vec<_>) = running.drain(..).partition(|(begun_ns, _)| {
            !is_held && (is_cancelled || now_ns.saturating_sub(*begun_ns) >= wishes.takes_ns)
        });
        running = left;
        for (_, mut task) in done {
            pool.probe_task(&mut task, "loop", |probe| probe.end(Phase::Run));
            looks |= pool.end_task(task, &clock);
        }
        if !looks {
            let next_ns = running
                .iter()
                .map(|(begun_ns, _)| begun_ns + wishes.takes_ns)
                .min();
            bell.wait(if is_held {
                u64::MAX
            } else {
                next_ns.unwrap_or(u64::MAX)
            });
            looks = true;
        }
    }
}

fn users(users: u32, wait: Wait, iterations: Option<u64>) -> Work {
    let model = ClosedModel {
        users,
        wait,
        ramp_up_ns: 0,
        seed: 0,
    };
    let lot = Lot::at_start(&model, Stripe::WHOLE, iterations);
    Work::closed(Users::new(model, lot, 0, None, 0))
}

#[test]
fn every_planned_iteration_is_run_once_and_measured() {
    for (rate, end_ns, takes_ns, planned) in [
        ("100", 200_000_000, 30_000_000, 20),
        ("3.7", 1_000_000_000, 0, 4),
        ("100000", 300_000_000, 0, 30_000),
        ("5000", 300_000_000, 100_000_000, 1_500),
    ] {
        let counts = Looped::start(open(rate, Some(end_ns)), 10_000, takes_ns).finish();
        let measures = &counts.measured.measures;
        assert_eq!(
            (counts.measured.planned, measures.passed, counts.measured.dropped),
            (planned, planned, 0),
            "{rate}/s"
        );
        let parts = &measures.lateness_parts;
        for histogram in [
            &measures.lateness,
            &measures.service_time,
            &measures.response_time,
            &parts.woke_late,
            &parts.no_free_thread,
            &parts.waited_for_gil,
        ] {
            assert_eq!(histogram.count(), planned);
        }
        assert!(measures.service_time.min_ns().unwrap() >= takes_ns);
        assert!(measures.busy_ns >= takes_ns * planned, "{}", measures.busy_ns);
        assert!(counts.ended && counts.in_flight == 0);
    }
}

#[test]
fn no_iteration_starts_before_it_is_planned() {
    let wishes = Wishes {
        is_at_1000_per_s: true,
        ..Wishes::default()
    };
    let counts = Looped::wishing(open("1000", Some(200_000_000)), 100, wishes, |pool| pool).finish();
    assert_eq!(counts.measured.measures.passed, 200);
}

#[test]
fn the_bound_is_kept_and_what_waits_for_it_is_late_for_that_reason() {
    let work = open("1000", Some(300_000_000));
    let looped = Looped::start(work, 5, 20_000_000);
    let wishes = Arc::clone(&looped.wishes);
    let counts = looped.finish();
    assert_eq!(wishes.most_running.load(Ordering::Relaxed), 5);
    let measures = &counts.measured.measures;
    assert_eq!((measures.passed, counts.threads, counts.max_threads), (300, 5, 5));
    // Five at a time of 20 ms each are 250/s: the last waits for 0.9 s.
    let slots = &measures.lateness_parts.no_free_thread;
    assert!(slots.max_ns().unwrap() > 500_000_000, "{:?}", slots.max_ns());
    let mean_ns = |histogram: &pysurge_core::histogram::Histogram| histogram.mean_ns().unwrap();
    assert!(mean_ns(slots) > 0.8 * mean_ns(&measures.lateness));
}

#[test]
fn what_is_too_late_at_the_bound_is_dropped() {
    let work = open("1000", Some(300_000_000)).dropping_after(Some(20_000_000));
    let counts = Looped::start(work, 2, 50_000_000).finish().measured;
    assert_eq!(counts.planned, 300);
    assert_eq!(counts.planned, counts.dropped + counts.measures.passed);
    assert!(counts.dropped > 100, "{}", counts.dropped);
}

#[test]
fn what_runs_at_the_hard_stop_is_interrupted_cancelled_and_never_recorded() {
    let looped = Looped::holding(open("1000", None), 40);
    looped.until("all slots taken", |pool| pool.tasks_running() == 40);
    assert_eq!(looped.pool.take().in_flight, 40);
    looped.pool.cut_plan(clock::now_ns());
    assert_eq!(looped.pool.interrupt(), 40);
    let counts = looped.finish();
    let measured = &counts.measured;
    assert_eq!(
        (measured.interrupted, measured.measures.passed, counts.in_flight),
        (40, 0, 0)
    );
    assert_eq!(measured.planned, measured.dropped + 40);
}

#[test]
fn a_closed_pool_waits_for_those_that_run() {
    let looped = Looped::holding(open("1000", None), 10);
    looped.until("all slots taken", |pool| pool.tasks_running() == 10);
    looped.pool.cut_plan(clock::now_ns());
    looped.pool.close();
    assert_eq!(
        looped.pool.threads(),
        1,
        "the leader lives as long as anything runs"
    );
    looped.let_go();
    let measured = looped.finish().measured;
    assert_eq!((measured.measures.passed, measured.interrupted), (10, 0));
    assert_eq!(measured.planned, measured.dropped + 10);
}

#[test]
fn users_take_turns_and_none_is_lost() {
    let think = Wait::ThinkTime(pysurge_core::plan::SpanRange {
        min_ns: 1_000_000,
        max_ns: 2_000_000,
    });
    for (wait, iterations) in [(Wait::None, 20_000), (think, 700)] {
        let looped = Looped::start(users(7, wait, Some(iterations)), 7, 0);
        let wishes = Arc::clone(&looped.wishes);
        let counts = looped.finish();
        assert_eq!(
            (counts.measured.planned, counts.measured.measures.passed),
            (iterations, iterations)
        );
        assert!(wishes.most_running.load(Ordering::Relaxed) <= 7);
    }
}

#[test]
fn a_new_rate_reaches_the_leader_while_it_sleeps() {
    let looped = Looped::start(open("1", None), 1_000, 0);
    looped.until("the first", |pool| pool.recorded() == 1);
    let factor = Factor::from_milli(1_000_000).unwrap();
    let change = Change {
        at_ns: 1,
        paused: false,
        factor,
    };
    looped.pool.change(change, 1_000, 1_000);
    looped.until("a hundred at the new rate", |pool| pool.recorded() >= 100);
    looped.pool.cut_plan(clock::now_ns());
    looped.pool.close();
    let measured = looped.finish().measured;
    assert_eq!(measured.planned, measured.measures.passed + measured.dropped);
}

#[test]
fn a_warm_up_is_accounted_for_by_itself() {
    let work = open("1000", Some(100_000_000)).warming_up_until(30_000_000);
    let counts = Looped::start(work, 100, 1_000_000).finish();
    assert_eq!(
        (counts.warmup.measures.passed, counts.measured.measures.passed),
        (30, 70)
    );
}

#[test]
fn a_faster_rate_than_the_loop_can_do_still_runs_everything() {
    let rate = Rate::parse("1000000").unwrap();
    let counts = Looped::start(open(&rate.to_string(), Some(50_000_000)), 64, 0).finish();
    assert_eq!(counts.measured.measures.passed, 50_000);
}

#[test]
fn tasks_that_hang_have_slots_of_their_own() {
    let work = open("1000", Some(300_000_000));
    let looped = Looped::watched(work, 2, |pool| pool.watching(10_000_000, 4));
    // Two fill the bound, each that overruns makes room for one more, up to four.
    let mut found = Vec::new();
    while found.len() < 4 {
        found.extend(looped.pool.look(clock::now_ns()));
        std::thread::yield_now();
    }
    let counts = looped.pool.take();
    assert_eq!(
        (counts.overran, counts.overrunning, counts.max_threads),
        (4, 4, 4)
    );
    assert_eq!(looped.pool.tasks_running(), 4);
    assert!(
        found
            .iter()
            .all(|overrun| overrun.thread == "loop" && overrun.runs().is_none())
    );
    looped.let_go();
    let counts = looped.finish();
    assert_eq!(
        (
            counts.measured.measures.passed,
            counts.overrunning,
            counts.max_threads
        ),
        (300, 0, 2)
    );
}

#[test]
fn a_leader_that_had_ended_comes_back_when_more_is_dealt() {
    let model = ClosedModel {
        users: 2,
        wait: Wait::None,
        ramp_up_ns: 0,
        seed: 0,
    };
    let stripe = |worker| Stripe { worker, workers: 2 };
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let settings = PoolSettings {
        max_threads: 4,
        shards: 1,
        start_ns: clock::now_ns(),
    };
    let lot = Lot::at_start(&model, stripe(0), Some(0));
    let users = Users::new(model.clone(), lot, 0, None, 0);
    let ask = move || {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    let pool = Pool::new(Work::closed(users), settings, Box::new(ask));
    pool.give_to_loop("loop", Box::new(|| ()));
    pool.thread_requested();
    pool.lead_tasks();
    assert_eq!((pool.threads(), asked.load(Ordering::Relaxed)), (0, 0));
    let lot = Lot {
        stripe: Stripe::WHOLE,
        from_round: 0,
        ration: Some(Ration::of(&model, stripe(1), 6)),
    };
    pool.deal(&Deal::Users { at_ns: 1, lot }, 4, 4);
    assert_eq!((pool.threads(), asked.load(Ordering::Relaxed)), (1, 1));
    let mut claimed = Vec::new();
    pool.claim_tasks(&mut claimed);
    assert_eq!(claimed.len(), 2);
}
