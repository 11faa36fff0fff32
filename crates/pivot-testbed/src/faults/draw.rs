//! Which cases are run.

use super::{
    case::{Answer, Case, Fence, Instant},
    point::Landmark,
    seed::Seed,
    trouble::Trouble,
};
use crate::proxy::Stage;

/// How much a case is wanted in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// In every sample.
    Always,
    /// If there is room.
    Chance,
}

/// Killing the tool at every write with this fence, at all three stages of each. Resume and rollback take turns, one in six is
/// preceded by `status`. Borders are always wanted: with the pause alone, where the same steps are fewer, at one stage each.
pub(super) fn kills(fence: Fence, landmarks: &[Landmark], seed: &mut Seed) -> Vec<(Rank, Case)> {
    let mut cases = Vec::new();
    for landmark in landmarks {
        let chosen = usize::try_from(seed.draw() % 3).unwrap_or(0);
        for (index, stage) in Stage::ALL.into_iter().enumerate() {
            let answer = match seed.draw() % 6 {
                0 => Answer::Ask,
                1..=3 => Answer::Rollback,
                _ => Answer::Resume,
            };
            let wanted = landmark.border && (fence == Fence::Full || index == chosen);
            let instant = Instant { point: landmark.point.clone(), stage };
            let case =
                Case { fence, trouble: Trouble::Kill(instant), answer, first_only: landmark.first_only };
            cases.push((if wanted { Rank::Always } else { Rank::Chance }, case));
        }
    }
    cases
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

/// Cases that need clusters without a past come first, one after each renewal at best; the others keep their order.
pub(super) fn order(cases: &mut [Case]) {
    cases.sort_by_key(|case| !case.first_only);
}
