//! Whether the machine has what a load needs: threads, descriptors, memory. Little's law says how many threads, the system what it allows.
//!
//! [`shortages`] is pure; the rest raises the soft limits as far as a process may and reads what stands. Never refuses a run: whoever asks
//! for more than there is gets it told before the start, and the verdict afterwards. A limit that cannot be read is taken to be none.

use pysurge_core::capacity::{in_flight_at_peak, most_threads, pool_size};
use pysurge_core::plan::{LatePolicy, MAX_TASKS, Model, Plan, Source, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::{Factor, Stripe};
use pysurge_core::span::format_span_plain;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::{Path, PathBuf};

/// Threads of a worker beside the pools: the main thread, the ticker, inbox and outbox.
const WORKER_THREADS: u64 = 4;

/// Descriptors of a worker beside those of iterations: its interpreter, libraries, sockets and pipes.
const WORKER_DESCRIPTORS: u64 = 64;

/// Resident memory of a Python thread that waits: 30 to 60 KiB were measured.
const THREAD_BYTES: u64 = 64 * 1024;

/// Resident memory of a task that waits, with the coroutines and the iteration it holds: 3 to 5 KiB were measured.
const TASK_BYTES: u64 = 4 * 1024;

/// Resident memory of a worker that has imported an HTTP client.
const WORKER_BYTES: u64 = 40 * MIB;

const MIB: u64 = 1024 * 1024;

/// What a load needs at its peak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) workers: u32,
    pub(crate) tests: Vec<Need>,
}

/// What one test needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// Its label.
    pub(crate) label: String,
    /// What is asked for, as the subject of `keeps … threads busy`.
    pub(crate) asked: String,
    /// Per worker: threads that are busy at once.
    pub(crate) busy: Vec<u64>,
    /// Per worker: threads that its pool will have.
    pub(crate) pool: Vec<u32>,
    /// Threads that its pool has in one worker at most.
    pub(crate) most: u32,
    /// Late iterations are dropped.
    pub(crate) drops: bool,
    /// Its iterations are tasks of an event loop and need no threads.
    pub(crate) coroutine: bool,
}

/// Where the duration of an iteration is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// A declared `max_duration`.
    Declared,
    /// Measured in a rehearsal.
    Measured,
}

/// What the system allows; `None` where there is no limit, or none can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Further threads, by whom they are limited.
    pub(crate) threads: Vec<(ThreadLimit, u64)>,
    /// Descriptors that one process may have open.
    pub(crate) descriptors: Option<u64>,
    /// Memory that is free, in bytes.
    pub(crate) memory_bytes: Option<u64>,
}

/// Who limits threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThreadLimit {
    /// `ulimit -u`.
    User,
    /// The control group's `pids.max`.
    Group,
    /// The kernel's `threads-max`.
    Kernel,
}

impl ThreadLimit {
    fn in_words(self) -> &'static str {
        match self {
            Self::User => "the user's processes (`ulimit -u`)",
            Self::Group => "the control group (pids.max)",
            Self::Kernel => "the kernel (kernel.threads-max)",
        }
    }
}

impl Need {
    /// What test `position` of a plan needs where each iteration takes so long; `None` where nobody knows how long.
    pub(crate) fn of(
        plan: &Plan,
        position: usize,
        label: &str,
        workers: u32,
        duration: Option<(u64, Basis)>,
    ) -> Option<Self> {
        let test = &plan.tests[position];
        let (duration_ns, basis) = match &test.model {
            Model::Open(_) => duration?,
            // As many as there are users, however long an iteration takes.
            Model::Closed(_) => (0, Basis::Declared),
        };
        let stripe = |worker| Stripe { worker, workers };
        let busy =
            |worker| in_flight_at_peak(test, stripe(worker), Factor::ONE, plan.duration_ns, duration_ns);
        let pool = |worker| pool_size(test, stripe(worker), Factor::ONE, plan.duration_ns, duration_ns);
        let span = format_span_plain(duration_ns);
        let each = match basis {
            Basis::Declared => format!("for up to {span} each"),
            Basis::Measured => format!("for {span} each, as in this rehearsal,"),
        };
        let (asked, drops) = match &test.model {
            Model::Closed(closed) => (format!("{} users", grouped(u64::from(closed.users))), false),
            Model::Open(open) => {
                let asked = match &open.source {
                    Source::Rate(rate) => format!("{rate}/s {each}"),
                    Source::Replay(_) => format!("the recording {each}"),
                    Source::Stages { .. } | Source::Shape(_) => {
                        let schedule = plan.schedule(position);
                        let peak = schedule.map_or(0, |schedule| schedule.profile().peak_nano_per_s());
                        let peak = Rate::from_nano_per_s(peak).unwrap_or(Rate::ZERO);
                        format!("up to {peak}/s {each}")
                    }
                };
                (asked, matches!(open.late, LatePolicy::Drop { .. }))
            }
        };
        Some(Self {
            label: label.to_owned(),
            asked,
            busy: (0..workers).map(busy).collect(),
            pool: (0..workers).map(pool).collect(),
            most: most_threads(test, stripe(0)),
            drops,
            coroutine: false,
        })
    }

