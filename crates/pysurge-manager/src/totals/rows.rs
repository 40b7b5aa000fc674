//! The totals second by second: to which row of the time series a snapshot belongs, when a row is closed, and what was planned in it.
//!
//! A snapshot tells of the time since the one before it. Workers take theirs a little after each second, so it goes whole into the row
//! whose end is nearest, or into the first one that is not closed. A row is closed when every worker that still tells has told of a later
//! time, once the run is being stopped of one half a second later, so that the last words stand in the row they belong to; and two seconds
//! after its end in any case. What was planned is what the schedule has in that second, in the closed model what was claimed. So the sum
//! over all rows is the total, exactly: what nobody told of in time (claims beyond an early stop, what a dead worker left) is added to the
//! last row. Only where a worker heard too late of a change in its warm-up, and told iterations as warm-up that a closed row counts as
//! planned, may that sum be above the total.

use super::{Fate, TestTotals, Totals};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::account::Account;
use pysurge_core::event::RunEvent;
use pysurge_core::series::{Pushed, Row, Series, TestRow};
use pysurge_core::wire::{PartSnapshot, TestSnapshot};
use std::collections::VecDeque;
use std::sync::Arc;

/// How long a row is.
pub(super) const ROW_NS: u64 = NANOS_PER_SEC;

/// So long after its end a row is closed, whoever has not told of it.
const PATIENCE_NS: u64 = 2 * NANOS_PER_SEC;

/// The rows of a run.
#[derive(Debug)]
pub(super) struct Rows {
    /// The closed ones.
    series: Series,
    /// The number of the first one that is not closed.
    first: u64,
    /// That one and those after it, as far as something was told of them.
    open: VecDeque<OpenRow>,
    tests: usize,
    /// Up to when anything was told, run time.
    told_ns: u64,
    /// Nobody was there to hear before this instant of run time.
    awake_ns: u64,
    /// Up to when rows are closed, run time.
    closed_to_ns: u64,
}

/// A row to which something may be added.
#[derive(Debug, Clone)]
struct OpenRow {
    tests: Vec<OpenTest>,
    worker_cpu_ns: u64,
    gil_wait_ns: u64,
}

/// One test's part of it.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenTest {
    pub(super) row: TestRow,
    /// Claimed or dropped in this time.
    claimed: u64,
    /// Started in this time.
    pub(super) started: u64,
    /// Interrupted in this time.
    pub(super) interrupted: u64,
}

/// A row that was closed just now, for those who judge it.
#[derive(Debug)]
pub(super) struct Second {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
    pub(super) tests: Vec<OpenTest>,
}

/// The same for those who watch.
struct Closed {
    row: Arc<Row>,
    pushed: Pushed,
}

/// How far rows can be closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closing {
    /// Now, run time.
    pub(crate) now_ns: u64,
    /// The end of the plan, run time, once the run is being stopped.
    pub(crate) plan_ends_ns: Option<u64>,
}

impl Rows {
    pub(super) fn new(tests: usize) -> Self {
        Self {
            series: Series::new(),
            first: 0,
            open: VecDeque::new(),
            tests,
            told_ns: 0,
            awake_ns: 0,
            closed_to_ns: 0,
        }
    }

    pub(super) fn series(&self) -> &Series {
        &self.series
    }

    pub(super) fn closed_to_ns(&self) -> u64 {
        self.closed_to_ns
    }

