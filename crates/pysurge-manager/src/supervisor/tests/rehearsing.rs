//! Tables of what goes before a run: its rehearsal, and the collection of tests.

use super::*;
use pysurge_core::plan::{PytestItem, Target};
use pysurge_core::wire::{CollectedItem, LoadError, LoadFault, Rehearsed};

fn rehearsed(test: u32, passes: bool) -> FromWorker {
    FromWorker::Rehearsed(Rehearsed {
        test,
        measures: Box::new(Measures {
            passed: u64::from(passes),
            failed: u64::from(!passes),
            ..Measures::default()
        }),
    })
}

/// A run of two tests in two workers that is to be rehearsed, whose workers have all said how their startup went.
fn prepared(of_worker_0: &[Option<StartupError>; 2]) -> (Supervisor, Vec<Effect>) {
    let mut machine = supervisor(&plan(2, Some(7)), Mission::Run, 2);
    machine.orders.rehearsal = true;
    let mut effects = Vec::new();
    let prepared = [of_worker_0.to_vec(), vec![None, None]];
    for number in 0..2 {
        machine.step(Input::Message(number, hello()), BEGAN);
    }
    for number in 0..2 {
        machine.step(Input::Message(number, loaded(2)), BEGAN);
    }
    for (number, errors) in prepared.into_iter().enumerate() {
        effects = machine.step(Input::Message(number, FromWorker::Prepared(errors)), BEGAN);
    }
    (machine, effects)
}

#[test]
fn a_run_starts_once_every_test_was_rehearsed_in_one_worker() {
    let (mut machine, effects) = prepared(&[None, None]);
    assert_eq!(words(&effects), ["Rehearse to 0"]);
    let effects = machine.step(Input::Message(0, rehearsed(0, true)), BEGAN + S);
    assert_eq!(words(&effects), ["Rehearsed"]);
    let effects = machine.step(Input::Message(0, rehearsed(1, true)), BEGAN + 2 * S);
    assert_eq!(
        words(&effects),
        ["Rehearsed", "Start to 0", "Start to 1", "Started"]
    );
    let starts = effects.iter().filter_map(|effect| match effect {
        Effect::Send(_, ToWorker::Start(start)) => Some(start.at_ns),
        _ => None,
    });
    assert!(starts.into_iter().all(|at_ns| at_ns > BEGAN + 2 * S));
}

#[test]
fn nothing_is_fired_where_a_test_fails_its_rehearsal() {
    let (mut machine, _) = prepared(&[None, None]);
    // The others are rehearsed nevertheless: all that is wrong is told at once.
    assert_eq!(
        words(&machine.step(Input::Message(0, rehearsed(0, false)), BEGAN)),
        ["Rehearsed"]
    );
    let effects = machine.step(Input::Message(0, rehearsed(1, true)), BEGAN);
    assert_eq!(words(&effects), ["Rehearsed", "Stop to 0", "Stop to 1"]);
    let mut last = Vec::new();
    for number in 0..2 {
        machine.step(Input::Message(number, FromWorker::Drained(Box::default())), BEGAN);
        last = bye(&mut machine, number, BEGAN);
    }
    let outcome = outcome(last);
    assert!(matches!(outcome, Outcome::RehearsalFailed), "{outcome:?}");
    assert_eq!(outcome.exit_code(), 2);
}

#[test]
fn what_does_not_start_up_in_the_worker_that_rehearses_is_left_to_the_others() {
    let (mut machine, effects) = prepared(&[Some(startup_error()), None]);
    assert_eq!(words(&effects), ["Rehearse to 0"]);
    let effects = machine.step(Input::Message(0, rehearsed(1, true)), BEGAN);
    assert_eq!(
        words(&effects),
        ["Rehearsed", "Start to 0", "Start to 1", "Started"]
    );
}

