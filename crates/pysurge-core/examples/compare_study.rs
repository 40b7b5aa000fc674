//! The study behind `docs/how-to/compare-runs.md`: how often `pysurge compare` sees a difference where there is none, and where there is one.
//!
//! `cargo run --release -p pysurge-core --example compare_study -- [PAIRS [ONLY]]`; `ONLY` is a part of the names of what is wanted.

#[path = "../src/compare/synthetic.rs"]
mod synthetic;

use pysurge_core as ours;
use pysurge_core::compare::{Comparison, Options, Outcome, Source, compare};
use std::fmt::Write as _;
use std::io::Write;
use synthetic::Target;

/// The measures whose figures are shown.
const SHOWN: [&str; 4] = [
    "response_time.mean",
    "response_time.p50",
    "response_time.p95",
    "response_time.p99",
];

/// A target, by how much the new side is slower, and how many runs a side has.
struct Setting {
    name: String,
    target: Target,
    factor: f64,
    runs: u64,
}

fn main() -> std::io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "an example is a program of its own")]
    let mut args = std::env::args().skip(1);
    let pairs: u64 = args.next().and_then(|text| text.parse().ok()).unwrap_or(200);
    let only = args.next().unwrap_or_default();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:48} {:>8}  {}",
        "",
        "any seen",
        SHOWN.map(|name| format!("{name:>18} ± ")).concat()
    )?;
    for setting in equal().into_iter().chain(slower()).chain(several()) {
        if setting.name.contains(&only) {
            writeln!(out, "{}", row(&setting, pairs))?;
            out.flush()?;
        }
    }
    Ok(())
}

fn setting(name: &str, target: Target) -> Setting {
    Setting {
        name: name.to_owned(),
        target,
        factor: 1.0,
        runs: 1,
    }
}

/// Pairs of the same target.
fn equal() -> Vec<Setting> {
    let base = Target::default;
    vec![
        setting("the same, 60 s at 50/s", base()),
        setting(
            "the same, neighbouring seconds alike by 0",
            Target { kept: 0.0, ..base() },
        ),
        setting(
            "the same, neighbouring seconds alike by 0.8",
            Target { kept: 0.8, ..base() },
        ),
        setting(
            "the same, neighbouring seconds alike by 0.9",
            Target { kept: 0.9, ..base() },
        ),
        setting(
            "the same, seconds do not differ",
            Target {
                common: 0.0,
                ..base()
            },
        ),
        setting(
            "the same, seconds differ by 10 %",
            Target {
                common: 0.1,
                ..base()
            },
        ),
        setting(
            "the same, 1 % take five times as long",
            Target { slow: 0.01, ..base() },
        ),
        setting(
            "the same, 5 % take five times as long",
            Target { slow: 0.05, ..base() },
        ),
        setting(
            "the same, no failures",
            Target {
                failures: 0.0,
                ..base()
            },
        ),
        setting(
            "the same, 30 % failures",
            Target {
                failures: 0.3,
                ..base()
            },
        ),
        setting(
            "the same, 12 s",
            Target {
                seconds: 12,
                ..base()
            },
        ),
        setting(
            "the same, 20 s",
            Target {
                seconds: 20,
                ..base()
            },
        ),
        setting(
            "the same, 30 s",
            Target {
                seconds: 30,
                ..base()
            },
        ),
        setting(
            "the same, 200 s",
            Target {
                seconds: 200,
                ..base()
            },
        ),
        setting("the same, 60 s at 5/s", Target { rate: 5, ..base() }),
        setting("the same, 60 s at 500/s", Target { rate: 500, ..base() }),
    ]
}

/// Pairs whose new side is slower.
fn slower() -> Vec<Setting> {
    let shifts = [
        (20, 1.1),
        (30, 1.1),
        (60, 1.1),
        (120, 1.1),
        (30, 1.05),
        (60, 1.05),
        (120, 1.05),
        (200, 1.05),
        (60, 1.03),
        (200, 1.03),
        (200, 1.02),
    ];
    let of_shift = |(seconds, factor): (usize, f64)| Setting {
        factor,
        ..setting(
            &format!("{:.0} % slower, {seconds} s", (factor - 1.0) * 100.0),
            Target {
                seconds,
                ..Target::default()
            },
        )
    };
    shifts.into_iter().map(of_shift).collect()
}

/// Pairs of targets whose runs differ from each other, of one run a side or several.
fn several() -> Vec<Setting> {
    let runs = [(1, 0.01), (1, 0.03), (2, 0.03), (3, 0.03), (5, 0.03)];
    let of_runs = |(runs, between_runs): (u64, f64)| {
        [1.0, 1.1].map(|factor: f64| Setting {
            name: format!(
                "{}, {runs} runs a side that differ by {:.0} %",
                if factor > 1.0 { "10 % slower" } else { "the same" },
                between_runs * 100.0
            ),
            target: Target {
                between_runs,
                ..Target::default()
            },
            factor,
            runs,
        })
    };
    runs.into_iter().flat_map(of_runs).collect()
}

/// In how many of the pairs any measure differs, and how many of the shown ones are slower, in percent; and half the width of their
/// intervals, in percent of the base.
#[expect(clippy::cast_precision_loss, reason = "some hundred pairs")]
fn row(setting: &Setting, pairs: u64) -> String {
    let Setting {
        name,
        target,
        factor,
        runs,
    } = setting;
    let mut any = 0.0;
    let mut seen = [0.0; SHOWN.len()];
    let mut half_width = [0.0; SHOWN.len()];
    let one = 100.0 / pairs as f64;
    for pair in 0..pairs {
        let side = |target: &Target, side: u64| -> Vec<Source> {
            let seeds = (0..*runs).map(|run| 1_000_003 * pair + 1_009 * side + run);
            seeds.map(|seed| target.run(seed)).collect()
        };
        let options = Options {
            seed: pair,
            ..Options::default()
        };
        let comparison = compare(&side(target, 1), &side(&target.slower(*factor), 2), &options);
        any += if has_seen(&comparison) { one } else { 0.0 };
        for (at, name) in SHOWN.iter().enumerate() {
            let mut measures = comparison.tests.iter().flat_map(|test| &test.measures);
            let Some(measure) = measures.find(|measure| measure.measure == *name) else {
                continue;
            };
            seen[at] += if measure.outcome == Outcome::Slower {
                one
            } else {
                0.0
            };
            let width = measure
                .relative_interval
                .map_or(0.0, |interval| interval.high - interval.low);
            half_width[at] += one * width / 2.0;
        }
    }
    let mut row = format!("{name:48} {any:6.1} % ");
    for (seen, half_width) in std::iter::zip(seen, half_width) {
        let _ = write!(row, "{seen:12.1} % ±{half_width:5.1}");
    }
    row
}

fn has_seen(comparison: &Comparison) -> bool {
    let mut measures = comparison.tests.iter().flat_map(|test| &test.measures);
    measures.any(|measure| measure.outcome.is_seen())
}
