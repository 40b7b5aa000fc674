//! Where code that has no `self` tells what it tells: `pysurge.check`, `timer`, `count` and `metric`.
//!
//! One context variable holds a slot. A pool thread has one for its life, set once, so that an iteration pays nothing for it; a coroutine has
//! one of its own in its task's context. Contexts that user code copies (`asyncio.to_thread`, `contextvars.copy_context`) lead to the same
//! slot, and so to the iteration that is running there. Outside a run there is none, and telling does nothing.

use crate::steps::{Listener, Step, StepTimer, Steps};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;
use std::cell::OnceCell;

/// What the iteration that runs in a thread or task was told from outside its instance.
#[pyclass(frozen, module = "pysurge._engine")]
pub(crate) struct Slot {
    steps: Steps,
}

thread_local! {
    /// That of a pool thread.
    static OF_THREAD: OnceCell<Py<Slot>> = const { OnceCell::new() };
}

static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The context variable that holds the slot.
fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let made = VARIABLE.get_or_try_init(py, || {
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        Ok::<_, PyErr>(class.call1(("pysurge.iteration",))?.unbind())
    })?;
    Ok(made.bind(py))
}

impl Slot {
    /// A slot of its own in the current context.
    pub(crate) fn enter(py: Python<'_>) -> PyResult<Py<Self>> {
        let slot = Py::new(
            py,
            Self {
                steps: Steps::default(),
            },
        )?;
        variable(py)?.call_method1(intern!(py, "set"), (&slot,))?;
        Ok(slot)
    }

    /// What was told.
    pub(crate) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// That of the calling pool thread, made where it is asked for first.
    pub(crate) fn of_thread<R>(py: Python<'_>, what: impl FnOnce(Option<&Self>) -> R) -> R {
        OF_THREAD.with(|place| {
            if place.get().is_none()
                && let Ok(slot) = Self::enter(py)
            {
                let _ = place.set(slot);
            }
            what(place.get().map(Py::get))
        })
    }

    /// That of the running context; `None` outside a run.
    fn current(py: Python<'_>) -> PyResult<Option<Py<Self>>> {
        let found = variable(py)?.call_method1(intern!(py, "get"), (py.None(),))?;
        Ok(found.cast_into::<Self>().ok().map(Bound::unbind))
    }
}

/// Count, by name, whether something held: ``check("status is 200", response.status_code == 200)``.
///
/// Tells it of the iteration that is running, as ``TestCase.check`` does, from any function, in threads and coroutines. Returns whether it
/// held. With ``fail=True`` one that does not hold fails the iteration, which goes on nevertheless. Outside a run it does nothing.
#[pyfunction]
#[pyo3(signature = (name, held, *, fail=false), text_signature = "(name, held, *, fail=False)")]
pub(crate) fn check(
    py: Python<'_>,
    name: Py<PyString>,
    held: &Bound<'_, PyAny>,
    fail: bool,
) -> PyResult<bool> {
    let held = held.is_truthy()?;
    if let Some(slot) = Slot::current(py)? {
        slot.get().steps.check(py, name, held, fail)?;
    }
    Ok(held)
}

/// Time a step of the iteration that is running: ``with timer("upload"): ...``, as ``TestCase.timer`` does.
///
/// Outside a run it does nothing.
#[pyfunction]
pub(crate) fn timer(py: Python<'_>, name: Py<PyString>) -> PyResult<StepTimer> {
    let listener = Slot::current(py)?.map_or(Listener::Nobody, Listener::Slot);
    Ok(StepTimer::new(listener, name))
}

/// Add to a count of the iteration that is running: ``count("bytes", len(body))``, as ``TestCase.count`` does.
///
/// Outside a run it does nothing.
#[pyfunction]
#[pyo3(signature = (name, number=1.0), text_signature = "(name, number=1)")]
pub(crate) fn count(py: Python<'_>, name: Py<PyString>, number: f64) -> PyResult<()> {
    tell(py, Step::Count(name, number))
}

/// Keep a figure of the iteration that is running: ``metric("queue length", n)``, as ``self.metrics`` of a ``TestCase`` does.
///
/// Kept only when the iteration passes; what is told twice is two values. Outside a run it does nothing.
#[pyfunction]
pub(crate) fn metric(py: Python<'_>, name: Py<PyString>, value: f64) -> PyResult<()> {
    tell(py, Step::Metric(name, value))
}

fn tell(py: Python<'_>, step: Step) -> PyResult<()> {
    if let Some(slot) = Slot::current(py)? {
        slot.get().steps.add(step);
    }
    Ok(())
}
