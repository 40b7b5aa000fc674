//! What a plan will fire, told without firing: how many iterations, how fast, with how many threads, and how they lie over time.
//! The views draw it; the terminal and `pysurge check` take from it what a load needs.
//!
//! Everything comes from the schedule itself, so a picture cannot differ from the run. A test whose shape was not sampled or whose
//! recording was not read is told as far as it is known, and never asked for its schedule.

mod line;

use crate::NANOS_PER_SEC;
use crate::capacity::{in_flight_at_peak, pool_size, tasks_size};
use crate::plan::{
    ArrivalProcess, ClosedModel, DEFAULT_MAX_DURATION_NS, Model, OpenModel, Plan, Source, TestPlan,
};
use crate::schedule::{Factor, Memo, Schedule, Stripe};
use crate::wire::TestInfo;
use std::sync::Arc;

/// In how many parts the shown span is cut: a number with many divisors, so that a view can join any few of them.
pub const BUCKETS: u32 = 240;

/// Up to so many arrivals are listed one by one.
pub const MAX_ARRIVALS: usize = 300;

/// The least that is shown of a run without an end.
const LEAST_HORIZON_NS: u64 = 60 * NANOS_PER_SEC;

/// Arrivals that are shown of the slowest test of a run without an end…
const ARRIVALS_IN_HORIZON: u128 = 20;

/// …where that takes no longer than this, ten days: a rate that is slower is seen as well in this time as in a longer one.
const LONGEST_HORIZON_NS: u64 = 10 * 86_400 * NANOS_PER_SEC;

/// The least that is shown at all.
const LEAST_SPAN_NS: u64 = 1_000_000;

/// A whole plan, foretold. All instants are nanoseconds of plan time, since the start of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The run's name.
    pub name: String,
    /// How many workers share it.
    pub workers: u32,
    /// What the buckets and lines of the tests cover, from the start on.
    pub span_ns: u64,
    /// When the plan ends; `None` where that is not known beforehand and the shown span is only its beginning.
    pub end_ns: Option<u64>,
    /// One entry per test of the plan, in its order.
    pub tests: Vec<TestForecast>,
}

/// How many iterations are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// So many.
    Exactly(u64),
    /// In the closed model, where the time may be over before they are done.
    AtMost(u64),
    /// As many as the time allows: the test has no end, or its users say how many.
    Unknown,
}

impl Planned {
    /// The number, where there is an exact one.
    pub fn exact(self) -> Option<u64> {
        match self {
            Self::Exactly(count) => Some(count),
            Self::AtMost(_) | Self::Unknown => None,
        }
    }
}

/// What decides when the iterations of a test come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// A rate, evenly: its line says everything.
    Even,
    /// A rate, at random around it.
    Poisson,
    /// A recording. There is no rate behind it, so its line is empty.
    Recorded,
    /// Users who take turns with the service: the line is how many they are, and when their iterations come is not known.
    Users,
}

/// One test, foretold.
#[derive(Debug, Clone, PartialEq)]
pub struct TestForecast {
    /// `str(instance)`, or the class where it was not loaded.
    pub label: String,
    /// What the config calls the test, where it does.
    pub name: Option<String>,
    /// [`TestPlan::load_in_words`].
    pub load: String,
    /// What decides when iterations come.
    pub spread: Spread,
    /// From when on iterations are planned.
    pub start_ns: u64,
    /// From when on none is planned any more; `None` where that is not known beforehand.
    pub end_ns: Option<u64>,
    /// Up to when iterations are warm-up; [`TestForecast::start_ns`] where there is none.
    pub warmup_ends_ns: u64,
    /// How many iterations are planned, the warm-up's among them.
    pub planned: Planned,
    /// How many of them are warm-up; `None` where that is not known beforehand.
    pub warmup: Option<u64>,
    /// The rate's mean from start to end, iterations per second; `None` in the closed model.
    pub mean_per_s: Option<f64>,
    /// The highest rate; of a recording, the most arrivals in any one second. `None` in the closed model.
    pub peak_per_s: Option<f64>,
    /// Users, over all workers; `None` in the open model.
    pub users: Option<u32>,
    /// How long an iteration may take, where the config or the test case says so.
    pub max_duration_ns: Option<u64>,
    /// Threads in use at the peak where every iteration takes as long as it may, over all workers; `None` where nobody said how long.
    pub threads_needed: Option<u64>,
    /// Threads there may be, over all workers.
    pub threads_allowed: u64,
    /// By how many threads the workers are short where every iteration takes as long as it may.
    pub threads_short: u64,
    /// Arrivals per bucket, [`BUCKETS`] over the shown span; empty in the closed model.
    pub buckets: Vec<u64>,
    /// The rate per second, or the number of users, over the shown span: straight lines between these points. Two points at one
    /// instant are a jump.
    pub line: Vec<(u64, f64)>,
    /// Every arrival in the shown span where there are at most [`MAX_ARRIVALS`]; else empty.
    pub arrivals: Vec<u64>,
}

