//! What one cluster holds: its kinds and objects, listed consistently kind by kind.

use std::collections::HashMap;

use crate::kind::{GroupKind, KindCatalog, KindInfo};
use crate::object::{Manifest, ObjectKey, Uid};

/// Position of an object in its [`Inventory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

impl ObjectId {
    /// As an index into per-object vectors.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One object of an inventory.
#[derive(Clone, Debug)]
pub struct Object {
    /// Identity across clusters.
    pub key: ObjectKey,
    /// Identity of the instance.
    pub uid: Uid,
    /// Content as listed.
    pub manifest: Manifest,
}

/// What one cluster holds of the kinds that take part.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// UID of the namespace `kube-system`, which identifies a cluster.
    pub cluster_id: String,
    /// Kinds that take part, as this cluster serves them.
    pub kinds: KindCatalog,
    /// Namespaces in which an infrastructure provider is installed; their Secrets may be identities.
    pub provider_namespaces: Vec<String>,
    objects: Vec<Object>,
    by_key: HashMap<ObjectKey, ObjectId>,
    by_uid: HashMap<Uid, ObjectId>,
}

impl Inventory {
    /// An empty inventory of a cluster.
    pub fn new(cluster_id: &str, kinds: KindCatalog) -> Self {
        Self { cluster_id: cluster_id.to_owned(), kinds, ..Self::default() }
    }

    /// Adds an object, as `kind` says it is (items of lists often carry neither `apiVersion` nor `kind`).
    /// An object whose key is known already is replaced: the later list is the newer one.
    pub fn add(&mut self, kind: &GroupKind, manifest: Manifest) -> ObjectId {
        let key = ObjectKey::new(kind.clone(), manifest.namespace(), manifest.name());
        let uid = manifest.uid();
        let object = Object { key: key.clone(), uid: uid.clone(), manifest };
        if let Some(&id) = self.by_key.get(&key) {
            self.by_uid.remove(&self.objects[id.index()].uid);
            self.by_uid.insert(uid, id);
            self.objects[id.index()] = object;
            return id;
        }
        let id = ObjectId(
            u32::try_from(self.objects.len()).expect("BUG: more objects than an inventory can number"),
        );
        self.by_key.insert(key, id);
        self.by_uid.insert(uid, id);
        self.objects.push(object);
        id
    }

    /// The object at a position.
    pub fn object(&self, id: ObjectId) -> &Object {
        &self.objects[id.index()]
    }

    /// Finds by identity across clusters.
    pub fn find(&self, key: &ObjectKey) -> Option<ObjectId> {
        self.by_key.get(key).copied()
    }

    /// The object of that key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.find(key).map(|id| self.object(id))
    }

    /// Finds by instance.
    pub fn find_uid(&self, uid: &Uid) -> Option<ObjectId> {
        self.by_uid.get(uid).copied()
    }

    /// All objects with their positions, in the order in which they were listed.
    pub fn iter(&self) -> impl Iterator<Item = (ObjectId, &Object)> {
        (0u32..).map(ObjectId).zip(&self.objects)
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// True when nothing was found.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// What this cluster says of the kind of an object.
    pub fn kind_of(&self, id: ObjectId) -> Option<&KindInfo> {
        self.kinds.get(&self.object(id).key.kind)
    }
}
