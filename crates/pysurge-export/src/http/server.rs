//! Serves routes from a thread of its own.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

/// A request's head is there within this time, also the first of a connection.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How long to wait where the system has no more descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// At one time; more wait until one ends.
    pub(crate) connections: usize,
    /// So long a connection lasts, whatever it does: none stays for ever.
    pub(crate) connection_time: Duration,
}

/// Routes that are served. Dropping it ends it, with every connection.
#[derive(Debug)]
pub(crate) struct Server {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to serve, on a thread of this name.
    pub(crate) fn start(
        name: &str,
        listener: TcpListener,
        routes: Router,
        limits: Limits,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::spawn(serve(listener, routes, limits));
                stopped.notified().await;
            });
            // Whoever still waits for an answer of the run is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, routes: Router, limits: Limits) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let service = TowerToHyperService::new(routes);
    let places = Arc::new(Semaphore::new(limits.connections));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = service.clone();
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(limits.connection_time, talk(stream, service)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
    Ok(())
}

async fn talk(stream: TcpStream, service: TowerToHyperService<Router>) -> Result<(), hyper::Error> {
    // Small messages go out at once.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
        .await
}
