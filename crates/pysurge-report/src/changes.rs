//! What was changed while a run went on (pauses, factors), in words: as it happens, and in the report.

use crate::text::{figure, moment, run_time};
use pysurge_core::event::Actor;
use pysurge_core::plan::{Plan, TestPlan};
use pysurge_core::schedule::{Change, Factor};
use pysurge_core::summary::{ChangeSummary, MAX_CHANGES, ModelName, Summary};

/// Follows the changes of a run and says what each one changes.
#[derive(Debug)]
pub(crate) struct Follower {
    last: Change,
    what: &'static str,
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            last: Change {
                at_ns: 0,
                paused: false,
                factor: Factor::ONE,
            },
            what: noun(false),
        }
    }
}

/// What a factor multiplies.
fn noun(only_users: bool) -> &'static str {
    if only_users { "users" } else { "rates" }
}

impl Follower {
    /// Follows a run of this plan.
    pub(crate) fn of_plan(plan: &Plan) -> Self {
        let is_closed = |test: &TestPlan| test.model.is_closed();
        Self {
            what: noun(plan.tests.iter().all(is_closed)),
            ..Self::default()
        }
    }

    /// The lines on the next change: `paused at 12.3s (key p)`. None where it changes nothing.
    pub(crate) fn say(&mut self, change: Change, by: Actor) -> Vec<String> {
        let before = std::mem::replace(&mut self.last, change);
        #[expect(clippy::cast_precision_loss, reason = "shown in seconds")]
        let at = moment(change.at_ns as f64 / 1e9);
        let mut lines = Vec::new();
        if before.paused != change.paused {
            let (what, who) = if change.paused {
                ("paused", who(by, "key p", "Ctrl+Z"))
            } else {
                ("resumed", who(by, "key p", "fg or bg"))
            };
            lines.push(format!("{what} at {at} ({who})"));
        }
        if before.factor != change.factor {
            let scaled = scaled(self.what, change.factor.as_f64());
            lines.push(format!("{scaled} from {at} on ({})", who(by, "a key", "Ctrl+Z")));
        }
        lines
    }
}

fn who(by: Actor, key: &'static str, suspension: &'static str) -> &'static str {
    match by {
        Actor::Key => key,
        Actor::Socket => "control socket",
        Actor::Dashboard => "dashboard",
        Actor::Suspension => suspension,
    }
}

#[expect(clippy::float_cmp, reason = "a factor is so many thousandths, and 1 is exact")]
fn scaled(what: &str, factor: f64) -> String {
    if factor == 1.0 {
        format!("{what} as planned again")
    } else {
        format!("{what} {}", times(factor))
    }
}

/// `x1.5`.
pub(crate) fn times(factor: f64) -> String {
    format!("x{}", figure(factor))
}

/// Changes that the report lists.
const MAX_LISTED: usize = 4;

/// The lines of the report on what was changed.
pub(crate) fn listed(summary: &Summary) -> Vec<String> {
    let only_users = summary.tests.iter().all(|test| test.model == ModelName::Closed);
    let what = noun(only_users && !summary.tests.is_empty());
    let mut lines = Vec::new();
    let mut before = (false, 1.0);
    for (i, change) in summary.changes.iter().enumerate() {
        let ChangeSummary { at_s, paused, factor } = *change;
        if paused && !before.0 {
            let ends = summary.changes[i..].iter().find(|later| !later.paused);
            lines.push(match ends {
                Some(end) => format!(
                    "paused for {} at {}",
                    run_time((end.at_s - at_s).max(0.0)),
                    moment(at_s)
                ),
                None if summary.changes.len() < MAX_CHANGES => {
                    format!("paused from {} on until the end", moment(at_s))
                }
                None => format!("paused at {}", moment(at_s)),
            });
        }
        #[expect(clippy::float_cmp, reason = "the same factor gives the same float")]
        if factor != before.1 {
            lines.push(format!("{} from {} on", scaled(what, factor), moment(at_s)));
        }
        before = (paused, factor);
    }
    // One more costs no more room than saying that there is one more.
    if lines.len() > MAX_LISTED + 1 {
        let more = lines.len() - MAX_LISTED;
        let least = if summary.changes.len() < MAX_CHANGES {
            ""
        } else {
            "at least "
        };
        lines.truncate(MAX_LISTED);
        lines.push(format!("and {least}{more} more changes"));
    }
    lines
}
