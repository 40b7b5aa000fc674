//! The tests of a run that goes on, a row each: how fast they come, how they end, how long they take just now.
//!
//! Counts are of the whole run; rates and response times are of the last seconds. All durations of the table have one unit, which its head names.

use super::marks::sparkline;
use super::view::View;
use crate::grid::{pad, push_right};
use crate::report::common_place;
use crate::style::{Paint, Style};
use crate::text::{count, cut, one_line, plural, width};
use pysurge_core::account::Account;
use pysurge_core::recent::TestLately;
use pysurge_core::summary::{Durations, TestSummary};
use std::cmp::Reverse;

/// Columns between two figures.
const GAP: usize = 2;

/// The column in front of every line stays free: the cursor rests there.
const INDENT: usize = 1;

/// Columns of a name at most, however much room there is.
const MAX_NAME: usize = 36;

/// Fewer say too little.
const MIN_NAME: usize = 10;

/// Columns of a course of response times.
const MAX_TREND: usize = 30;
const MIN_TREND: usize = 6;

/// From this width on the head of the course says of how long it is.
const MIN_TREND_TO_EXPLAIN: usize = 14;

/// So many iterations must have been planned in the last seconds for a rate to be taken from them: with fewer, chance moves it, and the
/// mean of the run tells more.
const MIN_PLANNED_FOR_RATE: u64 = 20;

/// What is given up, in this order, where there is no room for all figures beside a name.
const SHED: [Kind; 4] = [Kind::Running, Kind::P50, Kind::P99, Kind::Passed];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rate,
    Running,
    Passed,
    Failed,
    P50,
    P95,
    P99,
}

/// A figure and how it is painted.
type Cell = (String, Paint);

/// Three digits and a point: a figure that loses one of them must not move the others.
const STEADY: usize = 4;

/// A column of figures, one per row.
struct Column {
    kind: Kind,
    head: String,
    cells: Vec<Cell>,
}

impl Column {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|(text, _)| width(text));
        cells.chain([width(&self.head), STEADY]).max().unwrap_or(0)
    }
}

/// What the table shows of one test.
struct Figures {
    name: String,
    /// Achieved and asked.
    rate: (f64, Option<f64>),
    running: u64,
    account: Account,
    p50_ns: Option<f64>,
    p95_ns: Option<f64>,
    p99_ns: Option<f64>,
    trend_ns: Vec<Option<u64>>,
    /// These are figures of its warm-up.
    is_warmup: bool,
    not_run: bool,
}

impl Figures {
    fn of(test: &TestSummary, lately: Option<&TestLately>) -> Self {
        let fresh = lately.filter(|lately| lately.planned >= MIN_PLANNED_FOR_RATE);
        let asked = test.asked_rate_per_s;
        let rate = match fresh {
            Some(lately) => (lately.ended_per_s, asked.map(|_| lately.planned_per_s)),
            None => (test.achieved_rate_per_s, asked),
        };
        let ns = |ns: Option<u64>| {
            #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
            ns.map(|ns| ns as f64)
        };
        let mut figures = Self {
            name: short(test),
            rate,
            running: test.in_flight,
            account: test.account,
            p50_ns: lately.and_then(|lately| ns(lately.p50_ns)),
            p95_ns: lately.and_then(|lately| ns(lately.p95_ns)),
            p99_ns: lately.and_then(|lately| ns(lately.p99_ns)),
            trend_ns: lately.map_or_else(Vec::new, |lately| lately.trend_ns.clone()),
            is_warmup: false,
            not_run: test.not_run.is_some(),
        };
        // Rows have nothing of a warm-up, so these are of all of it.
        if let Some(warmup) = test.warmup.as_ref().filter(|_| test.account.planned == 0) {
            let ns = |pick: fn(&Durations) -> Option<f64>| pick(&warmup.response_time).map(|s| s * 1e9);
            figures.account = warmup.account;
            figures.p50_ns = ns(|durations| durations.p50_s);
            figures.p95_ns = ns(|durations| durations.p95_s);
            figures.p99_ns = ns(|durations| durations.p99_s);
            figures.is_warmup = true;
        }
        figures
    }

