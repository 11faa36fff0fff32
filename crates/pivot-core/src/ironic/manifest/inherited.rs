//! The settings of the Ironic that is taken over from, as its ConfigMap has them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::range::{DhcpRange, RangeError};
use crate::network::{Net, NetError};
use crate::object::Manifest;

/// Name of the ConfigMap. Kustomize may put a prefix before it and a digest behind it.
pub const CONFIG_MAP_NAME: &str = "ironic-bmo-configmap";

/// Keys that are made anew from the provisioning network.
const MADE_ANEW: [&str; 6] = [
    "PROVISIONING_IP",
    "PROVISIONING_CIDR",
    "PROVISIONING_INTERFACE",
    "DHCP_RANGE",
    "IRONIC_ENDPOINT",
    "KEEPALIVED_VIRTUAL_IPS",
];
/// URLs that lead to files of the endpoint, unless somebody else serves them.
const URLS: [(&str, &str); 2] = [
    ("DEPLOY_KERNEL_URL", "images/ironic-python-agent.kernel"),
    ("DEPLOY_RAMDISK_URL", "images/ironic-python-agent.initramfs"),
];
/// Says by its hardware address which interface is meant, and the target's has another.
const MACS: &str = "PROVISIONING_MACS";
/// Addresses for keepalived.
const VIRTUAL_IPS: &str = "KEEPALIVED_VIRTUAL_IPS";

/// What an Ironic was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// The interface.
    pub interface: Option<String>,
    /// The endpoint address.
    pub endpoint: Option<IpAddr>,
    /// Bits of its network.
    pub prefix: Option<u8>,
    /// The DHCP ranges.
    pub ranges: Vec<DhcpRange>,
    /// Everything that does not depend on where it runs.
    pub others: BTreeMap<String, String>,
    /// What is not taken along.
    pub left_out: Vec<String>,
}

/// A setting that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InheritedError {
    /// The endpoint or its prefix.
    #[error("{key}: {error}")]
    Endpoint {
        /// Which setting.
        key: &'static str,
        /// Why.
        error: NetError,
    },
    /// A range.
    #[error("DHCP_RANGE: {0}")]
    Range(#[from] RangeError),
}

impl Inherited {
    /// Reads the ConfigMap.
    pub fn read(config_map: &Manifest) -> Result<Self, InheritedError> {
        let data = config_map.pointer("/data").and_then(Value::as_object).into_iter().flatten();
        let mut all: BTreeMap<String, String> = data
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let net = |key: &'static str, text: &str| -> Result<Net, InheritedError> {
            text.trim().parse().map_err(|error| InheritedError::Endpoint { key, error })
        };
        let endpoint = all.get("PROVISIONING_IP").map(|text| net("PROVISIONING_IP", text)).transpose()?;
        let prefix = match (endpoint, all.get("PROVISIONING_CIDR")) {
            (Some(endpoint), Some(prefix)) => {
                Some(net("PROVISIONING_CIDR", &format!("{}/{}", endpoint.address, prefix.trim()))?.prefix)
            }
            _ => None,
        };
        let ranges = all.get("DHCP_RANGE").map_or("", String::as_str).split(';').map(str::trim);
        let ranges = ranges.filter(|text| !text.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        let interface = all.get("PROVISIONING_INTERFACE").cloned();
        let mut left_out = Vec::new();
        let addresses = all.get(VIRTUAL_IPS).map_or(0, |text| text.split_whitespace().count());
        if addresses > 1 {
            left_out.push(VIRTUAL_IPS.to_owned());
        }
        left_out.extend(all.remove(MACS).map(|_| MACS.to_owned()));
        all.retain(|key, _| !MADE_ANEW.contains(&key.as_str()));
        let endpoint = endpoint.map(|net| net.address);
        if let Some(endpoint) = endpoint {
            // Made anew alike where the endpoint stays, and right where it does not.
            all.retain(|key, url| {
                !URLS.iter().any(|(own, file)| key == own && is_served_by(url, endpoint, file))
            });
        }
        Ok(Self { interface, endpoint, prefix, ranges, others: all, left_out })
    }
}

