//! TLS towards the clients.

use std::sync::Arc;

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use tokio_rustls::TlsAcceptor;

use crate::{Error, Result, plane::Authority};

/// Shows a certificate of the plane's authority, and accepts clients with one of it or with none.
pub(crate) fn acceptor(authority: &Authority) -> Result<TlsAcceptor> {
    let certificate = Error::proxy::<rustls::pki_types::pem::Error>;
    let identity = authority.server(&["127.0.0.1", "localhost"])?;
    let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes())
        .map_err(certificate("its certificate"))?;
    let key =
        PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(certificate("its private key"))?;
    let root = CertificateDer::from_pem_slice(authority.certificate().as_bytes())
        .map_err(certificate("the plane's authority"))?;
    let mut roots = RootCertStore::empty();
    roots.add(root).map_err(Error::proxy("the plane's authority"))?;

    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(Error::proxy("the plane's authority"))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::proxy("TLS"))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![chain], key)
        .map_err(Error::proxy("its certificate"))?;
    // A resumed session would not show the client's certificate again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    // HTTP/1.1 only: that is what the tools under test speak, and there a broken connection breaks one request.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
