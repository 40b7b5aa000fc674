//! Runs that are steered while they go on: real processes of native tests, a real terminal, real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::Kept;
use pysurge_cli::{Output, World, run};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const CONFIG: &str = "tests:
- test_class: native.Sleep
  name: sleeper
  kwargs: {ms: 1}
  rate: 100
  tags: [smoke]
- test_class: native.Noop
  name: recorded
  replay: data/arrivals.csv
- test_class: native.Noop
  name: ramp
  stages:
  - {duration: 10s, rate: 100}
";

/// The command with native tests: an example, so it lies beside the tests.
fn program() -> PathBuf {
    let tests = env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/native")
}

/// A folder with a config, its recording, and a place for sockets.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for sub in ["sub/data", "runtime"] {
        fs::create_dir_all(folder.path().join(sub)).unwrap();
    }
    fs::write(folder.path().join("sub/load.yml"), CONFIG).unwrap();
    fs::write(folder.path().join("sub/data/arrivals.csv"), "at\n0\n0.01\n0.05\n").unwrap();
    folder
}

#[derive(Debug)]
struct Ran {
    exit_code: u8,
    stdout: String,
    stderr: String,
}

/// A command in this process.
fn ran(project: &Path, line: &str) -> Ran {
    let (stdout, stderr) = (Kept::default(), Kept::default());
    let mut world = World::new(
        line.split_whitespace(),
        Output::new(stdout.clone(), false),
        Output::new(stderr.clone(), false),
    );
    world.cwd = project.to_path_buf();
    world.python = program();
    let runtime = project.join("runtime").to_str().unwrap().to_owned();
    world.env.insert("XDG_RUNTIME_DIR".into(), runtime);
    Ran {
        exit_code: run(world),
        stdout: stdout.text(),
        stderr: stderr.text(),
    }
}

