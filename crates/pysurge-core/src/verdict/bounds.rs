//! Every bound that the verdict knows, and where its value comes from.

/// Lateness p99 below this never makes a run degraded: the time slice of a busy machine's scheduler (3 to 4 ms on Linux).
pub const LATE_DEGRADED_NS: u64 = 5_000_000;

/// Lateness p99 below this never makes a run invalid: several such slices, or Python's switch interval of 5 ms.
pub const LATE_INVALID_NS: u64 = 25_000_000;

/// Above this share of the median service time (in percent) a late generator distorts what it measures.
pub const LATE_INVALID_SHARE: u64 = 100;

/// Above this share of the median service time (in percent) a late generator is worth a warning.
pub const LATE_DEGRADED_SHARE: u64 = 10;

/// More than one in so many that is missing, or that failed for the generator's sake, changes a p99.
pub(super) const MISSED_ONE_IN: u64 = 100;

/// From this share of a core (or of all cores) on there is next to no room: the queue before a server that is busy so much is nine and a half
/// of its services long on average (M/D/1: r / 2(1 - r)), so what is measured is the queue.
pub(super) const CPU_FULL: f64 = 0.95;

/// From this share on, lateness that is seen is the CPU's: the same queue is four and a half services long.
pub(super) const CPU_BUSY: f64 = 0.90;

/// From this share on, the same queue is two services long: it slows down the users of the closed model.
pub(super) const CPU_CROWDED: f64 = 0.80;

/// A worker that used less of a core did not want more, however full the machine was: a fair scheduler leaves it more unless ten others
/// compete for each core.
pub(super) const CPU_WANTED: f64 = 0.10;

/// A worker with a GIL that uses more of a core than this also computes in C without the lock: its CPU time alone does not say then
/// that the interpreter is full. The rest above 1 is for clocks that are not read at the same instant.
pub(super) const ONE_CORE: f64 = 1.05;

/// From this share of the time on, an iteration that is due mostly waits for the interpreter. Each blocking call in `run` waits as long
/// when it comes back, and that is in the service time.
pub(super) const GIL_WAIT: f64 = 0.50;

/// Parts of lateness that are shorter are what any machine has and do not tell what made iterations late: a fifth of [`LATE_DEGRADED_NS`].
pub(super) const TELLING_PART_NS: u64 = 1_000_000;

/// Idle programs are swapped out all the time. This is more than the whole of a worker with an HTTP client (40 MiB).
pub(super) const SWAPPED_BYTES: u64 = 64 * 1024 * 1024;

/// The two clocks that tell of a suspension are not read at the same instant; suspending a machine takes longer than this.
pub(super) const SUSPENDED_S: f64 = 0.1;

/// Where workers stood still for this share of the time, users of the closed model were held up for more than a p99 hides.
pub(super) const STOOD_STILL_DEGRADED: f64 = 0.01;

/// Where they did so for this share, the rate of the closed model is a tenth too low.
pub(super) const STOOD_STILL_INVALID: f64 = 0.10;

/// Workers that stood still explain lateness where they did so for this part of the share of iterations that are late. The other half
/// is room for the crowd of iterations that are due at once when they go on.
pub(super) const STOOD_STILL_EXPLAINS: f64 = 0.5;

/// From this share (in percent) on all threads are in use: one worker may have got its last one and another not.
pub(super) const THREADS_IN_USE: u64 = 90;

/// An iteration that takes more than so many times the median is a slow one.
pub(super) const SLOW_TIMES: u64 = 2;
