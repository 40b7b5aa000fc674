//! The page that Prometheus fetches: `GET /metrics`, and nothing else.
//!
//! On a loopback address anybody on this machine may read it, but no web page may: a request must name this machine in its `Host`. On any
//! other address it takes a token. There is no CORS, nothing can be changed, and connections are bounded in number and time.

mod guard;
mod listen;
mod server;
mod token;

pub use guard::Access;
pub use listen::{DEFAULT_LISTEN, Listen, ListenError, Page, PageError};
pub use token::{Token, TokenError};

pub(crate) use server::{Board, Server};
