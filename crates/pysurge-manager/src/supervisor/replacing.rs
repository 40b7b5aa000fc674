//! What follows when a worker is lost while the plan goes on: the others take over its part, and a worker is started in its place.
//!
//! | when | what |
//! |---|---|
//! | first sure sign of the loss | those who live are dealt its part, from [`DEAL_LEAD_NS`] later on; another process is started |
//! | the new one has said hello, loaded and prepared | it is dealt its part back, from [`JOIN_LEAD_NS`] later on, and so are the others |
//! | the new one fails before that | the same again, without a part to take over |
//! | [`DEATHS`] in one place within [`DEATHS_WITHIN_NS`] | nobody is started there any more |
//!
//! Nobody is started where the plan ends soon. A worker in which nothing can be heard any more is lost, whether it is known to have ended
//! or not; its process is dealt with in `ending`. The run goes on as long as somebody lives or is being started.

use super::starting::LEAD_PER_WORKER_NS;
use super::{Effect, Phase, Supervisor, number_of};
use crate::loss::{Policy, Stage, WorkerError};
use crate::totals::{NewDeals, seconds};
use crate::worker::{Loss, NEVER, State, Worker};
use pysurge_core::NANOS_PER_SEC;
use pysurge_core::event::{RunEvent, Severity};
use pysurge_core::schedule::CHANGE_LEAD_NS;
use pysurge_core::span::format_span;
use pysurge_core::summary::{Incident, IncidentKind, MAX_INCIDENTS, WorkerEnd};
use pysurge_core::wire::{Frozen, LogRecord, MAX_DEALS, Start, ToWorker};
use std::collections::VecDeque;

/// From a loss to the first arrival that others take over: they must know of it by then, as of any change.
const DEAL_LEAD_NS: u64 = CHANGE_LEAD_NS;

/// From `Start` to the first arrival of a worker that comes later: it makes its threads meanwhile, and the others go on.
const JOIN_LEAD_NS: u64 = 250_000_000;

/// So many deaths in one place, within the time below, are no accident: whatever is started there dies.
const DEATHS: usize = 3;

/// Time for an import, a startup and some iterations, so that a test which kills its worker soon is noticed; and short enough for a run of
/// hours not to give up a place for accidents that have nothing to do with each other.
const DEATHS_WITHIN_NS: u64 = 60 * NANOS_PER_SEC;

/// An interpreter and its imports take about a second; a worker that comes later has nothing left to do.
const WORTH_IT_NS: u64 = 2 * NANOS_PER_SEC;

/// A worker that is ready so late is not given a part any more: those who hear late of it must have caught up at the end.
const LAST_JOIN_NS: u64 = NANOS_PER_SEC;

/// The most that one step adds to anybody's silence: a manager that stood still itself heard nobody.
const MAX_STEP_NS: u64 = NANOS_PER_SEC;

/// Lines of a frozen worker's stacks that stand in the notice; the log has all of them.
const STACK_LINES: usize = 12;

/// What is logged as an error, in Python's numbers.
const ERROR_LEVEL: u32 = 40;

/// One of the places in the run, in which one worker follows another.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The last deaths here.
    deaths: VecDeque<u64>,
}

/// Whether a worker is started in a place.
enum Replacing {
    Starts,
    GivenUp,
    /// There is no use in it.
    Needless(&'static str),
}

impl Supervisor {
    // Signs of a loss.

    /// How far the run has got for a worker.
    pub(super) fn stage_of(&self, number: usize) -> Stage {
        match &self.phase {
            Phase::Loading | Phase::Preparing | Phase::Rehearsing(_) => Stage::Starting,
            Phase::Running(running) => {
                let worker = &self.workers[number];
                if running.stop.is_none() && worker.state <= State::Running {
                    Stage::Firing
                } else {
                    Stage::Ending
                }
            }
            Phase::LeadingOut(_) | Phase::Over => Stage::Ending,
        }
    }

