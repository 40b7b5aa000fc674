//! The keys of the terminal while a run goes on: a thread that waits for them, and the terminal's mode.
//!
//! | the terminal is | and we | then |
//! |---|---|---|
//! | wanted | in the foreground | its lines are taken key by key, without echo; Ctrl+C and Ctrl+Z stay signals |
//! | wanted | in the background (`bg`) | it is left alone, and looked after again now and then |
//! | not wanted (before the run, suspended, after it) | | it is as it was found |
//!
//! Reading or setting a terminal from the background would stop the process, so neither is done without a look at who has it, under
//! a lock that a suspension takes too. [`keys`] says what the keys mean.

pub(crate) mod keys;
mod terminal;

use crate::wait::{Ender, Waiter, Woken, ender};
use keys::Key;
use pysurge_core::NANOS_PER_SEC;
use rustix::event::PollFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
pub(crate) use terminal::is_in_foreground;
use terminal::{Read, Terminal};

/// How often a run in the background looks whether it was brought back: soon enough for a hand.
const LOOK_NS: u64 = NANOS_PER_SEC / 2;

/// Says whether this process may read a terminal and set its mode.
pub(crate) type Foreground = fn(&OwnedFd) -> bool;

/// The keys of a terminal. Dropping it gives the terminal back and waits until its thread has ended.
#[derive(Debug)]
pub(crate) struct Keyboard {
    watch: Watch,
    thread: Option<JoinHandle<()>>,
}

/// Takes the terminal and gives it back, from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    terminal: Arc<Terminal>,
    ender: Arc<Mutex<Option<Ender>>>,
}

impl Keyboard {
    /// Calls `pressed` for each key, from a thread of its own, once the terminal is wanted.
    pub(crate) fn start(
        terminal: OwnedFd,
        foreground: Foreground,
        pressed: impl FnMut(Key) + Send + 'static,
    ) -> io::Result<Self> {
        let (ender, waiter) = ender()?;
        let terminal = Arc::new(Terminal::new(terminal, foreground));
        let of_thread = Arc::clone(&terminal);
        let thread = Builder::new()
            .name("pysurge keys".to_owned())
            .spawn(move || listen(&of_thread, &waiter, pressed))?;
        Ok(Self {
            watch: Watch {
                terminal,
                ender: Arc::new(Mutex::new(Some(ender))),
            },
            thread: Some(thread),
        })
    }

    /// What takes the terminal and gives it back.
    pub(crate) fn watch(&self) -> Watch {
        self.watch.clone()
    }
}

impl Watch {
    /// The terminal is wanted from here on.
    pub(crate) fn take(&self) {
        self.terminal.take();
        let ender = self.ender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ender) = &*ender {
            ender.nudge();
        }
    }

    /// The terminal is as it was found, and not read, from the return of this call on.
    pub(crate) fn give_back(&self) {
        self.terminal.give_back();
    }

    /// As [`Watch::give_back`], for good.
    pub(crate) fn end(&self) {
        self.terminal.end();
        let mut ender = self.ender.lock().unwrap_or_else(PoisonError::into_inner);
        drop(ender.take());
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.watch.end();
        if let Some(thread) = self.thread.take() {
            // A panic there was told when it happened.
            let _ = thread.join();
        }
    }
}

fn listen(terminal: &Terminal, waiter: &Waiter, mut pressed: impl FnMut(Key)) {
    loop {
        let woken = match terminal.look() {
            terminal::Hold::Ours => waiter.wait(Some((terminal.fd().as_fd(), PollFlags::IN)), None),
            terminal::Hold::Background => waiter.sleep(LOOK_NS),
            terminal::Hold::Unwanted => waiter.wait(None, None),
        };
        match woken {
            Ok(Woken::Nudged | Woken::TimedOut) => {}
            Ok(Woken::Ready) => match terminal.read() {
                Read::Bytes(bytes) => keys::decode(&bytes).into_iter().for_each(&mut pressed),
                Read::NotNow => {}
                Read::Gone => return,
            },
            Ok(Woken::Ended) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
