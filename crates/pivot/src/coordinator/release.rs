//! A Lease is given back, and the namespace with it.

use std::time::Duration;

use pivot_core::machine::{Op, Outcome, RefusalClass};
use pivot_core::object::ObjectKey;
use pivot_core::record::namespace_key;
use tokio::time::{sleep, timeout};

use super::chair::{Chair, words};
use super::{Leftover, lease, namespace};
use crate::cluster::discovery::Discovery;

/// Wait before another attempt.
const PAUSE: Duration = Duration::from_millis(500);
/// Attempts: a line that is down for some seconds must not leave a Lease that the next pivot has to wait for.
const ATTEMPTS: u32 = 16;

impl Chair {
    /// Removes our Lease, and our namespace where `clear` is given. A Lease that another one has by now stays.
    pub(super) async fn release(&self, clear: Option<&Discovery>) -> Vec<Leftover> {
        let mut left = Vec::new();
        // After that it runs out by itself.
        let released = timeout(self.times.duration, self.try_release(clear, &mut left)).await;
        match released.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(()) => {}
            // One that was never reached most likely holds nothing of ours.
            Err(_) if !self.is_claimed() => {}
            Err(reason) => left.push(self.leftover(lease::key(), reason)),
        }
        left
    }

    fn leftover(&self, object: ObjectKey, reason: String) -> Leftover {
        Leftover { side: self.side, cluster: self.cluster.name().to_owned(), object, reason }
    }

    async fn try_release(&self, clear: Option<&Discovery>, left: &mut Vec<Leftover>) -> Result<(), String> {
        let mut clear = clear;
        let mut last = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                sleep(PAUSE).await;
            }
            let lease = match self.read().await {
                Ok(Some(lease)) if self.is_ours(&lease) => lease,
                Ok(_) => return Ok(()),
                Err(Outcome::Refused { class: RefusalClass::Busy, message, .. }) => {
                    last = message;
                    continue;
                }
                Err(outcome) => return Err(words(outcome)),
            };
            // The namespace goes first: from then on nobody else can put a Lease into it.
            if let Some(discovery) = clear.take()
                && let Err(reason) = namespace::remove(&self.cluster, discovery, &self.claim.pivot).await
            {
                left.push(self.leftover(namespace_key(), reason));
            }
            let op = Op::Delete { uid: lease.uid, resource_version: Some(lease.resource_version) };
            match self.write(&op).await {
                Outcome::Removed | Outcome::Terminating(_) => return Ok(()),
                Outcome::Refused { class: RefusalClass::Denied, message, .. } => return Err(message),
                other => last = words(other),
            }
        }
        Err(last)
    }
}
