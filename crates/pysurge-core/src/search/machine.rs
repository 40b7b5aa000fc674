//! Which rate to fire next. All that a search knows is the list of its tries; where it stands is worked out anew from them each time, so
//! there is no state that could disagree with them.

use super::{Failing, Found, Judged, Level, Purpose, SearchEnd, Signal, Step, Terms, rate_of};
use crate::NANOS_PER_SEC;
use crate::rate::Rate;

/// A rate that held is tried times this next, as long as nothing failed.
const GROWTH: u64 = 2;

/// Below this share of the start rate nothing is tried: whoever is wrong by more than that has another problem.
const LEAST_SHARE_OF_START: u64 = 1_000;

/// A level has at least so many iterations, or nothing can be said of it.
const MIN_ITERATIONS: u64 = 5;

/// Rates in which not one iteration passed, after which nothing lower is tried: the target is not slow but broken.
const MAX_BROKEN_RATES: usize = 2;

/// Significant digits of a rate that is tried.
const DIGITS: u32 = 4;

/// Narrow failures of the lowest rate that failed, before the search ends there: two bad seconds must not decide either, least of all far
/// below what the target holds.
const SURE_FAILURES: usize = 3;

/// A search for the highest rate that holds.
#[derive(Debug, Clone)]
pub struct Search {
    terms: Terms,
    tries: Vec<Try>,
    /// The level that is fired now.
    now: Option<Level>,
    /// What levels took beside their own times, at most.
    overhead_ns: u64,
    elapsed_ns: u64,
    is_stopped: bool,
}

#[derive(Debug, Clone)]
struct Try {
    rate: Rate,
    is_confirmation: bool,
    judged: Judged,
}

/// What the tries of a rate say.
#[derive(Debug, Clone, PartialEq)]
enum Standing {
    Untried,
    /// They do not agree, or a narrow failure stands alone.
    Open,
    Holds,
    Fails(Signal),
}

