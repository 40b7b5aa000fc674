//! The plan of a run: what the config says, once it cannot be wrong any more.

mod data;
mod model;
mod share;
mod target;
mod words;

pub use data::{Data, DataSource, Reuse, RowOrder};
pub use model::{
    ArrivalProcess, ClosedModel, LatePolicy, Model, OpenModel, Replay, Samples, Shape, Source, SpanRange,
    Stage, Wait,
};
pub use share::{ShareError, shared};
pub use target::{Pytest, PytestItem, Target, TargetError, is_name};

use crate::NANOS_PER_SEC;
use crate::schedule::{Phase, Schedule};
use crate::threshold::Threshold;
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// A checked plan. Whoever holds one need not check it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Names the run in its folder, its report and its summary; taken from the config's file name where it has none.
    pub name: String,
    /// The run's own tags.
    pub tags: Vec<String>,
    /// The tests, in the config's order; never empty.
    pub tests: Vec<TestPlan>,
    /// How long iterations are planned at most; `None`: as long as the tests say.
    pub duration_ns: Option<u64>,
    /// How many workers the config asks for.
    pub workers: Option<u32>,
    /// How long running iterations may go on after the stop, where the config says so for all tests.
    pub graceful_stop_ns: Option<u64>,
    /// What all tests together must keep to.
    pub thresholds: Vec<Threshold>,
    /// Options for pytest, beside those of its own config.
    pub pytest_args: Vec<String>,
}

/// One entry of the config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestPlan {
    /// What it runs.
    pub target: Target,
    /// What the user calls this test.
    pub name: Option<String>,
    /// By which it can be chosen, beside its name; the run's own tags among them.
    pub tags: Vec<String>,
    /// Keyword arguments for the class's `__init__` or for the function, in the order written.
    pub kwargs: Vec<(String, Value)>,
    /// Rows that its iterations are fed with.
    pub data: Option<Data>,
    /// How its iterations come about.
    pub model: Model,
    /// Nothing is planned for so long from the start of the run on.
    pub start_delay_ns: u64,
    /// Iterations planned in so long a time from the test's own start on are excluded from all results.
    pub warmup_ns: u64,
    /// How long iterations are planned, from the test's own start on.
    pub duration_ns: Option<u64>,
    /// How many iterations are planned at most, over all workers, those of the warm-up among them.
    pub iterations: Option<u64>,
    /// How long one iteration may take, where the config says it; else the test case does.
    pub max_duration_ns: Option<u64>,
    /// The most pool threads, over all workers.
    pub max_threads: Option<u32>,
    /// How long its running iterations may go on after the stop.
    pub graceful_stop_ns: Option<u64>,
    /// What it must keep to. Judged by the manager, so workers are not told.
    #[serde(skip)]
    pub thresholds: Vec<Threshold>,
}

impl TestPlan {
    /// A test of a class, by its dotted path, with a load and nothing else said.
    pub fn new(test_class: impl Into<String>, model: Model) -> Self {
        Self::of(Target::Class(test_class.into()), model)
    }

    /// A test with a load and nothing else said.
    pub fn of(target: Target, model: Model) -> Self {
        Self {
            target,
            name: None,
            tags: Vec::new(),
            kwargs: Vec::new(),
            data: None,
            model,
            start_delay_ns: 0,
            warmup_ns: 0,
            duration_ns: None,
            iterations: None,
            max_duration_ns: None,
            max_threads: None,
            graceful_stop_ns: None,
            thresholds: Vec::new(),
        }
    }

    /// The arrivals of this test, which stands at `position` among `tests` tests of a run of `run_duration_ns`; `None` in the
    /// closed model, which has no arrivals.
    ///
    /// # Panics
    /// Where a shape was not sampled or a recording not read yet: a bug of the caller.
    pub fn schedule(&self, position: u32, tests: u32, run_duration_ns: Option<u64>) -> Option<Schedule> {
        let Model::Open(open) = &self.model else {
            return None;
        };
        let mut profile = open.source.profile(self.start_delay_ns);
        if let Some(end_ns) = self.end_ns(run_duration_ns) {
            profile = profile.ending_at(end_ns);
        }
        let arrivals = open.arrivals(Phase::of_test(position, tests));
        Some(Schedule::new(arrivals, profile, self.iterations))
    }

