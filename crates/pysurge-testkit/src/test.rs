//! What a native test is: one iteration, and the hooks around all of them.

use crate::entry::{Entry, KwargsError};
use pysurge_core::failure::{FailureKey, Phase, mask};
use pysurge_engine::{Probe, TestCase};
use std::sync::Arc;

/// A test in Rust. Each entry of a plan has an instance of its own in each worker, so `startup` and `shutdown` are called once
/// per entry and worker.
///
/// Hooks run on the worker's main thread, never beside each other; iterations run on pool threads, many at once.
pub trait NativeTest: TestCase {
    /// One line for the report.
    fn summary(&self) -> String {
        "a native test".to_owned()
    }

    /// Runs before the load. An error, said in one line, keeps the test from running in this worker.
    fn startup(&self) -> Result<(), String> {
        Ok(())
    }

    /// Runs after the load, also where `startup` failed.
    fn shutdown(&self) {}

    /// Whether the host may make one more pool thread beside the `threads` it has made for this test.
    fn allows_thread(&self, threads: u32) -> bool {
        let _ = threads;
        true
    }
}

/// Makes the test that an entry of the plan names; `None` where there is no such test.
pub type Catalogue = fn(&mut Entry<'_>) -> Result<Option<Arc<dyn NativeTest>>, KwargsError>;

/// Notes that an iteration failed, as an exception of this type would be in Python.
pub fn fail(probe: &mut Probe<'_>, phase: Phase, exception: &str, message: &str) {
    let key = FailureKey {
        phase,
        exception: exception.to_owned(),
        frame: String::new(),
        message: mask(message),
    };
    probe.fail(key, || (message.to_owned(), format!("{exception}: {message}")));
}
