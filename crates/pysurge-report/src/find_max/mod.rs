//! What a search for the highest rate shows and leaves: a line per level while it goes on; at its end the result, a table and a drawing;
//! `find-max.json`, `find-max.svg` and `report.html` in its folder. All of them say the same, for all are made of one [`FindMax`].
//!
//! Nothing is decided here: which rate is fired next, and what held, comes from [`pysurge_core::search`].

mod drawing;
mod picture;
mod screen;
mod sink;
mod text;

pub use picture::find_max_svg;
pub(crate) use picture::limits_s;
pub use screen::{Screen, ScreenOptions};
pub use sink::{LevelSink, Watched};
pub use text::{find_max_text, sentence};

use pysurge_core::account::Account;
use pysurge_core::rate::Rate;
use pysurge_core::search::{Found, Judged, Level, Purpose, SearchEnd, Signal, Terms, Watch};
use pysurge_core::summary::{Durations, Summary, ThresholdResult};
use pysurge_core::verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of the file with all that is known of a search.
pub const SEARCH: &str = "find-max.json";

/// The version of the form of `find-max.json`. Keys are only ever added within a version.
pub const SCHEMA_VERSION: u32 = 1;

/// A whole search: the content of `find-max.json`. Rates are those of all tests together, in iterations per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FindMax {
    /// The version of this form.
    pub schema_version: u32,
    /// The version of pysurge that wrote it.
    pub pysurge_version: String,
    /// The name of the config.
    pub name: String,
    /// When the first level started, ISO 8601 UTC; absent where none did.
    pub started_at: Option<String>,
    /// How long the search took, seconds.
    pub elapsed_s: f64,
    /// What had to hold in a level, as it was written.
    pub objectives: Vec<String>,
    /// How the search was to be made.
    pub terms: TermsRecord,
    /// What it found; absent while it goes on.
    pub result: Option<ResultRecord>,
    /// Every level, in the order in which they were fired.
    pub levels: Vec<LevelRecord>,
}

/// How a search was to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TermsRecord {
    /// The first rate.
    pub start_rate_per_s: f64,
    /// The highest that could be tried; absent where nothing limited it.
    pub max_rate_per_s: Option<f64>,
    /// How close the lowest rate that failed was to come to the highest that held, as a share of it.
    pub precision: f64,
    /// How long each level was fired before it was measured, seconds.
    pub settle_s: f64,
    /// How long it was measured, seconds.
    pub hold_s: f64,
    /// How long the level that confirms the result was measured, seconds.
    pub confirm_s: f64,
    /// How long the search could take, seconds.
    pub max_time_s: f64,
    /// How many workers fired.
    pub workers: u32,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResultRecord {
    /// Why the search ended.
    pub end: SearchEnd,
    /// The highest rate that held; absent where none did.
    pub held_rate_per_s: Option<f64>,
    /// Whether it also held for the longer time.
    pub confirmed: bool,
    /// The lowest rate above it that did not hold; absent where none failed.
    pub failed_rate_per_s: Option<f64>,
    /// Whether the target may hold more: it was not the target that limited the rate.
    pub at_least: bool,
    /// What limited it; absent where the search ended before.
    pub limit: Option<Signal>,
    /// All this in words.
    pub text: String,
    /// The exit code of the command.
    pub exit_code: u8,
}

/// How a level stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelState {
    /// Every objective was met, and the rate was kept.
    Held,
    /// The target did not do it.
    Failed,
    /// The generator did not keep its schedule: says nothing of the target.
    GeneratorLimited,
}

