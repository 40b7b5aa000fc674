//! Follows one level and says what came of it.
//!
//! It held where every objective was met and iterations ended as fast as they were planned, whatever the verdict on the generator: what a
//! generator does wrong makes response times longer, never shorter. Where it failed and the generator did not keep its schedule, that is the
//! generator's doing; else it is the target's. The pool may run out of threads because the target is slow; that is the target's limit, unless
//! the target is as fast as at lower rates and only the threads are too few.

use super::{Failing, Judged, Signal, SignalKind};
use crate::account::Account;
use crate::histogram::Histogram;
use crate::measure::Measures;
use crate::series::Row;
use crate::summary::{Summary, TestSummary, ThresholdResult, ThresholdState};
use crate::threshold::{Judge, Threshold, View};
use crate::verdict::{Cause, CauseKind, Validity};

/// So many seconds at the least are looked at before a level is given up.
const MIN_SECONDS: usize = 3;

/// A level is given up when less than this share of what was planned ended in its last seconds.
const GIVEN_UP_SHARE: f64 = 0.8;

/// Iterations may fall behind by this share of those planned: half of the precision that is asked for by default.
const BEHIND_SHARE: f64 = 0.015;

/// Falling behind by this share is clear at once.
const CLEARLY_BEHIND_SHARE: f64 = 0.1;

/// Standard deviations by which what runs may differ from one second to another by chance. The number that runs, and the number that comes,
/// are taken to vary as Poisson numbers do.
const DEVIATIONS: f64 = 3.0;

/// Planned iterations that were never started or never ended, as a share, above which a level has failed: as the verdict has it.
const UNFINISHED_SHARE: f64 = 0.01;

/// Lateness of our own that is less than one part in so many of the response time does not explain that it is too long.
const EXPLAINED_BY: u64 = 4;

/// A service that takes at most this much longer than at lower rates is not what keeps the threads busy.
const SAME_SERVICE: f64 = 1.5;

/// What was seen of one level so far.
#[derive(Debug, Clone)]
pub struct Watch {
    objectives: Vec<Threshold>,
    random_arrivals: bool,
    /// From the first in which iterations were planned on.
    seconds: Vec<Second>,
    total: Measures,
}

#[derive(Debug, Clone, Copy)]
struct Second {
    planned: u64,
    ended: u64,
    span_ns: u64,
    /// Whether an objective did not hold in it; `None` where nothing was measured.
    is_bad: Option<bool>,
}

impl Watch {
    /// Before the first second. `random_arrivals`: whether the number that comes varies by itself.
    pub fn new(objectives: Vec<Threshold>, random_arrivals: bool) -> Self {
        Self {
            objectives,
            random_arrivals,
            seconds: Vec::new(),
            total: Measures::default(),
        }
    }

    /// Forgets what it took and takes these rows.
    pub fn restart(&mut self, rows: &[Row]) {
        self.seconds.clear();
        self.total = Measures::default();
        for row in rows {
            self.row(row);
        }
    }

    /// What was measured so far, of all tests together.
    pub fn total(&self) -> &Measures {
        &self.total
    }

    /// Takes a row of the level's time series.
    pub fn row(&mut self, row: &Row) {
        let mut measures = Measures::default();
        let mut account = Account::default();
        for test in &row.tests {
            measures.merge(&test.measures);
            account.planned += test.planned;
            account.dropped += test.dropped;
        }
        (account.passed, account.failed) = (measures.passed, measures.failed);
        self.total.merge(&measures);
        if self.seconds.is_empty() && account.planned == 0 {
            return;
        }
        let span_ns = row.to_ns.saturating_sub(row.from_ns);
        let view = View {
            measures: &measures,
            account: &account,
            started: measures.ended(),
            span_ns,
        };
        let is_bad =
            (measures.ended() > 0).then(|| self.objectives.iter().any(|objective| fails(objective, &view)));
        self.seconds.push(Second {
            planned: account.planned,
            ended: measures.ended(),
            span_ns,
            is_bad,
        });
    }

