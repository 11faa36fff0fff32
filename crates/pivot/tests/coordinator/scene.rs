//! Two servers in memory and those who want to sit there.

use std::time::Duration;

use pivot::cluster::Cluster;
use pivot::coordinator::{Identity, LEASE, LeaseTimes, Seat, SeatError, Waiting};
use pivot_core::machine::Side;
use pivot_core::record::NAMESPACE;
use pivot_testbed::dump::Key;
use pivot_testbed::fake::{FakeServer, Target};
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

pub(crate) const PIVOT: &str = "p1";
pub(crate) const TIMES: LeaseTimes =
    LeaseTimes { duration: Duration::from_secs(20), renew_every: Duration::from_secs(5) };

pub(crate) struct Scene {
    pub(crate) source: FakeServer,
    pub(crate) target: FakeServer,
}

/// What came of an attempt to take the seat, and what was told meanwhile.
pub(crate) struct Attempt {
    pub(crate) seat: Result<Seat, SeatError>,
    pub(crate) told: Vec<Waiting>,
}

impl Attempt {
    pub(crate) fn seat(self) -> Seat {
        self.seat.unwrap()
    }
}

/// The engine's futures move between threads.
fn sent<F: Future + Send>(future: F) -> F {
    future
}

pub(crate) fn identity(host: &str) -> Identity {
    Identity { host: host.to_owned(), pid: 7, nonce: "n".to_owned(), boot: "b".to_owned() }
}

pub(crate) fn lease_key() -> Key {
    Key {
        group: "coordination.k8s.io".to_owned(),
        kind: "Lease".to_owned(),
        namespace: NAMESPACE.to_owned(),
        name: LEASE.to_owned(),
    }
}

pub(crate) fn namespace_key() -> Key {
    Key::new(Gvk::NAMESPACE, "", NAMESPACE)
}

/// Requests about the Lease.
pub(crate) fn leases() -> Target {
    Target::any().kind("Lease")
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self { source: FakeServer::new("source"), target: FakeServer::new("target") }
    }

    pub(crate) fn server(&self, side: Side) -> &FakeServer {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    pub(crate) fn cluster(&self, side: Side) -> Cluster {
        let server = self.server(side);
        Cluster::from_client(server.client(), server.name())
    }

    pub(crate) async fn take(&self, host: &str) -> Attempt {
        self.take_knowing(host, &|_| false).await
    }

    pub(crate) async fn take_knowing(&self, host: &str, dead: &(dyn Fn(&str) -> bool + Sync)) -> Attempt {
        let (source, target) = (self.cluster(Side::Source), self.cluster(Side::Target));
        let clusters = [(Side::Source, &source), (Side::Target, &target)];
        let mut told = Vec::new();
        let mut tell = |waiting| told.push(waiting);
        let seat = sent(Seat::take(&clusters, PIVOT, &identity(host), TIMES, dead, &mut tell)).await;
        if let Ok(seat) = &seat {
            drop((sent(seat.keep()), sent(seat.reclaim())));
        }
        Attempt { seat, told }
    }

    pub(crate) fn lease(&self, side: Side) -> Option<Value> {
        self.server(side).get(&lease_key())
    }

    pub(crate) fn holder(&self, side: Side) -> Option<String> {
        Some(self.lease(side)?["spec"]["holderIdentity"].as_str()?.to_owned())
    }

    /// Who sits in both, by host.
    pub(crate) fn holders(&self) -> [Option<String>; 2] {
        [Side::Source, Side::Target].map(|side| {
            let holder = self.holder(side)?;
            Some(holder.parse::<Identity>().map_or(holder, |identity| identity.host))
        })
    }

    /// A Lease of somebody who never comes back.
    pub(crate) fn load_lease(&self, side: Side, holder: &str, seconds: u64) {
        self.server(side).load([json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": LEASE, "namespace": NAMESPACE, "annotations": {"pivot.metal3.io/id": "p0"}},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds, "leaseTransitions": 4,
                "renewTime": "2001-01-01T00:00:00.000000Z"},
        })]);
    }
}

pub(crate) fn both(host: &str) -> [Option<String>; 2] {
    [Some(host.to_owned()), Some(host.to_owned())]
}
