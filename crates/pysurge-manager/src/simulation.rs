//! The supervisor under seeded faults, in simulated time: thousands of runs with workers that die, stall, freeze, hang, lie, linger and hear
//! late of what they are dealt, with replacements that do the same or cannot even be started, and with pauses, scales, suspensions and
//! requests to stop at any instant. Whatever they do, the run ends in time, once, with every worker reaped and every iteration told of in
//! exactly one way, as many as the plan has with what was changed; every arrival is in exactly one worker's hand. A failing seed is printed;
//! `PYSURGE_SEED=N` and the test `replay` run it alone. `PYSURGE_SEEDS=N` simulates so many.

mod actor;
mod cast;
mod checks;
mod feed;
mod hands;

use crate::clock::Epoch;
use crate::limits::Limits;
use crate::outcome::Outcome;
use crate::settings::{Deadlines, Mission};
use crate::supervisor::{Effect, Input, Orders, Supervisor};
use crate::worker::Exit;
use actor::{Actor, ActorRun, Fault};
use cast::{Dice, cast_actor, cast_looks, cast_plan, cast_requests, samples_of};
use checks::{Reached, check};
use feed::Feed;
use hands::Hands;
use pysurge_core::control::{Answer, State};
use pysurge_core::event::{RunEvent, Stream};
use pysurge_core::measure::Measures;
use pysurge_core::plan::{Plan, TestPlan};
use pysurge_core::schedule::{CHANGE_LEAD_NS, Change, Course};
use pysurge_core::series::Row;
use pysurge_core::wire::{
    Deal, FromWorker, Frozen, Hello, IterationRecord, LoadError, LoadFault, PROTOCOL, Rehearsed, Snapshot,
    Start, StartupError, Stop, TestInfo, TestSnapshot, ToWorker,
};
use pysurge_core::{NANOS_PER_SEC, VERSION};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

/// Simulated runs.
const SEEDS: u64 = 10_000;
const MS: u64 = 1_000_000;

/// The seed of a run that panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing seed is {}", self.0);
        }
    }
}

/// What the future holds.
#[derive(Debug)]
enum Event {
    Input(Input),
    /// A message reaches a worker.
    Receipt(usize, ToWorker),
    /// A worker takes its next snapshot.
    Snapshot(usize),
    /// A worker comes to the end of its iterations.
    Drain(usize),
    /// A worker's process ends.
    Die(usize, Exit),
}

struct World<'a> {
    dice: Dice,
    plan: &'a Plan,
    now_ns: u64,
    order: u64,
    future: BinaryHeap<Reverse<(u64, u64)>>,
    events: HashMap<u64, Event>,
    actors: Vec<Actor>,
    /// Who has which arrivals.
    hands: Hands,
    /// What the effects of a step answer themselves.
    answered: Vec<Input>,
    /// How many out of a hundred workers that replace others have a fault.
    faulty: u64,
    /// Somebody heard of a change or a deal after it was to hold.
    heard_late: bool,
    outcome: Option<Outcome>,
    started: u32,
    /// The start of the run, once it is known.
    started_ns: u64,
    /// The end of the plan, as the workers were told last.
    plan_ends_ns: Option<u64>,
    /// Changes that the sink was told of.
    changes: Vec<Change>,
    /// Commands that were not answered yet.
    asked: u32,
    /// What was answered, in words.
    answers: Vec<String>,
    sleeps: bool,
    slept_ns: u64,
    notices: Vec<String>,
    /// The time series, as a sink follows it.
    rows: Vec<Arc<Row>>,
    iterations: u32,
    ended_ns: u64,
}

