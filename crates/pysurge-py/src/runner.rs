//! One class fired in the caller's own process: the native half of `pysurge.TestRunner`.

use crate::case::PyTestCase;
use crate::teller::{Level, Reporter};
use crate::thread::{Attached, PoolThreadHandle};
use parking_lot::{Condvar, Mutex};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use pysurge_core::capacity::pool_size;
use pysurge_core::measure::Measures;
use pysurge_core::plan::{Model, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Factor, Phase, Schedule, Stripe};
use pysurge_engine::{Pool, PoolSettings, Work, clock};
use std::sync::Arc;
use std::time::Duration;

/// Threads a runner starts with.
const FIRST_THREADS: u32 = 2;

/// How often a thread that waits for requests looks whether the runner has ended.
const LOOK_AROUND: Duration = Duration::from_millis(200);

/// Log lines and metrics go back to Python.
struct ToPython {
    log: Py<PyAny>,
    keep: Py<PyAny>,
}

impl Reporter for ToPython {
    fn log(&self, level: Level, _thread: &str, message: String) {
        let number = match level {
            Level::Debug => 10,
            Level::Warning => 30,
            Level::Error => 40,
        };
        // A log handler that raises must not change an iteration's outcome.
        Python::attach(|py| drop(self.log.bind(py).call1((number, message))));
    }

    fn passed(&self, py: Python<'_>, metrics: &Bound<'_, PyAny>) {
        drop(self.keep.bind(py).call1((metrics,)));
    }
}

#[derive(Default)]
struct Requests {
    threads: u32,
    over: bool,
}

/// Fires one class from threads that its owner makes.
#[pyclass(frozen, module = "pysurge._engine")]
pub(crate) struct Runner {
    case: Arc<PyTestCase>,
    rate: Rate,
    max_duration_ns: u64,
    pool: Mutex<Option<Arc<Pool>>>,
    stopped: Mutex<bool>,
    total: Mutex<Measures>,
    requests: Arc<(Mutex<Requests>, Condvar)>,
}

#[pymethods]
impl Runner {
    #[new]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be positive; the cast saturates"
    )]
    fn new(
        test_cls: &Bound<'_, PyType>,
        kwargs: &Bound<'_, PyDict>,
        rate: f64,
        max_duration: f64,
        debug: bool,
        log: Py<PyAny>,
        keep: Py<PyAny>,
    ) -> PyResult<Self> {
        let rate = Rate::from_per_s(rate).map_err(|error| PyValueError::new_err(error.to_string()))?;
        if !(max_duration.is_finite() && max_duration > 0.0) {
            return Err(PyValueError::new_err("max_duration must be a number above 0"));
        }
        Ok(Self {
            case: Arc::new(PyTestCase::of_class(
                test_cls,
                kwargs,
                debug,
                Box::new(ToPython { log, keep }),
            )?),
            rate,
            max_duration_ns: (max_duration * 1e9) as u64,
            pool: Mutex::new(None),
            stopped: Mutex::new(true),
            total: Mutex::default(),
            requests: Arc::default(),
        })
    }

    /// Starts the schedule now and gives the first threads to be made.
    fn start(&self) -> Vec<PoolThreadHandle> {
        let test = TestPlan::new("", Model::constant(self.rate));
        let settings = PoolSettings {
            max_threads: pool_size(&test, Stripe::WHOLE, Factor::ONE, None, self.max_duration_ns),
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            start_ns: clock::now_ns(),
        };
        let schedule = Schedule::constant(self.rate, Phase::ZERO, None).stripe(Stripe::WHOLE);
        let requests = Arc::clone(&self.requests);
        let ask = move || {
            requests.0.lock().threads += 1;
            requests.1.notify_one();
        };
        let pool = Arc::new(Pool::new(Work::open(schedule), settings, Box::new(ask)));
        *self.pool.lock() = Some(Arc::clone(&pool));
        *self.stopped.lock() = false;
        (0..FIRST_THREADS)
            .map(|_| {
                pool.thread_requested();
                self.handle(&pool)
            })
            .collect()
    }

    /// Waits until the pool wants one more thread and gives it; None once the runner has ended.
    fn wait_for_request(&self, py: Python<'_>) -> Option<PoolThreadHandle> {
        let pool = self.pool.lock().clone()?;
        py.detach(|| {
            let mut requests = self.requests.0.lock();
            while requests.threads == 0 && !requests.over {
                self.requests.1.wait_for(&mut requests, LOOK_AROUND);
            }
            requests.threads = requests.threads.checked_sub(1)?;
            Some(())
        })?;
        Some(self.handle(&pool))
    }

    /// Says that a thread could not be made.
    fn thread_refused(&self) {
        if let Some(pool) = &*self.pool.lock() {
            pool.thread_refused();
        }
    }

    /// The next number for a thread's name.
    fn next_thread_number(&self) -> u32 {
        self.pool
            .lock()
            .as_ref()
            .map_or(1, |pool| pool.next_thread_number())
    }

    /// Starts nothing more.
    fn stop(&self) {
        *self.stopped.lock() = true;
        if let Some(pool) = &*self.pool.lock() {
            pool.cut_plan(clock::now_ns());
            pool.close();
        }
        self.requests.0.lock().over = true;
        self.requests.1.notify_all();
    }

    /// Whether `stop` was called, or `start` never was.
    #[getter]
    fn stopped(&self) -> bool {
        *self.stopped.lock()
    }

    /// Whether iterations are still started or running.
    #[getter]
    fn running(&self) -> bool {
        !self.stopped() || self.active() > 0
    }

    /// Iterations running now.
    #[getter]
    fn active(&self) -> u64 {
        self.look().1
    }

    /// Iterations that passed so far.
    #[getter]
    fn passed(&self) -> u64 {
        self.look();
        self.total.lock().passed
    }

    /// Iterations that failed so far.
    #[getter]
    fn failed(&self) -> u64 {
        self.look();
        self.total.lock().failed
    }
}

impl Runner {
    fn handle(&self, pool: &Arc<Pool>) -> PoolThreadHandle {
        let (pool, case) = (Arc::clone(pool), Arc::clone(&self.case));
        PoolThreadHandle::new(move |py| {
            let name = py.import("threading").and_then(|threading| {
                threading
                    .call_method0("current_thread")?
                    .getattr("name")?
                    .extract::<String>()
            });
            pool.run_thread(&*case, &Attached(py), &name.unwrap_or_default());
        })
    }

    /// Takes in what was measured since the last look; returns the iterations planned and running.
    fn look(&self) -> (u64, u64) {
        let Some(pool) = self.pool.lock().clone() else {
            return (0, 0);
        };
        let mut total = self.total.lock();
        let counts = pool.take();
        total.merge(&counts.measured.measures);
        (counts.measured.planned, counts.in_flight)
    }
}
