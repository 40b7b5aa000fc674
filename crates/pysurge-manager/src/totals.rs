//! What the workers told, added up: per test the measures and how its planned iterations ended, the warm-up by itself.
//! Pure: instants are given, nothing is decided here.
//!
//! A test's iterations are shared out, and dealt anew when a worker is lost or replaced (`dealing`). A share is *live* while its worker may
//! still tell of it, *told* once the worker drained, *lost* once it died before that: whatever such a share had planned, up to the end of
//! the plan or the arrival from which on others took over, and had not told is lost. In the open model the schedule says what was planned;
//! in the closed model only the worker can, but for a number of iterations that it was dealt. At the end every account balances; where a worker's own figures do not add up, the
//! difference is made visible as an inconsistency and never hidden.

mod dealing;
mod judging;
mod pace;
mod rows;
mod summing;
#[cfg(test)]
mod tests;

pub(crate) use dealing::NewDeals;
pub(crate) use judging::Until;
pub(crate) use pace::End;
pub(crate) use rows::Closing;
pub(crate) use summing::{Moment, seconds};

use dealing::{Dealt, Part};
use judging::Judging;
use pace::Ends;
use pysurge_core::account::Account;
use pysurge_core::measure::Measures;
use pysurge_core::plan::{ClosedModel, Model, Plan, TestPlan};
use pysurge_core::schedule::{Change, Course, Hand, Schedule, Stripe};
use pysurge_core::wire::{IterationRecord, PartSnapshot, TestInfo, TestSnapshot};
use rows::Rows;
use std::collections::BTreeSet;
use std::ops::AddAssign;

/// How far the worker of a share has got with telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Live,
    Told,
    Lost,
}

/// The same of the iterations that count and of those of the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Parts<T> {
    measured: T,
    warmup: T,
}

/// One worker's part of a test.
#[derive(Debug)]
struct Share {
    /// The number that people know the worker by.
    slot: usize,
    part: Part,
    fate: Fate,
    /// Its worker is lost, and others took over what could be; its fate is known once its process has ended.
    gone: bool,
    /// As told, cumulative; `lost` is unused.
    told: Parts<Account>,
    /// Up to when it was told, run time.
    told_ns: u64,
    /// When it told that nothing more will be started, run time.
    ended_ns: Option<u64>,
    /// It was lost before the warm-up had ended.
    lost_in_warmup: bool,
    in_flight: u64,
    /// Its pool threads, and the most that it may have.
    threads: u32,
    max_threads: u32,
    /// Iterations beyond their `max_duration`, cumulative.
    overran: u64,
}

/// Where a test's iterations come from.
#[derive(Debug)]
enum Origin {
    Open {
        schedule: Schedule,
        ends: Ends,
    },
    Closed {
        model: ClosedModel,
        iterations: Option<u64>,
        /// The end that durations give, plan time.
        end_ns: Option<u64>,
    },
}

/// One test.
#[derive(Debug)]
struct TestTotals {
    info: TestInfo,
    /// What the config calls it.
    name: Option<String>,
    origin: Origin,
    /// Up to which instant of plan time iterations are warm-up.
    warmup_ends_ns: u64,
    /// From when on iterations count, plan time.
    measured_from_ns: u64,
    not_run: Option<String>,
    /// The last start after the end of the schedule, run time; 0 where there was none.
    late_start_ns: u64,
    /// Per worker, in the order in which they were started.
    shares: Vec<Option<Share>>,
    dealt: Dealt,
    measured: Measures,
    warmup: Measures,
    /// The most pool threads that were told at once while iterations counted, in all workers.
    most_threads: u32,
    /// The most that all workers together were allowed at once.
    most_max_threads: u32,
    /// The system refused to make a thread.
    threads_refused: bool,
    /// What the closed rows say was planned.
    planned_in_rows: u64,
}

/// All tests.
#[derive(Debug)]
pub(crate) struct Totals {
    tests: Vec<TestTotals>,
    course: Course,
    /// Somebody ended the plan before it had ended by itself.
    cut: bool,
    /// A worker is being started in the place of a lost one.
    awaited: bool,
    rows: Rows,
    judging: Judging,
}

