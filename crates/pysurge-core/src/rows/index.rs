//! Where the rows of a file are. One pass checks every row and keeps the place of each so many, so that later a few rows are read by their
//! place: memory is bounded whatever the file's length.

use super::error::{BadName, RowsError};
use super::{Field, MAX_ROW_BYTES, csv, json};
use crate::harmless::excerpt;
use crate::table::{BadRow, Table, line_at};
use std::cell::Cell;
use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

/// From one row whose place is kept to the next, at first: 500 kB of places for a million rows.
const FIRST_INTERVAL: u64 = 16;

/// Where there are more places than this (8 MB, 17 million rows), every other one is forgotten.
const MAX_PLACES: usize = 1 << 20;

/// How much is read at a time, bytes.
const BUFFER: usize = 256 * 1024;

/// Characters of a name that an error shows.
const SHOWN_CHARS: usize = 40;

/// Characters of why a line is no object; it may quote the line.
const SHOWN_WHY_CHARS: usize = 200;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a file of data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A header and rows of text.
    Csv,
    /// An object per line.
    JsonLines,
}

impl Kind {
    /// What a file is, by the end of its name.
    pub fn of(file: &str) -> Result<Self, RowsError> {
        let (_, extension) = file.rsplit_once('.').ok_or(RowsError::UnknownKind)?;
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            _ => Err(RowsError::UnknownKind),
        }
    }
}

/// A stretch of a file that holds whole rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its first row.
    pub first: u64,
    /// How many it has.
    pub rows: u64,
    /// Where it begins, bytes from the file's beginning.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
}

/// Where the rows of a checked file are.
#[derive(Debug)]
pub struct Index {
    kind: Kind,
    columns: Vec<String>,
    /// Where rows 0, `interval`, 2 `interval`, … begin.
    places: Vec<u64>,
    interval: u64,
    rows: u64,
    /// The file's length.
    length: u64,
}

impl Index {
    /// Reads and checks a file of this length; `open` begins at its beginning each time. What comes behind that length is not read.
    pub fn read<R: Read>(
        kind: Kind,
        length: u64,
        open: impl Fn() -> io::Result<R>,
    ) -> Result<Self, RowsError> {
        let mut index = Self {
            kind,
            columns: Vec::new(),
            places: Vec::new(),
            interval: FIRST_INTERVAL,
            rows: 0,
            length,
        };
        let read = open().map_err(Fault::from).and_then(|input| match kind {
            Kind::Csv => index.read_csv(input),
            Kind::JsonLines => index.read_lines(input.take(length)),
        });
        index.places.shrink_to_fit();
        match read {
            Ok(()) if index.rows > 0 => Ok(index),
            Ok(()) if kind == Kind::Csv => Err(RowsError::OnlyHeader),
            Ok(()) => Err(RowsError::Empty),
            Err(fault) => Err(fault.at_line(|place| open().map_or(1, |input| line_at(input, place)))),
        }
    }

    fn read_csv(&mut self, input: impl Read) -> Result<(), Fault> {
        let allowed = Rc::new(Cell::new(MAX_ROW_BYTES + BUFFER as u64));
        let guarded = Guarded {
            input,
            read: 0,
            allowed: Rc::clone(&allowed),
        };
        let at = |start, why| match why {
            BadRow::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => Fault::TooLong(start),
            why => Fault::Csv(start, why),
        };
        let mut table = Table::open(guarded, self.length).map_err(|why| at(0, why))?;
        let names = &table.header;
        let mut seen = HashSet::new();
        for (place, name) in names.iter().enumerate() {
            let why = if name.is_empty() {
                BadName::Missing
            } else if !seen.insert(name) {
                BadName::Twice
            } else {
                continue;
            };
            return Err(Fault::Name(why, place, name.clone()));
        }
        self.columns.clone_from(&table.header);
        loop {
            allowed.set(table.end() + MAX_ROW_BYTES + BUFFER as u64);
            match table.advance() {
                Ok(true) if table.end() - table.start > MAX_ROW_BYTES => {
                    return Err(Fault::TooLong(table.start));
                }
                Ok(true) => self.push(table.start),
                Ok(false) => return Ok(()),
                Err(why) => return Err(at(table.start, why)),
            }
        }
    }

