//! Losses while the plan goes on: who is dealt what, who is started, who is given up, and what the account says in the end.

use super::*;
use pysurge_core::summary::IncidentKind;
use pysurge_core::wire::Frozen;

/// Without the progress that is told every second.
fn words(effects: &[Effect]) -> Vec<String> {
    let mut words = super::words(effects);
    words.retain(|word| word != "Progress");
    words
}

/// Deals of arrivals, by worker: from which on, which place of how many.
fn dealt(effects: &[Effect]) -> Vec<(usize, u64, u32, u32)> {
    let deals = effects.iter().filter_map(|effect| match effect {
        Effect::Send(number, ToWorker::Deal(deals)) => Some((*number, deals.clone())),
        Effect::Send(number, ToWorker::Start(start)) => Some((*number, start.deals.clone())),
        _ => None,
    });
    deals
        .filter_map(|(number, deals)| match deals[0] {
            Some(Deal::Arrivals { from, stripe }) => Some((number, from, stripe.worker, stripe.workers)),
            _ => None,
        })
        .collect()
}

/// A worker that was spawned comes as far as to be dealt something.
fn lead(machine: &mut Supervisor, number: usize, now_ns: u64) -> Vec<Effect> {
    assert_eq!(
        words(&machine.step(Input::Spawned(number, 777), now_ns)),
        Vec::<String>::new()
    );
    let effects = machine.step(Input::Message(number, hello()), now_ns);
    let [Effect::Send(of, ToWorker::Load(load))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(*of, number);
    assert_eq!(load.worker as usize, machine.workers[number].slot);
    let tests = machine.orders.plan.tests.len();
    let effects = machine.step(Input::Message(number, loaded(tests)), now_ns);
    assert_eq!(words(&effects), [format!("Prepare to {number}")]);
    machine.step(
        Input::Message(number, FromWorker::Prepared(vec![None; tests])),
        now_ns,
    )
}

fn die(machine: &mut Supervisor, number: usize, now_ns: u64) -> Vec<Effect> {
    let mut effects = machine.step(Input::Closed(number), now_ns);
    effects.extend(machine.step(Input::Exited(number, Exit::Signal(9)), now_ns));
    effects
}

fn end(machine: &mut Supervisor, numbers: &[(usize, u64, u64)], now_ns: u64) -> Summary {
    machine.step(Input::Tick, now_ns);
    let mut last = Vec::new();
    for &(number, sequence, planned) in numbers {
        let drained = drained(sequence, planned, planned);
        machine.step(Input::Message(number, drained), now_ns);
        last = bye(machine, number, now_ns);
    }
    *finished(last)
}

#[test]
fn the_others_take_over_and_another_takes_the_part_back() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 3);
    let started = BEGAN + 23_000_000;
    machine.step(Input::Message(1, measured(0, 3, 3)), started + S);
    // At the end of its channel, before the end of its process is seen; 53 ms ahead.
    let effects = machine.step(Input::Closed(1), started + 2 * S);
    assert_eq!(words(&effects), ["Deal to 0", "Deal to 2", "spawn 3 in 1"]);
    assert_eq!(dealt(&effects), [(0, 21, 0, 2), (2, 21, 1, 2)]);
    let effects = machine.step(Input::Exited(1, Exit::Signal(9)), started + 2 * S);
    assert_eq!(words(&effects), ["kill 1", "reap 1", "Notice"]);
    assert_eq!(
        notices(&effects),
        [
            "worker 2 (pid 101) was killed by signal 9 (SIGKILL); workers 1 and 3 take over its part; another is started in its place"
        ]
    );
    let effects = lead(&mut machine, 3, started + 4 * S);
    assert_eq!(
        words(&effects),
        ["Start to 3", "Deal to 0", "Deal to 2", "Notice"]
    );
    assert_eq!(dealt(&effects), [(3, 43, 1, 3), (0, 43, 0, 3), (2, 43, 2, 3)]);
    assert_eq!(
        notices(&effects),
        ["worker 2 was replaced by pid 777, from 4.25 s on"]
    );
    let Effect::Send(_, ToWorker::Start(start)) = &effects[0] else {
        panic!("it was led to the start")
    };
    assert_eq!(start.at_ns, started);
    // 7 + 11 + 19, 7 + 11 + 19, and of the dead one 7, of which 3 were told; the new one has 19.
    let summary = end(
        &mut machine,
        &[(0, 0, 37), (2, 0, 37), (3, 0, 19)],
        started + 10 * S,
    );
    let account = summary.account;
    assert_eq!((account.planned, account.passed, account.lost), (100, 96, 4));
    let kinds: Vec<_> = summary.incidents.iter().map(|incident| incident.kind).collect();
    assert_eq!(
        kinds,
        [
            IncidentKind::Lost,
            IncidentKind::TakenOver,
            IncidentKind::Replaced
        ]
    );
    assert_eq!(
        summary.incidents[0].text,
        "worker 2 (pid 101) was killed by signal 9 (SIGKILL); 4 iterations were lost"
    );
    assert_eq!(summary.incidents[1].text, "workers 1 and 3 took over its part");
    let lives: Vec<_> = summary
        .workers
        .iter()
        .map(|worker| (worker.worker, worker.life))
        .collect();
    assert_eq!(lives, [(0, 0), (1, 0), (2, 0), (1, 1)]);
    assert_eq!(summary.tests[0].workers, 3);
    assert_eq!(summary.stop_cause, Some(StopCause::Duration));
}

