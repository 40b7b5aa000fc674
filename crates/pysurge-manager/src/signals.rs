//! Requests to stop: from the host of this library as a count, from signals as bytes in a socket that the shell polls.
//!
//! A signal handler cannot be taken out again without unsafe code, so signals are caught from the process's first run on that
//! asks for them. Between runs, a signal whose disposition was the default before does the default, where a command does not
//! [hold](hold_stops) it for a moment.

use crate::outcome::ManagerError;
use signal_hook::SigId;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::Duration;

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

/// How long stop signals do nothing after a run of a command that [holds](hold_stops) them: its report is being written, and whoever goes on
/// pressing Ctrl+C means the run. Later they end what hangs.
const HELD: Duration = Duration::from_secs(3);

/// Has SIGINT and SIGTERM do nothing for three seconds after each run of this process that listens to them. For a command that ends with its
/// run.
pub fn hold_stops() {
    STOPS.is_held.store(true, Ordering::SeqCst);
}

/// Listens to SIGINT and SIGTERM until it is dropped: for a command that goes on after its run.
#[derive(Debug)]
pub struct StopListener(SignalListener);

impl StopListener {
    /// Listens from here on.
    pub fn new() -> Result<Self, ManagerError> {
        STOPS.listen().map(Self)
    }

    /// Whether one came since it was asked last.
    pub fn was_asked(&mut self) -> bool {
        self.0.take() > 0
    }
}

/// Signals that are listened to together, while a run wants them.
#[derive(Debug)]
pub(crate) struct Group {
    signals: &'static [i32],
    is_held: AtomicBool,
    /// Runs that have listened so far.
    runs: Mutex<u64>,
    /// True while no run listens; handlers of default signals then do the default.
    idle: OnceLock<Arc<AtomicBool>>,
    /// Whether the first of them was ignored before the first run.
    ignored: OnceLock<bool>,
}

/// Ask a run to stop.
pub(crate) static STOPS: Group = Group::of(&[SIGINT, SIGTERM]);

/// Ctrl+Z.
pub(crate) static SUSPENDS: Group = Group::of(&[SIGTSTP]);

/// The process goes on after a stop. Its default is done by the system before any handler is called.
pub(crate) static CONTINUES: Group = Group::of(&[SIGCONT]);

impl Group {
    const fn of(signals: &'static [i32]) -> Self {
        Self {
            signals,
            is_held: AtomicBool::new(false),
            runs: Mutex::new(0),
            idle: OnceLock::new(),
            ignored: OnceLock::new(),
        }
    }

    fn runs(&self) -> MutexGuard<'_, u64> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No run listens any more.
    fn rest(&'static self, idle: &'static AtomicBool) {
        if !self.is_held.load(Ordering::SeqCst) {
            idle.store(true, Ordering::SeqCst);
            return;
        }
        let ended = *self.runs();
        let later = move || {
            std::thread::sleep(HELD);
            let runs = self.runs();
            if *runs == ended {
                idle.store(true, Ordering::SeqCst);
            }
        };
        if std::thread::Builder::new().spawn(later).is_err() {
            idle.store(true, Ordering::SeqCst);
        }
    }

    /// Starts to listen.
    pub(crate) fn listen(&'static self) -> Result<SignalListener, ManagerError> {
        self.install().map_err(|source| ManagerError::System {
            action: "listen to signals",
            source,
        })
    }

    /// Whether a parent had it ignored: shells without job control do that to SIGTSTP, and it is to stay so.
    pub(crate) fn was_ignored(&self) -> bool {
        *self.ignored.get_or_init(|| {
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            is_in_mask(&status, "SigIgn:", self.signals[0]).unwrap_or(false)
        })
    }

    fn install(&'static self) -> std::io::Result<SignalListener> {
        let idle = self.idle.get_or_init(|| {
            let idle = Arc::new(AtomicBool::new(false));
            for &signal in self.signals {
                if default_stands(signal) {
                    // Where this fails, the registration below fails too and tells.
                    let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&idle));
                }
            }
            idle
        });
        let (socket, writer) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let mut listener = SignalListener {
            socket,
            group: self,
            idle,
            registered: Vec::new(),
        };
        for &signal in self.signals {
            let id = signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
            listener.registered.push(id);
        }
        let mut runs = self.runs();
        *runs += 1;
        idle.store(false, Ordering::SeqCst);
        Ok(listener)
    }
}

/// From the first run on, a terminal that hangs up ends nothing: the load goes on, and its results are written. Where a parent had SIGHUP
/// ignored (`nohup`), it stays so, for the workers too.
pub(crate) fn outlive_the_terminal() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if default_stands(SIGHUP) {
            // A handler that does next to nothing: it is not inherited by the workers, as an ignored signal would be.
            let _ = signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false)));
        }
    });
}

/// Listens to the signals of a group until dropped.
#[derive(Debug)]
pub(crate) struct SignalListener {
    /// One byte arrives per signal.
    pub(crate) socket: UnixStream,
    group: &'static Group,
    idle: &'static AtomicBool,
    registered: Vec<SigId>,
}

impl SignalListener {
    /// How many signals came since it was asked last.
    pub(crate) fn take(&mut self) -> usize {
        let mut bytes = [0; 16];
        self.socket.read(&mut bytes).unwrap_or(0)
    }
}

impl Drop for SignalListener {
    fn drop(&mut self) {
        self.group.rest(self.idle);
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
