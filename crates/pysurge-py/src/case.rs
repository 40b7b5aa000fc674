//! A Python class as the engine's `TestCase`.

use crate::base::{TestCaseBase, overrides};
use crate::failure::Tracebacks;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString, PyType};
use pysurge_core::failure::Phase;
use pysurge_core::replay::{Cell, Recording};
use pysurge_core::value::Value;
use pysurge_engine::{Probe, TestCase};
use std::sync::Arc;

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
    Error,
}

/// A class with the kwargs of one entry of the config.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether one hook is called"
)]
pub(crate) struct PyTestCase {
    class: Py<PyType>,
    kwargs: Option<Py<PyDict>>,
    /// Where further kwargs of each iteration are recorded.
    rows: Option<Arc<Recording>>,
    has_setup: bool,
    has_teardown: bool,
    own_metrics: bool,
    debug: bool,
    tracebacks: Tracebacks,
    reporter: Box<dyn Reporter>,
    /// The kwargs as the config has them, for those who have no interpreter.
    written_kwargs: Vec<(Value, Value)>,
}

impl PyTestCase {
    /// Looks up once what an iteration would otherwise look up each time.
    pub(crate) fn new(
        class: &Bound<'_, PyType>,
        kwargs: &Bound<'_, PyDict>,
        rows: Option<Arc<Recording>>,
        debug: bool,
        reporter: Box<dyn Reporter>,
    ) -> PyResult<Self> {
        Ok(Self {
            has_setup: overrides(class, "setup")?,
            has_teardown: overrides(class, "teardown")?,
            own_metrics: overrides(class, "metrics")?,
            class: class.clone().unbind(),
            kwargs: (!kwargs.is_empty()).then(|| kwargs.clone().unbind()),
            rows: rows.filter(|rows| !rows.kwargs().is_empty()),
            debug,
            tracebacks: Tracebacks::new(class.py())?,
            reporter,
            written_kwargs: Vec::new(),
        })
    }

    /// The same, with its kwargs as the config has them.
    pub(crate) fn with_written_kwargs(self, kwargs: &[(String, Value)]) -> Self {
        let written = kwargs.iter().cloned();
        Self {
            written_kwargs: written.map(|(name, value)| (Value::Str(name), value)).collect(),
            ..self
        }
    }

    fn fail(
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
        if phase == Phase::Teardown {
            let traceback = self.tracebacks.render(py, error);
            let line = format!("test '{description}' hit error in teardown: {said}\n{traceback}");
            self.reporter.log(Level::Error, probe.thread(), line);
        } else {
            self.reporter.log(
                Level::Error,
                probe.thread(),
                format!("test '{description}' hit error: {said}"),
            );
        }
        probe.fail(key, || (message, self.tracebacks.render(py, error)));
    }

    fn description(&self, py: Python<'_>, instance: Option<&Bound<'_, PyAny>>) -> String {
        let described = instance.and_then(|instance| {
            instance
                .getattr(intern!(py, "description"))
                .and_then(|text| text.str()?.extract())
                .ok()
        });
        described.unwrap_or_else(|| {
            self.class
                .bind(py)
                .name()
                .map_or_else(|_| "?".to_owned(), |name| name.to_string())
        })
    }

    fn debug(&self, py: Python<'_>, probe: &mut Probe<'_>, instance: &Bound<'_, PyAny>, what: &str) {
        if self.debug {
            let message = format!("test '{}' {what}", self.description(py, Some(instance)));
            self.reporter.log(Level::Debug, probe.thread(), message);
            probe.interlude();
        }
    }

    /// The metrics dict of an instance, where it has one.
    fn metrics<'py>(
        &self,
        instance: &Bound<'py, PyAny>,
        base: Option<&TestCaseBase>,
    ) -> Option<Bound<'py, PyAny>> {
        let py = instance.py();
        if self.own_metrics {
            return instance.getattr(intern!(py, "metrics")).ok();
        }
        Some(base?.stored_metrics(py)?.into_bound(py))
    }
}

impl TestCase for PyTestCase {
    fn iterate(&self, probe: &mut Probe<'_>) {
        // The thread is attached already; this only finds that out.
        Python::attach(|py| {
            let class = self.class.bind(py);
            let made = match (&self.rows, &self.kwargs) {
                (Some(rows), kwargs) => merged(py, kwargs.as_ref(), rows, probe.number())
                    .and_then(|kwargs| class.call((), Some(&kwargs))),
                (None, None) => class.call0(),
                (None, Some(kwargs)) => class.call((), Some(kwargs.bind(py))),
            };
            let instance = match made {
                Ok(instance) => instance,
                Err(error) => return self.fail(py, probe, Phase::Init, &error, None),
            };
            // `None` of a class whose `__new__` makes something else: it tells nothing.
            let base = instance.cast::<TestCaseBase>().ok().map(Bound::get);
            self.set_up_and_run(py, probe, &instance, base);
            if self.has_teardown {
                self.debug(py, probe, &instance, "in teardown()");
                if let Err(error) = probe.teardown(|| instance.call_method0(intern!(py, "teardown"))) {
                    self.fail(py, probe, Phase::Teardown, &error, Some(&instance));
                }
                self.fail_checks(py, probe, Phase::Teardown, &instance, base);
            }
            if let Some(base) = base {
                base.steps().hand_over(py, probe);
            }
        });
    }

