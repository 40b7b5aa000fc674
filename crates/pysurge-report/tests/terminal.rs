//! The terminal sink into buffers: what stands on which stream, on a terminal and off one.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod plans;
mod sample;
mod screen;
mod written;

use pysurge_core::account::Account;
use pysurge_core::event::{Actor, RunEvent, Severity, StopReason, Stream};
use pysurge_core::failure::{FailureKey, Phase};
use pysurge_core::measure::Measures;
use pysurge_core::plan::{Plan, Samples, Target, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Change, Factor, Stripe};
use pysurge_core::summary::Summary;
use pysurge_core::verdict::Validity;
use pysurge_core::wire::{LogRecord, Rehearsed, StartupError, TestInfo};
use pysurge_report::{LocalClock, Sink, Size, Terminal, TerminalOptions};
use screen::{Narrowing, Screen};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use written::{Buffer, SECOND_NS, WALL_NS};

/// With escape sequences made visible and every frame on a line of its own.
fn visible(buffer: &Buffer) -> String {
    let text = buffer.text().replace("\x1b[?2026h", "\n\x1b[?2026h");
    text.replace('\r', "␍").replace('\x1b', "␛")
}

/// What was written since, as a terminal shows it.
fn shown_since(buffer: &Buffer, before: usize, columns: u16) -> String {
    let mut screen = Screen::new(columns.into(), 5, Narrowing::Wraps);
    screen.write(&buffer.text()[before..]);
    assert!(!screen.was_cut, "{:?}", buffer.text());
    screen.all()
}

struct Gone;