    /// Whether the level cannot hold any more: it may be ended. Only said where objectives fail and what comes is not got through.
    pub fn is_hopeless(&self) -> bool {
        let Some(last) = self
            .seconds
            .len()
            .checked_sub(MIN_SECONDS)
            .map(|from| &self.seconds[from..])
        else {
            return false;
        };
        let planned: u64 = last.iter().map(|second| second.planned).sum();
        let ended: u64 = last.iter().map(|second| second.ended).sum();
        // What comes in after the plan's end is the level's own backlog, which is worked off by then.
        let goes_on = last.iter().all(|second| second.planned > 0);
        goes_on
            && last.iter().all(|second| second.is_bad == Some(true))
            && share(ended, planned) < GIVEN_UP_SHARE
    }

    /// Judges the level. `lower_service_s` is the median service time at a lower rate that held, per test of the plan.
    pub fn judge(&self, summary: &Summary, lower_service_s: &[Option<f64>]) -> Judged {
        let nothing_passed = summary.account.planned > 0 && summary.account.passed == 0;
        let failing = |signal, is_clear| Failing {
            signal,
            is_clear,
            nothing_passed,
        };
        let of_target = self
            .objective(summary)
            .or_else(|| self.behind(summary))
            .or_else(|| unfinished(summary));
        let Some((signal, is_clear)) = of_target else {
            return Judged::Held;
        };
        let own = summary.verdict.causes.iter().find(|cause| {
            is_own(cause.kind) && (cause.validity == Validity::Invalid || self.explains(cause))
        });
        match own.or_else(|| too_few_threads(summary, lower_service_s)) {
            Some(cause) => Judged::GeneratorLimited(failing(of_generator(cause), is_lasting(cause))),
            None => Judged::Failed(failing(signal, is_clear)),
        }
    }

    /// Whether a cause that only degrades a level may be why it failed. What the machine does to us it does to every wake-up: where those are
    /// hardly late, it is not what makes the answers slow.
    fn explains(&self, cause: &Cause) -> bool {
        let is_of_machine = matches!(
            cause.kind,
            CauseKind::MachineCpu | CauseKind::Swap | CauseKind::StoodStill
        );
        let p99_ns = |histogram: &Histogram| histogram.quantile_ns(0.99).unwrap_or(0);
        let parts = &self.total.lateness_parts;
        let own_ns = p99_ns(&parts.woke_late).max(p99_ns(&parts.waited_for_gil));
        !is_of_machine || own_ns.saturating_mul(EXPLAINED_BY) >= p99_ns(&self.total.response_time)
    }

    /// The first objective that does not hold, and whether it failed in most seconds.
    fn objective(&self, summary: &Summary) -> Option<(Signal, bool)> {
        let failed = summary.thresholds.iter().find(|result| result.state.fails())?;
        let told: Vec<bool> = self.seconds.iter().filter_map(|second| second.is_bad).collect();
        let bad = told.iter().filter(|is_bad| **is_bad).count();
        let signal = Signal {
            kind: SignalKind::Objective,
            objective: Some(failed.expression.clone()),
            text: actual(failed),
        };
        Some((signal, 2 * bad >= told.len().max(MIN_SECONDS)))
    }

    /// Whether iterations end more slowly than they are planned: where what runs grows and grows, the target does not keep the rate,
    /// however fast it still answers.
    fn behind(&self, summary: &Summary) -> Option<(Signal, bool)> {
        let planned = self.seconds.iter().rposition(|second| second.planned > 0)? + 1;
        let seconds = &self.seconds[..planned];
        // Before the first iterations end, what runs grows in any case.
        let service = summary.tests.iter().filter_map(|test| test.service_time.p90_s);
        let filled_s = service.fold(0.0, f64::max).ceil();
        let mut from = 0;
        let mut at_s = 0.0;
        while from < planned && (at_s < filled_s + 1.0 || from < planned / 2) {
            at_s += seconds_of(seconds[from].span_ns);
            from += 1;
        }
        let looked_at = &seconds[from..];
        if looked_at.len() < 2 {
            return None;
        }
        let runs = |to: usize| {
            let (planned, ended) = sums(&seconds[..to]);
            float(planned) - float(ended)
        };
        let (planned_then, ended_then) = sums(looked_at);
        let growth = float(planned_then) - float(ended_then);
        let middle = from + looked_at.len() / 2;
        let mean_running = f64::midpoint(runs(from), runs(planned)).max(0.0);
        let arrivals = if self.random_arrivals {
            float(planned_then)
        } else {
            0.0
        };
        let by_chance = DEVIATIONS * (1.0 + (mean_running + arrivals).sqrt());
        let grows_all_the_time =
            runs(middle) - runs(from) > growth / 4.0 && runs(planned) - runs(middle) > growth / 4.0;
        let behind = growth / float(planned_then).max(1.0);
        if behind < BEHIND_SHARE || growth < by_chance || !grows_all_the_time {
            return None;
        }
        let span_s: f64 = looked_at.iter().map(|second| seconds_of(second.span_ns)).sum();
        let signal = Signal {
            kind: SignalKind::Rate,
            objective: None,
            text: format!(
                "{:.1}/s ended of {:.1}/s",
                float(ended_then) / span_s,
                float(planned_then) / span_s
            ),
        };
        Some((signal, behind > CLEARLY_BEHIND_SHARE))
    }
}

