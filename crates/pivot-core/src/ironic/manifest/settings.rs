//! What the manifests are made from.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::json;

use super::inherited::{CONFIG_MAP_NAME, Inherited};
use super::provisioning::Provisioning;
use super::{Document, managed};
use crate::lease::LeaseFile;

/// Image of Ironic, and of dnsmasq and httpd beside it.
pub const IMAGE: &str = "quay.io/metal3-io/ironic";
/// Image of keepalived.
pub const KEEPALIVED_IMAGE: &str = "quay.io/metal3-io/keepalived";
/// Image that fetches the ramdisk.
pub const DOWNLOADER_IMAGE: &str = "quay.io/metal3-io/ironic-ipa-downloader";

/// The user of ironic-image, which owns its files.
pub(super) const USER: u32 = 997;
/// Its group.
pub(super) const GROUP: u32 = 994;

/// Port of Ironic's API.
const API_PORT: &str = "6385";
const HTTP_PORT: &str = "6180";

/// As what Ironic is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The Deployment of metal3's kustomizations.
    Deployment,
    /// The resource of the Ironic Standalone Operator.
    Irso,
}

/// Which leases dnsmasq begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// None: there is no DHCP, or nobody wants them.
    Nothing,
    /// Those that somebody imports before it starts.
    Awaited,
    /// These.
    Leases(LeaseFile),
}

/// Secrets by their names. No value of theirs is ever read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// What the API's users are known by; `None` lets everybody in.
    pub auth: Option<String>,
    /// The API's certificate; `None` serves plain HTTP.
    pub certificate: Option<String>,
    /// The authority of the API's certificate. The operator's resource has no place for it.
    pub authority: Option<String>,
}

/// What the manifests are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// As what it is to run.
    pub form: Form,
    /// Where.
    pub namespace: String,
    /// The provisioning network.
    pub provisioning: Provisioning,
    /// The leases.
    pub leases: Carried,
    /// The Secrets.
    pub secrets: Secrets,
    /// Image of Ironic.
    pub image: String,
    /// Image of keepalived.
    pub keepalived_image: String,
    /// Image of the ramdisk's downloader.
    pub downloader_image: String,
    /// True where it is to run as soon as it is applied.
    pub run: bool,
    /// The settings of the Ironic that it takes over from.
    pub inherited: Inherited,
}

impl Settings {
    pub(super) fn endpoint(&self) -> IpAddr {
        self.provisioning.endpoint().address
    }

    /// The address as it stands in a URL.
    fn url_host(&self) -> String {
        match self.endpoint() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        }
    }

    pub(super) fn http_port(&self) -> &str {
        self.inherited.others.get("HTTP_PORT").map_or(HTTP_PORT, String::as_str)
    }

    /// True where the Ironic before it had another endpoint, of which other settings may speak.
    pub(super) fn has_moved(&self) -> bool {
        self.inherited.endpoint.is_some_and(|endpoint| endpoint != self.endpoint())
    }

    /// The environment of Ironic's containers.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let mut all = self.inherited.others.clone();
        let mut default = |key: &str, value: String| {
            all.entry(key.to_owned()).or_insert(value);
        };
        default("HTTP_PORT", HTTP_PORT.to_owned());
        default("IRONIC_KERNEL_PARAMS", "console=ttyS0".to_owned());
        let (host, port) = (self.url_host(), self.http_port());
        let has_iso = self.inherited.others.contains_key("DEPLOY_ISO_URL");
        for (key, file) in [("DEPLOY_KERNEL_URL", "kernel"), ("DEPLOY_RAMDISK_URL", "initramfs")]
            .into_iter()
            .filter(|_| !has_iso)
        {
            default(key, format!("http://{host}:{port}/images/ironic-python-agent.{file}"));
        }
        let scheme = if self.secrets.certificate.is_some() { "https" } else { "http" };
        let endpoint = self.provisioning.endpoint();
        let interface = self.provisioning.interface();
        let mut set = |key: &str, value: String| all.insert(key.to_owned(), value);
        set("IRONIC_ENDPOINT", format!("{scheme}://{host}:{API_PORT}/v1/"));
        set("PROVISIONING_INTERFACE", interface.to_owned());
        set("PROVISIONING_IP", endpoint.address.to_string());
        if let Some(network) = self.provisioning.network() {
            set("PROVISIONING_CIDR", network.prefix.to_string());
            let ranges: Vec<String> =
                self.provisioning.ranges().iter().map(|range| range.option(network)).collect();
            if !ranges.is_empty() {
                set("DHCP_RANGE", ranges.join(";"));
            }
        }
        if !endpoint.is_host() {
            // Otherwise keepalived carries the address alone, as it always did.
            let value = format!("{},{interface},{}", endpoint.address, endpoint.prefix);
            set("KEEPALIVED_VIRTUAL_IPS", value);
        }
        all
    }

    /// The ConfigMap of that environment.
    pub(super) fn config_map(&self) -> Document {
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG_MAP_NAME, "namespace": self.namespace, "labels": managed()},
            "data": self.environment(),
        });
        Document { comments: Vec::new(), object }
    }
}

/// True where the text can be the name of a namespace or of a Secret.
pub fn is_name(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
