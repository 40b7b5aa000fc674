//! The live view as a person sees it: frames on terminals of several sizes, and what is left after lines, resizes and the end.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod plans;
mod sample;
mod screen;
mod written;

use proptest::prelude::*;
use pysurge_core::account::Account;
use pysurge_core::event::{Actor, RunEvent, Severity, StopReason};
use pysurge_core::plan::{Plan, TestPlan};
use pysurge_core::schedule::{Change, Factor, Stripe};
use pysurge_core::series::{Row, TestRow};
use pysurge_core::summary::{Summary, TestSummary};
use pysurge_core::wire::{LogRecord, TestInfo};
use pysurge_report::{Sink, Size, Terminal, TerminalOptions};
use screen::{Narrowing, Screen};
use std::sync::{Arc, Mutex};
use written::{Buffer, SECOND_NS, WALL_NS};

/// A sink on a terminal.
struct Rig {
    sink: Terminal,
    written: Buffer,
    size: Arc<Mutex<Option<Size>>>,
    screen: Screen,
}

impl Rig {
    fn new(columns: u16, rows: u16, narrowing: Narrowing, change: impl FnOnce(&mut TerminalOptions)) -> Self {
        let written = Buffer::default();
        let size = Arc::new(Mutex::new(Some(Size { columns, rows })));
        let of_sink = Arc::clone(&size);
        let mut options = TerminalOptions {
            stdout_is_tty: true,
            stderr_is_tty: true,
            size: Box::new(move || *of_sink.lock().unwrap()),
            columns: Some(columns),
            keys: true,
            ..written::options(&written, &written)
        };
        change(&mut options);
        Self {
            sink: Terminal::new(options),
            written,
            size,
            screen: Screen::new(columns.into(), rows.into(), narrowing),
        }
    }

    fn plain(columns: u16, rows: u16) -> Self {
        Self::new(columns, rows, Narrowing::Wraps, |_| {})
    }

    /// What came since it was asked last.
    fn news(&self) -> String {
        self.written.take()
    }

    fn see(&mut self) {
        let news = self.news();
        self.screen.write(&news);
    }

    fn take(&mut self, event: &RunEvent) {
        self.sink.take(event).unwrap();
        self.sink.flush().unwrap();
        self.see();
    }

    fn take_all(&mut self, events: impl IntoIterator<Item = RunEvent>) {
        for event in events {
            self.take(&event);
        }
    }

    fn close(&mut self) {
        self.sink.close().unwrap();
        self.see();
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        *self.size.lock().unwrap() = Some(Size { columns, rows });
        self.screen.resize(columns.into(), rows.into());
    }
}

fn opened(summary: &Summary) -> Vec<RunEvent> {
    let plan = |test: &TestSummary| match test.asked_rate_per_s {
        Some(_) => plans::constant("7.5"),
        None => plans::closed(20, 0),
    };
    let tests: Vec<TestPlan> = summary.tests.iter().map(plan).collect();
    let infos = summary.tests.iter().map(|test| TestInfo {
        label: test.label.clone(),
        summary: test.summary.clone(),
        ..TestInfo::default()
    });
    let stripe = |worker| Stripe { worker, workers: 2 };
    let stripes = vec![vec![stripe(0), stripe(1)]; tests.len()];
    vec![
        RunEvent::Opened {
            plan: Plan {
                duration_ns: Some(60 * SECOND_NS),
                ..Plan::new("demo", tests)
            },
            workers: 2,
            wall_ns: WALL_NS,
        },
        RunEvent::Loaded(infos.collect()),
        RunEvent::Started {
            at_ns: 1_000 * SECOND_NS,
            wall_ns: WALL_NS,
            stripes,
        },
    ]
}

/// A second in which iterations of each test took about so many milliseconds.
fn row(second: u64, tests: usize, took_ms: impl Fn(usize, u64) -> u64) -> RunEvent {
    let test = |at| {
        let mut row = TestRow {
            planned: 30,
            in_flight: 3,
            ..TestRow::default()
        };
        row.measures.passed = 30;
        let ms = took_ms(at, second);
        for n in 0..30 {
            row.measures
                .response_time
                .record((ms * 1_000 + ms * n * n) * 1_000);
        }
        row
    };
    RunEvent::Second(Arc::new(Row {
        from_ns: second * SECOND_NS,
        to_ns: (second + 1) * SECOND_NS,
        tests: (0..tests).map(test).collect(),
        worker_cpu_ns: 0,
        gil_wait_ns: 0,
    }))
}