    /// The same where an event loop runs the iterations.
    pub(crate) fn of_coroutines(self, test: &TestPlan) -> Self {
        let most = if test.max_threads.is_some() || test.model.is_closed() {
            self.most
        } else {
            MAX_TASKS
        };
        let pool = |busy: &u64| u32::try_from(*busy).unwrap_or(u32::MAX).min(most);
        Self {
            pool: self.busy.iter().map(pool).collect(),
            most,
            coroutine: true,
            ..self
        }
    }
}

/// What is short, one line per kind, and per test where it is a test's own: what is asked, what there is, what happens, what to do.
pub(crate) fn shortages(demand: &Demand, limits: &Limits) -> Vec<String> {
    if demand.tests.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<String> = demand
        .tests
        .iter()
        .filter_map(|need| short_of_pool(need, demand.workers))
        .collect();
    let workers = u64::from(demand.workers);
    let pools = |worker: usize| {
        let pools = demand.tests.iter().filter_map(|need| need.pool.get(worker));
        pools.map(|&pool| u64::from(pool)).sum::<u64>()
    };
    let per_worker = (0..demand.workers as usize).map(pools);
    let (in_flight, most) = per_worker.fold((0, 0), |(sum, most), pool| (sum + pool, pool.max(most)));
    let of_loops = demand.tests.iter().filter(|need| need.coroutine);
    let tasks: u64 = of_loops
        .flat_map(|need| &need.pool)
        .map(|&pool| u64::from(pool))
        .sum();
    let threads = in_flight - tasks;
    let consequence = if demand.tests.iter().any(|need| need.drops) {
        "iterations will be dropped or start late"
    } else {
        "iterations will start late"
    };
    let fewer = "ask for fewer at once (a lower rate, a shorter `max_duration`, `max_threads`)";

    let all_threads = threads + workers * WORKER_THREADS;
    let tightest = limits.threads.iter().min_by_key(|(_, most)| *most);
    if let Some((limit, allowed)) = tightest.filter(|(_, allowed)| *allowed < all_threads) {
        found.push(format!(
            "the load needs {} threads on {}, but {} may have only {}: {} are short and {consequence}; {fewer} or raise that limit",
            grouped(all_threads),
            workers_in_words(demand.workers),
            limit.in_words(),
            grouped(*allowed),
            grouped(all_threads - allowed),
        ));
    }
    let descriptors = most + WORKER_DESCRIPTORS;
    if let Some(allowed) = limits.descriptors.filter(|allowed| *allowed < descriptors) {
        found.push(format!(
            "a worker needs {} file descriptors (one per thread and {WORKER_DESCRIPTORS}), but may open only {}: {} are short and \
             iterations will fail to connect; raise `ulimit -n` or use more workers",
            grouped(descriptors),
            grouped(allowed),
            grouped(descriptors - allowed),
        ));
    }
    let bytes = threads * THREAD_BYTES + tasks * TASK_BYTES + workers * WORKER_BYTES;
    if let Some(free) = limits.memory_bytes.filter(|free| *free < bytes) {
        found.push(format!(
            "the load needs about {} MiB of memory (64 KiB per thread, 40 MiB per worker), but only {} MiB are free: {} MiB are short \
             and the system may kill a worker; {fewer}",
            grouped(bytes.div_ceil(MIB)),
            grouped(free / MIB),
            grouped((bytes - free).div_ceil(MIB)),
        ));
    }
    found
}

fn short_of_pool(need: &Need, workers: u32) -> Option<String> {
    let most = u64::from(need.most);
    let asked: u64 = need.busy.iter().sum();
    let short: u64 = need.busy.iter().map(|busy| busy.saturating_sub(most)).sum();
    (short > 0).then(|| {
        let consequence = if need.drops { "be dropped" } else { "start late" };
        if need.coroutine {
            return format!(
                "{}: {} keeps {} iterations in flight, but there may be {} per worker on {}: {} are short and iterations will {consequence}; use \
                 more workers, a greater `max_threads`, or a shorter `max_duration`",
                need.label,
                need.asked,
                grouped(asked),
                grouped(most),
                workers_in_words(workers),
                grouped(short),
            );
        }
        format!(
            "{}: {} keeps {} threads busy, but there are {} per worker on {}: {} are short and iterations will {consequence}; use more \
             workers, a greater `max_threads`, or a shorter `max_duration`",
            need.label,
            need.asked,
            grouped(asked),
            grouped(most),
            workers_in_words(workers),
            grouped(short),
        )
    })
}

