//! Failures, grouped: where in the iteration, which exception, which line of the user's, and what it said with the
//! numbers masked. Groups are capped and what the cap cost is counted.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Groups kept per test; failures of any further kind are counted as overflow.
pub const MAX_GROUPS: usize = 50;

/// The most characters of an exception's message that tell groups apart.
pub const MAX_MESSAGE_CHARS: usize = 300;

/// The most bytes of one traceback that are kept.
pub const MAX_TRACEBACK_BYTES: usize = 16 * 1024;

/// The part of an iteration that raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Building the instance.
    Init,
    /// `setup`.
    Setup,
    /// `run`.
    Run,
    /// `teardown`; such an error does not change the outcome of the iteration.
    Teardown,
}

impl Phase {
    /// The name the user knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "__init__",
            Self::Setup => "setup",
            Self::Run => "run",
            Self::Teardown => "teardown",
        }
    }

    /// Whether an error in it fails the iteration.
    pub fn fails(self) -> bool {
        self != Self::Teardown
    }
}

/// What failures of one kind have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FailureKey {
    /// Where in the iteration.
    pub phase: Phase,
    /// The exception's type, with its module unless that is `builtins`.
    pub exception: String,
    /// The user's own line nearest to the error, `file.py:12 in function`; empty where there is none.
    pub frame: String,
    /// The message with its numbers masked, see [`mask`].
    pub message: String,
}

impl FailureKey {
    /// All of it in one line: `run: ValueError: no item # (shop.py:12 in buy)`.
    pub fn line(&self) -> String {
        let mut line = format!("{}: {}", self.phase.name(), self.exception);
        if !self.message.is_empty() {
            line += ": ";
            line += &self.message;
        }
        if !self.frame.is_empty() {
            line += " (";
            line += &self.frame;
            line += ")";
        }
        line
    }
}

/// What is known of one kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// How often.
    pub count: u64,
    /// First seen, nanoseconds since the start of the run.
    pub first_ns: u64,
    /// Last seen, nanoseconds since the start of the run.
    pub last_ns: u64,
    /// The first one's message as it was.
    pub example: String,
    /// The first one's traceback: the user's own frames, then the error.
    pub traceback: String,
}

/// The failures of one test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    groups: BTreeMap<FailureKey, FailureGroup>,
    overflow: u64,
}

impl Failures {
    /// Counts a failure seen at `at_ns`; `detail` gives message and traceback and is asked only for a new group.
    pub fn record(&mut self, key: FailureKey, at_ns: u64, detail: impl FnOnce() -> (String, String)) {
        if let Some(group) = self.groups.get_mut(&key) {
            group.count = group.count.saturating_add(1);
            group.first_ns = group.first_ns.min(at_ns);
            group.last_ns = group.last_ns.max(at_ns);
        } else if self.groups.len() >= MAX_GROUPS {
            self.overflow = self.overflow.saturating_add(1);
        } else {
            let (example, traceback) = detail();
            let (example, traceback) = (
                clip(&example, MAX_MESSAGE_CHARS * 4),
                clip(&traceback, MAX_TRACEBACK_BYTES),
            );
            self.groups.insert(
                key,
                FailureGroup {
                    count: 1,
                    first_ns: at_ns,
                    last_ns: at_ns,
                    example,
                    traceback,
                },
            );
        }
    }

    /// Whether a failure of this kind needs no further example: its group has one, or there is no room for the group.
    pub fn has_example(&self, key: &FailureKey) -> bool {
        self.groups
            .get(key)
            .map_or(self.groups.len() >= MAX_GROUPS, |group| {
                !group.traceback.is_empty()
            })
    }

    /// Adds everything another table counted.
    pub fn merge(&mut self, other: &Self) {
        self.overflow = self.overflow.saturating_add(other.overflow);
        for (key, theirs) in &other.groups {
            if let Some(ours) = self.groups.get_mut(key) {
                let better = theirs.first_ns < ours.first_ns || ours.traceback.is_empty();
                ours.first_ns = ours.first_ns.min(theirs.first_ns);
                if better && !theirs.traceback.is_empty() {
                    ours.example.clone_from(&theirs.example);
                    ours.traceback.clone_from(&theirs.traceback);
                }
                ours.count = ours.count.saturating_add(theirs.count);
                ours.last_ns = ours.last_ns.max(theirs.last_ns);
            } else if self.groups.len() >= MAX_GROUPS {
                self.overflow = self.overflow.saturating_add(theirs.count);
            } else {
                self.groups.insert(key.clone(), theirs.clone());
            }
        }
    }

    /// The groups, the most frequent first.
    pub fn by_count(&self) -> Vec<(&FailureKey, &FailureGroup)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0)));
        groups
    }

    /// Failures that found no group because there were too many kinds.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Whether nothing failed.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.overflow == 0
    }
}

