//! Which cases there are, and which of them are run.

use std::time::Duration;

use super::{
    case::{Answer, Case, Fence, Instant},
    person::Deed,
    point::{Landmark, Part, Point},
    role::Role,
    seed::Seed,
    trouble::{Disk, Harm, Outage, Spoiled, Trouble, Verb},
};
use crate::{
    plane::Component,
    proxy::{Link, Stage},
    traffic::{Action, Fault, Target, Verb as Request},
};

/// How much a case is wanted in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// In every sample.
    Always,
    /// If there is room.
    Chance,
}

/// The parts of a pivot in which everything that is no kill happens once.
const PARTS: [Part; 9] = [
    Part::Record,
    Part::Fence,
    Part::Stage,
    Part::Quiesce,
    Part::Snapshot,
    Part::Prepare,
    Part::Commit,
    Part::Activate,
    Part::Retire,
];

/// Lists and watches of one side that a spoiled reply is drawn from.
const READS: usize = 40;
const WATCHES: usize = 8;

/// Killing the tool at every write with this fence, at all three stages of each. Resume and rollback take turns, one in six is
/// preceded by `status`. Borders are always wanted, at one stage each; with the pause alone a third of them.
pub(super) fn kills(fence: Fence, landmarks: &[Landmark], seed: &mut Seed) -> Vec<(Rank, Case)> {
    let mut cases = Vec::new();
    for (index, landmark) in landmarks.iter().enumerate() {
        let chosen = Stage::ALL[seed.below(3)];
        for stage in Stage::ALL {
            let answer = match seed.below(6) {
                0 => Answer::Ask,
                1..=3 => Answer::Rollback,
                _ => Answer::Resume,
            };
            // New clusters for one case take long, and the pause alone differs little.
            let often = fence == Fence::Full || (!landmark.first_only && index % 3 == 0);
            let wanted = landmark.border && stage == chosen && often;
            let instant = Instant { point: landmark.point.clone(), stage };
            let case = Case {
                fence,
                trouble: Trouble::Kill(instant),
                part: landmark.part,
                answer,
                first_only: landmark.first_only,
            };
            cases.push((rank(wanted), case));
        }
    }
    cases
}

fn rank(wanted: bool) -> Rank {
    if wanted { Rank::Always } else { Rank::Chance }
}

/// Everything that is no kill, with this fence.
pub(super) fn troubles(fence: Fence, landmarks: &[Landmark], seed: &mut Seed) -> Vec<(Rank, Case)> {
    let mut drawing = Drawing { fence, landmarks, seed, cases: Vec::new() };
    drawing.people();
    if fence == Fence::Pause {
        // What happens to a side does not depend on the fence.
        return drawing.cases;
    }
    drawing.signals();
    drawing.rivals();
    drawing.outages();
    drawing.backups();
    drawing.replies();
    drawing.journals();
    drawing.cases
}

struct Drawing<'a> {
    fence: Fence,
    landmarks: &'a [Landmark],
    seed: &'a mut Seed,
    cases: Vec<(Rank, Case)>,
}