#[test]
fn what_nobody_else_runs_waits_for_the_one_that_comes() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 1);
    machine.step(Input::Message(0, measured(0, 10, 10)), ALONE + S);
    let effects = die(&mut machine, 0, ALONE + 2 * S);
    assert_eq!(words(&effects), ["spawn 1 in 0", "kill 0", "reap 0", "Notice"]);
    assert!(notices(&effects)[0].ends_with("nobody else runs its tests; another is started in its place"));
    let effects = lead(&mut machine, 1, ALONE + 4 * S);
    assert_eq!(dealt(&effects), [(1, 43, 0, 1)]);
    let summary = end(&mut machine, &[(1, 0, 57)], ALONE + 10 * S);
    assert_eq!((summary.account.passed, summary.account.lost), (67, 33));
    assert_eq!(
        (summary.stop_cause, summary.exit_code),
        (Some(StopCause::Duration), Some(0))
    );
}

#[test]
fn three_losses_within_a_minute_give_a_place_up() {
    let plan = plan(1, None);
    let mut machine = start(&plan, 2);
    die(&mut machine, 1, STARTED + S);
    // Deaths before it fires count, too, and so does a process that cannot be made.
    machine.step(Input::SpawnFailed(2, "no memory".into()), STARTED + S);
    lead(&mut machine, 3, STARTED + 3 * S);
    let effects = die(&mut machine, 3, STARTED + 60 * S);
    assert_eq!(words(&effects), ["Deal to 0", "kill 3", "reap 3", "Notice"]);
    assert!(
        notices(&effects)[0].ends_with("no other is started in its place: 3 were lost there within 60.0 s"),
        "{:?}",
        notices(&effects)
    );
    // Accidents that are far apart are none of that.
    let mut machine = start(&plan, 2);
    for (round, number) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        let now_ns = STARTED + (1 + 40 * round) * S;
        let effects = die(&mut machine, number, now_ns);
        assert!(
            words(&effects).contains(&format!("spawn {} in 1", number + 1)),
            "{effects:?}"
        );
        lead(&mut machine, number + 1, now_ns + S);
    }
}

/// What is wrong with a worker that is to replace another, and what is said of it.
#[test]
fn one_that_comes_must_be_like_the_others() {
    let other_rows = FromWorker::Loaded(vec![Ok(TestInfo {
        rows: Some(3),
        ..TestInfo::default()
    })]);
    let not_loaded = FromWorker::Loaded(vec![Err(LoadError {
        fault: LoadFault::Import,
        message: "no module".into(),
        hint: None,
        traceback: String::new(),
    })]);
    for (message, said) in [
        (other_rows, "found 3 rows of data where the others have 0"),
        (
            not_loaded,
            "cannot load a test that the others have loaded: no module",
        ),
        (loaded(2), "did not tell of every test it loaded"),
    ] {
        let mut machine = start(&plan(1, None), 2);
        die(&mut machine, 1, STARTED + S);
        machine.step(Input::Spawned(2, 777), STARTED + S);
        machine.step(Input::Message(2, hello()), STARTED + S);
        let effects = machine.step(Input::Message(2, message), STARTED + S);
        assert_eq!(words(&effects), ["kill 2", "spawn 3 in 1", "Notice"], "{said}");
        assert_eq!(
            notices(&effects),
            [format!(
                "worker 2, replacement 1 (pid 777) {said} and was killed; another is started in its place"
            )]
        );
    }
    // A class that does not start up in it stays with the others.
    let mut machine = start(&plan(1, None), 2);
    die(&mut machine, 1, STARTED + S);
    machine.step(Input::Spawned(2, 777), STARTED + S);
    machine.step(Input::Message(2, hello()), STARTED + S);
    machine.step(Input::Message(2, loaded(1)), STARTED + S);
    let prepared = FromWorker::Prepared(vec![Some(startup_error())]);
    let effects = machine.step(Input::Message(2, prepared), STARTED + S);
    assert_eq!(
        words(&effects),
        ["Notice", "StartupFailed", "Start to 2", "Notice"]
    );
    assert_eq!(dealt(&effects), []);
}

