//! Workers that are lost in the middle of a run, as real processes: who takes over, who comes in their place, and that nothing is counted
//! twice or not at all.

mod common;

use common::{MS, Ran, constant, run, run_and, settings};
use pysurge_core::event::RunEvent;
use pysurge_core::plan::{ClosedModel, Model, Plan, TestPlan, Wait};
use pysurge_core::summary::{IncidentKind, StopCause, WorkerEnd};
use pysurge_core::verdict::{CauseKind, Validity};
use pysurge_manager::Settings;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own for what workers remember of those before them.
struct Lives(PathBuf);

impl Lives {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "pysurge-lives-{}-{}",
            std::process::id(),
            MADE.fetch_add(1, Ordering::SeqCst)
        );
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn settings_of(mode: &str, worker: &str, workers: u32, lives: &Lives) -> Settings {
    let mut settings = settings(&[mode, worker], workers);
    settings
        .env
        .push(("FAKE_WORKER_LIVES".into(), lives.0.clone().into()));
    settings
}

/// One test of 200/s.
fn plan(duration_ms: u64) -> Plan {
    Plan {
        duration_ns: Some(duration_ms * MS),
        ..Plan::new("replacing", vec![TestPlan::new("a.A", constant("200"))])
    }
}

fn kinds(ran: &Ran) -> Vec<IncidentKind> {
    ran.summary()
        .incidents
        .iter()
        .map(|incident| incident.kind)
        .collect()
}

fn assert_sound(ran: &Ran, what: &str) {
    assert_eq!(
        ran.count(|event| matches!(event, RunEvent::Finished(_))),
        1,
        "{what}"
    );
    assert!(
        !ran.notices().iter().any(|text| text.contains("internal error")),
        "{what}: {:?}",
        ran.notices()
    );
    assert!(
        ran.summary().account.balances(),
        "{what}: {:?}",
        ran.summary().account
    );
}

/// Planned iterations of the whole seconds that began so long after the last incident.
fn passed_per_second(ran: &Ran, from_s: f64) -> Vec<u64> {
    let rows = ran.events.iter().filter_map(|event| match event {
        RunEvent::Row(row) => Some(row),
        _ => None,
    });
    let whole = rows.filter(|row| row.to_ns - row.from_ns == 1_000 * MS);
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let late = whole.filter(|row| row.from_ns as f64 / 1e9 >= from_s);
    late.map(|row| row.tests[0].measures.passed).collect()
}

#[test]
fn a_lost_worker_is_replaced_and_the_rate_is_kept() {
    for (mode, said) in [
        ("abort-once", "was killed by signal 6 (SIGABRT); "),
        ("garbage-later-once", "sent garbage"),
        (
            "frozen-once",
            "is frozen: one thread has held Python's interpreter for 10.0 s and was killed",
        ),
        (
            "stall-once",
            "told nothing for 400 ms: its process is stopped or gets no CPU and was killed",
        ),
    ] {
        let lives = Lives::new();
        let mut settings = settings_of(mode, "1", 3, &lives);
        if mode == "stall-once" {
            (settings.deadlines.silence_ns, settings.deadlines.stall_ns) = (200 * MS, 400 * MS);
        }
        let ran = run(&plan(6_000), settings);
        assert_sound(&ran, mode);
        let summary = ran.summary();
        assert!(
            ran.notices()
                .iter()
                .any(|text| text.starts_with("worker 2 (pid ") && text.contains(said)),
            "{mode}: {:?}",
            ran.notices()
        );
        assert_eq!(
            kinds(&ran),
            [
                IncidentKind::Lost,
                IncidentKind::TakenOver,
                IncidentKind::Replaced
            ],
            "{mode}: {:?}",
            summary.incidents
        );
        assert_eq!(summary.account.planned, 1_200, "{mode}");
        let ends: Vec<_> = summary
            .workers
            .iter()
            .map(|worker| (worker.worker, worker.life, worker.end))
            .collect();
        let [first, second, third, again] = ends[..] else {
            panic!("{mode}: {ends:?}")
        };
        assert_eq!(
            [first, third],
            [(0, 0, WorkerEnd::Done), (2, 0, WorkerEnd::Done)],
            "{mode}"
        );
        assert_eq!(
            [second, again],
            [(1, 0, WorkerEnd::Lost), (1, 1, WorkerEnd::Done)],
            "{mode}"
        );
        let lost = summary.account.lost;
        // A third of the rate for what it told late, and for the time until the others took over.
        assert!(
            lost < if mode == "stall-once" { 60 } else { 25 },
            "{mode}: {lost} lost"
        );
        // Beyond the second in which it came back every second is whole.
        let last_s = summary
            .incidents
            .iter()
            .map(|incident| incident.at_s)
            .fold(0.0, f64::max);
        let seconds = passed_per_second(&ran, last_s + 1.0);
        assert!(seconds.len() >= 2, "{mode}: {last_s} {seconds:?}");
        // On a busy machine what ended in one second is told in the next.
        let (passed, count) = (seconds.iter().sum::<u64>(), seconds.len() as u64);
        assert!(passed.abs_diff(200 * count) <= 4, "{mode}: {seconds:?}");
        assert!(summary.verdict.validity > Validity::Valid, "{mode}");
        assert!(
            summary
                .verdict
                .causes
                .iter()
                .any(|cause| cause.kind == CauseKind::Lost),
            "{mode}"
        );
        assert_eq!(
            (summary.stop_cause, summary.exit_code),
            (Some(StopCause::Duration), Some(0))
        );
    }
}

