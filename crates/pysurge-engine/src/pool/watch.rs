//! Which iterations run for longer than they should, seen from outside: by a thread that looks now and then, and needs no interpreter.
//!
//! A thread's iteration costs two relaxed stores to its seat and one comparison at its end. Only one that overran takes the lock here. Each is
//! counted once, whether a look found it or its own end. As long as it runs, it has a slot of its own: the pool's bound is higher by one.
//! Tasks of an event loop have seats in a list, for they have no thread of their own.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::Thread;

/// No iteration runs.
const IDLE: u64 = 0;

/// In the place of an iteration's number where it has none.
const NO_NUMBER: u64 = u64::MAX;

/// An iteration is found to overrun so long after it began to: far more than what one thread stores takes to be seen by another, so that
/// no look takes a new iteration for the one before. What ends meanwhile is counted by its end.
const SEEN_AFTER_NS: u64 = 10_000_000;

/// Where a pool thread sits.
pub(super) struct Seat {
    pub(super) thread: Thread,
    name: Box<str>,
    pub(super) has_lead: AtomicBool,
    /// When the thread wakes by itself, nanoseconds of `CLOCK_MONOTONIC`; [`super::NEVER`] where it waits to be woken.
    pub(super) wakes_ns: AtomicU64,
    /// When its iteration, or the last one, began; [`IDLE`] where it waits.
    started_ns: AtomicU64,
    number: AtomicU64,
    /// The beginning of its last iteration that a look found to overrun. Changed under the watch's lock only.
    found_ns: AtomicU64,
}

impl Seat {
    pub(super) fn new(name: &str) -> Self {
        Self {
            thread: std::thread::current(),
            name: name.into(),
            has_lead: AtomicBool::new(false),
            wakes_ns: AtomicU64::new(super::NEVER),
            started_ns: AtomicU64::new(IDLE),
            number: AtomicU64::new(NO_NUMBER),
            found_ns: AtomicU64::new(IDLE),
        }
    }

    /// The thread begins an iteration.
    #[inline]
    pub(super) fn begin(&self, started_ns: u64, number: Option<u64>) {
        self.number.store(number.unwrap_or(NO_NUMBER), Ordering::Relaxed);
        self.started_ns.store(started_ns, Ordering::Relaxed);
    }

    /// The thread waits.
    pub(super) fn idle(&self) {
        self.started_ns.store(IDLE, Ordering::Relaxed);
    }
}

/// An iteration that runs for longer than its `max_duration`.
#[derive(Clone)]
pub struct Overrun {
    /// The name of its thread; of a task, that of its event loop's.
    pub thread: String,
    /// When it began, nanoseconds of `CLOCK_MONOTONIC`. No two tasks of a test have begun at the same instant.
    pub started_ns: u64,
    /// See [`crate::Probe::number`].
    pub number: Option<u64>,
    seat: Option<Arc<Seat>>,
}

impl std::fmt::Debug for Overrun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overrun")
            .field("thread", &self.thread)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Overrun {
    /// Whether its thread is still at it; `None` of a task, which its event loop knows. Exact where the caller holds the interpreter.
    pub fn runs(&self) -> Option<bool> {
        let seat = self.seat.as_ref()?;
        Some(seat.started_ns.load(Ordering::Relaxed) == self.started_ns)
    }
}

/// Watches over the iterations of one pool.
pub(super) struct Watch {
    max_duration_ns: u64,
    /// The most threads or tasks there may be now.
    bound: AtomicU32,
    watched: Mutex<Watched>,
}

struct Watched {
    /// The bound while nothing overruns.
    base: u32,
    /// The bound whatever overruns.
    most: u32,
    seats: Vec<Arc<Seat>>,
    tasks: Vec<TaskSeat>,
    free: Vec<u32>,
    overran: u64,
    overrunning: u32,
    closed: bool,
}

#[derive(Clone, Copy)]
struct TaskSeat {
    started_ns: u64,
    number: Option<u64>,
    found: bool,
}

const FREE: TaskSeat = TaskSeat {
    started_ns: IDLE,
    number: None,
    found: false,
};

impl Watch {
    /// For a pool of at most `base` threads, and up to `most` where iterations overrun.
    pub(super) fn new(base: u32, most: u32, max_duration_ns: u64) -> Self {
        Self {
            max_duration_ns,
            bound: AtomicU32::new(base),
            watched: Mutex::new(Watched {
                base,
                most: most.max(base),
                seats: Vec::new(),
                tasks: Vec::new(),
                free: Vec::new(),
                overran: 0,
                overrunning: 0,
                closed: false,
            }),
        }
    }

