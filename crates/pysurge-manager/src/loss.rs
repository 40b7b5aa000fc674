//! All that can go wrong with a worker, what is said of it, and what the run does about it. Pure data: one variant per kind of error, one
//! message each, and one table without a wildcard, so that a new kind of error cannot be forgotten.
//!
//! | what is wrong | before the start | while the plan goes on | once the run ends |
//! |---|---|---|---|
//! | its process cannot be made; no hello in time; another build; tests not loaded, too late, or otherwise than elsewhere; `startup` too late | abort the run | replace | only tell |
//! | it sent garbage, the wrong message, an incomplete or impossible one; it closed its channel; it exited or was killed | abort the run | replace | only tell |
//! | it told nothing for long; one thread holds its interpreter for ever | - | replace | only tell |
//! | it did not end a rehearsal, a stop, a `shutdown` or itself in time | abort the run | replace | only tell |
//! | the `startup` of a class failed: the others run its tests | only tell | only tell | only tell |
//! | we ended it because it was not needed, or asked to stop three times | only tell | only tell | only tell |
//!
//! *Replace*: the others take over what it had not begun, and a worker is started in its place, see `supervisor::replacing`.

use crate::worker::{Exit, State};
use pysurge_core::VERSION;
use pysurge_core::span::format_span;
use pysurge_core::wire::PROTOCOL;

/// What is wrong with a worker; as text the predicate of a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WorkerError {
    /// The system refused to make its process.
    #[error("could not be started: {0}")]
    NotSpawned(String),
    /// It did not begin to talk.
    #[error("did not say hello in time")]
    NoHello,
    /// It belongs to another installation.
    #[error("is of pysurge {version} (protocol {protocol}) and not of {VERSION} (protocol {PROTOCOL})")]
    OtherBuild { version: String, protocol: u32 },
    /// A test that the other workers run cannot be loaded in it.
    #[error("cannot load a test that the others have loaded: {0}")]
    NotLoaded(String),
    /// Its data is not that of the others.
    #[error("found {found} rows of data where the others have {rows}")]
    OtherRows { found: u64, rows: u64 },
    /// A class does not run in it.
    #[error("could not start up {0}")]
    StartupFailed(String),
    /// Importing took too long.
    #[error("did not load the tests in time")]
    LoadTimeout,
    /// The `startup` hooks took too long.
    #[error("did not end its startup in time")]
    PrepareTimeout,
    /// An iteration of the rehearsal took too long.
    #[error("did not end an iteration of its rehearsal in time")]
    RehearseTimeout,
    /// It was told to stop.
    #[error("did not stop by its deadline")]
    StopTimeout,
    /// The `shutdown` hooks took too long.
    #[error("did not end its shutdown in time")]
    ShutdownTimeout,
    /// It said all it had to say.
    #[error("was done but did not exit, a thread of user code may still run")]
    ExitTimeout,
    /// Its bytes are no message.
    #[error("sent garbage ({0})")]
    Garbage(String),
    /// A message that does not belong here.
    #[error("sent {message} while {state:?}")]
    WrongMessage { message: &'static str, state: State },
    /// A snapshot is missing.
    #[error("sent snapshot {told} where {due} was due")]
    Gap { told: u64, due: u64 },
    /// It did not say as much as it was asked.
    #[error("did not tell of {0}")]
    Incomplete(&'static str),
    /// What it told cannot be.
    #[error("{0}")]
    Impossible(String),
    /// Nothing more can be heard of it, but its process is there.
    #[error("closed its channel but did not exit")]
    ChannelClosed,
    /// It ended.
    #[error("{}", .0.predicate())]
    Exited(Exit),
    /// Its process is stopped, or gets no CPU.
    #[error("told nothing for {}: its process is stopped or gets no CPU", format_span(*.0))]
    Stalled(u64),
    /// Nothing gets on in it.
    #[error("is frozen: one thread has held Python's interpreter for {}", format_span(*.0))]
    Frozen(u64),
    /// The run was over before it was ready.
    #[error("was not needed any more")]
    NotNeeded,
    /// Somebody does not want to wait.
    #[error("was killed at the third request to stop")]
    ThirdRequest,
}

/// Where a worker is in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was fired yet.
    Starting,
    /// The plan goes on, and nobody ordered a stop.
    Firing,
    /// The run is being stopped, or led out, or the worker has drained.
    Ending,
}

/// What the run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Nothing is fired, and the workers are led out.
    Abort,
    /// The others take over, and a worker is started in its place.
    Replace,
    /// It is told of; what the worker had not told is lost.
    Tell,
}

/// The rows of the table that are alike.
enum Kind {
    /// The worker is of no use any more.
    OfWorker,
    /// The same, but looked for only while it fires: before that, a deadline sees to it.
    WhileFiring,
    /// It may stay, or it is us who end it.
    Ours,
}

