//! From a kubeconfig to a [`Cluster`].

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::failure::credential_problem;
use super::kubeconfig::{self, KubeconfigError, Selected};
use super::{Cluster, DEFAULT_REQUEST_TIMEOUT, transport};

/// A credential plugin may ask a person to log in.
const CREDENTIAL_TIMEOUT: Duration = Duration::from_secs(180);

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How to reach a cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Kubeconfig files, merged as `kubectl` merges the list in `KUBECONFIG`. A single one must exist.
    pub kubeconfig: Vec<PathBuf>,
    /// Context; the current one where `None`.
    pub context: Option<String>,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Proxy for a cluster whose kubeconfig entry names none.
    pub proxy: Option<Proxy>,
}

impl ClusterConfig {
    /// The current context of one file.
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        Self {
            kubeconfig: vec![kubeconfig.into()],
            context: None,
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            proxy: None,
        }
    }
}

/// A proxy as `HTTPS_PROXY` and `NO_PROXY` describe it.
#[derive(Clone)]
pub struct Proxy {
    /// URL: `http`, `https` or `socks5`.
    pub url: String,
    /// Hosts, domains and networks to reach without it, separated by commas.
    pub bypass: String,
}

impl std::fmt::Debug for Proxy {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("bypass", &self.bypass).finish_non_exhaustive()
    }
}

/// Why there is no [`Cluster`]. Nothing was asked of the server so far.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig itself.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// The cluster entry of the kubeconfig.
    #[error("cluster `{cluster}` of the kubeconfig: {problem}")]
    Cluster {
        /// Name of the entry.
        cluster: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The user entry of the kubeconfig, or its credential plugin.
    #[error("user of context `{context}`: {problem}")]
    User {
        /// Name of the context.
        context: String,
        /// What is wrong.
        problem: String,
    },
}

impl Cluster {
    /// Reads the kubeconfig and prepares connections. No request is sent; a credential plugin is run.
    pub async fn connect(config: ClusterConfig) -> Result<Self, ConnectError> {
        // Reading files and running a plugin block; a plugin may also hang.
        let context = config.context.clone().unwrap_or_else(|| "current-context".to_owned());
        match timeout(CREDENTIAL_TIMEOUT, spawn_blocking(move || connect(&config))).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(ConnectError::User {
                context,
                problem: "preparing the connection was stopped".to_owned(),
            }),
            Err(_) => Err(ConnectError::User {
                context,
                problem: format!(
                    "the credential plugin gave no answer within {} s",
                    CREDENTIAL_TIMEOUT.as_secs()
                ),
            }),
        }
    }
}

fn connect(config: &ClusterConfig) -> Result<Cluster, ConnectError> {
    // rustls panics where none is installed and more than one is compiled in.
    if CryptoProvider::get_default().is_none() {
        // An error only says that another thread was faster.
        ring::default_provider().install_default().ok();
    }
    let selected = kubeconfig::select(&kubeconfig::read(&config.kubeconfig)?, config.context.as_deref())?;
    let (context, namespace) = (selected.context.clone(), selected.namespace.clone());
    let transport_config = transport_config(selected, config)?;
    let host = transport_config.cluster_url.authority().map(|a| without_user_info(a.as_str()).to_owned());
    let client = transport::build(transport_config)
        .map_err(|error| ConnectError::User { context: context.clone(), problem: user_problem(&error) })?;
    Ok(Cluster {
        client,
        name: format!("{context} ({})", host.unwrap_or_default()),
        context: Some(context),
        namespace,
        request_timeout: config.request_timeout,
        counters: Arc::default(),
        identity: None,
    })
}

/// What `kube::Config::from_custom_kubeconfig` does, but without looking at the environment, and with errors that say which
/// entry is at fault.
fn transport_config(selected: Selected, config: &ClusterConfig) -> Result<kube::Config, ConnectError> {
    let Selected { cluster, mut user, cluster_name, namespace, .. } = selected;
    let fault =
        |problem: &str| ConnectError::Cluster { cluster: cluster_name.clone(), problem: problem.to_owned() };
    let server = filled(cluster.server.as_deref()).ok_or_else(|| fault("`server` is missing"))?;
    let url = server
        .parse::<Uri>()
        .ok()
        .filter(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.authority().is_some());
    let url = url.ok_or_else(|| fault("`server` is no http or https URL"))?;
    let proxy =
        proxy_for(&url, filled(cluster.proxy_url.as_deref()), config.proxy.as_ref()).map_err(&fault)?;
    let roots = certificate_authority(&cluster).map_err(|problem| fault(&problem))?;
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        let told = (&cluster).try_into();
        exec.cluster = Some(told.map_err(|_| fault("its certificate-authority cannot be read"))?);
    }

    let mut built = kube::Config::new(url);
    built.default_namespace = namespace;
    built.root_cert = roots;
    built.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or_default();
    built.disable_compression = cluster.disable_compression.unwrap_or_default();
    built.tls_server_name = cluster.tls_server_name.filter(|name| !name.is_empty());
    built.proxy_url = proxy;
    built.auth_info = user;
    // Shorter than a request may take, so that a host that does not answer is told apart from an answer that does not come.
    built.connect_timeout = Some(CONNECT_TIMEOUT.min(config.request_timeout / 2));
    built.default_retry = false;
    Ok(built)
}

