//! Whatever becomes of the bytes: what is read was written, in that order, from the beginning.

use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use pivot_core::kind::GroupKind;
use pivot_core::machine::{Op, Outcome, Phase, RefusalClass, Revision, Side, Write};
use pivot_core::object::{ObjectKey, Uid};
use pivot_core::plan::ClusterIdentity;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::entry::{Begin, Class, Ending, Entry, Event, Guard, OpName};
use super::line::{Sum, encode};
use super::reading::{Flaw, parse};
use super::{FORMAT, JournalError};

fn begin(pivot: &str) -> Begin {
    let cluster = |name: &str| ClusterIdentity { name: name.to_owned(), id: format!("{name}-id") };
    Begin::new(pivot, "0.1.0", &cluster("source"), &cluster("target"))
}

fn write(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    entries.iter().fold(Sum::start(), |sum, entry| encode(entry, &sum, &mut bytes));
    bytes
}

fn numbered(events: Vec<Event>) -> Vec<Entry> {
    let events = std::iter::once(Event::Begin(begin("p1"))).chain(events);
    let entry = |(seq, event)| Entry { seq, at: "2026-01-01T00:00:00Z".to_owned(), event };
    (1..).zip(events).map(entry).collect()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9.-]{0,12}", any::<String>()]
}

fn event() -> impl Strategy<Value = Event> {
    let op = prop_oneof![Just(OpName::Create), Just(OpName::Status), Just(OpName::Delete)];
    let side = prop_oneof![Just(Side::Source), Just(Side::Target)];
    let guard = (proptest::option::of(text()), proptest::option::of(text()))
        .prop_map(|(uid, resource_version)| Guard { uid: uid.map(Uid), resource_version });
    let class = prop_oneof![Just(Class::Done), Just(Class::NotFound), Just(Class::Unknown)];
    prop_oneof![
        text().prop_map(|pivot| Event::Begin(begin(&pivot))),
        (side, op, text(), proptest::option::of(text()), proptest::option::of(guard)).prop_map(
            |(side, op, name, namespace, guard)| {
                let key = ObjectKey::new(GroupKind::new("a.io", "Kind"), namespace.as_deref(), &name);
                Event::Intent { side, op, key, guard }
            }
        ),
        (any::<u64>(), class, proptest::option::of(text()))
            .prop_map(|(intent, class, revision)| Event::Outcome { intent, class, revision }),
        (0..Phase::ALL.len()).prop_map(|at| Event::Phase { phase: Phase::ALL[at] }),
        Just(Event::End { ending: Ending::RolledBack }),
    ]
}

fn journal() -> impl Strategy<Value = Vec<Entry>> {
    proptest::collection::vec(event(), 0..8).prop_map(numbered)
}

/// Something that happens to a file.
#[derive(Clone, Debug)]
enum Harm {
    Set(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Drop(Index, Index),
    Repeat(Index),
    Swap(Index, Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<Index>;
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        index().prop_map(Harm::Cut),
        (index(), proptest::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        (index(), index()).prop_map(|(from, to)| Harm::Drop(from, to)),
        index().prop_map(Harm::Repeat),
        (index(), index()).prop_map(|(one, other)| Harm::Swap(one, other)),
    ]
}

impl Harm {
    fn on(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let mut lines: Vec<Vec<u8>> =
            bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        match self {
            Self::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Drop(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                bytes.drain(from.min(to)..from.max(to));
            }
            Self::Repeat(at) => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at].clone());
                *bytes = lines.concat();
            }
            Self::Swap(one, other) => {
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
                *bytes = lines.concat();
            }
        }
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(entries in journal()) {
        let bytes = write(&entries);
        let trusted = parse(&bytes).unwrap();
        prop_assert_eq!(trusted.length, bytes.len() as u64);
        prop_assert!(!trusted.reading.cut_off && trusted.reading.damage.is_none());
        prop_assert_eq!(trusted.reading.entries, entries);
    }

