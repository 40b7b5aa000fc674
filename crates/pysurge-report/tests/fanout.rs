//! One sink's trouble is nobody else's.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod sample;

use pysurge_core::event::{EventSink, RunEvent, Severity, Stream};
use pysurge_core::wire::IterationRecord;
use pysurge_report::{Fanout, Sink, SinkEnd};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

/// Keeps what it gets, in words.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<String>>>);

impl Keeper {
    fn kept(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Until it has so much; a deadline that only a hang reaches.
    #[expect(clippy::disallowed_methods, reason = "a deadline of a test")]
    fn wait_for(&self, count: usize) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while self.kept().len() < count {
            assert!(std::time::Instant::now() < deadline, "{:?}", self.kept());
            std::thread::yield_now();
        }
    }
}

impl Sink for Keeper {
    fn name(&self) -> &'static str {
        "keeper"
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        let said = match event {
            RunEvent::Output { line, .. } => line.chars().take(8).collect(),
            RunEvent::Notice { text, .. } => text.clone(),
            RunEvent::Progress(summary) => format!("progress {}", summary.duration_s),
            RunEvent::Finished(summary) if summary.samples_dropped > 0 => format!(
                "finished, {} dropped, {} samples dropped",
                summary.output_dropped, summary.samples_dropped
            ),
            RunEvent::Finished(summary) => format!("finished, {} dropped", summary.output_dropped),
            _ => "other".to_owned(),
        };
        self.0.lock().unwrap().push(said);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().push("closed".to_owned());
        Ok(())
    }
}

/// Takes nothing until it is let go.
struct Stuck {
    keeper: Keeper,
    reached: SyncSender<()>,
    release: Receiver<()>,
}

impl Sink for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        let _ = self.reached.try_send(());
        let _ = self.release.recv();
        self.keeper.take(event)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fails, or panics, at the first event.
struct Broken {
    how: Option<io::ErrorKind>,
    closed: Keeper,
}

impl Sink for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn take(&mut self, _event: &RunEvent) -> io::Result<()> {
        let kind = self.how.expect("a sink that was built to panic");
        Err(kind.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.closed.close()
    }
}

fn output(line: &str) -> RunEvent {
    RunEvent::Output {
        worker: 0,
        stream: Stream::Stdout,
        thread: None,
        wall_ns: 0,
        line: line.into(),
    }
}

fn notice(text: &str) -> RunEvent {
    RunEvent::Notice {
        severity: Severity::Info,
        text: text.into(),
    }
}

#[test]
fn events_arrive_in_order_and_the_end_waits_for_them() {
    let keeper = Keeper::default();
    let fanout = Fanout::start(vec![Box::new(keeper.clone())]);
    for n in 0..1_000 {
        fanout.emit(output(&n.to_string()));
    }
    let ends = fanout.finish();
    let kept = keeper.kept();
    assert_eq!(kept.len(), 1_001);
    assert_eq!((kept[0].as_str(), kept[999].as_str()), ("0", "999"));
    assert_eq!(kept[1_000], "closed");
    assert_eq!(
        ends,
        [SinkEnd {
            name: "keeper",
            dropped: 0,
            error: None
        }]
    );
}

#[test]
fn a_stuck_sink_blocks_nobody_and_what_it_missed_is_counted() {
    let (reached, at_event) = sync_channel(1);
    let (release, released) = sync_channel(0);
    let (slow, quick) = (Keeper::default(), Keeper::default());
    let stuck = Stuck {
        keeper: slow.clone(),
        reached,
        release: released,
    };
    let fanout = Fanout::start(vec![Box::new(stuck), Box::new(quick.clone())]);
    fanout.emit(notice("first"));
    at_event.recv().unwrap();
    // Sixteen megabytes: more than any queue holds. Were `emit` to block, the test would never end.
    let long = "x".repeat(16 * 1024);
    for _ in 0..1_024 {
        fanout.emit(output(&long));
    }
    for second in 1..=3 {
        let mut summary = sample::valid();
        summary.duration_s = f64::from(second);
        fanout.emit(RunEvent::Progress(Box::new(summary)));
    }
    fanout.emit(notice("second"));
    fanout.emit(RunEvent::Finished(Box::new(sample::valid())));
    drop(release);
    let ends = fanout.finish();

    let kept = slow.kept();
    let lines = kept.iter().filter(|said| said.starts_with('x')).count();
    let dropped = usize::try_from(ends[0].dropped).unwrap();
    assert!(dropped > 0 && lines > 0, "{dropped} dropped, {lines} kept");
    assert_eq!(lines + dropped, 1_024);
    assert_eq!(kept[0], "first");
    assert!(
        kept.ends_with(&[
            "progress 3".to_owned(),
            "second".to_owned(),
            format!("finished, {dropped} dropped")
        ]),
        "{:?}",
        &kept[kept.len() - 4..]
    );
    assert!(quick.kept().contains(&"second".to_owned()));
}

