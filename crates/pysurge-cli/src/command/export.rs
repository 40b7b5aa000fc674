//! Metrics for others: what was asked for is opened before anything is fired, told where it is, and, once the run is over, what was lost.

use crate::args::ExportArgs;
use crate::error::CliError;
use crate::style::{WARNING, paint, wants_color};
use crate::world::World;
use pysurge_export::{Access, Export, Exports, OtlpSettings, Page};
use std::fmt::Write;
use std::fs;

/// The variable with the token: of the dashboard, and of the metrics where other machines can reach them.
pub(super) const TOKEN_VARIABLE: &str = "PYSURGE_TOKEN";

/// Takes the port and reads the settings; says where figures will be unless that is to be `quiet`.
pub(super) fn open(args: &ExportArgs, quiet: bool, world: &mut World) -> Result<Exports, CliError> {
    let page = args
        .prometheus
        .as_ref()
        .map(|listen| Page::open(listen, world.set_var(TOKEN_VARIABLE)).map_err(CliError::Page));
    let page = page.transpose()?;
    let otlp = args.otlp.as_ref().map(|receiver| {
        let var = |name: &str| world.set_var(name).map(str::to_owned);
        let read = |path: &str| fs::read(world.cwd.join(path));
        OtlpSettings::new(receiver.named(), var, read).map_err(CliError::Otlp)
    });
    let otlp = otlp.transpose()?;
    let text = told(page.as_ref(), otlp.as_ref(), quiet, world);
    let _ = world.stderr.tell(&text);
    Ok(Exports { page, otlp })
}

fn told(page: Option<&Page>, otlp: Option<&OtlpSettings>, quiet: bool, world: &World) -> String {
    let mut text = String::new();
    if let Some(page) = page {
        let token = match page.access() {
            Access::Token(_) if world.set_var(TOKEN_VARIABLE).is_some() => {
                format!("; it wants the token of {TOKEN_VARIABLE}")
            }
            // Nobody else knows it.
            Access::Token(token) => {
                format!("\n  it wants the header Authorization: Bearer {}", token.reveal())
            }
            Access::ThisMachine => String::new(),
        };
        if !quiet || token.starts_with('\n') {
            let _ = writeln!(text, "metrics for Prometheus: {}{token}", page.url());
        }
    }
    if let Some(otlp) = otlp.filter(|_| !quiet) {
        let _ = writeln!(text, "metrics by OTLP: to {}", otlp.endpoint_of());
    }
    text
}

/// Tells what was lost. It is no fault of the run, and does not change how it ended.
pub(super) fn show_losses(export: &Export, world: &mut World) {
    let lead = paint("warning", WARNING, wants_color(world, &world.stderr));
    for loss in export.losses() {
        let _ = world.stderr.tell(&format!("{lead}: metrics: {loss}\n"));
    }
}
