//! A small table: a column of names, then columns of figures, aligned to the right. No borders; it never exceeds its
//! width as long as the figures alone fit, because a name that is too long moves to a line of its own.

use crate::style::{Paint, Style};
use crate::text::{cut, width};

/// Columns between two figures.
const GAP: usize = 2;

/// A text and how it is painted.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, paint: Paint) -> Self {
        Self {
            text: text.into(),
            paint,
        }
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Paint::Plain)
    }
}

/// Rows of figures under a head.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    /// What the names are; may be empty.
    pub(crate) name: &'a str,
    /// What the figures are.
    pub(crate) head: Vec<&'a str>,
    /// A name and one cell per head.
    pub(crate) rows: Vec<(String, Vec<Cell>)>,
}

impl Grid<'_> {
    /// The lines of the table within `columns`.
    pub(crate) fn lines(&self, columns: usize, style: Style) -> Vec<String> {
        let widths = self.figure_widths();
        let figures: usize = widths.iter().map(|w| w + GAP).sum();
        let room = columns.saturating_sub(figures);
        let names = self.rows.iter().map(|(name, _)| width(name));
        let name_width = names
            .chain([width(self.name)])
            .filter(|w| *w <= room)
            .max()
            .unwrap_or(0);
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        let mut head = pad(&cut(self.name, name_width), name_width);
        for (name, w) in std::iter::zip(&self.head, &widths) {
            push_right(&mut head, name, w + GAP);
        }
        lines.push(style.paint(Paint::Quiet, &head));
        for (name, cells) in &self.rows {
            let mut line = if width(name) <= name_width {
                pad(name, name_width)
            } else {
                lines.push(cut(name, columns));
                pad("", name_width)
            };
            for (cell, w) in std::iter::zip(cells, &widths) {
                line.extend(std::iter::repeat_n(' ', w + GAP - width(&cell.text)));
                line.push_str(&style.paint(cell.paint, &cell.text));
            }
            lines.push(line);
        }
        lines
    }

    /// Takes away the given columns, in this order, until the figures and `name_width` fit.
    pub(crate) fn shed(&mut self, columns: usize, name_width: usize, least_wanted: &[&str]) {
        for unwanted in least_wanted {
            let figures: usize = self.figure_widths().iter().map(|w| w + GAP).sum();
            if figures + name_width <= columns {
                return;
            }
            if let Some(at) = self.head.iter().position(|head| head == unwanted) {
                self.head.remove(at);
                for (_, cells) in &mut self.rows {
                    cells.remove(at);
                }
            }
        }
    }

    fn figure_widths(&self) -> Vec<usize> {
        let widest = |at: usize| {
            let cells = self.rows.iter().map(|(_, cells)| width(&cells[at].text));
            cells.chain([width(self.head[at])]).max().unwrap_or(0)
        };
        (0..self.head.len()).map(widest).collect()
    }
}

/// Adds a text at the right end of so many columns.
pub(crate) fn push_right(line: &mut String, text: &str, columns: usize) {
    line.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(text))));
    line.push_str(text);
}

/// The text in so many columns, at their left.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut padded = text.to_owned();
    padded.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(text))));
    padded
}

/// One row of figures, each under its head; where they do not fit side by side they go on in further pairs of lines.
pub(crate) fn figures(items: &[(&str, Cell)], columns: usize, style: Style) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let (mut head, mut row, mut used) = (String::new(), String::new(), 0);
    for (name, cell) in items {
        let w = width(name).max(width(&cell.text));
        if used > 0 && used + GAP + w > columns {
            lines.push(style.paint(Paint::Quiet, &head));
            lines.push(std::mem::take(&mut row));
            head.clear();
            used = 0;
        }
        let gap = if used == 0 { 0 } else { GAP };
        push_right(&mut head, name, w + gap);
        row.extend(std::iter::repeat_n(' ', gap + w - width(&cell.text)));
        row.push_str(&style.paint(cell.paint, &cell.text));
        used += gap + w;
    }
    lines.push(style.paint(Paint::Quiet, &head));
    lines.push(row);
    lines
}
