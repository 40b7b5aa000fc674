//! What a pool's threads claim: the arrivals of a schedule (the open model), or the turns of users (the closed). A claimed iteration is run by
//! the claiming thread and no other.
//!
//! In the open model a claim is one compare-and-swap on the index of the next arrival; what a thread knows of the schedule is its
//! own [`View`], taken anew where the schedule was changed live. In the closed model a short lock guards the users; it is never held
//! across a wait.

use parking_lot::Mutex;
use pysurge_core::schedule::{Change, Course, Memo, NOT_IN_SIGHT, StripedSchedule};
use pysurge_core::users::{Due, Turn, Users};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Set in the cursor once nothing more may be claimed.
const CLOSED: u64 = 1 << 63;

/// What a pool is to run.
#[derive(Debug, Clone)]
pub struct Work {
    kind: Kind,
    /// Iterations planned before this instant of plan time are warm-up.
    warmup_ends_ns: u64,
    /// Iterations that are later than this are dropped instead of started.
    max_lateness_ns: Option<u64>,
}

#[derive(Debug, Clone)]
enum Kind {
    Open(StripedSchedule),
    Closed(Users),
}

impl Work {
    /// The arrivals of a schedule.
    pub fn open(schedule: StripedSchedule) -> Self {
        Self {
            kind: Kind::Open(schedule),
            warmup_ends_ns: 0,
            max_lateness_ns: None,
        }
    }

    /// Users who take turns.
    pub fn closed(users: Users) -> Self {
        Self {
            kind: Kind::Closed(users),
            warmup_ends_ns: 0,
            max_lateness_ns: None,
        }
    }

    /// Iterations planned before this instant of plan time are warm-up.
    #[must_use]
    pub fn warming_up_until(self, warmup_ends_ns: u64) -> Self {
        Self {
            warmup_ends_ns,
            ..self
        }
    }

    /// Iterations of a schedule that are later than this are dropped instead of started.
    #[must_use]
    pub fn dropping_after(self, max_lateness_ns: Option<u64>) -> Self {
        Self {
            max_lateness_ns,
            ..self
        }
    }
}

/// Of the two accounts of a test, the one an iteration belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Measured,
    Warmup,
}

/// A count for each part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Parted {
    pub(crate) measured: u64,
    pub(crate) warmup: u64,
}

impl Parted {
    pub(crate) fn sum(self) -> u64 {
        self.measured + self.warmup
    }

    /// Part by part, never below zero.
    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            measured: self.measured.saturating_sub(other.measured),
            warmup: self.warmup.saturating_sub(other.warmup),
        }
    }
}

/// The same, counted by many threads.
#[derive(Debug, Default)]
struct Counters {
    measured: AtomicU64,
    warmup: AtomicU64,
}

impl Counters {
    fn add(&self, part: Part, count: u64) {
        let counter = match part {
            Part::Measured => &self.measured,
            Part::Warmup => &self.warmup,
        };
        counter.fetch_add(count, Ordering::AcqRel);
    }

    fn get(&self) -> Parted {
        Parted {
            measured: self.measured.load(Ordering::Acquire),
            warmup: self.warmup.load(Ordering::Acquire),
        }
    }
}

/// An iteration that the calling thread, and no other, is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) planned_ns: u64,
    pub(super) part: Part,
    /// Its number among the test's arrivals in all workers; `None` in the closed model.
    pub(super) number: Option<u64>,
    turn: Option<Turn>,
}

/// What there is for a thread at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Run(Claim),
    NotBefore,
    Nothing,
}

/// What a thread knows of the schedule. Cheap to ask; taken anew where the schedule was changed.
#[derive(Debug, Default)]
pub(super) struct View {
    version: u64,
    schedule: Option<Arc<Known>>,
    memo: Memo,
}

/// A schedule and what follows from it.
#[derive(Debug)]
struct Known {
    schedule: StripedSchedule,
    /// So many of this worker's arrivals are warm-up.
    warmup: u64,
    /// Where durations end it, nanoseconds since the start.
    ends_ns: u64,
}

