//! The commands, one file each, and the way from a [`World`] to an exit code.

mod collect;
mod compare;
mod control;
mod demo;
mod export;
mod find_max;
mod fire;
mod history;
mod init;
mod library;
mod live;
mod load;
mod plan;
mod print;
mod recordings;
mod rehearsal;
mod report;
mod runs;
mod searched;
mod serve;
mod trace;
mod web;

pub use library::{LibraryOutcome, LibraryResult, LibraryRun, SeriesLine, run_library, series_of};
pub(crate) use runs::RunError;

use crate::args::{self, Invocation};
use crate::error::{CliError, EXIT_INTERNAL};
use crate::style::{ERROR, paint, wants_color};
use crate::world::{StopSignals, World};
use clap::error::ErrorKind;
use pysurge_config::Config;
use pysurge_manager::hold_stops;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the command that `world.args` names, on this thread, and gives its exit code. Errors are shown on
/// standard error; a panic, which is a bug, is caught and told as an internal error.
pub fn run(mut world: World) -> u8 {
    if matches!(world.signals, StopSignals::Process) {
        hold_stops();
    }
    guarded(&mut world, |world| {
        match args::parse(&world.args, world.columns) {
            Ok(invocation) => dispatch(invocation, world),
            Err(error) => show_usage(&error, world),
        }
    })
}

/// Fires a config that is no file: what `Manager(config, duration, debug).start()` does. `duration_ns` is `None` for
/// as the config says, and that for "until Ctrl+C". Shows what the classic form of the command shows, and makes no run's folder.
pub fn run_config(config: Config, duration_ns: Option<u64>, debug: bool, mut world: World) -> u8 {
    guarded(&mut world, |world| fire::dict(config, duration_ns, debug, world))
}

fn guarded(world: &mut World, action: impl FnOnce(&mut World) -> Result<u8, CliError>) -> u8 {
    let result = caught(world, action);
    let color = wants_color(world, &world.stderr);
    let (text, exit_code) = match result {
        Ok(Ok(exit_code)) => return exit_code,
        Ok(Err(error)) => (error.render(color), error.exit_code()),
        Err(panic) => {
            let error = paint("error", ERROR, color);
            (format!("{error}: internal error: {panic}\n"), EXIT_INTERNAL)
        }
    };
    // With standard error gone there is nobody left to tell; the exit code still says it.
    let _ = world.stderr.tell(&text);
    exit_code
}

/// Does something; a panic, which is a bug, becomes words.
fn caught<T>(world: &mut World, action: impl FnOnce(&mut World) -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(|| action(world))).map_err(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("a panic without words");
        format!(
            "{message}\nThis is a bug in pysurge {}; please report it.",
            pysurge_core::VERSION
        )
    })
}

fn dispatch(invocation: Invocation, world: &mut World) -> Result<u8, CliError> {
    match invocation {
        Invocation::Run { run, classic } => fire::run(run, classic, world),
        Invocation::Check(check) => fire::check(check, world),
        Invocation::Plan(plan) => plan::plan(plan, world),
        Invocation::FindMax(args) => find_max::find_max(args, world),
        Invocation::Compare(args) => compare::compare(&args, world),
        Invocation::History(args) => history::history(&args, world),
        Invocation::Report(args) => report::report(&args, world),
        Invocation::Control(control) => control::control(&control, world),
        Invocation::Demo(demo) => demo::demo(demo, world),
        Invocation::Init(init) => init::init(&init, world),
        Invocation::Target(target) => serve::target(target, world),
        Invocation::Completions(shell) => print::completions(shell, world),
        Invocation::Schema(kind) => print::schema(kind, world),
    }
}

/// Shows help and version on standard output, usage errors and the help nobody asked for on standard error.
fn show_usage(error: &clap::Error, world: &mut World) -> Result<u8, CliError> {
    let to_stderr = error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let stream = if to_stderr { &world.stderr } else { &world.stdout };
    let rendered = error.render();
    let text = if wants_color(world, stream) {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    };
    if to_stderr {
        let _ = world.stderr.tell(&text);
    } else {
        world.stdout.print(&text).map_err(CliError::Output)?;
    }
    Ok(u8::try_from(error.exit_code()).unwrap_or(EXIT_INTERNAL))
}