impl World<'_> {
    fn later(&mut self, at_ns: u64, event: Event) {
        self.order += 1;
        self.future.push(Reverse((at_ns, self.order)));
        self.events.insert(self.order, event);
    }

    /// Mostly quick, sometimes slow, seldom beyond any deadline.
    fn latency_ns(&mut self) -> u64 {
        match self.dice.roll(300) {
            0 => self.dice.roll(400_000) * MS,
            1..=14 => self.dice.roll(3_000) * MS,
            _ => self.dice.roll(2_000_000),
        }
    }

    fn deliver(&mut self, number: usize, input: Input, latency_ns: u64) {
        let actor = &mut self.actors[number];
        let at_ns = actor.last_delivery_ns.max(self.now_ns + latency_ns);
        actor.last_delivery_ns = at_ns;
        self.later(at_ns, Event::Input(input));
    }

    fn say(&mut self, number: usize, mut message: FromWorker) {
        let latency_ns = self.latency_ns();
        let actor = &mut self.actors[number];
        if actor.dead || actor.silent {
            return;
        }
        actor.said += 1;
        if actor.said == actor.fault_at {
            match actor.fault {
                Fault::Dies => return self.die(number, Exit::Signal(11)),
                Fault::FallsSilent => {
                    actor.silent = true;
                    return;
                }
                Fault::SendsGarbage => {
                    actor.silent = true;
                    return self.deliver(number, Input::Garbage(number, "garbage".into()), latency_ns);
                }
                Fault::SkipsASnapshot => {
                    if let Some(run) = &mut actor.run {
                        run.sequence += 1;
                    }
                }
                Fault::ClosesItsChannel => {
                    actor.silent = true;
                    return self.deliver(number, Input::Closed(number), latency_ns);
                }
                Fault::SaysTheWrongThing => {
                    return self.deliver(number, Input::Message(number, FromWorker::Done), latency_ns);
                }
                Fault::TellsOfNoTest | Fault::TellsUnasked => {
                    let strange = IterationRecord {
                        test: if actor.fault == Fault::TellsUnasked { 0 } else { 99 },
                        ..IterationRecord::default()
                    };
                    let strange = FromWorker::Iterations(vec![strange]);
                    self.deliver(number, Input::Message(number, strange), latency_ns);
                }
                Fault::Stalls => {
                    // Stopped, and perhaps continued in time.
                    let latency_ns = latency_ns + self.dice.roll(20_000) * MS;
                    return self.deliver(number, Input::Message(number, message), latency_ns);
                }
                Fault::Freezes => {
                    let frozen = Frozen {
                        held_ns: 10 * NANOS_PER_SEC,
                        stacks: "File \"a.py\", line 1".to_owned(),
                    };
                    let frozen = Input::Message(number, FromWorker::Frozen(frozen));
                    self.deliver(number, frozen, latency_ns);
                }
                Fault::TellsTheImpossible => {
                    if let FromWorker::Snapshot(snapshot) = &mut message
                        && let Some(test) = snapshot.tests.first_mut()
                    {
                        test.measured.planned = u64::MAX - 5;
                        test.in_flight = u32::MAX;
                    }
                }
                Fault::None
                | Fault::FailsToLoad
                | Fault::FailsToStartUp
                | Fault::FailsItsRehearsal
                | Fault::HangsAtItsExit => {}
            }
        }
        self.deliver(number, Input::Message(number, message), latency_ns);
    }

    fn die(&mut self, number: usize, exit: Exit) {
        if self.actors[number].dead {
            return;
        }
        self.actors[number].dead = true;
        // Dying processes print, close and exit in an order of their own.
        let line = "last words".to_owned();
        self.later(
            self.now_ns,
            Event::Input(Input::Printed(number, Stream::Stderr, line)),
        );
        if !self.actors[number].held_open {
            let delay_ns = self.dice.roll(50 * MS);
            self.deliver(number, Input::Closed(number), delay_ns);
        }
        let at_ns = self.now_ns + self.dice.roll(100 * MS);
        self.later(at_ns, Event::Input(Input::Exited(number, exit)));
    }

    /// A message is on its way to a worker. A new deal is often heard of late, and what comes after it with it.
    fn send(&mut self, number: usize, message: ToWorker) {
        let delay_ns = match (&message, self.dice.roll(20)) {
            (ToWorker::Deal(_), 0) => self.dice.roll(3_000) * MS,
            (ToWorker::Deal(_), 1..8) => self.dice.roll(50) * MS,
            _ => 0,
        };
        let actor = &mut self.actors[number];
        let at_ns = actor.last_receipt_ns.max(self.now_ns + delay_ns);
        if at_ns == self.now_ns {
            return self.take(number, message);
        }
        actor.last_receipt_ns = at_ns;
        // Also where it dies before it hears of it, but has told what it claimed.
        self.heard_late |= match &message {
            ToWorker::Stop(stop) => stop.plan_ends_ns < at_ns,
            ToWorker::Change(change) => self.started_ns + change.at_ns <= at_ns,
            ToWorker::Deal(_) => at_ns >= self.now_ns + CHANGE_LEAD_NS,
            _ => false,
        };
        self.later(at_ns, Event::Receipt(number, message));
    }

    /// A worker takes a message.
    fn take(&mut self, number: usize, message: ToWorker) {
        if self.actors[number].dead {
            return;
        }
        let (fault, tests) = (self.actors[number].fault, self.actors[number].tests);
        match message {
            ToWorker::Load(load) => {
                assert_eq!(load.worker as usize, self.actors[number].slot);
                let error = LoadError {
                    fault: LoadFault::Import,
                    message: "m".into(),
                    hint: None,
                    traceback: String::new(),
                };
                let info = |test: &TestPlan| TestInfo {
                    label: "<t>".into(),
                    summary: String::new(),
                    max_duration_ns: Some(NANOS_PER_SEC),
                    shape: samples_of(test),
                    ..TestInfo::default()
                };
                let one = |test: &TestPlan| {
                    if fault == Fault::FailsToLoad {
                        Err(error.clone())
                    } else {
                        Ok(info(test))
                    }
                };
                self.say(number, FromWorker::Loaded(load.tests.iter().map(one).collect()));
            }
            ToWorker::Collect(load) => {
                let collected = load.tests.iter().map(|_| Ok(Vec::new()));
                self.say(number, FromWorker::Collected(collected.collect()));
            }
            ToWorker::Prepare => {
                let error = StartupError {
                    class: "a.B".into(),
                    message: "m".into(),
                    traceback: String::new(),
                };
                let mut errors = vec![None; tests];
                if fault == Fault::FailsToStartUp {
                    errors[0] = Some(error);
                }
                self.say(number, FromWorker::Prepared(errors));
            }
            ToWorker::Rehearse => {
                let skipped = usize::from(fault == Fault::FailsToStartUp);
                for test in skipped..tests {
                    let passed = u64::from(fault != Fault::FailsItsRehearsal);
                    let measures = Measures {
                        passed,
                        failed: 1 - passed,
                        ..Measures::default()
                    };
                    let rehearsed = Rehearsed {
                        test: u32::try_from(test).unwrap(),
                        measures: Box::new(measures),
                    };
                    self.say(number, FromWorker::Rehearsed(rehearsed));
                }
            }
            ToWorker::Start(start) => self.start(number, start),
            ToWorker::Change(change) => self.change(number, change),
            ToWorker::Deal(deals) => self.deal(number, &deals),
            ToWorker::Stop(stop) => self.stop(number, stop),
        }
    }

    fn start(&mut self, number: usize, start: Start) {
        let replaces = self.actors[number].life > 0;
        assert!(replaces || start.at_ns > self.now_ns, "a start in the past");
        assert!(replaces || start.changes.is_empty(), "changes before the start");
        let mut course = Course::default();
        for change in &start.changes {
            course.apply(*change);
        }
        let run = ActorRun {
            feeds: Feed::of_all(self.plan, &start, &course),
            course,
            sequence: 0,
            used_ns: 3 * NANOS_PER_SEC,
            deals: 0,
            start,
        };
        let seconds = self.now_ns.saturating_sub(run.start.at_ns) / NANOS_PER_SEC;
        let first_ns = run.start.at_ns + (seconds + 1) * NANOS_PER_SEC;
        self.actors[number].run = Some(run);
        self.later(first_ns, Event::Snapshot(number));
    }

    fn change(&mut self, number: usize, change: Change) {
        let actor = &mut self.actors[number];
        assert!(actor.last_stop.is_none(), "a change after a stop");
        let Some(run) = &mut actor.run else {
            panic!("a change before the start");
        };
        let is_late = run.start.at_ns + change.at_ns <= self.now_ns;
        let was_delayed = actor.last_receipt_ns >= self.now_ns;
        assert!(!is_late || was_delayed, "a change for an instant that has passed");
        self.heard_late |= is_late;
        assert!(change.at_ns >= run.course.now().at_ns, "a change before another");
        run.course.apply(change);
        for feed in run.feeds.iter_mut().flatten() {
            feed.change(change, &run.course);
        }
    }

    fn deal(&mut self, number: usize, deals: &[Option<Deal>]) {
        let actor = &mut self.actors[number];
        assert!(actor.last_stop.is_none(), "a deal after a stop");
        let Some(run) = &mut actor.run else {
            panic!("a deal before the start");
        };
        run.deals += 1;
        let until_ns = run.course.plan_ns(self.now_ns.saturating_sub(run.start.at_ns));
        for (feed, deal) in run.feeds.iter_mut().zip(deals) {
            if let Some(deal) = deal {
                let feed = feed.as_mut().expect("it runs the test");
                self.heard_late |= feed.deal(deal, &run.course, until_ns);
            }
        }
    }

    fn stop(&mut self, number: usize, stop: Stop) {
        if self.actors[number].run.is_some() {
            self.plan_ends_ns = Some(stop.plan_ends_ns);
        }
        let actor = &mut self.actors[number];
        if let Some(before) = actor.last_stop.replace(stop) {
            assert!(stop.plan_ends_ns <= before.plan_ends_ns, "the plan grew");
            assert!(stop.last_start_ns <= before.last_start_ns, "the catch-up grew");
            assert!(stop.grace_ends_ns <= before.grace_ends_ns, "the grace grew");
        }
        let room_ns = stop.grace_ends_ns.saturating_sub(self.now_ns);
        let at_ns = self.now_ns + if room_ns == 0 { 0 } else { self.dice.roll(room_ns) };
        self.later(at_ns.max(stop.plan_ends_ns), Event::Drain(number));
    }

    fn snapshot(&mut self, number: usize, plan_ends_ns: Option<u64>) -> Snapshot {
        let now_ns = self.now_ns;
        let Some(run) = &mut self.actors[number].run else {
            return Snapshot::default();
        };
        let last = plan_ends_ns.is_some();
        let until_ns = plan_ends_ns
            .unwrap_or(now_ns)
            .min(now_ns)
            .saturating_sub(run.start.at_ns);
        let until_ns = run.course.plan_ns(until_ns);
        let tests = run.feeds.iter_mut().map(|feed| match feed {
            Some(feed) => feed.snapshot(until_ns, last),
            None => TestSnapshot::default(),
        });
        let tests = tests.collect();
        let sequence = run.sequence;
        run.sequence += 1;
        run.used_ns += NANOS_PER_SEC / 4;
        Snapshot {
            sequence,
            at_ns: now_ns,
            tests,
            cpu_ns: run.used_ns,
            gil_wait_ns: run.used_ns / 8,
            iterations_untold: sequence,
            deals: run.deals,
            ..Snapshot::default()
        }
    }

    /// One iteration of the first test that it runs, where they are asked for.
    fn say_iterations(&mut self, number: usize) {
        let run = self.actors[number].run.as_ref();
        let start = run.map(|run| &run.start).filter(|start| start.iterations);
        let runs = start.and_then(|start| start.deals.iter().position(Option::is_some));
        if let Some(test) = runs {
            let told = IterationRecord {
                test: u32::try_from(test).unwrap(),
                ..IterationRecord::default()
            };
            self.say(number, FromWorker::Iterations(vec![told]));
        }
    }

    fn happen(&mut self, event: Event) -> Option<Input> {
        match event {
            Event::Input(input) => return Some(input),
            Event::Receipt(number, message) => self.take(number, message),
            Event::Snapshot(number) => {
                let actor = &self.actors[number];
                if !actor.dead && actor.last_stop.is_none() {
                    let snapshot = self.snapshot(number, None);
                    self.say_iterations(number);
                    self.say(number, FromWorker::Snapshot(Box::new(snapshot)));
                    let next_ns = self.now_ns + NANOS_PER_SEC;
                    self.later(next_ns, Event::Snapshot(number));
                }
            }
            Event::Drain(number) => {
                let actor = &mut self.actors[number];
                if let Some(stop) = actor.last_stop
                    && !actor.dead
                    && !std::mem::replace(&mut actor.drained, true)
                {
                    let snapshot = self.snapshot(number, Some(stop.plan_ends_ns));
                    self.say_iterations(number);
                    self.say(number, FromWorker::Drained(Box::new(snapshot)));
                    self.say(number, FromWorker::Done);
                    let actor = &self.actors[number];
                    if !actor.silent && actor.fault != Fault::HangsAtItsExit {
                        let at_ns = self.now_ns + self.latency_ns();
                        self.later(at_ns, Event::Die(number, Exit::Code(0)));
                    }
                }
            }
            Event::Die(number, exit) => self.die(number, exit),
        }
        None
    }

    /// This process is stopped for a while: workers go on, and what they say is heard afterwards.
    fn sleep(&mut self) -> u64 {
        let slept_ns = self.dice.roll(40_000) * MS;
        let wakes_ns = self.now_ns + slept_ns;
        let mut unheard = Vec::new();
        while let Some(Reverse((at_ns, order))) = self.future.peek().copied()
            && at_ns <= wakes_ns
        {
            self.future.pop();
            self.now_ns = self.now_ns.max(at_ns);
            let event = self.events.remove(&order).unwrap();
            unheard.extend(self.happen(event));
        }
        self.now_ns = wakes_ns;
        self.slept_ns += slept_ns;
        for input in unheard {
            self.later(wakes_ns, Event::Input(input));
        }
        slept_ns
    }

    /// Steps an input, and what the effects of it answer at once.
    fn step(&mut self, supervisor: &mut Supervisor, input: Input) {
        self.answered.push(input);
        while !self.answered.is_empty() {
            let input = self.answered.remove(0);
            let effects = supervisor.step(input, self.now_ns);
            self.hands.note(&effects);
            for effect in effects {
                self.carry_out(effect);
            }
        }
    }

    /// Another worker is started in a place.
    fn spawn(&mut self, number: usize, slot: usize) {
        assert_eq!(number, self.actors.len(), "workers are numbered as they come");
        let before = self.actors.iter().filter(|actor| actor.slot == slot).count();
        let life = u32::try_from(before).unwrap();
        let mut actor = cast_actor(&mut self.dice, self.faulty, slot, life, self.plan.tests.len());
        actor.unborn = self.dice.one_in(8);
        let unborn = actor.unborn;
        self.actors.push(actor);
        if unborn {
            let why = "no process is to be had".to_owned();
            self.answered.push(Input::SpawnFailed(number, why));
            return;
        }
        let pid = 1_000 + u32::try_from(number).unwrap();
        self.answered.push(Input::Spawned(number, pid));
        self.say(number, hello(pid));
    }

    fn carry_out(&mut self, effect: Effect) {
        assert!(self.outcome.is_none(), "an effect after the finish: {effect:?}");
        match effect {
            Effect::Spawn(number, slot) => self.spawn(number, slot),
            Effect::Send(number, message) => {
                assert_eq!(self.actors[number].reaped, 0, "a message to the dead");
                self.send(number, message);
            }
            Effect::Kill(number) if self.actors[number].unborn => {}
            Effect::Kill(number) => {
                assert_eq!(self.actors[number].reaped, 0, "a kill after the reaping");
                // Now and then a process is in a wait that nothing ends.
                if self.dice.one_in(200) {
                    self.actors[number].silent = true;
                } else {
                    self.die(number, Exit::Signal(9));
                }
            }
            Effect::Reap(number) => self.actors[number].reaped += 1,
            Effect::Emit(RunEvent::Started { at_ns, .. }) => {
                self.started += 1;
                self.started_ns = at_ns;
            }
            Effect::Emit(RunEvent::Changed { change, .. }) => self.changes.push(change),
            Effect::Answer(answer) => {
                self.asked -= 1;
                self.answers.push(in_words(&answer));
            }
            Effect::Suspend => self.sleeps = true,
            Effect::Emit(RunEvent::Notice { text, .. }) => self.notices.push(text),
            Effect::Emit(RunEvent::Progress(summary)) => {
                assert_eq!(summary.exit_code, None);
            }
            Effect::Emit(RunEvent::Row(row)) => self.rows.push(row),
            Effect::Emit(RunEvent::Coarsened(series)) => {
                self.rows = series.complete_rows().iter().cloned().map(Arc::new).collect();
            }
            Effect::Emit(RunEvent::Iterations { .. }) => {
                assert!(self.started > 0, "iterations before the start");
                self.iterations += 1;
            }
            Effect::Emit(_) => {}
            Effect::Finish(outcome) => {
                self.ended_ns = self.now_ns;
                self.outcome = Some(outcome);
            }
        }
    }
}

