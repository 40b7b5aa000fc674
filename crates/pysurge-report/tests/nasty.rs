//! Every view against texts that want to be more than text: escape sequences, line ends, marks that turn text around, markup, formulas, and
//! names without end. Whatever comes in, a terminal gets text and colours, a file its own structure.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod plans;
mod sample;
mod screen;
mod written;

use pysurge_core::compare::{Options, Source, compare};
use pysurge_core::event::{RunEvent, Severity, Stream};
use pysurge_core::failure::{FailureKey, Phase};
use pysurge_core::harmless::is_harmful;
use pysurge_core::measure::Measures;
use pysurge_core::plan::Plan;
use pysurge_core::series::{Row, Series, TestRow};
use pysurge_core::summary::{Block, CheckFigures, Summary, TimerFigures};
use pysurge_core::wire::{IterationRecord, LogRecord, StartupError};
use pysurge_report::{
    Glimpse, LocalClock, RunFolder, Samples, Sink, Size, Style, Terminal, TerminalOptions, compare_markdown,
    compare_text, history_text, junit, report::render,
};
use quick_xml::Reader;
use quick_xml::events::Event;
use screen::{Narrowing, Screen};
use serde_json::Value;
use std::fs;
use std::sync::Arc;
use written::Buffer;

const NASTY: [&str; 14] = [
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x1b\\",
    "\x1b[31mred",
    "\u{9b}2J\u{9d}0;x\u{9c}",
    "one\nFORGED line",
    "over\rFORGED",
    "\x08\x08\x7f\0",
    "\u{202e}gnirts\u{2066}\u{200f}",
    "a\u{2028}FORGED\u{2029}b\u{85}c",
    "</testcase><script>alert(1)</script>]]>",
    "=HYPERLINK(\"http://x\",\"y\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\u{fffe}\u{ffff}\u{feff}",
];

/// Fields of a summary whose words are not ours.
const FREE: [&str; 18] = [
    "name",
    "label",
    "summary",
    "test_class",
    "load",
    "not_run",
    "message",
    "exception",
    "frame",
    "traceback",
    "kwargs",
    "error",
    "thread",
    "text",
    "advice",
    "expression",
    "actual_text",
    "death",
];

/// A summary in which every text of others is this one.
fn nasty_summary(text: &str) -> Summary {
    let mut summary = sample::failing();
    let of_test = &mut summary.tests[0];
    of_test.name = Some(String::new());
    of_test.not_run = None;
    of_test.metrics.insert("m".into(), sample::metric(1.0));
    of_test
        .checks
        .insert("m".into(), CheckFigures { passed: 1, failed: 1 });
    of_test.timers.insert("m".into(), TimerFigures::default());
    of_test.counts.insert("m".into(), 1.0);
    of_test.summary = "said".into();
    summary.thresholds = sample::degraded().thresholds;
    summary.verdict = sample::degraded().verdict;
    summary.workers = sample::degraded().workers;
    let mut value = serde_json::to_value(&summary).unwrap();
    spoil(&mut value, text);
    let mut summary: Summary = serde_json::from_value(value).unwrap();
    let mut series = Series::new();
    for n in 0..5 {
        series.push(row(n, text));
    }
    summary.blocks = Block::of_series(&series);
    summary
}

fn spoil(value: &mut Value, text: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, text)),
        Value::Object(fields) => {
            if let Some(of_name) = fields.remove("m") {
                fields.insert(text.to_owned(), of_name);
            }
            for (name, field) in fields.iter_mut() {
                match field {
                    Value::String(said) if FREE.contains(&name.as_str()) => text.clone_into(said),
                    field => spoil(field, text),
                }
            }
        }
        _ => {}
    }
}

fn row(n: u64, name: &str) -> Row {
    let mut measures = Measures {
        passed: 100,
        ..Measures::default()
    };
    for i in 0..100 {
        measures.response_time.record(1_000_000 + i);
        measures.metrics.record(name, 1.0);
        measures.checks.record(name, true);
        measures.timers.record(name, 5, false);
        measures.counts.record(name, 1.0);
    }
    let test = TestRow {
        planned: 100,
        measures,
        ..TestRow::default()
    };
    Row {
        from_ns: n * 1_000_000_000,
        to_ns: (n + 1) * 1_000_000_000,
        tests: vec![test],
        worker_cpu_ns: 0,
        gil_wait_ns: 0,
    }
}

