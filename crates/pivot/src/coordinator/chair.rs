//! The seat's Lease in one cluster.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pivot_core::kind::KindInfo;
use pivot_core::machine::{Op, Outcome, RefusalClass, Side};
use tokio::time::{Instant, sleep_until};

use super::lease::{self, Claim, Lease};
use super::{LeaseTimes, Lost, Unclaimed, namespace, suspension};
use crate::cluster::{Cluster, read_failure};

/// Attempts in a row at something that another look may settle.
pub(super) const ATTEMPTS: u32 = 4;

/// Whether the process behind a holder is known to be gone.
pub(super) type Dead<'a> = &'a (dyn Fn(&str) -> bool + Sync);

pub(super) struct Chair {
    pub(super) side: Side,
    pub(super) cluster: Cluster,
    kind: KindInfo,
    pub(super) claim: Arc<Claim>,
    pub(super) times: LeaseTimes,
    /// One request at a time.
    hand: tokio::sync::Mutex<Hand>,
    tenure: Mutex<Tenure>,
}

#[derive(Default)]
struct Hand {
    /// Revision of our Lease; `None` while a write is under way or came to an unknown end.
    revision: Option<String>,
    watched: Option<Watched>,
}

/// Another one's Lease, and since when it has stood like this by our clock.
struct Watched {
    resource_version: String,
    since: Instant,
}

#[derive(Default)]
struct Tenure {
    renewed: Option<Renewal>,
    trouble: Option<String>,
    lost: Option<Lost>,
}

#[derive(Clone, Copy)]
struct Renewal {
    /// When the request was sent: whoever counts against us began later.
    at: Instant,
    suspended: Duration,
}

impl Renewal {
    fn now() -> Self {
        Self { at: Instant::now(), suspended: suspension::total() }
    }

    fn age(self) -> Duration {
        self.at.elapsed() + suspension::total().saturating_sub(self.suspended)
    }
}

/// What a look at a chair found.
pub(super) enum Look {
    /// It may be taken: there is no Lease, or this one is nobody's any more.
    Free(Option<Box<Lease>>),
    /// Another one has it, and has shown no sign of life so far.
    Held { holder: String, pivot: Option<String>, left: Duration },
    /// Another one has it, and lives.
    Alive { holder: String, pivot: Option<String> },
    /// No answer that says anything.
    Silent(String),
    /// Not for us.
    Refused(String),
}

/// What came of taking it.
pub(super) enum Taken {
    /// It is ours.
    Ours,
    /// It is not as it was at the last look.
    Changed,
    /// No answer that says anything.
    Silent(String),
    /// Not for us.
    Refused(String),
}

impl Chair {
    pub(super) fn new(side: Side, cluster: &Cluster, claim: Arc<Claim>, times: LeaseTimes) -> Self {
        // A request that takes longer would only be in the way of the next renewal.
        let limit = cluster.request_timeout().min(times.renew_every.max(Duration::from_secs(1)));
        Self {
            side,
            cluster: cluster.clone().with_request_timeout(limit),
            kind: lease::kind(),
            claim,
            times,
            hand: tokio::sync::Mutex::default(),
            tenure: Mutex::default(),
        }
    }

    fn tenure(&self) -> MutexGuard<'_, Tenure> {
        self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_claimed(&self) -> bool {
        self.tenure().renewed.is_some()
    }

    /// True while nobody can have taken over.
    pub(super) fn is_fresh(&self) -> bool {
        let tenure = self.tenure();
        tenure.lost.is_none() && tenure.renewed.is_some_and(|renewal| renewal.age() < self.times.tenure())
    }

    pub(super) fn lost(&self) -> Option<Lost> {
        self.tenure().lost.clone()
    }

    /// Why the last renewal failed.
    pub(super) fn trouble(&self) -> Option<String> {
        self.tenure().trouble.clone()
    }

