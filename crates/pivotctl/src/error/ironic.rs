//! Errors of Ironic.

use std::path::Path;

use pivot::ironic::{ClusterIronicError, IronicError, ResourceError, UnreadPod};
use pivot_core::ironic::SavedError;

use super::host::STATIC_ADDRESS;
use super::{CommandError, of_failure};
use crate::exit::Exit;

impl From<IronicError> for CommandError {
    fn from(error: IronicError) -> Self {
        let message = error.to_string();
        match error {
            IronicError::Host(error) => error.into(),
            IronicError::Network(error) => error.into(),
            IronicError::NoEngine { host } => Self::no_engine(&host),
            IronicError::Vanishes { .. } => Self::failed("ironic-not-kept", message)
                .hinted("run it again without --rm, or stop it by hand if it is never to come back"),
            IronicError::Gone { .. } => Self::failed("ironic-gone", message)
                .hinted("run it again as it was first run; then remove the file of --state"),
            IronicError::Runs { .. } => Self::failed("ironic-runs", message)
                .hinted("look at what starts it again or holds it up, then run the command again"),
            IronicError::DoesNotRun { .. } => Self::failed("ironic-not-running", message)
                .hinted("look at its log, correct what it says, then run the command again"),
            IronicError::Listens { .. } => Self::failed("ironic-still-serves", message)
                .hinted("find out which program it is (`ss -lntup`), end it, then run the command again"),
            IronicError::NotBegun(error) => Self { message, ..Self::from(*error) },
            IronicError::NoStaticAddress { there, .. } => {
                Self::failed("static-address-missing", message).with_details(there).hinted(STATIC_ADDRESS)
            }
            IronicError::DhcpAnswered { .. } => Self::failed("ironic-dhcp-answered", message).hinted(
                "find out whose machine it is, and end its server: of two a host obeys the one that is faster",
            ),
            IronicError::NotServed { .. } => Self::failed("ironic-dhcp-missing", message)
                .hinted("look at its log: dnsmasq waits for the endpoint address, and needs a range of the interface's network"),
            IronicError::NoDnsmasq { .. } => Self::failed("ironic-dnsmasq-missing", message)
                .hinted("leave out --leases, or start the container of dnsmasq too, with --all"),
            IronicError::ReadsNoMore { .. } => Self::failed("ironic-dnsmasq-runs", message)
                .hinted("stop it with `ironic stop`, then run the command again"),
            IronicError::NotCarried { .. } => Self::failed("endpoint-missing", message)
                .hinted("look at the log of keepalived, correct what it says, then run the command again"),
            IronicError::ApiSilent { .. } => Self::failed("ironic-silent", message)
                .hinted("look at the log of Ironic, correct what it says, then run the command again"),
            IronicError::Answered { .. } => Self::failed("endpoint-answered", message).hinted(
                "find out whose machine it is: with two owners of the address hosts talk to the wrong Ironic",
            ),
        }
    }
}

impl From<ClusterIronicError> for CommandError {
    fn from(error: ClusterIronicError) -> Self {
        let message = error.to_string();
        match error {
            ClusterIronicError::Read { error, .. } => {
                let (id, hint) = of_failure(&error);
                Self::failed(id, message).hinted(hint)
            }
            ClusterIronicError::Write { .. } => Self::failed("ironic-not-scaled", message)
                .hinted("correct what the server names, then run the command again"),
            ClusterIronicError::Kept { remedy, .. } => Self::failed("ironic-kept", message).hinted(remedy),
            ClusterIronicError::NoOperator { .. } => Self::failed("ironic-operator-missing", message)
                .hinted("it would start Ironic again: find what runs it, and stop that first"),
            ClusterIronicError::Leases(error) => error.into(),
            ClusterIronicError::Resource(error) => Self::from(error),
            ClusterIronicError::Unsaved { command, .. } => Self::failed("ironic-leases-unsaved", message)
                .hinted(format!("mend that, or save them: {command}; --without-leases lets them die")),
            ClusterIronicError::Pods { .. } => Self::failed("ironic-pods", message)
                .hinted("look at what holds these pods, such as a node that does not answer, then run the command again"),
            ClusterIronicError::Rescaled { .. } => Self::failed("ironic-rescaled", message)
                .hinted("find out who does that, and stop it first"),
            ClusterIronicError::Made { .. } => Self::failed("ironic-rescaled", message)
                .hinted("run the command again: it is stopped as well then"),
            ClusterIronicError::NotReady { .. } => Self::failed("ironic-not-ready", message)
                .hinted("look at its pods; the command may be run again"),
        }
    }
}