impl Known {
    fn new(schedule: StripedSchedule, warmup_ends_ns: u64) -> Arc<Self> {
        let whole = schedule.schedule();
        let ends_ns = whole.profile().end_ns().map(|ns| whole.course().run_ns(ns));
        Arc::new(Self {
            warmup: schedule.count_before_plan(warmup_ends_ns),
            ends_ns: ends_ns.unwrap_or(NOT_IN_SIGHT),
            schedule,
        })
    }
}

/// What the threads of a pool claim.
#[derive(Debug)]
pub(super) struct Feed {
    start_ns: u64,
    warmup_ends_ns: u64,
    /// How many iterations were claimed.
    claimed: Counters,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Open(Open),
    Closed(Mutex<Closed>),
}

#[derive(Debug)]
struct Open {
    /// The next arrival to be claimed; with [`CLOSED`] once none may be.
    cursor: AtomicU64,
    /// Counts the changes of `known`, from 1.
    version: AtomicU64,
    known: Mutex<Arc<Known>>,
    /// Where the plan ends, if it was cut: arrivals from this one on are no longer planned.
    plan_limit: AtomicU64,
    max_lateness_ns: Option<u64>,
    /// How many were dropped because they were too late.
    skipped: Counters,
}

#[derive(Debug)]
struct Closed {
    users: Users,
    course: Course,
    /// Nothing more may be claimed.
    shut: bool,
}

impl Feed {
    pub(super) fn new(work: Work, start_ns: u64) -> Self {
        let source = match work.kind {
            Kind::Open(schedule) => Source::Open(Open {
                cursor: AtomicU64::new(0),
                version: AtomicU64::new(1),
                known: Mutex::new(Known::new(schedule, work.warmup_ends_ns)),
                plan_limit: AtomicU64::new(u64::MAX),
                max_lateness_ns: work.max_lateness_ns,
                skipped: Counters::default(),
            }),
            Kind::Closed(users) => Source::Closed(Mutex::new(Closed {
                users,
                course: Course::default(),
                shut: false,
            })),
        };
        Self {
            start_ns,
            warmup_ends_ns: work.warmup_ends_ns,
            claimed: Counters::default(),
            source,
        }
    }

    /// Whether the next iteration of a user is planned by the end of the one before, so that a wait is no lateness of the service.
    pub(super) fn is_closed_model(&self) -> bool {
        matches!(self.source, Source::Closed(_))
    }

    /// Claims the next iteration if it is due.
    #[inline]
    pub(super) fn claim(&self, now_ns: u64, view: &mut View) -> Next {
        match &self.source {
            Source::Open(open) => self.claim_arrival(open, now_ns, view),
            Source::Closed(closed) => self.claim_turn(closed, now_ns),
        }
    }

    #[inline]
    fn claim_arrival(&self, open: &Open, now_ns: u64, view: &mut View) -> Next {
        let (known, memo) = open.look(view);
        let mut next = open.cursor.load(Ordering::Relaxed);
        loop {
            if next & CLOSED != 0 {
                return Next::Nothing;
            }
            let Some(offset_ns) = known.schedule.planned_ns_with(next, memo) else {
                return Next::Nothing;
            };
            let planned_ns = self.start_ns.saturating_add(offset_ns);
            if planned_ns > now_ns {
                return Next::NotBefore;
            }
            let part = part_of(next < known.warmup);
            if let Some(max_ns) = open
                .max_lateness_ns
                .filter(|max_ns| now_ns - planned_ns > *max_ns)
            {
                self.skip(open, known, next, now_ns - max_ns);
                next = open.cursor.load(Ordering::Relaxed);
                continue;
            }
            match open
                .cursor
                .compare_exchange_weak(next, next + 1, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => {
                    self.claimed.add(part, 1);
                    return Next::Run(Claim {
                        planned_ns,
                        part,
                        number: known.schedule.striping().number_of(next),
                        turn: None,
                    });
                }
                Err(current) => next = current,
            }
        }
    }

