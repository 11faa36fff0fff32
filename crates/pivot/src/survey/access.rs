//! What the user may do.

use pivot_core::machine::Side;
use pivot_core::plan::{Blueprint, Permission};

use super::{SurveyError, read_error};
use crate::cluster::Cluster;

/// What of the blueprint's permissions is missing. Who may do everything is asked once.
pub(super) async fn denied(
    source: &Cluster,
    target: Option<&Cluster>,
    blueprint: &Blueprint,
) -> Result<Vec<(Side, Permission)>, SurveyError> {
    let needed = blueprint.permissions();
    let (here, there) = futures::try_join!(denied_on(Side::Source, source, &needed), async {
        match target {
            Some(cluster) => denied_on(Side::Target, cluster, &needed).await,
            None => Ok(Vec::new()),
        }
    })?;
    Ok(here.into_iter().chain(there).collect())
}

pub(super) async fn denied_on(
    side: Side,
    cluster: &Cluster,
    needed: &[(Side, Permission)],
) -> Result<Vec<(Side, Permission)>, SurveyError> {
    let everything = Permission {
        verb: "*".to_owned(),
        group: "*".to_owned(),
        resource: "*".to_owned(),
        subresource: None,
        name: None,
        namespace: None,
    };
    let ask = |permissions: Vec<Permission>| async {
        cluster.denied(permissions).await.map_err(read_error(side, cluster, "what you may do"))
    };
    if ask(vec![everything]).await?.is_empty() {
        return Ok(Vec::new());
    }
    let questions = needed.iter().filter(|(on, _)| *on == side).map(|(_, permission)| permission.clone());
    let denied = ask(questions.collect()).await?;
    Ok(denied.into_iter().map(|permission| (side, permission)).collect())
}
