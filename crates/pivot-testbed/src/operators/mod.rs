//! The real managers of a management cluster, run by the [`kubelet`](crate::kubelet).
//!
//! Their Deployments, rights and webhooks come from the manifests of their own modules. Two things are different from a cluster
//! that `clusterctl init` set up: certificates come from a stand-in (`standin_certificates.rs`), and a container of which the test bed has no
//! program (`kube-rbac-proxy`) is left out. The CRDs are those of [`crds`](crate::crds); what the manifest's CRD says of
//! conversion is put there when its manager is installed.

mod manifest;
mod standin;
pub mod standin_capm3;
mod standin_certificates;
pub mod standin_irso;

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Error, Result,
    assets::{Assets, Program},
    client::{Patch, PlaneClient, Progress, wait_until},
    crds::condition_is_true,
    ironic::Ironic,
    kind::Gvk,
    kubelet::{Images, Kubelet},
};

/// How long a manager may take until it leads. It takes about 10 s on an idle machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// A manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Cluster API's core kinds.
    Core,
    /// The kubeadm bootstrap provider.
    KubeadmBootstrap,
    /// The kubeadm control plane provider.
    KubeadmControlPlane,
    /// baremetal-operator. Without an [`Ironic`] (`--test-mode`) all hosts are of the same make and do what they are told.
    Baremetal,
}

impl Operator {
    /// Every one of them.
    pub const ALL: [Self; 4] =
        [Self::Core, Self::KubeadmBootstrap, Self::KubeadmControlPlane, Self::Baremetal];

    /// Its namespace.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Core => "capi-system",
            Self::KubeadmBootstrap => "capi-kubeadm-bootstrap-system",
            Self::KubeadmControlPlane => "capi-kubeadm-control-plane-system",
            Self::Baremetal => "baremetal-operator-system",
        }
    }

    /// Its Deployment.
    pub const fn deployment(self) -> &'static str {
        match self {
            Self::Core => "capi-controller-manager",
            Self::KubeadmBootstrap => "capi-kubeadm-bootstrap-controller-manager",
            Self::KubeadmControlPlane => "capi-kubeadm-control-plane-controller-manager",
            Self::Baremetal => "baremetal-operator-controller-manager",
        }
    }

    /// The Lease of its leader, in its namespace.
    pub const fn lease(self) -> &'static str {
        match self {
            Self::Core => "controller-leader-election-capi",
            Self::KubeadmBootstrap => "kubeadm-bootstrap-manager-leader-election-capi",
            Self::KubeadmControlPlane => "kubeadm-control-plane-manager-leader-election-capi",
            Self::Baremetal => "baremetal-operator",
        }
    }

    /// The label of its provider, where `clusterctl` installs it.
    pub const fn provider(self) -> Option<&'static str> {
        match self {
            Self::Core => Some("cluster-api"),
            Self::KubeadmBootstrap => Some("bootstrap-kubeadm"),
            Self::KubeadmControlPlane => Some("control-plane-kubeadm"),
            Self::Baremetal => None,
        }
    }

    const fn manifest(self) -> &'static str {
        match self.provider() {
            Some(provider) => provider,
            None => "baremetal-operator",
        }
    }

    const fn program(self) -> (&'static str, Program) {
        match self {
            Self::Core => ("gcr.io/k8s-staging-cluster-api/cluster-api-controller", Program::CapiManager),
            Self::KubeadmBootstrap => (
                "gcr.io/k8s-staging-cluster-api/kubeadm-bootstrap-controller",
                Program::KubeadmBootstrapManager,
            ),
            Self::KubeadmControlPlane => (
                "gcr.io/k8s-staging-cluster-api/kubeadm-control-plane-controller",
                Program::KubeadmControlPlaneManager,
            ),
            Self::Baremetal => ("quay.io/metal3-io/baremetal-operator", Program::BaremetalOperator),
        }
    }

    /// An object on which its webhooks have a say.
    fn sample(self) -> Value {
        let (gvk, spec) = match self {
            Self::Core => (Gvk::MACHINE_SET, json!({})),
            Self::KubeadmBootstrap => (Gvk::KUBEADM_CONFIG_TEMPLATE, json!({})),
            Self::KubeadmControlPlane => (Gvk::KUBEADM_CONTROL_PLANE, json!({})),
            Self::Baremetal => (Gvk::BARE_METAL_HOST, json!({"online": true})),
        };
        json!({
            "apiVersion": gvk.api_version(),
            "kind": gvk.kind,
            "metadata": {"name": "sample", "namespace": "default"},
            "spec": spec,
        })
    }
}

/// The images of all managers, for the [`Kubelet`].
pub fn images(assets: &Assets) -> Result<Images> {
    Operator::ALL.into_iter().try_fold(Images::new(), |images, operator| {
        let (repository, program) = operator.program();
        Ok(images.with(repository, assets.program(program)?))
    })
}

/// Installs managers on a plane that has the CRDs and a kubelet with their [`images`], and waits until each leads and its
/// webhooks answer.
pub async fn install(
    client: &PlaneClient,
    assets: &Assets,
    kubelet: &Kubelet,
    operators: &[Operator],
) -> Result<()> {
    install_as_asked(client, assets, kubelet, operators, None).await
}

