//! What the user reads when a config is wrong: every message, as it is shown.

use pysurge_config::{Config, ConfigErrors, Source, from_value, parse};
use pysurge_core::value::Value;
use pysurge_core::wire::{LoadError, LoadFault};

fn read(text: &str) -> Result<Config, ConfigErrors> {
    let source = Source {
        name: "load.yml".to_owned(),
        text: text.to_owned(),
    };
    parse(&source, &|name| (name == "WORD").then(|| "fast".to_owned()))
}

/// The errors of several configs, one after the other, each below its text.
fn errors_of(texts: &[&str]) -> String {
    let mut shown = String::new();
    for text in texts {
        let errors = read(text).map_or_else(|errors| errors.to_string(), |_| "no error".to_owned());
        let text = text.replace('\t', "<tab>");
        shown += &[&text, "\n~~~\n", &errors, "\n==========\n"].concat();
    }
    for line in shown.lines().filter(|line| !line.contains(".VeryLong")) {
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(line, line.trim_end(), "a line ends in spaces");
    }
    shown
}

/// A test's entry, right but for these lines.
fn with(lines: &str) -> String {
    format!("tests:\n- test_class: load.Upload\n  rate: 1\n  {lines}\n")
}

#[test]
fn empty_or_no_mapping() {
    insta::assert_snapshot!(errors_of(&[
        "",
        "# only a comment\n",
        "---\n",
        "- test_class: load.Upload\n  rate: 1\n",
        "just text",
        "tests: []\n---\ntests: []\n",
    ]));
}

#[test]
fn invalid_yaml() {
    insta::assert_snapshot!(errors_of(&[
        "tests:\n- test_class: a.B\n\trate: 1\n",
        "tests:\n\t- test_class: a.B\n",
        "tests:\n- test_class: a.B\n  kwargs:\n  \tx: 1\n",
        "tests:\n- test_class: a.B\n  kwargs: {x: 1\n  rate: 1\n",
        "tests:\n- test_class: a.B\n  kwargs: {x: [1, 2}\n  rate: 1\n",
        "tests:\n- test_class: \"a.B\n  rate: 1\n",
        "tests:\n- test_class: a.B\n  kwargs:\n    text: one: two\n  rate: 1\n",
        "tests:\n- test_class: a.B\n   rate: 1\n",
        "tests:\n- test_class: a.B\n rate: 1\n",
        "tests:\n- test_class a.B\n  rate: 1\n",
        "tests:\n- test_class: a.B\n  rate:1\n",
        "tests:\n- test_class: @a.B\n  rate: 1\n",
        "tests:\n- test_class: *case\n  rate: 1\n",
        "tests:\n- test_class: a.B\n  kwargs: {url: ${URL}}\n  rate: 1\n",
        "tests:\n- test_class: a.B\n  kwargs: {args: [-]}\n  rate: 1\n",
        "tests:\n- test_class: \"a\\.B\"\n  rate: 1\n",
        "tests: &all\n- *all\n",
        "tests:\n- test_class: a.B\n  rate: 1]\n- ]",
        "tests:\n- test_class: \"a.B\" # x\n  kwargs:\n    a: 'it's'\n",
    ]));
}

#[test]
fn unknown_keys() {
    insta::assert_snapshot!(errors_of(&[
        "test:\n- test_class: a.B\n  rate: 1\n",
        "tests:\n- test_clas: a.B\n  rates: 1\n  kwarg: {}\n",
        "tests:\n- class: a.B\n  Rate: 1\n",
        "tests:\n- test_class: a.B\n  kwargs:\n  url: http://example.org\n  rate: 1\n",
        "tests:\n- test_class: a.B\n  rate: 1\n  on: 1\nduration: 5\n1: 2\n",
    ]));
}

#[test]
fn tests_key() {
    insta::assert_snapshot!(errors_of(&[
        "x-own: 1\n",
        "tests:\n",
        "tests: []\n",
        "tests: load.Upload\n",
        "tests:\n  test_class: a.B\n  rate: 1\n",
        "tests:\n- a.B\n-\n- [a.B, 1]\n",
    ]));
}

#[test]
fn test_class_key() {
    let case = |value: &str| format!("tests:\n- rate: 1\n  test_class:{value}\n");
    let cases = [
        "",
        " 1",
        " [a.B]",
        " Upload",
        " load.upload.py:Upload",
        " ./load/upload.py::Upload",
        " load..Upload",
        " load.1x",
        " \"a b.C\"",
        " ${WORD}",
    ]
    .map(case);
    insta::assert_snapshot!(errors_of(&cases.each_ref().map(String::as_str)));
}

#[test]
fn rate_key() {
    let case = |value: &str| format!("tests:\n- test_class: a.B\n  rate:{value}\n");
    let cases = [
        "",
        " 0",
        " -0.5",
        " 0.0000000001",
        " .nan",
        " .inf",
        " fast",
        " \"10\"",
        " 10/s",
        " yes",
        " 2001-01-01",
        " {per_s: 1}",
        " 20000000",
        " 1000000000000000000000",
        " 1e99",
        " ${WORD}",
        " ${EMPTY:-}",
        " ${ZERO:-0}",
        " ${UNSET}",
    ]
    .map(case);
    insta::assert_snapshot!(errors_of(&cases.each_ref().map(String::as_str)));
}

#[test]
fn kwargs_key() {
    let cases = [
        "kwargs: 5",
        "kwargs: [a, b]",
        "kwargs: {1: a, b: c, yes: d}",
        "kwargs: {a: !!set {x}, b: !mine 5, c: !!int abc}",
        "kwargs: {a: 2001-13-14, b: 0b_}",
        "kwargs: {? [a] : 1}",
        "kwargs: {<<: 5}",
        "kwargs: {a: \"${UNSET} ${WORD} ${UNSET2}\"}",
    ]
    .map(with);
    insta::assert_snapshot!(errors_of(&cases.each_ref().map(String::as_str)));
}

