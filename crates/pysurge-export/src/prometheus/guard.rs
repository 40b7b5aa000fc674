//! Who may read the page.

use super::Token;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri};

/// What it takes to read the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// To be on this machine, and to name it: a web page whose name was made to point here names another.
    ThisMachine,
    /// The header `Authorization: Bearer TOKEN`.
    Token(Token),
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Host,
    Token,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Host => "this page is for localhost, 127.0.0.1 and [::1] only\n",
            Self::Token => "this page wants the header Authorization: Bearer TOKEN\n",
        }
    }
}

impl Access {
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        match self {
            Self::ThisMachine => names_this_machine(uri, headers)
                .then_some(())
                .ok_or(Refusal::Host),
            Self::Token(token) => bearer(headers)
                .is_some_and(|given| token.is(given))
                .then_some(())
                .ok_or(Refusal::Token),
        }
    }
}

fn names_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let is_local = |authority: &Authority| {
        let host = authority.host().to_ascii_lowercase();
        !authority.as_str().contains('@') && matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    };
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let named = host.to_str().ok().and_then(|host| host.parse().ok());
    named.as_ref().is_some_and(is_local) && uri.authority().is_none_or(is_local)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
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

    fn headers(pairs: &[(axum::http::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_who_names_this_machine_reads() {
        let uri = Uri::from_static("/metrics");
        for host in ["localhost", "LOCALHOST:9595", "127.0.0.1:9595", "[::1]:80"] {
            let headers = headers(&[(HOST, host)]);
            assert_eq!(Access::ThisMachine.check(&uri, &headers), Ok(()), "{host}");
        }
        for host in [
            "",
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org:9595",
            "user@localhost",
            "10.0.0.1",
            "a b",
        ] {
            let headers = headers(&[(HOST, host)]);
            assert_eq!(
                Access::ThisMachine.check(&uri, &headers),
                Err(Refusal::Host),
                "{host}"
            );
        }
        assert_eq!(
            Access::ThisMachine.check(&uri, &HeaderMap::new()),
            Err(Refusal::Host)
        );
        let mut twice = headers(&[(HOST, "localhost")]);
        twice.append(HOST, "example.org".parse().unwrap());
        assert_eq!(Access::ThisMachine.check(&uri, &twice), Err(Refusal::Host));
        let whole = Uri::from_static("http://example.org/metrics");
        assert_eq!(
            Access::ThisMachine.check(&whole, &headers(&[(HOST, "localhost")])),
            Err(Refusal::Host)
        );
    }

    #[test]
    fn only_who_has_the_token_reads() {
        let access = Access::Token(Token::parse("0123456789abcdef").unwrap());
        let uri = Uri::from_static("/metrics");
        for (given, may) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer 0123456789abcdef", true),
            ("Bearer 0123456789abcdeg", false),
            ("Bearer", false),
            ("Basic 0123456789abcdef", false),
            ("0123456789abcdef", false),
        ] {
            let headers = headers(&[(AUTHORIZATION, given), (HOST, "example.org")]);
            assert_eq!(access.check(&uri, &headers).is_ok(), may, "{given}");
        }
        assert_eq!(access.check(&uri, &HeaderMap::new()), Err(Refusal::Token));
    }
}