/// What a run came to, and what was answered meanwhile.
struct Simulated {
    outcome: Outcome,
    answers: Vec<String>,
    slept: bool,
    rows: usize,
    iterations: u32,
    notices: Vec<String>,
    heard_late: bool,
}

fn simulate(seed: u64) -> Simulated {
    let _seed = Seed(seed);
    let mut dice = Dice(seed);
    let plan = cast_plan(&mut dice);
    let mission = match dice.roll(12) {
        0 | 1 => Mission::Check,
        2 => Mission::Plan,
        3 => Mission::Collect,
        _ => Mission::Run,
    };
    let workers = if mission == Mission::Run {
        1 + dice.roll(5)
    } else {
        1
    };
    let began_ns = 1_000 * NANOS_PER_SEC;
    let faulty = dice.roll(4) * 25;
    let tests = plan.tests.len();
    let actors =
        (0..usize::try_from(workers).unwrap()).map(|slot| cast_actor(&mut dice, faulty, slot, 0, tests));
    let actors = actors.collect();
    let faulty_later = dice.roll(5) * 25;
    let (iterations, require_valid) = (dice.one_in(3), dice.one_in(3));
    let rehearsal = mission == Mission::Run && dice.one_in(3);
    let mut world = World {
        actors,
        hands: Hands::new(tests),
        answered: Vec::new(),
        faulty: faulty_later,
        heard_late: false,
        dice,
        plan: &plan,
        now_ns: began_ns,
        order: 0,
        future: BinaryHeap::new(),
        events: HashMap::new(),
        outcome: None,
        started: 0,
        started_ns: 0,
        plan_ends_ns: None,
        changes: Vec::new(),
        asked: 0,
        answers: Vec::new(),
        sleeps: false,
        slept_ns: 0,
        notices: Vec::new(),
        rows: Vec::new(),
        iterations: 0,
        ended_ns: 0,
    };
    let deadlines = Deadlines::default();
    let orders = Orders {
        plan: plan.clone(),
        mission,
        workers_of_run: 1,
        limits: Limits::default(),
        cpus: 2,
        debug: false,
        rehearsal,
        iterations,
        require_valid,
        import_first: vec![],
        import_last: vec![],
        deadlines,
        epoch: Epoch {
            at_ns: began_ns,
            wall_ns: began_ns,
        },
    };
    let pids: Vec<u32> = (0..u32::try_from(workers).unwrap()).map(|n| 100 + n).collect();
    let mut supervisor = Supervisor::new(orders, &pids, began_ns);
    for (number, &pid) in pids.iter().enumerate() {
        world.say(number, hello(pid));
    }
    cast_looks(&mut world, began_ns);
    let last_request_ns = cast_requests(&mut world, began_ns);
    let last_ns = last_deadline_ns(began_ns, last_request_ns, &plan, &deadlines);
    play(&mut world, &mut supervisor, last_ns);
    check(&mut world, &mut supervisor);
    Simulated {
        outcome: world.outcome.expect("the loop ended with one"),
        answers: world.answers,
        slept: world.slept_ns > 0,
        rows: world.rows.len(),
        iterations: world.iterations,
        notices: world.notices,
        heard_late: world.heard_late,
    }
}

