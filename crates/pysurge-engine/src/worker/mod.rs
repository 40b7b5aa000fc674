//! A worker: what it does at each message of the manager, on which thread.
//!
//! | thread | does | must never |
//! |---|---|---|
//! | main (the host's, Python's main thread) | everything that runs user code outside iterations: load, startup, making of threads, stacks, shutdown | hold up a deadline |
//! | reader | takes messages, passes changes of the schedule to the pools; at the end of the channel ends the process at once | run user code, need the interpreter |
//! | ticker | snapshots each second, the deadlines of a stop | run user code, need the interpreter |
//! | outbox | writes to the channel | be waited for by user code |
//! | pool threads | iterations | |
//! | leaders | wake the event loop when iterations of coroutine tests are due | need the interpreter |
//! | event loop (the host's) | iterations of all coroutine tests | |
//!
//! So a test that never lets go of the interpreter stops neither the deadlines nor the last snapshot.

mod crowd;
mod host;
mod outbox;
mod overruns;
mod pulse;
mod recording;
mod rows;
mod run;
mod text;
mod ticker;

pub use host::{Host, HostError, PoolThread, TaskPool};
pub use outbox::Outbox;
pub use pulse::Outside;
pub use rows::{Row, RowError, Rows};
pub use run::{Ending, Lifeline, serve};
