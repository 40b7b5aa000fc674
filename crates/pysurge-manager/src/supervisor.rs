//! The supervisor: `step(input, now) -> effects`. Decides everything a run needs decided; never reads a clock, starts
//! a process or waits. The shell must step it at every input and at [`Supervisor::next_deadline_ns`].
//!
//! | state of a worker | moves on with | or is killed after |
//! |---|---|---|
//! | `Greeting` | `Hello`; is sent `Load` | `hello_ns` |
//! | `Loading` | `Loaded`, or `Collected`; is sent `Stop` after the latter | `load_ns` |
//! | `Loaded` | all workers loaded; are sent `Prepare`, or `Stop` where nothing more is wanted | (waits for the others) |
//! | `Preparing` | `Prepared` | `prepare_ns` |
//! | `Prepared` | all workers prepared; are sent `Start`, worker 0 perhaps `Rehearse` before | (waits for the others) |
//! | `Rehearsing` | `Rehearsed` of each test; is sent `Start` or `Stop` | `rehearse_ns` and its `max_duration`, each |
//! | `Running` | `Snapshot`…, `Drained` | end of grace + `margin_ns` |
//! | `Drained` | `Done` | `shutdown_ns` + `margin_ns` |
//! | `Done` | the exit of its process | `exit_ns` |
//! | `Gone` | | |
//!
//! A `Stop` can be sent in any state from `Loading` on, and `Drained` answers it. What follows when a worker fails stands in one table
//! (`loss`): before iterations start it aborts the run; while the plan goes on, the others take over and another is led through the same
//! states in its place (`replacing`); later it is only told of. A worker is `Gone` when its process ended *and* its channel is read to
//! its end; where only one of the two comes, the other has `linger_ns`. The run is over when every worker is gone.

mod control;
mod ending;
mod measuring;
mod replacing;
mod starting;
#[cfg(test)]
mod tests;

use crate::clock::Epoch;
use crate::limits::Limits;
use crate::loss::WorkerError;
use crate::machine::{MachineLook, MachineUse};
use crate::outcome::{Abort, Outcome};
use crate::settings::{Deadlines, Mission};
use crate::totals::{End, Totals};
use crate::worker::{Exit, NEVER, State, Worker};
use control::Suspending;
use pysurge_core::control::{Answer, Command, Refusal};
use pysurge_core::event::{Actor, RunEvent, Severity, StopReason, Stream};
use pysurge_core::plan::{Plan, SNAPSHOT_INTERVAL_NS};
use pysurge_core::schedule::NOT_IN_SIGHT;
use pysurge_core::summary::{Incident, Status};
use pysurge_core::wire::{CollectedItem, FromWorker, LoadError, Stop, TestInfo, ToWorker};
use replacing::Place;

/// Progress is told so long after the second, when the workers have told theirs (they do so one after the other).
const PROGRESS_LAG_NS: u64 = 150_000_000;

/// What happened in the world.
#[derive(Debug)]
pub(crate) enum Input {
    /// A worker said something.
    Message(usize, FromWorker),
    /// A worker's bytes are no message; nothing more will be read from it.
    Garbage(usize, String),
    /// A worker's channel is at its end, and everything before it was told.
    Closed(usize),
    /// A worker's process ended; its channel may still hold messages.
    Exited(usize, Exit),
    /// The process of a worker that was to be started was made.
    Spawned(usize, u32),
    /// It could not be made.
    SpawnFailed(usize, String),
    /// A worker printed a line, through its pipe.
    Printed(usize, Stream, String),
    /// Ctrl+C, SIGTERM or the host asks to stop.
    StopRequested,
    /// Somebody asks for something; answered by one [`Effect::Answer`].
    Asked(Command, Actor),
    /// What the machine tells of itself; about once a second.
    Looked(MachineLook),
    /// Ctrl+Z.
    SuspendRequested,
    /// This process was stopped and goes on.
    Woken {
        /// How long it was stopped.
        slept_ns: u64,
    },
    /// Time went by.
    Tick,
}

/// What the shell has to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Start one more worker, the next in number, in this place; answered by [`Input::Spawned`] or [`Input::SpawnFailed`].
    Spawn(usize, usize),
    /// Send a message to a worker; never waits.
    Send(usize, ToWorker),
    /// SIGKILL to a worker's process group.
    Kill(usize),
    /// Give a worker's process id back to the system; nothing is done to the worker after it.
    Reap(usize),
    /// Tell the sink.
    Emit(RunEvent),
    /// Tell the one who asked last.
    Answer(Answer),
    /// Stop this process until somebody continues it; then step [`Input::Woken`].
    Suspend,
    /// The run is over; the last effect, exactly once.
    Finish(Outcome),
}

