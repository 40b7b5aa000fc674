//! How a run comes to its start: greet, load, prepare, rehearse, start; or, in other missions, only collect, load, or rehearse.

use super::{Conclusion, PROGRESS_LAG_NS, Phase, RehearsalOf, Running, Supervisor, number_of};
use crate::limits::{Basis, Demand, Need, shortages};
use crate::loss::WorkerError;
use crate::settings::Mission;
use crate::totals::Totals;
use crate::worker::State;
use pysurge_core::VERSION;
use pysurge_core::event::{RunEvent, Severity};
use pysurge_core::histogram::Histogram;
use pysurge_core::measure::Measures;
use pysurge_core::plan::{DEFAULT_MAX_DURATION_NS, SNAPSHOT_INTERVAL_NS};
use pysurge_core::wire::{
    CollectedItem, Hello, Load, LoadError, LoadFault, PROTOCOL, Rehearsed, Start, StartupError, TestInfo,
    ToWorker,
};
use std::collections::BTreeSet;

/// From the decision to start to the start itself: `Start` must have reached and been read by every worker.
const START_LEAD_NS: u64 = 20_000_000;

/// More lead for each worker, who all wake at once.
pub(super) const LEAD_PER_WORKER_NS: u64 = 1_000_000;

impl Supervisor {
    // What workers say.

    pub(super) fn greeted(&mut self, number: usize, hello: &Hello, now_ns: u64) {
        if (hello.protocol, hello.version.as_str()) != (PROTOCOL, VERSION) {
            let other = WorkerError::OtherBuild {
                version: hello.version.clone(),
                protocol: hello.protocol,
            };
            self.break_off(number, other, now_ns);
            return;
        }
        self.workers[number].free_threaded = hello.free_threaded;
        let load = Load {
            worker: self.place_of(number),
            tests: self.orders.plan.tests.clone(),
            import_first: self.orders.import_first.clone(),
            import_last: self.orders.import_last.clone(),
            debug: self.orders.debug,
            duration_ns: self.orders.plan.duration_ns,
            workers: number_of(self.places.len()),
            pytest_args: self.orders.plan.pytest_args.clone(),
        };
        let order = match self.orders.mission {
            Mission::Collect => ToWorker::Collect(load),
            Mission::Run | Mission::Check | Mission::Plan => ToWorker::Load(load),
        };
        self.send(number, order);
        self.wait(number, State::Loading, self.orders.deadlines.load_ns, now_ns);
    }

    pub(super) fn collected(
        &mut self,
        number: usize,
        collected: Vec<Result<Vec<CollectedItem>, LoadError>>,
        now_ns: u64,
    ) {
        if collected.len() != self.orders.plan.tests.len() {
            let error = WorkerError::Incomplete("every test it collected");
            self.break_off(number, error, now_ns);
            return;
        }
        self.hold(number, State::Loaded);
        // A stop may have come meanwhile.
        if !matches!(self.phase, Phase::Loading) {
            return;
        }
        if collected.iter().any(Result::is_err) {
            let errors: Vec<_> = collected.into_iter().map(Result::err).collect();
            self.emit(RunEvent::LoadFailed(errors.clone()));
            self.lead_out(Conclusion::LoadFailed(errors), now_ns);
        } else {
            let items = collected.into_iter().map(Result::unwrap_or_default).collect();
            self.lead_out(Conclusion::Collected(items), now_ns);
        }
    }

    pub(super) fn loaded(&mut self, number: usize, loaded: Vec<Result<TestInfo, LoadError>>, now_ns: u64) {
        self.workers[number].loaded = loaded;
        self.hold(number, State::Loaded);
        self.prepare_replacement(number, now_ns);
    }

    pub(super) fn prepared(&mut self, number: usize, errors: Vec<Option<StartupError>>, now_ns: u64) {
        let mut told = BTreeSet::new();
        for error in errors.iter().flatten() {
            // A class may stand in several tests, but its `startup` was tried once.
            if told.insert(error.class.clone()) {
                if self.workers[number].life > 0 {
                    let failed = WorkerError::StartupFailed(error.class.clone());
                    let text = format!("{} {failed}; its tests stay with the others", self.name(number));
                    self.notice(Severity::Warning, text);
                }
                self.emit(RunEvent::StartupFailed {
                    worker: self.place_of(number),
                    error: error.clone(),
                });
            }
        }
        self.workers[number].prepared = errors;
        self.hold(number, State::Prepared);
        self.take_place(number, now_ns);
    }