/// The same, where baremetal-operator asks a real Ironic. It leads also while that is not there.
pub async fn install_with_ironic(
    client: &PlaneClient,
    assets: &Assets,
    kubelet: &Kubelet,
    operators: &[Operator],
    ironic: &Ironic,
) -> Result<()> {
    install_as_asked(client, assets, kubelet, operators, Some(ironic)).await
}

async fn install_as_asked(
    client: &PlaneClient,
    assets: &Assets,
    kubelet: &Kubelet,
    operators: &[Operator],
    ironic: Option<&Ironic>,
) -> Result<()> {
    for operator in operators {
        let path = assets.manifest(operator.manifest())?;
        let mut objects = manifest::read(&path, operator.provider(), operator.program().0)?;
        standin_certificates::supply(&mut objects)?;
        if let Some(ironic) = ironic {
            manifest::ask_ironic(&mut objects, &ironic.settings());
        }
        for object in objects {
            if object["kind"] == Gvk::CRD.kind.as_ref() {
                convert(client, &object).await?;
            } else {
                client.apply(&object, "clusterctl").await?;
            }
        }
    }
    for operator in operators {
        await_leader(client, kubelet, *operator).await?;
        await_webhooks(client, *operator).await?;
    }
    Ok(())
}

/// Gives the CRD of the plane the conversion of the manifest's.
async fn convert(client: &PlaneClient, crd: &Value) -> Result<()> {
    let conversion = &crd["spec"]["conversion"];
    if conversion.is_null() {
        return Ok(());
    }
    let name = crd["metadata"]["name"].as_str().ok_or(Error::Malformed("metadata.name"))?;
    let patch = json!({"spec": {"conversion": conversion}});
    client.patch(Gvk::CRD, None, name, Patch::Merge, &patch, "clusterctl").await.map(drop)
}

/// Starts or stops a manager; returns when the API server has it written down.
pub async fn scale(client: &PlaneClient, operator: Operator, replicas: u32) -> Result<()> {
    let patch = json!({"spec": {"replicas": replicas}});
    let (namespace, name) = (Some(operator.namespace()), operator.deployment());
    client.patch(Gvk::DEPLOYMENT, namespace, name, Patch::Merge, &patch, "kubectl").await.map(drop)
}

/// Waits until a manager is available and one of its pods on this node leads.
pub async fn await_leader(client: &PlaneClient, kubelet: &Kubelet, operator: Operator) -> Result<()> {
    let what = format!("{} to lead", operator.deployment());
    wait_until(&what, DEADLINE, async || {
        let namespace = Some(operator.namespace());
        let (deployment, leader) = tokio::try_join!(
            client.get(Gvk::DEPLOYMENT, namespace, operator.deployment()),
            leader(client, operator),
        )?;
        let available = deployment.is_some_and(|deployment| condition_is_true(&deployment, "Available"));
        let pods = pods(kubelet, operator);
        // The holder is a host name, which may be cut, and something random.
        let host = leader.as_ref().and_then(|leader| leader.rsplit_once('_')).map(|(host, _)| host);
        let leads = |(name, _): &(String, String)| host.is_some_and(|host| name.starts_with(host));
        if available && pods.iter().any(leads) {
            return Ok(Progress::Done(()));
        }
        Ok(Progress::Pending(format!("available: {available}, leader: {leader:?}, pods: {pods:?}")))
    })
    .await
}

/// Who leads, by the manager's Lease; `None` where nobody does.
pub async fn leader(client: &PlaneClient, operator: Operator) -> Result<Option<String>> {
    let lease = client.get(Gvk::LEASE, Some(operator.namespace()), operator.lease()).await?;
    let holder = lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str().map(str::to_owned));
    Ok(holder.filter(|holder| !holder.is_empty()))
}

/// The names of a manager's pods on this node, each with the end of its log.
fn pods(kubelet: &Kubelet, operator: Operator) -> Vec<(String, String)> {
    let pods = kubelet.pods().into_iter().filter(|pod| pod.namespace == operator.namespace());
    pods.map(|pod| (pod.name, kubelet.log(&pod.uid, "manager").unwrap_or_default())).collect()
}

/// Waits until the API server gets an answer of the manager's webhooks: it learns of their pods a moment after they are ready.
async fn await_webhooks(client: &PlaneClient, operator: Operator) -> Result<()> {
    let sample = operator.sample();
    let gvk = Gvk::of(&sample).ok_or(Error::Malformed("apiVersion and kind"))?;
    let path = client.served(&gvk).await?.path(Some("default"), None);
    let path = format!("{path}?dryRun=All");
    let what = format!("the webhooks of {}", operator.deployment());
    wait_until(&what, DEADLINE, async || {
        let answer = client.send(http::Method::POST, &path, "application/json", Some(&sample)).await;
        Ok(match answer {
            Err(error) if error.to_string().contains("failed calling webhook") => {
                Progress::Pending(error.to_string())
            }
            // Whether they like the sample is another matter.
            Ok(_) | Err(_) => Progress::Done(()),
        })
    })
    .await
}
