//! `pysurge run`, `pysurge check` and all that fires: a checked config and the flags become a plan, settings and
//! sinks; the manager runs them; what it returns becomes the exit code.

use super::export;
use super::live::{self, Live, Place, Stage, Steering};
use super::load::{self, Loaded, Wishes};
use super::rehearsal::Failed;
use super::{collect, recordings, trace, web};
use crate::args::{CheckArgs, ExportArgs, LiveArgs, ResultsArgs, RunArgs};
use crate::error::{CliError, EXIT_INTERNAL};
use crate::keyboard::is_in_foreground;
use crate::style::{ERROR, can_draw, paint, shows_unicode, wants_color};
use crate::world::{StopSignals, World};
use pysurge_config::Config;
use pysurge_core::event::Actor;
use pysurge_core::threshold::Threshold;
use pysurge_export::{Dashboard, Exports, Served};
use pysurge_manager::{Abort, Controls, Mission, Outcome, Settings};
use pysurge_report::journal::JOURNAL;
use pysurge_report::{
    Fanout, JunitFile, LocalClock, ReportError, RunFolder, SUMMARY, Samples, Sink, SinkEnd, Terminal,
    TerminalOptions, junit, junit_not_fired,
};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What a worker's interpreter runs. Not `-m`, which has the current folder's modules go before Python's own: a `logging.py` of
/// the user's there must not break pysurge. The current folder is put in front once user code is to be imported.
const START_WORKER: &str =
    "import sys; sys.path[:1] == [''] and sys.path.pop(0); from pysurge._worker import main; main()";

/// As it is named in what is told of it.
const THRESHOLD_FLAG: &str = "--threshold";

/// Where runs' folders are made unless told otherwise, in the working directory.
const DEFAULT_RESULTS: &str = "pysurge-results";

/// Fires what the user names.
pub(super) fn run(args: RunArgs, classic: bool, world: &mut World) -> Result<u8, CliError> {
    // A wrong expression is told before a long config is read.
    let thresholds = parse_thresholds(&args.judged.thresholds)?;
    let mut loaded = if classic {
        load::config(&args.target, args.choice, world)?
    } else {
        let wishes = Wishes {
            duration_ns: args.duration_ns,
            workers: args.workers,
        };
        load::target(&args.target, &args.direct, wishes, args.choice, world)?
    };
    add_thresholds(&mut loaded.config, thresholds)?;
    if !args.shown.quiet {
        loaded.tell_assumed(world);
    }
    let mut job = Job::of(loaded, world);
    job.set(args.duration_ns, args.workers);
    job.rehearsal = !args.no_rehearsal && !classic;
    job.require_valid = args.judged.require_valid;
    job.samples = args.judged.samples;
    job.junit = args.judged.junit;
    job.results = results(args.kept, world);
    job.debug = args.shown.debug;
    job.quiet = args.shown.quiet;
    job.classic = classic;
    job.steering = steering(args.live);
    job.exports = args.exports;
    job.execute(world)
}

/// The values of `--threshold`.
fn parse_thresholds(texts: &[String]) -> Result<Vec<Threshold>, CliError> {
    Threshold::parse_all(THRESHOLD_FLAG, texts).map_err(CliError::Threshold)
}

/// Thresholds over all tests, behind those of the config.
fn add_thresholds(config: &mut Config, thresholds: Vec<Threshold>) -> Result<(), CliError> {
    for threshold in thresholds {
        let models = config.plan.tests.iter().map(|test| &test.model);
        if let Err(error) = threshold.fits(models) {
            let text = format!("{THRESHOLD_FLAG}: {}", error.point(&threshold.text));
            return Err(CliError::Threshold(text));
        }
        config.plan.thresholds.push(threshold);
    }
    Ok(())
}

/// Rehearses what the user names.
pub(super) fn check(args: CheckArgs, world: &mut World) -> Result<u8, CliError> {
    let loaded = load::target(&args.target, &args.direct, Wishes::default(), args.choice, world)?;
    let mut job = Job::of(loaded, world);
    job.mission = Mission::Check;
    job.debug = args.debug;
    if args.trace {
        return trace::trace(job, args.pdb, world);
    }
    job.execute(world)
}

/// Fires a dict, as `Manager(config)` of 1.0.1 did: in the classic form, with no folder. Files that it names count from the
/// working directory.
pub(super) fn dict(
    mut config: Config,
    duration_ns: Option<u64>,
    debug: bool,
    world: &mut World,
) -> Result<u8, CliError> {
    recordings::read(&mut config, &[&world.cwd])?;
    let mut job = Job::new(config, world);
    job.set(duration_ns, None);
    job.debug = debug;
    job.classic = true;
    job.execute(world)
}

