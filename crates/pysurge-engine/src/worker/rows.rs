//! A file of data in a worker: read and checked once before the start, then row by row as iterations ask.
//!
//! A file that is not long is kept in memory, where nothing is locked. Of a longer one the places of its rows are known, and a stretch of it is
//! read where a row is asked for that the last stretch does not have: in the order of the file a stretch serves hundreds of iterations, in
//! a random order one. It is read by position rather than mapped, for a mapped file that is cut short kills the process that looks there.
//! What was checked must be what is handed out: a file that changed since is refused.

use parking_lot::Mutex;
use pysurge_core::plan::{Data, DataSource, RowOrder, TestPlan};
use pysurge_core::rows::{Block, Field, Index, Kind, RowsError, row_of};
use pysurge_core::value::Value;
use pysurge_core::wire::{LoadError, LoadFault};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file of at most so many bytes is kept in memory, in each worker.
const KEPT_BYTES: u64 = 8 << 20;

/// How much is read at a time where rows come in the order of the file.
const STRETCH_BYTES: u64 = 64 << 10;

/// Stretches that are remembered: threads that are a little behind still need the last one.
const REMEMBERED: usize = 2;

/// Why an iteration gets no row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// All were handed out: no iteration is planned that asks for another.
    #[error("{file} has no row for iteration {number}")]
    NoneLeft {
        /// The file.
        file: String,
        /// The iteration's number.
        number: u64,
    },
    /// It is not what it was when it was checked.
    #[error("{0} was changed while the run went on")]
    Changed(String),
    /// The system refuses.
    #[error("{file} cannot be read: {why}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
}

/// The rows of a file, for the iterations of a test.
#[derive(Debug)]
pub struct Rows {
    data: Data,
    path: String,
    index: Index,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Kept(Stretch),
    Parts(Parts),
}

/// Rows in memory.
#[derive(Debug)]
struct Stretch {
    first: u64,
    bytes: Vec<u8>,
    /// Where each row begins in the bytes, and where the last one ends.
    ends: Vec<u32>,
}

impl Stretch {
    fn has(&self, row: u64) -> bool {
        row >= self.first && row - self.first < self.ends.len() as u64 - 1
    }

    fn row(&self, row: u64) -> &[u8] {
        let at = usize::try_from(row - self.first).expect("a place in memory");
        &self.bytes[self.ends[at] as usize..self.ends[at + 1] as usize]
    }
}

/// A file that is read as it is needed.
#[derive(Debug)]
struct Parts {
    file: File,
    stamp: Stamp,
    /// Rows are asked for in the order of the file.
    in_order: bool,
    /// What was read last, for each of the cores that run iterations at the same time.
    shards: Vec<Mutex<Remembered>>,
}

/// Descriptors that user code seldom closes when it closes all it finds.
const DESCRIPTORS_FROM: i32 = 4_000;

/// The file at a high descriptor, if so high a one is allowed: where user code closed a low one and opened something else, rows would be
/// read from that.
fn out_of_the_way(file: File) -> File {
    rustix::io::fcntl_dupfd_cloexec(&file, DESCRIPTORS_FROM).map_or(file, File::from)
}

/// The stretches read last.
type Remembered = [Option<Arc<Stretch>>; REMEMBERED];

/// What tells that a file was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        Ok(Self {
            length: about.len(),
            modified_s: about.mtime(),
            modified_ns: about.mtime_nsec(),
        })
    }
}

/// Reads and checks the file of a test that is fed from one. As many threads as there are `shards` can read at the same time without
/// waiting for each other.
pub(super) fn read(test: &TestPlan, shards: usize) -> Result<Option<Arc<Rows>>, LoadError> {
    let Some(data) = test.data.as_ref() else {
        return Ok(None);
    };
    let DataSource::File(file) = &data.source else {
        return Ok(None);
    };
    let rows = Rows::open(data, file, shards).map_err(|error| LoadError {
        fault: LoadFault::Data,
        message: format!("{file}: {error}"),
        hint: error.hint().map(str::to_owned),
        traceback: String::new(),
    })?;
    Ok(Some(Arc::new(rows)))
}