    /// How badly it goes; the order is coarse, so that tests do not change places with every frame.
    fn badness(&self) -> (bool, u64, u64, u32) {
        let Account { passed, failed, .. } = self.account;
        let missing = self.account.dropped + self.account.lost;
        let percent = |n: u64, of: u64| n.saturating_mul(100).div_ceil(of.max(1));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "durations are not negative, and the cast saturates"
        )]
        let p95_ns = self.p95_ns.unwrap_or(0.0) as u64;
        (
            self.not_run,
            percent(failed, passed.saturating_add(failed)),
            percent(missing, self.account.planned),
            p95_ns.checked_ilog2().unwrap_or(0),
        )
    }
}

/// What a test is called, in few characters: its name, else its label without what is the same in all of them.
pub(super) fn short(test: &TestSummary) -> String {
    if let Some(name) = &test.name {
        return one_line(name);
    }
    let label = one_line(&test.label);
    let bare = label.strip_prefix('<').and_then(|label| label.strip_suffix('>'));
    match bare.and_then(|bare| bare.split_once(" kwargs=")) {
        Some((name, "{}")) => name.to_owned(),
        Some((name, kwargs)) => format!("{name} {kwargs}"),
        None => label,
    }
}

/// How many rows of tests there are to show, and how many of them there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Tests at most.
    pub(super) tests: usize,
    /// Whether there is a row of sums.
    pub(super) sums: bool,
}

/// The table, within so many columns.
pub(super) fn lines(view: &View, room: Room, columns: usize, style: Style) -> Vec<String> {
    let tests = view.summary.tests.iter().enumerate();
    let mut all: Vec<Figures> = tests
        .map(|(at, test)| Figures::of(test, view.lately.tests.get(at)))
        .collect();
    strip_common(&mut all);
    let mut shown: Vec<&Figures> = all.iter().collect();
    if shown.len() > room.tests {
        // Stable: tests that go alike stay in the order of the plan.
        shown.sort_by_key(|figures| Reverse(figures.badness()));
        shown.truncate(room.tests);
    }
    let sums = (room.sums && all.len() > 1).then(|| sums(&all));
    let tight = |separator| layout(view, &shown, sums.as_ref(), separator, columns);
    // A course is worth more than a word between two rates.
    let table = match tight(" of ") {
        table if table.trend > 0 || !view.unicode => table,
        _ => tight("/"),
    };
    let mut lines = vec![table.head(view, style)];
    lines.extend((0..shown.len()).map(|at| table.row(at, Some(shown[at]), style)));
    if all.len() > shown.len() {
        let more = plural((all.len() - shown.len()) as u64, "more test");
        lines.push(style.paint(Paint::Quiet, &cut(&format!(" + {more}"), columns)));
    }
    if sums.is_some() {
        lines.push(table.row(shown.len(), None, style));
    }
    lines
}

/// Takes the folder, file and class away that all names begin with, as those of pytest do.
fn strip_common(all: &mut [Figures]) {
    let names: Vec<String> = all.iter().map(|figures| figures.name.clone()).collect();
    if names.len() > 1 {
        let common = common_place(&names).len();
        for figures in all {
            figures.name.drain(..common);
        }
    }
}

/// The sums of all tests; times cannot be added.
fn sums(all: &[Figures]) -> Figures {
    let mut account = Account::default();
    for figures in all {
        account += figures.account;
    }
    let ran = || {
        all.iter()
            .filter(|figures| !figures.not_run)
            .map(|figures| figures.rate)
    };
    let asked = ran().try_fold(0.0, |sum, (_, asked)| Some(sum + asked?));
    Figures {
        name: format!("all {}", plural(all.len() as u64, "test")),
        rate: (ran().map(|(achieved, _)| achieved).sum(), asked),
        running: all.iter().map(|figures| figures.running).sum(),
        account,
        p50_ns: None,
        p95_ns: None,
        p99_ns: None,
        trend_ns: Vec::new(),
        is_warmup: all.iter().all(|figures| figures.is_warmup),
        not_run: false,
    }
}

