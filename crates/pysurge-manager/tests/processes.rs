//! The manager against workers that are real processes, without Python: good ones, dying ones, and ones that do not end.

mod common;

use common::{MS, Ran, plan, run, run_and, settings};
use pysurge_core::event::{RunEvent, StopReason};
use pysurge_core::summary::{Status, StopCause, WorkerEnd};
use pysurge_core::verdict::Validity;
use pysurge_manager::{Abort, Deadlines, ManagerError, Mission, Outcome, Settings};
use rustix::process::{Signal, getpid, kill_process};

fn assert_one_finish(ran: &Ran) {
    assert_eq!(ran.count(|event| matches!(event, RunEvent::Finished(_))), 1);
    assert!(matches!(ran.events.last(), Some(RunEvent::Finished(_))));
    assert_eq!(
        ran.count(|event| matches!(event, RunEvent::Notice { text, .. } if text.contains("internal"))),
        0,
        "{:?}",
        ran.notices()
    );
}

#[test]
fn a_good_run_fires_exactly_the_plan() {
    let ran = run(&plan(Some(1_200)), settings(&["good"], 3));
    assert_one_finish(&ran);
    let summary = ran.summary();
    assert_eq!((summary.status, summary.exit_code), (Status::Finished, Some(0)));
    assert_eq!(summary.stop_cause, Some(StopCause::Duration));
    assert_eq!((summary.account.planned, summary.account.passed), (180, 180));
    assert_eq!(summary.tests[0].account.passed, 120);
    assert_eq!(summary.verdict.validity, Validity::Valid);
    assert!((summary.duration_s - 1.2).abs() < 1e-9 && summary.elapsed_s >= 1.2);
    assert!((summary.tests[0].achieved_rate_per_s - 100.0).abs() < 1e-9);
    assert!(summary.workers.iter().all(|worker| worker.end == WorkerEnd::Done));
    assert_eq!(ran.notices(), Vec::<&str>::new());
    assert_eq!(ran.count(|event| matches!(event, RunEvent::Progress(_))), 1);
    assert_eq!(ran.outcome.exit_code(), 0);
}

#[test]
fn a_worker_that_dies_before_the_start_aborts_the_run_with_its_last_words() {
    for (mode, exit, words) in [
        ("exit-early", "exited with code 3", "no module named nowhere"),
        (
            "die-in-startup",
            "was killed by signal 6 (SIGABRT)",
            "double free or corruption",
        ),
        ("stranger", "is of pysurge 0.0.0", ""),
    ] {
        let ran = run(&plan(Some(60_000)), settings(&[mode], 2));
        let Outcome::Aborted(Abort::Worker(text)) = &ran.outcome else {
            panic!("{mode}: {:?}", ran.outcome)
        };
        assert!(text.contains(exit) && text.contains(words), "{mode}: {text}");
        assert_eq!(ran.outcome.exit_code(), 2);
        assert_eq!(
            ran.count(|event| matches!(event, RunEvent::Started { .. } | RunEvent::Finished(_))),
            0
        );
    }
}

#[test]
fn a_worker_that_never_says_hello_is_killed() {
    let mut settings = settings(&["mute"], 2);
    settings.deadlines.hello_ns = 200 * MS;
    let ran = run(&plan(Some(60_000)), settings);
    let Outcome::Aborted(Abort::Worker(text)) = &ran.outcome else {
        panic!("{:?}", ran.outcome)
    };
    assert!(
        text.contains("did not say hello in time and was killed before the start"),
        "{text}"
    );
}

#[test]
fn a_worker_that_fails_while_it_fires_is_lost_alone() {
    for (mode, said) in [
        (
            "abort",
            "was killed by signal 6 (SIGABRT); worker 1 takes over its part; no other is started in its place: the run ends soon",
        ),
        ("garbage", "sent garbage"),
        ("half-frame", "closed its channel but did not exit and was killed"),
        ("gap", "sent snapshot 5 where 0 was due and was killed"),
        ("ignore-stop", "did not stop by its deadline and was killed"),
        ("freeze", "did not stop by its deadline and was killed"),
    ] {
        let ran = run(&plan(Some(400)), settings(&[mode, "1"], 2));
        assert_one_finish(&ran);
        let summary = ran.summary();
        assert!(
            ran.notices()
                .iter()
                .any(|text| text.starts_with("worker 2 (pid ") && text.contains(said)),
            "{mode}: {:?}",
            ran.notices()
        );
        assert!(summary.account.balances(), "{mode}: {:?}", summary.account);
        assert_eq!(summary.account.planned, 60, "{mode}");
        let (told, lost) = (summary.account.passed, summary.account.lost);
        assert!(told >= 30, "{mode}: the good worker's half is told: {told}");
        assert_eq!(lost > 0, mode != "ignore-stop", "{mode}: {lost} lost");
        let ends: Vec<WorkerEnd> = summary.workers.iter().map(|worker| worker.end).collect();
        assert_eq!(ends, [WorkerEnd::Done, WorkerEnd::Lost], "{mode}");
        assert!(summary.workers[1].death.is_some());
        assert_eq!(
            (summary.exit_code, summary.stop_cause),
            (Some(0), Some(StopCause::Duration))
        );
    }
}

