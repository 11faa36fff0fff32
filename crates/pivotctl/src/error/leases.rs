//! Errors of leases.

use pivot::leases::LeasesError;
use pivot_core::lease::{LeaseFile, Likeness};

use super::{CommandError, of_failure};

impl From<LeasesError> for CommandError {
    fn from(error: LeasesError) -> Self {
        let message = error.to_string();
        match error {
            LeasesError::Read { error, .. } => {
                let (id, hint) = of_failure(&error);
                Self::failed(id, message).hinted(hint)
            }
            LeasesError::Parts { .. } => Self::failed("leases-configmap", message)
                .hinted("name another ConfigMap, or import the leases anew"),
            LeasesError::NoNamespace { namespace, .. } => Self::failed("namespace-missing", message)
                .hinted(format!("create it with `kubectl create namespace {namespace}`, or name that of Ironic with --namespace")),
            LeasesError::Changed { .. } => {
                Self::failed("leases-changed", message).hinted("run the command again")
            }
            LeasesError::Write { .. } => Self::failed("leases-not-written", message)
                .hinted("correct what the server names, then run the command again"),
        }
    }
}

impl CommandError {
    /// A text in which no line is a lease.
    pub(crate) fn no_lease_file(from: &str, likeness: Likeness, file: &LeaseFile) -> Self {
        let (what, hint) = match likeness {
            Likeness::Manifest => (
                "a manifest of Kubernetes",
                "apply it with kubectl and name its ConfigMap with --configmap=NAME",
            ),
            Likeness::IscDhcpd => (
                "the lease file of ISC dhcpd",
                "name the lease file of Ironic's dnsmasq; this server's clients are others",
            ),
            Likeness::Kea => (
                "the lease file of Kea",
                "name the lease file of Ironic's dnsmasq; this server's clients are others",
            ),
            Likeness::Unknown => {
                ("no lease file", "name the lease file of dnsmasq, or the container that it runs in")
            }
        };
        let details = file.aside().iter().take(3).map(ToString::to_string);
        Self::usage("leases-malformed", format!("{from} is {what}: none of its lines is a lease of dnsmasq"))
            .with_details(details.collect())
            .hinted(hint)
    }

    /// A source that holds no lease at all.
    pub(crate) fn no_leases(from: &str) -> Self {
        Self::failed("no-leases", format!("{from} holds no lease"))
            .hinted("leases die with the container: read them before Ironic is stopped; --allow-empty takes none for an answer")
    }

    /// A ConfigMap that does not exist.
    pub(crate) fn no_config_map(cluster: &str, path: &str) -> Self {
        Self::failed("leases-missing", format!("{cluster}: there is no ConfigMap {path}"))
            .hinted("name its namespace with --namespace, and the ConfigMap with --configmap=NAME")
    }

    /// Other leases stand where these are to go.
    pub(crate) fn leases_exist(cluster: &str, path: &str, there: usize, new: usize) -> Self {
        Self::failed(
            "leases-exist",
            format!("{cluster}: ConfigMap {path} holds other leases ({there}, and {new} are to be imported)"),
        )
        .hinted("--merge keeps both, --replace drops those that are there")
    }

    /// No file with leases on a machine or in a container.
    pub(crate) fn no_lease_path(place: &str, paths: &[&str]) -> Self {
        Self::failed("lease-file-missing", format!("there is no lease file in {place}"))
            .with_details(paths.iter().map(|path| format!("{path} does not exist")).collect())
            .hinted("name it with --path; dnsmasq's option `dhcp-leasefile` says where it is")
    }

    /// A machine without that container.
    pub(crate) fn no_container(name: &str, host: &str, engines: &str) -> Self {
        Self::failed("container-missing", format!("{engines} of {host} has no container {name}"))
            .hinted("`podman ps -a` or `docker ps -a` there tells the names; containers of another user are seen with --sudo")
    }

    /// A machine that runs no containers.
    pub(crate) fn no_engine(host: &str) -> Self {
        Self::failed("engine-missing", format!("{host} has neither podman nor docker"))
            .hinted("name the machine that Ironic's containers run on with --host")
    }

    /// A verb that works in one namespace.
    pub(crate) fn one_namespace() -> Self {
        Self::usage("one-namespace", "leases are in one namespace").hinted("name it with --namespace, once")
    }
}
