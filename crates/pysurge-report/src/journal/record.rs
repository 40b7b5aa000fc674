//! The form of a journal: a line per record, `<CRC-32 of the JSON, 8 hex digits> <compact JSON>`. Compact JSON holds no line end, so that
//! whatever is damaged, the next line is whole again. A record of a kind that nobody knows is skipped: later ones may be added.

use pysurge_core::histogram::Histogram;
use pysurge_core::series::{Row, TestRow};
use pysurge_core::summary::{BlockMetric, CheckFigures, Summary};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// The version of the form.
pub(super) const VERSION: u32 = 1;

/// Far above a row or a summary of a thousand tests.
pub(super) const MAX_LINE_BYTES: usize = 64 << 20;

/// Hex digits and the blank in front of the JSON.
const LEAD_BYTES: usize = 9;

/// How each kind of record begins; what the names of [`Record`] become.
pub(super) const HEADER: &[u8] = b"{\"header\":";
pub(super) const SUMMARY: &[u8] = b"{\"summary\":";
pub(super) const ROW: &[u8] = b"{\"row\":";

/// What is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record<'a> {
    Header(Header),
    /// All that is known at a moment; takes the place of those before.
    Summary(&'a Summary),
    Row(JournalRow),
}

/// What is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OwnedRecord {
    Header(Header),
    Summary(Box<Summary>),
    Row(JournalRow),
}

/// The first record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) pysurge_version: String,
}

/// A row of the time series, complete: what the blocks of a summary are made of, and its lines of `timeseries.csv` as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalRow {
    /// From when on, run time.
    pub from_ns: u64,
    /// Up to when.
    pub to_ns: u64,
    /// Per test of the plan.
    pub(super) tests: Vec<RowTest>,
    /// Whole lines, each with its end.
    pub csv: String,
}

/// One test's part of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RowTest {
    pub(super) planned: u64,
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) dropped: u64,
    pub(super) response_time: Histogram,
    pub(super) service_time: Histogram,
    pub(super) lateness: Histogram,
    pub(super) metrics: BTreeMap<String, BlockMetric>,
    pub(super) timers: BTreeMap<String, Histogram>,
    pub(super) checks: BTreeMap<String, CheckFigures>,
}

impl JournalRow {
    pub(super) fn of(row: &Row, csv: &str) -> Self {
        Self {
            from_ns: row.from_ns,
            to_ns: row.to_ns,
            tests: row.tests.iter().map(RowTest::of).collect(),
            csv: csv.to_owned(),
        }
    }
}

impl RowTest {
    fn of(row: &TestRow) -> Self {
        let measures = &row.measures;
        let metrics = measures.metrics.iter().map(|(name, sketch)| {
            // JSON has no infinity, which a sum of great numbers may be.
            let sum = sketch.sum().clamp(f64::MIN, f64::MAX);
            let count = sketch.count();
            (name.to_owned(), BlockMetric { count, sum })
        });
        let timers = measures.timers.iter();
        Self {
            planned: row.planned,
            passed: measures.passed,
            failed: measures.failed,
            dropped: row.dropped,
            response_time: measures.response_time.clone(),
            service_time: measures.service_time.clone(),
            lateness: measures.lateness.clone(),
            metrics: metrics.collect(),
            timers: timers
                .map(|(name, timer)| (name.to_owned(), timer.passed.clone()))
                .collect(),
            checks: CheckFigures::of_all(&measures.checks),
        }
    }
}

/// A record as a line with its end.
pub(super) fn line(record: &Record<'_>) -> io::Result<Vec<u8>> {
    let mut line = vec![b' '; LEAD_BYTES];
    serde_json::to_writer(&mut line, record)?;
    if line.len() > MAX_LINE_BYTES {
        return Err(io::Error::other("a record is too long for the journal"));
    }
    let checksum = format!("{:08x}", crc32fast::hash(&line[LEAD_BYTES..]));
    line[..LEAD_BYTES - 1].copy_from_slice(checksum.as_bytes());
    line.push(b'\n');
    Ok(line)
}

/// The JSON of a line without its end; `None` where the line is not as it was written.
pub(super) fn payload(line: &[u8]) -> Option<&[u8]> {
    let (lead, json) = line.split_at_checked(LEAD_BYTES)?;
    let checksum = lead.strip_suffix(b" ")?;
    let is_hex = checksum.iter().all(u8::is_ascii_hexdigit);
    let checksum = u32::from_str_radix(str::from_utf8(checksum).ok()?, 16).ok()?;
    (is_hex && line.len() <= MAX_LINE_BYTES && checksum == crc32fast::hash(json)).then_some(json)
}
