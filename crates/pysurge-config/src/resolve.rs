//! Nodes into items: tags, aliases, merge keys, duplicate keys and variables, as `PyYAML`'s `safe_load` has them.
//!
//! `<<` puts the keys of other mappings before a mapping's own, which win; of a list of mappings the earlier wins.
//! A key that stands twice means its last value, at the place of the first, with a warning.
//! Aliases count each time they are used: what they expand to is limited, so that a small file cannot fill the memory.

use crate::diagnostic::{Diagnostic, Fatal};
use crate::env::{self, Expanded};
use crate::item::{Data, Entry, Item, Scalar, Template, key_identity};
use crate::scalar::{ScalarTag, resolve_plain, resolve_tagged};
use crate::syntax::{Kind, MAX_DEPTH, Node, NodeId, NodeTag, Tree};
use pysurge_core::value::Value;
use std::collections::HashMap;
use std::ops::Range;

/// The most bytes a config may expand to, each value counted with [`VALUE_BYTES`] on top of its text.
pub(crate) const MAX_EXPANDED_BYTES: usize = 32 * 1024 * 1024;

/// About what a value costs in memory.
pub(crate) const VALUE_BYTES: usize = 64;

/// Resolves a whole document. An error here is one after which nothing more can be said.
pub(crate) fn resolve(
    tree: &Tree,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Item, Fatal> {
    let mut resolver = Resolver {
        tree,
        text,
        env,
        diagnostics,
        expanded_bytes: 0,
    };
    resolver.item(tree.root(), 0)
}

struct Resolver<'a> {
    tree: &'a Tree,
    text: &'a str,
    env: &'a dyn Fn(&str) -> Option<String>,
    diagnostics: &'a mut Vec<Diagnostic>,
    expanded_bytes: usize,
}

impl<'a> Resolver<'a> {
    fn item(&mut self, id: NodeId, depth: usize) -> Result<Item, Fatal> {
        let node = self.tree.node(id);
        if depth > MAX_DEPTH {
            let title = format!("lists and mappings are nested more than {MAX_DEPTH} deep");
            return Err(Diagnostic::error(title).at(node.span.clone(), "").into());
        }
        self.count(node, 0)?;
        let data = match &node.kind {
            Kind::Scalar { text, plain } => self.scalar(node, text, *plain)?,
            Kind::List(items) => {
                self.expect_tag(node, "seq");
                let items = items.iter().map(|item| self.item(*item, depth + 1));
                Data::List(items.collect::<Result<_, _>>()?)
            }
            Kind::Map(_) => {
                self.expect_tag(node, "map");
                Data::Map(self.entries(node, depth)?)
            }
        };
        Ok(Item {
            place: node.span.clone().into(),
            data,
        })
    }

    fn count(&mut self, node: &Node, text_bytes: usize) -> Result<(), Fatal> {
        self.expanded_bytes = self
            .expanded_bytes
            .saturating_add(VALUE_BYTES)
            .saturating_add(text_bytes);
        if self.expanded_bytes <= MAX_EXPANDED_BYTES {
            return Ok(());
        }
        let title = format!("the config expands to more than {} MiB", MAX_EXPANDED_BYTES >> 20);
        Err(Diagnostic::error(title)
            .at(node.span.clone(), "")
            .hint(
                "make it smaller: fewer tests, fewer values; an alias (`*name`) counts each time it is used",
            )
            .into())
    }

    fn scalar(&mut self, node: &Node, text: &str, plain: bool) -> Result<Data, Fatal> {
        let expanded = env::expand(text, self.env);
        self.count(node, expanded.text.len())?;
        self.tell_about_variables(node, &expanded);
        if !expanded.unset.is_empty() {
            return Ok(Data::Broken);
        }
        let shown = if expanded.from_env { text } else { &expanded.text };
        let value = self.scalar_value(node, &expanded.text, plain, shown);
        let tag = match &node.tag {
            NodeTag::Yaml(suffix) => ScalarTag::from_suffix(suffix).map(ScalarTag::as_written),
            NodeTag::NonSpecific => Some("!"),
            NodeTag::None | NodeTag::Foreign(_) => None,
        };
        Ok(value.map_or(Data::Broken, |value| {
            Data::Scalar(Scalar {
                value,
                plain: plain && tag.is_none(),
                template: expanded.from_env.then(|| Template {
                    text: text.to_owned(),
                    tag,
                }),
            })
        }))
    }

    /// The value of a scalar; `None` where it has none, which is told with the text that may be shown: what
    /// a variable stands for may be secret.
    fn scalar_value(&mut self, node: &Node, text: &str, plain: bool, shown: &str) -> Option<Value> {
        let value = match &node.tag {
            NodeTag::None if !plain => Ok(Value::Str(text.to_owned())),
            // `PyYAML` takes even a quoted scalar as if it were plain where a `!` stands before it.
            NodeTag::None | NodeTag::NonSpecific => resolve_plain(text),
            NodeTag::Yaml(suffix) => match ScalarTag::from_suffix(suffix) {
                Some(tag) => resolve_tagged(tag, text),
                None => return self.unknown_tag(node, &format!("!!{suffix}")),
            },
            NodeTag::Foreign(written) => return self.unknown_tag(node, written),
        };
        match value {
            Ok(value) => Some(value),
            Err(bad) => {
                let mut error = Diagnostic::error(format!("`{}` {}", shorten(shown), bad.reason))
                    .at(node.span.clone(), "");
                error.hint = bad.hint.map(str::to_owned);
                self.diagnostics.push(error);
                None
            }
        }
    }

