//! Real sockets, and a run that is only told of.

use super::super::client::{Client, ClientError};
use super::*;
use pysurge_core::control::{Standing, State};
use pysurge_core::schedule::Factor;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc;

/// A served socket, and what was asked there.
struct Served {
    server: Option<Server>,
    path: PathBuf,
    asked: Arc<Mutex<Vec<Command>>>,
    _folder: tempfile::TempDir,
}

fn standing() -> Standing {
    Standing {
        state: State::Running,
        name: "load".into(),
        factor: 1.0,
        elapsed_s: 1.5,
        paused_s: 0.0,
        effective_s: None,
        passed: 7,
        failed: 0,
        in_flight: 2,
    }
}

fn served() -> Served {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&asked);
    served_by(
        asked,
        Arc::new(move |command| {
            keep.lock().unwrap().push(command);
            match command {
                Command::Resume => Err(Refusal::NotStarted),
                _ => Ok(standing()),
            }
        }),
    )
}

fn served_by(asked: Arc<Mutex<Vec<Command>>>, ask: Arc<Ask>) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let server = Server::start(Socket::make(&path).unwrap(), ask).unwrap();
    Served {
        server: Some(server),
        path,
        asked,
        _folder: folder,
    }
}

impl Served {
    fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).unwrap()
    }

    /// The answers to some bytes after which the client writes no more.
    fn answers(&self, bytes: &[u8]) -> Vec<String> {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        BufReader::new(stream).lines().map(Result::unwrap).collect()
    }
}

#[test]
fn a_client_asks_and_is_answered() {
    let served = served();
    let mut client = Client::connect(&served.path).unwrap();
    let scale = Command::Scale(Factor::from_milli(1_500).unwrap());
    for command in [Command::Status, Command::Pause, scale, Command::StopNow] {
        assert_eq!(client.ask(command).unwrap(), standing());
    }
    let refused = client.ask(Command::Resume).unwrap_err();
    assert!(matches!(refused, ClientError::Refused(why) if why.contains("nothing is fired yet")));
    assert_eq!(
        *served.asked.lock().unwrap(),
        [
            Command::Status,
            Command::Pause,
            scale,
            Command::StopNow,
            Command::Resume
        ]
    );
}

#[test]
fn answers_come_in_order_and_nonsense_gets_one_too() {
    let served = served();
    let status = br#"{"command": "status"}"#;
    let long = vec![b'x'; 3 * MAX_REQUEST_BYTES];
    let sent = [&b"hello\n\xff\xfe\n\n"[..], status, b"\r\n", &long, b"\n", status].concat();
    let answers = served.answers(&sent);
    let said = [
        "not a request",
        "not a request",
        "not a request",
        r#""ok":true"#,
        "4096 bytes",
        r#""ok":true"#,
    ];
    assert_eq!(answers.len(), said.len(), "{answers:#?}");
    for (answer, said) in answers.iter().zip(said) {
        assert!(answer.contains(said), "{said}: {answer}");
    }
    // Half a request is none.
    let half = served.answers(br#"{"command": "stop""#);
    assert!(half.len() == 1 && half[0].contains("not a request"), "{half:?}");
    assert_eq!(*served.asked.lock().unwrap(), [Command::Status, Command::Status]);
}

#[test]
fn the_seventeenth_client_is_told_and_a_place_becomes_free_again() {
    let served = served();
    let mut clients: Vec<Client> = (0..MAX_CLIENTS)
        .map(|_| Client::connect(&served.path).unwrap())
        .collect();
    for client in &mut clients {
        client.ask(Command::Status).unwrap();
    }
    let over = || Client::connect(&served.path).unwrap().ask(Command::Status);
    assert!(matches!(over(), Err(ClientError::Refused(why)) if why.contains("16 clients")));
    for client in &mut clients {
        client.ask(Command::Status).unwrap();
    }
    clients.truncate(3);
    let mut again = over();
    for _ in 0..10_000 {
        if again.is_ok() {
            break;
        }
        std::thread::yield_now();
        again = over();
    }
    assert!(again.is_ok());
}

#[test]
fn a_client_that_never_reads_blocks_nobody() {
    let served = served();
    let mut deaf = served.connect();
    deaf.set_nonblocking(true).unwrap();
    let requests = b"{\"command\":\"status\"}\n".repeat(1_000);
    // Until its answers, and then its requests, have filled all that the system keeps.
    let (mut full, mut tries) = (0, 0);
    while full < 1_000 && tries < 1_000_000 {
        tries += 1;
        if deaf.write(&requests).is_ok_and(|count| count > 0) {
            full = 0;
        } else {
            full += 1;
            std::thread::yield_now();
        }
    }
    assert!(full > 0, "it was never full");
    Client::connect(&served.path)
        .unwrap()
        .ask(Command::Pause)
        .unwrap();
    drop(served);
}

#[test]
fn all_ends_with_the_run() {
    let mut served = served();
    let (mut idle, mut half) = (served.connect(), served.connect());
    half.write_all(b"{\"comm").unwrap();
    let mut busy = Client::connect(&served.path).unwrap();
    busy.ask(Command::Status).unwrap();
    drop(served.server.take());
    for stream in [&mut idle, &mut half] {
        assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
    assert!(busy.ask(Command::Status).is_err());
    assert!(!served.path.exists());
    assert!(matches!(Client::connect(&served.path), Err(ClientError::Nobody)));
}

#[test]
fn an_answer_that_takes_long_delays_nobody_else() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let ask = move |command| {
        if command == Command::Pause {
            let _ = gone.lock().unwrap().recv();
        }
        Ok(standing())
    };
    let served = served_by(Arc::default(), Arc::new(ask));
    let mut slow = served.connect();
    slow.write_all(b"{\"command\":\"pause\"}\n").unwrap();
    Client::connect(&served.path)
        .unwrap()
        .ask(Command::Status)
        .unwrap();
    go.send(()).unwrap();
    let mut line = String::new();
    BufReader::new(slow).read_line(&mut line).unwrap();
    assert!(line.contains(r#""ok":true"#));
}

#[test]
fn an_answer_that_panics_ends_its_connection_alone() {
    let ask = |command| match command {
        Command::Pause => panic!("asked to"),
        _ => Ok(standing()),
    };
    let served = served_by(Arc::default(), Arc::new(ask));
    let lost = Client::connect(&served.path).unwrap().ask(Command::Pause);
    assert!(matches!(lost, Err(ClientError::Nobody)));
    assert!(
        Client::connect(&served.path)
            .unwrap()
            .ask(Command::Status)
            .is_ok()
    );
}
