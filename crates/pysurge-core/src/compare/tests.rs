//! What a comparison must get right: seldom a false alarm, real shifts seen, and honest words where it cannot tell.

use super::synthetic::{Target, source};
use super::*;

/// Fewer resamples than the default, so that a hundred comparisons take seconds.
fn options(seed: u64) -> Options {
    Options {
        seed,
        resamples: 500,
        only: Vec::new(),
    }
}

fn seen(comparison: &Comparison) -> Vec<&str> {
    let measures = comparison.tests.iter().flat_map(|test| &test.measures);
    measures
        .filter(|measure| measure.outcome.is_seen())
        .map(|measure| measure.measure.as_str())
        .collect()
}

fn measure<'a>(comparison: &'a Comparison, name: &str) -> &'a MeasureComparison {
    let mut measures = comparison.tests.iter().flat_map(|test| &test.measures);
    measures
        .find(|measure| measure.measure == name)
        .unwrap_or_else(|| panic!("{name} is not compared"))
}

fn texts(comparison: &Comparison) -> Vec<&str> {
    comparison.notes.iter().map(|note| note.text.as_str()).collect()
}

#[test]
fn two_runs_of_the_same_show_no_difference_in_95_of_100_pairs() {
    let target = Target::default();
    let alarms: Vec<(u64, Vec<String>)> = (0..100)
        .map(|pair| {
            let comparison = compare(
                &[target.run(2 * pair)],
                &[target.run(2 * pair + 1)],
                &options(pair),
            );
            (pair, seen(&comparison).iter().map(ToString::to_string).collect())
        })
        .filter(|(_, seen): &(u64, Vec<String>)| !seen.is_empty())
        .collect();
    assert!(alarms.len() <= 5, "{alarms:?}");
}

#[test]
fn a_shift_of_10_percent_is_seen() {
    let target = Target::default();
    for pair in 0..20 {
        let comparison = compare(
            &[target.run(pair)],
            &[target.slower(1.1).run(1_000 + pair)],
            &options(1),
        );
        for name in [
            "response_time.mean",
            "response_time.p50",
            "response_time.p95",
            "service_time.mean",
            "timers.upload.p50",
        ] {
            let measure = measure(&comparison, name);
            assert_eq!(measure.outcome, Outcome::Slower, "{pair}: {measure:?}");
            let interval = measure.relative_interval.unwrap();
            assert!(interval.low < 0.1 && 0.1 < interval.high, "{pair}: {measure:?}");
        }
        assert_eq!(
            measure(&comparison, "metrics.bytes.mean").outcome,
            Outcome::Higher
        );
        for name in [
            "failures",
            "rate",
            "dropped",
            "lateness.p99",
            "checks.status is 200",
        ] {
            assert_eq!(
                measure(&comparison, name).outcome,
                Outcome::NoDifferenceSeen,
                "{pair} {name}"
            );
        }
        // The other way round it is faster.
        let back = compare(
            &[target.slower(1.1).run(1_000 + pair)],
            &[target.run(pair)],
            &options(1),
        );
        assert_eq!(measure(&back, "response_time.mean").outcome, Outcome::Faster);
    }
}

#[test]
fn several_runs_tell_what_runs_differ_by() {
    let target = Target {
        between_runs: 0.02,
        ..Target::default()
    };
    let runs = |target: &Target, from: u64, n: u64| -> Vec<Source> {
        (from..from + n).map(|seed| target.run(seed)).collect()
    };
    // Pairs of single runs differ, and the reason is the runs; five runs a side know it.
    let (mut single, mut several) = (0, 0);
    for pair in 0..12 {
        let (base, new) = (runs(&target, 100 * pair, 5), runs(&target, 100 * pair + 50, 5));
        single += u32::from(!seen(&compare(&base[..1], &new[..1], &options(1))).is_empty());
        several += u32::from(!seen(&compare(&base, &new, &options(1))).is_empty());
    }
    assert!(single >= 4, "{single}");
    assert!(several <= 1, "{several}");
    let comparison = compare(
        &runs(&target, 0, 5),
        &runs(&target.slower(1.1), 50, 5),
        &options(1),
    );
    let mean = measure(&comparison, "response_time.mean");
    assert_eq!((mean.outcome, mean.base_count), (Outcome::Slower, 5 * 3_000));
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let (base, new) = ([Target::default().run(1)], [Target::default().run(2)]);
    let first = compare(&base, &new, &options(7));
    assert_eq!(first, compare(&base, &new, &options(7)));
    let other = compare(&base, &new, &options(8));
    assert_ne!(first.method.critical.to_bits(), other.method.critical.to_bits());
    let base = |comparison: &Comparison| measure(comparison, "response_time.p95").base;
    assert_eq!(base(&first), base(&other));
}

