//! The flags. What clap gives is turned into an [`Invocation`], which says what to do and cannot be wrong; a wrong
//! command line is clap's error, with our words in it.

use crate::style::{DEFAULT_COLUMNS, HELP_STYLES, MAX_HELP_COLUMNS};
use clap::builder::styling::AnsiColor;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use pysurge_core::rate::Rate;
use pysurge_core::span::{SpanError, parse_span, parse_span_or_minutes};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The most workers that can be asked for; a typo should not start ten thousand processes.
const MAX_WORKERS: u32 = 1_024;

/// What the user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// `pysurge run`, and with `classic` the form of pysurge 1.0.1.
    Run { run: RunArgs, classic: bool },
    /// `pysurge check`.
    Check(CheckArgs),
    /// `pysurge demo`.
    Demo(DemoArgs),
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
        Subcommands::Run(run) => Invocation::Run { run, classic: false },
        Subcommands::Check(check) => Invocation::Check(check),
        Subcommands::Demo(demo) => Invocation::Demo(demo),
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

/// `pysurge config.yml` lacks the word `run`: says so.
fn suggest_run(mut error: clap::Error) -> clap::Error {
    let given = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(given)) => given.clone(),
        _ => return error,
    };
    let extension = Path::new(&given).extension();
    if extension.is_some_and(|extension| extension == "yml" || extension == "yaml") {
        let tip = format!("to fire a config file, write: pysurge run {given}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
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
        config,
        // 0 meant "until Ctrl+C" in 1.0.1, as did its absence.
        duration_ns: args.duration_ns.filter(|ns| *ns > 0),
        workers: None,
        kept,
        shown,
    };
    Ok(Invocation::Run { run, classic: true })
}

/// Run existing Python code as a load test
///
/// Write a test case in plain, blocking Python, say in a YAML file how often per second it is to run, and pysurge fires it at exactly that rate: a Rust engine keeps
/// the schedule, measures every iteration and accounts for each one.
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

const SHORT_NOTES: &str = "\
First steps:
  pysurge demo                       a first load test, in 15 seconds
  pysurge check config.yml           run each test once, fire no load
  pysurge run config.yml -d 5m       fire for five minutes, or until Ctrl+C

`pysurge --help` says more, also about exit codes and the environment.";

