//! Errors of manifests that are to be written.

use pivot::ironic::InheritError;
use pivot_core::ironic::manifest::{RangeError, Unfit};

use super::{CommandError, of_failure};

impl From<Unfit> for CommandError {
    fn from(error: Unfit) -> Self {
        let message = error.to_string();
        let (id, hint) = match error {
            Unfit::Interface(_) => ("interface-name", "`network find` tells the name of an interface"),
            Unfit::Endpoint(_) => {
                ("endpoint-unfit", "name an address of its own in the provisioning network")
            }
            Unfit::Prefix { .. } => {
                ("endpoint-unfit", "write the prefix of the interface behind the endpoint, or none")
            }
            Unfit::Alone(_) => (
                "endpoint-alone",
                "write its prefix behind it (172.22.0.2/24), or name the machine with --host so that the interface is looked at",
            ),
            Unfit::InRange { .. } => (
                "endpoint-in-range",
                "take another range or another endpoint: a host would be given the address of Ironic",
            ),
            Unfit::Leased { .. } => (
                "endpoint-leased",
                "take another endpoint, or find out why that client was given the address",
            ),
            Unfit::Split { .. } | Unfit::Elsewhere { .. } => (
                "dhcp-range-network",
                "dnsmasq serves a range only where the interface is on its network; one for a relay names its netmask behind it",
            ),
            Unfit::Overlap { .. } => ("dhcp-range-overlap", "leave the addresses of both in one of them"),
        };
        Self::usage(id, message).hinted(hint)
    }
}

impl From<InheritError> for CommandError {
    fn from(error: InheritError) -> Self {
        let message = error.to_string();
        match error {
            InheritError::Read { error, .. } => {
                let (id, hint) = of_failure(&error);
                Self::failed(id, message).hinted(hint)
            }
            InheritError::Missing { .. } => Self::failed("settings-missing", message)
                .hinted("name its namespace with --namespace, and the ConfigMap with --from-configmap=NAME"),
            InheritError::Several { there, .. } => Self::failed("settings-ambiguous", message)
                .with_details(there)
                .hinted("choose the one that Ironic's pods name, with --from-configmap=NAME"),
            InheritError::Malformed { .. } => Self::failed("settings-malformed", message)
                .hinted("correct the ConfigMap, or give the settings by flags"),
        }
    }
}

impl CommandError {
    /// What stands where a range should.
    pub(crate) fn no_range(error: &RangeError) -> Self {
        Self::usage("dhcp-range-malformed", format!("--dhcp-range: {error}"))
            .hinted("write the first and the last address, such as 172.22.0.10,172.22.0.100")
    }

    /// Nothing says what to hand out.
    pub(crate) fn range_missing() -> Self {
        Self::usage("dhcp-range-missing", "no DHCP range is named")
            .hinted("name it with --dhcp-range, or --no-dhcp where somebody else serves DHCP")
    }

    /// Ranges that the operator's resource has no place for.
    pub(crate) fn ranges_for_irso() -> Self {
        Self::usage(
            "dhcp-range-irso",
            "the Ironic resource is written with one DHCP range of the form BEGIN,END",
        )
        .hinted("write it with that one, and add the others by hand at spec.networking.dhcp")
    }

    /// Nothing says where Ironic is to be reached.
    pub(crate) fn endpoint_missing() -> Self {
        Self::usage("endpoint-missing", "no endpoint address is named")
            .hinted("name the address that Ironic has in the source with --endpoint, or --from-configmap to read it there")
    }

    /// Nothing says on which interface.
    pub(crate) fn interface_missing() -> Self {
        Self::usage("interface-missing", "no provisioning interface is named")
            .hinted("name it with --interface, or its machine with --host so that it is found by its network")
    }

    /// What stands where a name should.
    pub(crate) fn no_name(flag: &str, text: &str) -> Self {
        Self::usage("name-malformed", format!("{flag} says `{text}`, which no object can be called"))
            .hinted("a name has lower case letters, digits and dashes, and at most 63 of them")
    }

    /// What stands where an image should.
    pub(crate) fn no_image(flag: &str, text: &str) -> Self {
        Self::usage("image-malformed", format!("{flag} says `{text}`, which is no image"))
            .hinted("name it as the source's pods do, such as quay.io/metal3-io/ironic:TAG")
    }
}
