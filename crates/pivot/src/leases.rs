//! DHCP leases in a cluster: the ConfigMaps that carry them (see [`pivot_core::lease`]).

use futures::future::try_join_all;
use pivot_core::kind::{GroupKind, KindInfo};
use pivot_core::lease::{ConfigMapError, LeaseFile, PartsError, count, joined, part_name, parts};
use pivot_core::machine::{Op, Outcome, RefusalClass};
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::rewrite::OWN_MANAGER;
use serde_json::Value;

use crate::cluster::{Cluster, Failure, well_known};

/// Leases could not be read from a cluster, or written to it.
#[derive(Debug, thiserror::Error)]
pub enum LeasesError {
    /// A request to read.
    #[error("{cluster}: cannot read ConfigMap {name}: {error}")]
    Read {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// Why.
        #[source]
        error: Failure,
    },
    /// What is there holds no leases.
    #[error("{cluster}: {error}")]
    Parts {
        /// How messages call the cluster.
        cluster: String,
        /// Why.
        #[source]
        error: PartsError,
    },
    /// There is no such namespace.
    #[error("{cluster}: there is no namespace {namespace}")]
    NoNamespace {
        /// How messages call the cluster.
        cluster: String,
        /// Its name.
        namespace: String,
    },
    /// Somebody else wrote meanwhile.
    #[error("{cluster}: ConfigMap {name} was changed by somebody else meanwhile")]
    Changed {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
    },
    /// A write that was refused, or of which nobody knows whether it was done.
    #[error("{cluster}: cannot write ConfigMap {name}: {message}")]
    Write {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// What the server said, or that it said nothing.
        message: String,
    },
}

/// Where leases are in a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Namespace of the ConfigMaps.
    pub namespace: &'a str,
    /// Name of the first.
    pub name: &'a str,
}

/// The ConfigMaps as they are.
#[derive(Clone, Debug)]
pub struct Stored {
    name: String,
    cluster: String,
    parts: Result<Vec<Option<Manifest>>, (Manifest, ConfigMapError)>,
}

impl Stored {
    /// The lease file that they hold.
    pub fn text(&self) -> Result<String, LeasesError> {
        let joined = match &self.parts {
            Ok(parts) => joined(&self.name, parts),
            Err((_, error)) => Err(PartsError::Part { name: self.name.clone(), error: error.clone() }),
        };
        joined.map_err(|error| LeasesError::Parts { cluster: self.cluster.clone(), error })
    }

    fn part(&self, index: usize) -> Option<&Manifest> {
        match &self.parts {
            Ok(parts) => parts.get(index)?.as_ref(),
            Err((first, _)) => Some(first).filter(|_| index == 0),
        }
    }

    fn count(&self) -> usize {
        self.parts.as_ref().map_or(1, Vec::len)
    }
}

fn kind() -> &'static KindInfo {
    well_known(&GroupKind::new("", "ConfigMap")).expect("BUG: ConfigMaps are well known")
}

