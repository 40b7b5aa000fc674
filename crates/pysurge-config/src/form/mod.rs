//! The form of a config file: its keys, what each may hold, and how a plan is made of it.
//!
//! This is the one place that a new key is added to: a field with its documentation (which is its entry in the JSON
//! Schema), and the line in `read` that reads it; the compiler asks for both. The keys of a test are in `test`.

mod case;
mod data;
mod load;
mod rate;
mod replay;
mod schema;
mod target;
mod test;
mod threshold;
mod value;

use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Fields, Given, Wording};
use crate::item::{Data, Item};
use crate::resolve::MAX_EXPANDED_BYTES;
use pysurge_core::plan::{ArrivalProcess, Model, Plan, TestPlan};
use schemars::JsonSchema;
use test::{Inherited, TestForm, arrivals_of, duration_of, name_of, optional, seed_of, tags_of};
use threshold::{Judged, fitting, thresholds_of};
use value::{arguments_of, small_of, span_of};

const CONFIG: Wording = Wording {
    whole: "the config",
    about_unknown: "; a key of your own, for anchors, starts with `x-`",
    own_prefix: Some("x-"),
    elsewhere: |key| {
        // `test:` at the top is rather `tests:`.
        (key != "test" && TestForm::is_key(key))
            .then(|| format!("put `{key}` below `defaults:`, where it counts for all tests, or into a test"))
    },
};

const EXAMPLE_TESTS: &str = "tests:\n- test_class: package.module.ClassName\n  rate: 10";

/// The most workers: more processes than any one machine runs with profit.
const MAX_WORKERS: u32 = 1_024;

/// What pysurge runs: a list of tests, each with its load.
///
/// In values, `${NAME}` stands for an environment variable and `${NAME:-default}` gives it a default; `$${` is a literal `${`.
/// Keys that start with `x-` are not read: they may hold anchors.
#[derive(JsonSchema)]
#[schemars(
    title = "pysurge config",
    deny_unknown_fields,
    extend("patternProperties" = { "^x-": {} }),
    transform = schema::config
)]
pub(crate) struct ConfigForm {
    /// What the run is called in its folder and its report. Default: the name of the file.
    #[schemars(schema_with = "schema::text")]
    name: Option<Given<String>>,
    /// Tags of the run; every test has them too.
    #[schemars(schema_with = "schema::tags")]
    tags: Option<Given<Vec<String>>>,
    /// How long iterations are planned. Default: as long as the tests say, else until Ctrl+C.
    #[schemars(schema_with = "schema::long_span")]
    duration: Option<Given<u64>>,
    /// How many worker processes. Default: one per CPU.
    #[schemars(schema_with = "schema::workers")]
    workers: Option<Given<u32>>,
    /// How iterations are spread at a rate, where a test does not say: `constant` (evenly) or `poisson` (as independent users come).
    #[schemars(schema_with = "schema::arrivals")]
    arrivals: Option<Given<ArrivalProcess>>,
    /// The seed of random arrivals and waits; each test's position is added. The same seed gives the same plan. Default: 0.
    #[schemars(schema_with = "schema::seed")]
    seed: Option<Given<u64>>,
    /// How long running iterations may go on after the stop. Default: the longest `max_duration` that a class declares, else 30s.
    #[schemars(schema_with = "schema::span")]
    graceful_stop: Option<Given<u64>>,
    /// What all tests together must keep to, `response_time.p95 < 250ms`: the run fails where one does not hold.
    #[schemars(schema_with = "schema::thresholds")]
    thresholds: Option<Given<Vec<Judged>>>,
    /// Options for pytest, beside those of its own config: for all tests of pytest.
    #[schemars(schema_with = "schema::texts")]
    pytest_args: Option<Given<Vec<String>>>,
    /// Keys of every test that does not have them itself.
    #[schemars(schema_with = "schema::defaults")]
    defaults: Option<Given<TestForm>>,
    /// What to run, at least one. The same class may stand in several tests, with other kwargs.
    #[schemars(schema_with = "schema::tests")]
    tests: Option<Vec<TestPlan>>,
}

