//! Tables of how a run comes to its start: shapes, limits, grace; and of the missions that fire nothing.

use super::*;
use crate::limits::ThreadLimit;
use pysurge_core::plan::{
    ArrivalProcess, Data, DataSource, LatePolicy, OpenModel, Reuse, RowOrder, Samples, Shape, Source,
};
use pysurge_core::wire::Rehearsed;

fn shaped(samples: Option<Samples>) -> Plan {
    let source = Source::Shape(Shape {
        function: "a.f".into(),
        samples,
    });
    let model = Model::Open(OpenModel {
        source,
        process: ArrivalProcess::Constant,
        seed: 0,
        late: LatePolicy::Queue,
    });
    Plan::new("n", vec![TestPlan::new("a.B", model)])
}

fn samples() -> Samples {
    Samples {
        step_ns: 5 * S,
        rates: vec![Rate::parse("10").unwrap(); 3],
    }
}

fn told(shape: Option<Samples>, max_duration_s: Option<u64>) -> FromWorker {
    FromWorker::Loaded(vec![Ok(TestInfo {
        label: "<B>".into(),
        summary: String::new(),
        max_duration_ns: max_duration_s.map(|s| s * S),
        shape,
        ..TestInfo::default()
    })])
}

fn notices(effects: &[Effect]) -> Vec<String> {
    let notice = |effect: &Effect| match effect {
        Effect::Emit(RunEvent::Notice { text, .. }) => Some(text.clone()),
        _ => None,
    };
    effects.iter().filter_map(notice).collect()
}

