//! `pysurge find-max`: fires level after level as the search says, each as a run of its own, and shows what was found.
//!
//! Every level has fresh workers, so none inherits what another left queued. Which rate comes next and what a level says is decided in
//! `pysurge_core::search`; here is only what joins it to the world.

use super::fire::{self, Job};
use super::{collect, load};
use crate::args::FindMaxArgs;
use crate::clock::monotonic_ns;
use crate::error::CliError;
use crate::style::{DEFAULT_COLUMNS, can_draw, shows_unicode, wants_color};
use crate::world::{StopSignals, World};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::control::Command;
use pysurge_core::event::Actor;
use pysurge_core::rate::Rate;
use pysurge_core::search::{self, Found, Judged, Level, Search, SearchEnd, SignalKind, Step, Terms, Watch};
use pysurge_core::summary::{StopCause, Summary};
use pysurge_core::threshold::Threshold;
use pysurge_manager::{Controls, Outcome, Settings, Suspension};
use pysurge_report::{
    Fanout, FindMax, LevelRecord, LevelSink, LocalClock, REPORT, RunFolder, SEARCH, Screen, ScreenOptions,
    Sink, Style, Watched, find_max_html, find_max_json, find_max_svg, find_max_text, replace_file,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What has to hold where nobody says: without any of it an answer that is an error would be as good as any other.
const DEFAULT_OBJECTIVE: &str = "failures < 1%";

/// Exit code: no rate held.
const EXIT_NOTHING_HELD: u8 = 3;

/// Exit code: the generator's limit was reached before anything could be said of the target.
const EXIT_GENERATOR: u8 = 4;

/// Exit code: the user stopped it.
const EXIT_STOPPED: u8 = 130;

/// How long running iterations of a level may go on at least: as long as most clients wait for an answer at most.
const MIN_GRACE_NS: u64 = 5 * NANOS_PER_SEC;

/// Searches, and shows what was found.
pub(super) fn find_max(args: FindMaxArgs, world: &mut World) -> Result<u8, CliError> {
    let (confirm_ns, precision) = (args.confirm_ns(), args.precision());
    let texts = if args.objectives.is_empty() {
        vec![DEFAULT_OBJECTIVE.to_owned()]
    } else {
        args.objectives
    };
    let objectives = Threshold::parse_all("--slo", &texts).map_err(CliError::Objectives)?;
    let wishes = load::Wishes {
        duration_ns: None,
        workers: args.workers,
    };
    let loaded = load::target(&args.target, &args.direct, wishes, args.choice, world)?;
    let mut job = Job::of(loaded, world);
    job.set(None, args.workers);
    job.debug = args.shown.debug;
    job.quiet = args.shown.quiet;
    job.rehearsal = !args.no_rehearsal;
    search::total_rate(&job.config.plan).map_err(CliError::NotSearchable)?;
    job.show_warnings(world);
    if let Some(outcome) = collect::tests(&mut job, world)? {
        return job.conclude(&outcome);
    }
    // Tests with rates of their own may have come in.
    let total = search::total_rate(&job.config.plan).map_err(CliError::NotSearchable)?;
    let terms = Terms {
        start: args.start.unwrap_or(total),
        max: args.max_rate,
        precision,
        settle_ns: args.settle_ns,
        hold_ns: args.hold_ns,
        confirm_ns,
        max_time_ns: args.max_time_ns,
    };
    let clock = LocalClock::new(world.wall_ns);
    let name = job.config.plan.name.clone();
    let folder = fire::results(args.kept, world)
        .map(|base| RunFolder::reserve(&base, &format!("{name}-find-max"), &clock))
        .transpose()
        .map_err(CliError::Results)?;
    let screen = Screen::new(ScreenOptions {
        stderr: Box::new(world.stderr.clone()),
        is_tty: can_draw(world),
        color: wants_color(world, &world.stderr),
        columns: world.columns,
        size: Box::new(world.size),
        unicode: shows_unicode(world),
        quiet: args.shown.quiet,
    });
    let report = FindMax::new(&name, texts, &terms, job.workers);
    let expedition = Expedition {
        began_ns: monotonic_ns(),
        lower_service: None,
        stops: Stops::listen(&world.signals).map_err(CliError::Signals)?,
        job,
        objectives,
        terms,
        clock,
        folder,
        screen,
        report,
    };
    expedition.go(args.json, world)
}

/// A search that goes on.
struct Expedition {
    job: Job,
    objectives: Vec<Threshold>,
    terms: Terms,
    clock: LocalClock,
    /// The folder of the whole search, where one is kept.
    folder: Option<PathBuf>,
    screen: Screen,
    report: FindMax,
    stops: Stops,
    began_ns: u64,
    /// The lowest rate that held, with the median service time of each test.
    lower_service: Option<(Rate, Vec<Option<f64>>)>,
}

/// What came of firing a level.
enum Fired {
    /// It can be judged.
    Level { summary: Box<Summary>, watched: Watched },
    /// The user stopped it.
    Stopped,
    /// Nothing was fired; the outcome says why.
    Nothing(Outcome),
}

impl Expedition {
    fn go(mut self, json: bool, world: &mut World) -> Result<u8, CliError> {
        self.screen.say(&format!(
            "searching from {}/s for {}",
            self.terms.start,
            self.report.objectives.join(", ")
        ));
        let mut search = Search::new(self.terms.clone());
        let found = loop {
            let level = match search.next_step() {
                Step::Level(level) => level,
                Step::Done(found) => break found,
            };
            if self.stops.came_within(level.rest_ns) {
                search.stop();
                continue;
            }
            let began_ns = self.elapsed_ns();
            match self.fire(&level, world)? {
                Fired::Level { summary, watched } => {
                    let judged = self.judge(&level, began_ns, &summary, &watched);
                    search.took(judged, self.elapsed_ns());
                }
                Fired::Stopped => search.stop(),
                Fired::Nothing(outcome) => {
                    self.clean_up();
                    return self.job.conclude(&outcome);
                }
            }
            self.keep();
        };
        let exit_code = exit_code(&found);
        let elapsed_ns = self.elapsed_ns();
        self.report.conclude(&found, elapsed_ns, exit_code);
        self.keep();
        self.show(json, world)?;
        Ok(self.job.exit_code(exit_code))
    }

    fn elapsed_ns(&self) -> u64 {
        monotonic_ns().saturating_sub(self.began_ns)
    }

    /// Fires one level.
    fn fire(&mut self, level: &Level, world: &mut World) -> Result<Fired, CliError> {
        let grace_ns = MIN_GRACE_NS.max(level.hold_ns / 2);
        let mut plan = search::plan_of(&self.job.config.plan, level.rate, level, grace_ns);
        plan.thresholds.clone_from(&self.objectives);
        let random = search::has_random_arrivals(&plan);
        let watched = Watched::new(Watch::new(self.objectives.clone(), random));
        let controls = Controls::new();
        let give_up = controls.clone();
        let follow = LevelSink::new(*level, watched.clone(), self.screen.clone(), move || {
            // Where it refuses, the level ends by itself.
            let _ = give_up.ask(Command::Stop, Actor::Socket);
        });
        let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(follow)];
        sinks.extend(self.level_sink(level)?);
        let fanout = Fanout::start(sinks);
        let curtain = self.screen.curtain();
        let settings = Settings {
            controls: Some(controls),
            around_suspension: Some(Arc::new(move |suspension| match suspension {
                Suspension::Begins => curtain.lower(),
                Suspension::Ended => curtain.raise(),
            })),
            rehearsal: self.job.rehearsal && level.number == 1,
            ..self.job.settings(world)
        };
        let outcome = pysurge_manager::run(&plan, &settings, &fanout);
        self.job.unwritten |= fire::show_trouble(&fanout.finish(), world);
        Ok(match outcome.map_err(CliError::Manager)? {
            // Without one of its tests a level is not at the rate that was asked for.
            Outcome::Finished(summary) if summary.tests.iter().any(|test| test.workers == 0) => {
                Fired::Nothing(Outcome::Finished(summary))
            }
            Outcome::Finished(summary) => {
                let was_stopped = match summary.stop_cause {
                    Some(StopCause::SecondSignal) => true,
                    Some(StopCause::Signal) => !watched.was_given_up(),
                    _ => false,
                };
                if was_stopped {
                    Fired::Stopped
                } else {
                    Fired::Level { summary, watched }
                }
            }
            // Where levels have ended before, there is something to tell.
            Outcome::Aborted(pysurge_manager::Abort::Signal) if !self.report.levels.is_empty() => {
                Fired::Stopped
            }
            outcome => Fired::Nothing(outcome),
        })
    }

    /// Says what came of a level.
    fn judge(&mut self, level: &Level, began_ns: u64, summary: &Summary, watched: &Watched) -> Judged {
        let watch = watched.watch();
        let lower = self.lower_service.as_ref().map(|(_, service)| service.as_slice());
        let judged = watch.judge(summary, lower.unwrap_or_default());
        if judged == Judged::Held
            && self
                .lower_service
                .as_ref()
                .is_none_or(|(rate, _)| level.rate < *rate)
        {
            let service = summary.tests.iter().map(|test| test.service_time.p50_s);
            self.lower_service = Some((level.rate, service.collect()));
        }
        let mut record = LevelRecord::of(level, &judged, summary, &watch, began_ns);
        record.ended_early = watched.was_given_up();
        record.folder = self.folder.as_ref().map(|_| folder_name(level));
        self.screen.ended(&record);
        self.report.add(record, &summary.started_at);
        judged
    }

    /// The sink that keeps a level in a folder of its own, where anything is kept.
    fn level_sink(&self, level: &Level) -> Result<Option<Box<dyn Sink>>, CliError> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let path = folder.join(folder_name(level));
        let made = pysurge_report::make_folder(&path).map_err(|source| pysurge_report::ReportError::Folder {
            path: path.clone(),
            source,
        });
        let note = format!(
            "# A level of a search: it was fired at {}/s in all, the rates below scaled to give that together.\n",
            level.rate
        );
        let yaml = note + &self.job.config.resolved_yaml();
        let sink = made.and_then(|()| RunFolder::fill(&path, &yaml, self.clock.clone()));
        sink.map(|sink| Some(Box::new(sink) as Box<dyn Sink>))
            .map_err(CliError::Results)
    }

    /// Writes what is known into the folder. Trouble with the disk never ends a search.
    fn keep(&mut self) {
        let Some(folder) = &self.folder else {
            return;
        };
        let write = |name, text: String| replace_file(&folder.join(name), text.as_bytes(), false);
        let json = write(SEARCH, find_max_json(&self.report));
        let kept = json
            .and_then(|()| write("find-max.svg", find_max_svg(&self.report)))
            .and_then(|()| write(REPORT, find_max_html(&self.report)));
        if let Err(error) = kept {
            self.job.unwritten = true;
            self.screen
                .warn(&format!("cannot write into {}: {error}", folder.display()));
        }
    }

    fn show(&self, json: bool, world: &mut World) -> Result<(), CliError> {
        let text = if json {
            find_max_json(&self.report)
        } else {
            let style = Style {
                color: wants_color(world, &world.stdout),
                columns: world.columns.unwrap_or(DEFAULT_COLUMNS),
            };
            find_max_text(&self.report, &style)
        };
        world.stdout.print(&text).map_err(CliError::Output)?;
        if let Some(folder) = &self.folder {
            let shown = folder.strip_prefix(&world.cwd).unwrap_or(folder);
            self.screen.say(&format!("kept in {}", shown.display()));
            self.screen
                .say(&format!("report: {}", shown.join(REPORT).display()));
        }
        Ok(())
    }

    /// Takes the folder of a search away in which nothing was fired; one with a level in it stays.
    fn clean_up(&self) {
        if let Some(folder) = self.folder.as_ref().filter(|_| self.report.levels.is_empty()) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                fire::discard(&entry.path());
            }
            let _ = fs::remove_dir(folder);
        }
    }
}

