//! A run's folder: `config.yml` at once, `run.log` and `timeseries.csv` as it goes, `summary.json` once a second and at the end, `report.html`
//! then; and until then a journal, from which all is rebuilt where the manager was killed. It is this user's alone. Trouble with the disk never stops the
//! run; the first is told when it happens, and at the end.

use crate::classic;
use crate::clock::LocalClock;
use crate::fanout::Sink;
use crate::journal::{JOURNAL, JournalWriter};
use crate::log::LogLines;
use crate::naming::TestNames;
use crate::page::{REPORT, report_html};
use crate::private;
use crate::text::plural;
use crate::timeseries::{self, TIMESERIES, TimeSeries};
use pysurge_core::event::RunEvent;
use pysurge_core::harmless::{Colours, harmless_lines};
use pysurge_core::summary::{MetricFigures, Summary};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The file with all that is known of a run.
pub const SUMMARY: &str = "summary.json";

/// The file with the config as read.
const CONFIG: &str = "config.yml";

/// Lines of user code go to `run.log` until it has this size: a run of days must not fill the disk.
const MAX_LOG_BYTES: u64 = 1 << 30;

/// Runs of one name that may start within one second.
const MAX_NAMESAKES: u32 = 10_000;

/// Characters of a run's name that its folder shows.
const MAX_NAME_CHARS: usize = 60;

/// Why a run's folder, or a file that was asked for, cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder, or one that holds it.
    #[error("make the results folder {}: {source}", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file in it, or one that was asked for.
    #[error("write {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Samples in a form that is not written.
    #[error("write samples to {}: the name ends neither in .csv nor in .csv.zst", path.display())]
    SamplesForm {
        /// The file that was asked for.
        path: PathBuf,
    },
}

/// The sink that writes a run's folder.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    log: BufWriter<File>,
    log_bytes: u64,
    log_dropped: u64,
    lines: LogLines,
    names: TestNames,
    series: TimeSeries,
    journal: JournalWriter,
    trouble: Option<io::Error>,
    trouble_told: bool,
}

impl RunFolder {
    /// Makes `<base>/<YYYYMMDD-HHMMSS>-<name>/`, with `-2`, `-3`, … behind it where that exists, and writes the
    /// config as resolved into it. Gives the sink and the folder's path.
    pub fn create(
        base: &Path,
        name: &str,
        config_yaml: &str,
        clock: LocalClock,
    ) -> Result<(Self, PathBuf), ReportError> {
        let path = Self::reserve(base, name, &clock)?;
        let folder = Self::fill(&path, config_yaml, clock)?;
        Ok((folder, path))
    }

    /// Makes a folder as [`RunFolder::create`] does, and leaves it empty.
    pub fn reserve(base: &Path, name: &str, clock: &LocalClock) -> Result<PathBuf, ReportError> {
        let stem = format!("{}-{}", clock.stamp(clock.now_ns()), file_name(name));
        make_folder(base, &stem)
    }

    /// Keeps a run in the folder `path`, which is there and empty.
    pub fn fill(path: &Path, config_yaml: &str, clock: LocalClock) -> Result<Self, ReportError> {
        let failed = |path: PathBuf| move |source| ReportError::File { path, source };
        let config = path.join(CONFIG);
        private::make_file(&config)
            .and_then(|mut file| {
                file.write_all(config_yaml.as_bytes())
                    .and_then(|()| file.sync_data())
            })
            .map_err(failed(config))?;
        let log_path = path.join("run.log");
        let log = private::make_file(&log_path).map_err(failed(log_path))?;
        let journal = JournalWriter::create(path).map_err(failed(path.join(JOURNAL)))?;
        Ok(Self {
            path: path.to_owned(),
            log: BufWriter::new(log),
            log_bytes: 0,
            log_dropped: 0,
            lines: LogLines::new(clock),
            names: TestNames::default(),
            series: TimeSeries::new(path),
            journal,
            trouble: None,
            trouble_told: false,
        })
    }

    fn remember(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.trouble.get_or_insert(error);
        }
    }

    fn log(&mut self, line: &str) {
        let line = harmless_lines(line, Colours::Drop);
        let written = writeln!(self.log, "{line}");
        self.log_bytes += u64::try_from(line.len()).unwrap_or(u64::MAX) + 1;
        self.remember(written);
    }

    fn log_of_user(&mut self, line: &str) {
        if self.log_bytes < MAX_LOG_BYTES {
            self.log(line);
        } else {
            self.log_dropped += 1;
        }
    }

    fn log_own(&mut self, level: &str, message: &str) {
        let line = self.lines.own(level, message);
        self.log(&line.text);
    }

    /// Keeps what is known while the run goes on.
    fn keep(&mut self, summary: &Summary) {
        let summary = finite(summary.clone());
        let written = self.write_summary(&summary, false);
        self.remember(written);
        let kept = self.journal.checkpoint(&summary);
        self.remember(kept);
    }

    /// Keeps the result, so that it lasts; then the journal is not needed any more.
    fn conclude(&mut self, summary: &Summary) {
        let summary = finite(summary.clone());
        let logged = self.log.flush().and_then(|()| self.log.get_ref().sync_data());
        let written = self.series.sync().and(self.write_summary(&summary, true));
        let removed = match &written {
            Ok(()) => self.journal.remove(),
            // What stands there is the result all the same.
            Err(_) => self.journal.checkpoint(&summary),
        };
        let shown = write_report(&self.path, &summary);
        for result in [logged, written, removed, shown] {
            self.remember(result);
        }
    }

    fn write_summary(&self, summary: &Summary, lasting: bool) -> io::Result<()> {
        private::replace_file(
            &self.path.join(SUMMARY),
            summary_text(summary).as_bytes(),
            lasting,
        )
    }

    fn cannot_write(&self, error: &io::Error) -> String {
        format!("cannot write all of {}: {error}", self.path.display())
    }
}

