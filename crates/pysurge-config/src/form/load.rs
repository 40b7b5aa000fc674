//! The load of a test: exactly one of `rate`, `stages`, `shape`, `replay` and `users`, and the keys that go with some of them.

use super::rate::rate_or_zero_of;
use super::schema;
use super::test::{Inherited, TestForm};
use super::value::{MAX_SPAN_DAYS, MAX_SPAN_NS, bool_of, long_span_of};
use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Fields, Given, Wording};
use crate::item::{Data, Place};
use pysurge_core::plan::{
    ArrivalProcess, ClosedModel, DEFAULT_MAX_LATENESS_NS, DEFAULT_SEED, LatePolicy, Model, OpenModel, Shape,
    Source, Stage, Wait,
};
use pysurge_core::rate::Rate;
use schemars::JsonSchema;

const STAGE: Wording = Wording {
    whole: "this stage",
    about_unknown: "",
    own_prefix: None,
    elsewhere: |key| {
        (key == "target").then(|| "the rate that is reached at its end is called `rate`".to_owned())
    },
};

const STAGES_HINT: &str = "write\nstages:\n- {duration: 1m, rate: 100}";

/// One piece of a load profile: a straight line from the rate before to its own.
#[derive(JsonSchema)]
#[schemars(rename = "Stage", deny_unknown_fields, transform = schema::stage)]
pub(super) struct StageForm {
    /// How long it is.
    #[schemars(schema_with = "schema::long_span")]
    duration: Option<u64>,
    /// The rate reached at its end.
    #[schemars(schema_with = "schema::rate_or_zero")]
    rate: Option<Rate>,
    /// Whether that rate holds from the beginning on, instead of being reached in a straight line. Default: false.
    #[schemars(schema_with = "schema::boolean")]
    jump: Option<bool>,
}

pub(super) fn stages_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<Stage>> {
    let Data::List(items) = &field.item.data else {
        field.tell_kind("a list", STAGES_HINT, diagnostics);
        return None;
    };
    if items.is_empty() {
        diagnostics.push(field.error("`stages` is empty").hint(STAGES_HINT));
        return None;
    }
    let mut stages = Vec::with_capacity(items.len());
    for entry in field.entries(items) {
        stages.extend(stage_of(&entry, diagnostics));
    }
    if length_ns(&stages) > MAX_SPAN_NS {
        diagnostics.push(field.error(format!("`stages` must be at most {MAX_SPAN_DAYS}d long together")));
        return None;
    }
    (stages.len() == items.len()).then_some(stages)
}

fn stage_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Stage> {
    const JUMP_HINT: &str = "for a step, write `jump: true` in the stage that holds the new rate";
    let Some(mut fields) = Fields::of(field.item, &field.path, &STAGE) else {
        if !matches!(field.item.data, Data::Broken) {
            let title = format!("a stage must be a mapping, this is {}", field.item.kind());
            diagnostics.push(field.error(title).hint(STAGES_HINT));
        }
        return None;
    };
    let duration = fields.required("duration", "duration: 1m");
    let rate = fields.required("rate", "rate: 100");
    let form = StageForm {
        duration: duration.and_then(|field| long_span_of(&field, JUMP_HINT, diagnostics)),
        rate: rate.and_then(|field| rate_or_zero_of(&field, diagnostics)),
        jump: match fields.read("jump", diagnostics, bool_of) {
            Some(jump) => jump.value,
            None => Some(false),
        },
    };
    fields.finish(diagnostics);
    Some(Stage {
        duration_ns: form.duration?,
        rate: form.rate?,
        jump: form.jump?,
    })
}

/// How long stages are together.
pub(super) fn length_ns(stages: &[Stage]) -> u64 {
    stages
        .iter()
        .map(|stage| stage.duration_ns)
        .fold(0, u64::saturating_add)
}

/// What gives a test its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rate,
    Stages,
    Shape,
    Replay,
    Users,
}

const SCHEDULED: &[Kind] = &[Kind::Rate, Kind::Stages, Kind::Shape];
const OPEN: &[Kind] = &[Kind::Rate, Kind::Stages, Kind::Shape, Kind::Replay];
const SEEDED: &[Kind] = &[Kind::Rate, Kind::Stages, Kind::Shape, Kind::Users];

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Stages => "stages",
            Self::Shape => "shape",
            Self::Replay => "replay",
            Self::Users => "users",
        }
    }

    /// Why some keys do not go with it.
    fn reason(self) -> &'static str {
        match self {
            Self::Rate | Self::Stages | Self::Shape => "the rate says when iterations start",
            Self::Replay => "the recording says when iterations start",
            Self::Users => "a user's next iteration is planned when the one before has ended",
        }
    }
}