impl Rows {
    /// Reads and checks a file. As many threads as there are `shards` can ask for rows at the same time without waiting for each other.
    pub fn open(data: &Data, path: &str, shards: usize) -> Result<Self, RowsError> {
        Self::open_keeping(KEPT_BYTES, data, path, shards)
    }

    fn open_keeping(kept_bytes: u64, data: &Data, path: &str, shards: usize) -> Result<Self, RowsError> {
        let refused = |error: io::Error| RowsError::Io(error.to_string());
        let kind = Kind::of(path)?;
        // Before it is opened: a pipe would wait for whoever writes to it.
        let about = std::fs::metadata(path).map_err(refused)?;
        if !about.is_file() {
            let what = if about.is_dir() {
                "a folder"
            } else {
                "no regular file"
            };
            return Err(RowsError::Io(format!("this is {what}")));
        }
        let file = File::open(path).map_err(refused)?;
        let stamp = Stamp::of(&file).map_err(refused)?;
        let read = Index::read(kind, stamp.length, || Ok(FromStart { file: &file, at: 0 }));
        let unchanged = || Stamp::of(&file).is_ok_and(|now| now == stamp);
        // What is wrong with a file that somebody writes to is that.
        if !unchanged() {
            return Err(RowsError::Changed);
        }
        let index = read?;
        let whole = index.whole();
        let store = if whole.to - whole.from <= kept_bytes {
            let kept = stretch(&index, &file, whole).map_err(refused)?;
            Store::Kept(kept.filter(|_| unchanged()).ok_or(RowsError::Changed)?)
        } else {
            Store::Parts(Parts {
                file: out_of_the_way(file),
                stamp,
                in_order: data.order == RowOrder::Sequential,
                shards: (0..shards.max(1)).map(|_| Mutex::default()).collect(),
            })
        };
        Ok(Self {
            data: data.clone(),
            path: path.to_owned(),
            index,
            store,
        })
    }

    /// How many there are: at least one.
    pub fn count(&self) -> u64 {
        self.index.rows()
    }

    /// The names of a CSV file's columns; `None` for JSON Lines, where each row has names of its own.
    pub fn columns(&self) -> Option<&[String]> {
        self.index.columns()
    }

    /// The row of the iteration that has this [`crate::Probe::row_number`].
    pub fn row(&self, number: u64) -> Result<Row<'_>, RowError> {
        let row = row_of(&self.data, self.count(), number).ok_or_else(|| RowError::NoneLeft {
            file: self.path.clone(),
            number,
        })?;
        let held = match &self.store {
            Store::Kept(stretch) => Held::Kept(stretch),
            Store::Parts(parts) => Held::Part(self.part(parts, row)?),
        };
        Ok(Row {
            rows: self,
            held,
            place: row,
        })
    }

    /// The stretch of the file that has a row.
    fn part(&self, parts: &Parts, row: u64) -> Result<Arc<Stretch>, RowError> {
        let shard = &parts.shards[shard_number() % parts.shards.len()];
        let mut remembered = shard.lock();
        let known = remembered.iter().flatten().find(|stretch| stretch.has(row));
        if let Some(stretch) = known {
            return Ok(Arc::clone(stretch));
        }
        if !parts.in_order {
            // Nobody else needs what this one reads.
            drop(remembered);
            return self.read_part(parts, self.index.block(row, 0));
        }
        let stretch = self.read_part(parts, self.index.block(row, STRETCH_BYTES))?;
        remembered.rotate_right(1);
        remembered[0] = Some(Arc::clone(&stretch));
        Ok(stretch)
    }

    fn read_part(&self, parts: &Parts, block: Block) -> Result<Arc<Stretch>, RowError> {
        let refused = |error: io::Error| RowError::Io {
            file: self.path.clone(),
            why: error.to_string(),
        };
        let stretch = stretch(&self.index, &parts.file, block).map_err(refused)?;
        // Looked at after the reading: what was written before it is noticed.
        let unchanged = Stamp::of(&parts.file).map_err(refused)? == parts.stamp;
        match stretch.filter(|_| unchanged) {
            Some(stretch) => Ok(Arc::new(stretch)),
            None => Err(RowError::Changed(self.path.clone())),
        }
    }
}

