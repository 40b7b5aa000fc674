//! What the live block says of a run that goes on, for any size of terminal: how far it is, its tests, what is wrong, what can be pressed.
//!
//! | the terminal | gets |
//! |---|---|
//! | fewer than 80 columns or 10 rows | one line, see [`super::progress`] |
//! | larger | the block: at most two thirds of the rows, so that log lines stay in sight above it |
//!
//! Where there is no room for everything, tests give way first (the worst stay), then the second failure, then what explains; never how far it
//! is. Formats what core has computed and computes nothing.

use super::block::{Picture, Size};
use super::progress::{self, Standing};
use super::table::{self, Room};
use super::{behind_bar, marks, usable};
use crate::changes::times;
use crate::style::{Paint, Style};
use crate::text::{count, cut, one_line, plural, run_time, width, wrap};
use pysurge_core::recent::Lately;
use pysurge_core::span::format_clock;
use pysurge_core::summary::{FailureFigures, Summary, TestSummary, ThresholdResult, ThresholdState};
use pysurge_core::verdict::Validity;

/// Smaller than this a terminal gets one line.
const MIN_COLUMNS: u16 = 80;
const MIN_ROWS: u16 = 10;

/// Longer lines are hard to read.
const MAX_COLUMNS: usize = 120;

/// However tall a terminal is.
const MAX_LINES: usize = 24;

/// Tests that stay when there is little room: as many as one looks at.
const FEW_TESTS: usize = 5;

/// Thresholds that fail, and failures, one line each.
const MAX_FAILING: usize = 3;
const MAX_FAILURES: usize = 2;

/// Lines on the verdict.
const MAX_VERDICT: usize = 2;

/// Columns of the name of a test that a cause is about.
const MAX_CAUSE_NAME: usize = 30;

const MIN_BAR: usize = 10;
const MAX_BAR: usize = 36;

/// A run that goes on.
pub(crate) struct View {
    pub(crate) summary: Box<Summary>,
    pub(crate) standing: Standing,
    pub(crate) lately: Lately,
    /// Whether keys steer the run.
    pub(crate) keys: bool,
    pub(crate) color: bool,
    /// Whether the terminal shows more than ASCII.
    pub(crate) unicode: bool,
}

/// Whether a terminal has room for more than one line.
pub(crate) fn has_room(size: Size) -> bool {
    size.columns >= MIN_COLUMNS && size.rows >= MIN_ROWS
}

impl Picture for View {
    fn lines(&self, size: Size) -> Vec<String> {
        let style = Style {
            color: self.color,
            columns: size.columns,
        };
        let lines = if has_room(size) {
            self.block(size, style)
        } else {
            let one = |room| progress::line(&self.summary, self.standing, room, style);
            vec![behind_bar(self.share(), self.unicode, usable(size), one)]
        };
        if self.unicode {
            return lines;
        }
        lines.iter().map(|line| in_ascii(line)).collect()
    }
}

/// Our own signs, and nobody else's, as ASCII.
fn in_ascii(line: &str) -> String {
    let sign = |c| match c {
        '…' => '~',
        '✗' | '×' => 'x',
        c => c,
    };
    line.chars().map(sign).collect()
}

/// How many lines of each kind there are.
#[derive(Debug, Clone, Copy)]
struct Shares {
    all_tests: usize,
    tests: usize,
    sums: usize,
    verdict: usize,
    failing: usize,
    failures: usize,
    keys: usize,
    /// Empty lines, which keep the log apart.
    apart: usize,
}

/// One kind of line, and down to how many of it are given up.
type Step = (fn(&mut Shares) -> &mut usize, usize);

/// What is wanted least comes first.
const STEPS: [Step; 11] = [
    (|shares| &mut shares.tests, FEW_TESTS),
    (|shares| &mut shares.failures, 1),
    (|shares| &mut shares.failing, 1),
    (|shares| &mut shares.verdict, 1),
    (|shares| &mut shares.tests, 3),
    (|shares| &mut shares.sums, 0),
    (|shares| &mut shares.apart, 0),
    (|shares| &mut shares.tests, 1),
    (|shares| &mut shares.keys, 0),
    (|shares| &mut shares.failures, 0),
    (|shares| &mut shares.failing, 0),
];

impl Shares {
    fn height(self) -> usize {
        let more = usize::from(self.tests < self.all_tests);
        // How far it is, and the head of the table.
        2 + self.tests
            + more
            + self.sums
            + self.verdict
            + self.failing
            + self.failures
            + self.keys
            + self.apart
    }

    /// Gives things up until it is no higher than that, as far as that goes.
    fn fit(&mut self, most: usize) {
        for (lines, few) in STEPS {
            while self.height() > most && *lines(self) > few {
                *lines(self) -= 1;
            }
        }
    }
}

