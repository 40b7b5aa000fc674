//! The events of a run that never was, rich enough to show every figure, with names that mean no good.

use pysurge_core::account::Account;
use pysurge_core::event::RunEvent;
use pysurge_core::measure::Measures;
use pysurge_core::plan::{Model, Plan, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::series::{Row, TestRow};
use pysurge_core::summary::{
    CheckFigures, Durations, FailureFigures, MachineSummary, MetricFigures, Status, Summary, TestSummary,
    ThreadTime, ThresholdResult, ThresholdState, WorkerEnd, WorkerSummary,
};
use pysurge_core::verdict::Verdict;
use pysurge_core::wire::TestInfo;
use std::sync::Arc;

/// A name of a test that would break lines, quotes and views.
pub(crate) const HOSTILE: &str = "up\nload\"\\ {le=\"1\"}\u{202e}";

const MS: u64 = 1_000_000;

fn second(n: u64) -> Measures {
    let mut measures = Measures {
        passed: 9,
        failed: 1,
        ..Measures::default()
    };
    for i in 0..10 {
        measures.lateness.record(60_000 * (i + 1));
        measures.lateness_parts.woke_late.record(60_000 * (i + 1));
        measures.service_time.record(MS * (i + n));
        measures.response_time.record(MS * (i + n) + 60_000 * (i + 1));
    }
    measures.lateness_parts.complete(10);
    measures.timers.record("step \"one\"", 3 * MS, false);
    measures.timers.record("step \"one\"", 700 * MS, true);
    measures.checks.record("is\r\nok", true);
    measures.checks.record("is\r\nok", false);
    measures.counts.record("bytes", -1.5);
    measures.metrics.record("size", 2.5);
    measures.metrics.record("balance", -2.0);
    measures
}

fn test(measures: &Measures) -> TestSummary {
    let checks = CheckFigures::of_all(&measures.checks);
    TestSummary {
        label: HOSTILE.into(),
        account: Account {
            planned: 25,
            passed: measures.passed,
            failed: measures.failed,
            dropped: 2,
            interrupted: 2,
            lost: 1,
        },
        in_flight: 3,
        asked_rate_per_s: Some(12.5),
        achieved_rate_per_s: 11.0,
        response_time: Durations::of(&measures.response_time),
        thread_time: ThreadTime {
            busy_s: 3.0,
            cpu_s: 1.25,
            blocked_s: 1.75,
            cpu_share: Some(0.4),
        },
        metrics: MetricFigures::of_all(&measures.metrics),
        checks,
        counts: measures
            .counts
            .iter()
            .map(|(name, sum)| (name.to_owned(), sum))
            .collect(),
        failures: ["no item 7", "no item 8"].map(failure).to_vec(),
        failures_overflow: 4,
        overran: 1,
        ..TestSummary::default()
    }
}

fn failure(message: &str) -> FailureFigures {
    FailureFigures {
        phase: "run".into(),
        exception: "shop.errors.NoItem".into(),
        message: message.into(),
        frame: String::new(),
        count: 2,
        first_s: 0.5,
        last_s: 1.5,
        traceback: String::new(),
        fails: true,
    }
}

fn worker(life: u32, end: WorkerEnd) -> WorkerSummary {
    WorkerSummary {
        worker: 0,
        life,
        pid: 4_100 + life,
        end,
        death: None,
        cpu_s: 1.25,
        cpu_share: None,
        gil_wait_share: None,
        stood_still_s: 0.0,
        rss_bytes: 31_000_000 + u64::from(life),
    }
}

fn summary(tests: Vec<TestSummary>, status: Status) -> Summary {
    Summary {
        schema_version: 1,
        pysurge_version: "2.0.0".into(),
        name: "demo".into(),
        tags: Vec::new(),
        status,
        stop_cause: None,
        exit_code: None,
        started_at: "2018-09-14T18:51:37Z".into(),
        planned_duration_s: Some(2.0),
        duration_s: 2.0,
        paused_s: 0.0,
        factor: 1.0,
        changes: Vec::new(),
        elapsed_s: 2.25,
        verdict: Verdict::valid(),
        thresholds: vec![ThresholdResult {
            expression: "response_time.p95 < 1ms".into(),
            test: None,
            state: ThresholdState::Failed,
            actual: Some(0.01),
            actual_text: "10 ms".into(),
            abort_on_fail: false,
            aborted: false,
        }],
        account: tests[0].account,
        tests,
        workers: vec![worker(0, WorkerEnd::Lost), worker(1, WorkerEnd::Done)],
        incidents: Vec::new(),
        machine: MachineSummary::default(),
        blocks: Vec::new(),
        samples_dropped: 0,
        output_dropped: 5,
    }
}

/// Two tests, of which the second one did not run; the first one over two seconds.
pub(crate) fn events() -> Vec<RunEvent> {
    let rate = Model::constant(Rate::parse("12.5").expect("a rate"));
    let tests = vec![TestPlan::new("a.A", rate.clone()), TestPlan::new("a.B", rate)];
    let label = |label: &str| TestInfo {
        label: label.into(),
        summary: String::new(),
        max_duration_ns: None,
        shape: None,
        rows: None,
        coroutine: false,
        notes: Vec::new(),
    };
    let opened = RunEvent::Opened {
        plan: Plan::new("demo", tests),
        workers: 1,
        wall_ns: 1,
    };
    let started = RunEvent::Started {
        at_ns: 5,
        wall_ns: 1_000_000_000,
        stripes: Vec::new(),
    };
    let mut events = vec![
        opened,
        RunEvent::Loaded(vec![label(HOSTILE), label("b")]),
        started,
    ];
    let mut total = Measures::default();
    for n in 0..2 {
        let measures = second(n);
        total.merge(&measures);
        let row = TestRow {
            planned: 12,
            threads: 7,
            measures,
            ..TestRow::default()
        };
        events.push(RunEvent::Second(Arc::new(Row {
            from_ns: n * 1_000 * MS,
            to_ns: (n + 1) * 1_000 * MS,
            tests: vec![row, TestRow::default()],
            worker_cpu_ns: 0,
            gil_wait_ns: 0,
        })));
    }
    let tests = vec![test(&total), TestSummary::default()];
    let running = summary(tests.clone(), Status::Running);
    events.push(RunEvent::Progress(Box::new(running)));
    events.push(RunEvent::Finished(Box::new(summary(tests, Status::Finished))));
    events
}
