//! Causes that need no diagnosis: a test that was not started, or not everywhere; iterations that went with a worker.

use super::symptom::grade;
use super::words::count;
use super::{Cause, CauseKind, Evidence, Validity};
use crate::summary::{Incident, IncidentKind};

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

/// Instants that are told; of the rest, how many.
const MAX_TOLD: usize = 3;

const LOST_ADVICE: &str =
    "run.log says how it died; a SIGKILL that nobody sent is mostly the kernel's, for want of memory";

/// Iterations went with workers that died.
pub(super) fn lost(evidence: &Evidence<'_>, incidents: &[Incident]) -> Option<Cause> {
    let account = &evidence.account;
    let validity = grade(account.lost, account.dropped + account.lost, account.planned);
    let (lost, planned) = (count(account.lost), count(account.planned));
    (validity > Validity::Valid).then(|| {
        cause(
            evidence,
            validity,
            CauseKind::Lost,
            format!(
                "{lost} of {planned} planned iterations were lost with a worker that died{}",
                when(incidents)
            ),
            LOST_ADVICE,
        )
    })
}

/// Workers died, and no iteration is known to be lost with them.
pub(super) fn taken_over(tests: &[Evidence<'_>], incidents: &[Incident]) -> Option<Cause> {
    let died = incidents
        .iter()
        .any(|incident| incident.kind == IncidentKind::Lost);
    let is_told = tests.iter().any(|test| test.account.lost > 0);
    (died && !is_told).then(|| Cause {
        validity: Validity::Degraded,
        kind: CauseKind::Lost,
        test: None,
        text: format!(
            "a worker died{}: until its part was taken over, less was started than asked",
            when(incidents)
        ),
        advice: Some(LOST_ADVICE.to_owned()),
    })
}

/// ` (worker 2 at 3.2 s, worker 1 at 8.0 s)`; nothing where nobody knows.
fn when(incidents: &[Incident]) -> String {
    let lost = || {
        incidents
            .iter()
            .filter(|incident| incident.kind == IncidentKind::Lost)
    };
    let told = lost().take(MAX_TOLD);
    let mut told: Vec<String> = told
        .map(|incident| {
            format!(
                "worker {} at {:.1} s",
                incident.worker.saturating_add(1),
                incident.at_s
            )
        })
        .collect();
    let more = lost().count().saturating_sub(MAX_TOLD);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    if told.is_empty() {
        String::new()
    } else {
        format!(" ({})", told.join(", "))
    }
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
