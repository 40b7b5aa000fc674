//! What the machine makes of what it is told: rows, judgements, single iterations, the figures of workers and machine.

use super::*;
use crate::machine::CpuTicks;
use pysurge_core::series::Row;
use pysurge_core::summary::ThresholdState;
use pysurge_core::threshold::Threshold;
use pysurge_core::verdict::Validity;
use pysurge_core::wire::IterationRecord;

const MS: u64 = S / 1_000;

/// A snapshot of the lone worker, so long after its start: so many claimed, and since the last one so many passed and failed.
fn told(sequence: u64, run_ns: u64, planned: u64, passed: u64, failed: u64) -> Snapshot {
    let mut told = snapshot(sequence, planned, passed);
    told.at_ns = ALONE + run_ns;
    let measures = &mut told.tests[0].measured.measures;
    measures.failed = failed;
    measures.service_time.record_n(S / 100, passed + failed);
    told
}

fn say(machine: &mut Supervisor, snapshot: Snapshot) -> Vec<Effect> {
    let now_ns = snapshot.at_ns + MS;
    machine.step(
        Input::Message(0, FromWorker::Snapshot(Box::new(snapshot))),
        now_ns,
    )
}

/// Drains the lone worker and lets it go.
fn end(machine: &mut Supervisor, last: Snapshot) -> (Vec<Effect>, Summary) {
    let now_ns = last.at_ns + MS;
    let mut effects = machine.step(Input::Message(0, FromWorker::Drained(Box::new(last))), now_ns);
    for input in [
        Input::Message(0, FromWorker::Done),
        Input::Exited(0, Exit::Code(0)),
        Input::Closed(0),
    ] {
        effects.extend(machine.step(input, now_ns));
    }
    match effects.pop() {
        Some(Effect::Finish(Outcome::Finished(summary))) => (effects, *summary),
        other => panic!("not finished: {other:?}"),
    }
}

fn rows(effects: &[Effect]) -> Vec<&Row> {
    let row = |effect| match effect {
        &Effect::Emit(RunEvent::Row(ref row)) => Some(row.as_ref()),
        _ => None,
    };
    effects.iter().filter_map(row).collect()
}

fn aborting(text: &str) -> Plan {
    let mut threshold = Threshold::parse(text).unwrap();
    threshold.abort_on_fail = true;
    Plan {
        thresholds: vec![threshold],
        ..plan(1, None)
    }
}

#[test]
fn every_second_is_told_before_the_progress_of_it() {
    let mut machine = start(&plan(1, Some(3)), 1);
    let mut passed = 0;
    for second in 1..=2 {
        let effects = say(
            &mut machine,
            told(second - 1, second * S + MS, 10 * second, 10, 0),
        );
        let row = rows(&effects)[0];
        assert_eq!((row.from_ns, row.to_ns), ((second - 1) * S, second * S));
        assert_eq!((row.tests[0].planned, row.tests[0].measures.passed), (10, 10));
        passed += 10;
    }
    machine.step(Input::Tick, ALONE + 3 * S);
    let (effects, summary) = end(&mut machine, told(2, 3 * S + MS, 30, 10, 0));
    assert_eq!(rows(&effects).len(), 1);
    assert_eq!(summary.account.passed, passed + 10);
    assert_eq!(summary.blocks.len(), 3);
    assert_eq!(summary.exit_code, Some(0));
}

#[test]
fn a_threshold_stops_the_run_gracefully() {
    let mut machine = start(&aborting("failures < 10%"), 1);
    assert!(stops(&say(&mut machine, told(0, S + MS, 10, 10, 0))).is_empty());
    let now_ns = ALONE + 2 * S + 2 * MS;
    let effects = say(&mut machine, told(1, 2 * S + MS, 20, 4, 6));
    // Nothing more is started, running iterations have their time.
    let stop = stops(&effects)[0];
    assert_eq!((stop.plan_ends_ns, stop.last_start_ns), (now_ns, now_ns));
    assert!(stop.grace_ends_ns > now_ns + S);
    let notice = effects.iter().find_map(|effect| match effect {
        Effect::Emit(RunEvent::Notice { severity, text }) => Some((*severity, text.clone())),
        _ => None,
    });
    let said = "stopping the run: the threshold `failures < 10%` does not hold: 30 %";
    assert_eq!(notice, Some((Severity::Warning, said.to_owned())));
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Emit(RunEvent::Stopping {
            reason: StopReason::Threshold,
            ..
        })
    )));
    // It is told once.
    assert!(stops(&machine.step(Input::Tick, now_ns + 3 * S)).is_empty());
    let (_, summary) = end(&mut machine, told(2, 2 * S + 500 * MS, 21, 1, 0));
    assert_eq!(
        (summary.stop_cause, summary.exit_code),
        (Some(StopCause::Threshold), Some(3))
    );
    assert_eq!(summary.account.planned, 21);
    assert!(summary.thresholds[0].aborted);
}