/// Where to make the run's folder, if at all.
pub(super) fn results(args: ResultsArgs, world: &World) -> Option<PathBuf> {
    let folder = args.results.unwrap_or_else(|| DEFAULT_RESULTS.into());
    (!args.no_results).then(|| world.cwd.join(folder))
}

/// How a run of the command may be steered.
pub(super) fn steering(args: LiveArgs) -> Steering {
    Steering {
        keys: !args.no_keys,
        socket: match args.control {
            _ if args.no_control => Place::Nowhere,
            Some(path) => Place::At(path),
            None => Place::Private,
        },
    }
}

/// What is to be fired or rehearsed, and how.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command line, each independent of the others"
)]
pub(super) struct Job {
    pub(super) config: Config,
    pub(super) mission: Mission,
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
    /// Whether each test is run once before the load.
    pub(super) rehearsal: bool,
    /// Which of them failed then.
    failed: Failed,
    pub(super) steering: Steering,
    /// Who gets its figures while it goes on.
    pub(super) exports: ExportArgs,
    /// The dashboard of the run that is over, until it has ended, too.
    dashboard: Option<(Served, Stage)>,
    /// Whether an invalid verdict fails the run.
    pub(super) require_valid: bool,
    /// The file for every iteration, from the working directory on.
    pub(super) samples: Option<PathBuf>,
    /// The file for `JUnit` XML, from the working directory on.
    pub(super) junit: Option<PathBuf>,
    /// Not all results could be written.
    pub(super) unwritten: bool,
}

impl Job {
    /// A run as the config says it, with no folder, that nobody steers.
    pub(super) fn new(config: Config, world: &World) -> Self {
        // Without a GIL one worker uses every core, and its threads share what `startup` made.
        let usual = if world.free_threaded { 1 } else { world.cpus.max(1) };
        Self {
            workers: config.plan.workers.unwrap_or(usual),
            config,
            mission: Mission::Run,
            results: None,
            import_last: Vec::new(),
            env: BTreeMap::new(),
            config_note: String::new(),
            debug: false,
            quiet: false,
            classic: false,
            rehearsal: false,
            failed: Failed::default(),
            steering: Steering::default(),
            exports: ExportArgs::default(),
            dashboard: None,
            require_valid: false,
            samples: None,
            junit: None,
            unwritten: false,
        }
    }

    /// A run of what the user names.
    pub(super) fn of(loaded: Loaded, world: &World) -> Self {
        let mut job = Self::new(loaded.config, world);
        job.import_last.extend(loaded.import_last);
        job
    }

    /// What was asked for beside the config goes before what stands in it.
    pub(super) fn set(&mut self, duration_ns: Option<u64>, workers: Option<u32>) {
        let plan = &mut self.config.plan;
        plan.duration_ns = duration_ns.or(plan.duration_ns);
        self.workers = workers.unwrap_or(self.workers);
    }

    /// Runs it and gives the exit code of the command.
    pub(super) fn execute(mut self, world: &mut World) -> Result<u8, CliError> {
        let outcome = self.lead(world)?;
        self.conclude(&outcome)
    }

    /// Runs it and gives what came of it.
    pub(super) fn lead(&mut self, world: &mut World) -> Result<Outcome, CliError> {
        self.lead_kept(world).map(|(outcome, _)| outcome)
    }

    /// The same, with the run's folder, where there is one.
    pub(super) fn lead_kept(&mut self, world: &mut World) -> Result<(Outcome, Option<PathBuf>), CliError> {
        self.config.check_duration().map_err(CliError::Config)?;
        self.show_warnings(world);
        let clock = LocalClock::new(world.wall_ns);
        // Every file is opened before any worker is started, so that nobody fires for an hour and then has nowhere to keep the result.
        let samples = open(self.samples.as_deref(), Samples::create, world).map_err(CliError::Samples)?;
        let junit = open(self.junit.as_deref(), JunitFile::create, world).map_err(CliError::Junit)?;
        let exports = export::open(&self.exports, self.quiet, world)?;
        let dashboard = web::open(self.exports.web.as_ref(), world)?;
        let folder = self.make_folder(&clock)?;
        let path = folder.as_ref().map(|(_, path)| path.clone());
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        sinks.extend(folder.map(|(sink, _)| Box::new(sink) as Box<dyn Sink>));
        sinks.extend(samples.map(|sink| Box::new(sink) as Box<dyn Sink>));
        let outcome = match collect::tests(self, world) {
            Ok(None) => self.fire(sinks, exports, dashboard, path.as_deref(), clock, world),
            Ok(Some(outcome)) => Ok(outcome),
            Err(error) => Err(error),
        };
        let is_kept = matches!(outcome, Ok(Outcome::Finished(_)));
        if let Some(path) = path.as_ref().filter(|_| !is_kept) {
            discard(path);
        }
        if let Some(file) = junit {
            let written = file.write(&self.junit_xml(&outcome));
            self.unwritten |= show_unwritten(&written, world);
        }
        // Last of all, for it may wait until nobody looks any more.
        if let (Some((dashboard, stage)), Ok(outcome)) = (self.dashboard.take(), &outcome) {
            web::end(&dashboard, &stage, outcome, path.as_deref(), world);
        }
        Ok((outcome?, path.filter(|_| is_kept)))
    }

