//! What a Cluster consists of, read as it is.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use pivot_core::describe::{Node, SKELETON, named_kinds, tree};
use pivot_core::inventory::Inventory;
use pivot_core::kind::{GroupKind, KindCatalog, KindInfo, Scope};
use pivot_core::link::LinkRules;
use pivot_core::object::Manifest;

use crate::cluster::discovery::{Discovery, DiscoveryError};
use crate::cluster::{Cluster, Failure};

/// A Cluster could not be described.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// What the cluster is and serves.
    #[error("{name}: {error}")]
    Discovery {
        /// How messages call the cluster.
        name: String,
        /// Why.
        #[source]
        error: DiscoveryError,
    },
    /// Objects that it holds.
    #[error("{name}: cannot list {kind}: {error}")]
    List {
        /// How messages call the cluster.
        name: String,
        /// What was listed.
        kind: GroupKind,
        /// Why.
        #[source]
        error: Failure,
    },
    /// There is no such Cluster.
    #[error("there is no Cluster {wanted} in {place}")]
    NoSuchCluster {
        /// The name that was asked for.
        wanted: String,
        /// Where it was looked for.
        place: String,
        /// Those that are there, as `namespace/name`.
        there: Vec<String>,
    },
    /// There is one in several namespaces.
    #[error("there are Clusters {wanted} in several namespaces: {}", namespaces.join(", "))]
    Several {
        /// The name that was asked for.
        wanted: String,
        /// Where they are.
        namespaces: Vec<String>,
    },
}

/// Describes the Cluster of that name in one of these namespaces (`None`: in any). Only reads.
pub async fn describe(
    cluster: &Cluster,
    namespaces: Option<&BTreeSet<String>>,
    name: &str,
) -> Result<Node, DescribeError> {
    let discovery = cluster
        .discover(&LinkRules::builtin())
        .await
        .map_err(|error| DescribeError::Discovery { name: cluster.name().to_owned(), error })?;
    let reading = Reading { cluster, discovery: &discovery };
    let namespace = reading.namespace_of(namespaces, name).await?;
    let mut inventory = Inventory::new(&discovery.cluster_id, KindCatalog::default());
    let skeleton = SKELETON.map(|kind| GroupKind::new("cluster.x-k8s.io", kind));
    reading.add(&mut inventory, &skeleton, &namespace).await?;
    let named: Vec<GroupKind> = named_kinds(&inventory).into_iter().collect();
    reading.add(&mut inventory, &named, &namespace).await?;
    // It may have been deleted since its namespace was found.
    tree(&inventory, &namespace, name).ok_or_else(|| DescribeError::NoSuchCluster {
        wanted: name.to_owned(),
        place: format!("namespace {namespace}"),
        there: Vec::new(),
    })
}

struct Reading<'a> {
    cluster: &'a Cluster,
    discovery: &'a Discovery,
}

impl Reading<'_> {
    /// The one namespace that has a Cluster of that name.
    async fn namespace_of(
        &self,
        namespaces: Option<&BTreeSet<String>>,
        name: &str,
    ) -> Result<String, DescribeError> {
        let kind = GroupKind::new("cluster.x-k8s.io", "Cluster");
        let lists: Vec<Vec<Manifest>> = match namespaces {
            None => vec![self.list(&kind, None).await?],
            Some(names) => try_join_all(names.iter().map(|ns| self.list(&kind, Some(ns)))).await?,
        };
        let clusters: Vec<&Manifest> = lists.iter().flatten().collect();
        let wanted = name.to_owned();
        let mut found: Vec<String> = clusters
            .iter()
            .filter(|found| found.name() == name)
            .filter_map(|found| found.namespace().map(str::to_owned))
            .collect();
        match (found.pop(), found.is_empty()) {
            (Some(namespace), true) => Ok(namespace),
            (Some(namespace), false) => {
                found.push(namespace);
                found.sort();
                Err(DescribeError::Several { wanted, namespaces: found })
            }
            (None, _) => {
                let place = namespaces.map_or_else(
                    || "any namespace".to_owned(),
                    |names| format!("namespace {}", names.iter().cloned().collect::<Vec<_>>().join(", ")),
                );
                let mut there: Vec<String> = clusters.iter().map(|found| found.key().path()).collect();
                there.sort();
                Err(DescribeError::NoSuchCluster { wanted, place, there })
            }
        }
    }

    async fn add(
        &self,
        inventory: &mut Inventory,
        kinds: &[GroupKind],
        namespace: &str,
    ) -> Result<(), DescribeError> {
        let lists = try_join_all(kinds.iter().map(|kind| self.list(kind, Some(namespace)))).await?;
        for (kind, items) in kinds.iter().zip(lists) {
            for item in items {
                inventory.add(kind, item);
            }
        }
        Ok(())
    }

    /// A kind that the cluster does not serve has no objects.
    async fn list(&self, kind: &GroupKind, namespace: Option<&str>) -> Result<Vec<Manifest>, DescribeError> {
        let Some(info) = self.info(kind) else { return Ok(Vec::new()) };
        let namespace = namespace.filter(|_| info.scope == Scope::Namespaced);
        match self.cluster.list(info, &info.storage_version, namespace).await {
            Ok(listed) => Ok(listed.items),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => {
                Err(DescribeError::List { name: self.cluster.name().to_owned(), kind: kind.clone(), error })
            }
        }
    }

    fn info(&self, kind: &GroupKind) -> Option<&KindInfo> {
        let others = || self.discovery.other.iter().find(|info| info.kind == *kind);
        self.discovery.catalog.get(kind).or_else(others)
    }
}