/// Masks what differs from one failure to the next, so that they fall into one group: every run of digits becomes `#`,
/// and so does every UUID and every word of eight or more hexadecimal digits that has a digit in it (request ids, addresses). The text is cut at
/// [`MAX_MESSAGE_CHARS`].
pub fn mask(message: &str) -> String {
    let mut masked = String::with_capacity(message.len().min(MAX_MESSAGE_CHARS));
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        if masked.chars().count() >= MAX_MESSAGE_CHARS {
            masked.push('…');
            break;
        }
        if !first.is_alphanumeric() {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        if let Some(after) = strip_uuid(rest) {
            masked.push('#');
            rest = after;
            continue;
        }
        // A longer word is taken in pieces, so that the limit holds.
        let ends = |(place, c): (usize, char)| !c.is_alphanumeric() || place >= MAX_MESSAGE_CHARS;
        let word_len = rest
            .char_indices()
            .find(|at| ends(*at))
            .map_or(rest.len(), |(place, _)| place);
        let (word, next) = rest.split_at(word_len);
        rest = next;
        let hexadecimal = word.strip_prefix("0x").unwrap_or(word);
        let has_digit = word.bytes().any(|b| b.is_ascii_digit());
        if has_digit && hexadecimal.len() >= 8 && hexadecimal.bytes().all(|b| b.is_ascii_hexdigit()) {
            masked.push('#');
        } else if has_digit {
            let mut in_number = false;
            for c in word.chars() {
                if !c.is_ascii_digit() {
                    masked.push(c);
                } else if !in_number {
                    masked.push('#');
                }
                in_number = c.is_ascii_digit();
            }
        } else {
            masked.push_str(word);
        }
    }
    if let Some((end, _)) = masked.char_indices().nth(MAX_MESSAGE_CHARS) {
        masked.truncate(end);
        masked.push('…');
    }
    masked
}

/// What follows a UUID (8-4-4-4-12 hexadecimal digits) at the start of the text.
fn strip_uuid(text: &str) -> Option<&str> {
    let head = text.as_bytes().get(..36)?;
    let dash_at = |i: usize| matches!(i, 8 | 13 | 18 | 23);
    let fits = head.iter().enumerate().all(|(i, b)| {
        if dash_at(i) {
            *b == b'-'
        } else {
            b.is_ascii_hexdigit()
        }
    });
    fits.then(|| &text[36..])
}

/// Cuts a text at a character boundary, saying so.
pub fn clip(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let mut end = max_bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} … ({} more bytes)", &text[..end], text.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(message: &str) -> FailureKey {
        FailureKey {
            phase: Phase::Run,
            exception: "ValueError".into(),
            frame: "t.py:3 in run".into(),
            message: mask(message),
        }
    }

    #[test]
    fn numbers_and_ids_are_masked() {
        for (message, masked) in [
            ("timeout after 5003 ms", "timeout after # ms"),
            ("id 3f2a9c1d-77aa-4b1c-9d2e-0a1b2c3d4e5f gone", "id # gone"),
            ("object at 0x7f12ab34cd", "object at #"),
            ("connection refused", "connection refused"),
            (
                "deadbeef is a word without digits",
                "deadbeef is a word without digits",
            ),
            ("HTTP2 said 404", "HTTP# said #"),
        ] {
            assert_eq!(mask(message), masked);
        }
    }

    #[test]
    fn like_failures_fall_into_one_group() {
        let mut failures = Failures::default();
        failures.record(key("took 5 s"), 10, || ("took 5 s".into(), "traceback".into()));
        failures.record(key("took 7 s"), 5, || unreachable!("the group is known"));
        let groups = failures.by_count();
        assert_eq!(groups.len(), 1);
        let (_, group) = groups[0];
        assert_eq!(
            (group.count, group.first_ns, group.last_ns, group.example.as_str()),
            (2, 5, 10, "took 5 s")
        );
    }

    #[test]
    fn kinds_are_capped_and_the_rest_is_counted() {
        let mut failures = Failures::default();
        let names: Vec<String> = (0..MAX_GROUPS + 3).map(|i| "x".repeat(i + 1)).collect();
        for name in &names {
            failures.record(key(name), 0, || (name.clone(), String::new()));
        }
        assert_eq!((failures.by_count().len(), failures.overflow()), (MAX_GROUPS, 3));
        let mut merged = failures.clone();
        merged.merge(&failures);
        assert_eq!((merged.by_count().len(), merged.overflow()), (MAX_GROUPS, 6));
        assert_eq!(merged.by_count()[0].1.count, 2);
    }

    #[test]
    fn a_message_of_one_endless_word_is_cut() {
        for word in ["x", "ß", "x1", "deadbeef"] {
            let masked = mask(&word.repeat(1_000_000));
            assert!(
                masked.chars().count() <= MAX_MESSAGE_CHARS + 1,
                "{}",
                masked.len()
            );
        }
    }

    proptest! {
        #[test]
        fn masking_takes_any_text(text in ".*") {
            prop_assert!(mask(&text).chars().count() <= MAX_MESSAGE_CHARS + 1);
        }

        #[test]
        fn clipping_takes_any_text(text in ".{0,50}", max in 0usize..60) {
            let clipped = clip(&text, max);
            prop_assert!(clipped == text || clipped.len() <= max + 40);
        }
    }
}
