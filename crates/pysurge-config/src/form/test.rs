//! One entry of `tests`, and `defaults`, which has the same keys.
//!
//! A key is added here: its field with its documentation (its entry in the JSON Schema), the line in `read` that reads it, the line in
//! `over` that takes it from `defaults`, and what `plan` makes of it; the compiler asks for all but the last.

use super::case::{class_path_of, function_of, kwargs_of};
use super::data::{DataForm, data_of};
use super::load::{length_ns, stages_of, tell_clash};
use super::rate::{rate_of, rate_or_zero_of};
use super::replay::replay_of;
use super::schema;
use super::target::{expression_of, target_of};
use super::threshold::{Judged, fitting, thresholds_of};
use super::value::{choice_of, long_span_of, range_of, small_of, span_of, text_of, texts_of, whole_of};
use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Fields, Given, Wording};
use crate::item::{Data, Item, Place};
use pysurge_core::plan::{ArrivalProcess, Replay, SpanRange, Stage, Target, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::value::Value;
use schemars::JsonSchema;

const TEST: Wording = Wording {
    whole: "this test",
    about_unknown: "; arguments of the class or function go below `kwargs`, indented",
    own_prefix: None,
    elsewhere: |key| match key {
        "workers" | "defaults" | "tests" => Some(format!(
            "it goes to the top level: put `{key}` at the beginning of a line"
        )),
        "speed" | "unit" | "columns" => {
            Some("it goes below `replay`, as in `replay: {file: arrivals.csv, speed: 2.0}`".to_owned())
        }
        "order" | "reuse" | "from" => {
            Some("it goes below `data`, as in `data: {from: users.csv, order: shuffle}`".to_owned())
        }
        "pytest_args" => Some("it goes to the top level: it counts for all tests of pytest".to_owned()),
        "jump" => Some("it goes into a stage, as in `{duration: 1m, rate: 100, jump: true}`".to_owned()),
        _ => None,
    },
};

const DEFAULTS: Wording = Wording {
    whole: "`defaults`",
    about_unknown: "; arguments of all classes go below `kwargs`, indented",
    elsewhere: |key| match key {
        "name" => Some("each test has a name of its own".to_owned()),
        key => (TEST.elsewhere)(key),
    },
    ..TEST
};

/// The most users and threads: far beyond what threads are for, and small enough to catch a slip.
const MOST: u32 = 1_000_000;

/// One test: what is run, with which arguments, and how often. It has one of `test` and `test_class`, and exactly one load: `rate`, `stages`,
/// `shape`, `replay` or `users`.
#[derive(JsonSchema, Default, Clone)]
#[schemars(rename = "Test", deny_unknown_fields, transform = schema::test)]
pub(crate) struct TestForm {
    /// What to run: a class with a `run` method, a function or a coroutine function, `package.module.name` or `path/to/file.py:name`; or tests
    /// of pytest, `tests/`, `tests/test_api.py`, `tests/test_api.py::test_upload`, each with figures of its own.
    #[schemars(schema_with = "schema::target")]
    pub(super) test: Option<Given<String>>,
    /// The dotted path of a class that derives from `TestCase`, `package.module.ClassName`. It is looked for in the current folder first.
    #[schemars(schema_with = "schema::class_path")]
    pub(super) test_class: Option<Given<String>>,
    /// Only tests of pytest whose names this expression fits, as pytest's `-k` takes it.
    #[schemars(schema_with = "schema::text")]
    pub(super) k: Option<Given<String>>,
    /// Only tests of pytest whose marks this expression fits, as pytest's `-m` takes it.
    #[schemars(schema_with = "schema::text")]
    pub(super) m: Option<Given<String>>,
    /// Keyword arguments for the class or function, any YAML. Those of `defaults` are there too, unless one of the same name is here.
    #[schemars(schema_with = "schema::kwargs")]
    pub(super) kwargs: Option<Given<Vec<(String, Value)>>>,
    /// Rows that the iterations are fed with, one each: a CSV file or JSON Lines, or a Python iterable.
    #[schemars(schema_with = "schema::data_or_source")]
    pub(super) data: Option<Given<DataForm>>,
    /// Iterations per second, over all workers together; fractions are allowed. Also per minute or hour: `3000/m`, `2/h`.
    #[schemars(schema_with = "schema::rate")]
    pub(super) rate: Option<Given<Rate>>,
    /// A rate that changes in stages: in each in a straight line, from the rate before to its own.
    #[schemars(schema_with = "schema::stages")]
    pub(super) stages: Option<Given<Vec<Stage>>>,
    /// The rate where the first stage begins. Default: 0.
    #[schemars(schema_with = "schema::rate_or_zero")]
    pub(super) start_rate: Option<Given<Rate>>,
    /// A rate by a Python function of the seconds since the start, `module.function` or `file.py:function`. It is called before the start,
    /// and not while the test runs.
    #[schemars(schema_with = "schema::function")]
    pub(super) shape: Option<Given<String>>,
    /// Recorded arrivals from a CSV file, fired as they came.
    #[schemars(schema_with = "schema::replay_or_file")]
    pub(super) replay: Option<Given<Replay>>,
    /// So many users, over all workers together, take turns with the service: an iteration of a user is planned when the one before has
    /// ended.
    #[schemars(schema_with = "schema::many")]
    pub(super) users: Option<Given<u32>>,
    /// From the start of one iteration of a user to the start of the next, at least. One span, or a range to draw from: `[1s, 3s]`.
    #[schemars(schema_with = "schema::range")]
    pub(super) pacing: Option<Given<SpanRange>>,
    /// From the end of one iteration of a user to the start of the next. One span, or a range to draw from: `[1s, 3s]`.
    #[schemars(schema_with = "schema::range")]
    pub(super) think_time: Option<Given<SpanRange>>,
    /// Over how long a time the users come in, one after the other. Default: all at once.
    #[schemars(schema_with = "schema::span")]
    pub(super) ramp_up: Option<Given<u64>>,
    /// How iterations are spread at the rate: `constant` (evenly) or `poisson` (as independent users come). Default: `constant`.
    #[schemars(schema_with = "schema::arrivals")]
    pub(super) arrivals: Option<Given<ArrivalProcess>>,
    /// The seed of random arrivals and waits: the same seed gives the same plan.
    #[schemars(schema_with = "schema::seed")]
    pub(super) seed: Option<Given<u64>>,
    /// What becomes of iterations that cannot start in time: `queue` (they start late) or `drop` (they are dropped and counted). Default:
    /// `queue`.
    #[schemars(schema_with = "schema::late")]
    pub(super) late: Option<Given<bool>>,
    /// How late an iteration may start with `late: drop`. Default: 100ms.
    #[schemars(schema_with = "schema::span")]
    pub(super) max_lateness: Option<Given<u64>>,
    /// How many iterations are planned at most, over all workers together.
    #[schemars(schema_with = "schema::iterations")]
    pub(super) iterations: Option<Given<u64>>,
    /// How long iterations are planned, from the start of this test on. Default: as long as the run.
    #[schemars(schema_with = "schema::long_span")]
    pub(super) duration: Option<Given<u64>>,
    /// How long after the start of the run this test starts. Default: 0s.
    #[schemars(schema_with = "schema::span")]
    pub(super) start_delay: Option<Given<u64>>,
    /// Iterations planned in so long a time from the start of this test on are left out of all results. Default: 0s.
    #[schemars(schema_with = "schema::span")]
    pub(super) warmup: Option<Given<u64>>,
    /// How long one iteration may take: sizes the pool of threads. Default: what the class says.
    #[schemars(schema_with = "schema::long_span")]
    pub(super) max_duration: Option<Given<u64>>,
    /// The most threads, over all workers together.
    #[schemars(schema_with = "schema::many")]
    pub(super) max_threads: Option<Given<u32>>,
    /// How long running iterations may go on after the stop. Default: that of the run.
    #[schemars(schema_with = "schema::span")]
    pub(super) graceful_stop: Option<Given<u64>>,
    /// What this test must keep to, `response_time.p95 < 250ms`: the run fails where one does not hold.
    #[schemars(schema_with = "schema::thresholds")]
    pub(super) thresholds: Option<Given<Vec<Judged>>>,
    /// What this test is called.
    #[schemars(schema_with = "schema::text")]
    pub(super) name: Option<Given<String>>,
    /// By which tests are chosen (`--tag`, `--only`, `--exclude`). The tags of the run are added.
    #[schemars(schema_with = "schema::tags")]
    pub(super) tags: Option<Given<Vec<String>>>,
}

/// What the run says for a test that does not say it itself.
pub(super) struct Inherited<'a> {
    /// `None` where they are wrong as a whole, so that nobody knows what is missing.
    pub(super) defaults: Option<&'a TestForm>,
    pub(super) arrivals: Option<ArrivalProcess>,
    pub(super) seed: Option<u64>,
    pub(super) tags: &'a [String],
    /// Which of the tests it is, in the file.
    pub(super) position: usize,
}

