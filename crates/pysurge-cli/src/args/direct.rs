//! The flags for a target that is no config file: what a config would say, of the one test that there is.
//!
//! Their values are read as those of a config are, so that both mean the same and are refused in the same words. In front of a config file they
//! are refused: `-o` is for that.

use clap::{Args, ValueHint};
use pysurge_config::{Flag, FlagKind};

/// The most of a value that an error repeats; kwargs may be long.
const MAX_SHOWN_CHARS: usize = 60;

/// What would stand in a config.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Where TARGET is no config file")]
pub(crate) struct DirectArgs {
    /// Iterations per second, over all workers: 50, 3000/m [default: 1]
    #[arg(long, allow_negative_numbers = true)]
    rate: Option<String>,

    /// In place of a rate: so many users who take turns
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    users: Option<String>,

    /// With --users, from the start of an iteration to the next: 1s, [1s, 3s]
    #[arg(long, value_name = "SPAN", requires = "users", allow_negative_numbers = true)]
    pacing: Option<String>,

    /// With --users, from the end of an iteration to the next
    #[arg(long, value_name = "SPAN", requires = "users", allow_negative_numbers = true)]
    think_time: Option<String>,

    /// How many iterations at most
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    iterations: Option<String>,

    /// How iterations are spread: constant, poisson [default: constant]
    #[arg(long, value_name = "PROCESS")]
    arrivals: Option<String>,

    /// Leave out of all results what is planned in so long a time: 10s
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true)]
    warmup: Option<String>,

    /// How long one iteration may take: sizes the pool of threads
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true)]
    max_duration: Option<String>,

    /// A keyword argument for the class or function, any YAML; may be repeated
    #[arg(long = "kwarg", value_name = "NAME=VALUE", value_parser = parse_kwarg)]
    kwargs: Vec<(String, String)>,

    /// Rows for the iterations: FILE.csv, FILE.jsonl, module.name, file.py:name
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    data: Option<String>,

    /// With --data: sequential, shuffle, random [default: sequential]
    #[arg(long, requires = "data")]
    order: Option<String>,

    /// With --data: once (the test ends with the rows), cycle [default: cycle]
    #[arg(long, requires = "data")]
    reuse: Option<String>,

    /// Only tests of pytest whose names fit, as pytest's -k
    #[arg(short, value_name = "EXPRESSION", allow_hyphen_values = true)]
    k: Option<String>,

    /// Only tests of pytest whose marks fit, as pytest's -m
    #[arg(short, value_name = "EXPRESSION", allow_hyphen_values = true)]
    m: Option<String>,

    /// An option for pytest, such as --pytest-arg=-x; may be repeated
    #[arg(long = "pytest-arg", value_name = "ARG", allow_hyphen_values = true)]
    pytest_args: Vec<String>,

    /// What the run is called [default: as the target]
    #[arg(long)]
    name: Option<String>,
}

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Run,
    Test,
}

/// One flag that was given.
struct Given<'a> {
    flag: &'static str,
    of: Of,
    key: Vec<&'a str>,
    kind: FlagKind,
    /// What is read.
    text: &'a str,
}

impl DirectArgs {
    /// The keys of the run and those of the test.
    pub(crate) fn flags(&self) -> (Vec<Flag>, Vec<Flag>) {
        let all = self.given();
        let of = |whose: Of| {
            all.iter()
                .filter(|given| given.of == whose)
                .map(Given::flag)
                .collect()
        };
        (of(Of::Run), of(Of::Test))
    }

    /// Whether an expression of pytest's is given.
    pub(crate) fn means_pytest(&self) -> bool {
        self.k.is_some() || self.m.is_some()
    }

    /// The first flag that is given, and how the same is said of a config.
    pub(crate) fn first(&self) -> Option<(&'static str, String)> {
        let given = self.given();
        let first = given.first()?;
        let key = first.key.join(".");
        let key = match first.of {
            Of::Run => key,
            Of::Test => format!("tests[*].{key}"),
        };
        let value = match first.kind {
            FlagKind::Item => format!("[{:?}]", first.text),
            FlagKind::Text | FlagKind::Plain | FlagKind::Yaml => first.text.to_owned(),
        };
        Some((first.flag, format!("-o '{key}={}'", shortened(&value))))
    }

    fn given(&self) -> Vec<Given<'_>> {
        use FlagKind::{Item, Plain, Text, Yaml};
        fn one<'a>(
            flag: &'static str,
            of: Of,
            key: &[&'static str],
            kind: FlagKind,
            text: Option<&'a String>,
        ) -> Option<Given<'a>> {
            Some(Given {
                flag,
                of,
                key: key.to_vec(),
                kind,
                text: text?,
            })
        }
        let data = if self.order.is_some() || self.reuse.is_some() {
            &["data", "from"][..]
        } else {
            &["data"]
        };
        let mut given: Vec<Given<'_>> = [
            one("--rate", Of::Test, &["rate"], Plain, self.rate.as_ref()),
            one("--users", Of::Test, &["users"], Plain, self.users.as_ref()),
            one("--pacing", Of::Test, &["pacing"], Yaml, self.pacing.as_ref()),
            one(
                "--think-time",
                Of::Test,
                &["think_time"],
                Yaml,
                self.think_time.as_ref(),
            ),
            one(
                "--iterations",
                Of::Test,
                &["iterations"],
                Plain,
                self.iterations.as_ref(),
            ),
            one(
                "--arrivals",
                Of::Test,
                &["arrivals"],
                Text,
                self.arrivals.as_ref(),
            ),
            one("--warmup", Of::Test, &["warmup"], Plain, self.warmup.as_ref()),
            one(
                "--max-duration",
                Of::Test,
                &["max_duration"],
                Plain,
                self.max_duration.as_ref(),
            ),
            one("--data", Of::Test, data, Text, self.data.as_ref()),
            one("--order", Of::Test, &["data", "order"], Text, self.order.as_ref()),
            one("--reuse", Of::Test, &["data", "reuse"], Text, self.reuse.as_ref()),
            one("-k", Of::Test, &["k"], Text, self.k.as_ref()),
            one("-m", Of::Test, &["m"], Text, self.m.as_ref()),
            one("--name", Of::Run, &["name"], Text, self.name.as_ref()),
        ]
        .into_iter()
        .flatten()
        .collect();
        given.extend(self.kwargs.iter().map(|(name, text)| Given {
            flag: "--kwarg",
            of: Of::Test,
            key: vec!["kwargs", name],
            kind: Yaml,
            text,
        }));
        given.extend(self.pytest_args.iter().map(|text| Given {
            flag: "--pytest-arg",
            of: Of::Run,
            key: vec!["pytest_args"],
            kind: Item,
            text,
        }));
        given
    }
}

impl Given<'_> {
    fn flag(&self) -> Flag {
        let value = match self.flag {
            "--kwarg" => format!("{}={}", self.key[1], self.text),
            _ => self.text.to_owned(),
        };
        let between = if self.flag == "--pytest-arg" { "=" } else { " " };
        Flag {
            key: self.key.iter().map(|key| (*key).to_owned()).collect(),
            text: self.text.to_owned(),
            kind: self.kind,
            shown: format!("{}{between}{}", self.flag, shortened(&value)),
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn parse_kwarg(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or(("", text));
    if name.trim().is_empty() {
        return Err("write a name, `=` and a value, such as --kwarg size=10".to_owned());
    }
    Ok((name.trim().to_owned(), value.to_owned()))
}