/// Reads a stretch of a file; `None` where it does not hold the rows that it held.
fn stretch(index: &Index, file: &File, block: Block) -> io::Result<Option<Stretch>> {
    let length = usize::try_from(block.to - block.from).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    match file.read_exact_at(&mut bytes, block.from) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let ends = index.split(&block, &bytes);
    Ok(ends.map(|ends| Stretch {
        first: block.first,
        bytes,
        ends,
    }))
}

/// Numbers the threads that read rows.
fn shard_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    MINE.with(|mine| *mine)
}

/// A row of data. Nothing is taken apart before it is asked for.
#[derive(Debug)]
pub struct Row<'a> {
    rows: &'a Rows,
    held: Held<'a>,
    place: u64,
}

#[derive(Debug)]
enum Held<'a> {
    Kept(&'a Stretch),
    Part(Arc<Stretch>),
}

impl Row<'_> {
    /// Its place in the file, from 0, the header not counted.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// Hands over the fields in their order, with their places and names. The places of a CSV file's are those of [`Rows::columns`].
    pub fn each<E>(&self, put: impl FnMut(usize, &str, Field<'_>) -> Result<(), E>) -> Result<(), E> {
        let stretch = match &self.held {
            Held::Kept(stretch) => stretch,
            Held::Part(stretch) => &**stretch,
        };
        // What was checked can be taken apart, and what changed since was not read.
        self.rows.index.each_field(stretch.row(self.place), put).map(drop)
    }

    /// The names and values by themselves.
    pub fn fields(&self) -> Vec<(String, Value)> {
        let mut fields = Vec::new();
        let Ok(()) = self.each::<std::convert::Infallible>(|_, name, field| {
            fields.push((name.to_owned(), field.to_value()));
            Ok(())
        });
        fields
    }
}

