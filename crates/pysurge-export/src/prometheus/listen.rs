//! Where the page is served.

use super::{Access, Token, TokenError};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::str::FromStr;

/// Where the page is served unless told otherwise: a port that stays the same, for a scraper has to know it beforehand.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9595";

/// A host and a port as the user gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    host: String,
    port: u16,
}

/// A text that is no host with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write HOST:PORT or a port alone, such as {DEFAULT_LISTEN}; what is to be fired stands in front of this option"
)]
pub struct ListenError;

/// Why a page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The address cannot be listened at.
    #[error("failed to serve metrics at {listen}")]
    Bind {
        /// Where.
        listen: Listen,
        /// What the system said.
        source: io::Error,
    },
    /// There is no token to guard it with.
    #[error("the token of PYSURGE_TOKEN is no good: {0}")]
    Token(TokenError),
}

impl Default for Listen {
    fn default() -> Self {
        DEFAULT_LISTEN.parse().expect("the default is an address")
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port),
            None => ("127.0.0.1", text),
        };
        if !digits(port) {
            return Err(ListenError);
        }
        let port = port.parse().map_err(|_| ListenError)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(v6) if matches!(v6.parse(), Ok(IpAddr::V6(_))) => v6,
            None if is_name(host) => host,
            _ => return Err(ListenError),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// Whether it may be an address of the fourth version or the name of a host.
fn is_name(host: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !host.is_empty() && host.chars().all(is_of_name)
}

/// A page that is not served yet: its port is ours, so that nothing is fired where it is another's.
#[derive(Debug)]
pub struct Page {
    pub(crate) listener: TcpListener,
    pub(crate) access: Access,
    pub(super) address: SocketAddr,
}

impl Page {
    /// Takes the port. The token guards an address that other machines can reach; one is made where none is given.
    pub fn open(listen: &Listen, token: Option<&str>) -> Result<Self, PageError> {
        let of_bind = |source| PageError::Bind {
            listen: listen.clone(),
            source,
        };
        let addresses: Vec<SocketAddr> = (listen.host.as_str(), listen.port)
            .to_socket_addrs()
            .map_err(of_bind)?
            .collect();
        let listener = TcpListener::bind(addresses.as_slice()).map_err(of_bind)?;
        listener.set_nonblocking(true).map_err(of_bind)?;
        let address = listener.local_addr().map_err(of_bind)?;
        Ok(Self {
            listener,
            access: access(address.ip(), token).map_err(PageError::Token)?,
            address,
        })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// What it takes to read it.
    pub fn access(&self) -> &Access {
        &self.access
    }
}

/// What it takes to read a page at this address.
fn access(ip: IpAddr, token: Option<&str>) -> Result<Access, TokenError> {
    if ip.is_loopback() {
        return Ok(Access::ThisMachine);
    }
    token.map_or_else(Token::random, Token::parse).map(Access::Token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_ports_are_told_from_other_words() {
        for (text, shown) in [
            ("9595", "127.0.0.1:9595"),
            ("localhost:0", "localhost:0"),
            ("0.0.0.0:9595", "0.0.0.0:9595"),
            ("[::1]:80", "[::1]:80"),
            ("build-7.example.org:65535", "build-7.example.org:65535"),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!(listen.to_string(), shown);
        }
        for text in [
            "",
            "load.yml",
            ":9595",
            "a:",
            "a:+1",
            "a:65536",
            "::1:80",
            "[::1]",
            "[a]:1",
            "http://a:1",
            "tests/",
            "load.py:f",
        ] {
            assert_eq!(text.parse::<Listen>(), Err(ListenError), "{text}");
        }
        assert_eq!(Listen::default().to_string(), DEFAULT_LISTEN);
    }

    #[test]
    fn a_port_of_another_is_told_and_a_free_one_is_named() {
        let one = Page::open(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
        assert!(matches!(one.access(), Access::ThisMachine));
        let taken: Listen = one.url()["http://".len()..]
            .trim_end_matches("/metrics")
            .parse()
            .unwrap();
        let error = Page::open(&taken, None).unwrap_err();
        let PageError::Bind { source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn other_machines_need_a_token() {
        for ip in ["127.0.0.1", "127.9.9.9", "::1"] {
            assert_eq!(
                access(ip.parse().unwrap(), Some("x")),
                Ok(Access::ThisMachine),
                "{ip}"
            );
        }
        for ip in ["0.0.0.0", "::", "10.0.0.1", "192.168.0.1"] {
            let of = |token| access(ip.parse().unwrap(), token);
            let given = of(Some("0123456789abcdef")).unwrap();
            assert!(matches!(given, Access::Token(token) if token.reveal() == "0123456789abcdef"));
            assert!(matches!(of(None).unwrap(), Access::Token(token) if token.reveal().len() == 32));
            assert_eq!(of(Some("x")), Err(TokenError::Short));
        }
    }
}
