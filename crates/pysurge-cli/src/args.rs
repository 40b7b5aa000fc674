//! The flags. What clap gives is turned into an [`Invocation`], which says what to do and cannot be wrong; a wrong
//! command line is clap's error, with our words in it.

use crate::style::{DEFAULT_COLUMNS, HELP_STYLES, MAX_HELP_COLUMNS};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use notes::{
    CHECK_NOTES, COMPARE_NOTES, COMPLETIONS_NOTES, CONTROL_NOTES, DEMO_NOTES, FIND_MAX_NOTES, HISTORY_NOTES,
    INIT_NOTES, PLAN_NOTES, REPORT_NOTES, RUN_ABOUT, RUN_NOTES, SCHEMA_NOTES, SHORT_NOTES, TARGET_NOTES,
    long_notes,
};
use pysurge_core::control;
use pysurge_core::plan;
use pysurge_core::rate::Rate;
use pysurge_core::schedule::Factor;
use pysurge_core::span::{SpanError, parse_span, parse_span_or_minutes};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

mod compare;
mod direct;
mod export;
mod find_max;
mod history;
mod notes;
mod report;

pub(crate) use compare::CompareArgs;
pub(crate) use direct::DirectArgs;
pub(crate) use export::ExportArgs;
#[cfg(test)]
pub(crate) use export::Receiver;
pub(crate) use find_max::FindMaxArgs;
pub(crate) use history::HistoryArgs;
pub(crate) use report::ReportArgs;

/// The most workers that can be asked for; a typo should not start ten thousand processes.
const MAX_WORKERS: u32 = 1_024;

/// What the user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// `pysurge run`, and with `classic` the form of pysurge 1.0.1.
    Run { run: RunArgs, classic: bool },
    /// `pysurge check`.
    Check(CheckArgs),
    /// `pysurge plan`.
    Plan(PlanArgs),
    /// `pysurge find-max`.
    FindMax(FindMaxArgs),
    /// `pysurge compare`.
    Compare(CompareArgs),
    /// `pysurge history`.
    History(HistoryArgs),
    /// `pysurge report`.
    Report(ReportArgs),
    /// `pysurge control`.
    Control(ControlArgs),
    /// `pysurge demo`.
    Demo(DemoArgs),
    /// `pysurge init`.
    Init(InitArgs),
    /// `pysurge target`.
    Target(TargetArgs),
    /// `pysurge completions`.
    Completions(Shell),
    /// `pysurge schema`.
    Schema(SchemaKind),
}

/// Reads a command line; help and version are errors of clap's, too.
pub(crate) fn parse(args: &[OsString], columns: Option<u16>) -> Result<Invocation, clap::Error> {
    let mut command = command(columns);
    let matches = command.try_get_matches_from_mut(args).map_err(suggest_run)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    let Some(subcommand) = cli.command else {
        return classic(cli.classic, &mut command);
    };
    Ok(match subcommand {
        Subcommands::Run(run) if run.judged.writes_one_file_twice() => {
            return Err(command.error(
                ErrorKind::ArgumentConflict,
                "`--junit` and `--samples` name the same file; give each its own",
            ));
        }
        Subcommands::Run(run) => Invocation::Run { run, classic: false },
        Subcommands::Check(check) => Invocation::Check(check),
        Subcommands::Plan(plan) if plan.json && plan.svg_to_stdout() => {
            return Err(command.error(
                ErrorKind::ArgumentConflict,
                "`--json` and `--svg -` both write to standard output; give --svg a file",
            ));
        }
        Subcommands::Plan(plan) => Invocation::Plan(plan),
        Subcommands::FindMax(find_max) => Invocation::FindMax(find_max),
        Subcommands::Compare(compare) if compare.lacks_a_side() => {
            return Err(command.error(
                ErrorKind::MissingRequiredArgument,
                "two runs are needed: pysurge compare BASE NEW",
            ));
        }
        Subcommands::Compare(compare) => Invocation::Compare(compare),
        Subcommands::History(history) => Invocation::History(history),
        Subcommands::Report(report) => Invocation::Report(report),
        Subcommands::Control(control) => Invocation::Control(control),
        Subcommands::Demo(demo) => Invocation::Demo(demo),
        Subcommands::Init(init) => Invocation::Init(init),
        Subcommands::Target(target) => Invocation::Target(target),
        Subcommands::Completions { shell } => Invocation::Completions(shell),
        Subcommands::Schema { kind } => Invocation::Schema(kind),
    })
}