/// Everything that a run can tell of others' words.
fn nasty_events(text: &str) -> Vec<RunEvent> {
    let said = || text.to_owned();
    let mut named = plans::constant("5");
    named.name = Some(said());
    let key = FailureKey {
        phase: Phase::Run,
        exception: said(),
        frame: said(),
        message: said(),
    };
    let output = |thread: Option<String>, stream| RunEvent::Output {
        worker: 0,
        stream,
        thread,
        wall_ns: 0,
        // Lines come one by one.
        line: text.replace('\n', " "),
    };
    vec![
        RunEvent::Opened {
            plan: Plan::new(text, vec![named]),
            workers: 1,
            wall_ns: 0,
        },
        RunEvent::Loaded(vec![plans::info(text, None)]),
        RunEvent::StartupFailed {
            worker: 0,
            error: StartupError {
                class: said(),
                message: said(),
                traceback: said(),
            },
        },
        RunEvent::Started {
            at_ns: 0,
            wall_ns: 0,
            stripes: Vec::new(),
        },
        RunEvent::Log(LogRecord {
            wall_ns: 0,
            process: said(),
            thread: said(),
            level: said(),
            level_number: 30,
            message: text.replace('\n', " "),
        }),
        output(None, Stream::Stdout),
        output(None, Stream::Stderr),
        output(Some(said()), Stream::Stdout),
        output(Some(said()), Stream::Stderr),
        RunEvent::Notice {
            severity: Severity::Warning,
            text: text.replace('\n', " "),
        },
        RunEvent::Iterations {
            worker: 0,
            iterations: vec![IterationRecord {
                test: 0,
                number: Some(1),
                warmup: false,
                planned_ns: 0,
                started_ns: 0,
                setup_ns: None,
                service_ns: None,
                teardown_ns: None,
                failed: true,
                failure: Some(key),
                metrics: vec![(said(), 1.0)],
            }],
        },
        RunEvent::Second(Arc::new(row(0, text))),
        RunEvent::Row(Arc::new(row(0, text))),
        RunEvent::Progress(Box::new(nasty_summary(text))),
        RunEvent::Finished(Box::new(nasty_summary(text))),
    ]
}

/// Texts of all kinds, and each of them very long.
fn texts() -> Vec<String> {
    let plain = NASTY.iter().map(|text| (*text).to_owned());
    plain.chain([NASTY.concat(), NASTY.concat().repeat(40)]).collect()
}

/// Nothing but what is seen and line ends; no line of it is forged.
fn assert_plain(shown: &str, what: &str, text: &str) {
    let harmful = shown
        .chars()
        .find(|c| is_harmful(*c) && !matches!(c, '\n' | '\t'));
    assert_eq!(harmful, None, "{what} of {text:?}:\n{shown:?}");
    // A traceback has lines of its own, all of them indented.
    let forged = shown.lines().find(|line| line.starts_with("FORGED"));
    assert_eq!(forged, None, "{what} of {text:?}");
}

/// The same, but for colours.
fn without_colours(shown: &str) -> String {
    let mut plain = String::new();
    let mut rest = shown;
    while let Some(at) = rest.find("\x1b[") {
        let end = rest[at + 2..]
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .unwrap_or(0);
        if rest[at + 2 + end..].starts_with('m') {
            plain.push_str(&rest[..at]);
            rest = &rest[at + end + 3..];
        } else {
            plain.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
        }
    }
    plain + rest
}

#[test]
fn reports_are_text() {
    for text in texts() {
        let summary = nasty_summary(&text);
        for columns in [40, 100] {
            let style = Style {
                color: false,
                columns,
            };
            assert_plain(&render(&summary, &style), "the report", &text);
            let json = serde_json::to_vec(&summary).unwrap();
            let glimpse = Glimpse::read(&text, &json).unwrap();
            assert_plain(
                &history_text(&[glimpse.clone(), glimpse], &style),
                "the history",
                &text,
            );
        }
        let many = Summary {
            tests: vec![summary.tests[0].clone(); 12],
            ..summary
        };
        let style = Style {
            color: false,
            columns: 100,
        };
        assert_plain(&render(&many, &style), "the report of many", &text);
    }
}

