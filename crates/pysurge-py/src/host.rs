//! A worker's interpreter: loads classes, runs `startup` and `shutdown`, makes threads, by way of the package's Python
//! helpers in `pysurge._worker`.

use crate::case::{Form, Hooks, PyTestCase};
use crate::forks::end_child;
use crate::input::{Fed, Input, RowAs, RowSource, put_row};
use crate::outside::{Interpreter, name_thread};
use crate::pytest;
use crate::tasks::TaskRunner;
use crate::teller::{Level, Reporter, Teller};
use crate::thread::{Attached, PoolThreadHandle};
use crate::values::{kwargs_dict, tuple_of};
use pyo3::exceptions::{PyOSError, PyRecursionError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use pysurge_core::event::Stream;
use pysurge_core::plan::{DataSource, Model, Samples, Source, Target, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::replay::Recording;
use pysurge_core::wire::{
    CollectedItem, Load, LoadError, LoadFault, LogRecord, PrintedLine, StartupError, TestInfo,
};
use pysurge_engine::worker::{Ending, Outbox, PoolThread, TaskPool, serve as serve_manager};
use pysurge_engine::{Host, HostError, Outside, Overrun, Rows, TestCase, clock};
use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Serves the manager at the other end of the socket `fd`, with the Python half of a worker; returns whether the interpreter
/// can be finalized.
#[pyfunction]
pub(crate) fn serve(fd: i32, helpers: Py<PyAny>) -> PyResult<bool> {
    // SAFETY: the caller, pysurge._worker, duplicated this descriptor for us and does not use it any more.
    #[expect(unsafe_code, reason = "a descriptor crosses from Python as a number")]
    let channel = UnixStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    let mut host = PyHost {
        helpers,
        outbox: None,
        worker: 0,
        debug: false,
        tests: Vec::new(),
    };
    let ending = serve_manager(&mut host, channel, end_process)
        .map_err(|error| PyOSError::new_err(error.to_string()))?;
    Ok(ending == Ending::Clean)
}

/// Ends this worker and what it started, at once: it leads a process group of its own.
fn end_process() {
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    let _ = kill_process(getpid(), Signal::KILL);
}

/// So many exceptions of signal handlers are borne in one call: an alarm may come every millisecond.
const MAX_HANDLERS: u32 = 20;

/// Python's own, and what ours needs many times over.
const RECURSION_LIMIT: u32 = 1_000;

/// Sets it where it is lower; false where it was not.
fn raise_recursion_limit(py: Python<'_>) -> bool {
    let raised = py.import("sys").and_then(|sys| {
        let is_low = sys.call_method0("getrecursionlimit")?.extract::<u32>()? < RECURSION_LIMIT;
        if is_low {
            sys.call_method1("setrecursionlimit", (RECURSION_LIMIT,))?;
        }
        Ok(is_low)
    });
    raised.unwrap_or(false)
}

/// Whether an exception came out of code of the user's in the middle of ours.
fn is_of_handler(py: Python<'_>, error: &PyErr) -> bool {
    if let Some(traceback) = error.traceback(py) {
        drop(error.value(py).setattr("__traceback__", traceback));
    }
    let asked = py.import("pysurge._tracebacks").and_then(|module| {
        module
            .call_method1("is_of_handler", (error.value(py),))?
            .extract()
    });
    asked.unwrap_or(false)
}

struct LoadedTest {
    case: Arc<PyTestCase>,
    thread_name: String,
    is_coroutine: bool,
}

struct PyHost {
    helpers: Py<PyAny>,
    outbox: Option<Outbox>,
    worker: u32,
    debug: bool,
    tests: Vec<Option<LoadedTest>>,
}

/// Sends log lines about iterations to the manager.
#[derive(Clone)]
struct ToManager {
    outbox: Outbox,
    process: String,
}

impl ToManager {
    fn send(&self, wall_ns: u64, thread: &str, level: &str, level_number: u32, message: String) {
        self.outbox.log(LogRecord {
            wall_ns,
            process: self.process.clone(),
            thread: thread.to_owned(),
            level: level.to_owned(),
            level_number,
            message,
        });
    }
}

impl Reporter for ToManager {
    fn log(&self, level: Level, thread: &str, message: String) {
        let (name, number) = match level {
            Level::Debug => ("DEBUG", 10),
            Level::Warning => ("WARNING", 30),
            Level::Error => ("ERROR", 40),
        };
        self.send(clock::wall_ns(), thread, name, number, message);
    }
}

/// What the package's log handler calls.
#[pyclass(frozen, name = "LogSender", module = "pysurge._engine")]
#[derive(Clone)]
struct LogSender(ToManager);

#[pymethods]
impl LogSender {
    /// Sends a record: seconds since 1970, thread name, level name, level number, formatted message.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time after 1970 and a level from 0 up"
    )]
    fn __call__(&self, created_s: f64, thread: &str, level: &str, level_number: i64, message: String) {
        let level_number = u32::try_from(level_number.max(0)).unwrap_or(u32::MAX);
        self.0
            .send((created_s * 1e9) as u64, thread, level, level_number, message);
    }

    /// Sends a line that was printed: whether to standard output (else to standard error), thread name, the line.
    fn print(&self, is_stdout: bool, thread: &str, line: String) {
        self.0.outbox.print(PrintedLine {
            wall_ns: clock::wall_ns(),
            thread: thread.to_owned(),
            stream: if is_stdout { Stream::Stdout } else { Stream::Stderr },
            line,
        });
    }
}

