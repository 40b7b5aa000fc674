//! The plan of a run: what the config says, once it cannot be wrong any more.

use crate::NANOS_PER_SEC;
use crate::rate::Rate;
use crate::schedule::{Phase, Schedule};
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// A checked plan. Whoever holds one need not check it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Names the run in its folder, its report and its summary; taken from the config's file name where it has none.
    pub name: String,
    /// The tests, in the config's order; never empty.
    pub tests: Vec<TestPlan>,
    /// How long iterations are planned; until Ctrl+C where `None`.
    pub duration_ns: Option<u64>,
}

/// One entry of the config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestPlan {
    /// Dotted path of the class, `package.module.ClassName`.
    pub test_class: String,
    /// Keyword arguments for its `__init__`, in the order written.
    pub kwargs: Vec<(String, Value)>,
    /// Iterations per second over all workers.
    pub rate: Rate,
}

impl TestPlan {
    /// The arrivals of this test, which stands at `position` among `tests` tests.
    pub fn schedule(&self, position: u32, tests: u32, duration_ns: Option<u64>) -> Schedule {
        Schedule::constant(self.rate, Phase::of_test(position, tests), duration_ns)
    }
}

impl Plan {
    /// The name of a run whose config is no file.
    pub const NAME_OF_DICT: &'static str = "config";

    /// The arrivals of test `position`.
    ///
    /// # Panics
    /// Where there is no such test: a bug of the caller.
    pub fn schedule(&self, position: usize) -> Schedule {
        let as_u32 = |n: usize| u32::try_from(n).expect("a config's tests number far below 2^32");
        self.tests[position].schedule(as_u32(position), as_u32(self.tests.len()), self.duration_ns)
    }
}

/// How long one iteration may take where its test case does not say: sizes the pool and nothing else.
pub const DEFAULT_MAX_DURATION_NS: u64 = 60 * NANOS_PER_SEC;

/// How long running iterations may go on after the stop, where no test case declares a `max_duration`.
pub const DEFAULT_GRACE_NS: u64 = 30 * NANOS_PER_SEC;

/// How long after the end of the schedule iterations that are already due may still be started. It forgives the
/// microseconds to milliseconds by which a thread wakes late, so that the count stays exact; a true backlog is dropped.
pub const CATCH_UP_NS: u64 = NANOS_PER_SEC;

/// How long the `shutdown` hooks of a worker may take, together.
pub const SHUTDOWN_TIMEOUT_NS: u64 = 10 * NANOS_PER_SEC;

/// How often a worker tells what it measured.
pub const SNAPSHOT_INTERVAL_NS: u64 = NANOS_PER_SEC;

/// The most pool threads one test may have in one worker, whatever Little's law asks for. A Python thread costs
/// 30 to 60 KiB of resident memory; beyond about a thousand they mostly wait for the interpreter.
pub const MAX_THREADS: u32 = 1_024;
