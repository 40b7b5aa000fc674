//! The side that asks: one request, one answer.

use pysurge_core::control::{Command, Standing, request_line};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take; a run gives it at once, unless it is suspended.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read; real ones have a few hundred bytes.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Why nothing came of a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("nothing listens there")]
    Nobody,
    #[error("it does not answer")]
    Silent,
    #[error("{0}")]
    Refused(String),
    #[error("its answer is not understood: {0}")]
    Strange(String),
    #[error("{0}")]
    System(io::Error),
}

/// A connection to a run.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the socket at a path.
    pub(crate) fn connect(path: &Path) -> Result<Self, ClientError> {
        Self::connect_within(path, TIMEOUT)
    }

    fn connect_within(path: &Path, timeout: Duration) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::Nobody,
            _ => ClientError::System(error),
        })?;
        let limited = stream
            .set_read_timeout(Some(timeout))
            .and_then(|()| stream.set_write_timeout(Some(timeout)));
        limited.map_err(ClientError::System)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self, command: Command) -> Result<Standing, ClientError> {
        let request = request_line(command) + "\n";
        // One that is turned away cannot write, but can read why.
        let written = self.stream.get_mut().write_all(request.as_bytes());
        let mut line = String::new();
        let read = (&mut self.stream).take(MAX_ANSWER_BYTES).read_line(&mut line);
        match (written, read) {
            (_, Ok(1..)) => understand(&line),
            (Err(error), _) | (Ok(()), Err(error)) => Err(of_system(error)),
            (Ok(()), Ok(0)) => Err(ClientError::Nobody),
        }
    }
}

fn understand(line: &str) -> Result<Standing, ClientError> {
    let strange = || ClientError::Strange(line.trim_end().to_owned());
    let answer: serde_json::Value = serde_json::from_str(line).map_err(|_| strange())?;
    match (answer["ok"].as_bool(), answer["error"].as_str()) {
        (Some(true), _) => serde_json::from_value(answer).map_err(|_| strange()),
        (Some(false), Some(error)) => Err(ClientError::Refused(error.to_owned())),
        _ => Err(strange()),
    }
}

fn of_system(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Nobody,
        _ => ClientError::System(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// What the client makes of these bytes as an answer.
    fn answered(bytes: &'static [u8]) -> Result<Standing, ClientError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            stream.read_line(&mut String::new()).unwrap();
            stream.get_mut().write_all(bytes).unwrap();
        });
        let answer = Client::connect(&path).unwrap().ask(Command::Status);
        server.join().unwrap();
        answer
    }

    #[test]
    fn answers_are_understood_or_not() {
        let standing = br#"{"ok":true,"state":"paused","name":"n","factor":2,"elapsed_s":1,"paused_s":0,
            "effective_s":null,"passed":1,"failed":2,"in_flight":3,"of a later version":[]}"#;
        let line: Vec<u8> = standing
            .iter()
            .copied()
            .filter(|byte| *byte != b'\n')
            .chain([b'\n'])
            .collect();
        let standing = answered(Box::leak(line.into_boxed_slice())).unwrap();
        assert_eq!((standing.passed, standing.failed, standing.in_flight), (1, 2, 3));
        let refused = answered(b"{\"ok\":false,\"error\":\"no\"}\n").unwrap_err();
        assert!(matches!(refused, ClientError::Refused(why) if why == "no"));
        for strange in [
            &b"hello\n"[..],
            b"{}\n",
            b"{\"ok\":true}\n",
            b"[1]\n",
            b"{\"ok\":fal",
        ] {
            assert!(
                matches!(answered(strange), Err(ClientError::Strange(_))),
                "{strange:?}"
            );
        }
        assert!(matches!(answered(b""), Err(ClientError::Nobody)));
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let _suspended = UnixListener::bind(&path).unwrap();
        let mut client = Client::connect_within(&path, Duration::from_millis(1)).unwrap();
        assert!(matches!(client.ask(Command::Status), Err(ClientError::Silent)));
    }
}
