//! What a pool's threads claim: the arrivals of a schedule (the open model), or the turns of users (the closed). A claimed iteration is run by
//! the claiming thread and no other.
//!
//! In the open model a claim is one compare-and-swap on a [`Cursor`]: the index of the next arrival, and the epoch of the schedule. What a
//! thread knows of the schedule is its own [`View`]; a live change or a new deal begins a new epoch, so nobody can claim by what is no longer true, and
//! whose arrivals are warm-up follows from their index alone. In the closed model a short lock guards the users; it is never held across a
//! wait.

use parking_lot::Mutex;
use pysurge_core::schedule::{Change, Course, Memo, NOT_IN_SIGHT, StripedSchedule};
use pysurge_core::users::{Due, Turn, Users};
use pysurge_core::wire::Deal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whoever joins a run that goes on has its first arrival so soon: far more than the lead of a deal.
const SOON_NS: u64 = 1_000_000_000;

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
    Closed(Users, Course),
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
        Self::closed_since(users, Course::default())
    }

    /// Users who take turns in a run that was changed before.
    pub fn closed_since(users: Users, course: Course) -> Self {
        Self {
            kind: Kind::Closed(users, course),
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

/// How far a feed has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Iterations that were claimed.
    pub(super) claimed: Parted,
    /// Iterations claimed or dropped; once the feed is closed, all that the plan has.
    pub(super) planned: Parted,
}

/// An iteration that the calling thread, and no other, is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) planned_ns: u64,
    pub(super) part: Part,
    /// Its number over all workers: among the test's arrivals, or among the turns of its users.
    pub(super) number: Option<u64>,
    /// Where durations end the schedule, nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) ends_ns: u64,
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
    known: Option<Arc<Known>>,
    memo: Memo,
}

/// A schedule and what follows from it, in one epoch.
#[derive(Debug)]
struct Known {
    epoch: u64,
    schedule: StripedSchedule,
    /// So many of this worker's arrivals are warm-up, those first claimed.
    warmup: u64,
    /// Where durations end it, nanoseconds since the start.
    ends_ns: u64,
}

impl Known {
    fn new(epoch: u64, schedule: StripedSchedule, warmup: u64) -> Self {
        let whole = schedule.schedule();
        let ends_ns = whole.profile().end_ns().map(|ns| whole.course().run_ns(ns));
        Self {
            epoch,
            warmup,
            ends_ns: ends_ns.unwrap_or(NOT_IN_SIGHT),
            schedule,
        }
    }

    /// So many first arrivals, part by part.
    fn split(&self, count: u64) -> Parted {
        let warmup = count.min(self.warmup);
        Parted {
            measured: count - warmup,
            warmup,
        }
    }
}

/// Where the claims have got to, in one word: whether more may be claimed, in which epoch, and the index of the next arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor(u64);

impl Cursor {
    const CLOSED: u64 = 1 << 63;
    const EPOCH_BITS: u32 = 16;
    /// Five months at the highest rate there is.
    const INDEX_BITS: u32 = 63 - Self::EPOCH_BITS;

    fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    fn index(self) -> u64 {
        self.0 & ((1 << Self::INDEX_BITS) - 1)
    }

    /// Counts the changes and the deals. A run has fewer of them than there are epochs, see [`pysurge_core::control::MAX_CHANGES`] and
    /// [`pysurge_core::wire::MAX_DEALS`].
    fn epoch(self) -> u64 {
        (self.0 & !Self::CLOSED) >> Self::INDEX_BITS
    }

    fn at(self, index: u64) -> Self {
        Self(self.0 - self.index() + index)
    }

    fn in_next_epoch(self) -> Self {
        let epoch = (self.epoch() + 1) & ((1 << Self::EPOCH_BITS) - 1);
        Self((self.0 & Self::CLOSED) | (epoch << Self::INDEX_BITS) | self.index())
    }
}

/// What the threads of a pool claim.
#[derive(Debug)]
pub(super) struct Feed {
    start_ns: u64,
    warmup_ends_ns: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Open(Open),
    Closed(Mutex<Closed>),
}

#[derive(Debug)]
struct Open {
    /// A [`Cursor`].
    cursor: AtomicU64,
    known: Mutex<Arc<Known>>,
    /// Where the plan ends, if it was cut, nanoseconds since the start: what is planned from then on is planned no longer.
    cut_ns: AtomicU64,
    max_lateness_ns: Option<u64>,
    /// How many were dropped because they were too late. Held while the cursor is moved past them, so that the two agree.
    skipped: Mutex<Parted>,
}

#[derive(Debug)]
struct Closed {
    users: Users,
    claimed: Parted,
    course: Course,
    /// Nothing more may be claimed.
    shut: bool,
}

