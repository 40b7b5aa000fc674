//! The messages between manager and worker, and the frames that carry them.
//!
//! A frame is its payload's length (4 bytes, little-endian, at most [`MAX_FRAME_BYTES`]) and the payload: one message in
//! postcard form. The channel is a stream socket; its end is the one notice of death, in both directions. Both ends
//! are one build: a worker says [`FromWorker::Hello`] first, and another [`PROTOCOL`] is refused.
//!
//! Order of a run: `Hello`, `Load`, `Loaded`, `Prepare`, `Prepared`, `Start`, `Snapshot`…, `Stop`, `Drained`, `Done`, end of
//! file. Of a rehearsal: `Rehearse`, `Rehearsed`… stand in place of `Start` and the snapshots, or, in a run that is rehearsed, before them in
//! worker 0. Of a collection: `Collect`, `Collected` in place of all from `Load` on to the stop.
//! A `Stop` may come at any time after `Hello` and again with nearer deadlines; never with later ones. A `Change` or a `Deal` comes only
//! between `Start` and `Stop`, and before the instant it is for unless the machine is very busy. A worker that replaces a lost one is led
//! the same way; its `Start` names the start of the run, and what was changed since.

use crate::event::Stream;
use crate::failure::FailureKey;
use crate::measure::Measures;
use crate::plan::{PytestItem, Samples, TestPlan};
use crate::rate::Rate;
use crate::schedule::{Change, Stripe};
use crate::users::Lot;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of these messages.
pub const PROTOCOL: u32 = 5;

/// New deals that one run may have at most; when so many workers were lost, none is replaced any more.
pub const MAX_DEALS: u32 = 10_000;

/// The largest payload of a frame. A snapshot of a hundred tests with full histograms has about 4 MiB.
pub const MAX_FRAME_BYTES: usize = 64 * 1024 * 1024;

/// From the manager to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Collect the tests of pytest. Answered by [`FromWorker::Collected`].
    Collect(Load),
    /// Import and instantiate every test. Answered by [`FromWorker::Loaded`].
    Load(Load),
    /// Run `startup` of every class once. Answered by [`FromWorker::Prepared`].
    Prepare,
    /// Run each test once, one after the other. Answered by one [`FromWorker::Rehearsed`] per test.
    Rehearse,
    /// Fire.
    Start(Start),
    /// Go on otherwise from an instant on: paused, or at another multiple of the planned rates.
    Change(Change),
    /// Per test: from an instant on this worker has another part of it, because workers were lost or have come back. `None` where nothing
    /// changes.
    Deal(Vec<Option<Deal>>),
    /// Start nothing more and come to an end by the deadlines given.
    Stop(Stop),
}

/// What a worker is to load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// This worker's number, from 0.
    pub worker: u32,
    /// The tests of the plan, in its order.
    pub tests: Vec<TestPlan>,
    /// Where user code is found, put in front of `sys.path` in this order.
    pub import_first: Vec<String>,
    /// Where user code is found last, put at the end of `sys.path`.
    pub import_last: Vec<String>,
    /// Whether debug log records are wanted.
    pub debug: bool,
    /// How long the run is at most: how far a shape is to be sampled where its test does not say.
    pub duration_ns: Option<u64>,
    /// How many workers there are.
    pub workers: u32,
    /// Options for pytest.
    pub pytest_args: Vec<String>,
}

/// When and what a worker is to fire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The start of the run, nanoseconds of `CLOCK_MONOTONIC`; all planned instants count from it.
    pub at_ns: u64,
    /// How long iterations are planned, from the start; `None`: until told to stop.
    pub duration_ns: Option<u64>,
    /// Per test: this worker's part of it; `None` where this worker does not run it.
    pub deals: Vec<Option<Deal>>,
    /// What was changed since the start of the run, in order.
    pub changes: Vec<Change>,
    /// Per test with a shape: its samples, the same in every worker. Empty or `None` where there is nothing to tell.
    pub shapes: Vec<Option<Samples>>,
    /// Whether every single iteration is to be told, by [`FromWorker::Iterations`].
    pub iterations: bool,
}

/// A worker's part of a test from some point of the plan on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deal {
    /// Of a schedule.
    Arrivals {
        /// The first arrival that it is about, by its number over all workers.
        from: u64,
        /// This worker's part of those from there on.
        stripe: Stripe,
    },
    /// Of the closed model.
    Users {
        /// From when on, nanoseconds of run time.
        at_ns: u64,
        /// This worker's users and what they do.
        lot: Lot,
    },
}

impl Deal {
    /// Which part it is.
    pub fn stripe(&self) -> Stripe {
        match self {
            Self::Arrivals { stripe, .. } => *stripe,
            Self::Users { lot, .. } => lot.stripe,
        }
    }
}