/// What is the same for the whole run.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent wishes, each a flag of the command"
)]
#[derive(Debug)]
pub(crate) struct Orders {
    /// Also what the shapes gave, once they were sampled.
    pub(crate) plan: Plan,
    pub(crate) mission: Mission,
    /// Whether a run is rehearsed first.
    pub(crate) rehearsal: bool,
    /// How many workers a run of this plan has; other missions have one.
    pub(crate) workers_of_run: u32,
    /// What the system allows.
    pub(crate) limits: Limits,
    /// CPUs that the workers may use.
    pub(crate) cpus: u32,
    pub(crate) debug: bool,
    /// Whether every single iteration is to be told.
    pub(crate) iterations: bool,
    /// Whether an invalid run is no success.
    pub(crate) require_valid: bool,
    pub(crate) import_first: Vec<String>,
    pub(crate) import_last: Vec<String>,
    pub(crate) deadlines: Deadlines,
    pub(crate) epoch: Epoch,
}

/// Where the run stands.
#[derive(Debug)]
enum Phase {
    Loading,
    Preparing,
    Rehearsing(Vec<RehearsalOf>),
    Running(Box<Running>),
    /// Not fired, or not to be: the workers are led out, then this is the outcome.
    LeadingOut(Conclusion),
    Over,
}

/// A test in a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RehearsalOf {
    CannotRun,
    Awaited,
    Passed,
    Failed,
}

/// A run whose iterations started.
#[derive(Debug)]
struct Running {
    started_ns: u64,
    next_progress_ns: u64,
    totals: Totals,
    stop: Option<(StopReason, Stop)>,
}

impl Running {
    /// When the plan ends, unless one of its tests has no end or the run is being stopped already.
    fn planned_end(&self) -> Option<(u64, End)> {
        let end = self.totals.end().filter(|_| self.stop.is_none())?;
        Some((self.ends_ns(end), end))
    }

    /// The instant of an end; [`NEVER`] while a pause is in between.
    fn ends_ns(&self, end: End) -> u64 {
        const { assert!(NOT_IN_SIGHT == NEVER) }
        let run_ns = self.totals.course().run_ns(end.plan_ns);
        self.started_ns.saturating_add(run_ns)
    }
}

/// What comes out of a run that is not fired.
#[derive(Debug)]
enum Conclusion {
    LoadFailed(Vec<Option<LoadError>>),
    NoTestRuns(Box<Totals>),
    Checked { passed: bool },
    RehearsalFailed,
    Collected(Vec<Vec<CollectedItem>>),
    Planned,
    Aborted(Abort),
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Supervisor {
    orders: Orders,
    /// All that were ever started, in that order: at first one for each place.
    workers: Vec<Worker>,
    places: Vec<Place>,
    /// What befell workers, in order.
    incidents: Vec<Incident>,
    /// New deals of the load so far.
    deals: u32,
    phase: Phase,
    infos: Vec<TestInfo>,
    /// How often somebody asked to stop.
    stop_requests: u32,
    machine: MachineUse,
    /// When it was last looked at.
    looked_ns: u64,
    /// The last step.
    stepped_ns: u64,
    /// Ctrl+Z was pressed and this process is about to stop.
    suspending: Option<Suspending>,
    effects: Vec<Effect>,
}

impl Supervisor {
    /// A run whose workers, by process id, were just spawned.
    pub(crate) fn new(orders: Orders, pids: &[u32], now_ns: u64) -> Self {
        let hello_by_ns = now_ns.saturating_add(orders.deadlines.hello_ns);
        let opened = RunEvent::Opened {
            plan: orders.plan.clone(),
            workers: u32::try_from(pids.len()).expect("workers number far below 2^32"),
            wall_ns: orders.epoch.wall_of(now_ns),
        };
        Self {
            orders,
            workers: (0..)
                .zip(pids)
                .map(|(slot, &pid)| Worker::new(slot, 0, pid, hello_by_ns))
                .collect(),
            places: pids.iter().map(|_| Place::default()).collect(),
            incidents: Vec::new(),
            deals: 0,
            phase: Phase::Loading,
            infos: Vec::new(),
            stop_requests: 0,
            machine: MachineUse::default(),
            looked_ns: now_ns,
            stepped_ns: now_ns,
            suspending: None,
            effects: vec![Effect::Emit(opened)],
        }
    }

