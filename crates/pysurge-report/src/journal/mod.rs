//! `run.journal` in a run's folder: what is known of a run, kept so that a kill of the manager, or of the machine, costs no more than the
//! last second. `docs/design/results.md` says why and in which form.
//!
//! It is only ever appended to, and replaced in one step where it has grown; whoever writes it holds a lock on it, so that everybody can tell a
//! run that goes on from one that was killed. [`read`] is pure: it takes any bytes, never panics, and skips what is damaged.
//! At the clean end of a run the journal is removed: all of it stands in the other files.

mod hold;
mod read;
mod rebuild;
mod record;
mod write;

pub use hold::{Held, Kept, kept};
pub use read::{Journal, JournalError, read};
pub use rebuild::Rebuilt;
pub use record::JournalRow;
pub(crate) use write::JournalWriter;

/// The file in a run's folder.
pub const JOURNAL: &str = "run.journal";
