//! The parser's complaints in words that say what to do.
//!
//! The parser names the rule that was broken; the user needs the usual cause. A complaint without an entry here is
//! shown as it is.

use crate::diagnostic::Diagnostic;

/// What the parser says (a part of it), what we say, and the usual way out.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "mapping values are not allowed",
        "a `:` is not allowed here",
        "put quotes around a text that has `: ` in it; or the line above lacks its `:` or is indented differently",
    ),
    (
        "simple key expect",
        "this is no `key: value`",
        "write `key: value`, with a space after the colon",
    ),
    (
        "unknown anchor",
        "there is no anchor of this name above",
        "define it before with `&name`, or put quotes around a text that starts with `*`",
    ),
    (
        "found unexpected end of stream",
        "a quoted text has no end",
        "add the closing quote",
    ),
    (
        "invalid trailing content after double-quoted",
        "something follows the closing quote",
        "put the whole text into quotes; a quote inside is written \\\"",
    ),
    (
        "found unknown escape character",
        "there is no such escape in a text in double quotes",
        "write a backslash as `\\\\`, or use single quotes",
    ),
    (
        "did not find expected hexadecimal",
        "an escape in double quotes is not complete",
        "write a backslash as `\\\\`, or use single quotes",
    ),
    (
        "unexpected character",
        "a text cannot start with this character",
        "put quotes around it",
    ),
    (
        "did not find expected ',' or '}'",
        "a mapping in braces has no end, or a comma is missing",
        "close it with `}`; put quotes around a text that has `{`, `}`, `[`, `]` or `,` in it",
    ),
    (
        "expected ',' or ']'",
        "a list in brackets has no end, or a comma is missing",
        "close it with `]`; put quotes around a text that has `{`, `}`, `[`, `]` or `,` in it",
    ),
    (
        "misplaced bracket",
        "this bracket closes nothing",
        "remove it, or put quotes around the text",
    ),
    (
        "did not find expected '-' indicator",
        "this line does not fit into the list above",
        "indent it like the other lines of its entry, or start a new entry with `- `",
    ),
    (
        "did not find expected key",
        "this line does not fit into the mapping above",
        "indent it like the other keys of its mapping",
    ),
    (
        "block sequence entries are not allowed",
        "a list entry is not allowed here",
        "put it on a line of its own, indented like the other entries",
    ),
    (
        "invalid indentation in quoted scalar",
        "a quoted text has no end, or its next line is not indented",
        "add the closing quote",
    ),
    (
        "invalid indentation",
        "the indentation does not fit",
        "indent with spaces, the same number for all keys of a mapping",
    ),
    (
        "wrongly indented line in block scalar",
        "a line of this block of text is indented less than its first",
        "indent all lines of the block alike",
    ),
    (
        "unprintable character",
        "there is a control character here",
        "remove it, or write it as an escape (`\\x1b`) in a text in double quotes",
    ),
    (
        "plain scalar cannot start with '-'",
        "a lone `-` cannot stand in brackets or braces",
        "put quotes around it",
    ),
    (
        "recursion limit",
        "lists and mappings are nested too deep",
        "write it flatter",
    ),
];

/// The diagnostic for a complaint about the byte at `at`.
pub(crate) fn explain(info: &str, text: &str, at: usize) -> Diagnostic {
    let span = at..text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    if let Some(tab) = tab_in_indentation(info, text, at) {
        return Diagnostic::error("a tab is used as indentation")
            .at(tab..tab + 1, "")
            .label("a tab")
            .hint("YAML is indented with spaces: replace the tabs");
    }
    if at_variable(text, at) {
        return Diagnostic::error("a variable within braces or brackets must be in quotes")
            .at(span, "")
            .hint("write \"${NAME}\", or write the mapping over several lines without braces");
    }
    match KNOWN.iter().find(|(theirs, ..)| info.contains(theirs)) {
        Some((_, title, hint)) => Diagnostic::error(*title).at(span, "").hint(*hint),
        None => Diagnostic::error(format!("this is no valid YAML: {info}")).at(span, ""),
    }
}

/// The place of a tab before the text of the line at `at` or of the line before; where the parser speaks of a tab
/// it may also be the line after.
fn tab_in_indentation(info: &str, text: &str, at: usize) -> Option<usize> {
    let line_start = |at: usize| text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let here = line_start(at);
    let before = line_start(here.saturating_sub(1));
    let after = text[at..].find('\n').map(|newline| at + newline + 1);
    let after = after.filter(|_| info.contains("tab"));
    [Some(here), Some(before), after]
        .into_iter()
        .flatten()
        .find_map(|start| {
            let blank = text[start..]
                .find(|c| c != ' ' && c != '\t')
                .unwrap_or(text.len() - start);
            text[start..start + blank].find('\t').map(|tab| start + tab)
        })
}

/// Whether the text at `at` is the `{` or the `}` of an unquoted `${NAME}`, which ends a text within braces.
fn at_variable(text: &str, at: usize) -> bool {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let until = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let line = &text[line..until];
    let Some(variable) = line.find("${") else {
        return false;
    };
    let head = &line[..variable];
    let in_quotes = ['"', '\'']
        .iter()
        .any(|quote| head.matches(*quote).count() % 2 == 1);
    head.contains(['{', '[']) && !in_quotes
}
