//! What is asked of a run while it goes on: pause, resume, scale, stop, and the suspension of this process.
//!
//! A change is stated for an instant that lies far enough ahead for every worker to know of it by then. Manager and workers apply it to
//! their schedules alike, so both go on counting the same plan.
//!
//! A suspension pauses the plan first, then this process stops: workers idle in the pause and need nobody. On coming back
//! every deadline is moved by the time slept, for nobody was there to keep it, and the plan goes on where it was paused.

use super::starting::LEAD_PER_WORKER_NS;
use super::{Effect, Phase, Supervisor, number_of};
use crate::totals::seconds;
use crate::worker::{NEVER, State};
use pysurge_core::control::{Answer, Command, MAX_CHANGES, Refusal, Standing, State as Stands};
use pysurge_core::event::{Actor, RunEvent};
use pysurge_core::schedule::{CHANGE_LEAD_NS, Change};
use pysurge_core::wire::ToWorker;

/// A suspension to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Suspending {
    /// When this process stops: once the pause holds in every worker.
    pub(super) at_ns: u64,
    /// Whether the plan goes on afterwards: nobody but Ctrl+Z paused it.
    resumes: bool,
}

impl Supervisor {
    // Commands.

    pub(super) fn asked(&mut self, command: Command, by: Actor, now_ns: u64) {
        let answer = self.obey(command, by, now_ns);
        self.effects.push(Effect::Answer(answer));
    }

    fn obey(&mut self, command: Command, by: Actor, now_ns: u64) -> Answer {
        match command {
            Command::Status => {}
            Command::Stop => {
                if !self.is_stopping() {
                    self.stop_requested(now_ns);
                }
            }
            Command::StopNow => {
                if matches!(self.phase, Phase::Running(_)) {
                    self.stop_requests = self.stop_requests.max(1);
                }
                while self.stop_requests < 2 {
                    self.stop_requested(now_ns);
                }
            }
            Command::Pause | Command::Resume | Command::Scale(_) => {
                let now = self.changeable()?;
                if command != Command::Resume && self.changes() >= MAX_CHANGES {
                    return Err(Refusal::TooManyChanges);
                }
                let wanted = match command {
                    Command::Pause => Change { paused: true, ..now },
                    // The plan cannot go on while this process is stopped.
                    Command::Resume if self.suspending.is_some() => now,
                    Command::Resume => Change { paused: false, ..now },
                    Command::Scale(factor) => Change { factor, ..now },
                    Command::Stop | Command::StopNow | Command::Status => now,
                };
                if let Some(suspending) = &mut self.suspending {
                    match command {
                        Command::Pause => suspending.resumes = false,
                        Command::Resume => suspending.resumes = true,
                        _ => {}
                    }
                }
                self.change(wanted, by, now_ns);
            }
        }
        Ok(self.standing(now_ns))
    }

    fn is_stopping(&self) -> bool {
        match &self.phase {
            Phase::Running(running) => running.stop.is_some(),
            Phase::LeadingOut(_) | Phase::Over => true,
            Phase::Loading | Phase::Preparing | Phase::Rehearsing(_) => false,
        }
    }

    /// The last change, where another one may follow.
    fn changeable(&self) -> Result<Change, Refusal> {
        match &self.phase {
            Phase::Running(running) if running.stop.is_none() => Ok(running.totals.course().now()),
            Phase::Running(_) | Phase::LeadingOut(_) => Err(Refusal::Stopping),
            Phase::Loading | Phase::Preparing | Phase::Rehearsing(_) => Err(Refusal::NotStarted),
            Phase::Over => Err(Refusal::Over),
        }
    }

    fn changes(&self) -> usize {
        match &self.phase {
            Phase::Running(running) => running.totals.course().changes().len(),
            _ => 0,
        }
    }

