//! The report as it stands on a terminal, at two widths, plain and in colour.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod sample;

use pysurge_core::summary::{Incident, IncidentKind, Summary, WorkerEnd, WorkerSummary};
use pysurge_report::Style;
use pysurge_report::report::render;

fn plain(columns: u16) -> Style {
    Style {
        color: false,
        columns,
    }
}

#[test]
fn reports_read_well() {
    for (name, summary) in sample::all() {
        for columns in [44, 80, 120] {
            insta::assert_snapshot!(format!("{name}_{columns}"), render(&summary, &plain(columns)));
        }
    }
}

/// A worker was lost and replaced, and another place was given up; iterations were lost, and two ran for too long.
#[test]
fn what_befell_workers_is_told() {
    let mut summary = sample::valid();
    let lost = WorkerSummary {
        pid: 4_099,
        end: WorkerEnd::Lost,
        death: Some("killed by signal 9 (SIGKILL)".to_owned()),
        ..summary.workers[1].clone()
    };
    summary.workers[1].life = 1;
    summary.workers.insert(1, lost);
    summary.tests[0].overran = 2;
    let incident = |at_s, kind, text: &str| Incident {
        at_s,
        worker: 1,
        pid: Some(4_099),
        kind,
        text: text.to_owned(),
    };
    summary.incidents = vec![
        incident(
            3.2,
            IncidentKind::Lost,
            "worker 2 (pid 4099) was killed by signal 9 (SIGKILL); 12 iterations were lost",
        ),
        incident(3.251, IncidentKind::TakenOver, "worker 1 took over its part"),
        incident(4.6, IncidentKind::Replaced, "worker 2 was replaced by pid 4101"),
    ];
    let told = summary.incidents.clone();
    insta::assert_snapshot!("incidents", render(&summary, &plain(80)));
    summary.incidents = told.into_iter().cycle().take(40).collect();
    let text = render(&summary, &plain(200));
    assert!(
        text.contains("! and 28 more things that befell workers, see summary.json\n"),
        "{text}"
    );
    assert!(text.contains("2 workers"), "{text}");
}

#[test]
fn a_report_in_colour() {
    for (name, summary) in [
        ("valid", sample::valid()),
        ("degraded", sample::degraded()),
        ("models", sample::models()),
        ("judged", sample::judged()),
    ] {
        let style = Style {
            color: true,
            columns: 80,
        };
        let text = render(&summary, &style).replace('\x1b', "␛");
        insta::assert_snapshot!(format!("{name}_color"), text);
    }
}

#[test]
fn colour_changes_no_word() {
    for (name, summary) in sample::all() {
        let colored = Style {
            color: true,
            columns: 80,
        };
        assert_eq!(
            without_escapes(&render(&summary, &colored)),
            render(&summary, &plain(80)),
            "{name}"
        );
    }
}

/// A suite of tests like the one of a small run: one failed, one did not run, the rest differ in how slow they are.
fn suite(tests: usize) -> Summary {
    let mut summary = sample::valid();
    let one = summary.tests[0].clone();
    summary.tests = (0..tests)
        .map(|at| {
            let mut test = one.clone();
            test.name = None;
            test.label = format!("tests/shop/test_orders.py::TestOrders::test_number_{at}");
            let p95_s = test.response_time.p95_s.unwrap();
            test.response_time.p95_s = Some(p95_s * (1.0 + f64::from(u32::try_from(at).unwrap()) / 10.0));
            test
        })
        .collect();
    summary.tests[3].account.failed = 2;
    summary.tests[3].account.passed -= 2;
    summary.tests[4].not_run = Some("startup failed: OSError: gone".into());
    summary
}

#[test]
fn many_tests_are_a_table_the_worst_first() {
    for columns in [44, 80, 120] {
        insta::assert_snapshot!(format!("many_{columns}"), render(&suite(12), &plain(columns)));
    }
}

#[test]
fn very_many_tests_do_not_flood_the_screen() {
    let text = render(&suite(500), &plain(100));
    assert!(text.lines().count() < 150, "{}", text.lines().count());
    assert!(text.contains("460 more tests"), "{text}");
    // All who failed are in full.
    assert!(text.contains("not run: startup failed: OSError: gone"));
}

#[test]
fn a_coroutine_test_has_no_threads() {
    let mut summary = sample::degraded();
    assert!(render(&summary, &plain(120)).contains("threads: "));
    for test in &mut summary.tests {
        test.coroutine = true;
    }
    let text = render(&summary, &plain(120));
    let of_tests = text.split("──").skip(1).collect::<String>();
    assert!(of_tests.contains("in flight: "), "{of_tests}");
    assert!(
        !of_tests.contains("threads: ") && !of_tests.contains("GIL"),
        "{of_tests}"
    );
}

#[test]
fn a_threshold_names_its_test_only_among_several() {
    let mut summary = sample::judged();
    let of_test = summary.thresholds.iter().find_map(|result| result.test.clone());
    let name = of_test.expect("a threshold of a test");
    let named = |summary: &Summary| {
        let report = render(summary, &plain(120));
        let (_, below) = report.split_once("Thresholds:").unwrap();
        below
            .split_once("──")
            .unwrap()
            .0
            .lines()
            .filter(|line| line.ends_with(&name))
            .count()
    };
    assert!(named(&summary) > 0);
    summary.tests.truncate(1);
    assert_eq!(named(&summary), 0);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for (name, summary) in sample::all() {
        for columns in [40, 44, 60, 72, 80, 100, 120, 200] {
            let shown = render(&summary, &plain(columns));
            // A line of a traceback is never cut: what matters stands at its end.
            let traceback = |line: &&str| line.trim_start().starts_with("File \"");
            let mut lines = shown.lines().peekable();
            while let Some(line) = lines.next() {
                if traceback(&line) {
                    lines.next_if(|code| code.starts_with("          "));
                    continue;
                }
                // Wide characters of the samples count twice.
                let wide = line.chars().filter(|c| u32::from(*c) >= 0x2e80).count();
                let width = line.chars().count() + wide;
                assert!(
                    width <= usize::from(columns),
                    "{name} at {columns}: {width} {line}"
                );
            }
        }
    }
}

fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain + rest
}