fn workers_in_words(workers: u32) -> String {
    match workers {
        1 => "1 worker".to_owned(),
        workers => format!("{workers} workers"),
    }
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

// The system.

/// Raises the soft limits on descriptors and on processes to the hard ones, which workers inherit. Where that is refused, what stands is
/// what [`Limits::read`] finds.
pub(crate) fn raise() {
    for resource in [Resource::Nofile, Resource::Nproc] {
        let limit = getrlimit(resource);
        if limit.current != limit.maximum {
            let raised = Rlimit {
                current: limit.maximum,
                ..limit
            };
            let _ = setrlimit(resource, raised);
        }
    }
}

impl Limits {
    /// What the system allows now, before any worker is there.
    pub(crate) fn read() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let groups = groups_of(&text("/proc/self/cgroup"));
        let left = |limit: &str, used: &str| {
            let of = |group: &PathBuf| {
                let most = number_in(&group.join(limit))?;
                Some(most.saturating_sub(number_in(&group.join(used)).unwrap_or(0)))
            };
            groups.iter().filter_map(of).min()
        };
        // The kernel holds nobody to it who may raise it.
        let user = (!rustix::process::geteuid().is_root())
            .then(|| getrlimit(Resource::Nproc).current)
            .flatten();
        let kernel = number_in(Path::new("/proc/sys/kernel/threads-max"));
        let threads = [
            (ThreadLimit::User, user),
            (ThreadLimit::Group, left("pids.max", "pids.current")),
            (ThreadLimit::Kernel, kernel),
        ];
        let threads = threads
            .into_iter()
            .filter_map(|(limit, most)| Some((limit, most?)));
        let memory = [
            left("memory.max", "memory.current"),
            available_bytes(&text("/proc/meminfo")),
        ];
        Self {
            threads: threads.collect(),
            descriptors: getrlimit(Resource::Nofile).current,
            memory_bytes: memory.into_iter().flatten().min(),
        }
    }
}

/// The folders of a process's control group (version 2) and of the groups around it.
pub(crate) fn groups_of(cgroup: &str) -> Vec<PathBuf> {
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::/"));
    let root = Path::new("/sys/fs/cgroup");
    own.map_or_else(Vec::new, |own| {
        let folder = root.join(own);
        let around = folder.ancestors().take_while(|folder| folder.starts_with(root));
        around.map(Path::to_path_buf).collect()
    })
}

