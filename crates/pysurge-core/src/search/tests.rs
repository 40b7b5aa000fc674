//! The search step by step, by tables; and how a level is judged.

use super::*;
use crate::NANOS_PER_SEC;
use crate::account::Account;
use crate::measure::Measures;
use crate::plan::TestPlan;
use crate::series::{Row, TestRow};

fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

pub(super) fn terms(start: &str) -> Terms {
    Terms {
        start: rate(start),
        max: None,
        precision: 0.03,
        settle_ns: 3 * NANOS_PER_SEC,
        hold_ns: 10 * NANOS_PER_SEC,
        confirm_ns: 30 * NANOS_PER_SEC,
        max_time_ns: 3_600 * NANOS_PER_SEC,
    }
}

pub(super) fn failing(kind: SignalKind, is_clear: bool) -> Failing {
    Failing {
        signal: Signal {
            kind,
            objective: None,
            text: "too slow".to_owned(),
        },
        is_clear,
        nothing_passed: false,
    }
}

fn clear() -> Judged {
    Judged::Failed(failing(SignalKind::Objective, true))
}

fn narrow() -> Judged {
    Judged::Failed(failing(SignalKind::Objective, false))
}

fn generator(is_clear: bool) -> Judged {
    Judged::GeneratorLimited(failing(SignalKind::Generator, is_clear))
}

/// Fires levels at what `target` makes of them; gives the levels and what was found.
fn play(terms: Terms, mut target: impl FnMut(&Level) -> Judged) -> (Vec<Level>, Found) {
    let mut search = Search::new(terms);
    let mut levels: Vec<Level> = Vec::new();
    let mut now_ns = 0;
    loop {
        match search.next_step() {
            Step::Done(found) => return (levels, found),
            Step::Level(level) => {
                assert_eq!(level.number as usize, levels.len() + 1);
                assert!(levels.len() < 500, "a search without end");
                now_ns += level.rest_ns + level.settle_ns + level.hold_ns + NANOS_PER_SEC;
                search.took(target(&level), now_ns);
                levels.push(level);
            }
        }
    }
}

fn step(capacity: f64) -> impl FnMut(&Level) -> Judged {
    move |level| {
        if level.rate.per_s() <= capacity {
            Judged::Held
        } else {
            clear()
        }
    }
}

fn told(levels: &[Level]) -> Vec<(String, Purpose)> {
    levels
        .iter()
        .map(|level| (level.rate.to_string(), level.purpose))
        .collect()
}

#[test]
fn doubles_then_halves_then_confirms() {
    use Purpose::{Between, Confirm, Start, Up};
    let (levels, found) = play(terms("50"), step(333.0));
    let expected = [
        ("50", Start),
        ("100", Up),
        ("200", Up),
        ("400", Up),
        ("282.8", Between),
        ("336.3", Between),
        ("308.4", Between),
        ("322", Between),
        ("329.1", Between),
        ("329.1", Confirm),
    ];
    assert_eq!(
        told(&levels),
        expected.map(|(rate, purpose)| (rate.to_owned(), purpose))
    );
    assert_eq!(
        (found.held, found.failed),
        (Some(rate("329.1")), Some(rate("336.3")))
    );
    assert_eq!((found.end, found.is_confirmed), (SearchEnd::Found, true));
    assert_eq!(
        found.limit.clone().map(|limit| limit.kind),
        Some(SignalKind::Objective)
    );
    assert!(!found.is_at_least());
    let confirming: Vec<bool> = levels.iter().map(|level| level.is_confirmation).collect();
    assert_eq!(confirming.iter().filter(|is| **is).count(), 1);
    assert_eq!(levels.last().map(|level| level.hold_ns), Some(30 * NANOS_PER_SEC));
    // After the level that overloaded the target, and after no other, there is a rest.
    let rests: Vec<u32> = levels
        .iter()
        .filter(|level| level.rest_ns > 0)
        .map(|level| level.number)
        .collect();
    assert_eq!(rests, [5, 7]);
}

