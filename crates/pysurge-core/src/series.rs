//! The time series of a run: one row per second, of bounded number.
//!
//! When there are too many rows, neighbours are joined two by two and every row is twice as long from then on: a run of a week has as many
//! rows as one of minutes, and nothing that was counted is lost. What is measured of an iteration stands in the row in which it ended.

use crate::measure::Measures;
use serde::{Deserialize, Serialize};

/// Rows of all tests together that a series may have. A row of a test that keeps 5 durations has about 10 KiB.
const MAX_CELLS: usize = 4_800;

/// However few tests there are, rows are joined beyond this: twenty minutes of seconds.
const MAX_ROWS: usize = 1_200;

/// However many tests there are, so many rows are kept.
const MIN_ROWS: usize = 60;

/// A second of the run, or several that were joined. Instants are nanoseconds of run time: since the start of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// From when on.
    pub from_ns: u64,
    /// Up to when.
    pub to_ns: u64,
    /// Per test of the plan.
    pub tests: Vec<TestRow>,
    /// CPU time that all workers used, nanoseconds.
    pub worker_cpu_ns: u64,
    /// How long workers had a due iteration whose thread waited for the interpreter, nanoseconds, summed over the workers.
    pub gil_wait_ns: u64,
}

/// One test's part of a [`Row`]: without warm-up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestRow {
    /// Iterations planned in this time.
    pub planned: u64,
    /// Iterations dropped, as far as it was told in this time.
    pub dropped: u64,
    /// The most iterations that were told to run at once.
    pub in_flight: u64,
    /// The most threads that were told.
    pub threads: u32,
    /// What was measured; no failures by kind and no exhibits.
    pub measures: Measures,
}

impl Row {
    /// Keeps what a row needs, in little memory.
    pub fn compact(&mut self) {
        for test in &mut self.tests {
            test.measures.compact();
        }
    }

    /// Joins what came right after it.
    pub fn join(&mut self, later: &Self) {
        self.to_ns = later.to_ns;
        self.worker_cpu_ns = self.worker_cpu_ns.saturating_add(later.worker_cpu_ns);
        self.gil_wait_ns = self.gil_wait_ns.saturating_add(later.gil_wait_ns);
        for (ours, theirs) in self.tests.iter_mut().zip(&later.tests) {
            ours.join(theirs);
        }
    }
}

impl TestRow {
    fn join(&mut self, later: &Self) {
        self.planned = self.planned.saturating_add(later.planned);
        self.dropped = self.dropped.saturating_add(later.dropped);
        self.in_flight = self.in_flight.max(later.in_flight);
        self.threads = self.threads.max(later.threads);
        self.measures.merge(&later.measures);
    }
}

/// What became of a second that was added to a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is part of a row that is not complete yet.
    Begun,
    /// It completed the last row.
    Completed,
    /// There was one row too many, and all were joined two by two.
    Coarsened,
}

/// The rows of a run, of one length but for the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    rows: Vec<Row>,
    /// So many seconds' rows are joined in one.
    fold: usize,
    /// Seconds in the last row.
    in_last: usize,
}

impl Default for Series {
    fn default() -> Self {
        Self::new()
    }
}

impl Series {
    /// A series without rows.
    pub fn new() -> Self {
        Self {
            rows: Vec::new(),
            fold: 1,
            in_last: 0,
        }
    }

    /// Adds the row of the next second.
    pub fn push(&mut self, mut second: Row) -> Pushed {
        second.compact();
        let tests = second.tests.len().max(1);
        match self.rows.last_mut() {
            Some(last) if self.in_last < self.fold => {
                last.join(&second);
                self.in_last += 1;
            }
            _ => {
                self.rows.push(second);
                self.in_last = 1;
            }
        }
        let most = (MAX_CELLS / tests).clamp(MIN_ROWS, MAX_ROWS);
        if self.rows.len() > most {
            self.halve();
            Pushed::Coarsened
        } else if self.in_last == self.fold {
            Pushed::Completed
        } else {
            Pushed::Begun
        }
    }

