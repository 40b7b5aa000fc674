//! A worker's process: spawn, channel, pipes, kill, reap. Every read and write returns at once.
//!
//! A worker leads a process group of its own, so that a Ctrl+C on the terminal reaches the manager alone and a kill reaches
//! whatever the worker started. All descriptors are close-on-exec (the standard library makes them so): no worker holds
//! another's channel, and the end of the manager is an end-of-file for each of them.

use crate::lines::LineSplitter;
use crate::outcome::ManagerError;
use crate::settings::Settings;
use crate::worker::Exit;
use pysurge_core::event::Stream;
use pysurge_core::wire::{FrameDecoder, FromWorker, ToWorker, encode};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process, kill_process_group, waitid,
};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// The most bytes read from one descriptor in one turn, so that a worker that floods its output starves nobody.
const TURN_BYTES: usize = 1024 * 1024;

/// One read.
const PIECE_BYTES: usize = 64 * 1024;

/// A process that was spawned. Dropping it kills and reaps it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    reaped: bool,
    pub(crate) channel: Channel,
    stdout: Pipe,
    stderr: Pipe,
}

impl Process {
    /// Starts worker `number`.
    pub(crate) fn spawn(settings: &Settings, number: u32) -> Result<Self, ManagerError> {
        let (program, arguments) = settings.command.split_first().ok_or(ManagerError::NoCommand)?;
        let failed = |source| ManagerError::Spawn {
            worker: number,
            program: program.to_string_lossy().into_owned(),
            source,
        };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(settings.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(cwd) = &settings.cwd {
            command.current_dir(cwd);
        }
        let mut child = command.spawn().map_err(failed)?;
        // Our copy of the worker's end must be closed, or its death would never be an end-of-file.
        drop(command);
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        let mut process = Self {
            child,
            reaped: false,
            channel: Channel::default(),
            stdout: Pipe::default(),
            stderr: Pipe::default(),
        };
        let connected = ours
            .set_nonblocking(true)
            .and_then(|()| Pipe::new(stdout))
            .and_then(|stdout| Ok((stdout, Pipe::new(stderr)?)));
        (process.stdout, process.stderr) = connected.map_err(failed)?;
        process.channel.socket = Some(ours);
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard output and error.
    pub(crate) fn pipes(&self) -> [(Stream, &Pipe); 2] {
        [(Stream::Stdout, &self.stdout), (Stream::Stderr, &self.stderr)]
    }

    /// One of them.
    pub(crate) fn pipe(&mut self, stream: Stream) -> &mut Pipe {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Whether a line may still come.
    pub(crate) fn prints(&self) -> bool {
        self.pipes().iter().any(|(_, pipe)| pipe.descriptor().is_some())
    }

    /// SIGKILL to it and to all of its group; nothing once it was reaped, by us or by another, for then its number may be another's.
    pub(crate) fn kill(&self) {
        let pid = Pid::from_child(&self.child);
        if !self.reaped && self.status().is_ok() {
            // It may be gone already, or have left its group: neither is an error here.
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// How it ended, once it has; it stays a zombie, so that its number stays its own until [`Self::reap`].
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.status() {
            Ok(status) => {
                let status = status?;
                let exit = status.exit_status().map(Exit::Code);
                exit.or(status.terminating_signal().map(Exit::Signal))
            }
            // Somebody else in this process waited for it, or children are reaped by the system.
            Err(_) => Some(Exit::Unknown),
        }
    }

    /// Gives its process id back, if it has ended. What it started and left in its group ends before: afterwards nobody could say whose
    /// that group is.
    pub(crate) fn reap(&mut self) {
        if !self.reaped && matches!(self.status(), Ok(Some(_))) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        self.reaped |= !matches!(self.child.try_wait(), Ok(None));
    }

    /// What the kernel says of it, as long as it is a child of ours: nothing while it runs.
    fn status(&self) -> rustix::io::Result<Option<WaitIdStatus>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(Pid::from_child(&self.child)), options) {
            Err(rustix::io::Errno::INTR) => Ok(None),
            status => status,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            // A process in an uninterruptible wait is left to init; hanging here would be worse.
            self.reap();
        }
    }
}

/// The manager's end of a control channel.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    socket: Option<UnixStream>,
    decoder: FrameDecoder,
    /// What the worker has not taken yet; a handful of messages at most.
    outbox: VecDeque<u8>,
}

/// What was read from a channel.
#[derive(Debug)]
pub(crate) enum Heard {
    Message(FromWorker),
    Garbage(String),
    Closed,
}

impl Channel {
    /// The descriptor to poll, and whether there is something to write.
    pub(crate) fn descriptor(&self) -> Option<(BorrowedFd<'_>, bool)> {
        let socket = self.socket.as_ref()?;
        Some((socket.as_fd(), !self.outbox.is_empty()))
    }

