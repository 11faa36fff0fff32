//! Writing a journal: many at a time, one flush of the disk for all of them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::entry::{Begin, Entry, Event};
use super::line::{self, Sum};
use super::reading::{Damage, Flaw, Trusted, carefully, parse, read_all};
use super::{FILE, JournalError};

/// How long the disk may take before a pivot goes on without a journal.
const PATIENCE: Duration = Duration::from_secs(10);
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
const OWNER_ONLY_DIRECTORY: u32 = 0o700;
const OWNER_ONLY: u32 = 0o600;

/// A journal that is being written.
///
/// The first failure silences it: it is told once, by [`warning`](Self::warning), and from then on nothing is written and nobody
/// waits.
#[derive(Debug)]
pub struct Journal {
    path: Option<PathBuf>,
    set_aside: Option<SetAside>,
    shared: Arc<Shared>,
    /// Whoever has it flushes for all.
    turn: tokio::sync::Mutex<()>,
}

/// An earlier journal of the same pivot that could not be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// What is wrong with it.
    pub damage: Damage,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Locked while bytes are written; only threads that may block do that.
    tail: Mutex<Option<Tail>>,
}

#[derive(Debug)]
struct Queue {
    /// Number of the last entry that was handed in.
    last: u64,
    waiting: Vec<Entry>,
    /// Number of the last entry that is on disk.
    written: u64,
    silent: bool,
    warning: Option<JournalError>,
}

/// The end of the file.
#[derive(Debug)]
struct Tail {
    path: PathBuf,
    file: File,
    length: u64,
    sum: Sum,
}

