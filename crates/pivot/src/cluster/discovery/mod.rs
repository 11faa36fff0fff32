//! What a cluster is and which kinds it serves.

mod crd;
mod served;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use futures::try_join;
use pivot_core::kind::{CLUSTERCTL_LABEL, GroupKind, KindCatalog, KindInfo, Scope};
use pivot_core::link::LinkRules;
use pivot_core::object::Manifest;
use pivot_core::plan::Provider;
use serde::Deserialize;
use serde_json::Value;

use self::crd::Crd;
use self::served::Served;
use super::request::JSON;
use super::{Cluster, Failure, RawRequest, read};

/// What [`Cluster::discover`] finds.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// UID of the namespace `kube-system`, which identifies a cluster.
    pub cluster_id: String,
    /// Such as `v1.34.4`.
    pub server_version: String,
    /// Kinds that take part: CRDs with the label of clusterctl, kinds that link rules name, Secret and ConfigMap.
    pub catalog: KindCatalog,
    /// All other namespaced kinds that can be listed, where something may hang on what leaves; kinds that only mirror others
    /// are left out.
    pub other: Vec<KindInfo>,
    /// Kinds that would take part, but whose CRD is not established, so that they cannot be listed.
    pub not_established: Vec<GroupKind>,
    /// API groups that an extension server should serve and does not: their kinds are unknown.
    pub unavailable: Vec<String>,
    /// Providers that clusterctl installed.
    pub providers: Vec<Provider>,
    /// All namespaces; `None` where they may not be listed.
    pub namespaces: Option<BTreeMap<String, Manifest>>,
}

/// Discovery failed at one of its questions.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what}: {source}")]
pub struct DiscoveryError {
    /// What was asked for.
    pub what: &'static str,
    /// Why there is no answer.
    pub source: Failure,
}

/// clusterctl has stored its inventory in this version since 2020.
const PROVIDERS: &str = "/apis/clusterctl.cluster.x-k8s.io/v1alpha3/providers";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A built-in namespaced kind of the core group.
pub(crate) fn core_kind(kind: &str, plural: &str) -> KindInfo {
    KindInfo {
        kind: GroupKind::new("", kind),
        plural: plural.to_owned(),
        scope: Scope::Namespaced,
        storage_version: "v1".to_owned(),
        served: BTreeSet::from(["v1".to_owned()]),
        status_subresource: BTreeSet::new(),
        labels: BTreeMap::new(),
        schemas: BTreeMap::new(),
    }
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "gitVersion")]
    git_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProviderItem {
    metadata: ProviderMetadata,
    #[serde(default)]
    provider_name: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct ProviderMetadata {
    #[serde(default)]
    namespace: String,
}

impl Cluster {
    /// Asks what the cluster is and serves; seven requests at once where the server speaks aggregated discovery.
    pub async fn discover(&self, rules: &LinkRules) -> Result<Discovery, DiscoveryError> {
        let (cluster_id, server_version, served, crds, providers, namespaces) = try_join!(
            failing_at("namespace kube-system", self.cluster_id()),
            failing_at("the server's version", self.server_version()),
            failing_at("the kinds it serves", self.served()),
            failing_at("the CustomResourceDefinitions", self.crds()),
            failing_at("clusterctl's inventory of providers", self.providers()),
            failing_at("the namespaces", self.namespaces()),
        )?;
        let kinds = sort_out(rules, served, crds);
        Ok(Discovery {
            cluster_id,
            server_version,
            catalog: kinds.catalog,
            other: kinds.other,
            not_established: kinds.not_established,
            unavailable: kinds.unavailable,
            providers,
            namespaces,
        })
    }

    /// UID of the namespace `kube-system`, which identifies a cluster.
    pub async fn cluster_id(&self) -> Result<String, Failure> {
        let namespace: Value = self.read(RawRequest::get("/api/v1/namespaces/kube-system")).await?;
        Ok(Manifest::new(namespace).uid().0)
    }

    async fn server_version(&self) -> Result<String, Failure> {
        Ok(self.read::<Version>(RawRequest::get("/version")).await?.git_version)
    }

    async fn crds(&self) -> Result<Vec<Crd>, Failure> {
        Ok(self.list_at(CRDS, JSON).await?.items)
    }

    async fn providers(&self) -> Result<Vec<Provider>, Failure> {
        let items = match self.list_at::<ProviderItem>(PROVIDERS, JSON).await {
            Ok(listed) => listed.items,
            Err(failure) if failure.is_not_found() => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let provider = |item: ProviderItem| Provider {
            name: item.provider_name,
            kind: item.r#type,
            version: item.version,
            namespace: item.metadata.namespace,
        };
        Ok(items.into_iter().map(provider).collect())
    }

    async fn namespaces(&self) -> Result<Option<BTreeMap<String, Manifest>>, Failure> {
        let kind = KindInfo { scope: Scope::Cluster, ..core_kind("Namespace", "namespaces") };
        match self.list_at::<Value>("/api/v1/namespaces", JSON).await {
            Ok(listed) => {
                let items = listed.items.into_iter().map(|item| read::manifest(&kind, "v1", item));
                Ok(Some(items.map(|item| (item.name().to_owned(), item)).collect()))
            }
            Err(failure) if failure.is_forbidden() => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// Boxed, since six questions at once make a future of tens of kilobytes.
fn failing_at<'a, T>(
    what: &'static str,
    question: impl Future<Output = Result<T, Failure>> + Send + 'a,
) -> BoxFuture<'a, Result<T, DiscoveryError>> {
    question.map_err(move |source| DiscoveryError { what, source }).boxed()
}

#[derive(Default)]
struct Kinds {
    catalog: KindCatalog,
    other: Vec<KindInfo>,
    not_established: Vec<GroupKind>,
    unavailable: Vec<String>,
}

fn sort_out(rules: &LinkRules, served: Served, crds: Vec<Crd>) -> Kinds {
    let named: BTreeSet<&GroupKind> = rules.kinds().collect();
    let takes_part = |kind: &GroupKind| named.contains(kind) || kind.is_secret_or_config_map();
    let Served { kinds: mut built_in, unavailable } = served;
    let mut sorted = Kinds { unavailable, ..Kinds::default() };
    for crd in crds {
        let kind = crd.kind();
        let in_discovery = built_in.remove(&kind);
        let part = crd.has_label(CLUSTERCTL_LABEL) || takes_part(&kind);
        // The CRD knows more than discovery, which also lags behind it.
        match (part, crd.is_established()) {
            (true, true) => sorted.catalog.insert(crd.into_info()),
            (true, false) => sorted.not_established.push(kind),
            (false, _) if in_discovery.is_some_and(|kind| kind.may_hold_dependents()) => {
                sorted.other.push(KindInfo { schemas: BTreeMap::new(), ..crd.into_info() });
            }
            (false, _) => {}
        }
    }
    for kind in built_in.into_values() {
        if takes_part(&kind.kind) {
            sorted.catalog.insert(kind.into_info());
        } else if kind.may_hold_dependents() {
            sorted.other.push(kind.into_info());
        }
    }
    sorted
}

#[cfg(test)]
mod tests;
