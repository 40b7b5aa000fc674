//! A run of manager, wire, engine and real processes over native tests, everything it told, and a look for processes left behind.

use pysurge_core::event::{EventSink, RunEvent};
use pysurge_core::measure::Measures;
use pysurge_core::plan::{Model, Plan, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::series::Row;
use pysurge_core::summary::{Durations, Status, Summary};
use pysurge_core::value::Value;
use pysurge_manager::{Deadlines, Outcome, Settings, StopRequests};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::sync::Mutex;

pub(crate) const MS: u64 = 1_000_000;

/// An entry of the plan.
pub(crate) fn test(class: &str, rate: &str, kwargs: &[(&str, Value)]) -> TestPlan {
    TestPlan {
        kwargs: kwargs
            .iter()
            .map(|(name, value)| ((*name).into(), value.clone()))
            .collect(),
        ..TestPlan::new(class, Model::constant(Rate::parse(rate).unwrap()))
    }
}

pub(crate) fn plan(tests: Vec<TestPlan>, duration_ms: Option<u64>) -> Plan {
    Plan {
        duration_ns: duration_ms.map(|ms| ms * MS),
        ..Plan::new("native", tests)
    }
}

/// So many native workers, with the usual deadlines: a busy machine must not miss one that nothing misses on purpose. For the
/// same reason iterations may start long after the end of the plan; where a test never ends, `briefly` takes that back.
pub(crate) fn workers(workers: u32) -> Settings {
    Settings {
        workers,
        // A panic says one line: of the last words of a worker only so many are kept.
        env: vec![("RUST_BACKTRACE".into(), "0".into())],
        deadlines: Deadlines {
            catch_up_ns: 30_000 * MS,
            ..Deadlines::default()
        },
        ..Settings::new(vec![env!("CARGO_BIN_EXE_native-worker").into()])
    }
}

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<RunEvent>,
}

impl Ran {
    /// The result of a run that was fired, or that no test survived to fire.
    pub(crate) fn summary(&self) -> &Summary {
        match &self.outcome {
            Outcome::Finished(summary) => summary,
            other => panic!("not finished: {other:?}\n{:#?}", self.notices()),
        }
    }

    pub(crate) fn notices(&self) -> Vec<&str> {
        self.texts(|event| match event {
            RunEvent::Notice { text, .. } => Some(text),
            _ => None,
        })
    }

    pub(crate) fn texts<'a>(&'a self, text: impl Fn(&'a RunEvent) -> Option<&'a String>) -> Vec<&'a str> {
        self.events.iter().filter_map(text).map(String::as_str).collect()
    }

    pub(crate) fn count(&self, is: impl Fn(&RunEvent) -> bool) -> usize {
        self.events.iter().filter(|event| is(event)).count()
    }
}

/// Keeps every event, and may act on one.
struct Record<'a> {
    events: Mutex<Vec<RunEvent>>,
    act: Box<dyn Fn(&RunEvent) + Send + Sync + 'a>,
}

impl EventSink for Record<'_> {
    fn emit(&self, event: RunEvent) {
        (self.act)(&event);
        self.events.lock().unwrap().push(event);
    }
}

/// Makes a run and checks what holds for every one.
pub(crate) fn run(plan: &Plan, settings: &Settings) -> Ran {
    run_and(plan, settings, |_, _| {})
}

/// The same, acting on events.
pub(crate) fn run_and(
    plan: &Plan,
    settings: &Settings,
    act: impl Fn(&RunEvent, &StopRequests) + Send + Sync,
) -> Ran {
    let requests = settings.stop_requests.clone();
    let record = Record {
        events: Mutex::default(),
        act: Box::new(|event| act(event, &requests)),
    };
    let outcome = pysurge_manager::run(plan, settings, &record).unwrap();
    let events = std::mem::take(&mut *record.events.lock().unwrap());
    let ran = Ran { outcome, events };
    if let Outcome::Finished(summary) = &ran.outcome {
        check(&ran, summary);
    }
    ran
}

fn check(ran: &Ran, summary: &Summary) {
    assert_eq!(summary.status, Status::Finished);
    assert_eq!(ran.outcome.exit_code(), summary.exit_code.unwrap());
    assert_eq!(ran.count(|event| matches!(event, RunEvent::Finished(_))), 1);
    assert!(matches!(ran.events.last(), Some(RunEvent::Finished(told)) if **told == *summary));
    let internal = ran.notices().into_iter().find(|text| text.contains("internal"));
    assert_eq!(internal, None);
    let mut sum = pysurge_core::account::Account::default();
    for test in &summary.tests {
        assert!(test.account.balances(), "{}: {:?}", test.label, test.account);
        assert_eq!(test.in_flight, 0, "{}", test.label);
        // Whatever was recorded has a lateness, and a response time is a lateness and a service time.
        let recorded = test.account.passed + test.account.failed;
        assert_eq!(test.lateness.count, recorded, "{}", test.label);
        assert_eq!(
            test.response_time.count, test.service_time.count,
            "{}",
            test.label
        );
        let parts = &test.lateness_parts;
        for part in [&parts.woke_late, &parts.no_free_thread, &parts.waited_for_gil] {
            assert_eq!(part.count, recorded, "{}", test.label);
        }
        sum += test.account;
    }
    check_rows(ran, summary);
    assert_eq!(summary.account, sum);
    for worker in &summary.workers {
        let pid = Pid::from_raw(i32::try_from(worker.pid).unwrap()).unwrap();
        assert_eq!(
            test_kill_process(pid),
            Err(Errno::SRCH),
            "worker {} is left",
            worker.worker
        );
    }
}

/// The rows of the time series follow each other, and add up to the whole; so do the seconds.
fn check_rows(ran: &Ran, summary: &Summary) {
    let of = |wanted: fn(&RunEvent) -> Option<&Row>| ran.events.iter().filter_map(wanted).collect::<Vec<_>>();
    let rows = of(|event| match event {
        RunEvent::Row(row) => Some(row),
        _ => None,
    });
    let seconds = of(|event| match event {
        RunEvent::Second(second) => Some(second),
        _ => None,
    });
    // No run here is so long that its rows are joined.
    assert_eq!(rows, seconds);
    assert!(rows.windows(2).all(|pair| pair[0].to_ns == pair[1].from_ns));
    for (place, test) in summary.tests.iter().enumerate() {
        let mut measures = Measures::default();
        let (mut planned, mut dropped) = (0, 0);
        for row in &rows {
            let row = &row.tests[place];
            planned += row.planned;
            dropped += row.dropped;
            measures.merge(&row.measures);
        }
        assert_eq!(
            (planned, dropped, measures.passed, measures.failed),
            (
                test.account.planned,
                test.account.dropped,
                test.account.passed,
                test.account.failed
            ),
            "{}",
            test.label
        );
        assert_eq!(
            Durations::of(&measures.response_time),
            test.response_time,
            "{}",
            test.label
        );
        assert_eq!(
            Durations::of(&measures.service_time),
            test.service_time,
            "{}",
            test.label
        );
        let passed: u64 = summary.blocks.iter().map(|block| block.tests[place].passed).sum();
        assert_eq!(passed, test.account.passed, "{}", test.label);
    }
}
