//! What pivots leave of their own in a cluster.

use pivot_core::object::Manifest;
use pivot_core::record::{Document, NAMESPACE, Ownership, PivotRecord, Standing, State};
use pivot_testbed::Result;
use pivot_testbed::client::PlaneClient;
use pivot_testbed::kind::Gvk;
use serde_json::Value;

const ADMISSION: &str = "admissionregistration.k8s.io";

/// What one cluster keeps of one pivot, and of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Whether the namespace of the records is there to stay.
    pub(crate) namespace: bool,
    pub(crate) ownership: Option<(Standing, u64)>,
    pub(crate) record: Option<State>,
    /// Whether any pivot that it takes part in is not finished.
    pub(crate) open: bool,
    /// Policies, bindings, chunks of a snapshot, the Lease of whoever drives.
    pub(crate) rest: Vec<String>,
}

fn read<T: Document>(object: &Value) -> T {
    T::from_object(&Manifest::new(object.clone())).unwrap()
}

impl Kept {
    pub(crate) async fn of(client: &PlaneClient, id: &str) -> Result<Self> {
        let policy = Gvk::new(ADMISSION, "v1", "ValidatingAdmissionPolicy");
        let binding = Gvk::new(ADMISSION, "v1", "ValidatingAdmissionPolicyBinding");
        let lease = Gvk::new("coordination.k8s.io", "v1", "Lease");
        let (namespace, maps, secrets, leases, policies, bindings) = tokio::try_join!(
            client.get(Gvk::NAMESPACE, None, NAMESPACE),
            client.list(Gvk::CONFIG_MAP, Some(NAMESPACE)),
            client.list(Gvk::SECRET, Some(NAMESPACE)),
            client.list(&lease, Some(NAMESPACE)),
            client.list(&policy, None),
            client.list(&binding, None),
        )?;
        let named = |name: &str| maps.iter().find(|map| map["metadata"]["name"] == name);
        let ownership: Option<Ownership> = named("ownership").map(read);
        let record: Option<PivotRecord> = named(&format!("pivot-{id}")).map(read);
        let others = secrets.iter().chain(&leases).chain(&policies).chain(&bindings);
        let is_ours = |name: &str| name == "pivotctl" || name.contains(id);
        let mut rest: Vec<String> = others
            .filter(|object| object["metadata"]["name"].as_str().is_some_and(is_ours))
            .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]))
            .collect();
        rest.sort();
        let standing = ownership.as_ref().map(|ownership| ownership.standing);
        Ok(Self {
            open: matches!(standing, Some(Standing::HandingOver | Standing::Receiving))
                || record.as_ref().is_some_and(|record| !record.state.is_closed()),
            namespace: namespace.is_some_and(|ns| ns["metadata"].get("deletionTimestamp").is_none()),
            ownership: ownership.map(|ownership| (ownership.standing, ownership.epoch)),
            record: record.map(|record| record.state),
            rest,
        })
    }

    fn standing(&self) -> Option<Standing> {
        self.ownership.map(|(standing, _)| standing)
    }

    fn epoch(&self) -> u64 {
        self.ownership.map_or(0, |(_, epoch)| epoch)
    }
}

/// What source and target keep.
pub(crate) type BothKept = [Kept; 2];

/// B: both remember that the pivot went through, at the next epoch, and nothing else is left of it.
pub(crate) fn assert_history_of_done(before: &BothKept, after: &BothKept) {
    let epoch = before.iter().map(Kept::epoch).max().unwrap() + 1;
    let expected = |standing| Kept {
        namespace: true,
        open: false,
        ownership: Some((standing, epoch)),
        record: Some(State::Finished),
        rest: Vec::new(),
    };
    assert_eq!(*after, [expected(Standing::Retired), expected(Standing::Active)]);
}

/// A: the source remembers that the pivot was undone, and the target is what it was. What the source is called depends on whether the
/// pivot came so far as to change that.
pub(crate) fn assert_history_of_undone(before: &BothKept, after: &BothKept) {
    let [source, target] = after;
    let standing = source.standing();
    assert!(
        standing == before[0].standing() || standing == Some(Standing::Active),
        "{before:?} > {source:?}"
    );
    assert_eq!((source.record, source.rest.as_slice()), (Some(State::Aborted), [].as_slice()), "{source:?}");
    let was = &before[1];
    assert_eq!(
        (target.namespace, target.standing()),
        (was.namespace, was.standing()),
        "{was:?} > {target:?}"
    );
    assert_eq!((target.record, target.rest.as_slice()), (None, [].as_slice()), "{target:?}");
}
