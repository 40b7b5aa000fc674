//! `pysurge compare` and `pysurge history` over run folders, as a user has them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

#[path = "../../pysurge-core/src/compare/synthetic.rs"]
mod synthetic;

use common::Kept;
use pysurge_cli::{Output, World, run};
use pysurge_core as ours;
use pysurge_core::compare::{Cells, Source};
use pysurge_core::summary::{Block, EncodedHistogram, Summary, TestBlock};
use std::fs;
use std::path::Path;
use synthetic::Target;

/// The exit code, standard output and standard error of a command in a folder.
fn ran(cwd: &Path, args: &[&str]) -> (u8, String, String) {
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let mut world = World::new(
        std::iter::once("pysurge").chain(args.iter().copied()),
        Output::new(stdout.clone(), false),
        Output::new(stderr.clone(), false),
    );
    world.cwd = cwd.to_path_buf();
    (run(world), stdout.text(), stderr.text())
}

fn test_block(cells: &Cells) -> TestBlock {
    TestBlock {
        planned: cells.planned,
        passed: cells.passed,
        failed: cells.failed,
        dropped: cells.dropped,
        response_time: EncodedHistogram::of(&cells.response_time),
        service_time: EncodedHistogram::of(&cells.service_time),
        lateness: EncodedHistogram::of(&cells.lateness),
        metrics: cells.metrics.clone(),
        timers: cells
            .timers
            .iter()
            .map(|(name, histogram)| (name.clone(), EncodedHistogram::of(histogram)))
            .collect(),
        checks: cells.checks.clone(),
    }
}

/// The summary that a run would have written.
fn summary(source: &Source, started_at: &str) -> Summary {
    let mut from_s = 0.0;
    let blocks = source.run.seconds.iter().enumerate().map(|(at, seconds)| {
        let block = Block {
            from_s,
            to_s: from_s + seconds,
            tests: source
                .run
                .tests
                .iter()
                .map(|cells| test_block(&cells[at]))
                .collect(),
        };
        from_s = block.to_s;
        block
    });
    Summary {
        started_at: started_at.to_owned(),
        blocks: blocks.collect(),
        ..source.summary.clone()
    }
}

fn write(results: &Path, day: u32, target: &Target) {
    let folder = results.join(format!("202611{day}-100000-shop"));
    fs::create_dir_all(&folder).unwrap();
    let summary = summary(&target.run(u64::from(day)), &format!("2026-11-{day}T10:00:00Z"));
    fs::write(folder.join("summary.json"), serde_json::to_vec(&summary).unwrap()).unwrap();
}

/// Two runs of the same, then one that is slower.
fn results() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let target = Target {
        seconds: 30,
        ..Target::default()
    };
    write(folder.path(), 20, &target);
    write(folder.path(), 21, &target);
    write(folder.path(), 22, &target.slower(1.2));
    folder
}

const A: &str = "20261120-100000-shop";
const B: &str = "20261121-100000-shop";
const C: &str = "20261122-100000-shop";

#[test]
fn a_page_is_written_beside_what_is_printed() {
    let results = results();
    let at = results.path();
    for form in [None, Some("--json"), Some("--markdown")] {
        let args: Vec<&str> = ["compare", A, C].into_iter().chain(form).collect();
        let (_, printed, _) = ran(at, &args);
        let with_page: Vec<&str> = args.iter().copied().chain(["--html", "page.html"]).collect();
        assert_eq!(ran(at, &with_page), (0, printed, "page: page.html\n".to_owned()));
    }
    let page = fs::read_to_string(at.join("page.html")).unwrap();
    let (_, rest) = page
        .split_once("<script id=\"data\" type=\"application/json\">")
        .unwrap();
    let data: serde_json::Value = serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap();
    let (_, printed, _) = ran(at, &["compare", A, C]);
    assert!(printed.contains(data["sentence"].as_str().unwrap()));
    let test = &data["tests"][0];
    for row in test["rows"].as_array().unwrap() {
        for figure in ["base", "new", "change", "interval", "words"] {
            assert!(printed.contains(row[figure].as_str().unwrap()), "{row}");
        }
    }
    for side in ["base", "new"] {
        assert_eq!(test[side]["runs"][0]["p99"].as_array().unwrap().len(), 30);
    }
    // Nothing is printed where the page cannot be written, so that nobody takes it for done.
    let (code, printed, told) = ran(at, &["compare", A, C, "--html", "nowhere/page.html"]);
    assert_eq!((code, printed.as_str()), (2, ""));
    assert!(
        told.contains("failed to write the page nowhere/page.html: "),
        "{told}"
    );
}

