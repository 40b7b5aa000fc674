//! `pysurge run`, `pysurge check` and all that fires: a checked config and the flags become a plan, settings and
//! sinks; the manager runs them; what it returns becomes the exit code.

use super::load;
use crate::args::{CheckArgs, ResultsArgs, RunArgs};
use crate::error::CliError;
use crate::style::{WARNING, paint, wants_color};
use crate::world::{StopSignals, World};
use pysurge_config::Config;
use pysurge_manager::{Abort, Mission, Outcome, Settings};
use pysurge_report::{Fanout, LocalClock, RunFolder, Sink, SinkEnd, Terminal, TerminalOptions};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What a worker's interpreter runs. Not `-m`, which has the current folder's modules go before Python's own: a `logging.py` of
/// the user's there must not break pysurge. The current folder is put in front once user code is to be imported.
const START_WORKER: &str =
    "import sys; sys.path[:1] == [''] and sys.path.pop(0); from pysurge._worker import main; main()";

/// Where runs' folders are made unless told otherwise, in the working directory.
const DEFAULT_RESULTS: &str = "pysurge-results";

/// Fires a config file.
pub(super) fn run(args: RunArgs, classic: bool, world: &mut World) -> Result<u8, CliError> {
    let config = load::config(&args.config, &BTreeMap::new(), world)?;
    let mut job = Job::of_dict(config, world);
    job.duration_ns = args.duration_ns;
    job.workers = args.workers.unwrap_or(job.workers);
    job.results = results(args.kept, world);
    job.import_last.push(load::folder(&args.config, &world.cwd));
    job.debug = args.shown.debug;
    job.quiet = args.shown.quiet;
    job.classic = classic;
    job.execute(world)
}

/// Rehearses a config file.
pub(super) fn check(args: &CheckArgs, world: &mut World) -> Result<u8, CliError> {
    let config = load::config(&args.config, &BTreeMap::new(), world)?;
    let mut job = Job::of_dict(config, world);
    job.mission = Mission::Check;
    job.workers = 1;
    job.import_last.push(load::folder(&args.config, &world.cwd));
    job.debug = args.debug;
    job.classic = false;
    job.execute(world)
}

/// Where to make the run's folder, if at all.
pub(super) fn results(args: ResultsArgs, world: &World) -> Option<PathBuf> {
    let folder = args.results.unwrap_or_else(|| DEFAULT_RESULTS.into());
    (!args.no_results).then(|| world.cwd.join(folder))
}

/// What is to be fired or rehearsed, and how.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) config: Config,
    pub(super) mission: Mission,
    pub(super) duration_ns: Option<u64>,
    pub(super) workers: u32,
    /// The folder for runs' folders; none is made where `None`.
    pub(super) results: Option<PathBuf>,
    /// Where user code is found last.
    pub(super) import_last: Vec<PathBuf>,
    /// Variables for the workers, beside those of this process.
    pub(super) env: BTreeMap<String, String>,
    /// Comment lines in front of the config that the run's folder keeps.
    pub(super) config_note: String,
    pub(super) debug: bool,
    pub(super) quiet: bool,
    pub(super) classic: bool,
}

impl Job {
    /// A run as `Manager(config)` of 1.0.1 makes it: until Ctrl+C, in the classic form, with no folder.
    pub(super) fn of_dict(config: Config, world: &World) -> Self {
        Self {
            config,
            mission: Mission::Run,
            duration_ns: None,
            // Without a GIL one worker uses every core, and its threads share what `startup` made.
            workers: if world.free_threaded { 1 } else { world.cpus.max(1) },
            results: None,
            import_last: Vec::new(),
            env: BTreeMap::new(),
            config_note: String::new(),
            debug: false,
            quiet: false,
            classic: true,
        }
    }

