//! One row of a CSV file, taken apart as the `csv` crate does, which checked the file.
//!
//! The crate reads files from front to back by machinery of its own, whose making costs more than most rows; here a row is taken from the
//! middle of a file. That both see the same is held by a property test.

use std::borrow::Cow;

/// Where the row that begins here ends, behind its line break or at the end of the bytes; line breaks before it belong to it.
pub(super) fn end_of_row(bytes: &[u8]) -> usize {
    let mut at = skip_breaks(bytes);
    loop {
        let (_, next) = cell(bytes, at);
        if bytes.get(next) != Some(&b',') {
            return next + usize::from(next < bytes.len());
        }
        at = next + 1;
    }
}

/// Hands over the cells of the row that begins here, with their places; false where one is not UTF-8.
pub(super) fn each_cell<E>(
    bytes: &[u8],
    mut put: impl FnMut(usize, &str) -> Result<(), E>,
) -> Result<bool, E> {
    let (mut at, mut place) = (skip_breaks(bytes), 0);
    loop {
        let (cell, next) = cell(bytes, at);
        let Ok(text) = str::from_utf8(&cell) else {
            return Ok(false);
        };
        put(place, text)?;
        if bytes.get(next) != Some(&b',') {
            return Ok(true);
        }
        (at, place) = (next + 1, place + 1);
    }
}

/// Line breaks before something, or at the end: no row.
pub(super) fn skip_breaks(bytes: &[u8]) -> usize {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    bytes
        .iter()
        .position(|byte| !is_break(byte))
        .unwrap_or(bytes.len())
}

/// A cell that begins here, and where it ends: at a comma, a line break or the end of the bytes.
fn cell(bytes: &[u8], at: usize) -> (Cow<'_, [u8]>, usize) {
    if bytes.get(at) == Some(&b'"') {
        let (cell, next) = quoted_cell(bytes, at + 1);
        return (Cow::Owned(cell), next);
    }
    let next = end_of_plain(bytes, at);
    (Cow::Borrowed(&bytes[at..next]), next)
}

fn end_of_plain(bytes: &[u8], at: usize) -> usize {
    let rest = bytes[at..]
        .iter()
        .position(|byte| matches!(byte, b',' | b'\r' | b'\n'));
    rest.map_or(bytes.len(), |length| at + length)
}

/// The rest of a quoted cell. What follows its closing quote belongs to it as it stands.
fn quoted_cell(bytes: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let mut cell = Vec::new();
    while let Some(quote) = bytes[at..].iter().position(|byte| *byte == b'"') {
        cell.extend_from_slice(&bytes[at..at + quote]);
        at += quote + 1;
        if bytes.get(at) == Some(&b'"') {
            cell.push(b'"');
            at += 1;
        } else {
            let next = end_of_plain(bytes, at);
            cell.extend_from_slice(&bytes[at..next]);
            return (cell, next);
        }
    }
    cell.extend_from_slice(&bytes[at..]);
    (cell, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ours(mut bytes: &[u8]) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        while skip_breaks(bytes) < bytes.len() {
            let mut row = Vec::new();
            let put = |place: usize, text: &str| {
                assert_eq!(place, row.len());
                row.push(text.to_owned());
                Ok::<_, ()>(())
            };
            assert_eq!(each_cell(bytes, put), Ok(true));
            rows.push(row);
            bytes = &bytes[end_of_row(bytes)..];
        }
        rows
    }

    fn theirs(bytes: &[u8]) -> Vec<Vec<String>> {
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(bytes);
        let rows = reader.records().map(|row| row.unwrap());
        rows.map(|row| row.iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn cells_are_as_they_stand() {
        let text = "\r\na, b ,\"c,\"\"d\"\"\ne\"f,\"\",g\"h\r\n\n,\n\"\"\nü\r\"x\" ";
        assert_eq!(
            ours(text.as_bytes()),
            [
                vec!["a", " b ", "c,\"d\"\nef", "", "g\"h"],
                vec!["", ""],
                vec![""],
                vec!["ü"],
                vec!["x "],
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]
        #[test]
        fn rows_are_those_of_the_csv_crate(text in r#"[a,"\r\n ü]{0,40}"#) {
            prop_assert_eq!(ours(text.as_bytes()), theirs(text.as_bytes()));
        }
    }
}
