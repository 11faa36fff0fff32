//! The API server's side of the proxy.

use std::{collections::HashMap, path::Path, sync::Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, Uri, header, request::Parts};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    Config,
    client::ConfigExt,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use tower::{BoxError, ServiceExt, util::BoxCloneSyncService};

use crate::{
    Error, Result,
    kind::Catalogue,
    traffic::{Call, lock},
};

/// Headers that are about one connection, not about the request.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The API server, reached with the credentials of one client.
#[derive(Clone)]
pub(super) struct Upstream {
    client: BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, legacy::Error>,
    server: Uri,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A client the proxy knows, and the way to the API server with that client's own certificate.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) user: String,
    pub(super) upstream: Upstream,
}

/// What a kubeconfig of the proxy says: who its holder is, by which certificate it is recognised, and how to go on.
pub(super) async fn read(
    kubeconfig: &Path,
    server: &str,
) -> Result<(CertificateDer<'static>, Known, Upstream)> {
    let parsed = Kubeconfig::read_from(kubeconfig).map_err(Box::new)?;
    let user = parsed.auth_infos.first().map(|user| user.name.clone()).unwrap_or_default();
    let mut config =
        Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await.map_err(Box::new)?;
    config.cluster_url = server.parse().map_err(Error::proxy("the API server's address"))?;
    let encoded = config.auth_info.client_certificate_data.clone().unwrap_or_default();
    let pem = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, encoded)
        .map_err(Error::proxy("the certificate of a client"))?;
    let certificate =
        CertificateDer::from_pem_slice(&pem).map_err(Error::proxy("the certificate of a client"))?;
    let known = Known { user, upstream: Upstream::new(&config)? };
    config.auth_info = AuthInfo::default();
    Ok((certificate, known, Upstream::new(&config)?))
}

impl Upstream {
    fn new(config: &Config) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = config
            .rustls_https_connector_with_connector(tcp)
            .map_err(Error::proxy("a connection to the API server"))?;
        let client: legacy::Client<_, Full<Bytes>> =
            legacy::Builder::new(TokioExecutor::new()).build(connector);
        Ok(Self { client: BoxCloneSyncService::new(client), server: config.cluster_url.clone() })
    }

    /// Sends a client's request on, with all its headers that are not about the connection.
    pub(super) async fn send(&self, parts: &Parts, body: Bytes) -> Result<Response<Incoming>, BoxError> {
        let mut uri = self.server.clone().into_parts();
        uri.path_and_query = parts.uri.path_and_query().cloned();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = Uri::from_parts(uri)?;
        *request.headers_mut() = parts.headers.clone();
        request.headers_mut().remove(header::HOST);
        strip(request.headers_mut());
        let mut response = self.client.clone().oneshot(request).await?;
        strip(response.headers_mut());
        Ok(response)
    }

    async fn document(&self, path: &'static str) -> Result<Value, BoxError> {
        let (parts, ()) =
            Request::get(path).header(header::ACCEPT, crate::client::AGGREGATED).body(())?.into_parts();
        let body = self.send(&parts, Bytes::new()).await?.into_body().collect().await?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The kinds of resources, as the API server tells them.
#[derive(Debug)]
pub(super) struct Kinds {
    admin: Upstream,
    known: Mutex<HashMap<(String, String), String>>,
}

impl Kinds {
    pub(super) fn new(admin: Upstream) -> Self {
        Self { admin, known: Mutex::default() }
    }

    /// The kind a request is about; asks the API server if it is new. Empty if the server does not serve it or cannot be
    /// asked.
    pub(super) async fn of(&self, call: &Call) -> String {
        if call.plural.is_empty() {
            return String::new();
        }
        let resource = (call.group.clone(), call.plural.clone());
        if let Some(kind) = lock(&self.known).get(&resource) {
            return kind.clone();
        }
        let Ok((core, groups)) = tokio::try_join!(self.admin.document("/api"), self.admin.document("/apis"))
        else {
            return String::new();
        };
        let mut known = lock(&self.known);
        for served in Catalogue::read(&[core, groups]).preferred() {
            known.insert((served.gvk.group.to_string(), served.plural.clone()), served.gvk.kind.to_string());
        }
        known.get(&resource).cloned().unwrap_or_default()
    }
}
