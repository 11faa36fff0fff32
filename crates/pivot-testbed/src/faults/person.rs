//! A person who writes to a cluster while a pivot is under way, and what has to become of that.

use std::fmt;

use serde_json::{Value, json};

use super::{
    ground::{Ground, Look},
    role::Role,
    witness::{Invariant, Terminal, Violation},
};
use crate::{
    Error, Result,
    client::Patch,
    content::is_of_every_namespace,
    dump::{Dump, Key},
    kind::Gvk,
    webhook::{MARK, Temper, Webhook},
};

/// A label that nothing else sets.
const LABEL: &str = "faults.example/person";
/// A Secret that moves, and that nothing owns.
const SECRET: &str = "test1-proxy";
/// The Cluster that moves.
const CLUSTER: &str = "test1";
/// A host that moves.
const HOST: &str = "test1-free-0";
/// A host of the person's own.
const OWN_HOST: &str = "persons-host";
/// A webhook of the person's own.
const WEBHOOK: &str = "persons-webhook";
const MANAGER: &str = "kubectl-edit";

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Deed {
    /// Labels an object that moves.
    Edit(Role),
    /// Creates one: in the source a host that is to move along, in the target one that bears the name of an object that moves.
    Create(Role),
    /// Deletes one.
    Delete(Role),
    /// Lets the target take no more Secrets.
    Quota,
    /// Puts a webhook of this temper into the target.
    Webhook(Temper),
}

impl Deed {
    pub(super) const ALL: [Self; 10] = [
        Self::Edit(Role::Source),
        Self::Create(Role::Source),
        Self::Delete(Role::Source),
        Self::Edit(Role::Target),
        Self::Create(Role::Target),
        Self::Delete(Role::Target),
        Self::Quota,
        Self::Webhook(Temper::Denies),
        Self::Webhook(Temper::Adds),
        Self::Webhook(Temper::Alters),
    ];

    pub(super) fn role(self) -> Role {
        match self {
            Self::Edit(role) | Self::Create(role) | Self::Delete(role) => role,
            Self::Quota | Self::Webhook(_) => Role::Target,
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edit(role) => write!(f, "edits in the {role}"),
            Self::Create(role) => write!(f, "creates in the {role}"),
            Self::Delete(role) => write!(f, "deletes in the {role}"),
            Self::Quota => f.write_str("sets a quota in the target"),
            Self::Webhook(Temper::Denies) => f.write_str("sets a webhook that denies in the target"),
            Self::Webhook(Temper::Adds) => f.write_str("sets a webhook that annotates in the target"),
            Self::Webhook(Temper::Alters) => {
                f.write_str("sets a webhook that takes labels away in the target")
            }
        }
    }
}

/// A deed that an API server accepted.
#[derive(Debug)]
pub(super) struct Done {
    deed: Deed,
    key: Key,
    /// Of what was created.
    uid: Value,
    /// What answers until the case is over.
    webhook: Option<Webhook>,
    /// Whether the pivot was decided by then.
    decided: bool,
}

