//! The side of the run. One thread accepts, and one serves each client, so that a slow one blocks nobody. All of them wait for
//! their client or for the end of the run, whichever comes first; none of them costs anything while nobody asks.
//!
//! What goes wrong with a client ends its connection and nothing else.

use super::lines::{Line, Lines};
use super::place::Socket;
use crate::wait::{Ender, Waiter, Woken, ender};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::control::{Answer, Command, MAX_REQUEST_BYTES, Refusal, answer_line, parse_request};
use rustix::event::PollFlags;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Clients at the same time: a dashboard or two and a few scripts.
const MAX_CLIENTS: usize = 16;

/// How long a client may leave an answer unread; the system keeps hundreds for it before that counts.
const WRITE_TIMEOUT_NS: u64 = 5 * NANOS_PER_SEC;

/// How long to wait before the next try where the system has no resources for a connection.
const RETRY_NS: u64 = NANOS_PER_SEC / 100;

/// How many bytes are read at once.
const READ_BYTES: usize = 4_096;

/// Answers a command; called from several threads at once.
pub(crate) type Ask = dyn Fn(Command) -> Answer + Send + Sync;

/// A socket that is served. Dropping it ends every connection and waits until every thread has ended.
#[derive(Debug)]
pub(crate) struct Server {
    ender: Option<Ender>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to serve a socket, which it removes at its end.
    pub(crate) fn start(socket: Socket, ask: Arc<Ask>) -> io::Result<Self> {
        let (ender, waiter) = ender()?;
        let acceptor = thread("pysurge control", move || accept(socket, &ask, &waiter))?;
        Ok(Self {
            ender: Some(ender),
            acceptor: Some(acceptor),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.ender.take());
        if let Some(acceptor) = self.acceptor.take() {
            // A panic there was told when it happened.
            let _ = acceptor.join();
        }
    }
}

fn thread(name: &str, life: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(life)
}

fn accept(socket: Socket, ask: &Arc<Ask>, waiter: &Waiter) {
    let mut clients: Vec<JoinHandle<()>> = Vec::new();
    let wait = || waiter.wait(Some((socket.listener.as_fd(), PollFlags::IN)), None);
    while let Ok(Woken::Ready | Woken::Nudged) = wait() {
        let Ok((stream, _)) = socket.listener.accept() else {
            // Gone again, or no descriptor is free.
            let _ = waiter.sleep(RETRY_NS);
            continue;
        };
        clients.retain(|client| !client.is_finished());
        if clients.len() < MAX_CLIENTS {
            let (ask, waiter) = (Arc::clone(ask), waiter.clone());
            let client = thread("pysurge client", move || {
                let _ = serve(&stream, ask.as_ref(), &waiter);
            });
            clients.extend(client);
        } else {
            let _ = turn_away(stream);
        }
    }
    // Gone first, so that nobody comes while the last ones leave.
    drop(socket);
    for client in clients {
        let _ = client.join();
    }
}

/// The client knows why, where it reads.
fn turn_away(mut stream: UnixStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.write_all(&refusal(format!(
        "{MAX_CLIENTS} clients are connected, which is the most; try again later"
    )))
}

fn serve(mut stream: &UnixStream, ask: &Ask, waiter: &Waiter) -> io::Result<()> {
    if !is_ours(stream) {
        return Ok(());
    }
    stream.set_nonblocking(true)?;
    let (mut lines, mut bytes) = (Lines::default(), [0; READ_BYTES]);
    while waiter.wait(Some((stream.as_fd(), PollFlags::IN)), None)? != Woken::Ended {
        match stream.read(&mut bytes) {
            Ok(0) => {
                if let Some(line) = lines.rest() {
                    send(stream, &answer(&line, ask), waiter)?;
                }
                return Ok(());
            }
            Ok(count) => {
                for line in lines.push(&bytes[..count]) {
                    send(stream, &answer(&line, ask), waiter)?;
                }
            }
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the client runs as this user, or as one who may do anything.
#[cfg(target_os = "linux")]
fn is_ours(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid() || peer.uid.is_root())
}

/// The modes of the folder and of the socket say it.
#[cfg(not(target_os = "linux"))]
fn is_ours(_: &UnixStream) -> bool {
    true
}

fn answer(line: &Line, ask: &Ask) -> Vec<u8> {
    match line {
        Line::Text(text) => end_line(&parse_request(text).and_then(ask)),
        Line::TooLong => refusal(format!("a request has at most {MAX_REQUEST_BYTES} bytes")),
    }
}

fn refusal(text: String) -> Vec<u8> {
    end_line(&Err(Refusal::Malformed(text)))
}

fn end_line(answer: &Answer) -> Vec<u8> {
    (answer_line(answer) + "\n").into_bytes()
}

/// Writes all of it, unless the client leaves it unread for too long.
fn send(mut stream: &UnixStream, mut bytes: &[u8], waiter: &Waiter) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match waiter.wait(Some((stream.as_fd(), PollFlags::OUT)), Some(WRITE_TIMEOUT_NS))? {
                    Woken::Ready | Woken::Nudged => {}
                    Woken::Ended | Woken::TimedOut => return Err(io::ErrorKind::TimedOut.into()),
                }
            }
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

#[cfg(test)]
mod tests;
