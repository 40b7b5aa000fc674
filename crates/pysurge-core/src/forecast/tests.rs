//! Forecasts against the schedule that they foretell.

use super::*;
use crate::plan::{LatePolicy, Replay, Samples, Shape, SpanRange, Stage, Wait};
use crate::rate::Rate;
use crate::replay::ReplayForm;
use proptest::prelude::*;

const S: u64 = NANOS_PER_SEC;

fn rate(text: &str) -> Rate {
    if text == "0" {
        Rate::ZERO
    } else {
        Rate::parse(text).unwrap()
    }
}

fn open(source: Source, process: ArrivalProcess) -> TestPlan {
    let model = Model::Open(OpenModel {
        source,
        process,
        seed: 7,
        late: LatePolicy::Queue,
    });
    TestPlan::new("cases.B", model)
}

fn constant(text: &str) -> TestPlan {
    open(Source::Rate(rate(text)), ArrivalProcess::Constant)
}

fn stages(pieces: &[(u64, &str, bool)]) -> Source {
    Source::Stages {
        start_rate: Rate::ZERO,
        stages: pieces
            .iter()
            .map(|(seconds, to, jump)| Stage {
                duration_ns: seconds * S,
                rate: rate(to),
                jump: *jump,
            })
            .collect(),
    }
}

fn replay(instants: Option<&[u64]>) -> Source {
    Source::Replay(Replay {
        file: "a.csv".into(),
        form: ReplayForm::default(),
        digest: 0,
        instants: instants.map(Arc::from),
    })
}

fn closed(users: u32, ramp_up_ns: u64) -> TestPlan {
    let pacing = SpanRange { min_ns: S, max_ns: S };
    TestPlan::new(
        "cases.C",
        Model::Closed(ClosedModel {
            users,
            wait: Wait::Pacing(pacing),
            ramp_up_ns,
            seed: 0,
        }),
    )
}

fn of(tests: Vec<TestPlan>, duration_ns: Option<u64>) -> Forecast {
    let plan = Plan {
        duration_ns,
        ..Plan::new("demo", tests)
    };
    forecast(&plan, &[], 2)
}

#[test]
fn ends_are_told_where_they_are_known() {
    let few = TestPlan {
        iterations: Some(100),
        ..constant("50")
    };
    let few_turns = TestPlan {
        iterations: Some(100),
        ..closed(4, 0)
    };
    for (test, duration_ns, planned, end_ns, span_ns) in [
        (
            constant("50"),
            Some(60 * S),
            Planned::Exactly(3_000),
            Some(60 * S),
            60 * S,
        ),
        (constant("50"), None, Planned::Unknown, None, 60 * S),
        (constant("0.01"), None, Planned::Unknown, None, 2_000 * S),
        (
            few,
            Some(60 * S),
            Planned::Exactly(100),
            Some(1_980_000_001),
            1_980_000_001,
        ),
        (
            open(
                stages(&[(60, "100", false), (300, "100", false), (30, "0", false)]),
                ArrivalProcess::Constant,
            ),
            None,
            Planned::Exactly(34_500),
            Some(390 * S),
            390 * S,
        ),
        (
            open(replay(Some(&[0, S, S + 1, 5 * S])), ArrivalProcess::Constant),
            None,
            Planned::Exactly(4),
            Some(5 * S + 1),
            5 * S + 1,
        ),
        (closed(4, 0), Some(60 * S), Planned::Unknown, Some(60 * S), 60 * S),
        (closed(4, 80 * S), None, Planned::Unknown, None, 100 * S),
        (few_turns.clone(), None, Planned::Exactly(100), None, 60 * S),
        (
            few_turns,
            Some(60 * S),
            Planned::AtMost(100),
            Some(60 * S),
            60 * S,
        ),
    ] {
        let words = test.load_in_words();
        let told = of(vec![test], duration_ns);
        assert_eq!(
            (told.tests[0].planned, told.tests[0].end_ns, told.span_ns),
            (planned, end_ns, span_ns),
            "{words}"
        );
    }
}

