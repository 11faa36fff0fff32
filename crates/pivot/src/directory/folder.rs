//! One directory: its entries by name, no deeper, and never through a symbolic link.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use pivot_core::bundle::{Flaw, MANIFEST_FILE};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RawMode, fchmod, fstat, fsync, open, openat, renameat, statat,
    unlinkat,
};
use rustix::io::Errno;

use super::DirectoryError;

/// Largest file that is read, in bytes; an API server takes objects of a few megabytes at most.
const LARGEST_OBJECT: u64 = 16 << 20;
/// Largest manifest, in bytes: about a million entries.
const LARGEST_MANIFEST: u64 = 256 << 20;
/// What others may do with a file or directory.
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

pub(super) struct Folder {
    path: PathBuf,
    handle: OwnedFd,
}

impl Folder {
    /// Opens a directory that exists. The path itself may lead through links: the user named it.
    pub(super) fn open(path: &Path) -> Result<Self, DirectoryError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match open(path, flags, Mode::empty()) {
            Ok(handle) => Ok(Self { path: path.to_owned(), handle }),
            Err(errno) => {
                Err(DirectoryError::Io { action: "open", path: path.to_owned(), source: errno.into() })
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True where others than the owner may look into it or change it.
    pub(super) fn is_open_to_others(&self) -> Result<bool, DirectoryError> {
        let stat = fstat(&self.handle).map_err(|errno| self.failed("look at", "", errno))?;
        Ok(is_open_to_others(stat.st_mode))
    }

    /// Names of all entries, in order; a flaw for each that is no regular file.
    pub(super) fn entries(&self) -> Result<(Vec<String>, Vec<Flaw>), DirectoryError> {
        let (mut names, mut flaws) = (Vec::new(), Vec::new());
        let entries = Dir::read_from(&self.handle).map_err(|errno| self.failed("list", "", errno))?;
        for entry in entries {
            let entry = entry.map_err(|errno| self.failed("list", "", errno))?;
            let name = match entry.file_name().to_str() {
                Ok("." | "..") => continue,
                Ok(name) => name.to_owned(),
                Err(_) => {
                    let file = entry.file_name().to_string_lossy().into_owned();
                    flaws.push(Flaw::Foreign { file });
                    continue;
                }
            };
            let stat = statat(&self.handle, name.as_str(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| self.failed("look at", &name, errno))?;
            match not_a_file(FileType::from_raw_mode(stat.st_mode)) {
                None => names.push(name),
                Some(what) => flaws.push(Flaw::NoFile { file: name, what }),
            }
        }
        names.sort();
        flaws.sort_by_key(ToString::to_string);
        Ok((names, flaws))
    }

    /// All files by name, and how many of them others than the owner may read or change.
    pub(super) fn read_all(&self) -> Result<(BTreeMap<String, Vec<u8>>, usize), DirectoryError> {
        let (names, mut flaws) = self.entries()?;
        let mut files = BTreeMap::new();
        let mut open_to_others = 0;
        for name in names {
            match self.read(&name)? {
                Ok((bytes, mode)) => {
                    open_to_others += usize::from(is_open_to_others(mode));
                    files.insert(name, bytes);
                }
                Err(flaw) => flaws.push(flaw),
            }
        }
        if flaws.is_empty() { Ok((files, open_to_others)) } else { Err(self.refused(flaws)) }
    }

    pub(super) fn refused(&self, flaws: Vec<Flaw>) -> DirectoryError {
        DirectoryError::Refused { path: self.path.clone(), flaws }
    }

    /// The bytes and the mode of a file.
    pub(super) fn read(&self, name: &str) -> Result<Result<(Vec<u8>, RawMode), Flaw>, DirectoryError> {
        let failed = |source: io::Error| self.failed("read", name, source);
        // Without NONBLOCK the open of a pipe put in the file's place would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => File::from(handle),
            Err(Errno::LOOP) => {
                return Ok(Err(Flaw::NoFile { file: name.to_owned(), what: "a symbolic link" }));
            }
            Err(errno) => return Err(failed(errno.into())),
        };
        let stat = fstat(&file).map_err(|errno| failed(errno.into()))?;
        if let Some(what) = not_a_file(FileType::from_raw_mode(stat.st_mode)) {
            return Ok(Err(Flaw::NoFile { file: name.to_owned(), what }));
        }
        let limit = if name == MANIFEST_FILE { LARGEST_MANIFEST } else { LARGEST_OBJECT };
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Ok(Err(Flaw::TooLarge { file: name.to_owned(), limit }));
        }
        Ok(Ok((bytes, stat.st_mode)))
    }

    /// Writes a new file for its owner alone, and waits until the disk has it.
    pub(super) fn create(&self, name: &str, bytes: &[u8]) -> Result<(), DirectoryError> {
        let failed = |source: io::Error| self.failed("write", name, source);
        let mode = Mode::RUSR | Mode::WUSR;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = openat(&self.handle, name, flags, mode).map_err(|errno| failed(errno.into()))?;
        // A umask may have taken rights of the owner.
        fchmod(&handle, mode).map_err(|errno| failed(errno.into()))?;
        let mut file = File::from(handle);
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Gives a file its name, in the place of one that has it.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), DirectoryError> {
        renameat(&self.handle, from, &self.handle, to).map_err(|errno| self.failed("put in place", to, errno))
    }

    /// Removes a file; one that is gone already is no error.
    pub(super) fn remove(&self, name: &str) -> Result<(), DirectoryError> {
        match unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed("remove", name, errno)),
        }
    }

    /// Waits until the disk has the directory's entries.
    pub(super) fn sync(&self) -> Result<(), DirectoryError> {
        fsync(&self.handle).map_err(|errno| self.failed("flush", "", errno))
    }

    fn failed(&self, action: &'static str, name: &str, source: impl Into<io::Error>) -> DirectoryError {
        let path = if name.is_empty() { self.path.clone() } else { self.path.join(name) };
        DirectoryError::Io { action, path, source: source.into() }
    }
}

fn is_open_to_others(mode: RawMode) -> bool {
    Mode::from_raw_mode(mode).intersects(OTHERS)
}

fn not_a_file(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile => None,
        FileType::Directory => Some("a directory"),
        FileType::Symlink => Some("a symbolic link"),
        _ => Some("a device, pipe or socket"),
    }
}
