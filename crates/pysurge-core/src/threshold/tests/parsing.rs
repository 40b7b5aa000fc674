//! What is an expression, and what is said of a text that is none.

use super::parsed;
use crate::plan::{ClosedModel, Model, Wait};
use crate::rate::Rate;
use crate::threshold::Threshold;
use proptest::prelude::*;

#[test]
fn what_is_right_is_read() {
    for text in [
        "response_time.p95 < 250ms",
        "  response_time.p95<250ms  ",
        "service_time.p99.9 <= 1s",
        "response_time.p100 < 1m30s",
        "response_time.p0.1 >= 1ns",
        "setup.mean < 1.5e3 us",
        "teardown.max != 3µs",
        "teardown.max != 3μs",
        "response_time.count >= 1000",
        "lateness.p99 < 5 ms",
        "lateness.woke_late.p99 < 5ms",
        "lateness.no_free_thread.max == 0ms",
        "lateness.waited_for_gil.count > 5",
        "timers.upload.p95 < 2h",
        "timers.\"upload.big\".p99.9 < 1d",
        "metrics.upload_s.mean < 2.5",
        "metrics.temperature.min > -40",
        "metrics.größe.p50 < +.5e-3",
        "metrics.'a \"b\"'.max < 1",
        "metrics.1-x.count > 0",
        "checks > 99%",
        "checks.status_is_200 >= 99.9 %",
        "checks.\"status is 200\" == 100%",
        "counts.bytes > 1e6",
        "counts.bytes > 1e6/s",
        "counts.bytes.rate > 100 / m",
        "counts.rate > 1",
        "failures < 1%",
        "failures == 0",
        "failures < 0.1/s",
        "passed > 1000",
        "passed > 10/min",
        "dropped <= 0",
        "interrupted < 5%",
        "lost == 0%",
        "rate > 95%",
        "rate > 50/s",
        "rate >= 2/h",
        "cpu_share < 80%",
        "response_time.p95 < 250ms for 10s",
        "response_time.p95 < 250ms  for  1m30s",
        "response_time.p95 < 250 ms for 1m",
        "failures < 5 for 10s",
        "failures < 5 in 99% of seconds",
        "rate > 95% in 99.9 % of seconds",
    ] {
        assert_eq!(parsed(text).text, text.trim());
    }
}

