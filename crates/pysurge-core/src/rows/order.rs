//! Which row an iteration gets.

use crate::mix::{below, mix};
use crate::plan::{Data, Reuse, RowOrder};

/// The row, of so many, for the iteration of this number over all workers; `None` where there is none for it.
///
/// Sequential rows repeat after `rows` iterations; shuffled ones come in another order then; random ones are drawn for each iteration anew.
/// It needs no memory, and nobody needs to know what others were given.
pub fn row_of(data: &Data, rows: u64, number: u64) -> Option<u64> {
    if rows == 0 || (data.reuse == Reuse::Once && number >= rows) {
        return None;
    }
    Some(match data.order {
        RowOrder::Sequential => number % rows,
        RowOrder::Shuffle => shuffled(rows, mix(data.seed ^ mix(number / rows)), number % rows),
        RowOrder::Random => below(rows, mix(data.seed ^ mix(number))),
    })
}

/// Each of its halves goes four times through the network: one and a half times what Luby and Rackoff ("How to construct pseudorandom
/// permutations from pseudorandom functions", 1988) need where halves are large, for those of few bits.
const ROUNDS: u32 = 8;

/// Where a permutation of `0..count`, another one for each key, puts a place.
///
/// A Feistel network permutes the numbers of as many bits as `count` needs, fewer than twice as many; a number beyond `count` is sent through
/// again until it is below ("cycle walking": Black and Rogaway, "Ciphers with arbitrary finite domains", 2002), twice on average at most.
/// For a fair order, not against an adversary.
fn shuffled(count: u64, key: u64, place: u64) -> u64 {
    let bits = u64::BITS - (count - 1).leading_zeros();
    let low_bits = bits - bits / 2;
    let (low_mask, high_mask) = ((1 << low_bits) - 1, (1 << (bits / 2)) - 1);
    let mut number = place;
    loop {
        let (mut low, mut high) = (number & low_mask, number >> low_bits);
        for round in 0..ROUNDS {
            // Halves have 32 bits at most: no two rounds ask the same.
            let draw = |half: u64| mix(key ^ (u64::from(round) << 32) ^ half);
            if round % 2 == 0 {
                high ^= draw(low) & high_mask;
            } else {
                low ^= draw(high) & low_mask;
            }
        }
        number = (high << low_bits) | low;
        if number < count {
            return number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::DataSource;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn data(order: RowOrder, reuse: Reuse, seed: u64) -> Data {
        Data {
            source: DataSource::File("rows.csv".into()),
            order,
            reuse,
            seed,
        }
    }

    fn rows(data: &Data, count: u64, numbers: std::ops::Range<u64>) -> Vec<u64> {
        numbers
            .map(|number| row_of(data, count, number).unwrap())
            .collect()
    }

    #[test]
    fn sequential_rows_come_as_they_stand_and_then_again() {
        let cycle = data(RowOrder::Sequential, Reuse::Cycle, 0);
        assert_eq!(rows(&cycle, 3, 0..7), [0, 1, 2, 0, 1, 2, 0]);
        let once = data(RowOrder::Sequential, Reuse::Once, 0);
        assert_eq!(rows(&once, 3, 0..3), [0, 1, 2]);
        for (count, number) in [(3, 3), (3, u64::MAX), (0, 0)] {
            assert_eq!(row_of(&once, count, number), None);
        }
    }

    #[test]
    fn each_cycle_is_shuffled_anew_and_a_seed_repeats_it() {
        let shuffle = |seed| data(RowOrder::Shuffle, Reuse::Cycle, seed);
        let (first, second) = (rows(&shuffle(1), 100, 0..100), rows(&shuffle(1), 100, 100..200));
        assert_eq!(first, rows(&shuffle(1), 100, 0..100));
        assert_ne!(first, second);
        assert_ne!(first, rows(&shuffle(2), 100, 0..100));
        assert_ne!(first, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn every_row_stands_at_every_place_equally_often() {
        const CYCLES: u64 = 6_000;
        for count in [2_u64, 3, 5, 8, 13] {
            let shuffle = data(RowOrder::Shuffle, Reuse::Cycle, 7);
            let size = usize::try_from(count).unwrap();
            let mut seen = vec![vec![0_u64; size]; size];
            for number in 0..CYCLES * count {
                let row = row_of(&shuffle, count, number).unwrap();
                let place = usize::try_from(number % count).unwrap();
                seen[place][usize::try_from(row).unwrap()] += 1;
            }
            let expected = CYCLES / count;
            // Six standard deviations of a binomial count, whose variance is below its mean.
            let bound = 6 * expected.isqrt();
            for times in seen.iter().flatten() {
                assert!(times.abs_diff(expected) < bound, "{count} rows: {seen:?}");
            }
        }
    }

    #[test]
    fn random_rows_are_uniform() {
        let random = data(RowOrder::Random, Reuse::Cycle, 3);
        let mut seen = [0_u64; 10];
        for row in rows(&random, 10, 0..50_000) {
            seen[usize::try_from(row).unwrap()] += 1;
        }
        assert!(seen.iter().all(|times| times.abs_diff(5_000) < 420), "{seen:?}");
    }

    proptest! {
        #[test]
        fn a_shuffle_is_a_permutation(count in 1_u64..3_000, seed: u64, cycle in 0_u64..1_000) {
            let shuffle = data(RowOrder::Shuffle, Reuse::Cycle, seed);
            let given: BTreeSet<u64> = rows(&shuffle, count, cycle * count..(cycle + 1) * count).into_iter().collect();
            prop_assert_eq!(given.len() as u64, count);
            prop_assert!(given.iter().all(|row| *row < count));
        }

        #[test]
        fn rows_are_there_however_many(count in 1_u64.., seed: u64, number: u64, order in 0_usize..3) {
            let order = [RowOrder::Sequential, RowOrder::Shuffle, RowOrder::Random][order];
            let row = row_of(&data(order, Reuse::Cycle, seed), count, number).unwrap();
            prop_assert!(row < count);
        }
    }
}
