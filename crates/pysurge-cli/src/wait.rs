//! Waiting for a descriptor in a way that another thread can end: a thread that waits for a client or a key must not
//! outlive its run.
//!
//! Whoever waits holds a [`Waiter`], whoever ends it the [`Ender`]. No thread is woken while nothing happens.

use crate::clock::monotonic_ns;
use pysurge_core::NANOS_PER_SEC;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Ends all that wait once it is dropped.
#[derive(Debug)]
pub(crate) struct Ender(UnixStream);

/// Tells a waiting thread to end or to look about. Clones are told together.
#[derive(Debug, Clone)]
pub(crate) struct Waiter(Arc<UnixStream>);

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The descriptor can be read or written, or its other side has gone.
    Ready,
    /// Somebody wants the thread to look about: [`Ender::nudge`].
    Nudged,
    /// The end.
    Ended,
    /// The time is over.
    TimedOut,
}

/// Both sides.
pub(crate) fn ender() -> io::Result<(Ender, Waiter)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((Ender(ours), Waiter(Arc::new(theirs))))
}

impl Ender {
    /// Has the waiting thread look about. With several of them only one is sure to.
    pub(crate) fn nudge(&self) {
        // Where it is full, a nudge is on its way.
        let _ = (&self.0).write(&[0]);
    }
}

impl Waiter {
    /// Waits until `wanted`, where there is one, is ready, until the end, or for so long.
    pub(crate) fn wait(
        &self,
        wanted: Option<(BorrowedFd<'_>, PollFlags)>,
        timeout_ns: Option<u64>,
    ) -> io::Result<Woken> {
        let deadline_ns = timeout_ns.map(|timeout_ns| monotonic_ns().saturating_add(timeout_ns));
        loop {
            let mut polled = vec![PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
            polled.extend(wanted.map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
            let left = deadline_ns.map(|deadline_ns| timespec(deadline_ns.saturating_sub(monotonic_ns())));
            match poll(&mut polled, left.as_ref()) {
                Ok(0) => return Ok(Woken::TimedOut),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if !polled[0].revents().is_empty() {
                return self.heed();
            }
            return Ok(Woken::Ready);
        }
    }

    /// Waits for the end, for so long.
    pub(crate) fn sleep(&self, timeout_ns: u64) -> io::Result<Woken> {
        self.wait(None, Some(timeout_ns))
    }

    fn heed(&self) -> io::Result<Woken> {
        let mut nudges = [0; 64];
        match (&*self.0).read(&mut nudges) {
            Ok(0) => Ok(Woken::Ended),
            Ok(_) => Ok(Woken::Nudged),
            // Another thread was faster.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Woken::Nudged),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Woken::Nudged),
            Err(error) => Err(error),
        }
    }
}

fn timespec(ns: u64) -> Timespec {
    let part = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
    Timespec {
        tv_sec: part(ns / NANOS_PER_SEC),
        tv_nsec: part(ns % NANOS_PER_SEC),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_wait_ends_when_it_is_told_to_also_in_several_threads() {
        let (ender, waiter) = ender().unwrap();
        let (one, _other) = UnixStream::pair().unwrap();
        let threads = [0, 1].map(|_| {
            let (waiter, one) = (waiter.clone(), one.try_clone().unwrap());
            thread::spawn(move || waiter.wait(Some((one.as_fd(), PollFlags::IN)), None).unwrap())
        });
        drop(ender);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Woken::Ended);
        }
    }

    #[test]
    fn a_wait_tells_why_it_is_over() {
        let (ender, waiter) = ender().unwrap();
        let (one, mut other) = UnixStream::pair().unwrap();
        let wait = |timeout_ns| {
            waiter
                .wait(Some((one.as_fd(), PollFlags::IN)), timeout_ns)
                .unwrap()
        };
        assert_eq!(wait(Some(1)), Woken::TimedOut);
        assert_eq!(waiter.sleep(1).unwrap(), Woken::TimedOut);
        other.write_all(b"x").unwrap();
        assert_eq!(wait(None), Woken::Ready);
        ender.nudge();
        assert_eq!(wait(None), Woken::Nudged);
        assert_eq!(wait(None), Woken::Ready);
    }
}