/// Each wrong text: the place that is marked, what is wrong, what to do.
#[rustfmt::skip]
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("", "^", "a threshold is missing", "write a measure, an operator and a value, such as `response_time.p95 < 250ms`"),
    ("   ", "^^^", "a threshold is missing", "write a measure, an operator and a value, such as `response_time.p95 < 250ms`"),
    ("< 5", "^", "a threshold starts with a measure", "write a measure, an operator and a value, such as `response_time.p95 < 250ms`"),
    ("\"failures\" < 5", "^^^^^^^^^^", "a threshold starts with a measure", "write a measure, an operator and a value, such as `response_time.p95 < 250ms`"),
    ("responsetime.p95 < 250ms", "^^^^^^^^^^^^", "there is no measure `responsetime`", "did you mean `response_time.p95`?"),
    ("respons_time.p95 < 250ms", "^^^^^^^^^^^^", "there is no measure `respons_time`", "did you mean `response_time`?"),
    ("http_req_duration < 5ms", "^^^^^^^^^^^^^^^^^", "there is no measure `http_req_duration`", "did you mean `response_time.p95`?"),
    ("avg-rt > 1s for 10s", "^^^^^^", "there is no measure `avg-rt`", "did you mean `response_time.mean`?"),
    ("p90 of Label>1s", "^^^", "there is no measure `p90`", "of what? write `response_time.p90`"),
    ("fail>50%", "^^^^", "there is no measure `fail`", "did you mean `failures`?"),
    ("woke_late.p99 < 5ms", "^^^^^^^^^", "there is no measure `woke_late`", "did you mean `lateness.woke_late.p99`?"),
    ("xyzzy < 5", "^^^^^", "there is no measure `xyzzy`", "the measures are `response_time`, `service_time`, `lateness`, `setup`, `teardown`, `timers`, `metrics`, `checks`, `counts`, `failures`, `passed`, `dropped`, `interrupted`, `lost`, `rate`, `cpu_share`"),
    ("p(95)<500", "^^^^^", "there are no functions here", "write `response_time.p95`"),
    ("service_time.p(99.9) < 1s", "             ^^^^^^^", "there are no functions here", "write `service_time.p99.9`"),
    ("response_time.max() < 1s", "              ^^^^^", "there are no functions here", "write a measure, an operator and a value, such as `response_time.p95 < 250ms`"),
    ("response_time{a:b} < 1s", "             ^^^^^", "there is no filter by tags", "a threshold of one test stands below that test in the config"),
    ("response_time.90% < 1s", "              ^^^", "`90%` is no figure", "did you mean `p90`?"),
    ("response_time.95 < 1s", "              ^^", "`95` is no figure", "did you mean `p95`?"),
    ("response_time.P95 < 1s", "              ^^^", "`P95` is no figure", "did you mean `p95`?"),
    ("response_time.95th < 1s", "              ^^^^", "`95th` is no figure", "did you mean `p95`?"),
    ("response_time.avg < 1s", "              ^^^", "`avg` is no figure", "did you mean `mean`?"),
    ("response_time.med < 1s", "              ^^^", "`med` is no figure", "did you mean `p50`?"),
    ("response_time.maen < 1s", "              ^^^^", "`maen` is no figure", "did you mean `mean`?"),
    ("response_time.xyz < 1s", "              ^^^", "`xyz` is no figure", "write mean, min, max, count, or a percentile such as p50, p95 or p99.9"),
    ("response_time.p0 < 1s", "              ^^", "`p0` is no figure", "a percentile is above 0 and at most 100, such as p95"),
    ("response_time.p101 < 1s", "              ^^^^", "`p101` is no figure", "a percentile is above 0 and at most 100, such as p95"),
    ("response_time < 1s", "^^^^^^^^^^^^^", "which figure of `response_time`?", "write `response_time.p95`; there are mean, min, max, count, or a percentile such as p50, p95 or p99.9"),
    ("response_time. < 1s", "              ^", "a name is missing after the dot", ""),
    ("lateness.woke_lat.p99 < 5ms", "         ^^^^^^^^^^^^", "`woke_lat.p99` is no figure", "did you mean `lateness.woke_late.p99`?"),
    ("lateness.woke_late < 5ms", "^^^^^^^^^^^^^^^^^^", "which figure of `lateness.woke_late`?", "write `lateness.woke_late.p95`; there are mean, min, max, count, or a percentile such as p50, p95 or p99.9"),
    ("timers < 1s", "^^^^^^", "`timers` of what name?", "write a name behind it, as in `timers.upload.p95`"),
    ("timers.upload < 1s", "^^^^^^^^^^^^^", "which figure of `timers.upload`?", "write `timers.upload.p95`; there are mean, min, max, count, or a percentile such as p50, p95 or p99.9"),
    ("timers.a.b.p95 < 1s", "         ^^^^^", "`b.p95` is no figure", "a name with a dot stands in quotes: `timers.\"a.b\".p95`"),
    ("metrics.\"\".mean < 1", "        ^^", "this name is empty", ""),
    ("metrics.\"a.mean < 1", "        ^", "this quote is not closed", ""),
    ("checks.ok.p95 > 1%", "          ^^^", "`p95` is not expected here", "a check has no figures: it is the share of times that it held"),
    ("checks.status is 200 > 99%", "              ^^", "a name with a space in it must be in quotes", "write `checks.status_is_200`, or `checks.\"status is 200\"`"),
    ("counts.bytes.mean > 1", "             ^^^^", "`mean` is not expected here", "a count has its sum, or `rate` per time: `counts.bytes.rate`"),
    ("failures.rate < 1%", "         ^^^^", "`rate` is not expected here", "`failures` stands alone, as in `failures < 1%`, `failures < 5` or `failures < 0.1/s`"),
    ("rate.x < 1%", "     ^", "`x` is not expected here", "`rate` stands alone, as in `rate > 95%` or `rate > 50/s`"),
    ("failures", "        ^", "an operator and a value are missing", "compare with <, <=, >, >=, == or !=, as in `response_time.p95 < 250ms`"),
    ("failures 5", "         ^", "`5` is no operator", "compare with <, <=, >, >=, == or !=, as in `response_time.p95 < 250ms`"),
    ("failures = 5", "         ^", "`=` is no operator", "did you mean `==`?"),
    ("failures =< 5", "         ^^", "`=<` is no operator", "did you mean `<=`?"),
    ("failures ≤ 5", "         ^", "`≤` is no operator", "did you mean `<=`?"),
    ("failures <<= 5", "         ^^^", "`<<=` is no operator", "the operators are <, <=, >, >=, == and !="),
    ("failures <", "          ^", "a value is missing", "write a number with its unit, such as 250ms, 1% or 50/s"),
    ("failures < few", "           ^^^", "`few` is no value", "write a number with its unit, such as 250ms, 1% or 50/s"),
    ("failures < -", "           ^", "`-` is no value", "write a number with its unit, such as 250ms, 1% or 50/s"),
    ("response_time.p95 < 250", "                    ^^^", "250 what? it has no unit of time", "write 250ms or 0.25s"),
    ("response_time.p95 < 0.25", "                    ^^^^", "0.25 what? it has no unit of time", "write 0.25s or 250ms"),
    ("response_time.p95 < 5%", "                     ^", "a span of time is wanted here", "write 250ms or 0.25s"),
    ("response_time.p95 < 5sec", "                     ^^^", "`sec` is no unit of time", "did you mean `s`?"),
    ("response_time.p95 < 5 minutes", "                     ^^^^^^^^", "`minutes` is no unit of time", "did you mean `m`?"),
    ("response_time.p95 < 5x", "                     ^", "`x` is no unit of time", "the units are ns, us, ms, s, m, h and d"),
    ("response_time.p95 < 1m30", "                    ^^^^", "30 what? it has no unit of time", "write 30ms or 0.03s"),
    ("response_time.p95 < -1s", "                    ^^^", "this measure is never below 0", ""),
    ("response_time.p95 < 0s", "                    ^^", "this never holds", "this measure is never below 0: write `<= 0` or `== 0`"),
    ("response_time.p95 < 1e999s", "                    ^^^^^^", "this number is too large", ""),
    ("response_time.count > 1.5", "                      ^^^", "a count is a whole number", ""),
    ("response_time.count > 5ms", "                       ^^", "a count has no unit", "write 5"),
    ("metrics.x.mean < 5s", "                  ^", "a metric has no unit", "write 5, in the metric's own unit"),
    ("counts.x < 5s", "            ^", "a sum has no unit", "write 5, or 5/s for a rate"),
    ("counts.x.rate < 5", "                ^", "5 what?", "write 5/s"),
    ("counts.x < 5/x", "            ^^", "this is no rate", "write 5/s, /m or /h"),
    ("checks > 99", "         ^^", "99 what?", "write 99%"),
    ("checks > 0.99", "         ^^^^", "0.99 what?", "write 99%"),
    ("checks > 99ms", "           ^^", "a share is wanted here", "write a percentage, such as 99%"),
    ("checks > 101%", "         ^^^^", "a share is at most 100%", ""),
    ("checks > 100%", "         ^^^^", "this never holds", "a share is at most 100%: write `>= 100%`"),
    ("failures < 0.01", "           ^^^^", "a number of iterations is whole", "for a share write 1%, for a rate 0.01/s"),
    ("failures < 5ms", "            ^^", "this unit does not go with the measure", "write a share (1%), a number (5) or a rate (0.1/s)"),
    ("failures < 1,840", "           ^^^^^", "a number is written without separators", "write 1840, not 1,840"),
    ("rate > 50", "       ^^", "50 what?", "write 50/s, or a share of what was planned, such as 95%"),
    ("rate > 50ms", "         ^^", "a rate is wanted here", "write 50/s, or a share of what was planned, such as 95%"),
    ("failures < 5 over 10s", "             ^^^^", "`over` is not expected here", "did you mean `for`, as in `for 10s`?"),
    ("failures < 5 and dropped < 5", "             ^^^", "`and` is not expected here", "a threshold is one comparison: write a second threshold"),
    ("failures < 5 && dropped < 5", "             ^^", "`&&` is not expected here", "a threshold is one comparison: write a second threshold"),
    ("failures < 5 < 6", "             ^", "`<` is not expected here", "a threshold is one comparison: write a second threshold"),
    ("failures < 5 stop", "             ^^^^", "`stop` is not expected here", "to stop the run, write `abort_on_fail: true` beside the threshold in the config"),
    ("failures < 5%, stop as failed", "             ^", "`,` is not expected here", "only `for 10s` or `in 99% of seconds` may stand behind the value"),
    ("failures < 5 for", "                ^", "a value is missing", "write whole seconds or more, such as `for 10s` or `for 1m`"),
    ("failures < 5 for 10", "                 ^^", "10 what? it has no unit of time", "write whole seconds or more, such as `for 10s` or `for 1m`"),
    ("failures < 5 for 1500ms", "                 ^^^^^^", "`for` is judged second by second", "write whole seconds or more, such as `for 10s` or `for 1m`"),
    ("failures < 5 for 0s", "                 ^^", "`for` is judged second by second", "write whole seconds or more, such as `for 10s` or `for 1m`"),
    ("failures < 5 for 99999999d", "                 ^^^^^^^^^", "this is longer than ten years", ""),
    ("failures < 5 for 10s for 10s", "                     ^^^", "`for` is not expected here", "only `for 10s` or `in 99% of seconds` may stand behind the value"),
    ("failures < 5 in 10s", "                ^^^", "a share of the seconds is wanted here", "write a share of the seconds, such as `in 99% of seconds`"),
    ("failures < 5 in 99%", "                   ^", "`of` is missing here", "write a share of the seconds, such as `in 99% of seconds`"),
    ("failures < 5 in 99% of time", "                       ^^^^", "`seconds` is missing here", "write a share of the seconds, such as `in 99% of seconds`"),
    ("failures < 5 in 0% of seconds", "                ^^", "a share of the seconds is above 0% and at most 100%", ""),
    ("lost == 0 for 10s", "          ^^^^^^^", "this measure is known only at the end of a run", "leave this out: it counts for the whole run"),
    ("größe < 5", "^^^^^", "there is no measure `größe`", "the measures are `response_time`, `service_time`, `lateness`, `setup`, `teardown`, `timers`, `metrics`, `checks`, `counts`, `failures`, `passed`, `dropped`, `interrupted`, `lost`, `rate`, `cpu_share`"),
];

