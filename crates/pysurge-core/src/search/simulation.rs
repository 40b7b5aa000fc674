//! Whole searches against simulated targets whose truth is known: however noisy they are, the result lands within a twentieth of it.

use super::tests::{failing, terms};
use super::*;
use crate::NANOS_PER_SEC;
use crate::account::Account;
use crate::histogram::Histogram;
use crate::measure::Measures;
use crate::series::{Row, TestRow};
use crate::summary::*;
use crate::threshold::{Judge, Threshold, View};
use crate::verdict::{Cause, Verdict};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A summary of one test with nothing in it but what a search looks at.
pub(super) fn summary(account: Account, service_s: f64, causes: Vec<Cause>) -> Summary {
    let service_time = Durations {
        count: account.fired(),
        p50_s: Some(service_s),
        p90_s: Some(service_s),
        ..Durations::default()
    };
    Summary {
        schema_version: SCHEMA_VERSION,
        pysurge_version: String::new(),
        name: "n".to_owned(),
        tags: Vec::new(),
        status: Status::Finished,
        stop_cause: Some(StopCause::Duration),
        exit_code: Some(0),
        started_at: String::new(),
        planned_duration_s: None,
        duration_s: 13.0,
        paused_s: 0.0,
        factor: 1.0,
        changes: Vec::new(),
        elapsed_s: 13.0,
        verdict: Verdict::of(causes),
        thresholds: Vec::new(),
        account,
        tests: vec![TestSummary {
            label: "t".to_owned(),
            summary: String::new(),
            test_class: "a.B".to_owned(),
            load: String::new(),
            workers: 1,
            account,
            service_time,
            ..TestSummary::default()
        }],
        workers: Vec::new(),
        incidents: Vec::new(),
        machine: MachineSummary::default(),
        blocks: Vec::new(),
        samples_dropped: 0,
        output_dropped: 0,
    }
}

struct Dice(Xoshiro256PlusPlus);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform in `0.0..1.0`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn is(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Exponential with mean 1.
    fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }
}

fn search(terms: Terms, mut target: impl FnMut(&Level) -> Judged) -> (Found, u64, usize) {
    let mut search = Search::new(terms);
    let (mut now_ns, mut levels) = (0, 0);
    loop {
        match search.next_step() {
            Step::Done(found) => return (found, now_ns, levels),
            Step::Level(level) => {
                levels += 1;
                now_ns += level.rest_ns + level.settle_ns + level.hold_ns + NANOS_PER_SEC;
                search.took(target(&level), now_ns);
            }
        }
    }
}

fn assert_close(held: Option<Rate>, truth: f64, by: f64, what: &str) {
    let held = held.map(Rate::per_s);
    let is_close = held.is_some_and(|held| (held / truth - 1.0).abs() <= by);
    assert!(is_close, "{what}: held {held:?}, the truth is {truth:.1}");
}

#[test]
fn any_capacity_from_any_start() {
    let mut dice = Dice::new(1);
    for seed in 0..500 {
        let capacity = 10f64.powf(1.0 + 4.0 * dice.uniform());
        let start = Rate::from_per_s(capacity * 10f64.powf(3.0 * dice.uniform() - 2.0)).unwrap();
        let terms = Terms { start, ..terms("1") };
        let (found, now_ns, levels) = search(terms, |level| {
            if level.rate.per_s() <= capacity {
                Judged::Held
            } else {
                Judged::Failed(failing(SignalKind::Rate, level.rate.per_s() > capacity * 1.1))
            }
        });
        assert_close(found.held, capacity, 0.03, &format!("seed {seed}, from {start}"));
        assert!(found.held.unwrap().per_s() <= capacity && found.failed.unwrap().per_s() > capacity);
        assert!(
            found.is_confirmed && levels < 25 && now_ns < 400 * NANOS_PER_SEC,
            "{levels}"
        );
    }
}

/// Whether a level holds is chance near the capacity, and anywhere a level may have a bad second, or the machine may.
#[test]
fn noise_moves_the_result_by_less_than_a_twentieth() {
    let (mut failed, mut worst_levels) = (Vec::new(), 0);
    for seed in 0..1_000 {
        let mut dice = Dice::new(seed);
        let capacity = 200.0 * (1.0 + dice.uniform());
        let (found, _, levels) = search(terms("50"), |level| {
            // One percent above the capacity a level fails three times in four.
            let beyond = (level.rate.per_s() / capacity - 1.0) / 0.01;
            let fails = 1.0 / (1.0 + (-beyond).exp());
            if dice.is(0.05) {
                return Judged::GeneratorLimited(failing(SignalKind::Generator, false));
            }
            if dice.is(fails) || dice.is(0.05) {
                return Judged::Failed(failing(SignalKind::Objective, beyond > 5.0));
            }
            Judged::Held
        });
        worst_levels = worst_levels.max(levels);
        let held = found.held.map_or(0.0, Rate::per_s);
        if (held / capacity - 1.0).abs() > 0.05 {
            failed.push((seed, held / capacity));
        }
    }
    // Two bad seconds in a row at the same rate are believed: about once in a hundred searches.
    assert!(failed.len() <= 40, "{} of 1,000: {failed:?}", failed.len());
    assert!(worst_levels < 60, "{worst_levels}");
}

