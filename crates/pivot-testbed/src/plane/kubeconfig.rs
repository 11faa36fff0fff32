//! Kubeconfig files.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use super::certs::Identity;

/// A kubeconfig with everything in it; JSON, which every reader of kubeconfigs takes as YAML.
pub(crate) fn render(
    cluster: &str,
    server: &str,
    authority: &str,
    user: &str,
    identity: &Identity,
) -> String {
    let context = format!("{user}@{cluster}");
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {
            "server": server,
            "certificate-authority-data": BASE64_STANDARD.encode(authority.as_bytes()),
        }}],
        "users": [{"name": user, "user": {
            "client-certificate-data": BASE64_STANDARD.encode(identity.certificate.as_bytes()),
            "client-key-data": BASE64_STANDARD.encode(identity.key.as_bytes()),
        }}],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    });
    format!("{document:#}\n")
}
