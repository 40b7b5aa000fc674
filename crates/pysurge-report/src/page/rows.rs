//! `timeseries.csv` as columns, one per figure: what charts over time are drawn from. It says the same as the file, rounded to what can be
//! seen.

use serde::Serialize;
use std::collections::BTreeMap;

/// Significant digits of a figure.
const DIGITS: usize = 5;

/// Where the columns of a line are.
const FROM: usize = 0;
const TO: usize = 1;
const MEASURE: usize = 3;

/// The measure with which the lines of a test begin.
const FIRST_MEASURE: &str = "planned";

/// A row's figures by name.
type Column = Vec<Option<f64>>;

/// The time series in columns, all of the same length: that of `from_s`.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Rows {
    from_s: Vec<f64>,
    to_s: Vec<f64>,
    /// Of the whole run: by measure, then by figure.
    run: Measures,
    /// Per test.
    tests: Vec<Measures>,
}

/// By measure, then by figure.
type Measures = BTreeMap<String, BTreeMap<&'static str, Column>>;

impl Rows {
    /// Of the text of a file; lines that are none are left out.
    pub(super) fn read(lines: &str, tests: usize) -> Self {
        let mut rows = Self::new(tests);
        let mut test = None;
        for record in csv::Reader::from_reader(lines.as_bytes()).records().flatten() {
            let Some((Some(from_s), Some(to_s))) = record
                .get(FROM)
                .zip(record.get(TO))
                .map(|(from, to)| (finite(from), finite(to)))
            else {
                continue;
            };
            if rows.from_s.last() != Some(&from_s) {
                rows.from_s.push(from_s);
                rows.to_s.push(to_s);
                test = None;
            }
            let Some(measure) = record.get(MEASURE) else {
                continue;
            };
            // Names may be anything; the order of lines is ours.
            if measure == FIRST_MEASURE {
                test = Some(test.map_or(0, |last| last + 1));
            }
            let measures = if is_of_run(measure) {
                Some(&mut rows.run)
            } else {
                test.and_then(|test: usize| rows.tests.get_mut(test))
            };
            let Some(measures) = measures else { continue };
            let length = rows.from_s.len();
            for (figure, at) in drawn(measure) {
                let Some(value) = record.get(*at).and_then(finite) else {
                    continue;
                };
                let figures = measures.entry(measure.to_owned()).or_default();
                let column = figures.entry(figure).or_default();
                column.resize(length - 1, None);
                column.push(Some(brief(value)));
            }
        }
        rows.fill();
        rows
    }

    /// Without any row yet.
    pub(super) fn new(tests: usize) -> Self {
        Self {
            tests: vec![Measures::new(); tests],
            ..Self::default()
        }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.from_s.len()
    }

    /// How many tests they are of.
    pub(super) fn tests(&self) -> usize {
        self.tests.len()
    }

    /// Adds the rows that came right after these.
    pub(super) fn append(&mut self, later: Self) {
        let length = self.len();
        self.from_s.extend(later.from_s);
        self.to_s.extend(later.to_s);
        let ours = self.tests.iter_mut().chain([&mut self.run]);
        for (ours, theirs) in ours.zip(later.tests.into_iter().chain([later.run])) {
            for (measure, figures) in theirs {
                let known = ours.entry(measure).or_default();
                for (figure, column) in figures {
                    let values = known.entry(figure).or_default();
                    values.resize(length, None);
                    values.extend(column);
                }
            }
        }
        self.fill();
    }

    /// The rows from one on.
    pub(super) fn since(&self, from: usize) -> Self {
        let from = from.min(self.len());
        let of_all = |measures: &Measures| -> Measures {
            let measures = measures.iter().map(|(measure, figures)| {
                let figures = figures
                    .iter()
                    .map(|(figure, column)| (*figure, column[from..].to_vec()));
                (measure.clone(), figures.collect())
            });
            measures.collect()
        };
        Self {
            from_s: self.from_s[from..].to_vec(),
            to_s: self.to_s[from..].to_vec(),
            run: of_all(&self.run),
            tests: self.tests.iter().map(of_all).collect(),
        }
    }

    /// Gives all columns their full length.
    fn fill(&mut self) {
        let length = self.from_s.len();
        let measures = self.tests.iter_mut().chain([&mut self.run]);
        for column in measures
            .flat_map(BTreeMap::values_mut)
            .flat_map(BTreeMap::values_mut)
        {
            column.resize(length, None);
        }
    }
}

fn is_of_run(measure: &str) -> bool {
    matches!(measure, "worker_cpu" | "gil_wait")
}

