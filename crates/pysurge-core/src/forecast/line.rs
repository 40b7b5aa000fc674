//! The line of a test: its rate or its users over time, as the fewest points that say it exactly.

use super::{BUCKETS, Context, per_s, seconds};
use crate::plan::{ClosedModel, OpenModel, Source};
use crate::schedule::Schedule;

/// Up to so many users come in one by one; more are a slope.
const MAX_STEPS: u32 = 120;

impl Context<'_> {
    /// The rate over the shown span.
    pub(super) fn rates(&self, open: &OpenModel, schedule: &Schedule) -> Vec<(u64, f64)> {
        let until_ns = self
            .end_ns
            .map_or(self.span_ns, |end_ns| end_ns.min(self.span_ns));
        let rate = |t_ns| per_s(schedule.profile().nano_per_s_at(t_ns));
        let mut line = vec![(0, 0.0)];
        for at_ns in self.corners(open) {
            if at_ns >= until_ns {
                break;
            }
            line.extend([
                (at_ns, at_ns.checked_sub(1).map_or(0.0, rate)),
                (at_ns, rate(at_ns)),
            ]);
        }
        line.push((until_ns, until_ns.checked_sub(1).map_or(0.0, rate)));
        if until_ns < self.span_ns {
            line.extend([(until_ns, 0.0), (self.span_ns, 0.0)]);
        }
        simplified(line)
    }

    /// Where the rate may jump or bend.
    fn corners(&self, open: &OpenModel) -> Vec<u64> {
        let start_ns = self.test.start_delay_ns;
        let mut corners = vec![start_ns];
        match &open.source {
            Source::Rate(_) | Source::Replay(_) => {}
            Source::Stages { stages, .. } => {
                corners.extend(stages.iter().scan(start_ns, |at_ns, stage| {
                    *at_ns = at_ns.saturating_add(stage.duration_ns);
                    Some(*at_ns)
                }));
            }
            Source::Shape(shape) => {
                let samples = shape.samples.as_ref();
                let steps = samples.map_or(0, |samples| samples.rates.len());
                let step_ns = samples.map_or(0, |samples| samples.step_ns);
                if steps <= usize::try_from(4 * BUCKETS).unwrap_or(usize::MAX) {
                    let at = |step: u64| start_ns.saturating_add(step_ns.saturating_mul(step));
                    corners.extend((1..=u64::try_from(steps).unwrap_or(0)).map(at));
                } else {
                    // More corners than any picture shows.
                    corners.extend(
                        (1..BUCKETS)
                            .map(|bucket| self.edge_ns(bucket))
                            .filter(|ns| *ns > start_ns),
                    );
                }
            }
        }
        corners
    }

    /// The users over the shown span.
    pub(super) fn users(&self, closed: &ClosedModel) -> Vec<(u64, f64)> {
        let (start_ns, ramp_ns) = (self.test.start_delay_ns, closed.ramp_up_ns);
        let until_ns = self
            .end_ns
            .map_or(self.span_ns, |end_ns| end_ns.min(self.span_ns));
        let all = f64::from(closed.users);
        let mut line = vec![(0, 0.0)];
        let mut step = |at_ns: u64, before: f64, after: f64| {
            if at_ns < until_ns {
                line.extend([(at_ns, before), (at_ns, after)]);
            }
        };
        if ramp_ns == 0 {
            step(start_ns, 0.0, all);
        } else if closed.users <= MAX_STEPS {
            for user in 0..closed.users {
                let in_ramp = u128::from(ramp_ns) * u128::from(user) / u128::from(closed.users.max(1));
                let in_ramp_ns = u64::try_from(in_ramp).expect("not beyond the ramp");
                let before = f64::from(user);
                step(start_ns.saturating_add(in_ramp_ns), before, before + 1.0);
            }
        } else {
            step(start_ns, 0.0, 1.0);
            let ramp_ends_ns = start_ns.saturating_add(ramp_ns);
            if ramp_ends_ns < until_ns {
                line.push((ramp_ends_ns, all));
            } else if start_ns < until_ns {
                let share = seconds(until_ns - start_ns) / seconds(ramp_ns);
                line.push((until_ns, (all * share).max(1.0)));
            }
        }
        let last = line.last().map_or(0.0, |(_, users)| *users);
        line.push((until_ns, last));
        if until_ns < self.span_ns {
            line.extend([(until_ns, 0.0), (self.span_ns, 0.0)]);
        }
        simplified(line)
    }
}

/// The line without points that say nothing: repeated ones, and those in the middle of a jump or of a level stretch.
fn simplified(line: Vec<(u64, f64)>) -> Vec<(u64, f64)> {
    let mut kept: Vec<(u64, f64)> = Vec::with_capacity(line.len());
    for point in line {
        if kept.last() == Some(&point) {
            continue;
        }
        if let [.., before, last] = kept.as_slice() {
            let within_a_jump = before.0 == last.0 && last.0 == point.0;
            #[expect(clippy::float_cmp, reason = "the same rate gives the same float")]
            let is_level = before.1 == last.1 && last.1 == point.1;
            if within_a_jump || is_level {
                kept.pop();
            }
        }
        kept.push(point);
    }
    kept
}
