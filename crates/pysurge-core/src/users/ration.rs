//! Iterations of the closed model that were asked for in a number, as they are dealt out to workers: to each a share of its own, and what a
//! lost worker had not begun to those who go on. Who does which follows from numbers alone, so whoever knows how many a worker has begun
//! knows which are left.

use crate::plan::ClosedModel;
use crate::schedule::Stripe;
use serde::{Deserialize, Serialize};

/// Iterations that a worker is to begin, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ration(Vec<Portion>);

/// Of what a worker of the plan had been dealt: every `step`th from number `next` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Portion {
    stripe: Stripe,
    next: u64,
    step: u64,
    left: u64,
}

impl Portion {
    /// Without the first so many.
    fn after(self, begun: u64) -> Self {
        Self {
            next: self.next + begun * self.step,
            left: self.left - begun,
            ..self
        }
    }
}

impl Ration {
    /// What a worker has at the start, of so many iterations in all.
    pub fn of(model: &ClosedModel, stripe: Stripe, iterations: u64) -> Self {
        Self(vec![Portion {
            stripe,
            next: 0,
            step: 1,
            left: share_of_iterations(model, stripe, iterations),
        }])
    }

    /// How many there are.
    pub fn left(&self) -> u64 {
        self.0.iter().map(|portion| portion.left).sum()
    }

    /// Takes the next one; gives its number over all workers.
    pub fn take(&mut self, model: &ClosedModel) -> Option<u64> {
        self.0.retain(|portion| portion.left > 0);
        let first = self.0.first_mut()?;
        let number = number_of(model, first.stripe, first.next);
        *first = first.after(1);
        Some(number)
    }

    /// What is left once so many of them have been begun.
    #[must_use]
    pub fn after(&self, begun: u64) -> Self {
        let mut begun = begun;
        let mut rest = Vec::new();
        for portion in &self.0 {
            let of_this = begun.min(portion.left);
            begun -= of_this;
            rest.push(portion.after(of_this));
        }
        rest.retain(|portion| portion.left > 0);
        Self(rest)
    }

    /// A worker's part, of as many as there are in the stripe.
    #[must_use]
    pub fn share(&self, stripe: Stripe) -> Self {
        let of_one = |portion: &Portion| Portion {
            left: stripe.share_of(portion.left),
            step: portion.step * u64::from(stripe.workers),
            ..portion.after(u64::from(stripe.worker).min(portion.left))
        };
        let mut shares: Vec<Portion> = self.0.iter().map(of_one).collect();
        shares.retain(|portion| portion.left > 0);
        Self(shares)
    }

    /// Puts more behind it.
    pub fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

/// The number, over all workers, of what a worker begins as number `begun`: iterations are dealt out in rounds, one for each of the
/// planned users, and a worker takes those of its own.
pub(super) fn number_of(model: &ClosedModel, stripe: Stripe, begun: u64) -> u64 {
    let own = stripe.share_of(u64::from(model.users));
    let number = if own == 0 {
        // Only users of a scaled load are here: they count where no round will ever come, each place by itself, however many there are.
        let in_place = begun.checked_mul(1 << 20);
        in_place.and_then(|in_place| in_place.checked_add((1 << 63) + u64::from(stripe.worker)))
    } else {
        let in_round = stripe.number_of(begun % own);
        let before = (begun / own).checked_mul(u64::from(model.users));
        before
            .zip(in_round)
            .and_then(|(before, place)| before.checked_add(place))
    };
    number.expect("no run has 2^63 iterations")
}

/// How many of `iterations` a worker's users share: in proportion to how many users they are, and exact in sum.
pub fn share_of_iterations(model: &ClosedModel, stripe: Stripe, iterations: u64) -> u64 {
    let users = u64::from(model.users.max(1));
    let own = stripe.share_of(u64::from(model.users));
    iterations / users * own + stripe.share_of(iterations % users)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Wait;
    use proptest::prelude::*;

    fn model(users: u32) -> ClosedModel {
        ClosedModel {
            users,
            wait: Wait::None,
            ramp_up_ns: 0,
            seed: 0,
        }
    }

    fn numbers(ration: &Ration, users: u32) -> Vec<u64> {
        let mut ration = ration.clone();
        std::iter::from_fn(|| ration.take(&model(users))).collect()
    }

    #[test]
    fn what_a_lost_worker_had_not_begun_goes_to_the_others() {
        let stripe = |worker, workers| Stripe { worker, workers };
        let lost = Ration::of(&model(4), stripe(1, 2), 20);
        assert_eq!(numbers(&lost, 4), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
        let rest = lost.after(3);
        assert_eq!(
            (rest.left(), numbers(&rest.share(stripe(0, 2)), 4)),
            (7, vec![7, 11, 15, 19])
        );
        let mut other = Ration::of(&model(4), stripe(0, 2), 20).after(9);
        other.add(rest.share(stripe(1, 2)));
        assert_eq!(numbers(&other, 4), [18, 9, 13, 17]);
    }

    proptest! {
        #[test]
        fn shares_of_what_is_left_are_all_of_it(
            users in 1u32..9, iterations in 0u64..200, workers in 1u32..5, begun in 0u64..60, others in 1u32..5, more in 0u64..9,
        ) {
            for worker in 0..workers {
                let whole = Ration::of(&model(users), Stripe { worker, workers }, iterations);
                let rest = whole.after(begun);
                prop_assert_eq!(numbers(&rest, users), numbers(&whole, users).split_off(usize::try_from(begun.min(whole.left())).unwrap()));
                let shares: Vec<Ration> = (0..others).map(|worker| rest.share(Stripe { worker, workers: others })).collect();
                let mut dealt: Vec<u64> = shares.iter().flat_map(|share| numbers(share, users)).collect();
                dealt.sort_unstable();
                prop_assert_eq!(dealt, numbers(&rest, users));
                for share in shares {
                    prop_assert_eq!(share.after(more).left(), share.left().saturating_sub(more));
                }
            }
        }
    }
}
