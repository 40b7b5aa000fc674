//! What a run shows of itself over HTTP and OTLP while it goes on: a dashboard, a page for Prometheus, and pushes of metrics. All of it is made
//! of what core computed.
//!
//! Sinks follow the run and keep what is known; servers and a pusher, each on a thread of its own, give it away. None of them ever touches the
//! run: whoever is slow, wrong or absent costs counted losses, told once the run is over. This is the only crate that opens a port or a
//! connection for a run's figures; it does so only where it was asked to.

mod dashboard;
mod export;
mod figures;
mod http;
mod ledger;
mod openmetrics;
mod otlp;
mod prometheus;
#[cfg(test)]
mod sample;

pub use dashboard::{Ask, DASHBOARD_LISTEN, Dashboard, Served};
pub use export::{Export, Exports};
pub use http::{Listen, ListenError, PageError, Token, TokenError};
pub use otlp::{DEFAULT_URL, Endpoint, EndpointError, OtlpError, OtlpSettings};
pub use prometheus::{Access, DEFAULT_LISTEN, Page};
