//! Where Ironic is on both sides, looked at without changing anything.

use std::net::IpAddr;

use pivot_core::dhcp::Family;
use pivot_core::ironic::{IronicDeployment, IronicPart, IronicPlace, Machine, ironic_names};
use pivot_core::lease::LeaseFile;
use pivot_core::machine::Side;
use pivot_core::network::{Interface, Net};
use pivot_core::object::ObjectKey;
use pivot_core::plan::{Blueprint, IronicFacts, IronicSight, IronicStack, ProvisioningInterface};

use super::Options;
use crate::cluster::Cluster;
use crate::cluster::discovery::Discovery;
use crate::host::{Host, HostError};
use crate::ironic::{
    ClusterIronic, ClusterIronicError, Found, IronicError, ResourceError, UnreadPod, find, host_of,
};

/// What the user says of Ironic.
#[derive(Clone, Debug, Default)]
pub struct IronicWish {
    /// In the source. Where it is to be left alone there, it is left alone altogether.
    pub source: Wish,
    /// In the target.
    pub target: Wish,
    /// The endpoint address.
    pub endpoint: Option<IpAddr>,
}

/// Where one side's Ironic is.
#[derive(Clone, Debug, Default)]
pub enum Wish {
    /// It is none of the pivot's business.
    #[default]
    Leave,
    /// Wherever it is found: in the cluster, else on this machine, where one may be looked at.
    Find(Option<Machine>),
    /// There.
    At(IronicPlace),
}

/// What is seen of Ironic; nothing where it is to be left alone, or where no host moves.
pub(super) async fn see(
    source: (&Cluster, &Discovery),
    target: Option<&Cluster>,
    blueprint: &Blueprint,
    options: &Options,
) -> Option<IronicFacts> {
    let wish = &options.ironic;
    if matches!(wish.source, Wish::Leave) || !blueprint.moves_hosts() {
        return None;
    }
    let told = matches!(wish.source, Wish::At(_));
    let here = sight(Side::Source, source.0, &wish.source, wish.endpoint);
    let there = async {
        match target {
            Some(cluster) => Some(sight(Side::Target, cluster, &wish.target, wish.endpoint).await),
            None => None,
        }
    };
    let (here, there, elsewhere) = futures::join!(here, there, hosts_elsewhere(source, options));
    Some(IronicFacts { told, source: here, target: there, endpoint: wish.endpoint, elsewhere })
}

/// Hosts outside the selected namespaces. What one may not see one cannot ask about.
async fn hosts_elsewhere((cluster, discovery): (&Cluster, &Discovery), options: &Options) -> Vec<ObjectKey> {
    let Some(selected) = &options.request.namespaces else { return Vec::new() };
    let Some(kind) = discovery.catalog.get(&pivot_core::host::kind()) else { return Vec::new() };
    let listed = cluster.list_metadata(kind, &kind.storage_version, None).await;
    let items = listed.map(|listed| listed.items).unwrap_or_default();
    let outside =
        items.into_iter().filter(|item| item.namespace.as_ref().is_some_and(|name| !selected.contains(name)));
    outside.map(|item| ObjectKey::new(kind.kind.clone(), item.namespace.as_deref(), &item.name)).collect()
}

async fn sight(side: Side, cluster: &Cluster, wish: &Wish, endpoint: Option<IpAddr>) -> IronicSight {
    match wish {
        Wish::Leave => IronicSight::Nothing { place: "nowhere: it is to be left alone".to_owned() },
        Wish::At(IronicPlace::Cluster { namespace }) => in_cluster(cluster, namespace.as_deref()).await,
        Wish::At(IronicPlace::Machine(machine)) => on_machine(machine, endpoint, true, side).await,
        Wish::Find(machine) => match (in_cluster(cluster, None).await, machine) {
            (IronicSight::Nothing { .. }, Some(machine)) => on_machine(machine, endpoint, false, side).await,
            // A resource that nobody acts on may be what is left of another try.
            (IronicSight::Stack(stack), Some(machine)) if stack.deployments.is_empty() && !stack.runs => {
                match on_machine(machine, endpoint, false, side).await {
                    IronicSight::Nothing { .. } => IronicSight::Stack(stack),
                    seen => seen,
                }
            }
            (seen, _) => seen,
        },
    }
}

async fn in_cluster(cluster: &Cluster, namespace: Option<&str>) -> IronicSight {
    let place = IronicPlace::Cluster { namespace: namespace.map(str::to_owned) };
    let ironic = ClusterIronic { cluster, namespace, wait: std::time::Duration::ZERO };
    let found = match ironic.find().await {
        Ok(found) => found,
        Err(ClusterIronicError::Resource(error @ ResourceError::NobodyActs { .. })) => {
            return nobody_acts(place, &error);
        }
        Err(error) => return unseen(&place, &error),
    };
    if found.is_empty() {
        return IronicSight::Nothing { place: format!("{place} of {}", cluster.name()) };
    }
    let leases = match ironic.leases(&found).await {
        Ok(leases) => leases,
        Err(error) => return unseen(&place, &error),
    };
    let refusals = ironic.refusals(&found, Some(&leases)).into_iter();
    let obstacles = refusals.filter_map(|refusal| Some((refusal.to_string(), refusal.remedy()?))).collect();
    let is_ironic = |found: &&IronicDeployment| found.part != IronicPart::Operator;
    IronicSight::Stack(Box::new(IronicStack {
        place,
        names: ironic_names(&found),
        runs: found.iter().any(IronicDeployment::runs),
        deployments: found.iter().filter(is_ironic).map(|found| found.key.clone()).collect(),
        leases: leases.file().len(),
        aside: leases.aside().to_vec(),
        unread: leases.saved_before().map(UnreadPod::told).collect(),
        obstacles,
        interface: None,
        dhcp: None,
    }))
}

