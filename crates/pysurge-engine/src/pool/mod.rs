//! The pool: leader and followers.
//!
//! One thread, the leader, sleeps until the next planned instant. It wakes, claims the iteration, hands the lead to an idle
//! thread and runs the iteration itself: one wake-up per iteration at low load, no queue, no hand-over of work. The idle
//! thread that is next in line sleeps by an alarm of its own until the instant after the leader's, so that it need not be
//! woken to go to sleep. A thread that ends an iteration claims the next at once if it is due already, without letting go
//! of the interpreter: no wake-up at all at saturation. The pool grows when an iteration starts and no thread is left that
//! waits for the next. Where everybody waits for the interpreter, one thread computes at a time.
//!
//! | a thread is | it waits for | it becomes |
//! |---|---|---|
//! | running | its iteration | running, if the next iteration is due; leader, if nobody leads; else idle |
//! | idle | being handed the lead (last in, first out: few threads and few connections are used while few suffice) | leader |
//! | leader | the next planned instant | running, the lead handed on |
//! | any | | ended, once every iteration is claimed or the pool is closed |
//!
//! Attached threads (those that hold an interpreter) never block on a lock that is held across a wait: the lead's lock is
//! held for a few instructions only. Sources: Schmidt et al., "Leader/Followers" (2000).

mod busy;
mod feed;
mod late;
mod tasks;
mod watch;

pub(crate) use busy::Busy;
pub use feed::Work;
pub(crate) use feed::{Part, Parted};
pub(crate) use late::Late;
pub use tasks::{LoopClock, Task};
pub use watch::Overrun;

use crate::case::{Probe, Record, TestCase};
use crate::clock;
use crate::iterations::IterationLog;
use crate::recorder::{Iteration, Recorder, ShardRef};
use busy::Stopwatch;
use feed::{Feed, Next, Progress, View};
use late::{Before, Leader, Waited};
use parking_lot::Mutex;
use pysurge_core::measure::Measures;
use pysurge_core::schedule::{Change, NOT_IN_SIGHT};
use pysurge_core::wire::Deal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
use std::thread::Thread;
use std::time::Duration;
use tasks::Tasks;
use watch::{Seat, Watch};

/// How a pool thread is bound to an interpreter, and how it lets go of it to wait.
pub trait Attachment {
    /// Waits without the interpreter, and holds it again on return.
    fn detached<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R;
}

/// No interpreter at all: threads of native tests.
#[derive(Debug, Clone, Copy)]
pub struct Unattached;

impl Attachment for Unattached {
    fn detached<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R {
        wait()
    }
}

/// What a pool is made with.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// The most threads it asks for; where an event loop runs the iterations, the most that may be in flight.
    pub max_threads: u32,
    /// Shards of its recorder: how many threads can truly run at once.
    pub shards: usize,
    /// The start of the run, nanoseconds of `CLOCK_MONOTONIC`.
    pub start_ns: u64,
}

/// Python takes the interpreter from a thread that computes after 5 ms (`sys.getswitchinterval()`); a bit less for the clock.
const FORCED_NS: u64 = 4_500_000;

/// In so long a thread that only computes ends an iteration and claims another, unless its iterations are long.
const PROGRESS_NS: u64 = 2_000_000;

/// So long at most a leader leaves the interpreter to the others. Each change of threads costs up to some milliseconds of a core,
/// where the kernel wakes the next one on a core that is busy.
const STAND_BACK_NS: u64 = 200_000_000;

/// An instant that does not come.
const NEVER: u64 = NOT_IN_SIGHT;