    /// The most threads or tasks there may be now.
    #[inline]
    pub(super) fn bound(&self) -> u32 {
        self.bound.load(Ordering::Relaxed)
    }

    pub(super) fn resize(&self, base: u32, most: u32) {
        let mut watched = self.watched.lock();
        (watched.base, watched.most) = (base, most.max(base));
        self.rebound(&watched);
    }

    fn rebound(&self, watched: &Watched) {
        let bound = watched.base.saturating_add(watched.overrunning).min(watched.most);
        self.bound.store(bound, Ordering::Relaxed);
    }

    pub(super) fn enter(&self, seat: &Arc<Seat>) {
        self.watched.lock().seats.push(Arc::clone(seat));
    }

    pub(super) fn leave(&self, seat: &Arc<Seat>) {
        self.watched
            .lock()
            .seats
            .retain(|other| !Arc::ptr_eq(other, seat));
    }

    /// Whether an iteration that took so long overran.
    #[inline]
    pub(super) fn is_long(&self, took_ns: u64) -> bool {
        took_ns > self.max_duration_ns
    }

    /// The iteration of a thread has ended after longer than it should; `counts` where it itself was that long.
    #[cold]
    pub(super) fn ended(&self, seat: &Seat, counts: bool) {
        let mut watched = self.watched.lock();
        let found_ns = seat.found_ns.swap(IDLE, Ordering::Relaxed);
        let found = found_ns != IDLE && found_ns == seat.started_ns.load(Ordering::Relaxed);
        seat.idle();
        watched.ended(found, counts);
        self.rebound(&watched);
    }

    /// A task has begun: gives its seat.
    pub(super) fn task_begins(&self, started_ns: u64, number: Option<u64>) -> u32 {
        let mut watched = self.watched.lock();
        let task = TaskSeat {
            started_ns,
            number,
            found: false,
        };
        if let Some(place) = watched.free.pop() {
            watched.tasks[place as usize] = task;
            return place;
        }
        watched.tasks.push(task);
        u32::try_from(watched.tasks.len() - 1).expect("tasks are bounded")
    }

    /// A task has ended, having taken so long.
    pub(super) fn task_ends(&self, place: u32, took_ns: u64) {
        let mut watched = self.watched.lock();
        let task = std::mem::replace(&mut watched.tasks[place as usize], FREE);
        watched.free.push(place);
        if task.found || self.is_long(took_ns) {
            watched.ended(task.found, true);
            self.rebound(&watched);
        }
    }

    /// Looks who overruns; gives those that were not known before. `thread` is what the tasks' thread is called.
    pub(super) fn look(&self, now_ns: u64, thread: &str) -> Vec<Overrun> {
        let mut watched = self.watched.lock();
        if watched.closed {
            return Vec::new();
        }
        let watched = &mut *watched;
        let mut found = Vec::new();
        let is_overdue = |started_ns: u64| {
            started_ns != IDLE
                && now_ns.saturating_sub(started_ns) > self.max_duration_ns.saturating_add(SEEN_AFTER_NS)
        };
        for seat in &watched.seats {
            let started_ns = seat.started_ns.load(Ordering::Relaxed);
            if is_overdue(started_ns) && seat.found_ns.swap(started_ns, Ordering::Relaxed) != started_ns {
                let number = seat.number.load(Ordering::Relaxed);
                found.push(Overrun {
                    thread: seat.name.to_string(),
                    started_ns,
                    number: (number != NO_NUMBER).then_some(number),
                    seat: Some(Arc::clone(seat)),
                });
            }
        }
        for task in &mut watched.tasks {
            if is_overdue(task.started_ns) && !std::mem::replace(&mut task.found, true) {
                found.push(Overrun {
                    thread: thread.to_owned(),
                    started_ns: task.started_ns,
                    number: task.number,
                    seat: None,
                });
            }
        }
        watched.overran += found.len() as u64;
        watched.overrunning += u32::try_from(found.len()).unwrap_or(u32::MAX);
        if !found.is_empty() {
            self.rebound(watched);
        }
        found
    }

    /// Iterations that overran so far, and those that do now.
    pub(super) fn told(&self) -> (u64, u32) {
        let watched = self.watched.lock();
        (watched.overran, watched.overrunning)
    }

    /// What runs now is interrupted: nothing is counted any more.
    pub(super) fn close(&self) {
        let mut watched = self.watched.lock();
        (watched.closed, watched.overrunning) = (true, 0);
    }
}

