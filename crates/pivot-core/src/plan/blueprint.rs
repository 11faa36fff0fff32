//! The blueprint: facts, links, selection and order in one value, from which the checks, the report and the machine are made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::facts::{Permission, SourceFacts, TargetFacts};
use super::fence::PlanFence;
use super::ironic::IronicFacts;
use super::report::{ClusterIdentity, FORMAT, PlanItem, PlanKind, PlanLink, PlanReport, PlanRole};
use crate::check::{self, Finding};
use crate::content::declared_digest;
use crate::digest::Digest;
use crate::graph::{CreationOrder, Graph};
use crate::inventory::{Inventory, Object, ObjectId};
use crate::kind::{GroupKind, KindCatalog, Scope};
use crate::link::{LinkRole, LinkRules, Links};
use crate::machine::{Extent, Side};
use crate::object::ObjectKey;
use crate::pause::PauseField;
use crate::select::{Action, Request, Selection};

/// What stands in the place of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A cluster.
    #[default]
    Cluster,
    /// A directory. Nobody acts in it and nothing in it changes; all it holds is copied.
    Directory,
}

/// Everything that was decided about one pair of clusters.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// What the source is.
    pub origin: Origin,
    /// The pivot that is taken up again: what it staged already is no conflict.
    pub pivot: Option<String>,
    /// The source as it was listed.
    pub source: SourceFacts,
    /// The target as it was listed; absent where none was given.
    pub target: Option<Arc<TargetFacts>>,
    /// Link rules.
    pub rules: Arc<LinkRules>,
    /// What the user asked for.
    pub request: Request,
    /// Version in which each kind is read and written.
    pub versions: BTreeMap<GroupKind, String>,
    /// Resolved links.
    pub links: Links,
    /// The links by object.
    pub graph: Graph,
    /// Verdicts.
    pub selection: Selection,
    /// Objects that are to exist in the target.
    pub staged: BTreeSet<ObjectId>,
    /// The order of their creation.
    pub order: CreationOrder,
    /// What was seen of Ironic; absent where it was not looked for.
    pub ironic: Option<Arc<IronicFacts>>,
}

impl Blueprint {
    /// Decides.
    pub fn new(
        source: SourceFacts,
        target: Option<Arc<TargetFacts>>,
        rules: Arc<LinkRules>,
        request: Request,
        versions: BTreeMap<GroupKind, String>,
    ) -> Self {
        let inventory = &source.inventory;
        let links = Links::resolve(&rules, inventory);
        let graph = Graph::new(inventory.len(), &links);
        let selection = Selection::new(inventory, &rules, &graph, &request);
        let staged = selection.staged();
        let order = CreationOrder::new(inventory, &graph, &staged);
        let origin = Origin::Cluster;
        let pivot = None;
        Self {
            origin,
            pivot,
            source,
            target,
            rules,
            request,
            versions,
            links,
            graph,
            selection,
            staged,
            order,
            ironic: None,
        }
    }

    /// Decides about a directory: everything in it, in the versions in which it is written.
    pub fn of_directory(
        source: SourceFacts,
        target: Option<Arc<TargetFacts>>,
        rules: Arc<LinkRules>,
    ) -> Self {
        let inventory = &source.inventory;
        let links = Links::resolve(&rules, inventory);
        let graph = Graph::new(inventory.len(), &links);
        let selection = Selection::of_directory(inventory, &graph);
        let staged = selection.staged();
        let order = CreationOrder::new(inventory, &graph, &staged);
        let versions = Self::versions(&inventory.kinds, None);
        let (origin, request) = (Origin::Directory, Request::default());
        let pivot = None;
        Self {
            origin,
            pivot,
            source,
            target,
            rules,
            request,
            versions,
            links,
            graph,
            selection,
            staged,
            order,
            ironic: None,
        }
    }

