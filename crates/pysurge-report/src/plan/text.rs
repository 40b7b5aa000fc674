//! A plan as text: per test what it will fire and a drawing of it over time, in block characters; then the sums.

use super::axis::{Scale, time_marks};
use super::{bars, highest, is_unknown, load, per, planned, threads, times, title, totals};
use crate::grid::{Cell, figures};
use crate::report::heading;
use crate::style::{Paint, Style};
use crate::text::{count, cut, one_line, width, wrap};
use pysurge_core::forecast::{Forecast, TestForecast};

/// How far the body of a test is indented.
const INDENT: usize = 2;

/// Lines of a drawing, without its axis.
const ROWS: usize = 6;

/// Columns that a mark of the time axis needs.
const MARK_COLUMNS: usize = 10;

/// Names the line of single arrivals.
const ARRIVALS: &str = "arrivals";

/// The whole view, ending in a line end.
pub fn plan_text(forecast: &Forecast, style: &Style) -> String {
    let mut text = String::new();
    for test in &forecast.tests {
        for line in of_test(test, forecast, *style) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    for line in wrap(&totals(forecast), style.width(), 4) {
        text.push_str(&style.paint(Paint::Strong, &line));
        text.push('\n');
    }
    text
}

fn of_test(test: &TestForecast, forecast: &Forecast, style: Style) -> Vec<String> {
    let room = style.width() - INDENT;
    let (title, label) = (one_line(title(test)), one_line(&test.label));
    let mut body = Vec::new();
    if title != label {
        body.push(cut(&label, room));
    }
    body.extend(wrap(&load(test), room, 3));
    body.push(String::new());
    if !is_unknown(test) {
        body.extend(figures(&cells(test), room, style));
        body.push(String::new());
    }
    body.extend(wrap(&times(test), room, 3));
    let is_short = test.threads_short > 0;
    let paint = if is_short { Paint::Doubtful } else { Paint::Plain };
    let threads = wrap(&threads(test), room, 4);
    body.extend(threads.iter().map(|line| style.paint(paint, line)));
    let drawing = drawing(test, forecast, room, style);
    if !drawing.is_empty() {
        body.push(String::new());
        body.extend(drawing);
    }
    let mut lines = vec![heading(&title, style)];
    lines.extend(body.iter().map(|line| format!("{:INDENT$}{line}", "")));
    lines
}

fn cells(test: &TestForecast) -> Vec<(&'static str, Cell)> {
    let mut cells = vec![("planned", Cell::plain(planned(test.planned)))];
    if test.has_warmup() {
        let warmup = test.warmup.map_or_else(|| "-".to_owned(), count);
        cells.push(("warm-up", Cell::plain(warmup)));
    }
    let rates = [("mean", test.mean_per_s), ("peak", test.peak_per_s)];
    cells.extend(
        rates
            .into_iter()
            .filter_map(|(name, per_s)| Some((name, Cell::plain(per(per_s?))))),
    );
    if let Some(users) = test.users {
        cells.push(("users", Cell::plain(count(u64::from(users)))));
    }
    if let Some(needed) = test.threads_needed {
        cells.push(("threads", Cell::plain(count(needed))));
    }
    cells
}

/// Rates or users over time.
fn drawing(test: &TestForecast, forecast: &Forecast, room: usize, style: Style) -> Vec<String> {
    if test.line.is_empty() && test.buckets.is_empty() {
        return Vec::new();
    }
    let bars_of = |most| bars(test, forecast.span_ns, most);
    let scale = Scale::new(highest(test, &bars_of(room)), test.is_closed(), 3);
    let marks = scale.marks();
    let labels = marks.iter().map(|(_, label)| width(label));
    let one_by_one = !test.arrivals.is_empty() && test.arrivals.len() <= room * 3 / 4;
    let name = if one_by_one { width(ARRIVALS) } else { 0 };
    let gutter = labels.max().unwrap_or(0).max(name);
    let columns = room.saturating_sub(gutter + 2);
    let canvas = Canvas {
        test,
        span_ns: forecast.span_ns,
        columns,
        gutter,
        style,
    };
    let bars = bars_of(columns);
    let levels: Vec<f64> = (0..columns)
        .map(|column| match bars.as_slice() {
            [] => test.level_at(canvas.instant_ns(2 * column + 1)),
            bars => bars[column * bars.len() / columns],
        })
        .map(|level| scale.share(level))
        .collect();
    let mut lines: Vec<String> = (0..ROWS)
        .rev()
        .map(|row| canvas.row(row, &levels, &marks))
        .collect();
    lines.extend(canvas.time_axis(forecast.end_ns.is_none()));
    if one_by_one {
        lines.push(canvas.single_arrivals());
    }
    lines
}

struct Canvas<'a> {
    test: &'a TestForecast,
    span_ns: u64,
    columns: usize,
    gutter: usize,
    style: Style,
}

