//! The terminal: log lines and the report on standard output; progress, notices and the output of test code on standard
//! error. Standard output carries nothing that a script would have to filter out.
//!
//! | | stdout | stderr |
//! |---|---|---|
//! | normal | log records of user code, its printed lines, the report | what starts, progress, notices, printed error lines |
//! | `quiet` | the report alone | warnings, errors, printed error lines |
//!
//! Lines of user code beyond so many a second are held back where somebody watches or a `run.log` has them anyway; how many is told.
//! `debug` shows records below `INFO` too; `classic` writes the report of 1.0.1 in front of the new one.
//! On a terminal progress is a block of lines below all else, see [`crate::live`]; elsewhere a plain line every ten seconds.
//! Whatever comes, nothing but colours gets to a terminal as control sequences; see [`pysurge_core::harmless`].
//! Trouble with standard error is ignored: nobody is left to be told. After trouble with standard output nothing more is written there, and
//! the rest goes on; only a reader who has gone (`| head`, a terminal that hung up) is no trouble.

use crate::changes::Follower;
use crate::classic;
use crate::clock::LocalClock;
use crate::fanout::Sink;
use crate::limiter::Limiter;
use crate::line;
use crate::live::progress::{self, Standing};
use crate::live::view::{View, has_room};
use crate::live::{Block, Curtain, Measure, Waiting};
use crate::opening;
use crate::page::REPORT;
use crate::rehearsal::{self, Rehearsals};
use crate::report;
use crate::style::{DEFAULT_COLUMNS, Paint, Style};
use crate::text::{lines, one_line, plural};
use pysurge_core::event::{Actor, RunEvent, Severity, StopReason, Stream};
use pysurge_core::forecast::forecast;
use pysurge_core::harmless::{Colours, harmless, harmless_lines};
use pysurge_core::plan::Plan;
use pysurge_core::recent::{Lately, Recent};
use pysurge_core::schedule::{Change, Stripe};
use pysurge_core::summary::Summary;
use pysurge_core::wire::{Rehearsed, StartupError, TestInfo};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Seconds between two progress lines where standard error is no terminal.
const PLAIN_INTERVAL_S: f64 = 10.0;

/// Lines for standard output are gathered up to so many bytes while more are waiting.
const MAX_PENDING_BYTES: usize = 64 * 1024;

/// What can be pressed while a run goes on, where the block has no room to say so.
const KEYS: &str = "keys: p pause, + - rates, s stop, h help";

/// Where the terminal sink writes and how.
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command line, each independent of the others"
)]
pub struct TerminalOptions {
    /// Standard output.
    pub stdout: Box<dyn Write + Send>,
    /// Standard error.
    pub stderr: Box<dyn Write + Send>,
    /// Whether standard output is a terminal.
    pub stdout_is_tty: bool,
    /// Whether standard error is a terminal that can be drawn on.
    pub stderr_is_tty: bool,
    /// How large that terminal is, asked before whatever is drawn.
    pub size: Measure,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Whether standard output has colours.
    pub color_stdout: bool,
    /// Whether standard error has colours.
    pub color_stderr: bool,
    /// Width of the terminal at the start; 80 where nobody knows.
    pub columns: Option<u16>,
    /// Only the report, warnings and errors.
    pub quiet: bool,
    /// Log records below `INFO` too.
    pub debug: bool,
    /// The report of 1.0.1 in front of the new one.
    pub classic: bool,
    /// Every rehearsed test in full, on standard output; else only those that failed, on standard error.
    pub rehearsals: bool,
    /// Whether keys steer the run; they are named when it starts, on a terminal.
    pub keys: bool,
    /// The run's folder, named below the report.
    pub results: Option<PathBuf>,
    /// The file of samples, named below it.
    pub samples: Option<PathBuf>,
    /// What to type to compare this run with the one before, below both.
    pub compare: Option<String>,
    /// The time of day.
    pub clock: LocalClock,
}

