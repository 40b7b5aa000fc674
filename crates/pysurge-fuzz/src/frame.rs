//! The control channel: what is decoded does not depend on how it was cut, and reads back as it is written; what workers measured can be
//! added up, whatever they claim.

use pysurge_core::account::Account;
use pysurge_core::measure::Measures;
use pysurge_core::wire::{FrameDecoder, FromWorker, ToWorker, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Takes the bytes for a stream of frames, cut into pieces whose length the first byte says, and for one payload; in both directions.
pub fn frame(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else {
        return;
    };
    let piece = usize::from(*piece).max(1);
    let mut framed = u32::try_from(stream.len())
        .expect("an input is short")
        .to_le_bytes()
        .to_vec();
    framed.extend_from_slice(stream);
    for stream in [stream, &framed] {
        decoded::<ToWorker>(stream, piece);
        let messages = decoded::<FromWorker>(stream, piece);
        add_up(&messages);
    }
}

/// The messages of a stream, up to the first error.
fn decoded<M: DeserializeOwned + Serialize + Debug>(stream: &[u8], piece: usize) -> Vec<M> {
    let (at_once, end_at_once) = read::<M>([stream]);
    let (in_pieces, end_in_pieces) = read::<M>(stream.chunks(piece));
    assert_eq!(format!("{at_once:?}"), format!("{in_pieces:?}"));
    assert_eq!(end_at_once, end_in_pieces);
    for message in &at_once {
        let written = encode(message).expect("what was read can be written");
        let (again, _) = read::<M>([written.as_slice()]);
        // `Debug`, since a NaN is equal to nothing.
        assert_eq!(format!("{again:?}"), format!("{:?}", [message]));
    }
    at_once
}

fn read<'a, M: DeserializeOwned>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<M>, String) {
    let (mut decoder, mut messages) = (FrameDecoder::default(), Vec::new());
    for piece in pieces {
        decoder.extend(piece);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, error.to_string()),
            }
        }
    }
    let end = if decoder.has_partial() { "cut" } else { "whole" };
    (messages, end.to_owned())
}

/// Adds up what workers told, twice over: what they claim may be absurd, and sums of it still are figures.
fn add_up(messages: &[FromWorker]) {
    let (mut total, mut account) = (Measures::default(), Account::default());
    for message in messages.iter().chain(messages) {
        match message {
            FromWorker::Snapshot(snapshot) | FromWorker::Drained(snapshot) => {
                for part in snapshot
                    .tests
                    .iter()
                    .flat_map(|test| [&test.measured, &test.warmup])
                {
                    total.merge(&part.measures);
                    account += Account {
                        planned: part.planned,
                        passed: part.measures.passed,
                        failed: part.measures.failed,
                        dropped: part.dropped,
                        interrupted: part.interrupted,
                        lost: 0,
                    };
                }
            }
            FromWorker::Rehearsed(rehearsed) => total.merge(&rehearsed.measures),
            _ => {}
        }
    }
    account.balances();
    account.fired();
    total.lateness_parts.complete(total.ended());
    figures(&total);
    total.compact();
    figures(&total);
}

/// Asks for every figure.
fn figures(total: &Measures) {
    let histograms = [
        &total.response_time,
        &total.service_time,
        &total.lateness,
        &total.setup,
        &total.teardown,
    ];
    let timers = total
        .timers
        .iter()
        .flat_map(|(_, timer)| [&timer.passed, &timer.failed]);
    for histogram in histograms.into_iter().chain(timers) {
        histogram.count();
        histogram.mean_ns();
        histogram.count_above(1_000);
        histogram.to_standard();
        for share in [0.0, 0.5, 1.0] {
            histogram.quantile_ns(share);
        }
    }
    for (_, sketch) in total.metrics.iter() {
        sketch.mean();
        for share in [0.0, 0.5, 1.0] {
            sketch.quantile(share);
        }
    }
    assert!(total.failures.by_count().len() <= pysurge_core::failure::MAX_GROUPS);
    assert!(total.exhibits.slowest().len() <= pysurge_core::measure::KEPT_EXHIBITS);
}
