//! What tests are called in files: one text per test, never the same for two.

use pysurge_core::event::RunEvent;

/// Follows a run's events and knows the names of its tests.
#[derive(Debug, Default)]
pub struct TestNames {
    /// As the config calls them.
    given: Vec<Option<String>>,
    names: Vec<String>,
}

impl TestNames {
    /// Takes what says something of names.
    pub fn hear(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Opened { plan, .. } => {
                self.given = plan.tests.iter().map(|test| test.name.clone()).collect();
                let classes = plan.tests.iter().map(|test| test.target.path());
                self.names = self.unique(classes);
            }
            RunEvent::Loaded(infos) => {
                self.names = self.unique(infos.iter().map(|info| info.label.as_str()));
            }
            _ => {}
        }
    }

    /// The name of the test at this place of the plan.
    pub fn of(&self, test: usize) -> &str {
        self.names.get(test).map_or("?", String::as_str)
    }

    /// Each test's name in the config, else its label, with ` (2)` and so on behind it where it was there before.
    fn unique<'a>(&self, labels: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (at, label) in labels.enumerate() {
            let given = self.given.get(at).and_then(Option::as_deref);
            let name = given.unwrap_or(label);
            let numbered = (2..).map(|n: u32| format!("{name} ({n})"));
            let free = std::iter::once(name.to_owned())
                .chain(numbered)
                .find(|candidate| !names.contains(candidate));
            names.push(free.expect("there are more numbers than tests"));
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tests_have_one_name() {
        let names = TestNames {
            given: vec![None, Some("b".into()), None, None, Some("a (2)".into())],
            names: Vec::new(),
        };
        let unique = names.unique(["a", "x", "a", "b", "y"].into_iter());
        assert_eq!(unique, ["a", "b", "a (2)", "b (2)", "a (2) (2)"]);
        assert_eq!(names.of(7), "?");
    }
}
