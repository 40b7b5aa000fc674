//! What is told of an iteration: failures with their log line, checks that fail it, metrics.

use crate::failure::Tracebacks;
use crate::steps::Steps;
use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use pysurge_core::failure::{Phase, clip};
use pysurge_engine::Probe;
use std::collections::BTreeSet;

/// Kinds of values that a worker says of one test that they are not counted.
const MAX_WARNINGS: usize = 20;

/// Bytes of a name that such a line shows.
const MAX_SHOWN_BYTES: usize = 80;

/// Takes what a test case has to say while it runs.
pub(crate) trait Reporter: Send + Sync {
    /// A log line of pysurge's own about an iteration.
    fn log(&self, level: Level, thread: &str, message: String);

    /// The metrics of an iteration that passed.
    fn passed(&self, py: Python<'_>, metrics: &Bound<'_, PyAny>) {
        let _ = (py, metrics);
    }
}

/// The levels we log at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Warning,
    Error,
}

/// Tells of the iterations of one test.
pub(crate) struct Teller {
    /// What an iteration is called in log lines where it does not say it itself.
    name: String,
    debug: bool,
    tracebacks: Tracebacks,
    reporter: Box<dyn Reporter>,
    /// What is wrong with metrics, as far as it was said.
    warned: Mutex<BTreeSet<String>>,
}

impl Teller {
    pub(crate) fn new(
        py: Python<'_>,
        name: String,
        debug: bool,
        reporter: Box<dyn Reporter>,
    ) -> PyResult<Self> {
        Ok(Self {
            name,
            debug,
            tracebacks: Tracebacks::new(py)?,
            reporter,
            warned: Mutex::default(),
        })
    }

    /// Tells of an exception in a phase.
    pub(crate) fn fail(
        &self,
        py: Python<'_>,
        probe: &mut Probe<'_>,
        phase: Phase,
        error: &PyErr,
        instance: Option<&Bound<'_, PyAny>>,
    ) {
        let (key, message) = self.tracebacks.key(py, phase, error);
        let said = if message.is_empty() {
            &key.exception
        } else {
            &message
        };
        let description = self.description(py, instance);
        let line = if phase == Phase::Teardown {
            let traceback = self.tracebacks.render(py, error);
            format!("test '{description}' hit error in teardown: {said}\n{traceback}")
        } else {
            format!("test '{description}' hit error: {said}")
        };
        self.reporter.log(Level::Error, probe.thread(), line);
        probe.fail(key, || (message, self.tracebacks.render(py, error)));
    }

    /// Fails the iteration for checks of a phase that were to do so. True where there was one.
    pub(crate) fn fail_checks(
        &self,
        py: Python<'_>,
        probe: &mut Probe<'_>,
        phase: Phase,
        steps: &Steps,
        instance: Option<&Bound<'_, PyAny>>,
    ) -> bool {
        steps.fail(probe, phase, |said, probe| {
            let description = self.description(py, instance);
            let place = if phase == Phase::Teardown {
                " in teardown"
            } else {
                ""
            };
            let line = format!("test '{description}' hit error{place}: {said}");
            self.reporter.log(Level::Error, probe.thread(), line);
        })
    }

    /// Notes the metrics of an iteration that passed.
    pub(crate) fn passed(&self, py: Python<'_>, probe: &mut Probe<'_>, metrics: &Bound<'_, PyAny>) {
        self.note_metrics(py, probe, metrics);
        self.reporter.passed(py, metrics);
        probe.interlude();
    }

