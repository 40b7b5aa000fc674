//! Response time against rate, drawn in characters. Times go up in powers, for near its limit a target is a hundred times slower.

use super::{FindMax, LevelRecord, LevelState};
use crate::style::{Paint, Style};
use crate::text::{rate, width};
use pysurge_core::span::format_span_f64;

/// Lines of the drawing, without its axis.
const ROWS: usize = 10;

/// Fewer different rates are said better by the table.
const MIN_RATES: usize = 3;

/// What the marks are.
const KEY: &str = "● p99 held  × p99 failed  · p50";
const GENERATOR_KEY: &str = "  g generator";

/// What a time may be at the edge of a drawing: 1, 2 and 5 times powers of ten, nanoseconds.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// The vertical axis: from one time to another, in powers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TimeScale {
    low_s: f64,
    high_s: f64,
}

impl TimeScale {
    /// An axis with round ends for all these times; `None` where there are none.
    pub(super) fn of(times_s: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = times_s
            .filter(|time_s| *time_s > 0.0)
            .fold((f64::MAX, 0.0f64), |(low, high), time_s| {
                (low.min(time_s), high.max(time_s))
            });
        if high == 0.0 {
            return None;
        }
        let low_s = round_times(low)
            .filter(|time_s| *time_s <= low)
            .fold(0.0, f64::max);
        let above = round_times(high).filter(|time_s| *time_s >= high && *time_s > low_s);
        let high_s = above.fold(f64::MAX, f64::min);
        Some(Self { low_s, high_s })
    }

    /// How high a time stands, 0 to 1.
    pub(super) fn share(self, time_s: f64) -> f64 {
        let height = (time_s / self.low_s).ln() / (self.high_s / self.low_s).ln();
        height.clamp(0.0, 1.0)
    }

    /// Round times from below to above, seconds; at most so many, its ends among them where there is room.
    pub(super) fn marks(self, most: usize) -> Vec<f64> {
        let all = |steps: &[f64]| {
            let mut marks: Vec<f64> = decades(self.low_s, self.high_s)
                .flat_map(|decade| steps.iter().map(move |step| step * decade).collect::<Vec<_>>())
                .filter(|time_s| (self.low_s * 0.999..=self.high_s * 1.001).contains(time_s))
                .collect();
            marks.dedup();
            marks
        };
        let fine = all(&STEPS);
        if fine.len() <= most {
            return fine;
        }
        let mut coarse = all(&STEPS[..1]);
        while coarse.len() > most.max(2) {
            coarse = coarse.into_iter().step_by(2).collect();
        }
        coarse
    }
}

fn round_times(around_s: f64) -> impl Iterator<Item = f64> {
    decades(around_s, around_s).flat_map(|decade| STEPS.map(|step| step * decade))
}

/// Powers of ten from below one time to above another, seconds.
fn decades(low_s: f64, high_s: f64) -> impl Iterator<Item = f64> {
    #[expect(clippy::cast_possible_truncation, reason = "times lie within 10^±20 seconds")]
    let power = |time_s: f64| time_s.log10().floor() as i32;
    (power(low_s) - 1..=power(high_s) + 1).map(|power| 10f64.powi(power))
}

