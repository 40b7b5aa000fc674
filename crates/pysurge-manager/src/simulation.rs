//! The supervisor under seeded faults, in simulated time: thousands of runs with workers that die, hang, lie and linger,
//! and requests to stop at any instant. Whatever they do, the run ends in time, once, with every worker reaped and every
//! iteration told of in exactly one way. A failing seed is printed; `replay` runs it alone.

use crate::clock::Epoch;
use crate::outcome::{Abort, Outcome};
use crate::settings::{Deadlines, Mission};
use crate::supervisor::{Effect, Input, Orders, Supervisor};
use crate::worker::Exit;
use pysurge_core::event::{RunEvent, Stream};
use pysurge_core::measure::Measures;
use pysurge_core::plan::{Plan, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::StripedSchedule;
use pysurge_core::summary::{StopCause, WorkerEnd};
use pysurge_core::wire::{
    FromWorker, Hello, LoadError, LoadFault, PROTOCOL, Rehearsed, Snapshot, Start, StartupError, Stop,
    TestInfo, TestSnapshot, ToWorker,
};
use pysurge_core::{NANOS_PER_SEC, VERSION};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

const SEEDS: u64 = 4_000;
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

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }
}

/// What goes wrong with a worker, at its `at`-th message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Dies,
    FallsSilent,
    SendsGarbage,
    SkipsASnapshot,
    ClosesItsChannel,
    SaysTheWrongThing,
    FailsToLoad,
    FailsToStartUp,
    FailsItsRehearsal,
    HangsAtItsExit,
}

const FAULTS: [Fault; 10] = [
    Fault::Dies,
    Fault::FallsSilent,
    Fault::SendsGarbage,
    Fault::SkipsASnapshot,
    Fault::ClosesItsChannel,
    Fault::SaysTheWrongThing,
    Fault::FailsToLoad,
    Fault::FailsToStartUp,
    Fault::FailsItsRehearsal,
    Fault::HangsAtItsExit,
];

/// One simulated worker.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each a fault of its own"
)]
struct Actor {
    fault: Fault,
    fault_at: u64,
    said: u64,
    silent: bool,
    dead: bool,
    /// The end of its channel never shows: a grandchild holds it.
    held_open: bool,
    /// Its channel keeps order.
    last_delivery_ns: u64,
    tests: usize,
    run: Option<ActorRun>,
    last_stop: Option<Stop>,
    drained: bool,
    reaped: u32,
}

struct ActorRun {
    start: Start,
    schedules: Vec<Option<StripedSchedule>>,
    told: Vec<u64>,
    sequence: u64,
}