/// Some seconds, with one slow one among them.
fn rows(tests: usize) -> Vec<RunEvent> {
    let took = |test: usize, second: u64| {
        let usual = 40 + 7 * test as u64;
        if second == 12 {
            3 * usual
        } else {
            usual + second % 4
        }
    };
    (0..20).map(|second| row(second, tests, took)).collect()
}

fn progress(summary: &Summary, seconds: f64) -> RunEvent {
    let mut summary = summary.clone();
    summary.stop_cause = None;
    (summary.duration_s, summary.elapsed_s) = (seconds, seconds);
    for (test, at) in summary.tests.iter_mut().zip(3..) {
        test.in_flight = at;
    }
    RunEvent::Progress(Box::new(summary))
}

fn changed(paused: bool, milli: u32) -> RunEvent {
    RunEvent::Changed {
        change: Change {
            at_ns: 20_340_000_000,
            paused,
            factor: Factor::from_milli(milli).unwrap(),
        },
        wall_ns: WALL_NS,
        by: Actor::Key,
    }
}

fn log(message: &str) -> RunEvent {
    RunEvent::Log(LogRecord {
        wall_ns: WALL_NS,
        process: "Worker-1".into(),
        thread: "pysurge-3".into(),
        level: "INFO".into(),
        level_number: 20,
        message: message.into(),
    })
}

fn notice(text: &str) -> RunEvent {
    RunEvent::Notice {
        severity: Severity::Info,
        text: text.into(),
    }
}

fn stopping() -> RunEvent {
    RunEvent::Stopping {
        reason: StopReason::Signal,
        grace_ends_ns: 1_030 * SECOND_NS,
    }
}

/// Nothing has been measured but warm-up.
fn warming() -> Summary {
    let mut summary = sample::models();
    summary.account = Account::default();
    for test in &mut summary.tests {
        test.account = Account::default();
    }
    summary
}

/// Thirty tests, of which one fails and another did not run.
fn many() -> Summary {
    let mut tests: Vec<TestSummary> = (0..30)
        .map(|n| {
            let label = format!("tests/shop/test_orders.py::TestOrders::test_number_{n}");
            sample::test(&label, "", sample::passed(450))
        })
        .collect();
    (tests[17].account.failed, tests[17].account.passed) = (9, 441);
    tests[23].not_run = Some("startup failed: OSError: gone".into());
    sample::summary(tests)
}

/// Names that would be something else than text.
fn hostile() -> Summary {
    let mut summary = sample::failing();
    summary.tests.push(summary.tests[0].clone());
    summary.tests[0].name = Some("\x1b[2J\x1b]0;title\x07試験の長い名前\u{202e}right to left\nand on".into());
    summary.tests[1].label = "<T kwargs={'a': '\x1b[31m👍👍👍👍👍👍'}>".into();
    summary
}

/// What is shown while these go on.
fn scenes() -> Vec<(&'static str, Summary, Vec<RunEvent>)> {
    let mut faster = sample::models();
    faster.factor = 1.5;
    let mut bad = sample::judged();
    bad.verdict = sample::long_labels().verdict;
    bad.tests[0].failures = sample::failing().tests.swap_remove(0).failures;
    let mut endless = sample::valid();
    endless.planned_duration_s = None;
    vec![
        ("valid", sample::valid(), vec![]),
        ("endless", endless, vec![]),
        ("failing", sample::failing(), vec![]),
        ("degraded", sample::degraded(), vec![]),
        ("judged", sample::judged(), vec![]),
        ("bad", bad, vec![]),
        ("warm_up", warming(), vec![]),
        ("models", sample::models(), vec![]),
        ("paused", sample::models(), vec![changed(true, 1_000)]),
        ("faster", faster, vec![changed(false, 1_500)]),
        ("stopping", sample::failing(), vec![stopping()]),
        ("not_run", sample::not_run(), vec![]),
        ("many", many(), vec![]),
        ("hostile", hostile(), vec![]),
        ("huge", sample::huge(), vec![]),
    ]
}

fn play(rig: &mut Rig, summary: &Summary, then: Vec<RunEvent>) {
    rig.take_all(opened(summary));
    rig.take_all(rows(summary.tests.len()));
    rig.take(&progress(summary, 20.0));
    rig.take_all(then);
}

#[test]
fn frames_read_well() {
    for (columns, rows) in [(80, 24), (120, 40)] {
        for (name, summary, then) in scenes() {
            let mut rig = Rig::plain(columns, rows);
            play(&mut rig, &summary, then);
            assert!(!rig.screen.was_cut, "{name} at {columns}");
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), rig.screen.seen());
        }
    }
}

