//! Causes that need no diagnosis: a test that was not started, or not everywhere; iterations that went with a worker.

use super::symptom::grade;
use super::words::count;
use super::{Cause, CauseKind, Evidence, Validity};

/// Not one planned iteration was started.
pub(super) fn nothing_started(evidence: &Evidence<'_>) -> Option<Cause> {
    let account = &evidence.account;
    let nothing = account.planned > 0 && account.fired() == 0 && account.lost == 0;
    nothing.then(|| {
        cause(
            evidence,
            Validity::Invalid,
            CauseKind::NothingStarted,
            format!("none of {} planned iterations was started", count(account.planned)),
            "run.log says what the workers did instead; where late iterations are dropped, `max_lateness` must leave time to start one",
        )
    })
}

/// Workers died.
pub(super) fn lost(evidence: &Evidence<'_>) -> Option<Cause> {
    let account = &evidence.account;
    let validity = grade(account.lost, account.dropped + account.lost, account.planned);
    let (lost, planned) = (count(account.lost), count(account.planned));
    (validity > Validity::Valid).then(|| {
        cause(
            evidence,
            validity,
            CauseKind::Lost,
            format!("{lost} of {planned} planned iterations were lost with a worker that died"),
            "run.log says how it died; a SIGKILL that nobody sent is mostly the kernel's, for want of memory",
        )
    })
}

/// `startup` failed in workers.
pub(super) fn not_everywhere(evidence: &Evidence<'_>) -> Option<Cause> {
    let (validity, text) = match evidence.workers {
        0 => (Validity::Invalid, "did not run on any worker".to_owned()),
        workers if workers < evidence.workers_of_run => (
            Validity::Degraded,
            format!("ran on {workers} of {} workers", evidence.workers_of_run),
        ),
        _ => return None,
    };
    Some(cause(
        evidence,
        validity,
        CauseKind::NotEverywhere,
        text,
        "run.log says why its startup failed",
    ))
}

fn cause(evidence: &Evidence<'_>, validity: Validity, kind: CauseKind, text: String, advice: &str) -> Cause {
    Cause {
        validity,
        kind,
        test: Some(evidence.label.to_owned()),
        text,
        advice: Some(advice.to_owned()),
    }
}