pub(super) fn arrivals_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<ArrivalProcess> {
    let choices = [
        ("constant", ArrivalProcess::Constant),
        ("poisson", ArrivalProcess::Poisson),
    ];
    choice_of(field, &choices, diagnostics)
}

pub(super) fn seed_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<u64> {
    whole_of(field, &(0..=u64::MAX), diagnostics)
}

pub(super) fn duration_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<u64> {
    long_span_of(field, "to run until Ctrl+C, leave it out", diagnostics)
}

pub(super) fn tags_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<String>> {
    texts_of(
        field,
        "write a list of strings, such as `tags: [smoke, upload]`",
        diagnostics,
    )
}

pub(super) fn name_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    text_of(field, "write a string, such as `name: uploads`", diagnostics)
}

impl TestForm {
    /// The plan of one entry of `tests`; `None` where errors were told.
    pub(super) fn plan_of(
        entry: &Field<'_>,
        inherited: &Inherited<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<TestPlan> {
        let Some(mut fields) = Fields::of(entry.item, &entry.path, &TEST) else {
            if !matches!(entry.item.data, Data::Broken) {
                diagnostics.push(
                    entry
                        .error(format!("a test must be a mapping, this is {}", entry.item.kind()))
                        .hint("write\n- test_class: package.module.ClassName\n  rate: 10"),
                );
            }
            return None;
        };
        let form = Self::read(&mut fields, diagnostics);
        let name = fields.read("name", diagnostics, name_of);
        let meant = fields.finish(diagnostics);
        let form = Self { name, ..form };
        let form = form.over(inherited.defaults?);
        let place = (entry.item.place.clone(), entry.path.clone());
        form.plan(&place, &meant, inherited, diagnostics)
    }

    /// Reads `defaults`.
    pub(super) fn defaults_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        if field.item.is_null() {
            return Some(Self::default());
        }
        let Some(mut fields) = Fields::of(field.item, &field.path, &DEFAULTS) else {
            field.tell_kind("a mapping", "write\ndefaults:\n  rate: 10", diagnostics);
            return None;
        };
        let form = Self::read(&mut fields, diagnostics);
        fields.finish(diagnostics);
        form.check_targets(diagnostics);
        form.check_clashes(diagnostics);
        Some(form)
    }