/// The number that a file of the kernel's holds; `None` also for `max`.
fn number_in(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// `MemAvailable` of `/proc/meminfo`.
fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::NANOS_PER_SEC;
    use pysurge_core::plan::{ClosedModel, OpenModel, Stage, TestPlan, Wait};

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap()
    }

    fn need(model: Model, duration_s: Option<u64>) -> Option<Need> {
        let plan = Plan::new("n", vec![TestPlan::new("a.B", model)]);
        let duration = duration_s.map(|s| (s * NANOS_PER_SEC, Basis::Declared));
        Need::of(&plan, 0, "<B>", 2, duration)
    }

    fn closed(users: u32) -> Model {
        Model::Closed(ClosedModel {
            users,
            wait: Wait::None,
            ramp_up_ns: 0,
            seed: 0,
        })
    }

    fn said(needs: Vec<Need>, limits: &Limits) -> Vec<String> {
        let demand = Demand {
            workers: 2,
            tests: needs,
        };
        shortages(&demand, limits)
    }

    #[test]
    fn a_pool_that_is_too_small_is_told() {
        let needs = vec![need(Model::constant(rate("50")), Some(60)).unwrap()];
        assert_eq!(
            said(needs, &Limits::default()),
            [
                "<B>: 50/s for up to 1m each keeps 3,000 threads busy, but there are 1,024 per worker on 2 workers: 952 are short and \
                 iterations will start late; use more workers, a greater `max_threads`, or a shorter `max_duration`"
            ]
        );
        for (model, duration_s) in [(Model::constant(rate("30")), Some(60)), (closed(9_000), None)] {
            let needs = vec![need(model, duration_s).unwrap()];
            assert_eq!(said(needs, &Limits::default()), Vec::<String>::new());
        }
        assert_eq!(
            need(Model::constant(rate("50000")), None),
            None,
            "nobody knows how long"
        );
    }

    #[test]
    fn coroutines_need_no_threads() {
        let tasks = |rate_per_s: &str| {
            let test = TestPlan::new("a.B", Model::constant(rate(rate_per_s)));
            let need = need(test.model.clone(), Some(60)).unwrap();
            vec![need.of_coroutines(&test)]
        };
        let few = Limits {
            threads: vec![(ThreadLimit::User, 100)],
            ..Limits::default()
        };
        assert_eq!(said(tasks("2000"), &few), Vec::<String>::new());
        assert_eq!(
            said(tasks("5000"), &few),
            [
                "<B>: 5000/s for up to 1m each keeps 300,000 iterations in flight, but there may be 100,000 per worker on 2 workers: 100,000 \
                 are short and iterations will start late; use more workers, a greater `max_threads`, or a shorter `max_duration`"
            ]
        );
    }

    #[test]
    fn what_is_asked_is_said_in_the_words_of_the_load() {
        let mut drops = Model::constant(rate("50"));
        if let Model::Open(open) = &mut drops {
            open.late = LatePolicy::Drop { max_lateness_ns: 1 };
        }
        let stages = Model::Open(OpenModel {
            source: Source::Stages {
                start_rate: Rate::ZERO,
                stages: vec![Stage {
                    duration_ns: 600 * NANOS_PER_SEC,
                    rate: rate("80"),
                    jump: false,
                }],
            },
            ..match Model::constant(rate("1")) {
                Model::Open(open) => open,
                Model::Closed(_) => unreachable!("it is constant"),
            }
        });
        for (model, words) in [
            (drops, "iterations will be dropped;"),
            (
                stages,
                "<B>: up to 80/s for up to 1m each keeps 4,800 threads busy",
            ),
        ] {
            let found = said(vec![need(model, Some(60)).unwrap()], &Limits::default());
            assert!(found[0].contains(words), "{found:?}");
        }
        let plan = Plan::new("n", vec![TestPlan::new("a.B", Model::constant(rate("50")))]);
        let measured = Need::of(&plan, 0, "<B>", 1, Some((61 * NANOS_PER_SEC, Basis::Measured))).unwrap();
        assert_eq!(measured.asked, "50/s for 1m1s each, as in this rehearsal,");
    }

    #[test]
    fn the_systems_limits_are_compared_with_the_sums() {
        let threads = |limit, most| Limits {
            threads: vec![(ThreadLimit::Kernel, 1_000_000), (limit, most)],
            ..Limits::default()
        };
        let descriptors = Limits {
            descriptors: Some(1_024),
            ..Limits::default()
        };
        let memory = Limits {
            memory_bytes: Some(100 * MIB),
            ..Limits::default()
        };
        // 2 x (1,000 + 500) users in two tests, and four threads of each worker's own.
        for (limits, words) in [
            (
                threads(ThreadLimit::Group, 2_000),
                "the load needs 3,008 threads on 2 workers, but the control group (pids.max) may have only 2,000: 1,008 are short",
            ),
            (
                threads(ThreadLimit::User, 3_007),
                "(`ulimit -u`) may have only 3,007: 1 are short",
            ),
            (
                descriptors,
                "a worker needs 1,564 file descriptors (one per thread and 64), but may open only 1,024: 540 are short",
            ),
            (
                memory,
                "the load needs about 268 MiB of memory (64 KiB per thread, 40 MiB per worker), but only 100 MiB are free: 168 MiB",
            ),
        ] {
            let needs = vec![
                need(closed(2_000), None).unwrap(),
                need(closed(1_000), None).unwrap(),
            ];
            let found = said(needs, &limits);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(words), "{found:?}");
        }
        let needs = || {
            vec![
                need(closed(2_000), None).unwrap(),
                need(closed(1_000), None).unwrap(),
            ]
        };
        assert_eq!(
            said(needs(), &threads(ThreadLimit::Group, 3_008)),
            Vec::<String>::new()
        );
        // What the pool may not have is not needed either.
        let large = need(Model::constant(rate("50000")), Some(60)).unwrap();
        assert_eq!(
            said(vec![large], &threads(ThreadLimit::Group, 2 * 1_028)).len(),
            1
        );
        assert_eq!(
            said(vec![], &threads(ThreadLimit::Group, 0)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn files_of_the_kernel_are_read() {
        assert_eq!(
            groups_of("1:name=x:/\n0::/user.slice/a.scope\n"),
            [
                "/sys/fs/cgroup/user.slice/a.scope",
                "/sys/fs/cgroup/user.slice",
                "/sys/fs/cgroup"
            ]
            .map(PathBuf::from)
        );
        assert_eq!(groups_of("3:pids:/x\n"), Vec::<PathBuf>::new());
        assert_eq!(
            available_bytes("MemTotal: 9 kB\nMemAvailable:   12 kB\n"),
            Some(12 * 1024)
        );
        assert_eq!(available_bytes("MemTotal: 9 kB\n"), None);
        assert_eq!(number_in(Path::new("/nonexistent")), None);
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn soft_limits_are_raised_to_the_hard_ones() {
        raise();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
