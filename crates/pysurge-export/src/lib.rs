//! A run's figures for others while it goes on: a page for Prometheus, and pushes by OTLP. Both show the same [`figures`], made of what core
//! computed.
//!
//! One sink follows the run and keeps the latest figures; a server and a pusher, each on a thread of its own, give them away. Neither
//! ever touches the run: whoever is slow, wrong or absent costs counted losses, told once the run is over. This is the only crate that
//! opens a port or a connection for a run's figures; it does so only where it was asked to.

mod export;
mod figures;
mod ledger;
mod openmetrics;
mod otlp;
mod prometheus;
#[cfg(test)]
mod sample;

pub use export::{Export, Exports};
pub use otlp::{DEFAULT_URL, Endpoint, EndpointError, OtlpError, OtlpSettings};
pub use prometheus::{Access, DEFAULT_LISTEN, Listen, ListenError, Page, PageError, Token, TokenError};
