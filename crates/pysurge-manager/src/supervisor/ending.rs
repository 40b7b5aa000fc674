//! How a run and its workers come to an end: stop, lead out, break off, kill, bury, conclude.
//!
//! Deadlines of a stop: the plan ends with its last test, or now where somebody asks for it earlier; iterations that are due
//! may still be started for `catch_up_ns`, and the grace period is counted from there, so that the last one started has
//! all of its test's `graceful_stop` or declared `max_duration`. A second request ends the grace period now; a third kills.

use super::{Conclusion, Effect, Phase, Supervisor};
use crate::loss::{Policy, Stage, WorkerError};
use crate::outcome::{Abort, Ending, Outcome};
use crate::totals::Moment;
use crate::worker::{Exit, NEVER, State};
use pysurge_core::event::{RunEvent, Severity, StopReason};
use pysurge_core::summary::{Status, Summary, WorkerEnd};
use pysurge_core::verdict::Validity;
use pysurge_core::wire::{Stop, ToWorker};

impl Supervisor {
    // Requests to stop.

    pub(super) fn stop_requested(&mut self, now_ns: u64) {
        self.stop_requests += 1;
        match (self.stop_requests, &self.phase) {
            (1, Phase::Running(_)) => self.stop(StopReason::Signal, now_ns),
            (1, Phase::LeadingOut(_)) => {}
            (1, _) => {
                let text = "stopping before anything is fired, shutdown hooks may run; Ctrl+C again does not wait for them";
                self.notice(Severity::Info, text.to_owned());
                self.lead_out(Conclusion::Aborted(Abort::Signal), now_ns);
            }
            (2, Phase::Running(_)) => self.stop(StopReason::SecondSignal, now_ns),
            (2, _) => self.lead_out_now(now_ns),
            _ => self.kill_all(now_ns),
        }
    }

    /// Ends the plan, or brings its deadlines nearer: a later reason wins and no deadline ever moves away.
    pub(super) fn stop(&mut self, reason: StopReason, now_ns: u64) {
        let deadlines = self.orders.deadlines;
        let grace_ns = self.grace_ns();
        let Phase::Running(running) = &mut self.phase else {
            return;
        };
        // A plan whose end a pause keeps away ends now as any other that is stopped.
        let planned_ns = running.totals.end().map(|end| running.ends_ns(end));
        let latest_ns = now_ns.max(running.started_ns);
        let plan_ends_ns = planned_ns.unwrap_or(NEVER).min(latest_ns);
        let asked_for = matches!(
            reason,
            StopReason::Threshold | StopReason::Signal | StopReason::SecondSignal
        );
        if running.stop.is_none() && asked_for && plan_ends_ns == latest_ns {
            running.totals.cut();
        }
        let last_start_ns = plan_ends_ns.saturating_add(deadlines.catch_up_ns);
        let before = running.stop.map_or(
            Stop {
                plan_ends_ns,
                last_start_ns,
                grace_ends_ns: last_start_ns.saturating_add(grace_ns),
                shutdown_timeout_ns: deadlines.shutdown_ns,
            },
            |(_, stop)| stop,
        );
        let stop = match reason {
            StopReason::Duration | StopReason::Iterations => before,
            // Iterations that are due are not caught up with any more: somebody waits.
            StopReason::Threshold | StopReason::Signal => Stop {
                last_start_ns: before.last_start_ns.min(now_ns),
                ..before
            },
            StopReason::SecondSignal | StopReason::WorkersLost => Stop {
                last_start_ns: before.last_start_ns.min(now_ns),
                grace_ends_ns: before.grace_ends_ns.min(now_ns),
                ..before
            },
        };
        let reason = running.stop.map_or(reason, |(before, _)| before.max(reason));
        let news = running.stop.replace((reason, stop)) != Some((reason, stop));
        if !news {
            return;
        }
        self.emit(RunEvent::Stopping {
            reason,
            grace_ends_ns: stop.grace_ends_ns,
        });
        let by_ns = stop.grace_ends_ns.saturating_add(deadlines.margin_ns);
        for number in 0..self.workers.len() {
            let worker = &self.workers[number];
            if worker.state == State::Running && worker.listens() {
                self.send_stop(number, stop, by_ns);
            } else if worker.state < State::Running && !worker.stopped {
                // It was to replace another.
                self.lead_out_worker(number, now_ns);
            } else if worker.state < State::Drained && worker.listens() && reason == StopReason::SecondSignal
            {
                let soon_ns = now_ns.saturating_add(deadlines.margin_ns);
                let worker = &mut self.workers[number];
                worker.deadline_ns = worker.deadline_ns.min(soon_ns);
            }
        }
        self.await_replacements();
    }

