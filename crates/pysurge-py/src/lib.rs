//! `pysurge._engine`: the one crate that knows Python.
//!
//! Three doors lead in: `main` is the command line (it leaves the interpreter at once and never imports user code), `serve`
//! is a worker, `Runner` fires one class in the caller's own process. `TestCase` is the base class of user code.

mod base;
mod case;
mod failure;
mod forks;
mod host;
mod input;
mod manager;
mod outside;
mod pytest;
mod runner;
mod slot;
mod steps;
mod streams;
mod tasks;
mod teller;
mod thread;
mod values;

use pyo3::prelude::*;

/// The native half of pysurge; use the names that the package `pysurge` exports.
#[pymodule(gil_used = false)]
mod _engine {
    #[pymodule_export]
    use crate::base::TestCaseBase;
    #[pymodule_export]
    use crate::forks::forked;
    #[pymodule_export]
    use crate::host::serve;
    #[pymodule_export]
    use crate::manager::{check_config, main, run_config, run_library, series};
    #[pymodule_export]
    use crate::runner::Runner;
    #[pymodule_export]
    use crate::slot::{check, count, metric, timer};
    #[pymodule_export]
    use crate::steps::StepTimer;
    #[pymodule_export]
    use crate::tasks::{LoopWaker, TaskIteration, TaskRunner};
    #[pymodule_export]
    use crate::thread::PoolThreadHandle;

    use super::{Bound, PyModule, PyResult};
    use pyo3::types::PyModuleMethods;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", pysurge_core::VERSION)
    }
}
