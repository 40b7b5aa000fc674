//! Second by second: stretches, shares of the seconds, what is left out, and when a run is stopped.

use super::{Figures, parsed};
use crate::NANOS_PER_SEC;
use crate::summary::ThresholdState::{self, Failed, NoData, Passed, Pending};
use crate::threshold::{Judge, View};
use proptest::prelude::*;

/// A second with one response time, in milliseconds, or with none.
fn second(response_ms: Option<u64>) -> Figures {
    let mut figures = Figures {
        span_ns: NANOS_PER_SEC,
        ..Figures::default()
    };
    if let Some(ms) = response_ms {
        figures.measures.response_time.record(ms * 1_000_000);
        figures.measures.passed = 1;
        figures.account.passed = 1;
    }
    figures
}

/// `#` is a second in which it was broken, `.` one in which it held, a space one without data.
fn judged(text: &str, seconds: &str) -> Judge {
    let mut judge = Judge::new(parsed(text));
    for c in seconds.chars() {
        let figures = second(match c {
            '#' => Some(900),
            '.' => Some(100),
            _ => None,
        });
        judge.second(&figures.view());
    }
    judge
}

fn ended(judge: &Judge) -> (ThresholdState, String) {
    let total = Figures::default();
    let result = judge.result(&total.view(), 0, true);
    (result.state, result.actual_text)
}

#[test]
fn for_so_long_on_end() {
    const TEXT: &str = "response_time.max < 500ms for 3s";
    for (seconds, state, actual) in [
        ("", NoData, "no data"),
        ("   ", NoData, "no data"),
        ("...", Passed, "100 ms"),
        ("##.##.##", Passed, "900 ms, broken for 2s"),
        ("..###..", Failed, "900 ms, broken for 3s"),
        ("###", Failed, "900 ms, broken for 3s"),
        (".#####.......", Failed, "900 ms, broken for 5s"),
        // Seconds without data are left out: they neither end a stretch nor make it longer.
        ("#  #   #", Failed, "900 ms, broken for 3s"),
        ("#       #", Passed, "900 ms, broken for 2s"),
        ("## .##", Passed, "900 ms, broken for 2s"),
    ] {
        let (found, text) = ended(&judged(TEXT, seconds));
        assert_eq!((found, text.as_str()), (state, actual), "{seconds:?}");
    }
}

#[test]
fn in_a_share_of_the_seconds() {
    const TEXT: &str = "response_time.max < 500ms in 75% of seconds";
    for (seconds, state, actual) in [
        ("", NoData, "no data"),
        ("  ", NoData, "no data"),
        ("....", Passed, "100 % of seconds"),
        ("...#", Passed, "75 % of seconds"),
        ("..#", Failed, "66.7 % of seconds"),
        ("#  ...  ", Passed, "75 % of seconds"),
        ("####", Failed, "0 % of seconds"),
    ] {
        let (found, text) = ended(&judged(TEXT, seconds));
        assert_eq!((found, text.as_str()), (state, actual), "{seconds:?}");
    }
    let judge = judged("response_time.max < 500ms in 99.9% of seconds", &".".repeat(999));
    assert_eq!(ended(&judge), (Passed, "100 % of seconds".to_owned()));
    let mut judge = judge;
    judge.second(&second(Some(900)).view());
    assert_eq!(ended(&judge), (Passed, "99.9 % of seconds".to_owned()));
    judge.second(&second(Some(900)).view());
    assert_eq!(ended(&judge).0, Failed);
}

#[test]
fn the_worst_value_is_the_one_that_counts_against_it() {
    for (op, worst) in [("<", 900.0), ("<=", 900.0), (">", 100.0), (">=", 100.0)] {
        let text = format!("response_time.max {op} 500ms for 10s");
        let total = Figures::default();
        let result = judged(&text, ".#.#.").result(&total.view(), 0, true);
        assert_eq!(result.actual, Some(worst / 1e3), "{text}");
    }
    for (text, worst) in [
        ("response_time.max == 100ms for 10s", 0.9),
        ("response_time.max != 100ms for 10s", 0.1),
    ] {
        let total = Figures::default();
        let result = judged(text, "#.#").result(&total.view(), 0, true);
        assert_eq!(result.actual, Some(worst), "{text}");
    }
}

/// A hanging service: nothing ends, so nothing has a response time; a rate says so.
#[test]
fn nothing_is_a_rate_of_zero() {
    let mut slow = second(Some(100));
    slow.started = 1;
    slow.measures.counts.record("bytes", 5.0);
    let none = second(None);
    for (text, state) in [
        ("response_time.max < 500ms for 3s", Passed),
        ("passed > 0/s for 3s", Failed),
        ("rate > 0/s for 3s", Failed),
        ("counts.bytes > 0/s for 3s", Failed),
        ("counts.bytes > 0 for 3s", Passed),
    ] {
        let mut judge = Judge::new(parsed(text));
        for figures in [&slow, &none, &none, &none] {
            judge.second(&figures.view());
        }
        assert_eq!(ended(&judge).0, state, "{text}");
    }
    // A count that was never told may be misspelt: that is no 0.
    let mut judge = Judge::new(parsed("counts.byte > 0/s for 3s"));
    for figures in [&slow, &none, &none, &none] {
        judge.second(&figures.view());
    }
    assert_eq!(ended(&judge).0, NoData);
}

