use super::*;
use crate::NANOS_PER_SEC;
use proptest::prelude::*;

fn per_s(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

#[test]
fn the_count_is_rate_times_duration() {
    for (rate, seconds, count) in [
        ("0.1", 60, 6),
        ("1", 7, 7),
        ("3.7", 10, 37),
        ("3.7", 3_600, 13_320),
        ("100", 10, 1_000),
        ("10000", 10, 100_000),
        ("100000", 86_400, 8_640_000_000),
    ] {
        for phase in [Phase::ZERO, Phase::of_test(1, 2), Phase::of_test(6, 7)] {
            let schedule = Schedule::constant(per_s(rate), phase, Some(seconds * NANOS_PER_SEC));
            assert_eq!(
                schedule.count_before(u64::MAX),
                count,
                "{rate}/s for {seconds} s, {phase:?}"
            );
        }
    }
}

#[test]
fn arrivals_do_not_drift() {
    let schedule = Schedule::constant(per_s("3"), Phase::ZERO, None);
    assert_eq!(schedule.planned_ns(3), Some(NANOS_PER_SEC));
    // A third of a second added three hundred million times would be a tenth of a second off.
    assert_eq!(
        schedule.planned_ns(300_000_000),
        Some(100_000_000 * NANOS_PER_SEC)
    );
}

#[test]
fn phases_spread_tests_over_one_interval() {
    let at = |i| Schedule::constant(per_s("1"), Phase::of_test(i, 4), None).planned_ns(0);
    assert_eq!(
        [at(0), at(1), at(2), at(3)].map(Option::unwrap),
        [0, 250_000_000, 500_000_000, 750_000_000]
    );
}

#[test]
fn an_ended_schedule_plans_nothing_more() {
    let schedule = Schedule::constant(per_s("10"), Phase::ZERO, Some(NANOS_PER_SEC));
    assert_eq!(schedule.planned_ns(9), Some(900_000_000));
    assert_eq!(schedule.planned_ns(10), None);
    let ending_at = |end_ns| Schedule::constant(per_s("10"), Phase::ZERO, Some(end_ns));
    assert_eq!(ending_at(500_000_000).planned_ns(5), None);
    assert_eq!(ending_at(500_000_001).planned_ns(5), Some(500_000_000));
}

fn rates() -> impl Strategy<Value = Rate> {
    (1u64..=MAX_NANO).prop_map(|n| Rate::from_nano_per_s(n).unwrap())
}
const MAX_NANO: u64 = crate::rate::MAX_RATE_PER_S * NANOS_PER_SEC;

proptest! {
    #[test]
    fn count_and_index_are_inverse(rate in rates(), tests in 1u32..50, position in 0u32..50, k in 0u64..1_000_000_000_000) {
        let schedule = Schedule::constant(rate, Phase::of_test(position, tests), None);
        if let Some(planned_ns) = schedule.planned_ns(k) {
            prop_assert!(schedule.count_before(planned_ns) <= k);
            if let Some(after_ns) = planned_ns.checked_add(1) {
                prop_assert!(schedule.count_before(after_ns) > k);
            }
        }
    }

    #[test]
    fn arrivals_stand_in_order(rate in rates(), k in 0u64..1_000_000_000) {
        let schedule = Schedule::constant(rate, Phase::ZERO, None);
        if let (Some(a), Some(b)) = (schedule.planned_ns(k), schedule.planned_ns(k + 1)) {
            prop_assert!(a <= b);
        }
    }

    #[test]
    fn the_count_is_within_one_of_the_integral(rate in rates(), tests in 1u32..50, position in 0u32..50, t_ns in 0u64..1_000_000_000_000_000) {
        let schedule = Schedule::constant(rate, Phase::of_test(position, tests), None);
        let integral = u128::from(rate.nano_per_s()) * u128::from(t_ns) / 1_000_000_000_000_000_000;
        let count = u128::from(schedule.count_before(t_ns));
        prop_assert!(count.abs_diff(integral) <= 1, "{count} against {integral}");
    }

    #[test]
    fn stripes_partition_the_plan(rate in rates(), workers in 1u32..70, t_ns in 0u64..100_000_000_000) {
        let schedule = Schedule::constant(rate, Phase::of_test(1, 3), Some(t_ns));
        let stripes = (0..workers).map(|worker| schedule.clone().stripe(Stripe { worker, workers }));
        let total: u64 = stripes.map(|stripe| stripe.count().unwrap()).sum();
        prop_assert_eq!(total, schedule.count_before(t_ns));
    }

    #[test]
    fn a_stripe_agrees_with_its_count(rate in rates(), workers in 1u32..70, worker in 0u32..70, t_ns in 1u64..100_000_000_000) {
        let schedule = Schedule::constant(rate, Phase::ZERO, Some(t_ns));
        let stripe = schedule.stripe(Stripe { worker: worker % workers, workers });
        let count = stripe.count().unwrap();
        prop_assert!(stripe.planned_ns(count).is_none());
        if count > 0 {
            prop_assert!(stripe.planned_ns(count - 1).unwrap() < t_ns);
        }
    }
}

/// Any schedule of the open model: arrivals, profile, end, number of iterations.
fn any_schedule() -> impl Strategy<Value = Schedule> {
    let rate = || {
        (0u64..3, 1u64..1_000).prop_map(|(zero, n)| {
            if zero == 0 {
                Rate::ZERO
            } else {
                Rate::from_nano_per_s(n * 137_000_000).unwrap()
            }
        })
    };
    let pieces = prop::collection::vec((0u64..20_000_000_000, rate(), rate()), 0..5);
    let arrivals = prop_oneof![
        (0u32..7).prop_map(|position| Arrivals::Even(Phase::of_test(position, 7))),
        (0u64..50).prop_map(Arrivals::poisson),
    ];
    let recorded = prop::collection::vec(0u64..60_000_000_000, 0..200).prop_map(|mut instants| {
        instants.sort_unstable();
        Arrivals::Recorded(instants.into())
    });
    let by_rate = (arrivals, 0u64..5_000_000_000, pieces, prop::option::of(rate())).prop_map(
        |(arrivals, delay_ns, pieces, last)| {
            let mut profile = Profile::after(delay_ns);
            for (length_ns, from, to) in pieces {
                profile.ramp(length_ns, from, to);
            }
            if let Some(rate) = last {
                profile.hold(rate);
            }
            (arrivals, profile)
        },
    );
    let by_record =
        (recorded, 0u64..5_000_000_000).prop_map(|(arrivals, delay_ns)| (arrivals, Profile::clock(delay_ns)));
    let end = prop::option::of(0u64..80_000_000_000);
    (
        prop_oneof![4 => by_rate, 1 => by_record],
        end,
        prop::option::of(0u64..2_000),
    )
        .prop_map(|((arrivals, profile), end_ns, iterations)| {
            let profile = match end_ns {
                Some(end_ns) => profile.ending_at(end_ns),
                None => profile,
            };
            Schedule::new(arrivals, profile, iterations)
        })
}

fn any_changes() -> impl Strategy<Value = Vec<Change>> {
    let step = (
        0u64..20_000_000_000,
        any::<bool>(),
        prop_oneof![Just(1_000u32), 1u32..5_000],
    );
    prop::collection::vec(step, 0..6).prop_map(|steps| {
        let mut at_ns = 0;
        let changes = steps.into_iter().map(|(step_ns, paused, milli)| {
            at_ns += step_ns;
            Change {
                at_ns,
                paused,
                factor: Factor::from_milli(milli).unwrap(),
            }
        });
        changes.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_schedule_counts_what_it_plans(mut schedule in any_schedule(), changes in any_changes(), k in 0u64..3_000, t_ns in 0u64..120_000_000_000) {
        for change in changes {
            schedule.change(change);
        }
        match schedule.planned_ns(k) {
            None => prop_assert!(schedule.count_before(NOT_IN_SIGHT) <= k),
            Some(NOT_IN_SIGHT) => prop_assert!(schedule.count_before(NOT_IN_SIGHT - 1) <= k),
            Some(planned_ns) => {
                prop_assert!(schedule.count_before(planned_ns) <= k);
                prop_assert!(schedule.count_before(planned_ns + 1) > k);
                prop_assert!(schedule.planned_ns(k + 1).is_none_or(|next_ns| next_ns >= planned_ns));
            }
        }
        let count = schedule.count_before(t_ns);
        if let Some(before) = count.checked_sub(1) {
            prop_assert!(schedule.planned_ns(before).is_some_and(|planned_ns| planned_ns < t_ns));
        }
        prop_assert!(schedule.planned_ns(count).is_none_or(|planned_ns| planned_ns >= t_ns));
    }

    #[test]
    fn stripes_of_every_schedule_partition_it(mut schedule in any_schedule(), changes in any_changes(), workers in 1u32..9, t_ns in 0u64..120_000_000_000) {
        for change in changes {
            schedule.change(change);
        }
        let count = schedule.count_before(t_ns);
        let mut dealt = Vec::new();
        for worker in 0..workers {
            let stripe = schedule.clone().stripe(Stripe { worker, workers });
            let share = stripe.count_before(t_ns);
            dealt.extend((0..share).map(|j| (stripe.planned_ns(j).unwrap(), stripe.hand().number_of(j).unwrap())));
        }
        dealt.sort_by_key(|(_, k)| *k);
        let whole: Vec<_> = (0..count).map(|k| (schedule.planned_ns(k).unwrap(), k)).collect();
        prop_assert_eq!(dealt, whole);
    }

    #[test]
    fn nothing_is_planned_in_a_pause(mut schedule in any_schedule(), at_ns in 0u64..60_000_000_000, pause_ns in 1u64..60_000_000_000) {
        let before = schedule.clone();
        schedule.change(Change { at_ns, paused: true, factor: Factor::ONE });
        schedule.change(Change { at_ns: at_ns + pause_ns, paused: false, factor: Factor::ONE });
        prop_assert_eq!(schedule.count_before(at_ns), schedule.count_before(at_ns + pause_ns));
        // What comes afterwards comes as planned, only later: no burst.
        for k in schedule.count_before(at_ns)..schedule.count_before(at_ns) + 20 {
            prop_assert_eq!(schedule.planned_ns(k), before.planned_ns(k).map(|ns| ns + pause_ns));
        }
    }

    #[test]
    fn a_change_leaves_what_was_planned_before_it(mut schedule in any_schedule(), changes in any_changes()) {
        for change in changes {
            let before = schedule.clone();
            schedule.change(change);
            let count = before.count_before(change.at_ns);
            prop_assert_eq!(schedule.count_before(change.at_ns), count);
            for k in count.saturating_sub(20)..count {
                let (was, is) = (before.planned_ns(k).unwrap(), schedule.planned_ns(k).unwrap());
                prop_assert_eq!(was, is);
            }
        }
    }

    #[test]
    fn the_short_cut_equals_the_general_way(rate in rates(), tests in 1u32..50, position in 0u32..50, delay_ns in prop_oneof![Just(0), 0u64..5_000_000_000], k in 0u64..u64::MAX) {
        let mut profile = Profile::after(delay_ns);
        profile.hold(rate);
        let mut schedule = Schedule::new(Arrivals::Even(Phase::of_test(position, tests)), profile, None);
        let short = schedule.planned_ns(k);
        prop_assert!(schedule.even.take().is_some());
        let general = schedule.planned_ns(k);
        // The general way gives up where the mass of k iterations is beyond 128 bits; then so far away that nobody waits for it.
        prop_assert!(short == general || general.is_none(), "{short:?} {general:?}");
        if k < 100_000_000_000_000_000 {
            prop_assert_eq!(short, general);
        }
    }

    #[test]
    fn twice_the_rate_plans_twice_as_many(rate in 1u64..1_000, at_s in 0u64..50, milli in 1u32..4_000) {
        let rate = Rate::from_nano_per_s(rate * NANOS_PER_SEC).unwrap();
        let mut schedule = Schedule::constant(rate, Phase::ZERO, Some(100 * NANOS_PER_SEC));
        schedule.change(Change { at_ns: at_s * NANOS_PER_SEC, paused: false, factor: Factor::from_milli(milli).unwrap() });
        let per_s = rate.nano_per_s() / NANOS_PER_SEC;
        let expected = (per_s * at_s * 1_000 + per_s * (100 - at_s) * u64::from(milli)).div_ceil(1_000);
        prop_assert_eq!(schedule.count_before(u64::MAX), expected);
    }
}

#[test]
fn iterations_end_a_schedule_exactly() {
    let mut profile = Profile::after(0);
    profile.hold(per_s("100"));
    let schedule = Schedule::new(Arrivals::Even(Phase::ZERO), profile.clone(), Some(1_000));
    assert_eq!(
        (schedule.planned_ns(999), schedule.planned_ns(1_000)),
        (Some(9_990_000_000), None)
    );
    assert_eq!(schedule.ends_ns(), Some(9_990_000_001));
    assert!(schedule.ends_by_count());
    assert_eq!(schedule.count_before(u64::MAX), 1_000);
    let stripe = |worker| schedule.clone().stripe(Stripe { worker, workers: 3 }).count();
    assert_eq!(
        [stripe(0), stripe(1), stripe(2)],
        [Some(334), Some(333), Some(333)]
    );
    let cut = Schedule::new(
        Arrivals::Even(Phase::ZERO),
        profile.ending_at(NANOS_PER_SEC),
        Some(1_000),
    );
    assert_eq!((cut.ends_ns(), cut.ends_by_count()), (Some(NANOS_PER_SEC), false));
}

#[test]
fn a_recording_ends_with_its_last_arrival() {
    let instants = [0, 5, 5, 9];
    let schedule = Schedule::new(Arrivals::Recorded(instants.into()), Profile::clock(100), None);
    let planned: Vec<_> = (0..5).map(|k| schedule.planned_ns(k)).collect();
    assert_eq!(planned, [Some(100), Some(105), Some(105), Some(109), None]);
    assert_eq!((schedule.ends_ns(), schedule.count_before(105)), (Some(110), 1));
}
