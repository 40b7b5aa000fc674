//! A run's folder, and the schema of the summary in it.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod sample;

use pysurge_core::event::{Actor, RunEvent, Severity, StopReason, Stream};
use pysurge_core::schedule::{Change, Factor};
use pysurge_core::summary::Summary;
use pysurge_core::wire::LogRecord;
use pysurge_report::{LocalClock, ReportError, RunFolder, Sink, summary_schema};
use serde_json::Value;
use std::fs;
use std::path::Path;

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
            line: "printed".into(),
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
    assert_eq!(files, ["config.yml", "run.log", "summary.json"]);
}

#[test]
fn trouble_with_the_disk_stops_nothing_and_is_told_once_at_the_end() {
    let base = tempfile::tempdir().unwrap();
    let (mut sink, path) = create(base.path(), "demo");
    fs::remove_dir_all(&path).unwrap();
    for _ in 0..3 {
        sink.take(&RunEvent::Progress(Box::new(sample::valid()))).unwrap();
        sink.flush().unwrap();
    }
    let error = sink.close().unwrap_err().to_string();
    assert!(error.contains("20180914-185137-demo"), "{error}");
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
