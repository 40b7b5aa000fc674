//! What pages have in common: where they are served, by a thread of their own, with connections that are bounded in number and time; and what
//! it takes to read them. There is no CORS.

mod guard;
mod listen;
mod server;
mod token;

pub use listen::{Listen, ListenError, PageError};
pub use token::{Token, TokenError};

pub(crate) use guard::{authority, bearer, host, is_this_machine};
pub(crate) use listen::Port;
pub(crate) use server::{Limits, Server};
