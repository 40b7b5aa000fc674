//! Why a command ends without success: what is wrong, what to do about it, and the exit code. Rendered here and
//! nowhere else; errors in a config are rendered by the crate that knows the file.

use crate::command::RunError;
use crate::control::ClientError;
use crate::style::{ERROR, HINT, paint};
use pysurge_config::ConfigErrors;
use pysurge_core::harmless::{Colours, harmless_lines};
use pysurge_core::search::NotSearchable;
use pysurge_export::{OtlpError, PageError};
use pysurge_manager::ManagerError;
use pysurge_report::ReportError;
use std::error::Error;
use std::io;
use std::path::PathBuf;

/// Exit code: an error of pysurge itself.
pub(crate) const EXIT_INTERNAL: u8 = 1;

/// Exit code: wrong usage, config or surroundings; nothing was fired.
pub(crate) const EXIT_USAGE: u8 = 2;

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("config file not found: {}", .0.display())]
    ConfigNotFound(PathBuf),
    #[error("the config {} is a folder", .0.display())]
    ConfigIsFolder(PathBuf),
    #[error("failed to read the config {}", path.display())]
    ConfigUnreadable { path: PathBuf, source: io::Error },
    #[error("the config {} is longer than {limit_bytes} bytes", path.display())]
    ConfigTooLong { path: PathBuf, limit_bytes: u64 },
    #[error("the config {} is not UTF-8 text: line {line} holds the byte 0x{byte:02x}", path.display())]
    ConfigNotText { path: PathBuf, line: usize, byte: u8 },
    #[error("`{flag}` is for a target that is no config file")]
    FlagOfTarget {
        flag: &'static str,
        /// How a config is told the same.
        instead: String,
        config: PathBuf,
    },
    #[error("the target {} is not UTF-8 text", .0.display())]
    TargetNotText(PathBuf),
    #[error("a test failed when it was run once before the load; nothing was fired")]
    RehearsalFailed { exit_code: u8 },
    #[error("`--trace` cannot hand over the keyword argument `{name}` of {test}: it holds {what}")]
    NotTraceable {
        test: String,
        name: String,
        what: String,
    },
    #[error("the tests and their kwargs are too long for `--trace`: {bytes} bytes")]
    TraceTooLong { bytes: usize },
    #[error("failed to start {}", python.display())]
    Trace { python: PathBuf, source: io::Error },
    #[error("{} is there already; nothing was written", .0.display())]
    InitExists(PathBuf),
    #[error("failed to write {}", path.display())]
    Init { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Config(ConfigErrors),
    #[error("failed to {0}")]
    Results(ReportError),
    #[error("failed to {0}")]
    Samples(ReportError),
    #[error("failed to {0}")]
    Junit(ReportError),
    #[error("{0}")]
    Page(PageError),
    #[error("{0}")]
    Otlp(OtlpError),
    #[error("failed to start the threads for metrics")]
    Metrics(io::Error),
    #[error("failed to start the thread of the dashboard")]
    Dashboard(io::Error),
    #[error("{0}")]
    Threshold(String),
    #[error("failed to {0}")]
    Manager(ManagerError),
    #[error("stopped before anything was fired")]
    Stopped { exit_code: u8 },
    #[error("the example is not in {}", .0.display())]
    DemoMissing(PathBuf),
    #[error("failed to serve on 127.0.0.1:{port}")]
    Target { port: u16, source: io::Error },
    #[error("failed to write the log {}", path.display())]
    TargetLog { path: PathBuf, source: io::Error },
    #[error("failed to write the picture {}", path.display())]
    Svg { path: PathBuf, source: io::Error },
    #[error("failed to write the page {}", path.display())]
    ComparePage { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Objectives(String),
    #[error("{0}")]
    NotSearchable(NotSearchable),
    #[error("{0}")]
    Condition(String),
    #[error("{0}")]
    Run(#[from] RunError),
    #[error("no pysurge of yours is running on this machine that can be controlled")]
    NoRun,
    #[error("no pysurge of yours with pid {pid} is running on this machine that can be controlled")]
    NoSuchRun { pid: u32 },
    #[error("{runs} runs go on")]
    ManyRuns { runs: usize },
    #[error("{run}: {source}")]
    Control { run: String, source: ClientError },
    #[error("failed to wait for Ctrl+C")]
    Signals(io::Error),
    #[error("failed to write to standard output")]
    Output(io::Error),
}

impl CliError {
    /// The exit code of the command.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::ConfigNotFound(_)
            | Self::ConfigIsFolder(_)
            | Self::ConfigUnreadable { .. }
            | Self::ConfigTooLong { .. }
            | Self::ConfigNotText { .. }
            | Self::FlagOfTarget { .. }
            | Self::TargetNotText(_)
            | Self::NotTraceable { .. }
            | Self::TraceTooLong { .. }
            | Self::Trace { .. }
            | Self::InitExists(_)
            | Self::Init { .. }
            | Self::Config(_)
            | Self::Results(_)
            | Self::Samples(_)
            | Self::Junit(_)
            | Self::Page(_)
            | Self::Otlp(_)
            | Self::Metrics(_)
            | Self::Dashboard(_)
            | Self::Threshold(_)
            | Self::DemoMissing(_)
            | Self::Target { .. }
            | Self::TargetLog { .. }
            | Self::Svg { .. }
            | Self::ComparePage { .. }
            | Self::Objectives(_)
            | Self::NotSearchable(_)
            | Self::Condition(_)
            | Self::Run(_)
            | Self::NoRun
            | Self::NoSuchRun { .. }
            | Self::ManyRuns { .. }
            | Self::Control { .. } => EXIT_USAGE,
            Self::Signals(_) | Self::Output(_) => EXIT_INTERNAL,
            Self::Manager(error) => error.exit_code(),
            Self::Stopped { exit_code } | Self::RehearsalFailed { exit_code } => *exit_code,
        }
    }

    /// What to do about it, where we know.
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ConfigNotFound(path) if path.is_relative() => {
                "the path counts from the current folder".to_owned()
            }
            Self::ConfigIsFolder(path) => {
                format!(
                    "name the file in it, such as {}",
                    path.join("config.yml").display()
                )
            }
            Self::ConfigNotText { .. } => "save the file as UTF-8".to_owned(),
            Self::FlagOfTarget { instead, config, .. } => {
                format!("for {} write {instead}", config.display())
            }
            Self::RehearsalFailed { .. } => {
                "`pysurge check` runs each test once, with --trace in the foreground; --no-rehearsal fires in any case"
                    .to_owned()
            }
            Self::NotTraceable { .. } => {
                "with --trace arguments are texts, numbers, booleans, null, lists, and mappings with texts as keys"
                    .to_owned()
            }
            Self::TraceTooLong { .. } => "choose fewer tests with --only, or give shorter kwargs".to_owned(),
            Self::InitExists(_) => "name another folder: pysurge init DIR".to_owned(),
            Self::Results(_) => {
                "name another folder with --results DIR, or make none with --no-results".to_owned()
            }
            Self::Samples(ReportError::SamplesForm { path })
                if path.extension().is_some_and(|ending| ending == "parquet") =>
            {
                let instead = path.with_extension("csv.zst");
                format!(
                    "Parquet is not supported; write {} and convert it",
                    instead.display()
                )
            }
            Self::Samples(ReportError::SamplesForm { .. }) => {
                "its ending says the form: .csv is plain, .csv.zst compressed".to_owned()
            }
            Self::Manager(ManagerError::Spawn { source, .. })
                if source.kind() == io::ErrorKind::WouldBlock =>
            {
                "the system allows no more processes; ask for fewer with --workers N".to_owned()
            }
            Self::Page(PageError::Bind { source, .. }) => return of_port(source),
            Self::Page(PageError::Token(_)) => {
                "choose another, or unset PYSURGE_TOKEN: one is made and shown then".to_owned()
            }
            Self::DemoMissing(_) => {
                "it is part of the package; reinstalling pysurge brings it back".to_owned()
            }
            Self::Target { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "another program has this port; --port 0 takes a free one".to_owned()
            }
            Self::Target { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "ports below 1024 are for root; choose another with --port".to_owned()
            }
            Self::NotSearchable(_) => {
                "give it one for the search with -o tests.N=…, or leave it out with --exclude".to_owned()
            }
            Self::Run(error) => return error.hint(),
            Self::NoRun => {
                "`pysurge run` and `pysurge demo` can be, unless they have --no-control; one with --control PATH \
                 is reached by --socket PATH"
                    .to_owned()
            }
            Self::NoSuchRun { .. } => "`pysurge control` shows those there are".to_owned(),
            Self::ManyRuns { .. } => "name one of them with --pid PID".to_owned(),
            Self::Control {
                source: ClientError::Silent,
                ..
            } => "a run that is suspended by Ctrl+Z answers once it goes on".to_owned(),
            _ => return None,
        })
    }

    /// The lines for standard error. Names of files and tests are others' words.
    pub(crate) fn render(&self, color: bool) -> String {
        let colours = if color { Colours::Keep } else { Colours::Drop };
        harmless_lines(&self.words(color), colours).into_owned()
    }

    fn words(&self, color: bool) -> String {
        if let Self::Config(errors) = self {
            return format!("{}\n", errors.render(color));
        }
        let error = paint("error", ERROR, color);
        let cause = self.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
        let hint = paint("hint", HINT, color);
        let hint = self
            .hint()
            .map(|text| format!("{hint}: {text}\n"))
            .unwrap_or_default();
        format!("{error}: {self}{cause}\n{hint}")
    }

    /// What the system said, where the message does not hold it yet.
    fn cause(&self) -> Option<&dyn Error> {
        match self {
            Self::Run(error) => error.cause().map(|cause| cause as &dyn Error),
            Self::ConfigUnreadable { source, .. }
            | Self::Page(PageError::Bind { source, .. })
            | Self::Metrics(source)
            | Self::Dashboard(source)
            | Self::Target { source, .. }
            | Self::TargetLog { source, .. }
            | Self::Svg { source, .. }
            | Self::ComparePage { source, .. }
            | Self::Trace { source, .. }
            | Self::Init { source, .. }
            | Self::Signals(source)
            | Self::Output(source) => Some(source),
            _ => None,
        }
    }
}