    /// All rows, in order; the last one may not be complete.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows to which nothing more is added.
    pub fn complete_rows(&self) -> &[Row] {
        let incomplete = usize::from(self.in_last < self.fold).min(self.rows.len());
        &self.rows[..self.rows.len() - incomplete]
    }

    /// The same in at most so many rows.
    #[must_use]
    pub fn coarser(&self, most: usize) -> Self {
        let mut coarse = self.clone();
        while coarse.rows.len() > most.max(1) {
            coarse.halve();
        }
        coarse
    }

    fn halve(&mut self) {
        let odd = self.rows.len() % 2 == 1;
        self.in_last = if odd {
            self.in_last
        } else {
            self.fold + self.in_last
        };
        self.fold *= 2;
        let mut joined = Vec::with_capacity(self.rows.len().div_ceil(2));
        let mut rows = std::mem::take(&mut self.rows).into_iter();
        while let Some(mut row) = rows.next() {
            if let Some(next) = rows.next() {
                row.join(&next);
            }
            joined.push(row);
        }
        self.rows = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NANOS_PER_SEC;

    fn second(n: u64) -> Row {
        let mut measures = Measures {
            passed: n,
            ..Measures::default()
        };
        measures.service_time.record(n);
        Row {
            from_ns: n * NANOS_PER_SEC,
            to_ns: (n + 1) * NANOS_PER_SEC,
            tests: vec![TestRow {
                planned: n,
                in_flight: n % 10,
                measures,
                ..TestRow::default()
            }],
            worker_cpu_ns: 1,
            gil_wait_ns: 2,
        }
    }

    #[test]
    fn a_week_is_as_many_rows_as_an_hour_and_nothing_is_lost() {
        let seconds: u64 = 7 * 24 * 3_600 / 10;
        let mut series = Series::new();
        let (mut total, mut joined) = (0, 0);
        let mut told: Vec<Row> = Vec::new();
        for n in 0..seconds {
            total += n;
            match series.push(second(n)) {
                Pushed::Begun => {}
                Pushed::Completed => told.extend(series.rows().last().cloned()),
                Pushed::Coarsened => {
                    joined += 1;
                    told = series.complete_rows().to_vec();
                }
            }
            assert!(series.rows().len() <= MAX_ROWS);
        }
        assert_eq!(joined, 6);
        // Whoever followed what was pushed has the same rows.
        assert_eq!(told, series.complete_rows());
        let rows = series.rows();
        assert!(rows.len() > MAX_ROWS / 2, "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.tests[0].planned).sum::<u64>(), total);
        assert_eq!(rows.iter().map(|row| row.worker_cpu_ns).sum::<u64>(), seconds);
        let counted: u64 = rows
            .iter()
            .map(|row| row.tests[0].measures.service_time.count())
            .sum();
        assert_eq!(counted, seconds);
        // Gapless, and of one length but for the last.
        let span_ns = rows[0].to_ns - rows[0].from_ns;
        for pair in rows.windows(2) {
            assert_eq!(pair[0].to_ns, pair[1].from_ns);
            assert_eq!(pair[0].to_ns - pair[0].from_ns, span_ns);
        }
    }

    #[test]
    fn many_tests_have_fewer_rows_each() {
        let mut series = Series::new();
        for n in 0..500 {
            let mut row = second(n);
            row.tests = vec![row.tests[0].clone(); 40];
            series.push(row);
        }
        assert!(series.rows().len() <= 120, "{}", series.rows().len());
        assert!(series.coarser(30).rows().len() <= 30);
        let planned = |series: &Series| series.rows().iter().map(|row| row.tests[39].planned).sum::<u64>();
        assert_eq!(planned(&series.coarser(7)), planned(&series));
    }
}
