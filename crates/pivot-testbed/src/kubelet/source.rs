//! What a pod reads from its cluster: config maps, secrets, tokens.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{ConfigMap, Secret, ServiceAccount},
};
use kube::{Api, api::PostParams};
use tokio::time::timeout;

use super::Setback;

/// How long one request may take: an API server may be frozen.
const REQUEST: Duration = Duration::from_secs(30);

/// The objects of a pod's namespace.
pub(super) struct Sources {
    client: kube::Client,
    namespace: String,
}

impl Sources {
    pub(super) fn new(client: kube::Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned() }
    }

    /// What a config map holds; nothing, where it is optional and missing.
    pub(super) async fn config_map(
        &self,
        name: &str,
        optional: Option<bool>,
    ) -> Result<BTreeMap<String, Vec<u8>>, Setback> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let Some(found) = bounded(api.get_opt(name)).await? else {
            return missing("configmap", name, optional);
        };
        let text = found.data.into_iter().flatten().map(|(key, text)| (key, text.into_bytes()));
        let binary = found.binary_data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0));
        Ok(text.chain(binary).collect())
    }

    /// What a secret holds; nothing, where it is optional and missing.
    pub(super) async fn secret(
        &self,
        name: &str,
        optional: Option<bool>,
    ) -> Result<BTreeMap<String, Vec<u8>>, Setback> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let Some(found) = bounded(api.get_opt(name)).await? else { return missing("secret", name, optional) };
        Ok(found.data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0)).collect())
    }

    /// A token for the service account, valid as long as the pod is there.
    pub(super) async fn token(
        &self,
        account: &str,
        audience: Option<&str>,
        seconds: Option<i64>,
        pod: BoundObjectReference,
    ) -> Result<String, Setback> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: audience.map(str::to_owned).into_iter().collect(),
                bound_object_ref: Some(pod),
                expiration_seconds: seconds,
            },
            ..TokenRequest::default()
        };
        let parameters = PostParams::default();
        let answer = bounded(api.create_token_request(account, &parameters, &request)).await?;
        answer
            .status
            .map(|status| status.token)
            .ok_or_else(|| Setback::new(format!("no token for {account}")))
    }
}

fn missing<T: Default>(kind: &str, name: &str, optional: Option<bool>) -> Result<T, Setback> {
    if optional == Some(true) {
        Ok(T::default())
    } else {
        Err(Setback::new(format!("{kind} {name} not found")))
    }
}

/// A request that ends.
pub(super) async fn bounded<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Setback> {
    match timeout(REQUEST, request).await {
        Ok(answer) => answer.map_err(|error| Setback::new(error.to_string())),
        Err(_) => Err(Setback::new(format!("no answer within {} s", REQUEST.as_secs()))),
    }
}