/// The whole command, as clap knows it.
pub(crate) fn command(columns: Option<u16>) -> clap::Command {
    let columns = columns.unwrap_or(DEFAULT_COLUMNS).min(MAX_HELP_COLUMNS);
    // A width of 0 would mean no limit at all.
    Cli::command()
        .styles(HELP_STYLES)
        .term_width(usize::from(columns.max(40)))
}

/// `pysurge config.yml` or `pysurge tests/` lacks the word `run`: says so.
fn suggest_run(mut error: clap::Error) -> clap::Error {
    let given = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(given)) => given.clone(),
        _ => return error,
    };
    let what = if is_yaml(Path::new(&given)) {
        Some("a config file")
    } else {
        // A word alone is rather a command with a slip in it.
        plan::Target::parse(&given).ok().map(|_| "it")
    };
    if let Some(what) = what {
        let tip = format!("to fire {what}, write: pysurge run {given}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Whether a path is that of a YAML file.
pub(crate) fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yml" || extension == "yaml")
}

fn classic(args: ClassicArgs, command: &mut clap::Command) -> Result<Invocation, clap::Error> {
    let Some(config) = args.config else {
        return Err(command.error(
            ErrorKind::MissingRequiredArgument,
            "a config file is needed: pysurge -c CONFIG, or pysurge run CONFIG",
        ));
    };
    let shown = ShowArgs {
        debug: args.debug,
        quiet: false,
    };
    let kept = ResultsArgs {
        results: None,
        no_results: false,
    };
    let run = RunArgs {
        target: config,
        // 0 meant "until Ctrl+C" in 1.0.1, as did its absence.
        duration_ns: args.duration_ns.filter(|ns| *ns > 0),
        workers: None,
        no_rehearsal: true,
        direct: DirectArgs::default(),
        kept,
        shown,
        judged: JudgeArgs::default(),
        choice: ChoiceArgs::default(),
        live: LiveArgs {
            no_keys: true,
            control: None,
            no_control: true,
        },
        exports: ExportArgs::default(),
    };
    Ok(Invocation::Run { run, classic: true })
}

/// Run existing Python code as a load test
///
/// Name a function, a class, a coroutine or tests of pytest, here or in a YAML file, say how often per second it is to run, and pysurge fires it at exactly that rate: a
/// Rust engine keeps the schedule, measures every iteration and accounts for each one.
#[derive(Debug, Parser)]
#[command(
    name = "pysurge",
    bin_name = "pysurge",
    version = pysurge_core::VERSION,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    override_usage = "pysurge <COMMAND> [OPTIONS]\n       pysurge -c CONFIG [-d MINUTES] [--debug]",
    after_help = SHORT_NOTES,
    after_long_help = long_notes(),
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,

    #[command(flatten)]
    classic: ClassicArgs,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Fire a config file, a function, a class or tests of pytest
    #[command(long_about = RUN_ABOUT, after_help = RUN_NOTES)]
    Run(RunArgs),

    /// Rehearse: load every test and run it once, fire no load
    ///
    /// Imports and instantiates every test, runs each one once in one worker, and shows what happened and how long it took. Exits with 0 when every test passed, with 2
    /// otherwise.
    #[command(after_help = CHECK_NOTES)]
    Check(CheckArgs),

    /// Show what would be fired, and fire nothing
    ///
    /// Loads every test and shows how many iterations are planned, how fast they come, how they lie over time and how many threads they need. Exits with 0.
    #[command(after_help = PLAN_NOTES)]
    Plan(PlanArgs),

    /// Find the highest rate that the target holds
    ///
    /// Fires level after level: the rate is doubled until an SLO fails, then the gap is halved until it is narrow, and the result is fired once more, for longer. Shows the result, response times against rates, and what limited the rate. Exits with 0 when a rate held.
    #[command(name = "find-max", after_help = FIND_MAX_NOTES)]
    FindMax(FindMaxArgs),

    /// Say whether two runs differ
    ///
    /// Compares response times, failures, rates, metrics, timers and checks, each with a confidence interval, and says which differ. Of a side there may be several runs. Exits with 0, or with 3 where a --fail-if is seen.
    #[command(after_help = COMPARE_NOTES)]
    Compare(CompareArgs),

    /// List the runs of a results folder
    ///
    /// Shows the runs with their key figures, the oldest first, and how to compare the last two.
    #[command(after_help = HISTORY_NOTES)]
    History(HistoryArgs),

    /// Show the report of a run again, or rebuild it where the run was killed
    ///
    /// Reads a run's folder. Where pysurge was killed, or the machine went down, summary.json and timeseries.csv are rebuilt from run.journal, up to the last second before. A run that goes on is shown as it stands.
    #[command(after_help = REPORT_NOTES)]
    Report(ReportArgs),

    /// Ask a run that goes on: pause, resume, scale, stop
    ///
    /// Talks to a `pysurge run` or `pysurge demo` of yours on this machine and shows how it stands afterwards; without a command, how all of them stand. Exits with 0 when it was done, with 2 when there is no such run or it refused.
    #[command(after_help = CONTROL_NOTES, disable_help_subcommand = true)]
    Control(ControlArgs),

    /// Fire the shipped example at a target on this machine
    ///
    /// Starts a small HTTP server on 127.0.0.1, fires the shipped example test at it, shows the report, and says how to go on from there.
    #[command(after_help = DEMO_NOTES)]
    Demo(DemoArgs),

    /// Write a runnable example into a folder
    ///
    /// A test and, where it makes sense, a config, with comments. Nothing that is there is overwritten. Says what to type next.
    #[command(after_help = INIT_NOTES)]
    Init(InitArgs),

    /// Serve the demo's HTTP target until Ctrl+C
    ///
    /// A small HTTP server on 127.0.0.1 that counts what it answers, for trying things out. Its URL is the first line on stdout.
    #[command(after_help = TARGET_NOTES)]
    Target(TargetArgs),

    /// Print the completion script of a shell
    #[command(after_help = COMPLETIONS_NOTES)]
    Completions {
        /// The shell
        shell: Shell,
    },

    /// Print a JSON Schema
    #[command(after_help = SCHEMA_NOTES)]
    Schema {
        /// Of which file
        kind: SchemaKind,
    },
}

