//! Causes about the run: what concerns all tests is told once, with the symptoms of each.

use super::bounds::{CPU_BUSY, CPU_CROWDED, CPU_FULL, STOOD_STILL_DEGRADED, STOOD_STILL_INVALID};
use super::condition::Condition;
use super::reason::Reason;
use super::symptom::Symptom;
use super::words::{label, mebibytes, number_of, percent, rate, share};
use super::{Cause, CauseKind, Evidence, Validity};
use crate::span::format_span_f64;

/// Tests whose symptoms stand in one cause; the rest is counted.
const MAX_TESTS_TOLD: usize = 3;

const SCALE: &str = "see docs/how-to/scale.md";

/// The tests, and what is known about them.
struct Run<'a> {
    /// Those of which iterations ended.
    tests: Vec<&'a Evidence<'a>>,
    explained: Vec<&'a (Symptom<'a>, Reason)>,
    condition: &'a Condition<'a>,
}

/// The causes that are about the run; each holds the symptoms that it explains.
pub(super) fn causes<'a>(
    tests: &'a [Evidence<'a>],
    explained: impl Iterator<Item = &'a (Symptom<'a>, Reason)>,
    condition: &'a Condition<'a>,
) -> Vec<Cause> {
    let run = Run {
        tests: tests.iter().filter(|test| test.measures.ended() > 0).collect(),
        explained: explained.collect(),
        condition,
    };
    let machine_cpu = run.machine_cpu();
    let worker_cpu = run.worker_cpu(machine_cpu.is_none());
    // Where the CPU is full, threads wait for the interpreter because of that.
    let has_room = worker_cpu.is_none() && machine_cpu.is_none();
    let found = [
        worker_cpu,
        machine_cpu,
        run.gil(has_room),
        run.swap(),
        run.stood_still(),
        run.suspended(),
    ];
    found.into_iter().flatten().collect()
}

