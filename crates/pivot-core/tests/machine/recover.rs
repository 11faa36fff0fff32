//! Taking up a pivot by nothing but what the two servers hold.

use std::collections::BTreeSet;
use std::time::Duration;

use pivot_core::fence;
use pivot_core::machine::{Defect, Machine, OnFailure, Options, Past, PastSide, Retire, Side};
use pivot_core::object::ObjectKey;
use pivot_core::record::{
    Attested, Course, Document as _, Known, NoCourse, Ownership, PivotRecord, StoredSnapshot, Terms, Verb,
    chunk_key, closing, course, ownership_key, pivot_key,
};

use crate::clusters::Clusters;
use crate::survey::{managers, obstacle, survey, survey_nothing, survey_snapshot};

/// How to take it up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TakeUp {
    pub(crate) verb: Verb,
    /// `finalize`.
    pub(crate) close: bool,
    pub(crate) attested: Attested,
    pub(crate) patience: Duration,
    pub(crate) on_failure: OnFailure,
    pub(crate) bulk: bool,
}

impl TakeUp {
    /// Nobody is attested dead, and all goes on to an end.
    pub(crate) fn new(verb: Verb) -> Self {
        Self {
            verb,
            close: false,
            attested: Attested::default(),
            patience: Duration::from_secs(3_600),
            on_failure: OnFailure::Rollback,
            bulk: false,
        }
    }
}

/// What became of it.
pub(crate) enum Taken {
    /// With the token of its coordinator.
    Machine(Box<Machine>, Box<Terms>, String),
    /// It had ended: with the target active where true.
    Ended(bool),
    Not(NoCourse),
    /// What is there cannot be moved any more.
    Refused(String),
}

pub(crate) fn options(id: &str, token: &str, terms: Terms, clusters: &Clusters, how: &TakeUp) -> Options {
    Options {
        pivot_id: id.to_owned(),
        tool: "test".to_owned(),
        coordinator: format!("coordinator {token}"),
        token: token.to_owned(),
        terms,
        on_failure: how.on_failure,
        close: how.close,
        wait: Duration::from_secs(10),
        patience: how.patience,
        snapshots: 5,
        bulk: if how.bulk { 0 } else { usize::MAX },
        live_providers: BTreeSet::new(),
        controllers: managers(clusters),
    }
}

/// What one side remembers of a pivot.
pub(crate) fn past(clusters: &Clusters, side: Side, id: &str) -> PastSide {
    let server = clusters.server(side);
    let read = |key: &ObjectKey| server.read(key);
    let record = read(&pivot_key(id)).map(|found| (PivotRecord::from_object(&found).unwrap(), found));
    let ownership = read(&ownership_key()).map(|found| (Ownership::from_object(&found).unwrap(), found));
    let chunks = (0..).map_while(|number| read(&chunk_key(id, number)));
    PastSide {
        ownership,
        record,
        policy: read(&fence::policy_key(id)),
        binding: read(&fence::binding_key(id)),
        chunks: chunks.collect(),
        ironic: None,
    }
}

pub(crate) fn take_up(clusters: &Clusters, id: &str, token: &str, how: TakeUp) -> Taken {
    let answers = |side| !clusters.silent.contains(&side);
    let known = |side| match clusters.record(side, id) {
        _ if !answers(side) => Known::Unreachable,
        record => Known::Read(record.map(Box::new)),
    };
    let (here, there) = (known(Side::Source), known(Side::Target));
    let record = |known: &Known| match known {
        Known::Read(record) => record.as_deref().cloned(),
        Known::Unreachable => None,
    };
    let Some(record) = record(&there).or_else(|| record(&here)) else { return Taken::Not(NoCourse::NoPivot) };
    let course = if how.close {
        closing(&here, &there, how.attested)
    } else {
        course(how.verb, &here, &there, how.attested)
    };
    let course = match course {
        Ok(Course::Ended { finished }) => return Taken::Ended(finished),
        Ok(course) => course,
        Err(reason) => return Taken::Not(reason),
    };
    let without = match course {
        Course::ForwardFromSnapshot | Course::Decided { source: false } => Some(Side::Source),
        Course::Back { target: false } => Some(Side::Target),
        Course::Ended { .. }
        | Course::Forward
        | Course::Decided { .. }
        | Course::Close
        | Course::Back { .. } => None,
    };
    let with = |side| answers(side) && without != Some(side);
    let of = |side| if with(side) { past(clusters, side, id) } else { PastSide::default() };
    let mut past = Past { source: of(Side::Source), target: of(Side::Target), pauses: Vec::new() };
    let blueprint = match course {
        Course::ForwardFromSnapshot | Course::Decided { .. } if with(Side::Target) => {
            let mark = past.target.record.as_ref().and_then(|(record, _)| record.snapshot.clone());
            let Some(mark) = mark else { return Taken::Refused("there is no snapshot".to_owned()) };
            let snapshot = match StoredSnapshot::decode(&mark, &past.target.chunks) {
                Ok(snapshot) => snapshot,
                Err(error) => return Taken::Refused(error.to_string()),
            };
            past.pauses.clone_from(&snapshot.pauses);
            survey_snapshot(clusters, snapshot, id)
        }
        Course::Close => survey_snapshot(clusters, StoredSnapshot::nothing(), id),
        // The target alone is cleaned.
        _ if !with(Side::Source) => survey_nothing(clusters, id),
        _ => {
            let blueprint = survey(clusters, with(Side::Target), Some(id));
            if course == Course::Forward
                && let Some(obstacle) = obstacle(&blueprint)
            {
                return Taken::Refused(obstacle);
            }
            blueprint
        }
    };
    let mut terms = record.terms.clone();
    if how.close {
        terms.retire = Retire::Delete;
    }
    let token = if Defect::KeepToken.is_made() { record.token.as_str() } else { token };
    let options = options(id, token, terms.clone(), clusters, &how);
    let machine = Machine::resume(blueprint, options, &past, course, how.attested);
    Taken::Machine(Box::new(machine), Box::new(terms), token.to_owned())
}