/// A run in a process of its own, which is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(project: &Path, line: &str) -> Running {
    let mut command = Command::new(program());
    let command = command
        .args(line.split_whitespace())
        .current_dir(project)
        .env("XDG_RUNTIME_DIR", project.join("runtime"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Running(command.spawn().unwrap())
}

/// Asks again until it is so.
fn until<T>(what: impl Fn() -> String, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3_000 {
        if let Some(found) = ask() {
            return found;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("never: {}", what());
}

fn until_told(project: &Path, line: &str, told: &str) -> Ran {
    until(
        || told.to_owned(),
        || Some(ran(project, line)).filter(|ran| ran.stdout.contains(told)),
    )
}

fn sockets(project: &Path) -> usize {
    fs::read_dir(project.join("runtime/pysurge")).map_or(0, Iterator::count)
}

#[test]
fn a_run_is_steered_from_elsewhere() {
    let project = project();
    let project = project.path();
    let mut running = start(project, "run sub/load.yml --only sleeper --no-results");
    let pid = running.0.id();
    until_told(project, "pysurge control", ": running");

    let paused = ran(project, "pysurge control pause");
    assert_eq!(paused.exit_code, 0, "{paused:?}");
    let begin = format!("pid {pid}, load: paused, ");
    assert!(
        paused.stdout.starts_with(&begin) && paused.stdout.contains("; holds from "),
        "{paused:?}"
    );
    let scaled = ran(project, "pysurge control scale 1.5");
    assert!(
        scaled.stdout.contains(": paused") && scaled.stdout.contains("rates x 1.5"),
        "{scaled:?}"
    );
    let resumed = ran(project, "pysurge control resume");
    assert!(resumed.stdout.contains(": running"), "{resumed:?}");

    let status = ran(project, &format!("pysurge control --json --pid {pid}"));
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(
        (&status["factor"], &status["pid"]),
        (&1.5.into(), &pid.into()),
        "{status}"
    );
    let socket = status["socket"].as_str().unwrap();
    assert_eq!(
        ran(project, &format!("pysurge control pause --socket {socket}")).exit_code,
        0
    );

    let stopped = ran(project, "pysurge control stop");
    assert!(
        stopped.stdout.contains(": stopping") && !stopped.stdout.contains("holds"),
        "{stopped:?}"
    );
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    assert_eq!(sockets(project), 0);
    let over = ran(project, "pysurge control");
    assert_eq!((over.exit_code, over.stdout.as_str()), (2, ""));
    assert!(
        over.stderr.starts_with("error: no pysurge of yours is running"),
        "{over:?}"
    );
}

#[test]
fn of_several_runs_one_must_be_named_and_dead_ones_do_not_count() {
    let project = project();
    let project = project.path();
    let line = "run sub/load.yml --only sleeper --no-results";
    let (mut one, mut two) = (start(project, line), start(project, line));
    let all = until(
        || "two runs".into(),
        || {
            let all = ran(project, "pysurge control");
            (all.stdout.matches(": running").count() == 2).then_some(all)
        },
    );
    assert_eq!(all.exit_code, 0);

    let refused = ran(project, "pysurge control pause");
    assert_eq!(
        (refused.exit_code, refused.stdout.as_str()),
        (2, ""),
        "{refused:?}"
    );
    assert!(
        refused
            .stderr
            .contains(&format!("pid {}, load: running", one.0.id()))
            && refused
                .stderr
                .contains("error: 2 runs go on\nhint: name one of them with --pid PID"),
        "{refused:?}"
    );
    let named = ran(project, &format!("pysurge control pause --pid {}", one.0.id()));
    assert!(named.stdout.contains(": paused"), "{named:?}");
    let none = ran(project, "pysurge control pause --pid 1");
    assert!(none.stderr.contains("with pid 1"), "{none:?}");

    one.0.kill().unwrap();
    one.0.wait().unwrap();
    assert_eq!(sockets(project), 2);
    let left = ran(project, "pysurge control stop --now");
    assert!(left.stdout.contains(&format!("pid {}", two.0.id())), "{left:?}");
    assert_eq!(two.0.wait().unwrap().code(), Some(130));
    assert_eq!(sockets(project), 0);
}

#[test]
fn a_socket_can_be_elsewhere_or_nowhere_and_is_never_worth_a_run() {
    let project = project();
    let project = project.path();
    let mut running = start(
        project,
        "run sub/load.yml --only sleeper --no-results --control here.sock",
    );
    until_told(
        project,
        "pysurge control --socket here.sock",
        "here.sock, load: running",
    );
    assert_eq!(ran(project, "pysurge control").exit_code, 2);
    assert_eq!(
        ran(project, "pysurge control stop --socket here.sock").exit_code,
        0
    );
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    assert!(!project.join("here.sock").exists());

    let lines = "pysurge run sub/load.yml --only recorded --no-results --control sub/load.yml";
    let told = ran(project, lines);
    assert_eq!(told.exit_code, 0, "{told:?}");
    assert!(told.stderr.contains("warning: no control socket: "), "{told:?}");
    assert_eq!(fs::read_to_string(project.join("sub/load.yml")).unwrap(), CONFIG);
    let none = ran(
        project,
        "pysurge run sub/load.yml --only recorded --no-results --no-control",
    );
    assert_eq!(
        (none.exit_code, none.stderr.contains("warning")),
        (0, false),
        "{none:?}"
    );
    assert_eq!(sockets(project), 0);
}

#[test]
fn recordings_are_found_beside_the_config_and_fired() {
    let project = project();
    let fired = ran(
        project.path(),
        "pysurge run sub/load.yml --only recorded --no-results",
    );
    assert_eq!(fired.exit_code, 0, "{fired:?}");
    assert!(fired.stdout.contains("3 of 3 planned iterations"), "{fired:?}");
    fs::write(project.path().join("sub/data/arrivals.csv"), "at\n0\nsoon\n").unwrap();
    for command in ["run", "check", "plan"] {
        let refused = ran(project.path(), &format!("pysurge {command} sub/load.yml"));
        assert_eq!(
            (refused.exit_code, refused.stdout.as_str()),
            (2, ""),
            "{refused:?}"
        );
        assert!(
            refused
                .stderr
                .contains("data/arrivals.csv: line 3, column `at`: `soon`")
                && refused.stderr.contains("sub/load.yml:9"),
            "{refused:?}"
        );
    }
    assert_eq!(
        fs::read_dir(project.path()).unwrap().count(),
        2,
        "nothing was made"
    );
}

#[test]
fn a_plan_is_shown_with_what_was_asked_for_and_nothing_is_fired() {
    let project = project();
    let project = project.path();
    let line = "pysurge plan sub/load.yml --tag smoke -o tests.sleeper.rate=7 -d 10s --workers 3 --json";
    let shown = ran(project, line);
    assert_eq!((shown.exit_code, shown.stderr.as_str()), (0, ""), "{shown:?}");
    let json: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(
        (
            &json["totals"]["planned"],
            &json["workers"],
            json["tests"].as_array().map(Vec::len)
        ),
        (&70.into(), &3.into(), Some(1)),
        "{json}"
    );
    // A test's own end stays; of the others `-d` is the end.
    let shown = ran(
        project,
        "pysurge plan sub/load.yml --exclude recorded -d 20s --json",
    );
    let json: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(json["totals"]["planned"], 2_000 + 500, "{json}");

    let drawn = ran(project, "pysurge plan sub/load.yml --only ramp --svg ramp.svg");
    assert_eq!(
        (drawn.exit_code, drawn.stderr.as_str()),
        (0, "drawn in ramp.svg\n"),
        "{drawn:?}"
    );
    assert!(drawn.stdout.contains("ramp"), "{drawn:?}");
    let picture = fs::read_to_string(project.join("ramp.svg")).unwrap();
    let piped = ran(project, "pysurge plan sub/load.yml --only ramp --svg -");
    assert_eq!(
        (piped.stdout.trim_end(), piped.stderr.as_str()),
        (picture.trim_end(), "")
    );
    assert!(picture.starts_with("<svg"), "{picture}");
    let failed = ran(
        project,
        "pysurge plan sub/load.yml --only ramp --svg none/ramp.svg",
    );
    assert_eq!(failed.exit_code, 2);
    assert!(
        failed
            .stderr
            .starts_with("error: failed to write the picture none/ramp.svg"),
        "{failed:?}"
    );

    let wrong = ran(
        project,
        "pysurge plan sub/load.yml -o tests.sleeper.test_class=native.None",
    );
    assert_eq!((wrong.exit_code, wrong.stdout.as_str()), (2, ""), "{wrong:?}");
    assert!(wrong.stderr.contains("native.None"), "{wrong:?}");
    assert!(!project.join("pysurge-results").exists());
}

#[test]
fn what_the_command_line_says_goes_before_the_config() {
    let project = project();
    let project = project.path();
    let config = format!("duration: 10s\nworkers: 4\n{CONFIG}");
    fs::write(project.join("sub/load.yml"), config).unwrap();
    let planned = |flags: &str| {
        let shown = ran(
            project,
            &format!("pysurge plan sub/load.yml --only sleeper --json {flags}"),
        );
        let json: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        (json["totals"]["planned"].as_u64(), json["workers"].as_u64())
    };
    assert_eq!(planned(""), (Some(1_000), Some(4)));
    assert_eq!(planned("-d 5s --workers 1"), (Some(500), Some(1)));
    assert_eq!(planned("-o duration=20s -o workers=2"), (Some(2_000), Some(2)));
    for flags in [
        "--tag none",
        "--only none",
        "--exclude none",
        "-o tests.none.rate=1",
        "-o nonsense",
    ] {
        let wrong = ran(project, &format!("pysurge check sub/load.yml {flags}"));
        assert_eq!(
            (wrong.exit_code, wrong.stdout.as_str()),
            (2, ""),
            "{flags}: {wrong:?}"
        );
    }
    // The classic form and its 0 go by the config too.
    let classic = ran(project, "pysurge -c sub/load.yml -d 0.001");
    assert!(classic.stderr.contains("4 workers"), "{classic:?}");
}

/// A run on a terminal of its own, and what it has shown.
struct OnTerminal {
    running: Running,
    user: fs::File,
    line: OwnedFd,
    screen: Kept,
}

impl OnTerminal {
    fn start(project: &Path, line: &str) -> Self {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let name = ptsname(&user, Vec::new()).unwrap();
        let terminal = rustix::fs::open(
            name,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .unwrap();
        let stdio = || Stdio::from(terminal.try_clone().unwrap());
        let mut command = Command::new(program());
        let command = command
            .args(line.split_whitespace())
            .current_dir(project)
            .env("XDG_RUNTIME_DIR", project.join("runtime"))
            .env("PYSURGE_ON_TERMINAL", "1")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio());
        let running = Running(command.spawn().unwrap());
        let user = fs::File::from(user);
        let (mut reader, screen) = (user.try_clone().unwrap(), Kept::default());
        let mut shown = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let _ = shown.write_all(&bytes[..count]);
            }
        });
        Self {
            running,
            user,
            line: terminal,
            screen,
        }
    }

    fn press(&mut self, keys: &str) {
        self.user.write_all(keys.as_bytes()).unwrap();
    }

    fn wait_for(&self, text: &str) {
        until(
            || format!("{text} on {}", self.screen.text()),
            || self.screen.text().contains(text).then_some(()),
        );
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.line).unwrap().local_modes
    }
}

