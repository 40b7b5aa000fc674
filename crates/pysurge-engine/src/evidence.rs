//! The iterations that a worker keeps as evidence: the slowest, and the first that failed. What is kept is told once, by the snapshot after it.
//!
//! Where the pool is behind its schedule every iteration is slower than all before it, so keeping one must cost next to nothing: no name, no
//! kwargs, no allocation.

use pysurge_core::measure::{Exhibit, Exhibits, KEPT_EXHIBITS};

/// One iteration, as its thread knows it. Instants are nanoseconds of run time.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) planned_ns: u64,
    pub(crate) started_ns: u64,
    pub(crate) response_ns: u64,
    pub(crate) service_ns: Option<u64>,
    pub(crate) number: Option<u64>,
    /// The thread's place among the recorder's threads.
    pub(crate) thread: u32,
    pub(crate) error: Option<Box<str>>,
}

/// What is kept of one shard. Never forgotten: who is not among the first here can never be among the first in all.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The response times of the slowest, in no order, nanoseconds; apart from the rest, so that the least of them is found in one look.
    times_ns: [u64; KEPT_EXHIBITS],
    /// The slowest, each with whether it was told already.
    slowest: Vec<(Kept, bool)>,
    /// Where the least slow of them stands; where the next one goes, while there is room.
    least: usize,
    /// Failed ones that were not told yet, and how many there are in all.
    failed: Vec<Kept>,
    failed_in_all: usize,
}

impl Evidence {
    /// Whether an iteration would be kept.
    #[inline]
    pub(crate) fn wants(&self, response_ns: u64, failed: bool) -> bool {
        self.is_slow(response_ns) || (failed && self.failed_in_all < KEPT_EXHIBITS)
    }

    #[inline]
    fn is_slow(&self, response_ns: u64) -> bool {
        response_ns > self.times_ns[self.least] || self.slowest.len() < KEPT_EXHIBITS
    }

    /// Keeps an iteration that was wanted.
    #[inline]
    pub(crate) fn keep(&mut self, kept: Kept) {
        if kept.error.is_some() && self.failed_in_all < KEPT_EXHIBITS {
            self.failed_in_all += 1;
            self.failed.push(kept.clone());
        }
        if !self.is_slow(kept.response_ns) {
            return;
        }
        self.times_ns[self.least] = kept.response_ns;
        if self.slowest.len() < KEPT_EXHIBITS {
            self.slowest.push((kept, false));
        } else {
            self.slowest[self.least] = (kept, false);
        }
        self.least = if self.slowest.len() < KEPT_EXHIBITS {
            self.slowest.len()
        } else {
            let mut least = 0;
            for place in 1..KEPT_EXHIBITS {
                if self.times_ns[place] < self.times_ns[least] {
                    least = place;
                }
            }
            least
        };
    }

    /// What was kept since the last call. The worker and the kwargs are added by who knows them.
    pub(crate) fn take(&mut self, threads: &[String]) -> Exhibits {
        let mut exhibits = Exhibits::default();
        for (kept, told) in &mut self.slowest {
            if !std::mem::replace(told, true) {
                exhibits.show_slow(exhibit(kept, threads));
            }
        }
        for kept in self.failed.drain(..) {
            exhibits.show_failed(exhibit(&kept, threads));
        }
        exhibits
    }
}

fn exhibit(kept: &Kept, threads: &[String]) -> Exhibit {
    Exhibit {
        planned_ns: kept.planned_ns,
        started_ns: kept.started_ns,
        response_ns: kept.response_ns,
        service_ns: kept.service_ns,
        worker: 0,
        thread: threads.get(kept.thread as usize).cloned().unwrap_or_default(),
        number: kept.number,
        kwargs: String::new(),
        error: kept.error.as_deref().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::measure::Measures;

    fn delta(evidence: &mut Evidence) -> Measures {
        Measures {
            exhibits: evidence.take(&["t".to_owned()]),
            ..Measures::default()
        }
    }

    #[test]
    fn what_is_told_bit_by_bit_is_what_was_there() {
        let (mut evidence, mut told, mut truth) =
            (Evidence::default(), Measures::default(), Exhibits::default());
        let mut x: u64 = 7;
        for n in 0..2_000u64 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let failed = x.is_multiple_of(50);
            let kept = Kept {
                planned_ns: n,
                started_ns: n,
                response_ns: x >> 40,
                service_ns: None,
                number: Some(n),
                thread: 0,
                error: failed.then(|| "run: ValueError".into()),
            };
            truth.show(exhibit(&kept, &["t".to_owned()]));
            if evidence.wants(kept.response_ns, failed) {
                evidence.keep(kept);
            }
            if n.is_multiple_of(90) {
                told.merge(&delta(&mut evidence));
            }
        }
        told.merge(&delta(&mut evidence));
        assert_eq!(told.exhibits, truth);
    }
}