#[test]
fn a_small_terminal_gets_one_line() {
    for (columns, rows) in [(79, 24), (120, 9), (40, 8)] {
        let mut rig = Rig::plain(columns, rows);
        play(&mut rig, &sample::failing(), vec![]);
        let seen = rig.screen.seen();
        let keys = "keys: p pause, + - rates, s stop, h help\n";
        let (_, live) = seen.split_once(keys).expect(&seen);
        assert_eq!(live.lines().count(), 1, "{seen}");
        assert!(live.contains("40s left"), "{seen}");
    }
}

#[test]
fn a_frame_in_colours_is_one_write() {
    let mut rig = Rig::new(80, 24, Narrowing::Wraps, |options| options.color_stderr = true);
    let (_, summary, _) = scenes().swap_remove(5);
    play(&mut rig, &summary, vec![]);
    rig.sink.take(&progress(&summary, 21.0)).unwrap();
    let frame = rig.news();
    assert_eq!(frame.matches("\x1b[?2026h").count(), 1, "{frame:?}");
    assert!(!frame.contains("\x1b[?25"), "the cursor is left alone: {frame:?}");
    insta::assert_snapshot!("coloured", frame.replace('\x1b', "␛").replace('\r', "␍"));
}

#[test]
fn what_is_waited_for_is_said() {
    let mut rig = Rig::plain(80, 24);
    let mut told = Vec::new();
    for event in opened(&sample::valid()) {
        rig.take(&event);
        told.push(rig.screen.seen());
    }
    assert_eq!(
        told,
        [
            "starting 2 workers ...",
            "loaded 2 tests, getting ready ...",
            "2 tests, 2 workers, 15/s in all, for 1m00s; Ctrl+C to stop early\n\
             started, waiting for the first figures ...",
        ]
    );
    rig.take(&progress(&sample::valid(), 1.0));
    insta::assert_snapshot!("before_the_first_row", rig.screen.seen());
}

#[test]
fn nothing_but_ascii_where_the_terminal_shows_no_more() {
    let mut rig = Rig::new(80, 24, Narrowing::Wraps, |options| options.unicode = false);
    play(&mut rig, &sample::valid(), vec![]);
    let seen = rig.screen.seen();
    assert!(seen.is_ascii(), "{seen}");
    assert!(seen.contains("p99 ms"), "{seen}");
}

#[test]
fn lines_flow_above_and_nothing_else_is_left_at_the_end() {
    let mut rig = Rig::plain(100, 20);
    play(&mut rig, &sample::valid(), vec![]);
    let mut lines = vec!["2 tests, 2 workers, 15/s in all, for 1m00s; Ctrl+C to stop early".to_owned()];
    for n in 0..100 {
        if n % 3 == 0 {
            rig.take(&progress(&sample::valid(), f64::from(n) / 2.0));
        }
        let (event, line) = if n % 2 == 0 {
            let text = format!("line {n}\n  of two");
            (
                log(&text),
                format!("2018-09-14 18:51:37,590 Worker-1 pysurge-3 INFO {text}"),
            )
        } else {
            (notice(&format!("notice {n}")), format!("notice {n}"))
        };
        rig.take(&event);
        lines.push(line);
    }
    assert!(
        rig.screen.all().starts_with(&lines.join("\n")),
        "{}",
        rig.screen.all()
    );
    rig.close();
    assert_eq!(rig.screen.all(), lines.join("\n"));
    assert!(rig.screen.is_sane());
}

#[test]
fn the_report_stands_below_the_lines_at_the_width_of_then() {
    let mut rig = Rig::plain(120, 30);
    play(&mut rig, &sample::valid(), vec![]);
    rig.resize(80, 30);
    rig.take(&RunEvent::Finished(Box::new(sample::valid())));
    rig.close();
    let all = rig.screen.all();
    let report = pysurge_report::report::render(
        &sample::valid(),
        &pysurge_report::Style {
            color: false,
            columns: 80,
        },
    );
    assert!(all.ends_with(report.trim_end()), "{all}");
    assert!(!all.contains("p pause"), "{all}");
}

