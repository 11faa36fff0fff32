//! A journal that cannot be written costs a warning and nothing else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use pivot::journal::{self, Journal, JournalError};
use tempfile::tempdir;

use crate::folder::{NOW, PHASE, Tmpfs, begin, file, open};

#[tokio::test]
async fn a_full_disk_silences_it() {
    let Some(disk) = Tmpfs::mount("size=64k") else {
        eprintln!("SKIPPED: mounting a small file system needs root");
        return;
    };
    let journal = open(disk.path()).await.unwrap();
    let mut records = 1;
    let warning = loop {
        records += 1;
        assert_eq!(journal.record(NOW, PHASE).await, records);
        if let Some(warning) = journal.warning() {
            break warning;
        }
        assert!(records < 10_000, "64 KiB are never full");
    };
    let full = matches!(&warning, JournalError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull);
    assert!(full, "{warning}");
    // From now on nothing is told, and nothing is written.
    assert_eq!(journal.record(NOW, PHASE).await, records + 1);
    assert!(journal.warning().is_none());
    let reading = journal::read(&file(disk.path())).unwrap();
    assert_eq!(reading.entries.len() as u64, records - 1);
    assert!(reading.damage.is_none() && !reading.cut_off, "{:?}", reading.damage);
}

#[tokio::test]
async fn many_who_wait_for_a_full_disk_are_let_go() {
    let Some(disk) = Tmpfs::mount("size=16k") else {
        eprintln!("SKIPPED: mounting a small file system needs root");
        return;
    };
    let journal = open(disk.path()).await.unwrap();
    futures::future::join_all((0..1_000).map(|_| journal.record(NOW, PHASE))).await;
    assert!(journal.warning().is_some() && journal.warning().is_none());
    let reading = journal::read(&file(disk.path())).unwrap();
    assert!(reading.damage.is_none() && !reading.entries.is_empty());
}

#[tokio::test]
async fn a_full_disk_from_the_beginning_is_an_error() {
    let Some(disk) = Tmpfs::mount("size=4k") else {
        eprintln!("SKIPPED: mounting a small file system needs root");
        return;
    };
    fs::write(disk.path().join("filler"), vec![b'x'; 4_096]).unwrap();
    assert!(matches!(open(disk.path()).await, Err(JournalError::Io { .. })));
}

#[tokio::test]
async fn a_read_only_disk_is_an_error() {
    let dir = tempdir().unwrap();
    let read_only = Tmpfs::mount("ro");
    let path = if let Some(disk) = &read_only {
        disk.path()
    } else {
        // Whoever may not mount is stopped by permissions.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
        dir.path()
    };
    let error = open(path).await.unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_is_an_error() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = open(&dir.path().join("file/below")).await.unwrap_err();
    assert!(matches!(error, JournalError::Io { action: "create", .. }), "{error}");
}

#[tokio::test]
async fn a_link_in_its_place_is_not_followed() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("p1")).unwrap();
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    symlink(&elsewhere, file(dir.path())).unwrap();
    assert!(open(dir.path()).await.is_err());
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious");
}

#[tokio::test]
async fn an_id_cannot_lead_elsewhere() {
    let dir = tempdir().unwrap();
    for id in ["", ".", "..", "a/b", "/a", "../a", ".hidden", "a\0b"] {
        let error = Journal::open(dir.path(), begin(id), NOW).await.unwrap_err();
        assert!(matches!(error, JournalError::Id(_)), "{id:?}: {error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
