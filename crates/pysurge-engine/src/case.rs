//! What the engine runs, and what an iteration says of itself.

use crate::clock;
use pysurge_core::failure::{FailureKey, Phase, clip};

/// Bytes of the name of a metric, check, timer or count that are kept; longer ones that begin alike and are as long are one.
const MAX_NAME_BYTES: usize = 200;

/// A test case: something of which one iteration after the other can be run, from many threads at once.
pub trait TestCase: Send + Sync {
    /// Runs one iteration, from the making of its instance to its teardown, on the calling pool thread.
    ///
    /// It marks `setup`, `run` and `teardown` on the probe and tells it of failures and metrics. It must not unwind: a
    /// panic is caught at the thread's edge and ends the worker.
    fn iterate(&self, probe: &mut Probe<'_>);

    /// The kwargs of an iteration, by [`Probe::number`], as Python writes a dict. Asked for the few iterations that are kept as evidence, from a
    /// thread without an interpreter.
    fn kwargs(&self, number: Option<u64>) -> String {
        let _ = number;
        "{}".to_owned()
    }
}

/// A failure on its way into its group.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The group it belongs to.
    pub key: FailureKey,
    /// Its message and traceback; `None` where the group is known already and needs no example.
    pub detail: Option<(String, String)>,
}

/// What came by name in an iteration. Keeps the memory of its names from one iteration to the next.
#[derive(Debug)]
struct Notes<T> {
    names: Vec<String>,
    values: Vec<T>,
}

impl<T> Default for Notes<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl<T: Copy> Notes<T> {
    fn push(&mut self, name: &str, value: T) {
        let long;
        let name = if name.len() > MAX_NAME_BYTES {
            long = clip(name, MAX_NAME_BYTES);
            &long
        } else {
            name
        };
        let at = self.values.len();
        if let Some(slot) = self.names.get_mut(at) {
            slot.clear();
            slot.push_str(name);
        } else {
            self.names.push(name.to_owned());
        }
        self.values.push(value);
    }

    fn iter(&self) -> impl Iterator<Item = (&str, T)> {
        self.names
            .iter()
            .map(String::as_str)
            .zip(self.values.iter().copied())
    }

    #[inline]
    fn clear(&mut self) {
        if self.values.is_empty() {
            return;
        }
        self.values.clear();
        // One iteration with very many steps must not cost its thread their memory for ever.
        self.names.truncate(MAX_KEPT_NAMES);
    }
}

/// Names whose memory a thread keeps: more than a sane iteration has.
const MAX_KEPT_NAMES: usize = 1_000;

/// Where an iteration leaves what is to be recorded of it. Lives as long as its thread, so that nothing is allocated per iteration.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) setup_ns: Option<u64>,
    pub(crate) service_ns: Option<u64>,
    pub(crate) teardown_ns: Option<u64>,
    /// See [`Probe::waited`].
    pub(crate) waited_ns: u64,
    pub(crate) failures: Vec<Failure>,
    pub(crate) failed: bool,
    pub(crate) refused_metrics: u64,
    pub(crate) refused_counts: u64,
    metrics: Notes<f64>,
    checks: Notes<bool>,
    timers: Notes<u64>,
    counts: Notes<f64>,
}

impl Record {
    pub(crate) fn clear(&mut self) {
        (self.setup_ns, self.service_ns, self.teardown_ns) = (None, None, None);
        self.waited_ns = 0;
        self.failures.clear();
        self.failed = false;
        (self.refused_metrics, self.refused_counts) = (0, 0);
        self.metrics.clear();
        self.checks.clear();
        self.timers.clear();
        self.counts.clear();
    }

    pub(crate) fn metrics(&self) -> impl Iterator<Item = (&str, f64)> {
        self.metrics.iter()
    }

    pub(crate) fn checks(&self) -> impl Iterator<Item = (&str, bool)> {
        self.checks.iter()
    }

    pub(crate) fn timers(&self) -> impl Iterator<Item = (&str, u64)> {
        self.timers.iter()
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, f64)> {
        self.counts.iter()
    }
}

/// An iteration's stopwatch and notebook.
#[derive(Debug)]
pub struct Probe<'a> {
    record: &'a mut Record,
    knows: &'a dyn KnownFailures,
    thread: &'a str,
    /// See [`Probe::number`].
    number: Option<u64>,
    /// The end of the last phase, where the next one begins; `None` where something came between.
    mark_ns: Option<u64>,
}

/// Tells whether a kind of failure has its example already.
pub(crate) trait KnownFailures: std::fmt::Debug {
    fn knows(&self, key: &FailureKey) -> bool;
}

impl<'a> Probe<'a> {
    pub(crate) fn new(
        record: &'a mut Record,
        knows: &'a dyn KnownFailures,
        thread: &'a str,
        number: Option<u64>,
    ) -> Self {
        record.clear();
        Self {
            record,
            knows,
            thread,
            number,
            mark_ns: None,
        }
    }