#[test]
fn comparisons_are_text_and_markdown_is_no_markup() {
    for text in texts() {
        let source = || Source::new(text.clone(), nasty_summary(&text)).unwrap();
        let comparison = compare(&[source()], &[source()], &Options::default());
        let style = Style {
            color: false,
            columns: 80,
        };
        assert_plain(&compare_text(&comparison, &style), "a comparison", &text);
        let markdown = compare_markdown(&comparison);
        assert_plain(&markdown, "Markdown", &text);
        // In a code span every sign is itself.
        let outside: String = markdown.split('`').step_by(2).collect();
        assert!(!outside.contains("<script"), "{markdown}");
        assert!(markdown.split('`').count() % 2 == 1, "{markdown}");
    }
}

#[test]
fn junit_is_xml() {
    for text in texts() {
        let xml = junit(&nasty_summary(&text), true);
        let allowed = |c: char| matches!(c, '\n' | '\t') || !is_harmful(c);
        assert!(xml.chars().all(allowed), "{xml:?}");
        let mut reader = Reader::from_str(&xml);
        let mut cases = 0;
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(element) | Event::Empty(element) => {
                    let name = element.name().as_ref().to_owned();
                    assert_ne!(name, "script", "{xml}");
                    cases += usize::from(name == "testcase");
                    element
                        .attributes()
                        .for_each(|attribute| drop(attribute.unwrap()));
                }
                _ => {}
            }
        }
        assert_eq!(cases, 2 + nasty_summary(&text).thresholds.len(), "{xml}");
    }
}

fn clock() -> LocalClock {
    LocalClock::new(|| 0).in_utc()
}

fn terminal(text: &str, stdout: &Buffer, stderr: &Buffer) -> TerminalOptions {
    TerminalOptions {
        color_stdout: true,
        color_stderr: true,
        columns: Some(100),
        results: Some(text.to_owned().into()),
        samples: Some(text.to_owned().into()),
        compare: Some(text.to_owned()),
        ..written::options(stdout, stderr)
    }
}

#[test]
fn a_live_block_gets_text_and_colours() {
    for text in texts() {
        for (columns, rows) in [(100, 40), (80, 24), (60, 24)] {
            let written = Buffer::default();
            let mut sink = Terminal::new(TerminalOptions {
                stdout_is_tty: true,
                stderr_is_tty: true,
                size: Box::new(move || Some(Size { columns, rows })),
                ..terminal(&text, &written, &written)
            });
            // It knows the sequences of a block, and fails at any other.
            let mut screen = Screen::new(columns.into(), rows.into(), Narrowing::Wraps);
            for event in nasty_events(&text) {
                sink.take(&event).unwrap();
                sink.flush().unwrap();
                screen.write(&written.take().replace('\t', " "));
                let seen = screen.all();
                assert!(!seen.contains(|c| c != '\n' && is_harmful(c)), "{seen:?}");
            }
            sink.close().unwrap();
        }
    }
}

#[test]
fn a_terminal_gets_text_and_colours() {
    for text in texts() {
        for (classic, color) in [(false, true), (true, false)] {
            let (stdout, stderr) = (Buffer::default(), Buffer::default());
            let mut sink = Terminal::new(TerminalOptions {
                color_stdout: color,
                color_stderr: color,
                classic,
                ..terminal(&text, &stdout, &stderr)
            });
            for event in nasty_events(&text) {
                sink.take(&event).unwrap();
            }
            sink.close().unwrap();
            for (stream, what) in [(stdout, "stdout"), (stderr, "stderr")] {
                assert_plain(&without_colours(&stream.text()), what, &text);
            }
        }
    }
}

#[test]
fn files_of_a_run_keep_their_form() {
    for text in texts() {
        let base = tempfile::tempdir().unwrap();
        let (mut folder, path) = RunFolder::create(base.path(), &text, "", clock()).unwrap();
        let samples = base.path().join("samples.csv");
        let mut every = Samples::create(&samples).unwrap();
        for event in nasty_events(&text) {
            folder.take(&event).unwrap();
            every.take(&event).unwrap();
        }
        folder.close().unwrap();
        every.close().unwrap();
        assert_plain(
            &fs::read_to_string(path.join("run.log")).unwrap(),
            "run.log",
            &text,
        );
        assert_plain(&path.display().to_string(), "the folder's name", &text);
        for file in [path.join("timeseries.csv"), samples] {
            let mut cells = 0;
            let mut reader = csv::Reader::from_path(&file).unwrap();
            for record in reader.records() {
                for cell in &record.unwrap() {
                    let begins = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
                    assert!(!begins, "{cell:?} in {} of {text:?}", file.display());
                    cells += 1;
                }
            }
            assert!(cells > 10, "{}", file.display());
        }
    }
}