#[test]
fn a_start_that_fails_is_lowered_faster_and_faster() {
    let (levels, found) = play(terms("1000"), step(90.0));
    let rates: Vec<String> = told(&levels).into_iter().map(|(rate, _)| rate).take(4).collect();
    assert_eq!(rates, ["1000", "500", "125", "15.63"]);
    let held = found.held.unwrap().per_s();
    assert!((87.0..=90.0).contains(&held), "{held}");
}

#[test]
fn tries_are_counted_as_votes() {
    for (at_100, holds, tries) in [
        (vec![Judged::Held], true, 1),
        (vec![clear()], false, 1),
        (vec![narrow(), narrow()], false, 2),
        (vec![narrow(), clear()], false, 2),
        (vec![narrow(), Judged::Held, Judged::Held], true, 3),
        (vec![narrow(), Judged::Held, narrow()], false, 3),
        (vec![generator(false), Judged::Held, Judged::Held], true, 3),
        (vec![generator(true)], false, 1),
        (vec![generator(false), narrow()], false, 2),
    ] {
        let mut search = Search::new(terms("100"));
        let mut fired = 0;
        for judged in at_100.clone() {
            let Step::Level(level) = search.next_step() else {
                panic!("{at_100:?}")
            };
            assert_eq!(level.rate, rate("100"), "{at_100:?}");
            assert_eq!(level.purpose == Purpose::Again, fired > 0);
            fired += 1;
            search.took(judged, fired * 14 * NANOS_PER_SEC);
        }
        assert_eq!(fired, tries);
        let Step::Level(next) = search.next_step() else {
            panic!("{at_100:?}")
        };
        assert_eq!(next.rate > rate("100"), holds, "{at_100:?}");
    }
}

#[test]
fn a_result_that_does_not_hold_for_longer_is_lowered() {
    // Something that fills up slowly: above 200 a level holds for 10 seconds and not for 30.
    let (levels, found) = play(terms("100"), |level| {
        let limit = if level.is_confirmation { 200.0 } else { 240.0 };
        if level.rate.per_s() <= limit {
            Judged::Held
        } else {
            clear()
        }
    });
    let held = found.held.unwrap().per_s();
    assert!((193.0..=200.0).contains(&held), "{held}");
    assert!(found.is_confirmed && found.end == SearchEnd::Found);
    assert!(levels.len() < 25, "{}", levels.len());
}

#[test]
fn a_narrow_failure_of_the_confirmation_is_tried_again() {
    let mut confirmations = 0;
    let (levels, found) = play(terms("100"), |level| {
        if level.is_confirmation {
            confirmations += 1;
            return if confirmations == 1 {
                narrow()
            } else {
                Judged::Held
            };
        }
        step(100.0)(level)
    });
    assert_eq!(found.held, Some(rate("100")));
    assert!(found.is_confirmed);
    let last: Vec<(Purpose, bool)> = levels
        .iter()
        .rev()
        .take(3)
        .map(|level| (level.purpose, level.is_confirmation))
        .collect();
    assert_eq!(
        last,
        [
            (Purpose::Again, true),
            (Purpose::Again, true),
            (Purpose::Confirm, true)
        ]
    );
}

#[test]
fn what_never_fails_is_at_least_the_highest_rate_allowed() {
    let mut limited = terms("100");
    limited.max = Some(rate("700"));
    let (levels, found) = play(limited, |_| Judged::Held);
    let rates: Vec<String> = told(&levels).into_iter().map(|(rate, _)| rate).collect();
    assert_eq!(rates, ["100", "200", "400", "700", "700"]);
    assert_eq!(
        (found.held, found.failed, found.end),
        (Some(rate("700")), None, SearchEnd::MaxRate)
    );
    assert!(found.is_confirmed && found.is_at_least() && found.limit.is_none());
    // A start above the highest rate allowed is lowered to it.
    let mut above = terms("1000");
    above.max = Some(rate("10"));
    let (levels, _) = play(above, |_| Judged::Held);
    assert_eq!(levels[0].rate, rate("10"));
}

