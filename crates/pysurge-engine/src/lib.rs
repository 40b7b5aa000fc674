//! Inside a worker: the pool that fires iterations, the recorders that measure them, and the trait they run.
//!
//! User code is known here only as [`TestCase`]; whether that is Python or Rust is the business of the [`Host`].
//! Data flows one way: the schedule tells the pool when, the pool lets a thread run an iteration, the iteration leaves a record,
//! the recorder merges it, once a second the worker sends a snapshot.
//!
//! ```
//! use pysurge_engine::{Pool, PoolSettings, Probe, TestCase, Unattached, Work};
//! use pysurge_core::{plan::TestPlan, rate::Rate, schedule::{Phase, Schedule, Stripe}};
//! use std::{sync::Arc, time::Duration};
//!
//! /// A test in pure Rust, in the same pool as Python's.
//! struct Nap;
//!
//! impl TestCase for Nap {
//!     fn iterate(&self, probe: &mut Probe<'_>) {
//!         probe.run(|| std::thread::sleep(Duration::from_millis(2)));
//!     }
//! }
//!
//! let schedule = Schedule::constant(Rate::parse("100")?, Phase::ZERO, Some(50_000_000));
//! let settings = PoolSettings { max_threads: 4, shards: 1, start_ns: pysurge_engine::clock::now_ns() };
//! let pool = Arc::new(Pool::new(Work::open(schedule.stripe(Stripe::WHOLE)), settings, Box::new(|| ())));
//! pool.thread_requested();
//! pool.run_thread(&Nap, &Unattached, "nap-1");
//! assert_eq!(pool.take().measured.measures.passed, 5);
//! # Ok::<(), pysurge_core::rate::RateError>(())
//! ```

mod case;
pub mod clock;
mod evidence;
mod iterations;
mod pool;
mod recorder;
pub mod worker;

pub use case::{Failure, Probe, TestCase};
pub use pool::{
    Attachment, LoopClock, Overrun, PartCounts, Pool, PoolCounts, PoolSettings, Task, Unattached, Work,
};
pub use worker::{Host, HostError, Outside, Row, RowError, Rows};
