//! The HTTP client under a [`Cluster`](super::Cluster).

use std::time::Duration;

use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt};
use tower::ServiceBuilder;
use tower_http::decompression::DecompressionLayer;

/// Notices a peer that is gone; a firewall in between may drop an idle connection without a word.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Builds the client of a configuration. It may run a credential plugin and read files, so call it where blocking is allowed,
/// inside a runtime.
///
/// kube's own stack leaves Nagle's algorithm on, and retries by itself, POST included; this one does neither. Through a proxy, or
/// with a credential plugin, kube's is used without its retries: the first has no public parts, the second alone knows
/// when a client certificate ends.
pub(super) fn build(config: kube::Config) -> Result<kube::Client, kube::Error> {
    debug_assert!(!config.default_retry, "BUG: the retries of kube are on");
    if config.proxy_url.is_some() || config.auth_info.exec.is_some() {
        return Ok(ClientBuilder::try_from(config)?.build());
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_connect_timeout(config.connect_timeout);
    let connector = config.rustls_https_connector_with_connector(tcp)?;
    let http: legacy::Client<_, Body> =
        legacy::Builder::new(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
    let decompression = DecompressionLayer::new().gzip(!config.disable_compression);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(decompression)
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(tower::BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}
