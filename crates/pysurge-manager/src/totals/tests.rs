//! Tables of the totals: what workers tell, what the accounts, the ends and the rates are then.

mod judging;
mod rows;

use super::*;
use crate::clock::Epoch;
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::event::StopReason;
use pysurge_core::plan::{
    ArrivalProcess, ClosedModel, LatePolicy, OpenModel, Replay, Source, Stage, TestPlan, Wait,
};
use pysurge_core::rate::Rate;
use pysurge_core::replay::{ReplayForm, TimeUnit};
use pysurge_core::schedule::Factor;
use pysurge_core::summary::{MachineSummary, ModelName, Status, StopCause, Summary};
use pysurge_core::verdict::Validity;
use pysurge_core::wire::Deal;

const S: u64 = NANOS_PER_SEC;

fn constant(rate: &str) -> TestPlan {
    TestPlan::new("a.B", Model::constant(Rate::parse(rate).unwrap()))
}

fn users(users: u32) -> TestPlan {
    let model = ClosedModel {
        users,
        wait: Wait::None,
        ramp_up_ns: 0,
        seed: 0,
    };
    TestPlan::new("a.C", Model::Closed(model))
}

fn open(source: Source, process: ArrivalProcess) -> TestPlan {
    let model = OpenModel {
        source,
        process,
        seed: 0,
        late: LatePolicy::Queue,
    };
    TestPlan::new("a.B", Model::Open(model))
}

fn plan_of(tests: Vec<TestPlan>, duration_s: Option<u64>) -> Plan {
    Plan {
        duration_ns: duration_s.map(|s| s * S),
        ..Plan::new("n", tests)
    }
}

fn two() -> Plan {
    plan_of(vec![constant("10"), constant("4")], Some(10))
}

/// `runs[worker][test]`: whether it does.
fn totals_of(plan: &Plan, runs: &[Vec<bool>]) -> Totals {
    let info = |position: usize| TestInfo {
        label: format!("<{}>", ["A", "B"][position]),
        summary: String::new(),
        ..TestInfo::default()
    };
    let infos: Vec<_> = (0..plan.tests.len()).map(info).collect();
    let runs: Vec<Vec<_>> = runs
        .iter()
        .map(|worker| worker.iter().map(|&runs| (!runs).then(|| "why".into())).collect())
        .collect();
    Totals::new(plan, &infos, &runs)
}

/// One test that every one of so many workers runs.
fn one(test: TestPlan, workers: usize, duration_s: Option<u64>) -> (Plan, Totals) {
    let plan = plan_of(vec![test], duration_s);
    let totals = totals_of(&plan, &vec![vec![true]; workers]);
    (plan, totals)
}

impl Totals {
    /// News of a worker that knows of all it was dealt.
    fn add(&mut self, worker: usize, tests: &[TestSnapshot], told_ns: u64) -> Result<(), String> {
        self.hear(worker, tests, told_ns, true)
    }
}

fn part(planned: u64, passed: u64, dropped: u64) -> PartSnapshot {
    PartSnapshot {
        planned,
        dropped,
        measures: Measures {
            passed,
            ..Measures::default()
        },
        ..PartSnapshot::default()
    }
}

fn news(planned: u64, passed: u64, dropped: u64) -> TestSnapshot {
    TestSnapshot {
        measured: part(planned, passed, dropped),
        ..TestSnapshot::default()
    }
}

fn change(at_ns: u64, paused: bool, milli: u32) -> Change {
    Change {
        at_ns,
        paused,
        factor: Factor::from_milli(milli).unwrap(),
    }
}

/// What is known at an instant of run time, or was when the plan ended there.
fn summary(plan: &Plan, totals: &Totals, at_ns: u64, reason: Option<StopReason>) -> Summary {
    totals.summary(&Moment {
        plan,
        epoch: Epoch { at_ns: 0, wall_ns: 0 },
        started_ns: Some(0),
        plan_ends_ns: at_ns,
        ends_ns: at_ns,
        status: if reason.is_some() {
            Status::Finished
        } else {
            Status::Running
        },
        reason,
        workers: &[],
        incidents: &[],
        machine: MachineSummary::default(),
        open_files: None,
    })
}

