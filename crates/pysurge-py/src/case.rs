//! What a test runs on pool threads: one instance of a class per iteration, or one call of a function.

use crate::base::{TestCaseBase, overrides};
use crate::forks::end_child_with;
use crate::input::Input;
use crate::slot::Slot;
use crate::teller::{Reporter, Teller, returned_metrics};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use pysurge_core::failure::Phase;
use pysurge_engine::{Probe, TestCase};

/// What is called for an iteration, with what, and who tells of it.
pub(crate) struct PyTestCase {
    /// Makes an instance, or is the function.
    pub(crate) make: Py<PyAny>,
    pub(crate) form: Form,
    pub(crate) input: Input,
    pub(crate) teller: Teller,
}

/// What calling it means.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// It is the iteration.
    Function,
    /// It makes an instance with these hooks beside `run`.
    Instances(Hooks),
}

/// What was looked up once, so that an iteration need not.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether one thing is there"
)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hooks {
    pub(crate) setup: bool,
    pub(crate) teardown: bool,
    /// Metrics are an attribute of the class's own and not those of `TestCase`.
    pub(crate) own_metrics: bool,
    /// It is a test of pytest, whose instances tell more: see [`Life::tell_of_pytest`].
    pub(crate) of_pytest: bool,
}

impl Hooks {
    /// Those of a class derived from `TestCase`.
    pub(crate) fn of(class: &Bound<'_, PyType>) -> PyResult<Self> {
        Ok(Self {
            setup: overrides(class, "setup")?,
            teardown: overrides(class, "teardown")?,
            own_metrics: overrides(class, "metrics")?,
            of_pytest: false,
        })
    }
}

impl PyTestCase {
    pub(crate) fn new(make: Py<PyAny>, form: Form, input: Input, teller: Teller) -> Self {
        Self {
            make,
            form,
            input,
            teller,
        }
    }

    /// A class derived from `TestCase` with the kwargs that all its iterations have.
    pub(crate) fn of_class(
        class: &Bound<'_, PyType>,
        kwargs: &Bound<'_, PyDict>,
        debug: bool,
        reporter: Box<dyn Reporter>,
    ) -> PyResult<Self> {
        let name = class.name()?.to_string();
        Ok(Self {
            form: Form::Instances(Hooks::of(class)?),
            make: class.clone().into_any().unbind(),
            input: Input::new(kwargs, None, None),
            teller: Teller::new(class.py(), name, debug, reporter)?,
        })
    }
}

impl TestCase for PyTestCase {
    fn iterate(&self, probe: &mut Probe<'_>) {
        // The thread is attached already; this only finds that out.
        Python::attach(|py| {
            Slot::of_thread(py, |slot| {
                match self.form {
                    Form::Instances(hooks) => self.live(py, probe, hooks, slot),
                    Form::Function => self.call(py, probe, slot),
                }
                if let Some(slot) = slot {
                    slot.steps().hand_over(py, probe);
                }
            });
        });
    }

    fn kwargs(&self, number: Option<u64>) -> String {
        self.input.shown(number)
    }
}

impl PyTestCase {
    /// Makes the instance of an iteration.
    pub(crate) fn instance<'py>(&self, py: Python<'py>, probe: &Probe<'_>) -> PyResult<Bound<'py, PyAny>> {
        let call = self.input.of(py, probe)?;
        let instance = match &call.kwargs {
            Some(kwargs) => self.make.bind(py).call((), Some(kwargs))?,
            None => self.make.bind(py).call0()?,
        };
        if let Some(data) = call.data {
            instance.setattr(intern!(py, "data"), data)?;
        }
        Ok(instance)
    }

    /// One life of one instance.
    fn live(&self, py: Python<'_>, probe: &mut Probe<'_>, hooks: Hooks, slot: Option<&Slot>) {
        let instance = self.instance(py, probe);
        end_child_with(py, &instance);
        let instance = match instance {
            Ok(instance) => instance,
            Err(error) => return self.teller.fail(py, probe, Phase::Init, &error, None),
        };
        let life = Life {
            py,
            teller: &self.teller,
            hooks,
            // `None` of a class that is no `TestCase`, or whose `__new__` makes something else.
            base: instance.cast::<TestCaseBase>().ok().map(Bound::get),
            slot,
            instance: &instance,
        };
        life.set_up_and_run(probe);
        life.tear_down(probe);
        if let Some(base) = life.base {
            base.steps().hand_over(py, probe);
        }
    }

