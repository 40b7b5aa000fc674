//! What others wrote, as the value of a label: short, in one line, and never the same for two texts.

use pysurge_core::harmless::{excerpt, harmless};
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The most characters of a label's value: the first 182, and what tells it from others that begin alike.
const MAX_CHARS: usize = 200;

/// `…` and 16 digits are behind what is left of a text.
const KEPT_CHARS: usize = MAX_CHARS - 18;

/// A text as it is; where it is long, or would do something else than be seen, its beginning and a number made of all of it.
pub(super) fn label(text: &str) -> Arc<str> {
    let is_short = text.chars().nth(MAX_CHARS).is_none();
    match harmless(text) {
        Cow::Borrowed(same) if is_short => same.into(),
        _ => {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            let beginning = excerpt(text, KEPT_CHARS);
            format!("{}…~{:016x}", beginning.trim_end_matches('…'), hasher.finish()).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_and_harmless_stays() {
        for text in [
            "",
            "upload",
            "<Upload kwargs={'a': \"b\\n\"}>",
            "ü",
            &"x".repeat(MAX_CHARS),
        ] {
            assert_eq!(&*label(text), text);
        }
    }

    #[test]
    fn texts_that_begin_alike_stay_apart_and_in_one_line() {
        let long = |end: &str| "x".repeat(10_000) + end;
        let hostile = [
            "a\nb",
            "a\rb",
            "a\u{2028}b",
            "a\u{0}b",
            "a\u{fffd}b",
            &long("1"),
            &long("2"),
        ];
        let labels: Vec<_> = hostile.iter().map(|text| label(text)).collect();
        for (at, one) in labels.iter().enumerate() {
            assert!(one.chars().count() <= MAX_CHARS, "{one}");
            assert!(!one.chars().any(pysurge_core::harmless::is_harmful), "{one}");
            assert!(!labels[..at].contains(one), "{one}");
        }
    }
}
