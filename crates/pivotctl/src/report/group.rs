//! The objects of a plan in the order in which people look for them: by Cluster, namespace and kind.

use std::collections::BTreeMap;

use pivot_core::kind::GroupKind;
use pivot_core::plan::{PlanItem, PlanReport};
use pivot_core::select::Action;

/// Objects of one kind, by name.
pub(crate) type ByKind<'a> = BTreeMap<KindOrder<'a>, Vec<&'a PlanItem>>;
/// Kinds by namespace; `None` for cluster-scoped objects.
pub(crate) type ByNamespace<'a> = BTreeMap<Option<&'a str>, ByKind<'a>>;

/// Kinds in the order in which they are shown: the Cluster first, Secrets and other built-in kinds last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KindOrder<'a> {
    rank: u8,
    pub(crate) kind: &'a GroupKind,
}

impl<'a> KindOrder<'a> {
    fn of(kind: &'a GroupKind) -> Self {
        let is_cluster = kind.is("cluster.x-k8s.io", "Cluster");
        let rank = if is_cluster { 0 } else { 1 + u8::from(kind.group.is_empty()) };
        Self { rank, kind }
    }
}

/// A plan's objects, grouped.
#[derive(Debug, Default)]
pub(crate) struct Groups<'a> {
    /// Under the Cluster they belong to, by `namespace/name`.
    pub(crate) clusters: BTreeMap<&'a str, ByNamespace<'a>>,
    /// What belongs to no Cluster.
    pub(crate) others: ByNamespace<'a>,
    /// Number of objects that stay because their namespace is not selected, by namespace.
    pub(crate) not_selected: BTreeMap<&'a str, usize>,
}

impl<'a> Groups<'a> {
    /// Groups all objects. Unless `all`, those of namespaces that are not selected are only counted.
    pub(crate) fn of(plan: &'a PlanReport, all: bool) -> Self {
        let mut groups = Self::default();
        for item in &plan.items {
            let namespace = item.key.namespace.as_deref();
            if let Some(namespace) = namespace.filter(|ns| !all && stays_outside(plan, item, ns)) {
                *groups.not_selected.entry(namespace).or_default() += 1;
                continue;
            }
            let group = match item.cluster.as_deref() {
                Some(cluster) => groups.clusters.entry(cluster).or_default(),
                None => &mut groups.others,
            };
            group.entry(namespace).or_default().entry(KindOrder::of(&item.key.kind)).or_default().push(item);
        }
        groups
    }
}

fn stays_outside(plan: &PlanReport, item: &PlanItem, namespace: &str) -> bool {
    let selected = plan.namespaces.as_ref().is_none_or(|names| names.iter().any(|name| name == namespace));
    !selected && matches!(item.action, Action::Keep | Action::Skip)
}