fn assert_near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
}

#[test]
fn stripes_are_counted_over_the_workers_that_can_run_the_test() {
    let totals = totals_of(
        &two(),
        &[vec![true, false], vec![false, false], vec![true, false]],
    );
    let stripe = |worker| {
        Some(Deal::Arrivals {
            from: 0,
            stripe: Stripe { worker, workers: 2 },
        })
    };
    assert_eq!(totals.deals_of(0), [stripe(0), None]);
    assert_eq!(totals.deals_of(1), [None, None]);
    assert_eq!(totals.deals_of(2), [stripe(1), None]);
    assert_eq!(totals.stripes()[1], []);
    assert_eq!(totals.tests_run(), 1);
    assert_eq!(totals.tests[1].not_run.as_deref(), Some("why"));
    // The whole rate is still fired.
    assert_eq!(totals.accounts(10 * S)[0].measured.planned, 100);
}

#[test]
fn a_dead_workers_rest_is_lost_and_the_account_balances() {
    let mut totals = totals_of(&two(), &[vec![true, true], vec![true, true]]);
    totals.add(0, &[news(50, 48, 2), news(20, 20, 0)], S).unwrap();
    totals.drained(0);
    totals.add(1, &[news(10, 9, 0), news(0, 0, 0)], S).unwrap();
    totals.lost(1, 2 * S);
    let [a, b] = totals.accounts(10 * S)[..] else {
        panic!("two tests")
    };
    assert_eq!(
        a.measured,
        Account {
            planned: 100,
            passed: 57,
            dropped: 2,
            lost: 41,
            ..Account::default()
        }
    );
    let b = b.measured;
    assert_eq!((b.planned, b.passed, b.lost), (40, 20, 20));
    assert!(a.measured.balances() && b.balances());
    assert_eq!(totals.inconsistencies(10 * S), Vec::<String>::new());
}

#[test]
fn the_warm_up_has_an_account_of_its_own() {
    let test = TestPlan {
        start_delay_ns: S,
        warmup_ns: 3 * S,
        ..constant("10")
    };
    let (plan, mut totals) = one(test, 2, Some(10));
    // The test's own time begins after its delay: 30 iterations of warm-up, 60 that count.
    let both = TestSnapshot {
        warmup: part(15, 15, 0),
        ..news(30, 29, 1)
    };
    totals.add(0, &[both], 10 * S).unwrap();
    totals.drained(0);
    totals
        .add(
            1,
            &[TestSnapshot {
                warmup: part(15, 11, 0),
                ..news(5, 5, 0)
            }],
            4 * S,
        )
        .unwrap();
    totals.lost(1, 5 * S);
    let account = totals.accounts(10 * S)[0];
    assert_eq!(
        account.measured,
        Account {
            planned: 60,
            passed: 34,
            dropped: 1,
            lost: 25,
            ..Account::default()
        }
    );
    assert_eq!(
        account.warmup,
        Account {
            planned: 30,
            passed: 26,
            lost: 4,
            ..Account::default()
        }
    );
    let summary = summary(&plan, &totals, 10 * S, Some(StopReason::Duration));
    assert_eq!(summary.account, account.measured);
    let test = &summary.tests[0];
    assert_eq!(test.warmup.as_ref().unwrap().account, account.warmup);
    assert_near(test.asked_rate_per_s.unwrap(), 10.0);
    assert!(
        summary
            .verdict
            .causes
            .iter()
            .any(|cause| cause.text.contains("25 of 60"))
    );
}

