//! `pysurge plan`: what a config would fire, told and drawn. One worker loads the tests and samples their shapes; no hook and no
//! test is run.

use super::fire::Job;
use super::load;
use crate::args::PlanArgs;
use crate::error::CliError;
use crate::style::{DEFAULT_COLUMNS, wants_color};
use crate::world::World;
use pysurge_core::forecast::{Forecast, forecast};
use pysurge_manager::{Mission, Outcome};
use pysurge_report::{Style, plan_json, plan_svg, plan_text};
use std::fs;
use std::path::Path;

/// Shows what a config would fire.
pub(super) fn plan(args: PlanArgs, world: &mut World) -> Result<u8, CliError> {
    let svg_to_stdout = args.svg_to_stdout();
    let wishes = load::Wishes {
        duration_ns: args.duration_ns,
        workers: args.workers,
    };
    let loaded = load::target(&args.target, &args.direct, wishes, args.choice, world)?;
    loaded.tell_assumed(world);
    let mut job = Job::of(loaded, world);
    job.set(args.duration_ns, args.workers);
    job.mission = Mission::Plan;
    // Standard output is the plan's alone, whatever a test prints while it is loaded.
    job.quiet = true;
    let outcome = job.lead(world)?;
    let Outcome::Planned { infos, plan } = &outcome else {
        return job.conclude(&outcome);
    };
    let forecast = forecast(plan, infos, job.workers);
    if let Some(path) = args.svg.filter(|_| !svg_to_stdout) {
        write(&path, &plan_svg(&forecast), world)?;
    }
    let text = if svg_to_stdout {
        plan_svg(&forecast)
    } else if args.json {
        plan_json(&forecast)
    } else {
        text(&forecast, world)
    };
    let print = world.stdout.print(&format!("{}\n", text.trim_end()));
    print.map_err(CliError::Output)?;
    Ok(0)
}

fn text(forecast: &Forecast, world: &World) -> String {
    let style = Style {
        color: wants_color(world, &world.stdout),
        columns: world.columns.unwrap_or(DEFAULT_COLUMNS),
    };
    plan_text(forecast, &style)
}

fn write(path: &Path, svg: &str, world: &mut World) -> Result<(), CliError> {
    fs::write(world.cwd.join(path), svg).map_err(|source| CliError::Svg {
        path: path.to_path_buf(),
        source,
    })?;
    let _ = world.stderr.tell(&format!("drawn in {}\n", path.display()));
    Ok(())
}
