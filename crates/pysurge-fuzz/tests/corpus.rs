//! Replays the corpus of every fuzz target: what fuzzers have found, and what somebody thought of.

use pysurge_fuzz::CHECKS;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| {
            entry
                .expect("a readable folder")
                .file_name()
                .into_string()
                .expect("plain names")
        })
        .collect()
}

/// The input whose check panics.
struct Input(PathBuf);

#[expect(clippy::print_stderr, reason = "for whoever reads the failed test")]
impl Drop for Input {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing input is {}", self.0.display());
        }
    }
}

#[test]
fn every_input_of_the_corpus_holds() {
    for (name, check) in CHECKS {
        let folder = corpus().join(name);
        let inputs = names(&folder);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            let path = folder.join(input);
            let bytes = fs::read(&path).unwrap();
            let _input = Input(path);
            check(&bytes);
        }
    }
}

#[test]
fn every_check_has_a_target_and_a_corpus() {
    let checks: BTreeSet<String> = CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&corpus()), checks);
    let targets = names(&corpus().join("../fuzz_targets"));
    let targets: BTreeSet<String> = targets
        .iter()
        .map(|file| file.trim_end_matches(".rs").to_owned())
        .collect();
    assert_eq!(targets, checks);
}

#[test]
fn the_corpus_stays_small() {
    let folders = CHECKS.iter().map(|(name, _)| corpus().join(name));
    let bytes = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    let bytes: u64 = bytes.map(|input| input.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 300 * 1024, "it has {bytes} bytes");
}
