//! The last line of all, where eyes and logs end: that a run has not passed, and why. Nothing is said of one that has.

use crate::text::{count, one_line, plural};
use pysurge_core::summary::{StopCause, Summary};

/// `not passed (exit code 3): 1 of 2 thresholds failed: failures < 1%, 1.15 %`.
pub(crate) fn line(summary: &Summary) -> Option<String> {
    let exit_code = summary.exit_code.filter(|code| *code != 0)?;
    Some(format!(
        "not passed (exit code {exit_code}): {}",
        why(summary, exit_code)
    ))
}

/// The exit codes of a run that was fired; which one it is was decided before.
fn why(summary: &Summary, exit_code: u8) -> String {
    let not_run = summary.tests.iter().filter(|test| test.not_run.is_some()).count() as u64;
    match exit_code {
        130 => "running iterations were abandoned on request".to_owned(),
        4 => "the verdict is invalid, and it was required to be valid".to_owned(),
        3 => thresholds(summary).unwrap_or_else(|| {
            if summary.stop_cause == Some(StopCause::WorkersLost) {
                "every worker died".to_owned()
            } else if not_run > 0 {
                format!("{} did not run", plural(not_run, "test"))
            } else {
                "no iteration passed".to_owned()
            }
        }),
        _ => "no test could be run".to_owned(),
    }
}

fn thresholds(summary: &Summary) -> Option<String> {
    let mut failed = summary.thresholds.iter().filter(|result| result.state.fails());
    let first = failed.next()?;
    let failed = 1 + failed.count();
    let all = plural(summary.thresholds.len() as u64, "threshold");
    let which = match failed {
        1 => format!(
            ": {}, {}",
            one_line(&first.expression),
            one_line(&first.actual_text)
        ),
        _ => String::new(),
    };
    Some(format!("{} of {all} failed{which}", count(failed as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::summary::{Summary, TestSummary, ThresholdResult, ThresholdState};

    fn summary(exit_code: u8) -> Summary {
        let json = serde_json::json!({
            "schema_version": 1, "pysurge_version": "2.0.0", "name": "demo", "tags": [], "status": "finished",
            "stop_cause": "duration", "exit_code": exit_code, "started_at": "2018-09-14T18:51:37Z",
            "planned_duration_s": 1.0, "duration_s": 1.0, "paused_s": 0.0, "factor": 1.0, "changes": [], "elapsed_s": 1.0,
            "verdict": {"validity": "valid", "causes": []}, "thresholds": [],
            "account": {"planned": 0, "passed": 0, "failed": 0, "dropped": 0, "interrupted": 0, "lost": 0},
            "tests": [], "workers": [],
            "machine": {"cpus": 2, "cpu_share": null, "swapped_bytes": null, "suspended_s": 0.0, "clock_set_s": 0.0},
            "blocks": [], "samples_dropped": 0, "output_dropped": 0
        });
        serde_json::from_value(json).unwrap()
    }

    fn threshold(state: ThresholdState) -> ThresholdResult {
        ThresholdResult {
            expression: "failures\n< 1%".into(),
            test: None,
            state,
            actual: None,
            actual_text: "1.15 %".into(),
            abort_on_fail: false,
            aborted: false,
        }
    }

    #[test]
    fn the_last_line_says_why() {
        assert_eq!(line(&summary(0)), None);
        let said = |summary: &Summary| line(summary).unwrap();
        assert_eq!(said(&summary(3)), "not passed (exit code 3): no iteration passed");
        let mut lost = summary(3);
        lost.stop_cause = Some(StopCause::WorkersLost);
        assert_eq!(said(&lost), "not passed (exit code 3): every worker died");
        let mut absent = summary(3);
        absent.tests = vec![TestSummary {
            not_run: Some("gone".into()),
            ..TestSummary::default()
        }];
        assert_eq!(said(&absent), "not passed (exit code 3): 1 test did not run");
        let (passed, failed) = (ThresholdState::Passed, ThresholdState::Failed);
        lost.thresholds = vec![threshold(passed), threshold(failed)];
        assert_eq!(
            said(&lost),
            "not passed (exit code 3): 1 of 2 thresholds failed: failures < 1%, 1.15 %"
        );
        lost.thresholds.push(threshold(ThresholdState::NoData));
        assert_eq!(said(&lost), "not passed (exit code 3): 2 of 3 thresholds failed");
        for (code, why) in [
            (130, "abandoned"),
            (4, "required to be valid"),
            (2, "no test could be run"),
        ] {
            assert!(said(&summary(code)).contains(why));
        }
    }
}