/// The sums over all tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Totals {
    /// Iterations planned.
    pub planned: Planned,
    /// Of these, warm-up.
    pub warmup: Option<u64>,
    /// The highest rate that the open tests have together; `None` where there are none.
    pub peak_per_s: Option<f64>,
    /// Users of the closed tests; `None` where there are none.
    pub users: Option<u64>,
    /// [`TestForecast::threads_needed`].
    pub threads_needed: Option<u64>,
    /// [`TestForecast::threads_allowed`].
    pub threads_allowed: u64,
    /// [`TestForecast::threads_short`].
    pub threads_short: u64,
}

/// What a plan will fire on so many workers. `infos` says what the test cases say of themselves, in the plan's order; it may be
/// empty where they were not asked.
pub fn forecast(plan: &Plan, infos: &[TestInfo], workers: u32) -> Forecast {
    let plan = with_samples(plan, infos);
    let workers = workers.max(1);
    let schedules: Vec<Option<Schedule>> = (0..plan.tests.len())
        .map(|at| is_known(&plan.tests[at]).then(|| plan.schedule(at)).flatten())
        .collect();
    let ends: Vec<Option<u64>> = std::iter::zip(&plan.tests, &schedules)
        .map(|(test, schedule)| match schedule {
            Some(schedule) => schedule.ends_plan_ns(),
            None => test.end_ns(plan.duration_ns),
        })
        .collect();
    let end_ns = ends.iter().copied().collect::<Option<Vec<u64>>>();
    let end_ns = end_ns.and_then(|ends| ends.into_iter().max());
    let span_ns = end_ns
        .unwrap_or_else(|| horizon_ns(&plan, &ends))
        .max(LEAST_SPAN_NS);
    let tests = plan.tests.iter().enumerate().map(|(at, test)| {
        let context = Context {
            test,
            info: infos.get(at),
            run_duration_ns: plan.duration_ns,
            workers,
            end_ns: ends[at],
            span_ns,
        };
        match (&test.model, &schedules[at]) {
            (Model::Open(open), Some(schedule)) => context.of_open(open, schedule),
            (Model::Open(open), None) => context.of_unknown(spread(open)),
            (Model::Closed(closed), _) => context.of_closed(closed),
        }
    });
    Forecast {
        name: plan.name.clone(),
        workers,
        span_ns,
        end_ns,
        tests: tests.collect(),
    }
}

/// The plan with every shape that was not sampled yet as the test cases' worker sampled it.
pub fn with_samples(plan: &Plan, infos: &[TestInfo]) -> Plan {
    let mut plan = plan.clone();
    for (test, info) in std::iter::zip(&mut plan.tests, infos) {
        if let Some(shape) = test.shape_mut().filter(|shape| shape.samples.is_none()) {
            shape.samples.clone_from(&info.shape);
        }
    }
    plan
}

/// Whether a test's schedule can be asked for: its shape was sampled, its recording read.
pub fn is_known(test: &TestPlan) -> bool {
    match &test.model {
        Model::Open(open) => match &open.source {
            Source::Rate(_) | Source::Stages { .. } => true,
            Source::Shape(shape) => shape.samples.is_some(),
            Source::Replay(replay) => replay.instants.is_some(),
        },
        Model::Closed(_) => true,
    }
}

