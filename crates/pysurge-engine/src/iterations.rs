//! Single iterations on their way to the manager, where somebody asked for every one of them: a bounded list that is sent several times a
//! second. What comes while it is full is counted and not kept, so that a slow disk never slows the load.

use crate::worker::Outbox;
use parking_lot::{Condvar, Mutex};
use pysurge_core::wire::{FromWorker, IterationRecord};
use std::sync::Arc;
use std::time::Duration;

/// Iterations that may wait here: at 300 bytes each, 30 MB, or a quarter of a second at the highest rate there is.
const MAX_WAITING: usize = 100_000;

/// Iterations in one message: a frame of about a megabyte.
const BATCH: usize = 4_000;

/// How often they are sent.
const INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct Waiting {
    iterations: Vec<IterationRecord>,
    untold: u64,
    ended: bool,
}

/// The list of a worker. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct IterationLog {
    waiting: Arc<Mutex<Waiting>>,
    changed: Arc<Condvar>,
    /// Held while iterations are sent, so that what is taken last is sent last, and nobody who adds one waits for it.
    sending: Arc<Mutex<()>>,
}

impl IterationLog {
    /// Starts the thread that sends what is in the list.
    pub(crate) fn start(outbox: Outbox) -> std::io::Result<Self> {
        let log = Self::default();
        let sender = log.clone();
        std::thread::Builder::new()
            .name("pysurge-iterations".into())
            .spawn(move || sender.send_all(&outbox))?;
        Ok(log)
    }

    fn send_all(&self, outbox: &Outbox) {
        loop {
            let ended = {
                let mut waiting = self.waiting.lock();
                if !waiting.ended {
                    let _ = self.changed.wait_for(&mut waiting, INTERVAL);
                }
                waiting.ended
            };
            if ended {
                return;
            }
            self.flush(outbox);
        }
    }

    /// Adds an iteration, or counts it where there is no room.
    pub(crate) fn add(&self, iteration: IterationRecord) {
        let mut waiting = self.waiting.lock();
        if waiting.iterations.len() < MAX_WAITING {
            waiting.iterations.push(iteration);
        } else {
            waiting.untold += 1;
        }
    }

    /// Sends what is in the list now.
    pub(crate) fn flush(&self, outbox: &Outbox) {
        let _sending = self.sending.lock();
        let mut iterations = std::mem::take(&mut self.waiting.lock().iterations);
        while !iterations.is_empty() {
            let rest = iterations.split_off(iterations.len().min(BATCH));
            let batch = std::mem::replace(&mut iterations, rest);
            let told = batch.len() as u64;
            if !outbox.iterations(&FromWorker::Iterations(batch)) {
                self.waiting.lock().untold += told;
            }
        }
    }

    /// Sends the rest and nothing more after it.
    pub(crate) fn end(&self, outbox: &Outbox) {
        self.flush(outbox);
        self.waiting.lock().ended = true;
        self.changed.notify_all();
    }

    /// Iterations that there was no room for.
    pub(crate) fn untold(&self) -> u64 {
        self.waiting.lock().untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let log = IterationLog::default();
        for _ in 0..MAX_WAITING + 3 {
            log.add(IterationRecord::default());
        }
        assert_eq!(log.untold(), 3);
    }
}
