//! Joins the supervisor to the world: one thread and one `poll` over the workers' channels and pipes and the signals.
//! Decides nothing; what comes in is stepped, and effects are carried out in order.
//!
//! The one wait is the `poll`, never longer than [`TICK_NS`]: a process's end has no descriptor, so it is looked for.

use crate::clock::{Epoch, monotonic_ns};
use crate::controls::{Controls, Listener, Request};
use crate::limits::{self, Limits};
use crate::machine;
use crate::outcome::{ManagerError, Outcome};
use crate::process::{Heard, Pipe, Process};
use crate::settings::{AroundSuspension, Mission, Settings, Suspension};
use crate::signals::{CONTINUES, STOPS, SUSPENDS, SignalListener, StopRequests, outlive_the_terminal};
use crate::supervisor::{Effect, Input, Orders, Supervisor};
use crate::worker::Exit;
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::event::{EventSink, RunEvent, Stream};
use pysurge_core::plan::Plan;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpid, kill_process};

/// How often processes are looked at when nothing else happens.
const TICK_NS: u64 = 100_000_000;

/// The same while an end is about to be seen.
const SHORT_TICK_NS: u64 = 2_000_000;

/// How long a process that stopped itself waits for the word that it was continued: it comes at once, on some thread.
const WAKE_NS: u64 = NANOS_PER_SEC;

