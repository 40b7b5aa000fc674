//! A Poisson process of unit rate with random access: a pure function of its seed.
//!
//! Workers stripe one plan and the manager counts it, so all must see the same arrivals at any index without
//! generating those before it. Mass is cut into cells, each with a count of arrivals drawn from a generator that
//! is seeded by the cell alone: the outermost cells `[0, B), [B, 2B), [2B, 4B), …` hold independent Poisson counts, a
//! cell of `n` arrivals gives `Binomial(n, 1/2)` of them to its left half, and those of a smallest cell stand at
//! independent uniform positions. No step approximates the process, so the gaps are independent `Exp(1)`.
//!
//! It must never depend on the order of questions, on how long the run is, or on more than the seed.
//!
//! Sources: J. F. C. Kingman, *Poisson Processes* (1993): counts of disjoint sets are independent; given their number,
//! arrivals are independent and uniform, so halves split binomially; gaps on the line are exponential. Counts are
//! drawn with PD of Ahrens and Dieter (1982) and BTPE of Kachitvichyanukul and Schmeiser (1988).

use super::UNIT;
use crate::mix::mix;
use rand_distr::{Binomial, Distribution};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::sync::Arc;

/// A smallest cell has `2^68` units, 147.6 arrivals on average. Measured: half of it makes neighbours dearer by 40 %,
/// double makes a lone arrival dearer by 60 %, since its whole leaf is sorted.
const LEAF_BITS: u32 = 68;

/// Positions in a leaf are 64-bit fractions of it, so that they draw and sort as words: steps of 16 units, or
/// 8e-18 of an iteration.
const STEP_BITS: u32 = LEAF_BITS - u64::BITS;

/// The outermost cells together hold `2^44` leaves, about `2^51` arrivals: 82 years at a million per second. The
/// samplers compute in `f64`; up to here their distribution is off by less than `1e-8` in all, by estimate: they round to
/// an eighth of an arrival where the standard deviation is `2^25` of them, and decide by rounded logarithms only in
/// the one draw of about a hundred million that the squeeze leaves open.
const LEVELS: u32 = 44;

/// Up to this many, arrivals flip one bit each: exact in integers on every machine, and measured as fast as the
/// general sampler from some hundred to here.
const FLIPPED_MAX: u64 = 4_096;

/// The arrivals of one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Poisson {
    seed: u64,
    /// How many arrivals stand before the end of each outermost cell.
    cumulative: Arc<[u64]>,
}

/// The sorted positions of the leaf last looked at, so that its neighbours cost nothing.
///
/// It knows which process it belongs to; another one does not find its own arrivals in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Leaf {
    seed: u64,
    first: u64,
    start_units: u128,
    steps: Vec<u64>,
}

impl Leaf {
    fn units_of(&self, k: u64) -> Option<u128> {
        let place = usize::try_from(k.checked_sub(self.first)?).ok()?;
        let steps = *self.steps.get(place)?;
        Some(self.start_units + (u128::from(steps) << STEP_BITS))
    }
}

impl Poisson {
    /// The arrivals of `seed`.
    pub(super) fn new(seed: u64) -> Self {
        let mut total = 0;
        let cumulative = (0..=LEVELS).map(|place| {
            total += Cell::outermost(place).draw_count(seed);
            total
        });
        Self {
            seed,
            cumulative: cumulative.collect(),
        }
    }

    /// The position of arrival `k` in units; `None` beyond about `2^51` arrivals.
    #[inline]
    pub(super) fn units_of(&self, k: u64, cache: &mut Leaf) -> Option<u128> {
        if cache.seed == self.seed
            && let Some(units) = cache.units_of(k)
        {
            return Some(units);
        }
        self.load(k, cache)?;
        cache.units_of(k)
    }

    /// How many arrivals stand strictly before `units`; all of them beyond about `2^51` iterations.
    pub(super) fn count_before(&self, units: u128) -> u64 {
        let leaf = units >> LEAF_BITS;
        let Some(leaf) = u64::try_from(leaf).ok().filter(|leaf| leaf >> LEVELS == 0) else {
            return self.arrivals_through(LEVELS);
        };
        let place = u64::BITS - leaf.leading_zeros();
        let mut cell = Cell::outermost(place);
        let (mut before, mut count) = self.arrivals_in(place);
        while cell.level > 0 {
            let left = cell.draw_left(self.seed, count);
            let goes_right = (leaf >> (cell.level - 1)) & 1 == 1;
            cell = cell.half(goes_right);
            if goes_right {
                before += left;
                count -= left;
            } else {
                count = left;
            }
        }
        let rest = units - cell.start_units();
        let earlier = cell
            .draw_steps(self.seed, count)
            .filter(|&steps| (u128::from(steps) << STEP_BITS) < rest)
            .count();
        before + earlier as u64
    }

