//! The real garbage collector, seen to have finished.

use pivot_testbed::client::PlaneClient;
use pivot_testbed::garbage;

/// Waits until the garbage collector has been through all that was written before, twice.
pub(crate) async fn await_garbage_collection(client: &PlaneClient, namespace: &str) {
    for _ in 0..2 {
        garbage::await_garbage_collection(client, namespace).await.unwrap();
    }
}
