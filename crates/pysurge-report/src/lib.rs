//! Sinks of a run's events: terminal, log lines, the run's folder.
//!
//! The manager emits [`pysurge_core::event::RunEvent`]s into a [`Fanout`], which gives each sink a queue and a thread
//! of its own. A sink formats what core has computed; it never computes a figure, never reaches back into the run, and
//! never reads a clock or the environment: writers, width, colour and wall clock come in from outside.
//!
//! Report and data go to standard output; progress, notices and diagnostics to standard error.

mod changes;
pub mod classic;
mod clock;
mod failures;
mod fanout;
mod folder;
mod grid;
mod line;
mod live;
mod opening;
pub mod plan;
mod progress;
mod rehearsal;
pub mod report;
mod schema;
mod style;
mod terminal;
mod text;

pub use clock::LocalClock;
pub use fanout::{Fanout, Sink, SinkEnd};
pub use folder::{ReportError, RunFolder};
pub use plan::{plan_json, plan_svg, plan_text};
pub use schema::summary_schema;
pub use style::Style;
pub use terminal::{Terminal, TerminalOptions};
