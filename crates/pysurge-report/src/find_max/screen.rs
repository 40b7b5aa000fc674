//! What a search shows on standard error while it goes on: a line per level when it has ended and, on a terminal, one that follows the
//! level that is fired now. Trouble with standard error is ignored: nobody is left to be told.

use super::LevelRecord;
use super::text::level_line;
use crate::live::{Block, Curtain, Measure, Strip};
use crate::rehearsal::Rehearsals;
use crate::style::{DEFAULT_COLUMNS, Paint, Style};
use crate::text::{one_line, rate};
use pysurge_core::harmless::{Colours, harmless_lines};
use pysurge_core::search::{Level, Purpose};
use pysurge_core::span::format_span_f64;
use pysurge_core::summary::Summary;
use pysurge_core::wire::{Rehearsed, TestInfo};
use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a search shows how it goes.
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub struct ScreenOptions {
    /// Standard error.
    pub stderr: Box<dyn Write + Send>,
    /// Whether it is a terminal.
    pub is_tty: bool,
    /// Whether it has colours.
    pub color: bool,
    /// Its columns at the start, where it is a terminal.
    pub columns: Option<u16>,
    /// How large that terminal is, asked before whatever is drawn.
    pub size: Measure,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Only warnings are wanted.
    pub quiet: bool,
}

/// Standard error, shared by the levels of a search.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<State>>);

struct State {
    block: Block,
    unicode: bool,
    is_tty: bool,
    style: Style,
    quiet: bool,
    /// Warnings that were shown, without their numbers: every level would repeat them.
    warned: BTreeSet<String>,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

impl Screen {
    /// An empty one.
    pub fn new(options: ScreenOptions) -> Self {
        Self(Arc::new(Mutex::new(State {
            block: Block::new(options.stderr, options.size),
            unicode: options.unicode,
            is_tty: options.is_tty,
            style: Style {
                color: options.color,
                columns: options.columns.unwrap_or(DEFAULT_COLUMNS),
            },
            quiet: options.quiet,
            warned: BTreeSet::new(),
        })))
    }

    /// Says a line, unless only warnings are wanted.
    pub fn say(&self, line: &str) {
        let state = self.lock();
        if !state.quiet {
            state.write(line);
        }
    }

    /// Warns, once; a warning that differs in numbers only is the same one at another rate.
    pub fn warn(&self, text: &str) {
        let mut state = self.lock();
        let text = one_line(text);
        let shape: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        if state.warned.insert(shape) {
            let warning = state.style.paint(Paint::Doubtful, "warning");
            state.write(&format!("{warning}: {text}"));
        }
    }

    /// What came of a level.
    pub fn ended(&self, level: &LevelRecord) {
        let state = self.lock();
        state.block.clear();
        if !state.quiet {
            let line = level_line(level, state.style);
            state.write(&line);
        }
    }

    /// Shows a test that failed when it was rehearsed.
    pub(super) fn rehearsed(&self, info: Option<&TestInfo>, rehearsed: &Rehearsed) {
        let state = self.lock();
        let (label, summary) = info.map_or(("?", ""), |info| (&info.label, &info.summary));
        for line in Rehearsals::default().take(label, summary, &rehearsed.measures, state.style) {
            state.write(&line);
        }
    }

    pub(super) fn begin(&self, level: &Level) {
        self.lock().show(0.0, format!("{}: starting", title(level)));
    }

    pub(super) fn progress(&self, level: &Level, summary: &Summary) {
        let settle_s = super::seconds(level.settle_ns);
        let whole_s = settle_s + super::seconds(level.hold_ns);
        let done_s = summary.duration_s.min(whole_s);
        let stands = if done_s < settle_s {
            "settling".to_owned()
        } else {
            let p95_s = summary.tests.iter().filter_map(|test| test.response_time.p95_s);
            let p95_s = p95_s.fold(f64::NAN, f64::max);
            let p95 = if p95_s.is_nan() {
                String::new()
            } else {
                format!(", response p95 {}", format_span_f64(p95_s * 1e9))
            };
            format!("{:.0}s of {whole_s:.0}s{p95}", done_s.floor())
        };
        self.lock()
            .show(done_s / whole_s, format!("{}: {stands}", title(level)));
    }

    pub(super) fn ending(&self, level: &Level) {
        self.lock().show(1.0, format!("{}: ending", title(level)));
    }

    /// What takes the line away while another program has the terminal.
    pub fn curtain(&self) -> Curtain {
        self.lock().block.curtain()
    }

    /// Nothing more comes of the level that is fired now.
    pub(super) fn rest(&self) {
        self.lock().block.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&self, text: &str) {
        let text = harmless_lines(text, Colours::Keep);
        self.block.above(&format!("{text}\n"));
    }

    fn show(&self, share: f64, text: String) {
        if self.is_tty && !self.quiet {
            self.block.show(Strip {
                text,
                share: Some(share),
                unicode: self.unicode,
            });
        }
    }
}

fn title(level: &Level) -> String {
    let purpose = match (level.purpose, level.is_confirmation) {
        (_, true) => ", to confirm it",
        (Purpose::Again, false) => ", again",
        _ => "",
    };
    format!("level {}, {}/s{purpose}", level.number, rate(level.rate.per_s()))
}

impl Drop for State {
    fn drop(&mut self) {
        self.block.clear();
    }
}
