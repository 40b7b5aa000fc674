//! Sinks of a run's events: terminal, log lines, the run's folder, samples; and `JUnit` XML of its result.
//!
//! The manager emits [`pysurge_core::event::RunEvent`]s into a [`Fanout`], which gives each sink a queue and a thread
//! of its own. A sink formats what core has computed; it never computes a figure, never reaches back into the run, and
//! never reads a clock or the environment: writers, width, colour and wall clock come in from outside.
//!
//! Report and data go to standard output; progress, notices and diagnostics to standard error.

mod cell;
mod changes;
pub mod classic;
mod clock;
pub mod compare;
mod failures;
mod fanout;
pub mod find_max;
mod folder;
mod grid;
pub mod journal;
mod junit;
mod limiter;
mod line;
mod live;
mod log;
mod naming;
mod opening;
mod outfile;
mod page;
pub mod plan;
mod private;
mod rehearsal;
pub mod report;
mod samples;
mod schema;
mod style;
mod svg;
mod terminal;
mod text;
mod timeseries;

pub use clock::LocalClock;
pub use compare::{Glimpse, history_json, history_text};
pub use compare::{compare_json, compare_markdown, compare_schema, compare_text};
pub use fanout::{Fanout, Sink, SinkEnd};
pub use find_max::{FindMax, LevelRecord, LevelSink, SEARCH, Screen, ScreenOptions, Watched};
pub use find_max::{find_max_json, find_max_schema, find_max_svg, find_max_text};
pub use folder::{ReportError, RunFolder, SUMMARY, summary_json, write_report};
pub use junit::{JunitFile, junit, junit_not_fired};
pub use live::{Curtain, Measure, Size};
pub use naming::TestNames;
pub use page::{LivePage, NotTold, REPORT, Told};
pub use page::{compare_html, dashboard_html, find_max_html, report_html};
pub use plan::{plan_json, plan_svg, plan_text};
pub use private::{make_folder, replace_file};
pub use samples::Samples;
pub use schema::summary_schema;
pub use style::Style;
pub use terminal::{Terminal, TerminalOptions};
