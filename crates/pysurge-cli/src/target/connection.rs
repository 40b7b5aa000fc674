//! One connection of the target: reads bytes, lets the pure parts decide, waits, writes. Answers leave in the order of
//! their requests; those that need no wait leave together in one write.

use super::request::{Decoder, Event, Refusal, Request};
use super::route::{Action, Class, reason, reason_body, route};
use super::{Shared, monotonic_ns};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many bytes are read at once.
const READ_BYTES: usize = 16 * 1024;

/// How long a connection may be silent, or an answer unread, before it is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// How long, and how much, is still read after a refusal, so that the client gets to see the answer and not a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_READS: usize = 64;

/// The most characters of a path or a request id in the log.
const MAX_LOGGED_CHARS: usize = 512;

/// One client's connection.
pub(super) struct Connection<'a> {
    stream: TcpStream,
    shared: &'a Shared,
    answers: Vec<u8>,
    lines: String,
}

impl<'a> Connection<'a> {
    pub(super) fn new(stream: TcpStream, shared: &'a Shared) -> Self {
        Self {
            stream,
            shared,
            answers: Vec::new(),
            lines: String::new(),
        }
    }

    /// Serves until the client goes, misbehaves or the target stops. What goes wrong with a client ends its
    /// connection and nothing else.
    pub(super) fn serve(mut self) {
        let _ = self.try_serve();
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn try_serve(&mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(IDLE_TIMEOUT))?;
        self.stream.set_write_timeout(Some(IDLE_TIMEOUT))?;
        let (mut decoder, mut bytes) = (Decoder::default(), [0; READ_BYTES]);
        loop {
            let count = match self.stream.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            decoder.extend(&bytes[..count]);
            let now_ns = monotonic_ns();
            loop {
                match decoder.next(now_ns) {
                    Ok(None) => break,
                    Ok(Some(Event::Continue)) => {
                        self.answers.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    Ok(Some(Event::Request(request))) => {
                        self.answer(&request)?;
                        if !request.keep_alive || self.shared.is_stopping() {
                            return self.flush();
                        }
                    }
                    Err(refusal) => return self.refuse(refusal, now_ns),
                }
            }
            self.flush()?;
        }
    }

    fn answer(&mut self, request: &Request) -> io::Result<()> {
        let route = route(&request.method, &request.path);
        self.shared
            .stats
            .count(&request.method, route.class, route.status);
        let id = request.id.as_deref().unwrap_or("-");
        self.log(
            request.arrived_ns,
            &request.method,
            &request.path,
            route.status,
            id,
        );
        let body = match route.action {
            Action::Serve(body) => {
                let service_ns = self.shared.service_ns();
                self.wait(request.arrived_ns, service_ns)?;
                body
            }
            Action::Delay(delay_ns, body) => {
                self.wait(request.arrived_ns, delay_ns)?;
                body
            }
            Action::Freeze(for_ns, body) => {
                self.shared.freeze(for_ns);
                body
            }
            Action::Stats => self.shared.stats.to_json().to_string(),
        };
        self.push_answer(route.status, &body, request.keep_alive, request.method == "HEAD");
        Ok(())
    }

    /// Lets the service time and any freeze pass; answers that are ready do not wait with it.
    fn wait(&mut self, arrived_ns: u64, service_ns: u64) -> io::Result<()> {
        if service_ns > 0 {
            self.flush()?;
            self.shared.sleep_until(arrived_ns.saturating_add(service_ns));
        }
        if self.shared.frozen_until_ns.load(Ordering::SeqCst) > 0 {
            self.shared.thaw();
        }
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal, now_ns: u64) -> io::Result<()> {
        let status = refusal.status();
        self.shared.stats.count("-", Class::Malformed, status);
        self.log(now_ns, "-", "-", status, "-");
        self.push_answer(status, &reason_body(status), false, false);
        self.flush()?;
        self.stream.shutdown(Shutdown::Write)?;
        self.stream.set_read_timeout(Some(LINGER))?;
        let mut bytes = [0; READ_BYTES];
        for _ in 0..LINGER_READS {
            if self.stream.read(&mut bytes)? == 0 {
                break;
            }
        }
        Ok(())
    }

    fn push_answer(&mut self, status: u16, body: &str, keep_alive: bool, head_only: bool) {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let body_sent = if head_only { "" } else { body };
        // A `Vec` takes every write.
        let _ = write!(
            self.answers,
            "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{body_sent}",
            reason(status),
            body.len(),
        );
    }

    fn log(&mut self, arrived_ns: u64, method: &str, path: &str, status: u16, id: &str) {
        if self.shared.log.is_some() {
            let path = clip(path);
            let id = clip(id);
            // A `String` takes every write.
            let _ = writeln!(self.lines, "{arrived_ns} {method} {path} {status} {id}");
        }
    }

    /// Writes the log's lines, then the answers they tell of.
    fn flush(&mut self) -> io::Result<()> {
        if let Some(mut log) = self.shared.log.as_ref().filter(|_| !self.lines.is_empty()) {
            // One write, so that the lines of two connections do not mix.
            if log.write_all(self.lines.as_bytes()).is_err() {
                let lines = self.lines.lines().count() as u64;
                self.shared.stats.log_errors.fetch_add(lines, Ordering::Relaxed);
            }
            self.lines.clear();
        }
        self.stream.write_all(&self.answers)?;
        self.answers.clear();
        Ok(())
    }
}

fn clip(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_LOGGED_CHARS);
    end.map_or(text, |(end, _)| &text[..end])
}