    /// The keys of a test, `name` included.
    pub(super) fn is_key(key: &str) -> bool {
        let nothing = Item {
            place: Place::Unknown,
            data: Data::Map(Vec::new()),
        };
        Fields::of(&nothing, "", &TEST).is_some_and(|mut fields| {
            Self::read(&mut fields, &mut Vec::new());
            fields.optional("name");
            fields.asked().contains(&key)
        })
    }

    /// Reads all keys that `defaults` may have too.
    fn read(fields: &mut Fields<'_>, diagnostics: &mut Vec<Diagnostic>) -> Self {
        Self {
            test: fields.read("test", diagnostics, target_of),
            test_class: fields.read("test_class", diagnostics, class_path_of),
            k: fields.read("k", diagnostics, expression_of),
            m: fields.read("m", diagnostics, expression_of),
            kwargs: fields.read("kwargs", diagnostics, kwargs_of),
            data: fields.read("data", diagnostics, data_of),
            rate: fields.read("rate", diagnostics, rate_of),
            stages: fields.read("stages", diagnostics, stages_of),
            start_rate: fields.read("start_rate", diagnostics, rate_or_zero_of),
            shape: fields.read("shape", diagnostics, function_of),
            replay: fields.read("replay", diagnostics, replay_of),
            users: fields.read("users", diagnostics, |field, diagnostics| {
                small_of(field, MOST, diagnostics)
            }),
            pacing: fields.read("pacing", diagnostics, range_of),
            think_time: fields.read("think_time", diagnostics, range_of),
            ramp_up: fields.read("ramp_up", diagnostics, span_of),
            arrivals: fields.read("arrivals", diagnostics, arrivals_of),
            seed: fields.read("seed", diagnostics, seed_of),
            late: fields.read("late", diagnostics, |field, diagnostics| {
                choice_of(field, &[("queue", false), ("drop", true)], diagnostics)
            }),
            max_lateness: fields.read("max_lateness", diagnostics, span_of),
            iterations: fields.read("iterations", diagnostics, |field, diagnostics| {
                whole_of(field, &(1..=i64::MAX.unsigned_abs()), diagnostics)
            }),
            duration: fields.read("duration", diagnostics, duration_of),
            start_delay: fields.read("start_delay", diagnostics, span_of),
            warmup: fields.read("warmup", diagnostics, span_of),
            max_duration: fields.read("max_duration", diagnostics, |field, diagnostics| {
                long_span_of(field, "leave it out, and the class says it", diagnostics)
            }),
            max_threads: fields.read("max_threads", diagnostics, |field, diagnostics| {
                small_of(field, MOST, diagnostics)
            }),
            graceful_stop: fields.read("graceful_stop", diagnostics, span_of),
            thresholds: fields.read("thresholds", diagnostics, thresholds_of),
            tags: fields.read("tags", diagnostics, tags_of),
            name: None,
        }
    }

