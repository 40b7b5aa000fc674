//! The demo target over real connections: what it answers, counts, logs and survives.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pysurge_cli::target::{Target, TargetOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Long enough for any machine; a test that waits so long has failed.
const DEADLINE: Duration = Duration::from_secs(20);

struct Client {
    reader: BufReader<TcpStream>,
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    keep_alive: bool,
    body: String,
}

impl Client {
    fn connect(target: &Target) -> Self {
        let stream = TcpStream::connect(target.addr()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self {
            reader: BufReader::new(stream),
        }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Reads one answer; `None` at the end of the stream.
    fn answer(&mut self, head_only: bool) -> Option<Answer> {
        let (mut status, mut length, mut keep_alive) = (None, 0, true);
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end().to_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().ok();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            } else if line == "connection: close" {
                keep_alive = false;
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; if head_only { 0 } else { length }];
        self.reader.read_exact(&mut body).unwrap();
        Some(Answer {
            status: status.unwrap(),
            keep_alive,
            body: String::from_utf8(body).unwrap(),
        })
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        self.answer(false).unwrap()
    }

    fn is_silent(&self) -> bool {
        let stream = self.reader.get_ref();
        stream.set_nonblocking(true).unwrap();
        let nothing_came = stream.peek(&mut [0]).is_err();
        stream.set_nonblocking(false).unwrap();
        nothing_came
    }

    fn is_closed(&mut self) -> bool {
        self.reader.read(&mut [0]).unwrap_or(0) == 0
    }
}

fn start() -> Target {
    Target::start(TargetOptions::default()).unwrap()
}

#[test]
fn a_connection_is_kept_for_many_requests() {
    let target = start();
    let mut client = Client::connect(&target);
    for number in 0..100 {
        let answer = client.get(&format!("/items/{number}"));
        assert_eq!((answer.status, answer.keep_alive), (200, true));
        assert_eq!(answer.body, format!(r#"{{"item":{number}}}"#));
    }
    assert_eq!(client.get("/none").status, 404);
    assert_eq!(target.requests(), 101);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let target = start();
    let mut client = Client::connect(&target);
    client.send("GET /items/1 HTTP/1.1\r\n\r\nGET /delay/3 HTTP/1.1\r\n\r\nGET /items/2 HTTP/1.1\r\n\r\n");
    for body in [r#"{"item":1}"#, r#"{"delayed_ms":3}"#, r#"{"item":2}"#] {
        assert_eq!(client.answer(false).unwrap().body, body);
    }
}

#[test]
fn a_head_may_come_in_pieces_and_a_body_after_it() {
    let target = start();
    let mut client = Client::connect(&target);
    for piece in [
        "PO",
        "ST /items HT",
        "TP/1.1\r\nContent-Le",
        "ngth: 4\r\n\r",
        "\nab",
    ] {
        client.send(piece);
    }
    client.send("cdGET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.answer(false).unwrap().status, 201);
    assert_eq!(client.answer(false).unwrap().status, 200);
}

#[test]
fn a_head_request_has_no_body_in_its_answer() {
    let target = start();
    let mut client = Client::connect(&target);
    client.send("HEAD / HTTP/1.1\r\n\r\n");
    assert_eq!(client.answer(true).unwrap().status, 200);
    assert_eq!(client.get("/items/5").body, r#"{"item":5}"#);
}

#[test]
fn a_connection_is_closed_when_the_client_asks() {
    let target = start();
    let mut client = Client::connect(&target);
    client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(!client.answer(false).unwrap().keep_alive);
    assert!(client.is_closed());
}

#[test]
fn garbage_and_oversize_are_refused_and_hurt_nobody_else() {
    let target = start();
    let mut bystander = Client::connect(&target);
    assert_eq!(bystander.get("/").status, 200);
    let oversize = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    for (bytes, status) in [
        ("\u{1}\u{2}\u{3}garbage\r\n\r\n", 400),
        (oversize.as_str(), 431),
        ("POST /items HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n", 413),
        ("POST /items HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    ] {
        let mut client = Client::connect(&target);
        client.send(bytes);
        let answer = client.answer(false).unwrap();
        assert_eq!((answer.status, answer.keep_alive), (status, false));
        client.reader.get_ref().shutdown(Shutdown::Write).unwrap();
        assert!(client.is_closed());
    }
    assert_eq!(bystander.get("/").status, 200);
    let stats = bystander.get("/stats").body;
    assert!(
        stats.contains(r#""- malformed":{"400":1,"411":1,"413":1,"431":1}"#),
        "{stats}"
    );
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_request_hurts_nobody() {
    let target = start();
    let mut client = Client::connect(&target);
    client.send("GET /items/1 HTT");
    drop(client);
    assert_eq!(Client::connect(&target).get("/").status, 200);
    assert_eq!(target.requests(), 1);
}

#[test]
fn connections_beyond_the_limit_are_turned_away_until_one_is_free() {
    let target = Target::start(TargetOptions {
        max_connections: 1,
        ..TargetOptions::default()
    })
    .unwrap();
    let mut first = Client::connect(&target);
    assert_eq!(first.get("/").status, 200);
    assert_eq!(Client::connect(&target).answer(false).unwrap().status, 503);
    drop(first);
    // The target notices the end of a connection a moment after the client made it.
    let mut tries = std::iter::repeat_with(|| Client::connect(&target)).take(10_000);
    assert!(tries.any(|mut client| {
        // Turned away at once, the request may meet a closed connection.
        let _ = client.reader.get_mut().write_all(b"GET / HTTP/1.1\r\n\r\n");
        let mut status = [0; 12];
        client.reader.read_exact(&mut status).is_ok() && status.ends_with(b"200")
    }));
}

#[test]
fn every_request_stands_in_the_log_before_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("arrivals.log");
    let target = Target::start(TargetOptions {
        log: Some(log.clone()),
        ..TargetOptions::default()
    })
    .unwrap();
    let mut client = Client::connect(&target);
    client.send("GET /items/7 HTTP/1.1\r\nX-Request-Id: abc def\r\n\r\n");
    assert_eq!(client.answer(false).unwrap().status, 200);
    client.get("/none?x=1");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<(u64, &str)> = text
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(arrival, rest)| (arrival.parse().unwrap(), rest))
        .collect();
    assert_eq!(lines[0].1, "GET /items/7 200 abc def");
    assert_eq!(lines[1].1, "GET /none?x=1 404 -");
    assert!(0 < lines[0].0 && lines[0].0 < lines[1].0);
    assert_eq!((lines.len(), target.log_errors()), (2, 0));
}

#[test]
fn an_answer_takes_its_service_time() {
    let target = Target::start(TargetOptions {
        delay_ns: 20_000_000,
        jitter_ns: 1_000_000,
        ..TargetOptions::default()
    })
    .unwrap();
    let mut client = Client::connect(&target);
    assert!(timed(|| client.get("/items/1")) >= Duration::from_millis(20));
    assert!(timed(|| client.get("/delay/40")) >= Duration::from_millis(40));
}

#[test]
fn a_freeze_holds_every_answer_but_those_of_the_control_paths() {
    let target = start();
    let (mut control, mut client) = (Client::connect(&target), Client::connect(&target));
    let frozen = timed(|| {
        assert_eq!(control.get("/freeze/1000").body, r#"{"frozen_ms":1000}"#);
        client.send("GET / HTTP/1.1\r\n\r\n");
        assert_eq!(control.get("/stats").status, 200);
        assert!(client.is_silent(), "the answer left during the freeze");
        assert_eq!(client.answer(false).unwrap().status, 200);
    });
    assert!(frozen >= Duration::from_secs(1), "{frozen:?}");
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn counts_are_exact_under_concurrent_clients() {
    let target = start();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Client::connect(&target);
                for number in 0..250 {
                    client.get(&format!("/items/{number}"));
                }
            });
        }
    });
    assert_eq!(target.requests(), 2_000);
    let stats = Client::connect(&target).get("/stats").body;
    assert!(stats.contains(r#""GET /items/N":{"200":2000}"#), "{stats}");
}

#[test]
fn a_stop_ends_idle_connections_and_running_waits_at_once() {
    let target = start();
    let (mut idle, mut waiting) = (Client::connect(&target), Client::connect(&target));
    idle.get("/");
    waiting.send("GET /delay/600000 HTTP/1.1\r\n\r\n");
    while target.requests() < 2 {
        std::thread::yield_now();
    }
    let address = target.addr();
    assert!(timed(|| drop(target)) < DEADLINE);
    assert!(idle.is_closed());
    assert!(TcpStream::connect(address).is_err());
}

#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
fn timed<T>(action: impl FnOnce() -> T) -> Duration {
    let start = std::time::Instant::now();
    action();
    start.elapsed()
}