    /// States a change to everybody, unless it is how things stand already.
    fn change(&mut self, wanted: Change, by: Actor, now_ns: u64) {
        let lead_ns = CHANGE_LEAD_NS + LEAD_PER_WORKER_NS * u64::from(number_of(self.places.len()));
        let Phase::Running(running) = &mut self.phase else {
            return;
        };
        let now = running.totals.course().now();
        if (wanted.paused, wanted.factor) == (now.paused, now.factor) {
            return;
        }
        // The lead is the same each time, so no change lies before another.
        let change = Change {
            at_ns: now_ns.saturating_add(lead_ns).saturating_sub(running.started_ns),
            ..wanted
        };
        running.totals.change(change);
        let at_ns = running.started_ns.saturating_add(change.at_ns);
        for number in 0..self.workers.len() {
            if self.workers[number].state == State::Running && self.workers[number].listens() {
                self.send(number, ToWorker::Change(change));
            }
        }
        self.emit(RunEvent::Changed {
            change,
            wall_ns: self.orders.epoch.wall_of(at_ns),
            by,
        });
    }

    fn standing(&self, now_ns: u64) -> Standing {
        let standing = Standing {
            state: if self.is_stopping() {
                Stands::Stopping
            } else {
                Stands::Starting
            },
            name: self.orders.plan.name.clone(),
            factor: 1.0,
            elapsed_s: 0.0,
            paused_s: 0.0,
            effective_s: None,
            passed: 0,
            failed: 0,
            in_flight: 0,
        };
        let Phase::Running(running) = &self.phase else {
            return standing;
        };
        let course = running.totals.course();
        let elapsed_ns = now_ns.saturating_sub(running.started_ns);
        let (passed, failed, in_flight) = running.totals.counts();
        Standing {
            state: match (running.stop, course.now().paused) {
                (Some(_), _) => Stands::Stopping,
                (None, true) => Stands::Paused,
                (None, false) => Stands::Running,
            },
            factor: course.now().factor.as_f64(),
            elapsed_s: seconds(elapsed_ns),
            paused_s: seconds(course.paused_ns(elapsed_ns)),
            effective_s: course.changes().last().map(|change| seconds(change.at_ns)),
            passed,
            failed,
            in_flight,
            ..standing
        }
    }

    // Suspension.

    pub(super) fn suspend_requested(&mut self, now_ns: u64) {
        if self.suspending.is_some() {
            return;
        }
        let now = self.changeable().ok();
        let resumes = now.is_some_and(|now| !now.paused);
        if let Some(now) = now.filter(|_| resumes) {
            self.change(Change { paused: true, ..now }, Actor::Suspension, now_ns);
        }
        let holds_ns = match (&self.phase, now) {
            (Phase::Running(running), Some(_)) => running
                .started_ns
                .saturating_add(running.totals.course().now().at_ns),
            _ => now_ns,
        };
        self.suspending = Some(Suspending {
            at_ns: holds_ns.max(now_ns),
            resumes,
        });
    }

    pub(super) fn suspend_when_due(&mut self, now_ns: u64) {
        if let Some(suspending) = &mut self.suspending
            && now_ns >= suspending.at_ns
            && !matches!(self.phase, Phase::Over)
        {
            suspending.at_ns = NEVER;
            self.effects.push(Effect::Suspend);
        }
    }

    /// Nobody was there: whatever was to happen meanwhile happens so much later.
    pub(super) fn woken(&mut self, slept_ns: u64, now_ns: u64) {
        let later = |at_ns: &mut u64| {
            if *at_ns != NEVER {
                *at_ns = at_ns.saturating_add(slept_ns);
            }
        };
        for worker in &mut self.workers {
            later(&mut worker.deadline_ns);
        }
        if let Phase::Running(running) = &mut self.phase {
            later(&mut running.next_progress_ns);
            running.totals.woken(now_ns.saturating_sub(running.started_ns));
        }
        let resumes = self
            .suspending
            .take()
            .is_some_and(|suspending| suspending.resumes);
        if let (true, Ok(now)) = (resumes, self.changeable()) {
            self.change(Change { paused: false, ..now }, Actor::Suspension, now_ns);
        }
    }
}
