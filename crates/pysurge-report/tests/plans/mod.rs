//! Plans that show everything that a plan can show.

#![allow(dead_code, reason = "every test file uses some of it")]

use pysurge_core::forecast::{Forecast, forecast};
use pysurge_core::plan::{
    ArrivalProcess, ClosedModel, LatePolicy, Model, OpenModel, Plan, Replay, Shape, Source, SpanRange, Stage,
    Target, TestPlan, Wait,
};
use pysurge_core::rate::Rate;
use pysurge_core::replay::ReplayForm;
use pysurge_core::wire::TestInfo;

pub(crate) const S: u64 = 1_000_000_000;

fn rate(text: &str) -> Rate {
    if text == "0" {
        Rate::ZERO
    } else {
        Rate::parse(text).unwrap()
    }
}

pub(crate) fn open(source: Source, process: ArrivalProcess) -> TestPlan {
    let model = Model::Open(OpenModel {
        source,
        process,
        seed: 0,
        late: LatePolicy::Queue,
    });
    TestPlan::new("cases.UploadTest", model)
}

pub(crate) fn constant(text: &str) -> TestPlan {
    open(Source::Rate(rate(text)), ArrivalProcess::Constant)
}

pub(crate) fn poisson(text: &str) -> TestPlan {
    open(Source::Rate(rate(text)), ArrivalProcess::Poisson)
}

/// Stages of so many seconds up to a rate; a `!` in front jumps to it.
pub(crate) fn stages(pieces: &[(u64, &str)]) -> Source {
    let stages = pieces.iter().map(|(seconds, to)| Stage {
        duration_ns: seconds * S,
        rate: rate(to.trim_start_matches('!')),
        jump: to.starts_with('!'),
    });
    Source::Stages {
        start_rate: Rate::ZERO,
        stages: stages.collect(),
    }
}

pub(crate) fn closed(users: u32, ramp_up_ns: u64) -> TestPlan {
    TestPlan::new(
        "cases.ShopTest",
        Model::Closed(ClosedModel {
            users,
            wait: Wait::Pacing(SpanRange { min_ns: S, max_ns: S }),
            ramp_up_ns,
            seed: 0,
        }),
    )
}

/// Two bursts a day's hour apart, with a trickle between them.
pub(crate) fn recorded() -> TestPlan {
    let burst = |from_s: u64| (0..400u64).map(move |k| from_s * S + k * k * S / 3_000);
    let trickle = (0..60).map(|k| k * 4 * S);
    let mut instants: Vec<u64> = burst(10).chain(burst(140)).chain(trickle).collect();
    instants.sort_unstable();
    let replay = Source::Replay(Replay {
        file: "/data/access-2018-09-14.csv".into(),
        form: ReplayForm::default(),
        digest: 1,
        instants: Some(instants.into()),
    });
    open(replay, ArrivalProcess::Constant)
}

pub(crate) fn unsampled() -> TestPlan {
    let shape = Source::Shape(Shape {
        function: "load.wave".into(),
        samples: None,
    });
    open(shape, ArrivalProcess::Constant)
}

pub(crate) fn info(label: &str, max_duration_ns: Option<u64>) -> TestInfo {
    TestInfo {
        label: label.into(),
        summary: "upload test".into(),
        max_duration_ns,
        ..TestInfo::default()
    }
}

pub(crate) fn told(tests: Vec<TestPlan>, duration_ns: Option<u64>) -> Forecast {
    let plan = Plan {
        duration_ns,
        ..Plan::new("demo", tests)
    };
    let infos: Vec<TestInfo> = plan
        .tests
        .iter()
        .map(|test| {
            let class = test.target.short_name();
            info(&format!("<{class} kwargs={{}}>"), Some(2 * S))
        })
        .collect();
    forecast(&plan, &infos, 2)
}

/// One of each.
pub(crate) fn all() -> Vec<(&'static str, Forecast)> {
    let ramp = stages(&[(60, "100"), (300, "100"), (30, "0")]);
    let peak = stages(&[(60, "20"), (120, "20"), (20, "!80"), (100, "20"), (30, "0")]);
    let named = TestPlan {
        name: Some("checkout".into()),
        warmup_ns: 60 * S,
        max_threads: Some(50),
        ..open(peak, ArrivalProcess::Poisson)
    };
    let late = TestPlan {
        start_delay_ns: 90 * S,
        duration_ns: Some(120 * S),
        ..constant("35")
    };
    vec![
        ("ramp", told(vec![open(ramp, ArrivalProcess::Constant)], None)),
        ("even", told(vec![constant("0.5")], Some(60 * S))),
        ("poisson", told(vec![poisson("0.5")], Some(60 * S))),
        (
            "mixed",
            told(vec![named, late, closed(20, 120 * S)], Some(330 * S)),
        ),
        ("endless", told(vec![constant("50")], None)),
        ("slow", told(vec![constant("2/h")], None)),
        ("recorded", told(vec![recorded()], None)),
        ("unsampled", told(vec![unsampled()], None)),
    ]
}

/// Names that try to break out.
pub(crate) fn hostile() -> Forecast {
    let evil = "</text><script>alert('&\"')</script>]]>\u{1b}[2J\n\0\u{ffff}";
    let long = "a very long name that goes on and on ".repeat(9);
    let tests = vec![
        TestPlan {
            name: Some(evil.into()),
            ..constant("50")
        },
        TestPlan {
            name: Some(long),
            ..closed(1_000_000, 60 * S)
        },
        TestPlan {
            iterations: Some(0),
            ..constant("0.000000001")
        },
        TestPlan {
            warmup_ns: u64::MAX,
            start_delay_ns: 3 * S,
            ..poisson("10000000")
        },
        TestPlan {
            target: Target::Class(evil.into()),
            ..unsampled()
        },
    ];
    let plan = Plan {
        duration_ns: Some(5 * S),
        ..Plan::new(evil, tests)
    };
    forecast(&plan, &[], 2)
}
