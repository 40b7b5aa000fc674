//! Follows one level as it is fired: hands its seconds to the judge, shows how it stands, and says when it is hopeless.
//!
//! What user code prints and logs goes to the level's own log and not to the terminal: the same would come again with every level.

use super::screen::Screen;
use crate::fanout::Sink;
use pysurge_core::event::{RunEvent, Severity};
use pysurge_core::search::{Level, Watch};
use pysurge_core::wire::TestInfo;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was seen of a level; shared between the sink, which goes with the run, and whoever judges it afterwards.
#[derive(Debug, Clone)]
pub struct Watched(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    watch: Watch,
    was_given_up: bool,
}

impl Watched {
    /// Nothing was seen yet.
    pub fn new(watch: Watch) -> Self {
        Self(Arc::new(Mutex::new(State {
            watch,
            was_given_up: false,
        })))
    }

    /// What was seen so far.
    pub fn watch(&self) -> Watch {
        self.lock().watch.clone()
    }

    /// Whether the level was ended because it could not hold any more.
    pub fn was_given_up(&self) -> bool {
        self.lock().was_given_up
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sink of one level.
pub struct LevelSink {
    level: Level,
    watched: Watched,
    screen: Screen,
    give_up: Box<dyn Fn() + Send>,
    infos: Vec<TestInfo>,
}

impl LevelSink {
    /// Follows a level; `give_up` is called at most once, where it cannot hold any more.
    pub fn new(level: Level, watched: Watched, screen: Screen, give_up: impl Fn() + Send + 'static) -> Self {
        Self {
            level,
            watched,
            screen,
            give_up: Box::new(give_up),
            infos: Vec::new(),
        }
    }
}

impl Sink for LevelSink {
    fn name(&self) -> &'static str {
        "the search"
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        match event {
            RunEvent::Row(row) => {
                let mut state = self.watched.lock();
                state.watch.row(row);
                if !state.was_given_up && state.watch.is_hopeless() {
                    state.was_given_up = true;
                    (self.give_up)();
                }
            }
            RunEvent::Coarsened(series) => self.watched.lock().watch.restart(series.complete_rows()),
            RunEvent::Loaded(infos) => self.infos.clone_from(infos),
            RunEvent::Rehearsed(rehearsed) => {
                let info = usize::try_from(rehearsed.test)
                    .ok()
                    .and_then(|at| self.infos.get(at));
                self.screen.rehearsed(info, rehearsed);
            }
            RunEvent::Opened { .. } => self.screen.begin(&self.level),
            RunEvent::Progress(summary) => self.screen.progress(&self.level, summary),
            RunEvent::Stopping { .. } => self.screen.ending(&self.level),
            RunEvent::Notice { severity, text } if *severity >= Severity::Warning => self.screen.warn(text),
            RunEvent::StartupFailed { error, .. } => {
                let text = format!("startup of {} failed: {}", error.class, error.message);
                self.screen.warn(&text);
            }
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        // What the other sinks have to say comes next, and not through the screen.
        self.screen.rest();
        Ok(())
    }
}