/// The sink that a user watches.
pub struct Terminal {
    options: TerminalOptions,
    block: Block,
    pending: String,
    wrote_stdout: bool,
    /// Nothing more is written to standard output.
    stdout_ended: bool,
    /// Why, where that is worth telling.
    stdout_trouble: Option<io::Error>,
    plan: Option<Plan>,
    workers: u32,
    infos: Vec<TestInfo>,
    started: Option<Start>,
    standing: Standing,
    changes: Follower,
    recent: Recent,
    lately: Lately,
    /// What the block shows.
    shown: Option<Summary>,
    next_plain_s: f64,
    startup_errors: BTreeSet<(String, String)>,
    rehearsals: Rehearsals,
    limiter: Limiter,
}

/// The instant of the start on both clocks.
#[derive(Debug, Clone, Copy)]
struct Start {
    at_ns: u64,
    wall_ns: u64,
}

impl Terminal {
    /// A sink that writes as told.
    pub fn new(mut options: TerminalOptions) -> Self {
        let stderr = std::mem::replace(&mut options.stderr, Box::new(io::sink()));
        let size = std::mem::replace(&mut options.size, Box::new(|| None));
        Self {
            block: Block::new(stderr, size),
            options,
            pending: String::new(),
            wrote_stdout: false,
            stdout_ended: false,
            stdout_trouble: None,
            plan: None,
            workers: 0,
            infos: Vec::new(),
            started: None,
            standing: Standing::default(),
            changes: Follower::default(),
            recent: Recent::default(),
            lately: Lately::default(),
            shown: None,
            next_plain_s: PLAIN_INTERVAL_S,
            startup_errors: BTreeSet::new(),
            rehearsals: Rehearsals::default(),
            limiter: Limiter::new(),
        }
    }

    /// What takes the block away while another program has the terminal.
    pub fn curtain(&self) -> Curtain {
        self.block.curtain()
    }

    /// Whether a line of user code may be shown now.
    fn lets_pass(&mut self, is_tty: bool) -> bool {
        let is_limited = is_tty || self.options.results.is_some();
        !is_limited || self.limiter.lets_pass(self.options.clock.now_ns())
    }

    /// Tells of lines that were held back.
    fn tell_held_back(&mut self, lines: Option<u64>) -> io::Result<()> {
        let Some(lines) = lines else {
            return Ok(());
        };
        let where_they_are = match &self.options.results {
            Some(_) => "are in run.log",
            None => "were not shown",
        };
        let text = format!("… {} this second {where_they_are}", plural(lines, "more line"));
        let text = self.stderr_style().paint(Paint::Quiet, &text);
        self.err(&text)
    }

    fn user_line(&mut self, stream: Stream, line: impl FnOnce(&LocalClock) -> String) -> io::Result<()> {
        match stream {
            Stream::Stdout if self.options.quiet => Ok(()),
            Stream::Stdout if self.lets_pass(self.options.stdout_is_tty) => {
                let line = line(&self.options.clock);
                self.out(&line)
            }
            Stream::Stderr if self.lets_pass(self.options.stderr_is_tty) => {
                let line = line(&self.options.clock);
                self.err(&line)
            }
            _ => Ok(()),
        }
    }

    fn stdout_style(&self) -> Style {
        // A report is laid out for the terminal as it is then.
        let size = self.block.size().filter(|_| self.options.stdout_is_tty);
        Style {
            color: self.options.color_stdout,
            columns: size
                .map(|size| size.columns)
                .or(self.options.columns)
                .unwrap_or(DEFAULT_COLUMNS),
        }
    }

    fn stderr_style(&self) -> Style {
        Style {
            color: self.options.color_stderr,
            columns: self.options.columns.unwrap_or(DEFAULT_COLUMNS),
        }
    }

    /// Adds a line for standard output.
    fn out(&mut self, line: &str) -> io::Result<()> {
        self.pending.push_str(&harmless_lines(line, Colours::Keep));
        self.pending.push('\n');
        if self.pending.len() >= MAX_PENDING_BYTES {
            self.flush_stdout()?;
        }
        Ok(())
    }

    fn flush_stdout(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.wrote_stdout = true;
        let text = std::mem::take(&mut self.pending);
        if self.stdout_ended {
            return Ok(());
        }
        let stdout = &mut self.options.stdout;
        let mut write = || stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        let written = if self.options.stdout_is_tty {
            self.block.around(write)
        } else {
            write()
        };
        match written {
            Ok(()) => Ok(()),
            Err(error) => self.end_stdout(&error),
        }
    }

