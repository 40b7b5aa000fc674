//! The form of a config file: its keys, what each may hold, and how a plan is made of it.
//!
//! This is the one place that a new key is added to: a field with its documentation (which is its entry in the JSON
//! Schema), and the line in `read` that reads it; the compiler asks for both.

use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Fields, Wording};
use crate::item::{Data, Item, Scalar};
use crate::resolve::shorten;
use pysurge_core::plan::TestPlan;
use pysurge_core::rate::{MAX_RATE_PER_S, Rate, RateError};
use pysurge_core::value::Value;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

const CONFIG: Wording = Wording {
    whole: "the config",
    about_unknown: "; a key of your own, for anchors, starts with `x-`",
    own_prefix: Some("x-"),
};

const TEST: Wording = Wording {
    whole: "this test",
    about_unknown: "; arguments of the class go below `kwargs`, indented",
    own_prefix: None,
};

const RATE_HINT: &str = "write the iterations per second as a number, such as 0.2 or 50";

const EXAMPLE_TESTS: &str = "tests:\n- test_class: package.module.ClassName\n  rate: 10";

/// What pysurge runs: a list of tests, each with its load.
///
/// In values, `${NAME}` stands for an environment variable and `${NAME:-default}` gives it a default; `$${` is a literal `${`.
/// Keys that start with `x-` are not read: they may hold anchors.
#[derive(JsonSchema)]
#[schemars(
    title = "pysurge config",
    deny_unknown_fields,
    extend("patternProperties" = { "^x-": {} })
)]
pub(crate) struct ConfigForm {
    /// What to run, at least one. The same class may stand in several tests, with other kwargs.
    #[schemars(length(min = 1))]
    pub(crate) tests: Vec<TestForm>,
}

/// One test: a class, its arguments, and how often it is run.
#[derive(JsonSchema)]
#[schemars(rename = "Test", deny_unknown_fields)]
pub(crate) struct TestForm {
    /// The dotted path of the class, `package.module.ClassName`. It is looked for in the current folder first.
    #[schemars(schema_with = "test_class_schema")]
    pub(crate) test_class: String,
    /// Keyword arguments for the class, any YAML.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub(crate) kwargs: Vec<(String, Value)>,
    /// Iterations per second, over all worker processes together; fractions are allowed.
    #[schemars(schema_with = "rate_schema")]
    pub(crate) rate: Rate,
}

impl ConfigForm {
    /// Reads a whole config; `None` where errors were told.
    pub(crate) fn read(item: &Item, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        if item.is_null() {
            let error = Diagnostic::error("the config is empty");
            diagnostics.push(error.hint(format!("write\n{EXAMPLE_TESTS}")));
            return None;
        }
        let Some(mut fields) = Fields::of(item, "", &CONFIG) else {
            if !matches!(item.data, Data::Broken) {
                let title = format!("the config is {} where a mapping must be", item.kind());
                let hint = match &item.data {
                    Data::List(_) => "put the list under a key `tests:`".to_owned(),
                    _ => format!("write\n{EXAMPLE_TESTS}"),
                };
                diagnostics.push(Diagnostic::error(title).at(item.span.clone(), "").hint(hint));
            }
            return None;
        };
        let tests = fields.required("tests", EXAMPLE_TESTS);
        let tests = tests.and_then(|field| tests_of(&field, diagnostics));
        fields.finish(diagnostics);
        Some(Self { tests: tests? })
    }
}