    /// How long running iterations may go on: the longest that a test has, by itself or by the rule for all.
    fn grace_ns(&self) -> u64 {
        let plan = &self.orders.plan;
        let declared_ns = (0..plan.tests.len()).filter_map(|position| self.max_duration_ns(position));
        let of_all_ns = plan
            .graceful_stop_ns
            .unwrap_or_else(|| declared_ns.max().unwrap_or(self.orders.deadlines.grace_ns));
        let of_test_ns = plan
            .tests
            .iter()
            .map(|test| test.graceful_stop_ns.unwrap_or(of_all_ns));
        of_test_ns.max().unwrap_or(of_all_ns)
    }

    /// Nothing will be fired: brings the workers to their end, with `shutdown` wherever `startup` was tried.
    pub(super) fn lead_out(&mut self, conclusion: Conclusion, now_ns: u64) {
        self.phase = Phase::LeadingOut(conclusion);
        for number in 0..self.workers.len() {
            self.lead_out_worker(number, now_ns);
        }
    }

    /// Brings a worker to its end that fires nothing.
    fn lead_out_worker(&mut self, number: usize, now_ns: u64) {
        let deadlines = self.orders.deadlines;
        let stop = Stop {
            plan_ends_ns: now_ns,
            last_start_ns: now_ns,
            grace_ends_ns: now_ns,
            shutdown_timeout_ns: deadlines.shutdown_ns,
        };
        let worker = &self.workers[number];
        if !worker.listens() {
            return;
        }
        let soon_ns = now_ns.saturating_add(deadlines.margin_ns);
        match worker.state {
            // No user code was seen yet, so there is nothing to be polite to.
            State::Greeting => self.kill(number, WorkerError::NotNeeded, now_ns),
            // A `startup` cannot be broken off; it has as long as a `shutdown`.
            State::Preparing => {
                self.send_stop(number, stop, soon_ns.saturating_add(deadlines.shutdown_ns));
            }
            State::Loading | State::Loaded | State::Prepared | State::Rehearsing | State::Running => {
                self.send_stop(number, stop, soon_ns);
            }
            State::Drained | State::Done | State::Gone => {}
        }
    }

    fn lead_out_now(&mut self, now_ns: u64) {
        let by_ns = now_ns.saturating_add(self.orders.deadlines.margin_ns);
        for worker in self.workers.iter_mut().filter(|worker| worker.listens()) {
            worker.deadline_ns = worker.deadline_ns.min(by_ns);
        }
    }

    fn send_stop(&mut self, number: usize, stop: Stop, by_ns: u64) {
        self.send(number, ToWorker::Stop(stop));
        let worker = &mut self.workers[number];
        worker.stopped = true;
        worker.deadline_ns = by_ns;
    }

    fn kill_all(&mut self, now_ns: u64) {
        // However the plan ended until now, it ended by force.
        self.stop(StopReason::SecondSignal, now_ns);
        let alive = |number: &usize| {
            let worker = &self.workers[*number];
            worker.state != State::Gone && worker.exit.is_none() && worker.killed.is_none()
        };
        let alive: Vec<usize> = (0..self.workers.len()).filter(alive).collect();
        if alive.is_empty() {
            return;
        }
        self.notice(
            Severity::Warning,
            "asked to stop a third time: killing every worker".to_owned(),
        );
        for number in alive {
            self.kill(number, WorkerError::ThirdRequest, now_ns);
        }
    }

    // The end of a worker.

    /// A worker does what none of ours does: it cannot be trusted any further.
    pub(super) fn break_off(&mut self, number: usize, error: WorkerError, now_ns: u64) {
        let worker = &self.workers[number];
        if worker.killed.is_some() || worker.lost.is_some() || worker.state == State::Gone {
            return;
        }
        self.kill_with_notice(number, error, now_ns);
    }

    fn kill_with_notice(&mut self, number: usize, error: WorkerError, now_ns: u64) {
        let policy = error.policy(self.stage_of(number));
        let fires = self.workers[number].state == State::Running;
        let said = format!("{} {error} and was killed", self.name(number));
        self.kill(number, error, now_ns);
        match policy {
            Policy::Abort => self.abort(number, &said, now_ns),
            Policy::Replace => {
                let aftermath = self.loss_in_words(number);
                self.notice(Severity::Warning, format!("{said}{aftermath}"));
            }
            Policy::Tell => {
                let rest = if fires {
                    "; what it had not told is lost"
                } else {
                    ""
                };
                self.notice(Severity::Warning, format!("{said}{rest}"));
            }
        }
    }

