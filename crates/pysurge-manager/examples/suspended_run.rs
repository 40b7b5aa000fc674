//! A run of its own process for the tests of Ctrl+Z: `suspended_run MILLISECONDS` fires 100/s at fake workers, lets SIGTSTP suspend it,
//! and tells on standard output what happens.

use pysurge_core::event::{EventSink, RunEvent};
use pysurge_core::plan::{Model, Plan, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_manager::{Outcome, Settings, Suspension};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

struct Teller;

impl EventSink for Teller {
    fn emit(&self, event: RunEvent) {
        match event {
            RunEvent::Started { .. } => tell("started"),
            RunEvent::Changed { change, by, .. } => {
                let what = if change.paused { "paused" } else { "resumed" };
                tell(&format!("{what} by {by:?}"));
            }
            RunEvent::Notice { text, .. } => tell(&format!("notice: {text}")),
            _ => {}
        }
    }
}

fn tell(line: &str) {
    let mut stdout = std::io::stdout().lock();
    // Whoever does not read any more has seen enough.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "an example is a process edge")]
    let length = std::env::args().nth(1).and_then(|text| text.parse::<u64>().ok());
    let own = std::env::current_exe().expect("a program is a file");
    let worker = own.with_file_name("fake_worker");
    let settings = Settings {
        workers: 2,
        suspend_signals: true,
        around_suspension: Some(Arc::new(|suspension| match suspension {
            Suspension::Begins => tell("suspension begins"),
            Suspension::Ended => tell("suspension ended"),
        })),
        ..Settings::new(vec![worker.into_os_string()])
    };
    let rate = Rate::parse("100").expect("a rate");
    let plan = Plan {
        duration_ns: length.map(|ms| ms * 1_000_000),
        ..Plan::new("n", vec![TestPlan::new("a.A", Model::constant(rate))])
    };
    match pysurge_manager::run(&plan, &settings, &Teller) {
        Ok(Outcome::Finished(summary)) => {
            tell(&format!(
                "planned {} passed {} changes {}",
                summary.account.planned,
                summary.account.passed,
                summary.changes.len()
            ));
            ExitCode::SUCCESS
        }
        other => {
            tell(&format!("{other:?}"));
            ExitCode::FAILURE
        }
    }
}
