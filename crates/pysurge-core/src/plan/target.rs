//! What a test runs, as its text says: which of the three forms it has is decided by syntax alone, before any user code is imported.

use serde::{Deserialize, Serialize};
use std::path::Path;

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
    /// pytest's rootdir, absolute: node ids count from it.
    pub rootdir: String,
    /// The ini file that pytest found, absolute.
    pub inifile: Option<String>,
}

/// Why a text names nothing that can be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing is written.
    #[error("the target is empty")]
    Empty,
    /// `tests`: a folder, or a name without its module.
    #[error("`{0}` is neither a path nor a dotted name")]
    Bare(String),
    /// `file.py:Class.method`.
    #[error("`{name}` is no name of a class or function in {file}")]
    Inside {
        /// The file.
        file: String,
        /// What stands behind the colon.
        name: String,
    },
    /// `package.module:name`.
    #[error("`{file}` is no Python file, as it must be before a `:`")]
    NoFile {
        /// What stands before the colon.
        file: String,
        /// What stands behind it.
        name: String,
    },
    /// Any other text.
    #[error("`{0}` names no class, function or test")]
    Nothing(String),
}

impl TargetError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const FORMS: &str = "write package.module.Name, path/to/file.py:name, or tests of pytest: tests/, \
                             tests/test_api.py, tests/test_api.py::test_upload";
        match self {
            Self::Bare(word) => {
                format!(
                    "write {word}/ for the tests in that folder, or the module too: package.module.{word}"
                )
            }
            Self::Inside { file, name } => match name.split_once('.') {
                Some((class, _)) if is_name(class) => {
                    format!("write {file}:{class}, and its run() is what is run; or write a function")
                }
                _ => format!("write {file}:name, or {file} alone for the pytest tests in it"),
            },
            Self::NoFile { file, name } if is_dotted(file) && is_name(name) => {
                format!(
                    "did you mean {file}.{name}, or {}.py:{name}?",
                    file.replace('.', "/")
                )
            }
            Self::Empty | Self::Nothing(_) | Self::NoFile { .. } => FORMS.to_owned(),
        }
    }
}

/// Whether a text is a Python name.
pub fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_')
        && text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Whether a text is Python names with dots between, or one.
fn is_dotted(text: &str) -> bool {
    text.split('.').all(is_name)
}

fn is_python_file(path: &str) -> bool {
    // `.py` alone is a hidden file without an ending.
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "py")
}

impl Target {
    /// What a text stands for, by how it is written alone: nothing is looked for.
    ///
    /// | written | is |
    /// |---|---|
    /// | `tests/`, `tests/unit`, `.`, `test_api.py`, `test_api.py::test_x[a]` | tests of pytest |
    /// | `file.py:name` | a class or a function in a file |
    /// | `package.module.name` | a class or a function of a module |
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TargetError::Empty);
        }
        if text.contains("::") || is_python_file(text) {
            return Ok(Self::pytest(text));
        }
        if let Some((file, name)) = text.rsplit_once(':') {
            let (file, name) = (file.to_owned(), name.to_owned());
            return match (is_python_file(&file), is_name(&name)) {
                (true, true) => Ok(Self::Object(text.to_owned())),
                (true, false) => Err(TargetError::Inside { file, name }),
                (false, _) => Err(TargetError::NoFile { file, name }),
            };
        }
        if text.contains('/') || matches!(text, "." | "..") {
            return Ok(Self::pytest(text));
        }
        if is_name(text) {
            return Err(TargetError::Bare(text.to_owned()));
        }
        if is_dotted(text) {
            return Ok(Self::Object(text.to_owned()));
        }
        Err(TargetError::Nothing(text.to_owned()))
    }

    /// Whether it is written as a class or a function in a file is, which no expression for pytest can go with.
    pub fn is_in_file(&self) -> bool {
        matches!(self, Self::Object(path) if path.contains(':'))
    }

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
    fn how_a_target_is_written_decides_what_it_is() {
        let object = |path: &str| Ok(Target::Object(path.to_owned()));
        let pytest = |path: &str| Ok(Target::pytest(path));
        for (text, expected) in [
            ("shop.cases.Upload", object("shop.cases.Upload")),
            ("shop.upload", object("shop.upload")),
            (" shop.upload\n", object("shop.upload")),
            ("größe.Prüfung", object("größe.Prüfung")),
            ("cases.py:upload", object("cases.py:upload")),
            ("./my.shop/cases.py:Upload", object("./my.shop/cases.py:Upload")),
            ("C:/cases.py:Upload", object("C:/cases.py:Upload")),
            ("tests/", pytest("tests/")),
            ("tests/unit", pytest("tests/unit")),
            (".", pytest(".")),
            ("..", pytest("..")),
            ("test_api.py", pytest("test_api.py")),
            ("tests/test_api.py::test_x", pytest("tests/test_api.py::test_x")),
            (
                "test_api.py::TestX::test_y[a:b/c.d]",
                pytest("test_api.py::TestX::test_y[a:b/c.d]"),
            ),
            (
                "test_api.py::test_x[f.py:g]",
                pytest("test_api.py::test_x[f.py:g]"),
            ),
        ] {
            assert_eq!(Target::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_names_nothing_is_told_with_what_was_probably_meant() {
        for (text, message, hint) in [
            ("", "is empty", "tests/test_api.py::test_upload"),
            ("  ", "is empty", "package.module.Name"),
            (
                "tests",
                "`tests` is neither a path",
                "write tests/ for the tests in that folder",
            ),
            ("Upload", "nor a dotted name", "package.module.Upload"),
            (
                "cases.py:Upload.run",
                "`Upload.run` is no name",
                "write cases.py:Upload, and its run()",
            ),
            ("cases.py:", "in cases.py", "cases.py alone for the pytest tests"),
            ("cases.py:a b", "`a b` is no name", "write cases.py:name"),
            (
                "shop.cases:upload",
                "`shop.cases` is no Python file",
                "did you mean shop.cases.upload, or shop/cases.py:upload?",
            ),
            ("shop-x:upload", "no Python file", "write package.module.Name"),
            (":upload", "no Python file", "write package.module.Name"),
            ("1shop.upload", "names no class", "write package.module.Name"),
            ("shop..upload", "names no class", "write package.module.Name"),
            ("shop.upload()", "names no class", "write package.module.Name"),
            (".py", "names no class", "write package.module.Name"),
        ] {
            let error = Target::parse(text).unwrap_err();
            assert!(
                error.to_string().contains(message) && error.hint().contains(hint),
                "{text}: {error}; {}",
                error.hint()
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[a.:/\\[ \\]py]{0,12}") {
            let _ = Target::parse(&text).map_err(|error| error.hint());
        }
    }

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
