//! The command line, `Manager` and `run`, from Python: the process's own streams and environment become a `World`, and the
//! interpreter is let go of until the run is over. `run` does not touch the process's streams: what is shown goes to Python's.

use crate::streams::Stream;
use crate::values::from_python;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use pysurge_cli::{LibraryOutcome, LibraryRun, Output, Size, StopRequests, StopSignals, World};
use pysurge_config::Config;
use pysurge_core::plan::Plan;
use rustix::fs::{Mode, OFlags};
use rustix::process::getpgrp;
use rustix::termios::{isatty, tcgetpgrp, tcgetwinsize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::path::PathBuf;

/// The exit code of a run of which nothing was fired.
const NOTHING_FIRED: u8 = 2;

/// The exit code of an internal error.
const INTERNAL_ERROR: u8 = 1;

/// Runs the command line `args` (the program's name first) and returns its exit code. Never imports user code.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, args: Vec<OsString>, python: PathBuf, demo: PathBuf) -> u8 {
    let free_threaded = is_free_threaded(py);
    py.detach(|| pysurge_cli::run(world(args, python, demo, free_threaded)))
}

/// Raises `ValueError` where a config, as loaded from YAML, or a duration in seconds is wrong.
#[pyfunction]
pub(crate) fn check_config(config: &Bound<'_, PyAny>, duration: Option<f64>) -> PyResult<()> {
    parsed(config)?;
    duration_ns(duration)?;
    Ok(())
}

/// Runs a config, as loaded from YAML, for a duration in seconds or until a byte arrives at the descriptor `stops`: each
/// byte is one request to stop, as Python's signal handler writes them to its wakeup descriptor.
#[pyfunction]
pub(crate) fn run_config(
    py: Python<'_>,
    config: &Bound<'_, PyAny>,
    duration: Option<f64>,
    debug: bool,
    python: PathBuf,
    demo: PathBuf,
    stops: Option<i32>,
) -> PyResult<u8> {
    let (config, duration_ns) = (parsed(config)?, duration_ns(duration)?);
    let requests = StopRequests::default();
    if let Some(fd) = stops {
        heed(fd, requests.clone())?;
    }
    let args = vec![OsString::from("pysurge")];
    let world = World {
        signals: StopSignals::Requests(requests),
        // The keyboard is the program's that called.
        keyboard: None,
        ..world(args, python, demo, is_free_threaded(py))
    };
    let exit_code = py.detach(|| pysurge_cli::run_config(config, duration_ns, debug, world));
    match exit_code {
        INTERNAL_ERROR | NOTHING_FIRED => Err(PyRuntimeError::new_err(
            "the run could not be carried out; the reason was written to standard error",
        )),
        _ => Ok(exit_code),
    }
}

/// What `pysurge._run` asks for, beside the config.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent wishes, each an argument of its own"
)]
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Wishes {
    duration: Option<f64>,
    workers: Option<u32>,
    results: Option<PathBuf>,
    rehearsal: bool,
    show: bool,
    debug: bool,
    require_valid: bool,
    env: BTreeMap<String, String>,
    stops: Option<i32>,
    /// Functions that take text, and whether a terminal is behind them.
    stdout: Option<Py<PyAny>>,
    stderr: Option<Py<PyAny>>,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
}

/// Runs a config, as loaded from YAML, for `pysurge.run`. Gives what came of it (`finished`, `config`, `load`, `rehearsal`, `aborted`,
/// `stopped`), what was written to standard output and standard error, and of a finished run the summary as JSON, the report and the folder.
#[pyfunction]
pub(crate) fn run_library(
    py: Python<'_>,
    config: &Bound<'_, PyAny>,
    wishes: Wishes,
    python: PathBuf,
    demo: PathBuf,
) -> PyResult<Told> {
    let requests = StopRequests::default();
    // First of all: the descriptor is ours whatever happens.
    if let Some(fd) = wishes.stops {
        heed(fd, requests.clone())?;
    }
    let (config, duration_ns) = (parsed(config)?, duration_ns(wishes.duration)?);
    let (stdout, stderr) = (Stream::new(wishes.stdout), Stream::new(wishes.stderr));
    let (wrote, complained) = (stdout.kept(), stderr.kept());
    let world = World {
        signals: StopSignals::Requests(requests),
        keyboard: None,
        stdout: Output::new(stdout, wishes.stdout_is_terminal),
        stderr: Output::new(stderr, wishes.stderr_is_terminal),
        ..world(
            vec![OsString::from("pysurge")],
            python,
            demo,
            is_free_threaded(py),
        )
    };
    let run = LibraryRun {
        duration_ns,
        workers: wishes.workers,
        results: wishes.results,
        rehearsal: wishes.rehearsal,
        show: wishes.show,
        debug: wishes.debug,
        require_valid: wishes.require_valid,
        env: wishes.env.into_iter().collect(),
    };
    let outcome = py.detach(|| pysurge_cli::run_library(config, run, world));
    let (kind, text, finished) = match outcome {
        LibraryOutcome::Finished(result) => ("finished", String::new(), Some(result)),
        LibraryOutcome::WrongConfig(text) => ("config", text, None),
        LibraryOutcome::LoadFailed(text) => ("load", text, None),
        LibraryOutcome::RehearsalFailed => ("rehearsal", String::new(), None),
        LibraryOutcome::Aborted(text) => ("aborted", text, None),
        LibraryOutcome::Stopped => ("stopped", String::new(), None),
    };
    let finished = finished.map(|result| (result.summary_json, result.report, result.folder));
    Ok((kind, text, wrote.text(), complained.text(), finished))
}