    /// Takes one input and gives what is to be done, in order.
    pub(crate) fn step(&mut self, input: Input, now_ns: u64) -> Vec<Effect> {
        if !matches!(self.phase, Phase::Over) {
            self.listen_on(now_ns);
            match input {
                Input::Message(worker, message) => self.heard(worker, message, now_ns),
                Input::Garbage(worker, error) => {
                    self.break_off(worker, WorkerError::Garbage(error), now_ns);
                    self.channel_closed(worker, now_ns);
                }
                Input::Closed(worker) => self.channel_closed(worker, now_ns),
                Input::Spawned(worker, pid) => self.workers[worker].pid = pid,
                Input::SpawnFailed(worker, why) => self.spawn_failed(worker, why, now_ns),
                Input::Exited(worker, exit) => self.process_exited(worker, exit, now_ns),
                Input::Printed(worker, stream, line) => {
                    let wall_ns = self.orders.epoch.wall_of(now_ns);
                    self.printed(worker, stream, None, wall_ns, line);
                }
                Input::StopRequested => self.stop_requested(now_ns),
                Input::Asked(command, by) => self.asked(command, by, now_ns),
                Input::Looked(look) => self.looked(&look, now_ns),
                Input::SuspendRequested => self.suspend_requested(now_ns),
                Input::Woken { slept_ns } => self.woken(slept_ns, now_ns),
                Input::Tick => {}
            }
            self.expire(now_ns);
            self.advance(now_ns);
        } else if matches!(input, Input::Asked(..)) {
            self.effects.push(Effect::Answer(Err(Refusal::Over)));
        }
        std::mem::take(&mut self.effects)
    }

    /// The next instant at which time alone changes something; it may have passed already.
    pub(crate) fn next_deadline_ns(&self) -> u64 {
        let workers = self.workers.iter().map(|worker| worker.deadline_ns);
        let suspends_ns = self.suspending.map_or(NEVER, |suspending| suspending.at_ns);
        let next = workers.min().unwrap_or(NEVER).min(suspends_ns);
        match &self.phase {
            Phase::Running(running) => {
                let ends_ns = running.planned_end().map_or(NEVER, |(ends_ns, _)| ends_ns);
                next.min(running.next_progress_ns).min(ends_ns)
            }
            _ => next,
        }
    }

    /// Whether a worker told its death in one of the two ways only, so that the other is to be expected now.
    pub(crate) fn expects_death(&self) -> bool {
        let half_dead = |worker: &Worker| worker.exit.is_none() && (worker.closed || worker.killed.is_some());
        self.workers
            .iter()
            .any(|worker| worker.state != State::Gone && half_dead(worker))
    }

    // What workers say.

    fn heard(&mut self, number: usize, message: FromWorker, now_ns: u64) {
        if let FromWorker::Log(record) = message {
            self.emit(RunEvent::Log(record));
            return;
        }
        if let FromWorker::Printed(printed) = message {
            self.printed(
                number,
                printed.stream,
                Some(printed.thread),
                printed.wall_ns,
                printed.line,
            );
            return;
        }
        let worker = &mut self.workers[number];
        // What was taken over is not told twice.
        if worker.killed.is_some() || worker.lost.is_some() || worker.state == State::Gone {
            return;
        }
        worker.silent_ns = 0;
        if std::mem::take(&mut worker.silence_told) {
            let text = format!("{} tells again", self.name(number));
            self.notice(Severity::Info, text);
        }
        let worker = &self.workers[number];
        let (state, stopped) = (worker.state, worker.stopped);
        match (state, message) {
            (State::Greeting, FromWorker::Hello(hello)) => self.greeted(number, &hello, now_ns),
            (State::Loading, FromWorker::Collected(collected)) if self.orders.mission == Mission::Collect => {
                self.collected(number, collected, now_ns);
            }
            (_, FromWorker::Frozen(frozen)) => self.frozen(number, &frozen, now_ns),
            (State::Loading, FromWorker::Loaded(loaded)) => self.loaded(number, loaded, now_ns),
            (State::Preparing, FromWorker::Prepared(errors)) => self.prepared(number, errors, now_ns),
            (State::Rehearsing, FromWorker::Rehearsed(rehearsed)) => {
                self.rehearsed(number, rehearsed, now_ns);
            }
            (State::Running, FromWorker::Snapshot(snapshot)) => {
                self.measured(number, &snapshot, now_ns);
            }
            (State::Running, FromWorker::Iterations(iterations)) => {
                self.told_one_by_one(number, iterations, now_ns);
            }
            (State::Running, FromWorker::Drained(snapshot)) => {
                if self.measured(number, &snapshot, now_ns) {
                    self.drained(number, now_ns);
                }
            }
            (state, FromWorker::Drained(_)) if stopped && state < State::Running => {
                self.drained(number, now_ns);
            }
            (State::Drained, FromWorker::Done) => {
                self.wait(number, State::Done, self.orders.deadlines.exit_ns, now_ns);
            }
            (state, message) => {
                let message = name_of(&message);
                self.break_off(number, WorkerError::WrongMessage { message, state }, now_ns);
            }
        }
    }

