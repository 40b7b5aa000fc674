//! A run against fake workers, everything it told, and a look for processes that were left behind.

#![allow(dead_code, reason = "no test file needs all of it")]

pub(crate) mod known;

use pysurge_core::event::{EventSink, RunEvent};
use pysurge_core::plan::{Model, Plan, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::summary::Summary;
use pysurge_manager::{Deadlines, Outcome, Settings, StopRequests};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) const MS: u64 = 1_000_000;

/// Keeps every event, and may act on one.
pub(crate) struct Record<'a> {
    events: Mutex<Vec<RunEvent>>,
    on_event: Box<dyn Fn(&RunEvent) + Send + Sync + 'a>,
}

impl EventSink for Record<'_> {
    fn emit(&self, event: RunEvent) {
        (self.on_event)(&event);
        self.events.lock().expect("no holder panics").push(event);
    }
}

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<RunEvent>,
}

impl Ran {
    pub(crate) fn summary(&self) -> &Summary {
        match &self.outcome {
            Outcome::Finished(summary) => summary,
            other => panic!("not finished: {other:?}\n{:#?}", self.notices()),
        }
    }

    pub(crate) fn notices(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                RunEvent::Notice { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                RunEvent::Output { line, .. } => Some(line.as_str()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn count(&self, is: impl Fn(&RunEvent) -> bool) -> usize {
        self.events.iter().filter(|event| is(event)).count()
    }
}

/// Two tests of 100/s and 50/s for so long.
pub(crate) fn plan(duration_ms: Option<u64>) -> Plan {
    let test = |class: &str, rate: &str| TestPlan::new(class, constant(rate));
    Plan {
        duration_ns: duration_ms.map(|ms| ms * MS),
        ..Plan::new("processes", vec![test("a.A", "100"), test("a.B", "50")])
    }
}

pub(crate) fn constant(rate: &str) -> Model {
    Model::constant(Rate::parse(rate).expect("a rate"))
}

/// Fake workers in a mode, with deadlines that a test can wait for where the mode misses them. A good worker beside it must
/// still meet them on a busy machine.
pub(crate) fn settings(mode: &[&str], workers: u32) -> Settings {
    let mut command = vec![fake_worker().into_os_string()];
    command.extend(mode.iter().map(OsString::from));
    let usual = Deadlines::default();
    let misses = [
        "half-frame",
        "ignore-stop",
        "freeze",
        "hang-in-shutdown",
        "hang-at-exit",
    ]
    .contains(&mode[0]);
    let short = |usual_ns: u64| if misses { 400 * MS } else { usual_ns };
    Settings {
        workers,
        deadlines: Deadlines {
            catch_up_ns: 50 * MS,
            margin_ns: short(usual.margin_ns),
            linger_ns: short(usual.linger_ns),
            exit_ns: short(usual.exit_ns),
            shutdown_ns: short(usual.shutdown_ns),
            ..usual
        },
        ..Settings::new(command)
    }
}

/// Makes a run and sees that no process of it is left.
pub(crate) fn run(plan: &Plan, settings: Settings) -> Ran {
    run_and(plan, settings, |_, _| {})
}

/// The same, acting on events.
pub(crate) fn run_and(
    plan: &Plan,
    mut settings: Settings,
    act: impl Fn(&RunEvent, &StopRequests) + Send + Sync,
) -> Ran {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let tag = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::SeqCst));
    settings.env.push(("FAKE_WORKER_OF".into(), tag.clone().into()));
    let requests = settings.stop_requests.clone();
    let record = Record {
        events: Mutex::default(),
        on_event: Box::new(|event| act(event, &requests)),
    };
    let outcome = pysurge_manager::run(plan, &settings, &record).expect("workers can be started");
    assert_none_left(&tag);
    let events = std::mem::take(&mut *record.events.lock().expect("no holder panics"));
    Ran { outcome, events }
}

/// Waits until no process carries the tag of a run in its environment; a SIGKILL takes effect a moment after it was sent.
fn assert_none_left(tag: &str) {
    let mut left = Vec::new();
    for _ in 0..400 {
        left = carriers(tag);
        if left.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("processes are left: {left:?}");
}

fn carriers(tag: &str) -> Vec<PathBuf> {
    let wanted = format!("FAKE_WORKER_OF={tag}\0");
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    processes
        .map(|entry| entry.path())
        .filter(|path| {
            let environ = std::fs::read(path.join("environ")).unwrap_or_default();
            let environ = String::from_utf8_lossy(&environ).into_owned();
            // The grandchild of a worker that ended well is its own master.
            let cmdline = std::fs::read_to_string(path.join("cmdline")).unwrap_or_default();
            environ.contains(&wanted) && !(cmdline.contains("linger") && environ.contains("MAY_LINGER=1"))
        })
        .collect()
}

fn fake_worker() -> PathBuf {
    example("fake_worker")
}

/// An example that cargo builds beside the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let path = test
        .parent()
        .and_then(std::path::Path::parent)
        .expect("cargo's folders")
        .join("examples")
        .join(name);
    assert!(
        path.exists(),
        "{} is missing: cargo build -p pysurge-manager --examples",
        path.display()
    );
    path
}
