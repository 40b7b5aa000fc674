//! `timeseries.csv` in a run's folder: one line per row of the series, test and measure, specified in `docs/reference/timeseries.md`.
//! Appended to as rows come; when the series was made coarser, replaced in one step, so that a reader sees the old one or the new one.

use crate::cell::cell;
use crate::naming::TestNames;
use crate::private;
use pysurge_core::histogram::Histogram;
use pysurge_core::measure::Measures;
use pysurge_core::series::{Row, TestRow};
use pysurge_core::sketch::Sketch;
use pysurge_core::summary::{Durations, ThreadTime};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The columns, in order.
const HEAD: [&str; 14] = [
    "from_s", "to_s", "test", "measure", "count", "sum", "min", "mean", "p50", "p90", "p95", "p99", "p99.9",
    "max",
];

/// The figures of one line; what a measure does not have stays empty.
#[derive(Debug, Default)]
struct Figures {
    count: Option<u64>,
    sum: Option<f64>,
    min: Option<f64>,
    mean: Option<f64>,
    /// p50, p90, p95, p99, p99.9.
    quantiles: [Option<f64>; 5],
    max: Option<f64>,
}

/// The file. It is made with the first row.
#[derive(Debug)]
pub(crate) struct TimeSeries {
    path: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl TimeSeries {
    /// The file in this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(TIMESERIES),
            writer: None,
        }
    }

    /// Appends the [`lines`] of a row.
    pub(crate) fn append(&mut self, lines: &str) -> io::Result<()> {
        if self.writer.is_none() {
            self.writer = Some(begin(&self.path)?);
        }
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        writer.write_all(lines.as_bytes())
    }

    /// Puts the [`lines`] of rows in the place of what was written.
    pub(crate) fn replace(&mut self, rows: impl Iterator<Item = String>) -> io::Result<()> {
        let unfinished = self.path.with_file_name(".timeseries.csv.new");
        let mut writer = begin(&unfinished)?;
        for lines in rows {
            writer.write_all(lines.as_bytes())?;
        }
        writer.flush()?;
        fs::rename(&unfinished, &self.path)?;
        // The old file is gone: what it had not written yet is part of the new one.
        self.writer = Some(writer);
        Ok(())
    }

    /// Writes out what waits.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), BufWriter::flush)
    }

    /// The same, so that it outlives a power loss.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.writer
            .as_ref()
            .map_or(Ok(()), |writer| writer.get_ref().sync_data())
    }
}

/// The name of the file.
pub(crate) const TIMESERIES: &str = "timeseries.csv";

/// The line of the columns' names.
pub(crate) fn head() -> String {
    HEAD.join(",") + "\n"
}

fn begin(path: &Path) -> io::Result<BufWriter<File>> {
    let mut writer = BufWriter::new(private::make_file(path)?);
    writer.write_all(head().as_bytes())?;
    Ok(writer)
}

/// The lines of a row, each with its end.
pub(crate) fn lines(row: &Row, names: &TestNames) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write_row(&mut writer, row, names).expect("a vector takes what is written");
    let bytes = writer.into_inner().expect("a vector takes what is written");
    String::from_utf8(bytes).expect("only text was written")
}

fn write_row(writer: &mut csv::Writer<Vec<u8>>, row: &Row, names: &TestNames) -> io::Result<()> {
    let (from, to) = (number(seconds(row.from_ns)), number(seconds(row.to_ns)));
    let mut line = |test: &str, measure: &str, figures: &Figures| -> io::Result<()> {
        let text = |value: Option<f64>| value.map(number).unwrap_or_default();
        let [p50, p90, p95, p99, p99_9] = figures.quantiles.map(text);
        writer.write_record([
            &from,
            &to,
            &*cell(test),
            &*cell(measure),
            &figures.count.map(|n| n.to_string()).unwrap_or_default(),
            &text(figures.sum),
            &text(figures.min),
            &text(figures.mean),
            &p50,
            &p90,
            &p95,
            &p99,
            &p99_9,
            &text(figures.max),
        ])?;
        Ok(())
    };
    for (at, test) in row.tests.iter().enumerate() {
        let name = names.of(at);
        for (measure, figures) in of_test(test) {
            line(name, &measure, &figures)?;
        }
    }
    line("", "worker_cpu", &Figures::sum(seconds(row.worker_cpu_ns)))?;
    line("", "gil_wait", &Figures::sum(seconds(row.gil_wait_ns)))
}