/// The form of pysurge 1.0.1.
#[derive(Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Classic form, as in pysurge 1.0.1")]
struct ClassicArgs {
    /// The config file (YAML)
    #[arg(short, long, value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// Minutes to run, or 90s, 1h30m; absent or 0: as the config says, else until Ctrl+C
    #[arg(short, long = "duration", value_name = "MINUTES", value_parser = parse_duration, allow_negative_numbers = true)]
    duration_ns: Option<u64>,

    /// Show debug log lines
    #[arg(long)]
    debug: bool,
}

/// `pysurge run`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct RunArgs {
    /// A config file (YAML), or what to run: package.module.Name, file.py:name, tests/
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) target: PathBuf,

    /// How long to fire at most: 90s, 5m, 1h30m; a bare number is minutes [default: as the config says, else until Ctrl+C; without a config 30s]
    #[arg(short, long = "duration", value_name = "DURATION", value_parser = parse_positive_duration, allow_negative_numbers = true)]
    pub(crate) duration_ns: Option<u64>,

    /// Worker processes [default: as the config says, else one per CPU]
    #[arg(long, value_name = "N", value_parser = parse_workers)]
    pub(crate) workers: Option<u32>,

    /// Do not run each test once before the load
    #[arg(long)]
    pub(crate) no_rehearsal: bool,

    #[command(flatten)]
    pub(crate) kept: ResultsArgs,

    #[command(flatten)]
    pub(crate) shown: ShowArgs,

    #[command(flatten)]
    pub(crate) direct: DirectArgs,

    #[command(flatten)]
    pub(crate) judged: JudgeArgs,

    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,

    #[command(flatten)]
    pub(crate) live: LiveArgs,

    #[command(flatten)]
    pub(crate) exports: ExportArgs,
}

