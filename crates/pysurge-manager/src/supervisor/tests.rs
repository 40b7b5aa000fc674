//! Tables of the machine: what goes in, what must come out, in which order.

mod control;
mod measuring;
mod missions;
mod rehearsing;
mod replacing;

use super::*;
use crate::clock::Epoch;
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::VERSION;
use pysurge_core::measure::Measures;
use pysurge_core::plan::{ClosedModel, Model, TestPlan, Wait};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::Stripe;
use pysurge_core::summary::{StopCause, Summary, WorkerEnd};
use pysurge_core::wire::{
    Deal, Hello, LoadFault, PROTOCOL, PartSnapshot, Snapshot, StartupError, TestSnapshot,
};

const S: u64 = NANOS_PER_SEC;
const BEGAN: u64 = 1_000 * S;
/// When two workers start, and when one does.
const STARTED: u64 = BEGAN + 22_000_000;
const ALONE: u64 = BEGAN + 21_000_000;

fn plan(tests: usize, duration_s: Option<u64>) -> Plan {
    let test = TestPlan::new("a.B", Model::constant(Rate::parse("10").unwrap()));
    Plan {
        duration_ns: duration_s.map(|s| s * S),
        ..Plan::new("n", vec![test; tests])
    }
}

/// One test of the closed model.
fn closed(users: u32, iterations: Option<u64>) -> Plan {
    let mut plan = plan(1, None);
    plan.tests[0].iterations = iterations;
    plan.tests[0].model = Model::Closed(ClosedModel {
        users,
        wait: Wait::None,
        ramp_up_ns: 0,
        seed: 0,
    });
    plan
}

fn supervisor(plan: &Plan, mission: Mission, workers: u32) -> Supervisor {
    let orders = Orders {
        plan: plan.clone(),
        mission,
        workers_of_run: workers,
        limits: Limits::default(),
        cpus: 2,
        debug: false,
        rehearsal: false,
        iterations: false,
        require_valid: false,
        import_first: vec![],
        import_last: vec![],
        deadlines: Deadlines::default(),
        epoch: Epoch {
            at_ns: BEGAN,
            wall_ns: 0,
        },
    };
    let pids: Vec<u32> = (0..workers).map(|n| 100 + n).collect();
    Supervisor::new(orders, &pids, BEGAN)
}

fn hello() -> FromWorker {
    FromWorker::Hello(Hello {
        protocol: PROTOCOL,
        version: VERSION.into(),
        pid: 1,
        python: "3".into(),
        free_threaded: false,
    })
}

fn loaded(tests: usize) -> FromWorker {
    let info = TestInfo {
        label: "<B>".into(),
        summary: String::new(),
        ..TestInfo::default()
    };
    FromWorker::Loaded(vec![Ok(info); tests])
}

fn startup_error() -> StartupError {
    StartupError {
        class: "a.B".into(),
        message: "OSError: gone".into(),
        traceback: String::new(),
    }
}

fn snapshot(sequence: u64, planned: u64, passed: u64) -> Snapshot {
    Snapshot {
        sequence,
        tests: vec![TestSnapshot {
            measured: PartSnapshot {
                planned,
                measures: Measures {
                    passed,
                    ..Measures::default()
                },
                ..PartSnapshot::default()
            },
            ..TestSnapshot::default()
        }],
        ..Snapshot::default()
    }
}

fn measured(sequence: u64, planned: u64, passed: u64) -> FromWorker {
    FromWorker::Snapshot(Box::new(snapshot(sequence, planned, passed)))
}

/// A worker that has drained ends well.
fn bye(machine: &mut Supervisor, number: usize, now_ns: u64) -> Vec<Effect> {
    machine.step(Input::Message(number, FromWorker::Done), now_ns);
    machine.step(Input::Closed(number), now_ns);
    machine.step(Input::Exited(number, Exit::Code(0)), now_ns)
}

fn finished(effects: Vec<Effect>) -> Box<Summary> {
    match outcome(effects) {
        Outcome::Finished(summary) => summary,
        other => panic!("not finished: {other:?}"),
    }
}

fn drained(sequence: u64, planned: u64, passed: u64) -> FromWorker {
    FromWorker::Drained(Box::new(snapshot(sequence, planned, passed)))
}

