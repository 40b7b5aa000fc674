//! Exceptions become data: which kind, where in the user's code, what it said.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pysurge_core::failure::{FailureKey, MAX_MESSAGE_CHARS, Phase, clip, mask};

/// Formats exceptions by way of the package's Python helpers.
pub(crate) struct Tracebacks {
    describe: Py<PyAny>,
    render: Py<PyAny>,
}

impl Tracebacks {
    /// Finds the helpers.
    pub(crate) fn new(py: Python<'_>) -> PyResult<Self> {
        let module = py.import("pysurge._tracebacks")?;
        Ok(Self {
            describe: module.getattr("describe")?.unbind(),
            render: module.getattr("render")?.unbind(),
        })
    }

    /// The group an error belongs to, and its message.
    pub(crate) fn key(&self, py: Python<'_>, phase: Phase, error: &PyErr) -> (FailureKey, String) {
        // Before Python 3.12 an error and its traceback travel apart.
        if let Some(traceback) = error.traceback(py) {
            drop(error.value(py).setattr(intern!(py, "__traceback__"), traceback));
        }
        let described = self
            .describe
            .bind(py)
            .call1((error.value(py),))
            .and_then(|described| described.cast::<PyTuple>()?.extract::<(String, String, String)>());
        // A class whose name or message raises when asked is still a failure to be counted.
        let (exception, message, frame) = described.unwrap_or_else(|_| {
            let name = error
                .get_type(py)
                .name()
                .map_or_else(|_| "?".to_owned(), |name| name.to_string());
            (name, "(its message cannot be shown)".to_owned(), String::new())
        });
        (
            FailureKey {
                phase,
                exception: clip(&exception, MAX_MESSAGE_CHARS),
                frame: clip(&frame, MAX_MESSAGE_CHARS),
                message: mask(&message),
            },
            message,
        )
    }

    /// The user's frames and the error, as lines.
    pub(crate) fn render(&self, py: Python<'_>, error: &PyErr) -> String {
        let rendered = self
            .render
            .bind(py)
            .call1((error.value(py),))
            .and_then(|text| text.extract::<String>());
        rendered.unwrap_or_else(|_| "(its traceback cannot be shown)".to_owned())
    }
}
