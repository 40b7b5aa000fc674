//! Who is dealt which part of each test: all of it at the start, and anew when a worker is lost or another comes in its place.
//!
//! In the open model the arrivals are dealt anew from a stated one on, far enough ahead for everybody to know of it by then: those before it
//! stay with whoever had them, so each is in exactly one hand. Users without a number of iterations go over the same way. Of iterations that
//! were asked for in a number, what the lost worker had not begun, as far as it told, is shared out to those who go on, for good; what it had
//! begun and not told is lost and not done again, but what it began after it told last is. Where nobody who lives runs the test, its arrivals
//! stay with the lost worker, and so are lost, until a replacement takes them; a number of iterations waits for it.

use super::{Origin, Share, TestTotals, Totals};
use pysurge_core::plan::{Model, TestPlan};
use pysurge_core::schedule::{Hand, Stripe};
use pysurge_core::users::{Lot, Ration, share_of_users};
use pysurge_core::wire::Deal;

/// Between the rounds that workers may have begun and those from which on users are numbered after a new deal. A worker tells once a second and
/// hears of a deal within another; 2^24 rounds in that time are more than any processor begins.
const ROUNDS_APART: u64 = 1 << 24;

/// What each of these workers is dealt, per test.
pub(crate) type NewDeals = Vec<(usize, Vec<Option<Deal>>)>;

/// What one worker has of a test.
#[derive(Debug)]
pub(super) enum Part {
    /// Of a schedule.
    Arrivals(Hand),
    /// Of the closed model.
    Users {
        /// Its users now; `None` once it is lost.
        stripe: Option<Stripe>,
        /// All that it was ever to begin, where the config gives a number.
        ration: Option<Ration>,
        /// Where its rounds began when it was dealt these users, and what it had told as begun then.
        from_round: u64,
        begun: u64,
    },
}

impl Part {
    pub(super) fn at_start(test: &TestPlan, stripe: Stripe) -> Self {
        match &test.model {
            Model::Open(_) => Self::Arrivals(Hand::of(stripe)),
            Model::Closed(model) => Self::Users {
                stripe: Some(stripe),
                ration: test
                    .iterations
                    .map(|iterations| Ration::of(model, stripe, iterations)),
                from_round: 0,
                begun: 0,
            },
        }
    }

    /// What it has now.
    pub(super) fn stripe(&self) -> Option<Stripe> {
        match self {
            Self::Arrivals(hand) => hand.stripe(),
            Self::Users { stripe, .. } => *stripe,
        }
    }

    /// How many iterations it was dealt in all, where the config gives a number.
    pub(super) fn dealt_in_number(&self) -> Option<u64> {
        match self {
            Self::Users { ration, .. } => ration.as_ref().map(Ration::left),
            Self::Arrivals(_) => None,
        }
    }
}

/// What was dealt anew of a test.
#[derive(Debug, Default)]
pub(super) struct Dealt {
    /// The first arrival that the last deal was about.
    from: u64,
    /// New deals.
    times: u32,
    /// Iterations of a number that nobody has now.
    estate: Ration,
    left_in_warmup: bool,
}

impl Dealt {
    pub(super) fn is_anew(&self) -> bool {
        self.times > 0
    }

    /// How many iterations of a number wait for somebody.
    pub(super) fn left(&self) -> u64 {
        self.estate.left()
    }

    pub(super) fn was_left_in_warmup(&self) -> bool {
        self.left_in_warmup
    }
}

impl Totals {
    /// All stripes of each test.
    pub(crate) fn stripes(&self) -> Vec<Vec<Stripe>> {
        let of_test = |test: &TestTotals| {
            test.shares
                .iter()
                .flatten()
                .filter_map(|share| share.part.stripe())
                .collect()
        };
        self.tests.iter().map(of_test).collect()
    }

    /// What a worker is to fire from the start on, per test.
    pub(crate) fn deals_of(&self, worker: usize) -> Vec<Option<Deal>> {
        let deal = |test: &TestTotals| match &test.shares[worker].as_ref()?.part {
            Part::Arrivals(hand) => Some(Deal::Arrivals {
                from: 0,
                stripe: hand.stripe()?,
            }),
            Part::Users { stripe, ration, .. } => Some(Deal::Users {
                at_ns: 0,
                lot: Lot {
                    stripe: (*stripe)?,
                    from_round: 0,
                    ration: ration.clone(),
                },
            }),
        };
        self.tests.iter().map(deal).collect()
    }

