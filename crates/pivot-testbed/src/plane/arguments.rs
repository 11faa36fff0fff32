//! The command lines of a plane's programs, and the files they read.

use std::{
    ffi::{OsStr, OsString},
    net::{Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
};

use super::{
    PlaneOptions,
    certs::{self, Authority},
};
use crate::Result;

/// The folder of etcd's data, in the plane's own.
pub(super) const STORE: &str = "etcd";

/// The files the API server reads and, in part, the controller manager too.
pub(super) struct ApiServerFiles {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    account_private: PathBuf,
    account_public: PathBuf,
}

impl ApiServerFiles {
    /// Writes them for an API server at `address`.
    pub(super) fn write(dir: &Path, authority: &Authority, address: Ipv4Addr) -> Result<Self> {
        let server = authority.server(&[
            &address.to_string(),
            "localhost",
            "10.96.0.1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ])?;
        let (private, public) = certs::signing_key()?;
        Ok(Self {
            authority: certs::write_private(dir, "ca.crt", authority.certificate())?,
            certificate: certs::write_private(dir, "apiserver.crt", &server.certificate)?,
            key: certs::write_private(dir, "apiserver.key", &server.key)?,
            account_private: certs::write_private(dir, "sa.key", &private)?,
            account_public: certs::write_private(dir, "sa.pub", &public)?,
        })
    }
}

fn flag(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value);
    flag
}

pub(super) fn etcd(dir: &Path, port: u16, options: &PlaneOptions) -> Vec<OsString> {
    let address = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
    let mut args = vec![
        flag("data-dir", dir.join(STORE)),
        flag("listen-client-urls", &address),
        flag("advertise-client-urls", &address),
        // One member talks to no peer; any port will do.
        flag("listen-peer-urls", "http://127.0.0.1:0"),
        flag("log-level", "warn"),
    ];
    if !options.fsync {
        args.push("--unsafe-no-fsync".into());
    }
    args.extend(options.etcd_args.iter().map(OsString::from));
    args
}

pub(super) fn api_server(
    dir: &Path,
    files: &ApiServerFiles,
    address: SocketAddrV4,
    etcd_port: u16,
    options: &PlaneOptions,
) -> Vec<OsString> {
    let mut args = vec![
        flag("etcd-servers", format!("http://{}:{etcd_port}", Ipv4Addr::LOCALHOST)),
        flag("bind-address", address.ip().to_string()),
        flag("secure-port", address.port().to_string()),
        flag("cert-dir", dir),
        flag("tls-cert-file", &files.certificate),
        flag("tls-private-key-file", &files.key),
        flag("client-ca-file", &files.authority),
        flag("service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
        flag("service-account-key-file", &files.account_public),
        flag("service-account-signing-key-file", &files.account_private),
        flag("authorization-mode", "RBAC"),
        flag("service-cluster-ip-range", "10.96.0.0/24"),
        // No Service of a plane leads to the API server, and a loopback address may not stand in Endpoints.
        flag("endpoint-reconciler-type", "none"),
        flag("allow-privileged", "true"),
    ];
    if options.pods {
        // Nothing routes the addresses of Services: webhooks are dialled at the addresses of their pods.
        args.push(flag("enable-aggregator-routing", "true"));
        // Nobody resolves the names of nodes, and their kubelet speaks no SPDY.
        args.push(flag("kubelet-preferred-address-types", "InternalIP"));
        args.push(flag("feature-gates", "TranslateStreamCloseWebsocketRequests=false"));
    }
    args.extend(options.api_server_args.iter().map(OsString::from));
    args
}

pub(super) fn controller_manager(
    kubeconfig: &Path,
    files: &ApiServerFiles,
    options: &PlaneOptions,
) -> Vec<OsString> {
    vec![
        flag("kubeconfig", kubeconfig),
        flag("controllers", options.controllers.join(",")),
        // As kubeadm sets it: each controller acts under a name of its own, which fences can tell apart.
        flag("use-service-account-credentials", "true"),
        flag("service-account-private-key-file", &files.account_private),
        flag("root-ca-file", &files.authority),
        flag("leader-elect", "false"),
        flag("secure-port", "0"),
        // As fast as it goes: the limits are made for large clusters.
        flag("kube-api-qps", "1000"),
        flag("kube-api-burst", "2000"),
    ]
}

pub(super) fn scheduler(kubeconfig: &Path) -> Vec<OsString> {
    vec![
        flag("kubeconfig", kubeconfig),
        flag("leader-elect", "false"),
        flag("secure-port", "0"),
        flag("kube-api-qps", "1000"),
        flag("kube-api-burst", "2000"),
    ]
}
