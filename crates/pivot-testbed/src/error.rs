//! What can go wrong in the test bed.

use std::{io, path::PathBuf, process::ExitStatus};

use crate::kind::Gvk;

/// The result of the test bed's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the test bed. Its text never holds the body of a Secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder of real programs is not known.
    #[error("{var} is not set; run `cargo xtask test`, or `cargo xtask assets` and set {var} to the folder it prints", var = crate::assets::ASSETS_VAR)]
    NoAssets,
    /// A program or a folder is missing from the assets.
    #[error("{path} is missing; run `cargo xtask assets`")]
    MissingAsset {
        /// What was looked for.
        path: PathBuf,
    },
    /// The `pivotctl` to run is not known.
    #[error("{var} is not set; run `cargo xtask demo` or `cargo xtask bench`", var = crate::tool::PIVOTCTL_VAR)]
    NoTool,
    /// There is no such `pivotctl`.
    #[error("{path} is missing, which {var} names", var = crate::tool::PIVOTCTL_VAR)]
    MissingTool {
        /// What was looked for.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of an audit log cannot be read.
    #[error("audit log {path}: {source}")]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A file does not hold the YAML it should.
    #[error("{path}: {reason}")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// The parser's message.
        reason: String,
    },
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program ended although it should run.
    #[error("{program} of plane {plane} ended with {status}; its last lines:\n{log}")]
    Exited {
        /// The plane it belongs to.
        plane: String,
        /// The program.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// A program did not become ready in time.
    #[error("{program} of plane {plane} was not ready after {seconds} s ({reason}); its last lines:\n{log}")]
    NotReady {
        /// The plane it belongs to.
        plane: String,
        /// The program.
        program: &'static str,
        /// How long it was waited for.
        seconds: u64,
        /// The last answer.
        reason: String,
        /// The end of its log.
        log: String,
    },
    /// The plane was started without this component.
    #[error("plane {plane} runs no {component}")]
    NoComponent {
        /// The plane.
        plane: String,
        /// The component.
        component: &'static str,
    },
    /// No port could be reserved.
    #[error("no free port on 127.0.0.1 between {from} and {to}")]
    NoPort {
        /// First port tried.
        from: u16,
        /// Last port tried.
        to: u16,
    },
    /// No subnet for pods is free.
    #[error("no free subnet between 10.200.1.0/24 and 10.200.{last}.0/24")]
    NoSubnet {
        /// The last one tried.
        last: u8,
    },
    /// Every address of a plane's pods is in use.
    #[error("no address for another pod")]
    NoAddress,
    /// A program that changes the machine's network failed.
    #[error("`{program}` failed: {stderr}")]
    Network {
        /// The program.
        program: &'static str,
        /// What it said.
        stderr: String,
    },
    /// The kubelet has no such pod, or the pod has no such container.
    #[error("no pod {which} runs on this node")]
    NoPod {
        /// Its uid.
        which: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A proxy could not be made.
    #[error("proxy: {what}: {source}")]
    Proxy {
        /// What it needs.
        what: &'static str,
        /// Why it has it not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A signal could not be sent.
    #[error("cannot signal process {pid}: {source}")]
    Signal {
        /// The process.
        pid: u32,
        /// Why.
        source: io::Error,
    },
    /// A kubeconfig is not usable.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] Box<kube::config::KubeconfigError>),
    /// The API server answered with an error, or not at all.
    #[error("{what}: {source}")]
    Api {
        /// The request, for example `POST /api/v1/namespaces`.
        what: String,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// A server that is no API server answered with an error, or not at all.
    #[error("GET {url}: {reason}")]
    Asked {
        /// What was asked for.
        url: String,
        /// The answer.
        reason: String,
    },
    /// The cluster does not serve this kind.
    #[error("the cluster does not serve {0}")]
    UnknownKind(Gvk),
    /// An object lacks what every object has.
    #[error("object without {0}")]
    Malformed(&'static str),
    /// A fixture names an owner that it does not hold, or owns itself in a circle.
    #[error("fixture: {0} waits for an owner that is not in the fixture")]
    DanglingOwner(String),
    /// A run of the tool that had to succeed did not.
    #[error("`pivotctl {line}` failed:\n{stderr}")]
    Tool {
        /// Its arguments.
        line: String,
        /// What it said.
        stderr: String,
    },
    /// What was waited for did not happen.
    #[error("waited {seconds} s for {what}{}", last.as_ref().map(|last| format!("; last: {last}")).unwrap_or_default())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What was seen last.
        last: Option<String>,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(crate) fn proxy<E>(what: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self::Proxy { what, source: source.into() }
    }

    /// The HTTP status code, if an API server answered with one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// True if a `ValidatingAdmissionPolicy` denied the request.
    pub fn is_denied_by_policy(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(source.as_ref(), kube::Error::Api(s)
            if s.code == 403 && s.message.contains("ValidatingAdmissionPolicy")))
    }

    /// True if the object already exists.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(source.as_ref(), kube::Error::Api(s) if s.is_already_exists()))
    }
}
