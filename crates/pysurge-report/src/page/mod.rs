//! `report.html`: one file that shows a whole run and needs nothing else, no network and no server. It is made of what the run's folder has
//! (`summary.json`, `timeseries.csv`, `config.yml`), so that it can be made again at any time.
//!
//! The page itself is built from `web/` and has a place for its data, which is text in a block of JSON: a browser never runs it, and a
//! content security policy in the page lets nothing run but the script that it was built with. Text of user code is made harmless first.

mod curves;
mod data;
mod rows;

use data::Page;
use pysurge_core::harmless::{Colours, harmless, harmless_lines};
use pysurge_core::summary::Summary;
use serde_json::Value;

/// The name of the file.
pub const REPORT: &str = "report.html";

/// The page as `web/` is built, with marks where the data and the title belong.
const TEMPLATE: &str = include_str!(concat!(env!("OUT_DIR"), "/report.html"));

const DATA: &str = "@@DATA@@";
const TITLE: &str = "@@TITLE@@";

/// The page of a run: of its summary, the text of its `timeseries.csv`, and that of its `config.yml`. What of the series cannot be read is
/// left out.
pub fn report_html(summary: &Summary, timeseries: &str, config: &str) -> String {
    let page = Page::of(summary, timeseries, config);
    let mut value = serde_json::to_value(page).expect("a page is plain data with text as keys");
    clean(&mut value);
    // As JSON has it, so nothing in it can end the block.
    let json = value.to_string().replace('<', "\\u003c");
    let (lead, tail) = TEMPLATE
        .split_once(DATA)
        .expect("the page has a place for its data");
    let lead = lead.replace(TITLE, &escaped(&harmless(&summary.name)));
    [&lead, &json, tail].concat()
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