    /// Makes room for one more worker.
    pub(crate) fn make_room(&mut self) {
        for test in &mut self.tests {
            test.shares.push(None);
        }
    }

    /// Whether a worker is being started in the place of a lost one.
    pub(crate) fn await_replacement(&mut self, awaited: bool) {
        self.awaited = awaited;
    }

    /// A worker is lost: from an instant of run time on those who live have its part, of each test that they run. Gives what to tell them.
    pub(crate) fn take_over(&mut self, lost: usize, living: &[usize], at_ns: u64) -> NewDeals {
        let plan_ns = self.course.plan_ns(at_ns);
        let mut news = Gathered::new(self.tests.len());
        for (position, test) in self.tests.iter_mut().enumerate() {
            let in_warmup = plan_ns < test.warmup_ends_ns;
            let Some(share) = &mut test.shares[lost] else {
                continue;
            };
            share.gone = true;
            share.in_flight = 0;
            share.threads = 0;
            if let Some(rest) = share.rest() {
                test.dealt.estate.add(rest);
                test.dealt.left_in_warmup = in_warmup;
            }
            let members = test.members(living, None);
            if !members.is_empty() {
                test.deal(&members, plan_ns, at_ns, |worker, deal| {
                    news.add(worker, position, deal);
                });
            }
        }
        news.0
    }

    /// Whether a worker in this place would have anything to do.
    pub(crate) fn has_work_for_another(&self, living: &[usize]) -> bool {
        self.tests.iter().any(|test| {
            let is_shared_out = test.is_counted() && !test.members(living, None).is_empty();
            test.runs() && !is_shared_out
        })
    }

    /// A worker comes in the place of a lost one and takes its part of every test that it is able to run, from an instant of run time on.
    /// Gives what it is to fire, and what to tell the others.
    pub(crate) fn join(
        &mut self,
        (worker, slot): (usize, usize),
        able: &[bool],
        living: &[usize],
        at_ns: u64,
    ) -> (Vec<Option<Deal>>, NewDeals) {
        let plan_ns = self.course.plan_ns(at_ns);
        let mut news = Gathered::new(self.tests.len());
        for (position, test) in self.tests.iter_mut().enumerate() {
            // What ran nowhere from the beginning stays out: it is told as not run.
            if !able[position] || !test.runs() {
                continue;
            }
            let members = test.members(living, Some((worker, slot)));
            let mut share = Share::new(slot, test.empty_part());
            share.told_ns = at_ns;
            test.shares[worker] = Some(share);
            if test.is_counted() && (members.len() > 1 || test.dealt.left() == 0) {
                // What there was to do has been shared out for good; but it may take over from others.
                news.add(worker, position, idle(&members, worker, at_ns));
                continue;
            }
            test.deal(&members, plan_ns, at_ns, |worker, deal| {
                news.add(worker, position, deal);
            });
        }
        let place = news.0.iter().position(|(of, _)| *of == worker);
        let own = place.map(|place| news.0.swap_remove(place).1);
        (own.unwrap_or_else(|| vec![None; self.tests.len()]), news.0)
    }

    /// What a worker that is lost had planned and not told, in all tests, its plan counted up to an instant of run time.
    pub(crate) fn lost_of(&self, worker: usize, at_ns: u64) -> u64 {
        let plan_ns = self.course.plan_ns(at_ns);
        let of_test = |test: &TestTotals| {
            let share = test.shares[worker].as_ref()?;
            let expected = share.expected(test.scheduled(plan_ns), self.cut);
            let parts = [
                (share.told.measured, expected.measured),
                (share.told.warmup, expected.warmup),
            ];
            let lost = parts.map(|(told, expected)| expected.max(told.planned).saturating_sub(told.told()));
            Some(lost.iter().sum::<u64>())
        };
        self.tests.iter().filter_map(of_test).sum()
    }
}

impl TestTotals {
    fn is_counted(&self) -> bool {
        matches!(
            self.origin,
            Origin::Closed {
                iterations: Some(_),
                ..
            }
        )
    }

    /// Those of these workers that run it, and one that comes, in the order of their places.
    fn members(&self, living: &[usize], comes: Option<(usize, usize)>) -> Vec<usize> {
        let placed = |&worker: &usize| Some((self.shares[worker].as_ref()?.slot, worker));
        let mut placed: Vec<(usize, usize)> = living.iter().filter_map(placed).collect();
        placed.extend(comes.map(|(worker, slot)| (slot, worker)));
        placed.sort_unstable();
        placed.into_iter().map(|(_, worker)| worker).collect()
    }