#[test]
fn nobody_is_started_at_the_end() {
    let plan = plan(1, Some(10));
    let mut machine = start(&plan, 2);
    let effects = die(&mut machine, 1, STARTED + 8 * S + 1);
    assert_eq!(words(&effects), ["Deal to 0", "kill 1", "reap 1", "Notice"]);
    assert!(notices(&effects)[0].ends_with("the run ends soon"));
    // One that is on its way is led out, and it is told of nowhere that it was lost.
    let mut machine = start(&plan, 2);
    die(&mut machine, 1, STARTED + S);
    machine.step(Input::Spawned(2, 777), STARTED + S);
    let effects = machine.step(Input::StopRequested, STARTED + 2 * S);
    assert_eq!(words(&effects), ["Stopping", "Stop to 0", "kill 2"]);
    let effects = die(&mut machine, 2, STARTED + 2 * S);
    assert_eq!(words(&effects), ["kill 2", "reap 2"]);
    let mut machine = start(&plan, 2);
    die(&mut machine, 1, STARTED + S);
    machine.step(Input::Spawned(2, 777), STARTED + S);
    machine.step(Input::Message(2, hello()), STARTED + S);
    let effects = machine.step(Input::StopRequested, STARTED + 2 * S);
    assert_eq!(words(&effects), ["Stopping", "Stop to 0", "Stop to 2"]);
    assert_eq!(
        words(&machine.step(Input::Message(2, loaded(1)), STARTED + 2 * S)),
        Vec::<String>::new()
    );
}

/// Lets time go by as the shell does.
fn ticks(machine: &mut Supervisor, from_ns: u64, to_ns: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut now_ns = from_ns;
    while now_ns < to_ns {
        now_ns = (now_ns + S / 10).min(to_ns);
        effects.extend(machine.step(Input::Tick, now_ns));
    }
    effects
}

