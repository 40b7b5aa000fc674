//! What can be asked of a dashboard.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /news` | server-sent events: what is new, as [`pysurge_report::LivePage::news`] has it |
//! | `GET /curves?test=N` | what is drawn of a test beside its rows |
//! | `POST /control` | asks the run, as a line to its control socket does |
//! | `GET /report.html` | the saved report, once it is there |

use super::access::{Access, parameter};
use super::board::{Ask, Board, Viewer};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::unfold;
use pysurge_core::control::{MAX_REQUEST_BYTES, Refusal, answer_line, parse_request};
use pysurge_report::{Told, dashboard_html};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Viewers at one time: a team, and the screen on its wall.
const MOST_VIEWERS: usize = 32;

/// A viewer is told no more often: log lines may come in thousands a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// A stream that has nothing to tell says so, for whatever stands between it and its viewer.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Headers of every answer.
const EVERYWHERE: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-ancestors 'none'"),
    ),
    (CORP, HeaderValue::from_static("same-origin")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// What a request needs.
#[derive(Clone)]
struct Desk {
    board: Arc<Board>,
    access: Arc<Access>,
    page: Bytes,
    ask: Arc<Ask>,
}

pub(super) fn routes(board: Arc<Board>, access: Access, title: &str, ask: Arc<Ask>) -> Router {
    let desk = Desk {
        board,
        access: Arc::new(access),
        page: dashboard_html(title).into(),
        ask,
    };
    Router::new()
        .route("/", get(page))
        .route("/news", get(news))
        .route("/curves", get(curves))
        .route("/control", post(control))
        .route("/report.html", get(report))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(from_fn_with_state(desk.clone(), guard))
        .with_state(desk)
}

/// Stands in front of everything, also of what is not there.
async fn guard(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let checked = desk
        .access
        .check(request.method(), request.uri(), request.headers());
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            let mut response = (refusal.status(), refusal.text()).into_response();
            if refusal.status() == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            response
        }
    };
    response.headers_mut().extend(EVERYWHERE);
    response
}

async fn page(State(desk): State<Desk>) -> Html<Bytes> {
    Html(desk.page)
}

fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

async fn curves(State(desk): State<Desk>, uri: Uri) -> Response {
    let test = parameter(&uri, "test").and_then(|test| test.parse().ok());
    match test.and_then(|test| desk.board.curves(test)) {
        Some(curves) => json(curves),
        None => (StatusCode::NOT_FOUND, "no such test\n").into_response(),
    }
}

async fn report(State(desk): State<Desk>) -> Response {
    let text = desk.board.report().and_then(|path| std::fs::read(path).ok());
    match text {
        Some(text) => Html(text).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no report\n").into_response(),
    }
}

/// What a stream needs for its next message.
struct Stream {
    viewer: Viewer,
    told: Told,
    changes: watch::Receiver<()>,
    is_first: bool,
}

impl Stream {
    /// Waits for something new; `None` where nothing comes any more.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if !self.is_first {
            sleep(INTERVAL).await;
        }
        loop {
            self.changes.borrow_and_update();
            if let Some((json, told)) = self.viewer.board().news(self.told) {
                (self.told, self.is_first) = (told, false);
                let event = Event::default().id(told.to_string()).data(json);
                return Some((Ok(event), self));
            }
            self.changes.changed().await.ok()?;
        }
    }
}

async fn news(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let Some(viewer) = desk.board.admit(MOST_VIEWERS) else {
        let text = format!("{MOST_VIEWERS} pages look at this run, which is the most\n");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let told = headers
        .get("last-event-id")
        .and_then(|told| told.to_str().ok()?.parse().ok());
    let stream = Stream {
        viewer,
        told: told.unwrap_or_default(),
        changes: desk.board.changes(),
        is_first: true,
    };
    Sse::new(unfold(stream, Stream::next))
        .keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE))
        .into_response()
}

async fn control(State(desk): State<Desk>, body: Bytes) -> Response {
    let command = parse_request(&String::from_utf8_lossy(&body));
    let (status, answer) = match command {
        Err(malformed) => (StatusCode::BAD_REQUEST, Err(malformed)),
        Ok(command) => {
            let ask = Arc::clone(&desk.ask);
            let asked = tokio::task::spawn_blocking(move || ask(command)).await;
            let answer = asked.unwrap_or(Err(Refusal::Over));
            let status = if answer.is_ok() {
                StatusCode::OK
            } else {
                StatusCode::CONFLICT
            };
            (status, answer)
        }
    };
    (status, json(answer_line(&answer))).into_response()
}
