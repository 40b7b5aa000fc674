//! One worker as the supervisor sees it: where it stands, by when it must move on, how it ended. Pure data.

use crate::loss::WorkerError;
use crate::usage::{Peak, Rise};
use pysurge_core::event::Stream;
use pysurge_core::summary::WorkerEnd;
use pysurge_core::wire::{LoadError, Snapshot, StartupError, TestInfo};
use std::collections::VecDeque;
use std::fmt;

/// No deadline.
pub(crate) const NEVER: u64 = u64::MAX;

/// Lines of standard error kept for the message of a start-up that failed.
const LAST_WORDS: usize = 12;

/// The most characters of such a line that are kept.
const LAST_WORD_CHARS: usize = 500;

/// Where a worker stands; the table is in the module documentation of `supervisor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Greeting,
    Loading,
    Loaded,
    Preparing,
    Prepared,
    Rehearsing,
    Running,
    Drained,
    Done,
    Gone,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// By SIGKILL, while the kernel's count of processes that it killed for want of memory rose.
    OutOfMemory,
    /// The system did not tell.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => match signal_hook::low_level::signal_name(signal) {
                Some(name) => write!(f, "killed by signal {signal} ({name})"),
                None => write!(f, "killed by signal {signal}"),
            },
            Self::OutOfMemory => {
                f.write_str("killed by signal 9 (SIGKILL), most likely by the kernel for want of memory")
            }
            Self::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

impl Exit {
    /// As the predicate of a sentence whose subject is the worker.
    pub(crate) fn predicate(self) -> String {
        match self {
            Self::Signal(_) | Self::OutOfMemory => format!("was {self}"),
            Self::Code(_) | Self::Unknown => self.to_string(),
        }
    }
}

/// Where an instant lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// No measured iteration was planned yet.
    Before,
    /// Measured iterations were planned, up to then or a second before.
    Within,
    /// The plan is over.
    After,
}

/// One worker: a process. Whoever is started in the place of a lost one is a worker of its own.
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a process")]
#[derive(Debug)]
pub(crate) struct Worker {
    /// Its place in the run, from 0: the number that people see.
    pub(crate) slot: usize,
    /// How many were in this place before.
    pub(crate) life: u32,
    /// 0 until its process was made.
    pub(crate) pid: u32,
    pub(crate) state: State,
    /// When patience with this worker ends; what happens then follows from the fields below and the state.
    pub(crate) deadline_ns: u64,
    /// It was sent SIGKILL, and why.
    pub(crate) killed: Option<WorkerError>,
    /// It was lost while the plan went on; what follows from it has been done.
    pub(crate) lost: Option<Loss>,
    /// It was sent a `Start`.
    pub(crate) fired: bool,
    /// How many new deals it was sent.
    pub(crate) deals: u32,
    /// Its channel is at its end.
    pub(crate) closed: bool,
    /// Its process has ended.
    pub(crate) exit: Option<Exit>,
    /// A `Stop` was sent.
    pub(crate) stopped: bool,
    /// The number of its next snapshot.
    pub(crate) next_sequence: u64,
    /// For how long it has told nothing, while the manager was there to hear it.
    pub(crate) silent_ns: u64,
    /// That was warned of.
    pub(crate) silence_told: bool,
    /// When its last iteration ended, as far as is known: it drained, or died.
    pub(crate) last_iteration_ns: Option<u64>,
    pub(crate) loaded: Vec<Result<TestInfo, LoadError>>,
    pub(crate) prepared: Vec<Option<StartupError>>,
    pub(crate) end: WorkerEnd,
    pub(crate) death: Option<String>,
    /// Its interpreter runs without a GIL.
    pub(crate) free_threaded: bool,
    pub(crate) cpu_ns: u64,
    pub(crate) gil_wait_ns: u64,
    /// Up to when it told that.
    pub(crate) told_ns: u64,
    pub(crate) rss_bytes: u64,
    pub(crate) logs_dropped: u64,
    pub(crate) iterations_untold: u64,
    /// CPU time, of the time in which measured iterations were planned.
    pub(crate) cpu: Peak,
    /// The same of the time in which somebody waited for the interpreter.
    pub(crate) gil_wait: Peak,
    /// The same of the time in which it stood still.
    pub(crate) stood_still_ns: Rise,
    last_words: VecDeque<String>,
}

