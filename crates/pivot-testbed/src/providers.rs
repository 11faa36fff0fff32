//! A plane as `clusterctl init` leaves it: CRDs with their labels, provider namespaces, inventory.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use crate::{
    Result,
    assets::Assets,
    client::{PlaneClient, Progress, wait_until},
    crds, inventory,
    kind::Gvk,
    plane::{Plane, PlaneOptions},
};

/// What the controller manager puts into every namespace.
const ROOT_CA: &str = "kube-root-ca.crt";
const SERVICE_ACCOUNT: &str = "default";

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
        plane.start_controllers()?;
        await_namespace_contents(&client).await?;
    }
    Ok(plane)
}

/// Waits, where a controller manager runs, until it has put into every namespace what it puts there: a dump taken earlier
/// would see these objects appear.
pub async fn settle(client: &PlaneClient) -> Result<()> {
    match client.get(Gvk::CONFIG_MAP, Some("default"), ROOT_CA).await? {
        Some(_) => await_namespace_contents(client).await,
        None => Ok(()),
    }
}

async fn await_namespace_contents(client: &PlaneClient) -> Result<()> {
    wait_until("the contents of new namespaces", Duration::from_secs(300), async || {
        let active = |namespace: &Value| namespace["status"]["phase"] == "Active";
        let namespaces = client.list(Gvk::NAMESPACE, None).await?;
        let (config_maps, accounts) =
            tokio::try_join!(client.list(Gvk::CONFIG_MAP, None), client.list(Gvk::SERVICE_ACCOUNT, None))?;
        let with = |objects: &[Value], name: &str| -> BTreeSet<String> {
            let named = objects.iter().filter(|object| object["metadata"]["name"] == name);
            named.filter_map(|object| object["metadata"]["namespace"].as_str().map(str::to_owned)).collect()
        };
        let (certified, served) = (with(&config_maps, ROOT_CA), with(&accounts, SERVICE_ACCOUNT));
        let missing: Vec<&str> = namespaces
            .iter()
            .filter(|namespace| active(namespace))
            .filter_map(|namespace| namespace["metadata"]["name"].as_str())
            .filter(|name| !certified.contains(*name) || !served.contains(*name))
            .collect();
        Ok(if missing.is_empty() { Progress::Done(()) } else { Progress::Pending(missing.join(", ")) })
    })
    .await
}
