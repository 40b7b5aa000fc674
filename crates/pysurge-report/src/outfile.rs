//! A file that the user named and that is written in the course of a run. It is opened before anything is fired, so that a wrong path
//! costs no run, and left as it was until there is something to write. One that we make is this user's alone.

use crate::private;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct OutFile {
    path: PathBuf,
    file: Option<File>,
    /// Whether it was made by [`OutFile::open`].
    is_new: bool,
}

impl OutFile {
    /// Opens it for writing, or makes it, and changes nothing in it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        let (file, is_new) = match options
            .clone()
            .create_new(true)
            .mode(private::FILE_MODE)
            .open(path)
        {
            Ok(file) => {
                private::own(&file)?;
                (file, true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (options.open(path)?, false),
            Err(error) => return Err(error),
        };
        Ok(Self {
            path: path.to_path_buf(),
            file: Some(file),
            is_new,
        })
    }

    /// The file, emptied; `None` where it was given already.
    pub(crate) fn begin(&mut self) -> io::Result<Option<File>> {
        let Some(file) = self.file.take() else {
            return Ok(None);
        };
        // A pipe or a device has no length.
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        Ok(Some(file))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        if self.is_new && self.file.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