    pub(super) fn unclaimed(&self) -> Option<Unclaimed> {
        let tenure = self.tenure();
        let reason = || tenure.trouble.clone().unwrap_or_default();
        tenure.renewed.is_none().then(|| Unclaimed {
            side: self.side,
            cluster: self.cluster.name().to_owned(),
            reason: reason(),
        })
    }

    pub(super) fn troubled(&self, reason: String) {
        self.tenure().trouble = Some(reason);
    }

    fn lose(&self, to: Option<String>) -> Lost {
        let lost = Lost { side: self.side, cluster: self.cluster.name().to_owned(), to };
        self.tenure().lost.get_or_insert(lost).clone()
    }

    pub(super) async fn read(&self) -> Result<Option<Lease>, Outcome> {
        let key = lease::key();
        let found = self.cluster.get(&self.kind, lease::VERSION, key.namespace.as_deref(), &key.name).await;
        match found {
            Ok(found) => Ok(found.map(|manifest| Lease::read(&manifest))),
            Err(failure) => Err(read_failure(&failure)),
        }
    }

    pub(super) async fn write(&self, op: &Op) -> Outcome {
        self.cluster.write(&self.kind, lease::VERSION, &lease::key(), op).await
    }

    pub(super) fn is_ours(&self, lease: &Lease) -> bool {
        lease.holder.as_ref() == Some(&self.claim.holder)
    }
}

/// Taking
impl Chair {
    /// Looks who has it. Only looks made of the same chair one after the other can find that a holder is gone.
    pub(super) async fn look(&self, dead: Dead<'_>) -> Look {
        self.look_with(&mut *self.hand.lock().await, dead).await
    }

    async fn look_with(&self, hand: &mut Hand, dead: Dead<'_>) -> Look {
        let asked = Instant::now();
        let lease = match self.read().await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Look::Free(None),
            Err(Outcome::Refused { class: RefusalClass::Busy, message, .. }) => return Look::Silent(message),
            Err(other) => return Look::Refused(words(other)),
        };
        let Some(holder) =
            lease.holder.clone().filter(|holder| *holder != self.claim.holder && !dead(holder))
        else {
            return Look::Free(Some(Box::new(lease)));
        };
        let duration = lease.duration.unwrap_or(self.times.duration);
        let pivot = lease.pivot.clone();
        match &hand.watched {
            None => {
                let resource_version = lease.resource_version;
                hand.watched = Some(Watched { resource_version, since: Instant::now() });
                Look::Held { holder, pivot, left: duration }
            }
            Some(watched) if watched.resource_version != lease.resource_version => {
                hand.watched = None;
                Look::Alive { holder, pivot }
            }
            Some(watched) => match duration.saturating_sub(asked.saturating_duration_since(watched.since)) {
                Duration::ZERO => Look::Free(Some(Box::new(lease))),
                left => Look::Held { holder, pivot, left },
            },
        }
    }

    /// Takes what a look found free.
    pub(super) async fn take(&self, found: Option<Box<Lease>>) -> Taken {
        self.take_with(&mut *self.hand.lock().await, found).await
    }

    async fn take_with(&self, hand: &mut Hand, found: Option<Box<Lease>>) -> Taken {
        let op = match &found {
            None => self.claim.create(),
            // The reply to our own claim was lost.
            Some(lease) if self.is_ours(lease) => self.claim.renew(&lease.resource_version),
            Some(lease) => self.claim.take_over(lease),
        };
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let sent = Renewal::now();
            let (class, message) = match self.write(&op).await {
                Outcome::Written(revision) => {
                    self.renewed(hand, sent, revision.resource_version);
                    return Taken::Ours;
                }
                Outcome::Refused { class, message, .. } => (class, message),
                other => return Taken::Silent(words(other)),
            };
            match class {
                RefusalClass::Busy => return Taken::Silent(message),
                RefusalClass::Exists | RefusalClass::Conflict => return Taken::Changed,
                RefusalClass::NotFound if found.is_some() => return Taken::Changed,
                RefusalClass::Denied if found.is_some() => return Taken::Refused(message),
                RefusalClass::NotFound | RefusalClass::Denied => {
                    match namespace::ensure(&self.cluster, &self.claim.pivot).await {
                        namespace::State::There if class == RefusalClass::Denied => {
                            return Taken::Refused(message);
                        }
                        namespace::State::There | namespace::State::Made => last = message,
                        namespace::State::Leaving => {
                            return Taken::Silent(
                                "its namespace pivotctl-system is being removed".to_owned(),
                            );
                        }
                        namespace::State::Silent(reason) => return Taken::Silent(reason),
                        namespace::State::Refused(reason) => return Taken::Refused(reason),
                    }
                }
            }
        }
        Taken::Silent(last)
    }

    fn renewed(&self, hand: &mut Hand, sent: Renewal, resource_version: String) {
        *hand = Hand { revision: Some(resource_version), watched: None };
        let mut tenure = self.tenure();
        tenure.renewed = Some(sent);
        tenure.trouble = None;
    }
}