#[test]
fn when_every_worker_is_lost_the_run_ends_at_once() {
    let ran = run(&plan(None), settings(&["abort"], 2));
    assert_one_finish(&ran);
    let summary = ran.summary();
    assert_eq!(
        (summary.stop_cause, summary.exit_code),
        (Some(StopCause::WorkersLost), Some(3))
    );
    assert!(summary.account.balances());
}

#[test]
fn a_worker_that_told_all_and_hangs_then_is_killed_with_its_figures() {
    for (mode, end, said) in [
        (
            "hang-in-shutdown",
            WorkerEnd::Killed,
            "did not end its shutdown in time",
        ),
        ("hang-at-exit", WorkerEnd::Done, "was done but did not exit"),
    ] {
        let ran = run(&plan(Some(200)), settings(&[mode, "0"], 2));
        assert_one_finish(&ran);
        let summary = ran.summary();
        assert_eq!(
            (summary.account.planned, summary.account.passed),
            (30, 30),
            "{mode}"
        );
        assert_eq!(summary.workers[0].end, end);
        assert!(
            ran.notices().iter().any(|text| text.contains(said)),
            "{:?}",
            ran.notices()
        );
        assert_eq!(summary.exit_code, Some(0));
    }
}

#[test]
fn floods_of_output_are_read_whole_and_hold_nothing_up() {
    let ran = run(&plan(Some(300)), settings(&["flood", "0"], 2));
    assert_one_finish(&ran);
    assert_eq!(ran.lines().len(), 100_000);
    assert_eq!(
        ran.lines()[99_999],
        "line 99999 of a flood that no reader asked for"
    );
    assert_eq!(ran.summary().account.passed, 45);
}

#[test]
fn a_grandchild_on_the_pipe_holds_nothing_up() {
    let mut settings = settings(&["grandchild", "0"], 1);
    settings.env.push(("MAY_LINGER".into(), "1".into()));
    let ran = run(&plan(Some(100)), settings);
    assert_one_finish(&ran);
    assert_eq!(ran.summary().workers[0].end, WorkerEnd::Done);
}

#[test]
fn what_a_crashed_worker_had_started_goes_with_it() {
    let ran = run(&plan(Some(100)), settings(&["orphan", "0"], 2));
    assert_eq!(ran.summary().workers[0].end, WorkerEnd::Lost);
}

#[test]
#[cfg(target_os = "linux")]
fn no_worker_holds_anothers_channel() {
    let ran = run(&plan(Some(100)), settings(&["descriptors"], 3));
    assert_eq!(ran.lines(), ["sockets: 1"; 3]);
}

#[test]
fn classes_that_cannot_be_loaded_end_the_run_before_any_load() {
    let ran = run(&plan(Some(60_000)), settings(&["load-error", "1"], 2));
    let Outcome::LoadFailed(errors) = &ran.outcome else {
        panic!("{:?}", ran.outcome)
    };
    let messages: Vec<_> = errors
        .iter()
        .flatten()
        .map(|error| error.message.as_str())
        .collect();
    assert_eq!(messages, ["no class a.A", "no class a.B"]);
    assert_eq!(ran.outcome.exit_code(), 2);
    assert_eq!(ran.count(|event| matches!(event, RunEvent::LoadFailed(_))), 1);
}

#[test]
fn a_startup_that_fails_in_one_worker_leaves_the_whole_rate_to_the_others() {
    let ran = run(&plan(Some(200)), settings(&["startup-fails", "0"], 3));
    let summary = ran.summary();
    assert_eq!((summary.account.planned, summary.account.passed), (30, 30));
    assert_eq!(summary.tests[0].workers, 2);
    assert_eq!(
        (summary.verdict.validity, summary.exit_code),
        (Validity::Degraded, Some(0))
    );
    // One class, two tests, one attempt.
    assert_eq!(
        ran.count(|event| matches!(event, RunEvent::StartupFailed { .. })),
        1
    );
}

