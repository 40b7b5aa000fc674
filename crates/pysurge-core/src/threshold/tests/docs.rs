//! What the reference shows as a threshold is one.

use crate::threshold::Threshold;

const REFERENCE: &str = include_str!("../../../../../docs/reference/thresholds.md");

/// The lines of fenced blocks with this word behind the fence.
fn fenced(word: &str) -> Vec<&'static str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in REFERENCE.lines() {
        if let Some(info) = line.strip_prefix("```") {
            inside = !inside && info == word;
        } else if inside && !line.trim().is_empty() {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn its_examples_are_thresholds() {
    let examples = fenced("threshold");
    assert!(examples.len() > 15, "{examples:?}");
    for text in examples {
        if let Err(error) = Threshold::parse(text) {
            panic!("{}", error.point(text));
        }
    }
}

/// Code within the text that compares something.
#[test]
fn what_stands_in_its_text_is_one_too() {
    let is_comparison = |code: &&str| {
        let mut words = code.split(' ');
        let starts = words
            .next()
            .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
        let op = words.next().unwrap_or_default();
        starts && ["<", "<=", ">", ">=", "==", "!="].contains(&op)
    };
    let codes = REFERENCE
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    let comparisons: Vec<&str> = codes.filter(is_comparison).collect();
    assert!(comparisons.len() > 6, "{comparisons:?}");
    for text in comparisons {
        if let Err(error) = Threshold::parse(text) {
            panic!("{}", error.point(text));
        }
    }
}

/// Errors are shown as they are.
#[test]
fn its_error_is_the_one_that_is_told() {
    let shown = fenced("text").join("\n");
    let text = "response_time.p95 < 250";
    let error = Threshold::parse_all("--threshold", &[text.to_owned()]).unwrap_err();
    assert!(shown.contains(&error), "{shown}\n\n{error}");
}
