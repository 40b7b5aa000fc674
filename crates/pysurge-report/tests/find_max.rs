//! What a search shows and leaves.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

use pysurge_core::account::Account;
use pysurge_core::rate::Rate;
use pysurge_core::search::{Found, Purpose, SearchEnd, Signal, SignalKind, Terms};
use pysurge_core::summary::Durations;
use pysurge_core::verdict::{Validity, Verdict};
use pysurge_report::find_max::LevelState;
use pysurge_report::{
    FindMax, LevelRecord, Screen, ScreenOptions, Style, find_max_html, find_max_json, find_max_schema,
    find_max_svg, find_max_text,
};
use serde_json::Value;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

const SECOND_NS: u64 = 1_000_000_000;

fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

fn slow(text: &str) -> Signal {
    Signal {
        kind: SignalKind::Objective,
        objective: Some("response_time.p99 < 300ms".to_owned()),
        text: text.to_owned(),
    }
}

fn level(number: u32, rate_per_s: f64, p50_s: f64, p99_s: f64, signal: Option<Signal>) -> LevelRecord {
    let times = Durations {
        count: 1_000,
        mean_s: Some(p50_s),
        min_s: Some(p50_s / 2.0),
        p50_s: Some(p50_s),
        p90_s: Some(p50_s + (p99_s - p50_s) * 0.8),
        p95_s: Some(p50_s + (p99_s - p50_s) * 0.9),
        p99_s: Some(p99_s),
        p99_9_s: Some(p99_s * 1.1),
        max_s: Some(p99_s * 1.2),
    };
    LevelRecord {
        number,
        rate_per_s,
        purpose: Purpose::Between,
        confirmation: false,
        began_s: f64::from(number) * 14.0,
        hold_s: 10.0,
        ended_early: false,
        state: match &signal {
            None => LevelState::Held,
            Some(signal) if signal.kind == SignalKind::Generator => LevelState::GeneratorLimited,
            Some(_) => LevelState::Failed,
        },
        signal,
        account: Account {
            planned: 1_000,
            passed: 996,
            failed: 4,
            ..Account::default()
        },
        response_time: times.clone(),
        service_time: times.clone(),
        lateness: Durations::default(),
        verdict: Verdict::valid(),
        objectives: Vec::new(),
        folder: Some(format!("{number:02}-{rate_per_s}")),
    }
}

fn search() -> FindMax {
    let terms = Terms {
        start: rate("50"),
        max: None,
        precision: 0.03,
        settle_ns: 3 * SECOND_NS,
        hold_ns: 10 * SECOND_NS,
        confirm_ns: 30 * SECOND_NS,
        max_time_ns: 900 * SECOND_NS,
    };
    let objectives = vec!["response_time.p99 < 300ms".to_owned(), "failures < 1%".to_owned()];
    let mut search = FindMax::new("shop <x>", objectives, &terms, 2);
    let mut early = level(4, 400.0, 2.1, 4.2, Some(slow("4.2 s")));
    early.ended_early = true;
    let mut confirmation = level(9, 198.4, 0.022, 0.121, None);
    (confirmation.confirmation, confirmation.hold_s) = (true, 30.0);
    let mut doubtful = level(7, 210.2, 0.09, 0.35, Some(slow("350 ms")));
    doubtful.verdict.validity = Validity::Degraded;
    for level in [
        level(1, 50.0, 0.02, 0.021, None),
        level(2, 100.0, 0.02, 0.024, None),
        level(3, 200.0, 0.024, 0.34, Some(slow("340 ms"))),
        early,
        level(5, 141.4, 0.02, 0.028, None),
        level(6, 168.2, 0.021, 0.04, None),
        doubtful,
        level(8, 198.4, 0.022, 0.11, None),
        confirmation,
    ] {
        search.add(level, "2026-11-22T16:00:00Z");
    }
    search
}

fn found() -> Found {
    Found {
        held: Some(rate("198.4")),
        is_confirmed: true,
        failed: Some(rate("200")),
        limit: Some(slow("340 ms")),
        end: SearchEnd::Found,
    }
}

fn concluded(found: &Found) -> FindMax {
    let mut search = search();
    search.conclude(found, 161 * SECOND_NS, 0);
    search
}

fn text(search: &FindMax, columns: u16) -> String {
    let style = Style {
        color: false,
        columns,
    };
    let text = find_max_text(search, &style);
    for line in text.lines() {
        assert!(line.chars().count() <= usize::from(columns), "{line}");
    }
    text
}

