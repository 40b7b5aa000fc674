//! A run's folder, and the schema of the summary in it.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod plans;
mod sample;

use pysurge_core::event::{Actor, RunEvent, Severity, StopReason, Stream};
use pysurge_core::measure::Measures;
use pysurge_core::plan::{Plan, TestPlan};
use pysurge_core::schedule::{Change, Factor};
use pysurge_core::series::{Pushed, Row, Series, TestRow};
use pysurge_core::summary::{Block, BlockMetric, Summary, ThresholdState};
use pysurge_core::wire::LogRecord;
use pysurge_report::{LocalClock, ReportError, RunFolder, Sink, summary_schema};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// 2018-09-14 18:51:37.590 UTC.
const WALL_NS: u64 = 1_536_951_097_590_000_000;

fn clock() -> LocalClock {
    LocalClock::new(|| WALL_NS).in_utc()
}

fn create(base: &Path, name: &str) -> (RunFolder, std::path::PathBuf) {
    RunFolder::create(base, name, "tests: []\n", clock()).unwrap()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small and positive"
)]
fn changed(at_s: f64, paused: bool, milli: u32, by: Actor) -> RunEvent {
    RunEvent::Changed {
        change: Change {
            at_ns: (at_s * 1e9) as u64,
            paused,
            factor: Factor::from_milli(milli).unwrap(),
        },
        wall_ns: WALL_NS,
        by,
    }
}