/// Examples and tables for the end of the long help.
fn long_notes() -> String {
    let heading = |text: &str| {
        let style = AnsiColor::Green.on_default().bold();
        format!("{style}{text}:{style:#}")
    };
    format!(
        "\
{examples}
  pysurge demo                       a first load test, in 15 seconds
  pysurge check config.yml           run each test once, fire no load
  pysurge run config.yml             fire until Ctrl+C
  pysurge run config.yml -d 1h30m --workers 4 --results /tmp/results
  pysurge -c config.yml -d 5         the form of pysurge 1.0.1: five minutes

{config}
  tests:
  - test_class: package.module.ClassName  # found from the current folder on
    kwargs: {{any: thing}}                  # for its __init__
    rate: 0.2                             # iterations per second, all workers
  Values may hold ${{NAME}} and ${{NAME:-default}}: variables of the environment.

{stopping}
  Ctrl+C (or SIGTERM) starts nothing more and lets running iterations finish;
  a second one abandons them. The report is always written.

{exit_codes}
  0    it ran to its end; some iterations may have failed
  1    internal error
  2    wrong usage or config, or a test cannot be loaded; nothing was fired
  3    no iteration passed, a test could not run at all, or all workers died
  130  stopped by a second Ctrl+C, or by the first before anything was fired

{environment}
  NO_COLOR         no colours
  CLICOLOR_FORCE   colours, also where the output is no terminal",
        examples = heading("Examples"),
        config = heading("Config"),
        stopping = heading("Stopping"),
        exit_codes = heading("Exit codes"),
        environment = heading("Environment"),
    )
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Fire the tests of a config file
    ///
    /// The report goes to stdout at the end, together with the log lines of the tests; progress goes to stderr. The run's folder keeps summary.json, run.log and the config.
    #[command(after_help = RUN_NOTES)]
    Run(RunArgs),

    /// Rehearse: load every test and run it once, fire no load
    ///
    /// Imports and instantiates every test of the config, runs each one once in one worker, and shows what happened and how long it took. Exits with 0 when every test
    /// passed, with 2 otherwise.
    #[command(after_help = CHECK_NOTES)]
    Check(CheckArgs),

    /// Fire the shipped example at a target on this machine
    ///
    /// Starts a small HTTP server on 127.0.0.1, fires the shipped example test at it, shows the report, and says how to go on from there.
    #[command(after_help = DEMO_NOTES)]
    Demo(DemoArgs),

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

const RUN_NOTES: &str = "\
Examples:
  pysurge run config.yml -d 90s
  pysurge run config.yml -d 5m --workers 1 --quiet > report.txt
  pysurge run config.yml -d 30s --no-results";

const CHECK_NOTES: &str = "\
Examples:
  pysurge check config.yml
  pysurge check config.yml --debug && pysurge run config.yml -d 5m";

const DEMO_NOTES: &str = "\
Examples:
  pysurge demo
  pysurge demo -d 1m --rate 500";

const TARGET_NOTES: &str = "\
Answers:
  GET /           200
  GET /items/N    200
  POST /items     201
  GET /delay/MS   200, after MS milliseconds
  GET /freeze/MS  200; then no answer leaves for MS milliseconds
  GET /stats      200, what was answered so far
  anything else   404

Example:
  pysurge target --port 8080 --delay 5ms --log arrivals.log";

const COMPLETIONS_NOTES: &str = "\
Examples:
  pysurge completions bash > ~/.local/share/bash-completion/completions/pysurge
  pysurge completions zsh > ~/.zfunc/_pysurge
  pysurge completions fish > ~/.config/fish/completions/pysurge.fish";

const SCHEMA_NOTES: &str = "\
Example:
  pysurge schema config > config.schema.json

An editor with YAML support then checks a config that begins with
  # yaml-language-server: $schema=config.schema.json";

/// The form of pysurge 1.0.1.
#[derive(Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Classic form, as in pysurge 1.0.1")]
struct ClassicArgs {
    /// The config file (YAML)
    #[arg(short, long, value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// Minutes to run, or 90s, 1h30m; absent or 0: until Ctrl+C
    #[arg(short, long = "duration", value_name = "MINUTES", value_parser = parse_duration, allow_negative_numbers = true)]
    duration_ns: Option<u64>,

    /// Show debug log lines
    #[arg(long)]
    debug: bool,
}

/// `pysurge run`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct RunArgs {
    /// The config file (YAML)
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,

    /// How long to fire: 90s, 5m, 1h30m; a bare number is minutes [default: until Ctrl+C]
    #[arg(short, long = "duration", value_name = "DURATION", value_parser = parse_positive_duration, allow_negative_numbers = true)]
    pub(crate) duration_ns: Option<u64>,

    /// Worker processes [default: one per CPU]
    #[arg(long, value_name = "N", value_parser = parse_workers)]
    pub(crate) workers: Option<u32>,

    #[command(flatten)]
    pub(crate) kept: ResultsArgs,

    #[command(flatten)]
    pub(crate) shown: ShowArgs,
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
    /// The config file (YAML)
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,

    /// Show debug log lines
    #[arg(long)]
    pub(crate) debug: bool,
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
}

/// Why a text is no duration for `-d`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum DurationError {
    #[error("{0}; write 90s, 5m or 1h30m, a bare number is minutes")]
    NoSpan(#[from] SpanError),
    #[error("a duration cannot be negative; write 90s, 5m or 1h30m, a bare number is minutes")]
    Negative,
    #[error("a duration must be more than 0; leave -d out to run until Ctrl+C")]
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
