//! The control socket: a Unix socket at which other programs of the same user ask a run to pause, to go on, to change its rates
//! or to stop, and `pysurge control`, which is one of them. What is said there is `pysurge_core::control`.
//!
//! - `place`: where sockets are, whose they are, which are left over from runs that died;
//! - `server`: the threads that accept and serve; they end with the run and never touch its way;
//! - `lines`: bytes to lines, with a limit;
//! - `client`: the other side.
//!
//! Whoever may use the socket may stop the run, so nobody but its user gets to it: the folder, the file and the peer's
//! credentials are each enough to keep others out.

mod client;
mod lines;
mod place;
mod server;

pub(crate) use client::{Client, ClientError};
pub(crate) use place::{Folders, Socket, remove_stale};
pub(crate) use server::Server;
