//! Which rule says what.

use super::*;
use CauseKind::{
    Dropped, Gil, Late as IsLate, Limits, Lost, MachineCpu, NotEverywhere, NothingStarted, StoodStill, Swap,
    Threads, WorkerCpu,
};
use Validity::{Degraded, Invalid, Valid};

/// What is expected: the validity and the kinds of the causes.
type Expected<'a> = (Validity, &'a [CauseKind]);

fn check(name: &str, machine: &Machine, tests: &[Test], (validity, expected): Expected<'_>) {
    let verdict = machine.judge(tests);
    assert_eq!(
        kinds(&verdict),
        (validity, expected.to_vec()),
        "{name}: {verdict:#?}"
    );
}

fn account(account: Account) -> Test {
    let mut test = Test {
        account: Account {
            planned: 1_000,
            ..account
        },
        ..Test::default()
    };
    (test.measures.passed, test.measures.failed) = (account.passed, account.failed);
    test
}

#[test]
fn outcomes() {
    let none = Account::default();
    for (ends, expected) in [
        (
            Account {
                passed: 1_000,
                ..none
            },
            (Valid, &[][..]),
        ),
        (
            Account {
                failed: 1_000,
                ..none
            },
            (Valid, &[]),
        ),
        (
            Account {
                interrupted: 1_000,
                ..none
            },
            (Valid, &[]),
        ),
        (
            Account {
                passed: 995,
                dropped: 5,
                ..none
            },
            (Degraded, &[Dropped]),
        ),
        (
            Account {
                passed: 990,
                dropped: 10,
                ..none
            },
            (Degraded, &[Dropped]),
        ),
        (
            Account {
                passed: 989,
                dropped: 11,
                ..none
            },
            (Invalid, &[Dropped]),
        ),
        (
            Account {
                dropped: 1_000,
                ..none
            },
            (Invalid, &[NothingStarted]),
        ),
        (
            Account {
                passed: 999,
                lost: 1,
                ..none
            },
            (Degraded, &[Lost]),
        ),
        (
            Account {
                passed: 900,
                lost: 100,
                ..none
            },
            (Invalid, &[Lost]),
        ),
        (Account { lost: 1_000, ..none }, (Invalid, &[Lost])),
        // Together they are more than one in a hundred.
        (
            Account {
                passed: 988,
                dropped: 6,
                lost: 6,
                ..none
            },
            (Invalid, &[Dropped, Lost]),
        ),
    ] {
        check(
            &format!("{ends:?}"),
            &Machine::default(),
            &[account(ends)],
            expected,
        );
    }
}

#[test]
fn a_worker_that_died_makes_a_run_at_best_degraded() {
    let open = Test::default();
    let users = Test::users();
    for test in [open, users] {
        let kinds_of = |seconds: &[f64]| {
            kinds(
                &Machine::default()
                    .lost_at(seconds)
                    .judge(std::slice::from_ref(&test)),
            )
        };
        assert_eq!(kinds_of(&[]), (Valid, vec![]));
        assert_eq!(kinds_of(&[3.2]), (Degraded, vec![Lost]));
    }
    // It is told once: with the iterations where some were lost.
    let lost = account(Account {
        planned: 1_000,
        passed: 900,
        lost: 100,
        ..Account::default()
    });
    let verdict = Machine::default().lost_at(&[3.2]).judge(&[lost]);
    assert_eq!(kinds(&verdict), (Invalid, vec![Lost]));
}

#[test]
fn workers_that_did_not_run_a_test() {
    for (workers, expected) in [
        (0, (Invalid, &[NotEverywhere][..])),
        (1, (Degraded, &[NotEverywhere])),
        (2, (Valid, &[])),
    ] {
        let test = Test {
            workers,
            ..Test::default()
        };
        check(&workers.to_string(), &Machine::default(), &[test], expected);
    }
}

