//! What a run's events are as lines of a log: those of `run.log`, and of the tail of it that a dashboard shows.

use crate::changes::Follower;
use crate::clock::LocalClock;
use crate::line;
use pysurge_core::event::{RunEvent, StopReason, Stream};
use pysurge_core::harmless::harmless;

/// One line, or several that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// Without its end. It may hold what user code wrote, as it is.
    pub(crate) text: String,
    /// Whether it is one of user code, of which there may be any number.
    pub(crate) of_user: bool,
}

/// Follows the events of a run.
#[derive(Debug)]
pub(crate) struct LogLines {
    clock: LocalClock,
    changes: Follower,
}

impl LogLines {
    pub(crate) fn new(clock: LocalClock) -> Self {
        Self {
            clock,
            changes: Follower::default(),
        }
    }

    /// The lines on an event; most have none. The result of a run is not among them.
    pub(crate) fn of(&mut self, event: &RunEvent) -> Vec<LogLine> {
        let own = |level: &str, text: &str| vec![self.own(level, text)];
        match event {
            RunEvent::Log(record) => of_user(line::of_record(record, &self.clock)),
            RunEvent::Output {
                worker,
                stream,
                thread,
                wall_ns,
                line,
            } => of_user(match thread {
                Some(thread) => line::of_output(*worker, thread, *stream, *wall_ns, line, &self.clock),
                None => self.of_pipe(*worker, *stream, *wall_ns, line),
            }),
            RunEvent::Notice { severity, text } => own(line::level(*severity), text),
            RunEvent::StartupFailed { worker, error } => {
                let text = format!(
                    "startup of {} failed in {}: {}\n{}",
                    harmless(&error.class),
                    line::process_name(*worker),
                    harmless(&error.message),
                    error.traceback.trim_end()
                );
                own("ERROR", text.trim_end())
            }
            RunEvent::Started { .. } => own("INFO", "started"),
            RunEvent::Stopping { reason, .. } => own("INFO", stopping(*reason)),
            RunEvent::Changed { change, by, .. } => {
                let said = self.changes.say(*change, *by);
                said.iter().map(|text| self.own("INFO", text)).collect()
            }
            RunEvent::Opened { plan, .. } => {
                self.changes = Follower::of_plan(plan);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// A line that pysurge itself says now.
    pub(crate) fn own(&self, level: &str, message: &str) -> LogLine {
        LogLine {
            // A line of a traceback must not pass for one of ours.
            text: line::own(level, &message.replace('\n', "\n    "), &self.clock),
            of_user: false,
        }
    }

    /// A line that came through a worker's pipe, from whatever thread.
    fn of_pipe(&self, worker: u32, stream: Stream, wall_ns: u64, line: &str) -> String {
        let stream = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let (time, process) = (self.clock.log_time(wall_ns), line::process_name(worker));
        format!("{time} {process} {stream} OUTPUT {line}")
    }
}

fn of_user(text: String) -> Vec<LogLine> {
    vec![LogLine { text, of_user: true }]
}

fn stopping(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Duration => "stopping: the planned duration was reached",
        StopReason::Iterations => "stopping: every planned iteration is done",
        StopReason::Threshold => "stopping: a threshold failed",
        StopReason::Signal => {
            "stopping on request: Ctrl+C, SIGTERM, a key, the dashboard or the control socket"
        }
        StopReason::SecondSignal => "stopping at once, on request",
        StopReason::WorkersLost => "stopping: every worker died",
    }
}
