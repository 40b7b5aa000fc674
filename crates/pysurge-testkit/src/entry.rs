//! An entry of the plan as a catalogue sees it: the class and its kwargs, taken one by one. What is left untaken is refused, as
//! a Python `__init__` refuses arguments it does not know.

use pysurge_core::value::Value;
use std::time::Duration;

/// Why kwargs do not fit a native test.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KwargsError {
    /// One that the test cannot do without is not there.
    #[error("missing argument `{0}`")]
    Missing(&'static str),
    /// One is not what it should be.
    #[error("argument `{name}` must be {wanted}, not {found}")]
    Kind {
        /// Which.
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// The test takes no such argument.
    #[error("unexpected argument `{0}`")]
    Unexpected(String),
}

/// One entry of the plan in one worker.
#[derive(Debug)]
pub struct Entry<'a> {
    class: &'a str,
    kwargs: Vec<&'a (String, Value)>,
    worker: u32,
}

impl<'a> Entry<'a> {
    /// The entry for a class and its kwargs in a worker, by its number from 0.
    pub fn new(class: &'a str, kwargs: &'a [(String, Value)], worker: u32) -> Self {
        Self {
            class,
            kwargs: kwargs.iter().collect(),
            worker,
        }
    }

    /// The `test_class` of the config.
    pub fn class(&self) -> &'a str {
        self.class
    }

    /// The number of this worker, from 0.
    pub fn worker(&self) -> u32 {
        self.worker
    }

    /// Takes a kwarg that is a whole number from 0 up; `None` where it is absent.
    pub fn number(&mut self, name: &'static str) -> Result<Option<u64>, KwargsError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Int(value)) if *value >= 0 => Ok(Some(value.unsigned_abs())),
            Some(other) => Err(KwargsError::Kind {
                name,
                wanted: "a whole number from 0 up",
                found: other.to_string(),
            }),
        }
    }

    /// Takes a kwarg that is a whole number from 0 up and must be there.
    pub fn required(&mut self, name: &'static str) -> Result<u64, KwargsError> {
        self.number(name)?.ok_or(KwargsError::Missing(name))
    }

    /// Takes a kwarg that is a span in milliseconds; zero where it is absent.
    pub fn millis(&mut self, name: &'static str) -> Result<Duration, KwargsError> {
        Ok(Duration::from_millis(self.number(name)?.unwrap_or(0)))
    }

    /// Takes a kwarg that is text; `None` where it is absent.
    pub fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, KwargsError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Str(text)) => Ok(Some(text)),
            Some(other) => Err(KwargsError::Kind {
                name,
                wanted: "a string",
                found: other.kind().to_owned(),
            }),
        }
    }

    /// Refuses what nobody took.
    pub fn end(&self) -> Result<(), KwargsError> {
        match self.kwargs.first() {
            None => Ok(()),
            Some((name, _)) => Err(KwargsError::Unexpected(name.clone())),
        }
    }

    fn take(&mut self, name: &str) -> Option<&'a Value> {
        let at = self.kwargs.iter().position(|(key, _)| key == name)?;
        Some(&self.kwargs.remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kwargs_are_taken_once_and_the_rest_is_refused() {
        let kwargs = [
            ("ms".to_owned(), Value::Int(5)),
            ("log".to_owned(), Value::Str("here".into())),
        ];
        let mut entry = Entry::new("a.B", &kwargs, 3);
        assert_eq!((entry.class(), entry.worker()), ("a.B", 3));
        assert_eq!(entry.end(), Err(KwargsError::Unexpected("ms".into())));
        assert_eq!(entry.millis("ms"), Ok(Duration::from_millis(5)));
        assert_eq!(entry.text("log"), Ok(Some("here")));
        assert_eq!(entry.end(), Ok(()));
        assert_eq!((entry.number("ms"), entry.text("log")), (Ok(None), Ok(None)));
        assert_eq!(entry.required("ms"), Err(KwargsError::Missing("ms")));
    }

    #[test]
    fn kwargs_of_the_wrong_kind_are_told() {
        let kwargs = [
            ("ms".to_owned(), Value::Int(-1)),
            ("log".to_owned(), Value::Bool(true)),
        ];
        let mut entry = Entry::new("a.B", &kwargs, 0);
        assert_eq!(
            entry.number("ms").map_err(|error| error.to_string()),
            Err("argument `ms` must be a whole number from 0 up, not -1".into())
        );
        assert_eq!(
            entry.text("log").map_err(|error| error.to_string()),
            Err("argument `log` must be a string, not a boolean".into())
        );
    }
}