#[test]
fn a_run_stopped_in_its_warm_up_measured_nothing_and_is_valid() {
    let test = TestPlan {
        warmup_ns: 5 * S,
        ..constant("10")
    };
    let (plan, mut totals) = one(test, 1, Some(10));
    totals
        .add(
            0,
            &[TestSnapshot {
                warmup: part(20, 10, 10),
                ..TestSnapshot::default()
            }],
            2 * S,
        )
        .unwrap();
    totals.drained(0);
    assert_eq!(totals.inconsistencies(2 * S), Vec::<String>::new());
    let summary = summary(&plan, &totals, 2 * S, Some(StopReason::Signal));
    assert_eq!(summary.account, Account::default());
    assert_eq!(summary.tests[0].warmup.as_ref().unwrap().account.dropped, 10);
    assert_eq!(
        (
            summary.tests[0].asked_rate_per_s,
            summary.tests[0].achieved_rate_per_s
        ),
        (Some(0.0), 0.0)
    );
    // There is no worker in this table, so that nothing else can be said.
    assert_eq!(summary.verdict.validity, Validity::Valid);
}

#[test]
fn users_iterations_are_what_the_workers_say() {
    for (iterations, cut, died_ns, planned, warmup) in [
        // Of nobody's number: what it told last.
        (None, false, 2 * S, (50, 4), (6, 1)),
        // Dealt 100 of 200 to two users each: what is left of them is lost.
        (Some(200), false, 2 * S, (40 + 94, 88), (6, 1)),
        // The same, before its warm-up had ended.
        (Some(200), false, S - 1, (50, 4), (90, 85)),
        // Somebody stopped the run; how far it would have come is nobody's plan.
        (Some(200), true, 2 * S, (50, 4), (6, 1)),
    ] {
        let test = TestPlan {
            warmup_ns: S,
            iterations,
            ..users(4)
        };
        let (_, mut totals) = one(test, 2, None);
        totals.add(0, &[news(40, 40, 0)], 2 * S).unwrap();
        totals.drained(0);
        let told = TestSnapshot {
            warmup: part(6, 5, 0),
            ..news(10, 6, 0)
        };
        totals.add(1, &[told], S / 2).unwrap();
        totals.lost(1, died_ns);
        if cut {
            totals.cut();
        }
        let account = totals.accounts(3 * S)[0];
        let figures = |account: Account| (account.planned, account.lost);
        assert_eq!(
            figures(account.measured),
            planned,
            "{iterations:?} {cut} {died_ns}"
        );
        assert_eq!(figures(account.warmup), warmup, "{iterations:?} {cut} {died_ns}");
        assert!(account.measured.balances() && account.warmup.balances());
        assert_eq!(totals.inconsistencies(3 * S), Vec::<String>::new());
    }
}

#[test]
fn claims_beyond_an_early_stop_are_part_of_the_plan() {
    let mut totals = totals_of(&two(), &[vec![true, true]]);
    totals.add(0, &[news(12, 12, 0), news(4, 4, 0)], S).unwrap();
    totals.drained(0);
    // One second of 10/s is 10, but the worker had started two more before the stop reached it.
    assert_eq!(totals.accounts(S)[0].measured.planned, 12);
    assert_eq!(totals.inconsistencies(S), Vec::<String>::new());
}

#[test]
fn figures_that_do_not_add_up_are_told_and_still_balance() {
    for (snapshot, said) in [
        (news(99, 99, 0), "but its plan has 100"),
        (
            news(100, 99, 0),
            "told of 99 iterations, but says that it had 100",
        ),
        (
            news(100, 101, 0),
            "told of 101 iterations, but says that it had 100",
        ),
        (
            TestSnapshot {
                warmup: part(3, 2, 0),
                ..news(100, 100, 0)
            },
            "told of 2 iterations, but says that it had 3",
        ),
    ] {
        let mut totals = totals_of(&two(), &[vec![true, true]]);
        totals.add(0, &[snapshot, news(40, 40, 0)], S).unwrap();
        totals.drained(0);
        let found = totals.inconsistencies(10 * S);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(said), "{found:?}");
        let accounts = totals.accounts(10 * S);
        assert!(accounts.iter().all(|account| account.measured.balances()));
    }
}