#[test]
fn lateness_beside_service_time() {
    for (late_ns, service_ns, expected) in [
        (MS / 10, 50 * MS, Valid),
        // A no-op that starts half a millisecond late is as good as timers get.
        (MS / 2, 1_000, Valid),
        (4 * MS, 1_000, Valid),
        (4 * MS, 50 * MS, Valid),
        (8 * MS, 50 * MS, Degraded),
        (20 * MS, MS, Degraded),
        (40 * MS, 500 * MS, Valid),
        (80 * MS, 50 * MS, Invalid),
    ] {
        let test = Test::default()
            .service(service_ns, 1_000)
            .late(Late::Woke, late_ns);
        for machine in [Machine::default(), Machine::unknown()] {
            let verdict = machine.judge(std::slice::from_ref(&test));
            assert_eq!(
                verdict.validity, expected,
                "{late_ns} beside {service_ns}: {verdict:#?}"
            );
        }
    }
}

#[test]
fn lateness_counts_also_where_nothing_came_as_far_as_run() {
    let test = Test::default()
        .service(0, 0)
        .late(Late::Woke, LATE_INVALID_NS + LATE_INVALID_NS / 100);
    check("late", &Machine::default(), &[test], (Invalid, &[IsLate]));
}

#[test]
fn every_reason_for_lateness_by_its_evidence() {
    let machine = Machine::default;
    let late = |why| Test::default().late(why, 80 * MS);
    let refused = Test {
        threads_refused: true,
        ..late(Late::Thread)
    };
    let cases = vec![
        ("woke late", machine(), late(Late::Woke), (Invalid, IsLate)),
        ("gil", machine(), late(Late::Gil), (Invalid, Gil)),
        ("growing", machine(), late(Late::Thread), (Invalid, IsLate)),
        (
            "few threads",
            machine(),
            late(Late::Thread).full(2).service(40 * MS, 1_000),
            (Invalid, Threads),
        ),
        (
            "nearly all threads",
            machine(),
            Test {
                threads: 19,
                ..late(Late::Thread)
            },
            (Invalid, Threads),
        ),
        ("refused", machine(), refused, (Invalid, Limits)),
        (
            "worker cpu",
            machine().cpu(&[0.98, 0.97]),
            late(Late::Thread).full(2),
            (Invalid, WorkerCpu),
        ),
        (
            "one worker's cpu",
            machine().cpu(&[0.92, 0.1]),
            late(Late::Gil),
            (Invalid, WorkerCpu),
        ),
        (
            "too many workers",
            machine().cpu(&[0.49; 4]),
            late(Late::Woke),
            (Invalid, WorkerCpu),
        ),
        (
            "machine cpu",
            machine().cpu(&[0.4, 0.4]).machine_cpu(0.99),
            late(Late::Woke),
            (Invalid, MachineCpu),
        ),
        (
            "swap",
            machine().swapped_mib(65),
            late(Late::Woke),
            (Invalid, Swap),
        ),
        (
            "stood still",
            machine().stood_still(1.5),
            late(Late::Woke),
            (Invalid, StoodStill),
        ),
        // Half a percent of the time does not make a tenth of the iterations late.
        (
            "stood still elsewhere",
            machine().stood_still(0.1),
            late(Late::Woke),
            (Invalid, IsLate),
        ),
        (
            "busy and stood still",
            machine().cpu(&[0.92; 2]).stood_still(1.5),
            late(Late::Woke),
            (Invalid, StoodStill),
        ),
        ("unknown", Machine::unknown(), late(Late::Gil), (Invalid, Gil)),
    ];
    for (name, machine, test, expected) in cases {
        check(name, &machine, &[test], (expected.0, &[expected.1]));
    }
}

#[test]
fn what_is_short_and_frequent_does_not_hide_what_is_long_and_rare() {
    let mut test = Test::default().late(Late::Gil, 20 * MS);
    test.measures
        .lateness_parts
        .woke_late
        .record_n(MS * 9 / 10, 1_000_000);
    check(
        "gil",
        &Machine::default(),
        &[test],
        (Invalid.min(Degraded), &[Gil]),
    );
}

#[test]
fn threads_that_cannot_be_made_for_want_of_the_lock() {
    let growing = |gil_ns| {
        let mut test = Test::default().late(Late::Thread, 80 * MS);
        test.measures.lateness_parts.waited_for_gil.record_n(gil_ns, 50);
        test
    };
    let machine = Machine::default();
    let free = Machine {
        free_threaded: true,
        ..Machine::default()
    };
    check("forced", &machine, &[growing(6 * MS)], (Invalid, &[Gil]));
    check("given", &machine, &[growing(4 * MS)], (Invalid, &[IsLate]));
    check("none", &free, &[growing(6 * MS)], (Invalid, &[IsLate]));
    check(
        "all made",
        &machine,
        &[growing(6 * MS).full(2)],
        (Invalid, &[Threads]),
    );
}

