//! The documents of a pivot in both clusters: records, snapshot chunks, admission policy. Each write to one is a
//! compare-and-swap against what is known of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Machine;
use super::defect::Defect;
use super::effect::{Op, Outcome, RefusalClass, Revision, Write};
use super::notice::Side;
use super::phase::Phase;
use super::retry::Tries;
use super::step::Step;
use crate::digest::Digest;
use crate::fence;
use crate::object::{Manifest, ObjectKey, Uid};
use crate::record::{self, Document as _, Ownership};
use crate::rewrite::OWN_MANAGER;

/// Annotation on the policy and its binding: digest of what they say. The server writes defaults into the rest.
const CONTENT: &str = "pivot.metal3.io/content";

/// A document of the pivot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doc {
    Ownership,
    Record,
    Chunk(usize),
    Policy,
    Binding,
}

/// What is to become of a document.
#[derive(Clone, Debug)]
enum Wish {
    /// It says this.
    Says(Value),
    /// It is not there.
    Gone,
}

/// What is known of one document.
#[derive(Clone, Debug, Default)]
struct Held {
    /// As it stands; `None` while it is not there.
    revision: Option<Revision>,
    /// What it says.
    says: Option<Digest>,
    /// What is to become of it, while a write is under way.
    wanted: Option<Wish>,
    /// What it may say: a write of which the outcome was never learned.
    maybe: Option<Digest>,
    /// True once it says what we wrote.
    ours: bool,
}

/// All documents of a pivot.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    held: BTreeMap<(Side, Doc), Held>,
}

impl Ledger {
    /// Takes what an earlier run left.
    pub(super) fn found(&mut self, side: Side, doc: Doc, object: &Manifest) {
        let held = Held {
            revision: Some(Revision::of(object)),
            says: Some(essence(doc, object.value())),
            ..Held::default()
        };
        self.held.insert((side, doc), held);
    }

    /// One was seen of which nothing was known.
    pub(super) fn came(&mut self, side: Side, doc: Doc, revision: Revision) {
        self.held(side, doc).revision.get_or_insert(revision);
    }

    /// True where a document is there, as far as is known.
    pub(super) fn has(&self, side: Side, doc: Doc) -> bool {
        self.held.get(&(side, doc)).is_some_and(|held| held.revision.is_some())
    }

    /// True where a document is there or may be: an answer was lost.
    pub(super) fn may_have(&self, side: Side, doc: Doc) -> bool {
        let held = self.held.get(&(side, doc));
        held.is_some_and(|held| held.revision.is_some() || held.wanted.is_some() || held.maybe.is_some())
    }

    /// A document that speaks of this pivot.
    pub(super) fn claim(&mut self, side: Side, doc: Doc) {
        self.held(side, doc).ours = true;
    }

    /// True where a document says, or may say, what this pivot wrote.
    pub(super) fn is_ours(&self, side: Side, doc: Doc) -> bool {
        self.held
            .get(&(side, doc))
            .is_some_and(|held| held.ours || held.maybe.is_some() || held.wanted.is_some())
    }

    /// The chunks of the snapshot that are there.
    pub(super) fn chunks(&self, side: Side) -> Vec<Doc> {
        let chunk = |(at, doc): &&(Side, Doc)| *at == side && matches!(doc, Doc::Chunk(_));
        self.held.keys().filter(chunk).map(|(_, doc)| *doc).filter(|doc| self.may_have(side, *doc)).collect()
    }

    fn held(&mut self, side: Side, doc: Doc) -> &mut Held {
        self.held.entry((side, doc)).or_default()
    }
}

/// What of a document counts: the server adds to the rest.
fn essence(doc: Doc, object: &Value) -> Digest {
    let part = match doc {
        Doc::Ownership | Doc::Record | Doc::Chunk(_) => &object["data"],
        Doc::Policy | Doc::Binding => &object["metadata"]["annotations"][CONTENT],
    };
    Digest::of(part.to_string().as_bytes())
}