impl PyHost {
    fn reporter(&self) -> ToManager {
        ToManager {
            outbox: self.outbox.clone().expect("connect comes first"),
            process: format!("Worker-{}", self.worker + 1),
        }
    }

    /// Calls a helper; what it raises is a bug of ours and is told as such.
    fn help<T>(&self, what: &str, call: impl Fn(Python<'_>, &Bound<'_, PyAny>) -> PyResult<T>) -> Option<T> {
        Python::attach(|py| {
            let result = self.call(py, call);
            end_child(py);
            match result {
                Ok(value) => Some(value),
                Err(error) => {
                    let message = format!("internal error of pysurge in {what}: {error}");
                    self.reporter().log(Level::Error, "MainThread", message);
                    None
                }
            }
        })
    }

    /// Calls a helper on the main thread, and once more where user code was in its way: a signal handler that raised in the middle of
    /// it, a recursion limit of next to nothing.
    fn call<T>(
        &self,
        py: Python<'_>,
        call: impl Fn(Python<'_>, &Bound<'_, PyAny>) -> PyResult<T>,
    ) -> PyResult<T> {
        for _ in 0..MAX_HANDLERS {
            let result = call(py, self.helpers.bind(py));
            let Err(error) = &result else { return result };
            let message = if error.is_instance_of::<PyRecursionError>(py) && raise_recursion_limit(py) {
                format!(
                    "the recursion limit that user code has set is too low: it is {RECURSION_LIMIT} again"
                )
            } else if is_of_handler(py, error) {
                format!("a signal handler raised {error}; nobody is there to catch it, and the run goes on")
            } else {
                return result;
            };
            self.reporter().log(Level::Error, "MainThread", message);
        }
        call(py, self.helpers.bind(py))
    }

    /// Sets up logging and the import path, once.
    fn prepare(&mut self, load: &Load) {
        (self.worker, self.debug) = (load.worker, load.debug);
        let sender = LogSender(self.reporter());
        self.help("prepare", |py, helpers| {
            let (first, last) = (
                tuple_of(py, &load.import_first)?,
                tuple_of(py, &load.import_last)?,
            );
            helpers.call_method1(
                "prepare",
                (
                    sender.0.process.clone(),
                    Py::new(py, sender.clone())?,
                    load.debug,
                    first,
                    last,
                ),
            )?;
            Ok(())
        });
    }

    fn sample(&self, py: Python<'_>, function: &str, duration_s: Option<f64>) -> Result<Samples, LoadError> {
        let wrong = |message: String| LoadError {
            fault: LoadFault::Shape,
            message,
            hint: None,
            traceback: String::new(),
        };
        let answer = self
            .helpers
            .bind(py)
            .call_method1("sample", (function, duration_s))
            .map_err(|error| wrong(format!("internal error of pysurge while sampling: {error}")))?;
        if let Some(problem) = problem(&answer) {
            return Err(problem);
        }
        let (step_ns, rates) = answer
            .extract::<(u64, Vec<f64>)>()
            .map_err(|error| wrong(format!("internal error of pysurge while sampling: {error}")))?;
        let rate = |per_s: f64| {
            // What rounds to nothing is nothing: a shape may come down to zero as it likes.
            Rate::from_per_s(per_s).or(match per_s {
                0.0..1e-9 => Ok(Rate::ZERO),
                _ => Err(wrong(format!(
                    "shape `{function}` gave {per_s}, which is no rate"
                ))),
            })
        };
        let rates = rates.into_iter().map(rate).collect::<Result<_, _>>()?;
        Ok(Samples { step_ns, rates })
    }

