//! `pysurge control`: finds the runs of this user on this machine, asks one of them, and shows how it stands.

use crate::args::{ControlArgs, ControlCommand};
use crate::control::{Client, ClientError, Folders, remove_stale};
use crate::error::CliError;
use crate::style::wants_color;
use crate::world::World;
use pysurge_core::control::{Command, Refusal, Standing, State, answer_line};
use pysurge_core::harmless::harmless;
use pysurge_core::span::{format_clock, format_span_plain};
use rustix::process::geteuid;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

/// Asks a run, or all of them how they stand.
pub(super) fn control(args: &ControlArgs, world: &mut World) -> Result<u8, CliError> {
    let command = args.command.unwrap_or(ControlCommand::Status).request();
    let mut runs = runs(args, world)?;
    if command == Command::Status && args.pid.is_none() && args.socket.is_none() {
        return show_all(runs, args.json, world);
    }
    if runs.len() > 1 {
        runs = one_of_many(runs, world)?;
    }
    let run = runs.first().ok_or(CliError::NoRun)?;
    let standing = ask(run, command, args.json, world)?;
    let line = if args.json {
        json(run, &standing)
    } else {
        let is_change = matches!(command, Command::Pause | Command::Resume | Command::Scale(_));
        describe(run, &standing, is_change)
    };
    print(&line, world)
}

/// The folders in which control sockets are.
pub(super) fn folders(world: &World) -> Folders {
    let runtime = world.set_var("XDG_RUNTIME_DIR").map(Path::new);
    Folders::new(runtime, world.temp_dir.as_deref(), geteuid().as_raw())
}

/// A run that may be there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    pid: Option<u32>,
    socket: PathBuf,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "pid {pid}"),
            None => write!(f, "{}", self.socket.display()),
        }
    }
}

fn runs(args: &ControlArgs, world: &World) -> Result<Vec<Run>, CliError> {
    if let Some(socket) = &args.socket {
        return Ok(vec![Run {
            pid: None,
            socket: world.cwd.join(socket),
        }]);
    }
    let found = folders(world).sockets();
    let wanted = found
        .into_iter()
        .filter(|(pid, _)| args.pid.is_none_or(|wanted| wanted == *pid));
    let runs: Vec<Run> = wanted
        .map(|(pid, socket)| Run {
            pid: Some(pid),
            socket,
        })
        .collect();
    match args.pid {
        Some(pid) if runs.is_empty() => Err(CliError::NoSuchRun { pid }),
        _ => Ok(runs),
    }
}

/// Asks one run. What a dead one has left is removed.
fn ask_run(run: &Run, command: Command) -> Result<Standing, ClientError> {
    let answer = Client::connect(&run.socket).and_then(|mut client| client.ask(command));
    if run.pid.is_some() && matches!(answer, Err(ClientError::Nobody)) {
        // Where it cannot be, it is met again.
        let _ = remove_stale(&run.socket);
    }
    answer
}

fn ask(run: &Run, command: Command, as_json: bool, world: &mut World) -> Result<Standing, CliError> {
    ask_run(run, command).map_err(|error| {
        if let (ClientError::Refused(why), true) = (&error, as_json) {
            // The error on standard error stands for this one, too, where it cannot be written.
            let line = answer_line(&Err(Refusal::Malformed(why.clone())));
            let _ = world.stdout.print(&format!("{line}\n"));
        }
        CliError::Control {
            run: run.to_string(),
            source: error,
        }
    })
}

fn show_all(runs: Vec<Run>, as_json: bool, world: &mut World) -> Result<u8, CliError> {
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    for run in runs {
        match ask_run(&run, Command::Status) {
            Ok(standing) if as_json => lines.push(json(&run, &standing)),
            Ok(standing) => lines.push(describe(&run, &standing, false)),
            Err(ClientError::Nobody) => {}
            Err(source) => errors.push(CliError::Control {
                run: run.to_string(),
                source,
            }),
        }
    }
    if lines.is_empty() {
        return Err(errors.into_iter().next().unwrap_or(CliError::NoRun));
    }
    let color = wants_color(world, &world.stderr);
    for error in errors {
        let _ = world.stderr.tell(&error.render(color));
    }
    print(&lines.join("\n"), world)
}