    #[test]
    fn nothing_is_read_that_was_not_written(entries in journal(), harms in proptest::collection::vec(harm(), 1..4)) {
        let written = write(&entries);
        let mut bytes = written.clone();
        for harm in &harms {
            harm.on(&mut bytes);
        }
        let Ok(trusted) = parse(&bytes) else { return Ok(()) };
        let read = trusted.reading.entries;
        prop_assert!(entries.starts_with(&read), "{harms:?}");
        let length = usize::try_from(trusted.length).unwrap();
        prop_assert_eq!(&bytes[..length], &written[..length]);
        let all = trusted.reading.damage.is_none() && !trusted.reading.cut_off;
        prop_assert!(!all || bytes.len() == length, "what follows the trusted part is told");
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(parse(&bytes).is_ok_and(|trusted| trusted.reading.entries.is_empty()));
    }

    #[test]
    fn a_line_of_another_journal_is_recognised(ours in journal(), theirs in journal(), at in any::<Index>()) {
        prop_assume!(ours != theirs);
        let lines = |entries: &[Entry]| -> Vec<Vec<u8>> {
            write(entries).split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
        };
        let (mut mixed, foreign) = (lines(&ours), lines(&theirs));
        let at = at.index(mixed.len().min(foreign.len()));
        prop_assume!(mixed[at] != foreign[at]);
        mixed[at].clone_from(&foreign[at]);
        let trusted = parse(&mixed.concat()).unwrap();
        // Between equal lines before it and none behind it there is nothing to tell it by.
        prop_assert!(trusted.reading.entries.len() <= at + 1);
        prop_assert!(trusted.reading.entries[..at] == ours[..at]);
        prop_assert!(at + 1 == mixed.len() || trusted.reading.damage.is_some());
    }
}