fn hello(pid: u32) -> FromWorker {
    FromWorker::Hello(Hello {
        protocol: PROTOCOL,
        version: VERSION.into(),
        pid,
        python: "3".into(),
        free_threaded: false,
    })
}

fn in_words(answer: &Answer) -> String {
    match answer {
        Ok(standing) => {
            assert!(standing.paused_s <= standing.elapsed_s);
            assert!(standing.state != State::Paused || standing.effective_s.is_some());
            format!("{:?}", standing.state)
        }
        Err(refusal) => format!("{refusal:?}"),
    }
}

/// Lets inputs and time happen until the run is over.
fn play(world: &mut World<'_>, supervisor: &mut Supervisor, last_ns: u64) {
    let mut steps = 0;
    while world.outcome.is_none() {
        steps += 1;
        assert!(steps < 200_000, "time stands still: {supervisor:?}");
        let due_ns = supervisor.next_deadline_ns();
        let next_ns = world.future.peek().map_or(u64::MAX, |Reverse((at_ns, _))| *at_ns);
        assert!(
            due_ns.min(next_ns) < u64::MAX,
            "nothing will ever happen again: {supervisor:?}"
        );
        let input = if next_ns <= due_ns {
            let Some(Reverse((_, order))) = world.future.pop() else {
                unreachable!("it was peeked at")
            };
            world.now_ns = world.now_ns.max(next_ns);
            let event = world.events.remove(&order).unwrap();
            world.happen(event)
        } else {
            world.now_ns = world.now_ns.max(due_ns);
            Some(Input::Tick)
        };
        if let Some(input) = input {
            world.asked += u32::from(matches!(input, Input::Asked(..)));
            world.step(supervisor, input);
            assert_eq!(world.asked, 0, "a question without its answer");
        }
        if std::mem::take(&mut world.sleeps) && world.outcome.is_none() {
            let slept_ns = world.sleep();
            world.step(supervisor, Input::Woken { slept_ns });
        }
        assert!(
            world.now_ns <= last_ns + world.slept_ns,
            "past every deadline: {supervisor:?}"
        );
    }
}

