//! Texts that have limits.

/// At most so many characters of a text.
pub(super) fn clip(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