#[test]
fn a_rehearsal_that_hangs_ends_the_run_before_it_started() {
    let (mut machine, _) = prepared(&[None, None]);
    let deadline_ns = machine.next_deadline_ns();
    assert_eq!(deadline_ns, BEGAN + Deadlines::default().rehearse_ns + 60 * S);
    let effects = machine.step(Input::Tick, deadline_ns);
    assert_eq!(words(&effects), ["kill 0", "Notice", "Stop to 1"]);
}

fn item(id: &str) -> CollectedItem {
    CollectedItem {
        item: PytestItem {
            id: id.into(),
            file: "/t/test_a.py".into(),
            rootdir: "/t".into(),
            inifile: None,
        },
        weight: 1.0,
        rate: None,
        skipped: None,
    }
}

#[test]
fn tests_are_collected_and_nothing_else_is_done() {
    let mut plan = plan(2, Some(7));
    plan.tests[0].target = Target::pytest("tests/");
    plan.pytest_args = vec!["-x".into()];
    let mut machine = supervisor(&plan, Mission::Collect, 1);
    let effects = machine.step(Input::Message(0, hello()), BEGAN);
    let [Effect::Emit(_), Effect::Send(0, ToWorker::Collect(load))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(load.pytest_args, ["-x"]);
    let items = vec![vec![item("test_a.py::test_b")], vec![]];
    let told = FromWorker::Collected(items.iter().cloned().map(Ok).collect());
    assert_eq!(
        words(&machine.step(Input::Message(0, told), BEGAN)),
        ["Stop to 0"]
    );
    machine.step(Input::Message(0, FromWorker::Drained(Box::default())), BEGAN);
    let Outcome::Collected(collected) = outcome(bye(&mut machine, 0, BEGAN)) else {
        panic!("not collected")
    };
    assert_eq!(collected, items);
}

#[test]
fn what_cannot_be_collected_is_told_as_what_cannot_be_loaded() {
    let error = LoadError {
        fault: LoadFault::Collect,
        message: "no".into(),
        hint: None,
        traceback: String::new(),
    };
    let mut machine = supervisor(&plan(2, None), Mission::Collect, 1);
    machine.step(Input::Message(0, hello()), BEGAN);
    let told = FromWorker::Collected(vec![Ok(vec![]), Err(error.clone())]);
    let effects = machine.step(Input::Message(0, told), BEGAN);
    assert!(
        matches!(&effects[0], Effect::Emit(RunEvent::LoadFailed(errors)) if errors[..] == [None, Some(error)])
    );
}

#[test]
fn a_worker_that_collects_too_little_or_unasked_is_at_fault() {
    let mut machine = supervisor(&plan(2, None), Mission::Collect, 1);
    machine.step(Input::Message(0, hello()), BEGAN);
    let effects = machine.step(Input::Message(0, FromWorker::Collected(vec![Ok(vec![])])), BEGAN);
    assert_eq!(words(&effects), ["kill 0", "Notice"]);
    let mut machine = supervisor(&plan(1, None), Mission::Run, 1);
    machine.step(Input::Message(0, hello()), BEGAN);
    let effects = machine.step(Input::Message(0, FromWorker::Collected(vec![Ok(vec![])])), BEGAN);
    assert_eq!(words(&effects), ["kill 0", "Notice"]);
}

#[test]
fn what_many_tests_say_of_themselves_is_told_once() {
    let info = |label: &str, note: Option<&str>| {
        Ok(TestInfo {
            label: label.into(),
            notes: note.map(str::to_owned).into_iter().collect(),
            ..TestInfo::default()
        })
    };
    let infos = vec![
        info("a", Some("runs alone")),
        info("b", None),
        info("c", Some("runs alone")),
        info("d", Some("runs slowly")),
        info("e", Some("runs alone")),
    ];
    let mut machine = supervisor(&plan(5, Some(7)), Mission::Run, 1);
    machine.step(Input::Message(0, hello()), BEGAN);
    let effects = machine.step(Input::Message(0, FromWorker::Loaded(infos)), BEGAN);
    let told: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Emit(RunEvent::Notice { text, .. }) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["a and 2 other tests: runs alone", "d: runs slowly"]);
}