#[test]
fn what_is_wrong_is_pointed_at() {
    for (text, mark, message, hint) in WRONG {
        let error = Threshold::parse(text).expect_err(text);
        let shown = format!("  {text}\n  {mark}");
        assert_eq!(error.mark(text, "  "), shown, "{}", error.point(text));
        assert_eq!(error.message, *message, "{text}");
        assert_eq!(error.hint.as_deref().unwrap_or(""), *hint, "{text}");
    }
}

#[test]
fn the_values_of_a_flag_are_read_together() {
    let texts = ["failures < 1%", "rate > 50", "x"].map(str::to_owned);
    let read = Threshold::parse_all("--slo", &texts[..1]).unwrap();
    assert_eq!(read, [parsed("failures < 1%")]);
    let error = Threshold::parse_all("--slo", &texts[..2]).unwrap_err();
    assert_eq!(
        error,
        "--slo: 50 what?\n  rate > 50\n         ^^\n  write 50/s, or a share of what was planned, such as 95%"
    );
    let error = Threshold::parse_all("--slo", &texts).unwrap_err();
    assert!(
        error.contains("\n\n--slo: there is no measure `x`\n  x\n  ^\n  "),
        "{error}"
    );
}

#[test]
fn escape_sequences_of_a_text_do_not_reach_the_terminal() {
    let text = "fail\u{1b}[31m < \n5";
    let error = Threshold::parse(text).unwrap_err();
    assert!(!error.point(text).contains('\u{1b}'), "{}", error.point(text));
    assert_eq!(error.point(text).lines().count(), 4);
}