    /// Time has gone by in which every running worker could have told something.
    pub(super) fn listen_on(&mut self, now_ns: u64) {
        let listened_ns = now_ns.saturating_sub(self.stepped_ns).min(MAX_STEP_NS);
        self.stepped_ns = self.stepped_ns.max(now_ns);
        for worker in &mut self.workers {
            if worker.state == State::Running && worker.listens() {
                worker.silent_ns = worker.silent_ns.saturating_add(listened_ns);
            }
        }
    }

    /// Warns of workers that tell nothing, and replaces them in the end. What a worker tells comes from a thread that needs no interpreter, so
    /// it is not user code that is in the way.
    pub(super) fn watch_silence(&mut self, now_ns: u64) {
        let (silence_ns, stall_ns) = (self.orders.deadlines.silence_ns, self.orders.deadlines.stall_ns);
        for number in 0..self.workers.len() {
            let fires = self.stage_of(number) == Stage::Firing;
            let worker = &mut self.workers[number];
            if worker.state != State::Running || !worker.listens() {
                continue;
            }
            if fires && worker.silent_ns >= stall_ns {
                self.break_off(number, WorkerError::Stalled(stall_ns), now_ns);
            } else if worker.silent_ns >= silence_ns && !worker.silence_told {
                worker.silence_told = true;
                let text = format!(
                    "{} told nothing for {}: its process is stopped or gets no CPU",
                    self.name(number),
                    format_span(silence_ns)
                );
                self.notice(Severity::Warning, text);
            }
        }
    }

    /// A worker says that one thread keeps everything from getting on.
    pub(super) fn frozen(&mut self, number: usize, frozen: &Frozen, now_ns: u64) {
        let error = WorkerError::Frozen(frozen.held_ns);
        let said = format!("{} {error}", self.name(number));
        let stacks = frozen.stacks.trim_end();
        let mut few: Vec<&str> = stacks.lines().take(STACK_LINES).collect();
        if stacks.lines().count() > STACK_LINES {
            few.push("  … (all of it is in the log)");
        }
        let few: String = few.iter().flat_map(|line| ["\n  ", line]).collect();
        let record = LogRecord {
            wall_ns: self.orders.epoch.wall_of(now_ns),
            process: format!("Worker-{}", self.workers[number].slot + 1),
            thread: "MainThread".to_owned(),
            level: "ERROR".to_owned(),
            level_number: ERROR_LEVEL,
            message: format!("{said}; its stacks:\n{stacks}"),
        };
        if !stacks.is_empty() {
            self.emit(RunEvent::Log(record));
        }
        match error.policy(self.stage_of(number)) {
            Policy::Replace if self.workers[number].state == State::Running => {
                self.kill(number, error, now_ns);
                let aftermath = self.loss_in_words(number);
                self.notice(
                    Severity::Warning,
                    format!("{said} and was killed{aftermath}{few}"),
                );
            }
            // A deadline sees to it.
            Policy::Abort | Policy::Replace | Policy::Tell => {
                self.notice(Severity::Warning, format!("{said}{few}"));
            }
        }
    }

    // The loss.

    pub(super) fn lose_where_replaced(&mut self, number: usize, error: &WorkerError, now_ns: u64) {
        if error.policy(self.stage_of(number)) == Policy::Replace {
            self.lose(number, now_ns);
        }
    }

    /// A worker is lost while the plan goes on; once for each.
    pub(super) fn lose(&mut self, number: usize, now_ns: u64) {
        if self.workers[number].lost.is_some() || self.workers[number].state == State::Gone {
            return;
        }
        let incident = self.incident(number, IncidentKind::Lost, now_ns, "was lost".to_owned());
        self.workers[number].lost = Some(Loss {
            until_ns: NEVER,
            incident,
            aftermath: String::new(),
        });
        let mut said = Vec::new();
        if self.workers[number].fired {
            said.push(self.hand_over(number, now_ns));
        }
        let place = &mut self.places[self.workers[number].slot];
        place.deaths.push_back(now_ns);
        if place.deaths.len() > DEATHS {
            place.deaths.pop_front();
        }
        // Where somebody may come, what is left is no reason for the end.
        if let Phase::Running(running) = &mut self.phase {
            running.totals.await_replacement(true);
        }
        said.push(match self.replacing(number, now_ns) {
            Replacing::Starts => {
                self.start_another(number, now_ns);
                "another is started in its place".to_owned()
            }
            Replacing::GivenUp => {
                let text = format!(
                    "no other is started in its place: {DEATHS} were lost there within {}",
                    format_span(DEATHS_WITHIN_NS)
                );
                self.incident(number, IncidentKind::GivenUp, now_ns, text.clone());
                text
            }
            Replacing::Needless(why) => format!("no other is started in its place: {why}"),
        });
        if let Some(loss) = &mut self.workers[number].lost {
            loss.aftermath = said.join("; ");
        }
        self.await_replacements();
    }

