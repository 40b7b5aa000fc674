//! One sink's trouble is nobody else's.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod sample;

use pysurge_core::event::{EventSink, RunEvent, Severity, Stream};
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
    let ends = fanout.finish();
    assert_eq!(keeper.kept(), ["one", "two", "closed"]);
    assert_eq!(closed.kept(), ["closed", "closed"], "not after a panic");
    let errors: Vec<_> = ends.iter().map(|end| end.error.as_deref()).collect();
    assert!(errors[0].unwrap().contains("storage"), "{errors:?}");
    assert_eq!(errors[1], None, "a reader who went away is no error");
    assert!(errors[2].unwrap().contains("panicked"), "{errors:?}");
    assert_eq!(errors[3], None);
}
