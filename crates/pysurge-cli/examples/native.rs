//! The command with native tests in the place of Python's, as a process of its own: for tests of keys, signals and sockets.
//! Started by itself, as its own interpreter, it is a worker.
//!
//! With `PYSURGE_ON_TERMINAL` set it makes the terminal that is its standard input its own, as a shell does for what it starts.
#![expect(
    clippy::disallowed_methods,
    reason = "this is where the process's own world is taken in"
)]

use pysurge_cli::{Output, StopSignals, World, run};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::termios::isatty;
use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let args: Vec<OsString> = env::args_os().collect();
    if args.get(1).is_some_and(|arg| arg == "-c") && args.len() == 3 {
        pysurge_testkit::serve_stdin(pysurge_testkit::native)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stdin = io::stdin();
    if env::var_os("PYSURGE_ON_TERMINAL").is_some() {
        setsid()?;
        ioctl_tiocsctty(&stdin)?;
    }
    let stdout = Output::new(io::stdout(), isatty(io::stdout()));
    let stderr = Output::new(io::stderr(), isatty(io::stderr()));
    let variables = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let world = World {
        env: variables.collect(),
        cwd: env::current_dir()?,
        python: env::current_exe()?,
        signals: StopSignals::Process,
        keyboard: isatty(&stdin)
            .then(|| stdin.as_fd().try_clone_to_owned())
            .transpose()?,
        temp_dir: Some("/tmp".into()),
        ..World::new(args, stdout, stderr)
    };
    Ok(run(world).into())
}
