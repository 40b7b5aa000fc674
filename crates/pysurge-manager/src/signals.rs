//! Requests to stop: from the host of this library as a count, from signals as bytes in a socket that the shell polls.
//!
//! A signal handler cannot be taken out again without unsafe code, so SIGINT and SIGTERM are caught from the process's
//! first run on that asks for it. Between runs, a signal whose disposition was the default before does the default.

use crate::outcome::ManagerError;
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Asks a run to stop, from any thread: the first request stops it gracefully, the second skips the grace period, the
/// third kills the workers. Clones ask the same run; each run wants one of its own. Requests made before the run wait for it.
#[derive(Debug, Clone, Default)]
pub struct StopRequests {
    count: Arc<AtomicUsize>,
}

impl StopRequests {
    /// Asks once; the run takes note within a tenth of a second.
    pub fn request(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    /// How often it was asked so far.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

/// The signals that ask a run to stop.
const STOP_SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// True while no run listens; handlers of default signals then do the default.
static IDLE: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Listens to SIGINT and SIGTERM until dropped.
#[derive(Debug)]
pub(crate) struct SignalListener {
    /// One byte arrives per signal.
    pub(crate) socket: UnixStream,
    registered: Vec<SigId>,
}

impl SignalListener {
    /// Starts to listen.
    pub(crate) fn new() -> Result<Self, ManagerError> {
        Self::install().map_err(|source| ManagerError::System {
            action: "listen to signals",
            source,
        })
    }

    fn install() -> std::io::Result<Self> {
        let idle = IDLE.get_or_init(|| {
            let idle = Arc::new(AtomicBool::new(false));
            for signal in STOP_SIGNALS {
                if default_stands(signal) {
                    // Where this fails, the registration below fails too and tells.
                    let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&idle));
                }
            }
            idle
        });
        let (socket, writer) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let mut listener = Self {
            socket,
            registered: Vec::new(),
        };
        for signal in STOP_SIGNALS {
            let id = signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
            listener.registered.push(id);
        }
        idle.store(false, Ordering::SeqCst);
        Ok(listener)
    }
}

impl Drop for SignalListener {
    fn drop(&mut self) {
        if let Some(idle) = IDLE.get() {
            idle.store(true, Ordering::SeqCst);
        }
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// Whether a signal does its default, as far as the system tells: elsewhere than on Linux it is taken to be handled.
fn default_stands(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    matches!(
        (
            is_in_mask(&status, "SigCgt:", signal),
            is_in_mask(&status, "SigIgn:", signal)
        ),
        (Some(false), Some(false))
    )
}

/// Whether a signal is in one of the masks of `/proc/<pid>/status`; `None` where there is no such mask.
fn is_in_mask(status: &str, key: &str, signal: i32) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix(key))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read() {
        let status = "Name:\tx\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000002\n";
        for (key, signal, expected) in [
            ("SigCgt:", SIGINT, Some(true)),
            ("SigCgt:", SIGTERM, Some(false)),
            ("SigIgn:", 13, Some(true)),
            ("SigBlk:", SIGINT, None),
        ] {
            assert_eq!(is_in_mask(status, key, signal), expected, "{key} {signal}");
        }
    }
}