/// Effects in one word each, but for rows of the time series, which have tables of their own.
fn words(effects: &[Effect]) -> Vec<String> {
    let is_row = |effect: &&Effect| matches!(effect, Effect::Emit(RunEvent::Second(_) | RunEvent::Row(_)));
    let word = |effect: &Effect| match effect {
        Effect::Send(number, message) => {
            let message = format!("{message:?}");
            format!("{} to {number}", message.split(['(', ' ']).next().unwrap())
        }
        Effect::Spawn(number, place) => format!("spawn {number} in {place}"),
        Effect::Kill(number) => format!("kill {number}"),
        Effect::Reap(number) => format!("reap {number}"),
        Effect::Emit(event) => {
            let event = format!("{event:?}");
            event.split(['(', ' ']).next().unwrap().to_owned()
        }
        Effect::Answer(_) => "answer".to_owned(),
        Effect::Suspend => "suspend".to_owned(),
        Effect::Finish(_) => "finish".to_owned(),
    };
    effects
        .iter()
        .filter(|effect| !is_row(effect))
        .map(word)
        .collect()
}

/// Leads every worker to the start.
fn start(plan: &Plan, workers: u32) -> Supervisor {
    let mut machine = supervisor(plan, Mission::Run, workers);
    let tests = plan.tests.len();
    for message in [hello(), loaded(tests), FromWorker::Prepared(vec![None; tests])] {
        for number in 0..workers as usize {
            machine.step(Input::Message(number, message.clone()), BEGAN);
        }
    }
    assert!(matches!(machine.phase, Phase::Running(_)));
    machine
}

fn stops(effects: &[Effect]) -> Vec<Stop> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(_, ToWorker::Stop(stop)) => Some(*stop),
            _ => None,
        })
        .collect()
}

