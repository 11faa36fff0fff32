//! A plane as `clusterctl init` leaves it: CRDs with their labels, provider namespaces, inventory.

use crate::{
    Result,
    assets::Assets,
    crds, inventory,
    plane::{Component, Plane, PlaneOptions},
};

/// Starts a plane with the CRDs of all providers and the inventory of `clusterctl`.
///
/// The controller manager starts last: its garbage collector looks for new kinds only every 30 s, and this way knows all of
/// them from its first moment.
pub async fn start_management_plane(assets: &Assets, name: &str, options: &PlaneOptions) -> Result<Plane> {
    let plane = Plane::start_without_controllers(assets, name, options).await?;
    let client = plane.client().await?;
    crds::install(&client, assets).await?;
    inventory::install(&client).await?;
    if options.controller_manager {
        plane.restart(Component::ControllerManager).await?;
    }
    Ok(plane)
}
