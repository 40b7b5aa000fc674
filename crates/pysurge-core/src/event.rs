//! What happens in a run, as one stream: the manager emits it, and every sink (terminal, log, JSON) consumes it.
//! A sink never reaches back.

use crate::plan::Plan;
use crate::schedule::{Change, Stripe};
use crate::series::{Row, Series};
use crate::summary::Summary;
use crate::wire::{IterationRecord, LoadError, LogRecord, Rehearsed, StartupError, TestInfo};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why a run stopped; a later one is more urgent and wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopReason {
    /// The planned duration was reached, or the last stage of every test.
    Duration,
    /// Every planned iteration is done.
    Iterations,
    /// A threshold with `abort_on_fail` failed.
    Threshold,
    /// Ctrl+C or SIGTERM.
    Signal,
    /// Ctrl+C a second time: the grace period was skipped.
    SecondSignal,
    /// Every worker was lost.
    WorkersLost,
}

/// Which of a worker's standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Who asked for something while the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A key at the terminal.
    Key,
    /// A client of the control socket.
    Socket,
    /// A page of the dashboard.
    Dashboard,
    /// Ctrl+Z, and `fg` or `bg` after it.
    Suspension,
}

/// How grave a notice of the manager is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something is not as asked.
    Warning,
    /// Something is broken.
    Error,
}

/// One thing that happened. Instants are nanoseconds of `CLOCK_MONOTONIC`; wall times nanoseconds since 1970 UTC.
#[derive(Debug, Clone)]
pub enum RunEvent {
    /// Workers are being started.
    Opened {
        /// What will be run.
        plan: Plan,
        /// How many workers.
        workers: u32,
        /// Wall time.
        wall_ns: u64,
    },
    /// Every test was loaded and can be instantiated, in the plan's order.
    Loaded(Vec<TestInfo>),
    /// Some tests cannot be loaded; nothing is fired. One entry per test of the plan.
    LoadFailed(Vec<Option<LoadError>>),
    /// `startup` of a class failed in a worker.
    StartupFailed {
        /// The worker, from 0.
        worker: u32,
        /// What it said.
        error: StartupError,
    },
    /// One iteration of a rehearsal ended.
    Rehearsed(Rehearsed),
    /// A test is not rehearsed, because its class's `startup` failed.
    CannotRehearse {
        /// The test's place in the plan.
        test: u32,
        /// What `startup` said.
        error: StartupError,
    },
    /// Iterations start at this instant.
    Started {
        /// The start of the run.
        at_ns: u64,
        /// The same as wall time.
        wall_ns: u64,
        /// The stripes that run, per test; empty where a test does not run at all.
        stripes: Vec<Vec<Stripe>>,
    },
    /// About once a second while the run goes on, with everything known so far.
    Progress(Box<Summary>),
    /// A second of the run is complete: every worker has told of that time. Seconds come in order, without a gap, and are never joined; the
    /// last one may be shorter. Their sum is the total, as that of all rows is. For views that follow the run; it comes before the
    /// [`RunEvent::Row`] that it is a part of.
    Second(Arc<Row>),
    /// A row of the time series is complete: every worker has told of that time. Rows come in order, without a gap; the last one may be
    /// shorter than the others.
    Row(Arc<Row>),
    /// There were too many rows: this is the series so far, every row of it and to come twice as long as before. Whoever keeps rows keeps
    /// [`Series::complete_rows`] of it in their place.
    Coarsened(Arc<Series>),
    /// Single iterations of a worker, where they were asked for.
    Iterations {
        /// The worker, from 0.
        worker: u32,
        /// In the order in which they ended, more or less.
        iterations: Vec<IterationRecord>,
    },
    /// From an instant on the run goes on otherwise.
    Changed {
        /// From when on and how; run time.
        change: Change,
        /// The same instant as wall time.
        wall_ns: u64,
        /// Who asked.
        by: Actor,
    },
    /// No new iterations from here on.
    Stopping {
        /// Why.
        reason: StopReason,
        /// Until when running iterations may go on.
        grace_ends_ns: u64,
    },
    /// A log record of user code.
    Log(LogRecord),
    /// A line that a worker printed.
    Output {
        /// The worker, from 0.
        worker: u32,
        /// Where it printed it.
        stream: Stream,
        /// The thread that printed it; `None` where it came through the pipe, from C code or another process, and nobody knows.
        thread: Option<String>,
        /// Wall time.
        wall_ns: u64,
        /// The line without its end.
        line: String,
    },
    /// Something the manager has to say to the user.
    Notice {
        /// How grave.
        severity: Severity,
        /// Whole sentences are not needed; no full stop.
        text: String,
    },
    /// The run is over and this is its result. The last event of every run that was `Started`, sent exactly once;
    /// also of a run in which no test survived its `startup`.
    Finished(Box<Summary>),
}

/// Takes events. Must return at once: a slow sink buffers or drops, it never blocks the run.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: RunEvent);
}
