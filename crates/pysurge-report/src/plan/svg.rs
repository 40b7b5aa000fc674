//! A plan as a picture: one SVG file that needs nothing else, in light or dark as the reader's system is. A panel per test shows its
//! rate or its users over time; random and recorded arrivals as bars; single arrivals as ticks below where there are few.
//!
//! Everything that a user wrote goes through [`escaped`]: a name must not be able to end an element.

use super::axis::{Scale, time_marks};
use super::{bars, highest, load, per, times, title, totals};
use crate::svg::{escaped, line, n, rectangle, words};
use crate::text::{cut, one_line, plural, wrap};
use pysurge_core::forecast::{Forecast, Planned, TestForecast};
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
/// Where the plots begin and end, from the left.
const LEFT: f64 = 72.0;
const RIGHT: f64 = WIDTH - 28.0;
/// From a panel's top to its plot, and the plot itself.
const HEAD: f64 = 72.0;
const PLOT: f64 = 132.0;
/// A panel of a test whose load is not known yet.
const BARE: f64 = 40.0;
/// The strip of single arrivals, and the labels of time.
const STRIP: f64 = 20.0;
const TIMES: f64 = 22.0;
/// Between two panels, and around them all.
const GAP: f64 = 26.0;
const PADDING: f64 = 20.0;
/// A line of the sums.
const FOOT: f64 = 17.0;

/// Characters of a heading that have room: those of the heading are wider than those below it.
const TITLE_CHARS: usize = 84;
const LABEL_CHARS: usize = 48;
const LINE_CHARS: usize = 108;

/// Bars at most: thinner ones blur.
const MAX_BARS: usize = 120;

/// Marks of an axis at most.
const RATE_MARKS: u32 = 4;
const TIME_MARKS: u64 = 8;