impl View {
    /// How much of the plan is done, where its end is known.
    fn share(&self) -> Option<f64> {
        let planned_s = self.summary.planned_duration_s?;
        (planned_s > 0.0).then(|| self.summary.duration_s / planned_s)
    }

    fn block(&self, size: Size, style: Style) -> Vec<String> {
        let columns = usable(size).min(MAX_COLUMNS);
        let rows = usize::from(size.rows);
        let most = (rows * 2 / 3).min(rows - 1).min(MAX_LINES);
        let verdict = self.verdict(columns, style);
        let failing = failing(&self.summary.thresholds);
        let failures = failures(&self.summary);
        let tests = self.summary.tests.len();
        let mut shares = Shares {
            all_tests: tests,
            tests,
            sums: usize::from(tests > 1),
            verdict: verdict.len(),
            failing: failing.len().min(MAX_FAILING),
            failures: failures.len().min(MAX_FAILURES),
            keys: 1,
            apart: 1,
        };
        shares.fit(most);
        let room = Room {
            tests: shares.tests,
            sums: shares.sums > 0,
        };
        let mut lines = vec![String::new(); shares.apart];
        lines.push(self.head(columns, style));
        lines.extend(table::lines(self, room, columns, style));
        lines.extend(shown_failures(&failures, shares.failures, tests, columns, style));
        lines.extend(shown_failing(&failing, shares.failing, columns, style));
        lines.extend(verdict.into_iter().take(shares.verdict));
        if shares.keys > 0 {
            lines.push(self.keys(columns, style));
        }
        lines.truncate(most);
        lines
    }

    /// How far it is, and in which state.
    fn head(&self, columns: usize, style: Style) -> String {
        let summary = &self.summary;
        let time = match (summary.planned_duration_s, self.standing.stopping) {
            (_, true) => {
                let running = summary.tests.iter().map(|test| test.in_flight).sum();
                format!("stopping, {} still running", count(running))
            }
            (Some(planned_s), false) => {
                let left_s = (planned_s - summary.duration_s).max(0.0);
                format!("{} left of {}", format_clock(left_s * 1e9), run_time(planned_s))
            }
            (None, false) => format!("{}, until it is stopped", format_clock(summary.elapsed_s * 1e9)),
        };
        let mut parts = vec![(Paint::Strong, time)];
        if self.standing.paused && !self.standing.stopping {
            parts.push((Paint::Doubtful, "PAUSED".to_owned()));
        }
        if progress::is_warmup(summary) {
            parts.push((Paint::Quiet, "warm-up".to_owned()));
        }
        #[expect(clippy::float_cmp, reason = "a factor is so many thousandths, and 1 is exact")]
        if summary.factor != 1.0 {
            parts.push((Paint::Strong, times(summary.factor)));
        }
        let mut line = " ".to_owned();
        let mut used = 1;
        if let Some(share) = self.share().filter(|_| self.unicode) {
            let bar = (columns / 4).clamp(MIN_BAR, MAX_BAR);
            line.push_str(&marks::bar(share, bar));
            line.push_str("  ");
            used += bar + 2;
        }
        let text: usize = parts.iter().map(|(_, text)| width(text) + 2).sum();
        used += text - 2;
        let painted: Vec<String> = parts
            .iter()
            .map(|(paint, text)| style.paint(*paint, text))
            .collect();
        line.push_str(&painted.join("  "));
        if let Some(about) = self.about_times(columns.saturating_sub(used + 3)) {
            line.push_str(&" ".repeat(columns - used - width(&about)));
            line.push_str(&style.paint(Paint::Quiet, &about));
        }
        line
    }

    /// What the percentiles are of.
    fn about_times(&self, room: usize) -> Option<String> {
        let span = self.lately.seconds;
        let words = [
            "p50 to p99: response time of the last",
            "p50-p99: response time, last",
            "times: last",
        ];
        let about = words.map(|words| format!("{words} {span:.0} s"));
        about.into_iter().find(|about| span > 0.0 && width(about) <= room)
    }

