//! YAML text into a tree of nodes that know their place.
//!
//! The parser gives events; here they become nodes in one vector, children by index, so that aliases share and
//! neither building nor dropping recurses. What a scalar means is decided later ([`crate::resolve`]).
//! Size and depth are limited before anything is built from them.

use crate::diagnostic::{Diagnostic, Fatal};
use crate::syntax_error::explain;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use std::collections::HashMap;
use std::ops::Range;

/// The longest text that is read: far beyond any config, and small enough to be read at once.
const MAX_TEXT_BYTES: usize = 8 * 1024 * 1024;

/// How deep lists and mappings may be nested.
pub(crate) const MAX_DEPTH: usize = 100;

/// The parsed document.
pub(crate) struct Tree {
    nodes: Vec<Node>,
    root: NodeId,
}

/// A place in the tree.
pub(crate) type NodeId = usize;

/// One scalar, list or mapping as written.
pub(crate) struct Node {
    /// Where it stands, in bytes; of a list or mapping, its first line.
    pub(crate) span: Range<usize>,
    pub(crate) tag: NodeTag,
    pub(crate) kind: Kind,
}

/// The tag that a node carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NodeTag {
    None,
    /// `!`
    NonSpecific,
    /// The suffix of a tag of YAML's own, `int` of `!!int`.
    Yaml(String),
    /// Any other, as written.
    Foreign(String),
}

pub(crate) enum Kind {
    Scalar { text: String, plain: bool },
    List(Vec<NodeId>),
    Map(Vec<(NodeId, NodeId)>),
}

impl Tree {
    pub(crate) fn root(&self) -> NodeId {
        self.root
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }
}

/// Parses a text that holds one document; `None` where it holds none.
pub(crate) fn parse(text: &str) -> Result<Option<Tree>, Fatal> {
    if text.len() > MAX_TEXT_BYTES {
        let title = format!("the file is longer than {} MiB", MAX_TEXT_BYTES >> 20);
        return Err(Diagnostic::error(title).into());
    }
    // The parser takes it for the end of the text: what stands behind it would be lost.
    if let Some(at) = text.find('\0') {
        return Err(Diagnostic::error("the file holds a NUL character")
            .at(at..at + 1, "here")
            .hint("no YAML holds one as it is: remove it; in double quotes it is written \\0")
            .into());
    }
    let mut builder = Builder {
        text,
        offsets: Offsets::of(text),
        nodes: Vec::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                let at = builder.offsets.of_marker(error.marker());
                return Err(explain(error.info(), text, at).into());
            }
        }
    }
    Ok(builder.root.map(|root| Tree {
        nodes: builder.nodes,
        root,
    }))
}

struct Builder<'a> {
    text: &'a str,
    offsets: Offsets,
    nodes: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchor>,
    root: Option<NodeId>,
}

/// A list or mapping whose end has not come yet.
struct Open {
    node: NodeId,
    key: Option<NodeId>,
    anchor: usize,
}

