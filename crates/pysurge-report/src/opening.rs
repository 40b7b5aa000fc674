//! What is said of a run before it fires: how much, and until when; and what one rehearsed iteration tells of the threads it will need.

use crate::rehearsal::{Need, Peak};
use crate::text::{count, plural, rate, run_time};
use pysurge_core::forecast::{Forecast, Planned, TestForecast, forecast, threads_needed, with_samples};
use pysurge_core::plan::Plan;
use pysurge_core::schedule::Stripe;
use pysurge_core::wire::TestInfo;

/// The start of a run, told.
#[derive(Debug)]
pub(crate) struct Opening {
    /// `2 tests, 2 workers, 15/s in all, for 1m00s; Ctrl+C to stop early`.
    pub(crate) line: String,
    /// Users of the closed tests.
    pub(crate) users: u64,
}

impl Opening {
    /// Tells of the tests that run: those with stripes.
    pub(crate) fn of(told: &mut Forecast, stripes: &[Vec<Stripe>]) -> Self {
        let in_config = told.tests.len();
        let mut at = 0;
        told.tests.retain(|_| {
            at += 1;
            stripes.get(at - 1).is_some_and(|stripes| !stripes.is_empty())
        });
        let as_u64 = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let running = told.tests.len();
        let tests = if running == in_config {
            plural(as_u64(running), "test")
        } else {
            format!("{running} of {}", plural(as_u64(in_config), "test"))
        };
        let mut pieces = vec![tests, plural(u64::from(told.workers), "worker")];
        pieces.extend(load(told));
        pieces.push(until(told));
        Self {
            line: pieces.join(", "),
            users: told.totals().users.unwrap_or(0),
        }
    }
}

/// `15/s in all`, `up to 100/s`, `20 users`, `50/s and 20 users`.
fn load(told: &Forecast) -> Option<String> {
    let open: Vec<&TestForecast> = told.tests.iter().filter(|test| !test.is_closed()).collect();
    let totals = told.totals();
    let mut loads = Vec::new();
    if let Some(peak) = totals.peak_per_s {
        let sum: f64 = open.iter().filter_map(|test| test.peak_per_s).sum();
        let is_steady = open.iter().all(|test| is_steady(test)) && about(sum, peak);
        let up_to = if is_steady { "" } else { "up to " };
        let in_all = if open.len() > 1 { " in all" } else { "" };
        loads.push(format!("{up_to}{}/s{in_all}", rate(peak)));
    }
    if let Some(users) = totals.users {
        loads.push(plural(users, "user"));
    }
    (!loads.is_empty()).then(|| loads.join(" and "))
}

/// Whether it has one rate from start to end.
fn is_steady(test: &TestForecast) -> bool {
    match (test.mean_per_s, test.peak_per_s) {
        (Some(mean), Some(peak)) => about(mean, peak),
        _ => false,
    }
}

/// Within rounding.
fn about(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * b.abs()
}

fn until(told: &Forecast) -> String {
    const EARLY: &str = "; Ctrl+C to stop early";
    let ends: Option<Vec<u64>> = told.tests.iter().map(|test| test.end_ns).collect();
    if let Some(end_ns) = ends.and_then(|ends| ends.into_iter().max()) {
        #[expect(clippy::cast_precision_loss, reason = "shown in seconds")]
        let seconds = end_ns as f64 / 1e9;
        return format!("for {}{EARLY}", run_time(seconds));
    }
    match told.totals().planned {
        Planned::Exactly(1) => format!("until 1 iteration is done{EARLY}"),
        Planned::Exactly(n) => format!("until {} iterations are done{EARLY}", count(n)),
        Planned::AtMost(_) | Planned::Unknown => "until Ctrl+C".to_owned(),
    }
}

/// What the load of a test needs where each iteration takes `duration_ns`; `None` where the load is not known.
pub(crate) fn need(
    plan: &Plan,
    infos: &[TestInfo],
    workers: u32,
    test: u32,
    duration_ns: u64,
) -> Option<Need> {
    let at = usize::try_from(test).ok()?;
    let its_info = infos.get(at..).unwrap_or(&[]);
    // That test alone: the others may be many.
    let alone = Plan {
        duration_ns: plan.duration_ns,
        ..Plan::new(plan.name.clone(), vec![plan.tests.get(at)?.clone()])
    };
    let alone = with_samples(&alone, its_info);
    let threads = threads_needed(&alone.tests[0], workers, plan.duration_ns, duration_ns)?;
    let told = forecast(&alone, its_info, workers).tests.pop()?;
    let peak = match (told.users, told.peak_per_s) {
        (Some(users), _) => Peak::Users(users),
        (None, Some(per_s)) if is_steady(&told) => Peak::Rate(per_s),
        (None, Some(per_s)) => Peak::HighestRate(per_s),
        (None, None) => return None,
    };
    Some(Need {
        peak,
        threads,
        allowed: told.threads_allowed,
    })
}
