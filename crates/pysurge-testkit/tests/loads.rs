//! Every shape of load and every live change, with manager, engine and real processes: what is fired is what the plan says, with the
//! changes worked in, and both models, warm-ups and drops are accounted for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{MS, plan, run, run_and, test, workers};
use pysurge_core::account::Account;
use pysurge_core::control::Command;
use pysurge_core::event::{Actor, RunEvent};
use pysurge_core::plan::{
    ArrivalProcess, ClosedModel, LatePolicy, Model, OpenModel, Plan, Shape, Source, SpanRange, Stage,
    TestPlan, Wait,
};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Change, Factor};
use pysurge_core::summary::{ModelName, StopCause, Summary};
use pysurge_core::value::Value;
use pysurge_core::verdict::Validity;
use pysurge_manager::{Controls, Mission, Outcome};
use std::time::Duration;

fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

fn open(source: Source) -> Model {
    Model::Open(OpenModel {
        source,
        process: ArrivalProcess::Constant,
        seed: 0,
        late: LatePolicy::Queue,
    })
}

fn stage(duration_ms: u64, rate: Rate) -> Stage {
    Stage {
        duration_ns: duration_ms * MS,
        rate,
        jump: false,
    }
}

fn users(users: u32, wait: Wait) -> Model {
    Model::Closed(ClosedModel {
        users,
        wait,
        ramp_up_ns: 0,
        seed: 0,
    })
}

/// The test, with its load replaced.
fn under(model: Model, class: &str, kwargs: &[(&str, Value)]) -> TestPlan {
    TestPlan {
        model,
        ..test(class, "1", kwargs)
    }
}

fn passed(count: u64) -> Account {
    Account {
        planned: count,
        passed: count,
        ..Account::default()
    }
}

#[test]
fn profiles_fire_their_integral() {
    let stages = vec![
        stage(500, rate("200")),
        stage(500, rate("200")),
        stage(250, Rate::ZERO),
    ];
    let stages = Source::Stages {
        start_rate: Rate::ZERO,
        stages,
    };
    // One second each, sampled at 0, 1, 2 seconds.
    let shape = Source::Shape(Shape {
        function: "0,100,0".into(),
        samples: None,
    });
    let delayed = TestPlan {
        start_delay_ns: 300 * MS,
        duration_ns: Some(200 * MS),
        ..under(Model::constant(rate("100")), "native.Noop", &[])
    };
    let tests = vec![
        under(open(stages), "native.Noop", &[]),
        under(open(shape), "native.Noop", &[]),
        delayed,
    ];
    let ran = run(&plan(tests, None), &workers(3));
    let summary = ran.summary();
    let accounts: Vec<Account> = summary.tests.iter().map(|test| test.account).collect();
    assert_eq!(accounts, [passed(175), passed(100), passed(20)]);
    assert_eq!(summary.stop_cause, Some(StopCause::Duration));
    assert!((summary.duration_s - 2.0).abs() < 1e-9, "{}", summary.duration_s);
    for (test, asked) in summary.tests.iter().zip([140.0, 50.0, 100.0]) {
        let said = test.asked_rate_per_s.unwrap();
        assert!((said - asked).abs() < 1e-6, "{}: {said}", test.load);
        assert!((test.achieved_rate_per_s - asked).abs() < 1e-6, "{}", test.load);
    }
}

#[test]
fn random_arrivals_are_the_same_plan_for_any_number_of_workers() {
    let poisson = |seed| {
        Model::Open(OpenModel {
            source: Source::Rate(rate("300")),
            process: ArrivalProcess::Poisson,
            seed,
            late: LatePolicy::Queue,
        })
    };
    for seed in [1, 2] {
        let plan = plan(vec![under(poisson(seed), "native.Noop", &[])], Some(1_000));
        let expected = plan.schedule(0).unwrap().count_before(u64::MAX);
        for count in [1, 4] {
            let ran = run(&plan, &workers(count));
            assert_eq!(
                ran.summary().account,
                passed(expected),
                "seed {seed}, {count} workers"
            );
        }
    }
}

#[test]
fn iterations_are_exact_in_both_models() {
    let limited = |model| TestPlan {
        iterations: Some(1_001),
        ..under(model, "native.Noop", &[])
    };
    let tests = vec![
        limited(Model::constant(rate("2000"))),
        limited(users(7, Wait::None)),
    ];
    let ran = run(&plan(tests, None), &workers(3));
    let summary = ran.summary();
    assert!(summary.tests.iter().all(|test| test.account == passed(1_001)));
    assert_eq!(summary.stop_cause, Some(StopCause::Iterations));
    let [open, closed] = &summary.tests[..] else {
        panic!("two tests")
    };
    assert_eq!((open.model, closed.model), (ModelName::Open, ModelName::Closed));
    assert!((open.asked_rate_per_s.unwrap() - 2_000.0).abs() < 1e-6);
    assert_eq!(closed.asked_rate_per_s, None);
    assert_eq!(closed.response_time, closed.service_time);
}

