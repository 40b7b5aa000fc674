//! The counters in use of a histogram, in as few bytes as they need: a time series keeps hundreds of thousands of them, and steps from one
//! duration to the next are small numbers, as counts are. Made once and only read from then on.

use std::iter::Peekable;

/// Durations in nanoseconds, ascending, each the highest of its bucket, with how many were counted there.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    /// Per counter the step from the duration before and the count, in postcard's form.
    bytes: Box<[u8]>,
    total: u64,
}

impl Counters {
    /// What is counted in all.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One after the other.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (mut rest, mut ns) = (&*self.bytes, 0);
        std::iter::from_fn(move || {
            let ((step_ns, times), behind) = postcard::take_from_bytes::<(u64, u64)>(rest).ok()?;
            rest = behind;
            ns += step_ns;
            Some((ns, times))
        })
    }

    /// The same with what others counted.
    pub(super) fn joined(&self, others: &Self) -> Self {
        Joined {
            ours: self.iter().peekable(),
            theirs: others.iter().peekable(),
        }
        .collect()
    }

    /// The duration of the counter that covers this rank, from 1.
    pub(super) fn at_rank(&self, rank: u64) -> u64 {
        let mut covered = 0;
        let mut last_ns = 0;
        for (ns, times) in self.iter() {
            (covered, last_ns) = (covered + times, ns);
            if covered >= rank {
                break;
            }
        }
        last_ns
    }
}

/// Of ascending counters; those of the same duration in a row are one.
impl FromIterator<(u64, u64)> for Counters {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(counters: I) -> Self {
        let (mut bytes, mut last_ns, mut total) = (Vec::new(), 0, 0_u64);
        for (ns, times) in counters {
            bytes = postcard::to_extend(&(ns - last_ns, times), bytes).expect("a vector takes two numbers");
            last_ns = ns;
            total = total.saturating_add(times);
        }
        Self {
            bytes: bytes.into_boxed_slice(),
            total,
        }
    }
}

/// Two ascending lists of counters as one.
struct Joined<A: Iterator, B: Iterator> {
    ours: Peekable<A>,
    theirs: Peekable<B>,
}

impl<A, B> Iterator for Joined<A, B>
where
    A: Iterator<Item = (u64, u64)>,
    B: Iterator<Item = (u64, u64)>,
{
    type Item = (u64, u64);

    fn next(&mut self) -> Option<Self::Item> {
        match (self.ours.peek(), self.theirs.peek()) {
            (Some(our), Some(their)) if our.0 == their.0 => {
                let (ns, times) = self.ours.next()?;
                let (_, more) = self.theirs.next()?;
                Some((ns, times.saturating_add(more)))
            }
            (Some(our), Some(their)) if our.0 > their.0 => self.theirs.next(),
            (Some(_), _) => self.ours.next(),
            (None, _) => self.theirs.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn of(counters: &BTreeMap<u64, u64>) -> Counters {
        counters.iter().map(|(ns, times)| (*ns, *times)).collect()
    }

    #[test]
    fn a_counter_takes_a_few_bytes() {
        // Ten milliseconds: buckets are 8 us wide there.
        let near: Counters = (0..1_000).map(|i| (10_000_000 + i * 8_192, 3)).collect();
        assert!(near.bytes.len() < 4_100, "{} bytes", near.bytes.len());
        assert_eq!((near.total(), near.iter().count()), (3_000, 1_000));
        assert!(Counters::default().is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            ours in prop::collection::btree_map(any::<u64>(), 1u64..1 << 40, 0..30),
            theirs in prop::collection::btree_map(any::<u64>(), 1u64..1 << 40, 0..30),
            rank in 1u64..1 << 40,
        ) {
            let packed = of(&ours);
            prop_assert_eq!(packed.iter().collect::<BTreeMap<_, _>>(), ours.clone());
            let mut all = ours.clone();
            for (ns, times) in &theirs {
                *all.entry(*ns).or_default() += times;
            }
            let joined = packed.joined(&of(&theirs));
            prop_assert_eq!(joined.iter().collect::<Vec<_>>(), all.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(joined.total(), all.values().sum::<u64>());
            let mut covered = 0;
            let at_rank = all.iter().find(|(_, times)| {
                covered += **times;
                covered >= rank
            });
            let expected = at_rank.or(all.last_key_value()).map_or(0, |(ns, _)| *ns);
            prop_assert_eq!(joined.at_rank(rank), expected);
        }
    }
}