/// As [`Stuck`], and wants iterations.
struct StuckSamples(Stuck, Arc<Mutex<u64>>);

impl Sink for StuckSamples {
    fn name(&self) -> &'static str {
        "samples"
    }

    fn wants_iterations(&self) -> bool {
        true
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        assert!(!matches!(event, RunEvent::Log(_) | RunEvent::Output { .. }));
        if let RunEvent::Iterations { iterations, .. } = event {
            *self.1.lock().unwrap() += u64::try_from(iterations.len()).unwrap();
        }
        self.0.take(event)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn iterations(n: usize) -> RunEvent {
    let record = IterationRecord {
        metrics: vec![("bytes".into(), 1.0)],
        ..IterationRecord::default()
    };
    RunEvent::Iterations {
        worker: 0,
        iterations: vec![record; n],
    }
}

#[test]
fn iterations_that_come_too_fast_are_dropped_and_counted_and_take_nobody_elses_room() {
    let (reached, at_event) = sync_channel(1);
    let (release, released) = sync_channel(0);
    let (slow, quick, taken) = (Keeper::default(), Keeper::default(), Arc::default());
    let stuck = Stuck {
        keeper: slow.clone(),
        reached,
        release: released,
    };
    let samples = StuckSamples(stuck, Arc::clone(&taken));
    let fanout = Fanout::start(vec![Box::new(samples), Box::new(quick.clone())]);
    fanout.emit(notice("first"));
    at_event.recv().unwrap();
    let (batches, batch) = (100, 4_000);
    for _ in 0..batches {
        fanout.emit(iterations(batch));
        fanout.emit(output("a line"));
    }
    let mut told = sample::valid();
    told.samples_dropped = 5;
    fanout.emit(RunEvent::Finished(Box::new(told)));
    drop(release);
    let ends = fanout.finish();
    let taken = *taken.lock().unwrap();
    let planned = u64::try_from(batches * batch).unwrap();
    assert!(taken > 50_000 && ends[0].dropped > 50_000, "{taken}, {ends:?}");
    assert_eq!(taken + ends[0].dropped, planned);
    assert_eq!(ends[1].dropped, 0);
    let finished = format!("finished, 0 dropped, {} samples dropped", ends[0].dropped + 5);
    assert_eq!(slow.kept().last(), Some(&finished));
    let kept = quick.kept();
    assert_eq!(kept.iter().filter(|said| *said == "a line").count(), 100);
    assert!(
        !kept.contains(&"other".to_owned()),
        "iterations are for those who want them"
    );
}

/// Wants iterations and fails at the first event.
struct BrokenSamples;

impl Sink for BrokenSamples {
    fn name(&self) -> &'static str {
        "samples"
    }

    fn wants_iterations(&self) -> bool {
        true
    }

    fn take(&mut self, _event: &RunEvent) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn iterations_for_a_sink_that_has_failed_are_missing_too() {
    let fanout = Fanout::start(vec![Box::new(BrokenSamples)]);
    // The one that it fails at is its own affair; the others wait or come later, and both count.
    for _ in 0..10 {
        fanout.emit(iterations(10));
    }
    assert_eq!(fanout.finish()[0].dropped, 90);
}

#[test]
fn a_failing_sink_is_closed_and_reported_and_the_others_go_on() {
    let (closed, keeper) = (Keeper::default(), Keeper::default());
    let broken = |how| {
        Box::new(Broken {
            how,
            closed: closed.clone(),
        })
    };
    let fanout = Fanout::start(vec![
        broken(Some(io::ErrorKind::StorageFull)),
        broken(Some(io::ErrorKind::BrokenPipe)),
        broken(None),
        Box::new(keeper.clone()),
    ]);
    fanout.emit(notice("one"));
    fanout.emit(notice("two"));
    // The others tell it while the run goes on, each failure once.
    keeper.wait_for(4);
    let ends = fanout.finish();
    let (told, heard): (Vec<String>, Vec<String>) = keeper
        .kept()
        .into_iter()
        .partition(|text| text.ends_with("the run goes on"));
    assert_eq!(heard, ["one", "two", "closed"]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter()
            .any(|text| text.starts_with("broken: no storage space; ")),
        "{told:?}"
    );
    assert_eq!(closed.kept(), ["closed", "closed"], "not after a panic");
    let errors: Vec<_> = ends.iter().map(|end| end.error.as_deref()).collect();
    assert!(errors[0].unwrap().contains("storage"), "{errors:?}");
    assert_eq!(errors[1], None, "a reader who went away is no error");
    assert!(errors[2].unwrap().contains("panicked"), "{errors:?}");
    assert_eq!(errors[3], None);
}