/// A resource that runs nowhere and that nothing would start.
fn nobody_acts(place: IronicPlace, error: &ResourceError) -> IronicSight {
    let remedy = error.remedy().unwrap_or_default();
    IronicSight::Stack(Box::new(IronicStack {
        place,
        names: Vec::new(),
        runs: false,
        deployments: std::collections::BTreeSet::new(),
        leases: 0,
        aside: Vec::new(),
        unread: Vec::new(),
        obstacles: vec![(error.to_string(), remedy)],
        interface: None,
        dhcp: None,
    }))
}

fn unseen(place: &IronicPlace, error: &impl ToString) -> IronicSight {
    IronicSight::Unseen { place: place.to_string(), problem: error.to_string() }
}

async fn on_machine(machine: &Machine, endpoint: Option<IpAddr>, told: bool, side: Side) -> IronicSight {
    let (place, host) = (IronicPlace::Machine(machine.clone()), host_of(machine).connected().await);
    let nothing = || IronicSight::Nothing { place: place.to_string() };
    let found = match find(&host, None).await {
        Ok(found) if found.containers.is_empty() => return nothing(),
        Ok(found) => found,
        // Where nobody said that there is one, a machine that runs no containers has none.
        Err(IronicError::NoEngine { .. } | IronicError::Host(HostError::Start { .. })) if !told => {
            return nothing();
        }
        Err(error) => return unseen(&place, &error),
    };
    match stack(&host, place.clone(), &found, endpoint.or(found.endpoint)).await {
        Ok(mut stack) => {
            // What answers on the source's network is its own server while it runs.
            if side == Side::Target {
                stack.dhcp = servers(&host, stack.interface.as_ref()).await;
            }
            IronicSight::Stack(Box::new(stack))
        }
        Err(error) => unseen(&place, &error),
    }
}

/// DHCP servers that answer where Ironic's is to serve; `None` where nobody could be asked.
async fn servers(host: &Host, interface: Option<&ProvisioningInterface>) -> Option<Vec<String>> {
    let interface = interface?;
    let family = Family::of(interface.endpoint);
    let answers = host.dhcp_answers(interface.name.as_deref()?, family).await.ok()?;
    Some(answers.iter().map(ToString::to_string).collect())
}

async fn stack(
    host: &Host,
    place: IronicPlace,
    found: &Found,
    endpoint: Option<IpAddr>,
) -> Result<IronicStack, IronicError> {
    let file = found.leases.as_ref().map(|(_, text)| LeaseFile::parse(text)).unwrap_or_default();
    let vanishing = found.containers.iter().filter(|found| found.container.auto_remove);
    let obstacles = vanishing.map(|vanishing| {
        // What a stop would refuse by.
        let refusal =
            IronicError::Vanishes { host: host.to_string(), name: vanishing.container.name.clone() };
        (refusal.to_string(), "make it without --rm".to_owned())
    });
    let interface = match endpoint {
        Some(endpoint) => Some(provisioning(&host.interfaces().await?, endpoint)),
        None => None,
    };
    Ok(IronicStack {
        place,
        names: found.containers.iter().map(|found| found.container.name.clone()).collect(),
        runs: found.runs(),
        deployments: std::collections::BTreeSet::new(),
        leases: file.len(),
        aside: aside(&file),
        unread: Vec::new(),
        obstacles: obstacles.collect(),
        interface,
        dhcp: None,
    })
}

/// The interface on the network of the endpoint address, and what it carries of it besides.
fn provisioning(all: &[Interface], endpoint: IpAddr) -> ProvisioningInterface {
    let wanted = Net::host(endpoint);
    let on_network = all.iter().find_map(|interface| {
        let mut nets = interface.addresses.iter().filter(|assigned| {
            !assigned.net.is_host() && assigned.net.contains(wanted) && assigned.net.address != endpoint
        });
        nets.next().map(|_| interface)
    });
    let written = |dynamic: bool| {
        let assigned = on_network.into_iter().flat_map(|interface| &interface.addresses);
        let those = assigned.filter(|assigned| {
            assigned.dynamic == dynamic && assigned.net.contains(wanted) && assigned.net.address != endpoint
        });
        those.map(|assigned| format!("{}/{}", assigned.net.address, assigned.net.prefix)).collect()
    };
    ProvisioningInterface {
        name: on_network.map(|interface| interface.name.clone()),
        endpoint,
        fixed: written(false),
        dynamic: written(true),
    }
}

fn aside(file: &LeaseFile) -> Vec<String> {
    file.aside().iter().map(ToString::to_string).collect()
}
