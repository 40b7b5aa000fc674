//! Manager and engine together, over real processes, without Python: what is planned is what happens, and whatever user code
//! does, the run ends and every iteration is told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{MS, Ran, plan, run, run_and, test, workers};
use pysurge_core::event::RunEvent;
use pysurge_core::plan::{ClosedModel, Model, SpanRange, TestPlan, Wait};
use pysurge_core::summary::{IncidentKind, StopCause, WorkerEnd};
use pysurge_core::value::Value;
use pysurge_core::verdict::Validity;
use pysurge_core::wire::LoadFault;
use pysurge_manager::{Abort, Mission, Outcome, Settings};
use std::sync::atomic::{AtomicBool, Ordering};

impl Ran {
    fn ends(&self) -> Vec<WorkerEnd> {
        self.summary().workers.iter().map(|worker| worker.end).collect()
    }

    /// What workers printed.
    fn lines(&self) -> Vec<&str> {
        self.texts(|event| match event {
            RunEvent::Output { line, .. } => Some(line),
            _ => None,
        })
    }

    /// Log messages at or above a level.
    fn logs(&self, level_number: u32) -> Vec<&str> {
        self.texts(|event| match event {
            RunEvent::Log(record) if record.level_number >= level_number => Some(&record.message),
            _ => None,
        })
    }
}

fn int(value: i64) -> Value {
    Value::Int(value)
}

fn text(value: &str) -> Value {
    Value::Str(value.into())
}

/// Workers for a test that does not end by itself: starts are allowed for a second after the plan, then there is little grace.
fn briefly(count: u32) -> Settings {
    let mut settings = workers(count);
    (settings.deadlines.catch_up_ns, settings.deadlines.grace_ns) = (1_000 * MS, 100 * MS);
    settings
}

fn noop(rate: &str) -> TestPlan {
    test("native.Noop", rate, &[])
}

#[test]
fn exactly_the_plan_is_fired() {
    let sleep = |rate, ms| test("native.Sleep", rate, &[("ms", int(ms))]);
    for (count, tests, duration_ms, planned) in [
        (1, vec![noop("100")], 600, vec![60]),
        (2, vec![noop("100")], 600, vec![60]),
        (3, vec![noop("100")], 600, vec![60]),
        // Fewer arrivals than workers.
        (3, vec![noop("2.5")], 400, vec![1]),
        (2, vec![noop("3.7")], 1_000, vec![4]),
        (2, vec![noop("10000")], 400, vec![4_000]),
        (
            3,
            vec![noop("500"), sleep("200", 20), noop("10"), sleep("50", 100)],
            800,
            vec![400, 160, 8, 40],
        ),
        (2, vec![noop("10"), noop("10"), noop("10")], 500, vec![5, 5, 5]),
    ] {
        let ran = run(&plan(tests, Some(duration_ms)), &workers(count));
        let summary = ran.summary();
        let passed: Vec<u64> = summary.tests.iter().map(|test| test.account.passed).collect();
        assert_eq!(passed, planned, "{count} workers, {duration_ms} ms");
        assert_eq!(summary.account.planned, planned.iter().sum::<u64>());
        assert_eq!(ran.ends(), vec![WorkerEnd::Done; count as usize]);
        assert!(summary.workers.iter().all(|worker| worker.rss_bytes > 0));
        assert_eq!(
            (summary.stop_cause, summary.exit_code),
            (Some(StopCause::Duration), Some(0))
        );
        assert!(summary.tests.iter().all(|test| test.workers == count));
        assert_eq!((ran.notices(), ran.lines()), (vec![], vec![]));
    }
}

#[test]
fn a_sleep_is_the_service_time_and_no_part_of_the_lateness() {
    let sleep = test("native.Sleep", "50", &[("ms", int(40))]);
    let ran = run(&plan(vec![sleep], Some(500)), &workers(2));
    let test = &ran.summary().tests[0];
    assert_eq!(test.label, "<Sleep kwargs={'ms': 40}>");
    // A sleep lasts at least as long as asked; no upper bound holds on a busy machine.
    assert!(test.service_time.min_s.unwrap() >= 0.040);
    assert!(test.response_time.min_s.unwrap() >= 0.040);
    let sum = |durations: &pysurge_core::summary::Durations| durations.mean_s.unwrap() * 25.0;
    let parts = sum(&test.service_time) + sum(&test.lateness);
    assert!((sum(&test.response_time) - parts).abs() < 1e-6);
}

