//! Where control sockets are. A run makes `<pid>.sock` in the first folder of [`Folders`] that is to be had; `pysurge control`
//! looks into all of them. What is left of a run that was killed refuses connections; it is removed when met.
//!
//! A folder is used only where it is no link, belongs to this user and is closed to all others: in `/tmp` anybody can make
//! a folder of our name first.

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 16;

/// Why a socket cannot be made. Reads well after "no control socket: ".
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error("neither XDG_RUNTIME_DIR nor a folder for temporary files is known")]
    Nowhere,
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
    #[error("the folder {} belongs to another user (uid {owner})", path.display())]
    Foreign { path: PathBuf, owner: u32 },
    #[error("the folder {} is open to other users; close it with chmod 700", .0.display())]
    Open(PathBuf),
    #[error("the path {} is too long for a socket", .0.display())]
    TooLong(PathBuf),
    #[error("{} is there and is no socket", .0.display())]
    NoSocket(PathBuf),
    #[error("another program listens at {}", .0.display())]
    InUse(PathBuf),
    #[error("{}: {source}", path.display())]
    System { path: PathBuf, source: io::Error },
}

/// The folders in which the control sockets of one user are, the preferred one first.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    paths: Vec<PathBuf>,
    uid: u32,
}

impl Folders {
    /// Of user `uid`: in `runtime` (`XDG_RUNTIME_DIR`) where it is there and theirs, which it is not under `sudo`, else in `temp`.
    pub(crate) fn new(runtime: Option<&Path>, temp: Option<&Path>, uid: u32) -> Self {
        let is_theirs =
            |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == uid);
        let runtime = runtime.filter(|path| path.is_absolute() && is_theirs(path));
        let runtime = runtime.map(|path| path.join("pysurge"));
        let temp = temp.map(|path| path.join(format!("pysurge-{uid}")));
        Self {
            paths: runtime.into_iter().chain(temp).collect(),
            uid,
        }
    }

    /// Makes the socket of this process in the first folder that is to be had.
    pub(crate) fn make(&self, pid: u32) -> Result<Socket, PlaceError> {
        let mut failure = PlaceError::Nowhere;
        for folder in &self.paths {
            let made = make_folder(folder)
                .and_then(|()| verify(folder, self.uid))
                .and_then(|()| Socket::make(&folder.join(format!("{pid}.sock"))));
            match made {
                Ok(socket) => return Ok(socket),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The sockets that are there, by process id. Folders that are not ours are passed over: nothing of ours is in them.
    pub(crate) fn sockets(&self) -> Vec<(u32, PathBuf)> {
        let ours = self.paths.iter().filter(|path| verify(path, self.uid).is_ok());
        let entries = ours.filter_map(|path| fs::read_dir(path).ok()).flatten();
        let mut sockets: Vec<(u32, PathBuf)> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let is_socket = path.extension().is_some_and(|extension| extension == "sock");
                let pid = path.file_stem()?.to_str()?.parse().ok()?;
                is_socket.then_some((pid, path))
            })
            .collect();
        sockets.sort();
        sockets
    }
}

fn make_folder(path: &Path) -> Result<(), PlaceError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(system(path, error)),
        _ => Ok(()),
    }
}

/// Whether nobody but the user `uid` can make, take or use a socket in a folder.
fn verify(path: &Path, uid: u32) -> Result<(), PlaceError> {
    // Not of what a link points to: the link itself would be another's.
    let metadata = fs::symlink_metadata(path).map_err(|error| system(path, error))?;
    if !metadata.is_dir() {
        return Err(PlaceError::NoFolder(path.to_path_buf()));
    }
    if metadata.uid() != uid {
        return Err(PlaceError::Foreign {
            path: path.to_path_buf(),
            owner: metadata.uid(),
        });
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(PlaceError::Open(path.to_path_buf()));
    }
    Ok(())
}

/// A socket that listens. Dropping it closes and removes it, unless another has been put in its place.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode.
    identity: Option<(u64, u64)>,
}

