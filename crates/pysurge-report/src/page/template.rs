//! Puts data into a page as `web/` is built, where it has marks for them.

use pysurge_core::harmless::{Colours, harmless, harmless_lines};
use serde::Serialize;
use serde_json::Value;

const DATA: &str = "@@DATA@@";
const TITLE: &str = "@@TITLE@@";

/// A page with a title and data; neither can be anything but text in it.
pub(super) fn fill(template: &str, title: &str, data: &impl Serialize) -> String {
    // As JSON has it, so nothing in it can end the block.
    let json = clean_json(data).replace('<', "\\u003c");
    let (lead, tail) = template
        .split_once(DATA)
        .expect("the page has a place for its data");
    let lead = lead.replace(TITLE, &escaped(&harmless(title)));
    [&lead, &json, tail].concat()
}

/// As JSON, in one line, with harmless text only.
pub(super) fn clean_json(data: &impl Serialize) -> String {
    let mut value = serde_json::to_value(data).expect("a page is plain data with text as keys");
    clean(&mut value);
    value.to_string()
}

/// Takes control characters and whatever else moves text from all that is shown; keys are shown too.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = harmless_lines(text, Colours::Drop).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(map) => {
            *map = std::mem::take(map)
                .into_iter()
                .map(|(key, mut value)| {
                    clean(&mut value);
                    (harmless(&key).into_owned(), value)
                })
                .collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// As the text of an element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