    fn empty_part(&self) -> Part {
        match &self.origin {
            Origin::Open { .. } => Part::Arrivals(Hand::empty()),
            Origin::Closed { iterations, .. } => Part::Users {
                stripe: None,
                ration: iterations.map(|_| Ration::default()),
                from_round: 0,
                begun: 0,
            },
        }
    }

    /// Deals all of it to these workers, from an instant on.
    fn deal(&mut self, members: &[usize], plan_ns: u64, at_ns: u64, mut tell: impl FnMut(usize, Deal)) {
        let count = u32::try_from(members.len()).expect("workers number far below 2^32");
        let from = match &self.origin {
            Origin::Open { schedule, .. } => schedule.count_before_plan(plan_ns).max(self.dealt.from),
            Origin::Closed { .. } => 0,
        };
        self.dealt.from = from;
        self.dealt.times += 1;
        let estate = std::mem::take(&mut self.dealt.estate);
        let next_round = self.next_round();
        for (worker, share) in self.shares.iter_mut().enumerate() {
            let Some(share) = share else { continue };
            let place = members.iter().position(|member| *member == worker);
            let place = place.map(|place| u32::try_from(place).expect("less than the workers"));
            let new = place.map(|worker| Stripe {
                worker,
                workers: count,
            });
            match &mut share.part {
                Part::Arrivals(hand) => {
                    if new.is_some() || hand.stripe().is_some() {
                        hand.deal(from, new);
                    }
                    if let Some(stripe) = new {
                        tell(worker, Deal::Arrivals { from, stripe });
                    }
                }
                Part::Users {
                    stripe,
                    ration,
                    from_round,
                    begun,
                } => {
                    *stripe = new;
                    let Some(new) = new else { continue };
                    (*from_round, *begun) = (next_round, share.told.begun());
                    let more = estate.share(new);
                    if let Some(ration) = ration {
                        ration.add(more.clone());
                        if more.left() > 0 {
                            share.ended_ns = None;
                        }
                    }
                    let lot = Lot {
                        stripe: new,
                        from_round: next_round,
                        ration: ration.as_ref().map(|_| more),
                    };
                    tell(worker, Deal::Users { at_ns, lot });
                }
            }
        }
    }

    /// The first round that no worker can have begun.
    fn next_round(&self) -> u64 {
        let Origin::Closed { model, .. } = &self.origin else {
            return 0;
        };
        let of_share = |share: &Share| {
            let Part::Users {
                stripe,
                from_round,
                begun,
                ..
            } = &share.part
            else {
                return 0;
            };
            let users = stripe.map_or(1, |stripe| share_of_users(model.users, stripe).max(1));
            let since = share.told.begun().saturating_sub(*begun) / u64::from(users);
            from_round + since
        };
        let rounds = self.shares.iter().flatten().map(of_share);
        rounds.max().unwrap_or(0) + ROUNDS_APART
    }
}

impl Share {
    /// Takes from a lost worker what it had not begun of a number of iterations.
    fn rest(&mut self) -> Option<Ration> {
        let begun = self.told.begun();
        match &mut self.part {
            Part::Users {
                ration: Some(ration), ..
            } => {
                let rest = ration.after(begun);
                *ration = Ration::default();
                Some(rest)
            }
            Part::Users { ration: None, .. } | Part::Arrivals(_) => None,
        }
    }
}

impl super::Parts<super::Account> {
    /// Iterations that were claimed, as far as it was told.
    fn begun(&self) -> u64 {
        self.measured.planned + self.warmup.planned
    }
}

/// A place among others and nothing to begin.
fn idle(members: &[usize], worker: usize, at_ns: u64) -> Deal {
    let number = |place: usize| u32::try_from(place).expect("workers number far below 2^32");
    let place = members.iter().position(|member| *member == worker).unwrap_or(0);
    Deal::Users {
        at_ns,
        lot: Lot {
            stripe: Stripe {
                worker: number(place),
                workers: number(members.len().max(1)),
            },
            from_round: 0,
            ration: Some(Ration::default()),
        },
    }
}

/// Deals by worker.
struct Gathered(NewDeals, usize);

impl Gathered {
    fn new(tests: usize) -> Self {
        Self(Vec::new(), tests)
    }

    fn add(&mut self, worker: usize, position: usize, deal: Deal) {
        let place = self.0.iter().position(|(of, _)| *of == worker);
        let place = place.unwrap_or_else(|| {
            self.0.push((worker, vec![None; self.1]));
            self.0.len() - 1
        });
        self.0[place].1[position] = Some(deal);
    }
}
