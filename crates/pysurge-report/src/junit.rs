//! The result of a run as `JUnit` XML, for CI systems: one suite; a test case for the verdict, for each test and for each threshold.
//! Only elements and attributes that every reader of the format knows are used. Specified in `docs/reference/cli.md`.

use crate::folder::ReportError;
use crate::outfile::OutFile;
use crate::report::title;
use crate::text::{count, lines, one_line, rate};
use pysurge_core::harmless::{Colours, harmless_lines};
use pysurge_core::span::format_span_f64;
use pysurge_core::summary::{Status, Summary, TestSummary, ThresholdResult, ThresholdState};
use pysurge_core::verdict::Validity;
use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::writer::Writer;
use std::io::{self, Write as _};
use std::path::Path;

/// Kinds of failure that are told of a test in which nothing passed.
const MAX_KINDS: usize = 5;

/// The file of `--junit`.
#[derive(Debug)]
pub struct JunitFile(OutFile);

impl JunitFile {
    /// Opens the file; what is in it stays until there is something to write.
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        let opened = OutFile::open(path).map_err(|source| failed(path, source))?;
        Ok(Self(opened))
    }

    /// Writes it, in the place of what was there.
    pub fn write(mut self, xml: &str) -> Result<(), ReportError> {
        let written = self.0.begin().and_then(|file| match file {
            Some(mut file) => file.write_all(xml.as_bytes()),
            None => Ok(()),
        });
        written.map_err(|source| failed(self.0.path(), source))
    }
}

fn failed(path: &Path, source: io::Error) -> ReportError {
    ReportError::File {
        path: path.to_path_buf(),
        source,
    }
}

/// How a test case ended, otherwise than well.
#[derive(Debug)]
struct Bad {
    /// `failure`, `error` or `skipped`.
    element: &'static str,
    kind: &'static str,
    message: String,
    body: String,
}

#[derive(Debug)]
struct Case {
    class: String,
    name: String,
    seconds: f64,
    bad: Option<Bad>,
    output: String,
}

/// A run that was fired. An invalid verdict is a failure only where a valid one is required.
pub fn junit(summary: &Summary, require_valid: bool) -> String {
    let run = one_line(&summary.name);
    let mut cases = vec![of_verdict(summary, &run, require_valid)];
    cases.extend(summary.tests.iter().map(|test| of_test(test, summary, &run)));
    cases.extend(
        summary
            .thresholds
            .iter()
            .map(|result| of_threshold(result, summary, &run)),
    );
    let exit_code = summary
        .exit_code
        .map_or_else(String::new, |code| code.to_string());
    let properties = [
        ("pysurge_version", summary.pysurge_version.as_str()),
        ("validity", word(summary.verdict.validity)),
        ("exit_code", &exit_code),
    ];
    suite(
        &run,
        Some(&summary.started_at),
        summary.elapsed_s,
        &properties,
        &cases,
    )
}

/// A run in which nothing was fired: one test case, with an error that says why.
pub fn junit_not_fired(name: &str, why: &str) -> String {
    let run = one_line(name);
    let message = lines(why).into_iter().find(|line| !line.trim().is_empty());
    let case = Case {
        class: run.clone(),
        name: "run".to_owned(),
        seconds: 0.0,
        bad: Some(Bad {
            element: "error",
            kind: "not_fired",
            message: format!("nothing was fired: {}", message.unwrap_or_default()),
            body: why.to_owned(),
        }),
        output: String::new(),
    };
    suite(&run, None, 0.0, &[], &[case])
}

