//! Remembers which tests failed when they were rehearsed before a run, for those who are told why nothing was fired.

use pysurge_core::event::RunEvent;
use pysurge_core::measure::Measures;
use pysurge_core::summary::FailureFigures;
use pysurge_report::Sink;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The tests that failed, a line each; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Failed(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    labels: Vec<String>,
    failed: Vec<String>,
}

impl Failed {
    /// What is to be told of them.
    pub(super) fn text(&self) -> String {
        let mut text = "a test failed when it was run once before the load".to_owned();
        for line in &self.lock().failed {
            let _ = write!(text, "\n{line}");
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Failed {
    fn name(&self) -> &'static str {
        "the rehearsal"
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        let mut state = self.lock();
        match event {
            RunEvent::Loaded(infos) => {
                state.labels = infos.iter().map(|info| info.label.clone()).collect();
            }
            RunEvent::Rehearsed(rehearsed) if rehearsed.measures.failed > 0 => {
                let at = usize::try_from(rehearsed.test).unwrap_or(usize::MAX);
                let label = state.labels.get(at).map_or("?", String::as_str);
                let line = format!("{label}: {}", cause(&rehearsed.measures));
                state.failed.push(line);
            }
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first error that failed the iteration, in a line.
fn cause(measures: &Measures) -> String {
    let failures = FailureFigures::of_all(&measures.failures);
    let Some(failure) = failures.iter().find(|failure| failure.fails) else {
        return "failed".to_owned();
    };
    let message = failure.message.lines().next().unwrap_or_default();
    format!("{} in {}: {message}", failure.exception, failure.phase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::failure::{FailureKey, Phase};
    use pysurge_core::wire::{Rehearsed, TestInfo};

    #[test]
    fn the_tests_that_failed_are_told() {
        let mut bad = Measures {
            failed: 1,
            ..Measures::default()
        };
        let key = FailureKey {
            phase: Phase::Run,
            exception: "AssertionError".into(),
            frame: "a.py:3 in run".into(),
            message: "status #".into(),
        };
        bad.failures
            .record(key, 0, || ("status 404\nmore".into(), String::new()));
        let info = |label: &str| TestInfo {
            label: label.to_owned(),
            ..TestInfo::default()
        };
        let mut failed = Failed::default();
        let kept = failed.clone();
        let rehearsed = |test, measures| {
            RunEvent::Rehearsed(Rehearsed {
                test,
                measures: Box::new(measures),
            })
        };
        for event in [
            RunEvent::Loaded(vec![info("a"), info("b")]),
            rehearsed(0, Measures::default()),
            rehearsed(1, bad),
        ] {
            failed.take(&event).unwrap();
        }
        assert_eq!(
            kept.text(),
            "a test failed when it was run once before the load\nb: AssertionError in run: status 404"
        );
    }
}
