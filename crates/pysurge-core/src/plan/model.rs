//! How a test's iterations come about: by a schedule (the open model) or by users who take turns with the service (the closed).

use crate::rate::Rate;
use crate::replay::ReplayForm;
use crate::schedule::{Arrivals, Phase, Profile};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The model of a test's load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Model {
    /// Iterations come when the schedule says, whatever the service does.
    Open(OpenModel),
    /// A user's next iteration is planned when the one before has ended.
    Closed(ClosedModel),
}

impl Model {
    /// Evenly spaced iterations at one rate: what a config of pysurge 1.0.1 asks for.
    pub fn constant(rate: Rate) -> Self {
        Self::Open(OpenModel {
            source: Source::Rate(rate),
            process: ArrivalProcess::Constant,
            seed: super::DEFAULT_SEED,
            late: LatePolicy::Queue,
        })
    }

    /// Whether it is the closed model.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

/// Load by a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenModel {
    /// Where the rate, or the arrivals themselves, come from.
    pub source: Source,
    /// How arrivals are spread at that rate. A replay has its own.
    pub process: ArrivalProcess,
    /// Seed of Poisson arrivals.
    pub seed: u64,
    /// What becomes of iterations that cannot start in time.
    pub late: LatePolicy,
}

/// How arrivals are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArrivalProcess {
    /// Evenly.
    Constant,
    /// As independent users come.
    Poisson,
}

/// What becomes of iterations that cannot start in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LatePolicy {
    /// They start late, as soon as a thread is free, and their response time says so.
    Queue,
    /// They are dropped, and counted, once they are later than this.
    Drop {
        /// Nanoseconds.
        max_lateness_ns: u64,
    },
}

/// Where the load of the open model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// One rate.
    Rate(Rate),
    /// A rate that changes in stages.
    Stages {
        /// Where the first ramp begins.
        start_rate: Rate,
        /// One after the other; never empty.
        stages: Vec<Stage>,
    },
    /// A rate that a function of the user's gives.
    Shape(Shape),
    /// Recorded arrivals.
    Replay(Replay),
}

/// A piece of a load profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// How long it is.
    pub duration_ns: u64,
    /// The rate reached at its end.
    pub rate: Rate,
    /// Whether that rate holds from the stage's beginning on, instead of being reached in a straight line.
    pub jump: bool,
}

/// A load profile by a Python function `rate(t_s) -> float`, sampled before the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// `module.function` or `file.py:function`.
    pub function: String,
    /// What it gave; `None` until a worker has sampled it.
    pub samples: Option<Samples>,
}

/// A sampled load profile: straight lines between the samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// From one sample to the next, nanoseconds.
    pub step_ns: u64,
    /// The rate at 0, one step, two steps, …; the profile ends with the last.
    pub rates: Vec<Rate>,
}

/// Recorded arrivals, from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// The file. As the config has it until the command has found it; then absolute.
    pub file: String,
    /// How it is read.
    pub form: ReplayForm,
    /// Of the file's content and form, so that workers know that they read the same; 0 until the file was read.
    pub digest: u64,
    /// The arrivals, nanoseconds since the test's start, ascending; `None` until the file was read. Every process reads it itself.
    #[serde(skip)]
    pub instants: Option<Arc<[u64]>>,
}

impl OpenModel {
    pub(super) fn arrivals(&self, phase: Phase) -> Arrivals {
        match (&self.source, self.process) {
            // The profile's clock begins to count where a start delay ends, so recorded positions need not be moved.
            (Source::Replay(replay), _) => {
                Arrivals::Recorded(replay.instants.clone().expect("the recording was read before"))
            }
            (_, ArrivalProcess::Constant) => Arrivals::Even(phase),
            (_, ArrivalProcess::Poisson) => Arrivals::poisson(self.seed),
        }
    }
}

impl Source {
    pub(super) fn profile(&self, start_delay_ns: u64) -> Profile {
        match self {
            Self::Rate(rate) => {
                let mut profile = Profile::after(start_delay_ns);
                profile.hold(*rate);
                profile
            }
            Self::Stages { start_rate, stages } => {
                let mut profile = Profile::after(start_delay_ns);
                let mut before = *start_rate;
                for stage in stages {
                    let from = if stage.jump { stage.rate } else { before };
                    profile.ramp(stage.duration_ns, from, stage.rate);
                    before = stage.rate;
                }
                profile
            }
            Self::Shape(shape) => {
                let samples = shape.samples.as_ref().expect("the shape was sampled before");
                let mut profile = Profile::after(start_delay_ns);
                for pair in samples.rates.windows(2) {
                    profile.ramp(samples.step_ns, pair[0], pair[1]);
                }
                profile
            }
            Self::Replay(_) => Profile::clock(start_delay_ns),
        }
    }
}

/// Load by users who take turns with the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedModel {
    /// How many, over all workers.
    pub users: u32,
    /// What a user does between iterations.
    pub wait: Wait,
    /// Over how long a time the users come in, one after the other.
    pub ramp_up_ns: u64,
    /// Seed of random waits.
    pub seed: u64,
}

/// What a user of the closed model waits for between iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wait {
    /// Nothing.
    None,
    /// So long from the end of one iteration to the start of the next.
    ThinkTime(SpanRange),
    /// So long from the start of one iteration to the start of the next, where the iteration is not longer itself.
    Pacing(SpanRange),
}

/// A span that is drawn uniformly anew each time; constant where both ends are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanRange {
    /// At least, nanoseconds.
    pub min_ns: u64,
    /// At most, nanoseconds; not below `min_ns`.
    pub max_ns: u64,
}
