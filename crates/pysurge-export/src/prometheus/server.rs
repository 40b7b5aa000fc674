//! Serves the page from a thread of its own. The latest figures lie on a [`Board`]; they are written as text where somebody asks for them, and
//! once for all who ask for the same.

use super::Access;
use super::Page;
use crate::figures::Snapshot;
use crate::ledger::Ledger;
use crate::openmetrics::{self, Form};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

/// Connections at one time; more wait until one ends. A scraper has one, and there are rarely more than two.
const MAX_CONNECTIONS: usize = 32;

/// A request's head is there within this time, also the first of a connection.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// So long a connection lasts, whatever it does: none stays for ever, and a scraper makes a new one.
const CONNECTION_TIME: Duration = Duration::from_secs(120);

/// How long to wait where the system has no more descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// The latest figures, and their text where somebody asked for it.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Sheet>);

#[derive(Debug, Default)]
struct Sheet {
    snapshot: Arc<Snapshot>,
    openmetrics: Option<Bytes>,
    text: Option<Bytes>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Sheet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts newer figures in the place of those that are there.
    pub(crate) fn put(&self, snapshot: Snapshot) {
        *self.lock() = Sheet {
            snapshot: Arc::new(snapshot),
            ..Sheet::default()
        };
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.lock().snapshot)
    }

    fn page(&self, form: Form) -> Bytes {
        let mut sheet = self.lock();
        let Sheet {
            snapshot,
            openmetrics,
            text,
        } = &mut *sheet;
        let written = match form {
            Form::OpenMetrics => openmetrics,
            Form::Text => text,
        };
        written
            .get_or_insert_with(|| openmetrics::page(snapshot, form).into())
            .clone()
    }
}

/// A page that is served. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

/// What a request needs.
#[derive(Debug, Clone)]
struct Desk {
    board: Arc<Board>,
    access: Access,
    ledger: Arc<Ledger>,
}

impl Server {
    pub(crate) fn start(page: Page, board: Arc<Board>, ledger: Arc<Ledger>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let desk = Desk {
            board,
            access: page.access,
            ledger,
        };
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = Builder::new().name("pysurge metrics".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::spawn(serve(page.listener, desk));
                stopped.notified().await;
            });
        })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, desk: Desk) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let service = TowerToHyperService::new(routes(desk));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = service.clone();
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(CONNECTION_TIME, talk(stream, service)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
    Ok(())
}

async fn talk(stream: TcpStream, service: TowerToHyperService<Router>) -> Result<(), hyper::Error> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/metrics", get(page))
        .layer(from_fn_with_state(desk.clone(), guard))
        .with_state(desk)
}

/// Stands in front of everything, also of what is not there.
async fn guard(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    match desk.access.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            let mut response = (refusal.status(), refusal.text()).into_response();
            if let Access::Token(_) = desk.access {
                let challenge = "Bearer".parse().expect("a word can stand in a header");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            desk.ledger.lost(refusal.status().to_string());
            response
        }
    }
}

async fn page(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let form = asked(&headers);
    desk.ledger.sent();
    let of_page = [(CONTENT_TYPE, form.content_type()), (CACHE_CONTROL, "no-store")];
    (of_page, desk.board.page(form)).into_response()
}

/// The form that was asked for; `OpenMetrics` has to be named.
fn asked(headers: &HeaderMap) -> Form {
    let mut accepted = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    if accepted.any(|value| value.contains("application/openmetrics-text")) {
        Form::OpenMetrics
    } else {
        Form::Text
    }
}

#[cfg(test)]
mod tests {
    use super::super::Token;
    use super::*;
    use crate::figures::Figures;
    use crate::sample::events;
    use ureq::Agent;

    /// A server with the figures of a run that is over, and its port.
    fn served(access: Access) -> (Server, u16, Arc<Ledger>) {
        let page = Page::open(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
        let page = Page { access, ..page };
        let port = page.listener.local_addr().unwrap().port();
        let (board, ledger) = (Arc::new(Board::default()), Arc::new(Ledger::default()));
        let mut figures = Figures::default();
        let heard = events();
        heard
            .iter()
            .filter_map(|event| figures.hear(event))
            .for_each(|snapshot| board.put(snapshot));
        (
            Server::start(page, board, Arc::clone(&ledger)).unwrap(),
            port,
            ledger,
        )
    }

    fn agent() -> Agent {
        Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .new_agent()
    }

    #[test]
    fn with_a_token_only_who_has_it_reads() {
        let secret = "0123456789abcdef";
        let (_server, port, ledger) = served(Access::Token(Token::parse(secret).unwrap()));
        let url = format!("http://127.0.0.1:{port}/metrics");
        for (token, host, status) in [
            (Some("Bearer 0123456789abcdef"), "load-1.example.org", 200),
            (Some("Bearer 0123456789abcdeX"), "load-1.example.org", 401),
            (None, "localhost", 401),
        ] {
            let mut get = agent().get(&url).header("Host", host);
            if let Some(token) = token {
                get = get.header("Authorization", token);
            }
            let mut answer = get.call().unwrap();
            assert_eq!(answer.status(), status, "{token:?}");
            let text = answer.body_mut().read_to_string().unwrap();
            assert_eq!(text.contains("pysurge_iterations"), status == 200);
            assert!(!text.contains(secret));
        }
        assert_eq!(ledger.totals(), (1, 2, "401 Unauthorized".to_owned()));
    }

    #[test]
    fn an_ended_server_gives_its_port_back() {
        let (server, port, _) = served(Access::ThisMachine);
        let mut asked = agent()
            .get(format!("http://127.0.0.1:{port}/metrics"))
            .call()
            .unwrap();
        assert!(
            asked
                .body_mut()
                .read_to_string()
                .unwrap()
                .contains("pysurge_running{run=\"demo\"} 0")
        );
        drop(server);
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}