    /// That of an iteration that goes on where it was left: a task's.
    pub(crate) fn resumed(
        record: &'a mut Record,
        knows: &'a dyn KnownFailures,
        thread: &'a str,
        number: Option<u64>,
        mark_ns: Option<u64>,
    ) -> Self {
        Self {
            record,
            knows,
            thread,
            number,
            mark_ns,
        }
    }

    /// Where the next phase begins.
    pub(crate) fn mark_ns(&self) -> Option<u64> {
        self.mark_ns
    }

    /// The name of the pool thread, `UploadTest-3`.
    pub fn thread(&self) -> &str {
        self.thread
    }

    /// Which of the test's arrivals this iteration is, counted from 0 over all workers; in the closed model, which of the turns of its users.
    /// No two have the same number.
    pub fn number(&self) -> Option<u64> {
        self.number
    }

    /// The same number as it says which row of data this iteration gets.
    pub fn row_number(&self) -> u64 {
        // An arrival without a number would come after 2^64 others.
        self.number.unwrap_or(u64::MAX)
    }

    /// Runs and times the setup.
    pub fn setup<R>(&mut self, setup: impl FnOnce() -> R) -> R {
        let (result, spent_ns) = self.time(setup);
        self.record.setup_ns = Some(spent_ns);
        result
    }

    /// Says that the iteration, once it had its thread, waited so long for its turn before its setup truly began: it started so much later,
    /// and that time is lateness, not setup.
    pub fn waited(&mut self, waited_ns: u64) {
        let setup_ns = self.record.setup_ns.unwrap_or(0);
        let waited_ns = waited_ns.min(setup_ns);
        self.record.waited_ns = waited_ns;
        self.record.setup_ns = self.record.setup_ns.map(|setup_ns| setup_ns - waited_ns);
    }

    /// Runs and times the test itself: its time is the service time.
    pub fn run<R>(&mut self, run: impl FnOnce() -> R) -> R {
        let (result, spent_ns) = self.time(run);
        self.record.service_ns = Some(spent_ns);
        result
    }

    /// Runs and times the teardown.
    pub fn teardown<R>(&mut self, teardown: impl FnOnce() -> R) -> R {
        let (result, spent_ns) = self.time(teardown);
        self.record.teardown_ns = Some(spent_ns);
        result
    }

    /// The phases follow each other: the end of one is read from the clock once, and is the beginning of the next.
    #[inline]
    fn time<R>(&mut self, work: impl FnOnce() -> R) -> (R, u64) {
        let begin_ns = self.mark_ns.unwrap_or_else(clock::now_ns);
        let result = work();
        let end_ns = clock::now_ns();
        self.mark_ns = Some(end_ns);
        (result, end_ns.saturating_sub(begin_ns))
    }

    /// Says that the next phase begins now, where it cannot be a function that returns: a task's.
    pub fn begin(&mut self) {
        self.mark_ns = Some(clock::now_ns());
    }

    /// Says that a phase has ended now that began when the one before it ended, or at [`Probe::begin`].
    pub fn end(&mut self, phase: Phase) {
        let end_ns = clock::now_ns();
        let begin_ns = self.mark_ns.replace(end_ns).unwrap_or(end_ns);
        let spent_ns = Some(end_ns.saturating_sub(begin_ns));
        match phase {
            Phase::Init => {}
            Phase::Setup => self.record.setup_ns = spent_ns,
            Phase::Run => self.record.service_ns = spent_ns,
            Phase::Teardown => self.record.teardown_ns = spent_ns,
        }
    }

    /// Says that what was done since the last phase is no part of the next.
    pub fn interlude(&mut self) {
        self.mark_ns = None;
    }

    /// Notes a user metric; recorded only if the iteration passes.
    pub fn metric(&mut self, name: &str, value: f64) {
        self.record.metrics.push(name, value);
    }

    /// Notes a metric that is no number.
    pub fn refuse_metric(&mut self) {
        self.record.refused_metrics += 1;
    }

    /// Notes that a check held, or did not. By itself it changes nothing of the outcome.
    pub fn check(&mut self, name: &str, held: bool) {
        self.record.checks.push(name, held);
    }

    /// Notes how long a step took; it counts with those of passed or failed iterations, as this one ends.
    pub fn timer(&mut self, name: &str, ns: u64) {
        self.record.timers.push(name, ns);
    }

    /// Adds to a count.
    pub fn count(&mut self, name: &str, number: f64) {
        self.record.counts.push(name, number);
    }

    /// Notes a count that is no number.
    pub fn refuse_count(&mut self) {
        self.record.refused_counts += 1;
    }

    /// Notes a failure. One in a phase other than teardown fails the iteration. `detail` gives message and traceback, and is
    /// asked only if this kind of failure has no example yet.
    pub fn fail(&mut self, key: FailureKey, detail: impl FnOnce() -> (String, String)) {
        self.interlude();
        self.record.failed |= key.phase.fails();
        let detail = (!self.knows.knows(&key)).then(detail);
        self.record.failures.push(Failure { key, detail });
    }

    /// Whether the iteration has failed so far.
    pub fn failed(&self) -> bool {
        self.record.failed
    }
}