/// The measures of a test in a row, in the order in which they are written.
fn of_test(row: &TestRow) -> Vec<(String, Figures)> {
    let measures = &row.measures;
    let mut lines: Vec<(String, Figures)> = Vec::new();
    let mut add = |name: &str, figures: Figures| lines.push((name.to_owned(), figures));
    add("planned", Figures::count(row.planned));
    add("passed", Figures::count(measures.passed));
    add("failed", Figures::count(measures.failed));
    add("dropped", Figures::count(row.dropped));
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    add("in_flight", Figures::max(row.in_flight as f64));
    add("threads", Figures::max(f64::from(row.threads)));
    add("response_time", Figures::durations(&measures.response_time));
    add("service_time", Figures::durations(&measures.service_time));
    add("lateness", Figures::durations(&measures.lateness));
    for (name, part) in measures.lateness_parts.named() {
        add(&format!("lateness.{name}"), Figures::durations(part));
    }
    for (name, histogram) in [("setup", &measures.setup), ("teardown", &measures.teardown)] {
        if !histogram.is_empty() {
            add(name, Figures::durations(histogram));
        }
    }
    let threads = ThreadTime::of(measures);
    add("thread_time.busy", Figures::sum(threads.busy_s));
    add("thread_time.cpu", Figures::sum(threads.cpu_s));
    lines.extend(of_user(measures));
    lines
}

/// What user code told.
fn of_user(measures: &Measures) -> Vec<(String, Figures)> {
    let mut lines = Vec::new();
    for (name, sketch) in measures.metrics.iter() {
        lines.push((format!("metrics.{name}"), Figures::metric(sketch)));
    }
    for (name, check) in measures.checks.iter() {
        lines.push((
            format!("checks.{name}"),
            Figures::check(check.passed, check.failed),
        ));
    }
    for (name, timer) in measures.timers.iter() {
        for (kind, histogram) in [("timers", &timer.passed), ("timers_failed", &timer.failed)] {
            if !histogram.is_empty() {
                lines.push((format!("{kind}.{name}"), Figures::durations(histogram)));
            }
        }
    }
    for (name, sum) in measures.counts.iter() {
        lines.push((format!("counts.{name}"), Figures::sum(sum)));
    }
    lines
}

impl Figures {
    fn count(count: u64) -> Self {
        Self {
            count: Some(count),
            ..Self::default()
        }
    }

    fn sum(sum: f64) -> Self {
        Self {
            sum: Some(sum),
            ..Self::default()
        }
    }

    fn max(max: f64) -> Self {
        Self {
            max: Some(max),
            ..Self::default()
        }
    }

    /// As they stand in a summary, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
    fn durations(histogram: &Histogram) -> Self {
        let figures = Durations::of(histogram);
        Self {
            count: Some(figures.count),
            sum: (figures.count > 0).then(|| histogram.sum_ns() as f64 / 1e9),
            min: figures.min_s,
            mean: figures.mean_s,
            quantiles: [
                figures.p50_s,
                figures.p90_s,
                figures.p95_s,
                figures.p99_s,
                figures.p99_9_s,
            ],
            max: figures.max_s,
        }
    }

    fn metric(sketch: &Sketch) -> Self {
        Self {
            count: Some(sketch.count()),
            sum: Some(sketch.sum()),
            min: sketch.min(),
            mean: sketch.mean(),
            quantiles: [0.5, 0.9, 0.95, 0.99, 0.999].map(|share| sketch.quantile(share)),
            max: sketch.max(),
        }
    }

    /// Counts 1 where it held and 0 where not: the mean is the share that held.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    fn check(passed: u64, failed: u64) -> Self {
        let count = passed + failed;
        Self {
            count: Some(count),
            sum: Some(passed as f64),
            mean: (count > 0).then(|| passed as f64 / count as f64),
            ..Self::default()
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// A number that reads back as it was; empty where it is none.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        String::new()
    } else if value != 0.0 && !(1e-12..1e16).contains(&magnitude) {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back() {
        for (value, text) in [
            (0.0, "0"),
            (0.000_143, "0.000143"),
            (-2.5, "-2.5"),
            (1_048_576.0, "1048576"),
            (f64::INFINITY, ""),
            (f64::NAN, ""),
            (1e300, "1e300"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(number(value), text);
            if !text.is_empty() {
                assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(value.to_bits()));
            }
        }
    }
}
