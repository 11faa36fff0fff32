//! Reading a journal, as far as it can be trusted.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pivot_core::machine::Phase;
use rustix::fs::OFlags;

use super::entry::{Begin, Ending, Entry, Event};
use super::line::{self, Decoded, Sum};
use super::{FILE, FORMAT, JournalError};

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The lines up to the first that is not as it was written.
    pub entries: Vec<Entry>,
    /// That line. Nothing from there on is to be trusted.
    pub damage: Option<Damage>,
    /// True where the last line has no end: what a crash leaves behind.
    pub cut_off: bool,
}

/// A line that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: Flaw,
}

/// What can be wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its checksum does not fit: it, or a line before it, was changed, left out or put there.
    Altered,
    /// It says nothing that this version knows, or not in its place.
    Odd,
    /// It is about another pivot.
    Foreign,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            Flaw::Altered => "does not fit its checksum",
            Flaw::Odd => "says nothing that could be expected there",
            Flaw::Foreign => "is about another pivot",
        };
        write!(f, "line {} {what}", self.line)
    }
}

/// The trusted part, and where writing goes on.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) reading: Reading,
    pub(super) sum: Sum,
    /// Bytes up to the end of the last good line.
    pub(super) length: u64,
}

/// Goes through the bytes of a journal. The error is a format newer than ours.
pub(super) fn parse(bytes: &[u8]) -> Result<Trusted, u64> {
    let mut trusted = Trusted { reading: Reading::default(), sum: Sum::start(), length: 0 };
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(text) = line.strip_suffix(b"\n") else {
            trusted.reading.cut_off = true;
            break;
        };
        let damaged = |what| Some(Damage { line: index + 1, what });
        match line::decode(text, &trusted.sum, FORMAT) {
            Decoded::Entry(entry, sum) if is_in_place(&entry, &trusted.reading.entries) => {
                trusted.reading.entries.push(*entry);
                trusted.sum = sum;
                trusted.length += line.len() as u64;
                continue;
            }
            Decoded::Newer(format) => return Err(format),
            Decoded::Entry(..) | Decoded::Odd => trusted.reading.damage = damaged(Flaw::Odd),
            Decoded::Altered => {
                // A newer format may sum up in another way.
                let claimed = line::claimed_format(text).filter(|_| index == 0);
                if let Some(format) = claimed.filter(|format| *format > u64::from(FORMAT)) {
                    return Err(format);
                }
                trusted.reading.damage = damaged(Flaw::Altered);
            }
        }
        break;
    }
    Ok(trusted)
}

/// A journal begins with who writes it, and counts its lines.
fn is_in_place(entry: &Entry, before: &[Entry]) -> bool {
    let first = matches!(entry.event, Event::Begin(_)) || !before.is_empty();
    first && entry.seq == before.len() as u64 + 1
}

/// Opens without following a link and without waiting for the other end of a pipe.
pub(super) fn carefully(options: &mut OpenOptions) -> &mut OpenOptions {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed())
}

pub(super) fn read_all(file: &mut File) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a journal. Damage is no error: what stands before it can be trusted. Blocks.
pub fn read(path: &Path) -> Result<Reading, JournalError> {
    let file = carefully(OpenOptions::new().read(true)).open(path);
    let bytes = file.and_then(|mut file| read_all(&mut file)).map_err(JournalError::io("read", path))?;
    let trusted = parse(&bytes).map_err(|format| JournalError::Newer { path: path.to_owned(), format })?;
    Ok(trusted.reading)
}

/// One journal among others, in few words.
#[derive(Debug)]
pub struct Listed {
    /// Id of the pivot.
    pub pivot: String,
    /// The journal.
    pub path: PathBuf,
    /// Who began it, and when.
    pub begin: Option<(String, Begin)>,
    /// The last phase that began, and when.
    pub phase: Option<(String, Phase)>,
    /// How the last process left it, and when; `None` while one runs, or after a crash.
    pub ending: Option<(String, Ending)>,
    /// Lines that can be trusted.
    pub entries: usize,
    /// Why it ends there.
    pub problem: Option<String>,
}

/// All journals of a directory, by pivot. One that cannot be read is listed with the reason. Blocks.
pub fn list(dir: &Path) -> Result<Vec<Listed>, JournalError> {
    let folders = match fs::read_dir(dir) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(JournalError::io("list", dir)(error)),
    };
    let mut listed = Vec::new();
    for folder in folders {
        let folder = folder.map_err(JournalError::io("list", dir))?;
        let path = folder.path().join(FILE);
        let Ok(pivot) = folder.file_name().into_string() else { continue };
        if fs::symlink_metadata(&path).is_ok() {
            listed.push(Listed::of(pivot, path));
        }
    }
    listed.sort_by(|a, b| a.pivot.cmp(&b.pivot));
    Ok(listed)
}

impl Listed {
    fn of(pivot: String, path: PathBuf) -> Self {
        let (reading, problem) = match read(&path) {
            Ok(reading) => {
                let problem = reading.damage.as_ref().map(ToString::to_string);
                (reading, problem)
            }
            Err(error) => (Reading::default(), Some(error.to_string())),
        };
        let mut listed = Self {
            pivot,
            path,
            begin: None,
            phase: None,
            ending: None,
            entries: reading.entries.len(),
            problem,
        };
        for Entry { at, event, .. } in reading.entries {
            match event {
                Event::Begin(begin) => {
                    listed.begin.get_or_insert((at, begin));
                    listed.ending = None;
                }
                Event::Phase { phase } => listed.phase = Some((at, phase)),
                Event::End { ending } => listed.ending = Some((at, ending)),
                Event::Intent { .. } | Event::Outcome { .. } => {}
            }
        }
        listed
    }
}