    /// Fires it, every test being known.
    fn fire(
        &mut self,
        mut sinks: Vec<Box<dyn Sink>>,
        exports: Exports,
        dashboard: Option<Dashboard>,
        folder: Option<&Path>,
        clock: LocalClock,
        world: &mut World,
    ) -> Result<Outcome, CliError> {
        let (controls, stage) = (Controls::new(), Stage::default());
        let (follower, dashboard) = dashboard
            .map(|dashboard| {
                let ask = stage.asking(&controls, Actor::Dashboard);
                let config = self.config_text();
                web::serve(dashboard, &self.config.plan.name, &config, clock.clone(), ask)
            })
            .transpose()?
            .unzip();
        sinks.extend(follower);
        let keys = self.keys(world);
        let terminal = self.terminal(folder, clock, keys, world);
        let curtain = terminal.curtain();
        sinks.insert(0, Box::new(terminal));
        if self.junit.is_some() {
            sinks.push(Box::new(self.failed.clone()));
        }
        let (metrics, export) = exports
            .start(&self.config.plan.name, world.wall_ns)
            .map_err(CliError::Metrics)?
            .unzip();
        sinks.extend(metrics);
        // Told before anything else is shown.
        let socket = live::open(&self.steering.socket, world);
        let live = Live::start(keys, socket, &controls, &stage, Fanout::start(sinks), world);
        let settings = Settings {
            controls: Some(controls),
            around_suspension: Some(live.around_suspension(curtain)),
            ..self.settings(world)
        };
        let outcome = pysurge_manager::run(&self.config.plan, &settings, &live.sink());
        self.unwritten |= show_trouble(&live.finish(), world);
        if let (Some(export), Ok(Outcome::Finished(_))) = (&export, &outcome) {
            export::show_losses(export, world);
        }
        self.dashboard = dashboard.map(|dashboard| (dashboard, stage));
        outcome.map_err(CliError::Manager)
    }

    /// What CI is told: the result, or that there is none, and why.
    fn junit_xml(&self, outcome: &Result<Outcome, CliError>) -> String {
        let name = &self.config.plan.name;
        match outcome {
            Ok(Outcome::Finished(summary)) => junit(summary, self.require_valid),
            Ok(Outcome::Aborted(Abort::Worker(why))) => junit_not_fired(name, why),
            Ok(Outcome::RehearsalFailed) => junit_not_fired(name, &self.failed.text()),
            Ok(outcome) => {
                let why = self.conclude(outcome).err().map(|error| error.render(false));
                junit_not_fired(name, &why.unwrap_or_default())
            }
            Err(error) => junit_not_fired(name, &error.render(false)),
        }
    }

    /// Whether keys steer the run: somebody has to be there who sees what they do.
    fn keys(&self, world: &World) -> bool {
        self.steering.keys && world.keyboard.is_some() && world.stderr.is_terminal()
    }

