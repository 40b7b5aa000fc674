//! What an iteration is called with: the kwargs that all iterations have, those recorded for this one, and the row it is fed with.

use crate::values::to_python;
use pyo3::exceptions::{PyIndexError, PyOSError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use pysurge_core::plan::Data;
use pysurge_core::replay::{Cell, Recording};
use pysurge_core::rows::{Field, row_of};
use pysurge_core::value::Value;
use pysurge_engine::{Probe, Rows};
use std::sync::Arc;

/// What the iterations of one test are called with.
#[derive(Default)]
pub(crate) struct Input {
    kwargs: Option<Py<PyDict>>,
    /// Where further kwargs of each iteration are recorded.
    recorded: Option<Arc<Recording>>,
    fed: Option<Fed>,
    /// The kwargs as the config has them, for those who have no interpreter.
    written: Vec<(Value, Value)>,
}

/// The rows that iterations are fed with, and where they go.
pub(crate) struct Fed {
    pub(crate) source: RowSource,
    /// The columns that are given as kwargs; all where `None`.
    pub(crate) columns: Option<Vec<String>>,
    /// Where the whole row goes.
    pub(crate) row_as: RowAs,
}

/// Where rows are.
pub(crate) enum RowSource {
    /// In a file.
    File {
        rows: Arc<Rows>,
        /// The names of its columns, made once.
        names: Vec<Py<PyString>>,
    },
    /// In a list of dicts.
    Objects { rows: Py<PyList>, data: Data },
}

/// Where a whole row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowAs {
    /// To `instance.data`.
    Attribute,
    /// Into the argument `data`.
    Argument,
    /// Nowhere: its columns are given one by one.
    Nowhere,
}

/// What one iteration is called with.
pub(crate) struct Call<'py> {
    /// `None` where there are none.
    pub(crate) kwargs: Option<Bound<'py, PyDict>>,
    /// What becomes `instance.data`.
    pub(crate) data: Option<Bound<'py, PyDict>>,
}

impl Input {
    pub(crate) fn new(
        kwargs: &Bound<'_, PyDict>,
        recorded: Option<Arc<Recording>>,
        fed: Option<Fed>,
    ) -> Self {
        Self {
            kwargs: (!kwargs.is_empty()).then(|| kwargs.clone().unbind()),
            recorded: recorded.filter(|rows| !rows.kwargs().is_empty()),
            fed,
            written: Vec::new(),
        }
    }

    /// The same, with its kwargs as the config has them.
    pub(crate) fn written(self, kwargs: &[(String, Value)]) -> Self {
        let written = kwargs.iter().cloned();
        Self {
            written: written.map(|(name, value)| (Value::Str(name), value)).collect(),
            ..self
        }
    }

    /// What an iteration is called with. What is the same for all is not copied.
    #[inline]
    pub(crate) fn of<'py>(&self, py: Python<'py>, probe: &Probe<'_>) -> PyResult<Call<'py>> {
        let common = self.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
        if self.recorded.is_none() && self.fed.is_none() {
            return Ok(Call {
                kwargs: common.cloned(),
                data: None,
            });
        }
        self.own(py, common, probe)
    }

    fn own<'py>(
        &self,
        py: Python<'py>,
        common: Option<&Bound<'py, PyDict>>,
        probe: &Probe<'_>,
    ) -> PyResult<Call<'py>> {
        let kwargs = common.map_or_else(|| Ok(PyDict::new(py)), PyDictMethods::copy)?;
        let recorded = probe.number().and_then(|number| usize::try_from(number).ok());
        if let (Some(rows), Some(number)) = (&self.recorded, recorded) {
            put_row(&kwargs, rows, number)?;
        }
        let data = match &self.fed {
            Some(fed) => fed.give(py, probe.row_number(), &kwargs)?,
            None => None,
        };
        Ok(Call {
            kwargs: Some(kwargs),
            data,
        })
    }

    /// The kwargs of an iteration, as Python writes a dict.
    pub(crate) fn shown(&self, number: Option<u64>) -> String {
        let mut kwargs = self.written.clone();
        let mut put = |name: &str, value: Value| {
            let name = Value::Str(name.to_owned());
            match kwargs.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => kwargs.push((name, value)),
            }
        };
        let place = number.and_then(|number| usize::try_from(number).ok());
        if let (Some(rows), Some(number)) = (&self.recorded, place)
            && number < rows.len()
        {
            for (name, cell) in rows.row(number) {
                let value = match cell {
                    Cell::Str(text) => Value::Str(text.to_owned()),
                    Cell::Int(value) => Value::Int(value),
                    Cell::Float(value) => Value::Float(value),
                    Cell::Bool(value) => Value::Bool(value),
                    Cell::None => Value::Null,
                };
                put(name, value);
            }
        }
        // What a list of Python objects has nobody can write down without the interpreter.
        if let (Some(RowSource::File { rows, .. }), Some(number)) =
            (self.fed.as_ref().map(|fed| &fed.source), number)
            && let Ok(row) = rows.row(number)
        {
            for (name, value) in row.fields() {
                put(&name, value);
            }
        }
        Value::Map(kwargs).to_string()
    }
}