fn notices(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Emit(RunEvent::Notice { text, .. }) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn outcome(effects: Vec<Effect>) -> Outcome {
    match effects.into_iter().last() {
        Some(Effect::Finish(outcome)) => outcome,
        other => panic!("not finished: {other:?}"),
    }
}

#[test]
fn a_run_goes_through_its_states_in_step() {
    let plan = plan(1, Some(10));
    let mut machine = supervisor(&plan, Mission::Run, 2);
    let message = Input::Message;
    for (input, now_ns, expected) in [
        (message(0, hello()), BEGAN, vec!["Opened", "Load to 0"]),
        (message(0, loaded(1)), BEGAN, vec![]),
        (message(1, hello()), BEGAN, vec!["Load to 1"]),
        (
            message(1, loaded(1)),
            BEGAN,
            vec!["Loaded", "Prepare to 0", "Prepare to 1"],
        ),
        (message(1, FromWorker::Prepared(vec![None])), BEGAN, vec![]),
        (
            message(0, FromWorker::Prepared(vec![None])),
            BEGAN,
            vec!["Start to 0", "Start to 1", "Started"],
        ),
        (message(0, measured(0, 5, 5)), STARTED + S, vec![]),
        (message(1, measured(0, 5, 5)), STARTED + S, vec![]),
        (Input::Tick, STARTED + S + PROGRESS_LAG_NS, vec!["Progress"]),
        (Input::Tick, STARTED + 10 * S - 1, vec!["Progress"]),
        (
            Input::Tick,
            STARTED + 10 * S,
            vec!["Stopping", "Stop to 0", "Stop to 1"],
        ),
        (message(0, drained(1, 50, 45)), STARTED + 10 * S, vec![]),
        (message(0, FromWorker::Done), STARTED + 10 * S, vec![]),
        (Input::Closed(0), STARTED + 10 * S, vec![]),
        (Input::Exited(0, Exit::Code(0)), STARTED + 10 * S, vec!["reap 0"]),
        (message(1, drained(1, 50, 45)), STARTED + 10 * S + 7, vec![]),
        (message(1, FromWorker::Done), STARTED + 10 * S + 8, vec![]),
        (Input::Exited(1, Exit::Code(0)), STARTED + 10 * S + 8, vec![]),
    ] {
        let said = format!("{input:?}");
        assert_eq!(words(&machine.step(input, now_ns)), expected, "{said}");
    }
    let last = machine.step(Input::Closed(1), STARTED + 10 * S + 9);
    assert_eq!(words(&last), ["reap 1", "finish"]);
    let summary = finished(last);
    assert_eq!((summary.account.planned, summary.account.passed), (100, 100));
    assert_eq!(summary.exit_code, Some(0));
    assert!((summary.elapsed_s - 10.000_000_007).abs() < 1e-9);
    assert_eq!(summary.started_at, "1970-01-01T00:00:00.022Z");
}

#[test]
fn a_test_is_striped_over_the_workers_whose_startup_succeeded() {
    let plan = plan(2, Some(10));
    let mut machine = supervisor(&plan, Mission::Run, 3);
    let mut effects = Vec::new();
    for number in 0..3 {
        machine.step(Input::Message(number, hello()), BEGAN);
    }
    for number in 0..3 {
        machine.step(Input::Message(number, loaded(2)), BEGAN);
    }
    for number in 0..3 {
        let failed = (number == 0).then(startup_error);
        let prepared = FromWorker::Prepared(vec![failed, Some(startup_error())]);
        effects = machine.step(Input::Message(number, prepared), BEGAN);
    }
    let deals: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(_, ToWorker::Start(start)) => Some(start.deals.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        deals,
        [vec![None, None], vec![half(0), None], vec![half(1), None]]
    );
}

#[test]
fn deadlines_of_a_stop_come_only_nearer() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    let graceful = stops(&machine.step(Input::StopRequested, ALONE + 2 * S))[0];
    assert_eq!(
        graceful,
        Stop {
            plan_ends_ns: ALONE + 2 * S,
            last_start_ns: ALONE + 2 * S,
            grace_ends_ns: ALONE + 33 * S,
            shutdown_timeout_ns: 10 * S,
        }
    );
    let forced = stops(&machine.step(Input::StopRequested, ALONE + 5 * S))[0];
    assert_eq!(
        forced,
        Stop {
            grace_ends_ns: ALONE + 5 * S,
            ..graceful
        }
    );
    // A third request kills; the run is told of as stopped by force, though every worker is gone.
    let killed = machine.step(Input::StopRequested, ALONE + 5 * S + 1);
    assert_eq!(words(&killed), ["Notice", "kill 0"]);
    machine.step(Input::Exited(0, Exit::Signal(9)), ALONE + 6 * S);
    let summary = finished(machine.step(Input::Closed(0), ALONE + 6 * S));
    assert_eq!(
        (summary.stop_cause, summary.exit_code),
        (Some(StopCause::SecondSignal), Some(130))
    );
    assert_eq!((summary.account.planned, summary.account.lost), (20, 20));
}

#[test]
fn a_request_in_the_grace_period_leaves_the_plan_as_it_was() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    let planned = stops(&machine.step(Input::Tick, ALONE + 10 * S))[0];
    assert_eq!(planned.last_start_ns, ALONE + 11 * S);
    let asked = stops(&machine.step(Input::StopRequested, ALONE + 10 * S + 5))[0];
    assert_eq!(
        asked,
        Stop {
            last_start_ns: ALONE + 10 * S + 5,
            ..planned
        }
    );
}

#[test]
fn a_worker_that_dies_leaves_the_others_running() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 2);
    machine.step(Input::Message(1, measured(0, 5, 5)), STARTED + S);
    machine.step(Input::Tick, STARTED + 10 * S);
    machine.step(Input::Exited(1, Exit::Signal(9)), STARTED + 10 * S);
    let buried = machine.step(Input::Closed(1), STARTED + 10 * S);
    assert_eq!(words(&buried), ["kill 1", "reap 1", "Notice"]);
    assert_eq!(
        notices(&buried),
        ["worker 2 (pid 101) was killed by signal 9 (SIGKILL); what it had not told is lost"]
    );
    machine.step(Input::Message(0, drained(0, 50, 50)), STARTED + 10 * S);
    let summary = finished(bye(&mut machine, 0, STARTED + 10 * S));
    assert_eq!(
        (
            summary.account.planned,
            summary.account.passed,
            summary.account.lost
        ),
        (100, 55, 45)
    );
    assert_eq!(summary.workers[1].end, WorkerEnd::Lost);
    assert_eq!(
        summary.workers[1].death.as_deref(),
        Some("killed by signal 9 (SIGKILL)")
    );
    assert_eq!(summary.exit_code, Some(0));
}