    /// Writes nothing more to standard output; tells why, once, unless its reader has gone.
    fn end_stdout(&mut self, error: &io::Error) -> io::Result<()> {
        self.stdout_ended = true;
        if has_gone(error) {
            return Ok(());
        }
        let text = format!("cannot write to standard output: {error}");
        self.stdout_trouble = Some(io::Error::new(error.kind(), text.clone()));
        self.notice(Severity::Warning, &text)
    }

    /// Writes a line to standard error, behind everything that waits for standard output.
    fn err(&mut self, line: &str) -> io::Result<()> {
        self.flush_stdout()?;
        let line = harmless_lines(line, Colours::Keep);
        self.block.above(&format!("{line}\n"));
        Ok(())
    }

    /// Whether somebody watches a block.
    fn is_watched(&self) -> bool {
        self.options.stderr_is_tty && !self.options.quiet
    }

    /// Says what is waited for.
    fn wait_for(&self, text: &str) {
        if self.is_watched() {
            self.block.show(Waiting {
                text: text.to_owned(),
                style: self.stderr_style(),
            });
        }
    }

    fn notice(&mut self, severity: Severity, text: &str) -> io::Result<()> {
        if self.options.quiet && severity < Severity::Warning {
            return Ok(());
        }
        let style = self.stderr_style();
        let lead = match severity {
            Severity::Info => String::new(),
            Severity::Warning => format!("{}: ", style.paint(Paint::Doubtful, "warning")),
            Severity::Error => format!("{}: ", style.paint(Paint::Bad, "error")),
        };
        let text = harmless_lines(text, Colours::Drop);
        self.err(&format!("{lead}{text}"))
    }

