//! What stands below the flags in the help texts: examples and tables.

use clap::builder::styling::AnsiColor;

pub(super) const SHORT_NOTES: &str = "\
First steps:
  pysurge demo                       a first load test, in 15 seconds
  pysurge check config.yml           run each test once, fire no load
  pysurge run config.yml -d 5m       fire for five minutes, or until Ctrl+C
  pysurge run load.py:upload         fire a function, without a config
  pysurge run tests/ --rate 20       fire tests of pytest
  pysurge init                       write an example to start from

`pysurge --help` says more, also about exit codes and the environment.";

/// Examples and tables for the end of the long help.
pub(super) fn long_notes() -> String {
    let heading = |text: &str| {
        let style = AnsiColor::Green.on_default().bold();
        format!("{style}{text}:{style:#}")
    };
    format!(
        "\
{examples}
  pysurge demo                       a first load test, in 15 seconds
  pysurge check config.yml           run each test once, fire no load
  pysurge plan config.yml            show what would be fired, fire nothing
  pysurge run config.yml             fire until Ctrl+C
  pysurge run load.py:upload --rate 20 -d 1m --kwarg size=10
  pysurge run tests/test_api.py -k upload --rate 20 -d 1m
  pysurge init                       write an example to start from
  pysurge run config.yml -d 1h30m --workers 4 --results /tmp/results
  pysurge find-max config.yml --slo \"response_time.p99 < 300ms\"
  pysurge history                    list the runs so far
  pysurge report RUN                 show a run again; rebuild a killed one
  pysurge compare BASE NEW           say whether two runs differ
  pysurge control pause              ask the run that goes on to pause
  pysurge -c config.yml -d 5         the form of pysurge 1.0.1: five minutes

{config}
  tests:
  - test_class: package.module.ClassName  # found from the current folder on
    kwargs: {{any: thing}}                  # for its __init__
    rate: 0.2                             # iterations per second, all workers
  In place of test_class: `test: load.py:upload` (any function or class), or
  `test: tests/` (tests of pytest). Values may hold ${{NAME}} and
  ${{NAME:-default}}: variables of the environment.

{steering}
  On a terminal: p pauses and resumes, + and - change all rates, = sets them
  back, s stops, h shows the keys; Ctrl+Z pauses as well. From elsewhere:
  the dashboard of --web, pysurge control, or the control socket of the run.

{stopping}
  Ctrl+C (or SIGTERM) starts nothing more and lets running iterations finish;
  a second one abandons them. The report is always written.

{exit_codes}
  0    it ran to its end and every threshold held; some iterations may have
       failed
  1    internal error, or not all results could be written
  2    wrong usage or config, or a test cannot be loaded; nothing was fired.
       Or there is nothing to control
  3    a threshold failed or had no data, no iteration passed, a test could
       not run at all, or all workers died
  4    the verdict is invalid, and --require-valid was given
  130  stopped by a second Ctrl+C, or by the first before anything was fired

{environment}
  NO_COLOR         no colours
  CLICOLOR_FORCE   colours, also where the output is no terminal
  PYSURGE_TOKEN    what --web asks for, and --prometheus where other machines
                   reach it
  OTEL_…           headers, times and attributes of --otlp, as usual",
        examples = heading("Examples"),
        config = heading("Config"),
        steering = heading("While it runs"),
        stopping = heading("Stopping"),
        exit_codes = heading("Exit codes"),
        environment = heading("Environment"),
    )
}

pub(super) const RUN_ABOUT: &str = "\
Fire a config file, a function, a class or tests of pytest

TARGET is a config file (YAML), package.module.Name or path/to/file.py:name (a function, a coroutine function, or a class with run()), or tests \
of pytest: tests/, tests/test_api.py, tests/test_api.py::test_upload. Each test is run once before any load. The report goes to stdout at the \
end, together with the log lines of the tests; progress goes to stderr. The run's folder keeps summary.json, timeseries.csv, run.log and the \
config.";

pub(super) const RUN_NOTES: &str = "\
Examples:
  pysurge run config.yml -d 90s
  pysurge run config.yml -d 5m --workers 1 --quiet > report.txt
  pysurge run config.yml -d 30s --no-results
  pysurge run config.yml --tag smoke -o tests.0.rate=5 -o seed=7
  pysurge run config.yml -d 5m --threshold 'failures < 1%' --junit junit.xml
  pysurge run config.yml -d 5m --samples samples.csv.zst
  pysurge run load.py:upload --rate 20 -d 30s --kwarg size=10
  pysurge run shop.load.Checkout --users 5 --think-time '[1s, 3s]' -d 5m
  pysurge run load.py:login --rate 50 -d 1m --data users.csv --order shuffle
  pysurge run tests/ -m 'not slow' --rate 20 -d 1m
  pysurge run config.yml -d 5m --prometheus
  pysurge run config.yml -d 5m --otlp http://collector:4318";