impl Totals {
    /// The tests of a plan, and which worker runs which: `runs[worker][test]` is why not, where it does not.
    pub(crate) fn new(plan: &Plan, infos: &[TestInfo], runs: &[Vec<Option<String>>]) -> Self {
        let tests = infos.iter().enumerate().map(|(position, info)| {
            let test = &plan.tests[position];
            let able: Vec<bool> = runs.iter().map(|worker| worker[position].is_none()).collect();
            let workers = able.iter().filter(|&&able| able).count();
            TestTotals {
                info: info.clone(),
                name: test.name.clone(),
                origin: Origin::of(plan, position),
                warmup_ends_ns: test.warmup_ends_ns(),
                measured_from_ns: test.start_delay_ns.max(test.warmup_ends_ns()),
                late_start_ns: 0,
                not_run: if workers == 0 {
                    runs.first().and_then(|worker| worker[position].clone())
                } else {
                    None
                },
                shares: shares_of(&plan.tests[position], &able, workers),
                dealt: Dealt::default(),
                measured: Measures::default(),
                warmup: Measures::default(),
                most_threads: 0,
                most_max_threads: 0,
                threads_refused: false,
                planned_in_rows: 0,
            }
        });
        Self {
            tests: tests.collect(),
            course: Course::default(),
            cut: false,
            awaited: false,
            rows: Rows::new(infos.len()),
            judging: Judging::new(plan),
        }
    }

    /// How many tests run somewhere.
    pub(crate) fn tests_run(&self) -> usize {
        self.tests.iter().filter(|test| test.runs()).count()
    }

    /// What was changed while the run went on.
    pub(crate) fn course(&self) -> &Course {
        &self.course
    }

    /// From an instant of run time on the run goes on otherwise.
    pub(crate) fn change(&mut self, change: Change) {
        self.course.apply(change);
        for test in &mut self.tests {
            if let Origin::Open { schedule, ends } = &mut test.origin {
                schedule.change(change);
                *ends = Ends::of(schedule);
            }
        }
    }

