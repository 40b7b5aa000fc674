//! Text fitted to columns, and numbers as people read them. Whatever user code said goes through [`one_line`] or
//! [`lines`] before it is laid out: a message must not be able to move the cursor.

use pysurge_core::harmless::harmless_char;

/// Columns a terminal uses for the text. Wide are the scripts and pictures of Unicode's East Asian width classes W
/// and F; nothing wide are combining marks and joiners.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200d | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
    }
}

/// Cuts a text to so many columns, with `…` where something is gone.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += char_width(c);
        if used > columns {
            break;
        }
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// Breaks a text at spaces into at most `max_lines` lines; a word that is too long is broken anywhere, and what does
/// not fit is cut with `…`.
pub(crate) fn wrap(text: &str, columns: usize, max_lines: usize) -> Vec<String> {
    let mut wrapped: Vec<String> = Vec::new();
    let mut current = String::new();
    let mut words: Vec<&str> = text.split_whitespace().rev().collect();
    while let Some(word) = words.pop() {
        if wrapped.len() + 1 == max_lines {
            let rest: Vec<&str> = std::iter::once(word).chain(words.into_iter().rev()).collect();
            let separator = if current.is_empty() { "" } else { " " };
            current = cut(&format!("{current}{separator}{}", rest.join(" ")), columns);
            break;
        }
        let separator = usize::from(!current.is_empty());
        if width(&current) + separator + width(word) <= columns {
            if separator == 1 {
                current.push(' ');
            }
            current.push_str(word);
        } else if current.is_empty() {
            let mut used = 0;
            let fits = |c: char| {
                used += char_width(c);
                used > columns
            };
            // At least one character per line, or a wide one in a single column would never end.
            let end = word.find(fits).unwrap_or(word.len());
            let end = end.max(word.chars().next().map_or(0, char::len_utf8));
            let (head, tail) = word.split_at(end);
            wrapped.push(head.to_owned());
            words.push(tail);
        } else {
            wrapped.push(std::mem::take(&mut current));
            words.push(word);
        }
    }
    if !current.is_empty() {
        wrapped.push(current);
    }
    wrapped
}

/// Pieces behind a lead, joined by commas and never broken inside but where one is wider than a line; further lines are indented.
pub(crate) fn flow(lead: &str, pieces: &[String], columns: usize) -> Vec<String> {
    const INDENT: &str = "  ";
    let mut flowed: Vec<String> = Vec::new();
    let mut current = lead.to_owned();
    for (i, piece) in pieces.iter().enumerate() {
        let comma = if i + 1 < pieces.len() { "," } else { "" };
        if i > 0 && width(&current) + 1 + width(piece) + comma.len() > columns {
            flowed.push(std::mem::replace(&mut current, format!("{INDENT}{piece}{comma}")));
        } else {
            current = format!("{current} {piece}{comma}");
        }
    }
    flowed.push(current);
    flowed.into_iter().map(|line| cut(&line, columns)).collect()
}

/// The text in one line, without anything that moves the cursor.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().map(harmless_char).collect()
}

/// The text's lines, tabs as four spaces, without anything that moves the cursor.
pub(crate) fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            line.trim_end()
                .replace('\t', "    ")
                .chars()
                .map(harmless_char)
                .collect()
        })
        .collect()
}

/// `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    grouped(&n.to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// `1 test`, `2 tests`, `1,000 tests`.
pub(crate) fn plural(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Magnitudes from here on are written with an exponent.
const LARGE: f64 = 9_999_999.5;

/// Magnitudes below are written with an exponent.
const SMALL: f64 = 1e-4;

/// A number of any size with four significant digits, all digits of its whole part, or three and an exponent, in at most
/// ten characters: `2.668`, `1,048,576`, `2.67e12`.
pub(crate) fn figure(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(SMALL..LARGE).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let sign = if value < 0.0 { "-" } else { "" };
    if magnitude >= 999.95 {
        return format!("{sign}{}", grouped(&format!("{magnitude:.0}")));
    }
    let decimals = match magnitude {
        0.000_1..0.001 => 7,
        0.001..0.01 => 6,
        0.01..0.1 => 5,
        0.1..0.999_95 => 4,
        0.999_95..9.999_5 => 3,
        9.999_5..99.995 => 2,
        _ => 1,
    };
    let text = format!("{magnitude:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{sign}{text}")
}

/// A share of a whole, which is neither nothing nor all where it is not: `97.3 %`, `99.99 %`, `0.01 %`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    // In hundredths of a percent, so that nothing is rounded up to all.
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    match hundredths {
        _ if part >= whole => "100 %".to_owned(),
        0 if part > 0 => "0.01 %".to_owned(),
        0 => "0 %".to_owned(),
        1..100 | 9_900.. => format!("{}.{:02} %", hundredths / 100, hundredths % 100),
        _ => format!("{}.{} %", hundredths / 100, hundredths % 100 / 10),
    }
}

/// A rate per second: as [`figure`], but never with an exponent where it is high.
pub(crate) fn rate(per_s: f64) -> String {
    if per_s < LARGE {
        figure(per_s)
    } else {
        grouped(&format!("{per_s:.0}"))
    }
}