    fn read_lines(&mut self, input: impl Read) -> Result<(), Fault> {
        let mut input = BufReader::with_capacity(BUFFER, input);
        let (mut line, mut start) = (Vec::new(), 0);
        loop {
            line.clear();
            let length = (&mut input)
                .take(MAX_ROW_BYTES + 1)
                .read_until(b'\n', &mut line)?;
            if length == 0 {
                return Ok(());
            }
            if length as u64 > MAX_ROW_BYTES {
                return Err(Fault::TooLong(start));
            }
            let text = without_bom(&line, start);
            if !text.trim_ascii().is_empty() {
                let row = json::parse(text).map_err(|why| Fault::Json(start, why))?;
                if let Some(name) = json::repeated(&row) {
                    return Err(Fault::TwoNames(start, name.to_owned()));
                }
                self.push(start);
            }
            start += length as u64;
        }
    }

    fn push(&mut self, start: u64) {
        if self.rows.is_multiple_of(self.interval) && self.places.len() == MAX_PLACES {
            let mut keep = false;
            self.places.retain(|_| {
                keep = !keep;
                keep
            });
            self.interval *= 2;
        }
        if self.rows.is_multiple_of(self.interval) {
            self.places.push(start);
        }
        self.rows += 1;
    }

    /// How many rows there are: at least one.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The names of a CSV file's columns; `None` where each row has names of its own.
    pub fn columns(&self) -> Option<&[String]> {
        (self.kind == Kind::Csv).then_some(&self.columns)
    }

    /// All rows.
    pub fn whole(&self) -> Block {
        Block {
            first: 0,
            rows: self.rows,
            from: self.places[0],
            to: self.length,
        }
    }

    /// A stretch that has a row, and as many rows behind it as fit into so many bytes.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn block(&self, row: u64, bytes: u64) -> Block {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        let begin = usize::try_from(row / self.interval).expect("a place in memory");
        let from = self.places[begin];
        let fits = |place: &&u64| **place - from <= bytes;
        let end = begin + 1 + self.places[begin + 1..].iter().take_while(fits).count();
        let end = end.saturating_sub(1).max(begin + 1);
        let first = begin as u64 * self.interval;
        Block {
            first,
            rows: (end as u64 * self.interval).min(self.rows) - first,
            from,
            to: self.places.get(end).copied().unwrap_or(self.length),
        }
    }

    /// Where each row of a block begins within its bytes, and where the last one ends; `None` where they are not those that were checked.
    pub fn split(&self, block: &Block, bytes: &[u8]) -> Option<Vec<u32>> {
        let mut ends = Vec::with_capacity(usize::try_from(block.rows).ok()? + 1);
        let mut at = 0;
        for _ in 0..block.rows {
            ends.push(u32::try_from(at).ok()?);
            at += self.row_in(&bytes[at..])?;
        }
        ends.push(u32::try_from(at).ok()?);
        Some(ends)
    }

    /// The length of the row that begins here, with what stands before it; `None` where there is none.
    fn row_in(&self, bytes: &[u8]) -> Option<usize> {
        if self.kind == Kind::Csv {
            return (csv::skip_breaks(bytes) < bytes.len()).then(|| csv::end_of_row(bytes));
        }
        let blank = bytes.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let rest = bytes[blank..].iter().position(|byte| *byte == b'\n');
        Some(rest.map_or(bytes.len(), |length| blank + length + 1))
    }

    /// Hands over the fields of a row in their order, with their places and names; false where it is not what was checked.
    pub fn each_field<E>(
        &self,
        row: &[u8],
        mut put: impl FnMut(usize, &str, Field<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        if self.kind == Kind::Csv {
            let (mut cells, columns) = (0, self.columns.len());
            let sound = csv::each_cell(row, |place, text| {
                cells = place + 1;
                match self.columns.get(place) {
                    Some(name) => put(place, name, Field::Text(text)),
                    None => Ok(()),
                }
            })?;
            return Ok(sound && cells == columns);
        }
        let Ok(fields) = json::parse(row.strip_prefix(BOM).unwrap_or(row)) else {
            return Ok(false);
        };
        for (place, (name, value)) in fields.iter().enumerate() {
            put(place, name, Field::Value(value))?;
        }
        Ok(true)
    }
}

/// A byte order mark stands at a file's beginning and nowhere else.
fn without_bom(line: &[u8], start: u64) -> &[u8] {
    line.strip_prefix(BOM).filter(|_| start == 0).unwrap_or(line)
}

