//! The sink: follows a run, keeps its latest figures on a board, and has them served and pushed from there.

use crate::figures::Figures;
use crate::http::Server;
use crate::ledger::Ledger;
use crate::otlp::{Endpoint, OtlpSettings, Pusher};
use crate::prometheus::{Board, Page};
use pysurge_core::event::RunEvent;
use pysurge_report::Sink;
use std::io;
use std::sync::Arc;

/// What is to be done with a run's figures.
#[derive(Debug, Default)]
pub struct Exports {
    /// Served as a page.
    pub page: Option<Page>,
    /// Pushed.
    pub otlp: Option<OtlpSettings>,
}

/// What became of it. Kept by whoever started a run, and asked once it is over.
#[derive(Debug, Clone)]
pub struct Export {
    page: Option<(String, Arc<Ledger>)>,
    otlp: Option<(Endpoint, Arc<Ledger>)>,
}

impl Exports {
    /// The sink that does it, and who can tell afterwards what became of it; `None` where nothing is to be done. `wall_ns` tells the time,
    /// nanoseconds since 1970 UTC; `run` is the run's name.
    pub fn start(self, run: &str, wall_ns: fn() -> u64) -> io::Result<Option<(Box<dyn Sink>, Export)>> {
        if self.page.is_none() && self.otlp.is_none() {
            return Ok(None);
        }
        let figures = Figures::new(run);
        let board = Arc::new(Board::default());
        // Who asks early gets a page that can be read.
        board.put(figures.at_first());
        let export = Export {
            page: self.page.as_ref().map(|page| (page.url(), Arc::default())),
            otlp: self
                .otlp
                .as_ref()
                .map(|settings| (settings.endpoint_of().clone(), Arc::default())),
        };
        let server = self
            .page
            .zip(export.page.as_ref())
            .map(|(page, (_, ledger))| page.serve(Arc::clone(&board), Arc::clone(ledger)));
        let pusher = self
            .otlp
            .zip(export.otlp.as_ref())
            .map(|(settings, (_, ledger))| {
                Pusher::start(settings, Arc::clone(&board), Arc::clone(ledger), wall_ns)
            });
        let sink = Metrics {
            figures,
            board,
            server: server.transpose()?,
            pusher: pusher.transpose()?,
            export: export.clone(),
        };
        Ok(Some((Box::new(sink), export)))
    }
}

impl Export {
    /// What was lost, in words, or that nobody wanted it; empty where all is well.
    pub fn losses(&self) -> Vec<String> {
        let mut losses = Vec::new();
        if let Some((url, ledger)) = &self.page {
            match ledger.totals() {
                (0, 0, _) => losses.push(format!(
                    "nobody fetched {url}: is a scraper told of it, and does it come more often than the run is long?"
                )),
                (_, 0, _) => {}
                (_, refused, why) => {
                    losses.push(format!("{} for {url} refused: {why}", plural(refused, "request")));
                }
            }
        }
        if let Some((endpoint, ledger)) = &self.otlp {
            let (sent, lost, why) = ledger.totals();
            if lost > 0 {
                losses.push(format!(
                    "{lost} of {} to {endpoint} lost: {why}",
                    plural(sent + lost, "push")
                ));
            }
        }
        losses
    }
}

fn plural(count: u64, word: &str) -> String {
    match (count, word) {
        (1, _) => format!("1 {word}"),
        (_, "push") => format!("{count} pushes"),
        _ => format!("{count} {word}s"),
    }
}

struct Metrics {
    figures: Figures,
    board: Arc<Board>,
    server: Option<Server>,
    pusher: Option<Pusher>,
    export: Export,
}

impl Sink for Metrics {
    fn name(&self) -> &'static str {
        "metrics"
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        if let Some(snapshot) = self.figures.hear(event) {
            self.board.put(snapshot);
        }
        if let (RunEvent::Finished(_), Some(pusher)) = (event, &self.pusher) {
            pusher.over();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn trouble(&mut self) -> Option<String> {
        let (endpoint, ledger) = self.export.otlp.as_ref()?;
        let why = ledger.news()?;
        Some(format!("a push to {endpoint} was lost: {why}"))
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(pusher) = &self.pusher {
            pusher.finish();
        }
        self.server = None;
        Ok(())
    }
}
