//! The catalogue of native tests: good ones, and one for each way in which user code goes wrong.
//!
//! | class | kwargs | an iteration |
//! |---|---|---|
//! | `native.Noop` | | does nothing |
//! | `native.Sleep` | `ms` | sleeps in `run` |
//! | `native.Steps` | | has `setup`, `run` and `teardown`, and the metric `step` of value 2 |
//! | `native.Fail` | `phase` (`setup`, `run`, `teardown`; `run`), `every` (1) | fails there, each `every`-th |
//! | `native.Hang` | `after` (0), `worker` (all) | never returns, from the `after`-th of that worker on |
//! | `native.Hog` | same, `ms` (for ever) | holds on to the interpreter so long |
//! | `native.Panic` | same, `ms` (0) | panics; what it panics with takes so long to drop |
//! | `native.Crash` | same | aborts the process |
//! | `native.StartupFails` | `worker` (all) | does nothing; its `startup` fails in that worker |
//! | `native.HangingShutdown` | | does nothing; its `shutdown` never returns |
//! | `native.NoThreads` | `after`, `ms` | sleeps; thread number `after` and further ones are refused |
//! | `native.Freeze` | see [`crate::freeze`] | asks a target that freezes, and keeps a log |

use crate::entry::{Entry, KwargsError};
use crate::freeze::Freeze;
use crate::interpreter::without;
use crate::test::{NativeTest, fail};
use pysurge_core::failure::Phase;
use pysurge_engine::{Probe, TestCase};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The [`Catalogue`](crate::Catalogue) of this crate's own tests, which the program `native-worker` serves.
pub fn native(entry: &mut Entry<'_>) -> Result<Option<Arc<dyn NativeTest>>, KwargsError> {
    Ok(Some(match entry.class() {
        "native.Noop" => Arc::new(Noop),
        "native.Sleep" => Arc::new(Sleep(entry.millis("ms")?)),
        "native.Steps" => Arc::new(Steps),
        "native.Fail" => Arc::new(Fail::new(entry)?),
        "native.Hang" => Arc::new(Mine::new(entry, || without(hang))?),
        "native.Hog" => {
            let lasts = entry.number("ms")?.map(Duration::from_millis);
            Arc::new(Mine::new(entry, move || hold(lasts))?)
        }
        "native.Panic" => {
            let lasts = entry.millis("ms")?;
            Arc::new(Mine::new(entry, move || panic(lasts))?)
        }
        "native.Crash" => Arc::new(Mine::new(entry, || std::process::abort())?),
        "native.StartupFails" => Arc::new(StartupFails { here: here(entry)? }),
        "native.HangingShutdown" => Arc::new(HangingShutdown),
        "native.NoThreads" => Arc::new(NoThreads {
            after: entry.required("after")?,
            sleep: Sleep(entry.millis("ms")?),
        }),
        "native.Freeze" => Arc::new(Freeze::new(entry)?),
        _ => return Ok(None),
    }))
}

/// Whether the kwarg `worker` names this worker, or none in particular.
fn here(entry: &mut Entry<'_>) -> Result<bool, KwargsError> {
    let worker = u64::from(entry.worker());
    Ok(entry.number("worker")?.is_none_or(|only| only == worker))
}

fn hold(lasts: Option<Duration>) {
    match lasts {
        Some(lasts) => std::thread::sleep(lasts),
        None => hang(),
    }
}

fn hang() {
    loop {
        std::thread::park();
    }
}

/// Panics. A payload that takes its time to drop keeps the thread between its panic and whatever the engine makes of it.
fn panic(lasts: Duration) {
    struct Slow(Duration);
    impl Drop for Slow {
        fn drop(&mut self) {
            without(|| std::thread::sleep(self.0));
        }
    }
    assert!(!lasts.is_zero(), "a native test panics, as it was told to");
    std::panic::panic_any(Slow(lasts));
}

struct Noop;

impl TestCase for Noop {
    fn iterate(&self, probe: &mut Probe<'_>) {
        probe.run(|| ());
    }
}

