//! The engine's host for tests in Rust: what the interpreter is to Python tests. Its threads are plain ones, and
//! user code runs on one of them at a time, see [`crate::without`].
//!
//! It does what a Python host does and no more: no hook is caught, timed or retried here, for that is the engine's and the
//! manager's business, and theirs is what is tested with it. With debug logs on, it logs each hook it calls.

use crate::entry::Entry;
use crate::interpreter::{self, Attached};
use crate::test::{Catalogue, NativeTest};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::plan::{Model, Samples, Source, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::replay::Recording;
use pysurge_core::value::Value;
use pysurge_core::wire::{CollectedItem, Load, LoadError, LoadFault, LogRecord, StartupError, TestInfo};
use pysurge_engine::worker::{Outbox, PoolThread};
use pysurge_engine::{Host, HostError, Outside, Overrun, Probe, Rows, TestCase, clock};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// Whether the pool thread is in an iteration, for whoever asks which ones are stuck.
    static IN_ITERATION: RefCell<Arc<AtomicBool>> = RefCell::default();
}

/// Runs the tests of a [`Catalogue`] for a worker.
///
/// Every test takes one kwarg more than its own: `max_duration_ms`, which declares its `max_duration`.
#[derive(Debug)]
pub struct NativeHost {
    catalogue: Catalogue,
    outbox: Option<Outbox>,
    worker: u32,
    debug: bool,
    tests: Vec<Option<Loaded>>,
    startup_tried: bool,
    threads: Vec<MadeThread>,
}

struct Loaded {
    class: String,
    thread_name: String,
    case: Arc<Marked>,
    threads: u32,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

/// A test whose threads tell when they are in an iteration.
struct Marked(Arc<dyn NativeTest>);

impl TestCase for Marked {
    fn iterate(&self, probe: &mut Probe<'_>) {
        let mark = |inside| IN_ITERATION.with_borrow(|flag| flag.store(inside, Ordering::Relaxed));
        mark(true);
        self.0.iterate(probe);
        mark(false);
    }

    fn kwargs(&self, number: Option<u64>) -> String {
        self.0.kwargs(number)
    }
}

/// The interpreter from outside; knows what its tests' threads are called.
struct Interpreter(Vec<String>);

impl Outside for Interpreter {
    fn touch(&self) {
        interpreter::attach();
        interpreter::detach();
    }

    fn stacks(&self) -> String {
        format!("threads of {}", self.0.join(", "))
    }
}

#[derive(Debug)]
struct MadeThread {
    name: String,
    in_iteration: Arc<AtomicBool>,
}

impl NativeHost {
    /// A host for the tests of a catalogue.
    pub fn new(catalogue: Catalogue) -> Self {
        Self {
            catalogue,
            outbox: None,
            worker: 0,
            debug: false,
            tests: Vec::new(),
            startup_tried: false,
            threads: Vec::new(),
        }
    }

    fn log(&self, level: &str, level_number: u32, message: String) {
        if level_number < 20 && !self.debug {
            return;
        }
        self.outbox.as_ref().expect("connect comes first").log(LogRecord {
            wall_ns: clock::wall_ns(),
            process: format!("Worker-{}", self.worker + 1),
            thread: "MainThread".to_owned(),
            level: level.to_owned(),
            level_number,
            message,
        });
    }

    fn load_one(&self, load: &Load, test: usize) -> Result<(TestInfo, Loaded), LoadError> {
        let plan = &load.tests[test];
        let wrong = |fault, message| LoadError {
            fault,
            message,
            hint: None,
            traceback: String::new(),
        };
        let mut entry = Entry::new(plan.target.path(), &plan.kwargs, load.worker);
        let made = entry.number("max_duration_ms").and_then(|max_duration_ms| {
            let made = (self.catalogue)(&mut entry)?;
            // Nobody knows the kwargs of a test that does not exist.
            if made.is_some() {
                entry.end()?;
            }
            Ok((max_duration_ms, made))
        });
        let (max_duration_ms, made) =
            made.map_err(|error| wrong(LoadFault::Kwargs, format!("{}: {error}", plan.target.path())))?;
        let Some(made) = made else {
            let message = format!("there is no native test `{}`", plan.target.path());
            return Err(wrong(LoadFault::NotFound, message));
        };
        let name = plan.target.short_name();
        let kwargs = plan.kwargs.iter().cloned();
        let kwargs = Value::Map(kwargs.map(|(key, value)| (Value::Str(key), value)).collect());
        let info = TestInfo {
            label: format!("<{name} kwargs={kwargs}>"),
            summary: made.summary(),
            max_duration_ns: max_duration_ms.map(|ms| ms.saturating_mul(1_000_000)),
            shape: shape(plan).map_err(|message| wrong(LoadFault::Shape, message))?,
            ..TestInfo::default()
        };
        let loaded = Loaded {
            class: plan.target.path().to_owned(),
            // Numbered, so that a thread's name tells its test also where a class stands in the plan twice.
            thread_name: format!("{name}#{}", test + 1),
            case: Arc::new(Marked(made)),
            threads: 0,
        };
        Ok((info, loaded))
    }

    fn loaded(&self, test: usize) -> &Loaded {
        let loaded = self.tests.get(test).and_then(Option::as_ref);
        loaded.expect("the manager starts only tests that were loaded")
    }