/// Which figures of a measure are drawn, and where they stand in a line.
fn drawn(measure: &str) -> &'static [(&'static str, usize)] {
    const COUNT: (&str, usize) = ("count", 4);
    const SUM: (&str, usize) = ("sum", 5);
    const MEAN: (&str, usize) = ("mean", 7);
    const P50: (&str, usize) = ("p50", 8);
    const P95: (&str, usize) = ("p95", 10);
    const P99: (&str, usize) = ("p99", 11);
    const MAX: (&str, usize) = ("max", 13);
    match measure.split_once('.') {
        None => match measure {
            "planned" | "passed" | "failed" | "dropped" => &[COUNT],
            "in_flight" | "threads" => &[MAX],
            "response_time" | "service_time" | "lateness" => &[MEAN, P50, P95, P99, MAX],
            "worker_cpu" | "gil_wait" => &[SUM],
            _ => &[],
        },
        Some(("lateness", _)) => &[P99],
        Some(("metrics", _)) => &[MEAN, P50, P95, MAX],
        Some(("checks", _)) => &[MEAN],
        Some(("timers", _)) => &[P50, P95, P99],
        Some(("counts" | "thread_time", _)) => &[SUM],
        Some(_) => &[],
    }
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// A number with as many digits as can be seen.
pub(super) fn brief(value: f64) -> f64 {
    let digits = DIGITS - 1;
    format!("{value:.digits$e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "from_s,to_s,test,measure,count,sum,min,mean,p50,p90,p95,p99,p99.9,max\n";

    fn read(lines: &[&str], tests: usize) -> Rows {
        Rows::read(&format!("{HEAD}{}\n", lines.join("\n")), tests)
    }

    fn column(values: &[Option<f64>]) -> Column {
        values.to_vec()
    }

    #[test]
    fn lines_become_columns_of_one_length() {
        let rows = read(
            &[
                "0,1,a,planned,10,,,,,,,,,",
                "0,1,a,response_time,9,0.9,0.01,0.1,0.1234567,,0.2,0.3,,0.4",
                "0,1,'=b,planned,5,,,,,,,,,",
                "0,1,,worker_cpu,,0.5,,,,,,,,",
                "1,2,a,planned,11,,,,,,,,,",
                "1,2,a,response_time,0,,,,,,,,,",
                "1,2,a,metrics.late,3,6,1,2,2,2,2,2,2,3",
                "1,2,'=b,planned,6,,,,,,,,,",
                "1,2,,worker_cpu,,0.25,,,,,,,,",
            ],
            2,
        );
        assert_eq!((&rows.from_s, &rows.to_s), (&vec![0.0, 1.0], &vec![1.0, 2.0]));
        let of = |test: usize, measure: &str, figure: &str| rows.tests[test][measure][figure].clone();
        assert_eq!(of(0, "planned", "count"), column(&[Some(10.0), Some(11.0)]));
        assert_eq!(of(1, "planned", "count"), column(&[Some(5.0), Some(6.0)]));
        assert_eq!(of(0, "response_time", "p50"), column(&[Some(0.12346), None]));
        assert_eq!(of(0, "metrics.late", "max"), column(&[None, Some(3.0)]));
        assert_eq!(rows.run["worker_cpu"]["sum"], column(&[Some(0.5), Some(0.25)]));
    }

    #[test]
    fn rows_that_come_one_by_one_are_those_that_come_at_once() {
        let lines = [
            "0,1,a,planned,10,,,,,,,,,",
            "0,1,a,metrics.early,3,6,1,2,2,2,2,2,2,3",
            "1,2,a,planned,11,,,,,,,,,",
            "1,2,,gil_wait,,7,,,,,,,,",
            "2,3,a,planned,12,,,,,,,,,",
            "2,3,a,metrics.late,3,6,1,2,2,2,2,2,2,3",
        ];
        let whole = read(&lines, 1);
        let mut grown = Rows::new(1);
        for pair in lines.chunks(2) {
            grown.append(read(pair, 1));
        }
        assert_eq!(grown, whole);
        assert_eq!(whole.since(0), whole);
        let last = whole.since(2);
        assert_eq!((last.len(), last.from_s[0]), (1, 2.0));
        assert_eq!(last.tests[0]["planned"]["count"], column(&[Some(12.0)]));
        assert_eq!(last.tests[0]["metrics.early"]["max"], column(&[None]));
        assert_eq!(whole.since(9).len(), 0);
    }

    #[test]
    fn names_that_lie_are_no_matter() {
        // Two tests that pass for the run, and a metric that is called as a measure of ours.
        let rows = read(
            &[
                "0,1,,planned,1,,,,,,,,,",
                "0,1,,metrics.planned,1,1,1,1,1,1,1,1,1,1",
                "0,1,,planned,2,,,,,,,,,",
                "0,1,,gil_wait,,7,,,,,,,,",
            ],
            2,
        );
        assert_eq!(rows.tests[0]["planned"]["count"], column(&[Some(1.0)]));
        assert_eq!(rows.tests[1]["planned"]["count"], column(&[Some(2.0)]));
        assert_eq!(rows.run["gil_wait"]["sum"], column(&[Some(7.0)]));
    }

    #[test]
    fn what_is_no_line_is_left_out() {
        let rows = read(
            &[
                "x,1,a,planned,1,,,,,,,,,",
                "0,1",
                "0,1,a,planned,nan,,,,,,,,,",
                "0,1,b,planned,3,,,,,,,,,",
            ],
            1,
        );
        assert_eq!(rows.from_s, [0.0]);
        assert_eq!(rows.tests[0], Measures::new());
        assert_eq!(Rows::read("", 0), Rows::default());
    }
}