fn of_verdict(summary: &Summary, run: &str, require_valid: bool) -> Case {
    let causes = summary.verdict.causes.iter().flat_map(|cause| {
        let test = cause
            .test
            .as_ref()
            .map_or_else(String::new, |test| format!("{test}: "));
        let advice = cause.advice.as_ref().map(|advice| format!("  {advice}"));
        std::iter::once(format!("{test}{}", cause.text)).chain(advice)
    });
    let causes: Vec<String> = causes.map(|line| one_line_indented(&line)).collect();
    let causes = causes.join("\n");
    let was_killed = summary.status == Status::Killed;
    let is_failure = was_killed || (require_valid && summary.verdict.validity == Validity::Invalid);
    let first = summary.verdict.causes.first();
    let first = first.map_or_else(String::new, |cause| format!(": {}", one_line(&cause.text)));
    let word = word(summary.verdict.validity);
    Case {
        class: run.to_owned(),
        name: "verdict".to_owned(),
        seconds: summary.elapsed_s,
        output: if is_failure {
            String::new()
        } else {
            format!("{word}\n{causes}").trim_end().to_owned()
        },
        bad: is_failure.then(|| Bad {
            element: if was_killed { "error" } else { "failure" },
            kind: if was_killed { "killed" } else { "verdict" },
            message: format!("{word}{first}"),
            body: causes,
        }),
    }
}

fn word(validity: Validity) -> &'static str {
    match validity {
        Validity::Valid => "valid",
        Validity::Degraded => "degraded",
        Validity::Invalid => "invalid",
    }
}

fn of_test(test: &TestSummary, summary: &Summary, run: &str) -> Case {
    let account = test.account;
    let bad = |kind, message, body| {
        Some(Bad {
            element: "failure",
            kind,
            message,
            body,
        })
    };
    let bad = match &test.not_run {
        Some(why) => bad("not_run", format!("not run: {}", one_line(why)), why.clone()),
        None if account.planned > 0 && account.passed == 0 => {
            let failures = test.failures.iter().take(MAX_KINDS).map(|failure| {
                let (exception, message) = (&failure.exception, &failure.message);
                format!(
                    "{} x {exception}: {message}\n{}",
                    failure.count, failure.traceback
                )
            });
            let failures: Vec<String> = failures.collect();
            let message = format!("none of {} planned iterations passed", count(account.planned));
            bad("nothing_passed", message, failures.join("\n\n"))
        }
        None => None,
    };
    let span = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |s| format_span_f64(s * 1e9));
    let response = &test.response_time;
    let asked = test
        .asked_rate_per_s
        .map_or_else(String::new, |asked| format!("asked {}/s, ", rate(asked)));
    let output = format!(
        "{}\n{} planned, {} passed, {} failed, {} dropped, {} interrupted, {} lost\n{asked}achieved {}/s\nresponse \
         time: mean {}, p50 {}, p95 {}, p99 {}, max {}",
        one_line(&test.load),
        account.planned,
        account.passed,
        account.failed,
        account.dropped,
        account.interrupted,
        account.lost,
        rate(test.achieved_rate_per_s),
        span(response.mean_s),
        span(response.p50_s),
        span(response.p95_s),
        span(response.p99_s),
        span(response.max_s),
    );
    Case {
        class: format!("{run}.{}", title(test)),
        name: "iterations".to_owned(),
        seconds: summary.elapsed_s,
        bad,
        output,
    }
}

fn of_threshold(result: &ThresholdResult, summary: &Summary, run: &str) -> Case {
    let expression = one_line(&result.expression);
    let actual = one_line(&result.actual_text);
    let aborted = if result.aborted {
        "\nit stopped the run"
    } else {
        ""
    };
    Case {
        class: match &result.test {
            Some(test) => format!("{run}.{}", one_line(test)),
            None => run.to_owned(),
        },
        name: format!("threshold: {expression}"),
        seconds: summary.elapsed_s,
        output: match result.state {
            ThresholdState::Passed => format!("actual: {actual}"),
            ThresholdState::Failed | ThresholdState::NoData | ThresholdState::Pending => String::new(),
        },
        bad: match result.state {
            ThresholdState::Passed => None,
            ThresholdState::Failed | ThresholdState::NoData => Some(Bad {
                element: "failure",
                kind: "threshold",
                message: format!("wanted {expression}, was {actual}"),
                body: format!("wanted: {expression}\nactual: {actual}{aborted}"),
            }),
            // Nothing of its test was planned before the run was stopped.
            ThresholdState::Pending => Some(Bad {
                element: "skipped",
                kind: "threshold",
                message: actual,
                body: String::new(),
            }),
        },
    }
}

