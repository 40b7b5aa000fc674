//! The machine that the load comes from, as far as it can spoil a run: CPUs, swap, suspension, the wall clock.
//!
//! [`look`] reads what the system tells, for the shell; [`MachineUse`] is pure and makes of it what it was while measured iterations were
//! planned. What a system does not tell is absent, and never a zero that looks like good news.

use crate::clock::{monotonic_ns, wall_ns};
use crate::limits::groups_of;
use crate::usage::{Peak, Rise};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::summary::MachineSummary;
use std::collections::BTreeSet;
use std::path::Path;

/// How often the shell looks.
pub(crate) const LOOK_NS: u64 = NANOS_PER_SEC;

/// Two clocks that are read one after the other seem to differ by this much where the reader was interrupted in between.
const JITTER_NS: u64 = 5_000_000;

/// A wall clock that was set by less than this in all was only corrected: what a time service does on a good day.
const CORRECTED_NS: u64 = 50_000_000;

/// Tries to read two clocks without an interruption in between.
const CLOCK_TRIES: u32 = 4;

/// An interruption: reading a clock takes some 50 ns.
const INTERRUPTED_NS: u64 = 50_000;

/// What the system tells at an instant. All figures are cumulative since some beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MachineLook {
    /// CPU time of our CPUs, in the kernel's ticks: busy, and in all.
    pub(crate) cpu: Option<CpuTicks>,
    /// Bytes swapped in and out.
    pub(crate) swapped_bytes: Option<u64>,
    /// How long the machine was suspended since it was booted.
    pub(crate) suspended_ns: Option<u64>,
    /// How far the wall clock is ahead of the time since boot, suspensions included; only its changes mean anything.
    pub(crate) wall_ahead_ns: Option<u64>,
}

/// CPU time in the kernel's ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CpuTicks {
    pub(crate) busy: u64,
    pub(crate) all: u64,
}

/// What became of the machine while measured iterations were planned.
#[derive(Debug, Default)]
pub(crate) struct MachineUse {
    cpu: Peak,
    swapped_bytes: Rise,
    suspended_ns: Rise,
    wall_ahead_ns: Option<u64>,
    clock_set_ns: u64,
}

impl MachineUse {
    /// What stood before that time began.
    pub(crate) fn before(&mut self, look: &MachineLook) {
        if let Some(bytes) = look.swapped_bytes {
            self.swapped_bytes.base(bytes);
        }
        if let Some(ns) = look.suspended_ns {
            self.suspended_ns.base(ns);
        }
        self.wall_ahead_ns = look.wall_ahead_ns;
    }

    /// What stands within it.
    pub(crate) fn within(&mut self, look: &MachineLook, at_ns: u64) {
        if let Some(CpuTicks { busy, all }) = look.cpu {
            self.cpu.note(at_ns, busy, all);
        }
        if let Some(bytes) = look.swapped_bytes {
            self.swapped_bytes.note(bytes);
        }
        if let Some(ns) = look.suspended_ns {
            self.suspended_ns.note(ns);
        }
        if let (Some(before), Some(now)) = (self.wall_ahead_ns, look.wall_ahead_ns) {
            let set_ns = before.abs_diff(now);
            if set_ns > JITTER_NS {
                self.clock_set_ns = self.clock_set_ns.saturating_add(set_ns);
            }
        }
        self.wall_ahead_ns = look.wall_ahead_ns.or(self.wall_ahead_ns);
    }

    /// The figures of it.
    #[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
    pub(crate) fn summary(&self, cpus: u32) -> MachineSummary {
        let beyond = |ns: u64, least_ns| if ns > least_ns { ns as f64 / 1e9 } else { 0.0 };
        MachineSummary {
            cpus,
            cpu_share: self.cpu.share(),
            swapped_bytes: self.swapped_bytes.rise(),
            suspended_s: beyond(self.suspended_ns.rise().unwrap_or(0), JITTER_NS),
            clock_set_s: beyond(self.clock_set_ns, CORRECTED_NS),
        }
    }
}

