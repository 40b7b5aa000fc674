//! One run, read: its summary, and the histograms of its blocks decoded.

use super::resample::Layout;
use crate::histogram::Histogram;
use crate::summary::{Block, BlockMetric, CheckFigures, EncodedHistogram, Status, Summary, TestBlock};
use std::collections::BTreeMap;

/// A run that can be compared.
#[derive(Debug, Clone)]
pub struct Source {
    /// How the user named it.
    pub path: String,
    /// Its summary; the blocks in it are not looked at any more.
    pub summary: Summary,
    /// Its blocks.
    pub run: Run,
}

/// The time series of a run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// How long each block is, seconds.
    pub seconds: Vec<f64>,
    /// Per test of the summary, per block.
    pub tests: Vec<Vec<Cells>>,
}

/// What was measured of a test in a block.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    /// Iterations planned.
    pub planned: u64,
    /// Iterations passed.
    pub passed: u64,
    /// Iterations failed.
    pub failed: u64,
    /// Iterations dropped.
    pub dropped: u64,
    /// Response times.
    pub response_time: Histogram,
    /// Service times.
    pub service_time: Histogram,
    /// Lateness.
    pub lateness: Histogram,
    /// Metrics, by name.
    pub metrics: BTreeMap<String, BlockMetric>,
    /// Timers, by name.
    pub timers: BTreeMap<String, Histogram>,
    /// Checks, by name.
    pub checks: BTreeMap<String, CheckFigures>,
}

/// Why a run cannot be compared. To be read after the name of its file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It has no final summary.
    #[error("the run did not come to its end: it goes on, or was killed, and has no figures over time yet")]
    Unfinished,
    /// It has no blocks.
    #[error("the run has no figures over time: nothing was measured in it")]
    Empty,
    /// A block does not fit the rest.
    #[error("block {block} is damaged: {what}")]
    Damaged {
        /// Its place, from 0.
        block: usize,
        /// What of it.
        what: &'static str,
    },
}

impl Source {
    /// A run by its summary.
    pub fn new(path: String, mut summary: Summary) -> Result<Self, SourceError> {
        let run = Run::of(&summary)?;
        summary.blocks = Vec::new();
        Ok(Self { path, summary, run })
    }
}

impl Run {
    /// The time series of a summary, from the first block in which something was planned or ended to the last.
    pub fn of(summary: &Summary) -> Result<Self, SourceError> {
        if summary.status == Status::Running {
            return Err(SourceError::Unfinished);
        }
        let has_data = |block: &Block| block.tests.iter().any(|test| total(test) > 0);
        let first = summary
            .blocks
            .iter()
            .position(has_data)
            .ok_or(SourceError::Empty)?;
        let last = summary
            .blocks
            .iter()
            .rposition(has_data)
            .ok_or(SourceError::Empty)?;
        let mut run = Self {
            seconds: Vec::with_capacity(last - first + 1),
            tests: vec![Vec::with_capacity(last - first + 1); summary.tests.len()],
        };
        for (at, block) in summary.blocks.iter().enumerate().take(last + 1).skip(first) {
            let damaged = |what| SourceError::Damaged { block: at, what };
            let seconds = block.to_s - block.from_s;
            if !(seconds.is_finite() && seconds > 0.0) {
                return Err(damaged("it has no length"));
            }
            if block.tests.len() != run.tests.len() {
                return Err(damaged("it has not as many tests as the summary"));
            }
            run.seconds.push(seconds);
            for (cells, test) in run.tests.iter_mut().zip(&block.tests) {
                cells.push(Cells::of(test).ok_or_else(|| damaged("a histogram cannot be read"))?);
            }
        }
        Ok(run)
    }
}

fn total(test: &TestBlock) -> u64 {
    let counts = [test.passed, test.failed, test.dropped];
    counts.into_iter().fold(test.planned, u64::saturating_add)
}

impl Cells {
    fn of(test: &TestBlock) -> Option<Self> {
        let decode = |encoded: &EncodedHistogram| encoded.decode();
        let timers = test
            .timers
            .iter()
            .map(|(name, encoded)| Some((name.clone(), decode(encoded)?)));
        Some(Self {
            planned: test.planned,
            passed: test.passed,
            failed: test.failed,
            dropped: test.dropped,
            response_time: decode(&test.response_time)?,
            service_time: decode(&test.service_time)?,
            lateness: decode(&test.lateness)?,
            metrics: test.metrics.clone(),
            timers: timers.collect::<Option<_>>()?,
            checks: test.checks.clone(),
        })
    }
}

/// The blocks of a side, one run after the other.
pub(super) fn layout(sources: &[Source]) -> Layout {
    let mut layout = Layout::default();
    for source in sources {
        let start = layout.seconds.len();
        layout.seconds.extend(&source.run.seconds);
        layout.runs.push(start..layout.seconds.len());
    }
    layout
}