#[test]
fn while_another_program_has_the_terminal_nothing_is_drawn() {
    let mut rig = Rig::plain(80, 24);
    play(&mut rig, &sample::valid(), vec![]);
    let curtain = rig.sink.curtain();
    curtain.lower();
    rig.see();
    let lines = "2 tests, 2 workers, 15/s in all, for 1m00s; Ctrl+C to stop early";
    assert_eq!(rig.screen.all(), lines);
    assert!(rig.screen.is_sane());
    rig.take(&progress(&sample::valid(), 21.0));
    rig.take(&notice("suspended"));
    assert_eq!(rig.screen.all(), format!("{lines}\nsuspended"));
    // A shell has said something; then the run is brought back.
    rig.screen.write("[1]+  Stopped\n$ fg\n");
    curtain.raise();
    rig.take(&progress(&sample::valid(), 22.0));
    let all = rig.screen.all();
    assert!(
        all.starts_with(&format!("{lines}\nsuspended\n[1]+  Stopped\n$ fg\n\n ━")),
        "{all}"
    );
    assert!(all.contains("38s left"), "{all}");
}

#[test]
fn in_the_background_there_are_plain_lines() {
    let mut rig = Rig::plain(80, 24);
    play(&mut rig, &sample::valid(), vec![]);
    rig.sink.curtain().lower();
    rig.sink.curtain().raise();
    *rig.size.lock().unwrap() = None;
    for second in 21..45 {
        rig.take(&progress(&sample::valid(), f64::from(second)));
    }
    let all = rig.screen.all();
    let lines: Vec<&str> = all.lines().skip(1).map(|line| &line[..15]).collect();
    assert_eq!(lines, ["21s: 39s left, ", "30s: 30s left, ", "40s: 20s left, "]);
}

#[test]
fn a_sink_that_is_dropped_leaves_nothing() {
    let mut rig = Rig::plain(80, 24);
    play(&mut rig, &sample::valid(), vec![]);
    assert!(rig.screen.all().contains("40s left"));
    let Rig {
        sink,
        written,
        mut screen,
        ..
    } = rig;
    drop(sink);
    screen.write(&written.text());
    assert!(!screen.all().contains("left"), "{}", screen.all());
    assert!(screen.is_sane());
}

/// What may happen on a terminal.
#[derive(Debug, Clone)]
enum Happening {
    Line,
    Notice,
    Progress,
    Resize(u16, u16),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Line),
        Just(Happening::Notice),
        Just(Happening::Progress),
        (70u16..140, 24u16..50).prop_map(|(columns, rows)| Happening::Resize(columns, rows)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_resize_leaves_rubbish_or_eats_a_line(
        happenings in prop::collection::vec(happening(), 1..40),
        cuts in any::<bool>(),
    ) {
        let narrowing = if cuts { Narrowing::Cuts } else { Narrowing::Wraps };
        let mut rig = Rig::new(120, 30, narrowing, |options| options.keys = false);
        let summary = sample::valid();
        rig.take_all(opened(&summary));
        rig.take_all(rows(2));
        let mut lines = vec!["2 tests, 2 workers, 15/s in all, for 1m00s; Ctrl+C to stop early".to_owned()];
        for (n, happening) in happenings.into_iter().enumerate() {
            match happening {
                Happening::Line => {
                    rig.take(&log(&n.to_string()));
                    lines.push(format!("2018-09-14 18:51:37,590 Worker-1 pysurge-3 INFO {n}"));
                }
                Happening::Notice => {
                    rig.take(&notice(&format!("notice {n}")));
                    lines.push(format!("notice {n}"));
                }
                Happening::Progress => rig.take(&progress(&summary, 20.0)),
                Happening::Resize(columns, rows) => rig.resize(columns, rows),
            }
            let seen = rig.screen.all();
            prop_assert!(seen.starts_with(&lines.join("\n")), "{}\n---\n{}", lines.join("\n"), seen);
        }
        rig.close();
        prop_assert_eq!(rig.screen.all(), lines.join("\n"));
        prop_assert!(rig.screen.is_sane());
    }

    #[test]
    fn a_frame_fits_any_terminal(columns in 20u16..200, height in 2u16..60, scene in 0usize..15, color in any::<bool>()) {
        let (name, summary, then) = scenes().swap_remove(scene);
        let mut rig = Rig::new(columns, height, Narrowing::Wraps, |options| options.color_stderr = color);
        rig.take_all(opened(&summary));
        rig.take_all(rows(summary.tests.len()));
        rig.take_all(then);
        rig.screen.was_cut = false;
        rig.sink.take(&progress(&summary, 20.0)).unwrap();
        let frame = rig.news();
        rig.screen.write(&frame);
        prop_assert!(!rig.screen.was_cut, "{} at {}x{}: {:?}", name, columns, height, frame);
        prop_assert!(frame.matches('\n').count() + 1 < usize::from(height), "{} at {}x{}", name, columns, height);
        let (row, column) = rig.screen.cursor();
        prop_assert!(column == 0 && row < usize::from(height));
    }
}
