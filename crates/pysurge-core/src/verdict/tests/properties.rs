//! Whatever the figures are.

use super::*;
use proptest::prelude::*;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0u64..50, 0u64..100_000, Just(u64::MAX / 8)]
}

fn odd() -> impl Strategy<Value = f64> {
    prop_oneof![
        0.0..1.2f64,
        0.9..1.1f64,
        -10.0..1e12f64,
        Just(0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]
}

fn duration() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..100 * MS, 0..100 * S, Just(u64::MAX)]
}

prop_compose! {
    fn test()(
        ends in prop::array::uniform6(number()),
        durations in prop::collection::vec((duration(), duration(), 1u64..1_000), 0..6),
        rates in prop::array::uniform2(odd()),
        threads in prop::array::uniform2(0u32..3_000),
        flags in prop::array::uniform2(any::<bool>()),
        workers in 0u32..4,
        busy_ns in number(),
        message in "[Errno 24\\] ]{0,12}|.{0,20}",
    ) -> Test {
        let [passed, failed, dropped, interrupted, lost, more] = ends;
        let mut measures = Measures { passed, failed, busy_ns, busy_cpu_ns: more, ..Measures::default() };
        for (late_ns, service_ns, times) in durations {
            measures.lateness.record_n(late_ns, times);
            measures.service_time.record_n(service_ns, times);
            let parts = &mut measures.lateness_parts;
            let part = [&mut parts.woke_late, &mut parts.no_free_thread, &mut parts.waited_for_gil];
            part.into_iter().nth(part_of(late_ns)).unwrap().record_n(late_ns, times);
        }
        let mut test = Test {
            account: Account { planned: passed + failed + dropped + interrupted + lost, passed: passed + 1, failed, dropped, interrupted, lost },
            measures,
            closed: flags[0],
            asked_rate_per_s: rates[0],
            achieved_rate_per_s: rates[1],
            workers,
            threads: threads[0],
            max_threads: threads[1],
            threads_refused: flags[1],
            ..Test::default()
        };
        let (account, ended) = (test.account, (test.measures.passed, test.measures.failed));
        test = test.failed("OSError", &message, 1);
        test.account = account;
        (test.measures.passed, test.measures.failed) = ended;
        test
    }
}

fn part_of(late_ns: u64) -> usize {
    usize::try_from(late_ns % 3).unwrap()
}

prop_compose! {
    fn machine()(
        workers in prop::collection::vec((prop::option::of(odd()), prop::option::of(odd()), odd()), 0..5),
        free_threaded in any::<bool>(),
        cpus in 0u32..5,
        cpu_share in prop::option::of(odd()),
        swapped_bytes in prop::option::of(number()),
        suspended_s in odd(),
        clock_set_s in odd(),
        open_files in prop::option::of(number()),
    ) -> Machine {
        let workers = (0..).zip(workers).map(|(number, (cpu_share, gil_wait_share, stood_still_s))| WorkerSummary {
            cpu_share,
            gil_wait_share,
            stood_still_s,
            ..worker(number)
        });
        Machine {
            workers: workers.collect(),
            free_threaded,
            summary: MachineSummary { cpus, cpu_share, swapped_bytes, suspended_s, clock_set_s },
            open_files,
            incidents: Vec::new(),
        }
    }
}

proptest! {
    #[test]
    fn a_verdict_is_its_worst_cause_and_the_causes_are_sorted(
        machine in machine(),
        tests in prop::collection::vec(test(), 0..4),
    ) {
        let verdict = machine.judge(&tests);
        let grades: Vec<Validity> = verdict.causes.iter().map(|cause| cause.validity).collect();
        prop_assert_eq!(verdict.validity, grades.iter().copied().max().unwrap_or(Validity::Valid));
        prop_assert!(grades.is_sorted_by(|a, b| a >= b), "{:?}", grades);
        prop_assert!(!grades.contains(&Validity::Valid));
        for cause in &verdict.causes {
            prop_assert!(!cause.text.is_empty() && !cause.text.contains('\n'));
            prop_assert!(cause.advice.as_ref().is_some_and(|advice| !advice.is_empty()));
        }
    }

    /// A reason never makes good what the outcome shows, but for the one rule that says so; and explains it once.
    #[test]
    fn a_symptom_is_told_once_whatever_the_reason(machine in machine(), late_ms in 0u64..200, dropped in 0u64..50) {
        let test = Test::default().late(Late::Gil, late_ms * MS).dropped(dropped);
        let alone = Machine::unknown().judge(std::slice::from_ref(&test));
        let verdict = machine.judge(std::slice::from_ref(&test));
        prop_assert!(verdict.validity >= alone.validity);
        let told = verdict.causes.iter().filter(|cause| cause.text.contains("started late") || cause.text.contains("never started"));
        prop_assert_eq!(told.count(), alone.causes.len());
    }

    /// A run of which nothing is known but that it went well is valid.
    #[test]
    fn absence_never_alarms(closed in any::<bool>(), service_ns in duration(), late_ns in 0..4 * MS) {
        let test = if closed { Test::users() } else { Test::default() };
        let test = test.service(service_ns, 1_000).late(Late::Woke, late_ns);
        prop_assert_eq!(Machine::unknown().judge(&[test]), Verdict::valid());
    }
}