#[test]
fn in_a_long_run_a_threshold_stops_within_a_second_too() {
    // From 1,201 rows on, two seconds are one row; the first of the two must not wait for the second.
    for bad in [1_203, 1_204] {
        let mut machine = start(&aborting("failures == 0"), 1);
        for second in 1..bad {
            let effects = say(
                &mut machine,
                told(second - 1, second * S + MS, 10 * second, 10, 0),
            );
            assert!(stops(&effects).is_empty(), "{second}");
        }
        let effects = say(&mut machine, told(bad - 1, bad * S + MS, 10 * bad, 9, 1));
        assert_eq!(stops(&effects).len(), 1, "{bad}");
    }
}

#[test]
fn ctrl_c_outweighs_a_threshold() {
    for (requests, cause, exit_code) in [(1, StopCause::Signal, 3), (2, StopCause::SecondSignal, 130)] {
        let mut machine = start(&aborting("failures < 10%"), 1);
        say(&mut machine, told(0, S + MS, 10, 0, 10));
        for _ in 0..requests {
            machine.step(Input::StopRequested, ALONE + S + 5 * MS);
        }
        let (_, summary) = end(&mut machine, told(1, S + 6 * MS, 10, 0, 0));
        assert_eq!(
            (summary.stop_cause, summary.exit_code),
            (Some(cause), Some(exit_code))
        );
    }
}

#[test]
fn thresholds_of_a_run_that_nobody_could_start_are_not_judged() {
    let plan = Plan {
        thresholds: vec![Threshold::parse("failures < 10%").unwrap()],
        ..plan(1, Some(10))
    };
    let mut machine = supervisor(&plan, Mission::Run, 1);
    for message in [
        hello(),
        loaded(1),
        FromWorker::Prepared(vec![Some(startup_error())]),
    ] {
        machine.step(Input::Message(0, message), BEGAN);
    }
    let (_, summary) = end(&mut machine, snapshot(0, 0, 0));
    assert_eq!(summary.exit_code, Some(2));
    assert_eq!(summary.thresholds[0].state, ThresholdState::Pending);
}

#[test]
fn an_invalid_run_is_no_success_where_it_was_to_be_valid() {
    for (require_valid, exit_code) in [(false, 0), (true, 4)] {
        let mut machine = start(&plan(1, Some(1)), 1);
        machine.orders.require_valid = require_valid;
        machine.step(Input::Tick, ALONE + S);
        let mut late = told(0, S + MS, 10, 10, 0);
        late.tests[0].measured.measures.lateness.record_n(S, 10);
        let (_, summary) = end(&mut machine, late);
        assert_eq!(summary.verdict.validity, Validity::Invalid);
        assert_eq!(summary.exit_code, Some(exit_code));
    }
}

