//! `wait`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::ValueEnum;
use pivot::cluster::Cluster;
use pivot::memory::{LastPivot, Memory, Recall, remember};
use pivot::run::Driver;
use pivot::settled::Observer;
use pivot::status::{IsDead, StatusReport};
use pivot_core::record::outlook::Acting;
use pivot_core::record::{Ownership, Standing, State};
use pivot_core::settled::{Aspect, Settlement};
use tokio::time::{Instant, sleep};

use super::pulse::Pulse;
use super::session::{CONCURRENCY, DEFAULT_WAIT};
use super::{Session, standing, steady};
use crate::args::{Output, WaitLimit};
use crate::driver::driver;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::data;
use crate::report::wait::{self as report, WaitReport};

/// Between two looks.
const POLL: Duration = Duration::from_secs(2);
/// Lines of what is left that are told where the time is up.
const LEFT: usize = 20;

/// Wait until what a pivot moved has settled in the target, without changing anything
///
/// It waits beside whoever drives the pivot, and ends at once where waiting cannot help: with exit code 3 where the pivot was undone, and
/// with 4 where it is suspended and nobody is at it. When the time is up the exit code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// Id of the pivot [default: the one that is open, else the last one]
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// What to wait for
    #[arg(long = "for", value_enum, value_name = "WHAT", default_value_t)]
    awaited: Awaited,

    /// Longest wait
    #[arg(long, value_name = "DURATION", default_value_t = WaitLimit(DEFAULT_WAIT))]
    timeout: WaitLimit,

    /// How to print the result
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Awaited {
    /// The pivot is decided, and every object is complete in the target
    PivotedReady,
    /// The target acts, and its controllers have taken up what was moved
    #[default]
    Settled,
}

impl Awaited {
    fn in_words(self) -> &'static str {
        match self {
            Self::PivotedReady => "are PivotedReady",
            Self::Settled => "have settled",
        }
    }
}

/// How far a pivot is, for whoever waits.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// Not decided, or being undone.
    Open,
    /// Undone.
    Undone,
    /// Decided; its target does not act yet, as far as is known.
    Decided,
    /// Its target acts.
    Acts,
    /// Its target acted, and another pivot led on from there.
    Superseded(String),
}

/// What a look found.
enum Look {
    /// What was waited for.
    Reached(Settlement),
    /// What is still to come, a line each.
    Waits(BTreeSet<String>),
    /// Waiting cannot help.
    Over(CommandError),
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &WaitArgs) -> Result<Exit, CommandError> {
    let (source, target) = session.known_sides(false).await?;
    let now = Instant::now();
    let wait = Wait {
        session,
        args,
        source,
        target,
        driver: driver(&session.environment),
        until: now + args.timeout.0,
        observer: Observer::new(CONCURRENCY),
        pulse: Pulse::new(now),
        known: None,
    };
    wait.run().await
}

struct Wait<'a> {
    session: &'a Session,
    args: &'a WaitArgs,
    source: Option<Cluster>,
    target: Option<Cluster>,
    driver: Driver,
    until: Instant,
    observer: Observer,
    pulse: Pulse,
    /// The pivot, once its records were seen. What begins or ends meanwhile does not change which one is meant.
    known: Option<String>,
}

