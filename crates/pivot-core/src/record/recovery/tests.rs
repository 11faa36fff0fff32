use std::collections::BTreeSet;

use super::*;
use crate::digest::Digest;
use crate::machine::{Phase, Side};
use crate::plan::{ClusterIdentity, Origin};
use crate::record::{FORMAT, FenceProof, SnapshotMark, Terms};

/// What one side may be found to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Silent,
    Nothing,
    Locked,
    /// Locked, and the target holds a whole snapshot of a fenced source.
    Snapshot,
    Prepared,
    Committed,
    Aborting,
    Aborted,
    /// Finished, and the source's objects, or the snapshot, are still there.
    Kept,
    /// Finished, with nothing left.
    Finished,
}

use Says::*;

const EVERY_PAIR: &str = "\
source    target     resume         rollback
silent    silent     target?        target?
silent    nothing    source?        source?
silent    locked     source?        source?
silent    snapshot   source?        source?
silent    committed  decided-alone  refused
silent    aborting   source?        source?
silent    aborted    source?        source?
silent    kept       went-through   refused
silent    finished   went-through   refused
nothing   silent     target?        target?
nothing   nothing    no-pivot       no-pivot
nothing   locked     source-forgot  source-forgot
nothing   snapshot   source-forgot  source-forgot
nothing   committed  decided-alone  refused
nothing   aborting   source-forgot  source-forgot
nothing   aborted    source-forgot  source-forgot
nothing   kept       went-through   refused
nothing   finished   went-through   refused
locked    silent     target?        back-alone
locked    nothing    forward        back
locked    locked     forward        back
locked    snapshot   forward        back
locked    committed  decided        refused
locked    aborting   back           back
locked    aborted    back           back
locked    kept       decided        refused
locked    finished   went-through   refused
prepared  silent     in-doubt       in-doubt
prepared  nothing    in-doubt       in-doubt
prepared  locked     forward        back
prepared  snapshot   forward        back
prepared  committed  decided        refused
prepared  aborting   back           back
prepared  aborted    back           back
prepared  kept       decided        refused
prepared  finished   went-through   refused
aborting  silent     back-alone     back-alone
aborting  nothing    back           back
aborting  locked     back           back
aborting  snapshot   back           back
aborting  committed  in-doubt       in-doubt
aborting  aborting   back           back
aborting  aborted    back           back
aborting  kept       in-doubt       in-doubt
aborting  finished   in-doubt       in-doubt
aborted   silent     target?        target?
aborted   nothing    was-undone     was-undone
aborted   locked     back           back
aborted   snapshot   back           back
aborted   committed  in-doubt       in-doubt
aborted   aborting   back           back
aborted   aborted    back           back
aborted   kept       in-doubt       in-doubt
aborted   finished   in-doubt       in-doubt
kept      silent     went-through   refused
kept      nothing    went-through   refused
kept      locked     went-through   refused
kept      snapshot   went-through   refused
kept      committed  decided        refused
kept      aborting   went-through   refused
kept      aborted    went-through   refused
kept      kept       went-through   refused
kept      finished   went-through   refused
finished  silent     went-through   refused
finished  nothing    went-through   refused
finished  locked     went-through   refused
finished  snapshot   went-through   refused
finished  committed  close          refused
finished  aborting   went-through   refused
finished  aborted    went-through   refused
finished  kept       close          refused
finished  finished   went-through   refused
";

const BY_ATTESTATION: &str = "\
source dead: silent    locked     no-snapshot    back
source dead: silent    snapshot   from-snapshot  source?
source dead: silent    aborting   back           back
source dead: silent    aborted    back           back
target dead: locked    silent     back-alone     back-alone
target dead: prepared  silent     in-doubt       back-alone
target dead: prepared  nothing    in-doubt       back
target dead: aborted   silent     was-undone     was-undone
";

const SOURCE: [Says; 8] = [Silent, Nothing, Locked, Prepared, Aborting, Aborted, Kept, Finished];
const TARGET: [Says; 9] = [Silent, Nothing, Locked, Snapshot, Committed, Aborting, Aborted, Kept, Finished];