#[test]
fn several_at_once_in_the_order_of_the_file() {
    insta::assert_snapshot!(errors_of(&["
tests:
- test_class: Upload
  kwargs: [1, 2]
  rate: 0
- rate: \"5\"
  kwargs:
    token: ${API_TOKEN}
- test_class: load.Download
  kwargs: {1: 2}
  speed: 3
  rate: 2
duration: 5m
"]));
}

#[test]
fn no_more_than_can_be_read_are_shown() {
    let text = "tests:\n".to_owned() + &"- 1\n".repeat(30);
    let errors = read(&text).unwrap_err();
    assert_eq!(errors.diagnostics().len(), 30);
    assert!(errors.to_string().ends_with("\n\nand 10 more like these"));
}

#[test]
fn long_lines_and_wide_characters() {
    let long = format!("a{}", ".VeryLong".repeat(30));
    let cases = [
        format!("tests:\n- {{test_class: {long}, rate: 0}}\n"),
        "tests:\n- {kwargs: {grüße: 日本語}, test_class: übung.日本, rate: 0}\n".to_owned(),
        "tests:\r\n- test_class: a.B\r\n  rate: 0\r\n".to_owned(),
    ];
    insta::assert_snapshot!(errors_of(&cases.each_ref().map(String::as_str)));
}

#[test]
fn escape_sequences_of_a_config_do_not_reach_the_terminal() {
    let errors = read("\"te\\x1b[31msts\": 1\n").unwrap_err().to_string();
    assert!(!errors.contains('\u{1b}'), "{errors:?}");
}

#[test]
fn colour_is_asked_for() {
    let errors = read("tests: []").unwrap_err();
    assert!(errors.render(true).contains('\u{1b}'));
    assert!(!errors.render(false).contains('\u{1b}'));
}

#[test]
fn warnings() {
    let text = "tests:
- test_class: a.B
  rate: 1
  kwargs:
    a: 1
    b: ${1}
    a: 2
  rate: 2
";
    let config = read(text).unwrap();
    assert_eq!(config.plan.tests[0].load_in_words(), "2/s, evenly spaced");
    assert_eq!(config.warnings.len(), 3);
    insta::assert_snapshot!(config.render_warnings(false));
}

#[test]
fn of_a_dict() {
    let string = |text: &str| Value::Str(text.to_owned());
    let test = |entries: Vec<(&str, Value)>| {
        Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (string(key), value))
                .collect(),
        )
    };
    let tests = vec![
        test(vec![
            ("test_class", string("Upload")),
            ("rate", Value::Float(-0.5)),
        ]),
        test(vec![
            ("test_class", Value::Pickled(vec![1, 2])),
            ("rate", string("5")),
        ]),
        test(vec![
            ("test_class", string("a.B")),
            ("rates", Value::Int(1)),
            ("kwargs", Value::Map(vec![(Value::Int(1), Value::Null)])),
        ]),
        Value::Null,
    ];
    let config = Value::Map(vec![(string("tests"), Value::List(tests))]);
    let errors = from_value("the config", &config).unwrap_err();
    insta::assert_snapshot!(errors);
    insta::assert_snapshot!(from_value("the config", &Value::List(vec![])).unwrap_err());
}

fn load_errors() -> Vec<Option<LoadError>> {
    let error = |fault, message: &str, hint: Option<&str>, traceback: &str| {
        Some(LoadError {
            fault,
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
            traceback: traceback.to_owned(),
        })
    };
    let traceback = "Traceback (most recent call last):\n  File \"load.py\", line 3, in <module>\n    import requets\nModuleNotFoundError: No module named 'requets'\n";
    vec![
        error(
            LoadFault::NotFound,
            "there is no class `Uplod` in the module `load`",
            Some("did you mean `Upload`?"),
            "",
        ),
        None,
        error(
            LoadFault::Import,
            "the module `load` cannot be imported",
            None,
            traceback,
        ),
        error(
            LoadFault::Kwargs,
            "Upload.__init__() got an unexpected keyword argument 'sise'",
            Some("it takes `size`"),
            "",
        ),
        error(
            LoadFault::Kwargs,
            "Upload.__init__() missing 1 required positional argument: 'x'",
            None,
            "",
        ),
        error(LoadFault::Instance, "max_duration must be a number", None, ""),
    ]
}

#[test]
fn found_by_a_worker() {
    let text = "tests:
- {test_class: load.Uplod, rate: 1}
- {test_class: load.Good, rate: 1}
- test_class: load.Upload
  rate: 1
- test_class: load.Upload
  kwargs:
    size: 5
    sise: 6
  rate: 1
- {test_class: load.Upload, rate: 1}
- {test_class: load.Upload, rate: 1, kwargs: {}}
";
    let config = read(text).unwrap();
    insta::assert_snapshot!(config.load_errors(&load_errors()));
    assert!(config.load_errors(&[None, None]).diagnostics().is_empty());
}

#[test]
fn found_by_a_worker_in_a_dict() {
    let string = |text: &str| Value::Str(text.to_owned());
    let test = Value::Map(vec![
        (string("test_class"), string("load.Uplod")),
        (string("rate"), Value::Int(1)),
    ]);
    let config = Value::Map(vec![(
        string("tests"),
        Value::List(vec![test.clone(), test.clone(), test]),
    )]);
    let config = from_value("the config", &config).unwrap();
    insta::assert_snapshot!(config.load_errors(&load_errors()[..3]));
}