/// The thread that waits longest for nothing wakes this often, so that no missed wake-up can ever stop a run.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The iterations of one test in one worker, and the threads that run them.
pub struct Pool {
    feed: Feed,
    settings: PoolSettings,
    /// Who runs for too long, and how many threads it asks for at most.
    watch: Watch,
    recorder: Recorder,
    /// Iterations abandoned at the hard stop.
    interrupted: Mutex<Parted>,
    lead: Mutex<Lead>,
    /// The last start after the end of the schedule, nanoseconds since the start of the run; 0 where there was none.
    late_start_ns: AtomicU64,
    /// How long the last leader waited for the interpreter.
    attach_wait_ns: AtomicU64,
    /// How long all leaders together waited for it.
    gil_wait_ns: AtomicU64,
    /// The leader has woken for an iteration and waits for the interpreter.
    leader_attaches: AtomicBool,
    /// Threads that lead or are idle.
    waiting: AtomicU32,
    /// Threads that live or were asked for.
    threads: AtomicU32,
    /// Of these, those that have not begun yet.
    starting: AtomicU32,
    /// Every thread that was ever asked for: numbers them.
    thread_names: AtomicU32,
    /// Set when a thread could not be made: asking again would only cost time.
    no_more_threads: AtomicBool,
    ask_for_thread: Box<dyn Fn() + Send + Sync>,
    /// Where an event loop runs its iterations, in place of threads.
    tasks: Tasks,
}

#[derive(Default)]
struct Lead {
    taken: bool,
    idle: Vec<Arc<Seat>>,
    leader: Option<Thread>,
}

/// What a pool has to tell at an instant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoolCounts {
    /// The iterations that count.
    pub measured: PartCounts,
    /// Those of the warm-up.
    pub warmup: PartCounts,
    /// The last start after the end of the schedule, nanoseconds since the start of the run; 0 where there was none.
    pub late_start_ns: u64,
    /// Iterations started and not ended.
    pub in_flight: u64,
    /// Threads that live; where an event loop runs the iterations, the most that were in flight since the last call.
    pub threads: u32,
    /// Whether nothing will be started any more; some may still run.
    pub ended: bool,
    /// The most threads it asks for.
    pub max_threads: u32,
    /// Whether a thread could not be made.
    pub threads_refused: bool,
    /// How long a due iteration had a thread that waited for the interpreter, nanoseconds, since the start.
    pub gil_wait_ns: u64,
    /// Iterations that ran longer than they should, since the start.
    pub overran: u64,
    /// Of these, those that run now.
    pub overrunning: u32,
}