fn known(side: Side, says: Says) -> Known {
    let state = match says {
        Silent => return Known::Unreachable,
        Nothing => return Known::Read(None),
        Locked | Snapshot => State::Locked,
        Prepared => State::Prepared,
        Committed => State::Committed,
        Aborting => State::Aborting,
        Aborted => State::Aborted,
        Kept | Finished => State::Finished,
    };
    let identity = ClusterIdentity { name: String::new(), id: String::new() };
    let whole = matches!(says, Snapshot | Committed | Kept) && side == Side::Target;
    let proof = FenceProof {
        token: String::new(),
        denials: 3,
        leases: Vec::new(),
        stopped: Vec::new(),
        pods: BTreeSet::new(),
        ironic: Vec::new(),
    };
    Known::Read(Some(Box::new(PivotRecord {
        format: FORMAT,
        tool: String::new(),
        id: "p1".to_owned(),
        side,
        epoch: 1,
        source: identity.clone(),
        target: identity,
        origin: Origin::Cluster,
        state,
        phase: Phase::Lock,
        coordinator: String::new(),
        token: String::new(),
        terms: Terms { retire: if says == Kept { Retire::Keep } else { Retire::Delete }, ..Terms::default() },
        before: None,
        reach: None,
        asked: std::collections::BTreeSet::new(),
        pauses: Vec::new(),
        captured: Vec::new(),
        fenced: true,
        source_fence: whole.then_some(proof),
        ironic: None,
        snapshot: whole.then(|| SnapshotMark { digest: Digest::of(b""), chunks: 1, objects: 1 }),
        cause: None,
    })))
}

fn decide(verb: Verb, source: Says, target: Says, attested: Attested) -> Result<Course, NoCourse> {
    course(verb, &known(Side::Source, source), &known(Side::Target, target), attested)
}

fn name(course: &Result<Course, NoCourse>) -> &'static str {
    match course {
        Ok(Course::Ended { finished: true }) => "went-through",
        Ok(Course::Ended { finished: false }) => "was-undone",
        Ok(Course::Forward) => "forward",
        Ok(Course::ForwardFromSnapshot) => "from-snapshot",
        Ok(Course::Decided { source: true }) => "decided",
        Ok(Course::Decided { source: false }) => "decided-alone",
        Ok(Course::Close) => "close",
        Ok(Course::Back { target: true }) => "back",
        Ok(Course::Back { target: false }) => "back-alone",
        Err(NoCourse::NoPivot) => "no-pivot",
        Err(NoCourse::Decided) => "refused",
        Err(NoCourse::InDoubt(_)) => "in-doubt",
        Err(NoCourse::SourceUnreachable) => "source?",
        Err(NoCourse::TargetUnreachable) => "target?",
        Err(NoCourse::SourceForgot) => "source-forgot",
        Err(NoCourse::NoSnapshot) => "no-snapshot",
    }
}

fn table(attested: Attested) -> String {
    let mut table = String::from("source    target     resume         rollback\n");
    for source in SOURCE {
        for target in TARGET {
            let [resume, rollback] =
                [Verb::Resume, Verb::Rollback].map(|verb| name(&decide(verb, source, target, attested)));
            let (source, target) =
                (format!("{source:?}").to_lowercase(), format!("{target:?}").to_lowercase());
            table.push_str(format!("{source:9} {target:10} {resume:14} {rollback}").trim_end());
            table.push('\n');
        }
    }
    table
}

#[test]
fn every_pair_of_records_has_its_course() {
    assert_eq!(table(Attested::default()), EVERY_PAIR);
}

#[test]
fn the_word_of_a_person_opens_what_nobody_else_can() {
    let source_dead = Attested { source_dead: true, ..Attested::default() };
    let target_dead = Attested { target_dead: true, ..Attested::default() };
    let mut told = Vec::new();
    for (who, attested) in [("source dead", source_dead), ("target dead", target_dead)] {
        for (before, after) in table(Attested::default()).lines().zip(table(attested).lines()) {
            if before != after {
                told.push(format!("{who}: {after}\n"));
            }
        }
    }
    assert_eq!(told.concat(), BY_ATTESTATION);
}

