//! What the dashboard shows of a run: the same as the report, of what is known so far. Fed with the run's events; tells each viewer, as JSON,
//! what is new since it was told last, so that nothing has to be kept for a viewer that is slow.

use super::curves::{Distribution, HeatMap};
use super::data::TestCurves;
use super::rows::Rows;
use super::template::{clean_json, fill};
use crate::clock::LocalClock;
use crate::log::LogLines;
use crate::naming::TestNames;
use crate::timeseries;
use pysurge_core::event::RunEvent;
use pysurge_core::histogram::Histogram;
use pysurge_core::series::Row;
use pysurge_core::summary::{Block, Summary};
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The page as `web/` is built.
const TEMPLATE: &str = include_str!(concat!(env!("OUT_DIR"), "/dashboard.html"));

/// Lines of the log that are kept for viewers.
const MOST_LINES: usize = 500;

/// Characters of a line of the log that a viewer gets.
const MOST_LINE_CHARS: usize = 4_000;

/// Columns of a heat map, at most; with many tests fewer, so that all tests together have no more than [`MOST_CELLS`].
const MOST_COLUMNS: usize = 200;
const MOST_CELLS: usize = 4_800;
const LEAST_COLUMNS: usize = 40;

/// The dashboard's page, which gets its data from the server that it came from.
pub fn dashboard_html(name: &str) -> String {
    fill(TEMPLATE, name, &serde_json::json!({ "name": name }))
}

/// How far a run is, for whoever looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    Starting,
    Running,
    Stopping,
    /// Nothing more is fired; the results are being written.
    Finished,
    /// All is written.
    Over,
    /// Nothing was fired, and nothing will be.
    Aborted,
}

/// Where a run stands.
#[derive(Debug, Clone, Serialize)]
struct Standing {
    stage: Stage,
    paused: bool,
    /// What all rates are multiplied by.
    factor: f64,
    /// The run's folder, as the user would name it, once all is written there.
    folder: Option<String>,
}

/// What a viewer was told already; nothing by default. It is text for a viewer, who hands it back after a break.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Which run; another run's is nothing.
    run: u64,
    standing: u64,
    summary: u64,
    /// How often rows were joined.
    series: u64,
    rows: usize,
    lines: u64,
}

/// Why a text is no [`Told`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not what a viewer was told")]
pub struct NotTold;

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            run,
            standing,
            summary,
            series,
            rows,
            lines,
        } = self;
        write!(f, "{run}.{standing}.{summary}.{series}.{rows}.{lines}")
    }
}

impl FromStr for Told {
    type Err = NotTold;

    fn from_str(text: &str) -> Result<Self, NotTold> {
        let numbers: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        let [run, standing, summary, series, rows, lines] = numbers.map_err(|_| NotTold)?[..] else {
            return Err(NotTold);
        };
        let rows = usize::try_from(rows).map_err(|_| NotTold)?;
        Ok(Self {
            run,
            standing,
            summary,
            series,
            rows,
            lines,
        })
    }
}

/// A run as a dashboard shows it.
#[derive(Debug)]
pub struct LivePage {
    run: u64,
    name: String,
    config: String,
    names: TestNames,
    log_lines: LogLines,
    standing: Versioned<Standing>,
    summary: Versioned<Option<Summary>>,
    /// The summary as JSON, made once for all viewers.
    summary_json: Option<(u64, Arc<str>)>,
    rows: Rows,
    series: u64,
    columns: Columns,
    lines: VecDeque<String>,
    /// The lines that there were, with those that are not kept any more.
    lines_ever: u64,
}

/// A value that is another with every version.
#[derive(Debug)]
struct Versioned<T> {
    value: T,
    version: u64,
}

impl<T> Versioned<T> {
    fn new(value: T) -> Self {
        Self { value, version: 1 }
    }

    fn change(&mut self, change: impl FnOnce(&mut T)) {
        change(&mut self.value);
        self.version += 1;
    }
}

/// What a viewer is told at once.
#[derive(Debug, Default)]
struct News(Vec<String>);

impl News {
    fn add(&mut self, name: &str, json: &str) {
        self.0.push(format!("{name:?}:{json}"));
    }

    fn json(self) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("{{{}}}", self.0.join(",")))
    }
}

