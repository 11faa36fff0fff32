//! Two planes, the source and the target of a pivot.

use std::sync::{Arc, LazyLock};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::{Plane, PlaneOptions};
use crate::{Result, assets::Assets, providers};

/// Dedicated pairs of one test process at the same time; a pair takes about 1.2 GB of memory.
const DEDICATED_PAIRS: usize = 2;

static DEDICATED: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(DEDICATED_PAIRS)));

/// Two management clusters with the CRDs of all providers.
#[derive(Debug)]
pub struct Pair {
    /// Where the objects are.
    pub source: Plane,
    /// Where they go.
    pub target: Plane,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Pair {
    /// A pair for one test alone. Waits while as many as fit in memory are in use.
    pub async fn dedicated(assets: &Assets, options: &PlaneOptions) -> Result<Self> {
        let permit = Arc::clone(&DEDICATED).acquire_owned().await.expect("BUG: nobody closes the semaphore");
        Ok(Self { _permit: Some(permit), ..Self::start(assets, options).await? })
    }

    /// The pair that the tests of one process share, each in namespaces of its own
    /// (see [`unique_name`](crate::unique_name)). Tests that look at cluster-wide state, stop components or
    /// change CRDs need a [dedicated](Self::dedicated) one.
    pub async fn shared(assets: &Assets) -> Result<&'static Self> {
        static SHARED: OnceCell<Pair> = OnceCell::const_new();
        SHARED.get_or_try_init(async || Self::start(assets, &PlaneOptions::default()).await).await
    }

    async fn start(assets: &Assets, options: &PlaneOptions) -> Result<Self> {
        let (source, target) = tokio::try_join!(
            providers::start_management_plane(assets, "source", options),
            providers::start_management_plane(assets, "target", options),
        )?;
        Ok(Self { source, target, _permit: None })
    }
}
