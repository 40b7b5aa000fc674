//! The other way to run a pool: its iterations are tasks of an event loop, thousands at a time, and no threads.
//!
//! | who | does | must never |
//! |---|---|---|
//! | the leader, a native thread | sleeps until the next planned instant, then wakes the loop | need the interpreter |
//! | the loop's thread | claims what is due, a batch per turn, makes a task of each, ends them | wait for a planned instant |
//!
//! A loop that ends an iteration while others are due claims them by itself: no wake-up at saturation. While it has not looked at the
//! schedule since the leader woke it, it is not woken again. What is in flight is bounded by the pool's size; at the bound iterations become
//! late, or are dropped, as where no thread is free. The leader lives until nothing is planned and nothing in flight.

use super::feed::{Claim, Next, Part, View};
use super::late::Full;
use super::{LONGEST_SLEEP, Late, NEVER, PROGRESS_NS, Pool, ThreadEnd};
use crate::case::{Probe, Record};
use crate::clock;
use crate::pool::Busy;
use crate::recorder::{Iteration, ShardRef};
use parking_lot::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Tasks made in one turn of the loop, at first: with no-op iterations a turn's own cost (a poll of the system) is then a few percent.
const FIRST_BATCH: usize = 32;

/// And at most. What is made in a turn takes its first step in the next one, before anything else of the loop is looked at.
const MOST_BATCH: usize = 256;

/// A turn that takes longer than this delays what is ready: fewer tasks are made in the next one.
const LONG_TURN_NS: u64 = 2_000_000;

/// Records kept for iterations to come. One is about 300 bytes.
const MOST_RECORDS: usize = 4_096;

/// How often the loop's CPU clock, a system call, is read.
const CPU_INTERVAL_NS: u64 = 100_000_000;

/// An iteration that a task runs. One that is dropped and not ended stays in flight for ever.
#[derive(Debug)]
pub struct Task {
    claim: Claim,
    record: Record,
    /// Nanoseconds of `CLOCK_MONOTONIC`; 0 before its first step.
    started_ns: u64,
    late: Late,
    /// When the phase it is in began.
    mark_ns: Option<u64>,
    /// When the leader had woken the loop for it; 0 where the loop came by itself.
    asked_ns: u64,
    full: Full,
    /// Its seat, once it has begun.
    seat: Option<u32>,
}

impl Task {
    /// Whether it has taken its first step.
    pub fn has_begun(&self) -> bool {
        self.started_ns > 0
    }

    /// When it took its first step, nanoseconds of `CLOCK_MONOTONIC`; 0 before.
    pub fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// Which of the test's arrivals it is; `None` in the closed model.
    pub fn number(&self) -> Option<u64> {
        self.claim.number
    }
}

/// The CPU clock of the thread that a loop runs on. All pools of the loop share it: who ends an iteration when it is time to read it is
/// told all that was used since the last reading, so that over a run each has its part.
#[derive(Debug, Default)]
pub struct LoopClock {
    told_cpu_ns: AtomicU64,
}

impl LoopClock {
    /// CPU time of the calling thread that was not told yet.
    fn lap_ns(&self) -> u64 {
        let cpu_ns = clock::thread_cpu_ns();
        cpu_ns.saturating_sub(self.told_cpu_ns.swap(cpu_ns, Ordering::Relaxed))
    }
}

/// What a pool needs to have its iterations run by a loop.
#[derive(Default)]
pub(super) struct Tasks {
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    running: AtomicU32,
    /// The most that were in flight since it was last told.
    peak: AtomicU32,
    /// Since when the loop has been asked to look; 0 where it has looked since.
    asked_ns: AtomicU64,
    /// The leader has no alarm set: it waits for the loop to come to the end of what is due.
    leader_waits: AtomicBool,
    interrupted: AtomicBool,
    /// The loop's place among the recorder's threads.
    place: AtomicU32,
    /// What the loop's thread is called.
    thread: OnceLock<String>,
    claimer: Mutex<Claimer>,
}

/// What only the loop's thread uses.
struct Claimer {
    view: View,
    records: Vec<Record>,
    batch: usize,
    looked_ns: u64,
    full: Full,
    is_full: bool,
    /// How long iterations took in all that was not told yet, nanoseconds: of those that count, and of the warm-up.
    busy: [u64; 2],
    busy_told_ns: u64,
}

impl Default for Claimer {
    fn default() -> Self {
        Self {
            view: View::default(),
            records: Vec::new(),
            batch: FIRST_BATCH,
            looked_ns: 0,
            full: Full::default(),
            is_full: false,
            busy: [0; 2],
            busy_told_ns: 0,
        }
    }
}

impl Tasks {
    /// The most that were in flight since the last call, at least 1; `None` where the pool has threads.
    pub(super) fn told(&self) -> Option<u32> {
        self.wake.get()?;
        let running = self.running.load(Ordering::Relaxed);
        Some(self.peak.swap(running, Ordering::Relaxed).max(running).max(1))
    }