/// Columns with their widths.
struct Table {
    /// The last one is of the sums, where there are any.
    names: Vec<String>,
    name: usize,
    columns: Vec<Column>,
    /// Columns of a course; 0 where there is none.
    trend: usize,
}

fn layout(view: &View, shown: &[&Figures], sums: Option<&Figures>, separator: &str, columns: usize) -> Table {
    let rows: Vec<&Figures> = shown.iter().copied().chain(sums).collect();
    let unit = Unit::of(&rows);
    let mut figures = figure_columns(&rows, sums.is_some(), separator, unit, view.standing.paused);
    let longest = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
    let longest = longest.clamp("test".len(), MAX_NAME);
    let taken = |figures: &[Column]| -> usize {
        INDENT + figures.iter().map(|column| column.width() + GAP).sum::<usize>()
    };
    for unwanted in SHED {
        if taken(&figures) + longest.min(MIN_NAME) <= columns {
            break;
        }
        figures.retain(|column| column.kind != unwanted);
    }
    let rest = columns.saturating_sub(taken(&figures));
    let has_trend = view.unicode && rest >= longest.min(MIN_NAME) + GAP + MIN_TREND;
    let name = longest.min(if has_trend { rest - GAP - MIN_TREND } else { rest });
    let trend = if has_trend {
        (rest - name - GAP).min(MAX_TREND)
    } else {
        0
    };
    Table {
        names: rows.iter().map(|row| cut(&row.name, name)).collect(),
        name,
        columns: figures,
        trend,
    }
}

fn figure_columns(
    rows: &[&Figures],
    has_sums: bool,
    separator: &str,
    unit: Unit,
    is_paused: bool,
) -> Vec<Column> {
    let column = |kind, head: &str, cell: &dyn Fn(&Figures) -> Cell| {
        let cells = rows.iter().map(|row| match cell(row) {
            _ if row.not_run && kind == Kind::Rate => ("not run".to_owned(), Paint::Bad),
            _ if row.not_run => ("-".to_owned(), Paint::Quiet),
            (text, _) if row.is_warmup => (text, Paint::Quiet),
            cell => cell,
        });
        Column {
            kind,
            head: head.to_owned(),
            cells: cells.collect(),
        }
    };
    let plain = |text: String| (text, Paint::Plain);
    let failed = |row: &Figures| {
        let paint = if row.account.failed > 0 {
            Paint::Bad
        } else {
            Paint::Plain
        };
        (count(row.account.failed), paint)
    };
    let span = |ns: Option<f64>| match ns {
        Some(ns) => plain(unit.show(ns)),
        None => ("-".to_owned(), Paint::Quiet),
    };
    let p99_head = format!("p99 {}", unit.name());
    let rate = |row: &Figures| match rate(row, separator) {
        // Neither the last seconds nor the mean of the run say what comes now: nothing.
        _ if is_paused => ("-".to_owned(), Paint::Quiet),
        text => plain(text),
    };
    let mut columns = vec![
        column(Kind::Rate, "rate/s", &rate),
        column(Kind::Running, "running", &|row| plain(count(row.running))),
        column(Kind::Passed, "passed", &|row| plain(count(row.account.passed))),
        column(Kind::Failed, "failed", &failed),
        column(Kind::P50, "p50", &|row| span(row.p50_ns)),
        column(Kind::P95, "p95", &|row| span(row.p95_ns)),
        column(Kind::P99, &p99_head, &|row| span(row.p99_ns)),
    ];
    if has_sums {
        for column in columns.iter_mut().skip(4) {
            if let Some((text, _)) = column.cells.last_mut() {
                text.clear();
            }
        }
    }
    columns
}