enum Anchor {
    Open,
    Node(NodeId),
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let at = self.offsets.of_marker(&span.start);
                let title = "the file holds more than one YAML document";
                let hint = "remove the second `---`, or put the other document into a file of its own";
                return Err(Diagnostic::error(title)
                    .at(self.line_from(at), "")
                    .hint(hint)
                    .into());
            }
            Event::Scalar(text, style, anchor, tag) => {
                let kind = Kind::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                };
                let span = self.offsets.of_marker(&span.start)..self.offsets.of_marker(&span.end);
                let node = self.push(span, tag.as_deref(), kind);
                self.anchors.insert(anchor, Anchor::Node(node));
                self.attach(node);
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(span, anchor, tag.as_deref(), Kind::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.open(span, anchor, tag.as_deref(), Kind::Map(Vec::new()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { node, anchor, .. }) = self.open.pop() {
                    let end = self.offsets.of_marker(&span.end);
                    let first_line = &mut self.nodes[node].span;
                    if first_line.start < end && end < first_line.end {
                        first_line.end = end;
                    }
                    self.anchors.insert(anchor, Anchor::Node(node));
                    self.attach(node);
                }
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(Anchor::Node(node)) => self.attach(*node),
                Some(Anchor::Open) | None => {
                    let span = self.offsets.of_marker(&span.start)..self.offsets.of_marker(&span.end);
                    let title = "an alias stands inside the value that it refers to";
                    return Err(Diagnostic::error(title).at(span, "").into());
                }
            },
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, span: Span, anchor: usize, tag: Option<&Tag>, kind: Kind) -> Result<(), Fatal> {
        let line = self.line_from(self.offsets.of_marker(&span.start));
        if self.open.len() >= MAX_DEPTH {
            let title = format!("lists and mappings are nested more than {MAX_DEPTH} deep");
            return Err(Diagnostic::error(title).at(line, "").into());
        }
        let node = self.push(line, tag, kind);
        self.anchors.insert(anchor, Anchor::Open);
        self.open.push(Open {
            node,
            key: None,
            anchor,
        });
        Ok(())
    }

    fn push(&mut self, span: Range<usize>, tag: Option<&Tag>, kind: Kind) -> NodeId {
        self.nodes.push(Node {
            span,
            tag: node_tag(tag),
            kind,
        });
        self.nodes.len() - 1
    }

    /// Puts a finished node where it belongs: into the innermost open list or mapping.
    fn attach(&mut self, node: NodeId) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut self.nodes[open.node].kind {
            Kind::Scalar { .. } => {}
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match open.key.take() {
                None => open.key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }

    fn line_from(&self, start: usize) -> Range<usize> {
        let line = self.text[start..].lines().next().unwrap_or_default();
        start..start + line.trim_end().len()
    }
}

fn node_tag(tag: Option<&Tag>) -> NodeTag {
    const YAML: &str = "tag:yaml.org,2002:";
    let Some(Tag { handle, suffix }) = tag else {
        return NodeTag::None;
    };
    let full = format!("{handle}{suffix}");
    if let Some(suffix) = full.strip_prefix(YAML) {
        return NodeTag::Yaml(suffix.to_owned());
    }
    match full.as_str() {
        "!" => NodeTag::NonSpecific,
        local if local.starts_with('!') => NodeTag::Foreign(full),
        _ => NodeTag::Foreign(format!("!<{full}>")),
    }
}

/// Where the characters of a text stand, in bytes: the parser counts characters.
struct Offsets {
    of_char: Option<Vec<usize>>,
    end: usize,
}

impl Offsets {
    fn of(text: &str) -> Self {
        let of_char = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self {
            of_char,
            end: text.len(),
        }
    }

    fn of_marker(&self, marker: &Marker) -> usize {
        match &self.of_char {
            None => marker.index().min(self.end),
            Some(offsets) => offsets.get(marker.index()).copied().unwrap_or(self.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalars(text: &str) -> Vec<(String, String)> {
        let tree = parse(text).unwrap().unwrap();
        let scalar = |node: &Node| match &node.kind {
            Kind::Scalar { text: value, .. } => Some((value.clone(), text[node.span.clone()].to_owned())),
            _ => None,
        };
        tree.nodes.iter().filter_map(scalar).collect()
    }

    #[test]
    fn a_plain_scalar_stands_where_its_span_says() {
        let texts = [
            "a: b\nc: [d, e]\n",
            "über: straße\nlist:\n- ключ: значение\n- 日本 # x\n",
            "a: b\r\nc:\r\n  - d\r\n",
            "{a: b, c: [d]}",
            "# ü\n---\na: 1\n...\n",
        ];
        for text in texts {
            let scalars = scalars(text);
            assert!(scalars.len() > 1, "{text:?}");
            for (value, written) in scalars {
                assert_eq!(value, written, "{text:?}");
            }
        }
    }

    #[test]
    fn tags_are_told_apart() {
        let tree = parse("[!!int 1, ! 1, !mine 1, !<tag:yaml.org,2002:str> 1, !<x:y> 1, 1]")
            .unwrap()
            .unwrap();
        let tags: Vec<NodeTag> = tree.nodes.iter().skip(1).map(|node| node.tag.clone()).collect();
        let expected = [
            NodeTag::Yaml("int".into()),
            NodeTag::NonSpecific,
            NodeTag::Foreign("!mine".into()),
            NodeTag::Yaml("str".into()),
            NodeTag::Foreign("!<x:y>".into()),
            NodeTag::None,
        ];
        assert_eq!(tags, expected);
    }
}
