//! The demo target: a small HTTP/1.1 server for trying pysurge out and for tests that need to know the truth.
//!
//! It counts what it answers, can log every arrival, serves with a known delay and can freeze. Plain threads, one
//! per connection up to a limit; `route` says what is answered.
//!
//! It listens on 127.0.0.1 only and must never be reachable from elsewhere: it is no web server, it trusts nobody and serves nothing.

mod connection;
mod request;
mod route;
mod stats;

use crate::clock::monotonic_ns;
use connection::Connection;
use stats::Stats;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Connections served at the same time; a thread each, with a stack of [`STACK_BYTES`].
const DEFAULT_MAX_CONNECTIONS: usize = 4_096;

/// Enough for the deepest call path here several times over, in a debug build too.
const STACK_BYTES: usize = 256 * 1024;

/// How long a sleeping connection may take to notice that the target stops.
const STOP_CHECK: Duration = Duration::from_millis(20);

/// How long to wait before the next try when the system has no resources for a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// How a target is to behave.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The least service time of an answer.
    pub delay_ns: u64,
    /// The most that is added to the service time. What is added is skewed to the low end, as in real servers, and
    /// is a function of the request's number alone.
    pub jitter_ns: u64,
    /// Where to write a line per request: arrival (nanoseconds of `CLOCK_MONOTONIC`), method, path, status and
    /// `X-Request-Id` (`-` without one). A line is written before its answer leaves.
    pub log: Option<PathBuf>,
    /// Connections served at the same time; a further one gets a 503.
    pub max_connections: usize,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self {
            port: 0,
            delay_ns: 0,
            jitter_ns: 0,
            log: None,
            max_connections: DEFAULT_MAX_CONNECTIONS,
        }
    }
}

