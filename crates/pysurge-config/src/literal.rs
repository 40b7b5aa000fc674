//! Where the characters of a scalar's value stand in the text it was written as.
//!
//! For errors about a part of a value. Scalars on one line, plain or in quotes; what is folded over lines, or changed after it was read, has
//! no such places.

use std::ops::Range;

/// The bytes of `written`, a scalar as it stands in the file, that make up some characters of its value. Characters behind the end of the value
/// are the place right behind it.
pub(crate) fn place(written: &str, value: &str, chars: &Range<usize>) -> Option<Range<usize>> {
    let characters = characters(written)?;
    if !characters.iter().map(|(c, _)| *c).eq(value.chars()) {
        return None;
    }
    let end = characters
        .last()
        .map_or(written.len().min(1), |(_, bytes)| bytes.end);
    let start_of = |at: usize| characters.get(at).map_or(end, |(_, bytes)| bytes.start);
    let last = chars.end.checked_sub(1)?;
    let end = characters.get(last).map_or(end, |(_, bytes)| bytes.end);
    let start = start_of(chars.start);
    Some(start..end.max(start))
}

/// Each character of the value, and the bytes it was written as.
fn characters(written: &str) -> Option<Vec<(char, Range<usize>)>> {
    if written.contains(['\n', '\r']) {
        return None;
    }
    let inside = |quote: char| written.strip_prefix(quote)?.strip_suffix(quote);
    let plain = |text: &str, from: usize| -> Vec<(char, Range<usize>)> {
        let at = |(i, c): (usize, char)| (c, from + i..from + i + c.len_utf8());
        text.char_indices().map(at).collect()
    };
    if let Some(text) = inside('\'') {
        let mut characters = plain(text, 1);
        let mut after_quote = false;
        // The second of two quotes is left out, and the first one stands for both.
        characters.retain(|(c, _)| {
            after_quote = *c == '\'' && !after_quote;
            *c != '\'' || after_quote
        });
        return Some(characters);
    }
    let Some(text) = inside('"') else {
        return Some(plain(written, 0));
    };
    let mut found = Vec::new();
    let mut rest = plain(text, 1).into_iter();
    while let Some((c, bytes)) = rest.next() {
        if c != '\\' {
            found.push((c, bytes));
            continue;
        }
        let (escape, after) = rest.next()?;
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let mut end = after.end;
        let character = match escape {
            '"' | '\\' | '/' | ' ' => escape,
            't' => '\t',
            'n' => '\n',
            _ if digits > 0 => {
                let hex: Vec<(char, Range<usize>)> = rest.by_ref().take(digits).collect();
                end = hex.last()?.1.end;
                let hex: String = hex.iter().map(|(c, _)| c).collect();
                char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?
            }
            _ => return None,
        };
        found.push((character, bytes.start..end));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_part_of_a_value_is_found_where_it_was_written() {
        for (written, value, chars, expected) in [
            ("abc", "abc", 1..2, Some("b")),
            ("größe x", "größe x", 2..5, Some("öße")),
            ("'abc'", "abc", 0..1, Some("a")),
            ("'it''s b'", "it's b", 2..3, Some("'")),
            ("'it''s b'", "it's b", 5..6, Some("b")),
            ("''''''", "''", 1..2, Some("'")),
            ("\"a\\\"b\\\" c\"", "a\"b\" c", 1..4, Some("\\\"b\\\"")),
            ("\"\\u00e9x\"", "éx", 0..1, Some("\\u00e9")),
            ("\"\\u00e9x\"", "éx", 1..2, Some("x")),
            ("abc", "abc", 3..4, Some("")),
            ("'abc'", "abc", 3..4, Some("")),
            ("''", "", 0..1, Some("")),
            ("abc", "abd", 1..2, None),
            ("${X}", "5", 0..1, None),
            ("\"a\\qb\"", "ab", 0..1, None),
            (">\n  abc", "abc", 0..1, None),
        ] {
            let found = place(written, value, &chars).map(|bytes| &written[bytes]);
            assert_eq!(found, expected, "{written} {chars:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_lies_within_the_text(written in "['\"\\\\xu0a-cü]{0,12}", value in "[a-cü']{0,6}", from in 0usize..8, length in 1usize..4) {
            for value in [&value, &written] {
                if let Some(bytes) = place(&written, value, &(from..from + length)) {
                    prop_assert!(written.get(bytes).is_some());
                }
            }
        }
    }
}
