//! `JUnit` XML: what stands in it, and that it is the XML that readers of the format know.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod sample;

use pysurge_core::summary::Summary;
use pysurge_core::verdict::Validity;
use pysurge_report::{JunitFile, junit, junit_not_fired};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeMap;
use std::fs;

fn attributes(tag: &BytesStart<'_>) -> BTreeMap<String, String> {
    let read = tag.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        (
            attribute.key.into_inner().to_owned(),
            attribute.value.clone().into_owned(),
        )
    });
    read.collect()
}

/// Elements in order as `parent>name`, each with its attributes.
fn elements(xml: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<String> = Vec::new();
    let mut found = Vec::new();
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Event::Start(tag) | Event::Empty(tag) => {
                let name = tag.name().into_inner().to_owned();
                found.push((format!("{}>{name}", open.join(">")), attributes(tag)));
                if matches!(event, Event::Start(_)) {
                    open.push(name);
                }
            }
            Event::End(_) => {
                open.pop();
            }
            Event::Eof => {
                assert!(open.is_empty());
                return found;
            }
            _ => {}
        }
    }
}

/// The attributes that the schema of Jenkins' xUnit plugin knows of each element.
const KNOWN: [(&str, &[&str]); 9] = [
    ("testsuites", &["name", "tests", "failures", "errors", "time"]),
    (
        "testsuites>testsuite",
        &[
            "name",
            "tests",
            "failures",
            "errors",
            "skipped",
            "time",
            "timestamp",
        ],
    ),
    ("testsuites>testsuite>properties", &[]),
    ("testsuites>testsuite>properties>property", &["name", "value"]),
    ("testsuites>testsuite>testcase", &["classname", "name", "time"]),
    ("testsuites>testsuite>testcase>failure", &["type", "message"]),
    ("testsuites>testsuite>testcase>error", &["type", "message"]),
    ("testsuites>testsuite>testcase>skipped", &["type", "message"]),
    ("testsuites>testsuite>testcase>system-out", &[]),
];

fn check(name: &str, xml: &str) {
    let elements = elements(xml);
    let known: BTreeMap<&str, &[&str]> = KNOWN.into_iter().collect();
    for (path, attributes) in &elements {
        let allowed = known
            .get(path.trim_start_matches('>'))
            .unwrap_or_else(|| panic!("{name}: {path}"));
        for key in attributes.keys() {
            assert!(allowed.contains(&key.as_str()), "{name}: {path} {key}");
        }
        if let Some(time) = attributes.get("time") {
            assert!(time.parse::<f64>().unwrap() >= 0.0 && time.split_once('.').unwrap().1.len() == 3);
        }
    }
    let count = |end: &str| elements.iter().filter(|(path, _)| path.ends_with(end)).count();
    let suite = &elements
        .iter()
        .find(|(path, _)| path.ends_with(">testsuite"))
        .unwrap()
        .1;
    for (attribute, element) in [
        ("tests", ">testcase"),
        ("failures", ">failure"),
        ("errors", ">error"),
        ("skipped", ">skipped"),
    ] {
        assert_eq!(
            suite[attribute],
            count(element).to_string(),
            "{name}: {attribute}"
        );
    }
}

fn invalid() -> Summary {
    let mut summary = sample::degraded();
    summary.verdict.validity = Validity::Invalid;
    summary
}

#[test]
fn every_run_gives_xml_that_readers_know() {
    for (name, summary) in sample::all() {
        for require_valid in [false, true] {
            check(name, &junit(&summary, require_valid));
        }
    }
    let why = "\u{1b}[31merror\u{0}: <no> & \"such\" ]]> module\nhint: none";
    check("not fired", &junit_not_fired("a <b> & \u{7}", why));
}

#[test]
fn failures_say_what_was_wanted_and_what_was() {
    insta::assert_snapshot!("judged", junit(&sample::judged(), false));
    insta::assert_snapshot!("not_run", junit(&sample::not_run(), false));
    let mut nothing_passed = sample::failing();
    let account = &mut nothing_passed.tests[0].account;
    (account.failed, account.passed) = (account.planned, 0);
    insta::assert_snapshot!("nothing_passed", junit(&nothing_passed, false));
    insta::assert_snapshot!(
        "not_fired",
        junit_not_fired("demo", "error: no module named `cases`\nhint: look\n")
    );
}

#[test]
fn an_invalid_verdict_is_a_failure_only_where_a_valid_one_is_required() {
    for (summary, require_valid, failures) in [
        (invalid(), true, 1),
        (invalid(), false, 0),
        (sample::degraded(), true, 0),
        (sample::valid(), true, 0),
    ] {
        let xml = junit(&summary, require_valid);
        assert_eq!(xml.matches("<failure").count(), failures, "{xml}");
    }
    insta::assert_snapshot!("invalid", junit(&invalid(), true));
}

#[test]
fn the_file_is_opened_first_and_written_last() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.xml"), folder.path().join("new.xml"));
    fs::write(&old, "something much longer than what comes").unwrap();
    let files = [&old, &new].map(|path| JunitFile::create(path).unwrap());
    assert!(fs::read_to_string(&old).unwrap().starts_with("something"));
    for file in files {
        file.write("<a/>").unwrap();
    }
    for path in [&old, &new] {
        assert_eq!(fs::read_to_string(path).unwrap(), "<a/>");
    }
    assert!(JunitFile::create(&folder.path().join("none/a.xml")).is_err());
}
