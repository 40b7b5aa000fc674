//! Summaries of runs that never were, rich enough to show everything that a report can show.

#![allow(dead_code, reason = "every test file uses some of it")]

use pysurge_core::account::Account;
use pysurge_core::histogram::Histogram;
use pysurge_core::summary::{
    ChangeSummary, Durations, FailureFigures, LatenessFigures, MachineSummary, MetricFigures, ModelName,
    Status, StopCause, Summary, TestSummary, ThreadTime, WarmupSummary, WorkerEnd, WorkerSummary,
};
use pysurge_core::summary::{CheckFigures, ExhibitFigures, ThresholdResult, ThresholdState, TimerFigures};
use pysurge_core::verdict::{Cause, CauseKind, Validity, Verdict};
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;

/// Figures of a thousand durations spread between two bounds, most of them near the lower one.
pub(crate) fn durations(low_ns: u64, high_ns: u64) -> Durations {
    let mut histogram = Histogram::new();
    for i in 0..1_000u64 {
        let share = i * i / 1_000;
        histogram.record(low_ns + (high_ns - low_ns) * share / 1_000);
    }
    Durations::of(&histogram)
}

pub(crate) fn passed(planned: u64) -> Account {
    Account {
        planned,
        passed: planned,
        ..Account::default()
    }
}

pub(crate) fn test(label: &str, summary: &str, account: Account) -> TestSummary {
    TestSummary {
        label: label.into(),
        summary: summary.into(),
        test_class: "cases.UploadTest".into(),
        load: "7.5/s, evenly spaced".into(),
        workers: 2,
        account,
        asked_rate_per_s: Some(7.5),
        achieved_rate_per_s: 7.5,
        response_time: durations(50 * MS, 61 * MS),
        service_time: durations(50 * MS, 60 * MS),
        lateness: durations(40_000, 112_000),
        lateness_parts: LatenessFigures {
            woke_late: durations(30_000, 90_000),
            no_free_thread: durations(0, 1),
            waited_for_gil: durations(8_000, 22_000),
        },
        thread_time: ThreadTime {
            busy_s: 24.1,
            cpu_s: 0.75,
            blocked_s: 23.35,
            cpu_share: Some(0.031),
        },
        ..TestSummary::default()
    }
}

fn worker(number: u32) -> WorkerSummary {
    WorkerSummary {
        worker: number,
        life: 0,
        pid: 4_100 + number,
        end: WorkerEnd::Done,
        death: None,
        cpu_s: 1.25,
        cpu_share: Some(0.04),
        gil_wait_share: Some(0.001),
        stood_still_s: 0.0,
        rss_bytes: 31_000_000,
    }
}

/// A run of one minute on two workers that was valid and ended as planned.
pub(crate) fn summary(tests: Vec<TestSummary>) -> Summary {
    let mut account = Account::default();
    for test in &tests {
        account += test.account;
    }
    Summary {
        schema_version: 1,
        pysurge_version: "2.0.0".into(),
        name: "demo".into(),
        tags: Vec::new(),
        status: Status::Finished,
        stop_cause: Some(StopCause::Duration),
        exit_code: Some(0),
        started_at: "2018-09-14T18:51:37Z".into(),
        planned_duration_s: Some(60.0),
        duration_s: 60.0,
        paused_s: 0.0,
        factor: 1.0,
        changes: Vec::new(),
        elapsed_s: 60.052,
        verdict: Verdict::valid(),
        thresholds: Vec::new(),
        account,
        tests,
        workers: vec![worker(0), worker(1)],
        incidents: Vec::new(),
        machine: MachineSummary {
            cpus: 2,
            cpu_share: Some(0.11),
            swapped_bytes: Some(0),
            ..MachineSummary::default()
        },
        blocks: Vec::new(),
        samples_dropped: 0,
        output_dropped: 0,
    }
}

