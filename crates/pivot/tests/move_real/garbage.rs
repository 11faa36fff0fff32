//! The real garbage collector, seen to have finished.

use std::time::Duration;

use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::garbage;

/// Waits until the garbage collector has been through all that was written before, twice.
pub(crate) async fn await_garbage_collection(client: &PlaneClient, namespace: &str) {
    // An API server enforces a fence for a moment longer than it is there.
    wait_until("the fence to be gone", Duration::from_secs(60), async || {
        match garbage::await_garbage_collection(client, namespace).await {
            Ok(()) => Ok(Progress::Done(())),
            Err(error) if error.to_string().contains("behind the fence") => {
                Ok(Progress::Pending(error.to_string()))
            }
            Err(error) => Err(error),
        }
    })
    .await
    .unwrap();
    garbage::await_garbage_collection(client, namespace).await.unwrap();
}