/// By when a worker is to end. All instants are nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Iterations planned at or after this instant are not part of the plan any more.
    pub plan_ends_ns: u64,
    /// Until then iterations of the plan that are due may still be started; later they are dropped.
    pub last_start_ns: u64,
    /// Iterations still running then are interrupted; those of a test with a shorter `graceful_stop` of its own, that long
    /// after `last_start_ns`.
    pub grace_ends_ns: u64,
    /// The `shutdown` hooks must have ended this long after the last iteration did.
    pub shutdown_timeout_ns: u64,
}

/// From a worker to the manager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The first message: who is there.
    Hello(Hello),
    /// Per test of the plan: what it stands for, where it is one of pytest; else nothing.
    Collected(Vec<Result<Vec<CollectedItem>, LoadError>>),
    /// Every test's class was looked at, in the plan's order.
    Loaded(Vec<Result<TestInfo, LoadError>>),
    /// Every `startup` was tried. Per test of the plan: `None` where it can run, else why its class's `startup` failed.
    Prepared(Vec<Option<StartupError>>),
    /// How the one iteration of a rehearsal went.
    Rehearsed(Rehearsed),
    /// What was measured since the last snapshot.
    Snapshot(Box<Snapshot>),
    /// Iterations one by one, where they were asked for; those of the time before a `Drained` come before it.
    Iterations(Vec<IterationRecord>),
    /// All iterations ended or were interrupted; nothing more will be measured. `shutdown` follows.
    Drained(Box<Snapshot>),
    /// Every `shutdown` was tried. The worker exits.
    Done,
    /// A log record of user code.
    Log(LogRecord),
    /// A line that Python code printed.
    Printed(PrintedLine),
    /// Nothing has got on for long because one thread holds the interpreter. Told once, by a thread that needs no interpreter.
    Frozen(Frozen),
}

/// Who a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its [`PROTOCOL`].
    pub protocol: u32,
    /// Its [`crate::VERSION`].
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Its interpreter, `3.11.7`.
    pub python: String,
    /// Whether that interpreter runs without a GIL.
    pub free_threaded: bool,
}

/// A worker in which nothing gets on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// How long nobody has got the interpreter, nanoseconds.
    pub held_ns: u64,
    /// The stacks of its threads as far as they could be had without the interpreter; may be empty.
    pub stacks: String,
}

/// What a test case says of itself once it is instantiated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestInfo {
    /// `str(instance)`: `<UploadTest kwargs={}>`.
    pub label: String,
    /// The `summary` property.
    pub summary: String,
    /// The `max_duration` property; `None` where the class does not declare one.
    pub max_duration_ns: Option<u64>,
    /// What its shape gave, where it has one.
    pub shape: Option<Samples>,
    /// How many rows its data has, where it is fed with any.
    pub rows: Option<u64>,
    /// Whether its iterations are coroutines on the worker's event loop.
    pub coroutine: bool,
    /// What the user should know of how it is run; a line each.
    pub notes: Vec<String>,
}

/// A test of pytest that was collected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectedItem {
    /// Which it is.
    pub item: PytestItem,
    /// Its part of the load of its entry, above 0: `@pytest.mark.surge(weight=3)`.
    pub weight: f64,
    /// A rate of its own: `@pytest.mark.surge(rate=5)`.
    pub rate: Option<Rate>,
    /// Why it is not run, where its marks say so.
    pub skipped: Option<String>,
}

/// What is wrong with a test's class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadFault {
    /// Its module, file or attribute is not found.
    NotFound,
    /// Its module raised on import.
    Import,
    /// It is found, but is nothing that can be run.
    NotATestCase,
    /// `__init__` does not take the kwargs.
    Kwargs,
    /// `__init__` or one of the properties raised, or a property has the wrong type.
    Instance,
    /// The function of its `shape` is not found, raised, or gave what is no rate.
    Shape,
    /// The file of its `replay` cannot be read here as the manager read it.
    Replay,
    /// Its `data` cannot be read, or its rows do not fit what they are for.
    Data,
    /// pytest cannot collect it, or is not there.
    Collect,
}

/// Why a test cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadError {
    /// What kind of error, which tells the key of the config it belongs to.
    pub fault: LoadFault,
    /// One line: what is wrong.
    pub message: String,
    /// What to do about it, where we know.
    pub hint: Option<String>,
    /// The user's frames and the error; empty where user code was not run.
    pub traceback: String,
}

/// Why a class does not run in a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartupError {
    /// The class, `module.Class`.
    pub class: String,
    /// One line: type and message.
    pub message: String,
    /// The user's frames and the error.
    pub traceback: String,
}

/// One iteration of a rehearsal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// The test's place in the plan.
    pub test: u32,
    /// What was measured of this one iteration; one of `passed` and `failed` is 1.
    pub measures: Box<Measures>,
}