#[test]
fn runs_are_compared() {
    let results = results();
    let at = results.path();
    let (code, stdout, stderr) = ran(at, &["compare", A, B]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("no difference seen in"), "{stdout}");
    // A folder or its summary are the same; the seed decides, not the day.
    let file = format!("{A}/summary.json");
    let table = |text: &str| text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(table(&ran(at, &["compare", &file, B]).1), table(&stdout));
    let (code, stdout, _) = ran(at, &["compare", A, C, "--base", B]);
    assert_eq!(code, 0);
    assert!(stdout.contains("only one side has several runs"), "{stdout}");
    let (_, stdout, _) = ran(at, &["compare", A, C, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let mean = &json["tests"][0]["measures"][0];
    assert_eq!(
        (mean["measure"].as_str(), mean["outcome"].as_str()),
        (Some("response_time.mean"), Some("slower"))
    );
    let (_, stdout, _) = ran(at, &["compare", A, C, "--markdown"]);
    assert!(stdout.contains("| upload | `response_time.mean` |"), "{stdout}");
}

#[test]
fn fail_if_fails_a_pipeline() {
    let results = results();
    let at = results.path();
    for (args, code) in [
        (&["compare", A, C, "--fail-if", "response_time.p50 > +5%"][..], 3),
        (&["compare", A, B, "--fail-if", "response_time.p50 > +5%"], 0),
        (&["compare", A, C, "--fail-if", "response_time.p50 > +50%"], 0),
        (
            &[
                "compare",
                A,
                C,
                "--fail-if",
                "failures > +50pp",
                "--fail-if",
                "timers.upload.p50 > 1%",
                "--json",
            ],
            3,
        ),
    ] {
        assert_eq!(ran(at, args).0, code, "{args:?}");
    }
    let (code, _, stderr) = ran(at, &["compare", A, C, "--fail-if", "response_time.p99.9 > +5%"]);
    assert_eq!(code, 0);
    assert!(
        stderr.contains("could not be judged: not enough data"),
        "{stderr}"
    );
    for (condition, text) in [
        (
            "response_time.p95 > 5",
            "error: --fail-if: `5` has no unit\n  response_time.p95 > 5\n                      ^\n  write +5%, or +20ms\n",
        ),
        (
            "checks.status > +1pp",
            "error: --fail-if: no test that was compared has `checks.status`\n  did you mean `checks.status is 200`?\n",
        ),
    ] {
        let (code, stdout, stderr) = ran(at, &["compare", A, C, "--fail-if", condition]);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (2, "", text));
    }
    let (code, _, stderr) = ran(at, &["compare", A, C, "--test", "uplaod"]);
    assert_eq!(
        (code, stderr.as_str()),
        (2, "error: no run has a test uplaod\nhint: there are: upload\n")
    );
}

#[test]
fn what_is_no_run_is_told() {
    let results = results();
    let at = results.path();
    fs::create_dir(at.join("empty")).unwrap();
    fs::write(at.join("broken.json"), "{\n \"a\": }").unwrap();
    fs::write(at.join("other.json"), "{\"name\": 1}").unwrap();
    fs::write(
        at.join("later.json"),
        "{\"pysurge_version\": \"9.0\", \"schema_version\": 7}",
    )
    .unwrap();
    fs::write(
        at.join("older.json"),
        "{\"pysurge_version\": \"1.9\", \"schema_version\": 1}",
    )
    .unwrap();
    let mut text = String::new();
    for path in [
        "nowhere",
        "empty",
        ".",
        "broken.json",
        "other.json",
        "later.json",
        "older.json",
    ] {
        let (code, stdout, stderr) = ran(at, &["compare", path, A]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{path}");
        text.push_str(&stderr);
    }
    let running = fs::read_to_string(at.join(A).join("summary.json")).unwrap();
    let running = running.replace("\"status\":\"finished\"", "\"status\":\"running\"");
    fs::write(at.join(A).join("summary.json"), running).unwrap();
    text.push_str(&ran(at, &["compare", A, B]).2);
    insta::assert_snapshot!(text);
}

#[test]
fn the_history_lists_runs_and_says_what_it_leaves_out() {
    let results = results();
    let at = results.path();
    fs::create_dir(at.join("20261123-100000-shop")).unwrap();
    fs::create_dir(at.join("20261123-100000-shop-find-max")).unwrap();
    fs::create_dir(at.join("notes")).unwrap();
    let (code, stdout, stderr) = ran(at, &["history", "."]);
    assert_eq!(code, 0);
    assert_eq!(
        stderr,
        "left out, for there is no summary in it to be read: 20261123-100000-shop\n"
    );
    insta::assert_snapshot!(stdout);
    let (_, stdout, _) = ran(at, &["history", ".", "--last", "1", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 1);
    assert_eq!(json[0]["folder"], format!("./{C}"));
    let (code, stdout, stderr) = ran(at, &["history", ".", "--name", "other"]);
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.ends_with("no run of the name other in .\n"), "{stderr}");
    let (code, _, stderr) = ran(at, &["history"]);
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("error: there is no folder pysurge-results\n"),
        "{stderr}"
    );
}