#[test]
fn hooks_run_once_per_worker_around_the_load() {
    let tests = vec![
        noop("20"),
        test("native.StartupFails", "20", &[("worker", int(1))]),
        noop("20"),
    ];
    let mut settings = workers(2);
    settings.debug = true;
    let ran = run(&plan(tests, Some(200)), &settings);
    for process in ["Worker-1", "Worker-2"] {
        let logged = |event: &RunEvent| match event {
            RunEvent::Log(record) if record.process == process => Some(record.message.clone()),
            _ => None,
        };
        let logged: Vec<String> = ran.events.iter().filter_map(logged).collect();
        assert_eq!(
            logged,
            [
                "native.Noop: startup",
                "native.StartupFails: startup",
                "native.Noop: startup",
                "native.Noop: shutdown",
                "native.StartupFails: shutdown",
                "native.Noop: shutdown",
            ],
            "{process}"
        );
    }
}

#[test]
fn steps_and_metrics_are_measured() {
    let ran = run(
        &plan(vec![test("native.Steps", "100", &[]), noop("100")], Some(300)),
        &workers(2),
    );
    let [steps, noop] = &ran.summary().tests[..] else {
        panic!("two tests")
    };
    assert_eq!((steps.setup.count, steps.teardown.count), (30, 30));
    assert_eq!((noop.setup.count, noop.teardown.count), (0, 0));
    let metric = &steps.metrics["step"];
    assert_eq!(metric.count, 30);
    assert!((metric.mean - 2.0).abs() < 1e-9 && metric.min.to_bits() == metric.max.to_bits());
    assert!(noop.metrics.is_empty());
}

#[test]
fn failures_are_counted_where_they_happen() {
    let tests = ["setup", "run", "teardown"]
        .map(|phase| test("native.Fail", "100", &[("phase", text(phase)), ("every", int(4))]))
        .to_vec();
    let ran = run(&plan(tests, Some(400)), &workers(1));
    assert_eq!(ran.outcome.exit_code(), 0);
    for (test, (phase, failed, runs)) in
        ran.summary()
            .tests
            .iter()
            .zip([("setup", 10, 30), ("run", 10, 40), ("teardown", 0, 40)])
    {
        assert_eq!(
            (test.account.planned, test.account.failed),
            (40, failed),
            "{phase}"
        );
        assert_eq!(test.service_time.count, runs, "{phase}");
        assert_eq!((test.setup.count, test.teardown.count), (40, 40), "{phase}");
        let [kind] = &test.failures[..] else {
            panic!("{phase}: {:?}", test.failures)
        };
        assert_eq!(
            (kind.phase.as_str(), kind.exception.as_str(), kind.count),
            (phase, "native.Error", 10)
        );
        assert!(
            kind.message.starts_with("number ") && kind.message.ends_with(" fails"),
            "{}",
            kind.message
        );
        assert_eq!(kind.traceback, format!("native.Error: {}", kind.message));
        assert_eq!(kind.fails, phase != "teardown");
    }
}

#[test]
fn a_run_in_which_nothing_passed_is_no_success() {
    let ran = run(
        &plan(vec![test("native.Fail", "50", &[])], Some(200)),
        &workers(2),
    );
    let account = ran.summary().account;
    assert_eq!(
        (account.planned, account.failed, ran.outcome.exit_code()),
        (10, 10, 3)
    );
}

#[test]
fn what_never_returns_is_interrupted_and_its_threads_are_named() {
    let tests = vec![test("native.Hang", "20", &[("after", int(2))]), noop("20")];
    let settings = briefly(1);
    let ran = run(&plan(tests, Some(300)), &settings);
    let [hang, noop] = &ran.summary().tests[..] else {
        panic!("two tests")
    };
    assert_eq!(
        (
            hang.account.planned,
            hang.account.passed,
            hang.account.interrupted
        ),
        (6, 2, 4)
    );
    assert_eq!(noop.account.passed, 6);
    let stacks: Vec<&str> = ran
        .logs(40)
        .into_iter()
        .filter(|text| text.starts_with("thread Hang#1-") && text.contains("still runs"))
        .collect();
    assert_eq!(stacks.len(), 4, "{:?}", ran.logs(40));
    assert_eq!(ran.logs(40).len(), 4);
    assert_eq!(ran.ends(), [WorkerEnd::Done]);
    assert_eq!(ran.outcome.exit_code(), 0);
}

