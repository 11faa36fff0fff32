//! A pivot that somebody left, finished or undone by what both clusters remember of it: `resume`, `rollback`, `finalize`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pivot_core::link::{LinkRules, LinkRulesError};
use pivot_core::machine::{End, Machine, Past, PastSide, Retire, Side};
use pivot_core::plan::{Blueprint, Origin};
use pivot_core::record::{
    Attested, Course, Known, NoCourse, PivotRecord, SnapshotError, State, StoredSnapshot, Terms, Verb,
    closing, course,
};
use pivot_core::select::Request;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, Failure};
use crate::coordinator::{SeatError, sweep};
use crate::engine::{self, Sides, Source, Target};
use crate::event::Listener;
use crate::records::{Records, RecordsError, past, records_within};
use crate::run::{Driver, OnFailure, RunOptions, guises, leave_seat, machine_options, story, take_seat};
use crate::survey::{self, IronicWish, Options, SurveyError, discover, survey, survey_snapshot};

/// What to do with a pivot, and how.
#[derive(Clone, Debug)]
pub struct RecoverOptions {
    /// Finish or undo.
    pub verb: Verb,
    /// Whether what was kept in the source is given up, and the records are closed (`finalize`).
    pub close: bool,
    /// Which pivot; the only open one where `None`.
    pub id: Option<String>,
    /// Names of clusters that a person says are gone for good.
    pub dead: Dead,
    /// How long a side may be silent before it counts as unreachable.
    pub silence: Duration,
    /// What a failure before PREPARE leads to.
    pub on_failure: OnFailure,
    /// Limit of the waits of one request that fails for now, added up.
    pub patience: Duration,
    /// Limit of every wait for controllers.
    pub wait: Duration,
    /// Requests to one cluster that may be in flight at the same time.
    pub concurrency: usize,
    /// Who drives it.
    pub driver: Driver,
}

/// Clusters that a person says are gone for good, by the name that the records give them (DESIGN I4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dead {
    /// `--attest-source-dead`.
    pub source: Option<String>,
    /// `--attest-target-dead`.
    pub target: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The pivot, as one of its records describes it.
    pub record: PivotRecord,
    /// How it ended; `None` where it had ended before, and with which side active.
    pub end: Ended,
}

/// Whether there was anything to do.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It was carried on, to this end.
    Now(End),
    /// It had ended already: with the target active where true, else with the source.
    Before {
        /// Whether it went through.
        finished: bool,
    },
}

/// Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// A side's records.
    #[error("{name} (the {side}): {error}")]
    Records {
        /// Which side.
        side: Side,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: RecordsError,
    },
    /// Several pivots are open.
    #[error("several pivots are open: {}", .0.join(", "))]
    Ambiguous(Vec<String>),
    /// The rules of the protocol.
    #[error("{reason}")]
    NoCourse {
        /// The pivot, where one is known.
        id: Option<String>,
        /// Why.
        #[source]
        reason: NoCourse,
    },
    /// The kubeconfigs lead elsewhere than the pivot.
    #[error("{name} is not the {side} of pivot {id}: that is {expected}")]
    Elsewhere {
        /// Which side.
        side: Side,
        /// Where the kubeconfig leads.
        name: String,
        /// The pivot.
        id: String,
        /// The cluster that takes part in it.
        expected: String,
    },
    /// Somebody is attested dead that answers, or another name is given than the records know.
    #[error("{0}")]
    Attest(String),
    /// A side cannot be looked at.
    #[error(transparent)]
    Survey(Box<SurveyError>),
    /// What was found cannot be moved any more.
    #[error("{0}")]
    Refused(String),
    /// The snapshot in the target.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The link rules in the record.
    #[error("the link rules in the record cannot be read: {0}")]
    Links(#[from] LinkRulesError),
    /// Somebody else drives it.
    #[error(transparent)]
    Seat(#[from] SeatError),
    /// A request.
    #[error("{name} (the {side}): {error}")]
    Cluster {
        /// Which side.
        side: Side,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: Failure,
    },
}

impl From<SurveyError> for RecoverError {
    fn from(error: SurveyError) -> Self {
        Self::Survey(Box::new(error))
    }
}

/// One side as it answered.
struct Answer {
    cluster: Cluster,
    records: Records,
}

/// Carries a pivot on. A side that is not given counts as one that does not answer.
pub async fn recover(
    source: Option<Cluster>,
    target: Option<Cluster>,
    options: RecoverOptions,
    interrupt: CancellationToken,
    listener: Listener<'_>,
) -> Result<Recovered, RecoverError> {
    let (source, target) = futures::try_join!(
        answer(Side::Source, source, options.silence),
        answer(Side::Target, target, options.silence)
    )?;
    // Where no pivot is open nobody drives one: whoever was killed just before, or just after, left the seat alone.
    let idle = [&source, &target].into_iter().flatten().all(|answer| answer.records.is_at_rest());
    let seats = [(Side::Source, &source), (Side::Target, &target)].map(|(side, answer)| {
        let answer = answer.as_ref().filter(|_| idle);
        answer.map(|answer| (side, answer.cluster.clone(), answer.records.is_empty()))
    });
    let driver = options.driver.clone();
    let recovered = take_up(source, target, options, interrupt, listener).await;
    if !matches!(recovered, Ok(Recovered { end: Ended::Now(_), .. })) {
        for (side, cluster, forgets) in seats.into_iter().flatten() {
            sweep(side, &cluster, forgets, &driver.me, driver.times, &*driver.is_dead).await;
        }
    }
    recovered
}

async fn take_up(
    source: Option<Answer>,
    target: Option<Answer>,
    options: RecoverOptions,
    interrupt: CancellationToken,
    listener: Listener<'_>,
) -> Result<Recovered, RecoverError> {
    let id = which(options.id.as_deref(), source.as_ref(), target.as_ref(), options.close)?;
    let known = |answer: Option<&Answer>| match answer {
        Some(answer) => Known::Read(answer.records.pivot(&id).cloned().map(Box::new)),
        None => Known::Unreachable,
    };
    let (here, there) = (known(source.as_ref()), known(target.as_ref()));
    let record = described(&there)
        .or_else(|| described(&here))
        .cloned()
        .ok_or_else(|| unknown(Some(id.clone()), source.as_ref(), target.as_ref()))?;
    check_identity(Side::Source, source.as_ref(), &record).await?;
    check_identity(Side::Target, target.as_ref(), &record).await?;
    let attested = attested(&options.dead, &record, source.is_some(), target.is_some())?;
    let course = match decide(&options, &here, &there, attested) {
        Ok(Course::Ended { finished }) => {
            return Ok(Recovered { record, end: Ended::Before { finished } });
        }
        Ok(course) => course,
        Err(reason) => return Err(RecoverError::NoCourse { id: Some(id), reason }),
    };
    let recovery = Recovery { id, source, target, options, course, attested, record };
    Box::pin(recovery.carry_on(interrupt, listener)).await
}

fn decide(
    options: &RecoverOptions,
    source: &Known,
    target: &Known,
    attested: Attested,
) -> Result<Course, NoCourse> {
    if options.close {
        closing(source, target, attested)
    } else {
        course(options.verb, source, target, attested)
    }
}

async fn answer(
    side: Side,
    cluster: Option<Cluster>,
    silence: Duration,
) -> Result<Option<Answer>, RecoverError> {
    let Some(cluster) = cluster else { return Ok(None) };
    match records_within(&cluster, silence).await {
        Ok(records) => Ok(Some(Answer { cluster, records })),
        Err(error) if error.is_silence() => Ok(None),
        Err(error) => Err(RecoverError::Records { side, name: cluster.name().to_owned(), error }),
    }
}

/// The pivot that is meant.
fn which(
    asked: Option<&str>,
    source: Option<&Answer>,
    target: Option<&Answer>,
    close: bool,
) -> Result<String, RecoverError> {
    let answers = || [(Side::Source, source), (Side::Target, target)].into_iter();
    for (side, answer) in answers() {
        let Some(answer) = answer else { continue };
        // One that cannot be read may be the one that is meant.
        if let Some(error) = answer.records.unreadable.first() {
            let (name, error) = (answer.cluster.name().to_owned(), RecordsError::Document(error.clone()));
            return Err(RecoverError::Records { side, name, error });
        }
    }
    if let Some(id) = asked {
        return Ok(id.to_owned());
    }
    let all = || answers().filter_map(|(_, answer)| answer).flat_map(|answer| &answer.records.pivots);
    let is_meant = |record: &PivotRecord| {
        !record.state.is_closed() || (close && record.state == State::Finished && record.fenced)
    };
    let open: BTreeSet<&str> =
        all().map(|(record, _)| record).filter(|record| is_meant(record)).map(|r| r.id.as_str()).collect();
    match open.len() {
        1 => Ok(open.into_iter().map(str::to_owned).collect()),
        0 => {
            let latest = all().map(|(record, _)| record.id.as_str()).max();
            latest.map(str::to_owned).ok_or_else(|| unknown(None, source, target))
        }
        _ => Err(RecoverError::Ambiguous(open.into_iter().map(str::to_owned).collect())),
    }
}

/// No side knows of the pivot; one that does not answer may.
fn unknown(id: Option<String>, source: Option<&Answer>, target: Option<&Answer>) -> RecoverError {
    let reason = match (source, target) {
        (None, _) => NoCourse::SourceUnreachable,
        (Some(_), None) => NoCourse::TargetUnreachable,
        (Some(_), Some(_)) => NoCourse::NoPivot,
    };
    RecoverError::NoCourse { id, reason }
}

fn described(known: &Known) -> Option<&PivotRecord> {
    match known {
        Known::Read(record) => record.as_deref(),
        Known::Unreachable => None,
    }
}

/// Names are for people and may be given twice: what identifies a cluster is the uid of its namespace `kube-system`.
async fn check_identity(
    side: Side,
    answer: Option<&Answer>,
    record: &PivotRecord,
) -> Result<(), RecoverError> {
    let Some(Answer { cluster, .. }) = answer else { return Ok(()) };
    let expected = match side {
        Side::Source => &record.source,
        Side::Target => &record.target,
    };
    let found = cluster.cluster_id().await.map_err(|error| RecoverError::Cluster {
        side,
        name: cluster.name().to_owned(),
        error,
    })?;
    if found == expected.id || (side == Side::Source && record.origin == Origin::Directory) {
        return Ok(());
    }
    Err(RecoverError::Elsewhere {
        side,
        name: cluster.name().to_owned(),
        id: record.id.clone(),
        expected: expected.name.clone(),
    })
}

fn attested(
    dead: &Dead,
    record: &PivotRecord,
    source_answers: bool,
    target_answers: bool,
) -> Result<Attested, RecoverError> {
    let attest = |named: &Option<String>, known: &str, side: Side, answers: bool| match named {
        None => Ok(false),
        Some(name) if name != known => Err(RecoverError::Attest(format!(
            "the {side} of pivot {} is {known}, not {name}: nothing is attested",
            record.id
        ))),
        Some(name) if answers && side == Side::Source => {
            Err(RecoverError::Attest(format!("{name} answers: it is not dead")))
        }
        Some(_) => Ok(true),
    };
    Ok(Attested {
        source_dead: attest(&dead.source, &record.source.name, Side::Source, source_answers)?,
        // A target that was restored from a backup answers, and has forgotten what it decided.
        target_dead: attest(&dead.target, &record.target.name, Side::Target, target_answers)?,
    })
}

/// A pivot about to be carried on.
struct Recovery {
    id: String,
    source: Option<Answer>,
    target: Option<Answer>,
    options: RecoverOptions,
    course: Course,
    attested: Attested,
    record: PivotRecord,
}

/// What there is to work with.
struct Ground {
    blueprint: Blueprint,
    source: Source,
    target: Option<Target>,
    live_providers: BTreeSet<String>,
    pauses: Vec<pivot_core::record::Pause>,
}

impl Recovery {
    async fn carry_on(
        mut self,
        interrupt: CancellationToken,
        listener: Listener<'_>,
    ) -> Result<Recovered, RecoverError> {
        // What is given up is not asked for anything either.
        match self.course {
            Course::ForwardFromSnapshot | Course::Decided { source: false } => self.source = None,
            Course::Back { target: false } => self.target = None,
            Course::Ended { .. }
            | Course::Forward
            | Course::Decided { .. }
            | Course::Close
            | Course::Back { .. } => {}
        }
        let run_options = self.run_options()?;
        let clusters: Vec<(Side, &Cluster)> = [(Side::Source, &self.source), (Side::Target, &self.target)]
            .into_iter()
            .filter_map(|(side, answer)| Some((side, &answer.as_ref()?.cluster)))
            .collect();
        // Nobody else may change what is read from here on.
        let seat = take_seat(&clusters, &self.id, &run_options.driver, listener).await?;
        let prepared = async {
            let guises = guises(&clusters, &run_options).await.map_err(RecoverError::Refused)?;
            let mut past = self.past().await?;
            self.still_holds(&past)?;
            let ground = self.ground(&run_options.survey, &past.target).await?;
            past.pauses.clone_from(&ground.pauses);
            Ok::<_, RecoverError>((guises, past, ground))
        };
        let (guises, past, ground) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => {
                // What could not be given back runs out by itself.
                let _left = seat.release(None).await;
                return Err(error);
            }
        };
        let mut machine_options = machine_options(&run_options, &ground.blueprint, ground.live_providers);
        machine_options.close = self.options.close;
        if self.options.close {
            machine_options.terms.retire = Retire::Delete;
        }
        let versions = ground.blueprint.versions.clone();
        let story = story(&run_options.driver, &self.id, &ground.blueprint, listener).await;
        let discovery = ground.target.as_ref().map(|target| Arc::clone(&target.discovery));
        let machine = Machine::resume(ground.blueprint, machine_options, &past, self.course, self.attested);
        let sides = Sides {
            source: ground.source,
            target: ground.target,
            story,
            pivot_id: self.id.clone(),
            guises,
            versions,
            hand_over: run_options.hand_over,
            options: run_options.survey,
        };
        let end = engine::drive(machine, sides, &seat, self.options.concurrency, interrupt, listener).await;
        leave_seat(seat, &end, discovery.as_deref(), listener).await;
        Ok(Recovered { record: self.record, end: Ended::Now(end) })
    }

    /// The course was decided before the seat was ours: whoever sat there may have gone on meanwhile.
    fn still_holds(&self, past: &Past) -> Result<(), RecoverError> {
        let known = |answer: &Option<Answer>, past: &PastSide| match answer {
            Some(_) => Known::Read(past.record.as_ref().map(|(record, _)| Box::new(record.clone()))),
            None => Known::Unreachable,
        };
        let (here, there) = (known(&self.source, &past.source), known(&self.target, &past.target));
        if decide(&self.options, &here, &there, self.attested) == Ok(self.course) {
            return Ok(());
        }
        Err(RecoverError::Refused(
            "somebody else has gone on with this pivot in the meantime; look at its status, and ask again"
                .to_owned(),
        ))
    }

    fn run_options(&self) -> Result<RunOptions, RecoverError> {
        let Terms { namespaces, clusters, links, retire, fence, pre_copy, ironic } =
            self.record.terms.clone();
        let mut rules = LinkRules::builtin();
        for text in &links {
            rules = rules.extended(LinkRules::parse(text)?);
        }
        Ok(RunOptions {
            pivot_id: self.id.clone(),
            retire,
            pre_copy,
            on_failure: self.options.on_failure,
            patience: self.options.patience,
            survey: Options {
                request: Request { namespaces, clusters },
                rules,
                wait: self.options.wait,
                concurrency: self.options.concurrency,
                fence,
                pivot: Some(self.id.clone()),
                ironic: IronicWish::default(),
            },
            links,
            hand_over: ironic,
            driver: self.options.driver.clone(),
        })
    }

    async fn past(&self) -> Result<Past, RecoverError> {
        let of = async |side: Side, answer: &Option<Answer>| match answer {
            None => Ok(PastSide::default()),
            Some(Answer { cluster, .. }) => {
                let failed = |error| RecoverError::Cluster { side, name: cluster.name().to_owned(), error };
                // Read once more: the seat is ours only now.
                let records = crate::records::records(cluster).await.map_err(failed)?;
                past(cluster, &records, &self.id).await.map_err(failed)
            }
        };
        let (source, target) =
            futures::try_join!(of(Side::Source, &self.source), of(Side::Target, &self.target))?;
        Ok(Past { source, target, pauses: Vec::new() })
    }

    async fn ground(&self, options: &Options, target: &PastSide) -> Result<Ground, RecoverError> {
        match (self.course, &self.source, &self.target) {
            (Course::ForwardFromSnapshot | Course::Decided { .. } | Course::Close, _, Some(answer)) => {
                self.ground_of_snapshot(options, target, &answer.cluster).await
            }
            (_, Some(source), target) => {
                let target = target.as_ref().map(|answer| &answer.cluster);
                let survey = survey(&source.cluster, target, options).await?;
                if self.course == Course::Forward
                    && let Some(error) = survey.report().errors().next()
                {
                    return Err(RecoverError::Refused(error.to_string()));
                }
                Ok(Ground {
                    live_providers: survey.live_providers,
                    blueprint: survey.blueprint,
                    source: Source::Cluster {
                        cluster: source.cluster.clone(),
                        discovery: survey.source,
                        positions: survey.positions,
                    },
                    target: target
                        .cloned()
                        .zip(survey.target)
                        .map(|(cluster, discovery)| Target { cluster, discovery }),
                    pauses: Vec::new(),
                })
            }
            (_, None, Some(answer)) => self.ground_of_target(options, &answer.cluster).await,
            (_, None, None) => {
                Err(RecoverError::NoCourse { id: Some(self.id.clone()), reason: NoCourse::SourceUnreachable })
            }
        }
    }

    /// By what the target keeps: the source is gone, or already cleared in part.
    async fn ground_of_snapshot(
        &self,
        options: &Options,
        past: &PastSide,
        target: &Cluster,
    ) -> Result<Ground, RecoverError> {
        let mark = past.record.as_ref().and_then(|(record, _)| record.snapshot.as_ref());
        let snapshot = match mark {
            _ if self.course == Course::Close => StoredSnapshot::nothing(),
            Some(mark) => StoredSnapshot::decode(mark, &past.chunks)?,
            None => return Err(SnapshotError::Chunk(0).into()),
        };
        let there = discover(Side::Target, target, &options.rules).await?;
        let here = match &self.source {
            Some(answer) => Some(discover(Side::Source, &answer.cluster, &options.rules).await?),
            None => None,
        };
        let pauses = snapshot.pauses.clone();
        let mut blueprint =
            survey_snapshot(snapshot, &self.record.source, here.as_deref(), target, &there, options).await?;
        blueprint.pivot = Some(self.id.clone());
        blueprint.origin = self.record.origin;
        let source = match (&self.source, here) {
            (Some(answer), Some(discovery)) => {
                Source::Cluster { cluster: answer.cluster.clone(), discovery, positions: Vec::new() }
            }
            _ => Source::Gone,
        };
        Ok(Ground {
            blueprint,
            source,
            target: Some(Target { cluster: target.clone(), discovery: there }),
            live_providers: BTreeSet::new(),
            pauses,
        })
    }

    /// An import that was left: the target alone is cleaned.
    async fn ground_of_target(&self, options: &Options, target: &Cluster) -> Result<Ground, RecoverError> {
        let discovery = discover(Side::Target, target, &options.rules).await?;
        let blueprint = survey::survey_nothing(&self.record, target, &discovery, options).await?;
        Ok(Ground {
            blueprint,
            source: Source::Directory(pivot_core::inventory::Inventory::default()),
            target: Some(Target { cluster: target.clone(), discovery }),
            live_providers: BTreeSet::new(),
            pauses: Vec::new(),
        })
    }
}