/// An instant of the run: `12.3s`, `15s`, `1m05s`.
pub(crate) fn moment(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round() / 10.0;
    if tenths < 60.0 {
        format!("{tenths}s")
    } else {
        pysurge_core::span::format_clock(seconds * 1e9)
    }
}

/// A length of the run: `15s`, `1m00s`, `2.50 s`.
pub(crate) fn run_time(seconds: f64) -> String {
    use pysurge_core::span::{format_clock, format_span_f64};
    let whole = (seconds - seconds.round()).abs() < 0.005;
    if seconds < 60.0 && !whole {
        format_span_f64(seconds * 1e9)
    } else {
        format_clock(seconds * 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        for (value, text) in [
            (0.0, "0"),
            (2.668_292, "2.668"),
            (3.0, "3"),
            (-0.25, "-0.25"),
            (0.999_96, "1"),
            (99.999, "100"),
            (999.94, "999.9"),
            (999.96, "1,000"),
            (14.98, "14.98"),
            (1_048_576.0, "1,048,576"),
            (9_999_999.0, "9,999,999"),
            (2.668e12, "2.67e12"),
            (0.000_123_47, "0.0001235"),
            (0.000_000_12, "1.20e-7"),
            (-f64::MAX, "-1.80e308"),
        ] {
            assert_eq!(figure(value), text, "{value}");
        }
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(8_640_000_000), "8,640,000,000");
        assert_eq!(plural(1, "test"), "1 test");
    }

    #[test]
    fn shares() {
        for (part, whole, text) in [
            (0, 0, "-"),
            (0, 5, "0 %"),
            (5, 5, "100 %"),
            (1, 3, "33.3 %"),
            (999_999_999, 1_000_000_000, "99.99 %"),
            (1, 1_000_000_000, "0.01 %"),
            (1, 200, "0.50 %"),
            (199, 200, "99.50 %"),
            (u64::MAX - 1, u64::MAX, "99.99 %"),
        ] {
            assert_eq!(percent(part, whole), text, "{part} of {whole}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(rate(14.98), "14.98");
        assert_eq!(rate(10_000_000.0), "10,000,000");
    }

    #[test]
    fn run_times() {
        for (seconds, text) in [
            (0.0, "0s"),
            (2.5, "2.50 s"),
            (15.0, "15s"),
            (15.001, "15s"),
            (60.0, "1m00s"),
            (90.4, "1m30s"),
        ] {
            assert_eq!(run_time(seconds), text);
        }
    }

    #[test]
    fn moments() {
        for (seconds, text) in [
            (0.0, "0s"),
            (12.34, "12.3s"),
            (15.0, "15s"),
            (59.97, "1m00s"),
            (65.2, "1m05s"),
        ] {
            assert_eq!(moment(seconds), text);
        }
    }

    #[test]
    fn cutting_and_wrapping() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語テスト", 7), "日本語…");
        assert_eq!(wrap("one two three", 7, 9), ["one two", "three"]);
        assert_eq!(wrap("one two three four", 7, 2), ["one two", "three…"]);
        assert_eq!(wrap("abcdefghij kl", 4, 9), ["abcd", "efgh", "ij", "kl"]);
        assert!(wrap("", 4, 9).is_empty());
    }

    #[test]
    fn pieces_stay_whole() {
        let pieces = ["a 1 ms", "bb 2 s", "ccc 33 us"].map(str::to_owned);
        assert_eq!(flow("of:", &pieces, 80), ["of: a 1 ms, bb 2 s, ccc 33 us"]);
        assert_eq!(
            flow("of:", &pieces, 12),
            ["of: a 1 ms,", "  bb 2 s,", "  ccc 33 us"]
        );
        assert_eq!(flow("of:", &pieces[..1], 7), ["of: a…"]);
        assert_eq!(flow("none", &[], 7), ["none"]);
    }

    #[test]
    fn user_text_cannot_move_the_cursor() {
        assert_eq!(one_line(" a\r\n\tb\x1b[2J "), "a b\u{fffd}[2J");
        assert_eq!(lines("a\tb \n\x07c\u{202e}"), ["a    b", "\u{fffd}c\u{fffd}"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,60}", columns in 2usize..30, max_lines in 1usize..6) {
            prop_assert!(width(&cut(&text, columns)) <= columns);
            let wrapped = wrap(&text, columns, max_lines);
            prop_assert!(wrapped.len() <= max_lines, "{wrapped:?}");
            for line in wrapped {
                prop_assert!(width(&line) <= columns, "{line:?}");
            }
        }

        #[test]
        fn figures_are_short_and_close(value in prop::num::f64::NORMAL) {
            let text = figure(value);
            prop_assert!(text.len() <= 10, "{}", text);
            // Three digits of the greatest floats round to more than there is.
            prop_assume!(value.abs() < 1.79e308);
            let read: f64 = text.replace(',', "").parse().unwrap();
            prop_assert!(((read - value) / value).abs() < 1e-2, "{}", text);
        }
    }
}
