//! The flags of `pysurge find-max`.

use super::{ChoiceArgs, DirectArgs, ResultsArgs, ShowArgs, parse_workers};
use clap::{Args, ValueHint};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::rate::Rate;
use pysurge_core::span::{SpanError, parse_span};
use std::path::PathBuf;

/// The shortest time that a level can be measured: the judge looks at seconds, and needs a few of them.
const MIN_HOLD_NS: u64 = 2 * NANOS_PER_SEC;

/// How much longer the level that confirms the result is, unless it is said.
const CONFIRM_TIMES: u64 = 3;

/// `pysurge find-max`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct FindMaxArgs {
    /// As for `pysurge run`; every test needs one plain rate
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) target: PathBuf,

    /// What has to hold, such as "failures < 1%"; may be repeated [default: failures < 1%]
    #[arg(long = "slo", value_name = "THRESHOLD")]
    pub(crate) objectives: Vec<String>,

    /// The first rate of all tests together: 50, 3000/m [default: as the config says]
    #[arg(long, value_parser = Rate::parse, allow_negative_numbers = true)]
    pub(crate) start: Option<Rate>,

    /// The highest rate that may be tried [default: none]
    #[arg(long, value_name = "RATE", value_parser = Rate::parse, allow_negative_numbers = true)]
    pub(crate) max_rate: Option<Rate>,

    /// How long a level is measured
    #[arg(long = "hold", value_name = "DURATION", default_value = "10s", value_parser = parse_hold)]
    pub(crate) hold_ns: u64,

    /// How long a level is fired before it is measured
    #[arg(long = "settle", value_name = "DURATION", default_value = "3s", value_parser = parse_span)]
    pub(crate) settle_ns: u64,

    /// How long the level that confirms the result is measured [default: three times --hold]
    #[arg(long = "confirm", value_name = "DURATION", value_parser = parse_hold)]
    confirm_ns: Option<u64>,

    /// How close the rate that failed is to come to the rate that held
    #[arg(long = "precision", value_name = "PERCENT", default_value = "3%", value_parser = parse_precision)]
    precision_permille: u32,

    /// How long the whole search may take
    #[arg(long = "max-time", value_name = "DURATION", default_value = "15m", value_parser = parse_span)]
    pub(crate) max_time_ns: u64,

    /// Worker processes [default: as the config says, else one per CPU]
    #[arg(long, value_name = "N", value_parser = parse_workers)]
    pub(crate) workers: Option<u32>,

    /// Print JSON in place of the text
    #[arg(long)]
    pub(crate) json: bool,

    /// Do not run each test once before the first level
    #[arg(long)]
    pub(crate) no_rehearsal: bool,

    #[command(flatten)]
    pub(crate) kept: ResultsArgs,

    #[command(flatten)]
    pub(crate) shown: ShowArgs,

    #[command(flatten)]
    pub(crate) direct: DirectArgs,

    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
}

impl FindMaxArgs {
    /// How long the level that confirms the result is measured, nanoseconds.
    pub(crate) fn confirm_ns(&self) -> u64 {
        self.confirm_ns
            .unwrap_or(self.hold_ns.saturating_mul(CONFIRM_TIMES))
    }

    /// How close the rate that failed is to come to the rate that held, as a share of it.
    pub(crate) fn precision(&self) -> f64 {
        f64::from(self.precision_permille) / 1_000.0
    }
}

/// Why a text is no time to measure a level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum HoldError {
    #[error("{0}")]
    NoSpan(#[from] SpanError),
    #[error("a level must be measured for at least 2s")]
    TooShort,
}

fn parse_hold(text: &str) -> Result<u64, HoldError> {
    match parse_span(text)? {
        hold_ns if hold_ns < MIN_HOLD_NS => Err(HoldError::TooShort),
        hold_ns => Ok(hold_ns),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 5 to 500 by then"
)]
fn parse_precision(text: &str) -> Result<u32, String> {
    let number = text.trim().trim_end_matches('%').trim_end().parse::<f64>().ok();
    let percent = number.filter(|percent| (0.5..=50.0).contains(percent));
    let permille = percent.map(|percent| (percent * 10.0).round() as u32);
    permille.ok_or_else(|| "write a percentage from 0.5% to 50%, such as 3%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Invocation, parse};

    fn find_max(line: &str) -> Result<FindMaxArgs, String> {
        let words = line.split(' ').map(|word| word.replace('_', " ").into());
        let args: Vec<std::ffi::OsString> = ["pysurge".into(), "find-max".into()]
            .into_iter()
            .chain(words)
            .collect();
        match parse(&args, None) {
            Ok(Invocation::FindMax(args)) => Ok(args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.render().to_string()),
        }
    }

    #[test]
    fn a_search_needs_no_more_than_a_config() {
        let args = find_max("a.yml").unwrap();
        let second_ns = NANOS_PER_SEC;
        assert_eq!((args.hold_ns, args.settle_ns), (10 * second_ns, 3 * second_ns));
        assert_eq!(
            (args.confirm_ns(), args.max_time_ns),
            (30 * second_ns, 900 * second_ns)
        );
        assert!((args.precision() - 0.03).abs() < 1e-9);
        assert_eq!((args.start, args.max_rate, args.workers), (None, None, None));
        assert!(args.objectives.is_empty() && !args.json);
    }

    #[test]
    fn everything_can_be_said() {
        let args = find_max(
            "a.yml --slo p99_<_3ms --slo b_<_1 --start 50 --max-rate 600/m --hold 5s --settle 0s --confirm 20s --precision 5% \
             --max-time 2m --workers 1 --json --no-results -q --only x",
        )
        .unwrap();
        assert_eq!(args.objectives, ["p99 < 3ms", "b < 1"]);
        assert_eq!(
            (args.start, args.max_rate),
            (Rate::parse("50").ok(), Rate::parse("10").ok())
        );
        assert_eq!((args.settle_ns, args.confirm_ns()), (0, 20 * NANOS_PER_SEC));
        assert!((args.precision() - 0.05).abs() < 1e-9);
        assert!(args.json && args.kept.no_results && args.shown.quiet && args.choice.only == ["x"]);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for (line, expected) in [
            ("a.yml --hold 1s", "at least 2s"),
            ("a.yml --hold 10", "no unit"),
            ("a.yml --precision 0", "from 0.5% to 50%"),
            ("a.yml --precision x", "from 0.5% to 50%"),
            ("a.yml --start 0", "greater than 0"),
            ("a.yml --max-rate -5", "greater than 0"),
        ] {
            let error = find_max(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
