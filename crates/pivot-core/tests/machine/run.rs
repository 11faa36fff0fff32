//! A pivot between two model servers: who drives it, what happens next, and how it is taken up when nobody does any more.

use std::time::Duration;

use pivot_core::machine::{End, Machine, OnFailure, Past, Phase, Retire, Side};
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::record::{FenceMode, NoCourse, Terms, Verb};
use pivot_core::select::Action;
use serde_json::json;

use crate::chance::{Choice, Fate};
use crate::clusters::Clusters;
use crate::hand::Hand;
use crate::ironic;
use crate::recover::{TakeUp, Taken, options, past, take_up};
use crate::survey::{obstacle, survey};
use crate::world::World;

pub(crate) const PIVOT: &str = "p1";
/// More steps than any of these pivots can need.
const LONGEST: usize = 4_000;

/// How a pivot is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) room: usize,
    pub(crate) patience: Duration,
    pub(crate) fence: FenceMode,
    pub(crate) pre_copy: bool,
    /// PRE-COPY takes everything for much.
    pub(crate) bulk: bool,
    pub(crate) retire: Retire,
    pub(crate) on_failure: OnFailure,
}

impl Setup {
    /// Patient, one request at a time.
    pub(crate) fn new(fence: FenceMode, pre_copy: bool) -> Self {
        Self {
            room: 1,
            patience: Duration::from_secs(3_600),
            fence,
            pre_copy,
            bulk: pre_copy,
            retire: Retire::Delete,
            on_failure: OnFailure::Rollback,
        }
    }

    fn terms(&self, world: &World) -> Terms {
        Terms {
            retire: self.retire,
            fence: self.fence,
            pre_copy: self.pre_copy,
            ironic: world.ironic.then(ironic::hand_over),
            ..Terms::default()
        }
    }
}

/// Which of the ends it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The source is active, and as it was.
    Undone,
    /// The target is active and complete.
    Moved,
    /// The target is active; something that came too late is kept in the source.
    Kept,
}

/// A pivot under way.
pub(crate) struct Run {
    pub(crate) world: World,
    pub(crate) setup: Setup,
    pub(crate) clusters: Clusters,
    pub(crate) hand: Option<Hand>,
    pub(crate) zombies: Vec<Hand>,
    /// Something was refused for good: a namespace that cannot be looked into is kept.
    pub(crate) denied: bool,
    /// Coordinators so far.
    hands: usize,
}

impl Run {
    /// `None` where PLAN finds that this cannot be moved.
    pub(crate) fn new(world: &World, setup: Setup) -> Option<Self> {
        let clusters = Clusters::new(world);
        let mut run = Self { hands: 0, ..Self::left(world, setup, clusters) };
        run.hand = Some(run.start(PIVOT)?);
        Some(run)
    }

    /// A world as somebody left it.
    pub(crate) fn left(world: &World, setup: Setup, clusters: Clusters) -> Self {
        let world = world.clone();
        Self { world, setup, clusters, hand: None, zombies: Vec::new(), denied: false, hands: 1 }
    }

    /// A coordinator of a new pivot.
    pub(crate) fn start(&mut self, id: &str) -> Option<Hand> {
        let blueprint = survey(&self.clusters, true, None);
        if obstacle(&blueprint).is_some() {
            return None;
        }
        let token = self.token();
        let past = Past {
            source: past(&self.clusters, Side::Source, id),
            target: past(&self.clusters, Side::Target, id),
            pauses: Vec::new(),
        };
        let how = TakeUp {
            patience: self.setup.patience,
            on_failure: self.setup.on_failure,
            bulk: self.setup.bulk,
            ..TakeUp::new(Verb::Resume)
        };
        let options = options(id, &token, self.setup.terms(&self.world), &self.clusters, &how);
        let machine = Machine::new(blueprint, options, &past);
        Some(Hand::new(machine, (id, token), self.setup.fence, self.setup.room, &mut self.clusters))
    }

    fn token(&mut self) -> String {
        self.hands += 1;
        format!("token-{}", self.hands)
    }

    /// Lets happen what was chosen, then lets everything go well to the end.
    pub(crate) fn drive(&mut self, choices: &[Choice]) -> End {
        let mut choices = choices.iter().copied();
        for _ in 0..LONGEST {
            let choice = choices.next().unwrap_or_else(|| self.well());
            if let Some(end) = self.step(choice) {
                return end;
            }
        }
        panic!("it does not end");
    }

    pub(crate) fn well(&self) -> Choice {
        let sighted = self.hand.as_ref().is_some_and(|hand| !hand.sightings.is_empty());
        if sighted { Choice::Sighting } else { Choice::Effect(0, Fate::Done) }
    }

