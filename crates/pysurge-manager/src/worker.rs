//! One worker as the supervisor sees it: where it stands, by when it must move on, how it ended. Pure data.

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

impl State {
    /// What a worker in this state has not done, as the rest of a sentence.
    pub(crate) fn overdue(self) -> &'static str {
        match self {
            Self::Greeting => "did not say hello in time",
            Self::Loading => "did not load the tests in time",
            Self::Preparing => "did not end its startup in time",
            Self::Rehearsing => "did not end an iteration of its rehearsal in time",
            Self::Loaded | Self::Prepared | Self::Running => "did not stop by its deadline",
            Self::Drained => "did not end its shutdown in time",
            Self::Done | Self::Gone => "did not exit in time",
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
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
            Self::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

impl Exit {
    /// As the predicate of a sentence whose subject is the worker.
    pub(crate) fn predicate(self) -> String {
        match self {
            Self::Signal(_) => format!("was {self}"),
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

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) pid: u32,
    pub(crate) state: State,
    /// When patience with this worker ends; what happens then follows from the fields below and the state.
    pub(crate) deadline_ns: u64,
    /// It was sent SIGKILL; why, as a predicate.
    pub(crate) killed: Option<String>,
    /// Its channel is at its end.
    pub(crate) closed: bool,
    /// Its process has ended.
    pub(crate) exit: Option<Exit>,
    /// A `Stop` was sent.
    pub(crate) stopped: bool,
    /// The number of its next snapshot.
    pub(crate) next_sequence: u64,
    /// When it last told anything, for the warning on silence; `NEVER` once that was given.
    pub(crate) heard_ns: u64,
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

impl Worker {
    /// A worker that was just spawned.
    pub(crate) fn new(pid: u32, hello_by_ns: u64) -> Self {
        Self {
            pid,
            state: State::Greeting,
            deadline_ns: hello_by_ns,
            killed: None,
            closed: false,
            exit: None,
            stopped: false,
            next_sequence: 0,
            heard_ns: NEVER,
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
        let mut worker = Worker::new(1, 0);
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