/// Threads that a test needs over all workers where each iteration takes `duration_ns`; `None` where its load is not known.
pub fn threads_needed(
    test: &TestPlan,
    workers: u32,
    run_duration_ns: Option<u64>,
    duration_ns: u64,
) -> Option<u64> {
    let needed = |stripe| in_flight_at_peak(test, stripe, Factor::ONE, run_duration_ns, duration_ns);
    is_known(test).then(|| stripes(workers).map(needed).fold(0, u64::saturating_add))
}

fn stripes(workers: u32) -> impl Iterator<Item = Stripe> {
    (0..workers.max(1)).map(move |worker| Stripe {
        worker,
        workers: workers.max(1),
    })
}

fn spread(open: &OpenModel) -> Spread {
    match (&open.source, open.process) {
        (Source::Replay(_), _) => Spread::Recorded,
        (_, ArrivalProcess::Constant) => Spread::Even,
        (_, ArrivalProcess::Poisson) => Spread::Poisson,
    }
}

/// How much is shown of a run without an end.
fn horizon_ns(plan: &Plan, ends: &[Option<u64>]) -> u64 {
    let mut last_change_ns = 0;
    let mut slow_ns = 0;
    for (test, end_ns) in std::iter::zip(&plan.tests, ends) {
        let ramp_ns = match &test.model {
            Model::Closed(closed) => closed.ramp_up_ns,
            Model::Open(_) => 0,
        };
        let begun_ns = test.start_delay_ns.saturating_add(ramp_ns);
        let changes = [begun_ns, test.warmup_ends_ns(), end_ns.unwrap_or(0)];
        last_change_ns = changes.into_iter().fold(last_change_ns, u64::max);
        if let (Model::Open(open), None) = (&test.model, end_ns)
            && let Source::Rate(rate) = open.source
        {
            let second = u128::from(NANOS_PER_SEC);
            let arrivals_ns = ARRIVALS_IN_HORIZON * second * second / u128::from(rate.nano_per_s().max(1));
            let arrivals_ns = u64::try_from(arrivals_ns).unwrap_or(u64::MAX);
            slow_ns = slow_ns.max(begun_ns.saturating_add(arrivals_ns.min(LONGEST_HORIZON_NS)));
        }
    }
    let and_a_bit_ns = last_change_ns.saturating_add(last_change_ns / 4);
    LEAST_HORIZON_NS.max(slow_ns).max(and_a_bit_ns)
}

/// What is known of a test whatever its model.
struct Context<'a> {
    test: &'a TestPlan,
    info: Option<&'a TestInfo>,
    run_duration_ns: Option<u64>,
    workers: u32,
    end_ns: Option<u64>,
    span_ns: u64,
}