impl TestForm {
    /// The loads that are given.
    pub(super) fn loads(&self) -> Vec<(Kind, Given<()>)> {
        [
            (Kind::Rate, self.rate.as_ref().map(Given::bare)),
            (Kind::Stages, self.stages.as_ref().map(Given::bare)),
            (Kind::Shape, self.shape.as_ref().map(Given::bare)),
            (Kind::Replay, self.replay.as_ref().map(Given::bare)),
            (Kind::Users, self.users.as_ref().map(Given::bare)),
        ]
        .into_iter()
        .filter_map(|(kind, given)| Some((kind, given?)))
        .collect()
    }

    /// The keys that go with some loads only, and those loads.
    fn companions(&self) -> Vec<(Given<()>, &'static [Kind])> {
        [
            (self.start_rate.as_ref().map(Given::bare), &[Kind::Stages][..]),
            (self.arrivals.as_ref().map(Given::bare), SCHEDULED),
            (self.seed.as_ref().map(Given::bare), SEEDED),
            (self.pacing.as_ref().map(Given::bare), &[Kind::Users]),
            (self.think_time.as_ref().map(Given::bare), &[Kind::Users]),
            (self.ramp_up.as_ref().map(Given::bare), &[Kind::Users]),
            (self.late.as_ref().map(Given::bare), OPEN),
            (self.max_lateness.as_ref().map(Given::bare), OPEN),
        ]
        .into_iter()
        .filter_map(|(given, kinds)| Some((given?, kinds)))
        .collect()
    }

    /// Tells of keys that exclude each other; the same in a test and in `defaults`.
    pub(super) fn check_clashes(&self, diagnostics: &mut Vec<Diagnostic>) {
        let loads = self.loads().into_iter().map(|(_, given)| given).collect();
        tell_clash(loads, "a test has one load", diagnostics);
        let waits = [&self.pacing, &self.think_time];
        let waits = waits.into_iter().flatten().map(Given::bare).collect();
        tell_clash(waits, "a user waits in one way", diagnostics);
    }

