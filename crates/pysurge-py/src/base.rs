//! `TestCase`: a native class, so that an iteration pays for no Python-level `__init__` and for a metrics dict only if it
//! has metrics. Its docstrings are the manual of the product.
#![expect(clippy::doc_markdown, reason = "these comments are Python docstrings")]
#![expect(
    clippy::unused_self,
    reason = "a hook is a method also where the default does nothing"
)]

use crate::steps::{Listener, Step, StepTimer, Steps};
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

/// Base class of what pysurge runs: write ``run``, and whatever of the rest the test needs.
///
/// One **iteration** is one life of one instance, on one thread, in this order: ``__init__``, ``setup``, ``run``, ``teardown``.
/// Iterations run concurrently, from many threads and processes, so what they share must be thread-safe.
///
/// ========================  ==================================================  =====================================
/// hook                      called                                              an exception in it
/// ========================  ==================================================  =====================================
/// ``startup`` (class)       once per class and worker process, before the load  the class does not run in that worker
/// ``__init__``, ``setup``   once per iteration, before the clock of ``run``     fails the iteration
/// ``run``                   once per iteration; its time is the service time    fails the iteration
/// ``teardown``              once per iteration, always, after the clock         is logged; the outcome stands
/// ``shutdown`` (class)      once per class and worker process, after the load   is logged
/// ========================  ==================================================  =====================================
///
/// Threads live as long as the run: what an iteration leaves in a ``threading.local`` is there for the next one on that
/// thread. What ``startup`` stores on the class is shared by all iterations of that process, also when the class stands in
/// the config more than once.
///
/// Where ``run`` is ``async def``, iterations are tasks on the one event loop of the worker, thousands at a time. The other hooks but
/// ``__init__`` may then be ``async def``, too, and run on that loop.
///
/// Example::
///
///     import requests
///     from pysurge import TestCase
///
///     class GetItem(TestCase):
///         """Reads one item."""
///
///         @classmethod
///         def startup(cls):
///             cls.session = requests.Session()
///
///         def run(self):
///             response = self.session.get(self.kwargs["url"], timeout=5)
///             self.check("status is 200", response.status_code == 200, fail=True)
///             self.metrics["bytes"] = len(response.content)
#[pyclass(subclass, frozen, name = "TestCase", module = "pysurge")]
pub(crate) struct TestCaseBase {
    held: Mutex<Held>,
    steps: Steps,
}

/// What an instance holds, under one lock: an instance is made for every iteration, so each word of it counts.
#[derive(Default)]
struct Held {
    kwargs: Option<Py<PyAny>>,
    metrics: Option<Py<PyAny>>,
}

/// Which of the two.
type Slot = fn(&mut Held) -> &mut Option<Py<PyAny>>;

const KWARGS: Slot = |held| &mut held.kwargs;
const METRICS: Slot = |held| &mut held.metrics;

/// `max_duration` where a test case does not say, in seconds: core's constant at Python's edge.
#[expect(clippy::cast_precision_loss, reason = "a small whole number of seconds")]
const DEFAULT_MAX_DURATION_S: f64 =
    (pysurge_core::plan::DEFAULT_MAX_DURATION_NS / pysurge_core::NANOS_PER_SEC) as f64;

impl TestCaseBase {
    /// The metrics, where the instance has any.
    pub(crate) fn stored_metrics(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let held = self.held.lock();
        held.metrics.as_ref().map(|metrics| metrics.clone_ref(py))
    }

    /// What a slot holds, made first where it holds nothing.
    fn stored_or(&self, py: Python<'_>, slot: Slot, fresh: impl FnOnce() -> Py<PyAny>) -> Py<PyAny> {
        if let Some(stored) = slot(&mut self.held.lock()) {
            return stored.clone_ref(py);
        }
        // Made outside the lock: making a dict may run the collector, and that any code.
        let made = fresh();
        slot(&mut self.held.lock()).get_or_insert(made).clone_ref(py)
    }

