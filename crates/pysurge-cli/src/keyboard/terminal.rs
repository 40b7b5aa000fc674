//! The mode of a terminal: who has it, as it was, and as it is while keys are read one by one.

use super::Foreground;
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many bytes are read at once; what is typed ahead further comes next.
const READ_BYTES: usize = 64;

/// Whether this process may read `terminal` and set its mode without being stopped.
pub(crate) fn is_in_foreground(terminal: &OwnedFd) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

/// A terminal that is sometimes ours.
#[derive(Debug)]
pub(super) struct Terminal {
    fd: OwnedFd,
    foreground: Foreground,
    mode: Mutex<Mode>,
}

#[derive(Debug, Default)]
struct Mode {
    wanted: bool,
    /// Nobody wants it ever more.
    ended: bool,
    /// How it was found; there while it is set as we want it.
    found: Option<Termios>,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// It is set as we want it and may be read.
    Ours,
    /// It is another's.
    Background,
    /// It is to be left alone.
    Unwanted,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Keys.
    Bytes(Vec<u8>),
    /// Nothing, or it is not ours at the moment.
    NotNow,
    /// Nothing ever more.
    Gone,
}

impl Terminal {
    pub(super) fn new(fd: OwnedFd, foreground: Foreground) -> Self {
        Self {
            fd,
            foreground,
            mode: Mutex::default(),
        }
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// It is wanted from here on, unless it was ended.
    pub(super) fn take(&self) {
        let mut mode = self.lock();
        mode.wanted = !mode.ended;
        drop(mode);
        self.look();
    }

    /// Sets the mode, where it is wanted and may be.
    pub(super) fn look(&self) -> Hold {
        let mut mode = self.lock();
        if !mode.wanted {
            return Hold::Unwanted;
        }
        if !(self.foreground)(&self.fd) {
            // Whoever has it now has set it as they want it.
            mode.found = None;
            return Hold::Background;
        }
        if mode.found.is_none() {
            mode.found = self.set();
        }
        match mode.found {
            Some(_) => Hold::Ours,
            None => Hold::Background,
        }
    }

    /// Sets the mode and gives the one it had.
    fn set(&self) -> Option<Termios> {
        let found = tcgetattr(&self.fd).ok()?;
        let mut wanted = found.clone();
        wanted.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        // A read never waits: the poll before it did.
        wanted.special_codes[SpecialCodeIndex::VMIN] = 0;
        wanted.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed ahead stays.
        tcsetattr(&self.fd, OptionalActions::Now, &wanted).ok()?;
        Some(found)
    }

    /// Leaves it alone for good.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.give_back();
    }

    pub(super) fn give_back(&self) {
        let mut mode = self.lock();
        mode.wanted = false;
        if let Some(found) = mode.found.take()
            && (self.foreground)(&self.fd)
        {
            let _ = tcsetattr(&self.fd, OptionalActions::Now, &found);
        }
    }

    pub(super) fn read(&self) -> Read {
        let mode = self.lock();
        if mode.found.is_none() || !(self.foreground)(&self.fd) {
            return Read::NotNow;
        }
        let mut bytes = [0; READ_BYTES];
        match rustix::io::read(&self.fd, &mut bytes) {
            // It was ready, and yet nothing came: it has hung up.
            Ok(0) => Read::Gone,
            Ok(count) => Read::Bytes(bytes[..count].to_vec()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Read::NotNow,
            Err(_) => Read::Gone,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
