//! Where the real programs and CRDs are.
//!
//! `cargo xtask assets` builds them; the folder it prints goes into [`ASSETS_VAR`]. Nothing is searched for elsewhere, so
//! that a test never runs against programs other than the pinned ones by accident.

use std::{
    env, fmt,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// Names the folder with `bin/` and `crds/`.
pub const ASSETS_VAR: &str = "PIVOT_TESTBED_ASSETS";

/// Names a folder with `kube-apiserver` and `etcd` to use instead, as for other Kubernetes test suites.
pub const KUBEBUILDER_VAR: &str = "KUBEBUILDER_ASSETS";

/// A program of the assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Program {
    /// The store of a plane.
    Etcd,
    /// The API server of a plane.
    KubeApiserver,
    /// Garbage collector, namespaces, quotas and service accounts of a plane.
    KubeControllerManager,
    /// Finds a node for every pod of a plane.
    KubeScheduler,
    /// The tool pivotctl is compared with.
    Clusterctl,
    /// The command line of Kubernetes.
    Kubectl,
    /// The manager of Cluster API's core kinds.
    CapiManager,
    /// The manager of the kubeadm bootstrap provider.
    KubeadmBootstrapManager,
    /// The manager of the kubeadm control plane provider.
    KubeadmControlPlaneManager,
    /// The manager of bare metal hosts.
    BaremetalOperator,
    /// Ironic, all of it in one program.
    Ironic,
    /// Machines with BMCs, for Ironic.
    SushyEmulator,
}

impl Program {
    /// The file name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Clusterctl => "clusterctl",
            Self::Kubectl => "kubectl",
            Self::CapiManager => "capi-controller-manager",
            Self::KubeadmBootstrapManager => "capi-kubeadm-bootstrap-controller-manager",
            Self::KubeadmControlPlaneManager => "capi-kubeadm-control-plane-controller-manager",
            Self::BaremetalOperator => "baremetal-operator",
            Self::Ironic => "ironic",
            Self::SushyEmulator => "sushy-emulator",
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The folders of real programs and CRDs.
#[derive(Debug, Clone)]
pub struct Assets {
    root: PathBuf,
    kubebuilder: Option<PathBuf>,
}

impl Assets {
    /// Finds the assets by the environment.
    pub fn find() -> Result<Self> {
        let root = env::var_os(ASSETS_VAR).filter(|v| !v.is_empty()).ok_or(Error::NoAssets)?;
        let kubebuilder = env::var_os(KUBEBUILDER_VAR).filter(|v| !v.is_empty()).map(PathBuf::from);
        Self::at(PathBuf::from(root), kubebuilder)
    }

    /// The assets in `root`; API server and etcd from `kubebuilder`, where that folder has both.
    pub fn at(root: PathBuf, kubebuilder: Option<PathBuf>) -> Result<Self> {
        for folder in ["bin", "crds"] {
            let path = root.join(folder);
            if !path.is_dir() {
                return Err(Error::MissingAsset { path });
            }
        }
        let has_both = |dir: &PathBuf| {
            dir.join(Program::KubeApiserver.name()).is_file() && dir.join(Program::Etcd.name()).is_file()
        };
        Ok(Self { root, kubebuilder: kubebuilder.filter(has_both) })
    }

    /// The file of a program.
    pub fn program(&self, program: Program) -> Result<PathBuf> {
        let folder = match (program, &self.kubebuilder) {
            (Program::Etcd | Program::KubeApiserver, Some(folder)) => folder.clone(),
            // In an environment of Python.
            (Program::Ironic | Program::SushyEmulator, _) => self.root.join("ironic/bin"),
            _ => self.root.join("bin"),
        };
        let path = folder.join(program.name());
        if path.is_file() { Ok(path) } else { Err(Error::MissingAsset { path }) }
    }

    /// The folder that holds a folder of CRDs for each provider.
    pub fn crds(&self) -> PathBuf {
        self.root.join("crds")
    }

    /// The objects that install a component, as its module has them.
    pub fn manifest(&self, component: &str) -> Result<PathBuf> {
        let path = self.root.join("manifests").join(component).with_extension("yaml");
        if path.is_file() { Ok(path) } else { Err(Error::MissingAsset { path }) }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// The assets; or `None`, said loudly, where [`ASSETS_VAR`] is not set. Any other fault is a panic: a test that was asked to
/// run must not pass without running.
///
/// Use it through [`assets_or_skip!`](crate::assets_or_skip).
pub fn find_or_skip(test: &str) -> Option<Assets> {
    match Assets::find() {
        Ok(assets) => Some(assets),
        Err(Error::NoAssets) => {
            // Not `eprintln!`: the test harness captures that and shows it only when a test fails.
            let line = format!("SKIPPED: {test}: {ASSETS_VAR} not set; run `cargo xtask test`\n");
            std::io::stderr().write_all(line.as_bytes()).ok();
            None
        }
        Err(error) => panic!("{test}: {error}"),
    }
}

/// The [`Assets`], or ends the surrounding test with a loud line where `PIVOT_TESTBED_ASSETS` is not set.
#[macro_export]
macro_rules! assets_or_skip {
    () => {
        match $crate::assets::find_or_skip(concat!(module_path!(), ":", line!())) {
            Some(assets) => assets,
            None => return,
        }
    };
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn touch(path: PathBuf) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn kubebuilder_serves_only_with_both_programs() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("assets"), dir.path().join("other"));
        for name in ["etcd", "kube-apiserver", "kube-controller-manager"] {
            touch(root.join("bin").join(name));
        }
        fs::create_dir_all(root.join("crds")).unwrap();
        touch(other.join("etcd"));

        let half = Assets::at(root.clone(), Some(other.clone())).unwrap();
        assert_eq!(half.program(Program::Etcd).unwrap(), root.join("bin/etcd"));

        touch(other.join("kube-apiserver"));
        let both = Assets::at(root.clone(), Some(other.clone())).unwrap();
        assert_eq!(both.program(Program::Etcd).unwrap(), other.join("etcd"));
        assert_eq!(
            both.program(Program::KubeControllerManager).unwrap(),
            root.join("bin/kube-controller-manager")
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("bin")).unwrap();
        let error = Assets::at(dir.path().to_owned(), None).unwrap_err();
        assert!(error.to_string().contains("crds is missing"), "{error}");
        fs::create_dir_all(dir.path().join("crds")).unwrap();
        let assets = Assets::at(dir.path().to_owned(), None).unwrap();
        let error = assets.program(Program::Clusterctl).unwrap_err();
        assert!(error.to_string().contains("bin/clusterctl is missing"), "{error}");
    }
}
