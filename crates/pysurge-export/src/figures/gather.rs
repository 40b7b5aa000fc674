//! Follows the events of a run and keeps its latest figures. Counts come from summaries, durations from the seconds of the run: both are the
//! same sums, and once the run is over they agree. While it goes on, seconds come up to two seconds later than summaries.

use super::test::TestFigures;
use super::write::{self, Writer};
use super::{Snapshot, label::label};
use pysurge_core::event::RunEvent;
use pysurge_core::series::Row;
use pysurge_core::summary::{Status, Summary};
use pysurge_report::TestNames;
use std::sync::Arc;

/// The latest figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    run: Arc<str>,
    names: TestNames,
    tests: Vec<TestFigures>,
    /// How many tests the plan has.
    planned_tests: usize,
    started_ns: u64,
}

impl Figures {
    /// Those of a run of this name that has not begun.
    pub(crate) fn new(run: &str) -> Self {
        Self {
            run: label(run),
            ..Self::default()
        }
    }

    /// What is known before anything is heard.
    pub(crate) fn at_first(&self) -> Snapshot {
        let mut writer = Writer::new(&self.run);
        write::run_info(&mut writer);
        self.snapshot(writer)
    }

    /// Takes the next event; gives all figures anew where it says something of them.
    pub(crate) fn hear(&mut self, event: &RunEvent) -> Option<Snapshot> {
        self.names.hear(event);
        match event {
            RunEvent::Opened { plan, .. } => {
                self.run = label(&plan.name);
                self.planned_tests = plan.tests.len();
                self.name_tests();
                Some(self.at_first())
            }
            RunEvent::Loaded(_) => {
                self.name_tests();
                None
            }
            RunEvent::Started { wall_ns, .. } => {
                self.started_ns = *wall_ns;
                None
            }
            RunEvent::Second(second) => {
                self.add(second);
                None
            }
            RunEvent::Progress(summary) | RunEvent::Finished(summary) => Some(self.of_summary(summary)),
            _ => None,
        }
    }

    fn name_tests(&mut self) {
        let names = (0..self.planned_tests).map(|at| TestFigures::new(self.names.of(at)));
        self.tests = names.collect();
    }

    fn add(&mut self, second: &Row) {
        for (test, row) in self.tests.iter_mut().zip(&second.tests) {
            test.add(row);
        }
    }

    fn of_summary(&mut self, summary: &Summary) -> Snapshot {
        let is_over = summary.status != Status::Running;
        let mut writer = Writer::new(&self.run);
        write::run_info(&mut writer);
        write::run(&mut writer, summary);
        for (test, told) in self.tests.iter_mut().zip(&summary.tests) {
            let account = test.account(told.account, is_over);
            write::test(&mut writer, test, told, account);
        }
        self.snapshot(writer)
    }

    fn snapshot(&self, writer: Writer) -> Snapshot {
        Snapshot {
            families: writer.finish(),
            started_ns: self.started_ns,
            run: Arc::clone(&self.run),
        }
    }
}
