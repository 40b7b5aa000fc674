//! The flags of `pysurge history`.

use clap::{Args, ValueHint};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// `pysurge history`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct HistoryArgs {
    /// The folder that holds the runs' folders
    #[arg(default_value = "pysurge-results", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,

    /// Only the last so many
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<NonZeroUsize>,

    /// Only runs of this name
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Print JSON in place of the table
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Invocation, parse};

    #[test]
    fn the_folder_is_that_of_runs_unless_said() {
        for (line, dir, last) in [
            ("pysurge history", "pysurge-results", None),
            ("pysurge history out --last 3 --name shop --json", "out", Some(3)),
        ] {
            let args: Vec<std::ffi::OsString> = line.split(' ').map(Into::into).collect();
            let Ok(Invocation::History(args)) = parse(&args, None) else {
                panic!("{line}");
            };
            assert_eq!((args.dir, args.last.map(NonZeroUsize::get)), (dir.into(), last));
        }
        let wrong = ["pysurge", "history", "--last", "0"].map(Into::into);
        assert!(parse(&wrong, None).is_err());
    }
}
