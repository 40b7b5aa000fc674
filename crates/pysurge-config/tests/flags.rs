//! A config made of the flags of a command line.

mod common;

use common::read_with;
use pysurge_config::{Assumed, Config, ConfigErrors, Flag, FlagKind, Flags, from_flags};
use pysurge_core::plan::{Target, TestPlan};
use pysurge_core::value::Value;

fn flag(key: &str, text: &str, kind: FlagKind, shown: &str) -> Flag {
    Flag {
        key: key.split('.').map(str::to_owned).collect(),
        text: text.to_owned(),
        kind,
        shown: shown.to_owned(),
    }
}

fn read(
    target: &str,
    run: Vec<Flag>,
    test: Vec<Flag>,
    overrides: &[&str],
) -> Result<(Config, Assumed), ConfigErrors> {
    let flags = Flags {
        target: target.to_owned(),
        run,
        test,
        overrides: overrides.iter().map(|text| (*text).to_owned()).collect(),
    };
    from_flags("upload", &flags, &|name| {
        (name == "WORD").then(|| "fast".to_owned())
    })
}

fn rate(text: &str) -> Flag {
    flag("rate", text, FlagKind::Plain, &format!("--rate {text}"))
}

fn duration() -> Flag {
    flag("duration", "1m", FlagKind::Plain, "-d 1m")
}

/// The config that the run's folder keeps gives the same plan.
fn assert_kept(config: &Config) {
    let yaml = config.resolved_yaml();
    let mut again = read_with(&yaml, &[]).unwrap_or_else(|errors| panic!("{yaml}\n{errors}"));
    again.plan.name.clone_from(&config.plan.name);
    assert_eq!(again.plan, config.plan, "{yaml}");
}

#[test]
fn flags_are_a_config() {
    let run = vec![
        duration(),
        flag("name", "5", FlagKind::Text, "--name 5"),
        flag("pytest_args", "-x", FlagKind::Item, "--pytest-arg=-x"),
        flag("pytest_args", "-x", FlagKind::Item, "--pytest-arg=-x"),
    ];
    let test = vec![
        rate("3000/m"),
        flag("kwargs.size", "10", FlagKind::Yaml, "--kwarg size=10"),
        flag(
            "kwargs.list",
            "[a, {b: \"${WORD}\"}]",
            FlagKind::Yaml,
            "--kwarg list=[a]",
        ),
        flag("kwargs.size", "11", FlagKind::Yaml, "--kwarg size=11"),
        flag("data.from", "u.csv", FlagKind::Text, "--data u.csv"),
        flag("data.order", "shuffle", FlagKind::Text, "--order shuffle"),
    ];
    let (config, assumed) = read("load.py:upload", run, test, &["tests.upload.late=drop"]).unwrap();
    assert_eq!(assumed, Assumed::default());
    let plan = &config.plan;
    assert_eq!(
        (plan.name.as_str(), plan.duration_ns),
        ("5", Some(60_000_000_000))
    );
    assert_eq!(plan.pytest_args, ["-x", "-x"]);
    let test = &plan.tests[0];
    assert_eq!(test.target, Target::Object("load.py:upload".to_owned()));
    assert_eq!(test.kwargs[0], ("size".to_owned(), Value::Int(11)));
    assert_eq!(test.load_in_words(), "50/s, evenly spaced");
    assert_kept(&config);
    let yaml = config.resolved_yaml();
    assert!(
        yaml.contains("${WORD}") && yaml.contains("test: \"load.py:upload\""),
        "{yaml}"
    );
}

#[test]
fn who_gives_no_load_gets_one() {
    type Case<'a> = (Vec<Flag>, Vec<Flag>, &'a [&'a str], bool, bool);
    let iterations = || flag("iterations", "5", FlagKind::Plain, "--iterations 5");
    let users = || flag("users", "5", FlagKind::Plain, "--users 5");
    let table: [Case<'_>; 8] = [
        (vec![], vec![], &[], true, true),
        (vec![duration()], vec![], &[], true, false),
        (vec![], vec![rate("5")], &[], false, true),
        (vec![], vec![users()], &[], false, true),
        (vec![], vec![iterations()], &[], true, false),
        (vec![duration()], vec![rate("5")], &[], false, false),
        (
            vec![],
            vec![],
            &["tests[0].stages=[{duration: 1m, rate: 5}]"],
            false,
            false,
        ),
        (vec![], vec![], &["defaults.rate=5", "duration=5m"], false, false),
    ];
    for (run, test, overrides, rate, duration) in table {
        let shown = format!("{run:?} {test:?} {overrides:?}");
        let (config, assumed) =
            read("tests/", run, test, overrides).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(assumed, Assumed { rate, duration }, "{shown}");
        assert_kept(&config);
        if rate {
            assert!(config.plan.tests[0].load_in_words().starts_with("1/s"), "{shown}");
        }
        if duration {
            assert_eq!(config.plan.duration_ns, Some(30_000_000_000));
        }
    }
}

#[test]
fn errors_name_the_flag() {
    let text = |key: &str, text: &str, shown: &str| flag(key, text, FlagKind::Text, shown);
    let plain = |key: &str, text: &str, shown: &str| flag(key, text, FlagKind::Plain, shown);
    let cases: Vec<(&str, Vec<Flag>, &[&str])> = vec![
        ("tests", vec![], &[]),
        ("load.py:Upload.run", vec![], &[]),
        ("load.py:f", vec![rate("0")], &[]),
        ("load.py:f", vec![rate("fast")], &[]),
        (
            "load.py:f",
            vec![rate("5"), plain("users", "5", "--users 5")],
            &[],
        ),
        ("load.py:f", vec![plain("warmup", "5", "--warmup 5")], &[]),
        (
            "load.py:f",
            vec![text("arrivals", "random", "--arrivals random")],
            &[],
        ),
        (
            "load.py:f",
            vec![flag("kwargs.a", "[1", FlagKind::Yaml, "--kwarg a=[1")],
            &[],
        ),
        (
            "load.py:f",
            vec![flag("kwargs.a", "${NO}", FlagKind::Yaml, "--kwarg a=${NO}")],
            &[],
        ),
        ("load.py:f", vec![text("data", "u.json", "--data u.json")], &[]),
        ("load.py:f", vec![text("k", "upload", "-k upload")], &[]),
        (
            "tests/",
            vec![flag("kwargs.a", "1", FlagKind::Yaml, "--kwarg a=1")],
            &[],
        ),
        ("tests/", vec![], &["tests[1].rate=5"]),
    ];
    let mut shown = String::new();
    for (target, test, overrides) in cases {
        let errors = read(target, vec![], test, overrides).unwrap_err();
        shown.extend([errors.to_string(), "\n==========\n".to_owned()]);
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn nothing_but_the_target_is_one_test() {
    let (config, _) = read("shop.load.upload", vec![], vec![rate("1")], &[]).unwrap();
    let (again, _) = read("shop.load.upload", vec![], vec![rate("1")], &[]).unwrap();
    assert_eq!(config.plan, again.plan);
    let expected = TestPlan::of(
        Target::Object("shop.load.upload".to_owned()),
        config.plan.tests[0].model.clone(),
    );
    assert_eq!(config.plan.tests, [expected]);
}