impl Journal {
    /// Opens the journal of a pivot, or goes on with it, and writes down who begins at `at`.
    ///
    /// A last line that was cut off by a crash is removed; a journal that is damaged otherwise is [set aside](Self::set_aside) and a
    /// new one begun. The error is for a warning: a pivot then goes on with [`none`](Self::none).
    pub async fn open(dir: &Path, begin: Begin, at: &str) -> Result<Self, JournalError> {
        let path = dir.join(&begin.pivot).join(FILE);
        let (dir, at) = (dir.to_owned(), at.to_owned());
        let opening = spawn_blocking(move || Self::open_blocking(&dir, at, begin));
        match timeout(PATIENCE, opening).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => Err(JournalError::io("open", path)(error.into())),
            Err(_) => Err(slow(path)),
        }
    }

    fn open_blocking(dir: &Path, at: String, begin: Begin) -> Result<Self, JournalError> {
        let (mut tail, mut last, set_aside) = Tail::open(dir, &begin.pivot)?;
        last += 1;
        tail.append(&[Entry { seq: last, at, event: Event::Begin(begin) }])?;
        Ok(Self {
            path: Some(tail.path.clone()),
            set_aside,
            shared: Arc::new(Shared::new(Some(tail), last)),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// No journal at all.
    pub fn none() -> Self {
        let shared = Arc::new(Shared::new(None, 0));
        Self { path: None, set_aside: None, shared, turn: tokio::sync::Mutex::default() }
    }

    /// Where it is.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// An earlier journal of this pivot that was damaged.
    pub fn set_aside(&self) -> Option<&SetAside> {
        self.set_aside.as_ref()
    }

    /// Why the journal has fallen silent; told once.
    pub fn warning(&self) -> Option<JournalError> {
        self.shared.queue().warning.take()
    }

    /// Writes an event down and waits until it is on disk, together with all that others hand in meanwhile. Returns its number.
    ///
    /// A future that is dropped half-way leaves its event in the journal.
    pub async fn record(&self, at: &str, event: Event) -> u64 {
        let seq = self.shared.hand_in(at, event);
        if timeout(PATIENCE, self.settle(seq)).await.is_err()
            && let Some(path) = &self.path
        {
            self.shared.silence(slow(path.clone()));
        }
        seq
    }

    /// Writes an event down with the next one that somebody waits for: what came of a write can be looked up again.
    pub fn note(&self, at: &str, event: Event) {
        self.shared.hand_in(at, event);
    }

    async fn settle(&self, seq: u64) {
        let _turn = self.turn.lock().await;
        // Most find their event written by whoever had the turn before.
        if self.shared.is_settled(seq) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        if let Err(error) = spawn_blocking(move || shared.flush()).await
            && let Some(path) = &self.path
        {
            self.shared.silence(JournalError::io("write", path)(error.into()));
        }
    }
}

#[cfg(test)]
impl Journal {
    /// The disk stands still for as long as the guard lives.
    pub(super) fn stop_disk(&self) -> impl Drop + '_ {
        self.shared.tail.lock().unwrap()
    }

    /// Number of the last entry that is on disk.
    pub(super) fn written(&self) -> u64 {
        self.shared.queue().written
    }
}

fn slow(path: PathBuf) -> JournalError {
    JournalError::Slow { path, seconds: PATIENCE.as_secs() }
}

impl Shared {
    fn new(tail: Option<Tail>, last: u64) -> Self {
        let silent = tail.is_none();
        let queue = Queue { last, waiting: Vec::new(), written: last, silent, warning: None };
        Self { queue: Mutex::new(queue), tail: Mutex::new(tail) }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_in(&self, at: &str, event: Event) -> u64 {
        let mut queue = self.queue();
        queue.last += 1;
        let seq = queue.last;
        if !queue.silent {
            queue.waiting.push(Entry { seq, at: at.to_owned(), event });
        }
        seq
    }

    fn is_settled(&self, seq: u64) -> bool {
        let queue = self.queue();
        queue.silent || queue.written >= seq
    }

    fn silence(&self, why: JournalError) {
        let mut queue = self.queue();
        queue.waiting.clear();
        if !std::mem::replace(&mut queue.silent, true) {
            queue.warning = Some(why);
        }
    }

    /// Writes all that waits. The queue is emptied under the lock of the file, so that the order holds whoever flushes.
    fn flush(&self) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::take(&mut self.queue().waiting);
        let (Some(open), Some(last)) = (tail.as_mut(), batch.last()) else { return };
        match open.append(&batch) {
            Ok(()) => self.queue().written = last.seq,
            Err(error) => {
                // Nothing may follow the gap.
                *tail = None;
                self.silence(error);
            }
        }
    }
}

impl Tail {
    /// The journal to write to, the number of its last entry, and the one that had to make room for it.
    fn open(dir: &Path, pivot: &str) -> Result<(Self, u64, Option<SetAside>), JournalError> {
        if pivot.is_empty() || pivot.starts_with('.') || pivot.contains(['/', '\0']) {
            return Err(JournalError::Id(pivot.to_owned()));
        }
        let folder = dir.join(pivot);
        let create = DirBuilder::new().recursive(true).mode(OWNER_ONLY_DIRECTORY).create(&folder);
        create
            .and_then(|()| fs::set_permissions(&folder, Permissions::from_mode(OWNER_ONLY_DIRECTORY)))
            .map_err(JournalError::io("create", &folder))?;
        let path = folder.join(FILE);
        let (tail, trusted) = Self::continue_at(&path, pivot)?;
        let last = trusted.reading.entries.len() as u64;
        let Some(damage) = trusted.reading.damage else { return Ok((tail, last, None)) };
        let aside = free_name(&folder);
        fs::rename(&path, &aside).map_err(JournalError::io("rename", &path))?;
        let (fresh, _) = Self::continue_at(&path, pivot)?;
        Ok((fresh, 0, Some(SetAside { path: aside, damage })))
    }

    fn continue_at(path: &Path, pivot: &str) -> Result<(Self, Trusted), JournalError> {
        let failed = |action| JournalError::io(action, path);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(OWNER_ONLY);
        let mut file = carefully(&mut options).open(path).map_err(failed("open"))?;
        if !lock(&file) {
            return Err(JournalError::InUse { path: path.to_owned() });
        }
        let bytes = read_all(&mut file).map_err(failed("read"))?;
        file.set_permissions(Permissions::from_mode(OWNER_ONLY)).map_err(failed("protect"))?;
        let newer = |format| JournalError::Newer { path: path.to_owned(), format };
        let mut trusted = parse(&bytes).map_err(newer)?;
        if let Some(Event::Begin(begin)) = trusted.reading.entries.first().map(|entry| &entry.event)
            && begin.pivot != pivot
        {
            trusted.reading.damage = Some(Damage { line: 1, what: Flaw::Foreign });
        }
        if trusted.reading.cut_off && trusted.reading.damage.is_none() {
            file.set_len(trusted.length).map_err(failed("shorten"))?;
        }
        // A new name is only as durable as the directories above it; not every file system can flush those.
        for folder in path.ancestors().skip(1).take(2) {
            let _best_effort = File::open(folder).and_then(|folder| folder.sync_all());
        }
        let tail = Self { path: path.to_owned(), file, length: trusted.length, sum: trusted.sum.clone() };
        Ok((tail, trusted))
    }

    fn append(&mut self, batch: &[Entry]) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        let sum = batch.iter().fold(self.sum.clone(), |sum, entry| line::encode(entry, &sum, &mut bytes));
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a line does no harm, but says nothing either.
            let _best_effort = self.file.set_len(self.length);
            return Err(JournalError::io("write", &self.path)(error));
        }
        self.length += bytes.len() as u64;
        self.sum = sum;
        Ok(())
    }
}

/// Keeps other processes from writing. False where one does.
fn lock(file: &File) -> bool {
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            // A child that has not yet begun its own program still holds what we have just closed.
            Err(TryLockError::WouldBlock) => sleep(LOCK_PAUSE),
            // Not every file system can lock; the Leases keep others away.
            Ok(()) | Err(TryLockError::Error(_)) => return true,
        }
    }
    false
}

/// A name for a damaged journal that no other has.
fn free_name(folder: &Path) -> PathBuf {
    let names = (1_u32..).map(|number| folder.join(format!("journal-damaged-{number}.ndjson")));
    let mut free = names.filter(|path| fs::symlink_metadata(path).is_err());
    free.next().expect("BUG: there is no last number")
}
