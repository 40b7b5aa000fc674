//! Every form against figures, and against none.

use super::{Figures, parsed};
use crate::NANOS_PER_SEC;
use crate::account::Account;
use crate::measure::Measures;
use crate::summary::ThresholdState;
use crate::threshold::Judge;

const MS: u64 = 1_000_000;

/// Ten seconds: 1,000 planned, 960 passed, 8 failed, 20 dropped, 10 interrupted, 2 lost.
fn figures() -> Figures {
    let mut measures = Measures {
        passed: 960,
        failed: 8,
        busy_ns: 1_000,
        busy_cpu_ns: 250,
        ..Measures::default()
    };
    for ms in 1..=1_000 {
        measures.response_time.record(ms * MS);
        measures.service_time.record(ms * MS / 2);
        measures.lateness.record(ms * MS / 100);
        measures.lateness_parts.woke_late.record(ms * MS / 200);
        measures.lateness_parts.no_free_thread.record(0);
        measures.lateness_parts.waited_for_gil.record(MS);
    }
    measures.setup.record(3 * MS);
    for i in 0..100 {
        measures.checks.record("status is 200", i > 0);
        measures.checks.record("body", true);
        measures.timers.record("upload", 10 * MS, false);
        measures.timers.record("upload", 900 * MS, true);
        measures.timers.record("a b", MS, false);
        measures.timers.record("a.b", 3 * MS, false);
        measures.counts.record("bytes", 50.0);
        measures.metrics.record("upload_s", 2.0);
        measures.metrics.record("a b", 1.0);
        measures.metrics.record("a_b", 3.0);
    }
    measures.counts.record("a/b", -1.0);
    measures.counts.record("a:b", -1.0);
    Figures {
        measures,
        account: Account {
            planned: 1_000,
            passed: 960,
            failed: 8,
            dropped: 20,
            interrupted: 10,
            lost: 2,
        },
        started: 978,
        span_ns: 10 * NANOS_PER_SEC,
    }
}

#[test]
fn every_form_against_figures() {
    use ThresholdState::{Failed, NoData, Passed};
    #[rustfmt::skip]
    let table = [
        ("response_time.p95 < 960ms", Passed, "950 ms"),
        ("response_time.p95 < 950ms", Failed, "950.01 ms"),
        ("response_time.p50 < 499ms", Failed, "500 ms"),
        ("response_time.p99.9 > 990ms", Passed, "999 ms"),
        ("response_time.p100 == 1s", Passed, "1 s"),
        ("response_time.max == 1000ms", Passed, "1,000 ms"),
        ("response_time.min == 1ms", Passed, "1 ms"),
        ("response_time.mean < 501ms", Passed, "500 ms"),
        ("response_time.mean < 0.5s", Failed, "0.5005 s"),
        ("response_time.count == 1000", Passed, "1,000"),
        ("service_time.max <= 500ms", Passed, "500 ms"),
        ("lateness.max <= 10ms", Passed, "10 ms"),
        ("lateness.woke_late.max <= 5ms", Passed, "5 ms"),
        ("lateness.no_free_thread.max == 0ms", Passed, "0 ms"),
        ("lateness.waited_for_gil.mean != 1ms", Failed, "1 ms"),
        ("setup.max < 3000us", Failed, "3,000 us"),
        ("teardown.max < 3s", NoData, "no data"),
        ("teardown.count < 3", NoData, "no data"),
        ("timers.upload.p95 < 100ms", Passed, "10 ms"),
        ("timers.a_b.mean < 100ms", Passed, "2 ms"),
        ("timers.\"a b\".mean < 100ms", Passed, "1 ms"),
        ("timers.a_b.count == 200", Passed, "200"),
        ("timers.other.p95 < 100ms", NoData, "no data"),
        ("metrics.upload_s.mean <= 2", Passed, "2"),
        ("metrics.upload_s.p95 < 2.5", Passed, "2"),
        ("metrics.upload_s.count == 100", Passed, "100"),
        ("metrics.a_b.mean == 2", Passed, "2"),
        ("metrics.\"a_b\".mean == 3", Passed, "3"),
        ("metrics.other.mean < 2", NoData, "no data"),
        ("checks > 99%", Passed, "99.5 %"),
        ("checks.status_is_200 >= 99%", Passed, "99 %"),
        ("checks.\"status is 200\" > 99%", Failed, "99 %"),
        ("checks.body == 100%", Passed, "100 %"),
        ("checks.\"status_is_200\" > 1%", NoData, "no data"),
        ("counts.bytes == 5e3", Passed, "5,000"),
        ("counts.bytes > 500/s", Failed, "500/s"),
        ("counts.bytes.rate >= 30000/m", Passed, "30,000/m"),
        ("counts.a_b == -2", Passed, "-2"),
        ("counts.other < 5", NoData, "no data"),
        ("failures < 1%", Passed, "0.826 %"),
        ("failures == 8", Passed, "8"),
        ("failures < 0.5/s", Failed, "0.8/s"),
        ("passed > 99%", Passed, "99.2 %"),
        ("passed > 96/s", Failed, "96/s"),
        ("dropped <= 2%", Passed, "2 %"),
        ("dropped < 20", Failed, "20"),
        ("interrupted <= 1%", Passed, "1 %"),
        ("lost <= 0.2%", Passed, "0.2 %"),
        ("lost == 0", Failed, "2"),
        ("rate > 97%", Passed, "97.8 %"),
        ("rate > 100/s", Failed, "97.8/s"),
        ("rate > 5000/m", Passed, "5,868/m"),
        ("cpu_share < 30%", Passed, "25 %"),
    ];
    let figures = figures();
    for (text, state, actual) in table {
        let judge = Judge::new(parsed(text));
        let result = judge.result(&figures.view(), 10 * NANOS_PER_SEC, true);
        assert_eq!(
            (result.state, result.actual_text.as_str()),
            (state, actual),
            "{text}"
        );
        assert_eq!(result.expression, text);
        assert_eq!(result.actual.is_none(), state == NoData, "{text}");
    }
}