/// What a worker measured since its last snapshot. Counts are deltas, but for those that say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// 0, 1, 2, … without a gap.
    pub sequence: u64,
    /// When it was taken, nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Per test of the plan, in its order.
    pub tests: Vec<TestSnapshot>,
    /// CPU time of the worker since it was started, nanoseconds, cumulative.
    pub cpu_ns: u64,
    /// Resident memory, bytes, now.
    pub rss_bytes: u64,
    /// Log records that were dropped because the manager did not keep up, cumulative.
    pub logs_dropped: u64,
    /// Iterations that are in no [`FromWorker::Iterations`] because the manager did not keep up, cumulative.
    pub iterations_untold: u64,
    /// How long a due iteration had a thread that waited for the interpreter, nanoseconds, cumulative; at most the time that has passed.
    pub gil_wait_ns: u64,
    /// How long the whole process stood still, stopped or without a core, as far as it noticed, nanoseconds, cumulative.
    pub stood_still_ns: u64,
    /// How many [`ToWorker::Deal`] this worker had heeded when it took this.
    pub deals: u32,
}

/// One test's part of a [`Snapshot`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestSnapshot {
    /// The iterations that count.
    pub measured: PartSnapshot,
    /// Those of the warm-up, which are in nothing else.
    pub warmup: PartSnapshot,
    /// Whether nothing more will be started: the schedule is over, or all iterations have been begun. Some may still run.
    pub ended: bool,
    /// The last start after the end of the schedule, nanoseconds since the start of the run; 0 where there was none.
    pub late_start_ns: u64,
    /// Iterations running now.
    pub in_flight: u32,
    /// Pool threads now.
    pub threads: u32,
    /// The most pool threads that this worker may have.
    pub max_threads: u32,
    /// Whether the system refused to make a thread.
    pub threads_refused: bool,
    /// Iterations that have run longer than the test's `max_duration`, cumulative, measured or not.
    pub overran: u64,
    /// Of these, those that run now.
    pub overrunning: u32,
}

/// The measured iterations of a test, or those of its warm-up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PartSnapshot {
    /// Iterations of this worker's stripe that were claimed so far or dropped, cumulative.
    pub planned: u64,
    /// Of these, never started, cumulative.
    pub dropped: u64,
    /// Of these, abandoned at the hard stop, cumulative; only in the last snapshot.
    pub interrupted: u64,
    /// Measures since the last snapshot.
    pub measures: Measures,
}

/// One iteration, for those who want every single one. Instants are nanoseconds of run time: since the start of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IterationRecord {
    /// The test's place in the plan.
    pub test: u32,
    /// Its number among the test's arrivals in all workers; `None` in the closed model.
    pub number: Option<u64>,
    /// Whether it belongs to the warm-up.
    pub warmup: bool,
    /// When it was planned.
    pub planned_ns: u64,
    /// When it started.
    pub started_ns: u64,
    /// `setup`; `None` where there is none or it was not reached.
    pub setup_ns: Option<u64>,
    /// `run`; `None` where it was not reached.
    pub service_ns: Option<u64>,
    /// `teardown`; `None` where there is none.
    pub teardown_ns: Option<u64>,
    /// Whether it failed.
    pub failed: bool,
    /// The group of its first failure, also of one in `teardown` that failed nothing.
    pub failure: Option<FailureKey>,
    /// Its metrics, where it passed.
    pub metrics: Vec<(String, f64)>,
}

/// A log record on its way to the manager, who writes it as a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Wall-clock time, nanoseconds since 1970 UTC.
    pub wall_ns: u64,
    /// `processName`: `Worker-1`, `MainProcess`.
    pub process: String,
    /// `threadName`.
    pub thread: String,
    /// `levelname`: `INFO`.
    pub level: String,
    /// The number behind the level: 20 for `INFO`.
    pub level_number: u32,
    /// The formatted message, with a traceback on further lines where the record has one.
    pub message: String,
}

/// A line that Python code printed, on its way to the manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintedLine {
    /// Wall-clock time, nanoseconds since 1970 UTC.
    pub wall_ns: u64,
    /// The name of the thread that printed it.
    pub thread: String,
    /// Where it printed it.
    pub stream: Stream,
    /// The line without its end.
    pub line: String,
}

/// Why bytes are no frame or no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The length stands above [`MAX_FRAME_BYTES`].
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME_BYTES}")]
    TooLong(usize),
    /// The payload is no message of the expected kind.
    #[error("a frame holds no valid message: {0}")]
    Malformed(String),
}

/// Puts a message into a frame.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, WireError> {
    let frame =
        postcard::to_extend(message, vec![0; 4]).map_err(|error| WireError::Malformed(error.to_string()))?;
    finish(frame)
}

