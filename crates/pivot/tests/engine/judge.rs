//! What must hold at each end.

use std::collections::BTreeMap;

use pivot::recover::RecoverError;
use pivot_core::machine::{Active, End};
use pivot_core::record::{NoCourse, State, Verb as Wish};
use pivot_testbed::dump::{Dump, Key};
use pivot_testbed::fake::{Outcome, Verb};
use serde_json::Value;

use crate::scene::{PIVOT, Ran, Recovered, Scene, Where, key_of};

const HOST_PAUSED: &str = "baremetalhost.metal3.io/paused";

/// What an object says, whichever cluster it is in: owners by name, observed generations as a relation.
fn content(object: &Value) -> Value {
    let mut object = object.clone();
    // What the pause and its end make of a Cluster's generation only its controller can observe.
    let generation = object["metadata"]["generation"].as_i64().filter(|_| object["kind"] != "Cluster");
    if let Some(status) = object.get_mut("status") {
        relate(status, generation);
    }
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.starts_with("pivot.metal3.io/"));
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    for owner in object["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
        owner.as_object_mut().unwrap().remove("uid");
    }
    without_nulls(&mut object["metadata"]);
    object
}

fn relate(status: &mut Value, generation: Option<i64>) {
    match status {
        Value::Object(fields) => {
            if let Some(observed) = fields.remove("observedGeneration").and_then(|value| value.as_i64())
                && generation.is_some_and(|generation| observed >= generation)
            {
                fields.insert("observedGeneration".to_owned(), "current".into());
            }
            fields.values_mut().for_each(|field| relate(field, generation));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| relate(item, generation)),
        _ => {}
    }
}

fn without_nulls(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
}

/// The same without the pause.
fn unpaused_content(object: &Value) -> Value {
    let mut object = content(object);
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("paused");
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove(HOST_PAUSED);
        if annotations.is_empty() {
            object["metadata"]["annotations"] = Value::Null;
        }
    }
    without_nulls(&mut object["metadata"]);
    without_nulls(&mut object);
    object
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// The source as a rollback leaves it: the same instances that say the same.
fn as_instances(dump: &Dump) -> BTreeMap<Key, (String, Value)> {
    dump.iter()
        .map(|(key, object)| {
            let mut said = object.clone();
            for field in ["resourceVersion", "generation", "managedFields"] {
                said["metadata"].as_object_mut().unwrap().remove(field);
            }
            (key.clone(), (uid(object).to_owned(), said))
        })
        .collect()
}

impl Scene {
    /// A: the source as it was, and the target too.
    pub(crate) fn assert_undone(&self, what: &str) {
        let (source, target) = self.dumps();
        let (before, after) = (as_instances(&self.source_before), as_instances(&source));
        for key in before.keys().chain(after.keys()) {
            assert_eq!(after.get(key), before.get(key), "{what}: {key} of the source");
        }
        let changes: Vec<_> = self.target_before.diff(&target).iter().map(ToString::to_string).collect();
        assert!(changes.is_empty(), "{what}: the target: {changes:?}");
    }

    /// B: what moved is in the target and says the same, and is gone from the source; nobody else was touched.
    pub(crate) fn assert_moved(&self, what: &str) {
        self.assert_complete(what);
        let (source, _) = self.dumps();
        let stays = self.source_before.filter(|key| !self.moving.contains(key));
        let changes: Vec<_> = stays.diff(&source).iter().map(ToString::to_string).collect();
        assert!(changes.is_empty(), "{what}: the source: {changes:?}");
        for (key, times) in self.created() {
            assert_eq!(times, 1, "{what}: {key} was created more than once");
        }
    }

    /// The target has everything that moves, and says the same.
    pub(crate) fn assert_complete(&self, what: &str) {
        let (_, target) = self.dumps();
        for key in &self.moving {
            let there = target.get(key).unwrap_or_else(|| panic!("{what}: {key} is not in the target"));
            let before = self.source_before.get(key).unwrap();
            assert_eq!(content(there), content(before), "{what}: {key}");
            assert_eq!(
                there["metadata"]["annotations"]["pivot.metal3.io/pivoted-ready"], PIVOT,
                "{what}: {key}"
            );
        }
        let dangling = target.dangling_owners();
        assert!(dangling.is_empty(), "{what}: {dangling:?}");
        let namespaces = |key: &Key| key.kind == "Namespace";
        let rest = target.filter(|key| !self.moving.contains(key));
        let kept = rest.filter(|key| !namespaces(key) || self.target_before.get(key).is_some());
        let changes: Vec<_> = self.target_before.diff(&kept).iter().map(ToString::to_string).collect();
        assert!(changes.is_empty(), "{what}: the target: {changes:?}");
    }

