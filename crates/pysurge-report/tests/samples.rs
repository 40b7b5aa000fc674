//! The file of samples, plain and compressed.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod plans;

use pysurge_core::event::RunEvent;
use pysurge_core::failure::{FailureKey, Phase};
use pysurge_core::plan::{Plan, TestPlan};
use pysurge_core::wire::IterationRecord;
use pysurge_report::{ReportError, Samples, Sink};
use std::fs;
use std::path::Path;

fn events() -> Vec<RunEvent> {
    let named = TestPlan {
        name: Some("shop, \"big\"".into()),
        ..plans::closed(2, 0)
    };
    let passed = IterationRecord {
        test: 0,
        number: Some(7),
        warmup: true,
        planned_ns: 1_000_000_000,
        started_ns: 1_000_143_000,
        setup_ns: Some(2_000),
        service_ns: Some(50_000_001),
        teardown_ns: None,
        failed: false,
        failure: None,
        metrics: vec![
            ("bytes".into(), 1_048_576.0),
            ("a \"b\"".into(), 0.1),
            ("odd".into(), f64::NAN),
        ],
    };
    let key = FailureKey {
        phase: Phase::Setup,
        exception: "ValueError".into(),
        frame: "t.py:3 in setup".into(),
        message: "no, not #\nnever".into(),
    };
    let failed = IterationRecord {
        number: Some(8),
        warmup: false,
        started_ns: 999_999_999,
        setup_ns: Some(5),
        service_ns: None,
        failed: true,
        failure: Some(key),
        metrics: Vec::new(),
        ..passed.clone()
    };
    let of_a_user = IterationRecord {
        test: 1,
        number: None,
        metrics: Vec::new(),
        warmup: false,
        ..passed.clone()
    };
    vec![
        RunEvent::Opened {
            plan: Plan::new("demo", vec![plans::constant("5"), named]),
            workers: 2,
            wall_ns: 0,
        },
        RunEvent::Loaded(vec![plans::info("<A kwargs={}>", None), plans::info("<B>", None)]),
        RunEvent::Started {
            at_ns: 0,
            wall_ns: 0,
            stripes: Vec::new(),
        },
        RunEvent::Iterations {
            worker: 0,
            iterations: vec![passed],
        },
        RunEvent::Iterations {
            worker: 1,
            iterations: vec![failed, of_a_user],
        },
    ]
}

fn written(path: &Path) -> Vec<u8> {
    let mut sink = Samples::create(path).unwrap();
    assert!(sink.wants_iterations());
    for event in events() {
        sink.take(&event).unwrap();
        sink.flush().unwrap();
    }
    sink.close().unwrap();
    fs::read(path).unwrap()
}

#[test]
fn every_iteration_is_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("samples.csv");
    fs::write(
        &plain,
        "what an earlier run left, and longer than what comes now".repeat(100),
    )
    .unwrap();
    let plain = String::from_utf8(written(&plain)).unwrap();
    insta::assert_snapshot!("samples", plain);
    let compressed = written(&folder.path().join("samples.csv.zst"));
    let read = zstd::decode_all(compressed.as_slice()).unwrap();
    assert_eq!(String::from_utf8(read).unwrap(), plain);
    let mut reader = csv::Reader::from_reader(plain.as_bytes());
    let widths: Vec<usize> = reader.records().map(|record| record.unwrap().len()).collect();
    assert_eq!(widths, [17, 17, 17]);
}

#[test]
fn what_was_known_a_second_ago_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.csv.zst");
    let mut sink = Samples::create(&path).unwrap();
    for event in events() {
        sink.take(&event).unwrap();
    }
    let second = RunEvent::Progress(Box::new(sample::valid()));
    sink.take(&second).unwrap();
    // As of a manager that is killed now: nothing is closed.
    let mut read = Vec::new();
    let file = fs::File::open(&path).unwrap();
    let unfinished = std::io::Read::read_to_end(&mut zstd::Decoder::new(file).unwrap(), &mut read);
    assert!(unfinished.is_err());
    assert_eq!(String::from_utf8(read).unwrap().lines().count(), 5);
}

#[test]
fn a_run_that_never_starts_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.csv"), folder.path().join("new.csv"));
    fs::write(&old, "old").unwrap();
    for path in [&old, &new] {
        let mut sink = Samples::create(path).unwrap();
        sink.take(&events()[0]).unwrap();
        sink.close().unwrap();
    }
    assert_eq!(fs::read_to_string(&old).unwrap(), "old");
    assert!(!new.exists());
}

#[test]
fn a_wrong_name_or_place_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str| Samples::create(&folder.path().join(name)).unwrap_err();
    assert!(matches!(refused("a.parquet"), ReportError::SamplesForm { .. }));
    assert!(matches!(refused("none/a.csv"), ReportError::File { .. }));
    fs::create_dir(folder.path().join("d.csv")).unwrap();
    assert!(matches!(refused("d.csv"), ReportError::File { .. }));
    let text = refused("a.txt").to_string();
    assert!(text.contains(".csv.zst"), "{text}");
}

#[test]
fn a_full_disk_ends_the_file_and_names_it() {
    // A device that is always full, where the system has one.
    let link = tempfile::tempdir().unwrap();
    let path = link.path().join("full.csv");
    if !Path::new("/dev/full").exists() || std::os::unix::fs::symlink("/dev/full", &path).is_err() {
        return;
    }
    let mut sink = Samples::create(&path).unwrap();
    for event in events() {
        sink.take(&event).unwrap();
    }
    let error = sink
        .take(&RunEvent::Progress(Box::new(sample::valid())))
        .unwrap_err();
    assert!(error.to_string().contains("full.csv"), "{error}");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

mod sample;
