//! Why data cannot be handed out, and what to do about it.

use super::MAX_ROW_BYTES;

/// What is wrong with a column's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// There is none.
    Missing,
    /// Another column has it.
    Twice,
}

/// Why a file of data cannot be used. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what it and its fields mean"
)]
pub enum RowsError {
    #[error("a file of data ends in .csv, .jsonl or .ndjson")]
    UnknownKind,
    #[error("the file cannot be read: {0}")]
    Io(String),
    #[error("the file was changed while it was read")]
    Changed,
    #[error("the file is empty")]
    Empty,
    #[error("the file has a header but no rows")]
    OnlyHeader,
    #[error("line {line}: column {place} has no name")]
    NamelessColumn { line: u64, place: usize },
    #[error("line {line}: more than one column `{name}`")]
    TwoColumns { line: u64, name: String },
    #[error("line {line}: {cells} cells where the header has {columns}")]
    Ragged { line: u64, cells: usize, columns: usize },
    #[error("line {line}: a quoted cell is never closed")]
    OpenQuote { line: u64 },
    #[error("line {line}: the row is longer than {} bytes", MAX_ROW_BYTES)]
    TooLong { line: u64 },
    #[error("line {line}: not UTF-8")]
    NotUtf8 { line: u64 },
    #[error("line {line}: {why}")]
    NoObject { line: u64, why: String },
    #[error("line {line}: the name `{name}` stands twice")]
    TwoNames { line: u64, name: String },
}

impl RowsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnknownKind => {
                "name a CSV file with a header, or JSON Lines with one object per line; a Python iterable is written module.name or file.py:name"
            }
            Self::Io(_) => return None,
            Self::Changed => "start the run when nothing writes to the file any more",
            Self::Empty | Self::OnlyHeader => {
                "the first line of a CSV file names the columns, each further line is one row"
            }
            Self::NamelessColumn { .. } => "the first line of a CSV file names the columns: give each a name",
            Self::TwoColumns { .. } => "give each column a name of its own",
            Self::Ragged { .. } => {
                "every line needs as many cells as the header; quote a cell that has a comma"
            }
            Self::OpenQuote { .. } => {
                "end the cell with `\"`; a quote inside of a quoted cell is written `\"\"`"
            }
            Self::TooLong { .. } => "is there a `\"` that is never closed, or are there no line breaks?",
            Self::NotUtf8 { .. } => "save the file as UTF-8",
            Self::NoObject { .. } => {
                "each line of JSON Lines is one object, such as {\"user\": \"ann\", \"age\": 7}"
            }
            Self::TwoNames { .. } => "give each name of an object once",
        })
    }
}
