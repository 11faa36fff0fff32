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

    /// The patch that takes it; `None` where the fence leaves it alone.
    pub fn held(&self, pivot_id: &str) -> Option<Value> {
        let by_us = |replicas: i64| {
            let annotations = json!({marks::HELD_BY: pivot_id});
            json!({"metadata": {"annotations": annotations}, "spec": {"replicas": replicas}})
        };
        match self.part {
            Part::Lent => Some(json!({"spec": captured_spec(pivot_id)})),
            Part::Stopped => Some(by_us(0)),
            Part::Woken { replicas } => Some(by_us(replicas)),
            Part::Dismissed { .. } | Part::Started { .. } => None,
        }
    }

    /// What it has to say before it is brought to an end: what somebody else set meanwhile is left as it is (R5), and so is what another
    /// pivot holds.
    pub fn expected(&self, pivot_id: &str) -> Value {
        self.held(pivot_id).unwrap_or_else(|| json!({"spec": self.original}))
    }

    /// The patch that brings it to an end; `None` where nothing is to be done.
    pub fn ended(&self, ending: Ending) -> Option<Value> {
        let let_go =
            |spec: Value| Some(json!({"metadata": {"annotations": {marks::HELD_BY: null}}, "spec": spec}));
        match (&self.part, ending) {
            // Its former holder has left long since.
            (Part::Lent, _) => {
                let mut spec = self.original.clone();
                spec["holderIdentity"] = "".into();
                Some(json!({ "spec": spec }))
            }
            (Part::Stopped, Ending::Undone) => let_go(self.original.clone()),
            // Whatever it was seen at: another pivot may have had it awake, and have been undone since.
            (Part::Woken { .. }, Ending::Undone) => let_go(json!({"replicas": 0})),
            (Part::Dismissed { .. } | Part::Started { .. }, Ending::Undone) => None,
            (Part::Stopped, Ending::Done) => Some(self.asleep(&[])),
            (Part::Dismissed { leases }, Ending::Done) => Some(self.asleep(leases)),
            (Part::Woken { replicas } | Part::Started { replicas }, Ending::Done) => {
                let annotations = json!({marks::HELD_BY: null, marks::REPLICAS: null, marks::LEASES: null});
                Some(json!({"metadata": {"annotations": annotations}, "spec": {"replicas": replicas}}))
            }
        }
    }

    /// Stopped, with what the pivot back has to know.
    fn asleep(&self, leases: &[String]) -> Value {
        let annotations = json!({
            marks::HELD_BY: null,
            marks::REPLICAS: self.original["replicas"].to_string(),
            marks::LEASES: (!leases.is_empty()).then(|| leases.join(",")),
        });
        json!({"metadata": {"annotations": annotations}, "spec": {"replicas": 0}})
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

    fn replicas(patch: Option<Value>) -> Option<Value> {
        patch.map(|patch| patch["spec"]["replicas"].clone())
    }

    #[test]
    fn an_undone_pivot_leaves_every_manager_as_it_was() {
        let undone = |captured: &Captured| captured.ended(Ending::Undone);
        assert_eq!(replicas(undone(&deployment(2, Part::Stopped))), Some(2.into()));
        assert_eq!(replicas(undone(&deployment(0, Part::Woken { replicas: 2 }))), Some(0.into()));
        for untouched in [
            deployment(2, Part::Dismissed { leases: vec!["e".to_owned()] }),
            deployment(0, Part::Started { replicas: 2 }),
        ] {
            assert_eq!((untouched.held("p"), undone(&untouched)), (None, None));
        }
    }

    #[test]
    fn what_is_held_says_by_whom() {
        for part in [Part::Stopped, Part::Woken { replicas: 2 }] {
            let held = deployment(2, part);
            let holder = |patch: &Value| patch["metadata"]["annotations"]["pivot.metal3.io/held-by"].clone();
            assert_eq!(holder(&held.expected("p")), "p");
            for ending in [Ending::Undone, Ending::Done] {
                let patch = held.ended(ending).unwrap();
                assert!(patch["metadata"]["annotations"].as_object().unwrap().contains_key(marks::HELD_BY));
                assert_eq!(holder(&patch), Value::Null);
            }
        }
    }

    #[test]
    fn what_is_put_to_sleep_can_be_woken() {
        let done = |captured: &Captured| captured.ended(Ending::Done).unwrap();
        let dismissed =
            done(&deployment(2, Part::Dismissed { leases: vec!["e".to_owned(), "f".to_owned()] }));
        let notes = &dismissed["metadata"]["annotations"];
        assert_eq!((&notes[marks::REPLICAS], &notes[marks::LEASES]), (&"2".into(), &"e,f".into()));
        assert_eq!(dismissed["spec"], json!({"replicas": 0}));
        let woken = done(&deployment(0, Part::Woken { replicas: 2 }));
        let notes = &woken["metadata"]["annotations"];
        assert_eq!((&notes[marks::REPLICAS], &notes[marks::LEASES]), (&Value::Null, &Value::Null));
        assert_eq!(woken["spec"], json!({"replicas": 2}));
        assert_eq!(done(&deployment(0, Part::Started { replicas: 2 })), woken);
    }
}