/// Does it, past the proxies. `None` if the API server refused, or if there was nothing to do it to.
pub(super) async fn act(ground: &Ground, deed: Deed, decided: bool) -> Result<Option<Done>> {
    let client = &ground.bank(deed.role()).client;
    let namespace = ground.namespace();
    let there = Some(namespace);
    let secret = Key::new(Gvk::SECRET, namespace, SECRET);
    let mut webhook = None;
    let (key, answer) = match deed {
        Deed::Edit(_) => {
            let patch = json!({"metadata": {"labels": {LABEL: "edited"}}});
            (secret, client.patch(Gvk::SECRET, there, SECRET, Patch::Merge, &patch, MANAGER).await)
        }
        Deed::Create(Role::Source) => {
            let key = Key::new(Gvk::BARE_METAL_HOST, namespace, OWN_HOST);
            let like = client.get(Gvk::BARE_METAL_HOST, there, HOST).await?;
            // In RETIRE it may have gone.
            let Some(like) = like else { return Ok(None) };
            (key, create_host(ground, &like).await)
        }
        Deed::Create(Role::Target) => {
            let object = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": SECRET, "namespace": namespace}});
            (secret, client.create(&object, MANAGER).await)
        }
        Deed::Delete(_) => {
            let present = client.get(Gvk::SECRET, there, SECRET).await?;
            let deleted = client.delete(Gvk::SECRET, there, SECRET).await;
            match present {
                Some(object) => (secret, deleted.map(|()| object)),
                None => return Ok(None),
            }
        }
        Deed::Quota => {
            let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
                "metadata": {"name": "persons-quota", "namespace": namespace},
                "spec": {"hard": {"count/secrets": "5"}}});
            (Key::new(Gvk::RESOURCE_QUOTA, namespace, "persons-quota"), client.create(&quota, MANAGER).await)
        }
        Deed::Webhook(temper) => {
            let plane = &ground.bank(deed.role()).plane;
            webhook = Some(Webhook::start(plane, WEBHOOK, namespace, temper).await?);
            (Key::new(Webhook::KIND, "", WEBHOOK), Ok(Value::Null))
        }
    };
    match answer {
        Ok(object) => Ok(Some(Done { deed, key, uid: object["metadata"]["uid"].clone(), webhook, decided })),
        Err(error) if is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A host like the free one, with its status.
async fn create_host(ground: &Ground, like: &Value) -> Result<Value> {
    let client = &ground.bank(Role::Source).client;
    let host = json!({
        "apiVersion": Gvk::BARE_METAL_HOST.api_version(),
        "kind": Gvk::BARE_METAL_HOST.kind,
        "metadata": {"name": OWN_HOST, "namespace": ground.namespace()},
        "spec": {"online": false, "bootMACAddress": "52:54:00:ff:ff:01"},
        "status": like["status"],
    });
    client.create_with_status(&host, MANAGER).await
}

/// True where a request was refused because of what it asks for.
fn is_refusal(error: &Error) -> bool {
    matches!(error.code(), Some(400..=422))
}

impl Done {
    /// Takes away what would outlive the namespace.
    pub(super) async fn undo(&self) -> Result<()> {
        match &self.webhook {
            Some(webhook) => webhook.leave().await,
            None => Ok(()),
        }
    }

    /// What is wrong with what became of the deed. What is right about it is taken out of both looks: the rest is to be as if
    /// nobody had done anything.
    pub(super) fn settle(&self, before: &mut Look, after: &mut Look, terminal: Terminal) -> Vec<Violation> {
        let mut violations = Vec::new();
        let key = &self.key;
        match self.deed {
            Deed::Edit(Role::Source) => {
                let kept = is_labelled(after.source.get(key));
                if !kept && !is_labelled(after.of(terminal.active()).get(key)) {
                    violations.push(Violation::new(Invariant::Content, format!("the edit of {key} is lost")));
                }
                if kept && terminal == Terminal::B {
                    after.source.remove(key);
                    // By its name it belongs to the Cluster, which is kept with it.
                    after.source.remove(&Key::new(Gvk::CLUSTER, &key.namespace, CLUSTER));
                }
                for look in [before, after] {
                    unlabel(look, key);
                }
            }
            Deed::Create(Role::Source) => {
                let came = [after.source.remove(key), after.target.remove(key)];
                if !came.iter().flatten().count().eq(&1) {
                    let found = came.iter().flatten().count();
                    violations.push(Violation::new(Invariant::Set, format!("{key} is there {found} times")));
                }
            }
            Deed::Delete(Role::Source) => {
                after.source.remove(key).into_iter().for_each(|_| {
                    violations.push(Violation::new(Invariant::Set, format!("{key} is back in the source")));
                });
                before.source.remove(key);
                // Once the pivot is decided, the source is no longer where things are deleted.
                let stays = terminal == Terminal::B && after.target.remove(key).is_some();
                if stays && !self.decided {
                    violations.push(Violation::new(Invariant::Set, format!("{key} is back in the target")));
                }
            }
            Deed::Create(Role::Target) => {
                let survives =
                    after.target.get(key).is_some_and(|object| object["metadata"]["uid"] == self.uid);
                if !survives {
                    violations.push(Violation::new(Invariant::Bystanders, format!("{key} was overwritten")));
                } else if terminal == Terminal::A {
                    after.target.remove(key);
                    without_namespace(before, after, &key.namespace);
                }
            }
            Deed::Edit(Role::Target) => {
                for look in [before, after] {
                    unlabel(look, key);
                }
            }
            Deed::Delete(Role::Target) => {
                if self.decided && after.target.get(key).is_none() {
                    before.source.remove(key);
                }
            }
            Deed::Quota | Deed::Webhook(_) => {
                if after.target.remove(key).is_none() {
                    violations.push(Violation::new(Invariant::Bystanders, format!("{key} is gone")));
                }
                if terminal == Terminal::A {
                    without_namespace(before, after, &key.namespace);
                }
                // What a cluster adds to every object that comes is its own affair; what it takes away is not.
                after.target = unmarked(&after.target);
            }
        }
        violations
    }
}

/// A namespace in which somebody has something stays, also where the pivot made it.
fn without_namespace(before: &Look, after: &mut Look, namespace: &str) {
    let itself = Key::new(Gvk::NAMESPACE, "", namespace);
    if before.target.get(&itself).is_none() {
        after.target = after
            .target
            .filter(|key| *key != itself && !(key.namespace == namespace && is_of_every_namespace(key)));
    }
}

fn unmarked(dump: &Dump) -> Dump {
    let unmark = |object: &Value| {
        let mut object = object.clone();
        without(&mut object, "annotations", MARK);
        object
    };
    dump.iter().map(|(_, object)| unmark(object)).collect()
}

fn is_labelled(object: Option<&Value>) -> bool {
    object.is_some_and(|object| object["metadata"]["labels"][LABEL] == "edited")
}

fn unlabel(look: &mut Look, key: &Key) {
    for dump in [&mut look.source, &mut look.target] {
        if let Some(mut object) = dump.remove(key) {
            without(&mut object, "labels", LABEL);
            dump.insert(object);
        }
    }
}

/// Takes a label or an annotation off an object, and the whole map if nothing is left in it.
fn without(object: &mut Value, map: &str, key: &str) {
    if let Some(metadata) = object["metadata"].as_object_mut()
        && let Some(entries) = metadata.get_mut(map).and_then(Value::as_object_mut)
    {
        entries.remove(key);
        if entries.is_empty() {
            metadata.remove(map);
        }
    }
}
