//! Text of others in a cell of a CSV file. A spreadsheet takes what begins like a formula for one and runs it, whatever quotes are around it: so
//! such a text gets an apostrophe in front, as OWASP advises (<https://owasp.org/www-community/attacks/CSV_Injection>). Numbers that we
//! write ourselves do not come here.

use std::borrow::Cow;

/// The text as it may stand in a cell; `docs/reference/timeseries.md` tells how to read it back.
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    let is_formula = text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]);
    if is_formula {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begins_like_a_formula() {
        for (text, expected) in [
            ("", ""),
            ("a=1", "a=1"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("'=1", "'=1"),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }
}