#[test]
fn missing_iterations_have_a_reason_too() {
    let dropped = || Test::default().dropped(100);
    for (name, machine, test, expected) in [
        ("nobody knows", Machine::default(), dropped(), (Invalid, Dropped)),
        (
            "all threads",
            Machine::default(),
            dropped().full(2),
            (Invalid, Threads),
        ),
        (
            "gil",
            Machine::default(),
            dropped().late(Late::Gil, 4 * MS),
            (Invalid, Gil),
        ),
        // Dropped by `late: drop` before anything was late enough.
        (
            "woke late, a little",
            Machine::default(),
            dropped().late(Late::Woke, 4 * MS),
            (Invalid, Dropped),
        ),
        (
            "cpu",
            Machine::default().cpu(&[1.0, 1.0]),
            dropped().full(2),
            (Invalid, WorkerCpu),
        ),
        (
            "machine",
            Machine::default().machine_cpu(1.0),
            dropped().full(2),
            (Invalid, MachineCpu),
        ),
        (
            "few, cpu",
            Machine::default().cpu(&[0.93, 0.93]),
            Test::default().dropped(5),
            (Degraded, WorkerCpu),
        ),
    ] {
        check(name, &machine, &[test], (expected.0, &[expected.1]));
    }
}

#[test]
fn a_target_that_gets_slow_is_not_the_generators_fault() {
    // 100/s, 20 threads, frozen for 2 s of 10: 20 iterations sit in it.
    let frozen = || {
        let test = Test::default().service(MS, 980).and_service(2 * S, 20);
        test.late(Late::Thread, 1_500 * MS).full(20)
    };
    // Iterations that always take more than the threads can carry: 100/s of 300 ms need 30.
    let small = || {
        Test::default()
            .service(300 * MS, 1_000)
            .late(Late::Thread, 1_500 * MS)
            .full(20)
    };
    // The rate's peak is more than they can carry; the mean is not, and no iteration was slow.
    let peak = || {
        Test::default()
            .service(150 * MS, 1_000)
            .late(Late::Thread, 1_500 * MS)
            .full(20)
    };
    for (name, test, expected) in [
        ("frozen", frozen(), Degraded),
        (
            "iterations are missing all the same",
            frozen().dropped(100),
            Invalid,
        ),
        (
            "a few slow ones do not fill the pool",
            frozen().service(MS, 995).and_service(2 * S, 5),
            Invalid,
        ),
        ("small", small(), Invalid),
        ("peak", peak(), Invalid),
    ] {
        check(name, &Machine::default(), &[test], (expected, &[Threads]));
    }
    let full = Machine::default().cpu(&[0.97, 0.97]);
    check("computes", &full, &[frozen()], (Invalid, &[WorkerCpu]));
}

#[test]
fn cpu_though_nothing_is_late() {
    for (share, open, users) in [
        (0.50, Valid, Valid),
        (0.79, Valid, Valid),
        (0.80, Valid, Degraded),
        (0.94, Valid, Degraded),
        (0.95, Degraded, Invalid),
        (1.05, Degraded, Invalid),
        // In C, without the lock; the machine has room.
        (1.30, Valid, Valid),
    ] {
        let machine = Machine {
            summary: MachineSummary {
                cpus: 8,
                ..MachineSummary::default()
            },
            ..Machine::default().cpu(&[share, 0.1])
        };
        for (test, expected) in [(Test::default(), open), (Test::users(), users)] {
            let kinds: &[CauseKind] = if expected == Valid { &[] } else { &[WorkerCpu] };
            check(&format!("{share}"), &machine, &[test], (expected, kinds));
        }
        let idle = Test {
            account: Account::default(),
            measures: Measures::default(),
            ..Test::users()
        };
        check("nothing ended", &machine, &[idle], (Valid, &[]));
    }
}