const STYLE: &str = "
    .pysurge-plan { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif; }
    .pysurge-plan .paper { fill: #ffffff; stroke: #d8dee4; }
    .pysurge-plan .title { fill: #1f2328; font-size: 15px; font-weight: 600; }
    .pysurge-plan .note { fill: #59636e; font-size: 12px; }
    .pysurge-plan .mark { fill: #59636e; font-size: 11px; font-variant-numeric: tabular-nums; }
    .pysurge-plan .grid { stroke: #e6eaef; stroke-width: 1; }
    .pysurge-plan .axis { stroke: #8c959f; stroke-width: 1; fill: none; }
    .pysurge-plan .area { fill: #2f6fde; fill-opacity: 0.13; }
    .pysurge-plan .line { stroke: #2f6fde; stroke-width: 2; stroke-linejoin: round; fill: none; }
    .pysurge-plan .bars { fill: #2f6fde; fill-opacity: 0.38; }
    .pysurge-plan .ticks { stroke: #2f6fde; stroke-width: 1.3; }
    .pysurge-plan .closed .area { fill: #0f8a7e; }
    .pysurge-plan .closed .line { stroke: #0f8a7e; }
    .pysurge-plan .warm { fill: #d97706; fill-opacity: 0.13; }
    .pysurge-plan .warm-edge { stroke: #d97706; stroke-width: 1; stroke-dasharray: 3 3; }
    .pysurge-plan .warm-name { fill: #a65a05; font-size: 11px; }
    .pysurge-plan .fade-from { stop-color: #ffffff; stop-opacity: 0; }
    .pysurge-plan .fade-to { stop-color: #ffffff; stop-opacity: 0.92; }
    @media (prefers-color-scheme: dark) {
      .pysurge-plan .paper { fill: #0d1117; stroke: #30363d; }
      .pysurge-plan .title { fill: #e6edf3; }
      .pysurge-plan .note, .pysurge-plan .mark { fill: #9198a1; }
      .pysurge-plan .grid { stroke: #222932; }
      .pysurge-plan .axis { stroke: #6e7681; }
      .pysurge-plan .area { fill: #6ea4ff; fill-opacity: 0.18; }
      .pysurge-plan .line { stroke: #6ea4ff; }
      .pysurge-plan .bars { fill: #6ea4ff; fill-opacity: 0.42; }
      .pysurge-plan .ticks { stroke: #6ea4ff; }
      .pysurge-plan .closed .area { fill: #3fc9b8; }
      .pysurge-plan .closed .line { stroke: #3fc9b8; }
      .pysurge-plan .warm { fill: #f0a93b; fill-opacity: 0.15; }
      .pysurge-plan .warm-edge { stroke: #f0a93b; }
      .pysurge-plan .warm-name { fill: #f0b95f; }
      .pysurge-plan .fade-from, .pysurge-plan .fade-to { stop-color: #0d1117; }
    }
  ";

/// One self-contained SVG of the whole plan.
pub fn plan_svg(forecast: &Forecast) -> String {
    let sums = totals(forecast);
    let foot = if forecast.tests.len() > 1 {
        wrap(&sums, LINE_CHARS, 3)
    } else {
        Vec::new()
    };
    #[expect(clippy::cast_precision_loss, reason = "a few lines")]
    let foot_height = if foot.is_empty() {
        0.0
    } else {
        8.0 + foot.len() as f64 * FOOT
    };
    let panels: f64 = forecast.tests.iter().map(|test| height(test) + GAP).sum::<f64>() - GAP;
    let all = PADDING + panels + foot_height + PADDING;
    let mut svg = String::new();
    let (name, desc) = (escaped(&one_line(&forecast.name)), escaped(&sums));
    let (width, height_all) = (n(WIDTH), n(all));
    let _ = write!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="pysurge-plan" viewBox="0 0 {width} {height_all}" width="{width}" height="{height_all}" role="img">
  <title>The plan of {name}</title>
  <desc>{desc}</desc>
  <style>{STYLE}</style>
  <defs>
    <linearGradient id="pysurge-fade"><stop class="fade-from" offset="0"/><stop class="fade-to" offset="1"/></linearGradient>
  </defs>
  <rect class="paper" x="0.5" y="0.5" width="{}" height="{}" rx="8"/>
"#,
        n(WIDTH - 1.0),
        n(all - 1.0),
    );
    let mut top = PADDING;
    for test in &forecast.tests {
        let panel = Panel {
            test,
            span_ns: forecast.span_ns,
            goes_on: forecast.end_ns.is_none(),
            top,
        };
        svg.push_str(&panel.draw());
        top += height(test) + GAP;
    }
    let mut at = all - PADDING - foot_height + 8.0 + FOOT;
    for line in &foot {
        svg.push_str(&words("note", PADDING, at - 2.0, "start", line));
        at += FOOT;
    }
    svg.push_str("</svg>\n");
    svg
}

fn has_plot(test: &TestForecast) -> bool {
    !(test.line.is_empty() && test.buckets.is_empty())
}

fn height(test: &TestForecast) -> f64 {
    if !has_plot(test) {
        return BARE;
    }
    let strip = if test.arrivals.is_empty() { 0.0 } else { STRIP };
    HEAD + PLOT + strip + TIMES
}

struct Panel<'a> {
    test: &'a TestForecast,
    span_ns: u64,
    goes_on: bool,
    top: f64,
}

impl Panel<'_> {
    fn draw(&self) -> String {
        let test = self.test;
        let class = if test.is_closed() { "closed" } else { "open" };
        let mut svg = format!("  <g class=\"{class}\">\n");
        let load = capitalized(&cut(&one_line(&load(test)), TITLE_CHARS));
        svg.push_str(&words("title", PADDING, self.top + 14.0, "start", &load));
        svg.push_str(&words("note", PADDING, self.top + 35.0, "start", &self.note()));
        if has_plot(test) {
            let bars = bars(test, self.span_ns, MAX_BARS);
            let scale = Scale::new(highest(test, &bars), test.is_closed(), RATE_MARKS);
            svg.push_str(&self.grid(&scale));
            svg.push_str(&self.warm_up());
            svg.push_str(&self.curve(&scale, &bars));
            svg.push_str(&self.single_arrivals());
            svg.push_str(&self.time_axis());
        }
        svg.push_str("  </g>\n");
        svg
    }

    fn note(&self) -> String {
        let test = self.test;
        let mut pieces = vec![cut(&one_line(title(test)), LABEL_CHARS)];
        if !has_plot(test) {
            pieces.push(times(test));
        }
        match test.planned {
            Planned::Exactly(count) => pieces.push(format!("{} planned", plural(count, "iteration"))),
            Planned::AtMost(count) => pieces.push(format!("at most {}", plural(count, "iteration"))),
            Planned::Unknown => {}
        }
        if let Some(per_s) = test.peak_per_s {
            pieces.push(format!("peak {}", per(per_s)));
        }
        if let Some(threads) = test.threads_needed {
            let about = if test.is_closed() { "" } else { "about " };
            pieces.push(format!("{about}{}", plural(threads, "thread")));
        }
        cut(&pieces.join(" · "), LINE_CHARS)
    }

    fn plot_top(&self) -> f64 {
        self.top + HEAD
    }

    fn base(&self) -> f64 {
        self.plot_top() + PLOT
    }

    #[expect(clippy::cast_precision_loss, reason = "places in a picture")]
    fn x(&self, at_ns: u64) -> f64 {
        LEFT + (RIGHT - LEFT) * (at_ns.min(self.span_ns) as f64 / self.span_ns.max(1) as f64)
    }

    fn y(&self, share: f64) -> f64 {
        self.base() - PLOT * share
    }

    fn grid(&self, scale: &Scale) -> String {
        let mut svg = String::new();
        for (share, label) in scale.marks() {
            let y = self.y(share);
            if share > 0.0 {
                svg.push_str(&line("grid", (LEFT, y), (RIGHT, y)));
            }
            svg.push_str(&words("mark", LEFT - 8.0, y + 3.8, "end", &label));
        }
        if self.test.is_closed() {
            svg.push_str(&words("mark", LEFT - 8.0, self.plot_top() - 14.0, "end", "users"));
        }
        svg
    }

    fn warm_up(&self) -> String {
        if !self.test.has_warmup() {
            return String::new();
        }
        let (from, to) = (self.x(self.test.start_ns), self.x(self.test.warmup_ends_ns));
        let top = self.plot_top() - 8.0;
        let mut svg = rectangle("warm", from, top, to - from, self.base() - top);
        svg.push_str(&line("warm-edge", (to, top), (to, self.base())));
        let (x, anchor) = if to - from >= 64.0 {
            (f64::midpoint(from, to), "middle")
        } else {
            (from, "start")
        };
        svg.push_str(&words("warm-name", x, top - 5.0, anchor, "warm-up"));
        svg
    }

    fn curve(&self, scale: &Scale, bars: &[f64]) -> String {
        let mut svg = String::new();
        if !bars.is_empty() {
            svg.push_str(&self.bars(scale, bars));
        }
        for piece in above_zero(&self.test.line) {
            let points: Vec<String> = piece
                .iter()
                .map(|(at_ns, level)| format!("{} {}", n(self.x(*at_ns)), n(self.y(scale.share(*level)))))
                .collect();
            let path = points.join(" L");
            if bars.is_empty() {
                let end = |point: Option<&(u64, f64)>| n(self.x(point.map_or(0, |(at_ns, _)| *at_ns)));
                let (from, to, base) = (end(piece.first()), end(piece.last()), n(self.base()));
                let _ = writeln!(
                    svg,
                    r#"    <path class="area" d="M{from} {base} L{path} L{to} {base} Z"/>"#
                );
            }
            let _ = writeln!(svg, r#"    <path class="line" d="M{path}"/>"#);
        }
        if self.goes_on && self.test.end_ns.is_none() {
            let width = (RIGHT - LEFT) * 0.14;
            let top = self.plot_top() - 4.0;
            let _ = writeln!(
                svg,
                r#"    <rect x="{}" y="{}" width="{}" height="{}" fill="url(#pysurge-fade)"/>"#,
                n(RIGHT - width),
                n(top),
                n(width + 2.0),
                n(self.base() - top),
            );
        }
        svg
    }

    #[expect(clippy::cast_precision_loss, reason = "places in a picture")]
    fn bars(&self, scale: &Scale, bars: &[f64]) -> String {
        let width = (RIGHT - LEFT) / bars.len() as f64;
        let gap = (width * 0.16).min(2.0);
        let mut path = String::new();
        for (i, level) in bars.iter().enumerate().filter(|(_, level)| **level > 0.0) {
            let x = LEFT + width * i as f64 + gap / 2.0;
            let height = PLOT * scale.share(*level);
            let _ = write!(
                path,
                "M{} {}h{}v{}h-{}z",
                n(x),
                n(self.base()),
                n(width - gap),
                n(-height),
                n(width - gap)
            );
        }
        format!("    <path class=\"bars\" d=\"{path}\"/>\n")
    }

    fn single_arrivals(&self) -> String {
        if self.test.arrivals.is_empty() {
            return String::new();
        }
        let top = self.base() + 6.0;
        let mut ticks = String::new();
        for at_ns in &self.test.arrivals {
            let _ = write!(ticks, "M{} {}v12", n(self.x(*at_ns)), n(top));
        }
        let mut svg = words("mark", LEFT - 8.0, top + 10.0, "end", "arrivals");
        let _ = writeln!(svg, r#"    <path class="ticks" d="{ticks}"/>"#);
        svg
    }

    fn time_axis(&self) -> String {
        let base = self.base();
        let mut svg = line("axis", (LEFT, base), (RIGHT, base));
        if self.goes_on {
            let _ = writeln!(
                svg,
                r#"    <path class="axis" d="M{} {}l6 4l-6 4"/>"#,
                n(RIGHT),
                n(base - 4.0)
            );
        }
        let strip = if self.test.arrivals.is_empty() { 0.0 } else { STRIP };
        for (at_ns, label) in time_marks(self.span_ns, TIME_MARKS) {
            let x = self.x(at_ns);
            svg.push_str(&line("axis", (x, base), (x, base + 4.0)));
            svg.push_str(&words("mark", x, base + strip + 17.0, "middle", &label));
        }
        svg
    }
}

/// The pieces of a line that are not flat at zero: there the axis is line enough.
fn above_zero(line: &[(u64, f64)]) -> Vec<&[(u64, f64)]> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for at in 1..=line.len() {
        let is_flat = at < line.len() && line[at - 1].1 == 0.0 && line[at].1 == 0.0;
        if is_flat || at == line.len() {
            if at - from > 1 {
                pieces.push(&line[from..at]);
            }
            from = at;
        }
    }
    pieces
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), chars.as_str())
}