/// One server, every request takes `service_s`, arrivals at random: a queue, simulated request by request through the judge.
struct Queue {
    dice: Dice,
    service_s: f64,
    objective: Threshold,
}

impl Queue {
    fn fire(&mut self, level: &Level) -> Judged {
        let (settle_ns, hold_ns) = (level.settle_ns, level.hold_ns);
        let end_ns = settle_ns + hold_ns;
        let row_count = usize::try_from(end_ns / NANOS_PER_SEC).unwrap() + 10;
        let mut rows: Vec<TestRow> = vec![TestRow::default(); row_count];
        let (mut at_s, mut free_s) = (0.0f64, 0.0f64);
        let mut total = Measures::default();
        let mut account = Account::default();
        loop {
            at_s += self.dice.exponential() / level.rate.per_s();
            let arrival_ns = nanos(at_s);
            if arrival_ns >= end_ns {
                break;
            }
            free_s = free_s.max(at_s) + self.service_s;
            if arrival_ns < settle_ns {
                continue;
            }
            account.planned += 1;
            rows[second_of(at_s)].planned += 1;
            // What has not ended when the grace period has is abandoned.
            if nanos(free_s) > end_ns + 5 * NANOS_PER_SEC {
                account.interrupted += 1;
                continue;
            }
            account.passed += 1;
            let response_ns = nanos(free_s - at_s);
            total.passed += 1;
            total.response_time.record(response_ns);
            let row = &mut rows[second_of(free_s)].measures;
            row.passed += 1;
            row.response_time.record(response_ns);
        }
        let mut watch = Watch::new(vec![self.objective.clone()], true);
        for (n, row) in (0u64..).zip(rows) {
            watch.row(&Row {
                from_ns: n * NANOS_PER_SEC,
                to_ns: (n + 1) * NANOS_PER_SEC,
                tests: vec![row],
                worker_cpu_ns: 0,
                gil_wait_ns: 0,
            });
            if watch.is_hopeless() {
                break;
            }
        }
        let mut summary = summary(account, self.service_s, vec![]);
        let view = View {
            measures: &total,
            account: &account,
            started: account.fired(),
            span_ns: hold_ns,
        };
        summary.thresholds = vec![Judge::new(self.objective.clone()).result(&view, hold_ns, true)];
        watch.judge(&summary, &[])
    }

    /// The rate at which the 99th percentile of a very long run meets the objective, by the same queue.
    fn truth(&mut self, limit_s: f64) -> f64 {
        let capacity = 1.0 / self.service_s;
        let (mut low, mut high) = (capacity * 0.3, capacity);
        while high / low > 1.002 {
            let rate = f64::midpoint(low, high);
            if self.long_p99_s(rate) < limit_s {
                low = rate;
            } else {
                high = rate;
            }
        }
        low
    }

    fn long_p99_s(&mut self, rate: f64) -> f64 {
        let (mut at_s, mut free_s) = (0.0f64, 0.0f64);
        let mut histogram = Histogram::new();
        for _ in 0..500_000 {
            at_s += self.dice.exponential() / rate;
            free_s = free_s.max(at_s) + self.service_s;
            histogram.record(nanos(free_s - at_s));
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let p99_s = histogram.quantile_ns(0.99).unwrap() as f64 / 1e9;
        p99_s
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times of a simulation"
)]
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times of a simulation"
)]
fn second_of(seconds: f64) -> usize {
    seconds as usize
}

#[test]
fn a_queue_with_random_arrivals() {
    let mut queue = Queue {
        dice: Dice::new(7),
        service_s: 0.002,
        objective: Threshold::parse("response_time.p99 < 20ms").unwrap(),
    };
    // About 0.84 of the capacity, so the objective limits it and not the rate.
    let truth = queue.truth(0.020);
    assert!((0.75..0.9).contains(&(truth * 0.002)), "{truth}");
    let mut beyond = Vec::new();
    for seed in 0..60 {
        queue.dice = Dice::new(1_000 + seed);
        let (found, _, levels) = search(terms("60"), |level| queue.fire(level));
        let held = found.held.map_or(0.0, Rate::per_s);
        if (held / truth - 1.0).abs() > 0.05 {
            beyond.push((seed, held / truth));
        }
        assert_eq!(
            found.limit.as_ref().map(|limit| limit.kind),
            Some(SignalKind::Objective),
            "{seed}: {found:?}"
        );
        assert!(levels < 40, "{levels}");
    }
    assert!(beyond.len() <= 3, "{beyond:?}");
}

#[test]
fn a_queue_that_only_has_to_keep_up() {
    // Nobody asks for response times: that the queue grows is all there is to see.
    for seed in 0..40 {
        let mut queue = Queue {
            dice: Dice::new(seed),
            service_s: 0.002,
            objective: Threshold::parse("failures < 1%").unwrap(),
        };
        let (found, _, _) = search(terms("60"), |level| queue.fire(level));
        assert_close(found.held, 500.0, 0.06, &format!("seed {seed}"));
        assert_eq!(found.limit.map(|limit| limit.kind), Some(SignalKind::Rate));
    }
}