fn proxy_for(server: &Uri, own: Option<&str>, default: Option<&Proxy>) -> Result<Option<Uri>, &'static str> {
    let url = match (own, default) {
        (Some(own), _) => own,
        (None, Some(proxy)) => {
            let proxied = Matcher::builder().all(proxy.url.as_str()).no(proxy.bypass.as_str()).build();
            if proxied.intercept(server).is_none() {
                return Ok(None);
            }
            &proxy.url
        }
        (None, None) => return Ok(None),
    };
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    match url.parse::<Uri>() {
        Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https" | "socks5")) => Ok(Some(uri)),
        _ => Err("the proxy is no http, https or socks5 URL"),
    }
}

/// The certificates that the server's may descend from; `None` for those of the system.
fn certificate_authority(cluster: &kube::config::Cluster) -> Result<Option<Vec<Vec<u8>>>, String> {
    let (name, pem) = if let Some(data) = filled(cluster.certificate_authority_data.as_deref()) {
        let name = "certificate-authority-data";
        (name, STANDARD.decode(data.trim()).map_err(|_| format!("{name} is not base64"))?)
    } else if let Some(file) = filled(cluster.certificate_authority.as_deref()) {
        let name = "certificate-authority";
        (name, fs::read(file).map_err(|error| format!("{name} {file} cannot be read: {error}"))?)
    } else {
        return Ok(None);
    };
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&pem).map(|der| der.map(|der| der.to_vec())).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(certificates)),
        _ => Err(format!("{name} holds no readable PEM certificate")),
    }
}

/// Words for an error of building the client, which is about the user's credentials by now.
fn user_problem(error: &kube::Error) -> String {
    use kube::client::RustlsTlsError as Tls;
    use kube::config::KubeconfigError as Entry;
    match error {
        kube::Error::Auth(error) => credential_problem(error),
        kube::Error::InferKubeconfig(Entry::LoadClientCertificate(error)) => {
            load_problem("client-certificate", error)
        }
        kube::Error::InferKubeconfig(Entry::LoadClientKey(error)) => load_problem("client-key", error),
        kube::Error::RustlsTls(Tls::AddRootCertificate(error)) => {
            format!("the certificate authority cannot be used: {error}")
        }
        kube::Error::RustlsTls(Tls::InvalidServerName(_)) => "tls-server-name is no host name".to_owned(),
        kube::Error::RustlsTls(Tls::InvalidPrivateKey(_)) => {
            "client-certificate and client-key cannot be used together".to_owned()
        }
        kube::Error::RustlsTls(_) => "client-certificate or client-key is no readable PEM".to_owned(),
        kube::Error::HttpError(_) => "what it impersonates cannot stand in a header".to_owned(),
        _ => "its credentials cannot be used".to_owned(),
    }
}

