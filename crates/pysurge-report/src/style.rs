//! Colour, and where it may be used. Colour never carries a meaning alone: every word reads the same without it.

use anstyle::AnsiColor;

/// How a text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours may be used.
    pub color: bool,
    /// How many columns there are.
    pub columns: u16,
}

/// Columns where nobody told: what a terminal has had since the VT100.
pub(crate) const DEFAULT_COLUMNS: u16 = 80;

/// Longer lines are hard to read, however wide the terminal is.
const MAX_COLUMNS: u16 = 120;

/// Narrower than this no figure fits beside its name.
const MIN_COLUMNS: u16 = 40;

/// What a piece of text is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Quiet,
    Strong,
    Good,
    Doubtful,
    Bad,
}

impl Style {
    /// The width to lay out for.
    pub(crate) fn width(self) -> usize {
        usize::from(self.columns.clamp(MIN_COLUMNS, MAX_COLUMNS))
    }

    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        let plain = anstyle::Style::new();
        let style = match paint {
            Paint::Plain => plain,
            Paint::Quiet => plain.dimmed(),
            Paint::Strong => plain.bold(),
            Paint::Good => plain.bold().fg_color(Some(AnsiColor::Green.into())),
            Paint::Doubtful => plain.bold().fg_color(Some(AnsiColor::Yellow.into())),
            Paint::Bad => plain.bold().fg_color(Some(AnsiColor::Red.into())),
        };
        if !self.color || style == plain || text.is_empty() {
            return text.to_owned();
        }
        format!("{style}{text}{style:#}")
    }
}
