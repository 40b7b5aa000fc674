//! A run that a Python program asked for, `pysurge.run(…)`: a config that is no file and the wishes beside it become a job, and what
//! came of it goes back as data. Shows what the command shows, on the streams of its [`World`], and nothing else; the program decides
//! what these are.

use super::fire::Job;
use super::{caught, recordings};
use crate::error::CliError;
use crate::world::World;
use pysurge_config::Config;
use pysurge_core::histogram::Histogram;
use pysurge_core::summary::{Block, CheckFigures, Durations, Summary, TestBlock};
use pysurge_manager::{Abort, Outcome};
use pysurge_report::{Style, report, summary_json};
use std::path::PathBuf;

/// Columns of a report that is kept as text.
const REPORT_COLUMNS: u16 = 100;

/// What a program wants beside its config.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent wishes, each an argument of its own"
)]
#[derive(Debug, Clone, Default)]
pub struct LibraryRun {
    /// How long iterations are planned; as the config says where `None`.
    pub duration_ns: Option<u64>,
    /// How many workers; as the config says where `None`.
    pub workers: Option<u32>,
    /// The folder for runs' folders, from the working directory on; none is made where `None`.
    pub results: Option<PathBuf>,
    /// Whether each test is run once before the load.
    pub rehearsal: bool,
    /// Whether what the command would show is shown; else only warnings and errors.
    pub show: bool,
    /// Whether debug log records are wanted.
    pub debug: bool,
    /// Whether an invalid verdict fails the run.
    pub require_valid: bool,
    /// Variables for the workers, beside those of this process.
    pub env: Vec<(String, String)>,
}

/// What came of it.
#[derive(Debug)]
pub enum LibraryOutcome {
    /// It was fired, or no test survived its `startup`.
    Finished(Box<LibraryResult>),
    /// The config is wrong; what standard error would have shown.
    WrongConfig(String),
    /// Tests cannot be loaded; the same.
    LoadFailed(String),
    /// A test failed when it was rehearsed; the streams tell which.
    RehearsalFailed,
    /// It could not be carried out: what standard error would have shown, or nothing where that told it already.
    Aborted(String),
    /// Stopped by its user before anything was fired.
    Stopped,
}

/// The result of a run that was fired.
#[derive(Debug)]
pub struct LibraryResult {
    /// The summary, as `summary.json` has it.
    pub summary_json: String,
    /// The report at the end, without colours.
    pub report: String,
    /// The run's folder, where one was made.
    pub folder: Option<PathBuf>,
}

/// Fires a config that is no file, for a program.
pub fn run_library(config: Config, wishes: LibraryRun, mut world: World) -> LibraryOutcome {
    caught(&mut world, |world| lead(config, wishes, world))
        .unwrap_or_else(|panic| LibraryOutcome::Aborted(format!("internal error: {panic}")))
}

