//! Response time against rate as a picture: one SVG file that needs nothing else, in light or dark as the reader's system is. Each level is
//! a column of marks at its rate; lines join what was seen at the rates that held.

use super::drawing::{TimeScale, time_label};
use super::{FindMax, LevelRecord, LevelState};
use crate::plan::Scale;
use crate::svg::{escaped, line, n, rectangle, words};
use crate::text::{cut, one_line, rate, wrap};
use pysurge_core::span::parse_span;
use pysurge_core::summary::Durations;
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = WIDTH - 28.0;
const PADDING: f64 = 20.0;
/// From the top to the first line of the result, and from one line to the next.
const FIRST_LINE: f64 = PADDING + 36.0;
const LINE: f64 = 17.0;
const PLOT: f64 = 260.0;
const RATES: f64 = 44.0;

/// Characters of a line that have room.
const LINE_CHARS: usize = 108;
const TITLE_CHARS: usize = 70;

/// Marks of an axis at most.
const TIME_MARKS: usize = 7;
const RATE_MARKS: u32 = 8;

const STYLE: &str = "
    .pysurge-find-max { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif; }
    .pysurge-find-max .paper { fill: #ffffff; stroke: #d8dee4; }
    .pysurge-find-max .title { fill: #1f2328; font-size: 15px; font-weight: 600; }
    .pysurge-find-max .note { fill: #59636e; font-size: 12px; }
    .pysurge-find-max .mark { fill: #59636e; font-size: 11px; font-variant-numeric: tabular-nums; }
    .pysurge-find-max .grid { stroke: #e6eaef; stroke-width: 1; }
    .pysurge-find-max .axis { stroke: #8c959f; stroke-width: 1; fill: none; }
    .pysurge-find-max .p50 { stroke: #8fb3f0; fill: #8fb3f0; }
    .pysurge-find-max .p95 { stroke: #2f6fde; fill: #2f6fde; }
    .pysurge-find-max .p99 { stroke: #123f91; fill: #123f91; }
    .pysurge-find-max path { fill: none !important; stroke-width: 2; stroke-linejoin: round; }
    .pysurge-find-max circle { stroke: none; }
    .pysurge-find-max .key { font-size: 11px; stroke: none; }
    .pysurge-find-max .failed { fill: none; stroke: #c93c37; stroke-width: 1.5; }
    .pysurge-find-max .generator { fill: none; stroke: #d97706; stroke-width: 1.5; }
    .pysurge-find-max .unknown { fill: #c93c37; fill-opacity: 0.10; }
    .pysurge-find-max .limit { stroke: #c93c37; stroke-width: 1; stroke-dasharray: 5 4; }
    .pysurge-find-max .held { stroke: #1a7f37; stroke-width: 1.5; }
    .pysurge-find-max .held-name { fill: #1a7f37; font-size: 11px; font-weight: 600; }
    .pysurge-find-max .failed-name { fill: #c93c37; font-size: 11px; stroke: none; }
    @media (prefers-color-scheme: dark) {
      .pysurge-find-max .paper { fill: #0d1117; stroke: #30363d; }
      .pysurge-find-max .title { fill: #e6edf3; }
      .pysurge-find-max .note, .pysurge-find-max .mark { fill: #9198a1; }
      .pysurge-find-max .grid { stroke: #222932; }
      .pysurge-find-max .axis { stroke: #6e7681; }
      .pysurge-find-max .p50 { stroke: #3b5f9e; fill: #3b5f9e; }
      .pysurge-find-max .p95 { stroke: #6ea4ff; fill: #6ea4ff; }
      .pysurge-find-max .p99 { stroke: #b6d1ff; fill: #b6d1ff; }
      .pysurge-find-max .failed, .pysurge-find-max .limit { stroke: #ff7b72; }
      .pysurge-find-max .failed-name, .pysurge-find-max .unknown { fill: #ff7b72; }
      .pysurge-find-max .generator { stroke: #f0a93b; }
      .pysurge-find-max .held { stroke: #3fb950; }
      .pysurge-find-max .held-name { fill: #3fb950; }
    }
  ";

/// One self-contained SVG of the search.
pub fn find_max_svg(search: &FindMax) -> String {
    let text = search.result.as_ref().map_or("", |result| result.text.as_str());
    let told = wrap(&one_line(text), LINE_CHARS, 3);
    #[expect(clippy::cast_precision_loss, reason = "a few lines")]
    let top = FIRST_LINE + told.len() as f64 * LINE + 24.0;
    let height = top + PLOT + RATES + PADDING;
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="pysurge-find-max" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
  <title>The highest rate of {name}</title>
  <desc>{desc}</desc>
  <style>{STYLE}</style>
  <rect class="paper" x="0.5" y="0.5" width="{}" height="{}" rx="8"/>
"#,
        n(WIDTH - 1.0),
        n(height - 1.0),
        width = n(WIDTH),
        height = n(height),
        name = escaped(&one_line(&search.name)),
        desc = escaped(text),
    );
    let title = cut(
        &format!("{}: response time against rate", one_line(&search.name)),
        TITLE_CHARS,
    );
    svg.push_str(&words("title", PADDING, PADDING + 14.0, "start", &title));
    let mut at = FIRST_LINE;
    for line in &told {
        svg.push_str(&words("note", PADDING, at, "start", line));
        at += LINE;
    }
    if let Some(plot) = Plot::of(search, top) {
        svg.push_str(&plot.draw());
    }
    svg.push_str("</svg>\n");
    svg
}

/// The durations that objectives name, seconds.
pub(crate) fn limits_s(search: &FindMax) -> Vec<f64> {
    let objectives = search.objectives.iter();
    objectives.filter_map(|text| limit_s(text)).collect()
}

struct Plot<'a> {
    search: &'a FindMax,
    times: TimeScale,
    rates: Scale,
    top: f64,
    limits_s: Vec<f64>,
}

impl<'a> Plot<'a> {
    fn of(search: &'a FindMax, top: f64) -> Option<Self> {
        let limits_s = limits_s(search);
        let times = search
            .levels
            .iter()
            .flat_map(|level| LINES.map(|(_, _, of)| of(&level.response_time)))
            .flatten();
        let times = TimeScale::of(times.chain(limits_s.iter().copied()))?;
        let highest = search
            .levels
            .iter()
            .map(|level| level.rate_per_s)
            .fold(0.0, f64::max);
        Some(Self {
            search,
            times,
            rates: Scale::new(highest, false, RATE_MARKS),
            top,
            limits_s,
        })
    }

    fn x(&self, per_s: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * self.rates.share(per_s)
    }

    fn y(&self, time_s: f64) -> f64 {
        self.base() - PLOT * self.times.share(time_s)
    }

    fn base(&self) -> f64 {
        self.top + PLOT
    }

    fn draw(&self) -> String {
        let mut svg = String::from("  <g>\n");
        svg.push_str(&self.axes());
        svg.push_str(&self.result());
        for limit_s in &self.limits_s {
            svg.push_str(&line(
                "limit",
                (LEFT, self.y(*limit_s)),
                (RIGHT, self.y(*limit_s)),
            ));
        }
        for (name, class, of) in LINES {
            svg.push_str(&self.curve(class, of));
            svg.push_str(&self.marks(name, class, of));
        }
        svg.push_str(&self.key());
        svg.push_str("  </g>\n");
        svg
    }

    fn axes(&self) -> String {
        let mut svg = String::new();
        for time_s in self.times.marks(TIME_MARKS) {
            let y = self.y(time_s);
            svg.push_str(&line("grid", (LEFT, y), (RIGHT, y)));
            svg.push_str(&words("mark", LEFT - 8.0, y + 3.8, "end", &time_label(time_s)));
        }
        let base = self.base();
        svg.push_str(&line("axis", (LEFT, base), (RIGHT, base)));
        for (share, label) in self.rates.marks() {
            let x = LEFT + (RIGHT - LEFT) * share;
            svg.push_str(&line("axis", (x, base), (x, base + 4.0)));
            svg.push_str(&words("mark", x, base + 17.0, "middle", &label));
        }
        svg.push_str(&words(
            "mark",
            f64::midpoint(LEFT, RIGHT),
            base + 36.0,
            "middle",
            "rate of all tests together",
        ));
        svg
    }

    /// The rate that held, and up to the one that failed what nobody knows.
    fn result(&self) -> String {
        let mut svg = String::new();
        let Some(result) = &self.search.result else {
            return svg;
        };
        let held = result.held_rate_per_s.map(|held| self.x(held));
        if let (Some(from), Some(to)) = (held, result.failed_rate_per_s.map(|failed| self.x(failed))) {
            svg.push_str(&rectangle("unknown", from, self.top, to - from, PLOT));
        }
        if let (Some(x), Some(per_s)) = (held, result.held_rate_per_s) {
            svg.push_str(&line("held", (x, self.top), (x, self.base())));
            let label = format!("{}/s held", rate(per_s));
            let anchor = if x > f64::midpoint(LEFT, RIGHT) {
                "end"
            } else {
                "start"
            };
            let beside = if anchor == "end" { -6.0 } else { 6.0 };
            svg.push_str(&words("held-name", x + beside, self.top + 10.0, anchor, &label));
        }
        svg
    }

    /// A line through what was seen at the rates that held; the last try of a rate counts.
    fn curve(&self, class: &str, of: Figure) -> String {
        let mut levels: Vec<&LevelRecord> = self
            .search
            .levels
            .iter()
            .filter(|level| level.state == LevelState::Held)
            .collect();
        levels.sort_by(|a, b| {
            a.rate_per_s
                .total_cmp(&b.rate_per_s)
                .then(b.number.cmp(&a.number))
        });
        levels.dedup_by(|a, b| a.rate_per_s.total_cmp(&b.rate_per_s).is_eq());
        let points: Vec<String> = levels
            .iter()
            .filter_map(|level| {
                let y = self.y(of(&level.response_time)?);
                Some(format!("{} {}", n(self.x(level.rate_per_s)), n(y)))
            })
            .collect();
        if points.len() < 2 {
            return String::new();
        }
        format!("    <path class=\"{class}\" d=\"M{}\"/>\n", points.join(" L"))
    }

    fn marks(&self, name: &str, class: &str, of: Figure) -> String {
        let mut svg = String::new();
        for level in &self.search.levels {
            let Some(time_s) = of(&level.response_time) else {
                continue;
            };
            let (x, y) = (n(self.x(level.rate_per_s)), n(self.y(time_s)));
            let class = match level.state {
                LevelState::Held => class,
                LevelState::Failed => "failed",
                LevelState::GeneratorLimited => "generator",
            };
            let said = format!("{}/s: {name} {}", rate(level.rate_per_s), time_label(time_s));
            let _ = writeln!(
                svg,
                r#"    <circle class="{class}" cx="{x}" cy="{y}" r="3.2"><title>{}</title></circle>"#,
                escaped(&said)
            );
        }
        svg
    }

    fn key(&self) -> String {
        let y = self.top - 10.0;
        let mut svg = String::new();
        let mut x = LEFT;
        for (name, class, _) in LINES {
            svg.push_str(&words(&format!("key {class}"), x, y, "start", name));
            x += 34.0;
        }
        svg.push_str(&words("failed-name", x, y, "start", "o did not hold"));
        svg
    }
}

/// One figure of many times.
type Figure = fn(&Durations) -> Option<f64>;

/// What is drawn: its name, its class and where it stands.
const LINES: [(&str, &str, Figure); 3] = [
    ("p50", "p50", |times| times.p50_s),
    ("p95", "p95", |times| times.p95_s),
    ("p99", "p99", |times| times.p99_s),
];

/// The time that an objective on response times allows, where it is a plain one.
fn limit_s(objective: &str) -> Option<f64> {
    let (measure, limit) = objective.split_once('<')?;
    if !measure.trim().starts_with("response_time.") {
        return None;
    }
    let ns = parse_span(limit.trim_start_matches('=').trim()).ok()?;
    Some(super::seconds(ns)).filter(|limit_s| *limit_s > 0.0)
}