impl Run<'_> {
    /// Where others fill the machine, a worker that is only crowded is so because of them.
    fn worker_cpu(&self, left_alone: bool) -> Option<Cause> {
        let cpu = self.condition.cpu();
        let standing = if self.tests.is_empty() {
            Validity::Valid
        } else if self.has_users() && cpu >= CPU_FULL {
            Validity::Invalid
        } else {
            let crowded = self.has_users() && left_alone && cpu >= CPU_CROWDED;
            degraded_if(cpu >= CPU_FULL || crowded)
        };
        let validity = self.grade(Reason::WorkerCpu, standing)?;
        let from = [CPU_FULL, CPU_BUSY].into_iter().find(|from| cpu >= *from);
        let workers = self.condition.workers_in_words(from.unwrap_or(CPU_CROWDED));
        let achieved_per_s: f64 = self.tests.iter().map(|test| test.achieved_rate_per_s).sum();
        let (is, but) = if self.has(Reason::WorkerCpu) || validity == Validity::Invalid {
            ("is", "")
        } else if self.has_users() {
            ("is near", ", and users waited for the CPU")
        } else {
            ("is near", ", and service times contain the wait for the CPU")
        };
        let text = format!(
            "{workers}: {} {is} the limit of {} on this machine{but}",
            rate(achieved_per_s),
            self.these_tests()
        );
        Some(cause(
            validity,
            CauseKind::WorkerCpu,
            self.with_symptoms(Reason::WorkerCpu, &text, "; ") + &self.greatest_user(),
            format!("move work out of run(), add cores, or {SCALE}"),
        ))
    }

    fn machine_cpu(&self) -> Option<Cause> {
        let full = self.condition.is_filled_by_others(CPU_FULL) && self.condition.wants_cpu();
        let validity = self.grade(Reason::MachineCpu, degraded_if(full && self.has_users()))?;
        let mut text = self.condition.machine_in_words();
        if !self.has(Reason::MachineCpu) {
            text += ", so users waited for a core";
        }
        Some(cause(
            validity,
            CauseKind::MachineCpu,
            self.with_symptoms(Reason::MachineCpu, &text, ": "),
            format!("stop what else runs here, let the target run on another machine, add cores, or {SCALE}"),
        ))
    }

    fn gil(&self, cpu_has_room: bool) -> Option<Cause> {
        let wait_share = self.condition.gil_wait_share();
        let waits = wait_share.is_some() && cpu_has_room && !self.tests.is_empty();
        let validity = self.grade(Reason::Gil, degraded_if(waits))?;
        let mut text = match wait_share {
            Some(share) => format!(
                "iterations that were due waited for Python's interpreter lock in {} of the time",
                percent(share)
            ),
            None => "threads waited for Python's interpreter lock".to_owned(),
        };
        if !self.has(Reason::Gil) {
            text += ", and service times contain such waits";
        }
        Some(cause(
            validity,
            CauseKind::Gil,
            self.with_symptoms(Reason::Gil, &text, ": ") + &self.greatest_user(),
            format!(
                "a thread that computes, or a C extension that holds the lock, keeps the others waiting: move that out of run(), use a client that \
                 releases the lock, add workers, or {SCALE}"
            ),
        ))
    }

    fn swap(&self) -> Option<Cause> {
        let bytes = self.condition.swapped_bytes()?;
        let validity = self.grade(Reason::Swap, degraded_if(!self.tests.is_empty()))?;
        let text = format!("the machine swapped {} of memory in and out", mebibytes(bytes));
        Some(cause(
            validity,
            CauseKind::Swap,
            self.with_symptoms(Reason::Swap, &text, ": "),
            "leave more memory free: fewer workers or threads, smaller data, fewer other programs".to_owned(),
        ))
    }

    fn stood_still(&self) -> Option<Cause> {
        let users = self.tests.iter().filter(|test| test.closed_model);
        let share = users
            .map(|test| self.condition.stood_still_share(test))
            .fold(0.0, f64::max);
        let standing = if share >= STOOD_STILL_INVALID {
            Validity::Invalid
        } else {
            degraded_if(share >= STOOD_STILL_DEGRADED)
        };
        let validity = self.grade(Reason::StoodStill, standing)?;
        let text = self.condition.stood_still_in_words();
        Some(cause(
            validity,
            CauseKind::StoodStill,
            self.with_symptoms(Reason::StoodStill, &text, ": "),
            "something stopped the process or took its core away: SIGSTOP, a debugger, a container's CPU quota, a crowded host of virtual machines"
                .to_owned(),
        ))
    }

    fn suspended(&self) -> Option<Cause> {
        let suspended_s = self.condition.suspended_s().filter(|_| !self.tests.is_empty())?;
        Some(cause(
            Validity::Degraded,
            CauseKind::StoodStill,
            format!(
                "the machine was suspended for {}: connections may have broken, and the target saw a pause",
                format_span_f64(suspended_s * 1e9)
            ),
            "keep the machine awake while the test runs".to_owned(),
        ))
    }

    /// Whether a test is of the closed model.
    fn has_users(&self) -> bool {
        self.tests.iter().any(|test| test.closed_model)
    }

    fn these_tests(&self) -> &'static str {
        match self.tests.len() {
            0 | 1 => "this test",
            _ => "these tests together",
        }
    }

    fn symptoms(&self, reason: Reason) -> impl Iterator<Item = &Symptom<'_>> {
        let explained = self.explained.iter().filter(move |(_, found)| *found == reason);
        explained.map(|(symptom, _)| symptom)
    }

    fn has(&self, reason: Reason) -> bool {
        self.symptoms(reason).next().is_some()
    }

    /// The worst over what stands by itself and the symptoms that it explains; `None` where there is nothing to say.
    fn grade(&self, reason: Reason, standing: Validity) -> Option<Validity> {
        let grades = self.symptoms(reason).map(|symptom| reason.grade(symptom));
        let worst = grades.fold(standing, Validity::max);
        (worst > Validity::Valid).then_some(worst)
    }

    /// A text, and behind it the symptoms that this reason explains.
    fn with_symptoms(&self, reason: Reason, text: &str, between: &str) -> String {
        let told = self.symptoms(reason).take(MAX_TESTS_TOLD).map(|symptom| {
            let seen = symptom.text();
            match self.tests.len() {
                0 | 1 => seen,
                _ => format!("in {}, {seen}", label(symptom.evidence.label)),
            }
        });
        let mut said: Vec<String> = told.collect();
        let more = self.symptoms(reason).count().saturating_sub(MAX_TESTS_TOLD);
        if more > 0 {
            said.push(format!("and so in {}", number_of(more as u64, "more test")));
        }
        if said.is_empty() {
            text.to_owned()
        } else {
            format!("{text}{between}{}", said.join("; "))
        }
    }

    /// Which of several tests spent most of the CPU time, where one spent more than the others together.
    fn greatest_user(&self) -> String {
        let cpu_ns = |test: &Evidence<'_>| test.measures.busy_cpu_ns;
        let all_ns = self
            .tests
            .iter()
            .fold(0, |sum: u64, test| sum.saturating_add(cpu_ns(test)));
        let most = self.tests.iter().max_by_key(|test| cpu_ns(test));
        match most.map(|test| (test, share(cpu_ns(test), all_ns))) {
            Some((test, share)) if self.tests.len() > 1 && share > 0.5 => {
                format!(
                    "; {} of the tests' CPU time is that of {}",
                    percent(share),
                    label(test.label)
                )
            }
            _ => String::new(),
        }
    }
}

fn degraded_if(is: bool) -> Validity {
    if is { Validity::Degraded } else { Validity::Valid }
}

fn cause(validity: Validity, kind: CauseKind, text: String, advice: String) -> Cause {
    Cause {
        validity,
        kind,
        test: None,
        text,
        advice: Some(advice),
    }
}
