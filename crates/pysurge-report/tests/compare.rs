//! Comparisons and the history of runs as text, Markdown and JSON.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

use pysurge_core::compare::{
    Comparison, ConditionResult, ConditionState, Interval, MeasureComparison, Method, Note, Outcome, RunRef,
    TestComparison, Unit,
};
use pysurge_core::summary::Status;
use pysurge_core::verdict::Validity;
use pysurge_report::{
    Glimpse, Style, compare_json, compare_markdown, compare_schema, compare_text, history_json, history_text,
};
use std::fs;
use std::path::Path;

fn plain(columns: u16) -> Style {
    Style {
        color: false,
        columns,
    }
}

fn run(path: &str, validity: Validity) -> RunRef {
    RunRef {
        path: path.to_owned(),
        name: "shop".to_owned(),
        started_at: "2026-11-22T16:25:01.5Z".to_owned(),
        duration_s: 60.0,
        validity,
        status: Status::Finished,
    }
}

/// A measure whose relative difference is known to half as much again.
fn measure(name: &str, unit: Unit, base: f64, new: f64, outcome: Outcome) -> MeasureComparison {
    let difference = new - base;
    let around = |middle: f64, reach: f64| Interval {
        low: middle - reach,
        high: middle + reach,
    };
    let reach = if outcome.is_seen() {
        difference.abs() / 2.0
    } else {
        difference.abs() * 2.0
    };
    let relative = (base != 0.0).then(|| difference / base);
    MeasureComparison {
        measure: name.to_owned(),
        unit,
        base: Some(base),
        new: Some(new),
        base_count: 3_000,
        new_count: 3_000,
        difference: Some(difference),
        interval: Some(around(difference, reach)),
        relative,
        relative_interval: relative.map(|relative| around(relative, reach / base)),
        outcome,
        why: None,
    }
}

fn unknown(name: &str, why: &str) -> MeasureComparison {
    MeasureComparison {
        interval: None,
        relative_interval: None,
        outcome: Outcome::NotEnoughData,
        why: Some(why.to_owned()),
        ..measure(name, Unit::Seconds, 0.5, 0.6, Outcome::Slower)
    }
}

fn comparison(tests: Vec<TestComparison>) -> Comparison {
    Comparison {
        schema_version: 1,
        pysurge_version: "2.0.0".to_owned(),
        base: vec![run("results/20261122-162501-shop", Validity::Valid)],
        new: vec![run("results/20261122-172501-shop", Validity::Degraded)],
        notes: Vec::new(),
        method: Method {
            confidence: 0.95,
            resamples: 2_000,
            seed: 1,
            base_blocks: 60,
            new_blocks: 60,
            base_stretch_s: 8.0,
            new_stretch_s: 8.0,
            critical: 3.9,
        },
        tests,
        only_in_base: Vec::new(),
        only_in_new: Vec::new(),
        conditions: Vec::new(),
    }
}