/// Whether an objective does not hold in one second by itself.
fn fails(objective: &Threshold, view: &View<'_>) -> bool {
    let judge = Judge::new(objective.clone());
    judge.result(view, view.span_ns, true).state == ThresholdState::Failed
}

fn actual(result: &ThresholdResult) -> String {
    if result.actual_text.is_empty() {
        "no data".to_owned()
    } else {
        result.actual_text.clone()
    }
}

/// Iterations that were planned and did not come to an end of their own.
fn unfinished(summary: &Summary) -> Option<(Signal, bool)> {
    let account = summary.account;
    let missing = account.dropped + account.interrupted + account.lost;
    let missing_share = share(missing, account.planned);
    if missing == 0 || missing_share <= UNFINISHED_SHARE {
        return None;
    }
    let signal = Signal {
        kind: SignalKind::Rate,
        objective: None,
        text: format!(
            "{missing} of {} planned iterations were not started or did not end in time",
            account.planned
        ),
    };
    Some((signal, missing_share > CLEARLY_BEHIND_SHARE))
}

/// The cause that says that a test had too few threads, where its service is as fast as at lower rates: then the target could do more.
fn too_few_threads<'a>(summary: &'a Summary, lower_service_s: &[Option<f64>]) -> Option<&'a Cause> {
    let is_as_fast = |(test, lower_s): (&TestSummary, &Option<f64>)| match (test.service_time.p50_s, lower_s)
    {
        (Some(now_s), Some(lower_s)) => now_s <= lower_s * SAME_SERVICE,
        _ => false,
    };
    let threads = |cause: &&Cause| {
        let is_named = |test: &TestSummary| {
            let name = test.name.as_ref().unwrap_or(&test.label);
            cause.test.as_ref().is_none_or(|named| named == name)
        };
        let mut tests = summary
            .tests
            .iter()
            .zip(lower_service_s)
            .filter(|(test, _)| is_named(test))
            .peekable();
        cause.kind == CauseKind::Threads && tests.peek().is_some() && tests.all(is_as_fast)
    };
    summary.verdict.causes.iter().find(threads)
}

/// Whether such a cause is never the target's doing.
fn is_own(kind: CauseKind) -> bool {
    match kind {
        CauseKind::WorkerCpu
        | CauseKind::MachineCpu
        | CauseKind::Gil
        | CauseKind::Swap
        | CauseKind::StoodStill
        | CauseKind::Limits
        | CauseKind::Lost
        | CauseKind::Killed => true,
        // A slow target keeps all threads busy, so that iterations start late or never.
        CauseKind::NothingStarted
        | CauseKind::Dropped
        | CauseKind::NotEverywhere
        | CauseKind::Late
        | CauseKind::Threads => false,
    }
}

/// Whether such a cause will be there again at the next try.
fn is_lasting(cause: &Cause) -> bool {
    let kinds = [
        CauseKind::WorkerCpu,
        CauseKind::Gil,
        CauseKind::Limits,
        CauseKind::Threads,
    ];
    cause.validity == Validity::Invalid && kinds.contains(&cause.kind)
}

fn of_generator(cause: &Cause) -> Signal {
    Signal {
        kind: SignalKind::Generator,
        objective: None,
        text: cause.text.clone(),
    }
}

fn sums(seconds: &[Second]) -> (u64, u64) {
    let planned = seconds.iter().map(|second| second.planned).sum();
    let ended = seconds.iter().map(|second| second.ended).sum();
    (planned, ended)
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        float(part) / float(whole)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a level, far below 2^53")]
fn float(n: u64) -> f64 {
    n as f64
}

fn seconds_of(ns: u64) -> f64 {
    float(ns) / 1e9
}