/// Reads a file from its beginning, wherever others read it.
struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl io::Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pysurge_core::plan::Reuse;
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::path::Path;

    fn data(order: RowOrder, reuse: Reuse) -> Data {
        Data {
            source: DataSource::File(String::new()),
            order,
            reuse,
            seed: 5,
        }
    }

    fn write(folder: &Path, name: &str, text: &str) -> String {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// Rows of a number and its square, the number quoted where it is odd.
    fn table(rows: u64) -> String {
        let mut text = "n,square\n".to_owned();
        for n in 0..rows {
            let quote = if n % 2 == 0 { "" } else { "\"" };
            writeln!(text, "{quote}{n}{quote},{}", n * n).unwrap();
        }
        text
    }

    fn number(row: &Row<'_>) -> u64 {
        let fields = row.fields();
        let number = |at: usize| match &fields[at] {
            (_, Value::Str(text)) => text.parse::<u64>().unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!((fields[0].0.as_str(), fields[1].0.as_str()), ("n", "square"));
        assert_eq!(number(0) * number(0), number(1));
        assert_eq!(number(0), row.place());
        number(0)
    }

    #[test]
    fn all_rows_come_from_memory_and_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "rows.csv", &table(30_000));
        for order in [RowOrder::Sequential, RowOrder::Shuffle] {
            for kept_bytes in [0, KEPT_BYTES] {
                let rows = Rows::open_keeping(kept_bytes, &data(order, Reuse::Cycle), &path, 2).unwrap();
                assert_eq!((rows.count(), rows.columns().unwrap().len()), (30_000, 2));
                assert_eq!(matches!(rows.store, Store::Kept(_)), kept_bytes > 0);
                let given: Vec<u64> = (0..30_001).map(|k| number(&rows.row(k).unwrap())).collect();
                assert_eq!(given[..30_000].iter().collect::<BTreeSet<_>>().len(), 30_000);
                assert_eq!(given[..30_000].is_sorted(), order == RowOrder::Sequential);
            }
        }
    }

    #[test]
    fn threads_read_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "rows.csv", &table(20_000));
        let rows = Rows::open_keeping(0, &data(RowOrder::Sequential, Reuse::Once), &path, 2).unwrap();
        let next = std::sync::atomic::AtomicU64::new(0);
        let read = || {
            let claim = || next.fetch_add(1, Ordering::Relaxed);
            std::iter::repeat_with(claim)
                .map_while(|k| rows.row(k).ok().map(|row| number(&row)))
                .count()
        };
        let all: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(all, 20_000);
        let error = rows.row(20_000).unwrap_err();
        assert!(
            error.to_string().contains("has no row for iteration 20000"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_changes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let long = table(20_000);
        let path = write(folder.path(), "rows.csv", &long);
        let rows = Rows::open_keeping(0, &data(RowOrder::Random, Reuse::Cycle), &path, 1).unwrap();
        assert!(rows.row(0).is_ok());
        // Another file of the same name is another file.
        let other = write(folder.path(), "other.csv", "n,square\n1,1\n");
        std::fs::rename(&other, &path).unwrap();
        assert!(rows.row(1).is_ok());
        let path = write(folder.path(), "again.csv", &long);
        let rows = Rows::open_keeping(0, &data(RowOrder::Random, Reuse::Cycle), &path, 1).unwrap();
        for shorter in [&long[..long.len() - 3], "", &long] {
            std::fs::write(&path, shorter).unwrap();
            let touched = File::options().append(true).open(&path).unwrap();
            let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(7);
            touched.set_modified(later).unwrap();
            assert_eq!(rows.row(2).unwrap_err(), RowError::Changed(path.clone()));
        }
    }

    #[test]
    fn what_is_no_file_of_rows_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| write(folder.path(), name, text);
        std::fs::create_dir(folder.path().join("sub.csv")).unwrap();
        let pipe = folder.path().join("pipe.csv");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let pipe = pipe.into_os_string().into_string().unwrap();
        let sub = folder
            .path()
            .join("sub.csv")
            .into_os_string()
            .into_string()
            .unwrap();
        for (path, what) in [
            (file("a.txt", "a\n1\n"), "ends in .csv, .jsonl or .ndjson"),
            (file("a.csv", "a\n"), "a header but no rows"),
            (file("b.jsonl", "{}\n[]\n"), "line 2: no JSON object"),
            ("/nowhere/a.csv".to_owned(), "cannot be read: No such file"),
            (pipe, "this is no regular file"),
            (sub, "this is a folder"),
        ] {
            let error = Rows::open(&data(RowOrder::Sequential, Reuse::Cycle), &path, 1).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]
        #[test]
        fn workers_hand_out_each_row_once(rows in 1_u64..500, workers in 1_u64..7, kept: bool, shuffles: bool) {
            let folder = tempfile::tempdir().unwrap();
            let path = write(folder.path(), "rows.csv", &table(rows));
            let order = if shuffles { RowOrder::Shuffle } else { RowOrder::Sequential };
            let mut given = Vec::new();
            for worker in 0..workers {
                let kept_bytes = if kept { KEPT_BYTES } else { 0 };
                let mine = Rows::open_keeping(kept_bytes, &data(order, Reuse::Once), &path, 1).unwrap();
                let numbers = (worker..).step_by(usize::try_from(workers).unwrap());
                given.extend(numbers.map_while(|k| mine.row(k).ok().map(|row| number(&row))));
            }
            given.sort_unstable();
            prop_assert_eq!(given, (0..rows).collect::<Vec<_>>());
        }
    }
}
