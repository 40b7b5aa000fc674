//! The dashboard of a run: opened and told before anything is fired, served while the run goes on, and on while somebody looks at it.

use super::export::TOKEN_VARIABLE;
use super::live::Stage;
use crate::error::CliError;
use crate::world::{StopSignals, World};
use pysurge_core::control::{Answer, Command};
use pysurge_core::summary::{StopCause, Summary};
use pysurge_export::{Dashboard, Listen, Served};
use pysurge_manager::{Outcome, StopListener};
use pysurge_report::{LivePage, LocalClock, Sink};
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

/// How often it is looked whether somebody is still there.
const GLANCE: Duration = Duration::from_millis(100);

/// How long it takes a viewer to be told something, twice over.
const PARTING: Duration = Duration::from_millis(400);

/// So many glances without anybody, and all have gone: a page that is loaded anew is away for less.
const GLANCES: u32 = 20;

/// Takes the port and tells where the dashboard will be.
pub(super) fn open(listen: Option<&Listen>, world: &mut World) -> Result<Option<Dashboard>, CliError> {
    let Some(listen) = listen else {
        return Ok(None);
    };
    let dashboard = Dashboard::open(listen, world.set_var(TOKEN_VARIABLE)).map_err(CliError::Page)?;
    let note = if dashboard.is_chosen() {
        format!("  it wants the token of {TOKEN_VARIABLE}: add ?token=… to the address\n")
    } else {
        String::new()
    };
    let links = dashboard.links().join("\n  or from elsewhere: ");
    // Also where the run is to be quiet: nobody else knows the token.
    let _ = world.stderr.tell(&format!("dashboard: {links}\n{note}"));
    Ok(Some(dashboard))
}

/// Serves a dashboard for the run of this name.
pub(super) fn serve(
    dashboard: Dashboard,
    name: &str,
    config: &str,
    clock: LocalClock,
    ask: impl Fn(Command) -> Answer + Send + Sync + 'static,
) -> Result<(Box<dyn Sink>, Served), CliError> {
    let page = LivePage::new(name, config, clock);
    dashboard
        .serve(page, name, Arc::new(ask))
        .map_err(CliError::Dashboard)
}

/// Tells the viewers how the run ended: all is written, into `folder` where there is one, or nothing was fired. Stays for them where that is
/// wanted.
pub(super) fn end(
    served: &Served,
    stage: &Stage,
    outcome: &Outcome,
    folder: Option<&Path>,
    world: &mut World,
) {
    let Outcome::Finished(summary) = outcome else {
        served.abort();
        return part(served);
    };
    let shown = folder.map(|folder| {
        let near = folder.strip_prefix(&world.cwd).unwrap_or(folder);
        near.display().to_string()
    });
    served.conclude(folder, shown.as_deref());
    stay(served, stage, summary, world);
}

/// Leaves viewers the time to be told of the end.
fn part(served: &Served) {
    if served.viewers() > 0 {
        sleep(PARTING);
    }
}

/// Has the dashboard of a run that is over stay while somebody looks at it, until Ctrl+C. Whoever had stopped the run with that does not wait.
fn stay(served: &Served, stage: &Stage, summary: &Summary, world: &mut World) {
    let by_signal = matches!(
        summary.stop_cause,
        Some(StopCause::Signal | StopCause::SecondSignal)
    ) && !stage.was_asked_to_stop();
    if by_signal {
        return part(served);
    }
    if served.viewers() == 0 || !matches!(world.signals, StopSignals::Process) {
        return;
    }
    let Ok(mut stops) = StopListener::new() else {
        return;
    };
    let _ = world
        .stderr
        .tell("the dashboard stays until its pages are closed; Ctrl+C ends it\n");
    let mut deserted = 0;
    while deserted < GLANCES && !stops.was_asked() {
        sleep(GLANCE);
        deserted = if served.viewers() == 0 { deserted + 1 } else { 0 };
    }
}