#[test]
fn a_test_that_holds_the_interpreter_holds_up_no_deadline() {
    let tests = vec![test("native.Hog", "20", &[("after", int(2))]), noop("20")];
    let mut settings = briefly(2);
    settings.deadlines.shutdown_ns = 200 * MS;
    let ran = run(&plan(tests, Some(400)), &settings);
    let [hog, noop] = &ran.summary().tests[..] else {
        panic!("two tests")
    };
    // Each worker passes two, hangs in its third, and starts nothing any more.
    let account = hog.account;
    assert_eq!((account.passed, account.interrupted), (4, 2));
    assert_eq!((account.planned, account.dropped, account.lost), (8, 2, 0));
    // How many of the others came first is chance.
    let account = noop.account;
    assert_eq!((account.planned, account.passed + account.dropped), (8, 8));
    // No `shutdown` can run, so the workers end themselves.
    assert_eq!(ran.ends(), [WorkerEnd::Killed; 2]);
    assert_eq!(ran.outcome.exit_code(), 0);
}

#[test]
fn a_declared_max_duration_is_the_grace() {
    let hang = test("native.Hang", "20", &[("max_duration_ms", int(100))]);
    let mut settings = briefly(2);
    // Longer than any patience with this test.
    settings.deadlines.grace_ns = 3_600_000 * MS;
    let ran = run(&plan(vec![hang], Some(100)), &settings);
    let account = ran.summary().account;
    assert_eq!(
        (account.planned, account.interrupted, ran.outcome.exit_code()),
        (2, 2, 3)
    );
}

/// A worker of two dies in its sixth iteration, at the latest a few hundredths of a second after the start; no snapshot is due before a second.
fn assert_lost_alone(ran: &Ran, death: &str) {
    let summary = ran.summary();
    let account = summary.account;
    assert_eq!(ran.ends(), [WorkerEnd::Done, WorkerEnd::Lost]);
    assert_eq!(
        (account.planned, account.planned),
        (50, account.passed + account.lost)
    );
    // What it had fired and not told, and what was due until the other one took over.
    assert!((6..20).contains(&account.lost), "{account:?}");
    assert!(
        summary.workers[1].death.as_ref().unwrap().contains(death),
        "{:?}",
        summary.workers[1]
    );
    let pid = format!("(pid {})", summary.workers[1].pid);
    assert!(
        ran.notices()
            .iter()
            .any(|text| text.contains(&pid) && text.contains("worker 1 takes over its part")),
        "{:?}",
        ran.notices()
    );
    assert_eq!(
        (summary.stop_cause, summary.exit_code),
        (Some(StopCause::Duration), Some(0))
    );
    assert_eq!(summary.verdict.validity, Validity::Invalid);
}

#[test]
fn a_worker_that_panics_or_crashes_is_lost_alone() {
    for (class, death) in [
        ("native.Panic", "killed by signal 9 (SIGKILL)"),
        ("native.Crash", "killed by signal 6 (SIGABRT)"),
    ] {
        let dies = test(class, "100", &[("after", int(5)), ("worker", int(1))]);
        let ran = run(&plan(vec![dies], Some(500)), &workers(2));
        assert_lost_alone(&ran, death);
        let panicked = ran
            .lines()
            .iter()
            .any(|line| line.contains("a native test panics"));
        assert_eq!(panicked, class == "native.Panic");
    }
}

#[test]
fn a_thread_that_is_about_to_end_its_worker_is_not_taken_for_one_that_ended_well() {
    // It panics in the last iteration and is still at it when the stop comes.
    let slow = test("native.Panic", "20", &[("after", int(5)), ("ms", int(300))]);
    let ran = run(&plan(vec![slow], Some(300)), &workers(1));
    let account = ran.summary().account;
    assert_eq!((account.planned, account.passed + account.lost), (6, 6));
    assert!(account.lost >= 1, "{account:?}");
    assert_eq!(ran.ends(), [WorkerEnd::Lost]);
}

#[test]
fn when_every_worker_crashes_again_and_again_the_run_ends() {
    let crash = test("native.Crash", "100", &[]);
    let ran = run(&plan(vec![crash, noop("100")], None), &workers(2));
    assert_eq!(ran.ends(), [WorkerEnd::Lost; 6]);
    assert_eq!(ran.summary().stop_cause, Some(StopCause::WorkersLost));
    assert_eq!(ran.outcome.exit_code(), 3);
}