/// Keeping
impl Chair {
    /// Renews for ever, or claims a chair that was out of reach; ends when the seat is lost.
    pub(super) async fn keep(&self) -> Lost {
        let mut due =
            self.tenure().renewed.map_or_else(Instant::now, |renewal| renewal.at + self.times.renew_every);
        loop {
            sleep_until(due).await;
            let begun = Instant::now();
            match self.turn().await {
                Ok(true) => due = begun + self.times.renew_every,
                Ok(false) => due = Instant::now() + self.times.renew_every / 4,
                Err(lost) => return lost,
            }
        }
    }

    /// One renewal, or one attempt to claim. True where it is ours now.
    pub(super) async fn turn(&self) -> Result<bool, Lost> {
        let mut hand = self.hand.lock().await;
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        let turned =
            if self.is_claimed() { self.renew(&mut hand).await } else { self.claim(&mut hand).await }?;
        Ok(match turned {
            Ok(()) => true,
            Err(reason) => {
                self.troubled(reason);
                false
            }
        })
    }

    /// The inner error is why it could not be renewed for now.
    async fn renew(&self, hand: &mut Hand) -> Result<Result<(), String>, Lost> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            // Taken out, so that a renewal that is given up half-way leaves no revision to rely on.
            let resource_version = match hand.revision.take() {
                Some(known) => known,
                None => match self.read().await {
                    Ok(Some(lease)) if self.is_ours(&lease) => lease.resource_version,
                    Ok(found) => return Err(self.lose(found.and_then(|lease| lease.holder))),
                    Err(outcome) => return Ok(Err(words(outcome))),
                },
            };
            let sent = Renewal::now();
            match self.write(&self.claim.renew(&resource_version)).await {
                Outcome::Written(revision) => {
                    self.renewed(hand, sent, revision.resource_version);
                    return Ok(Ok(()));
                }
                Outcome::Refused { class: RefusalClass::Busy | RefusalClass::Denied, message, .. } => {
                    hand.revision = Some(resource_version);
                    return Ok(Err(message));
                }
                // Another look tells: a renewal of ours whose reply was lost, an edit, or another holder.
                other => last = words(other),
            }
        }
        Ok(Err(last))
    }

    async fn claim(&self, hand: &mut Hand) -> Result<Result<(), String>, Lost> {
        let found = match self.look_with(hand, &|_| false).await {
            Look::Free(found) => found,
            Look::Alive { holder, .. } => return Err(self.lose(Some(holder))),
            Look::Held { holder, .. } => return Ok(Err(format!("it is in the hands of {holder}"))),
            Look::Silent(reason) | Look::Refused(reason) => return Ok(Err(reason)),
        };
        Ok(match self.take_with(hand, found).await {
            Taken::Ours => Ok(()),
            Taken::Changed => Err("its Lease changes".to_owned()),
            Taken::Silent(reason) | Taken::Refused(reason) => Err(reason),
        })
    }
}

/// Why an outcome is not what was asked for.
pub(super) fn words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused { message, .. } | Outcome::Unknown(message) => message,
        other => format!("an answer of another form: {other:?}"),
    }
}