    /// Counts a thread to its test, unless the test wants no more of them.
    fn count_thread(&mut self, name: &str) -> Result<(), HostError> {
        let of_thread = name.rsplit_once('-').map_or(name, |(test, _)| test);
        let mut tests = self.tests.iter_mut().flatten();
        if let Some(test) = tests.find(|test| test.thread_name == of_thread) {
            if !test.case.0.allows_thread(test.threads) {
                return Err(HostError(format!("{} has {} threads", test.class, test.threads)));
            }
            test.threads += 1;
        }
        Ok(())
    }
}

/// What stands for a Python function here: rates a second apart, `0,50,50,0`.
fn shape(plan: &TestPlan) -> Result<Option<Samples>, String> {
    let Model::Open(open) = &plan.model else {
        return Ok(None);
    };
    let Source::Shape(shape) = &open.source else {
        return Ok(None);
    };
    let rate = |text: &str| match text {
        "0" => Ok(Rate::ZERO),
        _ => Rate::parse(text).map_err(|error| error.to_string()),
    };
    let rates = shape.function.split(',').map(rate).collect::<Result<_, _>>()?;
    Ok(Some(Samples {
        step_ns: NANOS_PER_SEC,
        rates,
    }))
}

impl Host for NativeHost {
    fn interpreter(&self) -> (String, bool) {
        ("native".to_owned(), false)
    }

    fn connect(&mut self, outbox: Outbox) {
        self.outbox = Some(outbox);
        // From here on this thread runs user code, except where it waits.
        interpreter::attach();
    }

    fn collect(&mut self, load: &Load) -> Vec<Result<Vec<CollectedItem>, LoadError>> {
        load.tests.iter().map(|_| Ok(Vec::new())).collect()
    }

    fn load(
        &mut self,
        load: &Load,
        _recordings: &[Option<Arc<Recording>>],
        _rows: &[Option<Arc<Rows>>],
    ) -> Vec<Result<TestInfo, LoadError>> {
        (self.worker, self.debug) = (load.worker, load.debug);
        let mut answers = Vec::with_capacity(load.tests.len());
        for test in 0..load.tests.len() {
            let (answer, loaded) = match self.load_one(load, test) {
                Ok((info, loaded)) => (Ok(info), Some(loaded)),
                Err(error) => (Err(error), None),
            };
            answers.push(answer);
            self.tests.push(loaded);
        }
        answers
    }

    fn startup(&mut self) -> Vec<Option<StartupError>> {
        self.startup_tried = true;
        let mut answers = Vec::with_capacity(self.tests.len());
        for test in &self.tests {
            let Some(test) = test else {
                answers.push(None);
                continue;
            };
            self.log("DEBUG", 10, format!("{}: startup", test.class));
            let answer = test.case.0.startup().err();
            answers.push(answer.map(|message| StartupError {
                class: test.class.clone(),
                message,
                traceback: String::new(),
            }));
        }
        answers
    }

    fn case(&self, test: usize) -> Arc<dyn TestCase> {
        let case: Arc<Marked> = Arc::clone(&self.loaded(test).case);
        case
    }

    fn thread_name(&self, test: usize) -> String {
        self.loaded(test).thread_name.clone()
    }

    fn spawn(&mut self, thread: PoolThread) -> Result<(), HostError> {
        let name = thread.name.clone();
        self.count_thread(&name)?;
        let in_iteration = Arc::<AtomicBool>::default();
        let mine = Arc::clone(&in_iteration);
        let life = move || {
            IN_ITERATION.replace(mine);
            interpreter::attach();
            thread.run(&Attached);
            interpreter::detach();
        };
        // Not joined by anyone: a thread that hangs must not hold up the end of the process.
        std::thread::Builder::new()
            .name(name.clone())
            .spawn(life)
            .map_err(|error| HostError(error.to_string()))?;
        self.threads.push(MadeThread { name, in_iteration });
        Ok(())
    }

    /// Rust cannot look into another thread's stack, so the names have to do.
    fn log_stacks(&mut self, tests: &[usize]) {
        let of_tests: Vec<String> = tests.iter().map(|test| self.thread_name(*test)).collect();
        for thread in &self.threads {
            let test = thread.name.rsplit_once('-').map_or("", |(test, _)| test);
            if thread.in_iteration.load(Ordering::Relaxed) && of_tests.iter().any(|name| name == test) {
                let name = &thread.name;
                let message = format!("thread {name} still runs after the grace period and is abandoned");
                self.log("ERROR", 40, message);
            }
        }
    }

    /// As much as the names have to do for a stack.
    fn stacks(&mut self, overruns: &[(usize, &Overrun)]) -> Vec<Option<String>> {
        let stack = |(_, overrun): &(usize, &Overrun)| Some(format!("in {}", overrun.thread));
        overruns.iter().map(stack).collect()
    }

    fn outside(&self) -> Option<Arc<dyn Outside>> {
        let names = self.tests.iter().flatten().map(|test| test.thread_name.clone());
        Some(Arc::new(Interpreter(names.collect())))
    }

    fn shutdown(&mut self) {
        if !self.startup_tried {
            return;
        }
        for test in self.tests.iter().flatten() {
            self.log("DEBUG", 10, format!("{}: shutdown", test.class));
            test.case.0.shutdown();
        }
    }

    fn wait<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R {
        interpreter::without(wait)
    }
}
