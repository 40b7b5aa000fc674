//! Configs: errors are words of bounded length, and a plan reads back as it was written.

use crate::expect_harmless;
use pysurge_config::{Source, parse_with};

/// The most characters of one output: twenty errors, each with a line or two of the file cut to the terminal's width.
const MOST_SHOWN_CHARS: usize = 64 * 1024;

/// A line of the input that begins so is a value of the command line, `-o`, too.
const OVERRIDE: &str = "#-o ";

/// Reads a config. Lines `#-o key=value` in it are given as values of the command line.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let overrides: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix(OVERRIDE))
        .map(str::to_owned)
        .collect();
    let source = Source {
        name: "load.yml".to_owned(),
        text: text.to_owned(),
    };
    let config = match parse_with(&source, &environment, &overrides) {
        Ok(config) => config,
        Err(errors) => {
            expect_shown(&errors.render(false));
            return;
        }
    };
    if !config.warnings.is_empty() {
        expect_shown(&config.render_warnings(false));
    }
    let written = Source {
        text: config.resolved_yaml(),
        ..source
    };
    let again = match parse_with(&written, &environment, &[]) {
        Ok(again) => again,
        Err(errors) => panic!("what was written is not read:\n{}\n{errors}", written.text),
    };
    // `Debug`, since a NaN among kwargs is equal to nothing.
    assert_eq!(
        format!("{:?}", again.plan),
        format!("{:?}", config.plan),
        "{}",
        written.text
    );
    assert_eq!(again.resolved_yaml(), written.text);
}

/// An environment with variables of every temper.
fn environment(name: &str) -> Option<String> {
    let value = match name {
        "HOME" => "/home/x",
        "NUMBER" => "5",
        "EMPTY" => "",
        "LINES" => "a: b\n- \u{1b}[31m\t\"'\n",
        "LIST" => "[1, {a: *b}]",
        _ => return None,
    };
    Some(value.to_owned())
}

fn expect_shown(shown: &str) {
    expect_harmless(shown);
    let chars = shown.chars().count();
    assert!(chars <= MOST_SHOWN_CHARS, "{chars} characters are shown");
}
