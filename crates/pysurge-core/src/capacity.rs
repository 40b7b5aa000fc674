//! How many threads or tasks a load takes: Little's law, in flight = rate times duration.

use crate::NANOS_PER_SEC;
use crate::plan::{ArrivalProcess, MAX_TASKS, MAX_THREADS, Model, Source, TestPlan};
use crate::schedule::{Factor, Stripe};
use crate::users::share_of_users;

/// Standard deviations of the number in flight that are provided for where arrivals are random; a Poisson number is above four once
/// in some ten thousand times.
const DEVIATIONS: f64 = 4.0;

/// Iterations of a test that may be in flight in one worker where each takes `duration_ns`: the peak over its profile, before any
/// limit. Not counted: the thread that waits for the next planned instant.
pub fn in_flight_at_peak(
    test: &TestPlan,
    stripe: Stripe,
    factor: Factor,
    run_duration_ns: Option<u64>,
    duration_ns: u64,
) -> u64 {
    let workers = u128::from(stripe.workers.max(1));
    let milli = u128::from(factor.milli());
    match &test.model {
        Model::Closed(closed) => {
            let total = (u128::from(closed.users) * milli).div_ceil(1_000);
            u64::from(share_of_users(u32::try_from(total).unwrap_or(u32::MAX), stripe))
        }
        Model::Open(open) => {
            if let Source::Replay(replay) = &open.source {
                let most = replay
                    .instants
                    .as_deref()
                    .map_or(0, |instants| densest(instants, duration_ns));
                let scaled = u128::from(most) * milli / 1_000;
                return u64::try_from(scaled.div_ceil(workers)).unwrap_or(u64::MAX);
            }
            let Some(schedule) = test.schedule(0, 1, run_duration_ns) else {
                return 0;
            };
            let nano_per_s =
                (u128::from(schedule.profile().peak_nano_per_s()) * milli / 1_000).div_ceil(workers);
            let nanos_squared = u128::from(NANOS_PER_SEC) * u128::from(NANOS_PER_SEC);
            let mean = (nano_per_s * u128::from(duration_ns)).div_ceil(nanos_squared);
            let mean = u64::try_from(mean).unwrap_or(u64::MAX);
            let wanted = match open.process {
                ArrivalProcess::Constant => mean,
                ArrivalProcess::Poisson => with_randomness(mean),
            };
            // A short run has not so many iterations that they could pile up to that.
            let whole = schedule
                .ends_plan_ns()
                .map(|ends_ns| schedule.count_before_plan(ends_ns));
            whole.map_or(wanted, |whole| {
                let scaled = (u128::from(whole) * milli).div_ceil(1_000);
                let share = stripe.share_of(u64::try_from(scaled).unwrap_or(u64::MAX));
                wanted.min(share)
            })
        }
    }
}

/// The threads a test may have in one worker: as many as can be in flight and one that waits for the next planned instant, within
/// the config's `max_threads` or else [`MAX_THREADS`].
pub fn pool_size(
    test: &TestPlan,
    stripe: Stripe,
    factor: Factor,
    run_duration_ns: Option<u64>,
    max_duration_ns: u64,
) -> u32 {
    let wanted = in_flight_at_peak(test, stripe, factor, run_duration_ns, max_duration_ns);
    let wanted = match &test.model {
        // A thread that waits is always one whose user waits.
        Model::Closed(_) => wanted.max(1),
        Model::Open(_) => wanted.saturating_add(1).max(2),
    };
    let most = most_threads(test, stripe);
    u32::try_from(wanted).unwrap_or(u32::MAX).min(most)
}

/// The threads a test may have in one worker at most, whatever it needs.
pub fn most_threads(test: &TestPlan, stripe: Stripe) -> u32 {
    match (test.max_threads, &test.model) {
        (Some(max_threads), _) => max_threads.div_ceil(stripe.workers.max(1)).max(1),
        // Whoever asks for so many users has said how many threads there are to be.
        (None, Model::Closed(_)) => u32::MAX,
        (None, Model::Open(_)) => MAX_THREADS,
    }
}

/// How many iterations of a test may be in flight in one worker where an event loop runs them: Little's law, within the config's
/// `max_threads` or else [`MAX_TASKS`].
pub fn tasks_size(
    test: &TestPlan,
    stripe: Stripe,
    factor: Factor,
    run_duration_ns: Option<u64>,
    max_duration_ns: u64,
) -> u32 {
    let wanted = in_flight_at_peak(test, stripe, factor, run_duration_ns, max_duration_ns).max(1);
    u32::try_from(wanted)
        .unwrap_or(u32::MAX)
        .min(most_tasks(test, stripe))
}

