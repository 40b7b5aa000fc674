//! Over which time a test is measured, at what rate, and when it ends. All in plan time, which stands still in a pause.

use super::{Fate, Origin, Share, TestTotals, Totals};
use pysurge_core::account::Account;
use pysurge_core::schedule::Schedule;
use pysurge_core::summary::Status;

/// How the last test of a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// When, plan time; may have passed.
    pub(crate) plan_ns: u64,
    /// Whether because its iterations are done, and not at an instant that the config names.
    pub(crate) by_count: bool,
}

/// When a schedule ends, plan time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    /// When the last arrival has come.
    last_ns: Option<u64>,
    /// Up to when rates are counted: where iterations end it, the instant up to which the rates stand for that many, so that 1000
    /// iterations at 100/s are ten seconds, and not the 9.99 after which the last one starts.
    rated_ns: Option<u64>,
    by_count: bool,
}

impl Ends {
    pub(super) fn of(schedule: &Schedule) -> Self {
        let last_ns = schedule.ends_plan_ns();
        let by_count = schedule.ends_by_count();
        Self {
            last_ns,
            rated_ns: last_ns.map(|last_ns| {
                if by_count {
                    rated_until_ns(schedule, last_ns)
                } else {
                    last_ns
                }
            }),
            by_count,
        }
    }
}

/// The first instant of plan time at which the rates stand for all iterations there will ever be, at most the profile's end.
fn rated_until_ns(schedule: &Schedule, last_ns: u64) -> u64 {
    let most_ns = schedule.profile().end_ns().unwrap_or(u64::MAX);
    let all = schedule.mass_before_plan(most_ns);
    let (mut low_ns, mut high_ns) = (0, last_ns.max(1));
    while high_ns < most_ns && schedule.mass_before_plan(high_ns) < all {
        low_ns = high_ns;
        high_ns = high_ns.saturating_mul(2);
    }
    high_ns = high_ns.min(most_ns);
    while high_ns - low_ns > 1 {
        let middle_ns = low_ns + (high_ns - low_ns) / 2;
        if schedule.mass_before_plan(middle_ns) < all {
            low_ns = middle_ns;
        } else {
            high_ns = middle_ns;
        }
    }
    high_ns
}

impl Totals {
    /// When the last test ends, as far as that is known now; `None` where one of them has no end in sight. Tests that run nowhere have
    /// ended.
    pub(crate) fn end(&self) -> Option<End> {
        let mut last = None;
        for test in self.tests.iter().filter(|test| test.runs()) {
            let end = test.end(self)?;
            // At the same instant the one that the config names is said to have been the reason.
            let rank = |end: End| (end.plan_ns, !end.by_count);
            last = last
                .map(|last| std::cmp::max_by_key(last, end, |end| rank(*end)))
                .or(Some(end));
        }
        last
    }

    /// From when on iterations count in any of the tests that run, plan time.
    pub(crate) fn measured_from_ns(&self) -> u64 {
        let running = self.tests.iter().filter(|test| test.runs());
        running.map(|test| test.measured_from_ns).min().unwrap_or(0)
    }

    /// How long iterations are planned, plan time: where it is known beforehand.
    pub(super) fn planned_ns(&self, run_duration_ns: Option<u64>) -> Option<u64> {
        if self.tests_run() == 0 {
            return run_duration_ns;
        }
        let of_test = |test: &TestTotals| match &test.origin {
            Origin::Open { ends, .. } => ends.rated_ns,
            Origin::Closed {
                iterations, end_ns, ..
            } => end_ns.filter(|_| iterations.is_none()),
        };
        let running = self.tests.iter().filter(|test| test.runs());
        running.map(of_test).try_fold(0, |last, ns| Some(last.max(ns?)))
    }
}

impl TestTotals {
    fn end(&self, totals: &Totals) -> Option<End> {
        match &self.origin {
            Origin::Open { ends, .. } => Some(End {
                plan_ns: ends.last_ns?,
                by_count: ends.by_count,
            }),
            Origin::Closed { end_ns, .. } => {
                let done = self.done_ns(totals).map(|plan_ns| End {
                    plan_ns,
                    by_count: true,
                });
                done.or(end_ns.map(|plan_ns| End {
                    plan_ns,
                    by_count: false,
                }))
            }
        }
    }

