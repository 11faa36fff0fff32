//! The components of the test bed and how each is made.

/// A part of the test bed that is made as a whole.
pub(super) struct Component {
    /// What people call it.
    pub(super) name: &'static str,
    /// The folder under `testbed/` whose `go.mod` pins it.
    pub(super) pins: &'static str,
    /// The Go module that it comes from.
    pub(super) module: &'static str,
    /// Where it stands in the folder of assets.
    pub(super) output: &'static str,
    pub(super) recipe: Recipe,
}

/// How a component is made from its module.
pub(super) enum Recipe {
    /// Compile a package into one program.
    Program {
        package: &'static str,
        /// Variables that the linker sets: `VERSION`, `MAJOR` and `MINOR` become those of the module.
        stamps: &'static [&'static str],
    },
    /// Copy the CRDs that the module carries: paths in the module, each a file or a folder of files.
    CarriedCrds { from: &'static [&'static str] },
    /// Generate the CRDs from the types in a package.
    GeneratedCrds { package: &'static str, generator: &'static str },
    /// Render the objects that install the component: the path of a kustomization in the module.
    Manifest { kustomization: &'static str },
}

/// Where `controller-gen` stands in the folder of assets.
pub(super) const CONTROLLER_GEN: &str = "bin/controller-gen";

/// Where `kubectl` stands in the folder of assets.
pub(super) const KUBECTL: &str = "bin/kubectl";

/// Clients refuse a Kubernetes that calls itself v0.0.0.
const KUBERNETES: &[&str] = &[
    "k8s.io/component-base/version.gitVersion=VERSION",
    "k8s.io/component-base/version.gitMajor=MAJOR",
    "k8s.io/component-base/version.gitMinor=MINOR",
    "k8s.io/client-go/pkg/version.gitVersion=VERSION",
    "k8s.io/client-go/pkg/version.gitMajor=MAJOR",
    "k8s.io/client-go/pkg/version.gitMinor=MINOR",
];

const CLUSTER_API: &[&str] = &[
    "sigs.k8s.io/cluster-api/version.gitVersion=VERSION",
    "sigs.k8s.io/cluster-api/version.gitMajor=MAJOR",
    "sigs.k8s.io/cluster-api/version.gitMinor=MINOR",
];

