//! What a row costs before Python sees it: `cargo run --release -p pysurge-engine --example rows -- users.csv`. Without a file, one of two
//! million rows is made. Tells, for each order, how long the file took to check and what a row costs.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a measurement"
)]

use pysurge_core::plan::{Data, DataSource, Reuse, RowOrder};
use pysurge_engine::{Rows, clock};
use std::io::{BufWriter, Write as _};

const ROWS: u64 = 2_000_000;
const ASKED: u64 = 1_000_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let paths = match std::env::args().nth(1) {
        Some(path) => vec![path],
        None => ["csv", "jsonl"].map(|kind| made(folder.path(), kind)).to_vec(),
    };
    for path in paths {
        for order in [RowOrder::Sequential, RowOrder::Shuffle, RowOrder::Random] {
            for workers in [1, 8] {
                measure(&path, order, workers);
            }
        }
    }
}

fn measure(path: &str, order: RowOrder, workers: usize) {
    let data = Data {
        source: DataSource::File(path.to_owned()),
        order,
        reuse: Reuse::Cycle,
        seed: 0,
    };
    let begin_ns = clock::now_ns();
    let rows = Rows::open(&data, path, 1).unwrap();
    let opened_ns = clock::now_ns();
    let mut bytes = 0;
    for number in (0..).step_by(workers).take(usize::try_from(ASKED).unwrap()) {
        let row = rows.row(number).unwrap();
        let Ok(()) = row.each::<std::convert::Infallible>(|_, name, _| {
            bytes += name.len();
            Ok(())
        });
    }
    let ended_ns = clock::now_ns();
    println!(
        "{path}: {order:?}, every {workers}. row: {} rows checked in {:.2} s, {:.0} ns a row ({bytes} bytes of names)",
        rows.count(),
        (opened_ns - begin_ns) as f64 / 1e9,
        (ended_ns - opened_ns) as f64 / ASKED as f64,
    );
}

fn made(folder: &std::path::Path, kind: &str) -> String {
    let path = folder.join(format!("rows.{kind}"));
    let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
    if kind == "csv" {
        writeln!(file, "user,token,mail,city").unwrap();
    }
    for n in 0..ROWS {
        if kind == "csv" {
            writeln!(file, "user-{n},secret-{n:016},user-{n}@example.org,Springfield").unwrap();
        } else {
            let mail = format!("user-{n}@example.org");
            writeln!(
                file,
                r#"{{"user": "user-{n}", "token": {n}, "mail": "{mail}", "city": "Springfield"}}"#
            )
            .unwrap();
        }
    }
    file.into_inner().unwrap();
    path.into_os_string().into_string().unwrap()
}