impl Watched {
    fn ended(&mut self, found: bool, counts: bool) {
        if self.closed {
            return;
        }
        if found {
            self.overrunning -= 1;
        } else if counts {
            self.overran += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn one_seat(base: u32, most: u32) -> (Watch, Arc<Seat>) {
        let watch = Watch::new(base, most, 100 * MS);
        let seat = Arc::new(Seat::new("t-1"));
        watch.enter(&seat);
        (watch, seat)
    }

    /// As the thread itself does at the end of an iteration.
    fn end(watch: &Watch, seat: &Seat, now_ns: u64) {
        let took_ns = now_ns - seat.started_ns.load(Ordering::Relaxed);
        if watch.is_long(took_ns) {
            watch.ended(seat, true);
        }
    }

    #[test]
    fn an_iteration_that_overruns_is_found_once_and_has_a_slot_of_its_own() {
        let (watch, seat) = one_seat(3, 10);
        seat.begin(1_000 * MS, Some(7));
        assert!(watch.look(1_109 * MS, "").is_empty());
        let found = watch.look(1_111 * MS, "");
        assert_eq!(
            (
                found[0].thread.as_str(),
                found[0].started_ns,
                found[0].number,
                found[0].runs()
            ),
            ("t-1", 1_000 * MS, Some(7), Some(true))
        );
        assert!(watch.look(1_500 * MS, "").is_empty());
        assert_eq!((watch.told(), watch.bound()), ((1, 1), 4));
        end(&watch, &seat, 2_000 * MS);
        assert_eq!((watch.told(), watch.bound()), ((1, 0), 3));
        assert_eq!(found[0].runs(), Some(false));
        seat.begin(2_000 * MS, None);
        assert!(watch.look(2_050 * MS, "").is_empty());
        end(&watch, &seat, 2_100 * MS);
        assert_eq!(watch.told(), (1, 0), "as long as it may be is not too long");
    }

    #[test]
    fn one_that_ends_between_two_looks_counts_too() {
        let (watch, seat) = one_seat(3, 10);
        seat.begin(1_000 * MS, None);
        end(&watch, &seat, 1_101 * MS);
        assert_eq!((watch.told(), watch.bound()), ((1, 0), 3));
        // Nobody takes a thread that waits since then for one that runs.
        assert!(watch.look(9_000 * MS, "").is_empty());
        // What waited in its own setup was long and did not overrun.
        seat.begin(10_000 * MS, None);
        watch.ended(&seat, false);
        assert_eq!(watch.told(), (1, 0));
    }

    #[test]
    fn the_bound_has_a_limit_and_follows_the_load() {
        let watch = Watch::new(2, 4, 100 * MS);
        let seats: Vec<_> = (0..5).map(|n| Arc::new(Seat::new(&format!("t-{n}")))).collect();
        for seat in &seats {
            watch.enter(seat);
            seat.begin(MS, None);
        }
        assert_eq!(watch.look(1_000 * MS, "").len(), 5);
        assert_eq!((watch.told(), watch.bound()), ((5, 5), 4));
        watch.resize(8, 20);
        assert_eq!(watch.bound(), 13);
        watch.resize(8, 8);
        assert_eq!(watch.bound(), 8, "what the config sets is a hard limit");
        for seat in &seats {
            end(&watch, seat, 2_000 * MS);
            watch.leave(seat);
        }
        assert_eq!((watch.told(), watch.bound()), ((5, 0), 8));
    }

    #[test]
    fn tasks_have_seats_too() {
        let watch = Watch::new(2, 9, 100 * MS);
        let (hangs, ends) = (watch.task_begins(MS, Some(1)), watch.task_begins(2 * MS, Some(2)));
        watch.task_ends(ends, 50 * MS);
        let again = watch.task_begins(900 * MS, None);
        assert_eq!((hangs, again), (0, ends));
        let found = watch.look(1_000 * MS, "loop");
        assert_eq!(
            (
                found.len(),
                found[0].number,
                found[0].thread.as_str(),
                found[0].runs()
            ),
            (1, Some(1), "loop", None)
        );
        assert_eq!(watch.bound(), 3);
        watch.task_ends(again, 101 * MS);
        watch.task_ends(hangs, 5_000 * MS);
        assert_eq!((watch.told(), watch.bound()), ((2, 0), 2));
    }

    #[test]
    fn what_is_interrupted_overruns_no_more() {
        let (watch, seat) = one_seat(3, 10);
        seat.begin(MS, None);
        assert_eq!(watch.look(1_000 * MS, "").len(), 1);
        watch.close();
        assert_eq!(watch.told(), (1, 0));
        end(&watch, &seat, 2_000 * MS);
        assert!(watch.look(9_000 * MS, "").is_empty());
        assert_eq!(watch.told(), (1, 0));
    }
}