#[test]
fn lines_jump_bend_and_end() {
    let jump = TestPlan {
        start_delay_ns: 10 * S,
        ..open(
            stages(&[(10, "5", false), (10, "20", true)]),
            ArrivalProcess::Constant,
        )
    };
    let told = of(vec![jump, constant("1")], Some(60 * S));
    assert_eq!(
        told.tests[0].line,
        [
            (0, 0.0),
            (10 * S, 0.0),
            (20 * S, 4.999_999_999),
            (20 * S, 20.0),
            (30 * S, 20.0),
            (30 * S, 0.0),
            (60 * S, 0.0)
        ]
    );
    assert!((told.tests[0].level_at(15 * S) - 2.5).abs() < 1e-6);
    assert!((told.tests[0].level_at(20 * S) - 20.0).abs() < 1e-6);
    assert_eq!(told.tests[1].line, [(0, 0.0), (0, 1.0), (60 * S, 1.0)]);
    assert_eq!(told.totals().peak_per_s, Some(21.0));
    let users = of(vec![closed(2, 20 * S)], Some(30 * S));
    assert_eq!(
        users.tests[0].line,
        [(0, 0.0), (0, 1.0), (10 * S, 1.0), (10 * S, 2.0), (30 * S, 2.0)]
    );
    let crowd = of(vec![closed(1_000, 20 * S)], Some(10 * S));
    assert_eq!(crowd.tests[0].line, [(0, 0.0), (0, 1.0), (10 * S, 500.0)]);
    let crowd = of(vec![closed(1_000, 20 * S)], Some(40 * S));
    assert_eq!(
        crowd.tests[0].line,
        [(0, 0.0), (0, 1.0), (20 * S, 1_000.0), (40 * S, 1_000.0)]
    );
}

#[test]
fn threads_follow_littles_law() {
    let told = |test: TestPlan| of(vec![test], Some(60 * S)).tests.remove(0);
    let unsaid = told(constant("50"));
    assert_eq!((unsaid.threads_needed, unsaid.threads_short), (None, 0));
    let said = told(TestPlan {
        max_duration_ns: Some(2 * S),
        ..constant("50")
    });
    assert_eq!(
        (said.threads_needed, said.threads_allowed, said.threads_short),
        (Some(100), 102, 0)
    );
    let short = told(TestPlan {
        max_duration_ns: Some(2 * S),
        max_threads: Some(20),
        ..constant("50")
    });
    assert_eq!(
        (short.threads_needed, short.threads_allowed, short.threads_short),
        (Some(100), 20, 80)
    );
    let users = told(closed(7, 0));
    assert_eq!((users.threads_needed, users.threads_allowed), (Some(7), 7));
    assert_eq!(threads_needed(&constant("1000"), 2, None, 53_000_000), Some(54));
}

#[test]
fn what_was_not_sampled_is_told_as_far_as_it_is_known() {
    let shape = |samples| {
        let function = "load.wave".into();
        open(
            Source::Shape(Shape { function, samples }),
            ArrivalProcess::Constant,
        )
    };
    let tests = vec![
        shape(None),
        open(replay(None), ArrivalProcess::Constant),
        constant("5"),
    ];
    let told = of(tests.clone(), Some(10 * S));
    assert_eq!(told.tests[0].planned, Planned::Unknown);
    assert_eq!(told.tests[1].spread, Spread::Recorded);
    assert_eq!(told.totals().planned, Planned::Unknown);
    assert_eq!(threads_needed(&tests[0], 2, None, S), None);

    let info = TestInfo {
        label: "<Wave kwargs={}>".into(),
        summary: String::new(),
        max_duration_ns: Some(S),
        shape: Some(Samples {
            step_ns: S,
            rates: ["0", "10", "0"].map(rate).to_vec(),
        }),
        ..TestInfo::default()
    };
    let plan = Plan::new("demo", vec![shape(None)]);
    let told = forecast(&plan, &[info], 1);
    assert_eq!(told.tests[0].label, "<Wave kwargs={}>");
    assert_eq!(told.tests[0].planned, Planned::Exactly(10));
    assert_eq!(told.tests[0].threads_needed, Some(10));
}