/// A worker with our own engine comes in the place of one that was killed: it fires its part and no other.
#[test]
fn a_worker_that_is_killed_is_replaced() {
    let users = TestPlan {
        model: Model::Closed(ClosedModel {
            users: 4,
            wait: Wait::Pacing(SpanRange {
                min_ns: 20 * MS,
                max_ns: 20 * MS,
            }),
            ramp_up_ns: 0,
            seed: 0,
        }),
        ..noop("1")
    };
    let killed = AtomicBool::new(false);
    let ran = run_and(
        &plan(vec![noop("200"), users], Some(6_000)),
        &workers(2),
        |event, _| {
            if let RunEvent::Progress(summary) = event
                && !killed.swap(true, Ordering::SeqCst)
            {
                let pid = summary.workers[1].pid.to_string();
                std::process::Command::new("kill")
                    .args(["-9", &pid])
                    .status()
                    .unwrap();
            }
        },
    );
    let summary = ran.summary();
    let lives: Vec<_> = summary
        .workers
        .iter()
        .map(|worker| (worker.worker, worker.life, worker.end))
        .collect();
    assert_eq!(
        lives,
        [
            (0, 0, WorkerEnd::Done),
            (1, 0, WorkerEnd::Lost),
            (1, 1, WorkerEnd::Done)
        ]
    );
    let [open, closed] = [summary.tests[0].account, summary.tests[1].account];
    assert_eq!((open.planned, open.passed + open.lost), (1_200, 1_200));
    assert!((1..150).contains(&open.lost), "{open:?}");
    // 4 users, 50 times a second, but for two of them in the time until others took over.
    assert!(
        closed.balances() && (1_000..=1_210).contains(&closed.passed),
        "{closed:?}"
    );
    let kinds: Vec<_> = summary.incidents.iter().map(|incident| incident.kind).collect();
    assert_eq!(
        kinds,
        [
            IncidentKind::Lost,
            IncidentKind::TakenOver,
            IncidentKind::Replaced
        ],
        "{:?}",
        summary.incidents
    );
}

#[test]
fn a_startup_that_fails_in_one_worker_leaves_the_whole_rate_to_the_others() {
    let tests = vec![
        test("native.StartupFails", "100", &[("worker", int(0))]),
        noop("50"),
    ];
    let ran = run(&plan(tests, Some(400)), &workers(3));
    let summary = ran.summary();
    let passed: Vec<u64> = summary.tests.iter().map(|test| test.account.passed).collect();
    assert_eq!((passed, summary.account.planned), (vec![40, 20], 60));
    assert_eq!((summary.tests[0].workers, summary.tests[1].workers), (2, 3));
    assert!(summary.verdict.validity >= Validity::Degraded);
    assert_eq!(summary.exit_code, Some(0));
    assert_eq!(
        ran.count(|event| matches!(event, RunEvent::StartupFailed { worker: 0, error } if error.class == "native.StartupFails")),
        1
    );
    assert_eq!(ran.ends(), [WorkerEnd::Done; 3]);
}

#[test]
fn a_test_whose_startup_fails_everywhere_is_not_run() {
    for (tests, planned, exit_code) in [
        (vec![test("native.StartupFails", "100", &[]), noop("100")], 20, 3),
        (vec![test("native.StartupFails", "100", &[])], 0, 2),
    ] {
        let ran = run(&plan(tests, Some(200)), &workers(2));
        let summary = ran.summary();
        assert_eq!(
            (summary.account.planned, summary.account.passed),
            (planned, planned)
        );
        assert_eq!(
            summary.tests[0].not_run.as_deref(),
            Some("startup failed: native.Error: no database")
        );
        assert_eq!(ran.outcome.exit_code(), exit_code);
        let started = ran.count(|event| matches!(event, RunEvent::Started { .. }));
        assert_eq!(started, usize::from(exit_code == 3));
        assert_eq!(ran.ends(), [WorkerEnd::Done; 2]);
    }
}

#[test]
fn a_shutdown_that_hangs_costs_the_worker_and_no_figure() {
    let mut settings = workers(2);
    settings.deadlines.shutdown_ns = 200 * MS;
    let ran = run(
        &plan(vec![test("native.HangingShutdown", "100", &[])], Some(300)),
        &settings,
    );
    let account = ran.summary().account;
    assert_eq!((account.planned, account.passed), (30, 30));
    assert_eq!(ran.ends(), [WorkerEnd::Killed; 2]);
    assert_eq!(ran.outcome.exit_code(), 0);
    let told = |text: &&&str| text.contains("during its shutdown; its figures are complete");
    assert_eq!(
        ran.notices().iter().filter(told).count(),
        2,
        "{:?}",
        ran.notices()
    );
}

