//! Tables of what is asked of a run while it goes on, and of the suspension of this process.

use super::*;
use pysurge_core::control::{MAX_CHANGES, Standing, State as Stands};
use pysurge_core::schedule::{Change, Factor};

/// From the statement of a change to its instant, with one worker.
const LEAD: u64 = 51_000_000;

fn ask(machine: &mut Supervisor, command: Command, now_ns: u64) -> (Answer, Vec<Effect>) {
    let mut effects = machine.step(Input::Asked(command, Actor::Socket), now_ns);
    let at = effects
        .iter()
        .position(|effect| matches!(effect, Effect::Answer(_)));
    let Effect::Answer(answer) = effects.remove(at.expect("one answer")) else {
        unreachable!("it was looked for")
    };
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Answer(_))));
    (answer, effects)
}

/// What is done about it.
fn order(machine: &mut Supervisor, command: Command, now_ns: u64) -> Vec<Effect> {
    let (answer, effects) = ask(machine, command, now_ns);
    answer.expect("it can be asked for");
    effects
}

fn stands(machine: &mut Supervisor, command: Command, now_ns: u64) -> Standing {
    ask(machine, command, now_ns).0.expect("it can be asked for")
}

fn scale(milli: u32) -> Command {
    Command::Scale(Factor::from_milli(milli).unwrap())
}

fn changes(effects: &[Effect]) -> Vec<(usize, Change)> {
    let change = |effect: &Effect| match effect {
        Effect::Send(number, ToWorker::Change(change)) => Some((*number, *change)),
        _ => None,
    };
    effects.iter().filter_map(change).collect()
}

fn last_change(effects: &[Effect]) -> Change {
    changes(effects).last().expect("a change").1
}

#[test]
fn a_change_is_stated_to_all_for_one_instant_ahead() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 2);
    let (answer, effects) = ask(&mut machine, Command::Pause, STARTED + 4 * S);
    let change = Change {
        at_ns: 4 * S + 52_000_000,
        paused: true,
        factor: Factor::ONE,
    };
    assert_eq!(changes(&effects), [(0, change), (1, change)]);
    assert_eq!(
        words(&effects),
        ["Change to 0", "Change to 1", "Changed", "Progress"]
    );
    assert!(matches!(
        &effects[2],
        Effect::Emit(RunEvent::Changed { change: told, wall_ns, by: Actor::Socket })
            if *told == change && *wall_ns == STARTED - BEGAN + change.at_ns
    ));
    let standing = answer.unwrap();
    assert_eq!(standing.state, Stands::Paused);
    assert_eq!(standing.effective_s, Some(4.052));
    assert!((standing.elapsed_s - 4.0).abs() < 1e-9 && standing.paused_s < 1e-9);
    // Once more changes nothing.
    let (again, effects) = ask(&mut machine, Command::Pause, STARTED + 5 * S);
    assert_eq!(changes(&effects), []);
    let again = again.unwrap();
    assert_eq!((again.state, again.effective_s), (Stands::Paused, Some(4.052)));
    assert!((again.paused_s - 0.948).abs() < 1e-9, "{}", again.paused_s);
}

#[test]
fn the_end_of_the_plan_waits_for_a_pause() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    order(&mut machine, Command::Pause, ALONE + 4 * S);
    for at_s in 5..30 {
        let passed = if at_s == 5 { 41 } else { 0 };
        machine.step(
            Input::Message(0, measured(at_s - 5, 41, passed)),
            ALONE + at_s * S,
        );
        let effects = machine.step(Input::Tick, ALONE + at_s * S + PROGRESS_LAG_NS);
        assert_eq!(words(&effects), ["Progress"], "at {at_s} s");
        assert!(machine.next_deadline_ns() > ALONE + at_s * S);
    }
    let effects = order(&mut machine, Command::Resume, ALONE + 30 * S);
    assert_eq!(last_change(&effects).at_ns, 30 * S + LEAD);
    // Six seconds of the plan are left, less what had gone by before the pause held.
    let ends_ns = ALONE + 36 * S;
    assert!(stops(&machine.step(Input::Tick, ends_ns - 1)).is_empty());
    assert_eq!(machine.next_deadline_ns(), ends_ns);
    let effects = machine.step(Input::Tick, ends_ns);
    assert_eq!(stops(&effects)[0].plan_ends_ns, ends_ns);
    assert_eq!(stops(&effects)[0].last_start_ns, ends_ns + S);
    machine.step(Input::Message(0, drained(25, 100, 59)), ends_ns);
    let summary = finished(bye(&mut machine, 0, ends_ns));
    assert_eq!(summary.account.passed, 100);
    assert_eq!(summary.stop_cause, Some(StopCause::Duration));
    assert!((summary.duration_s - 10.0).abs() < 1e-9 && (summary.paused_s - 26.0).abs() < 1e-9);
    assert_eq!(summary.changes.len(), 2);
}