    fn load_one(
        &self,
        py: Python<'_>,
        load: &Load,
        test: usize,
        recording: Option<&Arc<Recording>>,
        rows: Option<&Arc<Rows>>,
    ) -> Result<(TestInfo, LoadedTest), LoadError> {
        let plan = &load.tests[test];
        let broken = |error: PyErr| LoadError {
            fault: LoadFault::Kwargs,
            message: format!("the kwargs cannot be handed to a worker: {error}"),
            hint: None,
            traceback: String::new(),
        };
        let internal = |error: PyErr| LoadError {
            fault: LoadFault::Instance,
            message: format!("internal error of pysurge while loading: {error}"),
            hint: None,
            traceback: String::new(),
        };
        let kwargs = kwargs_dict(py, &plan.kwargs).map_err(broken)?;
        let row = PyDict::new(py);
        if let Some(recording) = recording {
            put_row(&row, recording, 0).map_err(internal)?;
        }
        let source = self.row_source(py, plan, rows)?;
        let first = source.as_ref().map(|source| source.dict(py, 0));
        let first = first.transpose().map_err(internal)?;
        let helpers = self.helpers.bind(py);
        let path = plan.target.path();
        let answer = match &plan.target {
            Target::Class(_) => helpers.call_method1("load", (path, &kwargs, row, first, true)),
            Target::Object(_) => helpers.call_method1("load", (path, &kwargs, row, first, false)),
            Target::Pytest(_) => helpers.call_method1("load_item", (path, first.is_some())),
        };
        end_child(py);
        let answer = answer.map_err(internal)?;
        if let Some(problem) = problem(&answer) {
            return Err(problem);
        }
        let found = answer.extract::<Found<'_>>().map_err(internal)?;
        let info = TestInfo {
            label: found.label.clone(),
            summary: found.summary.clone(),
            max_duration_ns: found.max_duration_s.map(to_ns),
            shape: match function_to_sample(load, test) {
                Some(function) => Some(self.sample(py, function, horizon_s(load, test))?),
                None => None,
            },
            rows: source.as_ref().map(|source| source.count(py)),
            coroutine: found.is_coroutine,
            notes: found.notes.clone(),
        };
        let fed = source.map(|source| found.fed(source));
        let input = Input::new(&kwargs, recording.cloned(), fed).written(&plan.kwargs);
        let teller =
            Teller::new(py, found.label.clone(), load.debug, Box::new(self.reporter())).map_err(internal)?;
        let thread_name = thread_name(&found.name, load, test);
        let case = PyTestCase::new(found.make.clone().unbind(), found.form(), input, teller);
        let case = Arc::new(case);
        let loaded = LoadedTest {
            case,
            thread_name,
            is_coroutine: found.is_coroutine,
        };
        Ok((info, loaded))
    }
}

impl PyHost {
    /// Where the rows of a test are, where it has any: in a file that the worker has opened, or in a list of objects.
    fn row_source(
        &self,
        py: Python<'_>,
        plan: &TestPlan,
        rows: Option<&Arc<Rows>>,
    ) -> Result<Option<RowSource>, LoadError> {
        let Some(data) = &plan.data else {
            return Ok(None);
        };
        let DataSource::Iterable(name) = &data.source else {
            return Ok(rows.map(|rows| RowSource::file(py, Arc::clone(rows))));
        };
        let internal = |error: PyErr| LoadError {
            fault: LoadFault::Data,
            message: format!("internal error of pysurge while reading rows: {error}"),
            hint: None,
            traceback: String::new(),
        };
        let answer = self.helpers.bind(py).call_method1("rows", (name,));
        let answer = answer.map_err(internal)?;
        if let Some(problem) = problem(&answer) {
            return Err(problem);
        }
        let (rows,) = answer.extract::<(Bound<'_, PyList>,)>().map_err(internal)?;
        Ok(Some(RowSource::Objects {
            rows: rows.unbind(),
            data: data.clone(),
        }))
    }
}

/// What the Python half says of a test it loaded: `pysurge._loader.Loaded`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether one thing is there"
)]
#[derive(FromPyObject)]
struct Found<'py> {
    make: Bound<'py, PyAny>,
    is_function: bool,
    is_coroutine: bool,
    name: String,
    label: String,
    summary: String,
    max_duration_s: Option<f64>,
    has_setup: bool,
    has_teardown: bool,
    own_metrics: bool,
    columns: Option<Vec<String>>,
    row_as: String,
    of_pytest: bool,
    notes: Vec<String>,
}

