//! The rows of a recording, packed: a million of them cost what their text does and 8 bytes each.

use super::ColumnType;
use super::columns::Kwarg;

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// The text of an untyped column.
    Str(&'a str),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// An empty cell of a typed column.
    None,
}

/// The cells of all rows, one after the other: a string has its length before it, another cell one byte that says whether
/// eight bytes of value follow, or which truth value it is.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) kwargs: Vec<String>,
    types: Vec<ColumnType>,
    packed: Vec<u8>,
    /// Where each row starts; empty where there are no keyword arguments.
    offsets: Vec<u64>,
}

impl Rows {
    const NONE: u8 = 0;
    const FALSE: u8 = 1;
    const TRUE: u8 = 2;
    const VALUE: u8 = 3;
    /// In place of a length that one byte cannot hold; eight bytes of it follow.
    const LONG: u8 = u8::MAX;

    pub(super) fn new(kwargs: &[Kwarg]) -> Self {
        Self {
            kwargs: kwargs.iter().map(|kwarg| kwarg.name.clone()).collect(),
            types: kwargs.iter().map(|kwarg| kwarg.column_type).collect(),
            packed: Vec::new(),
            offsets: Vec::new(),
        }
    }

    pub(super) fn next_offset(&self) -> u64 {
        self.packed.len() as u64
    }

    pub(super) fn push(&mut self, cell: Cell<'_>) {
        match cell {
            Cell::Str(text) => {
                match u8::try_from(text.len()) {
                    Ok(length) if length < Self::LONG => self.packed.push(length),
                    _ => {
                        self.packed.push(Self::LONG);
                        self.packed.extend_from_slice(&(text.len() as u64).to_le_bytes());
                    }
                }
                self.packed.extend_from_slice(text.as_bytes());
            }
            Cell::Int(number) => self.push_value(number.to_le_bytes()),
            Cell::Float(number) => self.push_value(number.to_le_bytes()),
            Cell::Bool(false) => self.packed.push(Self::FALSE),
            Cell::Bool(true) => self.packed.push(Self::TRUE),
            Cell::None => self.packed.push(Self::NONE),
        }
    }

    fn push_value(&mut self, value: [u8; 8]) {
        self.packed.push(Self::VALUE);
        self.packed.extend_from_slice(&value);
    }

    pub(super) fn in_order(mut self, offsets: impl Iterator<Item = u64>) -> Self {
        if !self.kwargs.is_empty() {
            self.offsets = offsets.collect();
        }
        self.packed.shrink_to_fit();
        self
    }

    pub(super) fn row(&self, k: usize) -> impl Iterator<Item = (&str, Cell<'_>)> {
        let start = if self.kwargs.is_empty() {
            0
        } else {
            self.offsets[k]
        };
        let mut rest = &self.packed[usize::try_from(start).expect("a place in memory")..];
        self.kwargs
            .iter()
            .zip(&self.types)
            .map(move |(name, column_type)| (name.as_str(), take_cell(&mut rest, *column_type)))
    }
}

fn take_cell<'a>(rest: &mut &'a [u8], column_type: ColumnType) -> Cell<'a> {
    if column_type == ColumnType::Str {
        let length = match take(rest, 1)[0] {
            Rows::LONG => usize::try_from(u64::from_le_bytes(take_eight(rest))).expect("a length in memory"),
            length => usize::from(length),
        };
        return Cell::Str(str::from_utf8(take(rest, length)).expect("it was a string when it was packed"));
    }
    match take(rest, 1)[0] {
        Rows::VALUE => {
            let value = take_eight(rest);
            if column_type == ColumnType::Int {
                Cell::Int(i64::from_le_bytes(value))
            } else {
                Cell::Float(f64::from_le_bytes(value))
            }
        }
        Rows::TRUE => Cell::Bool(true),
        Rows::FALSE => Cell::Bool(false),
        _ => Cell::None,
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn take_eight(rest: &mut &[u8]) -> [u8; 8] {
    take(rest, 8).try_into().expect("eight bytes were taken")
}
