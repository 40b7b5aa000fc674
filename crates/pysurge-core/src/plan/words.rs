//! A test's load in words, as report and terminal show it.

use super::TestPlan;
use super::model::{ArrivalProcess, ClosedModel, Model, OpenModel, Source, SpanRange, Wait};
use crate::rate::Rate;
use crate::span::format_span_plain;
use std::path::Path;

impl TestPlan {
    /// The load in a few words: `50/s, evenly spaced`; `20 users, pacing 1s`.
    pub fn load_in_words(&self) -> String {
        let mut words = match &self.model {
            Model::Open(open) => open_in_words(open),
            Model::Closed(closed) => closed_in_words(closed),
        };
        if let Some(iterations) = self.iterations {
            words = format!("{words}, {iterations} iterations");
        }
        words
    }
}

fn open_in_words(open: &OpenModel) -> String {
    let source = match &open.source {
        Source::Rate(rate) => per_time(*rate),
        Source::Stages { start_rate, stages } => {
            let peak = stages.iter().map(|stage| stage.rate).max().unwrap_or(Rate::ZERO);
            let length_ns = stages
                .iter()
                .map(|stage| stage.duration_ns)
                .fold(0, u64::saturating_add);
            let number = match stages.len() {
                1 => "1 stage".to_owned(),
                n => format!("{n} stages"),
            };
            format!(
                "{number} up to {} in {}",
                per_time(peak.max(*start_rate)),
                format_span_plain(length_ns)
            )
        }
        Source::Shape(shape) => match shape
            .samples
            .as_ref()
            .and_then(|samples| samples.rates.iter().max())
        {
            Some(peak) => format!("shape {} up to {}", shape.function, per_time(*peak)),
            None => format!("shape {}", shape.function),
        },
        Source::Replay(replay) => {
            let file = Path::new(&replay.file).file_name();
            let file = file.map_or_else(|| replay.file.clone(), |file| file.to_string_lossy().into_owned());
            let arrivals = match &replay.instants {
                Some(instants) => format!(", {} arrivals", instants.len()),
                None => String::new(),
            };
            let speed = match replay.form.speed_milli {
                1_000 => String::new(),
                milli => format!(", {} times as fast", trim(milli)),
            };
            return format!("replay of {file}{arrivals}{speed}");
        }
    };
    match open.process {
        ArrivalProcess::Constant => format!("{source}, evenly spaced"),
        ArrivalProcess::Poisson => format!("{source}, Poisson arrivals (seed {})", open.seed),
    }
}

fn closed_in_words(closed: &ClosedModel) -> String {
    let mut words = match closed.users {
        1 => "1 user".to_owned(),
        users => format!("{users} users"),
    };
    words = match closed.wait {
        Wait::None => words,
        Wait::ThinkTime(range) => format!("{words}, think time {}", span(range)),
        Wait::Pacing(range) => format!("{words}, pacing {}", span(range)),
    };
    if closed.ramp_up_ns > 0 {
        words = format!("{words}, ramp-up {}", format_span_plain(closed.ramp_up_ns));
    }
    words
}

fn span(range: SpanRange) -> String {
    if range.min_ns == range.max_ns {
        format_span_plain(range.min_ns)
    } else {
        format!(
            "{} to {}",
            format_span_plain(range.min_ns),
            format_span_plain(range.max_ns)
        )
    }
}

/// A rate per second; a slow one per minute or hour, as people would say it.
fn per_time(rate: Rate) -> String {
    const SLOW_PER_S: f64 = 0.1;
    let per_s = rate.per_s();
    if rate == Rate::ZERO || per_s >= SLOW_PER_S {
        return format!("{rate}/s");
    }
    let (value, unit) = if per_s * 60.0 >= SLOW_PER_S {
        (per_s * 60.0, "m")
    } else {
        (per_s * 3_600.0, "h")
    };
    // A rate per hour is kept in billionths per second: what that cuts off is put back by rounding.
    let rounded = (value * 1e4).round() / 1e4;
    format!("{rounded}/{unit}")
}

/// Thousandths without needless zeros.
fn trim(milli: u64) -> String {
    let text = format!("{}.{:03}", milli / 1_000, milli % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT_SEED, LatePolicy, Stage};
    use super::*;

    const S: u64 = crate::NANOS_PER_SEC;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap()
    }

    fn open(source: Source, process: ArrivalProcess) -> Model {
        Model::Open(OpenModel {
            source,
            process,
            seed: DEFAULT_SEED,
            late: LatePolicy::Queue,
        })
    }

    #[test]
    fn loads_are_told() {
        let stages = Source::Stages {
            start_rate: Rate::ZERO,
            stages: vec![
                Stage {
                    duration_ns: 60 * S,
                    rate: rate("100"),
                    jump: false,
                },
                Stage {
                    duration_ns: 30 * S,
                    rate: Rate::ZERO,
                    jump: false,
                },
            ],
        };
        let closed = |users, wait, ramp_up_ns| {
            Model::Closed(ClosedModel {
                users,
                wait,
                ramp_up_ns,
                seed: 0,
            })
        };
        let (one, three) = (
            SpanRange { min_ns: S, max_ns: S },
            SpanRange {
                min_ns: S / 2,
                max_ns: 3 * S,
            },
        );
        for (model, words) in [
            (Model::constant(rate("50")), "50/s, evenly spaced"),
            (
                open(Source::Rate(rate("0.2")), ArrivalProcess::Poisson),
                "0.2/s, Poisson arrivals (seed 0)",
            ),
            (
                open(stages, ArrivalProcess::Constant),
                "2 stages up to 100/s in 1m30s, evenly spaced",
            ),
            (Model::constant(rate("2/h")), "2/h, evenly spaced"),
            (Model::constant(rate("5/m")), "5/m, evenly spaced"),
            (closed(1, Wait::None, 0), "1 user"),
            (
                closed(20, Wait::Pacing(one), 30 * S),
                "20 users, pacing 1s, ramp-up 30s",
            ),
            (
                closed(20, Wait::ThinkTime(three), 0),
                "20 users, think time 500ms to 3s",
            ),
        ] {
            assert_eq!(TestPlan::new("a.B", model).load_in_words(), words);
        }
    }
}