    /// Ends a worker by force; where the plan goes on, what follows from it is done at once.
    pub(super) fn kill(&mut self, number: usize, why: WorkerError, now_ns: u64) {
        let policy = why.policy(self.stage_of(number));
        let worker = &mut self.workers[number];
        worker.killed = Some(why);
        worker.deadline_ns = now_ns.saturating_add(self.orders.deadlines.reap_ns);
        self.effects.push(Effect::Kill(number));
        if policy == Policy::Replace {
            self.lose(number, now_ns);
        }
    }

    fn abort(&mut self, number: usize, what: &str, now_ns: u64) {
        let text = format!("{what} before the start{}", self.workers[number].last_words());
        self.notice(Severity::Error, text.clone());
        self.lead_out(Conclusion::Aborted(Abort::Worker(text)), now_ns);
    }

    pub(super) fn channel_closed(&mut self, number: usize, now_ns: u64) {
        let linger_ns = self.orders.deadlines.linger_ns;
        let worker = &mut self.workers[number];
        if worker.closed || worker.state == State::Gone {
            return;
        }
        worker.closed = true;
        if worker.exit.is_none() && worker.killed.is_none() && worker.state != State::Done {
            worker.deadline_ns = now_ns.saturating_add(linger_ns);
        }
        let has_exited = worker.exit.is_some();
        // Nothing more will be told.
        self.lose_where_replaced(number, &WorkerError::ChannelClosed, now_ns);
        if has_exited {
            self.bury(number, now_ns);
        }
    }

    pub(super) fn process_exited(&mut self, number: usize, exit: Exit, now_ns: u64) {
        let linger_ns = self.orders.deadlines.linger_ns;
        let worker = &mut self.workers[number];
        if worker.exit.is_some() || worker.state == State::Gone {
            return;
        }
        worker.exit = Some(exit);
        worker.deadline_ns = now_ns.saturating_add(linger_ns);
        let is_closed = worker.closed;
        // All that it told was read before its end was looked for.
        self.lose_where_replaced(number, &WorkerError::Exited(exit), now_ns);
        if is_closed {
            self.bury(number, now_ns);
        }
    }

    /// Deals with every worker whose deadline has come.
    pub(super) fn expire(&mut self, now_ns: u64) {
        for number in 0..self.workers.len() {
            let worker = &self.workers[number];
            if worker.state == State::Gone || now_ns < worker.deadline_ns {
                continue;
            }
            if worker.exit.is_some() {
                // A grandchild holds its channel open; nobody else will write to it.
                self.bury(number, now_ns);
            } else if worker.killed.is_some() {
                let text = format!("{} did not end though it was killed", self.name(number));
                self.notice(Severity::Error, text);
                self.workers[number].exit = Some(Exit::Unknown);
                self.bury(number, now_ns);
            } else if worker.closed && worker.state != State::Done {
                self.kill_with_notice(number, WorkerError::ChannelClosed, now_ns);
            } else {
                let error = WorkerError::overdue(worker.state);
                self.kill_with_notice(number, error, now_ns);
            }
        }
    }

    /// A worker is gone for good: settles what it leaves.
    fn bury(&mut self, number: usize, now_ns: u64) {
        let name = self.name(number);
        let reached = self.stage_of(number);
        let worker = &mut self.workers[number];
        let state = worker.state;
        let exit = worker.exit.unwrap_or(Exit::Unknown);
        worker.state = State::Gone;
        worker.deadline_ns = NEVER;
        if worker.fired {
            worker.last_iteration_ns = worker.last_iteration_ns.or(Some(now_ns));
        }
        let killed = worker.killed.clone();
        // A run may see many workers, and what one had loaded is of no use any more.
        if reached != Stage::Starting {
            (worker.loaded, worker.prepared) = (Vec::new(), Vec::new());
        }
        if state != State::Done {
            // It did not end as it should: whatever it started goes with it, as long as its process id is its own.
            self.effects.push(Effect::Kill(number));
        }
        self.effects.push(Effect::Reap(number));
        if state == State::Done {
            worker.end = WorkerEnd::Done;
            return;
        }
        worker.death = Some(match &killed {
            Some(why) => format!("{exit}: it {why}"),
            None => exit.to_string(),
        });
        // Who was to come, and was not needed any more, had nothing to tell either.
        worker.end = if state == State::Drained || killed == Some(WorkerError::NotNeeded) {
            WorkerEnd::Killed
        } else {
            WorkerEnd::Lost
        };
        if state == State::Running
            && let Phase::Running(running) = &mut self.phase
        {
            let run_ns = now_ns.saturating_sub(running.started_ns);
            running.totals.lost(number, run_ns);
        }
        self.complete_incident(number, now_ns);
        if killed.is_some() {
            return;
        }
        let died = format!("{name} {}", exit.predicate());
        if self.workers[number].lost.is_some() {
            let aftermath = self.loss_in_words(number);
            self.notice(Severity::Warning, format!("{died}{aftermath}"));
            return;
        }
        match state {
            State::Running => self.notice(Severity::Warning, format!("{died}; what it had not told is lost")),
            State::Drained => self.notice(
                Severity::Warning,
                format!("{died} during its shutdown; its figures are complete"),
            ),
            _ => match WorkerError::Exited(exit).policy(reached) {
                Policy::Abort => self.abort(number, &died, now_ns),
                Policy::Replace | Policy::Tell => {}
            },
        }
    }