pub(crate) fn metric(mean: f64) -> MetricFigures {
    MetricFigures {
        count: 449,
        mean,
        min: mean / 2.0,
        p50: mean * 0.9,
        p95: mean * 1.5,
        p99: mean * 1.7,
        max: mean * 2.0,
    }
}

pub(crate) fn valid() -> Summary {
    let mut upload = test(
        "<UploadTest kwargs={}>",
        "upload test, legacy: False",
        passed(450),
    );
    upload.setup = durations(MS, 2 * MS);
    upload.teardown = durations(200_000, 300_000);
    upload.metrics = BTreeMap::from([
        ("upload->db_time_in_sec".to_owned(), metric(2.668_292)),
        ("bytes".to_owned(), metric(1_048_576.0)),
    ]);
    let download = test(
        "<DownloadTest kwargs={'path': '/big'}>",
        "download a file",
        passed(450),
    );
    summary(vec![upload, download])
}

fn failure(count: u64, exception: &str, message: &str, traceback: &str) -> FailureFigures {
    FailureFigures {
        phase: "run".into(),
        exception: exception.into(),
        message: message.into(),
        frame: "cases.py:31 in run".into(),
        count,
        first_s: 1.204,
        last_s: 58.93,
        traceback: traceback.into(),
        fails: true,
    }
}