impl TestForm {
    /// Reads one entry of `tests`; `None` where errors were told.
    fn read(item: &Item, path: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let Some(mut fields) = Fields::of(item, path, &TEST) else {
            if !matches!(item.data, Data::Broken) {
                diagnostics.push(
                    Diagnostic::error(format!("a test must be a mapping, this is {}", item.kind()))
                        .at(item.span.clone(), path)
                        .hint("write\n- test_class: package.module.ClassName\n  rate: 10"),
                );
            }
            return None;
        };
        let test_class = fields.required("test_class", "test_class: package.module.ClassName");
        let test_class = test_class.and_then(|field| class_path_of(&field, diagnostics));
        let kwargs = match fields.optional("kwargs") {
            Some(field) => kwargs_of(&field, diagnostics),
            None => Some(Vec::new()),
        };
        let rate = fields.required("rate", "rate: 10");
        let rate = rate.and_then(|field| rate_of(&field, diagnostics));
        fields.finish(diagnostics);
        Some(Self {
            test_class: test_class?,
            kwargs: kwargs?,
            rate: rate?,
        })
    }
}

impl From<TestForm> for TestPlan {
    fn from(form: TestForm) -> Self {
        let TestForm {
            test_class,
            kwargs,
            rate,
        } = form;
        Self {
            test_class,
            kwargs,
            rate,
        }
    }
}

fn tests_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<TestForm>> {
    let example = format!("write\n{EXAMPLE_TESTS}");
    let items = match &field.item.data {
        Data::List(items) => items,
        Data::Broken => return None,
        _ => {
            let error = if field.item.is_null() {
                field.error("`tests` is empty")
            } else {
                field.error(format!("`tests` must be a list, this is {}", field.item.kind()))
            };
            diagnostics.push(error.hint(match &field.item.data {
                Data::Map(_) => "start each test with `- `, as in\n".to_owned() + EXAMPLE_TESTS,
                _ => example,
            }));
            return None;
        }
    };
    if items.is_empty() {
        diagnostics.push(field.error("`tests` is empty").hint(example));
        return None;
    }
    let mut tests = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let path = format!("{}[{position}]", field.path);
        tests.extend(TestForm::read(item, &path, diagnostics));
    }
    (tests.len() == items.len()).then_some(tests)
}

fn class_path_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    const HINT: &str = "write the dotted path of the class, such as `package.module.ClassName`";
    let Data::Scalar(scalar) = &field.item.data else {
        if !matches!(field.item.data, Data::Broken) {
            let title = format!("`test_class` must be a string, this is {}", field.item.kind());
            diagnostics.push(field.error(title).hint(HINT));
        }
        return None;
    };
    let error = match &scalar.value {
        Value::Str(path) if is_class_path(path) => return Some(path.clone()),
        Value::Str(path) => {
            let title = format!("`{}` is no dotted path of a class", shorten(path));
            match as_class_path(path) {
                Some(meant) => field
                    .error(title)
                    .hint(format!("did you mean `{}`?", shorten(&meant))),
                None => field.error(title).hint(HINT),
            }
        }
        Value::Null => field.error("`test_class` has no value").hint(HINT),
        other => {
            let title = format!("`test_class` must be a string, this is {}", other.kind());
            field.error(title).hint(HINT)
        }
    };
    diagnostics.push(error);
    None
}

