//! A terminal, as far as a block of lines needs one: what a person would see of what was written. It knows a handful of sequences and
//! fails at any other, so that a test sees what we send.

#![allow(dead_code, reason = "every test file uses some of it")]

use std::collections::VecDeque;

/// What happens to lines when the window gets narrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Narrowing {
    /// They are wrapped, and joined again when it gets wider: VTE, kitty, tmux, iTerm2, Windows Terminal.
    Wraps,
    /// They are cut: xterm, the Linux console.
    Cuts,
}

/// One row, and whether the next one goes on with it.
#[derive(Debug, Clone, Default)]
struct Row {
    cells: Vec<char>,
    goes_on: bool,
}

#[derive(Debug)]
pub(crate) struct Screen {
    columns: usize,
    height: usize,
    narrowing: Narrowing,
    /// What has scrolled off, then what is seen.
    rows: VecDeque<Row>,
    /// Rows that have scrolled off.
    scrolled: usize,
    /// The cursor, counted from the first row that is seen.
    row: usize,
    column: usize,
    wraps: bool,
    in_frame: bool,
    /// A line was longer than there is room, while lines were cut.
    pub(crate) was_cut: bool,
}

impl Screen {
    pub(crate) fn new(columns: usize, height: usize, narrowing: Narrowing) -> Self {
        Self {
            columns,
            height,
            narrowing,
            rows: vec![Row::default(); height].into(),
            scrolled: 0,
            row: 0,
            column: 0,
            wraps: true,
            in_frame: false,
            was_cut: false,
        }
    }

    /// Everything that was ever shown and not erased, without empty lines at the end.
    pub(crate) fn all(&self) -> String {
        self.text(0)
    }

    /// What is seen.
    pub(crate) fn seen(&self) -> String {
        self.text(self.scrolled)
    }

    /// Whether a program that comes next finds the terminal as it was: at the beginning of a line, wrapping.
    pub(crate) fn is_sane(&self) -> bool {
        self.wraps && !self.in_frame && self.column == 0
    }

    /// The row of the cursor among those seen.
    pub(crate) fn cursor(&self) -> (usize, usize) {
        (self.row, self.column)
    }

    fn text(&self, from: usize) -> String {
        let mut text = String::new();
        for row in self.rows.iter().skip(from) {
            let line: String = row.cells.iter().filter(|c| **c != WIDE).collect();
            if row.goes_on {
                text.push_str(&line);
            } else {
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text.truncate(text.trim_end_matches('\n').len());
        text
    }

    pub(crate) fn write(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => {
                    // The system turns a line end of a program into both.
                    self.column = 0;
                    self.down();
                }
                '\x1b' => {
                    assert_eq!(chars.next(), Some('['), "unknown sequence in {text:?}");
                    let parameters: String = chars
                        .as_str()
                        .chars()
                        .take_while(|c| !c.is_ascii_alphabetic())
                        .collect();
                    let mut behind = chars.as_str()[parameters.len()..].chars();
                    let end = behind.next().expect("a sequence is written in one piece");
                    chars = behind;
                    self.obey(&parameters, end);
                }
                c => {
                    assert!(!c.is_control(), "{c:?} in {text:?}");
                    self.put(c);
                }
            }
        }
    }

    fn obey(&mut self, parameters: &str, end: char) {
        let at = self.scrolled + self.row;
        match (parameters, end) {
            (_, 'm') => {}
            ("?7", 'l' | 'h') => self.wraps = end == 'h',
            ("?2026", 'l' | 'h') => self.in_frame = end == 'h',
            ("", 'K') => self.rows[at].cells.truncate(self.column),
            ("", 'J') => {
                self.rows[at].cells.truncate(self.column);
                self.rows[at].goes_on = false;
                for row in self.rows.iter_mut().skip(at + 1) {
                    *row = Row::default();
                }
            }
            (up, 'A') => {
                let up: usize = up.parse().expect("so many rows up");
                self.row = self.row.checked_sub(up).expect("so many rows there are");
            }
            other => panic!("unknown sequence {other:?}"),
        }
    }

    fn down(&mut self) {
        if self.row + 1 < self.height {
            self.row += 1;
        } else {
            self.rows.push_back(Row::default());
            self.scrolled += 1;
        }
    }

    fn put(&mut self, c: char) {
        let width = width(c);
        if width == 0 {
            return;
        }
        if self.column + width > self.columns {
            if self.wraps {
                let at = self.scrolled + self.row;
                self.rows[at].goes_on = true;
                self.column = 0;
                self.down();
            } else {
                self.was_cut = true;
                self.column = self.columns - width;
            }
        }
        let at = self.scrolled + self.row;
        let cells = &mut self.rows[at].cells;
        while cells.len() < self.column + width {
            cells.push(' ');
        }
        cells[self.column] = c;
        if width == 2 {
            cells[self.column + 1] = WIDE;
        }
        self.column += width;
    }

    /// The window gets another size.
    pub(crate) fn resize(&mut self, columns: usize, height: usize) {
        let cursor = self.scrolled + self.row;
        if self.narrowing == Narrowing::Cuts {
            for row in &mut self.rows {
                row.cells.truncate(columns);
            }
            self.settle(cursor, columns, height);
            return;
        }
        let mut wrapped: VecDeque<Row> = VecDeque::new();
        let (mut line, mut first): (Vec<char>, usize) = (Vec::new(), 0);
        let mut new_cursor = 0;
        for (at, row) in self.rows.iter().enumerate() {
            let before = line.len();
            line.extend(&row.cells);
            if at == cursor {
                // The cursor stays with what it stands on.
                new_cursor = first + (before + self.column) / columns;
            }
            if row.goes_on {
                continue;
            }
            while line.last() == Some(&' ') {
                line.pop();
            }
            let pieces = line.chunks(columns).count().max(1);
            for n in 0..pieces {
                let end = ((n + 1) * columns).min(line.len());
                wrapped.push_back(Row {
                    cells: line[n * columns..end].to_vec(),
                    goes_on: n + 1 < pieces,
                });
            }
            first += pieces;
            line.clear();
        }
        self.rows = wrapped;
        self.settle(new_cursor, columns, height);
    }

    /// Keeps the cursor in sight, and as much as there is room for.
    fn settle(&mut self, cursor: usize, columns: usize, height: usize) {
        // Rows below the cursor that hold nothing go first.
        while self.rows.len() > cursor + 1
            && self.rows.len() > height
            && self.rows.back().is_some_and(|row| row.cells.is_empty())
        {
            self.rows.pop_back();
        }
        self.scrolled = self.rows.len().saturating_sub(height).min(cursor);
        // Rows for which there is no room below the cursor are lost.
        self.rows.truncate(self.scrolled + height);
        while self.rows.len() < self.scrolled + height {
            self.rows.push_back(Row::default());
        }
        self.row = cursor - self.scrolled;
        (self.columns, self.height) = (columns, height);
        self.column = self.column.min(columns - 1);
    }
}

/// Stands behind a wide character.
const WIDE: char = '\0';

fn width(c: char) -> usize {
    match c {
        '\u{0300}'..='\u{036f}' | '\u{200b}'..='\u{200d}' | '\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f900}'..='\u{1f9ff}' => 2,
        _ => 1,
    }
}
