//! Journals in a folder of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pivot::journal::{Begin, Event, Journal, JournalError};
use pivot_core::machine::Phase;
use pivot_core::plan::ClusterIdentity;
use tempfile::TempDir;

pub(crate) const NOW: &str = "2026-01-01T00:00:00Z";
pub(crate) const PHASE: Event = Event::Phase { phase: Phase::Stage };

pub(crate) fn begin(pivot: &str) -> Begin {
    let cluster = |name: &str| ClusterIdentity { name: name.to_owned(), id: format!("{name}-id") };
    Begin::new(pivot, "0.1.0", &cluster("source"), &cluster("target"))
}

pub(crate) async fn open(dir: &Path) -> Result<Journal, JournalError> {
    Journal::open(dir, begin("p1"), NOW).await
}

pub(crate) fn file(dir: &Path) -> PathBuf {
    dir.join("p1/journal.ndjson")
}

/// A file system in memory; gone when dropped.
pub(crate) struct Tmpfs(TempDir);

impl Tmpfs {
    /// `None` where we may not mount.
    pub(crate) fn mount(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "pivotctl-test"]).arg(dir.path());
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _status = Command::new("umount").arg(self.0.path()).status();
    }
}
