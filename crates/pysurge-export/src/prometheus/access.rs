//! Who may read the page.

use crate::http::{Token, TokenError, bearer, host, is_this_machine};
use axum::http::{HeaderMap, StatusCode, Uri};
use std::net::IpAddr;

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
    /// What it takes to read a page at this address. The token guards one that other machines can reach; it is made where none is given.
    pub(super) fn of(ip: IpAddr, token: Option<&str>) -> Result<Self, TokenError> {
        if ip.is_loopback() {
            return Ok(Self::ThisMachine);
        }
        token.map_or_else(Token::random, Token::parse).map(Self::Token)
    }

    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        match self {
            Self::ThisMachine => host(uri, headers)
                .is_some_and(|host| is_this_machine(&host))
                .then_some(())
                .ok_or(Refusal::Host),
            Self::Token(token) => bearer(headers)
                .is_some_and(|given| token.is(given))
                .then_some(())
                .ok_or(Refusal::Token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::{AUTHORIZATION, HOST};

    fn headers(pairs: &[(axum::http::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_who_names_this_machine_reads() {
        let uri = Uri::from_static("/metrics");
        for (host, answer) in [("localhost:9595", Ok(())), ("example.org", Err(Refusal::Host))] {
            let headers = headers(&[(HOST, host)]);
            assert_eq!(Access::ThisMachine.check(&uri, &headers), answer, "{host}");
        }
    }

    #[test]
    fn other_machines_need_a_token() {
        for ip in ["127.0.0.1", "127.9.9.9", "::1"] {
            assert_eq!(
                Access::of(ip.parse().unwrap(), Some("x")),
                Ok(Access::ThisMachine),
                "{ip}"
            );
        }
        for ip in ["0.0.0.0", "::", "10.0.0.1", "192.168.0.1"] {
            let of = |token| Access::of(ip.parse().unwrap(), token);
            let given = of(Some("0123456789abcdef")).unwrap();
            assert!(matches!(given, Access::Token(token) if token.reveal() == "0123456789abcdef"));
            assert!(matches!(of(None).unwrap(), Access::Token(token) if token.reveal().len() == 32));
            assert_eq!(of(Some("x")), Err(TokenError::Short));
        }
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