    /// Lets one thing happen, unless it has ended.
    pub(crate) fn step(&mut self, choice: Choice) -> Option<End> {
        let hand = self.hand.as_mut().expect("nobody drives it");
        if !hand.begin() {
            return hand.machine.end().cloned();
        }
        self.happen(choice);
        None
    }

    pub(crate) fn phase(&self) -> Phase {
        self.hand.as_ref().map_or(Phase::Plan, |hand| hand.machine.phase())
    }

    pub(crate) fn is_decided(&self) -> bool {
        self.clusters.is_committed(PIVOT)
    }

    /// Objects that were to exist in the target at last, with what is to become of them in the source.
    pub(crate) fn staged(&self) -> Vec<(ObjectKey, Action)> {
        let Some(hand) = &self.hand else { return Vec::new() };
        let blueprint = hand.machine.blueprint();
        blueprint
            .staged_objects()
            .map(|(id, object)| (object.key.clone(), blueprint.selection.action(id)))
            .collect()
    }

    fn happen(&mut self, choice: Choice) {
        let Some(hand) = &mut self.hand else { return };
        let clusters = &mut self.clusters;
        match choice {
            Choice::Effect(pick, fate) => {
                self.denied |= fate == Fate::Denied;
                return hand.finish(clusters, pick, fate);
            }
            Choice::Sighting => return hand.sight(),
            Choice::Interrupt => return hand.machine.interrupt(),
            Choice::Crash { .. } | Choice::Silence(_) | Choice::Speech | Choice::Zombie(..) => return,
            _ => self.somebody(choice),
        }
        let clusters = &mut self.clusters;
        if let Some(hand) = &mut self.hand {
            hand.after(clusters);
        }
    }

