//! What must hold of whatever bytes come in from outside: nothing panics, and what is accepted means the same when it is written down and
//! read again. Each check takes any bytes and panics where it does not hold.
//!
//! The fuzz targets in `fuzz/` call these with bytes that a fuzzer invents (`make fuzz`); `tests/corpus.rs` replays what they have found and
//! what somebody thought of, in every run of the tests.

use pysurge_config::{Config, Source};
use pysurge_core::rate::Rate;
use pysurge_core::replay::{ColumnType, Recording, ReplayForm};
use pysurge_core::schedule::Factor;
use pysurge_core::span::parse_span;
use pysurge_core::summary::Status;
use pysurge_core::threshold::Threshold;
use pysurge_core::wire::{FrameDecoder, FromWorker, ToWorker, encode};
use serde::{Serialize, de::DeserializeOwned};

/// A check and the name of its target and of its folder in the corpus.
pub type Check = (&'static str, fn(&[u8]));

/// All checks.
pub const CHECKS: [Check; 6] = [
    ("config", config),
    ("frame", frame),
    ("journal", journal),
    ("quantity", quantity),
    ("recording", recording),
    ("threshold", threshold),
];

/// A config file: an error in words, or a plan whose resolved form is the same plan.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match parsed(text) {
        Err(said) => assert_printable(&said),
        Ok(config) => {
            assert_printable(&config.render_warnings(false));
            let resolved = config.resolved_yaml();
            let again = match parsed(&resolved) {
                Ok(again) => again,
                Err(said) => panic!("the resolved form is refused: {said}\n{resolved}"),
            };
            assert_eq!(again.resolved_yaml(), resolved, "the resolved form is not stable");
        }
    }
}

fn parsed(text: &str) -> Result<Config, String> {
    let source = Source {
        name: "load.yml".to_owned(),
        text: text.to_owned(),
    };
    let environment = |name: &str| (name == "HOME").then(|| "/home/x".to_owned());
    pysurge_config::parse(&source, &environment).map_err(|errors| errors.render(false))
}

/// What goes to a terminal drives nothing there.
fn assert_printable(text: &str) {
    let control = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert_eq!(
        control, None,
        "a control character goes to the terminal: {text:?}"
    );
}

/// An expression of a threshold: an error that points into it, or what prints as it was written and parses to the same.
pub fn threshold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Threshold::parse(text) {
        Err(error) => drop(error.point(text)),
        Ok(threshold) => {
            let again = Threshold::parse(&threshold.to_string()).expect("its printed form parses");
            assert!(again == threshold, "{again:?} is not {threshold:?}");
        }
    }
}

/// Rates, factors and durations: what is accepted is accepted again as it is printed.
pub fn quantity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(rate) = Rate::parse(text) {
        assert_eq!(Rate::parse(&rate.to_string()).ok(), Some(rate), "{text:?}");
    }
    if let Ok(factor) = Factor::parse(text) {
        assert_eq!(Factor::parse(&factor.to_string()).ok(), Some(factor), "{text:?}");
    }
    drop(parse_span(text));
}

/// Bytes on the control channel, in pieces whose lengths are the first byte's doing: the same messages and the same error as in one piece, in
/// both directions; and every message goes into a frame and comes out the same.
pub fn frame(bytes: &[u8]) {
    let Some((&step, bytes)) = bytes.split_first() else {
        return;
    };
    let piece = usize::from(step) + 1;
    both_ways::<FromWorker>(bytes, piece);
    both_ways::<ToWorker>(bytes, piece);
}

fn both_ways<M: Serialize + DeserializeOwned>(bytes: &[u8], piece: usize) {
    let (whole, in_pieces) = (
        decoded::<M>(bytes, bytes.len().max(1)),
        decoded::<M>(bytes, piece),
    );
    assert_eq!(whole, in_pieces, "in pieces of {piece} bytes");
}

/// The frames of the messages, and how it ended. (A float that is no number is not equal to itself; its bytes are.)
fn decoded<M: Serialize + DeserializeOwned>(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<String>) {
    let (mut decoder, mut frames) = (FrameDecoder::default(), Vec::new());
    for piece in bytes.chunks(piece) {
        decoder.extend(piece);
        loop {
            match decoder.next_message::<M>() {
                Ok(Some(message)) => frames.push(encode(&message).expect("it came in a frame")),
                Ok(None) => break,
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }
    (frames, None)
}

/// The journal of a run: an error in words, or figures that balance once they are told as those of a killed run. Where the first byte is odd,
/// each line gets its true checksum: a fuzzer finds none by chance.
pub fn journal(bytes: &[u8]) {
    let Some((&how, bytes)) = bytes.split_first() else {
        return;
    };
    let sealed;
    let bytes = if how % 2 == 1 {
        sealed = sealed_lines(bytes);
        &sealed
    } else {
        bytes
    };
    match pysurge_report::journal::read(bytes) {
        Err(error) => assert_printable(&error.to_string()),
        Ok(journal) => {
            let was_running = journal.summary.status == Status::Running;
            let rebuilt = journal.rebuild();
            if was_running {
                let balanced = rebuilt.summary.tests.iter().all(|test| test.account.balances());
                assert!(
                    balanced && rebuilt.summary.account.balances(),
                    "{:?}",
                    rebuilt.summary.account
                );
            }
        }
    }
}

fn sealed_lines(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let sealed = lines.flat_map(|json| {
        let checksum = format!("{:08x} ", crc32fast::hash(json));
        [checksum.as_bytes(), json, b"\n"].concat()
    });
    sealed.collect()
}

/// A recording for `replay`: an error in words, or arrivals in order.
pub fn recording(bytes: &[u8]) {
    let forms = [ReplayForm::default(), typed()];
    for form in forms {
        match Recording::parse(bytes, &form) {
            Err(error) => assert_printable(&error.to_string()),
            Ok(recording) => assert!(recording.instants().is_sorted()),
        }
    }
}

fn typed() -> ReplayForm {
    ReplayForm {
        columns: Some(vec![("size".into(), "size".into()), ("ok".into(), "ok".into())]),
        types: vec![("size".into(), ColumnType::Int), ("ok".into(), ColumnType::Bool)],
        ..ReplayForm::default()
    }
}
