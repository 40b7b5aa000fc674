//! Thresholds: an error points into the text, and a threshold reads back as it is printed.

use crate::expect_harmless;
use pysurge_core::account::Account;
use pysurge_core::measure::Measures;
use pysurge_core::threshold::{Judge, Threshold, View};

/// Reads an expression, prints it, and judges figures of nothing and of absurd size by it.
pub fn threshold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let threshold = match Threshold::parse(text) {
        Ok(threshold) => threshold,
        Err(error) => {
            let chars = text.chars().count();
            assert!(
                error.at <= chars && error.at + error.length <= chars + 1,
                "{error:?}"
            );
            expect_harmless(&error.message);
            error.hint.as_deref().inspect(|hint| expect_harmless(hint));
            error.point(text);
            return;
        }
    };
    let printed = Threshold::parse(&threshold.to_string()).expect("what was printed is read");
    let once_more = Threshold::parse(&printed.to_string());
    assert_eq!(once_more.as_ref(), Ok(&printed));
    assert_eq!(printed.text, threshold.text);
    for (measures, account) in [(Measures::default(), Account::default()), absurd()] {
        let mut judge = Judge::new(threshold.clone());
        let view = View {
            measures: &measures,
            account: &account,
            started: account.planned,
            span_ns: account.planned,
        };
        judge_some_seconds(&mut judge, &view);
    }
}

fn absurd() -> (Measures, Account) {
    let mut measures = Measures {
        passed: u64::MAX,
        failed: u64::MAX,
        ..Measures::default()
    };
    measures.response_time.record_n(u64::MAX, u64::MAX);
    measures.metrics.record("x", f64::MAX);
    measures.checks.record("x", true);
    let account = Account {
        planned: u64::MAX,
        passed: u64::MAX,
        failed: u64::MAX,
        dropped: u64::MAX,
        interrupted: u64::MAX,
        lost: u64::MAX,
    };
    (measures, account)
}

fn judge_some_seconds(judge: &mut Judge, view: &View<'_>) {
    const SECONDS: u64 = 3;
    for second in 1..=SECONDS {
        judge.second(view);
        let result = judge.result(view, second, second == SECONDS);
        expect_harmless(&result.actual_text);
        judge.aborts(view, second);
    }
}