#[test]
fn keys_steer_a_run_and_the_terminal_is_left_as_it_was() {
    let project = project();
    let mut on = OnTerminal::start(project.path(), "run sub/load.yml --only sleeper --no-results");
    let plain = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
    on.wait_for("keys: p pause");
    assert_eq!(on.modes() & plain, LocalModes::ISIG);
    on.press("xyz\u{1b}[Ah");
    on.wait_for("sets them back");
    on.press("p");
    on.wait_for("paused at ");
    on.press(" ");
    on.wait_for("resumed at ");
    on.press("+");
    on.wait_for("x1.1 from ");
    on.press("s");
    on.wait_for("stopping: ");
    assert_eq!(on.running.0.wait().unwrap().code(), Some(0));
    on.wait_for("1 test on 2 workers");
    assert_eq!(on.modes() & plain, plain);
    assert!(!on.screen.text().contains("xyz"), "{}", on.screen.text());
}

#[test]
fn without_keys_the_terminal_is_not_touched_and_ctrl_c_stops_either_way() {
    let project = project();
    for (flags, by_line) in [("--no-keys", true), ("", false)] {
        let line = format!("run sub/load.yml --only sleeper --no-results {flags}");
        let mut on = OnTerminal::start(project.path(), &line);
        on.wait_for("fired ");
        assert_eq!(on.modes().contains(LocalModes::ICANON), by_line);
        assert_eq!(on.screen.text().contains("keys: "), !by_line);
        on.press("\u{3}");
        assert_eq!(on.running.0.wait().unwrap().code(), Some(0));
        assert!(on.modes().contains(LocalModes::ICANON | LocalModes::ECHO));
    }
}
