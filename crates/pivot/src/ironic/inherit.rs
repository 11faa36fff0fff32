//! The settings of the Ironic that another one takes over from.

use pivot_core::ironic::manifest::{Inherited, InheritedError};
use pivot_core::kind::{GroupKind, KindInfo};
use pivot_core::object::Manifest;

use crate::cluster::{Cluster, Failure, well_known};

/// Settings that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// A request.
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
    /// There is none.
    #[error("{cluster}: there is no ConfigMap {name}")]
    Missing {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
    },
    /// Several have that name within theirs: Kustomize leaves those of earlier versions behind.
    #[error("{cluster}: several ConfigMaps may be {name}")]
    Several {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// Their names.
        there: Vec<String>,
    },
    /// What it says is not understood.
    #[error("{cluster}: ConfigMap {name}: {error}")]
    Malformed {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// Why.
        #[source]
        error: InheritedError,
    },
}

fn kind() -> &'static KindInfo {
    well_known(&GroupKind::new("", "ConfigMap")).expect("BUG: ConfigMaps are well known")
}

/// Reads the settings from the ConfigMap of that name, or from the one of which it is a part of the name.
pub async fn inherited(cluster: &Cluster, namespace: &str, name: &str) -> Result<Inherited, InheritError> {
    let path = |name: &str| format!("{namespace}/{name}");
    let failed = |error| InheritError::Read { cluster: cluster.name().to_owned(), name: path(name), error };
    let exact = cluster.get(kind(), "v1", Some(namespace), name).await.map_err(failed)?;
    let found = if let Some(exact) = exact {
        exact
    } else {
        let all = cluster.list(kind(), "v1", Some(namespace)).await.map_err(failed)?.items;
        the_one(all, name).map_err(|mut there| {
            let (cluster, name) = (cluster.name().to_owned(), path(name));
            there.sort();
            if there.is_empty() {
                InheritError::Missing { cluster, name }
            } else {
                InheritError::Several { cluster, name, there }
            }
        })?
    };
    Inherited::read(&found).map_err(|error| InheritError::Malformed {
        cluster: cluster.name().to_owned(),
        name: path(found.name()),
        error,
    })
}

/// The one of which the name holds that text; the names of all of them otherwise.
fn the_one(all: Vec<Manifest>, part: &str) -> Result<Manifest, Vec<String>> {
    let mut all: Vec<Manifest> = all.into_iter().filter(|one| one.name().contains(part)).collect();
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => Err(all.iter().chain(&last).map(|one| one.name().to_owned()).collect()),
    }
}