impl Context<'_> {
    fn of_unknown(&self, spread: Spread) -> TestForecast {
        let test = self.test;
        let label = self.info.map(|info| info.label.clone());
        TestForecast {
            label: label.unwrap_or_else(|| test.target.path().to_owned()),
            name: test.name.clone(),
            load: test.load_in_words(),
            spread,
            start_ns: test.start_delay_ns,
            end_ns: self.end_ns,
            warmup_ends_ns: test.warmup_ends_ns().max(test.start_delay_ns),
            planned: Planned::Unknown,
            warmup: (test.warmup_ns == 0).then_some(0),
            mean_per_s: None,
            peak_per_s: None,
            users: None,
            max_duration_ns: self.max_duration_ns(),
            threads_needed: None,
            threads_allowed: 0,
            threads_short: 0,
            buckets: Vec::new(),
            line: Vec::new(),
            arrivals: Vec::new(),
        }
    }

    fn of_open(&self, open: &OpenModel, schedule: &Schedule) -> TestForecast {
        let test = self.test;
        let spread = spread(open);
        let start_ns = test.start_delay_ns;
        let planned = self.end_ns.map(|end_ns| schedule.count_before_plan(end_ns));
        let (mean_per_s, peak_per_s) = match &open.source {
            Source::Replay(replay) => {
                let planned = planned.unwrap_or(0);
                let recorded = replay.instants.as_deref().unwrap_or(&[]);
                let planned_of = usize::try_from(planned).unwrap_or(usize::MAX);
                let fired = &recorded[..recorded.len().min(planned_of)];
                let length_ns = self.end_ns.unwrap_or(0).saturating_sub(start_ns);
                (ratio(planned, length_ns), densest_per_s(test, fired))
            }
            _ => (
                self.mean_per_s(schedule),
                per_s(schedule.profile().peak_nano_per_s()),
            ),
        };
        let line = match spread {
            Spread::Recorded => Vec::new(),
            _ => self.rates(open, schedule),
        };
        TestForecast {
            planned: planned.map_or(Planned::Unknown, Planned::Exactly),
            warmup: Some(schedule.count_before_plan(test.warmup_ends_ns())),
            mean_per_s: Some(mean_per_s),
            peak_per_s: Some(peak_per_s),
            buckets: self.buckets(schedule),
            line,
            arrivals: self.arrivals(schedule),
            ..self.with_threads(self.of_unknown(spread))
        }
    }

    fn of_closed(&self, closed: &ClosedModel) -> TestForecast {
        let test = self.test;
        let planned = match (test.iterations, self.end_ns) {
            (Some(iterations), None) => Planned::Exactly(iterations),
            (Some(iterations), Some(_)) => Planned::AtMost(iterations),
            (None, _) => Planned::Unknown,
        };
        TestForecast {
            planned,
            users: Some(closed.users),
            line: self.users(closed),
            ..self.with_threads(self.of_unknown(Spread::Users))
        }
    }

    fn max_duration_ns(&self) -> Option<u64> {
        let own = self.test.max_duration_ns;
        own.or_else(|| self.info.and_then(|info| info.max_duration_ns))
    }

    fn with_threads(&self, forecast: TestForecast) -> TestForecast {
        let (test, run_ns) = (self.test, self.run_duration_ns);
        let declared_ns = self.max_duration_ns();
        let sizing_ns = declared_ns.unwrap_or(DEFAULT_MAX_DURATION_NS);
        let (mut needed, mut allowed, mut short) = (0u64, 0u64, 0u64);
        for stripe in stripes(self.workers) {
            let in_flight = in_flight_at_peak(test, stripe, Factor::ONE, run_ns, sizing_ns);
            let is_coroutine = self.info.is_some_and(|info| info.coroutine);
            let size = if is_coroutine { tasks_size } else { pool_size };
            let pool = u64::from(size(test, stripe, Factor::ONE, run_ns, sizing_ns));
            needed = needed.saturating_add(in_flight);
            allowed = allowed.saturating_add(pool);
            short = short.saturating_add(in_flight.saturating_sub(pool));
        }
        let is_told = declared_ns.is_some() || test.model.is_closed();
        TestForecast {
            threads_needed: is_told.then_some(needed),
            threads_allowed: allowed,
            threads_short: if is_told { short } else { 0 },
            ..forecast
        }
    }

    fn mean_per_s(&self, schedule: &Schedule) -> f64 {
        let start_ns = self.test.start_delay_ns;
        let Some(end_ns) = self.end_ns else {
            // Only one rate that holds for ever has no end.
            return per_s(schedule.profile().nano_per_s_at(start_ns));
        };
        let units = schedule.profile().units_at(end_ns);
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        let mass = units as f64 / crate::schedule::UNIT as f64;
        let length_s = seconds(end_ns.saturating_sub(start_ns));
        if length_s > 0.0 { mass / length_s } else { 0.0 }
    }

    fn edge_ns(&self, bucket: u32) -> u64 {
        let edge = u128::from(self.span_ns) * u128::from(bucket) / u128::from(BUCKETS);
        u64::try_from(edge).expect("within the span")
    }

    fn buckets(&self, schedule: &Schedule) -> Vec<u64> {
        let before = |bucket| schedule.count_before_plan(self.edge_ns(bucket));
        let counts: Vec<u64> = (0..=BUCKETS).map(before).collect();
        counts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    fn arrivals(&self, schedule: &Schedule) -> Vec<u64> {
        let count = schedule.count_before_plan(self.span_ns);
        if usize::try_from(count).map_or(true, |count| count > MAX_ARRIVALS) {
            return Vec::new();
        }
        let mut memo = Memo::default();
        (0..count)
            .filter_map(|k| schedule.planned_ns_with(k, &mut memo))
            .collect()
    }
}

