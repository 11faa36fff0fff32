//! One Kubernetes cluster: how to reach it, what it serves, what it holds.
//!
//! [`Cluster::connect`] reads kubeconfigs and builds the transport; [`Cluster::request`] sends one request and classes
//! its outcome. Everything else here only reads. Objects are carried as raw JSON ([`pivot_core::object::Manifest`]), so that no
//! field is lost.

mod access;
mod canary;
mod connect;
mod counters;
pub mod discovery;
mod exec;
mod failure;
mod glance;
mod identity;
pub mod inventory;
mod known;
mod kubeconfig;
mod path;
mod quota;
mod read;
mod request;
mod transport;
mod watch;
mod write;

#[cfg(test)]
pub(crate) mod fake;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use canary::CanaryOutcome;
pub use connect::{ClusterConfig, ConnectError, Proxy};
pub use counters::Counters;
pub use exec::{Ended, ExecError};
pub use failure::{Cause, Failure, Refusal};
pub use identity::Whoami;
pub use known::well_known;
pub use kubeconfig::KubeconfigError;
pub use path::{add_query, resource_path};
pub use quota::Quota;
pub use read::{Listed, ObjectMetadata};
pub use request::{
    APPLY_PATCH, JSON, JSON_PATCH, MERGE_PATCH, METADATA_LIST, METADATA_ONLY, RawRequest, Reply,
};
pub use watch::{Change, ChangeKind, WatchEvent};
pub(crate) use write::read_failure;

/// Requests of one operation that are in flight at the same time.
const IN_FLIGHT: usize = 16;

/// How long a request may take where nobody says otherwise.
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A cluster that can be spoken to. Clones share connections and counters.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    name: String,
    context: Option<String>,
    namespace: String,
    request_timeout: Duration,
    counters: Arc<Counters>,
    /// Headers of every request, where it is asked under an identity of ours.
    identity: Option<Arc<http::HeaderMap>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster behind any client, such as a `tower::Service` that plays an API server in tests.
    pub fn from_client(client: kube::Client, name: impl Into<String>) -> Self {
        Self {
            namespace: client.default_namespace().to_owned(),
            client,
            name: name.into(),
            context: None,
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            counters: Arc::default(),
            identity: None,
        }
    }

    /// The same cluster with another limit for each request.
    #[must_use]
    pub fn with_request_timeout(self, request_timeout: Duration) -> Self {
        Self { request_timeout, ..self }
    }

    /// How messages call it: the context and the server's host.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kubeconfig context it was reached by.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// The context's namespace, `default` where it has none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// How long a request may take.
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// Requests sent so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// When the client certificate of a credential plugin ends; such a one does not renew itself, so that a long run must
    /// connect anew.
    pub fn valid_until(&self) -> Option<SystemTime> {
        self.client.valid_until().map(SystemTime::from)
    }

    fn client(&self) -> &kube::Client {
        &self.client
    }
}
