//! A CSV file row by row, and what an error needs to say where it is.
//!
//! It must never lose rows in silence: a quote that is never closed swallows the rest of the file, so a mark behind the
//! file shows whether its end was reached.

use super::ColumnType;
use super::columns::Kwarg;
use super::error::{ReplayError, shown};
use super::rows::Cell;
use super::time::{TimeKind, TimeUnit, parse_time};
use std::io::{Chain, Read};

/// Stands behind the file as a row of its own. Where it does not come out as one, a quote has swallowed it; the CSV
/// reader itself takes the end of the file for the end of the quote.
const END: &str = "\n\0end\n";

/// A CSV file, read row by row.
pub(super) struct Table<'a> {
    text: &'a str,
    reader: csv::Reader<Chain<&'a [u8], &'static [u8]>>,
    pub(super) header: Vec<String>,
    record: csv::StringRecord,
    /// Where the last row read starts, or the end of the row before it.
    start: usize,
}

impl<'a> Table<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ReplayError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = str::from_utf8(bytes).map_err(|error| ReplayError::NotUtf8 {
            line: line_at(bytes, error.valid_up_to()),
        })?;
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(bytes.chain(END.as_bytes()));
        let mut table = Self {
            text,
            reader,
            header: Vec::new(),
            record: csv::StringRecord::new(),
            start: 0,
        };
        if !table.read()? {
            return Err(ReplayError::Empty);
        }
        table.header = table.record.iter().map(|name| name.trim().to_owned()).collect();
        Ok(table)
    }

    /// Reads the next row, which has as many cells as the header; false after the last one.
    pub(super) fn advance(&mut self) -> Result<bool, ReplayError> {
        let more = self.read()?;
        if more && self.record.len() != self.header.len() {
            return Err(ReplayError::Ragged {
                line: self.line(),
                cells: self.record.len(),
                columns: self.header.len(),
            });
        }
        Ok(more)
    }

    fn read(&mut self) -> Result<bool, ReplayError> {
        self.start = self.end();
        let more = self
            .reader
            .read_record(&mut self.record)
            .expect("memory does not fail, rows may be ragged, and parts of UTF-8 at commas are UTF-8");
        if self.end() <= self.text.len() + 1 && more {
            return Ok(true);
        }
        if self.record.len() == 1 && self.record.get(0) == Some(END.trim()) {
            return Ok(false);
        }
        Err(ReplayError::OpenQuote { line: self.line() })
    }

    fn end(&self) -> usize {
        usize::try_from(self.reader.position().byte()).expect("a place in memory")
    }

    /// The line at which the last row read starts.
    pub(super) fn line(&self) -> u64 {
        // Counted here, so that blank lines, "\r\n" and line breaks in quotes are told as an editor numbers them.
        let rest = self.text.get(self.start..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
        line_at(self.text.as_bytes(), self.start + blank)
    }

    pub(super) fn time(
        &self,
        column: usize,
        unit: TimeUnit,
        first: &mut Option<TimeKind>,
    ) -> Result<u64, ReplayError> {
        let cell = &self.record[column];
        let place = || (self.line(), self.header[column].clone(), shown(cell));
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
        let cell = &self.record[kwarg.column];
        parse_cell(cell, kwarg.column_type).ok_or_else(|| ReplayError::BadCell {
            line: self.line(),
            column: self.header[kwarg.column].clone(),
            cell: shown(cell),
            expected: kwarg.column_type,
        })
    }
}

fn line_at(bytes: &[u8], place: usize) -> u64 {
    let before = &bytes[..place];
    let newlines = before.split(|byte| *byte == b'\n').count() - 1;
    // Old files end lines by "\r" alone.
    let returns = before
        .windows(2)
        .filter(|pair| pair[0] == b'\r' && pair[1] != b'\n')
        .count();
    let last = before.last() == Some(&b'\r') && bytes.get(place) != Some(&b'\n');
    (1 + newlines + returns + usize::from(last)) as u64
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
