//! Iterations of coroutine tests: tasks on the worker's event loop. The loop itself and the coroutines that drive iterations are Python
//! (`pysurge._loop`); what is timed, told and counted of them is here, each call a step of the driver.
//!
//! All of it but the waker runs on the loop's thread. No user code ever runs while a lock of an iteration is held.

use crate::base::TestCaseBase;
use crate::case::{Form, Hooks, Life, PyTestCase};
use crate::forks::{end_child, end_child_with};
use crate::outside::name_thread;
use crate::slot::Slot;
use crate::teller::returned_metrics;
use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pysurge_core::failure::Phase;
use pysurge_engine::worker::TaskPool;
use pysurge_engine::{HostError, LoopClock, Probe, Task};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What evidence and log lines call the thread that a loop runs on.
pub(crate) const LOOP_THREAD: &str = "event-loop";

/// Wakes an event loop from any thread: a socket that the loop watches. Never more than one byte is on its way.
#[pyclass(frozen, module = "pysurge._engine")]
pub(crate) struct LoopWaker {
    ends: Arc<Ends>,
    clock: Arc<LoopClock>,
}

struct Ends {
    ours: UnixStream,
    theirs: UnixStream,
    is_on_its_way: AtomicBool,
}

impl Ends {
    fn wake(&self) {
        if !self.is_on_its_way.swap(true, Ordering::AcqRel) {
            // It has room for one byte, unless the loop is gone.
            let _ = (&self.ours).write(&[0]);
        }
    }
}

#[pymethods]
impl LoopWaker {
    #[new]
    fn new() -> PyResult<Self> {
        let pair = UnixStream::pair().and_then(|(ours, theirs)| {
            ours.set_nonblocking(true)?;
            theirs.set_nonblocking(true)?;
            Ok((ours, theirs))
        });
        let (ours, theirs) = pair.map_err(|error| PyOSError::new_err(error.to_string()))?;
        Ok(Self {
            ends: Arc::new(Ends {
                ours,
                theirs,
                is_on_its_way: AtomicBool::new(false),
            }),
            clock: Arc::default(),
        })
    }

    /// What the loop is to watch for reading.
    fn fileno(&self) -> i32 {
        self.ends.theirs.as_raw_fd()
    }

    /// Takes the wake-up; whoever calls looks at the runners afterwards.
    fn drain(&self, py: Python<'_>) {
        // The byte is the parent's.
        end_child(py);
        name_thread(LOOP_THREAD);
        let mut buffer = [0; 16];
        while let Err(error) = (&self.ends.theirs).read(&mut buffer) {
            if error.kind() != ErrorKind::Interrupted {
                break;
            }
        }
        self.ends.is_on_its_way.store(false, Ordering::Release);
    }
}

/// The iterations of one test, as the loop sees them.
#[pyclass(frozen, module = "pysurge._engine")]
pub(crate) struct TaskRunner {
    shared: Arc<Runner>,
}

struct Runner {
    tasks: TaskPool,
    case: Arc<PyTestCase>,
    clock: Arc<LoopClock>,
}

impl TaskRunner {
    /// Hands a pool to the loop, by the Python helpers of the worker.
    pub(crate) fn start(
        py: Python<'_>,
        helpers: &Bound<'_, PyAny>,
        tasks: TaskPool,
        case: Arc<PyTestCase>,
    ) -> Result<(), HostError> {
        let refused = |error: PyErr| HostError(error.value(py).to_string());
        let waker = helpers.call_method0(intern!(py, "loop_waker")).map_err(refused)?;
        let waker = waker
            .cast_into::<LoopWaker>()
            .map_err(|error| refused(error.into()))?;
        let ends = Arc::clone(&waker.get().ends);
        let shared = Arc::new(Runner {
            tasks,
            case,
            clock: Arc::clone(&waker.get().clock),
        });
        let runner = Self {
            shared: Arc::clone(&shared),
        };
        helpers
            .call_method1(intern!(py, "start_tasks"), (runner,))
            .map_err(refused)?;
        shared.tasks.lead(LOOP_THREAD, Box::new(move || ends.wake()))
    }
}

#[pymethods]
impl TaskRunner {
    /// What its iterations are called.
    #[getter]
    fn name(&self) -> &str {
        &self.shared.tasks.name
    }

    /// Whether an iteration is more than one coroutine: it has a setup or a teardown.
    #[getter]
    fn has_hooks(&self) -> bool {
        self.shared
            .hooks()
            .is_some_and(|hooks| hooks.setup || hooks.teardown)
    }

    /// Whether the hard stop has come: what is left is to be cancelled.
    #[getter]
    fn is_interrupted(&self) -> bool {
        self.shared.tasks.is_interrupted()
    }

    /// Whether nothing is planned and nothing in flight.
    #[getter]
    fn is_over(&self) -> bool {
        self.shared.tasks.is_over()
    }