    /// Deals the part of a lost worker to those who live; who that is, in words.
    fn hand_over(&mut self, number: usize, now_ns: u64) -> String {
        let lead_ns = DEAL_LEAD_NS + LEAD_PER_WORKER_NS * u64::from(number_of(self.places.len()));
        let living = self.living();
        let Phase::Running(running) = &mut self.phase else {
            unreachable!("only a run that goes on has a part to take over")
        };
        let at_ns = now_ns.saturating_add(lead_ns).saturating_sub(running.started_ns);
        let deals = running.totals.take_over(number, &living, at_ns);
        if deals.is_empty() {
            return "nobody else runs its tests".to_owned();
        }
        let takers: Vec<usize> = deals.iter().map(|(worker, _)| *worker).collect();
        let takers = self.places_in_words(&takers);
        self.send_deals(deals);
        let text = format!("{takers} took over its part");
        self.incident_at(number, IncidentKind::TakenOver, at_ns, text);
        if let Some(loss) = &mut self.workers[number].lost {
            loss.until_ns = at_ns;
        }
        format!(
            "{takers} {} over its part",
            if takers.starts_with("workers") {
                "take"
            } else {
                "takes"
            }
        )
    }

    fn send_deals(&mut self, deals: NewDeals) {
        self.deals += 1;
        for (worker, deals) in deals {
            self.workers[worker].deals += 1;
            self.send(worker, ToWorker::Deal(deals));
        }
    }

    /// Those who fire and can be dealt something.
    fn living(&self) -> Vec<usize> {
        let lives =
            |worker: &Worker| worker.state == State::Running && worker.listens() && worker.lost.is_none();
        let all = self.workers.iter().enumerate();
        all.filter(|(_, worker)| lives(worker))
            .map(|(number, _)| number)
            .collect()
    }

    // The one in its place.

    fn replacing(&self, number: usize, now_ns: u64) -> Replacing {
        let Phase::Running(running) = &self.phase else {
            return Replacing::Needless("the run has not started");
        };
        let deaths = &self.places[self.workers[number].slot].deaths;
        let is_soon = |first: &u64| now_ns.saturating_sub(*first) < DEATHS_WITHIN_NS;
        if self.stop_requests > 0 {
            Replacing::Needless("the run is being stopped")
        } else if running
            .planned_end()
            .is_some_and(|(ends_ns, _)| ends_ns < now_ns.saturating_add(WORTH_IT_NS))
        {
            Replacing::Needless("the run ends soon")
        } else if deaths.len() >= DEATHS && deaths.front().is_some_and(is_soon) {
            Replacing::GivenUp
        } else if self.deals.saturating_add(2 * number_of(self.places.len())) >= MAX_DEALS {
            Replacing::Needless("too many were lost in this run")
        } else if !running.totals.has_work_for_another(&self.living()) {
            Replacing::Needless("the others do all that is left")
        } else {
            Replacing::Starts
        }
    }

    fn start_another(&mut self, number: usize, now_ns: u64) {
        let Worker { slot, life, .. } = self.workers[number];
        let hello_by_ns = now_ns.saturating_add(self.orders.deadlines.hello_ns);
        self.workers.push(Worker::new(slot, life + 1, 0, hello_by_ns));
        if let Phase::Running(running) = &mut self.phase {
            running.totals.make_room();
        }
        self.effects.push(Effect::Spawn(self.workers.len() - 1, slot));
    }

