//! Scripts: short sequences of steps around records and fences. The steps of a wave run at the same time, waves after each other.

use std::collections::{BTreeSet, VecDeque};

use super::Machine;
use super::step::Step;

/// What follows a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// LOCK is done.
    Locked,
    /// What the source's Ironic is stands in both records.
    IronicSaved,
    /// A fence stands.
    Fenced,
    /// Pause values are saved: what was found changed may be paused.
    PausesSaved,
    /// What STAGE is about to create is saved.
    ReachSaved,
    /// The snapshot is in the target.
    SnapshotStored,
    /// The source waits for the target's answer.
    Prepared,
    /// The target's record says that the pivot is off.
    CalledOff,
    /// The one commit point.
    Committed,
    /// Everybody may act in the target.
    Activated,
    /// The target's controllers lead.
    Led,
    /// Records and fences of a decided pivot are ours again.
    Rejoined,
    /// The records say how it ended.
    Finished,
    /// Nothing that it kept for itself is left.
    Closed,
    /// The records say that everything is undone from here on.
    Aborting,
    /// The target is as it was.
    TargetCleared,
    /// Everybody may act in the source.
    RolledBack,
}

/// A script under way.
#[derive(Clone, Debug)]
pub(super) struct Script {
    waves: VecDeque<Vec<Step>>,
    running: usize,
    then: Then,
}

impl Machine {
    /// Begins a script. Where nothing is to be done, what follows it begins at once.
    ///
    /// A document that is wanted twice is written once, the first time: what it is to say is known before anything begins.
    pub(super) fn play(&mut self, mut waves: Vec<Vec<Step>>, then: Then) {
        debug_assert!(self.script.is_none(), "BUG: {then:?} while {:?}", self.script);
        let mut written = BTreeSet::new();
        for wave in &mut waves {
            wave.retain(|step| match step {
                Step::Doc(side, doc) => written.insert((*side, *doc)),
                _ => true,
            });
        }
        self.script = Some(Script { waves: waves.into(), running: 0, then });
        self.next_wave();
    }

    /// A step of the script is done.
    pub(super) fn scripted(&mut self) {
        let Some(script) = &mut self.script else { return };
        script.running -= 1;
        if script.running == 0 {
            self.next_wave();
        }
    }

    fn next_wave(&mut self) {
        while let Some(script) = &mut self.script {
            match script.waves.pop_front() {
                Some(wave) if wave.is_empty() => {}
                Some(wave) => {
                    script.running = wave.len();
                    for step in wave {
                        self.push(step);
                    }
                    return;
                }
                None => {
                    let then = script.then;
                    self.script = None;
                    // It may begin a script of its own, which has begun its first wave by now.
                    return self.follow(then);
                }
            }
        }
    }

    fn follow(&mut self, then: Then) {
        match then {
            Then::Locked => self.advance("both clusters are taken".to_owned()),
            Then::IronicSaved => self.stop_ironic(),
            Then::Fenced => self.fenced(),
            Then::PausesSaved => self.pauses_saved(),
            Then::ReachSaved => self.stage_now(),
            Then::SnapshotStored => self.staged_all(),
            Then::Prepared => self.prepared(),
            Then::CalledOff => self.called_off(),
            Then::Committed => self.decided(),
            Then::Activated => self.activated(),
            Then::Led => self.led(),
            Then::Rejoined => self.push(Step::Rejoin),
            Then::Finished => self.finished(),
            Then::Closed => self.closed(),
            Then::Aborting => self.clear_target(),
            Then::TargetCleared => self.clear_source(),
            Then::RolledBack => self.rolled_back(),
        }
    }
}
