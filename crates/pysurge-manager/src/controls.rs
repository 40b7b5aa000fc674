//! What other threads ask of a run while it goes on: keys of the terminal, clients of the control socket.
//!
//! An asker blocks until the thread that leads the run has answered, and is let go when the run is over: the run's end of the queue dies
//! with the run, and every request in it is answered with [`Refusal::Over`]. A byte in a socket wakes the run from its `poll`.

use crate::outcome::ManagerError;
use pysurge_core::control::{Answer, Command, Refusal};
use pysurge_core::event::Actor;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

/// Asks a run that goes on. Clones ask the same run; one run at a time listens.
#[derive(Debug, Clone, Default)]
pub struct Controls {
    line: Arc<Mutex<Option<Line>>>,
}

/// The way to the run that listens.
#[derive(Debug)]
struct Line {
    requests: Sender<Request>,
    waker: UnixStream,
    /// The thread that answers, which must not wait for itself.
    answers: ThreadId,
}

/// One question and the way back.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) by: Actor,
    reply: SyncSender<Answer>,
}

impl Request {
    /// Lets the asker go on. Without it, the asker is told that the run is over.
    pub(crate) fn answer(self, answer: Answer) {
        // The asker waits for this one message, unless its thread was killed.
        let _ = self.reply.try_send(answer);
    }
}

impl Controls {
    /// Controls that no run listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks, and waits for the answer: milliseconds. [`Refusal::Over`] where no run listens, or it ends meanwhile.
    ///
    /// To be called from any thread but the one that leads the run: a sink's `emit` must not ask.
    pub fn ask(&self, command: Command, by: Actor) -> Answer {
        let (reply, answer) = sync_channel(1);
        {
            let line = self.lock();
            let line = line.as_ref().ok_or(Refusal::Over)?;
            if line.answers == std::thread::current().id() {
                return Err(Refusal::Malformed(
                    "the thread that leads the run cannot ask it".to_owned(),
                ));
            }
            let request = Request { command, by, reply };
            line.requests.send(request).map_err(|_| Refusal::Over)?;
            // Where its buffer is full, enough bytes are on the way to wake anybody.
            let _ = (&line.waker).write(&[1]);
        }
        answer.recv().unwrap_or(Err(Refusal::Over))
    }

    /// From now on the calling thread answers, until what is returned is dropped.
    pub(crate) fn listen(&self) -> Result<Listener, ManagerError> {
        let (bell, waker) = UnixStream::pair()
            .and_then(|(bell, waker)| {
                bell.set_nonblocking(true)?;
                waker.set_nonblocking(true)?;
                Ok((bell, waker))
            })
            .map_err(|source| ManagerError::System {
                action: "listen to controls",
                source,
            })?;
        let (sender, requests) = channel();
        *self.lock() = Some(Line {
            requests: sender,
            waker,
            answers: std::thread::current().id(),
        });
        Ok(Listener {
            controls: self.clone(),
            bell,
            requests,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Line>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The run's end.
#[derive(Debug)]
pub(crate) struct Listener {
    controls: Controls,
    bell: UnixStream,
    requests: Receiver<Request>,
}

impl Listener {
    /// Readable when somebody asks.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Everything that was asked.
    pub(crate) fn take(&mut self) -> Vec<Request> {
        let mut bytes = [0; 256];
        while matches!(self.bell.read(&mut bytes), Ok(count) if count > 0) {}
        self.requests.try_iter().collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Whoever asks from here on is told at once; who has asked is let go when the queue is dropped.
        *self.controls.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn without_a_run_the_answer_is_over() {
        let controls = Controls::new();
        assert_eq!(controls.ask(Command::Status, Actor::Key), Err(Refusal::Over));
        drop(controls.listen().unwrap());
        assert_eq!(controls.ask(Command::Status, Actor::Key), Err(Refusal::Over));
    }

    #[test]
    fn askers_are_answered_in_order_or_let_go() {
        let controls = Controls::new();
        let mut listener = controls.listen().unwrap();
        let asker = |command| {
            let controls = controls.clone();
            thread::spawn(move || controls.ask(command, Actor::Socket))
        };
        let first = asker(Command::Pause);
        let taken = std::iter::repeat_with(|| listener.take()).find(|taken| !taken.is_empty());
        for request in taken.unwrap() {
            assert_eq!((request.command, request.by), (Command::Pause, Actor::Socket));
            request.answer(Err(Refusal::NotStarted));
        }
        assert_eq!(first.join().unwrap(), Err(Refusal::NotStarted));
        let (second, third) = (asker(Command::Stop), asker(Command::Status));
        // One is taken and never answered, one may still lie in the queue.
        let taken = std::iter::repeat_with(|| listener.take()).find(|taken| !taken.is_empty());
        drop(taken);
        drop(listener);
        assert_eq!(second.join().unwrap(), Err(Refusal::Over));
        assert_eq!(third.join().unwrap(), Err(Refusal::Over));
    }

    #[test]
    fn who_leads_the_run_does_not_wait_for_itself() {
        let controls = Controls::new();
        let _listener = controls.listen().unwrap();
        assert!(matches!(
            controls.ask(Command::Status, Actor::Key),
            Err(Refusal::Malformed(_))
        ));
    }
}