    pub(super) fn spawn_failed(&mut self, number: usize, why: String, now_ns: u64) {
        let error = WorkerError::NotSpawned(why);
        let said = format!("{} {error}", self.name(number));
        let death = error.to_string();
        if error.policy(self.stage_of(number)) == Policy::Replace {
            self.lose(number, now_ns);
        }
        let worker = &mut self.workers[number];
        worker.state = State::Gone;
        worker.deadline_ns = NEVER;
        worker.end = WorkerEnd::Lost;
        worker.death = Some(death);
        self.complete_incident(number, now_ns);
        let aftermath = self.loss_in_words(number);
        self.notice(Severity::Warning, format!("{said}{aftermath}"));
        self.await_replacements();
    }

    /// A worker that replaces another has loaded its tests: they must be those of the others.
    pub(super) fn prepare_replacement(&mut self, number: usize, now_ns: u64) {
        if !matches!(self.phase, Phase::Running(_)) || self.workers[number].stopped {
            return;
        }
        let loaded = &self.workers[number].loaded;
        let not_loaded = loaded.iter().find_map(|loaded| loaded.as_ref().err());
        let rows = loaded.iter().flatten().zip(&self.infos);
        let mut other_rows = rows.filter(|(found, info)| found.rows != info.rows);
        let wrong = if loaded.len() != self.infos.len() {
            Some(WorkerError::Incomplete("every test it loaded"))
        } else if let Some(error) = not_loaded {
            Some(WorkerError::NotLoaded(error.message.clone()))
        } else {
            other_rows.next().map(|(found, info)| WorkerError::OtherRows {
                found: found.rows.unwrap_or(0),
                rows: info.rows.unwrap_or(0),
            })
        };
        if let Some(wrong) = wrong {
            return self.break_off(number, wrong, now_ns);
        }
        self.send(number, ToWorker::Prepare);
        self.wait(number, State::Preparing, self.orders.deadlines.prepare_ns, now_ns);
    }

    /// It is ready: it takes its part of what is left.
    pub(super) fn take_place(&mut self, number: usize, now_ns: u64) {
        if self.stage_of(number) != Stage::Firing || self.workers[number].stopped {
            return;
        }
        if self.workers[number].prepared.len() != self.orders.plan.tests.len() {
            return self.break_off(number, WorkerError::Incomplete("every startup"), now_ns);
        }
        let able: Vec<bool> = self.workers[number]
            .prepared
            .iter()
            .map(Option::is_none)
            .collect();
        let (living, slot) = (self.living(), self.workers[number].slot);
        let Phase::Running(running) = &mut self.phase else {
            return;
        };
        let lead_ns = JOIN_LEAD_NS + LEAD_PER_WORKER_NS * u64::from(number_of(self.places.len()));
        let joins_ns = now_ns.saturating_add(lead_ns).max(running.started_ns);
        let last_ns = joins_ns.saturating_add(LAST_JOIN_NS);
        if running
            .planned_end()
            .is_some_and(|(ends_ns, _)| ends_ns < last_ns)
        {
            return;
        }
        let at_ns = joins_ns - running.started_ns;
        let (own, others) = running.totals.join((number, slot), &able, &living, at_ns);
        let comes_in = own.iter().any(Option::is_some);
        let start = Start {
            at_ns: running.started_ns,
            duration_ns: self.orders.plan.duration_ns,
            deals: own,
            changes: running.totals.course().changes().collect(),
            shapes: self.infos.iter().map(|info| info.shape.clone()).collect(),
            iterations: self.orders.iterations,
        };
        self.send(number, ToWorker::Start(start));
        self.hold(number, State::Running);
        let worker = &mut self.workers[number];
        (worker.fired, worker.silent_ns) = (true, 0);
        self.send_deals(others);
        self.await_replacements();
        let place = slot + 1;
        let pid = self.workers[number].pid;
        let text = format!("worker {place} was replaced by pid {pid}");
        if comes_in {
            let from_s = seconds(at_ns);
            self.notice(Severity::Info, format!("{text}, from {from_s:.2} s on"));
            self.incident_at(number, IncidentKind::Replaced, at_ns, text);
        } else {
            self.notice(Severity::Info, format!("{text}, which has nothing to do"));
        }
    }