    /// One call of the function.
    fn call(&self, py: Python<'_>, probe: &mut Probe<'_>, slot: Option<&Slot>) {
        let call = match self.input.of(py, probe) {
            Ok(call) => call,
            Err(error) => return self.teller.fail(py, probe, Phase::Init, &error, None),
        };
        let function = self.make.bind(py);
        self.teller.debug(py, probe, None, "called");
        let returned = probe.run(|| match &call.kwargs {
            Some(kwargs) => function.call((), Some(kwargs)),
            None => function.call0(),
        });
        end_child_with(py, &returned);
        let fail_checks = |probe: &mut Probe<'_>| {
            slot.is_some_and(|slot| self.teller.fail_checks(py, probe, Phase::Run, slot.steps(), None))
        };
        let returned = match returned {
            Ok(returned) => returned,
            Err(error) => {
                self.teller.fail(py, probe, Phase::Run, &error, None);
                fail_checks(probe);
                return;
            }
        };
        if fail_checks(probe) || returned.is_none() {
            return;
        }
        if let Some(metrics) = returned_metrics(&returned) {
            self.teller.passed(py, probe, metrics);
        } else if returned.hasattr(intern!(py, "__await__")).unwrap_or(false) {
            // Nobody would ever run it. One that was never awaited warns when it ends; it is closed before.
            drop(returned.call_method0(intern!(py, "close")));
            let error = PyTypeError::new_err("the function returned a coroutine: write it as `async def`");
            self.teller.fail(py, probe, Phase::Run, &error, None);
        }
        self.teller.debug(py, probe, None, "returned");
    }
}

/// One instance on its way through its hooks.
pub(crate) struct Life<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) teller: &'a Teller,
    pub(crate) hooks: Hooks,
    pub(crate) base: Option<&'a TestCaseBase>,
    pub(crate) slot: Option<&'a Slot>,
    pub(crate) instance: &'a Bound<'py, PyAny>,
}

impl<'py> Life<'_, 'py> {
    fn set_up_and_run(&self, probe: &mut Probe<'_>) {
        let py = self.py;
        if self.hooks.setup {
            self.debug(probe, "in setup()");
            let done = probe.setup(|| self.instance.call_method0(intern!(py, "setup")));
            end_child_with(py, &done);
            if self.hooks.of_pytest {
                self.tell_wait(probe);
            }
            if let Err(error) = done {
                self.fail(probe, Phase::Setup, &error);
                return;
            }
        }
        if self.fail_checks(probe, Phase::Setup) {
            return;
        }
        self.debug(probe, "in run()");
        let done = probe.run(|| self.instance.call_method0(intern!(py, "run")));
        end_child_with(py, &done);
        if let Err(error) = done {
            self.fail(probe, Phase::Run, &error);
            return;
        }
        if self.fail_checks(probe, Phase::Run) {
            return;
        }
        if self.hooks.of_pytest {
            self.tell_of_pytest(probe);
        }
        if let Some(metrics) = self.metrics() {
            self.teller.passed(py, probe, &metrics);
        }
        self.debug(probe, "passed");
    }

    fn tear_down(&self, probe: &mut Probe<'_>) {
        if self.hooks.teardown {
            self.debug(probe, "in teardown()");
            let py = self.py;
            let done = probe.teardown(|| self.instance.call_method0(intern!(py, "teardown")));
            end_child_with(py, &done);
            if let Err(error) = done {
                self.teller
                    .fail(py, probe, Phase::Teardown, &error, Some(self.instance));
            }
            self.fail_checks(probe, Phase::Teardown);
        }
    }

    pub(crate) fn fail(&self, probe: &mut Probe<'_>, phase: Phase, error: &PyErr) {
        self.teller
            .fail(self.py, probe, phase, error, Some(self.instance));
        self.fail_checks(probe, phase);
    }

    /// Fails the iteration for checks of a phase that were to do so, told to the instance or from anywhere else.
    #[inline]
    pub(crate) fn fail_checks(&self, probe: &mut Probe<'_>, phase: Phase) -> bool {
        let steps = [self.base.map(TestCaseBase::steps), self.slot.map(Slot::steps)];
        let mut failed = false;
        for steps in steps.into_iter().flatten() {
            failed |= self
                .teller
                .fail_checks(self.py, probe, phase, steps, Some(self.instance));
        }
        failed
    }

    #[inline]
    pub(crate) fn debug(&self, probe: &mut Probe<'_>, what: &str) {
        self.teller.debug(self.py, probe, Some(self.instance), what);
    }

    /// How long `setup` waited for its turn before it began: that is lateness, and no part of the setup.
    fn tell_wait(&self, probe: &mut Probe<'_>) {
        let waited = self.instance.getattr(intern!(self.py, "waited_ns"));
        if let Some(waited_ns) = waited.ok().and_then(|waited| waited.extract::<u64>().ok()) {
            probe.waited(waited_ns);
        }
    }

    /// Counts an iteration that passed because it was skipped while it ran, or failed as it was expected to.
    fn tell_of_pytest(&self, probe: &mut Probe<'_>) {
        for (name, count) in [
            (intern!(self.py, "skipped"), "skipped"),
            (intern!(self.py, "xfailed"), "failed as expected"),
        ] {
            if self.instance.getattr(name).is_ok_and(|reason| !reason.is_none()) {
                probe.count(count, 1.0);
            }
        }
    }

    /// The metrics of the instance, where it has any.
    pub(crate) fn metrics(&self) -> Option<Bound<'py, PyAny>> {
        if self.hooks.own_metrics {
            let metrics = self.instance.getattr(intern!(self.py, "metrics")).ok();
            // Of a class that is no `TestCase`, an attribute of that name may be anything.
            return metrics.filter(|metrics| self.base.is_some() || metrics.is_instance_of::<PyDict>());
        }
        Some(self.base?.stored_metrics(self.py)?.into_bound(self.py))
    }
}
