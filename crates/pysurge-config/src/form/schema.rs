//! The JSON Schema of each kind of value, for editors. It takes all that is right; what it cannot say is left to the reader.
//!
//! An editor sees a variable (`${NAME}`) as a string, so every kind may be one.

use super::data::DataKeys;
use super::load::StageForm;
use super::replay::ReplayKeys;
use super::test::TestForm;
use super::threshold::ThresholdKeys;
use pysurge_core::rate::MAX_RATE_PER_S;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

const VARIABLE: &str = r"\$\{";
const LOADS: [&str; 5] = ["rate", "stages", "shape", "replay", "users"];

pub(super) fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"\S" })
}

pub(super) fn boolean(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "type": "boolean" }))
}

pub(super) fn class_path(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"^[^\s./:]+(\.[^\s./:]+)+$|\$\{" })
}

pub(super) fn target(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"\S", "examples": ["shop.load.upload", "load.py:Upload", "tests/test_api.py"] })
}

pub(super) fn function(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"^[^\s./:]+(\.[^\s./:]+)+$|\.py:[^\s./:]+$|\$\{" })
}

pub(super) fn kwargs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["object", "null"], "additionalProperties": true })
}

pub(super) fn rate(_: &mut SchemaGenerator) -> Schema {
    rate_from(&json!({ "type": "number", "exclusiveMinimum": 0, "maximum": MAX_RATE_PER_S }))
}

pub(super) fn rate_or_zero(_: &mut SchemaGenerator) -> Schema {
    rate_from(&json!({ "type": "number", "minimum": 0, "maximum": MAX_RATE_PER_S }))
}

fn rate_from(number: &Value) -> Schema {
    json_schema!({
        "anyOf": [
            number,
            {
                "type": "string",
                "description": "A number per minute, hour or day; one with an exponent; a variable.",
                "pattern": r"^\s*[0-9.]+\s*/\s*(s|sec|second|m|min|minute|h|hour|d|day)\s*$|^[0-9.]+[eE]|\$\{"
            }
        ]
    })
}

pub(super) fn span(_: &mut SchemaGenerator) -> Schema {
    span_schema().try_into().expect("an object is a schema")
}

/// As [`span`]: that it is not zero is left to the reader.
pub(super) fn long_span(generator: &mut SchemaGenerator) -> Schema {
    span(generator)
}

fn span_schema() -> Value {
    json!({
        "type": "string",
        "pattern": r"^\s*(([0-9]+\.?[0-9]*|\.[0-9]+)(ms|us|ns|s|m|h|d)\s*)+$|\$\{",
        "examples": ["90s", "5m", "1h30m", "250ms"]
    })
}

pub(super) fn range(_: &mut SchemaGenerator) -> Schema {
    let span = span_schema();
    json_schema!({
        "anyOf": [
            span,
            { "type": "array", "items": span, "minItems": 2, "maxItems": 2 },
            {
                "type": "object",
                "properties": { "min": span, "max": span },
                "required": ["min", "max"],
                "additionalProperties": false
            }
        ]
    })
}

pub(super) fn many(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000 }))
}

pub(super) fn workers(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "type": "integer", "minimum": 1, "maximum": 1_024 }))
}

pub(super) fn iterations(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "type": "integer", "minimum": 1 }))
}

pub(super) fn seed(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "type": "integer", "minimum": 0 }))
}

pub(super) fn speed(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "type": "number", "minimum": 0.001, "maximum": 1_000 }))
}

pub(super) fn arrivals(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "enum": ["constant", "poisson"] }))
}

pub(super) fn late(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "enum": ["queue", "drop"] }))
}

pub(super) fn time_unit(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "enum": ["s", "ms", "us", "ns"] }))
}

pub(super) fn tags(generator: &mut SchemaGenerator) -> Schema {
    let text = text(generator);
    json_schema!({ "anyOf": [text, { "type": "array", "items": text }] })
}

pub(super) fn texts(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": text(generator) })
}

pub(super) fn row_order(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "enum": ["sequential", "shuffle", "random"] }))
}

pub(super) fn reuse(_: &mut SchemaGenerator) -> Schema {
    or_variable(&json!({ "enum": ["once", "cycle"] }))
}

pub(super) fn data_or_source(generator: &mut SchemaGenerator) -> Schema {
    let keys = generator.subschema_for::<DataKeys>();
    json_schema!({ "anyOf": [text(generator), keys] })
}

pub(super) fn texts_by_name(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": text(generator) })
}

pub(super) fn types_by_name(_: &mut SchemaGenerator) -> Schema {
    let word = or_variable(&json!({ "enum": ["str", "int", "float", "bool"] }));
    json_schema!({ "type": "object", "additionalProperties": word })
}

fn or_variable(schema: &Value) -> Schema {
    json_schema!({ "anyOf": [schema, { "type": "string", "description": "A variable.", "pattern": VARIABLE }] })
}