#[test]
fn a_plan_that_ends_before_the_pause_holds_ends_in_time() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    order(&mut machine, Command::Pause, ALONE + 10 * S - 20_000_000);
    let effects = machine.step(Input::Tick, ALONE + 10 * S);
    assert_eq!(stops(&effects)[0].plan_ends_ns, ALONE + 10 * S);
}

#[test]
fn a_stop_between_a_statement_and_its_instant_counts_the_old_plan() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    order(&mut machine, scale(3_000), ALONE + 2 * S - 30_000_000);
    let (answer, effects) = ask(&mut machine, Command::Stop, ALONE + 2 * S);
    assert_eq!(answer.unwrap().state, Stands::Stopping);
    assert_eq!(stops(&effects)[0].plan_ends_ns, ALONE + 2 * S);
    machine.step(Input::Message(0, drained(0, 20, 20)), ALONE + 2 * S);
    let summary = finished(bye(&mut machine, 0, ALONE + 2 * S));
    assert_eq!((summary.account.planned, summary.account.lost), (20, 0));
}

#[test]
fn a_stop_ends_a_paused_run() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    order(&mut machine, Command::Pause, ALONE + 4 * S);
    let effects = machine.step(Input::StopRequested, ALONE + 60 * S);
    assert_eq!(stops(&effects)[0].plan_ends_ns, ALONE + 60 * S);
    let (answer, _) = ask(&mut machine, Command::Resume, ALONE + 60 * S);
    assert_eq!(answer, Err(Refusal::Stopping));
}

#[test]
fn what_can_be_asked_depends_on_where_the_run_stands() {
    let plan = plan(1, Some(10));
    let mut machine = supervisor(&plan, Mission::Run, 1);
    for command in [Command::Pause, Command::Resume, scale(2_000)] {
        assert_eq!(ask(&mut machine, command, BEGAN).0, Err(Refusal::NotStarted));
    }
    let standing = stands(&mut machine, Command::Status, BEGAN);
    assert_eq!((standing.state, standing.name.as_str()), (Stands::Starting, "n"));

    let mut machine = start(&plan, 1);
    // Between the order to start and the start itself.
    assert_eq!(
        stands(&mut machine, Command::Status, BEGAN).state,
        Stands::Running
    );
    machine.step(Input::Message(0, measured(0, 5, 4)), ALONE + S);
    let standing = stands(&mut machine, scale(1_500), ALONE + S);
    assert_eq!(
        (
            standing.state,
            standing.factor,
            standing.passed,
            standing.effective_s
        ),
        (Stands::Running, 1.5, 4, Some(1.051))
    );
    let effects = order(&mut machine, scale(1_500), ALONE + S);
    assert_eq!(changes(&effects), []);
    machine.step(Input::StopRequested, ALONE + 2 * S);
    for command in [Command::Pause, Command::Resume, scale(2_000)] {
        assert_eq!(
            ask(&mut machine, command, ALONE + 2 * S).0,
            Err(Refusal::Stopping)
        );
    }
    assert_eq!(
        stands(&mut machine, Command::Status, ALONE + 2 * S).state,
        Stands::Stopping
    );
    machine.step(Input::Closed(0), ALONE + 2 * S);
    machine.step(Input::Exited(0, Exit::Signal(9)), ALONE + 2 * S);
    for command in [Command::Status, Command::Stop, Command::Pause] {
        assert_eq!(ask(&mut machine, command, ALONE + 3 * S).0, Err(Refusal::Over));
    }
}