#[test]
fn what_always_fails_ends_soon() {
    let (levels, found) = play(terms("100"), |_| clear());
    assert_eq!((found.held, found.end), (None, SearchEnd::NothingHeld));
    assert!(levels.len() <= 6, "{:?}", told(&levels));
    assert!(!found.is_at_least());
    // Where nothing passes at all, a lower rate is tried once.
    let (levels, found) = play(terms("100"), |_| {
        Judged::Failed(Failing {
            nothing_passed: true,
            ..failing(SignalKind::Objective, true)
        })
    });
    assert_eq!((levels.len(), found.end), (2, SearchEnd::NothingHeld));
}

#[test]
fn the_generators_limit_is_never_called_the_targets() {
    let (_, found) = play(terms("100"), |level| match level.rate.per_s() {
        per_s if per_s > 900.0 => clear(),
        per_s if per_s > 500.0 => generator(true),
        _ => Judged::Held,
    });
    let held = found.held.unwrap().per_s();
    assert!((485.0..=500.0).contains(&held), "{held}");
    assert_eq!(
        found.limit.clone().map(|limit| limit.kind),
        Some(SignalKind::Generator)
    );
    assert!(found.is_at_least());
    let (_, found) = play(terms("100"), |_| generator(true));
    assert_eq!((found.held, found.end), (None, SearchEnd::NothingHeld));
    assert_eq!(found.limit.map(|limit| limit.kind), Some(SignalKind::Generator));
}

#[test]
fn the_time_is_kept_and_a_confirmed_result_preferred() {
    let mut confirmed = 0;
    for max_s in 10..400 {
        let short = Terms {
            max_time_ns: max_s * NANOS_PER_SEC,
            ..terms("50")
        };
        let (levels, found) = play(short, step(333.0));
        let took_s: u64 = levels
            .iter()
            .map(|level| (level.rest_ns + level.settle_ns + level.hold_ns) / NANOS_PER_SEC + 1)
            .sum();
        // The first level tells what a level takes beside its own time.
        assert!(took_s <= max_s.max(14), "{took_s} s of {max_s}");
        assert_eq!(found.held.is_some(), !levels.is_empty());
        let done = found.end == SearchEnd::Found;
        assert!(done || found.end == SearchEnd::MaxTime);
        assert!(!done || found.is_confirmed);
        confirmed += usize::from(found.is_confirmed && !done);
        if max_s >= 50 {
            assert!(found.is_confirmed, "{max_s}: {:?}", told(&levels));
        }
    }
    assert!(confirmed > 50, "{confirmed}");
}

#[test]
fn stopping_gives_what_is_known() {
    let mut search = Search::new(terms("100"));
    for (judged, at_s) in [(Judged::Held, 14), (Judged::Held, 28), (clear(), 42)] {
        assert!(matches!(search.next_step(), Step::Level(_)));
        search.took(judged, at_s * NANOS_PER_SEC);
    }
    assert_eq!(search.next_step(), search.next_step());
    search.stop();
    let Step::Done(found) = search.next_step() else {
        panic!("it was stopped")
    };
    assert_eq!((found.held, found.failed), (Some(rate("200")), Some(rate("400"))));
    assert_eq!((found.end, found.is_confirmed), (SearchEnd::Stopped, false));
}

#[test]
fn a_level_is_the_config_at_another_rate() {
    let mut first = TestPlan::new("a.B", Model::constant(rate("30")));
    first.iterations = Some(7);
    first.start_delay_ns = 9;
    first.warmup_ns = 5 * NANOS_PER_SEC;
    let second = TestPlan::new("a.C", Model::constant(rate("10")));
    let mut plan = Plan::new("n", vec![first, second]);
    plan.graceful_stop_ns = Some(2 * NANOS_PER_SEC);
    assert_eq!(total_rate(&plan), Ok(rate("40")));
    let mut search = Search::new(terms("100"));
    let Step::Level(level) = search.next_step() else {
        panic!("the first level")
    };
    let made = plan_of(&plan, level.rate, &level, 5 * NANOS_PER_SEC);
    assert_eq!(total_rate(&made), Ok(rate("100")));
    assert_eq!(made.tests[0].model, Model::constant(rate("75")));
    assert_eq!(made.tests[1].model, Model::constant(rate("25")));
    for test in &made.tests {
        assert_eq!((test.iterations, test.start_delay_ns), (None, 0));
        assert_eq!(test.warmup_ns, 5 * NANOS_PER_SEC);
    }
    assert_eq!(made.duration_ns, Some(15 * NANOS_PER_SEC));
    assert_eq!(made.graceful_stop_ns, Some(2 * NANOS_PER_SEC));
}

