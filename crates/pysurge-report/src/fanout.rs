//! Joins sinks to the stream of events. Each sink has a queue and a thread of its own, so one that is slow, stuck or
//! broken never touches the run nor the other sinks.
//!
//! A queue is bounded: log records, output lines and single iterations that do not fit are dropped and counted, and a newer
//! `Progress` takes the place of one that still waits. All other events, few by nature, always arrive.
//! Must never block in `emit`.

use pysurge_core::event::{EventSink, RunEvent, Severity};
use pysurge_core::wire::IterationRecord;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Text of user code that may wait for one sink. Holds about a second of a terminal that takes 40,000 lines a second.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// Single iterations that may wait for one sink: a second of 100,000 of them, or ten of 10,000.
const MAX_WAITING_SAMPLE_BYTES: usize = 32 * 1024 * 1024;

/// What an event costs beside its text; keeps a flood of empty lines bounded too.
const EVENT_BYTES: usize = 128;

/// A view of the run. Called from one thread.
pub trait Sink: Send {
    /// Names the sink in error messages: `the terminal`.
    fn name(&self) -> &'static str;

    /// Whether single iterations are all it is there for: it gets [`RunEvent::Iterations`], which other sinks do not get, and no log record
    /// and no line of output.
    fn wants_iterations(&self) -> bool {
        false
    }

    /// Takes the next event. After an error the sink gets nothing more but [`Sink::close`].
    fn take(&mut self, event: &RunEvent) -> io::Result<()>;

    /// Nothing more waits for now: a buffer is best written out.
    fn flush(&mut self) -> io::Result<()>;

    /// What went wrong since it was asked last, where it goes on all the same: told to the user at once. [`Sink::close`] tells it again.
    fn trouble(&mut self) -> Option<String> {
        None
    }

    /// The stream has ended. Called exactly once, unless the sink panicked.
    fn close(&mut self) -> io::Result<()>;
}

/// How a sink ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkEnd {
    /// [`Sink::name`].
    pub name: &'static str,
    /// Log records and output lines, or single iterations, that it never got: it was slow, or had failed.
    pub dropped: u64,
    /// What went wrong; a reader who has gone away (`| head`) is no error.
    pub error: Option<String>,
}

/// Hands every event to every sink.
pub struct Fanout {
    lanes: Vec<Lane>,
}

struct Lane {
    name: &'static str,
    wants_iterations: bool,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Option<String>>>,
    unstarted: Option<String>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Each with what it counts against the bound.
    events: VecDeque<(Arc<RunEvent>, usize)>,
    waiting_bytes: usize,
    dropped: u64,
    closed: bool,
    ended: bool,
    /// The result is in it: nothing comes behind it.
    finished: bool,
}

/// Tells the user of trouble in one sink by way of the others.
struct Herald {
    others: Vec<Arc<Shared>>,
}

impl Herald {
    fn tell(&self, name: &str, trouble: &str) {
        let notice = Arc::new(RunEvent::Notice {
            severity: Severity::Warning,
            text: format!("{name}: {trouble}; the run goes on"),
        });
        for other in &self.others {
            let mut queue = other.lock();
            if !queue.finished {
                queue.push(Arc::clone(&notice));
                other.changed.notify_one();
            }
        }
    }
}

impl Fanout {
    /// Starts a thread per sink. A sink whose thread cannot be started is reported by [`Fanout::finish`].
    pub fn start(sinks: Vec<Box<dyn Sink>>) -> Self {
        let all: Vec<Arc<Shared>> = sinks.iter().map(|_| Arc::default()).collect();
        let lanes = sinks.into_iter().enumerate().map(|(at, sink)| {
            let mut others = all.clone();
            let shared = others.remove(at);
            Lane::start(sink, shared, Herald { others })
        });
        Self {
            lanes: lanes.collect(),
        }
    }

    /// Waits until every sink has written what it was given, and tells how each ended, in the order they were given.
    pub fn finish(mut self) -> Vec<SinkEnd> {
        self.end()
    }

    /// The most that is missing in any sink: of iterations, or of lines.
    fn dropped(&self, iterations: bool) -> u64 {
        let lanes = self
            .lanes
            .iter()
            .filter(|lane| lane.wants_iterations == iterations);
        lanes.map(|lane| lane.shared.lock().dropped).max().unwrap_or(0)
    }

    fn end(&mut self) -> Vec<SinkEnd> {
        for lane in &self.lanes {
            lane.shared.lock().closed = true;
            lane.shared.changed.notify_one();
        }
        self.lanes.drain(..).map(Lane::join).collect()
    }
}

impl Drop for Fanout {
    fn drop(&mut self) {
        self.end();
    }
}

impl EventSink for Fanout {
    fn emit(&self, mut event: RunEvent) {
        if let RunEvent::Progress(summary) | RunEvent::Finished(summary) = &mut event {
            // A line may be missing in every sink at once; it is still one line.
            summary.output_dropped += self.dropped(false);
            summary.samples_dropped += self.dropped(true);
        }
        let event = Arc::new(event);
        for lane in self.lanes.iter().filter(|lane| lane.takes(&event)) {
            lane.shared.lock().push(Arc::clone(&event));
            lane.shared.changed.notify_one();
        }
    }
}