fn lead(mut config: Config, wishes: LibraryRun, world: &mut World) -> LibraryOutcome {
    if let Err(error) = recordings::read(&mut config, &[&world.cwd]) {
        return failed(&error);
    }
    let mut job = Job::new(config, world);
    job.set(wishes.duration_ns, wishes.workers);
    job.results = wishes.results.map(|folder| world.cwd.join(folder));
    job.rehearsal = wishes.rehearsal;
    job.quiet = !wishes.show;
    job.debug = wishes.debug;
    job.require_valid = wishes.require_valid;
    job.env.extend(wishes.env);
    match job.lead_kept(world) {
        Ok((Outcome::Finished(summary), folder)) => {
            LibraryOutcome::Finished(Box::new(result(&summary, folder)))
        }
        Ok((Outcome::LoadFailed(errors), _)) => {
            let errors = job.config.load_errors(&errors);
            LibraryOutcome::LoadFailed(errors.render(false))
        }
        Ok((Outcome::RehearsalFailed, _)) => LibraryOutcome::RehearsalFailed,
        Ok((Outcome::Aborted(Abort::Signal), _)) => LibraryOutcome::Stopped,
        Ok((Outcome::Aborted(Abort::Worker(text)), _)) => LibraryOutcome::Aborted(text),
        Ok((Outcome::Checked { .. } | Outcome::Planned { .. } | Outcome::Collected(_), _)) => {
            LibraryOutcome::Aborted("internal error: a run ended as something else".to_owned())
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &CliError) -> LibraryOutcome {
    let text = error.render(false).trim_end().to_owned();
    match error {
        CliError::Config(_) | CliError::Threshold(_) | CliError::Results(_) => {
            LibraryOutcome::WrongConfig(text)
        }
        CliError::Stopped { .. } => LibraryOutcome::Stopped,
        _ => LibraryOutcome::Aborted(text),
    }
}

fn result(summary: &Summary, folder: Option<PathBuf>) -> LibraryResult {
    let style = Style {
        color: false,
        columns: REPORT_COLUMNS,
    };
    LibraryResult {
        summary_json: summary_json(summary),
        report: report::render(summary, &style),
        folder,
    }
}

/// A line of a time series: what was measured of a test in some seconds. The columns are those of `timeseries.csv`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeriesLine {
    /// From when on, seconds since the start.
    pub from_s: f64,
    /// Up to when.
    pub to_s: f64,
    /// The test's place in the summary.
    pub test: usize,
    /// What was measured: `response_time`, `metrics.size`.
    pub measure: String,
    /// How many.
    pub count: Option<u64>,
    /// Their sum.
    pub sum: Option<f64>,
    /// The mean, and p50, p90, p95, p99, p99.9 and the greatest, as far as the measure has them.
    pub figures: [Option<f64>; 7],
}

/// The blocks of a summary, line by line; `None` where the text is no summary.
pub fn series_of(summary_json: &str) -> Option<Vec<SeriesLine>> {
    let summary: Summary = serde_json::from_str(summary_json).ok()?;
    let mut lines = Vec::new();
    for block in &summary.blocks {
        for (test, figures) in block.tests.iter().enumerate() {
            lines.extend(lines_of(block, test, figures));
        }
    }
    Some(lines)
}

fn lines_of(block: &Block, test: usize, of: &TestBlock) -> Vec<SeriesLine> {
    let line = |measure: String| SeriesLine {
        from_s: block.from_s,
        to_s: block.to_s,
        test,
        measure,
        ..SeriesLine::default()
    };
    let counted = |(measure, count): (&str, u64)| SeriesLine {
        count: Some(count),
        ..line(measure.to_owned())
    };
    let figures_of =
        |measure: String, histogram: Option<Histogram>| durations(line(measure), histogram.as_ref());
    let counts = [
        ("planned", of.planned),
        ("passed", of.passed),
        ("failed", of.failed),
        ("dropped", of.dropped),
    ];
    let times = [
        ("response_time", &of.response_time),
        ("service_time", &of.service_time),
        ("lateness", &of.lateness),
    ];
    let mut lines: Vec<SeriesLine> = counts.into_iter().map(counted).collect();
    lines.extend(times.map(|(measure, times)| figures_of(measure.to_owned(), times.decode())));
    let steps = of.timers.iter();
    lines.extend(steps.map(|(name, times)| figures_of(format!("timers.{name}"), times.decode())));
    lines.extend(of.metrics.iter().map(|(name, metric)| SeriesLine {
        count: Some(metric.count),
        sum: Some(metric.sum),
        figures: [
            share(metric.sum, metric.count),
            None,
            None,
            None,
            None,
            None,
            None,
        ],
        ..line(format!("metrics.{name}"))
    }));
    lines.extend(
        of.checks
            .iter()
            .map(|(name, check)| checked(line(format!("checks.{name}")), *check)),
    );
    lines
}

#[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
fn durations(line: SeriesLine, histogram: Option<&Histogram>) -> SeriesLine {
    let empty = Histogram::default();
    let histogram = histogram.unwrap_or(&empty);
    let of = Durations::of(histogram);
    SeriesLine {
        count: Some(of.count),
        sum: (of.count > 0).then(|| histogram.sum_ns() as f64 / 1e9),
        figures: [
            of.mean_s, of.p50_s, of.p90_s, of.p95_s, of.p99_s, of.p99_9_s, of.max_s,
        ],
        ..line
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn checked(line: SeriesLine, check: CheckFigures) -> SeriesLine {
    let count = check.passed + check.failed;
    let sum = check.passed as f64;
    SeriesLine {
        count: Some(count),
        sum: Some(sum),
        figures: [share(sum, count), None, None, None, None, None, None],
        ..line
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn share(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::summary::{BlockMetric, EncodedHistogram};

    #[test]
    fn a_block_is_told_line_by_line() {
        let mut histogram = Histogram::default();
        histogram.record(2_000_000_000);
        let of = TestBlock {
            planned: 3,
            passed: 1,
            response_time: EncodedHistogram::of(&histogram),
            metrics: [("size".into(), BlockMetric { count: 2, sum: 5.0 })].into(),
            checks: [("even".into(), CheckFigures { passed: 3, failed: 1 })].into(),
            ..TestBlock::default()
        };
        let block = Block {
            from_s: 1.0,
            to_s: 2.0,
            tests: vec![],
        };
        let lines = lines_of(&block, 4, &of);
        let line = |measure: &str| lines.iter().find(|line| line.measure == measure).unwrap();
        assert_eq!(line("planned").count, Some(3));
        let response = line("response_time");
        assert_eq!(
            (response.count, response.test, response.from_s, response.to_s),
            (Some(1), 4, 1.0, 2.0)
        );
        let [mean, median, .., max] = response.figures;
        for figure in [mean, median, max] {
            assert!((figure.unwrap() - 2.0).abs() < 0.01, "{figure:?}");
        }
        assert_eq!(
            (line("service_time").count, line("service_time").figures),
            (Some(0), [None; 7])
        );
        assert_eq!(line("metrics.size").figures[0], Some(2.5));
        assert_eq!(
            (line("checks.even").sum, line("checks.even").figures[0]),
            (Some(3.0), Some(0.75))
        );
        assert_eq!(series_of("{}"), None);
    }
}