fn full() -> Comparison {
    use Outcome::{Faster, Higher, Lower, NoDifferenceSeen, Slower};
    use Unit::{Number, PerSecond, Seconds, Share};
    let upload = TestComparison {
        name: Some("upload".to_owned()),
        label: "<UploadTest kwargs={}>".to_owned(),
        measures: vec![
            measure("response_time.mean", Seconds, 0.0521, 0.0573, Slower),
            measure("response_time.p50", Seconds, 0.0501, 0.0552, Slower),
            measure("response_time.p95", Seconds, 0.0701, 0.0773, Slower),
            unknown(
                "response_time.p99",
                "900 values are too few for this percentile in the base",
            ),
            unknown(
                "service_time.p99",
                "900 values are too few for this percentile in the base",
            ),
            measure("lateness.p99", Seconds, 0.000_12, 0.000_118, NoDifferenceSeen),
            measure("failures", Share, 0.0, 0.0123, Higher),
            measure("dropped", Share, 0.0, 0.0, NoDifferenceSeen),
            measure("rate", PerSecond, 50.0, 50.0, NoDifferenceSeen),
            measure("metrics.upload->db_time_in_sec.mean", Number, 2.668, 2.5, Lower),
            measure("timers.login.p50", Seconds, 0.020, 0.018, Faster),
            measure("timers.login.p95", Seconds, 0.030, 0.031, NoDifferenceSeen),
            measure("checks.status is 200", Share, 1.0, 0.98, Lower),
        ],
    };
    let search = TestComparison {
        name: None,
        label: "<SearchTest kwargs={'a': 1}>".to_owned(),
        measures: vec![measure(
            "response_time.p50",
            Seconds,
            1.25,
            1.2505,
            NoDifferenceSeen,
        )],
    };
    let condition = |expression: &str, state, failing: &[&str], unknown: &[&str]| ConditionResult {
        expression: expression.to_owned(),
        state,
        failing: failing.iter().map(ToString::to_string).collect(),
        unknown: unknown.iter().map(ToString::to_string).collect(),
    };
    Comparison {
        notes: vec![
            Note {
                warning: true,
                text: "upload had another load: 50/s, evenly spaced in results/20261122-162501-shop, 20 users in results/20261122-172501-shop".to_owned(),
            },
            Note {
                warning: false,
                text: "only the new side has the test <b>browse</b>".to_owned(),
            },
        ],
        conditions: vec![
            condition("response_time.p95 > +5%", ConditionState::Failed, &["upload"], &[]),
            condition("response_time.p99 > +5%", ConditionState::NotEnoughData, &[], &["upload"]),
            condition("rate < -1%", ConditionState::Passed, &[], &[]),
        ],
        ..comparison(vec![upload, search])
    }
}

fn same() -> Comparison {
    let measures = vec![
        measure(
            "response_time.p50",
            Unit::Seconds,
            0.05,
            0.0501,
            Outcome::NoDifferenceSeen,
        ),
        measure("failures", Unit::Share, 0.0, 0.0, Outcome::NoDifferenceSeen),
    ];
    comparison(vec![TestComparison {
        name: Some("upload".to_owned()),
        label: "<UploadTest kwargs={}>".to_owned(),
        measures,
    }])
}

fn hostile() -> Comparison {
    let long = "very long | name ".repeat(20);
    Comparison {
        base: vec![run(&format!("{long}\u{1b}[2J"), Validity::Invalid); 3],
        notes: vec![Note {
            warning: true,
            text: format!("\u{202e}{long}\n`x`"),
        }],
        ..comparison(vec![TestComparison {
            name: Some(format!("<script> {long}")),
            label: String::new(),
            measures: vec![
                measure(
                    &format!("metrics.{long}.mean"),
                    Unit::Number,
                    -1e300,
                    1e-300,
                    Outcome::Higher,
                ),
                measure("response_time.p50", Unit::Seconds, 1e-9, 1e9, Outcome::Slower),
                unknown(&format!("timers.{long}.p50"), &long),
            ],
        }])
    }
}

fn nothing() -> Comparison {
    comparison(Vec::new())
}

fn all() -> [(&'static str, Comparison); 3] {
    [("full", full()), ("same", same()), ("nothing", nothing())]
}

#[test]
fn comparisons_read_well() {
    for (name, comparison) in all() {
        for columns in [44, 80] {
            insta::assert_snapshot!(
                format!("{name}_{columns}"),
                compare_text(&comparison, &plain(columns))
            );
        }
    }
}

#[test]
fn comparisons_fit_a_pull_request() {
    for (name, comparison) in all() {
        insta::assert_snapshot!(format!("{name}_markdown"), compare_markdown(&comparison));
    }
    let hostile = compare_markdown(&hostile());
    assert!(
        !hostile.contains("<script>") && !hostile.contains('\u{1b}'),
        "{hostile}"
    );
    // No cell breaks its row.
    let rows = hostile.lines().filter(|line| line.starts_with('|'));
    for row in rows {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 8, "{row}");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for (name, comparison) in all().into_iter().chain([("hostile", hostile())]) {
        for columns in [44, 57, 80, 120] {
            for line in compare_text(&comparison, &plain(columns)).lines() {
                let width = line.chars().count();
                assert!(
                    width <= usize::from(columns),
                    "{name} at {columns}: {width} {line}"
                );
            }
        }
    }
}

#[test]
fn colour_changes_no_word() {
    for (_, comparison) in all() {
        let colored = compare_text(
            &comparison,
            &Style {
                color: true,
                columns: 80,
            },
        );
        let mut stripped = String::new();
        let mut rest = colored.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            stripped.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        stripped.push_str(rest);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&stripped), words(&compare_text(&comparison, &plain(80))));
    }
}