/// A running target. Dropping it stops it and waits until every thread has ended.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Target {
    /// Binds, opens the log and starts to serve.
    pub fn start(options: TargetOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            frozen_until_ns: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            log: options.log.as_ref().map(File::create).transpose()?,
            stats: Stats::default(),
            streams: Mutex::default(),
            options,
        });
        let of_acceptor = Arc::clone(&shared);
        let acceptor = thread::Builder::new()
            .name("target".into())
            .spawn(move || accept(&listener, &of_acceptor))?;
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a client writes it, `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests answered so far; those that steer the target (`/stats`, `/freeze`) are left out.
    pub fn requests(&self) -> u64 {
        self.shared.stats.requests()
    }

    /// Log lines that could not be written.
    pub fn log_errors(&self) -> u64 {
        self.shared.stats.log_errors.load(Ordering::Relaxed)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for stream in self.shared.streams().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The acceptor waits in `accept`; a connection is the portable way to wake it.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// What the acceptor and the connections have in common.
#[derive(Debug)]
struct Shared {
    options: TargetOptions,
    stop: AtomicBool,
    frozen_until_ns: AtomicU64,
    /// Numbers the delayed answers, for their jitter.
    answered: AtomicU64,
    stats: Stats,
    log: Option<File>,
    /// The open connections, so that a stop can end their reads.
    streams: Mutex<HashMap<u64, TcpStream>>,
}

impl Shared {
    fn streams(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// The service time of the next answer.
    fn service_ns(&self) -> u64 {
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        self.options.delay_ns + skewed(scramble(number), self.options.jitter_ns)
    }

    /// Sleeps until an instant, or less long when the target stops.
    fn sleep_until(&self, until_ns: u64) {
        loop {
            let left_ns = until_ns.saturating_sub(monotonic_ns());
            if left_ns == 0 || self.is_stopping() {
                return;
            }
            thread::sleep(Duration::from_nanos(left_ns).min(STOP_CHECK));
        }
    }

    /// Freezes all answers from now on; a freeze that ends earlier does not shorten one that is on.
    fn freeze(&self, for_ns: u64) {
        let until_ns = monotonic_ns().saturating_add(for_ns);
        self.frozen_until_ns.fetch_max(until_ns, Ordering::SeqCst);
    }

    /// Sleeps until nothing is frozen, also when it is frozen again in the meantime.
    fn thaw(&self) {
        let mut until_ns = 0;
        loop {
            let frozen_until_ns = self.frozen_until_ns.load(Ordering::SeqCst);
            if frozen_until_ns == until_ns {
                return;
            }
            until_ns = frozen_until_ns;
            self.sleep_until(until_ns);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Shared) {
    // The scope joins every connection's thread before the acceptor ends.
    thread::scope(|scope| {
        for number in 0.. {
            let accepted = listener.accept();
            if shared.is_stopping() {
                return;
            }
            let Ok((stream, _)) = accepted else {
                thread::sleep(ACCEPT_RETRY);
                continue;
            };
            let Some(open) = Open::register(number, &stream, shared) else {
                shared.stats.refused_connections.fetch_add(1, Ordering::Relaxed);
                turn_away(stream);
                continue;
            };
            let serve = move || {
                Connection::new(stream, shared).serve();
                drop(open);
            };
            let thread = thread::Builder::new()
                .name(format!("target-{number}"))
                .stack_size(STACK_BYTES);
            if thread.spawn_scoped(scope, serve).is_err() {
                thread::sleep(ACCEPT_RETRY);
            }
        }
    });
}

fn turn_away(mut stream: TcpStream) {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    // It fits any socket buffer, so that the acceptor is not held up.
    let _ = stream.write_all(answer);
}

/// A connection's place in [`Shared::streams`], given up when dropped.
struct Open<'a> {
    number: u64,
    shared: &'a Shared,
}

impl<'a> Open<'a> {
    fn register(number: u64, stream: &TcpStream, shared: &'a Shared) -> Option<Self> {
        let mut streams = shared.streams();
        if streams.len() >= shared.options.max_connections {
            return None;
        }
        streams.insert(number, stream.try_clone().ok()?);
        drop(streams);
        if shared.is_stopping() {
            // The stop may have gone through the streams just before this one was among them.
            let _ = stream.shutdown(Shutdown::Both);
        }
        Some(Self { number, shared })
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared.streams().remove(&self.number);
    }
}

/// A well-mixed 32-bit number from a counter: one round of xorshift64* (Vigna, 2016).
fn scramble(number: u64) -> u64 {
    // The odd constant spreads neighbours apart and keeps the state from being zero.
    let mut x = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32
}

/// `most` times the cube of a 32-bit fraction: an eighth at the median, near all of it at the 99th percentile.
fn skewed(fraction: u64, most: u64) -> u64 {
    let square = (fraction * fraction) >> 32;
    let cube = (square * fraction) >> 32;
    let share = (u128::from(most) * u128::from(cube)) >> 32;
    u64::try_from(share).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_skewed_to_the_low_end_and_within_its_bounds() {
        let mut jitters: Vec<u64> = (0..10_000).map(|n| skewed(scramble(n), 8_000)).collect();
        jitters.sort_unstable();
        assert!((900..1_100).contains(&jitters[5_000]), "{}", jitters[5_000]);
        assert!((7_600..8_000).contains(&jitters[9_900]), "{}", jitters[9_900]);
        assert_eq!(skewed(u64::from(u32::MAX), 0), 0);
    }

    #[test]
    fn a_shorter_freeze_does_not_end_a_longer_one() {
        let target = Target::start(TargetOptions::default()).unwrap();
        target.shared.freeze(60_000_000_000);
        let until_ns = target.shared.frozen_until_ns.load(Ordering::SeqCst);
        target.shared.freeze(1);
        assert_eq!(target.shared.frozen_until_ns.load(Ordering::SeqCst), until_ns);
    }

    #[test]
    fn a_port_in_use_is_an_error() {
        let target = Target::start(TargetOptions::default()).unwrap();
        let options = TargetOptions {
            port: target.addr().port(),
            ..TargetOptions::default()
        };
        assert_eq!(
            Target::start(options).map(|_| ()).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
    }
}
