//! The verdict on the generator itself: did it keep its schedule, and if not, why?
//!
//! Rules, first match wins per test, the worst over the tests counts for the run:
//! - **invalid**: nothing was fired though something was planned; or more than 1 % of the planned iterations were
//!   dropped or lost; or a test ran on no worker; or the lateness p99 is above [`LATE_INVALID_SHARE`] of the service time p50 and above [`LATE_INVALID_NS`].
//! - **degraded**: any iteration was dropped or lost; or a test did not run on every worker; or the lateness p99 is above 10 % of the service
//!   time p50 and above [`LATE_DEGRADED_NS`].
//! - **valid** otherwise.
//!
//! Iterations interrupted at the hard stop are the target's or the test's doing and do not count against the generator.

use crate::account::Account;
use crate::histogram::Histogram;
use crate::span::format_span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lateness p99 below this never makes a run degraded: the time slice of a busy machine's scheduler (3 to 4 ms on Linux).
pub const LATE_DEGRADED_NS: u64 = 5_000_000;

/// Lateness p99 below this never makes a run invalid: several such slices, or Python's switch interval of 5 ms.
pub const LATE_INVALID_NS: u64 = 25_000_000;

/// Above this share of the median service time (in percent) a late generator distorts what it measures.
pub const LATE_INVALID_SHARE: u64 = 100;

/// Above this share of the median service time (in percent) a late generator is worth a warning.
pub const LATE_DEGRADED_SHARE: u64 = 10;

/// Did the generator keep its schedule?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validity {
    /// It did: the figures are the target's.
    Valid,
    /// Almost: read the causes before the figures.
    Degraded,
    /// It did not: the figures are the generator's.
    Invalid,
}

/// The verdict with its causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The worst over all tests.
    pub validity: Validity,
    /// Why it is not valid, gravest first; empty where it is.
    pub causes: Vec<String>,
}

impl Verdict {
    /// Nothing to complain of.
    pub fn valid() -> Self {
        Self {
            validity: Validity::Valid,
            causes: Vec::new(),
        }
    }

    /// Joins the verdicts on several tests.
    pub fn worst(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let mut all: Vec<Self> = verdicts.into_iter().collect();
        all.sort_by_key(|verdict| std::cmp::Reverse(verdict.validity));
        let validity = all.first().map_or(Validity::Valid, |verdict| verdict.validity);
        Self {
            validity,
            causes: all.into_iter().flat_map(|verdict| verdict.causes).collect(),
        }
    }
}

/// What the verdict on one test looks at.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// Names the test in the causes.
    pub label: &'a str,
    /// How its planned iterations ended.
    pub account: Account,
    /// Its lateness.
    pub lateness: &'a Histogram,
    /// Its service time.
    pub service_time: &'a Histogram,
    /// Workers that ran it.
    pub workers: u32,
    /// Workers of the run.
    pub workers_of_run: u32,
}