impl Search {
    /// A search that has not begun.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            tries: Vec::new(),
            now: None,
            overhead_ns: 0,
            elapsed_ns: 0,
            is_stopped: false,
        }
    }

    /// What to do next. The same again until [`Search::took`] is told what came of it.
    pub fn next_step(&mut self) -> Step {
        if let Some(level) = self.now {
            return Step::Level(level);
        }
        match self.decide() {
            Ok((rate, purpose)) => {
                let level = self.level(rate, purpose);
                self.now = Some(level);
                Step::Level(level)
            }
            Err(end) => Step::Done(self.found(end)),
        }
    }

    /// The level is over; `elapsed_ns` is the time since the beginning of the search.
    pub fn took(&mut self, judged: Judged, elapsed_ns: u64) {
        let Some(level) = self.now.take() else {
            return;
        };
        let took_ns = elapsed_ns.saturating_sub(self.elapsed_ns);
        self.overhead_ns = self.overhead_ns.max(took_ns.saturating_sub(own_ns(&level)));
        self.elapsed_ns = elapsed_ns;
        self.tries.push(Try {
            rate: level.rate,
            is_confirmation: level.is_confirmation,
            judged,
        });
    }

    /// The user stopped it: what is fired now, if anything is, counts for nothing.
    pub fn stop(&mut self) {
        self.now = None;
        self.is_stopped = true;
    }

    /// The next rate and what for, or why there is none.
    fn decide(&self) -> Result<(Rate, Purpose), SearchEnd> {
        if self.is_stopped {
            return Err(SearchEnd::Stopped);
        }
        let (rate, purpose) = self.wanted()?;
        let fits = |rate, purpose, spare_ns: u64| {
            let level = self.level(rate, purpose);
            let needed_ns = own_ns(&level) + self.overhead_ns + spare_ns;
            self.elapsed_ns.saturating_add(needed_ns) <= self.terms.max_time_ns
        };
        // A result that was confirmed is worth more than a closer one that was not.
        if let Some(held) = self.held()
            && rate > held
        {
            let confirmation = self.level(held, Purpose::Confirm);
            let confirmation_ns =
                self.terms.settle_ns + own_ns(&confirmation) - confirmation.rest_ns + self.overhead_ns;
            if !fits(rate, purpose, confirmation_ns) {
                return match self.standing(held, true) {
                    Standing::Untried | Standing::Open if fits(held, Purpose::Confirm, 0) => {
                        Ok((held, Purpose::Confirm))
                    }
                    _ => Err(SearchEnd::MaxTime),
                };
            }
        }
        // The first level is fired in any case, so that something is known.
        if self.tries.is_empty() || fits(rate, purpose, 0) {
            Ok((rate, purpose))
        } else {
            Err(SearchEnd::MaxTime)
        }
    }

    /// What would be next if there were time without end.
    fn wanted(&self) -> Result<(Rate, Purpose), SearchEnd> {
        if let Some(last) = self.tries.last()
            && self.standing(last.rate, last.is_confirmation) == Standing::Open
        {
            return Ok((last.rate, Purpose::Again));
        }
        match (self.held(), self.failed()) {
            (None, None) => Ok((self.capped(self.terms.start), Purpose::Start)),
            (Some(held), None) => {
                let higher = self.capped(rounded(held.nano_per_s().saturating_mul(GROWTH)));
                if higher > held {
                    Ok((higher, Purpose::Up))
                } else {
                    self.confirm(held, SearchEnd::MaxRate)
                }
            }
            (None, Some(failed)) => self.lower(failed),
            (Some(held), Some(failed)) => match self.between(held, failed) {
                Some(rate) => Ok((rate, Purpose::Between)),
                None => self
                    .check(failed)
                    .map_or_else(|| self.confirm(held, SearchEnd::Found), Ok),
            },
        }
    }

    /// The rate that failed, once more, where that is in doubt.
    fn check(&self, failed: Rate) -> Option<(Rate, Purpose)> {
        let fails = |is_confirmation| matches!(self.standing(failed, is_confirmation), Standing::Fails(_));
        [(false, Purpose::Again), (true, Purpose::Confirm)]
            .into_iter()
            .find(|(is_confirmation, _)| {
                fails(*is_confirmation) && self.is_doubtful(failed, *is_confirmation)
            })
            .map(|(_, purpose)| (failed, purpose))
    }

    fn confirm(&self, held: Rate, end: SearchEnd) -> Result<(Rate, Purpose), SearchEnd> {
        match self.standing(held, true) {
            Standing::Holds => Err(end),
            _ => Ok((held, Purpose::Confirm)),
        }
    }

    /// A lower rate, in steps that grow: half, then a quarter of that, then an eighth of that.
    fn lower(&self, failed: Rate) -> Result<(Rate, Purpose), SearchEnd> {
        let broken = self.rates(|attempt| {
            attempt
                .judged
                .failing()
                .is_some_and(|failing| failing.nothing_passed)
        });
        if broken.len() >= MAX_BROKEN_RATES {
            return Err(SearchEnd::NothingHeld);
        }
        let has_held = self.tries.iter().any(|attempt| attempt.judged == Judged::Held);
        let failures = self.rates(|attempt| attempt.judged != Judged::Held).len();
        let steps = if has_held {
            1
        } else {
            u32::try_from(failures).unwrap_or(u32::MAX)
        };
        let nano_per_s = failed.nano_per_s().checked_shr(steps).unwrap_or(0);
        let hold_s = (self.terms.hold_ns / NANOS_PER_SEC).max(1);
        let least = (self.terms.start.nano_per_s() / LEAST_SHARE_OF_START)
            .max(MIN_ITERATIONS * NANOS_PER_SEC / hold_s);
        if failed.nano_per_s() <= least {
            return Err(SearchEnd::NothingHeld);
        }
        Ok((rounded(nano_per_s.max(least)), Purpose::Down))
    }

    /// The geometric mean, unless both are as close as they are to be.
    fn between(&self, held: Rate, failed: Rate) -> Option<Rate> {
        if failed.per_s() / held.per_s() <= 1.0 + self.terms.precision {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies between two rates"
        )]
        let nano_per_s = (held.per_s() * failed.per_s()).sqrt().mul_add(1e9, 0.5) as u64;
        let mean = rounded(nano_per_s);
        (held < mean && mean < failed).then_some(mean)
    }

    /// The highest rate that holds below every one that does not.
    fn held(&self) -> Option<Rate> {
        let failed = self.failed();
        self.rates(|_| true)
            .into_iter()
            .filter(|rate| failed.is_none_or(|failed| *rate < failed))
            .filter(|rate| self.standing(*rate, false) == Standing::Holds)
            .max()
    }

    /// The lowest rate that does not hold, be it only for long.
    fn failed(&self) -> Option<Rate> {
        let fails =
            |rate, is_confirmation| matches!(self.standing(rate, is_confirmation), Standing::Fails(_));
        self.rates(|_| true)
            .into_iter()
            .filter(|rate| fails(*rate, false) || fails(*rate, true))
            .min()
    }

    /// All rates that were tried and that this is true of, each once.
    fn rates(&self, of: impl Fn(&Try) -> bool) -> Vec<Rate> {
        let mut rates: Vec<Rate> = self
            .tries
            .iter()
            .filter(|attempt| of(attempt))
            .map(|attempt| attempt.rate)
            .collect();
        rates.sort_unstable();
        rates.dedup();
        rates
    }

    fn standing(&self, rate: Rate, is_confirmation: bool) -> Standing {
        let tries: Vec<&Judged> = self
            .tries
            .iter()
            .filter(|attempt| (attempt.rate, attempt.is_confirmation) == (rate, is_confirmation))
            .map(|attempt| &attempt.judged)
            .collect();
        let failed = tries.iter().filter(|judged| judged.failing().is_some()).count();
        let held = tries.len() - failed;
        if tries.is_empty() {
            Standing::Untried
        } else if tries.iter().any(|judged| judged.is_clear()) {
            Standing::Fails(blamed(&tries))
        } else if held > failed {
            Standing::Holds
        } else if failed > held && failed >= 2 {
            Standing::Fails(blamed(&tries))
        } else {
            Standing::Open
        }
    }

    /// Whether a rate that fails may yet turn out to hold: its failures were narrow and few.
    fn is_doubtful(&self, rate: Rate, is_confirmation: bool) -> bool {
        let failed = |attempt: &&Try| {
            (attempt.rate, attempt.is_confirmation) == (rate, is_confirmation)
                && attempt.judged != Judged::Held
        };
        let failures = || self.tries.iter().filter(failed);
        failures().count() < SURE_FAILURES && !failures().any(|attempt| attempt.judged.is_clear())
    }

    fn level(&self, rate: Rate, purpose: Purpose) -> Level {
        let is_confirmation = match purpose {
            Purpose::Confirm => true,
            Purpose::Again => self
                .tries
                .last()
                .is_some_and(|last| last.is_confirmation && last.rate == rate),
            _ => false,
        };
        let was_overloaded = self.tries.last().is_some_and(|last| last.judged != Judged::Held);
        Level {
            number: u32::try_from(self.tries.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1),
            rate,
            purpose,
            is_confirmation,
            rest_ns: if was_overloaded { self.terms.settle_ns } else { 0 },
            settle_ns: self.terms.settle_ns,
            hold_ns: if is_confirmation {
                self.terms.confirm_ns
            } else {
                self.terms.hold_ns
            },
        }
    }

    fn capped(&self, rate: Rate) -> Rate {
        self.terms.max.map_or(rate, |max| rate.min(max))
    }

    fn found(&self, end: SearchEnd) -> Found {
        let held = self.held();
        let failed = self.failed();
        let limit = failed.and_then(|rate| {
            [false, true]
                .into_iter()
                .find_map(|is_confirmation| match self.standing(rate, is_confirmation) {
                    Standing::Fails(signal) => Some(signal),
                    _ => None,
                })
        });
        Found {
            held,
            is_confirmed: held.is_some_and(|held| self.standing(held, true) == Standing::Holds),
            failed,
            limit,
            end,
        }
    }
}