#[test]
fn closed_iterations_have_the_rate_of_the_time_they_took() {
    let sleep = [("ms", Value::Int(20))];
    let short = TestPlan {
        iterations: Some(20),
        ..under(users(4, Wait::None), "native.Sleep", &sleep)
    };
    let ran = run(
        &plan(vec![short, test("native.Noop", "10", &[])], Some(2_000)),
        &workers(2),
    );
    let [short, _] = &ran.summary().tests[..] else {
        panic!("two tests")
    };
    assert_eq!(short.account, passed(20));
    // Five turns of 20 ms; beside a run of two seconds that would be 10/s.
    assert!(
        (30.0..=250.0).contains(&short.achieved_rate_per_s),
        "{}",
        short.achieved_rate_per_s
    );
}

#[test]
fn a_hung_iteration_does_not_hold_up_the_end_of_the_closed_model() {
    let hangs = TestPlan {
        iterations: Some(5),
        ..under(users(2, Wait::None), "native.Hang", &[("after", Value::Int(4))])
    };
    let mut settings = workers(1);
    (settings.deadlines.catch_up_ns, settings.deadlines.grace_ns) = (0, 100 * MS);
    let ran = run(&plan(vec![hangs], None), &settings);
    let account = ran.summary().account;
    assert_eq!((account.planned, account.passed, account.interrupted), (5, 4, 1));
    assert_eq!(ran.summary().stop_cause, Some(StopCause::Iterations));
}

#[test]
fn iterations_are_exact_though_a_worker_crashes() {
    for model in [Model::constant(rate("500")), users(6, Wait::None)] {
        let test = TestPlan {
            iterations: Some(600),
            ..under(
                model,
                "native.Crash",
                &[("after", Value::Int(50)), ("worker", Value::Int(1))],
            )
        };
        let ran = run(&plan(vec![test], None), &workers(2));
        let account = ran.summary().account;
        assert_eq!(account.planned, 600);
        // What a user had not been told to have begun is done by others.
        assert_eq!(
            account.lost > 0,
            ran.summary().tests[0].asked_rate_per_s.is_some(),
            "{account:?}"
        );
        assert_eq!(account.passed + account.lost, 600);
    }
}

#[test]
fn pacing_and_think_time_hold_users_back() {
    let span = SpanRange {
        min_ns: 100 * MS,
        max_ns: 100 * MS,
    };
    let sleep = [("ms", Value::Int(20))];
    let tests = vec![
        under(users(4, Wait::Pacing(span)), "native.Sleep", &sleep),
        under(users(4, Wait::ThinkTime(span)), "native.Sleep", &sleep),
    ];
    let ran = run(&plan(tests, Some(1_050)), &workers(2));
    let [paced, thinking] = &ran.summary().tests[..] else {
        panic!("two tests")
    };
    // Never more turns than the waits leave room for; fewer only as far as the machine is busy.
    assert!((20..=44).contains(&paced.account.passed), "{:?}", paced.account);
    assert!(
        (15..=36).contains(&thinking.account.passed),
        "{:?}",
        thinking.account
    );
    assert_eq!(paced.load, "4 users, pacing 100ms");
}

#[test]
fn a_warm_up_is_in_no_result() {
    let warm = |model| TestPlan {
        warmup_ns: 300 * MS,
        ..under(model, "native.Steps", &[])
    };
    let span = SpanRange {
        min_ns: 10 * MS,
        max_ns: 10 * MS,
    };
    let tests = vec![
        warm(Model::constant(rate("100"))),
        warm(users(2, Wait::Pacing(span))),
    ];
    let ran = run(&plan(tests, Some(1_000)), &workers(2));
    let summary = ran.summary();
    let [open, closed] = &summary.tests[..] else {
        panic!("two tests")
    };
    assert_eq!(open.account, passed(70));
    assert_eq!(open.warmup.as_ref().unwrap().account, passed(30));
    assert_eq!(open.metrics["step"].count, 70);
    assert!((open.asked_rate_per_s.unwrap() - 100.0).abs() < 1e-6);
    assert!((open.achieved_rate_per_s - 100.0).abs() < 1e-6);
    let warmup = closed.warmup.as_ref().unwrap();
    assert!(warmup.account.balances() && warmup.account.passed > 0);
    assert_eq!(warmup.service_time.count, warmup.account.passed);
    assert_eq!(closed.service_time.count, closed.account.passed);
}

#[test]
fn late_iterations_are_dropped_and_each_is_counted() {
    let test = TestPlan {
        max_threads: Some(2),
        model: Model::Open(OpenModel {
            source: Source::Rate(rate("200")),
            process: ArrivalProcess::Constant,
            seed: 0,
            late: LatePolicy::Drop {
                max_lateness_ns: 20 * MS,
            },
        }),
        ..test("native.Sleep", "1", &[("ms", Value::Int(100))])
    };
    let ran = run(&plan(vec![test], Some(1_000)), &workers(2));
    let summary = ran.summary();
    assert_eq!(summary.account.planned, 200);
    assert_eq!(summary.account.passed + summary.account.dropped, 200);
    assert!(
        (4..=60).contains(&summary.account.passed),
        "{:?}",
        summary.account
    );
    assert_eq!(summary.verdict.validity, Validity::Invalid);
}