#[test]
fn where_everybody_dies_again_and_again_the_run_ends_with_every_iteration_accounted_for() {
    for workers in [1, 2] {
        let ran = run(&plan(60_000), settings(&["abort"], workers));
        assert_sound(&ran, "abort");
        let summary = ran.summary();
        assert_eq!(
            (summary.stop_cause, summary.exit_code),
            (Some(StopCause::WorkersLost), Some(3)),
            "{:?}",
            ran.notices()
        );
        assert_eq!(summary.workers.len(), 3 * workers as usize);
        let given_up = kinds(&ran)
            .into_iter()
            .filter(|kind| *kind == IncidentKind::GivenUp);
        assert_eq!(given_up.count(), workers as usize);
        assert!(summary.duration_s < 30.0);
    }
}

#[test]
fn a_replacement_that_fails_is_tried_again_and_then_given_up() {
    let lives = Lives::new();
    let ran = run(&plan(5_000), settings_of("replacement-fails", "1", 2, &lives));
    assert_sound(&ran, "replacement-fails");
    let summary = ran.summary();
    assert_eq!(
        kinds(&ran),
        [
            IncidentKind::Lost,
            IncidentKind::TakenOver,
            IncidentKind::Lost,
            IncidentKind::Lost,
            IncidentKind::GivenUp
        ]
    );
    assert_eq!(summary.account.planned, 1_000);
    assert!(summary.account.lost < 40, "{:?}", summary.account);
    assert!(
        ran.notices()
            .iter()
            .any(|text| text.contains("replacement 1 (pid ") && text.contains("exited with code 7")),
        "{:?}",
        ran.notices()
    );
}

#[test]
fn a_run_may_be_stopped_while_somebody_is_replaced() {
    for requests in 1..=3 {
        let lives = Lives::new();
        let ran = run_and(
            &plan(60_000),
            settings_of("abort-once", "0", 2, &lives),
            |event, stop| {
                if matches!(event, RunEvent::Notice { text, .. } if text.contains("SIGABRT")) {
                    for _ in 0..requests {
                        stop.request();
                    }
                }
            },
        );
        assert_sound(&ran, "stopped");
        let cause = if requests == 1 {
            StopCause::Signal
        } else {
            StopCause::SecondSignal
        };
        assert_eq!(ran.summary().stop_cause, Some(cause));
    }
}

#[test]
fn a_number_of_iterations_is_done_whoever_dies() {
    let users = |iterations| TestPlan {
        iterations: Some(iterations),
        ..TestPlan::new(
            "a.B",
            Model::Closed(ClosedModel {
                users: 4,
                wait: Wait::None,
                ramp_up_ns: 0,
                seed: 0,
            }),
        )
    };
    for workers in [1, 2] {
        let lives = Lives::new();
        let plan = Plan::new("counted", vec![users(6_000)]);
        let ran = run(&plan, settings_of("abort-once", "0", workers, &lives));
        assert_sound(&ran, "counted");
        let account = ran.summary().account;
        assert_eq!((account.planned, account.passed + account.lost), (6_000, 6_000));
        assert_eq!(
            ran.summary().stop_cause,
            Some(StopCause::Iterations),
            "{:?}",
            ran.notices()
        );
        assert!(account.lost < 3_000);
    }
}
