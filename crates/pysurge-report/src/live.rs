//! The one progress line at the bottom of a terminal. Whatever else is written to that terminal goes through
//! [`Live::above`], which takes the line away, writes, and draws it anew. It draws only when told to: once a second.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A writer that the progress line and everything else on standard error share.
#[derive(Clone)]
pub(crate) struct SharedWriter(Arc<Mutex<Box<dyn Write + Send>>>);

impl SharedWriter {
    pub(crate) fn new(writer: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Box<dyn Write + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Steps of the bar over the whole run; finer than any bar is wide.
const BAR_STEPS: u64 = 1_000;

/// Columns of the bar.
const BAR_COLUMNS: usize = 12;

/// From this width on there is room for a bar in front of the figures.
const MIN_COLUMNS_FOR_BAR: u16 = 99;

/// The progress line.
#[derive(Debug)]
pub(crate) struct Live {
    bar: ProgressBar,
    columns: u16,
    with_bar: bool,
}

impl Live {
    /// A line that says `message`. A bar stands in front where the run has a planned end and there is room.
    pub(crate) fn new(writer: SharedWriter, columns: u16, has_end: bool, message: String) -> Self {
        // The last column stays free: some terminals wrap as soon as it is written.
        let columns = columns.saturating_sub(1);
        let with_bar = has_end && columns >= MIN_COLUMNS_FOR_BAR;
        let template = if with_bar {
            format!("{{bar:{BAR_COLUMNS}}} {{msg}}")
        } else {
            "{msg}".to_owned()
        };
        let style = ProgressStyle::with_template(&template)
            .expect("the template is one of the two above")
            .progress_chars("━╸ ");
        let terminal = Terminal {
            writer,
            columns,
            pending: Mutex::default(),
        };
        let target = ProgressDrawTarget::term_like(Box::new(terminal));
        let bar = ProgressBar::with_draw_target(Some(BAR_STEPS), target).with_style(style);
        bar.set_message(message);
        Self {
            bar,
            columns,
            with_bar,
        }
    }

    /// Columns that a message may have.
    pub(crate) fn room(&self) -> usize {
        let bar = if self.with_bar { BAR_COLUMNS + 1 } else { 0 };
        usize::from(self.columns).saturating_sub(bar)
    }

    /// Says something else.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the share is clamped to 0..=1"
    )]
    pub(crate) fn show(&self, share_done: f64, message: String) {
        if self.with_bar {
            let steps = (share_done.clamp(0.0, 1.0) * BAR_STEPS as f64) as u64;
            self.bar.update(|state| state.set_pos(steps));
        }
        self.bar.set_message(message);
    }

    /// Writes above the line.
    pub(crate) fn above<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    /// Takes the line away.
    pub(crate) fn clear(self) {
        self.bar.finish_and_clear();
    }
}

/// The terminal as indicatif drives it; one frame is one write, so nothing flickers.
struct Terminal {
    writer: SharedWriter,
    columns: u16,
    pending: Mutex<String>,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl Terminal {
    fn pend(&self, text: &str) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.push_str(text);
    }

    fn pend_move(&self, n: usize, direction: char) {
        if n > 0 {
            self.pend(&format!("\x1b[{n}{direction}"));
        }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.columns
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.pend_move(n, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.pend_move(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.pend_move(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.pend_move(n, 'D');
        Ok(())
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.pend(s);
        self.pend("\n");
        Ok(())
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.pend(s);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.pend("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer.lock();
        let written = writer.write_all(pending.as_bytes()).and_then(|()| writer.flush());
        pending.clear();
        written
    }
}
