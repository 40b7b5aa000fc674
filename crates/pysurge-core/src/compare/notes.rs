//! What stands against comparing two runs: they were not the same load, or their figures are not the target's.

use super::matching::{Matched, Pair, title};
use super::{Note, Source};
use crate::span::format_span_plain;
use crate::summary::{StopCause, Summary, TestSummary};
use crate::verdict::Validity;

/// Durations that differ by less, as a share, are the same.
const SAME_DURATION: f64 = 0.05;

/// Everything worth knowing, the gravest first.
pub(super) fn notes(base: &[Source], new: &[Source], matched: &Matched) -> Vec<Note> {
    let mut notes = Notes::default();
    if same_run(base, new) {
        notes.warn("a run stands on both sides".to_owned());
    }
    for source in base.iter().chain(new) {
        of_run(source, &mut notes);
    }
    of_sides(base, new, &mut notes);
    if matched.pairs.is_empty() {
        notes.warn("the two sides have no test in common".to_owned());
    }
    for pair in &matched.pairs {
        of_pair(pair, base, new, &mut notes);
    }
    for (titles, side) in [(&matched.only_in_base, "base"), (&matched.only_in_new, "new")] {
        for title in titles {
            notes.tell(format!("only the {side} side has the test {title}"));
        }
    }
    if (base.len() > 1) != (new.len() > 1) {
        notes.tell(
            "only one side has several runs: how much runs of the other differ from each other is not known"
                .to_owned(),
        );
    }
    let mut notes = notes.0;
    notes.sort_by_key(|note| !note.warning);
    notes
}

#[derive(Default)]
struct Notes(Vec<Note>);

impl Notes {
    fn add(&mut self, warning: bool, text: String) {
        let note = Note { warning, text };
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    fn warn(&mut self, text: String) {
        self.add(true, text);
    }

    fn tell(&mut self, text: String) {
        self.add(false, text);
    }
}

fn same_run(base: &[Source], new: &[Source]) -> bool {
    let is_same = |a: &Source, b: &Source| {
        a.path == b.path
            || (a.summary.started_at == b.summary.started_at && a.summary.account == b.summary.account)
    };
    base.iter().any(|a| new.iter().any(|b| is_same(a, b)))
}

fn of_run(source: &Source, notes: &mut Notes) {
    let Source { path, summary, .. } = source;
    let cause = summary
        .verdict
        .causes
        .first()
        .map_or(String::new(), |cause| format!(": {}", cause.text));
    match summary.verdict.validity {
        Validity::Valid => {}
        Validity::Degraded => notes.tell(format!("{path} is degraded{cause}")),
        Validity::Invalid => notes.warn(format!(
            "{path} is invalid, its figures are the generator's{cause}"
        )),
    }
    match summary.stop_cause {
        Some(StopCause::Signal | StopCause::SecondSignal) => {
            notes.tell(format!("{path} was stopped before its end"));
        }
        Some(StopCause::Threshold) => notes.tell(format!("{path} was stopped by a threshold")),
        Some(StopCause::WorkersLost) => notes.warn(format!("{path} ended because every worker died")),
        Some(StopCause::Duration | StopCause::Iterations) | None => {}
    }
    if summary.paused_s > 0.0 {
        notes.tell(format!("{path} was paused for {}", span(summary.paused_s)));
    }
    if summary
        .changes
        .iter()
        .any(|change| (change.factor - 1.0).abs() > f64::EPSILON)
    {
        notes.warn(format!("the rates of {path} were changed while it went on"));
    }
}

/// What is about the runs as a whole: compared with the first run of the base.
fn of_sides(base: &[Source], new: &[Source], notes: &mut Notes) {
    let Some(first) = base.first() else { return };
    for source in base.iter().skip(1).chain(new) {
        let (path, ours, theirs) = (&source.path, &first.summary, &source.summary);
        let (short, long) = (
            ours.duration_s.min(theirs.duration_s),
            ours.duration_s.max(theirs.duration_s),
        );
        if long - short > long * SAME_DURATION {
            notes.tell(format!(
                "{path} is {} long, {} is {}",
                span(theirs.duration_s),
                first.path,
                span(ours.duration_s)
            ));
        }
        for (what, our, their) in facts(ours, theirs) {
            if our != their {
                notes.tell(format!("{path} has {what} {their}, {} has {our}", first.path));
            }
        }
    }
}

fn facts(ours: &Summary, theirs: &Summary) -> [(&'static str, String, String); 3] {
    let both = |of: fn(&Summary) -> String| (of(ours), of(theirs));
    let fact = |what, (our, their)| (what, our, their);
    [
        fact("pysurge", both(|summary| summary.pysurge_version.clone())),
        fact("this many workers:", both(|summary| summary.places().to_string())),
        fact(
            "this many CPUs:",
            both(|summary| summary.machine.cpus.to_string()),
        ),
    ]
}

fn of_pair(pair: &Pair, base: &[Source], new: &[Source], notes: &mut Notes) {
    let places = pair.base.iter().chain(&pair.new);
    let runs: Vec<(&Source, Option<&TestSummary>)> = base
        .iter()
        .chain(new)
        .zip(places)
        .map(|(source, place)| (source, place.and_then(|place| source.summary.tests.get(place))))
        .collect();
    let Some((first, ours)) = runs.iter().find_map(|(source, test)| Some((*source, (*test)?))) else {
        return;
    };
    for (source, test) in &runs {
        let path = &source.path;
        let Some(theirs) = test else {
            notes.tell(format!("{path} has not the test {}", title(ours)));
            continue;
        };
        let name = title(ours);
        if theirs.not_run.is_some() {
            notes.warn(format!("{name} did not run in {path}"));
        }
        if ours.load != theirs.load || ours.model != theirs.model {
            notes.warn(format!(
                "{name} had another load: {} in {}, {} in {path}",
                ours.load, first.path, theirs.load
            ));
        }
        if ours.test_class != theirs.test_class {
            notes.warn(format!(
                "{name} is another test case: {} in {}, {} in {path}",
                ours.test_class, first.path, theirs.test_class
            ));
        } else if ours.label != theirs.label {
            notes.tell(format!(
                "{name} is {} in {}, {} in {path}",
                ours.label, first.path, theirs.label
            ));
        }
        let warmup = |test: &TestSummary| test.warmup.as_ref().map_or(0.0, |warmup| warmup.duration_s);
        if (warmup(ours) - warmup(theirs)).abs() > 1e-9 {
            notes.tell(format!(
                "{name} had a warm-up of {} in {}, of {} in {path}",
                span(warmup(ours)),
                first.path,
                span(warmup(theirs))
            ));
        }
    }
}

/// Seconds as people write them, in tenths.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shown")]
fn span(seconds: f64) -> String {
    format_span_plain((seconds * 10.0).round() as u64 * 100_000_000)
}