#[test]
fn the_whole_view() {
    let search = concluded(&found());
    insta::assert_snapshot!("find_max_80", text(&search, 80));
    insta::assert_snapshot!("find_max_44", text(&search, 44));
}

#[test]
fn the_picture() {
    let svg = find_max_svg(&concluded(&found()));
    assert!(svg.contains("shop &lt;x&gt;") && !svg.contains("<x>"));
    insta::assert_snapshot!("find_max_svg", svg);
    // Without a level there is nothing to draw, and still a picture.
    let mut empty = search();
    empty.levels.clear();
    assert!(find_max_svg(&empty).ends_with("</svg>\n"));
}

#[test]
fn the_page_holds_the_whole_search_and_the_limits() {
    let search = concluded(&found());
    let page = find_max_html(&search);
    assert!(page.contains("<title>shop &lt;x&gt; · pysurge find-max</title>"));
    let (_, rest) = page
        .split_once("<script id=\"data\" type=\"application/json\">")
        .unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let told: Value = serde_json::from_str(&find_max_json(&search)).unwrap();
    assert_eq!(data["search"], told);
    // An objective on a share is no line in a chart of durations.
    assert_eq!(data["limits_s"], serde_json::json!([0.3]));
}

#[test]
fn every_end_has_its_sentence() {
    let generator = Signal {
        kind: SignalKind::Generator,
        objective: None,
        text: "2 workers at 98 % CPU".to_owned(),
    };
    let behind = Signal {
        kind: SignalKind::Rate,
        objective: None,
        text: "199.2/s ended of 206.0/s".to_owned(),
    };
    let nothing = Found {
        held: None,
        is_confirmed: false,
        ..found()
    };
    let unconfirmed = Found {
        is_confirmed: false,
        ..found()
    };
    let endless = Found {
        failed: None,
        limit: None,
        ..unconfirmed.clone()
    };
    let cases = [
        found(),
        Found {
            limit: Some(behind),
            ..found()
        },
        Found {
            limit: Some(generator.clone()),
            ..found()
        },
        Found {
            end: SearchEnd::MaxRate,
            failed: None,
            limit: None,
            ..found()
        },
        Found {
            end: SearchEnd::MaxTime,
            ..unconfirmed.clone()
        },
        Found {
            end: SearchEnd::Stopped,
            ..unconfirmed
        },
        Found {
            end: SearchEnd::Stopped,
            ..endless.clone()
        },
        Found {
            end: SearchEnd::Stopped,
            held: None,
            ..endless
        },
        Found {
            end: SearchEnd::NothingHeld,
            ..nothing.clone()
        },
        Found {
            end: SearchEnd::NothingHeld,
            limit: Some(generator),
            ..nothing.clone()
        },
        Found {
            end: SearchEnd::MaxTime,
            ..nothing
        },
    ];
    let sentences: Vec<String> = cases
        .iter()
        .map(|found| concluded(found).result.unwrap().text)
        .collect();
    insta::assert_snapshot!("find_max_sentences", sentences.join("\n"));
}

#[test]
fn the_json_keeps_to_its_schema_and_reads_back() {
    let schema: Value = serde_json::from_str(&find_max_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for search in [search(), concluded(&found())] {
        let json = find_max_json(&search);
        let value: Value = serde_json::from_str(&json).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(serde_json::from_str::<FindMax>(&json).unwrap(), search);
    }
}

#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/find-max.schema.json");
    #[expect(clippy::disallowed_methods, reason = "how a developer asks for an update")]
    let update = std::env::var("UPDATE_SCHEMA").is_ok_and(|value| value == "1");
    if update {
        std::fs::write(&path, find_max_schema()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == find_max_schema(),
        "docs/schema/find-max.schema.json is not current: run the tests with UPDATE_SCHEMA=1"
    );
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_level_leaves_a_line_and_a_warning_is_told_once() {
    for quiet in [false, true] {
        let kept = Kept::default();
        let screen = Screen::new(ScreenOptions {
            stderr: Box::new(kept.clone()),
            is_tty: false,
            color: false,
            columns: None,
            size: Box::new(|| None),
            unicode: true,
            quiet,
        });
        for level in &search().levels {
            screen.ended(level);
            screen.warn("startup of a.B\nfailed");
        }
        let told = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        if quiet {
            assert_eq!(told, "warning: startup of a.B failed\n");
        } else {
            insta::assert_snapshot!("find_max_levels", told);
        }
    }
}