#[test]
fn a_silent_worker_is_warned_of_and_then_replaced() {
    let plan = plan(1, None);
    let mut machine = start(&plan, 1);
    let said = |effects: Vec<Effect>| {
        notices(&effects)
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        said(ticks(&mut machine, BEGAN, BEGAN + 5 * S - 1)),
        Vec::<String>::new()
    );
    assert_eq!(
        said(ticks(&mut machine, BEGAN + 5 * S - 1, BEGAN + 6 * S)),
        ["worker 1 (pid 100) told nothing for 5.00 s: its process is stopped or gets no CPU"]
    );
    let again = machine.step(Input::Message(0, measured(0, 5, 5)), BEGAN + 6 * S);
    assert_eq!(notices(&again), ["worker 1 (pid 100) tells again"]);
    let effects = ticks(&mut machine, BEGAN + 6 * S, BEGAN + 21 * S);
    let [warned, killed] = &notices(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert!(warned.contains("told nothing for 5.00 s"), "{warned}");
    assert!(
        killed.contains(
            "told nothing for 15.0 s: its process is stopped or gets no CPU and was killed; nobody else"
        ),
        "{killed}"
    );
    assert!(words(&effects).contains(&"spawn 1 in 0".to_owned()));
}

#[test]
fn a_manager_that_stood_still_blames_nobody() {
    let mut machine = start(&plan(1, None), 1);
    for minute in 1..10 {
        let effects = machine.step(Input::Tick, BEGAN + 60 * minute * S);
        assert_eq!(notices(&effects), Vec::<&str>::new());
        machine.step(
            Input::Message(0, measured(minute - 1, 5, 0)),
            BEGAN + 60 * minute * S,
        );
    }
}

#[test]
fn a_frozen_worker_is_replaced_and_its_stacks_are_logged() {
    let stacks: Vec<String> = (0..30).map(|line| format!("line {line}")).collect();
    let frozen = || {
        FromWorker::Frozen(Frozen {
            held_ns: 10 * S,
            stacks: stacks.join("\n"),
        })
    };
    let mut machine = start(&plan(1, None), 2);
    let effects = machine.step(Input::Message(1, frozen()), STARTED + S);
    assert_eq!(
        words(&effects),
        ["Log", "kill 1", "Deal to 0", "spawn 2 in 1", "Notice"]
    );
    let Effect::Emit(RunEvent::Log(record)) = &effects[0] else {
        panic!("logged")
    };
    assert_eq!(
        (record.process.as_str(), record.level.as_str()),
        ("Worker-2", "ERROR")
    );
    assert!(record.message.ends_with("line 29"), "{}", record.message);
    let text = notices(&effects)[0];
    assert!(
        text.starts_with("worker 2 (pid 101) is frozen: one thread has held Python's interpreter for 10.0 s and was killed; worker 1 takes"),
        "{text}"
    );
    assert!(
        text.ends_with("line 11\n    … (all of it is in the log)"),
        "{text}"
    );
    // Where the run ends, a deadline sees to it.
    let mut machine = start(&plan(1, None), 2);
    machine.step(Input::StopRequested, STARTED + S);
    let effects = machine.step(Input::Message(1, frozen()), STARTED + S);
    assert_eq!(words(&effects), ["Log", "Notice"]);
}

#[test]
fn a_number_of_iterations_is_shared_out_for_good() {
    let closed = closed(3, Some(30));
    let mut machine = start(&closed, 3);
    let started = BEGAN + 23_000_000;
    let told = |sequence, planned, news, ended, deals| {
        let mut snapshot = snapshot(sequence, planned, news);
        snapshot.tests[0].ended = ended;
        snapshot.deals = deals;
        snapshot.at_ns = started + 3 * S;
        FromWorker::Snapshot(Box::new(snapshot))
    };
    machine.step(Input::Message(0, told(0, 10, 10, true, 0)), started + 3 * S);
    // Of 10 it began 4, and one of these it did not tell.
    machine.step(Input::Message(1, told(0, 4, 3, false, 0)), started + 3 * S);
    machine.step(Input::Message(2, told(0, 10, 10, true, 0)), started + 3 * S);
    let effects = die(&mut machine, 1, started + 4 * S);
    assert_eq!(
        words(&effects),
        ["Deal to 0", "Deal to 2", "kill 1", "reap 1", "Notice"]
    );
    assert!(notices(&effects)[0].ends_with("the others do all that is left"));
    let rations: Vec<u64> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(_, ToWorker::Deal(deals)) => match &deals[0] {
                Some(Deal::Users { lot, .. }) => lot.ration.as_ref().map(pysurge_core::users::Ration::left),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(rations, [3, 3]);
    // Whoever has not heard of it yet cannot know that it is at its end.
    machine.step(Input::Message(0, told(1, 10, 0, true, 0)), started + 4 * S);
    machine.step(Input::Message(2, told(1, 13, 3, true, 1)), started + 4 * S);
    assert!(matches!(&machine.phase, Phase::Running(running) if running.stop.is_none()));
    let effects = machine.step(Input::Message(0, told(2, 13, 3, true, 1)), started + 5 * S);
    assert_eq!(words(&effects)[0], "Stopping");
    let mut last = Vec::new();
    for (number, sequence) in [(0, 3), (2, 2)] {
        let drained = FromWorker::Drained(Box::new(snapshot(sequence, 13, 0)));
        machine.step(Input::Message(number, drained), started + 5 * S);
        last = bye(&mut machine, number, started + 5 * S);
    }
    let summary = finished(last);
    assert_eq!((summary.account.planned, summary.account.lost), (30, 1));
    assert_eq!(summary.stop_cause, Some(StopCause::Iterations));
}

/// One that came when everything was shared out takes over from those who die later.
#[test]
fn one_that_came_with_nothing_to_do_takes_over_later() {
    let mut plan = closed(2, Some(30));
    plan.tests.push(super::plan(1, None).tests.remove(0));
    let mut machine = start(&plan, 2);
    let ration = |effects: &[Effect], of: usize| {
        effects.iter().find_map(|effect| match effect {
            Effect::Send(number, ToWorker::Deal(deals)) if *number == of => deals[0].clone(),
            Effect::Send(number, ToWorker::Start(start)) if *number == of => start.deals[0].clone(),
            _ => None,
        })
    };
    let left = |deal: Option<Deal>| match deal {
        Some(Deal::Users { lot, .. }) => lot.ration.map(|ration| ration.left()),
        _ => None,
    };
    let effects = die(&mut machine, 1, STARTED + S);
    assert_eq!(left(ration(&effects, 0)), Some(15));
    let effects = lead(&mut machine, 2, STARTED + 2 * S);
    assert_eq!(left(ration(&effects, 2)), Some(0));
    assert_eq!(left(ration(&effects, 0)), None);
    let effects = die(&mut machine, 0, STARTED + 3 * S);
    assert_eq!(left(ration(&effects, 2)), Some(30));
}

#[test]
fn a_number_of_iterations_waits_for_the_one_that_comes() {
    let closed = closed(3, Some(30));
    let mut machine = start(&closed, 1);
    machine.step(Input::Message(0, measured(0, 5, 4)), ALONE + S);
    let effects = die(&mut machine, 0, ALONE + 2 * S);
    assert_eq!(words(&effects), ["spawn 1 in 0", "kill 0", "reap 0", "Notice"]);
    let effects = lead(&mut machine, 1, ALONE + 4 * S);
    let Effect::Send(_, ToWorker::Start(start)) = &effects[0] else {
        panic!("{effects:?}")
    };
    let Some(Deal::Users { lot, at_ns }) = &start.deals[0] else {
        panic!("{start:?}")
    };
    assert_eq!((lot.stripe, *at_ns), (Stripe::WHOLE, 4 * S + 251_000_000));
    assert_eq!(
        lot.ration.as_ref().map(pysurge_core::users::Ration::left),
        Some(25)
    );
    let mut done = snapshot(0, 25, 25);
    done.tests[0].ended = true;
    machine.step(
        Input::Message(1, FromWorker::Snapshot(Box::new(done))),
        ALONE + 6 * S,
    );
    let mut last = snapshot(1, 25, 0);
    last.tests[0].ended = true;
    machine.step(
        Input::Message(1, FromWorker::Drained(Box::new(last))),
        ALONE + 6 * S,
    );
    let summary = finished(bye(&mut machine, 1, ALONE + 6 * S));
    assert_eq!(
        (
            summary.account.planned,
            summary.account.passed,
            summary.account.lost
        ),
        (30, 29, 1)
    );
}

#[test]
fn users_go_over_with_numbers_of_their_own() {
    let closed = closed(4, None);
    let mut machine = start(&closed, 2);
    machine.step(Input::Message(0, measured(0, 100, 100)), STARTED + S);
    let lots = |effects: &[Effect]| -> Vec<(usize, u32, u32, u64)> {
        let deals = effects.iter().filter_map(|effect| match effect {
            Effect::Send(number, ToWorker::Deal(deals)) => Some((*number, deals[0].clone()?)),
            Effect::Send(number, ToWorker::Start(start)) => Some((*number, start.deals[0].clone()?)),
            _ => None,
        });
        deals
            .map(|(number, deal)| match deal {
                Deal::Users { lot, .. } => (number, lot.stripe.worker, lot.stripe.workers, lot.from_round),
                Deal::Arrivals { .. } => panic!("users"),
            })
            .collect()
    };
    let rounds = (1 << 24) + 50;
    assert_eq!(lots(&die(&mut machine, 1, STARTED + S)), [(0, 0, 1, rounds)]);
    let effects = lead(&mut machine, 2, STARTED + 2 * S);
    let again = rounds + (1 << 24);
    assert_eq!(lots(&effects), [(2, 1, 2, again), (0, 0, 2, again)]);
}

#[test]
fn figures_that_cannot_be_cost_the_worker_alone() {
    let absurd = |act: fn(&mut Snapshot)| {
        let mut snapshot = snapshot(0, 5, 5);
        act(&mut snapshot);
        FromWorker::Snapshot(Box::new(snapshot))
    };
    for message in [
        absurd(|snapshot| snapshot.tests[0].measured.planned = u64::MAX),
        absurd(|snapshot| snapshot.tests[0].warmup.dropped = u64::MAX),
        absurd(|snapshot| snapshot.tests[0].measured.measures.failed = u64::MAX - 3),
        absurd(|snapshot| snapshot.tests[0].measured.measures.busy_ns = u64::MAX),
        absurd(|snapshot| snapshot.tests[0].overran = u64::MAX),
        absurd(|snapshot| snapshot.cpu_ns = u64::MAX),
        absurd(|snapshot| snapshot.iterations_untold = u64::MAX),
        absurd(|snapshot| snapshot.at_ns = u64::MAX),
    ] {
        let mut machine = start(&plan(1, Some(10)), 2);
        let effects = machine.step(Input::Message(0, message), STARTED + S);
        assert_eq!(words(&effects)[..2], ["kill 0", "Deal to 1"], "{effects:?}");
    }
}