impl Lane {
    fn start(sink: Box<dyn Sink>, shared: Arc<Shared>, herald: Herald) -> Self {
        let (name, wants_iterations) = (sink.name(), sink.wants_iterations());
        let for_thread = Arc::clone(&shared);
        let thread = Builder::new()
            .name(format!("pysurge sink: {name}"))
            .spawn(move || drive(sink, &for_thread, &herald));
        let (thread, unstarted) = match thread {
            Ok(thread) => (Some(thread), None),
            Err(error) => {
                shared.lock().ended = true;
                (None, Some(error.to_string()))
            }
        };
        Self {
            name,
            wants_iterations,
            shared,
            thread,
            unstarted,
        }
    }

    fn takes(&self, event: &RunEvent) -> bool {
        match event {
            RunEvent::Iterations { .. } => self.wants_iterations,
            RunEvent::Log(_) | RunEvent::Output { .. } => !self.wants_iterations,
            _ => true,
        }
    }

    fn join(self) -> SinkEnd {
        let ended = self.thread.map(JoinHandle::join);
        let error = match ended {
            Some(Ok(error)) => error,
            Some(Err(_)) => Some("internal error: its thread panicked".to_owned()),
            None => self.unstarted,
        };
        SinkEnd {
            name: self.name,
            dropped: self.shared.lock().dropped,
            error,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next event; waits where `wait` is set. `None`: nothing waits, or, after waiting, nothing ever comes.
    fn next(&self, wait: bool) -> Option<Arc<RunEvent>> {
        let mut queue = self.lock();
        loop {
            if let Some(event) = queue.pop() {
                return Some(event);
            }
            if queue.closed || !wait {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Queue {
    fn push(&mut self, event: Arc<RunEvent>) {
        let (bytes, most_bytes) = match &*event {
            RunEvent::Iterations { iterations, .. } => (sample_bytes(iterations), MAX_WAITING_SAMPLE_BYTES),
            other => (text_bytes(other), MAX_WAITING_BYTES),
        };
        if self.ended {
            self.dropped += samples(&event);
            return;
        }
        if bytes > 0 && self.waiting_bytes + bytes > most_bytes {
            self.dropped += samples(&event).max(1);
            return;
        }
        if matches!(*event, RunEvent::Progress(_)) {
            self.events
                .retain(|(waiting, _)| !matches!(**waiting, RunEvent::Progress(_)));
        }
        self.finished |= matches!(*event, RunEvent::Finished(_));
        self.waiting_bytes += bytes;
        self.events.push_back((event, bytes));
    }

    fn pop(&mut self) -> Option<Arc<RunEvent>> {
        let (event, bytes) = self.events.pop_front()?;
        self.waiting_bytes -= bytes;
        Some(event)
    }

    /// Nothing is taken any more. Lines that nobody reads are not missed by anybody; iterations are.
    fn end(&mut self) {
        self.ended = true;
        self.dropped += self.events.iter().map(|(event, _)| samples(event)).sum::<u64>();
        self.events.clear();
        self.waiting_bytes = 0;
    }
}

/// The iterations in an event.
fn samples(event: &RunEvent) -> u64 {
    match event {
        RunEvent::Iterations { iterations, .. } => u64::try_from(iterations.len()).unwrap_or(u64::MAX),
        _ => 0,
    }
}

/// What the event counts against the bound of lines; 0 for those that always arrive.
fn text_bytes(event: &RunEvent) -> usize {
    match event {
        RunEvent::Log(record) => EVENT_BYTES + record.message.len(),
        RunEvent::Output { line, .. } => EVENT_BYTES + line.len(),
        _ => 0,
    }
}

/// About what iterations take in memory.
fn sample_bytes(iterations: &[IterationRecord]) -> usize {
    let of_one = |iteration: &IterationRecord| {
        let metrics = iteration.metrics.iter();
        let metrics: usize = metrics
            .map(|(name, _)| size_of::<(String, f64)>() + name.len())
            .sum();
        let failure = iteration
            .failure
            .as_ref()
            .map_or(0, |key| key.exception.len() + key.frame.len() + key.message.len());
        size_of::<IterationRecord>() + metrics + failure
    };
    iterations.iter().map(of_one).sum()
}

/// The life of a sink's thread. Gives what went wrong.
fn drive(mut sink: Box<dyn Sink>, shared: &Shared, herald: &Herald) -> Option<String> {
    let pumped = catch_unwind(AssertUnwindSafe(|| pump(sink.as_mut(), shared, herald)));
    shared.lock().end();
    let Ok(pumped) = pumped else {
        herald.tell(sink.name(), "internal error: it panicked");
        return Some("internal error: it panicked".to_owned());
    };
    if let Err(error) = &pumped
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        herald.tell(sink.name(), &error.to_string());
    }
    // Closed also after an error: a terminal is left as it was found.
    let closed = sink.close();
    let error = pumped.and(closed).err()?;
    (error.kind() != io::ErrorKind::BrokenPipe).then(|| error.to_string())
}

fn pump(sink: &mut dyn Sink, shared: &Shared, herald: &Herald) -> io::Result<()> {
    let tell = |sink: &mut dyn Sink| {
        if let Some(trouble) = sink.trouble() {
            herald.tell(sink.name(), &trouble);
        }
    };
    loop {
        while let Some(event) = shared.next(false) {
            sink.take(&event)?;
            tell(sink);
        }
        sink.flush()?;
        tell(sink);
        match shared.next(true) {
            Some(event) => sink.take(&event)?,
            None => return Ok(()),
        }
    }
}