/// The iterations of a test that may be in flight in one worker at most where an event loop runs them, whatever it needs.
pub fn most_tasks(test: &TestPlan, stripe: Stripe) -> u32 {
    match (test.max_threads, &test.model) {
        (None, Model::Open(_)) => MAX_TASKS,
        _ => most_threads(test, stripe),
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; the cast saturates"
)]
fn with_randomness(mean: u64) -> u64 {
    mean.saturating_add((DEVIATIONS * (mean as f64).sqrt()).ceil() as u64)
}

/// The most instants in any window of this length.
fn densest(instants: &[u64], window_ns: u64) -> u64 {
    let (mut from, mut most) = (0, 0);
    for (to, &instant) in instants.iter().enumerate() {
        while instants[from].saturating_add(window_ns) <= instant {
            from += 1;
        }
        most = most.max(to - from + 1);
    }
    u64::try_from(most).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ClosedModel, Wait};
    use crate::rate::Rate;

    fn two(model: Model) -> (TestPlan, Stripe) {
        (
            TestPlan::new("a.B", model),
            Stripe {
                worker: 0,
                workers: 2,
            },
        )
    }

    #[test]
    fn littles_law_sizes_the_pool() {
        let size = |rate: &str, workers, seconds| {
            let test = TestPlan::new("a.B", Model::constant(Rate::parse(rate).unwrap()));
            pool_size(
                &test,
                Stripe { worker: 0, workers },
                Factor::ONE,
                None,
                seconds * NANOS_PER_SEC,
            )
        };
        assert_eq!(size("10", 1, 2), 21);
        assert_eq!(size("10", 2, 2), 11);
        assert_eq!(size("0.01", 2, 1), 2);
        assert_eq!(size("1", 1, 60), 61);
        assert_eq!(size("100000", 1, 60), MAX_THREADS);
    }

    #[test]
    fn limits_factors_and_users_count() {
        let (mut test, stripe) = two(Model::constant(Rate::parse("10").unwrap()));
        let twice = Factor::from_milli(2_000).unwrap();
        assert_eq!(pool_size(&test, stripe, twice, None, 2 * NANOS_PER_SEC), 21);
        test.max_threads = Some(7);
        assert_eq!(pool_size(&test, stripe, Factor::ONE, None, 2 * NANOS_PER_SEC), 4);
        test.max_threads = Some(1);
        assert_eq!(pool_size(&test, stripe, Factor::ONE, None, 2 * NANOS_PER_SEC), 1);
        let (closed, stripe) = two(Model::Closed(ClosedModel {
            users: 5_001,
            wait: Wait::None,
            ramp_up_ns: 0,
            seed: 0,
        }));
        assert_eq!(pool_size(&closed, stripe, Factor::ONE, None, 1), 2_501);
    }

    #[test]
    fn tasks_are_many_and_bounded_all_the_same() {
        let mut test = TestPlan::new("a.B", Model::constant(Rate::parse("5000").unwrap()));
        let size = |test: &TestPlan, seconds| {
            tasks_size(test, Stripe::WHOLE, Factor::ONE, None, seconds * NANOS_PER_SEC)
        };
        assert_eq!(size(&test, 2), 10_000);
        assert_eq!(size(&test, 60), MAX_TASKS);
        test.max_threads = Some(300);
        assert_eq!(size(&test, 60), 300);
    }

    #[test]
    fn no_more_than_there_are_iterations() {
        let mut test = TestPlan::new("a.B", Model::constant(Rate::parse("100").unwrap()));
        let stripe = |worker| Stripe { worker, workers: 2 };
        let at_peak = |test: &TestPlan, worker, run_ns| {
            in_flight_at_peak(test, stripe(worker), Factor::ONE, run_ns, 60 * NANOS_PER_SEC)
        };
        assert_eq!(at_peak(&test, 0, None), 3_000);
        assert_eq!(at_peak(&test, 0, Some(NANOS_PER_SEC)), 50);
        test.iterations = Some(7);
        assert_eq!((at_peak(&test, 0, None), at_peak(&test, 1, None)), (4, 3));
    }

    #[test]
    fn random_arrivals_need_more() {
        let (mut test, stripe) = two(Model::constant(Rate::parse("200").unwrap()));
        assert_eq!(
            in_flight_at_peak(&test, stripe, Factor::ONE, None, NANOS_PER_SEC),
            100
        );
        if let Model::Open(open) = &mut test.model {
            open.process = ArrivalProcess::Poisson;
        }
        assert_eq!(
            in_flight_at_peak(&test, stripe, Factor::ONE, None, NANOS_PER_SEC),
            140
        );
    }

    #[test]
    fn the_densest_window_counts() {
        assert_eq!(densest(&[0, 10, 11, 12, 30], 3), 3);
        assert_eq!(densest(&[0, 10, 11, 12, 30], 2), 2);
        assert_eq!(densest(&[5, 5, 5], 1), 3);
        assert_eq!(densest(&[], 1), 0);
    }
}
