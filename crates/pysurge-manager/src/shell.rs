//! Joins the supervisor to the world: one thread and one `poll` over the workers' channels and pipes and the signals.
//! Decides nothing; what comes in is stepped, and effects are carried out in order.
//!
//! The one wait is the `poll`, never longer than [`TICK_NS`]: a process's end has no descriptor, so it is looked for.

use crate::clock::{Epoch, monotonic_ns};
use crate::outcome::{ManagerError, Outcome};
use crate::process::{Heard, Pipe, Process};
use crate::settings::{Mission, Settings};
use crate::signals::{SignalListener, StopRequests};
use crate::supervisor::{Effect, Input, Orders, Supervisor};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::event::{EventSink, RunEvent, Stream};
use pysurge_core::plan::Plan;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Read;

/// How often processes are looked at when nothing else happens.
const TICK_NS: u64 = 100_000_000;

/// The same while an end is about to be seen.
const SHORT_TICK_NS: u64 = 2_000_000;

/// Sees one run through; see [`crate::run`].
pub(crate) fn run(plan: &Plan, settings: &Settings, sink: &dyn EventSink) -> Result<Outcome, ManagerError> {
    let signals = settings.stop_signals.then(SignalListener::new).transpose()?;
    let workers = match settings.mission {
        Mission::Run => settings.workers.max(1),
        Mission::Check => 1,
    };
    let epoch = Epoch::now();
    // A failure half way drops the processes that were started, which ends them.
    let processes: Vec<Process> = (0..workers)
        .map(|number| Process::spawn(settings, number))
        .collect::<Result<_, _>>()?;
    let pids: Vec<u32> = processes.iter().map(Process::id).collect();
    let orders = Orders {
        plan,
        mission: settings.mission,
        debug: settings.debug,
        import_first: settings.import_first.clone(),
        import_last: settings.import_last.clone(),
        deadlines: settings.deadlines,
        epoch,
    };
    let mut shell = Shell {
        supervisor: Supervisor::new(orders, &pids, monotonic_ns()),
        ended: vec![false; processes.len()],
        processes,
        signals,
        requests: settings.stop_requests.clone(),
        requests_seen: 0,
        outcome: None,
        sink,
    };
    let outcome = shell.serve()?;
    shell.drain_output(settings.deadlines.output_ns);
    if let Outcome::Finished(summary) = &outcome {
        sink.emit(RunEvent::Finished(summary.clone()));
    }
    Ok(outcome)
}

struct Shell<'a> {
    supervisor: Supervisor<'a>,
    processes: Vec<Process>,
    /// Per worker: its end was stepped.
    ended: Vec<bool>,
    signals: Option<SignalListener>,
    requests: StopRequests,
    requests_seen: usize,
    outcome: Option<Outcome>,
    sink: &'a dyn EventSink,
}

/// What a polled descriptor belongs to.
#[derive(Debug, Clone, Copy)]
enum Source {
    Signals,
    Channel(usize),
    Output(usize, Stream),
}

