//! Figures in the words of a cause: `1,840/s`, `98 %`, `312 MiB`.

/// Characters of a test's name that leave room for what is said of it.
const MOST_LABEL_CHARS: usize = 40;

/// A number with its thousands apart.
pub(super) fn count(n: impl Into<u64>) -> String {
    let digits = n.into().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 thread`, `2,000 threads`.
pub(super) fn number_of(n: impl Into<u64>, what: &str) -> String {
    let n = n.into();
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(n))
}

/// A share in whole percent.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", count(whole((share * 100.0).round())))
}

/// A rate, to three digits or the whole.
pub(super) fn rate(per_s: f64) -> String {
    if per_s >= 99.95 {
        return format!("{}/s", count(whole(per_s.round())));
    }
    let places = if per_s >= 9.995 { 1 } else { 2 };
    let text = format!("{per_s:.places$}");
    format!("{}/s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// An amount of memory.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", count(bytes / (1024 * 1024)))
}

/// A test's name, at most [`MOST_LABEL_CHARS`] of it.
pub(super) fn label(label: &str) -> String {
    match label.char_indices().nth(MOST_LABEL_CHARS) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label.to_owned(),
    }
}

/// A part of a whole; 0 where there is no whole.
pub(super) fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { float(part) / float(of) }
}

/// Nanoseconds as seconds.
pub(super) fn seconds(ns: u64) -> f64 {
    float(ns) / 1e9
}

/// A number for estimates.
#[expect(clippy::cast_precision_loss, reason = "estimates need no more than 53 bits")]
pub(super) fn float(n: u64) -> f64 {
    n as f64
}

/// Up to the next whole number; 0 for what is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and takes what is no number to 0"
)]
pub(super) fn whole(number: f64) -> u64 {
    number.ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        for (n, text) in [
            (0u64, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(n), text);
        }
        for (per_s, text) in [
            (1_840.2, "1,840/s"),
            (99.96, "100/s"),
            (53.2, "53.2/s"),
            (20.0, "20/s"),
            (3.6, "3.6/s"),
            (0.2, "0.2/s"),
            (0.0, "0/s"),
            (f64::NAN, "NaN/s"),
        ] {
            assert_eq!(rate(per_s), text);
        }
        assert_eq!((percent(0.976), percent(f64::NAN)), ("98 %".into(), "0 %".into()));
        assert_eq!(mebibytes(327_155_712), "312 MiB");
        assert_eq!(number_of(1u32, "thread"), "1 thread");
        assert_eq!(number_of(2_000u32, "thread"), "2,000 threads");
        assert_eq!(label(&"ü".repeat(50)), format!("{}…", "ü".repeat(40)));
    }
}
