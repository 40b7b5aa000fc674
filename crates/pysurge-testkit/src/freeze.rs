//! `native.Freeze`: a target that stands still for a while, and a log of every iteration from which the truth about response
//! times can be computed without believing anything the engine says.
//!
//! Kwargs: `ms`, the service time of the target; `freeze_after_ms` and `freeze_ms`, when it stands still, counted from the first
//! request to this worker, and `freeze_every_ms`, how often, where it is more than once; `log`, a folder in which `shutdown` leaves one file
//! per worker.
//!
//! A line of the log brackets the beginning and the end of an iteration's `run`: the clock is read as the last thing on one side of each and
//! as the first thing on the other. The engine's own readings lie between the two, however threads are scheduled, so a comparison needs no
//! slack for that.

use crate::entry::{Entry, KwargsError};
use crate::interpreter::without;
use crate::test::NativeTest;
use parking_lot::Mutex;
use pysurge_engine::{Probe, TestCase, clock};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One iteration of `native.Freeze`, with instants in nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoggedIteration {
    /// Its place in the order in which this worker's iterations began, which is the order they were claimed in: counts from 0.
    pub index: u64,
    /// Its `run` was about to begin.
    pub begun_ns: u64,
    /// Its `run` had begun.
    pub entered_ns: u64,
    /// Its `run` was about to end.
    pub ending_ns: u64,
    /// Its `run` had ended.
    pub ended_ns: u64,
}

/// Reads what a worker, by its number from 0, left in the folder `log`, by index.
pub fn read_log(folder: &Path, worker: u32) -> io::Result<Vec<LoggedIteration>> {
    let text = std::fs::read_to_string(log_of(folder, worker))?;
    let mut iterations: Vec<LoggedIteration> = text.lines().map(parse).collect::<io::Result<_>>()?;
    iterations.sort_unstable();
    Ok(iterations)
}

fn log_of(folder: &Path, worker: u32) -> PathBuf {
    folder.join(format!("worker-{worker}.log"))
}

fn parse(line: &str) -> io::Result<LoggedIteration> {
    let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
    match numbers.as_deref() {
        Ok(&[index, begun_ns, entered_ns, ending_ns, ended_ns]) => Ok(LoggedIteration {
            index,
            begun_ns,
            entered_ns,
            ending_ns,
            ended_ns,
        }),
        _ => Err(io::Error::other(format!("`{line}` is no line of this log"))),
    }
}

/// The target, in the worker itself: nothing between it and the test can take time.
struct Target {
    service: Duration,
    freeze_after_ns: u64,
    freeze_ns: u64,
    freeze_every_ns: u64,
    first_ns: OnceLock<u64>,
}

impl Target {
    fn request(&self) {
        let now_ns = clock::now_ns();
        let first_ns = *self.first_ns.get_or_init(|| now_ns);
        let since_ns = now_ns.checked_sub(first_ns + self.freeze_after_ns);
        if let Some(since_ns) = since_ns.map(|since_ns| since_ns % self.freeze_every_ns)
            && since_ns < self.freeze_ns
        {
            std::thread::sleep(Duration::from_nanos(self.freeze_ns - since_ns));
        }
        std::thread::sleep(self.service);
    }
}

pub(crate) struct Freeze {
    target: Target,
    log: PathBuf,
    begun: AtomicU64,
    // Kept in memory: writing while it runs would cost time that is the test's and not the target's.
    iterations: Mutex<Vec<LoggedIteration>>,
}

impl Freeze {
    pub(crate) fn new(entry: &mut Entry<'_>) -> Result<Self, KwargsError> {
        let in_ns = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let folder = entry.text("log")?.ok_or(KwargsError::Missing("log"))?;
        Ok(Self {
            target: Target {
                service: entry.millis("ms")?,
                freeze_after_ns: in_ns(entry.millis("freeze_after_ms")?),
                freeze_ns: in_ns(entry.millis("freeze_ms")?),
                freeze_every_ns: match in_ns(entry.millis("freeze_every_ms")?) {
                    0 => u64::MAX,
                    every_ns => every_ns,
                },
                first_ns: OnceLock::new(),
            },
            log: log_of(Path::new(folder), entry.worker()),
            begun: AtomicU64::new(0),
            iterations: Mutex::default(),
        })
    }
}

impl TestCase for Freeze {
    fn iterate(&self, probe: &mut Probe<'_>) {
        let index = self.begun.fetch_add(1, Ordering::Relaxed);
        let begun_ns = clock::now_ns();
        let (entered_ns, ending_ns) = probe.run(|| {
            let entered_ns = clock::now_ns();
            without(|| self.target.request());
            (entered_ns, clock::now_ns())
        });
        let ended_ns = clock::now_ns();
        self.iterations.lock().push(LoggedIteration {
            index,
            begun_ns,
            entered_ns,
            ending_ns,
            ended_ns,
        });
    }
}

impl NativeTest for Freeze {
    fn shutdown(&self) {
        let mut text = String::new();
        for iteration in self.iterations.lock().iter() {
            let LoggedIteration {
                index,
                begun_ns,
                entered_ns,
                ending_ns,
                ended_ns,
            } = iteration;
            writeln!(text, "{index} {begun_ns} {entered_ns} {ending_ns} {ended_ns}")
                .expect("a string takes any text");
        }
        std::fs::write(&self.log, text).expect("the folder for the log exists");
    }
}