impl Socket {
    /// Makes a socket at a path; what a dead run has left there goes.
    pub(crate) fn make(path: &Path) -> Result<Self, PlaceError> {
        remove_stale(path)?;
        let address = SocketAddrUnix::new(path).map_err(|_| PlaceError::TooLong(path.to_path_buf()))?;
        let made = || -> io::Result<UnixListener> {
            let socket = socket_with(
                AddressFamily::UNIX,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            )?;
            bind(&socket, &address)?;
            // Before it listens nobody can connect, so at no time can anybody else.
            rustix::fs::chmod(path, Mode::from_raw_mode(0o600))?;
            listen(&socket, BACKLOG)?;
            let listener = UnixListener::from(socket);
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = made().map_err(|error| system(path, error))?;
        Ok(Self {
            listener,
            path: path.to_path_buf(),
            identity: identity(path),
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket at which nobody listens any more.
pub(crate) fn remove_stale(path: &Path) -> Result<(), PlaceError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system(path, error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(PlaceError::NoSocket(path.to_path_buf()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| system(path, error))
        }
        // It went away by itself.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(system(path, error)),
        Ok(_) => Err(PlaceError::InUse(path.to_path_buf())),
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn system(path: &Path, source: io::Error) -> PlaceError {
    PlaceError::System {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getuid;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn uid() -> u32 {
        getuid().as_raw()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_socket_is_this_users_alone_and_goes_with_its_run() {
        let runtime = tempfile::tempdir().unwrap();
        let folders = Folders::new(Some(runtime.path()), None, uid());
        let socket = folders.make(77).unwrap();
        let path = runtime.path().join("pysurge/77.sock");
        assert_eq!(socket.path, path);
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        fs::write(path.with_file_name("78.txt"), "").unwrap();
        fs::write(path.with_file_name("x.sock"), "").unwrap();
        assert_eq!(folders.sockets(), [(77, path.clone())]);
        drop(socket);
        assert!(!path.exists());
        assert_eq!(folders.sockets(), []);
    }

    #[test]
    fn the_environment_says_where_and_the_temporary_folder_is_second() {
        let (runtime, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = |runtime: Option<&Path>| {
            let socket = Folders::new(runtime, Some(temp.path()), uid()).make(7).unwrap();
            socket.path.clone()
        };
        let second = temp.path().join(format!("pysurge-{}/7.sock", uid()));
        assert_eq!(place(Some(runtime.path())), runtime.path().join("pysurge/7.sock"));
        assert_eq!(place(None), second);
        assert_eq!(place(Some(&runtime.path().join("none"))), second);
        assert_eq!(place(Some(Path::new("relative"))), second);
        // A folder that cannot be trusted is no folder.
        fs::write(runtime.path().join("pysurge/closed"), "").unwrap();
        fs::set_permissions(runtime.path().join("pysurge"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(place(Some(runtime.path())), second);
        assert!(matches!(
            Folders::new(None, None, 1).make(7),
            Err(PlaceError::Nowhere)
        ));
    }

    #[test]
    fn folders_that_others_can_reach_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let (folders, name) = (
            Folders::new(None, Some(temp.path()), uid()),
            format!("pysurge-{}", uid()),
        );
        let folder = temp.path().join(name);
        let refused = || folders.make(7).unwrap_err();

        fs::write(&folder, "").unwrap();
        assert!(matches!(refused(), PlaceError::NoFolder(_)));
        fs::remove_file(&folder).unwrap();

        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), &folder).unwrap();
        assert!(matches!(refused(), PlaceError::NoFolder(_)));
        fs::remove_file(&folder).unwrap();

        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(refused().to_string().contains("chmod 700"));
        assert_eq!(folders.sockets(), []);

        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let foreign = verify(&folder, uid() + 1).unwrap_err();
        assert!(matches!(foreign, PlaceError::Foreign { owner, .. } if owner == uid()));
        assert!(folders.make(7).is_ok());

        // Another user was here first: what we make is as foreign to them as what they make is to us.
        let theirs = Folders::new(Some(elsewhere.path()), Some(temp.path()), uid() + 1);
        let refused = theirs.make(7).unwrap_err();
        assert!(matches!(refused, PlaceError::Foreign { owner, .. } if owner == uid()));
        assert_eq!(theirs.sockets(), []);
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_dead_run_left_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        let socket = Socket::make(&path).unwrap();
        assert!(matches!(Socket::make(&path), Err(PlaceError::InUse(_))));

        // Another run took the name: it is not ours to remove.
        fs::remove_file(&path).unwrap();
        let other = Socket::make(&path).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());

        fs::write(&path, "a file").unwrap();
        assert!(matches!(Socket::make(&path), Err(PlaceError::NoSocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        let long = folder.path().join("x".repeat(120));
        assert!(matches!(Socket::make(&long), Err(PlaceError::TooLong(_))));
        let nowhere = folder.path().join("none/a.sock");
        assert!(matches!(Socket::make(&nowhere), Err(PlaceError::System { .. })));
    }
}