    pub(super) fn rehearsed(&mut self, number: usize, rehearsed: Rehearsed, now_ns: u64) {
        let Phase::Rehearsing(tests) = &mut self.phase else {
            return;
        };
        let place = usize::try_from(rehearsed.test)
            .ok()
            .and_then(|test| tests.get_mut(test));
        let Some(place) = place else {
            let what = format!("rehearsed test {}, which does not exist", rehearsed.test);
            self.break_off(number, WorkerError::Impossible(what), now_ns);
            return;
        };
        if *place == RehearsalOf::CannotRun {
            let what = format!("rehearsed test {}, whose startup failed", rehearsed.test);
            self.break_off(number, WorkerError::Impossible(what), now_ns);
            return;
        }
        *place = if rehearsed.measures.passed == 1 && rehearsed.measures.failed == 0 {
            RehearsalOf::Passed
        } else {
            RehearsalOf::Failed
        };
        let test = rehearsed.test as usize;
        let lasted_ns = lasted_ns(&rehearsed.measures);
        self.emit(RunEvent::Rehearsed(rehearsed));
        if let Some(lasted_ns) = lasted_ns {
            let duration = Some((lasted_ns, Basis::Measured));
            self.warn_of_shortages([(test, duration)]);
        }
        self.await_rehearsal(number, now_ns);
    }

    pub(super) fn prepare(&mut self, now_ns: u64) {
        let tests = self.orders.plan.tests.len();
        if let Some(number) = self.first_where(|worker| worker.loaded.len() != tests) {
            self.break_off(number, WorkerError::Incomplete("every test it loaded"), now_ns);
            return;
        }
        if let Some(number) = self.first_where(|worker| worker.loaded.iter().any(Result::is_err)) {
            let errors = self.workers[number].loaded.iter();
            let errors: Vec<_> = errors.map(|loaded| loaded.as_ref().err().cloned()).collect();
            self.emit(RunEvent::LoadFailed(errors.clone()));
            self.lead_out(Conclusion::LoadFailed(errors), now_ns);
            return;
        }
        let errors: Vec<_> = (0..tests).map(|test| self.rows_differ(test)).collect();
        if errors.iter().any(Option::is_some) {
            self.emit(RunEvent::LoadFailed(errors.clone()));
            self.lead_out(Conclusion::LoadFailed(errors), now_ns);
            return;
        }
        self.infos = self.workers[0].loaded.iter().flatten().cloned().collect();
        if let Err(what) = self.take_shapes() {
            self.break_off(0, WorkerError::Impossible(what), now_ns);
            return;
        }
        for (test, info) in self.orders.plan.tests.iter_mut().zip(&self.infos) {
            test.end_with_rows(info.rows);
        }
        self.emit(RunEvent::Loaded(self.infos.clone()));
        self.tell_notes();
        match self.orders.mission {
            Mission::Collect | Mission::Plan => return self.lead_out(Conclusion::Planned, now_ns),
            Mission::Check => {}
            Mission::Run => {
                let declared = |test| Some((self.max_duration_ns(test)?, Basis::Declared));
                let all: Vec<_> = (0..tests).map(|test| (test, declared(test))).collect();
                self.warn_of_shortages(all);
            }
        }
        self.phase = Phase::Preparing;
        for number in 0..self.workers.len() {
            self.send(number, ToWorker::Prepare);
            self.wait(number, State::Preparing, self.orders.deadlines.prepare_ns, now_ns);
        }
    }

    /// What is wrong where workers, who share out the rows of a test by their number alone, have not found the same number.
    fn rows_differ(&self, test: usize) -> Option<LoadError> {
        let rows = |number: usize| self.workers[number].loaded[test].as_ref().ok()?.rows;
        let other = (0..self.workers.len()).find(|number| rows(*number) != rows(0))?;
        let told = |number: usize| format!("{} for {}", rows(number).unwrap_or(0), self.name(number));
        Some(LoadError {
            fault: LoadFault::Data,
            message: format!(
                "the data has not the same number of rows in every worker: {}, {}",
                told(0),
                told(other)
            ),
            hint: Some(
                "each worker reads it for itself: let nothing write to it, and let no chance be in it"
                    .to_owned(),
            ),
            traceback: String::new(),
        })
    }

    /// Tells what tests have to say of how they are run.
    fn tell_notes(&mut self) {
        // Of a suite, hundreds of tests may say the same.
        let mut said: Vec<(String, String, usize)> = Vec::new();
        for info in &self.infos {
            for note in &info.notes {
                match said.iter_mut().find(|(known, ..)| known == note) {
                    Some((.., others)) => *others += 1,
                    None => said.push((note.clone(), info.label.clone(), 0)),
                }
            }
        }
        for (note, label, others) in said {
            let text = match others {
                0 => format!("{label}: {note}"),
                1 => format!("{label} and another test: {note}"),
                _ => format!("{label} and {others} other tests: {note}"),
            };
            self.notice(Severity::Info, text);
        }
    }

    /// Puts what worker 0 sampled into the plan.
    fn take_shapes(&mut self) -> Result<(), String> {
        for (test, info) in self.orders.plan.tests.iter_mut().zip(&self.infos) {
            if let Some(shape) = test.shape_mut() {
                if info.shape.is_none() {
                    return Err(format!("did not sample the shape of {}", info.label));
                }
                shape.samples.clone_from(&info.shape);
            }
        }
        Ok(())
    }

    /// How long one iteration of a test may take, as its config or else its class declares.
    pub(super) fn max_duration_ns(&self, position: usize) -> Option<u64> {
        let of_config_ns = self.orders.plan.tests[position].max_duration_ns;
        of_config_ns.or_else(|| self.infos.get(position)?.max_duration_ns)
    }