/// The one that lives, where the others have died; else shows them and asks for a choice.
fn one_of_many(runs: Vec<Run>, world: &mut World) -> Result<Vec<Run>, CliError> {
    let answers = runs.into_iter().map(|run| {
        let answer = ask_run(&run, Command::Status);
        (run, answer)
    });
    let alive: Vec<_> = answers
        .filter(|(_, answer)| !matches!(answer, Err(ClientError::Nobody)))
        .collect();
    if alive.len() > 1 {
        let lines = alive.iter().fold(String::new(), |mut lines, (run, answer)| {
            let _ = match answer {
                Ok(standing) => writeln!(lines, "{}", describe(run, standing, false)),
                Err(error) => writeln!(lines, "{run}: {error}"),
            };
            lines
        });
        let _ = world.stderr.tell(&lines);
        return Err(CliError::ManyRuns { runs: alive.len() });
    }
    Ok(alive.into_iter().map(|(run, _)| run).collect())
}

/// How a run stands, in one line.
fn describe(run: &Run, standing: &Standing, changed: bool) -> String {
    let state = match standing.state {
        State::Starting => "starting",
        State::Running => "running",
        State::Paused => "paused",
        State::Stopping => "stopping",
    };
    let mut line = format!("{run}, {}: {state}", harmless(&standing.name));
    if standing.state == State::Starting {
        return line;
    }
    let _ = write!(
        line,
        ", {} since the start",
        format_clock(standing.elapsed_s * 1e9)
    );
    if standing.paused_s >= 0.5 {
        let _ = write!(line, " ({} of it paused)", format_clock(standing.paused_s * 1e9));
    }
    if (standing.factor - 1.0).abs() > f64::EPSILON {
        let _ = write!(line, ", rates x {}", standing.factor);
    }
    let _ = write!(
        line,
        ", {} passed, {} failed, {} in flight",
        standing.passed, standing.failed, standing.in_flight
    );
    if let Some(effective_s) = standing.effective_s.filter(|_| changed) {
        let _ = write!(line, "; holds from {} on", instant(effective_s));
    }
    line
}

/// To the millisecond.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds since a start are not negative; the cast saturates"
)]
fn instant(seconds: f64) -> String {
    format_span_plain((seconds * 1e3).round() as u64 * 1_000_000)
}

fn json(run: &Run, standing: &Standing) -> String {
    let line = answer_line(&Ok(standing.clone()));
    let mut answer: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
    answer["pid"] = run.pid.into();
    answer["socket"] = run.socket.to_string_lossy().into();
    answer.to_string()
}

fn print(text: &str, world: &mut World) -> Result<u8, CliError> {
    world
        .stdout
        .print(&format!("{text}\n"))
        .map_err(CliError::Output)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_described_in_one_line() {
        let run = Run {
            pid: Some(4711),
            socket: "/run/4711.sock".into(),
        };
        let mut standing = Standing {
            state: State::Starting,
            name: "a\nload".into(),
            factor: 1.0,
            elapsed_s: 0.0,
            paused_s: 0.0,
            effective_s: None,
            passed: 0,
            failed: 0,
            in_flight: 0,
        };
        assert_eq!(
            describe(&run, &standing, false),
            "pid 4711, a\u{fffd}load: starting"
        );
        standing.state = State::Running;
        standing.elapsed_s = 83.4;
        standing.passed = 900;
        standing.in_flight = 12;
        assert_eq!(
            describe(&run, &standing, true),
            "pid 4711, a\u{fffd}load: running, 1m23s since the start, 900 passed, 0 failed, 12 in flight"
        );
        standing.state = State::Paused;
        standing.factor = 1.5;
        standing.paused_s = 5.0;
        standing.effective_s = Some(83.4506);
        assert_eq!(
            describe(&run, &standing, true),
            "pid 4711, a\u{fffd}load: paused, 1m23s since the start (5s of it paused), rates x 1.5, 900 passed, 0 failed, \
             12 in flight; holds from 1m23.451s on"
        );
        assert!(!describe(&run, &standing, false).contains("holds"));
        let answer: serde_json::Value = serde_json::from_str(&json(&run, &standing)).unwrap();
        assert_eq!((&answer["ok"], &answer["pid"]), (&true.into(), &4711.into()));
        assert_eq!(answer["state"], "paused");
    }
}
