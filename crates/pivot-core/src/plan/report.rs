//! The plan as people and files see it: every object found, its verdict and the reason, and what the checks say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fence::PlanFence;
use super::ironic::PlanIronic;
use crate::check::{Finding, Severity};
use crate::digest::Digest;
use crate::kind::GroupKind;
use crate::object::{ObjectKey, Uid};
use crate::select::Action;

/// Version of the plan file's format.
pub const FORMAT: u32 = 1;

/// One side of a pivot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterIdentity {
    /// Name for people: the kubeconfig context.
    pub name: String,
    /// UID of the namespace `kube-system`.
    pub id: String,
}

/// One object of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanItem {
    /// The object.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// Its instance in the source.
    pub uid: Uid,
    /// What happens to it.
    pub action: Action,
    /// Why.
    pub reason: String,
    /// `namespace/name` of the Cluster it is shown under.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cluster: Option<String>,
    /// What it says (for Secrets: which revision it is, so that no value can be guessed from the file).
    pub content: Digest,
}

/// A kind that takes part, and the version in which it is read and written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanKind {
    /// The kind.
    pub kind: GroupKind,
    /// The version both sides serve.
    pub version: String,
}

/// What a link means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanRole {
    /// A real owner reference.
    Owner,
    /// Belongs by name, label or spec.
    Part,
    /// Needs.
    Reference,
}

/// A link between two items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLink {
    /// Index of the dependent item.
    pub from: usize,
    /// Index of the item it depends on.
    pub to: usize,
    /// Name of the link rule.
    pub rule: String,
    /// What it means.
    pub role: PlanRole,
}

/// A plan: all that a pivot will do, decided before anything is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReport {
    /// Format version, [`FORMAT`].
    pub format: u32,
    /// Version of the tool that made it.
    pub tool: String,
    /// The source.
    pub source: ClusterIdentity,
    /// The target; absent where none was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<ClusterIdentity>,
    /// Namespaces selected; absent for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespaces: Option<Vec<String>>,
    /// Clusters selected by `--filter-cluster`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub clusters: Vec<String>,
    /// How others are kept from acting.
    #[serde(default)]
    pub fence: PlanFence,
    /// What is done with Ironic; absent where it is left alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ironic: Option<PlanIronic>,
    /// Kinds that take part in the move.
    pub kinds: Vec<PlanKind>,
    /// Every object found, in the order of kind and name.
    pub items: Vec<PlanItem>,
    /// Links between the items.
    pub links: Vec<PlanLink>,
    /// What the checks say.
    pub findings: Vec<Finding>,
    /// Digest over sides, selection, kinds and items: two plans with equal digests do the same.
    pub digest: Digest,
}

/// Numbers of the summary line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Objects to move.
    pub moved: usize,
    /// Objects to copy.
    pub copied: usize,
    /// Objects that stay.
    pub kept: usize,
    /// Objects that never move.
    pub skipped: usize,
    /// Findings that refuse the pivot.
    pub errors: usize,
    /// Findings that do not.
    pub warnings: usize,
}

/// A difference between a saved plan and the clusters as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Drift {
    /// Another source or target.
    Side {
        /// `source` or `target`.
        side: &'static str,
        /// Identity in the saved plan.
        planned: String,
        /// Identity now.
        found: String,
    },
    /// Namespaces, clusters or kinds differ.
    Selection,
    /// The object was not there.
    Appeared(ObjectKey),
    /// The object is gone.
    Gone(ObjectKey),
    /// Another instance of the same name.
    Replaced(ObjectKey),
    /// The object says something else.
    Changed(ObjectKey),
    /// The verdict is another one.
    Verdict(ObjectKey),
}

/// A plan file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// Not JSON of this shape.
    #[error("not a plan file: {0}")]
    Format(#[from] serde_json::Error),
    /// A format this version does not know.
    #[error("the plan file has format {found}; this version reads format {FORMAT}")]
    Version {
        /// Format of the file.
        found: u32,
    },
    /// The content does not match its digest.
    #[error("the plan file was changed after it was written: its digest does not match")]
    Damaged,
}

impl PlanReport {
    /// Computes the digest over everything but findings and the tool's version.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.digest = self.compute_digest();
        self
    }

    fn compute_digest(&self) -> Digest {
        let basis = serde_json::json!({
            "source": self.source.id, "target": self.target.as_ref().map(|t| &t.id), "namespaces": self.namespaces,
            "clusters": self.clusters, "kinds": self.kinds, "items": self.items,
        });
        Digest::of(basis.to_string().as_bytes())
    }

    /// Numbers for the summary line.
    pub fn counts(&self) -> Counts {
        let count = |action| self.items.iter().filter(|item| item.action == action).count();
        let findings = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        Counts {
            moved: count(Action::Move),
            copied: count(Action::Copy),
            kept: count(Action::Keep),
            skipped: count(Action::Skip),
            errors: findings(Severity::Error),
            warnings: findings(Severity::Warning),
        }
    }

    /// Findings that refuse the pivot.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }

    /// Reads a plan file.
    pub fn read(text: &str) -> Result<Self, PlanFileError> {
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }
        let header: Header = serde_json::from_str(text)?;
        if header.format != FORMAT {
            return Err(PlanFileError::Version { found: header.format });
        }
        let plan: Self = serde_json::from_str(text)?;
        if plan.compute_digest() != plan.digest {
            return Err(PlanFileError::Damaged);
        }
        Ok(plan)
    }

    /// What differs between this plan and one made now. Only objects that this or the other plan moves or copies count.
    pub fn drift(&self, now: &Self) -> Vec<Drift> {
        let mut drift = Vec::new();
        let target = |plan: &Self| plan.target.as_ref().map(|t| t.id.clone()).unwrap_or_default();
        for (side, planned, found) in
            [("source", self.source.id.clone(), now.source.id.clone()), ("target", target(self), target(now))]
        {
            if planned != found {
                drift.push(Drift::Side { side, planned, found });
            }
        }
        if (&self.namespaces, &self.clusters, &self.kinds) != (&now.namespaces, &now.clusters, &now.kinds) {
            drift.push(Drift::Selection);
        }
        let taken = |plan: &Self| -> BTreeMap<ObjectKey, PlanItem> {
            let staged = plan.items.iter().filter(|item| matches!(item.action, Action::Move | Action::Copy));
            staged.map(|item| (item.key.clone(), item.clone())).collect()
        };
        let (then, now) = (taken(self), taken(now));
        for (key, item) in &then {
            match now.get(key) {
                None => drift.push(Drift::Gone(key.clone())),
                Some(found) if found.uid != item.uid => drift.push(Drift::Replaced(key.clone())),
                Some(found) if found.action != item.action => drift.push(Drift::Verdict(key.clone())),
                Some(found) if found.content != item.content => drift.push(Drift::Changed(key.clone())),
                Some(_) => {}
            }
        }
        drift.extend(now.keys().filter(|key| !then.contains_key(key)).cloned().map(Drift::Appeared));
        drift
    }
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Side { side, planned, found } => {
                write!(f, "the {side} is cluster {found}, planned was {planned}")
            }
            Self::Selection => f.write_str("namespaces, clusters or kinds are selected differently"),
            Self::Appeared(key) => write!(f, "{key} appeared"),
            Self::Gone(key) => write!(f, "{key} is gone or no longer moves"),
            Self::Replaced(key) => write!(f, "{key} was deleted and created again"),
            Self::Changed(key) => write!(f, "{key} changed"),
            Self::Verdict(key) => write!(f, "{key} gets another verdict"),
        }
    }
}
