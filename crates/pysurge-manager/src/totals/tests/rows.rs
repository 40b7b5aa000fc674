//! The totals second by second: to which row news goes, when a row is closed, and that no iteration is lost between them.

use super::*;
use proptest::prelude::*;
use pysurge_core::event::RunEvent;
use pysurge_core::series::{Row, TestRow};

const MS: u64 = S / 1_000;

/// So many iterations passed since the last news, of so many that were claimed in all.
fn passed(planned: u64, passed: u64) -> TestSnapshot {
    let mut news = news(planned, passed, 0);
    news.measured.measures.service_time.record_n(S, passed);
    // As it comes from the wire.
    news.measured.measures.compact();
    news
}

fn at(now_ns: u64) -> Closing {
    Closing {
        now_ns,
        plan_ends_ns: None,
    }
}

fn rows_of(events: Vec<RunEvent>) -> Vec<Row> {
    let row = |event| match event {
        RunEvent::Row(row) => Some(Row::clone(&row)),
        RunEvent::Second(_) => None,
        other => panic!("no row: {other:?}"),
    };
    events.into_iter().filter_map(row).collect()
}

/// Per row: its end in milliseconds, planned, passed.
fn figures(events: Vec<RunEvent>) -> Vec<(u64, u64, u64)> {
    let figures = |row: Row| {
        let test = &row.tests[0];
        (row.to_ns / MS, test.planned, test.measures.passed)
    };
    rows_of(events).into_iter().map(figures).collect()
}

#[test]
fn news_goes_to_the_second_it_is_of() {
    let (_, mut totals) = one(constant("10"), 1, None);
    let mut closed = Vec::new();
    // Each a little after its second, one of them twice as late as long.
    for (told_ms, planned) in [(1_020, 10), (2_049, 20), (2_300, 23), (4_010, 40), (5_000, 50)] {
        totals
            .add(0, &[passed(planned, planned - totals.counts().0)], told_ms * MS)
            .unwrap();
        closed.extend(totals.close_rows(at(told_ms * MS)));
    }
    assert_eq!(
        figures(closed),
        [(1_000, 10, 10), (2_000, 10, 10), (3_000, 10, 3), (4_000, 10, 17)]
    );
    totals.drained(0);
    // The last row is as long as the run; what was told at its very end belongs to the second before.
    assert_eq!(figures(totals.close_all_rows(5_000 * MS)), [(5_000, 10, 10)]);
}

#[test]
fn a_row_waits_for_every_worker_but_not_for_ever() {
    let (_, mut totals) = one(constant("10"), 2, None);
    let tell = |totals: &mut Totals, worker: usize, told_ms: u64, planned| {
        totals.add(worker, &[passed(planned, 5)], told_ms * MS).unwrap();
    };
    tell(&mut totals, 0, 1_010, 5);
    assert_eq!(figures(totals.close_rows(at(1_500 * MS))), []);
    tell(&mut totals, 1, 1_040, 5);
    assert_eq!(figures(totals.close_rows(at(1_500 * MS))), [(1_000, 10, 10)]);
    tell(&mut totals, 0, 2_010, 10);
    assert_eq!(figures(totals.close_rows(at(3_999 * MS))), []);
    assert_eq!(figures(totals.close_rows(at(4_000 * MS))), [(2_000, 10, 5)]);
    // What comes too late is counted where it still can be.
    tell(&mut totals, 1, 2_040, 10);
    assert_eq!(figures(totals.close_rows(at(5_000 * MS))), [(3_000, 10, 5)]);
    // Where this process was stopped itself, nobody is to blame.
    totals.woken(9_000 * MS);
    assert_eq!(figures(totals.close_rows(at(10_999 * MS))), []);
    assert_eq!(rows_of(totals.close_rows(at(11_000 * MS))).len(), 6);
    // Nobody waits for the dead.
    tell(&mut totals, 0, 12_010, 15);
    totals.lost(1, 12_020 * MS);
    assert_eq!(rows_of(totals.close_rows(at(12_030 * MS))).len(), 3);
}

#[test]
fn last_words_stand_in_the_last_second() {
    let (_, mut totals) = one(constant("10"), 1, Some(2));
    let ending = |now_ms| Closing {
        now_ns: now_ms * MS,
        plan_ends_ns: Some(2 * S),
    };
    totals.add(0, &[passed(10, 10)], 1_001 * MS).unwrap();
    assert_eq!(figures(totals.close_rows(at(1_001 * MS))), [(1_000, 10, 10)]);
    totals.add(0, &[passed(20, 8)], 2_001 * MS).unwrap();
    assert_eq!(figures(totals.close_rows(ending(2_001))), []);
    totals.add(0, &[passed(20, 2)], 2_030 * MS).unwrap();
    totals.drained(0);
    assert_eq!(figures(totals.close_rows(ending(9_000))), []);
    assert_eq!(figures(totals.close_all_rows(2 * S)), [(2_000, 10, 10)]);
}