    /// What people do.
    pub(crate) fn somebody(&mut self, choice: Choice) {
        let phase = self.phase();
        let rolling_back = self.hand.as_ref().is_some_and(|hand| hand.rolling_back);
        let clusters = &mut self.clusters;
        let done = match choice {
            Choice::Edit(n) => clusters.edit(n),
            Choice::Pause(n) => clusters.pause(n),
            Choice::Unpause(n) => clusters.unpause(n),
            Choice::Remove(n) => clusters.remove(n),
            Choice::Add(n) => {
                let newcomer = self.world.newcomer(n);
                let owner = &newcomer["metadata"]["ownerReferences"][0]["uid"];
                if phase == Phase::Retire || !clusters.source.has_uid(owner) {
                    clusters.late.insert(Manifest::new(newcomer.clone()).key());
                }
                clusters.add(newcomer)
            }
            Choice::Intrude(n) => {
                let namespace = if n % 2 == 0 { "here" } else { "there" };
                let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("intruder-{n}"), "namespace": namespace}});
                clusters.intrude(object, rolling_back);
                false
            }
            Choice::Squat(n) => {
                clusters.squat(n, rolling_back);
                false
            }
            // Later on VERIFY has seen the object, and nothing is known to forbid the decision.
            Choice::Usurp(n) => {
                if phase == Phase::Stage && !rolling_back {
                    clusters.usurp(n);
                    clusters.squat(n, rolling_back);
                }
                false
            }
            _ => false,
        };
        let known_in_time = phase <= Phase::Stage && !clusters.is_committed(PIVOT);
        clusters.undisturbed &= !done || known_in_time;
    }

    /// The coordinator is no more. Of what it had under way, the requests in `applied` still reach their server.
    pub(crate) fn crash(&mut self, applied: u8) -> Option<Hand> {
        let mut hand = self.hand.take()?;
        hand.begin();
        for position in (0..hand.in_flight.len()).rev() {
            if applied & (1 << (position % 8)) != 0 {
                hand.apply_unseen(&mut self.clusters, position);
            }
        }
        Some(hand)
    }

    /// A coordinator that was taken for dead goes on, once.
    pub(crate) fn haunt(&mut self, pick: usize, fate: Fate) {
        if self.zombies.is_empty() {
            return;
        }
        let count = self.zombies.len();
        let zombie = &mut self.zombies[pick % count];
        // Once nothing fences it off any more, it is the seat that tells it: what it had under way arrives all the same.
        let record =
            |side| self.clusters.record(side, PIVOT).is_none_or(|record| record.token != zombie.token);
        let is_deposed = record(Side::Source) && record(Side::Target);
        if is_deposed && !self.clusters.lowered.is_empty() {
            zombie.machine.depose("somebody else has taken the seat".to_owned());
        }
        if zombie.begin() {
            zombie.finish(&mut self.clusters, pick / count, fate);
        }
        if let Some(hand) = &mut self.hand {
            hand.after(&mut self.clusters);
        }
    }

    /// Lets everything happen, whoever dies and takes it up meanwhile, and brings it to one of its ends.
    pub(crate) fn live(&mut self, choices: &[Choice], last: Verb) -> Ending {
        for &choice in choices {
            match choice {
                Choice::Crash { applied, verb, zombie } => {
                    // What the undead have under way they know of.
                    let dead = self.crash(if zombie { 0 } else { applied });
                    self.zombies.extend(dead.filter(|_| zombie).map(|mut hand| {
                        hand.is_zombie = true;
                        hand
                    }));
                    let (patience, on_failure) = (self.setup.patience, self.setup.on_failure);
                    let how = TakeUp { patience, on_failure, ..TakeUp::new(verb) };
                    if let Err(Taken::Ended(_)) = self.take_up(how) {
                        break;
                    }
                }
                Choice::Silence(side) => drop(self.clusters.silent.insert(side)),
                Choice::Speech => self.clusters.silent.clear(),
                Choice::Zombie(pick, fate) => self.haunt(pick, fate),
                choice if self.hand.is_none() => {
                    self.somebody(choice);
                    self.clusters.collect();
                }
                choice => match self.step(choice) {
                    None => {}
                    Some(End::Done { .. } | End::RolledBack { .. }) => break,
                    Some(_) => self.hand = None,
                },
            }
        }
        self.come_to_an_end(last)
    }

    /// Nothing more happens than what the coordinator does, if there is one; what it leaves is settled.
    pub(crate) fn come_to_an_end(&mut self, last: Verb) -> Ending {
        if self.hand.is_some() && self.clusters.silent.is_empty() {
            match self.drive(&[]) {
                End::Done { .. } => return Ending::Moved,
                End::RolledBack { .. } => return Ending::Undone,
                _ => {}
            }
        }
        self.settle(last)
    }

    /// Gives up what was kept in the source.
    pub(crate) fn finalize(&mut self) {
        match self.take_up(TakeUp { close: true, ..TakeUp::new(Verb::Resume) }) {
            Ok(()) => {
                let end = self.drive(&[]);
                assert!(matches!(end, End::Done { .. }), "{end:?}");
            }
            Err(Taken::Ended(true)) => {}
            _ => panic!("it cannot be closed"),
        }
        self.setup.retire = Retire::Delete;
    }

    /// Somebody takes it up.
    pub(crate) fn take_up(&mut self, how: TakeUp) -> Result<(), Taken> {
        let token = self.token();
        let how = TakeUp { bulk: self.setup.bulk, ..how };
        match take_up(&self.clusters, PIVOT, &token, how) {
            Taken::Machine(machine, terms, token) => {
                let (fence, room) = (terms.fence, self.setup.room);
                self.clusters.lowered.clear();
                for side in [Side::Source, Side::Target] {
                    let dead = match side {
                        Side::Source => how.attested.source_dead,
                        Side::Target => how.attested.target_dead,
                    };
                    if dead {
                        self.clusters.dead.insert(side);
                    }
                }
                self.hand = Some(Hand::new(*machine, (PIVOT, token), fence, room, &mut self.clusters));
                Ok(())
            }
            other => Err(other),
        }
    }

    /// Both sides answer, people stand back: what somebody left is brought to one of its ends.
    pub(crate) fn settle(&mut self, verb: Verb) -> Ending {
        self.clusters.silent.clear();
        self.zombies.clear();
        let mut verb = verb;
        for _ in 0..3 {
            self.hand = None;
            match self.take_up(TakeUp::new(verb)) {
                Ok(()) => match self.drive(&[]) {
                    End::Done { .. } => return Ending::Moved,
                    End::RolledBack { .. } => return Ending::Undone,
                    End::CleanupPending { cause } => {
                        assert!(!self.clusters.undisturbed, "{cause}");
                        return Ending::Kept;
                    }
                    end => panic!("{end:?} although nothing stood in the way"),
                },
                Err(Taken::Ended(true)) => return Ending::Moved,
                Err(Taken::Ended(false) | Taken::Not(NoCourse::NoPivot)) => return Ending::Undone,
                Err(Taken::Not(NoCourse::Decided)) if verb == Verb::Rollback => verb = Verb::Resume,
                Err(Taken::Refused(_)) if verb == Verb::Resume && !self.is_decided() => {
                    verb = Verb::Rollback;
                }
                Err(Taken::Not(reason)) => panic!("{reason}"),
                Err(Taken::Refused(reason)) => panic!("{reason}"),
                Err(Taken::Machine(..)) => unreachable!("it was taken up"),
            }
        }
        panic!("it does not settle");
    }
}