#[test]
fn impossible_news_is_refused_whole() {
    let mut totals = totals_of(&two(), &[vec![true, false]]);
    totals.add(0, &[news(5, 5, 0), news(0, 0, 0)], S).unwrap();
    let warm = |planned| TestSnapshot {
        warmup: part(planned, 0, 0),
        ..news(5, 0, 0)
    };
    for (tests, said) in [
        (vec![news(6, 1, 0)], "told of 1 tests where there are 2"),
        (
            vec![news(4, 0, 0), news(0, 0, 0)],
            "took back what it had told of <A>",
        ),
        (
            vec![news(6, 1, 0), news(1, 1, 0)],
            "told of <B>, which it does not run",
        ),
        (vec![news(6, 1, 0), warm(1)], "told of <B>, which it does not run"),
    ] {
        assert_eq!(totals.add(0, &tests, S), Err(said.into()));
    }
    assert_eq!(totals.accounts(0)[0].measured.passed, 5);
    totals.add(0, &[warm(3), news(0, 0, 0)], S).unwrap();
    assert_eq!(
        totals.add(0, &[warm(2), news(0, 0, 0)], S),
        Err("took back what it had told of <A>".into())
    );
}

#[test]
fn the_run_ends_with_the_last_of_its_tests() {
    let by = |by_count, plan_ns| Some(End { plan_ns, by_count });
    let counted = |iterations, test| TestPlan {
        iterations: Some(iterations),
        ..test
    };
    let lasting = |seconds: u64, test| TestPlan {
        start_delay_ns: S,
        duration_ns: Some(seconds * S),
        ..test
    };
    for (name, tests, duration_s, expected) in [
        ("endless", vec![constant("10")], None, None),
        (
            "the run's duration",
            vec![constant("10"), users(1)],
            Some(7),
            by(false, 7 * S),
        ),
        (
            "one is endless",
            vec![constant("10"), lasting(2, constant("10"))],
            None,
            None,
        ),
        (
            "both have ends",
            vec![lasting(3, constant("10")), lasting(2, users(1))],
            None,
            by(false, 4 * S),
        ),
        (
            "earlier than the run's",
            vec![lasting(3, constant("10"))],
            Some(9),
            by(false, 4 * S),
        ),
        (
            "the run's is earlier",
            vec![lasting(9, constant("10"))],
            Some(5),
            by(false, 5 * S),
        ),
        // The last of 100 arrivals at 10/s stands at 9.9 s.
        (
            "a count",
            vec![counted(100, constant("10"))],
            None,
            by(true, 9_900_000_001),
        ),
        (
            "the count is too large",
            vec![counted(100, constant("10"))],
            Some(5),
            by(false, 5 * S),
        ),
        ("users' count, not done", vec![counted(100, users(2))], None, None),
        (
            "users' count or duration",
            vec![counted(100, users(2))],
            Some(5),
            by(false, 5 * S),
        ),
        (
            "no arrivals at all",
            vec![counted(0, constant("10"))],
            None,
            by(true, 0),
        ),
    ] {
        let plan = plan_of(tests, duration_s);
        let totals = totals_of(&plan, &[vec![true; plan.tests.len()]]);
        assert_eq!(totals.end(), expected, "{name}");
    }
    // A test that runs nowhere is not waited for.
    let plan = plan_of(vec![lasting(3, constant("10")), constant("10")], None);
    assert_eq!(totals_of(&plan, &[vec![true, false]]).end(), by(false, 4 * S));
}

#[test]
fn users_with_a_number_of_iterations_end_when_every_living_worker_says_so() {
    let test = TestPlan {
        iterations: Some(10),
        ..users(2)
    };
    // A third worker has no user and nothing to do.
    let (_, mut totals) = one(test, 3, None);
    let done = |ended| TestSnapshot {
        ended,
        ..news(5, 5, 0)
    };
    totals.add(0, &[done(true)], 3 * S).unwrap();
    assert_eq!(totals.end(), None);
    totals.add(1, &[done(false)], 4 * S).unwrap();
    assert_eq!(totals.end(), None);
    totals.lost(1, 5 * S);
    assert_eq!(
        totals.end(),
        Some(End {
            plan_ns: 4 * S,
            by_count: true
        })
    );
}