impl NativeTest for Noop {}

struct Sleep(Duration);

impl TestCase for Sleep {
    fn iterate(&self, probe: &mut Probe<'_>) {
        probe.run(|| without(|| std::thread::sleep(self.0)));
    }
}

impl NativeTest for Sleep {}

struct Steps;

impl TestCase for Steps {
    fn iterate(&self, probe: &mut Probe<'_>) {
        probe.setup(|| ());
        probe.run(|| ());
        probe.metric("step", 2.0);
        probe.teardown(|| ());
    }
}

impl NativeTest for Steps {}

struct Fail {
    phase: Phase,
    every: u64,
    begun: AtomicU64,
}

impl Fail {
    fn new(entry: &mut Entry<'_>) -> Result<Self, KwargsError> {
        let phase = match entry.text("phase")?.unwrap_or("run") {
            "setup" => Phase::Setup,
            "run" => Phase::Run,
            "teardown" => Phase::Teardown,
            other => {
                return Err(KwargsError::Kind {
                    name: "phase",
                    wanted: "`setup`, `run` or `teardown`",
                    found: other.to_owned(),
                });
            }
        };
        Ok(Self {
            phase,
            every: entry.number("every")?.unwrap_or(1).max(1),
            begun: AtomicU64::new(0),
        })
    }
}

impl TestCase for Fail {
    fn iterate(&self, probe: &mut Probe<'_>) {
        let nth = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let fails = nth.is_multiple_of(self.every);
        let step = |probe: &mut Probe<'_>, phase| {
            if fails && phase == self.phase {
                fail(probe, phase, "native.Error", &format!("number {nth} fails"));
            }
        };
        probe.setup(|| ());
        step(probe, Phase::Setup);
        // As in Python: what failed in `setup` is not run, but torn down.
        if !probe.failed() {
            probe.run(|| ());
            step(probe, Phase::Run);
        }
        probe.teardown(|| ());
        step(probe, Phase::Teardown);
    }
}

impl NativeTest for Fail {}

/// Goes off in iteration `after`, counted from 0 in its worker, and in all that follow.
struct Mine {
    here: bool,
    after: u64,
    begun: AtomicU64,
    blow: Box<dyn Fn() + Send + Sync>,
}

impl Mine {
    fn new(entry: &mut Entry<'_>, blow: impl Fn() + Send + Sync + 'static) -> Result<Self, KwargsError> {
        Ok(Self {
            here: here(entry)?,
            after: entry.number("after")?.unwrap_or(0),
            begun: AtomicU64::new(0),
            blow: Box::new(blow),
        })
    }
}

impl TestCase for Mine {
    fn iterate(&self, probe: &mut Probe<'_>) {
        let nth = self.begun.fetch_add(1, Ordering::Relaxed);
        probe.run(|| {
            if self.here && nth >= self.after {
                (self.blow)();
            }
        });
    }
}

impl NativeTest for Mine {}

struct StartupFails {
    here: bool,
}

impl TestCase for StartupFails {
    fn iterate(&self, probe: &mut Probe<'_>) {
        Noop.iterate(probe);
    }
}

impl NativeTest for StartupFails {
    fn startup(&self) -> Result<(), String> {
        if self.here {
            Err("native.Error: no database".to_owned())
        } else {
            Ok(())
        }
    }
}

struct HangingShutdown;

impl TestCase for HangingShutdown {
    fn iterate(&self, probe: &mut Probe<'_>) {
        Noop.iterate(probe);
    }
}

impl NativeTest for HangingShutdown {
    fn shutdown(&self) {
        without(hang);
    }
}

struct NoThreads {
    after: u64,
    sleep: Sleep,
}

impl TestCase for NoThreads {
    fn iterate(&self, probe: &mut Probe<'_>) {
        self.sleep.iterate(probe);
    }
}

impl NativeTest for NoThreads {
    fn allows_thread(&self, threads: u32) -> bool {
        u64::from(threads) < self.after
    }
}