// The system.

/// CPUs that this process and so its workers may use.
pub(crate) fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX))
}

/// Reads what the system tells now.
pub(crate) fn look() -> MachineLook {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let since_boot = since_boot_ns();
    MachineLook {
        cpu: ticks_of(&text("/proc/stat"), &our_cpus()),
        swapped_bytes: swapped_pages(&text("/proc/vmstat"))
            .map(|pages| pages.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(4_096))),
        suspended_ns: since_boot.map(|(suspended_ns, _)| suspended_ns),
        wall_ahead_ns: since_boot.map(|(_, wall_ahead_ns)| wall_ahead_ns),
    }
}

/// How many processes of our control group, or else of the machine, the kernel has killed for want of memory.
pub(crate) fn oom_kills() -> Option<u64> {
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let groups = groups_of(&text(Path::new("/proc/self/cgroup")));
    let mut files = groups.iter().map(|group| group.join("memory.events"));
    let of_group = files.find_map(|file| oom_kills_in(&text(&file)));
    of_group.or_else(|| oom_kills_in(&text(Path::new("/proc/vmstat"))))
}

/// The same figure of `memory.events` or `/proc/vmstat`.
fn oom_kills_in(events: &str) -> Option<u64> {
    let line = events.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

/// The numbers of the CPUs that this process may run on; empty where nobody tells.
#[cfg(target_os = "linux")]
fn our_cpus() -> BTreeSet<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    sched_getaffinity(None).map_or_else(
        |_| BTreeSet::new(),
        |set| (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect(),
    )
}

#[cfg(not(target_os = "linux"))]
fn our_cpus() -> BTreeSet<usize> {
    BTreeSet::new()
}

/// How long the machine was suspended since boot, and how far the wall clock is ahead of the time since boot.
#[cfg(target_os = "linux")]
fn since_boot_ns() -> Option<(u64, u64)> {
    let mut best: Option<(u64, (u64, u64))> = None;
    for _ in 0..CLOCK_TRIES {
        let before_ns = monotonic_ns();
        let (boot_ns, wall_ns) = (crate::clock::boot_ns(), wall_ns());
        let took_ns = monotonic_ns().saturating_sub(before_ns);
        let read = (boot_ns.saturating_sub(before_ns), wall_ns.saturating_sub(boot_ns));
        if best.is_none_or(|(least_ns, _)| took_ns < least_ns) {
            best = Some((took_ns, read));
        }
        if took_ns < INTERRUPTED_NS {
            break;
        }
    }
    best.map(|(_, read)| read)
}

#[cfg(not(target_os = "linux"))]
fn since_boot_ns() -> Option<(u64, u64)> {
    None
}

/// The ticks of these CPUs in `/proc/stat`, of all where none is named. What a hypervisor took is busy: it was nobody's to use.
fn ticks_of(stat: &str, cpus: &BTreeSet<usize>) -> Option<CpuTicks> {
    let mut sum = CpuTicks::default();
    for line in stat.lines() {
        let Some((name, figures)) = line.split_once(' ') else {
            continue;
        };
        let wanted = match name.strip_prefix("cpu") {
            Some("") => cpus.is_empty(),
            Some(number) => number.parse().is_ok_and(|number| cpus.contains(&number)),
            None => false,
        };
        if !wanted {
            continue;
        }
        // user nice system idle iowait irq softirq steal; guests are in user and nice already.
        let figures: Vec<u64> = figures
            .split_whitespace()
            .take(8)
            .map_while(|figure| figure.parse().ok())
            .collect();
        let idle: u64 = figures.iter().skip(3).take(2).sum();
        let all: u64 = figures.iter().sum();
        sum.all += all;
        sum.busy += all.saturating_sub(idle);
    }
    (sum.all > 0).then_some(sum)
}

/// `pswpin` and `pswpout` of `/proc/vmstat`.
fn swapped_pages(vmstat: &str) -> Option<u64> {
    let of = |name: &str| -> Option<u64> {
        let line = vmstat.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    };
    of("pswpin ")?.checked_add(of("pswpout ")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = NANOS_PER_SEC;
    const STAT: &str = "cpu  100 1 50 800 20 5 4 10 7 0\ncpu0 60 1 30 400 5 3 2 9 7 0\ncpu1 40 0 20 400 15 2 2 1 0 0\nintr 1 2 3\n";

    #[test]
    fn the_ticks_of_our_cpus_are_read() {
        let ticks = |busy, all| Some(CpuTicks { busy, all });
        for (stat, cpus, expected) in [
            (STAT, vec![], ticks(170, 990)),
            (STAT, vec![0, 1], ticks(170, 990)),
            (STAT, vec![1], ticks(65, 480)),
            (STAT, vec![7], None),
            ("", vec![], None),
            ("cpu  not a number", vec![], None),
        ] {
            assert_eq!(
                ticks_of(stat, &cpus.iter().copied().collect()),
                expected,
                "{cpus:?}"
            );
        }
    }

    #[test]
    fn swapped_pages_are_read() {
        assert_eq!(swapped_pages("nr_free 1\npswpin 3\npswpout 4\n"), Some(7));
        assert_eq!(swapped_pages("pswpin 3\n"), None);
        assert_eq!(swapped_pages(""), None);
    }

    #[test]
    fn kills_for_want_of_memory_are_read() {
        for (events, expected) in [
            ("low 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n", Some(2)),
            ("oom 3\n", None),
            ("", None),
        ] {
            assert_eq!(oom_kills_in(events), expected, "{events}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells_of_itself() {
        let (first, second) = (look(), look());
        assert!(cpus() > 0);
        let (before, after) = (first.cpu.unwrap(), second.cpu.unwrap());
        assert!(before.busy <= after.busy && before.all <= after.all && after.busy <= after.all);
        assert!(first.suspended_ns.is_some() && second.wall_ahead_ns.is_some());
    }

    #[test]
    fn the_time_before_and_jitter_are_not_told() {
        let look = |swapped, suspended_ns, wall_ahead_ns| MachineLook {
            cpu: None,
            swapped_bytes: Some(swapped),
            suspended_ns: Some(suspended_ns),
            wall_ahead_ns: Some(wall_ahead_ns),
        };
        let mut machine = MachineUse::default();
        assert_eq!(
            machine.summary(2),
            MachineSummary {
                cpus: 2,
                ..MachineSummary::default()
            }
        );
        machine.before(&look(10, S, 100 * S));
        machine.before(&look(50, 2 * S, 90 * S));
        machine.within(&look(50, 2 * S + JITTER_NS, 90 * S - JITTER_NS), S);
        let quiet = machine.summary(2);
        assert_eq!(
            (quiet.swapped_bytes, quiet.suspended_s, quiet.clock_set_s),
            (Some(0), 0.0, 0.0)
        );
        // Set forth and back is set twice.
        machine.within(&look(70, 5 * S, 91 * S), 2 * S);
        machine.within(&look(75, 5 * S, 90 * S), 3 * S);
        let told = machine.summary(2);
        assert_eq!((told.swapped_bytes, told.suspended_s), (Some(25), 3.0));
        assert!((told.clock_set_s - 2.005).abs() < 1e-9, "{}", told.clock_set_s);
        assert_eq!(told.cpu_share, None);
    }

    #[test]
    fn how_busy_the_machine_was_is_told_after_a_second() {
        let mut machine = MachineUse::default();
        for second in 0..3 {
            let cpu = Some(CpuTicks {
                busy: 150 * second,
                all: 200 * second,
            });
            let look = MachineLook {
                cpu,
                ..MachineLook::default()
            };
            machine.within(&look, second * S);
            let share = machine.summary(1).cpu_share;
            assert_eq!(share, (second > 0).then_some(0.75));
        }
    }
}