fn all() -> impl Iterator<Item = (Verb, Says, Says, Attested)> {
    let attested = |bits: u8| Attested { source_dead: bits & 1 != 0, target_dead: bits & 2 != 0 };
    [Verb::Resume, Verb::Rollback].into_iter().flat_map(move |verb| {
        SOURCE.into_iter().flat_map(move |source| {
            TARGET
                .into_iter()
                .flat_map(move |target| (0..4).map(move |bits| (verb, source, target, attested(bits))))
        })
    })
}

/// R3, and R2 from the side of the target.
#[test]
fn what_is_decided_only_goes_forward() {
    for (verb, source, target, attested) in all() {
        let decided = matches!(target, Committed | Kept | Finished) && !matches!(source, Aborting | Aborted);
        if !decided {
            continue;
        }
        let course = decide(verb, source, target, attested);
        let forward = matches!(
            course,
            Ok(Course::Decided { .. } | Course::Close | Course::Ended { finished: true })
                | Err(NoCourse::Decided | NoCourse::SourceUnreachable)
        );
        assert!(forward, "{verb:?} {source:?} {target:?} {attested:?}: {course:?}");
        assert_eq!(course == Err(NoCourse::Decided), verb == Verb::Rollback, "{source:?} {target:?}");
    }
}

/// R2: a prepared source waits for the target's word, or for a person's.
#[test]
fn a_prepared_source_is_not_opened_unasked() {
    for (verb, source, target, attested) in all().filter(|(_, source, ..)| *source == Prepared) {
        let course = decide(verb, source, target, attested);
        let answered = matches!(target, Locked | Snapshot | Aborting | Aborted) || attested.target_dead;
        let opens = matches!(course, Ok(Course::Back { .. } | Course::Forward));
        assert!(!opens || answered, "{verb:?} {target:?} {attested:?}: {course:?}");
    }
}

/// I4: who does not answer is never taken for dead.
#[test]
fn silence_alone_gives_nobody_up() {
    for (verb, source, target, _) in all() {
        let course = decide(verb, source, target, Attested::default());
        if source == Silent {
            let without =
                matches!(course, Ok(Course::ForwardFromSnapshot | Course::Back { .. } | Course::Forward));
            assert!(!without, "{verb:?} {target:?}: {course:?}");
        }
        if target == Silent && course == Ok(Course::Back { target: false }) {
            assert!(matches!(source, Locked | Aborting), "{verb:?} {source:?}");
        }
    }
}

/// Somebody said that the target is dead, the source came back, and then the target did.
#[test]
fn nobody_goes_on_where_both_sides_are_said_to_act() {
    for (verb, source, target, attested) in all() {
        if matches!(source, Aborting | Aborted) && matches!(target, Committed | Kept | Finished) {
            let course = decide(verb, source, target, attested);
            assert!(matches!(course, Err(NoCourse::InDoubt(_))), "{source:?} {target:?}: {course:?}");
        }
    }
}

#[test]
fn an_import_has_no_source_to_ask() {
    let mut target = known(Side::Target, Locked);
    if let Known::Read(Some(record)) = &mut target {
        record.origin = Origin::Directory;
    }
    for source in [Known::Read(None), Known::Unreachable] {
        for verb in [Verb::Resume, Verb::Rollback] {
            assert_eq!(
                course(verb, &source, &target, Attested::default()),
                Ok(Course::Back { target: true })
            );
        }
    }
}

#[test]
fn what_was_kept_can_be_closed_once() {
    let close = |source, target| {
        closing(&known(Side::Source, source), &known(Side::Target, target), Attested::default())
    };
    assert_eq!(close(Kept, Kept), Ok(Course::Decided { source: true }));
    assert_eq!(close(Finished, Kept), Ok(Course::Close));
    assert_eq!(close(Finished, Finished), Ok(Course::Ended { finished: true }));
    assert_eq!(close(Prepared, Committed), Ok(Course::Decided { source: true }));
}
