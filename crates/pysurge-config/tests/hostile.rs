//! Configs that mean harm: each is read, or gives errors of bounded length, in time and memory that fit its size.

use pysurge_config::{Config, ConfigErrors, Source, parse};
use std::fmt::Write;

fn parsed(text: &str) -> Result<Config, ConfigErrors> {
    let source = Source {
        name: "load.yml".into(),
        text: text.to_owned(),
    };
    parse(&source, &|_| None)
}

fn test_with(keys: &str) -> String {
    format!("tests:\n- test_class: a.B\n  rate: 5\n{keys}")
}

/// Many lines, each made of its number.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        writeln!(text, "{}", line(n)).expect("a text takes all");
        text
    })
}

#[test]
fn texts_without_end_give_errors_that_have_one() {
    let configs = [
        (
            "unknown keys",
            test_with(&lines(100_000, |n| format!("  key{n}: 1"))),
        ),
        ("a key of 8 MB", format!("? {}\n: 5\n", "k".repeat(8_000_000))),
        ("a value of 8 MB", format!("tests: {}\n", "x".repeat(8_000_000))),
        (
            "a number of 8 MB",
            test_with(&format!("  users: {}\n", "9".repeat(8_000_000))),
        ),
        (
            "keys that stand twice, and one error",
            test_with(&format!("{}  x: 1\n", "  rate: 5\n".repeat(100_000))),
        ),
        (
            "bad values",
            lines(30_000, |_| "- {test: a.py:b, rate: [], users: x, nme: 5}".into()),
        ),
        ("brackets", "[".repeat(4_000_000)),
        ("braces", "{a: ".repeat(1_000_000)),
        ("dashes", "- ".repeat(4_000_000)),
        ("question marks", "? ".repeat(2_000_000)),
        (
            "an indent for each key",
            lines(2_000, |n| format!("{}a:", " ".repeat(n))),
        ),
        ("an open quote", format!("name: \"{}", "x\n\n".repeat(1_000_000))),
        ("colons", "a: ".repeat(2_000_000)),
    ];
    for (name, text) in configs {
        let said = parsed(&text).expect_err(name).render(false);
        assert!(said.len() < 32_000, "{name}: {} bytes", said.len());
        assert!(said.contains("load.yml"), "{name}: {said}");
    }
}

#[test]
fn what_is_large_and_right_is_read() {
    let configs = [
        (
            "a comment of 8 MB",
            format!("#{}\n{}", "x".repeat(8_000_000), test_with("")),
        ),
        (
            "a kwarg of 4 MB",
            test_with(&format!("  kwargs: {{a: {}}}\n", "x".repeat(4_000_000))),
        ),
        (
            "anchors",
            format!(
                "x-a:\n{}{}",
                lines(50_000, |n| format!("- &a{n} x")),
                test_with("")
            ),
        ),
        (
            "tests",
            format!("tests:\n{}", "- {test: a.py:b, rate: 1}\n".repeat(10_000)),
        ),
        (
            "kwargs",
            test_with(&format!(
                "  kwargs:\n{}",
                lines(50_000, |n| format!("    k{n}: {n}"))
            )),
        ),
    ];
    for (name, text) in configs {
        parsed(&text).unwrap_or_else(|errors| panic!("{name}: {errors}"));
    }
}

#[test]
fn nothing_of_the_file_steers_the_terminal() {
    for text in [
        "tests: \u{7f}\u{9b}2J\n",
        "tests: \u{1b}]0;x\u{7}\n",
        "\"\\e[2J\\u202e\": 5\n",
        "tests: [\"\\e]52;c;aGk=\\a\"]\n",
        "tests:\n- test_class: \"\\e[1m\"\n  rate: \"\\u009b5\"\n",
        "tests: \u{202e}\u{2066}x\n",
    ] {
        for color in [false, true] {
            let said = parsed(text).unwrap_err().render(color);
            let harmful =
                |c: char| pysurge_core::harmless::is_harmful(c) && !matches!(c, '\n' | '\t' | '\u{1b}');
            assert_eq!(said.chars().find(|c| harmful(*c)), None, "{said:?}");
            let steers = said.split('\u{1b}').skip(1).any(|rest| {
                let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '[' | ';')));
                end.is_none_or(|end| !rest[end..].starts_with('m'))
            });
            assert!(!steers, "{said:?}");
        }
    }
}
