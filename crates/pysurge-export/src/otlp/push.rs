//! Pushes figures from a thread of its own, every so often, and once more when the run is over.
//!
//! Figures are cumulative: what a push did not bring, the next one does, so none is tried twice. The last one has two seconds; whoever has
//! not answered by then has lost it, and nobody waits any longer.

use super::OtlpSettings;
use super::message::request;
use crate::ledger::Ledger;
use crate::prometheus::Board;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// So long the end of a run waits for the last push.
const LAST_PUSH: Duration = Duration::from_secs(2);

/// What is read of an answer.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// How far a run has got with its pushes.
#[derive(Debug, Default)]
struct Stage {
    is_over: bool,
    /// The thread has ended.
    is_done: bool,
}

#[derive(Debug, Default)]
struct Shared {
    stage: Mutex<Stage>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is so, at most so long; whether it is.
    fn wait(&self, most: Duration, until: impl Fn(&Stage) -> bool) -> bool {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), most, |stage| !until(stage));
        let (stage, _) = waited.unwrap_or_else(PoisonError::into_inner);
        until(&stage)
    }

    fn change(&self, change: impl FnOnce(&mut Stage)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// Tells that the thread has ended, however it did.
struct Done(Arc<Shared>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.change(|stage| stage.is_done = true);
    }
}

/// Pushes that go on.
#[derive(Debug)]
pub(crate) struct Pusher {
    shared: Arc<Shared>,
    ledger: Arc<Ledger>,
}

impl Pusher {
    /// Begins; `wall_ns` tells the time, nanoseconds since 1970 UTC.
    pub(crate) fn start(
        settings: OtlpSettings,
        board: Arc<Board>,
        ledger: Arc<Ledger>,
        wall_ns: fn() -> u64,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let post = Post {
            agent: agent(&settings),
            instance: format!("{}-{}", std::process::id(), wall_ns()),
            settings,
            board,
            ledger: Arc::clone(&ledger),
            wall_ns,
        };
        let done = Done(Arc::clone(&shared));
        Builder::new().name("pysurge otlp".to_owned()).spawn(move || {
            let interval = post.settings.interval;
            while !done.0.wait(interval, |stage| stage.is_over) {
                post.push(post.settings.timeout);
            }
            post.push(post.settings.timeout.min(LAST_PUSH));
        })?;
        Ok(Self { shared, ledger })
    }

    /// The last figures are there: they are pushed at once.
    pub(crate) fn over(&self) {
        self.shared.change(|stage| stage.is_over = true);
    }

    /// Waits for the last push, but not for long.
    pub(crate) fn finish(&self) {
        self.over();
        if !self.shared.wait(LAST_PUSH, |stage| stage.is_done) {
            self.ledger.lost(format!(
                "no answer within {} s of the end of the run",
                LAST_PUSH.as_secs()
            ));
        }
        self.ledger.close();
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        self.over();
    }
}

/// All that a push needs.
struct Post {
    agent: Agent,
    instance: String,
    settings: OtlpSettings,
    board: Arc<Board>,
    ledger: Arc<Ledger>,
    wall_ns: fn() -> u64,
}

impl Post {
    fn push(&self, timeout: Duration) {
        let snapshot = self.board.snapshot();
        // Before iterations start there is nothing to tell.
        if snapshot.started_ns == 0 {
            return;
        }
        let message = request(&snapshot, &self.settings, &self.instance, (self.wall_ns)());
        match self.send(&message.encode_to_vec(), timeout) {
            Ok(()) => self.ledger.sent(),
            Err(why) => self.ledger.lost(why),
        }
    }

    /// Sends one message; says in words why it was not taken.
    fn send(&self, message: &[u8], timeout: Duration) -> Result<(), String> {
        let mut post = self
            .agent
            .post(self.settings.endpoint.uri_of())
            .header("Content-Type", "application/x-protobuf");
        for (name, value) in &self.settings.headers {
            post = post.header(name, value);
        }
        let post = post.config().timeout_global(Some(timeout)).build();
        let answer = post.send(message).map_err(|error| words(&error))?;
        if answer.status().is_success() {
            refused(answer).map_or(Ok(()), Err)
        } else {
            Err(format!("it answered {}", answer.status()))
        }
    }
}

/// What a receiver that took a message says that it did not take of it.
fn refused(mut answer: Response<Body>) -> Option<String> {
    let mut bytes = Vec::new();
    let body = answer.body_mut().as_reader().take(MAX_ANSWER_BYTES);
    let _ = { body }.read_to_end(&mut bytes);
    let partial = ExportMetricsServiceResponse::decode(bytes.as_slice())
        .ok()?
        .partial_success?;
    (partial.rejected_data_points > 0).then(|| {
        let why = pysurge_core::harmless::excerpt(&partial.error_message, 200);
        format!("it refused {} figures: {why}", partial.rejected_data_points)
    })
}

fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host is not known".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn agent(settings: &OtlpSettings) -> Agent {
    let mut config = Agent::config_builder()
        .user_agent(concat!("pysurge/", env!("CARGO_PKG_VERSION")))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false);
    if settings.endpoint.is_local() {
        config = config.proxy(None);
    }
    if let Some(Ok(own)) = settings.certificates.as_deref().map(certificates) {
        let roots = RootCerts::Specific(Arc::new(own));
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    config.build().new_agent()
}

/// The certificates in a PEM file.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, ureq::Error> {
    let found = parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    found.collect()
}
