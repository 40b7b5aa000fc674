//! How the generator was: its CPU, its interpreters, swap, standing still. What is not known alarms nobody.

use super::bounds::{CPU_BUSY, CPU_WANTED, GIL_WAIT, ONE_CORE, SUSPENDED_S, SWAPPED_BYTES};
use super::words::{count, float, number_of, percent};
use super::{Evidence, Generator};
use crate::span::format_span_f64;
use crate::summary::WorkerSummary;

/// The figures of the generator that decide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition<'a> {
    generator: &'a Generator<'a>,
    /// Share of all CPUs that the workers used together; 0 where that is not known.
    of_all_cpus: f64,
}

impl<'a> Condition<'a> {
    pub(super) fn of(generator: &'a Generator<'a>) -> Self {
        let shares = generator.workers.iter().filter_map(|worker| worker.cpu_share);
        let shares: f64 = shares.filter(|share| share.is_finite()).sum();
        let of_all_cpus = match generator.machine.cpus {
            0 => 0.0,
            _ if generator.free_threaded => shares,
            cpus => shares / f64::from(cpus),
        };
        Self {
            generator,
            of_all_cpus,
        }
    }

    pub(super) fn free_threaded(&self) -> bool {
        self.generator.free_threaded
    }

    /// How much of what it may have the busiest worker used, or all workers of all CPUs; 0 where neither is known.
    pub(super) fn cpu(&self) -> f64 {
        self.shares().fold(self.of_all_cpus, f64::max)
    }

    /// Whether the machine was full from a share on, while the workers left room.
    pub(super) fn is_filled_by_others(&self, from: f64) -> bool {
        self.machine_cpu() >= from && self.cpu() < CPU_BUSY
    }

    /// Whether the CPU shares of workers are known.
    pub(super) fn is_known(&self) -> bool {
        self.generator
            .workers
            .iter()
            .any(|worker| worker.cpu_share.is_some())
    }

    /// Whether a worker computed so much that a full machine can have kept it from more.
    pub(super) fn wants_cpu(&self) -> bool {
        let shares = self
            .generator
            .workers
            .iter()
            .filter_map(|worker| worker.cpu_share);
        shares.fold(self.of_all_cpus, f64::max) >= CPU_WANTED
    }

    /// `2 workers at 98 % CPU`: those that used this share or more, else all together.
    pub(super) fn workers_in_words(&self, from: f64) -> String {
        let all = self.generator.workers.len() as u64;
        let cpus = number_of(self.generator.machine.cpus, "CPU");
        let full: Vec<f64> = self.shares().filter(|share| *share >= from).collect();
        let number = full.len() as u64;
        let workers = if number == 0 || number == all {
            number_of(all, "worker")
        } else {
            format!("{} of {}", count(number), number_of(all, "worker"))
        };
        if number == 0 {
            return format!("{workers} at {} of {cpus}", percent(self.of_all_cpus));
        }
        let mean = full.iter().sum::<f64>() / float(number);
        // What is above one core within the clocks' error is one core.
        let share = percent(if mean <= ONE_CORE { mean.min(1.0) } else { mean });
        if self.generator.free_threaded {
            format!("{workers} at {share} of {cpus}")
        } else {
            format!("{workers} at {share} CPU")
        }
    }

    /// `the machine's 2 CPUs were 97 % busy, 31 % with the workers`.
    pub(super) fn machine_in_words(&self) -> String {
        let cpus = match self.generator.machine.cpus {
            0 => "CPUs were".to_owned(),
            1 => "CPU was".to_owned(),
            cpus => format!("{cpus} CPUs were"),
        };
        let (all, ours) = (self.machine_cpu(), self.of_all_cpus.min(self.machine_cpu()));
        let busy = format!("the machine's {cpus} {} busy", percent(all));
        if self.is_known() {
            format!("{busy}, at most {} with the workers", percent(ours))
        } else {
            busy
        }
    }

    /// Bytes swapped, where they are more than idle programs swap.
    pub(super) fn swapped_bytes(&self) -> Option<u64> {
        let bytes = self.generator.machine.swapped_bytes;
        bytes.filter(|bytes| *bytes > SWAPPED_BYTES)
    }

    /// Share of the time in which a due iteration waited for the interpreter, where that was the rule.
    pub(super) fn gil_wait_share(&self) -> Option<f64> {
        let workers = self.generator.workers.iter();
        let most = workers
            .filter_map(|worker| worker.gil_wait_share)
            .fold(0.0, f64::max);
        (most >= GIL_WAIT && !self.generator.free_threaded).then_some(most)
    }

    /// Seconds that the machine was suspended, where it was.
    pub(super) fn suspended_s(&self) -> Option<f64> {
        let suspended_s = self.generator.machine.suspended_s;
        (suspended_s > SUSPENDED_S).then_some(suspended_s)
    }

    /// Share of a test's time in which the workers stood still, their mean; 0 where none did, 1 where the time is not known.
    pub(super) fn stood_still_share(&self, evidence: &Evidence<'_>) -> f64 {
        let total_s: f64 = self.stood_still().map(|worker| worker.stood_still_s).sum();
        if total_s <= 0.0 {
            return 0.0;
        }
        let mean_s = total_s / float(self.generator.workers.len() as u64);
        let share = mean_s / measured_s(evidence);
        if share.is_finite() { share.min(1.0) } else { 1.0 }
    }

    /// `1 of 2 workers stood still for 1.50 s`.
    pub(super) fn stood_still_in_words(&self) -> String {
        let (stood, all) = (self.stood_still().count(), self.generator.workers.len());
        let most_s = self.stood_still().map(|worker| worker.stood_still_s);
        let longest = format_span_f64(most_s.fold(0.0, f64::max) * 1e9);
        match (stood, all) {
            (1, 1) => format!("the worker stood still for {longest}"),
            (1, _) => format!("1 of {all} workers stood still for {longest}"),
            _ if stood == all => format!("all {all} workers stood still, for up to {longest}"),
            _ => format!("{stood} of {all} workers stood still, for up to {longest}"),
        }
    }

    fn stood_still(&self) -> impl Iterator<Item = &WorkerSummary> {
        let workers = self.generator.workers.iter();
        workers.filter(|worker| worker.stood_still_s > 0.0)
    }

    fn machine_cpu(&self) -> f64 {
        self.generator.machine.cpu_share.unwrap_or(0.0)
    }

    /// What each worker used of what it may have, where that can be told.
    fn shares(&self) -> impl Iterator<Item = f64> {
        let free_threaded = self.generator.free_threaded;
        self.generator.workers.iter().filter_map(move |worker| {
            let share = worker.cpu_share.filter(|share| share.is_finite())?;
            let waits = worker.gil_wait_share.is_some_and(|share| share >= GIL_WAIT);
            (free_threaded || share <= ONE_CORE || waits).then_some(share)
        })
    }
}

/// For how long a test was measured, by its counts and rates, in seconds; not finite where neither tells.
fn measured_s(evidence: &Evidence<'_>) -> f64 {
    match evidence.asked_rate_per_s {
        Some(per_s) => float(evidence.account.planned) / per_s,
        None => float(evidence.account.fired()) / evidence.achieved_rate_per_s,
    }
}
