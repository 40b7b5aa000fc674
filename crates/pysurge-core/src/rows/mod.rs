//! Rows of data that iterations are fed with: which one an iteration gets, and how a file is taken apart into rows.
//!
//! Which row is a pure function of the iteration's number over all workers. So workers that never speak to each other hand out every row
//! once, and a run can be repeated. A file is read once from front to back: every row is checked, and where each few rows begin is kept;
//! afterwards a block of rows is found by its place alone. Nothing here opens a file: whoever owns it passes what it reads.

mod csv;
mod error;
mod index;
mod json;
mod order;

pub use error::{BadName, RowsError};
pub use index::{Block, Index, Kind};
pub use order::row_of;

use crate::value::Value;

/// The longest row, bytes: more is a file that is no table, or a quote that is never closed.
pub const MAX_ROW_BYTES: u64 = 1 << 20;

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    /// A cell of a CSV file, as it stands.
    Text(&'a str),
    /// What a line of JSON has.
    Value(&'a Value),
}

impl Field<'_> {
    /// The value by itself.
    pub fn to_value(self) -> Value {
        match self {
            Self::Text(text) => Value::Str(text.to_owned()),
            Self::Value(value) => value.clone(),
        }
    }
}
