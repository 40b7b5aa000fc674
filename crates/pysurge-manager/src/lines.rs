//! Bytes of a pipe, in any pieces, to lines of text. Memory is bounded: a line's tail beyond the limit is dropped.

/// The most bytes of a line that are kept.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024;

/// Splits a stream of bytes at newlines.
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    unfinished: Vec<u8>,
}

impl LineSplitter {
    /// Takes bytes and gives every line that they complete, without its end; invalid UTF-8 is replaced.
    pub(crate) fn push(&mut self, bytes: &[u8], mut give: impl FnMut(String)) {
        let mut pieces = bytes.split(|&byte| byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = MAX_LINE_BYTES - self.unfinished.len();
            self.unfinished.extend_from_slice(&piece[..piece.len().min(room)]);
            if pieces.peek().is_some() {
                give(self.take());
            }
        }
    }

    /// The last line, where the stream did not end with a newline.
    pub(crate) fn finish(&mut self) -> Option<String> {
        (!self.unfinished.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let line = self.unfinished.strip_suffix(b"\r").unwrap_or(&self.unfinished);
        let line = String::from_utf8_lossy(line).into_owned();
        self.unfinished.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let (mut splitter, mut lines) = (LineSplitter::default(), Vec::new());
        for piece in pieces {
            splitter.push(piece, |line| lines.push(line));
        }
        lines.extend(splitter.finish());
        lines
    }

    #[test]
    fn lines_are_split() {
        for (pieces, lines) in [
            (vec![b"a\nb\n".as_slice()], vec!["a", "b"]),
            (vec![b"a", b"b\r\n", b"\nc"], vec!["ab", "", "c"]),
            (vec![b"\xff\n"], vec!["\u{fffd}"]),
            (vec![b""], vec![]),
        ] {
            assert_eq!(split(&pieces), lines);
        }
    }

    #[test]
    fn a_line_is_cut_at_the_limit_and_the_next_is_whole() {
        let long = vec![b'x'; MAX_LINE_BYTES - 1];
        let lines = split(&[&long, b"yz", b"w\nnext\n"]);
        assert_eq!(lines[0].len(), MAX_LINE_BYTES);
        assert!(lines[0].ends_with("xy"));
        assert_eq!(lines[1], "next");
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(text in "[a-c\n]{0,60}", cut in 0usize..60) {
            let cut = cut.min(text.len());
            let (left, right) = text.as_bytes().split_at(cut);
            prop_assert_eq!(split(&[left, right]), split(&[text.as_bytes()]));
        }
    }
}