#[test]
fn each_test_has_its_own_grace() {
    let graceful = |grace_ms, kwargs: &[(&str, Value)], class| TestPlan {
        graceful_stop_ns: Some(grace_ms * MS),
        ..test(class, "10", kwargs)
    };
    let tests = vec![
        graceful(200, &[], "native.Hang"),
        graceful(60_000, &[("ms", Value::Int(1_000))], "native.Sleep"),
    ];
    let mut settings = workers(1);
    settings.deadlines.catch_up_ns = 500 * MS;
    let ran = run(&plan(tests, Some(100)), &settings);
    let [hung, slow] = &ran.summary().tests[..] else {
        panic!("two tests")
    };
    assert_eq!((hung.account.interrupted, hung.account.passed), (1, 0));
    assert_eq!(slow.account, passed(1));
}

/// Runs a plan and asks, once it has started and so many milliseconds later each, for these.
fn asked(plan: &Plan, count: u32, steps: &[(u64, Command)]) -> (Summary, Vec<Change>) {
    let mut settings = workers(count);
    let controls = Controls::default();
    settings.controls = Some(controls.clone());
    let ran = std::thread::scope(|scope| {
        let (started, wait) = std::sync::mpsc::channel();
        scope.spawn(move || {
            wait.recv().unwrap();
            for (after_ms, command) in steps {
                std::thread::sleep(Duration::from_millis(*after_ms));
                controls.ask(*command, Actor::Socket).unwrap();
            }
        });
        run_and(plan, &settings, move |event, _| {
            if matches!(event, RunEvent::Started { .. }) {
                started.send(()).unwrap();
            }
        })
    });
    let changes = ran.events.iter().filter_map(|event| match event {
        RunEvent::Changed { change, .. } => Some(*change),
        _ => None,
    });
    (ran.summary().clone(), changes.collect())
}

#[test]
fn changes_hold_in_all_workers_from_the_stated_instant() {
    let factor = |milli| Factor::from_milli(milli).unwrap();
    let plan = plan(
        vec![
            test("native.Noop", "700", &[]),
            under(
                Model::Open(OpenModel {
                    source: Source::Rate(rate("300")),
                    process: ArrivalProcess::Poisson,
                    seed: 5,
                    late: LatePolicy::Queue,
                }),
                "native.Noop",
                &[],
            ),
        ],
        Some(1_500),
    );
    let steps = [
        (100, Command::Scale(factor(2_500))),
        (200, Command::Pause),
        (200, Command::Scale(factor(500))),
        (200, Command::Resume),
    ];
    let (summary, changes) = asked(&plan, 3, &steps);
    assert_eq!(changes.len(), 4);
    assert_eq!(summary.changes.len(), 4);
    for (position, test) in summary.tests.iter().enumerate() {
        let mut schedule = plan.schedule(position).unwrap();
        for change in &changes {
            schedule.change(*change);
        }
        let planned = schedule.count_before(u64::MAX - 1);
        assert_eq!(test.account, passed(planned), "{}", test.load);
    }
    assert!((summary.duration_s - 1.5).abs() < 1e-9, "{}", summary.duration_s);
    assert!(summary.paused_s >= 0.39, "{}", summary.paused_s);
    assert!((summary.factor - 0.5).abs() < 1e-9);
}

#[test]
fn a_paused_run_can_be_stopped() {
    let plan = plan(vec![test("native.Noop", "500", &[])], Some(60_000));
    let (summary, changes) = asked(&plan, 2, &[(100, Command::Pause), (300, Command::Stop)]);
    assert_eq!(summary.account, passed(summary.account.planned));
    let mut schedule = plan.schedule(0).unwrap();
    schedule.change(changes[0]);
    assert_eq!(summary.account.planned, schedule.count_before(60_000 * MS));
    assert_eq!(summary.stop_cause, Some(StopCause::Signal));
}

#[test]
fn a_plan_can_be_looked_at_without_firing() {
    let shape = Source::Shape(Shape {
        function: "10,20".into(),
        samples: None,
    });
    let plan = plan(vec![under(open(shape), "native.Noop", &[])], None);
    let settings = pysurge_manager::Settings {
        mission: Mission::Plan,
        ..workers(3)
    };
    let ran = run(&plan, &settings);
    let Outcome::Planned { plan, infos } = &ran.outcome else {
        panic!("{:?}", ran.outcome)
    };
    assert_eq!(infos.len(), 1);
    assert_eq!(plan.schedule(0).unwrap().count_before(u64::MAX), 15);
    assert_eq!(ran.count(|event| matches!(event, RunEvent::Started { .. })), 0);
}