    /// The end that durations give this test, in plan time; its stages, shape, recording or iterations may end it earlier.
    pub fn end_ns(&self, run_duration_ns: Option<u64>) -> Option<u64> {
        let own_ns = self
            .duration_ns
            .map(|duration_ns| self.start_delay_ns.saturating_add(duration_ns));
        match (own_ns, run_duration_ns) {
            (Some(own_ns), Some(run_ns)) => Some(own_ns.min(run_ns)),
            (own_ns, run_ns) => own_ns.or(run_ns),
        }
    }

    /// The shape of a test that has one: a worker's samples go there.
    pub fn shape_mut(&mut self) -> Option<&mut Shape> {
        match &mut self.model {
            Model::Open(OpenModel {
                source: Source::Shape(shape),
                ..
            }) => Some(shape),
            _ => None,
        }
    }

    /// Ends the test with its rows, of which there are so many, where each is handed out once.
    pub fn end_with_rows(&mut self, rows: Option<u64>) {
        let once = self.data.as_ref().is_some_and(|data| data.reuse == Reuse::Once);
        if let Some(rows) = rows.filter(|_| once) {
            self.iterations = Some(self.iterations.map_or(rows, |iterations| iterations.min(rows)));
        }
    }

    /// Up to which instant of plan time iterations are warm-up.
    pub fn warmup_ends_ns(&self) -> u64 {
        if self.warmup_ns == 0 {
            0
        } else {
            self.start_delay_ns.saturating_add(self.warmup_ns)
        }
    }

    /// What it is called where people choose among tests: its name, else that of what it runs.
    pub fn short_name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.target.short_name())
    }
}

impl Plan {
    /// The name of a run whose config is no file.
    pub const NAME_OF_DICT: &'static str = "config";

    /// A plan of these tests and nothing else said.
    pub fn new(name: impl Into<String>, tests: Vec<TestPlan>) -> Self {
        Self {
            name: name.into(),
            tags: Vec::new(),
            tests,
            duration_ns: None,
            workers: None,
            graceful_stop_ns: None,
            thresholds: Vec::new(),
            pytest_args: Vec::new(),
        }
    }

    /// The arrivals of test `position`; `None` in the closed model.
    ///
    /// # Panics
    /// Where there is no such test, a shape was not sampled or a recording not read yet: a bug of the caller.
    pub fn schedule(&self, position: usize) -> Option<Schedule> {
        let as_u32 = |n: usize| u32::try_from(n).expect("a config's tests number far below 2^32");
        self.tests[position].schedule(as_u32(position), as_u32(self.tests.len()), self.duration_ns)
    }
}

/// How long one iteration may take where neither the config nor its test case says: sizes the pool and nothing else.
pub const DEFAULT_MAX_DURATION_NS: u64 = 60 * NANOS_PER_SEC;

/// How long running iterations may go on after the stop, where no test case declares a `max_duration`.
pub const DEFAULT_GRACE_NS: u64 = 30 * NANOS_PER_SEC;

/// How late an iteration may start with `late: drop`, unless the config says: far beyond what a wake-up takes, so that only a pool
/// or an interpreter that is short of threads or time makes drops.
pub const DEFAULT_MAX_LATENESS_NS: u64 = NANOS_PER_SEC / 10;

/// The seed of all that is random, unless the config says: the same config then always means the same plan.
pub const DEFAULT_SEED: u64 = 0;

/// How long after the end of the schedule iterations that are already due may still be started. It forgives the
/// microseconds to milliseconds by which a thread wakes late, so that the count stays exact; a true backlog is dropped.
pub const CATCH_UP_NS: u64 = NANOS_PER_SEC;

/// How long the `shutdown` hooks of a worker may take, together.
pub const SHUTDOWN_TIMEOUT_NS: u64 = 10 * NANOS_PER_SEC;

/// How often a worker tells what it measured.
pub const SNAPSHOT_INTERVAL_NS: u64 = NANOS_PER_SEC;

/// The most pool threads one test may have in one worker, whatever Little's law asks for, unless the config says
/// otherwise. A Python thread costs 30 to 60 KiB of resident memory; beyond about a thousand they mostly wait for the interpreter.
pub const MAX_THREADS: u32 = 1_024;

/// The most iterations of a coroutine test that may be in flight in one worker, whatever Little's law asks for, unless the config says otherwise. A
/// task that waits costs 2 to 5 KiB: so many are half a gigabyte, and ten times what one loop can keep busy at a second each.
pub const MAX_TASKS: u32 = 100_000;
