//! What the system refused, as the exceptions of user code say it: descriptors, local ports, threads, memory.

use super::symptom::grade;
use super::words::{count, number_of};
use super::{Cause, CauseKind, Evidence, Validity};
use crate::failure::{FailureGroup, FailureKey, Phase};

/// What to try where threads are refused.
pub(super) const THREADS_ADVICE: &str = "raise `ulimit -u`, or `pids.max` in a container, or let tests have fewer threads (`max_duration`, `max_threads`)";

/// What there was too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shortage {
    Descriptors,
    Ports,
    Threads,
    Memory,
}

const SHORTAGES: [Shortage; 4] = [
    Shortage::Descriptors,
    Shortage::Ports,
    Shortage::Threads,
    Shortage::Memory,
];

impl Shortage {
    /// What messages say, in lower case: the C library's words, which most languages pass on, and error numbers as Python and Rust write
    /// them.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Descriptors => &[
                "too many open files",
                "[errno 24]",
                "[errno 23]",
                "(os error 24)",
                "emfile",
            ],
            // macOS has another number, and its own words.
            Self::Ports => &[
                "cannot assign requested address",
                "can't assign requested address",
                "[errno 99]",
                "(os error 99)",
                "eaddrnotavail",
            ],
            Self::Threads => &["can't start new thread"],
            Self::Memory => &["cannot allocate memory", "[errno 12]", "(os error 12)", "enomem"],
        }
    }

    fn of(key: &FailureKey, group: &FailureGroup) -> Option<Self> {
        if key.exception.rsplit('.').next() == Some("MemoryError") {
            return Some(Self::Memory);
        }
        let said = group.example.to_lowercase();
        let says = |shortage: &Self| shortage.words().iter().any(|words| said.contains(words));
        SHORTAGES.into_iter().find(says)
    }
}

/// One cause for each thing that was short.
pub(super) fn causes(evidence: &Evidence<'_>, open_files: Option<u64>) -> Vec<Cause> {
    let groups = evidence.measures.failures.by_count();
    let of_shortage = |shortage: Shortage| {
        let failed = groups
            .iter()
            .filter(|(key, group)| key.phase != Phase::Teardown && Shortage::of(key, group) == Some(shortage))
            .fold(0, |sum: u64, (_, group)| sum.saturating_add(group.count));
        let validity = grade(failed, failed, evidence.measures.ended());
        (validity > Validity::Valid)
            .then(|| cause(evidence, validity, &failures(shortage, failed, open_files)))
    };
    SHORTAGES.into_iter().filter_map(of_shortage).collect()
}

/// The pool was refused a thread, and nothing came of it.
pub(super) fn refused_in_vain(evidence: &Evidence<'_>) -> Option<Cause> {
    let threads = number_of(evidence.threads, "thread");
    let text = format!("the system refused to make more than {threads}");
    evidence
        .threads_refused
        .then(|| cause(evidence, Validity::Degraded, &(text, THREADS_ADVICE.to_owned())))
}

/// What was seen, and what to try.
fn failures(shortage: Shortage, failed: u64, open_files: Option<u64>) -> (String, String) {
    let failed = number_of(failed, "iteration") + " failed";
    match shortage {
        Shortage::Descriptors => {
            let may = open_files.map_or_else(String::new, |files| {
                format!("a worker may have {} open (`ulimit -n`): ", count(files))
            });
            (
                format!("{failed} with too many open files"),
                format!("{may}raise the limit with `ulimit -n`, close what an iteration opens, or keep connections for the next one"),
            )
        }
        Shortage::Ports => (
            format!("{failed} because no local port or address was free for a connection"),
            "keep connections for the next iteration, or widen net.ipv4.ip_local_port_range; where all iterations fail so, the address is wrong"
                .to_owned(),
        ),
        Shortage::Threads => (
            format!("{failed} because no thread could be started"),
            THREADS_ADVICE.to_owned(),
        ),
        Shortage::Memory => (
            format!("{failed} for want of memory"),
            "use fewer workers or threads, keep less in an iteration, or take a machine with more memory".to_owned(),
        ),
    }
}

fn cause(evidence: &Evidence<'_>, validity: Validity, (text, advice): &(String, String)) -> Cause {
    Cause {
        validity,
        kind: CauseKind::Limits,
        test: Some(evidence.label.to_owned()),
        text: text.clone(),
        advice: Some(advice.clone()),
    }
}
