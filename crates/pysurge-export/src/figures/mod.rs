//! The figures of a run as families of points with labels: what every form of metrics shows. A form writes them down and computes nothing.
//!
//! Counters and histograms count from the start of the run, without its warm-up, and never fall while it goes on; once it is over they are
//! those of its summary, exactly.

mod gather;
mod label;
pub(crate) mod spec;
mod tally;
mod test;
mod write;

pub(crate) use gather::Figures;
pub(crate) use tally::{BOUNDS, Tally};

use spec::Spec;
use std::sync::Arc;

/// A point's labels, in the order in which they are written.
pub(crate) type Labels = Vec<(&'static str, Arc<str>)>;

/// All figures at one time.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) families: Vec<Family>,
    /// When iterations started, wall time; 0 before that.
    pub(crate) started_ns: u64,
    /// The run's name, as a label has it.
    pub(crate) run: Arc<str>,
}

/// What goes by one name.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) spec: &'static Spec,
    pub(crate) points: Vec<Point>,
}

/// One figure of a family.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) labels: Labels,
    pub(crate) value: Value,
}

/// What it says.
#[derive(Debug)]
pub(crate) enum Value {
    Count(u64),
    Number(f64),
    Durations(Box<Tally>),
}
