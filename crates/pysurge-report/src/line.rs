//! Log lines in the one format that pysurge has always had:
//! `%(asctime)s %(processName)s %(threadName)s %(levelname)s %(message)s`.

use crate::clock::LocalClock;
use pysurge_core::event::{Severity, Stream};
use pysurge_core::harmless::harmless;
use pysurge_core::wire::LogRecord;

/// Below this a record is one for debugging: Python's `logging.INFO`.
const INFO: u32 = 20;

/// Whether a record is shown only with `--debug`.
pub(crate) fn is_debug(record: &LogRecord) -> bool {
    record.level_number < INFO
}

/// The line of a record of user code.
pub(crate) fn of_record(record: &LogRecord, clock: &LocalClock) -> String {
    format!(
        "{} {} {} {} {}",
        clock.log_time(record.wall_ns),
        harmless(&record.process),
        harmless(&record.thread),
        harmless(&record.level),
        record.message
    )
}

/// The line of something that a thread of a worker printed.
pub(crate) fn of_output(
    worker: u32,
    thread: &str,
    stream: Stream,
    wall_ns: u64,
    line: &str,
    clock: &LocalClock,
) -> String {
    let stream = match stream {
        Stream::Stdout => "STDOUT",
        Stream::Stderr => "STDERR",
    };
    let (time, process, thread) = (clock.log_time(wall_ns), process_name(worker), harmless(thread));
    format!("{time} {process} {thread} {stream} {line}")
}

/// The line of something that pysurge itself says now.
pub(crate) fn own(level: &str, message: &str, clock: &LocalClock) -> String {
    let now = clock.log_time(clock.now_ns());
    format!("{now} MainProcess MainThread {level} {message}")
}

/// The name of worker `worker`, which counts from 0, as its own log records give it.
pub(crate) fn process_name(worker: u32) -> String {
    format!("Worker-{}", worker.saturating_add(1))
}

/// The name that Python's `logging` has for it.
pub(crate) fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFO",
        Severity::Warning => "WARNING",
        Severity::Error => "ERROR",
    }
}