#[test]
fn figures_are_those_of_the_summaries() {
    let (base, new) = (Target::default().run(1), Target::default().run(2));
    let comparison = compare(
        std::slice::from_ref(&base),
        std::slice::from_ref(&new),
        &options(1),
    );
    for (of, run) in [(0, &base), (1, &new)] {
        let test = &run.summary.tests[0];
        let value = |name: &str| {
            let measure = measure(&comparison, name);
            [measure.base, measure.new][of].unwrap()
        };
        for (name, truth) in [
            ("response_time.mean", test.response_time.mean_s),
            ("response_time.p50", test.response_time.p50_s),
            ("response_time.p95", test.response_time.p95_s),
            ("response_time.p99", test.response_time.p99_s),
            ("lateness.p99", test.lateness.p99_s),
            ("rate", Some(test.achieved_rate_per_s)),
        ] {
            assert!((value(name) - truth.unwrap()).abs() < 1e-12, "{name}");
        }
    }
}

#[test]
fn what_cannot_be_told_is_not_told() {
    let target = |seconds, rate| Target {
        seconds,
        rate,
        ..Target::default()
    };
    let outcome = |a: &Target, b: &Target, name: &str| {
        let comparison = compare(&[a.run(1)], &[b.slower(1.5).run(2)], &options(1));
        let measure = measure(&comparison, name);
        (measure.outcome, measure.why.clone())
    };
    for (a, b, name, why) in [
        (
            target(9, 50),
            target(60, 50),
            "response_time.mean",
            "it is measured in 9 blocks of time only, not 10, in the base",
        ),
        (
            target(60, 50),
            target(9, 50),
            "rate",
            "it is measured in 9 blocks of time only, not 10, in the new run",
        ),
        (
            target(60, 15),
            target(60, 50),
            "response_time.p99",
            "900 values are too few for this percentile in the base",
        ),
        (
            target(12, 1),
            target(60, 50),
            "response_time.mean",
            "there are 12 values only, not 20, in the base",
        ),
    ] {
        assert_eq!(
            outcome(&a, &b, name),
            (Outcome::NotEnoughData, Some(why.to_owned())),
            "{name}"
        );
    }
    assert_eq!(
        outcome(&target(60, 20), &target(60, 20), "response_time.p95").0,
        Outcome::Slower
    );
    // 3,000 values have 3 beyond the last thousandth: it is left out.
    let comparison = compare(&[target(60, 50).run(1)], &[target(60, 50).run(2)], &options(1));
    assert!(
        comparison.tests[0]
            .measures
            .iter()
            .all(|measure| measure.measure != "response_time.p99.9")
    );
    let comparison = compare(&[target(60, 200).run(1)], &[target(60, 200).run(2)], &options(1));
    assert_eq!(
        measure(&comparison, "response_time.p99.9").outcome,
        Outcome::NoDifferenceSeen
    );
}

/// A user's metric may be any number; what is told of it is a number that JSON has.
#[test]
fn huge_and_tiny_metrics_stay_finite() {
    let run = |value: f64, seed| {
        let mut source = Target::default().run(seed);
        for (at, cells) in source.run.tests[0].iter_mut().enumerate() {
            let sign = if at % 2 == 0 { 1.0 } else { -1.0 };
            for (name, sum) in [("same", value), ("swings", sign * value)] {
                let metric = crate::summary::BlockMetric { count: 1, sum };
                cells.metrics.insert(name.to_owned(), metric);
            }
        }
        source
    };
    for (base, new) in [
        (1e308, 1e308),
        (1e-308, 1e308),
        (-1e308, 1e308),
        (0.0, 1e308),
        (0.0, 0.0),
    ] {
        let comparison = compare(&[run(base, 1)], &[run(new, 2)], &options(1));
        for measure in comparison.tests.iter().flat_map(|test| &test.measures) {
            let intervals = [measure.interval, measure.relative_interval]
                .into_iter()
                .flatten();
            let ends = intervals.flat_map(|interval| [interval.low, interval.high]);
            let figures = [measure.base, measure.new, measure.difference, measure.relative];
            for figure in ends.chain(figures.into_iter().flatten()) {
                assert!(figure.is_finite(), "{base} {new}: {measure:?}");
            }
        }
    }
}

