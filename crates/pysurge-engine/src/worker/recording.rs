//! Recorded arrivals, read from their file by each worker itself: no frame could hold a large one.

use pysurge_core::plan::{Model, Source, TestPlan};
use pysurge_core::replay::Recording;
use pysurge_core::wire::{LoadError, LoadFault};
use std::sync::Arc;

/// Reads the recording of a test that has one, and puts its arrivals into the test's plan.
pub(super) fn read(test: &mut TestPlan) -> Result<Option<Arc<Recording>>, LoadError> {
    let Model::Open(open) = &mut test.model else {
        return Ok(None);
    };
    let Source::Replay(replay) = &mut open.source else {
        return Ok(None);
    };
    let wrong = |message: String| LoadError {
        fault: LoadFault::Replay,
        message,
        hint: None,
        traceback: String::new(),
    };
    let bytes = std::fs::read(&replay.file)
        .map_err(|error| wrong(format!("a worker cannot read {}: {error}", replay.file)))?;
    let recording =
        Recording::parse(&bytes, &replay.form).map_err(|error| wrong(format!("{}: {error}", replay.file)))?;
    if recording.digest() != replay.digest {
        return Err(wrong(format!("{} was changed while the run began", replay.file)));
    }
    replay.instants = Some(Arc::clone(recording.instants()));
    Ok(Some(Arc::new(recording)))
}