    /// What was decided, of the objects that a snapshot keeps.
    pub fn of_snapshot(
        source: SourceFacts,
        target: Option<Arc<TargetFacts>>,
        rules: Arc<LinkRules>,
        versions: BTreeMap<GroupKind, String>,
        actions: &BTreeMap<ObjectKey, Action>,
    ) -> Self {
        let inventory = &source.inventory;
        let links = Links::resolve(&rules, inventory);
        let graph = Graph::new(inventory.len(), &links);
        let selection = Selection::of_snapshot(inventory, &graph, actions);
        let staged = selection.staged();
        let order = CreationOrder::new(inventory, &graph, &staged);
        let (origin, request, pivot) = (Origin::Cluster, Request::default(), None);
        Self {
            origin,
            pivot,
            source,
            target,
            rules,
            request,
            versions,
            links,
            graph,
            selection,
            staged,
            order,
            ironic: None,
        }
    }

    /// Decides again about the source as it is now; everything else stays.
    #[must_use]
    pub fn renewed(&self, inventory: Inventory) -> Self {
        Self { pivot: self.pivot.clone(), ..self.renewed_whole(inventory) }
    }

    fn renewed_whole(&self, inventory: Inventory) -> Self {
        let source = SourceFacts { inventory, ..self.source.clone_without_inventory() };
        if self.origin == Origin::Directory {
            return Self::of_directory(source, self.target.clone(), Arc::clone(&self.rules));
        }
        Self::new(
            source,
            self.target.clone(),
            Arc::clone(&self.rules),
            self.request.clone(),
            self.versions.clone(),
        )
    }

    /// The version in which a kind is read and written: one that both sides serve, else the source's storage version.
    pub fn versions(source: &KindCatalog, target: Option<&KindCatalog>) -> BTreeMap<GroupKind, String> {
        let version = |info: &crate::kind::KindInfo| {
            let shared =
                target.and_then(|t| t.get(&info.kind)).and_then(|t| KindCatalog::shared_version(info, t));
            shared.unwrap_or_else(|| info.storage_version.clone())
        };
        source.iter().map(|info| (info.kind.clone(), version(info))).collect()
    }

    /// An object of the source.
    pub fn object(&self, id: ObjectId) -> &Object {
        self.source.inventory.object(id)
    }

    /// The objects that get this verdict.
    pub fn with(&self, action: Action) -> impl Iterator<Item = (ObjectId, &Object)> {
        self.source.inventory.iter().filter(move |(id, _)| self.selection.action(*id) == action)
    }

    /// Objects to be staged, with their positions.
    pub fn staged_objects(&self) -> impl Iterator<Item = (ObjectId, &Object)> {
        self.staged.iter().map(|&id| (id, self.object(id)))
    }

    /// Kinds of the objects to be staged.
    pub fn staged_kinds(&self) -> BTreeSet<&GroupKind> {
        self.staged_objects().map(|(_, object)| &object.key.kind).collect()
    }

    /// Namespaces that staged objects live in.
    pub fn staged_namespaces(&self) -> BTreeSet<&str> {
        self.staged_objects().filter_map(|(_, object)| object.key.namespace.as_deref()).collect()
    }

    /// Where staged objects are, or will be, in the target. Who asked for all namespaces is spared one list for each.
    pub fn extent(&self) -> Extent {
        let kinds = self.staged_kinds().into_iter().cloned().collect();
        let namespaces = self.staged_namespaces().into_iter().map(str::to_owned).collect();
        Extent { kinds, namespaces: self.request.namespaces.is_some().then_some(namespaces) }
    }

    /// Everything that the pivot is going to ask of the API servers.
    pub fn permissions(&self) -> Vec<(Side, Permission)> {
        let mut needed = Vec::new();
        for kind in self.staged_kinds() {
            let Some(info) = self.source.inventory.kinds.get(kind) else { continue };
            let staged = self.staged_objects().filter(|(_, object)| object.key.kind == *kind);
            let namespaces: BTreeSet<_> = staged.map(|(_, object)| object.key.namespace.clone()).collect();
            let has_status = info.has_status_subresource(self.versions.get(kind).map_or("", String::as_str));
            for namespace in namespaces {
                let mut ask = |side, verb: &str, subresource: Option<&str>| {
                    let permission = Permission {
                        verb: verb.to_owned(),
                        group: info.kind.group.clone(),
                        resource: info.plural.clone(),
                        subresource: subresource.map(str::to_owned),
                        name: None,
                        namespace: namespace.clone(),
                    };
                    needed.push((side, permission));
                };
                for verb in ["get", "list", "watch", "patch", "delete"] {
                    ask(Side::Source, verb, None);
                }
                for verb in ["get", "list", "create", "update", "patch", "delete"] {
                    ask(Side::Target, verb, None);
                }
                if has_status {
                    ask(Side::Target, "update", Some("status"));
                }
            }
        }
        let missing = |ns: &&str| self.target.as_ref().is_some_and(|t| !t.namespaces.contains_key(*ns));
        if self.staged_namespaces().iter().any(missing) {
            let permission = Permission {
                verb: "create".to_owned(),
                group: String::new(),
                resource: "namespaces".to_owned(),
                subresource: None,
                name: None,
                namespace: None,
            };
            needed.push((Side::Target, permission));
        }
        needed
    }

