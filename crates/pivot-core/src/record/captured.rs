//! What a fence does to the managers of one cluster, written down before the first of it is done.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fence::captured_spec;
use crate::marks;
use crate::object::ObjectKey;

/// How a pivot ends for the managers of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is undone: everything is as it was.
    Undone,
    /// The target acts: the source's managers stay down, the target's run.
    Done,
}

/// What becomes of a Lease or Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// A leader lease that is ours while the fence stands. Whatever the end, it is given back, and nobody holds it.
    #[default]
    Lent,
    /// A manager of the source that elects no leader: it stands still from the fence on. Once the target acts it stays so.
    Stopped,
    /// A manager of the source that elects a leader: it goes on serving webhooks without leading. Once the target acts it is
    /// stopped.
    Dismissed {
        /// Its leader leases, by name.
        leases: Vec<String>,
    },
    /// A manager of the target that an earlier pivot stopped, and that elects a leader: it is started behind the fence, so that it
    /// serves webhooks, and leads once the target acts.
    Woken {
        /// Replicas that it had.
        replicas: i64,
    },
    /// A manager of the target that an earlier pivot stopped, and that elects no leader: it is started once the target acts.
    Started {
        /// Replicas that it had.
        replicas: i64,
    },
}

/// A Lease or Deployment that the fence has to do with, and the fields that were there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The Lease or Deployment.
    pub key: ObjectKey,
    /// Its `spec` fields that we change, as they were; `null` for those that were absent.
    pub original: Value,
    /// What becomes of it.
    #[serde(default)]
    pub part: Part,
    /// The order in which the target's are started: the lowest first.
    #[serde(default)]
    pub rank: u8,
}

impl Captured {
    /// True for a Lease, false for a Deployment.
    pub fn is_lease(&self) -> bool {
        self.part == Part::Lent
    }

    /// `spec` while the fence stands; `None` where the fence leaves it alone.
    pub fn held(&self, pivot_id: &str) -> Option<Value> {
        match self.part {
            Part::Lent => Some(captured_spec(pivot_id)),
            Part::Stopped => Some(json!({"replicas": 0})),
            Part::Woken { replicas } => Some(json!({"replicas": replicas})),
            Part::Dismissed { .. } | Part::Started { .. } => None,
        }
    }

    /// What `spec` has to say before it is brought to an end: what somebody else set meanwhile is left as it is (R5).
    pub fn expected(&self, pivot_id: &str) -> Value {
        self.held(pivot_id).unwrap_or_else(|| self.original.clone())
    }

    /// The patch that brings it to an end; `None` where nothing is to be done.
    pub fn ended(&self, ending: Ending) -> Option<Value> {
        match (&self.part, ending) {
            // Its former holder has left long since.
            (Part::Lent, _) => {
                let mut spec = self.original.clone();
                spec["holderIdentity"] = "".into();
                Some(json!({ "spec": spec }))
            }
            (Part::Stopped | Part::Woken { .. }, Ending::Undone) => Some(json!({"spec": self.original})),
            (Part::Dismissed { .. } | Part::Started { .. }, Ending::Undone) => None,
            (Part::Stopped, Ending::Done) => Some(self.asleep(&[])),
            (Part::Dismissed { leases }, Ending::Done) => Some(self.asleep(leases)),
            (Part::Woken { replicas } | Part::Started { replicas }, Ending::Done) => Some(json!({
                "metadata": {"annotations": {marks::REPLICAS: null, marks::LEASES: null}},
                "spec": {"replicas": replicas},
            })),
        }
    }

    /// Stopped, with what the pivot back has to know.
    fn asleep(&self, leases: &[String]) -> Value {
        let leases = (!leases.is_empty()).then(|| leases.join(","));
        json!({
            "metadata": {"annotations": {
                marks::REPLICAS: self.original["replicas"].to_string(),
                marks::LEASES: leases,
            }},
            "spec": {"replicas": 0},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::GroupKind;

    fn deployment(replicas: i64, part: Part) -> Captured {
        let key = ObjectKey::new(GroupKind::new("apps", "Deployment"), Some("a"), "m");
        Captured { key, original: json!({"replicas": replicas}), part, rank: 0 }
    }

    #[test]
    fn an_undone_pivot_leaves_every_manager_as_it_was() {
        let undone = |captured: &Captured| captured.ended(Ending::Undone);
        assert_eq!(undone(&deployment(2, Part::Stopped)), Some(json!({"spec": {"replicas": 2}})));
        assert_eq!(
            undone(&deployment(0, Part::Woken { replicas: 2 })),
            Some(json!({"spec": {"replicas": 0}}))
        );
        for untouched in [
            deployment(2, Part::Dismissed { leases: vec!["e".to_owned()] }),
            deployment(0, Part::Started { replicas: 2 }),
        ] {
            assert_eq!((untouched.held("p"), undone(&untouched)), (None, None));
        }
    }

    #[test]
    fn what_is_put_to_sleep_can_be_woken() {
        let done = |captured: &Captured| captured.ended(Ending::Done).unwrap();
        let dismissed =
            done(&deployment(2, Part::Dismissed { leases: vec!["e".to_owned(), "f".to_owned()] }));
        assert_eq!(
            dismissed,
            json!({"metadata": {"annotations": {"pivot.metal3.io/replicas": "2", "pivot.metal3.io/leases": "e,f"}},
                "spec": {"replicas": 0}})
        );
        let woken = done(&deployment(0, Part::Woken { replicas: 2 }));
        assert_eq!(
            woken,
            json!({"metadata": {"annotations": {"pivot.metal3.io/replicas": null, "pivot.metal3.io/leases": null}},
                "spec": {"replicas": 2}})
        );
        assert_eq!(done(&deployment(0, Part::Started { replicas: 2 })), woken);
    }
}
