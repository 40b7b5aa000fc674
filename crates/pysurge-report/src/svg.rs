//! Pieces of pictures: elements of SVG as text.
//!
//! Everything that a user wrote goes through [`escaped`]: a name must not be able to end an element.

use pysurge_core::harmless::harmless_char;

/// A number as short as a tenth of a pixel needs.
pub(crate) fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// A text; `anchor` is `start`, `middle` or `end`.
pub(crate) fn words(class: &str, x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!(
        "    <text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>\n",
        n(x),
        n(y),
        escaped(text)
    )
}

/// A straight line.
pub(crate) fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> String {
    format!(
        "    <line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n",
        n(from.0),
        n(from.1),
        n(to.0),
        n(to.1)
    )
}

/// A rectangle.
pub(crate) fn rectangle(class: &str, x: f64, y: f64, width: f64, height: f64) -> String {
    format!(
        "    <rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n",
        n(x),
        n(y),
        n(width),
        n(height)
    )
}

/// A text as it may stand in an element or an attribute; what XML has no place for is replaced.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(harmless_char(c)),
        }
    }
    safe
}