impl Found<'_> {
    fn fed(&self, source: RowSource) -> Fed {
        Fed {
            source,
            columns: self.columns.clone(),
            row_as: match self.row_as.as_str() {
                "attribute" => RowAs::Attribute,
                "argument" => RowAs::Argument,
                _ => RowAs::Nowhere,
            },
        }
    }

    fn form(&self) -> Form {
        if self.is_function {
            return Form::Function;
        }
        Form::Instances(Hooks {
            setup: self.has_setup,
            teardown: self.has_teardown,
            own_metrics: self.own_metrics,
            of_pytest: self.of_pytest,
        })
    }
}

/// What the threads of a test are called: numbered where several tests of the plan are called alike, as the same class twice or a test of
/// pytest with its parameters, so that a thread's name tells its test.
fn thread_name(name: &str, load: &Load, test: usize) -> String {
    let called = |test: usize| load.tests[test].target.short_name().split('[').next();
    let same = |other: &usize| called(*other) == called(test);
    if (0..load.tests.len()).filter(same).count() > 1 {
        format!("{name}#{}", (0..=test).filter(same).count())
    } else {
        name.to_owned()
    }
}

/// What a helper says is wrong, where it does.
pub(crate) fn problem(answer: &Bound<'_, PyAny>) -> Option<LoadError> {
    let (fault, message, hint, traceback) = answer
        .extract::<(String, String, Option<String>, String)>()
        .ok()?;
    let fault = match fault.as_str() {
        "not_found" => LoadFault::NotFound,
        "import" => LoadFault::Import,
        "not_a_test_case" => LoadFault::NotATestCase,
        "kwargs" => LoadFault::Kwargs,
        "shape" => LoadFault::Shape,
        "data" => LoadFault::Data,
        "collect" => LoadFault::Collect,
        _ => LoadFault::Instance,
    };
    Some(LoadError {
        fault,
        message,
        hint,
        traceback,
    })
}

/// The function that gives a test's rate. One worker samples for all: a function that is not the same everywhere must not
/// make workers disagree about the plan.
fn function_to_sample(load: &Load, test: usize) -> Option<&str> {
    let Model::Open(open) = &load.tests[test].model else {
        return None;
    };
    match &open.source {
        Source::Shape(shape) if load.worker == 0 => Some(&shape.function),
        _ => None,
    }
}

/// How far a test's shape is to be sampled, seconds since its own start; `None` where nobody says.
#[expect(clippy::cast_precision_loss, reason = "seconds for Python are floats")]
fn horizon_s(load: &Load, test: usize) -> Option<f64> {
    let test = &load.tests[test];
    let end_ns = test.end_ns(load.duration_ns)?;
    Some(end_ns.saturating_sub(test.start_delay_ns) as f64 / 1e9)
}

/// Seconds at Python's edge to nanoseconds; the helper has checked that they are positive and finite.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
fn to_ns(seconds: f64) -> u64 {
    (seconds * 1e9).ceil() as u64
}

impl Host for PyHost {
    fn interpreter(&self) -> (String, bool) {
        Python::attach(|py| {
            let version = py.version_info();
            let free_threaded = py
                .import("sys")
                .and_then(|sys| sys.call_method0("_is_gil_enabled")?.extract::<bool>());
            (
                format!("{}.{}.{}", version.major, version.minor, version.patch),
                free_threaded.is_ok_and(|gil| !gil),
            )
        })
    }

    fn connect(&mut self, outbox: Outbox) {
        self.outbox = Some(outbox);
    }

    fn collect(&mut self, load: &Load) -> Vec<Result<Vec<CollectedItem>, LoadError>> {
        self.prepare(load);
        pytest::collect(&self.helpers, load)
    }

    fn load(
        &mut self,
        load: &Load,
        recordings: &[Option<Arc<Recording>>],
        rows: &[Option<Arc<Rows>>],
    ) -> Vec<Result<TestInfo, LoadError>> {
        self.prepare(load);
        self.help("open pytest", |_, helpers| pytest::open(helpers, load));
        let mut answers = Vec::with_capacity(load.tests.len());
        self.tests = Vec::with_capacity(load.tests.len());
        for test in 0..load.tests.len() {
            let recording = recordings.get(test).and_then(Option::as_ref);
            let rows = rows.get(test).and_then(Option::as_ref);
            let answer = Python::attach(|py| self.load_one(py, load, test, recording, rows));
            match answer {
                Ok((info, loaded)) => {
                    self.tests.push(Some(loaded));
                    answers.push(Ok(info));
                }
                Err(error) => {
                    self.tests.push(None);
                    answers.push(Err(error));
                }
            }
        }
        answers
    }

