//! The JSON Schema for editors: the committed one is the code's, and it judges as the reader does.

mod common;

use common::read_with;
use pysurge_config::json_schema;

/// Compares with the committed schema; `UPDATE_SCHEMA=1 cargo test -p pysurge-config` writes it.
#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
fn the_committed_schema_is_the_one_of_the_code() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/schema/config.schema.json"
    );
    let schema = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if std::env::var("UPDATE_SCHEMA").is_ok() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(committed, schema, "run with UPDATE_SCHEMA=1");
}

/// YAML that is JSON at the same time, so that an editor's view of it is a plain parse.
#[test]
#[expect(clippy::too_many_lines, reason = "a line per case")]
fn the_schema_takes_what_is_right_and_refuses_what_is_wrong() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let test = |lines: &str| format!(r#"{{"tests": [{{"test_class": "a.B", {lines}}}]}}"#);
    let table = [
        (test(r#""rate": 0.5"#), true),
        (test(r#""rate": 1, "kwargs": {"any": [1, null]}"#), true),
        (test(r#""rate": 1, "kwargs": null"#), true),
        (
            r#"{"x-own": 1, "tests": [{"test_class": "a.b.C", "rate": 1}]}"#.to_owned(),
            true,
        ),
        (test(r#""rate": 0"#), false),
        (test(r#""rate": "10""#), false),
        (test(r#""rate": 10000001"#), false),
        (test(r#""rates": 1"#), false),
        (test(r#""rate": 1, "kwargs": [1]"#), false),
        (test(r#""rate": 1, "speed": 1"#), false),
        (test(r#""rate": "3000/m", "arrivals": "poisson", "seed": 5, "late": "drop", "max_lateness": "5ms""#), true),
        (test(r#""stages": [{"duration": "1h 30m", "rate": 0, "jump": true}, {"duration": "1.5s", "rate": "2/h"}], "start_rate": 0"#), true),
        (test(r#""shape": "a.b""#), true),
        (test(r#""shape": "./x/y.py:f""#), true),
        (test(r#""replay": "x.csv""#), true),
        (test(r#""replay": {"file": "x.csv", "speed": 0.5, "time": "t", "unit": "us", "columns": {"a": "b"}, "types": {"a": "bool"}}"#), true),
        (test(r#""users": 5, "pacing": "1s", "ramp_up": "0s", "seed": 18446744073709551615"#), true),
        (test(r#""users": 5, "think_time": {"min": "1s", "max": "3s"}"#), true),
        (test(r#""users": 5, "think_time": ["1s", "3s"]"#), true),
        (test(r#""rate": 1, "iterations": 5, "duration": "1m", "start_delay": "1s", "warmup": "1s", "max_duration": "2s""#), true),
        (test(r#""rate": 1, "max_threads": 5, "graceful_stop": "0s", "name": "n", "tags": ["a"]"#), true),
        (test(r#""rate": 1, "tags": "a""#), true),
        (r#"{"name": "n", "tags": ["t"], "duration": "5m", "workers": 2, "arrivals": "constant", "seed": 0, "graceful_stop": "1s",
            "defaults": {"test_class": "a.B", "rate": 1, "kwargs": {"a": 1}}, "tests": [{}, {"users": 5}]}"#.to_owned(), true),
        (r#"{"defaults": {"users": 1, "pacing": "1s", "start_rate": 1, "late": "drop"}, "tests": [{"test_class": "a.B", "rate": 1}]}"#.to_owned(), true),
        (r#"{"defaults": null, "tests": [{"test_class": "a.B", "rate": 1}]}"#.to_owned(), true),
        (test(r#""rate": 1, "thresholds": "rate>95%""#), true),
        (test(r#""rate": 1, "thresholds": []"#), true),
        (test(r#""rate": 1, "thresholds": ["checks.\"a < b\" == 100%", " counts.x.rate != .5/s in 1% of seconds"]"#), true),
        (test(r#""rate": 1, "thresholds": {"threshold": "lost == 0", "abort_on_fail": true, "after": "0s"}"#), true),
        (r#"{"thresholds": ["response_time.p95 < 1s for 10s"], "defaults": {"thresholds": "lost == 0"}, "tests": [{"test_class": "a.B", "rate": 1}]}"#.to_owned(), true),
        (test(r#""rate": 1, "data": "users.csv""#), true),
        (test(r#""rate": 1, "data": {"from": "load.py:rows", "order": "shuffle", "reuse": "once", "seed": 5}"#), true),
        (test(r#""rate": 1, "data": {"from": "users.jsonl", "order": "random", "reuse": "cycle"}"#), true),
        (r#"{"pytest_args": ["-p", "no:x", "-p", "no:y"], "tests": [{"test": "tests/", "k": "a or b", "m": "not slow", "rate": 1}]}"#.to_owned(), true),
        (r#"{"tests": [{"test": "load.py:upload", "kwargs": {"a": 1}, "rate": 1}, {"test": "a.b", "rate": 1}]}"#.to_owned(), true),
        (r#"{"defaults": {"test_class": "a.B", "k": "x"}, "tests": [{"test": "a.py", "rate": 1}, {"rate": 1}]}"#.to_owned(), true),
        (test(r#""rate": 1, "test": "a.py""#), false),
        (test(r#""rate": 1, "k": "a""#), false),
        (test(r#""rate": 1, "data": {"order": "shuffle"}"#), false),
        (test(r#""rate": 1, "data": {"from": "a.csv", "order": "random", "reuse": "once"}"#), false),
        (test(r#""rate": 1, "data": {"from": "a.csv", "order": "backwards"}"#), false),
        (test(r#""rate": 1, "data": []"#), false),
        (r#"{"pytest_args": "-x", "tests": [{"test": "tests/", "rate": 1}]}"#.to_owned(), false),
        (r#"{"defaults": {"test_class": "a.B", "test": "a.py"}, "tests": [{"rate": 1}]}"#.to_owned(), false),
        (test(r#""rate": 1, "thresholds": ["lost"]"#), false),
        (test(r#""rate": 1, "thresholds": ["p(95)=5"]"#), false),
        (test(r#""rate": 1, "thresholds": [5]"#), false),
        (test(r#""rate": 1, "thresholds": [{"abort_on_fail": true}]"#), false),
        (test(r#""rate": 1, "thresholds": [{"threshold": "lost == 0", "after": "1s"}]"#), false),
        (test(r#""rate": 1, "thresholds": [{"threshold": "lost == 0", "abortOnFail": true}]"#), false),
        (test(r#""kwargs": {}"#), false),
        (test(r#""rate": 1, "users": 5"#), false),
        (test(r#""rate": 1, "pacing": "1s""#), false),
        (test(r#""rate": 1, "start_rate": 1"#), false),
        (test(r#""users": 1, "late": "drop""#), false),
        (test(r#""users": 1, "pacing": "1s", "think_time": "1s""#), false),
        (test(r#""replay": "x.csv", "seed": 1"#), false),
        (test(r#""replay": {"speed": 1}"#), false),
        (test(r#""replay": {"file": "x.csv", "unit": "m"}"#), false),
        (test(r#""replay": {"file": "x.csv", "types": {"a": "text"}}"#), false),
        (test(r#""stages": [{"duration": "1m"}]"#), false),
        (test(r#""stages": []"#), false),
        (test(r#""stages": [{"duration": 60, "rate": 1}]"#), false),
        (test(r#""stages": [{"duration": "1m", "rate": 1, "target": 1}]"#), false),
        (test(r#""shape": "waves""#), false),
        (test(r#""users": 0"#), false),
        (test(r#""users": 5, "pacing": ["1s"]"#), false),
        (test(r#""users": 5, "pacing": {"min": "1s"}"#), false),
        (test(r#""rate": 1, "duration": 5"#), false),
        (test(r#""rate": 1, "duration": "5""#), false),
        (test(r#""rate": 1, "duration": "5x""#), false),
        (test(r#""rate": 1, "arrivals": "even""#), false),
        (test(r#""rate": 1, "iterations": 1.5"#), false),
        (test(r#""rate": 1, "name": """#), false),
        (test(r#""rate": 1, "tags": [1]"#), false),
        (test(r#""rate": "5/x""#), false),
        (r#"{"rate": 5, "tests": [{"test_class": "a.B", "rate": 1}]}"#.to_owned(), false),
        (r#"{"workers": 0, "tests": [{"test_class": "a.B", "rate": 1}]}"#.to_owned(), false),
        (r#"{"defaults": {"name": "x"}, "tests": [{"test_class": "a.B", "rate": 1}]}"#.to_owned(), false),
        (r#"{"defaults": {"rate": 1}, "tests": [{}]}"#.to_owned(), false),
        (r#"{"defaults": {"test_class": "a.B"}, "tests": [{}]}"#.to_owned(), false),
        (r#"{"defaults": {"rate": 1, "users": 1}, "tests": [{"test_class": "a.B"}]}"#.to_owned(), false),
        (r#"{"tests": []}"#.to_owned(), false),
        (r#"{"tests": [{"test_class": "B", "rate": 1}]}"#.to_owned(), false),
        (r#"{"test": []}"#.to_owned(), false),
        ("{}".to_owned(), false),
    ];
    for (text, right) in table {
        assert_eq!(read_with(&text, &[]).is_ok(), right, "{text}");
        assert_eq!(
            schema.is_valid(&serde_json::from_str(&text).unwrap()),
            right,
            "{text}"
        );
    }
    for rate in ["${RATE}", "1e3"] {
        let seen = serde_json::json!({"tests": [{"test_class": "${MODULE}.B", "rate": rate}]});
        assert!(schema.is_valid(&seen), "{rate}");
    }
}

/// Each value may be a variable, which an editor sees as a string; and each key tells what it is for.
#[test]
fn every_key_takes_a_variable_and_has_a_description() {
    let schema = json_schema();
    let whole = jsonschema::validator_for(&schema).unwrap();
    let mut keys = 0;
    for (at, properties) in [
        ("top", &schema["properties"]),
        ("Test", &schema["$defs"]["Test"]["properties"]),
        ("Stage", &schema["$defs"]["Stage"]["properties"]),
        ("Replay", &schema["$defs"]["Replay"]["properties"]),
        ("Threshold", &schema["$defs"]["Threshold"]["properties"]),
        ("Data", &schema["$defs"]["Data"]["properties"]),
    ] {
        for (key, property) in properties.as_object().unwrap() {
            keys += 1;
            assert!(property["description"].is_string(), "{at}: {key}");
            if [
                "tests",
                "defaults",
                "kwargs",
                "stages",
                "columns",
                "types",
                "pytest_args",
            ]
            .contains(&key.as_str())
            {
                continue;
            }
            let mut test = serde_json::json!({"test_class": "a.B", "rate": 1});
            let mut config = serde_json::json!({});
            match at {
                "top" => config[key] = "${X}".into(),
                "Test" => {
                    let load = match key.as_str() {
                        "pacing" | "think_time" | "ramp_up" => "users",
                        "start_rate" => "stages",
                        "stages" | "shape" | "replay" | "users" => key,
                        _ => "rate",
                    };
                    let target = if ["test", "k", "m"].contains(&key.as_str()) {
                        "test"
                    } else {
                        "test_class"
                    };
                    test = serde_json::json!({ target: "a.B" });
                    test[load] = match load {
                        "stages" => serde_json::json!([{"duration": "1m", "rate": 1}]),
                        _ => "${X}".into(),
                    };
                    test[key] = "${X}".into();
                }
                "Stage" => {
                    let mut stage = serde_json::json!({"duration": "1m", "rate": 1});
                    stage[key] = "${X}".into();
                    test = serde_json::json!({"test_class": "a.B", "stages": [stage]});
                }
                "Threshold" => {
                    let mut threshold = serde_json::json!({"threshold": "lost == 0", "abort_on_fail": true});
                    threshold[key] = "${X}".into();
                    test["thresholds"] = serde_json::json!([threshold]);
                }
                "Data" => {
                    let mut data = serde_json::json!({"from": "x.csv"});
                    data[key] = "${X}".into();
                    test["data"] = data;
                }
                _ => {
                    let mut replay = serde_json::json!({"file": "x.csv"});
                    replay[key] = "${X}".into();
                    test = serde_json::json!({"test_class": "a.B", "replay": replay});
                }
            }
            config["tests"] = serde_json::json!([test]);
            assert!(whole.is_valid(&config), "{at}: {key}: {config}");
        }
    }
    assert_eq!(keys, 11 + 29 + 3 + 6 + 3 + 4);
}

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/config.md");

#[test]
fn the_reference_has_every_key() {
    let reference = std::fs::read_to_string(REFERENCE).unwrap();
    let schema = json_schema();
    for (section, properties) in [
        ("## Keys at the top", &schema["properties"]),
        ("## Keys of a test", &schema["$defs"]["Test"]["properties"]),
        ("### Stages", &schema["$defs"]["Stage"]["properties"]),
        ("### Replay", &schema["$defs"]["Replay"]["properties"]),
        ("## Data", &schema["$defs"]["Data"]["properties"]),
        ("## Thresholds", &schema["$defs"]["Threshold"]["properties"]),
    ] {
        let (_, after) = reference.split_once(section).unwrap();
        let section = after.split("\n#").next().unwrap();
        for key in properties.as_object().unwrap().keys() {
            assert!(section.contains(&format!("\n| `{key}` |")), "{key}");
        }
    }
}

#[test]
fn every_example_of_the_reference_is_right() {
    let reference = std::fs::read_to_string(REFERENCE).unwrap();
    let examples = reference.split("```yaml\n").skip(1);
    let examples: Vec<&str> = examples.map(|text| text.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 7);
    for example in examples {
        common::good(example);
    }
}
