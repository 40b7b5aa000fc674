//! A CSV file row by row, and where each row is.
//!
//! It must never lose rows in silence: a quote that is never closed swallows the rest of the file, so a mark behind the
//! file shows whether its end was reached.

use std::io::{BufReader, Chain, Read, Take};

/// Stands behind the file as a row of its own. Where it does not come out as one, a quote has swallowed it; the CSV
/// reader itself takes the end of the file for the end of the quote.
const END: &str = "\n\0end\n";

/// How much is read at a time, bytes.
const BUFFER: usize = 64 * 1024;

/// Why a row cannot be read.
#[derive(Debug)]
pub(crate) enum BadRow {
    /// There is no row at all, and so no header.
    Empty,
    /// It has not as many cells as the header.
    Ragged {
        cells: usize,
        columns: usize,
    },
    /// A quoted cell is never closed.
    OpenQuote,
    NotUtf8,
    Io(std::io::Error),
}

/// The rows of a CSV file, the first of which is its header.
pub(crate) struct Table<R> {
    reader: csv::Reader<Chain<Take<R>, &'static [u8]>>,
    length: u64,
    pub(crate) header: Vec<String>,
    pub(crate) record: csv::StringRecord,
    /// Where the last row read starts, or the end of the row before it.
    pub(crate) start: u64,
}

impl<R: Read> Table<R> {
    /// A file of so many bytes, in which a byte order mark may stand first; its header is read.
    pub(crate) fn open(input: R, length: u64) -> Result<Self, BadRow> {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BUFFER)
            .from_reader(input.take(length).chain(END.as_bytes()));
        let mut table = Self {
            reader,
            length,
            header: Vec::new(),
            record: csv::StringRecord::new(),
            start: 0,
        };
        if !table.read()? {
            return Err(BadRow::Empty);
        }
        table.header = table.record.iter().map(|name| name.trim().to_owned()).collect();
        Ok(table)
    }

    /// Reads the next row, which has as many cells as the header; false after the last one.
    pub(crate) fn advance(&mut self) -> Result<bool, BadRow> {
        let more = self.read()?;
        if more && self.record.len() != self.header.len() {
            return Err(BadRow::Ragged {
                cells: self.record.len(),
                columns: self.header.len(),
            });
        }
        Ok(more)
    }

    fn read(&mut self) -> Result<bool, BadRow> {
        self.start = self.end();
        let more = self
            .reader
            .read_record(&mut self.record)
            .map_err(|error| match error.into_kind() {
                csv::ErrorKind::Io(error) => BadRow::Io(error),
                // Rows may be ragged, and nothing is sought or deserialized.
                _ => BadRow::NotUtf8,
            })?;
        if self.end() <= self.length + 1 && more {
            return Ok(true);
        }
        if self.record.len() == 1 && self.record.get(0) == Some(END.trim()) {
            return Ok(false);
        }
        Err(BadRow::OpenQuote)
    }

    /// Where the last row read ends.
    pub(crate) fn end(&self) -> u64 {
        self.reader.position().byte()
    }
}

/// The line, as an editor numbers them, of the first thing at or behind a place that is no line break.
pub(crate) fn line_at(input: impl Read, place: u64) -> u64 {
    let (mut line, mut before) = (1, 0);
    for (at, byte) in (0..).zip(BufReader::new(input).bytes().map_while(Result::ok)) {
        // Old files end lines by "\r" alone.
        line += u64::from(before == b'\r' && byte != b'\n');
        if at >= place && !matches!(byte, b'\r' | b'\n') {
            return line;
        }
        line += u64::from(byte == b'\n');
        before = byte;
    }
    line + u64::from(before == b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_as_an_editor_does() {
        for (text, place, line) in [
            ("", 0, 1),
            ("ab", 1, 1),
            ("a\nb", 2, 2),
            ("a\n\n\nb", 2, 4),
            ("a\r\nb\r\nc", 6, 3),
            ("a\rb\rc", 4, 3),
            ("a\r\r\nb", 1, 3),
            ("a\n", 9, 2),
            ("a\r", 9, 2),
        ] {
            assert_eq!(line_at(text.as_bytes(), place), line, "{text:?} from {place}");
        }
    }
}
