//! What is wrong with a config, where, and what to do about it; and how that is shown.
//!
//! A place is a range of bytes of the source where there is one, else a key path (`tests[0].rate`) in a dict.
//! Rendering is in the style of a compiler and fits 80 columns as far as the user's own text does.
//! Nothing here decides what is an error.

use crate::Source;
use crate::item::Place;
use crate::literal;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use pysurge_core::event::Severity;
use pysurge_core::harmless::{Colours, harmless_lines};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The width that texts are folded to and source lines are cut to.
const WIDTH: usize = 80;

/// The most diagnostics that are shown; the others are counted.
const MAX_SHOWN: usize = 20;

/// One thing to tell about a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    /// Where it stands in the source, in bytes; `None` where it does not stand there.
    pub span: Option<Range<usize>>,
    /// The flag of the command line that it is about, `-o tests[0].rate=5`; there is no `span` then.
    pub flag: Option<String>,
    /// Where it stands as a path of keys, `tests[0].rate`; empty for the whole config or where it is not known.
    pub path: String,
    /// What is to be said of the marked text.
    pub label: Option<String>,
    /// Another place that has to do with it, and why.
    pub related: Option<(Range<usize>, String)>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Lines that belong to it, shown as they are: a traceback.
    pub detail: String,
    /// The part of the value that it is about, until it is known where that stands.
    pub(crate) part: Option<Part>,
}

/// Some characters of a scalar's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    value: String,
    chars: Range<usize>,
    /// The value with a mark below them, for where the file cannot show it.
    marked: String,
}

/// An error after which nothing more can be said.
pub(crate) type Fatal = Box<Diagnostic>;

impl Diagnostic {
    pub(crate) fn error(title: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            title: title.into(),
            span: None,
            flag: None,
            path: String::new(),
            label: None,
            related: None,
            hint: None,
            detail: String::new(),
            part: None,
        }
    }

    pub(crate) fn warning(title: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(title)
        }
    }

    pub(crate) fn at(mut self, place: impl Into<Place>, path: impl Into<String>) -> Self {
        (self.span, self.flag) = match place.into() {
            Place::Unknown => (None, None),
            Place::File(span) => (Some(span), None),
            Place::Flag(flag) => (None, Some(flag.to_string())),
        };
        self.path = path.into();
        self
    }

    /// Says which characters of the value at its place are meant.
    pub(crate) fn part(mut self, value: &str, chars: Range<usize>, marked: String) -> Self {
        self.part = Some(Part {
            value: value.to_owned(),
            chars,
            marked,
        });
        self
    }

    /// Narrows its place to the part of the value that is meant; where the file does not have it so, the value itself is shown.
    pub(crate) fn narrow(&mut self, source: &str) {
        let Some(part) = self.part.take() else {
            return;
        };
        let narrow = |span: &Range<usize>| {
            let bytes = literal::place(source.get(span.clone())?, &part.value, &part.chars)?;
            Some(span.start + bytes.start..span.start + bytes.end)
        };
        match self.span.as_ref().and_then(narrow) {
            Some(span) => self.span = Some(span),
            None => self.detail = part.marked,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn related(mut self, span: Option<Range<usize>>, label: impl Into<String>) -> Self {
        self.related = span.map(|span| (span, label.into()));
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Puts diagnostics into the order of the file, those about flags first, and drops repetitions: aliases, defaults and flags bring
/// the same value into several tests.
pub(crate) fn in_file_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| span.start));
    let mut seen = std::collections::HashSet::new();
    diagnostics.retain(|diagnostic| {
        let path = (diagnostic.span.is_none() && diagnostic.flag.is_none()).then(|| diagnostic.path.clone());
        let place = (diagnostic.span.clone(), diagnostic.flag.clone(), path);
        seen.insert((place, diagnostic.title.clone()))
    });
    diagnostics
}

/// Every error found in a config, in the order of the file, with all that is needed to show them.
#[derive(Debug, Clone)]
pub struct ConfigErrors {
    source: Arc<Source>,
    diagnostics: Vec<Diagnostic>,
}

impl ConfigErrors {
    pub(crate) fn new(source: Arc<Source>, diagnostics: Vec<Diagnostic>) -> Self {
        Self {
            source,
            diagnostics: in_file_order(diagnostics),
        }
    }

    /// The errors, and warnings that were found with them.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The errors as the user reads them, with the lines of the file they stand in; no line break at the end.
    /// With `color`, ANSI styles are in it.
    pub fn render(&self, color: bool) -> String {
        render(&self.source, &self.diagnostics, color)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}

/// Shows diagnostics one below the other.
pub(crate) fn render(source: &Source, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut texts: Vec<String> = diagnostics
        .iter()
        .take(MAX_SHOWN)
        .map(|diagnostic| render_one(source, diagnostic, &renderer))
        .collect();
    if let Some(more @ 1..) = diagnostics.len().checked_sub(MAX_SHOWN) {
        texts.push(format!("and {more} more like these"));
    }
    // Lines of the file and its name are shown as they are, but for the characters that the renderer knows of.
    let colours = if color { Colours::Keep } else { Colours::Drop };
    harmless_lines(&texts.join("\n\n"), colours).into_owned()
}

fn render_one(source: &Source, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(one_line(&diagnostic.title)));
    if let Some(span) = &diagnostic.span {
        let mut primary = AnnotationKind::Primary.span(within(span, &source.text));
        if let Some(label) = &diagnostic.label {
            primary = primary.label(one_line(label));
        }
        let mut snippet = Snippet::source(&source.text)
            .path(&source.name)
            .annotation(primary);
        if let Some((span, label)) = &diagnostic.related {
            let annotation = AnnotationKind::Context.span(within(span, &source.text));
            snippet = snippet.annotation(annotation.label(one_line(label)));
        }
        group = group.element(snippet);
    } else {
        let place = match (&diagnostic.flag, diagnostic.path.as_str()) {
            (Some(flag), _) => one_line(flag),
            (None, "") => source.name.clone(),
            (None, path) => format!("{}: {path}", source.name),
        };
        group = group.element(Origin::path(place));
        if let Some(label) = &diagnostic.label {
            group = group.element(Level::NOTE.message(text(label)));
        }
    }
    if !diagnostic.detail.is_empty() {
        let detail = diagnostic.detail.trim_end();
        group = group.element(Level::NOTE.no_name().message(normalize_untrusted_str(detail)));
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(text(hint)));
    }
    renderer.render(&[group])
}

/// A range that lies within the text and starts and ends between characters, whatever came in.
fn within(span: &Range<usize>, text: &str) -> Range<usize> {
    let boundary = |at: usize| {
        (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
    };
    let start = boundary(span.start).unwrap_or(0);
    start..boundary(span.end).unwrap_or(0).max(start)
}

fn one_line(text: &str) -> String {
    normalize_untrusted_str(&text.replace(['\n', '\r'], " "))
}

/// Folds a text at spaces so that it fits beside its margin (`  = help: `).
fn text(text: &str) -> String {
    let room = WIDTH - 14;
    let mut folded = String::new();
    for line in text.lines() {
        let words = line.trim_start_matches(' ');
        let mut column = 0;
        folded.extend(std::iter::repeat_n(' ', line.len() - words.len()));
        for word in words.split(' ') {
            let width = word.chars().count();
            if column > 0 && column + 1 + width > room {
                folded.push('\n');
                column = 0;
            } else if column > 0 {
                folded.push(' ');
                column += 1;
            }
            folded.push_str(word);
            column += width;
        }
        folded.push('\n');
    }
    normalize_untrusted_str(folded.trim_end())
}