    /// This test with what `defaults` says where it says nothing itself. Of the loads it takes none where it has one, and then only
    /// what goes with its own.
    fn over(self, defaults: &Self) -> Self {
        fn or<T: Clone>(own: Option<Given<T>>, default: Option<&Given<T>>) -> Option<Given<T>> {
            own.or_else(|| {
                default.cloned().map(|given| Given {
                    inherited: true,
                    ..given
                })
            })
        }
        let load = self.loads().is_empty().then_some(defaults);
        let staged = load.or(self.stages.is_some().then_some(defaults));
        let closed = load.or(self.users.is_some().then_some(defaults));
        let wait = closed.filter(|_| self.pacing.is_none() && self.think_time.is_none());
        let target = (self.test.is_none() && self.test_class.is_none()).then_some(defaults);
        Self {
            test: or(self.test, target.and_then(|target| target.test.as_ref())),
            test_class: or(
                self.test_class,
                target.and_then(|target| target.test_class.as_ref()),
            ),
            k: or(self.k, defaults.k.as_ref()),
            m: or(self.m, defaults.m.as_ref()),
            kwargs: merged(self.kwargs, defaults.kwargs.as_ref()),
            data: or(self.data, defaults.data.as_ref()),
            rate: or(self.rate, load.and_then(|load| load.rate.as_ref())),
            stages: or(self.stages, load.and_then(|load| load.stages.as_ref())),
            start_rate: or(
                self.start_rate,
                staged.and_then(|staged| staged.start_rate.as_ref()),
            ),
            shape: or(self.shape, load.and_then(|load| load.shape.as_ref())),
            replay: or(self.replay, load.and_then(|load| load.replay.as_ref())),
            users: or(self.users, load.and_then(|load| load.users.as_ref())),
            pacing: or(self.pacing, wait.and_then(|wait| wait.pacing.as_ref())),
            think_time: or(self.think_time, wait.and_then(|wait| wait.think_time.as_ref())),
            ramp_up: or(self.ramp_up, closed.and_then(|closed| closed.ramp_up.as_ref())),
            arrivals: or(self.arrivals, defaults.arrivals.as_ref()),
            seed: or(self.seed, defaults.seed.as_ref()),
            late: or(self.late, defaults.late.as_ref()),
            max_lateness: or(self.max_lateness, defaults.max_lateness.as_ref()),
            iterations: or(self.iterations, defaults.iterations.as_ref()),
            duration: or(self.duration, defaults.duration.as_ref()),
            start_delay: or(self.start_delay, defaults.start_delay.as_ref()),
            warmup: or(self.warmup, defaults.warmup.as_ref()),
            max_duration: or(self.max_duration, defaults.max_duration.as_ref()),
            max_threads: or(self.max_threads, defaults.max_threads.as_ref()),
            graceful_stop: or(self.graceful_stop, defaults.graceful_stop.as_ref()),
            thresholds: or(self.thresholds, defaults.thresholds.as_ref()),
            name: self.name,
            tags: or(self.tags, defaults.tags.as_ref()),
        }
    }

