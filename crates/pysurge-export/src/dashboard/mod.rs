//! The dashboard: a page that shows a run while it goes on, and that steers it.
//!
//! Every request takes the token that stands in the link, and has to name this server in its `Host` and, where there is one, its `Origin`.
//! What changes the run takes the token in a header, where no other site's page can put it. Viewers are told what is new by server-sent
//! events; each asks for the next when it has taken the last, so that a slow one costs nothing and misses nothing but what is outdated.

mod access;
mod board;
mod routes;

pub use board::{Ask, Served};

use crate::http::{Limits, Listen, PageError, Port, Server, Token};
use access::Access;
use board::Board;
use pysurge_report::{LivePage, Sink};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Where the dashboard is unless told otherwise: on this machine, at any port that is free.
pub const DASHBOARD_LISTEN: &str = "127.0.0.1:0";

/// A browser has up to six connections. A viewer's stream goes on in a new one where its own was ended.
const LIMITS: Limits = Limits {
    connections: 128,
    connection_time: Duration::from_secs(3_600),
};

/// A dashboard that is not served yet: its port is ours.
#[derive(Debug)]
pub struct Dashboard {
    port: Port,
    access: Access,
    /// Whether the user chose the token, and so is not told it.
    is_chosen: bool,
}

impl Dashboard {
    /// Takes the port. A token is made where none is given.
    pub fn open(listen: &Listen, token: Option<&str>) -> Result<Self, PageError> {
        let port = Port::open(listen, "the dashboard")?;
        let secret = token.map_or_else(Token::random, Token::parse);
        Ok(Self {
            access: Access::new(
                port.address.ip(),
                listen.host(),
                secret.map_err(PageError::Token)?,
            ),
            port,
            is_chosen: token.is_some(),
        })
    }

    /// Where to look at it: on this machine, and from others where they can reach it. With the token, unless the user chose it.
    pub fn links(&self) -> Vec<String> {
        let token = self.access.token();
        let query = if self.is_chosen {
            String::new()
        } else {
            format!("?token={}", token.reveal())
        };
        let port = self.port.address.port();
        let hosts = self.access.hosts();
        let link = |host: &String| format!("http://{host}:{port}/{query}");
        hosts.iter().map(link).collect()
    }

    /// Whether the user chose the token.
    pub fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    /// Serves it from here on: the sink follows the run, and what else is returned serves until it is dropped. `ask` asks the run, and is
    /// called from several threads.
    pub fn serve(self, page: LivePage, title: &str, ask: Arc<Ask>) -> io::Result<(Box<dyn Sink>, Served)> {
        let board = Arc::new(Board::new(page));
        let routes = routes::routes(Arc::clone(&board), self.access, title, ask);
        let server = Server::start("pysurge dashboard", self.port.listener, routes, LIMITS)?;
        let sink = board::Follower::new(Arc::clone(&board));
        Ok((Box::new(sink), Served::new(server, board)))
    }
}