/// An object with the annotation by which it is compared.
pub(super) fn sealed(mut object: Value) -> Value {
    let digest = Digest::of(object["spec"].to_string().as_bytes());
    object["metadata"]["annotations"][CONTENT] = digest.as_str().into();
    object
}

impl Machine {
    pub(super) fn doc_key(&self, doc: Doc) -> ObjectKey {
        let id = &self.options.pivot_id;
        match doc {
            Doc::Ownership => record::ownership_key(),
            Doc::Record => record::pivot_key(id),
            Doc::Chunk(number) => record::chunk_key(id, number),
            Doc::Policy => fence::policy_key(id),
            Doc::Binding => fence::binding_key(id),
        }
    }

    /// The step that makes a document say this, or makes it go; `None` where it is so already, and where its side is out of reach.
    pub(super) fn want(&mut self, side: Side, doc: Doc, content: Option<Value>) -> Option<Step> {
        if !self.has_side(side) {
            return None;
        }
        let held = self.ledger.held(side, doc);
        if let Some(Wish::Says(left)) = held.wanted.take() {
            held.maybe = Some(essence(doc, &left));
        }
        let so = held.maybe.is_none()
            && match &content {
                Some(content) => {
                    held.revision.is_some() && held.says.as_ref() == Some(&essence(doc, content))
                }
                None => held.revision.is_none(),
            };
        if so {
            return None;
        }
        held.wanted = Some(content.map_or(Wish::Gone, Wish::Says));
        Some(Step::Doc(side, doc))
    }

    pub(super) fn doc_write(&self, side: Side, doc: Doc) -> Write {
        let held = self.ledger.held.get(&(side, doc)).expect("BUG: a document that nobody wants");
        let manager = OWN_MANAGER.to_owned();
        let wish = held.wanted.as_ref().expect("BUG: a document that nobody wants");
        let op = match (wish, &held.revision) {
            (Wish::Says(body), None) => Op::Create { body: body.clone(), manager },
            (Wish::Says(body), Some(revision)) => {
                let mut body = body.clone();
                body["metadata"]["resourceVersion"] = revision.resource_version.as_str().into();
                Op::Replace { body, manager }
            }
            (Wish::Gone, Some(revision)) => Op::Delete {
                uid: revision.uid.clone(),
                resource_version: Some(revision.resource_version.clone()),
            },
            // Perhaps it is there: any uid is refused, and it is looked up.
            (Wish::Gone, None) => Op::Delete { uid: Uid("unknown".to_owned()), resource_version: None },
        };
        Write { side, key: self.doc_key(doc), op }
    }

    pub(super) fn settle_doc(&mut self, side: Side, doc: Doc, tries: Tries, outcome: Outcome) {
        let held = self.ledger.held(side, doc);
        let goes = matches!(held.wanted, Some(Wish::Gone));
        match outcome {
            Outcome::Written(revision) => self.doc_done(side, doc, Some(revision)),
            Outcome::Removed | Outcome::Terminating(_) => self.doc_done(side, doc, None),
            Outcome::Refused { class: RefusalClass::NotFound, .. } if goes => self.doc_done(side, doc, None),
            Outcome::Refused { class: RefusalClass::NotFound, message, .. } if held.revision.is_some() => {
                self.look_again(Step::Doc(side, doc), tries, &message);
            }
            Outcome::Refused { class: RefusalClass::Conflict | RefusalClass::Exists, message, .. } => {
                self.look_again(Step::Doc(side, doc), tries, &message);
            }
            other => self.refused(&format!("writing {} on the {side}", self.doc_key(doc)), other),
        }
    }