impl Feed {
    pub(super) fn new(work: Work, start_ns: u64) -> Self {
        let source = match work.kind {
            Kind::Open(schedule) => {
                let warmup = schedule.count_before_plan(work.warmup_ends_ns);
                Source::Open(Open {
                    cursor: AtomicU64::new(0),
                    known: Mutex::new(Arc::new(Known::new(0, schedule, warmup))),
                    cut_ns: AtomicU64::new(u64::MAX),
                    max_lateness_ns: work.max_lateness_ns,
                    skipped: Mutex::default(),
                })
            }
            Kind::Closed(users, course) => Source::Closed(Mutex::new(Closed {
                users,
                claimed: Parted::default(),
                course,
                shut: false,
            })),
        };
        Self {
            start_ns,
            warmup_ends_ns: work.warmup_ends_ns,
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
        loop {
            let cursor = open.cursor();
            if cursor.is_closed() {
                return Next::Nothing;
            }
            let (known, memo) = open.look(cursor, view);
            let next = cursor.index();
            let Some(offset_ns) = known.schedule.planned_ns_with(next, memo) else {
                return Next::Nothing;
            };
            let planned_ns = self.start_ns.saturating_add(offset_ns);
            if planned_ns > now_ns {
                return Next::NotBefore;
            }
            if let Some(max_ns) = open
                .max_lateness_ns
                .filter(|max_ns| now_ns - planned_ns > *max_ns)
            {
                let before_ns = (now_ns - max_ns).saturating_sub(self.start_ns);
                open.skip(cursor, known, known.schedule.count_before(before_ns));
            } else if open.advance(cursor, next + 1) {
                return Next::Run(Claim {
                    planned_ns,
                    part: part_of(next < known.warmup),
                    number: known.schedule.hand().number_of(next),
                    ends_ns: self.start_ns.saturating_add(known.ends_ns),
                    turn: None,
                });
            }
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
        match part {
            Part::Measured => closed.claimed.measured += 1,
            Part::Warmup => closed.claimed.warmup += 1,
        }
        Next::Run(Claim {
            planned_ns,
            part,
            number: Some(turn.number),
            ends_ns: NOT_IN_SIGHT,
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
                let cursor = open.cursor();
                if cursor.is_closed() {
                    return None;
                }
                let (known, memo) = open.look(cursor, view);
                let offset_ns = known.schedule.planned_ns_with(cursor.index() + places, memo)?;
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
                let cursor = open.cursor();
                cursor.is_closed() || {
                    let (known, memo) = open.look(cursor, view);
                    known.schedule.planned_ns_with(cursor.index(), memo).is_none()
                }
            }
            Source::Closed(closed) => {
                let mut closed = closed.lock();
                closed.shut || closed.users.due() == Due::Never
            }
        }
    }

    /// How many iterations are due, before anything is claimed, within so long from the start on; for whoever joins a run, within so long from
    /// its first one on, if that comes soon.
    pub(super) fn due_within(&self, from_ns: u64, span_ns: u64) -> u64 {
        match &self.source {
            Source::Open(open) => {
                let known = open.known.lock();
                let first_ns = known.schedule.planned_ns(open.cursor().index()).unwrap_or(0);
                let from_ns = match first_ns.saturating_sub(from_ns) {
                    ..SOON_NS => from_ns.max(first_ns),
                    _ => from_ns,
                };
                known.schedule.count_before(from_ns.saturating_add(span_ns))
            }
            Source::Closed(closed) => u64::from(closed.lock().users.count()),
        }
    }

    /// Changes what is planned from an instant on.
    pub(super) fn change(&self, change: Change) {
        match &self.source {
            Source::Open(open) => {
                open.renew(self.warmup_ends_ns, |schedule| schedule.change(change));
            }
            Source::Closed(closed) => {
                let mut closed = closed.lock();
                closed.course.apply(change);
                let plan_ns = closed.course.plan_ns(change.at_ns);
                closed.users.scale(change.factor, plan_ns);
            }
        }
    }

    /// From some point of the plan on this worker has another part of it. One that is for the other model changes nothing.
    pub(super) fn deal(&self, deal: &Deal) {
        match (&self.source, deal) {
            (Source::Open(open), Deal::Arrivals { from, stripe }) => {
                open.renew(self.warmup_ends_ns, |schedule| schedule.deal(*from, *stripe));
            }
            (Source::Closed(closed), Deal::Users { at_ns, lot }) => {
                let mut closed = closed.lock();
                let plan_ns = closed.course.plan_ns(*at_ns);
                closed.users.deal(lot.clone(), plan_ns);
            }
            _ => {}
        }
    }

    /// Iterations planned at or after this instant (nanoseconds of `CLOCK_MONOTONIC`) are not part of the plan any more.
    pub(super) fn cut(&self, plan_ends_ns: u64) {
        let run_ns = plan_ends_ns.saturating_sub(self.start_ns);
        match &self.source {
            Source::Open(open) => {
                open.cut_ns.fetch_min(run_ns, Ordering::AcqRel);
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
                open.cursor.fetch_or(Cursor::CLOSED, Ordering::AcqRel);
            }
            Source::Closed(closed) => closed.lock().shut = true,
        }
    }

    /// How far claims and drops have got.
    pub(super) fn progress(&self) -> Progress {
        match &self.source {
            Source::Open(open) => open.progress(),
            Source::Closed(closed) => {
                let claimed = closed.lock().claimed;
                Progress {
                    claimed,
                    planned: claimed,
                }
            }
        }
    }

    /// How many iterations run, of which so many have ended or were interrupted: exact in the closed model, in the open one as good as two
    /// counters that are read one after the other.
    pub(super) fn in_flight(&self, recorded: Parted, interrupted: Parted) -> u64 {
        match &self.source {
            Source::Open(_) => {
                let claimed = self.progress().claimed;
                claimed.minus(recorded).minus(interrupted).sum()
            }
            Source::Closed(closed) => {
                let running = u64::from(closed.lock().users.running());
                running.saturating_sub(interrupted.sum())
            }
        }
    }

    /// Moves whenever something is claimed or dropped.
    pub(super) fn pulse(&self) -> u64 {
        match &self.source {
            Source::Open(open) => open.cursor().0,
            Source::Closed(closed) => closed.lock().claimed.sum(),
        }
    }
}

impl Open {
    fn cursor(&self) -> Cursor {
        Cursor(self.cursor.load(Ordering::Acquire))
    }

    /// Moves the cursor from where it was seen to another index; false where somebody else moved it meanwhile.
    #[inline]
    fn advance(&self, seen: Cursor, index: u64) -> bool {
        let moved = seen.at(index).0;
        self.cursor
            .compare_exchange(seen.0, moved, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// What is true in the epoch of a cursor.
    #[inline]
    fn look<'a>(&self, cursor: Cursor, view: &'a mut View) -> (&'a Known, &'a mut Memo) {
        if view
            .known
            .as_ref()
            .is_some_and(|known| known.epoch != cursor.epoch())
        {
            view.known = None;
        }
        // Between the reading of the cursor and this a further epoch may have begun; then the claim fails and is tried again.
        let known = view.known.get_or_insert_with(|| Arc::clone(&self.known.lock()));
        (known, &mut view.memo)
    }

    /// Drops the next arrivals, up to one that is still in time.
    fn skip(&self, seen: Cursor, known: &Known, in_time: u64) {
        let in_time = in_time.max(seen.index() + 1);
        let mut skipped = self.skipped.lock();
        if self.advance(seen, in_time) {
            let (before, after) = (known.split(seen.index()), known.split(in_time));
            skipped.measured += after.measured - before.measured;
            skipped.warmup += after.warmup - before.warmup;
        }
    }

    /// Begins a new epoch, in which something else is planned or this worker has another part of it.
    fn renew(&self, warmup_ends_ns: u64, alter: impl FnOnce(&mut StripedSchedule)) {
        let mut known = self.known.lock();
        let mut schedule = known.schedule.clone();
        alter(&mut schedule);
        let planned = schedule.count_before_plan(warmup_ends_ns);
        loop {
            let cursor = self.cursor();
            let claimed = cursor.index();
            // What was claimed as warm-up stays it, also where this change comes late.
            let warmup = if claimed >= known.warmup {
                known.warmup
            } else {
                planned.max(claimed)
            };
            let next = cursor.in_next_epoch();
            let moved = self
                .cursor
                .compare_exchange(cursor.0, next.0, Ordering::AcqRel, Ordering::Relaxed);
            if moved.is_ok() {
                *known = Arc::new(Known::new(next.epoch(), schedule, warmup));
                return;
            }
        }
    }

    fn progress(&self) -> Progress {
        // No change and no drop may come between what is read here.
        let known = self.known.lock();
        let skipped = self.skipped.lock();
        let cursor = self.cursor();
        let told = known.split(cursor.index());
        let claimed = told.minus(*skipped);
        if !cursor.is_closed() {
            return Progress {
                claimed,
                planned: told,
            };
        }
        // The plan ends with its last arrival or where it was cut; a claim that was faster than the cut stays planned.
        let cut = match self.cut_ns.load(Ordering::Acquire) {
            u64::MAX => None,
            cut_ns => Some(known.schedule.count_before(cut_ns)),
        };
        let whole = match (known.schedule.count(), cut) {
            (Some(count), Some(cut)) => Some(count.min(cut)),
            (count, cut) => count.or(cut),
        };
        let whole = whole.map_or(cursor.index(), |whole| whole.max(cursor.index()));
        Progress {
            claimed,
            planned: known.split(whole),
        }
    }
}

fn part_of(warmup: bool) -> Part {
    if warmup { Part::Warmup } else { Part::Measured }
}

#[cfg(test)]
mod simulation;