    /// Queues a message and writes what can be written now.
    pub(crate) fn send(&mut self, message: &ToWorker) {
        match encode(message) {
            Ok(frame) => self.outbox.extend(frame),
            // Only a plan beyond any limit of a frame; without its message the worker misses its deadline.
            Err(_) => self.socket = None,
        }
        self.flush();
    }

    /// Writes what can be written now. A failure shows as the end of the channel when it is read.
    pub(crate) fn flush(&mut self) {
        let Some(socket) = &self.socket else { return };
        while !self.outbox.is_empty() {
            match (&*socket).write(self.outbox.as_slices().0) {
                Ok(written) => drop(self.outbox.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.outbox.clear(),
            }
        }
    }

    /// Reads what is there, up to a turn's share.
    pub(crate) fn read(&mut self, mut give: impl FnMut(Heard)) {
        let mut taken = 0;
        let mut piece = vec![0; PIECE_BYTES];
        while let Some(socket) = &self.socket
            && taken < TURN_BYTES
        {
            match (&*socket).read(&mut piece) {
                Ok(count) if count > 0 => {
                    taken += count;
                    self.decoder.extend(&piece[..count]);
                    self.decode(&mut give);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // A reset is an end like any other: the worker died with a message of ours unread.
                Ok(_) | Err(_) => {
                    self.socket = None;
                    give(Heard::Closed);
                }
            }
        }
    }

    fn decode(&mut self, give: &mut impl FnMut(Heard)) {
        loop {
            match self.decoder.next_message() {
                Ok(Some(message)) => give(Heard::Message(message)),
                Ok(None) => return,
                Err(error) => {
                    self.socket = None;
                    give(Heard::Garbage(error.to_string()));
                    return;
                }
            }
        }
    }
}

/// The manager's end of a worker's standard output or error.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    reader: Option<std::fs::File>,
    splitter: LineSplitter,
}

impl Pipe {
    fn new(fd: Option<OwnedFd>) -> io::Result<Self> {
        if let Some(fd) = &fd {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        Ok(Self {
            reader: fd.map(std::fs::File::from),
            splitter: LineSplitter::default(),
        })
    }

    /// The descriptor to poll, until the pipe is at its end.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.reader.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there, up to a turn's share.
    pub(crate) fn read(&mut self, give: &mut dyn FnMut(String)) {
        let mut taken = 0;
        let mut piece = vec![0; PIECE_BYTES];
        while let Some(reader) = &mut self.reader
            && taken < TURN_BYTES
        {
            match reader.read(&mut piece) {
                Ok(count) if count > 0 => {
                    taken += count;
                    self.splitter.push(&piece[..count], &mut *give);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => self.close(give),
            }
        }
    }

    /// Reads no more; gives the last line, where it is unfinished.
    pub(crate) fn close(&mut self, give: &mut dyn FnMut(String)) {
        self.reader = None;
        if let Some(line) = self.splitter.finish() {
            give(line);
        }
    }
}