    /// The open row of what was told up to an instant.
    fn of(&mut self, told_ns: u64) -> &mut OpenRow {
        self.told_ns = self.told_ns.max(told_ns);
        let nearest = told_ns.saturating_sub(ROW_NS / 2) / ROW_NS;
        let place = usize::try_from(nearest.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.open_up_to(place);
        &mut self.open[place]
    }

    fn open_up_to(&mut self, place: usize) {
        while self.open.len() <= place {
            self.open.push_back(OpenRow {
                tests: vec![OpenTest::default(); self.tests],
                worker_cpu_ns: 0,
                gil_wait_ns: 0,
            });
        }
    }

    /// Adds what a worker told of a test that counts; `before` is what it had told until then.
    pub(super) fn add(&mut self, told_ns: u64, test: usize, before: &Account, news: &PartSnapshot) {
        let mut after = *before;
        super::add_part(&mut after, news);
        let open = &mut self.of(told_ns).tests[test];
        open.claimed += claimed(&after).saturating_sub(claimed(before));
        open.started += started(&after).saturating_sub(started(before));
        open.interrupted += after.interrupted.saturating_sub(before.interrupted);
        open.row.dropped += after.dropped.saturating_sub(before.dropped);
        open.row.measures.merge(&news.measures);
    }

    /// What runs now, in all workers.
    pub(super) fn gauge(&mut self, told_ns: u64, test: usize, in_flight: u64, threads: u32) {
        let row = &mut self.of(told_ns).tests[test].row;
        row.in_flight = row.in_flight.max(in_flight);
        row.threads = row.threads.max(threads);
    }

    /// This process was stopped up to this instant.
    pub(super) fn woken(&mut self, now_ns: u64) {
        self.awake_ns = now_ns;
    }

    /// Whether the first open row, up to whose end every live worker has told or not, is to be closed. Without a live worker nothing more
    /// comes, and the rest is closed at the end of the run.
    fn is_due(&self, told_ns: Option<u64>, closing: Closing) -> bool {
        let ends_ns = (self.first + 1) * ROW_NS;
        let last_words_ns = closing.plan_ends_ns.map_or(0, |_| ROW_NS / 2);
        told_ns.is_some_and(|told_ns| {
            told_ns > ends_ns + last_words_ns || closing.now_ns >= ends_ns.max(self.awake_ns) + PATIENCE_NS
        })
    }

    /// Closes the first open row. What it says was planned is given per test.
    fn close(&mut self, to_ns: u64, planned: impl Fn(usize, &OpenTest) -> u64) -> (Second, Closed) {
        self.open_up_to(0);
        let mut open = self.open.pop_front().expect("it was opened above");
        for (position, test) in open.tests.iter_mut().enumerate() {
            test.row.planned = planned(position, test);
        }
        let from_ns = self.first * ROW_NS;
        self.first += 1;
        self.closed_to_ns = to_ns;
        let mut row = Row {
            from_ns,
            to_ns,
            tests: open.tests.iter().map(|test| test.row.clone()).collect(),
            worker_cpu_ns: open.worker_cpu_ns,
            gil_wait_ns: open.gil_wait_ns,
        };
        row.compact();
        let closed = Closed {
            row: Arc::new(row.clone()),
            pushed: self.series.push(row),
        };
        let second = Second {
            from_ns,
            to_ns,
            tests: open.tests,
        };
        (second, closed)
    }

    /// What there is to tell after a row was closed.
    fn news(&self, closed: Closed) -> impl Iterator<Item = RunEvent> {
        let of_series = match closed.pushed {
            Pushed::Begun => None,
            Pushed::Completed => self.last_row(),
            Pushed::Coarsened => Some(RunEvent::Coarsened(Arc::new(self.series.clone()))),
        };
        [RunEvent::Second(closed.row)].into_iter().chain(of_series)
    }

    fn last_row(&self) -> Option<RunEvent> {
        self.series
            .rows()
            .last()
            .cloned()
            .map(Arc::new)
            .map(RunEvent::Row)
    }
}

/// Iterations that a worker has taken, whatever came of them.
fn claimed(told: &Account) -> u64 {
    told.planned.max(told.told())
}

/// Iterations that a worker has started.
pub(super) fn started(told: &Account) -> u64 {
    told.planned.saturating_sub(told.dropped)
}

impl Totals {
    /// All rows that are closed.
    pub(crate) fn series(&self) -> &Series {
        self.rows.series()
    }

    /// Up to when rows are closed, run time.
    pub(crate) fn closed_to_ns(&self) -> u64 {
        self.rows.closed_to_ns()
    }

    /// Adds what a worker used up to an instant of run time since it told last.
    pub(crate) fn used(&mut self, told_ns: u64, cpu_ns: u64, gil_wait_ns: u64) {
        let row = self.rows.of(told_ns);
        row.worker_cpu_ns += cpu_ns;
        row.gil_wait_ns += gil_wait_ns;
    }

    /// This process was stopped up to this instant of run time: rows wait for what was told meanwhile.
    pub(crate) fn woken(&mut self, now_ns: u64) {
        self.rows.woken(now_ns);
    }