/// What the future holds.
#[derive(Debug)]
enum Event {
    Input(Input),
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
    outcome: Option<Outcome>,
    started: u32,
    notices: Vec<String>,
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
        match self.dice.roll(60) {
            0 => self.dice.roll(400_000) * MS,
            1..=4 => self.dice.roll(3_000) * MS,
            _ => self.dice.roll(2_000_000),
        }
    }

    fn deliver(&mut self, number: usize, input: Input, latency_ns: u64) {
        let actor = &mut self.actors[number];
        let at_ns = actor.last_delivery_ns.max(self.now_ns + latency_ns);
        actor.last_delivery_ns = at_ns;
        self.later(at_ns, Event::Input(input));
    }

    fn say(&mut self, number: usize, message: FromWorker) {
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

    /// A worker takes a message.
    fn take(&mut self, number: usize, message: ToWorker) {
        if self.actors[number].dead {
            return;
        }
        let (fault, tests) = (self.actors[number].fault, self.actors[number].tests);
        match message {
            ToWorker::Load(load) => {
                assert_eq!(load.worker as usize, number);
                let error = LoadError {
                    fault: LoadFault::Import,
                    message: "m".into(),
                    hint: None,
                    traceback: String::new(),
                };
                let info = TestInfo {
                    label: "<t>".into(),
                    summary: String::new(),
                    max_duration_ns: Some(NANOS_PER_SEC),
                };
                let one = if fault == Fault::FailsToLoad {
                    Err(error)
                } else {
                    Ok(info)
                };
                self.say(number, FromWorker::Loaded(vec![one; tests]));
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
            ToWorker::Stop(stop) => self.stop(number, stop),
        }
    }

    fn start(&mut self, number: usize, start: Start) {
        assert!(start.at_ns > self.now_ns, "a start in the past");
        let schedules = start.stripes.iter().enumerate();
        let schedules =
            schedules.map(|(test, stripe)| stripe.map(|stripe| self.plan.schedule(test).stripe(stripe)));
        let run = ActorRun {
            schedules: schedules.collect(),
            told: vec![0; start.stripes.len()],
            sequence: 0,
            start,
        };
        let first_ns = run.start.at_ns + NANOS_PER_SEC;
        self.actors[number].run = Some(run);
        self.later(first_ns, Event::Snapshot(number));
    }

    fn stop(&mut self, number: usize, stop: Stop) {
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
        let tests = run.schedules.iter().zip(&mut run.told).map(|(schedule, told)| {
            // What was claimed before the stop was heard of stays claimed.
            let planned = schedule
                .map_or(0, |schedule| schedule.count_before(until_ns))
                .max(*told);
            let news = planned - *told;
            *told = planned;
            let (interrupted, news) = if last {
                (news / 3, news - news / 3)
            } else {
                (0, news)
            };
            TestSnapshot {
                planned,
                interrupted,
                in_flight: 0,
                measures: Measures {
                    passed: news - news / 4,
                    failed: news / 4,
                    ..Measures::default()
                },
                ..TestSnapshot::default()
            }
        });
        let tests = tests.collect();
        let sequence = run.sequence;
        run.sequence += 1;
        Snapshot {
            sequence,
            at_ns: now_ns,
            tests,
            ..Snapshot::default()
        }
    }

    fn happen(&mut self, event: Event) -> Option<Input> {
        match event {
            Event::Input(input) => return Some(input),
            Event::Snapshot(number) => {
                let actor = &self.actors[number];
                if !actor.dead && actor.last_stop.is_none() {
                    let snapshot = self.snapshot(number, None);
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

    fn carry_out(&mut self, effect: Effect) {
        assert!(self.outcome.is_none(), "an effect after the finish: {effect:?}");
        match effect {
            Effect::Send(number, message) => {
                assert_eq!(self.actors[number].reaped, 0, "a message to the dead");
                self.take(number, message);
            }
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
            Effect::Emit(RunEvent::Started { .. }) => self.started += 1,
            Effect::Emit(RunEvent::Notice { text, .. }) => self.notices.push(text),
            Effect::Emit(RunEvent::Progress(summary)) => {
                assert_eq!(summary.exit_code, None);
            }
            Effect::Emit(_) => {}
            Effect::Finish(outcome) => {
                self.ended_ns = self.now_ns;
                self.outcome = Some(outcome);
            }
        }
    }
}

fn simulate(seed: u64) -> Outcome {
    let _seed = Seed(seed);
    let mut dice = Dice(seed);
    let plan = cast_plan(&mut dice);
    let mission = if dice.one_in(5) {
        Mission::Check
    } else {
        Mission::Run
    };
    let workers = if mission == Mission::Check {
        1
    } else {
        1 + dice.roll(5)
    };
    let began_ns = 1_000 * NANOS_PER_SEC;
    let actors = cast_actors(&mut dice, workers, plan.tests.len());
    let mut world = World {
        actors,
        dice,
        plan: &plan,
        now_ns: began_ns,
        order: 0,
        future: BinaryHeap::new(),
        events: HashMap::new(),
        outcome: None,
        started: 0,
        notices: Vec::new(),
        ended_ns: 0,
    };
    let deadlines = Deadlines::default();
    let orders = Orders {
        plan: &plan,
        mission,
        debug: false,
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
        let hello = Hello {
            protocol: PROTOCOL,
            version: VERSION.into(),
            pid,
            python: "3".into(),
            free_threaded: false,
        };
        world.say(number, FromWorker::Hello(hello));
    }
    // An open-ended run must be asked to stop; others may be.
    let mut last_request_ns = began_ns;
    let asked = plan.duration_ns.is_none() || world.dice.one_in(3);
    for _ in 0..if asked { 1 + world.dice.roll(4) } else { 0 } {
        last_request_ns += world.dice.roll(15_000) * MS;
        world.later(last_request_ns, Event::Input(Input::StopRequested));
    }

    let last_ns = last_deadline_ns(began_ns, last_request_ns, &plan, &deadlines);
    play(&mut world, &mut supervisor, last_ns);
    check(&mut world, &mut supervisor);
    world.outcome.expect("the loop ended with one")
}

fn cast_plan(dice: &mut Dice) -> Plan {
    let tests = 1 + dice.roll(3);
    let rates = ["0.3", "7", "1000"];
    Plan {
        name: "n".into(),
        tests: (0..tests)
            .map(|_| TestPlan {
                test_class: "a.B".into(),
                kwargs: vec![],
                rate: Rate::parse(rates[usize::try_from(dice.roll(3)).unwrap()]).unwrap(),
            })
            .collect(),
        duration_ns: (!dice.one_in(4)).then(|| dice.roll(20_000) * MS + 1),
    }
}

fn cast_actors(dice: &mut Dice, workers: u64, tests: usize) -> Vec<Actor> {
    let faulty = dice.roll(4);
    let actors = (0..workers).map(|_| {
        let fault = if dice.roll(4) < faulty {
            FAULTS[usize::try_from(dice.roll(10)).unwrap()]
        } else {
            Fault::None
        };
        Actor {
            fault,
            fault_at: 1 + dice.roll(12),
            said: 0,
            silent: false,
            dead: false,
            held_open: dice.one_in(20),
            last_delivery_ns: 0,
            tests,
            run: None,
            last_stop: None,
            drained: false,
            reaped: 0,
        }
    });
    actors.collect()
}

/// Lets inputs and time happen until the run is over.
fn play(world: &mut World<'_>, supervisor: &mut Supervisor<'_>, last_ns: u64) {
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
            for effect in supervisor.step(input, world.now_ns) {
                world.carry_out(effect);
            }
        }
        assert!(world.now_ns <= last_ns, "past every deadline: {supervisor:?}");
    }
}

/// The sum of everything that may be waited for, one after the other.
fn last_deadline_ns(began_ns: u64, last_request_ns: u64, plan: &Plan, deadlines: &Deadlines) -> u64 {
    let rehearsals = plan.tests.len() as u64 * (deadlines.rehearse_ns + NANOS_PER_SEC);
    let starting = deadlines.hello_ns + deadlines.load_ns + deadlines.prepare_ns + rehearsals + NANOS_PER_SEC;
    let running = plan.duration_ns.unwrap_or(0) + deadlines.catch_up_ns + NANOS_PER_SEC;
    let ending = 2 * deadlines.margin_ns + 2 * deadlines.shutdown_ns + deadlines.exit_ns;
    let dying = 2 * deadlines.linger_ns + deadlines.reap_ns;
    (began_ns + starting).max(last_request_ns) + running + ending + dying
}

fn check(world: &mut World<'_>, supervisor: &mut Supervisor<'_>) {
    for (number, actor) in world.actors.iter().enumerate() {
        assert_eq!(actor.reaped, 1, "worker {number}");
    }
    assert!(
        supervisor
            .step(Input::Tick, world.now_ns + NANOS_PER_SEC)
            .is_empty(),
        "effects after the end"
    );
    let wrong: Vec<_> = world
        .notices
        .iter()
        .filter(|text| text.contains("internal error"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let outcome = world.outcome.as_ref().unwrap();
    let Outcome::Finished(summary) = outcome else {
        assert_eq!(world.started, 0, "{outcome:?} after a start");
        return;
    };
    assert_eq!(
        world.started,
        u32::from(summary.tests.iter().any(|test| test.not_run.is_none()))
    );
    assert_eq!(Some(outcome.exit_code()), summary.exit_code);
    for (position, test) in summary.tests.iter().enumerate() {
        assert!(test.account.balances(), "{:?}", test.account);
        if summary.stop_cause == Some(StopCause::Duration) && test.not_run.is_none() {
            let planned = world.plan.schedule(position).count_before(u64::MAX);
            assert_eq!(test.account.planned, planned, "the whole plan is accounted for");
            let lost = summary.workers.iter().any(|worker| worker.end == WorkerEnd::Lost);
            assert!(lost || test.account.lost == 0, "lost without a lost worker");
        }
    }
}

/// A simulation proves nothing about what it never reaches.
#[derive(Debug, Default)]
struct Reached(BTreeMap<String, u32>);

impl Reached {
    fn note(&mut self, outcome: &Outcome) {
        let mut one = |what: String| *self.0.entry(what).or_default() += 1;
        match outcome {
            Outcome::Finished(summary) => {
                one(format!("{:?}", summary.stop_cause));
                one(format!("exit code {:?}", summary.exit_code));
                for worker in &summary.workers {
                    one(format!("{:?}", worker.end));
                }
            }
            Outcome::Aborted(Abort::Worker(_)) => one("aborted by a worker".into()),
            Outcome::LoadFailed(_) => one("load failed".into()),
            Outcome::Aborted(Abort::Signal) | Outcome::Checked { .. } => one(format!("{outcome:?}")),
        }
    }
}

#[test]
fn whatever_happens_the_run_ends_in_time_and_tells_everything() {
    let mut reached = Reached::default();
    for seed in 0..SEEDS {
        reached.note(&simulate(seed));
    }
    for what in [
        "Some(Duration)",
        "Some(Signal)",
        "Some(SecondSignal)",
        "Some(WorkersLost)",
        "None",
        "exit code Some(0)",
        "exit code Some(2)",
        "exit code Some(3)",
        "exit code Some(130)",
        "Done",
        "Killed",
        "Lost",
        "aborted by a worker",
        "load failed",
        "Aborted(Signal)",
        "Checked { passed: false }",
        "Checked { passed: true }",
    ] {
        let times = reached.0.get(what).copied().unwrap_or(0);
        assert!(times > 0, "{what} was never reached: {reached:#?}");
    }
}

#[test]
fn replay() {
    simulate(0);
}