/// The sum of everything that may be waited for, one after the other.
fn last_deadline_ns(began_ns: u64, last_request_ns: u64, plan: &Plan, deadlines: &Deadlines) -> u64 {
    let rehearsals = plan.tests.len() as u64 * (deadlines.rehearse_ns + NANOS_PER_SEC);
    let starting = deadlines.hello_ns + deadlines.load_ns + deadlines.prepare_ns + rehearsals + NANOS_PER_SEC;
    let grace = 5 * NANOS_PER_SEC;
    let running = plan.duration_ns.unwrap_or(0) + deadlines.catch_up_ns + grace;
    let ending = 2 * deadlines.margin_ns + 2 * deadlines.shutdown_ns + deadlines.exit_ns;
    let dying = 2 * deadlines.linger_ns + deadlines.reap_ns;
    (began_ns + starting).max(last_request_ns) + running + ending + dying
}

/// Threads that share out the seeds.
const PARTS: u64 = 4;

#[test]
fn whatever_happens_the_run_ends_in_time_and_tells_everything() {
    #[expect(clippy::disallowed_methods, reason = "whoever types it wants it")]
    let asked = std::env::var("PYSURGE_SEEDS").ok();
    let seeds = asked.map_or(SEEDS, |seeds| seeds.parse().expect("a number"));
    let mut reached = Reached::default();
    std::thread::scope(|scope| {
        let part = |part| {
            move || {
                let mut reached = Reached::default();
                for seed in (part..seeds).step_by(usize::try_from(PARTS).unwrap()) {
                    reached.note(&simulate(seed));
                }
                reached
            }
        };
        let parts: Vec<_> = (0..PARTS).map(|number| scope.spawn(part(number))).collect();
        for part in parts {
            reached.merge(part.join().expect("a seed failed"));
        }
    });
    if seeds >= SEEDS {
        reached.assert_all();
    }
}

#[test]
fn replay() {
    #[expect(clippy::disallowed_methods, reason = "whoever types it wants it")]
    let seed = std::env::var("PYSURGE_SEED").ok();
    simulate(seed.map_or(0, |seed| seed.parse().expect("a number")));
}