/// The rows of an answer.
#[derive(Debug, Serialize)]
struct RowsNews {
    /// Those from this one on are to go, because these come in their place.
    from: usize,
    #[serde(flatten)]
    rows: Rows,
}

/// The lines of an answer.
#[derive(Debug, Serialize)]
struct LogNews<'a> {
    /// Lines that the viewer never gets.
    skipped: u64,
    lines: Vec<&'a str>,
}

impl LivePage {
    /// A run that has not begun: its name, and its `config.yml` as it is.
    pub fn new(name: &str, config: &str, clock: LocalClock) -> Self {
        Self {
            run: clock.now_ns(),
            name: name.to_owned(),
            config: config.to_owned(),
            names: TestNames::default(),
            log_lines: LogLines::new(clock),
            standing: Versioned::new(Standing {
                stage: Stage::Starting,
                paused: false,
                factor: 1.0,
                folder: None,
            }),
            summary: Versioned::new(None),
            summary_json: None,
            rows: Rows::default(),
            series: 1,
            columns: Columns::default(),
            lines: VecDeque::new(),
            lines_ever: 0,
        }
    }

    /// Takes the next event.
    pub fn hear(&mut self, event: &RunEvent) {
        self.names.hear(event);
        for line in self.log_lines.of(event) {
            self.add_line(&line.text);
        }
        match event {
            RunEvent::Opened { plan, .. } => {
                self.rows = Rows::new(plan.tests.len());
                self.columns = Columns::new(plan.tests.len());
            }
            RunEvent::Started { .. } => self.standing.change(|now| now.stage = Stage::Running),
            RunEvent::Stopping { .. } => self.standing.change(|now| now.stage = Stage::Stopping),
            RunEvent::Changed { change, .. } => self.standing.change(|now| {
                now.paused = change.paused;
                now.factor = change.factor.as_f64();
            }),
            RunEvent::Progress(summary) => self.know(summary),
            RunEvent::Row(row) => {
                let row_of_it = self.read(std::iter::once(&**row));
                self.rows.append(row_of_it);
                self.columns.add(row);
            }
            RunEvent::Coarsened(series) => {
                self.rows = self.read(series.complete_rows().iter());
                self.series += 1;
            }
            RunEvent::Finished(summary) => {
                self.know(summary);
                self.standing.change(|now| now.stage = Stage::Finished);
            }
            _ => {}
        }
    }

    /// All is written, into this folder where there is one.
    pub fn conclude(&mut self, folder: Option<&str>) {
        self.standing.change(|now| {
            now.stage = Stage::Over;
            now.folder = folder.map(str::to_owned);
        });
    }

    /// Nothing was fired: what stood against it is in the log.
    pub fn abort(&mut self) {
        self.standing.change(|now| now.stage = Stage::Aborted);
    }

    fn know(&mut self, summary: &Summary) {
        let mut summary = summary.clone();
        summary.blocks = Vec::new();
        self.summary.change(|known| *known = Some(summary));
    }

    /// The rows as the report reads them from `timeseries.csv`.
    fn read<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> Rows {
        let lines = rows.map(|row| timeseries::lines(row, &self.names));
        let csv: String = std::iter::once(timeseries::head()).chain(lines).collect();
        Rows::read(&csv, self.rows.tests())
    }

    fn add_line(&mut self, text: &str) {
        let line = match text.char_indices().nth(MOST_LINE_CHARS) {
            Some((end, _)) => format!("{} …", &text[..end]),
            None => text.to_owned(),
        };
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        self.lines_ever += 1;
    }