/// What to do where a page cannot be served.
fn of_port(source: &io::Error) -> Option<String> {
    Some(match source.kind() {
        io::ErrorKind::AddrInUse => {
            "another program, maybe another run, has this port; choose another, or 0 for any that is free"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 are for root; choose another".to_owned(),
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; 0.0.0.0 stands for all that it has".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn errors_say_what_is_wrong_and_what_to_do() {
        let errors: Vec<CliError> = errors().into_iter().chain(of_metrics()).collect();
        let text = errors.iter().fold(String::new(), |mut text, error| {
            let _ = writeln!(text, "{}exit {}\n", error.render(false), error.exit_code());
            text
        });
        insta::assert_snapshot!(text);
    }

    fn of_metrics() -> Vec<CliError> {
        vec![
            CliError::Page(PageError::Bind {
                what: "metrics",
                listen: pysurge_export::DEFAULT_LISTEN
                    .parse()
                    .expect("the default is an address"),
                source: io::ErrorKind::AddrInUse.into(),
            }),
            CliError::Page(PageError::Token(pysurge_export::TokenError::Short)),
            CliError::Otlp(OtlpError::Millis {
                variable: "OTEL_EXPORTER_OTLP_TIMEOUT",
                value: "10s".into(),
            }),
        ]
    }

    fn errors() -> Vec<CliError> {
        let refused = || io::Error::from(io::ErrorKind::PermissionDenied);
        vec![
            CliError::ConfigNotFound("conf.yml".into()),
            CliError::ConfigNotFound("/etc/conf.yml".into()),
            CliError::ConfigIsFolder("tests".into()),
            CliError::ConfigUnreadable {
                path: "conf.yml".into(),
                source: refused(),
            },
            CliError::ConfigTooLong {
                path: "/dev/zero".into(),
                limit_bytes: 16_777_216,
            },
            CliError::ConfigNotText {
                path: "conf.yml".into(),
                line: 3,
                byte: 0xe9,
            },
            CliError::Results(ReportError::Folder {
                path: "/pysurge-results".into(),
                source: refused(),
            }),
            CliError::Samples(ReportError::SamplesForm {
                path: "out/samples.parquet".into(),
            }),
            CliError::Samples(ReportError::SamplesForm {
                path: "samples.txt".into(),
            }),
            CliError::Junit(ReportError::File {
                path: "/junit.xml".into(),
                source: refused(),
            }),
            CliError::Threshold("--threshold: `x` is no measure\n  x < 1\n  ^".into()),
            CliError::Manager(ManagerError::NoCommand),
            CliError::Manager(ManagerError::Spawn {
                worker: 7,
                program: "python3".into(),
                source: io::ErrorKind::WouldBlock.into(),
            }),
            CliError::Stopped { exit_code: 130 },
            CliError::DemoMissing("/lib/pysurge/demo".into()),
            CliError::Target {
                port: 8080,
                source: io::ErrorKind::AddrInUse.into(),
            },
            CliError::Target {
                port: 80,
                source: refused(),
            },
            CliError::TargetLog {
                path: "/arrivals.log".into(),
                source: refused(),
            },
            CliError::Svg {
                path: "/plan.svg".into(),
                source: refused(),
            },
            CliError::NotSearchable(NotSearchable {
                test: "upload".into(),
                key: "users",
            }),
            CliError::FlagOfTarget {
                flag: "--rate",
                instead: "-o 'tests[*].rate=5'".into(),
                config: "load.yml".into(),
            },
            CliError::TargetNotText("a.py:f".into()),
            CliError::RehearsalFailed { exit_code: 2 },
            CliError::NotTraceable {
                test: "load.py:upload".into(),
                name: "at".into(),
                what: "a date".into(),
            },
            CliError::TraceTooLong { bytes: 200_000 },
            CliError::Trace {
                python: "python3".into(),
                source: refused(),
            },
            CliError::InitExists("config.yml".into()),
            CliError::Init {
                path: "config.yml".into(),
                source: refused(),
            },
            CliError::NoRun,
            CliError::NoSuchRun { pid: 4711 },
            CliError::ManyRuns { runs: 2 },
            CliError::Control {
                run: "pid 4711".into(),
                source: ClientError::Silent,
            },
            CliError::Control {
                run: "pid 4711".into(),
                source: ClientError::Refused("the run is stopping".into()),
            },
            CliError::Output(io::ErrorKind::StorageFull.into()),
        ]
    }

    #[test]
    fn colour_is_on_the_first_word_only() {
        let text = CliError::ConfigIsFolder("tests".into()).render(true);
        assert!(
            text.starts_with("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: the config tests is a folder"),
            "{text:?}"
        );
    }
}