impl Wait<'_> {
    async fn run(mut self) -> Result<Exit, CommandError> {
        let mut told: Option<BTreeSet<String>> = None;
        loop {
            let look = remember(self.source.as_ref(), self.target.as_ref(), Duration::ZERO);
            let memory = self.session.interruptible(Box::pin(look)).await?;
            if told.is_none() {
                CommandError::unless_some_answer(&memory)?;
            }
            let waits_for = match self.look(&memory).await? {
                Look::Reached(settlement) => return self.reached(&settlement, &memory),
                Look::Over(error) => return Ok(self.over(&error, &memory)),
                Look::Waits(lines) => lines,
            };
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let error = CommandError::wait_timeout(self.args.timeout, shown(&waits_for));
                return Ok(self.over(&error, &memory));
            }
            for line in steady::news(&told.unwrap_or_default(), &waits_for) {
                self.session.printer.note(format_args!("waiting: {line}"));
            }
            told = Some(waits_for);
            self.session.interruptible(sleep(POLL.min(left))).await?;
        }
    }

    async fn look(&mut self, memory: &Memory) -> Result<Look, CommandError> {
        let silent = silent(memory);
        let wanted = self.known.as_ref().or(self.args.id.as_ref());
        let found = match wanted {
            Some(id) => memory.pivot(id),
            None => memory.last_pivot(),
        };
        let Some(pivot) = found else {
            return Ok(match &self.known {
                _ if !silent.is_empty() => Look::Waits(silent),
                // A target forgets what was undone.
                Some(id) => Look::Over(CommandError::waits_for_undone(id, None)),
                None => Look::Over(CommandError::nothing_to_wait_for(self.args.id.as_deref())),
            });
        };
        self.known = Some(pivot.id().to_owned());
        let (from, to, there) = if pivot.backwards {
            (&self.target, &self.source, &memory.source)
        } else {
            (&self.source, &self.target, &memory.target)
        };
        let progress = progress(&pivot, there.ownership());
        let record = pivot.record();
        let mut waits_for = silent;
        let acts = match &progress {
            Progress::Undone => {
                let cause = record.cause.as_deref();
                return Ok(Look::Over(CommandError::waits_for_undone(pivot.id(), cause)));
            }
            Progress::Superseded(later) => {
                let error = CommandError::waits_for_superseded(pivot.id(), &record.target.name, later);
                return Ok(Look::Over(error));
            }
            Progress::Acts => true,
            Progress::Open | Progress::Decided => false,
        };
        if !acts && !self.pulse.beats(memory, IsDead(&*self.driver.is_dead), Instant::now()) {
            let in_doubt = pivot.acting == Acting::InDoubt;
            return Ok(Look::Over(CommandError::waits_for_nobody(record, in_doubt)));
        }
        if progress == Progress::Open {
            let mut records = [&pivot.source, &pivot.target].into_iter().flatten();
            let undoing = records.any(|record| matches!(record.state, State::Aborting | State::Aborted));
            let what = if undoing { "undone" } else { "decided" };
            waits_for.insert(format!("pivot {} to be {what}", pivot.id()));
            return Ok(Look::Waits(waits_for));
        }
        if self.args.awaited == Awaited::Settled && !acts {
            waits_for.insert(format!("{} to act", record.target.name));
            return Ok(Look::Waits(waits_for));
        }
        let Some(to) = to else {
            let named = |flag| CommandError::usage("target-missing", "no target cluster named").hinted(flag);
            return Err(named("name it with --to-kubeconfig, --to-kubeconfig-context or both"));
        };
        if there.read().is_none() {
            return Ok(Look::Waits(waits_for));
        }
        let answers = |recall: &Recall| recall.read().is_some();
        let is_asked = answers(if pivot.backwards { &memory.target } else { &memory.source });
        let acts = self.args.awaited == Awaited::Settled;
        let look = self.observer.look(from.as_ref().filter(|_| is_asked), to, &pivot, acts);
        match self.session.interruptible(Box::pin(look)).await? {
            Ok(mut settlement) => {
                if self.args.awaited == Awaited::PivotedReady {
                    settlement.unsettled.retain(|unsettled| unsettled.aspect == Aspect::Complete);
                }
                if settlement.unsettled.is_empty() {
                    return Ok(Look::Reached(settlement));
                }
                waits_for.extend(settlement.unsettled.iter().map(ToString::to_string));
            }
            Err(error) if error.failure().is_forbidden() => return Err(error.into()),
            // It may answer again.
            Err(error) => drop(waits_for.insert(error.to_string())),
        }
        Ok(Look::Waits(waits_for))
    }

    fn reached(&self, settlement: &Settlement, memory: &Memory) -> Result<Exit, CommandError> {
        let pivot =
            self.known.as_deref().and_then(|id| memory.pivot(id)).expect("BUG: no pivot was looked at");
        let report = WaitReport {
            pivot: pivot.id(),
            to: &pivot.record().target.name,
            reached: self.args.awaited.in_words(),
            settlement,
        };
        self.session.print(&match self.args.output {
            Output::Text => report::text(&report),
            Output::Json => data::json(&report),
            Output::Yaml => data::yaml(&report),
        })?;
        for line in &settlement.unjudged {
            self.session.printer.note(format_args!("not judged: {line}"));
        }
        self.session.printer.note(self.last_line(memory));
        Ok(Exit::Done)
    }

    fn over(&self, error: &CommandError, memory: &Memory) -> Exit {
        error.print(self.session.printer);
        self.session.printer.note(self.last_line(memory));
        error.exit
    }

    fn last_line(&self, memory: &Memory) -> String {
        let report = StatusReport::of_records(memory, IsDead(&*self.driver.is_dead));
        standing::last_line(self.session, &report)
    }
}

