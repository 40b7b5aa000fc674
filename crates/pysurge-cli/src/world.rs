//! What the command may touch of the world outside, handed in by whoever owns the process.

use crate::clock;
use pysurge_core::harmless::{Colours, harmless_lines};
use pysurge_manager::StopRequests;
use pysurge_report::Size;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The world outside. Owned by one call of [`crate::run`] or [`crate::run_config`].
#[derive(Debug)]
pub struct World {
    /// The arguments, the program's name first.
    pub args: Vec<OsString>,
    /// The environment; variables that are not UTF-8 may be left out.
    pub env: BTreeMap<String, String>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// Standard output: reports and data.
    pub stdout: Output,
    /// Standard error: progress, notices, errors.
    pub stderr: Output,
    /// Columns of the terminal at the start, where there is one.
    pub columns: Option<u16>,
    /// How large the terminal of standard error is now; `None` where there is none, or another process has it.
    pub size: fn() -> Option<Size>,
    /// The interpreter that workers are started with: `sys.executable`.
    pub python: PathBuf,
    /// Whether that interpreter runs without a GIL: one worker then keeps every core busy.
    pub free_threaded: bool,
    /// CPUs this process may use: as many workers unless the user says otherwise.
    pub cpus: u32,
    /// The folder of the shipped demo: `config.yml` and its test case.
    pub demo: PathBuf,
    /// Nanoseconds since 1970 UTC.
    pub wall_ns: fn() -> u64,
    /// How the user stops the command.
    pub signals: StopSignals,
    /// The terminal whose keys steer a run: a descriptor of standard input, where that is a terminal.
    pub keyboard: Option<OwnedFd>,
    /// The id of this process, which names its control socket.
    pub pid: u32,
    /// Where the folder for control sockets is made if `XDG_RUNTIME_DIR` names none: `/tmp`.
    pub temp_dir: Option<PathBuf>,
}

impl World {
    /// A world with everything but arguments and streams at values that suit a test: no environment, no
    /// terminal, two CPUs, no signals, no place for control sockets. Set the rest by struct update.
    pub fn new(args: impl IntoIterator<Item = impl Into<OsString>>, stdout: Output, stderr: Output) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: PathBuf::from("."),
            stdout,
            stderr,
            columns: None,
            size: || None,
            python: PathBuf::from("python3"),
            free_threaded: false,
            cpus: 2,
            demo: PathBuf::from("demo"),
            wall_ns: clock::wall_ns,
            signals: StopSignals::Ignored,
            keyboard: None,
            pid: std::process::id(),
            temp_dir: None,
        }
    }

    /// A variable of the environment; an empty one counts as not set, as the conventions for colours have it.
    pub(crate) fn set_var(&self, name: &str) -> Option<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// How the user stops a command that goes on until it is stopped.
#[derive(Debug, Clone)]
pub enum StopSignals {
    /// SIGINT (Ctrl+C) and SIGTERM of this process, for as long as the command goes on.
    Process,
    /// Whoever owns the process asks, because its signals are another's.
    Requests(StopRequests),
    /// Signals are left alone; what would wait for one ends at once.
    Ignored,
}

/// One of the two streams. Clones write to the same place.
#[derive(Clone)]
pub struct Output {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    is_terminal: bool,
}

impl Output {
    /// A stream that writes to `writer`.
    pub fn new(writer: impl Write + Send + 'static, is_terminal: bool) -> Self {
        Self {
            writer: Arc::new(Mutex::new(Box::new(writer))),
            is_terminal,
        }
    }

    /// Whether somebody looks at it.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes a text and flushes. A reader that has gone away (`| head`) is no error. On a terminal nothing but text and colours gets through,
    /// whoever it is from; a program gets the data as they are.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        if self.is_terminal {
            self.tell(text)
        } else {
            self.put(text)
        }
    }

    /// As [`Output::print`], for words that are never data.
    pub(crate) fn tell(&mut self, text: &str) -> io::Result<()> {
        self.put(&harmless_lines(text, Colours::Keep))
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        let written = self.write_all(text.as_bytes()).and_then(|()| self.flush());
        written.or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(error),
        })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("is_terminal", &self.is_terminal)
            .finish_non_exhaustive()
    }
}
