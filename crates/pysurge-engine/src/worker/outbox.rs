//! Messages on their way to the manager: sent by a thread of its own, so that no sender ever waits for the socket.
//! What user code says (log records, printed lines) and single iterations are bounded, and what does not fit is dropped and counted;
//! nothing else is ever dropped.

use super::run::Lifeline;
use parking_lot::{Condvar, Mutex};
use pysurge_core::failure::clip;
use pysurge_core::wire::{FromWorker, LogRecord, PrintedLine, encode};
use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// Log records and printed lines that may wait to be sent; at 200 bytes each, 2 MB.
const MAX_WAITING_LOGS: usize = 10_000;

/// Bytes of them that may wait, for lines can be long.
const MAX_WAITING_LOG_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of one log record, as of a printed line; what is more is cut off and said to be.
const MAX_RECORD_BYTES: usize = 64 * 1024;

/// What is handed to the socket at once, about: a call of the system per line would be slow.
const WRITE_BYTES: usize = 64 * 1024;

/// Bytes of single iterations that may wait to be sent.
const MAX_ITERATION_BYTES: usize = 32 * 1024 * 1024;

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Vec<u8>>,
    logs: usize,
    log_bytes: usize,
    iteration_bytes: usize,
    logs_dropped: u64,
    writing: bool,
    broken: bool,
}

/// The queue in front of the control channel. Clones share it.
#[derive(Clone, Default)]
pub struct Outbox {
    waiting: Arc<Mutex<Waiting>>,
    changed: Arc<Condvar>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

impl Outbox {
    /// Starts the thread that writes to the channel. Where that fails it calls the lifeline.
    pub(super) fn start(channel: Arc<UnixStream>, lifeline: Lifeline) -> std::io::Result<Self> {
        let outbox = Self::default();
        let writer = outbox.clone();
        std::thread::Builder::new()
            .name("pysurge-outbox".into())
            .spawn(move || writer.write_all(&channel, lifeline))?;
        Ok(outbox)
    }

    fn write_all(&self, channel: &UnixStream, lifeline: Lifeline) {
        loop {
            let frames = {
                let mut waiting = self.waiting.lock();
                waiting.writing = false;
                self.changed.notify_all();
                while waiting.frames.is_empty() {
                    self.changed.wait(&mut waiting);
                }
                waiting.writing = true;
                waiting.logs = 0;
                waiting.log_bytes = 0;
                waiting.iteration_bytes = 0;
                std::mem::take(&mut waiting.frames)
            };
            if write_together(channel, frames).is_err() {
                {
                    let mut waiting = self.waiting.lock();
                    (waiting.broken, waiting.writing) = (true, false);
                    waiting.frames.clear();
                    self.changed.notify_all();
                }
                // The manager is gone, or user code closed the channel: then the reader, which sleeps in it, is never told.
                return lifeline();
            }
        }
    }

    /// Sends a message.
    pub fn send(&self, message: &FromWorker) {
        self.push(message);
    }

    /// Sends a log record, or drops and counts it where too many wait.
    pub fn log(&self, mut record: LogRecord) {
        if record.message.len() > MAX_RECORD_BYTES {
            record.message = clip(&record.message, MAX_RECORD_BYTES);
        }
        let bytes = record.message.len();
        self.say(bytes, || FromWorker::Log(record));
    }

    /// Sends a printed line, or drops and counts it where too many wait.
    pub fn print(&self, printed: PrintedLine) {
        let bytes = printed.line.len();
        self.say(bytes, || FromWorker::Printed(printed));
    }

    /// Sends what user code says, if there is room.
    fn say(&self, bytes: usize, message: impl FnOnce() -> FromWorker) {
        {
            let mut waiting = self.waiting.lock();
            // One that alone is larger than all that may wait is sent while nothing else does.
            let is_full = waiting.logs >= MAX_WAITING_LOGS
                || (waiting.logs > 0 && waiting.log_bytes + bytes > MAX_WAITING_LOG_BYTES);
            if is_full {
                waiting.logs_dropped += 1;
                return;
            }
            waiting.logs += 1;
            waiting.log_bytes += bytes;
        }
        self.push(&message());
    }

