//! Reads `data`: rows that iterations are fed with, alone or with how they are handed out. Whether a file is there is not looked at here.

use super::case::is_function_path;
use super::schema;
use super::test::{optional, seed_of};
use super::value::{choice_of, text_of};
use crate::diagnostic::Diagnostic;
use crate::fields::{Field, Fields, Given, Wording};
use crate::resolve::shorten;
use pysurge_core::plan::{Data, DataSource, Reuse, RowOrder};
use schemars::JsonSchema;
use std::path::Path;

const DATA: Wording = Wording {
    whole: "this data",
    about_unknown: "",
    own_prefix: None,
    elsewhere: |key| (key == "file").then(|| "what the rows come from is called `from`".to_owned()),
};

const FROM_HINT: &str =
    "write a file (.csv, .jsonl or .ndjson), or a Python iterable: module.name or file.py:name";

/// Rows for the iterations of a test and how they are handed out.
#[derive(JsonSchema)]
#[schemars(rename = "Data", deny_unknown_fields, transform = schema::data)]
pub(super) struct DataKeys {
    /// A CSV file with a header or JSON Lines, one row a line; or a Python iterable, `module.name` or `file.py:name`. A relative path is
    /// looked for in the current folder, then beside the config.
    #[schemars(schema_with = "schema::text")]
    from: Option<DataSource>,
    /// `sequential` (as they stand), `shuffle` (each once in a random order, then in another one) or `random` (any row at any time).
    /// Default: `sequential`.
    #[schemars(schema_with = "schema::row_order")]
    order: Option<Given<RowOrder>>,
    /// What happens when every row was handed out: `cycle` (they are handed out again) or `once` (the test ends). Default: `cycle`.
    #[schemars(schema_with = "schema::reuse")]
    reuse: Option<Given<Reuse>>,
    /// The seed of a random order: the same seed gives the same rows. Default: that of the test.
    #[schemars(schema_with = "schema::seed")]
    seed: Option<Given<u64>>,
}

/// As the config says it: its seed is that of the test where it has none.
#[derive(Debug, Clone)]
pub(super) struct DataForm {
    source: DataSource,
    order: RowOrder,
    reuse: Reuse,
    seed: Option<u64>,
}

impl DataForm {
    pub(super) fn with_seed(self, seed: u64) -> Data {
        Data {
            source: self.source,
            order: self.order,
            reuse: self.reuse,
            seed: self.seed.unwrap_or(seed),
        }
    }
}

pub(super) fn data_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<DataForm> {
    let Some(mut fields) = Fields::of(field.item, &field.path, &DATA) else {
        if field.item.text().is_none() {
            field.tell_kind("a file, a Python iterable or a mapping", FROM_HINT, diagnostics);
            return None;
        }
        return Some(DataForm {
            source: source_of(field, diagnostics)?,
            order: RowOrder::Sequential,
            reuse: Reuse::Cycle,
            seed: None,
        });
    };
    let keys = DataKeys::read(&mut fields, diagnostics);
    fields.finish(diagnostics);
    keys.form(diagnostics)
}

impl DataKeys {
    fn read(fields: &mut Fields<'_>, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let orders = [
            ("sequential", RowOrder::Sequential),
            ("shuffle", RowOrder::Shuffle),
            ("random", RowOrder::Random),
        ];
        let reuses = [("once", Reuse::Once), ("cycle", Reuse::Cycle)];
        let from = fields.required("from", "from: users.csv");
        Self {
            from: from.and_then(|from| source_of(&from, diagnostics)),
            order: fields.read("order", diagnostics, |field, diagnostics| {
                choice_of(field, &orders, diagnostics)
            }),
            reuse: fields.read("reuse", diagnostics, |field, diagnostics| {
                choice_of(field, &reuses, diagnostics)
            }),
            seed: fields.read("seed", diagnostics, seed_of),
        }
    }

    fn form(self, diagnostics: &mut Vec<Diagnostic>) -> Option<DataForm> {
        if let (Some(order), Some(reuse)) = (&self.order, &self.reuse)
            && (order.value, reuse.value) == (Some(RowOrder::Random), Some(Reuse::Once))
        {
            let error = reuse.error("`reuse: once` does not go with `order: random`");
            diagnostics.push(error.related(order.place.span(), "draws any row at any time").hint(
                "a row is drawn anew for each iteration, so none is ever used up; `order: shuffle` hands out each row once",
            ));
            return None;
        }
        Some(DataForm {
            source: self.from?,
            order: optional(self.order)?.unwrap_or(RowOrder::Sequential),
            reuse: optional(self.reuse)?.unwrap_or(Reuse::Cycle),
            seed: optional(self.seed)?,
        })
    }
}

fn source_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<DataSource> {
    let text = text_of(field, FROM_HINT, diagnostics)?;
    let ending = Path::new(&text).extension().and_then(|ending| ending.to_str());
    let ending = ending.unwrap_or_default().to_ascii_lowercase();
    if matches!(ending.as_str(), "csv" | "jsonl" | "ndjson") {
        return Some(DataSource::File(text));
    }
    let instead = match ending.as_str() {
        "json" => Some("write one JSON object a line, in a file that ends in .jsonl"),
        "tsv" | "txt" | "xlsx" | "parquet" => {
            Some("write it as CSV with commas, in a file that ends in .csv")
        }
        "gz" | "zst" | "bz2" | "xz" => {
            Some("unpack it: rows are read from .csv, .jsonl or .ndjson as it stands")
        }
        _ => None,
    };
    if instead.is_none() && is_function_path(&text) {
        return Some(DataSource::Iterable(text));
    }
    let error = field.error(format!(
        "`{}` is no file of rows and no Python iterable",
        shorten(&text)
    ));
    diagnostics.push(error.hint(instead.unwrap_or(FROM_HINT)));
    None
}