/// Whether a text is two or more Python names with dots between.
fn is_class_path(text: &str) -> bool {
    let is_name = |name: &str| {
        name.chars().all(|c| c.is_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
    };
    text.contains('.') && text.split('.').all(is_name)
}

/// The dotted path that was probably meant by the path of a file: `tests/upload.py:Upload`, `tests.upload:Upload`.
fn as_class_path(text: &str) -> Option<String> {
    let dotted = text
        .trim()
        .trim_start_matches("./")
        .replace(".py", "")
        .replace("::", ".")
        .replace(['/', '\\', ':'], ".");
    is_class_path(&dotted).then_some(dotted)
}

fn kwargs_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<(String, Value)>> {
    if field.item.is_null() {
        return Some(Vec::new());
    }
    let Data::Map(entries) = &field.item.data else {
        if !matches!(field.item.data, Data::Broken) {
            let title = format!("`kwargs` must be a mapping, this is {}", field.item.kind());
            diagnostics.push(field.error(title).hint("write `kwargs: {name: value}`"));
        }
        return None;
    };
    let mut kwargs = Vec::with_capacity(entries.len());
    for entry in entries {
        match (&entry.key, entry.item.to_value()) {
            (Value::Str(name), value) => kwargs.extend(value.map(|value| (name.clone(), value))),
            (other, _) => diagnostics.push(
                Diagnostic::error(format!(
                    "a keyword must be a string, {} is {}",
                    shorten(&other.to_string()),
                    other.kind()
                ))
                .at(entry.key_span.clone(), format!("{}.{other}", field.path))
                .hint("put it in quotes, or use another name"),
            ),
        }
    }
    (kwargs.len() == entries.len()).then_some(kwargs)
}

fn rate_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Rate> {
    let Data::Scalar(scalar) = &field.item.data else {
        if !matches!(field.item.data, Data::Broken) {
            let title = format!("`rate` must be a number, this is {}", field.item.kind());
            diagnostics.push(field.error(title).hint(RATE_HINT));
        }
        return None;
    };
    let parsed = match &scalar.value {
        Value::Int(value) => Rate::parse(&value.to_string()),
        Value::BigInt(digits) => Rate::parse(digits),
        // The shortest text that gives this float is what was written, so that 3.7 stays 3.7.
        Value::Float(value) => Rate::parse(&value.to_string()),
        // What YAML 1.1 takes for a string though it is a number: `1e3`, `1.5e3`, `-.5`.
        Value::Str(text) if scalar.plain && is_number(text) => Rate::parse(text),
        _ => Err(RateError::NotANumber),
    };
    match parsed {
        Ok(rate) => return Some(rate),
        Err(error) => diagnostics.push(rate_error(field, scalar, error)),
    }
    None
}

fn rate_error(field: &Field<'_>, scalar: &Scalar, error: RateError) -> Diagnostic {
    let error = match (error, &scalar.value) {
        (RateError::NotPositive, Value::Float(value)) if *value > 0.0 => {
            field.error("`rate` must be at least 0.000000001 per second")
        }
        (RateError::NotPositive, _) => field
            .error("`rate` must be greater than 0")
            .hint("to leave a test out, delete it or comment it out with `#`"),
        (RateError::TooHigh, _) => field
            .error(format!("`rate` must be at most {MAX_RATE_PER_S} per second"))
            .hint("the rate is per second, over all workers together"),
        (RateError::NotANumber, value) => match value {
            Value::Null => field.error("`rate` has no value").hint(RATE_HINT),
            Value::Float(_) => field.error("`rate` must be a finite number").hint(RATE_HINT),
            Value::Str(text) if !scalar.plain && is_number(text) => field
                .error("`rate` must be a number, this is a string")
                .hint(format!("remove the quotes: `rate: {}`", text.trim())),
            Value::Str(text) => {
                return field
                    .error(format!(
                        "`rate` must be a number, `{}` is a string",
                        shorten(text)
                    ))
                    .hint(RATE_HINT);
            }
            other => field
                .error(format!("`rate` must be a number, this is {}", other.kind()))
                .hint(RATE_HINT),
        },
    };
    match (&scalar.template, &field.item.span) {
        (Some(_), _) if scalar.value == Value::Null => error.label("stands for nothing"),
        (Some(_), _) => error.label(format!("stands for {}", shorten(&scalar.value.to_string()))),
        (None, None) => error.label(format!("it is {}", shorten(&scalar.value.to_string()))),
        (None, Some(_)) => error,
    }
}

/// Whether a text is a decimal number, with an exponent or without; a variable may bring a line break along.
fn is_number(text: &str) -> bool {
    let text = text.trim_ascii();
    text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && text.parse::<f64>().is_ok()
}

fn test_class_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": r"^[^\s./:]+(\.[^\s./:]+)+$|\$\{"
    })
}

fn rate_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "number", "exclusiveMinimum": 0, "maximum": MAX_RATE_PER_S },
            { "type": "string", "description": "A number with variables, or with an exponent.", "pattern": r"\$\{|^[0-9.]+[eE]" }
        ]
    })
}