pub(super) const CHECK_NOTES: &str = "\
Examples:
  pysurge check config.yml
  pysurge check config.yml --debug && pysurge run config.yml -d 5m
  pysurge check load.py:upload --kwarg size=10
  pysurge check tests/test_api.py::test_upload --trace --pdb";

pub(super) const PLAN_NOTES: &str = "\
Examples:
  pysurge plan config.yml -d 10m
  pysurge plan config.yml --svg plan.svg
  pysurge plan config.yml --json | jq .totals.planned
  pysurge plan tests/ --rate 20 -d 1m";

pub(super) const FIND_MAX_NOTES: &str = "\
Examples:
  pysurge find-max config.yml --slo \"response_time.p99 < 300ms\" --slo \"failures < 1%\"
  pysurge find-max config.yml --slo \"response_time.p95 < 1s\" --start 50 --max-rate 2000
  pysurge find-max config.yml --hold 30s --max-time 30m --json > max.json

Exit codes:
  0    a rate was found that holds, or that holds at least
  2    wrong usage or config, or a test cannot be loaded
  3    no rate held
  4    the generator's limit was reached before anything could be said
  130  stopped by Ctrl+C; what was known by then is shown";

pub(super) const COMPARE_NOTES: &str = "\
Examples:
  pysurge compare main pr
  pysurge compare main pr --fail-if \"response_time.p95 > +5%\"
  pysurge compare main-1 pr-1 --base main-2 --base main-3 --new pr-2 --new pr-3
  pysurge compare main pr --markdown > comment.md
  pysurge compare main pr --html compare.html

A difference is seen where its 95 % interval does not hold 0; the intervals hold together.

Exit codes:
  0    compared; no --fail-if was met
  2    wrong usage, or a run cannot be read or the page not written
  3    a --fail-if was met";

pub(super) const HISTORY_NOTES: &str = "\
Examples:
  pysurge history
  pysurge history results --name shop --last 10
  pysurge history --json | jq '.[-1].folder'";

pub(super) const REPORT_NOTES: &str = "\
Examples:
  pysurge report pysurge-results/20260102-030405-shop
  pysurge report pysurge-results/20260102-030405-shop --json | jq .account
  pysurge report pysurge-results/20260102-030405-shop --junit junit.xml

Exit codes:
  0    shown, whatever came of the run
  1    what was rebuilt, or the JUnit XML, could not be written
  2    there is no run, or nothing of it can be read";

pub(super) const CONTROL_NOTES: &str = "\
Examples:
  pysurge control                    how all runs stand
  pysurge control pause
  pysurge control scale 1.5 --pid 4711
  pysurge control stop --now";

pub(super) const DEMO_NOTES: &str = "\
Examples:
  pysurge demo
  pysurge demo -d 1m --rate 500";

pub(super) const INIT_NOTES: &str = "\
Examples:
  pysurge init                       a TestCase and a config
  pysurge init --pytest              tests of pytest and a config
  pysurge init --async load          coroutine functions, into the folder load

Exit codes:
  0    written
  2    a file is there already, or cannot be written; nothing was changed";

pub(super) const TARGET_NOTES: &str = "\
Answers:
  GET /           200
  GET /items/N    200
  POST /items     201
  GET /delay/MS   200, after MS milliseconds
  GET /freeze/MS  200; then no answer leaves for MS milliseconds
  GET /stats      200, what was answered so far
  anything else   404

Example:
  pysurge target --port 8080 --delay 5ms --log arrivals.log";

pub(super) const COMPLETIONS_NOTES: &str = "\
Examples:
  pysurge completions bash > ~/.local/share/bash-completion/completions/pysurge
  pysurge completions zsh > ~/.zfunc/_pysurge
  pysurge completions fish > ~/.config/fish/completions/pysurge.fish";

pub(super) const SCHEMA_NOTES: &str = "\
Example:
  pysurge schema config > config.schema.json

An editor with YAML support then checks a config that begins with
  # yaml-language-server: $schema=config.schema.json";