    /// Runs the checks; `denied` is what of [`Self::permissions`] is not allowed.
    pub fn findings(&self, denied: &[(Side, Permission)]) -> Vec<Finding> {
        check::run(self, denied)
    }

    /// The plan for people and files.
    pub fn report(&self, tool: &str, findings: Vec<Finding>) -> PlanReport {
        let mut order: Vec<_> = self.source.inventory.iter().map(|(id, _)| id).collect();
        order.sort_by(|a, b| self.object(*a).key.cmp(&self.object(*b).key));
        let mut position = vec![0; order.len()];
        for (index, id) in order.iter().enumerate() {
            position[id.index()] = index;
        }
        let items = order.iter().map(|&id| self.item(id)).collect();
        let kinds = self.staged_kinds().into_iter().filter_map(|kind| {
            Some(PlanKind { kind: kind.clone(), version: self.versions.get(kind)?.clone() })
        });
        let links = self.links.links.iter().map(|link| PlanLink {
            from: position[link.dependent.index()],
            to: position[link.dependency.index()],
            rule: self.rules.rule(link.rule).name.clone(),
            role: match link.role {
                LinkRole::OwnerReference => PlanRole::Owner,
                LinkRole::Part => PlanRole::Part,
                LinkRole::Reference => PlanRole::Reference,
            },
        });
        PlanReport {
            format: FORMAT,
            tool: tool.to_owned(),
            source: ClusterIdentity {
                name: self.source.name.clone(),
                id: self.source.inventory.cluster_id.clone(),
            },
            target: self
                .target
                .as_ref()
                .map(|t| ClusterIdentity { name: t.name.clone(), id: t.inventory.cluster_id.clone() }),
            namespaces: self.request.namespaces.as_ref().map(|names| names.iter().cloned().collect()),
            clusters: self.request.clusters.iter().cloned().collect(),
            fence: PlanFence::of(self),
            ironic: self.plan_ironic(),
            kinds: kinds.collect(),
            links: links.collect(),
            items,
            findings,
            digest: Digest::of(b""),
        }
        .sealed()
    }

    fn item(&self, id: ObjectId) -> PlanItem {
        let object = self.object(id);
        let verdict = self.selection.verdict(id);
        PlanItem {
            key: object.key.clone(),
            uid: object.uid.clone(),
            action: verdict.action,
            reason: verdict.reason.to_string(),
            cluster: self.selection.cluster_of(id).map(|cluster| self.object(cluster).key.path()),
            content: declared_digest(&object.manifest),
        }
    }

    /// Objects that QUIESCE pauses: moved, pausable and not paused by the user already.
    pub fn to_pause(&self) -> impl Iterator<Item = (ObjectId, &Object, PauseField)> {
        self.with(Action::Move).filter_map(|(id, object)| {
            let field = PauseField::of(&object.key.kind)?;
            (!field.is_paused(&field.read(&object.manifest))).then_some((id, object, field))
        })
    }

    /// True where a kind is cluster-scoped in the source.
    pub fn is_cluster_scoped(&self, kind: &GroupKind) -> bool {
        self.source.inventory.kinds.get(kind).is_some_and(|info| info.scope == Scope::Cluster)
    }
}

impl SourceFacts {
    fn clone_without_inventory(&self) -> Self {
        Self {
            name: self.name.clone(),
            inventory: Inventory::default(),
            namespaces: self.namespaces.clone(),
            providers: self.providers.clone(),
            strays: self.strays.clone(),
            limited: self.limited.clone(),
            claim: self.claim.clone(),
            fence: self.fence.clone(),
        }
    }
}