/// `49.8 of 50`; in the closed model, which asks for no rate, `49.8`.
fn rate(row: &Figures, separator: &str) -> String {
    if row.is_warmup {
        return "warm-up".to_owned();
    }
    match row.rate {
        (achieved, Some(asked)) => format!("{:>STEADY$}{separator}{}", brief(achieved), brief(asked)),
        (achieved, None) => brief(achieved),
    }
}

impl Table {
    fn head(&self, view: &View, style: Style) -> String {
        let mut line = format!("{:INDENT$}{:name$}", "", "test", name = self.name);
        for column in &self.columns {
            push_right(&mut line, &column.head, GAP + column.width());
        }
        if self.trend > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a few columns")]
            let seconds = view.lately.row_s * self.trend as f64;
            let head = if self.trend >= MIN_TREND_TO_EXPLAIN && seconds > 0.0 {
                cut(&format!("p95, last {seconds:.0} s"), self.trend)
            } else {
                "p95".to_owned()
            };
            push_right(&mut line, &head, GAP + self.trend);
        }
        style.paint(Paint::Quiet, &line)
    }

    fn row(&self, at: usize, figures: Option<&Figures>, style: Style) -> String {
        let mut line = format!("{:INDENT$}{}", "", pad(&self.names[at], self.name));
        for column in &self.columns {
            let (text, paint) = &column.cells[at];
            line.push_str(&" ".repeat(GAP + column.width() - width(text)));
            line.push_str(&style.paint(*paint, text));
        }
        if let Some(figures) = figures.filter(|figures| self.trend > 0 && !figures.not_run) {
            push_right(
                &mut line,
                &sparkline(&figures.trend_ns, self.trend),
                GAP + self.trend,
            );
        }
        line.truncate(line.trim_end_matches(' ').len());
        line
    }
}

/// The unit of all durations of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Micro,
    Milli,
    Second,
}

impl Unit {
    /// The one in which the longest has at most four digits.
    fn of(rows: &[&Figures]) -> Self {
        let spans = rows.iter().flat_map(|row| [row.p50_ns, row.p95_ns, row.p99_ns]);
        let longest = spans.flatten().fold(f64::NAN, f64::max);
        match longest {
            ..1e6 => Self::Micro,
            1e10.. => Self::Second,
            _ => Self::Milli,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Micro => "us",
            Self::Milli => "ms",
            Self::Second => "s",
        }
    }

    fn show(self, ns: f64) -> String {
        let in_unit = match self {
            Self::Micro => ns / 1e3,
            Self::Milli => ns / 1e6,
            Self::Second => ns / 1e9,
        };
        three_digits(in_unit)
    }
}

/// `4.98`, `49.8`, `498`, `4,980`.
fn three_digits(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "-".to_owned(),
        99.95.. => crate::text::rate(value.round()),
        9.995.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The same without zeros behind the point.
fn brief(value: f64) -> String {
    let text = three_digits(value);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_at_a_glance() {
        for (value, text) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (4.984, "4.98"),
            (9.999, "10"),
            (49.96, "50"),
            (49.94, "49.9"),
            (166.7, "167"),
            (1_234.5, "1,235"),
            (12_345_678.0, "12,345,678"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(brief(value), text);
        }
        for (value, text) in [(0.5, "0.50"), (50.0, "50.0"), (100.0, "100")] {
            assert_eq!(three_digits(value), text);
        }
    }

    #[test]
    fn a_label_is_short() {
        for (label, name) in [
            ("<UploadTest kwargs={}>", "UploadTest"),
            ("<UploadTest kwargs={'size': 5}>", "UploadTest {'size': 5}"),
            ("tests/a.py::test_b[1]", "tests/a.py::test_b[1]"),
            ("a\nb", "a b"),
        ] {
            let test = TestSummary {
                label: label.into(),
                ..TestSummary::default()
            };
            assert_eq!(short(&test), name);
        }
    }
}
