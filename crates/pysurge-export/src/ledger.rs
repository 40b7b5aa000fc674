//! What became of what was sent: told once, when the run is over.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts what was taken and what was not.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    sent: u64,
    lost: u64,
    /// Why the last of the lost ones was.
    why: String,
    /// Whether somebody still has to be told that something went wrong for the first time.
    is_news: bool,
    closed: bool,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It was taken.
    pub(crate) fn sent(&self) {
        let mut entries = self.lock();
        if !entries.closed {
            entries.sent += 1;
        }
    }

    /// It was not.
    pub(crate) fn lost(&self, why: String) {
        let mut entries = self.lock();
        if !entries.closed {
            entries.is_news |= entries.lost == 0;
            entries.lost += 1;
            entries.why = why;
        }
    }

    /// Nothing more is written: what is still on its way counts as told.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    /// Why something was lost for the first time; given once.
    pub(crate) fn news(&self) -> Option<String> {
        let mut entries = self.lock();
        std::mem::take(&mut entries.is_news).then(|| entries.why.clone())
    }

    /// How many were taken, how many were not, and why the last one was not.
    pub(crate) fn totals(&self) -> (u64, u64, String) {
        let entries = self.lock();
        (entries.sent, entries.lost, entries.why.clone())
    }
}