/// Times as an axis says them: `20 ms`, `1 s`.
pub(super) fn time_label(time_s: f64) -> String {
    let text = format_span_f64(time_s * 1e9 * (1.0 + 1e-12));
    // `20.0 ms` is as long as its unit makes it; a mark is round.
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// The drawing; nothing where there is too little to draw.
pub(super) fn drawing(search: &FindMax, style: Style) -> Vec<String> {
    let mut rates: Vec<u64> = search
        .levels
        .iter()
        .map(|level| level.rate_per_s.to_bits())
        .collect();
    rates.sort_unstable();
    rates.dedup();
    let drawn = search
        .levels
        .iter()
        .flat_map(|level| [level.response_time.p50_s, level.response_time.p99_s])
        .flatten();
    let Some(scale) = TimeScale::of(drawn).filter(|_| rates.len() >= MIN_RATES) else {
        return Vec::new();
    };
    let labels: Vec<(usize, String)> = scale
        .marks(4)
        .into_iter()
        .map(|time_s| (row_of(scale.share(time_s)), time_label(time_s)))
        .collect();
    let gutter = labels.iter().map(|(_, label)| width(label)).max().unwrap_or(0);
    let columns = style.width().saturating_sub(gutter + 4);
    let highest = search
        .levels
        .iter()
        .map(|level| level.rate_per_s)
        .fold(0.0, f64::max);
    let mut canvas = vec![vec![(' ', Paint::Plain); columns]; ROWS];
    // What held is drawn over what did not, and the 99th percentile over the median.
    let mut order: Vec<&LevelRecord> = search.levels.iter().collect();
    order.sort_by_key(|level| level.state == LevelState::Held);
    for is_p99 in [false, true] {
        for level in &order {
            let of = &level.response_time;
            let (shown_s, mark, paint) = match (is_p99, level.state) {
                (false, _) => (of.p50_s, '·', Paint::Plain),
                (true, LevelState::Held) => (of.p99_s, '●', Paint::Good),
                (true, LevelState::Failed) => (of.p99_s, '×', Paint::Bad),
                (true, LevelState::GeneratorLimited) => (of.p99_s, 'g', Paint::Doubtful),
            };
            if let Some(time_s) = shown_s {
                let column = cell(level.rate_per_s / highest, columns);
                canvas[row_of(scale.share(time_s))][column] = (mark, paint);
            }
        }
    }
    let with_generator = order
        .iter()
        .any(|level| level.state == LevelState::GeneratorLimited);
    let key = format!("{KEY}{}", if with_generator { GENERATOR_KEY } else { "" });
    let indented = format!("{:gutter$}  {key}", "");
    let key = if width(&indented) <= style.width() {
        indented
    } else {
        key
    };
    let mut lines = vec![style.paint(Paint::Quiet, &key)];
    for (row, cells) in canvas.iter().enumerate().rev() {
        let label = labels
            .iter()
            .find(|(at, _)| *at == row)
            .map(|(_, label)| label.as_str());
        let axis = if label.is_some() { '┤' } else { '│' };
        let margin = style.paint(
            Paint::Quiet,
            &format!("{:>gutter$} {axis}", label.unwrap_or_default()),
        );
        let drawn: String = cells
            .iter()
            .map(|(mark, paint)| {
                if *mark == ' ' {
                    " ".to_owned()
                } else {
                    style.paint(*paint, &mark.to_string())
                }
            })
            .collect();
        lines.push(format!("{margin}{}", drawn.trim_end()));
    }
    lines.extend(rate_axis(search, highest, gutter, columns, style));
    lines
}

/// The line of rates, marked at 0, at the result and at the highest rate.
fn rate_axis(search: &FindMax, highest: f64, gutter: usize, columns: usize, style: Style) -> Vec<String> {
    let held = search.result.as_ref().and_then(|result| result.held_rate_per_s);
    let mut axis = vec!['─'; columns];
    let mut labels = vec![' '; columns];
    let mut taken: Vec<(usize, usize)> = Vec::new();
    // The result first: where there is no room for all, it is the one that stays.
    for per_s in held.into_iter().chain([highest, 0.0]) {
        let label = if per_s == 0.0 {
            "0".to_owned()
        } else {
            format!("{}/s", rate(per_s))
        };
        let at = cell(per_s / highest, columns);
        axis[at] = '┬';
        let from = at
            .saturating_sub(width(&label) / 2)
            .min(columns.saturating_sub(width(&label)));
        let to = (from + width(&label)).min(columns);
        if taken.iter().all(|(begun, ended)| to < *begun || *ended < from) {
            for (slot, c) in std::iter::zip(&mut labels[from..to], label.chars()) {
                *slot = c;
            }
            taken.push((from, to));
        }
    }
    let (axis, labels): (String, String) = (axis.into_iter().collect(), labels.into_iter().collect());
    vec![
        style.paint(Paint::Quiet, &format!("{:gutter$} └{axis}", "")),
        style.paint(Paint::Quiet, format!("{:gutter$}  {labels}", "").trim_end()),
    ]
}

fn row_of(share: f64) -> usize {
    cell(share, ROWS)
}

/// In which of so many cells a share of 0 to 1 lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a few cells of a drawing"
)]
fn cell(share: f64, cells: usize) -> usize {
    let last = cells.saturating_sub(1);
    ((share.clamp(0.0, 1.0) * last as f64).round() as usize).min(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_have_round_marks() {
        let scale = TimeScale::of([0.013, 0.7].into_iter()).unwrap();
        assert_eq!((scale.low_s, scale.high_s), (0.01, 1.0));
        let labels = |most| -> Vec<String> { scale.marks(most).into_iter().map(time_label).collect() };
        assert_eq!(
            labels(9),
            ["10 ms", "20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1 s"]
        );
        assert_eq!(labels(4), ["10 ms", "100 ms", "1 s"]);
        assert!((scale.share(0.1) - 0.5).abs() < 1e-9);
        assert_eq!(TimeScale::of(std::iter::empty()), None);
        // One time alone still has an axis.
        let one = TimeScale::of(std::iter::once(0.02)).unwrap();
        assert!(one.low_s < one.high_s, "{one:?}");
    }

    proptest! {
        #[test]
        fn every_time_lies_on_the_axis(low in 1e-9f64..1e3, factor in 1.0f64..1e6, most in 2usize..9) {
            let scale = TimeScale::of([low, low * factor].into_iter()).unwrap();
            prop_assert!(scale.low_s <= low && low * factor <= scale.high_s && scale.low_s < scale.high_s);
            let marks = scale.marks(most);
            prop_assert!(marks.len() <= most, "{:?}", marks);
            prop_assert!(marks.is_sorted());
        }
    }
}