    /// Runs it and gives the exit code of the command.
    pub(super) fn execute(self, world: &mut World) -> Result<u8, CliError> {
        self.show_warnings(world);
        let mut plan = self.config.plan.clone();
        plan.duration_ns = self.duration_ns;
        let settings = self.settings(world);
        let clock = LocalClock::new(world.wall_ns);
        let folder = self.make_folder(&clock)?;
        let path = folder.as_ref().map(|(_, path)| path.clone());
        let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(self.terminal(path.as_deref(), clock, world))];
        sinks.extend(folder.map(|(sink, _)| Box::new(sink) as Box<dyn Sink>));
        let fanout = Fanout::start(sinks);
        let outcome = pysurge_manager::run(&plan, &settings, &fanout);
        show_trouble(&fanout.finish(), world);
        if let Some(path) = path.filter(|_| !matches!(outcome, Ok(Outcome::Finished(_)))) {
            discard(&path);
        }
        self.conclude(&outcome.map_err(CliError::Manager)?)
    }

    fn settings(&self, world: &World) -> Settings {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let python = world.python.clone().into_os_string();
        let mut settings = Settings::new(vec![python, "-c".into(), START_WORKER.into()]);
        settings.env = self.worker_env();
        settings.cwd = Some(world.cwd.clone());
        settings.workers = self.workers;
        settings.debug = self.debug;
        settings.import_first = vec![text(&world.cwd)];
        settings.import_last = self.import_last.iter().map(text).collect();
        settings.mission = self.mission;
        match &world.signals {
            StopSignals::Process => settings.stop_signals = true,
            StopSignals::Requests(requests) => settings.stop_requests = requests.clone(),
            StopSignals::Ignored => {}
        }
        settings
    }

    fn worker_env(&self) -> Vec<(OsString, OsString)> {
        let python = [
            // A segfault in a C extension then leaves a traceback among the worker's last lines.
            ("PYTHONFAULTHANDLER", "1"),
            // What test code prints must not fail because the locale is C.
            ("PYTHONIOENCODING", "utf-8:backslashreplace"),
        ];
        let ours = self
            .env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        python
            .into_iter()
            .chain(ours)
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    /// Made before any worker is started, so that nobody fires for an hour and then has nowhere to keep the result.
    fn make_folder(&self, clock: &LocalClock) -> Result<Option<(RunFolder, PathBuf)>, CliError> {
        let Some(base) = &self.results else {
            return Ok(None);
        };
        let yaml = self.config_note.clone() + &self.config.resolved_yaml();
        RunFolder::create(base, &self.config.plan.name, &yaml, clock.clone())
            .map(Some)
            .map_err(CliError::Results)
    }

    fn terminal(&self, folder: Option<&Path>, clock: LocalClock, world: &World) -> Terminal {
        Terminal::new(TerminalOptions {
            stdout: Box::new(world.stdout.clone()),
            stderr: Box::new(world.stderr.clone()),
            stdout_is_tty: world.stdout.is_terminal(),
            stderr_is_tty: world.stderr.is_terminal(),
            color_stdout: wants_color(world, &world.stdout),
            color_stderr: wants_color(world, &world.stderr),
            columns: world.columns,
            quiet: self.quiet,
            debug: self.debug,
            classic: self.classic,
            results: folder.map(|path| path.strip_prefix(&world.cwd).unwrap_or(path).to_path_buf()),
            clock,
        })
    }

    fn show_warnings(&self, world: &mut World) {
        let color = wants_color(world, &world.stderr);
        let text = self.config.render_warnings(color);
        if !text.is_empty() {
            let _ = world.stderr.print(&format!("{text}\n"));
        }
    }

    fn conclude(&self, outcome: &Outcome) -> Result<u8, CliError> {
        let exit_code = outcome.exit_code();
        match outcome {
            // A worker's failure was told as a notice when it happened.
            Outcome::Finished(_) | Outcome::Checked { .. } | Outcome::Aborted(Abort::Worker(_)) => {
                Ok(exit_code)
            }
            Outcome::LoadFailed(errors) => Err(CliError::Config(self.config.load_errors(errors))),
            Outcome::Aborted(Abort::Signal) => Err(CliError::Stopped { exit_code }),
        }
    }
}

/// Takes away the folder of a run in which nothing was fired. Only what the sink made is removed; a folder with anything
/// else in it stays.
fn discard(folder: &Path) {
    for file in ["config.yml", "run.log"] {
        let _ = fs::remove_file(folder.join(file));
    }
    let _ = fs::remove_dir(folder);
}

/// Tells what went wrong in a sink. It never changes the exit code: the run itself went as it went.
fn show_trouble(ends: &[SinkEnd], world: &mut World) {
    let color = wants_color(world, &world.stderr);
    for end in ends {
        if let Some(error) = &end.error {
            let warning = paint("warning", WARNING, color);
            let _ = world.stderr.print(&format!("{warning}: {}: {error}\n", end.name));
        }
    }
}
