//! A lock like an interpreter's: one per process, held by whoever runs user code, let go of to wait. It stands in for Python's GIL, so that
//! the engine is tested with what makes Python hard to drive: threads that want to claim wait for one that computes, and a
//! test that never lets go holds up everything but the engine's own threads.
//!
//! Between a wait and the first line of an iteration nobody lets go of it, so iterations begin in the order they are claimed.

use parking_lot::{Condvar, Mutex};
use pysurge_engine::Attachment;

static HELD: Mutex<bool> = Mutex::new(false);
static FREE: Condvar = Condvar::new();

/// Waits for the interpreter and holds it.
pub(crate) fn attach() {
    let mut held = HELD.lock();
    FREE.wait_while(&mut held, |held| *held);
    *held = true;
}

/// Lets go of it.
pub(crate) fn detach() {
    *HELD.lock() = false;
    FREE.notify_one();
}

/// Does something without the interpreter and holds it again afterwards: what a native test wraps around everything that blocks, as
/// Python's own calls do.
pub fn without<R>(work: impl FnOnce() -> R) -> R {
    detach();
    let result = work();
    attach();
    result
}

/// A pool thread that holds the interpreter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attached;

impl Attachment for Attached {
    fn detached<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R {
        without(wait)
    }
}