const TRACEBACK: &str = "Traceback (most recent call last):
  File \"cases.py\", line 31, in run
    self.fetch(self.session, self.kwargs[\"path\"])
  File \"cases.py\", line 44, in fetch
\traise AssertionError(f\"status {response.status_code} of {url} is not the one that was expected\")
AssertionError: status 404";

pub(crate) fn failing() -> Summary {
    let account = Account {
        planned: 1_200,
        passed: 1_177,
        failed: 23,
        ..Account::default()
    };
    let mut bad = test(
        "<DownloadTest kwargs={'path': '/nope'}>",
        "ask for a page that is not there",
        account,
    );
    let refused = "HTTPConnectionPool(host='127.0.0.1', port=8123): Max retries exceeded with url: /upload \
                   (Caused by NewConnectionError('<urllib3.connection.HTTPConnection object at 0x7f3a>: \
                   Failed to establish a new connection: [Errno 111] Connection refused'))";
    let mut teardown = failure(1, "cases.CleanupError", "already\x1b[31m gone", "");
    teardown.phase = "teardown".into();
    teardown.fails = false;
    bad.failures = vec![
        failure(20, "AssertionError", "status 404", TRACEBACK),
        failure(3, "requests.exceptions.ConnectionError", refused, ""),
        teardown,
    ];
    bad.metrics_refused = 2;
    summary(vec![bad])
}

pub(crate) fn many_kinds() -> Summary {
    let account = Account {
        planned: 100,
        failed: 100,
        ..Account::default()
    };
    let mut bad = test("<T kwargs={}>", "fails in many ways", account);
    let long = (1..30).fold("Traceback (most recent call last):\n".to_owned(), |text, n| {
        format!("{text}  File \"cases.py\", line {n}, in deeper\n")
    });
    bad.failures = (0..12)
        .map(|n| failure(12 - n, &format!("cases.Error{n}"), "no", &long))
        .collect();
    bad.failures_overflow = 22;
    summary(vec![bad])
}

fn cause(kind: CauseKind, test: &str, said: &str, advice: Option<&str>) -> Cause {
    Cause {
        validity: Validity::Degraded,
        kind,
        test: Some(test.to_owned()),
        text: said.to_owned(),
        advice: advice.map(str::to_owned),
    }
}

pub(crate) fn degraded() -> Summary {
    let account = Account {
        planned: 10_000,
        passed: 9_950,
        failed: 0,
        dropped: 45,
        interrupted: 2,
        lost: 3,
    };
    let mut slow = test("<SlowTest kwargs={'seconds': 0.05}>", "sleeps", account);
    slow.workers = 1;
    slow.asked_rate_per_s = Some(166.666_666_667);
    slow.achieved_rate_per_s = 165.866_666_667;
    slow.lateness = durations(100_000, 8 * MS);
    let mut summary = summary(vec![slow]);
    summary.stop_cause = Some(StopCause::Signal);
    let name = "<SlowTest kwargs={'seconds': 0.05}>";
    let late =
        "iterations started late, p99 7.84 ms beside a median service time of 52.5 ms: every thread was busy";
    summary.verdict = Verdict::of(vec![
        cause(
            CauseKind::Dropped,
            name,
            "45 of 10000 planned iterations were never started",
            None,
        ),
        cause(
            CauseKind::Lost,
            name,
            "3 of 10000 planned iterations were lost with a worker that died",
            Some("look into run.log for what the worker said last"),
        ),
        cause(
            CauseKind::Threads,
            name,
            late,
            Some("raise max_threads from 10 to 25, or see whether the service is slower than it should be"),
        ),
    ]);
    summary.workers[1].end = WorkerEnd::Lost;
    summary.workers[1].death = Some("killed by signal 9 (SIGKILL)".into());
    summary.output_dropped = 12_345;
    summary
}

pub(crate) fn not_run() -> Summary {
    let mut absent = test("<DbTest kwargs={}>", "needs a database", Account::default());
    absent.not_run = Some(
        "startup failed on every worker: psycopg.OperationalError: connection to server at \"127.0.0.1\", port \
         5432 failed: Connection refused. Is the server running on that host and accepting TCP/IP connections?"
            .into(),
    );
    absent.workers = 0;
    absent.achieved_rate_per_s = 0.0;
    for durations in [
        &mut absent.response_time,
        &mut absent.service_time,
        &mut absent.lateness,
    ] {
        *durations = Durations::default();
    }
    summary(vec![
        test("<UploadTest kwargs={}>", "upload test", passed(450)),
        absent,
    ])
}

pub(crate) fn nothing() -> Summary {
    let mut idle = test("<UploadTest kwargs={}>", "upload test", Account::default());
    idle.achieved_rate_per_s = 0.0;
    for durations in [
        &mut idle.response_time,
        &mut idle.service_time,
        &mut idle.lateness,
    ] {
        *durations = Durations::default();
    }
    let mut summary = summary(vec![idle]);
    summary.stop_cause = Some(StopCause::SecondSignal);
    (summary.duration_s, summary.elapsed_s) = (0.01, 0.01);
    summary
}

pub(crate) fn long_labels() -> Summary {
    let kwargs: Vec<String> = (0..30)
        .map(|n| format!("'option_number_{n}': 'value {n}'"))
        .collect();
    let label = format!("<UploadTest kwargs={{{}}}>", kwargs.join(", "));
    let mut long = test(
        &label,
        "試験: 長い名前のテスト。名前が八十桁を超えても、行は折り返さない。すべての行はこの幅に収まらなければならない。",
        passed(450),
    );
    long.metrics = BTreeMap::from([
        (
            "a_metric_whose_name_says_everything_there_is_to_say_about_it_and_then_goes_on_for_a_while"
                .to_owned(),
            metric(0.5),
        ),
        ("short".to_owned(), metric(1.0)),
    ]);
    let mut summary = summary(vec![long]);
    let text = "iterations started late, p99 2.50 s beside a median service time of 52.5 ms";
    summary.verdict = Verdict::of(vec![Cause {
        validity: Validity::Invalid,
        ..cause(CauseKind::Late, &label, text, None)
    }]);
    summary
}

pub(crate) fn huge() -> Summary {
    let account = Account {
        planned: 8_640_000_000_000,
        passed: 8_000_000_000_000,
        failed: 600_000_000_000,
        dropped: 30_000_000_000,
        interrupted: 5_000_000_000,
        lost: 5_000_000_000,
    };
    let mut huge = test("<T kwargs={}>", "for a century", account);
    huge.asked_rate_per_s = Some(10_000_000.0);
    huge.achieved_rate_per_s = 9_999_999.25;
    huge.response_time = durations(3_600_000_000_000, 4_000_000_000_000_000);
    huge.service_time = durations(0, 1);
    huge.metrics = BTreeMap::from([
        ("least".to_owned(), metric(f64::MIN_POSITIVE)),
        ("most".to_owned(), metric(-f64::MAX / 2.0)),
    ]);
    let mut summary = summary(vec![huge]);
    (summary.duration_s, summary.elapsed_s) = (864_000.0, 864_001.0);
    summary
}

pub(crate) fn warmup(account: Account) -> WarmupSummary {
    WarmupSummary {
        duration_s: 30.0,
        account,
        response_time: durations(60 * MS, 120 * MS),
        service_time: durations(60 * MS, 119 * MS),
        failures: Vec::new(),
    }
}

/// Named, warmed up, and with users.
pub(crate) fn models() -> Summary {
    let mut warm = test("<UploadTest kwargs={'size': 5}>", "upload test", passed(450));
    warm.name = Some("big uploads".into());
    warm.load = "3 stages up to 100/s in 6m30s, Poisson arrivals (seed 7)".into();
    let mut ended = warmup(Account {
        planned: 3_000,
        passed: 2_990,
        failed: 2,
        dropped: 8,
        ..Account::default()
    });
    ended.failures = vec![failure(2, "AssertionError", "status 503", TRACEBACK)];
    warm.warmup = Some(ended);
    let mut users = test("<ShopTest kwargs={}>", "buys something", passed(7_380));
    users.model = ModelName::Closed;
    users.load = "20 users, pacing 1s, ramp-up 30s".into();
    users.asked_rate_per_s = None;
    users.achieved_rate_per_s = 123.0;
    users.response_time = users.service_time.clone();
    users.warmup = Some(warmup(passed(600)));
    let mut summary = summary(vec![warm, users]);
    summary.stop_cause = Some(StopCause::Iterations);
    summary
}

fn change(at_s: f64, paused: bool, factor: f64) -> ChangeSummary {
    ChangeSummary { at_s, paused, factor }
}

/// Paused and scaled while it went on.
pub(crate) fn steered() -> Summary {
    let mut summary = valid();
    summary.paused_s = 12.0;
    summary.factor = 1.5;
    summary.changes = vec![
        change(20.34, true, 1.0),
        change(32.34, false, 1.0),
        change(65.0, false, 1.5),
    ];
    summary
}

/// Steered without end, and stopped while it was paused.
pub(crate) fn steered_much() -> Summary {
    let mut summary = steered();
    let more = (0..9).map(|n| change(70.0 + f64::from(n), false, 2.0 + f64::from(n) / 10.0));
    summary.changes.extend(more);
    summary.changes.insert(1, change(21.0, true, 1.0));
    summary.changes.push(change(90.0, true, 1.0));
    summary.stop_cause = Some(StopCause::Signal);
    summary
}

/// Changed in the middle of a pause that nobody ended; users only.
pub(crate) fn left_paused() -> Summary {
    let mut summary = models();
    summary.tests.remove(0);
    summary.changes = vec![
        change(10.0, false, 0.5),
        change(15.0, true, 0.5),
        change(16.0, true, 1.0),
    ];
    summary
}

pub(crate) fn threshold(
    expression: &str,
    test: Option<&str>,
    state: ThresholdState,
    actual: &str,
) -> ThresholdResult {
    ThresholdResult {
        expression: expression.into(),
        test: test.map(str::to_owned),
        state,
        actual: (state != ThresholdState::NoData).then_some(0.312),
        actual_text: actual.into(),
        abort_on_fail: false,
        aborted: false,
    }
}

fn exhibit(response_ms: u32, started_s: f64, error: Option<&str>) -> ExhibitFigures {
    let response_time_s = f64::from(response_ms) / 1e3;
    ExhibitFigures {
        planned_s: started_s - 0.000_1,
        started_s,
        response_time_s,
        service_time_s: Some(response_time_s - 0.000_1),
        worker: 1,
        thread: "pysurge-7".into(),
        number: Some(123),
        kwargs: "{'size': 5}".into(),
        error: error.map(str::to_owned),
    }
}

/// Judged by thresholds, with checks, timers and counts.
pub(crate) fn judged() -> Summary {
    let account = Account {
        planned: 450,
        passed: 438,
        failed: 12,
        ..Account::default()
    };
    let mut upload = test("<UploadTest kwargs={'size': 5}>", "upload test", account);
    upload.name = Some("big uploads".into());
    upload.lateness = durations(40_000, 9 * MS);
    upload.lateness_parts = LatenessFigures {
        woke_late: durations(30_000, 90_000),
        no_free_thread: durations(0, 8 * MS),
        waited_for_gil: durations(8_000, 900_000),
    };
    let check = |passed, failed| CheckFigures { passed, failed };
    upload.checks = BTreeMap::from([
        ("status is 200".to_owned(), check(447, 3)),
        (
            "the body holds everything that was sent before".to_owned(),
            check(450, 0),
        ),
    ]);
    upload.timers = BTreeMap::from([
        (
            "connect".to_owned(),
            TimerFigures {
                passed: durations(400_000, 3 * MS),
                failed: Durations::default(),
            },
        ),
        (
            "send".to_owned(),
            TimerFigures {
                passed: durations(40 * MS, 55 * MS),
                failed: durations(80 * MS, 2_000 * MS),
            },
        ),
    ]);
    upload.counts = BTreeMap::from([("bytes".to_owned(), 471_859_200.0), ("retries".to_owned(), 9.0)]);
    upload.slowest = vec![
        exhibit(2_061, 12.34, Some("run: AssertionError: status 503 of /items/17")),
        exhibit(61, 40.0, None),
        exhibit(60, 3.41, None),
        exhibit(59, 4.0, None),
    ];
    let mut download = test("<DownloadTest kwargs={'size': 5}>", "download", passed(450));
    download.slowest = vec![exhibit(61, 12.34, None), exhibit(60, 50.1, None)];
    let mut summary = summary(vec![upload, download]);
    summary.exit_code = Some(3);
    summary.stop_cause = Some(StopCause::Threshold);
    let (passed, failed, no_data) = (
        ThresholdState::Passed,
        ThresholdState::Failed,
        ThresholdState::NoData,
    );
    summary.thresholds = vec![
        threshold("failures < 1%", None, failed, "1.33 %"),
        threshold("rate > 95%", None, passed, "100 %"),
        threshold(
            "response_time.p95 < 250ms for 10s",
            Some("big uploads"),
            failed,
            "312 ms",
        ),
        threshold("metrics.size.mean < 2.5", Some("big uploads"), no_data, "no data"),
        threshold(
            "checks.status_is_200 > 99%",
            Some("<DownloadTest kwargs={'size': 5}>"),
            passed,
            "99.3 %",
        ),
    ];
    summary.thresholds[2].aborted = true;
    summary.samples_dropped = 1_234;
    summary
}

/// More thresholds than anybody reads.
pub(crate) fn many_thresholds() -> Summary {
    let mut summary = valid();
    summary.thresholds = (1..=30)
        .map(|n| {
            let state = match n {
                7 => ThresholdState::Failed,
                9 => ThresholdState::Pending,
                _ => ThresholdState::Passed,
            };
            threshold(&format!("response_time.p{n} < 250ms"), None, state, "60.1 ms")
        })
        .collect();
    summary
}

/// One of each.
pub(crate) fn all() -> Vec<(&'static str, Summary)> {
    vec![
        ("valid", valid()),
        ("failing", failing()),
        ("many_kinds", many_kinds()),
        ("degraded", degraded()),
        ("not_run", not_run()),
        ("nothing", nothing()),
        ("long_labels", long_labels()),
        ("huge", huge()),
        ("models", models()),
        ("steered", steered()),
        ("steered_much", steered_much()),
        ("left_paused", left_paused()),
        ("judged", judged()),
        ("many_thresholds", many_thresholds()),
    ]
}