    // The end of the run.

    /// Every worker is gone.
    pub(super) fn conclude(&mut self, now_ns: u64) {
        if matches!(self.phase, Phase::Running(_)) {
            let summary = self.conclude_run(now_ns);
            return self.finish(Outcome::Finished(Box::new(summary)));
        }
        let outcome = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Over => return,
            Phase::LeadingOut(Conclusion::LoadFailed(errors)) => Outcome::LoadFailed(errors),
            Phase::LeadingOut(Conclusion::Checked { passed }) => Outcome::Checked { passed },
            Phase::LeadingOut(Conclusion::RehearsalFailed) => Outcome::RehearsalFailed,
            Phase::LeadingOut(Conclusion::Collected(items)) => Outcome::Collected(items),
            Phase::LeadingOut(Conclusion::Planned) => Outcome::Planned {
                infos: std::mem::take(&mut self.infos),
                plan: self.orders.plan.clone(),
            },
            Phase::LeadingOut(Conclusion::Aborted(abort)) => Outcome::Aborted(abort),
            Phase::LeadingOut(Conclusion::NoTestRuns(totals)) => {
                let moment = Moment {
                    plan: &self.orders.plan,
                    epoch: self.orders.epoch,
                    started_ns: None,
                    plan_ends_ns: now_ns,
                    ends_ns: now_ns,
                    status: Status::Finished,
                    reason: None,
                    workers: &self.workers,
                    incidents: &self.incidents,
                    machine: self.machine.summary(self.orders.cpus),
                    open_files: self.orders.limits.descriptors,
                };
                let mut summary = totals.summary(&moment);
                summary.exit_code = Some(self.exit_code(0, None, &summary));
                Outcome::Finished(Box::new(summary))
            }
            Phase::Loading | Phase::Preparing | Phase::Rehearsing(_) | Phase::Running(_) => {
                unreachable!(
                    "a worker's end before the start leads the run out, and a run was concluded above"
                )
            }
        };
        self.finish(outcome);
    }

    fn conclude_run(&mut self, now_ns: u64) -> Summary {
        let all_lost = self.all_places_are_lost();
        let Phase::Running(running) = &self.phase else {
            unreachable!("the caller looked")
        };
        let never_stopped = running.stop.is_none();
        // Where somebody forced the end, the workers were killed and not lost.
        if never_stopped || (all_lost && self.stop_requests < 2) {
            self.stop(StopReason::WorkersLost, now_ns);
        }
        self.close_all_rows();
        let Phase::Running(running) = &self.phase else {
            unreachable!("a stop does not change the phase")
        };
        let (reason, stop) = running.stop.expect("it was stopped above at the latest");
        let tests_run = running.totals.tests_run();
        let wrong = running
            .totals
            .inconsistencies(stop.plan_ends_ns.saturating_sub(running.started_ns));
        for what in wrong {
            self.notice(Severity::Error, format!("internal error: {what}"));
        }
        let mut summary = self.summary(Status::Finished, now_ns);
        summary.exit_code = Some(self.exit_code(tests_run, Some(reason), &summary));
        summary
    }

    fn exit_code(&self, tests_run: usize, reason: Option<StopReason>, summary: &Summary) -> u8 {
        let ending = Ending {
            tests_run,
            tests: self.orders.plan.tests.len(),
            reason,
            account: summary.account,
            invalid: self.orders.require_valid && summary.verdict.validity == Validity::Invalid,
            threshold_failed: summary.thresholds.iter().any(|result| result.state.fails()),
        };
        ending.exit_code()
    }

    fn finish(&mut self, outcome: Outcome) {
        self.phase = Phase::Over;
        self.effects.push(Effect::Finish(outcome));
    }
}