#[test]
fn only_plain_rates_can_be_searched() {
    let closed = Model::Closed(crate::plan::ClosedModel {
        users: 3,
        wait: crate::plan::Wait::None,
        ramp_up_ns: 0,
        seed: 0,
    });
    let plan = Plan::new("n", vec![TestPlan::new("a.Upload", closed)]);
    let error = total_rate(&plan).unwrap_err();
    assert_eq!((error.test.as_str(), error.key), ("Upload", "users"));
    assert!(error.to_string().starts_with("test `Upload` has `users`;"));
}

/// Rows of a level: what was planned and what ended in each second, each with this response time.
fn watch(seconds: &[(u64, u64)], random: bool) -> Watch {
    let mut watch = Watch::new(Vec::new(), random);
    for (n, (planned, ended)) in (0u64..).zip(seconds) {
        let mut measures = Measures {
            passed: *ended,
            ..Measures::default()
        };
        measures.response_time.record_n(1_000_000, *ended);
        watch.row(&Row {
            from_ns: n * NANOS_PER_SEC,
            to_ns: (n + 1) * NANOS_PER_SEC,
            tests: vec![TestRow {
                planned: *planned,
                measures,
                ..TestRow::default()
            }],
            worker_cpu_ns: 0,
            gil_wait_ns: 0,
        });
    }
    watch
}

fn summary(account: Account, service_s: f64, causes: Vec<crate::verdict::Cause>) -> crate::summary::Summary {
    simulation::summary(account, service_s, causes)
}

fn passed(n: u64) -> Account {
    Account {
        planned: n,
        passed: n,
        ..Account::default()
    }
}

#[test]
fn falling_behind_is_seen_however_fast_the_answers_are() {
    let steady = [(200, 200); 10];
    let mut bad_second = steady;
    bad_second[7] = (200, 0);
    bad_second[8] = (200, 400);
    let mut late = steady;
    late[9] = (200, 20);
    // Iterations of a second's length: nothing ends in the first one.
    let mut long = [(200, 200); 10];
    long[0] = (200, 4);
    let filling: Vec<(u64, u64)> = [(100, 0); 8].into_iter().chain([(100, 100); 2]).collect();
    for (what, seconds, random, service_s, behind) in [
        ("steady", steady.to_vec(), false, 0.02, None),
        ("2 % too slow", vec![(206, 202); 10], false, 0.02, Some(false)),
        ("5 % too slow", vec![(210, 200); 10], false, 0.02, Some(false)),
        ("twice too fast", vec![(400, 200); 10], false, 0.02, Some(true)),
        ("a bad second, caught up", bad_second.to_vec(), false, 0.02, None),
        ("a bad second at the end", late.to_vec(), false, 0.02, None),
        ("long iterations", long.to_vec(), false, 1.0, None),
        ("iterations of 8 s", filling, false, 8.0, None),
        ("random arrivals", vec![(210, 200); 10], true, 0.02, None),
        (
            "random and too slow",
            vec![(300, 200); 10],
            true,
            0.02,
            Some(true),
        ),
        (
            "few",
            vec![(1, 1), (1, 0), (1, 1), (1, 2), (1, 1)],
            false,
            0.1,
            None,
        ),
        ("nothing", vec![(0, 0); 5], false, 0.1, None),
    ] {
        let judged = watch(&seconds, random).judge(&summary(passed(2_000), service_s, vec![]), &[]);
        let found = match &judged {
            Judged::Held => None,
            Judged::Failed(failing) => Some(failing.is_clear),
            Judged::GeneratorLimited(_) => panic!("{what}: {judged:?}"),
        };
        assert_eq!(found, behind, "{what}: {judged:?}");
    }
}

