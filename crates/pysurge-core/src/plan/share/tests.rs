//! What each test of an entry gets, and that all together get the whole.

use super::*;
use crate::NANOS_PER_SEC;
use crate::plan::{ClosedModel, Data, DataSource, PytestItem, Replay, RowOrder, Shape, Wait};
use proptest::prelude::*;

fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

fn item(id: &str, weight: f64) -> CollectedItem {
    CollectedItem {
        item: PytestItem {
            id: id.to_owned(),
            file: "/shop/test_api.py".to_owned(),
            rootdir: "/shop".to_owned(),
            inifile: None,
        },
        weight,
        rate: None,
        skipped: None,
    }
}

fn items(weights: &[f64]) -> Vec<CollectedItem> {
    let named = weights.iter().enumerate();
    named
        .map(|(at, weight)| item(&format!("test_api.py::test_{at}"), *weight))
        .collect()
}

fn entry(model: Model) -> TestPlan {
    TestPlan::of(Target::pytest("test_api.py"), model)
}

fn open(source: Source) -> Model {
    Model::Open(OpenModel {
        source,
        process: ArrivalProcess::Poisson,
        seed: 7,
        late: LatePolicy::Drop { max_lateness_ns: 5 },
    })
}

fn closed(users: u32) -> Model {
    Model::Closed(ClosedModel {
        users,
        wait: Wait::None,
        ramp_up_ns: 3,
        seed: 7,
    })
}

