//! Text of others made safe to show: names, messages, printed lines. Nothing of it may move a cursor, set a title, fill a clipboard, turn the
//! direction of what follows, or look like a line of ours. Every view goes through here, and there is no second list of such characters.
//!
//! What is harmful becomes U+FFFD, so that one sees that something was there. The colours of printed lines may stay: they are there on purpose
//! and change nothing but colours.

use std::borrow::Cow;

/// What stands for what may not be shown.
const REPLACEMENT: char = '\u{fffd}';

/// The parameters of a colour are a few numbers.
const MAX_SGR_BYTES: usize = 64;

/// Sets the colours back.
const SGR_RESET: &str = "\x1b[0m";

/// What becomes of the colours of a printed line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// They stay, and end with the text.
    Keep,
    /// They are left out.
    Drop,
}

/// Whether a character does something else than to be seen: control characters (also line ends and tabs), the marks and brackets that turn
/// the direction of text around, Unicode's own line ends, and the characters that are none.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fffe}'
                | '\u{ffff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A character as it may be shown.
pub fn harmless_char(c: char) -> char {
    if is_harmful(c) { REPLACEMENT } else { c }
}

/// A text in which nothing is harmful, in one line: spaces stay as they are.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_harmful) {
        Cow::Owned(text.chars().map(harmless_char).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The beginning of a text of others, for a message that names it: at most so many characters, in one line.
pub fn excerpt(text: &str, most_chars: usize) -> String {
    match text.char_indices().nth(most_chars) {
        Some((end, _)) => format!("{}…", harmless(&text[..end])),
        None => harmless(text).into_owned(),
    }
}

/// Lines that user code printed or logged: line ends and tabs stay, and the colours as is wanted.
pub fn harmless_lines(text: &str, colours: Colours) -> Cow<'_, str> {
    let is_suspect = |c: char| is_harmful(c) && !matches!(c, '\n' | '\t');
    if !text.chars().any(is_suspect) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut coloured = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(sgr) = sgr_at(rest) {
            if colours == Colours::Keep {
                safe.push_str(sgr);
                coloured = !matches!(sgr, SGR_RESET | "\x1b[m");
            }
            rest = &rest[sgr.len()..];
            continue;
        }
        match c {
            '\n' | '\t' => safe.push(c),
            // The line ends of other systems.
            '\r' if matches!(rest.as_bytes(), [_] | [_, b'\n', ..]) => {}
            c => safe.push(harmless_char(c)),
        }
        rest = &rest[c.len_utf8()..];
    }
    if coloured {
        safe.push_str(SGR_RESET);
    }
    Cow::Owned(safe)
}

/// The colour that a text begins with: `ESC [ 1;31 m`.
fn sgr_at(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters
        .bytes()
        .take(MAX_SGR_BYTES)
        .position(|byte| !(byte.is_ascii_digit() || matches!(byte, b';' | b':')))?;
    (parameters.as_bytes()[end] == b'm').then(|| &text[..end + 3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_is_seen_is_left() {
        for (text, kept, dropped) in [
            ("plain ünïcode 日本", "plain ünïcode 日本", "plain ünïcode 日本"),
            ("two\n\tlines", "two\n\tlines", "two\n\tlines"),
            ("dos\r\nline\r", "dos\nline", "dos\nline"),
            ("over\rwritten", "over\u{fffd}written", "over\u{fffd}written"),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m", "red"),
            ("\x1b[1;38:5:9mopen", "\x1b[1;38:5:9mopen\x1b[0m", "open"),
            ("\x1b[2J", "\u{fffd}[2J", "\u{fffd}[2J"),
            (
                "\x1b]0;title\x07",
                "\u{fffd}]0;title\u{fffd}",
                "\u{fffd}]0;title\u{fffd}",
            ),
            (
                "\x1b]52;c;aGk=\x1b\\",
                "\u{fffd}]52;c;aGk=\u{fffd}\\",
                "\u{fffd}]52;c;aGk=\u{fffd}\\",
            ),
            ("\u{9b}31m", "\u{fffd}31m", "\u{fffd}31m"),
            ("\x1b[", "\u{fffd}[", "\u{fffd}["),
            ("\x1b[?1m", "\u{fffd}[?1m", "\u{fffd}[?1m"),
            (
                "a\u{202e}b\u{2066}c\u{200f}",
                "a\u{fffd}b\u{fffd}c\u{fffd}",
                "a\u{fffd}b\u{fffd}c\u{fffd}",
            ),
            (
                "\0\x07\x08\x7f\u{ffff}",
                "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
                "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
            ),
        ] {
            assert_eq!(harmless_lines(text, Colours::Keep), kept, "{text:?}");
            assert_eq!(harmless_lines(text, Colours::Drop), dropped, "{text:?}");
        }
        let long = format!("\x1b[{}m", "1;".repeat(MAX_SGR_BYTES));
        assert!(harmless_lines(&long, Colours::Keep).starts_with(REPLACEMENT));
        assert_eq!(harmless("a\n\tb \u{2028}"), "a\u{fffd}\u{fffd}b \u{fffd}");
    }

    proptest! {
        #[test]
        fn nothing_harmful_gets_through(text in prop::collection::vec(prop_oneof![
            Just("\x1b".to_owned()), Just("[".to_owned()), Just("0;1".to_owned()), Just("m".to_owned()), Just("\r\n".to_owned()), any::<char>().prop_map(String::from)
        ], 0..40)) {
            let text = text.concat();
            let dropped = harmless_lines(&text, Colours::Drop);
            prop_assert!(!dropped.chars().any(|c| is_harmful(c) && !matches!(c, '\n' | '\t')));
            prop_assert_eq!(harmless_lines(&dropped, Colours::Drop), dropped.clone());
            let kept = harmless_lines(&text, Colours::Keep);
            prop_assert_eq!(harmless_lines(&kept, Colours::Drop), dropped);
            prop_assert!(!harmless(&text).chars().any(is_harmful));
        }
    }
}
