//! Where something is served.

use super::TokenError;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::str::FromStr;

/// An address to show as an example.
const EXAMPLE: &str = "127.0.0.1:9595";

/// A host and a port as the user gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    host: String,
    port: u16,
}

/// A text that is no host with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write HOST:PORT or a port alone, such as {EXAMPLE}; what is to be fired stands in front of this option"
)]
pub struct ListenError;

/// Why something cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The address cannot be listened at.
    #[error("failed to serve {what} at {listen}")]
    Bind {
        /// What was to be served.
        what: &'static str,
        /// Where.
        listen: Listen,
        /// What the system said.
        source: io::Error,
    },
    /// There is no token to guard it with.
    #[error("the token of PYSURGE_TOKEN is no good: {0}")]
    Token(TokenError),
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

/// A port that is ours and not served yet, so that nothing is fired where it is another's.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Port {
    /// Takes the port, for `what` is to be served there.
    pub(crate) fn open(listen: &Listen, what: &'static str) -> Result<Self, PageError> {
        let of_bind = |source| PageError::Bind {
            what,
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
        Ok(Self { listener, address })
    }
}

impl Listen {
    /// The host as it was given.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
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
    }

    #[test]
    fn a_port_of_another_is_told() {
        let one = Port::open(&"127.0.0.1:0".parse().unwrap(), "metrics").unwrap();
        let taken: Listen = one.address.to_string().parse().unwrap();
        let error = Port::open(&taken, "metrics").unwrap_err();
        assert_eq!(error.to_string(), format!("failed to serve metrics at {taken}"));
        let PageError::Bind { source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), io::ErrorKind::AddrInUse);
    }
}
