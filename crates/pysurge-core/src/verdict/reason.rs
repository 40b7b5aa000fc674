//! Why iterations did not start when they should have. The first that applies:
//!
//! | reason | evidence |
//! |---|---|
//! | stood still | the workers did, for at least half the share of iterations that are late |
//! | worker CPU | a worker used 90 % of its core, or all workers of all CPUs |
//! | machine CPU | the machine's CPUs were 90 % busy, though the workers left room; threads woke late, or a worker used 10 % of a core, and so may want more |
//! | swap | more than 64 MiB were swapped |
//! | the greatest part of lateness, of what is longer than 1 ms | waited for the lock; no free thread; woke late |
//! | the lock | no free thread, though there might be more: they come only when the lock is to be had, and its p99 is above 5 ms |
//! | no free thread, where lateness does not tell but iterations are missing | all threads are there, or no more are to be had |

use super::bounds::{
    CPU_BUSY, LATE_DEGRADED_NS, SLOW_TIMES, STOOD_STILL_EXPLAINS, TELLING_PART_NS, THREADS_IN_USE,
};
use super::condition::Condition;
use super::limits::THREADS_ADVICE;
use super::symptom::Symptom;
use super::words::{count, float, number_of, rate, seconds, whole};
use super::{Cause, CauseKind, Evidence, Validity};
use crate::histogram::Histogram;
use crate::span::{format_span, format_span_f64};

/// Why a symptom is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Workers stood still.
    StoodStill,
    /// The workers had no CPU left.
    WorkerCpu,
    /// Others took the machine's CPU.
    MachineCpu,
    /// The machine swapped.
    Swap,
    /// Threads waited for the interpreter's lock.
    Gil,
    /// All threads were busy, and the system refused to make more.
    Refused,
    /// All threads were busy: what iterations take needs more of them.
    FewThreads,
    /// All threads were busy, because the target got slow.
    SlowTarget,
    /// All threads that had been made so far were busy.
    Growing,
    /// Threads woke late.
    WokeLate,
    /// Nobody knows.
    Unknown,
}

/// Which part of lateness made iterations late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    WokeLate,
    NoFreeThread,
    WaitedForGil,
}

/// What is said of a reason: the kind, what was seen, what to try.
type Said = (CauseKind, String, String);

impl Reason {
    pub(super) fn of(symptom: &Symptom<'_>, condition: &Condition<'_>) -> Self {
        let evidence = symptom.evidence;
        let is_late = symptom.late > Validity::Valid;
        let stood_still = condition.stood_still_share(evidence);
        if is_late && stood_still > 0.0 && stood_still >= symptom.late_share() * STOOD_STILL_EXPLAINS {
            return Self::StoodStill;
        }
        if condition.cpu() >= CPU_BUSY {
            return Self::WorkerCpu;
        }
        let part = greatest_part(evidence);
        // A full machine makes threads wake late. It makes them wait for each other only where they compute.
        let feels_others = condition.wants_cpu() || matches!(part, Some(Part::WokeLate));
        if condition.is_filled_by_others(CPU_BUSY) && feels_others {
            return Self::MachineCpu;
        }
        if condition.swapped_bytes().is_some() {
            return Self::Swap;
        }
        match part {
            Some(Part::WaitedForGil) if !condition.free_threaded() => Self::Gil,
            Some(Part::NoFreeThread) if is_late => match no_free_thread(evidence) {
                Some(reason) => reason,
                // A new thread needs the interpreter, too, and does not come where others keep it.
                None if waits_for_gil(evidence) && !condition.free_threaded() => Self::Gil,
                None => Self::Growing,
            },
            Some(Part::WokeLate | Part::WaitedForGil) if is_late => Self::WokeLate,
            _ => no_free_thread(evidence).unwrap_or(Self::Unknown),
        }
    }

    /// How grave a symptom is that is there for this reason.
    pub(super) fn grade(self, symptom: &Symptom<'_>) -> Validity {
        match self {
            // At the target, users would have waited as long: response times count the wait, so they are right. Nothing makes up for
            // iterations that are missing.
            Self::SlowTarget => symptom.late.min(Validity::Degraded).max(symptom.missed),
            _ => symptom.validity(),
        }
    }