#[test]
fn changes_move_the_end_and_the_count() {
    let (_, mut totals) = one(
        TestPlan {
            iterations: Some(100),
            ..constant("10")
        },
        1,
        None,
    );
    totals.change(change(5 * S, false, 2_000));
    // Fifty in five seconds, the rest in two and a half.
    assert_eq!(totals.end().map(|end| end.plan_ns), Some(7_450_000_001));
    totals.change(change(6 * S, true, 2_000));
    totals.change(change(9 * S, false, 2_000));
    assert_eq!(totals.end().map(|end| end.plan_ns), Some(7_450_000_001));
    assert_eq!(totals.course().run_ns(7 * S), 10 * S);
    assert_eq!(
        totals.accounts(totals.course().plan_ns(8 * S))[0]
            .measured
            .planned,
        70
    );
}

fn stages() -> TestPlan {
    let stage = |seconds: u64, rate: &str| Stage {
        duration_ns: seconds * S,
        rate: Rate::parse(rate).unwrap_or(Rate::ZERO),
        jump: false,
    };
    let source = Source::Stages {
        start_rate: Rate::ZERO,
        stages: vec![stage(10, "100"), stage(10, "100")],
    };
    open(source, ArrivalProcess::Constant)
}

fn recording() -> TestPlan {
    let form = ReplayForm {
        time: None,
        unit: TimeUnit::S,
        speed_milli: 1_000,
        columns: None,
        types: vec![],
    };
    let source = Source::Replay(Replay {
        file: "a.csv".into(),
        form,
        digest: 0,
        instants: Some([0, S, S, 2 * S - 1].into()),
    });
    open(source, ArrivalProcess::Constant)
}

#[test]
fn rates_are_those_of_the_measured_time() {
    let finished = Some(StopReason::Duration);
    for (name, test, duration_s, at_ns, asked) in [
        ("constant", constant("3.7"), Some(10), 10 * S, Some(3.7)),
        ("so far", constant("3.7"), Some(10), 7 * S + 1, Some(3.7)),
        (
            "after a delay",
            TestPlan {
                start_delay_ns: 4 * S,
                ..constant("10")
            },
            Some(10),
            10 * S,
            Some(10.0),
        ),
        (
            "1000 at 100/s are ten seconds",
            TestPlan {
                iterations: Some(1_000),
                ..constant("100")
            },
            None,
            9_990_000_001,
            Some(100.0),
        ),
        ("a ramp", stages(), None, 20 * S, Some(75.0)),
        ("half a ramp", stages(), None, 5 * S, Some(25.0)),
        (
            "a ramp that is warm-up",
            TestPlan {
                warmup_ns: 10 * S,
                ..stages()
            },
            None,
            20 * S,
            Some(100.0),
        ),
        (
            "Poisson arrivals are asked for by their rate",
            TestPlan {
                iterations: Some(1_000),
                ..open(Source::Rate(Rate::parse("100").unwrap()), ArrivalProcess::Poisson)
            },
            None,
            60 * S,
            Some(100.0),
        ),
        ("a recording", recording(), None, 2 * S, Some(2.0)),
        ("users", users(3), Some(10), 10 * S, None),
    ] {
        let closed = test.model.is_closed();
        let (plan, totals) = one(test, 1, duration_s);
        let summary = summary(&plan, &totals, at_ns, finished);
        let test = &summary.tests[0];
        assert_eq!(test.asked_rate_per_s, asked, "{name}");
        assert_eq!(test.model == ModelName::Closed, closed, "{name}");
        assert_eq!(test.load, plan.tests[0].load_in_words(), "{name}");
    }
}

