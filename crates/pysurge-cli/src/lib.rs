//! The command line: flags become settings, settings a run, a run an exit code.
//!
//! Everything the command touches comes in through [`World`]: arguments, environment, working directory, streams, clock,
//! signals. So the whole command runs inside a test, and this crate never reads the process's own. It decides nothing
//! about a run: `pysurge-config` says what is planned, `pysurge-manager` runs it and `pysurge-report` shows it.
//!
//! Also here, because it serves the demo and the examples: [`target`], a small HTTP server with a known truth.

pub mod target;

mod args;
mod clock;
mod command;
mod control;
mod error;
mod keyboard;
mod style;
mod wait;
mod world;

pub use command::{LibraryOutcome, LibraryResult, LibraryRun, SeriesLine, run_library, series_of};
pub use command::{run, run_config};
pub use pysurge_manager::StopRequests;
pub use pysurge_report::Size;
pub use world::{Output, StopSignals, World};
