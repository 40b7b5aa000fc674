//! The interpreter as seen by those who do not hold it, and perhaps cannot have it: whether it can be had, and where its threads stand.
//!
//! `faulthandler` writes the stacks of all threads from a signal's handler, without the interpreter. We raise that signal on our own thread, and
//! only while nobody gets the interpreter, so that no thread but the one that holds it can move under the reader's eyes. Nothing here may
//! wait, but for [`Outside::touch`].

use parking_lot::Mutex;
use pyo3::prelude::*;
use pysurge_engine::Outside;
use rustix::fs::{SeekFrom, fstat, ftruncate, seek};
use rustix::io::{Errno, pread};
use rustix::thread::gettid;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, RawFd};

/// The threads that Python runs on, as far as they are ours: `pthread_self()`, the system's number, the name.
static THREADS: Mutex<Vec<(u64, i32, String)>> = Mutex::new(Vec::new());

/// At most so much is read of what was written: a hundred threads of a hundred frames.
const MAX_BYTES: u64 = 2_000_000;

/// The calling thread is told of by this name from now on.
pub(crate) fn name_thread(name: &str) {
    thread_local! {
        static NAMED: Cell<bool> = const { Cell::new(false) };
    }
    if NAMED.replace(true) {
        return;
    }
    // SAFETY: asks for the caller's own number.
    #[expect(unsafe_code, reason = "Python knows its threads by libc's number")]
    #[allow(clippy::unnecessary_cast, reason = "not the same type everywhere")]
    let ident = unsafe { libc::pthread_self() } as u64;
    let mut threads = THREADS.lock();
    // The numbers of threads that have ended are used again.
    threads.retain(|(other, _, _)| *other != ident);
    threads.push((ident, gettid().as_raw_nonzero().get(), name.to_owned()));
}

/// An interpreter with a GIL.
pub(crate) struct Interpreter {
    stacks: Option<StackFile>,
    /// The folder of our own frames, which nobody needs to see.
    package: String,
}

/// Where the handler writes.
struct StackFile {
    signal: i32,
    fd: RawFd,
    /// That it is still the file it was: user code may close what it did not open.
    device_and_inode: (u64, u64),
    /// And the handler.
    handler: usize,
}

impl Interpreter {
    /// `stacks` are the signal whose handler writes the stacks, and the descriptor it writes to.
    pub(crate) fn new(stacks: Option<(i32, RawFd)>, package: String) -> Self {
        let stacks = stacks.and_then(|(signal, fd)| {
            Some(StackFile {
                signal,
                fd,
                device_and_inode: device_and_inode(fd).ok()?,
                handler: handler(signal)?,
            })
        });
        Self { stacks, package }
    }
}

impl Outside for Interpreter {
    fn touch(&self) {
        Python::attach(|_| ());
    }

    fn stacks(&self) -> String {
        let written = self.stacks.as_ref().and_then(StackFile::write);
        written.map_or_else(String::new, |text| told(&text, &self.package))
    }
}

impl StackFile {
    /// Has the stacks written, and reads them.
    fn write(&self) -> Option<String> {
        if device_and_inode(self.fd).ok()? != self.device_and_inode || handler(self.signal)? != self.handler {
            return None;
        }
        let file = borrowed(self.fd);
        ftruncate(file, 0).ok()?;
        seek(file, SeekFrom::Start(0)).ok()?;
        raise(self.signal);
        let length = usize::try_from(fstat(file).ok()?.st_size.unsigned_abs().min(MAX_BYTES)).ok()?;
        let (mut bytes, mut read) = (vec![0; length], 0);
        while read < length {
            match pread(file, &mut bytes[read..], read as u64).ok()? {
                0 => break,
                count => read += count,
            }
        }
        bytes.truncate(read);
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn borrowed(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: opened for as long as the process lives; where user code has closed it all the same, calls fail or find another file, which
    // is looked at before each use.
    #[expect(unsafe_code, reason = "a descriptor crosses from Python as a number")]
    unsafe {
        BorrowedFd::borrow_raw(fd)
    }
}

#[allow(clippy::unnecessary_cast, reason = "not the same type everywhere")]
fn device_and_inode(fd: RawFd) -> Result<(u64, u64), Errno> {
    fstat(borrowed(fd)).map(|stat| (stat.st_dev as u64, stat.st_ino as u64))
}

/// The address of a signal's handler; `None` where it has none of its own.
fn handler(signal: i32) -> Option<usize> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: libc fills in what it is given to, and changes nothing.
    #[expect(unsafe_code, reason = "signals are libc's")]
    let action = unsafe {
        if libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) != 0 {
            return None;
        }
        action.assume_init()
    };
    let handler = action.sa_sigaction;
    (handler != libc::SIG_DFL && handler != libc::SIG_IGN).then_some(handler)
}

