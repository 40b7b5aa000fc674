//! `pysurge target`: serves the demo target until the user stops it.

use crate::args::TargetArgs;
use crate::error::CliError;
use crate::target::{Target, TargetOptions};
use crate::world::{StopSignals, World};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;

/// What of the delay is added at most: enough that percentiles differ.
const JITTER_SHARE: u64 = 10;

/// Serves; the URL is the first line on standard output, so that a script can read it.
pub(super) fn target(args: TargetArgs, world: &mut World) -> Result<u8, CliError> {
    // Before anything is served, so that no stop is missed.
    let signals = match world.signals {
        StopSignals::Process => Some(Signals::new([SIGINT, SIGTERM]).map_err(CliError::Signals)?),
        StopSignals::Requests(_) | StopSignals::Ignored => None,
    };
    let target = start(args, world)?;
    world
        .stdout
        .print(&format!("{}\n", target.url()))
        .map_err(CliError::Output)?;
    let _ = world.stderr.tell("serving until Ctrl+C\n");
    if let Some(mut signals) = signals {
        // Any of them will do.
        let _ = signals.wait().next();
    }
    let _ = world
        .stderr
        .print(&format!("answered {} requests\n", target.requests()));
    Ok(0)
}

fn start(args: TargetArgs, world: &World) -> Result<Target, CliError> {
    let log = args.log.map(|log| world.cwd.join(log));
    if let Some(path) = &log {
        // Tried here first, to tell trouble with the log from trouble with the port.
        let tried = std::fs::File::create(path);
        tried.map_err(|source: io::Error| CliError::TargetLog {
            path: path.clone(),
            source,
        })?;
    }
    let options = TargetOptions {
        port: args.port,
        delay_ns: args.delay_ns,
        jitter_ns: args.delay_ns / JITTER_SHARE,
        log,
        ..TargetOptions::default()
    };
    Target::start(options).map_err(|source| CliError::Target {
        port: args.port,
        source,
    })
}