    fn drained(&mut self, number: usize, now_ns: u64) {
        if let Phase::Running(running) = &mut self.phase {
            running.totals.drained(number);
        }
        if self.workers[number].fired {
            self.workers[number].last_iteration_ns = Some(now_ns);
        }
        let patience_ns = self.orders.deadlines.shutdown_ns + self.orders.deadlines.margin_ns;
        self.wait(number, State::Drained, patience_ns, now_ns);
    }

    fn printed(&mut self, number: usize, stream: Stream, thread: Option<String>, wall_ns: u64, line: String) {
        self.workers[number].printed(stream, &line);
        self.emit(RunEvent::Output {
            worker: self.place_of(number),
            stream,
            thread,
            wall_ns,
            line,
        });
    }

    // What the run does when it can.

    /// Everything that becomes possible by what happened or by the time.
    fn advance(&mut self, now_ns: u64) {
        match &self.phase {
            Phase::Loading if self.all_are(State::Loaded) => self.prepare(now_ns),
            Phase::Preparing if self.all_are(State::Prepared) => self.start(now_ns),
            Phase::Running(_) => self.keep_running(now_ns),
            _ => {}
        }
        if self.all_are(State::Gone) {
            self.conclude(now_ns);
        }
        self.suspend_when_due(now_ns);
    }

    fn keep_running(&mut self, now_ns: u64) {
        let Phase::Running(running) = &mut self.phase else {
            return;
        };
        let progress_due = now_ns >= running.next_progress_ns;
        if progress_due {
            let missed = (now_ns - running.next_progress_ns) / SNAPSHOT_INTERVAL_NS;
            running.next_progress_ns += (missed + 1) * SNAPSHOT_INTERVAL_NS;
        }
        match running.planned_end() {
            Some((ends_ns, end)) if now_ns >= ends_ns => {
                let reason = if end.by_count {
                    StopReason::Iterations
                } else {
                    StopReason::Duration
                };
                self.stop(reason, now_ns);
            }
            _ => {}
        }
        self.close_rows(now_ns);
        if progress_due && self.workers.iter().any(|worker| worker.state <= State::Running) {
            let summary = self.summary(Status::Running, now_ns);
            self.emit(RunEvent::Progress(Box::new(summary)));
        }
        self.watch_silence(now_ns);
    }

    // Small change.

    fn all_are(&self, state: State) -> bool {
        self.workers.iter().all(|worker| worker.state == state)
    }

    fn first_where(&self, test: impl Fn(&Worker) -> bool) -> Option<usize> {
        self.workers.iter().position(test)
    }

    /// Puts a worker into a state that it must leave in time.
    fn wait(&mut self, number: usize, state: State, patience_ns: u64, now_ns: u64) {
        self.hold(number, state);
        let worker = &mut self.workers[number];
        if worker.listens() {
            worker.deadline_ns = now_ns.saturating_add(patience_ns);
        }
    }

    /// Puts a worker into a state in which it may stay; one that was told to stop keeps the deadline of that.
    fn hold(&mut self, number: usize, state: State) {
        let worker = &mut self.workers[number];
        worker.state = state;
        if worker.listens() && !worker.stopped {
            worker.deadline_ns = NEVER;
        }
    }

    /// Who a worker is, as the subject of a sentence; for people they are numbered from 1, as in their log lines.
    fn name(&self, number: usize) -> String {
        let Worker { slot, life, pid, .. } = self.workers[number];
        let place = slot + 1;
        match (life, pid) {
            (0, _) => format!("worker {place} (pid {pid})"),
            (_, 0) => format!("worker {place}, replacement {life},"),
            _ => format!("worker {place}, replacement {life} (pid {pid})"),
        }
    }

    /// The number of a worker's place, as events tell it.
    fn place_of(&self, number: usize) -> u32 {
        number_of(self.workers[number].slot)
    }

    fn send(&mut self, number: usize, message: ToWorker) {
        self.effects.push(Effect::Send(number, message));
    }

    fn emit(&mut self, event: RunEvent) {
        self.effects.push(Effect::Emit(event));
    }

    fn notice(&mut self, severity: Severity, text: String) {
        self.emit(RunEvent::Notice { severity, text });
    }
}

fn number_of(number: usize) -> u32 {
    u32::try_from(number).expect("workers number far below 2^32")
}

fn name_of(message: &FromWorker) -> &'static str {
    match message {
        FromWorker::Hello(_) => "Hello",
        FromWorker::Collected(_) => "Collected",
        FromWorker::Loaded(_) => "Loaded",
        FromWorker::Prepared(_) => "Prepared",
        FromWorker::Rehearsed(_) => "Rehearsed",
        FromWorker::Snapshot(_) => "Snapshot",
        FromWorker::Iterations(_) => "Iterations",
        FromWorker::Drained(_) => "Drained",
        FromWorker::Done => "Done",
        FromWorker::Log(_) => "Log",
        FromWorker::Printed(_) => "Printed",
        FromWorker::Frozen(_) => "Frozen",
    }
}