    /// Fills `cache` with the leaf of arrival `k`.
    #[cold]
    fn load(&self, k: u64, cache: &mut Leaf) -> Option<()> {
        let place = self.cumulative.partition_point(|&through| through <= k);
        let place = u32::try_from(place).ok().filter(|&place| place <= LEVELS)?;
        let mut cell = Cell::outermost(place);
        let (mut before, mut count) = self.arrivals_in(place);
        while cell.level > 0 {
            let left = cell.draw_left(self.seed, count);
            let goes_right = k - before >= left;
            cell = cell.half(goes_right);
            if goes_right {
                before += left;
                count -= left;
            } else {
                count = left;
            }
        }
        cache.seed = self.seed;
        cache.first = before;
        cache.start_units = cell.start_units();
        cache.steps.clear();
        cache.steps.extend(cell.draw_steps(self.seed, count));
        cache.steps.sort_unstable();
        Some(())
    }

    /// How many arrivals stand before outermost cell `place`, and in it.
    fn arrivals_in(&self, place: u32) -> (u64, u64) {
        let before = place
            .checked_sub(1)
            .map_or(0, |place| self.arrivals_through(place));
        (before, self.arrivals_through(place) - before)
    }

    fn arrivals_through(&self, place: u32) -> u64 {
        self.cumulative[place as usize]
    }
}

/// A stretch of mass: `2^level` leaves, the `index`-th of that length.
#[derive(Debug, Clone, Copy)]
struct Cell {
    level: u32,
    index: u64,
}

/// What a cell draws. Each draw has a generator of its own, or a cell's count would foretell how it splits.
#[derive(Debug, Clone, Copy)]
enum Draw {
    Count,
    Left,
    Steps,
}

impl Cell {
    /// The outermost cell `place`: the first leaf, then stretches that double.
    fn outermost(place: u32) -> Self {
        Self {
            level: place.saturating_sub(1),
            index: u64::from(place > 0),
        }
    }

    fn half(self, right: bool) -> Self {
        Self {
            level: self.level - 1,
            index: 2 * self.index + u64::from(right),
        }
    }

    fn start_units(self) -> u128 {
        u128::from(self.index) << (LEAF_BITS + self.level)
    }