/// True where the URL is that of a file that Ironic itself serves at its endpoint.
fn is_served_by(url: &str, endpoint: IpAddr, file: &str) -> bool {
    let parts = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
    let Some((authority, path)) = parts else { return false };
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    host == Some(endpoint) && path == file
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(data: &Value) -> Result<Inherited, InheritedError> {
        Inherited::read(&Manifest::new(json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})))
    }

    #[test]
    fn what_does_not_depend_on_the_place_is_taken_along() {
        let inherited = read(&json!({
            "PROVISIONING_IP": "172.22.0.2",
            "PROVISIONING_CIDR": "24",
            "PROVISIONING_INTERFACE": "ironicendpoint",
            "PROVISIONING_MACS": "52:54:00:00:00:01",
            "DHCP_RANGE": "172.22.0.10,172.22.0.100; 172.23.0.10,172.23.0.20,255.255.255.0",
            "DEPLOY_KERNEL_URL": "http://172.22.0.2:6180/images/ironic-python-agent.kernel",
            "DEPLOY_RAMDISK_URL": "http://images.example/ironic-python-agent.initramfs",
            "IRONIC_ENDPOINT": "https://172.22.0.2:6385/v1/",
            "KEEPALIVED_VIRTUAL_IPS": "172.22.0.2,eth2,24 172.22.0.3,eth2",
            "DHCP_HOSTS": "",
            "IRONIC_FAST_TRACK": "true",
        }))
        .unwrap();
        assert_eq!(inherited.interface.as_deref(), Some("ironicendpoint"));
        assert_eq!(inherited.endpoint, Some("172.22.0.2".parse().unwrap()));
        assert_eq!((inherited.prefix, inherited.ranges.len()), (Some(24), 2));
        let others: Vec<&str> = inherited.others.keys().map(String::as_str).collect();
        assert_eq!(others, ["DEPLOY_RAMDISK_URL", "IRONIC_FAST_TRACK"]);
        assert_eq!(inherited.left_out, ["KEEPALIVED_VIRTUAL_IPS", "PROVISIONING_MACS"]);
        assert_eq!(read(&Value::Null), Ok(Inherited::default()));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let said = |data: &Value| read(data).unwrap_err().to_string();
        assert_eq!(said(&json!({"PROVISIONING_IP": "eth2"})), "PROVISIONING_IP: `eth2` is no IP address");
        assert_eq!(
            said(&json!({"PROVISIONING_IP": "172.22.0.2", "PROVISIONING_CIDR": "33"})),
            "PROVISIONING_CIDR: `/33` is no prefix of 172.22.0.2: it goes from 0 to 32"
        );
        assert!(
            said(&json!({"DHCP_RANGE": "172.22.0.10"})).starts_with("DHCP_RANGE: `172.22.0.10` is no range")
        );
    }

    #[test]
    fn only_what_the_endpoint_serves_is_its_own() {
        let file = "images/ironic-python-agent.kernel";
        let is_own = |url: &str, endpoint: &str| is_served_by(url, endpoint.parse().unwrap(), file);
        assert!(is_own("http://172.22.0.2:6180/images/ironic-python-agent.kernel", "172.22.0.2"));
        assert!(is_own("http://172.22.0.2/images/ironic-python-agent.kernel", "172.22.0.2"));
        assert!(is_own("http://[fd2e::2]:6180/images/ironic-python-agent.kernel", "fd2e::2"));
        assert!(!is_own("http://172.22.0.1:6180/images/ironic-python-agent.kernel", "172.22.0.2"));
        assert!(!is_own("http://172.22.0.2:6180/images/mine.kernel", "172.22.0.2"));
        assert!(!is_own("file:///shared/kernel", "172.22.0.2"));
    }
}
