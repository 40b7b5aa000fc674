//! A terminal sink that writes into memory.

#![allow(dead_code, reason = "each test that includes this uses its own part")]

use pysurge_report::{LocalClock, TerminalOptions};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// 2018-09-14 18:51:37.590 UTC.
pub(crate) const WALL_NS: u64 = 1_536_951_097_590_000_000;
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// Keeps what is written; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    /// All that was written, and was not taken.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The same, which is gone then.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

/// Neither stream is a terminal, nothing is asked for, and it is always the same instant.
pub(crate) fn options(stdout: &Buffer, stderr: &Buffer) -> TerminalOptions {
    TerminalOptions {
        stdout: Box::new(stdout.clone()),
        stderr: Box::new(stderr.clone()),
        stdout_is_tty: false,
        stderr_is_tty: false,
        size: Box::new(|| None),
        unicode: true,
        color_stdout: false,
        color_stderr: false,
        columns: Some(80),
        quiet: false,
        debug: false,
        classic: false,
        rehearsals: false,
        keys: false,
        results: None,
        samples: None,
        compare: None,
        clock: LocalClock::new(|| WALL_NS).in_utc(),
    }
}
