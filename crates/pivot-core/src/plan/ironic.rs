//! What PLAN saw of Ironic on both sides, and what follows from it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Blueprint;
use crate::host;
use crate::ironic::{HandOver, IronicPlace};
use crate::object::ObjectKey;

/// What was seen of Ironic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IronicFacts {
    /// True where the user said where it is: then it has to be there.
    pub told: bool,
    /// In the source.
    pub source: IronicSight,
    /// In the target; absent where none was given.
    pub target: Option<IronicSight>,
    /// The endpoint address, where one was told.
    pub endpoint: Option<IpAddr>,
    /// Hosts of the source outside the selected namespaces, as far as they may be seen.
    pub elsewhere: Vec<ObjectKey>,
}

/// What one side shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IronicSight {
    /// Nothing of Ironic.
    Nothing {
        /// Where was looked.
        place: String,
    },
    /// It could not be looked at.
    Unseen {
        /// Where it was to be.
        place: String,
        /// Why, in one line.
        problem: String,
    },
    /// Ironic.
    Stack(Box<IronicStack>),
}

/// One side's Ironic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IronicStack {
    /// Where it is.
    pub place: IronicPlace,
    /// Its containers or Deployments.
    pub names: Vec<String>,
    /// True where any of them runs.
    pub runs: bool,
    /// Deployments of it: one that also runs baremetal-operator is in the list of the controllers too.
    pub deployments: BTreeSet<ObjectKey>,
    /// How many leases it has.
    pub leases: usize,
    /// Lines of its lease file that are no leases.
    pub aside: Vec<String>,
    /// Leases that could not be read where they are newest, with why, while older ones are known.
    pub unread: Vec<String>,
    /// What keeps it from being stopped, or from being started again, with a remedy each.
    pub obstacles: Vec<(String, String)>,
    /// The interface that is to carry the endpoint address; `None` where that cannot be seen.
    pub interface: Option<ProvisioningInterface>,
    /// DHCP servers that answer on that interface; `None` where nobody could be asked.
    pub dhcp: Option<Vec<String>>,
}

/// The interface to the provisioning network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisioningInterface {
    /// Its name; `None` where no interface is on the network of the endpoint address.
    pub name: Option<String>,
    /// The endpoint address.
    pub endpoint: IpAddr,
    /// Static addresses in the endpoint's network.
    pub fixed: Vec<String>,
    /// Others, which go away by themselves.
    pub dynamic: Vec<String>,
}

/// The hand-over as the plan shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanIronic {
    /// Where it is stopped.
    pub source: String,
    /// What of it is stopped.
    pub stops: Vec<String>,
    /// Leases that are carried.
    pub leases: usize,
    /// Where it is started.
    pub target: String,
    /// What of it is started.
    pub starts: Vec<String>,
    /// The endpoint address, where one was told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endpoint: Option<IpAddr>,
    /// Seconds for which networks are listened to while neither side's Ironic serves: the least that the gap takes.
    #[serde(default)]
    pub silence_seconds: u64,
}

impl IronicSight {
    /// The stack, where there is one.
    pub fn stack(&self) -> Option<&IronicStack> {
        match self {
            Self::Stack(stack) => Some(stack),
            Self::Nothing { .. } | Self::Unseen { .. } => None,
        }
    }
}

impl IronicFacts {
    /// Both stacks, where Ironic goes from one to the other: it runs in the source, or the user says that it is there.
    pub fn pair(&self) -> Option<(&IronicStack, &IronicStack)> {
        let source = self.source.stack().filter(|stack| stack.runs || self.told)?;
        Some((source, self.target.as_ref()?.stack()?))
    }
}

impl Blueprint {
    /// Hosts that stay in the source, in the selected namespaces and elsewhere. While there are any, its Ironic is needed there (DESIGN
    /// section 2: the fence is as wide as the move).
    pub fn hosts_that_stay(&self) -> impl Iterator<Item = &ObjectKey> {
        let all = self.source.inventory.iter().filter(|(id, _)| !self.staged.contains(id));
        let listed = all.map(|(_, object)| &object.key).filter(|key| host::is_host(&key.kind));
        listed.chain(self.ironic.iter().flat_map(|facts| &facts.elsewhere))
    }

    /// True where a host moves.
    pub fn moves_hosts(&self) -> bool {
        self.staged_objects().any(|(_, object)| host::is_host(&object.key.kind))
    }

    /// What is done with Ironic; `None` where it is left alone.
    pub fn hand_over(&self) -> Option<HandOver> {
        let facts = self.ironic.as_ref()?;
        let (source, target) = facts.pair()?;
        if self.hosts_that_stay().next().is_some() {
            return None;
        }
        let (source, target) = (source.place.clone(), target.place.clone());
        Some(HandOver { source, target, endpoint: facts.endpoint })
    }

    pub(super) fn plan_ironic(&self) -> Option<PlanIronic> {
        let facts = self.ironic.as_ref()?;
        let hand_over = self.hand_over()?;
        let (source, target) = facts.pair()?;
        Some(PlanIronic {
            source: hand_over.source.to_string(),
            stops: source.names.clone(),
            leases: source.leases,
            target: hand_over.target.to_string(),
            starts: target.names.clone(),
            endpoint: facts.endpoint,
            silence_seconds: hand_over.silence().as_secs(),
        })
    }
}
