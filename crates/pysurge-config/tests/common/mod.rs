//! What the tests of this crate share: configs from text, and errors as they are shown.

#![allow(dead_code, reason = "each test file uses a part")]

use pysurge_config::{Config, ConfigErrors, Source, parse_with};

fn env(name: &str) -> Option<String> {
    (name == "WORD").then(|| "fast".to_owned())
}

/// Reads a config with overrides.
pub(crate) fn read_with(text: &str, overrides: &[&str]) -> Result<Config, ConfigErrors> {
    let source = Source {
        name: "load.yml".to_owned(),
        text: text.to_owned(),
    };
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    parse_with(&source, &env, &overrides)
}

/// Reads a config that must be right, and reads it again as resolved: the plan must be the same.
pub(crate) fn good(text: &str) -> Config {
    good_with(text, &[])
}

/// As [`good`], with overrides.
pub(crate) fn good_with(text: &str, overrides: &[&str]) -> Config {
    let config = read_with(text, overrides).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
    assert_reads_back(&config);
    config
}

/// The config as resolved gives the same plan.
pub(crate) fn assert_reads_back(config: &Config) {
    let yaml = config.resolved_yaml();
    let mut again = read_with(&yaml, &[]).unwrap_or_else(|errors| panic!("{yaml}\n{errors}"));
    again.plan.name.clone_from(&config.plan.name);
    assert_eq!(again.plan, config.plan, "{yaml}");
}

/// A config with one test, right but for these lines.
pub(crate) fn test(lines: &str) -> String {
    format!("tests:\n- test_class: a.B\n  {}\n", lines.replace('\n', "\n  "))
}

/// The errors of several configs, one after the other, each below its text.
pub(crate) fn errors_of<T: AsRef<str>>(texts: &[T]) -> String {
    let mut shown = String::new();
    for text in texts {
        let text = text.as_ref();
        let errors = read_with(text, &[]).map_or_else(|errors| errors.to_string(), |_| "no error".to_owned());
        shown += &[text, "\n~~~\n", &errors, "\n==========\n"].concat();
    }
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    shown
}
