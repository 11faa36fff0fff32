//! A client as fast as one gets it from the libraries alone: no retries, no buffer between caller and connection, and no
//! waiting for more bytes before a small one is sent.

use std::path::Path;

use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    client::{Body, ClientBuilder, ConfigExt},
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::{BoxError, ServiceBuilder};

use crate::error::{Error, Result};

/// A client for the holder of a kubeconfig.
pub(crate) async fn client(kubeconfig: &Path) -> Result<kube::Client> {
    let unusable = |error: BoxError| Error::Client { path: kubeconfig.to_owned(), reason: error.to_string() };
    let parsed = Kubeconfig::read_from(kubeconfig).map_err(|error| unusable(error.into()))?;
    let config = kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(error.into()))?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connector =
        config.rustls_https_connector_with_connector(tcp).map_err(|error| unusable(error.into()))?;
    let http: legacy::Client<_, Body> = legacy::Builder::new(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new().layer(config.base_uri_layer()).map_err(BoxError::from).service(http);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}