/// Runs the signal's handler on the calling thread, before it returns.
fn raise(signal: i32) {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is made before it is used. The handler is `faulthandler`'s, which needs no interpreter and takes no lock.
    #[expect(unsafe_code, reason = "signals are libc's")]
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        // User code may have blocked everything before this thread was made.
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::raise(signal);
    }
}

/// A thread's stack, as it is told.
struct Stack {
    heading: String,
    /// It waits for a lock, as all do that wait for the interpreter.
    waits_for_lock: bool,
    lines: Vec<String>,
}

/// What `faulthandler` wrote, with the names of threads and what each is at; only those that are in user code, first those that wait for no lock:
/// among them is the one that holds the interpreter.
fn told(written: &str, package: &str) -> String {
    let mut stacks: Vec<Stack> = Vec::new();
    for line in written.lines() {
        if let Some(ident) = thread_of(line) {
            stacks.push(heading(ident));
        } else if let Some(stack) = stacks.last_mut()
            && is_users(line, package)
        {
            stack.lines.push(line.to_owned());
        }
    }
    stacks.retain(|stack| !stack.lines.is_empty());
    stacks.sort_by_key(|stack| stack.waits_for_lock);
    let told = stacks
        .iter()
        .map(|stack| format!("{}\n{}", stack.heading, stack.lines.join("\n")));
    told.collect::<Vec<_>>().join("\n")
}

/// `Thread 0x00007f12a7ffe640 (most recent call first):`
fn thread_of(line: &str) -> Option<u64> {
    let rest = line
        .strip_prefix("Thread 0x")
        .or_else(|| line.strip_prefix("Current thread 0x"))?;
    u64::from_str_radix(rest.split_whitespace().next()?, 16).ok()
}

/// `  File "case.py", line 12 in run`
fn is_users(line: &str, package: &str) -> bool {
    let file = line
        .trim_start()
        .strip_prefix("File \"")
        .and_then(|rest| rest.split('"').next());
    file.is_some_and(|file| {
        !file.starts_with(package) && !file.starts_with('<') && !file.ends_with("/threading.py")
    })
}

fn heading(ident: u64) -> Stack {
    let known = THREADS
        .lock()
        .iter()
        .find(|(other, _, _)| *other == ident)
        .cloned();
    let Some((_, tid, name)) = known else {
        return Stack {
            heading: "a thread of user code, most recent call first:".to_owned(),
            waits_for_lock: true,
            lines: Vec::new(),
        };
    };
    let read =
        |file: &str| std::fs::read_to_string(format!("/proc/self/task/{tid}/{file}")).unwrap_or_default();
    // The name in the second field may hold anything.
    let state = read("stat")
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim_start().chars().next());
    let place = read("wchan");
    let at = match (state, place.as_str()) {
        (Some('R'), _) => "computes".to_owned(),
        (_, "" | "0") => "waits".to_owned(),
        (_, place) => format!("waits in {place}"),
    };
    Stack {
        heading: format!("thread {name} {at}, most recent call first:"),
        waits_for_lock: place.contains("futex"),
        lines: Vec::new(),
    }
}
