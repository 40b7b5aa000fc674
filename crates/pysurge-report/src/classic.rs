//! The report of pysurge 1.0.1, line by line, for scripts that grep it: same words, same numbers meaning the same.
//! Nothing here may be made prettier.

use pysurge_core::harmless::harmless;
use pysurge_core::summary::{Summary, TestSummary};

/// The classic report: per test its results, its metrics' means, then an empty line.
pub fn lines(summary: &Summary) -> Vec<String> {
    let tests = summary.tests.iter();
    tests.flat_map(|test| of_test(test, summary.elapsed_s)).collect()
}

fn of_test(test: &TestSummary, elapsed_s: f64) -> Vec<String> {
    let TestSummary {
        label,
        summary,
        account,
        ..
    } = test;
    let (label, summary) = (harmless(label), harmless(summary));
    let mut lines = vec![
        format!("---- Results for test '{label} -- {summary}' ----"),
        format!(
            ">>> Ran for {elapsed_s:.6} sec, fired {} total tests",
            account.fired()
        ),
        format!(">>> Successes: {}, failures: {}", account.passed, account.failed),
        format!("---- Metrics for test '{label} -- {summary}' ----"),
    ];
    let metrics = test.metrics.iter();
    lines.extend(metrics.map(|(name, figures)| format!(">>> {}: {:.6}", harmless(name), figures.mean)));
    lines.push(String::new());
    lines
}
