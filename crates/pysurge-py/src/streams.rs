//! Where a run that a program asked for writes: a function of Python's, if anybody is to see it, and the memory of what was written last,
//! which becomes the message of an exception. Memory is bounded. Takes the interpreter for each write, so it must be used only by threads
//! that may wait for it.

use parking_lot::Mutex;
use pyo3::exceptions::PyBrokenPipeError;
use pyo3::prelude::*;
use std::io::{self, Write};
use std::sync::Arc;

/// What is kept of what was written: more is no message any more.
const MAX_KEPT_BYTES: usize = 256 * 1024;

/// A stream of text.
pub(crate) struct Stream {
    write: Option<Py<PyAny>>,
    kept: Kept,
}

/// What was written to a stream last.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Stream {
    /// A stream whose text goes to a function, where there is one.
    pub(crate) fn new(write: Option<Py<PyAny>>) -> Self {
        Self {
            write,
            kept: Kept::default(),
        }
    }

    /// What is written to it.
    pub(crate) fn kept(&self) -> Kept {
        self.kept.clone()
    }
}

impl Kept {
    /// The text, from the first whole line on where its beginning was dropped.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock();
        kept.extend_from_slice(bytes);
        // Dropped in large pieces, so that it costs nothing per line.
        if kept.len() > 2 * MAX_KEPT_BYTES {
            let rest = kept.len() - MAX_KEPT_BYTES;
            let line = kept[rest..].iter().position(|byte| *byte == b'\n');
            let cut = line.map_or(rest, |line| rest + line + 1);
            kept.drain(..cut);
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.kept.push(bytes);
        let Some(write) = &self.write else {
            return Ok(bytes.len());
        };
        // Every writer here writes whole characters.
        let text = String::from_utf8_lossy(bytes);
        Python::attach(|py| write.call1(py, (text,)).map_err(|error| told(py, &error)))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn told(py: Python<'_>, error: &PyErr) -> io::Error {
    if error.is_instance_of::<PyBrokenPipeError>(py) {
        io::ErrorKind::BrokenPipe.into()
    } else {
        io::Error::other(error.to_string())
    }
}
