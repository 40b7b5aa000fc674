//! Wall time in the user's time zone, as log lines, notices and folder names show it. The clock itself comes in from
//! outside, so that a test decides what time it is.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;
use std::sync::Arc;

/// A wall clock and the time zone to show it in.
#[derive(Clone)]
pub struct LocalClock {
    wall_ns: Arc<dyn Fn() -> u64 + Send + Sync>,
    zone: TimeZone,
}

impl fmt::Debug for LocalClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalClock")
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}

impl LocalClock {
    /// A clock that gives nanoseconds since 1970 UTC, shown in the time zone of this machine.
    pub fn new(wall_ns: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            wall_ns: Arc::new(wall_ns),
            zone: TimeZone::system(),
        }
    }

    /// The same clock, shown in UTC.
    #[must_use]
    pub fn in_utc(self) -> Self {
        Self {
            zone: TimeZone::UTC,
            ..self
        }
    }

    /// The time now, nanoseconds since 1970 UTC.
    pub fn now_ns(&self) -> u64 {
        (self.wall_ns)()
    }

    /// As Python's `logging` writes it: `2018-09-14 18:51:37,590`.
    pub(crate) fn log_time(&self, wall_ns: u64) -> String {
        let millis = wall_ns / 1_000_000 % 1_000;
        format!("{},{millis:03}", self.strftime(wall_ns, "%Y-%m-%d %H:%M:%S"))
    }

    /// `18:51:37`.
    pub(crate) fn time_of_day(&self, wall_ns: u64) -> String {
        self.strftime(wall_ns, "%H:%M:%S")
    }

    /// `20180914-185137`.
    pub(crate) fn stamp(&self, wall_ns: u64) -> String {
        self.strftime(wall_ns, "%Y%m%d-%H%M%S")
    }

    fn strftime(&self, wall_ns: u64, format: &str) -> String {
        let instant = Timestamp::from_nanosecond(i128::from(wall_ns))
            .expect("64 bits of nanoseconds end in 2554, within jiff's range");
        instant.to_zoned(self.zone.clone()).strftime(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_python_does() {
        let clock = LocalClock::new(|| 0).in_utc();
        let wall_ns = 1_536_951_097_590_999_999;
        assert_eq!(clock.log_time(wall_ns), "2018-09-14 18:51:37,590");
        assert_eq!(clock.time_of_day(wall_ns), "18:51:37");
        assert_eq!(clock.stamp(wall_ns), "20180914-185137");
        assert_eq!(clock.log_time(u64::MAX).len(), 23);
    }
}