    /// Whether a loop runs the pool's iterations.
    pub(super) fn are_here(&self) -> bool {
        self.wake.get().is_some()
    }

    /// What the loop's thread is called.
    pub(super) fn thread(&self) -> &str {
        self.thread.get().map_or("", String::as_str)
    }

    /// The loop is to end what is left.
    pub(super) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }
}

impl Pool {
    /// Says how the loop is woken that runs this pool's iterations, from any thread, and what they are called. Once, before anything else
    /// here; a second call changes nothing.
    pub fn give_to_loop(&self, name: &str, wake: Box<dyn Fn() + Send + Sync>) {
        if self.tasks.wake.set(wake).is_ok() {
            let place = self.recorder.shard(name).place();
            self.tasks.place.store(place, Ordering::Relaxed);
            let _ = self.tasks.thread.set(name.to_owned());
        }
    }

    /// The life of the leader, which must have been counted before. Returns when nothing is planned and nothing in flight.
    pub fn lead_tasks(&self) {
        clock::sharpen_timers();
        self.starting.fetch_sub(1, Ordering::AcqRel);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let ended = ThreadEnd(self);
        {
            let mut lead = self.lead.lock();
            (lead.taken, lead.leader) = (true, Some(std::thread::current()));
        }
        let mut view = View::default();
        while !(self.feed.is_over(&mut view) && self.tasks_running() == 0) {
            // Said before it is known, so that a loop that comes to the end of what is due meanwhile is not missed.
            self.tasks.leader_waits.store(true, Ordering::SeqCst);
            let now_ns = clock::now_ns();
            let wakes_ns = self.next_alarm_ns(now_ns, &mut view);
            if wakes_ns != NEVER {
                self.tasks.leader_waits.store(false, Ordering::SeqCst);
            }
            let left_ns = wakes_ns.saturating_sub(now_ns);
            std::thread::park_timeout(Duration::from_nanos(left_ns).min(LONGEST_SLEEP));
        }
        {
            let mut lead = self.lead.lock();
            (lead.taken, lead.leader) = (false, None);
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        drop(ended);
        self.look_back();
        // The loop need not look here any more.
        self.tasks.wake();
    }

    /// Wakes the loop where something is due; says when the leader is to look anew.
    fn next_alarm_ns(&self, now_ns: u64, view: &mut View) -> u64 {
        // At the bound, whoever ends an iteration claims the next.
        if self.tasks_running() >= self.max_threads() {
            return NEVER;
        }
        match self.feed.due_ns(0, view) {
            None => NEVER,
            Some(due_ns) if due_ns > now_ns => due_ns,
            Some(_) => {
                self.ask_loop(now_ns);
                // The one after it has an alarm of its own, so that the loop need not wake the leader for it. In a backlog it must.
                let next_ns = self.feed.due_ns(1, view);
                next_ns.filter(|next_ns| *next_ns > now_ns).unwrap_or(NEVER)
            }
        }
    }

    fn ask_loop(&self, now_ns: u64) {
        let asked = &self.tasks.asked_ns;
        if asked
            .compare_exchange(0, now_ns, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
        {
            self.tasks.wake();
        }
    }

    /// Iterations that were claimed for tasks and have not ended.
    pub fn tasks_running(&self) -> u32 {
        self.tasks.running.load(Ordering::Acquire)
    }

    /// Whether the hard stop has come: tasks that are left are to be cancelled.
    pub fn is_interrupted(&self) -> bool {
        self.tasks.interrupted.load(Ordering::Acquire)
    }

    /// Claims what is due, at most a batch. True where more may be due: the loop is to let its tasks go on and then ask again.
    pub fn claim_tasks(&self, due: &mut Vec<Task>) -> bool {
        let asked_ns = self.tasks.asked_ns.swap(0, Ordering::AcqRel);
        let mut claimer = self.tasks.claimer.lock();
        let claimer = &mut *claimer;
        let now_ns = clock::now_ns();
        let (first, looked_ns) = (due.len(), claimer.looked_ns);
        let most = first + claimer.batch;
        let max_running = self.max_threads();
        let again = loop {
            if self.tasks_running() >= max_running {
                if !claimer.is_full {
                    claimer.is_full = true;
                    claimer.full.begin(now_ns, PROGRESS_NS);
                }
                break false;
            }
            if due.len() == most {
                break true;
            }
            match self.feed.claim(now_ns, &mut claimer.view) {
                Next::Run(claim) => {
                    let mut record = claimer.records.pop().unwrap_or_default();
                    record.clear();
                    let running = self.tasks.running.fetch_add(1, Ordering::AcqRel) + 1;
                    self.tasks.peak.fetch_max(running, Ordering::Relaxed);
                    due.push(Task {
                        claim,
                        record,
                        started_ns: 0,
                        late: Late::default(),
                        mark_ns: None,
                        asked_ns,
                        full: claimer.full,
                        seat: None,
                    });
                }
                Next::NotBefore | Next::Nothing => {
                    if self.tasks.leader_waits.swap(false, Ordering::SeqCst) {
                        self.wake_leader();
                    }
                    break false;
                }
            }
        };
        claimer.looked_ns = now_ns;
        if let Some(oldest) = due.get(first) {
            let since_ns = oldest.claim.planned_ns.max(looked_ns).max(asked_ns);
            let waited_ns = now_ns.saturating_sub(since_ns.max(claimer.full.until_ns()));
            self.gil_wait_ns.fetch_add(waited_ns, Ordering::Relaxed);
        }
        if again {
            claimer.batch = if now_ns.saturating_sub(looked_ns) > LONG_TURN_NS {
                (claimer.batch / 2).max(1)
            } else {
                (claimer.batch * 2).min(MOST_BATCH)
            };
        }
        again
    }

    /// A task takes its first step. False where it is to end at once: the hard stop has come.
    pub fn begin_task(&self, task: &mut Task) -> bool {
        if self.is_interrupted() {
            return false;
        }
        let started_ns = clock::now_ns();
        task.started_ns = started_ns;
        task.seat = Some(self.watch.task_begins(started_ns, task.claim.number));
        task.mark_ns = Some(started_ns);
        task.late = Late::of_task(task.claim.planned_ns, started_ns, task.asked_ns, task.full);
        if started_ns >= task.claim.ends_ns {
            let since_start_ns = started_ns.saturating_sub(self.settings.start_ns);
            self.late_start_ns.fetch_max(since_start_ns, Ordering::Relaxed);
        }
        true
    }

    /// Lets an iteration tell something, on the thread of this name.
    pub fn probe_task<R>(&self, task: &mut Task, thread: &str, what: impl FnOnce(&mut Probe<'_>) -> R) -> R {
        let known = self.loop_shard().known(task.claim.part);
        let mut probe = Probe::resumed(&mut task.record, &known, thread, task.claim.number, task.mark_ns);
        let result = what(&mut probe);
        task.mark_ns = probe.mark_ns();
        result
    }

    /// An iteration has ended; one that never began is not recorded. True where others may be due that nobody else will claim: the loop is to
    /// look.
    pub fn end_task(&self, mut task: Task, loop_clock: &LoopClock) -> bool {
        let closed_model = self.feed.is_closed_model();
        let shard = self.loop_shard();
        if task.has_begun() {
            shard.record(
                &mut task.record,
                Iteration {
                    part: task.claim.part,
                    planned_ns: task.claim.planned_ns,
                    started_ns: task.started_ns,
                    late: task.late,
                    number: task.claim.number,
                    closed_model,
                },
            );
        }
        let now_ns = clock::now_ns();
        if let Some(seat) = task.seat {
            self.watch.task_ends(seat, now_ns.saturating_sub(task.started_ns));
        }
        let mut claimer = self.tasks.claimer.lock();
        let claimer = &mut *claimer;
        if task.has_begun() {
            claimer.busy[usize::from(task.claim.part == Part::Warmup)] +=
                now_ns.saturating_sub(task.started_ns);
        }
        if claimer.records.len() < MOST_RECORDS {
            claimer.records.push(task.record);
        }
        // Whoever waits for a slot gets this one.
        let mut look = std::mem::replace(&mut claimer.is_full, false);
        if look {
            claimer.full.end(now_ns);
        }
        let left = self.tasks.running.fetch_sub(1, Ordering::AcqRel) - 1;
        if self.feed.ended(&task.claim, now_ns) {
            if self
                .feed
                .due_ns(0, &mut claimer.view)
                .is_some_and(|due_ns| due_ns <= now_ns)
            {
                look = true;
            } else {
                self.wake_leader();
            }
        }
        let is_last = left == 0 && self.feed.is_over(&mut claimer.view);
        if is_last || now_ns.saturating_sub(claimer.busy_told_ns) > CPU_INTERVAL_NS {
            tell_busy(&shard, claimer, task.claim.part, loop_clock);
            claimer.busy_told_ns = now_ns;
        }
        if is_last {
            self.wake_leader();
        }
        look
    }

    fn loop_shard(&self) -> ShardRef<'_> {
        let place = self.tasks.place.load(Ordering::Relaxed);
        self.recorder.shard_at(place)
    }
}

fn tell_busy(shard: &ShardRef<'_>, claimer: &mut Claimer, last: Part, loop_clock: &LoopClock) {
    let cpu_ns = loop_clock.lap_ns();
    for (part, wall_ns) in [Part::Measured, Part::Warmup].into_iter().zip(&mut claimer.busy) {
        let wall_ns = std::mem::take(wall_ns);
        let cpu_ns = if part == last { cpu_ns } else { 0 };
        if wall_ns > 0 || cpu_ns > 0 {
            shard.record_busy(part, Busy { wall_ns, cpu_ns });
        }
    }
}