/// After the plan's end, in a pause, and in the stump of a second no rate is judged; what ended then still counts otherwise.
#[test]
fn a_rate_needs_a_second_in_which_iterations_were_planned() {
    for (span_ns, rate_judged) in [
        (0, false),
        (NANOS_PER_SEC / 10, false),
        (NANOS_PER_SEC / 2, true),
        (NANOS_PER_SEC, true),
    ] {
        let mut figures = Figures {
            span_ns,
            ..second(Some(900))
        };
        figures.account.planned = 10;
        for text in [
            "rate > 5/s for 1s",
            "rate > 95% for 1s",
            "passed > 5/s for 1s",
            "failures <= 0/s in 1% of seconds",
        ] {
            let mut judge = Judge::new(parsed(text));
            judge.second(&figures.view());
            assert_eq!(ended(&judge).0 != NoData, rate_judged, "{text} {span_ns}");
        }
        let mut judge = Judge::new(parsed("response_time.max < 500ms for 1s"));
        judge.second(&figures.view());
        assert_eq!(ended(&judge).0, Failed);
    }
}

/// More may be dropped in a second than were planned in it.
#[test]
fn a_share_is_at_most_all() {
    let mut figures = second(None);
    figures.account.dropped = 7;
    for planned in [0, 3] {
        figures.account.planned = planned;
        let mut judge = Judge::new(parsed("dropped < 50% for 1s"));
        judge.second(&figures.view());
        let result = judge.result(&figures.view(), 0, true);
        assert_eq!((result.state, result.actual), (Failed, Some(1.0)));
    }
}

#[test]
fn a_run_is_stopped_by_what_fails_now() {
    let aborts = |text: &str, after_ns: u64, total: &View<'_>, measured_ns: u64| {
        let mut threshold = parsed(text);
        threshold.abort_on_fail = true;
        threshold.after_ns = after_ns;
        Judge::new(threshold).aborts(total, measured_ns)
    };
    let (slow, fast, none) = (second(Some(900)), second(Some(100)), second(None));
    let text = "response_time.max < 500ms";
    assert!(aborts(text, 0, &slow.view(), 0));
    assert!(aborts(text, 5, &slow.view(), 5));
    assert!(!aborts(text, 5, &slow.view(), 4));
    assert!(!aborts(text, 0, &fast.view(), 5));
    assert!(!aborts(text, 0, &none.view(), 5));
    assert!(!Judge::new(parsed(text)).aborts(&slow.view(), 5));

    let mut threshold = parsed("response_time.max < 500ms for 2s");
    threshold.abort_on_fail = true;
    let mut judge = Judge::new(threshold);
    let mut stopped = Vec::new();
    for figures in [&slow, &none, &fast, &slow, &slow, &fast] {
        judge.second(&figures.view());
        stopped.push(judge.aborts(&slow.view(), 1));
    }
    assert_eq!(stopped, [false, false, false, false, true, true]);
}

#[test]
fn it_is_open_until_it_is_to_be_judged() {
    let mut threshold = parsed("response_time.max < 500ms");
    threshold.after_ns = 30;
    threshold.abort_on_fail = true;
    let judge = Judge::new(threshold);
    let slow = second(Some(900));
    for (measured_ns, ended, state) in [(29, false, Pending), (30, false, Failed), (29, true, Failed)] {
        let result = judge.result(&slow.view(), measured_ns, ended);
        assert_eq!(result.state, state, "{measured_ns} {ended}");
        assert_eq!(result.actual_text, "900 ms");
        assert!(result.abort_on_fail && !result.aborted);
    }
}

proptest! {
    /// As the words say it, over all seconds at once.
    #[test]
    fn stretches_and_shares_are_what_they_are_called(seconds in "[#. ]{0,40}", most in 1usize..6, percent in 1u32..=100) {
        let data: String = seconds.chars().filter(|c| *c != ' ').collect();
        let text = format!("response_time.max < 500ms for {most}s");
        let expected = match data.as_str() {
            "" => NoData,
            data if data.contains(&"#".repeat(most)) => Failed,
            _ => Passed,
        };
        prop_assert_eq!(ended(&judged(&text, &seconds)).0, expected);

        let text = format!("response_time.max < 500ms in {percent}% of seconds");
        let held = data.chars().filter(|c| *c == '.').count();
        let expected = match data.len() {
            0 => NoData,
            all if held * 100 >= all * percent as usize => Passed,
            _ => Failed,
        };
        prop_assert_eq!(ended(&judged(&text, &seconds)).0, expected);
    }
}