impl Judged {
    /// How it failed, where it did.
    pub fn failing(&self) -> Option<&Failing> {
        match self {
            Self::Held => None,
            Self::Failed(failing) | Self::GeneratorLimited(failing) => Some(failing),
        }
    }

    fn is_clear(&self) -> bool {
        self.failing().is_some_and(|failing| failing.is_clear)
    }
}

/// What is called the limit where tries failed for different reasons: the target only where at least as many tries say so.
fn blamed(tries: &[&Judged]) -> Signal {
    let of_target = tries.iter().filter(|judged| matches!(judged, Judged::Failed(_)));
    let of_generator = tries
        .iter()
        .filter(|judged| matches!(judged, Judged::GeneratorLimited(_)));
    let is_target = of_target.count() >= of_generator.count();
    let signal = |judged: &&Judged| match judged {
        Judged::Failed(failing) if is_target => Some(failing.signal.clone()),
        Judged::GeneratorLimited(failing) if !is_target => Some(failing.signal.clone()),
        _ => None,
    };
    tries
        .iter()
        .rev()
        .find_map(signal)
        .expect("called for tries of which one failed")
}

/// How long a level takes by itself.
fn own_ns(level: &Level) -> u64 {
    level.rest_ns + level.settle_ns + level.hold_ns
}

/// A rate of so many billionths per second, with few digits: a number to remember.
fn rounded(nano_per_s: u64) -> Rate {
    let digits = nano_per_s.max(1).ilog10() + 1;
    let unit = 10u64.pow(digits.saturating_sub(DIGITS));
    rate_of((nano_per_s + unit / 2) / unit * unit)
}