impl Canvas<'_> {
    /// The instant at so many half columns.
    fn instant_ns(&self, halves: usize) -> u64 {
        let at = |n: usize| u128::try_from(n).unwrap_or(0);
        let ns = u128::from(self.span_ns) * at(halves) / at(2 * self.columns.max(1));
        u64::try_from(ns).unwrap_or(self.span_ns)
    }

    /// In which of so many equal parts of the span an instant lies.
    fn part_of(&self, at_ns: u64, parts: usize) -> usize {
        let at = u128::from(at_ns) * u128::try_from(parts).unwrap_or(0) / u128::from(self.span_ns.max(1));
        usize::try_from(at).unwrap_or(parts).min(parts.saturating_sub(1))
    }

    fn gutter(&self, label: &str) -> String {
        let pad = self.gutter - width(label);
        self.style.paint(Paint::Quiet, &format!("{:pad$}{label}", ""))
    }

    /// A line of the drawing; `row` counts from below.
    fn row(&self, row: usize, levels: &[f64], marks: &[(f64, String)]) -> String {
        // A mark stands at the line whose upper edge is its height.
        let mark = marks.iter().find(|(share, _)| {
            #[expect(clippy::cast_precision_loss, reason = "a few lines")]
            let (edge, rows) = ((row + 1) as f64, ROWS as f64);
            (share * rows - edge).abs() < 0.5
        });
        let (label, axis) = match mark {
            Some((_, label)) => (label.as_str(), " ┤"),
            None => ("", " │"),
        };
        let warm = self.part_of(self.test.warmup_ends_ns, self.columns);
        let begun = self.part_of(self.test.start_ns, self.columns);
        let mut drawn: Vec<char> = levels.iter().map(|level| block(*level, row)).collect();
        let end = drawn.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
        drawn.truncate(end);
        let piece = |from: usize, to: usize| drawn[from.min(end)..to.min(end)].iter().collect::<String>();
        let area = if self.test.has_warmup() && self.style.color {
            format!(
                "{}{}{}",
                piece(0, begun),
                self.style.paint(Paint::Quiet, &piece(begun, warm)),
                piece(warm, self.columns)
            )
        } else {
            piece(0, self.columns)
        };
        format!(
            "{}{}{area}",
            self.gutter(label),
            self.style.paint(Paint::Quiet, axis)
        )
    }

    /// The line of time and what it says; heavy where iterations are warm-up, with an arrow where the run goes on.
    fn time_axis(&self, goes_on: bool) -> Vec<String> {
        let most = u64::try_from(self.columns / MARK_COLUMNS).unwrap_or(1);
        let mut axis: Vec<char> = vec!['─'; self.columns];
        if self.test.has_warmup() {
            let from = self.part_of(self.test.start_ns, self.columns);
            let to = self.part_of(self.test.warmup_ends_ns, self.columns);
            axis[from..to].fill('━');
        }
        let mut labels = vec![' '; self.columns];
        let mut free = 0;
        for (at_ns, label) in time_marks(self.span_ns, most) {
            let at = self.part_of(at_ns, self.columns);
            axis[at] = if axis[at] == '━' { '┯' } else { '┬' };
            // Under its mark; at the edges where there is room for it.
            let from = at.saturating_sub(width(&label) / 2).max(free);
            let from = from.min(labels.len().saturating_sub(width(&label)));
            if from >= free && at_ns <= self.span_ns {
                for (i, c) in label.chars().enumerate() {
                    labels[from + i] = c;
                }
                free = from + width(&label) + 2;
            }
        }
        if goes_on && let Some(last) = axis.last_mut() {
            *last = '▸';
        }
        let axis: String = axis.into_iter().collect();
        let labels: String = labels.into_iter().collect();
        vec![
            format!(
                "{}{}",
                self.gutter("0"),
                self.style.paint(Paint::Quiet, &format!(" └{axis}"))
            ),
            format!(
                "{:gutter$}  {}",
                "",
                self.style.paint(Paint::Quiet, labels.trim_end()),
                gutter = self.gutter
            ),
        ]
    }

    /// Each arrival, in half columns: readable where there are few.
    fn single_arrivals(&self) -> String {
        let mut halves = vec![false; 2 * self.columns];
        for at_ns in &self.test.arrivals {
            let at = self.part_of(*at_ns, halves.len());
            if let Some(half) = halves.get_mut(at) {
                *half = true;
            }
        }
        let drawn: String = halves
            .chunks(2)
            .map(|pair| match pair {
                [true, true] => '⣿',
                [true, false] => '⡇',
                [false, true] => '⢸',
                _ => ' ',
            })
            .collect();
        format!("{}  {drawn}", self.gutter(ARRIVALS))
    }
}

/// What a level from 0 to 1 shows in a line of the drawing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a few lines of eight steps"
)]
fn block(level: f64, row: usize) -> char {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let least = usize::from(level > 0.0);
    let eighths = ((level * (ROWS * 8) as f64).round() as usize).max(least);
    EIGHTHS[eighths.saturating_sub(row * 8).min(8)]
}