/// Judges one test.
pub fn judge(evidence: &Evidence<'_>) -> Verdict {
    let Evidence { label, account, .. } = evidence;
    let mut found: Vec<(Validity, String)> = Vec::new();
    let missed = account.dropped + account.lost;
    let over_one_percent = u128::from(missed) * 100 > u128::from(account.planned);
    let grade = |grave| {
        if grave {
            Validity::Invalid
        } else {
            Validity::Degraded
        }
    };
    if account.planned > 0 && account.fired() == 0 && account.lost == 0 {
        found.push((
            Validity::Invalid,
            format!(
                "{label}: none of {} planned iterations was started",
                account.planned
            ),
        ));
    } else if account.dropped > 0 {
        found.push((
            grade(over_one_percent),
            format!(
                "{label}: {} of {} planned iterations were never started",
                account.dropped, account.planned
            ),
        ));
    }
    if account.lost > 0 {
        found.push((
            grade(over_one_percent),
            format!(
                "{label}: {} of {} planned iterations were lost with a worker that died",
                account.lost, account.planned
            ),
        ));
    }
    if let Some(late_ns) = evidence.lateness.quantile_ns(0.99) {
        // Where no iteration came as far as `run`, any lateness beyond the floors counts.
        let service_ns = evidence.service_time.quantile_ns(0.5).unwrap_or(0);
        let beyond = |percent: u64, floor_ns: u64| {
            late_ns > floor_ns && u128::from(late_ns) * 100 > u128::from(service_ns) * u128::from(percent)
        };
        let said = || {
            format!(
                "{label}: iterations started late, p99 {} beside a median service time of {}",
                format_span(late_ns),
                format_span(service_ns)
            )
        };
        if beyond(LATE_INVALID_SHARE, LATE_INVALID_NS) {
            found.push((Validity::Invalid, said()));
        } else if beyond(LATE_DEGRADED_SHARE, LATE_DEGRADED_NS) {
            found.push((Validity::Degraded, said()));
        }
    }
    if evidence.workers == 0 {
        found.push((Validity::Invalid, format!("{label}: did not run on any worker")));
    } else if evidence.workers < evidence.workers_of_run {
        let said = format!(
            "{label}: ran on {} of {} workers",
            evidence.workers, evidence.workers_of_run
        );
        found.push((Validity::Degraded, said));
    }
    Verdict::worst(found.into_iter().map(|(validity, cause)| Verdict {
        validity,
        causes: vec![cause],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(account: Account, late_ns: u64, service_ns: u64) -> Validity {
        let (mut lateness, mut service_time) = (Histogram::new(), Histogram::new());
        lateness.record_n(late_ns, 100);
        service_time.record_n(service_ns, 100);
        judge(&Evidence {
            label: "t",
            account,
            lateness: &lateness,
            service_time: &service_time,
            workers: 2,
            workers_of_run: 2,
        })
        .validity
    }

    fn all_passed() -> Account {
        Account {
            planned: 1_000,
            passed: 1_000,
            ..Account::default()
        }
    }

    #[test]
    fn rules() {
        let ms = 1_000_000;
        for (account, late_ns, service_ns, expected) in [
            (all_passed(), 100_000, 50 * ms, Validity::Valid),
            // A no-op that starts half a millisecond late is as good as timers get.
            (all_passed(), 500_000, 1_000, Validity::Valid),
            (all_passed(), 4 * ms, 50 * ms, Validity::Valid),
            (all_passed(), 8 * ms, 50 * ms, Validity::Degraded),
            (all_passed(), 20 * ms, ms, Validity::Degraded),
            (all_passed(), 40 * ms, 500 * ms, Validity::Valid),
            (all_passed(), 80 * ms, 50 * ms, Validity::Invalid),
            (
                Account {
                    passed: 995,
                    dropped: 5,
                    ..all_passed()
                },
                0,
                ms,
                Validity::Degraded,
            ),
            (
                Account {
                    passed: 900,
                    dropped: 100,
                    ..all_passed()
                },
                0,
                ms,
                Validity::Invalid,
            ),
            (
                Account {
                    passed: 999,
                    lost: 1,
                    ..all_passed()
                },
                0,
                ms,
                Validity::Degraded,
            ),
            (
                Account {
                    passed: 900,
                    lost: 100,
                    ..all_passed()
                },
                0,
                ms,
                Validity::Invalid,
            ),
            (
                Account {
                    passed: 0,
                    dropped: 1_000,
                    ..all_passed()
                },
                0,
                ms,
                Validity::Invalid,
            ),
            (
                Account {
                    passed: 0,
                    failed: 1_000,
                    ..all_passed()
                },
                0,
                ms,
                Validity::Valid,
            ),
            (
                Account {
                    passed: 0,
                    interrupted: 1_000,
                    ..all_passed()
                },
                0,
                ms,
                Validity::Valid,
            ),
        ] {
            assert_eq!(
                verdict(account, late_ns, service_ns),
                expected,
                "{account:?}, {late_ns} ns late"
            );
        }
    }

    #[test]
    fn workers_that_did_not_run_a_test_count() {
        let (lateness, service_time) = (Histogram::new(), Histogram::new());
        for (workers, expected) in [
            (0, Validity::Invalid),
            (1, Validity::Degraded),
            (2, Validity::Valid),
        ] {
            let evidence = Evidence {
                label: "t",
                account: Account::default(),
                lateness: &lateness,
                service_time: &service_time,
                workers,
                workers_of_run: 2,
            };
            assert_eq!(judge(&evidence).validity, expected, "{workers}");
        }
    }

    #[test]
    fn lateness_counts_also_where_nothing_came_as_far_as_run() {
        let mut lateness = Histogram::new();
        lateness.record_n(LATE_INVALID_NS + LATE_INVALID_NS / 100, 10);
        let evidence = Evidence {
            label: "t",
            account: Account {
                planned: 10,
                failed: 10,
                ..Account::default()
            },
            lateness: &lateness,
            service_time: &Histogram::new(),
            workers: 1,
            workers_of_run: 1,
        };
        assert_eq!(judge(&evidence).validity, Validity::Invalid);
    }

    #[test]
    fn the_worst_test_decides_and_its_cause_stands_first() {
        let degraded = Verdict {
            validity: Validity::Degraded,
            causes: vec!["b".into()],
        };
        let invalid = Verdict {
            validity: Validity::Invalid,
            causes: vec!["a".into()],
        };
        let worst = Verdict::worst([Verdict::valid(), degraded, invalid]);
        assert_eq!(
            worst,
            Verdict {
                validity: Validity::Invalid,
                causes: vec!["a".into(), "b".into()]
            }
        );
        assert_eq!(Verdict::worst([]), Verdict::valid());
    }
}
