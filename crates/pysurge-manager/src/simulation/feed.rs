//! What a simulated worker fires of one test, and what it tells of it.

use pysurge_core::measure::Measures;
use pysurge_core::plan::{Model, Plan};
use pysurge_core::schedule::{Change, Course, Hand, StripedSchedule};
use pysurge_core::users::{Due, Users};
use pysurge_core::wire::{Deal, PartSnapshot, Start, TestSnapshot};

/// How long an iteration of a user takes.
const ITERATION_NS: u64 = 30_000_000;

pub(super) struct Feed {
    origin: Origin,
    warmup_ends_ns: u64,
    /// Measured, and of the warm-up.
    planned: [u64; 2],
    told: [u64; 2],
    dropped: [u64; 2],
    /// Every fifth iteration is dropped.
    drops: bool,
}

enum Origin {
    Open(StripedSchedule),
    Closed(Users),
}

impl Feed {
    /// What a worker is to fire of each test, as `Start` says.
    pub(super) fn of_all(plan: &Plan, start: &Start, course: &Course) -> Vec<Option<Self>> {
        let mut plan = plan.clone();
        for (test, samples) in plan.tests.iter_mut().zip(&start.shapes) {
            if let Some(shape) = test.shape_mut() {
                assert!(samples.is_some(), "a shape without samples");
                shape.samples.clone_from(samples);
            }
        }
        let feed = |position: usize| {
            let deal = start.deals[position].as_ref()?;
            let test = &plan.tests[position];
            let origin = match (&test.model, deal) {
                (Model::Open(_), Deal::Arrivals { from, stripe }) => {
                    let mut hand = Hand::empty();
                    hand.deal(*from, Some(*stripe));
                    let mut schedule = plan.schedule(position)?;
                    for change in &start.changes {
                        schedule.change(*change);
                    }
                    Origin::Open(schedule.stripe(hand))
                }
                (Model::Closed(model), Deal::Users { at_ns, lot }) => {
                    let (from_ns, end_ns) = (test.start_delay_ns, test.end_ns(start.duration_ns));
                    let now_ns = course.plan_ns(*at_ns);
                    let mut users = Users::new(model.clone(), lot.clone(), from_ns, end_ns, now_ns);
                    users.scale(course.now().factor, now_ns);
                    Origin::Closed(users)
                }
                _ => panic!("a deal for another model"),
            };
            Some(Self {
                origin,
                warmup_ends_ns: test.warmup_ends_ns(),
                planned: [0; 2],
                told: [0; 2],
                dropped: [0; 2],
                drops: position == 1,
            })
        };
        (0..plan.tests.len()).map(feed).collect()
    }

    pub(super) fn change(&mut self, change: Change, course: &Course) {
        match &mut self.origin {
            Origin::Open(schedule) => schedule.change(change),
            Origin::Closed(users) => users.scale(change.factor, course.plan_ns(change.at_ns)),
        }
    }

    /// Has another part from some point on; whether that had passed when it was heard of, up to an instant of plan time.
    pub(super) fn deal(&mut self, deal: &Deal, course: &Course, until_ns: u64) -> bool {
        match (&mut self.origin, deal) {
            (Origin::Open(schedule), Deal::Arrivals { from, stripe }) => {
                // What was claimed by the old deal stays claimed.
                let warmup = schedule.count_before_plan(until_ns.min(self.warmup_ends_ns));
                let measured = schedule.count_before_plan(until_ns) - warmup;
                self.planned = [self.planned[0].max(measured), self.planned[1].max(warmup)];
                let is_late = schedule.schedule().count_before_plan(until_ns) > *from;
                schedule.deal(*from, *stripe);
                is_late
            }
            (Origin::Closed(users), Deal::Users { at_ns, lot }) => {
                users.deal(lot.clone(), course.plan_ns(*at_ns));
                false
            }
            _ => panic!("a deal for another model"),
        }
    }

    /// Everything that was planned before an instant of plan time has ended; of the news of the last snapshot, a third was interrupted.
    pub(super) fn snapshot(&mut self, until_ns: u64, last: bool) -> TestSnapshot {
        let ended = match &mut self.origin {
            Origin::Open(schedule) => {
                let warmup = schedule.count_before_plan(until_ns.min(self.warmup_ends_ns));
                let measured = schedule.count_before_plan(until_ns) - warmup;
                // What was claimed before the stop was heard of stays claimed.
                self.planned = [self.planned[0].max(measured), self.planned[1].max(warmup)];
                let ends_ns = schedule.schedule().ends_plan_ns();
                ends_ns.is_some_and(|ends_ns| ends_ns <= until_ns)
            }
            Origin::Closed(users) => {
                while let Some(turn) = until_ns.checked_sub(1).and_then(|now_ns| users.claim(now_ns)) {
                    self.planned[usize::from(turn.planned_ns < self.warmup_ends_ns)] += 1;
                    users.ended(turn, turn.planned_ns + ITERATION_NS);
                }
                users.due() == Due::Never
            }
        };
        TestSnapshot {
            measured: self.part(0, last),
            warmup: self.part(1, last),
            ended,
            ..TestSnapshot::default()
        }
    }

    fn part(&mut self, which: usize, last: bool) -> PartSnapshot {
        let news = self.planned[which] - self.told[which];
        self.told[which] = self.planned[which];
        let interrupted = if last { news / 3 } else { 0 };
        let ended = news - interrupted;
        let dropped = if self.drops { ended / 5 } else { 0 };
        self.dropped[which] += dropped;
        let ended = ended - dropped;
        let mut measures = Measures {
            passed: ended - ended / 4,
            failed: ended / 4,
            ..Measures::default()
        };
        measures.service_time.record_n(ITERATION_NS, ended);
        // As they come from the wire.
        measures.compact();
        PartSnapshot {
            planned: self.planned[which],
            dropped: self.dropped[which],
            interrupted,
            measures,
        }
    }
}
