//! Two who want the same seat, on real API servers.

use std::time::Duration;

use pivot::cluster::{Cluster, ClusterConfig};
use pivot::coordinator::{LEASE, LeaseTimes, Seat, SeatError, Waiting};
use pivot_core::link::LinkRules;
use pivot_core::machine::Side;
use pivot_core::record::NAMESPACE;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::{Plane, PlaneOptions};

use crate::scene::identity;

const TIMES: LeaseTimes =
    LeaseTimes { duration: Duration::from_secs(2), renew_every: Duration::from_millis(300) };

async fn take(clusters: &[(Side, &Cluster)], host: &str, told: &mut Vec<Waiting>) -> Result<Seat, SeatError> {
    Seat::take(clusters, host, &identity(host), TIMES, &|_| false, &mut |waiting| told.push(waiting)).await
}

async fn holder(client: &PlaneClient) -> Option<String> {
    let lease =
        client.get(&Gvk::new("coordination.k8s.io", "v1", "Lease"), Some(NAMESPACE), LEASE).await.unwrap()?;
    Some(lease["spec"]["holderIdentity"].as_str()?.to_owned())
}

#[tokio::test]
async fn two_seats() {
    let assets = assets_or_skip!();
    // Of its own: the seat is one for the whole cluster.
    let options = PlaneOptions::default();
    let (source, target) = tokio::try_join!(
        Plane::start(&assets, "source", &options),
        Plane::start(&assets, "target", &options),
    )
    .unwrap();
    let connect = |plane: &Plane| Cluster::connect(ClusterConfig::new(plane.kubeconfig()));
    let (s, t) = tokio::try_join!(connect(&source), connect(&target)).unwrap();
    let clusters = [(Side::Source, &s), (Side::Target, &t)];
    let (at_source, at_target) = tokio::try_join!(source.client(), target.client()).unwrap();

    // The first sits down, and a second one is sent away for as long as it stays.
    let mut told = Vec::new();
    let first = take(&clusters, "first", &mut told).await.unwrap();
    let refused = tokio::select! {
        lost = first.keep() => panic!("{lost}"),
        outcome = take(&clusters, "second", &mut told) => outcome.unwrap_err(),
    };
    assert!(
        matches!(&refused, SeatError::Held { holder, .. } if *holder == identity("first").holder()),
        "{refused}"
    );
    assert_eq!(told.len(), 2);
    assert!(first.is_held());

    // It stands still: the second takes over after the time that the Lease names, and the first finds out.
    let second = take(&clusters, "second", &mut told).await.unwrap();
    assert!(second.is_held() && !first.is_held());
    let lost = first.reclaim().await.unwrap_err();
    assert_eq!(lost.to, Some(identity("second").holder()));
    assert!(!first.is_held());
    assert_eq!(first.release(None).await, []);
    for client in [&at_source, &at_target] {
        assert_eq!(holder(client).await, Some(identity("second").holder()));
    }

    // The namespace was made by the first pivot: the second leaves it there.
    let discovery = t.discover(&LinkRules::builtin()).await.unwrap();
    assert_eq!(second.reclaim().await, Ok(true));
    assert_eq!(second.release(Some((Side::Target, &discovery))).await, []);
    assert_eq!(holder(&at_target).await, None);

    // Whoever made it takes it away, and can make it again while it is still on its way out.
    let again = take(&clusters, "first", &mut told).await.unwrap();
    assert_eq!(again.release(Some((Side::Target, &discovery))).await, []);
    let patient = LeaseTimes { duration: Duration::from_secs(60), ..TIMES };
    let last =
        Seat::take(&clusters, "last", &identity("last"), patient, &|_| false, &mut |_| {}).await.unwrap();
    assert!(last.is_held() && last.unclaimed().is_empty());
    assert_eq!(last.release(Some((Side::Target, &discovery))).await, []);
    wait_until("the namespace is gone", Duration::from_secs(60), async || {
        let found = at_target.get(Gvk::NAMESPACE, None, NAMESPACE).await?;
        Ok(if found.is_none() { Progress::Done(()) } else { Progress::Pending("it is there".to_owned()) })
    })
    .await
    .unwrap();
    assert!(at_source.get(Gvk::NAMESPACE, None, NAMESPACE).await.unwrap().is_some());
}