/// What became of the part of a worker that was lost, for the one notice of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// The instant of run time up to which what it has not told is lost, where others took over; `NEVER` where nobody did.
    pub(crate) until_ns: u64,
    /// Its place among the incidents.
    pub(crate) incident: Option<usize>,
    /// What follows, as the rest of a sentence.
    pub(crate) aftermath: String,
}

impl Worker {
    /// A worker that was just spawned, or is about to be.
    pub(crate) fn new(slot: usize, life: u32, pid: u32, hello_by_ns: u64) -> Self {
        Self {
            slot,
            life,
            pid,
            state: State::Greeting,
            deadline_ns: hello_by_ns,
            killed: None,
            lost: None,
            fired: false,
            deals: 0,
            closed: false,
            exit: None,
            stopped: false,
            next_sequence: 0,
            silent_ns: 0,
            silence_told: false,
            last_iteration_ns: None,
            loaded: Vec::new(),
            prepared: Vec::new(),
            end: WorkerEnd::Running,
            death: None,
            free_threaded: false,
            cpu_ns: 0,
            gil_wait_ns: 0,
            told_ns: 0,
            rss_bytes: 0,
            logs_dropped: 0,
            iterations_untold: 0,
            cpu: Peak::default(),
            gil_wait: Peak::default(),
            stood_still_ns: Rise::from_zero(),
            last_words: VecDeque::new(),
        }
    }

    /// Whether it can still be expected to say something.
    pub(crate) fn listens(&self) -> bool {
        self.killed.is_none() && self.exit.is_none() && !self.closed && self.state != State::Gone
    }

    /// Takes what it told of itself up to an instant; whether measured iterations were planned then, or had not been until then.
    pub(crate) fn used(&mut self, snapshot: &Snapshot, at_ns: u64, span: Span) {
        match span {
            Span::Before => self.stood_still_ns.base(snapshot.stood_still_ns),
            Span::Within => {
                self.cpu.note(at_ns, snapshot.cpu_ns, at_ns);
                self.gil_wait.note(at_ns, snapshot.gil_wait_ns, at_ns);
                self.stood_still_ns.note(snapshot.stood_still_ns);
            }
            Span::After => {}
        }
        self.cpu_ns = snapshot.cpu_ns;
        self.gil_wait_ns = snapshot.gil_wait_ns;
        self.told_ns = at_ns;
        self.rss_bytes = snapshot.rss_bytes;
        self.logs_dropped = snapshot.logs_dropped;
        self.iterations_untold = snapshot.iterations_untold;
    }

    /// Remembers a line for the case that it was one of its last.
    pub(crate) fn printed(&mut self, stream: Stream, line: &str) {
        if stream == Stream::Stderr && self.state < State::Running {
            if self.last_words.len() == LAST_WORDS {
                self.last_words.pop_front();
            }
            self.last_words
                .push_back(line.chars().take(LAST_WORD_CHARS).collect());
        }
    }

    /// The last lines it wrote to standard error, each on a line of its own behind the text; nothing where there are none.
    pub(crate) fn last_words(&self) -> String {
        let mut text = String::new();
        if !self.last_words.is_empty() {
            text.push_str("; it last wrote:");
        }
        for line in &self.last_words {
            text.push_str("\n  ");
            text.push_str(line);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_described() {
        for (exit, noun, predicate) in [
            (Exit::Code(3), "exited with code 3", "exited with code 3"),
            (
                Exit::Signal(9),
                "killed by signal 9 (SIGKILL)",
                "was killed by signal 9 (SIGKILL)",
            ),
            (
                Exit::OutOfMemory,
                "killed by signal 9 (SIGKILL), most likely by the kernel for want of memory",
                "was killed by signal 9 (SIGKILL), most likely by the kernel for want of memory",
            ),
            (Exit::Signal(63), "killed by signal 63", "was killed by signal 63"),
        ] {
            assert_eq!(
                (exit.to_string(), exit.predicate()),
                (noun.into(), predicate.into())
            );
        }
    }

    #[test]
    fn only_the_last_lines_of_standard_error_are_kept() {
        let mut worker = Worker::new(0, 0, 1, 0);
        assert_eq!(worker.last_words(), "");
        worker.printed(Stream::Stdout, "no");
        for i in 0..=LAST_WORDS {
            worker.printed(Stream::Stderr, &format!("line {i}"));
        }
        let words = worker.last_words();
        assert!(words.starts_with("; it last wrote:\n  line 1\n"), "{words}");
        assert_eq!(words.lines().count(), LAST_WORDS + 1);
    }
}