    /// The cause, where it is about one test.
    pub(super) fn cause_of_test(self, symptom: &Symptom<'_>, condition: &Condition<'_>) -> Option<Cause> {
        let (kind, text, advice) = match self {
            Self::StoodStill | Self::WorkerCpu | Self::MachineCpu | Self::Swap | Self::Gil => return None,
            Self::Refused => refused(symptom),
            Self::FewThreads => few_threads(symptom),
            Self::SlowTarget => slow_target(symptom),
            Self::Growing => growing(symptom),
            Self::WokeLate => woke_late(symptom),
            Self::Unknown => unknown(symptom, condition),
        };
        Some(Cause {
            validity: self.grade(symptom),
            kind,
            test: Some(symptom.evidence.label.to_owned()),
            text,
            advice: Some(advice),
        })
    }
}

/// The part of lateness of which there is most; what is short does not count.
fn greatest_part(evidence: &Evidence<'_>) -> Option<Part> {
    let parts = &evidence.measures.lateness_parts;
    let long_ns = |part: &Histogram| -> u128 {
        let long = part
            .counted()
            .into_iter()
            .filter(|(ns, _)| *ns >= TELLING_PART_NS);
        long.fold(0, |sum, (ns, times)| {
            u128::saturating_add(sum, u128::from(ns) * u128::from(times))
        })
    };
    let parts = [
        (long_ns(&parts.woke_late), Part::WokeLate),
        (long_ns(&parts.no_free_thread), Part::NoFreeThread),
        (long_ns(&parts.waited_for_gil), Part::WaitedForGil),
    ];
    let (most_ns, part) = parts.into_iter().max_by_key(|(ns, _)| *ns)?;
    (most_ns > 0).then_some(part)
}

/// Why there was no free thread; `None` where there may be more.
fn no_free_thread(evidence: &Evidence<'_>) -> Option<Reason> {
    if evidence.threads_refused {
        Some(Reason::Refused)
    } else if !uses_all_threads(evidence) {
        None
    } else if target_got_slow(evidence) {
        Some(Reason::SlowTarget)
    } else {
        Some(Reason::FewThreads)
    }
}

/// Whether threads got the interpreter's lock only by force, after Python's switch interval.
fn waits_for_gil(evidence: &Evidence<'_>) -> bool {
    let waits = &evidence.measures.lateness_parts.waited_for_gil;
    waits.quantile_ns(0.99).is_some_and(|ns| ns > LATE_DEGRADED_NS)
}

fn uses_all_threads(evidence: &Evidence<'_>) -> bool {
    let (threads, most) = (u64::from(evidence.threads), u64::from(evidence.max_threads));
    most > 0 && threads * 100 >= most * THREADS_IN_USE
}

/// Whether the threads would do for what iterations usually take, and slow ones used them up: at least half as many as there are threads took more
/// than twice the median, and so long that meanwhile, at the asked rate, as many become due as there are threads.
fn target_got_slow(evidence: &Evidence<'_>) -> bool {
    let service_time = &evidence.measures.service_time;
    let (Some(asked_per_s), Some(median_ns)) = (evidence.asked_rate_per_s, service_time.quantile_ns(0.5))
    else {
        return false;
    };
    let threads = f64::from(evidence.max_threads);
    let usually_enough = asked_per_s * seconds(median_ns) <= threads;
    let fills_pool_ns = whole(threads / asked_per_s * 1e9);
    let slow_ns = fills_pool_ns.max(median_ns.saturating_mul(SLOW_TIMES));
    usually_enough && service_time.count_above(slow_ns).saturating_mul(2) >= u64::from(evidence.max_threads)
}

/// How long an iteration keeps its thread, with all its phases; `None` where nothing ended.
fn kept_s(evidence: &Evidence<'_>) -> Option<f64> {
    let measures = evidence.measures;
    if measures.ended() > 0 && measures.busy_ns > 0 {
        return Some(seconds(measures.busy_ns) / float(measures.ended()));
    }
    measures.service_time.mean_ns().map(|ns| ns / 1e9)
}

/// Little's law: threads for iterations that keep them so long, and one per worker that waits for the next planned instant.
fn threads_for(evidence: &Evidence<'_>, asked_per_s: f64, kept_s: f64) -> u64 {
    whole(asked_per_s * kept_s).saturating_add(evidence.workers.into())
}

