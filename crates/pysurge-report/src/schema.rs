//! The JSON Schema of `summary.json`, derived from the type that is written, so that the two cannot differ.

use pysurge_core::summary::Summary;

/// The schema as pretty-printed JSON with a final newline: the content of `docs/schema/summary.schema.json`.
pub fn summary_schema() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Summary))
        .expect("a schema is plain JSON without keys that are no strings");
    text.push('\n');
    text
}