    pub(super) fn settings(&self, world: &World) -> Settings {
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
        settings.rehearsal = self.rehearsal;
        settings.iterations = self.samples.is_some();
        settings.require_valid = self.require_valid;
        match &world.signals {
            StopSignals::Process => {
                settings.stop_signals = true;
                settings.suspend_signals = true;
            }
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

    /// The config as the run's folder keeps it.
    fn config_text(&self) -> String {
        self.config_note.clone() + &self.config.resolved_yaml()
    }

    fn make_folder(&self, clock: &LocalClock) -> Result<Option<(RunFolder, PathBuf)>, CliError> {
        let Some(base) = &self.results else {
            return Ok(None);
        };
        RunFolder::create(base, &self.config.plan.name, &self.config_text(), clock.clone())
            .map(Some)
            .map_err(CliError::Results)
    }

    pub(super) fn terminal(
        &self,
        folder: Option<&Path>,
        clock: LocalClock,
        keys: bool,
        world: &World,
    ) -> Terminal {
        Terminal::new(TerminalOptions {
            stdout: Box::new(world.stdout.clone()),
            stderr: Box::new(world.stderr.clone()),
            stdout_is_tty: world.stdout.is_terminal(),
            stderr_is_tty: can_draw(world),
            size: Box::new(world.size),
            unicode: shows_unicode(world),
            color_stdout: wants_color(world, &world.stdout),
            color_stderr: wants_color(world, &world.stderr),
            columns: world.columns,
            quiet: self.quiet,
            debug: self.debug,
            classic: self.classic,
            rehearsals: self.mission == Mission::Check,
            keys: keys && world.keyboard.as_ref().is_some_and(is_in_foreground),
            results: folder.map(|path| path.strip_prefix(&world.cwd).unwrap_or(path).to_path_buf()),
            samples: self.samples.clone(),
            compare: folder.and_then(|folder| super::runs::comparison(folder, &world.cwd)),
            clock,
        })
    }

    pub(super) fn show_warnings(&self, world: &mut World) {
        let color = wants_color(world, &world.stderr);
        let text = self.config.render_warnings(color);
        if !text.is_empty() {
            let _ = world.stderr.tell(&format!("{text}\n"));
        }
    }

    /// An exit code, or the one that says that not all of the results are there: unless it tells of something else already.
    pub(super) fn exit_code(&self, exit_code: u8) -> u8 {
        if self.unwritten && exit_code == 0 {
            EXIT_INTERNAL
        } else {
            exit_code
        }
    }

    pub(super) fn conclude(&self, outcome: &Outcome) -> Result<u8, CliError> {
        let exit_code = outcome.exit_code();
        match outcome {
            // A worker's failure was told as a notice when it happened.
            Outcome::Finished(_)
            | Outcome::Checked { .. }
            | Outcome::Planned { .. }
            | Outcome::Collected(_)
            | Outcome::Aborted(Abort::Worker(_)) => Ok(self.exit_code(exit_code)),
            Outcome::RehearsalFailed => Err(CliError::RehearsalFailed { exit_code }),
            Outcome::LoadFailed(errors) => Err(CliError::Config(self.config.load_errors(errors))),
            Outcome::Aborted(Abort::Signal) => Err(CliError::Stopped { exit_code }),
        }
    }
}

/// Takes away the folder of a run in which nothing was fired. Only what the sink made is removed; a folder with anything
/// else in it stays, and one with a summary stays as it is: there was something to tell.
pub(super) fn discard(folder: &Path) {
    if folder.join(SUMMARY).exists() {
        return;
    }
    for file in ["config.yml", "run.log", "timeseries.csv", JOURNAL] {
        let _ = fs::remove_file(folder.join(file));
    }
    let _ = fs::remove_dir(folder);
}

/// Opens a file that was asked for; an error names it as the user did.
pub(super) fn open<T>(
    path: Option<&Path>,
    create: impl FnOnce(&Path) -> Result<T, ReportError>,
    world: &World,
) -> Result<Option<T>, ReportError> {
    let Some(path) = path else {
        return Ok(None);
    };
    let typed = path.to_path_buf();
    create(&world.cwd.join(path))
        .map(Some)
        .map_err(|error| match error {
            ReportError::Folder { source, .. } => ReportError::Folder { path: typed, source },
            ReportError::File { source, .. } => ReportError::File { path: typed, source },
            ReportError::SamplesForm { .. } => ReportError::SamplesForm { path: typed },
        })
}

/// Tells that the `JUnit` XML is missing; whether it is.
pub(super) fn show_unwritten(written: &Result<(), ReportError>, world: &mut World) -> bool {
    if let Err(error) = written {
        let lead = paint("error", ERROR, wants_color(world, &world.stderr));
        let _ = world.stderr.tell(&format!("{lead}: failed to {error}\n"));
    }
    written.is_err()
}

/// Tells what could not be written; whether anything could not.
pub(super) fn show_trouble(ends: &[SinkEnd], world: &mut World) -> bool {
    let lead = paint("error", ERROR, wants_color(world, &world.stderr));
    for end in ends {
        if let Some(error) = &end.error {
            let _ = world.stderr.tell(&format!("{lead}: {}: {error}\n", end.name));
        }
    }
    ends.iter().any(|end| end.error.is_some())
}