#[test]
fn stops_that_are_asked_for_are_those_of_ctrl_c() {
    let plan = plan(1, Some(10));
    let at_ns = ALONE + 2 * S;
    let by_key = |requests: u32| {
        let mut machine = start(&plan, 1);
        let effects = (0..requests).flat_map(|_| machine.step(Input::StopRequested, at_ns));
        stops(&effects.collect::<Vec<_>>()).last().copied()
    };
    for (commands, requests) in [
        (vec![Command::Stop], 1),
        (vec![Command::Stop, Command::Stop], 1),
        (vec![Command::StopNow], 2),
        (vec![Command::StopNow, Command::StopNow, Command::Stop], 2),
        (vec![Command::Stop, Command::StopNow], 2),
    ] {
        let mut machine = start(&plan, 1);
        let mut told = None;
        for command in commands {
            let (answer, effects) = ask(&mut machine, command, at_ns);
            assert_eq!(answer.unwrap().state, Stands::Stopping);
            assert!(!words(&effects).contains(&"kill 0".into()));
            told = stops(&effects).last().copied().or(told);
        }
        assert_eq!(told, by_key(requests));
        assert_eq!(machine.stop_requests, requests);
    }
    // Before the start it is aborted, and the second does not wait for the hooks.
    let mut machine = supervisor(&plan, Mission::Run, 1);
    machine.step(Input::Message(0, hello()), BEGAN);
    let (answer, effects) = ask(&mut machine, Command::StopNow, BEGAN);
    assert_eq!(answer.unwrap().state, Stands::Stopping);
    assert_eq!(words(&effects), ["Notice", "Stop to 0"]);
    assert!(matches!(
        machine.phase,
        Phase::LeadingOut(Conclusion::Aborted(Abort::Signal))
    ));
    // A run that ends by itself already has nothing new in it.
    let mut machine = start(&plan, 1);
    machine.step(Input::Tick, ALONE + 10 * S);
    let effects = order(&mut machine, Command::Stop, ALONE + 10 * S);
    assert!(stops(&effects).is_empty());
}

#[test]
fn a_number_of_iterations_ends_the_run() {
    let mut open = plan(1, None);
    open.tests[0].iterations = Some(100);
    let mut machine = start(&open, 1);
    assert!(stops(&machine.step(Input::Tick, ALONE + 9_900_000_000)).is_empty());
    let effects = machine.step(Input::Tick, ALONE + 9_900_000_001);
    assert_eq!(stops(&effects)[0].plan_ends_ns, ALONE + 9_900_000_001);
    assert!(matches!(
        effects[0],
        Effect::Emit(RunEvent::Stopping {
            reason: StopReason::Iterations,
            ..
        })
    ));

    let closed = closed(2, Some(10));
    let mut machine = start(&closed, 2);
    let done = |ended: bool| {
        let mut snapshot = snapshot(0, 5, 5);
        (snapshot.at_ns, snapshot.tests[0].ended) = (STARTED + 3 * S, ended);
        FromWorker::Snapshot(Box::new(snapshot))
    };
    assert!(stops(&machine.step(Input::Message(0, done(true)), STARTED + 3 * S)).is_empty());
    assert!(stops(&machine.step(Input::Message(1, done(false)), STARTED + 3 * S)).is_empty());
    // The other one dies: nobody is left to wait for.
    let effects = machine.step(Input::Exited(1, Exit::Signal(9)), STARTED + 4 * S);
    assert_eq!(stops(&effects)[0].plan_ends_ns, STARTED + 3 * S);
    let Phase::Running(running) = &machine.phase else {
        panic!("not running")
    };
    assert!(matches!(running.stop, Some((StopReason::Iterations, _))));
}

