//! The process edge of a native worker: its channel, and how it ends when nobody may be waited for.

use crate::host::NativeHost;
use crate::test::Catalogue;
use pysurge_engine::worker::serve;
use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Serves the manager at the other end of standard input with the tests of a catalogue, until the run is over.
///
/// Return from `main` soon after it: threads may be left that will never end, and the end of `main` is the end of them.
pub fn serve_stdin(catalogue: Catalogue) -> io::Result<()> {
    let stdin = io::stdin();
    // The copy is close-on-exec: what a test starts must not hold the channel open, so standard input becomes another file too.
    let channel = UnixStream::from(stdin.as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    serve(&mut NativeHost::new(catalogue), channel, end_process)?;
    Ok(())
}

/// Ends this worker at once and, as it leads a process group of its own, whatever its tests started.
fn end_process() {
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    let _ = kill_process(getpid(), Signal::KILL);
}
