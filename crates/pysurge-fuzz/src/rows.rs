//! Files of data and recordings: what is accepted can be handed out, row by row, without anything left to fail.

use crate::expect_harmless;
use pysurge_core::replay::{ColumnType, Recording, ReplayForm};
use pysurge_core::rows::{Index, Kind};
use std::convert::Infallible;

/// Takes the bytes for a CSV file and for JSON Lines.
pub fn rows(bytes: &[u8]) {
    for kind in [Kind::Csv, Kind::JsonLines] {
        let length = bytes.len() as u64;
        match Index::read(kind, length, || Ok(bytes)) {
            Ok(index) => hand_out(&index, bytes),
            Err(error) => {
                expect_harmless(&error.to_string());
                error.hint().inspect(|hint| expect_harmless(hint));
            }
        }
    }
}

/// Every row is found where the index says, and has the fields that were checked.
fn hand_out(index: &Index, bytes: &[u8]) {
    let whole = index.whole();
    assert_eq!(whole.rows, index.rows());
    let mut seen = 0;
    while seen < index.rows() {
        let block = index.block(seen, 64);
        assert!(
            block.first <= seen && seen < block.first + block.rows,
            "{block:?} for row {seen}"
        );
        let at = |place: u64| usize::try_from(place).expect("within the input");
        let of_block = &bytes[at(block.from)..at(block.to)];
        let ends = index.split(&block, of_block).expect("a checked block is split");
        assert_eq!(ends.len() as u64, block.rows + 1);
        for pair in ends.windows(2) {
            let row = &of_block[pair[0] as usize..pair[1] as usize];
            let mut fields = 0;
            let Ok(sound) = index.each_field(row, |_, _, _| {
                fields += 1;
                Ok::<_, Infallible>(())
            });
            assert!(sound, "a checked row is sound: {:?}", row.escape_ascii());
            if let Some(columns) = index.columns() {
                assert_eq!(fields, columns.len());
            }
        }
        seen = block.first + block.rows;
    }
}

/// Takes the bytes for a recording, with columns of text and with typed ones.
pub fn recording(bytes: &[u8]) {
    let known = [
        ("n", ColumnType::Int),
        ("x", ColumnType::Float),
        ("ok", ColumnType::Bool),
    ];
    // As far as the header has them, else there is no typed form to read.
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has = |name: &str| {
        header
            .split(|byte| *byte == b',')
            .any(|cell| cell.trim_ascii() == name.as_bytes())
    };
    let there = known.into_iter().filter(|(name, _)| has(name));
    let kinds: Vec<_> = there.map(|(name, of)| (name.to_owned(), of)).collect();
    let typed = ReplayForm {
        types: kinds,
        speed_milli: 1,
        ..ReplayForm::default()
    };
    for form in [ReplayForm::default(), typed] {
        arrivals(bytes, &form);
    }
}

/// An error in words, or arrivals in order, each with its row.
fn arrivals(bytes: &[u8], form: &ReplayForm) {
    match Recording::parse(bytes, form) {
        Ok(recording) => {
            let instants = recording.instants();
            assert_eq!(instants.len(), recording.len());
            assert!(instants.is_sorted());
            let fields = recording.kwargs().len();
            for k in 0..recording.len() {
                assert_eq!(recording.row(k).count(), fields);
            }
        }
        Err(error) => {
            expect_harmless(&error.to_string());
            expect_harmless(&error.hint());
        }
    }
}
