//! The page. The latest figures lie on a [`Board`]; they are written as text where somebody asks for them, and once for all who ask for the
//! same.

use super::Access;
use crate::figures::Snapshot;
use crate::http::{Limits, Listen, PageError, Port, Server};
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
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where the page is served unless told otherwise: a port that stays the same, for a scraper has to know it beforehand.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9595";

/// A scraper has one connection, and there are rarely more than two; it makes a new one where its own was ended.
const LIMITS: Limits = Limits {
    connections: 32,
    connection_time: Duration::from_secs(120),
};

/// A page that is not served yet.
#[derive(Debug)]
pub struct Page {
    port: Port,
    access: Access,
}

impl Page {
    /// Takes the port. The token guards an address that other machines can reach; one is made where none is given.
    pub fn open(listen: &Listen, token: Option<&str>) -> Result<Self, PageError> {
        let port = Port::open(listen, "metrics")?;
        let access = Access::of(port.address.ip(), token).map_err(PageError::Token)?;
        Ok(Self { port, access })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.port.address)
    }

    /// What it takes to read it.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Serves it from here on, until what is returned is dropped.
    pub(crate) fn serve(self, board: Arc<Board>, ledger: Arc<Ledger>) -> io::Result<Server> {
        let desk = Desk {
            board,
            access: self.access,
            ledger,
        };
        Server::start("pysurge metrics", self.port.listener, routes(desk), LIMITS)
    }
}

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

/// What a request needs.
#[derive(Debug, Clone)]
struct Desk {
    board: Arc<Board>,
    access: Access,
    ledger: Arc<Ledger>,
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
    use super::*;
    use crate::figures::Figures;
    use crate::http::Token;
    use crate::sample::events;
    use std::net::TcpListener;
    use ureq::Agent;

    /// A server with the figures of a run that is over, and its port.
    fn served(access: Access) -> (Server, u16, Arc<Ledger>) {
        let page = Page::open(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
        let page = Page { access, ..page };
        let port = page.port.address.port();
        let (board, ledger) = (Arc::new(Board::default()), Arc::new(Ledger::default()));
        let mut figures = Figures::default();
        let heard = events();
        heard
            .iter()
            .filter_map(|event| figures.hear(event))
            .for_each(|snapshot| board.put(snapshot));
        (page.serve(board, Arc::clone(&ledger)).unwrap(), port, ledger)
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