    /// Sends single iterations; false, and nothing is sent, where too many wait.
    pub(crate) fn iterations(&self, message: &FromWorker) -> bool {
        let Ok(frame) = encode(message) else {
            return false;
        };
        {
            let mut waiting = self.waiting.lock();
            if waiting.iteration_bytes + frame.len() > MAX_ITERATION_BYTES {
                return false;
            }
            waiting.iteration_bytes += frame.len();
        }
        self.push_frame(frame);
        true
    }

    fn push(&self, message: &FromWorker) {
        // A message that cannot be a frame (64 MiB of log line) is one the manager could not take either.
        if let Ok(frame) = encode(message) {
            self.push_frame(frame);
        }
    }

    fn push_frame(&self, frame: Vec<u8>) {
        let mut waiting = self.waiting.lock();
        if !waiting.broken {
            waiting.frames.push_back(frame);
            // While it writes, the writer looks again by itself.
            if !waiting.writing {
                self.changed.notify_all();
            }
        }
    }

    /// Log records and printed lines dropped so far.
    pub fn logs_dropped(&self) -> u64 {
        self.waiting.lock().logs_dropped
    }

    /// Waits until everything was handed to the channel, at most this long.
    pub fn flush(&self, at_most: Duration) {
        let mut waiting = self.waiting.lock();
        let sent = |waiting: &mut Waiting| !waiting.broken && (waiting.writing || !waiting.frames.is_empty());
        let _ = self.changed.wait_while_for(&mut waiting, sent, at_most);
    }
}

fn write_together(mut channel: &UnixStream, frames: VecDeque<Vec<u8>>) -> std::io::Result<()> {
    let mut together = Vec::new();
    for frame in frames {
        if !together.is_empty() && together.len() + frame.len() > WRITE_BYTES {
            channel.write_all(&together)?;
            together.clear();
        }
        if together.is_empty() {
            together = frame;
        } else {
            together.extend_from_slice(&frame);
        }
    }
    channel.write_all(&together)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::event::Stream;
    use pysurge_core::wire::FrameDecoder;
    use std::io::Read;

    fn printed(line: &str) -> PrintedLine {
        PrintedLine {
            wall_ns: 0,
            thread: String::new(),
            stream: Stream::Stdout,
            line: line.into(),
        }
    }

    fn record(message: &str) -> LogRecord {
        LogRecord {
            wall_ns: 0,
            process: String::new(),
            thread: String::new(),
            level: "INFO".into(),
            level_number: 20,
            message: message.into(),
        }
    }

    #[test]
    fn a_manager_that_does_not_read_costs_log_records_and_nothing_else() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let outbox = Outbox::start(Arc::new(ours), || ()).unwrap();
        let line = "x".repeat(1_000);
        for number in 0..MAX_WAITING_LOGS * 3 {
            if number % 2 == 0 {
                outbox.log(record(&line));
            } else {
                outbox.print(printed(&line));
            }
        }
        outbox.send(&FromWorker::Done);
        let dropped = outbox.logs_dropped();
        assert!(dropped > 0);
        let (mut decoder, mut logs, mut buffer) = (FrameDecoder::default(), 0, vec![0; 65_536]);
        loop {
            let read = theirs.read(&mut buffer).unwrap();
            decoder.extend(&buffer[..read]);
            while let Some(message) = decoder.next_message::<FromWorker>().unwrap() {
                match message {
                    FromWorker::Log(_) | FromWorker::Printed(_) => logs += 1,
                    FromWorker::Done => {
                        assert_eq!(logs + dropped, MAX_WAITING_LOGS as u64 * 3);
                        return;
                    }
                    other => panic!("unexpected {other:?}"),
                }
            }
        }
    }

    #[test]
    fn long_lines_are_bounded_by_their_bytes() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let outbox = Outbox::start(Arc::new(ours), || ()).unwrap();
        let line = "x".repeat(1024 * 1024);
        for _ in 0..100 {
            outbox.print(printed(&line));
        }
        // What waits, and as much that the writer has taken.
        assert!(
            outbox.logs_dropped() >= 100 - 2 * 8 - 1,
            "{}",
            outbox.logs_dropped()
        );
        let waiting = outbox.waiting.lock();
        assert!(waiting.log_bytes <= MAX_WAITING_LOG_BYTES);
    }

    #[test]
    fn flushing_a_broken_channel_returns() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let outbox = Outbox::start(Arc::new(ours), || ()).unwrap();
        outbox.send(&FromWorker::Done);
        outbox.flush(Duration::from_secs(60));
    }
}
