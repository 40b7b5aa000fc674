//! Data that iterations are fed with: which rows there are is read by the workers, which iteration gets which row is decided here alone, from
//! the iteration's number, so that workers agree without a word.

use serde::{Deserialize, Serialize};

/// Rows for the iterations of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Where they come from.
    pub source: DataSource,
    /// In which order they are handed out.
    pub order: RowOrder,
    /// What happens when all were handed out.
    pub reuse: Reuse,
    /// The seed of a random order.
    pub seed: u64,
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataSource {
    /// A CSV file (`.csv`) or JSON Lines (`.jsonl`, `.ndjson`). As the config has it until the command has found it; then absolute.
    File(String),
    /// A Python iterable, or a function that gives one: `module.name` or `file.py:name`.
    Iterable(String),
}

/// In which order rows are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowOrder {
    /// As they stand.
    Sequential,
    /// Each once in a random order; when all were handed out, in another one.
    Shuffle,
    /// Any row at any time, drawn anew for each iteration.
    Random,
}

/// What happens when every row was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reuse {
    /// The test ends: it plans as many iterations as there are rows.
    Once,
    /// The rows are handed out again.
    Cycle,
}
