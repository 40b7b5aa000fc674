//! The house rules: which crate may know which, how long a file may be, where Python may be known.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The edges that exist by design, normal dependencies only: tests may use what they like.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("pysurge-core", &[]),
    ("pysurge-config", &["pysurge-core"]),
    ("pysurge-engine", &["pysurge-core"]),
    ("pysurge-report", &["pysurge-core"]),
    // The only crate that opens a port or a connection for a run's figures.
    ("pysurge-export", &["pysurge-core", "pysurge-report"]),
    ("pysurge-manager", &["pysurge-core"]),
    (
        "pysurge-cli",
        &[
            "pysurge-core",
            "pysurge-config",
            "pysurge-export",
            "pysurge-manager",
            "pysurge-report",
        ],
    ),
    (
        "pysurge-py",
        &["pysurge-cli", "pysurge-engine", "pysurge-core", "pysurge-config"],
    ),
    ("pysurge-testkit", &["pysurge-core", "pysurge-engine"]),
    (
        "pysurge-fuzz",
        &["pysurge-core", "pysurge-config", "pysurge-report"],
    ),
];

/// Beyond this a file has two subjects.
const MAX_LINES: usize = 800;

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Edges between our crates, and to `pyo3`, that no rule allows.
fn forbidden_edges(metadata: &Metadata) -> Vec<String> {
    let ours: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut forbidden = Vec::new();
    for package in &metadata.packages {
        let from = package.name.as_str();
        let allowed = ALLOWED
            .iter()
            .find_map(|(name, to)| (*name == from).then_some(*to));
        let Some(allowed) = allowed else {
            forbidden.push(format!("{from} is not in the table"));
            continue;
        };
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            let knows_python = to.starts_with("pyo3") && from != "pysurge-py";
            let is_forbidden =
                dependency.kind == DependencyKind::Normal && ours.contains(to) && !allowed.contains(&to);
            if knows_python || is_forbidden {
                forbidden.push(format!("{from} -> {to}"));
            }
        }
    }
    forbidden
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_made = ["node_modules", "dist"].contains(&name.as_str()) || name.starts_with('.');
        if path.is_dir() && !is_made {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| {
            ["rs", "py", "ts", "tsx", "mjs", "css"]
                .iter()
                .any(|known| extension == *known)
        }) {
            found.push(path);
        }
    }
}

#[test]
fn crates_depend_on_each_other_only_as_designed() {
    assert_eq!(forbidden_edges(&metadata()), Vec::<String>::new());
}

#[test]
fn every_crate_of_the_table_exists() {
    let metadata = metadata();
    for (name, _) in ALLOWED {
        assert!(
            metadata
                .packages
                .iter()
                .any(|package| package.name.as_str() == name),
            "{name}"
        );
    }
}

#[test]
fn an_edge_that_is_not_designed_is_found() {
    let mut metadata = metadata();
    let package = |metadata: &Metadata, name: &str| {
        let found = metadata.packages.iter().position(|p| p.name.as_str() == name);
        found.unwrap()
    };
    let (cli, core, py) = (
        package(&metadata, "pysurge-cli"),
        package(&metadata, "pysurge-core"),
        package(&metadata, "pysurge-py"),
    );
    let edges = |metadata: &Metadata, at: usize| metadata.packages[at].dependencies.clone();
    let to_report = edges(&metadata, cli)
        .into_iter()
        .filter(|d| d.name == "pysurge-report");
    let to_python = edges(&metadata, py).into_iter().filter(|d| d.name == "pyo3");
    let added: Vec<_> = to_report.chain(to_python).collect();
    metadata.packages[core].dependencies.extend(added);
    assert_eq!(
        forbidden_edges(&metadata),
        ["pysurge-core -> pysurge-report", "pysurge-core -> pyo3"]
    );
}

#[test]
fn no_source_file_is_too_long() {
    let mut found = Vec::new();
    for folder in ["crates", "python", "tests", "benches", "examples", "web"] {
        let folder = root().join(folder);
        if folder.is_dir() {
            sources(&folder, &mut found);
        }
    }
    assert!(found.len() > 20, "the search finds too little: {found:?}");
    let long: Vec<String> = found
        .iter()
        .map(|path| (path, fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}
