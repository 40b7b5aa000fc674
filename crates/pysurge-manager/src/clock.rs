//! The clocks of the host, read in one place, and the one form in which wall time leaves the program.

use pysurge_core::NANOS_PER_SEC;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Now, nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn monotonic_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// Now, nanoseconds since 1970 UTC.
pub(crate) fn wall_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Realtime))
}

/// Now, nanoseconds since boot, suspensions included.
#[cfg(target_os = "linux")]
pub(crate) fn boot_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Boottime))
}

fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest_ns = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(NANOS_PER_SEC).saturating_add(rest_ns)
}

/// One instant on both clocks, which ties them together for a run: wall time that is stepped meanwhile moves nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch {
    /// The instant, nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) at_ns: u64,
    /// The same as wall time.
    pub(crate) wall_ns: u64,
}

impl Epoch {
    /// This instant.
    pub(crate) fn now() -> Self {
        Self {
            at_ns: monotonic_ns(),
            wall_ns: wall_ns(),
        }
    }

    /// The wall time of an instant.
    pub(crate) fn wall_of(&self, at_ns: u64) -> u64 {
        self.wall_ns.saturating_add(at_ns).saturating_sub(self.at_ns)
    }
}

/// ISO 8601 in UTC to the millisecond: `2024-02-29T12:34:56.789Z`.
///
/// Source of the calendar: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
pub(crate) fn iso_utc(wall_ns: u64) -> String {
    let seconds = wall_ns / NANOS_PER_SEC;
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March, so that the leap day stands last; eras are the 400 years after which the calendar repeats.
    let since_era_0 = days + 719_468;
    let (era, day_of_era) = (since_era_0 / 146_097, since_era_0 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
    let millis = wall_ns % NANOS_PER_SEC / 1_000_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_written_as_iso_utc() {
        // Expected values from GNU date.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_709_210_096, "2024-02-29T12:34:56.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso_utc(seconds * NANOS_PER_SEC), text);
        }
        assert_eq!(iso_utc(789_999_999), "1970-01-01T00:00:00.789Z");
    }

    #[test]
    fn an_epoch_ties_the_clocks_in_both_directions() {
        let epoch = Epoch {
            at_ns: 100,
            wall_ns: 1_000,
        };
        assert_eq!((epoch.wall_of(150), epoch.wall_of(50)), (1_050, 950));
    }
}
