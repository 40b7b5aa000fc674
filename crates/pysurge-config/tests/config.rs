//! What a right config gives: the plan, with YAML as `PyYAML` reads it; variables; the config written out again; limits.

use proptest::prelude::*;
use pysurge_config::{Config, Source, from_value, parse};
use pysurge_core::plan::{Model, Plan, Source as Load, TestPlan};
use pysurge_core::rate::Rate;
use pysurge_core::value::Value;

fn env(name: &str) -> Option<String> {
    let value = match name {
        "RATE" => "2.5",
        "TOKEN" => "s3cret: \"x\" # ${HOST}",
        "HOST" => "example.org",
        "NUMBER" => "0x10",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn read(text: &str) -> Config {
    let source = Source {
        name: "conf/load.test.yml".to_owned(),
        text: text.to_owned(),
    };
    parse(&source, &env).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The kwargs of a config with one test, given their YAML.
fn kwargs(yaml: &str) -> Vec<(String, Value)> {
    let indented = yaml.replace('\n', "\n    ");
    let text = format!("tests:\n- test_class: a.B\n  rate: 1\n  kwargs:\n    {indented}\n");
    let config = read(&text);
    let again = read(&config.resolved_yaml());
    assert_eq!(again.plan, config.plan, "{}", config.resolved_yaml());
    config.plan.tests[0].kwargs.clone()
}

/// The rate of a test that has one.
fn rate(test: &TestPlan) -> String {
    match &test.model {
        Model::Open(open) => match &open.source {
            Load::Rate(rate) => rate.to_string(),
            other => panic!("{other:?}"),
        },
        Model::Closed(closed) => panic!("{closed:?}"),
    }
}

fn s(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn map(entries: &[(Value, Value)]) -> Value {
    Value::Map(entries.to_vec())
}

#[test]
fn a_config_of_1_0_1_gives_its_plan() {
    let config = read(
        "tests:
- test_class: package.module.ClassName
  kwargs: {any: thing}
  rate: 0.2
- test_class: package.module.ClassName
  rate: 30
",
    );
    let test = |kwargs, rate, seed| {
        let mut model = Model::constant(Rate::parse(rate).unwrap());
        if let Model::Open(open) = &mut model {
            open.seed = seed;
        }
        TestPlan {
            kwargs,
            ..TestPlan::new("package.module.ClassName", model)
        }
    };
    let tests = vec![
        test(vec![("any".to_owned(), s("thing"))], "0.2", 0),
        test(vec![], "30", 1),
    ];
    let expected = Plan::new("load.test", tests);
    assert_eq!(config.plan, expected);
    assert!(config.warnings.is_empty());
}

#[test]
fn rates_are_read_exactly() {
    let table = [
        ("0.1", "0.1"),
        ("3.7", "3.7"),
        ("1_000", "1000"),
        ("1e3", "1000"),
        ("1.5e3", "1500"),
        ("+2", "2"),
        (".5", "0.5"),
        ("1e-3", "0.001"),
        ("010", "8"),
        ("1:30", "90"),
        ("!!float 5", "5"),
        ("${RATE}", "2.5"),
        ("${UNSET:-7}", "7"),
        ("${EMPTY:-7}", "7"),
        ("1${NOUGHTS:-000}", "1000"),
        ("0.000000001", "0.000000001"),
        ("10000000", "10000000"),
        ("3000/m", "50"),
        ("\"3000/m\"", "50"),
        ("2 / h", "0.000555555"),
        ("${RATE}/min", "0.041666666"),
    ];
    for (written, expected) in table {
        let text = format!("tests:\n- test_class: a.B\n  rate: {written}\n");
        let config = read(&text);
        assert_eq!(rate(&config.plan.tests[0]), expected, "{written}");
        assert_eq!(read(&config.resolved_yaml()).plan, config.plan, "{written}");
    }
}

#[test]
fn a_rate_is_of_ascii_digits() {
    for rate in ["\u{85}1", "١", "１", "1\u{a0}"] {
        let source = Source {
            name: "load.yml".to_owned(),
            text: format!("tests:\n- test_class: a.B\n  rate: {rate}\n"),
        };
        assert!(parse(&source, &env).is_err(), "{rate:?}");
    }
}

#[test]
fn no_kwargs_in_every_form() {
    for line in [
        "",
        "  kwargs:\n",
        "  kwargs: null\n",
        "  kwargs: {}\n",
        "  kwargs: ~\n",
    ] {
        let config = read(&format!("tests:\n- test_class: a.B\n{line}  rate: 1\n"));
        assert_eq!(config.plan.tests[0].kwargs, [], "{line}");
    }
}

#[test]
fn collections_quotes_and_blocks() {
    let yaml = "list: [1, two, [3.0]]
map: {1: a, 2.5: b, null: c, true: d, 2001-01-01: e}
quoted: ['yes', \"1\", '', \"a\\nb\"]
literal: |
  one
    two
folded: >-
  one
  two
plain: one
  two
bytes: !!binary aGk=
str: !!str 5
utf: grüße 日本 🎉
empty_list: []
empty_map: {}
nothing:";
    let expected = [
        (
            "list",
            Value::List(vec![
                Value::Int(1),
                s("two"),
                Value::List(vec![Value::Float(3.0)]),
            ]),
        ),
        (
            "map",
            map(&[
                (Value::Int(1), s("d")),
                (Value::Float(2.5), s("b")),
                (Value::Null, s("c")),
                (Value::Date("2001-01-01".to_owned()), s("e")),
            ]),
        ),
        ("quoted", Value::List(vec![s("yes"), s("1"), s(""), s("a\nb")])),
        ("literal", s("one\n  two\n")),
        ("folded", s("one two")),
        ("plain", s("one two")),
        ("bytes", Value::Bytes(b"hi".to_vec())),
        ("str", s("5")),
        ("utf", s("grüße 日本 🎉")),
        ("empty_list", Value::List(vec![])),
        ("empty_map", map(&[])),
        ("nothing", Value::Null),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    assert_eq!(kwargs(yaml), expected);
}

#[test]
fn merges_and_aliases_are_worked_in_as_pyyaml_does() {
    // {'m': {'a': 9, 'b': 2, 'c': 3}, 'l': {'b': 7, 'a': 1}, 'again': {'a': 1, 'b': 2}, 'text': {'<<': 1}}
    let yaml = "base: &base {a: 1, b: 2}
m:
  a: 9
  <<: *base
  c: 3
l: {<<: [*base, {b: 7, a: 7}]}
again: *base
text: {\"<<\": 1}";
    let entry = |key: &str, value| (s(key), Value::Int(value));
    let expected = [
        ("base", map(&[entry("a", 1), entry("b", 2)])),
        ("m", map(&[entry("a", 9), entry("b", 2), entry("c", 3)])),
        ("l", map(&[entry("b", 2), entry("a", 1)])),
        ("again", map(&[entry("a", 1), entry("b", 2)])),
        ("text", map(&[entry("<<", 1)])),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    assert_eq!(kwargs(yaml), expected);
}

#[test]
fn anchors_may_stand_under_keys_of_ones_own() {
    let config = read(
        "x-defaults: &defaults
  test_class: a.B
  rate: 5
tests:
- <<: *defaults
- <<: *defaults
  rate: 7
",
    );
    let rates: Vec<String> = config.plan.tests.iter().map(rate).collect();
    assert_eq!(rates, ["5", "7"]);
    assert!(config.warnings.is_empty(), "an overridden key is no duplicate");
}

#[test]
fn variables_are_typed_without_quotes_and_text_within() {
    let yaml = "number: ${NUMBER}
text: \"${NUMBER}\"
tagged: !!str ${NUMBER}
bang: ! '${NUMBER}'
url: http://${HOST}:${PORT:-80}/?q=$x
token: ${TOKEN}
nothing: ${EMPTY}
dollars: [$5, a$, $$, \"$${HOST}\", \"$$${HOST}\"]
block: |
  host=${HOST}
  literal=$${HOST}
folded: a ${HOST}

  b
${HOST}: key";
    let expected = [
        ("number", Value::Int(16)),
        ("text", s("0x10")),
        ("tagged", s("0x10")),
        ("bang", Value::Int(16)),
        ("url", s("http://example.org:80/?q=$x")),
        ("token", s("s3cret: \"x\" # ${HOST}")),
        ("nothing", Value::Null),
        (
            "dollars",
            Value::List(["$5", "a$", "$$", "${HOST}", "$${HOST}"].map(s).to_vec()),
        ),
        ("block", s("host=example.org\nliteral=${HOST}\n")),
        ("folded", s("a example.org\nb")),
        ("${HOST}", s("key")),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    assert_eq!(kwargs(yaml), expected);
}

#[test]
fn secrets_are_not_written_out() {
    let text = "x-shared: &auth {token: \"${TOKEN}\"}
tests:
- test_class: a.B
  rate: ${RATE}
  kwargs: {auth: *auth, plain: [1, .inf, 1.5e+300, 2001-01-01, 'it''s', ''], not: \"$${HOST}\"}
";
    let yaml = read(text).resolved_yaml();
    assert!(!yaml.contains("s3cret"), "{yaml}");
    insta::assert_snapshot!(yaml);
}

#[test]
fn a_dict_is_written_out_as_far_as_yaml_goes() {
    let test = map(&[
        (s("test_class"), s("a.B")),
        (s("rate"), Value::Float(0.5)),
        (
            s("kwargs"),
            map(&[
                (s("home"), s("${HOME}")),
                (s("when"), Value::DateTime("2001-01-01T00:00:00+01:00".to_owned())),
                (
                    s(&"k".repeat(200)),
                    Value::List(vec![map(&[(Value::Int(1), Value::Null)]), Value::List(vec![])]),
                ),
            ]),
        ),
    ]);
    let dict = |tests| map(&[(s("tests"), Value::List(tests))]);
    let config = from_value("load.test", &dict(vec![test.clone()])).unwrap();
    let again = read(&config.resolved_yaml());
    assert_eq!(again.plan, config.plan);

    let with_object = map(&[
        (s("test_class"), s("a.B")),
        (s("rate"), Value::Int(1)),
        (s("kwargs"), map(&[(s("client"), Value::Pickled(vec![1, 2, 3]))])),
    ]);
    let config = from_value("load", &dict(vec![with_object])).unwrap();
    let source = Source {
        name: "config.yml".to_owned(),
        text: config.resolved_yaml(),
    };
    let refused = parse(&source, &env).unwrap_err().to_string();
    assert!(refused.contains("a Python object stood here"), "{refused}");
}

#[test]
fn what_expands_without_end_is_refused() {
    let chain = |first: &str, next: &dyn Fn(usize) -> String| {
        let lines = (1..110).map(|i| format!("x-{i}: &a{i} {}\n", next(i - 1)));
        format!("x-0: &a0 {first}\n") + &lines.collect::<Vec<_>>().concat()
    };
    let laughs = chain("[lol, lol, lol]", &|i| {
        format!("[{}]", format!("*a{i}, ").repeat(9))
    });
    let merges = chain("{}", &|i| format!("{{<<: [*a{i}, *a{i}]}}"));
    let deep = chain("[1]", &|i| format!("[*a{i}]"));
    let big = format!(
        "x-0: &a0 {}\nx-1: [{}]\n",
        "a".repeat(100_000),
        "*a0, ".repeat(1000)
    );
    let defaults = format!(
        "defaults: {{test_class: a.B, rate: 1, kwargs: {{a: {}}}}}\ntests: [{}]\n",
        "a".repeat(100_000),
        "{}, ".repeat(1000)
    );
    let nested = format!("x-0: {}1{}\n", "[".repeat(200), "]".repeat(200));
    let block = (0..200).map(|i| " ".repeat(i) + "-\n").collect::<String>();
    let table = [
        (laughs, "expands to more than 32 MiB"),
        (merges, "expands to more than 32 MiB"),
        (big, "expands to more than 32 MiB"),
        (deep, "nested more than 100 deep"),
        (nested, "nested more than 100 deep"),
        (defaults, "expands to more than 32 MiB"),
        (block, "nested more than 100 deep"),
        (" ".repeat(9 << 20), "longer than 8 MiB"),
    ];
    for (text, expected) in table {
        let source = Source {
            name: "bomb.yml".to_owned(),
            text,
        };
        let errors = parse(&source, &env).unwrap_err();
        assert!(
            errors.diagnostics()[0].title.contains(expected),
            "{:?}",
            errors.diagnostics()[0]
        );
    }
}

#[test]
fn a_byte_order_mark_is_no_text() {
    let config = read("\u{feff}tests:\n- test_class: a.B\n  rate: 1\n");
    assert_eq!(config.plan.tests.len(), 1);
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-z0-9 :#$\\{\\}'\"\\\\-]{0,12}", "\\PC{0,8}", any::<String>()];
    let key = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        text.clone().prop_map(Value::Str),
        any::<bool>().prop_map(Value::Bool),
        (-1e6..1e6f64).prop_map(Value::Float),
        Just(Value::Null),
    ];
    let leaf = prop_oneof![
        key.clone(),
        any::<f64>()
            .prop_filter("no NaN", |f| !f.is_nan())
            .prop_map(Value::Float),
        Just(Value::BigInt("-123456789012345678901234567890".to_owned())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        Just(Value::Date("2020-02-29".to_owned())),
        Just(Value::DateTime("2020-02-29T01:02:03.000004-05:30".to_owned())),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let key = key.clone();
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec((key, inner), 0..5).prop_map(unique_map),
        ]
    })
}

/// A mapping without keys that a dict takes for the same.
fn unique_map(entries: Vec<(Value, Value)>) -> Value {
    let mut unique: Vec<(Value, Value)> = Vec::new();
    let number = |key: &Value| match key {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Float(value) => Some(*value),
        #[expect(clippy::cast_precision_loss, reason = "too many taken for equal do no harm")]
        Value::Int(value) => Some(*value as f64),
        _ => None,
    };
    for (key, value) in entries {
        let same =
            |other: &Value| *other == key || (number(other).is_some() && number(other) == number(&key));
        if !unique.iter().any(|(other, _)| same(other)) {
            unique.push((key, value));
        }
    }
    Value::Map(unique)
}

proptest! {
    #[test]
    fn any_plan_survives_being_written_out(values in prop::collection::vec(any_value(), 1..4), nano in 1u64..10_000_000_000_000_000) {
        let kwargs = values.into_iter().enumerate().map(|(i, value)| (s(&format!("k{i}")), value)).collect();
        #[expect(clippy::cast_precision_loss, reason = "any rate will do")]
        let rate = Value::Float(nano as f64 / 1e9);
        let test = map(&[(s("test_class"), s("a.B")), (s("kwargs"), Value::Map(kwargs)), (s("rate"), rate)]);
        let config = from_value("load.test", &map(&[(s("tests"), Value::List(vec![test]))])).unwrap();
        let yaml = config.resolved_yaml();
        let again = read(&yaml);
        prop_assert_eq!(&again.plan, &config.plan, "{}", yaml);
        prop_assert!(again.warnings.is_empty());
        prop_assert_eq!(again.resolved_yaml(), yaml);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_any(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_yaml_like_text_panics(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        check_any(&pieces.concat());
    }

    #[test]
    fn no_damaged_config_panics(at in 0usize..WHOLE.len(), removed in 0usize..20, piece in prop::sample::select(PIECES)) {
        let mut chars: Vec<char> = WHOLE.chars().collect();
        let at = at.min(chars.len());
        let end = (at + removed).min(chars.len());
        chars.splice(at..end, piece.chars());
        check_any(&chars.into_iter().collect::<String>());
    }
}

const PIECES: &[&str] = &[
    "tests",
    "test_class",
    "rate",
    "kwargs",
    "defaults",
    "stages",
    "start_rate",
    "shape",
    "replay",
    "users",
    "pacing",
    "arrivals",
    "seed",
    "late",
    "warmup",
    "duration",
    "tags",
    "name",
    "poisson",
    "drop",
    "5m",
    "3000/m",
    "x.csv",
    "a.B",
    ":",
    ": ",
    "- ",
    "-",
    "\n",
    "\n  ",
    "\n    ",
    " ",
    "\t",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "<<",
    "!!int ",
    "!x ",
    "!",
    "|",
    ">",
    "\"",
    "'",
    "#",
    "?",
    "? ",
    "${RATE}",
    "${X}",
    "${",
    "$${",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "%TAG ! x\n",
    "1",
    "0.5",
    "0x",
    "2001-01-01",
    "ü",
    "日",
    "\u{feff}",
    "\r\n",
    "\u{85}",
    "\u{2028}",
    "\0",
    "\u{7}",
    "\\",
    "@",
    "`",
    "=",
    "~",
];

const WHOLE: &str = "x-a: &a {b: [1, 2], c: \"d\"}
duration: 5m
seed: 3
defaults: {warmup: 1s, late: drop, kwargs: {k: 1}, users: 2, pacing: [1s, 2s]}
tests:
- test_class: a.B
  kwargs:
    <<: *a
    über: |
      text
    t: ${HOST:-x}
  rate: 0.5
- {test_class: c.D, rate: 1}
- {test_class: c.D, think_time: {min: 1s, max: 2s}, ramp_up: 5s, tags: [x, y], name: \"n\"}
- test_class: e.F
  stages:
  - {duration: 1m, rate: 3000/m, jump: true}
  - {duration: 1m, rate: 0}
  arrivals: poisson
- {test_class: g.H, replay: {file: x.csv, speed: 2.0, unit: ms, columns: {a: b}, types: {a: int}}}
- {test_class: g.H, shape: shapes.py:wave, max_lateness: 5ms, iterations: 10}
";

/// Reads any text; where it is a config it must survive being written out, where it is none the errors must render.
fn check_any(text: &str) {
    let source = Source {
        name: "any.yml".to_owned(),
        text: text.to_owned(),
    };
    match parse(&source, &env) {
        Ok(config) => {
            let yaml = config.resolved_yaml();
            let again = parse(
                &Source {
                    text: yaml.clone(),
                    ..source
                },
                &env,
            );
            let again = again.unwrap_or_else(|errors| panic!("{yaml}\n{errors}"));
            // NaN is not equal to itself, its text is.
            assert_eq!(
                format!("{:?}", again.plan),
                format!("{:?}", config.plan),
                "{yaml}"
            );
            config.render_warnings(false);
        }
        Err(errors) => {
            assert!(!errors.diagnostics().is_empty());
            assert!(!errors.render(true).is_empty());
        }
    }
}
