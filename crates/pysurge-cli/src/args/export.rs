//! The flags that show a run, or give its figures to others, while it goes on.

use clap::{Args, ValueHint};
use pysurge_export::{DASHBOARD_LISTEN, DEFAULT_LISTEN, Endpoint, EndpointError, Listen};

/// To whom figures are given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Dashboard, and metrics for others")]
pub(crate) struct ExportArgs {
    #[arg(
        long,
        value_name = "HOST:PORT",
        num_args = 0..=1,
        default_missing_value = DASHBOARD_LISTEN,
        value_hint = ValueHint::Other,
        help = "Show and steer the run in a browser; alone at a free port of this machine"
    )]
    pub(crate) web: Option<Listen>,

    #[arg(
        long,
        value_name = "HOST:PORT",
        num_args = 0..=1,
        default_missing_value = DEFAULT_LISTEN,
        value_hint = ValueHint::Other,
        help = "Serve figures for Prometheus at http://HOST:PORT/metrics; alone at 127.0.0.1:9595"
    )]
    pub(crate) prometheus: Option<Listen>,

    #[arg(
        long,
        value_name = "URL",
        num_args = 0..=1,
        default_missing_value = "",
        value_hint = ValueHint::Url,
        value_parser = Receiver::parse,
        help = "Push figures by OTLP over HTTP; alone to http://127.0.0.1:4318"
    )]
    pub(crate) otlp: Option<Receiver>,
}

/// Who gets figures pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// Whom the environment names, else one on this machine.
    Usual,
    /// This one.
    At(Endpoint),
}

impl Receiver {
    fn parse(text: &str) -> Result<Self, EndpointError> {
        if text.is_empty() {
            return Ok(Self::Usual);
        }
        Endpoint::parse(text).map(Self::At)
    }

    /// The one that the user named.
    pub(crate) fn named(&self) -> Option<Endpoint> {
        match self {
            Self::Usual => None,
            Self::At(endpoint) => Some(endpoint.clone()),
        }
    }
}