impl TestForecast {
    /// The rate per second or the number of users at an instant of the shown span; where it jumps, what it jumps to. 0 for a
    /// recording.
    pub fn level_at(&self, t_ns: u64) -> f64 {
        let at = self.line.partition_point(|(at_ns, _)| *at_ns <= t_ns);
        let before = at.checked_sub(1).and_then(|at| self.line.get(at));
        match (before, self.line.get(at)) {
            (Some((before_ns, before)), Some((after_ns, after))) => {
                let share = seconds(t_ns - before_ns) / seconds(after_ns - before_ns);
                before + (after - before) * share
            }
            (Some((_, level)), None) => *level,
            (None, _) => 0.0,
        }
    }

    /// Whether it is the closed model.
    pub fn is_closed(&self) -> bool {
        self.spread == Spread::Users
    }

    /// Whether it has a warm-up.
    pub fn has_warmup(&self) -> bool {
        self.warmup_ends_ns > self.start_ns
    }
}

impl Forecast {
    /// The sums over all tests.
    pub fn totals(&self) -> Totals {
        let tests = &self.tests;
        let exact: Option<u64> = tests
            .iter()
            .try_fold(0u64, |sum, test| Some(sum.saturating_add(test.planned.exact()?)));
        let at_most: Option<u64> = tests.iter().try_fold(0u64, |sum, test| match test.planned {
            Planned::Exactly(count) | Planned::AtMost(count) => Some(sum.saturating_add(count)),
            Planned::Unknown => None,
        });
        let closed = || tests.iter().filter_map(|test| test.users);
        let sum = |each: fn(&TestForecast) -> u64| tests.iter().map(each).fold(0, u64::saturating_add);
        Totals {
            planned: exact.map_or(
                at_most.map_or(Planned::Unknown, Planned::AtMost),
                Planned::Exactly,
            ),
            warmup: tests
                .iter()
                .try_fold(0u64, |sum, test| Some(sum.saturating_add(test.warmup?))),
            peak_per_s: self.peak_per_s(),
            users: closed().next().map(|_| closed().map(u64::from).sum()),
            threads_needed: tests
                .iter()
                .try_fold(0u64, |sum, test| Some(sum.saturating_add(test.threads_needed?))),
            threads_allowed: sum(|test| test.threads_allowed),
            threads_short: sum(|test| test.threads_short),
        }
    }

    /// The highest rate of the open tests together. A sum of lines is highest at one of their points.
    fn peak_per_s(&self) -> Option<f64> {
        let open: Vec<&TestForecast> = self.tests.iter().filter(|test| !test.is_closed()).collect();
        if open.iter().any(|test| test.peak_per_s.is_none()) {
            return None;
        }
        let recorded: f64 = open
            .iter()
            .filter(|test| test.spread == Spread::Recorded)
            .filter_map(|test| test.peak_per_s)
            .sum();
        let points = open.iter().flat_map(|test| &test.line);
        let sum_at = |t_ns: u64| -> f64 { open.iter().map(|test| test.level_at(t_ns)).sum() };
        let highest = points
            .flat_map(|(t_ns, _)| [*t_ns, t_ns.saturating_sub(1)])
            .map(sum_at)
            .fold(0.0, f64::max);
        (!open.is_empty()).then_some(highest + recorded)
    }
}

/// The most arrivals of a recording in any one second.
fn densest_per_s(test: &TestPlan, instants: &[u64]) -> f64 {
    let mut test = test.clone();
    if let Model::Open(OpenModel {
        source: Source::Replay(replay),
        ..
    }) = &mut test.model
    {
        replay.instants = Some(Arc::from(instants));
    }
    let most = in_flight_at_peak(&test, Stripe::WHOLE, Factor::ONE, None, NANOS_PER_SEC);
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    let most = most as f64;
    most
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn ratio(count: u64, length_ns: u64) -> f64 {
    if length_ns == 0 {
        0.0
    } else {
        count as f64 / seconds(length_ns)
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn per_s(nano_per_s: u64) -> f64 {
    nano_per_s as f64 / 1e9
}

#[cfg(test)]
mod tests;
