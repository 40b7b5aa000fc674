//! Which of a test's arrivals one worker fires, where that changes while the run goes on: when a worker dies its stripe goes to the others
//! from a stated arrival on, and back to its replacement from another.
//!
//! A worker numbers its own arrivals 0, 1, 2, … through all of it, so a new deal takes nothing back: one that hears of it late has claimed
//! some by the old deal, and these stand for as many of the new one. Sums over all workers stay exact.

use super::Stripe;

/// One worker's arrivals, dealt out leg by leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// In order; the first begins with arrival 0.
    legs: Vec<Leg>,
}

/// From one deal to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leg {
    /// The first arrival that it is about.
    from: u64,
    /// Own arrivals of all legs before.
    before: u64,
    /// What is fired; `None` for nothing.
    stripe: Option<Stripe>,
    /// What the stripe has before `from`.
    skipped: u64,
}

impl Leg {
    fn new(from: u64, before: u64, stripe: Option<Stripe>) -> Self {
        Self {
            from,
            before,
            stripe,
            skipped: stripe.map_or(0, |stripe| stripe.share_of(from)),
        }
    }
}

impl Hand {
    /// Nothing, until something is dealt.
    pub fn empty() -> Self {
        Self {
            legs: vec![Leg::new(0, 0, None)],
        }
    }

    /// A stripe of all arrivals.
    pub fn of(stripe: Stripe) -> Self {
        Self {
            legs: vec![Leg::new(0, 0, Some(stripe))],
        }
    }

    /// From arrival `from` on this stripe, or nothing. A deal that is told to lie before an earlier one counts from that one on.
    pub fn deal(&mut self, from: u64, stripe: Option<Stripe>) {
        let from = from.max(self.last().from);
        self.legs.push(Leg::new(from, self.share_of(from), stripe));
    }

    /// The stripe of the last deal.
    pub fn stripe(&self) -> Option<Stripe> {
        self.last().stripe
    }

    /// The number, over all workers, of this worker's arrival `j`; `None` where it has none.
    #[inline]
    pub fn number_of(&self, j: u64) -> Option<u64> {
        let last = self.last();
        let leg = if j >= last.before {
            last
        } else {
            let at = self.legs.partition_point(|leg| leg.before <= j);
            &self.legs[at.saturating_sub(1)]
        };
        leg.stripe?.number_of((j - leg.before).checked_add(leg.skipped)?)
    }

    /// How many of the first `count` arrivals are this worker's.
    pub fn share_of(&self, count: u64) -> u64 {
        let at = self.legs.partition_point(|leg| leg.from <= count);
        let leg = self.legs[at.saturating_sub(1)];
        let of_leg = leg
            .stripe
            .map_or(0, |stripe| stripe.share_of(count) - leg.skipped);
        leg.before + of_leg
    }

    #[inline]
    fn last(&self) -> &Leg {
        self.legs.last().expect("never empty")
    }
}

impl From<Stripe> for Hand {
    fn from(stripe: Stripe) -> Self {
        Self::of(stripe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[expect(clippy::unnecessary_wraps, reason = "as it is dealt")]
    fn stripe(worker: u32, workers: u32) -> Option<Stripe> {
        Some(Stripe { worker, workers })
    }

    #[test]
    fn a_stripe_goes_over_to_another_from_a_stated_arrival_on() {
        let mut hand = Hand::of(stripe(1, 3).unwrap());
        hand.deal(8, stripe(1, 2));
        let numbers: Vec<_> = (0..6).map_while(|j| hand.number_of(j)).collect();
        assert_eq!(numbers, [1, 4, 7, 9, 11, 13]);
        hand.deal(12, None);
        assert_eq!(hand.number_of(4), Some(11));
        assert_eq!(hand.number_of(5), None);
        hand.deal(20, stripe(0, 2));
        assert_eq!(hand.number_of(5), Some(20));
        assert_eq!(
            [4, 5, 8, 10, 19, 20, 21].map(|count| hand.share_of(count)),
            [1, 2, 3, 4, 5, 5, 6]
        );
        assert_eq!(Hand::empty().number_of(0), None);
    }

    #[test]
    fn a_deal_never_lies_before_another() {
        let mut hand = Hand::of(stripe(0, 2).unwrap());
        hand.deal(10, stripe(1, 2));
        hand.deal(4, stripe(0, 2));
        assert_eq!((hand.share_of(10), hand.number_of(5)), (5, Some(10)));
    }

    proptest! {
        #[test]
        fn hands_partition_the_arrivals_and_are_inverse(
            deals in prop::collection::vec((0u64..40, prop::collection::btree_set(0usize..4, 1..4)), 0..6),
        ) {
            let mut hands = vec![Hand::empty(); 4];
            let mut from = 0;
            for (place, hand) in (0u32..).zip(&mut hands) {
                hand.deal(0, stripe(place, 4));
            }
            for (step, members) in &deals {
                from += step;
                for (number, hand) in hands.iter_mut().enumerate() {
                    let place = members.iter().position(|member| *member == number);
                    let count = u32::try_from(members.len()).unwrap();
                    hand.deal(from, place.and_then(|place| stripe(u32::try_from(place).unwrap(), count)));
                }
            }
            for count in 0..200 {
                prop_assert_eq!(hands.iter().map(|hand| hand.share_of(count)).sum::<u64>(), count);
            }
            for hand in &hands {
                let mut last = None;
                for j in 0..hand.share_of(200) {
                    let number = hand.number_of(j).unwrap();
                    prop_assert!(last.is_none_or(|last| last < number));
                    prop_assert_eq!((hand.share_of(number), hand.share_of(number + 1)), (j, j + 1));
                    last = Some(number);
                }
            }
        }
    }
}
