//! What user code tells while it runs: checks, timed steps, counts, metrics. Kept with whom it was told to, the instance or the slot of its
//! thread or task, until the iteration has ended; a test that tells nothing pays for one look.

use crate::base::TestCaseBase;
use crate::slot::Slot;
use once_cell::race::OnceBox;
use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pysurge_core::failure::{FailureKey, Phase};
use pysurge_engine::{Probe, clock};
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps kept of one iteration: more than any has that is meant to be one. Further ones are counted as refused.
const MAX_STEPS: usize = 1_000_000;

/// What the type of a failed check is called where failures have the type of their exception.
const CHECK: &str = "check failed";

/// One thing told.
pub(crate) enum Step {
    Check(Py<PyString>, bool),
    Timer(Py<PyString>, u64),
    Count(Py<PyString>, f64),
    Metric(Py<PyString>, f64),
}

/// A check that fails its iteration.
struct FailedCheck {
    name: String,
    /// The user's line, `file.py:12 in run`.
    frame: String,
}

#[derive(Default)]
struct Told {
    steps: Vec<Step>,
    refused: u64,
    failed: Vec<FailedCheck>,
}

/// What one instance has told so far.
///
/// One word in every instance: an instance is made for each iteration, and most never tell anything.
#[derive(Default)]
pub(crate) struct Steps(OnceBox<Mutex<Told>>);

impl Steps {
    /// Keeps one thing.
    pub(crate) fn add(&self, step: Step) {
        self.tell(|told| {
            if told.steps.len() < MAX_STEPS {
                told.steps.push(step);
            } else {
                told.refused += 1;
            }
        });
    }

    fn tell(&self, what: impl FnOnce(&mut Told)) {
        what(&mut self.0.get_or_init(Box::default).lock());
    }

    /// Keeps a check.
    pub(crate) fn check(&self, py: Python<'_>, name: Py<PyString>, held: bool, fail: bool) -> PyResult<()> {
        if fail && !held {
            let here = py.import(intern!(py, "pysurge._tracebacks"))?;
            let frame = here.call_method0(intern!(py, "here"))?.extract()?;
            let name = name.bind(py).to_string_lossy().into_owned();
            self.tell(|told| told.failed.push(FailedCheck { name, frame }));
        }
        self.add(Step::Check(name, held));
        Ok(())
    }

    /// Fails the iteration for the checks of a phase that were to do so. True where there was one.
    pub(crate) fn fail(&self, probe: &mut Probe<'_>, phase: Phase, log: impl Fn(&str, &Probe<'_>)) -> bool {
        let Some(told) = self.0.get() else {
            return false;
        };
        let failed = std::mem::take(&mut told.lock().failed);
        for check in &failed {
            log(&format!("{CHECK}: {}", check.name), probe);
            let key = FailureKey {
                phase,
                exception: CHECK.to_owned(),
                frame: check.frame.clone(),
                // Not masked: a check's name says the same each time.
                message: check.name.clone(),
            };
            probe.fail(key, || {
                (
                    check.name.clone(),
                    format!("{}\n{CHECK}: {}", check.frame, check.name),
                )
            });
        }
        !failed.is_empty()
    }

    /// Hands everything over, at the end of the iteration.
    pub(crate) fn hand_over(&self, py: Python<'_>, probe: &mut Probe<'_>) {
        let Some(told) = self.0.get() else {
            return;
        };
        let told = std::mem::take(&mut *told.lock());
        for step in &told.steps {
            match step {
                Step::Check(name, held) => probe.check(&name.bind(py).to_string_lossy(), *held),
                Step::Timer(name, ns) => probe.timer(&name.bind(py).to_string_lossy(), *ns),
                Step::Count(name, number) => probe.count(&name.bind(py).to_string_lossy(), *number),
                Step::Metric(name, number) => probe.metric(&name.bind(py).to_string_lossy(), *number),
            }
        }
        for _ in 0..told.refused {
            probe.refuse_count();
        }
    }
}

/// Who is told of a timed step.
pub(crate) enum Listener {
    Case(Py<TestCaseBase>),
    Slot(Py<Slot>),
    /// No iteration is running here.
    Nobody,
}

/// Times a step of an iteration; what ``TestCase.timer`` and ``pysurge.timer`` give. Use it in a ``with`` statement.
#[pyclass(frozen, module = "pysurge._engine", name = "Timer")]
pub(crate) struct StepTimer {
    listener: Listener,
    name: Py<PyString>,
    /// Nanoseconds of `CLOCK_MONOTONIC`; 0 where it was not entered.
    entered_ns: AtomicU64,
}

impl StepTimer {
    /// A timer that was not entered yet.
    pub(crate) fn new(listener: Listener, name: Py<PyString>) -> Self {
        Self {
            listener,
            name,
            entered_ns: AtomicU64::new(0),
        }
    }
}

#[pymethods]
impl StepTimer {
    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf.get().entered_ns.store(clock::now_ns(), Ordering::Relaxed);
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        let now_ns = clock::now_ns();
        let spent_ns = now_ns.saturating_sub(self.entered_ns.load(Ordering::Relaxed));
        let step = Step::Timer(self.name.clone_ref(py), spent_ns);
        match &self.listener {
            Listener::Case(case) => case.get().steps().add(step),
            Listener::Slot(slot) => slot.get().steps().add(step),
            Listener::Nobody => {}
        }
    }
}
