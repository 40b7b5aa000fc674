//! A pool thread, as Python sees it: a `threading.Thread` whose target is one long native loop.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pysurge_engine::Attachment;

/// The interpreter, held; let go of only to wait.
pub(crate) struct Attached<'py>(pub(crate) Python<'py>);

impl Attachment for Attached<'_> {
    fn detached<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R {
        self.0.detach(wait)
    }
}

type Life = Box<dyn FnOnce(Python<'_>) + Send>;

/// What a new thread is to call.
#[pyclass(frozen, name = "PoolThread", module = "pysurge._engine")]
pub(crate) struct PoolThreadHandle {
    life: Mutex<Option<Life>>,
}

impl PoolThreadHandle {
    pub(crate) fn new(life: impl FnOnce(Python<'_>) + Send + 'static) -> Self {
        Self {
            life: Mutex::new(Some(Box::new(life))),
        }
    }
}

#[pymethods]
impl PoolThreadHandle {
    /// Runs iterations on the calling thread until there are none left; a second call does nothing.
    fn run(&self, py: Python<'_>) {
        let life = self.life.lock().take();
        if let Some(life) = life {
            life(py);
        }
    }
}
