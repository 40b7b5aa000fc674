//! Tests of pytest: collected once before a run, and opened in each worker by their node ids.

use crate::host::problem;
use pyo3::prelude::*;
use pysurge_core::plan::{PytestItem, Target};
use pysurge_core::rate::Rate;
use pysurge_core::wire::{CollectedItem, Load, LoadError, LoadFault};

/// What the Python half says of a test that it collected: `pysurge._items.CollectedItem`.
#[derive(FromPyObject)]
struct Collected {
    node_id: String,
    file: String,
    rootdir: String,
    inifile: Option<String>,
    weight: f64,
    rate: Option<f64>,
    skipped: Option<String>,
}

fn wrong(message: String, hint: Option<&str>) -> LoadError {
    LoadError {
        fault: LoadFault::Collect,
        message,
        hint: hint.map(str::to_owned),
        traceback: String::new(),
    }
}

fn internal(error: &PyErr) -> LoadError {
    wrong(
        format!("internal error of pysurge while collecting: {error}"),
        None,
    )
}

/// Finds the tests that each test of the plan stands for; none for one that is not pytest's.
pub(crate) fn collect(helpers: &Py<PyAny>, load: &Load) -> Vec<Result<Vec<CollectedItem>, LoadError>> {
    Python::attach(|py| {
        let answers = ask(helpers.bind(py), load);
        let mut answers = match answers {
            Ok(answers) => answers.into_iter(),
            Err(error) => return load.tests.iter().map(|_| Err(internal(&error))).collect(),
        };
        let is_pytest = |target: &Target| matches!(target, Target::Pytest(_));
        let of_test = |target: &Target| {
            if !is_pytest(target) {
                return Ok(Vec::new());
            }
            let answer = answers
                .next()
                .ok_or_else(|| wrong("nothing was told of it".to_owned(), None))?;
            if let Some(problem) = problem(&answer) {
                return Err(problem);
            }
            let items = answer
                .extract::<Vec<Collected>>()
                .map_err(|error| internal(&error))?;
            items.into_iter().map(item).collect()
        };
        load.tests.iter().map(|test| &test.target).map(of_test).collect()
    })
}

fn ask<'py>(helpers: &Bound<'py, PyAny>, load: &Load) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let entries: Vec<_> = load
        .tests
        .iter()
        .filter_map(|test| match &test.target {
            Target::Pytest(pytest) => Some((&pytest.path, pytest.keyword.as_ref(), pytest.marks.as_ref())),
            Target::Class(_) | Target::Object(_) => None,
        })
        .collect();
    start(helpers, load)?;
    helpers.call_method1("collect", (entries,))?.extract()
}

fn item(found: Collected) -> Result<CollectedItem, LoadError> {
    let rate = found.rate.map(Rate::from_per_s).transpose();
    let rate = rate.map_err(|error| {
        let hint = "write @pytest.mark.surge(rate=5): iterations per second";
        wrong(
            format!("the mark `surge` of {}: {error}", found.node_id),
            Some(hint),
        )
    })?;
    Ok(CollectedItem {
        item: PytestItem {
            id: found.node_id,
            file: found.file,
            rootdir: found.rootdir,
            inifile: found.inifile,
        },
        weight: found.weight,
        rate,
        skipped: found.skipped,
    })
}

fn start(helpers: &Bound<'_, PyAny>, load: &Load) -> PyResult<()> {
    let args = pyo3::types::PyTuple::new(helpers.py(), &load.pytest_args)?;
    helpers
        .call_method1("open_pytest", (args, load.worker, load.workers))
        .map(drop)
}

/// Opens the session of this worker for the tests of the plan that are pytest's, where there are any.
pub(crate) fn open(helpers: &Bound<'_, PyAny>, load: &Load) -> PyResult<()> {
    let items: Vec<&PytestItem> = load
        .tests
        .iter()
        .filter_map(|test| match &test.target {
            Target::Pytest(pytest) => pytest.item.as_ref(),
            Target::Class(_) | Target::Object(_) => None,
        })
        .collect();
    let Some(first) = items.first() else {
        return Ok(());
    };
    start(helpers, load)?;
    let wanted: Vec<_> = items.iter().map(|item| (&item.id, &item.file)).collect();
    helpers
        .call_method1("open_items", (wanted, &first.rootdir, first.inifile.as_ref()))
        .map(drop)
}