impl From<ResourceError> for CommandError {
    fn from(error: ResourceError) -> Self {
        let (message, remedy) = (error.to_string(), error.remedy().unwrap_or_default());
        match error {
            ResourceError::NobodyActs { .. } => {
                Self::failed("ironic-operator-missing", message).hinted(remedy)
            }
            ResourceError::HighlyAvailable { .. } => {
                Self::failed("ironic-highly-available", message).hinted(remedy)
            }
            ResourceError::OperatorGone { .. } => Self::failed("ironic-operator-missing", message)
                .hinted("find out who deleted it, or its Ironic, then run the command again"),
            ResourceError::NotReady { .. } => Self::failed("ironic-not-ready", message)
                .hinted("look at its pods and at the log of its operator; the command may be run again"),
        }
    }
}

impl CommandError {
    /// A cluster without an Ironic.
    pub(crate) fn no_ironic_deployment(cluster: &str) -> Self {
        Self::failed("ironic-missing", format!("{cluster}: there is no Deployment of Ironic"))
            .hinted("check --kubeconfig and --namespace; --form containers looks at a machine")
    }

    /// A pod whose leases cannot be read.
    pub(crate) fn leases_unread(cluster: &str, unread: &UnreadPod) -> Self {
        Self::failed("leases-unread", format!("{cluster}: {}", unread.told()))
            .hinted("mend what is named, or read the ConfigMap beside it with --configmap")
    }

    /// A cluster in which nothing waits to be started.
    pub(crate) fn nothing_stopped(cluster: &str) -> Self {
        Self::failed(
            "ironic-not-saved",
            format!("{cluster}: no Deployment of Ironic was stopped by `ironic stop`"),
        )
        .hinted("one that was scaled by hand is started by hand: `kubectl scale`")
    }

    /// The user did not want to wait for something that had begun.
    pub(crate) fn left_half_way() -> Self {
        Self {
            exit: Exit::Interrupted,
            ..Self::usage("left-half-way", "interrupted while things were changed")
        }
        .hinted("run the command again: it goes on where it was left")
    }

    /// A machine on which nothing of Ironic is found.
    pub(crate) fn no_ironic(host: &str) -> Self {
        Self::failed("ironic-missing", format!("{host} has no container of Ironic"))
            .hinted("name its machine with --host; containers of another user are seen with --sudo")
    }

    /// No file of a stopped Ironic.
    pub(crate) fn nothing_saved(path: &Path) -> Self {
        Self::failed(
            "ironic-not-saved",
            format!("there is no {}: nothing says what ran before", path.display()),
        )
        .hinted("name the file that `ironic stop` wrote with --state")
    }

    /// A file that says nothing of a stopped Ironic.
    pub(crate) fn saved_ironic(path: &Path, error: &SavedError) -> Self {
        Self::usage("ironic-saved", format!("{}: {error}", path.display()))
            .hinted("name the file that `ironic stop` wrote with --state")
    }

    /// A file of another machine's Ironic.
    pub(crate) fn saved_elsewhere(path: &Path, there: &str, here: &str) -> Self {
        Self::usage(
            "ironic-saved-elsewhere",
            format!("{} is about {there}, and not about {here}", path.display()),
        )
        .hinted("name the machine as it was named for `ironic stop`, or another file with --state")
    }

    /// Nowhere to keep what is saved.
    pub(crate) fn no_state_folder() -> Self {
        Self::usage("ironic-state", "there is no place to save what is stopped: no home")
            .hinted("name a file with --state")
    }
}
