//! A worker that runs native tests: `pysurge._worker` without Python. Its standard input is its end of the control channel.

use std::process::ExitCode;

fn main() -> ExitCode {
    match pysurge_testkit::serve_stdin(pysurge_testkit::native) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "native-worker: {error}");
            ExitCode::FAILURE
        }
    }
}
