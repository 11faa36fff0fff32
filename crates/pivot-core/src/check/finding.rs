//! What a check found: a stable id, the object, what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::ObjectKey;

/// Defines the check ids once: variant, id, category, what it is about.
macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $variant:ident = $id:literal in $category:ident;)+) => {
        /// Stable id of a check. Each has a page in the book.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum CheckId {
            $($(#[doc = $doc])+ #[serde(rename = $id)] $variant,)+
        }

        impl CheckId {
            /// Every check, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The id as printed.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// The category under which it is shown.
            pub fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category,)+ }
            }

            /// What the check is about, in one sentence.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

/// Group of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// The two clusters.
    Clusters,
    /// What the user may do.
    Permissions,
    /// Whether the full fence can be raised.
    Fence,
    /// What is to move.
    Objects,
    /// Whether machines and hosts stand still.
    Steadiness,
    /// Whether Ironic can be handed over.
    Ironic,
    /// Whether the provisioning network has room for one Ironic at a time.
    Network,
    /// Whether the target can take it.
    Target,
}

impl Category {
    /// All categories, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Clusters,
        Self::Permissions,
        Self::Fence,
        Self::Objects,
        Self::Steadiness,
        Self::Ironic,
        Self::Network,
        Self::Target,
    ];

    /// Heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Clusters => "clusters",
            Self::Permissions => "permissions",
            Self::Fence => "fence",
            Self::Objects => "objects",
            Self::Steadiness => "steadiness",
            Self::Ironic => "ironic",
            Self::Network => "network",
            Self::Target => "target",
        }
    }

    /// True where the check needs no target (`check --pre`).
    pub fn source_alone(self) -> bool {
        matches!(self, Self::Fence | Self::Objects | Self::Steadiness)
    }
}

checks! {
    /// Source and target are two clusters.
    SameCluster = "same-cluster" in Clusters;
    /// Neither cluster takes part in another pivot that is not finished.
    OpenPivot = "open-pivot" in Clusters;
    /// The records of earlier pivots can be read.
    RecordUnreadable = "record-unreadable" in Clusters;
    /// Both clusters store Cluster API objects at a version of one contract.
    ContractDiffers = "contract-differs" in Clusters;
    /// The target has every provider of the source, at the same or a newer version.
    ProviderMissing = "provider-missing" in Clusters;
    /// The target's providers are not older than the source's.
    ProviderOlder = "provider-older" in Clusters;
    /// The user may do on the source what the pivot does there.
    SourcePermission = "source-permission" in Permissions;
    /// The user may do on the target what the pivot does there.
    TargetPermission = "target-permission" in Permissions;
    /// Objects could be listed everywhere, so that sharing across namespaces is seen.
    LimitedView = "limited-view" in Permissions;
    /// Where the full fence is asked for, the clusters serve what it takes.
    FenceUnsupported = "fence-unsupported" in Fence;
    /// Where the full fence is asked for, the user may raise it.
    FencePermission = "fence-permission" in Fence;
    /// Where the full fence is asked for, no other pivot's stands.
    FenceLeftBehind = "fence-left-behind" in Fence;
    /// Nothing starts the controllers again that the pivot stops.
    ControllerRescaled = "controller-rescaled" in Fence;
    /// There is something to move.
    NothingToMove = "nothing-to-move" in Objects;
    /// The Clusters named by --filter-cluster exist.
    ClusterNotFound = "cluster-not-found" in Objects;
    /// No object that moves is being deleted.
    ObjectTerminating = "object-terminating" in Objects;
    /// No object that stays belongs to one that leaves.
    DependentStays = "dependent-stays" in Objects;
    /// Nothing that acts is shared between what moves and what stays.
    SharedObject = "shared-object" in Objects;
    /// Every owner of an object that moves goes with it.
    OwnerNotCarried = "owner-not-carried" in Objects;
    /// Every object that is named exists.
    ReferenceMissing = "reference-missing" in Objects;
    /// Nothing that stays needs an object that leaves.
    UserStays = "user-stays" in Objects;
    /// Objects keep within the limits of the API server.
    ObjectTooLarge = "object-too-large" in Objects;
    /// Clusters that are paused already stay paused after the pivot.
    AlreadyPaused = "already-paused" in Steadiness;
    /// Clusters and Machines have finished provisioning.
    ProvisioningIncomplete = "provisioning-incomplete" in Steadiness;
    /// No host is in the middle of an operation.
    HostNotSteady = "host-not-steady" in Steadiness;
    /// No Machines are being replaced, added or removed.
    RolloutInProgress = "rollout-in-progress" in Steadiness;
    /// Nothing is being remediated.
    RemediationInProgress = "remediation-in-progress" in Steadiness;
    /// No object asks to be left where it is.
    MoveBlocked = "move-blocked" in Steadiness;
    /// Ironic is where it was said to be, and can be looked at.
    IronicMissing = "ironic-missing" in Ironic;
    /// Where Ironic runs in the source, the target has one that can take its place.
    IronicTarget = "ironic-target" in Ironic;
    /// Ironic runs on one side alone.
    IronicTwice = "ironic-twice" in Ironic;
    /// Ironic can be stopped, and started again.
    IronicKept = "ironic-kept" in Ironic;
    /// Ironic goes along only with every host of the source.
    IronicNeeded = "ironic-needed" in Ironic;
    /// Every line of the lease file is a lease.
    LeaseMalformed = "lease-malformed" in Ironic;
    /// The newest leases can be read.
    LeasesUnread = "leases-unread" in Ironic;
    /// The target's interface to the provisioning network has a static address.
    StaticAddress = "static-address" in Network;
    /// No other DHCP server answers on the provisioning network.
    DhcpSecond = "dhcp-second" in Network;
    /// The target serves every kind that moves.
    KindMissing = "kind-missing" in Target;
    /// The target serves a version of every kind that the source serves too.
    VersionMissing = "version-missing" in Target;
    /// The target keeps every field.
    WouldPrune = "would-prune" in Target;
    /// The names are free in the target.
    TargetConflict = "target-conflict" in Target;
    /// Shared objects that exist in the target already are equal there.
    CopyDiffers = "copy-differs" in Target;
    /// Where hosts carry their status in an annotation, it can be read.
    StatusAnnotation = "status-annotation" in Target;
    /// No namespace in the target is being deleted.
    NamespaceTerminating = "namespace-terminating" in Target;
    /// The quotas of the target's namespaces leave room.
    QuotaExceeded = "quota-exceeded" in Target;
}

impl CheckId {
    /// True where what was found may end by itself, so that it pays to wait. A rollout, say, deletes Machines.
    pub fn may_pass(self) -> bool {
        self.category() == Category::Steadiness || self == Self::ObjectTerminating
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The pivot is refused.
    Error,
    /// The pivot goes on; the user should know.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check that found it.
    pub id: CheckId,
    /// How bad it is.
    pub severity: Severity,
    /// The object it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub object: Option<ObjectKey>,
    /// What is so; never a value of a Secret.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Finding {
    /// A finding that refuses the pivot.
    pub fn error(
        id: CheckId,
        object: Option<&ObjectKey>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            id,
            severity: Severity::Error,
            object: object.cloned(),
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// A finding that does not.
    pub fn warning(
        id: CheckId,
        object: Option<&ObjectKey>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(id, object, message, hint) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", self.id)?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_category_is_used() {
        let mut ids: Vec<_> = CheckId::ALL.iter().map(|id| id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), CheckId::ALL.len());
        for category in Category::ALL {
            assert!(CheckId::ALL.iter().any(|id| id.category() == category), "{}", category.title());
        }
    }
}
