//! How a run ended, and the exit code that says so.

use pysurge_core::account::Account;
use pysurge_core::event::StopReason;
use pysurge_core::plan::Plan;
use pysurge_core::summary::Summary;
use pysurge_core::wire::{CollectedItem, LoadError, TestInfo};

/// Exit code: everything that was asked for happened.
pub(crate) const EXIT_PASSED: u8 = 0;
/// Exit code: an error of pysurge itself.
pub(crate) const EXIT_INTERNAL: u8 = 1;
/// Exit code: nothing was fired.
pub(crate) const EXIT_NOT_FIRED: u8 = 2;
/// Exit code: it was fired, but the result is no success.
pub(crate) const EXIT_FAILED: u8 = 3;
/// Exit code: the generator did not keep its schedule, and was to.
pub(crate) const EXIT_INVALID: u8 = 4;
/// Exit code: stopped by force, as shells say it of SIGINT.
pub(crate) const EXIT_STOPPED: u8 = 130;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was fired, or no test survived its `startup`; the summary tells which, and has been emitted.
    Finished(Box<Summary>),
    /// Some tests cannot be loaded. One entry per test of the plan. Nothing was fired.
    LoadFailed(Vec<Option<LoadError>>),
    /// A rehearsal came to its end.
    Checked {
        /// Whether every `startup` and every iteration passed.
        passed: bool,
    },
    /// Every test was loaded, and nothing more was asked for.
    Planned {
        /// What the tests say of themselves, in the plan's order.
        infos: Vec<TestInfo>,
        /// The plan, with what its shapes gave.
        plan: Plan,
    },
    /// The tests of pytest, per test of the plan; empty for a test that is none of them.
    Collected(Vec<Vec<CollectedItem>>),
    /// A test failed when it was rehearsed, and nothing was fired; it was told by [`pysurge_core::event::RunEvent::Rehearsed`].
    RehearsalFailed,
    /// It ended before iterations started.
    Aborted(Abort),
}

/// Why a run ended before iterations started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Abort {
    /// Ctrl+C, SIGTERM, or the host asked for it.
    Signal,
    /// A worker failed; the text names it, says how, and gives the last lines it wrote to standard error.
    Worker(String),
}

impl Outcome {
    /// The exit code of the command: 0 passed; 2 nothing was fired; 3 a threshold failed or had no data, nothing passed, a test ran nowhere,
    /// or all workers were lost; 4 the verdict is invalid and [`crate::Settings::require_valid`] was set: goes before 3, for a threshold
    /// says nothing about the target then; 130 stopped by a second Ctrl+C, or by the first before anything was fired (there is no
    /// result then, and a shell's `&&` must not go on).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Finished(summary) => summary.exit_code.unwrap_or(EXIT_INTERNAL),
            Self::LoadFailed(_)
            | Self::Checked { passed: false }
            | Self::RehearsalFailed
            | Self::Aborted(Abort::Worker(_)) => EXIT_NOT_FIRED,
            Self::Checked { passed: true } | Self::Planned { .. } | Self::Collected(_) => EXIT_PASSED,
            Self::Aborted(Abort::Signal) => EXIT_STOPPED,
        }
    }
}

/// What decides the exit code of a run that was fired, or that no test survived to fire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    /// Tests that ran somewhere.
    pub(crate) tests_run: usize,
    /// Tests of the plan.
    pub(crate) tests: usize,
    /// Why it stopped; `None` where it never started.
    pub(crate) reason: Option<StopReason>,
    /// The sum of all tests' accounts, without their warm-ups.
    pub(crate) account: Account,
    /// The verdict is invalid, and it was to be valid.
    pub(crate) invalid: bool,
    /// A threshold failed or had no data.
    pub(crate) threshold_failed: bool,
}

impl Ending {
    /// See [`Outcome::exit_code`].
    pub(crate) fn exit_code(self) -> u8 {
        let nothing_passed = self.account.planned > 0 && self.account.passed == 0;
        if self.tests_run == 0 {
            EXIT_NOT_FIRED
        } else if self.reason == Some(StopReason::SecondSignal) {
            EXIT_STOPPED
        } else if self.invalid {
            EXIT_INVALID
        } else if self.threshold_failed
            || self.reason == Some(StopReason::WorkersLost)
            || self.tests_run < self.tests
            || nothing_passed
        {
            EXIT_FAILED
        } else {
            EXIT_PASSED
        }
    }
}

/// Why a run could not be made or led.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// [`crate::Settings::command`] is empty.
    #[error("start a worker: no command was given")]
    NoCommand,
    /// A worker's process could not be made.
    #[error("start worker {} ({program}): {source}", worker + 1)]
    Spawn {
        /// Which, from 0.
        worker: u32,
        /// What was to be run.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The system refused what the supervisor itself needs.
    #[error("{action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl ManagerError {
    /// The exit code of the command.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoCommand | Self::System { .. } => EXIT_INTERNAL,
            Self::Spawn { .. } => EXIT_NOT_FIRED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        let passed = Account {
            planned: 2,
            passed: 1,
            failed: 1,
            ..Account::default()
        };
        let failed = Account {
            planned: 1,
            failed: 1,
            ..Account::default()
        };
        let none = Account::default();
        let ending = |tests_run, reason, account| Ending {
            tests_run,
            tests: 2,
            reason,
            account,
            invalid: false,
            threshold_failed: false,
        };
        for (tests_run, reason, account, expected) in [
            (2, Some(StopReason::Duration), passed, 0),
            (2, Some(StopReason::Iterations), passed, 0),
            (2, Some(StopReason::Signal), passed, 0),
            // Ctrl+C before the first planned instant: nothing failed.
            (2, Some(StopReason::Signal), none, 0),
            (2, Some(StopReason::Duration), failed, 3),
            (1, Some(StopReason::Duration), passed, 3),
            (2, Some(StopReason::WorkersLost), passed, 3),
            (2, Some(StopReason::SecondSignal), failed, 130),
            (0, None, none, 2),
        ] {
            let ending = ending(tests_run, reason, account);
            assert_eq!(ending.exit_code(), expected, "{ending:?}");
        }
        for (tests_run, reason, invalid, threshold_failed, expected) in [
            (2, Some(StopReason::Duration), false, true, 3),
            (2, Some(StopReason::Threshold), false, true, 3),
            (2, Some(StopReason::Duration), true, false, 4),
            (2, Some(StopReason::Duration), true, true, 4),
            (1, Some(StopReason::WorkersLost), true, true, 4),
            (2, Some(StopReason::SecondSignal), true, true, 130),
            (0, None, true, true, 2),
        ] {
            let ending = Ending {
                invalid,
                threshold_failed,
                ..ending(tests_run, reason, passed)
            };
            assert_eq!(ending.exit_code(), expected, "{ending:?}");
        }
        assert_eq!(Outcome::Checked { passed: true }.exit_code(), 0);
        assert_eq!(Outcome::Checked { passed: false }.exit_code(), 2);
        let planned = Outcome::Planned {
            infos: vec![],
            plan: Plan::new("n", vec![]),
        };
        assert_eq!(planned.exit_code(), 0);
        assert_eq!(Outcome::Collected(vec![]).exit_code(), 0);
        assert_eq!(Outcome::RehearsalFailed.exit_code(), 2);
        assert_eq!(Outcome::LoadFailed(vec![]).exit_code(), 2);
        assert_eq!(Outcome::Aborted(Abort::Signal).exit_code(), 130);
        assert_eq!(Outcome::Aborted(Abort::Worker(String::new())).exit_code(), 2);
    }
}