    fn note_metrics(&self, py: Python<'_>, probe: &mut Probe<'_>, metrics: &Bound<'_, PyAny>) {
        // A copy: reading a value that is no plain number runs code of its class, and another thread may add a name.
        let copy = match metrics.cast::<PyDict>().map(PyDictMethods::copy) {
            Ok(Ok(copy)) => copy,
            Ok(Err(error)) => {
                let raised = error.get_type(py).name();
                let raised = raised.map_or_else(|_| "?".to_owned(), |name| name.to_string());
                let what = format!("{} cannot be read, it raised {raised}", kind(metrics));
                self.refuse(probe, "`metrics`", &what, "give a dict of numbers");
                return;
            }
            Err(_) => {
                let what = format!("{} is no dict", kind(metrics));
                self.refuse(probe, "`metrics`", &what, "give a dict of numbers");
                return;
            }
        };
        for (name, value) in copy.iter() {
            let number = match value.cast::<PyFloat>() {
                Ok(float) => Ok(float.value()),
                // Also where its class could make a number of it, as numpy's does.
                Err(_) if value.is_instance_of::<PyString>() => Err(()),
                Err(_) => value.extract::<f64>().map_err(drop),
            };
            let Ok(name) = name.str() else {
                self.refuse(probe, "a metric", "its name has no text", "name it by a string");
                continue;
            };
            let name = name.to_string_lossy();
            match number {
                Ok(number) if number.is_finite() => probe.metric(&name, number),
                Ok(number) => {
                    let what = if number.is_nan() {
                        "NaN"
                    } else {
                        "an infinite number"
                    };
                    self.refuse(
                        probe,
                        &metric(&name),
                        &format!("{what} is no finite number"),
                        "leave it out",
                    );
                }
                Err(()) => {
                    let is_int = value.cast::<PyInt>().is_ok();
                    let size = if is_int { "so large an" } else { "a value of type" };
                    let what = format!("{size} {} is no finite number", kind(&value));
                    self.refuse(probe, &metric(&name), &what, "give an int or a float");
                }
            }
        }
    }

    /// Counts a value as refused; says why once for each kind.
    fn refuse(&self, probe: &mut Probe<'_>, what: &str, why: &str, hint: &str) {
        probe.refuse_metric();
        let news = {
            let mut warned = self.warned.lock();
            warned.len() < MAX_WARNINGS && !warned.contains(why) && warned.insert(why.to_owned())
        };
        if news {
            let line = format!(
                "{what} of {} is not counted: {why}; {hint} (said once)",
                self.name
            );
            self.reporter.log(Level::Warning, probe.thread(), line);
        }
    }

    /// Says at debug level where an iteration stands.
    #[inline]
    pub(crate) fn debug(
        &self,
        py: Python<'_>,
        probe: &mut Probe<'_>,
        instance: Option<&Bound<'_, PyAny>>,
        what: &str,
    ) {
        if self.debug {
            let message = format!("test '{}' {what}", self.description(py, instance));
            self.reporter.log(Level::Debug, probe.thread(), message);
            probe.interlude();
        }
    }

    fn description(&self, py: Python<'_>, instance: Option<&Bound<'_, PyAny>>) -> String {
        let described = instance.and_then(|instance| {
            let text = instance.getattr(intern!(py, "description")).ok()?;
            text.str().ok()?.extract().ok()
        });
        described.unwrap_or_else(|| self.name.clone())
    }
}

/// The metrics that a function returned: a dict, not empty, of numbers by name. Any other value means nothing.
pub(crate) fn returned_metrics<'a, 'py>(returned: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyDict>> {
    let metrics = returned.cast::<PyDict>().ok()?;
    let is_figure = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let is_number = value.cast::<PyFloat>().is_ok() || value.cast::<PyInt>().is_ok();
        name.cast::<PyString>().is_ok() && is_number && value.cast::<PyBool>().is_err()
    };
    (!metrics.is_empty() && metrics.iter().all(is_figure)).then_some(metrics)
}

fn metric(name: &str) -> String {
    format!("the metric {:?}", clip(name, MAX_SHOWN_BYTES))
}

fn kind(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name();
    name.map_or_else(
        |_| "?".to_owned(),
        |name| clip(&name.to_string_lossy(), MAX_SHOWN_BYTES),
    )
}