#[test]
fn a_run_that_is_cut_has_a_shorter_last_row() {
    let (_, mut totals) = one(constant("10"), 1, None);
    totals.add(0, &[passed(10, 10)], 1_001 * MS).unwrap();
    assert_eq!(figures(totals.close_rows(at(1_001 * MS))).len(), 1);
    // It had claimed one more before it heard of the stop, and one takes a while.
    totals.add(0, &[passed(16, 15 - 10)], 1_500 * MS).unwrap();
    totals.add(0, &[passed(16, 1)], 3_200 * MS).unwrap();
    totals.drained(0);
    assert_eq!(
        figures(totals.close_all_rows(1_500 * MS)),
        [(2_000, 5, 5), (3_000, 1, 1)]
    );
    let (_, mut short) = one(constant("10"), 1, None);
    short.add(0, &[passed(3, 3)], 310 * MS).unwrap();
    short.drained(0);
    assert_eq!(figures(short.close_all_rows(250 * MS)), [(310, 3, 3)]);
}

#[test]
fn what_a_dead_worker_leaves_is_in_the_last_row() {
    let (plan, mut totals) = one(constant("10"), 2, Some(3));
    totals.add(0, &[passed(15, 15)], 3_010 * MS).unwrap();
    totals.add(1, &[passed(5, 5)], 1_010 * MS).unwrap();
    totals.lost(1, 2 * S);
    totals.drained(0);
    let rows = rows_of(totals.close_all_rows(3 * S));
    assert_eq!(rows.len(), 3);
    let planned: u64 = rows.iter().map(|row| row.tests[0].planned).sum();
    let account = summary(&plan, &totals, 3 * S, Some(StopReason::Duration)).account;
    assert_eq!((planned, account.lost), (account.planned, 10));
}

#[test]
fn nothing_is_planned_in_a_warm_up_or_a_pause() {
    let test = TestPlan {
        start_delay_ns: S / 2,
        warmup_ns: S,
        ..constant("10")
    };
    let (_, mut totals) = one(test, 1, None);
    totals.change(change(3 * S, true, 1_000));
    totals.change(change(5 * S + S / 2, false, 2_000));
    for second in 1..=7 {
        totals.add(0, &[news(0, 0, 0)], second * S + 1).unwrap();
    }
    let rows = rows_of(totals.close_rows(at(7 * S + 1)));
    let planned: Vec<u64> = rows.iter().map(|row| row.tests[0].planned).collect();
    assert_eq!(planned, [0, 5, 10, 0, 0, 10, 20]);
}

#[test]
fn users_plan_what_they_claim() {
    let (_, mut totals) = one(users(2), 1, Some(3));
    for (told_ms, planned) in [(1_001, 7), (2_001, 8), (3_001, 20)] {
        totals
            .add(0, &[passed(planned, planned - totals.counts().0)], told_ms * MS)
            .unwrap();
    }
    totals.drained(0);
    assert_eq!(
        figures(totals.close_all_rows(3 * S)),
        [(1_000, 7, 7), (2_000, 1, 1), (3_000, 12, 12)]
    );
}

#[test]
fn gauges_are_the_most_at_once_over_all_workers() {
    let (_, mut totals) = one(constant("10"), 2, None);
    let busy = |in_flight, threads| TestSnapshot {
        in_flight,
        threads,
        max_threads: 9,
        ..news(0, 0, 0)
    };
    totals.add(0, &[busy(3, 4)], 400 * MS).unwrap();
    totals.add(1, &[busy(2, 5)], 500 * MS).unwrap();
    totals.add(0, &[busy(1, 4)], 1_001 * MS).unwrap();
    totals.used(1_001 * MS, 7, 1);
    totals.add(1, &[busy(1, 1)], 1_001 * MS).unwrap();
    totals.used(1_001 * MS, 5, 2);
    let rows = rows_of(totals.close_rows(at(1_002 * MS)));
    assert_eq!((rows[0].tests[0].in_flight, rows[0].tests[0].threads), (5, 9));
    assert_eq!((rows[0].worker_cpu_ns, rows[0].gil_wait_ns), (12, 3));
    assert_eq!(
        (totals.tests[0].most_threads, totals.tests[0].max_threads()),
        (9, 18)
    );
}

