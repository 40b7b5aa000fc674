//! Why a file cannot be replayed, and what to do about it.

use super::ColumnType;
use super::time::{BadTime, TimeKind};
use crate::harmless::excerpt;

/// How much of a cell or a name an error shows, in characters.
const SHOWN_MAX: usize = 40;

/// Columns that a hint lists.
const LISTED_MAX: usize = 20;

/// Names that are longer are like no other: comparing takes time and memory of the product of the lengths.
const COMPARED_MAX: usize = 100;

/// How alike two names must be (1 is equal) for "did you mean"; two letters of five may differ.
const ALIKE: f64 = 0.6;

/// Why a file cannot be replayed. Lines count from 1, the header's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what it and its fields mean"
)]
pub enum ReplayError {
    #[error("the speed is zero")]
    ZeroSpeed,
    #[error("line {line}: not UTF-8")]
    NotUtf8 { line: u64 },
    #[error("line {line}: a quoted cell is never closed")]
    OpenQuote { line: u64 },
    #[error("the file is empty")]
    Empty,
    #[error("the file has a header but no rows")]
    NoRows,
    #[error("line 1: a header is needed, but `{cell}` is a time")]
    NoHeader { cell: String },
    #[error("line 1: no column `{column}`")]
    NoColumn {
        column: String,
        near: Option<String>,
        columns: Vec<String>,
    },
    #[error("line 1: more than one column `{column}`")]
    TwoColumns { column: String },
    #[error("column `{column}`: `{kwarg}` cannot name a keyword argument")]
    NotAName { column: String, kwarg: String },
    #[error("more than one column for the keyword argument `{kwarg}`")]
    TwoKwargs { kwarg: String },
    #[error("a type for the keyword argument `{kwarg}`, which no column gives")]
    NoKwarg { kwarg: String, near: Option<String> },
    #[error("more than one type for the keyword argument `{kwarg}`")]
    TwoTypes { kwarg: String },
    #[error("line {line}: {cells} cells where the header has {columns}")]
    Ragged { line: u64, cells: usize, columns: usize },
    #[error("line {line}, column `{column}`: `{cell}` {why}")]
    BadTime {
        line: u64,
        column: String,
        cell: String,
        why: BadTime,
    },
    #[error("line {line}, column `{column}`: `{cell}` is {}, but the first row has {}", kind.name(), first.name())]
    MixedTimes {
        line: u64,
        column: String,
        cell: String,
        kind: TimeKind,
        first: TimeKind,
    },
    #[error("line {line}, column `{column}`: `{cell}` is not {}", expected.name())]
    BadCell {
        line: u64,
        column: String,
        cell: String,
        expected: ColumnType,
    },
    #[error("at this speed the last arrival is more than 584 years after the start")]
    TooSlow,
    #[error("line {line}: more than {rows_max} rows")]
    TooManyRows { line: u64, rows_max: usize },
}

impl ReplayError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::ZeroSpeed => "1 replays as recorded, 2 twice as fast".into(),
            Self::NotUtf8 { .. } => "save the file as UTF-8".into(),
            Self::OpenQuote { .. } => "end the cell with `\"`; a quote inside of a quoted cell is written `\"\"`".into(),
            Self::Empty | Self::NoRows => "the first line names the columns, each further line is one arrival".into(),
            Self::NoHeader { .. } => "add a first line that names the columns, such as `time,path`".into(),
            Self::NoColumn { near: Some(near), .. } | Self::NoKwarg { near: Some(near), .. } => {
                format!("did you mean `{near}`?")
            }
            Self::NoColumn { columns, .. } => match &columns[..] {
                [only] if only.contains([';', '\t']) => "columns are separated by commas".into(),
                _ => format!("the columns are {}", quoted(columns)),
            },
            Self::NoKwarg { .. } => "types belong to the names under `columns:`, or to the header's".into(),
            Self::TwoColumns { .. } => "give each column a name of its own".into(),
            Self::NotAName { .. } => {
                "names are of letters, digits and `_`; `columns:` renames columns, and `columns: {}` takes none".into()
            }
            Self::TwoKwargs { .. } | Self::TwoTypes { .. } => "give each keyword argument once".into(),
            Self::Ragged { .. } => "every line needs as many cells as the header; quote a cell that has a comma".into(),
            Self::BadTime { why, .. } => why.hint().into(),
            Self::MixedTimes { .. } => {
                "use one kind of time: dates, numbers since 1970 (from 1000000000 s on), or numbers since the start"
                    .into()
            }
            Self::BadCell { expected, .. } => match expected {
                ColumnType::Str | ColumnType::Int | ColumnType::Float => {
                    "correct the cell, or leave the type out to get a string".into()
                }
                ColumnType::Bool => "use true, yes, 1, false, no or 0; an empty cell is None".into(),
            },
            Self::TooSlow => "use a higher speed".into(),
            Self::TooManyRows { .. } => "cut the file".into(),
        }
    }
}

fn quoted(names: &[String]) -> String {
    let listed: Vec<_> = names
        .iter()
        .take(LISTED_MAX)
        .map(|name| format!("`{}`", shown(name)))
        .collect();
    match names.len().checked_sub(LISTED_MAX) {
        Some(more @ 1..) => format!("{} and {more} more", listed.join(", ")),
        _ => listed.join(", "),
    }
}

/// The start of a cell or a name of the file.
pub(super) fn shown(cell: &str) -> String {
    excerpt(cell, SHOWN_MAX)
}

pub(super) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a String>) -> Option<String> {
    if name.len() > COMPARED_MAX {
        return None;
    }
    let name = name.to_lowercase();
    names
        .into_iter()
        .filter(|other| other.len() <= COMPARED_MAX)
        .map(|other| {
            (
                strsim::normalized_damerau_levenshtein(&name, &other.to_lowercase()),
                other,
            )
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, other)| other.clone())
}