    /// Tells the totals whether somebody is still to come.
    pub(super) fn await_replacements(&mut self) {
        let comes =
            |worker: &Worker| worker.state < State::Running && worker.lost.is_none() && !worker.stopped;
        let awaited = self.workers.iter().any(comes);
        if let Phase::Running(running) = &mut self.phase {
            running
                .totals
                .await_replacement(awaited && running.stop.is_none());
        }
    }

    /// Whether the last worker that fired in each place was lost.
    pub(super) fn all_places_are_lost(&self) -> bool {
        (0..self.places.len()).all(|slot| {
            let of_place = |worker: &&Worker| worker.slot == slot && worker.fired;
            let last = self.workers.iter().rev().find(of_place);
            last.is_some_and(|worker| worker.end == WorkerEnd::Lost)
        })
    }

    // What is told of it.

    /// What a loss has led to, behind the sentence that says what happened.
    pub(super) fn loss_in_words(&self, number: usize) -> String {
        let worker = &self.workers[number];
        match &worker.lost {
            // One that came no further than its start has said why.
            Some(loss) if !worker.fired => format!("; {}{}", loss.aftermath, worker.last_words()),
            Some(loss) => format!("; {}", loss.aftermath),
            None => String::new(),
        }
    }

    /// A worker is gone: how, and what went with it, is known now.
    pub(super) fn complete_incident(&mut self, number: usize, now_ns: u64) {
        let worker = &self.workers[number];
        let Some(loss) = &worker.lost else { return };
        let how = match (&worker.killed, worker.exit) {
            (Some(why), _) => format!("{why} and was killed"),
            (None, Some(exit)) => exit.predicate(),
            (None, None) => worker.death.clone().unwrap_or_default(),
        };
        let iterations = match &self.phase {
            Phase::Running(running) if worker.fired => {
                let so_far_ns = now_ns.saturating_sub(running.started_ns);
                let until_ns = if loss.until_ns == NEVER {
                    so_far_ns
                } else {
                    loss.until_ns
                };
                running.totals.lost_of(number, until_ns)
            }
            _ => 0,
        };
        let with_it = match iterations {
            0 if worker.fired => "; no iteration was lost".to_owned(),
            0 => String::new(),
            1 => "; 1 iteration was lost".to_owned(),
            many => format!("; {many} iterations were lost"),
        };
        let text = format!("{} {how}{with_it}", self.name(number));
        if let Some(incident) = loss.incident {
            self.incidents[incident].text = text;
        }
    }

    fn incident(&mut self, number: usize, kind: IncidentKind, now_ns: u64, text: String) -> Option<usize> {
        let started_ns = match &self.phase {
            Phase::Running(running) => running.started_ns,
            _ => now_ns,
        };
        self.incident_at(number, kind, now_ns.saturating_sub(started_ns), text)
    }

    /// Notes something at an instant of run time; its place, where there is room.
    fn incident_at(&mut self, number: usize, kind: IncidentKind, run_ns: u64, text: String) -> Option<usize> {
        if self.incidents.len() >= MAX_INCIDENTS {
            return None;
        }
        let worker = &self.workers[number];
        self.incidents.push(Incident {
            at_s: seconds(run_ns),
            worker: number_of(worker.slot),
            pid: (worker.pid != 0).then_some(worker.pid),
            kind,
            text,
        });
        Some(self.incidents.len() - 1)
    }

    /// `worker 2`, `workers 1 and 3`, `workers 1, 3 and 4`.
    fn places_in_words(&self, numbers: &[usize]) -> String {
        let mut slots: Vec<usize> = numbers
            .iter()
            .map(|&number| self.workers[number].slot + 1)
            .collect();
        slots.sort_unstable();
        let names: Vec<String> = slots.iter().map(ToString::to_string).collect();
        match names.split_last() {
            Some((only, [])) => format!("worker {only}"),
            Some((last, [first @ .., second])) if first.len() < 4 => {
                let first: String = first.iter().flat_map(|name| [name, ", "]).collect();
                format!("workers {first}{second} and {last}")
            }
            Some(_) => format!("{} workers", names.len()),
            None => "nobody".to_owned(),
        }
    }
}