/// One level. Figures are of all tests together, without the time before it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LevelRecord {
    /// Its number, from 1.
    pub number: u32,
    /// The rate asked for.
    pub rate_per_s: f64,
    /// What it was fired for.
    pub purpose: Purpose,
    /// Whether it was a longer try of a result that held before.
    pub confirmation: bool,
    /// When it began, seconds since the search did.
    pub began_s: f64,
    /// How long it was to be measured, seconds.
    pub hold_s: f64,
    /// Whether it was ended before that, because it could not hold any more.
    pub ended_early: bool,
    /// Whether it held.
    pub state: LevelState,
    /// What said that it did not.
    pub signal: Option<Signal>,
    /// How its iterations ended.
    pub account: Account,
    /// Lateness and service time together.
    pub response_time: Durations,
    /// `run` alone.
    pub service_time: Durations,
    /// From the planned instant to the start.
    pub lateness: Durations,
    /// Whether the generator kept its schedule.
    pub verdict: Verdict,
    /// Every objective with its value.
    pub objectives: Vec<ThresholdResult>,
    /// Its own folder, from the folder of the search; absent where none was kept.
    pub folder: Option<String>,
}

impl FindMax {
    /// A search that begins.
    pub fn new(name: &str, objectives: Vec<String>, terms: &Terms, workers: u32) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            pysurge_version: pysurge_core::VERSION.to_owned(),
            name: name.to_owned(),
            started_at: None,
            elapsed_s: 0.0,
            objectives,
            terms: TermsRecord {
                start_rate_per_s: terms.start.per_s(),
                max_rate_per_s: terms.max.map(Rate::per_s),
                precision: terms.precision,
                settle_s: seconds(terms.settle_ns),
                hold_s: seconds(terms.hold_ns),
                confirm_s: seconds(terms.confirm_ns),
                max_time_s: seconds(terms.max_time_ns),
                workers,
            },
            result: None,
            levels: Vec::new(),
        }
    }

    /// Adds what came of a level.
    pub fn add(&mut self, level: LevelRecord, started_at: &str) {
        self.started_at.get_or_insert_with(|| started_at.to_owned());
        self.levels.push(level);
    }

    /// Says what was found.
    pub fn conclude(&mut self, found: &Found, elapsed_ns: u64, exit_code: u8) {
        self.elapsed_s = seconds(elapsed_ns);
        let mut result = ResultRecord {
            end: found.end,
            held_rate_per_s: found.held.map(Rate::per_s),
            confirmed: found.is_confirmed,
            failed_rate_per_s: found.failed.map(Rate::per_s),
            at_least: found.is_at_least(),
            limit: found.limit.clone(),
            text: String::new(),
            exit_code,
        };
        result.text = sentence(&result);
        self.result = Some(result);
    }
}

impl LevelRecord {
    /// What came of a level.
    pub fn of(level: &Level, judged: &Judged, summary: &Summary, watched: &Watch, began_ns: u64) -> Self {
        let total = watched.total();
        Self {
            number: level.number,
            rate_per_s: level.rate.per_s(),
            purpose: level.purpose,
            confirmation: level.is_confirmation,
            began_s: seconds(began_ns),
            hold_s: seconds(level.hold_ns),
            ended_early: false,
            state: match judged {
                Judged::Held => LevelState::Held,
                Judged::Failed(_) => LevelState::Failed,
                Judged::GeneratorLimited(_) => LevelState::GeneratorLimited,
            },
            signal: judged.failing().map(|failing| failing.signal.clone()),
            account: summary.account,
            response_time: Durations::of(&total.response_time),
            service_time: Durations::of(&total.service_time),
            lateness: Durations::of(&total.lateness),
            verdict: summary.verdict.clone(),
            objectives: summary.thresholds.clone(),
            folder: None,
        }
    }

    /// Failed iterations as a share of those that ended; 0 where none did.
    #[expect(clippy::cast_precision_loss, reason = "shown")]
    fn failed_share(&self) -> f64 {
        let ended = (self.account.passed + self.account.failed).max(1);
        self.account.failed as f64 / ended as f64
    }
}

/// The search as pretty-printed JSON with a final newline.
pub fn find_max_json(search: &FindMax) -> String {
    let mut text = serde_json::to_string_pretty(search).expect("numbers and strings are JSON");
    text.push('\n');
    text
}

/// The JSON Schema of `find-max.json`, with a final newline.
pub fn find_max_schema() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(FindMax))
        .expect("a schema is plain JSON without keys that are no strings");
    text.push('\n');
    text
}

#[expect(clippy::cast_precision_loss, reason = "seconds at the edge are floats")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
