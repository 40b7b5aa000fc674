//! What must hold of whatever bytes come in from outside: nothing panics, errors are words of bounded length that steer no terminal, and what is
//! accepted means the same when it is written down and read again. Each check takes any bytes and panics where it does not hold.
//!
//! The fuzz targets in `fuzz/` call these with bytes that a fuzzer invents (`make fuzz`); `tests/corpus.rs` replays what they have found and
//! what somebody thought of, in every run of the tests. Nothing here repairs or filters what it is given, and nothing here reads a file.

mod config;
mod frame;
mod journal;
mod quantity;
mod rows;
mod threshold;

pub use config::config;
pub use frame::frame;
pub use journal::journal;
pub use quantity::quantity;
pub use rows::{recording, rows};
pub use threshold::threshold;

/// A check and the name of its target and of its folder in the corpus.
pub type Check = (&'static str, fn(&[u8]));

/// All checks.
pub const CHECKS: [Check; 7] = [
    ("config", config),
    ("frame", frame),
    ("journal", journal),
    ("quantity", quantity),
    ("recording", recording),
    ("rows", rows),
    ("threshold", threshold),
];

/// What goes to a terminal: words, and nothing that steers it or turns the text around.
fn expect_harmless(shown: &str) {
    assert!(!shown.trim().is_empty(), "an error says something");
    let is_harmful = |c: &char| pysurge_core::harmless::is_harmful(*c) && !matches!(c, '\n' | '\t');
    assert_eq!(
        shown.chars().find(is_harmful),
        None,
        "it reaches the terminal: {shown:?}"
    );
}
