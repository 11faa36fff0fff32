//! A journal goes on where the last process left it, or makes room.

use std::fs::{self, OpenOptions};
use std::io::Write;

use pivot::journal::{self, Damage, Event, Flaw, Journal, JournalError};
use tempfile::tempdir;

use crate::folder::{NOW, PHASE, begin, file, open};

#[tokio::test]
async fn it_goes_on_with_the_next_number() {
    let dir = tempdir().unwrap();
    let first = open(dir.path()).await.unwrap();
    first.record(NOW, PHASE).await;
    drop(first);
    let second = open(dir.path()).await.unwrap();
    assert!(second.set_aside().is_none());
    assert_eq!(second.record(NOW, PHASE).await, 4);
    let reading = journal::read(&file(dir.path())).unwrap();
    assert_eq!(reading.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(matches!(reading.entries[2].event, Event::Begin(_)));
}

#[tokio::test]
async fn what_a_crash_cut_off_is_removed() {
    let dir = tempdir().unwrap();
    let first = open(dir.path()).await.unwrap();
    first.record(NOW, PHASE).await;
    drop(first);
    let whole = fs::read(file(dir.path())).unwrap();
    for cut in 1..60 {
        fs::write(file(dir.path()), &whole[..whole.len() - cut]).unwrap();
        let reading = journal::read(&file(dir.path())).unwrap();
        assert!(reading.cut_off && reading.damage.is_none() && reading.entries.len() == 1);
        let second = open(dir.path()).await.unwrap();
        assert!(second.set_aside().is_none());
        assert_eq!(second.record(NOW, PHASE).await, 3);
        let reading = journal::read(&file(dir.path())).unwrap();
        assert!(!reading.cut_off && reading.damage.is_none() && reading.entries.len() == 3);
    }
}

#[tokio::test]
async fn a_damaged_one_is_set_aside_whole() {
    let dir = tempdir().unwrap();
    for round in 1..=3 {
        let first = open(dir.path()).await.unwrap();
        first.record(NOW, PHASE).await;
        drop(first);
        let mut bytes = fs::read(file(dir.path())).unwrap();
        bytes[40] ^= 1;
        fs::write(file(dir.path()), &bytes).unwrap();
        let second = open(dir.path()).await.unwrap();
        let aside = second.set_aside().unwrap();
        assert_eq!(aside.damage, Damage { line: 1, what: Flaw::Altered });
        assert_eq!(aside.path, dir.path().join(format!("p1/journal-damaged-{round}.ndjson")));
        assert_eq!(fs::read(&aside.path).unwrap(), bytes);
        assert_eq!(second.record(NOW, PHASE).await, 2);
        assert_eq!(journal::read(&file(dir.path())).unwrap().entries.len(), 2);
    }
}

#[tokio::test]
async fn the_journal_of_another_pivot_is_set_aside() {
    let dir = tempdir().unwrap();
    drop(open(dir.path()).await.unwrap());
    fs::create_dir(dir.path().join("p2")).unwrap();
    fs::copy(file(dir.path()), dir.path().join("p2/journal.ndjson")).unwrap();
    let journal = Journal::open(dir.path(), begin("p2"), NOW).await.unwrap();
    assert_eq!(journal.set_aside().unwrap().damage, Damage { line: 1, what: Flaw::Foreign });
}

#[tokio::test]
async fn one_process_writes() {
    let dir = tempdir().unwrap();
    let first = open(dir.path()).await.unwrap();
    let refused = open(dir.path()).await.unwrap_err();
    assert!(matches!(refused, JournalError::InUse { .. }), "{refused}");
    assert_eq!(first.record(NOW, PHASE).await, 2);
    drop(first);
    assert_eq!(open(dir.path()).await.unwrap().record(NOW, PHASE).await, 4);
}

#[tokio::test]
async fn a_newer_one_is_left_alone() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("p1")).unwrap();
    let newer = "{\"kind\":\"begin\",\"format\":2}\n";
    fs::write(file(dir.path()), newer).unwrap();
    for error in [journal::read(&file(dir.path())).unwrap_err(), open(dir.path()).await.unwrap_err()] {
        assert!(matches!(error, JournalError::Newer { format: 2, .. }), "{error}");
        assert!(error.to_string().contains("a newer pivotctl"), "{error}");
    }
    assert_eq!(fs::read_to_string(file(dir.path())).unwrap(), newer);
}

#[tokio::test]
async fn somebody_who_writes_into_it_is_found() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path()).await.unwrap();
    OpenOptions::new().append(true).open(file(dir.path())).unwrap().write_all(b"hello\n").unwrap();
    journal.record(NOW, PHASE).await;
    let reading = journal::read(&file(dir.path())).unwrap();
    assert_eq!((reading.entries.len(), reading.damage), (1, Some(Damage { line: 2, what: Flaw::Altered })));
}
