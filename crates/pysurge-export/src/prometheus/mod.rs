//! The page that Prometheus fetches: `GET /metrics`, and nothing else.
//!
//! On a loopback address anybody on this machine may read it, but no web page may: a request must name this machine in its `Host`. On any
//! other address it takes a token. Nothing can be changed.

mod access;
mod page;

pub use access::Access;
pub use page::{DEFAULT_LISTEN, Page};

pub(crate) use page::Board;