fn load_problem(name: &str, error: &kube::config::LoadDataError) -> String {
    use kube::config::LoadDataError;
    match error {
        LoadDataError::DecodeBase64(_) => format!("{name}-data is not base64"),
        LoadDataError::ReadFile(error, path) => {
            format!("{name} {} cannot be read: {error}", path.display())
        }
        LoadDataError::NoBase64DataOrFile => format!("{name} is missing"),
    }
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn without_user_info(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::{Failure, RawRequest};
    use super::*;

    fn kubeconfig(cluster: &str, user: &str) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kubeconfig");
        let text = format!(
            "current-context: ctx\n\
             contexts: [{{name: ctx, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{{cluster}}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}]\n"
        );
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    async fn problem(cluster: &str, user: &str) -> String {
        let (_dir, path) = kubeconfig(cluster, user);
        let error = Cluster::connect(ClusterConfig::new(&path)).await.unwrap_err().to_string();
        assert!(!error.contains("canary"), "{error}");
        error
    }

    #[tokio::test]
    async fn faults_of_the_cluster_entry_are_told() {
        let of = |text: &str| format!("cluster `c` of the kubeconfig: {text}");
        assert_eq!(problem("proxy-url: ''", "").await, of("`server` is missing"));
        assert_eq!(problem("server: 'ftp://u:canary@x'", "").await, of("`server` is no http or https URL"));
        let server = "server: 'https://x:6443'";
        assert_eq!(
            problem(&format!("{server}, certificate-authority-data: '*'"), "").await,
            of("certificate-authority-data is not base64")
        );
        assert_eq!(
            problem(&format!("{server}, certificate-authority-data: Y2FuYXJ5"), "").await,
            of("certificate-authority-data holds no readable PEM certificate")
        );
        let missing = problem(&format!("{server}, certificate-authority: gone.crt"), "").await;
        assert!(
            missing.contains("certificate-authority /") && missing.contains("gone.crt cannot be read"),
            "{missing}"
        );
        assert_eq!(
            problem(&format!("{server}, proxy-url: 'ftp://u:canary@x'"), "").await,
            of("the proxy is no http, https or socks5 URL")
        );
    }

    #[tokio::test]
    async fn faults_of_the_user_entry_are_told() {
        let server = "server: 'https://x:6443', insecure-skip-tls-verify: true";
        let of = |text: &str| format!("user of context `ctx`: {text}");
        assert_eq!(
            problem(server, "client-certificate-data: '*canary', client-key-data: '*canary'").await,
            of("client-certificate-data is not base64")
        );
        assert_eq!(
            problem(server, "client-certificate-data: Y2FuYXJ5, client-key-data: Y2FuYXJ5").await,
            of("client-certificate or client-key is no readable PEM")
        );
        assert_eq!(problem(server, "client-certificate-data: Y2FuYXJ5").await, of("client-key is missing"));
        let file = problem(server, "tokenFile: gone").await;
        assert!(file.contains("the token file /") && file.contains("gone cannot be read"), "{file}");
        let exec = "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: ['-c', ";
        assert_eq!(
            problem(server, &format!("{exec}'echo canary; exit 3']}}")).await,
            of("the credential plugin of the kubeconfig failed with exit status: 3")
        );
        assert_eq!(
            problem(server, &format!("{exec}'echo canary']}}")).await,
            of("the credential plugin of the kubeconfig gave no usable credentials")
        );
    }

    #[tokio::test]
    async fn a_connected_cluster_has_a_name() {
        let (_dir, path) = kubeconfig("server: 'http://u:canary@localhost:1'", "token: canary");
        let cluster = Cluster::connect(ClusterConfig::new(&path)).await.unwrap();
        assert_eq!((cluster.name(), cluster.namespace()), ("ctx (localhost:1)", "default"));
        assert_eq!(cluster.context(), Some("ctx"));
        assert!(!format!("{cluster:?}").contains("canary"));
    }

    async fn connected(path: &Path) -> Cluster {
        let config = ClusterConfig { request_timeout: Duration::from_secs(20), ..ClusterConfig::new(path) };
        Cluster::connect(config).await.unwrap()
    }

    #[tokio::test]
    async fn nobody_listening_means_not_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let (_dir, path) = kubeconfig(&format!("server: 'http://{address}'"), "");
        let failure = connected(&path).await.request(RawRequest::get("/")).await.unwrap_err();
        assert!(matches!(failure, Failure::NotSent { .. }), "{failure}");
    }

    /// Serves one connection: reads a request, answers with `answer`, closes.
    async fn serve_once(answer: &'static str) -> (std::net::SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request ends");
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        (address, server)
    }

    #[tokio::test]
    async fn a_request_carries_credentials_and_asks_for_compression() {
        let (address, server) = serve_once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
        let (_dir, path) =
            kubeconfig(&format!("server: 'http://{address}/prefix'"), "token: canary, as: other");
        let reply = connected(&path).await.request(RawRequest::get("/api")).await.unwrap();
        assert_eq!((reply.status, &reply.body[..]), (200, &b"{}"[..]));
        let request = server.await.unwrap().to_lowercase();
        for part in [
            "get /prefix/api http/1.1",
            "authorization: bearer canary",
            "impersonate-user: other",
            "accept-encoding: gzip",
            "user-agent: pivotctl/",
        ] {
            assert!(request.contains(part), "{part}: {request}");
        }
    }

    #[tokio::test]
    async fn an_answer_cut_short_means_unknown() {
        for answer in ["", "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{", "nonsense\r\n\r\n"] {
            let (address, server) = serve_once(answer).await;
            let (_dir, path) = kubeconfig(&format!("server: 'http://{address}'"), "");
            let failure = connected(&path).await.request(RawRequest::get("/")).await.unwrap_err();
            assert!(matches!(failure, Failure::Unknown { .. }), "{answer:?}: {failure}");
            server.await.unwrap();
        }
    }

    #[test]
    fn a_proxy_of_the_environment_yields_to_the_kubeconfig_and_to_the_bypass() {
        let server: Uri = "https://api.example.org:6443".parse().unwrap();
        let proxy = |bypass: &str| Proxy { url: "proxy:3128".to_owned(), bypass: bypass.to_owned() };
        let chosen =
            |own, bypass| proxy_for(&server, own, Some(&proxy(bypass))).unwrap().map(|uri| uri.to_string());
        assert_eq!(chosen(None, "").as_deref(), Some("http://proxy:3128/"));
        assert_eq!(chosen(None, "localhost,.example.org"), None);
        assert_eq!(chosen(Some("socks5://own:1080"), ".example.org").as_deref(), Some("socks5://own:1080/"));
        assert_eq!(proxy_for(&server, None, None), Ok(None));
    }
}