/// Sees one run through; see [`crate::run`].
pub(crate) fn run(plan: &Plan, settings: &Settings, sink: &dyn EventSink) -> Result<Outcome, ManagerError> {
    let signals = settings.stop_signals.then(|| STOPS.listen()).transpose()?;
    if settings.stop_signals {
        outlive_the_terminal();
    }
    let suspends = Suspends::listen(settings)?;
    let controls = settings.controls.as_ref().map(Controls::listen).transpose()?;
    let workers_of_run = settings.workers.max(1);
    let workers = match settings.mission {
        Mission::Run => workers_of_run,
        Mission::Check | Mission::Collect | Mission::Plan => 1,
    };
    limits::raise();
    let limits = Limits::read();
    let epoch = Epoch::now();
    // A failure half way drops the processes that were started, which ends them.
    let processes: Vec<Process> = (0..workers)
        .map(|number| Process::spawn(settings, number))
        .collect::<Result<_, _>>()?;
    let pids: Vec<u32> = processes.iter().map(Process::id).collect();
    let orders = Orders {
        plan: plan.clone(),
        mission: settings.mission,
        workers_of_run,
        limits,
        cpus: machine::cpus(),
        debug: settings.debug,
        rehearsal: settings.rehearsal,
        iterations: settings.iterations,
        require_valid: settings.require_valid,
        import_first: settings.import_first.clone(),
        import_last: settings.import_last.clone(),
        deadlines: settings.deadlines,
        epoch,
    };
    let mut shell = Shell {
        supervisor: Supervisor::new(orders, &pids, monotonic_ns()),
        settings,
        ended: vec![false; processes.len()],
        places: (0..processes.len()).collect(),
        processes: processes.into_iter().map(Some).collect(),
        oom_kills: machine::oom_kills(),
        signals,
        suspends,
        controls,
        asking: None,
        requests: settings.stop_requests.clone(),
        requests_seen: 0,
        sleeps: false,
        outcome: None,
        epoch,
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
    settings: &'a Settings,
    supervisor: Supervisor,
    /// Per worker: its process; `None` where it could not be made.
    processes: Vec<Option<Process>>,
    /// Per worker: the place that it has in the run.
    places: Vec<usize>,
    /// How many processes the kernel had killed for want of memory when it was last looked.
    oom_kills: Option<u64>,
    /// Per worker: its end was stepped.
    ended: Vec<bool>,
    signals: Option<SignalListener>,
    suspends: Option<Suspends>,
    controls: Option<Listener>,
    /// Whose question is being stepped.
    asking: Option<Request>,
    requests: StopRequests,
    requests_seen: usize,
    /// This process is to be stopped.
    sleeps: bool,
    outcome: Option<Outcome>,
    epoch: Epoch,
    sink: &'a dyn EventSink,
}

/// What Ctrl+Z takes.
struct Suspends {
    stops: SignalListener,
    continues: SignalListener,
    around: Option<AroundSuspension>,
}

impl Suspends {
    fn listen(settings: &Settings) -> Result<Option<Self>, ManagerError> {
        if !settings.suspend_signals || SUSPENDS.was_ignored() {
            return Ok(None);
        }
        Ok(Some(Self {
            stops: SUSPENDS.listen()?,
            continues: CONTINUES.listen()?,
            around: settings.around_suspension.clone(),
        }))
    }

    /// Stops this process until somebody continues it; how long that took, in nanoseconds.
    fn sleep(&mut self) -> u64 {
        if let Some(around) = &self.around {
            around(Suspension::Begins);
        }
        // A second Ctrl+Z before the stop asked for no more than the first.
        self.stops.take();
        self.continues.take();
        let began_ns = monotonic_ns();
        // The stop may take effect on another thread first, but none goes on before SIGCONT, and its handler says so.
        let _ = kill_process(getpid(), Signal::STOP);
        let mut continued = [PollFd::new(&self.continues.socket, PollFlags::IN)];
        // An interrupted wait is one that SIGCONT interrupted; either way it comes back soon.
        while poll(&mut continued, Some(&timespec(WAKE_NS))) == Err(rustix::io::Errno::INTR) {}
        self.continues.take();
        let slept_ns = monotonic_ns().saturating_sub(began_ns);
        if let Some(around) = &self.around {
            around(Suspension::Ended);
        }
        slept_ns
    }
}

/// What a polled descriptor belongs to.
#[derive(Debug, Clone, Copy)]
enum Source {
    Signals,
    Suspends,
    Controls,
    Channel(usize),
    Output(usize, Stream),
}

impl Shell<'_> {
    fn serve(&mut self) -> Result<Outcome, ManagerError> {
        let (mut looked_ns, mut machine_looked_ns) = (0, 0);
        loop {
            if monotonic_ns().saturating_sub(machine_looked_ns) >= machine::LOOK_NS {
                machine_looked_ns = monotonic_ns();
                self.step(Input::Looked(machine::look()));
            }
            self.step(Input::Tick);
            if std::mem::take(&mut self.sleeps) {
                let slept_ns = self.suspends.as_mut().map_or(0, Suspends::sleep);
                self.step(Input::Woken { slept_ns });
            }
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
        if let Some(suspends) = &self.suspends {
            sources.push(Source::Suspends);
            polled.push(PollFd::new(&suspends.stops.socket, PollFlags::IN));
        }
        if let Some(controls) = &self.controls {
            sources.push(Source::Controls);
            polled.push(PollFd::from_borrowed_fd(controls.descriptor(), PollFlags::IN));
        }
        for (number, process) in self.processes.iter().enumerate() {
            let Some(process) = process else { continue };
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
            Source::Signals => {
                let count = self.signals.as_mut().map_or(0, SignalListener::take);
                for _ in 0..count {
                    self.step(Input::StopRequested);
                }
            }
            Source::Suspends => {
                let count = self.suspends.as_mut().map_or(0, |suspends| suspends.stops.take());
                if count > 0 {
                    self.step(Input::SuspendRequested);
                }
            }
            Source::Controls => self.take_questions(),
            Source::Channel(number) => {
                if let Some(process) = &mut self.processes[number] {
                    process.channel.flush();
                }
                self.listen(number);
            }
            Source::Output(number, stream) => self.read_output(number, stream),
        }
    }

    fn take_questions(&mut self) {
        let requests = self.controls.as_mut().map_or_else(Vec::new, Listener::take);
        for request in requests {
            let (command, by) = (request.command, request.by);
            self.asking = Some(request);
            self.step(Input::Asked(command, by));
        }
    }

    fn listen(&mut self, number: usize) {
        let mut heard = Vec::new();
        if let Some(process) = &mut self.processes[number] {
            process.channel.read(|news| heard.push(news));
        }
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
        if let Some(process) = &mut self.processes[number] {
            process.pipe(stream).read(&mut |line| lines.push(line));
        }
        for line in lines {
            self.step(Input::Printed(number, stream, line));
        }
    }

    fn look_for_ends(&mut self) {
        for number in 0..self.processes.len() {
            if self.ended[number] {
                continue;
            }
            if let Some(exit) = self.processes[number].as_ref().and_then(Process::exit) {
                let exit = self.explained(exit);
                self.ended[number] = true;
                // What it wrote before it ended comes first.
                self.read_output(number, Stream::Stdout);
                self.read_output(number, Stream::Stderr);
                self.listen(number);
                self.step(Input::Exited(number, exit));
            }
        }
    }

    /// Whether it was the kernel who killed it.
    fn explained(&mut self, exit: Exit) -> Exit {
        if exit != Exit::Signal(Signal::KILL.as_raw()) {
            return exit;
        }
        let before = std::mem::replace(&mut self.oom_kills, machine::oom_kills());
        if before.is_some() && self.oom_kills > before {
            Exit::OutOfMemory
        } else {
            exit
        }
    }

    fn step(&mut self, input: Input) {
        // What a step asks for may be answered at once, but only after all of it was done.
        let mut answer = Some(input);
        while let Some(input) = answer.take() {
            for effect in self.supervisor.step(input, monotonic_ns()) {
                answer = self.carry_out(effect).or(answer);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Spawn(number, place) => return Some(self.spawn(number, place)),
            Effect::Send(number, message) => {
                if let Some(process) = &mut self.processes[number] {
                    process.channel.send(&message);
                }
            }
            Effect::Kill(number) => {
                if let Some(process) = &self.processes[number] {
                    process.kill();
                }
            }
            Effect::Reap(number) => {
                if let Some(process) = &mut self.processes[number] {
                    process.reap();
                }
            }
            Effect::Emit(event) => self.sink.emit(event),
            Effect::Answer(answer) => {
                if let Some(request) = self.asking.take() {
                    request.answer(answer);
                }
            }
            Effect::Suspend => self.sleeps = true,
            Effect::Finish(outcome) => self.outcome = Some(outcome),
        }
        None
    }

    fn spawn(&mut self, number: usize, place: usize) -> Input {
        let spawned = Process::spawn(self.settings, number_of(place));
        self.places.push(place);
        self.ended.push(false);
        let (process, input) = match spawned {
            Ok(process) => {
                let pid = process.id();
                (Some(process), Input::Spawned(number, pid))
            }
            Err(error) => (None, Input::SpawnFailed(number, why_not(&error))),
        };
        self.processes.push(process);
        debug_assert_eq!(number + 1, self.processes.len(), "workers are started in order");
        input
    }

    /// Reads what the workers printed last; not for ever, for a grandchild may hold a pipe open.
    fn drain_output(&mut self, patience_ns: u64) {
        // Not looked at any more, but caught to the end: a last Ctrl+C must not cost the result.
        let _caught = (self.signals.take(), self.suspends.take());
        // Who asks from here on is told that the run is over.
        self.controls = None;
        let until_ns = monotonic_ns().saturating_add(patience_ns);
        let mut wait_ns = patience_ns;
        while wait_ns > 0 && self.processes.iter().flatten().any(Process::prints) {
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
        let worker = number_of(self.places[number]);
        let (sink, epoch) = (self.sink, self.epoch);
        let Some(process) = &mut self.processes[number] else {
            return;
        };
        act(process.pipe(stream), &mut |line| {
            sink.emit(RunEvent::Output {
                worker,
                stream,
                thread: None,
                wall_ns: epoch.wall_of(monotonic_ns()),
                line,
            });
        });
    }
}

fn number_of(place: usize) -> u32 {
    u32::try_from(place).expect("workers number far below 2^32")
}

/// Without the worker's number and its program, which everybody knows by now.
fn why_not(error: &ManagerError) -> String {
    match error {
        ManagerError::Spawn { source, .. } => source.to_string(),
        ManagerError::NoCommand | ManagerError::System { .. } => error.to_string(),
    }
}

fn timespec(ns: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(ns / NANOS_PER_SEC).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(ns % NANOS_PER_SEC).expect("below a billion"),
    }
}
