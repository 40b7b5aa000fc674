//! What the target answers: a pure function of method and path.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | 200, a small JSON object |
//! | `GET /items/N` | 200 |
//! | `POST /items` | 201 |
//! | `GET /delay/MS` | 200 after MS milliseconds, whatever service time the target has else |
//! | `GET /freeze/MS` | 200 at once; then no answer leaves the target for MS milliseconds |
//! | `GET /stats` | 200, what was answered so far |
//! | anything else | 404 (405 where only the method is wrong) |
//!
//! `HEAD` is answered as `GET` without a body. The two control paths, `/freeze` and `/stats`, are neither delayed nor frozen.

/// The longest `/delay/MS` and `/freeze/MS`: nobody waits for more by intention.
const MAX_WAIT_MS: u64 = 600_000;

/// What kind of path was asked for; tells the counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Root,
    Item,
    Items,
    Delay,
    Freeze,
    Stats,
    Other,
    /// No request at all.
    Malformed,
}

impl Class {
    pub(super) const ALL: [Self; 8] = [
        Self::Root,
        Self::Item,
        Self::Items,
        Self::Delay,
        Self::Freeze,
        Self::Stats,
        Self::Other,
        Self::Malformed,
    ];

    /// The name in `/stats`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Item => "/items/N",
            Self::Items => "/items",
            Self::Delay => "/delay/MS",
            Self::Freeze => "/freeze/MS",
            Self::Stats => "/stats",
            Self::Other => "other",
            Self::Malformed => "malformed",
        }
    }

    /// Whether such requests steer the target and are no load.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Freeze | Self::Stats)
    }
}

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) class: Class,
    pub(super) status: u16,
    pub(super) action: Action,
}

/// What is done before the answer leaves, or instead of a plain one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// The target's service time passes, then this body is sent.
    Serve(String),
    /// So many nanoseconds pass, then this body is sent.
    Delay(u64, String),
    /// All answers freeze for so many nanoseconds; this body is sent at once.
    Freeze(u64, String),
    /// The counts are sent at once.
    Stats,
}

/// The route of a request; `path` is the request target as sent.
pub(super) fn route(method: &str, path: &str) -> Route {
    let path = path.split_once('?').map_or(path, |(path, _query)| path);
    let (class, needed_method, status, action) = match_path(path);
    let method_fits = method == needed_method || (method == "HEAD" && needed_method == "GET");
    if class == Class::Other || method_fits {
        return Route {
            class,
            status,
            action,
        };
    }
    // `/items` is no resource that can be read, so that only its POST exists.
    let status = if class == Class::Items { 404 } else { 405 };
    Route {
        class,
        status,
        action: Action::Serve(reason_body(status)),
    }
}

fn match_path(path: &str) -> (Class, &'static str, u16, Action) {
    let served = |class, method, status, body: &str| (class, method, status, Action::Serve(body.to_owned()));
    let number_after = |prefix| path.strip_prefix(prefix).and_then(parse_number);
    let wait_after = |prefix| number_after(prefix).filter(|ms| *ms <= MAX_WAIT_MS);
    if path == "/" {
        return served(Class::Root, "GET", 200, r#"{"target":"pysurge"}"#);
    }
    if path == "/items" {
        return served(Class::Items, "POST", 201, r#"{"created":true}"#);
    }
    if path == "/stats" {
        return (Class::Stats, "GET", 200, Action::Stats);
    }
    if let Some(number) = number_after("/items/") {
        return served(Class::Item, "GET", 200, &format!(r#"{{"item":{number}}}"#));
    }
    if let Some(ms) = wait_after("/delay/") {
        let action = Action::Delay(ms * 1_000_000, format!(r#"{{"delayed_ms":{ms}}}"#));
        return (Class::Delay, "GET", 200, action);
    }
    if let Some(ms) = wait_after("/freeze/") {
        let action = Action::Freeze(ms * 1_000_000, format!(r#"{{"frozen_ms":{ms}}}"#));
        return (Class::Freeze, "GET", 200, action);
    }
    served(Class::Other, "GET", 404, &reason_body(404))
}

fn parse_number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// The words that go with a status.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

/// The body of an answer that is an error.
pub(super) fn reason_body(status: u16) -> String {
    format!(r#"{{"error":"{}"}}"#, reason(status).to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_routed() {
        for (request, class, status) in [
            ("GET /", Class::Root, 200),
            ("GET /?a=1", Class::Root, 200),
            ("HEAD /", Class::Root, 200),
            ("POST /", Class::Root, 405),
            ("GET /items/17", Class::Item, 200),
            ("DELETE /items/17", Class::Item, 405),
            ("GET /items/", Class::Other, 404),
            ("GET /items/x", Class::Other, 404),
            ("GET /items/99999999999999999999", Class::Other, 404),
            ("POST /items", Class::Items, 201),
            ("GET /items", Class::Items, 404),
            ("GET /delay/5", Class::Delay, 200),
            ("GET /delay/600001", Class::Other, 404),
            ("GET /delay/-5", Class::Other, 404),
            ("GET /freeze/5", Class::Freeze, 200),
            ("GET /stats", Class::Stats, 200),
            ("POST /stats", Class::Stats, 405),
            ("GET /no/such/path", Class::Other, 404),
            ("PURGE /no/such/path", Class::Other, 404),
        ] {
            let (method, path) = request.split_once(' ').unwrap();
            let route = route(method, path);
            assert_eq!((route.class, route.status), (class, status), "{request}");
        }
    }

    #[test]
    fn waits_are_in_milliseconds() {
        assert!(matches!(
            route("GET", "/delay/15").action,
            Action::Delay(15_000_000, _)
        ));
        assert!(matches!(
            route("GET", "/freeze/15").action,
            Action::Freeze(15_000_000, _)
        ));
    }

    #[test]
    fn a_refused_method_neither_freezes_nor_delays() {
        for path in ["/freeze/15", "/delay/15", "/stats"] {
            assert!(matches!(route("POST", path).action, Action::Serve(_)), "{path}");
        }
    }
}