fn all_threads_were(evidence: &Evidence<'_>) -> String {
    match evidence.max_threads {
        1 if evidence.coroutine => "the only place for an iteration in flight was".to_owned(),
        places if evidence.coroutine => format!("all {} places for iterations in flight were", count(places)),
        1 => "the only thread was".to_owned(),
        threads => format!("all {} threads were", count(threads)),
    }
}

fn refused(symptom: &Symptom<'_>) -> Said {
    let threads = number_of(symptom.evidence.threads, "thread");
    let text = format!(
        "the system refused to make more than {threads}: {}",
        symptom.text()
    );
    (CauseKind::Limits, text, THREADS_ADVICE.to_owned())
}

fn few_threads(symptom: &Symptom<'_>) -> Said {
    let evidence = symptom.evidence;
    let (all, seen) = (all_threads_were(evidence), symptom.text());
    if evidence.closed_model {
        let advice = "raise `max_threads` to the number of users, or ask for fewer users";
        return (
            CauseKind::Threads,
            format!("{all} busy: {seen}"),
            advice.to_owned(),
        );
    }
    let advice = "raise `max_duration` of the test, which sizes its pool, or `max_threads` where that is the limit; if iterations take longer \
                  then, it is the target that cannot do more";
    let text = match (evidence.asked_rate_per_s, kept_s(evidence)) {
        (Some(asked_per_s), Some(kept_s)) => {
            let each = format!("{} of {} each", rate(asked_per_s), format_span_f64(kept_s * 1e9));
            let needed = threads_for(evidence, asked_per_s, kept_s);
            if needed > u64::from(evidence.max_threads) {
                format!("{all} busy, and {each} need about {}: {seen}", count(needed))
            } else {
                format!(
                    "{all} busy at times, though {each} need about {} on average: {seen}",
                    count(needed)
                )
            }
        }
        _ => format!("{all} busy: {seen}"),
    };
    (CauseKind::Threads, text, advice.to_owned())
}

fn slow_target(symptom: &Symptom<'_>) -> Said {
    let evidence = symptom.evidence;
    let most_ns = evidence.measures.service_time.max_ns().unwrap_or(0);
    let asked_per_s = evidence.asked_rate_per_s.unwrap_or(0.0);
    let needed = threads_for(evidence, asked_per_s, seconds(most_ns));
    let text = format!(
        "the target got slow, up to {}, and {} busy: {}",
        format_span(most_ns),
        all_threads_were(evidence),
        symptom.text()
    );
    let what = if evidence.coroutine {
        "in flight"
    } else {
        "threads"
    };
    let advice = format!(
        "response times count the wait and stand, service times do not; to let all that are due wait at the target, raise `max_duration` or \
         `max_threads` (up to about {} {what})",
        count(needed)
    );
    (CauseKind::Threads, text, advice)
}

fn growing(symptom: &Symptom<'_>) -> Said {
    let evidence = symptom.evidence;
    let made = number_of(evidence.threads, "thread");
    let most = count(evidence.max_threads);
    let text = format!(
        "{}; the {made} made so far, of at most {most}, were busy",
        symptom.text()
    );
    let advice = "threads are made when they are first needed: begin with a `warmup` or a ramp";
    (CauseKind::Late, text, advice.to_owned())
}

fn woke_late(symptom: &Symptom<'_>) -> Said {
    let who = if symptom.evidence.coroutine {
        "the event loop was woken late"
    } else {
        "threads woke late"
    };
    let text = format!("{who}: {}", symptom.text());
    let advice = "power saving, virtualisation or bursts of other work delay timers: see what else this machine does, or take another";
    (CauseKind::Late, text, advice.to_owned())
}

fn unknown(symptom: &Symptom<'_>, condition: &Condition<'_>) -> Said {
    let kind = if symptom.late > Validity::Valid {
        CauseKind::Late
    } else {
        CauseKind::Dropped
    };
    let advice = if condition.is_known() {
        "find the seconds in timeseries.csv, and what else happened then, here and at the target"
    } else {
        "let the test run for longer: so short a time does not tell what the generator was busy with"
    };
    (kind, symptom.text(), advice.to_owned())
}
