//! What is wrong with a test as seen from outside: iterations started late, or not at all. Why is another question.

use super::bounds::{
    LATE_DEGRADED_NS, LATE_DEGRADED_SHARE, LATE_INVALID_NS, LATE_INVALID_SHARE, MISSED_ONE_IN,
};
use super::words::{count, percent, share};
use super::{Evidence, Validity};
use crate::span::format_span;

/// Iterations of a test did not start when they should have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symptom<'a> {
    pub(super) evidence: &'a Evidence<'a>,
    /// How grave the lateness of those that were started is.
    pub(super) late: Validity,
    /// How grave it is that others were not started.
    pub(super) missed: Validity,
    /// Planned and waiting to be started: only while the run goes on.
    waiting: u64,
}

impl<'a> Symptom<'a> {
    /// What is wrong with a test; `None` where nothing is, and where nothing at all was started, which is a cause of its own.
    pub(super) fn of(evidence: &'a Evidence<'a>) -> Option<Self> {
        let account = &evidence.account;
        let waiting = waiting(evidence);
        let missed = if account.fired() == 0 {
            Validity::Valid
        } else {
            let dropped = grade(account.dropped, account.dropped + account.lost, account.planned);
            dropped.max(grade(waiting, 0, account.planned))
        };
        let symptom = Self {
            evidence,
            late: late(evidence),
            missed,
            waiting,
        };
        (symptom.validity() > Validity::Valid).then_some(symptom)
    }

    /// How grave it is altogether.
    pub(super) fn validity(&self) -> Validity {
        self.late.max(self.missed)
    }

    /// Share of the iterations that started later than is worth a word.
    pub(super) fn late_share(&self) -> f64 {
        let lateness = &self.evidence.measures.lateness;
        let worth_ns = LATE_DEGRADED_NS.max(service_ns(self.evidence) / 100 * LATE_DEGRADED_SHARE);
        share(lateness.count_above(worth_ns), lateness.count())
    }

    /// The figures.
    pub(super) fn text(&self) -> String {
        let Evidence {
            account, measures, ..
        } = self.evidence;
        let mut said = Vec::new();
        if self.late > Validity::Valid
            && let Some(late_ns) = measures.lateness.quantile_ns(0.99)
        {
            let beside = if measures.service_time.is_empty() {
                String::new()
            } else {
                format!(", service time p50 {}", format_span(service_ns(self.evidence)))
            };
            said.push(format!(
                "{} of iterations started late (p99 {}{beside})",
                percent(self.late_share()),
                format_span(late_ns)
            ));
        }
        let of = |n: u64, what: &str| {
            let (n, planned) = (count(n), count(account.planned));
            format!("{n} of {planned} planned iterations {what}")
        };
        if self.missed > Validity::Valid && account.dropped > 0 {
            said.push(of(account.dropped, "were never started"));
        }
        if self.missed > Validity::Valid && self.waiting > 0 {
            said.push(of(self.waiting, "wait to be started"));
        }
        said.join(" and ")
    }
}

/// How grave it is that so many are missing, which together with others may be too many.
pub(super) fn grade(missing: u64, together: u64, planned: u64) -> Validity {
    if missing == 0 {
        Validity::Valid
    } else if u128::from(together) * u128::from(MISSED_ONE_IN) > u128::from(planned) {
        Validity::Invalid
    } else {
        Validity::Degraded
    }
}

/// The median service time; 0 where no iteration came as far as `run`, so that any lateness beyond the floors counts.
fn service_ns(evidence: &Evidence<'_>) -> u64 {
    evidence.measures.service_time.quantile_ns(0.5).unwrap_or(0)
}

fn late(evidence: &Evidence<'_>) -> Validity {
    let Some(late_ns) = evidence.measures.lateness.quantile_ns(0.99) else {
        return Validity::Valid;
    };
    let service_ns = service_ns(evidence);
    let beyond = |percent: u64, floor_ns: u64| {
        late_ns > floor_ns && u128::from(late_ns) * 100 > u128::from(service_ns) * u128::from(percent)
    };
    if beyond(LATE_INVALID_SHARE, LATE_INVALID_NS) {
        Validity::Invalid
    } else if beyond(LATE_DEGRADED_SHARE, LATE_DEGRADED_NS) {
        Validity::Degraded
    } else {
        Validity::Valid
    }
}

/// How many planned iterations wait for a thread. While a run goes on, workers tell once a second, so what seems to wait may have been
/// started long ago; but not where as many run as there may be threads.
fn waiting(evidence: &Evidence<'_>) -> u64 {
    let account = &evidence.account;
    let all_busy = evidence.max_threads > 0 && account.interrupted >= u64::from(evidence.max_threads);
    let waiting = account.planned.saturating_sub(account.told() + account.lost);
    let few = u128::from(waiting) * u128::from(MISSED_ONE_IN) <= u128::from(account.planned);
    if all_busy && !few { waiting } else { 0 }
}