impl RowSource {
    pub(crate) fn file(py: Python<'_>, rows: Arc<Rows>) -> Self {
        let columns = rows.columns().unwrap_or_default().iter();
        let names = columns.map(|name| PyString::new(py, name).unbind()).collect();
        Self::File { rows, names }
    }

    /// How many rows there are.
    pub(crate) fn count(&self, py: Python<'_>) -> u64 {
        match self {
            Self::File { rows, .. } => rows.count(),
            Self::Objects { rows, .. } => rows.bind(py).len() as u64,
        }
    }

    /// The row of an iteration, as a dict of its own.
    pub(crate) fn dict<'py>(&self, py: Python<'py>, number: u64) -> PyResult<Bound<'py, PyDict>> {
        match self {
            Self::File { rows, names } => {
                let row = rows
                    .row(number)
                    .map_err(|error| PyOSError::new_err(error.to_string()))?;
                let dict = PyDict::new(py);
                row.each(|place, name, field| {
                    let value = match field {
                        Field::Text(text) => PyString::new(py, text).into_any(),
                        Field::Value(value) => to_python(py, value)?,
                    };
                    match names.get(place) {
                        Some(name) => dict.set_item(name, value),
                        None => dict.set_item(name, value),
                    }
                })?;
                Ok(dict)
            }
            Self::Objects { rows, data } => {
                let rows = rows.bind(py);
                let place = row_of(data, rows.len() as u64, number).and_then(|row| usize::try_from(row).ok());
                let place =
                    place.ok_or_else(|| PyIndexError::new_err("there is no row for this iteration"))?;
                // A copy: one iteration cannot change the row of another.
                rows.get_item(place)?.cast::<PyDict>()?.copy()
            }
        }
    }
}

impl Fed {
    /// Puts the row of an iteration where it belongs; gives it, where the instance is to have it.
    fn give<'py>(
        &self,
        py: Python<'py>,
        number: u64,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let row = self.source.dict(py, number)?;
        match &self.columns {
            None => kwargs.update(row.as_mapping())?,
            Some(columns) => {
                for column in columns {
                    if let Some(value) = row.get_item(column)? {
                        kwargs.set_item(column, value)?;
                    }
                }
            }
        }
        match self.row_as {
            RowAs::Attribute => Ok(Some(row)),
            RowAs::Argument => {
                kwargs.set_item(intern!(py, "data"), row)?;
                Ok(None)
            }
            RowAs::Nowhere => Ok(None),
        }
    }
}

/// Puts what is recorded for an arrival into its kwargs.
pub(crate) fn put_row(kwargs: &Bound<'_, PyDict>, rows: &Recording, number: usize) -> PyResult<()> {
    if number >= rows.len() {
        return Ok(());
    }
    for (name, cell) in rows.row(number) {
        match cell {
            Cell::Str(text) => kwargs.set_item(name, text)?,
            Cell::Int(value) => kwargs.set_item(name, value)?,
            Cell::Float(value) => kwargs.set_item(name, value)?,
            Cell::Bool(value) => kwargs.set_item(name, value)?,
            Cell::None => kwargs.set_item(name, kwargs.py().None())?,
        }
    }
    Ok(())
}