    /// Says what the system is short of for these tests, each of whose iterations takes so long.
    fn warn_of_shortages(&mut self, tests: impl IntoIterator<Item = (usize, Option<(u64, Basis)>)>) {
        let workers = self.orders.workers_of_run;
        let needs = tests.into_iter().filter_map(|(position, duration)| {
            let (plan, info) = (&self.orders.plan, &self.infos[position]);
            let need = Need::of(plan, position, &info.label, workers, duration)?;
            Some(if info.coroutine {
                need.of_coroutines(&plan.tests[position])
            } else {
                need
            })
        });
        let demand = Demand {
            workers,
            tests: needs.collect(),
        };
        for text in shortages(&demand, &self.orders.limits) {
            self.notice(Severity::Warning, text);
        }
    }

    /// All are prepared: rehearse, or start what can run.
    pub(super) fn start(&mut self, now_ns: u64) {
        let tests = self.orders.plan.tests.len();
        if let Some(number) = self.first_where(|worker| worker.prepared.len() != tests) {
            self.break_off(number, WorkerError::Incomplete("every startup"), now_ns);
            return;
        }
        if self.orders.mission == Mission::Check || self.orders.rehearsal {
            self.start_rehearsal(now_ns);
        } else {
            self.fire(now_ns);
        }
    }

    /// Starts what can run.
    fn fire(&mut self, now_ns: u64) {
        let why_not =
            |error: &Option<StartupError>| error.as_ref().map(|e| format!("startup failed: {}", e.message));
        let runs: Vec<Vec<_>> = self
            .workers
            .iter()
            .map(|worker| worker.prepared.iter().map(why_not).collect())
            .collect();
        let totals = Totals::new(&self.orders.plan, &self.infos, &runs);
        if totals.tests_run() == 0 {
            self.lead_out(Conclusion::NoTestRuns(Box::new(totals)), now_ns);
            return;
        }
        let lead_ns = START_LEAD_NS + LEAD_PER_WORKER_NS * u64::from(number_of(self.workers.len()));
        let at_ns = now_ns + lead_ns;
        for number in 0..self.workers.len() {
            let start = Start {
                at_ns,
                duration_ns: self.orders.plan.duration_ns,
                deals: totals.deals_of(number),
                changes: Vec::new(),
                shapes: self.infos.iter().map(|info| info.shape.clone()).collect(),
                iterations: self.orders.iterations,
            };
            self.send(number, ToWorker::Start(start));
            self.hold(number, State::Running);
            self.workers[number].fired = true;
        }
        self.emit(RunEvent::Started {
            at_ns,
            wall_ns: self.orders.epoch.wall_of(at_ns),
            stripes: totals.stripes(),
        });
        self.phase = Phase::Running(Box::new(Running {
            started_ns: at_ns,
            next_progress_ns: at_ns + SNAPSHOT_INTERVAL_NS + PROGRESS_LAG_NS,
            totals,
            stop: None,
        }));
    }

    fn start_rehearsal(&mut self, now_ns: u64) {
        let can_run = |error: &Option<StartupError>| match error {
            Some(_) => RehearsalOf::CannotRun,
            None => RehearsalOf::Awaited,
        };
        let tests = self.workers[0].prepared.iter().map(can_run).collect();
        self.phase = Phase::Rehearsing(tests);
        // In a run other workers may run it, and whether any does is told by the result.
        if self.orders.mission == Mission::Check {
            for (test, error) in (0u32..).zip(self.workers[0].prepared.clone()) {
                if let Some(error) = error {
                    self.emit(RunEvent::CannotRehearse { test, error });
                }
            }
        }
        self.send(0, ToWorker::Rehearse);
        self.hold(0, State::Rehearsing);
        self.await_rehearsal(0, now_ns);
    }

    /// Waits for the next test's rehearsal, or ends it when none is left.
    fn await_rehearsal(&mut self, number: usize, now_ns: u64) {
        let Phase::Rehearsing(tests) = &self.phase else {
            return;
        };
        if let Some(next) = tests.iter().position(|test| *test == RehearsalOf::Awaited) {
            let patience_ns = self
                .max_duration_ns(next)
                .unwrap_or(DEFAULT_MAX_DURATION_NS)
                .saturating_add(self.orders.deadlines.rehearse_ns);
            self.wait(number, State::Rehearsing, patience_ns, now_ns);
        } else if self.orders.mission == Mission::Check {
            let passed = tests.iter().all(|test| *test == RehearsalOf::Passed);
            self.lead_out(Conclusion::Checked { passed }, now_ns);
        } else if tests.contains(&RehearsalOf::Failed) {
            self.lead_out(Conclusion::RehearsalFailed, now_ns);
        } else {
            self.fire(now_ns);
        }
    }
}

/// How long the one iteration of a rehearsal kept its thread; `None` where it did not come as far as `run`.
fn lasted_ns(measures: &Measures) -> Option<u64> {
    let service_ns = measures.service_time.max_ns()?;
    let hooks = [&measures.setup, &measures.teardown];
    let hooks_ns: u64 = hooks.into_iter().filter_map(Histogram::max_ns).sum();
    Some(service_ns.saturating_add(hooks_ns))
}
