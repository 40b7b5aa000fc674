//! "Did you mean": the known word that is most like one that is not known.

/// How alike two words must be (1 is equal); two letters of five may differ.
const ALIKE: f64 = 0.6;

/// Words that are longer are like no other: comparing takes time and memory of the product of the lengths.
const MAX_BYTES: usize = 100;

/// The most like of `known`, where one is like enough. Capitals and `-` for `_` do not count.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > MAX_BYTES {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let written = plain(written);
    let likeness = |name: &str| {
        let name = plain(name);
        let part = is_part(&written, &name) || is_part(&name, &written);
        let likeness = strsim::normalized_damerau_levenshtein(&written, &name);
        if part { likeness.max(ALIKE) } else { likeness }
    };
    known
        .into_iter()
        .filter(|name| name.len() <= MAX_BYTES)
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Whether a text is a word of another one, or its beginning.
fn is_part(text: &str, of: &str) -> bool {
    text.len() >= 3 && (of.starts_with(text) || of.split(['_', ' ']).any(|word| word == text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_like_word_is_found() {
        let endless = "rate".repeat(1_000_000);
        let known = ["rate", "start_rate", "stages", "Upload"];
        for (written, expected) in [
            ("rates", Some("rate")),
            ("Start-Rate", Some("start_rate")),
            ("stage", Some("stages")),
            ("uplod", Some("Upload")),
            ("start", Some("start_rate")),
            ("rat", Some("rate")),
            ("art", None),
            ("x", None),
            ("", None),
            (endless.as_str(), None),
        ] {
            assert_eq!(closest(written, known), expected, "{written}");
        }
    }
}