#[test]
fn what_never_happened_is_no_proof() {
    let target = |failures| Target {
        failures,
        ..Target::default()
    };
    let none = compare(&[target(0.0).run(1)], &[target(0.0).run(2)], &options(1));
    let failures = measure(&none, "failures");
    assert_eq!(
        (failures.base, failures.outcome, failures.relative),
        (Some(0.0), Outcome::NoDifferenceSeen, None)
    );
    // "None of 3,000" leaves room for one in a thousand.
    assert!(failures.interval.unwrap().high > 0.000_5, "{failures:?}");
    let some = compare(&[target(0.0).run(1)], &[target(0.05).run(2)], &options(1));
    assert_eq!(measure(&some, "failures").outcome, Outcome::Higher);
}

/// Every iteration takes exactly as long as the others: as a sleep does, but for the clock's own steps.
#[test]
fn a_step_of_the_histogram_is_no_difference() {
    let still = |ns: u64| {
        let second = || {
            let mut cells = Cells {
                planned: 50,
                passed: 50,
                ..Cells::default()
            };
            cells.service_time.record_n(ns, 50);
            cells.response_time.record_n(ns, 50);
            cells
        };
        source(
            format!("{ns}"),
            vec![std::iter::repeat_with(second).take(30).collect()],
        )
    };
    let comparison = compare(&[still(50_000_000)], &[still(50_040_000)], &options(1));
    assert_eq!(seen(&comparison), Vec::<&str>::new());
    let comparison = compare(&[still(50_000_000)], &[still(51_000_000)], &options(1));
    assert!(seen(&comparison).contains(&"response_time.p50"));
    // Nothing was late on either side: nothing to compare.
    assert!(
        comparison.tests[0]
            .measures
            .iter()
            .all(|measure| !measure.measure.starts_with("lateness"))
    );
}

#[test]
fn tests_are_matched_by_name_label_and_place() {
    let with = |names: &[(Option<&str>, &str, &str)], seed| {
        let one = Target::default().run(seed).run.tests.remove(0);
        let mut source = source(format!("run-{seed}"), vec![one; names.len()]);
        for (test, (name, label, class)) in source.summary.tests.iter_mut().zip(names) {
            test.name = name.map(str::to_owned);
            (*label).clone_into(&mut test.label);
            (*class).clone_into(&mut test.test_class);
        }
        source
    };
    let base = with(
        &[
            (Some("a"), "<A>", "m.A"),
            (None, "<B 1>", "m.B"),
            (None, "<C 1>", "m.C"),
            (Some("gone"), "<D>", "m.D"),
        ],
        1,
    );
    let new = with(
        &[
            (None, "<B 1>", "m.B"),
            (Some("a"), "<A 2>", "m.A"),
            (None, "<C 2>", "m.C"),
            (Some("fresh"), "<E>", "m.E"),
        ],
        2,
    );
    let comparison = compare(
        std::slice::from_ref(&base),
        std::slice::from_ref(&new),
        &options(1),
    );
    let titles: Vec<&str> = comparison.tests.iter().map(TestComparison::title).collect();
    assert_eq!(titles, ["a", "<B 1>", "<C 1>"]);
    assert_eq!(
        (
            comparison.only_in_base.as_slice(),
            comparison.only_in_new.as_slice()
        ),
        (&["gone".to_owned()][..], &["fresh".to_owned()][..])
    );
    assert_eq!(
        texts(&comparison),
        [
            "only the base side has the test gone",
            "only the new side has the test fresh"
        ]
        .into_iter()
        .fold(
            vec![
                "a is <A> in run-1, <A 2> in run-2",
                "<C 1> is <C 1> in run-1, <C 2> in run-2"
            ],
            |mut all, text| {
                all.push(text);
                all
            }
        )
    );
    let one = compare(
        &[base],
        &[new],
        &Options {
            only: vec!["a".to_owned()],
            ..options(1)
        },
    );
    assert_eq!(one.tests.len(), 1);
}