/// One part of [`PoolCounts`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartCounts {
    /// Iterations claimed or dropped so far.
    pub planned: u64,
    /// Of these, never started.
    pub dropped: u64,
    /// Of these, abandoned at the hard stop.
    pub interrupted: u64,
    /// Measured since the last call.
    pub measures: Measures,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("feed", &self.feed)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool without threads. `ask_for_thread` is called, from a pool thread, whenever it wants one more, after it has
    /// counted that thread; whoever makes it lets it enter [`Pool::run_thread`], or says [`Pool::thread_refused`].
    pub fn new(work: Work, settings: PoolSettings, ask_for_thread: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            feed: Feed::new(work, settings.start_ns),
            settings,
            watch: Watch::new(settings.max_threads, settings.max_threads, u64::MAX),
            recorder: Recorder::new(settings.shards, settings.start_ns),
            interrupted: Mutex::default(),
            lead: Mutex::default(),
            late_start_ns: AtomicU64::new(0),
            attach_wait_ns: AtomicU64::new(0),
            gil_wait_ns: AtomicU64::new(0),
            leader_attaches: AtomicBool::new(false),
            waiting: AtomicU32::new(0),
            threads: AtomicU32::new(0),
            starting: AtomicU32::new(0),
            thread_names: AtomicU32::new(0),
            no_more_threads: AtomicBool::new(false),
            ask_for_thread,
            tasks: Tasks::default(),
        }
    }

    /// Tells every single iteration to a log, as one of the test at this place in the plan.
    pub(crate) fn telling(self, log: IterationLog, test: u32) -> Self {
        Self {
            recorder: self.recorder.telling(log, test),
            ..self
        }
    }

    /// Watches over iterations that take longer than `max_duration_ns`: each has a slot of its own, as long as there are not more than
    /// `most_threads`.
    #[must_use]
    pub fn watching(self, max_duration_ns: u64, most_threads: u32) -> Self {
        Self {
            watch: Watch::new(self.settings.max_threads, most_threads, max_duration_ns),
            ..self
        }
    }

    /// Counts a thread that is about to be made without the pool having asked for it.
    pub fn thread_requested(&self) {
        self.starting.fetch_add(1, Ordering::AcqRel);
        self.threads.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes back a request for a thread that could not be made; none is asked for again.
    pub fn thread_refused(&self) {
        self.no_more_threads.store(true, Ordering::Relaxed);
        self.starting.fetch_sub(1, Ordering::AcqRel);
        self.threads.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes back a request for a thread that nobody needs any more: nothing will be started.
    pub(crate) fn thread_not_needed(&self) {
        self.starting.fetch_sub(1, Ordering::AcqRel);
        self.threads.fetch_sub(1, Ordering::Release);
    }

    /// Whether a thread could not be made.
    pub(crate) fn was_refused_a_thread(&self) -> bool {
        self.no_more_threads.load(Ordering::Relaxed)
    }

    /// Threads that live or were asked for.
    pub fn threads(&self) -> u32 {
        self.threads.load(Ordering::Acquire)
    }

    /// How long the last thread that led waited for the interpreter once its iteration was due, in nanoseconds.
    pub fn attach_wait_ns(&self) -> u64 {
        self.attach_wait_ns.load(Ordering::Relaxed)
    }

    /// The next number for a thread's name, from 1.
    pub fn next_thread_number(&self) -> u32 {
        self.thread_names.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The life of a pool thread, which must have been counted before. Returns when there is nothing more to run.
    pub fn run_thread(&self, case: &dyn TestCase, attachment: &impl Attachment, name: &str) {
        clock::sharpen_timers();
        self.starting.fetch_sub(1, Ordering::AcqRel);
        let ended = ThreadEnd(self);
        let seat = Arc::new(Seat::new(name));
        self.watch.enter(&seat);
        let shard = self.recorder.shard(name);
        let mut record = Record::default();
        let mut now_ns = clock::now_ns();
        let mut view = View::default();
        let closed_model = self.feed.is_closed_model();
        let mut busy = Stopwatch::start(now_ns);
        // As leader: how it has waited so far.
        let mut waited: Option<Waited> = None;
        // The last iteration was a short one.
        let mut computes = false;
        loop {
            // Where everybody waits for the interpreter, a second thread that computes only takes it from the first.
            let next = if computes && self.is_crowded() && self.running() > 1 {
                Next::NotBefore
            } else {
                self.feed.claim(now_ns, &mut view)
            };
            match next {
                Next::Run(claim) => {
                    let before = if let Some(waited) = waited.take() {
                        self.waiting.fetch_sub(1, Ordering::Relaxed);
                        self.leader_attaches.store(false, Ordering::Relaxed);
                        self.hand_on_lead(&mut view);
                        // The iteration has not started yet: waking the successor may have cost this thread its CPU.
                        now_ns = clock::now_ns();
                        Before::Waited(waited)
                    } else {
                        let leader = self.leader();
                        if leader == Leader::None {
                            // All threads are running: nobody would be there for the next planned instant.
                            self.grow(&mut view);
                        }
                        Before::Ran { leader }
                    };
                    let started_ns = now_ns;
                    let late = Late::of(claim.planned_ns, started_ns, before, self.is_crowded());
                    if started_ns >= claim.ends_ns {
                        let since_start_ns = started_ns.saturating_sub(self.settings.start_ns);
                        self.late_start_ns.fetch_max(since_start_ns, Ordering::Relaxed);
                    }
                    seat.begin(started_ns, claim.number);
                    let known = shard.known(claim.part);
                    let mut probe = Probe::new(&mut record, &known, name, claim.number);
                    case.iterate(&mut probe);
                    shard.record(
                        &mut record,
                        Iteration {
                            part: claim.part,
                            planned_ns: claim.planned_ns,
                            started_ns,
                            late,
                            number: claim.number,
                            closed_model,
                        },
                    );
                    busy.ran(claim.part);
                    // Read anew: what came after the last hook, a destructor for one, delays the next iteration too.
                    now_ns = clock::now_ns();
                    if self.feed.ended(&claim, now_ns) {
                        self.wake_leader();
                    }
                    let took_ns = now_ns.saturating_sub(started_ns);
                    computes = took_ns < PROGRESS_NS;
                    if self.watch.is_long(took_ns) {
                        let own_ns = took_ns.saturating_sub(record.waited_ns);
                        self.watch.ended(&seat, self.watch.is_long(own_ns));
                    }
                    if busy.is_long(now_ns) {
                        tell_busy(&shard, &mut busy, now_ns);
                    }
                }
                Next::NotBefore => {
                    computes = false;
                    seat.idle();
                    if waited.is_none() {
                        tell_busy(&shard, &mut busy, now_ns);
                    }
                    let leading = self.wait(attachment, &seat, &mut view, waited, now_ns);
                    now_ns = leading.attached_ns;
                    waited = Some(leading);
                    busy = Stopwatch::start(now_ns);
                }
                Next::Nothing => break,
            }
        }
        tell_busy(&shard, &mut busy, now_ns);
        if waited.is_some() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.leader_attaches.store(false, Ordering::Relaxed);
            self.give_up_lead(&seat);
        }
        self.watch.leave(&seat);
        self.wake_all();
        drop(ended);
        self.look_back();
    }

    /// A thread that saw nothing left and has ended looks once more: somebody who brought more may have taken it for one who waits for it.
    fn look_back(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) == 0 {
            self.grow(&mut View::default());
        }
    }

    /// A leader ends, and nobody leads.
    fn give_up_lead(&self, seat: &Seat) {
        let mut lead = self.lead.lock();
        if lead
            .leader
            .as_ref()
            .is_some_and(|leader| leader.id() == seat.thread.id())
        {
            (lead.taken, lead.leader) = (false, None);
        }
    }

    /// Waits until this thread leads, unless it has waited before and does, and the next iteration seems due. Leads on return.
    fn wait(
        &self,
        attachment: &impl Attachment,
        seat: &Arc<Seat>,
        view: &mut View,
        before: Option<Waited>,
        now_ns: u64,
    ) -> Waited {
        if before.is_none() {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
        let woken_ns = attachment.detached(|| {
            if before.is_none() {
                self.wait_for_lead(seat, view);
            }
            self.leader_attaches.store(false, Ordering::Relaxed);
            self.sleep_until_due(view);
            self.leader_attaches.store(true, Ordering::Relaxed);
            clock::now_ns()
        });
        let attached_ns = clock::now_ns();
        let attach_wait_ns = attached_ns.saturating_sub(woken_ns);
        self.attach_wait_ns.store(attach_wait_ns, Ordering::Relaxed);
        self.gil_wait_ns.fetch_add(attach_wait_ns, Ordering::Relaxed);
        Waited {
            since_ns: before.map_or(now_ns, |before| before.since_ns),
            woken_ns,
            attached_ns,
        }
    }

    /// What the thread is at that would take the next iteration, seen from one that takes it instead.
    fn leader(&self) -> Leader {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            Leader::None
        } else if self.leader_attaches.load(Ordering::Relaxed) {
            Leader::Attaches
        } else {
            Leader::Sleeps
        }
    }

    /// Waits until this thread leads; also returns when nothing is left to lead for.
    fn wait_for_lead(&self, seat: &Arc<Seat>, view: &mut View) {
        {
            let mut lead = self.lead.lock();
            if !lead.taken {
                lead.taken = true;
                lead.leader = Some(seat.thread.clone());
                return;
            }
            if self.feed.is_over(view) {
                return;
            }
            seat.has_lead.store(false, Ordering::Relaxed);
            // The leader waits for the next iteration. Who became idle last will lead for the one after, and sets its own alarm
            // for it: then nobody needs to wake it only for it to go to sleep again.
            seat.wakes_ns
                .store(self.feed.due_ns(1, view).unwrap_or(NEVER), Ordering::Relaxed);
            lead.idle.push(Arc::clone(seat));
        }
        while !seat.has_lead.load(Ordering::Acquire) && !self.feed.is_over(view) {
            let wakes_ns = seat.wakes_ns.load(Ordering::Relaxed);
            let left_ns = wakes_ns.saturating_sub(clock::now_ns());
            if left_ns > 0 {
                std::thread::park_timeout(Duration::from_nanos(left_ns).min(LONGEST_SLEEP));
                continue;
            }
            // Its turn has not come; from now on it must be woken. Under the lock, for whoever hands it the lead looks there.
            let _lead = self.lead.lock();
            seat.wakes_ns.store(NEVER, Ordering::Relaxed);
        }
    }

    /// As leader, sleeps until the next unclaimed iteration is due.
    fn sleep_until_due(&self, view: &mut View) {
        let arrived_ns = clock::now_ns();
        loop {
            let now_ns = clock::now_ns();
            let pulse = self.feed.pulse();
            if self.feed.is_over(view) {
                return;
            }
            // Where nobody knows when the next is due, whoever finds out wakes the leader.
            let due_ns = self.feed.due_ns(0, view).unwrap_or(NEVER);
            if due_ns <= now_ns {
                if !self.stands_back(
                    now_ns.saturating_sub(due_ns),
                    now_ns.saturating_sub(arrived_ns),
                    pulse,
                ) {
                    return;
                }
                continue;
            }
            std::thread::park_timeout(Duration::from_nanos(due_ns - now_ns).min(LONGEST_SLEEP));
        }
    }

    /// As leader of a crowded pool that is late anyway: leaves the interpreter to those who run, as long as they get on without
    /// it. False once it should run itself.
    fn stands_back(&self, late_ns: u64, stood_ns: u64, pulse: u64) -> bool {
        if !self.is_crowded() || late_ns < PROGRESS_NS || stood_ns >= STAND_BACK_NS {
            return false;
        }
        std::thread::park_timeout(Duration::from_nanos(PROGRESS_NS));
        self.feed.pulse() != pulse
    }

    /// Whether the last leader got the interpreter only because Python took it from another thread: nobody had waited for
    /// anything else for a whole switch interval.
    fn is_crowded(&self) -> bool {
        self.attach_wait_ns.load(Ordering::Relaxed) >= FORCED_NS
    }

    /// Threads that run an iteration.
    fn running(&self) -> u32 {
        let others = self.waiting.load(Ordering::Relaxed) + self.starting.load(Ordering::Relaxed);
        self.threads.load(Ordering::Relaxed).saturating_sub(others)
    }

    /// Gives the lead to the thread that became idle last; asks for another thread when none would be left to follow it.
    fn hand_on_lead(&self, view: &mut View) {
        let due_ns = self.feed.due_ns(0, view).unwrap_or(0);
        let (to_wake, followers) = {
            let mut lead = self.lead.lock();
            let successor = lead.idle.pop();
            lead.taken = successor.is_some();
            lead.leader = successor.as_ref().map(|seat| seat.thread.clone());
            // One whose own alarm rings in time finds then that it leads.
            let to_wake = successor.filter(|seat| {
                seat.has_lead.store(true, Ordering::Release);
                seat.wakes_ns.load(Ordering::Relaxed) > due_ns
            });
            (to_wake, lead.idle.len())
        };
        if let Some(seat) = to_wake {
            seat.thread.unpark();
        }
        if followers == 0 {
            self.grow(view);
        }
    }

    fn grow(&self, view: &mut View) {
        let full = self.threads.load(Ordering::Relaxed) >= self.max_threads();
        if full || self.no_more_threads.load(Ordering::Relaxed) || self.feed.is_over(view) {
            return;
        }
        // One at a time: at a million iterations a second hundreds would be asked for while the first is being made.
        let alone = self
            .starting
            .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed);
        if alone.is_ok() {
            self.threads.fetch_add(1, Ordering::AcqRel);
            (self.ask_for_thread)();
        }
    }

    /// Lets the leader look anew when the next iteration is due.
    fn wake_leader(&self) {
        if let Some(leader) = &self.lead.lock().leader {
            leader.unpark();
        }
    }

    fn wake_all(&self) {
        let mut lead = self.lead.lock();
        for seat in lead.idle.drain(..) {
            seat.has_lead.store(true, Ordering::Release);
            seat.thread.unpark();
        }
        if let Some(leader) = &lead.leader {
            leader.unpark();
        }
    }

    /// Goes on otherwise from an instant on, with at most so many threads, and at most so many where iterations overrun.
    pub fn change(&self, change: Change, max_threads: u32, most_threads: u32) {
        self.feed.change(change);
        self.go_on(max_threads, most_threads);
    }

    /// Has another part of the plan from some point on, with at most so many threads, and at most so many where iterations overrun.
    pub fn deal(&self, deal: &Deal, max_threads: u32, most_threads: u32) {
        self.feed.deal(deal);
        self.go_on(max_threads, most_threads);
    }

    /// What is planned is not what it was.
    fn go_on(&self, max_threads: u32, most_threads: u32) {
        self.watch.resize(max_threads, most_threads);
        self.wake_leader();
        // Nobody may be there to notice: all threads run, or nothing seemed to be left and they have ended.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) == 0 {
            self.grow(&mut View::default());
        }
    }

    /// Looks who runs for longer than it should; gives those that were not known before. They have slots of their own from now on.
    pub fn look(&self, now_ns: u64) -> Vec<Overrun> {
        let found = self.watch.look(now_ns, self.tasks.thread());
        if !found.is_empty() {
            if self.tasks.are_here() {
                self.wake_leader();
            } else if self.waiting.load(Ordering::Relaxed) == 0 {
                self.grow(&mut View::default());
            }
        }
        found
    }

    /// Moves whenever an iteration is claimed, dropped or recorded.
    pub fn pulse(&self) -> u64 {
        self.feed.pulse().wrapping_add(self.recorded())
    }

    /// Iterations planned at or after this instant (nanoseconds of `CLOCK_MONOTONIC`) are not part of the plan any more.
    pub fn cut_plan(&self, plan_ends_ns: u64) {
        self.feed.cut(plan_ends_ns);
    }

    /// Starts no iteration any more; what is planned and was not started is dropped.
    pub fn close(&self) {
        self.feed.close();
        self.wake_all();
    }

    /// Records nothing any more: what still runs is interrupted. Returns how many iterations that are.
    pub fn interrupt(&self) -> u64 {
        self.close();
        let interrupted = self.feed.progress().claimed.minus(self.recorder.close());
        *self.interrupted.lock() = interrupted;
        self.watch.close();
        self.tasks.interrupt();
        interrupted.sum()
    }

    /// The most threads this pool asks for.
    pub fn max_threads(&self) -> u32 {
        self.watch.bound()
    }

    /// How many iterations are due, before anything is claimed, up to so long after an instant of the run; for whoever joins a run, up to so
    /// long after its first one, if that comes soon.
    pub fn due_within(&self, from_ns: u64, span_ns: u64) -> u64 {
        self.feed.due_within(from_ns, span_ns)
    }

    /// When the next iteration is due, nanoseconds of `CLOCK_MONOTONIC`; `None` where there is none or nobody knows.
    pub fn due_ns(&self) -> Option<u64> {
        self.feed.due_ns(0, &mut View::default())
    }

    /// Iterations passed and failed since the start.
    pub fn recorded(&self) -> u64 {
        self.recorder.recorded().sum()
    }

    /// Whether nothing will be started any more; some may still run.
    pub fn has_ended(&self) -> bool {
        self.feed.is_over(&mut View::default())
    }

    /// Everything to be told now; the measures are those since the last call.
    pub fn take(&self) -> PoolCounts {
        let threads = self.tasks.told().unwrap_or_else(|| self.threads());
        let interrupted = *self.interrupted.lock();
        let in_flight = self.feed.in_flight(self.recorder.recorded(), interrupted);
        // What is told to have ended was told before to have been claimed.
        let [measured, warmup] = self.recorder.take();
        let Progress { claimed, planned } = self.feed.progress();
        let dropped = planned.minus(claimed);
        let (overran, overrunning) = self.watch.told();
        PoolCounts {
            measured: PartCounts {
                planned: planned.measured,
                dropped: dropped.measured,
                interrupted: interrupted.measured,
                measures: measured,
            },
            warmup: PartCounts {
                planned: planned.warmup,
                dropped: dropped.warmup,
                interrupted: interrupted.warmup,
                measures: warmup,
            },
            late_start_ns: self.late_start_ns.load(Ordering::Relaxed),
            in_flight,
            threads,
            ended: self.has_ended(),
            max_threads: self.max_threads(),
            threads_refused: self.no_more_threads.load(Ordering::Relaxed),
            gil_wait_ns: self.gil_wait_ns.load(Ordering::Relaxed),
            overran,
            overrunning,
        }
    }
}

fn tell_busy(shard: &ShardRef<'_>, busy: &mut Stopwatch, now_ns: u64) {
    if let Some((part, spent)) = busy.lap(now_ns) {
        shard.record_busy(part, spent);
    }
}

/// Counts a thread out. One that panics stays counted: its iteration is claimed and will never be told of, and whoever
/// caught the panic is about to end the worker.
struct ThreadEnd<'a>(&'a Pool);

impl Drop for ThreadEnd<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.threads.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
