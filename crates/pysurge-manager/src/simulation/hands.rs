//! Who has which arrivals of each test, as far as it was dealt: each must be in exactly one hand at any time.

use crate::supervisor::Effect;
use pysurge_core::schedule::{Hand, Stripe};
use pysurge_core::wire::{Deal, ToWorker};
use std::collections::BTreeMap;

/// Arrivals that are looked at one by one.
const MOST_NUMBERS: u64 = 3_000;

/// Per test, by worker.
#[derive(Debug)]
pub(super) struct Hands(Vec<BTreeMap<usize, Hand>>);

impl Hands {
    pub(super) fn new(tests: usize) -> Self {
        Self(vec![BTreeMap::new(); tests])
    }

    /// What is dealt at once is dealt to all who go on; whoever is not among them has nothing from there on. In one step it may be dealt twice.
    pub(super) fn note(&mut self, effects: &[Effect]) {
        for (test, hands) in self.0.iter_mut().enumerate() {
            let mut dealt = effects.iter().filter_map(|effect| dealt(effect, test)).peekable();
            while let Some(&(_, from, Stripe { workers, .. })) = dealt.peek() {
                let at_once: Vec<_> = dealt.by_ref().take(workers as usize).collect();
                deal(hands, from, &at_once);
            }
        }
    }

    /// So many arrivals are in all hands together, each in one.
    pub(super) fn check(&self, test: usize, count: u64) {
        let hands = &self.0[test];
        let share: u64 = hands.values().map(|hand| hand.share_of(count)).sum();
        assert_eq!(share, count, "arrivals in nobody's hands, or in two");
        let some = count.min(MOST_NUMBERS);
        let mut numbers: Vec<u64> = hands
            .values()
            .flat_map(|hand| (0..hand.share_of(some)).filter_map(|j| hand.number_of(j)))
            .collect();
        numbers.sort_unstable();
        assert_eq!(
            numbers,
            (0..some).collect::<Vec<_>>(),
            "an arrival is in nobody's hand, or in two"
        );
    }
}

fn deal(hands: &mut BTreeMap<usize, Hand>, from: u64, dealt: &[(usize, u64, Stripe)]) {
    let mut places: Vec<u32> = dealt.iter().map(|(.., stripe)| stripe.worker).collect();
    places.sort_unstable();
    let count = u32::try_from(dealt.len()).unwrap();
    assert_eq!(
        places,
        (0..count).collect::<Vec<_>>(),
        "a place is empty or twice there"
    );
    for (number, of, stripe) in dealt {
        assert_eq!((*of, stripe.workers), (from, count), "dealt in different ways");
        let hand = hands.entry(*number).or_insert_with(Hand::empty);
        hand.deal(from, Some(*stripe));
    }
    for (number, hand) in hands.iter_mut() {
        let is_dealt = dealt.iter().any(|(of, ..)| of == number);
        if !is_dealt && hand.stripe().is_some() {
            hand.deal(from, None);
        }
    }
}

/// What a message deals of a test's arrivals, and to whom.
fn dealt(effect: &Effect, test: usize) -> Option<(usize, u64, Stripe)> {
    let Effect::Send(number, message) = effect else {
        return None;
    };
    let deals = match message {
        ToWorker::Start(start) => &start.deals,
        ToWorker::Deal(deals) => deals,
        _ => return None,
    };
    match deals.get(test)?.as_ref()? {
        Deal::Arrivals { from, stripe } => Some((*number, *from, *stripe)),
        Deal::Users { .. } => None,
    }
}
