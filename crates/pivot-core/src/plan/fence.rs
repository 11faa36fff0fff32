//! How others are kept from acting while a pivot runs, as the plan tells it: the fence is as wide as the move (DESIGN section 2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Blueprint;
use crate::fence::{Controller, provider_kinds};
use crate::machine::Side;
use crate::object::ObjectKey;
use crate::record::FenceMode;

/// The fence of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFence {
    /// How others are kept from acting.
    pub mode: FenceMode,
    /// What happens to each controller that acts on what moves.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub controllers: Vec<PlanController>,
}

/// A controller, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanController {
    /// Where it runs.
    pub side: Side,
    /// Its Deployment.
    #[serde(flatten)]
    pub deployment: ObjectKey,
    /// What happens to it.
    pub treatment: Treatment,
}

/// What happens to a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Treatment {
    /// It loses its leader lease and goes on serving webhooks. In the source it is stopped in the end, in the target it leads again.
    LosesLease,
    /// It is stopped, because it elects no leader.
    Stopped,
    /// It is stopped already.
    Down,
    /// It is fenced by the policy alone until the target acts.
    Refused,
    /// An earlier pivot stopped it: it is started.
    Started,
    /// It also acts on what stays: the policy refuses its writes to what moves, and the pause keeps it from acting.
    KeepsRunning,
}

impl fmt::Display for PlanController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match (self.treatment, self.side) {
            (Treatment::LosesLease, Side::Source) => "loses its leader lease; stopped once the target acts",
            (Treatment::LosesLease, Side::Target) => "does not lead before the target acts",
            (Treatment::Stopped, _) => "stopped (it elects no leader)",
            (Treatment::Down, _) => "does not run",
            (Treatment::Refused, _) => "refused by the policy until the target acts (it elects no leader)",
            (Treatment::Started, _) => "started again (an earlier pivot stopped it)",
            (Treatment::KeepsRunning, _) => {
                "keeps running for what else it has; refused by the policy, and paused, for what moves"
            }
        };
        write!(f, "{} {}: {words}", self.side, self.deployment.path())
    }
}

impl PlanFence {
    pub(super) fn of(blueprint: &Blueprint) -> Self {
        let source = blueprint.source.fence.as_ref();
        let target = blueprint.target.as_ref().and_then(|target| target.fence.as_ref());
        if source.is_none() && target.is_none() {
            return Self { mode: FenceMode::Pause, controllers: Vec::new() };
        }
        let mut controllers = Vec::new();
        for (side, facts) in [(Side::Source, source), (Side::Target, target)] {
            let Some(facts) = facts else { continue };
            let mut tell = |controller: &Controller, treatment| {
                let deployment = controller.deployment.clone();
                controllers.push(PlanController { side, deployment, treatment });
            };
            for controller in &facts.controllers {
                tell(controller, treatment(side, controller));
            }
            for controller in facts.running.iter().filter(|running| acts_on_what_moves(blueprint, running)) {
                tell(controller, Treatment::KeepsRunning);
            }
        }
        Self { mode: FenceMode::Full, controllers }
    }
}

fn treatment(side: Side, controller: &Controller) -> Treatment {
    match side {
        _ if side == Side::Target && controller.asleep.is_some() && controller.replicas == 0 => {
            Treatment::Started
        }
        _ if controller.replicas == 0 => Treatment::Down,
        _ if controller.elects() => Treatment::LosesLease,
        Side::Source => Treatment::Stopped,
        Side::Target => Treatment::Refused,
    }
}

fn acts_on_what_moves(blueprint: &Blueprint, controller: &Controller) -> bool {
    let catalog = &blueprint.source.inventory.kinds;
    provider_kinds(catalog, &controller.provider)
        .any(|info| blueprint.staged_objects().any(|(_, object)| object.key.kind == info.kind))
}
