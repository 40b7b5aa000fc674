//! Reads `replay`: a file of recorded arrivals, alone or with how it is read. Whether the file is there is not looked at here.

use super::schema;
use super::test::optional;
use super::value::{choice_of, text_of};
use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Fields, Given, Wording};
use crate::item::Data;
use pysurge_core::plan::Replay;
use pysurge_core::replay::{ColumnType, ReplayForm, TimeUnit};
use pysurge_core::schedule::Factor;
use pysurge_core::value::Value;
use schemars::JsonSchema;

const REPLAY: Wording = Wording {
    whole: "this replay",
    about_unknown: "",
    own_prefix: None,
    elsewhere: |_| None,
};

const FILE_HINT: &str = "write `replay: arrivals.csv`";
const SPEED_HINT: &str = "write a number, such as 2.0 for twice as fast";

/// A file of recorded arrivals and how it is read.
#[derive(JsonSchema)]
#[schemars(rename = "Replay", deny_unknown_fields, transform = schema::replay)]
pub(super) struct ReplayKeys {
    /// A CSV file with a header, one arrival a line. A relative path is looked for beside the config.
    #[schemars(schema_with = "schema::text")]
    file: Option<String>,
    /// How many times as fast as recorded, from 0.001 to 1000. Default: 1.
    #[schemars(schema_with = "schema::speed")]
    speed: Option<Given<u64>>,
    /// The column with the time of the arrival. Default: the first one.
    #[schemars(schema_with = "schema::text")]
    time: Option<Given<String>>,
    /// What a number in the time column counts. Default: `s`.
    #[schemars(schema_with = "schema::time_unit")]
    unit: Option<Given<TimeUnit>>,
    /// Which column becomes which keyword argument, `kwarg: column`. Default: every other column, by its own name.
    #[schemars(schema_with = "schema::texts_by_name")]
    columns: Option<Given<Vec<(String, String)>>>,
    /// The types of keyword arguments, `kwarg: int`: `str`, `int`, `float` or `bool`. Default: `str`.
    #[schemars(schema_with = "schema::types_by_name")]
    types: Option<Given<Vec<(String, ColumnType)>>>,
}

pub(super) fn replay_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Replay> {
    let Some(mut fields) = Fields::of(field.item, &field.path, &REPLAY) else {
        if field.item.text().is_none() {
            field.tell_kind("a file's path or a mapping", FILE_HINT, diagnostics);
            return None;
        }
        let file = text_of(field, FILE_HINT, diagnostics)?;
        return Some(replay(file, ReplayForm::default()));
    };
    let keys = ReplayKeys::read(&mut fields, diagnostics);
    fields.finish(diagnostics);
    keys.replay(diagnostics)
}

impl ReplayKeys {
    fn read(fields: &mut Fields<'_>, diagnostics: &mut Vec<Diagnostic>) -> Self {
        const COLUMNS_HINT: &str = "write `columns: {kwarg: column}`";
        const TYPES_HINT: &str = "write `types: {kwarg: int}`";
        let units = [
            ("s", TimeUnit::S),
            ("ms", TimeUnit::Ms),
            ("us", TimeUnit::Us),
            ("ns", TimeUnit::Ns),
        ];
        let types = [
            ("str", ColumnType::Str),
            ("int", ColumnType::Int),
            ("float", ColumnType::Float),
            ("bool", ColumnType::Bool),
        ];
        let file = fields.required("file", "file: arrivals.csv");
        Self {
            file: file.and_then(|file| text_of(&file, FILE_HINT, diagnostics)),
            speed: fields.read("speed", diagnostics, speed_of),
            time: fields.read("time", diagnostics, |field, diagnostics| {
                text_of(
                    field,
                    "write the name of the column, a number in quotes",
                    diagnostics,
                )
            }),
            unit: fields.read("unit", diagnostics, |field, diagnostics| {
                choice_of(field, &units, diagnostics)
            }),
            columns: fields.read("columns", diagnostics, |field, diagnostics| {
                by_name(field, COLUMNS_HINT, diagnostics, |column, diagnostics| {
                    text_of(column, COLUMNS_HINT, diagnostics)
                })
            }),
            types: fields.read("types", diagnostics, |field, diagnostics| {
                by_name(field, TYPES_HINT, diagnostics, |column, diagnostics| {
                    choice_of(column, &types, diagnostics)
                })
            }),
        }
    }

    fn replay(self, diagnostics: &mut Vec<Diagnostic>) -> Option<Replay> {
        check_types(self.types.as_ref(), self.columns.as_ref(), diagnostics)?;
        let form = ReplayForm {
            time: optional(self.time)?,
            unit: optional(self.unit)?.unwrap_or_default(),
            speed_milli: optional(self.speed)?.unwrap_or(1_000),
            columns: optional(self.columns)?,
            types: optional(self.types)?.unwrap_or_default(),
        };
        Some(replay(self.file?, form))
    }
}

fn replay(file: String, form: ReplayForm) -> Replay {
    Replay {
        file,
        form,
        digest: 0,
        instants: None,
    }
}

fn speed_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<u64> {
    let number = match field.scalar().map(|scalar| &scalar.value) {
        Some(Value::Int(value)) => value.to_string(),
        Some(Value::Float(value)) => value.to_string(),
        _ => {
            field.tell_kind("a number", SPEED_HINT, diagnostics);
            return None;
        }
    };
    if let Ok(factor) = Factor::parse(&number) {
        return Some(u64::from(factor.milli()));
    }
    let error = field.value_error("`speed` must be from 0.001 to 1000");
    diagnostics.push(error.hint(SPEED_HINT));
    None
}

/// A mapping from names to values of one kind.
fn by_name<T>(
    field: &Field<'_>,
    hint: &str,
    diagnostics: &mut Vec<Diagnostic>,
    read: impl Fn(&Field<'_>, &mut Vec<Diagnostic>) -> Option<T>,
) -> Option<Vec<(String, T)>> {
    let Data::Map(entries) = &field.item.data else {
        field.tell_kind("a mapping", hint, diagnostics);
        return None;
    };
    let mut named = Vec::with_capacity(entries.len());
    for entry in entries {
        let Value::Str(name) = &entry.key else {
            let title = format!(
                "a keyword must be a string, {} is {}",
                entry.key,
                entry.key.kind()
            );
            let error = Diagnostic::error(title).at(entry.key_place.clone(), &field.path);
            diagnostics.push(error.hint("put it in quotes, or use another name"));
            continue;
        };
        let value = read(&Field::of_entry(entry, name, &field.path), diagnostics);
        named.extend(value.map(|value| (name.clone(), value)));
    }
    (named.len() == entries.len()).then_some(named)
}

fn check_types(
    types: Option<&Given<Vec<(String, ColumnType)>>>,
    columns: Option<&Given<Vec<(String, String)>>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<()> {
    let (Some(given), Some(columns)) = (types, columns.and_then(|columns| columns.value.as_ref())) else {
        return Some(());
    };
    for (name, _) in given.value.as_ref()? {
        if columns.iter().all(|(kwarg, _)| kwarg != name) {
            let error = given.error(format!("`types` has `{name}`, `columns` has not"));
            diagnostics.push(error.hint("the names in both are those of keyword arguments"));
            return None;
        }
    }
    Some(())
}
