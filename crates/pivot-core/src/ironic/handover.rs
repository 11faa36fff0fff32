//! The hand-over of Ironic within a pivot: where it is on both sides, what is asked of a side, and what is remembered of it.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::saved::SavedIronic;
use crate::dhcp::DEFAULT_WAIT;
use crate::lease::{LeaseFile, merge};
use crate::object::ObjectKey;

/// Bytes that leases may have at most once they are unpacked.
const LIMIT: u64 = 64 << 20;
/// Bytes that they may have packed: they stand in a record beside all else, and a ConfigMap holds 1 MiB.
pub const PACKED_LIMIT: usize = 400 << 10;

/// Where Ironic is on both sides. It is written into the records: whoever takes the pivot up must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HandOver {
    /// Where it acts.
    pub source: IronicPlace,
    /// Where it is to act.
    pub target: IronicPlace,
    /// The endpoint address, where one was told; each side knows its own otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endpoint: Option<IpAddr>,
}

/// Where Ironic is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IronicPlace {
    /// Containers of a machine.
    Machine(Machine),
    /// Deployments of the side's cluster, in one namespace or in any.
    Cluster {
        /// The namespace, where one is told.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        namespace: Option<String>,
    },
}

/// A machine with containers, as its user names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Machine {
    /// What `ssh` is told; this machine where `None`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ssh: Option<String>,
    /// Another configuration of `ssh` than the user's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ssh_config: Option<String>,
    /// A network namespace there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub netns: Option<String>,
    /// Whether commands run by `sudo`.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub sudo: bool,
    /// How many seconds DHCP servers of its networks may take to answer; as long as usual where it is not told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dhcp_wait: Option<u64>,
}

impl Machine {
    /// How long DHCP servers of its networks may take to answer.
    pub fn dhcp_wait(&self) -> Duration {
        self.dhcp_wait.map_or(DEFAULT_WAIT, Duration::from_secs)
    }
}

impl HandOver {
    /// How long networks are listened to, at least, while neither side's Ironic serves: once the source's has stopped, before the target's is started,
    /// and until it is heard alone.
    pub fn silence(&self) -> Duration {
        let wait = |place: &IronicPlace| match place {
            IronicPlace::Machine(machine) => machine.dhcp_wait(),
            IronicPlace::Cluster { .. } => Duration::ZERO,
        };
        wait(&self.source) + wait(&self.target) * 2
    }
}

/// As messages call it.
impl fmt::Display for IronicPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(machine) => {
                let name = machine.ssh.as_deref().unwrap_or("this machine");
                match &machine.netns {
                    Some(netns) => write!(f, "containers in network namespace {netns} of {name}"),
                    None => write!(f, "containers of {name}"),
                }
            }
            Self::Cluster { namespace: Some(namespace) } => {
                write!(f, "a Deployment in namespace {namespace}")
            }
            Self::Cluster { namespace: None } => f.write_str("a Deployment"),
        }
    }
}

/// What a side's Ironic was before it was stopped: enough to have it run again as it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// Containers, without their leases.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub machine: Option<SavedIronic>,
    /// Deployments that ran, in the order in which they are stopped. What replicas they had stands on themselves.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub deployments: Vec<ObjectKey>,
    /// The endpoint address, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endpoint: Option<IpAddr>,
    /// Leases of its DHCP server.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leases: Option<PackedLeases>,
}

impl Stack {
    /// What is known once a stop goes on where an earlier one was left: what ran then, and the leases that it had.
    #[must_use]
    pub fn continued(mut self, earlier: Self) -> Self {
        self.machine = match (self.machine, earlier.machine) {
            (Some(now), Some(before)) => {
                // What the address stood on was clear before anything was stopped: keepalived may have left its own since.
                let endpoint = before.endpoint.clone();
                Some(SavedIronic { endpoint, ..now.continued(before) })
            }
            (now, before) => now.or(before),
        };
        for deployment in earlier.deployments {
            if !self.deployments.contains(&deployment) {
                self.deployments.push(deployment);
            }
        }
        self.endpoint = self.endpoint.or(earlier.endpoint);
        self.leases = match (self.leases, earlier.leases) {
            (Some(now), Some(before)) => Some(now.with(&before)),
            (now, before) => now.or(before),
        };
        self
    }

    /// The same once its leases have gone to somebody else, who gives them out from then on.
    #[must_use]
    pub fn without_leases(mut self) -> Self {
        self.leases = None;
        self
    }
}

/// A lease file, compressed: a thousand leases are a hundred kilobytes of text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PackedLeases(String);

impl fmt::Debug for PackedLeases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackedLeases({} bytes)", self.0.len())
    }
}

/// Packed leases that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leases in the record are damaged")]
pub struct LeasesDamaged;