#[test]
fn what_needs_a_schedule_does_not_go_with_users_alone() {
    let open = Model::constant(Rate::parse("1").unwrap());
    let closed = Model::Closed(ClosedModel {
        users: 1,
        wait: Wait::None,
        ramp_up_ns: 0,
        seed: 0,
    });
    for (text, fits_closed) in [
        ("rate > 95%", false),
        ("dropped < 1%", false),
        ("dropped < 5", false),
        ("rate > 50/s", true),
        ("failures < 1%", true),
        ("interrupted < 1%", true),
    ] {
        let threshold = parsed(text);
        assert!(threshold.fits([&open]).is_ok(), "{text}");
        assert!(threshold.fits([&closed, &open]).is_ok(), "{text}");
        assert!(threshold.fits([]).is_ok(), "{text}");
        assert_eq!(threshold.fits([&closed, &closed]).is_ok(), fits_closed, "{text}");
    }
    let error = parsed(" rate > 95%").fits([&closed]).unwrap_err();
    assert_eq!((error.at, error.length), (1, 4));
}

proptest! {
    /// Any text is read or is told wrong within itself; what stands around it changes nothing.
    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let read = Threshold::parse(&text);
        if let Err(error) = &read {
            let chars = text.chars().count();
            prop_assert!(error.at <= chars && error.length >= 1);
            prop_assert!(error.at + error.length <= chars.max(error.at + 1), "{error:?}");
            let _ = error.point(&text);
        }
        prop_assert_eq!(Threshold::parse(&format!(" {text} ")).is_ok(), read.is_ok());
    }

    /// The same of texts that are nearly right.
    #[test]
    fn nothing_like_a_threshold_panics(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "response_time", "lateness", "metrics", "checks", "counts", "timers", "rate", "failures", ".", ".p", "p95", "99.9", "mean",
                "\"", "'", "(", ")", "%", "{", " ", "<", "<=", "==", "!=", "-", "+", "1", "e5", "e-", ".5", "1e99999999999", "ms", "s", "/", "/s",
                " for ", " in ", " of ", "seconds", "10s", "ü", "µs", "\t", "\n", "\u{0}", "日本",
            ]),
            0..12,
        ),
    ) {
        let text = pieces.concat();
        if let Err(error) = Threshold::parse(&text) {
            let chars = text.chars().count();
            prop_assert!(error.at <= chars && error.length >= 1, "{error:?}");
            let _ = error.point(&text);
        }
    }

    /// Spaces between the parts do not count.
    #[test]
    fn spaces_do_not_count(gaps in prop::collection::vec(" {0,3}", 3), n in 1u32..1_000) {
        let text = format!("{}response_time.p95{}<{}{n}ms for 10s", gaps[0], gaps[1], gaps[2]);
        let plain = format!("response_time.p95 < {n}ms for 10s");
        prop_assert!(Threshold::parse(&text).is_ok());
        let (spaced, plain) = (parsed(&text), parsed(&plain));
        prop_assert_eq!(spaced.expression.wanted, plain.expression.wanted);
        prop_assert_eq!(spaced.expression.window, plain.expression.window);
    }
}