/// `03-141.4`: levels in a listing stand in the order in which they were fired.
fn folder_name(level: &Level) -> String {
    format!("{:02}-{}", level.number, level.rate)
}

fn exit_code(found: &Found) -> u8 {
    let by_generator = found
        .limit
        .as_ref()
        .is_some_and(|limit| limit.kind == SignalKind::Generator);
    match (found.end, found.held) {
        (SearchEnd::Stopped, _) => EXIT_STOPPED,
        (_, Some(_)) => 0,
        (_, None) if by_generator => EXIT_GENERATOR,
        (_, None) => EXIT_NOTHING_HELD,
    }
}

/// Hears Ctrl+C also between two levels, when no run listens. Each level's run hears it for itself, too.
struct Stops(Option<UnixStream>);

impl Stops {
    fn listen(signals: &StopSignals) -> io::Result<Self> {
        if !matches!(signals, StopSignals::Process) {
            return Ok(Self(None));
        }
        let (reader, writer) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Self(Some(reader)))
    }

    /// Waits for so long; whether a request to stop has come by then, now or before.
    fn came_within(&mut self, wait_ns: u64) -> bool {
        let Some(reader) = &mut self.0 else {
            return false;
        };
        // A timeout of 0 would mean none at all.
        let timeout = Duration::from_nanos(wait_ns.max(1_000_000));
        let mut bytes = [0; 16];
        reader.set_read_timeout(Some(timeout)).is_ok()
            && matches!(reader.read(&mut bytes), Ok(count) if count > 0)
    }
}