    /// Drops the arrivals from `next` on that were planned before an instant.
    fn skip(&self, open: &Open, known: &Known, next: u64, before_ns: u64) {
        let in_time = known
            .schedule
            .count_before(before_ns.saturating_sub(self.start_ns))
            .max(next + 1);
        let taken = open
            .cursor
            .compare_exchange(next, in_time, Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_ok() {
            let warmup = known.warmup.clamp(next, in_time) - next;
            open.skipped.add(Part::Warmup, warmup);
            open.skipped.add(Part::Measured, in_time - next - warmup);
        }
    }

    fn claim_turn(&self, closed: &Mutex<Closed>, now_ns: u64) -> Next {
        let mut closed = closed.lock();
        if closed.shut {
            return Next::Nothing;
        }
        let plan_ns = match closed.users.due() {
            Due::Never => return Next::Nothing,
            Due::Unknown => return Next::NotBefore,
            Due::At(plan_ns) => plan_ns,
        };
        let planned_ns = self.start_ns.saturating_add(closed.course.run_ns(plan_ns));
        if planned_ns > now_ns {
            return Next::NotBefore;
        }
        let Some(turn) = closed.users.claim(plan_ns) else {
            return Next::NotBefore;
        };
        let part = part_of(plan_ns < self.warmup_ends_ns);
        self.claimed.add(part, 1);
        Next::Run(Claim {
            planned_ns,
            part,
            number: None,
            turn: Some(turn),
        })
    }

    /// A claimed iteration has ended. True where somebody may be due sooner than was known.
    #[inline]
    pub(super) fn ended(&self, claim: &Claim, now_ns: u64) -> bool {
        let (Source::Closed(closed), Some(turn)) = (&self.source, claim.turn) else {
            return false;
        };
        let mut closed = closed.lock();
        let before = closed.users.due();
        let plan_ns = closed.course.plan_ns(now_ns.saturating_sub(self.start_ns));
        closed.users.ended(turn, plan_ns);
        closed.users.due() != before
    }

    /// When the unclaimed iteration so many places after the next is due, nanoseconds of `CLOCK_MONOTONIC`; `None` where there is none
    /// or nobody knows.
    #[inline]
    pub(super) fn due_ns(&self, places: u64, view: &mut View) -> Option<u64> {
        match &self.source {
            Source::Open(open) => {
                let (known, memo) = open.look(view);
                let next = open.cursor.load(Ordering::Acquire);
                if next & CLOSED != 0 {
                    return None;
                }
                let offset_ns = known.schedule.planned_ns_with(next + places, memo)?;
                Some(self.start_ns.saturating_add(offset_ns))
            }
            // Who comes after the next is not known: the next may be back before.
            Source::Closed(_) if places > 0 => None,
            Source::Closed(closed) => {
                let mut closed = closed.lock();
                match closed.users.due() {
                    Due::At(plan_ns) if !closed.shut => {
                        Some(self.start_ns.saturating_add(closed.course.run_ns(plan_ns)))
                    }
                    _ => None,
                }
            }
        }
    }

    /// Whether there is nothing to be claimed any more, now or later.
    pub(super) fn is_over(&self, view: &mut View) -> bool {
        match &self.source {
            Source::Open(open) => {
                let (known, memo) = open.look(view);
                let next = open.cursor.load(Ordering::Acquire);
                next & CLOSED != 0 || known.schedule.planned_ns_with(next, memo).is_none()
            }
            Source::Closed(closed) => {
                let mut closed = closed.lock();
                closed.shut || closed.users.due() == Due::Never
            }
        }
    }

    /// How many iterations are due, before anything is claimed, within so long from the start on.
    pub(super) fn due_within(&self, span_ns: u64) -> u64 {
        match &self.source {
            Source::Open(open) => open.known.lock().schedule.count_before(span_ns),
            Source::Closed(closed) => u64::from(closed.lock().users.count()),
        }
    }

    /// Changes what is planned from an instant on.
    pub(super) fn change(&self, change: Change) {
        match &self.source {
            Source::Open(open) => {
                let mut known = open.known.lock();
                let mut schedule = known.schedule.clone();
                schedule.change(change);
                *known = Known::new(schedule, self.warmup_ends_ns);
                open.version.fetch_add(1, Ordering::AcqRel);
            }
            Source::Closed(closed) => {
                let mut closed = closed.lock();
                closed.course.apply(change);
                let plan_ns = closed.course.plan_ns(change.at_ns);
                closed.users.scale(change.factor, plan_ns);
            }
        }
    }

    /// Iterations planned at or after this instant (nanoseconds of `CLOCK_MONOTONIC`) are not part of the plan any more.
    pub(super) fn cut(&self, plan_ends_ns: u64) {
        let run_ns = plan_ends_ns.saturating_sub(self.start_ns);
        match &self.source {
            Source::Open(open) => {
                let limit = open.known.lock().schedule.count_before(run_ns);
                open.plan_limit.fetch_min(limit, Ordering::AcqRel);
            }
            Source::Closed(closed) => {
                let mut closed = closed.lock();
                let plan_ns = closed.course.plan_ns(run_ns);
                closed.users.end_at(plan_ns);
            }
        }
    }

    /// Nothing can be claimed from now on.
    pub(super) fn close(&self) {
        match &self.source {
            Source::Open(open) => {
                open.cursor.fetch_or(CLOSED, Ordering::AcqRel);
            }
            Source::Closed(closed) => closed.lock().shut = true,
        }
    }

    /// How many iterations were claimed so far.
    pub(super) fn claimed(&self) -> Parted {
        self.claimed.get()
    }

    /// How many iterations run, of which so many have ended or were interrupted: exact in the closed model, in the open one as good as two
    /// counters that are read one after the other.
    pub(super) fn in_flight(&self, recorded: Parted, interrupted: Parted) -> u64 {
        match &self.source {
            Source::Open(_) => self.claimed().minus(recorded).minus(interrupted).sum(),
            Source::Closed(closed) => {
                let running = u64::from(closed.lock().users.running());
                running.saturating_sub(interrupted.sum())
            }
        }
    }

    /// How far the claims and drops have got: moves whenever one is made.
    pub(super) fn progress(&self) -> u64 {
        match &self.source {
            Source::Open(open) => open.cursor.load(Ordering::Acquire),
            Source::Closed(_) => self.claimed.get().sum(),
        }
    }

    /// Iterations claimed or dropped so far; once the feed is closed, all that the plan has.
    pub(super) fn planned(&self) -> Parted {
        let claimed = self.claimed.get();
        let Source::Open(open) = &self.source else {
            return claimed;
        };
        let skipped = open.skipped.get();
        let told = Parted {
            measured: claimed.measured + skipped.measured,
            warmup: claimed.warmup + skipped.warmup,
        };
        if open.cursor.load(Ordering::Acquire) & CLOSED == 0 {
            return told;
        }
        // The plan ends with its last arrival or where it was cut; a claim that was faster than the cut stays planned.
        let known = Arc::clone(&open.known.lock());
        let limit = open.plan_limit.load(Ordering::Acquire);
        let whole = match known.schedule.count().unwrap_or(u64::MAX).min(limit) {
            u64::MAX => told.sum(),
            whole => whole,
        };
        let warmup = whole.min(known.warmup).max(told.warmup);
        Parted {
            measured: whole.saturating_sub(warmup).max(told.measured),
            warmup,
        }
    }

    /// Where durations end the schedule, nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) fn ends_ns(&self, view: &mut View) -> u64 {
        match &self.source {
            Source::Open(open) => self.start_ns.saturating_add(open.look(view).0.ends_ns),
            Source::Closed(_) => NOT_IN_SIGHT,
        }
    }
}

impl Open {
    /// The schedule as it is now.
    #[inline]
    fn look<'a>(&self, view: &'a mut View) -> (&'a Known, &'a mut Memo) {
        let version = self.version.load(Ordering::Acquire);
        if view.version != version {
            view.schedule = None;
            view.version = version;
        }
        let known = view
            .schedule
            .get_or_insert_with(|| Arc::clone(&self.known.lock()));
        (known, &mut view.memo)
    }
}

fn part_of(warmup: bool) -> Part {
    if warmup { Part::Warmup } else { Part::Measured }
}
