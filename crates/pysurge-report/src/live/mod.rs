//! What a user sees at the bottom of a terminal while a run goes on.
//!
//! | | |
//! |---|---|
//! | [`block`] | some lines that are drawn anew in their place, and everything else that flows above them |
//! | [`view`] | what the lines say of a run, for any size of terminal |
//! | [`table`] | the tests in them |
//! | [`progress`] | the same in one line: for small terminals, and as text for logs |
//! | [`marks`] | bars and the course of a figure, drawn with characters |
//!
//! A [`Picture`] is pure: it is asked for its lines whenever it is drawn, and knows neither time nor terminal. `docs/design/terminal.md` says why
//! it is drawn as it is.

pub(crate) mod block;
pub(crate) mod marks;
pub(crate) mod progress;
mod table;
pub(crate) mod view;

pub(crate) use block::{Block, Picture};
pub use block::{Curtain, Measure, Size};

use crate::style::{Paint, Style};
use crate::text::cut;

/// One line that says something, behind a bar where there is room and it is known how far things are.
pub(crate) struct Strip {
    /// What it says, in one colour.
    pub(crate) text: String,
    /// How much is done, as a share.
    pub(crate) share: Option<f64>,
    /// Whether the terminal shows more than ASCII.
    pub(crate) unicode: bool,
}

/// Columns of the bar in a line.
const BAR_COLUMNS: usize = 12;

/// From this width on there is room for a bar in front of the figures.
const MIN_COLUMNS_FOR_BAR: usize = 99;

/// Columns that may be written to: the last one stays free, because some terminals wrap as soon as it is written.
pub(crate) fn usable(size: Size) -> usize {
    usize::from(size.columns.saturating_sub(1))
}

/// A line of figures, laid out for the room that a bar leaves, behind that bar.
pub(crate) fn behind_bar(
    share: Option<f64>,
    unicode: bool,
    columns: usize,
    line: impl FnOnce(usize) -> String,
) -> String {
    match share {
        Some(share) if unicode && columns >= MIN_COLUMNS_FOR_BAR => {
            let bar = marks::bar(share, BAR_COLUMNS);
            format!("{bar} {}", line(columns - BAR_COLUMNS - 1))
        }
        _ => line(columns),
    }
}

impl Picture for Strip {
    fn lines(&self, size: Size) -> Vec<String> {
        let line = behind_bar(self.share, self.unicode, usable(size), |room| {
            cut(&self.text, room)
        });
        vec![line]
    }
}

/// What is waited for, before there is anything to tell of a run.
pub(crate) struct Waiting {
    pub(crate) text: String,
    pub(crate) style: Style,
}

impl Picture for Waiting {
    fn lines(&self, size: Size) -> Vec<String> {
        let text = cut(&format!("{} ...", self.text), usable(size));
        vec![self.style.paint(Paint::Quiet, &text)]
    }
}