fn summary_in(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn folders_are_named_after_start_and_run_and_never_shared() {
    let base = tempfile::tempdir().unwrap();
    let base = base.path().join("made/when/missing");
    let names: Vec<String> = ["demo", "demo", "demo", "a b/../c", ""]
        .iter()
        .map(|name| {
            let path = create(&base, name).1;
            assert_eq!(path.parent(), Some(base.as_path()));
            path.file_name().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        names,
        [
            "20180914-185137-demo",
            "20180914-185137-demo-2",
            "20180914-185137-demo-3",
            "20180914-185137-a-b-..-c",
            "20180914-185137-run",
        ]
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("file");
    fs::write(&file, "").unwrap();
    let error = RunFolder::create(&file, "demo", "", clock()).unwrap_err();
    assert!(
        matches!(&error, ReportError::Folder { path, .. } if *path == file),
        "{error}"
    );
}

#[test]
fn everything_is_on_disk_as_the_run_goes() {
    let base = tempfile::tempdir().unwrap();
    let (mut sink, path) = create(base.path(), "demo");
    assert_eq!(
        fs::read_to_string(path.join("config.yml")).unwrap(),
        "tests: []\n"
    );

    let mut running = sample::failing();
    running.duration_s = 1.0;
    for event in [
        RunEvent::Log(LogRecord {
            wall_ns: WALL_NS,
            process: "Worker-1".into(),
            thread: "pool-3".into(),
            level: "DEBUG".into(),
            level_number: 10,
            message: "two\nlines".into(),
        }),
        RunEvent::Output {
            worker: 1,
            stream: Stream::Stderr,
            thread: None,
            wall_ns: WALL_NS,
            line: "printed".into(),
        },
        RunEvent::Output {
            worker: 1,
            stream: Stream::Stdout,
            thread: Some("UploadTest-3".into()),
            wall_ns: WALL_NS,
            line: "printed by a thread".into(),
        },
        RunEvent::Notice {
            severity: Severity::Warning,
            text: "worker 1 died".into(),
        },
        changed(12.34, true, 1_000, Actor::Key),
        changed(15.0, true, 1_000, Actor::Socket),
        changed(20.0, false, 1_500, Actor::Socket),
        changed(65.0, true, 1_500, Actor::Suspension),
        changed(66.0, false, 1_500, Actor::Suspension),
        changed(67.0, false, 1_000, Actor::Key),
        RunEvent::Progress(Box::new(running)),
        RunEvent::Row(Arc::new(row(0))),
        RunEvent::Stopping {
            reason: StopReason::Iterations,
            grace_ends_ns: 0,
        },
    ] {
        sink.take(&event).unwrap();
    }
    sink.flush().unwrap();
    assert_eq!(summary_in(&path)["duration_s"], 1.0);

    sink.take(&RunEvent::Finished(Box::new(sample::failing())))
        .unwrap();
    sink.close().unwrap();
    assert_eq!(summary_in(&path)["duration_s"], 60.0);
    insta::assert_snapshot!("run_log", fs::read_to_string(path.join("run.log")).unwrap());
    let mut files: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "config.yml",
            "report.html",
            "run.log",
            "summary.json",
            "timeseries.csv"
        ]
    );
}

/// A second of two tests, the second of which has everything that a test can tell.
fn row(n: u64) -> Row {
    const MS: u64 = 1_000_000;
    let mut rich = Measures {
        passed: 3,
        failed: 1,
        busy_ns: 200 * MS,
        busy_cpu_ns: 20 * MS,
        ..Measures::default()
    };
    for i in 1..=4 {
        rich.response_time.record(50 * MS + i * 1_000);
        rich.service_time.record(50 * MS);
        rich.lateness.record(i * 1_000);
        rich.lateness_parts.woke_late.record(i * 1_000);
        rich.lateness_parts.complete(i);
        rich.setup.record(MS);
        rich.metrics.record("bytes", 1e6);
        rich.checks.record("status, \"is\" 200", i != 2);
        rich.timers.record("send", 40 * MS, i == 4);
        rich.counts.record("rows", 2.5);
    }
    rich.metrics.record("vast", f64::MAX);
    rich.metrics.record("vast", f64::MAX);
    let rich = TestRow {
        planned: 5,
        dropped: 1,
        in_flight: 2,
        threads: 10,
        measures: rich,
    };
    Row {
        from_ns: n * 1_000 * MS,
        to_ns: (n + 1) * 1_000 * MS,
        tests: vec![TestRow::default(), rich],
        worker_cpu_ns: 123_456_789,
        gil_wait_ns: 0,
    }
}

fn opened_and_loaded() -> [RunEvent; 2] {
    let named = TestPlan {
        name: Some("upload".into()),
        ..plans::constant("5")
    };
    [
        RunEvent::Opened {
            plan: Plan::new("demo", vec![plans::constant("5"), named]),
            workers: 2,
            wall_ns: WALL_NS,
        },
        RunEvent::Loaded(vec![plans::info("<A kwargs={}>", None), plans::info("<B>", None)]),
    ]
}

#[test]
fn rows_are_written_as_they_come() {
    let base = tempfile::tempdir().unwrap();
    let (mut sink, path) = create(base.path(), "demo");
    for event in opened_and_loaded() {
        sink.take(&event).unwrap();
    }
    let file = path.join("timeseries.csv");
    assert!(!file.exists(), "made with the first row");
    sink.take(&RunEvent::Row(Arc::new(row(0)))).unwrap();
    sink.flush().unwrap();
    let first = fs::read_to_string(&file).unwrap();
    insta::assert_snapshot!("timeseries", first);
    sink.take(&RunEvent::Row(Arc::new(row(1)))).unwrap();
    sink.close().unwrap();
    let all = fs::read_to_string(&file).unwrap();
    assert!(all.starts_with(&first));
    assert_eq!(all.lines().count(), first.lines().count() * 2 - 1);
}

#[test]
fn a_coarser_series_takes_the_place_of_the_rows_and_nothing_is_lost() {
    let base = tempfile::tempdir().unwrap();
    let (mut sink, path) = create(base.path(), "demo");
    for event in opened_and_loaded() {
        sink.take(&event).unwrap();
    }
    // As whoever makes the series tells of it.
    let mut series = Series::new();
    let (mut seconds, mut coarsened) = (0, 0);
    while coarsened < 2 {
        let event = match series.push(row(seconds)) {
            Pushed::Begun => None,
            Pushed::Completed => Some(RunEvent::Row(Arc::new(series.rows().last().unwrap().clone()))),
            Pushed::Coarsened => {
                coarsened += 1;
                Some(RunEvent::Coarsened(Arc::new(series.clone())))
            }
        };
        seconds += 1;
        if let Some(event) = event {
            sink.take(&event).unwrap();
        }
    }
    // The last row, which is not complete yet, comes at the end.
    if series.complete_rows().len() < series.rows().len() {
        let last = series.rows().last().unwrap().clone();
        sink.take(&RunEvent::Row(Arc::new(last))).unwrap();
    }
    sink.close().unwrap();
    let mut reader = csv::Reader::from_path(path.join("timeseries.csv")).unwrap();
    let (mut planned, mut counted, mut ends) = (0, 0, Vec::new());
    for record in reader.records() {
        let record = record.unwrap();
        let count = || record[4].parse::<u64>().unwrap();
        match (&record[2], &record[3]) {
            ("upload", "planned") => {
                planned += count();
                ends.push((record[0].to_owned(), record[1].to_owned()));
            }
            ("upload", "response_time") => counted += count(),
            _ => {}
        }
    }
    assert_eq!((planned, counted), (5 * seconds, 4 * seconds));
    assert!(ends.windows(2).all(|pair| pair[0].1 == pair[1].0), "no gap");
    assert_eq!(ends.last().unwrap().1, seconds.to_string());
    assert!(!path.join(".timeseries.csv.new").exists());
}

#[test]
fn trouble_with_the_disk_stops_nothing_and_is_told_once_at_the_end() {
    let base = tempfile::tempdir().unwrap();
    let (mut sink, path) = create(base.path(), "demo");
    fs::remove_dir_all(&path).unwrap();
    for _ in 0..3 {
        sink.take(&RunEvent::Progress(Box::new(sample::valid()))).unwrap();
        sink.take(&RunEvent::Row(Arc::new(row(0)))).unwrap();
        sink.flush().unwrap();
    }
    let error = sink.close().unwrap_err().to_string();
    assert!(error.contains("20180914-185137-demo"), "{error}");
}

fn block() -> Block {
    let mut series = Series::new();
    series.push(row(0));
    Block::of_series(&series).remove(0)
}

#[test]
fn every_written_summary_validates_and_reads_back() {
    let schema: Value = serde_json::from_str(&summary_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let base = tempfile::tempdir().unwrap();
    for (name, mut summary) in sample::all() {
        let (mut sink, path) = create(base.path(), name);
        for metric in summary.tests[0].metrics.values_mut() {
            metric.mean = f64::INFINITY;
        }
        let huge = f64::INFINITY;
        summary.tests[0].counts.insert("huge".into(), huge);
        summary.blocks = vec![block()];
        let metric = BlockMetric { count: 2, sum: huge };
        summary.blocks[0].tests[1].metrics.insert("huge".into(), metric);
        let pending = ThresholdState::Pending;
        let mut threshold = sample::threshold("counts.huge < 1", None, pending, "a lot");
        threshold.actual = Some(huge);
        summary.thresholds.push(threshold);
        sink.take(&RunEvent::Finished(Box::new(summary.clone()))).unwrap();
        sink.close().unwrap();
        let written = summary_in(&path);
        if let Err(error) = validator.validate(&written) {
            panic!("{name}: {error} at {}", error.instance_path());
        }
        let read: Summary = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(read.account, summary.account, "{name}");
        let mut broken = written;
        broken["account"]["passed"] = Value::from("many");
        assert!(!validator.is_valid(&broken), "{name}");
    }
}

#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/summary.schema.json");
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's switch, not a program's setting"
    )]
    let update = std::env::var("UPDATE_SCHEMA").is_ok_and(|value| value == "1");
    if update {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, summary_schema()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == summary_schema(),
        "docs/schema/summary.schema.json is not current: run the tests with UPDATE_SCHEMA=1"
    );
}