    /// Claims what is due, at most a batch; the second value says that more may be due.
    fn claim(&self, py: Python<'_>) -> (Vec<TaskIteration>, bool) {
        end_child(py);
        let mut claimed = Vec::new();
        let more = self.shared.tasks.claim(&mut claimed);
        let iteration = |task| TaskIteration {
            runner: Arc::clone(&self.shared),
            state: Mutex::new(State {
                task: Some(task),
                instance: None,
                slot: None,
            }),
        };
        (claimed.into_iter().map(iteration).collect(), more)
    }
}

impl Runner {
    /// `None` of a function.
    fn hooks(&self) -> Option<Hooks> {
        match self.case.form {
            Form::Instances(hooks) => Some(hooks),
            Form::Function => None,
        }
    }
}

/// One iteration on its way. Its driver calls `begin` first and `end` last, whatever happens.
#[pyclass(frozen, module = "pysurge._engine")]
pub(crate) struct TaskIteration {
    runner: Arc<Runner>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    task: Option<Task>,
    instance: Option<Py<PyAny>>,
    slot: Option<Py<Slot>>,
}

#[pymethods]
impl TaskIteration {
    /// Whether it has taken its first step.
    #[getter]
    fn has_begun(&self) -> bool {
        self.state.lock().task.as_ref().is_some_and(Task::has_begun)
    }

    /// When it took its first step; 0 before, and while something is told of it.
    #[getter]
    fn started_ns(&self) -> u64 {
        self.state.lock().task.as_ref().map_or(0, Task::started_ns)
    }

    /// Whether the class has a setup of its own.
    #[getter]
    fn has_setup(&self) -> bool {
        self.runner.hooks().is_some_and(|hooks| hooks.setup)
    }

    /// Whether the class has a teardown of its own.
    #[getter]
    fn has_teardown(&self) -> bool {
        self.runner.hooks().is_some_and(|hooks| hooks.teardown)
    }

    /// The first step, in the context of its task. Gives what is to be awaited next, or the instance where there are hooks; None where
    /// there is nothing to be done any more.
    fn begin(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let mut state = std::mem::take(&mut *self.state.lock());
        let task = state.task.as_mut()?;
        let begun = self.runner.tasks.begin(task);
        if begun {
            state.slot = Slot::enter(py).ok();
        }
        let next = begun.then(|| self.runner.make(py, &mut state)).flatten();
        *self.state.lock() = state;
        next
    }

    /// The setup has ended, or there is none; says whether the iteration goes on.
    fn set_up(&self, py: Python<'_>, had_setup: bool) -> bool {
        self.with(py, |telling, probe| {
            if had_setup {
                probe.end(Phase::Setup);
            }
            let failed = telling.fail_checks(probe, Phase::Setup);
            telling.debug(probe, "in run()");
            probe.begin();
            !failed
        })
    }

    /// The run has ended without an exception.
    fn ran(&self, py: Python<'_>, returned: &Bound<'_, PyAny>) {
        self.with(py, |telling, probe| {
            probe.end(Phase::Run);
            if telling.fail_checks(probe, Phase::Run) {
                return;
            }
            let teller = &telling.runner.case.teller;
            match &telling.life {
                Some(life) => {
                    if let Some(metrics) = life.metrics() {
                        teller.passed(py, probe, &metrics);
                    }
                }
                None => {
                    if let Some(metrics) = returned_metrics(returned) {
                        teller.passed(py, probe, metrics);
                    }
                }
            }
            telling.debug(probe, "passed");
        });
    }

    /// The teardown begins.
    fn tear_down(&self, py: Python<'_>) {
        self.with(py, |telling, probe| {
            telling.debug(probe, "in teardown()");
            probe.begin();
        });
    }

    /// The teardown has ended without an exception.
    fn torn_down(&self, py: Python<'_>) {
        self.with(py, |telling, probe| {
            probe.end(Phase::Teardown);
            telling.fail_checks(probe, Phase::Teardown);
        });
    }

    /// A phase, `setup`, `run` or `teardown`, has ended with an exception. What ends after the hard stop is told nobody.
    fn failed(&self, py: Python<'_>, phase: &str, error: Bound<'_, PyAny>) {
        end_child_with::<()>(py, &Err(PyErr::from_value(error.clone())));
        if self.runner.tasks.is_interrupted() {
            return;
        }
        let phase = match phase {
            "setup" => Phase::Setup,
            "teardown" => Phase::Teardown,
            _ => Phase::Run,
        };
        let error = PyErr::from_value(error);
        self.with(py, |telling, probe| {
            probe.end(phase);
            telling.fail(probe, phase, &error);
        });
    }

    /// The last step. Says whether the loop is to look at once for what is due.
    fn end(&self, py: Python<'_>) -> bool {
        self.with(py, |telling, probe| {
            telling.hand_over(probe);
        });
        let State { task, instance, slot } = std::mem::take(&mut *self.state.lock());
        // A destructor is user code, and so is part of the iteration.
        drop((instance, slot));
        task.is_some_and(|task| self.runner.tasks.end(task, &self.runner.clock))
    }
}