impl ConfigForm {
    /// Reads a whole config; `None` where errors were told. The plan is called `name` where the config does not say otherwise.
    pub(crate) fn plan(item: &Item, name: String, diagnostics: &mut Vec<Diagnostic>) -> Option<Plan> {
        if item.is_null() {
            let error = Diagnostic::error("the config is empty");
            diagnostics.push(error.hint(format!("write\n{EXAMPLE_TESTS}")));
            return None;
        }
        let Some(mut fields) = Fields::of(item, "", &CONFIG) else {
            if !matches!(item.data, Data::Broken) {
                let title = format!("the config is {} where a mapping must be", item.kind());
                let hint = match &item.data {
                    Data::List(_) => "put the list under a key `tests:`".to_owned(),
                    _ => format!("write\n{EXAMPLE_TESTS}"),
                };
                diagnostics.push(Diagnostic::error(title).at(item.place.clone(), "").hint(hint));
            }
            return None;
        };
        let form = Self::read(&mut fields, diagnostics);
        fields.finish(diagnostics);
        let tests = form.tests?;
        let loads: Vec<&Model> = tests.iter().map(|test| &test.model).collect();
        let thresholds = optional(form.thresholds)?.unwrap_or_default();
        let thresholds = fitting(thresholds, &loads, false, diagnostics);
        Some(Plan {
            name: optional(form.name)?.unwrap_or(name),
            tags: optional(form.tags)?.unwrap_or_default(),
            duration_ns: optional(form.duration)?,
            workers: optional(form.workers)?,
            graceful_stop_ns: optional(form.graceful_stop)?,
            tests,
            thresholds,
            pytest_args: optional(form.pytest_args)?.unwrap_or_default(),
        })
    }

    fn read(fields: &mut Fields<'_>, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut form = Self {
            name: fields.read("name", diagnostics, name_of),
            tags: fields.read("tags", diagnostics, tags_of),
            duration: fields.read("duration", diagnostics, duration_of),
            workers: fields.read("workers", diagnostics, |field, diagnostics| {
                small_of(field, MAX_WORKERS, diagnostics)
            }),
            arrivals: fields.read("arrivals", diagnostics, arrivals_of),
            seed: fields.read("seed", diagnostics, seed_of),
            graceful_stop: fields.read("graceful_stop", diagnostics, span_of),
            thresholds: fields.read("thresholds", diagnostics, thresholds_of),
            pytest_args: fields.read("pytest_args", diagnostics, arguments_of),
            defaults: None,
            tests: None,
        };
        let mut defaults_bytes = 0;
        form.defaults = fields.read("defaults", diagnostics, |field, diagnostics| {
            defaults_bytes = field.item.size_bytes();
            TestForm::defaults_of(field, diagnostics)
        });
        let tests = fields.required("tests", EXAMPLE_TESTS);
        form.tests = tests.and_then(|field| form.tests_of(&field, defaults_bytes, diagnostics));
        form
    }

    fn tests_of(
        &self,
        field: &Field<'_>,
        defaults_bytes: usize,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Vec<TestPlan>> {
        let example = format!("write\n{EXAMPLE_TESTS}");
        let items = match &field.item.data {
            Data::List(items) => items,
            Data::Broken => return None,
            _ => {
                let error = if field.item.is_null() {
                    field.error("`tests` is empty")
                } else {
                    field.error(format!("`tests` must be a list, this is {}", field.item.kind()))
                };
                diagnostics.push(error.hint(match &field.item.data {
                    Data::Map(_) => "start each test with `- `, as in\n".to_owned() + EXAMPLE_TESTS,
                    _ => example,
                }));
                return None;
            }
        };
        if items.is_empty() {
            diagnostics.push(field.error("`tests` is empty").hint(example));
            return None;
        }
        if let Some(defaults) = &self.defaults
            && defaults.value.is_some()
            && defaults_bytes.saturating_mul(items.len()) > MAX_EXPANDED_BYTES
        {
            let title = format!("the config expands to more than {} MiB", MAX_EXPANDED_BYTES >> 20);
            diagnostics.push(
                defaults
                    .error(title)
                    .hint("`defaults` counts for each test: make it smaller"),
            );
            return None;
        }
        let nothing = TestForm::default();
        let mut tests = Vec::with_capacity(items.len());
        for (position, entry) in field.entries(items).enumerate() {
            let inherited = Inherited {
                defaults: self
                    .defaults
                    .as_ref()
                    .map_or(Some(&nothing), |defaults| defaults.value.as_ref()),
                arrivals: value_of(self.arrivals.as_ref()).copied(),
                seed: value_of(self.seed.as_ref()).copied(),
                tags: value_of(self.tags.as_ref()).map_or(&[], Vec::as_slice),
                position,
            };
            tests.extend(TestForm::plan_of(&entry, &inherited, diagnostics));
        }
        (tests.len() == items.len()).then_some(tests)
    }
}

fn value_of<T>(given: Option<&Given<T>>) -> Option<&T> {
    given?.value.as_ref()
}