    /// Somebody asked for the end before the plan had ended by itself.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    /// Passed and failed iterations that count, and those that run.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        self.tests
            .iter()
            .fold((0, 0, 0), |(passed, failed, running), test| {
                (
                    passed + test.measured.passed,
                    failed + test.measured.failed,
                    running + test.in_flight(),
                )
            })
    }

    /// Adds what a worker measured up to an instant of run time. Says what is wrong where it cannot be: then nothing was added.
    ///
    /// A worker that has not heard yet of all it was dealt cannot know that it is at its end.
    pub(crate) fn hear(
        &mut self,
        worker: usize,
        tests: &[TestSnapshot],
        told_ns: u64,
        knows_all: bool,
    ) -> Result<(), String> {
        if tests.len() != self.tests.len() {
            return Err(format!(
                "told of {} tests where there are {}",
                tests.len(),
                self.tests.len()
            ));
        }
        for (total, news) in self.tests.iter().zip(tests) {
            let parts = [&news.measured, &news.warmup];
            if parts.into_iter().any(is_absurd) || news.overran > MOST {
                return Err(format!(
                    "told of more iterations of {} than there can be",
                    total.info.label
                ));
            }
            let Some(share) = &total.shares[worker] else {
                if parts.into_iter().any(says_something) {
                    return Err(format!("told of {}, which it does not run", total.info.label));
                }
                continue;
            };
            let before = [&share.told.measured, &share.told.warmup];
            let takes_back = parts.into_iter().zip(before).any(takes_back) || news.overran < share.overran;
            if takes_back {
                return Err(format!("took back what it had told of {}", total.info.label));
            }
        }
        self.add_to_rows(worker, tests, told_ns);
        for (position, (total, news)) in self.tests.iter_mut().zip(tests).enumerate() {
            let Some(share) = &mut total.shares[worker] else {
                continue;
            };
            add_part(&mut share.told.measured, &news.measured);
            add_part(&mut share.told.warmup, &news.warmup);
            share.told_ns = told_ns;
            if news.ended && knows_all {
                share.ended_ns.get_or_insert(told_ns);
            }
            share.in_flight = u64::from(news.in_flight);
            share.overran = news.overran;
            (share.threads, share.max_threads) = (news.threads, news.max_threads);
            let threads = total.threads();
            total.most_max_threads = total.most_max_threads.max(total.max_threads());
            if self.course.plan_ns(told_ns) > total.measured_from_ns {
                total.most_threads = total.most_threads.max(threads);
                total.threads_refused |= news.threads_refused;
            }
            self.rows.gauge(told_ns, position, total.in_flight(), threads);
            self.judging.add(&news.measured.measures);
            total.late_start_ns = total.late_start_ns.max(news.late_start_ns);
            total.measured.merge(&news.measured.measures);
            total.warmup.merge(&news.warmup.measures);
        }
        Ok(())
    }

    /// What is wrong with iterations that a worker told one by one; `None` where nothing is.
    pub(crate) fn contradiction(&self, worker: usize, iterations: &[IterationRecord]) -> Option<String> {
        let stranger = iterations.iter().find_map(|iteration| {
            let test = usize::try_from(iteration.test).ok();
            let test = test.and_then(|test| self.tests.get(test));
            match test {
                None => Some(format!("test {}, which does not exist", iteration.test)),
                Some(test) if test.shares[worker].is_none() => {
                    Some(format!("{}, which it does not run", test.info.label))
                }
                Some(_) => None,
            }
        });
        stranger.map(|what| format!("told of an iteration of {what}"))
    }

    /// The worker told all it will ever tell.
    pub(crate) fn drained(&mut self, worker: usize) {
        self.settle(worker, Fate::Told, 0);
    }

    /// The worker died, at an instant of run time, before it told all.
    pub(crate) fn lost(&mut self, worker: usize, at_ns: u64) {
        self.settle(worker, Fate::Lost, self.course.plan_ns(at_ns));
    }

    fn settle(&mut self, worker: usize, fate: Fate, plan_ns: u64) {
        for test in &mut self.tests {
            if let Some(share) = &mut test.shares[worker] {
                share.fate = fate;
                share.in_flight = 0;
                share.threads = 0;
                if fate == Fate::Lost {
                    share.max_threads = 0;
                }
                share.lost_in_warmup = fate == Fate::Lost && plan_ns < test.warmup_ends_ns;
            }
        }
    }

    /// Every test's account, its plan counted up to an instant of plan time.
    fn accounts(&self, plan_ns: u64) -> Vec<Parts<Account>> {
        let of_test = |test: &TestTotals| test.account(plan_ns, self);
        self.tests.iter().map(of_test).collect()
    }

    /// What does not add up at the end of a run, whose plan ended at an instant of run time; empty unless pysurge itself is wrong.
    pub(crate) fn inconsistencies(&self, plan_ends_ns: u64) -> Vec<String> {
        let plan_ns = self.course.plan_ns(plan_ends_ns);
        let mut found = Vec::new();
        for test in &self.tests {
            let label = &test.info.label;
            let account = test.account(plan_ns, self);
            for account in [account.measured, account.warmup] {
                debug_assert!(account.balances(), "{label}: {account:?}");
                if !account.balances() {
                    found.push(format!("{label}: the iterations do not add up: {account:?}"));
                }
            }
            let scheduled = test.scheduled(plan_ns);
            let unchanged = self.course.is_unchanged() && !test.dealt.is_anew();
            for share in test.shares.iter().flatten() {
                let told = (share.fate == Fate::Told).then_some(share);
                let said = told.and_then(|share| share.contradiction(scheduled, unchanged));
                if let Some(said) = said {
                    found.push(format!("{label}: worker {} {said}", share.slot + 1));
                }
            }
        }
        found
    }
}

