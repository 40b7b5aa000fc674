//! Who may see and steer.

use crate::http::{Token, authority, bearer, host, is_this_machine};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What it takes: the token, and to mean this server.
#[derive(Debug, Clone)]
pub(super) struct Access {
    token: Token,
    /// What this server is called, the nearest first; in lower case.
    hosts: Vec<String>,
    /// Whether others can reach it; it may then be called by any address.
    is_open: bool,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Host,
    Origin,
    Token,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Origin => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Host => {
                "this dashboard is not called so; use the link that pysurge printed, or name the host in --web HOST:PORT\n"
            }
            Self::Origin => "this dashboard is for its own page only\n",
            Self::Token => {
                "this dashboard wants its token; use the link that pysurge printed, which ends in ?token=…\n"
            }
        }
    }
}

impl Access {
    /// To a server at this address, which the user called `host`.
    pub(super) fn new(ip: IpAddr, host: &str, token: Token) -> Self {
        let name = || {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            Some(name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty())
        };
        let literal = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let mut hosts = Vec::new();
        if ip.is_unspecified() {
            let near = match ip {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            };
            hosts.push(literal(near));
            hosts.extend(name());
        } else {
            hosts.push(literal(ip));
            let is_name = host.parse::<IpAddr>().is_err();
            hosts.extend(Some(host.to_ascii_lowercase()).filter(|_| is_name && !ip.is_loopback()));
        }
        Self {
            token,
            hosts,
            is_open: !ip.is_loopback(),
        }
    }

    pub(super) fn token(&self) -> &Token {
        &self.token
    }

    /// What to call it, the nearest first.
    pub(super) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    pub(super) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        if !host(uri, headers).is_some_and(|host| self.is_called(&host)) {
            return Err(Refusal::Host);
        }
        if !is_own(headers) {
            return Err(Refusal::Origin);
        }
        // A page of another site can have a link followed or a form sent, but can set no header.
        let in_query = (*method == Method::GET)
            .then(|| parameter(uri, "token"))
            .flatten();
        let given = bearer(headers).map(str::to_owned).or(in_query);
        given
            .is_some_and(|given| self.token.is(&given))
            .then_some(())
            .ok_or(Refusal::Token)
    }

    fn is_called(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        is_this_machine(host)
            || self.hosts.iter().any(|ours| ours == host)
            || (self.is_open && bare.parse::<IpAddr>().is_ok())
    }
}

/// Whether a request is of no page, or of a page from here.
fn is_own(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    let ours = authority(headers).map(|host| format!("http://{host}"));
    origins.next().is_none() && ours.is_some_and(|ours| ours.as_bytes() == origin.as_bytes())
}

/// A parameter of the query, decoded.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let value = found.next()?.1.into_owned();
    found.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;
    use axum::http::header::{AUTHORIZATION, HOST};

    const TOKEN: &str = "0123456789abcdef&+%";

    fn access(ip: &str, host: &str) -> Access {
        Access::new(ip.parse().unwrap(), host, Token::parse(TOKEN).unwrap())
    }

    fn check(
        access: &Access,
        method: &Method,
        uri: &'static str,
        headers: &[(HeaderName, &str)],
    ) -> Result<(), Refusal> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        access.check(method, &Uri::from_static(uri), &headers)
    }

    const WITH_TOKEN: &str = "/news?token=0123456789abcdef%26%2B%25";

    #[test]
    fn a_link_is_for_looking_and_a_header_for_both() {
        let access = access("127.0.0.1", "127.0.0.1");
        let alone = [(HOST, "localhost:8080")];
        let [host] = alone.clone();
        let with_header = [host, (AUTHORIZATION, "Bearer 0123456789abcdef&+%")];
        assert_eq!(check(&access, &Method::GET, WITH_TOKEN, &alone), Ok(()));
        assert_eq!(check(&access, &Method::GET, "/", &with_header), Ok(()));
        assert_eq!(check(&access, &Method::POST, "/control", &with_header), Ok(()));
        for (method, uri) in [
            (&Method::GET, "/"),
            (&Method::GET, "/?token="),
            (&Method::GET, "/?token=0123456789abcdef"),
            (&Method::GET, "/?token=0123456789abcdef%26%2B%25&token=x"),
            (&Method::POST, WITH_TOKEN),
        ] {
            assert_eq!(
                check(&access, method, uri, &alone),
                Err(Refusal::Token),
                "{method} {uri}"
            );
        }
    }

    #[test]
    fn only_its_own_page_asks_it() {
        let access = access("127.0.0.1", "localhost");
        let ask = |origin| {
            let headers = [(HOST, "127.0.0.1:8080"), (ORIGIN, origin)];
            check(&access, &Method::GET, WITH_TOKEN, &headers)
        };
        assert_eq!(ask("http://127.0.0.1:8080"), Ok(()));
        for origin in [
            "http://127.0.0.1:8081",
            "http://127.0.0.1",
            "https://127.0.0.1:8080",
            "http://example.org",
            "null",
        ] {
            assert_eq!(ask(origin), Err(Refusal::Origin), "{origin}");
        }
    }

    #[test]
    fn a_host_is_one_of_its_own() {
        let of = |access: &Access, host| check(access, &Method::GET, WITH_TOKEN, &[(HOST, host)]);
        let near = access("127.0.0.1", "127.0.0.1");
        assert_eq!(near.hosts(), ["127.0.0.1"]);
        for host in ["localhost:1", "127.0.0.1:1", "[::1]:1"] {
            assert_eq!(of(&near, host), Ok(()), "{host}");
        }
        for host in ["example.org", "10.0.0.1", "localhost.example.org"] {
            assert_eq!(of(&near, host), Err(Refusal::Host), "{host}");
        }
        let far = access("10.0.0.1", "Build-7.example.org");
        assert_eq!(far.hosts(), ["10.0.0.1", "build-7.example.org"]);
        for host in [
            "10.0.0.1:1",
            "BUILD-7.example.org:1",
            "[fe80::1]:1",
            "192.168.7.7",
        ] {
            assert_eq!(of(&far, host), Ok(()), "{host}");
        }
        assert_eq!(of(&far, "example.org:1"), Err(Refusal::Host));
        let any = access("0.0.0.0", "0.0.0.0");
        assert_eq!(any.hosts()[0], "127.0.0.1");
        assert_eq!(of(&any, "10.9.8.7:1"), Ok(()));
        assert_eq!(access("::", "::").hosts()[0], "[::1]");
    }
}