impl WorkerError {
    /// The table of the module documentation.
    pub(crate) fn policy(&self, stage: Stage) -> Policy {
        match (self.kind(), stage) {
            (Kind::Ours, Stage::Starting | Stage::Firing | Stage::Ending)
            | (Kind::OfWorker | Kind::WhileFiring, Stage::Ending)
            | (Kind::WhileFiring, Stage::Starting) => Policy::Tell,
            (Kind::OfWorker, Stage::Starting) => Policy::Abort,
            (Kind::OfWorker | Kind::WhileFiring, Stage::Firing) => Policy::Replace,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotSpawned(_)
            | Self::NoHello
            | Self::OtherBuild { .. }
            | Self::NotLoaded(_)
            | Self::OtherRows { .. }
            | Self::LoadTimeout
            | Self::PrepareTimeout
            | Self::RehearseTimeout
            | Self::StopTimeout
            | Self::ShutdownTimeout
            | Self::ExitTimeout
            | Self::Garbage(_)
            | Self::WrongMessage { .. }
            | Self::Gap { .. }
            | Self::Incomplete(_)
            | Self::Impossible(_)
            | Self::ChannelClosed
            | Self::Exited(_) => Kind::OfWorker,
            Self::Stalled(_) | Self::Frozen(_) => Kind::WhileFiring,
            Self::StartupFailed(_) | Self::NotNeeded | Self::ThirdRequest => Kind::Ours,
        }
    }

    /// What a worker in this state has not done in time.
    pub(crate) fn overdue(state: State) -> Self {
        match state {
            State::Greeting => Self::NoHello,
            State::Loading => Self::LoadTimeout,
            State::Preparing => Self::PrepareTimeout,
            State::Rehearsing => Self::RehearseTimeout,
            State::Loaded | State::Prepared | State::Running => Self::StopTimeout,
            State::Drained => Self::ShutdownTimeout,
            State::Done | State::Gone => Self::ExitTimeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_one_message_and_one_row_of_the_table() {
        use Policy::{Abort, Replace, Tell};
        let replaced = [Abort, Replace, Tell];
        for (error, text, policies) in [
            (
                WorkerError::NotSpawned("EAGAIN".into()),
                "could not be started: EAGAIN",
                replaced,
            ),
            (WorkerError::NoHello, "did not say hello in time", replaced),
            (
                WorkerError::OtherBuild {
                    version: "1".into(),
                    protocol: 0,
                },
                "is of pysurge 1 (protocol 0) and not of ",
                replaced,
            ),
            (
                WorkerError::NotLoaded("a.B: gone".into()),
                "cannot load a test",
                replaced,
            ),
            (
                WorkerError::OtherRows { found: 1, rows: 2 },
                "found 1 rows of data where the others have 2",
                replaced,
            ),
            (
                WorkerError::LoadTimeout,
                "did not load the tests in time",
                replaced,
            ),
            (WorkerError::PrepareTimeout, "did not end its startup", replaced),
            (WorkerError::RehearseTimeout, "did not end an iteration", replaced),
            (WorkerError::StopTimeout, "did not stop by its deadline", replaced),
            (WorkerError::ShutdownTimeout, "did not end its shutdown", replaced),
            (WorkerError::ExitTimeout, "was done but did not exit", replaced),
            (WorkerError::Garbage("x".into()), "sent garbage (x)", replaced),
            (
                WorkerError::WrongMessage {
                    message: "Done",
                    state: State::Loading,
                },
                "sent Done while Loading",
                replaced,
            ),
            (
                WorkerError::Gap { told: 5, due: 0 },
                "sent snapshot 5 where 0 was due",
                replaced,
            ),
            (
                WorkerError::Incomplete("every startup"),
                "did not tell of every startup",
                replaced,
            ),
            (WorkerError::Impossible("said so".into()), "said so", replaced),
            (WorkerError::ChannelClosed, "closed its channel", replaced),
            (WorkerError::Exited(Exit::Code(3)), "exited with code 3", replaced),
            (
                WorkerError::Stalled(15_000_000_000),
                "told nothing for 15.0 s: its process is stopped",
                [Tell, Replace, Tell],
            ),
            (
                WorkerError::Frozen(10_000_000_000),
                "is frozen: one thread has held Python's interpreter for 10.0 s",
                [Tell, Replace, Tell],
            ),
            (
                WorkerError::StartupFailed("a.B".into()),
                "could not start up a.B",
                [Tell; 3],
            ),
            (WorkerError::NotNeeded, "was not needed any more", [Tell; 3]),
            (WorkerError::ThirdRequest, "was killed at the third", [Tell; 3]),
        ] {
            assert!(error.to_string().starts_with(text), "{error}");
            let found = [Stage::Starting, Stage::Firing, Stage::Ending].map(|stage| error.policy(stage));
            assert_eq!(found, policies, "{error}");
        }
    }
}