#[test]
fn messages_written_before_death_count_though_the_exit_was_seen_first() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    machine.step(Input::Tick, ALONE + 10 * S);
    machine.step(Input::Exited(0, Exit::Code(0)), ALONE + 10 * S + 1);
    machine.step(Input::Message(0, drained(0, 100, 100)), ALONE + 10 * S + 2);
    machine.step(Input::Message(0, FromWorker::Done), ALONE + 10 * S + 3);
    let summary = finished(machine.step(Input::Closed(0), ALONE + 10 * S + 4));
    assert_eq!(
        (summary.account.lost, summary.workers[0].end),
        (0, WorkerEnd::Done)
    );
}

#[test]
fn every_state_has_a_deadline_that_kills() {
    let plan = plan(1, Some(10));
    let deadlines = Deadlines::default();
    let end = ALONE + 10 * S;
    let says = |message: FromWorker| Some(Input::Message(0, message));
    let script = [
        (None, BEGAN, BEGAN + deadlines.hello_ns),
        (says(hello()), BEGAN, BEGAN + deadlines.load_ns),
        (says(loaded(1)), BEGAN, BEGAN + deadlines.prepare_ns),
        (says(FromWorker::Prepared(vec![None])), BEGAN, 0),
        (Some(Input::Tick), end, end + 31 * S + deadlines.margin_ns),
        (
            says(drained(0, 100, 100)),
            end,
            end + deadlines.shutdown_ns + deadlines.margin_ns,
        ),
        (says(FromWorker::Done), end, end + deadlines.exit_ns),
    ];
    for length in 1..=script.len() {
        let mut machine = supervisor(&plan, Mission::Run, 1);
        let mut due_ns = 0;
        for (input, now_ns, deadline_ns) in &script[..length] {
            let input = match input {
                Some(Input::Message(0, message)) => Input::Message(0, message.clone()),
                _ => Input::Tick,
            };
            machine.step(input, *now_ns);
            due_ns = *deadline_ns;
        }
        if due_ns == 0 {
            // A running worker may run as long as the plan does.
            continue;
        }
        assert!(
            !words(&machine.step(Input::Tick, due_ns - 1)).contains(&"kill 0".into()),
            "{length}"
        );
        assert!(
            words(&machine.step(Input::Tick, due_ns)).contains(&"kill 0".into()),
            "{length}"
        );
        // And where even that does not help, it is given up.
        let last = machine.step(Input::Tick, due_ns + deadlines.reap_ns);
        assert_eq!(
            words(&last).last().map(String::as_str),
            Some("finish"),
            "{length}"
        );
    }
}

