//! Finds the tests that entries of pytest stand for, before anything else is done with a plan: one worker collects them, and they take the
//! place of their entries. What is skipped is told, as `pytest -rs` does.

use super::fire::{self, Job};
use crate::error::CliError;
use crate::world::World;
use pysurge_config::Skipped;
use pysurge_core::event::RunEvent;
use pysurge_core::plan::Target;
use pysurge_manager::{Mission, Outcome, Settings};
use pysurge_report::{Fanout, LocalClock, Sink, Terminal};
use std::fmt::Write as _;
use std::io;

/// The most lines about skipped tests.
const MAX_LINES: usize = 10;

/// Puts the tests of pytest into the job's plan. Gives what came of it where the job cannot go on.
pub(super) fn tests(job: &mut Job, world: &mut World) -> Result<Option<Outcome>, CliError> {
    let targets = job.config.plan.tests.iter().map(|test| &test.target);
    if !targets.into_iter().any(Target::is_to_be_collected) {
        return Ok(None);
    }
    let terminal = job.terminal(None, LocalClock::new(world.wall_ns), false, world);
    let fanout = Fanout::start(vec![Box::new(Quietly(terminal))]);
    let settings = Settings {
        mission: Mission::Collect,
        rehearsal: false,
        iterations: false,
        ..job.settings(world)
    };
    let outcome = pysurge_manager::run(&job.config.plan, &settings, &fanout);
    fire::show_trouble(&fanout.finish(), world);
    match outcome.map_err(CliError::Manager)? {
        Outcome::Collected(collected) => {
            let skipped = job.config.expand(&collected).map_err(CliError::Config)?;
            // A plan keeps quiet for the sake of standard output.
            if !job.quiet || job.mission == Mission::Plan {
                let _ = world.stderr.tell(&told(&skipped));
            }
            Ok(None)
        }
        other => Ok(Some(other)),
    }
}

/// A line per skipped test, or per reason where several are skipped for the same.
fn told(skipped: &[Skipped]) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for test in skipped {
        match reasons.iter_mut().find(|(reason, _)| *reason == test.reason) {
            Some((_, ids)) => ids.push(&test.id),
            None => reasons.push((&test.reason, vec![&test.id])),
        }
    }
    let mut text = String::new();
    for (reason, ids) in reasons.iter().take(MAX_LINES) {
        let what = match ids.as_slice() {
            [id] => (*id).to_owned(),
            ids => format!("{} tests", ids.len()),
        };
        let reason: String = reason.lines().next().unwrap_or_default().to_owned();
        let _ = writeln!(text, "skipped {what}: {reason}");
    }
    let more: usize = reasons.iter().skip(MAX_LINES).map(|(_, ids)| ids.len()).sum();
    if more > 0 {
        let _ = writeln!(text, "skipped {more} more tests for other reasons");
    }
    text
}

/// Shows what goes wrong, and that something goes on. What user code prints while it is imported comes again when its tests are loaded.
struct Quietly(Terminal);

impl Sink for Quietly {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        match event {
            RunEvent::Opened { .. } | RunEvent::LoadFailed(_) | RunEvent::Notice { .. } => self.0.take(event),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn close(&mut self) -> io::Result<()> {
        self.0.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_told_by_reason() {
        let skipped = |id: &str, reason: &str| Skipped {
            id: id.to_owned(),
            reason: reason.to_owned(),
        };
        assert_eq!(told(&[]), "");
        let mut all = vec![
            skipped("a.py::test_a", "no docker"),
            skipped("a.py::test_b", "not today\nreally"),
            skipped("a.py::test_c", "no docker"),
        ];
        assert_eq!(
            told(&all),
            "skipped 2 tests: no docker\nskipped a.py::test_b: not today\n"
        );
        all.extend((0..20).map(|n| skipped("x", &n.to_string())));
        let text = told(&all);
        assert_eq!(text.lines().count(), MAX_LINES + 1);
        assert!(
            text.ends_with("skipped 12 more tests for other reasons\n"),
            "{text}"
        );
    }
}