/// What is wrong, and at which place of the file the row begins.
enum Fault {
    Io(io::Error),
    Csv(u64, BadRow),
    Name(BadName, usize, String),
    Json(u64, String),
    TwoNames(u64, String),
    TooLong(u64),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Fault {
    fn at_line(self, line_at: impl Fn(u64) -> u64) -> RowsError {
        match self {
            Self::Io(error) | Self::Csv(_, BadRow::Io(error)) => RowsError::Io(error.to_string()),
            Self::Csv(_, BadRow::Empty) => RowsError::Empty,
            Self::Csv(start, BadRow::Ragged { cells, columns }) => RowsError::Ragged {
                line: line_at(start),
                cells,
                columns,
            },
            Self::Csv(start, BadRow::OpenQuote) => RowsError::OpenQuote { line: line_at(start) },
            Self::Csv(start, BadRow::NotUtf8) => RowsError::NotUtf8 { line: line_at(start) },
            Self::Name(BadName::Missing, place, _) => RowsError::NamelessColumn {
                line: line_at(0),
                place: place + 1,
            },
            Self::Name(BadName::Twice, _, name) => RowsError::TwoColumns {
                line: line_at(0),
                name: excerpt(&name, SHOWN_CHARS),
            },
            Self::Json(start, why) => RowsError::NoObject {
                line: line_at(start),
                why: excerpt(&why, SHOWN_WHY_CHARS),
            },
            Self::TwoNames(start, name) => RowsError::TwoNames {
                line: line_at(start),
                name: excerpt(&name, SHOWN_CHARS),
            },
            Self::TooLong(start) => RowsError::TooLong { line: line_at(start) },
        }
    }
}

/// Reads no further than a row may be long: the CSV reader would take a file into memory whose quote is never closed.
struct Guarded<R> {
    input: R,
    read: u64,
    allowed: Rc<Cell<u64>>,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read > self.allowed.get() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.input.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    fn index(kind: Kind, bytes: &[u8]) -> Result<Index, RowsError> {
        Index::read(kind, bytes.len() as u64, || Ok(bytes))
    }

    fn fields(index: &Index, row: &[u8]) -> Vec<(String, Value)> {
        let mut fields = Vec::new();
        let put = |place, name: &str, field: Field<'_>| {
            assert_eq!(place, fields.len());
            fields.push((name.to_owned(), field.to_value()));
            Ok::<_, ()>(())
        };
        assert_eq!(index.each_field(row, put), Ok(true));
        fields
    }

    /// Every row, read by blocks that hold at least one row and at most so many bytes.
    fn all(index: &Index, bytes: &[u8], block_bytes: u64) -> Vec<Vec<(String, Value)>> {
        let place = |at: u64| usize::try_from(at).unwrap();
        let row = |number| {
            let block = index.block(number, block_bytes);
            assert!((block.first..block.first + block.rows).contains(&number));
            let bytes = &bytes[place(block.from)..place(block.to)];
            let ends = index.split(&block, bytes).unwrap();
            let at = place(number - block.first);
            fields(index, &bytes[ends[at] as usize..ends[at + 1] as usize])
        };
        (0..index.rows()).map(row).collect()
    }

    fn text(name: &str, value: &str) -> (String, Value) {
        (name.to_owned(), Value::Str(value.to_owned()))
    }

    #[test]
    fn rows_of_csv_have_the_headers_names() {
        let bytes = "\u{feff}user, e mail\r\nann,\"a,\r\n\"\"b\"\"\"\r\n\r\n ü ,\r\n".as_bytes();
        let index = index(Kind::Csv, bytes).unwrap();
        assert_eq!(index.columns().unwrap(), ["user", "e mail"]);
        assert_eq!(
            all(&index, bytes, 0),
            [
                vec![text("user", "ann"), text("e mail", "a,\r\n\"b\"")],
                vec![text("user", " ü "), text("e mail", "")],
            ]
        );
    }

    #[test]
    fn rows_of_json_lines_have_names_of_their_own() {
        let bytes = "\u{feff}{\"a\": 1}\r\n\n  \n{\"b\": \"x\\ny\"}".as_bytes();
        let index = index(Kind::JsonLines, bytes).unwrap();
        assert_eq!((index.columns(), index.rows()), (None, 2));
        assert_eq!(
            all(&index, bytes, 0),
            [vec![("a".to_owned(), Value::Int(1))], vec![text("b", "x\ny")]]
        );
    }

