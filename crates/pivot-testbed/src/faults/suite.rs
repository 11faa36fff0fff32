//! All cases, on several pairs of clusters at the same time.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::try_join_all;
use tokio::time::Instant as Clock;

use super::{
    case::{Case, Fence},
    draw,
    lane::Lane,
    report::{Report, Writes},
    seed::Seed,
    verdict::Verdict,
};
use crate::{Result, assets::Assets};

/// What is run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Every case there is, or a sample of about this many.
    pub sample: Option<usize>,
    /// Draws the sample, and what is done about each pivot that was left.
    pub seed: u64,
    /// Pairs of clusters that run cases at the same time; each takes about 1.2 GB of memory.
    pub lanes: usize,
    /// Only cases whose text holds this.
    pub only: Option<String>,
    /// No case begins after so long.
    pub limit: Option<Duration>,
}

/// Told while cases run.
#[derive(Debug)]
pub enum News<'a> {
    /// The writes of an undisturbed pivot were counted, and the cases chosen.
    Chosen {
        /// Of an undisturbed pivot.
        writes: &'a Writes,
        /// How many cases will run.
        cases: usize,
    },
    /// A case is over.
    Over(&'a Verdict),
}

/// Runs the cases of a plan.
pub async fn run(
    assets: &Assets,
    pivotctl: &Path,
    plan: &Plan,
    tell: &(dyn Fn(News<'_>) + Sync),
) -> Result<Report> {
    let lanes = (0..plan.lanes.max(1)).map(|_| Lane::start(assets, pivotctl));
    let mut lanes = try_join_all(lanes).await?;
    let mut seed = Seed::new(plan.seed);
    let (mut writes, mut cases) = (Writes::default(), Vec::new());
    for fence in Fence::BOTH {
        let landmarks = lanes[0].landmarks(fence).await?;
        writes.note(fence, &landmarks);
        cases.extend(draw::kills(fence, &landmarks, &mut seed));
        cases.extend(draw::troubles(fence, &landmarks, &mut seed));
    }
    if let Some(only) = &plan.only {
        cases.retain(|(_, case)| case.to_string().contains(only));
    }
    let cases = if let Some(count) = plan.sample {
        draw::sample(cases, count, &mut seed)
    } else {
        let mut cases: Vec<Case> = cases.into_iter().map(|(_, case)| case).collect();
        // Cut short it is still a fair sample.
        seed.shuffle(&mut cases);
        draw::order(&mut cases);
        cases
    };
    tell(News::Chosen { writes: &writes, cases: cases.len() });
    let until = plan.limit.map(|limit| Clock::now() + limit);
    let chosen = cases.len();
    let queue = Mutex::new(VecDeque::from(cases));
    let verdicts = try_join_all(lanes.iter_mut().map(|lane| work(lane, &queue, until, tell))).await?.concat();
    let sampled = plan.sample.is_some() || verdicts.len() < chosen;
    Ok(Report { seed: plan.seed, sampled, writes, verdicts })
}

async fn work(
    lane: &mut Lane<'_>,
    queue: &Mutex<VecDeque<Case>>,
    until: Option<Clock>,
    tell: &(dyn Fn(News<'_>) + Sync),
) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    loop {
        if until.is_some_and(|until| Clock::now() >= until) {
            return Ok(verdicts);
        }
        let case = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(case) = case else { return Ok(verdicts) };
        let verdict = lane.run(&case).await?;
        tell(News::Over(&verdict));
        verdicts.push(verdict);
    }
}