#[test]
fn where_no_startup_succeeds_nothing_is_fired() {
    let ran = run(&plan(Some(60_000)), settings(&["startup-fails"], 2));
    assert_one_finish(&ran);
    let summary = ran.summary();
    assert_eq!(summary.exit_code, Some(2));
    assert_eq!(
        summary.tests[0].not_run.as_deref(),
        Some("startup failed: OSError: no database")
    );
    assert_eq!(ran.count(|event| matches!(event, RunEvent::Started { .. })), 0);
}

#[test]
fn a_rehearsal_fires_nothing() {
    for (mode, passed) in [
        ("good", true),
        ("rehearsal-fails", false),
        ("startup-fails", false),
    ] {
        let mut settings = settings(&[mode], 4);
        settings.mission = Mission::Check;
        let ran = run(&plan(Some(60_000)), settings);
        assert_eq!(ran.outcome, Outcome::Checked { passed }, "{mode}");
        let rehearsed = ran.count(|event| matches!(event, RunEvent::Rehearsed(_)));
        assert_eq!(rehearsed, if mode == "startup-fails" { 0 } else { 2 }, "{mode}");
    }
}

#[test]
fn requests_to_stop_climb_the_rungs() {
    for (mode, requests, cause, exit_code, end) in [
        ("good", 1, StopCause::Signal, 0, WorkerEnd::Done),
        ("good", 2, StopCause::SecondSignal, 130, WorkerEnd::Done),
        ("ignore-stop", 2, StopCause::SecondSignal, 130, WorkerEnd::Lost),
        ("freeze", 3, StopCause::SecondSignal, 130, WorkerEnd::Lost),
    ] {
        let ran = run_and(&plan(None), settings(&[mode], 2), |event, stop| {
            if matches!(event, RunEvent::Progress(_)) {
                for _ in 0..requests {
                    stop.request();
                }
            }
        });
        assert_one_finish(&ran);
        let summary = ran.summary();
        assert_eq!(
            (summary.stop_cause, summary.exit_code),
            (Some(cause), Some(exit_code)),
            "{mode} {requests}"
        );
        assert!(summary.account.balances());
        assert_eq!(summary.workers[0].end, end, "{mode} {requests}");
    }
}

#[test]
fn a_request_before_the_start_aborts_it() {
    let ran = run_and(&plan(None), settings(&["good"], 2), |event, stop| {
        if matches!(event, RunEvent::Loaded(_)) {
            stop.request();
        }
    });
    // The start-up may have been quicker than the request, which then stops the run.
    match &ran.outcome {
        Outcome::Aborted(Abort::Signal) => assert_eq!(ran.outcome.exit_code(), 130),
        Outcome::Finished(summary) => assert_eq!(summary.stop_cause, Some(StopCause::Signal)),
        other => panic!("{other:?}"),
    }
    let settings = settings(&["mute"], 2);
    settings.stop_requests.request();
    let ran = run(&plan(None), settings);
    assert_eq!(ran.outcome, Outcome::Aborted(Abort::Signal));
}

#[test]
fn a_stop_tells_its_reason_and_deadline_once() {
    let ran = run(&plan(Some(100)), settings(&["good"], 1));
    let stops: Vec<StopReason> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Stopping { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(stops, [StopReason::Duration]);
}

#[test]
fn a_command_that_cannot_be_started_is_an_error() {
    struct Nobody;
    impl pysurge_core::event::EventSink for Nobody {
        fn emit(&self, _: RunEvent) {}
    }
    let settings = Settings {
        deadlines: Deadlines::default(),
        ..Settings::new(vec!["/nonexistent/python".into()])
    };
    let error = pysurge_manager::run(&plan(None), &settings, &Nobody).unwrap_err();
    assert!(matches!(error, ManagerError::Spawn { worker: 0, .. }));
    assert_eq!(error.exit_code(), 2);
    let error = pysurge_manager::run(&plan(None), &Settings::new(vec![]), &Nobody).unwrap_err();
    assert!(matches!(error, ManagerError::NoCommand), "{error}");
}

#[test]
fn signals_stop_a_run_that_listens() {
    // Twice: what the first run installed must serve the second.
    for signal in [Signal::INT, Signal::TERM] {
        let mut settings = settings(&["good"], 2);
        settings.stop_signals = true;
        let ran = run_and(&plan(None), settings, |event, _| {
            if matches!(event, RunEvent::Progress(_)) {
                kill_process(getpid(), signal).unwrap();
            }
        });
        assert_eq!(ran.summary().stop_cause, Some(StopCause::Signal), "{signal:?}");
        assert!(ran.summary().account.balances());
    }
}
