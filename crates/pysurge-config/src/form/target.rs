//! What a test runs: `test_class`, or `test` with what goes with tests of pytest. What a text stands for, core knows.

use super::test::{Inherited, TestForm};
use super::value::text_of;
use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Given};
use crate::item::Place;
use pysurge_core::plan::{Pytest, Target};

/// How the target of a test is written where none is.
pub(super) const EXAMPLE: &str = "test: path/to/file.py:name";

pub(super) fn target_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    const HINT: &str = "write package.module.Name, path/to/file.py:name, or tests of pytest: tests/";
    text_of(field, HINT, diagnostics)
}

/// An expression of pytest's, `-k` or `-m`.
pub(super) fn expression_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    text_of(
        field,
        "write it as for pytest, such as \"upload and not slow\"",
        diagnostics,
    )
}

impl TestForm {
    /// What it runs; `None` where that is wrong or not there, which was told.
    pub(super) fn target(
        &self,
        test: &(Place, String),
        inherited: &Inherited<'_>,
        meant: &[&'static str],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Target> {
        match (&self.test_class, &self.test) {
            // Told as a clash.
            (Some(_), Some(_)) => None,
            (Some(class), None) => {
                self.tell_stray_expressions(&class.bare(), diagnostics);
                class.value.clone().map(Target::Class)
            }
            (None, Some(given)) => self.parsed(given, diagnostics),
            (None, None) => {
                // Where `defaults` are broken nobody knows what is missing.
                if inherited.defaults.is_some() && !meant.contains(&"test") && !meant.contains(&"test_class")
                {
                    let error = Diagnostic::error("this test has no `test` and no `test_class`");
                    let hint = format!("add `{EXAMPLE}`, or `test_class: package.module.ClassName`");
                    diagnostics.push(error.at(test.0.clone(), &test.1).hint(hint));
                }
                None
            }
        }
    }

    fn parsed(&self, given: &Given<String>, diagnostics: &mut Vec<Diagnostic>) -> Option<Target> {
        let text = given.value.as_ref()?;
        let own =
            |expression: &Option<Given<String>>| expression.as_ref().is_some_and(|given| !given.inherited);
        let target = Target::parse(text);
        // Whoever gives an expression of pytest's means its tests, however the path is written.
        let is_asked = (own(&self.k) || own(&self.m)) && !target.as_ref().is_ok_and(Target::is_in_file);
        let target = match target {
            Ok(target @ (Target::Class(_) | Target::Object(_))) if !is_asked => {
                self.tell_stray_expressions(&given.bare(), diagnostics);
                return Some(target);
            }
            Err(error) if !is_asked || text.trim().is_empty() => {
                diagnostics.push(given.error(error.to_string()).hint(error.hint()));
                return None;
            }
            _ => text.trim().to_owned(),
        };
        self.tell_kwargs(given, diagnostics)?;
        Some(Target::Pytest(Pytest {
            path: target,
            keyword: super::test::optional(self.k.clone())?,
            marks: super::test::optional(self.m.clone())?,
            item: None,
        }))
    }

    /// `k` and `m` say nothing of a class or a function; those of `defaults` wait for tests of pytest.
    fn tell_stray_expressions(&self, target: &Given<()>, diagnostics: &mut Vec<Diagnostic>) {
        for given in [&self.k, &self.m]
            .into_iter()
            .flatten()
            .filter(|given| !given.inherited)
        {
            let title = format!("`{}` goes with tests of pytest", given.name);
            let error = given
                .error(title)
                .related(target.place.span(), "what this test runs");
            diagnostics.push(error.hint(format!(
                "remove `{}`, or name a file or a folder: `test: tests/`",
                given.name
            )));
        }
    }

    /// A test of pytest takes nothing from whoever runs it; kwargs of `defaults` are for other tests.
    fn tell_kwargs(&self, target: &Given<String>, diagnostics: &mut Vec<Diagnostic>) -> Option<()> {
        let kwargs = self.kwargs.as_ref().filter(|given| !given.inherited);
        let Some(kwargs) =
            kwargs.filter(|given| given.value.as_ref().is_none_or(|kwargs| !kwargs.is_empty()))
        else {
            return Some(());
        };
        let error = kwargs
            .error("`kwargs` do not go with tests of pytest")
            .related(target.place.span(), "tests of pytest");
        diagnostics.push(error.hint(
            "a test of pytest gets its arguments from fixtures and @pytest.mark.parametrize; a fixture can read a variable of \
             the environment",
        ));
        None
    }
}
