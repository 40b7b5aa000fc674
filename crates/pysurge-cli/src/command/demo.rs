//! `pysurge demo`: the shipped example against a target in this process, so that the first result costs one command.

use super::fire::{self, Job};
use super::load;
use crate::args::{ChoiceArgs, DEFAULT_TARGET_PORT, DemoArgs};
use crate::error::CliError;
use crate::target::{Target, TargetOptions};
use crate::world::World;
use pysurge_core::plan::{Model, Source, TestPlan};
use pysurge_core::rate::Rate;
use std::collections::BTreeMap;
use std::path::Path;

/// The variable that tells the example where its target is.
const URL_VARIABLE: &str = "PYSURGE_DEMO_URL";

/// The target's service time, 2 to 5 ms: like a small service on a local network, and never the same.
const DELAY_NS: u64 = 2_000_000;
const JITTER_NS: u64 = 3_000_000;

/// Runs the example and says how to go on.
pub(super) fn demo(args: DemoArgs, world: &mut World) -> Result<u8, CliError> {
    let file = world.demo.join("config.yml");
    if !file.is_file() {
        return Err(CliError::DemoMissing(world.demo.clone()));
    }
    let target = Target::start(TargetOptions {
        delay_ns: DELAY_NS,
        jitter_ns: JITTER_NS,
        ..TargetOptions::default()
    })
    .map_err(|source| CliError::Target { port: 0, source })?;
    let env = BTreeMap::from([(URL_VARIABLE.to_owned(), target.url())]);
    let mut config = load::file(&file, &env, ChoiceArgs::default(), world)?;
    "demo".clone_into(&mut config.plan.name);
    let mut note = String::new();
    if let Some(rate) = args.rate {
        share(rate, &mut config.plan.tests);
        note = format!("# `--rate {rate}` was given: the rates below were scaled to give that together.\n");
    }
    let mut job = Job::new(config, world);
    job.set(Some(args.duration_ns), args.workers);
    job.results = fire::results(args.kept, world);
    job.import_last.push(world.demo.clone());
    job.env = env;
    job.config_note = note;
    job.debug = args.shown.debug;
    job.quiet = args.shown.quiet;
    job.steering = fire::steering(args.live);
    job.exports = args.exports;
    let exit_code = job.execute(world)?;
    if !args.shown.quiet {
        let text = farewell(&world.demo, target.requests());
        let _ = world.stderr.tell(&text);
    }
    Ok(exit_code)
}

/// Gives the tests this rate together, in the proportion they have.
fn share(total: Rate, tests: &mut [TestPlan]) {
    let nano_per_s = |rate: Rate| u128::from(rate.nano_per_s());
    let rates: Vec<&mut Rate> = tests.iter_mut().filter_map(rate).collect();
    let now: u128 = rates.iter().map(|rate| nano_per_s(**rate)).sum();
    for rate in rates {
        let shared = nano_per_s(total) * nano_per_s(*rate) / now;
        let shared = u64::try_from(shared)
            .ok()
            .and_then(|nano| Rate::from_nano_per_s(nano).ok());
        // A share that rounds to nothing stays as it was: far below one iteration in any demo.
        *rate = shared.unwrap_or(*rate);
    }
}

/// The one rate of a test; the example's tests have one each.
fn rate(test: &mut TestPlan) -> Option<&mut Rate> {
    match &mut test.model {
        Model::Open(open) => match &mut open.source {
            Source::Rate(rate) => Some(rate),
            Source::Stages { .. } | Source::Shape(_) | Source::Replay(_) => None,
        },
        Model::Closed(_) => None,
    }
}

/// What the target saw, and what to do next.
fn farewell(demo: &Path, requests: u64) -> String {
    let demo = demo.display();
    format!(
        "
The target answered {requests} requests.

That test is plain Python and a few lines of YAML. Make it yours:
  cp -r {demo} my-test
  pysurge target --port {DEFAULT_TARGET_PORT} &
  {URL_VARIABLE}=http://127.0.0.1:{DEFAULT_TARGET_PORT} pysurge run my-test/config.yml -d 30s
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_shared_in_the_proportion_of_the_config() {
        let test = |rate| TestPlan::new("a.B", Model::constant(Rate::parse(rate).unwrap()));
        let mut tests = [test("100"), test("20")];
        share(Rate::parse("600").unwrap(), &mut tests);
        assert_eq!(tests, [test("500"), test("100")]);
        share(Rate::parse("0.000000001").unwrap(), &mut tests);
        assert_eq!(tests, [test("500"), test("100")]);
    }

    #[test]
    fn the_demo_says_how_to_go_on() {
        insta::assert_snapshot!(farewell(Path::new("/lib/pysurge/demo"), 300));
    }
}
