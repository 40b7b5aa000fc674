//! What the page is given: the summary as it is, and beside it what its charts draw. Times are seconds since the start.

use super::curves::{Distribution, HeatMap};
use super::rows::Rows;
use pysurge_core::histogram::Histogram;
use pysurge_core::summary::{Block, EncodedHistogram, Summary, TestBlock};
use serde::Serialize;

/// The data of a page.
#[derive(Debug, Serialize)]
pub(super) struct Page<'a> {
    /// Without its blocks: the charts are made of these.
    summary: Summary,
    /// `config.yml` as it is.
    config: &'a str,
    rows: Rows,
    /// Per test of the summary.
    curves: Vec<TestCurves>,
}

/// What is drawn of a test beside its rows.
#[derive(Debug, Serialize)]
pub(super) struct TestCurves {
    pub(super) response_time: Distribution,
    pub(super) service_time: Distribution,
    pub(super) heat: Option<HeatMap>,
}

impl<'a> Page<'a> {
    pub(super) fn of(summary: &Summary, timeseries: &str, config: &'a str) -> Self {
        let mut summary = summary.clone();
        let blocks = std::mem::take(&mut summary.blocks);
        let tests = 0..summary.tests.len();
        Self {
            rows: Rows::read(timeseries, summary.tests.len()),
            curves: tests.map(|test| TestCurves::of(&blocks, test)).collect(),
            summary,
            config,
        }
    }
}

impl TestCurves {
    fn of(blocks: &[Block], test: usize) -> Self {
        let histograms = |of: fn(&TestBlock) -> &EncodedHistogram| -> Vec<Histogram> {
            let blocks = blocks.iter();
            blocks
                .map(|block| {
                    let encoded = block.tests.get(test).map(of);
                    encoded.and_then(EncodedHistogram::decode).unwrap_or_default()
                })
                .collect()
        };
        let response_times = histograms(|block| &block.response_time);
        let service_times = histograms(|block| &block.service_time);
        Self {
            response_time: Distribution::of(&response_times),
            service_time: Distribution::of(&service_times),
            heat: HeatMap::of(blocks, &response_times),
        }
    }
}
