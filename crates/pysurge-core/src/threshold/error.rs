//! What is wrong with a text that is no threshold, and where. How it is worded is said where it is found.

use crate::harmless::is_harmful;

/// Why a text is no threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ThresholdError {
    /// Where in the text, in characters.
    pub at: usize,
    /// How many characters are meant, at least 1; behind the end of the text where something is missing there.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl ThresholdError {
    /// The error for a terminal: what is wrong, the text with a mark below the place, and what to do. No line break at the end.
    pub fn point(&self, text: &str) -> String {
        let mut shown = format!("{}\n{}", self.message, self.mark(text, "  "));
        if let Some(hint) = &self.hint {
            shown.push_str("\n  ");
            shown.push_str(hint);
        }
        shown
    }

    /// The text and, on the next line, a mark below the place; both lines start with `margin`.
    pub fn mark(&self, text: &str, margin: &str) -> String {
        let plain = |c: char| if is_harmful(c) { ' ' } else { c };
        let text: String = text.chars().map(plain).collect();
        let (before, mark) = (" ".repeat(self.at), "^".repeat(self.length.max(1)));
        format!("{margin}{text}\n{margin}{before}{mark}")
    }

    /// The same with what to do.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A place: its first character, and how many there are.
pub(super) type Place = (usize, usize);

pub(super) fn error_at((at, length): Place, message: impl Into<String>) -> ThresholdError {
    ThresholdError {
        at,
        length: length.max(1),
        message: message.into(),
        hint: None,
    }
}

/// A text cut to what fits into a message.
pub(super) fn shorten(text: &str) -> String {
    shorten_to(text, 40)
}

pub(super) fn shorten_to(text: &str, most: usize) -> String {
    let plain = |c: char| if is_harmful(c) { ' ' } else { c };
    match text.char_indices().nth(most) {
        Some((at, _)) => text[..at].chars().map(plain).chain(['…']).collect(),
        None => text.chars().map(plain).collect(),
    }
}
