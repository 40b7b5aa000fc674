//! What a seed stands for: the plan, the workers and their faults, and what people ask for meanwhile.

use super::actor::{Actor, FAULTS, Fault};
use super::{Event, MS, World};
use crate::machine::{CpuTicks, MachineLook};
use crate::supervisor::Input;
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::control::Command;
use pysurge_core::event::Actor as By;
use pysurge_core::plan::{
    ArrivalProcess, ClosedModel, LatePolicy, Model, OpenModel, Plan, Samples, Shape, Source, SpanRange,
    Stage, TestPlan, Wait,
};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::Factor;
use pysurge_core::threshold::Threshold;

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }
}

/// What people ask for, and when the last of it is asked. Whatever might go on for ever is asked to stop.
pub(super) fn cast_requests(world: &mut World<'_>, began_ns: u64) -> u64 {
    let mut last_ns = began_ns;
    let mut endless = world.plan.duration_ns.is_none();
    if world.dice.one_in(2) {
        endless = true;
        for _ in 0..=world.dice.roll(6) {
            last_ns += world.dice.roll(4_000) * MS;
            let milli = [100, 500, 1_000, 3_000][usize::try_from(world.dice.roll(4)).unwrap()];
            let command = match world.dice.roll(24) {
                0..=7 => Command::Pause,
                8..=14 => Command::Resume,
                15..=20 => Command::Scale(Factor::from_milli(milli).unwrap()),
                21 => Command::Status,
                22 => Command::Stop,
                _ => Command::StopNow,
            };
            let input = if world.dice.one_in(6) {
                Input::SuspendRequested
            } else {
                Input::Asked(command, By::Socket)
            };
            world.later(last_ns, Event::Input(input));
        }
        // Late enough for most plans to end by themselves.
        last_ns += world.dice.roll(60_000) * MS;
    }
    let requests = if endless || world.dice.one_in(3) {
        1 + world.dice.roll(4)
    } else {
        0
    };
    for _ in 0..requests {
        last_ns += world.dice.roll(15_000) * MS;
        world.later(last_ns, Event::Input(Input::StopRequested));
    }
    last_ns
}

pub(super) fn cast_plan(dice: &mut Dice) -> Plan {
    let tests = 1 + dice.roll(3);
    Plan {
        duration_ns: (!dice.one_in(4)).then(|| dice.roll(20_000) * MS + 1),
        graceful_stop_ns: dice.one_in(4).then(|| dice.roll(5_000) * MS),
        thresholds: cast_thresholds(dice),
        ..Plan::new("n", (0..tests).map(|_| cast_test(dice)).collect())
    }
}

/// A quarter of all iterations fails.
fn cast_thresholds(dice: &mut Dice) -> Vec<Threshold> {
    let texts = [
        "failures < 50%",
        "failures < 1%",
        "service_time.p99 < 1s for 2s",
        "service_time.p50 < 1us in 50% of seconds",
        "rate > 1/s",
        "teardown.max < 1s",
    ];
    let mut thresholds = Vec::new();
    while dice.one_in(3) {
        let text = texts[usize::try_from(dice.roll(texts.len() as u64)).unwrap()];
        let mut threshold = Threshold::parse(text).unwrap();
        threshold.abort_on_fail = dice.one_in(3);
        threshold.after_ns = dice.roll(3) * NANOS_PER_SEC;
        thresholds.push(threshold);
    }
    thresholds
}

/// The machine is looked at every second for a while.
pub(super) fn cast_looks(world: &mut World<'_>, began_ns: u64) {
    let from_ns = began_ns + world.dice.roll(1_000) * MS;
    for second in 0..20 {
        let look = MachineLook {
            cpu: Some(CpuTicks {
                busy: second * 50,
                all: second * 200,
            }),
            ..MachineLook::default()
        };
        world.later(
            from_ns + second * NANOS_PER_SEC,
            Event::Input(Input::Looked(look)),
        );
    }
}

fn cast_test(dice: &mut Dice) -> TestPlan {
    let mut pick = |from: &[&str]| {
        let text = from[usize::try_from(dice.roll(from.len() as u64)).unwrap()];
        Rate::parse(text).unwrap()
    };
    let (rate, other) = (pick(&["0.3", "7", "1000"]), pick(&["1", "90"]));
    let source = match dice.roll(6) {
        0 => {
            let stage = |rate, jump, dice: &mut Dice| Stage {
                duration_ns: dice.roll(9_000) * MS + 1,
                rate,
                jump,
            };
            Source::Stages {
                start_rate: Rate::ZERO,
                stages: vec![stage(rate, false, dice), stage(other, dice.one_in(2), dice)],
            }
        }
        1 => Source::Shape(Shape {
            function: "a.f".into(),
            samples: None,
        }),
        _ => Source::Rate(rate),
    };
    let model = if dice.one_in(4) {
        let range = SpanRange {
            min_ns: 20 * MS,
            max_ns: 300 * MS,
        };
        Model::Closed(ClosedModel {
            users: 1 + u32::try_from(dice.roll(6)).unwrap(),
            wait: [Wait::ThinkTime(range), Wait::Pacing(range)][usize::from(dice.one_in(2))],
            ramp_up_ns: dice.roll(2) * NANOS_PER_SEC,
            seed: dice.roll(100),
        })
    } else {
        Model::Open(OpenModel {
            source,
            process: [ArrivalProcess::Constant, ArrivalProcess::Poisson][usize::from(dice.one_in(4))],
            seed: dice.roll(100),
            late: LatePolicy::Queue,
        })
    };
    TestPlan {
        start_delay_ns: if dice.one_in(4) { dice.roll(3_000) * MS } else { 0 },
        warmup_ns: if dice.one_in(3) { dice.roll(5_000) * MS } else { 0 },
        duration_ns: dice.one_in(4).then(|| dice.roll(9_000) * MS + 1),
        iterations: dice.one_in(3).then(|| 1 + dice.roll(300)),
        graceful_stop_ns: dice.one_in(6).then(|| dice.roll(5_000) * MS),
        thresholds: cast_thresholds(dice),
        ..TestPlan::new("a.B", model)
    }
}

pub(super) fn samples_of(test: &TestPlan) -> Option<Samples> {
    match &test.model {
        Model::Open(open) if matches!(open.source, Source::Shape(_)) => Some(Samples {
            step_ns: 2 * NANOS_PER_SEC,
            rates: ["5", "80", "1"].map(|rate| Rate::parse(rate).unwrap()).into(),
        }),
        _ => None,
    }
}

/// A worker, of which so many out of a hundred have a fault.
pub(super) fn cast_actor(dice: &mut Dice, faulty: u64, slot: usize, life: u32, tests: usize) -> Actor {
    let fault = if dice.roll(100) < faulty {
        FAULTS[usize::try_from(dice.roll(FAULTS.len() as u64)).unwrap()]
    } else {
        Fault::None
    };
    Actor {
        slot,
        life,
        unborn: false,
        fault,
        fault_at: 1 + dice.roll(12),
        said: 0,
        silent: false,
        dead: false,
        held_open: dice.one_in(20),
        last_delivery_ns: 0,
        last_receipt_ns: 0,
        tests,
        run: None,
        last_stop: None,
        drained: false,
        reaped: 0,
    }
}