    fn startup(&mut self) -> Vec<Option<StartupError>> {
        type Answer = Option<(String, String, String)>;
        let answers = self.help("startup", |_, helpers| {
            helpers.call_method0("startup")?.extract::<Vec<Answer>>()
        });
        let failed = || {
            let message = "pysurge could not run it; the log says why".to_owned();
            Some(("the classes".to_owned(), message, String::new()))
        };
        let answers = answers.unwrap_or_else(|| vec![failed(); self.tests.len()]);
        let told = |answer: Answer| {
            answer.map(|(class, message, traceback)| StartupError {
                class,
                message,
                traceback,
            })
        };
        answers.into_iter().map(told).collect()
    }

    fn case(&self, test: usize) -> Arc<dyn TestCase> {
        let loaded = self.tests.get(test).and_then(Option::as_ref);
        loaded
            .map(|loaded| Arc::clone(&loaded.case))
            .expect("the manager starts only tests that were loaded")
    }

    fn thread_name(&self, test: usize) -> String {
        self.tests
            .get(test)
            .and_then(Option::as_ref)
            .map_or_else(String::new, |loaded| loaded.thread_name.clone())
    }

    fn spawn(&mut self, thread: PoolThread) -> Result<(), HostError> {
        Python::attach(|py| {
            let name = thread.name.clone();
            let handle = PoolThreadHandle::new(move |py| {
                name_thread(&thread.name);
                thread.run(&Attached(py));
            });
            let spawned = Py::new(py, handle).and_then(|handle| {
                // Where its thread lives already, a second one finds nothing to do.
                self.call(py, |_, helpers| {
                    helpers.call_method1("spawn", (&name, &handle)).map(drop)
                })
            });
            spawned.map_err(|error| HostError(error.value(py).to_string()))
        })
    }

    fn runs_on_loop(&self, test: usize) -> bool {
        let loaded = self.tests.get(test).and_then(Option::as_ref);
        loaded.is_some_and(|loaded| loaded.is_coroutine)
    }

    fn start_tasks(&mut self, test: usize, tasks: TaskPool) -> Result<(), HostError> {
        let loaded = self.tests.get(test).and_then(Option::as_ref);
        let case = loaded.map(|loaded| Arc::clone(&loaded.case));
        let case = case.expect("the manager starts only tests that were loaded");
        Python::attach(|py| TaskRunner::start(py, self.helpers.bind(py), tasks, case))
    }

    fn log_stacks(&mut self, tests: &[usize]) {
        let names: Vec<String> = tests.iter().map(|test| self.thread_name(*test)).collect();
        self.help("log_stacks", |_, helpers| {
            helpers.call_method1("log_stacks", (&names,)).map(drop)
        });
    }

    fn stacks(&mut self, overruns: &[(usize, &Overrun)]) -> Vec<Option<String>> {
        let wanted = |(test, overrun): &(usize, &Overrun)| {
            let started_ns = self.runs_on_loop(*test).then_some(overrun.started_ns);
            (self.thread_name(*test), overrun.thread.clone(), started_ns)
        };
        let wanted: Vec<_> = overruns.iter().map(wanted).collect();
        let stacks = self.help("stacks", |_, helpers| {
            helpers
                .call_method1("stacks", (wanted.clone(),))?
                .extract::<Vec<Option<String>>>()
        });
        stacks.unwrap_or_else(|| vec![None; overruns.len()])
    }

    fn outside(&self) -> Option<Arc<dyn Outside>> {
        let (_, free_threaded) = self.interpreter();
        if free_threaded {
            return None;
        }
        name_thread("MainThread");
        let found = self.help("stack_file", |py, helpers| {
            let file = helpers
                .call_method0("stack_file")?
                .extract::<Option<(i32, i32)>>()?;
            let package = py.import("pysurge._stacks")?.filename()?.to_string();
            Ok((file, package))
        });
        let (file, package) = found.unwrap_or_default();
        let package = package.rsplit_once('/').map_or("", |(folder, _)| folder);
        Some(Arc::new(Interpreter::new(file, format!("{package}/"))))
    }

    fn shutdown(&mut self) {
        self.help("shutdown", |_, helpers| {
            helpers.call_method0("shutdown").map(drop)
        });
    }

    fn wait<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R {
        Python::attach(|py| {
            end_child(py);
            py.detach(wait)
        })
    }
}
