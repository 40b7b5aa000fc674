//! What the sink and the server share.

use crate::http::Server;
use pysurge_core::control::{Answer, Command};
use pysurge_core::event::RunEvent;
use pysurge_report::{LivePage, Sink, Told};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Asks the run; waits for its answer.
pub type Ask = dyn Fn(Command) -> Answer + Send + Sync;

/// The run as it is shown now.
#[derive(Debug)]
pub(super) struct Board {
    page: Mutex<LivePage>,
    /// Told whenever there may be something new.
    changed: watch::Sender<()>,
    viewers: AtomicUsize,
    /// The saved report, once it is there.
    report: Mutex<Option<PathBuf>>,
}

/// Somebody who looks at it, for as long as this is there.
#[derive(Debug)]
pub(super) struct Viewer(Arc<Board>);

impl Board {
    pub(super) fn new(page: LivePage) -> Self {
        Self {
            page: Mutex::new(page),
            changed: watch::Sender::new(()),
            viewers: AtomicUsize::new(0),
            report: Mutex::default(),
        }
    }

    fn page(&self) -> MutexGuard<'_, LivePage> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut LivePage)) {
        change(&mut self.page());
        self.changed.send_replace(());
    }

    /// What is new to a viewer who was told so much.
    pub(super) fn news(&self, told: Told) -> Option<(String, Told)> {
        self.page().news(told)
    }

    pub(super) fn curves(&self, test: usize) -> Option<String> {
        self.page().curves(test)
    }

    /// Tells of changes from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn report(&self) -> Option<PathBuf> {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.clone()
    }

    /// One more viewer, where there are not so many already.
    pub(super) fn admit(self: &Arc<Self>, most: usize) -> Option<Viewer> {
        let admitted = self
            .viewers
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |viewers| {
                (viewers < most).then_some(viewers + 1)
            });
        admitted.is_ok().then(|| Viewer(Arc::clone(self)))
    }
}

impl Viewer {
    pub(super) fn board(&self) -> &Board {
        &self.0
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A dashboard that is served. Dropping it ends it.
#[derive(Debug)]
pub struct Served {
    _server: Server,
    board: Arc<Board>,
}

impl Served {
    pub(super) fn new(server: Server, board: Arc<Board>) -> Self {
        Self {
            _server: server,
            board,
        }
    }

    /// Tells viewers that all is written: into this folder, where there is one, which is shown to them as `shown`.
    pub fn conclude(&self, folder: Option<&Path>, shown: Option<&str>) {
        let report = folder.map(|folder| folder.join(pysurge_report::REPORT));
        *self.board.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
        self.board.change(|page| page.conclude(shown));
    }

    /// Tells viewers that nothing was fired.
    pub fn abort(&self) {
        self.board.change(LivePage::abort);
    }

    /// How many look at it now.
    pub fn viewers(&self) -> usize {
        self.board.viewers.load(Ordering::SeqCst)
    }
}

/// The sink.
#[derive(Debug)]
pub(super) struct Follower(Arc<Board>);

impl Follower {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self(board)
    }
}

impl Sink for Follower {
    fn name(&self) -> &'static str {
        "the dashboard"
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        self.0.change(|page| page.hear(event));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}
