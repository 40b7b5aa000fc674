//! Files and folders for this user alone: what a load test tells of a service, and of those who use it, is nobody else's. The modes are 0600
//! and 0700 whatever the umask is; what is there already keeps its mode.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Of a file.
pub(crate) const FILE_MODE: u32 = 0o600;

/// Of a folder.
const FOLDER_MODE: u32 = 0o700;

/// Makes a folder; an error where it is there.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER_MODE).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))
}

/// Makes a folder and those that hold it, as far as they are missing.
pub(crate) fn make_folders(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folders(parent)?;
    }
    match make_folder(path) {
        // Another run was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Makes a file, or empties it.
pub(crate) fn make_file(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().write(true).create(true).truncate(true), path)
}

/// Makes a file that is read, too, and only appended to; an error where it is there.
pub(crate) fn make_journal(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().read(true).append(true).create_new(true), path)
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.mode(FILE_MODE).open(path)?;
    own(&file)?;
    Ok(file)
}

/// Gives a file that was made just now its mode; what is no file (a device that was linked in its place) keeps what it has.
pub(crate) fn own(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    }
    Ok(())
}

/// Puts a file in the place of what was there, in one step: whoever reads sees the old one or the new one. Where `lasting`, it stays so after
/// a power loss.
pub fn replace_file(path: &Path, content: &[u8], lasting: bool) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = path.with_file_name(format!(".{name}.new"));
    let mut file = make_file(&unfinished)?;
    file.write_all(content)?;
    if lasting {
        file.sync_all()?;
    }
    fs::rename(&unfinished, path)?;
    if lasting {
        sync_folder_of(path)?;
    }
    Ok(())
}

/// Makes what was made, renamed or removed in the folder of this file last.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
