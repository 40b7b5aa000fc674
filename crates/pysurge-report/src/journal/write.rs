//! Writes a journal. Synced to the disk with each checkpoint, once a second; a slow disk makes that late, never the run.
//!
//! Checkpoints that newer ones have replaced are most of it. Once they outweigh the rest it is written anew: rows and the newest checkpoint, in
//! a new file that takes the place of the old one in one step. The same is done when the rows were joined.

use super::JOURNAL;
use super::record::{self, Header, JournalRow, Record};
use crate::private;
use pysurge_core::VERSION;
use pysurge_core::series::Row;
use pysurge_core::summary::Summary;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// Replaced checkpoints that are left where they are, beside as much as there is of the rest.
const MAX_STALE_BYTES: u64 = 4 << 20;

/// Rows that are kept. Only runs of hundreds of tests have as many; their figures over time then end there.
const MAX_ROW_BYTES: u64 = 256 << 20;

/// The journal of a run that goes on.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    path: PathBuf,
    file: File,
    bytes: u64,
    row_bytes: u64,
    /// The newest checkpoint, as a line.
    newest: Vec<u8>,
    /// A write failed half way: the next one begins with a line end.
    torn: bool,
    /// No more rows are kept.
    is_full: bool,
}

impl JournalWriter {
    /// Begins the journal of the run in this folder.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(JOURNAL);
        let file = private::make_journal(&path)?;
        lock(&file);
        let mut journal = Self {
            path,
            file,
            bytes: 0,
            row_bytes: 0,
            newest: Vec::new(),
            torn: false,
            is_full: false,
        };
        journal.append(&header()?)?;
        journal.file.sync_data()?;
        private::sync_folder_of(&journal.path)?;
        Ok(journal)
    }

    /// Adds a complete row, with its lines of the time series.
    pub(crate) fn row(&mut self, row: &Row, csv: &str) -> io::Result<()> {
        let line = record::line(&Record::Row(JournalRow::of(row, csv)))?;
        let bytes = length(&line);
        self.is_full |= self.row_bytes + bytes > MAX_ROW_BYTES;
        if self.is_full {
            return Ok(());
        }
        self.append(&line)?;
        self.row_bytes += bytes;
        Ok(())
    }

    /// Keeps what is known now.
    pub(crate) fn checkpoint(&mut self, summary: &Summary) -> io::Result<()> {
        self.newest = record::line(&Record::Summary(summary))?;
        let is_long = self.bytes > 2 * self.row_bytes + MAX_STALE_BYTES;
        // On a full disk there may be room for a line and not for all.
        if is_long && self.rewrite(copy_rows).is_ok() {
            return Ok(());
        }
        let newest = std::mem::take(&mut self.newest);
        let appended = self.append(&newest);
        self.newest = newest;
        appended.and_then(|()| self.file.sync_data())
    }

    /// Puts other rows in the place of those there are.
    pub(crate) fn replace<'a>(&mut self, rows: impl Iterator<Item = (&'a Row, String)>) -> io::Result<()> {
        self.is_full = false;
        self.rewrite(|_, new| {
            let mut bytes = 0;
            for (row, csv) in rows {
                let line = record::line(&Record::Row(JournalRow::of(row, &csv)))?;
                if bytes + length(&line) <= MAX_ROW_BYTES {
                    bytes += length(&line);
                    new.write_all(&line)?;
                }
            }
            Ok(bytes)
        })
    }

    /// Removes it: everything in it stands elsewhere, and lasts.
    pub(crate) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        private::sync_folder_of(&self.path)
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
            self.bytes += 1;
        }
        self.torn = true;
        self.file.write_all(line)?;
        self.torn = false;
        self.bytes += length(line);
        Ok(())
    }

    /// Writes it anew: the header, what `copy` writes from the old one (it says how many bytes that is), and the newest checkpoint.
    fn rewrite(&mut self, copy: impl FnOnce(&mut File, &mut dyn Write) -> io::Result<u64>) -> io::Result<()> {
        let unfinished = self.path.with_file_name(format!(".{JOURNAL}.new"));
        // What a failed attempt left.
        let _ = fs::remove_file(&unfinished);
        let file = private::make_journal(&unfinished)?;
        // Before it has its name: whoever finds it must find it held.
        lock(&file);
        let mut new = BufWriter::new(&file);
        let header = header()?;
        new.write_all(&header)?;
        let row_bytes = copy(&mut self.file, &mut new)?;
        new.write_all(&self.newest)?;
        new.flush()?;
        drop(new);
        file.sync_data()?;
        fs::rename(&unfinished, &self.path)?;
        private::sync_folder_of(&self.path)?;
        self.file = file;
        self.row_bytes = row_bytes;
        self.bytes = length(&header) + row_bytes + length(&self.newest);
        self.torn = false;
        Ok(())
    }
}

/// Whoever reads takes a journal that somebody holds for that of a run that goes on. Where the file system has no locks nobody can tell.
fn lock(file: &File) {
    let _ = flock(file, FlockOperation::NonBlockingLockExclusive);
}

fn header() -> io::Result<Vec<u8>> {
    record::line(&Record::Header(Header {
        version: record::VERSION,
        pysurge_version: VERSION.to_owned(),
    }))
}

/// Copies the lines of rows that are whole.
fn copy_rows(old: &mut File, new: &mut dyn Write) -> io::Result<u64> {
    old.rewind()?;
    let mut old = BufReader::new(old);
    let (mut line, mut bytes) = (Vec::new(), 0);
    while old.read_until(b'\n', &mut line)? > 0 {
        let json = line.strip_suffix(b"\n").and_then(record::payload);
        if json.is_some_and(|json| json.starts_with(record::ROW)) {
            new.write_all(&line)?;
            bytes += length(&line);
        }
        line.clear();
    }
    Ok(bytes)
}

fn length(line: &[u8]) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX)
}