    fn tell_about_variables(&mut self, node: &Node, expanded: &Expanded) {
        for name in &expanded.unset {
            self.diagnostics.push(
                Diagnostic::error(format!("the environment variable {name} is not set"))
                    .at(self.within(node, &format!("${{{name}}}")), "")
                    .hint(format!(
                        "set it, or give a default: ${{{name}:-default}}; for the text itself write $${{{name}}}"
                    )),
            );
        }
        for written in &expanded.odd {
            self.diagnostics.push(
                Diagnostic::warning(format!(
                    "`{}` is no variable and stays as it is",
                    shorten(written)
                ))
                .at(self.within(node, written), "")
                .hint(format!(
                    "a variable is ${{NAME}} or ${{NAME:-default}}; for the text itself write ${}",
                    shorten(written)
                )),
            );
        }
    }

    /// The place of a piece of a node's text, as far as it stands there literally.
    fn within(&self, node: &Node, piece: &str) -> Range<usize> {
        match self.text[node.span.clone()].find(piece) {
            Some(at) => node.span.start + at..node.span.start + at + piece.len(),
            None => node.span.clone(),
        }
    }

    fn expect_tag(&mut self, node: &Node, suffix: &str) {
        let written = match &node.tag {
            NodeTag::None | NodeTag::NonSpecific => return,
            NodeTag::Yaml(ours) if ours == suffix => return,
            NodeTag::Yaml(other) => format!("!!{other}"),
            NodeTag::Foreign(written) => written.clone(),
        };
        self.unknown_tag(node, &written);
    }

    fn unknown_tag(&mut self, node: &Node, written: &str) -> Option<Value> {
        let error = Diagnostic::error(format!("the tag `{}` cannot be used here", shorten(written)));
        let hint = if written == crate::write::PICKLED_TAG {
            "a Python object stood here when the config was given as a dict; a file cannot hold it"
        } else {
            "a scalar may have !!str, !!int, !!float, !!bool, !!null, !!binary or !!timestamp"
        };
        self.diagnostics.push(error.at(node.span.clone(), "").hint(hint));
        None
    }

    /// The entries of a mapping: those it merges, then its own, each key once.
    fn entries(&mut self, node: &'a Node, depth: usize) -> Result<Vec<Entry>, Fatal> {
        let Kind::Map(pairs) = &node.kind else {
            return Ok(Vec::new());
        };
        let (merges, own): (Vec<_>, Vec<_>) = pairs
            .iter()
            .copied()
            .partition(|(key, _)| Self::is_merge_key(self.tree.node(*key)));
        let mut unique = UniqueEntries::default();
        for (_, merged) in merges {
            for entry in self.merged_entries(merged, depth)? {
                unique.put(entry);
            }
        }
        let mut own_keys = HashMap::new();
        for (key, value) in own {
            let key_node = self.tree.node(key);
            let item = self.item(value, depth + 1)?;
            let Some(key) = self.key(key_node)? else {
                continue;
            };
            let first = own_keys.insert(key_identity(&key), key_node.span.clone());
            if let Some(first) = first {
                self.tell_duplicate(&key, first, key_node);
            }
            unique.put(Entry {
                key,
                key_place: key_node.span.clone().into(),
                item,
            });
        }
        Ok(unique.entries)
    }

    fn is_merge_key(node: &Node) -> bool {
        match (&node.kind, &node.tag) {
            (Kind::Scalar { text, plain: true }, NodeTag::None | NodeTag::NonSpecific) => text == "<<",
            (Kind::Scalar { .. }, NodeTag::Yaml(suffix)) => suffix == "merge",
            _ => false,
        }
    }

    /// What `<<: value` brings in, later entries winning.
    fn merged_entries(&mut self, value: NodeId, depth: usize) -> Result<Vec<Entry>, Fatal> {
        let node = self.tree.node(value);
        let sources: Vec<&'a Node> = match &node.kind {
            Kind::List(items) => items.iter().rev().map(|item| self.tree.node(*item)).collect(),
            _ => vec![node],
        };
        let mut entries = Vec::new();
        for source in sources {
            self.count(source, 0)?;
            if depth > MAX_DEPTH || !matches!(source.kind, Kind::Map(_)) {
                self.diagnostics.push(
                    Diagnostic::error("only a mapping, or a list of mappings, can be merged by `<<`")
                        .at(source.span.clone(), "")
                        .hint("write `<<: *name`, where `&name` stands before a mapping"),
                );
                continue;
            }
            entries.extend(self.entries(source, depth + 1)?);
        }
        Ok(entries)
    }

    fn key(&mut self, node: &Node) -> Result<Option<Value>, Fatal> {
        let Kind::Scalar { text, plain } = &node.kind else {
            self.diagnostics
                .push(Diagnostic::error("a list or a mapping cannot be a key").at(node.span.clone(), ""));
            return Ok(None);
        };
        self.count(node, text.len())?;
        Ok(self.scalar_value(node, text, *plain, text))
    }

    fn tell_duplicate(&mut self, key: &Value, first: Range<usize>, again: &Node) {
        self.diagnostics.push(
            Diagnostic::warning(format!("the key {} stands here twice", shorten(&key.to_string())))
                .at(again.span.clone(), "")
                .label("this one counts")
                .related(Some(first), "this one is ignored"),
        );
    }
}

/// Entries in the order of a Python dict: a key that comes again keeps its place and takes the new value.
#[derive(Default)]
struct UniqueEntries {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
}

impl UniqueEntries {
    fn put(&mut self, entry: Entry) {
        let next = self.entries.len();
        let place = *self.places.entry(key_identity(&entry.key)).or_insert(next);
        match self.entries.get_mut(place) {
            // The value and where it stands are the new ones; the key object stays the old one, as in a dict.
            Some(old) => {
                *old = Entry {
                    key: old.key.clone(),
                    ..entry
                }
            }
            None => self.entries.push(entry),
        }
    }
}

/// A text cut to what fits into a title.
pub(crate) fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
