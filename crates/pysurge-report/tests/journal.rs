//! The journal of a run: what is rebuilt from it, and what becomes of one that is torn, damaged or made up.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod sample;

use proptest::prelude::*;
use pysurge_core::account::Account;
use pysurge_core::event::RunEvent;
use pysurge_core::measure::Measures;
use pysurge_core::series::{Pushed, Row, Series, TestRow};
use pysurge_core::summary::{Block, Status, Summary, WorkerEnd};
use pysurge_core::verdict::{CauseKind, Validity};
use pysurge_report::journal::{self, Held, JOURNAL, Journal, JournalError};
use pysurge_report::{LocalClock, RunFolder, Sink, Style, report::render};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SECOND_NS: u64 = 1_000_000_000;

/// A run of one test that is 10 iterations a second, one of which is always running.
fn second(n: u64) -> Row {
    let mut measures = Measures {
        passed: 8,
        failed: 1,
        ..Measures::default()
    };
    for i in 0..9 {
        measures
            .response_time
            .record(1_000_000 * (n % 7 + 1) + i * 100_000);
        measures.service_time.record(1_000_000);
        measures.lateness.record(50_000);
        measures.metrics.record("vast", f64::MAX);
        measures.checks.record("ok", i > 0);
        measures.timers.record("send", 70_000, false);
    }
    Row {
        from_ns: n * SECOND_NS,
        to_ns: (n + 1) * SECOND_NS,
        tests: vec![TestRow {
            planned: 10,
            dropped: 1,
            measures,
            ..TestRow::default()
        }],
        worker_cpu_ns: 1_000,
        gil_wait_ns: 0,
    }
}

/// What is known after so many seconds; the last second's planned iterations are not told of.
fn after(seconds: u32) -> Summary {
    let n = u64::from(seconds);
    let account = Account {
        planned: 10 * n,
        passed: 8 * (n - 1),
        failed: n - 1,
        dropped: n - 1,
        ..Account::default()
    };
    let mut test = sample::test("<UploadTest kwargs={}>", "upload", account);
    test.in_flight = 3;
    let mut summary = sample::summary(vec![test]);
    summary.status = Status::Running;
    summary.stop_cause = None;
    summary.exit_code = None;
    summary.duration_s = f64::from(seconds);
    summary.elapsed_s = summary.duration_s;
    for worker in &mut summary.workers {
        worker.end = WorkerEnd::Running;
    }
    summary
}

/// A folder whose run goes on, with what its series is.
struct Going {
    base: tempfile::TempDir,
    sink: RunFolder,
    path: PathBuf,
    series: Series,
}

fn going(seconds: u32) -> Going {
    let base = tempfile::tempdir().unwrap();
    let clock = LocalClock::new(|| 1_536_951_097_590_000_000).in_utc();
    let (mut sink, path) = RunFolder::create(base.path(), "demo", "tests: []\n", clock).unwrap();
    let mut series = Series::new();
    for n in 0..seconds {
        let event = match series.push(second(n.into())) {
            Pushed::Begun => None,
            Pushed::Completed => series.rows().last().cloned().map(Arc::new).map(RunEvent::Row),
            Pushed::Coarsened => Some(RunEvent::Coarsened(Arc::new(series.clone()))),
        };
        if let Some(event) = event {
            sink.take(&event).unwrap();
        }
        sink.take(&RunEvent::Progress(Box::new(after(n + 1)))).unwrap();
    }
    sink.flush().unwrap();
    Going {
        base,
        sink,
        path,
        series,
    }
}

fn bytes_of(path: &Path) -> Vec<u8> {
    fs::read(path.join(JOURNAL)).unwrap()
}

fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// A line with the checksum that it should have.
fn line(json: &str) -> Vec<u8> {
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes()
}

fn balances(summary: &Summary) -> bool {
    let mut sum = Account::default();
    for test in &summary.tests {
        sum += test.account;
    }
    summary.account == sum && sum.balances() && summary.tests.iter().all(|test| test.account.balances())
}