fn progress(pivot: &LastPivot, there: Option<&Ownership>) -> Progress {
    let states = [&pivot.source, &pivot.target].into_iter().flatten().map(|record| record.state);
    let states: Vec<State> = states.collect();
    if !states.iter().any(|state| matches!(state, State::Committed | State::Finished)) {
        let is_closed = states.iter().all(|state| state.is_closed());
        return if is_closed { Progress::Undone } else { Progress::Open };
    }
    if pivot.acting_along() == Acting::Target {
        return Progress::Acts;
    }
    // Perhaps it has been part of other pivots since.
    match there.filter(|own| own.pivot != pivot.id()) {
        Some(own) if own.standing == Standing::Active => Progress::Acts,
        Some(own) if matches!(own.standing, Standing::Retired | Standing::HandingOver) => {
            Progress::Superseded(own.pivot.clone())
        }
        Some(_) | None => Progress::Decided,
    }
}

/// Sides that were named and do not answer.
fn silent(memory: &Memory) -> BTreeSet<String> {
    let sides = [&memory.source, &memory.target].into_iter();
    sides
        .filter_map(|recall| match recall {
            Recall::Silent { name, error } => Some(format!("{name} to answer: {error}")),
            Recall::NotNamed | Recall::Read(_) => None,
        })
        .collect()
}

fn shown(waits_for: &BTreeSet<String>) -> Vec<String> {
    let mut lines: Vec<String> = waits_for.iter().take(LEFT).cloned().collect();
    if waits_for.len() > LEFT {
        lines.push(format!("and {} more", waits_for.len() - LEFT));
    }
    lines
}

#[cfg(test)]
mod tests {
    use pivot_core::record::{FORMAT, PivotRecord};
    use serde_json::json;

    use super::*;

    fn record(side: &str, state: State) -> PivotRecord {
        let identity = |name: &str| json!({"name": name, "id": name});
        serde_json::from_value(json!({"format": FORMAT, "tool": "0", "id": "p1", "side": side, "epoch": 1,
            "source": identity("boot"), "target": identity("mgmt"), "state": state, "phase": "stage", "coordinator": "",
            "token": "", "terms": {"retire": "delete", "fence": "full", "preCopy": true}}))
        .unwrap()
    }

    fn told(
        states: (Option<State>, Option<State>),
        acting: Acting,
        own: Option<(Standing, &str)>,
    ) -> Progress {
        let pivot = LastPivot {
            source: states.0.map(|state| record("source", state)),
            target: states.1.map(|state| record("target", state)),
            backwards: false,
            acting,
            next: None,
        };
        let own = own.map(|(standing, pivot)| Ownership {
            format: FORMAT,
            cluster: String::new(),
            standing,
            epoch: 1,
            pivot: pivot.to_owned(),
            peer: None,
        });
        progress(&pivot, own.as_ref())
    }

    #[test]
    fn waiting_helps_until_a_pivot_is_undone_or_followed_by_another() {
        use {Acting as A, Standing as O, State as S};
        let open = [
            ((Some(S::Locked), Some(S::Locked)), A::Source),
            ((Some(S::Prepared), None), A::InDoubt),
            ((Some(S::Aborting), Some(S::Aborted)), A::Neither),
            ((Some(S::Locked), None), A::Neither),
        ];
        for (states, acting) in open {
            assert_eq!(told(states, acting, None), Progress::Open, "{states:?}");
        }
        assert_eq!(told((Some(S::Aborted), None), A::Source, None), Progress::Undone);
        let committed = (Some(S::Prepared), Some(S::Committed));
        assert_eq!(told(committed, A::Neither, Some((O::Receiving, "p1"))), Progress::Decided);
        assert_eq!(told(committed, A::Target, Some((O::Active, "p1"))), Progress::Acts);
        let finished = (Some(S::Finished), Some(S::Finished));
        // A later pivot that leads to the target as well leaves it active.
        assert_eq!(told(finished, A::Unknown, Some((O::Active, "p2"))), Progress::Acts);
        assert_eq!(told(finished, A::Unknown, Some((O::Receiving, "p2"))), Progress::Decided);
        let followed = told(finished, A::Unknown, Some((O::Retired, "p2")));
        assert_eq!(followed, Progress::Superseded("p2".to_owned()));
        // A target that does not answer is not spoken for.
        assert_eq!(told((Some(S::Finished), None), A::Unknown, None), Progress::Decided);
    }
}
