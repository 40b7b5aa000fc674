//! The one crate that knows Python.
