//! Writes the seeds of `fuzz/corpus/frame` anew, for when the messages have changed: `cargo run -p pysurge-fuzz-checks --example frames FOLDER`.

use pysurge_core::failure::{FailureKey, Phase};
use pysurge_core::measure::{Exhibit, Measures};
use pysurge_core::plan::{Model, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::value::Value;
use pysurge_core::wire::{
    FromWorker, Hello, Load, LogRecord, PartSnapshot, Snapshot, TestInfo, TestSnapshot, ToWorker, encode,
};
use serde::Serialize;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    let write = |name: &str, piece: u8, stream: &[u8]| {
        let bytes: Vec<u8> = [piece].iter().chain(stream).copied().collect();
        fs::write(Path::new(&folder).join(name), bytes)
    };
    let snapshot = frame(&FromWorker::Snapshot(Box::new(snapshot(1))));
    let absurd = frame(&FromWorker::Snapshot(Box::new(snapshot_of(absurd()))));
    write("snapshot", 7, &snapshot)?;
    write("snapshot-with-figures-near-the-end-of-64-bits", 255, &absurd)?;
    write("snapshot-cut", 3, &snapshot[..snapshot.len() - 5])?;
    write(
        "two-snapshots-byte-by-byte",
        1,
        &[snapshot.clone(), absurd].concat(),
    )?;
    write("snapshot-as-a-payload-alone", 9, &snapshot[4..])?;
    write("load", 64, &frame(&load()))?;
    write("length-beyond-the-limit", 4, &u32::MAX.to_le_bytes())?;
    write(
        "hello-log-done",
        2,
        &[frame(&hello()), frame(&log()), frame(&FromWorker::Done)].concat(),
    )?;
    write(
        "loaded",
        5,
        &frame(&FromWorker::Loaded(vec![Ok(TestInfo::default())])),
    )?;
    // A variant that holds a list, and a list of 2^60 entries: postcard's numbers have seven bits a byte.
    let bomb: Vec<u8> = [6, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f].to_vec();
    write("list-of-2-to-the-60", 16, &bomb)?;
    write("nothing", 16, &[])
}

fn frame<M: Serialize>(message: &M) -> Vec<u8> {
    encode(message).expect("a seed is short")
}

fn hello() -> FromWorker {
    FromWorker::Hello(Hello {
        protocol: pysurge_core::wire::PROTOCOL,
        version: "2.0.0".to_owned(),
        pid: 1,
        python: "3.11.7".to_owned(),
        free_threaded: false,
    })
}

fn log() -> FromWorker {
    FromWorker::Log(LogRecord {
        wall_ns: 1,
        process: "Worker-1".to_owned(),
        thread: "main".to_owned(),
        level: "INFO".to_owned(),
        level_number: 20,
        message: "hello\u{1b}[2J".to_owned(),
    })
}

fn load() -> ToWorker {
    let rate = Rate::parse("5").expect("a rate");
    let test = TestPlan {
        kwargs: vec![(
            "x".to_owned(),
            Value::List(vec![Value::Int(1), Value::Float(f64::NAN)]),
        )],
        ..TestPlan::new("a.B", Model::constant(rate))
    };
    ToWorker::Load(Load {
        tests: vec![test],
        ..Load::default()
    })
}

fn snapshot(times: u64) -> Snapshot {
    let mut measures = Measures {
        passed: times,
        ..Measures::default()
    };
    measures.response_time.record_n(1_000_000, times);
    measures.service_time.record_n(900_000, times);
    measures.timers.record("step", 5, false);
    measures.checks.record("ok", true);
    measures.counts.record("bytes", 5.0);
    measures.metrics.record("m", -1.5);
    measures.metrics.record("m", 2.5);
    let key = FailureKey {
        phase: Phase::Run,
        exception: "ValueError".to_owned(),
        frame: "a.py:1 in run".to_owned(),
        message: "no item #".to_owned(),
    };
    measures
        .failures
        .record(key, 5, || ("no item 5".to_owned(), "Traceback".to_owned()));
    measures.exhibits.show(Exhibit::default());
    snapshot_of(measures)
}

fn absurd() -> Measures {
    let mut measures = Measures {
        passed: u64::MAX,
        failed: u64::MAX,
        busy_ns: u64::MAX,
        ..Measures::default()
    };
    for _ in 0..2 {
        measures.response_time.record_n(u64::MAX, u64::MAX - 1);
        measures.lateness.record_n(5, u64::MAX - 1);
        measures.counts.record("x", f64::MAX);
        measures.metrics.record("x", f64::MAX);
    }
    measures
}

fn snapshot_of(measures: Measures) -> Snapshot {
    let part = PartSnapshot {
        planned: measures.passed,
        measures,
        ..PartSnapshot::default()
    };
    Snapshot {
        tests: vec![TestSnapshot {
            measured: part,
            ..TestSnapshot::default()
        }],
        ..Snapshot::default()
    }
}
