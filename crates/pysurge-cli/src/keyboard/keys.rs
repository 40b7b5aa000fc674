//! What the keys mean: bytes to keys, and a key to the command it asks for as things stand. Nothing is remembered here, because
//! the control socket may have changed what a key would have remembered.

use pysurge_core::control::{Command, Standing, State};
use pysurge_core::schedule::Factor;

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// `p` or the space bar.
    Pause,
    /// `+`
    Faster,
    /// `-`
    Slower,
    /// `=`
    AsPlanned,
    /// `s`
    Stop,
    /// `h` or `?`
    Help,
}

/// The keys, for whoever asks: lines that fit anywhere.
pub(crate) const HELP: [&str; 2] = [
    "keys: p or space pauses and resumes; s stops, s again at once; h shows this;",
    "      + and - change all rates, = sets them back to what is planned",
];

/// The keys that bytes of the terminal hold. What begins with an escape (an arrow, a function key, Alt with a key) is none, so that
/// the letter in it does nothing.
pub(crate) fn decode(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let [first, rest @ ..] = bytes {
        bytes = if *first == ESCAPE {
            behind_escape(rest)
        } else {
            rest
        };
        keys.extend(match first {
            b'p' | b'P' | b' ' => Some(Key::Pause),
            b'+' => Some(Key::Faster),
            b'-' => Some(Key::Slower),
            b'=' => Some(Key::AsPlanned),
            b's' | b'S' => Some(Key::Stop),
            b'h' | b'H' | b'?' => Some(Key::Help),
            _ => None,
        });
    }
    keys
}

const ESCAPE: u8 = 0x1b;

/// What follows a key that began with an escape (ECMA-48: `ESC [`, parameters, a final byte; `ESC O` and a byte; else a byte).
fn behind_escape(bytes: &[u8]) -> &[u8] {
    let is_final = |byte: &u8| (0x40..=0x7e).contains(byte);
    let length = match bytes {
        [b'[', rest @ ..] => rest.iter().position(is_final).map_or(bytes.len(), |at| at + 2),
        [b'O', ..] => 2,
        _ => 1,
    };
    bytes.get(length..).unwrap_or_default()
}

impl Key {
    /// What it asks for, as things stand; `None` where there is nothing to ask.
    pub(crate) fn command(self, now: &Standing) -> Option<Command> {
        let scale = |milli| {
            let factor = Factor::from_milli(milli).ok()?;
            (milli != milli_of(now.factor)).then_some(Command::Scale(factor))
        };
        match self {
            Self::Pause if now.state == State::Paused => Some(Command::Resume),
            Self::Pause => Some(Command::Pause),
            Self::Faster => scale(faster(milli_of(now.factor))),
            Self::Slower => scale(slower(milli_of(now.factor))),
            Self::AsPlanned => scale(Factor::ONE.milli()),
            Self::Stop if now.state == State::Stopping => Some(Command::StopNow),
            Self::Stop => Some(Command::Stop),
            Self::Help => None,
        }
    }
}

/// From here on a step is [`COARSE_MILLI`]; below it is [`FINE_MILLI`].
const COARSE_FROM_MILLI: u32 = 2_000;
const FINE_MILLI: u32 = 100;
const COARSE_MILLI: u32 = 500;

/// Keys go no lower: the next step would be none at all, which is what a pause is for.
const LEAST_MILLI: u32 = FINE_MILLI;

/// Keys go no higher: a key that is held down should not start a thousand times the load.
const MOST_MILLI: u32 = 10_000;

/// The next step up, on the grid of steps.
fn faster(milli: u32) -> u32 {
    let step = if milli < COARSE_FROM_MILLI {
        FINE_MILLI
    } else {
        COARSE_MILLI
    };
    ((milli / step + 1) * step).min(MOST_MILLI.max(milli))
}

/// The next step down, on the grid of steps.
fn slower(milli: u32) -> u32 {
    let step = if milli <= COARSE_FROM_MILLI {
        FINE_MILLI
    } else {
        COARSE_MILLI
    };
    let down = milli.saturating_sub(1) / step * step;
    down.max(LEAST_MILLI.min(milli))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a factor is a number from 0.001 to 1000"
)]
fn milli_of(factor: f64) -> u32 {
    (factor * 1_000.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(state: State, factor: f64) -> Standing {
        Standing {
            state,
            name: "load".into(),
            factor,
            elapsed_s: 0.0,
            paused_s: 0.0,
            effective_s: None,
            passed: 0,
            failed: 0,
            in_flight: 0,
        }
    }

    #[test]
    fn keys_are_read_and_all_else_is_not() {
        for (typed, keys) in [
            ("p ", &[Key::Pause, Key::Pause][..]),
            ("+-=", &[Key::Faster, Key::Slower, Key::AsPlanned]),
            ("sSh?", &[Key::Stop, Key::Stop, Key::Help, Key::Help]),
            ("\r\nxyz\u{e9}", &[]),
            ("\u{1b}[A", &[]),
            ("\u{1b}s", &[]),
            ("p\u{1b}OPs", &[Key::Pause, Key::Stop]),
            ("\u{1b}[15;2~h\u{1b}[", &[Key::Help]),
            ("\u{1b}", &[]),
            ("\u{1b}O", &[]),
        ] {
            assert_eq!(decode(typed.as_bytes()), keys, "{typed:?}");
        }
    }

    #[test]
    fn a_key_asks_for_what_makes_sense_now() {
        for (key, state, command) in [
            (Key::Pause, State::Running, Some(Command::Pause)),
            (Key::Pause, State::Paused, Some(Command::Resume)),
            // Refused by the run, in its words.
            (Key::Pause, State::Starting, Some(Command::Pause)),
            (Key::Stop, State::Running, Some(Command::Stop)),
            (Key::Stop, State::Stopping, Some(Command::StopNow)),
            (Key::AsPlanned, State::Running, None),
            (Key::Help, State::Running, None),
        ] {
            assert_eq!(key.command(&at(state, 1.0)), command, "{key:?} {state:?}");
        }
    }

    #[test]
    fn factors_go_by_steps() {
        let press = |key: Key, factor: f64| match key.command(&at(State::Running, factor)) {
            Some(Command::Scale(factor)) => factor.as_f64(),
            None => factor,
            other => panic!("{other:?}"),
        };
        for (from, up, down) in [
            (1.0, 1.1, 0.9),
            (0.1, 0.2, 0.1),
            (0.05, 0.1, 0.05),
            (1.25, 1.3, 1.2),
            (1.9, 2.0, 1.8),
            (2.0, 2.5, 1.9),
            (2.2, 2.5, 2.0),
            (10.0, 10.0, 9.5),
            (20.0, 20.0, 19.5),
        ] {
            assert!((press(Key::Faster, from) - up).abs() < 1e-9, "{from} up");
            assert!((press(Key::Slower, from) - down).abs() < 1e-9, "{from} down");
        }
        assert!((press(Key::AsPlanned, 3.5) - 1.0).abs() < 1e-9);
    }
}
