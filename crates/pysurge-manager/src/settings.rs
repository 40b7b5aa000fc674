//! What a run is to be: how workers are started, how many, and by when each of their steps must be done.

use crate::controls::Controls;
use crate::signals::StopRequests;
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::plan::{CATCH_UP_NS, DEFAULT_GRACE_NS, SHUTDOWN_TIMEOUT_NS};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mission {
    /// Fire the plan.
    Run,
    /// Rehearse: one worker runs each test once, one after the other. Fires no load.
    Check,
    /// Only find the tests of pytest: one worker collects them. No test is run.
    Collect,
    /// Only load: one worker imports and instantiates every test and samples the shapes. No hook and no test is run.
    Plan,
}

/// What happens to this process on Ctrl+Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspension {
    /// It is stopped as soon as the call returns: the terminal must be the shell's.
    Begins,
    /// It was continued, by `fg` or `bg`.
    Ended,
}

/// Told when this process is stopped and continued; called from the thread that leads the run.
pub type AroundSuspension = Arc<dyn Fn(Suspension) + Send + Sync>;

/// How a run is made.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent wishes, each a flag of the command"
)]
#[derive(Clone)]
pub struct Settings {
    /// The command of a worker: program and arguments. Its standard input is its end of the control channel.
    pub command: Vec<OsString>,
    /// Added to the inherited environment of the workers.
    pub env: Vec<(OsString, OsString)>,
    /// Where the workers start; here where `None`.
    pub cwd: Option<PathBuf>,
    /// How many workers, at least one. Only a run starts them: a rehearsal and a plan have one, and judge the load by this number.
    pub workers: u32,
    /// Whether debug log records of user code are wanted.
    pub debug: bool,
    /// Whether every single iteration is told, by [`pysurge_core::event::RunEvent::Iterations`].
    pub iterations: bool,
    /// Whether a run whose verdict is invalid is no success: exit code 4.
    pub require_valid: bool,
    /// Where user code is found, in front of `sys.path`.
    pub import_first: Vec<String>,
    /// Where user code is found last, at the end of `sys.path`.
    pub import_last: Vec<String>,
    /// What the run is for.
    pub mission: Mission,
    /// Whether worker 0 runs each test once before a run is fired; it is not, where one fails.
    pub rehearsal: bool,
    /// Take SIGINT and SIGTERM as requests to stop while the run goes on.
    ///
    /// Afterwards they do what they did before. Handlers that stood before are called too, and cannot be kept from it:
    /// a host whose own SIGINT handler would disturb the run (Python's raises `KeyboardInterrupt`) sets the signal to
    /// its default before the process's first run, or leaves this off and feeds [`Settings::stop_requests`] itself.
    pub stop_signals: bool,
    /// Requests to stop from the host of this library, beside the signals.
    pub stop_requests: StopRequests,
    /// Through which the run can be paused, scaled, stopped and asked while it goes on.
    pub controls: Option<Controls>,
    /// Take SIGTSTP (Ctrl+Z) as a pause: the plan is paused, then this process stops; once it is continued, the plan goes on where
    /// it was paused. Left alone where it was ignored from the beginning, as under a shell without job control.
    pub suspend_signals: bool,
    /// Told before this process stops and after it was continued.
    pub around_suspension: Option<AroundSuspension>,
    /// By when workers must be where they should.
    pub deadlines: Deadlines,
}

impl Settings {
    /// One worker of this command; no signals; the usual deadlines.
    pub fn new(command: Vec<OsString>) -> Self {
        Self {
            command,
            env: Vec::new(),
            cwd: None,
            workers: 1,
            debug: false,
            iterations: false,
            require_valid: false,
            import_first: Vec::new(),
            import_last: Vec::new(),
            mission: Mission::Run,
            rehearsal: false,
            stop_signals: false,
            stop_requests: StopRequests::default(),
            controls: None,
            suspend_signals: false,
            around_suspension: None,
            deadlines: Deadlines::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("command", &self.command)
            .field("workers", &self.workers)
            .field("mission", &self.mission)
            .field("deadlines", &self.deadlines)
            .finish_non_exhaustive()
    }
}

/// How long each wait may last, in nanoseconds. Turned into absolute instants when the wait begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From the spawn to the first message: an interpreter starts in well under a second, on a loaded machine in a few.
    pub hello_ns: u64,
    /// Importing and instantiating every test.
    pub load_ns: u64,
    /// The `startup` hooks: they may fill databases.
    pub prepare_ns: u64,
    /// One iteration of a rehearsal, beyond the `max_duration` its test declares.
    pub rehearse_ns: u64,
    /// From the end of the plan: how long iterations that are already due may still be started.
    pub catch_up_ns: u64,
    /// How long running iterations may go on, where neither the config says so nor a test declares a `max_duration`.
    pub grace_ns: u64,
    /// The `shutdown` hooks of a worker, together.
    pub shutdown_ns: u64,
    /// How far beyond a deadline it was told a worker may be before it is killed.
    pub margin_ns: u64,
    /// From a worker's last message to its exit: threads that user code left running hold it up.
    pub exit_ns: u64,
    /// From one notice of death (its channel closes, its process exits) to the other.
    pub linger_ns: u64,
    /// From a SIGKILL to the exit; a process in an uninterruptible wait is given up then.
    pub reap_ns: u64,
    /// How long output is read on after the last worker's exit: grandchildren may hold the pipes open for ever.
    pub output_ns: u64,
    /// A running worker that told nothing for so long, while the manager listened, is worth a warning.
    pub silence_ns: u64,
    /// After so long it is killed, and another is started in its place.
    pub stall_ns: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            hello_ns: 30 * NANOS_PER_SEC,
            load_ns: 300 * NANOS_PER_SEC,
            prepare_ns: 300 * NANOS_PER_SEC,
            rehearse_ns: 120 * NANOS_PER_SEC,
            catch_up_ns: CATCH_UP_NS,
            grace_ns: DEFAULT_GRACE_NS,
            shutdown_ns: SHUTDOWN_TIMEOUT_NS,
            margin_ns: 2 * NANOS_PER_SEC,
            exit_ns: 5 * NANOS_PER_SEC,
            linger_ns: NANOS_PER_SEC,
            reap_ns: 5 * NANOS_PER_SEC,
            output_ns: NANOS_PER_SEC / 5,
            silence_ns: 5 * NANOS_PER_SEC,
            stall_ns: 15 * NANOS_PER_SEC,
        }
    }
}