    /// What is new to a viewer who was told so much, as a JSON object, and what it was told then; `None` where nothing is. Its members, each
    /// only where it is new: `run`, what never changes; `standing`; `summary`, as `summary.json` has it; `rows`; `log`.
    pub fn news(&mut self, told: Told) -> Option<(String, Told)> {
        let known = Some(told).filter(|told| told.run == self.run).unwrap_or_default();
        let mut news = News::default();
        if known.run != self.run {
            let run = serde_json::json!({
                "id": self.run.to_string(),
                "name": self.name,
                "config": self.config,
                "pysurge_version": pysurge_core::VERSION,
            });
            news.add("run", &clean_json(&run));
        }
        if known.standing != self.standing.version {
            news.add("standing", &clean_json(&self.standing.value));
        }
        if known.summary != self.summary.version
            && let Some(json) = self.summary_json()
        {
            news.add("summary", &json);
        }
        let from = if known.series == self.series {
            known.rows
        } else {
            0
        };
        if known.series != self.series || from < self.rows.len() {
            let rows = self.rows.since(from);
            news.add("rows", &clean_json(&RowsNews { from, rows }));
        }
        if known.lines < self.lines_ever {
            let missing = usize::try_from(self.lines_ever - known.lines).unwrap_or(usize::MAX);
            let kept = missing.min(self.lines.len());
            let lines = self.lines.range(self.lines.len() - kept..);
            let log = LogNews {
                skipped: u64::try_from(missing - kept).unwrap_or(u64::MAX),
                lines: lines.map(String::as_str).collect(),
            };
            news.add("log", &clean_json(&log));
        }
        let now = Told {
            run: self.run,
            standing: self.standing.version,
            summary: self.summary.version,
            series: self.series,
            rows: self.rows.len(),
            lines: self.lines_ever,
        };
        Some((news.json()?, now))
    }

    fn summary_json(&mut self) -> Option<Arc<str>> {
        let version = self.summary.version;
        if let Some((of, json)) = &self.summary_json
            && *of == version
        {
            return Some(Arc::clone(json));
        }
        let json: Arc<str> = clean_json(self.summary.value.as_ref()?).into();
        self.summary_json = Some((version, Arc::clone(&json)));
        Some(json)
    }

    /// What is drawn of a test beside its rows, as JSON; `None` where there is no such test.
    pub fn curves(&self, test: usize) -> Option<String> {
        (test < self.rows.tests()).then(|| clean_json(&self.columns.curves(test)))
    }
}

/// Durations of all tests over time, of which heat maps and distributions are made: of bounded number, as the rows of a series are.
#[derive(Debug, Default)]
struct Columns {
    tests: usize,
    all: Vec<Column>,
    /// A column is so long before the next begins, nanoseconds.
    length_ns: u64,
}

#[derive(Debug)]
struct Column {
    from_ns: u64,
    to_ns: u64,
    /// Per test.
    response_times: Vec<Histogram>,
    service_times: Vec<Histogram>,
}

impl Column {
    fn of(row: &Row) -> Self {
        let all = |of: fn(&pysurge_core::measure::Measures) -> &Histogram| {
            row.tests.iter().map(|test| of(&test.measures).clone()).collect()
        };
        Self {
            from_ns: row.from_ns,
            to_ns: row.to_ns,
            response_times: all(|measures| &measures.response_time),
            service_times: all(|measures| &measures.service_time),
        }
    }

    fn join(&mut self, later: &Self) {
        self.to_ns = later.to_ns;
        let pairs = [
            (&mut self.response_times, &later.response_times),
            (&mut self.service_times, &later.service_times),
        ];
        for (ours, theirs) in pairs {
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                ours.merge(theirs);
                ours.compact();
            }
        }
    }

    fn length_ns(&self) -> u64 {
        self.to_ns.saturating_sub(self.from_ns)
    }
}

impl Columns {
    fn new(tests: usize) -> Self {
        Self {
            tests,
            ..Self::default()
        }
    }