impl Origin {
    fn of(plan: &Plan, position: usize) -> Self {
        let test = &plan.tests[position];
        match (&test.model, plan.schedule(position)) {
            (Model::Closed(model), _) => Self::Closed {
                model: model.clone(),
                iterations: test.iterations,
                end_ns: test.end_ns(plan.duration_ns),
            },
            (Model::Open(_), schedule) => {
                let schedule = schedule.expect("the open model has a schedule");
                Self::Open {
                    ends: Ends::of(&schedule),
                    schedule,
                }
            }
        }
    }
}

fn shares_of(test: &TestPlan, able: &[bool], workers: usize) -> Vec<Option<Share>> {
    let workers = u32::try_from(workers).expect("workers number far below 2^32");
    let mut next = 0;
    let share = |(slot, &able): (usize, &bool)| {
        able.then(|| {
            let worker = next;
            next += 1;
            Share::new(slot, Part::at_start(test, Stripe { worker, workers }))
        })
    };
    able.iter().enumerate().map(share).collect()
}

/// More than any worker can have begun, taken or waited for: a hundred years of an iteration per microsecond. What is above it is broken off, so
/// that sums over all workers stay far from their limits.
const MOST: u64 = 1 << 52;

fn is_absurd(news: &PartSnapshot) -> bool {
    let measures = &news.measures;
    [
        news.planned,
        news.dropped,
        news.interrupted,
        measures.passed,
        measures.failed,
        measures.busy_ns,
        measures.busy_cpu_ns,
    ]
    .into_iter()
    .any(|figure| figure > MOST)
}

fn says_something(news: &PartSnapshot) -> bool {
    news.planned > 0 || news.measures.passed > 0 || news.measures.failed > 0
}

fn takes_back((news, before): (&PartSnapshot, &Account)) -> bool {
    news.planned < before.planned || news.dropped < before.dropped || news.interrupted < before.interrupted
}

fn add_part(told: &mut Account, news: &PartSnapshot) {
    told.planned = news.planned;
    told.dropped = news.dropped;
    told.interrupted = news.interrupted;
    told.passed += news.measures.passed;
    told.failed += news.measures.failed;
}

impl TestTotals {
    fn runs(&self) -> bool {
        self.shares.iter().any(Option::is_some)
    }

    /// On how many workers it runs or ran; one and its replacement are one.
    fn workers(&self) -> u32 {
        let slots: BTreeSet<usize> = self.shares.iter().flatten().map(|share| share.slot).collect();
        u32::try_from(slots.len()).expect("workers number far below 2^32")
    }

    /// What people know it by.
    fn called(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.info.label)
    }

    fn in_flight(&self) -> u64 {
        self.shares.iter().flatten().map(|share| share.in_flight).sum()
    }

    fn threads(&self) -> u32 {
        let shares = self.shares.iter().flatten();
        shares.fold(0, |sum, share| sum.saturating_add(share.threads))
    }

    fn max_threads(&self) -> u32 {
        let shares = self.shares.iter().flatten();
        shares.fold(0, |sum, share| sum.saturating_add(share.max_threads))
    }

    /// How many arrivals the schedule has before an instant of plan time: in all, and in the warm-up. `None` in the closed model.
    fn scheduled(&self, plan_ns: u64) -> Option<Scheduled> {
        match &self.origin {
            Origin::Open { schedule, .. } => Some(Scheduled {
                all: schedule.count_before_plan(plan_ns),
                warmup: schedule.count_before_plan(plan_ns.min(self.warmup_ends_ns)),
            }),
            Origin::Closed { .. } => None,
        }
    }

    fn account(&self, plan_ns: u64, totals: &Totals) -> Parts<Account> {
        let scheduled = self.scheduled(plan_ns);
        let mut sum = Parts::<Account>::default();
        for share in self.shares.iter().flatten() {
            let expected = share.expected(scheduled, totals.cut);
            sum.measured += share.account(share.told.measured, expected.measured);
            sum.warmup += share.account(share.told.warmup, expected.warmup);
        }
        // What nobody took over, and nobody is to come for, is lost.
        let left = if totals.awaited || totals.cut {
            0
        } else {
            self.dealt.left()
        };
        let part = if self.dealt.was_left_in_warmup() {
            &mut sum.warmup
        } else {
            &mut sum.measured
        };
        part.planned += left;
        part.lost += left;
        sum
    }

    /// Iterations that ran longer than their `max_duration`.
    fn overran(&self) -> u64 {
        self.shares.iter().flatten().map(|share| share.overran).sum()
    }
}

