//! What a worker needs of whoever runs user code: a Python interpreter, or native Rust.

use super::outbox::Outbox;
use super::pulse::Outside;
use super::rows::Rows;
use super::run::Shared;
use crate::case::{Probe, TestCase};
use crate::pool::{Attachment, LoopClock, Overrun, Pool, Task};
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
    /// its iterations, by [`crate::Probe::number`]; `rows` has the files of data, whose rows go by [`crate::Probe::row_number`]. Of data from
    /// elsewhere the answer says how many rows there are.
    fn load(
        &mut self,
        load: &Load,
        recordings: &[Option<Arc<Recording>>],
        rows: &[Option<Arc<Rows>>],
    ) -> Vec<Result<TestInfo, LoadError>>;

    /// Runs `startup` of every class once; one answer per test.
    fn startup(&mut self) -> Vec<Option<StartupError>>;

    /// The test case of a loaded test.
    fn case(&self, test: usize) -> Arc<dyn TestCase>;

    /// What the test's threads are called; a number is added.
    fn thread_name(&self, test: usize) -> String;

    /// Makes a thread that calls [`PoolThread::run`].
    fn spawn(&mut self, thread: PoolThread) -> Result<(), HostError>;

    /// Whether the iterations of a test are tasks of an event loop: then it has no threads, and [`Host::start_tasks`] is called in the place
    /// of [`Host::spawn`].
    fn runs_on_loop(&self, test: usize) -> bool {
        let _ = test;
        false
    }

    /// Lets the event loop run the iterations of a test's pool.
    fn start_tasks(&mut self, test: usize, tasks: TaskPool) -> Result<(), HostError> {
        let _ = test;
        Err(HostError(format!("there is no event loop for {}", tasks.name)))
    }

    /// Writes the stacks of the pool threads and tasks that still run an iteration of these tests to the log.
    fn log_stacks(&mut self, tests: &[usize]);

    /// Where each of these iterations stands, by the test it is of; `None` where nobody can say, or where it has ended.
    fn stacks(&mut self, overruns: &[(usize, &Overrun)]) -> Vec<Option<String>> {
        vec![None; overruns.len()]
    }

    /// What can be asked of the interpreter by those who do not hold it; `None` where no thread can hold up the others.
    fn outside(&self) -> Option<Arc<dyn Outside>> {
        None
    }

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

/// A pool whose iterations are tasks of an event loop, as the loop knows it. Everything but [`TaskPool::lead`] is called on the loop's thread.
pub struct TaskPool {
    /// What its iterations are called in log lines and stacks, `UploadTest`.
    pub name: String,
    pub(super) pool: Arc<Pool>,
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for TaskPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskPool")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl TaskPool {
    /// Starts the thread that wakes the loop when something is due; `thread` is what evidence calls the loop's own thread. `wake` is called
    /// from any thread.
    pub fn lead(&self, thread: &str, wake: Box<dyn Fn() + Send + Sync>) -> Result<(), HostError> {
        self.pool.give_to_loop(thread, wake);
        let (pool, shared) = (Arc::clone(&self.pool), Arc::clone(&self.shared));
        let life = move || {
            if catch_unwind(AssertUnwindSafe(|| pool.lead_tasks())).is_err() {
                shared.die();
            }
            shared.thread_ended();
        };
        std::thread::Builder::new()
            .name("pysurge-leader".into())
            .spawn(life)
            .map(drop)
            .map_err(|error| HostError(error.to_string()))
    }

    /// Claims what is due, see [`Pool::claim_tasks`].
    pub fn claim(&self, claimed: &mut Vec<Task>) -> bool {
        self.pool.claim_tasks(claimed)
    }

    /// A task takes its first step, see [`Pool::begin_task`].
    pub fn begin(&self, task: &mut Task) -> bool {
        self.pool.begin_task(task)
    }

    /// Lets an iteration tell something.
    pub fn probe<R>(&self, task: &mut Task, thread: &str, what: impl FnOnce(&mut Probe<'_>) -> R) -> R {
        self.pool.probe_task(task, thread, what)
    }

    /// An iteration has ended, see [`Pool::end_task`].
    pub fn end(&self, task: Task, loop_clock: &LoopClock) -> bool {
        self.pool.end_task(task, loop_clock)
    }

    /// Whether the hard stop has come: tasks that are left are to be cancelled.
    pub fn is_interrupted(&self) -> bool {
        self.pool.is_interrupted()
    }

    /// Whether the loop need not look here any more.
    pub fn is_over(&self) -> bool {
        self.pool.threads() == 0
    }
}