#[test]
fn results_are_in_seconds_and_fractions() {
    let figures = figures();
    for (text, actual) in [
        ("response_time.max < 5000ms", 1.0),
        ("setup.max < 3us", 0.003),
        ("checks.status_is_200 > 1%", 0.99),
        ("rate > 1/m", 97.8),
        ("response_time.count > 1", 1_000.0),
        ("metrics.upload_s.max > 1", 2.0),
    ] {
        let result = Judge::new(parsed(text)).result(&figures.view(), 0, true);
        let found = result.actual.unwrap();
        assert!((found - actual).abs() < 1e-9, "{text}: {found}");
    }
}

/// Without figures nothing passes and nothing fails: while the run goes on it is open, in the end it is said.
#[test]
fn every_form_against_nothing() {
    let nothing = Figures::default();
    for text in [
        "response_time.p95 < 1s",
        "response_time.count >= 0",
        "lateness.woke_late.p99 < 1s",
        "timers.x.p95 < 1s",
        "metrics.x.mean < 1",
        "checks > 1%",
        "checks.x <= 100%",
        "counts.x < 1",
        "counts.x < 1/s",
        "failures < 1%",
        "failures == 0",
        "failures < 1/s",
        "passed > 0",
        "dropped < 1%",
        "interrupted == 0",
        "lost < 1%",
        "rate > 95%",
        "rate > 1/s",
        "cpu_share < 50%",
        "response_time.p95 < 1s for 10s",
        "failures < 1% in 99% of seconds",
        "rate > 1/s for 1s",
    ] {
        let mut judge = Judge::new(parsed(text));
        judge.second(&nothing.view());
        let running = judge.result(&nothing.view(), NANOS_PER_SEC, false);
        assert_eq!(running.state, ThresholdState::Pending, "{text}");
        assert_eq!(running.actual_text, "no data yet", "{text}");
        let ended = judge.result(&nothing.view(), NANOS_PER_SEC, true);
        assert_eq!(ended.state, ThresholdState::NoData, "{text}");
        assert_eq!(
            (ended.actual, ended.actual_text.as_str()),
            (None, "no data"),
            "{text}"
        );
        let mut aborting = parsed(text);
        aborting.abort_on_fail = true;
        assert!(!Judge::new(aborting).aborts(&nothing.view(), u64::MAX), "{text}");
    }
}

/// Where something was planned, a count of 0 is a figure.
#[test]
fn none_of_some_is_a_figure() {
    let mut figures = Figures {
        span_ns: NANOS_PER_SEC,
        ..Figures::default()
    };
    figures.account.planned = 5;
    for (text, passes) in [
        ("failures == 0", true),
        ("dropped < 1%", true),
        ("passed > 0", false),
        ("passed > 0/s", false),
        ("rate > 0%", false),
    ] {
        let result = Judge::new(parsed(text)).result(&figures.view(), 0, true);
        let expected = if passes {
            ThresholdState::Passed
        } else {
            ThresholdState::Failed
        };
        assert_eq!(result.state, expected, "{text}");
    }
}
