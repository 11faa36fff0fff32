//! What the user may do.

use pivot_core::machine::Side;
use pivot_core::plan::{Blueprint, Permission};

use super::{SurveyError, read_error};
use crate::cluster::{self, Cluster};

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
    let everything = cluster::Permission {
        verb: "*".to_owned(),
        group: "*".to_owned(),
        resource: "*".to_owned(),
        subresource: None,
        namespace: None,
    };
    let ask = |permissions: Vec<cluster::Permission>| async {
        cluster.denied(permissions).await.map_err(read_error(side, cluster, "what you may do"))
    };
    if ask(vec![everything]).await?.is_empty() {
        return Ok(Vec::new());
    }
    let questions = needed.iter().filter(|(on, _)| *on == side).map(|(_, permission)| {
        let (resource, subresource) = match permission.resource.split_once('/') {
            Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
            None => (permission.resource.clone(), None),
        };
        cluster::Permission {
            verb: permission.verb.clone(),
            group: permission.group.clone(),
            resource,
            subresource,
            namespace: permission.namespace.clone(),
        }
    });
    let denied = ask(questions.collect()).await?;
    Ok(denied
        .into_iter()
        .map(|p| {
            let resource = match p.subresource {
                Some(subresource) => format!("{}/{subresource}", p.resource),
                None => p.resource,
            };
            (side, Permission { verb: p.verb, group: p.group, resource, namespace: p.namespace })
        })
        .collect())
}
