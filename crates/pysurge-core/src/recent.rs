//! The last seconds of a run, for whoever looks at it while it goes on: rates and response times of each test over the newest rows, and how
//! its response time went row by row. Fed with the rows of [`crate::event::RunEvent::Second`], a row is a second.
//!
//! Of most rows only one figure per test is kept, so that hundreds of tests stay small. Pure: fed with rows, asked for figures.

use crate::histogram::Histogram;
use crate::series::Row;
use std::collections::VecDeque;
use std::sync::Arc;

/// The newest rows that figures are taken from: enough to be calm, few enough to show what happens now.
const SPAN_NS: u64 = 5 * crate::NANOS_PER_SEC;

/// Rows of which the course of the response time is kept.
const MAX_TREND: usize = 60;

/// Follows the rows of a run.
#[derive(Debug, Default)]
pub struct Recent {
    /// As many of the newest rows as [`SPAN_NS`] takes.
    rows: VecDeque<Arc<Row>>,
    /// Per row, and in it per test, the 95th percentile of response times.
    trend: VecDeque<Vec<Option<u64>>>,
}

/// The figures of the last seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lately {
    /// How many seconds these are, whole rows; 0 where there is no row yet.
    pub seconds: f64,
    /// How long one row of a trend is, seconds.
    pub row_s: f64,
    /// Per test of the plan; empty where there is no row yet.
    pub tests: Vec<TestLately>,
}

/// One test's figures of the last seconds, without its warm-up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TestLately {
    /// Iterations planned.
    pub planned: u64,
    /// Iterations that failed.
    pub failed: u64,
    /// Iterations planned per second.
    pub planned_per_s: f64,
    /// Iterations that ended, passed or failed, per second.
    pub ended_per_s: f64,
    /// Response time: the median, nanoseconds; absent where none ended, as all of these.
    pub p50_ns: Option<u64>,
    /// The 95th percentile.
    pub p95_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// The 95th percentile of each of the last rows, the oldest first.
    pub trend_ns: Vec<Option<u64>>,
}

impl Recent {
    /// Takes the next row.
    pub fn push(&mut self, row: Arc<Row>) {
        let p95 = |row: &Row| {
            let tests = row.tests.iter();
            tests
                .map(|test| test.measures.response_time.quantile_ns(0.95))
                .collect()
        };
        self.trend.push_back(p95(&row));
        if self.trend.len() > MAX_TREND {
            self.trend.pop_front();
        }
        self.rows.push_back(row);
        while self.rows.len() > 1 && self.span_ns(1) >= SPAN_NS {
            self.rows.pop_front();
        }
    }

    /// How long the rows are but for so many of the oldest.
    fn span_ns(&self, without: usize) -> u64 {
        let rows = self.rows.iter().skip(without);
        rows.map(|row| row.to_ns.saturating_sub(row.from_ns)).sum()
    }

    /// The figures as they are now.
    #[expect(clippy::cast_precision_loss, reason = "seconds and rates to be shown")]
    pub fn lately(&self) -> Lately {
        let Some(last) = self.rows.back() else {
            return Lately::default();
        };
        let seconds = self.span_ns(0) as f64 / 1e9;
        let tests = 0..last.tests.len();
        Lately {
            seconds,
            row_s: last.to_ns.saturating_sub(last.from_ns) as f64 / 1e9,
            tests: tests.map(|test| self.of_test(test, seconds)).collect(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "rates to be shown")]
    fn of_test(&self, test: usize, seconds: f64) -> TestLately {
        let mut response_time = Histogram::new();
        let (mut planned, mut failed, mut ended) = (0u64, 0u64, 0u64);
        for row in self.rows.iter().filter_map(|row| row.tests.get(test)) {
            planned = planned.saturating_add(row.planned);
            failed = failed.saturating_add(row.measures.failed);
            ended = ended.saturating_add(row.measures.ended());
            response_time.merge(&row.measures.response_time);
        }
        let per_s = |n: u64| if seconds > 0.0 { n as f64 / seconds } else { 0.0 };
        let quantile_ns = |share| response_time.quantile_ns(share);
        let trend = self.trend.iter();
        TestLately {
            planned,
            failed,
            planned_per_s: per_s(planned),
            ended_per_s: per_s(ended),
            p50_ns: quantile_ns(0.5),
            p95_ns: quantile_ns(0.95),
            p99_ns: quantile_ns(0.99),
            trend_ns: trend.map(|tests| tests.get(test).copied().flatten()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NANOS_PER_SEC;
    use crate::series::TestRow;

    /// A row from an instant on, in seconds, with iterations that took so many milliseconds.
    fn row(from_s: u64, seconds: u64, took_ms: &[u64]) -> Arc<Row> {
        let mut test = TestRow {
            planned: took_ms.len() as u64,
            ..TestRow::default()
        };
        test.measures.passed = took_ms.len() as u64;
        for ms in took_ms {
            test.measures.response_time.record(ms * 1_000_000);
        }
        test.measures.compact();
        Arc::new(Row {
            from_ns: from_s * NANOS_PER_SEC,
            to_ns: (from_s + seconds) * NANOS_PER_SEC,
            tests: vec![test],
            worker_cpu_ns: 0,
            gil_wait_ns: 0,
        })
    }

    fn near(ns: Option<u64>, ms: u64) -> bool {
        ns.is_some_and(|ns| ns.abs_diff(ms * 1_000_000) <= ms * 1_000)
    }

    #[test]
    fn figures_are_of_the_last_seconds_and_not_of_the_run() {
        let mut recent = Recent::default();
        assert_eq!(recent.lately(), Lately::default());
        for second in 0..100 {
            recent.push(row(second, 1, if second < 95 { &[900; 7] } else { &[10, 20] }));
        }
        let lately = recent.lately();
        assert!((lately.seconds - 5.0).abs() < 1e-9 && (lately.row_s - 1.0).abs() < 1e-9);
        let test = &lately.tests[0];
        assert_eq!((test.planned, test.failed), (10, 0));
        assert!((test.planned_per_s - 2.0).abs() < 1e-9 && (test.ended_per_s - 2.0).abs() < 1e-9);
        assert!(near(test.p50_ns, 10) && near(test.p95_ns, 20) && near(test.p99_ns, 20));
        assert_eq!(test.trend_ns.len(), MAX_TREND);
        assert!(near(test.trend_ns[54], 900) && near(test.trend_ns[55], 20));
    }

    #[test]
    fn long_rows_are_taken_whole_and_a_second_without_any_has_no_figure() {
        let mut recent = Recent::default();
        recent.push(row(0, 4, &[5]));
        recent.push(row(4, 4, &[]));
        let lately = recent.lately();
        assert!((lately.seconds - 8.0).abs() < 1e-9);
        assert!(near(lately.tests[0].p50_ns, 5));
        recent.push(row(8, 4, &[]));
        let test = &recent.lately().tests[0];
        assert_eq!((test.p50_ns, test.planned), (None, 0));
        assert_eq!(test.trend_ns.iter().filter(|ns| ns.is_some()).count(), 1);
    }
}