fn finish(mut frame: Vec<u8>) -> Result<Vec<u8>, WireError> {
    let payload_bytes = frame.len() - 4;
    let length = u32::try_from(payload_bytes)
        .ok()
        .filter(|_| payload_bytes <= MAX_FRAME_BYTES);
    let length = length.ok_or(WireError::TooLong(payload_bytes))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// Takes bytes as they come, in any pieces, and gives whole messages.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    read: usize,
}

impl FrameDecoder {
    /// Adds bytes that arrived.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.read > 0 {
            self.buffer.drain(..self.read);
            self.read = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if one has arrived. After an error the stream is beyond repair.
    pub fn next_message<M: DeserializeOwned>(&mut self) -> Result<Option<M>, WireError> {
        let rest = &self.buffer[self.read..];
        let Some((head, body)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
        if length > MAX_FRAME_BYTES {
            return Err(WireError::TooLong(length));
        }
        let Some(payload) = body.get(..length) else {
            return Ok(None);
        };
        let message =
            postcard::from_bytes(payload).map_err(|error| WireError::Malformed(error.to_string()))?;
        self.read += 4 + length;
        Ok(Some(message))
    }

    /// Whether bytes of an unfinished frame are left: at the end of the stream, a frame was cut.
    pub fn has_partial(&self) -> bool {
        self.read < self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ClosedModel, Model, Wait};
    use crate::rate::Rate;
    use crate::schedule::Factor;
    use crate::value::Value;
    use proptest::prelude::*;

    fn load() -> ToWorker {
        let test = TestPlan {
            kwargs: vec![(
                "x".into(),
                Value::List(vec![Value::Int(1), Value::Float(0.5), Value::Null]),
            )],
            tags: vec!["slow".into()],
            warmup_ns: 5,
            ..TestPlan::new("a.B", Model::constant(Rate::parse("0.2").unwrap()))
        };
        ToWorker::Load(Load {
            worker: 1,
            tests: vec![test],
            import_first: vec![".".into()],
            import_last: vec![],
            debug: false,
            duration_ns: Some(3),
            ..Load::default()
        })
    }

    fn messages() -> Vec<ToWorker> {
        let stop = Stop {
            plan_ends_ns: 1,
            last_start_ns: 2,
            grace_ends_ns: 3,
            shutdown_timeout_ns: 4,
        };
        let stripe = Stripe {
            worker: 1,
            workers: 3,
        };
        let model = ClosedModel {
            users: 7,
            wait: Wait::None,
            ramp_up_ns: 0,
            seed: 0,
        };
        let deals = vec![
            None,
            Some(Deal::Arrivals { from: 5, stripe }),
            Some(Deal::Users {
                at_ns: 9,
                lot: Lot::at_start(&model, stripe, Some(100)),
            }),
        ];
        vec![
            load(),
            ToWorker::Prepare,
            ToWorker::Start(Start {
                at_ns: 7,
                duration_ns: None,
                deals: deals.clone(),
                changes: vec![],
                shapes: vec![
                    None,
                    Some(Samples {
                        step_ns: 2,
                        rates: vec![Rate::ZERO],
                    }),
                ],
                iterations: true,
            }),
            ToWorker::Rehearse,
            ToWorker::Change(Change {
                at_ns: 9,
                paused: true,
                factor: Factor::ONE,
            }),
            ToWorker::Deal(deals),
            ToWorker::Stop(stop),
        ]
    }

    proptest! {
        #[test]
        fn frames_survive_any_chunking(cuts in prop::collection::vec(1usize..40, 1..200)) {
            let stream: Vec<u8> = messages().iter().flat_map(|m| encode(m).unwrap()).collect();
            let (mut decoder, mut got, mut at) = (FrameDecoder::default(), Vec::new(), 0);
            let mut cuts = cuts.into_iter().cycle();
            while at < stream.len() {
                let end = (at + cuts.next().unwrap()).min(stream.len());
                decoder.extend(&stream[at..end]);
                at = end;
                while let Some(message) = decoder.next_message::<ToWorker>().unwrap() {
                    got.push(message);
                }
            }
            prop_assert_eq!(got, messages());
            prop_assert!(!decoder.has_partial());
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut decoder = FrameDecoder::default();
            decoder.extend(&bytes);
            while let Ok(Some(_)) = decoder.next_message::<FromWorker>() {}
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_read() {
        let mut decoder = FrameDecoder::default();
        decoder.extend(&u32::MAX.to_le_bytes());
        assert_eq!(
            decoder.next_message::<ToWorker>(),
            Err(WireError::TooLong(u32::MAX as usize))
        );
    }

    #[test]
    fn a_cut_frame_is_noticed() {
        let frame = encode(&load()).unwrap();
        let mut decoder = FrameDecoder::default();
        decoder.extend(&frame[..frame.len() - 1]);
        assert_eq!(decoder.next_message::<ToWorker>(), Ok(None));
        assert!(decoder.has_partial());
    }
}