/// By what a run is judged, and what else is told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "For CI and analysis")]
pub(crate) struct JudgeArgs {
    #[arg(
        long = "threshold",
        value_name = "EXPRESSION",
        help = "Fail the run unless this holds over all tests: \"response_time.p95 < 250ms\"; may be repeated"
    )]
    pub(crate) thresholds: Vec<String>,

    /// End with exit code 4 where the verdict is invalid
    #[arg(long)]
    pub(crate) require_valid: bool,

    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Write thresholds and tests as JUnit XML"
    )]
    pub(crate) junit: Option<PathBuf>,

    /// Write every iteration as a line of FILE.csv, or of FILE.csv.zst
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) samples: Option<PathBuf>,
}

impl JudgeArgs {
    fn writes_one_file_twice(&self) -> bool {
        self.junit.is_some() && self.junit == self.samples
    }
}

/// What of the config is taken, and what otherwise than it stands there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "What is taken of the config")]
pub(crate) struct ChoiceArgs {
    /// Put a value over that of the config: tests.0.rate=5; may be repeated
    #[arg(short, long = "override", value_name = "KEY.PATH=VALUE")]
    pub(crate) overrides: Vec<String>,

    /// Only tests with this tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,

    /// Only tests with this name, target or tag; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,

    /// No test with this name, target or tag; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) exclude: Vec<String>,
}

/// How a run may be steered while it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "While it runs")]
pub(crate) struct LiveArgs {
    /// Leave the keyboard alone
    #[arg(long)]
    pub(crate) no_keys: bool,

    /// Where to make the control socket [default: a private folder]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) control: Option<PathBuf>,

    /// Make no control socket
    #[arg(long, conflicts_with = "control")]
    pub(crate) no_control: bool,
}

/// Where a run's folder is made.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ResultsArgs {
    /// Where to make the run's folder [default: pysurge-results]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) results: Option<PathBuf>,

    /// Make no folder
    #[arg(long, conflicts_with = "results")]
    pub(crate) no_results: bool,
}

/// How much is shown.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ShowArgs {
    /// Show debug log lines
    #[arg(long)]
    pub(crate) debug: bool,

    /// Show only the report, warnings and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `pysurge check`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct CheckArgs {
    /// As for `pysurge run`
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) target: PathBuf,

    /// Show debug log lines
    #[arg(long)]
    pub(crate) debug: bool,

    #[arg(
        long,
        conflicts_with = "debug",
        help = "Run each test in the foreground: print(), breakpoint() and a debugger work"
    )]
    pub(crate) trace: bool,

    /// With --trace: into the debugger where a test fails
    #[arg(long, requires = "trace")]
    pub(crate) pdb: bool,

    #[command(flatten)]
    pub(crate) direct: DirectArgs,

    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
}

/// `pysurge plan`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct PlanArgs {
    /// As for `pysurge run`
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) target: PathBuf,

    /// As for `pysurge run`
    #[arg(short, long = "duration", value_name = "DURATION", value_parser = parse_positive_duration, allow_negative_numbers = true)]
    pub(crate) duration_ns: Option<u64>,

    /// As for `pysurge run`
    #[arg(long, value_name = "N", value_parser = parse_workers)]
    pub(crate) workers: Option<u32>,

    /// Draw it as a picture; - writes it to stdout, in place of the text
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) svg: Option<PathBuf>,

    /// Print JSON in place of the text
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) direct: DirectArgs,

    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
}

impl PlanArgs {
    /// Whether the picture is what goes to standard output.
    pub(crate) fn svg_to_stdout(&self) -> bool {
        self.svg.as_deref() == Some(Path::new("-"))
    }
}

/// `pysurge control`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ControlArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ControlCommand>,

    /// The run with this process id
    #[arg(long, global = true)]
    pub(crate) pid: Option<u32>,

    /// The run with this socket
    #[arg(long, global = true, conflicts_with = "pid", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) socket: Option<PathBuf>,

    /// Print the answer as a line of JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What a run is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(crate) enum ControlCommand {
    /// Show how it stands
    Status,
    /// Plan nothing until it is resumed; running iterations go on
    Pause,
    /// Go on with the plan where it was paused
    Resume,
    /// Multiply all rates (or users) as planned by a factor
    Scale {
        /// From 0.001 to 1000; 1 is as planned
        #[arg(value_parser = Factor::parse, allow_negative_numbers = true)]
        factor: Factor,
    },
    /// Start nothing more; running iterations may finish
    Stop {
        /// Abandon them
        #[arg(long)]
        now: bool,
    },
}