#[test]
fn causes_tell_whose_limit_it_is() {
    use crate::verdict::{Cause, CauseKind as Kind, Validity};
    let cause = |kind, validity| Cause {
        validity,
        kind,
        test: None,
        text: "why".to_owned(),
        advice: None,
    };
    let slow = vec![(400, 200); 10];
    let fine = vec![(200, 200); 10];
    for (kind, validity, seconds, lower_s, expected) in [
        (
            Kind::WorkerCpu,
            Validity::Invalid,
            &slow,
            None,
            "generator, clear",
        ),
        (Kind::WorkerCpu, Validity::Invalid, &fine, None, "held"),
        (Kind::WorkerCpu, Validity::Degraded, &fine, None, "held"),
        (Kind::WorkerCpu, Validity::Degraded, &slow, None, "generator"),
        (Kind::StoodStill, Validity::Invalid, &slow, None, "generator"),
        (Kind::Lost, Validity::Degraded, &slow, None, "generator"),
        // All threads are busy because the target has become slow, or although it has not.
        (
            Kind::Threads,
            Validity::Invalid,
            &slow,
            Some(0.005),
            "target, clear",
        ),
        (
            Kind::Threads,
            Validity::Invalid,
            &slow,
            Some(0.02),
            "generator, clear",
        ),
        (Kind::Threads, Validity::Invalid, &slow, None, "target, clear"),
        (Kind::Threads, Validity::Degraded, &fine, Some(0.02), "held"),
        (Kind::Late, Validity::Invalid, &slow, None, "target, clear"),
        (Kind::Late, Validity::Invalid, &fine, None, "held"),
    ] {
        let summary = summary(passed(2_000), 0.02, vec![cause(kind, validity)]);
        let judged = watch(seconds, false).judge(&summary, &[lower_s]);
        let clear = |failing: &Failing| if failing.is_clear { ", clear" } else { "" };
        let found = match &judged {
            Judged::Held => "held".to_owned(),
            Judged::Failed(failing) => format!("target{}", clear(failing)),
            Judged::GeneratorLimited(failing) => format!("generator{}", clear(failing)),
        };
        assert_eq!(found, expected, "{kind:?} {validity:?} {lower_s:?}");
    }
}

#[test]
fn what_was_never_started_or_never_ended_fails_a_level() {
    for (dropped, interrupted, holds) in [(0, 0, true), (10, 10, true), (15, 10, false), (0, 500, false)] {
        let account = Account {
            planned: 2_000,
            passed: 2_000 - dropped - interrupted,
            dropped,
            interrupted,
            ..Account::default()
        };
        let judged = watch(&[(200, 200); 10], false).judge(&summary(account, 0.02, vec![]), &[]);
        assert_eq!(judged == Judged::Held, holds, "{judged:?}");
    }
}

/// Rows of a level in which every iteration takes this long.
fn timed(seconds: &[(u64, u64, u64)]) -> Watch {
    let mut watch = Watch::new(
        vec![crate::threshold::Threshold::parse("response_time.p99 < 300ms").unwrap()],
        false,
    );
    for (n, (planned, ended, took_ms)) in (0u64..).zip(seconds) {
        let mut measures = Measures {
            passed: *ended,
            ..Measures::default()
        };
        measures.response_time.record_n(took_ms * 1_000_000, *ended);
        watch.row(&Row {
            from_ns: n * NANOS_PER_SEC,
            to_ns: (n + 1) * NANOS_PER_SEC,
            tests: vec![TestRow {
                planned: *planned,
                measures,
                ..TestRow::default()
            }],
            worker_cpu_ns: 0,
            gil_wait_ns: 0,
        });
    }
    watch
}