    /// The one load; `None` where there is none or more than one, which is told. `meant` are keys that unknown ones were meant for.
    pub(super) fn only_load(
        &self,
        test: &(Place, String),
        meant: &[&'static str],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Kind> {
        self.check_clashes(diagnostics);
        let loads = self.loads();
        let companions = self.companions();
        let own = || companions.iter().filter(|(given, _)| !given.inherited);
        match loads.as_slice() {
            [(kind, load)] => {
                for (given, kinds) in own().filter(|(_, kinds)| !kinds.contains(kind)) {
                    let title = format!("`{}` does not go with `{}`", given.name, kind.key());
                    let error = given
                        .error(title)
                        .related(load.place.span(), "the load of this test");
                    diagnostics.push(error.hint(misfit_hint(*kind, &given.name, kinds)));
                }
                Some(*kind)
            }
            [] => {
                let keys = [Kind::Rate, Kind::Stages, Kind::Shape, Kind::Replay, Kind::Users].map(Kind::key);
                if keys.iter().any(|key| meant.contains(key)) {
                    return None;
                }
                let (place, path) = test;
                let error = Diagnostic::error("this test has no load").at(place.clone(), path);
                diagnostics.push(match own().find(|(_, kinds)| kinds.len() == 1) {
                    Some((given, [Kind::Users])) => {
                        error.hint(format!("add `users: 20`, which `{}` goes with", given.name))
                    }
                    Some((given, _)) => error.hint(format!("add `stages`, which `{}` goes with", given.name)),
                    None => error.hint("add `rate: 10`, or one of `stages`, `shape`, `replay` and `users`"),
                });
                None
            }
            _ => None,
        }
    }

    /// The model, where all its keys are right.
    pub(super) fn model(
        &self,
        kind: Kind,
        inherited: &Inherited<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Model> {
        let seed = self.seed_at(inherited);
        if kind == Kind::Users {
            return self.closed(seed?);
        }
        let late = self.late_policy(diagnostics);
        let process = match &self.arrivals {
            Some(arrivals) => arrivals.value,
            None => Some(inherited.arrivals.unwrap_or(ArrivalProcess::Constant)),
        };
        let source = match kind {
            Kind::Rate => self.rate.as_ref()?.value.map(Source::Rate),
            Kind::Stages => self.stages_source(diagnostics),
            Kind::Shape => self.shape.as_ref()?.value.clone().map(|function| {
                Source::Shape(Shape {
                    function,
                    samples: None,
                })
            }),
            Kind::Replay => {
                let replay = self.replay.as_ref()?.value.clone();
                return Some(Model::Open(OpenModel {
                    source: Source::Replay(replay?),
                    // A recording has its own arrivals; so that equal configs give equal plans, nothing else shows here.
                    process: ArrivalProcess::Constant,
                    seed: DEFAULT_SEED,
                    late: late?,
                }));
            }
            Kind::Users => None,
        };
        Some(Model::Open(OpenModel {
            source: source?,
            process: process?,
            seed: seed?,
            late: late?,
        }))
    }

    /// The seed of the test's own; one that several tests share is moved by the test's position, so that no two of them get the same
    /// arrivals.
    fn seed_at(&self, inherited: &Inherited<'_>) -> Option<u64> {
        let shared = match &self.seed {
            Some(seed) if !seed.inherited => return seed.value,
            Some(seed) => seed.value?,
            None => inherited.seed.unwrap_or(DEFAULT_SEED),
        };
        Some(shared.wrapping_add(inherited.position as u64))
    }

    /// The seed of the order of rows, where `data` has none: that of the test. A recording has none, and its test may move about.
    pub(super) fn data_seed(&self, kind: Option<Kind>, inherited: &Inherited<'_>) -> u64 {
        match kind {
            Some(Kind::Replay) => inherited.seed.unwrap_or(DEFAULT_SEED),
            // Where the seed is wrong, that was told.
            _ => self.seed_at(inherited).unwrap_or(DEFAULT_SEED),
        }
    }

    fn closed(&self, seed: u64) -> Option<Model> {
        let wait = match (&self.pacing, &self.think_time) {
            (None, None) => Wait::None,
            (Some(pacing), None) => Wait::Pacing(pacing.value?),
            (None, Some(think_time)) => Wait::ThinkTime(think_time.value?),
            (Some(_), Some(_)) => return None,
        };
        Some(Model::Closed(ClosedModel {
            users: self.users.as_ref()?.value?,
            wait,
            ramp_up_ns: match &self.ramp_up {
                Some(ramp_up) => ramp_up.value?,
                None => 0,
            },
            seed,
        }))
    }

    fn late_policy(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<LatePolicy> {
        let drops = match &self.late {
            Some(late) => late.value?,
            None => false,
        };
        match &self.max_lateness {
            Some(max_lateness) if drops => Some(LatePolicy::Drop {
                max_lateness_ns: max_lateness.value?,
            }),
            Some(max_lateness) if !max_lateness.inherited => {
                let error = max_lateness.error("`max_lateness` goes with `late: drop`");
                diagnostics.push(error.hint("add `late: drop`; with `late: queue` nothing is dropped"));
                None
            }
            _ if drops => Some(LatePolicy::Drop {
                max_lateness_ns: DEFAULT_MAX_LATENESS_NS,
            }),
            _ => Some(LatePolicy::Queue),
        }
    }

    fn stages_source(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<Source> {
        let given = self.stages.as_ref()?;
        let start_rate = match &self.start_rate {
            Some(start_rate) => start_rate.value,
            None => Some(Rate::ZERO),
        };
        let (stages, start_rate) = (given.value.clone()?, start_rate?);
        let falls = start_rate != Rate::ZERO && !stages[0].jump;
        if stages.iter().all(|stage| stage.rate == Rate::ZERO) && !falls {
            let error = given.error("`stages` has no rate above 0: nothing would be run");
            diagnostics.push(error.hint("write the rate that is reached at the end of each stage"));
            return None;
        }
        Some(Source::Stages { start_rate, stages })
    }
}

fn misfit_hint(kind: Kind, name: &str, kinds: &[Kind]) -> String {
    let instead = match kinds {
        [only] => format!(", or give `{}` instead of `{}`", only.key(), kind.key()),
        _ => String::new(),
    };
    format!("{}: remove `{name}`{instead}", kind.reason())
}

/// Tells that only one of these may be there, at the last of them.
pub(super) fn tell_clash(mut given: Vec<Given<()>>, rule: &str, diagnostics: &mut Vec<Diagnostic>) {
    given.sort_by_key(|given| match &given.place {
        Place::Unknown => 0,
        Place::File(span) => span.start,
        Place::Flag(_) => usize::MAX,
    });
    let [before @ .., last] = given.as_slice() else {
        return;
    };
    let Some(first) = before.first() else {
        return;
    };
    let names: Vec<String> = before.iter().map(|given| format!("`{}`", given.name)).collect();
    let title = format!("{rule}, here are {} and `{}`", names.join(", "), last.name);
    let error = last.error(title).related(first.place.span(), "the first one");
    diagnostics.push(error.hint("keep one of them"));
}