    /// As [`assert_undone`](Self::assert_undone) of the source, but for an object that somebody else changed.
    pub(crate) fn assert_source_whole_but(&self, changed: &Key) {
        let source: Dump = self.source.dump().into_values().collect();
        let (before, after) = (as_instances(&self.source_before), as_instances(&source));
        for key in before.keys().filter(|key| *key != changed) {
            assert_eq!(after.get(key), before.get(key), "{key} of the source");
        }
    }

    /// Before the decision: everything is in the source, of which nothing but the pause may have changed.
    pub(crate) fn assert_source_whole(&self, what: &str) {
        let source: Dump = self.source.dump().into_values().collect();
        for (key, before) in self.source_before.iter() {
            let now = source.get(key).unwrap_or_else(|| panic!("{what}: {key} is gone from the source"));
            assert_eq!(uid(now), uid(before), "{what}: {key}");
            assert_eq!(unpaused_content(now), unpaused_content(before), "{what}: {key}");
        }
    }

    /// After the decision: everything is in the target, though perhaps still paused.
    pub(crate) fn assert_target_whole(&self, what: &str) {
        for key in &self.moving {
            let there = self.target.get(key).unwrap_or_else(|| panic!("{what}: {key} is not in the target"));
            let before = self.source_before.get(key).unwrap();
            assert_eq!(unpaused_content(&there), unpaused_content(before), "{what}: {key}");
        }
    }

    /// What each end promises.
    pub(crate) fn judge(&self, ran: &Ran, what: &str) {
        match &ran.end {
            End::Done { moved, copied } => {
                assert_eq!((*moved, *copied), (self.moving.len(), 0), "{what}");
                self.assert_moved(what);
                self.assert_history_of_moved(ran, what);
            }
            End::RolledBack { .. } => {
                self.assert_undone(what);
                self.assert_history_of_undone(ran, what);
            }
            End::CleanupPending { .. } => self.assert_complete(what),
            end if self.is_decided(end) => self.assert_target_whole(what),
            End::Suspended { .. } | End::InDoubt { .. } => self.assert_source_whole(what),
            End::Failed { .. } => self.assert_untouched(what),
        }
        self.assert_nothing_tried_blindly(what);
    }

    /// True from the commit on, whatever the end knows of it.
    fn is_decided(&self, end: &End) -> bool {
        end.active() == Active::Target
            || matches!(self.kept(Where::Target).record, Some(State::Committed | State::Finished))
    }

    /// Nothing was written to what anybody else owns.
    fn assert_untouched(&self, what: &str) {
        let (source, target) = self.dumps();
        for (before, after) in [(&self.source_before, source), (&self.target_before, target)] {
            let changes: Vec<_> = before.diff(&after).iter().map(ToString::to_string).collect();
            assert!(changes.is_empty(), "{what}: {changes:?}");
        }
    }

    /// Another process takes the pivot up where it was left: it must come to one of the two good ends, and to the one that was asked
    /// for unless the pivot was decided already.
    pub(crate) async fn settle(&self, wish: Wish, what: &str) {
        let what = format!("{what}, then {wish:?}");
        let recovered = match self.recover(wish).await {
            Err(RecoverError::NoCourse { reason: NoCourse::Decided, .. }) if wish == Wish::Rollback => {
                self.recover(Wish::Resume).await
            }
            recovered => recovered,
        };
        match recovered {
            Ok(Recovered::Now(ran)) => match &ran.end {
                End::Done { .. } | End::RolledBack { .. } => self.judge(&ran, &what),
                end => panic!("{what}: {end:?}"),
            },
            Ok(Recovered::Before { finished: true }) => self.assert_complete(&what),
            Ok(Recovered::Before { finished: false }) => self.assert_undone(&what),
            // It had written nothing but its Lease.
            Err(RecoverError::NoCourse { reason: NoCourse::NoPivot, .. }) => self.assert_untouched(&what),
            Err(error) => panic!("{what}: {error}"),
        }
    }

    /// A write of which nobody knows what became of it is looked at before anything is written to that object again.
    pub(crate) fn assert_nothing_tried_blindly(&self, what: &str) {
        for server in [&self.source, &self.target] {
            let mut unknown: BTreeMap<Key, usize> = BTreeMap::new();
            for entry in server.history() {
                let key = key_of(&entry);
                let number = entry.call.number;
                if matches!(entry.call.verb, Verb::Get | Verb::List) {
                    unknown.retain(|other, _| {
                        let listed = entry.call.verb == Verb::List && other.kind == key.kind;
                        *other != key && !listed
                    });
                } else if entry.call.verb.is_write() {
                    let before = unknown.remove(&key);
                    assert!(
                        before.is_none(),
                        "{what}: {key} is written by {number} without a look after {before:?}"
                    );
                    let silent = match entry.outcome {
                        Outcome::Answered(code) => code >= 500,
                        // Without its body the code alone says that nothing was done.
                        Outcome::Truncated(code) => !(400..500).contains(&code),
                        _ => true,
                    };
                    if silent {
                        unknown.insert(key, number);
                    }
                }
            }
        }
    }
}