impl PackedLeases {
    /// Packs a lease file; `None` where it says nothing.
    pub fn pack(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).expect("BUG: memory takes what is written");
        Some(Self(STANDARD.encode(encoder.finish().expect("BUG: memory takes what is written"))))
    }

    /// The lease file.
    pub fn text(&self) -> Result<String, LeasesDamaged> {
        let packed = STANDARD.decode(&self.0).map_err(|_| LeasesDamaged)?;
        let mut text = String::new();
        GzDecoder::new(packed.as_slice()).take(LIMIT).read_to_string(&mut text).map_err(|_| LeasesDamaged)?;
        Ok(text)
    }

    /// These and others of the same server: a pod's die with it, and what is found afterwards may be older. Of two that exclude each other the one that
    /// ends last stays; what would be too much for a record is left out.
    fn with(self, others: &Self) -> Self {
        let (Ok(text), Ok(other)) = (self.text(), others.text()) else { return self };
        if text == other {
            return self;
        }
        let both = merge(&LeaseFile::parse(text.as_bytes()), &LeaseFile::parse(other.as_bytes())).file;
        Self::pack(&both.text()).filter(|both| both.size() <= PACKED_LIMIT).unwrap_or(self)
    }

    /// Bytes in a record.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

/// What is asked of a side's Ironic. Each may be asked again: what is done already is not done twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IronicJob {
    /// What runs, and its leases. Answered by what is to be saved before anything is stopped.
    Look,
    /// Stop it, and prove that nothing of it is left.
    Stop(Box<Stack>),
    /// Have it run, alone on its network.
    Start {
        /// What it was when it was stopped; where nothing is known, whatever is found is started.
        before: Option<Box<Stack>>,
        /// Leases that its DHCP server is to begin with.
        leases: Option<PackedLeases>,
    },
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IronicDone {
    /// What is to be saved.
    pub stack: Stack,
    /// What was seen, a line each.
    pub evidence: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ironic::{FORMAT, SavedAddress};
    use crate::kind::GroupKind;

    #[test]
    fn only_machines_are_listened_from() {
        let machine = |dhcp_wait| IronicPlace::Machine(Machine { dhcp_wait, ..Machine::default() });
        let cluster = || IronicPlace::Cluster { namespace: None };
        let silence = |source, target| HandOver { source, target, endpoint: None }.silence().as_secs();
        assert_eq!(silence(machine(None), machine(None)), 18);
        assert_eq!(silence(machine(Some(3)), machine(Some(2))), 7);
        assert_eq!(silence(machine(Some(3)), cluster()), 3);
        assert_eq!(silence(cluster(), cluster()), 0);
    }

    #[test]
    fn leases_survive_the_record() {
        let text = "0 52:54:00:00:00:01 172.22.0.10 node-0 *\n";
        let packed = PackedLeases::pack(text).unwrap();
        assert_eq!(packed.text().as_deref(), Ok(text));
        assert_eq!(PackedLeases::pack(" \n"), None);
        assert_eq!(PackedLeases("no".to_owned()).text(), Err(LeasesDamaged));
        assert!(!format!("{packed:?}").contains("H4s"));
    }

    #[test]
    fn a_stop_that_goes_on_forgets_nothing() {
        let key = |name: &str| ObjectKey::new(GroupKind::new("apps", "Deployment"), Some("metal3"), name);
        let earlier = Stack {
            deployments: vec![key("ironic")],
            endpoint: "172.22.0.2".parse().ok(),
            leases: PackedLeases::pack("100 52:54:00:00:00:01 172.22.0.10 a *\n"),
            machine: None,
        };
        let both = Stack::default().continued(earlier.clone());
        assert_eq!(both, earlier, "nothing runs any more, and nothing is forgotten");
        let text = |now: &str| {
            let now = Stack { leases: PackedLeases::pack(now), ..Stack::default() };
            now.continued(earlier.clone()).leases.unwrap().text().unwrap()
        };
        let renewed = "200 52:54:00:00:00:01 172.22.0.10 a *\n";
        assert_eq!(text(renewed), renewed, "the one that ends last");
        let older = "50 52:54:00:00:00:01 172.22.0.10 a *\n0 52:54:00:00:00:02 172.22.0.11 b *\n";
        let both = text(older);
        assert_eq!(both.lines().count(), 2, "{both}");
        assert!(
            both.contains("100 52:54:00:00:00:01"),
            "a ConfigMap is older than the pod that is gone: {both}"
        );
    }

    #[test]
    fn an_address_that_keepalived_left_is_not_put_back_by_hand() {
        let machine = |endpoint: Option<&str>| {
            let endpoint = endpoint
                .map(|address| SavedAddress { address: address.to_owned(), interface: "eth1".to_owned() });
            let (place, containers) = ("here".to_owned(), Vec::new());
            let saved = SavedIronic { format: FORMAT, place, containers, endpoint, leases: None };
            Stack { machine: Some(saved), ..Stack::default() }
        };
        let kept = |now, earlier| machine(now).continued(machine(earlier)) == machine(earlier);
        assert!(kept(Some("172.22.0.2/32"), None), "keepalived ran when it was looked at first");
        assert!(kept(None, Some("172.22.0.2/24")), "it was taken off, and is put back");
    }

    #[test]
    fn a_record_of_a_hand_over_is_read_again() {
        let machine = Machine { ssh: Some("host".to_owned()), sudo: true, ..Machine::default() };
        for place in [
            IronicPlace::Machine(machine),
            IronicPlace::Cluster { namespace: None },
            IronicPlace::Cluster { namespace: Some("metal3".to_owned()) },
        ] {
            let hand_over =
                HandOver { source: place.clone(), target: place, endpoint: "fd00::2".parse().ok() };
            let text = serde_json::to_string(&hand_over).unwrap();
            assert_eq!(serde_json::from_str::<HandOver>(&text).unwrap(), hand_over, "{text}");
        }
    }
}
