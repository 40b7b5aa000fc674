//! The supervisor of the workers: a pure state machine and the thin shell around it.
//!
//! [`run`] takes a checked plan and a command that starts a worker, and sees the run through: it spawns the workers,
//! leads them through the messages of [`pysurge_core::wire`], merges what they measure, tells an [`EventSink`] what
//! happens, and always comes back: every wait has an absolute deadline, and whoever misses one is killed.
//!
//! - `supervisor`: `step(input, now) -> effects`, all decisions, no clock, no thread, no I/O;
//! - `loss`: all that can go wrong with a worker, and what the run does about it;
//! - `totals`: what the workers told, as accounts, rows of a time series, judgements and summaries;
//! - `usage`, `machine`: how much of CPUs and interpreter was used, and what befell the machine;
//! - `limits`: whether the system allows what the load needs;
//! - `controls`: what can be asked of a run from other threads while it goes on;
//! - `shell`: one thread, one `poll`, over sockets, pipes, signals and deadlines.
//!
//! This crate knows nothing of Python and must never run user code, print, or block on a worker or on the sink.

mod clock;
mod controls;
mod limits;
mod lines;
mod loss;
mod machine;
mod outcome;
mod process;
mod settings;
mod shell;
mod signals;
#[cfg(test)]
mod simulation;
mod supervisor;
mod totals;
mod usage;
mod worker;

pub use controls::Controls;
pub use outcome::{Abort, ManagerError, Outcome};
pub use settings::{AroundSuspension, Deadlines, Mission, Settings, Suspension};
pub use signals::{StopListener, StopRequests, hold_stops};

use pysurge_core::event::EventSink;
use pysurge_core::plan::Plan;

/// Sees one run through, on the calling thread, and returns when every worker has ended.
///
/// Events go to `sink` from this thread, in order. An `Err` means that the run could not be made or led at all;
/// whatever workers do, dying included, is an [`Outcome`]. No worker outlives the call, also where it panics.
pub fn run(plan: &Plan, settings: &Settings, sink: &dyn EventSink) -> Result<Outcome, ManagerError> {
    shell::run(plan, settings, sink)
}