#[test]
fn ctrl_z_pauses_first_and_resumes_afterwards() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    machine.step(Input::Message(0, measured(0, 10, 10)), ALONE + S);
    for round in 0..2 {
        let at_ns = ALONE + 2 * S + round * 95 * S;
        let effects = machine.step(Input::SuspendRequested, at_ns);
        let change = last_change(&effects);
        assert!(change.paused);
        assert!(matches!(
            effects[1],
            Effect::Emit(RunEvent::Changed {
                by: Actor::Suspension,
                ..
            })
        ));
        // Twice pressed is once suspended; and nothing sleeps before the pause holds.
        assert!(changes(&machine.step(Input::SuspendRequested, at_ns + 1)).is_empty());
        let holds_ns = at_ns + LEAD;
        assert!(machine.next_deadline_ns() <= holds_ns);
        assert!(!words(&machine.step(Input::Tick, holds_ns - 1)).contains(&"suspend".into()));
        assert_eq!(
            words(&machine.step(Input::Tick, holds_ns))
                .last()
                .map(String::as_str),
            Some("suspend")
        );
        // A long sleep: no warning of silence, no progress to make up for, no deadline missed.
        let wakes_ns = holds_ns + 90 * S;
        let effects = machine.step(Input::Woken { slept_ns: 90 * S }, wakes_ns);
        assert_eq!(words(&effects), ["Change to 0", "Changed"], "round {round}");
        let change = last_change(&effects);
        assert_eq!((change.paused, change.at_ns), (false, wakes_ns + LEAD - ALONE));
    }
}

#[test]
fn a_run_that_was_paused_before_stays_so() {
    let plan = plan(1, Some(10));
    for (before, between, resumed) in [
        (Some(Command::Pause), None, false),
        (None, Some(Command::Pause), false),
        (Some(Command::Pause), Some(Command::Resume), true),
        (None, Some(Command::Resume), true),
        (None, None, true),
    ] {
        let mut machine = start(&plan, 1);
        if let Some(command) = before {
            order(&mut machine, command, ALONE + 2 * S - 1);
        }
        machine.step(Input::SuspendRequested, ALONE + 2 * S);
        if let Some(command) = between {
            let standing = stands(&mut machine, command, ALONE + 2 * S + 1);
            assert_eq!(standing.state, Stands::Paused);
        }
        let slept = machine.step(Input::Tick, ALONE + 3 * S);
        assert!(words(&slept).contains(&"suspend".into()));
        let effects = machine.step(Input::Woken { slept_ns: S }, ALONE + 4 * S);
        let told = changes(&effects);
        assert_eq!(told.len(), usize::from(resumed), "{before:?} {between:?}");
        assert!(told.iter().all(|(_, change)| !change.paused));
    }
}

#[test]
fn while_nothing_is_fired_ctrl_z_only_suspends() {
    let plan = plan(1, Some(10));
    let deadlines = Deadlines::default();
    // Before the start.
    let mut machine = supervisor(&plan, Mission::Run, 1);
    let effects = machine.step(Input::SuspendRequested, BEGAN + S);
    assert_eq!(words(&effects), ["Opened", "suspend"]);
    let slept_ns = 10 * deadlines.hello_ns;
    let effects = machine.step(Input::Woken { slept_ns }, BEGAN + S + slept_ns);
    assert_eq!(words(&effects), Vec::<String>::new());
    assert_eq!(
        machine.next_deadline_ns(),
        BEGAN + deadlines.hello_ns + slept_ns,
        "every deadline is moved by the time slept"
    );
    // While it is stopping.
    let mut machine = start(&plan, 1);
    machine.step(Input::StopRequested, ALONE + S);
    let effects = machine.step(Input::SuspendRequested, ALONE + 2 * S - 1);
    assert_eq!(words(&effects), ["Progress", "suspend"]);
    let effects = machine.step(Input::Woken { slept_ns: 900 * S }, ALONE + 902 * S);
    assert_eq!(words(&effects), Vec::<String>::new());
    // And again, later.
    let effects = machine.step(Input::SuspendRequested, ALONE + 902 * S);
    assert!(words(&effects).contains(&"suspend".into()));
}

#[test]
fn a_run_is_not_changed_without_end_but_always_resumed() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    let now_ns = STARTED + S;
    for number in 0..MAX_CHANGES - 1 {
        order(
            &mut machine,
            scale(if number % 2 == 0 { 2_000 } else { 1_000 }),
            now_ns,
        );
    }
    order(&mut machine, Command::Pause, now_ns);
    for command in [scale(3_000), Command::Pause] {
        let (answer, effects) = ask(&mut machine, command, now_ns);
        assert_eq!(answer, Err(Refusal::TooManyChanges));
        assert_eq!(changes(&effects), []);
    }
    assert_eq!(
        stands(&mut machine, Command::Resume, now_ns).state,
        Stands::Running
    );
    assert_eq!(
        stands(&mut machine, Command::Stop, now_ns).state,
        Stands::Stopping
    );
}
