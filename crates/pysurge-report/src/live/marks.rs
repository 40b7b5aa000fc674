//! Drawn with characters: a bar that fills, and the course of a figure.

/// Eighths of a cell, from the least to the most.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar of so many columns, of which a share is full.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the share is clamped to 0..=1"
)]
pub(crate) fn bar(share: f64, columns: usize) -> String {
    let share = if share.is_nan() {
        0.0
    } else {
        share.clamp(0.0, 1.0)
    };
    let full = (share * columns as f64) as usize;
    let mut bar = "━".repeat(full);
    if full < columns {
        bar.push('╸');
        bar.push_str(&"─".repeat(columns - full - 1));
    }
    bar
}

/// The last of the figures, at most `columns`, one column each and aligned to the right; a gap where there is none.
///
/// The scale begins at nothing, and ends at the greatest or at twice the median, so that a figure that stays as it is is a line at half the
/// height, and noise does not look like news.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "eight levels are drawn, and the level is clamped to them"
)]
pub(crate) fn sparkline(figures: &[Option<u64>], columns: usize) -> String {
    let shown = &figures[figures.len().saturating_sub(columns)..];
    let mut known: Vec<u64> = shown.iter().copied().flatten().collect();
    known.sort_unstable();
    let median = known.get(known.len() / 2).copied().unwrap_or(0);
    let top = known.last().copied().unwrap_or(0).max(median.saturating_mul(2));
    let level = |figure: u64| {
        let share = if top == 0 { 0.0 } else { figure as f64 / top as f64 };
        let level = (share * LEVELS.len() as f64).round() as usize;
        LEVELS[level.clamp(1, LEVELS.len()) - 1]
    };
    let drawn = shown.iter().map(|figure| figure.map_or(' ', level));
    let gap = std::iter::repeat_n(' ', columns - shown.len());
    gap.chain(drawn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        for (share, drawn) in [
            (0.0, "╸───"),
            (0.26, "━╸──"),
            (0.999, "━━━╸"),
            (1.0, "━━━━"),
            (7.0, "━━━━"),
            (f64::NAN, "╸───"),
        ] {
            assert_eq!(bar(share, 4), drawn);
        }
        assert_eq!(bar(0.5, 0), "");
    }

    #[test]
    fn a_steady_figure_is_half_high_and_a_gap_is_a_gap() {
        let some = |figures: &[u64]| figures.iter().map(|n| Some(*n)).collect::<Vec<_>>();
        assert_eq!(sparkline(&some(&[50, 51, 49, 50]), 6), "  ▄▄▄▄");
        assert_eq!(sparkline(&some(&[10, 10, 80, 10]), 4), "▁▁█▁");
        assert_eq!(sparkline(&some(&[1, 2, 3, 4, 5, 6, 7, 8]), 3), "▃▄▅");
        assert_eq!(sparkline(&[Some(0), None, Some(0)], 3), "▁ ▁");
        assert_eq!(sparkline(&[], 2), "  ");
        assert_eq!(sparkline(&some(&[u64::MAX, 1, 1]), 3), "█▁▁");
    }
}