#[test]
fn the_warm_up_is_part_of_what_is_planned() {
    let test = TestPlan {
        start_delay_ns: 5 * S,
        warmup_ns: 10 * S,
        ..constant("50")
    };
    let told = of(vec![test], Some(60 * S));
    let totals = told.totals();
    assert_eq!(
        (totals.planned, totals.warmup),
        (Planned::Exactly(2_750), Some(500))
    );
    assert_eq!(
        (told.tests[0].start_ns, told.tests[0].warmup_ends_ns),
        (5 * S, 15 * S)
    );
}

#[test]
fn a_recording_has_the_peak_of_its_densest_second() {
    let recorded: Vec<u64> = (0..100).map(|k| k * S / 10).chain([20 * S, 20 * S]).collect();
    let told = of(
        vec![open(replay(Some(&recorded)), ArrivalProcess::Constant)],
        None,
    );
    let test = &told.tests[0];
    assert_eq!(
        (test.peak_per_s, test.arrivals.len()),
        (Some(10.0), recorded.len())
    );
    assert!((test.mean_per_s.unwrap() - 5.1).abs() < 0.001);
    assert!(test.line.is_empty());
}

fn any_source() -> impl Strategy<Value = Source> {
    let rate = prop_oneof![Just(Rate::ZERO), (1u64..2_000).prop_map(|n| rate(&n.to_string()))];
    let stage = (1u64..100, rate, any::<bool>()).prop_map(|(seconds, rate, jump)| Stage {
        duration_ns: seconds * S,
        rate,
        jump,
    });
    prop_oneof![
        (1u64..2_000_000).prop_map(|milli| Source::Rate(Rate::from_nano_per_s(milli * 1_000_000).unwrap())),
        prop::collection::vec(stage, 1..6).prop_map(|stages| Source::Stages {
            start_rate: Rate::ZERO,
            stages
        }),
        prop::collection::vec(0u64..500 * S, 0..400).prop_map(|mut instants| {
            instants.sort_unstable();
            replay(Some(&instants))
        }),
    ]
}

proptest! {
    #[test]
    fn buckets_sum_to_the_count(
        source in any_source(),
        poisson in any::<bool>(),
        duration_s in prop::option::of(1u64..400),
        iterations in prop::option::of(0u64..5_000),
        delay_s in 0u64..50,
        warmup_s in 0u64..50,
    ) {
        let process = if poisson { ArrivalProcess::Poisson } else { ArrivalProcess::Constant };
        let test = TestPlan {
            iterations,
            start_delay_ns: delay_s * S,
            warmup_ns: warmup_s * S,
            ..open(source, process)
        };
        let told = of(vec![test.clone(), constant("1")], duration_s.map(|s| s * S));
        let foretold = &told.tests[0];
        let in_buckets: u64 = foretold.buckets.iter().sum();
        let run_ns = duration_s.map(|s| s * S);
        let schedule = test.schedule(0, 2, run_ns).unwrap();
        prop_assert_eq!(in_buckets, schedule.count_before_plan(told.span_ns));
        if let Planned::Exactly(planned) = foretold.planned {
            prop_assert_eq!(in_buckets, planned);
            prop_assert!(foretold.warmup.unwrap() <= planned);
        }
        if in_buckets <= 300 {
            prop_assert_eq!(u64::try_from(foretold.arrivals.len()).unwrap(), in_buckets);
            prop_assert!(foretold.arrivals.is_sorted());
        } else {
            prop_assert!(foretold.arrivals.is_empty());
        }
        prop_assert!(foretold.line.is_sorted_by_key(|(at_ns, _)| *at_ns));
        // The line's area is the mass.
        if foretold.spread != Spread::Recorded {
            let area: f64 = foretold
                .line
                .windows(2)
                .map(|pair| seconds(pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0)
                .sum();
            let until_ns = foretold.end_ns.unwrap_or(told.span_ns).min(told.span_ns);
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let mass = schedule.profile().units_at(until_ns) as f64 / crate::schedule::UNIT as f64;
            prop_assert!((area - mass).abs() <= 1e-6 * mass + 1e-3, "{} against {}", area, mass);
        }
    }
}
