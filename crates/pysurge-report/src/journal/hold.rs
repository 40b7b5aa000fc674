//! Opens the journal of a run's folder, and tells whether its run goes on: then its manager holds a lock on it, which no death of a process
//! can leave behind.

use super::JOURNAL;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A journal is a few hundred MiB at most.
const MAX_BYTES: u64 = 1 << 30;

/// How often a journal is opened anew that was replaced at that moment.
const MAX_TRIES: u32 = 100;

/// Who holds a journal.
#[derive(Debug)]
pub enum Held {
    /// The manager of its run: the run goes on.
    ByRun,
    /// We do, as long as this lives: the run goes on no more, and nobody else rebuilds it.
    ByUs(File),
}

/// A journal that was found.
#[derive(Debug)]
pub struct Kept {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Who holds it.
    pub held: Held,
}

/// Some network file systems lock only what is open for writing.
fn open(path: &Path) -> io::Result<File> {
    match File::options().read(true).write(true).open(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            File::open(path)
        }
        opened => opened,
    }
}

/// The journal in this folder; `None` where there is none.
pub fn kept(folder: &Path) -> io::Result<Option<Kept>> {
    let path = folder.join(JOURNAL);
    for _ in 0..MAX_TRIES {
        let mut file = match open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_held = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => false,
            Err(rustix::io::Errno::WOULDBLOCK) => true,
            Err(error) => return Err(io::Error::from(error)),
        };
        let metadata = file.metadata()?;
        // The run put a new one in its place in this very moment: the old one is held by nobody.
        if fs::metadata(&path).is_ok_and(|now| now.ino() != metadata.ino()) {
            continue;
        }
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return Err(io::Error::other("it is too long for a journal"));
        }
        let mut bytes = Vec::new();
        file.by_ref().take(MAX_BYTES).read_to_end(&mut bytes)?;
        let held = if is_held { Held::ByRun } else { Held::ByUs(file) };
        return Ok(Some(Kept { bytes, held }));
    }
    Err(io::Error::other("it is being replaced again and again"))
}