impl Shell<'_> {
    fn serve(&mut self) -> Result<Outcome, ManagerError> {
        let mut looked_ns = 0;
        loop {
            self.step(Input::Tick);
            if let Some(outcome) = self.outcome.take() {
                return Ok(outcome);
            }
            let now_ns = monotonic_ns();
            let tick_ns = if self.supervisor.expects_death() {
                SHORT_TICK_NS
            } else {
                TICK_NS
            };
            let wait_ns = self.supervisor.next_deadline_ns().saturating_sub(now_ns);
            for source in self.ready(wait_ns.min(tick_ns))? {
                self.take(source);
            }
            while self.requests_seen < self.requests.count() {
                self.requests_seen += 1;
                self.step(Input::StopRequested);
            }
            let now_ns = monotonic_ns();
            if now_ns.saturating_sub(looked_ns) >= SHORT_TICK_NS {
                looked_ns = now_ns;
                self.look_for_ends();
            }
        }
    }

    /// The descriptors that have something, after at most so long.
    fn ready(&self, wait_ns: u64) -> Result<Vec<Source>, ManagerError> {
        let mut sources = Vec::new();
        let mut polled = Vec::new();
        if let Some(signals) = &self.signals {
            sources.push(Source::Signals);
            polled.push(PollFd::new(&signals.socket, PollFlags::IN));
        }
        for (number, process) in self.processes.iter().enumerate() {
            if let Some((fd, writes)) = process.channel.descriptor() {
                let mut events = PollFlags::IN;
                events.set(PollFlags::OUT, writes);
                sources.push(Source::Channel(number));
                polled.push(PollFd::from_borrowed_fd(fd, events));
            }
            for (stream, pipe) in process.pipes() {
                if let Some(fd) = pipe.descriptor() {
                    sources.push(Source::Output(number, stream));
                    polled.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
                }
            }
        }
        match poll(&mut polled, Some(&timespec(wait_ns))) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            Err(error) => {
                return Err(ManagerError::System {
                    action: "wait for the workers",
                    source: error.into(),
                });
            }
        }
        let ready = sources.into_iter().zip(&polled);
        Ok(ready
            .filter(|(_, polled)| !polled.revents().is_empty())
            .map(|(source, _)| source)
            .collect())
    }

    fn take(&mut self, source: Source) {
        match source {
            Source::Signals => self.take_signals(),
            Source::Channel(number) => {
                self.processes[number].channel.flush();
                self.listen(number);
            }
            Source::Output(number, stream) => self.read_output(number, stream),
        }
    }

    fn take_signals(&mut self) {
        let mut bytes = [0; 16];
        let count = match &mut self.signals {
            Some(signals) => signals.socket.read(&mut bytes).unwrap_or(0),
            None => 0,
        };
        for _ in 0..count {
            self.step(Input::StopRequested);
        }
    }

    fn listen(&mut self, number: usize) {
        let mut heard = Vec::new();
        self.processes[number].channel.read(|news| heard.push(news));
        for news in heard {
            self.step(match news {
                Heard::Message(message) => Input::Message(number, message),
                Heard::Garbage(error) => Input::Garbage(number, error),
                Heard::Closed => Input::Closed(number),
            });
        }
    }

    fn read_output(&mut self, number: usize, stream: Stream) {
        let mut lines = Vec::new();
        self.processes[number]
            .pipe(stream)
            .read(&mut |line| lines.push(line));
        for line in lines {
            self.step(Input::Printed(number, stream, line));
        }
    }

    fn look_for_ends(&mut self) {
        for number in 0..self.processes.len() {
            if self.ended[number] {
                continue;
            }
            if let Some(exit) = self.processes[number].exit() {
                self.ended[number] = true;
                // What it wrote before it ended comes first.
                self.read_output(number, Stream::Stdout);
                self.read_output(number, Stream::Stderr);
                self.listen(number);
                self.step(Input::Exited(number, exit));
            }
        }
    }

    fn step(&mut self, input: Input) {
        for effect in self.supervisor.step(input, monotonic_ns()) {
            match effect {
                Effect::Send(number, message) => self.processes[number].channel.send(&message),
                Effect::Kill(number) => self.processes[number].kill(),
                Effect::Reap(number) => self.processes[number].reap(),
                Effect::Emit(event) => self.sink.emit(event),
                Effect::Finish(outcome) => self.outcome = Some(outcome),
            }
        }
    }

    /// Reads what the workers printed last; not for ever, for a grandchild may hold a pipe open.
    fn drain_output(&mut self, patience_ns: u64) {
        // Not looked at any more, but caught to the end: a last Ctrl+C must not cost the result.
        let _caught = self.signals.take();
        let until_ns = monotonic_ns().saturating_add(patience_ns);
        let mut wait_ns = patience_ns;
        while wait_ns > 0 && self.processes.iter().any(Process::prints) {
            // Where even the wait fails, the last lines are not worth the result of the run.
            for source in self.ready(wait_ns).unwrap_or_default() {
                if let Source::Output(number, stream) = source {
                    self.print(number, stream, Pipe::read);
                }
            }
            wait_ns = until_ns.saturating_sub(monotonic_ns());
        }
        for number in 0..self.processes.len() {
            self.print(number, Stream::Stdout, Pipe::close);
            self.print(number, Stream::Stderr, Pipe::close);
        }
    }

    /// Tells the sink what a pipe gives, past the supervisor, who is done.
    fn print(&mut self, number: usize, stream: Stream, act: fn(&mut Pipe, &mut dyn FnMut(String))) {
        let worker = u32::try_from(number).expect("workers number far below 2^32");
        let sink = self.sink;
        act(self.processes[number].pipe(stream), &mut |line| {
            sink.emit(RunEvent::Output { worker, stream, line });
        });
    }
}

fn timespec(ns: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(ns / NANOS_PER_SEC).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(ns % NANOS_PER_SEC).expect("below a billion"),
    }
}