impl Write for Gone {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

fn terminal(change: impl FnOnce(&mut TerminalOptions)) -> (Terminal, Buffer, Buffer) {
    let (stdout, stderr) = (Buffer::default(), Buffer::default());
    let mut options = TerminalOptions {
        results: Some(PathBuf::from("pysurge-results/20180914-185137-demo")),
        ..written::options(&stdout, &stderr)
    };
    change(&mut options);
    if options.stderr_is_tty {
        // Too low for more than one line; tests/live.rs has larger ones.
        let size = options.columns.map(|columns| Size { columns, rows: 5 });
        options.size = Box::new(move || size);
    }
    (Terminal::new(options), stdout, stderr)
}

fn log(level: &str, level_number: u32, message: &str) -> RunEvent {
    RunEvent::Log(LogRecord {
        wall_ns: WALL_NS,
        process: "Worker-1".into(),
        thread: "pysurge-3".into(),
        level: level.into(),
        level_number,
        message: message.into(),
    })
}

fn output(stream: Stream, line: &str) -> RunEvent {
    RunEvent::Output {
        worker: 0,
        stream,
        thread: None,
        wall_ns: WALL_NS,
        line: line.into(),
    }
}

fn notice(severity: Severity, text: &str) -> RunEvent {
    RunEvent::Notice {
        severity,
        text: text.into(),
    }
}

fn opened(duration_ns: Option<u64>) -> RunEvent {
    let test = |test_class: &str| TestPlan {
        target: Target::Class(test_class.into()),
        ..plans::constant("7.5")
    };
    opened_with(
        vec![test("cases.UploadTest"), test("cases.DownloadTest")],
        duration_ns,
    )
}

fn opened_with(tests: Vec<TestPlan>, duration_ns: Option<u64>) -> RunEvent {
    RunEvent::Opened {
        plan: Plan {
            duration_ns,
            ..Plan::new("demo", tests)
        },
        workers: 2,
        wall_ns: WALL_NS,
    }
}

fn started() -> RunEvent {
    started_with(2)
}

fn started_with(tests: usize) -> RunEvent {
    let stripe = |worker| Stripe { worker, workers: 2 };
    RunEvent::Started {
        at_ns: 1_000 * SECOND_NS,
        wall_ns: WALL_NS,
        stripes: vec![vec![stripe(0), stripe(1)]; tests],
    }
}

fn progress(seconds: f64) -> RunEvent {
    let mut summary: Summary = sample::valid();
    summary.stop_cause = None;
    (summary.duration_s, summary.elapsed_s) = (seconds, seconds);
    RunEvent::Progress(Box::new(summary))
}

fn changed(at_ns: u64, paused: bool, milli: u32, by: Actor) -> RunEvent {
    RunEvent::Changed {
        change: Change {
            at_ns,
            paused,
            factor: Factor::from_milli(milli).unwrap(),
        },
        wall_ns: WALL_NS,
        by,
    }
}

fn stopping(reason: StopReason) -> RunEvent {
    RunEvent::Stopping {
        reason,
        grace_ends_ns: 1_030 * SECOND_NS,
    }
}

fn a_run() -> Vec<RunEvent> {
    let mut events = vec![
        opened(Some(60 * SECOND_NS)),
        RunEvent::Loaded(infos()),
        started(),
        log("INFO", 20, "uploading 1"),
        log("DEBUG", 10, "connection reused"),
        output(Stream::Stdout, "printed by the test"),
        output(Stream::Stderr, "a warning of a library"),
        notice(Severity::Info, "all is well"),
        notice(Severity::Warning, "worker 1 died: killed by signal 9 (SIGKILL)"),
    ];
    events.extend([1.0, 9.0, 10.0, 11.0, 25.0, 29.0, 30.0].map(progress));
    events.push(log("ERROR", 40, "after a while\nTraceback: on two lines"));
    events.push(stopping(StopReason::Signal));
    events.push(progress(31.0));
    events.push(stopping(StopReason::SecondSignal));
    events.push(RunEvent::Finished(Box::new(sample::nothing())));
    events
}

fn infos() -> Vec<TestInfo> {
    let info = |label: &str, summary: &str| TestInfo {
        label: label.into(),
        summary: summary.into(),
        ..TestInfo::default()
    };
    vec![
        info("<UploadTest kwargs={}>", "upload test"),
        info("<DownloadTest kwargs={'path': '/nope'}>", "download a file"),
    ]
}

fn play(mut sink: Terminal, events: &[RunEvent]) {
    for event in events {
        sink.take(event).unwrap();
        sink.flush().unwrap();
    }
    sink.close().unwrap();
}

#[test]
fn a_run_without_a_terminal() {
    let (sink, stdout, stderr) = terminal(|_| {});
    play(sink, &a_run());
    insta::assert_snapshot!("pipe_stdout", stdout.text());
    insta::assert_snapshot!("pipe_stderr", stderr.text());
}

#[test]
fn a_run_on_a_terminal() {
    let screen = Buffer::default();
    let (sink, _, _) = terminal(|options| {
        options.stdout = Box::new(screen.clone());
        options.stderr = Box::new(screen.clone());
        (options.stdout_is_tty, options.stderr_is_tty) = (true, true);
    });
    play(sink, &a_run());
    insta::assert_snapshot!("screen_bytes", visible(&screen));
    insta::assert_snapshot!("screen_left", shown_since(&screen, 0, 80));
}

#[test]
fn a_wide_terminal_has_a_bar_and_colours() {
    let (sink, _, stderr) = terminal(|options| {
        (options.stderr_is_tty, options.color_stderr, options.columns) = (true, true, Some(120));
    });
    let mut progress = sample::degraded();
    (progress.duration_s, progress.elapsed_s) = (45.0, 45.0);
    assert_eq!(progress.verdict.validity, Validity::Degraded);
    play(
        sink,
        &[
            opened(Some(60 * SECOND_NS)),
            started(),
            RunEvent::Progress(Box::new(progress)),
        ],
    );
    insta::assert_snapshot!("wide_bytes", visible(&stderr));
}

#[test]
fn a_progress_line_fits_any_terminal() {
    for columns in [20, 40, 60, 80, 99, 100, 101, 120, 200] {
        let (mut sink, _, stderr) = terminal(|options| {
            (options.stderr_is_tty, options.columns) = (true, Some(columns));
        });
        sink.take(&opened(Some(60 * SECOND_NS))).unwrap();
        sink.take(&started()).unwrap();
        let before = stderr.text().len();
        let mut huge = sample::huge();
        (huge.duration_s, huge.elapsed_s, huge.planned_duration_s) = (5.0, 5.0, Some(60.0));
        sink.take(&RunEvent::Progress(Box::new(huge))).unwrap();
        let drawn = shown_since(&stderr, before, columns);
        assert!(drawn.contains("55s left"), "{columns}: {drawn:?}");
        assert!(
            drawn.chars().count() < usize::from(columns),
            "{columns}: {drawn:?}"
        );
    }
}

#[test]
fn quiet_is_the_report_and_what_is_wrong() {
    let (sink, stdout, stderr) = terminal(|options| {
        (options.quiet, options.stderr_is_tty) = (true, true);
    });
    play(sink, &a_run());
    assert!(
        stdout.text().starts_with("VALID  no iteration was planned\n"),
        "{}",
        stdout.text()
    );
    assert_eq!(
        stderr.text(),
        "a warning of a library\nwarning: worker 1 died: killed by signal 9 (SIGKILL)\n"
    );
}

#[test]
fn debug_records_are_shown_only_when_asked_for() {
    for debug in [false, true] {
        let (sink, stdout, _) = terminal(|options| options.debug = debug);
        play(sink, &a_run());
        assert_eq!(stdout.text().contains("DEBUG connection reused"), debug);
        assert!(
            stdout
                .text()
                .contains("2018-09-14 18:51:37,590 Worker-1 pysurge-3 INFO uploading 1\n")
        );
    }
}

#[test]
fn the_classic_report_stands_in_front() {
    let (sink, stdout, _) = terminal(|options| options.classic = true);
    play(sink, &[RunEvent::Finished(Box::new(sample::nothing()))]);
    let text = stdout.text();
    assert!(
        text.starts_with(
            "2018-09-14 18:51:37,590 MainProcess MainThread INFO ---- Results for test \
             '<UploadTest kwargs={}> -- upload test' ----\n"
        ),
        "{text}"
    );
    assert!(text.contains("----\n\nVALID  no iteration"), "{text}");
}

#[test]
fn a_startup_that_fails_everywhere_is_explained_once() {
    let (sink, stdout, stderr) = terminal(|_| {});
    let failed = |worker| {
        RunEvent::StartupFailed {
        worker,
        error: StartupError {
            class: "cases.DbTest".into(),
            message: "OSError: no database".into(),
            traceback: "Traceback (most recent call last):\n  File \"cases.py\", line 3, in startup\nOSError: no database".into(),
        },
    }
    };
    play(sink, &[failed(0), failed(1)]);
    assert_eq!(stdout.text(), "");
    insta::assert_snapshot!("startup_failed", stderr.text());
}

#[test]
fn a_rehearsal_says_what_happened() {
    let mut good = Measures {
        passed: 1,
        ..Measures::default()
    };
    good.setup.record(1_200_000);
    good.service_time.record(50_100_000);
    good.teardown.record(90_000);
    good.metrics.record("upload->db_time_in_sec", 2.668_292);
    good.metrics.record("bytes", 1_048_576.0);
    let mut bad = Measures {
        failed: 1,
        ..Measures::default()
    };
    bad.service_time.record(3_210_000);
    let key = FailureKey {
        phase: Phase::Run,
        exception: "AssertionError".into(),
        frame: "cases.py:31 in run".into(),
        message: "status #".into(),
    };
    bad.failures.record(key, 0, || {
        (
            "status 404".into(),
            "Traceback (most recent call last):\n  File \"cases.py\", line 31, in run\n    assert ok\nAssertionError: status 404".into(),
        )
    });
    let rehearsed = |test, measures| {
        RunEvent::Rehearsed(Rehearsed {
            test,
            measures: Box::new(measures),
        })
    };
    let events = [
        opened(None),
        RunEvent::Loaded(infos()),
        rehearsed(0, good.clone()),
        rehearsed(1, bad),
    ];
    let (sink, stdout, stderr) = terminal(|options| options.rehearsals = true);
    play(sink, &events);
    assert_eq!(stderr.text(), "");
    insta::assert_snapshot!("rehearsal", stdout.text());
    // Before a run what passed is one line, once it starts.
    let (sink, stdout, stderr) = terminal(|_| {});
    play(sink, &events);
    assert_eq!(stdout.text(), "");
    insta::assert_snapshot!("rehearsal_before_a_run", stderr.text());
    let mut events = vec![opened(None), RunEvent::Loaded(infos())];
    events.extend([rehearsed(0, good.clone()), rehearsed(1, good), started()]);
    let (sink, _, stderr) = terminal(|_| {});
    play(sink, &events);
    assert!(
        stderr
            .text()
            .contains("rehearsed 2 tests, the longest took 51.4 ms\n"),
        "{}",
        stderr.text()
    );
    let (sink, _, stderr) = terminal(|options| options.quiet = true);
    play(sink, &events);
    assert_eq!(stderr.text(), "");
}

#[test]
fn a_rehearsal_says_how_many_threads_the_load_needs() {
    let passed = |test, ns: u64| {
        let mut measures = Measures {
            passed: 1,
            ..Measures::default()
        };
        measures.setup.record(3_000_000);
        measures.service_time.record(ns);
        RunEvent::Rehearsed(Rehearsed {
            test,
            measures: Box::new(measures),
        })
    };
    let ramp = plans::stages(&[(60, "100"), (60, "0")]);
    let tight = TestPlan {
        max_threads: Some(4),
        ..plans::constant("1000")
    };
    let tests = vec![
        plans::constant("1000"),
        plans::open(ramp, pysurge_core::plan::ArrivalProcess::Constant),
        plans::closed(20, 0),
        plans::unsampled(),
        plans::unsampled(),
        tight,
    ];
    let mut infos: Vec<TestInfo> = (0..6)
        .map(|n| plans::info(&format!("<Test{n} kwargs={{}}>"), None))
        .collect();
    infos[3].shape = Some(Samples {
        step_ns: SECOND_NS,
        rates: vec![Rate::parse("10").unwrap(); 3],
    });
    let (sink, stdout, _) = terminal(|options| options.rehearsals = true);
    let mut events = vec![opened_with(tests, None), RunEvent::Loaded(infos)];
    events.extend((0..6).map(|test| passed(test, 50_000_000)));
    play(sink, &events);
    insta::assert_snapshot!("rehearsal_threads", stdout.text());
}

#[test]
fn the_start_says_what_is_fired_and_until_when() {
    let ramp = || {
        let stages = plans::stages(&[(60, "100"), (300, "100"), (30, "0")]);
        plans::open(stages, pysurge_core::plan::ArrivalProcess::Poisson)
    };
    let limited = |test: TestPlan| TestPlan {
        iterations: Some(10_000),
        ..test
    };
    for (tests, duration_s, line) in [
        (
            vec![plans::constant("50")],
            None,
            "1 test, 2 workers, 50/s, until Ctrl+C",
        ),
        (
            vec![plans::constant("50"), plans::constant("0.5")],
            Some(90),
            "2 tests, 2 workers, 50.5/s in all, for 1m30s; Ctrl+C to stop early",
        ),
        (
            vec![ramp()],
            None,
            "1 test, 2 workers, up to 100/s, for 6m30s; Ctrl+C to stop early",
        ),
        (
            vec![plans::closed(20, 0), plans::constant("5")],
            None,
            "2 tests, 2 workers, 5/s and 20 users, until Ctrl+C",
        ),
        (
            vec![limited(plans::closed(1, 0))],
            None,
            "1 test, 2 workers, 1 user, until 10,000 iterations are done; Ctrl+C to stop early",
        ),
        (
            vec![limited(plans::constant("50"))],
            None,
            "1 test, 2 workers, 50/s, for 3m20s; Ctrl+C to stop early",
        ),
        (
            vec![plans::unsampled()],
            Some(10),
            "1 test, 2 workers, for 10s; Ctrl+C to stop early",
        ),
    ] {
        let (sink, _, stderr) = terminal(|_| {});
        let started = started_with(tests.len());
        play(
            sink,
            &[opened_with(tests, duration_s.map(|s| s * SECOND_NS)), started],
        );
        assert_eq!(stderr.text(), format!("{line}\n"));
    }
}

#[test]
fn keys_are_named_on_a_terminal_only() {
    for (tty, quiet, named) in [(true, false, true), (false, false, false), (true, true, false)] {
        let (sink, _, stderr) = terminal(|options| {
            (options.keys, options.stderr_is_tty, options.quiet) = (true, tty, quiet);
        });
        play(sink, &[opened(None), started()]);
        let keys = "keys: p pause, + - rates, s stop, h help\n";
        assert_eq!(stderr.text().contains(keys), named, "{tty} {quiet}");
    }
}

/// A run that is warmed up, paused, scaled and stopped.
fn a_steered_run() -> Vec<RunEvent> {
    let at = |summary: &Summary, seconds: f64| {
        let mut summary = summary.clone();
        summary.stop_cause = None;
        (summary.duration_s, summary.elapsed_s) = (seconds, seconds);
        RunEvent::Progress(Box::new(summary))
    };
    let mut measured = sample::models();
    (measured.tests[0].in_flight, measured.tests[1].in_flight) = (3, 18);
    let mut warming = measured.clone();
    warming.account = Account::default();
    for test in &mut warming.tests {
        test.account = Account::default();
    }
    let mut faster = measured.clone();
    faster.factor = 1.5;
    vec![
        opened_with(
            vec![plans::constant("50"), plans::closed(20, 0)],
            Some(60 * SECOND_NS),
        ),
        RunEvent::Loaded(infos()),
        started(),
        at(&warming, 10.0),
        at(&measured, 20.0),
        changed(20_340_000_000, true, 1_000, Actor::Key),
        at(&measured, 30.0),
        changed(32_000_000_000, false, 1_000, Actor::Key),
        changed(32_000_000_000, false, 1_500, Actor::Socket),
        at(&faster, 40.0),
    ]
}

#[test]
fn a_steered_run_is_told_as_it_goes() {
    let (sink, _, stderr) = terminal(|_| {});
    play(sink, &a_steered_run());
    insta::assert_snapshot!("steered_pipe", stderr.text());
    for columns in [40, 80, 120] {
        let (sink, _, stderr) = terminal(|options| {
            (options.stderr_is_tty, options.columns) = (true, Some(columns));
        });
        play(sink, &a_steered_run());
        insta::assert_snapshot!(format!("steered_{columns}"), visible(&stderr));
    }
    let (sink, _, stderr) = terminal(|options| options.quiet = true);
    play(sink, &a_steered_run());
    assert_eq!(stderr.text(), "");
}

#[test]
fn what_is_wrong_is_told_while_it_runs() {
    let mut judged = sample::judged();
    judged.verdict = sample::degraded().verdict;
    let mut one = judged.clone();
    one.thresholds.truncate(2);
    let mut none = sample::degraded();
    none.verdict.causes.clear();
    for (name, summary) in [("many", judged), ("one", one), ("none", none)] {
        for columns in [44, 80, 120] {
            let (mut sink, _, stderr) = terminal(|options| {
                (options.stderr_is_tty, options.columns) = (true, Some(columns));
            });
            sink.take(&opened(Some(60 * SECOND_NS))).unwrap();
            sink.take(&started()).unwrap();
            let before = stderr.text().len();
            let mut summary = summary.clone();
            (summary.duration_s, summary.elapsed_s) = (45.0, 45.0);
            sink.take(&RunEvent::Progress(Box::new(summary))).unwrap();
            let drawn = shown_since(&stderr, before, columns);
            insta::assert_snapshot!(format!("wrong_{name}_{columns}"), drawn);
        }
    }
    let (sink, _, stderr) = terminal(|_| {});
    let mut judged = sample::judged();
    (judged.duration_s, judged.elapsed_s) = (45.0, 45.0);
    judged.verdict = sample::degraded().verdict;
    play(sink, &[RunEvent::Progress(Box::new(judged))]);
    assert!(
        stderr
            .text()
            .ends_with("degraded: iterations dropped, ✗ 3 thresholds\n"),
        "{}",
        stderr.text()
    );
}

fn printed(thread: &str, stream: Stream, line: &str) -> RunEvent {
    RunEvent::Output {
        worker: 1,
        stream,
        thread: Some(thread.into()),
        wall_ns: WALL_NS,
        line: line.into(),
    }
}

#[test]
fn printed_lines_say_who_printed_them() {
    let (mut sink, stdout, stderr) = terminal(|_| {});
    sink.take(&printed("UploadTest-3", Stream::Stdout, "hello"))
        .unwrap();
    sink.take(&printed("UploadTest-4", Stream::Stderr, "oh no"))
        .unwrap();
    sink.close().unwrap();
    assert_eq!(
        stdout.text(),
        "2018-09-14 18:51:37,590 Worker-2 UploadTest-3 STDOUT hello\n"
    );
    assert_eq!(
        stderr.text(),
        "2018-09-14 18:51:37,590 Worker-2 UploadTest-4 STDERR oh no\n"
    );
}

/// Sends 3,000 lines at once, and as many five seconds later; gives how many were shown, and what was told.
fn flooded(results: bool, tty: bool) -> (usize, String) {
    let now_ns = Arc::new(AtomicU64::new(WALL_NS));
    let clock_ns = Arc::clone(&now_ns);
    let (mut sink, stdout, stderr) = terminal(|options| {
        options.clock = LocalClock::new(move || clock_ns.load(Ordering::Relaxed)).in_utc();
        options.stdout_is_tty = tty;
        options.results = options.results.take().filter(|_| results);
    });
    for _ in 0..2 {
        for _ in 0..1_500 {
            sink.take(&printed("A-1", Stream::Stdout, "a line")).unwrap();
            sink.take(&log("INFO", 20, "a record")).unwrap();
        }
        now_ns.fetch_add(5 * SECOND_NS, Ordering::Relaxed);
        sink.take(&notice(Severity::Warning, "never held back")).unwrap();
    }
    sink.close().unwrap();
    (stdout.text().lines().count(), stderr.text())
}

#[test]
fn a_flood_is_shown_in_part_and_the_rest_is_told() {
    let (shown, told) = flooded(true, false);
    assert_eq!(shown, 2_000 + 1_000);
    assert_eq!(
        told,
        "… 1,000 more lines this second are in run.log\nwarning: never held back\n\
         … 2,000 more lines this second are in run.log\nwarning: never held back\n"
    );
    let (shown, told) = flooded(false, true);
    assert_eq!(shown, 2_000 + 1_000);
    assert!(
        told.starts_with("… 1,000 more lines this second were not shown\n"),
        "{told}"
    );
}

#[test]
fn a_pipe_gets_every_line_that_nobody_else_keeps() {
    assert_eq!(
        flooded(false, false),
        (6_000, "warning: never held back\n".repeat(2))
    );
}

#[test]
fn files_that_were_kept_are_named_below_the_report() {
    let (sink, stdout, _) = terminal(|options| options.samples = Some("out/samples.csv".into()));
    play(sink, &[RunEvent::Finished(Box::new(sample::nothing()))]);
    assert!(
        stdout.text().ends_with(
            "\n\nresults: pysurge-results/20180914-185137-demo\n\
                 report: pysurge-results/20180914-185137-demo/report.html\nsamples: out/samples.csv\n"
        ),
        "{}",
        stdout.text()
    );
}

#[test]
fn a_reader_who_went_away_is_no_trouble_and_the_other_stream_goes_on() {
    let (sink, _, stderr) = terminal(|options| options.stdout = Box::new(Gone));
    play(sink, &a_run());
    assert!(stderr.text().contains("2 workers"), "{}", stderr.text());
    assert!(!stderr.text().contains("warning: cannot"), "{}", stderr.text());

    for tty in [false, true] {
        let (sink, stdout, _) = terminal(|options| {
            options.stderr = Box::new(Gone);
            options.stderr_is_tty = tty;
        });
        play(sink, &a_run());
        assert!(stdout.text().contains("VALID"), "tty: {tty}");
    }
}
