//! The names of all figures, each with its unit, its kind and what it is: the table that docs/reference/metrics.md repeats.

/// In what a figure is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    None,
    Seconds,
    Bytes,
    PerSecond,
}

/// What a figure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Is always 1, and says something by its labels.
    Info,
    /// Only rises.
    Counter,
    /// A sum that may fall.
    Sum,
    /// Stands at a value.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

/// A family of figures. Prometheus knows it as `pysurge_` + name + unit, OTLP as `pysurge.` + name.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
}

impl Spec {
    /// Its name for Prometheus, without the endings of single samples.
    pub(crate) fn family(&self) -> String {
        let unit = match self.unit {
            Unit::None => "",
            Unit::Seconds => "_seconds",
            Unit::Bytes => "_bytes",
            Unit::PerSecond => "_per_second",
        };
        format!("pysurge_{}{unit}", self.name)
    }

    /// Its name for OTLP: with its unit behind it, as Prometheus puts it when it takes OTLP, it is the same as the other.
    pub(crate) fn dotted(&self) -> String {
        match self.kind {
            Kind::Info => format!("pysurge.{}_info", self.name),
            _ => format!("pysurge.{}", self.name),
        }
    }
}

macro_rules! specs {
    ($($constant:ident = $name:literal, $unit:ident, $kind:ident, $help:literal;)+) => {
        $(pub(crate) static $constant: Spec = Spec { name: $name, unit: Unit::$unit, kind: Kind::$kind, help: $help };)+

        /// All of them, in the order in which they are shown.
        #[cfg(test)]
        pub(crate) static ALL: &[&Spec] = &[$(&$constant),+];
    };
}

specs! {
    RUN = "run", None, Info, "The run: its name and the version of pysurge";
    RUNNING = "running", None, Gauge, "1 while the run goes on, 0 once it is over";
    ELAPSED = "elapsed", Seconds, Gauge, "Time since iterations started";
    PLANNED_DURATION = "planned_duration", Seconds, Gauge, "How long iterations are planned; absent where it goes on until it is stopped";
    PAUSED = "paused", Seconds, Counter, "Time for which the run was paused";
    LOAD_FACTOR = "load_factor", None, Gauge, "What all rates are multiplied by";
    VERDICT = "verdict", None, Gauge, "1 for the verdict on the load generator so far, 0 for the others";
    THRESHOLD = "threshold", None, Gauge, "1 for the state that a threshold is in, 0 for the others";
    WORKERS = "workers", None, Gauge, "Worker processes by how they ended, or run";
    WORKER_CPU = "worker_cpu", Seconds, Counter, "CPU time used by a worker";
    WORKER_MEMORY = "worker_memory", Bytes, Gauge, "Resident memory of a worker";
    OUTPUT_DROPPED = "output_dropped", None, Counter, "Lines that tests printed or logged, and that were dropped";
    PLANNED = "iterations_planned", None, Counter, "Iterations that the schedule planned so far";
    ITERATIONS = "iterations", None, Counter, "Planned iterations by how they ended; the sum of all outcomes is the planned ones at the end";
    IN_FLIGHT = "in_flight", None, Gauge, "Iterations that run now";
    THREADS = "threads", None, Gauge, "Threads of the pools, or tasks of coroutine tests";
    ASKED_RATE = "asked_rate", PerSecond, Gauge, "Iterations planned per second, mean so far; absent in the closed model";
    ACHIEVED_RATE = "achieved_rate", PerSecond, Gauge, "Iterations started per second, mean so far";
    RESPONSE_TIME = "response_time", Seconds, Histogram, "Lateness and service time together: from the planned instant";
    SERVICE_TIME = "service_time", Seconds, Histogram, "Duration of run() alone";
    LATENESS = "lateness", Seconds, Histogram, "From the planned instant to the start of the iteration";
    SETUP = "setup", Seconds, Histogram, "Duration of setup(), where there is one";
    TEARDOWN = "teardown", Seconds, Histogram, "Duration of teardown(), where there is one";
    LATENESS_CAUSE = "lateness_cause", Seconds, Counter, "Lateness of all iterations by cause, summed";
    THREAD_TIME = "thread_time", Seconds, Counter, "Time in which threads ran iterations, on a CPU or blocked";
    FAILURES = "failures", None, Counter, "Exceptions by phase and type; those in teardown fail no iteration";
    OVERRAN = "overran", None, Counter, "Iterations that ran longer than max_duration";
    CHECKS = "checks", None, Counter, "Checks by name and result";
    STEP = "step", Seconds, Histogram, "Duration of a step by name and by what came of its iteration";
    COUNT = "count", None, Sum, "The test's own counts by name; they fall where it counts negative numbers";
    METRIC = "metric", None, Gauge, "Mean, least, greatest and quantiles of the test's own metrics, over the whole run, in their own unit";
    METRIC_VALUES = "metric_values", None, Counter, "Values of the test's own metrics";
    METRIC_SUM = "metric_sum", None, Sum, "Sums of the test's own metrics; they fall where values are negative";
    REFUSED = "values_refused", None, Counter, "Metrics, checks, steps and counts of too many names, or that are no number";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn read(path: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        fs::read_to_string(root.join(path)).unwrap()
    }

    #[test]
    fn every_name_is_in_the_reference_with_its_kind() {
        let reference = read("docs/reference/metrics.md");
        for spec in ALL {
            let kind = match spec.kind {
                Kind::Info => "info",
                Kind::Counter => "counter",
                Kind::Sum | Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let ending = match spec.kind {
                Kind::Info => "_info",
                Kind::Counter => "_total",
                _ => "",
            };
            let row = format!("| `{}{ending}` | {kind} |", spec.family());
            assert!(reference.contains(&row), "{row}");
        }
    }

    #[test]
    fn the_dashboard_asks_for_names_that_exist() {
        let dashboard = read("examples/grafana/pysurge.json");
        let families: BTreeSet<String> = ALL.iter().map(|spec| spec.family()).collect();
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut asked = 0;
        for word in dashboard
            .split(|c| !is_of_name(c))
            .filter(|word| word.starts_with("pysurge_"))
        {
            let endings = ["", "_total", "_info", "_bucket", "_count", "_sum"];
            let known = |ending: &&str| {
                word.strip_suffix(*ending)
                    .is_some_and(|family| families.contains(family))
            };
            assert!(endings.iter().any(known), "{word}");
            asked += 1;
        }
        assert!(asked > 20, "{asked}");
    }
}
