//! Short words of the command line and of messages: spans and rates read back as they are written, and what is shown of a text is bounded.

use pysurge_core::failure::{MAX_MESSAGE_CHARS, clip, mask};
use pysurge_core::rate::Rate;
use pysurge_core::schedule::Factor;
use pysurge_core::span::{format_clock, format_span, format_span_plain, parse_span, parse_span_or_minutes};

/// Reads the bytes as a span, a rate, a factor and as the message of an exception.
pub fn quantity(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for span_ns in [parse_span(&text), parse_span_or_minutes(&text)]
        .into_iter()
        .flatten()
    {
        assert_eq!(parse_span(&format_span_plain(span_ns)), Ok(span_ns));
        format_span(span_ns);
        #[expect(clippy::cast_precision_loss, reason = "a clock shows seconds")]
        format_clock(span_ns as f64);
    }
    if let Ok(rate) = Rate::parse(&text) {
        assert_eq!(Rate::parse(&rate.to_string()), Ok(rate));
    }
    if let Ok(factor) = Factor::parse(&text) {
        assert_eq!(Factor::parse(&factor.to_string()).ok(), Some(factor));
    }
    let masked = mask(&text);
    assert!(masked.chars().count() <= MAX_MESSAGE_CHARS + 1, "{masked:?}");
    let clipped = clip(&text, MAX_MESSAGE_CHARS);
    assert!(clipped == text || clipped.len() <= MAX_MESSAGE_CHARS + 40);
}
