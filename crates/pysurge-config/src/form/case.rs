//! Reads what names the user's code: the class of a test, its kwargs, the function of a shape.

use crate::diagnostic::Diagnostic;
use crate::fields::Field;
use crate::item::{Data, Scalar};
use crate::resolve::shorten;
use pysurge_core::plan::is_name;
use pysurge_core::value::Value;
use std::path::Path;

/// The dotted path of a class.
pub(super) fn class_path_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    const HINT: &str = "write the dotted path of the class, such as `package.module.ClassName`";
    let Some(path) = field.item.text() else {
        let Data::Scalar(Scalar { value, .. }) = &field.item.data else {
            field.tell_kind("a string", HINT, diagnostics);
            return None;
        };
        diagnostics.push(match value {
            Value::Null => field.error("`test_class` has no value").hint(HINT),
            other => field
                .error(format!("`test_class` must be a string, this is {}", other.kind()))
                .hint(HINT),
        });
        return None;
    };
    if is_dotted_path(path) {
        return Some(path.to_owned());
    }
    let error = field.error(format!("`{}` is no dotted path of a class", shorten(path)));
    diagnostics.push(match as_class_path(path) {
        Some(meant) => error.hint(format!("did you mean `{}`?", shorten(&meant))),
        None => error.hint(HINT),
    });
    None
}

/// `module.function` or `file.py:function`.
pub(super) fn function_of(field: &Field<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    const HINT: &str = "write `module.function` or `file.py:function`; it takes the seconds since the start and gives the rate";
    let Some(path) = field.item.text() else {
        field.tell_kind("a string", HINT, diagnostics);
        return None;
    };
    if is_function_path(path) {
        return Some(path.to_owned());
    }
    let error = field.error(format!("`{}` is no path of a function", shorten(path)));
    diagnostics.push(error.hint(HINT));
    None
}

/// Whether a text is `module.name` or `file.py:name`.
pub(super) fn is_function_path(path: &str) -> bool {
    let in_file = path
        .rsplit_once(':')
        .is_some_and(|(file, name)| is_python_file(file) && is_name(name));
    in_file || (is_dotted_path(path) && !is_python_file(path))
}

fn is_python_file(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "py")
}

/// Whether a text is two or more Python names with dots between.
fn is_dotted_path(text: &str) -> bool {
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
    is_dotted_path(&dotted).then_some(dotted)
}

/// Keyword arguments in the order written.
pub(super) fn kwargs_of(
    field: &Field<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<(String, Value)>> {
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
                .at(entry.key_place.clone(), format!("{}.{other}", field.path))
                .hint("put it in quotes, or use another name"),
            ),
        }
    }
    (kwargs.len() == entries.len()).then_some(kwargs)
}