impl Drawing<'_> {
    /// One write of a part, somewhere in it.
    fn instant(&mut self, part: Part, stages: &[Stage]) -> Option<Instant> {
        let points: Vec<&Point> = self
            .landmarks
            .iter()
            .filter(|landmark| landmark.part == part && !landmark.first_only)
            .map(|landmark| &landmark.point)
            .collect();
        let stage = stages[self.seed.below(stages.len())];
        let point = (!points.is_empty()).then(|| points[self.seed.below(points.len())].clone())?;
        Some(Instant { point, stage })
    }

    fn add(&mut self, wanted: bool, part: Part, trouble: Trouble) {
        let answer = if self.seed.below(2) == 0 { Answer::Resume } else { Answer::Rollback };
        // A sample has the borders under both fences, and everything else under the full one.
        let rank = rank(wanted && self.fence == Fence::Full);
        self.cases.push((rank, Case { fence: self.fence, trouble, part, answer, first_only: false }));
    }

    /// The same in every part of a pivot; `samples` of them are in every sample.
    fn everywhere(&mut self, samples: usize, stages: &[Stage], trouble: impl Fn(Instant) -> Trouble) {
        let mut parts = PARTS;
        self.seed.shuffle(&mut parts);
        for (index, part) in parts.into_iter().enumerate() {
            if let Some(instant) = self.instant(part, stages) {
                self.add(index < samples, part, trouble(instant));
            }
        }
    }

    fn people(&mut self) {
        for deed in Deed::ALL {
            self.everywhere(1, &Stage::ALL, |instant| Trouble::Person(instant, deed));
        }
    }

    fn signals(&mut self) {
        self.everywhere(3, &Stage::ALL, Trouble::Interrupt);
        self.everywhere(2, &Stage::ALL, Trouble::Replaced);
    }

    fn rivals(&mut self) {
        for verb in Verb::ALL {
            self.everywhere(1, &Stage::ALL, |instant| Trouble::Rival(instant, verb));
        }
    }

    fn outages(&mut self) {
        for role in Role::BOTH {
            for link in [Link::Down, Link::Stalled] {
                self.everywhere(1, &Stage::ALL, |instant| Trouble::Line(instant, role, link));
            }
            for component in [Component::ApiServer, Component::Etcd] {
                for outage in [Outage::Killed, Outage::Frozen] {
                    self.everywhere(1, &Stage::ALL, |instant| {
                        Trouble::Outage(instant, role, component, outage)
                    });
                }
            }
        }
    }

    /// Up to where the source still has everything: no tool can bring back what both clusters lost.
    fn backups(&mut self) {
        for (index, part) in
            [Part::Prepare, Part::Commit, Part::Stage, Part::Activate].into_iter().enumerate()
        {
            if let Some(instant) = self.instant(part, &Stage::ALL) {
                self.add(index == 0, part, Trouble::Restored(instant));
            }
        }
    }

    fn replies(&mut self) {
        let slow_down =
            Action::Status { code: 429, reason: "TooManyRequests".to_owned(), retry_after: Some(1) };
        let any = [
            ("429", slow_down),
            ("500", Action::status(500, "InternalError")),
            ("503", Action::status(503, "ServiceUnavailable")),
            ("504", Action::status(504, "Timeout")),
            ("401", Action::status(401, "Unauthorized")),
            ("403", Action::status(403, "Forbidden")),
            ("reset before it is sent", Action::DropBefore),
            ("reset before the reply", Action::DropAfter),
            ("a reply that breaks off", Action::Truncate),
            ("half a reply that looks whole", Action::TruncateSilently),
            ("a web page for a reply", Action::WebPage),
            ("two seconds late", Action::Latency(Duration::from_secs(2))),
        ];
        for (words, action) in any {
            for role in Role::BOTH {
                let writes = self.landmarks.iter().filter(|landmark| landmark.point.role == role).count();
                let lucky = self.seed.below(2) == 0;
                self.spoil(lucky, role, words, Target::writes(), "write", writes, &action);
                self.spoil(false, role, words, Target::writes(), "write", writes, &action);
                let lists = Target::new(Request::List, "*");
                self.spoil(!lucky, role, words, lists, "list", READS, &action);
            }
        }
        let watches = [
            ("a watch that tells nothing", Action::Mute),
            ("a watch that ends at once", Action::EndWatch),
            ("a watch that breaks off", Action::Truncate),
        ];
        for (words, action) in watches {
            let target = Target::new(Request::Watch, "*");
            self.spoil(true, Role::Source, words, target, "watch", WATCHES, &action);
        }
        for role in Role::BOTH {
            let target = Target::new(Request::List, "*");
            let fault = Fault::new(target, Action::Stale);
            let words = "every list is as old as the first of its like".to_owned();
            self.add(true, Part::Record, Trouble::Reply(role, Spoiled { words, fault }));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a fault is made of that many parts")]
    fn spoil(
        &mut self,
        wanted: bool,
        role: Role,
        words: &str,
        target: Target,
        what: &str,
        of: usize,
        action: &Action,
    ) {
        let (nth, times) = (self.seed.below(of.max(1)) + 1, 1 + self.seed.below(3));
        let words = format!("{words}, {times} times from {what} {nth} on");
        let fault = Fault::new(target, action.clone()).nth(nth).times(times);
        self.add(wanted, Part::Record, Trouble::Reply(role, Spoiled { words, fault }));
    }

    fn journals(&mut self) {
        for disk in [Disk::NoFolder, Disk::Full] {
            self.add(true, Part::Record, Trouble::NoJournal(disk));
        }
        for harm in [Harm::Deleted, Harm::CutOff, Harm::Flipped] {
            self.everywhere(1, &Stage::ALL, |instant| Trouble::KillAndJournal(instant, harm));
        }
    }
}

/// All that is always wanted, and more by chance up to `count`.
pub(super) fn sample(mut cases: Vec<(Rank, Case)>, count: usize, seed: &mut Seed) -> Vec<Case> {
    seed.shuffle(&mut cases);
    cases.sort_by_key(|(rank, _)| *rank);
    let always = cases.iter().filter(|(rank, _)| *rank == Rank::Always).count();
    let mut drawn: Vec<Case> = cases.into_iter().take(count.max(always)).map(|(_, case)| case).collect();
    seed.shuffle(&mut drawn);
    order(&mut drawn);
    drawn
}

/// Cases that need clusters without a past come first; the others keep their order.
pub(super) fn order(cases: &mut [Case]) {
    cases.sort_by_key(|case| !case.first_only);
}