    fn startup_failed(&mut self, worker: u32, error: &StartupError) -> io::Result<()> {
        let text = format!(
            "startup of {} failed in {}: {}",
            one_line(&error.class),
            line::process_name(worker),
            one_line(&error.message)
        );
        self.notice(Severity::Error, &text)?;
        // Usually it fails in all workers alike: once is enough to read.
        let kind = (error.class.clone(), error.message.clone());
        if self.startup_errors.insert(kind) {
            for line in lines(error.traceback.trim_end()) {
                self.err(&format!("    {line}"))?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, start: Start, stripes: &[Vec<Stripe>]) -> io::Result<()> {
        self.started = Some(start);
        let Some(plan) = self.plan.take() else {
            return Ok(());
        };
        if let Some(line) = self.rehearsals.line() {
            self.notice(Severity::Info, &line)?;
        }
        let mut told = forecast(&plan, &self.infos, self.workers);
        let opening = opening::Opening::of(&mut told, stripes);
        self.standing.users = opening.users;
        self.notice(Severity::Info, &opening.line)?;
        if self.options.keys && self.is_watched() && !self.block.size().is_some_and(has_room) {
            let keys = self.stderr_style().paint(Paint::Quiet, KEYS);
            self.err(&keys)?;
        }
        self.wait_for("started, waiting for the first figures");
        self.plan = Some(plan);
        Ok(())
    }

    fn changed(&mut self, change: Change, by: Actor) -> io::Result<()> {
        let lines = self.changes.say(change, by);
        self.standing.paused = change.paused;
        if let Some(shown) = &mut self.shown {
            // Whoever presses a key sees at once that it was heard.
            shown.factor = change.factor.as_f64();
        }
        self.draw();
        for line in lines {
            self.notice(Severity::Info, &line)?;
        }
        Ok(())
    }

    fn progress(&mut self, summary: &Summary) -> io::Result<()> {
        if self.options.quiet {
            return Ok(());
        }
        if self.is_watched() {
            self.shown = Some(summary.clone());
            self.draw();
        }
        // A run in the background has a terminal, and yet nothing that it may draw on.
        let is_drawn = self.is_watched() && self.block.size().is_some();
        if !is_drawn && summary.elapsed_s >= self.next_plain_s {
            self.next_plain_s =
                (summary.elapsed_s / PLAIN_INTERVAL_S).floor() * PLAIN_INTERVAL_S + PLAIN_INTERVAL_S;
            self.err(&progress::plain_line(summary, self.standing))?;
        }
        Ok(())
    }

    /// Shows the run as it is known to stand.
    fn draw(&self) {
        if let Some(summary) = &self.shown {
            self.block.show(View {
                summary: Box::new(summary.clone()),
                standing: self.standing,
                lately: self.lately.clone(),
                keys: self.options.keys,
                color: self.options.color_stderr,
                unicode: self.options.unicode,
            });
        }
    }

    fn stop(&mut self, reason: StopReason, grace_ends_ns: u64) -> io::Result<()> {
        self.standing.stopping = true;
        self.draw();
        match reason {
            // Which threshold it was, the manager says in a notice.
            StopReason::Duration | StopReason::Iterations | StopReason::Threshold => Ok(()),
            StopReason::Signal => {
                let until = self.started.map_or_else(String::new, |start| {
                    let wall_ns = start
                        .wall_ns
                        .saturating_add(grace_ends_ns.saturating_sub(start.at_ns));
                    format!(" until {}", self.options.clock.time_of_day(wall_ns))
                });
                let text =
                    format!("stopping: running iterations may finish{until}; Ctrl+C again abandons them");
                self.notice(Severity::Info, &text)
            }
            StopReason::SecondSignal => self.notice(
                Severity::Info,
                "stopping at once: running iterations are abandoned",
            ),
            StopReason::WorkersLost => self.notice(Severity::Error, "stopping: every worker died"),
        }
    }

    fn rehearsed(&mut self, rehearsed: &Rehearsed) -> io::Result<()> {
        let (label, summary) = self.named(rehearsed.test);
        let measures = &rehearsed.measures;
        if !self.options.rehearsals {
            let style = self.stderr_style();
            let lines = self.rehearsals.take(&label, &summary, measures, style);
            let done = self.rehearsals.count();
            self.wait_for(&format!(
                "rehearsed {done} of {}",
                plural(self.infos.len() as u64, "test")
            ));
            return lines.iter().try_for_each(|line| self.err(line));
        }
        let need = self.need(rehearsed);
        let lines = rehearsal::lines(&label, &summary, measures, need, self.stdout_style());
        self.show_rehearsal(&lines)
    }

    /// What the planned load needs at the measured duration; `None` where a failed iteration says nothing of that.
    fn need(&self, rehearsed: &Rehearsed) -> Option<rehearsal::Need> {
        let plan = self.plan.as_ref()?;
        if rehearsed.measures.failed > 0 {
            return None;
        }
        let duration_ns = rehearsal::duration_ns(&rehearsed.measures)?;
        // A rehearsal has one worker, whatever the run will have.
        let workers = plan.workers.unwrap_or(self.workers);
        opening::need(plan, &self.infos, workers, rehearsed.test, duration_ns)
    }

    /// What a test is called, and what it says of itself.
    fn named(&self, test: u32) -> (String, String) {
        let at = usize::try_from(test).unwrap_or(usize::MAX);
        match self.infos.get(at) {
            Some(info) => (info.label.clone(), info.summary.clone()),
            None => (format!("test {test}"), String::new()),
        }
    }

    fn show_rehearsal(&mut self, lines: &[String]) -> io::Result<()> {
        self.block.clear();
        for line in lines {
            self.out(line)?;
        }
        self.flush_stdout()
    }

    fn finished(&mut self, summary: &Summary) -> io::Result<()> {
        self.flush_stdout()?;
        self.block.clear();
        self.shown = None;
        let held_back = self.limiter.rest();
        self.tell_held_back(held_back)?;
        if self.options.classic {
            for line in classic::lines(summary) {
                let line = if line.is_empty() {
                    line
                } else {
                    line::own("INFO", &line, &self.options.clock)
                };
                self.out(&line)?;
            }
        } else if self.wrote_stdout || (self.options.stdout_is_tty && !self.options.quiet) {
            self.out("")?;
        }
        let style = self.stdout_style();
        let report = report::render(summary, &style);
        self.out(report.trim_end())?;
        let page = self.options.results.as_ref().map(|folder| folder.join(REPORT));
        let kept = [
            ("results", &self.options.results),
            ("report", &page),
            ("samples", &self.options.samples),
        ];
        let kept: Vec<String> = kept
            .into_iter()
            .filter_map(|(what, path)| Some(format!("{what}: {}", path.as_ref()?.display())))
            .chain(
                self.options
                    .compare
                    .iter()
                    .map(|command| format!("compare: {command}")),
            )
            .collect();
        if !kept.is_empty() {
            self.out("")?;
        }
        for line in kept {
            self.out(&harmless(&line))?;
        }
        if let Some(line) = report::closing::line(summary) {
            self.out("")?;
            self.out(&style.paint(Paint::Bad, &harmless(&line)))?;
        }
        self.flush_stdout()
    }
}

impl Sink for Terminal {
    fn name(&self) -> &'static str {
        "the terminal"
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        let held_back = self.limiter.due(self.options.clock.now_ns());
        self.tell_held_back(held_back)?;
        match event {
            RunEvent::Opened { plan, workers, .. } => {
                self.changes = Follower::of_plan(plan);
                self.plan = Some(plan.clone());
                self.workers = *workers;
                self.wait_for(&format!("starting {}", plural(u64::from(*workers), "worker")));
                Ok(())
            }
            RunEvent::Loaded(infos) => {
                self.infos.clone_from(infos);
                let tests = plural(infos.len() as u64, "test");
                self.wait_for(&format!("loaded {tests}, getting ready"));
                Ok(())
            }
            RunEvent::LoadFailed(_) => {
                self.block.clear();
                Ok(())
            }
            RunEvent::StartupFailed { worker, error } => self.startup_failed(*worker, error),
            RunEvent::Rehearsed(rehearsed) => self.rehearsed(rehearsed),
            RunEvent::CannotRehearse { test, error } => {
                let (label, _) = self.named(*test);
                self.show_rehearsal(&rehearsal::not_run(&label, &error.message, self.stdout_style()))
            }
            RunEvent::Started {
                at_ns,
                wall_ns,
                stripes,
            } => self.begin(
                Start {
                    at_ns: *at_ns,
                    wall_ns: *wall_ns,
                },
                stripes,
            ),
            RunEvent::Changed { change, by, .. } => self.changed(*change, *by),
            RunEvent::Progress(summary) => self.progress(summary),
            RunEvent::Stopping {
                reason,
                grace_ends_ns,
            } => self.stop(*reason, *grace_ends_ns),
            RunEvent::Log(record) => {
                if self.options.quiet || (line::is_debug(record) && !self.options.debug) {
                    return Ok(());
                }
                self.user_line(Stream::Stdout, |clock| line::of_record(record, clock))
            }
            RunEvent::Output {
                stream,
                thread: None,
                line,
                ..
            } => self.user_line(*stream, |_| line.clone()),
            RunEvent::Output {
                worker,
                stream,
                thread: Some(thread),
                wall_ns,
                line,
            } => self.user_line(*stream, |clock| {
                line::of_output(*worker, thread, *stream, *wall_ns, line, clock)
            }),
            RunEvent::Notice { severity, text } => self.notice(*severity, text),
            RunEvent::Finished(summary) => self.finished(summary),
            RunEvent::Second(second) => {
                if self.is_watched() {
                    self.recent.push(Arc::clone(second));
                    self.lately = self.recent.lately();
                }
                Ok(())
            }
            RunEvent::Row(_) | RunEvent::Coarsened(_) | RunEvent::Iterations { .. } => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flush_stdout()
    }

    fn close(&mut self) -> io::Result<()> {
        let held_back = self.limiter.rest();
        let flushed = self.tell_held_back(held_back).and(self.flush_stdout());
        self.block.clear();
        flushed.and(self.stdout_trouble.take().map_or(Ok(()), Err))
    }
}

impl Drop for Terminal {
    /// Also where it panicked.
    fn drop(&mut self) {
        self.block.clear();
    }
}

/// Whether nobody reads any more: a pipe's reader ended, or the terminal hung up.
fn has_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
        || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}