#[test]
fn a_shutdown_that_hangs_after_a_failed_startup_costs_no_more() {
    // No iteration was started, so there is no ticker to keep this deadline.
    let mut settings = workers(1);
    settings.deadlines.shutdown_ns = 200 * MS;
    settings.mission = Mission::Check;
    let ran = run(
        &plan(vec![test("native.HangingShutdown", "1", &[])], Some(300)),
        &settings,
    );
    assert_eq!(ran.outcome, Outcome::Checked { passed: true });
}

#[test]
fn where_threads_are_refused_iterations_are_dropped_and_the_run_ends() {
    // The sleep outlasts every start that is still allowed, by far.
    let refused = |threads| {
        test(
            "native.NoThreads",
            "20",
            &[("after", int(threads)), ("ms", int(1_500))],
        )
    };
    for (threads, passed, exit_code) in [(0, 0, 3), (1, 1, 0)] {
        let mut settings = workers(1);
        settings.deadlines.catch_up_ns = 100 * MS;
        let ran = run(&plan(vec![refused(threads)], Some(300)), &settings);
        let summary = ran.summary();
        assert_eq!(
            (
                summary.account.planned,
                summary.account.passed,
                summary.account.dropped
            ),
            (6, passed, 6 - passed),
            "{threads} threads"
        );
        assert_eq!(
            (summary.exit_code, summary.verdict.validity),
            (Some(exit_code), Validity::Invalid)
        );
        assert_eq!(ran.ends(), [WorkerEnd::Done]);
        let told = |text: &&str| text.starts_with("unable to start a new thread (native.NoThreads has ");
        assert!(ran.logs(40).iter().any(told), "{:?}", ran.logs(40));
    }
}

#[test]
fn a_request_stops_an_endless_run_and_a_second_one_interrupts_it() {
    for (class, requests, cause, exit_code) in [
        ("native.Noop", 1, StopCause::Signal, 0),
        ("native.Hang", 2, StopCause::SecondSignal, 130),
    ] {
        let tests = vec![test(class, "30", &[])];
        let ran = run_and(&plan(tests, None), &workers(2), |event, stop| {
            if matches!(event, RunEvent::Progress(_)) {
                for _ in 0..requests {
                    stop.request();
                }
            }
        });
        let summary = ran.summary();
        assert_eq!(
            (summary.stop_cause, summary.exit_code),
            (Some(cause), Some(exit_code)),
            "{class}"
        );
        let account = summary.account;
        // The first progress is told a second after the start.
        assert!(account.planned >= 30, "{account:?}");
        assert_eq!((account.failed, account.lost), (0, 0), "{class}");
        let (good, bad) = (account.passed, account.interrupted);
        assert!(
            if requests == 1 {
                good > 0 && bad == 0
            } else {
                good == 0 && bad > 0
            },
            "{account:?}"
        );
        assert_eq!(ran.ends(), [WorkerEnd::Done; 2]);
    }
}

fn check(tests: Vec<TestPlan>) -> Ran {
    check_with(tests, workers(3))
}

fn check_with(tests: Vec<TestPlan>, settings: Settings) -> Ran {
    let settings = Settings {
        mission: Mission::Check,
        ..settings
    };
    run(&plan(tests, Some(60_000)), &settings)
}

#[test]
fn a_rehearsal_runs_each_test_once() {
    for (tests, measured, passed) in [
        (
            vec![
                noop("1000"),
                test("native.Steps", "1000", &[]),
                test("native.Sleep", "1", &[("ms", int(5))]),
            ],
            vec![(1, 0), (1, 0), (1, 0)],
            true,
        ),
        (
            vec![test("native.Fail", "1", &[]), noop("1")],
            vec![(0, 1), (1, 0)],
            false,
        ),
        (
            vec![
                test("native.Fail", "1", &[("phase", text("teardown"))]),
                noop("1"),
            ],
            vec![(1, 0), (1, 0)],
            true,
        ),
    ] {
        let ran = check(tests);
        assert_eq!(ran.outcome, Outcome::Checked { passed });
        let mut rehearsed = Vec::new();
        for event in &ran.events {
            if let RunEvent::Rehearsed(one) = event {
                assert_eq!(usize::try_from(one.test).unwrap(), rehearsed.len());
                rehearsed.push((one.measures.passed, one.measures.failed));
            }
        }
        assert_eq!(rehearsed, measured);
        assert_eq!(ran.count(|event| matches!(event, RunEvent::Started { .. })), 0);
    }
}

