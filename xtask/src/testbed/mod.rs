//! The real programs and CRDs that the tests run: built from pinned Go modules, installed from pinned Python packages.
//!
//! The pins are the `go.mod` and `go.sum` files under `testbed/`. What is built from them is cached under their digest:
//!
//! ```text
//! CACHE/DIGEST/bin/PROGRAM
//! CACHE/DIGEST/crds/{capi,capm3,ipam,bmo,clusterctl}/CRD.yaml
//! CACHE/DIGEST/manifests/COMPONENT.yaml
//! ```

mod component;
mod crds;
mod folder;
mod go;
mod pins;
mod python;
mod system;

pub(crate) use folder::ensure;
pub(crate) use python::ensure as ensure_python;
pub(crate) use system::ensure as ensure_system;
