//! A stand-in for CAPM3, Cluster API's infrastructure provider for Metal3, whose manager cannot be had as a Go module.
//!
//! It stands for what a pivot has to do with: it claims a free host for a `Metal3Machine`, tells Cluster API when the machine is there,
//! pauses claimed hosts of a paused Cluster and leaves their status in an annotation, and gives the host back on deletion. It does not know
//! data templates, addresses, remediation or templates of its own kinds, and it elects no leader: so it is stopped by scaling to zero, as
//! managers without a lease are.
//!
//! Its program is that of the test that installs it: [`VARIABLE`] in its environment tells the two apart, and the test has a
//! function of the name that is given to [`install`] in which it calls [`run_if_asked`].

mod machine;

use std::time::Duration;

use serde_json::json;

use super::standin::Standin;
use crate::{Result, client::PlaneClient, crds::condition_is_true, kind::Gvk, kubelet::Images};

/// Set in the environment of the pod.
pub const VARIABLE: &str = "STANDIN_FOR_CAPM3";
/// Its namespace.
pub const NAMESPACE: &str = "capm3-system";
/// Its Deployment.
pub const DEPLOYMENT: &str = "capm3-controller-manager";

/// Between two looks at everything.
const PERIOD: Duration = Duration::from_millis(500);

const STANDIN: Standin = Standin {
    stands_for: "CAPM3",
    label: "capm3",
    variable: VARIABLE,
    namespace: NAMESPACE,
    deployment: DEPLOYMENT,
    service_account: "capm3-manager",
    binding: "capm3-manager",
    image: "standin/capm3",
};

/// The images with that of the stand-in.
pub fn with_image(images: Images) -> Result<Images> {
    STANDIN.with_image(images)
}

/// Installs it as `clusterctl` would CAPM3, and waits until it runs. `test` is the full name of the test function that calls
/// [`run_if_asked`].
pub async fn install(client: &PlaneClient, test: &str) -> Result<()> {
    let labels =
        json!({"clusterctl.cluster.x-k8s.io": "", "cluster.x-k8s.io/provider": "infrastructure-metal3"});
    let is_ready = |deployment: &_| condition_is_true(deployment, "Available");
    STANDIN.install(client, ("clusterctl", &labels), (test, 1), is_ready).await
}

/// Acts until the process is ended, where the environment says that this is the stand-in's process.
pub async fn run_if_asked() -> Result<()> {
    STANDIN.look(Gvk::METAL3_MACHINE, PERIOD, machine::reconcile).await
}