/// Whole lines.
fn lines_of(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

fn sample() -> Vec<Entry> {
    let key = ObjectKey::new(GroupKind::new("metal3.io", "BareMetalHost"), Some("a"), "node-0");
    let guard = Some(Guard { uid: Some(Uid("u".to_owned())), resource_version: Some("5".to_owned()) });
    numbered(vec![
        Event::Phase { phase: Phase::Stage },
        Event::Intent { side: Side::Target, op: OpName::Merge, key, guard },
        Event::Outcome { intent: 3, class: Class::Done, revision: Some("6".to_owned()) },
        Event::End { ending: Ending::Done },
    ])
}

#[test]
fn every_flipped_bit_is_found() {
    let entries = sample();
    let bytes = write(&entries);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let line = lines_of(&bytes[..at]);
            // A first line that claims another format is refused as a whole.
            let Ok(trusted) = parse(&bytes) else {
                assert_eq!(line, 0);
                continue;
            };
            assert_eq!(trusted.reading.entries, entries[..line], "byte {at}, bit {bit}");
            assert!(trusted.reading.damage.is_some() || trusted.reading.cut_off, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_cut_takes_the_last_lines_only() {
    let entries = sample();
    let bytes = write(&entries);
    for at in 0..=bytes.len() {
        let trusted = parse(&bytes[..at]).unwrap();
        let whole = lines_of(&bytes[..at]);
        assert_eq!(trusted.reading.entries, entries[..whole]);
        assert_eq!(trusted.reading.damage, None, "a crash is no damage");
        assert_eq!(trusted.reading.cut_off, !bytes[..at].ends_with(b"\n") && at > 0);
    }
}

#[test]
fn a_line_out_of_place_is_none() {
    let damage = |entries: &[Entry]| {
        let damage = parse(&write(entries)).unwrap().reading.damage.unwrap();
        (damage.line, damage.what)
    };
    let entries = sample();
    assert_eq!(damage(&entries[1..]), (1, Flaw::Odd), "a journal begins with who writes it");
    assert_eq!(damage(&[entries[0].clone(), entries[2].clone()]), (2, Flaw::Odd), "lines are counted");
}

#[test]
fn a_newer_format_is_refused_however_it_is_summed_up() {
    let newer = Begin { format: FORMAT + 1, ..begin("p1") };
    let mut entries = sample();
    entries[0].event = Event::Begin(newer);
    assert_eq!(parse(&write(&entries)).unwrap_err(), u64::from(FORMAT) + 1);
    let other = b"{\"crc\":7,\"kind\":\"begin\",\"format\":99,\"more\":{}}\n";
    assert_eq!(parse(other).unwrap_err(), 99);
    // A newer version may go on with an older journal only in the older format.
    let mut entries = sample();
    entries[4].event = Event::Begin(Begin { format: FORMAT + 1, ..begin("p1") });
    assert!(parse(&write(&entries)).is_err());
}

#[test]
fn a_line_reads_as_it_is_documented() {
    let bytes = write(&sample());
    let lines: Vec<&str> = std::str::from_utf8(&bytes).unwrap().lines().collect();
    assert_eq!(
        lines[2],
        "{\"sum\":\"SUM\",\"seq\":3,\"at\":\"2026-01-01T00:00:00Z\",\"kind\":\"intent\",\"side\":\"target\",\"op\":\"merge\",\
         \"key\":{\"kind\":\"BareMetalHost.metal3.io\",\"namespace\":\"a\",\"name\":\"node-0\"},\
         \"guard\":{\"uid\":\"u\",\"resourceVersion\":\"5\"}}"
            .replace("SUM", &lines[2][8..24])
    );
}

#[test]
fn nothing_of_the_content_is_written() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "bmc", "namespace": "a", "uid": "u", "resourceVersion": "5",
            "annotations": {"a": "canary"}, "labels": {"a": "canary"}},
        "data": {"password": "Y2FuYXJ5"}, "stringData": {"password": "canary"}});
    let manager = || "canary".to_owned();
    let (body, patch) = (secret.clone(), secret);
    let ops = [
        Op::Create { body: body.clone(), manager: manager() },
        Op::Replace { body: body.clone(), manager: manager() },
        Op::Status { body, manager: manager() },
        Op::Merge { patch, manager: manager() },
        Op::Delete { uid: Uid("u".to_owned()), resource_version: None },
    ];
    let key = ObjectKey::new(GroupKind::new("", "Secret"), Some("a"), "bmc");
    let intents = ops.map(|op| Event::intent(&Write { side: Side::Target, key: key.clone(), op }));
    let guards = intents.iter().filter(|event| matches!(event, Event::Intent { guard: Some(_), .. })).count();
    assert_eq!(guards, 4, "all but the create");
    let revision = Revision { uid: Uid("u".to_owned()), resource_version: "6".to_owned(), generation: 1 };
    let refused =
        Outcome::Refused { class: RefusalClass::Denied, message: "canary".to_owned(), retry_after: None };
    let outcomes = [refused, Outcome::Unknown("canary".to_owned()), Outcome::Written(revision)];
    let outcomes = outcomes.map(|outcome| Event::outcome(2, &outcome));
    let entries = numbered(intents.into_iter().chain(outcomes).collect());
    let text = format!("{entries:?}{}", String::from_utf8(write(&entries)).unwrap());
    assert!(!text.contains("canary") && !text.contains("Y2FuYXJ5"), "{text}");
}

mod crowd {
    use super::super::writer::Journal;
    use super::*;

    const SLOW: Duration = Duration::from_secs(11);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_flush_serves_all_who_wait() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), begin("p1"), "now").await.unwrap();
        let disk = journal.stop_disk();
        let record = || journal.record("now", Event::Phase { phase: Phase::Stage });
        let mut records: FuturesUnordered<_> = (0..200).map(|_| record()).collect();
        assert!(futures::poll!(records.next()).is_pending(), "nobody is told before it is on disk");
        drop(disk);
        records.next().await.unwrap();
        assert_eq!(journal.written(), 201, "the first one is told when all are written");
        assert_eq!(records.count().await, 199);
        assert!(journal.warning().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_does_not_answer_stops_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), begin("p1"), "now").await.unwrap();
        let disk = journal.stop_disk();
        let phase = Event::Phase { phase: Phase::Stage };
        let waiting = async {
            tokio::join!(journal.record("now", phase.clone()), journal.record("now", phase.clone()));
        };
        let ((), ()) = tokio::join!(waiting, tokio::time::advance(SLOW));
        assert!(matches!(journal.warning(), Some(JournalError::Slow { .. })));
        assert_eq!(journal.record("now", phase).await, 4, "numbers go on");
        assert!(journal.warning().is_none(), "told once");
        drop(disk);
    }
}