#[test]
fn what_worker_0_sampled_is_the_plan_of_all() {
    let mut machine = supervisor(&shaped(None), Mission::Run, 2);
    let mut effects = Vec::new();
    for message in [
        hello(),
        told(Some(samples()), None),
        FromWorker::Prepared(vec![None]),
    ] {
        for number in 0..2 {
            let other = number == 1 && matches!(message, FromWorker::Loaded(_));
            let message = if other { told(None, None) } else { message.clone() };
            effects = machine.step(Input::Message(number, message), BEGAN);
        }
    }
    let shapes: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(_, ToWorker::Start(start)) => Some(start.shapes.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(shapes, vec![vec![Some(samples())]; 2]);
    // Its end is the run's: ten seconds of samples.
    assert!(stops(&machine.step(Input::Tick, STARTED + 10 * S - 1)).is_empty());
    assert_eq!(stops(&machine.step(Input::Tick, STARTED + 10 * S)).len(), 2);
    assert_eq!(
        machine.summary(Status::Running, STARTED + 10 * S).account.planned,
        100
    );
}

#[test]
fn a_shape_without_samples_is_a_fault_of_its_worker() {
    let mut machine = supervisor(&shaped(None), Mission::Run, 1);
    machine.step(Input::Message(0, hello()), BEGAN);
    let effects = machine.step(Input::Message(0, told(None, None)), BEGAN);
    assert_eq!(words(&effects), ["kill 0", "Notice"]);
    assert!(notices(&effects)[0].contains("did not sample the shape of <B>"));
}

fn fed(rows: Option<u64>) -> FromWorker {
    FromWorker::Loaded(vec![Ok(TestInfo {
        rows,
        ..TestInfo::default()
    })])
}

#[test]
fn workers_that_found_other_rows_do_not_run() {
    for (found, told) in [
        ([Some(3), Some(3)], None),
        ([None, None], None),
        (
            [Some(3), Some(4)],
            Some("3 for worker 1 (pid 100), 4 for worker 2 (pid 101)"),
        ),
        (
            [Some(3), None],
            Some("3 for worker 1 (pid 100), 0 for worker 2 (pid 101)"),
        ),
    ] {
        let mut machine = supervisor(&plan(1, Some(7)), Mission::Run, 2);
        let mut effects = Vec::new();
        for (number, rows) in found.into_iter().enumerate() {
            machine.step(Input::Message(number, hello()), BEGAN);
            effects = machine.step(Input::Message(number, fed(rows)), BEGAN);
        }
        let error = effects.iter().find_map(|effect| match effect {
            Effect::Emit(RunEvent::LoadFailed(errors)) => errors[0].clone(),
            _ => None,
        });
        assert_eq!(error.is_some(), told.is_some(), "{found:?}: {effects:?}");
        if let (Some(error), Some(told)) = (error, told) {
            assert!(error.message.ends_with(told), "{error:?}");
        }
    }
}

#[test]
fn rows_that_are_given_once_end_the_test() {
    let mut fed_once = plan(1, Some(7));
    fed_once.tests[0].data = Some(Data {
        source: DataSource::File("rows.csv".into()),
        order: RowOrder::Shuffle,
        reuse: Reuse::Once,
        seed: 0,
    });
    let mut machine = supervisor(&fed_once, Mission::Run, 1);
    for message in [hello(), fed(Some(3)), FromWorker::Prepared(vec![None])] {
        machine.step(Input::Message(0, message), BEGAN);
    }
    let summary = machine.summary(Status::Running, STARTED + 10 * S);
    assert_eq!(summary.account.planned, 3);
}

#[test]
fn the_run_says_how_long_it_is_when_it_loads() {
    let plan = plan(1, Some(7));
    let mut machine = supervisor(&plan, Mission::Run, 1);
    let effects = machine.step(Input::Message(0, hello()), BEGAN);
    let Effect::Send(0, ToWorker::Load(load)) = &effects[1] else {
        panic!("{effects:?}")
    };
    assert_eq!(load.duration_ns, Some(7 * S));
}

#[test]
fn a_plan_is_loaded_and_no_more() {
    let mut machine = supervisor(&shaped(None), Mission::Plan, 1);
    machine.step(Input::Message(0, hello()), BEGAN);
    let effects = machine.step(Input::Message(0, told(Some(samples()), Some(60))), BEGAN);
    assert_eq!(words(&effects), ["Loaded", "Stop to 0"]);
    machine.step(Input::Message(0, FromWorker::Drained(Box::default())), BEGAN);
    let outcome = outcome(bye(&mut machine, 0, BEGAN));
    assert_eq!(outcome.exit_code(), 0);
    let Outcome::Planned { infos, plan } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(infos[0].max_duration_ns, Some(60 * S));
    assert_eq!(plan, shaped(Some(samples())));
}

#[test]
fn what_is_short_is_told_before_the_start() {
    let limits = Limits {
        threads: vec![(ThreadLimit::Group, 200)],
        ..Limits::default()
    };
    for (mission, of_config_s, declared_s, expected) in [
        (Mission::Run, None, None, 0),
        (Mission::Run, None, Some(10), 0),
        (Mission::Run, None, Some(60), 1),
        (Mission::Run, Some(10), Some(60), 0),
        (Mission::Run, Some(200), None, 2),
        // A rehearsal measures.
        (Mission::Check, None, Some(200), 0),
        // Whoever only plans draws his own picture.
        (Mission::Plan, None, Some(200), 0),
    ] {
        let mut plan = plan(1, Some(300));
        plan.tests[0].max_duration_ns = of_config_s.map(|s: u64| s * S);
        let mut machine = supervisor(&plan, mission, 1);
        machine.orders.limits = limits.clone();
        machine.step(Input::Message(0, hello()), BEGAN);
        let effects = machine.step(Input::Message(0, told(None, declared_s)), BEGAN);
        assert_eq!(
            notices(&effects).len(),
            expected,
            "{mission:?} {of_config_s:?} {declared_s:?}: {:?}",
            notices(&effects)
        );
        assert!(effects.iter().all(|effect| !matches!(
            effect,
            Effect::Emit(RunEvent::Notice { severity, .. }) if *severity != Severity::Warning
        )));
    }
}

#[test]
fn a_rehearsal_tells_what_would_be_short_at_the_measured_duration() {
    for (measured_s, expected) in [(99, 0), (110, 1)] {
        let plan = plan(1, Some(300));
        let mut machine = supervisor(&plan, Mission::Check, 1);
        for message in [hello(), told(None, Some(1)), FromWorker::Prepared(vec![None])] {
            machine.step(Input::Message(0, message), BEGAN);
        }
        let mut measures = Measures {
            passed: 1,
            ..Measures::default()
        };
        measures.setup.record(S);
        measures.service_time.record(measured_s * S);
        measures.teardown.record(2 * S);
        let rehearsed = FromWorker::Rehearsed(Rehearsed {
            test: 0,
            measures: Box::new(measures),
        });
        let effects = machine.step(Input::Message(0, rehearsed), BEGAN);
        let texts = notices(&effects);
        assert_eq!(texts.len(), expected, "{texts:?}");
        for text in texts {
            // Within what a histogram of three digits tells of a maximum: it is exact.
            assert!(
                text.contains("10/s for 1m53s each, as in this rehearsal, keeps 1,130 threads"),
                "{text}"
            );
        }
    }
}

#[test]
fn the_config_may_say_how_long_an_iteration_takes() {
    let deadlines = Deadlines::default();
    for (of_config_s, declared_s, expected_s) in [(None, None, 60), (None, Some(7), 7), (Some(3), Some(7), 3)]
    {
        let mut plan = plan(1, Some(10));
        plan.tests[0].max_duration_ns = of_config_s.map(|s: u64| s * S);
        let mut machine = supervisor(&plan, Mission::Check, 1);
        for message in [hello(), told(None, declared_s), FromWorker::Prepared(vec![None])] {
            machine.step(Input::Message(0, message), BEGAN);
        }
        assert_eq!(
            machine.next_deadline_ns(),
            BEGAN + deadlines.rehearse_ns + expected_s * S
        );
    }
}

#[test]
fn the_grace_period_is_the_longest_that_a_test_has() {
    let s = |s: u64| Some(s * S);
    for (of_run, of_tests, of_config, declared, expected_s) in [
        (None, [None, None], None, None, 30),
        (None, [None, None], None, s(5), 5),
        (None, [None, None], s(8), s(5), 8),
        (s(3), [None, None], s(8), s(5), 3),
        (s(3), [s(1), None], None, None, 3),
        (s(3), [s(9), None], None, None, 9),
        (s(3), [s(1), s(2)], None, None, 2),
        (None, [s(1), s(0)], None, None, 1),
    ] {
        let mut plan = plan(2, Some(10));
        plan.graceful_stop_ns = of_run;
        for (test, graceful_stop_ns) in plan.tests.iter_mut().zip(of_tests) {
            test.graceful_stop_ns = graceful_stop_ns;
        }
        plan.tests[1].max_duration_ns = of_config;
        let mut machine = start(&plan, 1);
        machine.infos[0].max_duration_ns = declared;
        let stop = stops(&machine.step(Input::Tick, ALONE + 10 * S))[0];
        assert_eq!(
            stop.grace_ends_ns,
            ALONE + 11 * S + expected_s * S,
            "{of_run:?} {of_tests:?} {of_config:?} {declared:?}"
        );
    }
}
