//! Every form of every flag, the wrong ones, and the help texts as they are read.

use super::*;
use std::fmt::Write as _;

const MINUTE_NS: u64 = 60_000_000_000;

fn parse_line(line: &str) -> Result<Invocation, clap::Error> {
    let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
    parse(&args, None)
}

fn run(line: &str) -> (RunArgs, bool) {
    match parse_line(line) {
        Ok(Invocation::Run { run, classic }) => (run, classic),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_command_is_well_formed() {
    command(None).debug_assert();
}

#[test]
fn the_classic_form_means_what_it_meant() {
    for (line, duration_ns, debug) in [
        ("pysurge -c a.yml", None, false),
        ("pysurge -c a.yml -d 5", Some(5 * MINUTE_NS), false),
        (
            "pysurge --config a.yml --duration 5 --debug",
            Some(5 * MINUTE_NS),
            true,
        ),
        ("pysurge --config=a.yml --duration=5", Some(5 * MINUTE_NS), false),
        ("pysurge -d5 -ca.yml", Some(5 * MINUTE_NS), false),
        ("pysurge -c a.yml -d 90s", Some(MINUTE_NS * 3 / 2), false),
        ("pysurge -c a.yml -d 0", None, false),
    ] {
        let (run, classic) = run(line);
        assert!(classic, "{line}");
        assert_eq!(
            (run.duration_ns, run.shown.debug, run.target.to_str()),
            (duration_ns, debug, Some("a.yml")),
            "{line}"
        );
        assert!(!run.shown.quiet && !run.kept.no_results && run.workers.is_none());
        assert_eq!(run.choice, ChoiceArgs::default());
        assert_eq!(run.judged, JudgeArgs::default());
        assert!(run.no_rehearsal, "as 1.0.1, which rehearsed nothing");
        assert!(
            run.live.no_keys && run.live.no_control,
            "as 1.0.1, which had neither"
        );
    }
}

#[test]
fn run_takes_its_flags_in_any_place() {
    let all = RunArgs {
        target: "a.yml".into(),
        duration_ns: Some(90 * MINUTE_NS),
        workers: Some(4),
        no_rehearsal: true,
        direct: DirectArgs::default(),
        kept: ResultsArgs {
            results: Some("out".into()),
            no_results: false,
        },
        shown: ShowArgs {
            debug: true,
            quiet: true,
        },
        judged: JudgeArgs {
            thresholds: vec!["failures<1%".into(), "rate>95%".into()],
            require_valid: true,
            junit: Some("out/junit.xml".into()),
            samples: Some("s.csv.zst".into()),
        },
        choice: ChoiceArgs {
            overrides: vec!["tests.0.rate=5".into(), "seed=-7".into()],
            tags: vec!["smoke".into(), "a,b".into()],
            only: vec!["upload".into()],
            exclude: vec!["slow".into()],
        },
        live: LiveArgs {
            no_keys: true,
            control: Some("c.sock".into()),
            no_control: false,
        },
        exports: ExportArgs {
            web: Some("127.0.0.1:0".parse().unwrap()),
            prometheus: Some("0.0.0.0:9595".parse().unwrap()),
            otlp: Some(Receiver::At(
                pysurge_export::Endpoint::parse("http://collector:4318").unwrap(),
            )),
        },
    };
    for line in [
        "pysurge run a.yml -d 1h30m --no-rehearsal --workers 4 --results out --debug --quiet -o tests.0.rate=5 -o seed=-7 \
         --tag smoke --tag a,b --only upload --exclude slow --no-keys --control c.sock \
         --threshold failures<1% --threshold rate>95% --require-valid --junit out/junit.xml --samples s.csv.zst \
         --prometheus 0.0.0.0:9595 --otlp http://collector:4318 --web",
        "pysurge run --no-rehearsal --web=127.0.0.1:0 -q --debug --results=out --workers=4 --duration 90 --override tests.0.rate=5 --tag=smoke \
         -oseed=-7 --exclude=slow --only=upload --tag=a,b --control=c.sock --no-keys --samples=s.csv.zst \
         --junit=out/junit.xml --threshold=failures<1% --require-valid --threshold=rate>95% --otlp=http://collector:4318/ \
         --prometheus=0.0.0.0:9595 a.yml",
    ] {
        assert_eq!(run(line), (all.clone(), false), "{line}");
    }
    let (plain, _) = run("pysurge run a.yml");
    assert_eq!(
        (plain.duration_ns, plain.workers, plain.kept.results),
        (None, None, None)
    );
    assert_eq!(plain.choice, ChoiceArgs::default());
    assert_eq!(plain.judged, JudgeArgs::default());
    assert!(!plain.no_rehearsal);
    assert!(!plain.live.no_keys && !plain.live.no_control && plain.live.control.is_none());
    assert!(run("pysurge run a.yml --no-results").0.kept.no_results);
    assert!(run("pysurge run a.yml --no-control").0.live.no_control);
}

#[test]
fn the_other_commands_are_read() {
    let Ok(Invocation::Check(check)) = parse_line("pysurge check a.yml --debug") else {
        panic!("check");
    };
    assert!(check.debug);
    let Ok(Invocation::Check(check)) = parse_line("pysurge check a.yml --tag a -o seed=1") else {
        panic!("check");
    };
    assert_eq!(
        (check.choice.tags, check.choice.overrides),
        (vec!["a".to_owned()], vec!["seed=1".to_owned()])
    );
    let Ok(Invocation::Check(check)) = parse_line("pysurge check tests/ -k upload --trace --pdb") else {
        panic!("check");
    };
    assert!(check.trace && check.pdb && check.direct.means_pytest());
    for (line, folder, pytest, is_async) in [
        ("pysurge init", None, false, false),
        ("pysurge init --pytest a/b", Some("a/b"), true, false),
        ("pysurge init a --async", Some("a"), false, true),
    ] {
        let folder = folder.map(PathBuf::from);
        let expected = InitArgs {
            folder,
            pytest,
            is_async,
        };
        assert_eq!(parse_line(line).unwrap(), Invocation::Init(expected), "{line}");
    }
    let Ok(Invocation::Demo(demo)) = parse_line("pysurge demo") else {
        panic!("demo");
    };
    assert_eq!((demo.duration_ns, demo.rate), (MINUTE_NS / 4, None));
    let Ok(Invocation::Demo(demo)) = parse_line("pysurge demo -d 5s --rate 0.5 --workers 1") else {
        panic!("demo");
    };
    assert_eq!(
        (demo.duration_ns, demo.rate),
        (5_000_000_000, Rate::parse("0.5").ok())
    );
    let Ok(Invocation::Target(target)) = parse_line("pysurge target --delay 5ms --port 0") else {
        panic!("target");
    };
    assert_eq!((target.port, target.delay_ns), (0, 5_000_000));
    for (line, invocation) in [
        ("pysurge completions fish", Invocation::Completions(Shell::Fish)),
        ("pysurge schema config", Invocation::Schema(SchemaKind::Config)),
        ("pysurge schema summary", Invocation::Schema(SchemaKind::Summary)),
        ("pysurge schema find-max", Invocation::Schema(SchemaKind::FindMax)),
        ("pysurge schema compare", Invocation::Schema(SchemaKind::Compare)),
    ] {
        assert_eq!(parse_line(line).ok(), Some(invocation), "{line}");
    }
}

#[test]
fn plan_says_what_is_shown_and_where() {
    let plan = |line| match parse_line(line) {
        Ok(Invocation::Plan(plan)) => plan,
        other => panic!("{line}: {other:?}"),
    };
    let all = plan("pysurge plan a.yml -d 5m --workers 3 --svg a.svg --json --tag x");
    assert_eq!((all.duration_ns, all.workers), (Some(5 * MINUTE_NS), Some(3)));
    assert_eq!((all.svg.as_deref(), all.json), (Some(Path::new("a.svg")), true));
    assert!(!all.svg_to_stdout() && all.choice.tags == ["x"]);
    assert!(plan("pysurge plan a.yml --svg -").svg_to_stdout());
    assert_eq!(plan("pysurge plan a.yml").svg, None);
}

#[test]
fn control_commands_stand_before_and_behind_the_flags() {
    let scale = |milli| {
        Some(ControlCommand::Scale {
            factor: Factor::from_milli(milli).unwrap(),
        })
    };
    for (line, command, pid, socket, json) in [
        ("pysurge control", None, None, None, false),
        ("pysurge control --json", None, None, None, true),
        (
            "pysurge control status",
            Some(ControlCommand::Status),
            None,
            None,
            false,
        ),
        (
            "pysurge control pause --pid 7",
            Some(ControlCommand::Pause),
            Some(7),
            None,
            false,
        ),
        (
            "pysurge control --pid 7 resume",
            Some(ControlCommand::Resume),
            Some(7),
            None,
            false,
        ),
        ("pysurge control scale 1.5 --json", scale(1_500), None, None, true),
        (
            "pysurge control scale .5 --socket a.sock",
            scale(500),
            None,
            Some("a.sock"),
            false,
        ),
        (
            "pysurge control stop",
            Some(ControlCommand::Stop { now: false }),
            None,
            None,
            false,
        ),
        (
            "pysurge control stop --now",
            Some(ControlCommand::Stop { now: true }),
            None,
            None,
            false,
        ),
    ] {
        let expected = ControlArgs {
            command,
            pid,
            socket: socket.map(PathBuf::from),
            json,
        };
        assert_eq!(parse_line(line).unwrap(), Invocation::Control(expected), "{line}");
    }
}

/// Per flag: whose key it is, the key and how it is shown; and how the same is said of a config.
#[test]
fn flags_of_a_target_are_keys_of_a_config() {
    for (flags, shown, key, instead) in [
        (
            "--rate 3000/m",
            "--rate 3000/m",
            "rate",
            "-o 'tests[*].rate=3000/m'",
        ),
        ("--users=5", "--users 5", "users", "-o 'tests[*].users=5'"),
        (
            "--iterations 7",
            "--iterations 7",
            "iterations",
            "-o 'tests[*].iterations=7'",
        ),
        (
            "--arrivals poisson",
            "--arrivals poisson",
            "arrivals",
            "-o 'tests[*].arrivals=poisson'",
        ),
        ("--warmup 5s", "--warmup 5s", "warmup", "-o 'tests[*].warmup=5s'"),
        (
            "--max-duration 2s",
            "--max-duration 2s",
            "max_duration",
            "-o 'tests[*].max_duration=2s'",
        ),
        (
            "--kwarg size=1=2",
            "--kwarg size=1=2",
            "kwargs.size",
            "-o 'tests[*].kwargs.size=1=2'",
        ),
        ("--data u.csv", "--data u.csv", "data", "-o 'tests[*].data=u.csv'"),
        ("-k a", "-k a", "k", "-o 'tests[*].k=a'"),
        ("-m slow", "-m slow", "m", "-o 'tests[*].m=slow'"),
        ("--name n", "--name n", "name", "-o 'name=n'"),
        (
            "--pytest-arg=-x",
            "--pytest-arg=-x",
            "pytest_args",
            "-o 'pytest_args=[\"-x\"]'",
        ),
    ] {
        let (run, _) = run(&format!("pysurge run a.py {flags}"));
        let (of_run, of_test) = run.direct.flags();
        let all: Vec<_> = of_run.iter().chain(&of_test).collect();
        assert_eq!(all.len(), 1, "{flags}");
        assert_eq!(
            (all[0].shown.as_str(), all[0].key.join(".")),
            (shown, key.to_owned())
        );
        assert_eq!(run.direct.first().unwrap().1, instead);
    }
    let (all, _) = run(
        "pysurge run a.py --data u.csv --order shuffle --reuse once --pytest-arg -x --pytest-arg=-v --kwarg a=1 --kwarg b=",
    );
    let (of_run, of_test) = all.direct.flags();
    assert_eq!(
        of_run.iter().map(|flag| flag.text.as_str()).collect::<Vec<_>>(),
        ["-x", "-v"]
    );
    let keys: Vec<String> = of_test.iter().map(|flag| flag.key.join(".")).collect();
    assert_eq!(
        keys,
        ["data.from", "data.order", "data.reuse", "kwargs.a", "kwargs.b"]
    );
    assert!(run("pysurge run a.yml").0.direct.first().is_none());
}

#[test]
fn wrong_command_lines_are_refused_with_words_that_help() {
    let lines = [
        "pysurge -d 5",
        "pysurge --debug",
        "pysurge -c",
        "pysurge -c a.yml -d",
        "pysurge -c a.yml -d x",
        "pysurge -c a.yml run b.yml",
        "pysurge a.yml",
        "pysurge chekc a.yml",
        "pysurge tests/",
        "pysurge load.py:upload",
        "pysurge tests",
        "pysurge run",
        "pysurge run a.yml b.yml",
        "pysurge run a.yml -d 0",
        "pysurge run a.yml -d -5",
        "pysurge run a.yml -d abc",
        "pysurge run a.yml -d 5x",
        "pysurge run a.yml --workers 0",
        "pysurge run a.yml --workers many",
        "pysurge run a.yml --results out --no-results",
        "pysurge run a.yml --durtion 5",
        "pysurge run a.yml --control a.sock --no-control",
        "pysurge run a.yml -o",
        "pysurge run a.yml --threshold",
        "pysurge run a.yml --require-valid=yes",
        "pysurge run a.py --kwarg size",
        "pysurge run a.py --kwarg =5",
        "pysurge run a.py --order shuffle",
        "pysurge run a.py --pacing 1s",
        "pysurge run a.py b.py",
        "pysurge check a.yml --pdb",
        "pysurge check a.yml --trace --debug",
        "pysurge init --pytest --async",
        "pysurge init a b",
        "pysurge check a.yml --junit a.xml",
        "pysurge plan",
        "pysurge plan a.yml --json --svg -",
        "pysurge control dance",
        "pysurge control scale",
        "pysurge control scale 0",
        "pysurge control scale -2",
        "pysurge control scale twice",
        "pysurge control pause --pid x",
        "pysurge control pause --pid 7 --socket a.sock",
        "pysurge demo --rate 0",
        "pysurge demo a.yml",
        "pysurge target --port 70000",
        "pysurge target --delay 5",
        "pysurge completions tcsh",
        "pysurge schema yaml",
    ];
    let text = lines.iter().fold(String::new(), |mut text, line| {
        let error = parse_line(line).expect_err(line);
        assert_eq!((error.exit_code(), error.use_stderr()), (2, true), "{line}");
        let _ = writeln!(text, "$ {line}\n{}", error.render());
        text
    });
    insta::assert_snapshot!(text);
}

#[test]
fn help_texts() {
    for (name, line) in [
        ("short", "pysurge -h"),
        ("long", "pysurge --help"),
        ("run", "pysurge run --help"),
        ("check", "pysurge check --help"),
        ("plan", "pysurge plan --help"),
        ("find_max", "pysurge find-max --help"),
        ("compare", "pysurge compare --help"),
        ("history", "pysurge history --help"),
        ("control", "pysurge control --help"),
        ("control_scale", "pysurge control scale --help"),
        ("demo", "pysurge demo --help"),
        ("init", "pysurge init --help"),
        ("target", "pysurge target --help"),
        ("completions", "pysurge completions --help"),
        ("schema", "pysurge schema --help"),
    ] {
        let help = parse_line(line).expect_err(line);
        assert_eq!((help.exit_code(), help.use_stderr()), (0, false), "{line}");
        let text = help.render().to_string();
        for shown in text.lines() {
            assert!(shown.chars().count() <= 80, "{line}: {shown}");
        }
        insta::assert_snapshot!(format!("help_{name}"), text);
    }
}

#[test]
fn no_arguments_show_the_short_help_as_an_error() {
    let help = parse_line("pysurge").expect_err("nothing is asked for");
    assert_eq!((help.exit_code(), help.use_stderr()), (2, true));
    let short = parse_line("pysurge -h").expect_err("help");
    assert_eq!(help.render().to_string(), short.render().to_string());
}

#[test]
fn help_uses_the_width_there_is_up_to_a_limit() {
    let widest = |columns| {
        let args = ["pysurge", "--help"].map(OsString::from);
        let text = parse(&args, Some(columns))
            .expect_err("help")
            .render()
            .to_string();
        text.lines().map(|line| line.chars().count()).max()
    };
    assert!(widest(100) > widest(80));
    assert_eq!(widest(100), widest(400));
}
