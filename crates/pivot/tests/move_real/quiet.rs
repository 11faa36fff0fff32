//! Two planes for tests that look at a whole cluster or change its CRDs and providers: one test at a time.

use pivot_testbed::assets::Assets;
use pivot_testbed::plane::{Pair, PlaneOptions};
use tokio::sync::{Mutex, MutexGuard};

static SLOT: Mutex<Option<Pair>> = Mutex::const_new(None);

/// The quiet planes, in the hands of one test.
pub(crate) struct Quiet {
    slot: MutexGuard<'static, Option<Pair>>,
    pub(crate) pair: Pair,
}

impl Quiet {
    /// Waits for its turn.
    pub(crate) async fn take(assets: &Assets) -> Self {
        let mut slot = SLOT.lock().await;
        let pair = match slot.take() {
            Some(pair) => pair,
            None => Pair::dedicated(assets, &PlaneOptions::default()).await.unwrap(),
        };
        Self { slot, pair }
    }

    /// Gives the planes on, as they were found. A test that panics does not come here, and the next one gets new planes.
    pub(crate) fn give_back(mut self) {
        *self.slot = Some(self.pair);
    }
}