    fn plan(
        self,
        test: &(Place, String),
        meant: &[&'static str],
        inherited: &Inherited<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<TestPlan> {
        self.check_targets(diagnostics);
        let target = self.target(test, inherited, meant, diagnostics);
        let kind = self.only_load(test, meant, diagnostics);
        self.check_warmup(diagnostics);
        let model = kind.and_then(|kind| self.model(kind, inherited, diagnostics))?;
        let data_seed = self.data_seed(kind, inherited);
        let mut tags = inherited.tags.to_vec();
        for tag in or_default(self.tags)? {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        let inherited = self.thresholds.as_ref().is_some_and(|given| given.inherited);
        let thresholds = fitting(or_default(self.thresholds)?, &[&model], inherited, diagnostics);
        let target = target?;
        let kwargs = match &target {
            // Those of `defaults` are for others.
            Target::Pytest(_) => Vec::new(),
            Target::Class(_) | Target::Object(_) => or_default(self.kwargs)?,
        };
        Some(TestPlan {
            thresholds,
            name: optional(self.name)?,
            tags,
            kwargs,
            data: optional(self.data)?.map(|data| data.with_seed(data_seed)),
            start_delay_ns: or_default(self.start_delay)?,
            warmup_ns: or_default(self.warmup)?,
            duration_ns: optional(self.duration)?,
            iterations: optional(self.iterations)?,
            max_duration_ns: optional(self.max_duration)?,
            max_threads: optional(self.max_threads)?,
            graceful_stop_ns: optional(self.graceful_stop)?,
            ..TestPlan::of(target, model)
        })
    }

    /// Tells of keys that exclude each other; the same in a test and in `defaults`.
    fn check_targets(&self, diagnostics: &mut Vec<Diagnostic>) {
        let targets = [self.test.as_ref(), self.test_class.as_ref()];
        let targets = targets.into_iter().flatten().map(Given::bare).collect();
        tell_clash(targets, "a test runs one thing", diagnostics);
    }

    /// A warm-up that leaves nothing of the test's own length. The run's duration is looked at later: the command line may give another.
    fn check_warmup(&self, diagnostics: &mut Vec<Diagnostic>) {
        let Some((warmup, warmup_ns)) = with_value(self.warmup.as_ref()) else {
            return;
        };
        let duration = with_value(self.duration.as_ref()).map(|(given, &length)| (given.bare(), length));
        let stages =
            with_value(self.stages.as_ref()).map(|(given, stages)| (given.bare(), length_ns(stages)));
        let shortest = [duration, stages]
            .into_iter()
            .flatten()
            .min_by_key(|(_, length_ns)| *length_ns);
        if let Some((length, length_ns)) = shortest
            && *warmup_ns >= length_ns
        {
            let title = "`warmup` is not shorter than the test: nothing would be measured";
            let error = warmup.error(title).related(length.place.span(), "ends the test");
            diagnostics.push(error.hint("make the test longer, or the warm-up shorter"));
        }
    }
}

/// The kwargs of `defaults`, those of the test put over them key by key, in the order of a dict.
fn merged(
    own: Option<Given<Vec<(String, Value)>>>,
    default: Option<&Given<Vec<(String, Value)>>>,
) -> Option<Given<Vec<(String, Value)>>> {
    let (Some(own), Some(default)) = (&own, default) else {
        let inherited = |default: &Given<_>| Given {
            inherited: true,
            ..default.clone()
        };
        return own.or_else(|| default.map(inherited));
    };
    let together = |own: &Vec<(String, Value)>| {
        let mut kwargs = default.value.clone()?;
        for (name, value) in own {
            match kwargs.iter_mut().find(|(other, _)| other == name) {
                Some((_, old)) => *old = value.clone(),
                None => kwargs.push((name.clone(), value.clone())),
            }
        }
        Some(kwargs)
    };
    Some(Given {
        value: own.value.as_ref().and_then(together),
        ..own.clone()
    })
}

fn with_value<T>(given: Option<&Given<T>>) -> Option<(&Given<T>, &T)> {
    let given = given?;
    given.value.as_ref().map(|value| (given, value))
}

/// What a key says, or the default where it is not there; `None` where it is wrong.
fn or_default<T: Default>(given: Option<Given<T>>) -> Option<T> {
    optional(given).map(Option::unwrap_or_default)
}

/// What a key says, where it is there; `None` where it is wrong.
#[expect(
    clippy::option_option,
    reason = "there, not there and wrong: a `?` takes the wrong one away"
)]
pub(super) fn optional<T>(given: Option<Given<T>>) -> Option<Option<T>> {
    match given {
        Some(given) => given.value.map(Some),
        None => Some(None),
    }
}