#[test]
fn a_comparison_is_data_with_a_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/compare.schema.json");
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's switch, not a program's setting"
    )]
    let update = std::env::var("UPDATE_SCHEMA").is_ok_and(|value| value == "1");
    if update {
        fs::write(&path, compare_schema()).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == compare_schema(),
        "docs/schema/compare.schema.json is not current: run the tests with UPDATE_SCHEMA=1"
    );
    let schema = serde_json::from_str(&compare_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, comparison) in all() {
        let value: serde_json::Value = serde_json::from_str(&compare_json(&comparison)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        assert_eq!(serde_json::from_value::<Comparison>(value).unwrap(), comparison);
    }
}

fn glimpse(folder: &str, json: &str) -> Glimpse {
    Glimpse::read(folder, json.as_bytes()).unwrap()
}

fn runs() -> Vec<Glimpse> {
    let test = |name: &str, p99: &str| {
        format!(
            r#"{{"name": {name}, "label": "<UploadTest kwargs={{}}>", "account": {{"passed": 2990, "failed": 10, "dropped": 0}},
                 "asked_rate_per_s": 50.0, "achieved_rate_per_s": 49.98,
                 "response_time": {{"count": 3000, "p50_s": 0.0501, "p95_s": 0.0703, "p99_s": {p99}}}}}"#
        )
    };
    let run = |folder: &str, started: &str, status: &str, verdict: &str, rest: &str| {
        glimpse(
            folder,
            &format!(
                r#"{{"name": "shop", "started_at": "{started}", "status": "{status}", "duration_s": 60.0, "added_later": [1],
                     "verdict": {{"validity": "{verdict}", "causes": []}}, {rest}}}"#
            ),
        )
    };
    vec![
        run(
            "pysurge-results/20261120-100000-shop",
            "2026-11-20T10:00:00Z",
            "finished",
            "valid",
            &format!(
                r#""exit_code": 0, "thresholds": [{{"expression": "a", "state": "passed"}}], "tests": [{}]"#,
                test("\"upload\"", "0.081")
            ),
        ),
        run(
            "pysurge-results/20261121-100000-shop",
            "2026-11-21T10:00:00Z",
            "finished",
            "degraded",
            &format!(
                r#""exit_code": 3, "thresholds": [{{"state": "passed"}}, {{"state": "failed"}}], "tests": [{}, {}]"#,
                test("null", "null"),
                test("\"search\"", "1.5")
            ),
        ),
        run(
            "pysurge-results/20261122-100000-shop",
            "2026-11-22T10:00:00Z",
            "running",
            "valid",
            r#""tests": []"#,
        ),
    ]
}

#[test]
fn the_history_reads_well() {
    for columns in [44, 80, 120] {
        let text = history_text(&runs(), &plain(columns));
        for line in text.lines().filter(|line| !line.starts_with("  pysurge")) {
            assert!(line.chars().count() <= usize::from(columns), "{columns}: {line}");
        }
        insta::assert_snapshot!(format!("history_{columns}"), text);
    }
    let read: Vec<Glimpse> = serde_json::from_str(&history_json(&runs())).unwrap();
    assert_eq!(read, runs());
}

#[test]
fn what_is_no_summary_is_not_read() {
    for json in [
        "",
        "[]",
        "{}",
        "{\"status\": 3}",
        "{\"status\": \"finished\"}",
        "null",
    ] {
        assert_eq!(Glimpse::read("x", json.as_bytes()), None, "{json}");
    }
}
