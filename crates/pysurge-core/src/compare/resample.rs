//! Which seconds a resample is made of: the circular block bootstrap.
//!
//! Seconds that follow each other resemble each other, so they are drawn in stretches and not one by one (H. R. Künsch, *The jackknife and
//! the bootstrap for general stationary observations*, 1989); the run is bent to a circle, so that its ends are drawn as often as its middle
//! (D. N. Politis and J. P. Romano, *A circular block-resampling procedure for stationary data*, 1992). Of several runs, runs are drawn
//! first and then stretches within each. A resample is kept as how often each block of the side is in it: whatever is measured in the same
//! seconds stays together, over all measures and tests.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;
use std::ops::Range;

/// The blocks of one side: those of its runs, one run after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    /// The blocks of each run.
    pub(super) runs: Vec<Range<usize>>,
    /// How long each block is, seconds.
    pub(super) seconds: Vec<f64>,
}

/// The resamples of one side: for each, how often each block is in it.
#[derive(Debug)]
pub(super) struct Weights {
    blocks: usize,
    times: Vec<u32>,
}

impl Layout {
    /// Blocks of the side.
    pub(super) fn blocks(&self) -> usize {
        self.seconds.len()
    }

    /// How long the stretches are that are drawn, in blocks, of a run of so many: the square root of their number, and at least 3.
    ///
    /// Theory wants a length that grows with the cube root of the number, times a factor that grows with the autocorrelation. The square
    /// root stays above that for the runs there are, and errs towards intervals that are too wide; docs/how-to/compare-runs.md has what
    /// was tried.
    pub(super) fn stretch(blocks: usize) -> usize {
        (blocks.isqrt() + usize::from(blocks.isqrt().pow(2) < blocks))
            .max(3)
            .min(blocks)
    }

    /// As if the side were so many independent observations: its runs, or the stretches of its only run.
    #[expect(clippy::cast_precision_loss, reason = "a few hundred blocks")]
    pub(super) fn independent(&self) -> f64 {
        match self.runs.as_slice() {
            [run] => run.len() as f64 / Self::stretch(run.len()).max(1) as f64,
            runs => runs.len() as f64,
        }
    }

    /// How long those of the first run are, seconds.
    pub(super) fn stretch_s(&self) -> f64 {
        let first = self.runs.first().cloned().unwrap_or_default();
        let stretch = Self::stretch(first.len());
        self.seconds.iter().take(stretch).sum()
    }

    /// Draws so many resamples.
    pub(super) fn draw(&self, resamples: usize, random: &mut Xoshiro256PlusPlus) -> Weights {
        let blocks = self.blocks();
        let mut times = vec![0; blocks * resamples];
        for one in times.chunks_exact_mut(blocks.max(1)) {
            for _ in 0..self.runs.len() {
                let run = &self.runs[below(self.runs.len(), random)];
                draw_run(&mut one[run.clone()], random);
            }
        }
        Weights { blocks, times }
    }
}

impl Weights {
    /// The resamples.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.times.chunks_exact(self.blocks.max(1))
    }
}

/// Draws as many blocks of a run as it has, in stretches; the last one is cut off.
fn draw_run(times: &mut [u32], random: &mut Xoshiro256PlusPlus) {
    let blocks = times.len();
    let stretch = Layout::stretch(blocks);
    let mut missing = blocks;
    while missing > 0 {
        let start = below(blocks, random);
        let taken = stretch.min(missing);
        for at in start..start + taken {
            times[at % blocks] += 1;
        }
        missing -= taken;
    }
}

/// A number from 0 to `end`, exclusive. What multiplication favours is less than one in 2^50 here.
fn below(end: usize, random: &mut Xoshiro256PlusPlus) -> usize {
    let drawn = (u128::from(random.next_u64()) * end as u128) >> u64::BITS;
    usize::try_from(drawn).expect("it is less than `end`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::rand_core::SeedableRng;

    fn layout(runs: &[usize]) -> Layout {
        let mut layout = Layout::default();
        for blocks in runs {
            let start = layout.blocks();
            layout.seconds.extend(vec![1.0; *blocks]);
            layout.runs.push(start..start + blocks);
        }
        layout
    }

    #[test]
    fn stretches_grow_with_the_run() {
        for (blocks, stretch) in [(0, 0), (1, 1), (2, 2), (9, 3), (10, 4), (60, 8), (200, 15)] {
            assert_eq!(Layout::stretch(blocks), stretch, "{blocks}");
        }
    }

    #[test]
    fn every_resample_is_as_long_as_the_run_and_every_block_equally_likely() {
        let layout = layout(&[7, 61]);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let weights = layout.draw(4_000, &mut random);
        let mut sums = vec![0u32; layout.blocks()];
        for one in weights.iter() {
            let (first, second) = (one[..7].iter().sum::<u32>(), one[7..].iter().sum::<u32>());
            // Two runs are drawn: the first twice, each once, or the second twice.
            assert!([(14, 0), (7, 61), (0, 122)].contains(&(first, second)));
            sums.iter_mut().zip(one).for_each(|(sum, times)| *sum += times);
        }
        for (at, sum) in sums.iter().enumerate() {
            assert!((3_400..4_600).contains(sum), "{at}: {sum}");
        }
    }

    #[test]
    fn neighbours_are_drawn_together() {
        let weights = layout(&[100]).draw(500, &mut Xoshiro256PlusPlus::seed_from_u64(2));
        // Drawn in stretches of ten, a block that is there has its right neighbour beside it nine times of ten.
        let (mut there, mut both) = (0u32, 0u32);
        for one in weights.iter() {
            for at in 0..100 {
                if one[at] > 0 {
                    there += 1;
                    both += u32::from(one[(at + 1) % 100] > 0);
                }
            }
        }
        assert!(f64::from(both) / f64::from(there) > 0.9, "{both} of {there}");
    }
}
