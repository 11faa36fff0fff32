//! What is told to be written is in the file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use futures::stream::{FuturesUnordered, StreamExt};
use pivot::journal::{self, Ending, Entry, Event, Journal};
use pivot_core::machine::Phase;
use tempfile::tempdir;

use crate::folder::{NOW, PHASE, begin, file, open};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn only_its_owner_may_look() {
    let dir = tempdir().unwrap();
    let state = dir.path().join("state/pivotctl");
    let _journal = open(&state).await.unwrap();
    for folder in [&state, &dir.path().join("state"), &state.join("p1")] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    assert_eq!(mode(&file(&state)), 0o600);
}

#[tokio::test]
async fn what_others_may_do_is_taken_away() {
    let dir = tempdir().unwrap();
    drop(open(dir.path()).await.unwrap());
    fs::set_permissions(dir.path().join("p1"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(file(dir.path()), fs::Permissions::from_mode(0o644)).unwrap();
    let _journal = open(dir.path()).await.unwrap();
    assert_eq!((mode(&dir.path().join("p1")), mode(&file(dir.path()))), (0o700, 0o600));
}

#[tokio::test]
async fn each_record_is_there_when_it_returns() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path()).await.unwrap();
    assert_eq!(journal.path(), Some(file(dir.path()).as_path()));
    for seq in 2..6 {
        assert_eq!(journal.record(NOW, PHASE).await, seq);
        let reading = journal::read(&file(dir.path())).unwrap();
        assert_eq!(reading.entries.last(), Some(&Entry { seq, at: NOW.to_owned(), event: PHASE }));
        assert!(reading.damage.is_none() && !reading.cut_off);
    }
    assert!(journal.warning().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_all_there() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path()).await.unwrap();
    let mut records: FuturesUnordered<_> = (0..500)
        .map(|intent| journal.record(NOW, Event::outcome(intent, &pivot_core::machine::Outcome::Removed)))
        .collect();
    let mut seen = Vec::new();
    while let Some(seq) = records.next().await {
        seen.push(seq);
        if seen.len() == 1 {
            let reading = journal::read(&file(dir.path())).unwrap();
            assert!(reading.entries.iter().any(|entry| entry.seq == seq));
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (2..=501).collect::<Vec<_>>());
    let reading = journal::read(&file(dir.path())).unwrap();
    assert_eq!(reading.entries.len(), 501);
    let mut intents: Vec<_> = reading
        .entries
        .iter()
        .filter_map(|entry| match entry.event {
            Event::Outcome { intent, .. } => Some(intent),
            _ => None,
        })
        .collect();
    intents.sort_unstable();
    assert_eq!(intents, (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_record_given_up_half_way_breaks_nothing() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path()).await.unwrap();
    for _ in 0..20 {
        let mut record = Box::pin(journal.record(NOW, PHASE));
        assert!(futures::poll!(record.as_mut()).is_pending());
    }
    assert_eq!(journal.record(NOW, PHASE).await, 22);
    assert_eq!(journal::read(&file(dir.path())).unwrap().entries.len(), 22);
}

#[tokio::test]
async fn no_journal_takes_everything_and_keeps_nothing() {
    let journal = Journal::none();
    assert_eq!(journal.record(NOW, PHASE).await, 1);
    assert!(journal.warning().is_none() && journal.path().is_none() && journal.set_aside().is_none());
}

#[tokio::test]
async fn the_history_lists_all_pivots() {
    let dir = tempdir().unwrap();
    assert!(journal::list(&dir.path().join("none")).unwrap().is_empty());
    for pivot in ["p2", "p1", "p3"] {
        let journal = Journal::open(dir.path(), begin(pivot), NOW).await.unwrap();
        journal.record("later", PHASE).await;
        if pivot == "p1" {
            journal.record("last", Event::End { ending: Ending::Done }).await;
        }
    }
    let damaged = dir.path().join("p3/journal.ndjson");
    fs::write(&damaged, fs::read_to_string(&damaged).unwrap().replace("later", "LATER")).unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::write(dir.path().join("stray"), "").unwrap();
    fs::create_dir(dir.path().join("pipe")).unwrap();
    symlink("/dev/zero", dir.path().join("pipe/journal.ndjson")).unwrap();

    let listed = journal::list(dir.path()).unwrap();
    let names: Vec<_> = listed.iter().map(|journal| journal.pivot.as_str()).collect();
    assert_eq!(names, ["p1", "p2", "p3", "pipe"]);
    let (first, second, third, odd) = (&listed[0], &listed[1], &listed[2], &listed[3]);
    assert_eq!(first.begin, Some((NOW.to_owned(), begin("p1"))));
    assert_eq!(first.phase, Some(("later".to_owned(), Phase::Stage)));
    assert_eq!((&first.ending, first.entries), (&Some(("last".to_owned(), Ending::Done)), 3));
    assert_eq!((&second.ending, &second.problem), (&None, &None));
    assert_eq!((&third.phase, third.entries), (&None, 1));
    assert!(third.problem.as_ref().unwrap().contains("line 2 does not fit its checksum"), "{third:?}");
    assert!(odd.problem.as_ref().unwrap().contains("cannot read"), "{odd:?}");
}