    /// When all iterations of the closed model were done, where the config gives their number and they are.
    fn done_ns(&self, totals: &Totals) -> Option<u64> {
        let done = |share: &Share| {
            let nothing_to_do = share.part.dealt_in_number() == Some(0);
            share.ended_ns.is_some() || share.gone || share.fate != Fate::Live || nothing_to_do
        };
        let counted = matches!(
            self.origin,
            Origin::Closed {
                iterations: Some(_),
                ..
            }
        );
        let is_owed = totals.awaited && self.dealt.left() > 0;
        if !counted || is_owed || !self.shares.iter().flatten().all(done) {
            return None;
        }
        let of_share = |share: &Share| share.ended_ns.unwrap_or(share.told_ns);
        let done_ns = self.shares.iter().flatten().map(of_share).max();
        done_ns.map(|done_ns| totals.course.plan_ns(done_ns))
    }

    /// From when to when iterations count, up to an instant of plan time.
    pub(super) fn span_ns(&self, totals: &Totals, plan_ns: u64) -> (u64, u64) {
        let ends_ns = match &self.origin {
            Origin::Open { ends, .. } => match (ends.last_ns, ends.rated_ns) {
                (Some(last_ns), Some(rated_ns)) if plan_ns >= last_ns => rated_ns,
                (_, rated_ns) => rated_ns.map_or(plan_ns, |rated_ns| rated_ns.min(plan_ns)),
            },
            Origin::Closed { end_ns, .. } => {
                let ends = [*end_ns, self.done_ns(totals)];
                ends.into_iter().flatten().fold(plan_ns, u64::min)
            }
        };
        (self.measured_from_ns, ends_ns.max(self.measured_from_ns))
    }

    /// The mean of the planned rates up to an instant of plan time.
    pub(super) fn asked_rate_per_s(&self, totals: &Totals, plan_ns: u64) -> Option<f64> {
        let Origin::Open { schedule, .. } = &self.origin else {
            return None;
        };
        let (from_ns, to_ns) = self.span_ns(totals, plan_ns);
        let mass = schedule.mass_before_plan(to_ns) - schedule.mass_before_plan(from_ns);
        // Rates are billionths; what is beyond them is the float's.
        Some((per_second(mass, to_ns - from_ns) * 1e9).round() / 1e9)
    }

    /// Started iterations that count, per second, up to an instant of plan time.
    #[expect(clippy::cast_precision_loss, reason = "rates at the edge are floats")]
    pub(super) fn achieved_rate_per_s(
        &self,
        totals: &Totals,
        account: &Account,
        status: Status,
        plan_ns: u64,
    ) -> f64 {
        let (from_ns, to_ns) = self.span_ns(totals, plan_ns);
        let over = |fired: u64, to_ns: u64| per_second(fired as f64, to_ns.saturating_sub(from_ns));
        match status {
            // Up to what each worker has told: what it did since is in nobody's count yet.
            Status::Running => {
                let shares = || self.shares.iter().flatten();
                let last_ns = shares().map(|share| share.told_ns).max().unwrap_or(0);
                let of_share = |share: &Share| {
                    // Who was lost fires nothing since then.
                    let told_ns = if share.gone { last_ns } else { share.told_ns };
                    let told_ns = totals.course.plan_ns(told_ns);
                    let (_, to_ns) = self.span_ns(totals, told_ns);
                    over(share.told.measured.fired(), to_ns)
                };
                shares().map(of_share).sum()
            }
            // All that was planned is what was asked, late as it may be; beyond its power, the generator used more time.
            Status::Finished | Status::Killed if account.dropped == 0 => over(account.fired(), to_ns),
            Status::Finished | Status::Killed => {
                let late_ns = totals.course.plan_ns(self.late_start_ns);
                over(account.fired(), to_ns.max(late_ns))
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates at the edge are floats")]
fn per_second(count: f64, span_ns: u64) -> f64 {
    if span_ns == 0 {
        0.0
    } else {
        count / (span_ns as f64 / 1e9)
    }
}