pub(super) fn stages(generator: &mut SchemaGenerator) -> Schema {
    let stage = generator.subschema_for::<StageForm>();
    json_schema!({ "type": "array", "minItems": 1, "items": stage })
}

pub(super) fn replay_or_file(generator: &mut SchemaGenerator) -> Schema {
    let keys = generator.subschema_for::<ReplayKeys>();
    json_schema!({ "anyOf": [text(generator), keys] })
}

pub(super) fn thresholds(generator: &mut SchemaGenerator) -> Schema {
    let keys = generator.subschema_for::<ThresholdKeys>();
    let one = json!({ "anyOf": [expression(generator), keys] });
    json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
}

/// That its parts go together is left to the reader.
pub(super) fn expression(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": r"^\s*[a-z_]+(\..+)?\s*([<>]=?|[=!]=)\s*[-+]?[0-9.].*$|\$\{",
        "examples": ["response_time.p95 < 250ms", "failures < 1%", "rate > 95%", "checks.status_is_200 > 99% for 10s"]
    })
}

pub(super) fn tests(generator: &mut SchemaGenerator) -> Schema {
    let test = generator.subschema_for::<TestForm>();
    json_schema!({ "type": "array", "minItems": 1, "items": test })
}

/// The keys of a test, but for its name; keys that do not go with a load wait for a test that they go with.
pub(super) fn defaults(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = TestForm::json_schema(generator);
    schema.insert("type".to_owned(), json!(["object", "null"]));
    schema.insert(
        "dependentSchemas".to_owned(),
        excluding(&loads_exclude_each_other()),
    );
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.remove("name");
    }
    schema
}

/// The fields are read by hand, so the derive takes all for required; and which keys exclude each other is said here.
pub(super) fn test(schema: &mut Schema) {
    schema.remove("required");
    let mut pairs = loads_exclude_each_other();
    pairs.extend(["k", "m"].map(|key| ("test_class", key)));
    for users_only in ["pacing", "think_time", "ramp_up"] {
        pairs.extend(["rate", "stages", "shape", "replay"].map(|load| (load, users_only)));
    }
    pairs.extend(["rate", "shape", "replay", "users"].map(|load| (load, "start_rate")));
    pairs.extend(["arrivals", "late", "max_lateness"].map(|key| ("users", key)));
    pairs.extend(["arrivals", "seed"].map(|key| ("replay", key)));
    schema.insert("dependentSchemas".to_owned(), excluding(&pairs));
}

pub(super) fn stage(schema: &mut Schema) {
    schema.insert("required".to_owned(), json!(["duration", "rate"]));
}

pub(super) fn threshold(schema: &mut Schema) {
    schema.insert("required".to_owned(), json!(["threshold"]));
    schema.insert(
        "dependentRequired".to_owned(),
        json!({ "after": ["abort_on_fail"] }),
    );
}

pub(super) fn replay(schema: &mut Schema) {
    schema.insert("required".to_owned(), json!(["file"]));
}

pub(super) fn data(schema: &mut Schema) {
    schema.insert("required".to_owned(), json!(["from"]));
    let random = json!({ "required": ["order"], "properties": { "order": { "const": "random" } } });
    let once = json!({ "properties": { "reuse": { "not": { "const": "once" } } } });
    schema.insert("if".to_owned(), random);
    schema.insert("then".to_owned(), once);
}

/// A target and a load are required in each test, unless `defaults` has them.
pub(super) fn config(schema: &mut Schema) {
    schema.insert("required".to_owned(), json!(["tests"]));
    let load = json!({ "anyOf": LOADS.map(|load| json!({ "required": [load] })) });
    let targets = ["test", "test_class"].map(|key| json!({ "required": [key] }));
    let target = json!({ "anyOf": targets });
    schema.insert(
        "allOf".to_owned(),
        json!([unless_defaults(&target), unless_defaults(&load)]),
    );
}

fn unless_defaults(have: &Value) -> Value {
    let in_defaults = json!({
        "required": ["defaults"],
        "properties": { "defaults": { "type": "object", "allOf": [have] } }
    });
    json!({
        "if": { "not": in_defaults },
        "then": { "properties": { "tests": { "items": have } } }
    })
}

fn loads_exclude_each_other() -> Vec<(&'static str, &'static str)> {
    let mut pairs = vec![("pacing", "think_time"), ("test", "test_class")];
    for (i, load) in LOADS.iter().enumerate() {
        pairs.extend(LOADS[i + 1..].iter().map(|other| (*load, *other)));
    }
    pairs
}

/// Where the first of a pair is, the second is not allowed: editors then mark the second and say so.
fn excluding(pairs: &[(&'static str, &'static str)]) -> Value {
    let mut schemas = serde_json::Map::new();
    for (key, excluded) in pairs {
        let schema = schemas
            .entry((*key).to_owned())
            .or_insert_with(|| json!({ "properties": {} }));
        schema["properties"][*excluded] = json!(false);
    }
    Value::Object(schemas)
}
