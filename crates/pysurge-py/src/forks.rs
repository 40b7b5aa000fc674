//! A process that user code forked from a worker. It is none itself: it has a copy of the pools and of none of the threads that serve
//! them, so the moment it comes back to us from user code it ends. It must never claim an iteration, wait for the manager, or take a
//! lock of ours: the thread that held it when the process was forked is not there to give it back.

use parking_lot::Mutex;
use pyo3::prelude::*;
use rustix::process::{Signal, getpid, kill_process};
use std::sync::atomic::{AtomicBool, Ordering};

static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// Ends this process, given the exception that user code raised or None.
static END: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// Says that this process was forked from a worker, and what ends it; called in it before any code of the user's goes on.
#[pyfunction]
pub(crate) fn forked(end: Py<PyAny>) {
    // Nobody else uses this lock, and never in the parent.
    *END.lock() = Some(end);
    IS_CHILD.store(true, Ordering::Relaxed);
}

/// Ends this process where user code forked it; called whenever user code returns to us.
#[inline]
pub(crate) fn end_child(py: Python<'_>) {
    if IS_CHILD.load(Ordering::Relaxed) {
        end(py, None);
    }
}

/// The same, with what user code gave or raised.
#[inline]
pub(crate) fn end_child_with<T>(py: Python<'_>, result: &PyResult<T>) {
    if IS_CHILD.load(Ordering::Relaxed) {
        end(py, result.as_ref().err());
    }
}

#[cold]
fn end(py: Python<'_>, error: Option<&PyErr>) {
    let error = error.map(|error| {
        let value = error.value(py);
        // Before Python 3.12 an error and its traceback travel apart.
        if let Some(traceback) = error.traceback(py) {
            drop(value.setattr("__traceback__", traceback));
        }
        value.clone()
    });
    if let Some(end) = &*END.lock() {
        drop(end.call1(py, (error,)));
    }
    // Whatever kept it from ending.
    let _ = kill_process(getpid(), Signal::KILL);
}