    pub(super) fn read_back_doc(&mut self, side: Side, doc: Doc, tries: Tries, found: Option<&Manifest>) {
        let owner = |found| Ownership::from_object(found).ok().map(|ownership| ownership.pivot);
        let is_of_this_pivot = found.and_then(owner).is_some_and(|owner| owner == self.options.pivot_id);
        let held = self.ledger.held(side, doc);
        let wanted = held.wanted.as_ref().expect("BUG: a document that nobody wants");
        let Some(found) = found else {
            return match (wanted, &held.revision) {
                (Wish::Gone, _) => self.doc_done(side, doc, None),
                (Wish::Says(_), Some(_)) if matches!(doc, Doc::Ownership | Doc::Record) => {
                    self.overtaken(side, doc, "is gone");
                }
                (Wish::Says(_), _) => {
                    held.revision = None;
                    self.again(Step::Doc(side, doc), tries);
                }
            };
        };
        let says = essence(doc, found.value());
        let as_known = held.maybe.as_ref() == Some(&says)
            || (held.revision.as_ref().is_some_and(|known| known.uid == found.uid())
                && held.says.as_ref() == Some(&says));
        match wanted {
            Wish::Says(wanted) if essence(doc, wanted) == says => {
                return self.doc_done(side, doc, Some(Revision::of(found)));
            }
            // Only its revision moved: somebody touched a label.
            _ if as_known => {}
            Wish::Gone if held.revision.as_ref().is_some_and(|known| known.uid != found.uid()) => {
                return self.doc_done(side, doc, None);
            }
            // Another pivot has the cluster: a rollback leaves it alone.
            _ if doc == Doc::Ownership && self.rollback.is_some() && !is_of_this_pivot => {
                return self.forget(side, doc);
            }
            _ if matches!(doc, Doc::Ownership | Doc::Record) => {
                return self.overtaken(side, doc, "was written by somebody else");
            }
            // Left by an earlier coordinator, or just written by one who has taken over: the record tells.
            _ => {
                self.ledger.held(side, doc).revision = Some(Revision::of(found));
                return self.again(Step::Confirm(side, doc), tries);
            }
        }
        self.ledger.held(side, doc).revision = Some(Revision::of(found));
        self.again(Step::Doc(side, doc), tries);
    }

    /// The record is the first that whoever takes over writes. While it says what we wrote, all else is ours to write.
    pub(super) fn settle_confirm(&mut self, side: Side, doc: Doc, tries: Tries, outcome: Outcome) {
        let found = match outcome {
            Outcome::Read(found) => found,
            other => return self.refused("reading the record", other),
        };
        let held = self.ledger.held(side, Doc::Record);
        let says = found.map(|found| essence(Doc::Record, found.value()));
        if says.is_some() && (says == held.says || says == held.maybe) {
            self.again(Step::Doc(side, doc), tries);
        } else {
            self.overtaken(side, Doc::Record, "was written by somebody else");
        }
    }

    /// Not ours, and nothing to us.
    fn forget(&mut self, side: Side, doc: Doc) {
        self.ledger.held.remove(&(side, doc));
        self.scripted();
    }

    fn doc_done(&mut self, side: Side, doc: Doc, revision: Option<Revision>) {
        let held = self.ledger.held(side, doc);
        held.says = match held.wanted.take() {
            Some(Wish::Says(content)) => Some(essence(doc, &content)),
            Some(Wish::Gone) | None => None,
        };
        held.ours = held.says.is_some();
        held.maybe = None;
        held.revision = revision;
        self.scripted();
    }

    /// A record that only we write says something else: another coordinator has taken over, and whatever we know is stale.
    fn overtaken(&mut self, side: Side, doc: Doc, how: &str) {
        let key = self.doc_key(doc);
        let cause = format!("{key} on the {side} {how}");
        if doc == Doc::Ownership && self.phase == Phase::Lock && !self.is_failing() {
            self.ledger.held.remove(&(side, doc));
            if Defect::TakeWhatIsTaken.is_made() {
                return self.scripted();
            }
            self.fail(format!("{cause}: another pivot takes this cluster"));
        } else {
            self.depose(format!("{cause}: another pivotctl has taken over this pivot"));
        }
    }
}