#[test]
fn single_iterations_are_passed_on_where_they_can_be_right() {
    let of_test = |test| {
        let iteration = IterationRecord {
            test,
            ..IterationRecord::default()
        };
        Input::Message(0, FromWorker::Iterations(vec![iteration]))
    };
    for (asked, test, before, said) in [
        (true, 0, None, None),
        (
            true,
            1,
            None,
            Some("told of an iteration of test 1, which does not exist"),
        ),
        (
            false,
            0,
            None,
            Some("told of single iterations, which nobody asked for"),
        ),
        (
            true,
            0,
            Some(drained(0, 0, 0)),
            Some("sent Iterations while Drained"),
        ),
    ] {
        let mut machine = start(&plan(1, None), 1);
        machine.orders.iterations = asked;
        machine.step(Input::Tick, ALONE);
        if let Some(message) = before {
            machine.step(Input::Message(0, message), ALONE + 1);
        }
        let effects = machine.step(of_test(test), ALONE + 2);
        let told = effects.iter().any(|effect| {
            matches!(effect, Effect::Emit(RunEvent::Iterations { worker: 0, iterations }) if iterations.len() == 1)
        });
        assert_eq!(told, said.is_none());
        let killed = effects.iter().any(|effect| matches!(effect, Effect::Kill(0)));
        assert_eq!(killed, said.is_some());
        if let Some(said) = said {
            assert!(format!("{effects:?}").contains(said), "{effects:?}");
        }
    }
    let mut early = supervisor(&plan(1, None), Mission::Run, 1);
    early.orders.iterations = true;
    early.step(Input::Message(0, hello()), BEGAN);
    assert!(words(&early.step(of_test(0), BEGAN)).contains(&"kill 0".to_owned()));
}

#[test]
fn workers_and_machine_are_looked_at_while_measured_iterations_are_planned() {
    let mut plan = plan(1, None);
    plan.tests[0].warmup_ns = 3 * S;
    let mut machine = start(&plan, 1);
    let look = |second: u64, busy_percent: u64| {
        Input::Looked(MachineLook {
            cpu: Some(CpuTicks {
                busy: 1_000 + second * busy_percent,
                all: 5_000 + second * 100,
            }),
            swapped_bytes: Some(1_000 * second.min(9)),
            ..MachineLook::default()
        })
    };
    let mut used = told(0, 0, 0, 0, 0);
    used.stood_still_ns = S;
    for second in 1..=12u64 {
        machine.step(look(second, 50), ALONE + second * S);
        if second == 10 {
            machine.step(Input::StopRequested, ALONE + second * S);
        }
        let warm = second <= 3;
        let planned = 10 * second.saturating_sub(3).min(7);
        used = Snapshot {
            // Busy in its warm-up, then for half of the time, and idle after the end.
            cpu_ns: used.cpu_ns
                + if warm {
                    S
                } else if second <= 10 {
                    S / 2
                } else {
                    0
                },
            gil_wait_ns: used.gil_wait_ns + if warm { S } else { S / 10 },
            stood_still_ns: used.stood_still_ns + if second == 5 { 2 * S } else { 0 },
            iterations_untold: 2 * second,
            ..told(
                second - 1,
                second * S + MS,
                planned,
                planned - used.tests[0].measured.planned,
                0,
            )
        };
        used.tests[0].warmup.planned = 30.min(second * 10);
        used.tests[0].warmup.measures.passed = if warm { 10 } else { 0 };
        used.tests[0].threads = 7;
        if second < 12 {
            say(&mut machine, used.clone());
        }
    }
    let (_, summary) = end(&mut machine, used);
    let worker = &summary.workers[0];
    assert!((worker.cpu_share.unwrap() - 0.5).abs() < 1e-9, "{worker:?}");
    assert!((worker.gil_wait_share.unwrap() - 0.1).abs() < 1e-9, "{worker:?}");
    assert!((worker.stood_still_s - 2.0).abs() < 1e-9, "{worker:?}");
    assert_eq!(summary.samples_dropped, 24);
    assert_eq!(summary.machine.cpus, 2);
    assert!((summary.machine.cpu_share.unwrap() - 0.5).abs() < 1e-9);
    // From the last look in the warm-up on.
    assert_eq!(summary.machine.swapped_bytes, Some(7_000));
}

#[test]
fn without_a_gil_a_worker_may_use_every_cpu() {
    let mut machine = start(&plan(1, None), 1);
    machine.workers[0].free_threaded = true;
    for second in 1..=3 {
        let used = Snapshot {
            cpu_ns: 7 * S + second * 2 * S,
            ..told(second - 1, second * S, 10 * second, 10, 0)
        };
        say(&mut machine, used);
    }
    let Effect::Emit(RunEvent::Progress(summary)) = machine
        .step(Input::Tick, ALONE + 3 * S + PROGRESS_LAG_NS)
        .pop()
        .unwrap()
    else {
        panic!("no progress")
    };
    assert_eq!(summary.workers[0].cpu_share, Some(1.0));
}