#[test]
fn what_stands_against_a_comparison_is_said() {
    use crate::summary::{ChangeSummary, ModelName, StopCause};
    use crate::verdict::{Cause, CauseKind, Validity, Verdict};
    let (base, mut new) = (
        Target::default().run(1),
        Target {
            seconds: 30,
            ..Target::default()
        }
        .run(2),
    );
    let summary = &mut new.summary;
    summary.verdict = Verdict::of(vec![Cause {
        validity: Validity::Invalid,
        kind: CauseKind::WorkerCpu,
        test: None,
        text: "2 workers at 98 % CPU".to_owned(),
        advice: None,
    }]);
    summary.stop_cause = Some(StopCause::Signal);
    summary.paused_s = 2.5;
    summary.changes = vec![ChangeSummary {
        at_s: 1.0,
        paused: false,
        factor: 2.0,
    }];
    summary.pysurge_version = "1.9".to_owned();
    summary.machine.cpus = 8;
    summary.tests[0].load = "20 users".to_owned();
    summary.tests[0].model = ModelName::Closed;
    let comparison = compare(std::slice::from_ref(&base), &[new], &options(1));
    assert_eq!(
        texts(&comparison),
        [
            "run-2 is invalid, its figures are the generator's: 2 workers at 98 % CPU",
            "the rates of run-2 were changed while it went on",
            "upload had another load: 50/s, evenly spaced in run-1, 20 users in run-2",
            "run-2 was stopped before its end",
            "run-2 was paused for 2.5s",
            "run-2 is 30s long, run-1 is 1m",
            "run-2 has pysurge 1.9, run-1 has 2.0.0",
            "run-2 has this many CPUs: 8, run-1 has 0",
        ]
    );
    assert_eq!(comparison.notes.iter().filter(|note| note.warning).count(), 3);
    let same = compare(
        std::slice::from_ref(&base),
        std::slice::from_ref(&base),
        &options(1),
    );
    assert_eq!(texts(&same), ["a run stands on both sides"]);
    assert!(seen(&same).is_empty());
}

#[test]
fn runs_without_figures_over_time_are_refused() {
    use crate::summary::{Block, EncodedHistogram, Status, TestBlock};
    let summary = |status, blocks| crate::summary::Summary {
        status,
        blocks,
        ..Target::default().run(1).summary
    };
    let block = |from_s: f64, test: TestBlock| Block {
        from_s,
        to_s: from_s + 1.0,
        tests: vec![test],
    };
    let broken = TestBlock {
        planned: 1,
        service_time: EncodedHistogram("nonsense".to_owned()),
        ..TestBlock::default()
    };
    let fine = || TestBlock {
        passed: 1,
        ..TestBlock::default()
    };
    let damaged = |block, what| SourceError::Damaged { block, what };
    let two = Block {
        tests: vec![fine(), fine()],
        ..block(1.0, fine())
    };
    for (status, blocks, error) in [
        (Status::Running, vec![], SourceError::Unfinished),
        (Status::Finished, vec![], SourceError::Empty),
        (
            Status::Finished,
            vec![block(0.0, TestBlock::default())],
            SourceError::Empty,
        ),
        (
            Status::Finished,
            vec![block(0.0, broken)],
            damaged(0, "a histogram cannot be read"),
        ),
        (
            Status::Finished,
            vec![block(0.0, fine()), two],
            damaged(1, "it has not as many tests as the summary"),
        ),
        (
            Status::Finished,
            vec![block(f64::NAN, fine())],
            damaged(0, "it has no length"),
        ),
    ] {
        assert_eq!(
            Source::new("x".to_owned(), summary(status, blocks)).unwrap_err(),
            error
        );
    }
    // Warm-up at the start and idle time at the end are no seconds of the test.
    let blocks = vec![
        block(0.0, TestBlock::default()),
        block(1.0, fine()),
        block(2.0, TestBlock::default()),
        block(3.0, fine()),
        block(4.0, TestBlock::default()),
    ];
    let source = Source::new("x".to_owned(), summary(Status::Finished, blocks)).unwrap();
    assert_eq!(source.run.seconds.len(), 3);
}

