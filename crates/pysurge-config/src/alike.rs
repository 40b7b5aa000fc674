//! "Did you mean": the known word that is most like one that is not known.

pub(crate) use pysurge_core::alike::closest;

/// Words as a hint lists them: `a`, `b` and 3 more.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    const MAX_LISTED: usize = 20;
    let words: Vec<String> = words
        .into_iter()
        .map(|word| format!("`{}`", crate::resolve::shorten(word)))
        .collect();
    let shown = words[..words.len().min(MAX_LISTED)].join(", ");
    match words.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ => shown,
    }
}