    #[test]
    fn files_that_are_wrong_are_told_with_the_line() {
        let long = format!("a\n\"{}\n", "x\n".repeat(1 << 20));
        let long_line = format!("{{\"a\": 1}}\n{}", " ".repeat(2 << 20));
        for (kind, bytes, what) in [
            (Kind::Csv, &b""[..], "the file is empty"),
            (Kind::Csv, b"\n\n", "the file is empty"),
            (Kind::Csv, b"a,b\n\n", "the file has a header but no rows"),
            (Kind::Csv, b"\na,\n1,2\n", "line 2: column 2 has no name"),
            (Kind::Csv, b"a, a \n1,2\n", "line 1: more than one column `a`"),
            (
                Kind::Csv,
                b"a,b\n1,2\n\n1\n",
                "line 4: 1 cells where the header has 2",
            ),
            (
                Kind::Csv,
                b"a\n1\n\"2\n3\n",
                "line 3: a quoted cell is never closed",
            ),
            (Kind::Csv, b"a\r\nx\r\n\xff\r\n", "line 3: not UTF-8"),
            (
                Kind::Csv,
                long.as_bytes(),
                "line 2: the row is longer than 1048576 bytes",
            ),
            (Kind::JsonLines, b"", "the file is empty"),
            (Kind::JsonLines, b"\n \n", "the file is empty"),
            (Kind::JsonLines, b"{\"a\": 1}\n\n[]\n", "line 3: no JSON object"),
            (
                Kind::JsonLines,
                b"{\"a\": 1, \"a\": 2}\n",
                "line 1: the name `a` stands twice",
            ),
            (
                Kind::JsonLines,
                b"{}\n{\"\xff\": 2}",
                "line 2: no JSON object: invalid unicode code point (column 3)",
            ),
            (
                Kind::JsonLines,
                long_line.as_bytes(),
                "line 2: the row is longer than 1048576 bytes",
            ),
        ] {
            let error = index(kind, bytes).unwrap_err();
            assert_eq!(error.to_string(), what);
            assert!(error.hint().is_some(), "{what}");
        }
    }

    #[test]
    fn files_are_known_by_their_names() {
        for (name, kind) in [
            ("/a.b/c.CSV", Ok(Kind::Csv)),
            ("a.jsonl", Ok(Kind::JsonLines)),
            ("a.csv.ndjson", Ok(Kind::JsonLines)),
            ("a.json", Err(RowsError::UnknownKind)),
            ("csv", Err(RowsError::UnknownKind)),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn places_stay_few() {
        let mut index = index(Kind::Csv, b"a\n1\n").unwrap();
        (index.rows, index.places) = (0, Vec::new());
        let rows = MAX_PLACES as u64 * FIRST_INTERVAL * 3;
        for row in 0..rows {
            index.push(row * 7);
        }
        index.length = rows * 7;
        assert!(index.places.len() <= MAX_PLACES);
        for row in [0, 1, 12_345_678, rows - 1] {
            let block = index.block(row, 0);
            assert!((block.first..block.first + block.rows).contains(&row));
            assert_eq!(block.rows, index.interval);
            assert_eq!(
                (block.from, block.to),
                (block.first * 7, (block.first + block.rows) * 7)
            );
        }
    }

    proptest! {
        #[test]
        fn every_row_is_found(
            cells in prop::collection::vec((r#"[a," \nü]{0,4}"#, 0_i64..9), 1..200),
            block_bytes in 0_u64..2_000,
            crlf: bool,
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let (mut table, mut lines) = (format!("a,b{end}"), String::new());
            for (cell, number) in &cells {
                write!(table, "\"{}\",{number}{end}", cell.replace('"', "\"\"")).unwrap();
                let blank = if *number == 0 { end } else { "" };
                write!(lines, "{{\"a\":{},\"b\":{number}}}{end}{blank}", serde_json::to_string(cell).unwrap()).unwrap();
            }
            let of_table = index(Kind::Csv, table.as_bytes()).unwrap();
            let expected: Vec<_> = cells.iter().map(|(cell, number)| vec![text("a", cell), text("b", &number.to_string())]).collect();
            prop_assert_eq!(all(&of_table, table.as_bytes(), block_bytes), expected);
            let of_lines = index(Kind::JsonLines, lines.as_bytes()).unwrap();
            let expected: Vec<_> = cells.iter().map(|(cell, number)| vec![text("a", cell), ("b".to_owned(), Value::Int(*number))]).collect();
            prop_assert_eq!(all(&of_lines, lines.as_bytes(), block_bytes), expected);
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
            for kind in [Kind::Csv, Kind::JsonLines] {
                if let Ok(index) = index(kind, &bytes) {
                    prop_assert_eq!(all(&index, &bytes, 10).len() as u64, index.rows());
                }
            }
        }
    }
}