impl ControlCommand {
    /// The same in the words of the protocol.
    pub(crate) fn request(self) -> control::Command {
        match self {
            Self::Status => control::Command::Status,
            Self::Pause => control::Command::Pause,
            Self::Resume => control::Command::Resume,
            Self::Scale { factor } => control::Command::Scale(factor),
            Self::Stop { now: false } => control::Command::Stop,
            Self::Stop { now: true } => control::Command::StopNow,
        }
    }
}

/// `pysurge demo`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct DemoArgs {
    /// How long to fire: 90s, 5m, 1h30m; a bare number is minutes
    #[arg(short, long = "duration", value_name = "DURATION", default_value = "15s", value_parser = parse_positive_duration, allow_negative_numbers = true)]
    pub(crate) duration_ns: u64,

    /// Iterations per second over all tests, shared as in the example's config
    #[arg(long, value_parser = Rate::parse, allow_negative_numbers = true)]
    pub(crate) rate: Option<Rate>,

    /// Worker processes [default: one per CPU]
    #[arg(long, value_name = "N", value_parser = parse_workers)]
    pub(crate) workers: Option<u32>,

    #[command(flatten)]
    pub(crate) kept: ResultsArgs,

    #[command(flatten)]
    pub(crate) shown: ShowArgs,

    #[command(flatten)]
    pub(crate) live: LiveArgs,

    #[command(flatten)]
    pub(crate) exports: ExportArgs,
}

/// `pysurge init`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct InitArgs {
    /// Where to [default: the current folder]; it is made where it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,

    /// Tests of pytest, with fixtures
    #[arg(long)]
    pub(crate) pytest: bool,

    /// Coroutine functions
    #[arg(long = "async", conflicts_with = "pytest")]
    pub(crate) is_async: bool,
}

/// `pysurge target`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct TargetArgs {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = DEFAULT_TARGET_PORT)]
    pub(crate) port: u16,

    /// How long an answer takes, 5ms; up to a tenth is added, so that it looks alive
    #[arg(long = "delay", value_name = "DELAY", default_value = "0s", value_parser = parse_span, hide_default_value = true)]
    pub(crate) delay_ns: u64,

    /// Write a line per request: arrival in ns, method, path, status, X-Request-Id
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) log: Option<PathBuf>,
}

/// The port that `pysurge target` takes unless told otherwise.
pub(crate) const DEFAULT_TARGET_PORT: u16 = 8080;

/// The files with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// The config file
    Config,
    /// The summary.json of a run's folder
    Summary,
    /// The find-max.json of a search's folder
    FindMax,
    /// What `pysurge compare --json` prints
    Compare,
}

/// Why a text is no duration for `-d`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum DurationError {
    #[error("{0}; write 90s, 5m or 1h30m, a bare number is minutes")]
    NoSpan(#[from] SpanError),
    #[error("a duration cannot be negative; write 90s, 5m or 1h30m, a bare number is minutes")]
    Negative,
    #[error("a duration must be more than 0; leave -d out to go by the config, or until Ctrl+C")]
    Zero,
}

fn parse_duration(text: &str) -> Result<u64, DurationError> {
    if text.trim_start().starts_with('-') {
        return Err(DurationError::Negative);
    }
    Ok(parse_span_or_minutes(text)?)
}

fn parse_positive_duration(text: &str) -> Result<u64, DurationError> {
    match parse_duration(text)? {
        0 => Err(DurationError::Zero),
        duration_ns => Ok(duration_ns),
    }
}

fn parse_workers(text: &str) -> Result<u32, String> {
    let workers = text
        .parse()
        .ok()
        .filter(|workers| (1..=MAX_WORKERS).contains(workers));
    workers.ok_or_else(|| format!("write a number from 1 to {MAX_WORKERS}"))
}

#[cfg(test)]
mod tests;
