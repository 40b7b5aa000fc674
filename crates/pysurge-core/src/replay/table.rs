//! A CSV file of recorded arrivals, and what an error needs to say where it is.

use super::ColumnType;
use super::columns::Kwarg;
use super::error::{ReplayError, shown};
use super::rows::Cell;
use super::time::{TimeKind, TimeUnit, parse_time};
use crate::table::{self, BadRow, line_at};

/// A CSV file, read row by row.
pub(super) struct Table<'a> {
    text: &'a str,
    rows: table::Table<&'a [u8]>,
}

impl<'a> Table<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ReplayError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = str::from_utf8(bytes).map_err(|error| ReplayError::NotUtf8 {
            line: line_at(bytes, error.valid_up_to() as u64),
        })?;
        let rows =
            table::Table::open(bytes, bytes.len() as u64).map_err(|why| replay_error(&why, text, 0))?;
        Ok(Self { text, rows })
    }

    pub(super) fn header(&self) -> &[String] {
        &self.rows.header
    }

    /// Reads the next row, which has as many cells as the header; false after the last one.
    pub(super) fn advance(&mut self) -> Result<bool, ReplayError> {
        let more = self.rows.advance();
        more.map_err(|why| replay_error(&why, self.text, self.rows.start))
    }

    /// The line at which the last row read starts.
    pub(super) fn line(&self) -> u64 {
        line_at(self.text.as_bytes(), self.rows.start)
    }

    pub(super) fn time(
        &self,
        column: usize,
        unit: TimeUnit,
        first: &mut Option<TimeKind>,
    ) -> Result<u64, ReplayError> {
        let cell = &self.rows.record[column];
        let place = || (self.line(), shown(&self.rows.header[column]), shown(cell));
        let (kind, recorded_ns) = parse_time(cell, unit).map_err(|why| {
            let (line, column, cell) = place();
            ReplayError::BadTime {
                line,
                column,
                cell,
                why,
            }
        })?;
        let first = *first.get_or_insert(kind);
        if kind != first {
            let (line, column, cell) = place();
            return Err(ReplayError::MixedTimes {
                line,
                column,
                cell,
                kind,
                first,
            });
        }
        Ok(recorded_ns)
    }

    pub(super) fn cell(&self, kwarg: &Kwarg) -> Result<Cell<'_>, ReplayError> {
        let cell = &self.rows.record[kwarg.column];
        parse_cell(cell, kwarg.column_type).ok_or_else(|| ReplayError::BadCell {
            line: self.line(),
            column: shown(&self.rows.header[kwarg.column]),
            cell: shown(cell),
            expected: kwarg.column_type,
        })
    }
}

fn replay_error(why: &BadRow, text: &str, start: u64) -> ReplayError {
    let line = || line_at(text.as_bytes(), start);
    match why {
        BadRow::Empty => ReplayError::Empty,
        BadRow::Ragged { cells, columns } => ReplayError::Ragged {
            line: line(),
            cells: *cells,
            columns: *columns,
        },
        BadRow::OpenQuote => ReplayError::OpenQuote { line: line() },
        BadRow::NotUtf8 | BadRow::Io(_) => unreachable!("it was read and found to be UTF-8 before"),
    }
}

fn parse_cell(cell: &str, column_type: ColumnType) -> Option<Cell<'_>> {
    let word = cell.trim();
    match column_type {
        ColumnType::Str => Some(Cell::Str(cell)),
        _ if word.is_empty() => Some(Cell::None),
        ColumnType::Int => word.parse().ok().map(Cell::Int),
        ColumnType::Float => word
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .map(Cell::Float),
        ColumnType::Bool => {
            let is_one_of = |words: [&str; 3]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
            match (is_one_of(["true", "yes", "1"]), is_one_of(["false", "no", "0"])) {
                (true, _) => Some(Cell::Bool(true)),
                (_, true) => Some(Cell::Bool(false)),
                _ => None,
            }
        }
    }
}
