//! Some lines at the bottom of what a terminal shows, drawn anew in their place; everything else that is written there flows above them, and
//! stays in the terminal's history as if the block had never been.
//!
//! The cursor rests where the block begins, so that whatever the terminal made of the lines below when its window was changed (some wrap
//! them, some cut them), "from the cursor to the end of the screen" is the block and nothing but the block. Lines are written with
//! wrapping switched off: so many lines are so many rows, and the way back up is known. A frame is one write. The cursor is never hidden, no
//! other screen is used and no mode is left behind, so there is nothing to restore when a process dies.
//!
//! Must never read the environment nor a clock, nor fail: nobody is left to be told of trouble with standard error.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// How large a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// Tells how large the terminal of standard error is now; `None` where it is another's at the moment, and nothing is to be drawn.
pub type Measure = Box<dyn Fn() -> Option<Size> + Send>;

/// What a block shows. Lines have colours as their only escape sequences, and are narrower than the terminal.
pub(crate) trait Picture: Send {
    /// The lines for a terminal of this size, at least one row fewer than it has.
    fn lines(&self, size: Size) -> Vec<String>;
}

/// Changes of one frame are shown together, by terminals that know of it (<https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036>).
const BEGIN_FRAME: &str = "\x1b[?2026h";
const END_FRAME: &str = "\x1b[?2026l";

/// Long lines are cut at the edge, not wrapped (DECAWM of the VT100).
const CUT_LINES: &str = "\x1b[?7l";
const WRAP_LINES: &str = "\x1b[?7h";

const CLEAR_TO_LINE_END: &str = "\x1b[K";
const CLEAR_TO_SCREEN_END: &str = "\x1b[J";

/// How long is waited for a terminal that takes nothing, when the block is to go at once.
const PATIENCE: Duration = Duration::from_millis(200);

/// Standard error of a terminal, with a block of lines at its end. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Block(Arc<Shared>);

struct Shared {
    /// Nothing is to be drawn, whatever there is to show.
    is_covered: AtomicBool,
    state: Mutex<State>,
}

struct State {
    writer: Box<dyn Write + Send>,
    measure: Measure,
    picture: Option<Box<dyn Picture>>,
    /// The picture, laid out for a size.
    laid_out: Option<(Size, Vec<String>)>,
    /// Lines of ours are on the screen, from the cursor on.
    is_drawn: bool,
}

impl Block {
    /// Nothing yet.
    pub(crate) fn new(writer: Box<dyn Write + Send>, measure: Measure) -> Self {
        Self(Arc::new(Shared {
            is_covered: AtomicBool::new(false),
            state: Mutex::new(State {
                writer,
                measure,
                picture: None,
                laid_out: None,
                is_drawn: false,
            }),
        }))
    }

    /// How large the terminal is; `None` where nothing can be drawn.
    pub(crate) fn size(&self) -> Option<Size> {
        (self.0.lock().measure)()
    }

    /// Shows something, or something else.
    pub(crate) fn show(&self, picture: impl Picture + 'static) {
        let mut state = self.0.lock();
        state.picture = Some(Box::new(picture));
        state.laid_out = None;
        let mut frame = String::new();
        self.0.paint(&mut state, &mut frame);
        state.write(&frame);
    }

    /// Writes a text, which ends a line, above the block.
    pub(crate) fn above(&self, text: &str) {
        let mut state = self.0.lock();
        let mut frame = String::new();
        state.erase(&mut frame);
        frame.push_str(text);
        self.0.paint(&mut state, &mut frame);
        state.write(&frame);
    }

    /// Lets something else write whole lines to the same terminal, above the block.
    pub(crate) fn around<R>(&self, write: impl FnOnce() -> R) -> R {
        let mut state = self.0.lock();
        let was_drawn = state.is_drawn;
        let mut frame = String::new();
        if was_drawn {
            frame.push_str(BEGIN_FRAME);
        }
        state.erase(&mut frame);
        state.write(&frame);
        let result = write();
        let mut frame = String::new();
        self.0.paint(&mut state, &mut frame);
        if frame.is_empty() && was_drawn {
            frame.push_str(END_FRAME);
        }
        state.write(&frame);
        result
    }

    /// Takes the block away.
    pub(crate) fn clear(&self) {
        let mut state = self.0.lock();
        state.picture = None;
        state.laid_out = None;
        let mut frame = String::new();
        state.erase(&mut frame);
        state.write(&frame);
    }

    /// What takes it away for a while.
    pub(crate) fn curtain(&self) -> Curtain {
        Curtain(Arc::clone(&self.0))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what draws the block where the cursor is.
    fn paint(&self, state: &mut State, frame: &mut String) {
        if self.is_covered.load(Ordering::SeqCst) {
            state.erase(frame);
            return;
        }
        let Some(lines) = state.lay_out() else {
            return;
        };
        let body = lines.join(&format!("{CLEAR_TO_LINE_END}\r\n"));
        let back = match lines.len() {
            0 | 1 => String::new(),
            n => format!("\x1b[{}A", n - 1),
        };
        frame.insert_str(0, BEGIN_FRAME);
        // A string takes whatever is written to it.
        let _ = write!(
            frame,
            "{CUT_LINES}\r{body}{CLEAR_TO_SCREEN_END}\r{back}{WRAP_LINES}{END_FRAME}"
        );
        state.is_drawn = true;
    }
}

impl State {
    /// The lines for the terminal as it is now.
    fn lay_out(&mut self) -> Option<&[String]> {
        let picture = self.picture.as_ref()?;
        let Some(size) = (self.measure)() else {
            // Whoever has the terminal now has written to it.
            self.is_drawn = false;
            return None;
        };
        if self.laid_out.as_ref().is_none_or(|(of, _)| *of != size) {
            self.laid_out = Some((size, picture.lines(size)));
        }
        self.laid_out.as_ref().map(|(_, lines)| lines.as_slice())
    }

    /// Adds what takes the block off the screen.
    fn erase(&mut self, frame: &mut String) {
        if std::mem::take(&mut self.is_drawn) {
            frame.push('\r');
            frame.push_str(CLEAR_TO_SCREEN_END);
        }
    }

    fn write(&mut self, frame: &str) {
        if !frame.is_empty() {
            let written = self.writer.write_all(frame.as_bytes());
            let _ = written.and_then(|()| self.writer.flush());
        }
    }
}

/// Takes the block off the terminal while another program has it, as after Ctrl+Z. From any thread.
#[derive(Clone)]
pub struct Curtain(Arc<Shared>);

impl Curtain {
    /// The block is gone when this returns, and not drawn again before [`Curtain::raise`]. A terminal that takes nothing, as after Ctrl+S, is
    /// not waited for long: whoever calls this leads a run.
    pub fn lower(&self) {
        self.0.is_covered.store(true, Ordering::SeqCst);
        let shared = Arc::clone(&self.0);
        let (done, wait) = sync_channel(1);
        let erase = move || {
            let mut state = shared.lock();
            let mut frame = String::new();
            if shared.is_covered.load(Ordering::SeqCst) {
                state.erase(&mut frame);
            }
            state.write(&frame);
            // Nobody waits any more where it took too long.
            let _ = done.send(());
        };
        if Builder::new()
            .name("pysurge curtain".to_owned())
            .spawn(erase)
            .is_ok()
        {
            let _ = wait.recv_timeout(PATIENCE);
        }
    }

    /// The block may be drawn again; it is, with the next thing that is shown.
    pub fn raise(&self) {
        self.0.is_covered.store(false, Ordering::SeqCst);
    }
}