#[test]
fn a_rehearsal_leaves_out_what_cannot_start_up() {
    let ran = check(vec![test("native.StartupFails", "1", &[]), noop("1")]);
    assert_eq!(ran.outcome, Outcome::Checked { passed: false });
    let rehearsed: Vec<u32> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Rehearsed(one) => Some(one.test),
            _ => None,
        })
        .collect();
    assert_eq!(rehearsed, [1], "`run` without its `startup` proves nothing");
}

#[test]
fn a_rehearsal_that_hangs_or_dies_is_told_and_ends() {
    let hang = test("native.Hang", "1", &[("max_duration_ms", int(1))]);
    for (bad, said) in [
        (hang, "did not end an iteration of its rehearsal in time"),
        (test("native.Panic", "1", &[]), "a native test panics"),
        (test("native.Panic", "1", &[("ms", int(1_200))]), "SIGKILL"),
        (test("native.Crash", "1", &[]), "SIGABRT"),
    ] {
        let mut settings = workers(1);
        settings.deadlines.rehearse_ns = 400 * MS;
        let ran = check_with(vec![noop("1"), bad], settings);
        let Outcome::Aborted(Abort::Worker(text)) = &ran.outcome else {
            panic!("{:?}", ran.outcome)
        };
        assert!(text.contains(said), "{text}");
        assert_eq!(ran.outcome.exit_code(), 2);
    }
}

#[test]
fn what_cannot_be_loaded_ends_the_run_before_any_load() {
    let tests = vec![
        test("native.Nothing", "1", &[("ms", int(1))]),
        noop("1"),
        test("native.Sleep", "1", &[("ms", text("long"))]),
        test("native.Noop", "1", &[("ms", int(1))]),
    ];
    for mission in [Mission::Run, Mission::Check] {
        let settings = Settings {
            mission,
            ..workers(2)
        };
        let ran = run(&plan(tests.clone(), Some(60_000)), &settings);
        let Outcome::LoadFailed(errors) = &ran.outcome else {
            panic!("{:?}", ran.outcome)
        };
        let told: Vec<Option<(LoadFault, &str)>> = errors
            .iter()
            .map(|error| error.as_ref().map(|error| (error.fault, error.message.as_str())))
            .collect();
        let expected = [
            Some((LoadFault::NotFound, "there is no native test `native.Nothing`")),
            None,
            Some((
                LoadFault::Kwargs,
                "native.Sleep: argument `ms` must be a whole number from 0 up, not 'long'",
            )),
            Some((LoadFault::Kwargs, "native.Noop: unexpected argument `ms`")),
        ];
        assert_eq!(told, expected);
        assert_eq!(ran.outcome.exit_code(), 2);
    }
}

#[test]
fn an_iteration_that_overruns_is_told_once_and_does_not_lower_the_rate() {
    let hang = TestPlan {
        graceful_stop_ns: Some(0),
        ..test(
            "native.Hang",
            "10",
            &[
                ("after", int(2)),
                ("worker", int(0)),
                ("max_duration_ms", int(150)),
            ],
        )
    };
    let ran = run(&plan(vec![hang], Some(1_500)), &briefly(1));
    let account = ran.summary().account;
    // Each one that hangs has a slot of its own, so all are started.
    assert_eq!(
        (
            account.planned,
            account.passed,
            account.interrupted,
            account.dropped
        ),
        (15, 2, 13, 0)
    );
    let told: Vec<&str> = ran
        .logs(30)
        .into_iter()
        .filter(|text| text.contains("overruns"))
        .collect();
    // Those of the last moments did not run for so long.
    assert!((9..=13).contains(&told.len()), "{told:#?}");
    assert!(
        told[0].starts_with("test '<Hang kwargs={")
            && told[0].contains("overruns: iteration 2 has run for 0.")
            && told[0].contains("its max_duration is 0.15 s")
            && told[0].contains("\nin Hang#1-"),
        "{}",
        told[0]
    );
}
