//! The accounting identity: every planned iteration ends in exactly one way, and the sum is checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// How the planned iterations of a test ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Iterations the schedule planned up to the end of the run.
    pub planned: u64,
    /// `run` returned.
    pub passed: u64,
    /// `__init__`, `setup` or `run` raised.
    pub failed: u64,
    /// Planned but never started: still waiting when the run stopped.
    pub dropped: u64,
    /// Started and abandoned at the hard stop.
    pub interrupted: u64,
    /// Given to a worker that died before it told how they ended.
    pub lost: u64,
}

impl Account {
    /// Iterations that were started and of which the end is known: what 1.0.1 called "fired".
    pub fn fired(&self) -> u64 {
        sum([self.passed, self.failed, self.interrupted])
    }

    /// Iterations whose end is told, by whatever name.
    pub fn told(&self) -> u64 {
        sum([self.passed, self.failed, self.dropped, self.interrupted])
    }

    /// Whether `planned = passed + failed + dropped + interrupted + lost`.
    pub fn balances(&self) -> bool {
        self.planned == self.told().saturating_add(self.lost)
    }
}

/// At most what 64 bits hold: what workers claim never overflows.
fn sum<const N: usize>(counts: [u64; N]) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

impl AddAssign for Account {
    fn add_assign(&mut self, other: Self) {
        self.planned = self.planned.saturating_add(other.planned);
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.interrupted = self.interrupted.saturating_add(other.interrupted);
        self.lost = self.lost.saturating_add(other.lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_balances_only_when_every_iteration_is_told() {
        let mut account = Account {
            planned: 10,
            passed: 5,
            failed: 1,
            dropped: 1,
            interrupted: 1,
            lost: 2,
        };
        assert!(account.balances());
        assert_eq!(account.fired(), 7);
        account += Account {
            planned: 1,
            ..Account::default()
        };
        assert!(!account.balances());
    }
}
