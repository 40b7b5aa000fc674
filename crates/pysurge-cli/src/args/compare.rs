//! The flags of `pysurge compare`.

use clap::{Args, ValueHint};
use pysurge_core::compare::DEFAULT_SEED;
use std::path::PathBuf;

/// `pysurge compare`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct CompareArgs {
    /// The run to compare with: its folder, or its summary.json
    #[arg(value_hint = ValueHint::AnyPath)]
    base: Option<PathBuf>,

    /// The run that is compared
    #[arg(value_hint = ValueHint::AnyPath)]
    new: Option<PathBuf>,

    /// One more run of the base side; may be repeated
    #[arg(long = "base", value_name = "RUN", value_hint = ValueHint::AnyPath)]
    more_base: Vec<PathBuf>,

    /// One more run of the new side; may be repeated
    #[arg(long = "new", value_name = "RUN", value_hint = ValueHint::AnyPath)]
    more_new: Vec<PathBuf>,

    /// End with exit code 3 where this is seen: "rate < -5%"; may be repeated
    #[arg(long = "fail-if", value_name = "CONDITION")]
    pub(crate) fail_if: Vec<String>,

    /// Only the test with this name or label; may be repeated
    #[arg(long = "test", value_name = "NAME")]
    pub(crate) tests: Vec<String>,

    /// What the resamples are drawn from
    #[arg(long, default_value_t = DEFAULT_SEED)]
    pub(crate) seed: u64,

    /// Print JSON in place of the text
    #[arg(long)]
    pub(crate) json: bool,

    /// Print Markdown in place of the text, for a pull request
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,

    /// Write a page with both sides laid over each other, too
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
}

impl CompareArgs {
    /// The runs of the base side.
    pub(crate) fn base_runs(&self) -> Vec<PathBuf> {
        self.base.iter().chain(&self.more_base).cloned().collect()
    }

    /// The runs of the new side.
    pub(crate) fn new_runs(&self) -> Vec<PathBuf> {
        self.new.iter().chain(&self.more_new).cloned().collect()
    }

    /// Whether a side has no run.
    pub(super) fn lacks_a_side(&self) -> bool {
        self.base_runs().is_empty() || self.new_runs().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Invocation, parse};

    fn compare(line: &str) -> Result<CompareArgs, String> {
        let words = line.split_whitespace().map(Into::into);
        let args: Vec<std::ffi::OsString> = ["pysurge".into(), "compare".into()]
            .into_iter()
            .chain(words)
            .collect();
        match parse(&args, None) {
            Ok(Invocation::Compare(args)) => Ok(args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.render().to_string()),
        }
    }

    #[test]
    fn sides_have_one_run_or_several() {
        for (line, base, new) in [
            ("a b", &["a"][..], &["b"][..]),
            ("a b --base c --new d --new e", &["a", "c"], &["b", "d", "e"]),
            ("--base a --base c --new b", &["a", "c"], &["b"]),
            ("a --new b", &["a"], &["b"]),
        ] {
            let args = compare(line).unwrap();
            let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
            assert_eq!(
                (args.base_runs(), args.new_runs()),
                (paths(base), paths(new)),
                "{line}"
            );
            assert_eq!((args.seed, args.json), (DEFAULT_SEED, false));
        }
        for line in ["", "a", "--new b", "--base a --base b"] {
            let error = compare(line).unwrap_err();
            assert!(error.contains("two runs are needed"), "{line}: {error}");
        }
    }

    #[test]
    fn one_form_is_printed() {
        assert!(
            compare("a b --json --markdown")
                .unwrap_err()
                .contains("cannot be used with")
        );
        let args =
            compare("a b --markdown --fail-if rate<-5% --fail-if failures>+1pp --seed 7 --test x").unwrap();
        assert!(args.markdown);
        assert_eq!((args.fail_if.len(), args.seed, args.tests.len()), (2, 7, 1));
    }
}
