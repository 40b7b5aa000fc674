//! What becomes of a journal: the summary and the time series of a run that was killed. What ran when it was killed, or was not told of, is
//! lost; so every account balances.

use super::JOURNAL;
use super::read::Journal;
use super::record::{JournalRow, RowTest};
use crate::folder::{SUMMARY, summary_json};
use crate::private;
use crate::timeseries::{self, TIMESERIES};
use pysurge_core::account::Account;
use pysurge_core::summary::{Block, EncodedHistogram, MAX_BLOCKS, Status, Summary, TestBlock, WorkerEnd};
use pysurge_core::verdict::{Cause, CauseKind, Validity, Verdict};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// What is to stand in the folder of a run that was killed.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebuilt {
    /// The content of `summary.json`.
    pub summary: Summary,
    /// The content of `timeseries.csv`.
    pub timeseries: String,
}

impl Rebuilt {
    /// Puts it into the run's folder, the summary last: until it stands there, the journal is what counts. Then that goes, unless it is to stay.
    pub fn write(&self, folder: &Path, and_remove_journal: bool) -> io::Result<()> {
        private::replace_file(&folder.join(TIMESERIES), self.timeseries.as_bytes(), true)?;
        let summary = summary_json(&self.summary);
        private::replace_file(&folder.join(SUMMARY), summary.as_bytes(), true)?;
        if and_remove_journal {
            let journal = folder.join(JOURNAL);
            fs::remove_file(&journal)?;
            private::sync_folder_of(&journal)?;
        }
        Ok(())
    }
}

impl Journal {
    /// The summary as it would have been, had the run ended with the newest checkpoint, and the lines of the rows up to there.
    pub fn rebuild(self) -> Rebuilt {
        let mut timeseries = timeseries::head();
        timeseries.extend(self.rows.iter().map(|row| row.csv.as_str()));
        let mut summary = self.summary;
        // The run had ended, and only its summary could not be written.
        if summary.status == Status::Running {
            summary.blocks = blocks(self.rows);
            close(&mut summary);
        }
        Rebuilt { summary, timeseries }
    }
}

/// Ends a summary of a run that goes on no more.
fn close(summary: &mut Summary) {
    summary.status = Status::Killed;
    summary.account = Account::default();
    for test in &mut summary.tests {
        test.account.lost = rest(&test.account);
        test.in_flight = 0;
        summary.account += test.account;
        if let Some(warmup) = &mut test.warmup {
            warmup.account.lost = rest(&warmup.account);
        }
    }
    for worker in &mut summary.workers {
        if worker.end == WorkerEnd::Running {
            worker.end = WorkerEnd::Lost;
        }
    }
    let mut causes = std::mem::take(&mut summary.verdict.causes);
    causes.insert(0, killed(summary));
    summary.verdict = Verdict::of(causes);
}

/// What is planned and not told.
fn rest(account: &Account) -> u64 {
    account.planned.saturating_sub(account.told())
}

fn killed(summary: &Summary) -> Cause {
    let text = match summary.account.lost {
        0 => "pysurge was killed, or the machine went down: the figures end there".to_owned(),
        lost => format!(
            "pysurge was killed, or the machine went down: the figures end there, and {lost} {} of which nothing was told by then {} lost",
            if lost == 1 { "iteration" } else { "iterations" },
            if lost == 1 { "is" } else { "are" },
        ),
    };
    Cause {
        validity: Validity::Degraded,
        kind: CauseKind::Killed,
        test: None,
        text,
        advice: None,
    }
}

/// The rows as blocks, joined two by two until there are few enough.
fn blocks(mut rows: Vec<JournalRow>) -> Vec<Block> {
    while rows.len() > MAX_BLOCKS {
        let mut joined = Vec::with_capacity(rows.len().div_ceil(2));
        let mut each = rows.into_iter();
        while let Some(mut row) = each.next() {
            if let Some(next) = each.next() {
                row.join(next);
            }
            joined.push(row);
        }
        rows = joined;
    }
    rows.iter().map(JournalRow::block).collect()
}

impl JournalRow {
    /// Joins what came after it; the lines are not looked at any more.
    fn join(&mut self, later: Self) {
        self.to_ns = later.to_ns;
        for (ours, theirs) in self.tests.iter_mut().zip(later.tests) {
            ours.join(theirs);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
    fn block(&self) -> Block {
        Block {
            from_s: self.from_ns as f64 / 1e9,
            to_s: self.to_ns as f64 / 1e9,
            tests: self.tests.iter().map(RowTest::block).collect(),
        }
    }
}

impl RowTest {
    fn join(&mut self, later: Self) {
        self.planned += later.planned;
        self.passed += later.passed;
        self.failed += later.failed;
        self.dropped += later.dropped;
        self.response_time.merge(&later.response_time);
        self.service_time.merge(&later.service_time);
        self.lateness.merge(&later.lateness);
        add(&mut self.metrics, later.metrics, |ours, theirs| {
            ours.count += theirs.count;
            ours.sum = (ours.sum + theirs.sum).clamp(f64::MIN, f64::MAX);
        });
        add(&mut self.timers, later.timers, |ours, theirs| ours.merge(&theirs));
        add(&mut self.checks, later.checks, |ours, theirs| {
            ours.passed += theirs.passed;
            ours.failed += theirs.failed;
        });
    }

    fn block(&self) -> TestBlock {
        let timers = self.timers.iter();
        TestBlock {
            planned: self.planned,
            passed: self.passed,
            failed: self.failed,
            dropped: self.dropped,
            response_time: EncodedHistogram::of(&self.response_time),
            service_time: EncodedHistogram::of(&self.service_time),
            lateness: EncodedHistogram::of(&self.lateness),
            metrics: self.metrics.clone(),
            timers: timers
                .map(|(name, timer)| (name.clone(), EncodedHistogram::of(timer)))
                .collect(),
            checks: self.checks.clone(),
        }
    }
}

/// Adds what goes by a name to what went by it.
fn add<T: Default>(ours: &mut BTreeMap<String, T>, theirs: BTreeMap<String, T>, join: impl Fn(&mut T, T)) {
    for (name, of_name) in theirs {
        join(ours.entry(name).or_default(), of_name);
    }
}
