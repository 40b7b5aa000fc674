//! Plain data between Python and the core.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use pysurge_core::value::Value;

/// How deep a value may be nested; deeper, it refers to itself.
const MAX_DEPTH: usize = 100;

/// A value as a Python object.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::BigInt(digits) => py.get_type::<PyInt>().call1((digits,))?,
        Value::Float(number) => PyFloat::new(py, *number).into_any(),
        Value::Str(text) => PyString::new(py, text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Date(text) => from_iso(py, "date", text)?,
        Value::DateTime(text) => from_iso(py, "datetime", text)?,
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Map(entries) => {
            let dict = PyDict::new(py);
            for (key, value) in entries {
                dict.set_item(to_python(py, key)?, to_python(py, value)?)?;
            }
            dict.into_any()
        }
        Value::Pickled(bytes) => py
            .import("pickle")?
            .call_method1("loads", (PyBytes::new(py, bytes),))?,
    })
}

fn from_iso<'py>(py: Python<'py>, class: &str, text: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("datetime")?
        .getattr(class)?
        .call_method1("fromisoformat", (text,))
}

/// A Python object as a value: plain data as it is, anything else pickled.
pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    from_python_at(object, 0)
}

fn from_python_at(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth > MAX_DEPTH {
        return Err(PyTypeError::new_err(
            "the config is nested too deeply, or holds itself",
        ));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    // Exact types only: what a subclass adds would be lost.
    if let Ok(flag) = object.cast_exact::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if object.cast_exact::<PyInt>().is_ok() {
        return Ok(match object.extract::<i64>() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::BigInt(object.str()?.to_string()),
        });
    }
    if let Ok(number) = object.cast_exact::<PyFloat>() {
        return Ok(Value::Float(number.value()));
    }
    if let Ok(text) = object.cast_exact::<PyString>() {
        return Ok(Value::Str(text.extract()?));
    }
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().to_vec()));
    }
    if let Ok(list) = object.cast_exact::<PyList>() {
        return list
            .iter()
            .map(|item| from_python_at(&item, depth + 1))
            .collect::<PyResult<_>>()
            .map(Value::List);
    }
    if let Ok(dict) = object.cast_exact::<PyDict>() {
        let entry = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok((
                from_python_at(&key, depth + 1)?,
                from_python_at(&value, depth + 1)?,
            ))
        };
        return dict.iter().map(entry).collect::<PyResult<_>>().map(Value::Map);
    }
    let pickled = object.py().import("pickle")?.call_method1("dumps", (object,))?;
    Ok(Value::Pickled(pickled.cast::<PyBytes>()?.as_bytes().to_vec()))
}

/// The kwargs of an entry as a dict.
pub(crate) fn kwargs_dict<'py>(py: Python<'py>, kwargs: &[(String, Value)]) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in kwargs {
        dict.set_item(name, to_python(py, value)?)?;
    }
    Ok(dict)
}

/// The positional form of a call's arguments, for helpers written in Python.
pub(crate) fn tuple_of<'py>(py: Python<'py>, items: &[String]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, items)
}
