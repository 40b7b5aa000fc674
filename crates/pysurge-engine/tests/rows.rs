//! Data from a long file: what it costs in memory. A program of its own, for it looks at the memory of the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pysurge_core::plan::{Data, DataSource, Reuse, RowOrder};
use pysurge_engine::Rows;
use std::io::{BufWriter, Write as _};

const ROWS: u64 = 2_000_000;

/// Half of what the file takes, and more than its places, a stretch and what the test itself needs.
const MOST_BYTES: u64 = 16 << 20;

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_flat_however_many_rows_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
    writeln!(file, "user,token").unwrap();
    for n in 0..ROWS {
        writeln!(file, "{n},token-{n:08}").unwrap();
    }
    file.into_inner().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 2 * MOST_BYTES);

    let before = resident_bytes();
    for order in [RowOrder::Sequential, RowOrder::Shuffle] {
        let data = Data {
            source: DataSource::File(String::new()),
            order,
            reuse: Reuse::Once,
            seed: 0,
        };
        let rows = Rows::open(&data, path.to_str().unwrap(), 1).unwrap();
        assert_eq!(rows.count(), ROWS);
        let mut cells = 0;
        for number in (0..ROWS).step_by(7) {
            let row = rows.row(number).unwrap();
            let Ok(()) = row.each::<std::convert::Infallible>(|_, _, _| {
                cells += 1;
                Ok(())
            });
        }
        assert_eq!(cells, 2 * ROWS.div_ceil(7));
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < MOST_BYTES, "{order:?}: {grown} bytes more");
    }
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}