#[test]
fn what_was_achieved_is_counted_over_the_same_time() {
    let finished = Some(StopReason::Iterations);
    let achieved = |plan: &Plan, totals: &Totals, at_ns, reason| {
        summary(plan, totals, at_ns, reason).tests[0].achieved_rate_per_s
    };
    // All was fired, late or not: the asked rate, exactly.
    let counted = TestPlan {
        iterations: Some(1_000),
        ..constant("100")
    };
    let (plan, mut totals) = one(counted, 1, None);
    let late = |news: TestSnapshot| TestSnapshot {
        late_start_ns: 20 * S,
        ..news
    };
    totals.add(0, &[late(news(1_000, 1_000, 0))], 10 * S).unwrap();
    totals.drained(0);
    assert_near(achieved(&plan, &totals, 9_990_000_001, finished), 100.0);
    // Beyond its power it used more time.
    let (plan, mut totals) = one(constant("100"), 1, Some(10));
    totals.add(0, &[late(news(1_000, 800, 200))], 10 * S).unwrap();
    totals.drained(0);
    assert_near(achieved(&plan, &totals, 10 * S, finished), 40.0);
    // While the run goes on: up to what was told, without the warm-up.
    let warm = TestPlan {
        warmup_ns: 2 * S,
        ..constant("100")
    };
    let (plan, mut totals) = one(warm, 2, Some(10));
    totals
        .add(
            0,
            &[TestSnapshot {
                warmup: part(100, 100, 0),
                ..news(100, 100, 0)
            }],
            4 * S,
        )
        .unwrap();
    assert_near(achieved(&plan, &totals, 5 * S, None), 50.0);
    // Users who were done early were not idle for the rest of the run.
    let counted = TestPlan {
        iterations: Some(100),
        ..users(2)
    };
    let (plan, mut totals) = one(counted, 1, Some(10));
    let done = TestSnapshot {
        ended: true,
        ..news(100, 100, 0)
    };
    totals.add(0, &[done], 4 * S).unwrap();
    totals.drained(0);
    assert_near(achieved(&plan, &totals, 10 * S, finished), 25.0);
}

#[test]
fn a_pause_is_no_time_of_the_plan() {
    let (plan, mut totals) = one(constant("10"), 1, Some(10));
    totals.change(change(4 * S, true, 1_000));
    totals.change(change(9 * S, false, 500));
    totals.add(0, &[news(70, 70, 0)], 15 * S).unwrap();
    totals.drained(0);
    assert_eq!(totals.end().map(|end| end.plan_ns), Some(10 * S));
    let summary = summary(&plan, &totals, 15 * S, Some(StopReason::Duration));
    assert_eq!(totals.inconsistencies(15 * S), Vec::<String>::new());
    assert_eq!(summary.account.planned, 70);
    assert_near(summary.duration_s, 10.0);
    assert_near(summary.paused_s, 5.0);
    assert_near(summary.elapsed_s, 15.0);
    assert_near(summary.factor, 0.5);
    assert_near(summary.tests[0].asked_rate_per_s.unwrap(), 7.0);
    assert_near(summary.tests[0].achieved_rate_per_s, 7.0);
    let changes: Vec<_> = summary
        .changes
        .iter()
        .map(|change| (change.at_s, change.paused))
        .collect();
    assert_eq!(changes, [(4.0, true), (9.0, false)]);
    assert_eq!(summary.stop_cause, Some(StopCause::Duration));
}

#[test]
fn how_long_a_run_is_planned_is_told_where_it_is_known() {
    let counted = |test| TestPlan {
        iterations: Some(100),
        ..test
    };
    for (tests, duration_s, expected) in [
        (vec![constant("10")], None, None),
        (vec![constant("10")], Some(10), Some(10.0)),
        (vec![counted(constant("10"))], Some(30), Some(10.0)),
        (vec![counted(constant("10")), constant("1")], None, None),
        (vec![counted(users(1))], Some(10), None),
        (vec![stages()], Some(60), Some(20.0)),
    ] {
        let plan = plan_of(tests, duration_s);
        let totals = totals_of(&plan, &[vec![true; plan.tests.len()]]);
        assert_eq!(summary(&plan, &totals, S, None).planned_duration_s, expected);
    }
}
