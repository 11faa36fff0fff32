//! What a pivot leaves of its own in the two clusters.

use pivot_core::object::Manifest;
use pivot_core::record::{Document, NAMESPACE, Ownership, PivotRecord, Standing, State};
use pivot_testbed::dump::Key;
use pivot_testbed::kind::Gvk;
use serde_json::Value;

use crate::scene::{PIVOT, Ran, Scene, Where};

/// True for what the tool keeps for itself: the namespace of the records with all that is in it, and the fence.
pub(crate) fn is_of_records(key: &Key) -> bool {
    key.namespace == NAMESPACE
        || (key.kind == "Namespace" && key.name == NAMESPACE)
        || (key.kind.starts_with("ValidatingAdmissionPolicy") && key.name.starts_with("pivotctl-"))
}

/// Everything of that kind in one cluster, in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) ownership: Option<(Standing, u64)>,
    pub(crate) record: Option<State>,
    /// Whatever else: Leases, chunks, policies, the namespace itself where nothing is in it.
    pub(crate) rest: Vec<String>,
}

impl Kept {
    fn history(standing: Standing, state: State) -> Self {
        Self { ownership: Some((standing, 1)), record: Some(state), rest: Vec::new() }
    }
}

fn read<T: Document>(object: &Value) -> T {
    T::from_object(&Manifest::new(object.clone())).unwrap()
}

impl Scene {
    pub(crate) fn kept(&self, side: Where) -> Kept {
        let mut kept = Kept::default();
        for (key, object) in self.server(side).dump() {
            if !is_of_records(&key) {
                continue;
            }
            match (key.kind.as_str(), key.name.as_str()) {
                ("ConfigMap", "ownership") => {
                    let ownership: Ownership = read(&object);
                    kept.ownership = Some((ownership.standing, ownership.epoch));
                }
                ("ConfigMap", name) if name == format!("pivot-{PIVOT}") => {
                    kept.record = Some(read::<PivotRecord>(&object).state);
                }
                _ => kept.rest.push(key.to_string()),
            }
        }
        let namespace = Key::new(Gvk::NAMESPACE, "", NAMESPACE).to_string();
        if kept.ownership.is_some() || kept.record.is_some() {
            kept.rest.retain(|what| *what != namespace);
        }
        kept
    }

    /// A: the source remembers that it was undone, and the target nothing. Whether the source ever said that it takes part depends on
    /// how far the pivot came.
    pub(crate) fn assert_history_of_undone(&self, ran: &Ran, what: &str) {
        let undone = Kept::history(Standing::Active, State::Aborted);
        let ownership = self.kept(Where::Source).ownership.and(undone.ownership);
        self.assert_history(ran, what, [Kept { ownership, ..undone }, Kept::default()]);
    }

    /// B: both remember that it went through.
    pub(crate) fn assert_history_of_moved(&self, ran: &Ran, what: &str) {
        let source = Kept::history(Standing::Retired, State::Finished);
        self.assert_history(ran, what, [source, Kept::history(Standing::Active, State::Finished)]);
    }

    fn assert_history(&self, ran: &Ran, what: &str, expected: [Kept; 2]) {
        self.source.gc();
        self.target.gc();
        for (side, expected) in Where::BOTH.into_iter().zip(expected) {
            let kept = self.kept(side);
            // A Lease that could not be given back runs out by itself, and that is told.
            if !ran.warnings().iter().any(|warning| warning.contains("left in")) {
                assert_eq!(kept, expected, "{what}: what the {} keeps", side.name());
            }
        }
    }
}
