//! A simulated worker: what it is, what goes wrong with it, and how far it has got.

use super::feed::Feed;
use pysurge_core::schedule::Course;
use pysurge_core::wire::{Start, Stop};

/// What goes wrong with a worker, at its `at`-th message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Dies,
    FallsSilent,
    SendsGarbage,
    SkipsASnapshot,
    ClosesItsChannel,
    SaysTheWrongThing,
    FailsToLoad,
    FailsToStartUp,
    FailsItsRehearsal,
    HangsAtItsExit,
    TellsOfNoTest,
    TellsUnasked,
    Stalls,
    Freezes,
    TellsTheImpossible,
}

pub(super) const FAULTS: [Fault; 18] = [
    // Most of what happens happens to processes.
    Fault::Dies,
    Fault::Dies,
    Fault::Dies,
    Fault::Dies,
    Fault::Stalls,
    Fault::Freezes,
    Fault::TellsTheImpossible,
    Fault::FallsSilent,
    Fault::SendsGarbage,
    Fault::SkipsASnapshot,
    Fault::ClosesItsChannel,
    Fault::SaysTheWrongThing,
    Fault::FailsToLoad,
    Fault::FailsToStartUp,
    Fault::FailsItsRehearsal,
    Fault::HangsAtItsExit,
    Fault::TellsOfNoTest,
    Fault::TellsUnasked,
];

/// One simulated worker.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each a fault of its own"
)]
pub(super) struct Actor {
    /// Its place in the run.
    pub(super) slot: usize,
    /// How many were there before.
    pub(super) life: u32,
    /// Its process could not be made.
    pub(super) unborn: bool,
    pub(super) fault: Fault,
    pub(super) fault_at: u64,
    pub(super) said: u64,
    pub(super) silent: bool,
    pub(super) dead: bool,
    /// The end of its channel never shows: a grandchild holds it.
    pub(super) held_open: bool,
    /// Its channel keeps order.
    pub(super) last_delivery_ns: u64,
    pub(super) last_receipt_ns: u64,
    pub(super) tests: usize,
    pub(super) run: Option<ActorRun>,
    pub(super) last_stop: Option<Stop>,
    pub(super) drained: bool,
    pub(super) reaped: u32,
}

pub(super) struct ActorRun {
    pub(super) start: Start,
    pub(super) feeds: Vec<Option<Feed>>,
    pub(super) course: Course,
    pub(super) sequence: u64,
    pub(super) used_ns: u64,
    /// New deals that it has heeded.
    pub(super) deals: u32,
}