impl TaskIteration {
    /// Lets something be told. The state is taken out meanwhile: what is told may run user code.
    fn with<R: Default>(
        &self,
        py: Python<'_>,
        what: impl FnOnce(&Telling<'_, '_>, &mut Probe<'_>) -> R,
    ) -> R {
        end_child(py);
        let State { task, instance, slot } = std::mem::take(&mut *self.state.lock());
        let Some(mut task) = task.filter(Task::has_begun) else {
            return R::default();
        };
        let result = {
            let bound = instance.as_ref().map(|instance| instance.bind(py));
            let telling = Telling::new(py, &self.runner, bound, slot.as_ref());
            self.runner
                .tasks
                .probe(&mut task, LOOP_THREAD, |probe| what(&telling, probe))
        };
        *self.state.lock() = State {
            task: Some(task),
            instance,
            slot,
        };
        result
    }
}

impl Runner {
    /// Makes the instance, or calls the function or `run` where that is all there is.
    fn make(&self, py: Python<'_>, state: &mut State) -> Option<Py<PyAny>> {
        let State { task, instance, slot } = state;
        let task = task.as_mut()?;
        self.tasks.probe(task, LOOP_THREAD, |probe| {
            let Some(hooks) = self.hooks() else {
                return self.call(py, probe, slot.as_ref());
            };
            let made = self.case.instance(py, probe);
            end_child_with(py, &made);
            let made = match made {
                Ok(made) => made,
                Err(error) => {
                    self.case.teller.fail(py, probe, Phase::Init, &error, None);
                    return None;
                }
            };
            let made = &*instance.insert(made.unbind());
            let telling = Telling::new(py, self, Some(made.bind(py)), slot.as_ref());
            if hooks.setup || hooks.teardown {
                if hooks.setup {
                    telling.debug(probe, "in setup()");
                }
                probe.begin();
                return Some(made.clone_ref(py));
            }
            if telling.fail_checks(probe, Phase::Setup) {
                return None;
            }
            telling.debug(probe, "in run()");
            probe.begin();
            match made.bind(py).call_method0(intern!(py, "run")) {
                Ok(coroutine) => Some(coroutine.unbind()),
                Err(error) => {
                    probe.end(Phase::Run);
                    telling.fail(probe, Phase::Run, &error);
                    None
                }
            }
        })
    }

    /// Calls the function.
    fn call(&self, py: Python<'_>, probe: &mut Probe<'_>, slot: Option<&Py<Slot>>) -> Option<Py<PyAny>> {
        let call = match self.case.input.of(py, probe) {
            Ok(call) => call,
            Err(error) => {
                self.case.teller.fail(py, probe, Phase::Init, &error, None);
                return None;
            }
        };
        let telling = Telling::new(py, self, None, slot);
        telling.debug(probe, "called");
        probe.begin();
        let function = self.case.make.bind(py);
        let called = match &call.kwargs {
            Some(kwargs) => function.call((), Some(kwargs)),
            None => function.call0(),
        };
        match called {
            Ok(coroutine) => Some(coroutine.unbind()),
            Err(error) => {
                probe.end(Phase::Run);
                telling.fail(probe, Phase::Run, &error);
                None
            }
        }
    }
}

/// Tells of one iteration of a class or of a function.
struct Telling<'a, 'py> {
    py: Python<'py>,
    runner: &'a Runner,
    /// `None` of a function, and where no instance was made.
    life: Option<Life<'a, 'py>>,
    slot: Option<&'a Slot>,
}

impl<'a, 'py> Telling<'a, 'py> {
    fn new(
        py: Python<'py>,
        runner: &'a Runner,
        instance: Option<&'a Bound<'py, PyAny>>,
        slot: Option<&'a Py<Slot>>,
    ) -> Self {
        let slot = slot.map(Py::get);
        let life = instance.map(|instance| Life {
            py,
            teller: &runner.case.teller,
            hooks: runner.hooks().unwrap_or_default(),
            base: instance.cast::<TestCaseBase>().ok().map(Bound::get),
            slot,
            instance,
        });
        Self {
            py,
            runner,
            life,
            slot,
        }
    }

    fn fail(&self, probe: &mut Probe<'_>, phase: Phase, error: &PyErr) {
        if let Some(life) = &self.life {
            life.fail(probe, phase, error);
        } else {
            self.runner.case.teller.fail(self.py, probe, phase, error, None);
            self.fail_checks(probe, phase);
        }
    }

    fn fail_checks(&self, probe: &mut Probe<'_>, phase: Phase) -> bool {
        match (&self.life, self.slot) {
            (Some(life), _) => life.fail_checks(probe, phase),
            (None, Some(slot)) => {
                self.runner
                    .case
                    .teller
                    .fail_checks(self.py, probe, phase, slot.steps(), None)
            }
            (None, None) => false,
        }
    }

    fn debug(&self, probe: &mut Probe<'_>, what: &str) {
        match &self.life {
            Some(life) => life.debug(probe, what),
            None => self.runner.case.teller.debug(self.py, probe, None, what),
        }
    }

    fn hand_over(&self, probe: &mut Probe<'_>) {
        if let Some(base) = self.life.as_ref().and_then(|life| life.base) {
            base.steps().hand_over(self.py, probe);
        }
        if let Some(slot) = self.slot {
            slot.steps().hand_over(self.py, probe);
        }
    }
}
