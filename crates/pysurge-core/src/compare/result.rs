//! What came of a comparison: the content of `pysurge compare --json`.

use super::Source;
use crate::summary::Status;
use crate::verdict::Validity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A comparison of two sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The version of this form; keys are only ever added within a version.
    pub schema_version: u32,
    /// The version of pysurge that compared.
    pub pysurge_version: String,
    /// The runs of the base side.
    pub base: Vec<RunRef>,
    /// The runs of the new side.
    pub new: Vec<RunRef>,
    /// What stands against comparing these runs, the gravest first; empty where nothing does.
    pub notes: Vec<Note>,
    /// How it was compared.
    pub method: Method,
    /// One entry per test that both sides have, in the order of the base.
    pub tests: Vec<TestComparison>,
    /// Tests that the base has and the new side has not.
    pub only_in_base: Vec<String>,
    /// Tests that the new side has and the base has not.
    pub only_in_new: Vec<String>,
    /// What came of each `--fail-if`.
    pub conditions: Vec<ConditionResult>,
}

/// A run of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRef {
    /// As it was named on the command line.
    pub path: String,
    /// The run's name.
    pub name: String,
    /// When its iterations started, ISO 8601 UTC.
    pub started_at: String,
    /// How long it was, seconds.
    pub duration_s: f64,
    /// Its verdict.
    pub validity: Validity,
    /// Whether it came to its end.
    pub status: Status,
}

impl RunRef {
    pub(super) fn of(source: &Source) -> Self {
        let summary = &source.summary;
        Self {
            path: source.path.clone(),
            name: summary.name.clone(),
            started_at: summary.started_at.clone(),
            duration_s: summary.duration_s,
            validity: summary.verdict.validity,
            status: summary.status,
        }
    }
}

/// Something to know before one believes a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Whether the differences may come from this and not from the target.
    pub warning: bool,
    /// What it is.
    pub text: String,
}

/// How it was compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Method {
    /// The chance that all intervals of the comparison hold their true differences.
    pub confidence: f64,
    /// Resamples of the bootstrap.
    pub resamples: usize,
    /// What they were drawn from.
    pub seed: u64,
    /// Blocks of the base side's time series.
    pub base_blocks: usize,
    /// Blocks of the new side's.
    pub new_blocks: usize,
    /// How long the stretches are that the base side's resamples are made of, seconds, in its first run.
    pub base_stretch_s: f64,
    /// The same of the new side.
    pub new_stretch_s: f64,
    /// So many standard errors an interval reaches to either side.
    pub critical: f64,
}

/// One test, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestComparison {
    /// What the config calls it, where it does.
    pub name: Option<String>,
    /// Its label in the base.
    pub label: String,
    /// Its measures.
    pub measures: Vec<MeasureComparison>,
}

impl TestComparison {
    /// What it is called: its name, else its label.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.label)
    }
}

/// The unit of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A duration.
    Seconds,
    /// A share of 1.
    Share,
    /// Iterations per second.
    PerSecond,
    /// The user's own.
    Number,
}

/// What is seen of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The interval holds 0: there may be a difference, but this does not show it.
    NoDifferenceSeen,
    /// A duration is longer.
    Slower,
    /// A duration is shorter.
    Faster,
    /// Another figure is higher.
    Higher,
    /// Another figure is lower.
    Lower,
    /// Too little was measured to say anything.
    NotEnoughData,
}

impl Outcome {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoDifferenceSeen => "no difference seen",
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::NotEnoughData => "not enough data",
        }
    }

    /// Whether a difference is seen.
    pub fn is_seen(self) -> bool {
        !matches!(self, Self::NoDifferenceSeen | Self::NotEnoughData)
    }
}

/// Where a difference lies, with the confidence of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
}

/// One measure of a test on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeasureComparison {
    /// Its name, as in a threshold: `response_time.p95`.
    pub measure: String,
    /// The unit of the values.
    pub unit: Unit,
    /// The base side's value, over all its runs; absent where nothing was measured.
    pub base: Option<f64>,
    /// The new side's.
    pub new: Option<f64>,
    /// How many iterations or values the base side's is of.
    pub base_count: u64,
    /// How many the new side's is of.
    pub new_count: u64,
    /// New minus base.
    pub difference: Option<f64>,
    /// Where the difference lies; absent where there is not enough data.
    pub interval: Option<Interval>,
    /// The difference as a share of the base; absent where the base is 0.
    pub relative: Option<f64>,
    /// Where that lies.
    pub relative_interval: Option<Interval>,
    /// What is seen.
    pub outcome: Outcome,
    /// Why there is not enough data, where there is not.
    pub why: Option<String>,
}

/// How a `--fail-if` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionState {
    /// No test has such a difference.
    Passed,
    /// A test has.
    Failed,
    /// No test has, as far as it can be told; of some there is not enough data.
    NotEnoughData,
}

/// What came of a `--fail-if`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionResult {
    /// As it was written.
    pub expression: String,
    /// How it stands.
    pub state: ConditionState,
    /// The tests that fail it, by name or label.
    pub failing: Vec<String>,
    /// The tests of which there is not enough data.
    pub unknown: Vec<String>,
}