fn suite(
    name: &str,
    started_at: Option<&str>,
    seconds: f64,
    properties: &[(&str, &str)],
    cases: &[Case],
) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let written = write_suite(&mut writer, name, started_at, seconds, properties, cases);
    written.expect("a vector takes what is written");
    let mut text = String::from_utf8(writer.into_inner()).expect("what is written is text");
    text.push('\n');
    text
}

fn write_suite(
    writer: &mut Writer<Vec<u8>>,
    name: &str,
    started_at: Option<&str>,
    seconds: f64,
    properties: &[(&str, &str)],
    cases: &[Case],
) -> io::Result<()> {
    let of = |element: &str| {
        let bad = cases.iter().filter_map(|case| case.bad.as_ref());
        bad.filter(|bad| bad.element == element).count().to_string()
    };
    let name = printable(name);
    let (tests, failures, errors) = (cases.len().to_string(), of("failure"), of("error"));
    let skipped = of("skipped");
    let time = time(seconds);
    let counts = [
        ("name", name.as_str()),
        ("tests", &tests),
        ("failures", &failures),
        ("errors", &errors),
        ("time", &time),
    ];
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element("testsuites")
        .with_attributes(counts)
        .write_inner_content(|writer| {
            writer
                .create_element("testsuite")
                .with_attributes(counts)
                .with_attribute(("skipped", skipped.as_str()))
                .with_attributes(started_at.map(|at| ("timestamp", at)))
                .write_inner_content(|writer| {
                    write_properties(writer, properties)?;
                    cases.iter().try_for_each(|case| write_case(writer, case))
                })?;
            Ok(())
        })?;
    Ok(())
}

fn write_properties(writer: &mut Writer<Vec<u8>>, properties: &[(&str, &str)]) -> io::Result<()> {
    if properties.is_empty() {
        return Ok(());
    }
    writer
        .create_element("properties")
        .write_inner_content(|writer| {
            for (name, value) in properties {
                writer
                    .create_element("property")
                    .with_attributes([("name", *name), ("value", *value)])
                    .write_empty()?;
            }
            Ok(())
        })?;
    Ok(())
}

fn write_case(writer: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let (class, name, time) = (printable(&case.class), printable(&case.name), time(case.seconds));
    writer
        .create_element("testcase")
        .with_attributes([("classname", class.as_str()), ("name", &name), ("time", &time)])
        .write_inner_content(|writer| {
            if let Some(bad) = &case.bad {
                let message = printable(&bad.message);
                writer
                    .create_element(bad.element)
                    .with_attributes([("type", bad.kind), ("message", &message)])
                    .write_text_content(BytesText::new(&printable(&bad.body)))?;
            }
            if !case.output.is_empty() {
                let text = printable(&case.output);
                writer
                    .create_element("system-out")
                    .write_text_content(BytesText::new(&text))?;
            }
            Ok(())
        })?;
    Ok(())
}

/// Seconds with three places, which is all that some readers take.
fn time(seconds: f64) -> String {
    let seconds = if seconds.is_finite() {
        seconds.max(0.0)
    } else {
        0.0
    };
    format!("{seconds:.3}")
}

/// Without the characters that no XML may hold, and those that whoever shows it should not.
fn printable(text: &str) -> String {
    harmless_lines(text, Colours::Drop).into_owned()
}

/// In one line, with the spaces in front.
fn one_line_indented(text: &str) -> String {
    let indent = text.len() - text.trim_start().len();
    format!("{:indent$}{}", "", one_line(text))
}