#[test]
fn only_what_is_hopeless_is_given_up() {
    for (what, seconds, hopeless) in [
        ("fast", vec![(200, 200, 20); 10], false),
        ("slow, but got through", vec![(200, 195, 500); 10], false),
        ("behind, but fast", vec![(400, 200, 20); 10], false),
        ("slow and behind", vec![(400, 200, 500); 3], true),
        ("too early to say", vec![(400, 200, 500); 2], false),
        (
            "recovered",
            vec![(400, 200, 500), (400, 200, 500), (400, 500, 20)],
            false,
        ),
        ("nothing ends", vec![(400, 0, 0); 5], false),
        ("the backlog after the end", vec![(0, 200, 500); 5], false),
    ] {
        let mut seconds = seconds;
        seconds.insert(0, (200, 200, 20));
        assert_eq!(timed(&seconds).is_hopeless(), hopeless, "{what}");
    }
}

#[test]
fn a_failure_is_clear_only_when_most_seconds_failed() {
    let failed = |watch: &Watch| {
        let mut summary = summary(passed(2_000), 0.02, vec![]);
        let result = crate::summary::ThresholdResult {
            expression: "response_time.p99 < 300ms".to_owned(),
            test: None,
            state: crate::summary::ThresholdState::Failed,
            actual: Some(0.5),
            actual_text: "500 ms".to_owned(),
            abort_on_fail: false,
            aborted: false,
        };
        summary.thresholds = vec![result];
        match watch.judge(&summary, &[]) {
            Judged::Failed(failing) => failing,
            other => panic!("{other:?}"),
        }
    };
    let mut one = vec![(200, 200, 20); 10];
    one[5] = (200, 200, 800);
    let bad = failed(&timed(&one));
    assert!(!bad.is_clear);
    assert_eq!(bad.signal.objective.as_deref(), Some("response_time.p99 < 300ms"));
    assert_eq!(bad.signal.text, "500 ms");
    one[4..].fill((200, 200, 800));
    assert!(failed(&timed(&one)).is_clear);
    assert_eq!(timed(&one).total().ended(), 2_000);
}

#[test]
fn two_bad_seconds_far_below_the_limit_do_not_decide() {
    // The rate of 100 fails twice by chance; the search comes back to it and goes on from there.
    let mut tries = 0;
    let (levels, found) = play(terms("50"), |level| {
        if level.rate == rate("100") {
            tries += 1;
            return if tries <= 2 { narrow() } else { Judged::Held };
        }
        step(400.0)(level)
    });
    let held = found.held.unwrap().per_s();
    assert!((388.0..=400.0).contains(&held), "{held}: {:?}", told(&levels));
    assert_eq!(tries, 5);
}

#[test]
fn a_busy_machine_is_to_blame_only_where_it_made_us_late() {
    use crate::verdict::{Cause, CauseKind, Validity};
    for (late_ms, response_ms, validity, expected) in [
        (5, 200, Validity::Degraded, "target"),
        (100, 200, Validity::Degraded, "generator"),
        (5, 200, Validity::Invalid, "generator"),
    ] {
        let mut watch = watch(&[(400, 200); 10], false);
        let mut measures = Measures::default();
        measures.response_time.record_n(response_ms * 1_000_000, 5_000);
        measures
            .lateness_parts
            .woke_late
            .record_n(late_ms * 1_000_000, 5_000);
        watch.row(&Row {
            from_ns: 10 * NANOS_PER_SEC,
            to_ns: 11 * NANOS_PER_SEC,
            tests: vec![TestRow {
                measures,
                ..TestRow::default()
            }],
            worker_cpu_ns: 0,
            gil_wait_ns: 0,
        });
        let cause = Cause {
            validity,
            kind: CauseKind::MachineCpu,
            test: None,
            text: "busy".to_owned(),
            advice: None,
        };
        let found = match watch.judge(&summary(passed(2_000), 0.02, vec![cause]), &[]) {
            Judged::Held => "held",
            Judged::Failed(_) => "target",
            Judged::GeneratorLimited(_) => "generator",
        };
        assert_eq!(found, expected, "{late_ms} ms, {validity:?}");
    }
}
