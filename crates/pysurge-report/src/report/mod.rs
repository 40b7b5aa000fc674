//! The report at the end of a run, as a stranger reads it: first whether the generator kept its schedule, then whether the thresholds
//! hold, then each test, then what went wrong elsewhere. Formats what core computed and computes nothing itself.

pub(crate) mod closing;
mod evidence;
mod many;
mod steps;
mod test;
mod thresholds;
mod verdict;

pub(crate) use many::common_place;
pub(crate) use test::heading;

use crate::line::process_name;
use crate::style::Style;
use crate::text::{one_line, plural, wrap};
use pysurge_core::summary::{Status, Summary, TestSummary, WorkerEnd};

/// The whole report, ending in a line end.
pub fn render(summary: &Summary, style: &Style) -> String {
    let mut blocks = vec![verdict::lines(summary, *style)];
    blocks.push(thresholds::lines(
        &summary.thresholds,
        summary.tests.len(),
        *style,
    ));
    if summary.tests.len() > many::FEW {
        blocks.extend(many::blocks(summary, *style));
    } else {
        blocks.push(many::overview(summary, *style));
        let tests = summary.tests.iter();
        blocks.extend(tests.map(|test| test::lines(test, summary, *style)));
    }
    blocks.push(remarks(summary, *style));
    let mut text = String::new();
    for lines in blocks.iter().filter(|lines| !lines.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        for line in lines {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// What a test is called: as the config calls it, else its label.
pub(crate) fn title(test: &TestSummary) -> String {
    one_line(test.name.as_deref().unwrap_or(&test.label))
}

/// What is worth knowing only because something went wrong outside the tests.
fn remarks(summary: &Summary, style: Style) -> Vec<String> {
    let mut lines = incidents(summary, style);
    // What befell them while the plan went on stands among the incidents.
    let is_told = |pid| summary.incidents.iter().any(|incident| incident.pid == Some(pid));
    let workers = summary.workers.iter();
    for worker in workers.filter(|worker| worker.end != WorkerEnd::Lost || !is_told(worker.pid)) {
        let what = match worker.end {
            // They went with their manager, which the head tells.
            WorkerEnd::Lost if summary.status == Status::Killed && worker.death.is_none() => continue,
            WorkerEnd::Running | WorkerEnd::Done => continue,
            WorkerEnd::Killed => "told all it measured, then had to be killed",
            WorkerEnd::Lost => "died before it told all",
        };
        let death = worker
            .death
            .as_deref()
            .map_or_else(String::new, |death| format!(": {}", one_line(death)));
        let text = format!(
            "{} (pid {}) {what}{death}",
            process_name(worker.worker),
            worker.pid
        );
        lines.extend(item("! ", &text, style));
    }
    if summary.output_dropped > 0 {
        let n = plural(summary.output_dropped, "line");
        let text =
            format!("{n} of output and log not shown, because they came faster than they could be written");
        lines.extend(item("! ", &text, style));
    }
    if summary.samples_dropped > 0 {
        let n = plural(summary.samples_dropped, "iteration");
        let text = format!(
            "{n} missing in the file of samples, because they came faster than they could be written"
        );
        lines.extend(item("! ", &text, style));
    }
    lines
}

/// Incidents that are listed; of the rest, how many.
const MAX_INCIDENTS_TOLD: usize = 12;

/// What befell workers while the plan went on, and when.
fn incidents(summary: &Summary, style: Style) -> Vec<String> {
    let told = summary.incidents.iter().take(MAX_INCIDENTS_TOLD);
    let mut lines: Vec<String> = told
        .flat_map(|incident| {
            let text = format!("{:.1} s: {}", incident.at_s, one_line(&incident.text));
            item("! ", &text, style)
        })
        .collect();
    let more = summary.incidents.len().saturating_sub(MAX_INCIDENTS_TOLD);
    if more > 0 {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        let text = format!(
            "and {} that befell workers, see summary.json",
            plural(more, "more thing")
        );
        lines.extend(item("! ", &text, style));
    }
    lines
}

/// A text behind a bullet, with a hanging indent.
fn item(bullet: &str, text: &str, style: Style) -> Vec<String> {
    let room = style.width() - bullet.chars().count();
    let mut lead = bullet.to_owned();
    let mut lines = Vec::new();
    for line in wrap(text, room, 4) {
        lines.push(format!("{lead}{line}"));
        lead = " ".repeat(bullet.chars().count());
    }
    lines
}
