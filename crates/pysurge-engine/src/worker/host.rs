//! What a worker needs of whoever runs user code: a Python interpreter, or native Rust.

use super::outbox::Outbox;
use super::run::Shared;
use crate::case::TestCase;
use crate::pool::{Attachment, Pool};
use pysurge_core::replay::Recording;
use pysurge_core::wire::{CollectedItem, Load, LoadError, StartupError, TestInfo};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Why a host could not do something the operating system refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub String);

/// Runs user code for a worker. All methods but [`Host::wait`]'s argument run on the worker's main thread.
pub trait Host {
    /// The interpreter's version, and whether it runs without a GIL.
    fn interpreter(&self) -> (String, bool);

    /// Takes the way to send log records; called once, first.
    fn connect(&mut self, outbox: Outbox);

    /// Finds the tests of pytest that each test of the plan stands for; none for a test that is not pytest's. Called in place of all that
    /// follows.
    fn collect(&mut self, load: &Load) -> Vec<Result<Vec<CollectedItem>, LoadError>>;

    /// Imports and instantiates every test; one answer each. `recordings` has, per test, the recorded arrivals whose rows give kwargs to
    /// its iterations, by [`crate::Probe::number`].
    fn load(
        &mut self,
        load: &Load,
        recordings: &[Option<Arc<Recording>>],
    ) -> Vec<Result<TestInfo, LoadError>>;

    /// Runs `startup` of every class once; one answer per test.
    fn startup(&mut self) -> Vec<Option<StartupError>>;

    /// The test case of a loaded test.
    fn case(&self, test: usize) -> Arc<dyn TestCase>;

    /// What the test's threads are called; a number is added.
    fn thread_name(&self, test: usize) -> String;

    /// Makes a thread that calls [`PoolThread::run`].
    fn spawn(&mut self, thread: PoolThread) -> Result<(), HostError>;

    /// Writes the stacks of the pool threads that still run an iteration of these tests to the log.
    fn log_stacks(&mut self, tests: &[usize]);

    /// Runs `shutdown` of every class whose `startup` was tried.
    fn shutdown(&mut self);

    /// Waits without the interpreter.
    fn wait<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R;
}

/// A thread to be: the iterations it takes part in.
pub struct PoolThread {
    /// What the thread is called, `UploadTest-3`.
    pub name: String,
    pub(super) pool: Arc<Pool>,
    pub(super) case: Arc<dyn TestCase>,
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for PoolThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolThread")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl PoolThread {
    /// Runs iterations on the calling thread until there are none left. A panic ends the whole worker: what it measured
    /// could not be trusted any more.
    pub fn run(&self, attachment: &impl Attachment) {
        let life = AssertUnwindSafe(|| self.pool.run_thread(&*self.case, attachment, &self.name));
        if catch_unwind(life).is_err() {
            self.shared.die();
        }
        self.shared.thread_ended();
    }
}