impl Place<'_> {
    /// Namespace and name, as messages call them.
    fn path(&self, index: usize) -> String {
        format!("{}/{}", self.namespace, part_name(self.name, index))
    }

    async fn get(&self, index: usize) -> Result<Option<Manifest>, LeasesError> {
        let name = part_name(self.name, index);
        let got = self.cluster.get(kind(), "v1", Some(self.namespace), &name).await;
        got.map_err(|error| LeasesError::Read {
            cluster: self.cluster.name().to_owned(),
            name: self.path(index),
            error,
        })
    }

    /// What is there; `None` where there is nothing.
    pub async fn read(&self) -> Result<Option<Stored>, LeasesError> {
        let Some(first) = self.get(0).await? else { return Ok(None) };
        let parts = match count(&first) {
            Ok(count) => {
                let rest = try_join_all((1..count).map(|index| self.get(index))).await?;
                Ok(std::iter::once(Some(first)).chain(rest).collect())
            }
            Err(error) => Err((first, error)),
        };
        let (name, cluster) = (self.name.to_owned(), self.cluster.name().to_owned());
        Ok(Some(Stored { name, cluster, parts }))
    }

    /// Puts the leases there, in place of what was read before, and says in how many ConfigMaps they are.
    ///
    /// The first one goes last: until then it speaks of the parts that were there.
    pub async fn write(&self, file: &LeaseFile, before: Option<&Stored>) -> Result<usize, LeasesError> {
        let wanted = parts(file, self.namespace, self.name);
        for (index, body) in wanted.iter().enumerate().rev() {
            self.put(index, body, before.and_then(|stored| stored.part(index))).await?;
        }
        for index in wanted.len()..before.map_or(0, Stored::count) {
            if let Some(surplus) = before.and_then(|stored| stored.part(index)) {
                self.remove(index, surplus).await?;
            }
        }
        Ok(wanted.len())
    }

    async fn put(&self, index: usize, body: &Value, before: Option<&Manifest>) -> Result<(), LeasesError> {
        let manager = OWN_MANAGER.to_owned();
        let op = match before {
            None => Op::Create { body: body.clone(), manager },
            Some(before) => {
                let mut replaced = before.value().clone();
                // Labels and keys of other people stay.
                for pointer in ["/metadata/labels", "/metadata/annotations", "/data"] {
                    merge(&mut replaced, body, pointer);
                }
                Op::Replace { body: replaced, manager }
            }
        };
        match self.cluster.write(kind(), "v1", &self.key(index), &op).await {
            Outcome::Written(_) => Ok(()),
            Outcome::Unknown(message) => {
                // It may have been done: what is there tells.
                let there = self.get(index).await?;
                let is_done = there.is_some_and(|there| there.pointer("/data") == body.pointer("/data"));
                if is_done { Ok(()) } else { Err(self.refused(index, message)) }
            }
            Outcome::Refused { class: RefusalClass::Conflict | RefusalClass::Exists, .. } => {
                Err(LeasesError::Changed { cluster: self.cluster.name().to_owned(), name: self.path(index) })
            }
            Outcome::Refused { class: RefusalClass::NotFound, .. } if before.is_none() => {
                Err(LeasesError::NoNamespace {
                    cluster: self.cluster.name().to_owned(),
                    namespace: self.namespace.to_owned(),
                })
            }
            Outcome::Refused { message, .. } => Err(self.refused(index, message)),
            other => Err(self.refused(index, format!("an answer of another form: {other:?}"))),
        }
    }

    async fn remove(&self, index: usize, surplus: &Manifest) -> Result<(), LeasesError> {
        let version = surplus.resource_version().to_owned();
        let op = Op::Delete { uid: surplus.uid(), resource_version: Some(version) };
        match self.cluster.write(kind(), "v1", &self.key(index), &op).await {
            Outcome::Removed
            | Outcome::Terminating(_)
            | Outcome::Refused { class: RefusalClass::NotFound, .. } => Ok(()),
            Outcome::Refused { message, .. } | Outcome::Unknown(message) => Err(self.refused(index, message)),
            other => Err(self.refused(index, format!("an answer of another form: {other:?}"))),
        }
    }

    fn key(&self, index: usize) -> ObjectKey {
        let name = part_name(self.name, index);
        ObjectKey::new(GroupKind::new("", "ConfigMap"), Some(self.namespace), &name)
    }

    fn refused(&self, index: usize, message: String) -> LeasesError {
        LeasesError::Write { cluster: self.cluster.name().to_owned(), name: self.path(index), message }
    }
}

/// Puts the entries of one map into another's, at the same place of two objects.
fn merge(into: &mut Value, from: &Value, pointer: &str) {
    let entries = from.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    for (key, value) in entries {
        let mut place = &mut *into;
        for step in pointer.split('/').skip(1) {
            place = &mut place[step];
        }
        place[key] = value.clone();
    }
}