#[test]
fn a_run_of_a_week_keeps_as_much_as_one_of_an_hour() {
    let (plan, mut totals) = one(constant("1"), 1, None);
    let (seconds, mut told, mut coarsened) = (300_000u64, Vec::new(), 0);
    let (mut watched, mut watched_to_ns) = (0, 0);
    let mut watch = |second: &Row| {
        assert_eq!(second.from_ns, watched_to_ns);
        watched_to_ns = second.to_ns;
        watched += second.tests[0].planned;
    };
    let mut news = [passed(0, 1)];
    for second in 1..=seconds {
        news[0].measured.planned = second;
        totals.add(0, &news, second * S + 1).unwrap();
        for event in totals.close_rows(at(second * S + 1)) {
            match event {
                RunEvent::Second(second) => watch(&second),
                RunEvent::Row(row) => told.push(Row::clone(&row)),
                RunEvent::Coarsened(series) => {
                    coarsened += 1;
                    told = series.complete_rows().to_vec();
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(told.len() <= 1_200 && totals.series().rows().len() <= 1_200);
    }
    assert_eq!(coarsened, 8);
    totals.drained(0);
    for event in totals.close_all_rows(seconds * S) {
        match event {
            RunEvent::Second(second) => watch(&second),
            RunEvent::Row(row) => told.push(Row::clone(&row)),
            other => panic!("{other:?}"),
        }
    }
    // Who watches sees every second, however long rows have become.
    assert_eq!((watched, watched_to_ns), (seconds, seconds * S));
    assert_eq!(told, totals.series().rows());
    let sum = |figure: fn(&Row) -> u64| told.iter().map(figure).sum::<u64>();
    assert_eq!(sum(|row| row.tests[0].planned), seconds);
    assert_eq!(sum(|row| row.tests[0].measures.service_time.count()), seconds);
    let summary = summary(&plan, &totals, seconds * S, Some(StopReason::Duration));
    assert!(
        (100..=200).contains(&summary.blocks.len()),
        "{}",
        summary.blocks.len()
    );
}

/// What one of three workers tells, after how many milliseconds.
#[derive(Debug, Clone)]
struct Told {
    worker: usize,
    after_ms: u64,
    ended: u64,
    failed: u64,
    dropped: u64,
}

fn told() -> impl Strategy<Value = Told> {
    (0usize..3, 0u64..1_500, 0u64..30, 0u64..9, 0u64..5).prop_map(
        |(worker, after_ms, ended, failed, dropped)| Told {
            worker,
            after_ms,
            ended,
            failed,
            dropped,
        },
    )
}

proptest! {
    #[test]
    fn the_rows_sum_up_to_the_totals(
        all in prop::collection::vec(told(), 0..60),
        closed in any::<bool>(),
        warmup_ms in 0u64..3_000,
        dies in prop::option::of(0usize..3),
        late_ms in 0u64..700,
    ) {
        let test = if closed { users(3) } else { constant("20") };
        let test = TestPlan { warmup_ns: warmup_ms * MS, ..test };
        let (plan, mut totals) = one(test, 3, None);
        let mut so_far = [Account::default(); 3];
        let (mut now_ms, mut rows) = (0, Vec::new());
        for Told { worker, after_ms, ended, failed, dropped } in all {
            now_ms += after_ms;
            let account = &mut so_far[worker];
            account.planned += ended + failed + dropped;
            account.dropped += dropped;
            let mut news = news(account.planned, ended, account.dropped);
            news.measured.measures.failed = failed;
            news.measured.measures.lateness.record_n(now_ms, ended + failed);
            totals.add(worker, &[news], now_ms.saturating_sub(late_ms) * MS).unwrap();
            rows.extend(rows_of(totals.close_rows(at(now_ms * MS))));
        }
        for worker in 0..3 {
            if dies == Some(worker) {
                totals.lost(worker, now_ms * MS);
            } else {
                totals.drained(worker);
            }
        }
        rows.extend(rows_of(totals.close_all_rows(now_ms * MS)));
        let summary = summary(&plan, &totals, now_ms * MS, Some(StopReason::Signal));
        let account = summary.account;
        let sum = |figure: fn(&TestRow) -> u64| rows.iter().map(|row| figure(&row.tests[0])).sum::<u64>();
        prop_assert_eq!(sum(|row| row.measures.passed), account.passed);
        prop_assert_eq!(sum(|row| row.measures.failed), account.failed);
        prop_assert_eq!(sum(|row| row.dropped), account.dropped);
        prop_assert_eq!(sum(|row| row.measures.lateness.count()), summary.tests[0].lateness.count);
        // The schedule is not what these workers say, so a closed row may have planned more than all of them had.
        let planned = sum(|row| row.planned);
        if closed {
            prop_assert_eq!(planned, account.planned);
        } else {
            prop_assert!(planned >= account.planned);
        }
        let mut until_ns = 0;
        for row in &rows {
            prop_assert_eq!(row.from_ns, until_ns);
            prop_assert!(row.to_ns > row.from_ns);
            until_ns = row.to_ns;
        }
        prop_assert_eq!(totals.series().rows(), rows.as_slice());
    }
}
