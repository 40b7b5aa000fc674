//! What the user reads.

use super::*;

/// Every cause with its advice.
fn said(machine: &Machine, tests: &[Test]) -> String {
    let verdict = machine.judge(tests);
    let causes = verdict.causes.iter().map(|cause| {
        let about = cause
            .test
            .as_ref()
            .map_or_else(String::new, |test| format!("{test}: "));
        format!("{about}{}\n  > {}", cause.text, cause.advice.as_deref().unwrap())
    });
    causes.collect::<Vec<_>>().join("\n")
}

fn check(machine: &Machine, tests: &[Test], expected: &str) {
    assert_eq!(said(machine, tests), expected);
}

#[test]
fn the_limit_of_this_machine() {
    let test = Test {
        achieved_rate_per_s: 1_840.2,
        ..Test::users()
    };
    check(
        &Machine::default().cpu(&[0.976, 0.984]),
        &[test],
        "2 workers at 98 % CPU: 1,840/s is the limit of this test on this machine\n  \
         > move work out of run(), add cores, or see docs/how-to/scale.md",
    );
}

#[test]
fn workers_that_died() {
    let machine = Machine::default().lost_at(&[3.24, 8.0, 9.0, 9.5]);
    let advice = "\n  > run.log says how it died; a SIGKILL that nobody sent is mostly the kernel's, for want of memory";
    check(
        &machine,
        &[Test::users()],
        &format!(
            "a worker died (worker 1 at 3.2 s, worker 2 at 8.0 s, worker 3 at 9.0 s, and 1 more): until its part was taken over, less was started \
             than asked{advice}"
        ),
    );
    let mut test = Test::default();
    (test.account.passed, test.account.lost) = (993, 7);
    check(
        &Machine::default().lost_at(&[3.24]),
        &[test],
        &format!(
            "buy: 7 of 1,000 planned iterations were lost with a worker that died (worker 1 at 3.2 s){advice}"
        ),
    );
}

#[test]
fn the_cpu_of_an_open_test() {
    let late = Test {
        achieved_rate_per_s: 53.2,
        ..Test::default().late(Late::Thread, 2_100 * MS).dropped(320)
    };
    check(
        &Machine::default().cpu(&[0.91, 0.3]),
        &[late],
        "1 of 2 workers at 91 % CPU: 53.2/s is the limit of this test on this machine; 10 % of iterations started late (p99 2.10 s, service time p50 10.0 ms) and 320 of 1,000 planned iterations were never started\n  \
         > move work out of run(), add cores, or see docs/how-to/scale.md",
    );
    let mut busy = Test::default();
    busy.measures.busy_cpu_ns = 80;
    let mut idle = Test::users().named("sell");
    idle.measures.busy_cpu_ns = 20;
    check(
        &Machine::default().cpu(&[0.85, 0.85]),
        &[busy.clone(), idle],
        "2 workers at 85 % CPU: 200/s is near the limit of these tests together on this machine, and users waited for the CPU; 80 % of the \
         tests' CPU time is that of buy\n  > move work out of run(), add cores, or see docs/how-to/scale.md",
    );
    check(
        &Machine::default().cpu(&[0.96; 2]),
        &[busy],
        "2 workers at 96 % CPU: 100/s is near the limit of this test on this machine, and service times contain the wait for the CPU\n  \
         > move work out of run(), add cores, or see docs/how-to/scale.md",
    );
    let text = said(&Machine::default().cpu(&[1.02, 1.0]), &[Test::users()]);
    assert!(
        text.starts_with("2 workers at 100 % CPU: 100/s is the limit"),
        "{text}"
    );
    let many = Machine::default().cpu(&[0.5; 4]);
    let text = said(&many, &[Test::users()]);
    assert!(
        text.starts_with("4 workers at 100 % of 2 CPUs: 100/s is the limit"),
        "{text}"
    );
}

#[test]
fn threads() {
    check(
        &Machine::default(),
        &[Test::default()
            .service(500 * MS, 1_000)
            .late(Late::Thread, 3 * S)
            .full(2)],
        "buy: all 2 threads were busy, and 100/s of 500 ms each need about 52: 10 % of iterations started late (p99 3.00 s, service time p50 500 ms)\n  \
         > raise `max_duration` of the test, which sizes its pool, or `max_threads` where that is the limit; if iterations take longer then, it is \
         the target that cannot do more",
    );
    check(
        &Machine::default(),
        &[Test::default()
            .service(MS, 980)
            .and_service(2 * S, 20)
            .late(Late::Thread, 1_500 * MS)
            .full(20)],
        "buy: the target got slow, up to 2.00 s, and all 20 threads were busy: 10 % of iterations started late (p99 1.50 s, service time p50 1.00 ms)\n  \
         > response times count the wait and stand, service times do not; to let all that are due wait at the target, raise `max_duration` or \
         `max_threads` (up to about 202 threads)",
    );
    let mut longer = Test::default().late(Late::Thread, 3 * S).full(1);
    longer.measures.busy_ns = 1_000 * 250 * MS;
    assert!(
        said(&Machine::default(), &[longer])
            .starts_with("buy: the only thread was busy, and 100/s of 250 ms each need about 27: 10 % of"),
        "setup and teardown keep a thread, too"
    );
    check(
        &Machine::default(),
        &[Test::users().late(Late::Thread, 3 * S).full(4)],
        "buy: all 4 threads were busy: 10 % of iterations started late (p99 3.00 s, service time p50 10.0 ms)\n  \
         > raise `max_threads` to the number of users, or ask for fewer users",
    );
}

