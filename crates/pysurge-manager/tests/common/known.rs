//! A distribution that is known exactly: worker and test compute the durations of every iteration from its number alone.

/// Service time of iteration `number`, nanoseconds: exponential with a mean of 20 ms, at the points of a sequence that fills the unit interval
/// evenly (Weyl's, with the golden ratio).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a duration is neither negative nor near 2^64 ns"
)]
pub(crate) fn service_ns(number: u64) -> u64 {
    (-(1.0 - weyl(number, 0.618_033_988_749_894_9)).ln() * 20e6) as u64
}

/// Its lateness, nanoseconds: even between 0 and 2 ms, and independent of the service time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a duration is neither negative nor near 2^64 ns"
)]
pub(crate) fn lateness_ns(number: u64) -> u64 {
    (weyl(number, 0.414_213_562_373_095_1) * 2e6) as u64
}

#[expect(clippy::cast_precision_loss, reason = "numbers of a short run")]
fn weyl(number: u64, step: f64) -> f64 {
    ((number + 1) as f64 * step).fract()
}
