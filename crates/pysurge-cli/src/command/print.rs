//! `pysurge completions` and `pysurge schema`: texts for other programs, on standard output.

use crate::args::{self, SchemaKind};
use crate::error::CliError;
use crate::world::World;
use clap_complete::Shell;

/// Prints the completion script of a shell.
pub(super) fn completions(shell: Shell, world: &mut World) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(None), "pysurge", &mut script);
    print(&String::from_utf8_lossy(&script), world)
}

/// Prints a JSON Schema.
pub(super) fn schema(kind: SchemaKind, world: &mut World) -> Result<u8, CliError> {
    let text = match kind {
        SchemaKind::Config => format!("{:#}\n", pysurge_config::json_schema()),
        SchemaKind::Summary => pysurge_report::summary_schema(),
        SchemaKind::FindMax => pysurge_report::find_max_schema(),
        SchemaKind::Compare => pysurge_report::compare_schema(),
    };
    print(&text, world)
}

fn print(text: &str, world: &mut World) -> Result<u8, CliError> {
    world.stdout.print(text).map_err(CliError::Output)?;
    Ok(0)
}
