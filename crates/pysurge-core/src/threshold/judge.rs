//! Follows one threshold through a run, second by second, in constant memory.
//!
//! A second in which nothing was measured of the threshold's measure is left out: it neither breaks nor holds, and a stretch of broken
//! seconds goes on behind it. So a test that has an iteration every ten seconds has one second of ten that counts.

use super::measure::{Expression, Of, Window};
use super::{Threshold, View};
use crate::NANOS_PER_SEC;
use crate::span::format_span_plain;
use crate::summary::{ThresholdResult, ThresholdState};

/// Follows one threshold through a run.
#[derive(Debug, Clone)]
pub struct Judge {
    threshold: Threshold,
    seconds: Seconds,
}

/// What is remembered of the seconds so far.
#[derive(Debug, Clone, Default)]
struct Seconds {
    /// Those with data.
    judged: u64,
    /// Those in which it held.
    held: u64,
    /// Those it was broken in, on end, up to now.
    broken: u64,
    /// The most of these there ever were.
    most_broken: u64,
    /// The value that broke it most, or was nearest to that.
    worst: Option<f64>,
}

/// What a threshold came to, where it has data.
struct Found {
    holds: bool,
    actual: f64,
    text: String,
}

impl Judge {
    /// At the start of a run.
    pub fn new(threshold: Threshold) -> Self {
        Self {
            threshold,
            seconds: Seconds::default(),
        }
    }

    /// What it judges.
    pub fn threshold(&self) -> &Threshold {
        &self.threshold
    }

    /// Takes the figures of the next second of the measured time; also one in which nothing was planned and nothing ended.
    pub fn second(&mut self, view: &View<'_>) {
        let expression = &self.threshold.expression;
        if expression.window == Window::Run {
            return;
        }
        let known = self.seconds.judged > 0;
        let nothing = || (known && expression.is_zero_without_data(view)).then_some(0.0);
        if let Some(value) = expression.value(view, Of::Second).or_else(nothing) {
            self.seconds.take(expression, value);
        }
    }

    /// How it stands: `total` are the figures of the run so far; `measured_ns` is how long it has been measured; `ended` whether the run is
    /// over. Whether it stopped the run is for the caller to say.
    pub fn result(&self, total: &View<'_>, measured_ns: u64, ended: bool) -> ThresholdResult {
        let found = self.found(total);
        let is_time = ended || measured_ns >= self.threshold.after_ns;
        let state = match &found {
            None if ended => ThresholdState::NoData,
            Some(found) if is_time && found.holds => ThresholdState::Passed,
            Some(_) if is_time => ThresholdState::Failed,
            _ => ThresholdState::Pending,
        };
        let (actual, actual_text) = match found {
            Some(found) => (Some(found.actual), found.text),
            None if ended => (None, "no data".to_owned()),
            None => (None, "no data yet".to_owned()),
        };
        ThresholdResult {
            expression: self.threshold.text.clone(),
            test: None,
            state,
            actual,
            actual_text,
            abort_on_fail: self.threshold.abort_on_fail,
            aborted: false,
        }
    }

    /// Whether it stops the run now: it is to abort, its `after` has passed, and it does not hold. What has no data stops nothing.
    pub fn aborts(&self, total: &View<'_>, measured_ns: u64) -> bool {
        self.threshold.abort_on_fail
            && measured_ns >= self.threshold.after_ns
            && self.found(total).is_some_and(|found| !found.holds)
    }

    fn found(&self, total: &View<'_>) -> Option<Found> {
        let expression = &self.threshold.expression;
        let seconds = &self.seconds;
        match expression.window {
            Window::Run => {
                let value = expression.value(total, Of::Run)?;
                Some(Found {
                    holds: expression.holds(value),
                    actual: expression.told(value),
                    text: expression.shown(value),
                })
            }
            Window::For { seconds: most } => {
                let worst = seconds.worst?;
                let mut text = expression.shown(worst);
                if seconds.most_broken > 0 {
                    let span_ns = seconds.most_broken.saturating_mul(NANOS_PER_SEC);
                    text = format!("{text}, broken for {}", format_span_plain(span_ns));
                }
                Some(Found {
                    holds: seconds.most_broken < most,
                    actual: expression.told(worst),
                    text,
                })
            }
            Window::In { share } => {
                let held = seconds.held_share()?;
                Some(Found {
                    holds: held >= share,
                    actual: held,
                    text: format!("{} of seconds", Expression::shown_share(held, share)),
                })
            }
        }
    }
}

impl Seconds {
    fn take(&mut self, expression: &Expression, value: f64) {
        self.judged += 1;
        if expression.holds(value) {
            self.held += 1;
            self.broken = 0;
        } else {
            self.broken += 1;
            self.most_broken = self.most_broken.max(self.broken);
        }
        self.worst = Some(self.worst.map_or(value, |worst| expression.worse(worst, value)));
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds of a run stay far below 2^53")]
    fn held_share(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.held as f64 / self.judged as f64)
    }
}
