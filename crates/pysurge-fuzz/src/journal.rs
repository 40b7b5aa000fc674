//! Journals of runs: errors in words, and figures that balance once they are told as those of a killed run.

use crate::expect_harmless;
use pysurge_core::summary::Status;

/// The journal of a run: an error in words, or figures that balance once they are told as those of a killed run. Where the first byte is odd,
/// each line gets its true checksum: a fuzzer finds none by chance.
pub fn journal(bytes: &[u8]) {
    let Some((&how, bytes)) = bytes.split_first() else {
        return;
    };
    let sealed;
    let bytes = if how % 2 == 1 {
        sealed = sealed_lines(bytes);
        &sealed
    } else {
        bytes
    };
    match pysurge_report::journal::read(bytes) {
        Err(error) => expect_harmless(&error.to_string()),
        Ok(journal) => {
            let was_running = journal.summary.status == Status::Running;
            let rebuilt = journal.rebuild();
            if was_running {
                let balanced = rebuilt.summary.tests.iter().all(|test| test.account.balances());
                assert!(
                    balanced && rebuilt.summary.account.balances(),
                    "{:?}",
                    rebuilt.summary.account
                );
            }
        }
    }
}

fn sealed_lines(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let sealed = lines.flat_map(|json| {
        let checksum = format!("{:08x} ", crc32fast::hash(json));
        [checksum.as_bytes(), json, b"\n"].concat()
    });
    sealed.collect()
}
