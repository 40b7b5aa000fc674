//! The flags of `pysurge report`.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// `pysurge report`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ReportArgs {
    /// The folder of a run, or of a search
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,

    /// Print the summary as JSON in place of the text
    #[arg(long)]
    pub(crate) json: bool,

    /// The file for `JUnit` XML.
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Write the result as JUnit XML, too"
    )]
    pub(crate) junit: Option<PathBuf>,
}