    /// How many arrivals an outermost cell holds.
    fn draw_count(self, seed: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "both have fewer than 53 significant bits"
        )]
        let mean = (1u128 << (LEAF_BITS + self.level)) as f64 / UNIT as f64;
        let law = rand_distr::Poisson::new(mean).expect("a mean between 147 and 2^51 is in range");
        let count: f64 = law.sample(&mut self.generator(seed, Draw::Count));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number, not negative, near the mean"
        )]
        let count = count as u64;
        count
    }

    /// How many of `count` arrivals fall into the left half.
    fn draw_left(self, seed: u64, count: u64) -> u64 {
        let mut generator = self.generator(seed, Draw::Left);
        if count > FLIPPED_MAX {
            let law = Binomial::new(count, 0.5).expect("one half is a probability");
            return law.sample(&mut generator);
        }
        let mut left = 0;
        for _ in 0..count / u64::from(u64::BITS) {
            left += u64::from(generator.next_u64().count_ones());
        }
        let unused_bits = (1 << (count % u64::from(u64::BITS))) - 1;
        left + u64::from((generator.next_u64() & unused_bits).count_ones())
    }

    /// Where the arrivals of a leaf stand, unsorted, as 64-bit fractions of it.
    fn draw_steps(self, seed: u64, count: u64) -> impl Iterator<Item = u64> {
        let mut generator = self.generator(seed, Draw::Steps);
        (0..count).map(move |_| generator.next_u64())
    }

    fn generator(self, seed: u64, draw: Draw) -> Xoshiro256PlusPlus {
        // 2 bits, 6 bits and 56 bits: no two draws share an identity.
        let identity = ((draw as u64) << 62) | (u64::from(self.level) << 56) | self.index;
        Xoshiro256PlusPlus::seed_from_u64(mix(mix(seed) ^ identity))
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "statistics")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Fixed, so that the statistical tests cannot fail by chance; each bound is passed by 999 of 1,000 seeds or more.
    const SEEDS: [u64; 6] = [0, 1, 2, 42, 0xdead_beef, u64::MAX];

    fn positions(seed: u64, ks: std::ops::Range<u64>) -> Vec<u128> {
        let (process, mut leaf) = (Poisson::new(seed), Leaf::default());
        ks.map(|k| process.units_of(k, &mut leaf).unwrap()).collect()
    }

    fn gaps(seed: u64, ks: std::ops::Range<u64>) -> Vec<f64> {
        let positions = positions(seed, ks);
        positions
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64 / UNIT as f64)
            .collect()
    }

    /// Far into the tree, where every split of the descent has drawn from the general sampler first.
    const FAR: u64 = 1_000_000_000_000;

    #[test]
    fn the_same_seed_plans_the_same_arrivals_for_ever() {
        // Values of a release: a change here changes the plan that a user's seed stands for.
        assert_eq!(positions(0, 0..5), GOLDEN_NEAR);
        assert_eq!(positions(0, FAR..FAR + 2), GOLDEN_FAR);
    }
    const GOLDEN_NEAR: [u128; 5] = [
        2_414_294_242_158_378_880,
        8_742_047_642_997_684_656,
        8_757_110_401_172_350_032,
        10_324_778_865_123_264_064,
        14_237_999_362_740_799_008,
    ];
    const GOLDEN_FAR: [u128; 2] = [
        2_000_001_204_990_756_461_521_920_493_200,
        2_000_001_204_995_747_264_734_898_009_504,
    ];

    #[test]
    fn gaps_are_exponential() {
        for seed in SEEDS {
            for start in [0, FAR] {
                let mut gaps = gaps(seed, start..start + 100_001);
                gaps.sort_unstable_by(f64::total_cmp);
                let n = gaps.len() as f64;
                let distance = gaps.iter().enumerate().fold(0.0_f64, |distance, (i, gap)| {
                    let expected = 1.0 - (-gap).exp();
                    distance
                        .max(expected - i as f64 / n)
                        .max((i + 1) as f64 / n - expected)
                });
                // Kolmogorov's distribution: 1.95 is exceeded once in 1,000.
                assert!(distance * n.sqrt() < 1.95, "seed {seed} from {start}: {distance}");
            }
        }
    }

    #[test]
    fn gaps_do_not_foretell_each_other() {
        for seed in SEEDS {
            for start in [0, FAR] {
                let gaps = gaps(seed, start..start + 100_001);
                let n = gaps.len() as f64;
                for lag in [1, 2, 147] {
                    let products = gaps.iter().zip(&gaps[lag..]).map(|(a, b)| (a - 1.0) * (b - 1.0));
                    let correlation = products.sum::<f64>() / n;
                    assert!(
                        correlation.abs() * n.sqrt() < 4.0,
                        "seed {seed}, lag {lag}: {correlation}"
                    );
                }
            }
        }
    }

    #[test]
    fn counts_of_intervals_are_poisson() {
        // P(n) for n = 0..=6, and the rest, at mean 1.
        let law: Vec<f64> = (0..7)
            .map(|n: u32| (-1.0_f64).exp() / (1..=n).map(f64::from).product::<f64>())
            .collect();
        for seed in SEEDS {
            let process = Poisson::new(seed);
            let intervals = 20_000;
            let mut observed = [0_u32; 8];
            let mut before = 0;
            for i in 1..=intervals {
                let through = process.count_before(i * UNIT);
                observed[usize::try_from(through - before).unwrap().min(7)] += 1;
                before = through;
            }
            let rest = 1.0 - law.iter().sum::<f64>();
            let chi_square: f64 = law
                .iter()
                .chain([&rest])
                .zip(observed)
                .map(|(p, observed)| {
                    let expected = p * intervals as f64;
                    (f64::from(observed) - expected).powi(2) / expected
                })
                .sum();
            // Chi-square of 7 degrees of freedom: 24.3 is exceeded once in 1,000.
            assert!(chi_square < 24.3, "seed {seed}: {chi_square}, {observed:?}");
        }
    }

    #[test]
    fn counts_of_long_windows_vary_as_poisson_does() {
        // 4,000 windows per width: the sum of squares over the mean is a chi-square of as many degrees of freedom.
        for (width, start) in [
            (100, 0),
            (10_000, 3),
            (1_000_000, 1_000_000),
            (1_000_000, 1_000_000_000),
        ] {
            let process = Poisson::new(7);
            let at = |i: u128| process.count_before((start + i) * width * UNIT) as f64;
            let dispersion: f64 = (0..4_000)
                .map(|i| (at(i + 1) - at(i) - width as f64).powi(2) / width as f64)
                .sum();
            assert!(
                (dispersion - 4_000.0).abs() < 4.0 * 8_000.0_f64.sqrt(),
                "{width}: {dispersion}"
            );
        }
    }

    #[test]
    fn outermost_counts_have_mean_and_variance_of_poisson() {
        for level in [0, 1, 10, 25, LEVELS - 1] {
            let mean = 2.0_f64.powi(68 + i32::try_from(level).unwrap()) / UNIT as f64;
            let deviations: Vec<f64> = (0..4_000)
                .map(|seed| (Cell { level, index: 1 }.draw_count(seed) as f64 - mean) / mean.sqrt())
                .collect();
            let (sum, squares) = deviations.iter().fold((0.0, 0.0), |(s, q), d| (s + d, q + d * d));
            assert!(sum.abs() < 4.0 * 4_000.0_f64.sqrt(), "level {level}: {sum}");
            assert!(
                (squares - 4_000.0).abs() < 4.0 * 8_000.0_f64.sqrt(),
                "level {level}: {squares}"
            );
        }
    }

    #[test]
    fn halves_split_with_mean_and_variance_of_binomial() {
        for count in [
            1,
            2,
            63,
            64,
            65,
            147,
            FLIPPED_MAX,
            FLIPPED_MAX + 1,
            1 << 30,
            1 << 51,
        ] {
            let (mean, deviation) = (count as f64 / 2.0, (count as f64).sqrt() / 2.0);
            let deviations: Vec<f64> = (0..4_000)
                .map(|seed| (Cell { level: 9, index: 5 }.draw_left(seed, count) as f64 - mean) / deviation)
                .collect();
            let (sum, squares) = deviations.iter().fold((0.0, 0.0), |(s, q), d| (s + d, q + d * d));
            assert!(sum.abs() < 4.0 * 4_000.0_f64.sqrt(), "{count}: {sum}");
            assert!(
                (squares - 4_000.0).abs() < 4.0 * 8_000.0_f64.sqrt(),
                "{count}: {squares}"
            );
        }
        assert_eq!(Cell { level: 9, index: 5 }.draw_left(0, 0), 0);
    }

    #[test]
    fn the_count_is_near_the_mass() {
        for seed in SEEDS {
            for mass in [1_000_u64, 1_000_000, 1_000_000_000, 1_000_000_000_000] {
                let count = Poisson::new(seed).count_before(u128::from(mass) * UNIT);
                let off = count as f64 - mass as f64;
                assert!(
                    off.abs() < 5.0 * (mass as f64).sqrt(),
                    "seed {seed}: {count} of {mass}"
                );
            }
        }
    }

    #[test]
    fn arrivals_end_where_the_tree_does() {
        let (process, mut leaf) = (Poisson::new(3), Leaf::default());
        let total = process.count_before(u128::MAX);
        assert!(total > 1 << 51);
        let last = process.units_of(total - 1, &mut leaf).unwrap();
        assert_eq!(process.count_before(last), total - 1);
        assert_eq!(process.units_of(total, &mut leaf), None);
        assert_eq!(process.units_of(u64::MAX, &mut leaf), None);
        assert_eq!(process.count_before(0), 0);
    }

    #[test]
    fn a_leaf_serves_only_its_own_process() {
        let mut shared = Leaf::default();
        for k in [0, 5, 1_000, 7] {
            for seed in SEEDS {
                let process = Poisson::new(seed);
                let alone = process.units_of(k, &mut Leaf::default());
                assert_eq!(process.units_of(k, &mut shared), alone, "seed {seed}, {k}");
            }
        }
    }

    #[test]
    fn counting_finds_each_arrival_of_a_run() {
        let process = Poisson::new(11);
        for (k, units) in (0..).zip(positions(11, 0..3_000)) {
            assert_eq!(process.count_before(units), k);
            assert_eq!(process.count_before(units + 1), k + 1);
        }
    }

    proptest! {
        #[test]
        fn index_and_count_are_inverse(seed: u64, k in prop_oneof![0u64..1_000, 0u64..1_000_000_000, 0u64..1 << 50]) {
            let process = Poisson::new(seed);
            let units = process.units_of(k, &mut Leaf::default()).unwrap();
            prop_assert_eq!(process.count_before(units), k);
            prop_assert_eq!(process.count_before(units + 1), k + 1);
        }

        #[test]
        fn arrivals_stand_in_order(seed: u64, k in 0u64..1 << 50) {
            let positions = positions(seed, k..k + 400);
            prop_assert!(positions.is_sorted());
        }

        #[test]
        fn the_order_of_questions_does_not_matter(seed: u64, ks in prop::collection::vec(0u64..5_000, 1..50)) {
            let (process, mut leaf) = (Poisson::new(seed), Leaf::default());
            for k in ks {
                let alone = Poisson::new(seed).units_of(k, &mut Leaf::default());
                prop_assert_eq!(process.units_of(k, &mut leaf), alone);
            }
        }

        #[test]
        fn counting_never_panics_and_never_falls(seed: u64, a: u128, b: u128, shift in 0u32..128) {
            let process = Poisson::new(seed);
            let (low, high) = (a.min(b) >> shift, a.max(b) >> shift);
            prop_assert!(process.count_before(low) <= process.count_before(high));
        }
    }
}