#[test]
fn nonsense_before_the_start_aborts_the_run() {
    let plan = plan(1, Some(10));
    let wrong_version = FromWorker::Hello(Hello {
        protocol: PROTOCOL + 1,
        version: VERSION.into(),
        pid: 1,
        python: "3".into(),
        free_threaded: false,
    });
    let theirs = format!("(protocol {}) and not of", PROTOCOL + 1);
    for (messages, said) in [
        (vec![wrong_version], theirs.as_str()),
        (vec![FromWorker::Done], "sent Done while Greeting"),
        (vec![hello(), hello()], "sent Hello while Loading"),
        (vec![hello(), loaded(2)], "did not tell of every test it loaded"),
        (
            vec![hello(), loaded(1), FromWorker::Prepared(vec![])],
            "did not tell of every startup",
        ),
    ] {
        let mut machine = supervisor(&plan, Mission::Run, 1);
        for message in messages {
            machine.step(Input::Message(0, message), BEGAN);
        }
        machine.step(Input::Closed(0), BEGAN);
        let Outcome::Aborted(Abort::Worker(text)) =
            outcome(machine.step(Input::Exited(0, Exit::Signal(9)), BEGAN))
        else {
            panic!("{said}: not aborted")
        };
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn worker_0_tells_first_why_tests_cannot_be_loaded() {
    let plan = plan(1, Some(10));
    let failed = |message: &str| {
        FromWorker::Loaded(vec![Err(LoadError {
            fault: LoadFault::Import,
            message: message.into(),
            hint: None,
            traceback: String::new(),
        })])
    };
    for (first, second, expected) in [
        (failed("zero"), failed("one"), "zero"),
        (loaded(1), failed("one"), "one"),
    ] {
        let mut machine = supervisor(&plan, Mission::Run, 2);
        machine.step(Input::Message(0, hello()), BEGAN);
        machine.step(Input::Message(1, hello()), BEGAN);
        machine.step(Input::Message(1, second), BEGAN);
        let effects = machine.step(Input::Message(0, first), BEGAN);
        assert_eq!(words(&effects), ["LoadFailed", "Stop to 0", "Stop to 1"]);
        let Effect::Emit(RunEvent::LoadFailed(errors)) = &effects[0] else {
            panic!("it said so")
        };
        assert_eq!(
            errors[0].as_ref().map(|error| error.message.as_str()),
            Some(expected)
        );
    }
}

#[test]
fn figures_that_do_not_add_up_are_an_internal_error() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    machine.step(Input::Tick, ALONE + 10 * S);
    machine.step(Input::Message(0, drained(0, 100, 99)), ALONE + 10 * S);
    let effects = bye(&mut machine, 0, ALONE + 10 * S);
    assert_eq!(words(&effects), ["reap 0", "Notice", "finish"]);
    let summary = finished(effects);
    assert!(summary.account.balances());
    assert_eq!(summary.account.lost, 1);
}

#[test]
fn nonsense_after_the_start_costs_the_worker_alone() {
    let plan = plan(1, Some(10));
    for (message, said) in [
        (measured(1, 5, 5), "sent snapshot 1 where 0 was due"),
        (drained(3, 5, 5), "sent snapshot 3 where 0 was due"),
        (
            FromWorker::Snapshot(Box::default()),
            "told of 0 tests where there are 1",
        ),
        (FromWorker::Done, "sent Done while Running"),
    ] {
        let mut machine = start(&plan, 2);
        let effects = machine.step(Input::Message(0, message), STARTED + S / 2);
        assert_eq!(
            words(&effects),
            ["kill 0", "Deal to 1", "spawn 2 in 0", "Notice"],
            "{said}"
        );
        assert_eq!(
            notices(&effects),
            [format!(
                "worker 1 (pid 100) {said} and was killed; worker 2 takes over its part; another is started in its place"
            )]
        );
        // It is not listened to any more.
        machine.step(Input::Message(0, measured(0, 5, 5)), STARTED + S / 2);
        machine.step(Input::Closed(0), STARTED + S / 2);
        machine.step(Input::Exited(0, Exit::Signal(9)), STARTED + S / 2);
        assert_eq!(machine.workers[0].end, WorkerEnd::Lost);
        assert!(machine.workers[1].listens());
    }
}

#[test]
fn the_loss_of_every_worker_outweighs_a_graceful_stop() {
    let plan = plan(1, Some(10));
    for (requests, cause, exit_code) in [
        (0, StopCause::WorkersLost, 3),
        (1, StopCause::WorkersLost, 3),
        (2, StopCause::SecondSignal, 130),
    ] {
        let mut machine = start(&plan, 1);
        for _ in 0..requests {
            machine.step(Input::StopRequested, ALONE + S);
        }
        machine.step(Input::Closed(0), ALONE + 2 * S);
        let mut last = machine.step(Input::Exited(0, Exit::Signal(11)), ALONE + 2 * S);
        if requests == 0 {
            // Nobody can be started in its place.
            machine.step(Input::SpawnFailed(1, "no".into()), ALONE + 2 * S);
            last = machine.step(Input::SpawnFailed(2, "no".into()), ALONE + 2 * S);
        }
        let summary = finished(last);
        assert_eq!(
            (summary.stop_cause, summary.exit_code),
            (Some(cause), Some(exit_code))
        );
        let planned = if requests == 0 { 20 } else { 10 };
        assert_eq!(
            (summary.account.planned, summary.account.lost),
            (planned, planned)
        );
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as it is dealt")]
fn half(worker: u32) -> Option<Deal> {
    Some(Deal::Arrivals {
        from: 0,
        stripe: Stripe { worker, workers: 2 },
    })
}