    fn add(&mut self, row: &Row) {
        let column = Column::of(row);
        self.length_ns = self.length_ns.max(column.length_ns());
        match self.all.last_mut() {
            Some(last) if last.length_ns() < self.length_ns => last.join(&column),
            _ => self.all.push(column),
        }
        let most = (MOST_CELLS / self.tests.max(1)).clamp(LEAST_COLUMNS, MOST_COLUMNS);
        if self.all.len() > most {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.length_ns *= 2;
        let mut columns = std::mem::take(&mut self.all).into_iter();
        while let Some(mut column) = columns.next() {
            if let Some(next) = columns.next() {
                column.join(&next);
            }
            self.all.push(column);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
    fn curves(&self, test: usize) -> TestCurves {
        let all = |of: fn(&Column) -> &Vec<Histogram>| -> Vec<Histogram> {
            let columns = self.all.iter();
            columns
                .map(|column| of(column).get(test).cloned().unwrap_or_default())
                .collect()
        };
        let response_times = all(|column| &column.response_times);
        let blocks: Vec<Block> = self
            .all
            .iter()
            .map(|column| Block {
                from_s: column.from_ns as f64 / 1e9,
                to_s: column.to_ns as f64 / 1e9,
                tests: Vec::new(),
            })
            .collect();
        TestCurves {
            response_time: Distribution::of(&response_times),
            service_time: Distribution::of(&all(|column| &column.service_times)),
            heat: HeatMap::of(&blocks, &response_times),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::NANOS_PER_SEC;
    use pysurge_core::event::{Actor, Severity};
    use pysurge_core::plan::{Model, Plan, TestPlan};
    use pysurge_core::rate::Rate;
    use pysurge_core::schedule::{Change, Factor};
    use pysurge_core::series::{Pushed, Series, TestRow};
    use serde_json::Value;

    /// A second of a run with one test, in which so many iterations ended.
    fn second(n: u64, ended: u64) -> Row {
        let mut test = TestRow {
            planned: ended,
            ..TestRow::default()
        };
        test.measures.passed = ended;
        for ms in 1..=ended {
            test.measures.response_time.record(ms * 1_000_000);
            test.measures.service_time.record(ms * 1_000_000);
        }
        Row {
            from_ns: n * NANOS_PER_SEC,
            to_ns: (n + 1) * NANOS_PER_SEC,
            tests: vec![test],
            worker_cpu_ns: 0,
            gil_wait_ns: 0,
        }
    }

    fn opened() -> LivePage {
        let clock = LocalClock::new(|| 1_536_951_097_000_000_000).in_utc();
        let mut page = LivePage::new("shop", "name: shop\n", clock);
        let test = TestPlan::new("a.B", Model::constant(Rate::parse("10").unwrap()));
        page.hear(&RunEvent::Opened {
            plan: Plan::new("shop", vec![test]),
            workers: 1,
            wall_ns: 1,
        });
        page
    }

    fn news(page: &mut LivePage, told: &mut Told) -> Value {
        let Some((json, now)) = page.news(*told) else {
            return Value::Null;
        };
        // As a viewer hands it back.
        *told = now.to_string().parse().unwrap();
        serde_json::from_str(&json).unwrap()
    }

    fn say(page: &mut LivePage, text: &str) {
        page.hear(&RunEvent::Notice {
            severity: Severity::Info,
            text: text.to_owned(),
        });
    }

    #[test]
    fn a_viewer_is_told_what_is_new_and_nothing_twice() {
        let (mut page, mut told) = (opened(), Told::default());
        let first = news(&mut page, &mut told);
        assert_eq!(first["run"]["config"], "name: shop\n");
        assert_eq!(first["standing"]["stage"], "starting");
        assert!(first.get("summary").is_none() && first.get("log").is_none());
        assert_eq!(news(&mut page, &mut told), Value::Null);
        page.hear(&RunEvent::Row(Arc::new(second(0, 4))));
        page.hear(&RunEvent::Row(Arc::new(second(1, 5))));
        say(&mut page, "one\u{202e}\x1b[31m");
        let new = news(&mut page, &mut told);
        assert_eq!(new["rows"]["from"], 0);
        assert_eq!(
            new["rows"]["tests"][0]["passed"]["count"],
            serde_json::json!([4.0, 5.0])
        );
        let line = new["log"]["lines"][0].as_str().unwrap();
        assert!(
            line.ends_with("INFO one\u{fffd}") && !line.contains('\x1b'),
            "{line:?}"
        );
        page.hear(&RunEvent::Row(Arc::new(second(2, 6))));
        let new = news(&mut page, &mut told);
        assert_eq!((&new["rows"]["from"], new.get("log")), (&2.into(), None));
        let change = Change {
            at_ns: 3 * NANOS_PER_SEC,
            paused: true,
            factor: Factor::from_milli(1_500).unwrap(),
        };
        page.hear(&RunEvent::Changed {
            change,
            wall_ns: 1,
            by: Actor::Dashboard,
        });
        let new = news(&mut page, &mut told);
        assert_eq!(
            (&new["standing"]["paused"], &new["standing"]["factor"]),
            (&true.into(), &1.5.into())
        );
        assert!(new["log"]["lines"][0].as_str().unwrap().contains("(dashboard)"));
        page.conclude(Some("results/shop"));
        let new = news(&mut page, &mut told);
        assert_eq!(new["standing"]["stage"], "over");
        assert_eq!(new["standing"]["folder"], "results/shop");
        page.abort();
        assert_eq!(news(&mut page, &mut told)["standing"]["stage"], "aborted");
        // Another run knows nothing of what this one told.
        let mut other = LivePage::new("x", "", LocalClock::new(|| 7).in_utc());
        assert!(news(&mut other, &mut told).get("run").is_some());
    }

    #[test]
    fn joined_rows_come_in_the_place_of_those_before() {
        let (mut page, mut told) = (opened(), Told::default());
        let mut series = Series::new();
        let mut seconds = 0;
        let push = |page: &mut LivePage, series: &mut Series, n| {
            let pushed = series.push(second(n, 1));
            match pushed {
                Pushed::Begun => {}
                Pushed::Completed => {
                    let row = series.rows().last().expect("one was completed");
                    page.hear(&RunEvent::Row(Arc::new(row.clone())));
                }
                Pushed::Coarsened => page.hear(&RunEvent::Coarsened(Arc::new(series.clone()))),
            }
            pushed
        };
        while push(&mut page, &mut series, seconds) != Pushed::Coarsened {
            seconds += 1;
            if seconds % 100 == 0 {
                news(&mut page, &mut told);
            }
        }
        let new = news(&mut page, &mut told);
        assert_eq!(new["rows"]["from"], 0);
        let rows = new["rows"]["from_s"].as_array().unwrap().len();
        assert_eq!(rows, series.complete_rows().len());
        push(&mut page, &mut series, seconds + 1);
        push(&mut page, &mut series, seconds + 2);
        assert_eq!(news(&mut page, &mut told)["rows"]["from"], rows);
        // Every iteration that is in a row is in the heat map, in few columns.
        let curves: Value = serde_json::from_str(&page.curves(0).unwrap()).unwrap();
        let columns = curves["heat"]["columns"].as_array().unwrap();
        assert!(
            columns.len() <= MOST_COLUMNS && columns.len() > MOST_COLUMNS / 3,
            "{}",
            columns.len()
        );
        let counted: u64 = columns
            .iter()
            .flat_map(|column| column.as_array().unwrap().iter().skip(1).step_by(2))
            .map(|times| times.as_u64().unwrap())
            .sum();
        assert!(counted.abs_diff(seconds) <= 4, "{counted} of {seconds}");
        assert_eq!(page.curves(1), None);
    }

    #[test]
    fn a_flood_of_lines_costs_a_viewer_only_lines() {
        let (mut page, mut told) = (opened(), Told::default());
        news(&mut page, &mut told);
        for n in 0..MOST_LINES + 30 {
            say(&mut page, &format!("{n} {}", "x".repeat(MOST_LINE_CHARS)));
        }
        let new = news(&mut page, &mut told);
        let lines = new["log"]["lines"].as_array().unwrap();
        assert_eq!((&new["log"]["skipped"], lines.len()), (&30.into(), MOST_LINES));
        assert!(lines[0].as_str().unwrap().contains("INFO 30 x"));
        assert!(
            lines
                .iter()
                .all(|line| line.as_str().unwrap().chars().count() <= MOST_LINE_CHARS + 2)
        );
    }

    #[test]
    fn what_was_told_is_read_back_and_anything_else_is_nothing() {
        let told = Told {
            run: 7,
            lines: u64::MAX,
            ..Told::default()
        };
        assert_eq!(told.to_string().parse(), Ok(told));
        for text in ["", "1.2.3.4.5", "1.2.3.4.5.6.7", "1.2.3.4.5.x", "-1.2.3.4.5.6"] {
            assert_eq!(text.parse::<Told>(), Err(NotTold), "{text}");
        }
        // A viewer that claims more than there is gets nothing, and no harm is done.
        let mut page = opened();
        let mut told = Told::default();
        news(&mut page, &mut told);
        told.rows = usize::MAX;
        told.lines = u64::MAX;
        page.hear(&RunEvent::Row(Arc::new(second(0, 1))));
        assert!(page.news(told).is_none_or(|(json, _)| !json.contains("from_s")));
    }
}