/// Arrivals of a whole test.
#[derive(Debug, Clone, Copy)]
struct Scheduled {
    all: u64,
    warmup: u64,
}

impl Scheduled {
    fn of(self, hand: &Hand) -> Parts<u64> {
        let warmup = hand.share_of(self.warmup);
        Parts {
            measured: hand.share_of(self.all) - warmup,
            warmup,
        }
    }
}

impl Share {
    fn new(slot: usize, part: Part) -> Self {
        Self {
            slot,
            part,
            fate: Fate::Live,
            gone: false,
            told: Parts::default(),
            told_ns: 0,
            ended_ns: None,
            lost_in_warmup: false,
            in_flight: 0,
            threads: 0,
            max_threads: 0,
            overran: 0,
        }
    }

    /// What it had to do, of what is scheduled, or as far as it is known: nobody but the worker can tell how many iterations users begin,
    /// unless it was dealt a number of them and died before it had done them.
    fn expected(&self, scheduled: Option<Scheduled>, cut: bool) -> Parts<u64> {
        if let (Part::Arrivals(hand), Some(scheduled)) = (&self.part, scheduled) {
            return scheduled.of(hand);
        }
        let mut expected = Parts {
            measured: self.told.measured.planned,
            warmup: self.told.warmup.planned,
        };
        if self.fate == Fate::Lost
            && !cut
            && let Some(dealt) = self.part.dealt_in_number()
        {
            let rest = dealt.saturating_sub(expected.measured + expected.warmup);
            if self.lost_in_warmup {
                expected.warmup += rest;
            } else {
                expected.measured += rest;
            }
        }
        expected
    }

    /// One part of it, of which so many iterations are expected.
    fn account(&self, part: Account, expected: u64) -> Account {
        let told = part.told();
        let planned = match self.fate {
            Fate::Live => expected.max(told),
            // Its own count holds what it claimed before it heard of an early stop.
            Fate::Told => part.planned.max(told),
            Fate::Lost => expected.max(part.planned).max(told),
        };
        let lost = if self.fate == Fate::Live {
            0
        } else {
            planned - told
        };
        Account {
            planned,
            lost,
            ..part
        }
    }

    /// What is wrong with what a drained worker said, as a predicate. A worker that heard of a change late may have claimed iterations as
    /// measured that then belonged to the warm-up, so only unchanged runs are held to it part by part.
    fn contradiction(&self, scheduled: Option<Scheduled>, unchanged: bool) -> Option<String> {
        let Parts { measured, warmup } = self.told;
        for part in [measured, warmup] {
            if part.told() != part.planned {
                return Some(format!(
                    "told of {} iterations, but says that it had {}",
                    part.told(),
                    part.planned
                ));
            }
        }
        let Part::Arrivals(hand) = &self.part else {
            return None;
        };
        let expected = scheduled?.of(hand);
        let both = (
            measured.planned + warmup.planned,
            expected.measured + expected.warmup,
        );
        let parts = [
            (measured.planned, expected.measured),
            (warmup.planned, expected.warmup),
        ];
        let compared = if unchanged { parts.to_vec() } else { vec![both] };
        let (planned, expected) = compared
            .into_iter()
            .find(|(planned, expected)| planned < expected)?;
        Some(format!(
            "says that it had {planned} iterations, but its plan has {expected}"
        ))
    }
}

impl AddAssign for Parts<Account> {
    fn add_assign(&mut self, other: Self) {
        self.measured += other.measured;
        self.warmup += other.warmup;
    }
}