#[test]
fn coroutines_have_no_threads() {
    let coroutine = |test: Test| Test {
        coroutine: true,
        ..test
    };
    let text = said(
        &Machine::default(),
        &[coroutine(
            Test::default()
                .service(MS, 980)
                .and_service(2 * S, 20)
                .late(Late::Thread, 1_500 * MS)
                .full(20),
        )],
    );
    assert!(
        text.starts_with(
            "buy: the target got slow, up to 2.00 s, and all 20 places for iterations in flight were busy: "
        ),
        "{text}"
    );
    assert!(text.ends_with("(up to about 202 in flight)"), "{text}");
    let text = said(
        &Machine::default(),
        &[coroutine(Test::default().late(Late::Woke, 20 * MS))],
    );
    assert!(text.starts_with("buy: the event loop was woken late: "), "{text}");
}

#[test]
fn the_machine() {
    check(
        &Machine::default().cpu(&[0.3, 0.32]).machine_cpu(0.97),
        &[Test::default().late(Late::Woke, 20 * MS)],
        "the machine's 2 CPUs were 97 % busy, at most 31 % with the workers: 10 % of iterations started late (p99 20.0 ms, service time p50 10.0 ms)\n  \
         > stop what else runs here, let the target run on another machine, add cores, or see docs/how-to/scale.md",
    );
    check(
        &Machine::default().swapped_mib(312),
        &[Test::default()],
        "the machine swapped 312 MiB of memory in and out\n  \
         > leave more memory free: fewer workers or threads, smaller data, fewer other programs",
    );
    check(
        &Machine::default().stood_still(1.5),
        &[Test::users()],
        "1 of 2 workers stood still for 1.50 s\n  \
         > something stopped the process or took its core away: SIGSTOP, a debugger, a container's CPU quota, a crowded host of virtual machines",
    );
    check(
        &Machine::default(),
        &[Test::default().late(Late::Woke, 20 * MS)],
        "buy: threads woke late: 10 % of iterations started late (p99 20.0 ms, service time p50 10.0 ms)\n  \
         > power saving, virtualisation or bursts of other work delay timers: see what else this machine does, or take another",
    );
}

#[test]
fn the_interpreter() {
    check(
        &Machine::default(),
        &[Test::default().late(Late::Gil, 20 * MS)],
        "threads waited for Python's interpreter lock: 10 % of iterations started late (p99 20.0 ms, service time p50 10.0 ms)\n  \
         > a thread that computes, or a C extension that holds the lock, keeps the others waiting: move that out of run(), use a client that \
         releases the lock, add workers, or see docs/how-to/scale.md",
    );
    let text = said(&Machine::default().gil_wait(0.62), &[Test::default()]);
    assert!(
        text.starts_with(
            "iterations that were due waited for Python's interpreter lock in 62 % of the time, and service times contain such waits\n"
        ),
        "{text}"
    );
}

#[test]
fn limits() {
    check(
        &Machine::default(),
        &[Test::default().failed("OSError", "[Errno 24] Too many open files", 1)],
        "buy: 1 iteration failed with too many open files\n  \
         > a worker may have 1,024 open (`ulimit -n`): raise the limit with `ulimit -n`, close what an iteration opens, or keep connections for \
         the next one",
    );
    let refused = Test {
        threads_refused: true,
        ..Test::default()
    };
    check(
        &Machine::default(),
        &[refused],
        "buy: the system refused to make more than 4 threads\n  \
         > raise `ulimit -u`, or `pids.max` in a container, or let tests have fewer threads (`max_duration`, `max_threads`)",
    );
}

#[test]
fn the_page_about_the_verdict_has_every_kind_and_every_bound() {
    let page = include_str!("../../../../../docs/explanation/verdict.md");
    let bounds = [
        format!("above {} ms", LATE_INVALID_NS / MS),
        format!(
            "above {} ms, and above {LATE_DEGRADED_SHARE} %",
            LATE_DEGRADED_NS / MS
        ),
        format!("more than {} %, or all", 100 / bounds::MISSED_ONE_IN),
        format!(
            "from {:.0} % | from {:.0} %",
            bounds::CPU_FULL * 100.0,
            bounds::CPU_CROWDED * 100.0
        ),
        format!("used {:.0} % of a core", bounds::CPU_BUSY * 100.0),
        format!("used {:.0} % of a core, so", bounds::CPU_WANTED * 100.0),
        format!("in {:.0} % of the time or more", bounds::GIL_WAIT * 100.0),
        format!("more than {} MiB", bounds::SWAPPED_BYTES / (1024 * 1024)),
        format!("below {} ms are", bounds::TELLING_PART_NS / MS),
        format!(
            "for {:.0} % of the time | for {:.0} %",
            bounds::STOOD_STILL_INVALID * 100.0,
            bounds::STOOD_STILL_DEGRADED * 100.0
        ),
    ];
    assert_eq!(
        LATE_INVALID_SHARE, 100,
        "the page says: above the median service time"
    );
    let kinds = [
        CauseKind::NothingStarted,
        CauseKind::Dropped,
        CauseKind::Lost,
        CauseKind::NotEverywhere,
        CauseKind::Late,
        CauseKind::WorkerCpu,
        CauseKind::MachineCpu,
        CauseKind::Gil,
        CauseKind::Threads,
        CauseKind::Limits,
        CauseKind::Swap,
        CauseKind::StoodStill,
    ];
    let names = kinds.map(|kind| {
        let name = serde_json::to_string(&kind).unwrap();
        format!("| `{}`", name.trim_matches('"'))
    });
    for wanted in bounds.into_iter().chain(names) {
        let told = page.contains(&wanted) || page.contains(&wanted.replace("| `", ", `"));
        assert!(told, "nothing of {wanted:?}");
    }
}