    fn kwargs(&self, number: Option<u64>) -> String {
        let mut kwargs = self.written_kwargs.clone();
        let number = number.and_then(|number| usize::try_from(number).ok());
        if let (Some(rows), Some(number)) = (&self.rows, number)
            && number < rows.len()
        {
            for (name, cell) in rows.row(number) {
                let name = Value::Str(name.to_owned());
                let value = match cell {
                    Cell::Str(text) => Value::Str(text.to_owned()),
                    Cell::Int(value) => Value::Int(value),
                    Cell::Float(value) => Value::Float(value),
                    Cell::Bool(value) => Value::Bool(value),
                    Cell::None => Value::Null,
                };
                match kwargs.iter_mut().find(|(known, _)| *known == name) {
                    Some(known) => known.1 = value,
                    None => kwargs.push((name, value)),
                }
            }
        }
        Value::Map(kwargs).to_string()
    }
}

impl PyTestCase {
    fn set_up_and_run(
        &self,
        py: Python<'_>,
        probe: &mut Probe<'_>,
        instance: &Bound<'_, PyAny>,
        base: Option<&TestCaseBase>,
    ) {
        if self.has_setup {
            self.debug(py, probe, instance, "in setup()");
            if let Err(error) = probe.setup(|| instance.call_method0(intern!(py, "setup"))) {
                self.fail(py, probe, Phase::Setup, &error, Some(instance));
                self.fail_checks(py, probe, Phase::Setup, instance, base);
                return;
            }
        }
        if self.fail_checks(py, probe, Phase::Setup, instance, base) {
            return;
        }
        self.debug(py, probe, instance, "in run()");
        if let Err(error) = probe.run(|| instance.call_method0(intern!(py, "run"))) {
            self.fail(py, probe, Phase::Run, &error, Some(instance));
            self.fail_checks(py, probe, Phase::Run, instance, base);
            return;
        }
        if self.fail_checks(py, probe, Phase::Run, instance, base) {
            return;
        }
        if let Some(metrics) = self.metrics(instance, base) {
            note_metrics(probe, &metrics);
            self.reporter.passed(py, &metrics);
            probe.interlude();
        }
        self.debug(py, probe, instance, "passed");
    }
}

impl PyTestCase {
    /// Fails the iteration for checks of a phase that were to do so. True where there was one.
    fn fail_checks(
        &self,
        py: Python<'_>,
        probe: &mut Probe<'_>,
        phase: Phase,
        instance: &Bound<'_, PyAny>,
        base: Option<&TestCaseBase>,
    ) -> bool {
        let log = |said: &str, probe: &Probe<'_>| {
            let description = self.description(py, Some(instance));
            let place = if phase == Phase::Teardown {
                " in teardown"
            } else {
                ""
            };
            let line = format!("test '{description}' hit error{place}: {said}");
            self.reporter.log(Level::Error, probe.thread(), line);
        };
        base.is_some_and(|base| base.steps().fail(probe, phase, log))
    }
}

/// The kwargs that all iterations have and those recorded for one.
fn merged<'py>(
    py: Python<'py>,
    kwargs: Option<&Py<PyDict>>,
    rows: &Recording,
    number: Option<u64>,
) -> PyResult<Bound<'py, PyDict>> {
    let merged = match kwargs {
        Some(kwargs) => kwargs.bind(py).copy()?,
        None => PyDict::new(py),
    };
    if let Some(number) = number.and_then(|number| usize::try_from(number).ok()) {
        put_row(&merged, rows, number)?;
    }
    Ok(merged)
}

/// Puts what is recorded for an arrival into its kwargs.
pub(crate) fn put_row(kwargs: &Bound<'_, PyDict>, rows: &Recording, number: usize) -> PyResult<()> {
    if number >= rows.len() {
        return Ok(());
    }
    for (name, cell) in rows.row(number) {
        match cell {
            Cell::Str(text) => kwargs.set_item(name, text)?,
            Cell::Int(value) => kwargs.set_item(name, value)?,
            Cell::Float(value) => kwargs.set_item(name, value)?,
            Cell::Bool(value) => kwargs.set_item(name, value)?,
            Cell::None => kwargs.set_item(name, kwargs.py().None())?,
        }
    }
    Ok(())
}

fn note_metrics(probe: &mut Probe<'_>, metrics: &Bound<'_, PyAny>) {
    // A copy: reading a value that is no plain number runs code of its class, and another thread may add a name.
    let Ok(Ok(metrics)) = metrics.cast::<PyDict>().map(PyDictMethods::copy) else {
        return probe.refuse_metric();
    };
    for (name, value) in metrics.iter() {
        let value = match value.cast::<PyFloat>() {
            Ok(float) => Ok(float.value()),
            Err(_) => value.extract::<f64>(),
        };
        match (
            name.cast::<PyString>()
                .map_err(PyErr::from)
                .and_then(|name| Ok(name.to_cow()?.into_owned())),
            value,
        ) {
            (Ok(name), Ok(value)) => probe.metric(&name, value),
            (Err(_), Ok(value)) => match name.str() {
                Ok(text) => probe.metric(&text.to_string_lossy(), value),
                Err(_) => probe.refuse_metric(),
            },
            (_, Err(_)) => probe.refuse_metric(),
        }
    }
}