#[test]
fn conditions_say_where_they_are_wrong() {
    for (text, at, message, hint) in [
        (
            "",
            0,
            "there is no `>` or `<`",
            "write by how much it may differ: response_time.p95 > +5%",
        ),
        ("> 5%", 0, "there is no measure", "write response_time.p95 > +5%"),
        (
            "respons_time.p95 > 5%",
            0,
            "`respons_time` is no measure",
            "did you mean `response_time`?",
        ),
        ("é > 5%", 0, "`é` is no measure", ""),
        (
            "  response_time.p42 > 5%",
            2,
            "`response_time.p42` is not compared",
            "write response_time.mean, response_time.p50, .p90, .p95, .p99 or .p99.9",
        ),
        (
            "lateness.p50 > 5%",
            0,
            "`lateness.p50` is not compared",
            "of lateness, the p99 is compared: lateness.p99",
        ),
        (
            "metrics.a > 5%",
            0,
            "`metrics.a` is not compared",
            "of a metric, the mean is compared: metrics.NAME.mean",
        ),
        (
            "checks > 5%",
            0,
            "`checks` is not compared",
            "write which check: checks.NAME",
        ),
        (
            "rate == 5%",
            5,
            "`==` compares no difference",
            "write > +5% for what grew, < -5% for what shrank",
        ),
        (
            "rate < 5%",
            7,
            "this would be met without any difference",
            "write < -5%",
        ),
        (
            "rate > -5%",
            7,
            "this would be met without any difference",
            "write > +5%",
        ),
        (
            "failures > 1",
            11,
            "`1` has no unit",
            "write +5%, a share of the base's, or +1pp, percentage points",
        ),
        (
            "response_time.p95 >  20",
            21,
            "`20` has no unit",
            "write +5%, or +20ms",
        ),
        (
            "response_time.p95 > +1e999%",
            20,
            "`+1e999%` is no limit",
            "write +5%, or +20ms",
        ),
        (
            "response_time.p95 >",
            19,
            "there is no limit",
            "write +5%, or +20ms",
        ),
    ] {
        let error = Condition::parse(text).unwrap_err();
        assert_eq!((error.at, error.message.as_str()), (at, message), "{text}");
        assert!(
            hint.is_empty() || error.hint.as_deref() == Some(hint),
            "{text}: {:?}",
            error.hint
        );
    }
}

#[test]
fn conditions_are_judged() {
    use ConditionState::{Failed, NotEnoughData, Passed};
    let target = Target::default();
    let slower = compare(
        &[target.run(1)],
        &[Target {
            failures: 0.1,
            ..target.slower(1.1)
        }
        .run(2)],
        &options(1),
    );
    let short = compare(
        &[target.run(1)],
        &[Target {
            seconds: 5,
            ..target.clone()
        }
        .run(2)],
        &options(1),
    );
    for (text, comparison, state) in [
        ("response_time.p95 > +5%", &slower, Failed),
        ("response_time.p95 > 5 %", &slower, Failed),
        ("response_time.p95 > 40%", &slower, Passed),
        ("response_time.p95 < -5%", &slower, Passed),
        ("response_time.mean > +2ms", &slower, Failed),
        ("response_time.mean >= +20ms", &slower, Passed),
        ("failures > +5pp", &slower, Failed),
        ("failures > 20pp", &slower, Passed),
        ("failures > +100%", &slower, Failed),
        ("rate < -0%", &slower, Passed),
        ("checks.status_is_200 < -1pp", &slower, Passed),
        ("checks.\"status is 200\" < -1pp", &slower, Passed),
        ("metrics.bytes.mean > 0", &slower, Failed),
        ("timers.upload.p95 > 1%", &slower, Failed),
        ("response_time.p95 > +5%", &short, NotEnoughData),
        ("response_time.p99.9 > +5%", &slower, NotEnoughData),
    ] {
        let result = Condition::parse(text).unwrap().judge(comparison).unwrap();
        assert_eq!(result.state, state, "{text}: {result:?}");
        assert_eq!(result.failing.is_empty(), state != Failed, "{text}");
    }
    // From none to some is beyond any share.
    let none = Target {
        failures: 0.0,
        ..target.clone()
    };
    let some = compare(
        &[none.run(1)],
        &[Target {
            failures: 0.05,
            ..target.clone()
        }
        .run(2)],
        &options(1),
    );
    let result = Condition::parse("failures > +900%")
        .unwrap()
        .judge(&some)
        .unwrap();
    assert_eq!(
        (result.state, result.failing),
        (Failed, vec!["upload".to_owned()])
    );
    for (text, hint) in [
        (
            "checks.status_is_201 < -1pp",
            "did you mean `checks.status is 200`?",
        ),
        ("metrics.zzz.mean > 1%", "they have: metrics.bytes.mean"),
    ] {
        let error = Condition::parse(text).unwrap().judge(&slower).unwrap_err();
        assert_eq!(error.hint, hint, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_condition_panic(text in "\\PC{0,40}", kind in 0usize..4, operator in "[<>=!]{0,2}") {
        let start = ["", "response_time.p95", "failures", "metrics."][kind];
        for text in [text.clone(), format!("{start}{text}{operator}{text}"), format!("{start} {operator} {text}%")] {
            if let Err(error) = Condition::parse(&text) {
                proptest::prop_assert!(error.at <= text.chars().count() && error.length >= 1);
            }
        }
    }
}