impl Sink for RunFolder {
    fn name(&self) -> &'static str {
        "the run's folder"
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        self.names.hear(event);
        for line in self.lines.of(event) {
            if line.of_user {
                self.log_of_user(&line.text);
            } else {
                self.log(&line.text);
            }
        }
        match event {
            RunEvent::Progress(summary) => self.keep(summary),
            RunEvent::Row(row) => {
                let lines = timeseries::lines(row, &self.names);
                let written = self.series.append(&lines);
                self.remember(written);
                let kept = self.journal.row(row, &lines);
                self.remember(kept);
            }
            RunEvent::Coarsened(series) => {
                let names = &self.names;
                let rows = || series.complete_rows().iter();
                let written = self
                    .series
                    .replace(rows().map(|row| timeseries::lines(row, names)));
                let kept = self
                    .journal
                    .replace(rows().map(|row| (row, timeseries::lines(row, names))));
                self.remember(written);
                self.remember(kept);
            }
            RunEvent::Finished(summary) => {
                for line in classic::lines(summary) {
                    if line.is_empty() {
                        self.log("");
                    } else {
                        self.log_own("INFO", &line);
                    }
                }
                self.conclude(summary);
            }
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.log.flush().and(self.series.flush());
        self.remember(flushed);
        Ok(())
    }

    fn trouble(&mut self) -> Option<String> {
        let told = std::mem::replace(&mut self.trouble_told, self.trouble.is_some());
        let error = self.trouble.as_ref().filter(|_| !told)?;
        Some(self.cannot_write(error))
    }

    fn close(&mut self) -> io::Result<()> {
        if self.log_dropped > 0 {
            let n = plural(self.log_dropped, "line");
            self.log_own(
                "WARNING",
                &format!("this log was full: {n} of user code are missing"),
            );
        }
        self.flush()?;
        self.trouble
            .take()
            .map_or(Ok(()), |error| Err(io::Error::other(self.cannot_write(&error))))
    }
}

/// Writes the page of a run that is over into its folder, from what is there; a series or a config that is not is left out.
pub fn write_report(folder: &Path, summary: &Summary) -> io::Result<()> {
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let page = report_html(summary, &text(TIMESERIES), &text(CONFIG));
    private::replace_file(&folder.join(REPORT), page.as_bytes(), false)
}

fn make_folder(base: &Path, stem: &str) -> Result<PathBuf, ReportError> {
    let failed = |path: &Path, source| ReportError::Folder {
        path: path.to_owned(),
        source,
    };
    private::make_folders(base).map_err(|source| failed(base, source))?;
    let mut path = base.join(stem);
    for namesake in 2..=MAX_NAMESAKES {
        match private::make_folder(&path) {
            Ok(()) => {
                // So that a power loss does not take the whole folder; a run goes on without.
                let _ = private::sync_folder_of(&path);
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = base.join(format!("{stem}-{namesake}"));
            }
            Err(error) => return Err(failed(&path, error)),
        }
    }
    Err(failed(&path, io::ErrorKind::AlreadyExists.into()))
}

/// The run's name as a part of a file name that needs no quoting in a shell.
fn file_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .take(MAX_NAME_CHARS)
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    if plain.is_empty() { "run".to_owned() } else { plain }
}

/// The text of `summary.json`.
pub fn summary_json(summary: &Summary) -> String {
    summary_text(&finite(summary.clone()))
}

fn summary_text(finite: &Summary) -> String {
    serde_json::to_string_pretty(finite)
        .expect("a summary is plain data with text as keys: it always has a form")
}

/// The summary with every figure finite: JSON has no other numbers. What can be otherwise is what user code gave: sums of its numbers,
/// and so the means, may be more than a float holds.
fn finite(mut summary: Summary) -> Summary {
    for test in &mut summary.tests {
        for figures in test.metrics.values_mut() {
            let MetricFigures {
                mean,
                min,
                p50,
                p95,
                p99,
                max,
                ..
            } = figures;
            for value in [mean, min, p50, p95, p99, max] {
                *value = finite_number(*value);
            }
        }
        for sum in test.counts.values_mut() {
            *sum = finite_number(*sum);
        }
    }
    let tests = summary.blocks.iter_mut().flat_map(|block| &mut block.tests);
    for metric in tests.flat_map(|test| test.metrics.values_mut()) {
        metric.sum = finite_number(metric.sum);
    }
    for threshold in &mut summary.thresholds {
        threshold.actual = threshold
            .actual
            .filter(|actual| !actual.is_nan())
            .map(finite_number);
    }
    summary
}

fn finite_number(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(f64::MIN, f64::MAX)
    }
}