fn rate_of(test: &TestPlan) -> Rate {
    match &test.model {
        Model::Open(OpenModel {
            source: Source::Rate(rate),
            ..
        }) => *rate,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rate_is_shared_by_weight() {
    let tests = shared(&entry(open(Source::Rate(rate("10")))), &items(&[1.0, 3.0, 1.0])).unwrap();
    assert_eq!(
        tests.iter().map(rate_of).collect::<Vec<_>>(),
        [rate("2"), rate("6"), rate("2")]
    );
    let paths: Vec<&str> = tests.iter().map(|test| test.target.path()).collect();
    assert_eq!(
        paths,
        [
            "test_api.py::test_0",
            "test_api.py::test_1",
            "test_api.py::test_2"
        ]
    );
    for test in &tests {
        let Model::Open(open) = &test.model else {
            panic!("{test:?}")
        };
        assert_eq!(
            (open.process, open.late),
            (ArrivalProcess::Poisson, LatePolicy::Drop { max_lateness_ns: 5 })
        );
        assert!(!test.target.is_to_be_collected());
    }
}

#[test]
fn a_rate_of_its_own_is_no_part_of_what_is_shared() {
    let mut items = items(&[1.0, 1.0, 1.0, 1.0]);
    items[1].rate = Some(rate("0.5"));
    items[2].skipped = Some("not today".to_owned());
    let tests = shared(&entry(open(Source::Rate(rate("10")))), &items).unwrap();
    assert_eq!(
        tests.iter().map(rate_of).collect::<Vec<_>>(),
        [rate("5"), rate("0.5"), rate("5")]
    );
    let Model::Open(own) = &tests[1].model else {
        panic!("{tests:?}")
    };
    assert_eq!(
        (own.process, own.late),
        (ArrivalProcess::Poisson, LatePolicy::Drop { max_lateness_ns: 5 })
    );
    let tests = shared(&entry(closed(2)), &items).unwrap();
    assert_eq!(rate_of(&tests[1]), rate("0.5"));
}

#[test]
fn stages_users_iterations_and_threads_are_shared_too() {
    let stage = |per_s: &str, jump| Stage {
        duration_ns: NANOS_PER_SEC,
        rate: if per_s == "0" { Rate::ZERO } else { rate(per_s) },
        jump,
    };
    let stages = |start: &str, first: &str| Source::Stages {
        start_rate: rate(start),
        stages: vec![stage(first, false), stage("0", true)],
    };
    let mut whole = entry(open(stages("4", "8")));
    whole.iterations = Some(10);
    whole.max_threads = Some(2);
    let tests = shared(&whole, &items(&[3.0, 0.5, 0.5])).unwrap();
    let sources: Vec<Source> = tests
        .iter()
        .map(|test| match &test.model {
            Model::Open(open) => open.source.clone(),
            Model::Closed(_) => panic!("{test:?}"),
        })
        .collect();
    assert_eq!(
        sources,
        [stages("3", "6"), stages("0.5", "1"), stages("0.5", "1")]
    );
    assert_eq!(
        tests.iter().map(|test| test.iterations).collect::<Vec<_>>(),
        [Some(8), Some(1), Some(1)]
    );
    assert_eq!(
        tests.iter().map(|test| test.max_threads).collect::<Vec<_>>(),
        [Some(2), Some(1), Some(1)]
    );
    let tests = shared(&entry(closed(7)), &items(&[1.0, 1.0, 1.0])).unwrap();
    let users: Vec<u32> = tests
        .iter()
        .map(|test| match &test.model {
            Model::Closed(closed) => closed.users,
            Model::Open(_) => panic!("{test:?}"),
        })
        .collect();
    assert_eq!(users, [3, 2, 2]);
}

#[test]
fn one_test_keeps_everything_and_the_name() {
    let mut whole = entry(open(Source::Shape(Shape {
        function: "a.b".to_owned(),
        samples: None,
    })));
    whole.name = Some("api".to_owned());
    whole.data = Some(data(Reuse::Once));
    let one = shared(&whole, &items(&[0.1])).unwrap().remove(0);
    assert_eq!(
        (&one.model, &one.data, &one.name),
        (&whole.model, &whole.data, &whole.name)
    );
    whole.model = closed(5);
    whole.data = None;
    let tests = shared(&whole, &items(&[1.0, 1.0])).unwrap();
    assert!(tests.iter().all(|test| test.name.is_none()));
}

#[test]
fn no_two_tests_have_the_same_seed() {
    let mut whole = entry(closed(9));
    whole.data = Some(data(Reuse::Cycle));
    let tests = shared(&whole, &items(&[1.0; 3])).unwrap();
    let seeds: Vec<(u64, u64)> = tests
        .iter()
        .map(|test| match (&test.model, &test.data) {
            (Model::Closed(closed), Some(data)) => (closed.seed, data.seed),
            _ => panic!("{test:?}"),
        })
        .collect();
    assert_eq!(seeds[0], (7, 5));
    assert!(seeds[1].0 != seeds[2].0 && seeds[1].1 != seeds[2].1, "{seeds:?}");
    assert!(
        seeds[1..].iter().all(|seed| seed.0.abs_diff(7) > 1_000_000),
        "{seeds:?}"
    );
}

fn data(reuse: Reuse) -> Data {
    Data {
        source: DataSource::File("users.csv".to_owned()),
        order: RowOrder::Sequential,
        reuse,
        seed: 5,
    }
}

#[test]
fn what_cannot_be_shared_is_refused_with_what_to_do() {
    let replay = Replay {
        file: "a.csv".to_owned(),
        form: crate::replay::ReplayForm::default(),
        digest: 0,
        instants: None,
    };
    let mut few = entry(open(Source::Rate(rate("1"))));
    few.iterations = Some(2);
    let mut once = entry(open(Source::Rate(rate("1"))));
    once.data = Some(data(Reuse::Once));
    let shape = Shape {
        function: "a.b".to_owned(),
        samples: None,
    };
    let slow = Source::Rate(rate("0.000000001"));
    for (entry, weights, key, message, hint) in [
        (
            entry(closed(2)),
            vec![1.0; 3],
            "users",
            "`users: 2` cannot be shared among 3 tests: `test_api.py::test_2`",
            "at least 3",
        ),
        (
            entry(closed(3)),
            vec![1.0, 1.0, 100.0],
            "users",
            "`test_api.py::test_0` would get none",
            "more equal weights",
        ),
        (
            few,
            vec![1.0; 3],
            "iterations",
            "`iterations: 2` cannot be shared among 3 tests",
            "at least 3 iterations",
        ),
        (
            entry(open(slow)),
            vec![1.0; 2],
            "rate",
            "the rate is too low",
            "higher rate",
        ),
        (
            entry(open(Source::Shape(shape))),
            vec![1.0; 2],
            "shape",
            "a `shape` cannot be shared among 2 tests",
            "name one test",
        ),
        (
            entry(open(Source::Replay(replay))),
            vec![1.0; 2],
            "replay",
            "a `replay` cannot be shared",
            "name one test",
        ),
        (
            once,
            vec![1.0; 2],
            "data",
            "rows that are handed out once",
            "`reuse: cycle`",
        ),
    ] {
        let error = shared(&entry, &items(&weights)).unwrap_err();
        assert_eq!(error.key(), key);
        assert!(
            error.to_string().contains(message) && error.hint().contains(hint),
            "{error}; {}",
            error.hint()
        );
    }
}

proptest! {
    #[test]
    fn shares_sum_to_the_whole_and_are_close_to_their_dues(
        whole in 0_u64..=10_000_000_000_000_000,
        weights in prop::collection::vec(1_u64..=1_000_000_000_000_000_000, 1..40),
    ) {
        let shares = apportioned(whole, &weights);
        prop_assert_eq!(shares.iter().map(|share| u128::from(*share)).sum::<u128>(), u128::from(whole));
        let sum: u128 = weights.iter().copied().map(u128::from).sum();
        for (share, weight) in shares.iter().zip(&weights) {
            let due = u128::from(whole) * u128::from(*weight);
            prop_assert!((u128::from(*share) * sum).abs_diff(due) < sum, "{} of {:?}", share, weights);
        }
    }

    #[test]
    fn a_shared_load_is_the_load(
        nano_per_s in 1_000_u64..=10_000_000_000_000_000,
        users in 50_u32..1_000,
        iterations in 10_000_u64..u64::MAX,
        weights in prop::collection::vec(0.01_f64..100.0, 1..20),
    ) {
        let mut whole = entry(open(Source::Rate(Rate::from_nano_per_s(nano_per_s).unwrap())));
        whole.iterations = Some(iterations);
        let sum: f64 = weights.iter().sum();
        match shared(&whole, &items(&weights)) {
            Ok(tests) => {
                let given: u128 = tests.iter().map(|test| u128::from(rate_of(test).nano_per_s())).sum();
                prop_assert!(given <= u128::from(nano_per_s) && given + tests.len() as u128 > u128::from(nano_per_s));
                prop_assert_eq!(tests.iter().map(|test| u128::from(test.iterations.unwrap())).sum::<u128>(), u128::from(iterations));
            }
            Err(error) => {
                let least = weights.iter().copied().fold(f64::MAX, f64::min);
                #[expect(clippy::cast_precision_loss, reason = "only the smallest are refused")]
                let gets_none = |whole: u64| whole as f64 * least / sum < 1.0;
                prop_assert!(gets_none(nano_per_s) || gets_none(iterations), "{}", error);
            }
        }
        if let Ok(tests) = shared(&entry(closed(users)), &items(&weights)) {
            let shares = tests.iter().map(|test| match &test.model {
                Model::Closed(closed) => closed.users,
                Model::Open(_) => 0,
            });
            prop_assert_eq!(shares.sum::<u32>(), users);
        }
    }
}
