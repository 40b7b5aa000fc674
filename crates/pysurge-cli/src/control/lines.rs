//! The bytes of a client, cut into lines. A line that is too long is told as such once it has ended, and the next one is
//! read as if nothing had been; so memory stays within [`MAX_REQUEST_BYTES`], whatever a client sends.

use pysurge_core::control::MAX_REQUEST_BYTES;

/// What a client has sent of a line that has not ended.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    too_long: bool,
}

/// One line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// What it says; bytes that are not UTF-8 are replaced, and then understood by nobody.
    Text(String),
    /// It was longer than a request may be.
    TooLong,
}

impl Lines {
    /// Takes the next bytes and gives the lines that end in them.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let begun = pieces.next_back().unwrap_or_default();
        let mut lines = Vec::new();
        for piece in pieces {
            self.add(piece);
            lines.push(self.end());
        }
        self.add(begun);
        lines
    }

    /// What was begun when the client stopped writing: a last line need not end in a line break.
    pub(super) fn rest(&mut self) -> Option<Line> {
        (self.too_long || !self.begun.is_empty()).then(|| self.end())
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.too_long || self.begun.len() + bytes.len() > MAX_REQUEST_BYTES {
            self.too_long = true;
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) -> Line {
        if std::mem::take(&mut self.too_long) {
            return Line::TooLong;
        }
        let line = std::mem::take(&mut self.begun);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        Line::Text(String::from_utf8_lossy(line).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Line {
        Line::Text(text.to_owned())
    }

    #[test]
    fn lines_are_cut_wherever_the_bytes_were_cut() {
        let sent = b"one\r\ntwo\n\nthree";
        for size in 1..=sent.len() {
            let mut lines = Lines::default();
            let mut cut: Vec<Line> = sent.chunks(size).flat_map(|bytes| lines.push(bytes)).collect();
            cut.extend(lines.rest());
            assert_eq!(cut, [text("one"), text("two"), text(""), text("three")], "{size}");
            assert_eq!(lines.rest(), None);
        }
    }

    #[test]
    fn a_line_that_is_too_long_costs_no_memory_and_only_itself() {
        let mut lines = Lines::default();
        let long = vec![b'x'; MAX_REQUEST_BYTES];
        assert_eq!(lines.push(&long), []);
        assert_eq!(lines.push(b"\n"), [text(&"x".repeat(MAX_REQUEST_BYTES))]);
        for _ in 0..10 {
            assert_eq!(lines.push(&long), []);
            assert!(lines.begun.len() <= MAX_REQUEST_BYTES);
        }
        assert_eq!(lines.push(b"yz\nnext\nhalf"), [Line::TooLong, text("next")]);
        assert_eq!(lines.rest(), Some(text("half")));
        lines.push(&long);
        lines.push(&long);
        assert_eq!(lines.rest(), Some(Line::TooLong));
        assert_eq!(lines.rest(), None);
    }

    #[test]
    fn what_is_no_text_is_still_a_line() {
        assert_eq!(Lines::default().push(b"\xff\n"), [text("\u{fffd}")]);
    }
}