    fn store(&self, slot: Slot, object: Option<Py<PyAny>>) {
        let old = std::mem::replace(slot(&mut self.held.lock()), object);
        // Outside the lock: the end of an object may run any code.
        drop(old);
    }

    /// What the instance has told of checks, steps and counts.
    pub(crate) fn steps(&self) -> &Steps {
        &self.steps
    }
}

#[pymethods]
impl TestCaseBase {
    /// No test for pytest, where a module of tests imports this class or derives from it.
    #[classattr]
    fn __test__() -> bool {
        false
    }

    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(**kwargs)")]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            held: Mutex::default(),
            steps: Steps::default(),
        }
    }

    /// Takes the entry's ``kwargs`` of the config and keeps them as ``self.kwargs``.
    ///
    /// A subclass that has an ``__init__`` of its own calls ``super().__init__(**kwargs)``.
    #[pyo3(signature = (**kwargs))]
    fn __init__(&self, kwargs: Option<Bound<'_, PyDict>>) {
        self.store(KWARGS, kwargs.map(|kwargs| kwargs.into_any().unbind()));
    }

    /// The keyword arguments this instance was made with.
    #[getter]
    fn kwargs(&self, py: Python<'_>) -> Py<PyAny> {
        let fresh = || PyDict::new(py).into_any().unbind();
        self.stored_or(py, KWARGS, fresh)
    }

    #[setter]
    fn set_kwargs(&self, kwargs: Py<PyAny>) {
        self.store(KWARGS, Some(kwargs));
    }

    /// Figures of this iteration, name to int or float: ``self.metrics["bytes"] = 512``.
    ///
    /// Read after ``run`` has returned, and kept only when the iteration passed. The report shows count, mean, percentiles,
    /// least and greatest value of each name. At most 100 names per test are kept.
    #[getter]
    fn metrics(&self, py: Python<'_>) -> Py<PyAny> {
        let fresh = || PyDict::new(py).into_any().unbind();
        self.stored_or(py, METRICS, fresh)
    }

    #[setter]
    fn set_metrics(&self, metrics: Py<PyAny>) {
        self.store(METRICS, Some(metrics));
    }

    /// Counts, by name, whether something held: ``self.check("status is 200", response.status_code == 200)``.
    ///
    /// Returns whether it held. By itself a check changes nothing of the outcome; with ``fail=True`` one that does not hold fails the
    /// iteration, which goes on nevertheless: return from ``run`` where it should not. In ``setup`` such a failure means that ``run`` is not
    /// called; in ``teardown`` it is told and the outcome stands. Checks of all iterations count, passed or failed. At most 100 names per test
    /// are kept. May be called from any thread until the iteration has ended.
    #[pyo3(signature = (name, held, *, fail=false), text_signature = "($self, name, held, *, fail=False)")]
    fn check(
        &self,
        py: Python<'_>,
        name: Py<PyString>,
        held: &Bound<'_, PyAny>,
        fail: bool,
    ) -> PyResult<bool> {
        let held = held.is_truthy()?;
        self.steps.check(py, name, held, fail)?;
        Ok(held)
    }

    /// Times a step of the iteration: ``with self.timer("upload"): ...``, as often as wanted.
    ///
    /// The report shows count, mean, percentiles and maximum of each name. Steps of iterations that fail are shown apart from those of
    /// iterations that pass; a step that raises is timed up to there. At most 100 names per test are kept.
    #[pyo3(signature = (name), text_signature = "($self, name)")]
    fn timer(slf: &Bound<'_, Self>, name: Py<PyString>) -> StepTimer {
        StepTimer::new(Listener::Case(slf.clone().unbind()), name)
    }

    /// Adds to a count: ``self.count("bytes", len(body))``.
    ///
    /// The report shows the sum of each name and how much that is per second. Counts of all iterations are added up, passed or failed. What
    /// is no finite number is not added, and told. At most 100 names per test are kept.
    #[pyo3(signature = (name, number=1.0), text_signature = "($self, name, number=1)")]
    fn count(&self, name: Py<PyString>, number: f64) {
        self.steps.add(Step::Count(name, number));
    }

    /// Prepares what all iterations of this class share; called once per class and worker process, before the load, on the main
    /// thread.
    ///
    /// What it stores on the class is seen by every instance in that process. If it raises, the class does not run in that worker
    /// and the others take over its share; if it raises in all of them, the test is reported as not run.
    #[classmethod]
    fn startup(_cls: &Bound<'_, PyType>) {}

    /// Undoes what ``startup`` did; called once per class and worker process, after the load, on the main thread, also where
    /// ``startup`` raised.
    ///
    /// It has ten seconds; then the worker is ended.
    #[classmethod]
    fn shutdown(_cls: &Bound<'_, PyType>) {}

    /// Prepares one iteration; its time is measured, but is not part of the service time.
    fn setup(&self) {}

    /// The test itself: the one method a test case must have. Its time is the service time.
    ///
    /// Any exception fails the iteration; returning passes it, whatever is returned.
    fn run(slf: &Bound<'_, Self>) -> PyResult<()> {
        let name = slf.get_type().name()?.to_string();
        Err(pyo3::exceptions::PyNotImplementedError::new_err(format!(
            "{name} has no run()"
        )))
    }

    /// Undoes one iteration; always called once the instance exists, whatever happened. Its time is measured, but is not
    /// part of the service time.
    fn teardown(&self) {}

    /// A short text for the report: by default the first line of the class's docstring, else its name.
    #[getter]
    fn summary<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyString>> {
        let py = slf.py();
        let class = slf.get_type();
        let doc = class.getattr(pyo3::intern!(py, "__doc__"))?;
        let own = !doc.is(py.get_type::<Self>().getattr(pyo3::intern!(py, "__doc__"))?);
        let first = doc.extract::<String>().ok().filter(|_| own).and_then(|doc| {
            doc.lines()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .map(str::to_owned)
        });
        match first {
            Some(line) => Ok(PyString::new(py, &line)),
            None => class.name(),
        }
    }

    /// A text for log lines about this one iteration, which may hold a unique id: by default ``str(self)``.
    #[getter]
    fn description<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyString>> {
        slf.str()
    }

    /// How long one iteration may take, in seconds: by default 60.
    ///
    /// It sizes the pool, ``rate * max_duration`` threads over all workers (Little's law), and the time that running iterations
    /// get to end when the run stops. An iteration that takes longer is not ended for it: it is logged once, with where it stands,
    /// counted as ``overran``, and another thread takes its place in the pool.
    #[getter]
    fn max_duration(&self) -> f64 {
        DEFAULT_MAX_DURATION_S
    }

    fn __str__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let kwargs = slf.getattr(pyo3::intern!(slf.py(), "kwargs"))?;
        Ok(format!("<{} kwargs={}>", slf.get_type().name()?, kwargs.repr()?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // A lock that is held is held for a pointer's copy; the collector will come again.
        if let Some(held) = self.held.try_lock() {
            visit.call(&held.kwargs)?;
            visit.call(&held.metrics)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let held = std::mem::take(&mut *self.held.lock());
        drop(held);
    }
}

/// Whether a class overrides an attribute of `TestCase`.
pub(crate) fn overrides(class: &Bound<'_, PyType>, name: &str) -> PyResult<bool> {
    let base = class.py().get_type::<TestCaseBase>();
    // Found on the class itself, a function or a descriptor is the same object every time; a classmethod is bound anew.
    for owner in class.mro().iter() {
        let owner = owner
            .cast_into::<PyType>()
            .map_err(|_| PyTypeError::new_err("a class in __mro__ is no type"))?;
        if owner.is(&base) {
            return Ok(false);
        }
        if owner.getattr("__dict__")?.contains(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}
