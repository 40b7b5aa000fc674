//! Runs the whole command inside a test, and gives what it wrote and its exit code.

use crate::common::Kept;
use pysurge_cli::{Output, World, run};
use std::ffi::OsStr;
use std::path::Path;

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit_code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command line in a folder, in a world that was changed before.
pub(crate) fn ran(args: &[impl AsRef<OsStr>], cwd: &Path, change: impl FnOnce(&mut World)) -> Ran {
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let mut world = World::new(
        args.iter().map(AsRef::as_ref),
        Output::new(stdout.clone(), false),
        Output::new(stderr.clone(), false),
    );
    world.cwd = cwd.to_path_buf();
    // A worker that dies at once, should one ever be started.
    world.python = "false".into();
    change(&mut world);
    Ran {
        exit_code: run(world),
        stdout: stdout.text(),
        stderr: stderr.text(),
    }
}
