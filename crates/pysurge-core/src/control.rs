//! What can be asked of a run while it goes on, and what it answers: one JSON object per line in each direction, over the control
//! socket; the keys of the terminal ask for the same.
//!
//! Requests: `{"command": "pause"}`, `"resume"`, `"stop"`, `"stop_now"`, `"status"`, and `{"command": "scale", "factor": 1.5}`.
//! Every request gets one answer, in order: `{"ok": true, …}` with the state as it is after the request, or
//! `{"ok": false, "error": "…"}`.

use crate::schedule::Factor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a run may be changed. Every schedule keeps all changes, in every worker: 48 bytes each. Fewer than the epochs that a worker's
/// pool can tell apart (32,768), with room for those of Ctrl+Z, which are not refused.
pub const MAX_CHANGES: usize = 30_000;

/// The longest line a client may send, in bytes.
pub const MAX_REQUEST_BYTES: usize = 4_096;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Plan nothing from an instant very soon on, until resumed. Running iterations go on.
    Pause,
    /// Go on with the plan where it was paused.
    Resume,
    /// Multiply all rates (in the closed model: the users) as planned by this.
    Scale(Factor),
    /// Start nothing more; running iterations may finish.
    Stop,
    /// Start nothing more and abandon what runs.
    StopNow,
    /// Only tell how things stand.
    Status,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Workers load the tests; nothing is fired yet.
    Starting,
    /// Iterations are fired.
    Running,
    /// No iteration is planned until it is resumed.
    Paused,
    /// No new iterations; those that run may finish.
    Stopping,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// Where the run stands.
    pub state: State,
    /// The run's name.
    pub name: String,
    /// What all rates are multiplied by.
    pub factor: f64,
    /// Since the start, in seconds; 0 before it.
    pub elapsed_s: f64,
    /// Of that, how long it was paused, in seconds.
    pub paused_s: f64,
    /// From which instant on the last change holds, in seconds since the start; absent where nothing was changed. All workers
    /// heed it from this instant on.
    pub effective_s: Option<f64>,
    /// Iterations passed so far.
    pub passed: u64,
    /// Iterations failed so far.
    pub failed: u64,
    /// Iterations running when the workers told last.
    pub in_flight: u64,
}

/// What is answered.
pub type Answer = Result<Standing, Refusal>;

/// Why something cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run has not started yet.
    #[error("nothing is fired yet; ask again once it has started")]
    NotStarted,
    /// The run comes to its end.
    #[error("the run is stopping")]
    Stopping,
    /// The run is over.
    #[error("the run is over")]
    Over,
    /// It was changed so often that it can only be resumed and stopped now.
    #[error(
        "the run was changed {MAX_CHANGES} times, which is all that is kept of a run; it can be resumed and stopped"
    )]
    TooManyChanges,
    /// The request is no JSON object that is understood.
    #[error("{0}")]
    Malformed(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    command: String,
    factor: Option<serde_json::Number>,
}

#[derive(Serialize)]
struct Line<'a> {
    ok: bool,
    #[serde(flatten)]
    standing: Option<&'a Standing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Reads a request from a line of a client.
pub fn parse_request(line: &str) -> Result<Command, Refusal> {
    const FORMS: &str = r#"write {"command": "pause"}, "resume", "stop", "stop_now" or "status", or {"command": "scale", "factor": 1.5}"#;
    let malformed = |what: String| Refusal::Malformed(format!("{what}; {FORMS}"));
    let request: Request =
        serde_json::from_str(line).map_err(|error| malformed(format!("not a request: {error}")))?;
    let factor = request.factor.map(|number| number.to_string());
    match (request.command.as_str(), factor) {
        ("scale", Some(factor)) => Factor::parse(&factor)
            .map(Command::Scale)
            .map_err(|error| malformed(error.to_string())),
        ("scale", None) => Err(malformed("`scale` needs a `factor`".to_owned())),
        (_, Some(_)) => Err(malformed("only `scale` has a `factor`".to_owned())),
        ("pause", None) => Ok(Command::Pause),
        ("resume", None) => Ok(Command::Resume),
        ("stop", None) => Ok(Command::Stop),
        ("stop_now", None) => Ok(Command::StopNow),
        ("status", None) => Ok(Command::Status),
        (other, None) => Err(malformed(format!("unknown command {other:?}"))),
    }
}

/// The line, without its end, in which a command is asked.
pub fn request_line(command: Command) -> String {
    let name = match command {
        Command::Pause => "pause",
        Command::Resume => "resume",
        Command::Scale(factor) => return format!(r#"{{"command":"scale","factor":{factor}}}"#),
        Command::Stop => "stop",
        Command::StopNow => "stop_now",
        Command::Status => "status",
    };
    format!(r#"{{"command":"{name}"}}"#)
}

/// The line, without its end, that is sent as an answer.
pub fn answer_line(answer: &Answer) -> String {
    let line = Line {
        ok: answer.is_ok(),
        standing: answer.as_ref().ok(),
        error: answer.as_ref().err().map(ToString::to_string),
    };
    serde_json::to_string(&line).expect("numbers and strings are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_survive_the_line() {
        for command in [
            Command::Pause,
            Command::Resume,
            Command::Scale(Factor::from_milli(1_250).unwrap()),
            Command::Scale(Factor::from_milli(1).unwrap()),
            Command::Stop,
            Command::StopNow,
            Command::Status,
        ] {
            assert_eq!(parse_request(&request_line(command)), Ok(command));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_in_plain_words() {
        for (line, said) in [
            ("", "not a request"),
            ("pause", "not a request"),
            (r#"{"command": "dance"}"#, r#"unknown command "dance""#),
            (r#"{"command": "scale"}"#, "`scale` needs a `factor`"),
            (
                r#"{"command": "scale", "factor": 0}"#,
                "a factor is a number from 0.001 to 1000",
            ),
            (r#"{"command": "scale", "factor": -2}"#, "a factor is a number"),
            (
                r#"{"command": "pause", "factor": 2}"#,
                "only `scale` has a `factor`",
            ),
            (r#"{"command": "pause", "now": 2}"#, "unknown field"),
        ] {
            let Err(refusal) = parse_request(line) else {
                panic!("{line} was understood")
            };
            assert!(refusal.to_string().contains(said), "{line}: {refusal}");
        }
    }

    #[test]
    fn answers_are_one_line_of_json() {
        let standing = Standing {
            state: State::Paused,
            name: "two\nlines".into(),
            factor: 1.5,
            elapsed_s: 12.5,
            paused_s: 2.0,
            effective_s: Some(10.5),
            passed: 7,
            failed: 1,
            in_flight: 3,
        };
        let line = answer_line(&Ok(standing));
        assert!(!line.contains('\n'), "{line}");
        assert!(
            line.starts_with(r#"{"ok":true,"state":"paused","name":"two\nlines","factor":1.5"#),
            "{line}"
        );
        let line = answer_line(&Err(Refusal::Stopping));
        assert_eq!(line, r#"{"ok":false,"error":"the run is stopping"}"#);
    }
}