#[test]
fn more_than_a_core_is_full_where_the_lock_or_the_machine_is() {
    let eight = |machine: Machine| Machine {
        summary: MachineSummary {
            cpus: 8,
            ..machine.summary.clone()
        },
        ..machine
    };
    for (name, machine, expected) in [
        ("room", eight(Machine::default().cpu(&[1.5])), (Valid, &[][..])),
        (
            "lock",
            eight(Machine::default().cpu(&[1.5]).gil_wait(0.6)),
            (Invalid, &[WorkerCpu]),
        ),
        ("machine", Machine::default().cpu(&[1.9]), (Invalid, &[WorkerCpu])),
        (
            "free-threaded, room",
            Machine {
                free_threaded: true,
                ..eight(Machine::default().cpu(&[0.5]))
            },
            (Valid, &[]),
        ),
        (
            "free-threaded, full",
            Machine {
                free_threaded: true,
                ..eight(Machine::default().cpu(&[0.96]))
            },
            (Invalid, &[WorkerCpu]),
        ),
    ] {
        check(name, &machine, &[Test::users()], expected);
    }
}

#[test]
fn a_machine_that_others_fill_matters_where_something_suffers() {
    let full = || Machine::default().machine_cpu(0.97);
    let idle = || full().cpu(&[0.09, 0.02]);
    let late = |why| Test::default().late(why, 80 * MS);
    for (name, machine, test, expected) in [
        ("open, on time", full(), Test::default(), (Valid, &[][..])),
        ("users", full(), Test::users(), (Degraded, &[MachineCpu])),
        (
            "users, less",
            Machine::default().machine_cpu(0.93),
            Test::users(),
            (Valid, &[]),
        ),
        ("users who only wait", idle(), Test::users(), (Valid, &[])),
        ("woke late", idle(), late(Late::Woke), (Invalid, &[MachineCpu])),
        ("compute", full(), late(Late::Gil), (Invalid, &[MachineCpu])),
        // What computes nothing has waited for something else.
        ("lock", idle(), late(Late::Gil), (Invalid, &[Gil])),
        (
            "threads",
            idle(),
            late(Late::Thread).full(2),
            (Invalid, &[Threads]),
        ),
    ] {
        check(name, &machine, &[test], expected);
    }
}

#[test]
fn waits_for_the_lock_though_nothing_is_late() {
    let machine = |share| Machine::default().gil_wait(share);
    for test in [Test::default(), Test::users()] {
        check(
            "often",
            &machine(0.5),
            std::slice::from_ref(&test),
            (Degraded, &[Gil]),
        );
        check(
            "seldom",
            &machine(0.49),
            std::slice::from_ref(&test),
            (Valid, &[]),
        );
        let free = Machine {
            free_threaded: true,
            ..machine(0.9)
        };
        check("no lock", &free, &[test], (Valid, &[]));
    }
    let full = machine(0.9).cpu(&[0.97, 0.97]);
    check(
        "because of the CPU",
        &full,
        &[Test::default()],
        (Degraded, &[WorkerCpu]),
    );
}

#[test]
fn the_machine_by_itself() {
    for (name, machine, expected) in [
        (
            "little swap",
            Machine::default().swapped_mib(64),
            (Valid, &[][..]),
        ),
        ("swap", Machine::default().swapped_mib(65), (Degraded, &[Swap])),
        (
            "suspended",
            Machine {
                summary: MachineSummary {
                    suspended_s: 12.0,
                    ..MachineSummary::default()
                },
                ..Machine::default()
            },
            (Degraded, &[StoodStill]),
        ),
        (
            "the wall clock was set",
            Machine {
                summary: MachineSummary {
                    clock_set_s: 3_600.0,
                    ..MachineSummary::default()
                },
                ..Machine::default()
            },
            (Valid, &[]),
        ),
    ] {
        check(name, &machine, &[Test::default()], expected);
    }
}

#[test]
fn standing_still_costs_users_time() {
    // Of ten seconds; the other of two workers went on.
    for (seconds, users) in [(0.1, Valid), (0.6, Degraded), (2.1, Invalid)] {
        let machine = Machine::default().stood_still(seconds);
        let kinds: &[CauseKind] = if users == Valid { &[] } else { &[StoodStill] };
        check(&format!("{seconds}"), &machine, &[Test::users()], (users, kinds));
        check(&format!("{seconds}"), &machine, &[Test::default()], (Valid, &[]));
    }
}