/// What [`run_library`] gives: what came of it, why, what it wrote to standard output and to standard error, and the result.
type Told = (
    &'static str,
    String,
    String,
    String,
    Option<(String, String, Option<PathBuf>)>,
);

/// The time series of a summary, a dict per line, with the columns of `timeseries.csv`; `test` is the test's place.
#[pyfunction]
pub(crate) fn series<'py>(py: Python<'py>, summary_json: &str) -> PyResult<Bound<'py, PyList>> {
    let lines = py
        .detach(|| pysurge_cli::series_of(summary_json))
        .ok_or_else(|| PyValueError::new_err("this is no summary of a run"))?;
    let table = PyList::empty(py);
    for line in lines {
        let row = PyDict::new(py);
        row.set_item("from_s", line.from_s)?;
        row.set_item("to_s", line.to_s)?;
        row.set_item("test", line.test)?;
        row.set_item("measure", line.measure)?;
        row.set_item("count", line.count)?;
        row.set_item("sum", line.sum)?;
        let names = ["mean", "p50", "p90", "p95", "p99", "p99.9", "max"];
        for (name, figure) in names.into_iter().zip(line.figures) {
            row.set_item(name, figure)?;
        }
        table.append(row)?;
    }
    Ok(table)
}

/// Turns the bytes that arrive at a descriptor into requests to stop, until its other end is closed.
fn heed(fd: i32, requests: StopRequests) -> PyResult<()> {
    // SAFETY: the caller, pysurge._signals, gave this descriptor away and does not use it any more.
    #[expect(unsafe_code, reason = "a descriptor crosses from Python as a number")]
    let mut stops = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    let reader = move || {
        let mut bytes = [0; 16];
        while let Ok(count @ 1..) = stops.read(&mut bytes) {
            for _ in 0..count {
                requests.request();
            }
        }
    };
    std::thread::Builder::new()
        .name("pysurge-stops".into())
        .spawn(reader)?;
    Ok(())
}

fn parsed(config: &Bound<'_, PyAny>) -> PyResult<Config> {
    let value = from_python(config)?;
    pysurge_config::from_value(Plan::NAME_OF_DICT, &value)
        .map_err(|errors| PyValueError::new_err(errors.to_string()))
}

/// Seconds to nanoseconds; none and zero mean until Ctrl+C, as they always did.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be positive; the cast saturates"
)]
fn duration_ns(duration: Option<f64>) -> PyResult<Option<u64>> {
    match duration {
        None | Some(0.0) => Ok(None),
        Some(seconds) if seconds.is_finite() && seconds > 0.0 => Ok(Some((seconds * 1e9) as u64)),
        Some(seconds) => Err(PyValueError::new_err(format!(
            "a duration must be a number of seconds above 0, not {seconds}"
        ))),
    }
}

fn is_free_threaded(py: Python<'_>) -> bool {
    let enabled = py
        .import("sys")
        .and_then(|sys| sys.call_method0("_is_gil_enabled")?.extract::<bool>());
    enabled.is_ok_and(|gil| !gil)
}

/// A descriptor of standard input, where somebody types there. A closed one is nobody's keyboard.
fn keyboard() -> Option<OwnedFd> {
    let stdin = std::io::stdin();
    isatty(&stdin)
        .then(|| stdin.as_fd().try_clone_to_owned().ok())
        .flatten()
}

/// Opens `/dev/null` in the place of standard streams that are closed: a file of ours there would get what is meant for a terminal.
fn fill_standard_streams() {
    while let Ok(fd) = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()) {
        if fd.as_raw_fd() > 2 {
            break;
        }
        // It stays open for good.
        let _ = fd.into_raw_fd();
    }
}

/// How large the terminal of standard error is; `None` while a shell has it, because the run was sent to the background.
fn terminal_size() -> Option<Size> {
    let stderr = std::io::stderr();
    // Where it is not the terminal that rules this process, nobody can send the process to its background.
    if tcgetpgrp(&stderr).is_ok_and(|group| group != getpgrp()) {
        return None;
    }
    let size = tcgetwinsize(&stderr).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(Size {
        columns: size.ws_col,
        rows: size.ws_row,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the process's own world is taken in"
)]
fn world(args: Vec<OsString>, python: PathBuf, demo: PathBuf, free_threaded: bool) -> World {
    fill_standard_streams();
    let stdout = Output::new(std::io::stdout(), isatty(std::io::stdout()));
    let stderr = Output::new(std::io::stderr(), isatty(std::io::stderr()));
    let columns = [tcgetwinsize(std::io::stdout()), tcgetwinsize(std::io::stderr())];
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let cpus =
        std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX));
    World {
        env,
        cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        columns: columns
            .into_iter()
            .flatten()
            .map(|size| size.ws_col)
            .find(|columns| *columns > 0),
        size: terminal_size,
        python,
        free_threaded,
        cpus,
        demo,
        signals: StopSignals::Process,
        keyboard: keyboard(),
        // Not what TMPDIR says: another shell must find the same folder.
        temp_dir: Some(PathBuf::from("/tmp")),
        ..World::new(args, stdout, stderr)
    }
}