    /// Closes the rows that can be closed, judges them, and gives what there is to tell.
    pub(crate) fn close_rows(&mut self, closing: Closing) -> Vec<RunEvent> {
        let mut news = Vec::new();
        while closing.now_ns > (self.rows.first + 1) * ROW_NS
            && self.rows.is_due(self.told_by_all_ns(), closing)
        {
            let to_ns = (self.rows.first + 1) * ROW_NS;
            let upto_ns = closing.plan_ends_ns.map_or(to_ns, |ends_ns| ends_ns.min(to_ns));
            let closed = self.close_row(to_ns, upto_ns, None);
            news.extend(self.rows.news(closed));
        }
        news
    }

    /// Closes the rest, at the end of a run whose plan ended at this instant of run time; its accounts hold what is still to be planned.
    pub(crate) fn close_all_rows(&mut self, plan_ends_ns: u64) -> Vec<RunEvent> {
        let plan_ns = self.course.plan_ns(plan_ends_ns);
        let accounts: Vec<u64> = self
            .accounts(plan_ns)
            .iter()
            .map(|of| of.measured.planned)
            .collect();
        // What was told up to half a second after a row belongs to that row.
        let open = self.rows.first + self.rows.open.len() as u64;
        let ends_ns = self
            .rows
            .told_ns
            .max(plan_ends_ns)
            .min(open.max(plan_ends_ns.div_ceil(ROW_NS)) * ROW_NS);
        let is_owed = |totals: &Self| {
            let mut tests = totals.tests.iter().zip(&accounts);
            tests.any(|(test, planned)| test.planned_in_rows < *planned)
        };
        let mut news = Vec::new();
        while self.rows.first * ROW_NS < ends_ns || !self.rows.open.is_empty() || is_owed(self) {
            let row_ends_ns = (self.rows.first + 1) * ROW_NS;
            let is_last = row_ends_ns >= ends_ns && self.rows.open.len() <= 1;
            let from_ns = self.rows.first * ROW_NS;
            // A row of no length would be none.
            let to_ns = row_ends_ns.min(ends_ns.max(from_ns + 1));
            let planned = is_last.then_some(accounts.as_slice());
            let closed = self.close_row(to_ns, plan_ends_ns.min(row_ends_ns), planned);
            news.extend(self.rows.news(closed));
            if is_last {
                break;
            }
        }
        // A row that would have been longer is the last one all the same.
        if self.series().complete_rows().len() < self.series().rows().len() {
            news.extend(self.rows.last_row());
        }
        news
    }

    /// Closes the first open row, at an instant of run time and with the plan counted up to another; the last one with all that is planned.
    fn close_row(&mut self, to_ns: u64, upto_ns: u64, all: Option<&[u64]>) -> Closed {
        let Self {
            rows, tests, course, ..
        } = self;
        let plan_ns = course.plan_ns(upto_ns);
        let planned = |position: usize, open: &OpenTest| {
            let test: &TestTotals = &tests[position];
            let so_far = match (all, test.scheduled(plan_ns)) {
                _ if !test.runs() => 0,
                (Some(all), _) => all[position],
                (None, Some(scheduled)) => scheduled.all - scheduled.warmup,
                (None, None) => test.planned_in_rows + open.claimed,
            };
            so_far.saturating_sub(test.planned_in_rows)
        };
        let (second, closed) = rows.close(to_ns, planned);
        for (test, open) in tests.iter_mut().zip(&second.tests) {
            test.planned_in_rows += open.row.planned;
        }
        self.judge_second(&second);
        closed
    }

    /// Up to which instant of run time every worker has told that still tells; `None` where none does, and none is to come.
    fn told_by_all_ns(&self) -> Option<u64> {
        let shares = self.tests.iter().flat_map(|test| test.shares.iter().flatten());
        let live = shares.filter(|share| share.fate == Fate::Live && !share.gone);
        let told_ns = live.map(|share| share.told_ns).min();
        told_ns.or(self.awaited.then_some(0))
    }

    /// Adds a worker's news of the tests to their rows; before they are part of the totals.
    pub(super) fn add_to_rows(&mut self, worker: usize, tests: &[TestSnapshot], told_ns: u64) {
        for (position, (total, news)) in self.tests.iter().zip(tests).enumerate() {
            if let Some(share) = &total.shares[worker] {
                self.rows
                    .add(told_ns, position, &share.told.measured, &news.measured);
            }
        }
    }
}