#[test]
fn a_killed_run_is_rebuilt_up_to_its_last_second() {
    let Going {
        base: _base,
        sink,
        path,
        series,
        ..
    } = going(12);
    let written = fs::read_to_string(path.join("timeseries.csv")).unwrap();
    // A kill runs no destructor; what was flushed by then is what counts.
    std::mem::forget(sink);
    let journal = journal::read(&bytes_of(&path)).unwrap();
    assert_eq!(
        (journal.rows.len(), journal.damaged, journal.torn),
        (12, 0, false)
    );
    let rebuilt = journal.rebuild();
    assert_eq!(rebuilt.timeseries, written);
    let summary = &rebuilt.summary;
    assert_eq!(summary.status, Status::Killed);
    assert_eq!((summary.account.planned, summary.account.lost), (120, 10));
    assert!(balances(summary), "{:?}", summary.account);
    assert_eq!(summary.blocks, Block::of_series(&finite(&series)));
    assert_eq!(summary.tests[0].in_flight, 0);
    assert_eq!(summary.verdict.validity, Validity::Degraded);
    assert_eq!(summary.verdict.causes[0].kind, CauseKind::Killed);
    let style = Style {
        color: false,
        columns: 80,
    };
    insta::assert_snapshot!(
        "killed",
        render(summary, &style)
            .lines()
            .take(8)
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// The series as it can be told: a sum of the greatest floats is none.
fn finite(series: &Series) -> Series {
    assert!(Block::of_series(series)[0].tests[0].metrics["vast"].sum.abs() >= f64::MAX);
    let mut finite = Series::new();
    for row in series.rows() {
        let mut row = row.clone();
        for test in &mut row.tests {
            test.measures.metrics = pysurge_core::measure::Metrics::default();
            test.measures.metrics.record("vast", f64::MAX);
            (1..9).for_each(|_| test.measures.metrics.record("vast", 0.0));
        }
        finite.push(row);
    }
    finite
}

#[test]
fn a_long_run_is_rebuilt_with_joined_rows_and_its_journal_stays_short() {
    let Going {
        base: _base,
        mut sink,
        path,
        series,
        ..
    } = going(1_250);
    assert!(series.rows().len() < 1_250, "rows were joined");
    let length = fs::metadata(path.join(JOURNAL)).unwrap().len();
    let journal = journal::read(&bytes_of(&path)).unwrap();
    assert_eq!(journal.rows.len(), series.complete_rows().len());
    // 1,250 checkpoints alone would be three times as much.
    assert!(length < 5 << 20, "{length}");
    let rebuilt = journal.rebuild();
    let planned: u64 = rebuilt
        .summary
        .blocks
        .iter()
        .map(|block| block.tests[0].planned)
        .sum();
    assert_eq!(planned, 10 * 1_250);
    assert!(rebuilt.summary.blocks.len() <= 200);
    sink.flush().unwrap();
    assert_eq!(
        rebuilt.timeseries,
        fs::read_to_string(path.join("timeseries.csv")).unwrap()
    );
    assert!(balances(&rebuilt.summary));
}

#[test]
fn at_its_clean_end_a_run_has_no_journal() {
    let Going {
        base: _base,
        mut sink,
        path,
        ..
    } = going(2);
    assert!(matches!(journal::kept(&path).unwrap().unwrap().held, Held::ByRun));
    let mut end = after(3);
    end.status = Status::Finished;
    sink.take(&RunEvent::Finished(Box::new(end))).unwrap();
    sink.close().unwrap();
    assert!(journal::kept(&path).unwrap().is_none());
    let left: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 5, "{left:?}");
}

#[test]
fn a_journal_is_held_while_its_run_goes_on_also_when_it_was_written_anew() {
    let Going {
        base: _base,
        sink,
        path,
        ..
    } = going(1_202);
    assert!(matches!(journal::kept(&path).unwrap().unwrap().held, Held::ByRun));
    drop(sink);
    let ours = journal::kept(&path).unwrap().unwrap();
    assert!(matches!(ours.held, Held::ByUs(_)));
    // Two at once do not rebuild it twice.
    assert!(matches!(journal::kept(&path).unwrap().unwrap().held, Held::ByRun));
}

#[test]
fn what_is_rebuilt_is_written_and_the_journal_goes_last() {
    let Going {
        base: _base,
        sink,
        path,
        ..
    } = going(3);
    drop(sink);
    let rebuilt = journal::read(&bytes_of(&path)).unwrap().rebuild();
    rebuilt.write(&path, true).unwrap();
    let summary: Summary = serde_json::from_slice(&fs::read(path.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary.status, Status::Killed);
    assert_eq!(summary.blocks.len(), 3);
    assert!(!path.join(JOURNAL).exists());
}

#[test]
fn what_is_damaged_is_skipped_and_told() {
    let Going {
        base: _base,
        sink,
        path,
        ..
    } = going(4);
    drop(sink);
    let whole = lines_of(&bytes_of(&path));
    // A header, then a row and a checkpoint of each second.
    assert_eq!(whole.len(), 9);
    let of = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = whole.clone();
        change(&mut lines);
        let read = journal::read(&lines.concat());
        read.map(|read| (read.summary.elapsed_s, read.rows.len(), read.damaged, read.torn))
    };
    assert_eq!(of(&|_| ()), Ok((4.0, 4, 0, false)));
    // The last line was being written: the second before counts.
    assert_eq!(of(&|lines| lines[8].truncate(500)), Ok((3.0, 3, 0, true)));
    assert_eq!(of(&|lines| lines[8].truncate(3)), Ok((3.0, 3, 0, true)));
    // Only its line end is missing.
    assert_eq!(
        of(&|lines| assert_eq!(lines[8].pop(), Some(b'\n'))),
        Ok((4.0, 4, 0, false))
    );
    // A write failed half way, and the next began with a line end.
    assert_eq!(
        of(&|lines| lines.insert(8, b"0bad".to_vec().into_iter().chain(*b"\n\n").collect())),
        Ok((4.0, 4, 1, false))
    );
    assert_eq!(of(&|lines| lines[8][20] ^= 1), Ok((3.0, 3, 1, false)));
    assert_eq!(of(&|lines| lines[3][30] ^= 1), Ok((4.0, 3, 1, false)));
    assert_eq!(of(&|lines| lines[0][12] ^= 1), Ok((4.0, 4, 1, false)));
    assert_eq!(
        of(&|lines| lines.insert(5, vec![0; 4096])),
        Ok((4.0, 3, 1, false)),
        "it takes the line after with it"
    );
    // A later pysurge may write more kinds.
    assert_eq!(
        of(&|lines| lines.insert(4, line(r#"{"weather":{}}"#))),
        Ok((4.0, 4, 0, false))
    );
    // Lines that are whole and make no sense.
    assert_eq!(
        of(&|lines| lines.insert(4, line(r#"{"row":{}}"#))),
        Ok((4.0, 4, 1, false))
    );
    assert_eq!(
        of(&|lines| lines.push(line(r#"{"summary":{}}"#))),
        Ok((4.0, 4, 1, false))
    );
    assert_eq!(of(&|lines| lines.swap(1, 3)), Ok((4.0, 3, 1, false)));
    assert_eq!(
        of(&|lines| lines.insert(4, lines[3].clone())),
        Ok((4.0, 4, 1, false))
    );
    let huge = String::from_utf8(whole[7][9..].to_vec()).unwrap();
    let huge = huge
        .trim_end()
        .replace("\"planned\":10", &format!("\"planned\":{}", u64::MAX));
    assert_eq!(of(&|lines| lines[7] = line(&huge)), Ok((4.0, 3, 1, false)));

    for (change, error) in [
        (
            &(|lines: &mut Vec<Vec<u8>>| lines.clear()) as &dyn Fn(&mut Vec<Vec<u8>>),
            JournalError::NotJournal,
        ),
        (
            &|lines| lines.truncate(1),
            JournalError::NoCheckpoint { damaged: 0 },
        ),
        (&|lines| *lines = vec![b"{}\n".to_vec()], JournalError::NotJournal),
        (
            &|lines| lines[0] = line(r#"{"header":{"version":2,"pysurge_version":"9.0.0"}}"#),
            JournalError::OtherVersion {
                version: 2,
                readable: 1,
            },
        ),
    ] {
        assert_eq!(of(change), Err(error));
    }
    let later = String::from_utf8(whole[8][9..].to_vec()).unwrap();
    let later = later
        .trim_end()
        .replace("\"schema_version\":1", "\"schema_version\":7");
    assert_eq!(
        of(&|lines| lines[8] = line(&later)),
        Err(JournalError::OtherVersion {
            version: 7,
            readable: 1
        })
    );
}

#[test]
fn a_result_that_could_not_be_written_is_kept_as_it_is() {
    let Going {
        base: _base,
        mut sink,
        path,
        ..
    } = going(2);
    // Nothing can be put in the place of a folder that holds something.
    fs::remove_file(path.join("summary.json")).unwrap();
    fs::create_dir_all(path.join("summary.json/x")).unwrap();
    let mut end = after(3);
    (end.status, end.exit_code) = (Status::Finished, Some(0));
    sink.take(&RunEvent::Finished(Box::new(end.clone()))).unwrap();
    assert!(sink.trouble().unwrap().contains("cannot write all of"));
    assert_eq!(sink.trouble(), None, "told once");
    sink.close().unwrap_err();
    let rebuilt = journal::read(&bytes_of(&path)).unwrap().rebuild();
    assert_eq!(rebuilt.summary, end);
}

fn valid_bytes() -> Vec<u8> {
    let Going {
        base: _base,
        sink,
        path,
        ..
    } = going(3);
    drop(sink);
    bytes_of(&path)
}

/// Whatever is read can be rebuilt, adds up, and can be shown.
fn is_sound(read: Result<Journal, JournalError>) -> bool {
    let Ok(read) = read else { return true };
    let rebuilt = read.rebuild();
    let style = Style {
        color: false,
        columns: 80,
    };
    balances(&rebuilt.summary)
        && !render(&rebuilt.summary, &style).is_empty()
        && rebuilt.timeseries.ends_with('\n')
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(is_sound(journal::read(&bytes)));
    }

    #[test]
    fn any_damage_is_survived(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..200), 0..6),
        end in any::<prop::sample::Index>(),
    ) {
        static VALID: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut bytes = VALID.get_or_init(valid_bytes).clone();
        for (at, byte, length) in cuts {
            let at = at.index(bytes.len());
            match byte % 3 {
                0 => bytes[at] = byte,
                1 => drop(bytes.drain(at..(at + length).min(bytes.len()))),
                _ => drop(bytes.splice(at..at, std::iter::repeat_n(byte, length))),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        prop_assert!(is_sound(journal::read(&bytes)));
    }
}
