//! What a test runs, as its text says: which of the three forms it has is decided by syntax alone, before any user code is imported.

use serde::{Deserialize, Serialize};

/// What a test runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// `test_class`: a class derived from `TestCase`, by its dotted path, as in pysurge 1.0.1.
    Class(String),
    /// `test`: a class with a `run` method, a function or a coroutine function: `package.module.name` or `path/to/file.py:name`.
    Object(String),
    /// `test`: tests of pytest.
    Pytest(Pytest),
}

/// Tests of pytest: what the config asks for, and once it was collected, the one test that this entry stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pytest {
    /// A file, a folder or a node id as pytest takes them: `tests/test_api.py::test_upload`.
    pub path: String,
    /// pytest's `-k`.
    pub keyword: Option<String>,
    /// pytest's `-m`.
    pub marks: Option<String>,
    /// The one test; `None` until tests were collected.
    pub item: Option<PytestItem>,
}

/// One collected test of pytest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PytestItem {
    /// The node id, `tests/test_api.py::test_upload[small]`, relative to pytest's rootdir.
    pub id: String,
    /// Its file, absolute.
    pub file: String,
}

impl Target {
    /// Tests of pytest that were not collected yet.
    pub fn pytest(path: impl Into<String>) -> Self {
        Self::Pytest(Pytest {
            path: path.into(),
            keyword: None,
            marks: None,
            item: None,
        })
    }

    /// What is run, in one text: the dotted path, `file.py:name`, or a node id.
    pub fn path(&self) -> &str {
        match self {
            Self::Class(path) | Self::Object(path) => path,
            Self::Pytest(Pytest { item: Some(item), .. }) => &item.id,
            Self::Pytest(pytest) => &pytest.path,
        }
    }

    /// The last part of that: what people call it.
    pub fn short_name(&self) -> &str {
        let path = self.path();
        let short = match self {
            Self::Class(_) => path.rsplit('.').next(),
            Self::Object(_) => match path.rsplit_once(':') {
                Some((_, name)) => Some(name),
                None => path.rsplit('.').next(),
            },
            // A parameter may hold anything, `::` among it.
            Self::Pytest(_) => {
                let end = path.find('[').unwrap_or(path.len());
                Some(path[..end].rfind("::").map_or(path, |at| &path[at + 2..]))
            }
        };
        short.unwrap_or(path)
    }

    /// Whether it stands for tests of pytest that are still to be collected.
    pub fn is_to_be_collected(&self) -> bool {
        matches!(self, Self::Pytest(Pytest { item: None, .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_short_names() {
        for (target, short) in [
            (Target::Class("shop.cases.Upload".into()), "Upload"),
            (Target::Object("shop.cases.upload".into()), "upload"),
            (Target::Object("./my.shop/cases.py:upload".into()), "upload"),
            (Target::pytest("tests/test_api.py"), "tests/test_api.py"),
            (
                Target::pytest("tests/test_api.py::TestX::test_y[a::b.c]"),
                "test_y[a::b.c]",
            ),
        ] {
            assert_eq!(target.short_name(), short);
        }
    }
}
