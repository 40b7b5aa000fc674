//! Reads a journal: the newest checkpoint that is whole, and the rows up to it. Pure over bytes; never panics, whatever they are. What is
//! damaged is skipped and counted; a line that was being written when all ended is no damage.

use super::record::{self, Header, JournalRow, OwnedRecord, RowTest};
use pysurge_core::account::Account;
use pysurge_core::histogram::Histogram;
use pysurge_core::summary::{SCHEMA_VERSION, Summary};
use std::collections::VecDeque;

/// Checkpoints that are tried, the newest first: one that is whole and no summary is written by nobody.
const MAX_TRIES: usize = 16;

/// Rows that are read: a series has fewer than a hundredth of it.
const MAX_ROWS: usize = 100_000;

/// A count above it was never counted: so many rows of it can be added without an overflow.
const MAX_COUNT: u64 = 1 << 44;

/// What a journal holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// The version of pysurge that wrote it, where it says so.
    pub pysurge_version: Option<String>,
    /// The newest checkpoint, as it was written.
    pub summary: Summary,
    /// The rows that were complete by then, in order.
    pub rows: Vec<JournalRow>,
    /// Lines that are not as they were written, or make no sense.
    pub damaged: u64,
    /// Whether the last line was being written when all ended.
    pub torn: bool,
}

/// Why nothing can be made of a journal. To be read after the name of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// There is no whole record in it.
    #[error("is no journal of a run, or all of it is damaged")]
    NotJournal,
    /// Its form, or the summary in it, is another.
    #[error("has a form of version {version}; this pysurge reads version {readable}")]
    OtherVersion {
        /// The version it has.
        version: u32,
        /// The one that is read.
        readable: u32,
    },
    /// It has no checkpoint.
    #[error("has no whole checkpoint: the run was killed before its first second was over")]
    NoCheckpoint {
        /// Lines that are damaged; one of them may have been it.
        damaged: u64,
    },
}

/// Reads a journal.
pub fn read(bytes: &[u8]) -> Result<Journal, JournalError> {
    let mut lines = Lines::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, is_whole) = (&rest[..end.unwrap_or(rest.len())], end.is_some());
        rest = end.map_or(&[][..], |end| &rest[end + 1..]);
        lines.take(line, is_whole)?;
    }
    lines.finish()
}

/// What was found so far, not yet parsed.
#[derive(Debug, Default)]
struct Lines<'a> {
    pysurge_version: Option<String>,
    has_whole: bool,
    rows: Vec<&'a [u8]>,
    /// Each with the number of rows before it.
    checkpoints: VecDeque<(usize, &'a [u8])>,
    damaged: u64,
    torn: bool,
}

impl<'a> Lines<'a> {
    fn take(&mut self, line: &'a [u8], is_whole: bool) -> Result<(), JournalError> {
        let Some(json) = record::payload(line) else {
            // An empty line ends what a failed write left.
            self.torn |= !is_whole;
            self.damaged += u64::from(is_whole && !line.is_empty());
            return Ok(());
        };
        self.has_whole = true;
        if json.starts_with(record::SUMMARY) {
            if self.checkpoints.len() == MAX_TRIES {
                self.checkpoints.pop_front();
            }
            self.checkpoints.push_back((self.rows.len(), json));
        } else if json.starts_with(record::ROW) {
            if self.rows.len() < MAX_ROWS {
                self.rows.push(json);
            } else {
                self.damaged += 1;
            }
        } else if json.starts_with(record::HEADER) {
            self.header(json)?;
        }
        Ok(())
    }

    fn header(&mut self, json: &[u8]) -> Result<(), JournalError> {
        match serde_json::from_slice(json) {
            Ok(OwnedRecord::Header(Header { version, .. })) if version != record::VERSION => {
                Err(JournalError::OtherVersion {
                    version,
                    readable: record::VERSION,
                })
            }
            Ok(OwnedRecord::Header(header)) => {
                self.pysurge_version = Some(header.pysurge_version);
                Ok(())
            }
            _ => {
                self.damaged += 1;
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Result<Journal, JournalError> {
        if !self.has_whole {
            return Err(JournalError::NotJournal);
        }
        let (rows_before, summary) = self.newest()?;
        let mut rows: Vec<JournalRow> = Vec::with_capacity(rows_before);
        for json in &self.rows[..rows_before] {
            let after_ns = rows.last().map_or(0, |row| row.to_ns);
            match serde_json::from_slice(json) {
                Ok(OwnedRecord::Row(row)) if makes_sense(&row, after_ns, summary.tests.len()) => {
                    rows.push(row);
                }
                _ => self.damaged += 1,
            }
        }
        Ok(Journal {
            pysurge_version: self.pysurge_version,
            summary,
            rows,
            damaged: self.damaged,
            torn: self.torn,
        })
    }

    /// The newest checkpoint that makes sense, with the number of rows before it.
    fn newest(&mut self) -> Result<(usize, Summary), JournalError> {
        while let Some((rows_before, json)) = self.checkpoints.pop_back() {
            match serde_json::from_slice(json) {
                Ok(OwnedRecord::Summary(summary)) if summary.schema_version != SCHEMA_VERSION => {
                    return Err(JournalError::OtherVersion {
                        version: summary.schema_version,
                        readable: SCHEMA_VERSION,
                    });
                }
                Ok(OwnedRecord::Summary(summary)) if adds_up(&summary) => return Ok((rows_before, *summary)),
                _ => self.damaged += 1,
            }
        }
        Err(JournalError::NoCheckpoint {
            damaged: self.damaged,
        })
    }
}

/// Whether its accounts can be added.
fn adds_up(summary: &Summary) -> bool {
    let tests = summary.tests.iter();
    let accounts = tests.flat_map(|test| {
        [
            Some(test.account),
            test.warmup.as_ref().map(|warmup| warmup.account),
        ]
    });
    let counts = |account: Account| {
        [
            account.planned,
            account.passed,
            account.failed,
            account.dropped,
            account.interrupted,
            account.lost,
        ]
    };
    accounts
        .flatten()
        .flat_map(counts)
        .try_fold(0u64, u64::checked_add)
        .is_some()
}

/// Whether it can stand behind a row that ends there.
fn makes_sense(row: &JournalRow, after_ns: u64, tests: usize) -> bool {
    row.from_ns >= after_ns
        && row.to_ns > row.from_ns
        && row.tests.len() == tests
        && (row.csv.is_empty() || row.csv.ends_with('\n'))
        && row.tests.iter().all(RowTest::is_countable)
}

impl RowTest {
    fn is_countable(&self) -> bool {
        let histograms = [&self.response_time, &self.service_time, &self.lateness];
        let counts = [self.planned, self.passed, self.failed, self.dropped];
        let checks = self
            .checks
            .values()
            .flat_map(|check| [check.passed, check.failed]);
        let metrics = self.metrics.values().map(|metric| metric.count);
        counts
            .into_iter()
            .chain(checks)
            .chain(metrics)
            .all(|n| n <= MAX_COUNT)
            && histograms
                .into_iter()
                .chain(self.timers.values())
                .all(is_countable)
    }
}

fn is_countable(histogram: &Histogram) -> bool {
    let counted = histogram.counted();
    let count = counted
        .iter()
        .try_fold(0u64, |sum, (_, times)| sum.checked_add(*times));
    let is_ascending = counted.is_sorted_by(|a, b| a.0 < b.0);
    count.is_some_and(|count| count <= MAX_COUNT)
        && is_ascending
        && histogram.sum_ns() <= u128::from(u64::MAX) << 48
}
