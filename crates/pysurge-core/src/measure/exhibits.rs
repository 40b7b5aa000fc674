//! Single iterations kept as evidence: the slowest, and the first that failed.

use serde::{Deserialize, Serialize};

/// How many of the slowest, and how many of the failed, are kept per test.
pub const KEPT_EXHIBITS: usize = 10;

/// The most characters of an iteration's kwargs that are kept.
pub const MAX_KWARGS_CHARS: usize = 500;

/// One iteration as it was. Instants are nanoseconds of run time: since the start of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exhibit {
    /// When it was planned.
    pub planned_ns: u64,
    /// When it started.
    pub started_ns: u64,
    /// Lateness and service time together; lateness alone where it did not come as far as `run`. In the closed model the service time.
    pub response_ns: u64,
    /// `run` alone; `None` where it did not come as far.
    pub service_ns: Option<u64>,
    /// The worker, from 0.
    pub worker: u32,
    /// Its thread.
    pub thread: String,
    /// Its number over all workers: among the test's arrivals, or, in the closed model, among the turns of its users.
    pub number: Option<u64>,
    /// Its kwargs as Python writes them, at most [`MAX_KWARGS_CHARS`].
    pub kwargs: String,
    /// Where it failed, with what: `run: ValueError: no such item`; `None` where it passed.
    pub error: Option<String>,
}

/// The slowest iterations of a test, and the first that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibits {
    slowest: Vec<Exhibit>,
    failed: Vec<Exhibit>,
}

impl Exhibits {
    /// Takes an iteration into account.
    pub fn show(&mut self, exhibit: Exhibit) {
        if exhibit.error.is_some() {
            self.show_failed(exhibit.clone());
        }
        self.show_slow(exhibit);
    }

    /// Takes an iteration into account among the slowest only.
    pub fn show_slow(&mut self, exhibit: Exhibit) {
        keep(&mut self.slowest, exhibit, by_slowness);
    }

    /// Takes a failed iteration into account as such only.
    pub fn show_failed(&mut self, exhibit: Exhibit) {
        keep(&mut self.failed, exhibit, by_start);
    }

    /// Adds what is known only later, to each of them.
    pub fn complete(&mut self, add: impl Fn(&mut Exhibit)) {
        self.slowest.iter_mut().chain(&mut self.failed).for_each(add);
    }

    /// The slowest, by response time, the slowest first; passed or failed.
    pub fn slowest(&self) -> &[Exhibit] {
        &self.slowest
    }

    /// Those that failed first, the first one first.
    pub fn failed(&self) -> &[Exhibit] {
        &self.failed
    }

    /// What was kept elsewhere.
    pub(super) fn merge(&mut self, other: &Self) {
        for exhibit in &other.slowest {
            keep(&mut self.slowest, exhibit.clone(), by_slowness);
        }
        for exhibit in &other.failed {
            keep(&mut self.failed, exhibit.clone(), by_start);
        }
    }
}

type Order = fn(&Exhibit, &Exhibit) -> std::cmp::Ordering;

/// Ties are broken by everything else, so that merging does not depend on the order.
fn by_slowness(a: &Exhibit, b: &Exhibit) -> std::cmp::Ordering {
    b.response_ns.cmp(&a.response_ns).then_with(|| a.cmp(b))
}

fn by_start(a: &Exhibit, b: &Exhibit) -> std::cmp::Ordering {
    a.started_ns.cmp(&b.started_ns).then_with(|| a.cmp(b))
}

fn keep(kept: &mut Vec<Exhibit>, exhibit: Exhibit, order: Order) {
    let place = kept.partition_point(|other| order(other, &exhibit).is_lt());
    if place < KEPT_EXHIBITS {
        kept.insert(place, exhibit);
        kept.truncate(KEPT_EXHIBITS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_and_the_first_failed_are_kept() {
        let mut exhibits = Exhibits::default();
        for n in 0..100u64 {
            exhibits.show(Exhibit {
                started_ns: 1_000 - n,
                response_ns: (n * 37) % 100,
                error: (n % 2 == 0).then(|| "run: ValueError".to_owned()),
                ..Exhibit::default()
            });
        }
        let slowest: Vec<u64> = exhibits.slowest().iter().map(|e| e.response_ns).collect();
        assert_eq!(slowest, (90..100).rev().collect::<Vec<_>>());
        let failed: Vec<u64> = exhibits.failed().iter().map(|e| 1_000 - e.started_ns).collect();
        assert_eq!(failed, [98, 96, 94, 92, 90, 88, 86, 84, 82, 80]);
    }
}