/// Every component, in the order in which they are made: a plane first, which most tests need.
pub(super) const COMPONENTS: &[Component] = &[
    Component {
        name: "etcd",
        pins: "etcd",
        module: "go.etcd.io/etcd/server/v3",
        output: "bin/etcd",
        recipe: Recipe::Program { package: "go.etcd.io/etcd/server/v3", stamps: &[] },
    },
    kubernetes("kube-apiserver", "bin/kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    kubernetes(
        "kube-controller-manager",
        "bin/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    Component {
        name: "controller-gen",
        pins: "controller-gen",
        module: "sigs.k8s.io/controller-tools",
        output: CONTROLLER_GEN,
        recipe: Recipe::Program { package: "sigs.k8s.io/controller-tools/cmd/controller-gen", stamps: &[] },
    },
    Component {
        name: "CRDs of cluster-api",
        pins: "cluster-api",
        module: "sigs.k8s.io/cluster-api",
        output: "crds/capi",
        recipe: Recipe::CarriedCrds {
            from: &[
                "config/crd/bases",
                "bootstrap/kubeadm/config/crd/bases",
                "controlplane/kubeadm/config/crd/bases",
            ],
        },
    },
    Component {
        name: "CRDs of clusterctl",
        pins: "cluster-api",
        module: "sigs.k8s.io/cluster-api",
        output: "crds/clusterctl",
        recipe: Recipe::CarriedCrds {
            // The kind beside it, Metadata, is a file format and never installed.
            from: &["cmd/clusterctl/config/crd/bases/clusterctl.cluster.x-k8s.io_providers.yaml"],
        },
    },
    Component {
        name: "CRDs of cluster-api-provider-metal3",
        pins: "crds-capm3",
        module: "github.com/metal3-io/cluster-api-provider-metal3/api",
        output: "crds/capm3",
        recipe: Recipe::GeneratedCrds {
            package: "github.com/metal3-io/cluster-api-provider-metal3/api/v1beta1",
            generator: "crd",
        },
    },
    Component {
        name: "CRDs of ip-address-manager",
        pins: "crds-ipam",
        module: "github.com/metal3-io/ip-address-manager/api",
        output: "crds/ipam",
        recipe: Recipe::GeneratedCrds {
            package: "github.com/metal3-io/ip-address-manager/api/v1alpha1",
            generator: "crd",
        },
    },
    Component {
        name: "CRDs of baremetal-operator",
        pins: "crds-bmo",
        module: "github.com/metal3-io/baremetal-operator/apis",
        output: "crds/bmo",
        recipe: Recipe::GeneratedCrds {
            package: "github.com/metal3-io/baremetal-operator/apis/metal3.io/v1alpha1",
            // The clock speed in a host's hardware details is a float.
            generator: "crd:allowDangerousTypes=true",
        },
    },
    cluster_api("clusterctl", "bin/clusterctl", "sigs.k8s.io/cluster-api/cmd/clusterctl"),
    cluster_api("capi-controller-manager", "bin/capi-controller-manager", "sigs.k8s.io/cluster-api"),
    cluster_api(
        "capi-kubeadm-bootstrap-controller-manager",
        "bin/capi-kubeadm-bootstrap-controller-manager",
        "sigs.k8s.io/cluster-api/bootstrap/kubeadm",
    ),
    cluster_api(
        "capi-kubeadm-control-plane-controller-manager",
        "bin/capi-kubeadm-control-plane-controller-manager",
        "sigs.k8s.io/cluster-api/controlplane/kubeadm",
    ),
    Component {
        name: "baremetal-operator",
        pins: "baremetal-operator",
        module: "github.com/metal3-io/baremetal-operator",
        output: "bin/baremetal-operator",
        recipe: Recipe::Program {
            package: "github.com/metal3-io/baremetal-operator",
            stamps: &["github.com/metal3-io/baremetal-operator/pkg/version.Raw=VERSION"],
        },
    },
    kubernetes("kubectl", KUBECTL, "k8s.io/kubernetes/cmd/kubectl"),
    kubernetes("kube-scheduler", "bin/kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    manifest(
        "manifest of cluster-api",
        "cluster-api",
        "sigs.k8s.io/cluster-api",
        "manifests/cluster-api.yaml",
        "config/default",
    ),
    manifest(
        "manifest of the kubeadm bootstrap provider",
        "cluster-api",
        "sigs.k8s.io/cluster-api",
        "manifests/bootstrap-kubeadm.yaml",
        "bootstrap/kubeadm/config/default",
    ),
    manifest(
        "manifest of the kubeadm control plane provider",
        "cluster-api",
        "sigs.k8s.io/cluster-api",
        "manifests/control-plane-kubeadm.yaml",
        "controlplane/kubeadm/config/default",
    ),
    // The one that needs no Ironic.
    manifest(
        "manifest of baremetal-operator",
        "baremetal-operator",
        "github.com/metal3-io/baremetal-operator",
        "manifests/baremetal-operator.yaml",
        "config/overlays/fixture",
    ),
];

const fn kubernetes(name: &'static str, output: &'static str, package: &'static str) -> Component {
    Component {
        name,
        pins: "kubernetes",
        module: "k8s.io/kubernetes",
        output,
        recipe: Recipe::Program { package, stamps: KUBERNETES },
    }
}

const fn cluster_api(name: &'static str, output: &'static str, package: &'static str) -> Component {
    Component {
        name,
        pins: "cluster-api",
        module: "sigs.k8s.io/cluster-api",
        output,
        recipe: Recipe::Program { package, stamps: CLUSTER_API },
    }
}

const fn manifest(
    name: &'static str,
    pins: &'static str,
    module: &'static str,
    output: &'static str,
    kustomization: &'static str,
) -> Component {
    Component { name, pins, module, output, recipe: Recipe::Manifest { kustomization } }
}