#[test]
fn what_the_system_refused() {
    for (exception, message, is_limit) in [
        ("OSError", "[Errno 24] Too many open files", true),
        (
            "pyreqwest.ConnectError",
            "connect: Too many open files (os error 24)",
            true,
        ),
        (
            "OSError",
            "[Errno 23] Too many open files in system: '/tmp/x'",
            true,
        ),
        (
            "requests.exceptions.ConnectionError",
            "… [Errno 99] Cannot assign requested address'))",
            true,
        ),
        ("OSError", "[Errno 49] Can't assign requested address", true),
        ("RuntimeError", "can't start new thread", true),
        ("MemoryError", "", true),
        (
            "numpy.core._exceptions._ArrayMemoryError",
            "Unable to allocate 8 GiB",
            false,
        ),
        ("OSError", "[Errno 12] Cannot allocate memory", true),
        ("OSError", "[Errno 111] Connection refused", false),
        ("OSError", "[Errno 240] something else", false),
        ("AssertionError", "got 24", false),
    ] {
        for (times, validity) in [(5, Degraded), (100, Invalid)] {
            let test = Test::default().failed(exception, message, times);
            let expected: Expected<'_> = if is_limit {
                (validity, &[Limits])
            } else {
                (Valid, &[])
            };
            check(message, &Machine::default(), &[test], expected);
        }
    }
}

#[test]
fn a_thread_that_was_refused_is_told_once() {
    let refused = |test| Test {
        threads_refused: true,
        ..test
    };
    let machine = Machine::default();
    check(
        "in vain",
        &machine,
        &[refused(Test::default())],
        (Degraded, &[Limits]),
    );
    let late = refused(Test::default().late(Late::Thread, 80 * MS));
    check("late", &machine, &[late], (Invalid, &[Limits]));
}

#[test]
fn a_run_that_waits_for_threads_says_so_while_it_goes_on() {
    let waiting = |running, waiting| Test {
        account: Account {
            planned: 900 + running + waiting,
            passed: 900,
            interrupted: running,
            ..Account::default()
        },
        ..Test::default().full(20)
    };
    let machine = Machine::default();
    check(
        "all threads",
        &machine,
        &[waiting(20, 80)],
        (Degraded, &[Threads]),
    );
    check("told a second ago", &machine, &[waiting(19, 80)], (Valid, &[]));
    check("few", &machine, &[waiting(20, 9)], (Valid, &[]));
}

#[test]
fn what_concerns_the_run_is_told_once() {
    let late = |label| Test::default().late(Late::Thread, 80 * MS).named(label);
    let tests: Vec<Test> = ["a", "b", "c", "d", "e"].map(late).into();
    for (machine, kind) in [
        (Machine::default().cpu(&[0.98, 0.98]), WorkerCpu),
        (Machine::default().machine_cpu(0.98), MachineCpu),
        (Machine::default().swapped_mib(100), Swap),
        (Machine::default().stood_still(5.0), StoodStill),
    ] {
        let verdict = machine.judge(&tests);
        assert_eq!(kinds(&verdict), (Invalid, vec![kind]));
        assert_eq!(verdict.causes[0].test, None);
        assert!(
            verdict.causes[0].text.contains("in a, ") && verdict.causes[0].text.contains("in 2 more tests")
        );
    }
    let verdict = Machine::default().judge(&tests);
    let named: Vec<_> = verdict
        .causes
        .iter()
        .map(|cause| cause.test.as_deref().unwrap())
        .collect();
    assert_eq!(named, ["a", "b", "c", "d", "e"]);
}

#[test]
fn the_gravest_cause_decides_and_stands_first() {
    let verdict = Machine::default().judge(&[
        Test::default().dropped(5),
        Test::default().failed("MemoryError", "", 500).named("b"),
        Test::default().named("c"),
    ]);
    assert_eq!(kinds(&verdict), (Invalid, vec![Limits, Dropped]));
    assert_eq!(Verdict::of(vec![]), Verdict::valid());
    assert_eq!(Machine::default().judge(&[]), Verdict::valid());
}