    /// The verdict as things stand, its main cause, and how many thresholds hold.
    fn verdict(&self, columns: usize, style: Style) -> Vec<String> {
        let verdict = &self.summary.verdict;
        let (word, paint) = match verdict.validity {
            Validity::Valid if progress::is_warmup(&self.summary) => return Vec::new(),
            Validity::Valid => ("valid so far", Paint::Good),
            Validity::Degraded => ("degraded so far", Paint::Doubtful),
            Validity::Invalid => ("invalid so far", Paint::Bad),
        };
        let room = columns - 1 - word.len() - 2;
        let about = match verdict.causes.first() {
            Some(cause) => {
                let more = verdict.causes.len() - 1;
                let more = match more {
                    0 => String::new(),
                    more => format!(" (and {})", plural(more as u64, "more cause")),
                };
                let test = cause.test.as_ref().filter(|_| self.summary.tests.len() > 1);
                let test = test.map_or_else(String::new, |test| {
                    format!(" [{}]", cut(&one_line(test), MAX_CAUSE_NAME))
                });
                format!("{}{more}{test}", one_line(&cause.text))
            }
            None => standing_of(&self.summary.thresholds),
        };
        let lead = format!(" {}", style.paint(paint, word));
        let mut wrapped = wrap(&about, room, MAX_VERDICT).into_iter();
        let first = wrapped.next().unwrap_or_default();
        let mut lines = vec![match verdict.causes.is_empty() {
            true if first.is_empty() => lead,
            true => format!("{lead}, {first}"),
            false => format!("{lead}: {first}"),
        }];
        lines.extend(wrapped.map(|line| format!("{:indent$}{line}", "", indent = 1 + word.len() + 2)));
        lines
    }

    fn keys(&self, columns: usize, style: Style) -> String {
        let text = match (self.keys, self.standing.stopping) {
            (false, false) => "Ctrl+C stops",
            (false, true) => "Ctrl+C again stops at once",
            (true, true) => "s stop at once   h help",
            (true, false) if self.standing.paused => {
                "p resume   + faster   - slower   = as planned   s stop   h help"
            }
            (true, false) => "p pause   + faster   - slower   = as planned   s stop   h help",
        };
        style.paint(Paint::Quiet, &cut(&format!(" {text}"), columns))
    }
}

/// `thresholds: 3 hold, 1 not judged yet`; nothing where there is none.
fn standing_of(thresholds: &[ThresholdResult]) -> String {
    let number =
        |is: fn(ThresholdState) -> bool| thresholds.iter().filter(|one| is(one.state)).count() as u64;
    let told = [
        (number(|state| state == ThresholdState::Passed), "hold"),
        (number(ThresholdState::fails), "fail"),
        (number(|state| state == ThresholdState::Pending), "not judged yet"),
    ];
    let told: Vec<String> = told
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", count(n)))
        .collect();
    if told.is_empty() {
        String::new()
    } else {
        format!("thresholds: {}", told.join(", "))
    }
}

fn failing(thresholds: &[ThresholdResult]) -> Vec<&ThresholdResult> {
    thresholds.iter().filter(|result| result.state.fails()).collect()
}

fn shown_failing(failing: &[&ThresholdResult], most: usize, columns: usize, style: Style) -> Vec<String> {
    let more = failing.len().saturating_sub(most);
    let shown = failing.iter().take(most).enumerate();
    let lines = shown.map(|(at, result)| {
        let mut text = format!(
            "{}   {}",
            one_line(&result.expression),
            one_line(&result.actual_text)
        );
        if let Some(test) = &result.test {
            text = format!("{text}   {}", one_line(test));
        }
        if more > 0 && at + 1 == most {
            text = format!("{text}   and {} more", count(more as u64));
        }
        let text = cut(&text, columns.saturating_sub(3));
        format!(" {} {text}", style.paint(Paint::Bad, "✗"))
    });
    lines.collect()
}

/// A kind of failure, and the test it is of.
type Failing<'a> = (&'a FailureFigures, &'a TestSummary);

/// The kinds of failures of all tests that count, or of their warm-ups; the most frequent first.
fn failures(summary: &Summary) -> Vec<Failing<'_>> {
    let is_warmup = progress::is_warmup(summary);
    let kinds = summary.tests.iter().flat_map(|test| {
        let kinds = match &test.warmup {
            Some(warmup) if is_warmup => &warmup.failures,
            _ => &test.failures,
        };
        kinds.iter().map(move |kind| (kind, test))
    });
    let mut kinds: Vec<Failing<'_>> = kinds.collect();
    kinds.sort_by_key(|(kind, _)| std::cmp::Reverse(kind.count));
    kinds
}

fn shown_failures(
    failures: &[Failing<'_>],
    most: usize,
    tests: usize,
    columns: usize,
    style: Style,
) -> Vec<String> {
    let shown = failures.iter().take(most);
    let lines = shown.map(|(kind, test)| {
        let times = format!("{} ×", count(kind.count));
        let mut text = format!("{}: {}", one_line(&kind.exception), one_line(&kind.message));
        let place = match one_line(&kind.frame) {
            place if tests > 1 => format!("{place}, {}", table::short(test)),
            place => place,
        };
        // The place is worth as much as the end of a long message.
        let room = columns.saturating_sub(width(&times) + 2);
        let place = cut(&place, room / 2);
        text = cut(&text, room.saturating_sub(width(&place) + 3));
        format!(
            " {} {text}   {}",
            style.paint(Paint::Bad, &times),
            style.paint(Paint::Quiet, &place)
        )
    });
    lines.collect()
}
