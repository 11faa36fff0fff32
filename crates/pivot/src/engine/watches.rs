//! The tripwire: watches of the source, from SNAPSHOT to COMMIT.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use pivot_core::machine::Seen;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cluster::discovery::Discovery;
use crate::cluster::inventory::ListPosition;
use crate::cluster::{ChangeKind, Cluster, Failure, WatchEvent};

/// How long ending the watches may take.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What a watch saw.
#[derive(Debug)]
pub(super) enum Sighting {
    /// An object changed.
    Changed(Seen),
    /// A watch ended by itself.
    Lost(String),
}

pub(super) struct Watches {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    sender: mpsc::UnboundedSender<Sighting>,
}

impl Watches {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Sighting>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { tasks: JoinSet::new(), stop: CancellationToken::new(), sender }, receiver)
    }

    /// Watches everything that was listed, from there on. Returns once every watch is established.
    pub(super) async fn start(
        &mut self,
        cluster: &Cluster,
        discovery: &Discovery,
        positions: Vec<ListPosition>,
    ) -> Result<(), Failure> {
        self.stop().await;
        self.stop = CancellationToken::new();
        let mut opening: FuturesUnordered<_> = positions
            .iter()
            .filter_map(|position| Some((discovery.catalog.get(&position.kind)?, position)))
            .map(|(kind, position)| {
                cluster.watch(
                    kind,
                    &position.version,
                    position.namespace.as_deref(),
                    &position.resource_version,
                )
            })
            .collect();
        let mut streams = Vec::new();
        while let Some(stream) = opening.next().await {
            streams.push(stream?);
        }
        let (stop, sender) = (self.stop.clone(), self.sender.clone());
        // One task for all: they are quiet, and there may be a hundred.
        let mut events = futures::stream::select_all(streams.into_iter().map(Box::pin));
        self.tasks.spawn(async move {
            let forward = async {
                while let Some(event) = events.next().await {
                    let sighting = match event {
                        WatchEvent::Change(change) => Sighting::Changed(Seen {
                            key: change.key,
                            uid: change.uid,
                            resource_version: change.resource_version,
                            owners: change.owners,
                            terminating: change.what == ChangeKind::Deleted,
                        }),
                        WatchEvent::Bookmark { .. } => continue,
                        WatchEvent::Broken { reason, .. } => Sighting::Lost(reason),
                    };
                    if sender.send(sighting).is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = forward => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(())
    }

    /// Ends all watches.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_LIMIT, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}
