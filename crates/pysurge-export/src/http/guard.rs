//! What requests say of themselves, as far as it can be believed.

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

/// Whom a request means to ask, in lower case and without the port; `None` where it does not say it once and clearly. A web page of another
/// site, whose name was made to point here, names that site.
pub(crate) fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let named = authority(headers)?;
    let host = plain_host(&named)?;
    match uri.authority() {
        Some(authority) => plain_host(authority).filter(|other| *other == host),
        None => Some(host),
    }
}

/// What stands in `Host`, where it stands there once.
pub(crate) fn authority(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    host.to_str().ok()?.parse().ok()
}

fn plain_host(authority: &Authority) -> Option<String> {
    (!authority.as_str().contains('@')).then(|| authority.host().to_ascii_lowercase())
}

/// Whether a host is a name of this machine that nobody else can give away.
pub(crate) fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// The token in `Authorization: Bearer TOKEN`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(given), None) = (given.next(), given.next()) else {
        return None;
    };
    let (scheme, token) = given.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(uri: &'static str, hosts: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        host(&Uri::from_static(uri), &headers)
    }

    #[test]
    fn a_request_names_one_host() {
        for (given, host) in [
            ("localhost", "localhost"),
            ("LOCALHOST:9595", "localhost"),
            ("127.0.0.1:9595", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
        ] {
            assert_eq!(named("/metrics", &[given]).as_deref(), Some(host));
            assert!(is_this_machine(host));
        }
        for given in [
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org:9595",
            "10.0.0.1",
        ] {
            let host = named("/metrics", &[given]).unwrap();
            assert!(!is_this_machine(&host), "{host}");
        }
        for given in ["", "user@localhost", "a b"] {
            assert_eq!(named("/metrics", &[given]), None, "{given}");
        }
        assert_eq!(named("/metrics", &[]), None);
        assert_eq!(named("/metrics", &["localhost", "example.org"]), None);
        assert_eq!(named("http://example.org/metrics", &["localhost"]), None);
        assert!(named("http://localhost/metrics", &["localhost"]).is_some());
    }
}
